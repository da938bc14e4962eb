//! Tracks the progress of backups: the newest backup of each database, and the failure of the next one.

use super::schedule::{HOUR_S, Scheduled};
use host_provider_api::{CallOutcome, ResourceId};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How late a backup must be to be reported: 26 h after the last one, for daily backups (ORC-43).
const LATE_S: i64 = 2 * HOUR_S;
/// How long the first backup may take before it counts as late, for a database that is new to this process.
const FIRST: Duration = Duration::from_mins(10);
/// Time until the next attempt after a failure.
const AFTER_FAILURE: Duration = Duration::from_mins(10);
/// Time until the next look at a backup that another host is making.
const OTHER: Duration = Duration::from_secs(30);
/// Shortest time between two polls.
const POLL_MIN: Duration = Duration::from_millis(200);
/// Maximum number of concurrent backups.
const AT_ONCE: usize = 2;

/// A backup that a provider has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MadeBackup {
    /// Time by the host's clock, in seconds since the Unix epoch.
    pub(super) at_s: i64,
    /// The provider's id of the backup.
    pub(super) id: Option<String>,
}

/// A call that is due.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DueBackup {
    pub(super) of: Scheduled,
    pub(super) slot: u32,
    /// Token of a call that is in progress.
    pub(super) token: Option<String>,
}

/// The progress of one database.
#[derive(Clone, Debug)]
pub(super) struct BackupProgress {
    pub(super) of: Scheduled,
    pub(super) newest: Option<MadeBackup>,
    /// Slot of the newest backup.
    done_slot: Option<u32>,
    noticed: Instant,
    /// Time of the next call, after a failure or while a call is in progress.
    next: Option<Instant>,
    /// The slot and the token of the call in progress.
    pending: Option<(u32, String)>,
    /// The last failure, unless a backup was made after it.
    pub(super) problem: Option<String>,
}

impl BackupProgress {
    fn new(of: Scheduled, now: Instant) -> BackupProgress {
        BackupProgress { of, newest: None, done_slot: None, noticed: now, next: None, pending: None, problem: None }
    }

    fn is_due(&self, now_s: i64) -> bool {
        self.pending.is_some() || (self.of.is_running && self.done_slot != Some(self.of.slot(now_s)))
    }

    /// Returns true if the backup of a running database is late.
    pub(super) fn is_late(&self, now_s: i64, now: Instant) -> bool {
        let slot = self.of.slot(now_s);
        let is_old = i64::from(slot) * HOUR_S + LATE_S <= now_s
            || self.done_slot.is_some_and(|done| done + self.of.every_hours < slot);
        self.of.is_running && self.done_slot != Some(slot) && is_old && now.duration_since(self.noticed) >= FIRST
    }
}

/// The progress of all databases of a business.
#[derive(Debug, Default)]
pub(super) struct Board {
    entries: BTreeMap<ResourceId, BackupProgress>,
}

impl Board {
    /// Updates the board to the databases that exist now.
    pub(super) fn update(&mut self, all: Vec<Scheduled>, now: Instant) {
        let there: BTreeSet<ResourceId> = all.iter().map(|one| one.id.clone()).collect();
        self.entries.retain(|id, _| there.contains(id));
        for one in all {
            let entry = self.entries.entry(one.id.clone()).or_insert_with(|| BackupProgress::new(one.clone(), now));
            entry.of = one;
        }
    }

