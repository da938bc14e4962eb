//! Injects each fault into each exchange of each kind; repeating the call must succeed, with one object.

use crate::stripe::bench::{Bench, TOO_LATE, after_a_crash, call, text};
use crate::stripe::cases::{CASES, Case, PREVIEW, REST_REFUND};
use counterparts::Fault;
use host_provider_api::{Call, CallOutcome};

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

fn check(case: &Case, of: usize, exchange: usize, fault: Fault, bench: &Bench) {
    let shown = format!("{}, exchange {exchange} of {of}, {fault:?}", case.kind);
    let mut request = call(case.kind, (case.payload)(bench));
    request.key = shown.clone();
    bench.proxy.clear();
    bench.proxy.fail_nth(exchange, fault);
    let broken = bench.call(&request);
    assert_eq!(bench.proxy.struck(), 1, "{shown}");
    match (&broken, fault) {
        (CallOutcome::Retry { after_ms: Some(3_000), .. }, Fault::Status(429, Some(3))) => {}
        (CallOutcome::Retry { after_ms: None, .. }, other) if other != Fault::Status(429, Some(3)) => {}
        _ => panic!("{shown}: {broken:?}"),
    }
    bench.proxy.clear();
    let first = bench.done(&request);
    for again in [after_a_crash(&request), Call { attempt: 2, lease: 3, ..request.clone() }] {
        assert_eq!(bench.done(&again), first, "{shown}");
    }
    if let Some((path, filter)) = (case.listed)(&request.payload) {
        let filter: Vec<_> = filter.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let made = bench.made(&path, &filter, &request);
        assert_eq!(made.len(), 1, "{shown}: {made:?}");
        if case.kind == "stripe.invoice.create" {
            let lines = made[0]["lines"]["data"].as_array().unwrap().len();
            assert_eq!((lines, &made[0]["total"]), (3, &serde_json::json!(700)), "{shown}");
        }
    }
}

/// Counts the exchanges of a call without faults.
fn exchanges(case: &Case, bench: &Bench) -> usize {
    bench.proxy.clear();
    let mut request = call(case.kind, (case.payload)(bench));
    request.key = "first".to_owned();
    bench.done(&request);
    bench.proxy.seen().len()
}

fn every_fault(kinds: &[&str]) {
    every_fault_of(CASES.iter().filter(|case| kinds.contains(&case.kind)));
}

fn every_fault_of<'c>(cases: impl Iterator<Item = &'c Case>) {
    for case in cases {
        let of = exchanges(case, &Bench::start());
        for exchange in 0..of {
            // Each exchange gets its own server, so that lists fit on one page.
            let bench = Bench::start();
            for fault in FAULTS {
                check(case, of, exchange, fault, &bench);
            }
        }
    }
}

#[test]
fn customers_catalog_and_checkouts_survive_each_fault() {
    every_fault(&[
        "stripe.customer.create",
        "stripe.portal.create",
        "stripe.credit.create",
        "stripe.product.create",
        "stripe.price.create",
        "stripe.checkout.create",
        "stripe.checkout.expire",
    ]);
}

#[test]
fn accounts_transfers_and_refunds_survive_each_fault() {
    every_fault(&[
        "stripe.account.create",
        "stripe.account.link",
        "stripe.transfer.create",
        "stripe.refund.create",
        "stripe.payment.create",
    ]);
}

#[test]
fn a_refund_of_what_a_subscription_paid_and_a_preview_survive_each_fault() {
    every_fault_of([REST_REFUND, PREVIEW].iter());
}

#[test]
fn invoices_and_reports_of_usage() {
    every_fault(&["stripe.invoice.create", "stripe.meter_event.create"]);
}

#[test]
fn subscriptions() {
    every_fault(&["stripe.subscription.cancel", "stripe.subscription.keep", "stripe.subscription.update"]);
    every_fault(&["stripe.subscription.pause", "stripe.subscription.resume", "stripe.subscription.trial"]);
}

#[test]
fn an_object_of_a_lost_response_is_found_a_day_later() {
    for case in CASES.iter().filter(|case| (case.listed)(&(case.payload)(&Bench::start())).is_some()) {
        let bench = Bench::start();
        let of = exchanges(case, &bench);
        for exchange in 0..of {
            let mut request = call(case.kind, (case.payload)(&bench));
            request.key = format!("{} {exchange}", case.kind);
            bench.proxy.clear();
            bench.proxy.fail_nth(exchange, Fault::ResetAfter);
            assert!(matches!(bench.call(&request), CallOutcome::Retry { .. }), "{}", request.key);
            bench.direct("POST", "/_sandbox/clock", &[("advance_by", "90000")]);
            bench.done(&after_a_crash(&request));
            let (path, filter) = (case.listed)(&request.payload).unwrap();
            let filter: Vec<_> = filter.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let made = bench.made(&path, &filter, &request);
            assert_eq!(made.len(), 1, "{}: {made:?}", request.key);
            if case.kind == "stripe.invoice.create" {
                assert_eq!((made[0]["total"].as_i64(), text(&made[0], "status") != "draft"), (Some(700), true));
            }
        }
    }
}
