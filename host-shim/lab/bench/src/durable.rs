//! Measures durable events per second, and compares them with a bare program that writes the same rows in the same
//! batches to the same disk.

use crate::corpus;
use crate::setting::{BATCH, Extension, Setting, median, scratch};
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use host_store::SqliteStore;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::path::Path;
use std::time::{Duration, Instant};

mod deciding;

pub use deciding::measure as deciding;

/// The rows that each event writes: table, SQL condition of the rows, and kind of write.
const TABLES: [(&str, &str, Written); 4] = [
    ("events", "kind = 'customer.subscription.updated'", Written::Inserted),
    ("event_texts", "seq IN (SELECT seq FROM events WHERE kind = 'customer.subscription.updated')", Written::Inserted),
    ("scopes", "account <> 'platform'", Written::Raised("revision")),
    ("rows", "key LIKE 'subscription:%'", Written::Replaced),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Each event inserts a row.
    Inserted,
    /// Each event replaces all columns of its customer's row except the key.
    Replaced,
    /// Each event updates this column of its customer's row.
    Raised(&'static str),
}

type Row = Vec<Value>;

/// Measures the host and the bare program in turn.
pub fn measure(setting: &Setting, table: &mut Table) -> Result<()> {
    let customers = setting.pick(1000, 500);
    let rounds = setting.pick(20, 6);
    let (mut ours, mut bare, mut library) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting.pick(5, 3) {
        ours.push(run(setting, Extension::Reused, customers, rounds, Some(&mut bare))?);
        library.push(run(setting, Extension::Native, customers, rounds, None)?);
    }
    let (ours, bare, library) = (median(&mut ours), median(&mut bare), median(&mut library));
    let note = format!(
        "{ours:.0} of {bare:.0} events/s, {BATCH} a commit, synchronous=FULL, {} B; library {:.0} %",
        corpus::body_bytes(),
        100.0 * library / bare
    );
    table.at_least("durable events, SQLite / bare rusqlite", 100.0 * ours / bare, 70.0, "%", &note);
    Ok(())
}

/// Returns the events per second of the host. Pushes the events per second of the bare program to `bare`.
fn run(
    setting: &Setting,
    extension: Extension,
    customers: usize,
    rounds: usize,
    bare: Option<&mut Vec<f64>>,
) -> Result<f64> {
    let folder = scratch(&setting.disk)?;
    let (path, prepared) = (folder.path().join("host.db"), folder.path().join("bare.db"));
    let mut host = setting.host(setting.runners(extension), Box::new(SqliteStore::open(&path)?))?;
    corpus::subscribe(host.processor_mut(), 0..customers)?;
    Connection::open(&path)?.execute("VACUUM INTO ?1", [prepared.to_string_lossy()])?;
    let mut time = Duration::ZERO;
    for round in 1..=rounds {
        let events = (0..customers).map(|customer| corpus::updated(customer, round)).collect::<Result<Vec<_>>>()?;
        let begun = Instant::now();
        corpus::accept(host.processor_mut(), events)?;
        time += begun.elapsed();
    }
    drop(host);
    let events = customers * rounds;
    if let Some(bare) = bare {
        bare.push(events as f64 / write_bare(&path, &prepared, events)?.as_secs_f64());
    }
    Ok(events as f64 / time.as_secs_f64())
}

/// Writes the host's rows with plain SQL statements from database `from` to `to`, a copy of the database before the
/// events. Returns the duration.
fn write_bare(from: &Path, to: &Path, events: usize) -> Result<Duration> {
    let (source, target) = (Connection::open(from)?, Connection::open(to)?);
    target.set_prepared_statement_cache_capacity(16);
    target.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    for (name, value) in [("synchronous", "FULL"), ("cache_size", "-16384"), ("temp_store", "MEMORY")] {
        target.pragma_update(None, name, value)?;
    }
    target.pragma_update_and_check(None, "wal_autocheckpoint", 4096, |_| Ok(()))?;
    let tables = TABLES
        .iter()
        .map(|(name, rows, written)| {
            let (sql, rows) = read(&source, name, rows, *written)?;
            ensure!(*written != Written::Inserted || rows.len() == events, "{name} has {} new rows", rows.len());
            ensure!(!rows.is_empty(), "{name} has no rows");
            Ok((sql, rows))
        })
        .collect::<Result<Vec<(String, Vec<Row>)>>>()?;
    let begun = Instant::now();
    for n in 0..events {
        if n % BATCH == 0 {
            target.execute_batch("BEGIN IMMEDIATE")?;
        }
        for (sql, rows) in &tables {
            target.prepare_cached(sql)?.execute(params_from_iter(&rows[n % rows.len()]))?;
        }
        if (n + 1) % BATCH == 0 || n + 1 == events {
            target.execute_batch("COMMIT")?;
        }
    }
    Ok(begun.elapsed())
}

/// Returns the SQL statement that writes one row of a table, and the rows.
fn read(source: &Connection, table: &str, rows: &str, written: Written) -> Result<(String, Vec<Row>)> {
    let mut select = source.prepare(&format!("SELECT * FROM {table} WHERE {rows}"))?;
    let columns = select.column_count();
    let found = select.query_map([], |row| (0..columns).map(|at| row.get(at)).collect())?;
    let found = found.collect::<Result<Vec<Row>, _>>().with_context(|| format!("cannot read {table}"))?;
    let changed = match written {
        Written::Inserted => Vec::new(),
        Written::Raised(column) => vec![column.to_owned()],
        Written::Replaced => {
            let mut names = source.prepare("SELECT name FROM pragma_table_info(?1) WHERE pk = 0")?;
            names.query_map([table], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?
        }
    };
    let set: Vec<String> = changed.iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let or_update =
        if set.is_empty() { String::new() } else { format!(" ON CONFLICT DO UPDATE SET {}", set.join(", ")) };
    Ok((format!("INSERT INTO {table} VALUES ({}){or_update}", vec!["?"; columns].join(",")), found))
}
