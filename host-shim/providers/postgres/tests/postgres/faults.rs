//! Whatever breaks between the provider and its server, the same call again ends well and there is one database.

use super::support::{Stage, WithSecrets, call, done, ensure};
use counterparts::{Fault, FaultProxy, Protocol};
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;

const CALL: Duration = Duration::from_secs(3);
/// Attempts that one fault may cost: the first one, and those that wait for what it left behind.
const ATTEMPTS: usize = 6;

struct Broken {
    stage: Stage,
    proxy: FaultProxy,
    through: WithSecrets,
}

impl Broken {
    fn start() -> Broken {
        let stage = Stage::with(1);
        let proxy = FaultProxy::start((Ipv4Addr::LOCALHOST, stage.servers[0].port()).into(), Protocol::Plain);
        let through = stage.provider_with(|config| {
            config.servers[0].port = proxy.address().port();
            config.call_timeout = CALL;
        });
        Broken { stage, proxy, through }
    }

    /// How many exchanges a call takes when nothing goes wrong.
    fn exchanges(&self, call: &Call) -> usize {
        self.proxy.clear();
        done(&self.through, call);
        self.proxy.seen().len()
    }

    /// Makes the call until it is done, the first time with a fault; whether that struck.
    fn play(&self, call: &Call, exchange: usize, fault: Fault) -> bool {
        self.proxy.clear();
        self.proxy.fail_nth(exchange, fault);
        let mut said = Vec::new();
        for _ in 0..ATTEMPTS {
            match self.through.call(call) {
                CallOutcome::Done(_) => return self.proxy.struck() > 0,
                retry @ CallOutcome::Retry { .. } => said.push(retry),
                other => panic!("{} {exchange} {fault:?}: {other:?}, after {said:?}", call.kind),
            }
        }
        panic!("{} {exchange} {fault:?}: never done: {said:?}", call.kind);
    }

    /// How many databases and roles of ours the server itself has.
    fn inventory(&self) -> (i64, i64) {
        let asked = "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE 'd\\_%'), \
                     (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'r\\_%')";
        let row = self.stage.admin().query_one(asked, &[]).expect("counted");
        (row.get(0), row.get(1))
    }
}

/// Every exchange with what ends it at once, every sixth with what comes late.
fn matrix(exchanges: usize) -> Vec<(usize, Fault)> {
    let mut out = vec![(0, Fault::Refuse)];
    for exchange in 0..exchanges {
        out.extend([Fault::ResetBefore, Fault::ResetAfter, Fault::Truncate].map(|fault| (exchange, fault)));
        if exchange % 6 == 5 {
            out.push((exchange, Fault::Delay(CALL * 2)));
        }
    }
    out
}

#[test]
fn a_database_is_made_once() {
    let broken = Broken::start();
    let make = |number: usize| call("database.ensure", &format!("inst_{number}/database"), 1, json!({"quota_gb": 1}));
    let exchanges = broken.exchanges(&make(0));
    assert!(exchanges > 10, "{exchanges}");
    let direct = broken.stage.provider();
    done(&direct, &call("database.destroy", "inst_0/database", 2, json!({})));
    let mut struck = 0;
    for (number, (exchange, fault)) in matrix(exchanges).into_iter().enumerate() {
        let make = make(number + 1);
        struck += usize::from(broken.play(&make, exchange, fault));
        let id = format!("inst_{}/database", number + 1);
        assert_eq!(broken.inventory(), (1, 1), "{exchange} {fault:?}");
        let outputs = ensure(&direct, &id, 1);
        broken.stage.tenant(&outputs).batch_execute("CREATE TABLE t (n int)").expect("the tenant comes in and writes");
        assert_eq!(direct.held().expect("a list").len(), 1);
        done(&direct, &call("database.destroy", &id, 2, json!({})));
    }
    // What a connection ends with may go unnoticed.
    assert!(struck >= exchanges * 5 / 2, "{struck} faults of {exchanges} exchanges struck");
}

#[test]
fn a_database_is_suspended_and_taken_away_once() {
    let broken = Broken::start();
    let direct = broken.stage.provider();
    let (suspend, destroy) = (
        |id: &str| call("database.change", id, 2, json!({"state": "suspended", "writes": "refused"})),
        |id: &str| call("database.destroy", id, 3, json!({})),
    );
    ensure(&direct, "inst/database", 1);
    let exchanges = broken.exchanges(&suspend("inst/database"));
    for (exchange, fault) in matrix(exchanges) {
        broken.play(&suspend("inst/database"), exchange, fault);
        assert_eq!(direct.held().expect("a list")[0].state, "suspended");
    }
    let exchanges = broken.exchanges(&destroy("inst/database"));
    let (mut struck, cases) = (0, matrix(exchanges));
    for (number, (exchange, fault)) in cases.iter().enumerate() {
        let id = format!("inst_{number}/database");
        ensure(&direct, &id, 1);
        struck += usize::from(broken.play(&destroy(&id), *exchange, *fault));
        assert_eq!(broken.inventory(), (0, 0), "{exchange} {fault:?}");
        assert!(direct.held().expect("a list").is_empty());
        assert!(
            broken.stage.vault.list().expect("the secrets").is_empty(),
            "{exchange} {fault:?}: the password is left"
        );
    }
    // What a connection ends with may go unnoticed.
    assert!(struck >= exchanges * 5 / 2, "{struck} faults of {exchanges} exchanges struck");
}

#[test]
fn a_backup_and_a_restore_end_well_whatever_breaks() {
    let broken = Broken::start();
    let direct = broken.stage.provider();
    let outputs = ensure(&direct, "inst/database", 1);
    broken
        .stage
        .tenant(&outputs)
        .batch_execute("CREATE TABLE t AS SELECT generate_series(1, 1000) n")
        .expect("written");
    let save = |generation| call("database.backup", "inst/database", generation, json!({}));
    let exchanges = broken.exchanges(&save(2));
    // The dumps themselves are many exchanges; a sample of them breaks.
    for (number, exchange) in (0..exchanges).step_by((exchanges / 12).max(1)).enumerate() {
        for fault in [Fault::ResetBefore, Fault::ResetAfter] {
            let generation = 100 + u32::try_from(number).expect("few") * 2 + u32::from(fault == Fault::ResetAfter);
            broken.play(&save(generation), exchange, fault);
        }
    }
    let saved = done(&direct, &save(2));
    done(&direct, &call("database.destroy", "inst/database", 3, json!({})));
    ensure(&direct, "inst/database", 4);
    let restore = |generation| call("database.restore", "inst/database", generation, json!({"backup": saved}));
    let exchanges = broken.exchanges(&restore(5));
    let mut generation = 6;
    for exchange in (0..exchanges).step_by((exchanges / 12).max(1)) {
        for fault in [Fault::ResetBefore, Fault::ResetAfter] {
            done(&direct, &call("database.destroy", "inst/database", generation, json!({})));
            let outputs = ensure(&direct, "inst/database", generation + 1);
            broken.play(&restore(generation + 2), exchange, fault);
            let mut tenant = broken.stage.tenant(&outputs);
            let sum: i64 = tenant.query_one("SELECT sum(n) FROM t", &[]).expect("the rows").get(0);
            assert_eq!(sum, 500_500, "{exchange} {fault:?}");
            generation += 3;
        }
    }
}
