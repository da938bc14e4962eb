//! Computes an account's plans and entitlements. The allowed amount of an entitlement is the sum over all its sources.

use super::plans::{LostPlan, OneTimeItem, PlanInForce, plans};
use super::sold;
use super::subscriptions::{SubscriptionFacts, facts};
use crate::catalog::amount;
pub(crate) use crate::catalog::amount::UNLIMITED;
use crate::catalog::settings::Settings;
use crate::catalog::terms::{CatalogPrice, Terms};
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::records::closed::Closed;
use crate::model::records::operator_grants::OperatorGrants;
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::sign_up_trial::SignUpTrialRow;
use extension_contract::{Grant, SubscriptionItem, Timestamp};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The source of what operators grant.
const OPERATOR: &str = "operator";

/// An account's plans and entitlements at a time, derived from its records.
pub(crate) struct AccountStanding {
    pub settings: Rc<Settings>,
    /// Time at which the account was closed. A closed account has no plans.
    pub closed_at: Option<Timestamp>,
    /// Subscriptions that can still grant something.
    pub subscriptions: Vec<SubscriptionFacts>,
    /// Plan in force, by family.
    pub plans: BTreeMap<String, PlanInForce>,
    /// Lost plan, by family without a plan in force.
    pub lost: BTreeMap<String, LostPlan>,
    /// Allowed amounts, by entitlement key.
    pub allowed: BTreeMap<String, Allowance>,
    /// Items of paid one-time purchases.
    pub bought: Vec<OneTimeItem>,
    /// Items limited to one per account, with the subscription or purchase that grants each.
    pub items: BTreeMap<String, Holder>,
    /// When the account last lost a grant, or part of one, by entitlement key: because an add-on ended, or the last
    /// plan of a family did.
    pub grants_lost: BTreeMap<String, Timestamp>,
}

/// The allowed amount of an entitlement.
#[derive(Default)]
pub(crate) struct Allowance {
    /// Sum of the sources' amounts.
    pub amount: i64,
    /// Part of the sum that the plans in force and operators grant.
    pub by_plans: i64,
    /// Sources with their amounts: plans and operators first, then add-ons.
    pub sources: Vec<(String, i64)>,
    /// Number of the sources that are plans or operators.
    of_plans: usize,
}

impl Allowance {
    /// Returns the add-ons that are sources, with their amounts.
    pub fn add_ons(&self) -> &[(String, i64)] {
        self.sources.get(self.of_plans..).unwrap_or_default()
    }
}

/// The subscription or purchase that grants an item limited to one per account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Start; the earlier of two holders wins.
    pub since: Timestamp,
    /// Id of the subscription or purchase.
    pub id: String,
}

impl AccountStanding {
    /// Returns whether a time is after the closing of the account.
    pub fn is_after_closing(&self, at: Timestamp) -> bool {
        self.closed_at.is_some_and(|closed| at > closed)
    }

    /// Returns whether a plan in force grants the entitlement. Used to evaluate conditions.
    pub fn is_granted_by_plan(&self, key: &str) -> bool {
        is_granted(&self.plans, key)
    }

    /// Returns the allowed amount of an entitlement.
    pub fn allows(&self, key: &str) -> i64 {
        self.allowed.get(key).map_or(0, |allowance| allowance.amount)
    }

    /// Returns whether an amount is within the allowed amount of an entitlement.
    pub fn has_room(&self, key: &str, amount: i64) -> bool {
        amount::fits(amount, self.allows(key))
    }

    /// Returns the facts about a subscription.
    pub fn subscription(&self, id: &str) -> Option<&SubscriptionFacts> {
        self.subscriptions.iter().find(|facts| *facts.id == *id)
    }

    /// Returns the subscription item of the plan in force. The item may name another price of the family: an unpaid
    /// upgrade.
    pub fn plan_item(&self, family: &str) -> Option<(&SubscriptionFacts, &SubscriptionItem)> {
        let facts = self.subscription(self.plans.get(family)?.subscription.as_deref()?)?;
        let carries = |item: &&SubscriptionItem| {
            facts.gives.iter().any(|(price, _)| *price.id == item.price_id && price.family.as_deref() == Some(family))
        };
        Some((facts, facts.row.state().items.iter().find(carries)?))
    }

    /// Returns the item of the paid plan that defines the account's billing period: the first family's by name.
    pub fn period(&self) -> Option<(&SubscriptionFacts, &SubscriptionItem)> {
        self.plans.keys().find_map(|family| self.plan_item(family))
    }

    /// Returns the item of the paid plan that defines the billing period of an entitlement: the plan that grants it or, if
    /// no plan does, the plan that defines the account's billing period.
    pub fn period_of(&self, entitlement: &str) -> Option<(&SubscriptionFacts, &SubscriptionItem)> {
        self.granting(entitlement).map_or_else(|| self.period(), |family| self.plan_item(family))
    }

