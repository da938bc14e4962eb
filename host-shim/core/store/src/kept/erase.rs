//! Erases the personal data in an account's events and effects.

use super::{Backend, Kept};
use crate::cell::Cell;
use crate::erase;
use crate::error::Stored;
use crate::json::DONE;
use crate::query::{Op, Query};
use crate::records::{Caller, EarlierRun, EffectNumber, ErasableEvent, ErasedEffect};
use crate::schema::{effects, events, replies};
use crate::scope::Scope;

/// Number of events that are erased at a time.
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
            let page: Vec<ErasableEvent> =
                self.all(&Query { equal: &equal, tests: &tests, limit, ..Query::of(&events::OF_ACCOUNT) })?;
            let erased = page.len();
            page.into_iter().try_for_each(|event| self.erase_event(event))?;
            left -= erased;
            if erased < limit {
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
        let answered: Vec<Caller> = self.all(&Query { equal: &[scope.into()], limit: left, ..Query::default() })?;
        left -= answered.len();
        for Caller(caller) in answered {
            self.backend.delete(&replies::TABLE, &[scope.into(), caller.into()])?;
        }
        Ok(left == 0)
    }

    fn erase_event(&mut self, mut event: ErasableEvent) -> Stored<()> {
        event.erase();
        self.backend.patch(&[event.seq.into()], &event)?;
        let runs: Vec<EarlierRun> = self.all(&Query { equal: &[event.seq.into()], ..Query::default() })?;
        for mut earlier in runs {
            erase::run(&mut earlier.run);
            self.backend.put(&earlier)?;
        }
        Ok(())
    }
}
