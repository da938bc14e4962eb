//! A group whose changes are held back and applied together: one call of the database for all of them instead of one for each.
//!
//! Decisions of a group mostly concern different accounts. Their changes wait here until a read needs what one of them writes, or until
//! the group is settled. A change that may not wait is applied at once, after those that do: it is a group of one, as is a change outside
//! of such a group. If one cannot be applied, the whole group fails, and its caller does everything again one by one.

use crate::columns::Numbered;
use crate::store::PostgresStore;
use host_store::{Applied, Changes, InboxChange, Partition, Scope, StoreError, Stored};
use std::collections::{HashSet, VecDeque};

/// The changes that wait, with the numbers of their events.
#[derive(Default)]
pub(crate) struct Batch {
    changes: Vec<(i64, Changes)>,
    /// Revision of the catalog that the decisions have read.
    catalog_revision: Option<u64>,
    /// Keys for which no event waits, if the group is to succeed.
    wakes: Vec<String>,
    scopes: HashSet<Scope>,
    claims: HashSet<String>,
}

/// An open group whose changes may wait.
pub(crate) struct Together {
    partition: Partition,
    /// The events of the group that are not stored yet, by source and id.
    unknown: HashSet<(String, String)>,
    /// Numbers for the events, in order.
    numbers: VecDeque<i64>,
    batch: Batch,
}

impl Together {
    /// Creates the state of a group from the numbers of its events; null for a known event.
    pub(crate) fn new(partition: &Partition, events: &[(&str, &str)], numbers: Vec<Option<i64>>) -> Together {
        let owned = |(source, id): &(&str, &str)| ((*source).to_owned(), (*id).to_owned());
        let unknown = events.iter().zip(&numbers).filter(|(_, number)| number.is_some());
        Together {
            partition: partition.clone(),
            unknown: unknown.map(|(event, _)| owned(event)).collect(),
            numbers: numbers.into_iter().flatten().collect(),
            batch: Batch::default(),
        }
    }

    /// Returns true if an event of the group is known not to be stored.
    pub(crate) fn is_unknown(&self, (business, livemode): (&str, bool), source: &str, id: &str) -> bool {
        let Partition { business: own, livemode: mode } = &self.partition;
        business == own && livemode == *mode && self.unknown.contains(&(source.to_owned(), id.to_owned()))
    }

    /// Returns the number for the new event of a change, which from now on is stored.
    pub(crate) fn number_of(&mut self, changes: &Changes) -> Option<i64> {
        let Some(InboxChange::New(new)) = &changes.inbox else { return None };
        let is_of_group = new.event.business == self.partition.business && new.livemode == self.partition.livemode;
        let key = (new.event.source.clone(), new.event.id.clone());
        if is_of_group && self.unknown.remove(&key) { self.numbers.pop_front() } else { None }
    }

    /// Returns true if a change may wait: it is of a new event of the group, and all that can refuse it also shows later.
    pub(crate) fn may_wait(&self, changes: &Changes) -> bool {
        let Some(InboxChange::New(new)) = &changes.inbox else { return false };
        let is_of_account = match &changes.scope {
            None => true,
            Some(scope) => {
                let is_catalog = *scope == scope.catalog();
                scope.partition() == self.partition && !is_catalog && changes.expected.account_revision.is_some()
            }
        };
        self.is_unknown((&new.event.business, new.livemode), &new.event.source, &new.event.id)
            && !new.progress.state.is_waiting()
            && is_of_account
            && !changes.erase
    }
}

impl Batch {
    /// Returns true if a waiting change writes something that these changes read or write.
    pub(crate) fn meets(&self, changes: &Changes) -> bool {
        let catalog = changes.expected.catalog_revision;
        changes.scope.as_ref().is_some_and(|scope| self.has_scope(scope))
            || changes.expected.claims.iter().any(|(key, _)| self.claims.contains(key))
            || changes.claims.keys().any(|key| self.claims.contains(key))
            || (catalog.is_some() && self.catalog_revision.is_some() && catalog != self.catalog_revision)
    }

