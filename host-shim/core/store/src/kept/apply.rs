//! Applies a change. All conflicts and refusals are found before the first write, so that they have nothing to undo.

use super::tables::effects_at;
use super::{Backend, Kept};
use crate::cell::Cell;
use crate::changes::{Applied, Changes, Conflict, EffectChange, ExpectedGenerations, InboxChange, InboxMove, RowWrite};
use crate::error::{StoreError, Stored};
use crate::json::{RowParts, targets};
use crate::query::Query;
use crate::records::{
    AwaitedKey, EarlierRun, EffectProgress, EffectStand, EventNumber, EventProgress, EventState, Fact, NewClaim,
    NewEffect, NewEvent, NewFact, NewReply, NewRow, Referrer, ReleasedPurchase, RowText, Wait, WrittenRow, key_of,
};
use crate::refusal::{Lookup, UniqueField, check};
use crate::rows::{AccountRow, ClaimRow, EffectRow, EffectState, InboxState, Lease, LeaseRequest};
use crate::schema::{claims, effects, events, refs, rows, waits};
use crate::scope::{Partition, Scope};
use crate::store::Read;
use extension_contract::{Account, RowKey, Timestamp};
use std::collections::BTreeSet;

/// Look-ups in the scope of a change, if it has one.
struct ScopeLookup<'k, B> {
    kept: &'k Kept<B>,
    scope: Option<&'k Scope>,
}

impl<B: Backend> Lookup for ScopeLookup<'_, B> {
    fn purchase(&self, unique: UniqueField, value: &str) -> Stored<Option<RowKey>> {
        let Some(scope) = self.scope else { return Ok(None) };
        let index = match unique {
            UniqueField::Session => &rows::BY_SESSION,
            UniqueField::PaymentIntent => &rows::BY_PAYMENT_INTENT,
        };
        let found = self.kept.first(Query { equal: &[scope.into(), value.into()], ..Query::of(index) })?;
        found.map(|RowText(key)| key_of(&key)).transpose()
    }

    fn fact(&self, fact: &str) -> Stored<bool> {
        let Some(scope) = self.scope else { return Ok(false) };
        Ok(self.kept.one::<Fact>(&[scope.into(), fact.into()])?.is_some())
    }

    fn effect(&self, key: &str, generation: u32) -> Stored<bool> {
        let Some(scope) = self.scope else { return Ok(false) };
        Ok(self.kept.generation(scope, key, generation)?.is_some())
    }

    fn event(&self, seq: u64) -> Stored<bool> {
        Ok(self.kept.one::<EventNumber>(&[seq.into()])?.is_some())
    }
}

impl<B: Backend> Kept<B> {
    /// Applies a change in the open group with one step per row, like [`Store::apply`](crate::Store::apply).
    pub(crate) fn apply_by_steps(&mut self, changes: &Changes) -> Stored<Applied> {
        match self.conflict(changes)? {
            Some(conflict) => Ok(Applied::Conflict(conflict)),
            None => self.write(changes).inspect_err(|_| self.is_broken = true),
        }
    }

    /// Returns the conflict of a change that must not be written; none if it may be written, or an error if it is refused.
    fn conflict(&self, changes: &Changes) -> Stored<Option<Conflict>> {
        let changed = self.changed(changes)?;
        if changed.is_some() {
            return Ok(changed);
        }
        let refusal = check(changes, &ScopeLookup { kept: self, scope: changes.scope.as_ref() });
        // If the inbox already has the event, the result is a conflict rather than a refusal. Without a refusal, the insertion of
        // the event finds the conflict.
        if refusal.is_err()
            && let Some(InboxChange::New(new)) = &changes.inbox
        {
            let partition = Cell::Partition(&new.event.business, new.livemode);
            let equal = [Cell::from(&new.event.id), Cell::from(&new.event.source), partition];
            if self.first::<EventNumber>(Query { equal: &equal, ..Query::of(&events::BY_ID) })?.is_some() {
                return Ok(Some(Conflict::Event));
            }
        }
        refusal.map(|()| None)
    }

