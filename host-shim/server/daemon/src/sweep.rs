//! Sweeps at the start and then hourly, on a thread of its own: the own account, then the connected accounts.
//!
//! The data folder has the time of the newest event that a sweep has listed. The next sweep begins some time before it, since
//! Stripe lists an event a moment after its time. If a list was cut off at its maximum, the log tells it.

mod connected;

use crate::background::Stop;
use crate::data::{DataError, DataFolder};
use connected::{ConnectedAccounts, SweptAccounts};
use host_front::Metrics;
use host_provider_api::EventList;
use host_site::sweep::{SweepError, Sweeper, Swept};
use std::sync::Arc;
use std::time::Duration;

/// Time between two sweeps.
const EVERY: Duration = Duration::from_hours(1);
/// Time until the next attempt after a failed sweep.
const AFTER_FAILURE: Duration = Duration::from_mins(5);
/// Overlap of two sweeps, in seconds.
const OVERLAP_S: i64 = 3_600;

/// Everything that the thread needs.
pub(crate) struct SweepSetup {
    pub(crate) sweeper: Sweeper,
    pub(crate) list: Arc<dyn EventList>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) data: DataFolder,
    /// Time of the newest listed event, in seconds since the epoch.
    pub(crate) swept_s: i64,
    pub(crate) connected: ConnectedAccounts,
    /// Number of connected accounts whose events could not be listed at the last sweep.
    pub(crate) failed_accounts: usize,
}

impl SweepSetup {
    /// Reads the files of the data folder. `first_s` is the time of the first start, in seconds since the epoch.
    pub(crate) fn new(
        sweeper: Sweeper,
        list: Arc<dyn EventList>,
        metrics: Arc<Metrics>,
        data: DataFolder,
        first_s: i64,
    ) -> Result<SweepSetup, DataError> {
        let (swept_s, connected) = (data.swept_s(first_s)?, ConnectedAccounts::new(data.swept_connected()?));
        Ok(SweepSetup { sweeper, list, metrics, data, swept_s, connected, failed_accounts: 0 })
    }

    /// Sweeps. Returns the time until the next sweep.
    pub(crate) fn sweep(&mut self, stop: &Stop) -> Duration {
        // An account without a mark was connected after the last sweep.
        let first_s = self.swept_s;
        let own = self.sweeper.sweep(&*self.list, None, self.swept_s.saturating_sub(OVERLAP_S));
        let is_whole = match &own {
            Ok(swept) => {
                self.metrics.swept(self.sweeper.partition(), swept.missed);
                self.tell(swept.missed);
                self.keep(swept)
            }
            Err(error) => {
                self.metrics.sweep_failed(self.sweeper.partition());
                self.complain(error);
                false
            }
        };
        if is_whole & self.sweep_connected(first_s, stop) { EVERY } else { AFTER_FAILURE }
    }

    /// Sweeps the connected accounts. Returns true unless the site did not answer.
    fn sweep_connected(&mut self, first_s: i64, stop: &Stop) -> bool {
        let SweepSetup { sweeper, list, connected, .. } = self;
        let result = connected.sweep(
            first_s,
            |after, limit| sweeper.connected_accounts(after, limit),
            |account, since_s| sweeper.sweep(&**list, Some(account), since_s.saturating_sub(OVERLAP_S)),
            || stop.is_asked(),
        );
        let business = self.sweeper.partition().name();
        if let Err(error) = self.data.set_swept_connected(&self.connected.marks) {
            tracing::error!(business, %error, "the times of the sweeps of connected accounts cannot be kept");
        }
        match result {
            Ok(swept) => {
                self.metrics.swept_accounts(self.sweeper.partition(), swept.swept, swept.failed, swept.missed);
                self.tell(swept.missed);
                self.tell_accounts(swept);
                true
            }
            Err(error) => {
                self.metrics.sweep_failed(self.sweeper.partition());
                self.complain(&error);
                false
            }
        }
    }

    /// Logs the accounts that could not be swept, once for each new number of them.
    fn tell_accounts(&mut self, swept: SweptAccounts) {
        let business = self.sweeper.partition().name();
        if swept.cut_off > 0 {
            let accounts = swept.cut_off;
            tracing::error!(
                business,
                accounts,
                "connected accounts have more events since the last sweep; send the older ones again"
            );
        }
        if swept.failed > 0 && swept.failed != self.failed_accounts {
            let accounts = swept.failed;
            tracing::warn!(business, accounts, "the events of some connected accounts cannot be listed");
        }
        self.failed_accounts = swept.failed;
    }

    fn tell(&self, missed: usize) {
        if missed > 0 {
            let business = self.sweeper.partition().name();
            tracing::warn!(business, missed, "events of Stripe had not arrived as webhooks; they are stored now");
        }
    }

    /// Keeps the time of the newest event. Returns false if older events may be missing.
    fn keep(&mut self, swept: &Swept) -> bool {
        let business = self.sweeper.partition().name();
        if !swept.is_complete {
            let listed = swept.listed;
            tracing::error!(business, listed, "Stripe has more events since the last sweep; send the older ones again");
        }
        self.swept_s = self.swept_s.max(swept.newest_s.unwrap_or(self.swept_s));
        if let Err(error) = self.data.set_swept_s(self.swept_s) {
            tracing::error!(business, %error, "the time of the sweep cannot be kept");
        }
        swept.is_complete
    }

    fn complain(&self, error: &SweepError) {
        let (business, minutes) = (self.sweeper.partition().name(), AFTER_FAILURE.as_secs() / 60);
        tracing::error!(business, minutes, %error, "the sweep failed, and is tried again in some minutes");
    }
}
