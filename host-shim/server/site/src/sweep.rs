//! Finds events whose webhook deliveries were lost, in the provider's list, and accepts them.

use crate::questions::{NotAsked, Questioner};
use extension_contract::CONNECTED_ACCOUNT_CLAIMS;
use host::clock::ClockSource;
use host::writer::{JobError, Jobs};
use host_intake::raw::{self, InputError};
use host_provider_api::{EventList, ListedEvents};
use host_store::{Partition, Read, StoreError, Stored};
use serde_json::Value;
use std::sync::mpsc::sync_channel;

/// Source of Stripe's events.
const SOURCE: &str = "stripe";
/// Number of events that are looked up together.
const CHUNK: usize = 200;
/// Age of an event at which its delivery counts as lost, in seconds. Stripe delivers within seconds.
const LOST_AFTER_S: i64 = 120;

/// The result of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Number of listed events.
    pub listed: usize,
    /// Number of events that were not stored before, are now, and are so old that their deliveries count as lost.
    pub missed: usize,
    /// Number of younger events that were not stored before, and are now. Their deliveries may be on their way.
    pub early: usize,
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

    /// Lists the events of the own account or of a connected account since `since_s`, a time of the provider in seconds
    /// since the epoch, and accepts those that are not stored, oldest first, also those whose deliveries may be on
    /// their way: a later delivery is a duplicate. Returns after their commit.
    ///
    /// # Errors
    /// Fails if the list cannot be read, or the site does not take an event.
    pub fn sweep(&self, list: &dyn EventList, connected: Option<&str>, since_s: i64) -> Result<Swept, SweepError> {
        let listed = list.events_since(self.partition.livemode, connected, since_s);
        let ListedEvents { mut events, is_complete } = listed.map_err(SweepError::List)?;
        events.reverse();
        if let Some(connected) = connected {
            // Only a delivery names the account; a list of the account's events does not.
            let objects = events.iter_mut().filter_map(Value::as_object_mut);
            objects.for_each(|event| _ = event.insert("account".to_owned(), connected.into()));
        }
        let newest_s = events.iter().filter_map(created_s).max();
        // The host's clock may be behind the provider's.
        let now_s = self.clock.now().div_euclid(1_000).max(newest_s.unwrap_or(0));
        let (mut missed, mut early) = (0, 0);
        for chunk in events.chunks(CHUNK) {
            for event in self.unknown(chunk)? {
                let decoded = raw::read(event.to_string().into_bytes(), &self.partition.business, self.clock.now())?;
                self.jobs.accept(decoded, Vec::new())?.wait()?;
                let count = if is_lost(event, now_s) { &mut missed } else { &mut early };
                *count += 1;
            }
        }
        Ok(Swept { listed: events.len(), missed, early, newest_s, is_complete })
    }

    /// Returns the ids of the connected accounts that accounts of the site hold, after the id `after`, in order.
    ///
    /// # Errors
    /// Fails if the site is busy or has stopped, or if the store fails.
    pub fn connected_accounts(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, SweepError> {
        let prefix = format!("{}//{CONNECTED_ACCOUNT_CLAIMS}", self.partition.name());
        let after = after.map(|after| format!("{prefix}{after}"));
        let start = prefix.len();
        let keys = self.read(move |store| store.claim_keys(&prefix, after.as_deref(), limit))?;
        Ok(keys.into_iter().map(|mut key| key.split_off(start)).collect())
    }

    /// Returns the events that are not stored.
    fn unknown<'e>(&self, events: &'e [Value]) -> Result<Vec<&'e Value>, SweepError> {
        let ids: Vec<String> = events.iter().map(|event| event["id"].as_str().unwrap_or_default().to_owned()).collect();
        let partition = self.partition.clone();
        let known = self.read(move |store| {
            ids.iter().map(|id| Ok(store.event(&partition, SOURCE, id)?.is_some())).collect::<Result<Vec<_>, _>>()
        })?;
        Ok(events.iter().zip(known).filter(|(_, known)| !known).map(|(event, _)| event).collect())
    }

    /// Reads the store on a thread that answers questions.
    fn read<T: Send + 'static>(
        &self,
        body: impl FnOnce(&dyn Read) -> Stored<T> + Send + 'static,
    ) -> Result<T, SweepError> {
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            // The sweep may have ended.
            let _ = sender.send(answerer.read(body));
        })?;
        Ok(answer.recv().map_err(|_| NotAsked::Ended)??)
    }
}

/// Returns the time of an event by the provider's clock, in seconds since the epoch.
fn created_s(event: &Value) -> Option<i64> {
    event["created"].as_i64()
}

/// Returns true if the delivery of an event that is not stored counts as lost.
fn is_lost(event: &Value, now_s: i64) -> bool {
    created_s(event).is_none_or(|created_s| now_s.saturating_sub(created_s) >= LOST_AFTER_S)
}
