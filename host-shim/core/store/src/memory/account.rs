//! The rows of one scope.

use crate::changes::{Changes, RowWrite};
use crate::prefix::scan_bounds;
use crate::reach::{Graph, Rows};
use crate::refusal::Unique;
use extension_contract::{Listing, Product, RecordKey, Reference, Reply, Row, RowKey, RowKind, Stored, StoredRow};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// A row with all that the last change said of it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) stored: StoredRow,
    live: bool,
    pub(super) references: Vec<Reference>,
    fingerprint: Option<String>,
    /// Revision of the account that the row was last written in.
    written: u64,
}

/// A row by the revision that it was last written in.
type Written = (u64, Arc<RowKey>);

#[derive(Clone, Debug, Default)]
pub(super) struct AccountRows {
    rows: Rows<Arc<Held>>,
    live: Rows<Arc<Held>>,
    /// What refers to a thing, in order of the texts of the rows' keys.
    referrers: HashMap<Reference, BTreeMap<Arc<str>, Arc<RowKey>>>,
    /// Rows that bear a fingerprint, by when they were written.
    fingerprints: BTreeMap<(RowKind, String), BTreeSet<Written>>,
    purchases: [HashMap<String, Arc<RowKey>>; 2],
    pub(super) facts: HashMap<Arc<str>, Arc<str>>,
    /// The last answer to each caller.
    pub(super) replies: HashMap<String, Reply>,
    pub(super) revision: u64,
    pub(super) data_version: Option<u32>,
}

/// What one apply replaced.
#[derive(Debug, Default)]
pub(super) struct AccountUndo {
    rows: Vec<(Arc<RowKey>, Option<Arc<Held>>)>,
    facts: Vec<Arc<str>>,
    reply: Option<(String, Option<Reply>)>,
    erased: Option<HashMap<String, Reply>>,
    revision: u64,
    data_version: Option<u32>,
}

impl AccountRows {
    pub(super) fn row(&self, key: &RowKey) -> Option<&Arc<Held>> {
        self.rows.get(key)
    }

    /// The live rows, to go on from them.
    pub(super) fn live(&self) -> Rows<Arc<Held>> {
        self.live.clone()
    }

    pub(super) fn load(&self, key: &RowKey) -> Option<StoredRow> {
        self.rows.get(key).map(|held| held.stored.clone())
    }

    pub(super) fn listed(&self, listing: &Listing, limit: usize) -> Vec<StoredRow> {
        let (from, to) = scan_bounds(&listing.prefix, listing.descending, listing.after.as_deref());
        if to.as_ref().is_some_and(|to| *to <= from) {
            return Vec::new();
        }
        let to = to.map_or_else(|| end(&listing.kind), |to| key(&listing.kind, to));
        let rows = self.rows.range::<RowKey, _>(key(&listing.kind, from)..to).map(|(_, held)| held);
        let shown = rows.filter(|held| !is_deleted(&held.stored.row));
        let stored = |held: &Arc<Held>| held.stored.clone();
        if listing.descending {
            shown.rev().take(limit).map(stored).collect()
        } else {
            shown.take(limit).map(stored).collect()
        }
    }

    /// Rows with another fingerprint, least recently written first: the oldest of each other fingerprint, by the index,
    /// and the oldest of these.
    pub(super) fn outdated(&self, kind: &RowKind, fingerprint: &str, limit: usize) -> Vec<StoredRow> {
        let of_kind = self.fingerprints.range((kind.clone(), String::new())..).take_while(|((of, _), _)| of == kind);
        let outdated = of_kind.filter(|((_, other), _)| other != fingerprint).map(|(_, rows)| rows.iter());
        first_of_all(outdated, limit).into_iter().filter_map(|(_, key)| self.load(key)).collect()
    }

    /// The purchase that has a value in a unique field.
    pub(super) fn purchase(&self, unique: Unique, value: &str) -> Option<RowKey> {
        self.purchases[unique as usize].get(value).map(|key| (**key).clone())
    }

    pub(super) fn all(&self, kind: &RowKind, after: Option<&str>, limit: usize) -> Vec<StoredRow> {
        self.beyond(kind, after).take(limit).map(|held| held.stored.clone()).collect()
    }

    /// Products that fit, without deleted ones.
    pub(super) fn products(&self, after: Option<&str>, limit: usize, fits: impl Fn(&Product) -> bool) -> Vec<Product> {
        let products = self.beyond(&RowKind::Product, after).filter_map(|held| product(held));
        products.filter(|row| !row.deleted && fits(row)).take(limit).cloned().collect()
    }

