//! One event's view of a store: reads go through its own writes, what it wrote leaves as [`Changes`].
//!
//! It holds the contract's rules (scope, access, limits, versions, unique indexes, claims, effect keys) so that a
//! [`Store`] only keeps rows. It owns its store while it runs, since a component's host state cannot borrow one.

mod check;
mod claims;
mod context;
mod effects;
mod scan;
mod trace;

pub use context::{Access, ConfigError, Context, Declared};
pub use trace::{AskedEffect, LogEntry, Trace};

use crate::changes::Changes;
use crate::scope::Scope;
use crate::store::Store;
use products_contract::{
    Account, Cancellation, ClaimState, ConfigValue, Effect, EffectError, Imports, LogLevel, Page, Price, Product,
    ProductValues, Purchase, PurchaseKey, PurchaseValues, RecordKey, RecordWrite, RowVersion, StoreError, Stored,
    StoredRecord, Subscription, SubscriptionValues, Timestamp,
};
use std::collections::HashMap;
use std::ops::Bound;

/// One event's view of a store. See the module.
pub struct Transaction {
    store: Box<dyn Store>,
    context: Context,
    catalog: Scope,
    claim_prefix: String,
    changes: Changes,
    /// Where the changes to an effect key stand in `changes.effects`.
    effect_places: HashMap<String, Vec<usize>>,
    trace: Trace,
}

/// What a call needs to be allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Catalog,
    Read,
    Write,
}

impl Transaction {
    /// Begin. Nothing reaches the store before [`Store::apply`] gets the changes.
    pub fn begin(store: Box<dyn Store>, context: Context) -> Self {
        let catalog = context.scope.catalog();
        let mut claim_prefix = context.scope.claim_space();
        claim_prefix.push('/');
        claim_prefix.push_str(context.connected_account.as_deref().unwrap_or_default());
        claim_prefix.push('/');
        let changes =
            Changes { scope: Some(context.scope.clone()), event_id: context.event_id.clone(), ..Changes::default() };
        Transaction {
            store,
            context,
            catalog,
            claim_prefix,
            changes,
            effect_places: HashMap::new(),
            trace: Trace::default(),
        }
    }

    /// End with what it changed. The caller must not apply the changes if [`Trace::unavailable`] is set.
    pub fn finish(self) -> (Box<dyn Store>, Changes, Trace) {
        (self.store, self.changes, self.trace)
    }

    /// End without changes; what it logged and counted is kept.
    pub fn discard(self) -> (Box<dyn Store>, Trace) {
        (self.store, self.trace)
    }

    /// The store below, without this transaction's writes.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// What it is about.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What it did so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Count a host call, refuse it or run it, and remember a store that failed.
    fn call<T>(&mut self, need: Need, body: impl FnOnce(&mut Self) -> Stored<T>) -> Stored<T> {
        self.trace.calls += 1;
        let answer = if self.trace.calls > self.context.call_limit {
            self.trace.over_call_limit = true;
            Err(StoreError::Unavailable(format!("more than {} host calls", self.context.call_limit)))
        } else {
            match (self.context.access, need) {
                (Access::Full, _) | (_, Need::Catalog) | (Access::ReadOnly, Need::Read) => body(self),
                (Access::ReadOnly, Need::Write) => Err(StoreError::Denied("write in a read-only transaction".into())),
                (Access::CatalogOnly, _) => Err(StoreError::Denied("only the catalog may be read here".into())),
            }
        };
        if let Err(StoreError::Unavailable(text)) = &answer {
            self.trace.unavailable.get_or_insert_with(|| text.clone());
        }
        answer
    }

    fn in_platform(&self) -> bool {
        self.context.scope.account == Account::Platform
    }

    fn own_product(&self, id: &str) -> Stored<Option<Product>> {
        match self.changes.products.get(id) {
            Some(row) => Ok(Some(row.clone())),
            None => self.store.product(&self.context.scope, id),
        }
    }

    fn load_product(&self, id: &str) -> Stored<Option<Product>> {
        check::id("product id", id)?;
        if self.context.access != Access::CatalogOnly
            && let Some(row) = self.own_product(id)?
        {
            return Ok(Some(row));
        }
        if self.in_platform() && self.context.access != Access::CatalogOnly {
            return Ok(None);
        }
        self.store.product(&self.catalog, id)
    }

    /// Version of a product of this account that is to be written, 0 if there is none.
    fn product_to_write(&self, id: &str) -> Stored<Option<Product>> {
        check::id("product id", id)?;
        let row = self.own_product(id)?;
        if row.is_none() && !self.in_platform() && self.store.product(&self.catalog, id)?.is_some() {
            return Err(StoreError::Denied(format!("product `{id}` belongs to the catalog")));
        }
        Ok(row)
    }

