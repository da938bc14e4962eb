//! Computes the plan in force of each family: the highest paid plan, else the default plan.

use super::subscriptions::{KnownPrices, SubscriptionFacts};
use crate::catalog::amount;
use crate::catalog::settings::Settings;
use crate::catalog::terms::CatalogPrice;
use crate::model::halt::Ruled;
use crate::model::ids::{PriceId, ProductId, SubscriptionId};
use crate::model::records::subscription::Observation;
use extension_contract::{Account, Grant, Timestamp};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A plan in force.
#[derive(Clone, Debug)]
pub(crate) struct PlanInForce {
    /// Product id.
    pub product_id: ProductId,
    /// Stripe's price id; `None` for a default plan, and for a plan that is tried without a subscription.
    pub price_id: Option<PriceId>,
    /// Rank within the family.
    pub rank: i64,
    /// Grants.
    pub grants: Vec<Grant>,
    /// Id of the subscription that pays for the plan, if any.
    pub subscription: Option<SubscriptionId>,
    /// Id of the subscription or purchase that grants the plan; the product id for a default plan and for a plan that is tried.
    pub source: String,
    /// End of the trial without a subscription, if the plan is tried.
    pub tried_until: Option<Timestamp>,
    /// Time at which the plan came into force.
    pub since: Timestamp,
    /// Time since which the plan has not granted more than now: `since`, or the last reduction of seats.
    pub no_more_since: Timestamp,
}

impl PlanInForce {
    /// Adds the grants of another plan of the family.
    fn with(mut self, other: &PlanInForce) -> PlanInForce {
        for grant in &other.grants {
            match self.grants.iter_mut().find(|known| known.key == grant.key) {
                Some(known) => known.amount = amount::add(known.amount, grant.amount, 1),
                None => self.grants.push(grant.clone()),
            }
        }
        self.no_more_since = self.no_more_since.max(other.no_more_since);
        self
    }
}

/// A lost plan without a replacement.
#[derive(Clone, Debug)]
pub(crate) struct LostPlan {
    /// Time at which the plan was lost.
    pub at: Timestamp,
    /// Id of the subscription that paid for the plan; `None` if it was tried without one.
    pub subscription: Option<SubscriptionId>,
    /// Product id, if the last price of the plan is known.
    pub product_id: Option<ProductId>,
    /// Whether every subscription that ever had a plan of the family has ended permanently.
    pub is_final: bool,
}

/// An item of a paid one-time purchase, or a plan that the account tries or has tried without a subscription.
pub(crate) struct OneTimeItem {
    /// Id of the purchase; the product id of a plan that is tried.
    pub purchase: String,
    /// Price.
    pub price: Rc<CatalogPrice>,
    /// Quantity.
    pub quantity: u32,
    /// Time of the payment, or of the start of the trial.
    pub at: Timestamp,
    /// End of the trial.
    pub until: Option<Timestamp>,
}

