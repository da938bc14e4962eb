//! What waits too long, and what waits in too great a number.

use super::report::Report;
use super::run::{Decided, Work};
use super::{Processor, WAIT_MAX_MS};
use host_store::{InboxRow, InboxState};
use products_contract::{IgnoreReason, Mark, Outcome, Refusal, Stored, Timestamp};
use std::collections::BTreeSet;

/// Rows that one look-up brings.
const PAGE: usize = 500;
/// Parked rows that go at once when there are too many, as a part of the bound: finding them costs a scan.
const EVICTED_PART: u64 = 100;

impl Processor {
    /// Give up what has waited for [`WAIT_MAX_MS`] at `now`: parked events with a mark of ours are
    /// `rejected(unclaimed)` with an alert, others `ignored(not-ours)`; deferred ones `rejected(not-found(…))`.
    pub fn expire(&mut self, now: Timestamp) -> Stored<Vec<Report>> {
        let before = now.saturating_sub(WAIT_MAX_MS);
        let mut reports = Vec::new();
        loop {
            let parked = self.store().parked_before(before, PAGE)?;
            if parked.is_empty() {
                break;
            }
            reports.extend(self.grouped(|processor| processor.give_up_parked(&parked, now))?);
        }
        let deferred = self.store().woken_by(&[self.deferred_key()])?;
        for seqs in deferred.chunks(PAGE) {
            let given_up = self.grouped(|processor| {
                let mut reports = Vec::new();
                for seq in seqs {
                    let Some(row) = processor.store().inbox(*seq)? else { continue };
                    if row.state == InboxState::Deferred && row.event.received_at < before {
                        let waited = row.outcome.as_ref().and_then(Outcome::reason).unwrap_or_default();
                        let outcome = Outcome::Rejected(Refusal::NotFound(waited));
                        reports.push(processor.give_up(row, outcome, now)?);
                    }
                }
                Ok(reports)
            })?;
            reports.extend(given_up);
        }
        Ok(reports)
    }

    /// After an event was parked: let the oldest go if there are too many, those without a mark of ours first.
    pub(super) fn bound_parking(&mut self, reports: &mut Vec<Report>, now: Timestamp) -> Stored<()> {
        let parked_now = reports.last().is_some_and(|report| {
            report.account.is_none() && matches!(report.result.outcome(), Some(Outcome::Deferred(_)))
        });
        if !parked_now || self.store().parked_count()? <= self.parked_max {
            return Ok(());
        }
        let wanted = (self.parked_max / EVICTED_PART).max(1) as usize;
        let mut chosen = self.store().woken_by(&[self.mark_key(Mark::Unknown)])?;
        chosen.truncate(wanted);
        if chosen.is_empty() {
            chosen = self.store().woken_by(&[self.mark_key(Mark::Ours)])?;
            chosen.truncate(wanted);
        }
        self.counters.parked_evicted += chosen.len() as u64;
        reports.extend(self.give_up_parked(&chosen, now)?);
        Ok(())
    }

    fn give_up_parked(&mut self, seqs: &[u64], now: Timestamp) -> Stored<Vec<Report>> {
        let marked: BTreeSet<u64> = self.store().woken_by(&[self.mark_key(Mark::Ours)])?.into_iter().collect();
        let mut reports = Vec::new();
        for seq in seqs {
            let Some(row) = self.store().inbox(*seq)? else { continue };
            let outcome = if marked.contains(seq) {
                Outcome::Rejected(Refusal::Unclaimed)
            } else {
                Outcome::Ignored(IgnoreReason::NotOurs)
            };
            reports.push(self.give_up(row, outcome, now)?);
        }
        Ok(reports)
    }

    fn give_up(&mut self, row: InboxRow, outcome: Outcome, now: Timestamp) -> Stored<Report> {
        let decided = Decided { account: row.event.account.clone(), ..Decided::by_host(outcome) };
        // What the host gives up by itself brings nothing that others wait for.
        let mut wakes = Vec::new();
        self.settle(Work::again(row), decided, now, &mut wakes)
    }
}