    fn find_purchase(&self, key: &PurchaseKey) -> Stored<Option<Purchase>> {
        let own = match key {
            PurchaseKey::Id(id) => self.changes.purchases.get(id),
            PurchaseKey::Session(id) => {
                self.changes.purchases.values().find(|row| row.values.session_id.as_ref() == Some(id))
            }
            PurchaseKey::PaymentIntent(id) => {
                self.changes.purchases.values().find(|row| row.values.payment_intent_id.as_ref() == Some(id))
            }
        };
        if let Some(row) = own {
            return Ok(Some(row.clone()));
        }
        let stored = self.store.purchase(&self.context.scope, key)?;
        // A row that this transaction rewrote no longer has the stored session or payment intent.
        Ok(stored.filter(|row| !self.changes.purchases.contains_key(&row.id)))
    }

    fn check_unique(&self, id: &str, key: Option<PurchaseKey>, index: &str) -> Stored<()> {
        let Some(key) = key else { return Ok(()) };
        match self.find_purchase(&key)? {
            Some(other) if other.id != id => Err(StoreError::Taken(index.to_owned())),
            _ => Ok(()),
        }
    }

    fn load_subscription(&self, id: &str) -> Stored<Option<Subscription>> {
        check::id("subscription id", id)?;
        match self.changes.subscriptions.get(id) {
            Some(row) => Ok(Some(row.clone())),
            None => self.store.subscription(&self.context.scope, id),
        }
    }

    fn check_collection(&self, collection: &str) -> Stored<()> {
        if self.context.declared.collections.contains(collection) {
            return Ok(());
        }
        Err(StoreError::Denied(format!("collection `{collection}` is not declared")))
    }

    fn load_record(&self, key: &RecordKey) -> Stored<Option<StoredRecord>> {
        self.check_collection(&key.collection)?;
        check::id("record id", &key.id)?;
        match self.changes.records.get(key) {
            Some(row) => Ok(row.clone()),
            None => self.store.record(&self.context.scope, key),
        }
    }

    fn scan_records(&self, collection: &str, prefix: &str, descending: bool, page: &Page) -> Stored<Vec<StoredRecord>> {
        self.check_collection(collection)?;
        let limit = check::page(page)?;
        let after = page.after.as_deref();
        let from = RecordKey { collection: collection.to_owned(), id: prefix.to_owned() };
        let mut own: Vec<(&str, Option<&StoredRecord>)> = self
            .changes
            .records
            .range(from..)
            .take_while(|(key, _)| key.collection == collection && key.id.starts_with(prefix))
            .map(|(key, row)| (key.id.as_str(), row.as_ref()))
            .filter(|(id, _)| after.is_none_or(|after| if descending { *id < after } else { *id > after }))
            .collect();
        if descending {
            own.reverse();
        }
        let fetch = |after: Option<&str>, limit| {
            self.store.records(&self.context.scope, collection, prefix, descending, after, limit)
        };
        scan::merge(own, descending, after, limit, fetch, |row| &row.id)
    }

    fn save_records(&mut self, writes: &[RecordWrite]) -> Stored<Vec<RowVersion>> {
        check::bulk(writes)?;
        let mut versions: Vec<RowVersion> = Vec::with_capacity(writes.len());
        for (at, write) in writes.iter().enumerate() {
            if let Some(value) = &write.value {
                check::json_object("/value", value)?;
            }
            // An earlier write of the same call counts, as if the calls were made one by one.
            let earlier = writes[..at].iter().rposition(|other| other.key == write.key);
            let version = match earlier {
                Some(earlier) => versions[earlier],
                None => self.load_record(&write.key)?.map_or(0, |row| row.version),
            };
            if version != write.expected {
                return Err(StoreError::Conflict(version));
            }
            versions.push(if write.value.is_some() { version + 1 } else { 0 });
        }
        for (write, version) in writes.iter().zip(&versions) {
            let row = write.value.as_ref().map(|value| {
                self.trace.bytes += value.len() as u64;
                StoredRecord { id: write.key.id.clone(), value: value.clone(), version: *version }
            });
            self.changes.records.insert(write.key.clone(), row);
        }
        Ok(versions)
    }

    fn note(&mut self, facts: &[String]) -> Stored<Vec<bool>> {
        check::bulk(facts)?;
        for fact in facts {
            check::id("fact", fact)?;
        }
        let mut answers = Vec::with_capacity(facts.len());
        for fact in facts {
            let new = !self.changes.facts.contains(fact) && self.store.fact(&self.context.scope, fact)?.is_none();
            if new {
                self.changes.facts.insert(fact.clone());
            }
            answers.push(new);
        }
        Ok(answers)
    }
}

/// Rows of an overlay after an id, in order.
fn beyond<'a, T>(
    rows: &'a std::collections::BTreeMap<String, T>,
    after: Option<&str>,
) -> impl Iterator<Item = (&'a str, &'a T)> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    rows.range::<str, _>((from, Bound::Unbounded)).map(|(id, row)| (id.as_str(), row))
}

