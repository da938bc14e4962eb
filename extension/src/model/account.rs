//! An account while an event is decided: its typed rows and the changes, claims and effects of the decision.
//!
//! `open` supplies the live and referenced rows; other rows are read once, on first use. The account collects all
//! changes and returns them as one [`Decision`] at the end. If the decision fails, nothing is written.

use super::DATA_VERSION;
use super::halt::{Ruled, internal};
use super::keys::ClaimKey;
use super::mail;
use super::reader::Reader;
use super::records::record_key;
use super::records::token::Access;
use super::table::AnyTable;
use super::tables::{HasTable, Tables};
use extension_contract::*;
use std::collections::BTreeMap;
use std::rc::Rc;

/// An account while an event is decided.
pub(crate) struct Account<'h> {
    reader: Rc<Reader<'h>>,
    /// `None` while the account of the event is unknown.
    owner: Option<extension_contract::Account>,
    tables: Tables,
    /// Whether `open` returned a row.
    has_rows: bool,
    prices: BTreeMap<String, Price>,
    /// For each checked fact, whether it was recorded before this event.
    known: BTreeMap<String, bool>,
    facts: Vec<String>,
    claims: Vec<ClaimChange>,
    effects: Vec<Effect>,
    cancel: Vec<String>,
}

impl<'h> Account<'h> {
    /// Creates an account without rows. Without an owner, the account reads no rows.
    pub fn new(reader: Rc<Reader<'h>>, owner: Option<extension_contract::Account>) -> Self {
        Account {
            reader,
            owner,
            tables: Tables::default(),
            has_rows: false,
            prices: BTreeMap::new(),
            known: BTreeMap::new(),
            facts: Vec::new(),
            claims: Vec::new(),
            effects: Vec::new(),
            cancel: Vec::new(),
        }
    }

    /// Stores the rows and facts that `open` returned. A row that `named` contains and `open` did not return does not
    /// exist.
    pub fn take_in(&mut self, rows: Vec<StoredRow>, named: &[Reference], facts: &[(String, bool)]) -> Fallible<()> {
        self.has_rows = !rows.is_empty();
        for stored in rows {
            self.take_in_row(stored)?;
        }
        let named_rows = named.iter().filter_map(|name| match name {
            Reference::Row(key) => Some(key),
            Reference::Catalog(_) | Reference::Name(_) => None,
        });
        // The host follows at most `REFERENCES_MAX` references, so rows beyond this number may exist.
        for key in named_rows.take(REFERENCES_MAX) {
            self.tables.insert_missing(key);
        }
        self.tables.insert_missing_singletons();
        self.known.extend(facts.iter().cloned());
        Ok(())
    }

    fn take_in_row(&mut self, stored: StoredRow) -> Fallible<()> {
        if stored.data_version != DATA_VERSION {
            let (key, written) = (stored.row.key(), stored.data_version);
            return Err(Failure::Internal(format!("row {key} has data version {written}, expected {DATA_VERSION}")));
        }
        self.tables.insert_read(stored);
        Ok(())
    }

    /// Returns whether the account had no live row and none that the event names.
    pub fn is_empty(&self) -> bool {
        !self.has_rows
    }

    /// Returns the account, or `None` while the account of the event is unknown.
    pub fn owner(&self) -> Option<&extension_contract::Account> {
        self.owner.as_ref()
    }

    /// Returns the account. Refuses the event if its account is unknown.
    pub fn owned(&self) -> Ruled<extension_contract::Account> {
        self.owner.clone().ok_or_else(|| Refusal::Malformed("/data/object/id".to_owned()).into())
    }

    /// Returns whether this is the account that owns the catalog.
    pub fn is_platform(&self) -> bool {
        self.owner == Some(extension_contract::Account::Platform)
    }

    /// Reads those rows of `ids` that are not loaded yet.
    pub fn load<T: HasTable>(&mut self, ids: &[String]) -> Ruled<()> {
        if self.owner.is_none() {
            return Ok(());
        }
        let table = T::table(&mut self.tables);
        let missing = table.missing(ids);
        self.load_missing(missing)
    }

    /// Reads rows of any kind.
    fn load_missing(&mut self, missing: Vec<RowKey>) -> Ruled<()> {
        if missing.is_empty() {
            return Ok(());
        }
        let rows = self.reader.load(&missing)?;
        for (key, row) in missing.iter().zip(rows) {
            match row {
                Some(stored) if stored.row.key() != *key => {
                    return Err(internal(format!("requested row {key}, received {}", stored.row.key())));
                }
                Some(stored) => self.take_in_row(stored)?,
                None => self.tables.insert_missing(key),
            }
        }
        Ok(())
    }

