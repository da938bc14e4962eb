//! Brings a backup back into an empty database. While that goes on nobody logs in, so what is found after a crash is either nothing
//! or all of it.

use crate::backup::{Kept, content, unavailable};
use crate::config::Config;
use crate::connect::within;
use crate::failed::Failed;
use crate::foreign;
use crate::isolate;
use crate::names::{self, Names};
use crate::process::{self, Way};
use crate::servers::Servers;
use crate::wish::bad;
use crate::worker;
use host_provider_api::{Call, CallOutcome};
use postgres_protocol::escape::escape_identifier;
use serde_json::Value;
use std::time::Instant;
use tokio_postgres::Client;

/// What a tenant has made.
const FILLED: &str = "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('app')) \
                      + (SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace('app')) \
                      + (SELECT count(*) FROM pg_type WHERE typnamespace = to_regnamespace('app'))";

pub(crate) fn restore(config: &Config, call: &Call) -> Result<CallOutcome, Failed> {
    let until = Instant::now() + config.work_timeout;
    let (kept, says) = checked(config, call, until)?;
    let id = call.resource_id();
    let names = Names::of(&id)?;
    within(config.work_timeout, async {
        let (servers, found) = Servers::alone(config, call, &id, &names).await?;
        if found.at.is_none()
            && let Some(done) = foreign::restore(config, call, (&kept, &says), until).await?
        {
            return Ok(done);
        }
        let (number, mut record) = found.needed(call)?;
        let server = &servers.0[number];
        let done = CallOutcome::Done(kept.brought_back());
        let is_repeat = record.generation == i64::from(call.generation);
        if is_repeat && !record.is_restoring && record.restored.as_deref() == Some(kept.sha256.as_str()) {
            return Ok(done);
        }
        // A restore that an earlier process began may go on without it.
        server.end_sessions(&names.worker).await?;
        let inside = server.inside(&names).await?;
        if record.is_restoring {
            // Nobody logged in since, so nothing is in it but what a restore brought.
            clear(&inside, &names).await?;
        } else if is_filled(&inside).await? {
            return Err(Failed::refused("not-empty", "the database has something in it: expected an empty one"));
        }
        record.is_restoring = true;
        record.generation = i64::from(call.generation);
        server.settle(&record).await?;
        server.end_sessions(&names.role).await?;
        if is_filled(&inside).await? {
            return Err(Failed::retry("database-busy", "the tenant wrote something just now"));
        }
        let has = worker::with(server, call, &names, async |worker| {
            let way = Way::to_tenant(server, &worker);
            way.fill(config, &Kept::file(config, &kept.backup_id), until)?;
            way.dump(config, None, None, until)
        })
        .await?;
        if has != says {
            clear(&inside, &names).await?;
            return Err(Failed::retry("restore-differs", "what the database has is not what the backup says"));
        }
        inside.batch_execute(&isolate::writes(&record)).await?;
        record.is_restoring = false;
        record.restored = Some(kept.sha256.clone());
        server.settle(&record).await?;
        Ok(done)
    })
}

/// The backup that a payload names, when its file is the one that was made; and a hash of what it says.
fn checked(config: &Config, call: &Call, until: Instant) -> Result<(Kept, String), Failed> {
    let nothing = Value::Null;
    let wanted = call.payload.get("backup").unwrap_or(&nothing);
    let id = wanted.get("backup_id").and_then(Value::as_str).unwrap_or_default();
    if !names::is_backup(id) {
        return Err(bad("backup", wanted, "what a backup answered, with `backup_id` and `sha256`"));
    }
    let failed = |error: std::io::Error| unavailable(config, &error);
    let kept = Kept::find(config, id).map_err(failed)?.filter(|kept| kept.scope == call.scope && kept.backup_id == id);
    let kept = kept.ok_or_else(|| Failed::refused("backup-unknown", format!("there is no backup `{id}`")))?;
    let (sha256, bytes) = process::file(&Kept::file(config, id)).map_err(failed)?;
    let is_wanted = wanted.get("sha256").and_then(Value::as_str) == Some(sha256.as_str());
    if !is_wanted || sha256 != kept.sha256 || bytes != kept.bytes {
        let problem = format!("the file of backup `{id}` is not what was made: it has {bytes} bytes and hash {sha256}");
        return Err(Failed::refused("backup-changed", problem));
    }
    match content(config, &Kept::file(config, id), until) {
        Ok(says) if says == kept.content_sha256 => Ok((kept, says)),
        Ok(_) => {
            Err(Failed::refused("backup-changed", format!("backup `{id}` says something else than when it was made")))
        }
        Err(ended) => Err(ended.retry("pg_restore")),
    }
}

pub(crate) async fn is_filled(inside: &Client) -> Result<bool, Failed> {
    Ok(inside.query_typed_one(FILLED, &[]).await?.try_get::<_, i64>(0)? > 0)
}

/// Leaves the tenant's schema empty.
async fn clear(inside: &Client, names: &Names) -> Result<(), Failed> {
    let role = escape_identifier(&names.role);
    Ok(inside
        .batch_execute(&format!("DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app AUTHORIZATION {role}"))
        .await?)
}