impl OneTimeItem {
    /// Returns whether it is a trial that is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// The plans of an account, by family.
#[derive(Default)]
pub(crate) struct Plans {
    pub in_force: BTreeMap<String, PlanInForce>,
    pub lost: BTreeMap<String, LostPlan>,
}

/// Computes the plans of all families.
pub(crate) fn plans(
    subscriptions: &[SubscriptionFacts],
    one_time_items: &[OneTimeItem],
    known: &KnownPrices,
    settings: &Settings,
    owner: Option<&Account>,
    now: Timestamp,
) -> Ruled<Plans> {
    /// The order of plans of a family: higher rank, then earlier start, then smaller id.
    type Order<'s> = (i64, Reverse<(Timestamp, &'s str)>);
    let mut best: BTreeMap<&str, (Order<'_>, PlanInForce)> = BTreeMap::new();
    for facts in subscriptions.iter().filter(|facts| facts.lost_at.is_none()) {
        for (family, price) in &facts.plans {
            let rank = price.rank()?;
            let order = (rank, Reverse((facts.row.first_at, &*facts.id)));
            let named = |seen: &Observation| seen.prices().iter().any(|(id, _)| *id == price.id);
            let since = facts.row.run_start(named).unwrap_or(facts.row.first_at);
            let bought = facts.gives.iter().find(|(given, _)| given.id == price.id);
            // After an unpaid change, the paid price differs from the price of the subscription's item. Fewer units count at once.
            let of_family = |given: &&(Rc<CatalogPrice>, u32)| given.0.family.as_ref() == Some(family) && given.1 > 0;
            let most = facts.gives.iter().filter(of_family).map(|(_, quantity)| *quantity).max().unwrap_or(u32::MAX);
            let named_before = |seen: &Observation| seen.quantity_of(&price.id);
            let before = || facts.row.history.iter().rev().find_map(named_before).map(|quantity| quantity.min(most));
            let seats = bought.map(|(_, quantity)| *quantity).or_else(before).unwrap_or(1);
            // An unpaid renewal brought the plan for the first time.
            if seats == 0 {
                continue;
            }
            let fewer_since = facts.row.fewer_since(&price.id, seats).unwrap_or(since);
            let plan = in_force(price, rank, seats, Some(&facts.id), &facts.id, since)?;
            let plan = PlanInForce { no_more_since: fewer_since, ..plan };
            match best.remove(family.as_str()) {
                Some((held, other)) if price.terms()?.adds => {
                    let (order, plan) =
                        if held >= order { (held, other.with(&plan)) } else { (order, plan.with(&other)) };
                    best.insert(family, (order, plan));
                }
                Some((held, other)) if held >= order => drop(best.insert(family, (held, other))),
                _ => drop(best.insert(family, (order, plan))),
            }
        }
    }
    for bought in one_time_items.iter().filter(|item| !item.is_over(now)) {
        let Some(family) = &bought.price.family else { continue };
        let rank = bought.price.rank()?;
        let order = (rank, Reverse((bought.at, bought.purchase.as_str())));
        if best.get(family.as_str()).is_some_and(|(held, _)| *held >= order) {
            continue;
        }
        let plan = in_force(&bought.price, rank, bought.quantity, None, &bought.purchase, bought.at)?;
        let plan = match bought.until {
            Some(_) => PlanInForce { price_id: None, tried_until: bought.until, ..plan },
            None => plan,
        };
        best.insert(family, (order, plan));
    }
    let mut out = Plans::default();
    for (family, (_, mut plan)) in best {
        plan.since = plan.since.max(fell_at(subscriptions, family, plan.rank)?);
        plan.no_more_since = plan.no_more_since.max(plan.since);
        out.in_force.insert(family.to_owned(), plan);
    }
    for family in families(subscriptions, known) {
        if !out.in_force.contains_key(&family)
            && let Some(lost) = lost_plan(subscriptions, &family, known)
        {
            out.lost.insert(family, lost);
        }
    }
    for tried in one_time_items.iter().filter(|item| item.is_over(now)) {
        after_trial(tried, &mut out)?;
    }
    for (family, default) in settings.defaults.iter().filter(|(_, default)| default.is_for(owner)) {
        if out.in_force.contains_key(family) {
            continue;
        }
        let since = lost_for_default(subscriptions, family, known, out.lost.remove(family));
        let plan = PlanInForce {
            product_id: default.product_id.clone(),
            price_id: None,
            rank: i64::MIN,
            grants: default.grants.clone(),
            subscription: None,
            source: default.product_id.to_string(),
            tried_until: None,
            since,
            no_more_since: since,
        };
        out.in_force.insert(family.clone(), plan);
    }
    Ok(out)
}

/// A smaller plan that follows a trial begins with its end; without another plan, the plan that was tried is lost.
fn after_trial(tried: &OneTimeItem, plans: &mut Plans) -> Ruled<()> {
    let (Some(family), Some(at)) = (&tried.price.family, tried.until) else { return Ok(()) };
    match (plans.in_force.get_mut(family), plans.lost.get(family)) {
        (Some(plan), _) if plan.rank < tried.price.rank()? => {
            plan.since = plan.since.max(at);
            plan.no_more_since = plan.no_more_since.max(at);
        }
        (Some(_), _) => {}
        (None, Some(lost)) if lost.at >= at => {}
        (None, lost) => {
            let is_final = lost.is_none_or(|lost| lost.is_final);
            let product_id = Some(tried.price.product_id.clone());
            plans.lost.insert(family.clone(), LostPlan { at, subscription: None, product_id, is_final });
        }
    }
    Ok(())
}

