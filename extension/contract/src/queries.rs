//! Queries: their arguments and results. A query runs in a read-only transaction of its account.

use crate::products::{Price, Product, ProductValues};
use crate::types::{Account, Actor, ActorKind, Json, Timestamp};

/// A proposed product, to be validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Kind of the actor that proposes it: some fields may be set only by certain kinds.
    pub by: ActorKind,
    /// The stored values, if this is a change.
    pub current: Option<ProductValues>,
    /// The proposed values.
    pub proposed: ProductValues,
}

/// The common arguments of all queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Account to read.
    pub account: Account,
    /// Caller.
    pub actor: Actor,
    /// Time of the query: decides which grace and billing periods apply.
    pub at: Timestamp,
}

/// A product on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Product.
    pub product: Product,
    /// Its active prices.
    pub prices: Vec<Price>,
    /// False if this account may not buy it now.
    pub available: bool,
}

/// An account's allowance of one entitlement key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// Key, for example `instances`.
    pub key: String,
    /// Allowed amount; -1 is unlimited.
    pub allowed: i64,
    /// Used amount.
    pub used: i64,
    /// When the counter is reset.
    pub resets_at: Option<Timestamp>,
    /// When it ends unless a payment is made.
    pub ends_at: Option<Timestamp>,
    /// Ids of the subscriptions and purchases that grant it.
    pub sources: Vec<String>,
}

/// Usage of one meter in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageTotal {
    /// Meter.
    pub meter: String,
    /// Attributes that usage is grouped by.
    pub attributes: Vec<(String, String)>,
    /// Amount in the meter's unit.
    pub quantity: i64,
    /// Cost in millionths of a major unit, before rounding.
    pub cost_micros: i64,
    /// Number of measurements; 0 if they are not counted.
    pub requests: i64,
    /// Part of the cost that credits paid, in millionths of a major unit.
    pub covered_micros: i64,
    /// ISO 4217 code.
    pub currency: String,
}

/// The balance of one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Ledger, for example `revenue` or `cash:stripe`.
    pub ledger: String,
    /// ISO 4217 code (minor units) or the name of a credit.
    pub unit: String,
    /// Available amount.
    pub available: i64,
    /// Amount on hold or not yet due.
    pub pending: i64,
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Id; the last id of a page is the `after` of the next page.
    pub id: String,
    /// The entry as a JSON object; the extension defines its shape.
    pub value: Json,
}
