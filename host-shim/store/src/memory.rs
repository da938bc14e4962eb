//! The store in memory: for replay and tests. What it promises is the same as on disk, but for durability.

mod account;
mod claims;
mod inbox;
mod outbox;

use crate::changes::Changes;
use crate::rows::{ClaimRow, EffectRow, InboxRow, NewInboxRow};
use crate::scope::Scope;
use crate::store::{Inserted, Store};
use account::{AccountRows, AccountUndo};
use claims::Claims;
use inbox::{Inbox, InboxUndo};
use outbox::{Outbox, OutboxUndo};
use products_contract::{
    Account, Price, Product, Purchase, PurchaseKey, RecordKey, StoreError, Stored, StoredRecord, Subscription,
    Timestamp,
};
use std::collections::HashMap;

/// Rows in memory, with the indexes that the trait's questions need.
#[derive(Debug, Default)]
pub struct MemoryStore {
    accounts: HashMap<Scope, AccountRows>,
    claims: Claims,
    outbox: Outbox,
    inbox: Inbox,
    /// How to undo what the open group did, in the order in which it was done; none outside of a group.
    journal: Option<Vec<Undo>>,
}

#[derive(Debug)]
enum Undo {
    NewAccount(Scope),
    Account(Scope, Box<AccountUndo>),
    Claim(String, Option<ClaimRow>),
    Outbox(OutboxUndo),
    Inbox(InboxUndo),
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rows of the catalog that a scope reads.
    fn catalog(&self, scope: &Scope) -> Option<&AccountRows> {
        if scope.account == Account::Platform { self.accounts.get(scope) } else { self.accounts.get(&scope.catalog()) }
    }

    /// Everything that could refuse a change, before the first row is touched.
    fn check(&self, changes: &Changes) -> Stored<()> {
        match &changes.scope {
            Some(scope) => {
                account::check(self.accounts.get(scope), changes)?;
                self.outbox.check(scope, &changes.effects)?;
            }
            None if changes.has_rows() => return Err(StoreError::Unavailable("changes without a scope".into())),
            None => {}
        }
        changes.inbox.as_ref().map_or(Ok(()), |change| self.inbox.check(change.seq))
    }
}

impl Store for MemoryStore {
    fn begin(&mut self) -> Stored<()> {
        if self.journal.is_some() {
            return Err(StoreError::Unavailable("a group is open already".into()));
        }
        self.journal = Some(Vec::new());
        Ok(())
    }

    fn commit(&mut self) -> Stored<()> {
        self.journal.take().map(drop).ok_or_else(|| StoreError::Unavailable("no group is open".into()))
    }

    fn rollback(&mut self) -> Stored<()> {
        let journal = self.journal.take().ok_or_else(|| StoreError::Unavailable("no group is open".into()))?;
        for undo in journal.into_iter().rev() {
            match undo {
                Undo::NewAccount(scope) => drop(self.accounts.remove(&scope)),
                Undo::Account(scope, undo) => self.accounts.entry(scope).or_default().undo(*undo),
                Undo::Claim(key, row) => drop(self.claims.set(&key, row)),
                Undo::Outbox(undo) => self.outbox.undo(undo),
                Undo::Inbox(undo) => self.inbox.undo(undo),
            }
        }
        Ok(())
    }

    fn accept(&mut self, row: &NewInboxRow) -> Stored<Inserted> {
        let inserted = self.inbox.insert(row);
        if let (Inserted::New(_), Some(journal)) = (&inserted, &mut self.journal) {
            journal.push(Undo::Inbox(InboxUndo::Inserted));
        }
        Ok(inserted)
    }

