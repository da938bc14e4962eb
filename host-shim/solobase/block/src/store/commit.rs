//! Makes a group durable by creating the row for its commit number in the table `commits`. If the host has `database.batch` and
//! the group fits into one batch, the row and all changes are written at once. Otherwise the row contains the changes (it is the
//! *intent*), which are applied afterwards; after a crash, the next group applies them first. Applying a change twice or late has
//! no effect, since each row contains the number of the commit that wrote it.

use crate::store::platform::{Head, Held, HeldRows, Platform, unavailable};
use crate::store::query::Query;
use crate::store::record::{Columns, Record, Value};
use crate::store::service::ServiceError;
use crate::store::tables::{COMMITS, GONE, HEAD, WRITTEN_BY, columns, full_name, table};
use crate::store::wire::{BatchRequest, BatchWrite, OnConflict, UpsertRequest};
use host_store::implementation::json::{damaged, from_json, to_json};
use host_store::implementation::schema::Table;
use host_store::{StoreError, Stored};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Maximum number of writes in a batch, as set by the platform.
const WRITES_MAX: usize = 1000;

/// A change of an intent.
#[derive(Serialize, Deserialize)]
struct Change {
    table: String,
    id: String,
    /// None deletes the row.
    columns: Option<BTreeMap<String, Value>>,
}

/// Returns the id of a commit.
fn id_of(number: i64) -> String {
    format!("{number:019}")
}

fn locked() -> StoreError {
    StoreError::Locked("another commit came first".to_owned())
}

impl Platform {
    /// Begins a group: reads the numbers, and finishes what a crash has left.
    ///
    /// # Errors
    /// Fails if the service fails.
    pub(crate) fn begin_group(&mut self) -> Stored<()> {
        self.head = self.current()?;
        self.base = self.head.number;
        self.is_open = true;
        Ok(())
    }

    /// Returns the numbers after the last commit, whose changes have been applied and whose intent is empty.
    pub(crate) fn current(&self) -> Stored<Head> {
        loop {
            let head = self.read_head()?.unwrap_or_default();
            if !head.intent {
                return Ok(head);
            }
            let ids = [head.number, head.number + 1].map(|number| Value::from(id_of(number)));
            let rows = self.list(&Query::of(&COMMITS).among("id", ids.to_vec()), 2)?;
            let of = |number: i64| rows.iter().find(|row| row.id == id_of(number));
            if let Some(last) = of(head.number)
                && last.maybe_text("body")?.is_some()
            {
                // The crash came after the changes were applied.
                self.empty_intent(head.number)?;
            }
            let Some(intent) = of(head.number + 1) else { return Ok(head) };
            self.apply_intent(head, intent)?;
        }
    }

    /// Removes the changes from an intent, since they have been applied.
    fn empty_intent(&self, number: i64) -> Stored<()> {
        let done = Record::new(String::new()).with("body", Value::Null);
        self.update_now(&Query::of(&COMMITS).eq("id", id_of(number)), &done).map(drop)
    }

    /// Returns the row of a commit; none if nobody has committed under this number.
    pub(crate) fn commit_row(&self, number: i64) -> Stored<Option<Record>> {
        Ok(self.list(&Query::of(&COMMITS).eq("id", id_of(number)), 1)?.pop())
    }

    /// Makes the changes of the group durable.
    ///
    /// # Errors
    /// Fails with `StoreError::Locked` if another commit came after the group began; nothing is changed in that case.
    pub(crate) fn commit_group(&mut self) -> Stored<()> {
        let changed = self.changed();
        let (base, mut head) = (self.base, self.head);
        self.clear();
        if changed.is_empty() {
            return Ok(());
        }
        head.number = base + 1;
        let is_marked = head.intent;
        head.intent = !self.has_batches;
        if self.has_batches && changed.len() + 2 <= WRITES_MAX {
            return self.commit_at_once(base, head, &changed);
        }
        if !is_marked {
            // Without this mark, no group would look for the intent.
            self.mark_intent(base)?;
        }
        self.commit_by_intent(base, head, &changed)
    }

    /// Writes everything in one batch.
    fn commit_at_once(&self, base: i64, head: Head, changed: &HeldRows) -> Stored<()> {
        let mut ops =
            vec![create(&COMMITS, &Record::new(id_of(base + 1)).with(GONE, false).with(WRITTEN_BY, base + 1))];
        for ((name, id), held) in changed {
            let table = table(name).ok_or_else(|| damaged(name))?;
            ops.push(match held {
                Held { before: Some(before), now: Some(now) } => {
                    BatchWrite::Update { collection: full_name(table), id, data: difference(before, now) }
                }
                Held { now: Some(now), .. } => upsert(table, now),
                Held { now: None, .. } => BatchWrite::Delete { collection: full_name(table), id },
            });
        }
        ops.push(upsert(&HEAD, &head.record().with(GONE, false).with(WRITTEN_BY, base + 1)));
        match self.call_bytes("database.batch", &BatchRequest { ops })? {
            Ok(_) => Ok(()),
            Err(error) => Err(self.why(base, error)),
        }
    }

    /// Returns why a commit failed: because of another commit, or because of the service.
    fn why(&self, base: i64, error: ServiceError) -> StoreError {
        match self.commit_row(base + 1) {
            Ok(Some(_)) => locked(),
            _ => unavailable(error),
        }
    }

