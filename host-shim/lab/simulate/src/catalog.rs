//! Reads a business's catalog for the oracle: prices, grants, instance types, meters, tokens and facts.
//!
//! Shares no code with the extension, so that the oracle can check the extension. A new business needs no code here if
//! its catalog uses only clauses that this file reads.

use crate::sandbox::{Offer, minor_micros, step_minor, synced_price};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// An amount without limit.
pub const UNLIMITED: i64 = -1;

/// A grant of an entitlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Key of the entitlement.
    pub key: String,
    /// Amount of one unit, or [`UNLIMITED`].
    pub amount: i64,
    /// Entitlement that a plan in force must grant; without it, this grant does not apply.
    pub condition: Option<String>,
    /// True if the amount is granted once, whatever the quantity.
    pub once: bool,
}

/// A price on sale with the grants of its product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ware {
    /// Product, price, amount and interval.
    pub offer: Offer,
    /// Name of the product type.
    pub kind: String,
    /// Family of the plan.
    pub family: Option<String>,
    /// Rank of the plan in its family; the plan with the highest rank is in force.
    pub rank: i64,
    /// `user` or `organization`; None for both.
    pub sold_to: Option<String>,
    /// Item of which an account can have only one.
    pub item: Option<String>,
    /// Entitlement that a plan in force must grant. Without it, our command refuses the purchase, and the grants do not
    /// apply.
    pub condition: Option<String>,
    /// True if the grants apply only while a plan is in force.
    pub requires_plan: bool,
    /// Minimum quantity of one purchase.
    pub least: i64,
    /// Maximum quantity of one purchase.
    pub most: i64,
    /// Grants of one unit.
    pub grants: Vec<Grant>,
    /// Credits that a payment adds, by its currency.
    pub credits: BTreeMap<String, Credits>,
    /// Share of the price for a creator.
    pub share: Option<Split>,
    /// Days for which a buyer may ask for a refund of a one-time payment.
    pub refund_days: Option<i64>,
}

/// The credits of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credits {
    /// The amount in minor units.
    pub minor: i64,
    /// Time from the payment to the end of the credits, in seconds; None for no end.
    pub lasts_s: Option<i64>,
}

/// The share of a price that a creator gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Account of the creator.
    pub to: String,
    /// The share in basis points.
    pub share_bp: i64,
    /// Days after the payment from which the share can be paid out.
    pub hold_days: i64,
}

/// A default plan, in force without payment.
#[derive(Clone, Debug)]
pub struct UnpaidPlan {
    /// Family of the plan.
    pub family: String,
    /// `user` or `organization`; None for both.
    pub sold_to: Option<String>,
    /// Grants of the plan.
    pub grants: Vec<Grant>,
}

/// A type of instances.
#[derive(Clone, Debug)]
pub struct InstanceType {
    /// Name of the type.
    pub name: String,
    /// Prefix of the ids of instances.
    pub prefix: String,
    /// Field that forms the rest of the id.
    pub id_by: String,
    /// Family of the plan that pays for the instances.
    pub family: Option<String>,
    /// Entitlements consumed by one instance, with amounts.
    pub consumes: Vec<(String, i64)>,
    /// Required fields: name, kind of value (`label`, `email` or `given`) and the given value.
    fields: Vec<(String, String, Value)>,
    /// True if the type has provisions.
    pub runs: bool,
    /// True if idle instances are archived.
    pub idles: bool,
    /// Manual steps, with their requested outputs (name and type).
    pub by_hand: Vec<(String, Vec<(String, String)>)>,
}

impl Rate {
    /// True if the price depends on the amount of the month.
    pub fn is_monthly(&self, value: &str) -> bool {
        let has_tiers = |(name, tiers): &(String, Tiers)| name == value && tiers.len() > 1;
        self.counter.is_some() || self.micros.iter().any(has_tiers)
    }
}

impl InstanceType {
    /// Returns the id and the metadata of the instance with this number.
    pub fn metadata(&self, whose: &str, number: usize) -> (String, Value) {
        let name = format!("{}-{}-{number}", self.prefix.replace('_', "-"), whose.to_lowercase());
        let mut out = json!({});
        for (field, kind, given) in &self.fields {
            out[field] = match kind.as_str() {
                "label" => json!(name),
                "email" => json!(format!("{name}@example.com")),
                _ => given.clone(),
            };
        }
        (format!("{}_{}", self.prefix, out[&self.id_by].as_str().unwrap_or(&name)), out)
    }
}

