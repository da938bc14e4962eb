//! The description of the block for the platform: its name, and the rights that it needs.

use crate::app::{self, CONFIG_PREFIX};
use serde_json::{Value, json};

/// Name of the block: its organization and its own name.
pub const NAME: &str = "extensions/instance-provisioner";

/// Returns the description of the block.
pub fn info() -> Value {
    let collections = crate::store::collections();
    // The platform reads only the name of a collection; `Init` creates the table.
    let tables: Vec<Value> = collections.iter().map(|name| json!({"name": name, "fields": []})).collect();
    // All keys are optional for the platform. It looks for a required one only in its environment, where a value from its own pages
    // is not found, and refuses `Init` at the first missing one; the block's `Init` lists all of them.
    let key = |(key, description, input_type): &(&str, &str, &str)| {
        let key = format!("{CONFIG_PREFIX}{key}");
        json!({"key": key, "description": description, "input_type": input_type, "optional": true})
    };
    let keys: Vec<Value> = app::KEYS.iter().map(key).collect();
    let names: Vec<&Value> = keys.iter().map(|key| &key["key"]).collect();
    json!({
        "name": NAME,
        "version": env!("CARGO_PKG_VERSION"),
        "interface": "http-handler@v1",
        "summary": "Decides about plans, subscriptions and the provisioning of customer instances",
        "instance_mode": "PerExecution",
        "requires": ["wafer-run/database", "wafer-run/config"],
        "category": "Feature",
        "can_disable": true,
        "default_enabled": true,
        "collections": tables,
        "config_keys": keys,
        "capabilities": {
            "collections": {"Only": collections},
            "storage_folders": "None",
            "network": "None",
            "config": {"Only": names},
            "vector_indexes": "None",
            "callable_blocks": {"Only": ["wafer-run/database", "wafer-run/config"]},
            "raw_sql": false,
            "ddl": true,
            "schema": true,
            "crypto": false,
            "headers": {"readable": [], "writable": [], "masked": []},
        },
    })
}
