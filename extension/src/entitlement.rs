//! What an account may use: computed from its subscriptions, never stored.

use crate::catalog::{Settings, Terms};
use crate::context::{decode, short_answer};
use crate::rows::Rows;
use crate::subscription::{self, Billing};
use crate::time::plus_days;
use products_contract::*;
use std::collections::BTreeMap;

/// Of an amount without bound.
pub(crate) const UNLIMITED: i64 = -1;

/// One subscription with all that is known of it.
pub(crate) struct View {
    /// The row.
    pub row: Subscription,
    /// What is remembered beside it.
    pub billing: Billing,
    /// The prices of its items, in their order; none is unknown to the catalog.
    pub prices: Vec<Option<Price>>,
    /// Until when service goes on although a payment failed.
    pub grace_end: Option<Timestamp>,
    /// Since when it entitles to nothing.
    pub lost_at: Option<Timestamp>,
    /// The plan that is paid for and so in force, if it has one.
    pub plan: Option<Price>,
}

/// The plan of the account and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The price in force.
    pub price: Price,
    /// Subscription that gives it.
    pub subscription: String,
    /// Since when this price holds.
    pub since: Timestamp,
}

/// Where an account stands.
pub(crate) struct Standing {
    /// Its subscriptions.
    pub views: Vec<View>,
    /// Its plan, the highest of those that are paid for.
    pub plan: Option<Plan>,
    /// Allowed amounts by entitlement, with the ids of what gives them.
    pub allowed: BTreeMap<String, (i64, Vec<String>)>,
    /// When the last plan was lost; none while there is one, or where there never was.
    pub lost_at: Option<Timestamp>,
    /// When the last add-on that granted an entitlement was lost, by entitlement.
    pub add_ons_lost: BTreeMap<String, Timestamp>,
    /// The subscription that gave the last plan.
    pub lost_subscription: Option<String>,
    /// True if there were subscriptions that gave a plan and every one of them has ended for good.
    pub all_final: bool,
}

impl Standing {
    /// The allowed amount of one thing.
    pub fn allowed(&self, key: &str) -> i64 {
        self.allowed.get(key).map_or(0, |(amount, _)| *amount)
    }
}

/// Whether a subscription entitles at a time; if not, since when.
fn standing_of(
    row: &SubscriptionValues,
    billing: &Billing,
    grace_end: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let since = |status| billing.run_start(|seen| seen.2 == status).unwrap_or(row.snapshot.at);
    match row.status {
        SubscriptionStatus::Active | SubscriptionStatus::Trialing => None,
        SubscriptionStatus::PastDue => grace_end.filter(|end| *end <= now),
        SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired => {
            Some(billing.ended_at.unwrap_or(row.snapshot.at))
        }
        status => Some(since(status)),
    }
}

/// Grace begins at the first failure known, whichever event told of it, and no later attempt moves it.
fn grace_end(row: &SubscriptionValues, billing: &Billing, days: u32) -> Option<Timestamp> {
    if row.status != SubscriptionStatus::PastDue {
        return None;
    }
    let run = billing.run_start(|seen| seen.2 == SubscriptionStatus::PastDue).unwrap_or(row.snapshot.at);
    Some(plus_days(billing.first_failure().map_or(run, |failed| failed.min(run)), days))
}

/// The plan price that is paid for: the one on the subscription, unless its payment is open or failed; then the one
/// that was paid last, if that is not more. Where no payment is known at all, a failed one is that of a renewal.
fn paid_plan(
    prices: &[Option<Price>],
    status: SubscriptionStatus,
    billing: &Billing,
    known: &BTreeMap<String, Price>,
) -> Fallible<Option<Price>> {
    let Some(current) = prices.iter().flatten().find(|price| price.family.is_some()) else { return Ok(None) };
    let unsettled = billing.open.values().any(|invoice| {
        matches!(invoice.reason.as_str(), "subscription_create" | "subscription_update")
            && (invoice.prices.is_empty() || invoice.prices.contains(&current.id))
            && invoice.void_at.is_none_or(|void_at| billing.paid.get(&current.id).is_none_or(|paid| *paid < void_at))
    });
    if !unsettled && status != SubscriptionStatus::PastDue {
        return Ok(Some(current.clone()));
    }
    let mut last: Option<((Timestamp, i64, &str), &Price)> = None;
    for (id, at) in &billing.paid {
        let Some(price) = known.get(id).filter(|price| price.family == current.family) else { continue };
        let order = (*at, Terms::read(price)?.rank, id.as_str());
        if last.is_none_or(|(latest, _)| order > latest) {
            last = Some((order, price));
        }
    }
    let rank = Terms::read(current)?.rank;
    Ok(match last {
        Some(((_, paid, _), price)) if paid < rank => Some(price.clone()),
        None if unsettled => before_change(current, billing, known)?,
        _ => Some(current.clone()),
    })
}