    /// Returns a row by its id, reading it if necessary.
    pub fn get<T: HasTable>(&mut self, id: &str) -> Ruled<Option<Rc<T>>> {
        if self.owner.is_some() && !T::table(&mut self.tables).knows(id) {
            self.load_missing(vec![T::key(id)])?;
        }
        self.get_here(id)
    }

    /// Returns a row if it is loaded already. For rows that are live whenever the row that refers to them is live.
    pub fn get_here<T: HasTable>(&mut self, id: &str) -> Ruled<Option<Rc<T>>> {
        Ok(T::table(&mut self.tables).get(id)?)
    }

    /// Returns a copy of a row, which the caller may change and [`put`](Self::put).
    pub fn row<T: HasTable>(&mut self, id: &str) -> Ruled<Option<T>> {
        Ok(self.get::<T>(id)?.map(|row| T::clone(&row)))
    }

    /// Returns whether a row was ever stored under this id, including deleted rows.
    pub fn is_stored<T: HasTable>(&mut self, id: &str) -> Ruled<bool> {
        self.load::<T>(std::slice::from_ref(&id.to_owned()))?;
        Ok(T::table(&mut self.tables).is_stored(id))
    }

    /// Writes a row. The caller has read it before, or knows that it is new.
    pub fn put<T: HasTable>(&mut self, id: &str, value: T) {
        self.put_shared(id, Rc::new(value));
    }

    /// Like [`put`](Self::put), for a shared row. If it is still the value that was read, the row does not change.
    pub fn put_shared<T: HasTable>(&mut self, id: &str, value: Rc<T>) {
        T::table(&mut self.tables).put(id, value);
    }

    /// Removes a row that was read.
    pub fn remove<T: HasTable>(&mut self, id: &str) {
        T::table(&mut self.tables).remove(id);
    }

    /// Returns the ids of the rows of a kind that this decision wrote.
    pub fn touched<T: HasTable>(&mut self) -> Vec<String> {
        T::table(&mut self.tables).touched()
    }

    /// Returns the loaded rows of a kind with their ids: live rows and rows that were referenced or read.
    pub fn all<T: HasTable>(&mut self) -> Ruled<Vec<(String, Rc<T>)>> {
        self.all_where(|_| true)
    }

    /// Like [`all`](Self::all), for the rows that `fits` accepts.
    pub fn all_where<T: HasTable>(&mut self, fits: impl Fn(&T) -> bool) -> Ruled<Vec<(String, Rc<T>)>> {
        let rows = T::table(&mut self.tables).all()?;
        Ok(rows.filter(|(_, row)| fits(row)).map(|(id, row)| (id.to_owned(), row.clone())).collect())
    }

    /// Reads at most `limit` rows of a selection and returns their ids.
    pub fn more(&mut self, selection: &Selection, limit: u32) -> Ruled<Vec<String>> {
        let rows = self.reader.more(selection, limit)?;
        let mut ids = Vec::with_capacity(rows.len());
        for stored in rows {
            ids.push(stored.row.id().to_owned());
            self.take_in_row(stored)?;
        }
        Ok(ids)
    }

    /// Reads a page of the rows of a kind in order of their ids, starting after `after`, and returns their ids.
    pub fn page(&mut self, kind: RowKind, after: Option<String>, limit: u32) -> Ruled<Vec<String>> {
        self.more(&Selection::Listed(Listing { kind, prefix: String::new(), descending: false, after }), limit)
    }

    /// Reads all rows of a collection.
    pub fn load_whole(&mut self, collection: &str) -> Ruled<()> {
        let kind = record_key(collection, "").kind();
        let mut after: Option<String> = None;
        loop {
            let ids = self.page(kind.clone(), after, PAGE_ROWS_MAX)?;
            if ids.len() < PAGE_ROWS_MAX as usize {
                return Ok(());
            }
            after = ids.into_iter().next_back();
        }
    }

    /// Writes a price of the catalog.
    pub fn put_price(&mut self, price: Price) -> Ruled<()> {
        if !self.is_platform() {
            return Err(internal(format!("price `{}` belongs to the catalog", price.id)));
        }
        self.prices.insert(price.id.clone(), price);
        Ok(())
    }

