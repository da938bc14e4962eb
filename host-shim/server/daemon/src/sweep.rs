//! Sweeps at the start and then hourly, on a thread of its own.
//!
//! The data folder has the time of the newest event that a sweep has listed. The next sweep begins some time before it, since
//! Stripe lists an event a moment after its time. If a list was cut off at its maximum, the log tells it.

use crate::data::DataFolder;
use host_front::Metrics;
use host_provider_api::EventList;
use host_site::sweep::{SweepError, Sweeper, Swept};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time between two sweeps.
const EVERY: Duration = Duration::from_hours(1);
/// Time until the next attempt after a failed sweep.
const AFTER_FAILURE: Duration = Duration::from_mins(5);
/// Overlap of two sweeps, in seconds.
const OVERLAP_S: i64 = 3_600;

/// The thread that sweeps.
pub(crate) struct Sweeping {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// Everything that the thread needs.
pub(crate) struct SweepSetup {
    pub(crate) sweeper: Sweeper,
    pub(crate) list: Arc<dyn EventList>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) data: DataFolder,
    /// Time of the newest listed event, in seconds since the epoch.
    pub(crate) swept_s: i64,
}

impl Sweeping {
    /// Starts the thread.
    pub(crate) fn start(setup: SweepSetup) -> io::Result<Sweeping> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("sweep".to_owned()).spawn(move || {
            let mut setup = setup;
            loop {
                let wait = if setup.sweep() { EVERY } else { AFTER_FAILURE };
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Sweeping { stop, thread })
    }

    /// Ends the thread, and waits for a sweep that has begun.
    pub(crate) fn stop(self) {
        drop(self.stop);
        // A thread that has panicked has ended as well.
        let _ = self.thread.join();
    }
}

impl SweepSetup {
    /// Returns true after a whole sweep.
    fn sweep(&mut self) -> bool {
        let result = self.sweeper.sweep(&*self.list, self.swept_s.saturating_sub(OVERLAP_S));
        match &result {
            Ok(swept) => {
                self.metrics.swept(self.sweeper.partition(), swept.missed);
                self.tell(swept);
                self.keep(swept)
            }
            Err(error) => {
                self.metrics.sweep_failed(self.sweeper.partition());
                self.complain(error);
                false
            }
        }
    }

    fn tell(&self, swept: &Swept) {
        if swept.missed > 0 {
            let (business, missed) = (self.sweeper.partition().name(), swept.missed);
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