    /// Returns the first condition of a change that does not hold, if any.
    fn changed(&self, changes: &Changes) -> Stored<Option<Conflict>> {
        let expected = &changes.expected;
        if let (Some(state), Some(InboxChange::Move(change))) = (&expected.inbox, &changes.inbox)
            && self.one(&[change.seq.into()])?.is_some_and(|EventState(found)| found != *state)
        {
            return Ok(Some(Conflict::Event));
        }
        for effect in &expected.effects {
            let Some(scope) = &changes.scope else { return Ok(Some(Conflict::Effect)) };
            let found = self.generation(scope, &effect.key, effect.generation)?;
            if found.is_none_or(|found| (found.state, found.lease) != (effect.state, effect.lease)) {
                return Ok(Some(Conflict::Effect));
            }
        }
        for ExpectedGenerations { key, generations } in &expected.generations {
            let Some(scope) = &changes.scope else { return Ok(Some(Conflict::Effect)) };
            let query = Query { equal: &[scope.into(), key.into()], ..Query::of(&effects::BY_KEY) };
            let mut found: Vec<EffectStand> = self.all(&query)?;
            found.sort_unstable_by_key(|found| found.seq);
            let found = found.iter().map(|found| (found.generation, found.state, found.lease));
            if !found.eq(generations.iter().copied()) {
                return Ok(Some(Conflict::Effect));
            }
        }
        if let Some(scope) = &changes.scope {
            let is_at = |revision: Option<u64>, scope: &Scope| -> Stored<bool> {
                revision.map_or(Ok(true), |revision| Ok(self.account(scope)?.revision == revision))
            };
            if !is_at(expected.account_revision, scope)? || !is_at(expected.catalog_revision, &scope.catalog())? {
                return Ok(Some(Conflict::Read));
            }
        }
        if !expected.claims.is_empty() {
            let keys: Vec<String> = expected.claims.iter().map(|(key, _)| key.clone()).collect();
            if !self.claims(&keys)?.iter().eq(expected.claims.iter().map(|(_, claim)| claim)) {
                return Ok(Some(Conflict::Read));
            }
        }
        Ok(None)
    }

