//! Computes the most that an account may be charged for its usage, from nothing but the catalog's text, the commands and the measurements.
//! Usage costs the price that was in force at the time. A creator's price is in force once it is approved.

use extension_contract::{Account, ActorKind, Event, Outcome, Payload, Timestamp};
use host_engine::read;
use host_replay::rig::Rig;
use host_scenario::error::ReplayError;
use host_store::InboxRow;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

use super::money::{INVOICE, Movement, sum};

/// Units to which the prices of `per_million` apply.
const MILLION: i128 = 1_000_000;
/// Effect that reads the log of a usage source.
const PULL: &str = "usage.pull";
/// Currencies without minor units at Stripe.
const NO_MINOR: [&str; 15] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];
/// Currencies with three decimals. At Stripe their amounts end in a zero (S96), so the smallest amount is ten minor units.
const THOUSANDTHS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// Returns the millionths of a currency's unit in one minor unit, and the smallest number of minor units that can be charged.
fn digits(currency: &str) -> (i128, i128) {
    match currency {
        currency if NO_MINOR.contains(&currency) => (1_000_000, 1),
        currency if THOUSANDTHS.contains(&currency) => (1_000, 10),
        "isk" | "ugx" => (10_000, 100),
        _ => (10_000, 1),
    }
}

/// Values with the times at which they came into force, in order.
#[derive(Debug)]
struct History<T>(Vec<(Timestamp, T)>);

impl<T> Default for History<T> {
    fn default() -> Self {
        History(Vec::new())
    }
}

impl<T> History<T> {
    fn at(&self, at: Timestamp) -> Option<&T> {
        self.0.iter().rev().find(|(since, _)| *since <= at).map(|(_, value)| value)
    }
}

/// A product with its usage prices, by field.
#[derive(Debug, Default)]
struct Product {
    kind: String,
    in_force: BTreeMap<String, History<i64>>,
    /// Prices that wait for approval.
    proposed: BTreeMap<String, i64>,
}

/// The most that each account may be charged for usage, in millionths of the currency's unit.
#[derive(Debug, Default)]
pub(super) struct Charges {
    /// Rates of the catalog by meter.
    rates: History<Value>,
    /// Meters of counters: plans can include an amount of their price, which is then rounded once for a month.
    counted: BTreeSet<String>,
    /// Meters of the usage source, by the names in its log.
    pulled: Map<String, Value>,
    /// Types whose products wait for approval.
    approved: BTreeSet<String>,
    products: BTreeMap<String, Product>,
    /// Names of the fields that hold a product's usage prices.
    fields: BTreeSet<String>,
    measured: BTreeSet<(Account, String, String)>,
    most: BTreeMap<Account, i128>,
    /// Units with graduated prices, by account, month, meter, value of the attribute, and tiers.
    tiered: BTreeMap<(Account, String), BTreeMap<String, i128>>,
    /// Accounts with erased events: their measurements are gone.
    erased: BTreeSet<Account>,
    /// Currency of the catalog.
    currency: String,
}

impl Charges {
    /// Reads all events of a host.
    pub fn of(host: &Rig) -> Result<Charges, ReplayError> {
        let policies = &host.setup().business.catalog["policies"];
        let currency = policies["currency"].as_str().unwrap_or("usd").to_owned();
        let mut charges = Charges { currency, ..Charges::default() };
        let rows = host.store().inbox_after(None, 0, usize::MAX)?;
        let erased = rows.iter().filter(|row| row.erased);
        charges.erased = erased.filter_map(|row| row.event.account.clone()).collect();
        // Without usage nothing may be charged, whatever the prices are. Most stories have none.
        if rows.iter().any(|row| matches!(row.event.payload, Payload::Usage(_)) || row.event.kind == PULL) {
            rows.iter().for_each(|row| charges.read(row));
        }
        Ok(charges)
    }

    fn read(&mut self, row: &InboxRow) {
        let event = &row.event;
        if row.outcome != Some(Outcome::Applied) {
            return;
        }
        match &event.payload {
            Payload::Command(body) => {
                if let Ok(Value::Object(body)) = serde_json::from_str(body) {
                    self.command(event, &body);
                }
            }
            // The platform's own changes of a product need no approval.
            Payload::Product(change) => {
                if let Some(after) = change.after.as_ref().filter(|after| self.products.contains_key(&after.id)) {
                    let metadata = serde_json::from_str(&after.values.metadata).unwrap_or_default();
                    self.set(&after.id.clone(), &metadata, event.received_at);
                }
            }
            Payload::Usage(all) => {
                let Some(account) = &event.account else { return };
                for one in all {
                    let cost = self.cost(&one.meter, &one.attributes, one.at, one.quantity);
                    self.measure(account, &one.meter, &one.id, cost.unwrap_or_default());
                }
            }
            Payload::EffectResult(report) if event.kind == PULL => {
                let (Some(account), Ok(answer)) = (&event.account, &report.answer) else { return };
                self.log(account, &serde_json::from_str(answer).unwrap_or_default());
            }
            _ => {}
        }
    }

