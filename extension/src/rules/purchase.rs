//! Commands on purchases and plans: create a checkout, change the plan. The outcome of a checkout arrives with its
//! session's events.

use crate::actions::coupons;
use crate::actions::create_instance::{create_now, create_waiting};
use crate::actions::customer::{CHECKOUT_NOT_OPENED, open_checkout, request_checkout};
use crate::actions::failed_effect::unattended_result;
use crate::actions::subscription_change::{
    forget_cancellation, forget_refused, replace_change, request_preview, wait_for_change,
};
use crate::catalog::account_name::metadata_naming;
use crate::catalog::known_coupon;
use crate::catalog::price::Interval;
use crate::catalog::product::text;
use crate::catalog::rate::PaidBy;
use crate::catalog::return_address;
use crate::catalog::sale::TrialCard;
use crate::catalog::settings::{CustomerCreation, Proration, Settings};
use crate::catalog::terms::CatalogPrice;
use crate::derive::currency;
use crate::derive::customer::customer;
use crate::derive::offer::{self, OFFERED_PRICE, OFFERED_QUANTITY, SelectedOffer};
use crate::derive::plans::PlanInForce;
use crate::derive::standing::{AccountStanding, UNLIMITED, standing};
use crate::derive::subscriptions::SubscriptionFacts;
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, internal, wrong_field};
use crate::model::ids::SubscriptionId;
use crate::model::json::{Object, decode, encode};
use crate::model::keys::{ClaimKey, EffectKey, FactKey, word_of};
use crate::model::records::customer::{Customer, CustomerRequest};
use crate::model::records::purchase::{Counted, Details, PurchaseRow, Step};
use crate::model::records::session::{Session, SessionStatus};
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::{BillingHistory, PendingChange};
use crate::model::records::summary::Summary;
use crate::model::time::DAY_MS;
use extension_contract::*;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::rc::Rc;

/// What a caller learns whose change Stripe could not price.
const NOT_PREVIEWED: &str = "the price of the change could not be calculated; nothing was changed or charged";
/// Why a paused plan is neither changed nor bought again.
const PLAN_PAUSED: &str = "the plan is paused: subscription.resume";

