//! Products, and the catalog's prices.

use crate::types::{Account, BillingInterval, Json, Money, RowVersion};
use serde::{Deserialize, Serialize};

/// The part of a product that can be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductValues {
    /// Product type, for example `subscription_plan` or `instance`.
    pub product_type: String,
    /// Display name.
    pub name: String,
    /// Description, possibly empty.
    #[serde(default)]
    pub description: String,
    /// False once withdrawn.
    pub active: bool,
    /// Price; none when it is not sold by itself.
    pub price: Option<Money>,
    /// Billing period; none for what is sold once.
    pub interval: Option<BillingInterval>,
    /// Filter slots and their values as text.
    #[serde(default)]
    pub filters: Vec<(String, String)>,
    /// Object that is valid against the type's schema.
    pub metadata: Json,
}

/// A stored product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Id, chosen by who inserted it.
    pub id: String,
    /// Owner: this transaction's account, or `platform` for the catalog.
    pub owner: Account,
    /// Values.
    pub values: ProductValues,
    /// Version.
    pub version: RowVersion,
    /// True after a soft delete.
    pub deleted: bool,
}

/// What a price grants, already resolved from its product and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Entitlement, for example `instances`.
    pub key: String,
    /// Amount for one unit; -1 is unlimited.
    pub amount: i64,
}

/// A price of the catalog: a small typed row, so that a webhook event need not parse a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The provider's id.
    pub id: String,
    /// Product that is sold.
    pub product_id: String,
    /// Type of that product.
    pub product_type: String,
    /// Of a family, for example `plan`, an account may have one price.
    pub family: Option<String>,
    /// Amount of one unit.
    pub amount: Money,
    /// Billing period; none for what is sold once.
    pub interval: Option<BillingInterval>,
    /// False when it is no longer sold; who has it keeps it.
    pub active: bool,
    /// What one unit grants.
    pub grants: Vec<Grant>,
    /// The extension's own resolved terms; `{}` if none.
    pub terms: Json,
}
