//! `trial.extend` and `trial.end`: operators move the end of a trial, with a reason that is kept. The trial is that of a subscription, or
//! the one that began with the sign-up.

use crate::actions::subscription_change::{call_off, request_change, wait_for_trial};
use crate::catalog::product::{required_text, text, time};
use crate::catalog::span::Span;
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::ids::SubscriptionId;
use crate::model::json::{Object, encode};
use crate::model::keys::EffectKey;
use crate::model::records::sign_up_trial::SignUpTrialRow;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use crate::model::records::trial_change::{TrialChange, add};
use crate::model::time::{plus_days, rfc3339};
use extension_contract::{FieldErrorCode, Refusal, SubscriptionStatus, Timestamp};
use serde_json::{Value, json};
use std::rc::Rc;

/// The longest time from now to the end of a trial, in days, at Stripe.
const DAYS_MAX: u32 = 730;

/// The trial that a command is about.
enum Held {
    /// The one that began with the sign-up.
    SignUp(SignUpTrialRow),
    /// That of a subscription.
    Of(SubscriptionId, Rc<SubscriptionRow>, Timestamp),
}

/// `trial.extend`: moves the end of a trial to a later time.
pub(super) fn extend(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let reason = required_text(body, "reason")?;
    let held = held(desk, body)?;
    let end = match &held {
        Held::SignUp(trial) => trial.until,
        Held::Of(_, _, end) => *end,
    };
    let until = until(body, end, desk.now)?;
    change(desk, held, Some(until), reason)
}

/// `trial.end`: ends a trial now. A subscription with a card is charged, and one without a card ends.
pub(super) fn end(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let reason = required_text(body, "reason")?;
    let held = held(desk, body)?;
    change(desk, held, None, reason)
}

/// Returns the new end: `until`, or `by` after the present end.
fn until(body: &Object, end: Timestamp, now: Timestamp) -> Ruled<Timestamp> {
    let wrong = |member: &str, code, expected: &str| wrong_field(member, code, "", expected.to_owned());
    let until = match (text(body, "until")?, text(body, "by")?) {
        (Some(until), None) => time("until", &until)?,
        (None, Some(by)) => {
            let span = Span::parse(&by);
            let span = span.ok_or_else(|| wrong("/by", FieldErrorCode::BadFormat, "a span, such as 7d"))?;
            span.after(end.max(now))
        }
        (None, None) => return Err(wrong("/until", FieldErrorCode::Missing, "`until`, a time, or `by`, a span")),
        (Some(_), Some(_)) => {
            return Err(wrong("/by", FieldErrorCode::NotAllowed, "only one of `until` and `by`"));
        }
    };
    // Stripe counts seconds.
    let until = until.div_euclid(1_000).saturating_mul(1_000);
    let (least, most) = (end.max(now), plus_days(now, DAYS_MAX));
    if until <= least || until > most {
        let expected = format!("a time after {} and until {}", rfc3339(least), rfc3339(most));
        let member = if body.contains_key("by") { "/by" } else { "/until" };
        return Err(wrong_field(member, FieldErrorCode::OutOfRange, "", expected));
    }
    Ok(until)
}

/// Returns the trial that a command names by its subscription; without a name, the one that began with the sign-up. If that one is
/// over, a subscription in a trial comes first.
fn held(desk: &mut Desk<'_>, body: &Object) -> Ruled<Held> {
    let named = text(body, "id")?;
    let own = desk.account.row::<SignUpTrialRow>(SignUpTrialRow::ID)?;
    let own = own.filter(|trial| named.is_none() && trial.bought.is_none());
    if let Some(trial) = own.as_ref().filter(|trial| trial.until > desk.now) {
        return Ok(Held::SignUp(trial.clone()));
    }
    let is_meant = |id: &str, row: &SubscriptionRow| match &named {
        Some(named) => named == id,
        None => row.status() == SubscriptionStatus::Trialing,
    };
    let found = desk.account.all::<SubscriptionRow>()?.into_iter().find(|(id, row)| is_meant(id, row));
    let (id, row) = match (found, own) {
        (Some(found), _) => found,
        (None, Some(trial)) => return Ok(Held::SignUp(trial)),
        (None, None) => return Err(Refusal::NotFound(named.unwrap_or_else(|| "trial".to_owned())).into()),
    };
    match row.state().trial_end.filter(|_| row.status() == SubscriptionStatus::Trialing) {
        Some(end) => Ok(Held::Of(id.into(), row, end)),
        None => Err(Refusal::BadTransition("the subscription is not in a trial".to_owned()).into()),
    }
}

/// Moves the end of a trial; without a time, ends it now.
fn change(desk: &mut Desk<'_>, held: Held, until: Option<Timestamp>, reason: String) -> Ruled<Verdict> {
    let not = |problem: &str| Err(Refusal::BadTransition(problem.to_owned()).into());
    let end = until.unwrap_or(desk.now);
    let entry = TrialChange { at: desk.now, by: desk.actor.subject.clone(), until: end, reason: Some(reason) };
    let reply = match held {
        Held::SignUp(mut trial) => {
            if until.is_none() && trial.until <= desk.now {
                return not("the trial has ended");
            }
            trial.until = end;
            add(&mut trial.changes, entry);
            let reply = json!({"plan": trial.product, "trial_end": rfc3339(end)});
            desk.account.put(SignUpTrialRow::ID, trial);
            reply
        }
        Held::Of(id, row, _) => {
            if let Some(waits) = wait_for_trial(desk, &id)? {
                return Ok(waits.into());
            }
            let mut billing = desk.account.row::<BillingHistory>(&id)?.unwrap_or_default();
            if row.is_leaving() {
                return not("the subscription is to end");
            }
            if billing.pending.as_ref().is_some_and(|pending| pending.at > desk.now) {
                return not("a change of the subscription is planned");
            }
            if let Some(earlier) = billing.changing.take() {
                billing = call_off(desk, billing, earlier);
            }
            add(&mut billing.trial_changes, entry);
            let key = EffectKey::Trial { subscription: id.clone(), asked_by: desk.event_hash() };
            let mut payload = json!({"subscription": id});
            if let Some(until) = until {
                payload["trial_end_ms"] = Value::from(until);
            }
            request_change(desk, &id, billing, &key, &payload, desk.reply_to.cloned())?;
            json!({"subscription": id, "trial_end": rfc3339(end)})
        }
    };
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}
