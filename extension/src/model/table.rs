//! The rows of one kind as typed values, decoded on first use.

use extension_contract::{Change, Fallible, Reference, Row, RowKey, StoredRow, Write};
use std::rc::Rc;

/// A row as a typed value.
pub(crate) trait Record: Clone + Sized + 'static {
    /// Returns the key of the row with this id.
    fn key(id: &str) -> RowKey;
    /// Decodes a stored row; `None` if the row is deleted.
    fn read(row: &Row) -> Fallible<Option<Self>>;
    /// Encodes the row.
    fn write(&self) -> Fallible<Write>;
    /// Returns whether later events of the account need the row without referring to it.
    fn is_live(&self) -> bool;
    /// Returns the rows and catalog entries that the row refers to.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }
    /// Returns the fingerprint of the state that the row was last reconciled with.
    fn fingerprint(&self) -> Option<String> {
        None
    }
}

/// A row: its stored form and its value after the rules.
struct Slot<T> {
    id: String,
    stored: Option<StoredRow>,
    /// The decoded stored row.
    read: Option<Rc<T>>,
    value: Option<Rc<T>>,
    decoded: bool,
    touched: bool,
}

impl<T: Record> Slot<T> {
    fn decode(&mut self) -> Fallible<()> {
        if !self.decoded {
            self.read = self.stored.as_ref().map_or(Ok(None), |stored| T::read(&stored.row))?.map(Rc::new);
            self.value.clone_from(&self.read);
            self.decoded = true;
        }
        Ok(())
    }

    /// Returns whether the value is the value that was read.
    fn is_as_read(&self) -> bool {
        matches!((&self.read, &self.value), (Some(read), Some(value)) if Rc::ptr_eq(read, value))
    }

    /// Returns the change that writes the value; `None` if it equals the stored row.
    fn change(&self) -> Fallible<Option<Change>> {
        if !self.touched || self.is_as_read() {
            return Ok(None);
        }
        let write = match (&self.value, &self.stored) {
            (Some(value), _) => value.write()?,
            (None, Some(_)) => Write::Remove,
            (None, None) => return Ok(None),
        };
        if self.stored.as_ref().is_some_and(|stored| equals_stored(&write, &stored.row)) {
            return Ok(None);
        }
        let value = self.value.as_ref();
        Ok(Some(Change {
            key: T::key(&self.id),
            expected: self.stored.as_ref().map_or(0, |stored| stored.row.version()),
            write,
            live: value.is_some_and(|value| value.is_live()),
            references: value.map_or_else(Vec::new, |value| value.references()),
            fingerprint: value.and_then(|value| value.fingerprint()),
        }))
    }
}

/// Returns whether a write equals the stored row.
fn equals_stored(write: &Write, stored: &Row) -> bool {
    match (write, stored) {
        (Write::Product(values), Row::Product(row)) => !row.deleted && *values == row.values,
        (Write::Purchase(values), Row::Purchase(row)) => *values == row.values,
        (Write::Subscription(values), Row::Subscription(row)) => *values == row.values,
        (Write::Record(value), Row::Record(row)) => *value == row.value,
        _ => false,
    }
}

/// The loaded rows of one kind, in order of their ids.
pub(crate) struct Table<T> {
    slots: Vec<Slot<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { slots: Vec::new() }
    }
}

impl<T: Record> Table<T> {
    /// Returns the index of a row, or the index to insert it at.
    fn find(&self, id: &str) -> Result<usize, usize> {
        // Rows arrive in order of their ids, so a new row usually belongs at the end.
        match self.slots.last() {
            Some(last) if last.id.as_str() < id => Err(self.slots.len()),
            _ => self.slots.binary_search_by(|slot| slot.id.as_str().cmp(id)),
        }
    }

    /// Returns the keys of those rows of `ids` that are not loaded yet.
    pub fn missing(&self, ids: &[String]) -> Vec<RowKey> {
        ids.iter().filter(|id| !self.knows(id)).map(|id| T::key(id)).collect()
    }

    /// Returns whether a row is loaded or known not to exist.
    pub fn knows(&self, id: &str) -> bool {
        self.find(id).is_ok()
    }

    fn insert(&mut self, place: usize, id: String, stored: Option<StoredRow>) {
        let decoded = stored.is_none();
        self.slots.insert(place, Slot { id, stored, read: None, value: None, decoded, touched: false });
    }

    /// Returns a loaded row.
    pub fn get(&mut self, id: &str) -> Fallible<Option<Rc<T>>> {
        let Ok(place) = self.find(id) else { return Ok(None) };
        let slot = &mut self.slots[place];
        slot.decode()?;
        Ok(slot.value.clone())
    }

    /// Returns whether a row is stored, including deleted rows.
    pub fn is_stored(&self, id: &str) -> bool {
        self.find(id).is_ok_and(|place| self.slots[place].stored.is_some())
    }

