//! The clause `features`: what plans, add-ons and packs give, each in one line. Becomes entitlements, meters and rates.

use super::money::{Currencies, is_by_currency};
use super::place::{From, entry};
use crate::yaml::bad_input::BadInput;
use crate::yaml::{Checked, Checker, Entry, Node, Tree};
use std::collections::BTreeMap;

/// The kinds that are one word.
const WORDS: [&str; 3] = ["limit", "flag", "pool"];
/// The entitlement of plans that are sold by seats.
pub(super) const SEATS: &str = "seats";
/// Members of offers and of the products that they become. Features are written beside them and need other names.
const RESERVED: [&str; 34] = [
    "name",
    "description",
    "highlight",
    "contact",
    "price",
    "prices",
    "trial",
    "quantity",
    "credits",
    "refund",
    "pause",
    "rank",
    "id",
    "type",
    "product_type",
    "active",
    "default",
    "metadata",
    "stripe_metadata",
    "features",
    "purchasable",
    "display_order",
    "stripe_product_id",
    "stripe_price_id",
    "sync",
    "sync_generation",
    "at_least",
    "at_most",
    "currency",
    "tax",
    "coupons",
    "codes",
    "former",
    "billing_interval",
];

/// What an offer can say about a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An amount: a number or `unlimited`.
    Amount,
    /// `true` or `false`.
    Flag,
    /// An amount that is included: each further unit has a price.
    Use,
}

/// The features of a business.
#[derive(Default)]
pub(super) struct Features {
    kinds: BTreeMap<String, Kind>,
    /// The names in the order of the file.
    order: Vec<String>,
    entitlements: Vec<Entry>,
    meters: Vec<Entry>,
    rates: Vec<Entry>,
    /// The meters that each instance measures.
    measured: Vec<String>,
    /// Whether a plan has seats.
    pub sells_seats: bool,
    /// Whether a feature is paid from credits.
    pub takes_credits: bool,
    /// The features that can only be paid with credits, each with the node that declares it.
    only_by_credits: Vec<(String, Node)>,
    /// The features of which each unit has a price.
    used: BTreeMap<String, Used>,
}

/// A feature of which each unit has a price.
struct Used {
    node: Node,
    /// The attribute whose values have prices of their own.
    by: Option<String>,
    /// Percentages of the included amount at which the account gets a mail.
    alerts: Option<Node>,
    is_included: bool,
}

impl Features {
    /// Reads the clause, and the entitlements that the document declares in full.
    pub fn read(
        check: &Checker,
        clause: Option<&Entry>,
        document: &Node,
        currencies: &Currencies,
    ) -> Checked<Features> {
        let mut features = Features::default();
        for declared in document.member("entitlements").and_then(Node::entries).unwrap_or_default() {
            let is_flag = declared.value.member("kind").and_then(Node::scalar).as_deref() == Some("flag");
            features.note(&declared.key, if is_flag { Kind::Flag } else { Kind::Amount });
        }
        let rates = document.member("rates").and_then(Node::entries).unwrap_or_default();
        features.takes_credits = rates.iter().any(|rate| rate.value.words().contains(&"credits"));
        if let Some(clause) = clause {
            let entries = check.map(&clause.key, &clause.value)?;
            check.every(entries, |entry| features.add(check, entry, currencies))?;
        }
        Ok(features)
    }

    fn add(&mut self, check: &Checker, feature: &Entry, currencies: &Currencies) -> Checked<()> {
        check_name(check, feature, "a feature")?;
        if RESERVED.contains(&feature.key.as_str()) {
            let problem = format!("`{}` is a word of the catalog language", feature.key);
            return Err(check.bad(feature.place(), problem, "another name for the feature"));
        }
        let at = From(&feature.value);
        let kind = match &feature.value.value {
            Tree::Text(_) => {
                let word = check.word(&feature.key, &feature.value, &WORDS)?;
                self.entitlements.push(entry(&feature.key, at.map([entry("kind", at.text(word))])));
                if word == "flag" { Kind::Flag } else { Kind::Amount }
            }
            Tree::Map(_) if feature.value.member("counter").is_some() => self.add_counter(check, feature)?,
            Tree::Map(_) if feature.value.member("limit").is_some() => self.add_measured(check, feature)?,
            Tree::Map(_) if feature.value.member("use").is_some() => self.add_used(check, feature, currencies)?,
            _ => {
                let expected =
                    "limit, flag, pool, {counter: UNIT}, {limit: UNIT} or {use: UNIT, price: 0.01, pay: credits}";
                return Err(check.wrong(&feature.key, &feature.value, expected));
            }
        };
        self.note(&feature.key, kind);
        Ok(())
    }

