//! Updates purchases from their sessions and payments: the session that counts, the refunds, and the status. The result
//! does not depend on the order of events.

use super::ledger;
use super::schedule::{DesiredSchedule, mail_unless_explained};
use crate::desk::Desk;
use crate::model::effect::{cancel_now, request};
use crate::model::halt::Ruled;
use crate::model::ids::SubscriptionId;
use crate::model::keys::{EffectKey, FactKey};
use crate::model::mail_kinds;
use crate::model::merge::session as merge_session;
use crate::model::notice::send_once;
use crate::model::records::invoice::Invoice;
use crate::model::records::payment::{Payment, Received};
use crate::model::records::purchase::{Counted, Details, PurchaseRow, Step, pending};
use crate::model::records::session::{Session, SessionStatus};
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::plus_days;
use extension_contract::{LineItem, Money, PurchaseStatus, SubscriptionStatus};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A session that can count for a purchase.
struct Candidate {
    id: String,
    status: SessionStatus,
    total_minor: i64,
    paid_at: Option<i64>,
    completed_at: Option<i64>,
    subscription: Option<SubscriptionId>,
    payment_intent: Option<String>,
}

/// Updates all purchases of the event.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    sessions_by_payment(desk)?;
    let mut sessions: BTreeMap<String, Vec<(String, Rc<Session>)>> = BTreeMap::new();
    for (id, session) in desk.account.all::<Session>()? {
        sessions.entry(session.purchase.clone()).or_default().push((id, session));
    }
    let unpaid = never_paid(desk)?;
    let payments = payments(desk)?;
    let paid = payments.iter().map(|payment| payment.purchase.clone());
    let here = desk.account.all::<PurchaseRow>()?.into_iter().map(|(id, _)| id);
    let purchases: BTreeSet<String> =
        here.chain(sessions.keys().cloned()).chain(paid).chain(unpaid.iter().cloned()).collect();
    for id in purchases {
        let sessions = sessions.remove(&id).unwrap_or_default();
        reconcile_one(desk, &id, &sessions, &payments, unpaid.contains(&id))?;
    }
    Ok(())
}

/// Returns the purchases whose subscription expired before its first payment (S46).
fn never_paid(desk: &mut Desk<'_>) -> Ruled<BTreeSet<String>> {
    let mut out = BTreeSet::new();
    let is_expired = |row: &SubscriptionRow| row.status() == SubscriptionStatus::IncompleteExpired;
    for (id, _) in desk.account.all_where(is_expired)? {
        if let Some(billing) = desk.account.get::<BillingHistory>(&id)? {
            out.extend(billing.purchase.clone());
        }
    }
    Ok(out)
}

/// Marks the session of a one-time purchase as paid if its payment succeeded, in any order of events (TES-47). A payment of
/// another amount than the agreed one does not decide: discounts, taxes and shipping are in the session only (S94, S95).
fn sessions_by_payment(desk: &mut Desk<'_>) -> Ruled<()> {
    for (id, payment) in desk.account.all::<Payment>()? {
        let (Some(purchase), Some(received)) = (&payment.purchase, &payment.received) else { continue };
        let Some(row) = desk.account.get::<PurchaseRow>(purchase)? else { continue };
        if !is_one_time(desk, &row)? {
            continue;
        }
        let named = match &payment.session {
            Some(session) => Some(session.clone()),
            None => {
                let mut all = desk.account.all::<Session>()?.into_iter();
                all.find(|(_, session)| session.payment_intent.as_ref() == Some(&id)).map(|(id, _)| id)
            }
        };
        // A payment without a checkout has no session; the purchase's id is used.
        let own = || row.details.without_checkout.then(|| purchase.clone());
        let Some(session_id) = named.or_else(|| row.values.session_id.clone()).or_else(own) else { continue };
        let known = desk.account.row::<Session>(&session_id)?;
        let snapshot = Session {
            status: SessionStatus::Paid,
            mode: "payment".to_owned(),
            purchase: purchase.clone(),
            currency: received.currency.clone(),
            total_minor: received.amount_minor,
            payment_intent: Some(id.clone()),
            paid_at: Some(received.at),
            by_payment: true,
            tax_minor: payment.tax_minor.min(received.amount_minor),
            ..Session::default()
        };
        if known.as_ref().and_then(|known| known.payment_intent.as_ref()).is_some_and(|other| *other != id) {
            if is_agreed(&row, None, received) {
                // No session explains the payment, but the money was received.
                ledger::receipt(desk, purchase, &id, &received.currency, received.amount_minor)?;
            }
            continue;
        }
        let charged = known.as_ref().filter(|known| known.status >= SessionStatus::Complete);
        if !is_agreed(&row, charged, received) {
            continue;
        }
        let mut session = known.clone().unwrap_or_else(|| snapshot.clone());
        merge_session::merge(&mut session, &snapshot);
        if known.as_ref() != Some(&session) {
            desk.account.put(&session_id, session);
        }
    }
    Ok(())
}

