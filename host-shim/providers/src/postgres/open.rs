//! The settings of shared PostgreSQL servers, and how their provider is opened.

use crate::builder::{OpenError, ProviderBuilder};
use crate::postgres::{Config, Password, Postgres, ServerConfig};
use host_provider_api::ProviderName;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Shared PostgreSQL servers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresSettings {
    /// The servers. A database stays on its server. All hosts that share the servers must list the same server first.
    pub servers: Vec<PostgresServer>,
    /// PEM file with certificate authorities to trust in addition to the machine's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Addresses of hosts that the machine can't resolve or reach by their names, for example
    /// `{db1.internal: "10.0.0.7:5432"}`.
    #[serde(default)]
    pub addresses: BTreeMap<String, SocketAddr>,
    /// Folder of the programs `pg_dump` and `pg_restore`.
    pub programs: PathBuf,
    /// Folder of backups; by default `postgres-backups` in the providers' folder.
    #[serde(default)]
    pub backups: Option<PathBuf>,
    /// Folder with the files `NNN_name.sql` of `database.migrate`. None refuses migrations.
    #[serde(default)]
    pub migrations: Option<PathBuf>,
    /// Folder with the files `name.sql` of `database.seed`. None refuses seeds.
    #[serde(default)]
    pub seeds: Option<PathBuf>,
}

/// A shared PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresServer {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Name of a superuser.
    pub user: String,
    /// Reference to the password of the superuser.
    pub password: String,
    /// Maximum number of tenants' databases.
    pub max_databases: u32,
    /// Whether to connect with TLS.
    #[serde(default)]
    pub tls: bool,
}

impl ProviderBuilder<'_> {
    pub(crate) fn postgres(&mut self, folder: &Path) -> Result<(), OpenError> {
        let name = ProviderName::Postgres;
        let settings = self.options.settings.postgres.clone();
        let settings = settings.ok_or_else(|| {
            OpenError::settings(name, "expected `postgres: {servers: […]}` in the file of --provider-settings")
        })?;
        let servers = settings.servers.iter().map(|server| ServerConfig {
            host: server.host.clone(),
            port: server.port,
            admin_user: server.user.clone(),
            admin_password: Password::Reference(server.password.clone()),
            max_databases: server.max_databases,
            tls: server.tls,
        });
        let backups = settings.backups.clone().unwrap_or_else(|| folder.join("postgres-backups"));
        let config = Config {
            ca: settings.ca.clone(),
            addresses: settings.addresses.clone(),
            migrations: settings.migrations.clone(),
            seeds: settings.seeds.clone(),
            secrets: Some(self.secrets.clone()),
            ..Config::new(servers.collect(), settings.programs.clone(), backups)
        };
        let postgres = Postgres::new(config).map_err(|error| OpenError::settings(name, error))?;
        let within = self.limited(name, &["database"], Arc::new(postgres));
        self.postgres = Some(within);
        Ok(())
    }
}
