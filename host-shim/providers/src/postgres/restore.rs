//! `database.restore`: restores a backup into an empty database, or recreates a lost database for it. The tenant can't log in until the
//! restore has ended, so it never sees a part of the backup, even after a crash.

use crate::postgres::backup::{BackupManifest, content, folder_unavailable};
use crate::postgres::config::Config;
use crate::postgres::connect::within;
use crate::postgres::desired::bad;
use crate::postgres::ensure;
use crate::postgres::failed::Failed;
use crate::postgres::foreign;
use crate::postgres::isolate;
use crate::postgres::names::{self, Names};
use crate::postgres::process::{self, DumpTarget};
use crate::postgres::record::Record;
use crate::postgres::servers::{Server, Servers};
use crate::postgres::worker;
use host_provider_api::{Call, CallOutcome};
use postgres_protocol::escape::escape_identifier;
use postgres_protocol::password::scram_sha_256;
use serde_json::Value;
use std::time::Instant;
use tokio_postgres::Client;

/// Counts the relations, functions and types in the tenant's schema.
const FILLED: &str = "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('app')) \
                      + (SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace('app')) \
                      + (SELECT count(*) FROM pg_type WHERE typnamespace = to_regnamespace('app'))";

pub(crate) fn restore(config: &Config, call: &Call) -> Result<CallOutcome, Failed> {
    let until = Instant::now() + config.work_timeout;
    let (manifest, content_hash) = checked(config, call, until)?;
    let id = call.resource_id();
    let names = Names::of(&id)?;
    within(config.work_timeout, async {
        let (servers, found) = Servers::reach_locked(config, call, &id, &names).await?;
        if found.at.is_none()
            && let Some(done) = foreign::restore(config, call, (&manifest, &content_hash), until).await?
        {
            return Ok(done);
        }
        let (number, mut record) = found.needed(call)?;
        let server = &servers.0[number];
        let done = CallOutcome::Done(manifest.restore_outputs());
        if !server.has(&names).await?.1 {
            create_again(server, call, &mut record).await?;
        }
        let is_repeat = record.generation == i64::from(call.generation);
        if is_repeat && !record.is_restoring && record.restored.as_deref() == Some(manifest.sha256.as_str()) {
            return Ok(done);
        }
        // A restore that a crashed process began may still be running on the server.
        server.end_sessions(&names.worker).await?;
        let inside = server.inside(&names).await?;
        if record.is_restoring {
            // The tenant has not been able to log in since the restore began, so the database contains only parts of the backup.
            clear(&inside, &names).await?;
        } else if is_filled(&inside).await? {
            return Err(Failed::refused("not-empty", "the database is not empty: expected an empty one"));
        }
        record.is_restoring = true;
        record.generation = i64::from(call.generation);
        server.save(&record).await?;
        server.end_sessions(&names.role).await?;
        if is_filled(&inside).await? {
            return Err(Failed::retry("database-busy", "the tenant wrote to the database meanwhile"));
        }
        let has = worker::with(server, call, &names, async |worker| {
            let target = DumpTarget::to_tenant(server, &worker);
            target.fill(config, &BackupManifest::file(config, &manifest.backup_id), until)?;
            target.dump(config, None, None, until)
        })
        .await?;
        if has != content_hash {
            clear(&inside, &names).await?;
            return Err(Failed::retry("restore-differs", "the content of the database differs from the backup"));
        }
        inside.batch_execute(&isolate::writes(&record)).await?;
        record.is_restoring = false;
        record.restored = Some(manifest.sha256.clone());
        server.save(&record).await?;
        Ok(done)
    })
}

/// Recreates the database of a record, without access for the tenant until the restore ends.
async fn create_again(server: &Server<'_>, call: &Call, record: &mut Record) -> Result<(), Failed> {
    record.is_restoring = true;
    record.generation = i64::from(call.generation);
    let (has_role, _) = server.has(&record.names).await?;
    let verifier = scram_sha_256(call.secret(&record.secret_ref)?.expose().as_bytes());
    let role = isolate::role(&record.names, has_role, &verifier);
    server.client.batch_execute(&[role, record.store(), record.login()].concat()).await?;
    ensure::make(server, record).await
}

/// Returns the manifest of the payload's backup and a hash of its content, after checking that the file is unchanged.
fn checked(config: &Config, call: &Call, until: Instant) -> Result<(BackupManifest, String), Failed> {
    let nothing = Value::Null;
    let wanted = call.payload.get("backup").unwrap_or(&nothing);
    let id = wanted.get("backup_id").and_then(Value::as_str).unwrap_or_default();
    if !names::is_backup(id) {
        return Err(bad("backup", wanted, "the outputs of `backup`, with `backup_id` and `sha256`"));
    }
    let failed = |error: std::io::Error| folder_unavailable(config, &error);
    let manifest = BackupManifest::find(config, id)
        .map_err(failed)?
        .filter(|manifest| manifest.scope == call.scope && manifest.backup_id == id);
    let manifest = manifest.ok_or_else(|| Failed::refused("backup-unknown", format!("there is no backup `{id}`")))?;
    let (sha256, bytes) = process::file(&BackupManifest::file(config, id)).map_err(failed)?;
    let is_wanted = wanted.get("sha256").and_then(Value::as_str) == Some(sha256.as_str());
    if !is_wanted || sha256 != manifest.sha256 || bytes != manifest.bytes {
        let problem = format!("the file of backup `{id}` was changed: it has {bytes} bytes and hash {sha256}");
        return Err(Failed::refused("backup-changed", problem));
    }
    match content(config, &BackupManifest::file(config, id), until) {
        Ok(content_hash) if content_hash == manifest.content_sha256 => Ok((manifest, content_hash)),
        Ok(_) => Err(Failed::refused(
            "backup-changed",
            format!("the content of backup `{id}` differs from when it was made"),
        )),
        Err(ended) => Err(ended.retry("pg_restore")),
    }
}

pub(crate) async fn is_filled(inside: &Client) -> Result<bool, Failed> {
    Ok(inside.query_typed_one(FILLED, &[]).await?.try_get::<_, i64>(0)? > 0)
}

/// Empties the tenant's schema.
async fn clear(inside: &Client, names: &Names) -> Result<(), Failed> {
    let role = escape_identifier(&names.role);
    Ok(inside
        .batch_execute(&format!("DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app AUTHORIZATION {role}"))
        .await?)
}
