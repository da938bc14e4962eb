//! Test support: servers, a provider with secrets, and calls.

use ::postgres::{Client, NoTls};
use counterparts::Postgres as Real;
use host_provider_api::{
    BackupExpiry, Call, CallOutcome, Held, NotExpired, Provider, Secret, SecretAccess, Secrets, Unlisted, Unreadable,
};
use host_providers::postgres::{Config, Password, Postgres, ServerConfig};
use host_vault::Vault;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub const SCOPE: &str = "shop/test/user:u1";

/// Servers, a secret store and a folder.
pub struct Stage {
    pub servers: Vec<Real>,
    pub vault: Arc<Vault>,
    pub folder: TempDir,
}

impl Stage {
    pub fn with(servers: usize) -> Stage {
        let servers = (0..servers).map(|_| Real::start()).collect();
        let vault = Arc::new(Vault::in_memory().expect("a vault"));
        Stage { servers, vault, folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn settings(&self, server: usize) -> ServerConfig {
        let server = &self.servers[server];
        ServerConfig {
            host: "127.0.0.1".to_owned(),
            port: server.port(),
            admin_user: "postgres".to_owned(),
            admin_password: Password::Plain(Secret::new(server.password())),
            max_databases: 50,
            tls: false,
        }
    }

    pub fn config(&self) -> Config {
        let servers = (0..self.servers.len()).map(|server| self.settings(server)).collect();
        let programs = self.servers[0].programs().to_owned();
        let mut config = Config::new(servers, programs, self.folder.path().join("backups"));
        config.connections = 3;
        config.work_wait = Duration::from_secs(60);
        config
    }

    /// Creates a provider with changed settings; its calls get access to secrets.
    pub fn provider_with(&self, change: impl FnOnce(&mut Config)) -> WithSecrets {
        let mut config = self.config();
        change(&mut config);
        WithSecrets { provider: Postgres::new(config).expect("a provider"), vault: self.vault.clone() }
    }

    pub fn provider(&self) -> WithSecrets {
        self.provider_with(|_| ())
    }

    /// Connects to a database of a server as administrator.
    pub fn admin_of(&self, server: usize, database: &str) -> Client {
        let server = &self.servers[server];
        let mut config = Client::configure();
        config.host("127.0.0.1").port(server.port()).user("postgres").password(server.password()).dbname(database);
        config.connect(NoTls).expect("the administrator logs in")
    }

    pub fn admin(&self) -> Client {
        self.admin_of(0, "postgres")
    }

    /// Returns the tenant's connection settings.
    pub fn tenant_config(&self, outputs: &Value) -> ::postgres::Config {
        let text = |member: &str| outputs[member].as_str().unwrap_or_else(|| panic!("no {member}: {outputs}"));
        let (host, port) = text("endpoint").rsplit_once(':').expect("host:port");
        let password = self.vault.resolve(SCOPE, text("secret_ref")).expect("the tenant's password");
        let mut config = Client::configure();
        config.host(host).port(port.parse().expect("a port")).user(text("user")).dbname(text("name"));
        config.password(password.expose());
        config
    }

    pub fn tenant(&self, outputs: &Value) -> Client {
        self.tenant_config(outputs).connect(NoTls).expect("the tenant logs in")
    }
}

/// A provider whose calls get access to secrets, as in the registry.
pub struct WithSecrets {
    provider: Postgres,
    vault: Arc<Vault>,
}

impl Provider for WithSecrets {
    fn call(&self, call: &Call) -> CallOutcome {
        let secrets: Arc<dyn Secrets> = self.vault.clone();
        self.provider.call(&Call { secrets: SecretAccess::new(Some(secrets)), ..call.clone() })
    }

    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        self.provider.held()
    }

    fn unreadable(&self) -> Result<Vec<Unreadable>, Unlisted> {
        self.provider.unreadable()
    }

    fn expire_backups(&self, expiry: &BackupExpiry<'_>) -> Result<usize, NotExpired> {
        self.provider.expire_backups(expiry)
    }
}

/// Builds a call for a database, `inst_1/database`.
pub fn call(kind: &str, id: &str, generation: u32, payload: Value) -> Call {
    let verb = kind.rsplit_once('.').expect("a verb").1;
    Call {
        kind: kind.to_owned(),
        scope: SCOPE.to_owned(),
        key: format!("{id}/{verb}"),
        generation,
        attempt: 1,
        payload,
        lease: 1,
        ..Call::default()
    }
}

/// Polls a call until it is done and returns its outputs.
pub fn done(provider: &dyn Provider, call: &Call) -> Value {
    let mut call = call.clone();
    for _ in 0..100 {
        match provider.call(&call) {
            CallOutcome::Done(outputs) => return outputs,
            CallOutcome::InProgress { token, .. } => {
                call.token = Some(token);
                std::thread::sleep(Duration::from_millis(100));
            }
            other => panic!("{} {}: {other:?}", call.kind, call.key),
        }
    }
    panic!("{} {} does not end", call.kind, call.key);
}

pub fn ensure(provider: &dyn Provider, id: &str, generation: u32) -> Value {
    done(provider, &call("database.ensure", id, generation, json!({})))
}

/// Returns the code of an outcome.
pub fn code(answer: &CallOutcome) -> &str {
    match answer {
        CallOutcome::Refused { code, .. } | CallOutcome::Retry { code, .. } => code,
        CallOutcome::Done(_) => "done",
        CallOutcome::InProgress { .. } => "in-progress",
    }
}

pub fn is_refused(answer: &CallOutcome, expected: &str) -> bool {
    matches!(answer, CallOutcome::Refused { code, .. } if code == expected)
}

/// Returns the SQLSTATE of a failed statement.
pub fn state<T>(result: Result<T, ::postgres::Error>) -> String {
    let error = result.err().expect("expected an error");
    error.code().map(|state| state.code().to_owned()).unwrap_or_else(|| panic!("no answer of the server: {error}"))
}