/// Returns whether a payment's amount is the one that the purchase's completed session charges or, before that session is
/// known, the agreed total. Our provider adds the tax to a payment without a checkout.
fn is_agreed(row: &PurchaseRow, session: Option<&Session>, received: &Received) -> bool {
    if row.details.without_checkout {
        let total = &row.values.total;
        return received.amount_minor >= total.amount_minor && received.currency == total.currency;
    }
    let expected = session.map_or(row.values.total.amount_minor, |session| session.total_minor);
    received.amount_minor == expected && received.currency == row.values.total.currency
}

/// Returns whether all items of a purchase are one-time sales.
fn is_one_time(desk: &Desk<'_>, row: &PurchaseRow) -> Ruled<bool> {
    for item in &row.values.items {
        let Some(price_id) = &item.price_id else { return Ok(false) };
        if desk.catalog.price(&price_id.as_str().into())?.is_none_or(|price| price.interval.is_some()) {
            return Ok(false);
        }
    }
    Ok(row.values.subscription_id.is_none() && !row.values.items.is_empty())
}

/// A payment of a purchase.
struct PaymentOf {
    purchase: String,
    id: String,
    payment: Rc<Payment>,
}

/// Returns the payments of all purchases.
fn payments(desk: &mut Desk<'_>) -> Ruled<Vec<PaymentOf>> {
    let mut out = Vec::new();
    for (id, payment) in desk.account.all::<Payment>()? {
        if let Some(purchase) = purchase_of(desk, &payment)? {
            out.push(PaymentOf { purchase, id, payment });
        }
    }
    Ok(out)
}

/// Returns the purchase of a payment: its own purchase, or the purchase of the subscription whose first invoice it
/// paid.
fn purchase_of(desk: &mut Desk<'_>, payment: &Payment) -> Ruled<Option<String>> {
    if payment.purchase.is_some() {
        return Ok(payment.purchase.clone());
    }
    let Some(invoice) = &payment.invoice else { return Ok(None) };
    let invoice = desk.account.get::<Invoice>(invoice)?.filter(|invoice| invoice.began_subscription());
    let Some(subscription) = invoice.and_then(|invoice| invoice.subscription.clone()) else { return Ok(None) };
    Ok(desk.account.get::<BillingHistory>(&subscription)?.and_then(|billing| billing.purchase.clone()))
}

fn reconcile_one(
    desk: &mut Desk<'_>,
    id: &str,
    sessions: &[(String, Rc<Session>)],
    payments: &[PaymentOf],
    is_never_paid: bool,
) -> Ruled<()> {
    let stored = desk.account.get::<PurchaseRow>(id)?;
    let Some((counts, refused)) = candidates(stored.as_deref(), sessions) else { return Ok(()) };
    let mut row = match (&stored, sessions.first()) {
        (Some(row), _) => PurchaseRow::clone(row),
        (None, Some((_, session))) => made_elsewhere(session, super::foreign_checkouts::plan_of(desk, session)?),
        (None, None) => return Ok(()),
    };
    let mut refused_payments: BTreeSet<String> = std::mem::take(&mut row.details.refused_payments);
    refused_payments.extend(refused.iter().filter_map(|session| session.payment_intent.clone()));
    if let Some(own) = &counts.payment_intent {
        refused_payments.remove(own);
    }
    row.details.refused_payments = refused_payments;
    for session in &refused {
        refund_duplicate(desk, id, session)?;
    }
    let before = row.reported_minor();
    for PaymentOf { id, payment, .. } in payments.iter().filter(|payment| payment.purchase == id) {
        set_amount(&mut row.details.refunds, id, payment.refunded_minor());
        set_amount(&mut row.details.failed_back, id, payment.failed_minor());
        set_amount(&mut row.details.disputed, id, payment.disputed_minor());
        let explains = |session: &Candidate| {
            session.status == SessionStatus::Paid && session.payment_intent.as_deref().is_none_or(|intent| intent == id)
        };
        match payment.received.clone().filter(|_| !explains(&counts) && !refused.iter().any(explains)) {
            Some(Received { amount_minor, currency, at }) => {
                row.details.unexplained.insert(id.clone(), Received { amount_minor, currency, at })
            }
            None => row.details.unexplained.remove(id),
        };
    }
    let more = row.reported_minor() - before;
    if more > 0 {
        row.refunds_were_reported(more);
    }
    let replaced = row.values.session_id.take().filter(|known| *known != counts.id);
    row.details.own_session = match row.details.own_session.take().or(replaced) {
        Some(own) if own != counts.id && desk.account.get::<Session>(&own)?.is_none() => Some(own),
        _ => None,
    };
    // A free purchase or a top-up has no session; its own id is used.
    row.values.session_id = Some(counts.id.clone()).filter(|session| session != id);
    row.values.payment_intent_id = counts.payment_intent.clone().or(row.values.payment_intent_id);
    row.values.subscription_id = counts.subscription.clone().map(String::from).or(row.values.subscription_id);
    row.values.refunded = Money { amount_minor: row.refunded_minor(), currency: row.values.total.currency.clone() };
    row.details.counts = Some(Counted {
        id: counts.id.clone(),
        status: counts.status,
        total_minor: counts.total_minor,
        paid_at: counts.paid_at,
        completed_at: counts.completed_at,
    });
    row.details.subscription_ended |= is_never_paid;
    set_status(desk, id, &counts, &mut row)?;
    if stored.as_deref() != Some(&row) {
        desk.account.put(id, row);
    }
    Ok(())
}