fn expect_version(expected: RowVersion, version: RowVersion) -> Stored<RowVersion> {
    if expected == version { Ok(version + 1) } else { Err(StoreError::Conflict(version)) }
}

impl Imports for Transaction {
    fn products_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Product>>> {
        self.call(Need::Catalog, |tx| {
            check::bulk(ids)?;
            ids.iter().map(|id| tx.load_product(id)).collect()
        })
    }

    fn products_scan(&mut self, catalog: bool, product_type: Option<&str>, page: &Page) -> Stored<Vec<Product>> {
        self.call(if catalog { Need::Catalog } else { Need::Read }, |tx| {
            let limit = check::page(page)?;
            let after = page.after.as_deref();
            let scope = if catalog { &tx.catalog } else { &tx.context.scope };
            let fetch = |after: Option<&str>, limit| tx.store.products(scope, product_type, after, limit);
            if *scope != tx.context.scope {
                return fetch(after, limit);
            }
            let fits =
                |row: &&Product| !row.deleted && product_type.is_none_or(|wanted| row.values.product_type == wanted);
            let own = beyond(&tx.changes.products, after).map(|(id, row)| (id, Some(row).filter(fits))).collect();
            scan::merge(own, false, after, limit, fetch, |row| &row.id)
        })
    }

    fn product_save(&mut self, id: &str, expected: RowVersion, values: &ProductValues) -> Stored<RowVersion> {
        self.call(Need::Write, |tx| {
            check::json_object("/metadata", &values.metadata)?;
            let version = expect_version(expected, tx.product_to_write(id)?.map_or(0, |row| row.version))?;
            tx.trace.bytes += values.metadata.len() as u64;
            let owner = tx.context.scope.account.clone();
            let row = Product { id: id.to_owned(), owner, values: values.clone(), version, deleted: false };
            tx.changes.products.insert(id.to_owned(), row);
            Ok(version)
        })
    }

    fn product_remove(&mut self, id: &str, expected: RowVersion) -> Stored<RowVersion> {
        self.call(Need::Write, |tx| {
            let Some(mut row) = tx.product_to_write(id)? else { return Err(StoreError::Conflict(0)) };
            row.version = expect_version(expected, row.version)?;
            row.deleted = true;
            let version = row.version;
            tx.changes.products.insert(id.to_owned(), row);
            Ok(version)
        })
    }

    fn prices_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Price>>> {
        self.call(Need::Catalog, |tx| {
            check::bulk(ids)?;
            let load = |id: &String| {
                check::id("price id", id)?;
                match tx.changes.prices.get(id) {
                    Some(row) => Ok(Some(row.clone())),
                    None => tx.store.price(&tx.catalog, id),
                }
            };
            ids.iter().map(load).collect()
        })
    }

    fn price_save(&mut self, price: &Price) -> Stored<()> {
        self.call(Need::Write, |tx| {
            if !tx.in_platform() {
                return Err(StoreError::Denied(format!("price `{}` belongs to the catalog", price.id)));
            }
            check::id("price id", &price.id)?;
            check::json_object("/terms", &price.terms)?;
            tx.trace.bytes += price.terms.len() as u64;
            tx.changes.prices.insert(price.id.clone(), price.clone());
            Ok(())
        })
    }

    fn purchase_find(&mut self, keys: &[PurchaseKey]) -> Stored<Option<Purchase>> {
        self.call(Need::Read, |tx| {
            check::bulk(keys)?;
            for key in keys {
                let (PurchaseKey::Id(id) | PurchaseKey::Session(id) | PurchaseKey::PaymentIntent(id)) = key;
                check::id("purchase key", id)?;
                if let Some(row) = tx.find_purchase(key)? {
                    return Ok(Some(row));
                }
            }
            Ok(None)
        })
    }

    fn purchases_scan(&mut self, page: &Page) -> Stored<Vec<Purchase>> {
        self.call(Need::Read, |tx| {
            let limit = check::page(page)?;
            let after = page.after.as_deref();
            let own = beyond(&tx.changes.purchases, after).map(|(id, row)| (id, Some(row))).collect();
            let fetch = |after: Option<&str>, limit| tx.store.purchases(&tx.context.scope, after, limit);
            scan::merge(own, false, after, limit, fetch, |row| &row.id)
        })
    }

