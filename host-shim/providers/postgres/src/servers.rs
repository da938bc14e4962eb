//! All servers, reached for one call.

use crate::config::{Config, ServerConfig};
use crate::connect::{self, MEETING};
use crate::failed::Failed;
use crate::names::Names;
use crate::record::{self, Record, State};
use host_provider_api::{Call, ResourceId, Secret};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use std::time::Duration;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// How long sessions that were told to end are waited for.
const END: Duration = Duration::from_secs(5);
/// How often to look for them.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A server that was reached.
pub(crate) struct Server<'c> {
    pub config: &'c Config,
    pub settings: &'c ServerConfig,
    pub client: Client,
    pub password: Secret,
}

/// What was found of a resource.
#[derive(Default)]
pub(crate) struct Found {
    /// The number of the server that has it or began it.
    pub at: Option<usize>,
    /// What is known of it, of one that is gone as well.
    pub record: Option<Record>,
}

impl Found {
    /// The server that has all of it, and what is known of it.
    pub fn complete(self) -> Option<(usize, Record)> {
        self.at.zip(self.record).filter(|(_, record)| record.state != State::Making)
    }

    /// The same for a call that can do nothing without it.
    pub fn needed(self, call: &Call) -> Result<(usize, Record), Failed> {
        self.complete().ok_or_else(|| not_found(call))
    }
}

/// There is no database of a call.
pub(crate) fn not_found(call: &Call) -> Failed {
    Failed::refused("not-found", format!("`{}` names no database of these servers", call.key))
}

impl<'c> Server<'c> {
    pub async fn reach(config: &'c Config, settings: &'c ServerConfig, password: Secret) -> Result<Server<'c>, Failed> {
        let client = connect::as_admin(config, settings, &password, MEETING).await?;
        Ok(Server { config, settings, client, password })
    }

    /// A connection to a tenant's database, as administrator.
    pub async fn inside(&self, names: &Names) -> Result<Client, Failed> {
        connect::as_admin(self.config, self.settings, &self.password, &names.database).await
    }

    /// Whether the role and the database are there, whoever made them.
    pub async fn has(&self, names: &Names) -> Result<(bool, bool), Failed> {
        let asked = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), EXISTS (SELECT FROM pg_database WHERE datname = $2)";
        let row =
            self.client.query_typed_one(asked, &[(&names.role, Type::TEXT), (&names.database, Type::TEXT)]).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// Ends every session of a role and waits until they are gone.
    pub async fn end_sessions(&self, role: &str) -> Result<(), Failed> {
        let asked = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1";
        let looks = END.as_millis() / LOOK_EVERY.as_millis();
        for _ in 0..looks {
            let left: i64 = self.client.query_typed_one(asked, &[(&role, Type::TEXT)]).await?.try_get(0)?;
            if left == 0 {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(Failed::retry("database-busy", "sessions of the tenant do not end"))
    }

    /// Keeps what is known, the mark and whether the role may log in, together.
    pub async fn settle(&self, record: &Record) -> Result<(), Failed> {
        Ok(self.client.batch_execute(&[record.store(), record.mark(), record.login()].concat()).await?)
    }

    /// Takes a database away with everything in it, and its roles.
    pub async fn drop_all(&self, names: &Names) -> Result<(), Failed> {
        let [role, worker, database] =
            [&names.role, &names.worker, &names.database].map(|name| escape_identifier(name));
        self.client.batch_execute(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await?;
        Ok(self.client.batch_execute(&format!("DROP ROLE IF EXISTS {worker}, {role}")).await?)
    }
}

/// All servers, in the order of the settings.
pub(crate) struct Servers<'c>(pub Vec<Server<'c>>);

impl<'c> Servers<'c> {
    /// Reaches all of them: as long as one is silent nobody knows whether it has what is looked for.
    pub async fn reach(config: &'c Config, call: &Call) -> Result<Servers<'c>, Failed> {
        let mut reached = Vec::with_capacity(config.servers.len());
        for settings in &config.servers {
            let password = connect::password(settings, |reference| call.secret(reference))?;
            reached.push(Server::reach(config, settings, password).await?);
        }
        Ok(Servers(reached))
    }

    /// All servers with what they have of a call's database, once no other call is about it; a call that is older than the last
    /// one is refused.
    pub async fn alone(
        config: &'c Config,
        call: &Call,
        id: &ResourceId,
        names: &Names,
    ) -> Result<(Servers<'c>, Found), Failed> {
        let servers = Servers::reach(config, call).await?;
        servers.lock(names).await?;
        let found = servers.find(id, names).await?;
        admit(call, &found)?;
        Ok((servers, found))
    }

    /// Waits until no other call is about the same database, until this one's connections end.
    async fn lock(&self, names: &Names) -> Result<(), Failed> {
        let limit = (self.0[0].config.call_timeout / 2).as_millis();
        let name = escape_literal(&names.database);
        let asked = format!("SET lock_timeout = {limit}; SELECT pg_advisory_lock(hashtextextended({name}, 0))");
        Ok(self.0[0].client.batch_execute(&asked).await?)
    }

    /// Which server has it. Something else under one of its names is refused.
    pub async fn find(&self, id: &ResourceId, names: &Names) -> Result<Found, Failed> {
        let mut found = Found::default();
        for (number, server) in self.0.iter().enumerate() {
            let Some(record) = record::find(&server.client, &names.database).await? else {
                if server.has(names).await? != (false, false) {
                    let problem = format!("`{}` on {} was not made here", names.database, server.settings.endpoint());
                    return Err(Failed::refused("name-taken", problem));
                }
                continue;
            };
            if record.id != *id {
                return Err(Failed::refused("name-taken", format!("`{}` is another resource's", names.database)));
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

/// Refuses a call that is older than what was done last.
fn admit(call: &Call, found: &Found) -> Result<(), Failed> {
    match &found.record {
        Some(record) if record.generation > i64::from(call.generation) => {
            let problem = format!("generation {} is older than {}, the last one", call.generation, record.generation);
            Err(Failed::refused("superseded", problem))
        }
        _ => Ok(()),
    }
}
