//! Scheduled backups, which a provider makes and deletes for a business.
//!
//! The host calls the verb `backup` with a [`BackupSchedule`] in the payload. The provider stores a [`ScheduledBackup`]
//! next to the backup, and deletes the backup when a [`BackupExpiry`] asks for it.

use crate::call::Call;
use crate::names::letters;
use crate::resource::ResourceId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Member of the payload of `backup` that makes the backup a scheduled one.
const MEMBER: &str = "schedule";
/// Seconds per day.
const DAY_S: i64 = 24 * 60 * 60;

/// The time of a scheduled backup, and how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupSchedule {
    /// Time by the host's clock, in seconds since the Unix epoch.
    pub at_s: i64,
    /// How many days the backup is kept.
    pub keep_days: u32,
}

impl BackupSchedule {
    /// Returns the schedule in a call's payload; none if the call is for a single backup.
    pub fn of(call: &Call) -> Option<BackupSchedule> {
        let schedule = call.payload.get(MEMBER)?;
        let keep_days = schedule.get("keep_days")?.as_u64()?;
        Some(BackupSchedule { at_s: schedule.get("at_s")?.as_i64()?, keep_days: u32::try_from(keep_days).ok()? })
    }

    /// Returns the payload of a `backup` call. `outputs` are the resource's outputs.
    pub fn payload(self, outputs: &Value) -> Value {
        json!({"outputs": outputs, MEMBER: {"at_s": self.at_s, "keep_days": self.keep_days}})
    }

    /// Returns the entry that the provider stores next to the backup of a resource.
    pub fn entry(self, resource: &ResourceId) -> ScheduledBackup {
        let partition = resource.scope.rsplit_once('/').map_or("", |(partition, _)| partition);
        ScheduledBackup {
            partition: partition.to_owned(),
            resource: letters(resource),
            made_at_s: self.at_s,
            kept_until_s: self.at_s.saturating_add(i64::from(self.keep_days).saturating_mul(DAY_S)),
        }
    }
}

/// The entry that a provider stores next to a scheduled backup. It contains no word chosen by a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledBackup {
    /// Business and mode: `business/mode`.
    pub partition: String,
    /// The [`letters`] of the resource.
    pub resource: String,
    /// Time of the backup by the host's clock, in seconds since the Unix epoch.
    pub made_at_s: i64,
    /// When the backup may be deleted, in seconds since the Unix epoch.
    pub kept_until_s: i64,
}

/// Selects the scheduled backups of one business and mode that should be deleted.
pub struct BackupExpiry<'e> {
    /// Business and mode: `business/mode`.
    pub partition: &'e str,
    /// Time by the host's clock, in seconds since the Unix epoch.
    pub now_s: i64,
    /// Returns true if the resource with these [`letters`] exists.
    pub exists: &'e dyn Fn(&str) -> bool,
}

impl BackupExpiry<'_> {
    /// Returns the backups to delete: those that have expired, but never the newest one of a resource that exists.
    pub fn expired<B>(&self, backups: impl IntoIterator<Item = (ScheduledBackup, B)>) -> Vec<B> {
        let mut by_resource: BTreeMap<String, Vec<(i64, i64, B)>> = BTreeMap::new();
        for (entry, backup) in backups.into_iter().filter(|(entry, _)| entry.partition == self.partition) {
            let of_resource = by_resource.entry(entry.resource).or_default();
            of_resource.push((entry.made_at_s, entry.kept_until_s, backup));
        }
        let mut expired = Vec::new();
        for (resource, mut backups) in by_resource {
            backups.sort_by_key(|(made_at_s, ..)| *made_at_s);
            if (self.exists)(&resource) {
                backups.pop();
            }
            let passed = backups.into_iter().filter(|(_, kept_until_s, _)| *kept_until_s <= self.now_s);
            expired.extend(passed.map(|(.., backup)| backup));
        }
        expired
    }
}

/// The error of a provider that cannot delete scheduled backups.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot delete the expired backups of {provider}: {reason}")]
pub struct NotExpired {
    /// Name of the provider, for example `postgres`.
    pub provider: &'static str,
    /// Reason, for operators; without secrets.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(id: &str) -> ResourceId {
        ResourceId { scope: "b/test/user:u".into(), resource: "database".into(), id: id.into() }
    }

    #[test]
    fn a_schedule_is_read_back_from_its_payload() {
        let schedule = BackupSchedule { at_s: 1_000_000, keep_days: 7 };
        let payload = schedule.payload(&json!({"endpoint": "e"}));
        assert_eq!(payload, json!({"outputs": {"endpoint": "e"}, "schedule": {"at_s": 1_000_000, "keep_days": 7}}));
        assert_eq!(BackupSchedule::of(&Call { payload, ..Call::default() }), Some(schedule));
        assert_eq!(BackupSchedule::of(&Call { payload: json!({"outputs": {}}), ..Call::default() }), None);
    }

    #[test]
    fn an_entry_has_the_end_of_its_time_and_no_readable_id() {
        let entry = BackupSchedule { at_s: 1_000_000, keep_days: 7 }.entry(&resource("inst_acme/database"));
        assert_eq!((entry.partition.as_str(), entry.made_at_s, entry.kept_until_s), ("b/test", 1_000_000, 1_604_800));
        assert_eq!(entry.resource, letters(&resource("inst_acme/database")));
    }

    #[test]
    fn backups_expire_at_their_time_but_the_newest_of_an_existing_resource_stays() {
        let entry = |id: &str, day: i64| {
            let entry = BackupSchedule { at_s: day * DAY_S, keep_days: 7 }.entry(&resource(id));
            (entry, format!("{id}-{day}"))
        };
        let foreign = (ScheduledBackup { partition: "c/test".to_owned(), ..entry("there", 0).0 }, "foreign".to_owned());
        let backups = [foreign, entry("there", 2), entry("there", 1), entry("gone", 1), entry("idle", 1)];
        let is_there = [letters(&resource("there")), letters(&resource("idle"))];
        let expired = |now_s| {
            let exists = |letters: &str| is_there.iter().any(|one| one == letters);
            let mut expired = BackupExpiry { partition: "b/test", now_s, exists: &exists }.expired(backups.clone());
            expired.sort();
            expired
        };
        assert!(expired(8 * DAY_S - 1).is_empty(), "their time ends in a second");
        assert_eq!(expired(8 * DAY_S), ["gone-1", "there-1"]);
        assert_eq!(expired(100 * DAY_S), ["gone-1", "there-1"], "the newest of an existing resource stays");
    }
}