/// The plan before a change that is not paid, where no payment of it was ever seen: the newest lower one of the family
/// that a view in good standing named. What was never another plan has none.
fn before_change(current: &Price, billing: &Billing, known: &BTreeMap<String, Price>) -> Fallible<Option<Price>> {
    if billing.open.values().any(|invoice| invoice.reason == "subscription_create") {
        return Ok(None);
    }
    let rank = Terms::read(current)?.rank;
    for seen in billing.history.iter().rev() {
        let good = matches!(seen.2, SubscriptionStatus::Active | SubscriptionStatus::Trialing);
        let Some(price) = seen.3.as_ref().and_then(|id| known.get(id)).filter(|_| good) else { continue };
        if price.family == current.family && Terms::read(price)?.rank < rank {
            return Ok(Some(price.clone()));
        }
    }
    Ok(None)
}

/// Work out where the account stands at a time.
pub(crate) fn standing(host: &mut Rows<'_>, settings: &Settings, now: Timestamp) -> Fallible<Standing> {
    let rows = subscription::all(host)?;
    let billings = subscription::billings(host, &rows)?;
    let known = known_prices(host, &rows, &billings)?;
    let mut views = Vec::with_capacity(rows.len());
    for (row, billing) in rows.into_iter().zip(billings) {
        let prices: Vec<Option<Price>> =
            row.values.items.iter().map(|item| known.get(&item.price_id).cloned()).collect();
        let grace_end = grace_end(&row.values, &billing, settings.grace_days);
        let lost_at = standing_of(&row.values, &billing, grace_end, now);
        let plan = if lost_at.is_none() { paid_plan(&prices, row.values.status, &billing, &known)? } else { None };
        views.push(View { row, billing, prices, grace_end, lost_at, plan });
    }
    let mut plan = best_plan(&views)?;
    if let Some(plan) = &mut plan {
        plan.since = plan.since.max(fell_at(&views, &plan.price)?);
    }
    let mut allowed = BTreeMap::new();
    if let Some(plan) = &plan {
        add_grants(&mut allowed, &plan.price, 1, &plan.subscription);
    }
    for view in views.iter().filter(|view| view.lost_at.is_none()) {
        for (item, price) in view.row.values.items.iter().zip(&view.prices) {
            if let Some(price) = price.as_ref().filter(|price| price.family.is_none()) {
                let terms = Terms::read(price)?;
                // An add-on without a base plan grants nothing.
                if !terms.requires_plan || plan.is_some() {
                    add_grants(&mut allowed, price, i64::from(item.quantity), &view.row.id);
                }
            }
        }
    }
    let gave_a_plan = |view: &&View| {
        let names_one = view.prices.iter().flatten().any(|price| price.family.is_some());
        (names_one || view.billing.ever_named_a_plan()) && view.billing.was_ever_live()
    };
    let (lost_at, lost_subscription) = match plan {
        Some(_) => (None, None),
        None => views
            .iter()
            .filter(gave_a_plan)
            .filter_map(|view| Some((view.lost_at?, view.row.id.clone())))
            .max()
            .map_or((None, None), |(at, id)| (Some(at), Some(id))),
    };
    let mut add_ons_lost: BTreeMap<String, Timestamp> = BTreeMap::new();
    for view in views.iter().filter(|view| view.billing.was_ever_live()) {
        let Some(lost_at) = view.lost_at else { continue };
        let add_ons = view.prices.iter().flatten().filter(|price| price.family.is_none());
        for grant in add_ons.flat_map(|price| &price.grants) {
            let last = add_ons_lost.entry(grant.key.clone()).or_insert(lost_at);
            *last = (*last).max(lost_at);
        }
    }
    let mut gave = views.iter().filter(gave_a_plan).peekable();
    let all_final = gave.peek().is_some() && gave.all(|view| subscription::is_final(view.row.values.status));
    Ok(Standing { views, plan, allowed, lost_at, add_ons_lost, lost_subscription, all_final })
}