/// Days until operators are notified of a payment that no session explains.
const EXPLAINED_WITHIN_DAYS: u32 = 1;

/// Schedules the reports about payments whose amount is not the agreed one and that no session explains.
pub(super) fn report_unexplained(desk: &mut Desk<'_>, desired: &mut DesiredSchedule) -> Ruled<()> {
    for (id, purchase) in desk.account.all::<PurchaseRow>()? {
        for (payment, received) in &purchase.details.unexplained {
            let values = json!({
                "session": purchase.values.session_id, "purchase": id, "payment": payment,
                "expected_minor": purchase.values.total.amount_minor, "actual_minor": received.amount_minor,
                "currency": received.currency,
            });
            let at = plus_days(received.at, EXPLAINED_WITHIN_DAYS);
            mail_unless_explained(desk, desired, &mail_kinds::AMOUNT_MISMATCH, payment, at, values)?;
        }
    }
    Ok(())
}

/// Sets the amount of a payment, or removes the amount if it is 0.
fn set_amount(amounts: &mut BTreeMap<String, i64>, payment: &str, amount_minor: i64) {
    match amount_minor > 0 {
        true => amounts.insert(payment.to_owned(), amount_minor),
        false => amounts.remove(payment),
    };
}

/// Returns the session that counts and the duplicates. The session that counts is the first paid session: by the
/// Stripe's time of its event, else of its payment, then by id. A session that only a payment shows as paid counts only
/// if there is no other: the payment may belong to a session without an event yet. For the same reason it is never a
/// duplicate before its event, which could make it the first one. If no session is paid, the session with the most
/// advanced status counts, so an expired session never replaces another. Before any session event it is the session
/// that we created.
fn candidates(stored: Option<&PurchaseRow>, sessions: &[(String, Rc<Session>)]) -> Option<(Candidate, Vec<Candidate>)> {
    let from_events = sessions.iter().map(|(id, session)| Candidate {
        id: id.clone(),
        status: session.status,
        total_minor: session.total_minor,
        paid_at: session.paid_at,
        completed_at: session.completed_at,
        subscription: session.subscription.clone(),
        payment_intent: session.payment_intent.clone(),
    });
    let mut all: Vec<Candidate> = from_events.collect();
    if let Some(row) = stored {
        let known = match (&row.details.counts, &row.values.session_id) {
            (Some(counted), _) => Some(counted.clone()),
            (None, Some(id)) => Some(Counted { id: id.clone(), ..Counted::default() }),
            (None, None) => None,
        };
        if let Some(known) = known.filter(|known| all.iter().all(|session| session.id != known.id)) {
            all.push(Candidate {
                id: known.id,
                status: known.status,
                total_minor: known.total_minor,
                paid_at: known.paid_at,
                completed_at: known.completed_at,
                subscription: row.values.subscription_id.as_deref().map(SubscriptionId::from),
                payment_intent: row.values.payment_intent_id.clone(),
            });
        }
    }
    let is_shown = |session: &Candidate| session.status == SessionStatus::Paid && session.completed_at.is_some();
    if all.iter().any(is_shown) {
        all.retain(|session| session.status != SessionStatus::Paid || is_shown(session));
    }
    all.sort_by(|a: &Candidate, b| {
        let order = |session: &Candidate| (session.completed_at.or(session.paid_at), session.id.clone());
        b.status.cmp(&a.status).then_with(|| order(a).cmp(&order(b)))
    });
    let mut all = all.into_iter();
    let counts = all.next()?;
    Some((counts, all.filter(is_shown).collect()))
}

