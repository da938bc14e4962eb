//! The rows of one scope.

use crate::changes::Changes;
use crate::prefix::scan_bounds;
use products_contract::{
    Price, Product, Purchase, PurchaseKey, RecordKey, StoreError, Stored, StoredRecord, Subscription,
};
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

#[derive(Debug, Default)]
pub(super) struct AccountRows {
    pub(super) products: BTreeMap<String, Product>,
    pub(super) prices: BTreeMap<String, Price>,
    pub(super) purchases: BTreeMap<String, Purchase>,
    by_session: HashMap<String, String>,
    by_payment_intent: HashMap<String, String>,
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    pub(super) records: BTreeMap<String, BTreeMap<String, StoredRecord>>,
    pub(super) facts: HashMap<String, String>,
    pub(super) data_version: Option<u32>,
}

/// What one apply replaced.
#[derive(Debug, Default)]
pub(super) struct AccountUndo {
    products: Vec<(String, Option<Product>)>,
    prices: Vec<(String, Option<Price>)>,
    purchases: Vec<(String, Option<Purchase>)>,
    subscriptions: Vec<(String, Option<Subscription>)>,
    records: Vec<(RecordKey, Option<StoredRecord>)>,
    facts: Vec<String>,
    data_version: Option<Option<u32>>,
}

/// Refuse what a unique index would: purchases' sessions and payment intents, and facts.
pub(super) fn check(account: Option<&AccountRows>, changes: &Changes) -> Stored<()> {
    type Field = fn(&Purchase) -> Option<&String>;
    let session: Field = |row| row.values.session_id.as_ref();
    let payment_intent: Field = |row| row.values.payment_intent_id.as_ref();
    for (index, field) in [("purchase.session", session), ("purchase.payment-intent", payment_intent)] {
        let mut seen: HashMap<&String, &String> = HashMap::new();
        for (id, row) in &changes.purchases {
            let Some(value) = field(row) else { continue };
            if seen.insert(value, id).is_some() {
                return Err(StoreError::Taken(index.to_owned()));
            }
            let key = match index {
                "purchase.session" => PurchaseKey::Session(value.clone()),
                _ => PurchaseKey::PaymentIntent(value.clone()),
            };
            // A row that is replaced by the same change gives up its old value.
            let stored = account.and_then(|account| account.purchase(&key));
            if stored.is_some_and(|other| other.id != *id && !changes.purchases.contains_key(&other.id)) {
                return Err(StoreError::Taken(index.to_owned()));
            }
        }
    }
    if account.is_some_and(|account| changes.facts.iter().any(|fact| account.facts.contains_key(fact))) {
        return Err(StoreError::Taken("fact".to_owned()));
    }
    Ok(())
}

impl AccountRows {
    pub(super) fn collections(&self) -> Vec<String> {
        self.records.iter().filter(|(_, rows)| !rows.is_empty()).map(|(collection, _)| collection.clone()).collect()
    }

    pub(super) fn purchase(&self, key: &PurchaseKey) -> Option<&Purchase> {
        let id = match key {
            PurchaseKey::Id(id) => id,
            PurchaseKey::Session(session) => self.by_session.get(session)?,
            PurchaseKey::PaymentIntent(intent) => self.by_payment_intent.get(intent)?,
        };
        self.purchases.get(id)
    }

