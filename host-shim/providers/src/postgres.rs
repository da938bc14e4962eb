//! Databases on shared PostgreSQL servers. Each tenant has its own database and role.
//!
//! The record of a database is stored on its server before the database is created, so that a repeated call finds the server. The calls
//! `ensure`, `change`, `destroy` and `restore` for one database take a lock, so they run one after another, even in different processes.
//! Backups, restores, migrations and seeds run in the background.

mod backup;
mod change;
mod config;
mod connect;
mod desired;
mod ensure;
mod expire;
mod failed;
mod foreign;
mod isolate;
mod jobs;
mod names;
mod observe;
mod open;
mod process;
mod record;
mod restore;
mod servers;
mod steps;
mod worker;

pub use config::{BadConfig, CONNECTIONS_MAX, Config, Password, ServerConfig};

pub use open::{PostgresServer, PostgresSettings};

use connect::within;
use failed::Failed;
use host_provider_api::{
    BackupExpiry, Call, CallOutcome, Held, NotExpired, Provider, Secret, SecretError, Unlisted, Unreadable,
};
use jobs::Jobs;
use record::{Record, State};
use servers::Server;
use std::sync::Arc;
use steps::ScriptKind;

/// Name of the provider in errors.
const PROVIDER: &str = "postgres";

/// The provider of `database.*`.
///
/// | verb | payload | outputs |
/// |---|---|---|
/// | `ensure` | `quota_gb` or `quota_mb`, `max_connections`, `writes` (`refused`, `allowed`), `endpoint` of the wanted server | `id`, `endpoint`, `name`, `user`, `secret_ref` |
/// | `change` | as `ensure`, and `state` (`suspended`, `running`) | as `ensure`, and `state` |
/// | `observe` | none; or `adopt` with `outputs` (`endpoint`, `secret_ref`; if the secret is a password, also `user` and `name`, except at Supabase) | `exists`, `state`, `outputs`, `bytes`, `quota_bytes`, `is_over_quota` |
/// | `destroy` | none | none |
/// | `backup` | for a database on another server `outputs` (`endpoint`, `secret_ref`); for a scheduled backup `schedule` | `backup_id`, `sha256`, `bytes`, `verified` |
/// | `restore` | `backup` (the outputs of the verb `backup`), and `outputs` as for `backup` | `backup_id`, `sha256`, `verified` |
/// | `migrate` | `database` (an endpoint), `secret` | `version`, `migrations` |
/// | `seed` | as `migrate`, and strings that seeds read as `current_setting('seed.NAME')` | `seeds` |
pub struct Postgres {
    config: Arc<Config>,
    jobs: Jobs,
}

impl Postgres {
    /// Creates a provider with these servers, without connecting to them.
    ///
    /// # Errors
    ///
    /// Fails if a setting is invalid.
    pub fn new(config: Config) -> Result<Postgres, BadConfig> {
        config.check()?;
        Ok(Postgres { config: Arc::new(config), jobs: Jobs::default() })
    }

    fn in_background(
        &self,
        call: &Call,
        work: impl FnOnce(&Config, &Call) -> Result<CallOutcome, Failed> + Send + 'static,
    ) -> CallOutcome {
        let (config, of) = (self.config.clone(), call.clone());
        self.jobs.run(call, self.config.work_wait, move || work(&config, &of))
    }

    /// Concatenates what `list` returns for each server.
    fn of_servers<T>(&self, list: impl AsyncFn(&Server<'_>) -> Result<Vec<T>, Failed>) -> Result<Vec<T>, Unlisted> {
        let listed = within(self.config.call_timeout, async {
            let mut all = Vec::new();
            for settings in &self.config.servers {
                let password = connect::password(settings, |reference| self.resolve(reference))?;
                all.extend(list(&Server::reach(&self.config, settings, password).await?).await?);
            }
            Ok(all)
        });
        listed.map_err(|Failed(outcome)| match outcome {
            CallOutcome::Retry { message, .. } | CallOutcome::Refused { message, .. } => {
                Unlisted { provider: PROVIDER, reason: message }
            }
            CallOutcome::Done(_) | CallOutcome::InProgress { .. } => {
                Unlisted { provider: PROVIDER, reason: "unexpected outcome of a listing".to_owned() }
            }
        })
    }

    /// Resolves a reference in the settings, outside of a call.
    fn resolve(&self, reference: &str) -> Result<Secret, SecretError> {
        match &self.config.secrets {
            Some(secrets) => secrets.resolve("", reference),
            None => Err(SecretError::Unavailable {
                reference: reference.to_owned(),
                reason: "no secret store is configured".to_owned(),
            }),
        }
    }
}

impl Provider for Postgres {
    fn call(&self, call: &Call) -> CallOutcome {
        let config = &*self.config;
        let done = match call.kind.as_str() {
            "database.ensure" => ensure::ensure(config, call),
            "database.change" => change::change(config, call),
            "database.observe" => observe::observe(config, call),
            "database.destroy" => change::destroy(config, call),
            "database.backup" => return self.in_background(call, backup::backup),
            "database.restore" => return self.in_background(call, restore::restore),
            "database.migrate" => {
                return self.in_background(call, |config, call| steps::run(config, call, ScriptKind::Migrate));
            }
            "database.seed" => {
                return self.in_background(call, |config, call| steps::run(config, call, ScriptKind::Seed));
            }
            _ => Ok(CallOutcome::unsupported(call)),
        };
        done.unwrap_or_else(|Failed(outcome)| outcome)
    }

    /// Lists the databases that exist on the servers. An incomplete database is listed as suspended.
    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        self.of_servers(async |server| {
            let to_held = |record: Record| {
                let state = if record.state == State::Running { "running" } else { "suspended" };
                Held { id: record.id, name: record.names.database, state: state.to_owned() }
            };
            Ok(record::present(&server.client).await?.into_iter().map(to_held).collect())
        })
        .map(Some)
    }

    fn expire_backups(&self, expiry: &BackupExpiry<'_>) -> Result<usize, NotExpired> {
        expire::expire(&self.config, expiry)
    }

    /// Lists the databases that carry our mark but whose records are gone.
    fn unreadable(&self) -> Result<Vec<Unreadable>, Unlisted> {
        self.of_servers(async |server| {
            let endpoint = server.settings.endpoint();
            let problem = format!("the database on {endpoint} has our mark, but no record in provisioner.databases");
            let names = record::unrecorded(&server.client).await?;
            Ok(names.into_iter().map(|name| Unreadable { name, problem: problem.clone() }).collect())
        })
    }
}
