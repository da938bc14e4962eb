//! The rows of one scope in memory, with their indexes.

use crate::changes::{Changes, RowWrite};
use crate::error::Stored;
use crate::prefix::scan_bounds;
use crate::reach::{Graph, Rows};
use crate::refusal::UniqueField;
use extension_contract::{Listing, Product, RecordKey, Reference, Reply, Row, RowKey, RowKind, StoredRow};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

/// A row with the metadata of its last change.
#[derive(Debug)]
pub(super) struct RowEntry {
    pub(super) stored: StoredRow,
    live: bool,
    pub(super) references: Vec<Reference>,
    fingerprint: Option<String>,
    /// Revision of the account at the row's last write.
    written: u64,
}

/// A row and the revision of its last write.
type WrittenRow = (u64, Arc<RowKey>);

#[derive(Clone, Debug, Default)]
pub(super) struct AccountRows {
    rows: Rows<Arc<RowEntry>>,
    live: Rows<Arc<RowEntry>>,
    /// Referrers of each target, in order of their key texts.
    referrers: HashMap<Reference, BTreeMap<Arc<str>, Arc<RowKey>>>,
    /// Rows with a fingerprint, in order of their last writes.
    fingerprints: BTreeMap<(RowKind, String), BTreeSet<WrittenRow>>,
    purchases: [HashMap<String, Arc<RowKey>>; 2],
    pub(super) facts: HashSet<Arc<str>>,
    /// The last reply to each caller.
    pub(super) replies: HashMap<String, Reply>,
    pub(super) revision: u64,
    pub(super) data_version: Option<u32>,
}

/// The data that one `apply` replaced.
#[derive(Debug, Default)]
pub(super) struct AccountUndo {
    rows: Vec<(Arc<RowKey>, Option<Arc<RowEntry>>)>,
    facts: Vec<Arc<str>>,
    reply: Option<(String, Option<Reply>)>,
    erased: Option<HashMap<String, Reply>>,
    revision: u64,
    data_version: Option<u32>,
}

impl AccountRows {
    pub(super) fn row(&self, key: &RowKey) -> Option<&Arc<RowEntry>> {
        self.rows.get(key)
    }

    /// Returns the live rows.
    pub(super) fn live(&self) -> Rows<Arc<RowEntry>> {
        self.live.clone()
    }

    pub(super) fn load(&self, key: &RowKey) -> Option<StoredRow> {
        self.rows.get(key).map(|entry| entry.stored.clone())
    }

    pub(super) fn listed(&self, listing: &Listing, limit: usize) -> Vec<StoredRow> {
        let (from, to) = scan_bounds(&listing.prefix, listing.descending, listing.after.as_deref());
        if to.as_ref().is_some_and(|to| *to <= from) {
            return Vec::new();
        }
        let to = to.map_or_else(|| end(&listing.kind), |to| key(&listing.kind, to));
        let rows = self.rows.range::<RowKey, _>(key(&listing.kind, from)..to).map(|(_, entry)| entry);
        let shown = rows.filter(|entry| !is_deleted(&entry.stored.row));
        let stored = |entry: &Arc<RowEntry>| entry.stored.clone();
        if listing.descending {
            shown.rev().take(limit).map(stored).collect()
        } else {
            shown.take(limit).map(stored).collect()
        }
    }

    /// Returns the rows of a kind with a fingerprint other than `fingerprint`, least recently written first. Merges the
    /// oldest rows of all these fingerprints, from the index.
    pub(super) fn outdated(&self, kind: &RowKind, fingerprint: &str, limit: usize) -> Vec<StoredRow> {
        let of_kind = self.fingerprints.range((kind.clone(), String::new())..).take_while(|((of, _), _)| of == kind);
        let outdated = of_kind.filter(|((_, other), _)| other != fingerprint).map(|(_, rows)| rows.iter());
        first_of_all(outdated, limit).into_iter().filter_map(|(_, key)| self.load(key)).collect()
    }

    /// Returns the purchase that has this value in a unique field.
    pub(super) fn purchase(&self, unique: UniqueField, value: &str) -> Option<RowKey> {
        self.purchases[unique as usize].get(value).map(|key| (**key).clone())
    }

    pub(super) fn all(&self, kind: &RowKind, after: Option<&str>, limit: usize) -> Vec<StoredRow> {
        self.rows_after(kind, after).take(limit).map(|entry| entry.stored.clone()).collect()
    }

    /// Returns the products that are not deleted and that `fits` accepts.
    pub(super) fn products(&self, after: Option<&str>, limit: usize, fits: impl Fn(&Product) -> bool) -> Vec<Product> {
        let products = self.rows_after(&RowKind::Product, after).filter_map(|entry| product(entry));
        products.filter(|row| !row.deleted && fits(row)).take(limit).cloned().collect()
    }

    /// Returns the products that refer to a name.
    pub(super) fn named(&self, name: &str, after: Option<&str>, limit: usize) -> Vec<Product> {
        let Some(rows) = self.referrers.get(&Reference::Name(name.to_owned())) else { return Vec::new() };
        // The index is ordered by key text, which begins with the kind.
        let after = after.map(|id| RowKey::Product(id.to_owned()).to_string());
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = rows.range::<str, _>((from, Bound::Unbounded)).filter_map(|(_, key)| self.rows.get(key));
        rows.filter_map(|entry| product(entry)).take(limit).cloned().collect()
    }