    /// Counts a measurement once.
    fn measure(&mut self, account: &Account, meter: &str, id: &str, cost: Cost) {
        if !self.measured.insert((account.clone(), meter.to_owned(), id.to_owned())) {
            return;
        }
        match cost.tiered {
            Some((of, tiers)) => {
                let units = self.tiered.entry((account.clone(), of)).or_default().entry(tiers).or_default();
                *units = units.saturating_add(cost.amount);
            }
            None => {
                let most = self.most.entry(account.clone()).or_default();
                *most = most.saturating_add(cost.amount);
            }
        }
    }

    /// The most that the units with graduated prices of an account cost. If the tiers changed within a month, each unit costs at
    /// most the highest price.
    fn most_of_tiers(&self, account: &Account) -> i128 {
        let own = self.tiered.iter().filter(|((of, _), _)| of == account);
        own.map(|(_, by_tiers)| {
            let is_changed = by_tiers.len() > 1;
            let costs = by_tiers.iter().map(|(tiers, units)| {
                let tiers: Value = serde_json::from_str(tiers).unwrap_or_default();
                match is_changed {
                    true => units.saturating_mul(dearest(&tiers)),
                    false => graduated(&tiers, *units),
                }
            });
            costs.fold(0, i128::saturating_add).saturating_add(MILLION / 2).div_euclid(MILLION)
        })
        .fold(0, i128::saturating_add)
    }

    /// Reads a page of the usage source's log. Requests without a price are read again once they have one.
    fn log(&mut self, account: &Account, page: &Value) {
        for request in page["requests"].as_array().into_iter().flatten() {
            let at = request["at"].as_str().and_then(host_engine::time::parse).unwrap_or_default();
            let attributes: Vec<(String, String)> =
                serde_json::from_value::<BTreeMap<_, _>>(request["attributes"].clone())
                    .map_or_else(|_| Vec::new(), |known| known.into_iter().collect());
            for (name, meter) in self.pulled.clone() {
                let (meter, quantity) = (meter.as_str().unwrap_or_default(), request["quantities"][&name].as_i64());
                if let Some(cost) = self.cost(meter, &attributes, at, quantity.unwrap_or(0)) {
                    self.measure(account, meter, request["id"].as_str().unwrap_or_default(), cost);
                }
            }
        }
    }

    fn command(&mut self, event: &Event, body: &Map<String, Value>) {
        let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
        let metadata = body.get("metadata").cloned().unwrap_or_default();
        match event.kind.as_str() {
            "catalog.load" => self.load(body, event.received_at),
            "product.list" => {
                let slug = metadata["slug"].as_str().map(|slug| format!("prod_{slug}"));
                let id = if id.is_empty() { slug.unwrap_or_default() } else { id.to_owned() };
                let product = self.products.entry(id.clone()).or_default();
                if let Some(kind) = body.get("product_type").and_then(Value::as_str) {
                    product.kind = kind.to_owned();
                }
                if !self.approved.contains(&product.kind) {
                    return self.set(&id, &metadata, event.received_at);
                }
                let named = self.fields.iter().filter_map(|field| Some((field.clone(), metadata[field].as_i64()?)));
                product.proposed.extend(named);
            }
            "product.create" | "product.update" if event.actor.kind == ActorKind::Admin => {
                self.set(id, &metadata, event.received_at);
                if body.get("active") == Some(&Value::Bool(true)) {
                    self.approve(id, event.received_at);
                }
            }
            _ => {}
        }
    }

