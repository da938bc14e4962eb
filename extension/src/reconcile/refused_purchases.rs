//! Ends and refunds purchases and subscriptions that the account was not allowed to buy. Also maintains the rows of
//! items that are limited to one per account.

use super::schedule::{DesiredSchedule, mail_unless_explained};
use crate::catalog::price::Interval;
use crate::catalog::terms::CatalogPrice;
use crate::derive::sold;
use crate::derive::standing::{AccountStanding, Holder};
use crate::derive::subscriptions::SubscriptionFacts;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::{cancel_now, request};
use crate::model::halt::Ruled;
use crate::model::ids::{InvoiceId, PriceId, ProductId, SubscriptionId};
use crate::model::json::short_hash;
use crate::model::keys::{EffectKey, FactKey, TimerKey};
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::invoice::{BY_HAND, Invoice};
use crate::model::records::item::Item;
use crate::model::records::lot::Lot;
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::subscription::{Observation, SubscriptionRow, is_final, is_served};
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::{DELIVERY_DAYS, plus_days};
use extension_contract::{SubscriptionStatus, Timestamp};
use serde::Serialize;
use serde_json::json;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Why a purchase is ended and refunded, as reported to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Because {
    /// The account was closed before the purchase.
    AccountClosed,
    /// Another purchase already holds the item.
    AlreadyActive,
    /// No plan of the account ever allowed the purchase.
    UpgradeRequired,
}

/// Ends and refunds refused purchases, and updates the items' rows.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    let none = BillingHistory::default();
    let is_told_more = !desk.account.touched::<Invoice>().is_empty();
    for facts in &standing.subscriptions {
        let before = desk.account.get_here::<BillingHistory>(&facts.id)?;
        let mut billing = Cow::Borrowed(before.as_deref().unwrap_or(&none));
        // An ended subscription is refunded, too: the event about its end may arrive first.
        if !billing.refused
            && (facts.lost_at.is_none() || facts.row.is_final() || standing.is_after_closing(facts.row.first_at))
            && let Some(because) = refusal_reason(desk, standing, desired, facts, &billing)?
        {
            billing.to_mut().refused = true;
            end_refused(desk, facts, because)?;
        }
        if billing.refused && (is_told_more || matches!(billing, Cow::Owned(_))) {
            for invoice in paid_invoices(desk, &facts.id)? {
                if !billing.refunded_invoices.contains(&invoice) {
                    refund_invoice(desk, &invoice)?;
                    billing.to_mut().refunded_invoices.insert(invoice);
                }
            }
        }
        if !billing.refused && facts.lost_at.is_none() {
            stop_renewal(desk, standing, facts)?;
        }
        if let Cow::Owned(billing) = billing {
            desk.account.load::<BillingHistory>(&[facts.id.to_string()])?;
            desk.account.put(&facts.id, billing);
        }
    }
    for (id, purchase) in desk.account.all::<PurchaseRow>()? {
        if let (true, Some(paid_at)) = (purchase.grants(), purchase.paid_once_at()) {
            check_one_time_purchase(desk, standing, desired, &id, &purchase, paid_at)?;
        }
    }
    plans_paid_twice(desk, standing)?;
    items(desk, standing)
}

