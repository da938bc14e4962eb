//! Other programs that accept Stripe's webhooks, on the same PostgreSQL server and with the same signed stream. A peer has done its work
//! when every answer was 200 and its tables contain the rows.

mod djstripe;
mod stripe_api;
mod sync_engine;

use super::Stream;
use super::postgres::OnPostgres;
use super::served::Served;
use crate::setting::Setting;
use crate::table::{Compared, Ratio, Table};
use anyhow::{Result, ensure};
use counterparts::Postgres;
use std::path::{Path, PathBuf};

/// Target: ours on PostgreSQL ÷ stripe-sync-engine.
const SYNC_ENGINE: f64 = 1.0;
/// Target: ours on SQLite ÷ stripe-sync-engine.
const SYNC_ENGINE_SQLITE: f64 = 3.0;
/// Target: ours on PostgreSQL ÷ dj-stripe.
const DJSTRIPE: f64 = 100.0;

/// Measures the peers, and adds the table that compares them with ours.
pub fn measure(
    setting: &Setting,
    stream: Stream,
    sqlite: &Served,
    postgres: &OnPostgres,
    table: &mut Table,
) -> Result<()> {
    let ours = "verified, decided, and committed with its state, effects and reply";
    let mut add = |who: &str, served: &Served, targets: [Option<f64>; 2], compared: &str| {
        let ratio = |own: &Served, target| Ratio { measured: own.rate / served.rate, target };
        table.compare(Compared {
            who: who.to_owned(),
            events: served.events,
            rate: served.rate,
            postgres_to_it: ratio(&postgres.one, targets[0]),
            sqlite_to_it: ratio(sqlite, targets[1]),
            p99_ms: served.p99_ms,
            server_us: served.server_us,
            database_us: served.database_us,
            compared: compared.to_owned(),
        });
    };
    add("ours, SQLite", sqlite, [None; 2], &format!("{ours}, in a file without a database server"));
    add("ours, PostgreSQL, one host", &postgres.one, [None; 2], ours);
    add("ours, PostgreSQL, two hosts", &postgres.two, [None; 2], ours);
    let engine = sync_engine::measure(setting, stream, &postgres.postgres)?;
    let compared =
        format!("{} processes of Node: verified, the subscription and its items upserted", sync_engine::WORKERS);
    add(sync_engine::VERSION, &engine, [Some(SYNC_ENGINE), Some(SYNC_ENGINE_SQLITE)], &compared);
    let django = djstripe::measure(setting, stream, &postgres.postgres)?;
    let compared = format!(
        "{} processes of gunicorn: verified, the subscription fetched from an API that this program serves, and stored; the first {} customers",
        djstripe::WORKERS,
        djstripe::customers(setting)
    );
    add(djstripe::VERSION, &django, [Some(DJSTRIPE), None], &compared);
    Ok(())
}

/// Returns the path of a peer's file.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

/// Fails unless the query counts this many rows.
fn counts(postgres: &Postgres, database: &str, table: &str, expected: usize) -> Result<()> {
    let counted = postgres.sql(database, &format!("SELECT count(*) FROM {table}"));
    ensure!(counted.trim() == expected.to_string(), "{table}: {} rows, expected {expected}", counted.trim());
    Ok(())
}