/// Refunds a duplicate payment of a purchase and cancels the duplicate subscription. The operators are notified and
/// refund a subscription's first invoice themselves, because its session does not name the payment.
fn refund_duplicate(desk: &mut Desk<'_>, purchase: &str, duplicate: &Candidate) -> Ruled<()> {
    if !desk.account.record_fact(&FactKey::Refused(&duplicate.id).to_string())? {
        return Ok(());
    }
    if let Some(payment_intent) = &duplicate.payment_intent {
        let payload = json!({"payment_intent": payment_intent, "reason": "duplicate"});
        let key = EffectKey::RefundSession { session: duplicate.id.clone() };
        desk.account.ask(request(&key, &payload, None)?);
    }
    if let Some(subscription) = &duplicate.subscription {
        desk.account.ask(cancel_now(subscription)?);
    }
    let values = json!({
        "session": duplicate.id, "purchase": purchase, "subscription": duplicate.subscription,
        "refunded": duplicate.payment_intent.is_some(),
    });
    send_once(&mut desk.account, &mail_kinds::PAID_TWICE, &duplicate.id, &values)
}

/// Returns a purchase for a session that was created outside of the system, for one of our customers or accounts. A plan that the
/// metadata names stands in for the session's subscription until Stripe reports the subscription.
fn made_elsewhere(session: &Session, plan: Option<LineItem>) -> PurchaseRow {
    let amount = Money { amount_minor: session.total_minor, currency: session.currency.clone() };
    let values = pending("stripe".to_owned(), plan.into_iter().collect(), amount);
    let stands_in = session.subscription.is_some() && !values.items.is_empty();
    PurchaseRow { values, details: Details { stands_in, ..Details::default() } }
}

/// Sets status and step of a purchase (requirements M3).
fn set_status(desk: &mut Desk<'_>, id: &str, session: &Candidate, row: &mut PurchaseRow) -> Ruled<()> {
    let unpaid = match session.status {
        SessionStatus::Open | SessionStatus::Complete => Some((PurchaseStatus::Pending, Step::CheckoutOpen)),
        SessionStatus::Expired => Some((PurchaseStatus::Cancelled, Step::Expired)),
        SessionStatus::Failed => Some((PurchaseStatus::Cancelled, Step::Failed)),
        SessionStatus::Paid => None,
    };
    if let Some((status, step)) = unpaid {
        if row.details.subscription_ended {
            (row.values.status, row.details.step) = (PurchaseStatus::Cancelled, Step::Expired);
            return Ok(());
        }
        // A checkout that could not be created stays failed until an event about its session arrives.
        if row.details.error.is_none() || session.status != SessionStatus::Open {
            (row.values.status, row.details.step) = (status, step);
        }
        return Ok(());
    }
    let total = row.paid_minor();
    let refunded = total > 0 && row.values.refunded.amount_minor >= total;
    let Some(subscription) = row.values.subscription_id.clone() else {
        (row.values.status, row.details.step) = match refunded {
            true => (PurchaseStatus::Refunded, Step::Refunded),
            false => (PurchaseStatus::Paid, Step::Fulfilled),
        };
        return Ok(());
    };
    let known = desk.account.get::<SubscriptionRow>(&subscription)?;
    let (ended, served) = known.map_or((false, false), |known| (known.is_final(), known.was_ever_served));
    row.details.subscription_ended |= ended;
    row.details.stands_in &= !served && !ended;
    (row.values.status, row.details.step) = match (refunded, served) {
        (true, _) => (PurchaseStatus::Refunded, Step::Refunded),
        (false, true) => (PurchaseStatus::Paid, Step::Fulfilled),
        (false, false) => (PurchaseStatus::Paid, Step::Paid),
    };
    // The purchase was paid but never granted anything: a person decides about a refund.
    if row.details.step == Step::Paid && ended && total > 0 {
        let values = json!({"purchase": id, "subscription": subscription, "total_minor": total});
        send_once(&mut desk.account, &mail_kinds::PAID_BUT_ENDED, id, &values)?;
    }
    Ok(())
}