/// Notifies the operators of a second subscription for a plan of the same family. The higher plan is in force; the
/// operators decide about the newer subscription and its money (S35).
fn plans_paid_twice(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<()> {
    let mut paid: BTreeMap<&str, Vec<&SubscriptionFacts>> = BTreeMap::new();
    for facts in standing.subscriptions.iter().filter(|facts| facts.lost_at.is_none()) {
        for (family, price) in &facts.plans {
            if !price.terms()?.adds {
                paid.entry(family).or_default().push(facts);
            }
        }
    }
    // An account that has bought the plan again does not also pay the old debt.
    let mut settled: BTreeSet<&SubscriptionId> = BTreeSet::new();
    for newer in paid.values().flatten() {
        let billing = desk.account.get_here::<BillingHistory>(&newer.id)?;
        settled.extend(billing.filter(|billing| !billing.paid.is_empty()).map(|_| &newer.id));
    }
    for facts in standing.subscriptions.iter().filter(|facts| facts.lost_at.is_some() && !facts.row.is_final()) {
        let is_unpaid = matches!(facts.row.status(), SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid);
        let is_replaced = |family: &str| {
            let named = facts.named.iter().any(|price| price.family.as_deref() == Some(family));
            named
                && paid[family]
                    .iter()
                    .any(|newer| newer.row.first_at > facts.row.first_at && settled.contains(&newer.id))
        };
        if is_unpaid && paid.keys().any(|family| is_replaced(family)) {
            let ended = cancel_now(&facts.id)?;
            if desk.account.record_fact(&FactKey::Refused(&facts.id).to_string())? {
                desk.account.ask(ended);
            }
        }
    }
    // The newer and the older subscription of each pair, and the family of their plans.
    let mut pairs: Vec<(&SubscriptionId, &SubscriptionId, &str)> = Vec::new();
    for (family, mut of_family) in paid {
        of_family.sort_by(|a, b| (a.row.first_at, &a.id).cmp(&(b.row.first_at, &b.id)));
        pairs.extend(of_family.windows(2).map(|pair| (&pair[1].id, &pair[0].id, family)));
    }
    let key = |newer: &str| mail_kinds::PLAN_PAID_TWICE.key(newer).to_string();
    let keys: Vec<String> = pairs.iter().map(|pair| key(pair.0)).collect();
    for place in desk.account.unknown_of(&keys)? {
        let (newer, older, family) = pairs[place];
        let values = json!({"subscription": newer, "beside": older, "family": family});
        send_once(&mut desk.account, &mail_kinds::PLAN_PAID_TWICE, newer, &values)?;
    }
    Ok(())
}

/// Refunds a one-time purchase if its account was closed before, if its item has another holder, or if no plan has ever
/// allowed the purchase.
fn check_one_time_purchase(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    desired: &mut DesiredSchedule,
    id: &str,
    purchase: &PurchaseRow,
    paid_at: Timestamp,
) -> Ruled<()> {
    if standing.is_after_closing(paid_at) {
        let products = purchase.values.items.iter().map(|item| item.product_id.as_str().into()).collect();
        refund_purchase(desk, id, purchase, products, Because::AccountClosed)?;
        let values = json!({
            "purchase": id, "invoice": null, "amount_paid_minor": purchase.paid_minor(),
            "currency": purchase.values.total.currency, "subscription": null,
        });
        return send_once(&mut desk.account, &mail_kinds::PAID_AFTER_DEPARTURE, id, &values);
    }
    let prices = sold::prices(desk, purchase)?;
    let [(price, _)] = prices.as_slice() else { return Ok(()) };
    let terms = price.terms()?;
    let holder = terms.item.as_ref().and_then(|item| standing.items.get(item));
    let is_unmet = terms.condition.as_ref().is_some_and(|condition| !standing.is_granted_by_plan(condition));
    let because = match () {
        () if holder.is_some_and(|holder| holder.id != id) => Because::AlreadyActive,
        () if is_unmet && is_unmet_for_good(desk.now, standing, desired, paid_at) => Because::UpgradeRequired,
        () => return Ok(()),
    };
    refund_purchase(desk, id, purchase, vec![price.product_id.clone()], because)
}

/// Refunds a one-time purchase as a whole, and notifies the account. A purchase without a payment is not refunded.
fn refund_purchase(
    desk: &mut Desk<'_>,
    id: &str,
    purchase: &PurchaseRow,
    products: Vec<ProductId>,
    because: Because,
) -> Ruled<()> {
    let Some(payment_intent) = &purchase.values.payment_intent_id else { return Ok(()) };
    let mut row = PurchaseRow::clone(purchase);
    row.details.refused = true;
    desk.account.put(id, row);
    if let Some(lot) = desk.account.row::<Lot>(id)? {
        let held_micros = lot.unspent_micros();
        desk.account.put(id, Lot { held_micros, ..lot });
    }
    let payload = json!({"payment_intent": payment_intent, "reason": "duplicate"});
    let key = EffectKey::RefundPurchase { purchase: id.to_owned() };
    desk.account.ask(request(&key, &payload, None)?);
    let values = json!({"purchase": id, "products": products, "because": because});
    send_once(&mut desk.account, &mail_kinds::PURCHASE_REFUSED, id, &values)
}

/// Returns why a subscription must be ended and refunded: its account was closed before, its item has another holder, or no
/// plan has ever allowed it.
fn refusal_reason(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    desired: &mut DesiredSchedule,
    facts: &SubscriptionFacts,
    billing: &BillingHistory,
) -> Ruled<Option<Because>> {
    if standing.is_after_closing(facts.row.first_at) {
        return Ok(Some(Because::AccountClosed));
    }
    let (mut owned, mut unmet, mut taken, mut is_known) = (0, Vec::new(), Vec::new(), true);
    for (price, quantity) in &facts.gives {
        let terms = price.terms()?;
        let holder =
            terms.item.as_ref().and_then(|item| standing.items.get(item)).filter(|holder| *holder.id != *facts.id);
        let mut held = Some(false);
        if let (Some(item), Some(holder)) = (&terms.item, holder) {
            held = match facts.row.is_final() {
                true => Some(held_before(standing, item, holder, facts)?),
                false => held_when_begun(standing, item, holder, facts)?,
            };
            if held != Some(false) {
                owned += 1;
                let holder = standing.subscription(&holder.id);
                let mut is_told = held.is_some();
                if let Some(holder) = holder {
                    // The holder may be a duplicate itself.
                    for of in older(standing, holder) {
                        is_told &= had(standing, item, of, holder)?.is_some();
                    }
                }
                is_known &= is_told && is_known_since(desk, holder, facts.row.first_at)?;
            } else if !facts.row.is_final() && *quantity > 0 {
                let other = standing.subscription(&holder.id);
                let had =
                    other.map_or(Some(holder.since), |other| gives_since(&other.row, &prices_of(other, item).ok()?));
                let since = gives_since(&facts.row, &[&price.id]).max(had).unwrap_or(desk.now);
                taken.push((holder.id.clone(), price.product_id.clone(), since));
            }
        }
        if let Some(item) = &terms.item
            && held == Some(false)
            && (holder.is_none() || facts.row.is_final())
            && is_young(desk.now, facts)
            && had_ended_holder(desk, standing, item, facts)?
        {
            owned += 1;
        }
        unmet.extend(terms.condition.clone().filter(|condition| !standing.is_granted_by_plan(condition)));
    }
    // If only some of a subscription's prices are affected, a person decides.
    if owned > 0 && owned == facts.gives.len() {
        return Ok(is_known.then_some(Because::AlreadyActive));
    }
    for (beside, product, since) in taken {
        let values = json!({"subscription": facts.id, "beside": beside, "product": product});
        let at = plus_days(since, TOLD_AFTER_DAYS);
        mail_unless_explained(desk, desired, &mail_kinds::PAID_FOR_THE_SAME, &facts.id, at, values)?;
    }
    if unmet.is_empty() || unmet.len() < facts.gives.len() {
        return Ok(None);
    }
    // A subscription created outside of the system was not checked before its payment; it waits for its condition.
    let Some(purchase) = &billing.purchase else { return Ok(None) };
    let row = desk.account.get::<PurchaseRow>(purchase)?.filter(|row| !row.values.items.is_empty());
    let paid_at = row.and_then(|row| row.details.counts.as_ref()?.paid_at);
    Ok(paid_at.filter(|at| is_unmet_for_good(desk.now, standing, desired, *at)).map(|_| Because::UpgradeRequired))
}

/// Returns whether the holder's snapshot is from `since` or later. An older snapshot may miss the subscription's end,
/// so the subscription is retrieved before any refund. If the retrieval fails, the stored snapshot decides if the holder's period
/// covers `since`; otherwise nothing is refunded until a newer snapshot of the holder arrives.
fn is_known_since(desk: &mut Desk<'_>, holder: Option<&SubscriptionFacts>, since: Timestamp) -> Ruled<bool> {
    let Some(holder) = holder.filter(|holder| holder.row.at < since) else { return Ok(true) };
    let key = EffectKey::Retrieve { object: holder.id.to_string(), because: since, views: 0 };
    let text = key.to_string();
    if desk.account.is_known(&FactKey::RetrieveFailed { key: &text, generation: 1 }.to_string())? {
        return Ok(holder.row.state().items.iter().any(|item| item.period_end > since));
    }
    if desk.account.record_fact(&FactKey::Asked(&text).to_string())? {
        let about = Correlation::Retrieve { object: holder.id.to_string(), known: Vec::new() };
        let payload = json!({"object": "subscription", "id": holder.id});
        desk.account.ask(request(&key, &payload, Some(&about))?);
    }
    Ok(false)
}

/// Returns the prices of an item that a subscription had at any time.
fn prices_of<'f>(facts: &'f SubscriptionFacts, item: &str) -> Ruled<Vec<&'f PriceId>> {
    let mut out: Vec<&PriceId> = Vec::new();
    for price in &facts.named {
        if price.terms()?.item.as_deref() == Some(item) {
            out.push(&price.id);
        }
    }
    Ok(out)
}