    /// Returns the progress of all databases, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &BackupProgress> {
        self.entries.values()
    }

    /// Returns the calls to make now: polls that are due, then backups that have not begun.
    pub(super) fn due(&self, now_s: i64, now: Instant) -> Vec<DueBackup> {
        let mut room = AT_ONCE.saturating_sub(self.entries().filter(|entry| entry.pending.is_some()).count());
        let is_time = |entry: &&BackupProgress| entry.next.is_none_or(|next| next <= now) && entry.is_due(now_s);
        let mut due = Vec::new();
        for entry in self.entries().filter(is_time) {
            let of = entry.of.clone();
            match &entry.pending {
                Some((slot, token)) => due.push(DueBackup { of, slot: *slot, token: Some(token.clone()) }),
                None if room > 0 => {
                    room -= 1;
                    due.push(DueBackup { slot: of.slot(now_s), of, token: None });
                }
                None => {}
            }
        }
        due
    }

    /// Returns the time until a call in progress is due; none if there is none.
    pub(super) fn next_poll(&self, now: Instant) -> Option<Duration> {
        let pending = self.entries().filter(|entry| entry.pending.is_some());
        pending.filter_map(|entry| Some(entry.next?.saturating_duration_since(now))).min()
    }

    /// Records the answer to a call. Returns the backup if one was made, and otherwise a new failure.
    pub(super) fn answered(&mut self, call: &DueBackup, outcome: CallOutcome, now_s: i64, now: Instant) -> Answered {
        let Some(entry) = self.entries.get_mut(&call.of.id) else { return Answered::Nothing };
        entry.pending = None;
        let (problem, wait) = match outcome {
            CallOutcome::Done(outputs) if outputs.get("verified") == Some(&Value::Bool(true)) => {
                let id = outputs.get("backup_id").and_then(Value::as_str).map(str::to_owned);
                let at_s = outputs.get("made_at_s").and_then(Value::as_i64).unwrap_or(now_s);
                let made = MadeBackup { at_s, id };
                entry.newest = Some(made.clone());
                (entry.done_slot, entry.next, entry.problem) = (Some(call.slot), None, None);
                return Answered::Made(made);
            }
            CallOutcome::InProgress { after_ms, token } => {
                let after = Duration::from_millis(u64::try_from(after_ms).unwrap_or(0)).max(POLL_MIN);
                entry.pending = Some((call.slot, token));
                entry.next = Some(now + after);
                return Answered::Nothing;
            }
            CallOutcome::Done(_) => ("not-verified: the provider has not read the backup back".to_owned(), None),
            CallOutcome::Retry { code, message, after_ms } => (format!("{code}: {message}"), after_ms),
            CallOutcome::Refused { code, message } => (format!("{code}: {message}"), None),
        };
        let wait = wait.and_then(|ms| u64::try_from(ms).ok()).map_or(AFTER_FAILURE, Duration::from_millis);
        entry.next = Some(now + wait.clamp(POLL_MIN, AFTER_FAILURE));
        let is_new = entry.problem.as_ref() != Some(&problem);
        entry.problem = Some(problem.clone());
        if is_new { Answered::Failed(problem) } else { Answered::Nothing }
    }

    /// Records a backup that was made before, or by another host.
    pub(super) fn known(&mut self, call: &DueBackup, made: MadeBackup) {
        if let Some(entry) = self.entries.get_mut(&call.of.id) {
            entry.newest = Some(made);
            (entry.done_slot, entry.next, entry.pending, entry.problem) = (Some(call.slot), None, None, None);
        }
    }

    /// Schedules another look at the backup of a database, because another host is making it.
    pub(super) fn put_off(&mut self, id: &ResourceId, now: Instant) {
        if let Some(entry) = self.entries.get_mut(id) {
            (entry.pending, entry.next) = (None, Some(now + OTHER));
        }
    }

    /// Discards the newest backup of a database, so that the provider is asked for it again after a while.
    pub(super) fn forget(&mut self, id: &ResourceId, now: Instant) {
        if let Some(entry) = self.entries.get_mut(id) {
            (entry.done_slot, entry.next) = (None, Some(now + AFTER_FAILURE));
        }
    }
}

