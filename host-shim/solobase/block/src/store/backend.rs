//! The platform's tables as the tables of a store.

use crate::store::answer::{RecordAnswer, compared, id_of, record_of, scope_of, value};
use crate::store::platform::{IDS, Platform};
use crate::store::query::Query as Asked;
use crate::store::record::{Record, Value};
use crate::store::tables::{
    ACCOUNT, EFFECTS, EVENTS, FRONT, ORD, TIMER, identity, is_identity, is_ord, name_of, order,
};
use extension_contract::Reference;
use host_store::implementation::Kept;
use host_store::implementation::backend::{self, Backend, Cell, Flow, Op, Patch, Query, Tables, View};
use host_store::implementation::json::damaged;
use host_store::implementation::schema::{Column, Kind, Only, ROWS, Table, WAITS};
use host_store::{AccountRow, OpenedRows, Partition, Reader, Scope, StoreError, Stored};
use std::collections::BTreeSet;
use std::ops::Bound;

/// Maximum number of events, effects and replies of an account that are erased at a time, because a call of a block has a limited
/// amount of fuel.
const ERASED_MAX: usize = 20;
/// Maximum number of references of an account that are read at a time.
const REFERENCES_MAX: usize = 400;
/// Maximum number of due effects that are searched for the accounts' turns, because a block has little memory.
const SEARCHED_MAX: usize = 1_000;

/// Returns the id of the row of an account among the rows.
fn account_id(scope: &Scope) -> String {
    id_of(&[Cell::Scope(scope), Cell::from("")])
}

/// Returns the id of the row that a query asks for, if the query fixes all values of the id.
fn id_asked(table: &'static Table, query: &Query<'_>) -> Option<String> {
    let has_ids = query.index.map_or(!is_numbered(table), is_identity);
    let columns: Vec<Column> = order(table, query.index).take(query.equal.len()).collect();
    let cell = |column: Column| Some(query.equal[columns.iter().position(|known| *known == column)?].clone());
    has_ids.then(|| identity(table).map(cell).collect::<Option<Vec<_>>>()).flatten().map(|cells| id_of(&cells))
}

/// Returns true if the ids of a table do not consist of its key, which is a number.
fn is_numbered(table: &Table) -> bool {
    table.indexes.iter().any(|index| is_identity(index))
}

