//! Backups of a database as RDS snapshots, and restoring them.

use super::{AVAILABLE, Databases, POLL_MS, PREFIX, RULES, SECRET, outputs, secret_name, tags};
use crate::aws::provider::errors::{Failure, InRequest, NoneIf, incomplete, name_taken};
use crate::aws::provider::marks::{Marks, RUNNING};
use crate::aws::provider::payload::{bad, output};
use crate::aws::provider::poll::poll_later;
use aws_sdk_rds::types::DbSnapshot;
use host_provider_api::{BackupSchedule, Call, CallOutcome, SECRET_BYTES_MIN};
use serde_json::json;

const ABSENT: &[&str] = &["DBSnapshotNotFound", "DBSnapshotNotFoundFault"];
/// Maximum age in seconds of the newest automated RDS backup: RDS makes one a day, within a window of up to 2 h.
const AUTOMATED_S: i64 = 26 * 60 * 60;
/// Key of the tag with the id of the backup that an instance was restored from.
const RESTORED: &str = "restored-from";
/// Key of the tag that records that a restored instance has its own password instead of the backup's.
const PASSWORD: &str = "password";

impl Databases {
    /// Creates a snapshot, one per generation of the effect.
    pub(super) async fn backup(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let marks = Marks::of(call)?;
        let name = format!("{}-{}", RULES.derive(PREFIX, &marks.id)?, call.generation);
        let snapshot = match self.snapshot(&name).await? {
            Some(snapshot) => {
                marks_of(&snapshot).ok_or_else(|| name_taken(&name))?.check_owner(call, &name)?;
                snapshot
            }
            None => {
                let Some((found, of_instance)) = self.seek(call).await? else {
                    return Err(CallOutcome::refused("not-found", "there is no database of this resource"));
                };
                of_instance.admit(call)?;
                if !matches!(found.status.as_str(), AVAILABLE | super::STOPPED) {
                    return Ok(poll_later(call, &name, POLL_MS));
                }
                let create = self.client.create_db_snapshot().db_instance_identifier(&found.id);
                let create = create.db_snapshot_identifier(&name).set_tags(Some(tags(&marks)));
                let done = create.send().await.in_request("rds:CreateDBSnapshot")?;
                done.db_snapshot.ok_or_else(|| incomplete("rds:CreateDBSnapshot", "a snapshot"))?
            }
        };
        match snapshot.status.as_deref() {
            // AWS reports this status once all blocks are copied. The backup is not test-restored.
            Some(AVAILABLE) => Ok(CallOutcome::Done(json!({"backup_id": name, "verified": true}))),
            Some("failed") => Err(CallOutcome::refused("failed", format!("backup `{name}` failed"))),
            _ => Ok(poll_later(call, &name, POLL_MS)),
        }
    }

    /// Returns the newest of the backups that RDS makes once a day. RDS also deletes them.
    pub(super) async fn scheduled_backup(
        &self,
        call: &Call,
        schedule: BackupSchedule,
    ) -> Result<CallOutcome, CallOutcome> {
        let Some((found, _)) = self.seek(call).await? else {
            return Err(CallOutcome::refused("not-found", "there is no database of this resource"));
        };
        let list = self.client.describe_db_snapshots().db_instance_identifier(&found.id).snapshot_type("automated");
        let listed = list.send().await.in_request("rds:DescribeDBSnapshots")?;
        let snapshots = listed.db_snapshots.unwrap_or_default();
        let complete = snapshots.iter().filter(|snapshot| snapshot.status.as_deref() == Some(AVAILABLE));
        let made = complete.filter_map(|snapshot| Some((snapshot.snapshot_create_time?.secs(), snapshot)));
        let newest = made.max_by_key(|(made_s, _)| *made_s);
        match newest {
            Some((made_s, newest)) if made_s >= schedule.at_s - AUTOMATED_S => Ok(CallOutcome::Done(
                json!({"backup_id": newest.db_snapshot_identifier, "made_at_s": made_s, "verified": true}),
            )),
            _ => Err(CallOutcome::retry(
                "no-backup-yet",
                format!("RDS has no backup of `{}` of the last 26 h", found.id),
            )),
        }
    }

