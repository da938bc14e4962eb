//! The currencies in which a business sells: one, or a list of which the first is the default. A price has an amount in each, and an
//! account pays in one.

use super::mistakes::Mistakes;
use super::words::one_of;
use crate::model::money::{currency_meant, is_currency};
use extension_contract::pointer::escaped;
use extension_contract::{Expected, FieldError, FieldErrorCode, Money};
use serde::de::{self, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

/// The policy `currency`. As a text it is the default currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Currencies {
    default: String,
    others: Vec<String>,
}

impl Currencies {
    /// Returns a single currency.
    pub fn of(currency: &str) -> Currencies {
        Currencies { default: currency.to_owned(), others: Vec::new() }
    }

    /// Returns whether customers can choose.
    pub fn are_several(&self) -> bool {
        !self.others.is_empty()
    }

    /// Returns all currencies, the default first.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [self.default.as_str()].into_iter().chain(self.others.iter().map(String::as_str))
    }

    /// Returns whether the business sells in a currency.
    pub fn has(&self, currency: &str) -> bool {
        self.all().any(|known| known == currency)
    }

    /// Returns the currencies from which a person chooses.
    pub fn choice(&self) -> Expected {
        one_of(&self.all().collect::<Vec<_>>())
    }
}

impl Deref for Currencies {
    type Target = str;

    fn deref(&self) -> &str {
        &self.default
    }
}

impl Serialize for Currencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.are_several() {
            return serializer.serialize_str(&self.default);
        }
        let mut list = serializer.serialize_seq(Some(self.others.len() + 1))?;
        self.all().try_for_each(|currency| list.serialize_element(currency))?;
        list.end()
    }
}

impl<'de> Deserialize<'de> for Currencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Currencies;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a currency such as usd, or a list such as [usd, eur]")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Currencies, E> {
                Ok(Currencies::of(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Currencies, A::Error> {
                let default = list.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                let mut others = Vec::new();
                while let Some(other) = list.next_element()? {
                    others.push(other);
                }
                Ok(Currencies { default, others })
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// The amounts of a price in the currencies beside the default one, in minor units.
pub(crate) type OtherAmounts = BTreeMap<String, i64>;

/// Reads an amount of the catalog: minor units of the default currency, or an object with minor units by currency. Returns the amount
/// in the default currency and the others.
pub(crate) fn read_amount(written: &Value, default: &str) -> Option<(i64, OtherAmounts)> {
    let Value::Object(amounts) = written else { return Some((written.as_i64()?, OtherAmounts::new())) };
    let mut others: OtherAmounts =
        amounts.iter().map(|(code, amount)| Some((code.clone(), amount.as_i64()?))).collect::<Option<_>>()?;
    Some((others.remove(default)?, others))
}

/// Writes an amount as [`read_amount`] reads it.
pub(crate) fn write_amount(minor: i64, default: &str, others: &OtherAmounts) -> Value {
    if others.is_empty() {
        return json!(minor);
    }
    let mut amounts = others.clone();
    amounts.insert(default.to_owned(), minor);
    json!(amounts)
}

/// Checks an amount of a product or a coupon at `path`, which is at least `least`. Returns it in the stored form.
pub(crate) fn stored_amount(
    written: &Value,
    currencies: &Currencies,
    least: i64,
    path: &str,
    mistakes: &mut Mistakes,
) -> Option<Value> {
    let range = match least {
        0 => "minor units, a whole number that is not negative".to_owned(),
        least => format!("minor units, {least} or more"),
    };
    let is_amount = |value: &Value| value.as_i64().is_some_and(|minor| minor >= least);
    let Value::Object(amounts) = written else {
        if !is_amount(written) {
            mistakes.add(path, FieldErrorCode::OutOfRange, "", range);
            return None;
        }
        return Some(written.clone());
    };
    let mut is_wrong = false;
    for (code, amount) in amounts {
        let place = format!("{path}/{}", escaped(code));
        if !currencies.has(code) {
            let found = format!("the business does not sell in `{code}`");
            let error = FieldError::new(place, FieldErrorCode::NotAllowed, found);
            mistakes.push(error.expecting(currencies.choice()));
            is_wrong = true;
        } else if !is_amount(amount) {
            mistakes.add(&place, FieldErrorCode::OutOfRange, "", range.clone());
            is_wrong = true;
        }
    }
    let default: &str = currencies;
    if !amounts.contains_key(default) {
        let found = format!("no amount in {default}, the default currency");
        mistakes.add(path, FieldErrorCode::Missing, found, format!("`{default}: …`"));
        is_wrong = true;
    }
    let (minor, others) = read_amount(written, default).filter(|_| !is_wrong)?;
    Some(write_amount(minor, default, &others))
}

/// Checks that a coupon in several currencies has an amount in each: in another currency, Stripe would refuse the code.
pub(crate) fn check_all_named(stored: &Value, currencies: &Currencies, path: &str, mistakes: &mut Mistakes) {
    let is_named = |code: &&str| match stored {
        Value::Object(amounts) => amounts.contains_key(*code),
        _ => *code == &**currencies,
    };
    let missing: Vec<&str> = currencies.all().filter(|code| !is_named(code)).collect();
    if !missing.is_empty() {
        let found = format!("no amount in {}, so whoever pays in it could not use the code", missing.join(" and "));
        let default = Money { amount_minor: 0, currency: currencies.to_string() };
        let expected = format!("an amount in each currency, such as `{}`", sample(&default, &missing));
        mistakes.add(path, FieldErrorCode::Missing, found, expected);
    }
}

/// Checks the policy.
pub(crate) fn check_policy(currencies: &Currencies, mistakes: &mut Mistakes) {
    for (index, code) in currencies.all().enumerate() {
        let path = match currencies.are_several() {
            true => format!("/policies/currency/{index}"),
            false => "/policies/currency".to_owned(),
        };
        if !is_currency(code) {
            let found = format!("`{code}` is not a currency that Stripe takes");
            let error = FieldError::new(path, FieldErrorCode::NotAllowed, found)
                .expecting("its code of ISO 4217 in lower case, such as usd or eur")
                .meaning(currency_meant(code).map(str::to_owned));
            mistakes.push(error);
        } else if currencies.all().take(index).any(|before| before == code) {
            mistakes.add(&path, FieldErrorCode::Taken, format!("`{code}` is listed twice"), "each currency once");
        }
    }
}

/// Returns an amount with a place for others.
pub(super) fn sample(amount: &Money, missing: &[&str]) -> String {
    let others: Vec<String> = missing.iter().map(|code| format!("{code}: …")).collect();
    format!("{{{}: …, {}}}", amount.currency, others.join(", "))
}
