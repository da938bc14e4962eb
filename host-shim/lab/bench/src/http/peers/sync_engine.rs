//! stripe-sync-engine, Supabase's library, with a Node HTTP server around its handler.

use super::{counts, file};
use crate::http::load::Load;
use crate::http::postgres::analyze;
use crate::http::served::Served;
use crate::http::{CONNECTIONS, SECRET, Stream};
use crate::setting::Setting;
use anyhow::Result;
use counterparts::{Postgres, Server, stripe_node};
use std::process::Command;

/// Name and version for the report.
pub const VERSION: &str = "stripe-sync-engine 0.48.5";
/// Number of processes, each with one thread and a connection pool.
pub const WORKERS: usize = 2;
/// Name of its database.
const DATABASE: &str = "sync_engine";

/// Measures stripe-sync-engine, and installs it if needed. If that fails, panics with the command that installs it.
pub fn measure(setting: &Setting, stream: Stream, postgres: &Postgres) -> Result<Served> {
    let (home, database) = (stripe_node(), postgres.database(DATABASE));
    let server = Server::start(|port, _| {
        let mut command = Command::new("node");
        command.env("NODE_CLIENTS", home).arg(file("sync-engine.mjs"));
        command.arg(database).arg(SECRET).args([port.to_string(), WORKERS.to_string()]);
        command
    });
    let address = server.address().to_string();
    let load = Load::new(&[&address], CONNECTIONS)?;
    let rounds = setting.pick(4, 2);
    let (servers, id) = ([server.id()], Some(postgres.id()));
    let served = Served::measure(&load, stream, "/webhooks", rounds, &servers, id, |_| analyze(postgres, DATABASE))?;
    counts(postgres, DATABASE, "stripe.subscriptions", stream.customers)?;
    counts(postgres, DATABASE, "stripe.subscription_items", stream.customers)?;
    // Check that each customer's last event has reached the row, not only the first.
    let last = stream.start_s + i64::try_from(rounds)?;
    let newest = format!("stripe.subscriptions WHERE last_synced_at = to_timestamp({last})");
    counts(postgres, DATABASE, &newest, stream.customers)?;
    Ok(served)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_version_is_the_installed_one() {
        let pins = include_str!("../../../../../../local-stripe/clients/package.json");
        let version = VERSION.rsplit(' ').next().expect("a value");
        assert!(pins.contains(&format!("\"@supabase/stripe-sync-engine\": \"{version}\"")), "{pins}");
    }
}