    pub(super) fn collections(&self) -> Vec<String> {
        let mut collections: Vec<String> = Vec::new();
        let mut from = key(&RowKind::Record(String::new()), String::new());
        while let Some((RowKey::Record(found), _)) =
            self.rows.range::<RowKey, _>(&from..).next().map(|(key, entry)| (&**key, entry))
        {
            collections.push(found.collection.clone());
            from = end(&RowKind::Record(found.collection.clone()));
        }
        collections
    }

    /// Returns all rows in order of their keys.
    pub(super) fn each(&self) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.rows.iter().map(|(key, entry)| (&**key, &entry.stored.row))
    }

    fn rows_after(&self, kind: &RowKind, after: Option<&str>) -> impl Iterator<Item = &Arc<RowEntry>> {
        let from = match after {
            Some(after) => Bound::Excluded(key(kind, after.to_owned())),
            None => Bound::Included(key(kind, String::new())),
        };
        self.rows.range::<RowKey, _>((from, Bound::Excluded(end(kind)))).map(|(_, entry)| entry)
    }

    /// Applies checked changes; returns the data to undo them.
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
            let entry = entry(write, self.revision).map(Arc::new);
            undo.rows.push((key.clone(), self.set(&key, entry)));
        }
        for fact in &changes.facts {
            let fact: Arc<str> = fact.as_str().into();
            self.facts.insert(fact.clone());
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

    /// Sets or removes a row; returns the old row.
    fn set(&mut self, key: &Arc<RowKey>, row: Option<Arc<RowEntry>>) -> Option<Arc<RowEntry>> {
        let old = match &row {
            Some(entry) => self.rows.insert(key.clone(), entry.clone()),
            None => self.rows.remove(&**key),
        };
        let (before, now) = (old.as_deref(), row.as_deref());
        match row.as_ref().filter(|entry| entry.live && !is_deleted(&entry.stored.row)) {
            Some(entry) => drop(self.live.insert(key.clone(), entry.clone())),
            None => drop(self.live.remove(&**key)),
        }
        if shown_references(before) != shown_references(now) {
            self.refer(key, shown_references(before), shown_references(now));
        }
        if let Some((entry, fingerprint)) = before.and_then(|entry| Some((entry, fingerprint_of(entry)?))) {
            let index_key = (key.kind(), fingerprint.to_owned());
            if let Some(rows) = self.fingerprints.get_mut(&index_key) {
                rows.remove(&(entry.written, key.clone()));
                if rows.is_empty() {
                    self.fingerprints.remove(&index_key);
                }
            }
        }
        if let Some((entry, fingerprint)) = now.and_then(|entry| Some((entry, fingerprint_of(entry)?))) {
            let rows = self.fingerprints.entry((key.kind(), fingerprint.to_owned())).or_default();
            rows.insert((entry.written, key.clone()));
        }
        if let RowKey::Purchase(_) = &**key {
            for unique in UniqueField::ALL {
                let value = |entry: Option<&RowEntry>| match entry.map(|entry| &entry.stored.row) {
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
    type Row = Arc<RowEntry>;

    fn row(&self, key: &RowKey) -> Stored<Option<Arc<RowEntry>>> {
        Ok(self.rows.get(key).cloned())
    }

    fn references<'a>(&self, row: &'a Arc<RowEntry>) -> &'a [Reference] {
        &row.references
    }

    fn referrers(&self, key: &RowKey, after: Option<&str>, limit: usize) -> Stored<Vec<(String, RowKey)>> {
        let Some(rows) = self.referrers.get(&Reference::Row(key.clone())) else { return Ok(Vec::new()) };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = rows.range::<str, _>((from, Bound::Unbounded)).take(limit);
        Ok(rows.map(|(text, key)| (text.to_string(), (**key).clone())).collect())
    }
}

/// Returns the first `limit` items of several sorted lists. Reads no more of each list than necessary.
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

fn entry(write: &RowWrite, written: u64) -> Option<RowEntry> {
    let row = write.row.clone()?;
    Some(RowEntry {
        stored: StoredRow { data_version: write.data_version, row },
        live: write.live,
        references: write.references.clone(),
        fingerprint: write.fingerprint.clone(),
        written,
    })
}

/// Moves the entry of a row in a unique index to its new value. Keeps the entry of the old value if it already belongs
/// to another row, as when two rows exchange their values.
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

/// Returns the references by which a row is found: none for a soft-deleted product.
fn shown_references(entry: Option<&RowEntry>) -> &[Reference] {
    entry.filter(|entry| !is_deleted(&entry.stored.row)).map_or(&[], |entry| &entry.references)
}

fn fingerprint_of(entry: &RowEntry) -> Option<&str> {
    entry.fingerprint.as_deref().filter(|_| !is_deleted(&entry.stored.row))
}

fn is_deleted(row: &Row) -> bool {
    matches!(row, Row::Product(product) if product.deleted)
}

fn product(entry: &RowEntry) -> Option<&Product> {
    match &entry.stored.row {
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

/// Returns the smallest key after all keys of a kind.
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
    fn first_of_all_reads_only_the_beginning_of_each_list() {
        let reads = Cell::new(0);
        let list = |from: u32| (from..5000).step_by(3).inspect(|_| reads.set(reads.get() + 1));
        let first = first_of_all([list(2), list(0), list(1)].into_iter(), 100);
        assert_eq!(first, (0..100).collect());
        assert!(reads.get() <= 300, "{} of 5000", reads.get());
        assert!(first_of_all([list(0)].into_iter(), 0).is_empty());
    }
}