/// The last unit of each tier, and the price of its units in millionths of the currency unit.
pub type Tiers = Vec<(Option<i64>, i64)>;

/// A meter with a price.
#[derive(Clone, Debug)]
pub struct Rate {
    /// Name of the meter.
    pub meter: String,
    /// Attribute that determines the price; empty if all units have one.
    pub by: String,
    /// Values of the attribute, with the tiers of each: the last unit, and the price per unit in millionths of the currency unit. A
    /// price without tiers is one that has no end.
    pub micros: Vec<(String, Tiers)>,
    /// True if all units have the price of the tier in which the amount of the month lies.
    pub is_volume: bool,
    /// The entitlement whose amount is included in the price.
    pub counter: Option<String>,
    /// True if credits pay first.
    pub by_credits: bool,
    /// Minimum amount in minor units from which uncovered usage is invoiced; None for never.
    pub invoiced_from: Option<i64>,
    /// The additional price for the use of creators' products.
    pub seller: Option<Seller>,
}

/// The additional price for the use of creators' products.
#[derive(Clone, Debug)]
pub struct Seller {
    /// Attribute that names the product.
    pub by: String,
    /// Field of the product with the price per unit.
    pub field: String,
    /// The products with a price.
    pub products: Vec<SoldByUse>,
}

/// A creator's product that is sold by use.
#[derive(Clone, Debug)]
pub struct SoldByUse {
    /// Id of the product.
    pub id: String,
    /// Price per unit in millionths of the currency unit.
    pub micros: i64,
    /// Share for the creator.
    pub share: Split,
}

/// A kind of tokens.
#[derive(Clone, Debug)]
pub struct TokenKind {
    /// Name of the tokens in their product type.
    pub name: String,
    /// Product of the tokens.
    pub product: String,
    /// Entitlement that a token requires.
    pub entitlement: String,
    /// Lifetime in milliseconds.
    pub ttl_ms: i64,
    /// Maximum number of live tokens.
    pub live: usize,
    /// Maximum number of redemptions of one token.
    pub redemptions: i64,
}

/// A catalog of a business.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Name of the business.
    pub name: String,
    /// Currency of all prices, by its lower-case code.
    pub currency: String,
    /// True if it has no other currency.
    pub is_one: bool,
    /// True if the currency is the first of the business.
    pub is_default: bool,
    /// How Stripe adds taxes to prices: `exclusive` or `inclusive`; None for no taxes.
    pub tax: Option<&'static str>,
    /// The same catalog in its other currencies.
    pub others: Vec<Catalog>,
    /// Prices above zero.
    pub wares: Vec<Ware>,
    /// Default plans.
    pub defaults: Vec<UnpaidPlan>,
    /// Types of instances.
    pub instance_types: Vec<InstanceType>,
    /// Meters with prices.
    pub rates: Vec<Rate>,
    /// Entitlements counted per calendar month.
    pub monthly: Vec<String>,
    /// Kinds of tokens.
    pub tokens: Vec<TokenKind>,
    /// Facts of the business, with the names and types of their fields.
    pub facts: Vec<(String, Vec<(String, String)>)>,
    /// Reactions to facts: the fact, and `mail:TEMPLATE` or the operation to run.
    pub follows: Vec<(String, String)>,
    /// Template for campaigns, if the business has campaigns.
    pub campaign: Option<String>,
    /// Number of reminders of a failed payment, and number of reminders of a coming end.
    pub reminders: (usize, usize),
    /// Grace period after a failed payment, in milliseconds.
    pub grace_ms: i64,
}

const DAY_MS: i64 = 86_400_000;

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The value of a product's field: from its metadata, else from its members, else the default.
fn field<'v>(product: &'v Value, kind: &'v Value, name: &str) -> &'v Value {
    let default = || list(&kind["fields"]).find(|field| field["name"] == name).map_or(&Value::Null, |f| &f["default"]);
    [&product["metadata"][name], &product[name]].into_iter().find(|value| !value.is_null()).unwrap_or_else(default)
}

