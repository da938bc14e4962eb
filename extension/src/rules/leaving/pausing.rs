//! Pauses of subscriptions: a customer pays nothing and has nothing until a time, after the period that is paid for.

use super::{ending_with, living};
use crate::actions::subscription_change::{replace_change, request_preview, wait_for_change};
use crate::catalog::product::{required_text, time};
use crate::catalog::span::Span;
use crate::derive::standing::standing;
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::keys::EffectKey;
use crate::model::records::subscription::{PauseRequest, SubscriptionRow};
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::rfc3339;
use extension_contract::{ActorKind, FieldErrorCode, Outcome, Refusal, SubscriptionStatus};
use serde_json::{Value, json};

/// `subscription.pause`: pauses a plan from the end of the paid period until a time.
pub(in crate::rules) fn pause(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let until = time("until", &required_text(body, "until")?)?;
    let standing = standing(desk)?;
    let (id, row) = living(desk, &standing, body)?;
    if let Some(waits) = wait_for_change(desk, &id)? {
        return Ok(waits.into());
    }
    let billing = desk.account.row::<BillingHistory>(&id)?.unwrap_or_default();
    let not = |problem: &str| Err(Refusal::BadTransition(problem.to_owned()).into());
    let Some(at_most) = longest(desk, &row)? else { return Err(Refusal::RequirementUnmet("pause".to_owned()).into()) };
    match () {
        () if row.status() != SubscriptionStatus::Active => {
            return not("only a subscription that is paid for is paused");
        }
        () if row.is_leaving() => return not("the subscription is to end"),
        () if billing.pending.as_ref().is_some_and(|pending| pending.at > desk.now) => {
            return not("a change of the subscription is planned");
        }
        () if row.state().pause.is_some() && row.paused.is_none() => {
            return not("the subscription is paused at Stripe");
        }
        () if !ending_with(desk, &standing, &id)?.is_empty() => return not("an add-on needs the plan"),
        () => {}
    }
    let paid_until = row.state().items.iter().map(|item| item.period_end).min().unwrap_or(desk.now);
    // A pause that is made longer or shorter began with the first one.
    let begins = standing.subscription(&id).and_then(|facts| facts.pause_begins).unwrap_or(paid_until);
    let last = at_most.after(begins);
    if until <= begins.max(desk.now) || until > last {
        let expected = format!("a time after {} and until {}", rfc3339(begins.max(desk.now)), rfc3339(last));
        return Err(wrong_field("/until", FieldErrorCode::OutOfRange, "", expected));
    }
    let key = EffectKey::Pause { subscription: id.clone(), asked_by: desk.event_hash() };
    let payload = json!({"subscription": id, "resumes_at_ms": until});
    let reply_to = desk.reply_to.cloned();
    replace_change(desk, &id, billing, &key, &payload, reply_to)?;
    desk.account.put(&id, SubscriptionRow { paused: Some(PauseRequest { until }), ..SubscriptionRow::clone(&row) });
    let reply = json!({"subscription": id, "from": rfc3339(begins), "until": rfc3339(until)});
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// Returns how long a subscription may be paused: the shortest time of its products; `None` if one of them cannot be paused.
fn longest(desk: &mut Desk<'_>, row: &SubscriptionRow) -> Ruled<Option<Span>> {
    let mut shortest: Option<Span> = None;
    for item in &row.state().items {
        let Some(price) = desk.catalog.price(&item.price_id.as_str().into())? else { continue };
        let terms = desk.catalog.sale_of(&price.product_id)?.and_then(|sale| sale.pause);
        let Some(terms) = terms else { return Ok(None) };
        shortest = Some(shortest.map_or(terms.at_most, |other| other.min(terms.at_most)));
    }
    Ok(shortest)
}

/// `subscription.resume`: ends a pause before its time, or calculates what that would cost (`preview`). Only operators end a pause that
/// was made at Stripe.
pub(in crate::rules) fn resume(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let standing = standing(desk)?;
    let (id, row) = living(desk, &standing, body)?;
    if let Some(waits) = wait_for_change(desk, &id)? {
        return Ok(waits.into());
    }
    let is_ours = row.paused.is_some();
    if !is_ours && (row.state().pause.is_none() || desk.actor.kind == ActorKind::User) {
        let problem =
            if row.state().pause.is_none() { "the subscription is not paused" } else { "it is paused at Stripe" };
        return Err(Refusal::BadTransition(problem.to_owned()).into());
    }
    let is_preview = match body.get("preview") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(_) => return Err(wrong_field("/preview", FieldErrorCode::WrongType, "", "true or false")),
    };
    if is_preview {
        let known = Object::from_iter([("subscription".to_owned(), json!(id))]);
        request_preview(desk, &json!({"subscription": id, "resume": true}), known)?;
        return Ok(Outcome::Applied.into());
    }
    let billing = desk.account.row::<BillingHistory>(&id)?.unwrap_or_default();
    let key = EffectKey::Resume { subscription: id.clone(), asked_by: desk.event_hash() };
    let reply_to = desk.reply_to.cloned();
    replace_change(desk, &id, billing, &key, &json!({"subscription": id}), reply_to)?;
    desk.account.put(&id, SubscriptionRow { paused: None, ..SubscriptionRow::clone(&row) });
    Ok(Verdict::answered(Answer::Value(encode(&json!({"subscription": id}))?)))
}
