//! A customer of the payment provider.

use super::{ACCOUNT, json_record};
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;

/// What is kept of a customer beside the claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Customer {
    /// When the provider deleted it, by the first view that says so; nothing can be sold to it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

json_record!(Customer, "customers", live: |_| false, references: |_| Vec::new());

/// Who waits for the provider's page about the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct AwaitsPortal {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    pub return_url: String,
}

/// The account's customer is asked for. It is there only until that is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct CustomerRequest {
    /// Who waits beside whom it is asked for, and beside checkouts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub portals: Vec<AwaitsPortal>,
}

impl CustomerRequest {
    /// Id of the one row.
    pub const ID: &'static str = "customer-request";
}

json_record!(CustomerRequest, ACCOUNT, live: |_| true, references: |_| Vec::new());
