//! `stripe.retrieve`, and events that may not have come.

use crate::bench::{Bench, call, text};
use crate::cases::{customer, payment, subscription};
use counterparts::Fault;
use host_provider_api::CallOutcome;
use host_stripe::{Failed, Mode};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

fn retrieve(bench: &Bench, object: &str, id: &Value) -> Value {
    bench.done(&call("stripe.retrieve", json!({"object": object, "id": id})))
}

#[test]
fn an_object_comes_with_the_date_and_the_version_of_the_answer() {
    let bench = Bench::start();
    let held = subscription(&bench, "500", "month");
    let found = retrieve(&bench, "subscription", &held["id"]);
    assert_eq!((&found["object"]["object"], &found["object"]["id"]), (&json!("subscription"), &held["id"]));
    assert_eq!(found["object"]["items"]["data"][0]["id"], held["items"]["data"][0]["id"]);
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let date = found["date_ms"].as_i64().unwrap();
    assert!(date % 1_000 == 0 && (now - date).abs() < 60_000, "{date} is the answer's `Date`, in whole seconds");
    assert!(text(&found, "api_version").starts_with("20"), "{found}");
}

#[test]
fn what_is_left_out_unless_it_is_asked_for_comes_along() {
    let bench = Bench::start();
    let held = subscription(&bench, "500", "month");
    let invoice = retrieve(&bench, "invoice", &held["latest_invoice"]);
    let intent = &invoice["object"]["payments"]["data"][0]["payment"]["payment_intent"];
    let intent = retrieve(&bench, "payment_intent", intent);
    assert_eq!(intent["object"]["amount"], 500);
    let paid = payment(&bench, 900);
    bench.make("/v1/refunds", &[("payment_intent", &paid), ("amount", "300")]);
    let charge = retrieve(&bench, "payment_intent", &json!(paid))["object"]["latest_charge"].clone();
    let charge = retrieve(&bench, "charge", &charge);
    assert_eq!(charge["object"]["refunds"]["data"][0]["amount"], 300);
}

#[test]
fn what_is_of_a_connected_account_is_asked_for_on_its_behalf() {
    let bench = Bench::start();
    let id = customer(&bench);
    bench.proxy.fail_with("stripe-account: acct_elsewhere\r\n", Fault::Status(503, None));
    let mut asked =
        call("stripe.retrieve", json!({"object": "customer", "id": id, "connected_account": "acct_elsewhere"}));
    assert!(matches!(bench.call(&asked), CallOutcome::Retry { .. }));
    assert_eq!(bench.proxy.struck(), 1, "the request has the header");
    asked.payload["connected_account"] = Value::Null;
    bench.done(&asked);
}

#[test]
fn a_question_that_fails_is_asked_again() {
    let bench = Bench::start();
    let asked = call("stripe.retrieve", json!({"object": "customer", "id": customer(&bench)}));
    for fault in
        [Fault::Refuse, Fault::ResetBefore, Fault::Truncate, Fault::Status(500, None), Fault::Status(429, None)]
    {
        bench.proxy.clear();
        bench.proxy.fail_nth(0, fault);
        assert!(matches!(bench.call(&asked), CallOutcome::Retry { .. }), "{fault:?}");
        bench.done(&asked);
    }
}

#[test]
fn events_come_newest_first_from_a_time_on_and_as_many_as_are_wanted() {
    let bench = Bench::start();
    let made: Vec<String> = (0..130).map(|_| bench.make("/v1/products", &[("name", "Mini")])).collect();
    let all = bench.stripe.events_since(Mode::Test, None, 0, 1_000).expect("events");
    assert!(all.is_complete);
    let told: Vec<&str> = all.events.iter().map(|event| event["data"]["object"]["id"].as_str().unwrap()).collect();
    assert_eq!(told, made.iter().rev().map(String::as_str).collect::<Vec<_>>());
    let some = bench.stripe.events_since(Mode::Test, None, 0, 110).expect("events");
    assert_eq!((some.events.len(), some.is_complete), (110, false));
    assert_eq!(some.events[..], all.events[..110]);
    let clock = bench.own("POST", "/_sandbox/clock", &[("advance_by", "60")]);
    let later = bench.make("/v1/products", &[("name", "Later")]);
    let since = bench.own("GET", &format!("/v1/products/{later}"), &[])["created"].as_i64().unwrap();
    let newest = bench.stripe.events_since(Mode::Test, None, since, 1_000).expect("events");
    assert_eq!((newest.events.len(), newest.is_complete), (1, true), "{clock}");
    assert_eq!(newest.events[0]["data"]["object"]["id"], later.as_str());
}

#[test]
fn events_of_a_connected_account_are_asked_for_on_its_behalf() {
    let bench = Bench::start();
    let refused = bench.stripe.events_since(Mode::Test, Some("acct_elsewhere"), 0, 10);
    assert_eq!(
        refused,
        Err(Failed::Unauthorized { mode: Mode::Test, status: 403 }),
        "the local Stripe has its own only"
    );
    assert!(matches!(bench.stripe.events_since(Mode::Test, Some("a b"), 0, 10), Err(Failed::Payload { .. })));
    assert_eq!(bench.stripe.events_since(Mode::Live, None, 0, 10), Err(Failed::NoKey(Mode::Live)));
}
