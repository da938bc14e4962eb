//! Rows of one kind as typed values, decoded when they are first needed.

use products_contract::{Change, Fallible, Reference, Row, RowKey, RowVersion, StoredRow, Write};
use std::collections::BTreeMap;

/// A row as a typed value.
pub(crate) trait Record: Clone + Sized {
    /// What names the row.
    fn key(id: &str) -> RowKey;
    /// Decode a stored row; none if it is deleted.
    fn read(row: &Row) -> Fallible<Option<Self>>;
    /// Encode it.
    fn write(&self) -> Fallible<Write>;
    /// Whether later events of the account need it without naming it.
    fn is_live(&self) -> bool;
    /// Rows and parts of the catalog that it refers to.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }
    /// What it was brought to.
    fn fingerprint(&self) -> Option<String> {
        None
    }
}

/// A row: as it is stored, and as it is after the rules.
pub(crate) struct Slot<T> {
    stored: Option<StoredRow>,
    value: Option<T>,
    decoded: bool,
    touched: bool,
}

impl<T: Record> Slot<T> {
    fn version(&self) -> RowVersion {
        self.stored.as_ref().map_or(0, |stored| stored.row.version())
    }

    fn decode(&mut self) -> Fallible<()> {
        if !self.decoded {
            self.value = self.stored.as_ref().map_or(Ok(None), |stored| T::read(&stored.row))?;
            self.decoded = true;
        }
        Ok(())
    }
}

/// Whether a write says what is stored already.
fn says_the_same(write: &Write, stored: &Row) -> bool {
    match (write, stored) {
        (Write::Product(values), Row::Product(row)) => !row.deleted && *values == row.values,
        (Write::Purchase(values), Row::Purchase(row)) => *values == row.values,
        (Write::Subscription(values), Row::Subscription(row)) => *values == row.values,
        (Write::Record(value), Row::Record(row)) => *value == row.value,
        _ => false,
    }
}

/// The rows of one kind that are here.
pub(crate) struct Table<T> {
    slots: BTreeMap<String, Slot<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { slots: BTreeMap::new() }
    }
}

impl<T: Record> Table<T> {
    /// Whether a row, or that there is none, is known.
    pub fn knows(&self, id: &str) -> bool {
        self.slots.contains_key(id)
    }

    /// Take in what was read, unless it is here already.
    pub fn hold(&mut self, id: &str, stored: Option<StoredRow>) {
        if !self.knows(id) {
            let decoded = stored.is_none();
            self.slots.insert(id.to_owned(), Slot { stored, value: None, decoded, touched: false });
        }
    }

    /// A row that is here.
    pub fn get(&mut self, id: &str) -> Fallible<Option<&T>> {
        let Some(slot) = self.slots.get_mut(id) else { return Ok(None) };
        slot.decode()?;
        Ok(slot.value.as_ref())
    }

    /// Whether a row is stored, deleted or not.
    pub fn is_stored(&self, id: &str) -> bool {
        self.slots.get(id).is_some_and(|slot| slot.stored.is_some())
    }

    /// Write a row.
    pub fn put(&mut self, id: &str, value: T) {
        let slot = self.slots.entry(id.to_owned()).or_insert(Slot {
            stored: None,
            value: None,
            decoded: true,
            touched: false,
        });
        (slot.value, slot.decoded, slot.touched) = (Some(value), true, true);
    }

    /// Remove a row.
    pub fn remove(&mut self, id: &str) {
        if let Some(slot) = self.slots.get_mut(id) {
            (slot.value, slot.decoded, slot.touched) = (None, true, true);
        }
    }

    /// Ids of the rows that are here.
    pub fn ids(&mut self) -> Fallible<Vec<String>> {
        let mut out = Vec::with_capacity(self.slots.len());
        for (id, slot) in &mut self.slots {
            slot.decode()?;
            if slot.value.is_some() {
                out.push(id.clone());
            }
        }
        Ok(out)
    }

    /// Ids of the rows that were written.
    pub fn touched(&self) -> Vec<String> {
        self.slots.iter().filter(|(_, slot)| slot.touched).map(|(id, _)| id.clone()).collect()
    }

    /// Whether a row was written.
    pub fn is_touched(&self) -> bool {
        self.slots.values().any(|slot| slot.touched)
    }

    /// Forget what was written.
    pub fn take_back(&mut self) {
        self.slots.retain(|_, slot| !slot.touched || slot.stored.is_some());
        for slot in self.slots.values_mut().filter(|slot| slot.touched) {
            (slot.value, slot.decoded, slot.touched) = (None, false, false);
        }
    }

    /// What differs from what is stored.
    pub fn changes(&self, out: &mut Vec<Change>) -> Fallible<()> {
        for (id, slot) in self.slots.iter().filter(|(_, slot)| slot.touched) {
            let (write, live, references, fingerprint) = match &slot.value {
                Some(value) => (value.write()?, value.is_live(), value.references(), value.fingerprint()),
                None if slot.stored.is_some() => (Write::Remove, false, Vec::new(), None),
                None => continue,
            };
            if slot.stored.as_ref().is_some_and(|stored| says_the_same(&write, &stored.row)) {
                continue;
            }
            out.push(Change { key: T::key(id), expected: slot.version(), write, live, references, fingerprint });
        }
        Ok(())
    }
}
