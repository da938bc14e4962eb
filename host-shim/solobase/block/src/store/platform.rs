//! The platform's tables over its database service, and the open group: what it has read, and its changes, which its own reads see.

use crate::store::query::Query;
use crate::store::record::{Record, Value};
use crate::store::service::{Service, ServiceError};
use crate::store::tables::{GONE, HEAD, WRITTEN_BY, full_name};
use crate::store::wire::{CountRequest, CountResponse, CreateRequest, ListRequest, RecordList, UpdateWhereRequest};
use host_store::implementation::schema::Table;
use host_store::{StoreError, Stored};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Whether the platform's database service applies several writes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batches {
    /// It supports `database.batch`.
    Yes,
    /// It does not: commits are written as intents.
    No,
}

/// Maximum number of rows that are requested at a time.
const PAGE: usize = 500;
/// Maximum number of ids in one request.
pub(crate) const IDS: usize = 100;
/// Id of the only row of the table `head`.
pub(crate) const HEAD_ID: &str = "head";

/// The numbers of the last commit, event and effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) number: i64,
    pub(crate) events: i64,
    pub(crate) effects: i64,
    pub(crate) intent: bool,
}

impl Head {
    pub(crate) fn of(record: &Record) -> Stored<Head> {
        Ok(Head {
            number: record.int("number")?,
            events: record.int("events")?,
            effects: record.int("effects")?,
            intent: record.truth("intent")?,
        })
    }

    pub(crate) fn record(self) -> Record {
        Record::new(HEAD_ID.to_owned())
            .with("number", self.number)
            .with("events", self.events)
            .with("effects", self.effects)
            .with("intent", self.intent)
    }
}

/// A row that the group read or changed: as it was when the group began, and as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) before: Option<Record>,
    pub(crate) now: Option<Record>,
}

impl Held {
    pub(crate) fn is_changed(&self) -> bool {
        self.before != self.now
    }
}

