//! Settings of the provider: its servers and the limits of tenants.

use host_provider_api::{Secret, Secrets};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of connections of one tenant. A payload that requests more gets this number.
pub const CONNECTIONS_MAX: u32 = 1_000;

/// An invalid setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is `{found}`: expected {expected}")]
pub struct BadConfig {
    /// Name of the setting.
    pub field: &'static str,
    /// Value of the setting.
    pub found: String,
    /// Accepted values.
    pub expected: &'static str,
}

/// A password or its reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// The password itself.
    Plain(Secret),
    /// A reference, for example `secret:env/NAME`, which is resolved at each call.
    Reference(String),
}

/// A server shared by tenants.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Host name or address, for the provider and for tenants.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Name of a superuser. Only a superuser can revoke the rights of PUBLIC in the system catalogs, which isolates
    /// tenants.
    pub admin_user: String,
    /// Password of the superuser.
    pub admin_password: Password,
    /// Maximum number of tenants' databases.
    pub max_databases: u32,
    /// Whether to connect over TLS, with a certificate for `host`. Requires the feature `tls`.
    pub tls: bool,
}

impl ServerConfig {
    /// Returns the endpoint for tenants: `host:port`.
    pub fn endpoint(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Settings of the provider.
#[derive(Clone)]
pub struct Config {
    /// The servers. A database stays on its server, so a server with databases must not be removed. The first server
    /// also holds the advisory locks, so all hosts that share the servers must list the same server first.
    pub servers: Vec<ServerConfig>,
    /// Number of connections of a tenant if the payload has no `max_connections`; 1 to [`CONNECTIONS_MAX`].
    pub connections: u32,
    /// PEM file with certificate authorities to trust in addition to the machine's, for example those of RDS.
    pub ca: Option<PathBuf>,
    /// Addresses of hosts that the machine can't resolve or reach by their names. Certificates must match the names.
    pub addresses: BTreeMap<String, SocketAddr>,
    /// Folder of `pg_dump` and `pg_restore`, of the servers' version or a newer one.
    pub programs: PathBuf,
    /// Folder of backups. Backups contain the tenants' data.
    pub backups: PathBuf,
    /// Folder with the files `NNN_name.sql` of `database.migrate`. None refuses migrations.
    pub migrations: Option<PathBuf>,
    /// Folder with the files `name.sql` of `database.seed`. None refuses seeds.
    pub seeds: Option<PathBuf>,
    /// Timeout of a call without background work.
    pub call_timeout: Duration,
    /// Timeout of a backup, a restore or a script in the background.
    pub work_timeout: Duration,
    /// Time that a call waits for background work before it asks for a poll.
    pub work_wait: Duration,
    /// Statement timeout of tenants. A tenant can change it for a session.
    pub statement_timeout: Duration,
    /// Idle timeout of tenants' sessions, both inside and outside of transactions.
    pub idle_timeout: Duration,
    /// Resolves the references of the administrators' passwords when databases are listed. Calls have their own access
    /// to secrets.
    pub secrets: Option<Arc<dyn Secrets>>,
}

impl Config {
    /// Returns default settings for these servers: 20 connections per tenant, a minute per call, an hour per background
    /// job.
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
            return bad("servers", "empty".to_owned(), "at least one");
        }
        for (number, server) in self.servers.iter().enumerate() {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
            if server.host.is_empty() || server.host.len() > 253 || !server.host.bytes().all(is_name) {
                return bad("host", server.host.chars().take(80).collect(), "a host name or an address");
            }
            if self.servers[..number].iter().any(|other| other.endpoint() == server.endpoint()) {
                return bad("servers", server.endpoint(), "each server once");
            }
        }
        if !(1..=CONNECTIONS_MAX).contains(&self.connections) {
            return bad("connections", self.connections.to_string(), "1 to 1000");
        }
        Ok(())
    }
}
