//! Records the bodies that the host receives for one customer, as a scenario.

use crate::judge::Difference;
use crate::oracle::Expected;
use extension_contract::Timestamp;
use host_engine::time;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The recorded steps of a customer, in order.
#[derive(Debug, Default)]
pub(crate) struct Record {
    steps: Vec<Value>,
    clock: Timestamp,
}

impl Record {
    /// Records that the clock advanced.
    pub(crate) fn until(&mut self, clock: Timestamp) {
        if clock > self.clock {
            self.clock = clock;
            self.steps.push(json!({"until": time::text(clock)}));
        }
    }

    /// Records a delivered body.
    pub(crate) fn deliver(&mut self, body: &str) {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        self.steps.push(json!({"raw": body}));
    }

    /// Records a restart of the host.
    pub(crate) fn restarted(&mut self) {
        self.steps.push(json!({"restart": true}));
    }

    /// Returns the scenario of a difference; it fails as long as the account differs from the oracle. None if no scenario can
    /// express the difference.
    pub(crate) fn scenario(
        self,
        name: &str,
        (business, account, version): (&str, &str, &str),
        answers: BTreeMap<String, Vec<Value>>,
        expected: &Expected,
        difference: &Difference,
    ) -> Option<Value> {
        if difference.expect.is_empty() {
            return None;
        }
        let mut expectations = expect(expected);
        for (section, of_difference) in &difference.expect {
            merge(expectations.entry(section).or_insert_with(|| json!({})), of_difference);
        }
        // Calls that always succeed need no scripted answer.
        let answers: BTreeMap<String, Vec<Value>> =
            answers.into_iter().filter(|(_, list)| list.iter().any(|answer| answer != "ok")).collect();
        Some(json!({
            "name": name,
            "versions": {"only": [version], "because": "its bodies are written down"},
            "given": {"business": business, "account": account, "answers": answers},
            "events": self.steps,
            "expect": expectations,
        }))
    }
}

/// The expectations of the oracle that a scenario can express.
fn expect(expected: &Expected) -> Map<String, Value> {
    let mut out = Map::new();
    if !expected.entitlements.is_empty() {
        out.insert("entitlements".to_owned(), json!(expected.entitlements));
    }
    if expected.has_cash {
        out.insert("balances".to_owned(), json!({format!("cash:stripe/{}", expected.currency): expected.cash}));
    }
    let subscriptions: BTreeMap<&String, Value> =
        expected.subscriptions.iter().map(|(id, status)| (id, json!({"status": status}))).collect();
    if !subscriptions.is_empty() {
        out.insert("subscriptions".to_owned(), json!(subscriptions));
    }
    let products: BTreeMap<&String, Value> =
        expected.running.iter().map(|id| (id, json!({"metadata": {"status": "running"}}))).collect();
    if !products.is_empty() {
        out.insert("products".to_owned(), json!(products));
    }
    out
}

/// Adds the members of another object, at any depth.
fn merge(into: &mut Value, other: &Value) {
    match (into, other) {
        (Value::Object(into), Value::Object(other)) => {
            for (name, value) in other {
                merge(into.entry(name).or_insert_with(|| json!({})), value);
            }
        }
        (into, other) => *into = other.clone(),
    }
}
