//! Rows of one kind as typed values, decoded when they are first needed.
//!
//! A table doesn't know the type of its rows, so that there is its code once and not for each kind: the component's size counts.
//! Who asks for a row names the type.

use crate::model::halt::{Ruled, internal};
use extension_contract::{Change, Fallible, Reference, Row, RowKey, StoredRow, Write};
use std::any::Any;
use std::rc::Rc;

/// A row as a typed value.
pub(crate) trait Record: Clone + Sized + 'static {
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

/// A row of some kind, as far as it matters to write it.
pub(crate) trait AnyRow: Any {
    fn encoded(&self) -> Fallible<Encoded>;
}

/// What is written of a row.
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

/// A row as what it is.
pub(crate) fn typed<T: Record>(row: Rc<dyn AnyRow>) -> Ruled<Rc<T>> {
    let row: Rc<dyn Any> = row;
    row.downcast().map_err(|_| internal("a table has a row of another kind".to_owned()))
}

/// A row: as it is stored, and as it is after the rules.
struct Slot {
    id: String,
    stored: Option<StoredRow>,
    /// What is stored, once decoded.
    read: Option<Rc<dyn AnyRow>>,
    value: Option<Rc<dyn AnyRow>>,
    decoded: bool,
    touched: bool,
}

impl Slot {
    fn decode(&mut self, read: Read) -> Fallible<()> {
        if !self.decoded {
            self.read = self.stored.as_ref().map_or(Ok(None), |stored| read(&stored.row))?;
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

/// How a stored row of a kind is decoded; none if it is deleted.
type Read = fn(&Row) -> Fallible<Option<Rc<dyn AnyRow>>>;

/// The rows of one kind that are here, in order of their ids.
pub(crate) struct Table {
    slots: Vec<Slot>,
    read: Read,
    key: fn(&str) -> RowKey,
}

impl Table {
    /// A table for a kind of rows.
    pub fn of<T: Record>() -> Table {
        let read: Read = |row| Ok(T::read(row)?.map(|row| Rc::new(row) as Rc<dyn AnyRow>));
        Table { slots: Vec::new(), read, key: T::key }
    }

    /// Where a row is, or where it would be.
    fn find(&self, id: &str) -> Result<usize, usize> {
        // Rows come in order of their ids, so that a new one mostly belongs at the end.
        match self.slots.last() {
            Some(last) if last.id.as_str() < id => Err(self.slots.len()),
            _ => self.slots.binary_search_by(|slot| slot.id.as_str().cmp(id)),
        }
    }

    /// What names the rows of these ids that are not known yet.
    pub fn missing(&self, ids: &[String]) -> Vec<RowKey> {
        ids.iter().filter(|id| !self.knows(id)).map(|id| (self.key)(id)).collect()
    }

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
    pub fn get(&mut self, id: &str) -> Fallible<Option<Rc<dyn AnyRow>>> {
        let Ok(place) = self.find(id) else { return Ok(None) };
        let slot = &mut self.slots[place];
        slot.decode(self.read)?;
        Ok(slot.value.clone())
    }

    /// Whether a row is stored, deleted or not.
    pub fn is_stored(&self, id: &str) -> bool {
        self.find(id).is_ok_and(|place| self.slots[place].stored.is_some())
    }

    /// Write a row.
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

    /// Remove a row.
    pub fn remove(&mut self, id: &str) {
        if let Ok(place) = self.find(id) {
            let slot = &mut self.slots[place];
            (slot.value, slot.decoded, slot.touched) = (None, true, true);
        }
    }

    /// The rows that are here, with their ids.
    pub fn all(&mut self) -> Fallible<Vec<(String, Rc<dyn AnyRow>)>> {
        let mut out = Vec::with_capacity(self.slots.len());
        for slot in &mut self.slots {
            slot.decode(self.read)?;
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
            let Encoded { write, live, references, fingerprint } = match &slot.value {
                Some(value) => value.encoded()?,
                None if slot.stored.is_some() => {
                    Encoded { write: Write::Remove, live: false, references: Vec::new(), fingerprint: None }
                }
                None => continue,
            };
            if slot.stored.as_ref().is_some_and(|stored| says_the_same(&write, &stored.row)) {
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
        table.hold("cus_1", Some(StoredRow { row: Row::Record(record), data_version: crate::DATA_VERSION }));
        table
    }

    fn changed(table: &Table) -> Vec<RowKey> {
        let mut changes = Vec::new();
        table.changes(&mut changes).expect("rows can be encoded");
        changes.into_iter().map(|change| change.key).collect()
    }

    #[test]
    fn a_row_that_is_put_back_as_it_was_read_is_touched_and_no_change() {
        let mut table = table();
        let read: Rc<Customer> = typed(table.get("cus_1").expect("decoded").expect("there")).ok().expect("a customer");
        table.put("cus_1", read.clone());
        assert!(table.is_touched());
        assert_eq!(changed(&table), []);
        table.put("cus_1", Rc::new(Customer::clone(&read)));
        assert_eq!(changed(&table), [], "an equal row neither");
        table.put("cus_1", Rc::new(Customer { deleted_at: Some(1) }));
        assert_eq!(changed(&table), [Customer::key("cus_1")]);
        table.take_back();
        let again: Option<Rc<Customer>> = table.get("cus_1").expect("decoded").and_then(|row| typed(row).ok());
        assert_eq!(again, Some(read));
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
