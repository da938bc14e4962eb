//! Ends the subscriptions and open checkouts of a closed account at once. Refunds the unused part of yearly periods
//! and of the periods of add-ons that have ended with their plan. Notifies the operators of later payments
//! (S73).

use crate::catalog::terms::CatalogPrice;
use crate::derive::standing::AccountStanding;
use crate::derive::subscriptions::SubscriptionFacts;
use crate::derive::unused;
use crate::desk::Desk;
use crate::model::effect::{cancel_now, request};
use crate::model::halt::Ruled;
use crate::model::keys::EffectKey;
use crate::model::mail_kinds;
use crate::model::money::{part_of, sendable};
use crate::model::notice::send_once;
use crate::model::records::closed::Closed;
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use crate::model::records::lot::Lot;
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::DAY_MS;
use extension_contract::{IntervalUnit, PurchaseStatus, Timestamp};
use serde_json::json;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Time within which Stripe ends an add-on that ends with its plan.
const CANCELLED_WITHIN_MS: i64 = 3 * DAY_MS;

/// Refunds the unused periods of add-ons that ended with their plan, and ends the subscriptions of a closed account.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<()> {
    refund_add_ons(desk, standing)?;
    let Some(closed) = desk.account.row::<Closed>(Closed::ID)? else { return Ok(()) };
    let mut after = closed.clone();
    for (_, purchase) in desk.account.all::<PurchaseRow>()? {
        let open = purchase.values.session_id.as_ref().filter(|_| purchase.values.status == PurchaseStatus::Pending);
        let Some(session) = open.filter(|session| after.expired.insert((*session).clone())) else { continue };
        let key = EffectKey::ExpireCheckout { session: session.clone() };
        desk.account.ask(request(&key, &json!({"session_id": session}), None)?);
    }
    // A subscription that began later is refunded as a whole, elsewhere.
    let before = standing.subscriptions.iter().filter(|facts| !standing.is_after_closing(facts.row.first_at));
    for facts in before.filter(|facts| !facts.row.is_final()) {
        if after.cancelled.insert(facts.id.clone()) {
            desk.account.ask(cancel_now(&facts.id)?);
        }
    }
    let has_news = !desk.account.touched::<Invoice>().is_empty() || after.cancelled != closed.cancelled;
    for facts in standing.subscriptions.iter().filter(|_| has_news) {
        if after.cancelled.contains(&facts.id) {
            refund_year(desk, facts, closed.at)?;
        }
    }
    report_unspent(desk, closed.at)?;
    for id in desk.account.touched::<Invoice>() {
        let Some(invoice) = desk.account.get::<Invoice>(&id)? else { continue };
        let is_late = invoice.status == InvoiceStatus::Paid && invoice.paid_at.unwrap_or(invoice.at) > closed.at;
        if is_late && invoice.takings_minor() > 0 {
            let values = json!({
                "invoice": id, "amount_paid_minor": invoice.takings_minor(), "currency": invoice.currency,
                "subscription": invoice.subscription,
            });
            send_once(&mut desk.account, &mail_kinds::PAID_AFTER_DEPARTURE, &id, &values)?;
        }
    }
    if after != closed {
        desk.account.put(Closed::ID, after);
    }
    Ok(())
}

/// Notifies the operators of paid credits that a closed account has not spent. They decide about a refund.
fn report_unspent(desk: &mut Desk<'_>, closed_at: Timestamp) -> Ruled<()> {
    let unspent = |lot: &Lot| lot.at <= closed_at && lot.unspent_micros() > 0;
    for (id, lot) in desk.account.all_where(unspent)? {
        let paid = desk.account.get::<PurchaseRow>(&id)?.map_or(0, |purchase| purchase.paid_minor());
        let amount_minor = part_of(paid, lot.unspent_micros(), lot.granted_micros);
        if amount_minor > 0 {
            let values = json!({"purchase": id, "amount_minor": amount_minor, "currency": lot.currency});
            send_once(&mut desk.account, &mail_kinds::CREDITS_UNSPENT, &id, &values)?;
        }
    }
    Ok(())
}