/// The highest plan that is in force; among equal ones the subscription that is older by its first view, then by id.
fn best_plan(views: &[View]) -> Fallible<Option<Plan>> {
    /// Rank, then the older subscription, then the smaller id.
    type Best = (i64, std::cmp::Reverse<(Timestamp, String)>, Plan);
    let mut best: Option<Best> = None;
    for view in views {
        let Some(price) = &view.plan else { continue };
        let rank = Terms::read(price)?.rank;
        let first = view.billing.history.first().map_or(view.row.values.snapshot.at, |seen| seen.0);
        let since = view.billing.run_start(|seen| seen.3.as_ref() == Some(&price.id)).unwrap_or(first);
        let order = std::cmp::Reverse((first, view.row.id.clone()));
        if best.as_ref().is_none_or(|(highest, held, _)| (rank, &order) > (*highest, held)) {
            let plan = Plan { price: price.clone(), subscription: view.row.id.clone(), since };
            best = Some((rank, order, plan));
        }
    }
    Ok(best.map(|(_, _, plan)| plan))
}

impl Standing {
    /// The item that carries the plan in force, whichever price of its family it names: an upgrade may be unpaid.
    pub fn plan_item(&self) -> Option<(&View, &SubscriptionItem)> {
        let plan = self.plan.as_ref()?;
        let view = self.views.iter().find(|view| view.row.id == plan.subscription)?;
        let mut pairs = view.row.values.items.iter().zip(&view.prices);
        let (item, _) = pairs.find(|(_, price)| price.as_ref().is_some_and(|p| p.family == plan.price.family))?;
        Some((view, item))
    }
}

/// When the last subscription to a higher plan than this one was lost: that is when this one took its place.
fn fell_at(views: &[View], price: &Price) -> Fallible<Timestamp> {
    let rank = Terms::read(price)?.rank;
    let mut fell = Timestamp::MIN;
    for view in views.iter().filter(|view| view.billing.was_ever_live()) {
        let Some(lost_at) = view.lost_at else { continue };
        for lost in view.prices.iter().flatten().filter(|lost| lost.family == price.family) {
            if Terms::read(lost)?.rank > rank {
                fell = fell.max(lost_at);
            }
        }
    }
    Ok(fell)
}

fn add_grants(allowed: &mut BTreeMap<String, (i64, Vec<String>)>, price: &Price, quantity: i64, source: &str) {
    for grant in &price.grants {
        let (amount, sources) = allowed.entry(grant.key.clone()).or_insert((0, Vec::new()));
        // Unlimited absorbs addition.
        *amount = if *amount == UNLIMITED || grant.amount == UNLIMITED {
            UNLIMITED
        } else {
            amount.saturating_add(grant.amount.saturating_mul(quantity))
        };
        sources.push(source.to_owned());
    }
}

/// Every catalog price that a subscription names or once paid for.
fn known_prices(host: &mut Rows<'_>, rows: &[Subscription], billings: &[Billing]) -> Fallible<BTreeMap<String, Price>> {
    let items = rows.iter().flat_map(|row| row.values.items.iter().map(|item| item.price_id.clone()));
    // What was paid matters only where something is open or failed.
    let paid = rows
        .iter()
        .zip(billings)
        .filter(|(row, billing)| !billing.open.is_empty() || row.values.status == SubscriptionStatus::PastDue)
        .flat_map(|(_, billing)| {
            let named = billing.history.iter().filter_map(|seen| seen.3.clone());
            billing.paid.keys().cloned().chain(named)
        });
    let mut ids: Vec<String> = items.chain(paid).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut out = BTreeMap::new();
    for part in ids.chunks(BULK_MAX) {
        let prices = host.prices_load(part)?;
        if prices.len() != part.len() {
            return Err(short_answer("catalog.read"));
        }
        out.extend(prices.into_iter().flatten().map(|price| (price.id.clone(), price)));
    }
    Ok(out)
}

/// A product's metadata as an object.
pub(crate) fn metadata(product: &Product) -> Fallible<serde_json::Map<String, serde_json::Value>> {
    decode("products", &product.id, &product.values.metadata)
}
