//! What a database does itself. Everything else of [`Read`](crate::Read) and [`Store`](crate::Store) is [`Kept`].

use super::Kept;
use crate::cell::{Cell, Patch, Record, View};
use crate::changes::{Applied, Changes};
use crate::error::Stored;
use crate::query::{Flow, Query};
use crate::rows::{EffectRow, LeaseRequest, OpenedRows, TURNS_SEARCHED_MAX};
use crate::schema::Table;
use crate::scope::{Partition, Scope};
use crate::store::Reader;
use extension_contract::Reference;

/// The row of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountRow {
    /// Revision, which rises with each change of rows, facts or claims.
    pub revision: u64,
    /// The newest data version with which one of its rows was written.
    pub data_version: Option<u32>,
}

/// A database: tables of rows, with transactions.
///
/// # Errors
/// Every method fails with `StoreError::Unavailable` if the underlying storage fails.
pub trait Backend: Send + Sized + 'static {
    /// Calls `each` with the rows of a query, in its order.
    fn find<V: View>(&self, query: &Query<'_>, each: &mut dyn FnMut(V) -> Stored<Flow>) -> Stored<()>;
    /// Returns a row by the values of its key.
    fn one<V: View>(&self, key: &[Cell<'_>]) -> Stored<Option<V>>;
    /// Returns rows by the values of their keys, in the order of the keys.
    fn get<V: View>(&self, keys: &[Vec<Cell<'_>>]) -> Stored<Vec<Option<V>>> {
        keys.iter().map(|key| self.one(key)).collect()
    }
    /// Returns the number of rows of a query.
    fn count(&self, table: &'static Table, query: &Query<'_>) -> Stored<u64>;
    /// Inserts an event or effect. Returns its number, or none if a unique index has its values. A number of 0 is replaced by the next
    /// one.
    fn insert<R: Record>(&mut self, row: &R) -> Stored<Option<u64>>;
    /// Inserts or replaces a row.
    fn put<R: Record>(&mut self, row: &R) -> Stored<()>;
    /// Writes a part of an existing row.
    fn patch<P: Patch>(&mut self, key: &[Cell<'_>], patch: &P) -> Stored<()>;
    /// Deletes a row, if it exists.
    fn delete(&mut self, table: &'static Table, key: &[Cell<'_>]) -> Stored<()>;

    /// Returns the row of an account; none for a new one.
    fn account(&self, scope: &Scope) -> Stored<Option<AccountRow>>;
    /// Writes the row of an account.
    fn set_account(&mut self, scope: &Scope, row: AccountRow) -> Stored<()>;
    /// Returns all accounts of a partition, or of all partitions, in any order.
    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>>;

    /// Begins a group. Returns true if others may have written since the last one.
    fn begin(&mut self) -> Stored<bool>;
    /// Makes the group durable.
    fn commit(&mut self) -> Stored<()>;
    /// Discards the group.
    fn rollback(&mut self) -> Stored<()>;
    /// Opens a reader of the last commit.
    fn reader(&self) -> Stored<Box<dyn Reader>>;

    /// Runs several queries on one state.
    fn together<T>(&self, body: impl FnOnce() -> Stored<T>) -> Stored<T> {
        body()
    }
    /// Returns false if the open group has lost a part of its changes.
    fn is_whole(&self) -> bool {
        true
    }
    /// Writes in the open group something that changes nothing.
    fn touch(&mut self) -> Stored<()> {
        Ok(())
    }
    /// Learns that the open group has erased data.
    fn note_erasure(&mut self) {}
    /// Returns how much of an account an erasure erases at once; the rest is left to [`Store::erase_part`](crate::Store::erase_part).
    fn erased_at_once() -> usize {
        usize::MAX
    }
    /// Returns the number of due effects among which the turns of accounts are found.
    fn turns_searched() -> usize {
        TURNS_SEARCHED_MAX
    }
    /// Returns up to how many references of an account [`Read::open`](crate::Read::open) reads at once; with more, or 0, it asks for
    /// each row.
    fn references_at_once() -> usize {
        0
    }
    /// Lets new numbers begin after those that were written.
    fn end_copy(&mut self) -> Stored<()> {
        Ok(())
    }
    /// As [`Read::open`](crate::Read::open).
    fn open(kept: &Kept<Self>, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        kept.open_by_steps(scope, named, facts)
    }
    /// As [`Read::woken_by`](crate::Read::woken_by).
    fn woken_by(kept: &Kept<Self>, keys: &[String]) -> Stored<Vec<u64>> {
        kept.woken_by_steps(keys)
    }
    /// Applies a change in the open group.
    fn apply(kept: &mut Kept<Self>, changes: &Changes) -> Stored<Applied> {
        kept.apply_by_steps(changes)
    }
    /// Leases effects in the open group.
    fn lease(kept: &mut Kept<Self>, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>> {
        kept.lease_by_steps(request)
    }
}
