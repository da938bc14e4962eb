//! What operators grant an account beside its plans: amounts of entitlements, each with an end and a reason.

use super::{ACCOUNT, json_record};
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The grants of an account, by entitlement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct OperatorGrants(pub BTreeMap<String, OperatorGrant>);

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OperatorGrant {
    /// Amount in addition to what plans and add-ons grant.
    pub amount: i64,
    /// Time of the command.
    pub at: Timestamp,
    /// Time at which it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Time at which it took the place of a larger one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduced_at: Option<Timestamp>,
    /// The operator.
    pub by: String,
    /// Why; `None` after the erasure of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl OperatorGrants {
    /// Id of the account's only row.
    pub const ID: &'static str = "operator_grants";
}

impl OperatorGrant {
    /// Returns when a part of it was last lost.
    pub fn lost_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| *until <= now).max(self.reduced_at)
    }

    /// Returns whether it has ended.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

json_record!(OperatorGrants, ACCOUNT, live: |_| true, references: |_| Vec::new());
