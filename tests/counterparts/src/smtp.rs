//! An SMTP server that stores the mails it receives.

use crate::install::venv;
use crate::server::Server;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

/// The requirement for pip, with a pinned version.
const AIOSMTPD: &str = "aiosmtpd==1.4.6";

/// The server in Python. It rejects recipients at `refused.example`, defers each recipient at `later.example` once, and
/// stores mails as numbered files.
const HANDLER: &str = r#"
import asyncio, os, sys
from aiosmtpd.smtp import SMTP

port, folder, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
deferred = set()

class Handler:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        domain = address.rsplit("@", 1)[-1]
        if domain == "refused.example":
            return f"550 5.1.1 <{address}> is nobody here"
        if domain == "later.example" and address not in deferred:
            deferred.add(address)
            return "451 4.7.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        draft = os.path.join(folder, "draft")
        with open(draft, "wb") as file:
            file.write(b"".join(b"X-Envelope-To: " + to.encode() + b"\r\n" for to in envelope.rcpt_tos))
            file.write(envelope.content)
        Handler.count += 1
        os.rename(draft, os.path.join(folder, f"{Handler.count:06}.eml"))
        return "250 OK"

def authenticate(server, session, envelope, mechanism, data):
    from aiosmtpd.smtp import AuthResult
    return AuthResult(success=data.password.decode() == password, handled=False)

async def main():
    loop = asyncio.get_running_loop()
    options = {"hostname": "localhost"}
    if password:
        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False}
    server = await loop.create_server(lambda: SMTP(Handler(), **options), "127.0.0.1", port)
    await server.serve_forever()

asyncio.run(main())
"#;

/// Prints a mail's headers, and its parts by MIME type, as JSON; uses Python's parser.
const READER: &str = r#"
import email, email.policy, json, sys
mail = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
print(json.dumps({"headers": [[name, str(value)] for name, value in mail.items()], "parts": parts}))
"#;

/// An SMTP server without TLS, initially empty.
pub struct Smtp {
    server: Server,
    home: PathBuf,
}

impl Smtp {
    /// Installs aiosmtpd if needed, and starts it. With a password, the server requires a login.
    pub fn start(password: Option<&str>) -> Smtp {
        let home = venv("aiosmtpd", &[AIOSMTPD]);
        let server = Server::start(|port, folder| {
            let script = folder.join("server.py");
            std::fs::write(&script, HANDLER).expect("the script of the server");
            let mut command = Command::new(home.join("bin/python"));
            command.arg(script).arg(port.to_string()).arg(folder).arg(password.unwrap_or_default());
            command
        });
        Smtp { server, home }
    }

    /// Returns the server's address.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Returns the folder in which mails arrive.
    pub fn folder(&self) -> &std::path::Path {
        self.server.folder()
    }

    /// Returns the files of the received mails, in order. Each starts with one line `X-Envelope-To: …` per recipient.
    pub fn mails(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.server.folder()).expect("the folder of the mails");
        let mut mails: Vec<PathBuf> = entries.map(|entry| entry.expect("a mail").path()).collect();
        mails.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
        mails.sort();
        mails
    }

    /// Parses a mail with Python; returns JSON with `headers` (pairs in order) and `parts` (texts by MIME type).
    pub fn read(&self, mail: &std::path::Path) -> String {
        let mut command = Command::new(self.home.join("bin/python"));
        crate::run::succeeds(command.arg("-c").arg(READER).arg(mail), std::time::Duration::from_secs(60))
    }
}
