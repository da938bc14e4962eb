//! Tests that repeated calls create no second object: calls repeated at once, after a crash, days later, and in another
//! generation.

use crate::stripe::bench::{Bench, after_a_crash, call};
use crate::stripe::cases::CASES;
use host_provider_api::{Call, CallOutcome};
use serde_json::Value;

/// Longer than Stripe keeps idempotency keys.
const TWO_DAYS_S: &str = "172800";

/// Kinds of created objects that Stripe has no list of.
const UNLISTED: [&str; 2] = ["stripe.meter_event.create", "stripe.portal.create"];

/// Counts the objects in the case's list that the call created.
fn made(bench: &Bench, case: &crate::stripe::cases::Case, call: &Call) -> Option<usize> {
    let (path, filter) = (case.listed)(&call.payload)?;
    let filter: Vec<_> = filter.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Some(bench.made(&path, &filter, call).len())
}

/// Removes outputs that change over time.
fn lasting(outputs: &Value) -> Value {
    let mut outputs = outputs.clone();
    if outputs.get("session_id").is_some() {
        // The URL of an expired session is null.
        outputs["url"] = Value::Null;
    }
    outputs
}

#[test]
fn a_repeated_call_returns_the_same_outputs_and_creates_nothing() {
    for case in &CASES {
        let bench = Bench::start();
        let request = call(case.kind, (case.payload)(&bench));
        let first = bench.done(&request);
        assert_eq!(bench.done(&request), first, "{}", case.kind);
        assert_eq!(bench.done(&after_a_crash(&request)), first, "{}", case.kind);
        assert!(matches!(made(&bench, case, &request), None | Some(1)), "{}", case.kind);
    }
}

#[test]
fn a_repeated_call_creates_nothing_after_stripe_has_forgotten_the_key() {
    // Account links and portal sessions expire within minutes, so repeated calls create new ones.
    let lasts = |kind: &str| !matches!(kind, "stripe.account.link" | "stripe.portal.create");
    for case in CASES.iter().filter(|case| lasts(case.kind)) {
        let bench = Bench::start();
        let request = call(case.kind, (case.payload)(&bench));
        let first = bench.done(&request);
        bench.direct("POST", "/_sandbox/clock", &[("advance_by", TWO_DAYS_S)]);
        assert_eq!(lasting(&bench.done(&after_a_crash(&request))), lasting(&first), "{}", case.kind);
        assert!(matches!(made(&bench, case, &request), None | Some(1)), "{}", case.kind);
    }
}

#[test]
fn another_key_creates_another_object() {
    for case in CASES.iter().filter(|case| case.kind.ends_with(".create")) {
        let bench = Bench::start();
        let request = call(case.kind, (case.payload)(&bench));
        let mut other = request.clone();
        other.key = format!("{}:2", case.kind);
        assert_ne!(bench.done(&request), bench.done(&other), "{}", case.kind);
        let listed = !UNLISTED.contains(&case.kind);
        assert_eq!(made(&bench, case, &other), listed.then_some(1), "{}", case.kind);
    }
}

#[test]
fn a_newer_generation_reuses_the_object_of_an_older_generation() {
    for kind in ["stripe.product.create", "stripe.price.create", "stripe.customer.create"] {
        let case = CASES.iter().find(|case| case.kind == kind).unwrap();
        let bench = Bench::start();
        let request = call(kind, (case.payload)(&bench));
        let first = bench.done(&request);
        let newer = Call { generation: 2, ..request.clone() };
        assert_eq!(bench.done(&newer), first, "{kind}");
        assert_eq!(made(&bench, case, &request), Some(1), "{kind}");
    }
}

#[test]
fn a_newer_generation_succeeds_after_an_older_one_was_refused() {
    let bench = Bench::start();
    let request = call(
        "stripe.price.create",
        serde_json::json!({
            "stripe_product_id": "prod_missing", "unit_amount": 500, "currency": "usd",
        }),
    );
    assert!(matches!(bench.call(&request), CallOutcome::Refused { .. }));
    bench.make("/v1/products", &[("name", "Mini"), ("id", "prod_missing")]);
    assert!(matches!(bench.call(&request), CallOutcome::Refused { .. }), "Stripe repeats its response for a key");
    bench.done(&Call { generation: 2, ..request });
}