    /// Returns whether this event or an earlier event has recorded the fact.
    pub fn is_known(&mut self, fact: &str) -> Fallible<bool> {
        if self.facts.iter().any(|noted| noted == fact) {
            return Ok(true);
        }
        if let Some(known) = self.known.get(fact) {
            return Ok(*known);
        }
        let known = self.reader.known(&[fact.to_owned()])?.first().copied().unwrap_or(false);
        self.known.insert(fact.to_owned(), known);
        Ok(known)
    }

    /// Returns the places of those facts that no earlier event has recorded. Reads all of them in one call.
    pub fn unknown_of(&mut self, facts: &[String]) -> Ruled<Vec<usize>> {
        let known = self.reader.known(facts)?;
        let unknown: Vec<usize> =
            known.iter().enumerate().filter(|(_, known)| !**known).map(|(place, _)| place).collect();
        // `is_known` need not read them again.
        self.known.extend(unknown.iter().map(|place| (facts[*place].clone(), false)));
        Ok(unknown)
    }

    /// Records a fact. Returns true if it is new.
    pub fn record_fact(&mut self, fact: &str) -> Fallible<bool> {
        let new = !self.is_known(fact)?;
        if new {
            self.facts.push(fact.to_owned());
        }
        Ok(new)
    }

    /// Records a fact without reading whether it is new. The caller knows from a row that it is new.
    pub fn record_new_fact(&mut self, fact: String) {
        if !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
    }