    /// Writes a change without a known conflict. After an error, part of the change may remain.
    fn write(&mut self, changes: &Changes) -> Stored<Applied> {
        let mut seq = None;
        // This is the first write, so a conflict has nothing to undo.
        if let Some(InboxChange::New(new)) = &changes.inbox {
            seq = self.backend.insert(&NewEvent::of(new)?)?;
            let Some(seq) = seq else { return Ok(Applied::Conflict(Conflict::Event)) };
            if is_parked(&new.progress.state) {
                let partition = Partition { business: new.event.business.clone(), livemode: new.livemode };
                self.cache.count_parked(&partition);
            }
            self.put_waits(seq, &new.progress.state, &new.progress.waits_for)?;
        }
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.has_rows()) {
            self.write_account(scope, changes)?;
        }
        if let Some(InboxChange::Move(change)) = &changes.inbox {
            self.move_event(change)?;
        }
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.erase) {
            self.erase_some(scope, usize::MAX)?;
        }
        Ok(Applied::Done { seq })
    }

    fn write_account(&mut self, scope: &Scope, changes: &Changes) -> Stored<()> {
        let known = self.backend.account(scope)?;
        let before = known.unwrap_or_default();
        let newest = changes.rows.iter().map(|write| write.data_version).max();
        let account = AccountRow {
            revision: before.revision + u64::from(changes.decides()),
            data_version: before.data_version.max(newest),
        };
        if known != Some(account) {
            self.backend.set_account(scope, account)?;
        }
        // Two purchases may exchange unique values: release all old values before writing the new values.
        if changes.rows.len() > 1 {
            for write in &changes.rows {
                if let RowKey::Purchase(_) = &write.key {
                    let key = [Cell::Scope(scope), write.key.to_string().into()];
                    self.backend.patch(&key, &ReleasedPurchase)?;
                }
            }
        }
        for write in &changes.rows {
            self.put_row(scope, write, account.revision, [Some(changes.at); 2])?;
        }
        for fact in &changes.facts {
            self.backend.put(&NewFact { scope, fact, event_id: &changes.event_id })?;
        }
        for (key, claim) in &changes.claims {
            self.put_claim(key, claim.as_ref())?;
        }
        if let Some((caller, reply)) = &changes.reply {
            self.backend.put(&NewReply { scope, caller, reply })?;
        }
        changes.effects.iter().try_for_each(|change| self.change_effect(scope, change))
    }

    /// Writes or removes a row at a revision of its account, and updates its references if they changed. The time of its first write
    /// is kept.
    pub(super) fn put_row(
        &mut self,
        scope: &Scope,
        write: &RowWrite,
        revision: u64,
        [created_at, updated_at]: [Option<Timestamp>; 2],
    ) -> Stored<()> {
        let key = write.key.to_string();
        let before: Option<WrittenRow> = self.one(&[scope.into(), Cell::from(&key)])?;
        let created_at = before.as_ref().map_or(created_at, |before| before.created_at);
        let parts = RowParts::of(write);
        let shown = if parts.shown { &write.references[..] } else { &[] };
        let old = before.as_ref().map_or(&[][..], |before| &before.shown_references);
        if old != shown {
            let old = targets(old);
            for target in old.difference(&parts.targets) {
                self.backend.delete(&refs::TABLE, &[scope.into(), target.into(), Cell::from(&key)])?;
            }
            for target in parts.targets.difference(&old) {
                self.backend.put(&Referrer { scope, target, row: &key })?;
            }
        }
        if scope.account == Account::Platform {
            self.cache.forget_catalog(&scope.partition());
        }
        match &write.row {
            Some(row) => {
                let key = &key;
                self.backend.put(&NewRow { scope, key, write, row, parts, written: revision, created_at, updated_at })
            }
            None if before.is_some() => self.backend.delete(&rows::TABLE, &[scope.into(), Cell::from(&key)]),
            None => Ok(()),
        }
    }

    pub(super) fn put_claim(&mut self, key: &str, claim: Option<&ClaimRow>) -> Stored<()> {
        match claim {
            Some(claim) => self.backend.put(&NewClaim { key, claim })?,
            None => self.backend.delete(&claims::TABLE, &[key.into()])?,
        }
        self.cache.remember_claim(key, claim.cloned());
        Ok(())
    }

    /// Writes the keys that a parked or deferred event waits for.
    pub(super) fn put_waits(&mut self, seq: u64, state: &InboxState, keys: &[String]) -> Stored<()> {
        if !state.is_waiting() {
            return Ok(());
        }
        keys.iter().try_for_each(|key| self.backend.put(&Wait { key, seq }))
    }

    fn move_event(&mut self, InboxMove { seq, progress }: &InboxMove) -> Stored<()> {
        let missing = || StoreError::Misuse(format!("no inbox row {seq}"));
        let before: EventProgress = self.one(&[(*seq).into()])?.ok_or_else(missing)?;
        let (was_parked, has_waited) = (is_parked(&before.state), before.state.is_waiting());
        let (now, earlier) = before.after(progress);
        if let Some((n, run)) = earlier {
            self.backend.put(&EarlierRun { seq: *seq, n, run })?;
        }
        self.backend.patch(&[(*seq).into()], &now)?;
        if was_parked != is_parked(&now.state) {
            self.cache.parked.borrow_mut().clear();
        }
        if has_waited {
            let waits = self.all(&Query { equal: &[(*seq).into()], ..Query::of(&waits::BY_SEQ) })?;
            for AwaitedKey(key) in waits {
                self.backend.delete(&waits::TABLE, &[key.into(), (*seq).into()])?;
            }
        }
        self.put_waits(*seq, &now.state, &progress.waits_for)
    }

    /// Returns the state of a generation of an effect.
    fn generation(&self, scope: &Scope, key: &str, generation: u32) -> Stored<Option<EffectStand>> {
        let equal = [scope.into(), key.into(), generation.into()];
        self.first(Query { equal: &equal, ..Query::of(&effects::BY_KEY) })
    }

    fn change_effect(&mut self, scope: &Scope, change: &EffectChange) -> Stored<()> {
        match change {
            EffectChange::Insert(row) => self.backend.insert(&NewEffect { seq: 0, scope, row }).map(drop),
            EffectChange::Update { key, generation, state, attempts, due_at, lease } => {
                let missing = || StoreError::Misuse(format!("no effect `{key}` of generation {generation}"));
                let found = self.generation(scope, key, *generation)?.ok_or_else(missing)?;
                let progress = EffectProgress { state: *state, attempts: *attempts, due_at: *due_at, lease };
                self.backend.patch(&[found.seq.into()], &progress)
            }
        }
    }

    /// Leases effects in the open group, one by one, like [`Store::lease`](crate::Store::lease).
    pub(crate) fn lease_by_steps(&mut self, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>> {
        let LeaseRequest { partition, owner, now, until, chosen } = *request;
        let mut leased = effects_at(&self.backend, chosen.iter().copied())?;
        let may_begin = |row: &EffectRow| row.state == EffectState::Queued && row.due_at <= now;
        leased.retain(|row| row.scope.partition() == *partition && may_begin(row));
        let mut seen = BTreeSet::new();
        leased.retain(|row| seen.insert(row.seq));
        for row in &mut leased {
            (row.state, row.attempts) = (EffectState::Running, row.attempts + 1);
            let number = row.lease.number + 1;
            row.lease = Lease { number, until: Some(until), token: None, owner: Some(owner.to_owned()) };
            let progress =
                EffectProgress { state: row.state, attempts: row.attempts, due_at: row.due_at, lease: &row.lease };
            self.backend.patch(&[row.seq.into()], &progress).inspect_err(|_| self.is_broken = true)?;
        }
        Ok(leased)
    }
}

fn is_parked(state: &InboxState) -> bool {
    matches!(state, InboxState::Parked { .. })
}
