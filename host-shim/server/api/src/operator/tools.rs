//! What operators' requests need apart from the site: access to the providers' resources and to the state of their backups.

use host_verify::StripeAccess;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Time between two counts of the recorded resources. The first count reads the whole store.
const COUNT_EVERY: Duration = Duration::from_mins(1);

/// A difference between the providers' resources and the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriftEntry {
    /// Name of the kind of difference, such as `orphan` or `lost`.
    pub kind: String,
    /// Scope of the resource: business, mode and account; none if only the name of the resource is known.
    pub scope: Option<String>,
    /// Resource, such as `bucket`.
    pub resource: Option<String>,
    /// Id of the resource within its scope.
    pub id: Option<String>,
    /// Name in the remote system, or reference to a secret.
    pub name: Option<String>,
    /// State in the remote system.
    pub is: Option<String>,
    /// Recorded state.
    pub recorded: Option<String>,
    /// The problem, without a secret.
    pub problem: Option<String>,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// The differences, in order.
    pub entries: Vec<DriftEntry>,
    /// The number of recorded resources, by kind, that no provider can list.
    pub not_compared: BTreeMap<String, usize>,
}

/// Compares the providers' resources with the records.
pub trait DriftCheck: Send + Sync {
    /// Compares. Blocks while the providers list their resources.
    ///
    /// # Errors
    /// Fails if a provider cannot list its resources or the records cannot be read; the message contains no secrets.
    fn differences(&self) -> Result<Differences, String>;

    /// Returns the number of recorded resources by kind, such as `database`. Blocks while the records are read; records that
    /// were read before are not read again.
    ///
    /// # Errors
    /// Fails if the records cannot be read; the message contains no secrets.
    fn resources(&self) -> Result<BTreeMap<String, usize>, String>;
}

/// A resource that is backed up on a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupEntry {
    /// Scope of the resource: business, mode and account.
    pub scope: String,
    /// Resource, such as `database`.
    pub resource: String,
    /// Id of the resource within its scope.
    pub id: String,
    /// Hours between two backups.
    pub every_hours: u32,
    /// How many days a backup is kept.
    pub keep_days: u32,
    /// Time of the newest backup in seconds since the epoch; none if this process has not seen one.
    pub made_at_s: Option<i64>,
    /// The provider's id of the newest backup.
    pub backup_id: Option<String>,
    /// True if the next backup is at least two hours overdue.
    pub is_late: bool,
    /// The last failure, unless a backup was made after it; contains no secret.
    pub problem: Option<String>,
}

/// Lists the resources that are backed up on a schedule.
pub trait BackupList: Send + Sync {
    /// Returns the resources, in order.
    fn backups(&self) -> Vec<BackupEntry>;
}

/// The differences of the last comparison.
pub(super) struct Compared {
    pub(super) at: Instant,
    pub(super) found: Arc<Differences>,
}

/// What operators' requests to a site need.
#[derive(Clone, Default)]
pub struct Tools {
    /// Reads Stripe.
    pub stripe: Option<StripeAccess>,
    /// Compares the providers' resources with the records.
    pub drift: Option<Arc<dyn DriftCheck>>,
    /// Lists the scheduled backups.
    pub backups: Option<Arc<dyn BackupList>>,
    /// Renders previews of mails.
    pub mails: Option<Arc<dyn MailPreviews>>,
    /// The last comparison; locked while one is made, so that requests do not query the providers at the same time.
    pub(super) compared: Arc<Mutex<Option<Compared>>>,
    /// Locked while Stripe is read, since a list of its events takes much memory and a share of its rate limit.
    pub(super) stripe_turn: Arc<Mutex<()>>,
    /// The time of the last count of the resources; locked while a count is in progress.
    counted: Arc<Mutex<Option<Instant>>>,
}

/// The right to count the resources. Nobody else counts them until it is dropped.
pub(crate) struct CountTurn {
    pub(crate) check: Arc<dyn DriftCheck>,
    _turn: OwnedMutexGuard<Option<Instant>>,
}

impl Tools {
    /// Creates the tools.
    pub fn new(stripe: Option<StripeAccess>, drift: Option<Arc<dyn DriftCheck>>) -> Tools {
        Tools { stripe, drift, ..Tools::default() }
    }

    /// Returns the right to count the resources, or none if they were counted a short time ago or are being counted.
    pub(crate) fn turn_to_count(&self) -> Option<CountTurn> {
        let check = self.drift.clone()?;
        let mut turn = self.counted.clone().try_lock_owned().ok()?;
        if turn.is_some_and(|at| at.elapsed() < COUNT_EVERY) {
            return None;
        }
        *turn = Some(Instant::now());
        Some(CountTurn { check, _turn: turn })
    }
}

/// A rendered mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailPreview {
    /// Subject.
    pub subject: String,
    /// Plain text.
    pub plain: String,
    /// HTML.
    pub html: String,
}

/// A mail of a business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailKind {
    /// Name of the template.
    pub template: String,
    /// What can be filled in.
    pub placeholders: Vec<String>,
    /// True if the business has written the mail itself.
    pub is_own: bool,
}

/// A mail to render, without its values.
#[derive(Clone, Copy, Debug)]
pub struct ShownMail<'m> {
    /// Name of the template.
    pub template: &'m str,
    /// The recipient.
    pub to: &'m str,
    /// The account that the mail is about.
    pub account: &'m str,
}

/// Renders previews of mails.
pub trait MailPreviews: Send + Sync {
    /// Returns the mails of the business, including the built-in ones, sorted by name.
    fn kinds(&self) -> Vec<MailKind>;

    /// Renders a mail, or lists the values if there is no template.
    ///
    /// # Errors
    /// Fails with a human-readable message if a value is missing or does not fit.
    fn preview(&self, mail: ShownMail<'_>, values: &Value) -> Result<MailPreview, String>;
}
