//! Copies a store into another one, and another one into this one.

use super::{Backend, Kept, Tables};
use crate::cell::View;
use crate::changes::NewInbox;
use crate::copy::{Part, Source, Target, WholeRow};
use crate::error::Stored;
use crate::query::Query;
use crate::records::{
    AwaitedKey, CallerReply, EarlierRun, EventProgress, Fact, NewEffect, NewEvent, NewFact, NewReply,
};
use crate::rows::{AccountRow, InboxRow, Run};
use crate::schema::waits;
use crate::scope::Scope;
use extension_contract::Reply;
use std::ops::Bound;

impl<B: Tables> Kept<B> {
    /// Returns rows of a scope's table after a key.
    fn after<V: View>(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<V>> {
        let from = Bound::Excluded(after.into());
        self.all(&Query { equal: &[scope.into()], from, limit, ..Query::default() })
    }
}

impl<B: Backend> Kept<B> {
    fn put_event(&mut self, row: &InboxRow, runs: &[Run], waits_for: &[String]) -> Stored<()> {
        let new = NewInbox::copied(row, waits_for);
        let copied = NewEvent::of(&new)?;
        let (last, earlier) = runs.split_last().map_or((None, runs), |(last, earlier)| (Some(last), earlier));
        let number = u32::try_from(runs.len()).unwrap_or(u32::MAX);
        let progress = EventProgress { runs: number, run: last.cloned(), ..copied.progress };
        self.backend.insert(&NewEvent { seq: row.seq, progress, erased: row.erased, ..copied })?;
        for (n, run) in (1..).zip(earlier) {
            self.backend.put(&EarlierRun { seq: row.seq, n, run: run.clone() })?;
        }
        self.put_waits(row.seq, &row.state, waits_for)
    }
}

impl<B: Tables> Source for Kept<B> {
    fn whole_rows(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<WholeRow>> {
        self.after(scope, after, limit)
    }

    fn facts(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, String)>> {
        Ok(self.after(scope, after, limit)?.into_iter().map(|Fact(fact, event_id)| (fact, event_id)).collect())
    }

    fn replies(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, Reply)>> {
        Ok(self.after(scope, after, limit)?.into_iter().map(|CallerReply(caller, reply)| (caller, reply)).collect())
    }

    fn waits(&self, seq: u64) -> Stored<Vec<String>> {
        let waits = self.all(&Query { equal: &[seq.into()], ..Query::of(&waits::BY_SEQ) })?;
        Ok(waits.into_iter().map(|AwaitedKey(key)| key).collect())
    }
}

impl<B: Backend> Target for Kept<B> {
    fn put_part(&mut self, part: &Part) -> Stored<()> {
        match part {
            Part::Scope { scope, revision, data_version } => {
                self.backend.set_account(scope, AccountRow { revision: *revision, data_version: *data_version })
            }
            Part::Row(scope, row) => self.put_row(scope, &row.write, row.written, [row.created_at, row.updated_at]),
            Part::Fact { scope, fact, event_id } => self.backend.put(&NewFact { scope, fact, event_id }),
            Part::Reply { scope, caller, reply } => self.backend.put(&NewReply { scope, caller, reply }),
            Part::Claim(key, claim) => self.put_claim(key, Some(claim)),
            Part::Event { row, runs, waits_for } => self.put_event(row, runs, waits_for),
            Part::Effect(row) => self.backend.insert(&NewEffect { seq: row.seq, scope: &row.scope, row }).map(drop),
        }
    }

    fn end_parts(&mut self) -> Stored<()> {
        self.backend.end_copy()
    }
}