fn in_force(
    price: &CatalogPrice,
    rank: i64,
    seats: u32,
    subscription: Option<&SubscriptionId>,
    source: &str,
    since: Timestamp,
) -> Ruled<PlanInForce> {
    Ok(PlanInForce {
        product_id: price.product_id.clone(),
        price_id: Some(price.id.clone()),
        rank,
        grants: price.granted(seats)?,
        subscription: subscription.cloned(),
        source: source.to_owned(),
        tried_until: None,
        since,
        no_more_since: since,
    })
}

/// Returns the families whose prices any subscription of the account ever named.
fn families(subscriptions: &[SubscriptionFacts], known: &KnownPrices) -> Vec<String> {
    if subscriptions.is_empty() {
        return Vec::new();
    }
    let mut out: Vec<String> = known.values().filter_map(|price| price.family.clone()).collect();
    out.sort();
    out.dedup();
    out
}

/// Returns the plan of a family that was lost last.
fn lost_plan(subscriptions: &[SubscriptionFacts], family: &str, known: &KnownPrices) -> Option<LostPlan> {
    let mut gave = subscriptions.iter().filter(|facts| facts.gave_plan(family, known)).peekable();
    gave.peek()?;
    let is_final = gave.clone().all(|facts| facts.row.is_final());
    // A subscription that continues without the plan's item no longer pays for the plan.
    let left_out = |facts: &SubscriptionFacts| {
        let of_family =
            facts.row.named().filter(|id| known.get(*id).is_some_and(|p| p.family.as_deref() == Some(family)));
        let gone = of_family
            .filter(|&id| !facts.row.state().items.iter().any(|item| item.price_id == **id && item.quantity > 0));
        gone.filter_map(|id| facts.row.fewer_since(id, 0)).max()
    };
    let lost_at = |facts: &SubscriptionFacts| facts.lost_at.or_else(|| left_out(facts));
    let lost = gave.filter_map(|facts| Some((lost_at(facts)?, facts))).max_by_key(|(at, facts)| (*at, &facts.id));
    let (at, facts) = lost?;
    let product_id = facts.plans.get(family).map(|price| price.product_id.clone());
    Some(LostPlan { at, subscription: Some(facts.id.clone()), product_id, is_final })
}

/// Returns since when the default plan applies: since the last paid plan was lost, or since the payment of a subscription
/// that was never paid failed. The grace period of such a subscription does not matter: it grants no plan.
fn lost_for_default(
    subscriptions: &[SubscriptionFacts],
    family: &str,
    known: &KnownPrices,
    lost: Option<LostPlan>,
) -> Timestamp {
    let unpaid = subscriptions.iter().filter(|facts| facts.unpaid_at.is_some() && facts.gave_plan(family, known));
    let is_unpaid = |lost: &LostPlan| unpaid.clone().any(|facts| Some(&facts.id) == lost.subscription.as_ref());
    let lost_at = lost.filter(|lost| !is_unpaid(lost)).map(|lost| lost.at);
    unpaid.clone().filter_map(|facts| facts.unpaid_at).chain(lost_at).max().unwrap_or(Timestamp::MIN)
}

/// Returns when the last subscription to a higher plan of the family was lost, or to one that added to the others. At this time
/// the current plan replaced it.
fn fell_at(subscriptions: &[SubscriptionFacts], family: &str, rank: i64) -> Ruled<Timestamp> {
    let mut fell = Timestamp::MIN;
    for facts in subscriptions.iter().filter(|facts| facts.row.was_ever_served) {
        let Some(lost_at) = facts.lost_at else { continue };
        for (lost, _) in facts.gives.iter().filter(|(price, _)| price.family.as_deref() == Some(family)) {
            // Without a plan that added to the others, the others give less.
            if lost.rank()? > rank || lost.terms()?.adds {
                fell = fell.max(lost_at);
            }
        }
    }
    Ok(fell)
}
