//! A local Stripe sends signed webhooks at the right time and reports calls that fail.

use host_intake::request::{Endpoints, Taken};
use host_intake::{EndpointSecrets, Mode, SecretConfig};
use host_provider_api::Registry;
use host_replay::library::{Sources, stories};
use host_replay::live::LiveProviders;
use host_replay::local_stripe::{Delivery, StripeServer, StripeServerError};
use host_replay::play::{CaseReport, PlayOptions, play_watched};
use host_replay::stripe::LocalStripe;
use host_scenario::model::AtStripe;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// 2026-01-01T00:00:00Z, in milliseconds since the epoch.
const START: i64 = 1_767_225_600_000;
const DAY: i64 = 86_400_000;

fn call(method: &str, path: &str, form: &[(&str, &str)]) -> AtStripe {
    let form = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    AtStripe { method: method.to_owned(), path: path.to_owned(), form }
}

/// Receives all pending deliveries; the endpoint must accept each of them. Returns the type, the API version and the
/// creation time (in seconds since the epoch) of each event.
fn received(stripe: &LocalStripe, endpoints: &Endpoints) -> Vec<(String, String, i64)> {
    let mut received = Vec::new();
    while let Some(delivery) = stripe.next().expect("it is there") {
        let body: Value = serde_json::from_slice(&delivery.body).expect("JSON");
        let answer = delivery.taken_by(endpoints);
        assert!(matches!(answer.taken, Taken::Event(..)), "{:?}", answer.taken);
        (delivery.answer)(answer.status);
        let text = |member: &str| body[member].as_str().expect("a text").to_owned();
        received.push((text("type"), text("api_version"), body["created"].as_i64().expect("a time")));
    }
    received
}

fn started() -> (LocalStripe, Endpoints) {
    let stripe = LocalStripe::start().expect("a free port");
    let secrets = stripe.begin("2020-08-27", START).expect("an endpoint");
    let endpoints = Endpoints { business: "shop".to_owned(), stripe: Some(secrets), webhooks: Vec::new() };
    (stripe, endpoints)
}

/// Creates a price, a customer and a monthly subscription.
fn subscribe(stripe: &LocalStripe) {
    let price =
        [("product_data[name]", "Pro"), ("currency", "usd"), ("unit_amount", "500"), ("recurring[interval]", "month")];
    stripe.call(&call("POST", "/v1/prices", &price)).expect("a price");
    let card = [("payment_method", "pm_card_visa"), ("invoice_settings[default_payment_method]", "pm_card_visa")];
    stripe.call(&call("POST", "/v1/customers", &card)).expect("a customer");
    let items = [("customer", "{customer}"), ("items[0][price]", "{price}")];
    stripe.call(&call("POST", "/v1/subscriptions", &items)).expect("a subscription of the newest of both");
}

#[test]
fn a_call_can_name_the_newest_object_of_a_kind() {
    let (stripe, _) = started();
    subscribe(&stripe);
    let told = [("metadata[told]", "bought by {customer} for {price}.")];
    stripe.call(&call("POST", "/v1/subscriptions/{subscription}", &told)).expect("the subscription, changed");
    let mut said = Vec::new();
    while let Some(delivery) = stripe.next().expect("it is there") {
        let body: Value = serde_json::from_slice(&delivery.body).expect("JSON");
        said.extend(body["data"]["object"]["metadata"]["told"].as_str().map(str::to_owned));
        (delivery.answer)(200);
    }
    let is_filled = |it: &String| it.starts_with("bought by cus_") && it.contains(" for price_") && it.ends_with('.');
    assert!(said.len() == 1 && said.iter().all(is_filled), "{said:?}");
}