/// Returns whether the holder had the item when another subscription to it began; `None` if that depends on an event
/// that has not arrived yet. If the holder did not have it, because its payment had failed for good, the other
/// subscription was not a duplicate and granted the item.
fn held_when_begun(
    standing: &AccountStanding,
    item: &str,
    holder: &Holder,
    begun: &SubscriptionFacts,
) -> Ruled<Option<bool>> {
    let Some(facts) = standing.subscription(&holder.id) else { return Ok(Some(true)) };
    let prices = prices_of(facts, item)?;
    let history = &facts.row.history;
    let next = history.partition_point(|seen| seen.at() <= begun.row.first_at);
    let Some(seen) = next.checked_sub(1).map(|last| &history[last]) else {
        // No snapshot of that time is known. If the first later snapshot comes within a few days and shows no change of
        // the status, the status was the same before. An end is a change.
        let soon = plus_days(begun.row.first_at, DELIVERY_DAYS);
        let is_telling = |seen: &&Observation| {
            seen.at() <= soon
                && !is_final(seen.status())
                && seen.status_before().is_none_or(|before| is_served(before) == is_served(seen.status()))
        };
        return Ok(history.first().filter(is_telling).map(|seen| is_served(seen.status())));
    };
    let held = is_served(seen.status()) && prices.iter().any(|price| seen.quantity_of(price).is_some());
    // The next snapshot shows a status that no known snapshot explains.
    let changed = history.get(next).and_then(Observation::status_before);
    let is_missing = changed.is_some_and(|until| is_served(until) != is_served(seen.status()));
    Ok((!is_missing).then_some(held))
}