/// `purchase.create`: begins a checkout, or changes the plan of an account that already has a plan.
pub(super) fn create(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let offer = offer::find(&desk.catalog, body)?;
    let unit_price = currency::unit_price(desk, body, &offer.price)?;
    let settings = desk.catalog.settings()?;
    let origins = &settings.origins;
    let code = match text(body, "code")?.filter(|code| !code.is_empty()) {
        Some(given) => Some(coupons::usable(desk, &given, &offer.product.id)?),
        None => None,
    };
    let success_url = return_address::given(body, "success_url", origins)?;
    let cancel_url = return_address::given(body, "cancel_url", origins)?;
    let standing = standing(desk)?;
    let account = desk.account.owned()?;
    offer.check_buyer(desk, &standing)?;
    let held = offer.price.family.as_ref().and_then(|family| standing.plans.get(family));
    // A default plan or a one-time purchase has no subscription to change.
    if let Some(plan) = held.filter(|plan| plan.price_id.is_some()) {
        // Whoever buys a plan again that is about to end goes on with it.
        let subscription = plan.subscription.as_deref().and_then(|id| standing.subscription(id));
        let is_ending = subscription.is_some_and(|facts| facts.row.is_leaving());
        // More or fewer seats of the same plan are a change.
        let item = standing.plan_item(offer.sold_as()).map(|(_, item)| item.quantity);
        let has_other_seats = offer.names_quantity && offer.price.terms()?.by_seat && item != Some(offer.quantity);
        if plan.price_id.as_ref() == Some(&offer.price.id) && !is_ending && !has_other_seats {
            return Err(Refusal::AlreadyOwned(offer.product.id.clone()).into());
        }
        if let Some(subscription) = &plan.subscription {
            if let Some(waits) = wait_for_change(desk, subscription)? {
                return Ok(waits.into());
            }
            // The ordered product is created first: if it exceeds a quota, the plan is not changed.
            let product = match product_of(body)? {
                Some(product) => Some(create_now(desk, product)?),
                None => None,
            };
            if code.is_some() {
                let found = "a change of the plan has no checkout";
                return Err(wrong_field("/code", FieldErrorCode::NotAllowed, found, "no code"));
            }
            let mut offer = offer;
            keep_unnamed(desk, &standing, &mut offer)?;
            return change(desk, &standing, &offer, product);
        }
    }
    // A paused plan goes on by itself; a second one would be paid beside it.
    let is_paused = |facts: &SubscriptionFacts| {
        facts.row.paused.is_some() && offer.price.family.as_ref().is_some_and(|family| facts.plans.contains_key(family))
    };
    if standing.subscriptions.iter().any(is_paused) {
        return Err(Refusal::BadTransition(PLAN_PAUSED.to_owned()).into());
    }
    if offer.price.interval.is_none() && unit_price.amount_minor == 0 {
        return complete_free_purchase(desk, &offer, unit_price, &settings);
    }
    let code_name = code.as_ref().map(|(name, _)| name);
    if let Some(open) = find_open_checkout(desk, body, &offer, &unit_price, code_name)? {
        return Ok(open);
    }
    let id = format!("pur_{}", desk.event_hash());
    desk.account.claim([ClaimKey::Purchase(&id)])?;
    let product_id = match product_of(body)? {
        Some(product) => Some(create_waiting(desk, product, &id, &standing, &offer.price.granted(offer.quantity)?)?),
        None => None,
    };
    let is_recurring = offer.price.interval.is_some();
    let trial = match offer.sale.checkout_trial().filter(|_| is_recurring) {
        Some(trial) => (!desk.account.is_known(&FactKey::Trial(offer.sold_as()).to_string())?).then_some(trial),
        None => None,
    };
    let currency = unit_price.currency.clone();
    let mut values = offer.agreed(unit_price, &settings.provider)?;
    if trial.is_some() {
        values.total.amount_minor = 0;
    }
    desk.account.put(
        &id,
        PurchaseRow {
            values,
            details: Details {
                product_id,
                sold: offer.sold()?,
                asked_at: Some(desk.now),
                code: code_name.cloned(),
                ..Details::default()
            },
        },
    );
    let mut metadata = offer.metadata(&account)?;
    metadata.insert("purchase_id".to_owned(), json!(id));
    metadata.extend(metadata_naming(&account).into_iter().flatten());
    let of_type = (offer.url(offer.buy.success_url.as_ref())?, offer.url(offer.buy.cancel_url.as_ref())?);
    let mut payload = json!({
        "mode": if is_recurring { "subscription" } else { "payment" },
        "price": offer.price.id, "quantity": offer.quantity, "client_reference_id": id, "customer": customer(desk)?,
        "success_url": success_url.or(of_type.0).unwrap_or_else(|| settings.success_url.clone()),
        "cancel_url": cancel_url.or(of_type.1).unwrap_or_else(|| settings.cancel_url.clone()),
    });
    // Stripe does not copy metadata from a session to the objects that it creates.
    let made = if is_recurring { "subscription_data" } else { "payment_intent_data" };
    payload[made] = json!({"metadata": metadata});
    // Top-ups and invoices of usage are charged to the card later.
    let has_invoices = settings.rates.values().any(|rate| rate.pay.contains(&PaidBy::Invoice));
    if !is_recurring && has_invoices || settings.top_up.is_some() && offer.is_credit()? {
        payload["saves_card"] = json!(true);
    }
    // Stripe takes either a discount or the customer's own code.
    if let Some((_, promotion_code)) = &code {
        payload["promotion_code"] = json!(promotion_code);
    } else if settings.codes || known_coupon::has_codes(&settings.coupons) {
        payload["codes"] = json!(true);
    }
    if settings.currency.are_several() || currency != *settings.currency {
        payload["currency"] = json!(currency);
    }
    if settings.tax.is_some() {
        payload["tax"] = json!(true);
    }
    if settings.tax_ids.is_some() {
        payload["tax_ids"] = json!(true);
    }
    if let Some(trial) = trial {
        payload["trial_days"] = json!(trial.days());
        if trial.card == TrialCard::Optional {
            payload["card"] = json!("optional");
        }
    }
    metadata.insert(OFFERED_PRICE.to_owned(), json!(offer.price.id));
    metadata.insert(OFFERED_QUANTITY.to_owned(), json!(offer.quantity.to_string()));
    payload["metadata"] = Value::Object(metadata);
    begin_checkout(desk, &id, &payload, settings.customer_creation)?;
    Ok(Outcome::Applied.into())
}