/// A number, read according to the type of its field.
fn number(value: &Value, kind: &Value, name: &str) -> i64 {
    let is_milli = list(&kind["fields"]).any(|field| field["name"] == name && field["type"] == "milli");
    match value {
        Value::Bool(yes) => i64::from(*yes),
        Value::String(word) if word == "unlimited" => UNLIMITED,
        Value::String(written) if is_milli => {
            let (whole, part) = written.split_once('.').unwrap_or((written, ""));
            let part = format!("{part:0<3}");
            whole.parse::<i64>().expect("a number") * 1_000 + part[..3].parse::<i64>().expect("a number")
        }
        Value::Number(_) if is_milli => value.as_i64().expect("a whole number") * 1_000,
        _ => value.as_i64().unwrap_or_default(),
    }
}

/// The field that a template names: `tier` of `{product.tier}`.
fn of_product(template: &Value) -> Option<&str> {
    template.as_str()?.strip_prefix("{product.")?.strip_suffix('}')
}

/// The entitlement that a condition requires: `may_boost` of `allowed.may_boost`.
fn required(condition: &Value) -> Option<String> {
    condition.as_str()?.strip_prefix("allowed.").map(str::to_owned)
}

/// The amount of a clause for a product: a number, `unlimited`, or a reference to a field.
fn amount(clause: &Value, product: &Value, kind: &Value) -> i64 {
    match clause {
        Value::String(word) if word == "unlimited" => UNLIMITED,
        Value::String(word) => {
            let name = word.trim_start_matches("{instance.").trim_start_matches("{product.").trim_end_matches('}');
            number(field(product, kind, name), kind, name)
        }
        other => other.as_i64().unwrap_or_default(),
    }
}

/// A template with its placeholders replaced by fields of a product.
fn filled(template: &str, product: &Value, kind: &Value) -> String {
    let mut out = template.replace("{product.id}", product["id"].as_str().unwrap_or_default());
    while let Some((before, rest)) = out.split_once("{product.") {
        let (name, after) = rest.split_once('}').expect("a closed placeholder");
        let value = field(product, kind, name);
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out = format!("{before}{shown}{after}");
    }
    out
}

fn grants(product: &Value, kind: &Value) -> Vec<Grant> {
    let of = |(key, clause): (&String, &Value)| {
        let (how_much, condition) =
            if clause.is_object() { (&clause["amount"], required(&clause["if"])) } else { (clause, None) };
        let once = clause["per"] == "purchase";
        Grant { key: filled(key, product, kind), amount: amount(how_much, product, kind), condition, once }
    };
    members(&kind["grants"]).map(of).collect()
}

/// The currencies of a catalog, the default first.
pub(crate) fn currencies(document: &Value) -> Vec<String> {
    match &document["policies"]["currency"] {
        Value::Array(all) => all.iter().filter_map(text).collect(),
        one => vec![text(one).unwrap_or_else(|| "usd".to_owned())],
    }
}

/// An amount of a catalog in one of its currencies.
fn amount_in(written: &Value, currency: &str) -> i64 {
    let own = if written.is_object() { &written[currency] } else { written };
    own.as_i64().unwrap_or(0)
}

/// The prices of a product: interval, amount in a currency, and id. Without an id, a price is named after its amount in the
/// default currency.
fn prices(product: &Value, currency: &str, default: &str) -> Vec<(Option<String>, i64, String)> {
    let interval = |word: &str| (word != "once").then(|| word.to_owned());
    let id = |clause: &Value| text(clause).or_else(|| text(&clause["test"]));
    let name = text(&product["id"]).unwrap_or_default();
    let of = |(word, price): (&String, &Value)| {
        let made = || synced_price(&name, amount_in(&price["amount"], default), word);
        (interval(word), amount_in(&price["amount"], currency), id(&price["id"]).unwrap_or_else(made))
    };
    members(&product["prices"]).map(of).collect()
}

fn span_ms(written: &str) -> i64 {
    let (count, unit) = written.split_at(written.len() - 1);
    let unit_ms = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => DAY_MS,
    };
    count.parse::<i64>().expect("a span") * unit_ms
}

