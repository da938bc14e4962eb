//! Events that the intake refuses: stored and recorded as `rejected`, without asking the extension.

use super::report::{Disposition, Report};
use super::run::{Attempt, Decided};
use super::{Processor, wrong_mode};
use host_store::{Applied, Changes, InboxChange, InboxRow, InboxState, NewInbox, Provenance, Run, Standing};
use products_contract::{Event, Outcome, Refusal, StoreError, Stored};

/// What stands in place of a component's hash where the intake refused an event: driving it again can't change that.
const BY_INTAKE: &str = "intake";

impl Processor {
    /// Take in an event that is authentic but must not be applied, for example because a part is missing.
    ///
    /// An event of another mode is `ignored` whatever it holds, and a known id is `duplicate`, as in
    /// [`Processor::accept`].
    pub fn accept_refused(&mut self, event: Event, raw: Vec<u8>, refusal: Refusal) -> Stored<Vec<Report>> {
        self.grouped(|processor| {
            if let Some(known) = processor.known(&event)? {
                return Ok(vec![Report::duplicate(&known)]);
            }
            let now = event.received_at;
            if let Some(outcome) = wrong_mode(&event, processor.business.livemode) {
                let attempt = Attempt::first(event, raw);
                let report = processor.record_outcome(&attempt, Decided::by_host(outcome), now, &mut Vec::new())?;
                return Ok(report.into_iter().collect());
            }
            let outcome = Outcome::Rejected(refusal);
            let provenance = Provenance { component_hash: BY_INTAKE.to_owned(), ..Provenance::default() };
            let standing = Standing {
                account: event.account.clone(),
                state: InboxState::Done,
                failures: 0,
                error: None,
                outcome: Some(outcome.clone()),
                waits_for: Vec::new(),
                run: Some(Run { at: now, outcome: Some(outcome.clone()), error: None, provenance: Some(provenance) }),
            };
            let livemode = processor.business.livemode;
            let row = NewInbox { event, livemode, raw, standing };
            let inbox = Some(InboxChange::New(Box::new(row.clone())));
            let changes = Changes { event_id: row.event.id.clone(), inbox, ..Changes::default() };
            let Applied::Done { seq } = processor.store_mut().apply(&changes)? else {
                return Err(StoreError::Unavailable("the event is in the inbox already".to_owned()));
            };
            Ok(vec![refused(&row.event, seq.unwrap_or_default(), outcome, livemode)])
        })
    }
}

/// True if the intake refused it.
pub(super) fn by_intake(row: &InboxRow) -> bool {
    row.provenance.as_ref().is_some_and(|provenance| provenance.component_hash == BY_INTAKE)
}

/// The refusal once more, for who drives the event again.
pub(super) fn report(row: &InboxRow) -> Report {
    let outcome = row.outcome.clone().unwrap_or(Outcome::Rejected(Refusal::Malformed(String::new())));
    Report { later: true, ..refused(&row.event, row.seq, outcome, row.livemode) }
}

fn refused(event: &Event, seq: u64, outcome: Outcome, livemode: bool) -> Report {
    Report {
        seq,
        event_id: event.id.clone(),
        source: event.source.clone(),
        kind: event.kind.clone(),
        account: event.account.clone(),
        result: Disposition::Outcome(outcome),
        effects: Vec::new(),
        reply_to: event.reply_to.clone(),
        reply: None,
        fuel: 0,
        logs: Vec::new(),
        later: false,
        livemode,
        alert: true,
    }
}
