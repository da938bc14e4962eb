//! Counts final outcomes of input events.

use crate::line::Summary;
use host::processor::Report;
use std::collections::HashMap;

/// Outcomes that a later run may replace.
const OPEN: [&str; 2] = ["deferred", "failed"];

/// Counts outcomes as they come and corrects them when an event runs again.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    summary: Summary,
    /// Events that may still end otherwise, by their number in the inbox.
    open: HashMap<u64, &'static str>,
    derived_failed: u64,
}

impl Tally {
    /// An input event arrived. A repeated id is an event of its own and says nothing about the first arrival.
    pub fn arrived(&mut self, report: &Report) {
        let name = report.result.name();
        self.summary.count(name);
        if OPEN.contains(&name) {
            self.open.insert(report.seq, name);
        }
    }

    /// An input event ran again.
    pub fn again(&mut self, report: &Report) {
        let name = report.result.name();
        if let Some(before) = self.open.remove(&report.seq) {
            self.summary.recount(before, name);
            if OPEN.contains(&name) {
                self.open.insert(report.seq, name);
            }
        }
    }

    /// An operator runs an event again that ended with `outcome`.
    pub fn reopen(&mut self, seq: u64, outcome: &'static str) {
        self.open.insert(seq, outcome);
    }

    /// A result, a timer or a message ended without an outcome.
    pub fn derived_failed(&mut self) {
        self.derived_failed += 1;
    }

    /// Events, of whatever kind, that have ended without an outcome.
    pub fn failed(&self) -> u64 {
        self.summary.failed + self.derived_failed
    }

    /// The counts so far, without a state.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}