    /// Products that list a name among their references.
    pub(super) fn named(&self, name: &str, after: Option<&str>, limit: usize) -> Vec<Product> {
        let Some(rows) = self.referrers.get(&Reference::Name(name.to_owned())) else { return Vec::new() };
        // By key, since a text begins with the kind.
        let after = after.map(|id| RowKey::Product(id.to_owned()).to_string());
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = rows.range::<str, _>((from, Bound::Unbounded)).filter_map(|(_, key)| self.rows.get(key));
        rows.filter_map(|held| product(held)).take(limit).cloned().collect()
    }

    pub(super) fn collections(&self) -> Vec<String> {
        let mut collections: Vec<String> = Vec::new();
        let mut from = key(&RowKind::Record(String::new()), String::new());
        while let Some((RowKey::Record(found), _)) =
            self.rows.range::<RowKey, _>(&from..).next().map(|(key, held)| (&**key, held))
        {
            collections.push(found.collection.clone());
            from = end(&RowKind::Record(found.collection.clone()));
        }
        collections
    }

    /// All rows in order of their keys.
    pub(super) fn each(&self) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.rows.iter().map(|(key, held)| (&**key, &held.stored.row))
    }

    fn beyond(&self, kind: &RowKind, after: Option<&str>) -> impl Iterator<Item = &Arc<Held>> {
        let from = match after {
            Some(after) => Bound::Excluded(key(kind, after.to_owned())),
            None => Bound::Included(key(kind, String::new())),
        };
        self.rows.range::<RowKey, _>((from, Bound::Excluded(end(kind)))).map(|(_, held)| held)
    }

    /// Make changes that nothing refuses; what they replaced, to undo them.
    pub(super) fn apply(&mut self, changes: &Changes) -> AccountUndo {
        let mut undo =
            AccountUndo { revision: self.revision, data_version: self.data_version, ..AccountUndo::default() };
        if let Some((caller, reply)) = &changes.reply {
            let before = self.replies.insert(caller.clone(), reply.clone());
            undo.reply = Some((caller.clone(), before));
        }
        if changes.erase {
            undo.erased = Some(std::mem::take(&mut self.replies));
        }
        if changes.decides() {
            self.revision += 1;
        }
        for write in &changes.rows {
            self.data_version = self.data_version.max(Some(write.data_version));
            let key = match self.rows.get_key_value(&write.key) {
                Some((key, _)) => key.clone(),
                None => Arc::new(write.key.clone()),
            };
            let held = held(write, self.revision).map(Arc::new);
            undo.rows.push((key.clone(), self.set(&key, held)));
        }
        let event: Arc<str> = changes.event_id.as_str().into();
        for fact in &changes.facts {
            let fact: Arc<str> = fact.as_str().into();
            self.facts.insert(fact.clone(), event.clone());
            undo.facts.push(fact);
        }
        undo
    }

    pub(super) fn undo(&mut self, undo: AccountUndo) {
        for (key, row) in undo.rows.into_iter().rev() {
            self.set(&key, row);
        }
        for fact in undo.facts {
            self.facts.remove(&fact);
        }
        if let Some(replies) = undo.erased {
            self.replies = replies;
        }
        match undo.reply {
            Some((caller, Some(reply))) => drop(self.replies.insert(caller, reply)),
            Some((caller, None)) => drop(self.replies.remove(&caller)),
            None => {}
        }
        self.revision = undo.revision;
        self.data_version = undo.data_version;
    }

    /// Set or remove a row; returns what was there.
    fn set(&mut self, key: &Arc<RowKey>, row: Option<Arc<Held>>) -> Option<Arc<Held>> {
        let old = match &row {
            Some(held) => self.rows.insert(key.clone(), held.clone()),
            None => self.rows.remove(&**key),
        };
        let (before, now) = (old.as_deref(), row.as_deref());
        match row.as_ref().filter(|held| held.live && !is_deleted(&held.stored.row)) {
            Some(held) => drop(self.live.insert(key.clone(), held.clone())),
            None => drop(self.live.remove(&**key)),
        }
        if shown_references(before) != shown_references(now) {
            self.refer(key, shown_references(before), shown_references(now));
        }
        if let Some((held, fingerprint)) = before.and_then(|held| Some((held, fingerprint_of(held)?))) {
            let place = (key.kind(), fingerprint.to_owned());
            if let Some(rows) = self.fingerprints.get_mut(&place) {
                rows.remove(&(held.written, key.clone()));
                if rows.is_empty() {
                    self.fingerprints.remove(&place);
                }
            }
        }
        if let Some((held, fingerprint)) = now.and_then(|held| Some((held, fingerprint_of(held)?))) {
            let rows = self.fingerprints.entry((key.kind(), fingerprint.to_owned())).or_default();
            rows.insert((held.written, key.clone()));
        }
        if let RowKey::Purchase(_) = &**key {
            for unique in Unique::ALL {
                let value = |held: Option<&Held>| match held.map(|held| &held.stored.row) {
                    Some(Row::Purchase(row)) => unique.of(row).cloned(),
                    _ => None,
                };
                move_unique(&mut self.purchases[unique as usize], key, value(before), value(now));
            }
        }
        old
    }

    fn refer(&mut self, key: &Arc<RowKey>, before: &[Reference], now: &[Reference]) {
        let text: Arc<str> = key.to_string().into();
        for target in before {
            if let Some(rows) = self.referrers.get_mut(target) {
                rows.remove(&text);
                if rows.is_empty() {
                    self.referrers.remove(target);
                }
            }
        }
        for target in now {
            self.referrers.entry(target.clone()).or_default().insert(text.clone(), key.clone());
        }
    }
}

