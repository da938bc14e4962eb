//! Measures durable events per second of the SQLite store, compared with plain statements for the same rows and
//! batches.
//!
//! `cargo run --release -p host-store --example throughput --features testing -- FOLDER [EVENTS] [BATCH]`

use extension_contract::{CatalogKey, Outcome, Payload, Reference, Row, RowKey, RowKind, Selection};
use host_store::testing::samples;
use host_store::{
    Applied, Changes, Expected, InboxProgress, InboxState, MemoryStore, Provenance, RowWrite, Run, SqliteStore, Store,
};
use std::time::{Duration, Instant};

const BODY_BYTES: usize = 400;
const ACCOUNTS: u64 = 1000;

/// Returns the changes of a paid invoice: a live subscription, a ledger entry, a fact, an effect, and the event in its
/// final state. Reads the account once.
fn decide(store: &dyn Store, n: u64, body: &[u8]) -> Changes {
    let scope = samples::scope(&format!("user:{}", n % ACCOUNTS));
    let key = RowKey::Subscription(format!("sub_{}", n % ACCOUNTS));
    let price = Reference::Catalog(CatalogKey::Price("price_pro".into()));
    let fact = format!("paid:in_{n}");
    let named = [Reference::Row(key.clone()), price.clone()];
    let opened = store.open(&scope, &named, std::slice::from_ref(&fact)).expect("read");
    let mut subscription = samples::subscription(key.id());
    subscription.values.snapshot.at = n as i64;
    for stored in opened.rows {
        if let Row::Subscription(row) = stored.row {
            subscription.version = row.version + 1;
        }
    }
    let entry = "{\"debit\":\"cash:stripe\",\"credit\":\"revenue\",\"amount_minor\":2900,\"currency\":\"usd\"}";
    let entry = samples::write(Row::Record(samples::record("ledger", &format!("usd/{n:012}"), entry)));
    let mut effect = samples::effect("mail.send", &format!("mail:in_{n}"));
    effect.payload = "{\"template\":\"receipt\",\"to\":\"account\"}".into();
    let mut new = samples::new_event(&format!("evt_{n}"));
    std::sync::Arc::make_mut(&mut new.event).payload = Payload::Payment(body.to_vec());
    new.progress = InboxProgress {
        account: Some(scope.account.clone()),
        outcome: Some(Outcome::Applied),
        run: Some(Run {
            at: n as i64,
            outcome: Some(Outcome::Applied),
            error: None,
            provenance: Some(Provenance { catalog_hash: "5a".repeat(32), ..Provenance::default() }),
        }),
        ..samples::progress(InboxState::Done)
    };
    let mut changes = samples::changes(&scope, &new.event.id);
    changes.rows = vec![
        RowWrite { references: vec![price], ..samples::write(Row::Subscription(subscription)) },
        RowWrite { live: false, ..entry },
    ];
    changes.facts.insert(fact);
    changes.effects.push(samples::insert(samples::queued(&scope, effect, n as i64)));
    changes.inbox = samples::accepted(new).inbox;
    changes.expected = Expected {
        account_revision: Some(opened.account_revision),
        catalog_revision: Some(opened.catalog_revision),
        claims: Vec::new(),
        ..Expected::default()
    };
    changes
}

/// Decides and applies events in groups; returns the total time and the part spent on decisions.
fn run(store: &mut dyn Store, events: u64, batch: u64) -> (Duration, Duration) {
    let body = format!("{{\"object\":\"{}\"}}", "x".repeat(BODY_BYTES - 13)).into_bytes();
    let mut catalog = samples::changes(&samples::scope("platform"), "catalog");
    let price = samples::write(Row::Price(samples::price("price_pro")));
    catalog.rows.push(RowWrite { live: false, ..price });
    store.apply(&catalog).expect("applied");
    let begun = Instant::now();
    let mut deciding = Duration::ZERO;
    for n in 1..=events {
        if n % batch == 1 || batch == 1 {
            store.begin().expect("begun");
        }
        let at = Instant::now();
        let changes = decide(store, n, &body);
        deciding += at.elapsed();
        assert!(matches!(store.apply(&changes), Ok(Applied::Done { seq: Some(_) })));
        if n % batch == 0 || n == events {
            store.commit().expect("committed");
        }
    }
    (begun.elapsed(), deciding)
}

