//! `stripe.retrieve`, and lists of events.

use crate::stripe::bench::{Bench, call, text};
use crate::stripe::cases::{customer, payment, subscription};
use counterparts::Fault;
use host_provider_api::{CallOutcome, EventQuery, ListedEvents};
use host_providers::stripe::{Failed, Mode};
use serde_json::{Value, json};

fn retrieve(bench: &Bench, object: &str, id: &Value) -> Value {
    bench.done(&call("stripe.retrieve", json!({"object": object, "id": id})))
}

#[test]
fn an_object_has_the_date_and_the_version_of_the_response() {
    let bench = Bench::start();
    let sub = subscription(&bench, "500", "month");
    let found = retrieve(&bench, "subscription", &sub["id"]);
    assert_eq!((&found["object"]["object"], &found["object"]["id"]), (&json!("subscription"), &sub["id"]));
    assert_eq!(found["object"]["items"]["data"][0]["id"], sub["items"]["data"][0]["id"]);
    // The local Stripe dates its answers by its clock, by which the subscription was made a moment ago.
    let (made, date) = (sub["created"].as_i64().unwrap() * 1_000, found["date_ms"].as_i64().unwrap());
    assert!(
        date % 1_000 == 0 && (0..60_000).contains(&(date - made)),
        "{date} is the answer's `Date`, in whole seconds"
    );
    assert!(text(&found, "api_version").starts_with("20"), "{found}");
}

#[test]
fn omitted_members_are_expanded() {
    let bench = Bench::start();
    let sub = subscription(&bench, "500", "month");
    let invoice = retrieve(&bench, "invoice", &sub["latest_invoice"]);
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
fn objects_of_a_connected_account_are_fetched_on_its_behalf() {
    let bench = Bench::start();
    let id = customer(&bench);
    bench.proxy.fail_with("stripe-account: acct_elsewhere\r\n", Fault::Status(503, None));
    let mut request =
        call("stripe.retrieve", json!({"object": "customer", "id": id, "connected_account": "acct_elsewhere"}));
    assert!(matches!(bench.call(&request), CallOutcome::Retry { .. }));
    assert_eq!(bench.proxy.struck(), 1, "the request has the header");
    request.payload["connected_account"] = Value::Null;
    bench.done(&request);
}

#[test]
fn a_failed_fetch_is_retried() {
    let bench = Bench::start();
    let request = call("stripe.retrieve", json!({"object": "customer", "id": customer(&bench)}));
    for fault in
        [Fault::Refuse, Fault::ResetBefore, Fault::Truncate, Fault::Status(500, None), Fault::Status(429, None)]
    {
        bench.proxy.clear();
        bench.proxy.fail_nth(0, fault);
        assert!(matches!(bench.call(&request), CallOutcome::Retry { .. }), "{fault:?}");
        bench.done(&request);
    }
}

/// All events of the own account in test mode.
const ALL: EventQuery<'_> = EventQuery { livemode: false, connected_account: None, since_s: 0, before: None };

fn listed(bench: &Bench, connected_account: Option<&str>, since_s: i64, max: usize) -> Result<ListedEvents, Failed> {
    bench.stripe.events(&EventQuery { connected_account, since_s, ..ALL }, max)
}

#[test]
fn events_are_listed_newest_first_since_a_time_up_to_a_maximum() {
    let bench = Bench::start();
    let made: Vec<String> = (0..130).map(|_| bench.make("/v1/products", &[("name", "Mini")])).collect();
    let all = listed(&bench, None, 0, 1_000).expect("events");
    assert!(all.is_complete);
    let found: Vec<&str> = all.events.iter().map(|event| event["data"]["object"]["id"].as_str().unwrap()).collect();
    assert_eq!(found, made.iter().rev().map(String::as_str).collect::<Vec<_>>());
    let some = listed(&bench, None, 0, 110).expect("events");
    assert_eq!((some.events.len(), some.is_complete), (110, false));
    assert_eq!(some.events[..], all.events[..110]);
    // The list goes on before its last event.
    let before = some.events[109]["id"].as_str();
    let older = bench.stripe.events(&EventQuery { before, ..ALL }, 1_000).expect("events");
    assert_eq!((&older.events[..], older.is_complete), (&all.events[110..], true));
    let refused = bench.stripe.events(&EventQuery { before: Some("a b"), ..ALL }, 1_000);
    assert!(matches!(refused, Err(Failed::Payload { member: "before", .. })), "{refused:?}");
    let clock = bench.direct("POST", "/_sandbox/clock", &[("advance_by", "60")]);
    let later = bench.make("/v1/products", &[("name", "Later")]);
    let since = bench.direct("GET", &format!("/v1/products/{later}"), &[])["created"].as_i64().unwrap();
    let newest = listed(&bench, None, since, 1_000).expect("events");
    assert_eq!((newest.events.len(), newest.is_complete), (1, true), "{clock}");
    assert_eq!(newest.events[0]["data"]["object"]["id"], later.as_str());
}

#[test]
fn events_of_a_connected_account_are_fetched_on_its_behalf() {
    let bench = Bench::start();
    let account = bench.make("/v1/accounts", &[("type", "express")]);
    bench.direct("POST", &format!("/v1/accounts/{account}"), &[("metadata[a]", "b")]);
    let found = listed(&bench, Some(&account), 0, 10).expect("events");
    let kinds: Vec<&str> = found.events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!((kinds, found.is_complete), (vec!["account.updated"], true), "{found:?}");
    let refused = listed(&bench, Some("acct_elsewhere"), 0, 10);
    assert_eq!(
        refused,
        Err(Failed::Unauthorized { mode: Mode::Test, status: 403 }),
        "the local Stripe has no other accounts"
    );
    assert!(matches!(listed(&bench, Some("a b"), 0, 10), Err(Failed::Payload { .. })));
    assert_eq!(bench.stripe.events(&EventQuery { livemode: true, ..ALL }, 10), Err(Failed::NoKey(Mode::Live)));
}
