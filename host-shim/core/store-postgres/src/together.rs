//! A group whose changes are held back and applied together, with one call to the database for all of them instead of one for each.
//!
//! The decisions in a group mostly concern different accounts. Their changes wait here until a read needs what one of them writes, or
//! until the group is settled. A change that may not wait is applied at once, after those that do: it is a group of one, as is a change
//! outside such a group. If one cannot be applied, the whole group fails, and its caller does everything again one by one.

use host_store::{Changes, InboxChange, Partition, Scope};
use std::collections::{HashSet, VecDeque};

/// The waiting changes, with the numbers of their events.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) changes: Vec<(i64, Changes)>,
    /// Revision of the catalog that the decisions have read.
    catalog_revision: Option<u64>,
    /// Keys for which no event must be waiting if the group is to succeed.
    pub(crate) wakes: Vec<String>,
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
    pub(crate) batch: Batch,
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

    /// Returns the number for the new event of a change, which counts as stored from now on.
    pub(crate) fn number_of(&mut self, changes: &Changes) -> Option<i64> {
        let Some(InboxChange::New(new)) = &changes.inbox else { return None };
        let is_of_group = new.event.business == self.partition.business && new.livemode == self.partition.livemode;
        let key = (new.event.source.clone(), new.event.id.clone());
        if is_of_group && self.unknown.remove(&key) { self.numbers.pop_front() } else { None }
    }

    /// Returns true if a change may wait: it belongs to a new event of the group, and anything that could refuse it can still be detected
    /// later.
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

    /// Holds back a change.
    pub(crate) fn push(&mut self, number: i64, changes: &Changes) {
        self.scopes.extend(changes.scope.clone());
        self.claims.extend(changes.claims.keys().cloned());
        self.catalog_revision = self.catalog_revision.or(changes.expected.catalog_revision);
        self.changes.push((number, changes.clone()));
    }
}
