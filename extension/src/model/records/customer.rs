//! A customer at Stripe, and a pending request to create one.

use super::{ACCOUNT, json_record};
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// The stored fields of a customer, in addition to its claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    /// Time of the customer's deletion at Stripe, from the first snapshot that shows it. A deleted customer cannot buy
    /// anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

json_record!(Customer, "customers", live: |_| false, references: |_| Vec::new());

/// A request for a customer portal session that waits for the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AwaitsPortal {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    pub return_url: String,
}

/// A pending request for the account's customer. The row is removed with the response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CustomerRequest {
    /// Key of the effect that asks for the customer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub effect: String,
    /// Portal requests that wait for the customer, except the request that caused its creation. Waiting checkouts are
    /// stored with their purchases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub portals: Vec<AwaitsPortal>,
}

impl CustomerRequest {
    /// Id of the account's only row.
    pub const ID: &'static str = "customer-request";
}

json_record!(CustomerRequest, ACCOUNT, live: |_| true, references: |_| Vec::new());
