//! An instance beside its product row: the state of its resources, and everything that its status does not say.

use super::json_record;
use super::schedule::OpenSchedule;
use super::summary::Contribution;
use crate::model::json::{Object, is_false};
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Status of an instance, `metadata.status` of its product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InstanceStatus {
    /// It is being made, or waits for what pays for it.
    #[default]
    Provisioning,
    /// It serves.
    Running,
    /// It stands still and keeps everything.
    Suspended,
    /// It is being saved and freed.
    Archiving,
    /// Only its data is kept.
    Archived,
    /// It is being made again from its archive.
    Restoring,
    /// It is being freed for good.
    Deleting,
    /// It could not be made.
    Error,
    /// It is gone.
    Terminated,
}

impl InstanceStatus {
    /// Every status.
    pub const ALL: [InstanceStatus; 9] = [
        InstanceStatus::Provisioning,
        InstanceStatus::Running,
        InstanceStatus::Suspended,
        InstanceStatus::Archiving,
        InstanceStatus::Archived,
        InstanceStatus::Restoring,
        InstanceStatus::Deleting,
        InstanceStatus::Error,
        InstanceStatus::Terminated,
    ];

    /// The status as it stands in metadata.
    pub fn name(self) -> &'static str {
        match self {
            InstanceStatus::Provisioning => "provisioning",
            InstanceStatus::Running => "running",
            InstanceStatus::Suspended => "suspended",
            InstanceStatus::Archiving => "archiving",
            InstanceStatus::Archived => "archived",
            InstanceStatus::Restoring => "restoring",
            InstanceStatus::Deleting => "deleting",
            InstanceStatus::Error => "error",
            InstanceStatus::Terminated => "terminated",
        }
    }

    /// The status of a name; none for a name of other meaning.
    pub fn parse(name: &str) -> Option<Self> {
        use InstanceStatus::*;
        [Provisioning, Running, Suspended, Archiving, Archived, Restoring, Deleting, Error, Terminated]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// Why an instance is suspended, `metadata.suspend_reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SuspendReason {
    /// An operator wants it to.
    Admin,
    /// Nothing is paid.
    Payment,
    /// Less is allowed than is in use.
    OverLimit,
}

impl SuspendReason {
    /// The reason as it stands in metadata.
    pub fn name(self) -> &'static str {
        match self {
            SuspendReason::Admin => "admin",
            SuspendReason::Payment => "payment",
            SuspendReason::OverLimit => "over_limit",
        }
    }
}

/// Where a resource stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResourceStatus {
    /// It does not exist.
    #[default]
    Absent,
    /// `ensure` was asked for.
    Making,
    /// It exists.
    Present,
    /// `ensure` was asked for, and nobody knows what came of it: it is made again, or freed, as if it existed.
    Unknown,
    /// `change` was asked for.
    Changing,
    /// `backup` was asked for.
    BackingUp,
    /// `restore` was asked for.
    Restoring,
    /// `destroy` was asked for.
    Freeing,
    /// Its configuration leaves it out.
    Skipped,
    /// Destroying it failed; a person must look.
    Stuck,
    /// A person makes it; `task` says what is asked for.
    ByHand,
    /// What a person made is being looked at.
    Checking,
}

impl ResourceStatus {
    /// Whether nothing is known to exist.
    pub fn is_missing(self) -> bool {
        matches!(self, ResourceStatus::Absent | ResourceStatus::Unknown)
    }

    /// Whether something was asked for that is not back.
    pub fn is_in_flight(self) -> bool {
        use ResourceStatus::{BackingUp, Changing, Checking, Freeing, Making, Restoring};
        matches!(self, Making | Changing | BackingUp | Restoring | Freeing | Checking)
    }
}

/// What a person does in place of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Task {
    /// Why the machine did not: the provider's code, or `not-configured`.
    pub code: String,
    /// What the machine was asked for may exist all the same.
    #[serde(skip_serializing_if = "is_false")]
    pub may_exist: bool,
    /// It was looked for before people were told.
    #[serde(skip_serializing_if = "is_false")]
    pub looked_for: bool,
    /// When it was given to people; none before they are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// When what it is for was paid; it is counted from then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it should be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// It was not done in time.
    #[serde(skip_serializing_if = "is_false")]
    pub is_overdue: bool,
    /// Whose it is, if it was handed to somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
    /// Why what was told last does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_by: Option<String>,
}

/// A resource of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct ResourceState {
    #[serde(rename = "state")]
    pub status: ResourceStatus,
    /// Rises with each request for it.
    pub generation: u32,
    /// It stands still and keeps its data.
    #[serde(skip_serializing_if = "is_false")]
    pub suspended: bool,
    /// What the request in flight makes of `suspended`.
    #[serde(skip_serializing_if = "is_false")]
    pub suspending: bool,
    /// What it was made or changed with.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub inputs: Object,
    /// What its provider answered.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub outputs: Object,
    /// A verified backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Value>,
    /// It was made anew from an archive, and its data is to come back.
    #[serde(skip_serializing_if = "is_false")]
    pub restore_due: bool,
    /// A change that failed is not tried again before the status changes.
    #[serde(skip_serializing_if = "is_false")]
    pub blocked: bool,
    /// What a person does, or did, in place of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Box<Task>>,
    /// The claim of what there is so many of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<String>,
}

impl ResourceState {
    /// As it is when it is gone: its generation and its backup stay.
    pub fn gone(self) -> ResourceState {
        ResourceState {
            status: ResourceStatus::Absent,
            suspended: false,
            inputs: Object::new(),
            outputs: Object::new(),
            task: None,
            ..self
        }
    }

