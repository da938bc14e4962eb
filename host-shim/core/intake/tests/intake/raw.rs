//! Tests of unsigned events in files.

use crate::common::*;
use extension_contract::{
    Account, Actor, ActorKind, BillingInterval, Delivery, IntervalUnit, Money, Payload, Product, ProductChange,
    ProductValues, Refusal, Usage,
};
use host_intake::Decoded;
use host_intake::json::JsonKind;
use host_intake::raw::{InputError, read};
use serde_json::{Value, json};

fn decoded(value: &Value) -> Decoded {
    read(bytes(value), "solobase", NOW_MS).unwrap_or_else(|e| panic!("{value}: {e}"))
}

fn malformed(pointer: &str) -> Option<Refusal> {
    Some(Refusal::Malformed(pointer.to_owned()))
}

fn change(decoded: Decoded) -> ProductChange {
    match decoded.event.payload {
        Payload::Product(change) => *change,
        other => panic!("expected a product, got {other:?}"),
    }
}

/// Returns a raw product event.
fn created() -> Value {
    json!({
        "id": "pe_1", "event": "product.created", "timestamp": "2026-01-01T00:00:00Z",
        "actor": {"kind": "user", "id": "user-123", "roles": ["owner"]},
        "data": {
            "id": "inst_1", "type": "instance", "name": "Shop", "user_id": "user-123",
            "metadata": {"subdomain": "shop", "plan_id": "prod_starter", "status": "provisioning"},
        },
    })
}

fn with(name: &str, value: Value) -> Decoded {
    let mut event = created();
    event["data"][name] = value;
    decoded(&event)
}

fn product(decoded: Decoded) -> Product {
    assert_eq!(decoded.refusal, None);
    change(decoded).after.expect("created")
}

#[test]
fn a_stripe_event_is_read_unsigned() {
    let raw = decoded(&invoice_paid());
    assert_eq!(raw.refusal, None);
    assert_eq!(raw.event.source, "stripe");
    assert_eq!(raw.event.payment.expect("Stripe's").matched_secret, None);
    let thin =
        decoded(&json!({"id": "evt_2", "object": "v2.core.event", "type": "v1.x", "created": "2026-01-01T00:00:00Z"}));
    assert_eq!((thin.refusal, thin.time), (None, Some(1_767_225_600_000)));
}

#[test]
fn a_product_is_created() {
    let decoded = decoded(&created());
    assert_eq!(decoded.refusal, None);
    assert_eq!(decoded.time, Some(1_767_225_600_000));
    let event = &decoded.event;
    assert_eq!(
        (event.id.as_str(), event.source.as_str(), event.kind.as_str()),
        ("pe_1", "products", "product.created")
    );
    let user = Account::User("user-123".to_owned());
    assert_eq!(event.account, Some(user.clone()));
    assert_eq!((event.livemode, &event.payment), (None, &None));
    let actor = Actor { kind: ActorKind::User, subject: "user-123".to_owned(), roles: vec!["owner".to_owned()] };
    assert_eq!(event.actor, actor);
    let product = Product {
        id: "inst_1".to_owned(),
        owner: user,
        values: ProductValues {
            product_type: "instance".to_owned(),
            name: "Shop".to_owned(),
            description: String::new(),
            active: true,
            price: None,
            interval: None,
            filters: Vec::new(),
            metadata: r#"{"plan_id":"prod_starter","status":"provisioning","subdomain":"shop"}"#.to_owned(),
        },
        version: 0,
        deleted: false,
    };
    assert_eq!(change(decoded), ProductChange { before: None, after: Some(product) });
}

#[test]
fn a_product_is_updated_and_deleted() {
    let mut event = created();
    event["event"] = json!("product.updated");
    let without = change(decoded(&event));
    assert_eq!(without.before, None, "the host reads the old product");
    event["previous"] = event["data"].clone();
    event["data"]["name"] = json!("New");
    let both = change(decoded(&event));
    assert_eq!(both.before, without.after);
    assert_eq!(both.after.expect("it is there").values.name, "New");
    event["previous"]["id"] = json!("inst_2");
    assert_eq!(decoded(&event).refusal.expect("another product").code(), "inconsistent");

    let mut event = created();
    event["event"] = json!("product.deleted");
    let gone = change(decoded(&event));
    assert_eq!(gone.before.expect("it was there").id, "inst_1");
    assert_eq!(gone.after, None);
}