    /// Writes the intent, and applies it.
    fn commit_by_intent(&self, base: i64, head: Head, changed: &HeldRows) -> Stored<()> {
        let mut changes = Vec::with_capacity(changed.len());
        for ((name, id), held) in changed {
            let columns = held.now.as_ref().map(|row| {
                let all = row.columns.0.iter().filter(|(column, _)| *column != GONE && *column != WRITTEN_BY);
                all.map(|(column, value)| ((*column).to_owned(), value.clone())).collect()
            });
            changes.push(Change { table: (*name).to_owned(), id: id.clone(), columns });
        }
        let body = to_json(&(head.events, head.effects, changes))?;
        let before = Head { number: base, ..head };
        let intent = Record::new(id_of(base + 1)).with("body", body).with(GONE, false).with(WRITTEN_BY, base + 1);
        if let Err(error) = self.create_now(&COMMITS, intent.clone())? {
            return Err(self.why(base, error));
        }
        self.apply_intent(before, &intent)
    }

    /// Makes groups look for an intent after the commit `base`.
    fn mark_intent(&self, base: i64) -> Stored<()> {
        let marked = Record::new(String::new()).with("intent", true);
        if self.update_now(&Query::of(&HEAD).eq("id", crate::store::platform::HEAD_ID), &marked)? == 0 {
            let head = Head { number: base, intent: true, ..Head::default() };
            if let Err(error) = self.create_now(&HEAD, head.record().with(GONE, false).with(WRITTEN_BY, 0_i64))?
                && self.read_head()?.is_none()
            {
                return Err(unavailable(error));
            }
        }
        Ok(())
    }

    /// Applies the changes of an intent, then raises the number in the head. All of this may have been done already.
    fn apply_intent(&self, before: Head, intent: &Record) -> Stored<()> {
        let number = before.number + 1;
        if let Some(body) = intent.maybe_text("body")? {
            let (events, effects, changes): (i64, i64, Vec<Change>) = from_json(body)?;
            match self.has_batches {
                true => self.apply_in_batches(number, &changes)?,
                false => changes.into_iter().try_for_each(|change| self.apply_change(number, change))?,
            }
            let head = Head { number, events, effects, intent: true };
            self.update_now(&Query::of(&HEAD).eq("number", before.number), &head.record())?;
            self.empty_intent(number)?;
        }
        Ok(())
    }

    /// Writes the changes in batches. Each creates its own row in `commits`, so that it is applied only once, however late.
    fn apply_in_batches(&self, number: i64, changes: &[Change]) -> Stored<()> {
        for (n, part) in changes.chunks(WRITES_MAX - 1).enumerate() {
            let id = format!("{}.{n}", id_of(number));
            let mut ops = vec![create(&COMMITS, &Record::new(id.clone()).with(GONE, false).with(WRITTEN_BY, number))];
            for Change { table: name, id, columns } in part {
                let table = table(name).ok_or_else(|| damaged(name))?;
                ops.push(match columns {
                    Some(columns) => upsert(table, &row_of(table, number, id, columns)),
                    None => BatchWrite::Delete { collection: full_name(table), id },
                });
            }
            if let Err(error) = self.call_bytes("database.batch", &BatchRequest { ops })?
                && self.list(&Query::of(&COMMITS).eq("id", id), 1)?.is_empty()
            {
                return Err(unavailable(error));
            }
        }
        Ok(())
    }

    /// Writes a row, unless a later commit has written it.
    fn apply_change(&self, number: i64, change: Change) -> Stored<()> {
        let Change { table: name, id, columns } = change;
        let table = table(&name).ok_or_else(|| damaged(&name))?;
        let older = Query::all(table).eq("id", id.clone()).lt(WRITTEN_BY, number);
        let Some(columns) = columns else {
            return self.update_now(&older, &blank(table, number)).map(drop);
        };
        let row = row_of(table, number, &id, &columns);
        if self.update_now(&older, &row)? == 0
            && let Err(error) = self.create_now(table, row.clone())?
            && self.list(&Query::all(table).eq("id", row.id), 1)?.is_empty()
        {
            return Err(unavailable(error));
        }
        Ok(())
    }
}

/// Returns a whole row of an intent; columns without a value are null.
fn row_of(table: &'static Table, number: i64, id: &str, columns: &BTreeMap<String, Value>) -> Record {
    let mut row = Record::new(id.to_owned()).with(GONE, false).with(WRITTEN_BY, number);
    for (column, _) in crate::store::tables::columns(table) {
        row.columns.0.push((column, columns.get(column).cloned().unwrap_or(Value::Null)));
    }
    row
}

/// Returns the columns of a deleted row. The row keeps its id, so that a late writer does not create it again, but none of its
/// content.
fn blank(table: &'static Table, number: i64) -> Record {
    let mut row = Record::new(String::new()).with(GONE, true).with(WRITTEN_BY, number);
    for (column, _) in columns(table) {
        row.columns.0.push((column, Value::Null));
    }
    row
}

fn with_id(row: &Record) -> Columns {
    let mut columns = row.columns.clone();
    columns.0.push(("id", Value::Text(row.id.clone())));
    columns
}

fn create<'a>(table: &Table, row: &Record) -> BatchWrite<'a> {
    BatchWrite::Create { collection: full_name(table), data: with_id(row) }
}

/// Creates a row, or replaces one that an intent has left as deleted.
fn upsert<'a>(table: &Table, row: &Record) -> BatchWrite<'a> {
    let data = with_id(row).0;
    let columns = data.iter().map(|(name, _)| *name).filter(|name| *name != "id").collect();
    BatchWrite::Upsert(UpsertRequest {
        collection: full_name(table),
        data,
        conflict_columns: ["id"],
        on_conflict: OnConflict::SetColumns(columns),
    })
}

/// Returns the columns that differ.
fn difference(before: &Record, now: &Record) -> Columns {
    let mut columns = Columns::default();
    for (name, value) in &now.columns.0 {
        if before.value(name) != value {
            columns.set(name, value.clone());
        }
    }
    for (name, _) in &before.columns.0 {
        if *now.value(name) == Value::Null {
            columns.set(name, Value::Null);
        }
    }
    columns
}
