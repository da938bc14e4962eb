//! `checkout.session.*`: merges a snapshot of a session. For a purchase that we created, the stored row has the agreed
//! amount; an event with another amount is rejected.

use crate::actions::permission::check_owner;
use crate::derive::offer::{OFFERED_PRICE, OFFERED_QUANTITY};
use crate::derive::sold::terms_of;
use crate::desk::Desk;
use crate::input::newcomer::account_of;
use crate::input::stripe::{self, id_of};
use crate::model::halt::{Halt, Ruled};
use crate::model::ids::SubscriptionId;
use crate::model::json::{Object, encode};
use crate::model::keys::{ClaimKey, EffectKey};
use crate::model::mail_kinds;
use crate::model::merge::{payment as merge_payment, session as merge_session};
use crate::model::notice::send_once;
use crate::model::records::closed::{Closed, Erased};
use crate::model::records::payment::Payment;
use crate::model::records::purchase::{Details, PurchaseRow, pending};
use crate::model::records::session::{Session, SessionStatus};
use crate::model::records::subscription_history::BillingHistory;
use extension_contract::*;
use serde_json::json;
use std::rc::Rc;

fn read_status(kind: &str, object: &stripe::Session<'_>) -> Ruled<SessionStatus> {
    Ok(match kind {
        "checkout.session.expired" => SessionStatus::Expired,
        "checkout.session.async_payment_failed" => SessionStatus::Failed,
        "checkout.session.async_payment_succeeded" => SessionStatus::Paid,
        "checkout.session.completed" => match object.payment_status.as_deref() {
            Some("paid" | "no_payment_required") => SessionStatus::Paid,
            Some("unpaid") | None => SessionStatus::Complete,
            Some(other) => return Err(Refusal::UnknownStatus(format!("payment_status {other}")).into()),
        },
        _ => return Err(Halt::Ended(Outcome::Ignored(IgnoreReason::UnhandledKind))),
    })
}

/// Returns the purchase of a session: by the stored session, else by the id in its metadata.
fn purchase_of(
    desk: &mut Desk<'_>,
    id: &str,
    known: Option<&Session>,
    named: Option<&str>,
) -> Ruled<Option<(String, Rc<PurchaseRow>)>> {
    let all = desk.account.all::<PurchaseRow>()?;
    let is_of = |row: &PurchaseRow| {
        row.values.session_id.as_deref() == Some(id) || row.details.own_session.as_deref() == Some(id)
    };
    if let Some(found) = all.into_iter().find(|(_, row)| is_of(row)) {
        return Ok(Some(found));
    }
    let Some(purchase) = known.map(|session| session.purchase.as_str()).or(named) else { return Ok(None) };
    Ok(desk.account.get::<PurchaseRow>(purchase)?.map(|row| (purchase.to_owned(), row)))
}

/// Returns the request of a checkout that is not answered yet. A session that names no purchase may be the requested one,
/// so it waits for the answer.
fn unanswered_checkout(desk: &mut Desk<'_>) -> Ruled<Option<EffectKey>> {
    let all = desk.account.all::<PurchaseRow>()?.into_iter();
    let is_unanswered = |row: &PurchaseRow| row.awaits_checkout() && row.details.awaits_customer.is_none();
    let found = all.into_iter().find(|(_, row)| is_unanswered(row));
    Ok(found.map(|(purchase, _)| EffectKey::Checkout { purchase }))
}

