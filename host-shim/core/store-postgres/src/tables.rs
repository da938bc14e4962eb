//! The tables, as the queries of all stores read them. Each query is one round trip, except those of the whole log outside a snapshot.

use crate::decode::{self, account, column, get, limit, partition, scope};
use crate::effects;
use crate::store::PostgresStore;
use crate::wire::Params;
use extension_contract::{Reference, Reply, RowKind, StoredRow, Timestamp};
use host_store::copy::{Source, WholeRow};
use host_store::implementation::backend::{Answer, Cell, Flow, Query, Range, Tables, View};
use host_store::implementation::json::RunJson;
use host_store::implementation::schema::{CLAIMS, Column, REFS, Table};
use host_store::implementation::sql::select_from;
use host_store::implementation::{Kept, Lend, kind_prefix, prefix_end};
use host_store::{
    AccountRow, ClaimRow, DueQuery, EffectRow, InboxRow, OpenedRows, Partition, PlaceQuery, Placed, Read, Run, Scope,
    Stored, TURNS_SEARCHED_MAX,
};
use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::ops::Bound;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type, accepts};

/// A row of an answer.
struct RowAnswer<'r> {
    row: &'r Row,
    columns: &'static [Column],
    /// Index of the first column.
    first: usize,
}

impl RowAnswer<'_> {
    fn value<'r, T: FromSql<'r>>(&'r self, column: Column) -> Stored<T> {
        let place = match self.columns.get(column) {
            // All columns have been read.
            Some(known) if *known == column => Some(column),
            _ => self.columns.iter().position(|known| *known == column),
        };
        let missing = || decode::damaged(format!("column {column} was not read"));
        get(self.row, self.first + place.ok_or_else(missing)?)
    }
}

/// An integer of any width, or a boolean.
struct Number(i64);

impl<'a> FromSql<'a> for Number {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Number(match *kind {
            Type::BOOL => bool::from_sql(kind, raw)?.into(),
            Type::INT2 => i16::from_sql(kind, raw)?.into(),
            Type::INT4 => i32::from_sql(kind, raw)?.into(),
            _ => i64::from_sql(kind, raw)?,
        }))
    }

    accepts!(BOOL, INT2, INT4, INT8);
}

impl Answer for RowAnswer<'_> {
    fn int(&self, column: Column) -> Stored<Option<i64>> {
        Ok(self.value::<Option<Number>>(column)?.map(|Number(number)| number))
    }

    fn text(&self, column: Column) -> Stored<Option<&str>> {
        self.value(column)
    }

    fn bytes(&self, column: Column) -> Stored<Option<Cow<'_, [u8]>>> {
        Ok(self.value::<Option<&[u8]>>(column)?.map(Cow::Borrowed))
    }

    fn scope(&self, column: Column) -> Stored<Scope> {
        let Partition { business, livemode } = self.partition(column)?;
        Ok(Scope { business, livemode, account: account(self.value(column)?)? })
    }

    fn partition(&self, _: Column) -> Stored<Partition> {
        let after = self.first + self.columns.len();
        Ok(Partition { business: get(self.row, after)?, livemode: get(self.row, after + 1)? })
    }
}

fn view<V: View>(row: &Row, first: usize) -> Stored<V> {
    V::read(&RowAnswer { row, columns: V::COLUMNS, first })
}

/// The values of parameters.
type Values<'v> = Vec<Box<dyn ToSql + Sync + 'v>>;

fn parameters<'v>(values: &'v Values<'_>) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
}

/// Returns cells as the values of parameters.
fn values<'c>(cells: impl IntoIterator<Item = &'c Cell<'c>>) -> Values<'c> {
    let mut values: Values<'c> = Vec::new();
    for cell in cells {
        match cell {
            Cell::Null => values.push(Box::new(None::<&str>)),
            Cell::Int(number) => values.push(Box::new(*number)),
            Cell::Text(text) => values.push(Box::new(&**text)),
            Cell::Bytes(bytes) => values.push(Box::new(&**bytes)),
            Cell::Account(account) => values.push(Box::new(account.to_string())),
            Cell::Partition(business, livemode) => {
                values.push(Box::new(*business));
                values.push(Box::new(*livemode));
            }
            Cell::Scope(scope) => {
                values.push(Box::new(&*scope.business));
                values.push(Box::new(scope.livemode));
                values.push(Box::new(scope.account.to_string()));
            }
        }
    }
    values
}

