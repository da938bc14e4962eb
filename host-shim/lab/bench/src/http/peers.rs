//! Other programs that take Stripe's webhooks, on the same PostgreSQL server and with the same signed stream. A peer has done its
//! work when every answer was 200 and its tables have the rows.

mod djstripe;
mod stripe_api;
mod sync_engine;

use super::Stream;
use super::postgres::OnPostgres;
use super::served::Served;
use crate::setting::Setting;
use crate::table::{Compared, Table};
use anyhow::{Result, ensure};
use counterparts::Postgres;
use std::path::{Path, PathBuf};

/// Ours on PostgreSQL ÷ stripe-sync-engine, to reach.
const SYNC_ENGINE: f64 = 1.0;
/// Ours on SQLite ÷ stripe-sync-engine, to reach.
const SYNC_ENGINE_SQLITE: f64 = 3.0;
/// Ours on PostgreSQL ÷ dj-stripe, to reach.
const DJSTRIPE: f64 = 100.0;

/// Measures the peers, and adds the table that compares them.
pub fn measure(
    setting: &Setting,
    stream: Stream,
    sqlite: &Served,
    postgres: &OnPostgres,
    table: &mut Table,
) -> Result<()> {
    let ours = "verified, decided and committed with its effects, state and reply";
    let mut add = |who: &str, served: &Served, target: Option<(f64, f64)>, compared: &str| {
        table.compare(Compared {
            who: who.to_owned(),
            events: served.events,
            rate: served.rate,
            // Of ours on PostgreSQL with one host, unless the row is another of ours.
            ours_to_it: postgres.one.rate / served.rate,
            target: target.map(|(least, _)| format!(">= {least}")),
            reached: target.map(|(least, measured)| measured >= least),
            p99_ms: served.p99_ms,
            server_us: served.server_us,
            database_us: served.database_us,
            compared: compared.to_owned(),
        });
    };
    add("ours, PostgreSQL, one host", &postgres.one, None, ours);
    add("ours, PostgreSQL, two hosts", &postgres.two, None, ours);
    let engine = sync_engine::measure(setting, stream, &postgres.postgres)?;
    let to_sqlite = sqlite.rate / engine.rate;
    add(
        "ours, SQLite",
        sqlite,
        Some((SYNC_ENGINE_SQLITE, to_sqlite)),
        &format!("{ours}; in a file, without a database server: {to_sqlite:.2} x stripe-sync-engine"),
    );
    let words = format!(
        "{}, {} processes of Node: verified, the subscription and its items upserted",
        sync_engine::VERSION,
        sync_engine::WORKERS
    );
    add("stripe-sync-engine", &engine, Some((SYNC_ENGINE, postgres.one.rate / engine.rate)), &words);
    let django = djstripe::measure(setting, stream, &postgres.postgres)?;
    let words = format!(
        "{}, gunicorn with {} workers: verified, the subscription fetched from a Stripe API of this program and stored; the first {} customers",
        djstripe::VERSION,
        djstripe::WORKERS,
        djstripe::customers(setting)
    );
    add("dj-stripe", &django, Some((DJSTRIPE, postgres.one.rate / django.rate)), &words);
    Ok(())
}

/// Returns the path of a peer's file.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

/// Fails unless a query counts this many rows.
fn counts(postgres: &Postgres, database: &str, table: &str, expected: usize) -> Result<()> {
    let counted = postgres.sql(database, &format!("SELECT count(*) FROM {table}"));
    ensure!(counted.trim() == expected.to_string(), "{table}: {} rows, expected {expected}", counted.trim());
    Ok(())
}
