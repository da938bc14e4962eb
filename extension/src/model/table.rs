//! The rows of one kind as typed values, decoded on first use.
//!
//! A table does not know the type of its rows, so its code exists once and not once per kind, which keeps the component
//! small. The caller names the type.

use crate::model::halt::{Ruled, internal};
use extension_contract::{Change, Fallible, Reference, Row, RowKey, StoredRow, Write};
use std::any::Any;
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

/// A row of any kind that can be encoded.
pub(crate) trait AnyRow: Any {
    fn encoded(&self) -> Fallible<Encoded>;
}

/// The encoded form of a row.
pub(crate) struct Encoded {
    write: Write,
    live: bool,
    references: Vec<Reference>,
    fingerprint: Option<String>,
}

impl<T: Record> AnyRow for T {
    fn encoded(&self) -> Fallible<Encoded> {
        Ok(Encoded {
            write: self.write()?,
            live: self.is_live(),
            references: self.references(),
            fingerprint: self.fingerprint(),
        })
    }
}

/// Downcasts a row to its type.
pub(crate) fn typed<T: Record>(row: Rc<dyn AnyRow>) -> Ruled<Rc<T>> {
    let row: Rc<dyn Any> = row;
    row.downcast().map_err(|_| internal("row has another type than its table".to_owned()))
}

/// A row: its stored form and its value after the rules.
struct Slot {
    id: String,
    stored: Option<StoredRow>,
    /// The decoded stored row.
    read: Option<Rc<dyn AnyRow>>,
    value: Option<Rc<dyn AnyRow>>,
    decoded: bool,
    touched: bool,
}

impl Slot {
    fn decode(&mut self, read: Decoder) -> Fallible<()> {
        if !self.decoded {
            self.read = self.stored.as_ref().map_or(Ok(None), |stored| read(&stored.row))?;
            self.value.clone_from(&self.read);
            self.decoded = true;
        }
        Ok(())
    }

