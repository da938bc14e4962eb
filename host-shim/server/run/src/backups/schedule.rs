//! Lists the databases with scheduled backups, and determines since when the next backup of each is due.
//!
//! Time is divided into slots of `every_hours`. A database has one backup per slot. The slots of different databases start
//! at different hours, so that not all backups are made at the same time.

use host_engine::outbox::Recorded;
use host_provider_api::names::letters;
use host_provider_api::scripted::Resource;
use host_provider_api::{BackupSchedule, Call, ResourceId, SecretAccess};
use serde_json::Value;

/// Member of a resource's settings with the schedule: `{"every_hours", "keep_days"}`.
const MEMBER: &str = "backups";
/// Seconds of an hour.
pub(super) const HOUR_S: i64 = 60 * 60;

/// A resource to be backed up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scheduled {
    pub(super) id: ResourceId,
    /// Hours between two backups; at least 1.
    pub(super) every_hours: u32,
    /// How many days a backup is kept.
    pub(super) keep_days: u32,
    /// False if the resource is suspended: its content does not change, so its newest backup stays good.
    pub(super) is_running: bool,
    /// The outputs of `ensure`.
    pub(super) outputs: Value,
    /// Hours from the Unix epoch to the start of the first slot; less than `every_hours`.
    shift_hours: i64,
}

impl Scheduled {
    /// Returns the resources with a schedule, in order.
    pub(super) fn all(recorded: &Recorded) -> Vec<Scheduled> {
        recorded.resources().into_iter().filter_map(Scheduled::of).collect()
    }

    fn of(resource: Resource) -> Option<Scheduled> {
        let schedule = resource.settings.get(MEMBER)?;
        let number = |name: &str| u32::try_from(schedule.get(name)?.as_u64()?).ok();
        let (every_hours, keep_days) = (number("every_hours").filter(|hours| *hours > 0)?, number("keep_days")?);
        let is_running = resource.state == "running";
        Some(Scheduled::new(resource.id, (every_hours, keep_days), is_running, resource.outputs))
    }

    /// Creates an entry that is backed up at the given interval, with backups kept for the given number of days.
    pub(super) fn new(
        id: ResourceId,
        (every_hours, keep_days): (u32, u32),
        is_running: bool,
        outputs: Value,
    ) -> Scheduled {
        let every = i64::from(every_hours.max(1));
        let shift_hours = letters(&id).bytes().fold(0, |sum: i64, byte| (sum * 31 + i64::from(byte)) % every);
        Scheduled { id, every_hours, keep_days, is_running, outputs, shift_hours }
    }

    /// Returns the slot of a time: the hour in which it began, counted from the Unix epoch.
    pub(super) fn slot(&self, now_s: i64) -> u32 {
        let (hour, every) = (now_s.div_euclid(HOUR_S), i64::from(self.every_hours.max(1)));
        u32::try_from(hour - (hour - self.shift_hours).rem_euclid(every)).unwrap_or(0)
    }

    /// Returns the call that makes the backup of a slot. The slot is its generation, so that a provider that has this backup
    /// returns it; the generations of the extension's own calls are much smaller.
    pub(super) fn call(&self, slot: u32, now_s: i64, secrets: SecretAccess) -> Call {
        let schedule = BackupSchedule { at_s: now_s, keep_days: self.keep_days };
        Call {
            kind: format!("{}.backup", self.id.resource),
            scope: self.id.scope.clone(),
            key: self.id.id.clone(),
            generation: slot,
            attempt: 1,
            payload: schedule.payload(&self.outputs),
            secrets,
            ..Call::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};
    use std::collections::BTreeSet;

    fn resource(id: &str, state: &str, settings: Value) -> Resource {
        Resource {
            id: ResourceId { scope: "b/test/user:u".into(), resource: "database".into(), id: id.into() },
            state: state.into(),
            generation: 1,
            outputs: json!({"endpoint": "e"}),
            settings: settings.as_object().cloned().unwrap_or_else(Map::new),
        }
    }

    fn scheduled(id: &str, every_hours: u32) -> Scheduled {
        let settings = json!({"backups": {"every_hours": every_hours, "keep_days": 7}});
        Scheduled::of(resource(id, "running", settings)).expect("a schedule")
    }

    #[test]
    fn a_schedule_needs_hours_and_days() {
        let of = |backups: Value| Scheduled::of(resource("i/database", "suspended", json!({"backups": backups})));
        let found = of(json!({"every_hours": 24, "keep_days": 7})).expect("a schedule");
        assert_eq!((found.every_hours, found.keep_days, found.is_running), (24, 7, false));
        for wrong in [json!({"every_hours": 0, "keep_days": 7}), json!({"keep_days": 7}), json!({"every_hours": 24})] {
            assert_eq!(of(wrong), None);
        }
        assert_eq!(Scheduled::of(resource("i/database", "running", json!({}))), None);
    }

    #[test]
    fn each_slot_has_the_length_of_the_schedule() {
        let database = scheduled("i/database", 24);
        let begin = i64::from(database.slot(1_767_225_600)) * HOUR_S;
        let slots = |seconds: i64| i64::from(database.slot(begin + seconds)) * HOUR_S - begin;
        assert!((1_767_225_600 - 24 * HOUR_S..=1_767_225_600).contains(&begin), "{begin}");
        assert_eq!([-1, 0, 24 * HOUR_S - 1, 24 * HOUR_S].map(slots), [-24 * HOUR_S, 0, 0, 24 * HOUR_S]);
    }

    #[test]
    fn the_slots_of_many_databases_begin_at_all_hours_of_the_day() {
        let begins: BTreeSet<u32> =
            (0..500).map(|id| scheduled(&format!("i{id}/database"), 24).slot(1_767_225_600) % 24).collect();
        assert_eq!(begins.len(), 24);
    }

    #[test]
    fn a_call_acts_on_the_resource_in_its_slot() {
        let database = scheduled("i/database", 24);
        let call = database.call(490_000, 1_767_225_600, SecretAccess::default());
        assert_eq!((call.kind.as_str(), call.generation), ("database.backup", 490_000));
        assert_eq!(call.resource_id(), database.id);
        assert_eq!(BackupSchedule::of(&call), Some(BackupSchedule { at_s: 1_767_225_600, keep_days: 7 }));
    }
}
