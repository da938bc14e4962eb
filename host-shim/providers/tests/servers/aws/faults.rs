//! Injects faults into the requests of creating and deleting a resource; repeating the call must succeed. Each request has a
//! fifth of the faults, and each fault is in a fifth of the requests; with `EXCHANGES=all` each fault is in each request.

use crate::aws::dns::without_certificate;
use crate::aws::support::{
    REQUEST, TestEnv, WithSecrets, buckets, call, databases, distributions, done_in_the_end, held, other, tenant_roles,
};
use counterparts::{Fault, FaultProxy};
use host_provider_api::{Call, CallOutcome, Provider};
use host_providers::aws::Flavor;
use serde_json::json;
use std::time::Duration;

/// Seconds in the `Retry-After` header of a throttling response.
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

/// A fault of this many is injected into a request.
const SAMPLE: usize = 5;

/// Creates and deletes the resource of `ensure` once per sampled fault and request; `direct` inspects the server.
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
                let is_expected = |answer: &CallOutcome| matches!(answer, CallOutcome::Retry { after_ms, code, .. } if *after_ms == expected && code == "throttled");
                assert!(before.iter().any(is_expected), "{number}: {before:?}");
            }
        }
        proxy.seen()
    };
    // On a busy machine a run may have extra attempts. The shortest run has only the necessary requests.
    let plays = (0..3).map(|_| play(0, None));
    let seen = plays.min_by_key(Vec::len).expect("some plays");
    assert!(seen.len() >= 4, "{seen:?}");
    let sample = if std::env::var("EXCHANGES").is_ok_and(|which| which == "all") { 1 } else { SAMPLE };
    let mut round = 0;
    for number in 0..seen.len() {
        for (_, fault) in FAULTS.into_iter().enumerate().filter(|(index, _)| (index + number) % sample == 0) {
            round += 1;
            play(round, Some((number, fault)));
        }
    }
}

#[test]
fn a_function_is_created_and_deleted_despite_each_fault() {
    let env = TestEnv::isolated();
    let direct = WithSecrets::new(env.functions(&env.aws()));
    let through = direct.also(env.functions(&env.with_short_timeouts()));
    let ensure = call("function.ensure", "faults", "i", 1, json!({"tier": "small", "bucket": "files"}));
    every_fault(&env.proxy, &through, &direct, &ensure);
}

#[test]
fn a_function_with_its_own_role_is_created_and_deleted_despite_each_fault() {
    let env = TestEnv::isolated();
    let direct = WithSecrets::new(env.functions_with_roles(&env.aws(), tenant_roles()));
    let through = direct.also(env.functions_with_roles(&env.with_short_timeouts(), tenant_roles()));
    let ensure = call("function.ensure", "faults", "i", 1, json!({"tier": "small"}));
    every_fault(&env.proxy, &through, &direct, &ensure);
}

#[test]
fn a_bucket_is_created_and_deleted_despite_each_fault() {
    let env = TestEnv::isolated();
    let (direct, through) = (buckets(&env.aws(), Flavor::Aws), buckets(&env.with_short_timeouts(), Flavor::Aws));
    let payload = json!({"cors": ["https://app.example"], "writes": "refused"});
    every_fault(&env.proxy, &through, &direct, &call("bucket.ensure", "faults", "i", 1, payload));
}

#[test]
fn a_b2_bucket_with_a_wanted_name_is_created_and_deleted_despite_each_fault() {
    let env = TestEnv::isolated();
    let (direct, through) = (buckets(&env.b2(), Flavor::B2), buckets(&env.b2_with_short_timeouts(), Flavor::B2));
    every_fault(
        &env.proxy,
        &through,
        &direct,
        &call("bucket.ensure", "faults", "i", 1, json!({"name": "wanted-files"})),
    );
}

#[test]
fn a_distribution_is_created_and_deleted_despite_each_fault() {
    let env = TestEnv::isolated();
    let (direct, through) = (distributions(&env.aws()), distributions(&env.with_short_timeouts()));
    let payload = json!({"host": "faults.sites.example", "origin": "https://one.origin.example/"});
    every_fault(&env.proxy, &through, &direct, &call("cdn.ensure", "faults", "i", 1, payload));
}

#[test]
fn a_distribution_with_records_and_a_certificate_is_created_and_deleted_despite_each_fault() {
    let env = TestEnv::isolated();
    let zone = crate::aws::dns::zone(&env, "faults.example");
    let (direct, through) = (without_certificate(&env.aws()), without_certificate(&env.with_short_timeouts()));
    let payload = json!({"host": "a.faults.example", "origin": "https://one.origin.example/", "zone": zone});
    every_fault(&env.proxy, &through, &direct, &call("cdn.ensure", "faults", "i", 1, payload));
}

#[test]
fn a_container_is_created_and_deleted_despite_each_fault() {
    let env = TestEnv::isolated();
    let place = crate::aws::container::place(&env, "faults");
    let direct = place.provider(&env, &env.aws());
    let through = direct.also(place.provider(&env, &env.with_short_timeouts()).provider);
    every_fault(&env.proxy, &through, &direct, &call("function.ensure", "faults", "i", 1, json!({"tier": "ecs"})));
}

#[test]
fn a_database_is_created_and_deleted_despite_each_fault() {
    let env = TestEnv::isolated();
    let direct = WithSecrets::new(databases(&env.aws()));
    let through = direct.also(databases(&env.with_short_timeouts()));
    every_fault(&env.proxy, &through, &direct, &call("database.ensure", "faults", "i", 1, json!({"name": "app"})));
    assert_eq!(direct.secrets.len(), 0, "the passwords of databases that are gone are forgotten");
}
