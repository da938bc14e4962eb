//! pgbouncer, which shares the sessions of a PostgreSQL server among its clients.

use crate::install::{apt, program};
use crate::postgres::Postgres;
use crate::run::succeeds;
use crate::server::Server;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

/// System user that runs it; it refuses to run as root. The package `postgresql` creates this user.
const USER: &str = "postgres";
const LIMIT: Duration = Duration::from_secs(60);

/// A pooler on a port of 127.0.0.1, which accepts everybody.
pub struct PgBouncer(Server);

impl PgBouncer {
    /// Starts a pooler in front of a server, with these lines in its section `[pgbouncer]`.
    pub fn start(server: &Postgres, lines: &[&str]) -> PgBouncer {
        let bin = apt("pgbouncer", || program(&["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]));
        PgBouncer(Server::start(|port, folder| {
            let settings = format!(
                "[databases]\n* = host={} port={} user={USER}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = any\nauth_file = {}/users\n{}\n",
                server.socket().display(),
                server.port(),
                folder.display(),
                lines.join("\n")
            );
            let file = folder.join("pgbouncer.ini");
            std::fs::write(&file, settings).expect("the settings");
            std::fs::write(folder.join("users"), format!("\"{USER}\" \"\"\n")).expect("the users");
            // It reads its files as a different user.
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("readable");
            let is_root = succeeds(Command::new("id").arg("-u"), LIMIT).trim() == "0";
            let mut command = Command::new(if is_root { "setpriv".as_ref() } else { bin.as_os_str() });
            if is_root {
                command
                    .args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups", "--"])
                    .arg(&bin);
            }
            command.arg(file).current_dir("/");
            command
        }))
    }

    /// Returns the URL of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@{}/{database}?sslmode=disable", self.0.address())
    }

    /// Returns its log.
    pub fn log(&self) -> String {
        self.0.log()
    }
}
