//! The most of a month's usage that the account's owners want to be invoiced for.

use super::{ACCOUNT, json_record};
use serde::{Deserialize, Serialize};

/// The cap of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Cap {
    /// Minor units of a month; `None` if the cap was taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<i64>,
}

impl Cap {
    /// Id of the account's only row.
    pub const ID: &'static str = "cap";
}

json_record!(Cap, ACCOUNT, live: |_| true, references: |_| Vec::new());
