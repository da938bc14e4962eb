//! How a database is written. The rest of [`Store`](crate::Store) is in [`Kept`].

use super::{Kept, Tables};
use crate::cell::{Cell, Patch, Record};
use crate::changes::{Applied, Changes};
use crate::error::Stored;
use crate::rows::{AccountRow, EffectRow, LeaseRequest};
use crate::schema::Table;
use crate::scope::Scope;
use crate::store::Reader;

/// The tables of a database, with transactions.
///
/// # Errors
/// Every method fails with `StoreError::Unavailable` if the underlying storage fails.
pub trait Backend: Tables + Send + 'static {
    /// Inserts an event or effect. Returns its number, or none if a unique index already has its values. A number of 0 is replaced
    /// with the next one.
    fn insert<R: Record>(&mut self, row: &R) -> Stored<Option<u64>>;
    /// Inserts or replaces a row.
    fn put<R: Record>(&mut self, row: &R) -> Stored<()>;
    /// Writes part of an existing row.
    fn patch<P: Patch>(&mut self, key: &[Cell<'_>], patch: &P) -> Stored<()>;
    /// Deletes a row, if it exists.
    fn delete(&mut self, table: &'static Table, key: &[Cell<'_>]) -> Stored<()>;

    /// Writes the row of an account.
    fn set_account(&mut self, scope: &Scope, row: AccountRow) -> Stored<()>;

    /// Begins a group. Returns true if others may have written since the last one.
    fn begin(&mut self) -> Stored<bool>;
    /// Makes the group durable.
    fn commit(&mut self) -> Stored<()>;
    /// Discards the group.
    fn rollback(&mut self) -> Stored<()>;
    /// Opens a reader of the last commit.
    fn reader(&self) -> Stored<Box<dyn Reader>>;

    /// Returns false if the open group has lost some of its changes.
    fn is_whole(&self) -> bool {
        true
    }
    /// Writes something in the open group that changes nothing.
    fn touch(&mut self) -> Stored<()> {
        Ok(())
    }
    /// Is told that the open group has erased data.
    fn note_erasure(&mut self) {}
    /// Returns the maximum number of rows that are erased at a time when an account is erased;
    /// [`Store::erase_part`](crate::Store::erase_part) erases the rest.
    fn erased_at_once() -> usize {
        usize::MAX
    }
    /// Makes new numbers start after those that were written.
    fn end_copy(&mut self) -> Stored<()> {
        Ok(())
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
