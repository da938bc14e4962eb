//! Where an account stands: its plans, and what it may use, one sum over everything that grants.

use super::plans::{LostPlan, PaidOnce, PlanInForce, plans};
use super::subscriptions::{SubscriptionFacts, facts};
use crate::catalog::amount;
pub(crate) use crate::catalog::amount::UNLIMITED;
use crate::catalog::desk::Desk;
use crate::catalog::settings::Settings;
use crate::catalog::terms::{CatalogPrice, Terms};
use crate::model::halt::Ruled;
use crate::model::records::closed::Closed;
use crate::model::records::purchase::PurchaseRow;
use extension_contract::{Grant, SubscriptionItem, Timestamp};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Where an account stands at a time.
pub(crate) struct Standing {
    pub settings: Rc<Settings>,
    /// When it was given up; nothing is in force since.
    pub closed_at: Option<Timestamp>,
    /// Its subscriptions that may still give something.
    pub subscriptions: Vec<SubscriptionFacts>,
    /// The plan in force of each family.
    pub plans: BTreeMap<String, PlanInForce>,
    /// The plan that was lost, of each family without one.
    pub lost: BTreeMap<String, LostPlan>,
    /// Allowed amounts by entitlement, with the ids of what gives them.
    pub allowed: BTreeMap<String, (i64, Vec<String>)>,
    /// What an account has once of everything that it can have once of, with what gives it.
    pub items: BTreeMap<String, Holder>,
    /// When the last add-on that granted an entitlement was lost, or became fewer, by entitlement.
    pub add_ons_lost: BTreeMap<String, Timestamp>,
}

/// What gives an item of which an account has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Since when: of two the earlier counts.
    pub since: Timestamp,
    /// The subscription or purchase.
    pub id: String,
}

impl Standing {
    /// Whether a plan in force grants something: what conditions are judged by.
    pub fn is_granted_by_plan(&self, key: &str) -> bool {
        is_granted(&self.plans, key)
    }

    /// The allowed amount of one thing.
    pub fn allows(&self, key: &str) -> i64 {
        self.allowed.get(key).map_or(0, |(amount, _)| *amount)
    }

    /// Whether an amount of one thing is within what is allowed.
    pub fn has_room(&self, key: &str, amount: i64) -> bool {
        let allowed = self.allows(key);
        allowed == UNLIMITED || amount <= allowed
    }

    /// Facts about a subscription.
    pub fn subscription(&self, id: &str) -> Option<&SubscriptionFacts> {
        self.subscriptions.iter().find(|facts| facts.id == id)
    }

    /// The item that carries a plan in force, whichever price of its family it names: an upgrade may be unpaid.
    pub fn plan_item(&self, family: &str) -> Option<(&SubscriptionFacts, &SubscriptionItem)> {
        let facts = self.subscription(self.plans.get(family)?.subscription.as_deref()?)?;
        let carries = |item: &&SubscriptionItem| {
            facts.gives.iter().any(|(price, _)| price.id == item.price_id && price.family.as_deref() == Some(family))
        };
        Some((facts, facts.row.state().items.iter().find(carries)?))
    }

    /// The paid plan whose billing period counts for what is counted by period: of several families the first by name.
    pub fn period(&self) -> Option<(&SubscriptionFacts, &SubscriptionItem)> {
        self.plans.keys().find_map(|family| self.plan_item(family))
    }

    /// The paid plan whose billing period counts for a meter: the one that grants what the meter counts under.
    pub fn period_of(&self, meter: &str) -> Option<(&SubscriptionFacts, &SubscriptionItem)> {
        let grants = |plan: &PlanInForce| plan.grants.iter().any(|grant| grant.key.starts_with(meter));
        let family = self.plans.iter().find(|(_, plan)| grants(plan)).map(|(family, _)| family);
        family.map_or_else(|| self.period(), |family| self.plan_item(family))
    }

    /// The family of the plan that grants something.
    pub fn granting(&self, key: &str) -> Option<&str> {
        let grants = |plan: &PlanInForce| plan.grants.iter().any(|grant| grant.key == key);
        self.plans.iter().find(|(_, plan)| grants(plan)).map(|(family, _)| family.as_str())
    }

    /// When the last plan of any family was lost.
    pub fn last_lost(&self) -> Option<Timestamp> {
        self.lost.values().map(|lost| lost.at).max()
    }
}

