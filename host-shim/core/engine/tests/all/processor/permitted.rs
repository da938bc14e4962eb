//! Tests of the manifest: which decisions it refuses, and which events it keeps from the extension.

use super::events::{T0, command, product, product_event, user, webhook};
use super::toy::ToyRunner;
use super::{accept, business};
use extension_contract::{Event, Payload};
use host_business::manifest::Manifest;
use host_engine::processor::{Business, Processor};
use host_store::MemoryStore;
use serde_json::{Value, json};
use std::path::Path;

const ALL: [&str; 5] = ["products.read", "products.write", "subscriptions.write", "claims.take", "effects.enqueue"];

fn with(business: Business, lines: &str) -> Processor {
    let manifest = Manifest::parse(Path::new("manifest.yml"), &format!("name: toy\n{lines}\n")).unwrap();
    let Manifest { permitted, not_state, .. } = manifest;
    let business = Business { permitted, not_state, ..business };
    Processor::new(Box::new(MemoryStore::new()), Box::new(ToyRunner::new(1)), business).unwrap()
}

/// Returns a processor whose extension has all permissions but one.
fn without(permission: &str) -> Processor {
    let rest: Vec<String> =
        ALL.iter().filter(|name| **name != permission).map(|name| format!("{{name: {name}}}")).collect();
    assert_eq!(rest.len(), 4, "{permission}");
    with(business(), &format!("permissions: [{}]", rest.join(", ")))
}

fn created() -> Event {
    product_event("e1", "product.created", "a", T0, None, Some(product("p1", json!({}))))
}

fn play(story: Value) -> Event {
    command("e1", "a", T0, story)
}

fn sell() -> Event {
    let mut event = play(json!({"sell": ["price_a"]}));
    event.account = Some(extension_contract::Account::Platform);
    event
}

/// Asserts that the event is applied with all permissions, and refused without this one; nothing of it is stored then.
fn assert_needs(permission: &str, event: &Event, problem: &str) {
    for other in ALL.into_iter().filter(|other| *other != permission) {
        assert_eq!(accept(&mut without(other), vec![event.clone()]), ["e1: applied"], "without {other}");
    }
    let mut processor = without(permission);
    let expected = format!("e1: failed(the decision can't be kept: {problem})");
    assert_eq!(accept(&mut processor, vec![event.clone()]), [expected]);
    assert_eq!(super::events::things(processor.store(), "a", ""), [""; 0]);
    assert_eq!(processor.store().effect(&processor.scope(user("a")), "k").unwrap(), []);
}

#[test]
fn rows_of_products_need_a_permission() {
    let problem = "product `p1` is written without the permission `products.write`";
    assert_needs("products.write", &created(), problem);
    let problem = "price `price_a` is written without the permission `products.write`";
    assert_needs("products.write", &sell(), problem);
}

#[test]
fn subscriptions_need_a_permission() {
    let problem = "subscription `s1` is written without the permission `subscriptions.write`";
    assert_needs("subscriptions.write", &play(json!({"subscribe": ["s1"]})), problem);
}

#[test]
fn claims_need_a_permission() {
    let take = play(json!({"grab": ["name"]}));
    assert_needs("claims.take", &take, "it takes claim `name` without the permission `claims.take`");
    let release = play(json!({"release": ["name"]}));
    assert_needs("claims.take", &release, "it releases claim `name` without the permission `claims.take`");
}

#[test]
fn effects_of_providers_need_a_permission_and_effects_of_the_host_do_not() {
    let send = play(json!({"ask": [{"kind": "mail.send", "key": "k"}]}));
    let problem = "effect `mail.send` is requested without the permission `effects.enqueue`";
    assert_needs("effects.enqueue", &send, problem);
    let timer = json!({"kind": "timer.at", "key": "t", "not_before": T0 + 1});
    let message = json!({"kind": "account.send", "key": "m", "to": "user:b"});
    let erase = json!({"kind": "account.erase", "key": "x"});
    let of_provider = json!({"kind": "payment.event", "key": "p",
        "payload": {"id": "evt_1", "type": "thing.happened", "date_ms": T0, "object": {}}});
    for ask in [timer, message, erase, of_provider] {
        let event = play(json!({"ask": [ask]}));
        assert_eq!(accept(&mut without("effects.enqueue"), vec![event]), ["e1: applied"], "{ask}");
    }
}

#[test]
fn an_effect_that_the_manifest_does_not_list_is_refused_unless_the_business_declares_it() {
    let event = |kind: &str| play(json!({"ask": [{"kind": kind, "key": "k"}]}));
    let effects = "effects: [mail.send]";
    assert_eq!(accept(&mut with(business(), effects), vec![event("mail.send")]), ["e1: applied"]);
    let expected = "e1: failed(the decision can't be kept: effect `database.ensure` is not permitted by the manifest)";
    assert_eq!(accept(&mut with(business(), effects), vec![event("database.ensure")]), [expected]);
    let mut toys = business();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("business.yml");
    let node = host_business::yaml::Node::parse(&file, "resources: {lamp: [ensure]}\n").unwrap();
    toys.own = host_business::folder::BusinessDeclarations::read(&node).unwrap().for_engine();
    assert_eq!(accept(&mut with(toys.clone(), effects), vec![event("lamp.ensure")]), ["e1: applied"]);
    assert_eq!(accept(&mut with(toys, effects), vec![event("database.ensure")]), [expected]);
}

#[test]
fn an_event_without_a_hook_is_ignored_without_a_call() {
    let hook = |event: &str| format!("hooks: [{{event: {event}, handler: events.handle}}]");
    let stripe = || webhook("e1", T0, json!({"account": "platform"}));
    let ignored = ["e1: ignored(unhandled-kind)"];
    let mut none = with(business(), "hooks: []");
    assert_eq!(accept(&mut none, vec![created()]), ignored);
    assert_eq!(none.store().scopes(None).unwrap(), []);
    assert_eq!(accept(&mut with(business(), "hooks: []"), vec![stripe()]), ignored);
    assert_eq!(accept(&mut with(business(), "hooks: []"), vec![play(json!({}))]), ["e1: applied"], "a command");
    assert_eq!(accept(&mut with(business(), &hook("product.created")), vec![created()]), ["e1: applied"]);
    assert_eq!(accept(&mut with(business(), &hook("product.created")), vec![stripe()]), ignored);
    assert_eq!(accept(&mut with(business(), &hook("webhook.stripe")), vec![stripe()]), ["e1: applied"]);
    let mut updated = created();
    updated.kind = "product.updated".into();
    assert!(matches!(updated.payload, Payload::Product(_)));
    assert_eq!(accept(&mut with(business(), &hook("product.created")), vec![updated]), ignored);
    let mut another = stripe();
    another.source = "another".into();
    assert_eq!(accept(&mut with(business(), "hooks: []"), vec![another]), ["e1: applied"], "a webhook of the business");
}
