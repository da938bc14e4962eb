//! The tools of operators' requests beside the site: they read what the providers have, and how their backups go.

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
    /// Scope of the resource: business, mode and account; none for a resource of which only the name is known.
    pub scope: Option<String>,
    /// Resource, such as `bucket`.
    pub resource: Option<String>,
    /// Id of the resource within its scope.
    pub id: Option<String>,
    /// Name in the remote system, or reference of a secret.
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
    /// The number of recorded resources by kind of which no provider has a list.
    pub not_compared: BTreeMap<String, usize>,
}

/// Compares the providers' resources with the records.
pub trait DriftCheck: Send + Sync {
    /// Compares. Blocks for as long as the providers take to list their resources.
    ///
    /// # Errors
    /// Fails if a provider does not list its resources or the records cannot be read; the text has no secrets.
    fn differences(&self) -> Result<Differences, String>;

    /// Returns the number of recorded resources by their kind, such as `database`. Blocks while the records are read; what was
    /// read before is not read again.
    ///
    /// # Errors
    /// Fails if the records cannot be read; the text has no secrets.
    fn resources(&self) -> Result<BTreeMap<String, usize>, String>;
}

/// A resource that is backed up at regular times.
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
    /// Days for which a backup is kept.
    pub keep_days: u32,
    /// Time of the newest backup in seconds since the epoch; none if this process has not seen one.
    pub made_at_s: Option<i64>,
    /// The provider's id of the newest backup.
    pub backup_id: Option<String>,
    /// True if the next backup should have been made at least two hours ago.
    pub is_late: bool,
    /// The last failure, unless a backup was made after it; without a secret.
    pub problem: Option<String>,
}

/// Lists the resources that are backed up at regular times.
pub trait BackupList: Send + Sync {
    /// Returns the resources, in order.
    fn backups(&self) -> Vec<BackupEntry>;
}

/// The differences of the last comparison.
pub(super) struct Compared {
    pub(super) at: Instant,
    pub(super) found: Arc<Differences>,
}

/// The tools of operators' requests to a site.
#[derive(Clone, Default)]
pub struct Tools {
    /// Reads Stripe.
    pub stripe: Option<StripeAccess>,
    /// Compares the providers' resources with the records.
    pub drift: Option<Arc<dyn DriftCheck>>,
    /// Lists the backups that are made at regular times.
    pub backups: Option<Arc<dyn BackupList>>,
    /// Shows mails as they look.
    pub mails: Option<Arc<dyn MailPreviews>>,
    /// The last comparison; locked while one is made, so that requests do not ask the providers at the same time.
    pub(super) compared: Arc<Mutex<Option<Compared>>>,
    /// Locked while Stripe is read: a list of its events takes much memory and a share of its rate limit.
    pub(super) stripe_turn: Arc<Mutex<()>>,
    /// The time of the last count of the resources; locked while one is made.
    counted: Arc<Mutex<Option<Instant>>>,
}

/// The turn to count the resources. Nobody else counts them until it is dropped.
pub(crate) struct CountTurn {
    pub(crate) check: Arc<dyn DriftCheck>,
    _turn: OwnedMutexGuard<Option<Instant>>,
}

impl Tools {
    /// Makes tools.
    pub fn new(stripe: Option<StripeAccess>, drift: Option<Arc<dyn DriftCheck>>) -> Tools {
        Tools { stripe, drift, ..Tools::default() }
    }

    /// Returns the turn to count the resources; none if they were counted a short time ago or are being counted.
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

/// A mail as it looks.
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
    /// What is filled in.
    pub placeholders: Vec<String>,
    /// True if the business has written the mail itself.
    pub is_own: bool,
}

/// A mail to show, besides its values.
#[derive(Clone, Copy, Debug)]
pub struct ShownMail<'m> {
    /// Name of the template.
    pub template: &'m str,
    /// The recipient.
    pub to: &'m str,
    /// The account that the mail is about.
    pub account: &'m str,
}

/// Shows mails as they look.
pub trait MailPreviews: Send + Sync {
    /// Returns the mails of the business in the order of their names, the built-in ones among them.
    fn kinds(&self) -> Vec<MailKind>;

    /// Fills in a mail, or lists the values if there is no template.
    ///
    /// # Errors
    /// Fails if a value is missing or does not fit; the text is for people.
    fn preview(&self, mail: ShownMail<'_>, values: &Value) -> Result<MailPreview, String>;
}
