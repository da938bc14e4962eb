//! The record of an instance: the state of its resources, and other data that its product row does not contain.

mod resource;
mod state;
mod status;

pub(crate) use resource::{Data, Power, ResourceState, ResourceStatus, Task, is_late, late_entry};
pub(crate) use state::{Change, Deletion, End, Stage, State};
pub(crate) use status::{CreationError, InstanceStatus, SuspendReason};

use super::record_key;
use super::schedule::OpenSchedule;
use super::summary::Contribution;
use crate::model::json::{decode, encode};
use crate::model::table::Record;
use extension_contract::{Fallible, Reference, Row, RowKey, Timestamp, Write};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Generations of objects that may be removed and recreated. They only rise, and are excluded from the state hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Generations {
    /// Generation of the health watch.
    pub watch: u32,
    /// Generations of removed resources by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gone: BTreeMap<String, u32>,
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

/// A time for which an instance runs without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Its start.
    pub since: Timestamp,
    /// Time until which its units are counted.
    pub until: Timestamp,
    /// Number of counted units.
    pub units: i64,
}

/// The data of an instance that its product row does not contain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Why the instance is suspended. Stays during an archive and a deletion that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend_reason: Option<SuspendReason>,
    /// Why the instance could not be created. Stays until its creation begins again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<CreationError>>,
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
    /// The time for which the instance runs, by the meter that counts it. Empty while it does not run.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<String, Run>,
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

    /// Returns the part of the record that survives when the instance starts over: its identity, its part of the
    /// summary, its timers, and the generations, which keep rising so that a result of an earlier attempt is never
    /// mistaken for a later one's.
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
        Ok(Some(decode(InstanceRecord::COLLECTION, &row.id, &row.value)?))
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
