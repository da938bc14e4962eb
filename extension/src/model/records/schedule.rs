//! Timers and mails of later that are open.

use super::{ACCOUNT, json_record};
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is open, by key. A generation outlives what it belongs to, so that the same key can be set again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct OpenSchedule {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub timers: BTreeMap<String, Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mails: BTreeMap<String, Timestamp>,
    /// Generation of a key, and until when it is remembered.
    pub generation: BTreeMap<String, (u32, Timestamp)>,
}

impl OpenSchedule {
    /// Id of the one row of the account; an instance's is in its own.
    pub const ID: &'static str = "schedule";
}

json_record!(OpenSchedule, ACCOUNT, live: |_| true, references: |_| Vec::new());
