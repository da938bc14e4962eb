//! Copies everything in a store into an empty store of another kind, keeping numbers, revisions and times.

mod lines;
mod pages;

pub use lines::{line_of, part_of};
pub use pages::{Cursor, page};

use crate::changes::RowWrite;
use crate::error::{StoreError, Stored};
use crate::rows::{ClaimRow, EffectRow, InboxRow, Run};
use crate::scope::Scope;
use crate::store::{Read, Store};
use extension_contract::{Reply, Timestamp};
use pages::page_of;

/// Number of parts that are read at a time.
const PAGE: usize = 500;
/// Number of parts in one commit.
const GROUP: u64 = 2_000;

/// A row with everything that a store keeps about it.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeRow {
    /// The row, with the references and the fingerprint written with it.
    pub write: RowWrite,
    /// Revision of the account at the last write.
    pub written: u64,
    /// Time of the first write; none if it is not known.
    pub created_at: Option<Timestamp>,
    /// Time of the last write; none if it is not known.
    pub updated_at: Option<Timestamp>,
}

/// A part of a store.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "each lives for one write")]
pub enum Part {
    /// An account.
    Scope {
        /// The scope.
        scope: Scope,
        /// Its revision.
        revision: u64,
        /// The newest data version with which one of its rows was written.
        data_version: Option<u32>,
    },
    /// A row of an account.
    Row(Scope, WholeRow),
    /// A fact of an account.
    Fact {
        /// The scope.
        scope: Scope,
        /// The fact.
        fact: String,
        /// Id of the event that recorded it.
        event_id: String,
    },
    /// The last reply to a caller.
    Reply {
        /// The scope.
        scope: Scope,
        /// The caller.
        caller: String,
        /// The reply.
        reply: Reply,
    },
    /// A claim or block, with its full key.
    Claim(String, ClaimRow),
    /// An event.
    Event {
        /// The event and its progress.
        row: InboxRow,
        /// Its runs, first to last.
        runs: Vec<Run>,
        /// The full keys that it waits for.
        waits_for: Vec<String>,
    },
    /// An effect.
    Effect(EffectRow),
}

/// A store that can be copied. Lists are in key order, after the key `after`.
///
/// # Errors
/// Every method fails with `StoreError::Unavailable` if the underlying storage fails.
pub trait Source: Read {
    /// Returns rows of a scope with everything kept about them, by the texts of their keys.
    fn whole_rows(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<WholeRow>>;
    /// Returns facts of a scope with the ids of their events.
    fn facts(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, String)>>;
    /// Returns the callers of a scope with their last replies.
    fn replies(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, Reply)>>;
    /// Returns the full keys for which an event waits.
    fn waits(&self, seq: u64) -> Stored<Vec<String>>;
}

/// A store into which another store can be copied.
pub trait Target: Store {
    /// Writes a part in the open group. A scope comes before its rows, and events and effects come in number order.
    ///
    /// # Errors
    /// Fails with `StoreError::Unavailable` if the underlying storage fails.
    fn put_part(&mut self, part: &Part) -> Stored<()>;
    /// Makes the numbers of new events and effects start after those that were written.
    ///
    /// # Errors
    /// Fails with `StoreError::Unavailable` if the underlying storage fails.
    fn end_parts(&mut self) -> Stored<()>;
}

/// Returns true if a store is empty, so that another can be copied into it.
///
/// # Errors
/// Fails with `StoreError::Unavailable` if the underlying storage fails.
pub fn is_empty(store: &(impl Read + ?Sized)) -> Stored<bool> {
    Ok(store.inbox_newest()? == 0 && store.scopes(None)?.is_empty())
}

/// Copies a store into an empty one. No other handle may write to either of them meanwhile. Calls `progress` with the number of
/// copied parts. Returns that number.
///
/// # Errors
/// Fails with `StoreError::Misuse` if the target has accounts or events; otherwise like the stores.
pub fn copy(from: &dyn Source, to: &mut dyn Target, progress: &mut dyn FnMut(u64)) -> Stored<u64> {
    if !is_empty(to)? {
        return Err(StoreError::Misuse("the store to copy into is not empty".to_owned()));
    }
    let mut copy = Copying { to, copied: 0, progress };
    copy.to.begin()?;
    let copied = copy.all(from).and_then(|()| copy.to.end_parts()).and_then(|()| copy.to.commit());
    if let Err(error) = copied {
        // The first error is more informative.
        let _ = copy.to.rollback();
        return Err(error);
    }
    (copy.progress)(copy.copied);
    Ok(copy.copied)
}

struct Copying<'c> {
    to: &'c mut dyn Target,
    copied: u64,
    progress: &'c mut dyn FnMut(u64),
}

impl Copying<'_> {
    fn put(&mut self, part: &Part) -> Stored<()> {
        self.to.put_part(part)?;
        self.copied += 1;
        if self.copied.is_multiple_of(GROUP) {
            self.to.commit()?;
            (self.progress)(self.copied);
            self.to.begin()?;
        }
        Ok(())
    }

    fn all(&mut self, from: &dyn Source) -> Stored<()> {
        let scopes = from.scopes(None)?;
        let mut cursor = Cursor::START;
        while cursor != Cursor::End {
            let (parts, next) = page_of(from, &scopes, cursor, PAGE)?;
            parts.iter().try_for_each(|part| self.put(part))?;
            cursor = next;
        }
        Ok(())
    }
}
