//! Follows the decisions of other hosts of the same store, so that this host's callers, live pages and webhooks learn of
//! them.

use crate::site::observer::Observer;
use crate::site::replies::Replies;
use extension_contract::Account;
use host_engine::processor::{Processor, Report};
use host_store::{NewsPlace, Partition, Reader, Stored};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Interval between two looks at the store.
const PAUSE: Duration = Duration::from_millis(100);
/// Time until the next look after a store failure.
const PATIENCE: Duration = Duration::from_secs(1);
/// Maximum number of new events per look.
const EVENTS_MAX: usize = 1_000;

/// The numbers of events that this host has decided since the last look; its observer already knows them.
#[derive(Clone, Default)]
pub(crate) struct Own(Arc<Mutex<HashSet<u64>>>);

impl Own {
    pub(crate) fn add(&self, reports: &[Report]) {
        self.lock().extend(reports.iter().map(|report| report.seq));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that follows other hosts.
pub(crate) struct Following {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Following {
    /// Ends the thread.
    pub(crate) fn stop(self) {
        drop(self.stop);
        // A thread that has panicked has ended too.
        let _ = self.thread.join();
    }
}

/// Follows the hosts of a store from now on.
pub(crate) struct Follower {
    partition: Partition,
    reader: Box<dyn Reader>,
    own: Own,
    replies: Arc<Replies>,
    observer: Arc<dyn Observer>,
}

impl Follower {
    /// Returns a follower; none for a store without other hosts.
    ///
    /// # Errors
    /// Fails if the store opens no reader.
    pub(crate) fn of(
        processor: &Processor,
        own: Own,
        replies: Arc<Replies>,
        observer: Arc<dyn Observer>,
    ) -> Stored<Option<Follower>> {
        if !processor.store().has_peers() {
            return Ok(None);
        }
        let (partition, reader) = (processor.partition().clone(), processor.store().reader()?);
        Ok(Some(Follower { partition, reader, own, replies, observer }))
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// Fails if the thread cannot be started.
    pub(crate) fn spawn(mut self) -> io::Result<Following> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("news".to_owned()).spawn(move || {
            let mut place = None;
            loop {
                let pause = match self.look(&mut place) {
                    Ok(()) => PAUSE,
                    Err(error) => {
                        self.observer.failed(&error.into());
                        PATIENCE
                    }
                };
                if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
        })?;
        Ok(Following { stop, thread })
    }

    /// Reads the events after a position, and reports them.
    fn look(&mut self, place: &mut Option<NewsPlace>) -> Stored<()> {
        self.reader.begin()?;
        let read = self.read(*place);
        self.reader.end()?;
        let (told, next) = read?;
        *place = Some(next);
        if !told.is_empty() {
            self.observer.elsewhere(&told);
        }
        Ok(())
    }

    /// Returns the accounts that other hosts decided about, and answers the callers of this host.
    fn read(&self, place: Option<NewsPlace>) -> Stored<(Vec<Account>, NewsPlace)> {
        let (news, next) = self.reader.news(&self.partition, place, EVENTS_MAX)?;
        let mut accounts = BTreeMap::new();
        {
            let mut own = self.own.lock();
            for it in news {
                // An older event may have been decided on both hosts; it does no harm to report an account twice.
                let is_own = it.is_new && own.remove(&it.seq);
                if let Some(account) = it.account.filter(|_| !is_own) {
                    accounts.insert(account.to_string(), account);
                }
            }
            own.retain(|seq| *seq > next.accepted);
        }
        let accounts: Vec<_> = accounts.into_values().collect();
        for caller in self.replies.of_accounts(&accounts) {
            if let Some(reply) = self.reader.reply(&self.partition.scope(caller.account), &caller.name)? {
                self.replies.answer(&caller.name, &reply);
            }
        }
        Ok((accounts, next))
    }
}