    /// Returns whether the value is the value that was read.
    fn is_as_read(&self) -> bool {
        matches!((&self.read, &self.value), (Some(read), Some(value)) if Rc::ptr_eq(read, value))
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

/// Decodes a stored row; `None` if the row is deleted.
type Decoder = fn(&Row) -> Fallible<Option<Rc<dyn AnyRow>>>;

/// The loaded rows of one kind, in order of their ids.
pub(crate) struct Table {
    slots: Vec<Slot>,
    read: Decoder,
    key: fn(&str) -> RowKey,
}

impl Table {
    /// Creates a table for a row kind.
    pub fn of<T: Record>() -> Table {
        let read: Decoder = |row| Ok(T::read(row)?.map(|row| Rc::new(row) as Rc<dyn AnyRow>));
        Table { slots: Vec::new(), read, key: T::key }
    }

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
        ids.iter().filter(|id| !self.knows(id)).map(|id| (self.key)(id)).collect()
    }

    /// Returns whether a row is loaded or known not to exist.
    pub fn knows(&self, id: &str) -> bool {
        self.find(id).is_ok()
    }

    /// Stores a row as it was read, unless it is loaded already.
    pub fn insert_read(&mut self, stored: StoredRow) {
        if let Err(place) = self.find(stored.row.id()) {
            self.insert(place, stored.row.id().to_owned(), Some(stored));
        }
    }

    /// Stores that no row has this id, unless the row is loaded already.
    pub fn insert_missing(&mut self, id: &str) {
        if let Err(place) = self.find(id) {
            self.insert(place, id.to_owned(), None);
        }
    }

    fn insert(&mut self, place: usize, id: String, stored: Option<StoredRow>) {
        let decoded = stored.is_none();
        self.slots.insert(place, Slot { id, stored, read: None, value: None, decoded, touched: false });
    }

    /// Returns a loaded row.
    pub fn get(&mut self, id: &str) -> Fallible<Option<Rc<dyn AnyRow>>> {
        let Ok(place) = self.find(id) else { return Ok(None) };
        let slot = &mut self.slots[place];
        slot.decode(self.read)?;
        Ok(slot.value.clone())
    }

    /// Returns whether a row is stored, including deleted rows.
    pub fn is_stored(&self, id: &str) -> bool {
        self.find(id).is_ok_and(|place| self.slots[place].stored.is_some())
    }

    /// Writes a row.
    pub fn put(&mut self, id: &str, value: Rc<dyn AnyRow>) {
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
    pub fn all(&mut self) -> Fallible<impl Iterator<Item = (&str, &Rc<dyn AnyRow>)>> {
        for slot in &mut self.slots {
            slot.decode(self.read)?;
        }
        Ok(self.slots.iter().filter_map(|slot| Some((slot.id.as_str(), slot.value.as_ref()?))))
    }

    /// Returns the ids of the written rows.
    pub fn touched(&self) -> Vec<String> {
        self.slots.iter().filter(|slot| slot.touched).map(|slot| slot.id.clone()).collect()
    }

    /// Returns whether a row was written.
    pub fn is_touched(&self) -> bool {
        self.slots.iter().any(|slot| slot.touched)
    }

    /// Discards all written values.
    pub fn discard_writes(&mut self) {
        self.slots.retain(|slot| !slot.touched || slot.stored.is_some());
        for slot in self.slots.iter_mut().filter(|slot| slot.touched) {
            (slot.value, slot.decoded, slot.touched) = (None, false, false);
        }
    }

    /// Appends the changes of the rows that differ from their stored form.
    pub fn changes(&self, out: &mut Vec<Change>) -> Fallible<()> {
        for slot in self.slots.iter().filter(|slot| slot.touched && !slot.is_as_read()) {
            let Encoded { write, live, references, fingerprint } = match &slot.value {
                Some(value) => value.encoded()?,
                None if slot.stored.is_some() => {
                    Encoded { write: Write::Remove, live: false, references: Vec::new(), fingerprint: None }
                }
                None => continue,
            };
            if slot.stored.as_ref().is_some_and(|stored| equals_stored(&write, &stored.row)) {
                continue;
            }
            let expected = slot.stored.as_ref().map_or(0, |stored| stored.row.version());
            out.push(Change { key: (self.key)(&slot.id), expected, write, live, references, fingerprint });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::customer::Customer;
    use extension_contract::StoredRecord;

    fn table() -> Table {
        let mut table = Table::of::<Customer>();
        let record = StoredRecord {
            collection: Customer::COLLECTION.to_owned(),
            id: "cus_1".to_owned(),
            version: 3,
            value: "{}".to_owned(),
        };
        table.insert_read(StoredRow {
            row: Row::Record(record),
            data_version: crate::model::data_version::DATA_VERSION,
        });
        table
    }

    fn changed(table: &Table) -> Vec<RowKey> {
        let mut changes = Vec::new();
        table.changes(&mut changes).expect("rows can be encoded");
        changes.into_iter().map(|change| change.key).collect()
    }

    #[test]
    fn writing_back_an_unchanged_row_touches_it_without_a_change() {
        let mut table = table();
        let read: Rc<Customer> = typed(table.get("cus_1").expect("decoded").expect("there")).ok().expect("a customer");
        table.put("cus_1", read.clone());
        assert!(table.is_touched());
        assert_eq!(changed(&table), []);
        table.put("cus_1", Rc::new(Customer::clone(&read)));
        assert_eq!(changed(&table), [], "an equal row is no change either");
        table.put("cus_1", Rc::new(Customer { deleted_at: Some(1) }));
        assert_eq!(changed(&table), [Customer::key("cus_1")]);
        table.discard_writes();
        let again: Option<Rc<Customer>> = table.get("cus_1").expect("decoded").and_then(|row| typed(row).ok());
        assert_eq!(again, Some(read));
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
