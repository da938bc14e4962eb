//! The account as the rules read and write it, and the decision that comes of it.
//!
//! Reads go to the host once and are remembered; writes stay here and are read back. At the end all of it leaves as one
//! [`Decision`], or none of it.

use crate::context::Handled;
use products_contract::*;
use std::collections::{BTreeMap, BTreeSet};

/// What became of a request to call an effect off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancellation {
    /// It will not run.
    Cancelled,
    /// It has begun: its result comes, or is there.
    Begun,
}

/// A row, as it was read and as it is after the rules.
struct Held<T> {
    /// Version in the store, 0 if there is none.
    read_at: RowVersion,
    /// The row as it is now.
    now: Option<T>,
    /// Whether a rule wrote it.
    written: bool,
}

impl<T> Held<T> {
    fn read(version: RowVersion, row: T) -> Self {
        Held { read_at: version, now: Some(row), written: false }
    }

    fn absent() -> Self {
        Held { read_at: 0, now: None, written: false }
    }
}

/// The rows of one account while an event is decided.
pub(crate) struct Rows<'a> {
    host: &'a mut dyn Imports,
    /// None while it is not known whose event it is.
    account: Option<Account>,
    products: BTreeMap<String, Held<Product>>,
    purchases: BTreeMap<String, Held<Purchase>>,
    subscriptions: BTreeMap<String, Held<Subscription>>,
    records: BTreeMap<RecordKey, Held<StoredRecord>>,
    /// Kinds of which every row is here.
    whole: BTreeSet<RowKind>,
    catalog: BTreeMap<CatalogKey, Option<CatalogRow>>,
    /// Products of the catalog by type; all of them under none.
    catalog_lists: BTreeMap<Option<String>, Vec<Product>>,
    prices: BTreeMap<String, Price>,
    /// Facts by whether they were noted before this event.
    known: BTreeMap<String, bool>,
    facts: Vec<String>,
    claims: Vec<ClaimChange>,
    effects: Vec<Effect>,
    cancel: Vec<String>,
}

fn version_conflict(expected: RowVersion, version: RowVersion) -> Stored<()> {
    if expected == version { Ok(()) } else { Err(StoreError::Conflict(version)) }
}

fn wrong_kind(key: &RowKey) -> StoreError {
    StoreError::Unavailable(format!("{key} was answered by a row of another kind"))
}

impl<'a> Rows<'a> {
    /// The rows of an account that was opened; without one, of nobody.
    pub fn new(host: &'a mut dyn Imports, account: Option<Account>) -> Self {
        Rows {
            host,
            account,
            products: BTreeMap::new(),
            purchases: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            records: BTreeMap::new(),
            whole: BTreeSet::new(),
            catalog: BTreeMap::new(),
            catalog_lists: BTreeMap::new(),
            prices: BTreeMap::new(),
            known: BTreeMap::new(),
            facts: Vec::new(),
            claims: Vec::new(),
            effects: Vec::new(),
            cancel: Vec::new(),
        }
    }

