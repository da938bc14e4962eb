//! Claims: names that are unique across the accounts of a business.

use super::{Transaction, check};
use crate::rows::ClaimRow;
use products_contract::{ClaimState, Stored, Timestamp};
use std::borrow::Cow;
use std::ops::Bound;

impl Transaction {
    pub(super) fn take_claims(&mut self, keys: &[String], until: Option<Timestamp>) -> Stored<Vec<ClaimState>> {
        check::bulk(keys)?;
        let mut states = Vec::with_capacity(keys.len());
        let mut wanted = Vec::with_capacity(keys.len());
        for key in keys {
            check::id("claim key", key)?;
            let full = self.full_key(key);
            let (state, held_until) = self.judge(self.claim_row(&full)?.as_deref());
            states.push(state);
            wanted.push((full, held_until));
        }
        for (key, state) in keys.iter().zip(&states) {
            let answer = match state {
                ClaimState::Mine => "mine",
                ClaimState::Taken => "taken",
                ClaimState::Blocked => "blocked",
            };
            let text = &mut self.trace.claim_answers;
            text.reserve(key.len() + answer.len() + 2);
            text.push_str(key);
            text.push('=');
            text.push_str(answer);
            text.push('\n');
        }
        if states.iter().any(|state| *state != ClaimState::Mine) {
            return Ok(states);
        }
        for (full, held_until) in wanted {
            // A claim only ever grows, so that events in another order end with the same one.
            let until = match held_until {
                Held::No => {
                    if !self.trace.claims_taken.contains(&full) {
                        self.trace.claims_taken.push(full.clone());
                    }
                    until
                }
                Held::Until(held) if longer(until, held) => until,
                Held::Until(_) => continue,
            };
            let holder = Some(self.context.scope.account.clone());
            self.changes.claims.insert(full, Some(ClaimRow { holder, until, blocked_until: None }));
        }
        Ok(states)
    }

    pub(super) fn release_claims(&mut self, keys: &[String], blocked_until: Option<Timestamp>) -> Stored<()> {
        check::bulk(keys)?;
        for key in keys {
            check::id("claim key", key)?;
        }
        let blocked_until = blocked_until.filter(|until| *until > self.context.now);
        for key in keys {
            let full = self.full_key(key);
            let mine =
                self.claim_row(&full)?.is_some_and(|row| row.holder.as_ref() == Some(&self.context.scope.account));
            if !mine {
                continue;
            }
            self.trace.claims_taken.retain(|taken| *taken != full);
            let block = blocked_until.map(|until| ClaimRow { holder: None, until: None, blocked_until: Some(until) });
            self.changes.claims.insert(full, block);
        }
        Ok(())
    }

    pub(super) fn held_claims(&mut self, prefix: &str) -> Stored<Vec<String>> {
        let full_prefix = self.full_key(prefix);
        let mut held: Vec<String> = self.store.claims_held(&self.context.scope, &full_prefix)?;
        held.retain(|full| !self.changes.claims.contains_key(full));
        let own = self.changes.claims.range::<str, _>((Bound::Included(full_prefix.as_str()), Bound::Unbounded));
        held.extend(own.take_while(|(full, _)| full.starts_with(&full_prefix)).map(|(full, _)| full.clone()));
        held.sort_unstable();
        let mut mine = Vec::with_capacity(held.len());
        for mut full in held {
            let held_until = self.judge(self.claim_row(&full)?.as_deref()).1;
            if matches!(held_until, Held::Until(_)) {
                mine.push(full.split_off(self.claim_prefix.len()));
            }
        }
        Ok(mine)
    }

    fn full_key(&self, key: &str) -> String {
        let mut full = String::with_capacity(self.claim_prefix.len() + key.len());
        full.push_str(&self.claim_prefix);
        full.push_str(key);
        full
    }

    fn claim_row(&self, full: &str) -> Stored<Option<Cow<'_, ClaimRow>>> {
        match self.changes.claims.get(full) {
            Some(row) => Ok(row.as_ref().map(Cow::Borrowed)),
            None => Ok(self.store.claim(full)?.map(Cow::Owned)),
        }
    }

    /// Where a claim stands at the event's time. What is free counts as mine: nothing keeps this account from it.
    fn judge(&self, row: Option<&ClaimRow>) -> (ClaimState, Held) {
        let now = self.context.now;
        let Some(row) = row else { return (ClaimState::Mine, Held::No) };
        let holder = row.holder.as_ref().filter(|_| row.until.is_none_or(|until| until > now));
        match holder {
            Some(holder) if *holder == self.context.scope.account => (ClaimState::Mine, Held::Until(row.until)),
            Some(_) => (ClaimState::Taken, Held::No),
            None if row.blocked_until.is_some_and(|until| until > now) => (ClaimState::Blocked, Held::No),
            None => (ClaimState::Mine, Held::No),
        }
    }
}

/// Whether this account holds a claim, and until when.
enum Held {
    No,
    Until(Option<Timestamp>),
}

fn longer(until: Option<Timestamp>, held: Option<Timestamp>) -> bool {
    match (until, held) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(until), Some(held)) => until > held,
    }
}