    fn load(&mut self, catalog: &Map<String, Value>, at: Timestamp) {
        let list = |name: &str| catalog.get(name).and_then(Value::as_array).into_iter().flatten();
        let mut rates = catalog.get("rates").and_then(Value::as_object).cloned().unwrap_or_default();
        let is_partial = catalog.get("partial") == Some(&Value::Bool(true));
        // A partial catalog adds to the one in force.
        let in_force = self.rates.0.last().filter(|_| is_partial).and_then(|(_, rates)| rates.as_object());
        for (meter, rate) in in_force.into_iter().flatten() {
            rates.entry(meter.clone()).or_insert_with(|| rate.clone());
        }
        if let Some(currency) = catalog.get("policies").and_then(|policies| policies["currency"].as_str()) {
            self.currency = currency.to_owned();
        }
        let counters = catalog.get("entitlements").and_then(Value::as_object).into_iter().flatten();
        self.counted.extend(counters.filter_map(|(_, decl)| decl["meter"].as_str()).map(str::to_owned));
        let sellers = rates.values().filter_map(|rate| of_product(&rate["seller"]["micros"]));
        self.fields.extend(sellers.map(str::to_owned));
        let pulled = catalog.get("usage_source").and_then(|source| source["meters"].as_object());
        if pulled.is_some() || !is_partial {
            self.pulled = pulled.cloned().unwrap_or_default();
        }
        // The first catalog has always been in force.
        let since = if self.rates.0.is_empty() { Timestamp::MIN } else { at };
        self.rates.0.push((since, Value::Object(rates)));
        let name = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
        let waits = list("product_types").filter(|kind| kind["listing"] == "approved");
        let known = if is_partial { std::mem::take(&mut self.approved) } else { BTreeSet::new() };
        self.approved = waits.map(|kind| name(kind, "name")).chain(known).collect();
        for product in list("products") {
            let id = name(product, "id");
            self.products.entry(id.clone()).or_default().kind = name(product, "product_type");
            self.set(&id, &product["metadata"], since);
        }
    }

    /// Puts the prices in `metadata` in force.
    fn set(&mut self, id: &str, metadata: &Value, at: Timestamp) {
        for field in &self.fields {
            if let Some(micros) = metadata[field].as_i64() {
                let product = self.products.entry(id.to_owned()).or_default();
                product.proposed.remove(field);
                product.in_force.entry(field.clone()).or_default().0.push((at, micros));
            }
        }
    }

    fn approve(&mut self, id: &str, at: Timestamp) {
        let Some(product) = self.products.get_mut(id) else { return };
        for (field, micros) in std::mem::take(&mut product.proposed) {
            product.in_force.entry(field).or_default().0.push((at, micros));
        }
    }

    /// The cost of a quantity in millionths, or the quantity of units with graduated prices; none without a price.
    fn cost(&self, meter: &str, attributes: &[(String, String)], at: Timestamp, quantity: i64) -> Option<Cost> {
        let rate = self.rates.at(at).map(|rates| &rates[meter])?;
        let attribute = |name: &Value| {
            let found = attributes.iter().find(|(known, _)| Some(known.as_str()) == name.as_str());
            found.map_or("", |(_, value)| value.as_str())
        };
        let value = attribute(&rate["by"]);
        let lists = [&rate["micros"], &rate["micros"][value], &rate["per_million"][value]];
        let list = lists.into_iter().find(|tiers| tiers.is_array()).cloned();
        let price = &rate["per_million"][value];
        let one = || (self.counted.contains(meter) && price.is_string()).then(|| json!([{"price": price}]));
        if let Some(tiers) = list.or_else(one) {
            let quantity = i128::from(quantity);
            if rate["tiers"] == "volume" {
                // What is included can lead to a dearer tier.
                let amount = (quantity * dearest(&tiers) + MILLION / 2).div_euclid(MILLION);
                return Some(Cost { amount, tiered: None });
            }
            let of = format!("{} {meter} {value}", &host_engine::time::text(at)[..7]);
            return Some(Cost { amount: quantity, tiered: Some((of, tiers.to_string())) });
        }
        let of_unit = rate["micros"].as_i64().or_else(|| rate["micros"][attribute(&rate["by"])].as_i64());
        let of_million = rate["per_million"][attribute(&rate["by"])].as_str().and_then(millionths);
        let seller = &rate["seller"];
        let product = self.products.get(attribute(&seller["by"]));
        let history = product.and_then(|product| product.in_force.get(of_product(&seller["micros"])?));
        let of_seller = history.and_then(|history| history.at(at)).copied();
        if of_unit.is_none() && of_million.is_none() && of_seller.is_none() {
            return None;
        }
        let quantity = i128::from(quantity);
        let whole = quantity * (i128::from(of_unit.unwrap_or(0)) + i128::from(of_seller.unwrap_or(0)));
        // Fractions of a millionth are rounded half up.
        let amount = whole.saturating_add((quantity * of_million.unwrap_or(0) + MILLION / 2).div_euclid(MILLION));
        Some(Cost { amount, tiered: None })
    }