#[test]
fn webhooks_are_signed_in_the_requested_version_and_sent_at_their_time() {
    let (stripe, endpoints) = started();
    assert_eq!(received(&stripe, &endpoints), []);
    subscribe(&stripe);
    let first = received(&stripe, &endpoints);
    let kinds: Vec<&str> = first.iter().map(|(kind, ..)| kind.as_str()).collect();
    assert!(kinds.contains(&"price.created") && kinds.contains(&"invoice.paid"), "{kinds:?}");
    assert!(first.iter().all(|(_, version, at)| version == "2020-08-27" && *at == START / 1_000), "{first:?}");
    assert_eq!(received(&stripe, &endpoints), []);
    // Stripe announces the invoice of the next period a week before the period begins, and creates it when the period
    // begins. It sends no webhook in between.
    for (kind, at) in [("invoice.upcoming", START + 24 * DAY), ("invoice.created", START + 31 * DAY)] {
        assert_eq!(stripe.next_due(START + 40 * DAY), Some(at));
        stripe.advance_to(at - 1_000);
        assert_eq!(received(&stripe, &endpoints), []);
        stripe.advance_to(at);
        assert!(
            received(&stripe, &endpoints).iter().any(|(received, _, when)| received == kind && *when == at / 1_000),
            "{kind}"
        );
    }
}

#[test]
fn a_webhook_signed_with_another_secret_is_refused() {
    let (stripe, first) = started();
    let secrets = stripe.begin("2025-03-31.basil", START).expect("a second endpoint");
    let second = Endpoints { business: "shop".to_owned(), stripe: Some(secrets), webhooks: Vec::new() };
    stripe.call(&call("POST", "/v1/customers", &[])).expect("a customer");
    // Stripe sends the event to both endpoints. Each accepts only the request that is signed with its secret.
    let mut taken = Vec::new();
    while let Some(delivery) = stripe.next().expect("it is there") {
        taken.push((delivery.taken_by(&first).status, delivery.taken_by(&second).status));
        (delivery.answer)(200);
    }
    taken.sort_unstable();
    assert_eq!(taken, [(200, 400), (400, 200)]);
}

#[test]
fn a_failed_delivery_is_repeated() {
    let (stripe, endpoints) = started();
    stripe.call(&call("POST", "/v1/customers", &[])).expect("a customer");
    let delivery = stripe.next().expect("it is there").expect("an event");
    (delivery.answer)(503);
    assert_eq!(received(&stripe, &endpoints).len(), 1);
}

#[test]
fn events_count_as_delivered_after_a_refused_call() {
    // The second call is refused after the first event was delivered, which must not be forgotten.
    let (stripe, endpoints) = started();
    stripe.call(&call("POST", "/v1/customers", &[])).expect("a customer");
    assert_eq!(received(&stripe, &endpoints).len(), 1);
    let items = [("customer", "{customer}"), ("items[0][price]", "price_of_nothing")];
    let refused = stripe.call(&call("POST", "/v1/subscriptions", &items));
    assert!(matches!(refused, Err(StripeServerError::Refused { .. })), "{refused:?}");
    assert_eq!(received(&stripe, &endpoints), []);
}

#[test]
fn the_wait_for_a_delivery_has_a_limit() {
    let stripe = LocalStripe::start().expect("a free port").with_patience(Duration::ZERO);
    stripe.begin("2020-08-27", START).expect("an endpoint");
    stripe.call(&call("POST", "/v1/customers", &[])).expect("a customer");
    // The host may get the delivery at once, but does not answer it, so the event goes on waiting.
    let first = stripe.next();
    let last = if matches!(first, Ok(Some(_))) { stripe.next() } else { first };
    assert_eq!(last.err(), Some(StripeServerError::Silent { waiting: 1, patience_s: 0 }));
}

#[test]
fn calls_that_fail_return_errors() {
    let (stripe, _) = started();
    let nobody = stripe.call(&call("POST", "/v1/customers/{customer}", &[]));
    let path = "POST /v1/customers/{customer}".to_owned();
    assert_eq!(nobody, Err(StripeServerError::NoObject { call: path, kind: "customer".to_owned() }));
    let Err(StripeServerError::Refused { status: 404, message, .. }) =
        stripe.call(&call("DELETE", "/v1/customers/cus_1", &[]))
    else {
        panic!("a missing customer can't be deleted")
    };
    assert!(message.contains("No such customer"), "{message}");
}

