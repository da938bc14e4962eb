//! Changes and ends of subscriptions.

use crate::bench::{Bench, after_a_crash, call, text};
use crate::cases::{price, subscription};
use host_provider_api::CallOutcome;
use serde_json::{Value, json};

const MONTH_S: &str = "2700000";

fn seen(bench: &Bench, held: &Value) -> Value {
    bench.own("GET", &format!("/v1/subscriptions/{}", text(held, "id")), &[])
}

fn period_end_ms(held: &Value) -> i64 {
    held["items"]["data"][0]["current_period_end"].as_i64().unwrap() * 1_000
}

fn change(held: &Value, price: &str, at: &str, behavior: &str, key: &str) -> host_provider_api::Call {
    let mut asked = call(
        "stripe.subscription.update",
        json!({"subscription": held["id"], "item": held["items"]["data"][0]["id"], "price": price, "at": at,
            "period_end_ms": period_end_ms(held), "proration_behavior": behavior}),
    );
    asked.key = format!("change:{key}");
    asked
}

fn price_of(held: &Value) -> &Value {
    &held["items"]["data"][0]["price"]["id"]
}

#[test]
fn a_higher_plan_is_had_and_charged_at_once() {
    let bench = Bench::start();
    let held = subscription(&bench, "500", "month");
    let team = price(&bench, "2000", Some("month"));
    let mut asked = change(&held, &team, "now", "always_invoice", "up");
    asked.payload["quantity"] = json!(3);
    let outputs = bench.done(&asked);
    assert_eq!(outputs, json!({"id": held["id"], "status": "active"}));
    let after = seen(&bench, &held);
    assert_eq!((price_of(&after), &after["items"]["data"][0]["quantity"]), (&json!(team), &json!(3)));
    assert_ne!(after["latest_invoice"], held["latest_invoice"], "the difference is invoiced");
    assert_eq!(bench.done(&after_a_crash(&asked)), outputs);
    assert_eq!(seen(&bench, &held)["latest_invoice"], after["latest_invoice"], "once");
}

#[test]
fn a_lower_plan_is_had_from_the_next_period_on() {
    let bench = Bench::start();
    let held = subscription(&bench, "2000", "month");
    let small = price(&bench, "500", Some("month"));
    let asked = change(&held, &small, "period_end", "none", "down");
    bench.done(&asked);
    assert_eq!(price_of(&seen(&bench, &held)), price_of(&held), "not yet");
    bench.own("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
    let after = seen(&bench, &held);
    assert_eq!((price_of(&after), &after["status"]), (&json!(small), &json!("active")));
    bench.own("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
    let after = seen(&bench, &held);
    assert_eq!((price_of(&after), &after["schedule"]), (&json!(small), &Value::Null), "the schedule let go");
}

#[test]
fn another_wish_replaces_the_one_that_is_to_come() {
    let bench = Bench::start();
    let held = subscription(&bench, "2000", "month");
    let (small, smaller) = (price(&bench, "500", Some("month")), price(&bench, "300", Some("month")));
    bench.done(&change(&held, &small, "period_end", "none", "1"));
    bench.done(&change(&held, &smaller, "period_end", "none", "2"));
    bench.own("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
    assert_eq!(price_of(&seen(&bench, &held)), &json!(smaller));
}

#[test]
fn what_is_to_come_is_taken_back_by_asking_for_what_is() {
    let bench = Bench::start();
    let held = subscription(&bench, "2000", "month");
    bench.done(&change(&held, &price(&bench, "500", Some("month")), "period_end", "none", "down"));
    assert_ne!(seen(&bench, &held)["schedule"], Value::Null);
    bench.done(&change(&held, price_of(&held).as_str().unwrap(), "now", "none", "back"));
    assert_eq!(seen(&bench, &held)["schedule"], Value::Null);
    bench.own("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
    assert_eq!(price_of(&seen(&bench, &held)), price_of(&held));
}

#[test]
fn it_ends_with_the_period_also_when_a_change_was_to_come() {
    let bench = Bench::start();
    for with_change in [false, true] {
        let held = subscription(&bench, "2000", "month");
        if with_change {
            bench.done(&change(&held, &price(&bench, "500", Some("month")), "period_end", "none", "down"));
        }
        let mut asked = call("stripe.subscription.cancel", json!({"subscription": held["id"], "at_period_end": true}));
        asked.key = format!("cancel:{with_change}");
        assert_eq!(bench.done(&asked)["status"], "active");
        assert_eq!(seen(&bench, &held)["cancel_at_period_end"], true);
        bench.own("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
        assert_eq!(seen(&bench, &held)["status"], "canceled");
        assert_eq!(bench.done(&after_a_crash(&asked))["status"], "canceled", "it has ended already");
    }
}

#[test]
fn it_ends_at_once_and_what_is_not_used_comes_back_as_balance() {
    let bench = Bench::start();
    let held = subscription(&bench, "2000", "month");
    bench.own("POST", "/_sandbox/clock", &[("advance_by", "1300000")]);
    let asked = call(
        "stripe.subscription.cancel",
        json!({"subscription": held["id"], "at_period_end": false, "prorate": true}),
    );
    assert_eq!(bench.done(&asked)["status"], "canceled");
    assert_eq!(bench.done(&asked)["status"], "canceled");
    let customer = bench.own("GET", &format!("/v1/customers/{}", text(&held, "customer")), &[]);
    let balance = customer["balance"].as_i64().unwrap();
    assert!((-1_200..=-800).contains(&balance), "about half a month: {balance}");
}

#[test]
fn an_add_on_ends_at_the_date_of_its_plan() {
    let bench = Bench::start();
    let held = subscription(&bench, "12000", "year");
    let at_ms = period_end_ms(&held) - 200 * 86_400_000;
    let asked = call(
        "stripe.subscription.cancel",
        json!({"subscription": held["id"], "at_period_end": true, "prorate": true, "cancel_at_ms": at_ms}),
    );
    bench.done(&asked);
    assert_eq!(seen(&bench, &held)["cancel_at"], at_ms / 1_000);
    assert_eq!(bench.done(&after_a_crash(&asked))["status"], "active");
}

#[test]
fn what_has_ended_is_not_changed() {
    let bench = Bench::start();
    let held = subscription(&bench, "500", "month");
    bench.own("DELETE", &format!("/v1/subscriptions/{}", text(&held, "id")), &[]);
    let answer = bench.call(&change(&held, &price(&bench, "2000", Some("month")), "now", "none", "up"));
    assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "inconsistent"), "{answer:?}");
}