    fn purchase_save(&mut self, id: &str, expected: RowVersion, values: &PurchaseValues) -> Stored<RowVersion> {
        self.call(Need::Write, |tx| {
            check::id("purchase id", id)?;
            check::bulk(&values.items)?;
            check::json_object("/metadata", &values.metadata)?;
            let session = values.session_id.clone().map(PurchaseKey::Session);
            let intent = values.payment_intent_id.clone().map(PurchaseKey::PaymentIntent);
            for key in [&values.session_id, &values.payment_intent_id, &values.subscription_id].into_iter().flatten() {
                check::id("purchase key", key)?;
            }
            let current = tx.find_purchase(&PurchaseKey::Id(id.to_owned()))?;
            let version = expect_version(expected, current.map_or(0, |row| row.version))?;
            tx.check_unique(id, session, "purchase.session")?;
            tx.check_unique(id, intent, "purchase.payment-intent")?;
            tx.trace.bytes += values.metadata.len() as u64;
            let row = Purchase { id: id.to_owned(), values: values.clone(), version };
            tx.changes.purchases.insert(id.to_owned(), row);
            Ok(version)
        })
    }

    fn subscriptions_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Subscription>>> {
        self.call(Need::Read, |tx| {
            check::bulk(ids)?;
            ids.iter().map(|id| tx.load_subscription(id)).collect()
        })
    }

    fn subscriptions_scan(&mut self, page: &Page) -> Stored<Vec<Subscription>> {
        self.call(Need::Read, |tx| {
            let limit = check::page(page)?;
            let after = page.after.as_deref();
            let own = beyond(&tx.changes.subscriptions, after).map(|(id, row)| (id, Some(row))).collect();
            let fetch = |after: Option<&str>, limit| tx.store.subscriptions(&tx.context.scope, after, limit);
            scan::merge(own, false, after, limit, fetch, |row| &row.id)
        })
    }

    fn subscription_save(&mut self, id: &str, expected: RowVersion, values: &SubscriptionValues) -> Stored<RowVersion> {
        self.call(Need::Write, |tx| {
            check::bulk(&values.items)?;
            check::json_object("/metadata", &values.metadata)?;
            let version = expect_version(expected, tx.load_subscription(id)?.map_or(0, |row| row.version))?;
            tx.trace.bytes += values.metadata.len() as u64;
            let row = Subscription { id: id.to_owned(), values: values.clone(), version };
            tx.changes.subscriptions.insert(id.to_owned(), row);
            Ok(version)
        })
    }

    fn records_load(&mut self, keys: &[RecordKey]) -> Stored<Vec<Option<StoredRecord>>> {
        self.call(Need::Read, |tx| {
            check::bulk(keys)?;
            keys.iter().map(|key| tx.load_record(key)).collect()
        })
    }

    fn records_scan(
        &mut self,
        collection: &str,
        prefix: &str,
        descending: bool,
        page: &Page,
    ) -> Stored<Vec<StoredRecord>> {
        self.call(Need::Read, |tx| tx.scan_records(collection, prefix, descending, page))
    }

    fn records_save(&mut self, writes: &[RecordWrite]) -> Stored<Vec<RowVersion>> {
        self.call(Need::Write, |tx| tx.save_records(writes))
    }

    fn facts_note(&mut self, facts: &[String]) -> Stored<Vec<bool>> {
        self.call(Need::Write, |tx| tx.note(facts))
    }

    fn claims_take(&mut self, keys: &[String], until: Option<Timestamp>) -> Stored<Vec<ClaimState>> {
        self.call(Need::Write, |tx| tx.take_claims(keys, until))
    }

    fn claims_release(&mut self, keys: &[String], blocked_until: Option<Timestamp>) -> Stored<()> {
        self.call(Need::Write, |tx| tx.release_claims(keys, blocked_until))
    }

    fn claims_mine(&mut self, prefix: &str) -> Stored<Vec<String>> {
        self.call(Need::Read, |tx| tx.held_claims(prefix))
    }

    fn effects_enqueue(&mut self, effects: &[Effect]) -> Result<(), EffectError> {
        self.call(Need::Write, |tx| tx.enqueue(effects)).unwrap_or_else(|error| Err(EffectError::Store(error)))
    }

    fn effects_cancel(&mut self, keys: &[String]) -> Stored<Vec<Cancellation>> {
        self.call(Need::Write, |tx| tx.cancel(keys))
    }

    fn config_load(&mut self, keys: &[String]) -> Result<Vec<Option<ConfigValue>>, String> {
        let read = |tx: &mut Self| {
            check::bulk(keys)?;
            let load = |key: &String| tx.context.declared.config.get(key).cloned().ok_or_else(|| key.clone());
            Ok(keys.iter().map(load).collect())
        };
        self.call(Need::Catalog, read).unwrap_or_else(|error| Err(error.to_string()))
    }

    fn log_write(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let entry = LogEntry { level, message: message.to_owned(), fields: fields.to_vec() };
        let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        // A refused entry has no one to tell: the call limit's flag does.
        let _ = self.call(Need::Catalog, |tx| {
            tx.trace.bytes += (message.len() + bytes) as u64;
            tx.trace.logs.push(entry);
            Ok(())
        });
    }
}
