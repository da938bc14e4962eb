//! The state of a resource of an instance.

use crate::model::json::Object;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// `change` is in flight, after which the resource is running.
    Changing,
    /// `change` is in flight, after which the resource is suspended.
    Suspending,
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
        use ResourceStatus::{BackingUp, Changing, Checking, Freeing, Making, Restoring, Suspending};
        matches!(self, Making | Changing | Suspending | BackingUp | Restoring | Freeing | Checking)
    }

    /// Returns whether `change` is in flight.
    pub fn is_changing(self) -> bool {
        matches!(self, ResourceStatus::Changing | ResourceStatus::Suspending)
    }
}

/// Whether a resource runs. A suspended resource is stopped and keeps its data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Power {
    #[default]
    Running,
    Suspended,
}

/// Where the data of a resource is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Data {
    /// In the resource, if it has any.
    #[default]
    Own,
    /// It must be restored: from the backup, or from the variant that the resource replaces.
    Due,
    /// In the variant that replaces the resource.
    HandedOver,
}

/// A manual task: a person does the work instead of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    /// Reason for the task: the provider's error code, or `not-configured`.
    pub code: String,
    /// Whether the resource may exist in spite of the provider's failure.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_exist: bool,
    /// Whether the resource was searched for before the task was opened.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(crate) struct ResourceState {
    pub status: ResourceStatus,
    /// The resource in effect kinds, such as `function`. It belongs to its instance also when the type declares it no
    /// more.
    pub kind: Option<String>,
    /// Generation; rises with each request.
    pub generation: u32,
    /// Whether an earlier request has had no result until its deadline, so that the request in flight repeats it.
    pub unanswered: bool,
    pub power: Power,
    pub data: Data,
    /// Inputs in force: those of the `ensure` in flight, or of the last `ensure` or `change` that was carried out.
    pub inputs: Object,
    /// Inputs of the `change` in flight, unless it changes only the state.
    pub requested: Option<Object>,
    /// Whether an earlier request may have made the resource that the `ensure` in flight makes.
    pub may_exist: bool,
    /// Outputs of the resource's provider.
    pub outputs: Object,
    /// A verified backup.
    pub backup: Option<Value>,
    /// Whether an operation that the instance's status needs has failed. It is not retried until the status changes.
    pub blocked: bool,
    /// The manual task, open or completed.
    pub task: Option<Box<Task>>,
    /// The claim on a unit of limited stock.
    pub stock: Option<String>,
}

/// The state in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    /// [`ResourceStatus::Suspending`] is written as `changing`.
    state: ResourceStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    generation: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unanswered: bool,
    /// [`Power::Suspended`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    suspended: bool,
    /// The value of `suspended` after the `change` in flight.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    suspending: bool,
    #[serde(skip_serializing_if = "Object::is_empty")]
    inputs: Object,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<Object>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    may_exist: bool,
    #[serde(skip_serializing_if = "Object::is_empty")]
    outputs: Object,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<Value>,
    /// [`Data::Due`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restore_due: bool,
    /// [`Data::HandedOver`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    handed_over: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    blocked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Box<Task>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<String>,
}

impl From<ResourceState> for Stored {
    fn from(resource: ResourceState) -> Stored {
        let suspending = resource.status == ResourceStatus::Suspending;
        Stored {
            state: if suspending { ResourceStatus::Changing } else { resource.status },
            kind: resource.kind,
            generation: resource.generation,
            unanswered: resource.unanswered,
            suspended: resource.power == Power::Suspended,
            suspending,
            inputs: resource.inputs,
            requested: resource.requested,
            may_exist: resource.may_exist,
            outputs: resource.outputs,
            backup: resource.backup,
            restore_due: resource.data == Data::Due,
            handed_over: resource.data == Data::HandedOver,
            blocked: resource.blocked,
            task: resource.task,
            stock: resource.stock,
        }
    }
}

impl From<Stored> for ResourceState {
    fn from(stored: Stored) -> ResourceState {
        ResourceState {
            status: match stored.state {
                ResourceStatus::Changing if stored.suspending => ResourceStatus::Suspending,
                status => status,
            },
            kind: stored.kind,
            generation: stored.generation,
            unanswered: stored.unanswered,
            power: if stored.suspended { Power::Suspended } else { Power::Running },
            data: match (stored.restore_due, stored.handed_over) {
                (true, _) => Data::Due,
                (false, true) => Data::HandedOver,
                (false, false) => Data::Own,
            },
            inputs: stored.inputs,
            requested: stored.requested,
            may_exist: stored.may_exist,
            outputs: stored.outputs,
            backup: stored.backup,
            blocked: stored.blocked,
            task: stored.task,
            stock: stored.stock,
        }
    }
}

impl ResourceState {
    /// Returns the state after the resource was destroyed. Generation and backup stay.
    pub fn gone(self) -> ResourceState {
        ResourceState {
            kind: self.kind,
            generation: self.generation,
            backup: self.backup,
            blocked: self.blocked,
            stock: self.stock,
            ..ResourceState::default()
        }
    }

    /// Returns the state before the first request. Only the generation stays.
    pub fn never_requested(&self) -> ResourceState {
        ResourceState { generation: self.generation, ..ResourceState::default() }
    }

    /// Makes the restore of the backup due, if the resource is present again for an instance that is being restored.
    pub fn restore_backup(&mut self, is_restoring: bool) {
        if is_restoring && self.backup.is_some() {
            self.data = Data::Due;
        }
    }

    /// Returns whether the resource is gone and its state contains no information to keep.
    pub fn is_traceless(&self) -> bool {
        self.status == ResourceStatus::Absent && self.backup.is_none() && !self.blocked && self.stock.is_none()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_read_as_it_was_written() {
        let statuses = [ResourceStatus::Present, ResourceStatus::Changing, ResourceStatus::Suspending];
        for status in statuses {
            for power in [Power::Running, Power::Suspended] {
                for data in [Data::Own, Data::Due, Data::HandedOver] {
                    let state = ResourceState { status, power, data, ..ResourceState::default() };
                    let text = serde_json::to_string(&state).expect("encoded");
                    let read: ResourceState = extension_reader::from_str(&text).expect("decoded");
                    assert_eq!(read, state, "{text}");
                }
            }
        }
    }

    #[test]
    fn a_row_names_only_what_is_not_as_usual() {
        let written = |state: &ResourceState| serde_json::to_string(state).expect("encoded");
        let status = ResourceStatus::Suspending;
        let state = ResourceState { status, data: Data::Due, ..ResourceState::default() };
        assert_eq!(written(&state), r#"{"state":"changing","generation":0,"suspending":true,"restore_due":true}"#);
        let state = ResourceState { status: ResourceStatus::Present, power: Power::Suspended, ..state };
        assert_eq!(
            written(&ResourceState { data: Data::HandedOver, ..state }),
            r#"{"state":"present","generation":0,"suspended":true,"handed_over":true}"#
        );
    }
}