impl PostgresStore {
    /// Applies waiting changes before a query that may read them: a query for a scope's rows, facts, effects or revision, for claims, or
    /// for anything else.
    fn settle_for(&self, table: &Table, equal: &[Cell<'_>]) -> Stored<()> {
        match equal.first() {
            Some(Cell::Scope(scope)) => self.settle_if(|batch| batch.has_scope(scope)),
            _ if table.name == CLAIMS.name => self.settle_if(|batch| batch.has_claims()),
            _ => self.settle_held(),
        }
    }

    /// Runs the text of a query.
    fn rows(&self, sql: &str, query: &Query<'_>) -> Stored<Vec<Row>> {
        let mut values = values(query.values());
        if query.limit != usize::MAX {
            values.push(Box::new(limit(query.limit)));
        }
        self.query_now(sql, &parameters(&values))
    }

    /// Runs a query of a view's columns in `from`; `rest` is the text after `from`. Applies no waiting changes.
    fn views<V: View>(&self, from: &str, rest: &str, params: Params<'_>) -> Stored<Vec<V>> {
        let sql = select_from(V::TABLE, V::COLUMNS, from) + rest;
        self.query_now(&sql, params)?.iter().map(|row| view(row, 0)).collect()
    }

    /// Returns the effects of a query with its own text.
    pub(crate) fn effects(&self, sql: &str, params: Params<'_>) -> Stored<Vec<EffectRow>> {
        self.query(sql, params)?.iter().map(|row| view(row, 0)).collect()
    }

    /// Returns the events of a partition, with further conditions.
    pub(crate) fn events(&self, conditions: &str, params: Params<'_>) -> Stored<Vec<InboxRow>> {
        self.settle_held()?;
        self.views("events", &[" WHERE t.partition = ", partition!(), conditions].concat(), params)
    }
}

fn numbers(rows: &[Row]) -> Stored<Vec<u64>> {
    rows.iter().map(|row| decode::number(row, 0)).collect()
}

impl Tables for &PostgresStore {
    fn find<V: View>(&self, query: &Query<'_>, each: &mut dyn FnMut(V) -> Stored<Flow>) -> Stored<()> {
        // The identity of an event.
        if let [Cell::Text(id), Cell::Text(source), Cell::Partition(business, livemode)] = query.equal
            && self.together.borrow().as_ref().is_some_and(|it| it.is_unknown((business, *livemode), source, id))
        {
            return Ok(());
        }
        self.settle_for(V::TABLE, query.equal)?;
        for row in &self.rows(&self.texts.select(V::TABLE, V::COLUMNS, query), query)? {
            if each(view(row, 0)?)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn get<V: View>(&self, keys: &[Vec<Cell<'_>>]) -> Stored<Vec<Option<V>>> {
        let Some((_, equal)) = keys.first().and_then(|key| key.split_last()) else { return Ok(Vec::new()) };
        let last = |key: &Vec<Cell<'_>>| match key.last() {
            Some(Cell::Text(text)) => text.clone().into_owned(),
            Some(Cell::Int(number)) => number.to_string(),
            _ => String::new(),
        };
        let names: Vec<String> = keys.iter().map(last).collect();
        match V::TABLE.name == CLAIMS.name {
            true => self.settle_if(|batch| batch.has_claim(&names))?,
            false => self.settle_for(V::TABLE, equal)?,
        }
        let mut values = values(equal);
        values.push(Box::new(&names));
        let sql = self.texts.some(V::TABLE, V::COLUMNS, &Query { equal, ..Query::default() });
        let rows = self.query_now(&sql, &parameters(&values))?;
        let found: HashMap<&str, &Row> = rows.iter().map(|row| Ok((get(row, 0)?, row))).collect::<Stored<_>>()?;
        // A key may be requested twice.
        names.iter().map(|name| found.get(&**name).map(|row| view(row, 1)).transpose()).collect()
    }

    fn count(&self, table: &'static Table, query: &Query<'_>) -> Stored<u64> {
        self.settle_for(table, query.equal)?;
        let rows = self.rows(&self.texts.count(table, query), query)?;
        rows.first().map_or(Ok(0), |row| decode::number(row, 0))
    }

    fn account(&self, scope: &Scope) -> Stored<Option<AccountRow>> {
        self.settle_if(|batch| batch.has_scope(scope))?;
        let sql = concat!("SELECT s.revision, s.data_version::bigint FROM scopes s WHERE s.id = ", scope!());
        let rows = self.query_now(sql, &[&scope.business, &scope.livemode, &scope.account.to_string()])?;
        let account = |row: &Row| {
            let version = get::<Option<i64>>(row, 1)?.map(u32::try_from).transpose().map_err(decode::damaged)?;
            Ok(AccountRow { revision: decode::number(row, 0)?, data_version: version })
        };
        rows.first().map(account).transpose()
    }

    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        let sql = "SELECT q.business, q.livemode, s.account FROM scopes s JOIN partitions q ON q.id = s.partition \
                   WHERE $1::text IS NULL OR (q.business = $1 AND q.livemode = $2)";
        let (business, livemode) = (partition.map(|it| &it.business), partition.map(|it| it.livemode));
        let scope =
            |row: &Row| Ok(Scope { business: get(row, 0)?, livemode: get(row, 1)?, account: account(get(row, 2)?)? });
        self.query(sql, &[&business, &livemode])?.iter().map(scope).collect()
    }

    fn log_end(&self) -> Stored<Bound<Cell<'static>>> {
        let read = || {
            let row = self.query_one("SELECT log_end($1)", &[&self.tag])?;
            row.map_or(Ok(0), |row| get(&row, 0))
        };
        Ok(Bound::Included(self.snapshot_end.get().map_or_else(read, Ok)?.into()))
    }