    /// Writes a row.
    pub fn put(&mut self, id: &str, value: Rc<T>) {
        let value = Some(value);
        match self.find(id) {
            Ok(place) => {
                let slot = &mut self.slots[place];
                (slot.value, slot.decoded, slot.touched) = (value, true, true);
            }
            Err(place) => {
                self.slots.insert(
                    place,
                    Slot { id: id.to_owned(), stored: None, read: None, value, decoded: true, touched: true },
                );
            }
        }
    }

    /// Removes a row.
    pub fn remove(&mut self, id: &str) {
        if let Ok(place) = self.find(id) {
            let slot = &mut self.slots[place];
            (slot.value, slot.decoded, slot.touched) = (None, true, true);
        }
    }

    /// Returns the loaded rows with their ids.
    pub fn all(&mut self) -> Fallible<impl Iterator<Item = (&str, &Rc<T>)>> {
        for slot in &mut self.slots {
            slot.decode()?;
        }
        Ok(self.slots.iter().filter_map(|slot| Some((slot.id.as_str(), slot.value.as_ref()?))))
    }

    /// Returns the ids of the written rows.
    pub fn touched(&self) -> Vec<String> {
        self.slots.iter().filter(|slot| slot.touched).map(|slot| slot.id.clone()).collect()
    }
}

/// A table of rows of any kind.
pub(super) trait AnyTable {
    /// Stores a row as it was read, unless it is loaded already.
    fn insert_read(&mut self, stored: StoredRow);
    /// Stores that no row has this id, unless the row is loaded already.
    fn insert_missing(&mut self, id: &str);
    /// Returns whether a row was written.
    fn is_touched(&self) -> bool;
    /// Discards all written values.
    fn discard_writes(&mut self);
    /// Appends the changes of the rows that differ from their stored form.
    fn changes(&self, out: &mut Vec<Change>) -> Fallible<()>;
}

impl<T: Record> AnyTable for Table<T> {
    fn insert_read(&mut self, stored: StoredRow) {
        if let Err(place) = self.find(stored.row.id()) {
            self.insert(place, stored.row.id().to_owned(), Some(stored));
        }
    }

    fn insert_missing(&mut self, id: &str) {
        if let Err(place) = self.find(id) {
            self.insert(place, id.to_owned(), None);
        }
    }

    fn is_touched(&self) -> bool {
        self.slots.iter().any(|slot| slot.touched)
    }

    fn discard_writes(&mut self) {
        self.slots.retain(|slot| !slot.touched || slot.stored.is_some());
        for slot in self.slots.iter_mut().filter(|slot| slot.touched) {
            (slot.value, slot.decoded, slot.touched) = (None, false, false);
        }
    }

    fn changes(&self, out: &mut Vec<Change>) -> Fallible<()> {
        for slot in &self.slots {
            out.extend(slot.change()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::customer::Customer;
    use extension_contract::StoredRecord;

    fn table() -> Table<Customer> {
        let mut table = Table::default();
        let record = StoredRecord {
            collection: Customer::COLLECTION.to_owned(),
            id: "cus_1".to_owned(),
            version: 3,
            value: "{}".to_owned(),
        };
        table.insert_read(StoredRow { row: Row::Record(record), data_version: crate::model::DATA_VERSION });
        table
    }

    fn changed(table: &Table<Customer>) -> Vec<RowKey> {
        let mut changes = Vec::new();
        table.changes(&mut changes).expect("rows can be encoded");
        changes.into_iter().map(|change| change.key).collect()
    }

    #[test]
    fn writing_back_an_unchanged_row_touches_it_without_a_change() {
        let mut table = table();
        let read = table.get("cus_1").expect("decoded").expect("there");
        table.put("cus_1", read.clone());
        assert!(table.is_touched());
        assert_eq!(changed(&table), []);
        table.put("cus_1", Rc::new(Customer::clone(&read)));
        assert_eq!(changed(&table), [], "an equal row is not a change either");
        table.put("cus_1", Rc::new(Customer { deleted_at: Some(1) }));
        assert_eq!(changed(&table), [Customer::key("cus_1")]);
        table.discard_writes();
        assert_eq!(table.get("cus_1").expect("decoded"), Some(read));
        assert!(!table.is_touched());
    }

    #[test]
    fn rows_are_sorted_by_id_in_any_insertion_order() {
        let mut table = table();
        for id in ["cus_3", "cus_0", "cus_2", "cus_3"] {
            table.put(id, Rc::new(Customer::default()));
        }
        let ids: Vec<&str> = table.all().expect("decoded").map(|(id, _)| id).collect();
        assert_eq!(ids, ["cus_0", "cus_1", "cus_2", "cus_3"]);
        table.insert_missing("cus_2");
        assert!(table.knows("cus_2") && !table.knows("cus_4") && !table.is_stored("cus_2"));
    }
}