    /// Returns the family of the plan that grants the entitlement.
    pub fn granting(&self, key: &str) -> Option<&str> {
        self.plans.iter().find(|(_, plan)| amount::include(&plan.grants, key)).map(|(family, _)| family.as_str())
    }

    /// Returns the times at which billing periods begin and end.
    pub fn boundaries(&self) -> impl Iterator<Item = Timestamp> {
        self.subscriptions.iter().flat_map(|facts| {
            let state = facts.row.state();
            let of_items = state.items.iter().flat_map(|item| [item.period_start, item.period_end]);
            of_items.chain(state.cancel_at).chain(state.ended_at)
        })
    }

    /// Returns when a plan of any family was last lost.
    pub fn last_lost(&self) -> Option<Timestamp> {
        self.lost.values().map(|lost| lost.at).max()
    }
}

/// Computes the account's plans and entitlements.
pub(crate) fn standing(desk: &mut Desk<'_>) -> Ruled<AccountStanding> {
    let settings = desk.catalog.settings()?;
    let closed_at = desk.account.get_here::<Closed>(Closed::ID)?.map(|closed| closed.at);
    let (mut subscriptions, known) = facts(&mut desk.account, &desk.catalog, &settings, desk.now)?;
    let mut bought = one_time_items(desk)?;
    bought.extend(tried(desk)?);
    if let Some(closed_at) = closed_at {
        subscriptions
            .iter_mut()
            .for_each(|facts| facts.lost_at = Some(facts.lost_at.map_or(closed_at, |at| at.min(closed_at))));
        bought.clear();
    }
    let mut plans = plans(&subscriptions, &bought, &known, &settings, desk.account.owner(), desk.now)?;
    if closed_at.is_some() {
        plans.in_force.clear();
    }
    let mut allowed: BTreeMap<String, Allowance> = BTreeMap::new();
    for plan in plans.in_force.values() {
        add_grants(&mut allowed, &plan.grants, &plan.source);
    }
    let granted = desk.account.get_here::<OperatorGrants>(OperatorGrants::ID)?.filter(|_| closed_at.is_none());
    for (key, grant) in granted.iter().flat_map(|granted| &granted.0).filter(|(_, grant)| !grant.has_ended(desk.now)) {
        add_grants(&mut allowed, &[Grant { key: key.clone(), amount: grant.amount }], OPERATOR);
    }
    for allowance in allowed.values_mut() {
        (allowance.by_plans, allowance.of_plans) = (allowance.amount, allowance.sources.len());
    }
    let items = items(&subscriptions, &bought, &plans.in_force)?;
    let mut add = |price: &CatalogPrice, quantity: u32, source: &str| -> Ruled<()> {
        let terms = price.terms()?;
        if quantity == 0 || price.family.is_some() || !is_effective(terms, &plans.in_force, &items, source) {
            return Ok(());
        }
        let is_met = |grant: &Grant| {
            terms.conditions.get(&grant.key).is_none_or(|condition| is_granted(&plans.in_force, condition))
        };
        let mut grants = price.granted(quantity)?;
        grants.retain(is_met);
        add_grants(&mut allowed, &grants, source);
        Ok(())
    };
    for facts in subscriptions.iter().filter(|facts| facts.lost_at.is_none()) {
        facts.gives.iter().try_for_each(|(price, quantity)| add(price, *quantity, &facts.id))?;
    }
    bought.iter().try_for_each(|bought| add(&bought.price, bought.quantity, &bought.purchase))?;
    let mut grants_lost: BTreeMap<String, Timestamp> = BTreeMap::new();
    let counts = |price: &CatalogPrice| price.family.as_ref().is_none_or(|family| plans.lost.contains_key(family));
    for facts in subscriptions.iter().filter(|facts| facts.row.was_ever_served) {
        for price in facts.named.iter().filter(|price| counts(price)) {
            let given = facts.gives.iter().find(|(given, _)| given.id == price.id);
            let quantity = given.map_or(0, |(_, quantity)| *quantity);
            // A price that an ended subscription no longer names was lost earlier.
            let lost_at = given.and(facts.lost_at).or_else(|| facts.row.fewer_since(&price.id, quantity));
            let Some(lost_at) = lost_at else { continue };
            for grant in &price.grants {
                let last = grants_lost.entry(grant.key.clone()).or_insert(lost_at);
                *last = (*last).max(lost_at);
            }
        }
    }
    for tried in bought.iter().filter(|item| item.is_over(desk.now) && counts(&item.price)) {
        let until = tried.until.unwrap_or(Timestamp::MIN);
        for grant in &tried.price.grants {
            let last = grants_lost.entry(grant.key.clone()).or_insert(until);
            *last = (*last).max(until);
        }
    }
    for (key, grant) in granted.iter().flat_map(|granted| &granted.0) {
        let Some(lost_at) = grant.lost_at(desk.now) else { continue };
        let last = grants_lost.entry(key.clone()).or_insert(lost_at);
        *last = (*last).max(lost_at);
    }
    let (plans, lost) = (plans.in_force, plans.lost);
    Ok(AccountStanding { settings, closed_at, subscriptions, plans, lost, allowed, bought, items, grants_lost })
}

