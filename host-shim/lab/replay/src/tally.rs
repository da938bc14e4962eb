//! Counts the final outcomes of input events.

use crate::line::Summary;
use host_engine::processor::Report;
use std::collections::HashMap;

/// Outcomes that a later run may replace.
const OPEN: [&str; 2] = ["deferred", "failed"];

/// Counts of outcomes. A count is corrected when its event runs again.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    summary: Summary,
    /// Events whose outcome may still change, by inbox number.
    open: HashMap<u64, &'static str>,
    derived_failed: u64,
}

impl Tally {
    /// Counts the arrival of an input event. A repeated id counts as a separate event.
    pub fn arrived(&mut self, report: &Report) {
        let name = report.result.name();
        self.summary.count(name);
        if OPEN.contains(&name) {
            self.open.insert(report.seq, name);
        }
    }

    /// Corrects the outcome of an input event that ran again.
    pub fn again(&mut self, report: &Report) {
        let name = report.result.name();
        if let Some(before) = self.open.remove(&report.seq) {
            self.summary.recount(before, name);
            if OPEN.contains(&name) {
                self.open.insert(report.seq, name);
            }
        }
    }

    /// Marks an event as open again before a redrive. `outcome` is its outcome so far.
    pub fn reopen(&mut self, seq: u64, outcome: &'static str) {
        self.open.insert(seq, outcome);
    }

    /// Counts a result, a timer or a message that ended without an outcome.
    pub fn derived_failed(&mut self) {
        self.derived_failed += 1;
    }

    /// Returns the number of events of any kind that ended without an outcome.
    pub fn failed(&self) -> u64 {
        self.summary.failed + self.derived_failed
    }

    /// Returns the counts so far, without the hash of the state.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}
