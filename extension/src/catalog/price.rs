//! The prices of a product: one price for each billing interval, with its id at Stripe once Stripe has the price.

use super::currencies::{Currencies, OtherAmounts, read_amount, stored_amount, write_amount};
use super::mistakes::Mistakes;
use super::words::{ID_BYTES, one_of};
use crate::model::halt::{Ruled, wrong_field};
use crate::model::ids::PriceId;
use crate::model::json::Object;
use extension_contract::pointer::escaped;
use extension_contract::{BillingInterval, Event, FieldError, FieldErrorCode, IntervalUnit, Money, ProductValues};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Member of a product's metadata with its prices by interval.
pub(crate) const PRICES: &str = "prices";
/// Member of a product's metadata with the Stripe id of its only price.
pub(crate) const PRICE_ID: &str = "stripe_price_id";
/// Members of one of the prices of a product.
const MEMBERS: [&str; 2] = ["amount", "id"];

/// Billing interval of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Monthly.
    #[serde(alias = "monthly")]
    Month,
    /// Yearly.
    #[serde(alias = "yearly")]
    Year,
    /// Weekly.
    #[serde(alias = "weekly")]
    Week,
    /// Daily.
    #[serde(alias = "daily")]
    Day,
    /// Once.
    #[serde(alias = "one-time", alias = "onetime")]
    Once,
}

impl Interval {
    /// All intervals, the usual intervals first.
    pub(crate) const ALL: [Interval; 5] =
        [Interval::Month, Interval::Year, Interval::Week, Interval::Day, Interval::Once];

    /// Returns the interval's name, which Stripe uses as well.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Interval::Month => "month",
            Interval::Year => "year",
            Interval::Week => "week",
            Interval::Day => "day",
            Interval::Once => "once",
        }
    }

    /// Parses a name.
    pub(crate) fn parse(text: &str) -> Option<Interval> {
        extension_reader::from_str(&json!(text).to_string()).ok()
    }

    /// Returns the interval of a price's row.
    pub(crate) fn of(interval: Option<BillingInterval>) -> Interval {
        match interval.map(|interval| interval.unit) {
            None => Interval::Once,
            Some(IntervalUnit::Day) => Interval::Day,
            Some(IntervalUnit::Week) => Interval::Week,
            Some(IntervalUnit::Month) => Interval::Month,
            Some(IntervalUnit::Year) => Interval::Year,
        }
    }

    /// Returns the interval in the form of a price's row.
    pub(crate) fn billing(self) -> Option<BillingInterval> {
        let unit = match self {
            Interval::Once => return None,
            Interval::Day => IntervalUnit::Day,
            Interval::Week => IntervalUnit::Week,
            Interval::Month => IntervalUnit::Month,
            Interval::Year => IntervalUnit::Year,
        };
        Some(BillingInterval { unit, count: 1 })
    }

    /// Returns the number of intervals in a year; 1 for one-time prices.
    pub(crate) fn a_year(self) -> i64 {
        match self {
            Interval::Year | Interval::Once => 1,
            Interval::Month => 12,
            Interval::Week => 52,
            Interval::Day => 365,
        }
    }
}

/// A price of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProductPrice {
    pub interval: Interval,
    /// Amount in the default currency.
    pub amount: Money,
    /// Amounts in the other currencies.
    pub others: OtherAmounts,
    /// The price's id at Stripe; `None` until the price is created there.
    pub id: Option<PriceId>,
}

impl ProductPrice {
    /// Returns the amount in a currency; `None` if the price is not sold in it. What is free is free in every currency.
    pub fn amount_in(&self, currency: &str) -> Option<Money> {
        amount_in(&self.amount, &self.others, currency)
    }
}

/// Returns the amount of a price in a currency.
pub(crate) fn amount_in(main: &Money, others: &OtherAmounts, currency: &str) -> Option<Money> {
    let amount_minor = match main.currency == currency || main.amount_minor == 0 {
        true => main.amount_minor,
        false => *others.get(currency)?,
    };
    Some(Money { amount_minor, currency: currency.to_owned() })
}

/// A mode of Stripe. A price has another id in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Live,
    Test,
}

impl Mode {
    /// Returns the mode of an event. An event that does not name its mode is not live.
    pub fn of(event: &Event) -> Mode {
        if event.livemode == Some(true) { Mode::Live } else { Mode::Test }
    }

    /// Returns the name in the catalog.
    fn name(self) -> &'static str {
        match self {
            Mode::Live => "live",
            Mode::Test => "test",
        }
    }
}

/// Converts the prices in a product body to their stored form: `{"month": {"amount": 500, "id": "p"}}`. Fails with all
/// mistakes.
pub(crate) fn stored_form(written: &Value, mode: Mode, currencies: &Currencies) -> Ruled<Value> {
    let Some(entries) = written.as_object() else {
        return Err(wrong_field("/prices", FieldErrorCode::WrongType, "", "an object of prices by interval"));
    };
    let (mut out, mut mistakes) = (Object::new(), Mistakes::default());
    for (name, value) in entries {
        let path = format!("/prices/{}", escaped(name));
        let Some(interval) = Interval::parse(name) else {
            mistakes.unknown_in(&path, &path, name, "is not an interval", one_of(&Interval::ALL.map(Interval::name)));
            continue;
        };
        let price = mistakes.note(stored_price(value, mode, currencies), &path)?;
        if out.insert(interval.name().to_owned(), price.unwrap_or_default()).is_some() {
            mistakes.wrong(&path, format!("{} is listed twice", interval.name()), "each interval once");
        }
    }
    mistakes.finish()?;
    Ok(Value::Object(out))
}

