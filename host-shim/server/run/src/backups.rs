//! Makes the backups that a business schedules (`{"every_hours", "keep_days"}`) on its own thread (ORC-43, ORC-45, Q-38). The provider
//! makes a backup, reads it back, and deletes it when it expires. All hosts of a database share a table of the backups made, so that
//! each is requested only once. Each verified backup is reported as a measurement of the meter [`METER`], if the catalog has it; the
//! rule `expects` then alerts operators to a missing backup.

mod board;
mod ledger;
mod schedule;

use crate::background::{Stop, Work};
use crate::records::{Records, UnreadRecords};
use crate::reports::{Measurement, NotReported, Reports};
use board::{Answered, Board, DueBackup, MadeBackup};
use host_api::{BackupEntry, BackupList, Metrics};
use host_engine::clock::ClockSource;
use host_provider_api::names::letters;
use host_provider_api::{BackupExpiry, CallOutcome, Registry, Reply};
pub(crate) use ledger::Ledger;
pub use ledger::SHAPE;
use ledger::Turn;
use schedule::{HOUR_S, Scheduled};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Meter of the measurements.
const METER: &str = "backups";
/// Time until the next attempt after the records could not be read.
const AFTER_FAILURE: Duration = Duration::from_mins(1);
/// Seconds between two searches for expired backups.
const EXPIRE_EVERY_S: i64 = HOUR_S;

/// The progress of the backups, for the thread and for operators.
pub(crate) struct Backups {
    clock: ClockSource,
    board: Mutex<Board>,
}

impl Backups {
    pub(crate) fn new(clock: ClockSource) -> Backups {
        Backups { clock, board: Mutex::default() }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // A panic still leaves complete entries.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_s(&self) -> i64 {
        self.clock.now().div_euclid(1_000)
    }
}

/// Everything that the thread needs. It must be dropped before the site stops, which would otherwise wait for it.
pub(crate) struct BackupWork {
    pub(crate) records: Arc<Records>,
    /// The providers without simulated ones.
    pub(crate) registry: Registry,
    pub(crate) backups: Arc<Backups>,
    /// The backups that all hosts have made.
    pub(crate) ledger: Ledger,
    pub(crate) metrics: Arc<Metrics>,
    /// Accepts the measurements; none if the catalog does not have the meter.
    pub(crate) reports: Option<Reports>,
    /// Time between two searches for backups that are due.
    pub(crate) every: Duration,
    /// Time of the last search for expired backups by the host's clock, in seconds since the epoch.
    pub(crate) expired_s: Option<i64>,
    /// Number of late backups at the last search.
    pub(crate) late: usize,
}

impl Work for BackupWork {
    fn name(&self) -> &'static str {
        "backups"
    }

    /// Makes the backups that are due, and deletes those that have expired. Returns the time until the next search.
    fn work(&mut self, stop: &Stop) -> Duration {
        let all = match self.scheduled() {
            Ok(all) => all,
            Err(error) => {
                let business = self.records.partition().name();
                tracing::error!(business, %error, "it is not known which databases are to be backed up");
                return AFTER_FAILURE.min(self.every);
            }
        };
        self.backups.board().update(all, Instant::now());
        self.call_due(stop);
        self.expire();
        self.tell();
        let board = self.backups.board();
        let (now_s, now) = (self.backups.now_s(), Instant::now());
        match board.due(now_s, now).is_empty() {
            true => board.next_poll(now).map_or(self.every, |poll| poll.min(self.every)),
            false => Duration::ZERO,
        }
    }
}

impl BackupWork {
    /// Makes the calls that are due, until there are none left or it is time to read the records again.
    fn call_due(&self, stop: &Stop) {
        let until = Instant::now() + self.every;
        while Instant::now() < until {
            let due = self.backups.board().due(self.backups.now_s(), Instant::now());
            if due.is_empty() {
                return;
            }
            for call in due {
                if stop.is_asked() {
                    return;
                }
                self.call(&call);
            }
        }
    }

    /// Returns the databases with a schedule whose provider can make backups.
    fn scheduled(&self) -> Result<Vec<Scheduled>, UnreadRecords> {
        let mut all = Scheduled::all(&*self.records.read()?);
        all.retain(|one| self.registry.takes(&format!("{}.backup", one.id.resource)));
        Ok(all)
    }