/// Reads an instance type; None if values for its required fields can't be made up.
fn instance_type(kind: &Value) -> Option<InstanceType> {
    let given = |field: &Value| {
        let name = text(&field["name"])?;
        let (type_, format) = (field["type"].as_str()?, field["format"].as_str());
        let what = match (type_, format) {
            ("string", Some("label")) => ("label", Value::Null),
            ("string", _) if name.contains("email") => ("email", Value::Null),
            ("string", None) => ("label", Value::Null),
            ("int", _) => ("given", json!(field["min"].as_i64().unwrap_or(0).max(1))),
            ("milli", _) => ("given", json!("1")),
            _ => return None,
        };
        Some((name, what.0.to_owned(), what.1))
    };
    let required = list(&kind["fields"]).filter(|field| field["required"] == true);
    let fields: Vec<_> = required.map(given).collect::<Option<_>>()?;
    let as_given = json!({"metadata": fields.iter().map(|(name, _, value)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>()});
    let by_hand = |step: &Value| {
        // A step with a condition is manual in the simulation, since no configuration meets the condition.
        let asks = (!step["or_manual"].is_null() && !step["if"].is_null()).then(|| list(&step["or_manual"]["asks"]))?;
        let asks = asks.filter_map(|ask| Some((text(&ask["name"])?, text(&ask["type"])?)));
        Some((text(&step["name"])?, asks.collect()))
    };
    Some(InstanceType {
        name: text(&kind["name"])?,
        prefix: text(&kind["id_prefix"])?,
        id_by: text(&kind["id_by"])?,
        family: text(&kind["plan"]["family"]),
        consumes: members(&kind["consumes"])
            .map(|(key, clause)| (key.clone(), amount(clause, &as_given, kind)))
            .collect(),
        fields,
        runs: list(&kind["provisions"]).next().is_some(),
        idles: !kind["lifecycle"]["idle"].is_null(),
        by_hand: list(&kind["provisions"]).filter_map(by_hand).collect(),
    })
}

/// The share of a creator in the sales of a product.
fn share(product: &Value, kind: &Value) -> Option<Split> {
    let split = &kind["split"];
    let to = filled(split["to"].as_str()?, product, kind);
    Some(Split {
        to,
        share_bp: split["share_bp"].as_i64()?,
        hold_days: split["hold"].as_str().map_or(0, |hold| span_ms(hold) / DAY_MS),
    })
}

/// The credits of a payment in each currency.
fn credits(product: &Value, kind: &Value, currencies: &[String]) -> BTreeMap<String, Credits> {
    let default = currencies.first().map(String::as_str);
    let of = |currency: &String| {
        let mut paid = list(&kind["on_paid"]).filter(|left| left["currency"].as_str().or(default) == Some(currency));
        let paid = paid.next()?;
        let lasts_s = paid["expires"].as_str().map(|span| span_ms(span) / 1_000);
        Some((currency.clone(), Credits { minor: amount(&paid["credit"], product, kind), lasts_s }))
    };
    currencies.iter().filter_map(of).collect()
}

fn ware(
    (product, kind): (&Value, &Value),
    rank: i64,
    price: (Option<String>, i64, String),
    credits: BTreeMap<String, Credits>,
) -> Ware {
    let (interval, amount_minor, price) = price;
    let id = text(&product["id"]).expect("a product has an id");
    let buy = &kind["buy"];
    let own = |name: &str| Some(&product[name]).filter(|value| !value.is_null());
    let (quantity, refund) = (own("quantity").unwrap_or(&buy["quantity"]), own("refund").unwrap_or(&kind["refund"]));
    let item =
        of_product(&buy["at_most"]["per"]).map(|name| format!("{}:{}", kind["name"], field(product, kind, name)));
    Ware {
        offer: Offer { product: id, price, amount: amount_minor, interval },
        kind: text(&kind["name"]).unwrap_or_default(),
        family: text(&kind["family"]),
        rank,
        sold_to: text(&buy["account"]),
        item,
        condition: required(&buy["if"]),
        requires_plan: kind["if"] == "plan",
        least: quantity["at_least"].as_i64().unwrap_or(1),
        most: quantity["at_most"].as_i64().unwrap_or(1),
        grants: grants(product, kind),
        credits,
        share: share(product, kind),
        refund_days: refund["within"].as_str().map(|within| span_ms(within) / DAY_MS),
    }
}

impl Ware {
    /// The order of the prices among which a subscription changes: the rank of a plan, and the amount of a month.
    /// Of two prices, the one with the higher order gives more.
    pub fn level(&self) -> (i64, i64) {
        let months = if self.offer.interval.as_deref() == Some("year") { 12 } else { 1 };
        (
            if self.family.is_some() { self.rank } else { 0 },
            if self.family.is_some() { 0 } else { self.offer.amount / months },
        )
    }
}

impl Catalog {
    /// Reads the catalog document of a business, in its default currency and in the others.
    pub fn read(name: &str, document: &Value) -> Self {
        let all = currencies(document);
        let others = all.iter().skip(1).map(|currency| Self::read_in(currency, &all[0], name, document)).collect();
        Catalog { others, ..Self::read_in(&all[0], &all[0], name, document) }
    }

    /// The catalog in the currency of a customer: each customer has another one than the customer before.
    pub fn of_customer(&self, index: usize) -> &Catalog {
        let all: Vec<&Catalog> = [self].into_iter().chain(&self.others).collect();
        all[index % all.len()]
    }

    fn read_in(currency: &str, default: &str, name: &str, document: &Value) -> Self {
        let types: BTreeMap<String, &Value> =
            list(&document["product_types"]).filter_map(|kind| Some((text(&kind["name"])?, kind))).collect();
        let policies = &document["policies"];
        let times = |key: &str, default| policies[key].as_array().map_or(default, Vec::len);
        let reminders = (times("dunning", 3), times("notice", 2));
        let grace_ms = policies["grace"].as_str().map_or(7 * DAY_MS, span_ms);
        let all = currencies(document);
        let is_one = all.len() == 1;
        let (name, currency) = (name.to_owned(), currency.to_owned());
        let is_default = currency == default;
        let tax = match policies["tax"].as_str() {
            Some("automatic") => Some("exclusive"),
            Some("included") => Some("inclusive"),
            _ => None,
        };
        let mut out = Catalog { name, currency, is_one, is_default, tax, grace_ms, reminders, ..Catalog::default() };
        for product in list(&document["products"]) {
            let Some(kind) = product["product_type"].as_str().and_then(|kind| types.get(kind)) else { continue };
            if field(product, kind, "purchasable") == &json!(false) {
                continue;
            }
            let main = prices(product, default, default);
            let prices = prices(product, &out.currency, default);
            let of = |word: &str| main.iter().find(|price| price.0.as_deref() == Some(word)).map(|price| price.1);
            let first = of("month").or_else(|| of("year")).or_else(|| main.first().map(|price| price.1));
            let rank = match kind["rank_by"].as_str() {
                Some(name) => number(field(product, kind, name), kind, name),
                None => first.unwrap_or(0),
            };
            if product["default"] == true {
                let family = text(&kind["family"]).expect("a plan has a family");
                let sold_to = text(&kind["buy"]["account"]);
                out.defaults.push(UnpaidPlan { family, sold_to, grants: grants(product, kind) });
            }
            let paid = prices.into_iter().filter(|price| price.1 > 0);
            let of = |price| ware((product, kind), rank, price, credits(product, kind, &all));
            let wares: Vec<Ware> = paid.map(of).collect();
            out.wares.extend(wares);
            // The extension took the catalog, so each token has a condition and a span.
            for tokens in list(&kind["tokens"]) {
                out.tokens.push(TokenKind {
                    name: text(&tokens["name"]).expect("a token has a name"),
                    product: text(&product["id"]).expect("a product has an id"),
                    entitlement: filled(&required(&tokens["if"]).expect("a condition"), product, kind),
                    ttl_ms: span_ms(tokens["ttl"].as_str().expect("a span")),
                    live: tokens["at_most"].as_u64().unwrap_or(10) as usize,
                    redemptions: tokens["redeem"]["at_most"].as_i64().unwrap_or(i64::MAX),
                });
            }
        }
        // When an instance runs depends on the providers, so the cost of its time is computed by hand in stories only.
        let costs_time = |kind: &Value| list(&kind["meters"]).any(|meter| !meter["every"].is_null());
        let own = types.values().filter(|kind| kind["catalog"] != true && !costs_time(kind));
        out.instance_types = own.filter_map(|kind| instance_type(kind)).collect();
        out.rates = members(&document["rates"])
            .map(|(meter, clause)| {
                let mut counters = members(&document["entitlements"]).filter(|(_, clause)| clause["kind"] == "counter");
                let counter =
                    counters.find(|(_, clause)| clause["meter"] == meter.as_str()).map(|(key, _)| key.clone());
                let prices = if is_default { clause } else { &clause["currencies"][&out.currency] };
                let seller = seller(&clause["seller"], document, &types);
                Rate { seller, counter, ..rate(meter, clause, &prices["micros"]) }
            })
            // The oracle knows whole prices of one unit only.
            .filter(|rate| !rate.micros.is_empty())
            .collect();
        let counters = members(&document["entitlements"]).filter(|(_, clause)| clause["kind"] == "counter");
        let monthly =
            counters.filter(|(_, clause)| clause["period"].as_str().unwrap_or("calendar_month") == "calendar_month");
        // A counter of usage with a price is not used up by commands.
        let measured =
            monthly.filter(|(key, clause)| clause["meter"] == key.as_str() && document["rates"][key].is_null());
        out.monthly = measured.map(|(key, _)| key.clone()).collect();
        let fact = |(name, clause): (&String, &Value)| {
            let field = |field: &Value| Some((text(&field["name"])?, text(&field["type"]).unwrap_or_default()));
            (name.clone(), list(&clause["fields"]).filter_map(field).collect())
        };
        let follows = |rule: &Value| {
            let then = rule["mail"].as_str().map(|mail| format!("mail:{mail}")).or_else(|| text(&rule["run"]));
            Some((text(&rule["event"])?, then?))
        };
        out.follows = list(&document["reactions"]).filter_map(follows).collect();
        // A campaign has no other values.
        let fits = |(_, places): &(&String, &Value)| {
            list(places).all(|place| ["campaign", "unsubscribe"].iter().any(|value| place == value))
        };
        let mut templates = members(&document["templates"]).filter(fits).map(|(name, _)| name);
        let is_own = |name: &&String| !out.follows.iter().any(|(_, then)| *then == format!("mail:{name}"));
        out.campaign = templates.find(is_own).filter(|_| !document["campaigns"].is_null()).cloned();
        out.facts = members(&document["events"]).map(fact).collect();
        out
    }

    /// Millionths of the currency's unit in one minor unit.
    pub(crate) fn minor_micros(&self) -> i64 {
        minor_micros(&self.currency)
    }

    /// The step of invoiced amounts, in minor units.
    pub(crate) fn step_minor(&self) -> i64 {
        step_minor(&self.currency)
    }

    /// The creators that get shares.
    pub fn creators(&self) -> BTreeSet<&str> {
        let by_use = self.rates.iter().filter_map(|rate| rate.seller.as_ref()).flat_map(|seller| &seller.products);
        let of_wares = self.wares.iter().filter_map(|ware| ware.share.as_ref());
        of_wares.chain(by_use.map(|sold| &sold.share)).map(|share| share.to.as_str()).collect()
    }

    /// Returns the index of the ware with a price.
    pub fn ware(&self, price: &str) -> Option<usize> {
        self.wares.iter().position(|ware| ware.offer.price == price)
    }
}

fn rate(meter: &str, clause: &Value, micros: &Value) -> Rate {
    let by_invoice = list(&clause["pay"]).any(|pays| pays == "invoice");
    let tiers = |price: &Value| -> Option<Tiers> {
        let one = price.as_i64().map(|micros| vec![(None, micros)]);
        one.or_else(|| {
            price.as_array()?.iter().map(|tier| Some((tier["to"].as_i64(), tier["price"].as_i64()?))).collect()
        })
    };
    let several = members(micros).filter_map(|(value, price)| Some((value.clone(), tiers(price)?)));
    let single = tiers(micros).map(|tiers| (String::new(), tiers));
    Rate {
        meter: meter.to_owned(),
        by: text(&clause["by"]).unwrap_or_default(),
        micros: several.chain(single).collect(),
        is_volume: clause["tiers"] == "volume",
        counter: None,
        by_credits: list(&clause["pay"]).any(|pays| pays == "credits"),
        invoiced_from: by_invoice.then(|| clause["invoice"]["min"].as_i64().unwrap_or(0)),
        seller: None,
    }
}

/// Reads the additional price of creators' products, and the products that have it.
fn seller(clause: &Value, document: &Value, types: &BTreeMap<String, &Value>) -> Option<Seller> {
    let (by, field) = (text(&clause["by"])?, of_product(&clause["micros"])?.to_owned());
    let sold = |product: &Value| {
        let kind = types.get(product["product_type"].as_str()?)?;
        let micros = product["metadata"][&field].as_i64()?;
        Some(SoldByUse { id: text(&product["id"])?, micros, share: share(product, kind)? })
    };
    let products = list(&document["products"]).filter_map(sold).collect();
    Some(Seller { by, field, products })
}
