//! Builders of products, webhook endpoints and test clocks.

use serde_json::{Value, json};

use crate::calendar::DAY_S;
use crate::object::Object;

/// Builds a product.
pub fn product(id: String, created_s: i64, name: &str) -> Object {
    Object::of(json!({
        "id": id,
        "object": "product",
        "active": true,
        "created": created_s,
        "default_price": null,
        "description": null,
        "images": [],
        "livemode": false,
        "marketing_features": [],
        "metadata": {},
        "name": name,
        "package_dimensions": null,
        "shippable": null,
        "statement_descriptor": null,
        "tax_code": null,
        "type": "service",
        "unit_label": null,
        "updated": created_s,
        "url": null,
    }))
}

/// Builds an enabled webhook endpoint. The caller shows the secret once.
pub fn webhook_endpoint(id: String, created_s: i64, url: &str, events: Vec<Value>, secret: String) -> Object {
    Object::of(json!({
        "id": id,
        "object": "webhook_endpoint",
        "api_version": null,
        "application": null,
        "created": created_s,
        "description": null,
        "enabled_events": events,
        "livemode": false,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }))
    .with(|endpoint| secret.clone_into(&mut endpoint.as_webhook_endpoint_mut().secret))
}

/// The lifetime of a test clock in days, Stripe's rule.
const TEST_CLOCK_DAYS: i64 = 30;

/// Builds a test clock.
pub fn test_clock(id: String, created_s: i64, frozen_s: i64, name: Value) -> Object {
    Object::of(json!({
        "id": id,
        "object": "test_helpers.test_clock",
        "created": created_s,
        "deletes_after": created_s + TEST_CLOCK_DAYS * DAY_S,
        "frozen_time": frozen_s,
        "livemode": false,
        "name": name,
        "status": "ready",
        "status_details": {},
    }))
}
