//! The record of an instance: the state of its resources, and other data that its product row does not contain.

mod state;
mod status;
mod version2;

pub(crate) use state::{Change, Deletion, End, Stage, State};
pub(crate) use status::{InstanceStatus, SuspendReason};

use super::record_key;
use super::schedule::OpenSchedule;
use super::summary::Contribution;
use crate::model::json::{Object, decode, encode, is_false};
use crate::model::table::Record;
use extension_contract::{Fallible, Reference, Row, RowKey, Timestamp, Write};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use version2::Version2;

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
    /// The resource in effect kinds, such as `function`. It belongs to its instance also when the type declares it no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Generation; rises with each request.
    pub generation: u32,
    /// Whether an earlier request has had no result until its deadline, so that the request in flight repeats it.
    #[serde(skip_serializing_if = "is_false")]
    pub unanswered: bool,
    /// Whether the resource is stopped and keeps its data.
    #[serde(skip_serializing_if = "is_false")]
    pub suspended: bool,
    /// Value of `suspended` after the request in flight.
    #[serde(skip_serializing_if = "is_false")]
    pub suspending: bool,
    /// Inputs in force: those of the `ensure` in flight, or of the last `ensure` or `change` that was carried out.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub inputs: Object,
    /// Inputs of the `change` in flight, unless it changes only the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<Object>,
    /// Whether an earlier request may have made the resource that the `ensure` in flight makes.
    #[serde(skip_serializing_if = "is_false")]
    pub may_exist: bool,
    /// Outputs of the resource's provider.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub outputs: Object,
    /// A verified backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Value>,
    /// Whether the data must be restored: from `backup`, or from the variant that the resource replaces.
    #[serde(skip_serializing_if = "is_false")]
    pub restore_due: bool,
    /// Whether the data of this variant of a resource is in the variant that replaces it.
    #[serde(skip_serializing_if = "is_false")]
    pub handed_over: bool,
    /// Whether an operation that the instance's status needs has failed. It is not retried until the status changes.
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
            requested: None,
            may_exist: false,
            unanswered: false,
            outputs: Object::new(),
            handed_over: false,
            restore_due: false,
            task: None,
            ..self
        }
    }

    /// Returns whether the resource is gone and its state contains no information to keep.
    pub fn is_traceless(&self) -> bool {
        self.status == ResourceStatus::Absent && self.backup.is_none() && !self.blocked && self.stock.is_none()
    }
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

/// How far the effects of an instance ever got. A fact beside the state: an instance that waits for its payment and one
/// that is deleted differ by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effects {
    /// No effect was requested, or all requested effects were cancelled in time.
    #[default]
    None,
    /// Effects were requested, but none has begun.
    Requested,
    /// An effect has begun, or a person has completed a step.
    Begun,
}

/// Whether the instance holds the claims of its unique fields. A fact beside the state: a refused instance may hold them
/// or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Names {
    /// It does not hold them.
    #[default]
    Free,
    /// It holds them.
    Held,
}

/// Whether archives and restores begin by themselves. A wait beside the state: it lasts while the instance is running,
/// suspended, archived, or archived again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArchiveMode {
    /// They begin when they are due.
    #[default]
    Automatic,
    /// An archive or a restore failed. The next one waits for `instance.retry`, a use, or a new start of the instance.
    Paused,
}

/// Returns whether a value is the default, for `skip_serializing_if`.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The data of an instance that its product row does not contain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct InstanceRecord {
    /// State, from which the status in the product row follows.
    pub state: State,
    /// Product type.
    pub product_type: String,
    /// Time of creation, which orders the instances of an account.
    pub made_at: Timestamp,
    /// Time at which the owner chose to keep the instance, if the account must reduce its instances. An order beside the
    /// state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_at: Option<Timestamp>,
    /// Time of the instance's last use or of its start, whichever is later. For types that are archived when idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_at: Option<Timestamp>,
    /// Time at which an operator suspended the instance. An order beside the state: it is kept during an archive and a
    /// restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_at: Option<Timestamp>,
    /// When the archived instance is deleted, if that was due while the host was down: a payment may have been made meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_default")]
    pub effects: Effects,
    /// Resource states by name, or name and variant: `compute@ecs`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, ResourceState>,
    /// Last states of orphans: resources that could not be destroyed and still exist without being managed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub abandoned: BTreeMap<String, ResourceState>,
    /// Time of the failure since which days are lost that will be credited, if the instance was in `error` for long
    /// enough. A debt beside the state: it is paid when a later creation succeeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_default")]
    pub names: Names,
    #[serde(skip_serializing_if = "is_default")]
    pub archive: ArchiveMode,
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
    /// The instance's contribution to the account's summary.
    pub adds: Contribution,
    /// The instance's timers and delayed mails.
    pub schedule: OpenSchedule,
    /// Fingerprint of the account state with which the instance was last reconciled.
    pub reached: String,
    pub generation: Generations,
}

impl InstanceRecord {
    /// Completes a record of data version 2 by the members that only such a row has. A record of a later data version
    /// stays as it is.
    fn complete(&mut self, row: Version2) {
        let Some(begun) = row.begun else { return };
        self.effects = match (row.reached_world, begun) {
            (true, _) => Effects::Begun,
            (false, true) => Effects::Requested,
            (false, false) => Effects::None,
        };
        if row.holds_names {
            self.names = Names::Held;
        }
        if row.archive_paused {
            self.archive = ArchiveMode::Paused;
        }
        self.lost_since = row.failed.filter(|_| row.credit_due).map(|failed| failed.at);
        self.state = State::of_version2(row);
    }

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

    /// Returns what stays of the record whenever the instance begins anew: which instance it is, its part of the
    /// summary, its timers, and the generations, which continue to rise, so that a result of an earlier attempt is not
    /// mistaken for a result of a later one.
    pub fn kept(&self) -> InstanceRecord {
        InstanceRecord {
            state: self.state,
            product_type: self.product_type.clone(),
            made_at: self.made_at,
            adds: self.adds.clone(),
            schedule: self.schedule.clone(),
            generation: self.generation.clone(),
            ..InstanceRecord::default()
        }
    }

    /// Records that an effect was requested.
    pub fn request_effect(&mut self) {
        self.effects = self.effects.max(Effects::Requested);
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

impl InstanceRecord {
    /// Collection of the type's rows.
    pub const COLLECTION: &'static str = "instances";
}

impl Record for InstanceRecord {
    fn key(id: &str) -> RowKey {
        record_key(InstanceRecord::COLLECTION, id)
    }

    fn read(row: &Row) -> Fallible<Option<Self>> {
        let Row::Record(row) = row else { return Ok(None) };
        let mut record: InstanceRecord = decode(InstanceRecord::COLLECTION, &row.id, &row.value)?;
        // A record of data version 2 has no state.
        if record.state.stage() == Stage::Plain {
            record.complete(decode(InstanceRecord::COLLECTION, &row.id, &row.value)?);
        }
        Ok(Some(record))
    }

    fn write(&self) -> Fallible<Write> {
        Ok(Write::Record(encode(self)?))
    }

    fn is_live(&self) -> bool {
        false
    }

    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }

    fn fingerprint(&self) -> Option<String> {
        Some(self.reached.clone()).filter(|reached| !reached.is_empty())
    }
}