/// Completes a free purchase at once, without Stripe.
fn complete_free_purchase(
    desk: &mut Desk<'_>,
    offer: &SelectedOffer,
    unit_price: Money,
    settings: &Settings,
) -> Ruled<Verdict> {
    let id = format!("pur_{}", desk.event_hash());
    desk.account.claim([ClaimKey::Purchase(&id)])?;
    let counts =
        Counted { id: id.clone(), status: SessionStatus::Paid, paid_at: Some(desk.payment_time), ..Counted::default() };
    let values = PurchaseValues { status: PurchaseStatus::Paid, ..offer.agreed(unit_price, &settings.provider)? };
    let details = Details { step: Step::Fulfilled, counts: Some(counts), sold: offer.sold()?, ..Details::default() };
    desk.account.put(&id, PurchaseRow { values, details });
    Ok(Verdict::answered(Answer::Value(encode(&json!({"purchase_id": id, "checkout_url": null}))?)))
}

/// Requests the checkout. If the business creates customers before checkouts, and the account has no customer, requests
/// the customer first.
fn begin_checkout(desk: &mut Desk<'_>, id: &str, payload: &Value, creation: CustomerCreation) -> Ruled<()> {
    match creation == CustomerCreation::Checkout || !payload["customer"].is_null() {
        true => request_checkout(desk, id, payload, desk.reply_to.cloned()),
        false => open_checkout(desk, id, payload),
    }
}

/// Returns the product to be created for a purchase.
fn product_of(body: &Object) -> Ruled<Option<&Object>> {
    match body.get("product") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(product)) => Ok(Some(product)),
        Some(_) => Err(wrong_field("/product", FieldErrorCode::WrongType, "", "an object")),
    }
}

/// Returns the reply with an open checkout for the same offer, so that a double click does not buy twice. While the provider
/// has not answered the first order, the second one waits for the same answer. A repeated order with a product fails because the
/// product's name is taken.
fn find_open_checkout(
    desk: &mut Desk<'_>,
    body: &Object,
    offer: &SelectedOffer,
    unit_price: &Money,
    code: Option<&String>,
) -> Ruled<Option<Verdict>> {
    if product_of(body)?.is_some() {
        return Ok(None);
    }
    for (id, row) in desk.account.all::<PurchaseRow>()? {
        let is_same = |item: &LineItem| {
            item.price_id.as_deref() == Some(&*offer.price.id)
                && item.quantity == offer.quantity
                && item.unit_price == *unit_price
        };
        let same = row.values.items.iter().any(is_same) && row.details.code.as_ref() == code;
        let is_checkout = row.details.product_id.is_none() && !row.details.without_checkout;
        if !same || row.values.status != PurchaseStatus::Pending || !is_checkout {
            continue;
        }
        // A checkout is open for a day, also if its expiry was not told yet.
        let is_over = row.details.asked_at.is_some_and(|at| at.saturating_add(DAY_MS) <= desk.now);
        if is_over && row.details.counts.as_ref().is_none_or(|session| session.status == SessionStatus::Open) {
            continue;
        }
        if row.awaits_checkout() {
            let asked = match row.details.awaits_customer.is_some() {
                true => desk.account.row::<CustomerRequest>(CustomerRequest::ID)?.map(|request| request.effect),
                false => None,
            };
            let key = asked.unwrap_or_else(|| EffectKey::Checkout { purchase: id }.to_string());
            return Ok(Some(Outcome::Deferred(DeferReason::Effect(key)).into()));
        }
        let reply = json!({
            "purchase_id": id, "session_id": row.values.session_id, "checkout_url": row.details.checkout_url,
        });
        let answer = Answer::Value(encode(&reply)?);
        return Ok(Some(Verdict { answer, ..Outcome::Ignored(IgnoreReason::NoChange).into() }));
    }
    Ok(None)
}

