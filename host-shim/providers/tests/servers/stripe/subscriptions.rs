//! Changes and cancellations of subscriptions.

use crate::stripe::bench::{Bench, after_a_crash, call, text};
use crate::stripe::cases::{in_trial, price, subscription};
use host_provider_api::CallOutcome;
use serde_json::{Value, json};

const MONTH_S: &str = "2700000";
const YEAR_S: &str = "31622400";

fn seen(bench: &Bench, sub: &Value) -> Value {
    bench.direct("GET", &format!("/v1/subscriptions/{}", text(sub, "id")), &[])
}

fn period_end_ms(sub: &Value) -> i64 {
    sub["items"]["data"][0]["current_period_end"].as_i64().unwrap() * 1_000
}

fn change(sub: &Value, price: &str, at: &str, behavior: &str, key: &str) -> host_provider_api::Call {
    let mut request = call(
        "stripe.subscription.update",
        json!({"subscription": sub["id"], "item": sub["items"]["data"][0]["id"], "price": price, "at": at,
            "period_end_ms": period_end_ms(sub), "proration_behavior": behavior}),
    );
    request.key = format!("change:{key}");
    request
}

fn price_of(sub: &Value) -> &Value {
    &sub["items"]["data"][0]["price"]["id"]
}

#[test]
fn an_upgrade_applies_and_is_charged_at_once() {
    let bench = Bench::start();
    let sub = subscription(&bench, "500", "month");
    let team = price(&bench, "2000", Some("month"));
    let mut request = change(&sub, &team, "now", "always_invoice", "up");
    request.payload["quantity"] = json!(3);
    let outputs = bench.done(&request);
    assert_eq!(outputs, json!({"id": sub["id"], "status": "active"}));
    let after = seen(&bench, &sub);
    assert_eq!((price_of(&after), &after["items"]["data"][0]["quantity"]), (&json!(team), &json!(3)));
    assert_ne!(after["latest_invoice"], sub["latest_invoice"], "the difference is invoiced");
    assert_eq!(bench.done(&after_a_crash(&request)), outputs);
    assert_eq!(seen(&bench, &sub)["latest_invoice"], after["latest_invoice"], "once");
}

