//! Computes the expected results of a story from the catalog, the objects of the local Stripe and the moves.
//!
//! Written from the requirements. Shares no code with the extension that it checks.

use crate::catalog::{Catalog, Grant, InstanceType, Rate, SoldByUse, Split, UNLIMITED, Ware};
use crate::chargebacks::{is_frozen, left};
use crate::closing::Closing;
use crate::customer::lives;
use crate::lots::{Bought, Lots};
use crate::paid::Payments;
use crate::sales::{Sale, sales};
use crate::sandbox::{Stripe, minor_micros};
use crate::taxes::Taxes;
use crate::units::{Charged, Units};
use local_stripe::object::Object;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The expected result of a command or a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Applied.
    Applied,
    /// Refused without changes.
    Refused,
}

/// An instance of an account.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Id of the instance.
    pub id: String,
    /// Index of the instance type.
    pub instance_type: usize,
    /// Text that confirms its deletion.
    pub confirm: String,
    /// True if it was deleted.
    pub deleted: bool,
    /// Open manual steps.
    pub by_hand: Vec<String>,
    /// True if the state of the instance depends on timing: its plan was interrupted, more was in use than allowed, or
    /// a late event arrived.
    pub is_unsure: bool,
}

/// A token.
#[derive(Clone, Debug)]
pub struct Token {
    /// Id of the token.
    pub id: String,
    /// Index of the kind of token.
    pub kind: usize,
    /// Time of issue, in milliseconds since the epoch.
    pub issued_at: i64,
    /// True if it was revoked, or its entitlement ended.
    pub revoked: bool,
    /// Number of successful redemptions.
    pub redeemed: i64,
    /// True if a late event arrived while it was live, so that its revocation depends on timing.
    pub is_unsure: bool,
}

/// A share of sales: minimum and maximum in minor units.
pub type Share = (i64, i64);

/// The expectations at one moment.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Allowed amounts by entitlement, without amounts of 0.
    pub entitlements: BTreeMap<String, i64>,
    /// Cash at Stripe after the fees of disputes, in minor units.
    pub cash: i64,
    /// True if a payment was received, so that the ledger has cash, even if nothing is left.
    pub has_cash: bool,
    /// Taxes.
    pub taxes: Taxes,
    /// Credits left and credits owed, in millionths.
    pub credits: (i64, i64),
    /// Maximum difference of the credits: a partial refund takes back a part of them, rounded to a millionth, and it may be open
    /// what usage cost.
    pub credits_slack: i64,
    /// Sales of which creators get shares.
    pub sales: Vec<Sale>,
    /// Ids of instances that must run.
    pub running: BTreeSet<String>,
    /// Ids of instances that must not run.
    pub idle: BTreeSet<String>,
    /// Tokens by id: `issued`, `expired` or `revoked`, and number of redemptions.
    pub tokens: BTreeMap<String, (&'static str, i64)>,
    /// Usage of entitlements counted per calendar month.
    pub counted: BTreeMap<String, i64>,
    /// Invoiced amounts of usage by month, in minor units, in order; None if they are open.
    pub invoices: Option<Vec<i64>>,
    /// Entitlements that are not checked, since it is open what the account had in the month.
    pub open_entitlements: BTreeSet<String>,
    /// Number of reactions to facts, by `mail:TEMPLATE` or operation.
    pub followed: BTreeMap<String, usize>,
    /// Maximum number of reminders of failed payments, and maximum number of reminders of a coming end.
    pub reminders: (usize, usize),
    /// Number of mails to the account by campaign name.
    pub campaigns: BTreeMap<String, usize>,
    /// Currency of the amounts.
    pub currency: String,
    /// True if it is open what the account has, since an invoice was sent that it has not paid. Then the entitlements
    /// are not checked, and neither are the instances.
    pub is_on_credit: bool,
    /// Status at Stripe by subscription id.
    pub subscriptions: BTreeMap<String, String>,
}

impl Expected {
    /// Returns the expectation of the cash in a scenario.
    pub(crate) fn cash_row(&self) -> Value {
        if self.has_cash { json!(self.cash) } else { json!({"absent": true}) }
    }
}

/// A source of grants.
struct Source<'a> {
    ware: &'a Ware,
    quantity: i64,
    since_s: i64,
    id: String,
}