/// Handles the result of the checkout request.
pub(super) fn checkout_created(desk: &mut Desk<'_>, id: &str, report: &EffectReport) -> Ruled<Verdict> {
    let Some(mut row) = desk.account.row::<PurchaseRow>(id)? else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    };
    let refused = || Answer::not_done(CHECKOUT_NOT_OPENED);
    let fail = |row: &mut PurchaseRow, code: &str| {
        row.values.status = PurchaseStatus::Cancelled;
        row.details.step = Step::Failed;
        row.details.error = Some(json!({"code": code}));
        refused()
    };
    let answer = match &report.answer {
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            let Some(session) = answer.get("session_id").or_else(|| answer.get("id")).and_then(Value::as_str) else {
                return Err(internal(format!("{}: the result has no session", report.key)));
            };
            let is_of_other = |row: &PurchaseRow| row.values.session_id.as_deref() == Some(session);
            let others = desk.account.all_where(is_of_other)?;
            // The webhook event may have arrived first; without our metadata it created a separate purchase.
            if desk.account.get::<Session>(session)?.is_some_and(|known| known.purchase != id)
                || others.iter().any(|(other, _)| other != id)
            {
                fail(&mut row, "session-of-another-purchase")
            } else {
                desk.account.claim([ClaimKey::Session(session)])?;
                match &row.values.session_id {
                    None => {
                        row.values.session_id = Some(session.to_owned());
                        row.details.step = Step::CheckoutOpen;
                    }
                    Some(counted) if counted != session && desk.account.get::<Session>(session)?.is_none() => {
                        row.details.own_session = Some(session.to_owned());
                    }
                    Some(_) => {}
                }
                let url = answer.get("url").cloned().unwrap_or(Value::Null);
                row.details.checkout_url = Some(url.clone());
                let reply = json!({"checkout_url": url, "session_id": session, "purchase_id": id});
                Answer::Value(encode(&reply)?)
            }
        }
        // A webhook event has shown that the session exists, so the session may be paid.
        Err(_) if row.values.session_id.is_some() => refused(),
        Err(failure) => {
            forget_customer(desk, failure)?;
            fail(&mut row, &failure.code)
        }
    };
    desk.account.put(id, row);
    Ok(Verdict::answered(answer))
}

/// Marks a customer that Stripe no longer knows as deleted, so that the next request creates a new one.
pub(super) fn forget_customer(desk: &mut Desk<'_>, failure: &EffectFailure) -> Ruled<()> {
    let Some(customer) = customer(desk)? else { return Ok(()) };
    if failure.code == "resource_missing" && failure.message.contains(&customer) {
        let known = desk.account.row::<Customer>(&customer)?.unwrap_or_default();
        let deleted_at = known.deleted_at.or(Some(desk.payment_time));
        desk.account.put(&customer, Customer { deleted_at });
    }
    Ok(())
}

/// `subscription.change`: upgrades at once and charges the difference at once; downgrades at the end of the period
///
pub(super) fn change_plan(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    match wanted_change(desk, body)? {
        Ok((standing, offer)) => change(desk, &standing, &offer, None),
        Err(waits) => Ok(waits.into()),
    }
}

