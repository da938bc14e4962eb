//! Tests of the envelope: S15, S88, thin events and every base body.

use crate::common::*;
use extension_contract::{Actor, Payload, PaymentFacts, Refusal};
use host_intake::Decoded;
use host_intake::envelope::decode;
use serde_json::{Value, json};

fn decoded(event: &Value) -> Decoded {
    decode(bytes(event), "solobase", None, NOW_MS).expect("an object")
}

fn malformed(pointer: &str) -> Option<Refusal> {
    Some(Refusal::Malformed(pointer.to_owned()))
}

fn facts(event: &Value) -> PaymentFacts {
    let decoded = decoded(event);
    assert_eq!(decoded.refusal, None, "{event}");
    decoded.event.payment.expect("Stripe's")
}

#[test]
fn a_body_gives_all_members_of_the_event() {
    let mut event = invoice_paid();
    event["account"] = json!("acct_1");
    event["request"] = json!({"id": "req_1", "idempotency_key": "solobase/cancel/sub_1"});
    let Decoded { event: envelope, refusal, time, subject } = decoded(&event);
    assert_eq!(refusal, None);
    assert_eq!(time, Some(1_767_225_600_000));
    assert_eq!(subject.as_deref(), event["data"]["object"]["customer"].as_str());
    assert_eq!(
        envelope,
        extension_contract::Event {
            id: "evt_1".to_owned(),
            source: "stripe".to_owned(),
            kind: "invoice.paid".to_owned(),
            business: "solobase".to_owned(),
            account: None,
            livemode: Some(false),
            received_at: NOW_MS,
            attempt: 1,
            actor: Actor::system(),
            reply_to: None,
            payment: Some(PaymentFacts {
                source: "stripe".to_owned(),
                time: Some(1_767_225_600_000),
                api_version: Some("2025-03-31.basil".to_owned()),
                matched_secret: None,
                connected_account: Some("acct_1".to_owned()),
                request_key: Some("solobase/cancel/sub_1".to_owned()),
                snapshot_event: None,
            }),
            payload: Payload::Payment(bytes(&event)),
        }
    );
}

#[test]
fn the_subject_is_the_customer_of_the_object_or_the_object_itself() {
    let subject = |object: Value| {
        let mut event = invoice_paid();
        event["data"]["object"] = object;
        decoded(&event).subject
    };
    let expected = |id: &str| Some(id.to_owned());
    assert_eq!(subject(json!({"id": "sub_1", "customer": "cus_1"})), expected("cus_1"));
    assert_eq!(subject(json!({"id": "sub_1", "customer": {"id": "cus_1", "name": null}})), expected("cus_1"));
    assert_eq!(subject(json!({"id": "cus_1", "customer": null})), expected("cus_1"));
    assert_eq!(subject(json!({"id": "sub_1", "customer": {}})), expected("sub_1"));
    assert_eq!((subject(json!([1])), subject(json!({}))), (None, None));
}

