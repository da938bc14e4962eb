//! Injects each fault into each exchange of each verb; repeating the call must succeed, with one project.

use crate::supabase::bench::{Bench, ORGANIZATION, TOO_LATE, call, change, ensure, inputs, with};
use counterparts::{Fault, Project};
use host_provider_api::{Call, CallOutcome};
use serde_json::{Value, json};

const FAULTS: [Fault; 8] = [
    Fault::Refuse,
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::Delay(TOO_LATE),
    Fault::Status(429, Some(3)),
    Fault::Status(429, None),
    Fault::Status(500, None),
    Fault::Truncate,
];

const REFERENCE: &str = "byhandbyhandbyhandby";

/// Tests one verb: `before` prepares the state and returns the call, and `after` checks the result.
struct Case {
    name: &'static str,
    before: fn(&Bench) -> Call,
    after: fn(&Bench, &Value),
}

const CASES: [Case; 6] = [
    Case {
        name: "ensure",
        before: |_| ensure(),
        after: |bench, outputs| {
            let made = bench.only();
            assert_eq!(
                (outputs["id"].as_str(), made.status.as_str()),
                (Some(made.reference.as_str()), "ACTIVE_HEALTHY")
            );
        },
    },
    Case {
        name: "suspend",
        before: |bench| {
            bench.done(&ensure());
            change(2, "suspended")
        },
        after: |bench, _| assert_eq!(bench.only().status, "INACTIVE"),
    },
    Case {
        name: "wake",
        before: |bench| {
            bench.done(&ensure());
            bench.done(&change(2, "suspended"));
            change(3, "running")
        },
        after: |bench, _| assert_eq!(bench.only().status, "ACTIVE_HEALTHY"),
    },
    Case {
        name: "destroy",
        before: |bench| {
            bench.done(&ensure());
            call("destroy", 2, inputs())
        },
        after: |bench, _| assert!(bench.double.projects().is_empty()),
    },
    Case {
        name: "observe",
        before: |bench| {
            bench.done(&ensure());
            call("observe", 2, inputs())
        },
        after: |bench, outputs| assert_eq!(outputs["outputs"]["id"], bench.only().reference),
    },
    Case {
        name: "adopt",
        before: |bench| {
            bench.double.put(Project::ready(REFERENCE, ORGANIZATION, "Acme by hand"));
            let secret = bench.vault.put("stages/test/user:o1", "told", "by-hand").unwrap().reference;
            let outputs = json!({"endpoint": format!("db.{REFERENCE}.supabase.co"), "secret_ref": secret});
            call("observe", 1, with(inputs(), json!({"adopt": true, "outputs": outputs})))
        },
        after: |bench, outputs| {
            assert_eq!(outputs["outputs"]["id"], REFERENCE);
            assert!(bench.only().name.ends_with(".1a"));
        },
    },
];

/// Prepares a case on a server where all work takes one poll.
fn prepared(case: &Case) -> (Bench, Call) {
    let bench = Bench::start();
    bench.double.set_polls(1);
    let case_call = (case.before)(&bench);
    bench.proxy.clear();
    (bench, case_call)
}

#[test]
fn each_verb_recovers_from_each_fault_at_each_exchange() {
    for case in &CASES {
        let (bench, case_call) = prepared(case);
        bench.done(&case_call);
        let of = bench.proxy.seen().len();
        for exchange in 0..of {
            for fault in FAULTS {
                let shown = format!("{}, exchange {exchange} of {of}, {fault:?}", case.name);
                let (bench, case_call) = prepared(case);
                bench.proxy.fail_nth(exchange, fault);
                let broken = bench.ask(&case_call);
                assert_eq!(bench.proxy.struck(), 1, "{shown}");
                match (&broken, fault) {
                    (CallOutcome::Retry { after_ms: Some(3_000), .. }, Fault::Status(429, Some(3))) => {}
                    (CallOutcome::Retry { after_ms: None, .. }, other) if other != Fault::Status(429, Some(3)) => {}
                    _ => panic!("{shown}: {broken:?}"),
                }
                // A new attempt has no poll token.
                let again = Call { attempt: 2, lease: 2, ..case_call.clone() };
                let outputs = bench.done(&again);
                (case.after)(&bench, &outputs);
                assert_eq!(bench.done(&Call { lease: 3, ..again }), outputs, "{shown}");
                (case.after)(&bench, &outputs);
            }
        }
    }
}