    fn apply(&mut self, changes: &Changes) -> Stored<()> {
        self.check(changes)?;
        let mut journal = self.journal.as_mut();
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.has_rows()) {
            for (key, row) in &changes.claims {
                let old = self.claims.set(key, row.clone());
                if let Some(journal) = &mut journal {
                    journal.push(Undo::Claim(key.clone(), old));
                }
            }
            for change in &changes.effects {
                let undo = self.outbox.change(scope, change);
                if let Some(journal) = &mut journal {
                    journal.push(Undo::Outbox(undo));
                }
            }
            if !self.accounts.contains_key(scope) {
                self.accounts.insert(scope.clone(), AccountRows::default());
                if let Some(journal) = &mut journal {
                    journal.push(Undo::NewAccount(scope.clone()));
                }
            }
            if let Some(account) = self.accounts.get_mut(scope) {
                match &mut journal {
                    Some(journal) => {
                        let mut undo = Box::new(AccountUndo::default());
                        account.apply(changes, Some(&mut undo));
                        journal.push(Undo::Account(scope.clone(), undo));
                    }
                    None => account.apply(changes, None),
                }
            }
        }
        if let Some(change) = &changes.inbox {
            let undo = self.inbox.change(change);
            if let Some(journal) = &mut journal {
                journal.push(Undo::Inbox(undo));
            }
        }
        Ok(())
    }

    fn product(&self, scope: &Scope, id: &str) -> Stored<Option<Product>> {
        Ok(self.accounts.get(scope).and_then(|account| account.products.get(id)).cloned())
    }

    fn products(
        &self,
        scope: &Scope,
        product_type: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Product>> {
        let fits = |row: &&Product| !row.deleted && product_type.is_none_or(|wanted| row.values.product_type == wanted);
        let Some(account) = self.accounts.get(scope) else { return Ok(Vec::new()) };
        Ok(account::beyond(&account.products, after).filter(fits).take(limit).cloned().collect())
    }

    fn products_all(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Stored<Vec<Product>> {
        let Some(account) = self.accounts.get(scope) else { return Ok(Vec::new()) };
        Ok(account::beyond(&account.products, after).take(limit).cloned().collect())
    }

    fn price(&self, scope: &Scope, id: &str) -> Stored<Option<Price>> {
        Ok(self.catalog(scope).and_then(|account| account.prices.get(id)).cloned())
    }

    fn prices(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Stored<Vec<Price>> {
        let Some(account) = self.catalog(scope) else { return Ok(Vec::new()) };
        Ok(account::beyond(&account.prices, after).take(limit).cloned().collect())
    }

    fn purchase(&self, scope: &Scope, key: &PurchaseKey) -> Stored<Option<Purchase>> {
        Ok(self.accounts.get(scope).and_then(|account| account.purchase(key)).cloned())
    }

    fn purchases(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Stored<Vec<Purchase>> {
        let Some(account) = self.accounts.get(scope) else { return Ok(Vec::new()) };
        Ok(account::beyond(&account.purchases, after).take(limit).cloned().collect())
    }

    fn subscription(&self, scope: &Scope, id: &str) -> Stored<Option<Subscription>> {
        Ok(self.accounts.get(scope).and_then(|account| account.subscriptions.get(id)).cloned())
    }

    fn subscriptions(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Stored<Vec<Subscription>> {
        let Some(account) = self.accounts.get(scope) else { return Ok(Vec::new()) };
        Ok(account::beyond(&account.subscriptions, after).take(limit).cloned().collect())
    }

    fn record(&self, scope: &Scope, key: &RecordKey) -> Stored<Option<StoredRecord>> {
        let rows = self.accounts.get(scope).and_then(|account| account.records.get(&key.collection));
        Ok(rows.and_then(|rows| rows.get(&key.id)).cloned())
    }

    fn records(
        &self,
        scope: &Scope,
        collection: &str,
        prefix: &str,
        descending: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<StoredRecord>> {
        let rows = self.accounts.get(scope).and_then(|account| account.records.get(collection));
        Ok(rows.map_or_else(Vec::new, |rows| account::scan_records(rows, prefix, descending, after, limit)))
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        Ok(self.accounts.get(scope).map_or_else(Vec::new, AccountRows::collections))
    }

    fn fact(&self, scope: &Scope, fact: &str) -> Stored<Option<String>> {
        Ok(self.accounts.get(scope).and_then(|account| account.facts.get(fact)).cloned())
    }

    fn claim(&self, full_key: &str) -> Stored<Option<ClaimRow>> {
        Ok(self.claims.row(full_key).cloned())
    }

    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
        Ok(self.claims.held(scope, prefix))
    }

    fn claims_each(&self, visit: &mut dyn FnMut(&str, &ClaimRow)) -> Stored<()> {
        self.claims.each(visit);
        Ok(())
    }

    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.generations(scope, key))
    }

    fn data_version(&self, scope: &Scope) -> Stored<Option<u32>> {
        Ok(self.accounts.get(scope).and_then(|account| account.data_version))
    }

    fn effects_due(&self, now: Timestamp, timers: bool, limit: usize) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.due(now, timers, limit))
    }

    fn effects_running(&self) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.running())
    }

    fn effects_open(&self, scope: Option<&Scope>) -> Stored<Vec<EffectRow>> {
        Ok(self.outbox.open(scope))
    }

    fn next_due(&self, now: Timestamp) -> Stored<Option<Timestamp>> {
        Ok(self.outbox.next_due(now))
    }

    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>> {
        Ok(self.inbox.row(seq).cloned())
    }

    fn inbox_after(&self, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        Ok(self.inbox.after(after, limit))
    }

    fn inbox_due(&self, now: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        Ok(self.inbox.due(now, limit))
    }

    fn inbox_next_due(&self, now: Timestamp) -> Stored<Option<Timestamp>> {
        Ok(self.inbox.next_due(now))
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        Ok(self.inbox.woken_by(keys))
    }

    fn parked_before(&self, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        Ok(self.inbox.parked_before(before, limit))
    }

    fn parked_count(&self) -> Stored<u64> {
        Ok(self.inbox.parked_count())
    }

    fn scopes(&self) -> Stored<Vec<Scope>> {
        let mut scopes: Vec<Scope> = self.accounts.keys().cloned().collect();
        scopes.sort_by_cached_key(|scope| (scope.business.clone(), scope.livemode, scope.account.to_string()));
        Ok(scopes)
    }
}