/// `subscription.preview`: asks Stripe what a change would cost, and changes nothing.
pub(super) fn preview(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (standing, offer) = match wanted_change(desk, body)? {
        Ok(wanted) => wanted,
        Err(waits) => return Ok(waits.into()),
    };
    let PlannedChange { payload, mut reply, .. } = planned_change(desk, &standing, &offer)?;
    reply["interval"] = json!(Interval::of(offer.price.interval).name());
    reply["quantity"] = json!(offer.quantity);
    let Value::Object(change) = reply else { return Err(internal("expected an object".to_owned())) };
    request_preview(desk, &payload, change)?;
    Ok(Outcome::Applied.into())
}

/// Handles the result of a preview: adds the figures to what is known of the change.
pub(super) fn previewed(change: &Object, report: &EffectReport) -> Ruled<Verdict> {
    Ok(Verdict::answered(match &report.answer {
        Ok(answer) => {
            let mut reply = change.clone();
            reply.extend(decode::<Object>("effects", &report.key, answer)?);
            Answer::Value(encode(&reply)?)
        }
        Err(_) => Answer::not_done(NOT_PREVIEWED),
    }))
}

/// Returns the offer to which a plan is to change, with what the request does not name. While a change is under way,
/// returns what the request waits for.
fn wanted_change(desk: &mut Desk<'_>, body: &Object) -> Ruled<Result<(AccountStanding, SelectedOffer), Outcome>> {
    let mut offer = offer::find(&desk.catalog, body)?;
    let standing = standing(desk)?;
    if let Some(subscription) = standing.plans.get(offer.sold_as()).and_then(|plan| plan.subscription.as_ref())
        && let Some(waits) = wait_for_change(desk, subscription)?
    {
        return Ok(Err(waits));
    }
    keep_unnamed(desk, &standing, &mut offer)?;
    currency::unit_price(desk, body, &offer.price)?;
    Ok(Ok((standing, offer)))
}

/// Handles the result of a change of plan.
pub(super) fn changed(desk: &mut Desk<'_>, subscription: &str, report: &EffectReport) -> Ruled<Outcome> {
    let outcome = unattended_result(desk, report)?;
    let is_refused = report.answer.is_err();
    let mut billing = desk.account.row::<BillingHistory>(subscription)?;
    if let Some((_, code)) = billing.as_mut().and_then(|billing| billing.offer.take_if(|(key, _)| *key == report.key)) {
        if !is_refused {
            desk.account.record_fact(&FactKey::StayedWithOffer.to_string())?;
            if let Some(row) = desk.account.row::<SubscriptionRow>(subscription)? {
                desk.account
                    .put(subscription, SubscriptionRow { kept_with: Some(code), kept_at: Some(desk.now), ..row });
            }
        }
        if let Some(billing) = billing.clone() {
            desk.account.put(subscription, billing);
        }
    }
    let Some(mut billing) = billing.filter(|billing| billing.changing.as_ref() == Some(&report.key)) else {
        return Ok(outcome);
    };
    if is_refused && word_of(&report.key) == "trial" {
        billing.trial_changes.pop();
    }
    desk.account.put(subscription, BillingHistory { changing: None, ..billing });
    if is_refused {
        forget_refused(desk, subscription, word_of(&report.key))?;
    }
    Ok(Outcome::Applied)
}

/// Keeps the parts of a plan that a change does not name: the seats, the interval, and the price if only the seats
/// change.
fn keep_unnamed(desk: &Desk<'_>, standing: &AccountStanding, offer: &mut SelectedOffer) -> Ruled<()> {
    let Some((_, item)) = standing.plan_item(offer.sold_as()) else { return Ok(()) };
    let held = desk.catalog.price(&item.price_id.as_str().into())?;
    if !offer.names_quantity && offer.price.terms()?.by_seat {
        let (least, most) = offer.sale.quantities();
        let has_seats = match &held {
            Some(held) => held.terms()?.by_seat,
            None => false,
        };
        // Nobody gets or loses seats that a command does not name.
        if has_seats && !(least..=most).contains(&item.quantity) {
            let found = format!("the account has {}", item.quantity);
            return Err(wrong_field("/quantity", FieldErrorCode::OutOfRange, found, format!("{least} to {most}")));
        }
        offer.quantity = item.quantity.clamp(least, most);
    }
    let Some(held) = held else { return Ok(()) };
    let is_same_interval = !offer.names_interval || held.interval == offer.price.interval;
    match *held.product_id == offer.product.id {
        true if is_same_interval => offer.price = held,
        false if !offer.names_interval => offer.take_interval(&desk.catalog, held.interval.as_ref())?,
        _ => {}
    }
    Ok(())
}

