//! Durable events a second of the SQLite store, beside a bare program that writes the same rows in the same batches.
//!
//! `cargo run --release -p host-store --example throughput --features testing -- FOLDER [EVENTS] [BATCH]`

use host_store::testing::samples;
use host_store::{Access, Context, Declared, InboxState, Inserted, MemoryStore, SqliteStore, Store, Transaction};
use products_contract::{Declarations, EffectDecl, Imports, Payload, RecordKey, RecordWrite, RetryPolicy};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BODY_BYTES: usize = 8 * 1024;
const ACCOUNTS: u64 = 1000;

fn declared() -> Arc<Declared> {
    let retry = RetryPolicy { max_attempts: 3, first_delay_ms: 100, max_delay_ms: 1000 };
    let declarations = Declarations {
        name: "bench".into(),
        version: "0.1.0".into(),
        data_version: 1,
        product_types: Vec::new(),
        collections: vec!["ledger".into()],
        provider_kinds: Vec::new(),
        commands: Vec::new(),
        effects: vec![EffectDecl {
            kind: "mail.send".into(),
            payload_schema: "{}".into(),
            result_schema: "{}".into(),
            retry,
        }],
        config: Vec::new(),
    };
    Arc::new(Declared::new(&declarations, &Default::default()).expect("no configuration"))
}

/// What a paid invoice does: two reads, a subscription, a ledger entry, a fact, an effect.
fn handle(tx: &mut Transaction, n: u64) {
    let subscription = format!("sub_{}", n % ACCOUNTS);
    let loaded = tx.subscriptions_load(std::slice::from_ref(&subscription)).expect("read").remove(0);
    tx.prices_load(&["price_pro".to_owned()]).expect("read");
    tx.facts_note(&[format!("paid:in_{n}")]).expect("noted");
    let mut values = samples::subscription("").values;
    values.snapshot.at = n as i64;
    tx.subscription_save(&subscription, loaded.map_or(0, |row| row.version), &values).expect("saved");
    let key = RecordKey { collection: "ledger".into(), id: format!("usd/{n:012}") };
    let value = "{\"debit\":\"cash:stripe\",\"credit\":\"revenue\",\"amount_minor\":2900,\"currency\":\"usd\"}";
    tx.records_save(&[RecordWrite { key, expected: 0, value: Some(value.into()) }]).expect("saved");
    let mut effect = samples::effect("mail.send", &format!("mail:in_{n}"));
    effect.payload = "{\"template\":\"receipt\",\"to\":\"account\"}".into();
    tx.effects_enqueue(&[effect]).expect("asked");
}

/// Accept and run events in groups; returns the store, the time, and the part of it within transactions.
fn run(mut store: Box<dyn Store>, events: u64, batch: u64) -> (Duration, Duration) {
    let declared = declared();
    let body = format!("{{\"object\":\"{}\"}}", "x".repeat(BODY_BYTES - 13)).into_bytes();
    let begun = Instant::now();
    let mut inside = Duration::ZERO;
    for n in 1..=events {
        if n % batch == 1 || batch == 1 {
            store.begin().expect("begun");
        }
        let mut row = samples::inbox_row(&format!("evt_{n}"));
        row.event.payload = Payload::Provider(body.clone());
        let Ok(Inserted::New(seq)) = store.accept(&row) else { panic!("not accepted") };
        let context = Context {
            scope: samples::scope(&format!("user:{}", n % ACCOUNTS)),
            event_id: row.event.id,
            connected_account: None,
            now: n as i64,
            access: Access::Full,
            call_limit: 1000,
            declared: declared.clone(),
        };
        let at = Instant::now();
        let mut tx = Transaction::begin(store, context);
        handle(&mut tx, n);
        let (back, mut changes, _) = tx.finish();
        inside += at.elapsed();
        store = back;
        changes.inbox = Some(samples::inbox_change(seq, InboxState::Done));
        store.apply(&changes).expect("applied");
        if n % batch == 0 || n == events {
            store.commit().expect("committed");
        }
    }
    (begun.elapsed(), inside)
}

/// The rows that the store has written, written again by plain statements in the same batches.
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
    let read = |table: &str| -> (String, Vec<Row>) {
        let mut statement = source.prepare(&format!("SELECT * FROM {table}")).expect("prepared");
        let columns = statement.column_count();
        let marks = vec!["?"; columns].join(",");
        let rows = statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect()).expect("read");
        let rows = rows.map(|row| row.expect("a row")).collect();
        (format!("INSERT OR REPLACE INTO {table} VALUES ({marks})"), rows)
    };
    let events = read("events");
    let inbox = read("inbox");
    let facts = read("facts");
    let records = read("records");
    let effects = read("effects");
    let subscriptions = read("subscriptions");
    let tables = [&events, &inbox, &facts, &records, &effects, &subscriptions];
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

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = std::path::PathBuf::from(arguments.next().expect("a folder to write to"));
    let events: u64 = arguments.next().map_or(20_000, |text| text.parse().expect("a number of events"));
    let batch: u64 = arguments.next().map_or(64, |text| text.parse().expect("a batch"));
    let rate = |time: Duration| (events as f64 / time.as_secs_f64()) as u64;
    let each = |time: Duration| time.as_nanos() as f64 / 1000.0 / events as f64;

    let (total, inside) = run(Box::new(MemoryStore::new()), events, batch);
    println!(
        "memory: {} events/s, {:.2} us an event, {:.2} us of it in the transaction",
        rate(total),
        each(total),
        each(inside)
    );
    let path = folder.join("store.db");
    let (total, inside) = run(Box::new(SqliteStore::open(&path).expect("opened")), events, batch);
    println!(
        "sqlite: {} events/s, {:.2} us an event, {:.2} us of it in the transaction",
        rate(total),
        each(total),
        each(inside)
    );
    let bare = bare(&path, &folder.join("bare.db"), batch);
    println!(
        "bare:   {} events/s, {:.2} us an event; ratio {:.2}",
        rate(bare),
        each(bare),
        bare.as_secs_f64() / total.as_secs_f64()
    );
}