    /// Takes claims that only this account may hold. Refuses the event if another account holds one of them, because
    /// the host has then found the wrong account for the event.
    pub fn claim<'k>(&mut self, keys: impl IntoIterator<Item = ClaimKey<'k>>) -> Ruled<()> {
        let keys: Vec<String> = keys.into_iter().map(String::from).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let states = self.reader.claims_take(&keys)?;
        for (key, state) in keys.into_iter().zip(states) {
            match state {
                ClaimState::Mine => {}
                ClaimState::Free => self.claims.push(ClaimChange::Take { key, until: None }),
                ClaimState::Taken | ClaimState::Blocked => return Err(Refusal::Inconsistent(key).into()),
            }
        }
        Ok(())
    }

    /// Takes all claims if all of them are free, and otherwise none. Returns the first claim that is not free.
    pub fn claim_free(&mut self, keys: &[String]) -> Ruled<Option<String>> {
        if keys.is_empty() {
            return Ok(None);
        }
        let states = self.reader.claims_take(keys)?;
        let held = keys.iter().zip(states).find(|(_, state)| *state != ClaimState::Free).map(|(key, _)| key.clone());
        if held.is_none() {
            self.claims.extend(keys.iter().map(|key| ClaimChange::Take { key: key.clone(), until: None }));
        }
        Ok(held)
    }

    /// Returns the state of a claim, with the changes of this decision.
    pub fn claim_state(&mut self, key: &str) -> Ruled<ClaimState> {
        let changed = self.claims.iter().rev().find_map(|change| match change {
            ClaimChange::Take { key: taken, .. } if taken == key => Some(ClaimState::Mine),
            ClaimChange::Release { key: released, .. } if released == key => Some(ClaimState::Free),
            _ => None,
        });
        match changed {
            Some(state) => Ok(state),
            None => Ok(self.reader.claims_take(&[key.to_owned()])?.into_iter().next().unwrap_or(ClaimState::Free)),
        }
    }

    /// Takes a claim that is free.
    pub fn take_claim(&mut self, key: String) {
        self.claims.push(ClaimChange::Take { key, until: None });
    }

    /// Takes the first free claim and returns its key, or `None` if no claim is free.
    pub fn claim_one_of(&mut self, keys: &[String]) -> Ruled<Option<String>> {
        let states = self.reader.claims_take(keys)?;
        let is_taken = |key: &String| {
            self.claims.iter().any(|change| matches!(change, ClaimChange::Take { key: taken, .. } if taken == key))
        };
        let free = keys.iter().zip(states).find(|(key, state)| *state == ClaimState::Free && !is_taken(key));
        let free = free.map(|(key, _)| key.clone());
        self.claims.extend(free.iter().map(|key| ClaimChange::Take { key: key.clone(), until: None }));
        Ok(free)
    }

    /// Releases claims. If a time is given, no account can take the claims until then.
    pub fn release_claims(&mut self, keys: Vec<String>, blocked_until: Option<Timestamp>) {
        self.claims.extend(keys.into_iter().map(|key| ClaimChange::Release { key, blocked_until }));
    }

    /// Returns the keys of this account's claims that begin with a prefix.
    pub fn claims_mine(&mut self, prefix: &str) -> Ruled<Vec<String>> {
        Ok(self.reader.claims_mine(prefix)?)
    }

    /// Writes a line to the host's log.
    pub fn log(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        self.reader.log(level, message, fields);
    }

    /// Adds an effect to the decision.
    pub fn ask(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Returns the effects that this decision requests.
    pub fn asked_mut(&mut self) -> impl Iterator<Item = &mut Effect> {
        self.effects.iter_mut()
    }

    /// Returns whether this decision requests the effect with this key.
    pub fn asks_for(&self, key: &str) -> bool {
        self.effects.iter().any(|effect| effect.key == key)
    }

    /// Returns whether an effect has begun, so that it cannot be cancelled any more.
    pub fn has_begun(&self, key: &String) -> Ruled<bool> {
        Ok(self.reader.begun(std::slice::from_ref(key))?.contains(&true))
    }

    /// Cancels an effect. Returns true if the effect has not begun, so that it never will.
    pub fn call_off_in_time(&mut self, key: String) -> Ruled<bool> {
        let begun = self.has_begun(&key)?;
        self.call_off(vec![key]);
        Ok(!begun)
    }

    /// Cancels effects that have not begun, by their keys.
    pub fn call_off(&mut self, keys: Vec<String>) {
        self.effects.retain(|effect| !keys.contains(&effect.key));
        self.cancel.extend(keys);
    }

    /// Returns those of these effects that the decision cancels before they have begun.
    pub fn called_off_of<'k>(&self, keys: impl Iterator<Item = &'k String>) -> Ruled<Vec<String>> {
        let keys: Vec<String> = keys.filter(|key| self.cancel.contains(key)).cloned().collect();
        if keys.is_empty() {
            return Ok(keys);
        }
        let begun = self.reader.begun(&keys)?;
        Ok(keys.into_iter().zip(begun).filter(|(_, begun)| !begun).map(|(key, _)| key).collect())
    }

    /// Returns whether the decision changes a row, fact, claim or price, or requests an effect.
    pub fn is_changed(&self) -> Ruled<bool> {
        Ok(!self.effects.is_empty()
            || !self.facts.is_empty()
            || !self.claims.is_empty()
            || !self.prices.is_empty()
            || !self.row_changes()?.is_empty())
    }

    /// Returns the changes of all rows that differ from their stored form.
    fn row_changes(&self) -> Fallible<Vec<Change>> {
        let mut out = Vec::new();
        self.tables.all().try_for_each(|table| table.changes(&mut out))?;
        Ok(out)
    }

    /// Returns whether a rule wrote or requested anything, even if no row differs from its stored form.
    pub fn is_touched(&self) -> bool {
        !self.effects.is_empty()
            || !self.facts.is_empty()
            || !self.claims.is_empty()
            || !self.cancel.is_empty()
            || self.tables.all().any(AnyTable::is_touched)
    }

    /// Drops immediate mails to the account. Their facts stay recorded, so the mails count as sent.
    pub fn hold_back_mails(&mut self) {
        self.effects.retain(|effect| !mail::is_immediate(effect) || mail::is_for_operators(effect));
    }

    /// Discards all changes and effects except mails and the audit trail, so that a refusal can be reported.
    pub fn keep_what_is_told(&mut self) {
        self.effects.retain(mail::is_immediate);
        let mails: Vec<&str> = self.effects.iter().map(|mail| mail.key.as_str()).collect();
        self.facts.retain(|fact| mails.contains(&fact.as_str()));
        let accesses = std::mem::take(Access::table(&mut self.tables));
        self.tables.all_mut().for_each(AnyTable::discard_writes);
        *Access::table(&mut self.tables) = accesses;
        self.prices.clear();
        self.claims.clear();
        self.cancel.clear();
    }

    /// Converts all changes and effects into a decision.
    pub fn into_decision(self, outcome: Outcome, reply: Option<Reply>) -> Fallible<Decision> {
        let mut changes = self.row_changes()?;
        for (id, price) in self.prices {
            changes.push(Change {
                key: RowKey::Price(id),
                expected: 0,
                write: Write::Price(price),
                live: false,
                references: Vec::new(),
                fingerprint: None,
            });
        }
        // A rejected or deferred event takes no claims.
        let holds = !matches!(outcome, Outcome::Rejected(_) | Outcome::Deferred(_));
        let claims = if holds { self.claims } else { Vec::new() };
        Ok(Decision { outcome, reply, changes, facts: self.facts, claims, effects: self.effects, cancel: self.cancel })
    }
}
