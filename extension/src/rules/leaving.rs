//! Leaving and coming back: cancels subscriptions, and withdraws a planned end or a planned change.

mod offer;
pub(super) mod pausing;

use crate::actions::subscription_change::{
    call_off, forget_cancellation, replace_change, request_change, wait_for_change,
};
use crate::catalog::amount;
use crate::catalog::product::{text, text_within};
use crate::catalog::settings::Settings;
use crate::catalog::words::one_of;
use crate::derive::plans::PlanInForce;
use crate::derive::standing::{AccountStanding, standing};
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::ids::SubscriptionId;
use crate::model::json::{Object, encode};
use crate::model::keys::{EffectKey, word_of};
use crate::model::records::cancellation::{Because, CancelRequest};
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use extension_contract::{ActorKind, FieldErrorCode, Refusal, SubscriptionStatus};
use serde_json::{Value, json};
use std::rc::Rc;

/// Maximum number of characters of a reason and of a comment.
const WORDS_CHARS_MAX: usize = 500;

/// `subscription.cancel`: cancels at the end of the period. Only an administrator may cancel at once.
pub(super) fn cancel(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let at_period_end = match body.get("at_period_end") {
        None | Some(Value::Null | Value::Bool(true)) => true,
        Some(Value::Bool(false)) => false,
        Some(_) => return Err(wrong_field("/at_period_end", FieldErrorCode::WrongType, "", "true or false")),
    };
    if !at_period_end && desk.actor.kind == ActorKind::User {
        return Err(Refusal::Forbidden("only an administrator may cancel at once".to_owned()).into());
    }
    let standing = standing(desk)?;
    let because = because(body, &standing.settings)?;
    let (id, row) = living(desk, &standing, body)?;
    if let Some(waits) = wait_for_change(desk, &id)? {
        return Ok(waits.into());
    }
    // If the period was not paid for, there is no reason to wait for its end: it is no longer used, and its payment is no longer
    // collected.
    let is_unpaid = matches!(row.status(), SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid);
    let pause_begins = standing.subscription(&id).and_then(|facts| facts.pause_begins);
    let is_unpaid = is_unpaid || pause_begins.is_some_and(|begins| begins <= desk.now);
    let at_period_end = at_period_end && !is_unpaid;
    let mut reply = json!({"subscription": id, "at_period_end": at_period_end});
    let mut payload = reply.clone();
    if !because.is_empty() {
        payload["cancellation_details"] = json!(because.at_stripe());
    }
    let key = EffectKey::Cancel { subscription: id.clone(), asked_by: desk.event_hash() };
    let mut billing = desk.account.row::<BillingHistory>(&id)?.unwrap_or_default();
    // An earlier `keep` that has not begun is called off. A planned change is not: it still applies until the subscription ends.
    if let Some(earlier) = billing.changing.clone().filter(|key| word_of(key) == "keep") {
        billing = call_off(desk, billing, earlier);
    }
    let reply_to = desk.reply_to.cloned();
    request_change(desk, &id, billing, &key, &payload, reply_to)?;
    let asked = CancelRequest { at: desk.now, at_once: !at_period_end, because };
    desk.account.put(&id, SubscriptionRow { asked: Some(asked), ..SubscriptionRow::clone(&row) });
    let add_ons = cancel_with(desk, &standing, &id, at_period_end)?;
    if !add_ons.is_empty() {
        reply["add_ons"] = json!(add_ons);
    }
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// Reads why a subscription is cancelled: the reason, which is one of the business's own if it declares them, and the customer's words.
fn because(body: &Object, settings: &Settings) -> Ruled<Because> {
    let read = |name: &str| -> Ruled<Option<String>> {
        Ok(text_within(body, name, WORDS_CHARS_MAX)?.filter(|text| !text.is_empty()))
    };
    let (reason, comment) = (read("reason")?, read("comment")?);
    let known = &settings.cancel_reasons;
    match &reason {
        Some(reason) if !known.is_empty() && !known.contains(reason) => {
            let found = format!("`{reason}` is not a reason");
            Err(wrong_field("/reason", FieldErrorCode::NotAllowed, found, one_of(known)))
        }
        _ => Ok(Because { reason, comment }),
    }
}

/// `subscription.keep`: withdraws the planned end of a subscription and of the add-ons that were to end with it, and the subscription's
/// planned change.
pub(super) fn keep(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let standing = standing(desk)?;
    let (id, row) = living(desk, &standing, body)?;
    if let Some(waits) = wait_for_change(desk, &id)? {
        return Ok(waits.into());
    }
    let mut billing = desk.account.row::<BillingHistory>(&id)?.unwrap_or_default();
    let is_changing = billing.pending.as_ref().is_some_and(|pending| pending.at > desk.now);
    let offer = offer::accepted(desk, body, &standing, (&id, &row), is_changing)?;
    if offer.is_none() && !row.is_leaving() && !is_changing {
        let problem = "neither an end nor a change of the subscription is planned";
        return Err(Refusal::BadTransition(problem.to_owned()).into());
    }
    let ends: Vec<i64> = row.state().items.iter().map(|item| item.period_end).collect();
    if let Some((code, _)) = &offer {
        let key = EffectKey::Keep { subscription: id.clone(), asked_by: desk.event_hash() };
        if let Some(earlier) = billing.changing.clone() {
            billing = call_off(desk, billing, earlier);
        }
        billing = BillingHistory { changing: None, offer: Some((key.to_string(), code.clone())), ..billing };
    }
    keep_one(desk, &id, billing, offer.as_ref().map(|(_, promotion_code)| promotion_code.as_str()))?;
    let mut add_ons: Vec<SubscriptionId> = Vec::new();
    for (other, row) in desk.account.all::<SubscriptionRow>()? {
        let billing = desk.account.get::<BillingHistory>(&other)?;
        let Some(billing) = billing.filter(|of| of.ends_with_plan.is_some_and(|end| ends.contains(&end))) else {
            continue;
        };
        if other != *id && !row.is_final() {
            let other = SubscriptionId::from(other);
            keep_one(desk, &other, BillingHistory { ends_with_plan: None, ..BillingHistory::clone(&billing) }, None)?;
            add_ons.push(other);
        }
    }
    let mut reply = json!({"subscription": id});
    if !add_ons.is_empty() {
        reply["add_ons"] = json!(add_ons);
    }
    if let Some((code, _)) = &offer {
        reply["code"] = json!(code);
    }
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// Asks Stripe to keep one subscription as it is, with the discount of a promotion code. A request that has not begun is called off.
fn keep_one(
    desk: &mut Desk<'_>,
    id: &SubscriptionId,
    billing: BillingHistory,
    promotion_code: Option<&str>,
) -> Ruled<()> {
    let key = EffectKey::Keep { subscription: id.clone(), asked_by: desk.event_hash() };
    let mut payload = json!({"subscription": id});
    if let Some(promotion_code) = promotion_code {
        payload["promotion_code"] = json!(promotion_code);
    }
    let reply_to = desk.reply_to.cloned();
    replace_change(desk, id, BillingHistory { pending: None, ..billing }, &key, &payload, reply_to)?;
    forget_cancellation(desk, id)
}

/// Returns the subscription that a command names, unless it has ended. If the command gives no id, returns the subscription of a plan;
/// without one, a paused subscription; without one, the first.
fn living(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    body: &Object,
) -> Ruled<(SubscriptionId, Rc<SubscriptionRow>)> {
    let named = text(body, "id")?;
    let wanted = match &named {
        Some(id) => Some(SubscriptionId::from(id.as_str())),
        None => {
            let of_plan = standing.plans.values().find_map(|plan| plan.subscription.clone());
            let paused = || standing.subscriptions.iter().find(|facts| facts.row.paused.is_some());
            of_plan.or_else(|| paused().map(|facts| facts.id.clone()))
        }
    };
    let mut living = desk.account.all::<SubscriptionRow>()?.into_iter().filter(|(_, row)| !row.is_final());
    let found = living.find(|(id, _)| wanted.as_ref().is_none_or(|wanted| *id == **wanted));
    let (id, row) = found.ok_or_else(|| Refusal::NotFound(named.unwrap_or_else(|| "subscription".to_owned())))?;
    Ok((SubscriptionId::from(id), row))
}

/// Cancels the add-ons whose condition only this plan meets, at the plan's end. Payments for the time after that
/// are refunded when the add-ons have ended. If the provider does not support the date, it cancels an add-on at the end
/// of the add-on's period, so that no paid time is lost.
fn cancel_with(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    plan: &SubscriptionId,
    at_period_end: bool,
) -> Ruled<Vec<SubscriptionId>> {
    let ends = |in_force: &PlanInForce| in_force.subscription.as_ref() == Some(plan);
    let end = standing.plans.iter().find(|(_, in_force)| ends(in_force)).and_then(|(f, _)| standing.plan_item(f));
    let Some((_, end)) = end else { return Ok(Vec::new()) };
    let found = ending_with(desk, standing, plan)?;
    for id in &found {
        let billing = desk.account.row::<BillingHistory>(id)?.unwrap_or_default();
        let ends_with_plan = Some(if at_period_end { end.period_end } else { desk.now });
        let mut payload = json!({"subscription": id, "at_period_end": at_period_end});
        if at_period_end {
            payload["cancel_at_ms"] = json!(end.period_end);
        }
        let key = EffectKey::Cancel { subscription: id.clone(), asked_by: desk.event_hash() };
        request_change(desk, id, BillingHistory { ends_with_plan, ..billing }, &key, &payload, None)?;
    }
    Ok(found)
}

/// Returns the add-ons whose condition only this plan meets.
fn ending_with(desk: &Desk<'_>, standing: &AccountStanding, plan: &SubscriptionId) -> Ruled<Vec<SubscriptionId>> {
    let ends = |in_force: &PlanInForce| in_force.subscription.as_ref() == Some(plan);
    if !standing.plans.values().any(ends) {
        return Ok(Vec::new());
    }
    // Whether other plans, or the default plan that follows, grant the entitlement.
    let stays = |key: &str| {
        standing.plans.iter().any(|(family, in_force)| {
            let default = standing.settings.defaults.get(family).filter(|default| default.is_for(desk.account.owner()));
            match ends(in_force) {
                true => default.is_some_and(|default| amount::include(&default.grants, key)),
                false => amount::include(&in_force.grants, key),
            }
        })
    };
    let mut found = Vec::new();
    for facts in standing.subscriptions.iter().filter(|facts| facts.id != *plan && facts.lost_at.is_none()) {
        let mut all_end = !facts.gives.is_empty();
        for (price, _) in &facts.gives {
            let condition = price.terms()?.condition.as_deref();
            all_end &= condition.is_some_and(|key| standing.is_granted_by_plan(key) && !stays(key));
        }
        if all_end {
            found.push(facts.id.clone());
        }
    }
    Ok(found)
}
