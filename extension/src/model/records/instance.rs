//! The record of an instance: the state of its resources, and other data that its product row does not contain.

use super::json_record;
use super::schedule::OpenSchedule;
use super::summary::Contribution;
use crate::model::json::{Object, is_false};
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Status of an instance: `metadata.status` of its product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InstanceStatus {
    /// The instance is being created, or waits for its payment.
    #[default]
    Provisioning,
    /// The instance is in service.
    Running,
    /// The instance is stopped and keeps all resources.
    Suspended,
    /// The instance is being backed up, and its resources are being destroyed.
    Archiving,
    /// Only the instance's data remains.
    Archived,
    /// The instance is being recreated from its archive.
    Restoring,
    /// The instance is being destroyed permanently.
    Deleting,
    /// The instance could not be created.
    Error,
    /// The instance was destroyed.
    Terminated,
}

impl InstanceStatus {
    /// All statuses.
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

    /// Returns the name in the metadata.
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

    /// Parses a name; `None` for an unknown name.
    pub fn parse(name: &str) -> Option<Self> {
        use InstanceStatus::*;
        [Provisioning, Running, Suspended, Archiving, Archived, Restoring, Deleting, Error, Terminated]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// Why an instance is suspended: `metadata.suspend_reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SuspendReason {
    /// An operator suspended the instance.
    Admin,
    /// The instance is not paid for.
    Payment,
    /// The account exceeds its limits.
    OverLimit,
}

impl SuspendReason {
    /// Returns the name in the metadata.
    pub fn name(self) -> &'static str {
        match self {
            SuspendReason::Admin => "admin",
            SuspendReason::Payment => "payment",
            SuspendReason::OverLimit => "over_limit",
        }
    }
}

/// Status of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResourceStatus {
    /// The resource does not exist.
    #[default]
    Absent,
    /// `ensure` is in flight.
    Making,
    /// The resource exists.
    Present,
    /// `ensure` has an unknown result. It is requested again, or the resource is destroyed as if it existed.
    Unknown,
    /// `change` is in flight.
    Changing,
    /// `backup` is in flight.
    BackingUp,
    /// `restore` is in flight.
    Restoring,
    /// `destroy` is in flight.
    Freeing,
    /// The configuration leaves the resource out.
    Skipped,
    /// Destroying the resource failed; a person must intervene.
    Stuck,
    /// A person creates the resource, as described by `task`.
    ByHand,
    /// The result of a person's work is being verified.
    Checking,
}

impl ResourceStatus {
    /// Returns whether the resource is absent, or its existence is unknown.
    pub fn is_missing(self) -> bool {
        matches!(self, ResourceStatus::Absent | ResourceStatus::Unknown)
    }

    /// Returns whether a request is in flight.
    pub fn is_in_flight(self) -> bool {
        use ResourceStatus::{BackingUp, Changing, Checking, Freeing, Making, Restoring};
        matches!(self, Making | Changing | BackingUp | Restoring | Freeing | Checking)
    }
}

/// A manual task: a person does the work instead of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Task {
    /// Reason for the task: the provider's error code, or `not-configured`.
    pub code: String,
    /// Whether the resource may exist in spite of the provider's failure.
    #[serde(skip_serializing_if = "is_false")]
    pub may_exist: bool,
    /// Whether the resource was searched for before the task was opened.
    #[serde(skip_serializing_if = "is_false")]
    pub looked_for: bool,
    /// Time at which people were notified; `None` before the notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// Time of payment, from which deadlines are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Whether the deadline has passed.
    #[serde(skip_serializing_if = "is_false")]
    pub is_overdue: bool,
    /// Assignee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
    /// Why the last reported result was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Id of the person who completed the task, or `machine` if an effect completed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_by: Option<String>,
}

/// The state of a resource of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct ResourceState {
    #[serde(rename = "state")]
    pub status: ResourceStatus,
    /// Generation; rises with each request.
    pub generation: u32,
    /// Whether the resource is stopped and keeps its data.
    #[serde(skip_serializing_if = "is_false")]
    pub suspended: bool,
    /// Value of `suspended` after the request in flight.
    #[serde(skip_serializing_if = "is_false")]
    pub suspending: bool,
    /// Inputs of the last `ensure` or `change` of the resource.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub inputs: Object,
    /// Outputs of the resource's provider.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub outputs: Object,
    /// A verified backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Value>,
    /// Whether the resource was recreated from an archive and its data must be restored.
    #[serde(skip_serializing_if = "is_false")]
    pub restore_due: bool,
    /// Whether a change failed. The change is not retried until the instance's status changes.
    #[serde(skip_serializing_if = "is_false")]
    pub blocked: bool,
    /// The manual task, open or completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Box<Task>>,
    /// The claim on a unit of limited stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<String>,
}

impl ResourceState {
    /// Returns the state after the resource was destroyed. Generation and backup stay.
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

    /// Returns whether the resource is gone and its state contains no information to keep.
    pub fn is_traceless(&self) -> bool {
        self.status == ResourceStatus::Absent && self.backup.is_none() && !self.blocked && self.stock.is_none()
    }
}