/// Converts one price.
fn stored_price(written: &Value, mode: Mode, currencies: &Currencies) -> Ruled<Value> {
    let Some(written) = written.as_object() else {
        return Err(wrong_field("", FieldErrorCode::WrongType, "", "{amount, id}"));
    };
    let mut mistakes = Mistakes::default();
    for unknown in written.keys().filter(|key| !MEMBERS.contains(&key.as_str())) {
        let path = format!("/{}", escaped(unknown));
        let error = FieldError::new(path, FieldErrorCode::UnknownField, format!("unknown field `{unknown}`"));
        mistakes.push(error.expecting(one_of(&MEMBERS)).suggesting(unknown));
    }
    let amount = written.get("amount");
    let mut stored = None;
    match amount {
        // The unknown field may be the amount.
        None if written.keys().any(|key| !MEMBERS.contains(&key.as_str())) => {}
        None => mistakes.add("/amount", FieldErrorCode::Missing, "required", ""),
        Some(amount) => stored = stored_amount(amount, currencies, 0, "/amount", &mut mistakes),
    }
    let id = mistakes.note(id_of(written.get("id"), mode.name(), ""), "")?.flatten();
    if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > ID_BYTES) {
        mistakes.add("/id", FieldErrorCode::OutOfRange, "", format!("1 to {ID_BYTES} bytes"));
    }
    mistakes.finish()?;
    let mut entry = Object::new();
    entry.insert("amount".to_owned(), json!(stored));
    if let Some(id) = id {
        entry.insert("id".to_owned(), json!(id));
    }
    Ok(Value::Object(entry))
}

/// Returns whether a value is an id or null.
fn may_be_id(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|id| (1..=ID_BYTES).contains(&id.len()))
}

/// Reads the Stripe id of a price: one id for both modes, or one for each mode.
fn id_of(written: Option<&Value>, mode: &str, path: &str) -> Ruled<Option<String>> {
    match written {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.clone())),
        // The id of the other mode is checked as well.
        Some(Value::Object(ids))
            if ids.iter().all(|(mode, id)| (mode == "test" || mode == "live") && may_be_id(id)) =>
        {
            let missing =
                || wrong_field(&format!("{path}/id/{mode}"), FieldErrorCode::Missing, "required in this mode", "");
            Ok(Some(ids.get(mode).and_then(Value::as_str).ok_or_else(missing)?.to_owned()))
        }
        Some(_) => Err(wrong_field(&format!("{path}/id"), FieldErrorCode::WrongType, "", "an id, or {test, live}")),
    }
}

/// Returns the prices that a product lists by interval, the usual intervals first; `None` if it lists no prices.
pub(crate) fn listed(metadata: &Object, currency: &str) -> Option<Vec<ProductPrice>> {
    let prices = metadata.get(PRICES)?.as_object()?;
    let price = |interval: Interval| {
        let price = prices.get(interval.name())?;
        let (amount_minor, others) = read_amount(&price["amount"], currency)?;
        Some(ProductPrice {
            interval,
            amount: Money { amount_minor, currency: currency.to_owned() },
            others,
            id: price["id"].as_str().map(PriceId::from),
        })
    };
    Some(Interval::ALL.into_iter().filter_map(price).collect())
}

/// Returns the prices that a product lists, or its only price if it lists none.
pub(crate) fn prices_of(values: &ProductValues, metadata: &Object, currency: &str) -> Vec<ProductPrice> {
    listed(metadata, currency).unwrap_or_else(|| {
        let id = metadata.get(PRICE_ID).and_then(Value::as_str).map(PriceId::from);
        let amount = values.price.clone();
        let (interval, others) = (Interval::of(values.interval), OtherAmounts::new());
        let only = amount.map(|amount| ProductPrice { interval, amount, others, id });
        only.into_iter().collect()
    })
}

/// Returns the Stripe id of a product's only price; `None` if it has no id yet, or the product has several prices.
pub(crate) fn only_id(values: &ProductValues, metadata: &Object) -> Option<PriceId> {
    let of_platform = metadata.get(PRICE_ID).and_then(Value::as_str).map(PriceId::from);
    of_platform.or_else(|| match prices_of(values, metadata, main_currency(values)).as_slice() {
        [only] => only.id.clone(),
        _ => None,
    })
}

/// Returns the currency of a product's main price; empty for a product without a price.
fn main_currency(values: &ProductValues) -> &str {
    values.price.as_ref().map_or("", |price| price.currency.as_str())
}

/// Sets the Stripe id of a price.
pub(crate) fn set_id(metadata: &mut Object, interval: Interval, id: &str) {
    match metadata.get_mut(PRICES).and_then(|prices| prices.get_mut(interval.name())) {
        Some(Value::Object(price)) => drop(price.insert("id".to_owned(), json!(id))),
        _ => drop(metadata.insert(PRICE_ID.to_owned(), json!(id))),
    }
}

/// Copies the stored ids of unchanged prices, so that loading a catalog without ids does not create the prices again. The
/// stored product may have its only price in the platform's form.
pub(crate) fn keep_ids(values: &ProductValues, stored: &Object, metadata: &mut Object) {
    let Some(Value::Object(now)) = metadata.get_mut(PRICES) else { return };
    let currency = main_currency(values);
    for before in prices_of(values, stored, currency) {
        let amount = write_amount(before.amount.amount_minor, currency, &before.others);
        let known = now.get_mut(before.interval.name()).filter(|price| price["amount"] == amount);
        if let (Some(Value::Object(price)), Some(id)) = (known, before.id) {
            price.entry("id").or_insert_with(|| json!(id));
        }
    }
}
