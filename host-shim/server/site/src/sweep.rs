//! Finds events whose webhook deliveries were lost, in the provider's list, and accepts them.

use crate::questions::{NotAsked, Questioner};
use host::clock::ClockSource;
use host::writer::{JobError, Jobs};
use host_intake::raw::{self, InputError};
use host_provider_api::{EventList, ListedEvents};
use host_store::{Partition, StoreError};
use serde_json::Value;
use std::sync::mpsc::sync_channel;

/// Source of Stripe's events.
const SOURCE: &str = "stripe";
/// Number of events that are looked up together.
const CHUNK: usize = 200;

/// The result of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Number of listed events.
    pub listed: usize,
    /// Number of events that were not stored before, and are now.
    pub missed: usize,
    /// Time of the newest listed event by the provider's clock, in seconds since the epoch.
    pub newest_s: Option<i64>,
    /// False if the provider has older events of the time asked for, which were not listed.
    pub is_complete: bool,
}

/// The reason why a sweep stopped. What it has accepted stays accepted.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The provider does not list its events.
    #[error("the list of events: {0}")]
    List(String),
    /// An entry of the list is not an event.
    #[error("an entry of the list of events: {0}")]
    Entry(#[from] InputError),
    /// The site is busy or has stopped.
    #[error(transparent)]
    NotAsked(#[from] NotAsked),
    /// The site has stopped.
    #[error(transparent)]
    NotAccepted(#[from] JobError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sweeps for a site. A site ends only after its sweepers are dropped.
pub struct Sweeper {
    pub(crate) partition: Partition,
    pub(crate) jobs: Jobs,
    pub(crate) questioner: Questioner,
    pub(crate) clock: ClockSource,
}

impl Sweeper {
    /// Returns the business and the mode.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Lists the events since `since_s`, a time of the provider in seconds since the epoch, and accepts those that are not
    /// stored, oldest first. Returns after their commit.
    ///
    /// # Errors
    /// Fails if the list cannot be read, or the site does not take an event.
    pub fn sweep(&self, list: &dyn EventList, since_s: i64) -> Result<Swept, SweepError> {
        let listed = list.events_since(self.partition.livemode, since_s);
        let ListedEvents { mut events, is_complete } = listed.map_err(SweepError::List)?;
        events.reverse();
        let newest_s = events.iter().filter_map(|event| event["created"].as_i64()).max();
        let mut missed = 0;
        for chunk in events.chunks(CHUNK) {
            for event in self.unknown(chunk)? {
                let decoded = raw::read(event.to_string().into_bytes(), &self.partition.business, self.clock.now())?;
                self.jobs.accept(decoded, Vec::new())?.wait()?;
                missed += 1;
            }
        }
        Ok(Swept { listed: events.len(), missed, newest_s, is_complete })
    }

    /// Returns the events that are not stored.
    fn unknown<'e>(&self, events: &'e [Value]) -> Result<Vec<&'e Value>, SweepError> {
        let ids: Vec<String> = events.iter().map(|event| event["id"].as_str().unwrap_or_default().to_owned()).collect();
        let partition = self.partition.clone();
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            let known = answerer.read(|store| {
                ids.iter().map(|id| Ok(store.event(&partition, SOURCE, id)?.is_some())).collect::<Result<Vec<_>, _>>()
            });
            // The sweep may have ended.
            let _ = sender.send(known);
        })?;
        let known = answer.recv().map_err(|_| NotAsked::Ended)??;
        Ok(events.iter().zip(known).filter(|(_, known)| !known).map(|(event, _)| event).collect())
    }
}