#[test]
fn timestamps() {
    let time = |value: Value| {
        let mut event = created();
        event["timestamp"] = value;
        let decoded = decoded(&event);
        (decoded.time, decoded.refusal)
    };
    assert_eq!(time(json!(1767225600)), (Some(1_767_225_600_000), None));
    assert_eq!(time(json!("2026-01-01T02:00:00.5+02:00")), (Some(1_767_225_600_500), None));
    assert_eq!(time(json!(null)), (None, None));
    for bad in [json!("now"), json!("2026-01-01"), json!(1.5), json!(-1), json!([])] {
        assert_eq!(time(bad.clone()), (None, malformed("/timestamp")), "{bad}");
    }
}

#[test]
fn type_is_an_alias_of_product_type() {
    assert_eq!(product(with("product_type", json!("instance"))).values.product_type, "instance");
    assert_eq!(with("product_type", json!("plan")).refusal, malformed("/data/product_type"));
    assert_eq!(with("type", json!(null)).refusal, malformed("/data/product_type"));
    let mut event = created();
    event["data"]["type"] = json!(null);
    event["data"]["product_type"] = json!("instance");
    assert_eq!(product(decoded(&event)).values.product_type, "instance");
}

#[test]
fn prices() {
    let usd = |amount_minor| Some(Money { amount_minor, currency: "usd".to_owned() });
    assert_eq!(product(with("price", json!(500))).values.price, usd(500));
    assert_eq!(
        product(with("price", json!({"amount": 500, "currency": "EUR"}))).values.price.expect("one").currency,
        "eur"
    );
    assert_eq!(product(with("price", json!({"amount_minor": 0, "currency": "usd"}))).values.price, usd(0));
    assert_eq!(product(with("price", json!(null))).values.price, None);
    for bad in [json!(5.0), json!("500"), json!(-1), json!([500]), json!({"currency": "usd"}), json!(9.3e18)] {
        assert_eq!(with("price", bad.clone()).refusal, malformed("/data/price"), "{bad}");
    }
    assert_eq!(with("price", json!({"amount": 500})).refusal, malformed("/data/price/currency"));
    assert_eq!(with("price", json!({"amount": 500, "currency": "euro"})).refusal, malformed("/data/price/currency"));
}

#[test]
fn intervals() {
    let interval = |value| product(with("billing_interval", value)).values.interval;
    let every = |unit, count| Some(BillingInterval { unit, count });
    assert_eq!(interval(json!("month")), every(IntervalUnit::Month, 1));
    assert_eq!(interval(json!({"unit": "week", "count": 2})), every(IntervalUnit::Week, 2));
    for none in [json!("once"), json!(""), json!(null)] {
        assert_eq!(interval(none), None);
    }
    assert_eq!(product(with("interval", json!("year"))).values.interval, every(IntervalUnit::Year, 1));
    for bad in [json!("fortnight"), json!({"unit": "week", "count": 0}), json!({"count": 1}), json!(1)] {
        assert_eq!(with("billing_interval", bad.clone()).refusal, malformed("/data/billing_interval"), "{bad}");
    }
}

#[test]
fn owners() {
    let owner = |changes: Value| {
        let mut event = created();
        for (name, value) in changes.as_object().expect("an object") {
            event["data"][name] = value.clone();
        }
        let decoded = decoded(&event);
        (decoded.event.account.expect("placed").to_string(), decoded.refusal.map(|refusal| refusal.code()))
    };
    let ok = |text: &str| (text.to_owned(), None);
    assert_eq!(owner(json!({})), ok("user:user-123"));
    assert_eq!(owner(json!({"user_id": null, "organization_id": "o1"})), ok("organization:o1"));
    assert_eq!(owner(json!({"user_id": null, "owner": "platform"})), ok("platform"));
    assert_eq!(owner(json!({"owner": "user:user-123"})), ok("user:user-123"));
    assert_eq!(owner(json!({"user_id": null, "metadata": {"user_id": "u7"}})), ok("user:u7"));
    assert_eq!(owner(json!({"user_id": null})), ok("user:user-123"), "the acting user");
    assert_eq!(owner(json!({"organization_id": "o1"})), ("user:user-123".to_owned(), Some("inconsistent")));
    assert_eq!(owner(json!({"owner": "somebody"})), ("user:user-123".to_owned(), Some("malformed")));
    let mut event = created();
    event["data"]["user_id"] = json!(null);
    event["actor"] = json!(null);
    assert_eq!(decoded(&event).event.account, Some(Account::Platform));
}

