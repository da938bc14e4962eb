//! Refusals and temporary errors of Stripe.

use crate::stripe::bench::{Bench, KEY, call, config};
use counterparts::Fault;
use host_provider_api::{Call, CallOutcome, EventQuery, Provider, Secret};
use host_providers::http::ExchangeLimits;
use host_providers::stripe::{Config, Stripe};
use serde_json::json;

fn customer() -> Call {
    call("stripe.customer.create", json!({"metadata": {"user_id": "ada"}}))
}

fn refused(answer: &CallOutcome) -> (&str, &str) {
    match answer {
        CallOutcome::Refused { code, message } => (code, message),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_refusal_of_stripe_has_its_code_and_message() {
    let bench = Bench::start();
    let missing =
        json!({"mode": "payment", "price": "price_missing", "quantity": 1, "success_url": "https://shop.example"});
    let answer = bench.call(&call("stripe.checkout.create", missing));
    let (code, message) = refused(&answer);
    assert_eq!(code, "resource_missing");
    assert!(message.contains("No such price: 'price_missing'"), "{message}");
    let answer = bench.call(&call("stripe.retrieve", json!({"object": "customer", "id": "cus_missing"})));
    assert_eq!(refused(&answer).0, "resource_missing");
}

#[test]
fn each_status_is_refused_or_retried() {
    let bench = Bench::start();
    let mut number = 0;
    let mut ask = |fault: Fault| {
        number += 1;
        bench.proxy.clear();
        bench.proxy.fail_nth(0, fault);
        bench.call(&Call { key: format!("customer:{number}"), ..customer() })
    };
    for status in [400, 402, 404] {
        assert!(matches!(ask(Fault::Status(status, None)), CallOutcome::Refused { .. }), "{status}");
    }
    for status in [401, 403] {
        assert_eq!(refused(&ask(Fault::Status(status, None))).0, "unauthorized");
    }
    for status in [409, 424, 429, 500, 502, 503] {
        let hinted = ask(Fault::Status(status, Some(7)));
        assert!(matches!(hinted, CallOutcome::Retry { after_ms: Some(7_000), .. }), "{status}: {hinted:?}");
        assert!(matches!(ask(Fault::Status(status, None)), CallOutcome::Retry { after_ms: None, .. }), "{status}");
    }
    for status in [302, 307] {
        assert!(matches!(ask(Fault::Status(status, None)), CallOutcome::Retry { .. }), "{status}");
    }
}

#[test]
fn an_unreachable_server_is_retried() {
    let stripe = Stripe::new(config(format!("http://127.0.0.1:{}", counterparts::free_port())));
    let answer = stripe.call(&customer());
    assert!(matches!(&answer, CallOutcome::Retry { code, .. } if code == "connection"), "{answer:?}");
}

#[test]
fn a_too_large_response_is_not_read() {
    let bench = Bench::start();
    let limits = ExchangeLimits { body_bytes_max: 100, ..config(String::new()).limits };
    let stripe = Stripe::new(Config { limits, ..config(bench.proxy.url()) });
    let answer = stripe.call(&customer());
    assert!(matches!(&answer, CallOutcome::Retry { code, .. } if code == "answer-too-large"), "{answer:?}");
}

#[test]
fn a_foreign_account_is_unauthorized_without_revealing_the_key() {
    let bench = Bench::start();
    let payload = json!({"object": "customer", "id": "cus_1", "connected_account": "acct_other"});
    let answer = bench.call(&call("stripe.retrieve", payload));
    assert_eq!(refused(&answer).0, "unauthorized");
}

#[test]
fn a_key_of_the_other_mode_is_refused_before_anything_is_sent() {
    let bench = Bench::start();
    let url = bench.proxy.url();
    let swapped = |live: &str, test: &str| {
        let (live_key, test_key) = (Some(Secret::new(live)), Some(Secret::new(test)));
        Stripe::new(Config { live_key, test_key, ..config(url.clone()) })
    };
    let live = Call { scope: "shop/live/user:ada".to_owned(), ..customer() };
    let provider = swapped(KEY, "sk_live_1");
    for request in [customer(), live.clone()] {
        let answer = provider.call(&request);
        let (code, message) = refused(&answer);
        assert_eq!(code, "wrong-mode-key");
        assert!(!message.contains(KEY) && !message.contains("sk_live_1"), "{message}");
    }
    let none = Stripe::new(Config { test_key: None, ..config(url.clone()) });
    for request in [customer(), live] {
        assert_eq!(refused(&none.call(&request)).0, "no-key");
    }
    let nowhere = Call { scope: "shop/user:ada".to_owned(), ..customer() };
    assert_eq!(refused(&none.call(&nowhere)).0, "bad-scope");
    assert!(bench.proxy.seen().is_empty(), "{:?}", bench.proxy.seen());
}

#[test]
fn a_key_repeated_by_stripe_is_not_reported() {
    let bench = Bench::start();
    // `Bench::call` searches every answer for the key; the responses to these three requests contain it.
    let answer = bench.call(&call("stripe.retrieve", json!({"object": "customer", "id": KEY})));
    assert!(refused(&answer).1.contains("No such customer: '(redacted)'"), "{answer:?}");
    let named = bench.make("/v1/customers", &[("name", KEY), ("metadata[note]", &format!("it is {KEY}."))]);
    let outputs = bench.done(&call("stripe.retrieve", json!({"object": "customer", "id": named})));
    assert_eq!(
        (&outputs["object"]["name"], &outputs["object"]["metadata"]["note"]),
        (&json!("(redacted)"), &json!("it is (redacted)."))
    );
    let all = EventQuery { livemode: false, connected_account: None, since_s: 0, before: None };
    let events = bench.stripe.events(&all, 10).expect("events");
    assert!(!events.events.is_empty() && !format!("{events:?}").contains("NobodyMayReadThis"));
    assert!(!format!("{:?}", config(String::new())).contains("NobodyMayReadThis"));
}

#[test]
fn an_invalid_payload_is_refused_with_its_members_name_and_without_a_request() {
    let bench = Bench::start();
    for (kind, payload, member) in [
        ("stripe.account.link", json!({"account": "acct_1/../x"}), "account"),
        ("stripe.checkout.create", json!({"mode": "setup"}), "mode"),
        ("stripe.credit.create", json!({"customer": "cus_1", "amount_minor": 0}), "amount_minor"),
        ("stripe.credit.create", json!({"customer": "cus_1", "amount_minor": 1, "currency": "USD"}), "currency"),
        ("stripe.customer.create", json!({"metadata": []}), "metadata"),
        ("stripe.invoice.create", json!({"customer": null}), "customer"),
        ("stripe.meter_event.create", json!({"event_name": "e", "customer": "cus_1", "value": 0}), "value"),
        ("stripe.meter_event.create", json!({"event_name": "e", "customer": "cus_1", "value": 1, "at": "now"}), "at"),
        ("stripe.price.create", json!({"stripe_product_id": "p", "unit_amount": -1}), "unit_amount"),
        (
            "stripe.price.create",
            json!({"stripe_product_id": "p", "unit_amount": 1, "currency": "usd", "currencies": {"eur": "1"}}),
            "currencies",
        ),
        ("stripe.product.create", json!({"name": ""}), "name"),
        ("stripe.refund.create", json!({"reason": "duplicate"}), "payment_intent"),
        (
            "stripe.refund.create",
            json!({"reason": "duplicate", "subscription": "sub_1", "currency": "usd"}),
            "amount_minor",
        ),
        ("stripe.retrieve", json!({"object": "customer", "id": "a?b"}), "id"),
        ("stripe.subscription.cancel", json!({"subscription": "sub_1"}), "at_period_end"),
        ("stripe.subscription.pause", json!({"subscription": "sub_1"}), "resumes_at_ms"),
        ("stripe.transfer.create", json!({"destination": "acct_1"}), "transfer_group"),
    ] {
        let answer = bench.call(&call(kind, payload));
        let (code, message) = refused(&answer);
        assert_eq!(code, "bad-payload", "{kind}");
        assert!(message.contains(&format!("`{member}`")), "{kind}: {message}");
    }
    assert_eq!(refused(&bench.call(&call("stripe.mystery.create", json!({})))).0, "unsupported");
    let unknown = call("stripe.retrieve", json!({"object": "secret", "id": "s_1"}));
    assert_eq!(refused(&bench.call(&unknown)).0, "unknown-object");
    assert!(bench.proxy.seen().is_empty(), "{:?}", bench.proxy.seen());
}
