//! What plans and add-ons include in the price of a month's usage: the most that they gave at any time of the month. A larger plan
//! therefore counts for the whole month, and the end of a plan charges nothing that it has included.

use super::standing::AccountStanding;
use super::subscriptions::{SubscriptionFacts, pause_begins_in};
use crate::catalog::amount::{self, UNLIMITED};
use crate::catalog::settings::Settings;
use crate::catalog::terms::CatalogPrice;
use crate::model::halt::Ruled;
use crate::model::ids::PriceId;
use crate::model::records::subscription::{Observation, SubscriptionRow, is_served};
use extension_contract::{Account, Grant, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The time from `start` (inclusive) to `end` (exclusive).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub start: Timestamp,
    pub end: Timestamp,
}

/// What is sold: a price with its quantity, and the subscription or purchase.
struct Sold<'s> {
    price: Rc<CatalogPrice>,
    quantity: u32,
    source: &'s str,
    since: Timestamp,
}

/// The amounts of one entitlement. `granted` has the most that one unit of each price granted in the month; a later catalog with
/// less takes nothing of the month.
struct Amounts<'a> {
    key: &'a str,
    granted: &'a mut BTreeMap<String, i64>,
}

impl Amounts<'_> {
    /// Returns the most that a price or a default plan granted, by its id.
    fn of(&mut self, id: &str, grants: &[Grant]) -> i64 {
        let now = grants.iter().find(|grant| grant.key == self.key).map(|grant| grant.amount);
        let Some(most) = more(now, self.granted.get(id).copied()) else { return 0 };
        if self.granted.get(id) != Some(&most) {
            self.granted.insert(id.to_owned(), most);
        }
        most
    }

    /// Returns what a quantity of a price grants.
    fn of_sold(&mut self, sold: &Sold<'_>) -> Ruled<i64> {
        let of_one = self.of(&sold.price.id, &sold.price.grants);
        Ok(amount::add(0, of_one, i64::from(sold.price.times(self.key, sold.quantity)?)))
    }
}

/// Returns the larger amount; no amount is less than any other.
fn more(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(UNLIMITED), _) | (_, Some(UNLIMITED)) => Some(UNLIMITED),
        (one, other) => one.max(other),
    }
}

/// Returns what the account's plans and add-ons include of an entitlement in a month, of which the part until `now` is known.
pub(crate) fn included(
    standing: &AccountStanding,
    owner: Option<&Account>,
    key: &str,
    (month, now): (Span, Timestamp),
    granted: &mut BTreeMap<String, i64>,
) -> Ruled<i64> {
    let mut amounts = Amounts { key, granted };
    let of_history = standing.subscriptions.iter().flat_map(|facts| facts.row.history.iter().map(|seen| seen.at()));
    let lost = standing.subscriptions.iter().filter_map(|facts| facts.lost_at);
    let bought = standing.bought.iter().flat_map(|bought| [Some(bought.at), bought.until]).flatten();
    let within = |at: &Timestamp| (month.start..month.end).contains(at) && *at <= now;
    let times: BTreeSet<Timestamp> =
        of_history.chain(lost).chain(bought).filter(within).chain([month.start.min(now)]).collect();
    let mut most = None;
    for at in times {
        most = more(most, Some(at_time(standing, owner, (at, now), &mut amounts)?));
    }
    let today = (month.start..month.end).contains(&now).then(|| standing.allows(key));
    Ok(more(most, today).unwrap_or(0))
}

