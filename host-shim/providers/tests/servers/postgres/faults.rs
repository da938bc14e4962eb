//! Injects faults between the provider and its server; repeating the call must succeed, with one database.

use super::support::{Stage, WithSecrets, call, done, ensure};
use counterparts::{Fault, FaultProxy, Protocol};
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;

const CALL: Duration = Duration::from_secs(3);
/// Maximum attempts of a call with a fault: the attempt with the fault, and attempts that wait until the server has
/// ended its session.
const ATTEMPTS: usize = 6;

struct FaultSetup {
    stage: Stage,
    proxy: FaultProxy,
    through: WithSecrets,
}

impl FaultSetup {
    fn start() -> FaultSetup {
        let stage = Stage::with(1);
        let proxy = FaultProxy::start((Ipv4Addr::LOCALHOST, stage.servers[0].port()).into(), Protocol::Plain);
        let through = stage.provider_with(|config| {
            config.servers[0].port = proxy.address().port();
            config.call_timeout = CALL;
        });
        FaultSetup { stage, proxy, through }
    }

    /// Returns the number of exchanges of a call without faults.
    fn exchanges(&self, call: &Call) -> usize {
        self.proxy.clear();
        done(&self.through, call);
        self.proxy.seen().len()
    }

    /// Repeats the call until it is done. The first attempt has a fault. Returns true if the fault struck.
    fn play(&self, call: &Call, exchange: usize, fault: Fault) -> bool {
        self.proxy.clear();
        self.proxy.fail_nth(exchange, fault);
        let mut retries = Vec::new();
        for _ in 0..ATTEMPTS {
            match self.through.call(call) {
                CallOutcome::Done(_) => return self.proxy.struck() > 0,
                retry @ CallOutcome::Retry { .. } => retries.push(retry),
                other => panic!("{} {exchange} {fault:?}: {other:?}, after {retries:?}", call.kind),
            }
        }
        panic!("{} {exchange} {fault:?}: never done: {retries:?}", call.kind);
    }

    /// Counts our databases and roles on the server.
    fn inventory(&self) -> (i64, i64) {
        let query = "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE 'd\\_%'), \
                     (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'r\\_%')";
        let row = self.stage.admin().query_one(query, &[]).expect("counted");
        (row.get(0), row.get(1))
    }
}

/// Combines every exchange with faults that take no time, and every sixth exchange also with a delay.
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
fn a_database_is_created_once() {
    let setup = FaultSetup::start();
    let make = |number: usize| call("database.ensure", &format!("inst_{number}/database"), 1, json!({"quota_gb": 1}));
    let exchanges = setup.exchanges(&make(0));
    assert!(exchanges > 10, "{exchanges}");
    let direct = setup.stage.provider();
    done(&direct, &call("database.destroy", "inst_0/database", 2, json!({})));
    let mut struck = 0;
    for (number, (exchange, fault)) in matrix(exchanges).into_iter().enumerate() {
        let make = make(number + 1);
        struck += usize::from(setup.play(&make, exchange, fault));
        let id = format!("inst_{}/database", number + 1);
        assert_eq!(setup.inventory(), (1, 1), "{exchange} {fault:?}");
        let outputs = ensure(&direct, &id, 1);
        setup.stage.tenant(&outputs).batch_execute("CREATE TABLE t (n int)").expect("the tenant logs in and writes");
        assert_eq!(direct.held().expect("an answer").expect("a list").len(), 1);
        done(&direct, &call("database.destroy", &id, 2, json!({})));
    }
    // A fault at the end of a connection may go unnoticed.
    assert!(struck >= exchanges * 5 / 2, "{struck} faults of {exchanges} exchanges struck");
}

#[test]
fn a_database_is_suspended_and_destroyed_once() {
    let setup = FaultSetup::start();
    let direct = setup.stage.provider();
    let (suspend, destroy) = (
        |id: &str| call("database.change", id, 2, json!({"state": "suspended", "writes": "refused"})),
        |id: &str| call("database.destroy", id, 3, json!({})),
    );
    ensure(&direct, "inst/database", 1);
    let exchanges = setup.exchanges(&suspend("inst/database"));
    for (exchange, fault) in matrix(exchanges) {
        setup.play(&suspend("inst/database"), exchange, fault);
        assert_eq!(direct.held().expect("an answer").expect("a list")[0].state, "suspended");
    }
    let exchanges = setup.exchanges(&destroy("inst/database"));
    let (mut struck, cases) = (0, matrix(exchanges));
    for (number, (exchange, fault)) in cases.iter().enumerate() {
        let id = format!("inst_{number}/database");
        ensure(&direct, &id, 1);
        struck += usize::from(setup.play(&destroy(&id), *exchange, *fault));
        assert_eq!(setup.inventory(), (0, 0), "{exchange} {fault:?}");
        assert!(direct.held().expect("an answer").expect("a list").is_empty());
        assert!(
            setup.stage.vault.list().expect("the secrets").is_empty(),
            "{exchange} {fault:?}: the password is left"
        );
    }
    // A fault at the end of a connection may go unnoticed.
    assert!(struck >= exchanges * 5 / 2, "{struck} faults of {exchanges} exchanges struck");
}

#[test]
fn a_backup_and_a_restore_recover_from_faults() {
    let setup = FaultSetup::start();
    let direct = setup.stage.provider();
    let outputs = ensure(&direct, "inst/database", 1);
    setup.stage.tenant(&outputs).batch_execute("CREATE TABLE t AS SELECT generate_series(1, 1000) n").expect("written");
    let save = |generation| call("database.backup", "inst/database", generation, json!({}));
    let exchanges = setup.exchanges(&save(2));
    // A dump has many exchanges, so only some of them get faults.
    for (number, exchange) in (0..exchanges).step_by((exchanges / 12).max(1)).enumerate() {
        for fault in [Fault::ResetBefore, Fault::ResetAfter] {
            let generation = 100 + u32::try_from(number).expect("few") * 2 + u32::from(fault == Fault::ResetAfter);
            setup.play(&save(generation), exchange, fault);
        }
    }
    let saved = done(&direct, &save(2));
    done(&direct, &call("database.destroy", "inst/database", 3, json!({})));
    ensure(&direct, "inst/database", 4);
    let restore = |generation| call("database.restore", "inst/database", generation, json!({"backup": saved}));
    let exchanges = setup.exchanges(&restore(5));
    let mut generation = 6;
    for exchange in (0..exchanges).step_by((exchanges / 12).max(1)) {
        for fault in [Fault::ResetBefore, Fault::ResetAfter] {
            done(&direct, &call("database.destroy", "inst/database", generation, json!({})));
            let outputs = ensure(&direct, "inst/database", generation + 1);
            setup.play(&restore(generation + 2), exchange, fault);
            let mut tenant = setup.stage.tenant(&outputs);
            let sum: i64 = tenant.query_one("SELECT sum(n) FROM t", &[]).expect("the rows").get(0);
            assert_eq!(sum, 500_500, "{exchange} {fault:?}");
            generation += 3;
        }
    }
}
