//! Amounts that a type grants or consumes: a number, `unlimited` or a template, with or without a condition.

use super::condition::Condition;
use super::template::{Scope, field_of, places_of};
use extension_contract::Grant;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::fmt;

/// The number that stands for an unlimited amount.
pub const UNLIMITED: i64 = -1;
/// The word for an unlimited amount in a catalog.
pub(crate) const UNLIMITED_WORD: &str = "unlimited";

/// Returns whether an amount is within an allowed amount.
pub(crate) fn fits(amount: i64, allowed: i64) -> bool {
    allowed == UNLIMITED || amount <= allowed
}

/// An amount. A number is a constant, `unlimited` is unlimited, and a text with braces is a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Amount {
    /// A constant.
    Number(i64),
    /// A template, or `unlimited`.
    Text(String),
}

/// The grant of one entitlement by a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Granted {
    /// An amount without a condition.
    Plain(Amount),
    /// An amount with a condition, or one that does not grow with the quantity.
    Detailed(Detailed),
}

/// What an amount is granted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// The purchase as a whole, whatever its quantity.
    Purchase,
}

/// An amount that is granted on a condition, or once for a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detailed {
    /// The amount.
    pub amount: Amount,
    /// The entitlement that a plan must grant (`allowed.KEY`).
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// What the amount is granted for; by default each unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Per>,
}

/// Visitor of an amount. serde's untagged enums, which try one form after the other, would add 100 kB to the component.
struct AmountVisitor;

impl<'de> Visitor<'de> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, `unlimited` or a template")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
        Ok(Amount::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
        i64::try_from(number)
            .map(Amount::Number)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &"a 64-bit whole number"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        match text == UNLIMITED_WORD || text.contains('{') {
            true => Ok(Amount::Text(text.to_owned())),
            false => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

/// Visitor of an amount, or of an object with an amount.
struct GrantedVisitor;

impl<'de> Visitor<'de> for GrantedVisitor {
    type Value = Granted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, `unlimited`, a template, or {amount, if, per}")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Granted, E> {
        AmountVisitor.visit_i64(number).map(Granted::Plain)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Granted, E> {
        AmountVisitor.visit_u64(number).map(Granted::Plain)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Granted, E> {
        AmountVisitor.visit_str(text).map(Granted::Plain)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Granted, A::Error> {
        Detailed::deserialize(MapAccessDeserializer::new(map)).map(Granted::Detailed)
    }
}

impl<'de> Deserialize<'de> for Granted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GrantedVisitor)
    }
}

impl Granted {
    /// Returns the amount, regardless of its condition.
    pub fn amount(&self) -> &Amount {
        match self {
            Granted::Plain(amount) => amount,
            Granted::Detailed(detailed) => &detailed.amount,
        }
    }

    /// Returns whether the amount is granted once for a purchase, and not for each unit.
    pub(crate) fn is_per_purchase(&self) -> bool {
        matches!(self, Granted::Detailed(Detailed { per: Some(Per::Purchase), .. }))
    }

    /// Returns the entitlement that a plan must grant; `None` for an amount without a condition.
    pub(crate) fn required(&self) -> Option<&str> {
        self.condition()?.entitlement()
    }

    /// Returns the condition; `None` for an amount without one.
    pub fn condition(&self) -> Option<&Condition> {
        match self {
            Granted::Plain(_) => None,
            Granted::Detailed(detailed) => detailed.condition.as_ref(),
        }
    }
}

impl Amount {
    /// Returns the field whose value is the amount: `sites` of `{product.sites}`. `None` for a constant or another template.
    pub(crate) fn field(&self, source: &str) -> Option<&str> {
        match self {
            Amount::Text(text) => field_of(text, source),
            Amount::Number(_) => None,
        }
    }

    /// Returns the placeholders of the amount's template.
    pub(crate) fn places(&self) -> Vec<&str> {
        match self {
            Amount::Text(text) => places_of(text),
            _ => Vec::new(),
        }
    }

    /// Evaluates the amount; `None` if a field is not a number. True is 1.
    pub(crate) fn of(&self, scope: &Scope<'_>) -> Option<i64> {
        match self {
            Amount::Number(number) => Some(*number),
            Amount::Text(text) if text == UNLIMITED_WORD => Some(UNLIMITED),
            Amount::Text(text) => number(&scope.fill(&Value::String(text.clone())).ok()?),
        }
    }
}

/// Reads a whole number, also from a text that a template produced.
fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(truth) => Some(i64::from(*truth)),
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

/// Adds `amount * quantity` to an amount. If either is unlimited, the result is unlimited; a quantity of 0 adds nothing.
pub(crate) fn add(held: i64, amount: i64, quantity: i64) -> i64 {
    match held == UNLIMITED || amount == UNLIMITED && quantity != 0 {
        true => UNLIMITED,
        false => held.saturating_add(amount.saturating_mul(quantity)),
    }
}

/// Returns whether grants include an entitlement. A grant of the amount 0 does not count.
pub(crate) fn include(grants: &[Grant], key: &str) -> bool {
    grants.iter().any(|grant| grant.key == key && grant.amount != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Granted, String> {
        extension_reader::from_str(&value.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_amount_is_a_number_or_a_template() {
        let fields = json!({"sites": 3, "open": true, "cores": 500});
        let fields = fields.as_object().expect("an object");
        let scope = Scope::default().object("product", fields);
        let of = |value: Value| read(value).expect("an amount").amount().of(&scope);
        assert_eq!(of(json!(7)), Some(7));
        assert_eq!(of(json!("{product.sites}")), Some(3));
        assert_eq!(of(json!("{product.open}")), Some(1));
        assert_eq!(of(json!("unlimited")), Some(UNLIMITED));
        assert_eq!(of(json!("{product.cores}")), Some(500));
        assert_eq!(of(json!("1{product.sites}")), Some(13));
        assert_eq!(of(json!("{product.others}")), None);
        assert_eq!(of(json!({"amount": "{product.sites}", "if": "allowed.may"})), Some(3));
        let conditional = read(json!({"amount": 1, "if": "allowed.may"})).expect("read");
        assert_eq!(conditional.required(), Some("may"));
        assert!(!conditional.is_per_purchase());
        let once = read(json!({"amount": 5, "per": "purchase"})).expect("read");
        assert_eq!((once.is_per_purchase(), once.required()), (true, None));
        for bad in [
            json!({"amount": 1, "iff": "allowed.may"}),
            json!({"amount": 1, "if": "may"}),
            json!({"amount": 1, "per": "seat"}),
            json!(true),
            json!("sites"),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
        assert!(read(json!([1])).is_err());
    }

    #[test]
    fn a_sum_with_an_unlimited_amount_is_unlimited() {
        assert_eq!(add(5, 2, 3), 11);
        assert_eq!(add(UNLIMITED, 2, 3), UNLIMITED);
        assert_eq!(add(5, UNLIMITED, 3), UNLIMITED);
        assert_eq!(add(5, UNLIMITED, 0), 5);
        assert_eq!(add(i64::MAX, 2, 3), i64::MAX);
    }
}
