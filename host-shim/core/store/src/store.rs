//! The traits of all stores: queries, and the handle that writes. Each has one conformance suite for all implementations.

use crate::changes::{Applied, Changes};
use crate::error::{StoreError, Stored};
use crate::rows::{
    AccountRow, ClaimRow, DueQuery, EffectRow, InboxRow, LeaseRequest, OpenedRows, PlaceQuery, Placed, Run, Wait,
};
use crate::scope::{Partition, Scope};
use extension_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Product, Reference, Reply, RowKey, RowKind, Selection, StoredRow,
    Timestamp,
};
use std::any::Any;

/// Answers each query of [`Read`] from another store.
pub trait Lend {
    /// Calls `body` with the other store.
    ///
    /// # Errors
    /// Fails if no store can be lent now.
    fn lend<T>(&self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T>;
}

/// Declares the trait as it is written, and implements it for every [`Lend`].
macro_rules! lendable {
    ($(#[$about:meta])* pub trait $trait:ident {
        $($(#[$of:meta])* fn $query:ident(&self $(, $name:ident: $given:ty)* $(,)?) -> $answer:ty;)*
    }) => {
        $(#[$about])*
        pub trait $trait {
            $($(#[$of])* fn $query(&self $(, $name: $given)*) -> $answer;)*
        }

        impl<L: Lend> $trait for L {
            $(fn $query(&self $(, $name: $given)*) -> $answer {
                self.lend(|store| store.$query($($name),*))
            })*
        }
    };
}

lendable! {
/// The queries of a store.
///
/// A method that takes a list of keys returns a list of the same length and order.
///
/// # Errors
/// Every method fails with `StoreError::Unavailable` if the underlying storage fails.
pub trait Read {
    /// Reads everything that an event of the account needs.
    ///
    /// `rows` are the live rows and at most [`REFERENCES_MAX`](extension_contract::REFERENCES_MAX) other rows,
    /// including the `named` rows. The search for the other rows starts at the named rows, and goes breadth first over
    /// references in both directions (a row's own references before its referrers). Then it starts at the live rows,
    /// and follows only their own references. A soft-deleted product is included only if it is named or referred to.
    /// `catalog` holds the products and prices of the catalog that the named references and the rows' references name,
    /// each once.
    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows>;
    /// Finds the account of an event by its claims, and reads everything that the event needs from it.
    ///
    /// The account is the holder of the claims that are held at `query.now`, or `query.otherwise` if nobody holds them.
    /// Returns the claims. Returns no account if the claims have several holders, or if they have none and `otherwise`
    /// is absent.
    fn place(&self, query: &PlaceQuery<'_>) -> Stored<(Vec<Option<ClaimRow>>, Option<Placed>)>;
    /// Returns rows of the scope by key, including soft-deleted products.
    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>>;
    /// Returns rows of the scope: a listing in byte order of the ids, or the outdated rows, least recently written
    /// first. Omits soft-deleted products.
    fn more(&self, scope: &Scope, selection: &Selection, limit: usize) -> Stored<Vec<StoredRow>>;
    /// Returns the rows of a kind after the id `after`, in byte order of their ids, including soft-deleted products.
    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, limit: usize) -> Stored<Vec<StoredRow>>;
    /// Returns the collections of the scope that have records, in byte order.
    fn collections(&self, scope: &Scope) -> Stored<Vec<String>>;
    /// Returns for each fact whether the scope has it.
    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>>;
    /// Returns the row of the scope; the default for a new scope.
    fn account(&self, scope: &Scope) -> Stored<AccountRow>;
    /// Returns the last reply to a caller of the scope; none after an erasure of the account.
    fn reply(&self, scope: &Scope, caller: &str) -> Stored<Option<Reply>>;

    /// Returns claims by full key.
    fn claims(&self, full_keys: &[String]) -> Stored<Vec<Option<ClaimRow>>>;
    /// Returns the full keys with this prefix that the scope's account holds, in order.
    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>>;
    /// Returns the claims and blocks whose full keys begin with `prefix`, after the key `after`, in order of the full keys.
    fn claims_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Stored<Vec<(String, ClaimRow)>>;

    /// Returns the products of the catalog that match the query, after the id `after`, in byte order of their ids.
    /// Omits deleted products.
    fn catalog_find(
        &self,
        partition: &Partition,
        query: &CatalogQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Product>>;
    /// Returns products and prices of the catalog by key, including deleted products. Returns none for each setting,
    /// since settings are not in the store.
    fn catalog_read(&self, partition: &Partition, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>>;

    /// Returns the generations of an effect of the scope, oldest first, including finished and cancelled generations.
    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>>;
    /// Returns all effects of the scope after the `seq` `after`, in order of `seq`, including finished and cancelled
    /// effects.
    fn effects_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<EffectRow>>;
    /// Returns the effects that may begin: queued, due, and the first open effect of their ordering key; in order of
    /// due time, then `seq`, unless the query asks for turns. Without timers, omits effects of kind `timer.at` (a
    /// replay with paused timers may have many of them). Omits effects of busy kinds unless they need no call
    /// ([`EffectRow::needs_call`]).
    fn effects_due(&self, query: &DueQuery<'_>) -> Stored<Vec<EffectRow>>;
    /// Returns the running effects in order of `seq`. A starting host resumes them.
    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>>;
    /// Returns the finished effects whose lease has a token, in order of `seq`: their providers were still working on them at the
    /// deadline. A starting host asks these providers for a late success.
    fn effects_awaited(&self, partition: &Partition) -> Stored<Vec<EffectRow>>;
    /// Returns the effects of the scope that have not ended, in order of `seq`.
    fn effects_open(&self, scope: &Scope) -> Stored<Vec<EffectRow>>;
    /// Returns the effects of all accounts that have not ended, after the `seq` `after`, in order of `seq`.
    fn effects_open_after(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<EffectRow>>;
    /// Returns an effect of any partition by its `seq`, in any state.
    fn effect_at(&self, seq: u64) -> Stored<Option<EffectRow>>;
    /// Returns the time at which the next effect becomes due after `now`, including timers and retries.
    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>>;

    /// Returns the row of an event by its identity: partition, source and id.
    fn event(&self, partition: &Partition, source: &str, id: &str) -> Stored<Option<InboxRow>>;
    /// Returns an inbox row of any partition by its number.
    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>>;
    /// Returns the inbox rows of a partition, or of all partitions, after the number `after`, in order of acceptance.
    fn inbox_after(&self, partition: Option<&Partition>, after: u64, limit: usize) -> Stored<Vec<InboxRow>>;
    /// Returns the inbox rows of an account after the number `after`, in order of acceptance. Reads no rows of other
    /// accounts.
    fn inbox_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<InboxRow>>;
    /// Returns the inbox rows of effect results ([`EFFECT_RESULTS`](crate::EFFECT_RESULTS)) of all partitions after the number
    /// `after`, in order of acceptance.
    fn effect_results_after(&self, after: u64, limit: usize) -> Stored<Vec<InboxRow>>;
    /// Returns the number of the newest inbox row of all partitions; 0 for an empty inbox.
    fn inbox_newest(&self) -> Stored<u64>;
    /// Returns the runs of an event of any partition, first to last.
    fn runs(&self, seq: u64) -> Stored<Vec<Run>>;
    /// Returns the numbers of the pending rows that may be tried at `now`, in order of acceptance.
    fn inbox_due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Stored<Vec<u64>>;
    /// Returns the time at which the next pending row becomes due after `now`.
    fn inbox_next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>>;
    /// Returns the numbers of the parked or deferred rows that wait for one of these full keys, of the partitions that the
    /// keys name, in order of acceptance.
    /// A full key is `claim:` and a full claim key, or `fact:` / `effect:`, the name of a scope and the key of the fact
    /// or effect.
    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>>;
    /// Returns the numbers of the rows that were parked, or deferred, before a time, longest wait first.
    fn waiting_before(&self, partition: &Partition, wait: Wait, before: Timestamp, limit: usize) -> Stored<Vec<u64>>;
    /// Returns the number of parked rows.
    fn parked_count(&self, partition: &Partition) -> Stored<u64>;
    /// Returns the dead letters after the number `after`, in order of acceptance.
    fn dead(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>>;
    /// Returns the pending rows and the dead letters after the number `after`, in order of acceptance.
    fn failed(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>>;

    /// Returns the scopes of a partition, or of all partitions, that ever had rows, in order of business, mode (test
    /// first) and account text.
    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>>;
}
}

/// Like [`Read::place`], with one query for the event's claims and a second one for its account.
pub(crate) fn place_by_steps(
    read: &(impl Read + ?Sized),
    query: &PlaceQuery<'_>,
) -> Stored<(Vec<Option<ClaimRow>>, Option<Placed>)> {
    let PlaceQuery { partition, claims, now, otherwise, named, facts } = *query;
    let rows = read.claims(claims)?;
    let is_held = |row: &&ClaimRow| row.until.is_none_or(|until| until > now);
    let mut holders = rows.iter().flatten().filter(is_held).filter_map(|row| row.holder.as_ref());
    let first = holders.next();
    if holders.any(|holder| Some(holder) != first) {
        return Ok((rows, None));
    }
    let Some(account) = first.or(otherwise).cloned() else { return Ok((rows, None)) };
    let opened = read.open(&partition.scope(account.clone()), named, facts)?;
    Ok((rows, Some(Placed { account, rows: opened })))
}

/// A position in the log of a store: the reader knows everything before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewsPlace {
    /// Number of the last new event.
    pub accepted: u64,
    /// First transaction whose changes of older events are not known.
    pub changed: u64,
}

/// An event that a host has stored, or decided later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Its number.
    pub seq: u64,
    /// Its account, if it was placed.
    pub account: Option<Account>,
    /// True for a new event. For the older events of an account, only the last change is reported.
    pub is_new: bool,
}

/// A handle that only reads, separate from the handle that writes. Any number of readers may be open, each on its own thread.
///
/// Between [`Reader::begin`] and [`Reader::end`] all queries see the state of the last commit before the begin. A
/// reader never waits for a writer, and a writer never waits for a reader. A snapshot should be short: while it is
/// open, a store on disk keeps old data.
///
/// # Errors
/// A query outside of a snapshot, a second begin and an end without a begin fail with `StoreError::Misuse`.
pub trait Reader: Read + Send {
    /// Begins a snapshot.
    fn begin(&mut self) -> Stored<()>;
    /// Ends the snapshot.
    fn end(&mut self) -> Stored<()>;
    /// Returns the events of a partition that hosts have stored or changed after a position, at most `limit` new ones, and the position
    /// after them. Without a position, returns no events and the position after the last one. After a crash of the database, some are
    /// returned again.
    ///
    /// # Errors
    /// Fails with `StoreError::Misuse` outside a snapshot, and for a store without peers, whose only host knows what it has stored.
    fn news(&self, partition: &Partition, after: Option<NewsPlace>, limit: usize) -> Stored<(Vec<News>, NewsPlace)> {
        let _ = (partition, after, limit);
        Err(StoreError::Misuse("a store without peers has no news".into()))
    }
}

/// The handle of a store that writes.
///
/// **Group commit.** Changes between [`Store::begin`] and [`Store::commit`] are visible to this handle's own reads, but
/// durable only after the commit. Outside of a group, each [`Store::apply`] is durable when it returns.
///
/// **Revisions.** An account's revision rises by one with each applied change that has rows, facts or claims. A change
/// that expects another revision is a conflict.
///
/// # Errors
/// Every method fails with `StoreError::Unavailable` if the underlying storage fails. [`Store::apply`] also fails with
/// `StoreError::Taken` if a unique index already has the value. `StoreError::Misuse` means a bug of the caller: a group
/// inside a group, a change that contradicts itself, or a change of a row that does not exist.
pub trait Store: Read + Send + Any {
    /// Begins a group.
    fn begin(&mut self) -> Stored<()>;
    /// Makes the group durable.
    fn commit(&mut self) -> Stored<()>;
    /// Discards the group.
    fn rollback(&mut self) -> Stored<()>;

    /// Checks that the store can be written: writes something that changes nothing, and makes it durable. Costs a
    /// commit. Outside of a group.
    fn try_write(&mut self) -> Stored<()> {
        Ok(())
    }

    /// Applies all changes of an event, or none of them. Returns a conflict if something differs from `expected`, or if the inbox
    /// already has an event of the same business, mode, source and id.
    fn apply(&mut self, changes: &Changes) -> Stored<Applied>;

    /// Erases part of what [`Changes::erase`] erases, for a store whose calls are limited. Returns true if more may be left. A store
    /// that erases accounts in one step does nothing here.
    fn erase_part(&mut self, scope: &Scope) -> Stored<bool> {
        let _ = scope;
        Ok(false)
    }

    /// Marks the chosen effects as running under new leases of the owner, and returns them in the chosen order, in one step: no other
    /// host can take one of them. Each has one more started attempt, and no token. Omits effects that are no longer due because another
    /// host has taken them.
    fn lease(&mut self, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>>;

    /// Returns true if other handles, possibly of other hosts, may write at the same time. Only then can [`Store::apply`] fail with
    /// `StoreError::Locked`.
    fn has_peers(&self) -> bool {
        false
    }

    /// Begins a group for new events of a partition, by source and id. The store may hold back its changes and apply several of them
    /// together, until [`Store::settle`]; its reads see them nevertheless. Returns false, and begins nothing, if the store has no
    /// such groups.
    ///
    /// If a change cannot be applied, the call that detects it fails with `StoreError::Unavailable`, and so does every later one: the
    /// caller rolls the group back, and applies its changes one by one in a group of [`Store::begin`]. The group has no marks.
    fn begin_together(&mut self, partition: &Partition, events: &[(&str, &str)]) -> Stored<bool> {
        let _ = (partition, events);
        Ok(false)
    }

    /// Applies the changes that the open group holds back.
    fn settle(&mut self) -> Stored<()> {
        Ok(())
    }

    /// Marks the point in the open group to which [`Store::undo`] returns. A later mark replaces an earlier one.
    ///
    /// # Errors
    /// Fails with `StoreError::Misuse` without a group, and for a store without peers.
    fn mark(&mut self) -> Stored<()> {
        Err(StoreError::Misuse("a store without peers has no marks".into()))
    }

    /// Discards the changes in the open group since its mark, even after an error. The group stays open.
    ///
    /// # Errors
    /// Fails with `StoreError::Misuse` without a mark.
    fn undo(&mut self) -> Stored<()> {
        Err(StoreError::Misuse("a store without peers has no marks".into()))
    }

    /// Opens another handle that writes; none for a store with one writing handle.
    ///
    /// # Errors
    /// Fails like [`Store::reader`].
    fn peer(&self) -> Stored<Option<Box<dyn Store>>> {
        Ok(None)
    }

    /// Opens a reader. Fails with `StoreError::Misuse` in an open group, and for a store that has only one handle.
    fn reader(&self) -> Stored<Box<dyn Reader>>;
}