    pub(super) fn apply(&mut self, changes: &Changes, mut undo: Option<&mut AccountUndo>) {
        for (id, row) in &changes.products {
            let old = self.products.insert(id.clone(), row.clone());
            if let Some(undo) = &mut undo {
                undo.products.push((id.clone(), old));
            }
        }
        for (id, row) in &changes.prices {
            let old = self.prices.insert(id.clone(), row.clone());
            if let Some(undo) = &mut undo {
                undo.prices.push((id.clone(), old));
            }
        }
        // All old values of the unique indexes go before the first new one comes.
        for id in changes.purchases.keys() {
            self.unindex_purchase(id);
        }
        for (id, row) in &changes.purchases {
            let old = self.set_purchase(id, Some(row.clone()));
            if let Some(undo) = &mut undo {
                undo.purchases.push((id.clone(), old));
            }
        }
        for (id, row) in &changes.subscriptions {
            let old = self.subscriptions.insert(id.clone(), row.clone());
            if let Some(undo) = &mut undo {
                undo.subscriptions.push((id.clone(), old));
            }
        }
        for (key, row) in &changes.records {
            let old = self.set_record(key, row.clone());
            if let Some(undo) = &mut undo {
                undo.records.push((key.clone(), old));
            }
        }
        for fact in &changes.facts {
            self.facts.insert(fact.clone(), changes.event_id.clone());
            if let Some(undo) = &mut undo {
                undo.facts.push(fact.clone());
            }
        }
        if let Some(version) = changes.data_version {
            if let Some(undo) = &mut undo {
                undo.data_version = Some(self.data_version);
            }
            self.data_version = Some(version);
        }
    }

    pub(super) fn undo(&mut self, undo: AccountUndo) {
        for (id, row) in undo.products {
            restore(&mut self.products, id, row);
        }
        for (id, row) in undo.prices {
            restore(&mut self.prices, id, row);
        }
        for (id, _) in &undo.purchases {
            self.unindex_purchase(id);
        }
        for (id, row) in undo.purchases {
            self.set_purchase(&id, row);
        }
        for (id, row) in undo.subscriptions {
            restore(&mut self.subscriptions, id, row);
        }
        for (key, row) in undo.records {
            self.set_record(&key, row);
        }
        for fact in undo.facts {
            self.facts.remove(&fact);
        }
        if let Some(version) = undo.data_version {
            self.data_version = version;
        }
    }

    fn unindex_purchase(&mut self, id: &str) {
        let Some(row) = self.purchases.get(id) else { return };
        if let Some(session) = &row.values.session_id {
            self.by_session.remove(session);
        }
        if let Some(intent) = &row.values.payment_intent_id {
            self.by_payment_intent.remove(intent);
        }
    }

    /// Set a purchase that `unindex_purchase` was called for.
    fn set_purchase(&mut self, id: &str, row: Option<Purchase>) -> Option<Purchase> {
        let Some(row) = row else { return self.purchases.remove(id) };
        if let Some(session) = &row.values.session_id {
            self.by_session.insert(session.clone(), id.to_owned());
        }
        if let Some(intent) = &row.values.payment_intent_id {
            self.by_payment_intent.insert(intent.clone(), id.to_owned());
        }
        self.purchases.insert(id.to_owned(), row)
    }

    fn set_record(&mut self, key: &RecordKey, row: Option<StoredRecord>) -> Option<StoredRecord> {
        let Some(row) = row else { return self.records.get_mut(&key.collection)?.remove(&key.id) };
        if !self.records.contains_key(&key.collection) {
            self.records.insert(key.collection.clone(), BTreeMap::new());
        }
        self.records.get_mut(&key.collection)?.insert(key.id.clone(), row)
    }
}

/// Rows after an id, in order.
pub(super) fn beyond<'a, T>(rows: &'a BTreeMap<String, T>, after: Option<&str>) -> impl Iterator<Item = &'a T> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    rows.range::<str, _>((from, Bound::Unbounded)).map(|(_, row)| row)
}

pub(super) fn scan_records(
    rows: &BTreeMap<String, StoredRecord>,
    prefix: &str,
    descending: bool,
    after: Option<&str>,
    limit: usize,
) -> Vec<StoredRecord> {
    let (from, to) = scan_bounds(prefix, descending, after);
    if to.as_ref().is_some_and(|to| *to <= from) {
        return Vec::new();
    }
    let to = to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let rows = rows.range::<str, _>((Bound::Included(from.as_str()), to)).map(|(_, row)| row);
    if descending { rows.rev().take(limit).cloned().collect() } else { rows.take(limit).cloned().collect() }
}

fn restore<T>(rows: &mut BTreeMap<String, T>, id: String, row: Option<T>) {
    match row {
        Some(row) => rows.insert(id, row),
        None => rows.remove(&id),
    };
}