    /// The account; none while it is not known whose event it is.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    fn is_platform(&self) -> bool {
        self.account == Some(Account::Platform)
    }

    /// All that was written, as a decision.
    pub fn decision(self, handled: Handled) -> Decision {
        let mut changes = Vec::new();
        for (id, held) in self.products.into_iter().filter(|(_, held)| held.written) {
            let Some(row) = held.now else { continue };
            let write = if row.deleted { Write::Remove } else { Write::Product(row.values) };
            changes.push(change(RowKey::Product(id), held.read_at, write));
        }
        for (id, price) in self.prices {
            changes.push(change(RowKey::Price(id), 0, Write::Price(price)));
        }
        for (id, held) in self.purchases.into_iter().filter(|(_, held)| held.written) {
            let Some(row) = held.now else { continue };
            changes.push(change(RowKey::Purchase(id), held.read_at, Write::Purchase(row.values)));
        }
        for (id, held) in self.subscriptions.into_iter().filter(|(_, held)| held.written) {
            let Some(row) = held.now else { continue };
            changes.push(change(RowKey::Subscription(id), held.read_at, Write::Subscription(row.values)));
        }
        for (key, held) in self.records.into_iter().filter(|(_, held)| held.written) {
            let write = held.now.map_or(Write::Remove, |row| Write::Record(row.value));
            changes.push(change(RowKey::Record(key), held.read_at, write));
        }
        let Handled { outcome, reply } = handled;
        // What is refused or put off holds no name.
        let holds = !matches!(outcome, Outcome::Rejected(_) | Outcome::Deferred(_));
        let claims = if holds { self.claims } else { Vec::new() };
        Decision { outcome, reply, changes, facts: self.facts, claims, effects: self.effects, cancel: self.cancel }
    }

    /// Forget all that was written and asked for, apart from mails: a refusal may be told.
    pub fn keep_mails(&mut self) {
        let mails: Vec<Effect> = self.effects.drain(..).filter(is_mail_of_now).collect();
        let told: Vec<String> =
            self.facts.drain(..).filter(|fact| mails.iter().any(|mail| mail.key == *fact)).collect();
        self.take_back();
        self.effects = mails;
        self.facts = told;
    }

    /// Forget all that was written and asked for.
    fn take_back(&mut self) {
        self.products.retain(|_, held| !held.written);
        self.purchases.retain(|_, held| !held.written);
        self.subscriptions.retain(|_, held| !held.written);
        self.records.retain(|_, held| !held.written);
        self.whole.clear();
        self.prices.clear();
        self.facts.clear();
        self.claims.clear();
        self.effects.clear();
        self.cancel.clear();
    }

    /// Read rows of this account that are not here yet.
    fn fetch(&mut self, keys: Vec<RowKey>) -> Stored<()> {
        let missing: Vec<RowKey> = keys.into_iter().filter(|key| !self.has(key)).collect();
        for part in missing.chunks(BULK_MAX) {
            let rows = self.host.load(part)?;
            if rows.len() != part.len() {
                return Err(StoreError::Unavailable("account.load answered with fewer entries than asked".to_owned()));
            }
            for (key, row) in part.iter().zip(rows) {
                match row {
                    Some(stored) => self.hold(stored)?,
                    None => self.hold_absent(key),
                }
                if !self.has(key) {
                    return Err(wrong_kind(key));
                }
            }
        }
        Ok(())
    }

    fn has(&self, key: &RowKey) -> bool {
        match key {
            RowKey::Product(id) => self.products.contains_key(id),
            RowKey::Purchase(id) => self.purchases.contains_key(id),
            RowKey::Subscription(id) => self.subscriptions.contains_key(id),
            RowKey::Record(key) => self.records.contains_key(key),
            RowKey::Price(_) => false,
        }
    }

    fn hold_absent(&mut self, key: &RowKey) {
        match key {
            RowKey::Product(id) => drop(self.products.insert(id.clone(), Held::absent())),
            RowKey::Purchase(id) => drop(self.purchases.insert(id.clone(), Held::absent())),
            RowKey::Subscription(id) => drop(self.subscriptions.insert(id.clone(), Held::absent())),
            RowKey::Record(key) => drop(self.records.insert(key.clone(), Held::absent())),
            RowKey::Price(_) => {}
        }
    }

    /// Remember a row that was read, unless it is here already.
    fn hold(&mut self, stored: StoredRow) -> Stored<()> {
        if stored.data_version > crate::DATA_VERSION {
            let written_by = stored.data_version;
            return Err(StoreError::Unavailable(format!(
                "{} was written as data version {written_by}, this component reads {}",
                stored.row.key(),
                crate::DATA_VERSION
            )));
        }
        match stored.row {
            Row::Product(row) => {
                self.products.entry(row.id.clone()).or_insert_with(|| Held::read(row.version, row));
            }
            Row::Purchase(row) => {
                self.purchases.entry(row.id.clone()).or_insert_with(|| Held::read(row.version, row));
            }
            Row::Subscription(row) => {
                self.subscriptions.entry(row.id.clone()).or_insert_with(|| Held::read(row.version, row));
            }
            Row::Record(row) => {
                let key = RecordKey { collection: row.collection.clone(), id: row.id.clone() };
                self.records.entry(key).or_insert_with(|| Held::read(row.version, row));
            }
            Row::Price(_) => {}
        }
        Ok(())
    }

    /// Read every row of a kind.
    fn fetch_whole(&mut self, kind: RowKind) -> Stored<()> {
        if self.whole.contains(&kind) {
            return Ok(());
        }
        let mut after: Option<String> = None;
        loop {
            let listing = Listing { kind: kind.clone(), prefix: String::new(), descending: false, after };
            let rows = self.host.more(&Selection::Listed(listing), PAGE_ROWS_MAX)?;
            let full = rows.len() == PAGE_ROWS_MAX as usize;
            after = rows.last().map(|stored| stored.row.id().to_owned());
            for stored in rows {
                self.hold(stored)?;
            }
            if !full {
                self.whole.insert(kind);
                return Ok(());
            }
        }
    }

    /// Read parts of the catalog and of the configuration that are not here yet.
    fn fetch_catalog(&mut self, keys: impl Iterator<Item = CatalogKey>) -> Stored<()> {
        let missing: Vec<CatalogKey> = keys.filter(|key| !self.catalog.contains_key(key)).collect();
        for part in missing.chunks(BULK_MAX) {
            let rows = self.host.catalog_read(part)?;
            if rows.len() != part.len() {
                return Err(StoreError::Unavailable("catalog.read answered with fewer entries than asked".to_owned()));
            }
            self.catalog.extend(part.iter().cloned().zip(rows));
        }
        Ok(())
    }

    /// Products by id, of this account or the catalog.
    pub fn products_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Product>>> {
        if self.account.is_some() {
            self.fetch(ids.iter().cloned().map(RowKey::Product).collect())?;
        }
        let own = |rows: &Self, id: &String| rows.products.get(id).and_then(|held| held.now.clone());
        if !self.is_platform() {
            let others: Vec<String> = ids.iter().filter(|id| own(self, id).is_none()).cloned().collect();
            self.fetch_catalog(others.into_iter().map(CatalogKey::Product))?;
        }
        let of_catalog = |rows: &Self, id: &String| match rows.catalog.get(&CatalogKey::Product(id.clone())) {
            Some(Some(CatalogRow::Product(row))) => Some(row.clone()),
            _ => None,
        };
        Ok(ids.iter().map(|id| own(self, id).or_else(|| of_catalog(self, id))).collect())
    }

    /// All products of this account, or of the catalog, that are not deleted, in order of their ids.
    pub fn products(&mut self, catalog: bool, product_type: Option<&str>) -> Stored<Vec<Product>> {
        let fits = |row: &&Product| !row.deleted && product_type.is_none_or(|wanted| row.values.product_type == wanted);
        if !catalog || self.is_platform() {
            self.fetch_whole(RowKind::Product)?;
            return Ok(self.products.values().filter_map(|held| held.now.as_ref()).filter(fits).cloned().collect());
        }
        let list = product_type.map(str::to_owned);
        if let Some(known) = self.catalog_lists.get(&list) {
            return Ok(known.clone());
        }
        let query = list.clone().map_or(CatalogQuery::All, CatalogQuery::ProductType);
        let mut found: Vec<Product> = Vec::new();
        loop {
            let after = found.last().map(|row| row.id.clone());
            let rows = self.host.catalog_find(&query, &Page { after, limit: PAGE_ROWS_MAX })?;
            let full = rows.len() == PAGE_ROWS_MAX as usize;
            found.extend(rows);
            if !full {
                self.catalog_lists.insert(list, found.clone());
                return Ok(found);
            }
        }
    }

    /// Write a product of this account; its new version.
    pub fn product_save(&mut self, id: &str, expected: RowVersion, values: &ProductValues) -> Stored<RowVersion> {
        self.fetch(vec![RowKey::Product(id.to_owned())])?;
        let owner = self.account.clone().ok_or_else(nobody)?;
        let held = self.products.entry(id.to_owned()).or_insert_with(Held::absent);
        version_conflict(expected, held.now.as_ref().map_or(0, |row| row.version))?;
        let version = expected + 1;
        held.now = Some(Product { id: id.to_owned(), owner, values: values.clone(), version, deleted: false });
        held.written = true;
        Ok(version)
    }

    /// Delete a product of this account softly; its new version.
    pub fn product_remove(&mut self, id: &str, expected: RowVersion) -> Stored<RowVersion> {
        self.fetch(vec![RowKey::Product(id.to_owned())])?;
        let held = self.products.entry(id.to_owned()).or_insert_with(Held::absent);
        let Some(row) = &mut held.now else { return Err(StoreError::Conflict(0)) };
        version_conflict(expected, row.version)?;
        row.version += 1;
        row.deleted = true;
        held.written = true;
        Ok(row.version)
    }

    /// Prices of the catalog by the provider's ids.
    pub fn prices_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Price>>> {
        self.fetch_catalog(ids.iter().cloned().map(CatalogKey::Price))?;
        let find = |id: &String| match (self.prices.get(id), self.catalog.get(&CatalogKey::Price(id.clone()))) {
            (Some(written), _) => Some(written.clone()),
            (None, Some(Some(CatalogRow::Price(price)))) => Some(price.clone()),
            _ => None,
        };
        Ok(ids.iter().map(find).collect())
    }

    /// Write a price of the catalog.
    pub fn price_save(&mut self, price: &Price) -> Stored<()> {
        if !self.is_platform() {
            return Err(StoreError::Denied(format!("price `{}` belongs to the catalog", price.id)));
        }
        self.prices.insert(price.id.clone(), price.clone());
        Ok(())
    }

    /// A purchase by its id.
    pub fn purchase(&mut self, id: &str) -> Stored<Option<Purchase>> {
        self.fetch(vec![RowKey::Purchase(id.to_owned())])?;
        Ok(self.purchases.get(id).and_then(|held| held.now.clone()))
    }

    /// All purchases of the account, in order of their ids.
    pub fn purchases(&mut self) -> Stored<Vec<Purchase>> {
        self.fetch_whole(RowKind::Purchase)?;
        Ok(self.purchases.values().filter_map(|held| held.now.clone()).collect())
    }

    /// The purchase of a checkout session.
    pub fn purchase_of_session(&mut self, session: &str) -> Stored<Option<Purchase>> {
        self.fetch_whole(RowKind::Purchase)?;
        let mut rows = self.purchases.values().filter_map(|held| held.now.as_ref());
        Ok(rows.find(|row| row.values.session_id.as_deref() == Some(session)).cloned())
    }

    /// Write a purchase; its new version.
    pub fn purchase_save(&mut self, id: &str, expected: RowVersion, values: &PurchaseValues) -> Stored<RowVersion> {
        self.fetch(vec![RowKey::Purchase(id.to_owned())])?;
        let held = self.purchases.entry(id.to_owned()).or_insert_with(Held::absent);
        version_conflict(expected, held.now.as_ref().map_or(0, |row| row.version))?;
        held.now = Some(Purchase { id: id.to_owned(), values: values.clone(), version: expected + 1 });
        held.written = true;
        Ok(expected + 1)
    }

    /// A subscription by its id.
    pub fn subscription(&mut self, id: &str) -> Stored<Option<Subscription>> {
        self.fetch(vec![RowKey::Subscription(id.to_owned())])?;
        Ok(self.subscriptions.get(id).and_then(|held| held.now.clone()))
    }

    /// All subscriptions of the account, ended ones too, in order of their ids.
    pub fn subscriptions(&mut self) -> Stored<Vec<Subscription>> {
        self.fetch_whole(RowKind::Subscription)?;
        Ok(self.subscriptions.values().filter_map(|held| held.now.clone()).collect())
    }

    /// Write a subscription; its new version.
    pub fn subscription_save(
        &mut self,
        id: &str,
        expected: RowVersion,
        values: &SubscriptionValues,
    ) -> Stored<RowVersion> {
        self.fetch(vec![RowKey::Subscription(id.to_owned())])?;
        let held = self.subscriptions.entry(id.to_owned()).or_insert_with(Held::absent);
        version_conflict(expected, held.now.as_ref().map_or(0, |row| row.version))?;
        held.now = Some(Subscription { id: id.to_owned(), values: values.clone(), version: expected + 1 });
        held.written = true;
        Ok(expected + 1)
    }

    /// Records of a collection by their ids, in the order of the question.
    pub fn records_load(&mut self, collection: &str, ids: &[String]) -> Stored<Vec<Option<StoredRecord>>> {
        let key = |id: &String| RecordKey { collection: collection.to_owned(), id: id.clone() };
        self.fetch(ids.iter().map(|id| RowKey::Record(key(id))).collect())?;
        Ok(ids.iter().map(|id| self.records.get(&key(id)).and_then(|held| held.now.clone())).collect())
    }

    /// All records of a collection, in order of their ids.
    pub fn records(&mut self, collection: &str) -> Stored<Vec<StoredRecord>> {
        self.fetch_whole(RowKind::Record(collection.to_owned()))?;
        let held = self.records.iter().filter(|(key, _)| key.collection == collection);
        Ok(held.filter_map(|(_, held)| held.now.clone()).collect())
    }

    /// Write a record; its new version.
    pub fn record_save(&mut self, collection: &str, id: &str, expected: RowVersion, value: Json) -> Stored<RowVersion> {
        let key = RecordKey { collection: collection.to_owned(), id: id.to_owned() };
        self.fetch(vec![RowKey::Record(key.clone())])?;
        let held = self.records.entry(key.clone()).or_insert_with(Held::absent);
        version_conflict(expected, held.now.as_ref().map_or(0, |row| row.version))?;
        let RecordKey { collection, id } = key;
        held.now = Some(StoredRecord { collection, id, value, version: expected + 1 });
        held.written = true;
        Ok(expected + 1)
    }

    /// Whether a fact is noted, by this event or an earlier one.
    pub fn is_noted(&mut self, fact: &str) -> Stored<bool> {
        if self.facts.iter().any(|noted| noted == fact) {
            return Ok(true);
        }
        let known = match self.known.get(fact) {
            Some(known) => *known,
            None => {
                let answer = self.host.known(&[fact.to_owned()])?;
                let known = answer.first().copied().ok_or_else(|| {
                    StoreError::Unavailable("account.known answered with fewer entries than asked".to_owned())
                })?;
                self.known.insert(fact.to_owned(), known);
                known
            }
        };
        Ok(known)
    }

    /// Note a fact; true if it is new.
    pub fn note(&mut self, fact: &str) -> Stored<bool> {
        let new = !self.is_noted(fact)?;
        if new {
            self.facts.push(fact.to_owned());
        }
        Ok(new)
    }

    /// Take claims: all, or none if one is another's or blocked. What is free or held already is `Mine`.
    pub fn claims_take(&mut self, keys: &[String], until: Option<Timestamp>) -> Stored<Vec<ClaimState>> {
        let mut states = self.host.claims_take(keys)?;
        for state in &mut states {
            if *state == ClaimState::Free {
                *state = ClaimState::Mine;
            }
        }
        if states.iter().all(|state| *state == ClaimState::Mine) {
            self.claims.extend(keys.iter().map(|key| ClaimChange::Take { key: key.clone(), until }));
        }
        Ok(states)
    }

    /// Give claims back, and let nobody take them before a time.
    pub fn claims_release(&mut self, keys: &[String], blocked_until: Option<Timestamp>) {
        self.claims.extend(keys.iter().map(|key| ClaimChange::Release { key: key.clone(), blocked_until }));
    }

    /// Keys that this account holds and that begin with `prefix`.
    pub fn claims_mine(&mut self, prefix: &str) -> Stored<Vec<String>> {
        self.host.claims_mine(prefix)
    }

    /// Ask for effects.
    pub fn effects_enqueue(&mut self, effects: &[Effect]) {
        self.effects.extend_from_slice(effects);
    }

    /// Call effects off by their keys.
    pub fn effects_cancel(&mut self, keys: &[String]) -> Stored<Vec<Cancellation>> {
        let mut answers = Vec::with_capacity(keys.len());
        for part in keys.chunks(BULK_MAX) {
            answers.extend(self.host.begun(part)?.into_iter().map(|begun| match begun {
                true => Cancellation::Begun,
                false => Cancellation::Cancelled,
            }));
        }
        self.effects.retain(|effect| !keys.contains(&effect.key));
        self.cancel.extend_from_slice(keys);
        Ok(answers)
    }

    /// A configuration value; none where an optional one is not set.
    pub fn setting(&mut self, key: &str) -> Stored<Option<ConfigValue>> {
        let key = CatalogKey::Setting(key.to_owned());
        self.fetch_catalog(std::iter::once(key.clone()))?;
        match self.catalog.get(&key) {
            Some(Some(CatalogRow::Setting(value))) => Ok(Some(value.clone())),
            _ => Ok(None),
        }
    }
}

/// A mail that goes out at once; those of later belong to the schedule.
fn is_mail_of_now(effect: &Effect) -> bool {
    effect.kind == crate::notice::KIND && effect.not_before.is_none()
}

fn nobody() -> StoreError {
    StoreError::Denied("a write without an account".to_owned())
}

/// A change of a row that is read when it is needed.
fn change(key: RowKey, expected: RowVersion, write: Write) -> Change {
    Change { key, expected, write, live: false, references: Vec::new(), fingerprint: None }
}