/// Returns what the account had at a time.
fn at_time(
    standing: &AccountStanding,
    owner: Option<&Account>,
    (at, now): (Timestamp, Timestamp),
    amounts: &mut Amounts<'_>,
) -> Ruled<i64> {
    if standing.is_after_closing(at) {
        return Ok(0);
    }
    let mut sold = Vec::new();
    for facts in &standing.subscriptions {
        sold.extend(of_subscription(facts, &standing.settings, at, now));
    }
    for bought in standing.bought.iter().filter(|bought| bought.at <= at && !bought.is_over(at)) {
        let (price, quantity) = (bought.price.clone(), bought.quantity);
        sold.push(Sold { price, quantity, source: &bought.purchase, since: bought.at });
    }
    let mut plans: BTreeMap<&str, Vec<&Sold<'_>>> = BTreeMap::new();
    for plan in &sold {
        if let Some(family) = &plan.price.family {
            plans.entry(family).or_default().push(plan);
        }
    }
    let (mut sum, mut by_plans): (i64, Vec<Grant>) = (0, Vec::new());
    for of_family in plans.values() {
        let mut ranked = Vec::with_capacity(of_family.len());
        for plan in of_family {
            ranked.push(((plan.price.rank()?, Reverse((plan.since, plan.source))), *plan));
        }
        ranked.sort_by(|one, other| other.0.cmp(&one.0));
        let adds = ranked.first().map(|(_, plan)| plan.price.terms().map(|terms| terms.adds)).transpose()?;
        for (_, plan) in ranked.into_iter().take(if adds == Some(true) { usize::MAX } else { 1 }) {
            sum = amount::add(sum, amounts.of_sold(plan)?, 1);
            by_plans.extend(plan.price.granted(plan.quantity)?);
        }
    }
    for (family, default) in standing.settings.defaults.iter().filter(|(_, default)| default.is_for(owner)) {
        if !plans.contains_key(family.as_str()) {
            sum = amount::add(sum, amounts.of(&default.product_id, &default.grants), 1);
            by_plans.extend(default.grants.iter().cloned());
        }
    }
    let has_plan = !plans.is_empty() || !by_plans.is_empty();
    for add_on in sold.iter().filter(|sold| sold.price.family.is_none()) {
        let terms = add_on.price.terms()?;
        let is_met = |condition: Option<&String>| condition.is_none_or(|key| amount::include(&by_plans, key));
        let is_held = |item: &String| standing.items.get(item).is_none_or(|holder| holder.id == add_on.source);
        if (has_plan || !terms.requires_plan)
            && is_met(terms.condition.as_ref())
            && is_met(terms.conditions.get(amounts.key))
            && terms.item.as_ref().is_none_or(is_held)
        {
            sum = amount::add(sum, amounts.of_sold(add_on)?, 1);
        }
    }
    Ok(sum)
}

/// Returns what a subscription gave at a time, by the newest snapshot until then.
fn of_subscription<'f>(
    facts: &'f SubscriptionFacts,
    settings: &Settings,
    at: Timestamp,
    now: Timestamp,
) -> Vec<Sold<'f>> {
    let until = facts.row.history.partition_point(|seen| seen.at() <= at);
    let is_paused = pause_begins_in(&facts.row.history[..until], settings).is_some_and(|begin| begin <= at);
    let is_lost = is_paused || facts.lost_at.is_some_and(|lost| lost <= at);
    let Some(seen) = seen_at(&facts.row, until).filter(|seen| is_served(seen.status()) && !is_lost) else {
        return Vec::new();
    };
    // A subscription that was never allowed gives nothing. Until a dispute began, a disputed one gave what was paid for.
    if facts.billing.refused {
        return Vec::new();
    }
    let named = seen.prices().iter().filter(|(_, quantity)| *quantity > 0);
    let sold = named.filter_map(|(id, quantity)| {
        let price = facts.paid_in(seen, id, now)?;
        let quantity = facts.paid_quantity_in(&price, *quantity, now);
        Some(Sold { price, quantity, source: &facts.id, since: facts.row.first_at })
    });
    sold.filter(|sold| sold.quantity > 0).collect()
}

/// Returns the newest of the first `until` snapshots. Of several of one second, the one that agrees with what followed: a snapshot of
/// the next second or, if there is none, the current state. Without one, it is the one that differs from what was before.
fn seen_at(row: &SubscriptionRow, until: usize) -> Option<&Observation> {
    let (before, after) = row.history.split_at(until);
    let last = before.last()?;
    let of_second = || before.iter().rev().take_while(|seen| seen.at() == last.at());
    let fits = |seen: &&Observation| match after.first() {
        Some(next) => {
            let mut of_next = after.iter().take_while(|after| after.at() == next.at());
            of_next.any(|after| after.prices() == seen.prices())
        }
        None => {
            let items = &row.state().items;
            let has = |(id, quantity): &(PriceId, u32)| {
                items.iter().any(|item| item.price_id == **id && item.quantity == *quantity)
            };
            items.len() == seen.prices().len() && seen.prices().iter().all(has)
        }
    };
    let earlier = before.iter().rev().find(|seen| seen.at() < last.at());
    let is_change = |seen: &&Observation| earlier.is_some_and(|earlier| earlier.prices() != seen.prices());
    of_second().find(fits).or_else(|| of_second().find(is_change)).or(Some(last))
}
