//! Measures the server on PostgreSQL, with one host and with two on one database.

use super::load::Load;
use super::process::Process;
use super::served::Served;
use super::{CONNECTIONS, STRIPE, Stream, offered, start};
use crate::setting::{Setting, scratch};
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use counterparts::Postgres;
use std::path::Path;

/// Target: decided events per second.
const RATE: f64 = 3000.0;
/// Number of statements that are reported with their times.
const STATEMENTS: usize = 12;

/// The figures, and the server with which other programs are compared.
pub struct OnPostgres {
    /// The server of all measurements.
    pub postgres: Postgres,
    /// The figures of one host.
    pub one: Served,
    /// The figures of two hosts.
    pub two: Served,
}

/// Measures one host, then two.
pub fn measure(
    setting: &Setting,
    server: &Path,
    stream: Stream,
    rounds: usize,
    table: &mut Table,
) -> Result<OnPostgres> {
    // The server runs as its own user, in its own folder.
    let disk = std::path::absolute(&setting.disk)?;
    std::fs::create_dir_all(&disk).with_context(|| disk.display().to_string())?;
    let postgres = Postgres::durable(&disk);
    let one = hosts(setting, server, stream, rounds, &postgres, 1, table)?;
    let two = hosts(setting, server, stream, rounds, &postgres, 2, table)?;
    Ok(OnPostgres { postgres, one, two })
}

fn hosts(
    setting: &Setting,
    server: &Path,
    stream: Stream,
    rounds: usize,
    postgres: &Postgres,
    number: usize,
    table: &mut Table,
) -> Result<Served> {
    let name = format!("hosts_{number}");
    let database = postgres.database(&name);
    postgres.sql(&name, "CREATE EXTENSION pg_stat_statements");
    let folders = (0..number).map(|_| scratch(&setting.disk)).collect::<Result<Vec<_>>>()?;
    // Start the hosts one after the other: the first loads the catalog.
    let hosts = folders.iter().map(|folder| start(setting, server, folder.path(), Some(&database)));
    let hosts = hosts.collect::<Result<Vec<Process>>>()?;
    let addresses: Vec<&str> = hosts.iter().map(|host| host.address.as_str()).collect();
    let ids: Vec<u32> = hosts.iter().map(Process::id).collect();
    let load = Load::new(&addresses, CONNECTIONS)?;
    let served =
        Served::measure(&load, stream, STRIPE, rounds, &ids, Some(postgres.id()), |_| analyze(postgres, &name))?;
    let applied = stream.customers * (rounds + 1);
    let counted = postgres.sql(&name, &format!("SELECT {}", decided()));
    ensure!(counted.trim() == applied.to_string(), "{name}: {} events applied, expected {applied}", counted.trim());
    let words = if number == 1 { "one host" } else { "two hosts" };
    let note = format!(
        "p99 {:.1} ms; processor time for an event: {:.0} us of the server, {:.0} us of PostgreSQL; fsync on",
        served.p99_ms, served.server_us, served.database_us
    );
    table.at_least(&format!("signed webhooks over HTTP, PostgreSQL, {words}"), served.rate, RATE, "/s", &note);
    offered(setting, &format!("PostgreSQL, {words}"), &load, stream, rounds + 1, table)?;
    if served.rate < RATE && !setting.quick {
        eprintln!("PostgreSQL, {words}: calls | ms in all | us each | blocks each | statement");
        eprintln!("{}", statements(postgres, &name, || load.send(stream.requests(STRIPE, rounds + 2)?).map(drop))?);
    }
    Ok(served)
}

/// Updates the planner's table statistics, as autovacuum does within a minute after tables grow.
pub fn analyze(postgres: &Postgres, database: &str) {
    postgres.sql(database, "ANALYZE");
}

/// Counts the applied events of the stream.
fn decided() -> &'static str {
    "count(*) FROM provisioner.events WHERE kind LIKE 'customer.subscription.%' AND outcome::text LIKE '%applied%'"
}

/// Lets the server count statements, including those in functions, while `work` runs. Returns the statements that took the most time, one
/// per line.
fn statements(postgres: &Postgres, database: &str, work: impl FnOnce() -> Result<()>) -> Result<String> {
    // Counting takes time itself, so it is off during the measurement.
    let track = |what: &str| {
        postgres.sql(database, &format!("ALTER SYSTEM SET pg_stat_statements.track = '{what}'"));
        postgres.sql(database, "SELECT pg_reload_conf()");
    };
    track("all");
    postgres.sql(database, "SELECT pg_stat_statements_reset()");
    work()?;
    track("none");
    let query = format!(
        "SELECT calls, round(total_exec_time::numeric), round((1000 * mean_exec_time)::numeric), \
         (shared_blks_hit + shared_blks_read) / calls, left(regexp_replace(query, '\\s+', ' ', 'g'), 150) \
         FROM pg_stat_statements JOIN pg_database ON oid = dbid WHERE datname = current_database() \
         ORDER BY total_exec_time DESC LIMIT {STATEMENTS}"
    );
    Ok(postgres.sql(database, &query))
}