/// Work out where the account stands now.
pub(crate) fn standing(desk: &mut Desk<'_>) -> Ruled<Standing> {
    let settings = desk.catalog.settings()?;
    let closed_at = desk.account.get_here::<Closed>(Closed::ID)?.map(|closed| closed.at);
    let (mut subscriptions, known) = facts(&mut desk.account, &desk.catalog, &settings, desk.now)?;
    let mut bought = paid_once(desk)?;
    if let Some(closed_at) = closed_at {
        subscriptions
            .iter_mut()
            .for_each(|facts| facts.lost_at = Some(facts.lost_at.map_or(closed_at, |at| at.min(closed_at))));
        bought.clear();
    }
    let mut plans = plans(&subscriptions, &bought, &known, &settings, desk.account.owner())?;
    if closed_at.is_some() {
        plans.in_force.clear();
    }
    let mut allowed = BTreeMap::new();
    for plan in plans.in_force.values() {
        add_grants(&mut allowed, &plan.grants, 1, &plan.source);
    }
    let items = items(&subscriptions, &bought)?;
    let mut add = |price: &CatalogPrice, quantity: u32, source: &str| -> Ruled<()> {
        let terms = price.terms()?;
        if price.family.is_some() || !gives(terms, &plans.in_force, &items, source) {
            return Ok(());
        }
        let is_met = |grant: &&Grant| {
            terms.conditions.get(&grant.key).is_none_or(|condition| is_granted(&plans.in_force, condition))
        };
        let grants: Vec<Grant> = price.grants.iter().filter(is_met).cloned().collect();
        add_grants(&mut allowed, &grants, i64::from(quantity), source);
        Ok(())
    };
    for facts in subscriptions.iter().filter(|facts| facts.lost_at.is_none()) {
        facts.gives.iter().try_for_each(|(price, quantity)| add(price, *quantity, &facts.id))?;
    }
    bought.iter().try_for_each(|bought| add(&bought.price, bought.quantity, &bought.purchase))?;
    let mut add_ons_lost: BTreeMap<String, Timestamp> = BTreeMap::new();
    for facts in subscriptions.iter().filter(|facts| facts.row.was_ever_served) {
        for price in facts.named.iter().filter(|price| price.family.is_none()) {
            let given = facts.gives.iter().find(|(given, _)| given.id == price.id);
            let quantity = given.map_or(0, |(_, quantity)| *quantity);
            // What an ended one no longer names was lost before.
            let lost_at = given.and(facts.lost_at).or_else(|| facts.row.fewer_since(&price.id, quantity));
            let Some(lost_at) = lost_at else { continue };
            for grant in &price.grants {
                let last = add_ons_lost.entry(grant.key.clone()).or_insert(lost_at);
                *last = (*last).max(lost_at);
            }
        }
    }
    let (plans, lost) = (plans.in_force, plans.lost);
    Ok(Standing { settings, closed_at, subscriptions, plans, lost, allowed, items, add_ons_lost })
}

/// What the account paid once and for all.
fn paid_once(desk: &mut Desk<'_>) -> Ruled<Vec<PaidOnce>> {
    let mut out = Vec::new();
    for (id, purchase) in desk.account.all::<PurchaseRow>()? {
        if !purchase.grants() {
            continue;
        }
        let paid_at = purchase.details.counts.as_ref().and_then(|session| session.paid_at).unwrap_or(Timestamp::MIN);
        for item in &purchase.values.items {
            let Some(price_id) = &item.price_id else { continue };
            if let Some(price) = desk.catalog.price(price_id)? {
                out.push(PaidOnce { purchase: id.clone(), price, quantity: item.quantity, at: paid_at });
            }
        }
    }
    Ok(out)
}

/// Whether a plan grants something.
fn is_granted(plans: &BTreeMap<String, PlanInForce>, key: &str) -> bool {
    plans.values().any(|plan| plan.grants.iter().any(|grant| grant.key == key && grant.amount != 0))
}

/// Whether an add-on gives anything: beside a plan if it needs one, under its condition, and only the first of what an
/// account has once.
fn gives(terms: &Terms, plans: &BTreeMap<String, PlanInForce>, items: &BTreeMap<String, Holder>, source: &str) -> bool {
    (!terms.requires_plan || !plans.is_empty())
        && terms.condition.as_ref().is_none_or(|condition| is_granted(plans, condition))
        && terms.item.as_ref().and_then(|item| items.get(item)).is_none_or(|holder| holder.id == source)
}

/// Who holds each item: of several the one that began first by the provider's clock, then the smaller id.
fn items(subscriptions: &[SubscriptionFacts], bought: &[PaidOnce]) -> Ruled<BTreeMap<String, Holder>> {
    let mut out: BTreeMap<String, Holder> = BTreeMap::new();
    let mut offer = |price: &CatalogPrice, holder: Holder| -> Ruled<()> {
        if let Some(item) = &price.terms()?.item {
            let held = out.entry(item.clone()).or_insert_with(|| holder.clone());
            if (holder.since, &holder.id) < (held.since, &held.id) {
                *held = holder;
            }
        }
        Ok(())
    };
    for facts in subscriptions.iter().filter(|facts| facts.lost_at.is_none()) {
        let holder = || Holder { since: facts.row.first_at, id: facts.id.clone() };
        facts.gives.iter().try_for_each(|(price, _)| offer(price, holder()))?;
    }
    bought.iter().try_for_each(|b| offer(&b.price, Holder { since: b.at, id: b.purchase.clone() }))?;
    Ok(out)
}

fn add_grants(allowed: &mut BTreeMap<String, (i64, Vec<String>)>, grants: &[Grant], quantity: i64, source: &str) {
    for grant in grants {
        let (held, sources) = allowed.entry(grant.key.clone()).or_insert((0, Vec::new()));
        *held = amount::add(*held, grant.amount, quantity);
        sources.push(source.to_owned());
    }
}
