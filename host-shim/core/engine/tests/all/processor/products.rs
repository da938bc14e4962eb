//! Tests of product events.

use super::events::{T0, command, product, product_event};
use super::{accept, processor};
use extension_contract::{Account, Payload, Product, ProductChange};
use host_engine::processor::Processor;
use serde_json::json;

fn row(processor: &Processor, id: &str) -> Option<Product> {
    host_engine::read::product(processor.store(), &processor.scope(super::events::user("a")), id).unwrap()
}

/// Returns the change that the extension received.
fn seen(processor: &Processor, event_id: &str) -> ProductChange {
    let (scope, id) = (processor.scope(super::events::user("a")), format!("product/{event_id}"));
    let record = host_engine::read::record(processor.store(), &scope, super::toy::COLLECTION, &id).unwrap();
    serde_json::from_str(&record.unwrap().value).unwrap()
}

#[test]
fn the_extension_gets_the_change_unmodified_and_decides_the_row() {
    let mut processor = processor();
    let mut made = product("inst_1", json!({"subdomain": "acme"}));
    // The event's account determines the owner, and the store the version.
    (made.owner, made.version) = (Account::User("b".into()), 77);
    let created = product_event("p1", "product.created", "a", T0, None, Some(made.clone()));
    assert_eq!(accept(&mut processor, vec![created]), ["p1: applied"]);
    assert_eq!(seen(&processor, "p1"), ProductChange { before: None, after: Some(made.clone()) });
    let stored = row(&processor, "inst_1").unwrap();
    assert_eq!((&stored.owner, stored.version, stored.deleted), (&super::events::user("a"), 1, false));
    assert_eq!(stored.values, made.values);
    let changed = product("inst_1", json!({"subdomain": "new"}));
    let updated = product_event("p2", "product.updated", "a", T0, Some(made), Some(changed.clone()));
    assert_eq!(accept(&mut processor, vec![updated]), ["p2: applied"]);
    let stored = row(&processor, "inst_1").unwrap();
    assert_eq!((stored.version, stored.values), (2, changed.values));
}

#[test]
fn a_rejected_product_event_writes_no_row() {
    let mut processor = processor();
    let made = product("inst_1", json!({"subdomain": "acme"}));
    let refused = product("inst_1", json!({"subdomain": "refuse"}));
    let created = |id, made| product_event(id, "product.created", "a", T0, None, Some(made));
    assert_eq!(accept(&mut processor, vec![created("p1", refused.clone())]), ["p1: rejected(forbidden(refuse))"]);
    assert_eq!(row(&processor, "inst_1"), None);
    accept(&mut processor, vec![created("p2", made.clone())]);
    let before = row(&processor, "inst_1");
    let updated = product_event("p3", "product.updated", "a", T0, Some(made), Some(refused));
    assert_eq!(accept(&mut processor, vec![updated]), ["p3: rejected(forbidden(refuse))"]);
    assert_eq!(row(&processor, "inst_1"), before);
}

#[test]
fn a_deleted_product_is_soft_deleted_and_may_be_created_again() {
    let mut processor = processor();
    let made = || Some(product("inst_1", json!({"subdomain": "acme"})));
    accept(&mut processor, vec![product_event("p1", "product.created", "a", T0, None, made())]);
    accept(&mut processor, vec![product_event("p2", "product.deleted", "a", T0, made(), None)]);
    let deleted = row(&processor, "inst_1").unwrap();
    assert_eq!((deleted.deleted, deleted.version, deleted.values), (true, 2, made().unwrap().values));
    accept(&mut processor, vec![product_event("p3", "product.deleted", "a", T0, made(), None)]);
    accept(&mut processor, vec![product_event("p4", "product.created", "a", T0, None, made())]);
    assert!(!row(&processor, "inst_1").unwrap().deleted);
}

#[test]
fn an_invalid_row_is_a_failure_without_changes() {
    let mut processor = processor();
    let broken = product_event("p1", "product.created", "a", T0, None, Some(product("", json!({}))));
    let lines = accept(&mut processor, vec![broken]);
    assert!(lines[0].starts_with("p1: failed(limit exceeded: row id of 0 bytes"), "{lines:?}");
    let mut no_object = product("inst_1", json!({}));
    no_object.values.metadata = "[]".into();
    let lines = accept(&mut processor, vec![product_event("p2", "product.created", "a", T0, None, Some(no_object))]);
    assert!(lines[0].starts_with("p2: failed(the decision can't be kept: values do not fit"), "{lines:?}");
    let gone = product_event("p3", "product.deleted", "a", T0, Some(product("inst_1", json!({}))), None);
    let lines = accept(&mut processor, vec![gone]);
    assert_eq!(
        lines,
        ["p3: failed(the decision can't be kept: product `inst_1` cannot be removed: it does not exist)"]
    );
    assert_eq!(row(&processor, "inst_1"), None);
    assert_eq!(super::events::things(processor.store(), "a", ""), [""; 0]);
}

#[test]
fn an_event_without_a_product_reaches_the_extension() {
    let mut processor = processor();
    let mut empty = command("p1", "a", T0, json!({}));
    empty.payload = Payload::Product(Box::new(ProductChange { before: None, after: None }));
    assert_eq!(accept(&mut processor, vec![empty]), ["p1: applied"]);
    assert_eq!(seen(&processor, "p1"), ProductChange { before: None, after: None });
}