    /// Returns true if a waiting change writes the account.
    pub(crate) fn has_scope(&self, scope: &Scope) -> bool {
        !self.scopes.is_empty() && self.scopes.contains(scope)
    }

    /// Returns true if a waiting change writes one of these claims.
    pub(crate) fn has_claim(&self, keys: &[String]) -> bool {
        !self.claims.is_empty() && keys.iter().any(|key| self.claims.contains(key))
    }

    /// Returns true if a waiting change writes any claim.
    pub(crate) fn has_claims(&self) -> bool {
        !self.claims.is_empty()
    }

    /// Lets a change wait.
    pub(crate) fn push(&mut self, number: i64, changes: &Changes) {
        self.scopes.extend(changes.scope.clone());
        self.claims.extend(changes.claims.keys().cloned());
        self.catalog_revision = self.catalog_revision.or(changes.expected.catalog_revision);
        self.changes.push((number, changes.clone()));
    }
}

impl PostgresStore {
    /// Begins a group whose changes may wait.
    pub(crate) fn begin_held(&mut self, partition: &Partition, events: &[(&str, &str)]) -> Stored<()> {
        host_store::Store::begin(self)?;
        let (sources, ids): (Vec<&str>, Vec<&str>) = events.iter().copied().unzip();
        let sql = "SELECT begin_together($1, $2, $3, $4, $5)";
        let row = self.query_one(sql, &[&partition.business, &partition.livemode, &sources, &ids, &self.tag])?;
        let numbers = row.map(|row| crate::decode::get(&row, 0)).transpose()?.unwrap_or_default();
        self.marked_open();
        self.together.replace(Some(Together::new(partition, events, numbers)));
        Ok(())
    }

    /// Answers a question about the waiting changes; false if none wait.
    pub(crate) fn waits(&self, question: impl FnOnce(&Batch) -> bool) -> bool {
        let together = self.together.borrow();
        together.as_ref().is_some_and(|together| !together.batch.changes.is_empty() && question(&together.batch))
    }

    /// Applies the waiting changes if the answer to a question about them is true.
    pub(crate) fn settle_if(&self, question: impl FnOnce(&Batch) -> bool) -> Stored<()> {
        if self.waits(question) { self.settle_held() } else { Ok(()) }
    }

    /// Applies the changes that wait.
    pub(crate) fn settle_held(&self) -> Stored<()> {
        let batch = match &mut *self.together.borrow_mut() {
            Some(together) if !together.batch.changes.is_empty() => std::mem::take(&mut together.batch),
            _ => return Ok(()),
        };
        let changes: Vec<Numbered<'_>> =
            batch.changes.iter().map(|(number, changes)| (Some(*number), changes)).collect();
        let reason = match self.apply_now(&changes, &batch.wakes) {
            Ok(Applied::Done { .. }) => return Ok(()),
            Ok(Applied::Conflict(conflict)) => format!("{conflict:?}"),
            Err(error) => error.to_string(),
        };
        self.break_group();
        Err(StoreError::Unavailable(format!("the changes of a group cannot be applied together: {reason}")))
    }

    /// Notes the keys that the last change wakes if it waits; returns false if it does not. If an event waits for one of the keys, the
    /// group will fail.
    pub(crate) fn wake_later(&self, keys: &[String]) -> bool {
        let mut together = self.together.borrow_mut();
        let batch = together.as_mut().map(|together| &mut together.batch).filter(|batch| !batch.changes.is_empty());
        batch.map(|batch| batch.wakes.extend_from_slice(keys)).is_some()
    }

    /// Lets a change wait, and returns the number of its event; none if it must be applied at once.
    pub(crate) fn hold(&self, changes: &Changes) -> Stored<Option<i64>> {
        let may_wait = self.together.borrow().as_ref().is_some_and(|together| together.may_wait(changes));
        if !may_wait {
            return self.settle_held().map(|()| None);
        }
        self.settle_if(|batch| batch.meets(changes))?;
        let mut together = self.together.borrow_mut();
        let Some(together) = together.as_mut() else { return Ok(None) };
        let number = together.number_of(changes);
        if let Some(number) = number {
            together.batch.push(number, changes);
        }
        Ok(number)
    }
}
