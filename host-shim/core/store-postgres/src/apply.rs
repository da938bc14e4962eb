//! Applies the changes of a group, either at once or together after they have waited.

use crate::columns::Numbered;
use crate::store::{PostgresStore, StoredEvent};
use crate::together::{Batch, Together};
use crate::{columns, decode, erase};
use extension_contract::Account;
use host_store::{Applied, Changes, Conflict, InboxChange, Partition, Scope, StoreError, Stored};

impl PostgresStore {
    pub(crate) fn apply_in_group(&self, changes: &Changes) -> Stored<Applied> {
        if let Some(number) = self.hold(changes)? {
            return Ok(Applied::Done { seq: Some(number.unsigned_abs()) });
        }
        let number = self.together.borrow_mut().as_mut().and_then(|together| together.number_of(changes));
        let applied = self.apply_now(&[(number, changes)], &[]);
        if self.together.borrow().is_none() {
            return applied;
        }
        // One by one, the event might be undone and decided again; but a group of which some changes are waiting starts again as a
        // whole.
        applied.map_err(|error| {
            self.break_group();
            StoreError::Unavailable(error.to_string())
        })
    }

    /// Applies changes at once, either those of one event or those of a group. It is an error if an event waits for one of the keys
    /// `wakes`.
    fn apply_now(&self, all: &[Numbered<'_>], wakes: &[String]) -> Stored<Applied> {
        let is_of_catalog = |scope: &Scope| scope.account == Account::Platform;
        if all.iter().any(|(_, it)| it.has_rows() && it.scope.as_ref().is_some_and(is_of_catalog)) {
            self.catalog_is_written.set(true);
        }
        let tag = (!self.held.borrow().open_numbers).then_some(self.tag);
        let row = columns::apply(self, all, wakes, self.locks_now(), tag)?;
        let row = row.ok_or_else(|| decode::damaged("apply_together has no result"))?;
        let detail = || decode::get::<Option<String>>(&row, 1).map(Option::unwrap_or_default);
        match decode::get::<&str>(&row, 0)? {
            "done" => {}
            "event" => return Ok(Applied::Conflict(Conflict::Event)),
            "effect" => return Ok(Applied::Conflict(Conflict::Effect)),
            "read" => return Ok(Applied::Conflict(Conflict::Read)),
            "taken" => return Err(StoreError::Taken(detail()?)),
            "misuse" => return Err(StoreError::Misuse(detail()?)),
            "wakes" => return Err(StoreError::Locked("an event waits for what the group brings".into())),
            _ => return Err(StoreError::Locked("another transaction changes the same account, event or claim".into())),
        }
        self.transaction.replace(decode::get(&row, 3)?);
        let seq: Option<i64> = decode::get(&row, 2)?;
        if let Some(seq) = seq {
            let event = all.iter().find_map(|(_, changes)| match &changes.inbox {
                Some(InboxChange::New(new)) => Some(&new.event),
                _ => None,
            });
            let mut held = self.held.borrow_mut();
            held.open_numbers = true;
            if held.event.is_none() {
                held.event = event.map(|event| StoredEvent { seq, source: event.source.clone(), id: event.id.clone() });
            }
        }
        for (_, changes) in all {
            if let Some(scope) = changes.scope.as_ref().filter(|_| changes.erase) {
                erase::account(self, scope)?;
            }
        }
        Ok(Applied::Done { seq: seq.map(i64::unsigned_abs) })
    }

    /// Begins a group whose changes may be held back.
    pub(crate) fn begin_held(&mut self, partition: &Partition, events: &[(&str, &str)]) -> Stored<()> {
        host_store::Store::begin(self)?;
        let (sources, ids): (Vec<&str>, Vec<&str>) = events.iter().copied().unzip();
        let sql = "SELECT begin_together($1, $2, $3, $4, $5)";
        let row = self.query_one(sql, &[&partition.business, &partition.livemode, &sources, &ids, &self.tag])?;
        let numbers = row.map(|row| decode::get(&row, 0)).transpose()?.unwrap_or_default();
        self.marked_open();
        self.together.replace(Some(Together::new(partition, events, numbers)));
        Ok(())
    }

    /// Evaluates a predicate on the waiting changes; false if there are none.
    pub(crate) fn waits(&self, question: impl FnOnce(&Batch) -> bool) -> bool {
        let together = self.together.borrow();
        together.as_ref().is_some_and(|together| !together.batch.changes.is_empty() && question(&together.batch))
    }

    /// Applies the waiting changes if a predicate on them is true.
    pub(crate) fn settle_if(&self, question: impl FnOnce(&Batch) -> bool) -> Stored<()> {
        if self.waits(question) { self.settle_held() } else { Ok(()) }
    }

    /// Applies the waiting changes.
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

    /// Notes the keys that the last change wakes if that change is waiting; otherwise returns false. If an event waits for one of the
    /// keys, the group will fail.
    pub(crate) fn wake_later(&self, keys: &[String]) -> bool {
        let mut together = self.together.borrow_mut();
        let batch = together.as_mut().map(|together| &mut together.batch).filter(|batch| !batch.changes.is_empty());
        batch.map(|batch| batch.wakes.extend_from_slice(keys)).is_some()
    }

    /// Holds back a change and returns the number of its event; none if it must be applied at once.
    fn hold(&self, changes: &Changes) -> Stored<Option<i64>> {
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
