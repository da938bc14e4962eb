//! Stripe's checkout session: whether it was completed and paid, and which purchase it belongs to.
//!
//! A session only moves forward (open, expired, complete; unpaid, paid). For a purchase that we made, our own row says
//! what was agreed; an amount that differs is refused and delivers nothing.

use crate::context::{Context, Loaded, Step, Stop};
use crate::placement::key;
use crate::stripe::{self, id_of};
use crate::subscription::Billing;
use crate::{charge, ledger, notice, purchase, settle, subscription};
use products_contract::*;
use serde::{Deserialize, Serialize};

/// How far a session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It can be paid.
    #[default]
    Open,
    /// It ended without payment.
    Expired,
    /// The buyer is through; the payment may still be on its way.
    Complete,
    /// The payment that was on its way failed.
    Failed,
    /// Paid, or nothing to pay.
    Paid,
}

/// What is kept of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Session {
    pub status: Status,
    pub mode: String,
    pub purchase: String,
    pub currency: String,
    pub total_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<String>,
    /// The provider's time of the first view that told that it is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
}

fn read_status(kind: &str, object: &stripe::Session<'_>) -> Step<Status> {
    Ok(match kind {
        "checkout.session.expired" => Status::Expired,
        "checkout.session.async_payment_failed" => Status::Failed,
        "checkout.session.async_payment_succeeded" => Status::Paid,
        "checkout.session.completed" => match object.payment_status.as_deref() {
            Some("paid" | "no_payment_required") => Status::Paid,
            Some("unpaid") | None => Status::Complete,
            Some(other) => return Err(Stop::Refused(Refusal::UnknownStatus(format!("payment_status {other}")))),
        },
        _ => return Err(Stop::Ended(Outcome::Ignored(IgnoreReason::UnhandledKind))),
    })
}