/// Rows by table and id.
pub(crate) type HeldRows = BTreeMap<(&'static str, String), Held>;

/// The tables of a Solobase platform, and the open group's rows.
pub struct Platform {
    service: Arc<dyn Service + Send + Sync>,
    /// True if the service has `database.batch`.
    pub(crate) has_batches: bool,
    pub(crate) is_open: bool,
    /// The numbers after the group.
    pub(crate) head: Head,
    /// Number of the last commit before the group.
    pub(crate) base: i64,
    held: RefCell<HeldRows>,
}

pub(crate) fn unavailable(error: ServiceError) -> StoreError {
    StoreError::Unavailable(format!("database service: {error}"))
}

fn unreadable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("database service: an answer cannot be read: {error}"))
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Platform {
    /// Creates the tables over a service, without an open group.
    pub(crate) fn new(service: Arc<dyn Service + Send + Sync>, batches: Batches) -> Platform {
        let has_batches = batches == Batches::Yes;
        Platform { service, has_batches, is_open: false, head: Head::default(), base: 0, held: RefCell::default() }
    }

    /// Calls the service.
    pub(crate) fn call<A: DeserializeOwned>(
        &self,
        kind: &str,
        request: &impl Serialize,
    ) -> Stored<Result<A, ServiceError>> {
        match self.call_bytes(kind, request)? {
            Ok(answer) => rmp_serde::from_slice(&answer).map(Ok).map_err(unreadable),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Calls the service without parsing the answer.
    pub(crate) fn call_bytes(&self, kind: &str, request: &impl Serialize) -> Stored<Result<Vec<u8>, ServiceError>> {
        let request = rmp_serde::to_vec_named(request)
            .map_err(|error| StoreError::Misuse(format!("a request cannot be written: {error}")))?;
        Ok(self.service.call(kind, &request))
    }

    /// Lists rows in the service's form.
    pub(crate) fn list(&self, query: &Query, limit: usize) -> Stored<Vec<Record>> {
        let (collection, filters, sort) = (full_name(query.table), query.filters(), query.sorts());
        let mut found: Vec<Record> = Vec::new();
        loop {
            let asked = limit.saturating_sub(found.len()).min(PAGE);
            if asked == 0 {
                return Ok(found);
            }
            let request = ListRequest {
                collection: &collection,
                filters: &filters,
                sort: &sort,
                limit: i64::try_from(asked).unwrap_or(i64::MAX),
                offset: i64::try_from(found.len()).unwrap_or(i64::MAX),
                // A host may return fewer rows than were requested; only the count shows the end.
                skip_count: limit == 1,
            };
            let page: RecordList = self.call("database.list", &request)?.map_err(unavailable)?;
            let is_empty = page.records.is_empty();
            found.extend(page.records);
            let total = usize::try_from(page.total_count).unwrap_or_default();
            if is_empty || limit == 1 || found.len() >= total {
                return Ok(found);
            }
        }
    }

    /// Creates a row at once, outside the group. Fails if the table already has the id.
    pub(crate) fn create_now(&self, table: &Table, record: Record) -> Stored<Result<(), ServiceError>> {
        let Record { id, mut columns } = record;
        columns.0.push(("id", Value::Text(id)));
        let request = CreateRequest { collection: &full_name(table), data: &columns };
        Ok(self.call_bytes("database.create", &request)?.map(drop))
    }

    /// Updates the matching rows at once; returns their number.
    pub(crate) fn update_now(&self, query: &Query, record: &Record) -> Stored<i64> {
        let request = UpdateWhereRequest {
            collection: &full_name(query.table),
            filters: &query.filters(),
            data: &record.columns,
        };
        let answer: CountResponse = self.call("database.update_where_count", &request)?.map_err(unavailable)?;
        Ok(answer.count)
    }

    /// Reads the numbers; none if the tables are new.
    pub(crate) fn read_head(&self) -> Stored<Option<Head>> {
        let found = self.list(&Query::of(&HEAD).eq("id", HEAD_ID), 1)?;
        found.first().map(Head::of).transpose()
    }

    /// Drops everything that the group has read and changed.
    pub(crate) fn clear(&mut self) {
        self.held.get_mut().clear();
        self.is_open = false;
    }

    /// Returns the changed rows.
    pub(crate) fn changed(&self) -> HeldRows {
        let held = self.held.borrow();
        held.iter().filter(|(_, held)| held.is_changed()).map(|(key, held)| (key.clone(), held.clone())).collect()
    }

    /// Remembers rows that the service returned. Only a group may rely on them later.
    fn remember(&self, table: &'static Table, rows: &[Record]) {
        for row in rows {
            self.hold(table, &row.id, Some(row));
        }
    }

    /// Remembers a row, or that there is none, unless the group already has it.
    fn hold(&self, table: &'static Table, id: &str, row: Option<&Record>) {
        if self.is_open {
            let known = || Held { before: row.cloned(), now: row.cloned() };
            self.held.borrow_mut().entry((table.name, id.to_owned())).or_insert_with(known);
        }
    }

    /// Returns a row by its id.
    pub(crate) fn find(&self, table: &'static Table, id: &str) -> Stored<Option<Record>> {
        Ok(self.find_all(table, &[id.to_owned()])?.pop().flatten())
    }

    /// Returns rows by their ids, in the same order.
    pub(crate) fn find_all(&self, table: &'static Table, ids: &[String]) -> Stored<Vec<Option<Record>>> {
        let mut found: BTreeMap<&str, Option<Record>> = BTreeMap::new();
        let mut missing = Vec::new();
        for id in ids {
            if !found.contains_key(id.as_str()) {
                let held = self.held.borrow().get(&(table.name, id.clone())).map(|held| held.now.clone());
                missing.extend(held.is_none().then(|| Value::from(id.as_str())));
                found.insert(id, held.flatten());
            }
        }
        for part in missing.chunks(IDS) {
            for row in self.list(&Query::of(table).among("id", part.to_vec()), part.len())? {
                if let Some(place) = found.get_mut(row.id.as_str()) {
                    *place = Some(row);
                }
            }
        }
        for (id, row) in &found {
            self.hold(table, id, row.as_ref());
        }
        Ok(ids.iter().map(|id| found.get(id.as_str()).cloned().flatten()).collect())
    }

    /// Returns rows by their numbers, in the same order.
    pub(crate) fn numbered(&self, table: &'static Table, numbers: &[Value]) -> Stored<Vec<Option<Record>>> {
        let mut found: BTreeMap<Value, Record> = BTreeMap::new();
        for (_, held) in of_table(&self.held.borrow(), table) {
            if let Some(row) = held.now.as_ref().filter(|row| numbers.contains(row.value("seq"))) {
                found.insert(row.value("seq").clone(), row.clone());
            }
        }
        let missing: Vec<Value> = numbers.iter().filter(|number| !found.contains_key(*number)).cloned().collect();
        for part in missing.chunks(IDS) {
            let rows = self.list(&Query::of(table).among("seq", part.to_vec()), part.len())?;
            self.remember(table, &rows);
            found.extend(rows.into_iter().map(|row| (row.value("seq").clone(), row)));
        }
        Ok(numbers.iter().map(|number| found.get(number).cloned()).collect())
    }

    /// Returns the matching rows, in order, with the group's changes.
    pub(crate) fn select(&self, query: &Query) -> Stored<Vec<Record>> {
        if query.limit == 0 {
            return Ok(Vec::new());
        }
        let own = if self.is_open { self.changed_of(query.table) } else { Vec::new() };
        let mut rows = self.list(query, query.limit.saturating_add(own.len()))?;
        self.remember(query.table, &rows);
        if !own.is_empty() {
            rows.retain(|row| own.iter().all(|(id, _)| *id != row.id));
            rows.extend(own.into_iter().filter_map(|(_, held)| held.now).filter(|row| query.fits(row)));
            rows.sort_by(|one, other| query.order(one, other));
            rows.truncate(query.limit);
        }
        Ok(rows)
    }

    /// Returns the number of matching rows.
    pub(crate) fn count_of(&self, query: &Query) -> Stored<u64> {
        let request = CountRequest { collection: &full_name(query.table), filters: &query.filters() };
        let answer: CountResponse = self.call("database.count", &request)?.map_err(unavailable)?;
        let own = if self.is_open { self.changed_of(query.table) } else { Vec::new() };
        let fits = |row: &Option<Record>| i64::from(row.as_ref().is_some_and(|row| query.fits(row)));
        let more: i64 = own.iter().map(|(_, held)| fits(&held.now) - fits(&held.before)).sum();
        Ok(u64::try_from(answer.count + more).unwrap_or_default())
    }

    fn changed_of(&self, table: &'static Table) -> Vec<(String, Held)> {
        let held = self.held.borrow();
        of_table(&held, table)
            .filter(|(_, held)| held.is_changed())
            .map(|((_, id), held)| (id.clone(), held.clone()))
            .collect()
    }

    /// Sets or deletes a row of the open group.
    pub(crate) fn put_row(&self, table: &'static Table, id: &str, row: Option<Record>) -> Stored<()> {
        let key = (table.name, id.to_owned());
        if !self.held.borrow().contains_key(&key) {
            self.find(table, id)?;
        }
        let row = row.map(|row| row.with(GONE, false).with(WRITTEN_BY, self.base + 1));
        if let Some(held) = self.held.borrow_mut().get_mut(&key) {
            // A row that is written with its old content is not a change.
            held.now = match (&held.before, row) {
                (Some(before), Some(row)) if is_same(before, &row) => Some(before.clone()),
                (_, row) => row,
            };
        }
        Ok(())
    }

    /// Sets a row of the open group.
    pub(crate) fn set(&self, table: &'static Table, row: Record) -> Stored<()> {
        let id = row.id.clone();
        self.put_row(table, &id, Some(row))
    }
}

/// Returns the rows of a table.
fn of_table<'h>(
    held: &'h HeldRows,
    table: &'static Table,
) -> impl Iterator<Item = (&'h (&'static str, String), &'h Held)> {
    held.range((table.name, String::new())..).take_while(|((name, _), _)| *name == table.name)
}

/// Returns true if two rows differ only in the commit that wrote them.
fn is_same(one: &Record, other: &Record) -> bool {
    let all = one.columns.0.iter().chain(&other.columns.0);
    all.filter(|(name, _)| *name != WRITTEN_BY).all(|(name, _)| one.value(name) == other.value(name))
}
