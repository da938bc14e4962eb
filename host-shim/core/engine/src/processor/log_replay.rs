//! Replays a recorded log in another processor, and finds the events whose results differ.

use super::Processor;
use super::limit::is_by_limit;
use extension_contract::{Account, IgnoreReason, Outcome, Payload, Refusal};
use host_store::{InboxRow, InboxState, Read, Stored};
use std::collections::HashSet;

/// One difference between a recorded event and its replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Number in the recording.
    pub seq: u64,
    /// The event's id.
    pub event_id: String,
    /// Differing field: `account`, `outcome`, `claims` or `effects`.
    pub field: &'static str,
    /// Recorded value.
    pub recorded: String,
    /// Replayed value.
    pub replayed: String,
}

/// Replays all recorded events of the processor's business and mode, including effect results and timers, in recorded
/// order into a fresh `processor`, without carrying out effects. Compares outcomes, accounts, claim answers and
/// effects.
///
/// The processor runs the version under test; its store must equal the recording's store before the first event. Events
/// of an erased account are replayed as far as they exist, but not compared.
///
/// # Errors
/// Fails if a store fails.
pub fn replay_log(recording: &dyn Read, processor: &mut Processor) -> Stored<Vec<Difference>> {
    // No effect ends.
    processor.set_open_effects_max(usize::MAX);
    let mut differences = Vec::new();
    let mut pairs: Vec<(u64, u64)> = Vec::new();
    let mut erased: HashSet<Account> = HashSet::new();
    let mut after = 0;
    loop {
        let page = recording.inbox_after(None, after, 500)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for row in page {
            if !processor.is_own(&row) {
                continue;
            }
            if row.erased {
                erased.extend(row.event.account);
                continue;
            }
            if is_by_limit(&row) {
                // It was decided by what was open then.
                continue;
            }
            let recorded = row.seq;
            let mut event = row.event;
            if matches!(event.payload, Payload::Payment(_)) {
                event.account = None;
            }
            let reports = processor.accept(event, row.raw)?;
            pairs.extend(reports.first().map(|report| (recorded, report.seq)));
        }
    }
    for (recorded, replayed) in pairs {
        let recorded = recording.inbox(recorded)?;
        let replayed = processor.store().inbox(replayed)?;
        if let (Some(recorded), Some(replayed)) = (recorded, replayed)
            && !recorded.event.account.as_ref().is_some_and(|account| erased.contains(account))
        {
            differences.extend(difference_from_record(&recorded, &replayed));
        }
    }
    Ok(differences)
}

/// Returns the differences between a recorded and a replayed event. A wait that the host gave up because of its clock
/// is not a difference.
pub fn difference_from_record(recorded: &InboxRow, replayed: &InboxRow) -> Vec<Difference> {
    let mut differences = Vec::new();
    if gave_up(recorded) && replayed.state.is_waiting() {
        return differences;
    }
    let mut differ = |field, recorded_text: String, replayed_text: String| {
        if recorded_text != replayed_text {
            differences.push(Difference {
                seq: recorded.seq,
                event_id: recorded.event.id.clone(),
                field,
                recorded: recorded_text,
                replayed: replayed_text,
            });
        }
    };
    let account = |row: &InboxRow| row.event.account.as_ref().map_or("none".to_owned(), ToString::to_string);
    let answers = |row: &InboxRow| row.provenance.as_ref().map(|it| it.claim_answers.clone()).unwrap_or_default();
    let effects = |row: &InboxRow| row.provenance.as_ref().map(|it| it.effects_hash.clone()).unwrap_or_default();
    differ("account", account(recorded), account(replayed));
    differ("outcome", result_text(recorded), result_text(replayed));
    differ("claims", answers(recorded), answers(replayed));
    differ("effects", effects(recorded), effects(replayed));
    differences
}

/// Returns true if the host gave up the wait because of its clock; a log replay has no clock.
fn gave_up(row: &InboxRow) -> bool {
    row.state == InboxState::Done
        && match &row.outcome {
            Some(Outcome::Rejected(Refusal::Unclaimed)) | Some(Outcome::Ignored(IgnoreReason::NotOurs)) => true,
            Some(Outcome::Rejected(Refusal::NotFound(waited))) => {
                ["claim(", "fact(", "effect("].iter().any(|kind| waited.starts_with(kind))
            }
            _ => false,
        }
}

fn result_text(row: &InboxRow) -> String {
    match (&row.outcome, &row.error) {
        (Some(outcome), _) => match outcome.reason() {
            Some(reason) => format!("{}({reason})", outcome.name()),
            None => outcome.name().to_owned(),
        },
        (None, Some(error)) => format!("failed({error})"),
        (None, None) => "none".to_owned(),
    }
}