    /// Returns the first account that is charged more than its usage costs, either in the recorded usage or in the requested invoices.
    pub fn broken_by(&self, host: &Rig, movements: &[Movement]) -> Result<Option<String>, ReplayError> {
        for scope in host.store().scopes(None)? {
            let account = &scope.account;
            if self.erased.contains(account) {
                continue;
            }
            let most = self.most.get(account).copied().unwrap_or(0).saturating_add(self.most_of_tiers(account));
            let mut charged = 0_i128;
            for month in read::records(host.store(), &scope, "usage_months")? {
                let month: Value = serde_json::from_str(&month.value).unwrap_or_default();
                let uses = month["uses"].as_array().into_iter().flatten();
                charged += sum(uses.filter_map(|used| used["cost_micros"].as_i64()));
            }
            // No measurement shows for how long an instance has run.
            let most = most.saturating_add(cost_of_time(host, account, &|_| true)?);
            if charged > most {
                return Ok(Some(format!(
                    "use of {account} costs {charged} millionths, and at most {most} by its prices"
                )));
            }
            let own = account.to_string();
            let of_account = movements.iter().filter(|movement| movement.kind == INVOICE && movement.account == own);
            let invoices: Vec<i64> = of_account.filter_map(|movement| movement.amount).collect();
            // Each invoice is rounded up to an amount that can be charged.
            let (minor, least) = digits(&self.currency);
            let rounded = (most + minor * least - 1) / (minor * least) * least;
            let allowed = rounded + invoices.len().saturating_sub(1) as i128 * least;
            let invoiced = sum(invoices.into_iter());
            if invoiced > allowed {
                return Ok(Some(format!("use of {account} is invoiced at {invoiced}, and costs at most {allowed}")));
            }
        }
        Ok(None)
    }
}

/// Returns what the time for which an account's instances have run costs in the months that are meant, in millionths: the program measures
/// it itself.
///
/// # Errors
///
/// Fails if the store can't be read.
pub(super) fn cost_of_time(
    host: &Rig,
    account: &Account,
    is_meant: &dyn Fn(&Value) -> bool,
) -> Result<i128, ReplayError> {
    let types = host.setup().business.catalog["product_types"].as_array().into_iter().flatten();
    let meters = types.flat_map(|kind| kind["meters"].as_array().into_iter().flatten());
    let meters: BTreeSet<&str> =
        meters.filter(|meter| !meter["every"].is_null()).filter_map(|meter| meter["meter"].as_str()).collect();
    let mut cost = 0;
    for scope in host.store().scopes(None)?.iter().filter(|scope| scope.account == *account && !meters.is_empty()) {
        for month in read::records(host.store(), scope, "usage_months")? {
            let month: Value = serde_json::from_str(&month.value).unwrap_or_default();
            let uses = month["uses"].as_array().filter(|_| is_meant(&month)).into_iter().flatten();
            let of_time = uses.filter(|used| used["meter"].as_str().is_some_and(|meter| meters.contains(meter)));
            cost += sum(of_time.filter_map(|used| used["cost_micros"].as_i64()));
        }
    }
    Ok(cost)
}

/// The cost of a measurement in millionths, or the number of its units if they have graduated prices.
#[derive(Debug, Default)]
struct Cost {
    amount: i128,
    /// The month, meter and value of the units, and their tiers.
    tiered: Option<(String, String)>,
}

/// Returns the price of a unit of a tier, in millionths of a millionth: `micros` are numbers, prices of a million are texts.
fn of_tier(tier: &Value) -> i128 {
    let micros = tier["price"].as_i64().map(|micros| i128::from(micros) * MILLION);
    micros.or_else(|| tier["price"].as_str().and_then(millionths)).unwrap_or(0)
}

/// Returns the highest price of a unit, in millionths of a millionth.
fn dearest(tiers: &Value) -> i128 {
    tiers.as_array().into_iter().flatten().map(of_tier).max().unwrap_or(0)
}

/// Returns what units cost with graduated prices, in millionths of a millionth.
fn graduated(tiers: &Value, units: i128) -> i128 {
    let (mut from, mut cost) = (0, 0i128);
    for tier in tiers.as_array().into_iter().flatten() {
        let to = tier["to"].as_i64().map_or(units, i128::from).min(units).max(from);
        cost = cost.saturating_add((to - from).saturating_mul(of_tier(tier)));
        from = to;
    }
    cost
}

/// Returns a decimal such as `2.50` in millionths.
fn millionths(text: &str) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    Some(whole.parse::<i128>().ok()? * MILLION + format!("{part:0<6}").parse::<i128>().ok()?)
}

/// Returns the field in a template that consists of one placeholder of a product: `micros` of `{product.micros}`.
fn of_product(template: &Value) -> Option<&str> {
    template.as_str()?.strip_prefix("{product.")?.strip_suffix('}')
}
