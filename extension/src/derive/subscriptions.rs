//! Facts about one subscription: whether it entitles, until when, and which plans of it are paid for.

use crate::catalog::Catalog;
use crate::catalog::settings::Settings;
use crate::catalog::terms::CatalogPrice;
use crate::model::account::Account;
use crate::model::gather::{gather, sort_by};
use crate::model::halt::Ruled;
use crate::model::records::subscription::{Observation, Pause, SubscriptionRow, is_final};
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::plus_days;
use extension_contract::{SubscriptionStatus, Timestamp};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Prices of the catalog by id, those that are known.
pub(crate) type KnownPrices = BTreeMap<String, Rc<CatalogPrice>>;

/// One subscription with all that follows from it.
pub(crate) struct SubscriptionFacts {
    pub id: String,
    pub row: Rc<SubscriptionRow>,
    /// The prices that it gives something by, with the quantities that are paid for: of its items, or of the newest view
    /// that named only known ones.
    pub gives: Vec<(Rc<CatalogPrice>, u32)>,
    /// Prices of the catalog that any view of it named, some of them more than once.
    pub named: Vec<Rc<CatalogPrice>>,
    /// Until when service goes on although a payment failed.
    pub grace_end: Option<Timestamp>,
    /// Since when it entitles to nothing.
    pub lost_at: Option<Timestamp>,
    /// The price of each family that is paid for, or was when it was lost.
    pub plans: BTreeMap<String, Rc<CatalogPrice>>,
}

impl SubscriptionFacts {
    /// Whether it ever gave a plan of a family.
    pub fn gave_plan(&self, family: &str, known: &KnownPrices) -> bool {
        let of_family = |price: &Rc<CatalogPrice>| price.family.as_deref() == Some(family);
        self.row.was_ever_served
            && (self.gives.iter().any(|(price, _)| of_family(price))
                || self.row.named().any(|id| known.get(id).is_some_and(of_family)))
    }
}

/// When the payment of an invoice failed first in the present run of `past_due`, none where no failure is known.
fn first_failure(row: &SubscriptionRow, billing: &BillingHistory) -> Option<Timestamp> {
    let before = row.before_past_due();
    billing.failed.values().copied().filter(|at| before.is_none_or(|before| *at >= before)).min()
}

/// Grace begins at the first failure known, whichever event told of it, and no later attempt moves it.
fn grace_end(row: &SubscriptionRow, billing: &BillingHistory, days: u32) -> Option<Timestamp> {
    if row.status() != SubscriptionStatus::PastDue {
        return None;
    }
    let run = row.run_start(|seen| seen.status() == SubscriptionStatus::PastDue).unwrap_or(row.at);
    Some(plus_days(first_failure(row, billing).map_or(run, |failed| failed.min(run)), days))
}

/// Since when a subscription entitles to nothing; none while it does.
fn lost_at(
    row: &SubscriptionRow,
    grace_end: Option<Timestamp>,
    settings: &Settings,
    now: Timestamp,
) -> Option<Timestamp> {
    let stands_still = |pause: Option<Pause>| pause.is_some_and(|pause| settings.suspend_on_pause.contains(&pause));
    match row.status() {
        status if stands_still(row.state().pause) && !is_final(status) => {
            Some(row.run_start(|seen| stands_still(seen.pause())).unwrap_or(row.at))
        }
        SubscriptionStatus::Active | SubscriptionStatus::Trialing => None,
        SubscriptionStatus::PastDue => grace_end.filter(|end| *end <= now),
        status if is_final(status) => Some(row.ended_at()),
        status => Some(row.run_start(|seen| seen.status() == status).unwrap_or(row.at)),
    }
}

