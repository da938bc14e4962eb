//! What happens at a Stripe beside a host is told, signed and at its time; what can't be done there is said.

use host_beside::LocalStripe;
use host_intake::request::{Endpoints, Taken};
use host_replay::beside::{Beside, BesideError};
use host_replay::scenario::AtStripe;
use serde_json::Value;

/// 2026-01-01T00:00:00Z, in milliseconds.
const START: i64 = 1_767_225_600_000;
const DAY: i64 = 86_400_000;

fn call(method: &str, path: &str, form: &[(&str, &str)]) -> AtStripe {
    let form = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    AtStripe { method: method.to_owned(), path: path.to_owned(), form }
}

/// The events that an endpoint takes of what is told: type, API version and seconds since the epoch.
fn heard(stripe: &LocalStripe, endpoints: &Endpoints) -> Vec<(String, String, i64)> {
    let mut heard = Vec::new();
    while let Some(delivery) = stripe.next().expect("it is there") {
        let body: Value = serde_json::from_slice(&delivery.body).expect("JSON");
        let answer = delivery.taken_by(endpoints);
        assert!(matches!(answer.taken, Taken::Event(..)), "{:?}", answer.taken);
        (delivery.answer)(answer.status);
        let text = |member: &str| body[member].as_str().expect("a text").to_owned();
        heard.push((text("type"), text("api_version"), body["created"].as_i64().expect("a time")));
    }
    heard
}

fn begun() -> (LocalStripe, Endpoints) {
    let stripe = LocalStripe::start().expect("a free port");
    let secrets = stripe.begin("2020-08-27", START).expect("an endpoint");
    let endpoints = Endpoints { business: "shop".to_owned(), stripe: Some(secrets), webhooks: Vec::new() };
    (stripe, endpoints)
}

#[test]
fn what_happens_is_told_signed_in_the_version_asked_for_and_at_its_time() {
    let (stripe, endpoints) = begun();
    assert_eq!(heard(&stripe, &endpoints), []);
    let price =
        [("product_data[name]", "Pro"), ("currency", "usd"), ("unit_amount", "500"), ("recurring[interval]", "month")];
    stripe.call(&call("POST", "/v1/prices", &price)).expect("a price");
    let card = [("payment_method", "pm_card_visa"), ("invoice_settings[default_payment_method]", "pm_card_visa")];
    stripe.call(&call("POST", "/v1/customers", &card)).expect("a customer");
    let items = [("customer", "{customer}"), ("items[0][price]", "{price}")];
    stripe.call(&call("POST", "/v1/subscriptions", &items)).expect("a subscription of the newest of both");
    let first = heard(&stripe, &endpoints);
    let kinds: Vec<&str> = first.iter().map(|(kind, ..)| kind.as_str()).collect();
    assert!(kinds.contains(&"price.created") && kinds.contains(&"invoice.paid"), "{kinds:?}");
    assert!(first.iter().all(|(_, version, at)| version == "2020-08-27" && *at == START / 1_000), "{first:?}");
    assert_eq!(heard(&stripe, &endpoints), []);
    // A week before the next period it is announced, and it begins a month later; nothing is told in between.
    for (kind, at) in [("invoice.upcoming", START + 24 * DAY), ("invoice.created", START + 31 * DAY)] {
        assert_eq!(stripe.next_due(START + 40 * DAY), Some(at));
        stripe.advance_to(at - 1_000);
        assert_eq!(heard(&stripe, &endpoints), []);
        stripe.advance_to(at);
        assert!(
            heard(&stripe, &endpoints).iter().any(|(heard, _, when)| heard == kind && *when == at / 1_000),
            "{kind}"
        );
    }
}

#[test]
fn what_is_signed_by_another_secret_is_not_taken() {
    let (stripe, first) = begun();
    let secrets = stripe.begin("2025-03-31.basil", START).expect("a second endpoint");
    let second = Endpoints { business: "shop".to_owned(), stripe: Some(secrets), webhooks: Vec::new() };
    stripe.call(&call("POST", "/v1/customers", &[])).expect("a customer");
    // It is told to both, and each takes what was signed for it alone.
    let mut taken = Vec::new();
    while let Some(delivery) = stripe.next().expect("it is there") {
        taken.push((delivery.taken_by(&first).status, delivery.taken_by(&second).status));
        (delivery.answer)(200);
    }
    taken.sort_unstable();
    assert_eq!(taken, [(200, 400), (400, 200)]);
}

#[test]
fn a_delivery_that_fails_comes_again() {
    let (stripe, endpoints) = begun();
    stripe.call(&call("POST", "/v1/customers", &[])).expect("a customer");
    let delivery = stripe.next().expect("it is there").expect("an event");
    (delivery.answer)(503);
    assert_eq!(heard(&stripe, &endpoints).len(), 1);
}

#[test]
fn what_cant_be_done_there_is_said() {
    let (stripe, _) = begun();
    let nobody = stripe.call(&call("POST", "/v1/customers/{customer}", &[]));
    let path = "POST /v1/customers/{customer}".to_owned();
    assert_eq!(nobody, Err(BesideError::Nothing { call: path, kind: "customer".to_owned() }));
    let Err(BesideError::Refused { status: 404, message, .. }) =
        stripe.call(&call("DELETE", "/v1/customers/cus_1", &[]))
    else {
        panic!("a customer who is not there can't be deleted")
    };
    assert!(message.contains("No such customer"), "{message}");
}