#[test]
fn an_older_generation_is_superseded() {
    for kind in ["stripe.product.create", "stripe.price.create", "stripe.customer.create"] {
        let case = CASES.iter().find(|case| case.kind == kind).unwrap();
        let bench = Bench::start();
        let request = call(kind, (case.payload)(&bench));
        bench.done(&Call { generation: 2, ..request.clone() });
        let answer = bench.call(&after_a_crash(&request));
        assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "superseded"), "{kind}: {answer:?}");
    }
}

#[test]
fn a_foreign_object_with_our_id_is_refused() {
    let bench = Bench::start();
    let case = CASES.iter().find(|case| case.kind == "stripe.product.create").unwrap();
    let request = call(case.kind, (case.payload)(&bench));
    let id = bench.done(&request)["id"].as_str().unwrap().to_owned();
    let bench = Bench::start();
    bench.make("/v1/products", &[("name", "Theirs"), ("id", &id)]);
    for request in [request.clone(), after_a_crash(&request)] {
        let answer = bench.call(&request);
        assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "name-taken"), "{answer:?}");
    }
}

/// Returns the requested transfer under a number.
fn numbered(template: &Call, number: u64, amount: i64) -> Call {
    let mut call = Call { key: format!("transfer:usd:{number}"), ..template.clone() };
    call.payload["amount_minor"] = amount.into();
    let destination = call.payload["destination"].as_str().unwrap();
    call.payload["transfer_group"] = format!("{destination}:{number}").into();
    call
}

#[test]
fn a_transfer_of_restored_books_sends_what_earlier_transfers_do_not_cover() {
    let bench = Bench::start();
    let case = CASES.iter().find(|case| case.kind == "stripe.transfer.create").unwrap();
    let template = call(case.kind, (case.payload)(&bench));
    let first = bench.done(&numbered(&template, 1, 400));
    bench.done(&numbered(&template, 2, 300));
    let amounts = || {
        let list = bench.direct("GET", "/v1/transfers", &[("limit", "100")]);
        let mut all: Vec<i64> =
            list["data"].as_array().unwrap().iter().map(|one| one["amount"].as_i64().unwrap()).collect();
        all.sort_unstable();
        all
    };
    // The books lack both transfers. Other shares are due, within the day of the idempotency keys.
    let less = numbered(&template, 1, 100);
    assert_eq!(bench.done(&less), first);
    assert_eq!(bench.done(&after_a_crash(&less)), first);
    assert_eq!(amounts(), [300, 400]);
    let more = numbered(&template, 2, 1_000);
    let made = bench.done(&more);
    assert_eq!(amounts(), [300, 400, 400], "600 of the 1000 had been sent");
    bench.direct("POST", "/_sandbox/clock", &[("advance_by", TWO_DAYS_S)]);
    bench.done(&after_a_crash(&more));
    assert_eq!(amounts(), [300, 400, 400]);
    assert_ne!(bench.done(&numbered(&template, 3, 50)), made);
    assert_eq!(amounts(), [50, 300, 400, 400]);
}

#[test]
fn an_account_whose_restored_store_asks_with_other_parameters_finds_its_customer() {
    for kind in ["stripe.customer.create", "stripe.account.create"] {
        let case = CASES.iter().find(|case| case.kind == kind).unwrap();
        let bench = Bench::start();
        let request = call(kind, (case.payload)(&bench));
        let first = bench.done(&request);
        let mut other = request.clone();
        other.payload["metadata"]["asked"] = "again".into();
        assert_eq!(bench.done(&other), first, "{kind}");
        assert_eq!(made(&bench, case, &request), Some(1), "{kind}");
    }
}