    /// `{counter: download, per: calendar_month, alerts: [80, 100]}`.
    fn add_counter(&mut self, check: &Checker, feature: &Entry) -> Checked<Kind> {
        let at = From(&feature.value);
        let mut fields = check.fields(format!("feature `{}`", feature.key), &feature.value)?;
        let unit = fields.need("counter").and_then(|unit| check.filled_text("counter", unit));
        let mut members = vec![entry("kind", at.text("counter")), entry("meter", at.text(&feature.key))];
        members.extend(fields.take("per").map(|period| entry("period", period.clone())));
        members.extend(fields.take("alerts").map(|alerts| entry("alerts", alerts.clone())));
        fields.finish()?;
        self.meters.push(entry(&feature.key, at.map([entry("unit", at.text(unit?))])));
        self.entitlements.push(entry(&feature.key, at.map(members)));
        Ok(Kind::Amount)
    }

    /// `{limit: GB}`: what the instances hold at a time, by their newest measurements.
    fn add_measured(&mut self, check: &Checker, feature: &Entry) -> Checked<Kind> {
        let at = From(&feature.value);
        let mut fields = check.fields(format!("feature `{}`", feature.key), &feature.value)?;
        let unit = fields.need("limit").and_then(|unit| check.filled_text("limit", unit));
        fields.finish()?;
        let last = entry("formula", at.text("last"));
        self.meters.push(entry(&feature.key, at.map([entry("unit", at.text(unit?)), last])));
        let members = [entry("kind", at.text("limit")), entry("meter", at.text(&feature.key))];
        self.entitlements.push(entry(&feature.key, at.map(members)));
        self.measured.push(feature.key.clone());
        Ok(Kind::Amount)
    }

    /// `{use: minute, price: 0.01, pay: credits}`.
    fn add_used(&mut self, check: &Checker, feature: &Entry, currencies: &Currencies) -> Checked<Kind> {
        let at = From(&feature.value);
        let mut fields = check.fields(format!("feature `{}`", feature.key), &feature.value)?;
        let unit = fields.need("use").and_then(|unit| check.filled_text("use", unit));
        let price = fields.need("price").and_then(|price| prices(check, &feature.key, price, currencies));
        let pay = fields.need("pay").and_then(|pay| means_of_payment(check, pay));
        let (tiers, alerts) = (fields.take("tiers").cloned(), fields.take("alerts").cloned());
        if let Some(tiers) = &tiers {
            check.word("tiers", tiers, &["graduated", "volume"])?;
        }
        fields.finish()?;
        let (unit, (by, micros, others), (pay, takes_credits, is_invoiced)) = (unit?, price?, pay?);
        let used =
            Used { node: feature.value.clone(), by: by.as_ref().and_then(Node::scalar), alerts, is_included: false };
        self.used.insert(feature.key.clone(), used);
        let mut meter = vec![entry("unit", at.text(unit))];
        let mut rate = Vec::new();
        if let Some(by) = by {
            meter.push(entry("attributes", at.list([by.clone()])));
            rate.push(entry("by", by));
        }
        rate.push(entry("micros", micros));
        rate.extend((!others.is_empty()).then(|| entry("currencies", at.map(others))));
        rate.extend(tiers.map(|tiers| entry("tiers", tiers)));
        rate.push(entry("pay", pay));
        if is_invoiced {
            rate.push(entry("invoice", at.map([])));
        }
        self.meters.push(entry(&feature.key, at.map(meter)));
        self.rates.push(entry(&feature.key, at.map(rate)));
        self.takes_credits |= takes_credits;
        if !is_invoiced {
            self.only_by_credits.push((feature.key.clone(), feature.value.clone()));
        }
        Ok(Kind::Use)
    }

