//! The clause `buy`: who may buy products of a type, how many at a time, and the checkout's metadata and URLs.

use super::condition::Condition;
use super::template::field_of;
use crate::model::json::Object;
use extension_contract::Account;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Kind of account that may buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buyer {
    /// A person.
    User,
    /// An organization.
    Organization,
}

impl Buyer {
    /// Returns whether an account is of this kind.
    pub(crate) fn is(self, account: &Account) -> bool {
        matches!((self, account), (Buyer::User, Account::User(_)) | (Buyer::Organization, Account::Organization(_)))
    }
}

/// Allowed quantity of a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// Minimum quantity of one purchase.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub at_least: u32,
    /// Maximum quantity of one purchase.
    pub at_most: u32,
}

fn one() -> u32 {
    1
}

// serde passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(number: &u32) -> bool {
    *number == 1
}

/// A limit for each value of a field: an account has at most `count` products with one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerValue {
    /// Maximum number.
    pub count: u32,
    /// The field that distinguishes the products: `{product.FIELD}`.
    pub per: String,
}

/// How products of a type are bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buy {
    /// Kind of account that may buy the products; every account by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Buyer>,
    /// An entitlement that a plan must grant (`allowed.KEY`). Checked at checkout, at payment, and as long as the purchase
    /// grants.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// The products that an account may have for each value of a field: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<PerValue>,
    /// Whether every subscription of the family grants its entitlements, and not only the highest plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adds: bool,
    /// Allowed quantity; 1 by default. A plan with this member grants its amounts once for each unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Metadata of the checkout and of the objects that it creates, with placeholders of `product` and `account`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Return URL of the checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_url: Option<String>,
    /// Return URL of a cancelled checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
}

impl Buy {
    /// Returns the entitlement that a plan must grant.
    pub(crate) fn required(&self) -> Option<&str> {
        self.condition.as_ref()?.entitlement()
    }

    /// Returns the value by which a product with this metadata is limited to one per account; `None` if it is not limited.
    pub(crate) fn limited<'m>(&self, metadata: &'m Object) -> Option<&'m str> {
        metadata.get(field_of(&self.at_most.as_ref()?.per, "product")?)?.as_str()
    }
}
