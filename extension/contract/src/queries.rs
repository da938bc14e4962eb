//! Questions, asked in a read-only transaction of the account that is asked about.

use crate::products::{Price, Product, ProductValues};
use crate::types::{Account, Actor, ActorKind, Json, Timestamp};

/// A product that somebody wants to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who wants it: fields differ in who may set them.
    pub by: ActorKind,
    /// The stored values, for a change.
    pub current: Option<ProductValues>,
    /// The proposed values.
    pub proposed: ProductValues,
}

/// Who asks, about whom, as of when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Account that is asked about.
    pub account: Account,
    /// Who asks.
    pub actor: Actor,
    /// Time of the question: grace and periods are judged by it.
    pub at: Timestamp,
}

/// Something on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Product.
    pub product: Product,
    /// Its active prices.
    pub prices: Vec<Price>,
    /// False if this account may not buy it now.
    pub available: bool,
}

/// What an account may use of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// Key, for example `instances`.
    pub key: String,
    /// Allowed; -1 is unlimited.
    pub allowed: i64,
    /// In use.
    pub used: i64,
    /// When a counter starts anew.
    pub resets_at: Option<Timestamp>,
    /// When it ends unless something is paid.
    pub ends_at: Option<Timestamp>,
    /// Ids of the subscriptions and purchases that give it.
    pub sources: Vec<String>,
}

/// Use of one meter in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageTotal {
    /// Meter.
    pub meter: String,
    /// Attributes that the totals are split by.
    pub attributes: Vec<(String, String)>,
    /// Amount in the meter's unit.
    pub quantity: i64,
    /// Cost in millionths of a major unit, before rounding.
    pub cost_micros: i64,
    /// Measurements that it was told by; 0 where they are not counted.
    pub requests: i64,
    /// What of the cost credits paid, in millionths of a major unit.
    pub covered_micros: i64,
    /// ISO 4217 code.
    pub currency: String,
}

/// Balance of one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Ledger, for example `revenue` or `cash:stripe`.
    pub ledger: String,
    /// ISO 4217 code (minor units) or the name of a credit.
    pub unit: String,
    /// Free to use.
    pub available: i64,
    /// Held or not yet due.
    pub pending: i64,
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id; the last one of a page is the next page's `after`.
    pub id: String,
    /// The entry as a JSON object; its shape is the extension's own.
    pub value: Json,
}
