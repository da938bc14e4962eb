//! Connects a call to the servers, locks the resource's database, and finds its server.

use crate::postgres::config::{Config, ServerConfig};
use crate::postgres::connect::{self, ADMIN_DATABASE};
use crate::postgres::failed::Failed;
use crate::postgres::names::Names;
use crate::postgres::record::{self, Record, State};
use host_provider_api::{Call, ResourceId, Secret};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use std::time::Duration;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// Time limit for terminated sessions to end.
const END: Duration = Duration::from_secs(5);
/// Interval between checks whether the sessions have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A connected server.
pub(crate) struct Server<'c> {
    pub config: &'c Config,
    pub settings: &'c ServerConfig,
    pub client: Client,
    pub password: Secret,
}

/// Result of the search for a resource's database.
#[derive(Default)]
pub(crate) struct Lookup {
    /// Index of the server with the database, complete or not.
    pub at: Option<usize>,
    /// Record of the database, even if the database was destroyed.
    pub record: Option<Record>,
}

impl Lookup {
    /// Returns the server's index and the record of a complete database.
    pub fn complete(self) -> Option<(usize, Record)> {
        self.at.zip(self.record).filter(|(_, record)| record.state != State::Making)
    }

    /// Like [`complete`](Self::complete), but refuses the call if there is no complete database.
    pub fn needed(self, call: &Call) -> Result<(usize, Record), Failed> {
        self.complete().ok_or_else(|| not_found(call))
    }
}

/// Refuses a call because its resource has no database.
pub(crate) fn not_found(call: &Call) -> Failed {
    Failed::refused("not-found", format!("`{}` has no database on these servers", call.key))
}

impl<'c> Server<'c> {
    pub async fn reach(config: &'c Config, settings: &'c ServerConfig, password: Secret) -> Result<Server<'c>, Failed> {
        let client = connect::as_admin(config, settings, &password, ADMIN_DATABASE).await?;
        Ok(Server { config, settings, client, password })
    }

    /// Connects to a tenant's database as administrator.
    pub async fn inside(&self, names: &Names) -> Result<Client, Failed> {
        connect::as_admin(self.config, self.settings, &self.password, &names.database).await
    }

    /// Returns whether the role and the database exist. They may be somebody else's.
    pub async fn has(&self, names: &Names) -> Result<(bool, bool), Failed> {
        let query = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), EXISTS (SELECT FROM pg_database WHERE datname = $2)";
        let row =
            self.client.query_typed_one(query, &[(&names.role, Type::TEXT), (&names.database, Type::TEXT)]).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// Terminates all sessions of a role and waits until they end.
    pub async fn end_sessions(&self, role: &str) -> Result<(), Failed> {
        let query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1";
        let polls = END.as_millis() / POLL_INTERVAL.as_millis();
        for _ in 0..polls {
            let left: i64 = self.client.query_typed_one(query, &[(&role, Type::TEXT)]).await?.try_get(0)?;
            if left == 0 {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(Failed::retry("database-busy", "sessions of the tenant do not end"))
    }

    /// Stores the record, the mark and the login permission in one transaction.
    pub async fn save(&self, record: &Record) -> Result<(), Failed> {
        Ok(self.client.batch_execute(&[record.store(), record.mark(), record.login()].concat()).await?)
    }

    /// Drops a database with all its contents, and its roles.
    pub async fn drop_all(&self, names: &Names) -> Result<(), Failed> {
        let [role, worker, database] =
            [&names.role, &names.worker, &names.database].map(|name| escape_identifier(name));
        self.client.batch_execute(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await?;
        Ok(self.client.batch_execute(&format!("DROP ROLE IF EXISTS {worker}, {role}")).await?)
    }
}

/// All servers, in the order of the configuration.
pub(crate) struct Servers<'c>(pub Vec<Server<'c>>);

impl<'c> Servers<'c> {
    /// Connects to all servers. Fails if a server is unreachable, because the database might be there.
    pub async fn reach(config: &'c Config, call: &Call) -> Result<Servers<'c>, Failed> {
        let mut reached = Vec::with_capacity(config.servers.len());
        for settings in &config.servers {
            let password = connect::password(settings, |reference| call.secret(reference))?;
            reached.push(Server::reach(config, settings, password).await?);
        }
        Ok(Servers(reached))
    }

    /// Connects to all servers, locks the call's database and finds it. Refuses a superseded call.
    pub async fn reach_locked(
        config: &'c Config,
        call: &Call,
        id: &ResourceId,
        names: &Names,
    ) -> Result<(Servers<'c>, Lookup), Failed> {
        let servers = Servers::reach(config, call).await?;
        servers.lock(names).await?;
        let found = servers.find(id, names).await?;
        admit(call, &found)?;
        Ok((servers, found))
    }

    /// Locks the database against other calls until this call's connections end.
    async fn lock(&self, names: &Names) -> Result<(), Failed> {
        let limit = (self.0[0].config.call_timeout / 2).as_millis();
        let name = escape_literal(&names.database);
        let query = format!("SET lock_timeout = {limit}; SELECT pg_advisory_lock(hashtextextended({name}, 0))");
        Ok(self.0[0].client.batch_execute(&query).await?)
    }

    /// Finds the server with the database. Refuses the call if another database or role has one of the resource's
    /// names.
    pub async fn find(&self, id: &ResourceId, names: &Names) -> Result<Lookup, Failed> {
        let mut found = Lookup::default();
        for (number, server) in self.0.iter().enumerate() {
            let Some(record) = record::find(&server.client, &names.database).await? else {
                if server.has(names).await? != (false, false) {
                    let problem = format!("`{}` on {} is not ours", names.database, server.settings.endpoint());
                    return Err(Failed::refused("name-taken", problem));
                }
                continue;
            };
            if record.id != *id {
                return Err(Failed::refused("name-taken", format!("`{}` belongs to another resource", names.database)));
            }
            let is_live = record.state != State::Ended;
            if is_live && found.at.is_some() {
                let problem = format!("`{}` is on two servers: expected one", names.database);
                return Err(Failed::refused("name-taken", problem));
            }
            let is_newest = found.record.as_ref().is_none_or(|other| other.generation < record.generation);
            if is_live {
                found.at = Some(number);
            }
            if is_live || (found.at.is_none() && is_newest) {
                found.record = Some(record);
            }
        }
        Ok(found)
    }
}

/// Refuses a call whose generation is older than the recorded generation.
fn admit(call: &Call, found: &Lookup) -> Result<(), Failed> {
    match &found.record {
        Some(record) if record.generation > i64::from(call.generation) => {
            let problem = format!(
                "the call has generation {}, but generation {} has been applied",
                call.generation, record.generation
            );
            Err(Failed::refused(host_provider_api::SUPERSEDED, problem))
        }
        _ => Ok(()),
    }
}