#[test]
fn a_downgrade_applies_from_the_next_period() {
    let bench = Bench::start();
    let sub = subscription(&bench, "2000", "month");
    let small = price(&bench, "500", Some("month"));
    let request = change(&sub, &small, "period_end", "none", "down");
    bench.done(&request);
    assert_eq!(price_of(&seen(&bench, &sub)), price_of(&sub), "not yet");
    bench.direct("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
    let after = seen(&bench, &sub);
    assert_eq!((price_of(&after), &after["status"]), (&json!(small), &json!("active")));
    bench.direct("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
    let after = seen(&bench, &sub);
    assert_eq!((price_of(&after), &after["schedule"]), (&json!(small), &Value::Null), "the schedule is released");
}

#[test]
fn a_new_scheduled_change_replaces_the_old_one() {
    let bench = Bench::start();
    let sub = subscription(&bench, "2000", "month");
    let (small, smaller) = (price(&bench, "500", Some("month")), price(&bench, "300", Some("month")));
    bench.done(&change(&sub, &small, "period_end", "none", "1"));
    bench.done(&change(&sub, &smaller, "period_end", "none", "2"));
    bench.direct("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
    assert_eq!(price_of(&seen(&bench, &sub)), &json!(smaller));
}

#[test]
fn requesting_the_current_price_cancels_a_scheduled_change() {
    let bench = Bench::start();
    let sub = subscription(&bench, "2000", "month");
    bench.done(&change(&sub, &price(&bench, "500", Some("month")), "period_end", "none", "down"));
    assert_ne!(seen(&bench, &sub)["schedule"], Value::Null);
    bench.done(&change(&sub, price_of(&sub).as_str().unwrap(), "now", "none", "back"));
    assert_eq!(seen(&bench, &sub)["schedule"], Value::Null);
    bench.direct("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
    assert_eq!(price_of(&seen(&bench, &sub)), price_of(&sub));
}

#[test]
fn a_subscription_ends_with_the_period_despite_a_scheduled_change() {
    let bench = Bench::start();
    for with_change in [false, true] {
        let sub = subscription(&bench, "2000", "month");
        if with_change {
            bench.done(&change(&sub, &price(&bench, "500", Some("month")), "period_end", "none", "down"));
        }
        let mut request = call("stripe.subscription.cancel", json!({"subscription": sub["id"], "at_period_end": true}));
        request.key = format!("cancel:{with_change}");
        assert_eq!(bench.done(&request)["status"], "active");
        assert_eq!(seen(&bench, &sub)["cancel_at_period_end"], true);
        bench.direct("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
        assert_eq!(seen(&bench, &sub)["status"], "canceled");
        assert_eq!(bench.done(&after_a_crash(&request))["status"], "canceled", "it has ended already");
    }
}

#[test]
fn a_kept_subscription_neither_ends_nor_changes() {
    let bench = Bench::start();
    for with_change in [false, true] {
        let sub = subscription(&bench, "2000", "month");
        match with_change {
            true => _ = bench.done(&change(&sub, &price(&bench, "500", Some("month")), "period_end", "none", "down")),
            false => {
                let mut end =
                    call("stripe.subscription.cancel", json!({"subscription": sub["id"], "at_period_end": true}));
                end.key = "cancel:kept".to_owned();
                bench.done(&end);
            }
        }
        let mut keep = call("stripe.subscription.keep", json!({"subscription": sub["id"]}));
        keep.key = format!("keep:{with_change}");
        assert_eq!(bench.done(&keep)["status"], "active");
        assert_eq!(bench.done(&after_a_crash(&keep))["status"], "active");
        let kept = seen(&bench, &sub);
        assert_eq!((&kept["cancel_at_period_end"], &kept["cancel_at"]), (&json!(false), &Value::Null));
        assert_eq!(kept["schedule"], Value::Null);
        bench.direct("POST", "/_sandbox/clock", &[("advance_by", MONTH_S)]);
        assert_eq!((&seen(&bench, &sub)["status"], price_of(&seen(&bench, &sub))), (&json!("active"), price_of(&sub)));
    }
    let sub = subscription(&bench, "500", "month");
    bench.direct("DELETE", &format!("/v1/subscriptions/{}", text(&sub, "id")), &[]);
    let answer = bench.call(&call("stripe.subscription.keep", json!({"subscription": sub["id"]})));
    assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "inconsistent"), "{answer:?}");
}

#[test]
fn stripe_keeps_why_a_subscription_ends_until_it_is_kept() {
    let bench = Bench::start();
    let sub = subscription(&bench, "2000", "month");
    let cancel = |at_period_end: bool, details: Value, key: &str| {
        let payload =
            json!({"subscription": sub["id"], "at_period_end": at_period_end, "cancellation_details": details});
        let mut request = call("stripe.subscription.cancel", payload);
        request.key = key.to_owned();
        bench.done(&request);
        let told = seen(&bench, &sub)["cancellation_details"].clone();
        (told["feedback"].clone(), told["comment"].clone())
    };
    let first = cancel(true, json!({"feedback": "too_expensive", "comment": "Sorry"}), "cancel:1");
    assert_eq!(first, (json!("too_expensive"), json!("Sorry")));
    let second = cancel(true, json!({"feedback": "unused", "comment": "Really"}), "cancel:2");
    assert_eq!(second, (json!("unused"), json!("Really")), "what is said later counts, although it ends already");
    bench.done(&call("stripe.subscription.keep", json!({"subscription": sub["id"]})));
    let kept = seen(&bench, &sub)["cancellation_details"].clone();
    assert_eq!((&kept["feedback"], &kept["comment"]), (&Value::Null, &Value::Null));
    let at_once = cancel(false, json!({"comment": "moved_away"}), "cancel:3");
    assert_eq!((at_once, &seen(&bench, &sub)["status"]), ((Value::Null, json!("moved_away")), &json!("canceled")));
}

/// Pauses a subscription for half a year, and ends the pause after a time. Returns the subscription before and after the end.
fn paused(bench: &Bench, for_s: &str) -> (Value, Value) {
    let sub = subscription(bench, "2000", "month");
    let until_ms = period_end_ms(&sub) + 180 * 86_400_000;
    let pause = call("stripe.subscription.pause", json!({"subscription": sub["id"], "resumes_at_ms": until_ms}));
    assert_eq!(bench.done(&pause)["status"], "active");
    let told = &seen(bench, &sub)["pause_collection"];
    assert_eq!((&told["behavior"], &told["resumes_at"]), (&json!("void"), &json!(until_ms / 1_000)));
    assert_eq!(bench.done(&after_a_crash(&pause))["status"], "active");
    bench.direct("POST", "/_sandbox/clock", &[("advance_by", for_s)]);
    let before = seen(bench, &sub);
    let resume = call("stripe.subscription.resume", json!({"subscription": sub["id"]}));
    for again in [resume.clone(), after_a_crash(&resume)] {
        assert_eq!(bench.done(&again)["status"], "active");
    }
    let after = seen(bench, &sub);
    assert_eq!(after["pause_collection"], Value::Null);
    (before, after)
}

#[test]
fn a_trial_is_moved_and_ends_early_with_a_payment() {
    let bench = Bench::start();
    // A card that is not the customer's default would not be charged.
    let card = [("payment_method", "pm_card_visa"), ("invoice_settings[default_payment_method]", "pm_card_visa")];
    let sub = in_trial(&bench, &[("customer", &bench.make("/v1/customers", &card))]);
    let end_s = sub["trial_end"].as_i64().expect("a trial") + 7 * 86_400;
    let mut move_end =
        call("stripe.subscription.trial", json!({"subscription": sub["id"], "trial_end_ms": end_s * 1_000}));
    move_end.key = "trial:move".to_owned();
    for again in [move_end.clone(), after_a_crash(&move_end)] {
        assert_eq!(bench.done(&again)["status"], "trialing");
    }
    assert_eq!(seen(&bench, &sub)["trial_end"], end_s);
    let end = call("stripe.subscription.trial", json!({"subscription": sub["id"]}));
    for again in [end.clone(), after_a_crash(&end)] {
        assert_eq!(bench.done(&again)["status"], "active");
    }
    assert_eq!(newest_invoice(&bench, &seen(&bench, &sub))["amount_paid"], 2000);
    move_end.key = "trial:late".to_owned();
    let answer = bench.call(&move_end);
    assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "inconsistent"), "{answer:?}");
}

#[test]
fn a_trial_without_a_card_that_ends_early_ends_the_subscription() {
    let bench = Bench::start();
    let nobody = bench.make("/v1/customers", &[("email", "bo@example.com")]);
    let sub = in_trial(&bench, &[("customer", &nobody)]);
    let end = call("stripe.subscription.trial", json!({"subscription": sub["id"]}));
    for again in [end.clone(), after_a_crash(&end)] {
        assert_eq!(bench.done(&again)["status"], "canceled");
    }
}

#[test]
fn a_kept_subscription_gets_a_discount_once_beside_those_that_it_has() {
    let bench = Bench::start();
    let sub = subscription(&bench, "2000", "month");
    let code = |coupon: &[(&str, &str)], code: &str| {
        let coupon = bench.make("/v1/coupons", coupon);
        bench.make(
            "/v1/promotion_codes",
            &[("promotion[type]", "coupon"), ("promotion[coupon]", &coupon), ("code", code)],
        )
    };
    let first = code(&[("percent_off", "10"), ("duration", "forever")], "FRIENDS");
    let path = format!("/v1/subscriptions/{}", text(&sub, "id"));
    bench.direct("POST", &path, &[("discounts[0][promotion_code]", &first), ("cancel_at_period_end", "true")]);
    let stay = code(&[("percent_off", "25"), ("duration", "once")], "STAY");
    let keep = call("stripe.subscription.keep", json!({"subscription": sub["id"], "promotion_code": stay}));
    for again in [keep.clone(), after_a_crash(&keep)] {
        assert_eq!(bench.done(&again)["status"], "active");
    }
    let kept = bench.direct("GET", &path, &[("expand[]", "discounts")]);
    let given: Vec<&Value> =
        kept["discounts"].as_array().expect("a list").iter().map(|of| &of["promotion_code"]).collect();
    assert_eq!((given, &kept["cancel_at_period_end"]), (vec![&json!(first), &json!(stay)], &json!(false)));
}

#[test]
fn who_cannot_have_the_discount_has_not_decided_to_stay() {
    let bench = Bench::start();
    let sub = subscription(&bench, "2000", "month");
    let path = format!("/v1/subscriptions/{}", text(&sub, "id"));
    bench.direct("POST", &path, &[("cancel_at_period_end", "true")]);
    let coupon = bench.make("/v1/coupons", &[("percent_off", "25"), ("duration", "once")]);
    let code = [("promotion[type]", "coupon"), ("promotion[coupon]", coupon.as_str()), ("code", "STAY")];
    let code = bench.make("/v1/promotion_codes", &code);
    bench.direct("POST", &format!("/v1/promotion_codes/{code}"), &[("active", "false")]);
    let keep = call("stripe.subscription.keep", json!({"subscription": sub["id"], "promotion_code": code}));
    let answer = bench.call(&keep);
    assert!(matches!(answer, CallOutcome::Refused { .. }), "{answer:?}");
    assert_eq!(bench.direct("GET", &path, &[])["cancel_at_period_end"], true);
}

fn newest_invoice(bench: &Bench, sub: &Value) -> Value {
    bench.direct("GET", &format!("/v1/invoices/{}", text(sub, "latest_invoice")), &[])
}

#[test]
fn a_pause_that_ends_within_the_paid_period_costs_nothing() {
    let bench = Bench::start();
    let (before, after) = paused(&bench, "86400");
    assert_eq!((period_end_ms(&after), &after["latest_invoice"]), (period_end_ms(&before), &before["latest_invoice"]));
}

#[test]
fn after_a_pause_a_whole_period_begins_and_is_paid_once() {
    let bench = Bench::start();
    let (before, after) = paused(&bench, "4000000");
    assert_eq!(newest_invoice(&bench, &before)["status"], "void");
    let invoice = newest_invoice(&bench, &after);
    assert_eq!((&invoice["status"], &invoice["amount_paid"]), (&json!("paid"), &json!(2000)));
    assert!(period_end_ms(&after) > period_end_ms(&before), "{after}");
}

#[test]
fn an_immediate_end_leaves_no_balance() {
    let bench = Bench::start();
    let sub = subscription(&bench, "2000", "month");
    bench.direct("POST", "/_sandbox/clock", &[("advance_by", "1300000")]);
    let request = call("stripe.subscription.cancel", json!({"subscription": sub["id"], "at_period_end": false}));
    assert_eq!(bench.done(&request)["status"], "canceled");
    assert_eq!(bench.done(&request)["status"], "canceled");
    let customer = bench.direct("GET", &format!("/v1/customers/{}", text(&sub, "customer")), &[]);
    assert_eq!(customer["balance"], 0, "what was not used is refunded, and is not a balance that nobody can use");
}

#[test]
fn an_add_on_ends_with_its_plan() {
    let bench = Bench::start();
    let sub = subscription(&bench, "12000", "year");
    let at_ms = period_end_ms(&sub) - 200 * 86_400_000;
    let request = call(
        "stripe.subscription.cancel",
        json!({"subscription": sub["id"], "at_period_end": true, "cancel_at_ms": at_ms}),
    );
    bench.done(&request);
    assert_eq!(seen(&bench, &sub)["cancel_at"], at_ms / 1_000);
    assert_eq!(bench.done(&after_a_crash(&request))["status"], "active");
    bench.direct("POST", "/_sandbox/clock", &[("advance_by", YEAR_S)]);
    assert_eq!(seen(&bench, &sub)["status"], "canceled");
    let customer = bench.direct("GET", &format!("/v1/customers/{}", text(&sub, "customer")), &[]);
    assert_eq!(customer["balance"], 0);
}

#[test]
fn an_ended_subscription_is_not_changed() {
    let bench = Bench::start();
    let sub = subscription(&bench, "500", "month");
    bench.direct("DELETE", &format!("/v1/subscriptions/{}", text(&sub, "id")), &[]);
    let answer = bench.call(&change(&sub, &price(&bench, "2000", Some("month")), "now", "none", "up"));
    assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "inconsistent"), "{answer:?}");
}