    fn open(kept: &Kept<Self>, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        let (partition, otherwise) = (scope.partition(), Some(&scope.account));
        let query = PlaceQuery { partition: &partition, claims: &[], now: 0, otherwise, named, facts };
        let (_, opened) = kept.place(&query)?;
        Ok(opened.map(|placed| placed.rows).unwrap_or_default())
    }

    fn place(kept: &Kept<Self>, query: &PlaceQuery<'_>) -> Stored<(Vec<Option<ClaimRow>>, Option<Placed>)> {
        kept.backend().open_placed(query)
    }

    fn outdated(&self, scope: &Scope, kind: &RowKind, fingerprint: &str, most: usize) -> Stored<Vec<StoredRow>> {
        self.settle_if(|batch| batch.has_scope(scope))?;
        let (account, from) = (scope.account.to_string(), kind_prefix(kind));
        let to = prefix_end(&from).unwrap_or_default();
        // Two ranges of the index, both empty while every row is up to date.
        let range = concat!(
            "(SELECT * FROM rows o WHERE o.shown AND o.fingerprint IS NOT NULL AND o.key >= $5 AND o.key < $6 AND o.scope = ",
            scope!(),
            " AND o.fingerprint "
        );
        let ranges = format!("({range}< $4) UNION ALL {range}> $4))");
        let params: Params<'_> = &[&scope.business, &scope.livemode, &account, &fingerprint, &from, &to, &limit(most)];
        self.views(&ranges, " ORDER BY t.written, t.key LIMIT $7", params)
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        let sql = concat!(
            "SELECT DISTINCT split_part(r.key, ':', 2) COLLATE \"C\" AS name FROM rows r WHERE r.scope = ",
            scope!(),
            " AND r.key >= 'record:' AND r.key < 'record;' ORDER BY name"
        );
        let rows = self.query(sql, &[&scope.business, &scope.livemode, &scope.account.to_string()])?;
        rows.iter().map(|row| get(row, 0)).collect()
    }

