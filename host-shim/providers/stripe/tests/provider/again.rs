//! A call that comes again makes nothing twice: at once, after a crash, a day later, and in another generation.

use crate::bench::{Bench, after_a_crash, call};
use crate::cases::CASES;
use host_provider_api::{Call, CallOutcome};
use serde_json::Value;

/// Longer than Stripe knows an idempotency key.
const TWO_DAYS_S: &str = "172800";

/// What of a case bears the marks of a call.
fn made(bench: &Bench, case: &crate::cases::Case, call: &Call) -> Option<usize> {
    let (path, filter) = (case.listed)(&call.payload)?;
    let filter: Vec<_> = filter.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Some(bench.made(&path, &filter, call).len())
}

/// What does not change while time passes.
fn lasting(outputs: &Value) -> Value {
    let mut outputs = outputs.clone();
    if outputs.get("session_id").is_some() {
        // A session that has expired has no page.
        outputs["url"] = Value::Null;
    }
    outputs
}

#[test]
fn the_same_call_again_gives_the_same_and_makes_nothing() {
    for case in &CASES {
        let bench = Bench::start();
        let asked = call(case.kind, (case.payload)(&bench));
        let first = bench.done(&asked);
        assert_eq!(bench.done(&asked), first, "{}", case.kind);
        assert_eq!(bench.done(&after_a_crash(&asked)), first, "{}", case.kind);
        assert!(matches!(made(&bench, case, &asked), None | Some(1)), "{}", case.kind);
    }
}

#[test]
fn it_does_so_when_stripe_has_forgotten_the_key() {
    // A link and a portal's page live for minutes: a new one is made.
    let lasts = |kind: &str| !matches!(kind, "stripe.account.link" | "stripe.portal.create");
    for case in CASES.iter().filter(|case| lasts(case.kind)) {
        let bench = Bench::start();
        let asked = call(case.kind, (case.payload)(&bench));
        let first = bench.done(&asked);
        bench.own("POST", "/_sandbox/clock", &[("advance_by", TWO_DAYS_S)]);
        assert_eq!(lasting(&bench.done(&after_a_crash(&asked))), lasting(&first), "{}", case.kind);
        assert!(matches!(made(&bench, case, &asked), None | Some(1)), "{}", case.kind);
    }
}

#[test]
fn another_key_makes_another() {
    for case in CASES.iter().filter(|case| case.kind.ends_with(".create") && case.kind != "stripe.portal.create") {
        let bench = Bench::start();
        let asked = call(case.kind, (case.payload)(&bench));
        let mut other = asked.clone();
        other.key = format!("{}:2", case.kind);
        assert_ne!(bench.done(&asked), bench.done(&other), "{}", case.kind);
        assert_eq!(made(&bench, case, &other), Some(1), "{}", case.kind);
    }
}

#[test]
fn a_newer_generation_takes_over_what_an_older_one_made() {
    for kind in ["stripe.product.create", "stripe.price.create", "stripe.customer.create"] {
        let case = CASES.iter().find(|case| case.kind == kind).unwrap();
        let bench = Bench::start();
        let asked = call(kind, (case.payload)(&bench));
        let first = bench.done(&asked);
        let newer = Call { generation: 2, ..asked.clone() };
        assert_eq!(bench.done(&newer), first, "{kind}");
        assert_eq!(made(&bench, case, &asked), Some(1), "{kind}");
    }
}

#[test]
fn a_newer_generation_makes_it_if_the_older_one_was_refused() {
    let bench = Bench::start();
    let asked = call(
        "stripe.price.create",
        serde_json::json!({
            "stripe_product_id": "prod_missing", "unit_amount": 500, "currency": "usd",
        }),
    );
    assert!(matches!(bench.call(&asked), CallOutcome::Refused { .. }));
    bench.make("/v1/products", &[("name", "Mini"), ("id", "prod_missing")]);
    assert!(matches!(bench.call(&asked), CallOutcome::Refused { .. }), "Stripe answers a key as it did");
    bench.done(&Call { generation: 2, ..asked });
}

#[test]
fn an_older_generation_is_superseded() {
    for kind in ["stripe.product.create", "stripe.price.create", "stripe.customer.create"] {
        let case = CASES.iter().find(|case| case.kind == kind).unwrap();
        let bench = Bench::start();
        let asked = call(kind, (case.payload)(&bench));
        bench.done(&Call { generation: 2, ..asked.clone() });
        let answer = bench.call(&after_a_crash(&asked));
        assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "superseded"), "{kind}: {answer:?}");
    }
}

#[test]
fn what_somebody_else_made_under_our_id_is_not_taken_over() {
    let bench = Bench::start();
    let case = CASES.iter().find(|case| case.kind == "stripe.product.create").unwrap();
    let asked = call(case.kind, (case.payload)(&bench));
    let id = bench.done(&asked)["id"].as_str().unwrap().to_owned();
    let bench = Bench::start();
    bench.make("/v1/products", &[("name", "Theirs"), ("id", &id)]);
    for asked in [asked.clone(), after_a_crash(&asked)] {
        let answer = bench.call(&asked);
        assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "name-taken"), "{answer:?}");
    }
}