/// Returns the items of the account's paid one-time purchases.
fn one_time_items(desk: &mut Desk<'_>) -> Ruled<Vec<OneTimeItem>> {
    let mut out = Vec::new();
    for (id, purchase) in desk.account.all::<PurchaseRow>()? {
        if !purchase.grants() {
            continue;
        }
        let paid_at = purchase.details.counts.as_ref().and_then(|session| session.paid_at).unwrap_or(Timestamp::MIN);
        let prices = sold::prices(desk, &purchase)?.into_iter();
        out.extend(prices.map(|(price, quantity)| OneTimeItem {
            purchase: id.clone(),
            price,
            quantity,
            at: paid_at,
            until: None,
        }));
    }
    Ok(out)
}

/// Returns the plan that the account tries or has tried since its sign-up.
fn tried(desk: &mut Desk<'_>) -> Ruled<Option<OneTimeItem>> {
    let Some(trial) = desk.account.get_here::<SignUpTrialRow>(SignUpTrialRow::ID)? else { return Ok(None) };
    let price = sold::price(&trial.tried, &trial.product, &desk.catalog.settings()?.currency);
    let (purchase, quantity) = (trial.product.to_string(), trial.quantity);
    Ok(Some(OneTimeItem { purchase, price, quantity, at: trial.began, until: Some(trial.end()) }))
}

/// Returns whether a plan grants the entitlement.
fn is_granted(plans: &BTreeMap<String, PlanInForce>, key: &str) -> bool {
    plans.values().any(|plan| amount::include(&plan.grants, key))
}

/// Returns whether the conditions of an add-on are met.
fn is_met(terms: &Terms, plans: &BTreeMap<String, PlanInForce>) -> bool {
    (!terms.requires_plan || !plans.is_empty())
        && terms.condition.as_ref().is_none_or(|condition| is_granted(plans, condition))
}

/// Returns whether an add-on grants anything: its required plan is in force, its condition is met, and the add-on is
/// the holder of its item if the item is limited to one per account.
fn is_effective(
    terms: &Terms,
    plans: &BTreeMap<String, PlanInForce>,
    items: &BTreeMap<String, Holder>,
    source: &str,
) -> bool {
    is_met(terms, plans)
        && terms.item.as_ref().and_then(|item| items.get(item)).is_none_or(|holder| holder.id == source)
}

/// Returns the holder of each item: of those who have paid for it and whose conditions are met, the earliest by
/// Stripe's clock, then the smallest id. If nobody meets the conditions, the earliest of those who have paid.
fn items(
    subscriptions: &[SubscriptionFacts],
    bought: &[OneTimeItem],
    plans: &BTreeMap<String, PlanInForce>,
) -> Ruled<BTreeMap<String, Holder>> {
    let mut best: BTreeMap<String, (bool, Holder)> = BTreeMap::new();
    let mut offer = |price: &CatalogPrice, holder: Holder| -> Ruled<()> {
        let terms = price.terms()?;
        if let Some(item) = &terms.item {
            let is_unmet = !is_met(terms, plans);
            let (is_held_unmet, held) = best.entry(item.clone()).or_insert_with(|| (is_unmet, holder.clone()));
            if (is_unmet, holder.since, &holder.id) < (*is_held_unmet, held.since, &held.id) {
                (*is_held_unmet, *held) = (is_unmet, holder);
            }
        }
        Ok(())
    };
    for facts in subscriptions.iter().filter(|facts| facts.lost_at.is_none()) {
        let holder = || Holder { since: facts.row.first_at, id: facts.id.to_string() };
        let mut paid = facts.gives.iter().filter(|(_, quantity)| *quantity > 0);
        paid.try_for_each(|(price, _)| offer(price, holder()))?;
    }
    let mut paid = bought.iter().filter(|item| item.until.is_none());
    paid.try_for_each(|b| offer(&b.price, Holder { since: b.at, id: b.purchase.clone() }))?;
    Ok(best.into_iter().map(|(item, (_, holder))| (item, holder)).collect())
}

fn add_grants(allowed: &mut BTreeMap<String, Allowance>, grants: &[Grant], source: &str) {
    for grant in grants {
        let allowance = allowed.entry(grant.key.clone()).or_default();
        allowance.amount = amount::add(allowance.amount, grant.amount, 1);
        allowance.sources.push((source.to_owned(), grant.amount));
    }
}