/// `checkout.session.*`.
pub(crate) fn event(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    let body = stripe::read::<stripe::Session<'_>>(body)?;
    let object = &body.data.object;
    let id = object.id.as_ref();
    let status = read_status(&context.event.kind, object)?;
    if object.mode.as_deref() == Some("setup") {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    subscription::check_owner(context, object.metadata.as_ref())?;
    let named = object.metadata.as_ref().and_then(|m| m.purchase_id.as_deref()).filter(|id| !id.is_empty());
    let found = purchase::find(context, id, named)?;
    // A purchase that we made knows its session; metadata that names another one lies.
    if let (Some(found), Some(named)) = (&found, named)
        && found.id != named
    {
        return Err(Stop::Refused(Refusal::Inconsistent("/data/object/metadata/purchase_id".to_owned())));
    }
    if found.is_none() && named.is_some() {
        return Err(Stop::Refused(Refusal::Inconsistent("/data/object/metadata/purchase_id".to_owned())));
    }
    if let Some(found) = &found {
        check_amount(context, found, id, object)?;
    }
    let mut stored: Loaded<Session> = context.record("sessions", id)?;
    let before = (stored.version != 0).then(|| stored.value.clone());
    let purchase_id = found.as_ref().map_or_else(|| format!("pur_{id}"), |purchase| purchase.id.clone());
    let view = read(object, status, &purchase_id, context.provider_time());
    stored.value = if stored.version == 0 { view } else { merge(&stored.value, &view) };
    claim(context, id, &purchase_id, object)?;
    if before.as_ref() == Some(&stored.value) {
        return Ok(match status {
            Status::Paid => Outcome::Duplicate(format!("fulfil:{id}")),
            _ => Outcome::Ignored(IgnoreReason::NoChange),
        });
    }
    context.save_record("sessions", id, &stored)?;
    let session = stored.value;
    if let Some(subscription) = &session.subscription {
        let mut billing: Loaded<Billing> = context.record("billing", subscription)?;
        if billing.value.purchase.as_ref() != Some(&purchase_id) {
            billing.value.purchase = Some(purchase_id.clone());
            context.save_record("billing", subscription, &billing)?;
        }
    }
    if let Some(payment) = &session.payment_intent {
        charge::link_purchase(context, payment, &purchase_id)?;
    }
    if before.as_ref().is_none_or(|known| known.status != Status::Paid) {
        book_payment(context, &purchase_id, id, &session, object)?;
    }
    purchase::refresh(context, &purchase_id, found)?;
    settle::settle(context)?;
    Ok(Outcome::Applied)
}

/// One view of a session.
fn read(object: &stripe::Session<'_>, status: Status, purchase: &str, at: Timestamp) -> Session {
    Session {
        status,
        mode: object.mode.as_deref().unwrap_or("payment").to_owned(),
        purchase: purchase.to_owned(),
        currency: object.currency.as_deref().unwrap_or("").to_owned(),
        total_minor: object.amount_total.unwrap_or(0),
        subscription: id_of(&object.subscription).map(str::to_owned),
        payment_intent: id_of(&object.payment_intent).map(str::to_owned),
        paid_at: (status == Status::Paid).then_some(at),
    }
}

/// Merge a view into what is stored, whichever came first: the furthest status, the first payment, what names another
/// object once it does. Amounts are fixed when a session is made; of two that contradict each other the greater stays.
fn merge(stored: &Session, view: &Session) -> Session {
    let order = |session: &Session| {
        let Session { status, mode, currency, total_minor, .. } = session.clone();
        (status, total_minor, currency, mode)
    };
    let winner = if order(view) > order(stored) { view } else { stored };
    Session {
        paid_at: [stored.paid_at, view.paid_at].into_iter().flatten().min(),
        subscription: stored.subscription.clone().max(view.subscription.clone()),
        payment_intent: stored.payment_intent.clone().max(view.payment_intent.clone()),
        purchase: stored.purchase.clone().max(view.purchase.clone()),
        ..winner.clone()
    }
}

fn claim(context: &mut Context<'_, '_>, id: &str, purchase: &str, object: &stripe::Session<'_>) -> Step<()> {
    let mut keys = vec![key("stripe-session", id), key("purchase", purchase)];
    keys.extend(id_of(&object.customer).map(|id| key("stripe-customer", id)));
    keys.extend(id_of(&object.subscription).map(|id| key("stripe-subscription", id)));
    keys.extend(id_of(&object.payment_intent).map(|id| key("stripe-payment-intent", id)));
    context.claim(&keys)
}

/// Currency and amount must be the agreed ones: the subtotal as agreed, and subtotal − discount + tax + shipping the
/// total (S94, S95).
fn check_amount(context: &mut Context<'_, '_>, agreed: &Purchase, id: &str, object: &stripe::Session<'_>) -> Step<()> {
    // What carries no amounts, as an expiry may, can't contradict one.
    let Some(total) = object.amount_total else { return Ok(()) };
    let subtotal = object.amount_subtotal.unwrap_or(total);
    let details = object.total_details.as_ref();
    let parts = details.map_or(0, |d| {
        let added = d.amount_tax.unwrap_or(0).saturating_add(d.amount_shipping.unwrap_or(0));
        added.saturating_sub(d.amount_discount.unwrap_or(0))
    });
    let currency = object.currency.as_deref().unwrap_or("");
    let reconciles = subtotal.checked_add(parts) == Some(total)
        // Inclusive tax is part of the subtotal.
        || details.and_then(|d| d.amount_tax).is_some_and(|tax| {
            tax > 0 && parts.checked_sub(tax).and_then(|parts| subtotal.checked_add(parts)) == Some(total)
        });
    let expected = &agreed.values.amount;
    // A trial asks for nothing now; what it will cost is checked on its invoices.
    let trial = object.mode.as_deref() == Some("subscription")
        && total == 0
        && object.payment_status.as_deref() == Some("no_payment_required");
    if trial || (reconciles && subtotal == expected.amount_minor && currency == expected.currency) {
        return Ok(());
    }
    let actual = Money {
        amount_minor: if subtotal == expected.amount_minor { total } else { subtotal },
        currency: currency.to_owned(),
    };
    let values = serde_json::json!({
        "session": id, "purchase": agreed.id, "expected_minor": expected.amount_minor,
        "actual_minor": actual.amount_minor, "currency": currency,
    });
    notice::now(context, "amount_mismatch", notice::To::Admin, id, &values)?;
    Err(Stop::Refused(Refusal::AmountMismatch(AmountMismatch { expected: expected.clone(), actual })))
}

/// A payment of its own is booked under the purchase; a subscription's money is booked by its invoices.
fn book_payment(
    context: &mut Context<'_, '_>,
    purchase: &str,
    id: &str,
    session: &Session,
    object: &stripe::Session<'_>,
) -> Step<()> {
    if session.status != Status::Paid || session.mode != "payment" || session.total_minor <= 0 {
        return Ok(());
    }
    let tax = object.total_details.as_ref().and_then(|d| d.amount_tax).unwrap_or(0).clamp(0, session.total_minor);
    let sides =
        [(ledger::CASH, session.total_minor), (ledger::REVENUE, tax - session.total_minor), (ledger::TAX, -tax)];
    // Each session moves money, also a second one whose money goes back.
    ledger::book(context, &format!("paid:{purchase}:{id}"), purchase, &session.currency, &sides)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn view() -> impl Strategy<Value = Session> {
        let status = prop_oneof![
            Just(Status::Open),
            Just(Status::Expired),
            Just(Status::Complete),
            Just(Status::Failed),
            Just(Status::Paid)
        ];
        let named = |prefix: &'static str| proptest::option::of((1..3).prop_map(move |n| format!("{prefix}_{n}")));
        (status, 1..=3i64, 0..3i64, named("sub"), named("pi")).prop_map(
            |(status, at, total_minor, subscription, payment_intent)| Session {
                status,
                mode: "payment".to_owned(),
                purchase: "pur_1".to_owned(),
                currency: "usd".to_owned(),
                total_minor,
                subscription,
                payment_intent,
                paid_at: (status == Status::Paid).then_some(at),
            },
        )
    }

    fn merged<'a>(views: impl Iterator<Item = &'a Session>) -> Option<Session> {
        views.cloned().reduce(|stored, view| merge(&stored, &view))
    }

    proptest! {
        #[test]
        fn sessions_are_the_same_in_any_order_and_however_often(
            (views, order) in proptest::collection::vec(view(), 3..=6)
                .prop_flat_map(|views| (Just(views.clone()), Just(views).prop_shuffle())),
            again in 0..6usize,
        ) {
            let repeated = order.iter().chain(order.get(again));
            prop_assert_eq!(merged(views.iter()), merged(repeated));
        }
    }
}