/// Writes the store's rows again with plain statements in the same batches; returns the time.
fn bare(from: &std::path::Path, to: &std::path::Path, batch: u64) -> Duration {
    let source = rusqlite::Connection::open(from).expect("opened");
    let target = rusqlite::Connection::open(to).expect("opened");
    let mut schema = source
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND type <> 'trigger' ORDER BY rowid")
        .expect("prepared");
    let statements: Vec<String> =
        schema.query_map([], |row| row.get(0)).expect("read").map(|sql| sql.expect("text")).collect();
    target.execute_batch(&statements.join(";")).expect("made");
    for (name, value) in [("journal_mode", "WAL"), ("synchronous", "FULL"), ("wal_autocheckpoint", "4096")] {
        target
            .pragma_update_and_check(None, name, value, |_| Ok(()))
            .or_else(|_| target.pragma_update(None, name, value))
            .expect("set");
    }
    target.pragma_update(None, "cache_size", -16384).expect("set");
    type Row = Vec<rusqlite::types::Value>;
    // Reads the rows in their original order, which determines how many pages a batch touches.
    let read = |table: &str, only: &str, order: &str| -> (String, Vec<Row>) {
        let sql = format!("SELECT * FROM {table} WHERE {only} ORDER BY {order}");
        let mut statement = source.prepare(&sql).expect("prepared");
        let columns = statement.column_count();
        let marks = vec!["?"; columns].join(",");
        let rows = statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect()).expect("read");
        let rows = rows.map(|row| row.expect("a row")).collect();
        (format!("INSERT OR REPLACE INTO {table} VALUES ({marks})"), rows)
    };
    let events = read("events", "true", "seq");
    let bodies = read("event_texts", "true", "seq");
    let facts = read("facts", "true", "CAST(substr(event_id, 5) AS INTEGER)");
    let records = read("rows", "key LIKE 'record:%'", "key");
    let effects = read("effects", "true", "seq");
    let texts = read("effect_texts", "true", "seq");
    let subscriptions = read("rows", "key LIKE 'subscription:%'", "CAST(substr(key, 18) AS INTEGER)");
    let scopes = read("scopes", "account <> 'platform'", "CAST(substr(account, 6) AS INTEGER)");
    let tables = [&events, &bodies, &facts, &records, &effects, &texts, &subscriptions, &scopes];
    let begun = Instant::now();
    for n in 0..events.1.len() {
        if (n as u64).is_multiple_of(batch) {
            target.execute_batch("BEGIN IMMEDIATE").expect("begun");
        }
        for (sql, rows) in tables {
            let row = &rows[n % rows.len()];
            target.prepare_cached(sql).expect("prepared").execute(rusqlite::params_from_iter(row)).expect("written");
        }
        if (n as u64 + 1).is_multiple_of(batch) || n + 1 == events.1.len() {
            target.execute_batch("COMMIT").expect("committed");
        }
    }
    begun.elapsed()
}

/// Measures an account with `count` rows that are not live: microseconds per event that reads and writes two other
/// rows, and per query for a hundred outdated rows.
fn with_rows(store: &mut dyn Store, count: usize) -> (f64, f64) {
    const EVENTS: u64 = 2000;
    let scope = samples::scope("user:0");
    let mut changes = samples::changes(&scope, "rows");
    for n in 0..count {
        let row =
            samples::write(Row::Record(samples::record("instances", &format!("{n:06}"), "{\"status\":\"running\"}")));
        changes.rows.push(RowWrite { live: false, fingerprint: Some("old".into()), ..row });
    }
    store.apply(&changes).expect("applied");
    store.begin().expect("begun");
    let begun = Instant::now();
    for n in 1..=EVENTS {
        let changes = decide(store, n * ACCOUNTS, b"{}");
        assert!(matches!(store.apply(&changes), Ok(Applied::Done { seq: Some(_) })));
    }
    let event = begun.elapsed();
    let outdated = Selection::Outdated(RowKind::Record("instances".into()), "new".into());
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(store.more(&scope, &outdated, 100).expect("read").len(), count.min(100));
    }
    let query = begun.elapsed();
    store.rollback().expect("rolled back");
    (micros(event) / EVENTS as f64, micros(query) / 100.0)
}

fn main() {
    let kind = std::env::args().nth(1).unwrap();
    let n: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let mut store: Box<dyn Store> = if kind == "memory" { Box::new(MemoryStore::new()) } else { Box::new(SqliteStore::open_in_memory().unwrap()) };
    let _ = (run(&mut *store, n, 1), bare as fn(&std::path::Path, &std::path::Path, u64) -> Duration, with_rows as fn(&mut dyn Store, usize) -> (f64, f64));
}
fn micros(time: Duration) -> f64 { time.as_nanos() as f64 / 1000.0 }