/// A subscription whose payment fails at the first renewal.
const STORY: &str = r#"
name: a subscription at the local Stripe
given: {business: solobase, account: "user:u1", clock: 2026-01-01T00:00:00Z}
events:
  - at_stripe: POST /_sandbox/prices/price_xyz789
    form: {currency: usd, unit_amount: "500", "recurring[interval]": month, "product_data[name]": Hobby}
  - at_stripe: POST /v1/customers
    form: {payment_method: pm_card_visa, "invoice_settings[default_payment_method]": pm_card_visa}
  - at_stripe: POST /v1/subscriptions
    form: {customer: "{customer}", "items[0][price]": price_xyz789, "metadata[user_id]": u1}
  - check: {entitlements: {instances: 1}}
  - at_stripe: POST /v1/payment_methods/pm_card_chargeCustomerFail/attach
    form: {customer: "{customer}"}
  - at_stripe: POST /v1/subscriptions/{subscription}
    form: {default_payment_method: "{payment_method}"}
  - advance: 40d
expect: {}
"#;

/// Plays the scenario with a local Stripe. Returns the report and, for each of Stripe's events, its type, its creation
/// time and its arrival time, both in seconds since the epoch.
fn played(stripe: Arc<dyn StripeServer>) -> (CaseReport, Vec<(String, i64, i64)>) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("story.yml");
    std::fs::write(&file, STORY).expect("a scenario");
    let sources = Sources { fixtures: Some(test_support::fixtures()), ..Sources::default() };
    let story = stories(&[file], sources, &host_replay::native::runners()).expect("a story").remove(0);
    let live = Some(LiveProviders::new(Registry::new()).with_stripe(stripe));
    let options = PlayOptions { live, ..PlayOptions::new(host_replay::native::runners()) };
    let mut came = Vec::new();
    let report = play_watched(&story.scenario, &story.cases[0], &story.business, &options, &mut |stepped| {
        came = stepped.host.store().inbox_after(None, 0, 1_000)?;
        Ok(())
    });
    let of_stripe = came.iter().filter_map(|row| {
        let created = row.event.payment.as_ref()?.time? / 1_000;
        Some((row.event.kind.clone(), created, row.event.received_at / 1_000))
    });
    (report.expect("a story that can be played"), of_stripe.collect())
}

#[test]
fn events_while_time_passes_arrive_at_their_time() {
    let (report, came) = played(Arc::new(LocalStripe::start().expect("a free port")));
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert!(came.iter().all(|(_, created, came)| created == came), "{came:?}");
    let failed = came.iter().filter(|(kind, ..)| kind == "invoice.payment_failed").count();
    assert!(failed > 1, "the renewal and its retries: {came:?}");
}

/// A local Stripe that gives the host a wrong secret.
struct OtherSecret(LocalStripe);

impl StripeServer for OtherSecret {
    fn begin(&self, version: &str, clock: i64) -> Result<EndpointSecrets, StripeServerError> {
        self.0.begin(version, clock)?;
        let other = "whsec_of_another_endpoint".to_owned();
        let config = SecretConfig { name: "other".to_owned(), mode: Mode::Test, connect: None, secret: other };
        Ok(EndpointSecrets::new(vec![config], 300).expect("a secret"))
    }

    fn call(&self, call: &AtStripe) -> Result<(), StripeServerError> {
        self.0.call(call)
    }

    fn next_due(&self, until: i64) -> Option<i64> {
        self.0.next_due(until)
    }

    fn advance_to(&self, to: i64) {
        self.0.advance_to(to);
    }

    fn next(&self) -> Result<Option<Delivery>, StripeServerError> {
        self.0.next()
    }
}

#[test]
fn a_refused_webhook_fails_the_scenario() {
    let (report, came) = played(Arc::new(OtherSecret(LocalStripe::start().expect("a free port"))));
    assert_eq!(came, []);
    let is_refused = |title: &str| title.starts_with("a webhook of Stripe was answered 400");
    assert!(report.failures.iter().any(|failure| is_refused(&failure.title)), "{:?}", report.failures);
}
