//! Builders of billing meters, their events and summaries.

use serde_json::{Value, json};

use crate::object::Object;
use crate::params::Args;

/// Builds an active meter.
pub fn meter(id: String, created_s: i64, args: &Args) -> Object {
    let customer = args.map("customer_mapping");
    let value = args.map("value_settings");
    Object::of(json!({
        "id": id,
        "object": "billing.meter",
        "created": created_s,
        "customer_mapping": {
            "event_payload_key": customer.text("event_payload_key").unwrap_or("stripe_customer_id"), "type": "by_id",
        },
        "default_aggregation": { "formula": args.map("default_aggregation").value("formula") },
        "display_name": args.value("display_name"),
        "event_name": args.value("event_name"),
        "event_time_window": args.value("event_time_window"),
        "livemode": false,
        "status": "active",
        "status_transitions": { "deactivated_at": null },
        "updated": created_s,
        "value_settings": { "event_payload_key": value.text("event_payload_key").unwrap_or("value") },
    }))
}

/// Builds a meter event. `id` is the storage key, which clients do not see.
pub fn event(id: String, created_s: i64, name: &str, identifier: &str, timestamp_s: i64, payload: Value) -> Object {
    Object::of(json!({
        "id": id,
        "object": "billing.meter_event",
        "created": created_s,
        "event_name": name,
        "identifier": identifier,
        "livemode": false,
        "payload": payload,
        "timestamp": timestamp_s,
    }))
}

/// Builds the summary of a customer's meter events between two times in Unix seconds.
pub fn summary(id: &str, meter: &str, value: i64, start_s: i64, end_s: i64) -> Value {
    json!({
        "id": id,
        "object": "billing.meter_event_summary",
        "aggregated_value": value,
        "end_time": end_s,
        "livemode": false,
        "meter": meter,
        "start_time": start_s,
    })
}