    /// Checks that credits can be bought if a feature can only be paid with credits. `are_sold`: whether something
    /// sells credits.
    pub fn check_credits(&self, check: &Checker, are_sold: bool) -> Checked<()> {
        check.every(self.only_by_credits.iter().filter(|_| !are_sold), |(feature, node)| {
            let problem = format!("only credits pay for `{feature}`, and nothing sells credits");
            Err(check.bad(node.place(), problem, "a pack such as `ten_dollars: {price: 10.00, credits: 10.00}`"))
        })
    }

    /// Notes that an offer includes an amount of a feature of which each unit has a price.
    pub fn include(&mut self, feature: &str) {
        let Some(used) = self.used.get_mut(feature).filter(|used| !used.is_included) else { return };
        used.is_included = true;
        let at = From(&used.node);
        let mut members = vec![entry("kind", at.text("counter")), entry("meter", at.text(feature))];
        members.extend(used.alerts.clone().map(|alerts| entry("alerts", alerts)));
        self.entitlements.push(entry(feature, at.map(members)));
    }

    /// Returns the attribute whose values have prices of their own.
    pub fn priced_by(&self, feature: &str) -> Option<&str> {
        self.used.get(feature)?.by.as_deref()
    }

    /// Checks that alerts about an included amount have one.
    pub fn check_alerts(&self, check: &Checker) -> Checked<()> {
        let idle = self.used.iter().filter(|(_, used)| used.alerts.is_some() && !used.is_included);
        check.every(idle, |(feature, used)| {
            let problem = format!("`{feature}.alerts` are percentages of an amount, and no offer includes any");
            let place = used.alerts.as_ref().unwrap_or(&used.node).place();
            Err(check.bad(place, problem, format!("`{feature}: 1000` in a plan, or no `alerts`")))
        })
    }

    /// Declares the entitlement `seats`, unless the business does.
    pub fn declare_seats(&mut self, place: &Node) {
        self.sells_seats = true;
        if !self.kinds.contains_key(SEATS) {
            self.note(SEATS, Kind::Amount);
            let at = From(place);
            self.entitlements.push(entry(SEATS, at.map([entry("kind", at.text("limit"))])));
        }
    }

    fn note(&mut self, name: &str, kind: Kind) {
        self.kinds.insert(name.to_owned(), kind);
        self.order.push(name.to_owned());
    }

    /// Returns all names in the order of the file.
    pub fn names(&self) -> &[String] {
        &self.order
    }

    /// Returns what an offer can say about a name; none if it is not a feature.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.kinds.get(name).copied()
    }

    /// Returns the names of the features that offers can give.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// Returns the meters that each instance measures.
    pub fn measured(&self) -> &[String] {
        &self.measured
    }

    /// Returns the clauses of the full level.
    pub fn clauses(self) -> Vec<Entry> {
        let all = [("entitlements", self.entitlements), ("meters", self.meters), ("rates", self.rates)];
        let filled = all.into_iter().filter(|(_, entries)| !entries.is_empty());
        filled.map(|(name, entries)| entry(name, super::of_entries(entries))).collect()
    }
}

/// Reads the price of a unit, or the prices by the values of an attribute: `{by: language, en: 0.010, de: 0.015}`. Returns the
/// attribute, the millionths, and those in other currencies.
fn prices(
    check: &Checker,
    feature: &str,
    node: &Node,
    currencies: &Currencies,
) -> Checked<(Option<Node>, Node, Vec<Entry>)> {
    let at = From(node);
    let path = format!("{feature}.price");
    let by = node.member("by").cloned();
    let in_currency = |code: &str| -> Checked<Option<Node>> {
        let entries = match node.entries() {
            Some(entries) if !is_by_currency(node) => entries,
            _ => return unit_price(check, &path, node, currencies, code),
        };
        if by.is_none() {
            let expected = "`by` with the attribute whose values have these prices";
            return Err(check.bad(node.place(), format!("`{path}` has several prices and no `by`"), expected));
        }
        let of_values = entries.iter().filter(|entry| entry.key != "by");
        let micros: Vec<Option<Entry>> = check.each(of_values, |value| {
            let path = format!("{path}.{}", value.key);
            let price = unit_price(check, &path, &value.value, currencies, code)?;
            Ok(price.map(|price| entry(&value.key, price)))
        })?;
        let micros: Vec<Entry> = micros.into_iter().flatten().collect();
        // Without any in this currency, the check of the catalog says so.
        Ok((code == currencies.default() || !micros.is_empty()).then(|| at.map(micros)))
    };
    let default = currencies.default();
    let missing =
        || check.bad(node.place(), format!("`{path}` has no amount in {default}"), format!("`{default}: 0.01`"));
    let micros = in_currency(default)?.ok_or_else(missing)?;
    let others: Vec<Option<Entry>> = check.each(currencies.others(), |code| {
        let micros = in_currency(code)?;
        Ok(micros.map(|micros| entry(code, at.map([entry("micros", micros)]))))
    })?;
    Ok((by, micros, others.into_iter().flatten().collect()))
}

