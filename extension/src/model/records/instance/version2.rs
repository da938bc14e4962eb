//! Records of instances of data version 2: flags instead of a state. The status was only in the product row.

use super::status::InstanceStatus;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;

/// A failed step. Its other members are in the product row, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SmallDeserialize)]
pub(super) struct FailedStep {
    pub(super) at: Timestamp,
}

/// The members that only a record of data version 2 has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Version2 {
    /// Whether any effect was requested. Every record of data version 2 has this member.
    pub(super) begun: Option<bool>,
    pub(super) reached_world: bool,
    pub(super) failed: Option<FailedStep>,
    pub(super) before: Option<InstanceStatus>,
    pub(super) final_backup: bool,
    pub(super) retry_wanted: bool,
    pub(super) credit_due: bool,
    pub(super) refused: bool,
    pub(super) ended_by_owner: bool,
    pub(super) foreign: bool,
    pub(super) holds_names: bool,
    pub(super) archive_paused: bool,
}