/// The oracle of one account. Keeps the facts that the objects of Stripe do not show.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// `user` or `organization`.
    pub owner: String,
    /// Paid one-time purchases.
    pub bought: Vec<Bought>,
    /// Created instances.
    pub instances: Vec<Instance>,
    /// Issued tokens.
    pub tokens: Vec<Token>,
    /// Amounts of the refunds that were made at Stripe or asked for, by charge, in minor units; None if the host
    /// decides the amount.
    pub refunds: BTreeMap<String, Option<i64>>,
    /// Ids of instances of which a resource could not be created.
    out_of_stock: BTreeSet<String>,
    /// The closing of the account.
    pub closing: Option<Closing>,
    /// What is paid of the items of subscriptions.
    paid: Payments,
    /// Start of past-due states by subscription, in milliseconds since the epoch.
    past_due: BTreeMap<String, i64>,
    /// Time of the first failed payment by invoice, in milliseconds since the epoch.
    failed: BTreeMap<String, i64>,
    /// Time of the last update, in milliseconds since the epoch.
    updated_ms: i64,
    /// Number of events of Stripe that were read.
    seen: u64,
    /// Credits, and the usage that they paid.
    lots: Lots,
    /// Usage not covered by credits, by month, in millionths.
    open_micros: BTreeMap<String, i64>,
    /// Units whose price depends on the amount of the month.
    units: Units,
    /// Cost and covered part of these units, by the month that is charged, the meter and the value of the price's attribute.
    rows: BTreeMap<(String, String, String), (i64, i64)>,
    /// What the catalog includes in prices, as it was last seen.
    seen_grants: Option<String>,
    /// True if it is open what was included in the price of usage: the host may know of a payment, of its failure or of its return
    /// only after the month.
    is_use_unsure: bool,
    /// Use of creators' products: the creator and the share by product, and the creators' part of the cost in millionths.
    sold_by_use: BTreeMap<String, (Split, i64)>,
    /// Facts that follow from Stripe's events, each with the id of its object.
    happened: BTreeSet<(&'static str, String)>,
    /// Counts of facts of the business.
    own_facts: BTreeMap<String, usize>,
    /// Expected mails to the account by campaign name.
    campaigns: BTreeMap<String, usize>,
    /// Counted usage by entitlement and month.
    counted: BTreeMap<(String, String), i64>,
}

/// The month (`YYYY-MM`) of a time.
fn month(now_ms: i64) -> String {
    host_engine::time::text(now_ms)[..7].to_owned()
}

/// Time at which a month is invoiced: one day after its end.
fn closes_at(month: &str) -> i64 {
    let (year, number) = month.split_once('-').expect("a month");
    let (year, number): (i64, i64) = (year.parse().expect("a year"), number.parse().expect("a month"));
    let (year, number) = if number == 12 { (year + 1, 1) } else { (year, number + 1) };
    host_engine::time::parse(&format!("{year}-{number:02}-02T00:00:00Z")).expect("a time")
}

/// Fees that Stripe took for the disputes of a charge, in minor units.
fn dispute_fees(stripe: &Stripe, charge: &str) -> i64 {
    let disputes = stripe.all("dispute").into_iter().filter(|dispute| dispute.text("charge") == charge);
    let fees = |dispute: &Object| -> i64 {
        dispute.list_at("balance_transactions").iter().filter_map(|taken| taken["fee"].as_i64()).sum()
    };
    disputes.map(|dispute| fees(&dispute)).sum()
}

fn add(held: i64, amount: i64, times: i64) -> i64 {
    if held == UNLIMITED || amount == UNLIMITED { UNLIMITED } else { held + amount * times }
}

impl Oracle {
    /// Creates the oracle of a `user` or an `organization` without history.
    pub fn new(owner: &str) -> Self {
        Oracle { owner: owner.to_owned(), ..Oracle::default() }
    }

    /// Reads new events of Stripe.
    pub fn read_events(&mut self, catalog: &Catalog, stripe: &Stripe) {
        for event in stripe.history(self.seen) {
            self.seen += 1;
            self.paid.read(catalog, stripe, &event);
            let fact = match (event.kind.as_str(), event.object.text("status")) {
                ("customer.subscription.created", _) => Some("subscription.created"),
                ("customer.subscription.deleted", _) | ("customer.subscription.updated", "incomplete_expired") => {
                    Some("subscription.canceled")
                }
                ("invoice.payment_failed", _) => Some("invoice.payment_failed"),
                _ => None,
            };
            if event.kind == "invoice.payment_failed" {
                self.failed.entry(event.object.id().to_owned()).or_insert(event.created_s * 1_000);
            }
            self.happened.extend(fact.map(|fact| (fact, event.object.id().to_owned())));
            // Between a refund and its failure there was no payment, and an unpaid add-on counts until its invoice is known. Their
            // order decides whether a token is revoked.
            if event.kind == "refund.failed" || self.paid.take_unpaid_exchange() {
                self.mark_unsure();
            }
            if !event.kind.starts_with("customer.subscription.") {
                continue;
            }
            let id = event.object.id().to_owned();
            match event.object.text("status") {
                "past_due" => _ = self.past_due.entry(id).or_insert(event.created_s * 1_000),
                _ => _ = self.past_due.remove(&id),
            }
        }
    }

