//! Runs an event, and then the events that its commit wakes.

use super::decide::Decided;
use super::report::Report;
use super::run::Attempt;
use super::waiting::connected_account;
use super::{Processor, WOKEN_MAX};
use extension_contract::Timestamp;
use host_store::{Changes, Expected, InboxChange, InboxMove, InboxProgress, InboxRow, InboxState, Stored};
use std::collections::BTreeSet;

impl Processor {
    /// Runs an event, then the events that it wakes, in order of acceptance. Applies the changes of each event
    /// separately. Woken events of other accounts become pending, so that a commit does not grow with the number of
    /// events waiting elsewhere. So do the events beyond [`WOKEN_MAX`].
    pub(super) fn run_and_wake(
        &mut self,
        attempt: Attempt,
        ahead: Option<Decided>,
        now: Timestamp,
    ) -> Stored<Vec<Report>> {
        let mut awake = BTreeSet::new();
        let connected = connected_account(attempt.event()).map(str::to_owned);
        let mut reports = vec![self.run_one(attempt, ahead, now, &mut awake)?];
        let account = reports[0].account.clone();
        self.bound_parking(connected.as_deref(), &mut reports, now)?;
        while let Some(seq) = awake.pop_first() {
            let Some(row) = self.store().inbox(seq)? else { continue };
            if !row.state.is_waiting() {
                continue;
            }
            let is_of_other = row.event.account.is_some() && row.event.account != account;
            if is_of_other || reports.len() > WOKEN_MAX {
                self.postpone(row, now)?;
                continue;
            }
            let report = self.run_one(Attempt::again(row), None, now, &mut awake)?;
            reports.push(report);
        }
        Ok(reports)
    }

    fn run_one(
        &mut self,
        attempt: Attempt,
        ahead: Option<Decided>,
        now: Timestamp,
        awake: &mut BTreeSet<u64>,
    ) -> Stored<Report> {
        let mut keys = Vec::new();
        let report = self.run(attempt, ahead, now, &mut keys)?;
        let seq = report.seq;
        if !keys.is_empty() {
            // An event that waits for its own fact or claim would wake itself forever.
            awake.extend(self.store().woken_by(&keys)?.into_iter().filter(|woken| *woken != seq));
        }
        Ok(report)
    }

    /// Lets a woken event run later, unless another host runs it.
    fn postpone(&mut self, row: InboxRow, now: Timestamp) -> Stored<()> {
        self.counters.woken_postponed += 1;
        let progress = InboxProgress {
            account: row.event.account,
            state: InboxState::Pending { not_before: now, waits_since: row.state.waits_since() },
            failures: row.failures,
            error: row.error,
            outcome: row.outcome,
            waits_for: Vec::new(),
            run: None,
        };
        let expected = Expected { inbox: Some(row.state), ..Expected::default() };
        let inbox = InboxChange::Move(InboxMove { seq: row.seq, progress });
        let changes = Changes { event_id: row.event.id, inbox: Some(inbox), expected, ..Changes::default() };
        self.store_mut().apply(&changes).map(|_| ())
    }
}