/// Returns the time since which a subscription has been served with one of these prices; `None` if it is not.
fn gives_since(row: &SubscriptionRow, prices: &[&PriceId]) -> Option<Timestamp> {
    row.run_start(|seen| is_served(seen.status()) && prices.iter().any(|price| seen.quantity_of(price).is_some()))
}

/// Days until operators are notified that a subscription was changed to an add-on that another subscription already
/// grants. Until then the event that ends the other one may still arrive.
const TOLD_AFTER_DAYS: u32 = 1;

/// Returns whether events from the time at which a subscription began can still arrive: the end of an older
/// subscription can arrive before the event that shows that the older one was in force then. After that, the
/// subscription has been used too long to be refunded because of one that has ended.
fn is_young(now: Timestamp, facts: &SubscriptionFacts) -> bool {
    now <= plus_days(facts.row.first_at, DELIVERY_DAYS)
}

/// Returns whether an older subscription, ended in the meantime, had the item when `begun` began. Subscriptions that
/// were, or may have been, duplicates themselves do not count.
fn had_ended_holder(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    item: &str,
    begun: &SubscriptionFacts,
) -> Ruled<bool> {
    let mut rightful: Vec<&SubscriptionFacts> = Vec::new();
    for facts in older(standing, begun) {
        let mut is_duplicate =
            desk.account.get_here::<BillingHistory>(&facts.id)?.is_some_and(|billing| billing.refused);
        for earlier in &rightful {
            is_duplicate |= had(standing, item, earlier, facts)? != Some(false);
        }
        if !is_duplicate {
            if facts.row.is_final() && had(standing, item, facts, begun)? == Some(true) {
                return Ok(true);
            }
            rightful.push(facts);
        }
    }
    Ok(false)
}

