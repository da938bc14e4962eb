//! Requests that move money and whose result is not known yet.

use super::{ACCOUNT, json_record};
use extension_contract::Json;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// A request that moves money, as far as it is needed to request the same again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct MoneyRequest {
    /// Kind of the effect.
    pub kind: String,
    /// Payload of the effect.
    pub payload: Json,
    /// Context of the effect.
    pub context: Json,
    /// Generation of the newest request.
    pub requests: u32,
}

/// The account's requests with an unknown result, by the keys of their effects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct MoneyRequests {
    pub open: BTreeMap<String, MoneyRequest>,
}

impl MoneyRequests {
    /// Id of the account's only row.
    pub const ID: &'static str = "money_requests";
}

json_record!(MoneyRequests, ACCOUNT, live: |_| true, references: |_| Vec::new());