// covers: S15
#[test]
fn s15_an_event_with_missing_or_broken_parts_is_refused() {
    // A pointer to remove or set, the new value, and the refusal.
    let cases: [(&str, Option<Value>, &str); 29] = [
        ("/id", None, "/id"),
        ("/id", Some(json!(null)), "/id"),
        ("/id", Some(json!("")), "/id"),
        ("/id", Some(json!(7)), "/id"),
        ("/id", Some(json!("e".repeat(256))), "/id"),
        ("/id", Some(json!("evt\n1")), "/id"),
        ("/type", None, "/type"),
        ("/type", Some(json!({})), "/type"),
        ("/data", None, "/data/object"),
        ("/data", Some(json!([])), "/data"),
        ("/data/object", None, "/data/object"),
        ("/data/object", Some(json!(null)), "/data/object"),
        ("/data/object", Some(json!("in_1")), "/data/object"),
        ("/data/previous_attributes", Some(json!([])), "/data/previous_attributes"),
        ("/object", None, "/object"),
        ("/object", Some(json!("invoice")), "/object"),
        ("/object", Some(json!(["event"])), "/object"),
        ("/created", None, "/created"),
        ("/created", Some(json!("1767225600")), "/created"),
        ("/created", Some(json!("2026-01-01T00:00:00Z")), "/created"),
        ("/livemode", Some(json!("false")), "/livemode"),
        ("/api_version", Some(json!(2020)), "/api_version"),
        ("/account", Some(json!("acct_1/stripe-customer:cus_2")), "/account"),
        ("/user_id", Some(json!(["acct_1"])), "/user_id"),
        ("/request", Some(json!(1)), "/request"),
        ("/request", Some(json!({"idempotency_key": {}})), "/request/idempotency_key"),
        ("/data/object/id", Some(json!({})), "/data/object/id"),
        ("/data/object/object", Some(json!(1)), "/data/object/object"),
        ("/data/object/created", Some(json!("x")), "/data/object/created"),
    ];
    for (pointer, value, refusal) in cases {
        let mut event = invoice_paid();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        let parent = event.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
        let case = format!("{pointer} = {value:?}");
        match value {
            Some(value) => parent.insert(name.to_owned(), value),
            None => parent.remove(name),
        };
        let decoded = decoded(&event);
        assert_eq!(decoded.refusal, malformed(refusal), "{case}");
        assert_eq!(decoded.event.payload, Payload::Payment(bytes(&event)), "{case}");
        assert!(!decoded.event.id.is_empty(), "{case}");
    }
}

// covers: S15
#[test]
fn s15_an_event_without_id_gets_the_hash_of_its_bytes() {
    let mut event = invoice_paid();
    event["id"] = json!(null);
    let first = decoded(&event).event.id;
    assert_eq!(first, decoded(&event).event.id, "stable");
    assert_eq!(first.len(), "sha256:".len() + 64);
    event["created"] = json!(1767225601);
    assert_ne!(first, decoded(&event).event.id, "other bytes are another event");
}

// covers: S15
#[test]
fn s15_an_optional_part_that_is_null_or_empty_counts_as_missing() {
    // An empty `account` is refused, by a test below.
    for name in ["api_version", "request", "livemode"] {
        let expected = {
            let mut event = invoice_paid();
            event.as_object_mut().expect("an object").remove(name);
            facts(&event)
        };
        for value in [json!(null), json!("")] {
            let mut event = invoice_paid();
            event[name] = value.clone();
            assert_eq!(facts(&event), expected, "{name} = {value}");
        }
    }
    let mut event = invoice_paid();
    event["livemode"] = json!(null);
    assert_eq!(decoded(&event).event.livemode, None, "none if the event has no mode");
}

// covers: S15
#[test]
fn s15_unknown_fields_are_ignored_and_kept() {
    let mut event = invoice_paid();
    event["brand_new"] = json!({"x": [1.5, "ü"]});
    event["data"]["object"]["brand_new"] = json!(1e300);
    let decoded = decoded(&event);
    assert_eq!(decoded.refusal, None);
    assert_eq!(decoded.event.payload, Payload::Payment(bytes(&event)));
}

// covers: S88
#[test]
fn s88_request_may_be_a_string() {
    let mut event = invoice_paid();
    event["request"] = json!("req_1");
    assert_eq!(facts(&event).request_key, None);
}

// covers: S88
#[test]
fn s88_user_id_is_read_if_account_is_missing() {
    let mut event = invoice_paid();
    event["user_id"] = json!("acct_old");
    assert_eq!(facts(&event).connected_account.as_deref(), Some("acct_old"));
    event["account"] = json!("acct_new");
    assert_eq!(facts(&event).connected_account.as_deref(), Some("acct_new"));
}

#[test]
fn an_empty_account_is_refused_and_is_not_our_own_account() {
    for (mut event, name) in [(invoice_paid(), "account"), (invoice_paid(), "user_id"), (thin(), "context")] {
        event[name] = json!("");
        assert_eq!(decoded(&event).refusal, malformed(&format!("/{name}")));
        event[name] = json!(null);
        assert_eq!(decoded(&event).refusal, None, "null is our own account");
    }
}