#[test]
fn three_shapes_give_the_same_record() {
    let plan = |fields: Value| {
        let mut event = created();
        event["data"] = json!({"id": "prod_starter", "type": "subscription_plan", "name": "Starter", "price": 1500});
        for (name, value) in fields.as_object().expect("an object") {
            event["data"][name] = value.clone();
        }
        product(decoded(&event))
    };
    let in_metadata = plan(json!({"metadata": {"max_instances": 3, "plan_tier": "starter"}}));
    let in_features = plan(json!({"features": {"max_instances": 3, "plan_tier": "starter"}}));
    let on_top = plan(json!({"max_instances": 3, "plan_tier": "starter"}));
    let spread =
        plan(json!({"max_instances": 3, "features": {"plan_tier": "starter"}, "metadata": {"max_instances": 3}}));
    assert_eq!(in_metadata.values.metadata, r#"{"max_instances":3,"plan_tier":"starter"}"#);
    for other in [in_features, on_top, spread] {
        assert_eq!(other, in_metadata);
    }
    let listed = plan(json!({"features": ["fast"], "metadata": ""}));
    assert_eq!(listed.values.metadata, r#"{"features":["fast"]}"#);
    assert_eq!(with("subdomain", json!("other")).refusal, malformed("/data/subdomain"), "two values for one field");
}

#[test]
fn bookkeeping_is_ignored_and_filters_are_read() {
    let mut event = created();
    for (name, value) in [("created_at", json!("2026-01-01")), ("version", json!(3)), ("filter_numeric_1", json!(12.5))]
    {
        event["data"][name] = value;
    }
    event["data"]["features"] = json!({"filter_text_1": "a\"b"});
    event["data"]["filter_text_2"] = json!(null);
    let product = product(decoded(&event));
    let filters = [("filter_numeric_1", "12.5"), ("filter_text_1", "a\"b")];
    assert_eq!(product.values.filters, filters.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(!product.values.metadata.contains("created_at"));
    event["data"]["filter_text_1"] = json!("c");
    assert_eq!(decoded(&event).refusal, malformed("/data/filter_text_1"), "two values for one slot");
}

#[test]
fn a_product_event_with_broken_parts_is_refused() {
    let cases = [
        ("/id", None, "/id"),
        ("/event", Some(json!("product.sold")), "/event"),
        ("/data", None, "/data"),
        ("/data", Some(json!([])), "/data"),
        ("/data/id", None, "/data/id"),
        ("/data/metadata", Some(json!("x")), "/data/metadata"),
        ("/data/name", Some(json!(1)), "/data/name"),
        ("/data/active", Some(json!("yes")), "/data/active"),
        ("/actor", Some(json!("me")), "/actor"),
        ("/actor/kind", Some(json!("robot")), "/actor/kind"),
        ("/actor/id", None, "/actor/id"),
        ("/actor/roles", Some(json!([1])), "/actor/roles"),
        ("/livemode", Some(json!(1)), "/livemode"),
        ("/data/metadata", Some(json!({"big": "x".repeat(300_000)})), "/data/metadata"),
    ];
    for (pointer, value, refusal) in cases {
        let mut event = created();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        let parent = event.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
        match value {
            Some(value) => parent.insert(name.to_owned(), value),
            None => parent.remove(name),
        };
        let decoded = decoded(&event);
        assert_eq!(decoded.refusal, malformed(refusal), "{pointer}");
        assert!(!decoded.event.id.is_empty());
    }
    let twice = created().to_string().replacen("\"id\":", "\"id\":\"x\",\"id\":", 1);
    let decoded = read(twice.into_bytes(), "solobase", NOW_MS).expect("an event");
    assert_eq!(decoded.refusal, malformed("/actor/id"), "the first that ends");
}

#[test]
fn a_record_without_an_envelope_is_a_created_product() {
    let record = json!({"id": "inst_1", "type": "instance", "metadata": {"user_id": "u1", "status": "provisioning"}});
    let first = decoded(&record);
    assert_eq!(first.refusal, None);
    assert_eq!((first.event.kind.as_str(), first.event.source.as_str()), ("product.created", "products"));
    assert!(first.event.id.starts_with("sha256:"));
    assert_eq!(product(first).owner, Account::User("u1".to_owned()));
    let without = decoded(&json!({"type": "instance", "metadata": {}}));
    assert_eq!(without.refusal, malformed("/id"), "an existing row has an id");
}

#[test]
fn commands() {
    let command = json!({
        "id": "cmd_1", "command": "instance.retry", "account": "user:u1", "timestamp": 1767225600,
        "actor": {"kind": "admin", "id": "root"}, "reply_to": "call-1", "payload": {"instance": "inst_1"},
    });
    let read = decoded(&command);
    assert_eq!(read.refusal, None);
    assert_eq!(read.time, Some(1_767_225_600_000));
    assert_eq!(read.event.payload, Payload::Command(r#"{"instance":"inst_1"}"#.to_owned()));
    assert_eq!(read.event.account, Some(Account::User("u1".to_owned())));
    assert_eq!((read.event.source.as_str(), read.event.kind.as_str()), ("api", "instance.retry"));
    assert_eq!(read.event.reply_to.as_deref(), Some("call-1"));

    let own = decoded(&json!({"id": "cmd_2", "command": "x", "actor": {"kind": "user", "id": "u2"}}));
    assert_eq!((own.refusal, own.event.account), (None, Some(Account::User("u2".to_owned()))));
    assert_eq!(own.event.payload, Payload::Command("{}".to_owned()));

    for (name, value, pointer) in [
        ("account", json!(null), "/account"),
        ("account", json!("u1"), "/account"),
        ("id", json!(null), "/id"),
        ("payload", json!([]), "/payload"),
        ("payload", json!({"big": "x".repeat(300_000)}), "/payload"),
        ("command", json!(""), "/command"),
    ] {
        let mut broken = command.clone();
        broken[name] = value.clone();
        assert_eq!(decoded(&broken).refusal, malformed(pointer), "{name} = {value}");
    }
}

// covers: PLG-05
#[test]
fn a_fact_of_the_business_is_read() {
    let fact = json!({
        "id": "reg_1", "event": "user.registered", "account": "user:u1", "timestamp": 1767225600,
        "actor": {"kind": "service", "id": "identity"}, "data": {"email": "ada@example.com"},
    });
    let read = decoded(&fact);
    assert_eq!((read.refusal, read.time), (None, Some(1_767_225_600_000)));
    assert_eq!(read.event.payload, Payload::Command(r#"{"email":"ada@example.com"}"#.to_owned()));
    assert_eq!((read.event.source.as_str(), read.event.kind.as_str()), ("business", "user.registered"));
    assert_eq!(read.event.account, Some(Account::User("u1".to_owned())));
    let bare = decoded(&json!({"id": "f", "event": "a.b", "account": "user:u1"}));
    assert_eq!((bare.refusal, bare.event.payload), (None, Payload::Command("{}".to_owned())));
    for (name, value, pointer) in [
        ("account", json!("u1"), "/account"),
        ("id", json!(null), "/id"),
        ("data", json!([]), "/data"),
        ("data", json!({"big": "x".repeat(300_000)}), "/data"),
        ("event", json!(""), "/event"),
        ("event", json!("product.made"), "/event"),
    ] {
        let mut broken = fact.clone();
        broken[name] = value.clone();
        assert_eq!(decoded(&broken).refusal, malformed(pointer), "{name} = {value}");
    }
}

#[test]
fn measurements() {
    let batch = json!({
        "id": "use_1", "account": "user:u1", "timestamp": "2026-01-01T00:00:00Z", "reply_to": "call-1",
        "actor": {"kind": "service", "id": "monitor"},
        "usage": [
            {"id": "m1", "meter": "tokens", "quantity": 5, "attributes": {"model": "m, [1]", "cached": true, "tier": 2}},
            {"id": "m2", "meter": "tokens", "quantity": -1, "at": "2026-01-02T00:00:00Z"},
            {"id": "m3", "meter": "tokens", "quantity": 0, "at": 1767225601, "attributes": {}},
        ],
    });
    let read = decoded(&batch);
    assert_eq!((read.refusal, read.time), (None, Some(1_767_225_600_000)));
    assert_eq!(read.event.account, Some(Account::User("u1".to_owned())));
    assert_eq!((read.event.source.as_str(), read.event.kind.as_str()), ("api", "usage"));
    assert_eq!(read.event.reply_to.as_deref(), Some("call-1"));
    let usage = |id: &str, quantity, at, attributes: &[(&str, &str)]| Usage {
        id: id.to_owned(),
        meter: "tokens".to_owned(),
        quantity,
        at,
        attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let expected = vec![
        usage("m1", 5, 1_767_225_600_000, &[("cached", "true"), ("model", "m, [1]"), ("tier", "2")]),
        usage("m2", -1, 1_767_312_000_000, &[]),
        usage("m3", 0, 1_767_225_601_000, &[]),
    ];
    assert_eq!(read.event.payload, Payload::Usage(expected));

    for (pointer, value, expected) in [
        ("/usage", json!([]), "/usage"),
        ("/usage", json!([7]), "/usage"),
        ("/usage", json!(vec![batch["usage"][0].clone(); 257]), "/usage"),
        ("/usage/1/id", json!(null), "/usage/1/id"),
        ("/usage/0/meter", json!(""), "/usage/0/meter"),
        ("/usage/0/quantity", json!(1.5), "/usage/0/quantity"),
        ("/usage/0/quantity", json!(null), "/usage/0/quantity"),
        ("/usage/1/at", json!("today"), "/usage/1/at"),
        ("/usage/0/attributes", json!([]), "/usage/0/attributes"),
        ("/usage/0/attributes/model", json!({}), "/usage/0/attributes"),
        ("/usage/0/attributes/model", json!("x".repeat(256)), "/usage/0/attributes"),
        ("/account", json!(null), "/account"),
        // Without the event's timestamp, the first measurement has no time.
        ("/timestamp", json!(null), "/usage/0/at"),
    ] {
        let mut broken = batch.clone();
        *broken.pointer_mut(pointer).expect("a place") = value.clone();
        assert_eq!(decoded(&broken).refusal, malformed(expected), "{pointer} = {value}");
    }
    let full =
        json!({"id": "use_2", "account": "user:u1", "timestamp": 1, "usage": vec![batch["usage"][0].clone(); 256]});
    assert_eq!(decoded(&full).refusal, None);
}

#[test]
fn a_message_is_read_as_its_sender_sent_it() {
    let message = json!({
        "id": "solobase/test/user:u2/share/1@3", "message": "share/1", "generation": 3, "from": "user:u2",
        "account": "user:u1", "timestamp": "2026-01-01T00:00:00Z", "payload": {"amount": 5},
    });
    let Decoded { event, refusal, .. } = decoded(&message);
    assert_eq!(refusal, None);
    assert_eq!((event.id.as_str(), event.source.as_str()), ("solobase/test/user:u2/share/1@3", "message"));
    assert_eq!((event.kind.as_str(), event.account), ("account.send", Some(Account::User("u1".into()))));
    let (sender, key) = (Account::User("u2".into()), "share/1".to_owned());
    let payload = json!({"amount": 5}).to_string();
    assert_eq!(event.payload, Payload::Message(Delivery { sender, key, generation: 3, payload }));
    for (pointer, value) in [
        ("/from", json!("nobody")),
        ("/account", json!(null)),
        ("/generation", json!(-1)),
        ("/message", json!("")),
        ("/payload", json!([])),
    ] {
        let mut broken = message.clone();
        *broken.pointer_mut(pointer).expect("a place") = value.clone();
        assert_eq!(decoded(&broken).refusal, malformed(pointer), "{pointer} = {value}");
    }
}

#[test]
fn an_incomplete_event_is_refused_instead_of_an_input_error() {
    let named = decoded(&json!({"type": "invoice.paid", "id": "evt_1"}));
    assert_eq!((named.event.id.as_str(), named.refusal), ("evt_1", malformed("/object")));
    for (value, pointer) in [
        (json!({"type": "invoice.paid"}), "/object"),
        (json!({"object": "subscription"}), "/object"),
        (json!({"object": "product", "type": "service", "metadata": {}}), "/object"),
        (json!({"object": "event"}), "/id"),
        (json!({"type": "", "data": {}}), "/object"),
        (json!({"event": "user.registered"}), "/id"),
        (json!({"command": "x"}), "/id"),
        (json!({"usage": []}), "/id"),
    ] {
        let decoded = decoded(&value);
        assert_eq!(decoded.refusal, malformed(pointer), "{value}");
        assert!(decoded.event.id.starts_with("sha256:"), "{value}");
    }
}

#[test]
fn other_input_is_an_input_error() {
    let error = |bytes: &[u8]| read(bytes.to_vec(), "solobase", NOW_MS).expect_err("no event");
    assert_eq!(error(b"[]"), InputError::NotAnObject { found: JsonKind::Array });
    assert_eq!(error(b"{}"), InputError::NoEvent);
    assert_eq!(error(b"{\"type\": 1, \"object\": null, \"event\": {}, \"usage\": {}}"), InputError::NoEvent);
    let broken = b"{\n\"object\": \"event\",\n}";
    let broken_error = error(broken);
    assert!(matches!(broken_error, InputError::NotJson(_)), "{broken_error}");
    assert_eq!(broken_error.line(broken), 3);
    for part in ["`object`", "`event`", "`command`", "`usage`", "`product.created`"] {
        assert!(InputError::NoEvent.to_string().contains(part), "lists the expected input");
    }
    let too_large = vec![b' '; 20 * 1024 * 1024];
    assert!(error(&too_large).to_string().contains("at most 1048576"));
}
