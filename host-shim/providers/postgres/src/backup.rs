//! Saves what a tenant has, into a file beside which stands what was verified of it.
//!
//! A backup counts when reading the file gives the same text as the database does: both are dumped of the same snapshot, so what
//! the tenant writes meanwhile makes no difference.

use crate::config::Config;
use crate::connect::within;
use crate::ensure::look;
use crate::failed::Failed;
use crate::foreign;
use crate::names::{self, Names};
use crate::process::{self, Plain, Way, program, run};
use crate::servers::{Servers, not_found};
use crate::worker;
use host_provider_api::{Call, CallOutcome};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio_postgres::Client;

/// Bytes of what stands beside a backup, at most.
const BESIDE_MAX: u64 = 64 * 1024;

/// What stands beside a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub backup_id: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    pub bytes: u64,
    /// SHA-256 of what it says, in hex.
    pub content_sha256: String,
    /// `business/mode/account` that it is of.
    pub scope: String,
}

impl Kept {
    fn outputs(&self) -> Value {
        json!({"backup_id": self.backup_id, "sha256": self.sha256, "bytes": self.bytes, "verified": true})
    }

    /// What a restore of it answers.
    pub fn brought_back(&self) -> Value {
        json!({"backup_id": self.backup_id, "sha256": self.sha256, "verified": true})
    }

    /// The file of a backup.
    pub fn file(config: &Config, id: &str) -> PathBuf {
        config.backups.join(format!("{id}.dump"))
    }

    /// The backup of this name, if it is complete.
    pub fn find(config: &Config, id: &str) -> io::Result<Option<Kept>> {
        let beside = config.backups.join(format!("{id}.json"));
        match std::fs::metadata(&beside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(found) if found.len() > BESIDE_MAX => return Err(io::Error::other("it is too long")),
            Ok(_) => {}
        }
        Ok(Some(serde_json::from_slice(&std::fs::read(&beside)?)?))
    }
}

/// What the folder of backups refuses may be mended.
pub(crate) fn unavailable(config: &Config, error: &io::Error) -> Failed {
    Failed::retry("folder-unavailable", format!("{}: {error}", config.backups.display()))
}

/// A backup that is there already.
pub(crate) fn made(config: &Config, call: &Call) -> Result<Option<CallOutcome>, Failed> {
    let id = names::backup(&call.resource_id(), call.generation)?;
    let kept = Kept::find(config, &id).map_err(|error| unavailable(config, &error))?;
    Ok(kept.map(|kept| CallOutcome::Done(kept.outputs())))
}

pub(crate) fn backup(config: &Config, call: &Call) -> Result<CallOutcome, Failed> {
    if let Some(made) = made(config, call)? {
        return Ok(made);
    }
    let resource = call.resource_id();
    let names = Names::of(&resource)?;
    let until = Instant::now() + config.work_timeout;
    within(config.work_timeout, async {
        let servers = Servers::reach(config, call).await?;
        let Some((number, record)) = look(&servers, call, &names).await? else {
            return foreign::backup(config, call, until).await?.ok_or_else(|| not_found(call));
        };
        if record.is_restoring {
            return Err(Failed::retry("database-busy", "a restore goes on"));
        }
        let server = &servers.0[number];
        let keeper = server.inside(&names).await?;
        keep(config, call, keeper, until, async |snapshot, draft| {
            worker::with(server, call, &names, async |worker| {
                Way::to_tenant(server, &worker).dump(config, Some(snapshot), Some(draft), until)
            })
            .await
        })
        .await
    })
}

/// Keeps what `dump` makes of a snapshot, verified: it is told the snapshot and the file, and gives a hash of what the database
/// says. `keeper` is a connection to the database.
pub(crate) async fn keep(
    config: &Config,
    call: &Call,
    keeper: Client,
    until: Instant,
    dump: impl AsyncFnOnce(&str, &Path) -> Result<String, Failed>,
) -> Result<CallOutcome, Failed> {
    let id = names::backup(&call.resource_id(), call.generation)?;
    let failed = |error: io::Error| unavailable(config, &error);
    // The snapshot is there as long as this connection is, and nothing is asked by it meanwhile.
    let begun = "SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    keeper.batch_execute(begun).await?;
    let snapshot: String = keeper.query_typed_one("SELECT pg_export_snapshot()", &[]).await?.try_get(0)?;
    only_for_owner(&config.backups).map_err(failed)?;
    let draft = tempfile::Builder::new().prefix(".draft-").tempfile_in(&config.backups).map_err(failed)?;
    let is_in_the_database = dump(&snapshot, draft.path()).await?;
    drop(keeper);
    let is_in_the_file = content(config, draft.path(), until).map_err(|ended| ended.retry("pg_restore"))?;
    if is_in_the_file != is_in_the_database {
        return Err(Failed::retry("backup-differs", "what the backup says is not what the database has"));
    }
    let (sha256, bytes) = process::file(draft.path()).map_err(failed)?;
    draft.as_file().sync_all().map_err(failed)?;
    draft.persist(Kept::file(config, &id)).map_err(|error| failed(error.error))?;
    let scope = call.scope.clone();
    let kept = Kept { backup_id: id, sha256, bytes, content_sha256: is_in_the_file, scope };
    beside(config, &kept).map_err(failed)?;
    Ok(CallOutcome::Done(kept.outputs()))
}

/// A hash of what a backup says, when all of it is read; `pg_restore --list` alone reads its table of contents.
pub(crate) fn content(config: &Config, file: &Path, until: Instant) -> Result<String, process::Ended> {
    run(program(config, "pg_restore").arg("--list").arg(file), until, None)?;
    let mut plain = Plain::default();
    let mut read = program(config, "pg_restore");
    read.args(["--no-owner", "--no-privileges", "--file=-"]).arg(file);
    run(&mut read, until, Some(&mut plain))?;
    Ok(plain.end())
}

/// What was verified, written when all is.
fn beside(config: &Config, kept: &Kept) -> io::Result<()> {
    let mut draft = tempfile::Builder::new().prefix(".draft-").tempfile_in(&config.backups)?;
    draft.write_all(&serde_json::to_vec(kept)?)?;
    draft.as_file().sync_all()?;
    draft.persist(config.backups.join(format!("{}.json", kept.backup_id))).map(drop).map_err(|error| error.error)
}

/// The folder, for its owner alone; one that is there keeps its mode.
fn only_for_owner(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
