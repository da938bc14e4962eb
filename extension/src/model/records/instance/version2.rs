//! Records of instances of data version 2: flags instead of a state. The status was only in the product row.

use super::state::{Deletion, End, Failure, Origin, Stage, State};
use super::status::InstanceStatus;
use super::{ArchiveMode, Effects, InstanceRecord, Names};
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;

/// A failed step. Its other members are in the product row, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SmallDeserialize)]
struct FailedStep {
    at: Timestamp,
}

/// The members that only a record of data version 2 has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Version2 {
    /// Whether any effect was requested. Every record of data version 2 has this member.
    begun: Option<bool>,
    reached_world: bool,
    failed: Option<FailedStep>,
    before: Option<InstanceStatus>,
    final_backup: bool,
    retry_wanted: bool,
    credit_due: bool,
    refused: bool,
    ended_by_owner: bool,
    foreign: bool,
    holds_names: bool,
    archive_paused: bool,
}

impl Version2 {
    /// Completes a record that was read from a row with these members. A record of a later data version stays as it
    /// is.
    pub(super) fn complete(self, record: &mut InstanceRecord) {
        let Some(begun) = self.begun else { return };
        record.effects = match (self.reached_world, begun) {
            (true, _) => Effects::Begun,
            (false, true) => Effects::Requested,
            (false, false) => Effects::None,
        };
        if self.holds_names {
            record.names = Names::Held;
        }
        if self.archive_paused {
            record.archive = ArchiveMode::Paused;
        }
        record.lost_since = self.failed.filter(|_| self.credit_due).map(|failed| failed.at);
        record.state = State::of_version2(self);
    }

    /// Returns whether another service manages the instance.
    pub(super) fn is_foreign(self) -> bool {
        self.foreign
    }

    /// Returns the stage, with the status in the product row.
    pub(super) fn stage(self, status: Option<InstanceStatus>) -> Stage {
        if self.foreign {
            return if self.ended_by_owner { Stage::ForeignEnded } else { Stage::Foreign };
        }
        let Some(status) = status else { return Stage::Plain };
        match status {
            InstanceStatus::Provisioning => Stage::Provisioning,
            InstanceStatus::Running => Stage::Running,
            InstanceStatus::Suspended => Stage::Suspended,
            InstanceStatus::Archiving => Stage::Archiving(match self.before {
                Some(InstanceStatus::Running) => Origin::Running,
                Some(InstanceStatus::Archived) => Origin::Archived,
                _ => Origin::Suspended,
            }),
            InstanceStatus::Archived => Stage::Archived,
            InstanceStatus::Restoring => Stage::Restoring,
            InstanceStatus::Deleting => Stage::Deleting(match (self.ended_by_owner, self.final_backup) {
                (false, _) => Deletion::Lapsed,
                (true, false) => Deletion::Ordered,
                (true, true) => Deletion::OrderedWithBackup,
            }),
            InstanceStatus::Error if self.refused => Stage::Refused,
            InstanceStatus::Error => {
                Stage::Failed(Failure { at: self.failed.map(|failed| failed.at), begins_again: self.retry_wanted })
            }
            InstanceStatus::Terminated if self.ended_by_owner => Stage::Terminated(End::Ordered),
            InstanceStatus::Terminated => Stage::Terminated(End::Lapsed),
        }
    }
}
