//! Two servers on one PostgreSQL database: both are killed again and again, PostgreSQL is restarted, and one server's clock is five
//! seconds ahead. Nothing that was acknowledged is lost, and nothing is made twice.
//!
//! The variable `HOST_KILLS` sets the number of kills, half of them of each server.

use super::{CLIENTS, Customers, Running, args, assert_nothing_is_lost, environment, wait_until_quiet};
use crate::run::run_with;
use counterparts::{Postgres, apt};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use test_support::count;

/// Kills, unless the variable `HOST_KILLS` says another number.
const KILLS_DEFAULT: usize = 10;
/// The database is restarted after each so many kills.
const RESTART_EVERY: usize = 5;
/// How far the clock of the second server is ahead.
const AHEAD: &str = "+5s";

/// Two servers with data folders of their own, one database and one folder of resources.
struct Hosts {
    folder: tempfile::TempDir,
    postgres: Postgres,
    database: String,
    /// The library that sets the clock of the second server forward.
    faketime: PathBuf,
}

impl Hosts {
    fn new() -> Hosts {
        let faketime = apt("libfaketime", || {
            let systems = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
            let mut files = systems.map(|system| system.path().join("faketime/libfaketime.so.1"));
            files.find(|file| file.exists())
        });
        let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start());
        let database = postgres.database("hosts");
        let resources = folder.path().join("resources");
        std::fs::create_dir(&resources).expect("a folder");
        for number in 0..2 {
            let data = data(&folder, number);
            std::fs::create_dir(&data).expect("a folder");
            std::os::unix::fs::symlink(&resources, data.join("providers")).expect("a link");
        }
        Hosts { folder, postgres, database, faketime }
    }

    fn data(&self, number: usize) -> PathBuf {
        data(&self.folder, number)
    }

    fn start(&self, number: usize) -> Running {
        let data = self.data(number);
        let server = args("solobase", &data, &["--providers", "local", "--simulate", "--postgres"]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
        command.args(server).envs(environment()).env("DATABASE_URL", &self.database);
        if number == 1 {
            command.env("LD_PRELOAD", &self.faketime).env("FAKETIME", AHEAD).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        Running::spawn(command, &data.with_extension("log"), |_| data.clone())
    }

    /// Copies the store of both servers into a file, as an operator would.
    fn copy(&self, file: &Path) {
        let to = format!("sqlite:{}", file.display());
        let ran = run_with(&["migrate", "--from", &self.database, "--to", &to], b"", &[]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// Waits until no event waits for another attempt: at most 72 s for one that has failed three times.
    fn wait_until_decided(&self) {
        let is_decided = (0..900).any(|_| {
            thread::sleep(Duration::from_millis(100));
            self.sql("SELECT count(*) FROM events WHERE state < 3").trim() == "0"
        });
        assert!(is_decided, "{}", self.sql("SELECT id, state, failures, error FROM events WHERE state < 3"));
    }

    /// Runs SQL in the schema of the store.
    fn sql(&self, statement: &str) -> String {
        let told = self.postgres.sql("hosts", &format!("SET search_path = provisioner; {statement}"));
        told.strip_prefix("SET\n").unwrap_or(&told).to_owned()
    }
}

fn data(folder: &tempfile::TempDir, number: usize) -> PathBuf {
    folder.path().join(format!("host{number}"))
}

#[test]
fn what_two_servers_have_acknowledged_survives_kills_and_nothing_is_made_twice() {
    let mut hosts = Hosts::new();
    let customers = Customers::default();
    let mut servers = [0, 1].map(|number| hosts.start(number));
    for round in 0..count("HOST_KILLS", KILLS_DEFAULT) {
        let victim = round % 2;
        let addresses = [0, 1].map(|number| (servers[number].address.clone(), servers[number].key.clone()));
        thread::scope(|scope| {
            let players = (0..CLIENTS).map(|client| {
                let (address, key) = &addresses[client % 2];
                let customers = &customers;
                scope.spawn(move || customers.play(address, key))
            });
            let players: Vec<_> = players.collect();
            // The moments differ from run to run.
            thread::sleep(Duration::from_millis(60 + (round as u64 * 53) % 240));
            servers[victim].kill_now();
            if round % RESTART_EVERY == RESTART_EVERY - 1 {
                hosts.postgres.restart();
            }
            customers.is_over.store(true, Ordering::Relaxed);
            players.into_iter().for_each(|player| player.join().expect("no panic"));
            customers.is_over.store(false, Ordering::Relaxed);
        });
        servers[victim] = hosts.start(victim);
    }
    hosts.wait_until_decided();
    for server in &servers {
        wait_until_quiet(server);
    }
    servers.into_iter().for_each(Running::stop);

    let acknowledged = customers.acknowledged.into_inner().expect("no panic");
    assert!(acknowledged.0.len() > 20, "{} events", acknowledged.0.len());
    let data = hosts.data(0);
    hosts.copy(&data.join("store.db"));
    assert_nothing_is_lost(&data, &acknowledged);
    // Each order that is stored has its own instance, and each customer one subscription, whoever decided the event.
    let orders =
        hosts.sql("SELECT count(*) FROM events WHERE kind = 'instance.create' AND outcome::text = '\"applied\"'");
    let instances = hosts.sql("SELECT count(*) FROM rows WHERE key LIKE 'product:inst_%'");
    assert_eq!(orders, instances);
    let bought = hosts.sql("SELECT count(*) FROM events WHERE id LIKE 'evt\\_%' AND source = 'stripe'");
    assert_eq!(bought, hosts.sql("SELECT count(*) FROM rows WHERE key LIKE 'subscription:%'"));
    let twice = "SELECT key FROM effects WHERE kind = 'database.ensure' GROUP BY scope, key HAVING count(*) > 1";
    assert_eq!(hosts.sql(twice), "", "no effect has two generations");
    let owners = hosts.sql("SELECT DISTINCT lease_owner FROM effects WHERE lease_owner IS NOT NULL");
    let names: BTreeSet<String> = [0, 1].map(|number| read(&hosts.data(number).join("host"))).into();
    let owners: BTreeSet<String> = owners.lines().map(str::to_owned).collect();
    assert!(owners.is_subset(&names) && names.len() == 2, "{owners:?} {names:?}");
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).expect("a file").trim().to_owned()
}
