//! Ends the subscriptions of a closed account at once and refunds the rest of yearly periods. Notifies the
//! operators of later payments (S73).

use crate::catalog::desk::Desk;
use crate::derive::standing::AccountStanding;
use crate::derive::subscriptions::SubscriptionFacts;
use crate::model::effect::{cancel_now, request};
use crate::model::halt::Ruled;
use crate::model::keys::EffectKey;
use crate::model::notice::{To, send_once};
use crate::model::records::closed::Closed;
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use extension_contract::{IntervalUnit, Money, SubscriptionStatus, Timestamp};
use serde_json::json;

/// Ends the subscriptions of a closed account.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<()> {
    let Some(closed) = desk.account.fetch::<Closed>(Closed::ID)? else { return Ok(()) };
    let mut after = closed.clone();
    for facts in standing.subscriptions.iter().filter(|facts| !facts.row.is_final()) {
        if !after.cancelled.insert(facts.id.clone()) {
            continue;
        }
        desk.account.ask(cancel_now(&facts.id)?);
        for rest in rest_of_years(facts, desk.now) {
            let payload = json!({
                "subscription": facts.id, "amount_minor": rest.amount_minor, "currency": rest.currency,
                "reason": "requested_by_customer",
            });
            let key = EffectKey::GiveBackRest { subscription: facts.id.clone(), currency: rest.currency };
            desk.account.ask(request("stripe.refund.create", &key, &payload, None)?);
        }
    }
    for id in desk.account.touched::<Invoice>() {
        let Some(invoice) = desk.account.get::<Invoice>(&id)? else { continue };
        let is_late = invoice.status == InvoiceStatus::Paid && invoice.paid_at.unwrap_or(invoice.at) > closed.at;
        if is_late && invoice.takings_minor() > 0 {
            let values = json!({
                "invoice": id, "amount_paid_minor": invoice.takings_minor(), "currency": invoice.currency,
                "subscription": invoice.subscription,
            });
            send_once(&mut desk.account, "paid_after_departure", To::Admin, &id, &values)?;
        }
    }
    if after != closed {
        desk.account.put(Closed::ID, after);
    }
    Ok(())
}

/// Returns the amount paid for the rest of yearly periods, by currency, rounded down; only for an active subscription.
fn rest_of_years(facts: &SubscriptionFacts, now: Timestamp) -> Vec<Money> {
    let mut out: Vec<Money> = Vec::new();
    if facts.row.status() != SubscriptionStatus::Active {
        return out;
    }
    for (price, quantity) in &facts.gives {
        let is_yearly = price.interval.as_ref().is_some_and(|interval| interval.unit == IntervalUnit::Year);
        let item = facts.row.state().items.iter().find(|item| item.price_id == price.id);
        let Some(item) = item.filter(|item| is_yearly && item.period_start <= now && now < item.period_end) else {
            continue;
        };
        let paid = i128::from(price.amount.amount_minor) * i128::from(*quantity);
        let left = i128::from(item.period_end - now);
        let whole = i128::from(item.period_end - item.period_start);
        let Ok(amount_minor) = i64::try_from(paid * left / whole) else { continue };
        let currency = &price.amount.currency;
        match out.iter_mut().find(|rest| rest.currency == *currency) {
            Some(rest) => rest.amount_minor = rest.amount_minor.saturating_add(amount_minor),
            None => out.push(Money { amount_minor, currency: currency.clone() }),
        }
    }
    out.retain(|rest| rest.amount_minor > 0);
    out
}
