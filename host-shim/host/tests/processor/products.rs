use super::events::{T0, command, product, product_event};
use super::{accept, processor};
use host::processor::Processor;
use products_contract::{Payload, Product, ProductChange, RecordKey};
use serde_json::{Value, json};

fn row(processor: &Processor, id: &str) -> Option<Product> {
    processor.store().product(&processor.scope(super::events::user("a")), id).unwrap()
}

fn metadata(processor: &Processor, id: &str) -> Value {
    serde_json::from_str(&row(processor, id).unwrap().values.metadata).unwrap()
}

/// What the extension saw of an event.
fn seen(processor: &Processor, event_id: &str) -> ProductChange {
    let key = RecordKey { collection: super::toy::COLLECTION.into(), id: format!("product/{event_id}") };
    let record = processor.store().record(&processor.scope(super::events::user("a")), &key).unwrap().unwrap();
    serde_json::from_str(&record.value).unwrap()
}

#[test]
fn the_row_of_a_created_product_exists_when_the_extension_sees_it() {
    let mut processor = processor();
    let created =
        product_event("p1", "product.created", "a", T0, None, Some(product("inst_1", json!({"subdomain": "acme"}))));
    assert_eq!(accept(&mut processor, vec![created]), ["p1: applied"]);
    let row = row(&processor, "inst_1").unwrap();
    assert_eq!((row.version, row.deleted), (1, false));
    assert_eq!(seen(&processor, "p1"), ProductChange { before: None, after: Some(row) });
}

#[test]
fn an_update_keeps_what_the_extension_wrote_beside_it() {
    let mut processor = processor();
    let change = |id, kind, metadata| product_event(id, kind, "a", T0, None, Some(product("inst_1", metadata)));
    accept(&mut processor, vec![change("p1", "product.created", json!({"subdomain": "acme", "status": "running"}))]);
    let before = row(&processor, "inst_1");
    accept(&mut processor, vec![change("p2", "product.updated", json!({"subdomain": "new"}))]);
    assert_eq!(metadata(&processor, "inst_1"), json!({"status": "running", "subdomain": "new"}));
    let seen = seen(&processor, "p2");
    assert_eq!((seen.before, seen.after), (before, row(&processor, "inst_1")));
}

#[test]
fn a_deleted_product_is_soft_deleted_and_may_be_created_again() {
    let mut processor = processor();
    let made = || Some(product("inst_1", json!({"subdomain": "acme"})));
    accept(&mut processor, vec![product_event("p1", "product.created", "a", T0, None, made())]);
    accept(&mut processor, vec![product_event("p2", "product.deleted", "a", T0, made(), None)]);
    assert!(row(&processor, "inst_1").unwrap().deleted);
    accept(&mut processor, vec![product_event("p3", "product.deleted", "a", T0, made(), None)]);
    accept(&mut processor, vec![product_event("p4", "product.created", "a", T0, None, made())]);
    assert!(!row(&processor, "inst_1").unwrap().deleted);
}

#[test]
fn a_row_that_cannot_be_kept_is_refused() {
    let mut processor = processor();
    let broken = product_event("p1", "product.created", "a", T0, None, Some(product("", json!({}))));
    assert_eq!(accept(&mut processor, vec![broken]), ["p1: rejected(malformed(/data))"]);
    let mut no_object = product("inst_1", json!({}));
    no_object.values.metadata = "[]".into();
    let lines = accept(&mut processor, vec![product_event("p2", "product.created", "a", T0, None, Some(no_object))]);
    assert!(lines[0].starts_with("p2: rejected(invalid(/metadata"), "{lines:?}");
    assert_eq!(row(&processor, "inst_1"), None);
}

#[test]
fn an_event_that_names_no_product_is_malformed() {
    let mut processor = processor();
    let mut empty = command("p1", "a", T0, json!({}));
    empty.payload = Payload::Product(Box::new(ProductChange { before: None, after: None }));
    assert_eq!(accept(&mut processor, vec![empty]), ["p1: rejected(malformed(/data/id))"]);
}
