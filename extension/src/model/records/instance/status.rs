//! The words in which a product row shows the state of an instance: `metadata.status`, `metadata.suspend_reason` and
//! `metadata.error`.

use extension_contract::Refusal;
use serde::{Deserialize, Serialize};

/// Status of an instance: `metadata.status` of its product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InstanceStatus {
    /// The instance is being created, or waits for its payment.
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
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Why an instance is suspended: `metadata.suspend_reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SuspendReason {
    /// An operator suspended the instance.
    Admin,
    /// The instance is not paid for.
    Payment,
    /// The account exceeds its limits.
    OverLimit,
}

/// Why an instance could not be created: `metadata.error`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CreationError {
    /// The step that failed, such as `server/ensure`; `None` if the instance was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    pub code: String,
    pub message: String,
}

impl From<&Refusal> for CreationError {
    fn from(refusal: &Refusal) -> CreationError {
        CreationError { step: None, code: refusal.code().to_owned(), message: refusal.detail() }
    }
}
