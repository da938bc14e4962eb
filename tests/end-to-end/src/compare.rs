//! Comparable forms of states and reports, and the first difference between two JSON values.

use extension_contract::Reply;
use host_engine::processor::Report;
use serde_json::{Value, json};

/// Returns the first difference between two JSON values, as a path and both values; `None` if they are equal.
pub fn difference(left: &Value, right: &Value) -> Option<String> {
    find(left, right, String::new())
}

fn find(left: &Value, right: &Value, path: String) -> Option<String> {
    match (left, right) {
        _ if left == right => None,
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| {
                let none = Value::Null;
                let (x, y) = (a.get(key).unwrap_or(&none), b.get(key).unwrap_or(&none));
                find(x, y, format!("{path}/{key}"))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(index, (x, y))| find(x, y, format!("{path}/{index}")))
        }
        _ => Some(format!("{path}: {left} is not {right}")),
    }
}

/// Returns the part of a state document that belongs to one account: rows and claims.
pub fn of_account(document: &Value, account: &str) -> Value {
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let rows: Vec<Value> = list("accounts").into_iter().filter(|rows| rows["account"] == account).collect();
    let claims: Vec<Value> = list("claims").into_iter().filter(|claim| claim["holder"] == account).collect();
    json!({"rows": rows, "claims": claims})
}

/// Returns a report as JSON, without members that depend on how the extension runs.
pub fn report(report: &Report) -> Value {
    let reply = match &report.reply {
        None => Value::Null,
        Some(Reply::Answer(text)) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Some(Reply::Refused(refusal)) => json!({"refused": refusal.to_string()}),
    };
    let effects: Vec<Value> =
        report.effects.iter().map(|e| json!({"kind": e.kind, "key": e.key, "generation": e.generation})).collect();
    json!({
        "seq": report.seq, "event": report.event_id, "source": report.source, "type": report.kind,
        "account": report.account.as_ref().map(ToString::to_string), "outcome": report.result.name(),
        "reason": report.result.reason(), "effects": effects, "reply_to": report.reply_to, "reply": reply,
        "later": report.later, "alert": report.alert,
        "logs": report.logs.iter().map(|entry| format!("{entry:?}")).collect::<Vec<_>>(),
    })
}
