//! Rows of one kind as typed values, decoded when they are first needed.

use products_contract::{Change, Fallible, Reference, Row, RowKey, RowVersion, StoredRow, Write};
use std::rc::Rc;

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
    id: String,
    stored: Option<StoredRow>,
    /// What is stored, once decoded.
    read: Option<Rc<T>>,
    value: Option<Rc<T>>,
    decoded: bool,
    touched: bool,
}

impl<T: Record> Slot<T> {
    fn version(&self) -> RowVersion {
        self.stored.as_ref().map_or(0, |stored| stored.row.version())
    }

    fn decode(&mut self) -> Fallible<()> {
        if !self.decoded {
            self.read = self.stored.as_ref().map_or(Ok(None), |stored| T::read(&stored.row))?.map(Rc::new);
            self.value.clone_from(&self.read);
            self.decoded = true;
        }
        Ok(())
    }

    /// Whether what was put is what was read.
    fn is_as_read(&self) -> bool {
        matches!((&self.read, &self.value), (Some(read), Some(value)) if Rc::ptr_eq(read, value))
    }
}

/// Note a change unless it says what is stored already. In one place for all kinds: the component's size counts.
#[inline(never)]
fn push_unless_stored(out: &mut Vec<Change>, stored: Option<&StoredRow>, change: Change) {
    if !stored.is_some_and(|stored| says_the_same(&change.write, &stored.row)) {
        out.push(change);
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

/// The rows of one kind that are here, in order of their ids.
pub(crate) struct Table<T> {
    slots: Vec<Slot<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { slots: Vec::new() }
    }
}

impl<T> Table<T> {
    /// Where a row is, or where it would be.
    fn find(&self, id: &str) -> Result<usize, usize> {
        // Rows come in order of their ids, so that a new one mostly belongs at the end.
        match self.slots.last() {
            Some(last) if last.id.as_str() < id => Err(self.slots.len()),
            _ => self.slots.binary_search_by(|slot| slot.id.as_str().cmp(id)),
        }
    }
}

impl<T: Record> Table<T> {
    /// Whether a row, or that there is none, is known.
    pub fn knows(&self, id: &str) -> bool {
        self.find(id).is_ok()
    }

    /// Take in what was read, unless it is here already.
    pub fn hold(&mut self, id: &str, stored: Option<StoredRow>) {
        if let Err(place) = self.find(id) {
            let decoded = stored.is_none();
            let id = id.to_owned();
            self.slots.insert(place, Slot { id, stored, read: None, value: None, decoded, touched: false });
        }
    }

    /// A row that is here.
    pub fn get(&mut self, id: &str) -> Fallible<Option<&Rc<T>>> {
        let Ok(place) = self.find(id) else { return Ok(None) };
        let slot = &mut self.slots[place];
        slot.decode()?;
        Ok(slot.value.as_ref())
    }

    /// Whether a row is stored, deleted or not.
    pub fn is_stored(&self, id: &str) -> bool {
        self.find(id).is_ok_and(|place| self.slots[place].stored.is_some())
    }

    /// Write a row.
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

    /// Remove a row.
    pub fn remove(&mut self, id: &str) {
        if let Ok(place) = self.find(id) {
            let slot = &mut self.slots[place];
            (slot.value, slot.decoded, slot.touched) = (None, true, true);
        }
    }

    /// The rows that are here, with their ids.
    pub fn all(&mut self) -> Fallible<Vec<(String, Rc<T>)>> {
        let mut out = Vec::with_capacity(self.slots.len());
        for slot in &mut self.slots {
            slot.decode()?;
            out.extend(slot.value.clone().map(|value| (slot.id.clone(), value)));
        }
        Ok(out)
    }

    /// Ids of the rows that were written.
    pub fn touched(&self) -> Vec<String> {
        self.slots.iter().filter(|slot| slot.touched).map(|slot| slot.id.clone()).collect()
    }

    /// Whether a row was written.
    pub fn is_touched(&self) -> bool {
        self.slots.iter().any(|slot| slot.touched)
    }

    /// Forget what was written.
    pub fn take_back(&mut self) {
        self.slots.retain(|slot| !slot.touched || slot.stored.is_some());
        for slot in self.slots.iter_mut().filter(|slot| slot.touched) {
            (slot.value, slot.decoded, slot.touched) = (None, false, false);
        }
    }

    /// What differs from what is stored.
    pub fn changes(&self, out: &mut Vec<Change>) -> Fallible<()> {
        for slot in self.slots.iter().filter(|slot| slot.touched && !slot.is_as_read()) {
            let (write, live, references, fingerprint) = match &slot.value {
                Some(value) => (value.write()?, value.is_live(), value.references(), value.fingerprint()),
                None if slot.stored.is_some() => (Write::Remove, false, Vec::new(), None),
                None => continue,
            };
            let expected = slot.version();
            let change = Change { key: T::key(&slot.id), expected, write, live, references, fingerprint };
            push_unless_stored(out, slot.stored.as_ref(), change);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::customer::Customer;
    use products_contract::StoredRecord;

    fn table() -> Table<Customer> {
        let mut table = Table::default();
        let record = StoredRecord {
            collection: Customer::COLLECTION.to_owned(),
            id: "cus_1".to_owned(),
            version: 3,
            value: "{}".to_owned(),
        };
        table.hold("cus_1", Some(StoredRow { row: Row::Record(record), data_version: crate::DATA_VERSION }));
        table
    }

    fn changed(table: &Table<Customer>) -> Vec<RowKey> {
        let mut changes = Vec::new();
        table.changes(&mut changes).expect("rows can be encoded");
        changes.into_iter().map(|change| change.key).collect()
    }

    #[test]
    fn a_row_that_is_put_back_as_it_was_read_is_touched_and_no_change() {
        let mut table = table();
        let read = table.get("cus_1").expect("decoded").cloned().expect("there");
        table.put("cus_1", read.clone());
        assert!(table.is_touched());
        assert_eq!(changed(&table), []);
        table.put("cus_1", Rc::new(Customer::clone(&read)));
        assert_eq!(changed(&table), [], "an equal row neither");
        table.put("cus_1", Rc::new(Customer { deleted_at: Some(1) }));
        assert_eq!(changed(&table), [Customer::key("cus_1")]);
        table.take_back();
        assert_eq!(table.get("cus_1").expect("decoded"), Some(&read));
        assert!(!table.is_touched());
    }

    #[test]
    fn rows_stand_in_order_of_their_ids_however_they_came() {
        let mut table = table();
        for id in ["cus_3", "cus_0", "cus_2", "cus_3"] {
            table.put(id, Rc::new(Customer::default()));
        }
        let ids: Vec<String> = table.all().expect("decoded").into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["cus_0", "cus_1", "cus_2", "cus_3"]);
        table.hold("cus_2", None);
        assert!(table.knows("cus_2") && !table.knows("cus_4") && !table.is_stored("cus_2"));
    }
}