/// Whether an invoice of a price is open, or was voided and nothing was paid of that price since.
fn is_unsettled(price: &CatalogPrice, billing: &BillingHistory, reasons: &[&str]) -> bool {
    billing.open.values().any(|invoice| {
        reasons.contains(&invoice.reason.as_str())
            && (invoice.prices.is_empty() || invoice.prices.contains(&price.id))
            && invoice.void_at.is_none_or(|void_at| billing.paid.get(&price.id).is_none_or(|paid| *paid < void_at))
    })
}

/// The price of a family that is paid for: the one on the subscription, unless its payment is open or failed; then the
/// one that was paid last, if that is not more. Where no payment is known at all, a failed one is that of a renewal.
fn paid_price(
    current: &Rc<CatalogPrice>,
    row: &SubscriptionRow,
    billing: &BillingHistory,
    known: &KnownPrices,
) -> Ruled<Option<Rc<CatalogPrice>>> {
    let is_unsettled = is_unsettled(current, billing, &["subscription_create", "subscription_update"]);
    if !is_unsettled && row.status() != SubscriptionStatus::PastDue {
        return Ok(Some(current.clone()));
    }
    let mut last = None;
    for (id, at) in &billing.paid {
        let Some(price) = known.get(id).filter(|price| price.family == current.family) else { continue };
        let order = (*at, price.rank()?, id);
        if last.as_ref().is_none_or(|(latest, _)| order > *latest) {
            last = Some((order, price));
        }
    }
    let rank = current.rank()?;
    Ok(match last {
        Some(((_, paid, _), price)) if paid < rank => Some(price.clone()),
        None if is_unsettled => before_change(current, row, billing, known)?,
        _ => Some(current.clone()),
    })
}

/// The plan before a change that is not paid, where no payment of it was ever seen: the newest lower one of the family
/// that a view in good standing named. What was never another plan has none.
fn before_change(
    current: &Rc<CatalogPrice>,
    row: &SubscriptionRow,
    billing: &BillingHistory,
    known: &KnownPrices,
) -> Ruled<Option<Rc<CatalogPrice>>> {
    if billing.open.values().any(|invoice| invoice.reason == "subscription_create") {
        return Ok(None);
    }
    let rank = current.rank()?;
    for seen in row.history.iter().rev() {
        if !matches!(seen.status(), SubscriptionStatus::Active | SubscriptionStatus::Trialing) {
            continue;
        }
        for price in seen.prices().iter().filter_map(|(id, _)| known.get(id)) {
            if price.family == current.family && price.rank()? < rank {
                return Ok(Some(price.clone()));
            }
        }
    }
    Ok(None)
}

/// How many of a price are paid for: those on the subscription, unless the payment of a change to more is open or failed
/// (S53); then as many as the newest view in good standing with fewer named. A renewal that fails changes no quantity.
fn paid_quantity(
    price: &Rc<CatalogPrice>,
    quantity: u32,
    row: &SubscriptionRow,
    billing: &BillingHistory,
    known: &KnownPrices,
) -> u32 {
    // Another price of a plan's family counts as well: a month's may have become a year's.
    let is_same = |id: &String| {
        *id == price.id || price.family.is_some() && known.get(id).is_some_and(|other| other.family == price.family)
    };
    let named = |seen: &Observation| seen.prices().iter().find(|(id, _)| is_same(id)).map(|(_, quantity)| *quantity);
    let in_good_standing = || {
        let good =
            |seen: &&Observation| matches!(seen.status(), SubscriptionStatus::Active | SubscriptionStatus::Trialing);
        row.history.iter().rev().filter(good).filter_map(named)
    };
    let is_open = is_unsettled(price, billing, &["subscription_update"]);
    // Its invoice may not be known yet: nothing was paid since the payment failed.
    let failed = row.run_start(|seen| seen.status() == SubscriptionStatus::PastDue);
    let paid_at = billing.paid.get(&price.id);
    let has_failed = failed.is_some_and(|failed| paid_at.is_none_or(|paid| *paid < failed));
    let before = match (is_open, has_failed) {
        (true, _) => in_good_standing().find(|fewer| *fewer < quantity),
        (false, true) => in_good_standing().next().filter(|fewer| *fewer < quantity),
        (false, false) => None,
    };
    before.unwrap_or(quantity)
}