impl Graph for AccountRows {
    type Row = Arc<Held>;

    fn row(&self, key: &RowKey) -> Stored<Option<Arc<Held>>> {
        Ok(self.rows.get(key).cloned())
    }

    fn references<'a>(&self, row: &'a Arc<Held>) -> &'a [Reference] {
        &row.references
    }

    fn referrers(&self, key: &RowKey, after: Option<&str>, limit: usize) -> Stored<Vec<(String, RowKey)>> {
        let Some(rows) = self.referrers.get(&Reference::Row(key.clone())) else { return Ok(Vec::new()) };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = rows.range::<str, _>((from, Bound::Unbounded)).take(limit);
        Ok(rows.map(|(text, key)| (text.to_string(), (**key).clone())).collect())
    }
}

/// The first of what comes in order in each of several lists. Of each list only what may be among them is looked at.
fn first_of_all<T: Copy + Ord>(lists: impl Iterator<Item = impl Iterator<Item = T>>, limit: usize) -> BTreeSet<T> {
    let mut first = BTreeSet::new();
    for list in lists {
        for item in list.take(limit) {
            if first.len() >= limit && first.last().is_none_or(|last| *last < item) {
                break;
            }
            first.insert(item);
            if first.len() > limit {
                first.pop_last();
            }
        }
    }
    first
}

fn held(write: &RowWrite, written: u64) -> Option<Held> {
    let row = write.row.clone()?;
    Some(Held {
        stored: StoredRow { data_version: write.data_version, row },
        live: write.live,
        references: write.references.clone(),
        fingerprint: write.fingerprint.clone(),
        written,
    })
}

/// Move the entry of a unique index, unless another row has taken the old value by now, as in an exchange.
fn move_unique(index: &mut HashMap<String, Arc<RowKey>>, key: &Arc<RowKey>, old: Option<String>, new: Option<String>) {
    if let Some(old) = old
        && index.get(&old) == Some(key)
    {
        index.remove(&old);
    }
    if let Some(new) = new {
        index.insert(new, key.clone());
    }
}

/// References that the row is found by: none of a soft-deleted product.
fn shown_references(held: Option<&Held>) -> &[Reference] {
    held.filter(|held| !is_deleted(&held.stored.row)).map_or(&[], |held| &held.references)
}

fn fingerprint_of(held: &Held) -> Option<&str> {
    held.fingerprint.as_deref().filter(|_| !is_deleted(&held.stored.row))
}

fn is_deleted(row: &Row) -> bool {
    matches!(row, Row::Product(product) if product.deleted)
}

fn product(held: &Held) -> Option<&Product> {
    match &held.stored.row {
        Row::Product(row) => Some(row),
        _ => None,
    }
}

fn key(kind: &RowKind, id: String) -> RowKey {
    match kind {
        RowKind::Product => RowKey::Product(id),
        RowKind::Price => RowKey::Price(id),
        RowKind::Purchase => RowKey::Purchase(id),
        RowKind::Subscription => RowKey::Subscription(id),
        RowKind::Record(collection) => RowKey::Record(RecordKey { collection: collection.clone(), id }),
    }
}

/// The smallest key after all of a kind.
fn end(kind: &RowKind) -> RowKey {
    match kind {
        RowKind::Product => RowKey::Price(String::new()),
        RowKind::Price => RowKey::Purchase(String::new()),
        RowKind::Purchase => RowKey::Subscription(String::new()),
        RowKind::Subscription => RowKey::Record(RecordKey { collection: String::new(), id: String::new() }),
        RowKind::Record(collection) => {
            RowKey::Record(RecordKey { collection: format!("{collection}\0"), id: String::new() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_of_all;
    use std::cell::Cell;

    #[test]
    fn of_many_lists_only_their_beginnings_are_looked_at() {
        let looked_at = Cell::new(0);
        let list = |from: u32| (from..5000).step_by(3).inspect(|_| looked_at.set(looked_at.get() + 1));
        let first = first_of_all([list(2), list(0), list(1)].into_iter(), 100);
        assert_eq!(first, (0..100).collect());
        assert!(looked_at.get() <= 300, "{} of 5000", looked_at.get());
        assert!(first_of_all([list(0)].into_iter(), 0).is_empty());
    }
}
