//! Compares two forks of a store. Skips the parts that the forks still share.

use super::{Account, Memory, MemoryStore};
use crate::error::Stored;
use crate::not_state::NotState;
use crate::rows::{EffectRow, InboxState};
use crate::schema::{effects, events, waits};
use crate::scope::Scope;
use crate::state::{open_timers, row_value};
use extension_contract::Row;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl MemoryStore {
    /// Returns true if both stores have the same state, that is the same [`state_hash`](crate::state_hash).
    ///
    /// # Errors
    /// Fails if a row cannot be serialized.
    pub fn same_state(&self, other: &MemoryStore, not_state: &NotState) -> Stored<bool> {
        let [one, two] = [&self.backend, &other.backend];
        let claims = |of: &Memory| of.claims.all().map(|claim| (claim.key.clone(), claim.claim.clone())).collect();
        let [claims, other_claims]: [Vec<_>; 2] =
            if Arc::ptr_eq(&one.claims, &two.claims) { Default::default() } else { [claims(one), claims(two)] };
        if claims != other_claims {
            return Ok(false);
        }
        for scope in one.scopes_of_both(two) {
            if !same_rows(one.accounts.get(&scope), two.accounts.get(&scope), not_state)? {
                return Ok(false);
            }
            let timers_may_differ = !Arc::ptr_eq(&one.effects, &two.effects);
            if timers_may_differ && open_timers(self, &scope)? != open_timers(other, &scope)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns true if no later event can distinguish the two stores: they have the same state, facts, open effects and
    /// unfinished events. Their histories may differ.
    ///
    /// # Errors
    /// Fails if a row cannot be serialized.
    pub fn same_course(&self, other: &MemoryStore, not_state: &NotState) -> Stored<bool> {
        let [one, two] = [&self.backend, &other.backend];
        let are_events_shared = Arc::ptr_eq(&one.events, &two.events) && Arc::ptr_eq(&one.waits, &two.waits);
        if !are_events_shared && one.open_events() != two.open_events() {
            return Ok(false);
        }
        if !Arc::ptr_eq(&one.effects, &two.effects) && one.open_effects() != two.open_effects() {
            return Ok(false);
        }
        let none = Account::default();
        for scope in one.scopes_of_both(two) {
            let [one, two] = [one, two].map(|of| of.accounts.get(&scope).map_or(&none, |account| &**account));
            let facts = |of: &Account| -> BTreeSet<String> { of.facts.all().map(|fact| fact.fact.clone()).collect() };
            if !std::ptr::eq(one, two) && facts(one) != facts(two) {
                return Ok(false);
            }
        }
        self.same_state(other, not_state)
    }
}

/// An unfinished event: its source and id.
type EventName<'a> = (&'a str, &'a str);

/// The state of an unfinished event, and the keys that wake it.
type Waiting<'a> = (&'a InboxState, BTreeSet<&'a str>);

impl Memory {
    fn scopes_of_both(&self, other: &Memory) -> BTreeSet<Arc<Scope>> {
        self.accounts.keys().chain(other.accounts.keys()).cloned().collect()
    }

    /// Returns the unfinished events in order of their ids, each with its state and the keys that it waits for.
    fn open_events(&self) -> BTreeMap<EventName<'_>, Waiting<'_>> {
        let mut keys: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
        for wait in self.waits.of(&waits::BY_SEQ) {
            keys.entry(wait.seq).or_default().insert(&wait.key);
        }
        let open = self.events.of(&events::WAITING).chain(self.events.of(&events::FAILED));
        let entry = |row: &'_ Arc<crate::records::EventRecord>| keys.get(&row.seq).cloned().unwrap_or_default();
        open.map(|row| ((&*row.event.source, &*row.event.id), (&row.progress.state, entry(row)))).collect()
    }

    /// Returns the open effects in order of their keys, without their numbers and their causing events.
    fn open_effects(&self) -> Vec<EffectRow> {
        let without_origin = |row: &Arc<EffectRow>| EffectRow { seq: 0, caused_by: String::new(), ..(**row).clone() };
        let mut open: Vec<EffectRow> = self.effects.of(&effects::OPEN).map(without_origin).collect();
        open.sort_by_cached_key(|row| (row.scope.name(), row.effect.key.clone(), row.effect.generation));
        open
    }
}

fn same_rows(one: Option<&Arc<Account>>, two: Option<&Arc<Account>>, not_state: &NotState) -> Stored<bool> {
    let none = Arc::default();
    let (one, two) = (one.unwrap_or(&none), two.unwrap_or(&none));
    if Arc::ptr_eq(one, two) {
        return Ok(true);
    }
    let is_state = |row: &&Arc<crate::records::RowRecord>| match &row.stored.row {
        Row::Record(row) => !not_state.hides(&format!("records/{}", row.collection), &row.id),
        _ => true,
    };
    let (mut first, mut second) = (one.rows.all().filter(is_state), two.rows.all().filter(is_state));
    loop {
        let (row, other) = match (first.next(), second.next()) {
            (None, None) => return Ok(true),
            (Some(row), Some(other)) if row.text == other.text => (&row.stored.row, &other.stored.row),
            _ => return Ok(false),
        };
        if !same_row(row, other, not_state)? {
            return Ok(false);
        }
    }
}

fn same_row(one: &Row, two: &Row, not_state: &NotState) -> Stored<bool> {
    Ok(std::ptr::eq(one, two) || one == two || row_value(one, not_state)? == row_value(two, not_state)?)
}