/// The prices that a subscription gives something by. A metered item beside ours, which has no quantity, gives nothing
/// by itself: the catalog need not know it.
fn gives(row: &SubscriptionRow, known: &KnownPrices) -> Vec<(Rc<CatalogPrice>, u32)> {
    let of = |prices: &mut dyn Iterator<Item = (&String, u32)>| -> (Vec<(Rc<CatalogPrice>, u32)>, bool) {
        let (mut found, mut all) = (Vec::new(), true);
        for (id, quantity) in prices {
            match known.get(id) {
                Some(price) => found.push((price.clone(), quantity)),
                None => all &= quantity == 0,
            }
        }
        (found, all)
    };
    let (found, all) = of(&mut row.state().items.iter().map(|item| (&item.price_id, item.quantity)));
    if all || row.is_final() {
        return found;
    }
    // What can't be judged gives nothing new; what was given before stays.
    let seen = row.history.iter().rev().map(|seen| of(&mut seen.prices().iter().map(|(id, quantity)| (id, *quantity))));
    seen.into_iter().find(|(found, all)| *all && !found.is_empty()).map_or(found, |(found, _)| found)
}

/// Every catalog price that the subscriptions of the account name, named, or were once paid for.
fn known_prices(
    catalog: &Catalog<'_>,
    rows: &[(String, Rc<SubscriptionRow>, Rc<BillingHistory>)],
) -> Ruled<KnownPrices> {
    let mut ids: Vec<&String> = Vec::new();
    for (_, row, billing) in rows {
        ids.extend(row.state().items.iter().map(|item| &item.price_id));
        ids.extend(row.named());
        ids.extend(billing.paid.keys());
    }
    sort_by(&mut ids, Ord::cmp);
    ids.dedup();
    let prices = catalog.prices(ids.into_iter())?;
    Ok(gather(prices.into_iter().flatten().map(|price| (price.id.clone(), price))))
}

/// Facts about every subscription of the account that may still give something, and the prices that they name.
pub(crate) fn facts(
    account: &mut Account<'_>,
    catalog: &Catalog<'_>,
    settings: &Settings,
    now: Timestamp,
) -> Ruled<(Vec<SubscriptionFacts>, KnownPrices)> {
    let mut rows = Vec::new();
    for (id, row) in account.all::<SubscriptionRow>()? {
        // It is live as long as its subscription is.
        let billing = match row.settled {
            true => account.get::<BillingHistory>(&id)?,
            false => account.get_here::<BillingHistory>(&id)?,
        };
        let billing = billing.unwrap_or_default();
        rows.push((id, row, billing));
    }
    let known = known_prices(catalog, &rows)?;
    let mut out = Vec::with_capacity(rows.len());
    for (id, row, billing) in rows {
        let grace_end = grace_end(&row, &billing, settings.grace_days);
        let lost_at = lost_at(&row, grace_end, settings, now);
        // What is being ended because it could not be had gives nothing, whatever becomes of what it lost to.
        let mut gives = if billing.beaten { Vec::new() } else { gives(&row, &known) };
        for (price, quantity) in &mut gives {
            *quantity = paid_quantity(price, *quantity, &row, &billing, &known);
        }
        let named = row.named().filter_map(|id| known.get(id).cloned()).collect();
        let mut plans = BTreeMap::new();
        for (price, _) in &gives {
            let Some(family) = price.family.as_ref().filter(|family| !plans.contains_key(*family)) else { continue };
            if let Some(paid) = paid_price(price, &row, &billing, &known)? {
                plans.insert(family.clone(), paid);
            }
        }
        out.push(SubscriptionFacts { id, row, gives, named, grace_end, lost_at, plans });
    }
    Ok((out, known))
}
