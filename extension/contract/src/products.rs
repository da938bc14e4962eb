//! Products, and the catalog's prices.

use crate::types::{Account, BillingInterval, Json, Money, RowVersion};
use serde::{Deserialize, Serialize};

/// The writable part of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductValues {
    /// Product type, for example `subscription_plan` or `instance`.
    pub product_type: String,
    /// Display name.
    pub name: String,
    /// Description, possibly empty.
    #[serde(default)]
    pub description: String,
    /// Whether it is on sale; false once withdrawn.
    pub active: bool,
    /// Price; `None` if it is not sold by itself.
    pub price: Option<Money>,
    /// Billing period; `None` for a one-time sale.
    pub interval: Option<BillingInterval>,
    /// Filter slots with their values as text.
    #[serde(default)]
    pub filters: Vec<(String, String)>,
    /// JSON object, valid against the type's schema.
    pub metadata: Json,
}

/// A stored product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Id, chosen when the row was inserted.
    pub id: String,
    /// Owner: the transaction's account, or `platform` for the catalog.
    pub owner: Account,
    /// Values.
    pub values: ProductValues,
    /// Version.
    pub version: RowVersion,
    /// Whether it was soft-deleted.
    pub deleted: bool,
}

/// An entitlement that a price grants, resolved from its product and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Entitlement, for example `instances`.
    pub key: String,
    /// Amount per unit; -1 is unlimited.
    pub amount: i64,
}

/// A price of the catalog: a small typed row, so that handling a webhook event does not parse a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The payment source's id.
    pub id: String,
    /// Id of the product sold.
    pub product_id: String,
    /// Type of that product.
    pub product_type: String,
    /// Family, for example `plan`: an account may have one price of a family.
    pub family: Option<String>,
    /// Amount per unit.
    pub amount: Money,
    /// Billing period; `None` for a one-time sale.
    pub interval: Option<BillingInterval>,
    /// False if it is no longer sold; existing subscriptions keep it.
    pub active: bool,
    /// Grants per unit.
    pub grants: Vec<Grant>,
    /// The extension's own resolved terms; `{}` if there are none.
    pub terms: Json,
}