/// Returns the subscriptions that began before `begun`, the oldest first.
fn older<'s>(standing: &'s AccountStanding, begun: &SubscriptionFacts) -> Vec<&'s SubscriptionFacts> {
    let by_beginning =
        |a: &SubscriptionFacts, b: &SubscriptionFacts| (a.row.first_at, &a.id).cmp(&(b.row.first_at, &b.id));
    let all = standing.subscriptions.iter();
    let mut older: Vec<&SubscriptionFacts> = all.filter(|facts| by_beginning(facts, begun).is_lt()).collect();
    older.sort_by(|a: &&SubscriptionFacts, b| by_beginning(a, b));
    older
}

/// Returns whether the subscription `of` had the item when `begun` began; `None` if that depends on an event that has
/// not arrived yet.
fn had(
    standing: &AccountStanding,
    item: &str,
    of: &SubscriptionFacts,
    begun: &SubscriptionFacts,
) -> Ruled<Option<bool>> {
    if of.row.is_final() && of.row.ended_at() <= begun.row.first_at || prices_of(of, item)?.is_empty() {
        return Ok(Some(false));
    }
    held_when_begun(standing, item, &Holder { id: of.id.to_string(), since: of.row.first_at }, begun)
}

/// Returns whether the holder had the item before the ended subscription began and ever since. Then the ended
/// subscription never granted the item.
fn held_before(standing: &AccountStanding, item: &str, holder: &Holder, ended: &SubscriptionFacts) -> Ruled<bool> {
    let Some(facts) = standing.subscription(&holder.id) else { return Ok(false) };
    let of_item = prices_of(facts, item)?;
    let holds = |seen: &Observation| {
        let is_good = |status| matches!(status, SubscriptionStatus::Active | SubscriptionStatus::Trialing);
        is_good(seen.status())
            && seen.status_before().is_none_or(is_good)
            && of_item.iter().any(|price| seen.quantity_of(price).is_some())
    };
    let is_older = (holder.since, holder.id.as_str()) < (ended.row.first_at, &*ended.id);
    Ok(is_older && facts.row.history.iter().all(holds))
}

/// Returns whether a condition that is not met now was not met at `at` either: no plan came into force or was lost
/// since. A closed account has no plans, so nothing is known about the time before its closing.
fn was_never_met(standing: &AccountStanding, at: Timestamp) -> bool {
    if standing.closed_at.is_some_and(|closed| at <= closed) {
        return false;
    }
    standing.plans.values().all(|plan| plan.since <= at) && standing.lost.values().all(|lost| lost.at <= at)
}

