//! Each request of making and removing a resource goes wrong in each way, and the same call again ends well.

use crate::house::{
    House, REQUEST, WithSecrets, buckets, call, databases, distributions, done_in_the_end, held, other,
};
use counterparts::{Fault, FaultProxy};
use host_aws::Flavor;
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::json;
use std::time::Duration;

/// Seconds in the hint of a server that is asked too much.
const HINT_S: u32 = 7;

const FAULTS: [Fault; 9] = [
    Fault::Refuse,
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::Delay(Duration::from_millis(500 + REQUEST.as_millis() as u64)),
    Fault::Status(429, None),
    Fault::Status(429, Some(HINT_S)),
    Fault::Status(500, None),
    Fault::Status(503, None),
    Fault::Truncate,
];

/// Makes and removes `ensure` once for each fault at each request; `direct` sees what the server holds.
fn every_fault(proxy: &FaultProxy, through: &dyn Provider, direct: &dyn Provider, ensure: &Call) {
    let account = ensure.scope.rsplit(':').next().expect("a scope has an account").to_owned();
    let of = |round: usize| Call { key: format!("i_{round}/thing/ensure"), ..ensure.clone() };
    let play = |round: usize, fault: Option<(usize, Fault)>| {
        proxy.clear();
        if let Some((number, fault)) = fault {
            proxy.fail_nth(number, fault);
        }
        let ensure = of(round);
        let (outputs, mut before) = done_in_the_end(through, &ensure);
        let there = held(direct, &account);
        assert_eq!(there.len(), 1, "{fault:?}: {there:?}");
        assert_eq!(there[0].id, ensure.resource_id());
        let (again, _) = done_in_the_end(direct, &ensure);
        assert_eq!(outputs, again, "{fault:?}");
        let mut destroy = other(&ensure, "destroy", 2);
        destroy.payload["outputs"] = outputs;
        before.extend(done_in_the_end(through, &destroy).1);
        assert_eq!(held(direct, &account), [], "{fault:?}");
        if let Some((number, fault)) = fault {
            assert_eq!(proxy.struck(), 1, "{fault:?} at {number} of {:?}", proxy.seen());
            if let Fault::Status(429, hint) = fault {
                let expected = hint.map(|seconds| i64::from(seconds) * 1000);
                let is_told = |answer: &CallOutcome| matches!(answer, CallOutcome::Retry { after_ms, code, .. } if *after_ms == expected && code == "throttled");
                assert!(before.iter().any(is_told), "{number}: {before:?}");
            }
        }
        proxy.seen()
    };
    // A machine that does something else may need an attempt more; the shortest is what it takes.
    let plays = (0..3).map(|_| play(0, None));
    let seen = plays.min_by_key(Vec::len).expect("some plays");
    assert!(seen.len() >= 4, "{seen:?}");
    let mut round = 0;
    for number in 0..seen.len() {
        for fault in FAULTS {
            round += 1;
            play(round, Some((number, fault)));
        }
    }
}

#[test]
fn a_function() {
    let house = House::alone();
    let direct = WithSecrets::new(house.functions(&house.aws()));
    let through = direct.also(house.functions(&house.hurried()));
    let ensure = call("function.ensure", "faults", "i", 1, json!({"tier": "small", "database": "host:5432"}));
    every_fault(&house.proxy, &through, &direct, &ensure);
}

#[test]
fn a_bucket() {
    let house = House::alone();
    let (direct, through) = (buckets(&house.aws(), Flavor::Aws), buckets(&house.hurried(), Flavor::Aws));
    let payload = json!({"cors": ["https://app.example"], "writes": "refused"});
    every_fault(&house.proxy, &through, &direct, &call("bucket.ensure", "faults", "i", 1, payload));
}

#[test]
fn a_bucket_of_b2_under_a_wanted_name() {
    let house = House::alone();
    let (direct, through) = (buckets(&house.b2(), Flavor::B2), buckets(&house.b2_hurried(), Flavor::B2));
    every_fault(
        &house.proxy,
        &through,
        &direct,
        &call("bucket.ensure", "faults", "i", 1, json!({"name": "wanted-files"})),
    );
}

#[test]
fn a_distribution() {
    let house = House::alone();
    let (direct, through) = (distributions(&house.aws()), distributions(&house.hurried()));
    let payload = json!({"host": "faults.sites.example", "origin": "https://one.origin.example/"});
    every_fault(&house.proxy, &through, &direct, &call("cdn.ensure", "faults", "i", 1, payload));
}

#[test]
fn a_database() {
    let house = House::alone();
    let direct = WithSecrets::new(databases(&house.aws()));
    let through = direct.also(databases(&house.hurried()));
    every_fault(&house.proxy, &through, &direct, &call("database.ensure", "faults", "i", 1, json!({"name": "app"})));
    assert_eq!(direct.kept.len(), 0, "the passwords of databases that are gone are forgotten");
}
