//! Erases the personal data in an account's events and effects.

use super::Kept;
use crate::backend::Backend;
use crate::cell::Cell;
use crate::error::Stored;
use crate::json::DONE;
use crate::query::{Op, Query};
use crate::records::{EffectNumber, ErasedEffect, EventRecord, ReplyRecord, RunRecord, erased_run};
use crate::schema::{effects, events};
use crate::scope::Scope;
use std::sync::Arc;

/// Number of events that are erased at once.
const PAGE: usize = 256;

impl<B: Backend> Kept<B> {
    /// Erases up to `limit` of the done and dead events of an account, its ended effects and its replies. Returns true if there may be
    /// more.
    pub(super) fn erase_some(&mut self, scope: &Scope, limit: usize) -> Stored<bool> {
        self.backend.note_erasure();
        let mut left = limit;
        let (partition, is_whole) = (scope.partition(), (events::ERASED, Op::Eq, false.into()));
        let (equal, tests) =
            ([Cell::from(&scope.account), Cell::from(&partition)], [(events::STATE, Op::Ge, DONE.into()), is_whole]);
        while left > 0 {
            let limit = left.min(PAGE);
            let page: Vec<Arc<EventRecord>> =
                self.all(&Query { equal: &equal, tests: &tests, limit, ..Query::of(&events::OF_ACCOUNT) })?;
            page.iter().try_for_each(|event| self.erase_event(event))?;
            left -= page.len();
            if page.len() < limit {
                break;
            }
        }
        let tests = [(effects::STATE, Op::Ge, 2_i64.into()), (effects::ERASED, Op::Eq, false.into())];
        let ended = Query { equal: &[scope.into()], tests: &tests, limit: left, ..Query::of(&effects::BY_KEY) };
        let ended: Vec<EffectNumber> = self.all(&ended)?;
        left -= ended.len();
        for EffectNumber(seq) in ended {
            self.backend.patch(&[seq.into()], &ErasedEffect)?;
        }
        let replies: Vec<Arc<ReplyRecord>> =
            self.all(&Query { equal: &[scope.into()], limit: left, ..Query::default() })?;
        left -= replies.len();
        for reply in replies {
            self.backend.delete::<ReplyRecord>(&[scope.into(), Cell::from(&reply.caller)])?;
        }
        Ok(left == 0)
    }

    fn erase_event(&mut self, event: &EventRecord) -> Stored<()> {
        self.backend.patch(&[event.seq.into()], &event.erased())?;
        let runs: Vec<Arc<RunRecord>> = self.all(&Query { equal: &[event.seq.into()], ..Query::default() })?;
        for run in runs {
            self.backend.put(RunRecord { run: Arc::new(erased_run(&run.run)), ..*run })?;
        }
        Ok(())
    }
}
