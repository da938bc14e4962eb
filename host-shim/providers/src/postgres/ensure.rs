//! `database.ensure`: stores the record, creates the role and the database, then marks the record as complete. A
//! repeated call continues where an earlier one stopped.

use crate::postgres::config::Config;
use crate::postgres::connect::within;
use crate::postgres::desired::DesiredSettings;
use crate::postgres::failed::{Failed, LOST};
use crate::postgres::isolate;
use crate::postgres::names::Names;
use crate::postgres::record::{self, Record, State};
use crate::postgres::servers::{Server, Servers};
use host_provider_api::{Call, CallOutcome};
use postgres_protocol::escape::escape_identifier;
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::types::Type;

/// Number of random bytes in a tenant's password.
const PASSWORD_BYTES: usize = 32;

pub(crate) fn ensure(config: &Config, call: &Call) -> Result<CallOutcome, Failed> {
    let (id, desired) = (call.resource_id(), DesiredSettings::of(&call.payload)?);
    let names = Names::of(&id)?;
    within(config.call_timeout, async {
        let (servers, found) = Servers::reach_locked(config, call, &id, &names).await?;
        let secret = call.make_secret(&id.id, PASSWORD_BYTES)?;
        let verifier = scram_sha_256(call.secret(&secret.reference)?.expose().as_bytes());
        let known = found.record.filter(|_| found.at.is_some());
        let mut record = Record {
            generation: i64::from(call.generation),
            secret_ref: secret.reference,
            connections: desired.connections.unwrap_or(config.connections.cast_signed()),
            quota: desired.quota.unwrap_or(known.as_ref().and_then(|known| known.quota)),
            writes_refused: desired.writes_refused.unwrap_or(known.as_ref().is_some_and(|known| known.writes_refused)),
            ..known.clone().unwrap_or_else(|| Record {
                names: names.clone(),
                id: id.clone(),
                generation: 0,
                state: State::Making,
                is_restoring: false,
                restored: None,
                writes_refused: false,
                quota: None,
                connections: 1,
                secret_ref: String::new(),
            })
        };
        let server = match found.at {
            Some(number) => {
                refuse_lost(&servers.0[number], &record).await?;
                begin_again(&servers.0[number], &record, &verifier).await?
            }
            None => begin(&servers, &desired, &record, &verifier).await?,
        };
        complete(server, &mut record).await?;
        Ok(CallOutcome::Done(record.outputs(&server.settings.endpoint())))
    })
}

/// Chooses the server with the fewest databases, stores the record and creates the role there.
async fn begin<'s, 'c>(
    servers: &'s Servers<'c>,
    desired: &DesiredSettings,
    record: &Record,
    verifier: &str,
) -> Result<&'s Server<'c>, Failed> {
    let mut with_room = Vec::new();
    let mut is_known = false;
    for (number, server) in servers.0.iter().enumerate() {
        let endpoint = server.settings.endpoint();
        if desired.endpoint.as_ref().is_some_and(|wanted| *wanted != endpoint && *wanted != server.settings.host) {
            continue;
        }
        is_known = true;
        let has = record::all(&server.client).await?.len();
        let room = usize::try_from(server.settings.max_databases).unwrap_or(usize::MAX).saturating_sub(has);
        if room > 0 {
            with_room.push((has, number));
        }
    }
    if !is_known {
        let known: Vec<String> = servers.0.iter().map(|server| server.settings.endpoint()).collect();
        let wanted: String = desired.endpoint.iter().flat_map(|wanted| wanted.chars()).take(80).collect();
        let problem = format!("`endpoint` is `{wanted}`: expected one of {}", known.join(", "));
        return Err(Failed::refused("unknown-server", problem));
    }
    let Some((_, number)) = with_room.into_iter().min() else {
        return Err(Failed::retry("no-room", "every server has its maximum number of databases"));
    };
    let server = &servers.0[number];
    isolate::close(server).await?;
    server.client.batch_execute(record::SCHEMA).await?;
    // Concurrent calls on this server wait for the lock, so that two calls can't take the last slot.
    let most = server.settings.max_databases;
    let noted = format!(
        "BEGIN; LOCK TABLE provisioner.databases IN SHARE ROW EXCLUSIVE MODE;
         DO $$ BEGIN
           IF (SELECT count(*) FROM provisioner.databases WHERE state <> 'ended') >= {most} THEN
             RAISE lock_not_available USING MESSAGE = 'another database took the last place';
           END IF;
         END $$;
         {} {} COMMIT",
        record.store(),
        isolate::role(&record.names, false, verifier)
    );
    server.client.batch_execute(&noted).await?;
    Ok(server)
}

/// Sets the current password of the role that an earlier call created, or creates the role.
async fn begin_again<'s, 'c>(
    server: &'s Server<'c>,
    record: &Record,
    verifier: &str,
) -> Result<&'s Server<'c>, Failed> {
    isolate::close(server).await?;
    let (has_role, _) = server.has(&record.names).await?;
    server.client.batch_execute(&isolate::role(&record.names, has_role, verifier)).await?;
    Ok(server)
}

/// Refuses the call if the record says that the database was complete but the server has no such database.
pub(crate) async fn refuse_lost(server: &Server<'_>, record: &Record) -> Result<(), Failed> {
    if record.state == State::Making || server.has(&record.names).await?.1 {
        return Ok(());
    }
    let problem = format!(
        "the database `{}` on {} is gone, and its record says that it was {}: expected `database.restore` with a backup, \
         or `database.destroy`",
        record.names.database,
        server.settings.endpoint(),
        record.state.name()
    );
    Err(Failed::refused(LOST, problem))
}

/// Creates the database if it is missing, with its rights.
pub(crate) async fn make(server: &Server<'_>, record: &Record) -> Result<(), Failed> {
    let names = &record.names;
    let (_, has_database) = server.has(names).await?;
    if !has_database {
        // Nobody can connect until the rights of PUBLIC are revoked.
        let made = format!(
            "CREATE DATABASE {} TEMPLATE template0 ALLOW_CONNECTIONS false",
            escape_identifier(&names.database)
        );
        server.client.batch_execute(&made).await?;
    }
    server.client.batch_execute(&isolate::around(names, server.config)).await?;
    let inside = server.inside(names).await?;
    Ok(inside.batch_execute(&[isolate::inside(names), isolate::writes(record)].concat()).await?)
}

/// Creates the database if it is missing, and lets the tenant in.
async fn complete(server: &Server<'_>, record: &mut Record) -> Result<(), Failed> {
    make(server, record).await?;
    if record.state == State::Making {
        record.state = State::Running;
    }
    server.save(record).await
}

/// Finds the resource's complete database, without a lock.
pub(crate) async fn find_complete(
    servers: &Servers<'_>,
    call: &Call,
    names: &Names,
) -> Result<Option<(usize, Record)>, Failed> {
    Ok(servers.find(&call.resource_id(), names).await?.complete())
}

/// Returns the size of a database on disk in bytes.
pub(crate) async fn size(server: &Server<'_>, names: &Names) -> Result<i64, Failed> {
    let query = "SELECT pg_database_size($1::text::name)";
    Ok(server.client.query_typed_one(query, &[(&names.database, Type::TEXT)]).await?.try_get(0)?)
}
