//! Finds events whose webhook deliveries were lost in the provider's list, and accepts them.
//!
//! A list begins with the newest event, but a sweep must begin with the oldest, so that it can record its progress. A list that does
//! not fit into memory is therefore read in parts, first down to the oldest event and then back up. After each part, the store has
//! its events and a mark at its newest event, from which the next sweep continues, even after a restart.

mod marks;

use crate::site::questions::{NotAsked, Questioner};
use extension_contract::CONNECTED_ACCOUNT_CLAIMS;
use host_engine::clock::ClockSource;
use host_engine::processor::Processor;
use host_engine::writer::{JobError, Jobs};
use host_intake::raw;
use host_provider_api::{EventList, EventQuery, ListedEvents};
use host_store::{Partition, Read, StoreError, Stored};
use serde_json::Value;
use std::sync::mpsc::sync_channel;

/// Source of Stripe's events.
const SOURCE: &str = "stripe";
/// Number of events that are looked up together.
const CHUNK: usize = 200;
/// Age at which the delivery of an event counts as lost, in seconds. Stripe delivers within seconds.
const LOST_AFTER_S: i64 = 120;

/// Overlap of two sweeps, in seconds: Stripe lists an event a moment after the event's time.
const OVERLAP_S: i64 = 3_600;
/// Maximum number of lists per sweep: a hundred million events. The next sweep continues.
const LISTS_MAX: usize = 100_000;

/// The result of a sweep, or its progress so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Number of events that were listed and are now stored.
    pub listed: usize,
    /// Number of events that were not stored before and are now, and that are old enough for their deliveries to count as lost.
    pub missed: usize,
    /// Number of younger events that were not stored before and are now. Their deliveries may still be on their way.
    pub early: usize,
    /// Number of events that were not stored because they cannot be read.
    pub refused: usize,
    /// Time up to which all events are stored, by the provider's clock, in seconds since the epoch.
    pub newest_s: i64,
    /// Number of parts of the list that are still to be read, as far as known.
    pub parts_left: usize,
}