/// Reads the price of a unit in a currency, or tiers by the amount of a month: `[{to: 1000, price: 0.01}, {price: 0.008}]`; none if
/// there is no amount in the currency.
fn unit_price(check: &Checker, path: &str, node: &Node, currencies: &Currencies, code: &str) -> Checked<Option<Node>> {
    let Some(items) = node.items() else {
        return Ok(currencies.micros(check, path, node, code)?.map(|micros| From(node).int(micros)));
    };
    let tiers: Vec<Option<Node>> = check.each(items.iter().enumerate(), |(index, item)| {
        let at = From(item);
        let mut fields = check.fields(format!("`{path}[{index}]`"), item)?;
        let price = fields.need("price").and_then(|price| {
            let path = format!("{path}[{index}].price");
            Ok(currencies.micros(check, &path, price, code)?.map(|micros| at.int(micros)))
        });
        let to = fields.take("to").cloned();
        fields.finish()?;
        let price = price?.map(|price| entry("price", price));
        Ok(price.map(|price| at.map(to.map(|to| entry("to", to)).into_iter().chain([price]).collect::<Vec<_>>())))
    })?;
    let (count, tiers) = (tiers.len(), tiers.into_iter().flatten().collect::<Vec<_>>());
    match tiers.len() {
        0 if count > 0 => Ok(None),
        found if found < count => {
            let problem = format!("a tier of `{path}` has no amount in {code}, and others have one");
            Err(check.bad(node.place(), problem, "an amount in each currency in each tier"))
        }
        _ => Ok(Some(From(node).list(tiers))),
    }
}

/// Reads `credits`, `invoice` or a list of both. Returns the list, and whether it has each.
fn means_of_payment(check: &Checker, node: &Node) -> Checked<(Node, bool, bool)> {
    let single = std::slice::from_ref(node);
    let words: Vec<&str> =
        check.each(node.items().unwrap_or(single), |means| check.word("pay", means, &["credits", "invoice"]))?;
    let list = match node.items() {
        Some(_) => node.clone(),
        None => From(node).list([node.clone()]),
    };
    Ok((list, words.contains(&"credits"), words.contains(&"invoice")))
}

/// Checks the name of something that a business defines.
pub(super) fn check_name(check: &Checker, named: &Entry, what: &str) -> Checked<()> {
    let name = named.key.as_str();
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_letter) && name.len() <= 40 {
        true => Ok(()),
        false => {
            let problem = format!("`{name}` cannot be the name of {what}");
            Err(check.bad(named.place(), problem, "a letter, then up to 39 of a-z, 0-9 and _"))
        }
    }
}

/// Notes a member that is neither a word of the language nor a feature.
pub(super) fn unknown_member<'k>(
    check: &Checker,
    entry: &Entry,
    of: &str,
    words: &[&'k str],
    features: impl Iterator<Item = &'k str>,
) -> crate::yaml::Noted {
    let known: Vec<&str> = words.iter().copied().chain(features).collect();
    let problem = format!("unknown field `{}` in {of}", entry.key);
    let expected = match known.len() > words.len() {
        true => format!("a feature or one of {}", words.join(", ")),
        false => {
            format!("one of {}; a feature is declared first: `features: {{{}: limit}}`", words.join(", "), entry.key)
        }
    };
    let bad = BadInput::new(entry.place(), problem, expected);
    check.note(bad.guessing(&entry.key, known))
}