    /// Whether it is gone and nothing needs to be known of it.
    pub fn is_traceless(&self) -> bool {
        self.status == ResourceStatus::Absent && self.backup.is_none() && !self.blocked && self.stock.is_none()
    }
}

/// The step that failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct FailedStep {
    /// Resource and verb.
    pub step: String,
    /// The provider's code.
    pub code: String,
    /// When.
    pub at: Timestamp,
}

/// Generations go on rising when what they belong to comes and goes; they are no part of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Generations {
    /// Of the health watch.
    pub watch: u32,
    /// Of resources that are gone, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gone: BTreeMap<String, u32>,
}

/// What stands in the entry of a thing that a machine made too late, when a person had made another one.
const LATE: &str = "@late-";

/// The entry of such a thing.
pub(crate) fn late_entry(entry: &str, generation: u32) -> String {
    format!("{entry}{LATE}{generation}")
}

/// Whether nothing serves from an entry: it only waits to be freed.
pub(crate) fn is_late(entry: &str) -> bool {
    entry.contains(LATE)
}

/// Everything that an instance's status does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct InstanceRecord {
    /// Its product type.
    pub product_type: String,
    /// When it was made: the order in which instances are counted.
    pub made_at: Timestamp,
    /// When its owner chose that it goes on where not all can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_at: Option<Timestamp>,
    /// When people used it last, or when it began to run, whichever is later; for what is archived when it is idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_at: Option<Timestamp>,
    /// Since when an operator wants it to stand still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_at: Option<Timestamp>,
    /// Whether anything was ever asked for.
    pub begun: bool,
    /// Whether anything that was asked for reached the world: what was called off in time never began.
    #[serde(skip_serializing_if = "is_false")]
    pub reached_world: bool,
    /// Resources by name, or name and variant: `compute@ecs`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, ResourceState>,
    /// What could not be taken away and was given up, as it stood then: it is in the world, and nothing of ours asks for it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub abandoned: BTreeMap<String, ResourceState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedStep>,
    /// Status to return to if an archive or restore fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<InstanceStatus>,
    /// A last backup is made before it is deleted.
    #[serde(skip_serializing_if = "is_false")]
    pub final_backup: bool,
    /// It begins again as soon as all is undone.
    #[serde(skip_serializing_if = "is_false")]
    pub retry_wanted: bool,
    /// It stood in `error` so long that the lost days are credited.
    #[serde(skip_serializing_if = "is_false")]
    pub credit_due: bool,
    /// It was refused and never began.
    #[serde(skip_serializing_if = "is_false")]
    pub refused: bool,
    /// Its owner or the platform ended it: nothing brings it back.
    #[serde(skip_serializing_if = "is_false")]
    pub ended_by_owner: bool,
    /// Somebody else keeps it here: it counts, and is not ours to drive.
    #[serde(skip_serializing_if = "is_false")]
    pub foreign: bool,
    /// It holds the claims of its unique fields.
    #[serde(skip_serializing_if = "is_false")]
    pub holds_names: bool,
    /// An archive failed; it is not tried again by itself.
    #[serde(skip_serializing_if = "is_false")]
    pub archive_paused: bool,
    /// Entitlements of which more is in use than allowed; what holds them refuses writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<String>,
    /// The address whose health is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watching: Option<String>,
    /// Since when it runs, where it must be heard of while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// Beginning of what a counter counts, or time of a gauge, by meter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measured_at: BTreeMap<String, Timestamp>,
    /// What was measured of a period that is not known to have begun, by meter: its beginning and the amount.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ahead: BTreeMap<String, (Timestamp, i64)>,
    /// What it adds to the account's summary.
    pub adds: Contribution,
    /// Its timers and mails of later.
    pub schedule: OpenSchedule,
    /// What of the account's standing it was brought to.
    pub reached: String,
    pub generation: Generations,
}

impl InstanceRecord {
    /// A resource, as absent if there is no entry; none if it was never asked for.
    pub fn resource(&self, name: &str) -> Option<ResourceState> {
        let gone = || {
            let generation = *self.generation.gone.get(name)?;
            Some(ResourceState { generation, ..ResourceState::default() })
        };
        self.resources.get(name).cloned().or_else(gone)
    }

    /// Leave out what is gone without a trace: an entry that says nothing would tell how the instance got here.
    pub fn prune(&mut self) {
        let gone = &mut self.generation.gone;
        self.resources.retain(|name, resource| {
            let keep = !resource.is_traceless();
            if !keep {
                gone.insert(name.clone(), resource.generation);
            }
            keep
        });
    }

    /// Whether no resource remains.
    pub fn is_compensated(&self) -> bool {
        let gone = |status| matches!(status, ResourceStatus::Absent | ResourceStatus::Skipped);
        self.resources.values().all(|resource| gone(resource.status))
    }

    /// Let what was stuck be tried again.
    pub fn unstick(&mut self) {
        for resource in self.resources.values_mut() {
            if resource.status == ResourceStatus::Stuck {
                resource.status = ResourceStatus::Present;
            }
        }
    }

    /// The status changed: what failed under the old one may be tried.
    pub fn unblock(&mut self) {
        for resource in self.resources.values_mut() {
            resource.blocked = false;
        }
    }
}

json_record!(
    InstanceRecord,
    "instances",
    live: |_| false,
    references: |_| Vec::new(),
    fingerprint: |row| Some(row.reached.clone()).filter(|reached| !reached.is_empty())
);