    /// True if it is open what the account has: an invoice for a new price was sent and is not paid, and a business may
    /// give its customers credit; or an invoice fails again after Stripe has called its subscription
    /// `active` in between, and grace may count from the first failure or from the last one.
    pub fn is_on_credit(&self, catalog: &Catalog, stripe: &Stripe) -> bool {
        let is_unpaid = |item: &Value| !self.paid.is_settled(item["id"].as_str().unwrap_or_default());
        let now_ms = stripe.now_s() * 1_000;
        let failed = |id: &str| {
            let all = stripe.all("invoice").into_iter();
            let own = all.filter(|invoice| invoice.text_at("parent.subscription_details.subscription") == Some(id));
            let open = own.filter(|invoice| invoice.text("status") == "open");
            open.filter_map(|invoice| self.failed.get(invoice.id()).copied()).min()
        };
        let is_in_between = |id: &str| {
            let of_run = self.past_due.get(id);
            let since = of_run.filter(|since| now_ms < **since + catalog.grace_ms);
            since.zip(failed(id)).is_some_and(|(_, first)| first + catalog.grace_ms <= now_ms)
        };
        let has_open_change = |id: &str| {
            stripe.all("invoice").iter().any(|invoice| {
                invoice.text_at("parent.subscription_details.subscription") == Some(id)
                    && invoice.text("billing_reason") != "subscription_cycle"
                    && matches!(invoice.text("status"), "draft" | "open")
            })
        };
        stripe.all("subscription").iter().any(|subscription| {
            let is_sent = subscription.text("collection_method") == "send_invoice" && lives(subscription);
            let is_open = || subscription.list_at("items").iter().any(is_unpaid) || has_open_change(subscription.id());
            is_sent && is_open() || is_in_between(subscription.id())
        })
    }

    /// True if a subscription grants entitlements now.
    fn entitles(&self, catalog: &Catalog, stripe: &Stripe, subscription: &Object, now_ms: i64) -> bool {
        match subscription.text("status") {
            _ if is_frozen(stripe, subscription) => false,
            "active" | "trialing" => true,
            "past_due" => self.past_due.get(subscription.id()).is_some_and(|since| now_ms < since + catalog.grace_ms),
            _ => false,
        }
    }

    fn sources<'a>(&'a self, catalog: &'a Catalog, stripe: &Stripe) -> Vec<Source<'a>> {
        let now_ms = stripe.now_s() * 1_000;
        let mut out = Vec::new();
        for subscription in stripe.all("subscription").iter().filter(|sub| self.entitles(catalog, stripe, sub, now_ms))
        {
            for item in subscription.list_at("items") {
                let Some((ware, quantity)) = self.paid.of(item["id"].as_str().unwrap_or_default()) else { continue };
                let (ware, id) = (&catalog.wares[ware], subscription.id().to_owned());
                out.push(Source { ware, quantity, since_s: subscription.int("created"), id });
            }
        }
        let kept = self.bought.iter().filter(|bought| self.is_kept(stripe, bought));
        out.extend(kept.map(|bought| {
            let (quantity, id) = (bought.quantity, bought.purchase.clone());
            Source { ware: &bought.terms, quantity, since_s: bought.at_s, id }
        }));
        out
    }

    /// What is paid of an item of a subscription: the index of its ware, and the quantity.
    pub(crate) fn paid_of(&self, item: &str) -> Option<(usize, i64)> {
        self.paid.of(item)
    }

    /// Records a refund that was made at Stripe or asked for; the host decides the amount if there is none.
    pub fn refund(&mut self, charge: &str, amount: Option<i64>) {
        let sum = self.refunds.entry(charge.to_owned()).or_insert(Some(0));
        *sum = sum.zip(amount).map(|(sum, amount)| sum + amount);
    }

    /// True if a one-time purchase is not completely refunded or disputed.
    fn is_kept(&self, stripe: &Stripe, bought: &Bought) -> bool {
        let charge = stripe.all("charge").into_iter().find(|charge| charge.id() == bought.charge);
        bought.charge.is_empty() || charge.is_some_and(|charge| left(stripe, &charge).0 > 0)
    }

