//! The clause `buy`: who may buy products of a type, how many, and what their checkout says.

use extension_contract::Account;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Whose a purchase may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buyer {
    /// A person.
    User,
    /// An organization.
    Organization,
}

impl Buyer {
    /// Whether an account is of this kind.
    pub(crate) fn is(self, account: &Account) -> bool {
        matches!((self, account), (Buyer::User, Account::User(_)) | (Buyer::Organization, Account::Organization(_)))
    }
}

/// How many of a product one purchase may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// Most.
    pub max: u32,
}

/// How products of a type are bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Buy {
    /// Whose it may be; everybody's where it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Buyer>,
    /// An entitlement that a plan must grant: judged at checkout and when it is paid, and while it gives something.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// A field: an account holds one product for each of its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once_per: Option<String>,
    /// How many at a time; one where it isn't said. Of a plan with it, each counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Metadata of the checkout and of what it makes, with places of `product` and `account`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Where the checkout returns to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_url: Option<String>,
    /// Where it returns to when it is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
}

impl Buy {
    /// Most that one purchase may be for.
    pub(crate) fn quantity_max(&self) -> u32 {
        self.quantity.map_or(1, |quantity| quantity.max.max(1))
    }
}