/// Returns whether a condition was never met and is not waited for any more. An event about the plan can be under way for a
/// short time after the payment (S113).
fn is_unmet_for_good(
    now: Timestamp,
    standing: &AccountStanding,
    desired: &mut DesiredSchedule,
    paid_at: Timestamp,
) -> bool {
    if !was_never_met(standing, paid_at) {
        return false;
    }
    let due = standing.settings.plan_within.after(paid_at);
    desired.timer(now, TimerKey::Unmet { due }, due);
    due <= now
}

fn end_refused(desk: &mut Desk<'_>, facts: &SubscriptionFacts, because: Because) -> Ruled<()> {
    if !facts.row.is_final() {
        desk.account.ask(cancel_now(&facts.id)?);
    }
    let products: Vec<&ProductId> = facts.gives.iter().map(|(price, _)| &price.product_id).collect();
    let values = json!({"subscription": facts.id, "products": products, "because": because});
    send_once(&mut desk.account, &mail_kinds::PURCHASE_REFUSED, &facts.id, &values)
}

/// Stops the renewal of add-ons that require a plan after the last plan has ended permanently, so that nobody pays for
/// add-ons without effect. If the account buys a plan before the add-ons end, they grant entitlements again (S111).
/// Add-ons that wait for a condition beside a default plan are kept.
fn stop_renewal(desk: &mut Desk<'_>, standing: &AccountStanding, facts: &SubscriptionFacts) -> Ruled<()> {
    if facts.gives.is_empty() || facts.row.state().cancel_at_period_end || !standing.plans.is_empty() {
        return Ok(());
    }
    for (price, _) in &facts.gives {
        if !price.terms()?.requires_plan {
            return Ok(());
        }
    }
    let Some(last) = standing.lost.values().max_by_key(|lost| (lost.at, &lost.subscription)) else { return Ok(()) };
    let ended = last.subscription.as_deref().unwrap_or("trial");
    let fact = FactKey::NotRenewed { subscription: &facts.id, plan_subscription: ended }.to_string();
    if !standing.lost.values().all(|lost| lost.is_final) || !desk.account.record_fact(&fact)? {
        return Ok(());
    }
    let payload = json!({"subscription": facts.id, "at_period_end": true});
    let key = EffectKey::Cancel { subscription: facts.id.clone(), asked_by: short_hash(ended) };
    desk.account.ask(request(&key, &payload, None)?);
    let products: Vec<&ProductId> = facts.gives.iter().map(|(price, _)| &price.product_id).collect();
    let values = json!({"subscription": facts.id, "products": products, "plan": last.product_id});
    send_once(&mut desk.account, &mail_kinds::ADD_ON_ENDS, &fact, &values)
}

/// Returns the invoices of a subscription for which Stripe received money, except those that a person made.
fn paid_invoices(desk: &mut Desk<'_>, subscription: &SubscriptionId) -> Ruled<Vec<InvoiceId>> {
    desk.account.load_whole(Invoice::COLLECTION)?;
    let is_meant = |invoice: &Invoice| {
        invoice.subscription.as_ref() == Some(subscription) && invoice.reason != BY_HAND && invoice.is_paid_at_stripe()
    };
    Ok(desk.account.all_where(is_meant)?.into_iter().map(|(id, _)| id.into()).collect())
}

fn refund_invoice(desk: &mut Desk<'_>, invoice: &InvoiceId) -> Ruled<()> {
    let payload = json!({"invoice": invoice, "reason": "duplicate"});
    let key = EffectKey::RefundInvoice { invoice: invoice.clone() };
    desk.account.ask(request(&key, &payload, None)?);
    Ok(())
}

