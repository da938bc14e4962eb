//! Sweeps when the server starts and then hourly, on its own thread: first the own account, then the connected accounts.
//!
//! A new store begins at the time of its first start. A store that has events but no mark, for example an imported one, begins with
//! the oldest events that Stripe still has.

mod connected;

use crate::background::{Stop, Work};
use connected::{ConnectedAccounts, SweptAccounts};
use host_api::Metrics;
use host_api::site::sweep::{SweepError, Sweeper, Swept};
use host_provider_api::EventList;
use host_store::Partition;
use std::sync::Arc;
use std::time::Duration;

/// Time between two sweeps.
const EVERY: Duration = Duration::from_hours(1);
/// Time until the next attempt after a failed sweep.
const AFTER_FAILURE: Duration = Duration::from_mins(5);
/// How long Stripe keeps events, in seconds.
const KEPT_S: i64 = 30 * 86_400;

/// Returns the time at which a store without a mark begins, in seconds since the epoch.
pub(crate) fn first_s(now_s: i64, has_events: bool) -> i64 {
    if has_events { now_s.saturating_sub(KEPT_S) } else { now_s }
}

/// Everything that the thread needs.
pub(crate) struct SweepWork {
    pub(crate) sweeper: Sweeper,
    pub(crate) list: Arc<dyn EventList>,
    pub(crate) metrics: Arc<Metrics>,
    /// Time at which a store without a mark begins, in seconds since the epoch.
    pub(crate) first_s: i64,
    pub(crate) connected: ConnectedAccounts,
    /// Number of connected accounts whose events could not be listed at the last sweep.
    pub(crate) failed_accounts: usize,
}

impl Work for SweepWork {
    fn name(&self) -> &'static str {
        "sweep"
    }

    /// Sweeps. Returns the time until the next sweep.
    fn work(&mut self, stop: &Stop) -> Duration {
        match self.sweep_all(stop) {
            Ok(()) => EVERY,
            Err(error) => {
                self.metrics.sweep_failed(self.sweeper.partition());
                let (business, minutes) = (self.sweeper.partition().name(), AFTER_FAILURE.as_secs() / 60);
                tracing::error!(business, minutes, %error, "the sweep failed, and is tried again in some minutes");
                AFTER_FAILURE
            }
        }
    }
}

impl SweepWork {
    pub(crate) fn new(sweeper: Sweeper, list: Arc<dyn EventList>, metrics: Arc<Metrics>, first_s: i64) -> SweepWork {
        SweepWork { sweeper, list, metrics, first_s, connected: ConnectedAccounts::default(), failed_accounts: 0 }
    }

    fn sweep_all(&mut self, stop: &Stop) -> Result<(), SweepError> {
        let SweepWork { sweeper, list, metrics, .. } = self;
        let partition = sweeper.partition().clone();
        // An account without a mark was connected after the last sweep.
        let first_s = sweeper.mark(None)?.unwrap_or(self.first_s);
        let mut counted = 0;
        let own = sweeper.sweep(&**list, None, first_s, &mut |swept| {
            metrics.sweeping(&partition, swept.newest_s, swept.parts_left, swept.missed - counted);
            counted = swept.missed;
            tell_progress(&partition, swept);
            !stop.is_asked()
        })?;
        tell_missed(&partition, own.missed, own.refused);
        if own.parts_left > 0 {
            return Ok(());
        }
        metrics.swept(&partition);
        let accounts = self.connected.sweep(
            |after, limit| sweeper.connected_accounts(after, limit),
            |account| sweeper.sweep(&**list, Some(account), first_s, &mut |_| !stop.is_asked()),
            || stop.is_asked(),
        )?;
        metrics.swept_accounts(&partition, accounts.swept, accounts.failed, accounts.missed);
        tell_missed(&partition, accounts.missed, accounts.refused);
        self.tell_accounts(accounts);
        Ok(())
    }

    /// Logs the accounts that could not be swept, whenever their number has changed.
    fn tell_accounts(&mut self, swept: SweptAccounts) {
        let business = self.sweeper.partition().name();
        if swept.failed > 0 && swept.failed != self.failed_accounts {
            let accounts = swept.failed;
            tracing::warn!(business, accounts, "the events of some connected accounts cannot be listed");
        }
        self.failed_accounts = swept.failed;
    }
}

/// Logs the progress of a sweep of many events.
fn tell_progress(partition: &Partition, swept: &Swept) {
    if swept.parts_left > 0 {
        let Swept { listed, missed, newest_s, parts_left, .. } = *swept;
        tracing::info!(
            business = partition.name(),
            listed,
            missed,
            newest_s,
            parts_left,
            "Stripe has many events since the last sweep; they are read in parts"
        );
    }
}

fn tell_missed(partition: &Partition, missed: usize, refused: usize) {
    let business = partition.name();
    if missed > 0 {
        tracing::warn!(business, missed, "events of Stripe had not arrived as webhooks; they are stored now");
    }
    if refused > 0 {
        tracing::error!(business, refused, "some events in the list of Stripe cannot be read, and are not stored");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_store_begins_now_and_one_that_lost_its_mark_with_the_oldest_events() {
        assert_eq!(first_s(3_000_000, false), 3_000_000);
        assert_eq!(first_s(3_000_000, true), 408_000);
    }
}
