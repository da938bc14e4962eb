//! Decides an event: opens its account, applies its rule and the reconciliation, and returns the changes.

use crate::actions::sign_up_trial;
use crate::desk::Desk;
use crate::input::{self, Content, Input, newcomer};
use crate::model::halt::{Answer, Halt, Ruled, Verdict};
use crate::model::keys::TimerKey;
use crate::{queries, reconcile, rules};
use extension_contract::*;

/// Parses the event, and finds the account of a checkout that names none.
pub(crate) fn read<'e>(host: &mut dyn Imports, event: &'e Event) -> Fallible<Input<'e>> {
    let mut input = input::read(event);
    newcomer::place(host, event, &mut input)?;
    Ok(input)
}

/// Opens the event's account. An event that leads to no account gets a desk without one, whose rules can neither read
/// nor write rows. Returns `None` if the host itself parks, ignores or rejects the event.
pub(crate) fn open<'d>(host: &'d mut dyn Imports, event: &'d Event, input: &Input<'_>) -> Fallible<Option<Desk<'d>>> {
    if event.account.is_none() && !input.placement.can_lead_to_account() {
        return Ok(Some(Desk::of(host, event, None)));
    }
    let opened = match host.open(&input.placement, &input.facts)? {
        Opened::Here(here) => *here,
        Opened::Elsewhere => {
            if let Some(session) = input.paid_session_of_ours() {
                let fields = [("session".to_owned(), session.to_owned())];
                host.log_write(LogLevel::Error, "no account holds this paid checkout session", &fields);
            }
            return Ok(None);
        }
    };
    let mut desk = Desk::of(host, event, Some(opened.account));
    let facts: Vec<(String, bool)> = input.facts.iter().cloned().zip(opened.facts).collect();
    desk.catalog.take_in(opened.catalog, &input.placement.names);
    desk.account.take_in(opened.rows, &input.placement.names, &facts)?;
    Ok(Some(desk))
}

/// Applies the event's rule, then all stages of the reconciliation.
pub(crate) fn decide(desk: &mut Desk<'_>, event: &Event, input: Input<'_>) -> Ruled<Verdict> {
    let is_timer = matches!(input.content, Ok(Content::Timer(_)));
    let is_continuation = matches!(input.content, Ok(Content::Timer(Some(TimerKey::Continue { .. }))));
    let is_request =
        matches!(input.content, Ok(Content::Command(_) | Content::Product(_) | Content::Fact(_) | Content::Usage(_)));
    // The first request of an account may already need what its trial grants.
    let begins = is_request && sign_up_trial::begin(desk)?;
    let mut verdict = rules::decide(desk, event, input)?;
    if begins && matches!(verdict.outcome, Outcome::Ignored(_) | Outcome::Duplicate(_)) {
        verdict.outcome = Outcome::Applied;
    }
    if verdict.stands
        || desk.account.owner().is_none()
        || desk.account.is_platform()
        || matches!(verdict.outcome, Outcome::Rejected(_) | Outcome::Deferred(_))
    {
        return Ok(verdict);
    }
    if !is_timer && !desk.account.is_touched() {
        return Ok(verdict);
    }
    let desired = reconcile::stages(desk, is_continuation)?;
    if is_too_old_for_mail(desk)? {
        desk.account.hold_back_mails();
    }
    let changed = !is_timer || desk.account.is_changed()?;
    reconcile::apply_schedule(desk, desired)?;
    if !changed {
        verdict.outcome = Outcome::Ignored(IgnoreReason::NoChange);
    }
    Ok(verdict)
}

/// Returns whether Stripe's event is too old for a mail about it to be useful.
fn is_too_old_for_mail(desk: &Desk<'_>) -> Ruled<bool> {
    Ok(desk.payment_time < desk.now && desk.catalog.settings()?.mail_within.after(desk.payment_time) < desk.now)
}

/// Converts the result of the rules and the changed account into a decision.
pub(crate) fn conclude(mut desk: Desk<'_>, event: &Event, decided: Ruled<Verdict>) -> Fallible<Decision> {
    if desk.account.owner().is_none() {
        return Ok(Decision::of(outcome_without_account(decided)));
    }
    match decided {
        Ok(Verdict { outcome, answer, .. }) => {
            let reply = match answer {
                Answer::None => None,
                Answer::Value(value) => Some(Reply::Answer(value)),
                Answer::Refused(refusal) => Some(Reply::Refused(refusal)),
                Answer::Product(id) => Some(Reply::Answer(queries::product_answer(&mut desk, &id)?)),
            };
            desk.account.into_decision(outcome, reply)
        }
        Err(Halt::Ended(outcome)) => desk.account.into_decision(outcome, None),
        Err(Halt::Refused(refusal)) => {
            rules::refused(&mut desk, event, &refusal)?;
            let reply = event.reply_to.is_some().then(|| Reply::Refused(refusal.clone()));
            desk.account.into_decision(Outcome::Rejected(refusal), reply)
        }
        Err(Halt::Failed(failure)) => Err(failure),
    }
}

/// Returns the outcome of an event without an account, which changes nothing and answers nobody.
fn outcome_without_account(decided: Ruled<Verdict>) -> Outcome {
    match decided {
        Ok(verdict) => verdict.outcome,
        Err(Halt::Refused(refusal)) => Outcome::Rejected(refusal),
        Err(Halt::Ended(outcome)) => outcome,
        // The missing part is an id that would lead to an account.
        Err(Halt::Failed(_)) => Outcome::Rejected(Refusal::Malformed("/data/object/id".to_owned())),
    }
}