/// Returns a query in the form for the service.
fn asked(table: &'static Table, query: &Query<'_>) -> Asked {
    let mut columns = order(table, query.index);
    let mut asked = Asked::of(table).limit(query.limit);
    for only in query.index.into_iter().flat_map(|index| index.only) {
        let name = |column: &Column| name_of(table, *column);
        asked = match only {
            Only::Is(column, number) => asked.eq(name(column), *number),
            Only::Below(column, end) => asked.lt(name(column), *end),
            Only::OneOf(column, some) => asked.among(name(column), some.iter().copied().map(Value::Int).collect()),
            Only::Named(column, text) => asked.eq(name(column), *text),
            Only::NotNamed(..) => asked.eq(TIMER, false),
            // Null is never greater than a value.
            Only::Some(column) if matches!(table.kinds[*column], Kind::Int | Kind::Truth) => {
                asked.compare(name(column), Op::Ge, i64::MIN)
            }
            Only::Some(column) => asked.compare(name(column), Op::Ge, ""),
        };
    }
    let equal = query.equal.iter().zip(columns.by_ref());
    let mut tests: Vec<(Column, Op, &Cell<'_>)> = equal.map(|(cell, column)| (column, Op::Eq, cell)).collect();
    let mut rest = columns.peekable();
    for (bound, with, without) in [(&query.from, Op::Ge, Op::Gt), (&query.to, Op::Le, Op::Lt)] {
        let (op, cell) = match bound {
            Bound::Unbounded => continue,
            Bound::Included(cell) => (with, cell),
            Bound::Excluded(cell) => (without, cell),
        };
        tests.extend(rest.peek().map(|column| (*column, op, cell)));
    }
    tests.extend(query.tests.iter().map(|(column, op, cell)| (*column, *op, cell)));
    for (column, op, cell) in tests {
        let (name, value) = compared(table, column, cell);
        asked = asked.compare(name, op, value);
    }
    if query.first_of_ordering_key {
        asked = asked.eq(FRONT, true);
    }
    for column in rest {
        asked = asked.sort(if is_ord(table, column) { ORD } else { name_of(table, column) }, query.descending);
    }
    asked
}

fn is_open(effect: &Record) -> Stored<bool> {
    Ok(effect.int("state")? < 2)
}

impl Platform {
    /// Reads a row.
    fn view<V: View>(record: &Record, scope: Option<&Scope>) -> Stored<V> {
        V::read(&RecordAnswer { table: V::TABLE, record, scope })
    }

    /// Returns rows by the values of their keys.
    fn rows_of(&self, table: &'static Table, keys: &[Vec<Cell<'_>>]) -> Stored<Vec<Option<Record>>> {
        if !is_numbered(table) {
            let ids: Vec<String> = keys.iter().map(|key| id_of(key)).collect();
            return self.find_all(table, &ids);
        }
        let numbers: Vec<Value> = keys.iter().flatten().map(value).collect();
        self.numbered(table, &numbers)
    }

    fn row_of(&self, table: &'static Table, key: &[Cell<'_>]) -> Stored<Option<Record>> {
        Ok(self.rows_of(table, &[key.to_vec()])?.pop().flatten())
    }

    /// Writes a row and, for an effect, which one is the first of its ordering key.
    fn write(&mut self, table: &'static Table, row: Record, before: Option<&Record>) -> Stored<()> {
        let Some(ordering_key) = row.maybe_text("ordering_key")?.filter(|_| table.name == EFFECTS) else {
            return self.set(table, row);
        };
        if before.map_or(Ok(None), |before| is_open(before).map(Some))? == Some(is_open(&row)?) {
            return self.set(table, row);
        }
        let open = Asked::of(table)
            .eq("scope", row.text("scope")?)
            .eq("ordering_key", ordering_key)
            .lt("state", 2_i64)
            .sort("seq", false)
            .limit(2);
        // It is not the first unless the lines below say so; of the others, only the first two can change places.
        self.set(table, row.with(FRONT, false))?;
        for (place, row) in self.select(&open)?.into_iter().enumerate() {
            let front = place == 0;
            if row.truth(FRONT)? != front {
                self.set(table, row.with(FRONT, front))?;
            }
        }
        Ok(())
    }
}

