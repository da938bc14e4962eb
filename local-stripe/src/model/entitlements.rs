//! Builders of features, the features of products, and customers' active entitlements.

use serde_json::{Value, json};

use crate::object::{Object, list};

/// Builds a feature.
pub fn feature(id: String, lookup_key: &str, name: &str) -> Object {
    Object::of(json!({
        "id": id,
        "object": "entitlements.feature",
        "active": true,
        "livemode": false,
        "lookup_key": lookup_key,
        "metadata": {},
        "name": name,
    }))
}

/// Builds the attachment of a feature to a product.
pub fn product_feature(id: String, product: &str, feature: &Object) -> Object {
    Object::of(json!({
        "id": id,
        "object": "product_feature",
        "entitlement_feature": feature.value(),
        "livemode": false,
    }))
    .with(|attached| {
        product.clone_into(&mut attached.as_product_feature_mut().product);
        feature.id().clone_into(&mut attached.as_product_feature_mut().feature);
    })
}

/// Builds an active entitlement of a customer.
pub fn active_entitlement(id: String, customer: &Object, feature: &Object) -> Object {
    Object::of(json!({
        "id": id,
        "object": "entitlements.active_entitlement",
        "feature": feature.id(),
        "livemode": false,
        "lookup_key": feature.get("lookup_key"),
    }))
    .with(|entitlement| customer.id().clone_into(&mut entitlement.as_active_entitlement_mut().customer))
}

/// Builds the summary of a customer's active entitlements, the object of an event.
pub fn summary(customer: &Object, entitlements: Vec<Value>) -> Object {
    let url = format!("/v1/entitlements/active_entitlements?customer={}", customer.id());
    Object::of(json!({
        "object": "entitlements.active_entitlement_summary",
        "customer": customer.id(),
        "entitlements": list(&url, entitlements),
        "livemode": false,
    }))
    .on_clock_of(customer)
}
