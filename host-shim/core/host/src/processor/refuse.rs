//! Events that the intake refuses: stored and recorded as `rejected`, without asking the extension.

use super::report::{Disposition, Report};
use super::run::{Attempt, Decided};
use super::{Processor, wrong_mode};
use extension_contract::{Event, Outcome, Refusal, StoreError, Stored};
use host_store::InboxRow;

/// What stands in place of a component's hash where the intake refused an event: driving it again can't change that.
const BY_INTAKE: &str = "intake";

impl Processor {
    /// Take in an event that is authentic but must not be applied, for example because a part is missing.
    ///
    /// An event of another mode is `ignored` whatever it holds, and a known id is `duplicate`, as in
    /// [`Processor::accept`].
    pub fn accept_refused(&mut self, event: Event, raw: Vec<u8>, refusal: Refusal) -> Stored<Vec<Report>> {
        self.check_business(&event)?;
        self.grouped(|processor| {
            if let Some(known) = processor.known(&event)? {
                return Ok(vec![Report::duplicate(&known)]);
            }
            let now = event.received_at;
            let decided = match wrong_mode(&event, processor.business.livemode) {
                Some(outcome) => Decided::by_host(outcome),
                None => Decided { decided_by: Some(BY_INTAKE), ..Decided::by_host(Outcome::Rejected(refusal)) },
            };
            let report = processor.record_outcome(&Attempt::first(event, raw), decided, now, &mut Vec::new())?;
            let conflict = || StoreError::Unavailable("the event is in the inbox already".to_owned());
            Ok(vec![report.ok_or_else(conflict)?])
        })
    }
}

/// True if the intake refused the event, so that the extension never saw it.
pub fn by_intake(row: &InboxRow) -> bool {
    row.provenance.as_ref().is_some_and(|provenance| provenance.component_hash == BY_INTAKE)
}

/// The refusal once more, for who drives the event again.
pub(super) fn report(row: &InboxRow) -> Report {
    let duplicate = Report::duplicate(row);
    let result = row.outcome.clone().map_or(duplicate.result.clone(), Disposition::Outcome);
    Report { result, later: true, alert: true, ..duplicate }
}