/// The result of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    Made(MadeBackup),
    /// The call failed in a new way.
    Failed(String),
    /// The call is in progress, or failed as before.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DAY_S: i64 = 24 * HOUR_S;

    fn database(id: &str, is_running: bool) -> Scheduled {
        let id = ResourceId { scope: "b/test/user:u".into(), resource: "database".into(), id: id.into() };
        Scheduled::new(id, (24, 7), is_running, json!({}))
    }

    /// Returns a board with these databases, and the first second of a slot of the first one.
    fn board(databases: &[Scheduled], now: Instant) -> (Board, i64) {
        let mut board = Board::default();
        board.update(databases.to_vec(), now);
        let begin = databases.first().map_or(0, |one| i64::from(one.slot(20_000 * DAY_S)) * HOUR_S);
        (board, begin)
    }

    fn ids(due: &[DueBackup]) -> Vec<(&str, bool)> {
        due.iter().map(|one| (one.of.id.id.as_str(), one.token.is_some())).collect()
    }

    fn done(id: &str) -> CallOutcome {
        CallOutcome::Done(json!({"backup_id": id, "verified": true}))
    }

    #[test]
    fn a_running_database_has_one_backup_in_each_slot() {
        let now = Instant::now();
        let (mut board, begin) = board(&[database("a", true), database("b", false)], now);
        let due = board.due(begin, now);
        assert_eq!(ids(&due), [("a", false)], "the content of a suspended database does not change");
        let made = MadeBackup { at_s: begin, id: Some("one".to_owned()) };
        assert_eq!(board.answered(&due[0], done("one"), begin, now), Answered::Made(made));
        assert!(board.due(begin + DAY_S - 1, now).is_empty());
        assert_eq!(ids(&board.due(begin + DAY_S, now)), [("a", false)]);
        board.forget(&due[0].of.id, now);
        assert!(board.due(begin, now).is_empty());
        assert_eq!(
            ids(&board.due(begin, now + AFTER_FAILURE)),
            [("a", false)],
            "the measurement of the backup is missing"
        );
    }

    #[test]
    fn a_call_in_progress_is_polled_and_few_are_made_at_once() {
        let now = Instant::now();
        let (mut board, begin) = board(&["a", "b", "c"].map(|id| database(id, true)), now);
        let at = begin + DAY_S - 1;
        let due = board.due(at, now);
        assert_eq!(ids(&due), [("a", false), ("b", false)]);
        let later = |token: &str| CallOutcome::InProgress { after_ms: 3_000, token: token.to_owned() };
        for call in &due {
            assert_eq!(board.answered(call, later("t"), at, now), Answered::Nothing);
        }
        assert_eq!((board.due(at, now), board.next_poll(now)), (Vec::new(), Some(Duration::from_secs(3))));
        let then = now + Duration::from_secs(3);
        // The call keeps its slot, although the next one has begun.
        let polls = board.due(at + DAY_S, then);
        assert_eq!((ids(&polls), polls[0].slot), (vec![("a", true), ("b", true)], due[0].slot));
        board.answered(&polls[0], done("one"), at, then);
        assert_eq!(ids(&board.due(at, then)), [("b", true), ("c", false)]);
    }

    #[test]
    fn a_failure_is_told_once_and_tried_again() {
        let now = Instant::now();
        let (mut board, begin) = board(&[database("a", true)], now);
        let due = board.due(begin, now);
        let failed = || CallOutcome::retry("busy", "a restore is in progress");
        let told = Answered::Failed("busy: a restore is in progress".to_owned());
        assert_eq!(board.answered(&due[0], failed(), begin, now), told);
        assert!(board.due(begin, now + AFTER_FAILURE - Duration::from_secs(1)).is_empty());
        assert_eq!(ids(&board.due(begin, now + AFTER_FAILURE)), [("a", false)]);
        assert_eq!(board.answered(&due[0], failed(), begin, now), Answered::Nothing, "the same failure again");
        let unverified = CallOutcome::Done(json!({"backup_id": "one", "verified": false}));
        assert!(matches!(board.answered(&due[0], unverified, begin, now), Answered::Failed(_)));
        assert!(matches!(board.answered(&due[0], done("one"), begin, now), Answered::Made(_)));
        assert!(board.entries().all(|entry| entry.problem.is_none()));
    }

    #[test]
    fn a_daily_backup_is_late_after_26_hours() {
        let now = Instant::now();
        let (mut board, begin) = board(&[database("a", true)], now);
        let late = |board: &Board, now_s: i64, now: Instant| board.entries().any(|entry| entry.is_late(now_s, now));
        assert!(!late(&board, begin + LATE_S, now), "the database may be new");
        assert!(late(&board, begin + LATE_S, now + FIRST));
        let due = board.due(begin, now);
        board.answered(&due[0], done("one"), begin, now);
        let now = now + FIRST;
        assert!(!late(&board, begin + 26 * HOUR_S - 1, now));
        assert!(late(&board, begin + 26 * HOUR_S, now));
        assert!(late(&board, begin + 48 * HOUR_S, now), "a slot without a backup is over");
        board.update(vec![database("a", false)], now);
        assert!(!late(&board, begin + 26 * HOUR_S, now), "the database is suspended");
    }

    #[test]
    fn a_backup_of_another_host_is_looked_at_again_and_counts_when_it_is_made() {
        let now = Instant::now();
        let (mut board, begin) = board(&[database("a", true)], now);
        let due = board.due(begin, now);
        board.put_off(&due[0].of.id, now);
        assert!(board.due(begin, now).is_empty());
        let due = board.due(begin, now + OTHER);
        board.known(&due[0], MadeBackup { at_s: begin, id: None });
        assert!(board.due(begin + DAY_S - 1, now + OTHER).is_empty());
        assert_eq!(ids(&board.due(begin + DAY_S, now + OTHER)), [("a", false)]);
    }

    #[test]
    fn a_database_that_is_gone_has_no_entry() {
        let now = Instant::now();
        let (mut board, begin) = board(&[database("a", true)], now);
        let due = board.due(begin, now);
        board.update(Vec::new(), now);
        assert_eq!(board.answered(&due[0], done("one"), begin, now), Answered::Nothing);
        assert_eq!(board.entries().count(), 0);
    }
}
