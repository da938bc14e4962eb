//! Compares two forks of a store. Skips the parts that the forks still share.

use super::MemoryStore;
use super::account::AccountRows;
use crate::error::Stored;
use crate::not_state::NotState;
use crate::scope::Scope;
use crate::state::{open_timers, row_value};
use extension_contract::{Row, RowKey};
use std::collections::BTreeSet;
use std::sync::Arc;

impl MemoryStore {
    /// Returns true if both stores have the same state and the same catalog. Their [`state_hash`](crate::state_hash) is then the same.
    ///
    /// # Errors
    /// Fails if a row cannot be serialized.
    pub fn same_state(&self, other: &MemoryStore, not_state: &NotState) -> Stored<bool> {
        if !Arc::ptr_eq(&self.claims, &other.claims) && self.claims.rows() != other.claims.rows() {
            return Ok(false);
        }
        for scope in self.scopes_of_both(other) {
            if !same_rows(self.rows_of(&scope), other.rows_of(&scope), not_state)? {
                return Ok(false);
            }
            let timers_may_differ = !Arc::ptr_eq(&self.outbox, &other.outbox);
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
        if !Arc::ptr_eq(&self.inbox, &other.inbox) && self.inbox.open_events() != other.inbox.open_events() {
            return Ok(false);
        }
        if !Arc::ptr_eq(&self.outbox, &other.outbox) && !self.outbox.same_open(&other.outbox) {
            return Ok(false);
        }
        let none = AccountRows::default();
        for scope in self.scopes_of_both(other) {
            let [one, two] = [self, other].map(|store| store.rows_of(&scope).unwrap_or(&none));
            if !std::ptr::eq(one, two) && one.facts != two.facts {
                return Ok(false);
            }
        }
        self.same_state(other, not_state)
    }

    fn scopes_of_both(&self, other: &MemoryStore) -> BTreeSet<Arc<Scope>> {
        self.accounts.keys().chain(other.accounts.keys()).cloned().collect()
    }
}

fn same_rows(one: Option<&AccountRows>, two: Option<&AccountRows>, not_state: &NotState) -> Stored<bool> {
    let none = AccountRows::default();
    let (one, two) = (one.unwrap_or(&none), two.unwrap_or(&none));
    if std::ptr::eq(one, two) {
        return Ok(true);
    }
    let is_state = |row: &(&RowKey, &Row)| !not_state.hides(row.1);
    let (mut first, mut second) = (one.each().filter(is_state), two.each().filter(is_state));
    loop {
        let (row, other) = match (first.next(), second.next()) {
            (None, None) => return Ok(true),
            (Some((key, row)), Some((other_key, other))) if key == other_key => (row, other),
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