/// The reason why a sweep stopped. What it has accepted stays accepted.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The provider does not list its events.
    #[error("the list of events: {0}")]
    List(String),
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

    /// Returns the time up to which all events of an account are stored, in seconds since the epoch; none before its first sweep.
    ///
    /// # Errors
    /// Fails if the site is busy or has stopped, or if the store fails.
    pub fn mark(&self, connected: Option<&str>) -> Result<Option<i64>, SweepError> {
        let (partition, connected) = (self.partition.clone(), connected.map(str::to_owned));
        self.read(move |store| marks::read(store, &partition, connected.as_deref()))
    }

    fn set_mark(&self, connected: Option<&str>, newest_s: i64) -> Result<(), SweepError> {
        let (partition, connected) = (self.partition.clone(), connected.map(str::to_owned));
        let write = move |processor: &mut Processor| {
            marks::write(processor.store_mut(), &partition, connected.as_deref(), newest_s)
        };
        Ok(self.jobs.look(write)??)
    }

    /// Lists the events of the own account or of a connected account since some time before its mark, and accepts those that are not
    /// stored, oldest first. This includes events whose deliveries may still be on their way; a later delivery is then a duplicate.
    /// An account without a mark begins at `first_s`, a time of the provider in seconds since the epoch. After each part of the list,
    /// its events and the mark are committed. Calls `goes_on` after each part that was read; if it returns false, the sweep ends.
    ///
    /// # Errors
    /// Fails if the list cannot be read, or the site does not accept an event. The mark is then at the last complete part.
    pub fn sweep(
        &self,
        list: &dyn EventList,
        connected: Option<&str>,
        first_s: i64,
        goes_on: &mut dyn FnMut(&Swept) -> bool,
    ) -> Result<Swept, SweepError> {
        let mark = match self.mark(connected)? {
            Some(mark) => mark,
            None => {
                self.set_mark(connected, first_s)?;
                first_s
            }
        };
        let since_s = mark.saturating_sub(OVERLAP_S);
        let mut swept = Swept { newest_s: mark, parts_left: 1, ..Swept::default() };
        // The events before which the parts begin, with the oldest part last; none means the beginning of the list.
        let mut parts: Vec<Option<String>> = vec![None];
        // The event before which all events are stored: the last one of the next part, unless others came in between.
        let mut stored_before: Option<String> = None;
        let mut newest_listed_s = None;
        for _ in 0..LISTS_MAX {
            let Some(before) = parts.last().cloned() else { break };
            let (livemode, before) = (self.partition.livemode, before.as_deref());
            let query = EventQuery { livemode, connected_account: connected, since_s, before };
            let ListedEvents { mut events, is_complete } = list.events(&query).map_err(SweepError::List)?;
            newest_listed_s = newest_listed_s.max(events.iter().filter_map(created_s).max());
            let last = stored_before.as_ref().and_then(|id| events.iter().position(|event| id_of(event) == Some(id)));
            if is_complete || last.is_some() {
                events.truncate(last.map_or(events.len(), |last| last + 1));
                self.take(events, connected, newest_listed_s, &mut swept)?;
                stored_before = parts.pop().flatten();
            } else {
                // The part contains older events, which must be stored first.
                let oldest = events.last().and_then(id_of).map(str::to_owned);
                let is_older = oldest.is_some() && !parts.contains(&oldest);
                if !is_older {
                    return Err(SweepError::List("the list has no end".to_owned()));
                }
                parts.push(oldest);
            }
            swept.parts_left = parts.len();
            if !goes_on(&swept) {
                break;
            }
        }
        Ok(swept)
    }

    /// Accepts the events of a part that are not stored, oldest first, then moves the mark.
    fn take(
        &self,
        mut events: Vec<Value>,
        connected: Option<&str>,
        newest_listed_s: Option<i64>,
        swept: &mut Swept,
    ) -> Result<(), SweepError> {
        events.reverse();
        if let Some(connected) = connected {
            // Only a delivery contains the account; a list of the account's events does not.
            let objects = events.iter_mut().filter_map(Value::as_object_mut);
            objects.for_each(|event| _ = event.insert("account".to_owned(), connected.into()));
        }
        // The host's clock may be behind the provider's.
        let now_s = self.clock.now().div_euclid(1_000).max(newest_listed_s.unwrap_or(0));
        for chunk in events.chunks(CHUNK) {
            for event in self.unknown(chunk)? {
                let bytes = event.to_string().into_bytes();
                let Ok(decoded) = raw::read(bytes, &self.partition.business, self.clock.now()) else {
                    // A delivery of it would be refused too. It must not block the others forever.
                    swept.refused += 1;
                    continue;
                };
                self.jobs.accept(decoded, Vec::new())?.wait()?;
                let count = if is_lost(event, now_s) { &mut swept.missed } else { &mut swept.early };
                *count += 1;
            }
            swept.listed += chunk.len();
        }
        let newest_s = events.iter().filter_map(created_s).max().unwrap_or(swept.newest_s);
        if newest_s > swept.newest_s {
            self.set_mark(connected, newest_s)?;
            swept.newest_s = newest_s;
        }
        Ok(())
    }

    /// Returns the ids of the connected accounts held by accounts of the site, after the id `after`, in order.
    ///
    /// # Errors
    /// Fails if the site is busy or has stopped, or if the store fails.
    pub fn connected_accounts(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, SweepError> {
        let prefix = format!("{}//{CONNECTED_ACCOUNT_CLAIMS}", self.partition.name());
        let after = after.map(|after| format!("{prefix}{after}"));
        let start = prefix.len();
        let held = self.read(move |store| store.claims_after(&prefix, after.as_deref(), limit))?;
        Ok(held.into_iter().map(|(mut key, _)| key.split_off(start)).collect())
    }

    /// Returns the events that are not stored.
    fn unknown<'e>(&self, events: &'e [Value]) -> Result<Vec<&'e Value>, SweepError> {
        let ids: Vec<String> = events.iter().map(|event| id_of(event).unwrap_or_default().to_owned()).collect();
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

fn id_of(event: &Value) -> Option<&str> {
    event["id"].as_str()
}

/// Returns the time of an event by the provider's clock, in seconds since the epoch.
fn created_s(event: &Value) -> Option<i64> {
    event["created"].as_i64()
}

/// Returns true if the delivery of an event that is not stored counts as lost.
fn is_lost(event: &Value, now_s: i64) -> bool {
    created_s(event).is_none_or(|created_s| now_s.saturating_sub(created_s) >= LOST_AFTER_S)
}