/// A step that failed permanently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct FailedStep {
    /// Resource and verb.
    pub step: String,
    /// The provider's code.
    pub code: String,
    /// Time of the failure.
    pub at: Timestamp,
}

/// Generations of objects that may be removed and recreated. They only rise, and are excluded from the state hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Generations {
    /// Generation of the health watch.
    pub watch: u32,
    /// Generations of removed resources by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gone: BTreeMap<String, u32>,
}

/// Marker in the entry name of a late resource: a provider created it after a person had created a replacement.
const LATE: &str = "@late-";

/// Returns the entry name of a late resource.
pub(crate) fn late_entry(entry: &str, generation: u32) -> String {
    format!("{entry}{LATE}{generation}")
}

/// Returns whether an entry is a late resource, which is unused and only waits to be destroyed.
pub(crate) fn is_late(entry: &str) -> bool {
    entry.contains(LATE)
}

/// The data of an instance that its product row does not contain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct InstanceRecord {
    /// Product type.
    pub product_type: String,
    /// Time of creation, which orders the instances of an account.
    pub made_at: Timestamp,
    /// Time at which the owner chose to keep the instance, if the account must reduce its instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_at: Option<Timestamp>,
    /// Time of the instance's last use or of its start, whichever is later. For types that are archived when idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_at: Option<Timestamp>,
    /// Time at which an operator suspended the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_at: Option<Timestamp>,
    /// Whether any effect was ever requested for the instance.
    pub begun: bool,
    /// Whether any effect of the instance has begun, or a person has completed a step. Effects that were cancelled in
    /// time never began.
    #[serde(skip_serializing_if = "is_false")]
    pub reached_world: bool,
    /// Resource states by name, or name and variant: `compute@ecs`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, ResourceState>,
    /// Last states of orphans: resources that could not be destroyed and still exist without being managed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub abandoned: BTreeMap<String, ResourceState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedStep>,
    /// Status to return to after a failed archive or restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<InstanceStatus>,
    /// Whether a final backup is made before the instance is destroyed.
    #[serde(skip_serializing_if = "is_false")]
    pub final_backup: bool,
    /// Whether the instance's creation is retried once all resources are destroyed.
    #[serde(skip_serializing_if = "is_false")]
    pub retry_wanted: bool,
    /// Whether the instance was in `error` long enough for the lost days to be credited.
    #[serde(skip_serializing_if = "is_false")]
    pub credit_due: bool,
    /// Whether the instance was refused and never created.
    #[serde(skip_serializing_if = "is_false")]
    pub refused: bool,
    /// Whether the owner or the platform ended the instance permanently.
    #[serde(skip_serializing_if = "is_false")]
    pub ended_by_owner: bool,
    /// Whether another service manages the instance: it counts for the summary, but is not reconciled.
    #[serde(skip_serializing_if = "is_false")]
    pub foreign: bool,
    /// Whether the instance holds the claims of its unique fields.
    #[serde(skip_serializing_if = "is_false")]
    pub holds_names: bool,
    /// Whether an archive failed and is not retried automatically.
    #[serde(skip_serializing_if = "is_false")]
    pub archive_paused: bool,
    /// Exceeded entitlements. Resources that count against them refuse writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<String>,
    /// The address of the health watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watching: Option<String>,
    /// Time since which the instance is running, for types with expected measurements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// Start of a counter's period, or time of a gauge's measurement, by meter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measured_at: BTreeMap<String, Timestamp>,
    /// Measurements of a period whose start is not confirmed yet, by meter: start and amount.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ahead: BTreeMap<String, (Timestamp, i64)>,
    /// The instance's contribution to the account's summary.
    pub adds: Contribution,
    /// The instance's timers and delayed mails.
    pub schedule: OpenSchedule,
    /// Fingerprint of the account state with which the instance was last reconciled.
    pub reached: String,
    pub generation: Generations,
}

impl InstanceRecord {
    /// Returns the state of a resource: absent if the resource was removed, `None` if it was never requested.
    pub fn resource(&self, name: &str) -> Option<ResourceState> {
        let gone = || {
            let generation = *self.generation.gone.get(name)?;
            Some(ResourceState { generation, ..ResourceState::default() })
        };
        self.resources.get(name).cloned().or_else(gone)
    }

    /// Removes entries without information, so that the record does not depend on the instance's past.
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

    /// Returns whether no resource exists any more.
    pub fn is_compensated(&self) -> bool {
        let gone = |status| matches!(status, ResourceStatus::Absent | ResourceStatus::Skipped);
        self.resources.values().all(|resource| gone(resource.status))
    }

    /// Allows the destruction of stuck resources to be retried.
    pub fn unstick(&mut self) {
        for resource in self.resources.values_mut() {
            if resource.status == ResourceStatus::Stuck {
                resource.status = ResourceStatus::Present;
            }
        }
    }

    /// Allows failed changes to be retried after a change of status.
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
