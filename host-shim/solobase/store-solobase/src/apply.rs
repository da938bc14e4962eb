//! Applies a change: all refusals are checked before the group changes anything.

use crate::events;
use crate::group::Group;
use crate::query::Query;
use crate::rows::{Stamp, account_id, account_row, claim, fact_id};
use crate::tables::{CLAIMS, EFFECTS, EVENTS, FACTS, ROWS};
use extension_contract::RowKey;
use host_store::implementation::json::{damaged, effect_state, state_columns};
use host_store::implementation::{Lookup, UniqueField, check};
use host_store::{Applied, Changes, Conflict, EffectState, InboxChange, NewInbox, Partition, Scope, Stored};

impl Group {
    /// Applies a change in the open group.
    pub(crate) fn apply(&mut self, changes: &Changes) -> Stored<Applied> {
        changes.check()?;
        if let Some(conflict) = self.changed_since(changes)? {
            return Ok(Applied::Conflict(conflict));
        }
        if let Some(InboxChange::New(new)) = &changes.inbox
            && self.find(&EVENTS, &id_of(new))?.is_some()
        {
            return Ok(Applied::Conflict(Conflict::Event));
        }
        check(changes, &ScopeLookup { group: self, scope: changes.scope.as_ref() })?;
        let mut seq = None;
        if let Some(InboxChange::New(new)) = &changes.inbox {
            seq = Some(self.insert_event(new)?);
        }
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.has_rows()) {
            self.write_rows(scope, changes)?;
        }
        if let Some(InboxChange::Move(change)) = &changes.inbox {
            self.move_event(change)?;
        }
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.erase) {
            self.erase(scope)?;
        }
        Ok(Applied::Done { seq })
    }

    /// Returns the first condition of a change that does not hold, if any.
    fn changed_since(&self, changes: &Changes) -> Stored<Option<Conflict>> {
        let expected = &changes.expected;
        if let (Some(state), Some(InboxChange::Move(change))) = (&expected.inbox, &changes.inbox)
            && let Some(row) = self.event_row(change.seq)?
            && state_columns(&events::state(&row)?) != state_columns(state)
        {
            return Ok(Some(Conflict::Event));
        }
        for effect in &expected.effects {
            let generations = self.states_of(changes, &effect.key)?;
            if !generations.contains(&(effect.generation, effect.state, effect.lease)) {
                return Ok(Some(Conflict::Effect));
            }
        }
        for effect in &expected.generations {
            if self.states_of(changes, &effect.key)? != effect.generations {
                return Ok(Some(Conflict::Effect));
            }
        }
        if let Some(scope) = &changes.scope {
            let revisions = [(expected.account_revision, scope), (expected.catalog_revision, &scope.catalog())];
            for (revision, scope) in revisions {
                if let Some(revision) = revision
                    && self.revision(scope)? != revision
                {
                    return Ok(Some(Conflict::Read));
                }
            }
        }
        let keys: Vec<String> = expected.claims.iter().map(|(key, _)| key.clone()).collect();
        for (found, (_, row)) in self.find_all(&CLAIMS, &keys)?.iter().zip(&expected.claims) {
            if found.as_ref().map(claim).transpose()? != *row {
                return Ok(Some(Conflict::Read));
            }
        }
        Ok(None)
    }

    /// Returns number, state and lease of each generation of an effect.
    fn states_of(&self, changes: &Changes, key: &str) -> Stored<Vec<(u32, EffectState, u64)>> {
        let Some(scope) = &changes.scope else { return Ok(Vec::new()) };
        let rows = self.generations(scope, key)?;
        rows.iter()
            .map(|row| Ok((row.number("generation")?, effect_state(row.number("state")?)?, row.number("fence")?)))
            .collect()
    }

    /// Returns the revision of an account.
    pub(crate) fn revision(&self, scope: &Scope) -> Stored<u64> {
        self.find(&ROWS, &account_id(scope))?.map_or(Ok(0), |row| row.number("written"))
    }

    fn write_rows(&mut self, scope: &Scope, changes: &Changes) -> Stored<()> {
        let old = self.find(&ROWS, &account_id(scope))?;
        let before: u64 = old.as_ref().map_or(Ok(0), |row| row.number("written"))?;
        let version = old.map_or(Ok(None), |row| row.maybe_int("data_version"))?;
        let version = version.map(u32::try_from).transpose().map_err(damaged)?;
        let revision = before + u64::from(changes.decides());
        let newest = changes.rows.iter().map(|write| write.data_version).max();
        // Sets also the row of a new account that has only effects.
        self.set(&ROWS, account_row(scope, revision, version.max(newest))?)?;
        let at = Some(changes.at);
        for write in &changes.rows {
            self.put_row(scope, write, Stamp { revision, made_at: at, changed_at: at })?;
        }
        for fact in &changes.facts {
            self.put_fact(scope, fact, &changes.event_id)?;
        }
        for (key, row) in &changes.claims {
            self.put_claim(key, row.as_ref())?;
        }
        if let Some((caller, reply)) = &changes.reply {
            self.put_reply(scope, caller, reply)?;
        }
        for change in &changes.effects {
            self.change_effect(scope, change)?;
        }
        Ok(())
    }
}

fn id_of(new: &NewInbox) -> String {
    let partition = Partition { business: new.event.business.clone(), livemode: new.livemode };
    events::event_id(&partition, &new.event.source, &new.event.id)
}

/// Look-ups in the scope of a change, if it has one.
struct ScopeLookup<'g> {
    group: &'g Group,
    scope: Option<&'g Scope>,
}

impl Lookup for ScopeLookup<'_> {
    fn purchase(&self, unique: UniqueField, value: &str) -> Stored<Option<RowKey>> {
        let Some(scope) = self.scope else { return Ok(None) };
        let field = match unique {
            UniqueField::Session => "session_id",
            UniqueField::PaymentIntent => "payment_intent_id",
        };
        let found = self.group.first(Query::of(&ROWS).eq("scope", scope.name()).eq(field, value))?;
        Ok(found.map(|row| crate::rows::read(&row)).transpose()?.map(|stored| stored.row.key()))
    }

    fn fact(&self, fact: &str) -> Stored<bool> {
        let Some(scope) = self.scope else { return Ok(false) };
        Ok(self.group.find(&FACTS, &fact_id(scope, fact))?.is_some())
    }

    fn effect(&self, key: &str, generation: u32) -> Stored<bool> {
        let Some(scope) = self.scope else { return Ok(false) };
        Ok(self.group.find(&EFFECTS, &crate::effects::effect_id(scope, key, generation))?.is_some())
    }

    fn event(&self, seq: u64) -> Stored<bool> {
        Ok(self.group.event_row(seq)?.is_some())
    }
}