    /// The grants of the plan in force, and their multiplier, by family.
    fn plans(&self, catalog: &Catalog, sources: &[Source<'_>]) -> BTreeMap<String, (Vec<Grant>, i64)> {
        let mut best: BTreeMap<&str, &Source<'_>> = BTreeMap::new();
        let order = |source: &Source<'_>| (source.ware.rank, Reverse((source.since_s, source.id.clone())));
        for source in sources {
            let Some(family) = source.ware.family.as_deref() else { continue };
            if best.get(family).is_none_or(|held| order(source) > order(held)) {
                best.insert(family, source);
            }
        }
        let mut out: BTreeMap<String, (Vec<Grant>, i64)> = BTreeMap::new();
        if self.closing.is_some() {
            return out;
        }
        for default in &catalog.defaults {
            if default.sold_to.as_ref().is_none_or(|owner| *owner == self.owner) {
                out.insert(default.family.clone(), (default.grants.clone(), 1));
            }
        }
        for (family, source) in best {
            let ware = source.ware;
            let seats = if ware.most > 1 { source.quantity } else { 1 };
            out.insert(family.to_owned(), (ware.grants.clone(), seats));
        }
        out
    }

    /// The allowed amounts now by entitlement, without amounts of 0.
    pub fn entitlements(&self, catalog: &Catalog, stripe: &Stripe) -> BTreeMap<String, i64> {
        if self.closing.is_some() {
            return BTreeMap::new();
        }
        let sources = self.sources(catalog, stripe);
        let plans = self.plans(catalog, &sources);
        let is_granted =
            |key: &String| plans.values().flat_map(|(grants, _)| grants).any(|g| g.key == *key && g.amount != 0);
        let mut out: BTreeMap<String, i64> = BTreeMap::new();
        let mut give = |grants: &[Grant], times: i64| {
            for grant in grants.iter().filter(|grant| grant.condition.as_ref().is_none_or(is_granted)) {
                let held = out.entry(grant.key.clone()).or_default();
                *held = add(*held, grant.amount, if grant.once { times.min(1) } else { times });
            }
        };
        plans.values().for_each(|(grants, times)| give(grants, *times));
        for source in &sources {
            let ware = source.ware;
            let is_given = !ware.requires_plan || !plans.is_empty();
            if ware.family.is_none() && is_given && ware.condition.as_ref().is_none_or(is_granted) {
                give(&ware.grants, source.quantity);
            }
        }
        out.retain(|_, amount| *amount != 0);
        out
    }

    /// True if a plan of a family is in force.
    fn has_plan(&self, catalog: &Catalog, stripe: &Stripe, family: &str) -> bool {
        self.plans(catalog, &self.sources(catalog, stripe)).contains_key(family)
    }

    /// True if a plan in force grants an entitlement.
    pub fn is_granted_by_plan(&self, catalog: &Catalog, stripe: &Stripe, key: &str) -> bool {
        let plans = self.plans(catalog, &self.sources(catalog, stripe));
        plans.values().flat_map(|(grants, _)| grants).any(|grant| grant.key == key && grant.amount != 0)
    }

    /// Whether the account may create another instance; None if that depends on timing.
    pub fn has_room(&self, catalog: &Catalog, stripe: &Stripe, instance_type: &InstanceType) -> Option<bool> {
        if instance_type.family.as_ref().is_some_and(|family| !self.has_plan(catalog, stripe, family)) {
            return Some(false);
        }
        if !instance_type.consumes.is_empty() && self.instances.iter().any(|own| own.is_unsure || own.deleted) {
            return None;
        }
        let allowed = self.entitlements(catalog, stripe);
        Some(instance_type.consumes.iter().all(|(key, amount)| {
            let allowed = allowed.get(key).copied().unwrap_or(0);
            allowed == UNLIMITED || self.in_use(catalog, key) + amount <= allowed
        }))
    }

    fn in_use(&self, catalog: &Catalog, key: &str) -> i64 {
        let of = |own: &Instance| &catalog.instance_types[own.instance_type].consumes;
        let used = self.instances.iter().filter(|own| !own.deleted).flat_map(of);
        used.filter(|(consumed, _)| consumed == key).map(|(_, amount)| amount).sum()
    }

    /// Records usage at `at_ms` that costs `micros`. The usage belongs to the month of `at_ms`, or to the current month
    /// if the month of `at_ms` is closed (M10).
    pub fn record_usage(&mut self, stripe: &Stripe, by_credits: bool, micros: i64, at_ms: i64) {
        let (of_then, now_ms) = (month(at_ms), stripe.now_s() * 1_000);
        let of = if closes_at(&of_then) > now_ms { of_then } else { month(now_ms) };
        let covered = if by_credits { self.lots.spend(&of, micros) } else { 0 };
        *self.open_micros.entry(of).or_default() += micros - covered;
    }

    /// Records units at `at_ms` whose price depends on the amount of the month.
    pub fn record_units(&mut self, stripe: &Stripe, rate: &Rate, value: &str, quantity: i64, at_ms: i64) {
        let charged = self.units.add(&month(at_ms), rate, value, quantity);
        self.charge(stripe, charged);
    }

    /// Charges the change of the cost of a month's units to the month, or to the current month if it is closed.
    fn charge(&mut self, stripe: &Stripe, charged: Charged) {
        let now_ms = stripe.now_s() * 1_000;
        let of = if closes_at(&charged.month) > now_ms { charged.month } else { month(now_ms) };
        let (meter, value) = charged.of;
        let (cost, covered) = self.rows.entry((of.clone(), meter, value)).or_default();
        *cost += charged.change;
        let more = match charged.change > 0 {
            true if charged.by_credits => self.lots.spend(&of, charged.change.min((*cost - *covered).max(0))),
            true => 0,
            false => -(*covered - (*cost).max(0)).max(0),
        };
        self.lots.give_back(&of, (-more).max(0), stripe.now_s());
        *covered += more;
        *self.open_micros.entry(of).or_default() += charged.change - more;
    }

    /// Notes what is included in the price of usage, and prices the open months again.
    fn update_units(&mut self, catalog: &Catalog, stripe: &Stripe) {
        if catalog.rates.iter().all(|rate| rate.counter.is_none()) {
            return;
        }
        let is_sent = |sub: &Arc<Object>| sub.text("collection_method") == "send_invoice";
        let grants = format!("{:?}", catalog.wares.iter().map(|ware| &ware.grants).collect::<Vec<_>>());
        let is_changed = self.seen_grants.replace(grants.clone()).is_some_and(|seen| seen != grants);
        self.is_use_unsure |= is_changed
            || !self.failed.is_empty()
            || self.closing.is_some()
            || !stripe.all("dispute").is_empty()
            || stripe.all("subscription").iter().any(is_sent);
        let (now_ms, allowed) = (stripe.now_s() * 1_000, self.entitlements(catalog, stripe));
        let this_month = month(now_ms);
        for rate in &catalog.rates {
            let Some(counter) = &rate.counter else { continue };
            let defaults =
                catalog.defaults.iter().filter(|plan| plan.sold_to.as_ref().is_none_or(|to| *to == self.owner));
            let grants = defaults.flat_map(|plan| &plan.grants).filter(|grant| grant.key == *counter);
            self.units.of_everybody.insert(rate.meter.clone(), grants.map(|grant| grant.amount).sum());
            let now = (stripe.now_s(), allowed.get(counter).copied().unwrap_or(0));
            self.units.note(&this_month, &rate.meter, now);
            for charged in self.units.again(&this_month, rate) {
                self.charge(stripe, charged);
            }
        }
    }

    /// Maximum amount that credits may have paid or not, since it is open what was included in the price of usage: perhaps all that the
    /// subscriptions name, paid or not.
    fn open_credits(&self, catalog: &Catalog, stripe: &Stripe) -> i64 {
        let is_open = |rate: &&Rate| self.is_use_unsure && rate.by_credits;
        let subscriptions = stripe.all("subscription");
        let named = |counter: &str| {
            let items = subscriptions.iter().flat_map(|subscription| subscription.list_at("items"));
            let of_item = |sum: i64, item: &Value| {
                let ware = &catalog.wares[stripe.plan(item["price"]["id"].as_str().unwrap_or_default())];
                let grants = ware.grants.iter().filter(|grant| grant.key == counter);
                grants.fold(sum, |sum, grant| add(sum, grant.amount, item["quantity"].as_i64().unwrap_or(1)))
            };
            items.fold(0, of_item)
        };
        let worth = |rate: &Rate| Some(self.units.worth_included(rate, named(rate.counter.as_ref()?)));
        catalog.rates.iter().filter(is_open).filter_map(worth).sum()
    }

    /// Records the use of a creator's product, and the creator's part of its cost in millionths.
    pub fn record_use_of(&mut self, sold: &SoldByUse, micros: i64) {
        let (_, sum) = self.sold_by_use.entry(sold.id.clone()).or_insert_with(|| (sold.share.clone(), 0));
        *sum += micros;
    }

    /// The use of creators' products. A creator gets a share of the part that is paid: at most of all.
    fn sales_by_use(&self, stripe: &Stripe) -> impl Iterator<Item = Sale> {
        let minor = minor_micros(stripe.currency());
        self.sold_by_use.values().map(move |(split, micros)| {
            let whole = (micros * split.share_bp).div_euclid(10_000 * minor) + 1;
            Sale { creator: split.to.clone(), share: (0, whole), whole, available_s: 0 }
        })
    }

    /// The invoiced amounts so far, in minor units. One day after the end of a month, its open amount is invoiced; an
    /// amount that is too small is carried over to the next month.
    fn invoices(&self, catalog: &Catalog, now_ms: i64) -> Vec<i64> {
        let Some(least) = catalog.rates.iter().filter_map(|rate| rate.invoiced_from).min() else { return Vec::new() };
        let (mut carried, mut out) = (0, Vec::new());
        for (_, open) in self.open_micros.iter().filter(|(month, _)| closes_at(month) <= now_ms) {
            let total = carried + open;
            let step_micros = catalog.minor_micros() * catalog.step_minor();
            let minor = (total + step_micros - 1) / step_micros * catalog.step_minor();
            match minor > 0 && minor >= least {
                true => (carried, _) = (0, out.push(minor)),
                false => carried = total,
            }
        }
        out
    }

    /// Records a fact of the business.
    pub fn record_fact(&mut self, fact: &str) {
        *self.own_facts.entry(fact.to_owned()).or_default() += 1;
    }

    /// True if a fact of the business was recorded.
    pub fn has_fact(&self, fact: &str) -> bool {
        self.own_facts.contains_key(fact)
    }

    /// Records a campaign; `is_for` is true if the account is in its audience.
    pub fn campaign(&mut self, name: String, is_for: bool) {
        self.campaigns.insert(name, usize::from(is_for));
    }

    /// Number of invoices with a failed or open payment. Each of these invoices has its own reminders: the invoice of
    /// the next period can open while the previous invoice is past due.
    fn unpaid(&self, stripe: &Stripe) -> usize {
        let is_open = |invoice: &&Arc<Object>| matches!(invoice.text("status"), "draft" | "open");
        let has_failed = |invoice: &&Arc<Object>| {
            self.happened.contains(&("invoice.payment_failed", invoice.id().to_owned())) || is_open(invoice)
        };
        stripe.all("invoice").iter().filter(has_failed).count()
    }

    /// The expected number of reactions to facts.
    fn followed(&self, catalog: &Catalog) -> BTreeMap<String, usize> {
        let mut out: BTreeMap<String, usize> = BTreeMap::new();
        for (fact, then) in &catalog.follows {
            let of_stripe = || self.happened.iter().filter(|(kind, _)| kind == fact).count();
            let count = match fact.as_str() {
                "payment.succeeded" => Some(self.bought.iter().filter(|bought| !bought.charge.is_empty()).count()),
                "token.issued" => Some(self.tokens.len()),
                "campaign.sent" => Some(self.campaigns.len()),
                "subscription.created" | "subscription.canceled" | "invoice.payment_failed" => Some(of_stripe()),
                own => catalog
                    .facts
                    .iter()
                    .any(|(known, _)| known == own)
                    .then(|| self.own_facts.get(own).copied().unwrap_or(0)),
            };
            // A reaction is not checked if it also follows from a fact that is not counted here.
            match (count, out.get(then)) {
                (Some(count), _) => *out.entry(then.clone()).or_default() += count,
                (None, _) => _ = out.insert(then.clone(), usize::MAX / 2),
            }
        }
        out.retain(|_, count| *count < usize::MAX / 2);
        out
    }

    /// Counts usage of an entitlement, if the allowed amount of the month covers it.
    pub fn count(&mut self, catalog: &Catalog, stripe: &Stripe, key: &str, amount: i64) -> Verdict {
        let allowed = self.entitlements(catalog, stripe).get(key).copied().unwrap_or(0);
        let used = self.counted.entry((key.to_owned(), month(stripe.now_s() * 1_000))).or_default();
        if allowed != UNLIMITED && *used + amount > allowed {
            return Verdict::Refused;
        }
        *used += amount;
        Verdict::Applied
    }

    /// Counts measured usage at `at_ms`. Measured usage has already happened, so no limit refuses it.
    pub fn record_counted_usage(&mut self, key: &str, amount: i64, at_ms: i64) {
        *self.counted.entry((key.to_owned(), month(at_ms))).or_default() += amount;
    }

    fn is_live(catalog: &Catalog, token: &Token, now_ms: i64) -> bool {
        let kind = &catalog.tokens[token.kind];
        !token.revoked && token.redeemed < kind.redemptions && now_ms < token.issued_at + kind.ttl_ms
    }

    /// Issues a token of a kind, if the account is entitled to it and has fewer live tokens than the limit.
    pub fn issue(&mut self, catalog: &Catalog, stripe: &Stripe, kind: usize, id: String) -> Verdict {
        let now_ms = stripe.now_s() * 1_000;
        let live =
            self.tokens.iter().filter(|token| token.kind == kind && Self::is_live(catalog, token, now_ms)).count();
        let is_entitled = self.entitlements(catalog, stripe).contains_key(&catalog.tokens[kind].entitlement);
        if !is_entitled || live >= catalog.tokens[kind].live {
            return Verdict::Refused;
        }
        self.tokens.push(Token { id, kind, issued_at: now_ms, revoked: false, redeemed: 0, is_unsure: false });
        Verdict::Applied
    }

    /// Redeems a token, if it is live.
    pub fn redeem(&mut self, catalog: &Catalog, stripe: &Stripe, number: usize) -> Verdict {
        let is_live = Self::is_live(catalog, &self.tokens[number], stripe.now_s() * 1_000);
        self.tokens[number].redeemed += i64::from(is_live);
        if is_live { Verdict::Applied } else { Verdict::Refused }
    }

    /// Revokes a token, if it is live.
    pub fn revoke(&mut self, catalog: &Catalog, stripe: &Stripe, number: usize) -> Verdict {
        let is_live = Self::is_live(catalog, &self.tokens[number], stripe.now_s() * 1_000);
        self.tokens[number].revoked |= is_live;
        if is_live { Verdict::Applied } else { Verdict::Refused }
    }

    /// Applies the consequences of time and payments to tokens and instances.
    pub fn update(&mut self, catalog: &Catalog, stripe: &Stripe) {
        self.read_events(catalog, stripe);
        let now_ms = stripe.now_s() * 1_000;
        // At the end of a grace period the host revokes tokens, some of which have expired by now.
        let ends = self.past_due.values().map(|since| since + catalog.grace_ms);
        let ends: Vec<i64> = ends.filter(|end| (self.updated_ms..now_ms).contains(end)).collect();
        for token in &mut self.tokens {
            token.is_unsure |= ends.iter().any(|end| Self::is_live(catalog, token, *end));
        }
        self.updated_ms = now_ms;
        self.lots.update(catalog, stripe, &self.bought);
        self.update_units(catalog, stripe);
        if self.is_on_credit(catalog, stripe) {
            self.mark_unsure();
        }
        let allowed = self.entitlements(catalog, stripe);
        for token in &mut self.tokens {
            token.revoked |=
                Self::is_live(catalog, token, now_ms) && !allowed.contains_key(&catalog.tokens[token.kind].entitlement);
        }
        let is_over =
            catalog.instance_types.iter().flat_map(|instance_type| &instance_type.consumes).any(|(key, _)| {
                let allowed = allowed.get(key).copied().unwrap_or(0);
                allowed != UNLIMITED && self.in_use(catalog, key) > allowed
            });
        let plans = self.plans(catalog, &self.sources(catalog, stripe));
        for own in &mut self.instances {
            let instance_type = &catalog.instance_types[own.instance_type];
            own.is_unsure |= is_over || instance_type.family.as_ref().is_some_and(|family| !plans.contains_key(family));
        }
    }

    /// Notes that a resource of an instance could not be created. The instance may run after somebody asks again.
    pub(crate) fn could_not_create(&mut self, instance: &str) {
        self.out_of_stock.insert(instance.to_owned());
        self.instances.iter_mut().filter(|own| own.id == instance).for_each(|own| own.is_unsure = true);
    }

    /// Ids of the instances that could not be created.
    pub(crate) fn failed_instances(&self) -> impl Iterator<Item = &str> {
        let failed = self.instances.iter().filter(|own| !own.deleted && self.out_of_stock.contains(&own.id));
        failed.map(|own| own.id.as_str())
    }

    /// Marks all instances and tokens as unsure after a late event: the host decided about them without this event.
    pub fn mark_unsure(&mut self) {
        self.is_use_unsure = true;
        self.lots.told_late();
        self.instances.iter_mut().for_each(|own| own.is_unsure = true);
        self.tokens.iter_mut().for_each(|token| token.is_unsure = true);
    }

    /// True if any instance is deleted or unsure.
    pub fn has_unsure(&self) -> bool {
        self.instances.iter().any(|own| own.deleted || own.is_unsure)
    }

    /// Removes the deleted and unsure instances for which `is_gone` is true.
    pub fn forget(&mut self, is_gone: impl Fn(&str) -> bool) {
        self.instances.retain(|own| !((own.deleted || own.is_unsure) && is_gone(&own.id)));
    }

    /// True if a subscription is past due. No event of Stripe shows the end of its grace period.
    pub fn is_past_due(&self) -> bool {
        !self.past_due.is_empty()
    }

    /// The expectations now.
    pub fn expects(&self, catalog: &Catalog, stripe: &Stripe) -> Expected {
        let now_ms = stripe.now_s() * 1_000;
        let charges = stripe.all("charge");
        let plans = self.plans(catalog, &self.sources(catalog, stripe));
        let stands = |own: &&Instance| {
            let instance_type = &catalog.instance_types[own.instance_type];
            let is_paid = instance_type.family.as_ref().is_none_or(|family| plans.contains_key(family));
            is_paid && !own.deleted && self.closing.is_none()
        };
        let runs = |own: &&Instance| {
            stands(own)
                && !own.is_unsure
                && own.by_hand.is_empty()
                && catalog.instance_types[own.instance_type].runs
                && !catalog.instance_types[own.instance_type].idles
        };
        let status = |token: &Token| match (token.revoked, Self::is_live(catalog, token, now_ms)) {
            (true, _) => "revoked",
            _ if token.redeemed >= catalog.tokens[token.kind].redemptions => "redeemed",
            (false, true) => "issued",
            (false, false) => "expired",
        };
        let sure = self.tokens.iter().filter(|token| !token.is_unsure);
        let this_month = month(now_ms);
        let subscriptions = stripe.all("subscription").into_iter();
        let mut entitlements = self.entitlements(catalog, stripe);
        let counters = catalog.rates.iter().filter_map(|rate| Some((rate.counter.as_ref()?, &rate.meter)));
        for (key, meter) in counters.clone() {
            entitlements.remove(key);
            let included = self.units.included(&this_month, meter);
            if included != 0 && !self.is_use_unsure {
                entitlements.insert(key.clone(), included);
            }
        }
        let used = counters.clone().filter(|_| self.closing.is_none());
        let used = used.map(|(key, meter)| (key.clone(), self.units.used(&this_month, meter)));
        Expected {
            entitlements,
            open_entitlements: match self.is_use_unsure {
                true => counters.map(|(key, _)| key.clone()).collect(),
                false => BTreeSet::new(),
            },
            cash: charges
                .iter()
                .filter(|charge| charge.is("paid"))
                .map(|charge| left(stripe, charge).0 - dispute_fees(stripe, charge.id()))
                .sum(),
            has_cash: charges.iter().any(|charge| charge.is("paid")),
            taxes: Taxes::of(stripe),
            credits: self.lots.balance(),
            credits_slack: self.lots.slack() + self.open_credits(catalog, stripe),
            sales: sales(catalog, stripe, &self.bought).into_iter().chain(self.sales_by_use(stripe)).collect(),
            running: self.instances.iter().filter(runs).map(|own| own.id.clone()).collect(),
            idle: self.instances.iter().filter(|own| !stands(own)).map(|own| own.id.clone()).collect(),
            tokens: sure.map(|token| (token.id.clone(), (status(token), token.redeemed))).collect(),
            counted: self
                .counted
                .iter()
                .filter(|((_, at), _)| *at == this_month && self.closing.is_none())
                .map(|((key, _), n)| (key.clone(), *n))
                .chain(used)
                .collect(),
            invoices: (!self.is_use_unsure).then(|| self.invoices(catalog, now_ms)),
            followed: self.followed(catalog),
            reminders: (catalog.reminders.0 * self.unpaid(stripe).max(1), catalog.reminders.1),
            campaigns: self.campaigns.clone(),
            currency: catalog.currency.clone(),
            is_on_credit: self.is_on_credit(catalog, stripe),
            subscriptions: subscriptions.map(|sub| (sub.id().to_owned(), sub.text("status").to_owned())).collect(),
        }
    }

    /// True if no live subscription and no paid purchase conflicts with a purchase of the ware.
    pub fn is_free(&self, catalog: &Catalog, stripe: &Stripe, ware: usize) -> bool {
        self.is_free_of(catalog, stripe, &catalog.wares[ware])
    }

    /// True if no live subscription and no paid purchase conflicts with a purchase on these terms.
    pub(crate) fn is_free_of(&self, catalog: &Catalog, stripe: &Stripe, wanted: &Ware) -> bool {
        let clashes = |other: &Ware| {
            let same_item = wanted.item.is_some() && other.item == wanted.item;
            same_item || wanted.family.is_some() && other.family == wanted.family
        };
        let held = stripe.all("subscription").into_iter().filter(|sub| lives(sub)).any(|sub| {
            sub.list_at("items").iter().any(|item| {
                let named = stripe.plan(item["price"]["id"].as_str().unwrap_or_default());
                let paid = self.paid_of(item["id"].as_str().unwrap_or_default()).map(|(ware, _)| ware);
                [Some(named), paid].into_iter().flatten().any(|ware| clashes(&catalog.wares[ware]))
            })
        });
        !held && !self.bought.iter().any(|bought| clashes(&bought.terms))
    }
}
