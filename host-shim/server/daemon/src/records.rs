//! Reads which resources should exist, for the threads of a business that compare or back them up.
//!
//! The records are read a page at a time by the threads that answer questions, so that neither the writer nor a question waits
//! for long. What was read before is kept.

use extension_contract::{Account, Actor, Question};
use host::outbox::{Recorded, ResourceUse, use_of};
use host::processor::{AskError, Questions};
use host::read::product;
use host::view::parsed;
use host_provider_api::ResourceId;
use host_site::questions::{NotAsked, Questioner};
use host_store::{Partition, StoreError};
use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Maximum number of checkouts of an account among which the newest one is searched.
const CONTACTS_MAX: usize = 1_000;

/// The reason why the records were not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnreadRecords {
    /// The site is busy or has stopped.
    #[error(transparent)]
    NotAsked(#[from] NotAsked),
    /// The store failed.
    #[error("the records cannot be read")]
    Store(#[from] StoreError),
    /// The extension did not answer.
    #[error("an account cannot be read")]
    Account(#[from] AskError),
}

/// The records of one business in one mode. They must be dropped before the site stops, which would wait for them.
pub(crate) struct Records {
    partition: Partition,
    questioner: Questioner,
    recorded: Mutex<Recorded>,
}

impl Records {
    pub(crate) fn new(partition: Partition, questioner: Questioner) -> Records {
        Records { partition, questioner, recorded: Mutex::default() }
    }

    /// Returns the business and the mode.
    pub(crate) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Reads the records that were written since the last time.
    pub(crate) fn read(&self) -> Result<MutexGuard<'_, Recorded>, UnreadRecords> {
        // A panic of a reader leaves records that are still those of some page.
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        while self.read_page(&mut recorded)? {}
        Ok(recorded)
    }

    /// Returns what refers to each of these resources.
    pub(crate) fn uses(&self, ids: Vec<ResourceId>) -> Result<BTreeMap<ResourceId, ResourceUse>, UnreadRecords> {
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            let found = answerer.read(|store| {
                let found = ids.into_iter().map(|id| Ok(use_of(store, &id)?.map(|used| (id, used))));
                found.filter_map(Result::transpose).collect::<Result<_, StoreError>>()
            });
            // The reader may have ended.
            let _ = sender.send(found);
        })?;
        Ok(answer.recv().map_err(|_| NotAsked::Ended)??)
    }

    /// Returns the name of a product of an account; none if it has none, or if the site is busy.
    pub(crate) fn product_name(&self, account: Account, id: &str) -> Option<String> {
        let (scope, id) = (self.partition.scope(account), id.to_owned());
        let (sender, answer) = sync_channel(1);
        let asked = self.questioner.try_ask(move |answerer| {
            let found = answerer.read(|store| product(store, &scope, &id)).ok().flatten();
            // The reader may have ended.
            let _ = sender.send(found.map(|product| product.values.name));
        });
        asked.ok().and_then(|()| answer.recv().ok()).flatten().filter(|name| !name.is_empty())
    }

    /// Returns the buyer's address of the newest checkout of an account that was made elsewhere; none without one.
    pub(crate) fn buyer(&self, account: Account) -> Result<Option<String>, UnreadRecords> {
        let question = Question { account, actor: Actor::system(), at: 0 };
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            // The reader may have ended.
            let _ = sender.send(answerer.ask_whole_list(&question, "contacts", None, CONTACTS_MAX));
        })?;
        let (rows, _) = answer.recv().map_err(|_| NotAsked::Ended)??;
        let contacts = rows.into_iter().map(|row| (parsed(&row.value), row.id));
        let newest = contacts.max_by_key(|(contact, id)| (contact["at"].as_i64(), id.clone()));
        Ok(newest.and_then(|(contact, _)| contact["email"].as_str().map(str::to_owned)))
    }

    /// Reads the next page of records. Returns false at the end.
    fn read_page(&self, recorded: &mut Recorded) -> Result<bool, UnreadRecords> {
        let (mut so_far, partition) = (std::mem::take(recorded), self.partition.clone());
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            let more = answerer.read(|store| so_far.read_page(store, Some(&partition)));
            // The reader may have ended.
            let _ = sender.send((so_far, more));
        })?;
        let (so_far, more) = answer.recv().map_err(|_| NotAsked::Ended)?;
        *recorded = so_far;
        Ok(more?)
    }
}