/// Returns the serialized name of a status.
fn status_name(status: &impl Serialize) -> String {
    serde_json::to_value(status).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Removes the item rows of subscriptions that were changed to another product.
fn remove_moved_items(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    candidates_by_item: &BTreeMap<String, Vec<Item>>,
) -> Ruled<()> {
    for facts in standing.subscriptions.iter().filter(|facts| !facts.gives.is_empty()) {
        for price in &facts.named {
            let Some(item) = price.terms()?.item.clone().filter(|item| !candidates_by_item.contains_key(item)) else {
                continue;
            };
            if desk.account.get_here::<Item>(&item)?.is_some_and(|row| *row.source == *facts.id) {
                desk.account.remove::<Item>(&item);
            }
        }
    }
    Ok(())
}

/// Removes the item rows of a refused subscription, which never granted them.
fn forget_refused(desk: &mut Desk<'_>, facts: &SubscriptionFacts) -> Ruled<()> {
    for price in &facts.named {
        let Some(item) = &price.terms()?.item else { continue };
        if desk.account.get_here::<Item>(item)?.is_some_and(|row| *row.source == *facts.id) {
            desk.account.remove::<Item>(item);
        }
    }
    Ok(())
}

/// Updates the row of each item with the item's holder or, without a holder, the last holder.
fn items(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<()> {
    let mut candidates_by_item: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for facts in &standing.subscriptions {
        if desk.account.get_here::<BillingHistory>(&facts.id)?.is_some_and(|billing| billing.refused) {
            forget_refused(desk, facts)?;
            continue;
        }
        let state = facts.row.state();
        // A frozen subscription grants nothing and keeps its row.
        let is_current = |price: &&Rc<CatalogPrice>| state.items.iter().any(|item| item.price_id == *price.id);
        let current = facts.named.iter().filter(is_current).filter(|_| facts.gives.is_empty());
        for price in facts.gives.iter().map(|(price, _)| price).chain(current) {
            let Some(item) = &price.terms()?.item else { continue };
            let carried = state.items.iter().find(|item| item.price_id == *price.id);
            candidates_by_item.entry(item.clone()).or_default().push(Item {
                product_id: price.product_id.clone(),
                price_id: price.id.clone(),
                interval: Interval::of(price.interval).name().to_owned(),
                source: facts.id.to_string(),
                status: status_name(&facts.row.status()),
                since: facts.row.first_at,
                period_end: carried.map(|item| item.period_end),
                cancel_at_period_end: state.cancel_at_period_end,
            });
        }
    }
    for (id, purchase) in desk.account.all::<PurchaseRow>()? {
        let paid_at = purchase.details.counts.as_ref().and_then(|session| session.paid_at);
        let (Some(since), None) = (paid_at, &purchase.values.subscription_id) else { continue };
        for price_id in purchase.values.items.iter().filter_map(|item| item.price_id.as_ref()) {
            let Some(price) = desk.catalog.price(&price_id.as_str().into())? else { continue };
            let Some(item) = &price.terms()?.item else { continue };
            candidates_by_item.entry(item.clone()).or_default().push(Item {
                product_id: price.product_id.clone(),
                price_id: price.id.clone(),
                interval: Interval::Once.name().to_owned(),
                source: id.clone(),
                status: status_name(&purchase.values.status),
                since,
                period_end: None,
                cancel_at_period_end: false,
            });
        }
    }
    remove_moved_items(desk, standing, &candidates_by_item)?;
    for (id, mut candidates) in candidates_by_item {
        let stored = desk.account.get::<Item>(&id)?;
        // The stored row is older than the facts about its source.
        let is_news = |stored: &&Rc<Item>| candidates.iter().all(|item| item.source != stored.source);
        let last = stored.as_ref().filter(is_news).map(|item| Item::clone(item));
        candidates.extend(last);
        let holder = standing.items.get(&id).map(|holder| holder.id.as_str());
        let shown = match candidates.iter().position(|item| Some(item.source.as_str()) == holder) {
            Some(index) => Some(candidates.swap_remove(index)),
            None => candidates.into_iter().rev().max_by(|a, b| (a.since, &a.source).cmp(&(b.since, &b.source))),
        };
        if let Some(shown) = shown.filter(|shown| stored.as_deref() != Some(shown)) {
            desk.account.put(&id, shown);
        }
    }
    Ok(())
}
