//! The queries of a store, in PostgreSQL. Each is one round trip, except those of the whole log outside of a snapshot.

use crate::decode::{self, column, get, limit, number, stored};
use crate::effects::{self, partition, select_effects};
use crate::events::{self, select_events};
use crate::store::PostgresStore;
use crate::together::Together;
use crate::wire::Params;
use extension_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Listing, Product, Reference, Reply, Row as Content, RowKey, RowKind,
    Selection, StoredRow, Timestamp,
};
use host_store::implementation::json::{self, RunJson};
use host_store::implementation::{kind_prefix, prefix_end, scan_bounds};
use host_store::{
    ClaimRow, DueQuery, EffectRow, InboxRow, OpenedRows, Partition, Placed, Read, Run, Scope, Stored,
    TURNS_SEARCHED_MAX,
};
use std::collections::HashMap;
use tokio_postgres::Row;

/// The number of the scope with the business `$1`, the mode `$2` and the account `$3`.
macro_rules! scope {
    () => {
        "(SELECT x.id FROM scopes x JOIN partitions p ON p.id = x.partition \
         WHERE p.business = $1 AND p.livemode = $2 AND x.account = $3)"
    };
}

/// The `SELECT` of every query for rows of a scope, with its conditions.
macro_rules! select_rows {
    ($($conditions:expr),+) => {
        concat!("SELECT r.key, r.data_version::bigint, r.body::text, r.value::text FROM rows r WHERE r.scope = ", scope!(), " AND ", $($conditions),+)
    };
}

/// A range of keys. The character that follows a text in byte order cannot be sent, so that the lower bound may be exclusive.
struct Range {
    from: String,
    includes_from: bool,
    to: String,
}

impl Range {
    /// Returns the range of the ids of a kind from the bounds of a scan.
    fn of(kind: &str, (from, to): (String, Option<String>)) -> Range {
        let includes_from = !from.ends_with('\0');
        let from = format!("{kind}{}", from.trim_end_matches('\0'));
        // A kind has an end: its own prefix.
        let to = to.map_or_else(|| prefix_end(kind), |to| Some(format!("{kind}{to}"))).unwrap_or_default();
        Range { from, includes_from, to }
    }
}

fn stored_rows(rows: &[Row]) -> Stored<Vec<StoredRow>> {
    rows.iter().map(|row| stored(get(row, 0)?, get(row, 1)?, get(row, 2)?, get(row, 3)?)).collect()
}

fn texts(rows: &[Row]) -> Stored<Vec<String>> {
    rows.iter().map(|row| get(row, 0)).collect()
}

fn numbers(rows: &[Row]) -> Stored<Vec<u64>> {
    rows.iter().map(|row| number(row, 0)).collect()
}

impl PostgresStore {
    /// Runs a query that reads only rows, facts, effects and the revision of a scope.
    fn query_of(&self, scope: &Scope, sql: &'static str, params: Params<'_>) -> Stored<Vec<Row>> {
        self.settle_if(|batch| batch.has_scope(scope))?;
        self.query_now(sql, params)
    }

    /// Returns the number up to which the log of events may be read.
    fn log_end(&self) -> Stored<i64> {
        if let Some(end) = self.snapshot_end.get() {
            return Ok(end);
        }
        let row = self.query_one("SELECT log_end($1)", &[&self.tag])?;
        row.map_or(Ok(0), |row| get(&row, 0))
    }

    fn events(&self, rows: &[Row]) -> Stored<Vec<InboxRow>> {
        rows.iter().map(events::read).collect()
    }

    fn effects(&self, rows: &[Row]) -> Stored<Vec<EffectRow>> {
        rows.iter().map(effects::read).collect()
    }

    /// Returns the events of a partition that wait in a state since before a time.
    fn waiting(&self, partition: &Partition, state: i16, before: Timestamp, most: usize) -> Stored<Vec<u64>> {
        let sql = concat!(
            "SELECT e.seq FROM events e WHERE e.partition = ",
            partition!(),
            " AND e.state < 3 AND e.state = $3 AND e.at < $4 ORDER BY e.at, e.seq LIMIT $5"
        );
        let rows = self.query(sql, &[&partition.business, &partition.livemode, &state, &before, &limit(most)])?;
        numbers(&rows)
    }
}