/// Decides an event.
pub(super) fn decide(desk: &mut Desk<'_>, object: &stripe::Session<'_>) -> Ruled<Outcome> {
    let id = object.id.as_ref();
    let status = read_status(desk.kind, object)?;
    if object.mode.as_deref() == Some("setup") {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    check_owner(desk, object.ours())?;
    let known = desk.account.row::<Session>(id)?;
    let named = object.ours().and_then(|m| m.purchase_id.as_deref()).filter(|id| !id.is_empty());
    let found = purchase_of(desk, id, known.as_ref(), named)?;
    // A purchase that we created knows its session, so metadata that names another purchase is wrong.
    if named.is_some_and(|named| found.as_ref().is_some_and(|(id, _)| id != named)) {
        return Err(Refusal::Inconsistent("/data/object/metadata/purchase_id".to_owned()).into());
    }
    let found = match (found, named) {
        (Some(found), _) => Some(found),
        (None, Some(lost)) if matches!(status, SessionStatus::Complete | SessionStatus::Paid) => {
            Some((lost.to_owned(), record_again(desk, lost, id, object)?))
        }
        (None, Some(_)) => return Ok(Outcome::Ignored(IgnoreReason::NoChange)),
        (None, None) => {
            if let Some(key) = unanswered_checkout(desk)? {
                return Ok(Outcome::Deferred(DeferReason::Effect(key.to_string())));
            }
            None
        }
    };
    // A session that was created elsewhere has no agreed amount.
    if let Some((purchase, row)) = found.as_ref().filter(|(purchase, _)| !purchase.starts_with(MADE_ELSEWHERE)) {
        check_amount(desk, purchase, row, id, object)?;
    }
    if known.is_none() && matches!(status, SessionStatus::Complete | SessionStatus::Paid) {
        open_again(desk, object)?;
    }
    // What a buyer wrote before the closing has no place in an account whose personal data is being erased.
    let closed = desk.account.row::<Closed>(Closed::ID)?;
    let is_erased = closed.is_some_and(|closed| closed.erased != Erased::default());
    let made_with = if found.is_none() && !is_erased { written_on(desk, object)? } else { None };
    let purchase = found.map_or_else(|| format!("{OF_SESSION}{id}"), |(id, _)| id);
    let snapshot = Session { made_with, ..read(object, status, &purchase, desk.payment_time) };
    let mut session = match known.clone() {
        Some(known) => merge_session::without_wrong_payment(known, &snapshot),
        None => snapshot.clone(),
    };
    merge_session::merge(&mut session, &snapshot);
    claim(desk, id, &purchase, object)?;
    if !is_erased {
        claim_address(desk, object)?;
    }
    if known.as_ref() == Some(&session) {
        return Ok(match status {
            SessionStatus::Paid => Outcome::Duplicate(format!("fulfil:{id}")),
            _ => Outcome::Ignored(IgnoreReason::NoChange),
        });
    }
    link_payment(desk, id, &snapshot)?;
    // The payment has already recorded everything but the time of this event.
    let (completed_at, by_payment) = (session.completed_at, session.by_payment);
    if known.clone().is_some_and(|known| Session { completed_at, by_payment, ..known } == session) {
        desk.account.put(id, session);
        return Ok(Outcome::Duplicate(format!("fulfil:{id}")));
    }
    // After a failed delayed payment the customer must start a new checkout.
    if status == SessionStatus::Failed && session.status == SessionStatus::Failed {
        let values = json!({"session": id, "purchase": purchase});
        send_once(&mut desk.account, &mail_kinds::DELAYED_PAYMENT_FAILED, id, &values)?;
    }
    if let Some(subscription) = &session.subscription {
        let billing = desk.account.row::<BillingHistory>(subscription)?.unwrap_or_default();
        // If several sessions name the subscription, a purchase that we made comes before others, then the least id.
        let order = |id: &str| (id.starts_with(MADE_ELSEWHERE), id.to_owned());
        if billing.purchase.as_ref().is_none_or(|known| order(&purchase) < order(known)) {
            desk.account.put(subscription, BillingHistory { purchase: Some(purchase.clone()), ..billing });
        }
    }
    desk.account.put(id, session);
    Ok(Outcome::Applied)
}

/// Links the payment that a session names to the session's purchase. Removes placeholder sessions of which only this
/// payment was known.
fn link_payment(desk: &mut Desk<'_>, id: &str, session: &Session) -> Ruled<()> {
    let Some(intent) = &session.payment_intent else { return Ok(()) };
    for (other, guess) in desk.account.all::<Session>()? {
        if other != id && guess.by_payment && guess.payment_intent.as_ref() == Some(intent) {
            desk.account.remove::<Session>(&other);
        }
    }
    let known = desk.account.row::<Payment>(intent)?;
    let mut payment = known.clone().unwrap_or_default();
    let (purchase, by) = (Some(session.purchase.clone()), Some(id.to_owned()));
    merge_payment::merge(&mut payment, &Payment { purchase, session: by, ..Payment::default() });
    if known.as_ref() != Some(&payment) {
        desk.account.put(intent, payment);
    }
    Ok(())
}

/// Records a purchase again that was lost because an older backup was restored: the checkout's metadata contain what
/// was bought. It gets the catalog's terms and the amount that the session charges. The operators are notified, since
/// other things that belonged to the purchase are lost, too, for example a new instance.
fn record_again(desk: &mut Desk<'_>, purchase: &str, id: &str, object: &stripe::Session<'_>) -> Ruled<Rc<PurchaseRow>> {
    let written = |name: &str| {
        let mut others = object.metadata.iter().flat_map(|metadata| &metadata.others);
        others.find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    };
    let price = match written(OFFERED_PRICE) {
        Some(price) => desk.catalog.price(&price.into())?,
        None => None,
    };
    let agreed = Money {
        amount_minor: object.amount_subtotal.or(object.amount_total).unwrap_or(0),
        currency: object.currency.as_deref().unwrap_or("").to_owned(),
    };
    let mut items = Vec::new();
    let mut sold = Vec::new();
    if let Some(price) = price {
        let quantity = written(OFFERED_QUANTITY).and_then(|text| text.parse().ok()).unwrap_or(1);
        let product = desk.catalog.product(&price.product_id)?;
        items.push(LineItem {
            product_id: price.product_id.to_string(),
            price_id: Some(price.id.to_string()),
            name: product.map_or_else(|| price.product_id.to_string(), |product| product.values.name.clone()),
            quantity,
            unit_price: price.amount_in(&agreed.currency)?.unwrap_or_else(|| price.amount.clone()),
        });
        if price.interval.is_none() {
            sold.push(terms_of(&price)?);
        }
    }
    let values = json!({
        "purchase": purchase, "session": id, "products": items.iter().map(|item| &item.product_id).collect::<Vec<_>>(),
        "amount_minor": object.amount_total, "currency": object.currency,
    });
    send_once(&mut desk.account, &mail_kinds::PURCHASE_RECORDED_AGAIN, purchase, &values)?;
    let values = pending(desk.catalog.settings()?.provider.clone(), items, agreed);
    let row = PurchaseRow { values, details: Details { sold, ..Details::default() } };
    desk.account.put(purchase, row.clone());
    Ok(Rc::new(row))
}

/// Returns the snapshot of a session.
fn read(object: &stripe::Session<'_>, status: SessionStatus, purchase: &str, at: Timestamp) -> Session {
    Session {
        status,
        mode: object.mode.as_deref().unwrap_or("payment").to_owned(),
        purchase: purchase.to_owned(),
        currency: object.currency.as_deref().unwrap_or("").to_owned(),
        total_minor: object.amount_total.unwrap_or(0),
        tax_minor: object.total_details.as_ref().and_then(|d| d.amount_tax).unwrap_or(0),
        subscription: id_of(&object.subscription).map(SubscriptionId::from),
        payment_intent: id_of(&object.payment_intent).map(str::to_owned),
        paid_at: (status == SessionStatus::Paid).then_some(at),
        completed_at: (status == SessionStatus::Paid).then_some(at),
        by_payment: false,
        made_with: None,
        made: None,
        booked: false,
        tax_booked: false,
    }
}

/// Returns the metadata of a session that was created outside of the system, if a product type uses it.
fn written_on(desk: &Desk<'_>, object: &stripe::Session<'_>) -> Ruled<Option<String>> {
    if !desk.catalog.types()?.iter().any(|decl| decl.from_checkout.is_some()) {
        return Ok(None);
    }
    let written = object.metadata.iter().flat_map(|metadata| &metadata.others).take(WRITTEN_MAX);
    let mut out: Object = written.map(|(key, value)| (key.to_string(), json!(value))).collect();
    if let Some(email) = object.email() {
        out.insert("email".to_owned(), json!(email));
    }
    Ok(Some(encode(&out)?).filter(|text| text.len() <= WRITTEN_BYTES))
}

/// Maximum number of metadata keys that Stripe allows on an object.
const WRITTEN_MAX: usize = 50;
/// Maximum size of the stored metadata in bytes; more than Stripe's limits for keys and values allow.
const WRITTEN_BYTES: usize = 64 * 1024;

/// Prefix of the purchase of a session that was created outside of the system. The session's id follows.
const OF_SESSION: &str = "pur_";
/// Beginning of such a purchase's id, with the beginning of a session's id.
const MADE_ELSEWHERE: &str = "pur_cs_";

fn claim(desk: &mut Desk<'_>, id: &str, purchase: &str, object: &stripe::Session<'_>) -> Ruled<()> {
    let mut keys = vec![ClaimKey::Session(id), ClaimKey::Purchase(purchase)];
    keys.extend(id_of(&object.customer).map(ClaimKey::Customer));
    keys.extend(id_of(&object.subscription).map(ClaimKey::Subscription));
    keys.extend(id_of(&object.payment_intent).map(ClaimKey::PaymentIntent));
    desk.account.claim(keys)
}

/// Claims the buyer's address for an account that was made for this checkout, so that whoever proves the address finds the account.
fn claim_address(desk: &mut Desk<'_>, object: &stripe::Session<'_>) -> Ruled<()> {
    if desk.account.owner() != Some(&account_of(object)) {
        return Ok(());
    }
    match object.email() {
        Some(email) => desk.account.claim([ClaimKey::Address(&address_hash(email))]),
        None => Ok(()),
    }
}

/// Opens a closed account again whose former owner buys as a guest with the same address: the account has its id from the address.
/// What the account had is ended, and its personal data must be erased before, if the business erases them.
fn open_again(desk: &mut Desk<'_>, object: &stripe::Session<'_>) -> Ruled<()> {
    let Some(closed) = desk.account.row::<Closed>(Closed::ID)? else { return Ok(()) };
    let is_erased = desk.catalog.settings()?.erase_after.is_none() || closed.erased == Erased::All;
    let is_guest = desk.account.owner() == Some(&account_of(object));
    if is_guest && is_erased && desk.payment_time > closed.at {
        desk.account.remove::<Closed>(Closed::ID);
    }
    Ok(())
}

/// Checks that currency and subtotal are as agreed, and that subtotal − discount + tax + shipping is the total (S94,
/// S95). If not, notifies the operators and fails.
fn check_amount(
    desk: &mut Desk<'_>,
    purchase: &str,
    agreed: &PurchaseRow,
    id: &str,
    object: &stripe::Session<'_>,
) -> Ruled<()> {
    // An event without amounts, for example an expiry, cannot contradict the agreed amounts.
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
    // A trial has no amount due now; its later amounts are checked on its invoices.
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
    let values = json!({
        "session": id, "purchase": purchase, "expected_minor": expected.amount_minor,
        "actual_minor": actual.amount_minor, "currency": currency,
    });
    send_once(&mut desk.account, &mail_kinds::AMOUNT_MISMATCH, id, &values)?;
    Err(Refusal::AmountMismatch(AmountMismatch { expected: expected.clone(), actual }).into())
}
