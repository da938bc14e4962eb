//! Tests the local provider by HTTP requests and by later calls.

mod backups;
mod functions;
mod late;
mod notebook;
mod objects;
mod shared;

use host_provider_api::{Call, CallOutcome, Registry, Reply, SecretAccess};
use host_providers::local::{Local, PATTERNS};
use host_vault::Vault;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// The provider with its folder and a vault. Folder and vault survive a restart of the provider.
struct Machine {
    local: Arc<Local>,
    registry: Registry,
    vault: Arc<Vault>,
    folder: TempDir,
}

impl Machine {
    fn new() -> Machine {
        let (folder, vault) = (tempfile::tempdir().expect("a folder"), Arc::new(Vault::in_memory().expect("a vault")));
        Machine::over(folder, vault)
    }

    fn over(folder: TempDir, vault: Arc<Vault>) -> Machine {
        let local = Arc::new(Local::open(folder.path(), None).expect("the folder can be served"));
        let mut registry = Registry::new();
        registry.register(&PATTERNS, local.clone());
        registry.set_secrets(vault.clone());
        Machine { local, registry, vault, folder }
    }

    /// Restarts the provider on the same folder.
    fn restarted(self) -> Machine {
        let Machine { local, registry, vault, folder } = self;
        drop((local, registry));
        Machine::over(folder, vault)
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn secrets(&self) -> SecretAccess {
        self.registry.secret_access()
    }

    /// Makes a call for the account of `user`, with the key `INSTANCE/NAME/VERB`.
    fn call(&self, user: &str, key: &str, kind: &str, generation: u32, payload: Value) -> CallOutcome {
        let call = Call {
            kind: kind.to_owned(),
            scope: format!("solobase/test/user:{user}"),
            key: key.to_owned(),
            generation,
            attempt: 1,
            payload,
            lease: 1,
            secrets: self.secrets(),
            ..Call::default()
        };
        match self.registry.call(&call) {
            Reply::Answer(answer) => answer,
            silence @ Reply::Silence { .. } => panic!("no answer: {silence:?}"),
        }
    }

    /// Returns the outputs of a call that must succeed.
    fn done(&self, user: &str, key: &str, kind: &str, generation: u32, payload: Value) -> Value {
        match self.call(user, key, kind, generation, payload) {
            CallOutcome::Done(outputs) => outputs,
            other => panic!("{kind} {key}: {other:?}"),
        }
    }

    /// Sends a request with this host name. Returns the response's status and body.
    fn http(&self, method: &str, host: &str, path: &str, body: &str) -> (u16, String) {
        let (status, _, body) = self.http_with(method, host, path, "", body);
        (status, body)
    }

    /// Sends a request with more headers, each with its end of line. Returns the response's status, headers and body.
    fn http_with(&self, method: &str, host: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.local.address()).expect("the server listens");
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let (headers, body) = answer.split_once("\r\n\r\n").expect("headers and a body");
        (status, headers.to_lowercase(), body.to_owned())
    }

    /// Creates an account's database and function, as Solobase's saga does. Returns the function's host.
    fn instance(&self, user: &str, name: &str) -> String {
        let database = self.done(
            user,
            &format!("inst_{name}/database/ensure"),
            "database.ensure",
            1,
            serde_json::json!({"name": name, "quota_gb": 1}),
        );
        let function = self.done(
            user,
            &format!("inst_{name}/compute/ensure"),
            "function.ensure",
            1,
            serde_json::json!({
                "name": name, "tier": "hobby", "database": database["endpoint"], "database_secret": database["secret_ref"],
            }),
        );
        function["url"].as_str().and_then(|url| url.strip_prefix("http://")).expect("a URL").to_owned()
    }
}