impl Read for PostgresStore {
    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        let partition = scope.partition();
        let (_, opened) = self.place(&partition, &[], 0, Some(&scope.account), named, facts)?;
        Ok(opened.map(|placed| placed.rows).unwrap_or_default())
    }

    fn place(
        &self,
        partition: &Partition,
        claims: &[String],
        now: Timestamp,
        otherwise: Option<&Account>,
        named: &[Reference],
        facts: &[String],
    ) -> Stored<(Vec<Option<ClaimRow>>, Option<Placed>)> {
        self.open_placed(partition, claims, now, otherwise, named, facts)
    }

    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>> {
        let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let account = scope.account.to_string();
        let sql = select_rows!("r.key = ANY ($4)");
        let rows = self.query_of(scope, sql, &[&scope.business, &scope.livemode, &account, &texts])?;
        let mut found: HashMap<RowKey, StoredRow> =
            stored_rows(&rows)?.into_iter().map(|stored| (stored.row.key(), stored)).collect();
        // A key may be asked for twice.
        Ok(keys.iter().map(|key| found.get_mut(key).map(|stored| stored.clone())).collect())
    }

    fn more(&self, scope: &Scope, selection: &Selection, most: usize) -> Stored<Vec<StoredRow>> {
        let (account, most) = (scope.account.to_string(), limit(most));
        let rows = match selection {
            Selection::Listed(Listing { kind, prefix, descending, after }) => {
                let bounds = scan_bounds(prefix, *descending, after.as_deref());
                let Range { from, includes_from, to } = Range::of(&kind_prefix(kind), bounds);
                let sql = match descending {
                    false => select_rows!(
                        "r.shown AND r.key >= $4 AND ($5 OR r.key > $4) AND r.key < $6 ORDER BY r.key LIMIT $7"
                    ),
                    true => select_rows!(
                        "r.shown AND r.key >= $4 AND ($5 OR r.key > $4) AND r.key < $6 ORDER BY r.key DESC LIMIT $7"
                    ),
                };
                self.query_of(
                    scope,
                    sql,
                    &[&scope.business, &scope.livemode, &account, &from, &includes_from, &to, &most],
                )?
            }
            Selection::Outdated(kind, fingerprint) => {
                let from = kind_prefix(kind);
                let to = prefix_end(&from).unwrap_or_default();
                // Two ranges of the index, which are empty while every row is up to date.
                let sql = concat!(
                    "SELECT r.key, r.data_version::bigint, r.body::text, r.value::text FROM (",
                    "(SELECT * FROM rows o WHERE o.scope = ",
                    scope!(),
                    " AND o.shown AND o.fingerprint IS NOT NULL AND o.fingerprint < $4 AND o.key >= $5 AND o.key < $6) ",
                    "UNION ALL (SELECT * FROM rows o WHERE o.scope = ",
                    scope!(),
                    " AND o.shown AND o.fingerprint IS NOT NULL AND o.fingerprint > $4 AND o.key >= $5 AND o.key < $6)",
                    ") r ORDER BY r.written, r.key LIMIT $7"
                );
                self.query_of(
                    scope,
                    sql,
                    &[&scope.business, &scope.livemode, &account, &fingerprint, &from, &to, &most],
                )?
            }
        };
        stored_rows(&rows)
    }

    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, most: usize) -> Stored<Vec<StoredRow>> {
        let Range { from, includes_from, to } = Range::of(&kind_prefix(kind), scan_bounds("", false, after));
        let (account, most) = (scope.account.to_string(), limit(most));
        let sql = select_rows!("r.key >= $4 AND ($5 OR r.key > $4) AND r.key < $6 ORDER BY r.key LIMIT $7");
        stored_rows(&self.query(sql, &[&scope.business, &scope.livemode, &account, &from, &includes_from, &to, &most])?)
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        let sql = concat!(
            "SELECT DISTINCT split_part(r.key, ':', 2) COLLATE \"C\" AS name FROM rows r WHERE r.scope = ",
            scope!(),
            " AND r.key >= 'record:' AND r.key < 'record;' ORDER BY name"
        );
        texts(&self.query(sql, &[&scope.business, &scope.livemode, &scope.account.to_string()])?)
    }

    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        let sql = concat!("SELECT f.fact FROM facts f WHERE f.scope = ", scope!(), " AND f.fact = ANY ($4)");
        let account = scope.account.to_string();
        let known = texts(&self.query_of(scope, sql, &[&scope.business, &scope.livemode, &account, &facts])?)?;
        Ok(facts.iter().map(|fact| known.contains(fact)).collect())
    }

    fn fact(&self, scope: &Scope, fact: &str) -> Stored<Option<String>> {
        let sql = concat!("SELECT f.event_id FROM facts f WHERE f.scope = ", scope!(), " AND f.fact = $4");
        let account = scope.account.to_string();
        Ok(texts(&self.query(sql, &[&scope.business, &scope.livemode, &account, &fact])?)?.pop())
    }

    fn revision(&self, scope: &Scope) -> Stored<u64> {
        let sql = concat!("SELECT s.revision FROM scopes s WHERE s.id = ", scope!());
        let rows = self.query_of(scope, sql, &[&scope.business, &scope.livemode, &scope.account.to_string()])?;
        rows.first().map_or(Ok(0), |row| number(row, 0))
    }

    fn reply(&self, scope: &Scope, caller: &str) -> Stored<Option<Reply>> {
        let sql = concat!("SELECT y.reply::text FROM replies y WHERE y.scope = ", scope!(), " AND y.caller = $4");
        let account = scope.account.to_string();
        let rows = self.query_of(scope, sql, &[&scope.business, &scope.livemode, &account, &caller])?;
        rows.first().map(|row| decode::json(get(row, 0)?)).transpose()
    }

    fn newest_data_version(&self, scope: &Scope) -> Stored<Option<u32>> {
        let sql =
            concat!("SELECT s.data_version FROM scopes s WHERE s.id = ", scope!(), " AND s.data_version IS NOT NULL");
        let row = self.query_one(sql, &[&scope.business, &scope.livemode, &scope.account.to_string()])?;
        row.map(|row| decode::small(&row, 0)).transpose()
    }

    fn claims(&self, full_keys: &[String]) -> Stored<Vec<Option<ClaimRow>>> {
        if full_keys.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT l.key, l.holder, l.until, l.blocked_until FROM claims l WHERE l.key = ANY ($1)";
        self.settle_if(|batch| batch.has_claim(full_keys))?;
        let rows = self.query_now(sql, &[&full_keys])?;
        let found = rows.iter().map(|row| Ok((get::<&str>(row, 0)?, decode::claim(row, 1)?)));
        let found: HashMap<&str, ClaimRow> = found.collect::<Stored<_>>()?;
        Ok(full_keys.iter().map(|key| found.get(key.as_str()).cloned()).collect())
    }

    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
        let (space, account) = (scope.partition().name() + "/", scope.account.to_string());
        let sql = "SELECT l.key FROM claims l WHERE l.holder = $1 AND l.key ^@ $2 AND l.key ^@ $3 ORDER BY l.key";
        self.settle_if(|batch| batch.has_claims())?;
        texts(&self.query_now(sql, &[&account, &prefix, &space])?)
    }

    fn claim_keys(&self, prefix: &str, after: Option<&str>, most: usize) -> Stored<Vec<String>> {
        let Range { from, includes_from, .. } = Range::of("", scan_bounds(prefix, false, after));
        let to = prefix_end(prefix);
        let sql = "SELECT l.key FROM claims l WHERE l.key >= $1 AND ($2 OR l.key > $1) AND ($3::text IS NULL OR l.key < $3) \
                   ORDER BY l.key LIMIT $4";
        texts(&self.query(sql, &[&from, &includes_from, &to, &limit(most)])?)
    }

    fn claims_each(&self, partition: Option<&Partition>, visit: &mut dyn FnMut(&str, &ClaimRow)) -> Stored<()> {
        let prefix = partition.map_or_else(String::new, |partition| partition.name() + "/");
        let sql = "SELECT l.key, l.holder, l.until, l.blocked_until FROM claims l WHERE l.key > $1 AND l.key ^@ $2 \
                   ORDER BY l.key LIMIT 1000";
        let mut after = String::new();
        loop {
            let rows = self.query(sql, &[&after, &prefix])?;
            for row in &rows {
                visit(get(row, 0)?, &decode::claim(row, 1)?);
            }
            match rows.last() {
                Some(last) if rows.len() == 1000 => after = get(last, 0)?,
                _ => return Ok(()),
            }
        }
    }

    fn catalog_find(
        &self,
        partition: &Partition,
        query: &CatalogQuery,
        after: Option<&str>,
        most: usize,
    ) -> Stored<Vec<Product>> {
        let catalog = Account::Platform.to_string();
        let Range { from, includes_from, to } = Range::of("product:", scan_bounds("", false, after));
        let most = limit(most);
        let (business, livemode) = (&partition.business, &partition.livemode);
        let rows = match query {
            CatalogQuery::All | CatalogQuery::ProductType(_) => {
                let product_type = match query {
                    CatalogQuery::ProductType(name) => Some(name),
                    _ => None,
                };
                let sql = select_rows!(
                    "r.shown AND r.key >= $4 AND ($5 OR r.key > $4) AND r.key < $6 \
                     AND ($7::text IS NULL OR r.product_type = $7) ORDER BY r.key LIMIT $8"
                );
                self.query_now(sql, &[business, livemode, &catalog, &from, &includes_from, &to, &product_type, &most])?
            }
            CatalogQuery::Name(name) => {
                let target = Reference::Name(name.clone()).to_string();
                let sql = select_rows!(
                    "r.shown AND r.key >= $4 AND ($5 OR r.key > $4) AND r.key < $6 AND r.key IN \
                     (SELECT f.key FROM refs f WHERE f.scope = r.scope AND f.target = $7) ORDER BY r.key LIMIT $8"
                );
                self.query_now(sql, &[business, livemode, &catalog, &from, &includes_from, &to, &target, &most])?
            }
        };
        let products = stored_rows(&rows)?.into_iter().filter_map(|stored| match stored.row {
            Content::Product(row) => Some(row),
            _ => None,
        });
        Ok(products.collect())
    }

    fn catalog_read(&self, partition: &Partition, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>> {
        let of_rows: Vec<Option<RowKey>> = keys.iter().map(CatalogKey::row_key).collect();
        let texts: Vec<String> = of_rows.iter().flatten().map(ToString::to_string).collect();
        if texts.is_empty() {
            return Ok(vec![None; keys.len()]);
        }
        let catalog = Account::Platform.to_string();
        let sql = select_rows!("r.key = ANY ($4)");
        let rows = self.query_now(sql, &[&partition.business, &partition.livemode, &catalog, &texts])?;
        let found = rows
            .iter()
            .map(|row| Ok((get::<String>(row, 0)?, decode::catalog_row(get(row, 0)?, get(row, 2)?, get(row, 3)?)?)));
        let found: HashMap<String, Option<CatalogRow>> = found.collect::<Stored<_>>()?;
        let row = |key: &Option<RowKey>| key.as_ref().and_then(|key| found.get(&key.to_string()).cloned().flatten());
        Ok(of_rows.iter().map(row).collect())
    }

    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>> {
        let sql = select_effects!("e.scope = ", scope!(), " AND e.key = $4 ORDER BY e.seq");
        let account = scope.account.to_string();
        self.effects(&self.query_of(scope, sql, &[&scope.business, &scope.livemode, &account, &key])?)
    }

    fn effects_of(&self, scope: &Scope, after: u64, most: usize) -> Stored<Vec<EffectRow>> {
        let sql = select_effects!("e.scope = ", scope!(), " AND e.seq > $4 ORDER BY e.seq LIMIT $5");
        let account = scope.account.to_string();
        let params = [&scope.business as &(dyn tokio_postgres::types::ToSql + Sync), &scope.livemode, &account];
        self.effects(&self.query(sql, &[params[0], params[1], params[2], &column(after), &limit(most)])?)
    }

    fn effects_due(&self, query: &DueQuery<'_>) -> Stored<Vec<EffectRow>> {
        let DueQuery { partition, now, timers, busy, turns, limit: most } = *query;
        let most = limit(most);
        let Some(turns) = turns else {
            let params: Params<'_> = &[&partition.business, &partition.livemode, &now, &most, &timers, &busy];
            return self.effects(&self.query(effects::DUE, params)?);
        };
        let (searched, turns) = (limit(TURNS_SEARCHED_MAX), limit(turns));
        let params: Params<'_> =
            &[&partition.business, &partition.livemode, &now, &most, &timers, &busy, &searched, &turns];
        self.effects(&self.query(effects::DUE_IN_TURN, params)?)
    }

    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        let sql = select_effects!("e.partition = ", partition!(), " AND e.state = 1 ORDER BY e.seq");
        self.effects(&self.query(sql, &[&partition.business, &partition.livemode])?)
    }

    fn effects_awaited(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        let sql =
            select_effects!("e.partition = ", partition!(), " AND e.state = 2 AND e.token IS NOT NULL ORDER BY e.seq");
        self.effects(&self.query(sql, &[&partition.business, &partition.livemode])?)
    }

    fn effects_open(&self, partition: &Partition, account: Option<&Account>) -> Stored<Vec<EffectRow>> {
        let rows = match account {
            None => {
                let sql = select_effects!("e.partition = ", partition!(), " AND e.state IN (0, 1) ORDER BY e.seq");
                self.query(sql, &[&partition.business, &partition.livemode])?
            }
            Some(account) => {
                let sql = select_effects!("e.scope = ", scope!(), " AND e.state < 2 ORDER BY e.seq");
                self.query(sql, &[&partition.business, &partition.livemode, &account.to_string()])?
            }
        };
        self.effects(&rows)
    }

    fn effects_open_after(&self, partition: &Partition, after: u64, most: usize) -> Stored<Vec<EffectRow>> {
        let sql = select_effects!(
            "e.partition = ",
            partition!(),
            " AND e.state IN (0, 1) AND e.seq > $3 ORDER BY e.seq LIMIT $4"
        );
        self.effects(&self.query(sql, &[&partition.business, &partition.livemode, &column(after), &limit(most)])?)
    }

    fn effect_at(&self, seq: u64) -> Stored<Option<EffectRow>> {
        self.query_one(select_effects!("e.seq = $1"), &[&column(seq)])?.as_ref().map(effects::read).transpose()
    }

    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        let row = self.query_one(effects::NEXT_DUE, &[&partition.business, &partition.livemode, &now])?;
        row.map_or(Ok(None), |row| get(&row, 0))
    }

    fn event(&self, partition: &Partition, source: &str, id: &str) -> Stored<Option<InboxRow>> {
        let is_unknown = |it: &Together| it.is_unknown(partition, source, id);
        if self.together.borrow().as_ref().is_some_and(is_unknown) {
            return Ok(None);
        }
        let sql = select_events!(
            "e.id = $1 AND e.source = $2 AND e.partition = \
             (SELECT p.id FROM partitions p WHERE p.business = $3 AND p.livemode = $4)"
        );
        let row = self.query_one(sql, &[&id, &source, &partition.business, &partition.livemode])?;
        row.as_ref().map(events::read).transpose()
    }

    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>> {
        self.query_one(select_events!("e.seq = $1"), &[&column(seq)])?.as_ref().map(events::read).transpose()
    }

    fn inbox_after(&self, partition: Option<&Partition>, after: u64, most: usize) -> Stored<Vec<InboxRow>> {
        let (after, most, end) = (column(after), limit(most), self.log_end()?);
        let rows = match partition {
            None => {
                let sql = select_events!("e.seq > $1 AND e.seq <= $2 ORDER BY e.seq LIMIT $3");
                self.query(sql, &[&after, &end, &most])?
            }
            Some(partition) => {
                let sql = select_events!(
                    "e.partition = (SELECT p.id FROM partitions p WHERE p.business = $4 AND p.livemode = $5) \
                     AND e.seq > $1 AND e.seq <= $2 ORDER BY e.seq LIMIT $3"
                );
                self.query(sql, &[&after, &end, &most, &partition.business, &partition.livemode])?
            }
        };
        self.events(&rows)
    }

    fn inbox_of(&self, scope: &Scope, after: u64, most: usize) -> Stored<Vec<InboxRow>> {
        let (after, most, end) = (column(after), limit(most), self.log_end()?);
        let sql = select_events!(
            "e.account = $1 AND e.partition = (SELECT p.id FROM partitions p WHERE p.business = $5 AND p.livemode = $6) \
             AND e.seq > $2 AND e.seq <= $3 ORDER BY e.seq LIMIT $4"
        );
        let (partition, account) = (scope.partition(), scope.account.to_string());
        self.events(&self.query(sql, &[&account, &after, &end, &most, &partition.business, &partition.livemode])?)
    }

    fn effect_results_after(&self, after: u64, most: usize) -> Stored<Vec<InboxRow>> {
        let end = self.log_end()?;
        let sql = select_events!("e.source = 'effects' AND e.seq > $1 AND e.seq <= $2 ORDER BY e.seq LIMIT $3");
        self.events(&self.query(sql, &[&column(after), &end, &limit(most)])?)
    }

    fn inbox_newest(&self) -> Stored<u64> {
        let end = self.log_end()?;
        let row = self.query_one("SELECT coalesce(max(e.seq), 0) FROM events e WHERE e.seq <= $1", &[&end])?;
        row.map_or(Ok(0), |row| number(&row, 0))
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

    fn inbox_next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        let sql = concat!(
            "SELECT min(e.at) FROM events e WHERE e.partition = ",
            partition!(),
            " AND e.state < 3 AND e.state = 0 AND e.at > $3"
        );
        let row = self.query_one(sql, &[&partition.business, &partition.livemode, &now])?;
        row.map_or(Ok(None), |row| get(&row, 0))
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        if self.wake_later(keys) {
            return Ok(Vec::new());
        }
        numbers(&self.query("SELECT DISTINCT w.seq FROM waits w WHERE w.key = ANY ($1) ORDER BY w.seq", &[&keys])?)
    }

    fn parked_before(&self, partition: &Partition, before: Timestamp, most: usize) -> Stored<Vec<u64>> {
        self.waiting(partition, json::PARKED, before, most)
    }

    fn deferred_before(&self, partition: &Partition, before: Timestamp, most: usize) -> Stored<Vec<u64>> {
        self.waiting(partition, json::DEFERRED, before, most)
    }

    fn parked_count(&self, partition: &Partition) -> Stored<u64> {
        let sql = concat!(
            "SELECT count(*) FROM events e WHERE e.partition = ",
            partition!(),
            " AND e.state < 3 AND e.state = 1"
        );
        let row = self.query_one(sql, &[&partition.business, &partition.livemode])?;
        row.map_or(Ok(0), |row| number(&row, 0))
    }

    fn dead(&self, partition: &Partition, after: u64, most: usize) -> Stored<Vec<InboxRow>> {
        let sql = select_events!(
            "e.partition = (SELECT p.id FROM partitions p WHERE p.business = $1 AND p.livemode = $2) \
             AND e.state IN (0, 4) AND e.state = $3 AND e.seq > $4 ORDER BY e.seq LIMIT $5"
        );
        let (after, most) = (column(after), limit(most));
        self.events(&self.query(sql, &[&partition.business, &partition.livemode, &json::DEAD, &after, &most])?)
    }

    fn failed(&self, partition: &Partition, after: u64, most: usize) -> Stored<Vec<InboxRow>> {
        let sql = select_events!(
            "e.partition = (SELECT p.id FROM partitions p WHERE p.business = $1 AND p.livemode = $2) \
             AND e.state IN (0, 4) AND e.seq > $3 ORDER BY e.seq LIMIT $4"
        );
        self.events(&self.query(sql, &[&partition.business, &partition.livemode, &column(after), &limit(most)])?)
    }

    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        let sql = "SELECT q.business, q.livemode, s.account FROM scopes s JOIN partitions q ON q.id = s.partition \
                   WHERE $1::text IS NULL OR (q.business = $1 AND q.livemode = $2) \
                   ORDER BY q.business, q.livemode, s.account";
        let (business, livemode) = (partition.map(|it| &it.business), partition.map(|it| it.livemode));
        self.query(sql, &[&business, &livemode])?.iter().map(|row| decode::scope(row, 0)).collect()
    }
}