// covers: S88
#[test]
fn s88_api_version_may_be_null() {
    let mut event = invoice_paid();
    event["api_version"] = json!(null);
    assert_eq!(facts(&event).api_version, None);
}

// covers: S88
#[test]
fn s88_the_object_of_an_event_may_have_no_id() {
    let mut event = event_of("invoice.upcoming", base_body("2020-08-27", "invoice"));
    event["data"]["object"].as_object_mut().expect("an object").remove("id");
    let decoded = decoded(&event);
    assert_eq!(decoded.refusal, None);
    assert_eq!(decoded.event.id, "evt_1", "the event has an id");
}

// covers: S88
#[test]
fn s88_old_shapes_and_odd_statuses_are_left_to_the_extension() {
    let plan =
        json!({"id": "sub_1", "object": "subscription", "plan": {"id": "gold", "amount": 500}, "status": "cancelled"});
    assert_eq!(decoded(&event_of("customer.subscription.updated", plan)).refusal, None);
}

fn thin() -> Value {
    json!({
        "id": "evt_thin_1", "object": "v2.core.event", "type": "v1.invoice.paid", "livemode": true,
        "created": "2026-01-01T00:00:00.250Z", "context": null, "snapshot_event": "evt_1",
        "related_object": {"id": "in_1", "type": "invoice", "url": "/v1/invoices/in_1"},
        "reason": {"type": "request", "request": {"id": "req_1", "idempotency_key": "key_1"}},
    })
}

#[test]
fn thin_events() {
    let decoded = decoded(&thin());
    assert_eq!(decoded.refusal, None);
    assert_eq!((decoded.event.id.as_str(), decoded.event.kind.as_str()), ("evt_thin_1", "v1.invoice.paid"));
    assert_eq!(decoded.event.livemode, Some(true));
    let provider = decoded.event.payment.expect("Stripe's");
    assert_eq!(provider.time, Some(1_767_225_600_250));
    assert_eq!(provider.snapshot_event.as_deref(), Some("evt_1"));
    assert_eq!(provider.request_key.as_deref(), Some("key_1"));
    assert_eq!(provider.connected_account, None);
}

#[test]
fn the_context_of_a_thin_event_names_the_connected_account() {
    let context = |text: &str| {
        let mut event = thin();
        event["context"] = json!(text);
        let decoded = decoded(&event);
        (decoded.event.payment.expect("Stripe's").connected_account, decoded.refusal)
    };
    assert_eq!(context("acct_1"), (Some("acct_1".to_owned()), None));
    assert_eq!(context("org_1/acct_2"), (Some("acct_2".to_owned()), None));
    assert_eq!(context("workspace_1"), (None, malformed("/context")), "not treated as our own account");
}

#[test]
fn a_thin_event_with_broken_parts_is_refused() {
    let cases = [
        ("created", json!(1767225600), "/created"),
        ("created", json!("yesterday"), "/created"),
        ("created", json!(null), "/created"),
        ("type", json!(null), "/type"),
        ("related_object", json!("in_1"), "/related_object"),
        ("related_object", json!({"id": 1}), "/related_object/id"),
        ("snapshot_event", json!(1), "/snapshot_event"),
        ("reason", json!({"request": {"idempotency_key": 1}}), "/reason/request/idempotency_key"),
    ];
    for (name, value, pointer) in cases {
        let mut event = thin();
        event[name] = value.clone();
        assert_eq!(decoded(&event).refusal, malformed(pointer), "{name} = {value}");
    }
    let mut ping = thin();
    ping["type"] = json!("v2.core.event_destination.ping");
    for name in ["snapshot_event", "reason", "context"] {
        ping[name] = json!(null);
    }
    assert_eq!(decoded(&ping).refusal, None);
}

#[test]
fn every_base_body_is_read() {
    for (version, object) in base_bodies() {
        let body = base_body(&version, &object);
        let event =
            if object == "event" { event_of("account.updated", json!({})) } else { event_of("x.updated", body) };
        assert_eq!(decoded(&event).refusal, None, "{version}/{object}");
    }
}