    fn call(&self, due: &DueBackup) {
        let now_s = self.backups.now_s();
        match self.ledger.take(&due.of.id, due.slot, now_s) {
            Ok(Turn::Own) => {}
            Ok(Turn::Other) => return self.backups.board().put_off(&due.of.id, Instant::now()),
            Ok(Turn::Made(made)) => return self.backups.board().known(due, made),
            Err(error) => {
                let business = self.records.partition().name();
                tracing::error!(business, %error, "it is not known whether a backup is made");
                return self.backups.board().put_off(&due.of.id, Instant::now());
            }
        }
        let mut call = due.of.call(due.slot, now_s, self.registry.secret_access());
        call.token.clone_from(&due.token);
        let outcome = match self.registry.call(&call) {
            Reply::Answer(outcome) => outcome,
            Reply::Silence { .. } => CallOutcome::retry("silence", "the provider did not answer"),
        };
        let answered = self.backups.board().answered(due, outcome, now_s, Instant::now());
        let (business, resource) = (self.records.partition().name(), due.of.id.resource.as_str());
        match answered {
            Answered::Made(made) => {
                self.metrics.backup_made(self.records.partition());
                if let Err(error) = self.report(due, &made) {
                    tracing::error!(business, %error, "a backup is made, but its measurement is not stored");
                    self.backups.board().forget(&due.of.id, Instant::now());
                } else if let Err(error) = self.ledger.made(&due.of.id, due.slot, &made) {
                    tracing::error!(business, %error, "a backup is made, but not noted: the provider is asked for it again");
                }
            }
            Answered::Failed(problem) => {
                self.metrics.backup_failed(self.records.partition());
                tracing::warn!(business, resource, problem, "a backup is not made, and is tried again in some minutes");
            }
            Answered::Nothing => {}
        }
    }

    /// Reports a backup. A second report has the same id, so it changes nothing.
    fn report(&self, due: &DueBackup, made: &MadeBackup) -> Result<(), NotReported> {
        let Some(reports) = &self.reports else { return Ok(()) };
        let id = format!("backup:{}:{}", letters(&due.of.id), due.slot);
        reports.send(Measurement { id: &id, resource: &due.of.id, meter: METER, quantity: 1, at_s: made.at_s })
    }

    /// Deletes expired backups, once an hour by the host's clock.
    fn expire(&mut self) {
        let now_s = self.backups.now_s();
        if self.expired_s.is_some_and(|last| (last..last.saturating_add(EXPIRE_EVERY_S)).contains(&now_s)) {
            return;
        }
        let there: BTreeSet<String> = match self.records.read() {
            Ok(recorded) => recorded.resources().iter().map(|resource| letters(&resource.id)).collect(),
            // The next search reports it.
            Err(_) => return,
        };
        self.expired_s = Some(now_s);
        let partition = self.records.partition().name();
        let expiry = BackupExpiry { partition: &partition, now_s, exists: &|letters| there.contains(letters) };
        let (deleted, failure) = self.registry.expire_backups(&expiry);
        if deleted > 0 {
            tracing::info!(business = partition, deleted, "backups whose time has passed are deleted");
        }
        if let Some(error) = failure {
            tracing::error!(business = partition, %error, "backups whose time has passed are still there");
        }
    }

    /// Counts the late backups, and logs if there are more of them.
    fn tell(&mut self) {
        let (now_s, now) = (self.backups.now_s(), Instant::now());
        let late = self.backups.board().entries().filter(|entry| entry.is_late(now_s, now)).count();
        self.metrics.backups_late(self.records.partition(), late);
        if late > self.late {
            let business = self.records.partition().name();
            tracing::error!(business, late, "databases have no backup of the time that their schedule names");
        }
        self.late = late;
    }
}

/// Returns true if a product type of the catalog has the meter of backups.
pub(crate) fn is_measured(catalog: &Value) -> bool {
    let types = catalog["product_types"].as_array().into_iter().flatten();
    let mut meters = types.filter_map(|one| one["meters"].as_array()).flatten();
    meters.any(|meter| meter["meter"] == METER)
}

impl BackupList for Backups {
    fn backups(&self) -> Vec<BackupEntry> {
        let (now_s, now) = (self.now_s(), Instant::now());
        let entry = |entry: &board::BackupProgress| BackupEntry {
            scope: entry.of.id.scope.clone(),
            resource: entry.of.id.resource.clone(),
            id: entry.of.id.id.clone(),
            every_hours: entry.of.every_hours,
            keep_days: entry.of.keep_days,
            made_at_s: entry.newest.as_ref().map(|made| made.at_s),
            backup_id: entry.newest.as_ref().and_then(|made| made.id.clone()),
            is_late: entry.is_late(now_s, now),
            problem: entry.problem.clone(),
        };
        self.board().entries().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn backups_are_measured_if_a_product_type_has_their_meter() {
        assert!(is_measured(&json!({"product_types": [{}, {"meters": [{"meter": "logins"}, {"meter": "backups"}]}]})));
        assert!(!is_measured(&json!({"product_types": [{"meters": [{"meter": "logins"}]}]})));
        assert!(!is_measured(&json!({"rates": {"backups": {}}})));
    }
}
