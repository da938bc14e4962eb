//! Open timers and delayed mails.

use super::{ACCOUNT, json_record};
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Open timers and mails by key. The generation of a key is kept longer than its timer, so that the key can be set
/// again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OpenSchedule {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub timers: BTreeMap<String, Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mails: BTreeMap<String, Timestamp>,
    /// Generation of each key, and the time until which the generation is kept.
    pub generation: BTreeMap<String, (u32, Timestamp)>,
}

impl OpenSchedule {
    /// Id of the account's only row. Each instance has its own schedule in its record.
    pub const ID: &'static str = "schedule";
}

json_record!(OpenSchedule, ACCOUNT, live: |_| true, references: |_| Vec::new());
