//! Gives up waiting events: those that have waited too long, and parked events beyond the limits.

use super::decide::Decided;
use super::report::Report;
use super::run::{Attempt, Committed, wait_timed_out};
use super::waiting::WakeKeys;
use super::{Processor, WAIT_MAX_MS};
use extension_contract::{IgnoreReason, Outcome, Refusal, Timestamp};
use host_store::{InboxRow, Stored, Wait};

/// Rows per query.
const PAGE: usize = 500;
/// Divisor of the limit: one eviction removes 1/100 of the limit at once, since each eviction costs a scan.
const EVICTED_PART: u64 = 100;

impl Processor {
    /// Gives up events that have waited for [`WAIT_MAX_MS`] at `now`: parked events with this host's mark become
    /// `rejected(unclaimed)` with an alert, other parked events `ignored(not-ours)`; deferred events
    /// `rejected(not-found(…))`.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn expire(&mut self, now: Timestamp) -> Stored<Vec<Report>> {
        let before = now.saturating_sub(WAIT_MAX_MS);
        let mut reports = Vec::new();
        for wait in [Wait::Parked, Wait::Deferred] {
            loop {
                let waiting = self.store().waiting_before(&self.deciding.partition, wait, before, PAGE)?;
                if waiting.is_empty() {
                    break;
                }
                reports.extend(self.grouped(|processor| {
                    let mut reports = Vec::new();
                    for seq in &waiting {
                        reports.extend(processor.step(|processor| match wait {
                            Wait::Parked => processor.give_up_parked(std::slice::from_ref(seq), now),
                            Wait::Deferred => Ok(processor.give_up_deferred(*seq, now)?.into_iter().collect()),
                        })?);
                    }
                    Ok(reports)
                })?);
            }
        }
        Ok(reports)
    }

    fn give_up_deferred(&mut self, seq: u64, now: Timestamp) -> Stored<Option<Report>> {
        let Some(row) = self.store().inbox(seq)? else { return Ok(None) };
        let outcome = wait_timed_out(row.outcome.as_ref());
        self.give_up(row, outcome, now)
    }

    /// If an event was just parked, evicts the oldest parked events beyond the limit, starting with those that do not
    /// carry this host's mark. A connected account has its own limit, so that its events do not evict events of other
    /// accounts.
    pub(super) fn bound_parking(
        &mut self,
        connected: Option<&str>,
        reports: &mut Vec<Report>,
        now: Timestamp,
    ) -> Stored<()> {
        let parked_now = reports.last().is_some_and(|report| {
            report.account.is_none() && matches!(report.result.outcome(), Some(Outcome::Deferred(_)))
        });
        if !parked_now {
            return Ok(());
        }
        if let Some(account) = connected {
            let mut parked = self.store().woken_by(&[WakeKeys(self.partition()).parked_of_connected(account)])?;
            if parked.len() > self.parked_connected_max {
                parked.truncate(parked.len() - self.parked_connected_max);
                self.evict(&parked, reports, now)?;
            }
        }
        if self.store().parked_count(&self.deciding.partition)? <= self.parked_max {
            return Ok(());
        }
        let wanted = (self.parked_max / EVICTED_PART).max(1) as usize;
        let mut chosen = self.store().woken_by(&[WakeKeys(self.partition()).parked_key(false)])?;
        chosen.truncate(wanted);
        if chosen.is_empty() {
            chosen = self.store().woken_by(&[WakeKeys(self.partition()).parked_key(true)])?;
            chosen.truncate(wanted);
        }
        self.evict(&chosen, reports, now)
    }

    fn evict(&mut self, chosen: &[u64], reports: &mut Vec<Report>, now: Timestamp) -> Stored<()> {
        self.counters.parked_evicted += chosen.len() as u64;
        reports.extend(self.give_up_parked(chosen, now)?);
        Ok(())
    }

    fn give_up_parked(&mut self, seqs: &[u64], now: Timestamp) -> Stored<Vec<Report>> {
        let mut reports = Vec::new();
        for seq in seqs {
            let Some(row) = self.store().inbox(*seq)? else { continue };
            let is_marked = !self.store().woken_by(&[WakeKeys(self.partition()).parked_mark(&row.event)])?.is_empty();
            let outcome =
                if is_marked { Outcome::Rejected(Refusal::Unclaimed) } else { Outcome::Ignored(IgnoreReason::NotOurs) };
            reports.extend(self.give_up(row, outcome, now)?);
        }
        Ok(reports)
    }

    /// Gives up an event. Returns no report if another host has run the event in the meantime.
    fn give_up(&mut self, row: InboxRow, outcome: Outcome, now: Timestamp) -> Stored<Option<Report>> {
        let decided = Decided { account: row.event.account.clone(), ..Decided::by_host(outcome) };
        let attempt = Attempt::again(row);
        // An event that the host gives up wakes no other events.
        Ok(match self.record_outcome(&attempt, decided, now, &mut Vec::new())? {
            Committed::Stored(report) => Some(*report),
            Committed::Outdated | Committed::RunElsewhere => None,
        })
    }
}
