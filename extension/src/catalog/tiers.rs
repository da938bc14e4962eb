//! Prices of a unit in a catalog: one for all units, or tiers by the amount that is used in a month.

use crate::model::monthly_price::Tier;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::marker::PhantomData;

/// The price of a unit: one, or tiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum UnitPrice<P> {
    /// One price for all units.
    One(P),
    /// Tiers, from the first unit on.
    Tiers(Vec<Tier<P>>),
}

impl<P> UnitPrice<P> {
    /// Returns the tiers; none if all units have one price.
    pub(crate) fn tiers(&self) -> &[Tier<P>] {
        match self {
            UnitPrice::One(_) => &[],
            UnitPrice::Tiers(tiers) => tiers,
        }
    }

    /// Returns the prices, by tier if there are tiers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &P> {
        let one = match self {
            UnitPrice::One(price) => Some(price),
            UnitPrice::Tiers(_) => None,
        };
        one.into_iter().chain(self.tiers().iter().map(|tier| &tier.price))
    }
}

/// Visitor of one price, or of a list of tiers.
struct UnitPriceVisitor<P>(PhantomData<P>);

impl<'de, P: Deserialize<'de>> Visitor<'de> for UnitPriceVisitor<P> {
    type Value = UnitPrice<P>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a price, or tiers such as [{to: 1000, price}, {price}]")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        P::deserialize(number.into_deserializer()).map(UnitPrice::One)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        P::deserialize(number.into_deserializer()).map(UnitPrice::One)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        P::deserialize(number.into_deserializer()).map(UnitPrice::One)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        P::deserialize(text.into_deserializer()).map(UnitPrice::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(UnitPrice::Tiers)
    }
}

impl<'de, P: Deserialize<'de>> Deserialize<'de> for UnitPrice<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnitPriceVisitor(PhantomData))
    }
}
