//! Queries: their arguments and results. A query runs in a read-only transaction of its account.

use crate::products::{Price, Product, ProductValues};
use crate::types::{Account, Actor, ActorKind, Json, Page, Timestamp};

/// A proposed product, to be validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Kind of the actor that proposes the product. Some fields may be set only by actors of certain kinds.
    pub by: ActorKind,
    /// The stored values; `None` for a new product.
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
    /// Time of the query. Determines the current billing period, and whether a grace period has ended.
    pub at: Timestamp,
}

/// A query, with the arguments that only it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The products on sale, in display order.
    Catalog,
    /// The account's entitlements.
    Entitlements,
    /// Usage from `start` until before `end`.
    Usage {
        /// Begin of the period.
        start: Timestamp,
        /// End of the period.
        end: Timestamp,
    },
    /// The balances of the account's ledgers.
    Balances,
    /// A page of the entries of a kind, for example `invoices`; with a filter, only entries with this status.
    List {
        /// Kind of the entries.
        kind: String,
        /// Status of the entries.
        filter: Option<String>,
        /// The page.
        page: Page,
    },
}

/// The answer to the [`Query`] of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Products on sale.
    Catalog(Vec<Offer>),
    /// Entitlements.
    Entitlements(Vec<Entitlement>),
    /// Usage.
    Usage(Vec<UsageTotal>),
    /// Balances.
    Balances(Vec<Balance>),
    /// Entries of a list.
    List(Vec<Listed>),
}

/// A product on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The product, as stored in the catalog.
    pub product: Product,
    /// Active prices of the product.
    pub prices: Vec<Price>,
    /// False if the account may not buy the product now.
    pub available: bool,
}

/// One entitlement of an account, with its allowed and used amounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// Key, for example `instances`.
    pub key: String,
    /// Allowed amount; -1 is unlimited.
    pub allowed: i64,
    /// Used amount.
    pub used: i64,
    /// Time at which the used amount is reset to 0; `None` if it is never reset.
    pub resets_at: Option<Timestamp>,
    /// Time at which the entitlement ends: by a cancellation, or at the end of a grace period without a payment.
    pub ends_at: Option<Timestamp>,
    /// Ids of the subscriptions and purchases that grant the entitlement.
    pub sources: Vec<String>,
}

/// Usage of one meter with the same attributes, in the period of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageTotal {
    /// Name of the meter, for example `tokens`.
    pub meter: String,
    /// Attributes by name, for example `model`. Usage with different attributes has separate totals.
    pub attributes: Vec<(String, String)>,
    /// Amount in the meter's unit.
    pub quantity: i64,
    /// Cost in millionths of the currency's major unit, before rounding.
    pub cost_micros: i64,
    /// Number of measurements; 0 for usage whose measurements are not counted.
    pub requests: i64,
    /// Part of the cost that credits paid, in millionths of the currency's major unit.
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

/// One entry of the result of the query `list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Id of the entry. To get the next page, set `after` of the `Page` to the last id of this page.
    pub id: String,
    /// The entry as a JSON object; the extension defines its shape.
    pub value: Json,
}
