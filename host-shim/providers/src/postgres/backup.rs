//! `database.backup`: dumps a tenant's database into a file, verifies the file and writes its manifest.
//!
//! A backup is stored only if the SQL that `pg_restore` reads from the file equals a dump of the database. The file and
//! the dump come from one snapshot, so the tenant's concurrent writes make no difference.

use crate::postgres::config::Config;
use crate::postgres::connect::within;
use crate::postgres::ensure::{find_complete, refuse_lost};
use crate::postgres::failed::Failed;
use crate::postgres::foreign;
use crate::postgres::names::{self, Names};
use crate::postgres::process::{self, DumpHash, DumpTarget, program, run};
use crate::postgres::servers::{Servers, not_found};
use crate::postgres::worker;
use host_provider_api::{BackupSchedule, Call, CallOutcome, ScheduledBackup};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio_postgres::Client;

/// Maximum size of a manifest in bytes.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

/// The manifest of a backup, stored next to its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackupManifest {
    pub backup_id: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    pub bytes: u64,
    /// SHA-256 of the backup's content as SQL, in hex, without the lines that differ between dumps.
    pub content_sha256: String,
    /// `business/mode/account` of the database.
    pub scope: String,
    /// The entry of a scheduled backup; none for a backup that is kept forever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduledBackup>,
}

impl BackupManifest {
    fn outputs(&self) -> Value {
        json!({"backup_id": self.backup_id, "sha256": self.sha256, "bytes": self.bytes, "verified": true})
    }

    /// Returns the outputs of a restore.
    pub fn restore_outputs(&self) -> Value {
        json!({"backup_id": self.backup_id, "sha256": self.sha256, "verified": true})
    }

    /// Returns the path of a backup's file.
    pub fn file(config: &Config, id: &str) -> PathBuf {
        config.backups.join(format!("{id}.dump"))
    }

    /// Returns the path of a backup's manifest.
    pub fn path(config: &Config, id: &str) -> PathBuf {
        config.backups.join(format!("{id}.json"))
    }

    /// Returns the manifest of a backup, if the backup is complete.
    pub fn find(config: &Config, id: &str) -> io::Result<Option<BackupManifest>> {
        let path = BackupManifest::path(config, id);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(found) if found.len() > MANIFEST_BYTES_MAX => return Err(io::Error::other("the manifest is too long")),
            Ok(_) => {}
        }
        Ok(Some(serde_json::from_slice(&std::fs::read(&path)?)?))
    }
}

/// Returns a retry after an error in the backup folder, which an operator may fix.
pub(crate) fn folder_unavailable(config: &Config, error: &io::Error) -> Failed {
    Failed::retry("folder-unavailable", format!("{}: {error}", config.backups.display()))
}

/// Returns the outputs of this call's backup if it already exists.
pub(crate) fn existing(config: &Config, call: &Call) -> Result<Option<CallOutcome>, Failed> {
    let id = names::backup(&call.resource_id(), call.generation)?;
    let manifest = BackupManifest::find(config, &id).map_err(|error| folder_unavailable(config, &error))?;
    Ok(manifest.map(|manifest| CallOutcome::Done(manifest.outputs())))
}

pub(crate) fn backup(config: &Config, call: &Call) -> Result<CallOutcome, Failed> {
    if let Some(existing) = existing(config, call)? {
        return Ok(existing);
    }
    let resource = call.resource_id();
    let names = Names::of(&resource)?;
    let until = Instant::now() + config.work_timeout;
    within(config.work_timeout, async {
        let servers = Servers::reach(config, call).await?;
        let Some((number, record)) = find_complete(&servers, call, &names).await? else {
            return foreign::backup(config, call, until).await?.ok_or_else(|| not_found(call));
        };
        if record.is_restoring {
            return Err(Failed::retry("database-busy", "a restore is in progress"));
        }
        let server = &servers.0[number];
        refuse_lost(server, &record).await?;
        let keeper = server.inside(&names).await?;
        store_verified(config, call, keeper, until, async |snapshot, draft| {
            worker::with(server, call, &names, async |worker| {
                DumpTarget::to_tenant(server, &worker).dump(config, Some(snapshot), Some(draft), until)
            })
            .await
        })
        .await
    })
}

/// Dumps a snapshot into a file, verifies the file, and stores it with its manifest. `dump` gets the name of the
/// snapshot and the path of the file, and returns a hash of the content. `keeper` is the connection to the database
/// that keeps the snapshot alive.
pub(crate) async fn store_verified(
    config: &Config,
    call: &Call,
    keeper: Client,
    until: Instant,
    dump: impl AsyncFnOnce(&str, &Path) -> Result<String, Failed>,
) -> Result<CallOutcome, Failed> {
    let id = names::backup(&call.resource_id(), call.generation)?;
    let failed = |error: io::Error| folder_unavailable(config, &error);
    // The snapshot lives as long as this connection, which must not run any other statement in the meantime.
    let begun = "SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    keeper.batch_execute(begun).await?;
    let snapshot: String = keeper.query_typed_one("SELECT pg_export_snapshot()", &[]).await?.try_get(0)?;
    only_for_owner(&config.backups).map_err(failed)?;
    let draft = tempfile::Builder::new().prefix(".draft-").tempfile_in(&config.backups).map_err(failed)?;
    let database_hash = dump(&snapshot, draft.path()).await?;
    drop(keeper);
    let file_hash = content(config, draft.path(), until).map_err(|failure| failure.retry("pg_restore"))?;
    if file_hash != database_hash {
        return Err(Failed::retry("backup-differs", "the content of the backup differs from the database"));
    }
    let (sha256, bytes) = process::file(draft.path()).map_err(failed)?;
    draft.as_file().sync_all().map_err(failed)?;
    draft.persist(BackupManifest::file(config, &id)).map_err(|error| failed(error.error))?;
    let scope = call.scope.clone();
    let schedule = BackupSchedule::of(call).map(|schedule| schedule.entry(&call.resource_id()));
    let manifest = BackupManifest { backup_id: id, sha256, bytes, content_sha256: file_hash, scope, schedule };
    write_manifest(config, &manifest).map_err(failed)?;
    Ok(CallOutcome::Done(manifest.outputs()))
}

/// Returns a hash of a backup's content. Reads the whole file, because `pg_restore --list` reads only its table of
/// contents.
pub(crate) fn content(config: &Config, file: &Path, until: Instant) -> Result<String, process::ProgramFailed> {
    run(program(config, "pg_restore").arg("--list").arg(file), until, None)?;
    let mut hash = DumpHash::default();
    let mut read = program(config, "pg_restore");
    read.args(["--no-owner", "--no-privileges", "--file=-"]).arg(file);
    run(&mut read, until, Some(&mut hash))?;
    Ok(hash.end())
}

/// Writes the manifest. A backup is complete once it has a manifest.
fn write_manifest(config: &Config, manifest: &BackupManifest) -> io::Result<()> {
    let mut draft = tempfile::Builder::new().prefix(".draft-").tempfile_in(&config.backups)?;
    draft.write_all(&serde_json::to_vec(manifest)?)?;
    draft.as_file().sync_all()?;
    draft.persist(BackupManifest::path(config, &manifest.backup_id)).map(drop).map_err(|error| error.error)
}

/// Creates the folder with access for its owner only; an existing folder keeps its mode.
fn only_for_owner(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
