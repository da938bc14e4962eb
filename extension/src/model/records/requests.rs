//! Requests whose result is not known yet, as far as they are needed to request the same again.

use super::{ACCOUNT, json_record};
use extension_contract::Json;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A request whose result is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OpenRequest {
    /// Kind of the effect.
    pub kind: String,
    /// Payload of the effect.
    pub payload: Json,
    /// Context of the effect.
    pub context: Json,
    /// Ordering key of the effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// Number of requests so far: the first one, and its repetitions.
    pub requests: u32,
    /// Whether the operators know that it has no result.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

/// The account's requests with an unknown result, by the keys of their effects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Requests {
    pub open: BTreeMap<String, OpenRequest>,
}

impl Requests {
    /// Id of the account's only row.
    pub const ID: &'static str = "requests";
}

json_record!(Requests, ACCOUNT, live: |_| true, references: |_| Vec::new());
