//! Stores events that the intake refused as `rejected`, without calling the extension.

use super::decide::Decided;
use super::report::{Disposition, Report};
use super::run::{Attempt, Committed};
use super::{Processor, wrong_mode};
use extension_contract::{Outcome, Refusal, Timestamp};
use host_store::{InboxRow, Stored};

/// Recorded in place of a component's hash if the intake refused an event; a redrive does not change the refusal.
const BY_INTAKE: &str = "intake";

impl Processor {
    /// Stores an authentic event that must not be applied, for example because a part is missing. As for other events, an event of
    /// another mode is `ignored` and a known id is `duplicate`.
    pub(super) fn refuse(&mut self, attempt: &Attempt, refusal: &Refusal, now: Timestamp) -> Stored<Vec<Report>> {
        if let Some(known) = self.known(attempt.event())? {
            return Ok(vec![Report::duplicate(&known)]);
        }
        let decided = match wrong_mode(attempt.event(), self.business.livemode) {
            Some(outcome) => Decided::by_host(outcome),
            None => Decided { decided_by: Some(BY_INTAKE), ..Decided::by_host(Outcome::Rejected(refusal.clone())) },
        };
        Ok(vec![match self.record_outcome(attempt, decided, now, &mut Vec::new())? {
            Committed::Stored(report) => *report,
            // The outcome does not depend on any data read.
            Committed::Outdated | Committed::RunElsewhere => self.report_elsewhere(attempt)?,
        }])
    }
}

/// Returns true if the intake refused the event, without a call to the extension.
pub fn by_intake(row: &InboxRow) -> bool {
    row.provenance.as_ref().is_some_and(|provenance| provenance.component_hash == BY_INTAKE)
}

/// Returns the report of a redrive, which repeats the refusal.
pub(super) fn report(row: &InboxRow) -> Report {
    let duplicate = Report::duplicate(row);
    let result = row.outcome.clone().map_or(duplicate.result.clone(), Disposition::Outcome);
    Report { result, later: true, alert: true, ..duplicate }
}