    /// Restores a database from a backup. RDS restores into a new instance, so the existing instance is deleted first. The new instance
    /// gets the name, address and password of the deleted one.
    pub(super) async fn restore(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let (backup, wanted) = (backup_id(call)?, super::Settings::of(call, &self.config)?);
        let marks = Marks::of(call)?;
        let name = RULES.derive(PREFIX, &marks.id)?;
        let found = self.seek(call).await?;
        if let Some((found, has)) = &found {
            has.admit(call)?;
            let is_restored = has.get(RESTORED) == Some(backup) && has.generation == call.generation;
            if is_restored && found.status == AVAILABLE {
                return self.give_password(call, found, has).await;
            }
            if is_restored || found.status == "deleting" {
                return Ok(poll_later(call, &found.id, POLL_MS));
            }
        }
        // The instance is deleted only if the backup is usable.
        let snapshot = self.snapshot(backup).await?.filter(|snapshot| {
            let of_snapshot = marks_of(snapshot).filter(|marks| marks.id.scope == call.scope);
            of_snapshot.is_some() && snapshot.status.as_deref() == Some(AVAILABLE)
        });
        let Some(snapshot) = snapshot else {
            return Err(CallOutcome::refused("not-found", format!("the account has no backup `{backup}`")));
        };
        if let Some((found, _)) = found {
            let delete = self.client.delete_db_instance().db_instance_identifier(&found.id);
            let delete = delete.skip_final_snapshot(true).delete_automated_backups(true);
            delete.send().await.in_request("rds:DeleteDBInstance").none_if(super::ABSENT)?;
            return Ok(poll_later(call, &found.id, POLL_MS));
        }
        let made = call.make_secret(&secret_name(call), SECRET_BYTES_MIN)?;
        let marks = marks.with(SECRET, &made.reference).with(RESTORED, backup);
        let restore = self.client.restore_db_instance_from_db_snapshot().db_instance_identifier(&name);
        let restore = wanted.restore(restore, &self.config).db_snapshot_identifier(backup);
        let restore = restore.set_allocated_storage(wanted.storage_over(snapshot.allocated_storage));
        let restore = restore.set_tags(Some(tags(&marks)));
        restore.send().await.in_request("rds:RestoreDBInstanceFromDBSnapshot")?;
        Ok(poll_later(call, &name, POLL_MS))
    }

    /// Sets the password of a restored instance, which still has the password from the time of the backup.
    async fn give_password(
        &self,
        call: &Call,
        found: &super::ExistingInstance,
        marks: &Marks,
    ) -> Result<CallOutcome, CallOutcome> {
        if marks.get(PASSWORD).is_none() {
            let made = call.make_secret(&secret_name(call), SECRET_BYTES_MIN)?;
            let modify = self.client.modify_db_instance().db_instance_identifier(&found.id).apply_immediately(true);
            let modify = modify.master_user_password(call.secret(&made.reference)?.expose());
            modify.send().await.in_request("rds:ModifyDBInstance").map_err(Failure::without_aws_message)?;
            let after = Marks { state: RUNNING.to_owned(), ..marks.clone() }.with(PASSWORD, "set");
            self.tag(&found.arn, &after).await?;
            return Ok(poll_later(call, &found.id, POLL_MS));
        }
        match super::settings::is_pending(&found.there) {
            true => Ok(poll_later(call, &found.id, POLL_MS)),
            false => Ok(CallOutcome::Done(outputs(found, marks)?)),
        }
    }

    async fn snapshot(&self, name: &str) -> Result<Option<DbSnapshot>, CallOutcome> {
        let response = self.client.describe_db_snapshots().db_snapshot_identifier(name).send().await;
        let found = response.in_request("rds:DescribeDBSnapshots").none_if(ABSENT)?;
        Ok(found.and_then(|found| found.db_snapshots).unwrap_or_default().into_iter().next())
    }
}

fn marks_of(snapshot: &DbSnapshot) -> Option<Marks> {
    let tags = snapshot.tag_list.as_deref().unwrap_or_default();
    Marks::read(tags.iter().filter_map(|tag| Some((tag.key.as_deref()?, tag.value.as_deref()?))))
}

/// Returns the id of the backup to restore. The payload's `backup` is the outputs of the effect `backup`, or the id.
/// Without `backup`, the id is in the recorded outputs.
fn backup_id(call: &Call) -> Result<&str, CallOutcome> {
    let backup = call.payload.get("backup");
    let id = backup.and_then(|backup| backup.as_str().or_else(|| backup.get("backup_id")?.as_str()));
    let id = id.or_else(|| output(call, "backup_id"));
    id.filter(|id| RULES.check(id).is_ok())
        .ok_or_else(|| bad("backup", "", "the outputs of `backup`, with a `backup_id`"))
}