    fn referrers(&self, scope: &Scope, target: &str, (from, to): Range, most: usize) -> Stored<Vec<StoredRow>> {
        self.settle_if(|batch| batch.has_scope(scope))?;
        let equal = [Cell::from(scope), target.into()];
        let query = Query { equal: &equal, from, to, limit: most, ..Query::default() };
        let rows = select_from(StoredRow::TABLE, StoredRow::COLUMNS, "rows");
        let keys = self.texts.select(&REFS, &REFS.key[2..], &query);
        let sql = [&rows, " WHERE t.scope = ", scope!(), " AND t.key IN (", &keys, ") ORDER BY t.key"].concat();
        self.rows(&sql, &query)?.iter().map(|row| view(row, 0)).collect()
    }

    fn effects_of(&self, scope: &Scope, after: u64, most: usize) -> Stored<Vec<EffectRow>> {
        self.settle_if(|batch| batch.has_scope(scope))?;
        let rest = concat!(" WHERE t.scope = ", scope!(), " AND t.seq > $4 ORDER BY t.seq LIMIT $5");
        let account = scope.account.to_string();
        let params: Params<'_> = &[&scope.business, &scope.livemode, &account, &column(after), &limit(most)];
        self.views("effects", rest, params)
    }

    fn effects_open_after(&self, partition: &Partition, after: u64, most: usize) -> Stored<Vec<EffectRow>> {
        let params: Params<'_> = &[&partition.business, &partition.livemode, &column(after), &limit(most)];
        self.effects(&effects::OPEN_AFTER, params)
    }

    fn effects_due(&self, query: &DueQuery<'_>) -> Stored<Vec<EffectRow>> {
        let DueQuery { partition, now, timers, busy, turns, limit: most } = *query;
        let (searched, turns, most) = (limit(TURNS_SEARCHED_MAX), turns.map(limit), limit(most));
        let params: Params<'_> =
            &[&partition.business, &partition.livemode, &now, &most, &timers, &busy, &searched, &turns];
        match turns {
            None => self.effects(&effects::DUE, &params[..6]),
            Some(_) => self.effects(&effects::DUE_IN_TURN, params),
        }
    }

    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        let row = self.query_one(&effects::NEXT_DUE, &[&partition.business, &partition.livemode, &now])?;
        row.map_or(Ok(None), |row| get(&row, 0))
    }

    fn runs(&self, seq: u64) -> Stored<Vec<Run>> {
        let sql = "SELECT u.run::text FROM (SELECT n, run FROM runs WHERE seq = $1 \
                   UNION ALL SELECT runs, run FROM events WHERE seq = $1 AND run IS NOT NULL) u ORDER BY u.n";
        let rows = self.query(sql, &[&column(seq)])?;
        rows.iter().map(|row| Ok(decode::json::<RunJson<'_>>(get(row, 0)?)?.into_run())).collect()
    }

    fn inbox_due(&self, partition: &Partition, now: Timestamp, most: usize) -> Stored<Vec<u64>> {
        let sql = concat!(
            "SELECT e.seq FROM events e WHERE e.partition = ",
            partition!(),
            " AND e.state < 3 AND e.state = 0 AND e.at <= $3 ORDER BY e.seq LIMIT $4"
        );
        numbers(&self.query(sql, &[&partition.business, &partition.livemode, &now, &limit(most)])?)
    }

    fn failed(&self, partition: &Partition, after: u64, most: usize) -> Stored<Vec<InboxRow>> {
        let params: Params<'_> = &[&partition.business, &partition.livemode, &column(after), &limit(most)];
        self.events(" AND t.state IN (0, 4) AND t.seq > $3 ORDER BY t.seq LIMIT $4", params)
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        if self.wake_later(keys) {
            return Ok(Vec::new());
        }
        numbers(&self.query("SELECT DISTINCT w.seq FROM waits w WHERE w.key = ANY ($1) ORDER BY w.seq", &[&keys])?)
    }
}

impl Lend for PostgresStore {
    fn lend<T>(&self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T> {
        body(&Kept::over(self))
    }
}

impl Source for PostgresStore {
    fn whole_rows(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<WholeRow>> {
        Kept::over(self).whole_rows(scope, after, limit)
    }

    fn facts(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, String)>> {
        Kept::over(self).facts(scope, after, limit)
    }

    fn replies(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, Reply)>> {
        Kept::over(self).replies(scope, after, limit)
    }

    fn waits(&self, seq: u64) -> Stored<Vec<String>> {
        Kept::over(self).waits(seq)
    }
}