/// Refunds the unused part of a yearly period of a closed account.
fn refund_year(desk: &mut Desk<'_>, facts: &SubscriptionFacts, closed_at: Timestamp) -> Ruled<()> {
    // An invoice whose event arrives late can have a price that no known snapshot of the subscription names.
    let billing = desk.account.get_here::<BillingHistory>(&facts.id)?.unwrap_or_default();
    let paid = desk.catalog.prices(billing.paid.keys())?.into_iter().flatten();
    let prices: Vec<Rc<CatalogPrice>> = facts.named.iter().cloned().chain(paid).collect();
    let is_yearly = |id: &str| {
        let price = prices.iter().find(|price| *price.id == *id);
        let interval = price.and_then(|price| price.interval.as_ref());
        interval.is_some_and(|interval| interval.unit == IntervalUnit::Year)
    };
    refund_rest(desk, facts, closed_at, &is_yearly)
}

/// Refunds what was paid for the rest of a period that ended early. This includes payments that were made before the
/// end and whose events arrive after it. Payments outside of Stripe are refunded by hand.
fn refund_rest(
    desk: &mut Desk<'_>,
    facts: &SubscriptionFacts,
    ended_at: Timestamp,
    is_counted: &dyn Fn(&str) -> bool,
) -> Ruled<()> {
    let mut items = facts.row.state().items.iter();
    let item =
        items.find(|item| is_counted(&item.price_id) && item.period_start <= ended_at && ended_at < item.period_end);
    let Some(item) = item else { return Ok(()) };
    let period = unused::Period { start: item.period_start, end: item.period_end };
    let mut billing = desk.account.row::<BillingHistory>(&facts.id)?.unwrap_or_default();
    for rest in unused::rest(desk, &facts.id, &period, ended_at, false, is_counted)? {
        let given = billing.rest.entry(rest.currency.clone()).or_default();
        let more = sendable(rest.amount_minor - given.amount_minor, &rest.currency);
        if more <= 0 {
            continue;
        }
        let (subscription, currency) = (facts.id.clone(), rest.currency.clone());
        let key = EffectKey::RefundRest { subscription, currency, again: given.requests };
        (given.amount_minor, given.requests) = (given.amount_minor + more, given.requests + 1);
        let payload = json!({
            "subscription": facts.id, "amount_minor": more, "currency": rest.currency, "reason": "requested_by_customer",
            "metadata": {"rest_of": facts.id},
        });
        desk.account.ask(request(&key, &payload, None)?);
    }
    billing.rest.retain(|_, given| given.requests > 0);
    if !billing.rest.is_empty() {
        desk.account.put(&facts.id, billing);
    }
    for rest in unused::rest(desk, &facts.id, &period, ended_at, true, is_counted)? {
        let values = json!({"subscription": facts.id, "amount_minor": rest.amount_minor, "currency": rest.currency});
        send_once(&mut desk.account, &mail_kinds::REST_BY_HAND, &facts.id, &values)?;
    }
    Ok(())
}

/// Refunds the unused part of the periods of add-ons that have ended with their plan.
fn refund_add_ons(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<()> {
    let has_news = !desk.account.touched::<Invoice>().is_empty();
    let changed: BTreeSet<String> = desk.account.touched::<SubscriptionRow>().into_iter().collect();
    for facts in standing.subscriptions.iter().filter(|facts| facts.row.is_final()) {
        let billing = desk.account.get_here::<BillingHistory>(&facts.id)?;
        let ends_with_plan = billing.filter(|billing| !billing.refused).and_then(|billing| billing.ends_with_plan);
        // An add-on that was cancelled separately, before the plan or after it had been resumed, runs to the end of its
        // paid period, so nothing is refunded.
        let with_plan = ends_with_plan.map(|end| end..end.saturating_add(CANCELLED_WITHIN_MS));
        let is_early = with_plan.is_some_and(|times| times.contains(&facts.row.ended_at()));
        if is_early && (has_news || changed.contains(&*facts.id)) {
            refund_rest(desk, facts, facts.row.ended_at(), &|_| true)?;
        }
    }
    Ok(())
}