/// A change of plan, as it is requested from the provider.
struct PlannedChange {
    subscription: SubscriptionId,
    billing: BillingHistory,
    /// What the change leaves for the end of the period.
    pending: Option<PendingChange>,
    /// Whether it takes the end of the subscription back.
    takes_end_back: bool,
    payload: Value,
    /// What the caller learns.
    reply: Value,
}

fn change(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    offer: &SelectedOffer,
    product: Option<String>,
) -> Ruled<Verdict> {
    let PlannedChange { subscription, billing, pending, takes_end_back, payload, mut reply } =
        planned_change(desk, standing, offer)?;
    let key = EffectKey::Change { subscription: subscription.clone(), asked_by: desk.event_hash() };
    let reply_to = desk.reply_to.cloned();
    replace_change(desk, &subscription, BillingHistory { pending, ..billing }, &key, &payload, reply_to)?;
    if takes_end_back {
        forget_cancellation(desk, &subscription)?;
    }
    if let Some(product) = product {
        reply["product_id"] = json!(product);
    }
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// Plans a change of the account's plan to an offer. Refuses one that changes nothing.
fn planned_change(desk: &mut Desk<'_>, standing: &AccountStanding, offer: &SelectedOffer) -> Ruled<PlannedChange> {
    let family = offer.sold_as();
    let plan = standing.plans.get(family);
    let (Some(plan), Some(subscription)) = (plan, plan.and_then(|plan| plan.subscription.clone())) else {
        return Err(Refusal::NoEntitlement(family.to_owned()).into());
    };
    if standing.subscription(&subscription).is_some_and(|facts| facts.row.paused.is_some()) {
        return Err(Refusal::BadTransition(PLAN_PAUSED.to_owned()).into());
    }
    let billing = desk.account.row::<BillingHistory>(&subscription)?.unwrap_or_default();
    let is_held = plan.price_id.as_ref() == Some(&offer.price.id);
    let seats = standing.plan_item(family).map_or(1, |(_, item)| item.quantity);
    let is_by_seat = offer.price.terms()?.by_seat;
    // A pending change can be withdrawn, so that the current plan is kept.
    let taken_back = billing.pending.as_ref().is_some_and(|pending| {
        let is_other = Some(&pending.price) != plan.price_id.as_ref() || is_by_seat && pending.quantity != seats;
        pending.at > desk.now && is_other
    });
    // A change takes the end of the subscription back: who goes on with a plan stays.
    let is_ending = standing.subscription(&subscription).is_some_and(|facts| facts.row.is_leaving());
    if is_held && !taken_back && !is_ending && (!is_by_seat || seats == offer.quantity) {
        return Err(Refusal::AlreadyOwned(offer.product.id.clone()).into());
    }
    let Some((_, item)) = standing.plan_item(family) else {
        return Err(internal(format!("{subscription}: expected an item of its plan")));
    };
    let ordering = match leaves_trial(desk, standing, &subscription, plan, offer)? {
        // What is sold without a trial begins when the trial is over: it is neither given for free nor charged before.
        true => Ordering::Less,
        false => direction(desk, plan, offer, is_by_seat.then_some(seats))?,
    };
    let (at, behavior) = match ordering {
        Ordering::Greater if offer.price.interval == held_price(desk, plan)?.and_then(|held| held.interval) => {
            ("now", standing.settings.proration.behavior())
        }
        Ordering::Greater => ("now", Proration::Now.behavior()),
        Ordering::Equal => ("now", "none"),
        Ordering::Less => ("period_end", "none"),
    };
    let (price, quantity) = (&offer.price.id, offer.quantity);
    let pending = (at == "period_end").then(|| PendingChange { price: price.clone(), quantity, at: item.period_end });
    let mut payload = json!({
        "subscription": subscription, "item": item.id, "price": offer.price.id, "at": at,
        "period_end_ms": item.period_end, "proration_behavior": behavior,
    });
    // A plan that is not sold by seats is paid once, also after one with seats.
    if is_by_seat || item.quantity != offer.quantity {
        payload["quantity"] = json!(offer.quantity);
    }
    if is_ending {
        payload["keep"] = json!(true);
    }
    let reply = json!({
        "subscription": subscription, "plan_id": offer.product.id, "at": at,
        "effective_at": if at == "now" { desk.now } else { item.period_end },
        "exceeds": exceeded_after(desk, standing, offer)?,
    });
    Ok(PlannedChange { subscription, billing, pending, takes_end_back: is_ending, payload, reply })
}

/// Returns whether an offer is sold without a trial, and the account is in the trial of its plan.
fn leaves_trial(
    desk: &Desk<'_>,
    standing: &AccountStanding,
    subscription: &str,
    plan: &PlanInForce,
    offer: &SelectedOffer,
) -> Ruled<bool> {
    let is_trial = |facts: &SubscriptionFacts| facts.row.status() == SubscriptionStatus::Trialing;
    if offer.sale.checkout_trial().is_some() || !standing.subscription(subscription).is_some_and(is_trial) {
        return Ok(false);
    }
    let sale = match held_price(desk, plan)? {
        Some(held) => desk.catalog.sale_of(&held.product_id)?,
        None => None,
    };
    Ok(sale.is_some_and(|sale| sale.checkout_trial().is_some()))
}

/// Returns the price of a plan in force.
fn held_price(desk: &Desk<'_>, plan: &PlanInForce) -> Ruled<Option<Rc<CatalogPrice>>> {
    match &plan.price_id {
        Some(id) => desk.catalog.price(id),
        None => Ok(None),
    }
}

/// Returns whether a change is an upgrade, neutral or a downgrade: by the plan's rank, then by the billing period
/// then by the seats.
fn direction(desk: &mut Desk<'_>, plan: &PlanInForce, offer: &SelectedOffer, seats: Option<u32>) -> Ruled<Ordering> {
    let held = held_price(desk, plan)?;
    // A longer billing period has fewer payments per year and a higher payment.
    let of_year = |price: &CatalogPrice| Interval::of(price.interval).a_year();
    let intervals = held.filter(|held| *held.product_id == offer.product.id);
    let by_interval = intervals.map_or(Ordering::Equal, |held| of_year(&held).cmp(&of_year(&offer.price)));
    let by_seats = seats.map_or(Ordering::Equal, |seats| offer.quantity.cmp(&seats));
    let is_same = plan.price_id.as_ref() == Some(&offer.price.id);
    let ordering = offer.price.rank()?.cmp(&plan.rank).then(by_interval).then(by_seats);
    // Another plan of the same rank counts as a downgrade.
    Ok(if ordering == Ordering::Equal && !is_same { Ordering::Less } else { ordering })
}

/// Returns the used amounts beyond the new plan's grants, as a warning; the downgrade is allowed.
fn exceeded_after(desk: &mut Desk<'_>, standing: &AccountStanding, offer: &SelectedOffer) -> Ruled<Vec<Value>> {
    let summary = desk.account.get::<Summary>(Summary::ID)?.unwrap_or_default();
    let mut out = Vec::new();
    for grant in &offer.price.granted(offer.quantity)? {
        let used = summary.consumed.get(&grant.key).copied().unwrap_or(0);
        if grant.amount != UNLIMITED && used > grant.amount {
            let now = standing.allows(&grant.key);
            out.push(json!({"key": grant.key, "used": used, "allowed": grant.amount, "allowed_now": now}));
        }
    }
    Ok(out)
}
