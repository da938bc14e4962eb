//! Which servers there are, and what a tenant gets of them.

use host_provider_api::{Secret, Secrets};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Connections of one tenant at most, whatever is asked for.
pub const CONNECTIONS_MAX: u32 = 1_000;

/// A setting that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is `{found}`: expected {expected}")]
pub struct BadConfig {
    /// Which setting.
    pub field: &'static str,
    /// What it is.
    pub found: String,
    /// What it should be.
    pub expected: &'static str,
}

/// A password or where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// Itself.
    Plain(Secret),
    /// A reference, `secret:env/NAME`, which is resolved at each call.
    Reference(String),
}

/// A server that tenants share.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Its name or address, as tenants reach it too.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// A superuser: what a tenant may do is taken from PUBLIC in the system's own catalogs.
    pub admin_user: String,
    /// The superuser's password.
    pub admin_password: Password,
    /// Databases that it takes at most.
    pub max_databases: u32,
    /// Whether connections are by TLS, with a certificate that bears `host`. Needs the feature `tls`.
    pub tls: bool,
}

impl ServerConfig {
    /// What tenants are told: `host:port`.
    pub fn endpoint(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Settings of the provider.
#[derive(Clone)]
pub struct Config {
    /// The servers. A database stays on the one that it was made on, so one that has any must not be left out. The first one
    /// also keeps the locks that calls for one database wait at: all who share the servers name the same one first.
    pub servers: Vec<ServerConfig>,
    /// Connections of a tenant, where the payload has no `max_connections`; 1 to [`CONNECTIONS_MAX`].
    pub connections: u32,
    /// A file of certificate authorities (PEM) that servers may have beside the machine's, as that of RDS.
    pub ca: Option<PathBuf>,
    /// Where hosts are found that the machine's resolver doesn't know, or knows by an address that can't be reached from here.
    /// Their certificates bear the host's name.
    pub addresses: BTreeMap<String, SocketAddr>,
    /// The folder of `pg_dump` and `pg_restore`, of the servers' version or a newer one.
    pub programs: PathBuf,
    /// Where backups are kept. Whoever reads it reads what tenants have.
    pub backups: PathBuf,
    /// The folder of `database.migrate`, with `NNN_name.sql`; none if there is nothing to migrate.
    pub migrations: Option<PathBuf>,
    /// The folder of `database.seed`, with `name.sql`.
    pub seeds: Option<PathBuf>,
    /// How long a call may take that is answered at once.
    pub call_timeout: Duration,
    /// How long a backup, a restore or a step may take in the background.
    pub work_timeout: Duration,
    /// How long a call waits for such work before it says that it goes on.
    pub work_wait: Duration,
    /// Longest statement of a tenant. A tenant can set it anew for a session.
    pub statement_timeout: Duration,
    /// How long a tenant's session may do nothing, in a transaction and outside.
    pub idle_timeout: Duration,
    /// Where references of administrators' passwords are resolved when no call asks, for the list of what is held.
    pub secrets: Option<Arc<dyn Secrets>>,
}

impl Config {
    /// Usual settings for these servers: 20 connections a tenant, a minute for a call and an hour for a backup.
    pub fn new(servers: Vec<ServerConfig>, programs: PathBuf, backups: PathBuf) -> Config {
        Config {
            servers,
            connections: 20,
            ca: None,
            addresses: BTreeMap::new(),
            programs,
            backups,
            migrations: None,
            seeds: None,
            call_timeout: Duration::from_secs(60),
            work_timeout: Duration::from_secs(3_600),
            work_wait: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            secrets: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), BadConfig> {
        let bad = |field, found: String, expected| Err(BadConfig { field, found, expected });
        if self.servers.is_empty() {
            return bad("servers", "empty".to_owned(), "one at least");
        }
        for (number, server) in self.servers.iter().enumerate() {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
            if server.host.is_empty() || server.host.len() > 253 || !server.host.bytes().all(is_name) {
                return bad("host", server.host.chars().take(80).collect(), "a name or an address");
            }
            if self.servers[..number].iter().any(|other| other.endpoint() == server.endpoint()) {
                return bad("servers", server.endpoint(), "each server once");
            }
            if server.tls && !cfg!(feature = "tls") {
                return bad("tls", "true".to_owned(), "false, since this host is built without the feature `tls`");
            }
        }
        if !(1..=CONNECTIONS_MAX).contains(&self.connections) {
            return bad("connections", self.connections.to_string(), "1 to 1000");
        }
        Ok(())
    }
}
