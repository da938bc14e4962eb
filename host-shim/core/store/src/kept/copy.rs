//! Copies a store into another one, and another one into a store.

use super::Kept;
use crate::backend::{AccountRow, Backend};
use crate::cell::Entity;
use crate::changes::NewInbox;
use crate::copy::{Part, Source, Target, WholeRow};
use crate::error::Stored;
use crate::query::Query;
use crate::records::{EventProgress, EventRecord, FactRecord, ReplyRecord, RowRecord, RunRecord, Wait};
use crate::rows::{EffectRow, InboxRow, Run};
use crate::schema::waits;
use crate::scope::Scope;
use extension_contract::Reply;
use std::ops::Bound;
use std::sync::Arc;

impl<B: Backend> Kept<B> {
    /// Returns rows of a scope's table after a key.
    fn after<E: Entity>(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<E>> {
        let from = Bound::Excluded(after.into());
        Ok(Self::own(self.all(&Query { equal: &[scope.into()], from, limit, ..Query::default() })?))
    }

    fn put_event(&mut self, row: &InboxRow, runs: &[Run], waits_for: &[String]) -> Stored<()> {
        let record = EventRecord::of(&NewInbox::copied(row, waits_for));
        let (last, earlier) = runs.split_last().map_or((None, runs), |(last, earlier)| (Some(last), earlier));
        let progress = EventProgress {
            runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
            run: last.cloned().map(Arc::new),
            ..record.progress
        };
        self.backend.insert(EventRecord { seq: row.seq, progress, erased: row.erased, ..record })?;
        for (n, run) in (1..).zip(earlier) {
            self.backend.put(RunRecord { seq: row.seq, n, run: Arc::new(run.clone()) })?;
        }
        self.put_waits(row.seq, &row.state, waits_for)
    }
}

impl<B: Backend> Source for Kept<B> {
    fn whole_rows(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<WholeRow>> {
        Ok(self.after(scope, after, limit)?.into_iter().map(RowRecord::into_whole).collect())
    }

    fn facts(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, String)>> {
        let facts: Vec<FactRecord> = self.after(scope, after, limit)?;
        Ok(facts.into_iter().map(|record| (record.fact, record.event_id.to_string())).collect())
    }

    fn replies(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, Reply)>> {
        let replies: Vec<ReplyRecord> = self.after(scope, after, limit)?;
        Ok(replies.into_iter().map(|record| (record.caller, record.reply)).collect())
    }

    fn waits(&self, seq: u64) -> Stored<Vec<String>> {
        let waits: Vec<Arc<Wait>> = self.all(&Query { equal: &[seq.into()], ..Query::of(&waits::BY_SEQ) })?;
        Ok(waits.into_iter().map(|wait| Arc::unwrap_or_clone(wait).key).collect())
    }
}

impl<B: Backend> Target for Kept<B> {
    fn put_part(&mut self, part: &Part) -> Stored<()> {
        match part {
            Part::Scope { scope, revision, data_version } => {
                self.backend.set_account(scope, AccountRow { revision: *revision, data_version: *data_version })
            }
            Part::Row(scope, row) => {
                self.put_row(&Arc::new(scope.clone()), &row.write, row.written, [row.created_at, row.updated_at])
            }
            Part::Fact { scope, fact, event_id } => self.backend.put(FactRecord {
                scope: Arc::new(scope.clone()),
                fact: fact.clone(),
                event_id: event_id.as_str().into(),
            }),
            Part::Reply { scope, caller, reply } => {
                self.backend.put(ReplyRecord { scope: Arc::new(scope.clone()), caller: caller.clone(), reply: reply.clone() })
            }
            Part::Claim(key, claim) => self.put_claim(key, Some(claim)),
            Part::Event { row, runs, waits_for } => self.put_event(row, runs, waits_for),
            Part::Effect(row) => self.backend.insert(EffectRow::clone(row)).map(drop),
        }
    }

    fn end_parts(&mut self) -> Stored<()> {
        self.backend.end_copy()
    }
}