impl Tables for Platform {
    fn find<V: View>(&self, query: &Query<'_>, each: &mut dyn FnMut(V) -> Stored<Flow>) -> Stored<()> {
        let table = V::TABLE;
        let found = match id_asked(table, query).filter(|_| query.tests.is_empty() && query.limit > 0) {
            Some(id) => self.find(table, &id)?.into_iter().collect(),
            None => self.select(&asked(table, query))?,
        };
        let scope = match query.equal.first() {
            Some(Cell::Scope(scope)) => Some(*scope),
            _ => None,
        };
        for record in &found {
            if each(Self::view(record, scope)?)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn one<V: View>(&self, key: &[Cell<'_>]) -> Stored<Option<V>> {
        Ok(self.get(&[key.to_vec()])?.pop().flatten())
    }

    fn get<V: View>(&self, keys: &[Vec<Cell<'_>>]) -> Stored<Vec<Option<V>>> {
        let found = self.rows_of(V::TABLE, keys)?;
        found.iter().map(|record| record.as_ref().map(|record| Self::view(record, None)).transpose()).collect()
    }

    fn count(&self, table: &'static Table, query: &Query<'_>) -> Stored<u64> {
        self.count_of(&asked(table, query))
    }

    fn account(&self, scope: &Scope) -> Stored<Option<AccountRow>> {
        let Some(row) = self.find(&ROWS, &account_id(scope))? else { return Ok(None) };
        let data_version = row.maybe_int("data_version")?.map(u32::try_from).transpose().map_err(damaged)?;
        Ok(Some(AccountRow { revision: row.number("written")?, data_version }))
    }

    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        let rows = self.select(&Asked::of(&ROWS).eq("kind", ACCOUNT))?;
        let mut scopes: Vec<Scope> = rows.iter().map(|row| scope_of(row.text("scope")?)).collect::<Stored<_>>()?;
        scopes.retain(|scope| partition.is_none_or(|partition| scope.partition() == *partition));
        Ok(scopes)
    }

    fn turns_searched() -> usize {
        SEARCHED_MAX
    }

    fn references_at_once() -> usize {
        REFERENCES_MAX
    }

    fn open(kept: &Kept<Self>, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        let (platform, catalog) = (kept.backend(), scope.catalog());
        if platform.is_open {
            // One list of everything that the steps below would read one after another.
            let row = |scope, key: String| id_of(&[Cell::Scope(scope), key.into()]);
            let id = |reference: &Reference| match reference {
                Reference::Row(key) => Some(row(scope, key.to_string())),
                Reference::Catalog(key) => key.row_key().map(|key| row(&catalog, key.to_string())),
                Reference::Name(_) => None,
            };
            let accounts = [account_id(scope), account_id(&catalog)];
            let ids: Vec<String> = accounts.into_iter().chain(named.iter().filter_map(id)).collect();
            platform.find_all(&ROWS, &ids)?;
        }
        kept.open_by_steps(scope, named, facts)
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        let mut woken = BTreeSet::new();
        for part in keys.chunks(IDS) {
            let keys = part.iter().map(|key| Value::from(key.as_str())).collect();
            let waits = self.select(&Asked::of(&WAITS).among("key", keys))?;
            woken.extend(waits.iter().map(|wait| wait.number::<u64>("seq")).collect::<Stored<Vec<_>>>()?);
        }
        Ok(woken.into_iter().collect())
    }
}

impl Backend for Platform {
    fn insert<R: backend::Record>(&mut self, row: &R) -> Stored<Option<u64>> {
        let (table, mut record) = (R::TABLE, record_of(row)?);
        if self.find(table, &record.id)?.is_some() {
            return Ok(None);
        }
        let newest = match table.name {
            EVENTS => &mut self.head.events,
            EFFECTS => &mut self.head.effects,
            name => return Err(StoreError::Misuse(format!("the rows of `{name}` have no numbers"))),
        };
        let number = match record.int("seq")? {
            0 => *newest + 1,
            number => number,
        };
        *newest = (*newest).max(number);
        record.columns.set("seq", number);
        self.write(table, record, None)?;
        Ok(Some(number.unsigned_abs()))
    }

    fn put<R: backend::Record>(&mut self, row: &R) -> Stored<()> {
        self.set(R::TABLE, record_of(row)?)
    }

    fn patch<P: Patch>(&mut self, key: &[Cell<'_>], patch: &P) -> Stored<()> {
        let table = P::TABLE;
        let Some(before) = self.row_of(table, key)? else { return Ok(()) };
        let mut row = before.clone();
        for column in P::COLUMNS {
            row.columns.set(name_of(table, *column), value(&patch.cell(*column)?));
        }
        self.write(table, row, Some(&before))
    }

    fn delete(&mut self, table: &'static Table, key: &[Cell<'_>]) -> Stored<()> {
        match self.row_of(table, key)? {
            Some(row) => self.put_row(table, &row.id, None),
            None => Ok(()),
        }
    }

    fn set_account(&mut self, scope: &Scope, row: AccountRow) -> Stored<()> {
        let record = Record::new(account_id(scope))
            .with("scope", scope.name())
            .with("kind", ACCOUNT)
            .with("key", "")
            .with(ORD, "")
            .with("written", row.revision)
            .with("data_version", row.data_version.map(i64::from));
        self.set(&ROWS, record)
    }

    fn begin(&mut self) -> Stored<bool> {
        self.begin_group().map(|()| true)
    }

    fn commit(&mut self) -> Stored<()> {
        self.commit_group()
    }

    fn rollback(&mut self) -> Stored<()> {
        self.clear();
        Ok(())
    }

    fn reader(&self) -> Stored<Box<dyn Reader>> {
        Err(StoreError::Misuse("the database service has no snapshots for readers".into()))
    }

    fn is_whole(&self) -> bool {
        self.is_open
    }

    fn erased_at_once() -> usize {
        ERASED_MAX
    }
}
