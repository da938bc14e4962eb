//! Compares the recorded rows of an account with the rows after a replay.

use crate::record::personal::{Origin, Personal};
use host_engine::view::Rows;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The comparison of two states of an account.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Number of values that differ only because personal data was replaced.
    pub replaced: usize,
    /// All other differences, each with its place, the recorded value and the value after the replay.
    pub differences: Vec<String>,
}

/// Returns the rows as one JSON value.
pub(crate) fn value(rows: &Rows) -> Value {
    let sections = rows.sections.iter().filter(|(_, rows)| !rows.is_empty());
    let value = |(name, rows): (&String, &std::collections::BTreeMap<String, Value>)| {
        (name.clone(), Value::Object(rows.iter().map(|(id, row)| (id.clone(), row.clone())).collect()))
    };
    Value::Object(sections.map(value).collect())
}

/// Returns the SHA-256, in hex, of the RFC 8785 form of an account's rows.
pub(crate) fn hash(value: &Value) -> String {
    let canonical = serde_json_canonicalizer::to_vec(value).expect("finite numbers and text keys");
    hex::encode(Sha256::digest(canonical))
}

/// Compares the replayed rows with the recorded ones. With `personal`, replaced values are not differences.
pub(crate) fn compare(recorded: &Value, played: &Value, personal: Option<&Personal>) -> Comparison {
    let mut comparison = Comparison::default();
    let expected = match personal {
        Some(personal) => keys_replaced(recorded, Some(played), personal),
        None => recorded.clone(),
    };
    walk(&expected, played, personal, &mut Vec::new(), &mut comparison);
    comparison
}

/// Replaces the recorded member names with those in the replayed value.
fn keys_replaced(value: &Value, played: Option<&Value>, personal: &Personal) -> Value {
    match value {
        Value::Object(members) => {
            let is_there = |name: &str| played.is_some_and(|played| played.get(name).is_some());
            let name_of = |name: &str| {
                let names = [name.to_owned(), personal.text(name), personal.derived(name)];
                names.into_iter().find(|name| is_there(name)).unwrap_or_else(|| name.to_owned())
            };
            let members = members.iter().map(|(name, value)| {
                let name = name_of(name);
                let below = played.and_then(|played| played.get(&name));
                (name.clone(), keys_replaced(value, below, personal))
            });
            Value::Object(members.collect())
        }
        Value::Array(list) => {
            let below = |at: usize| played.and_then(|played| played.get(at));
            let list = list.iter().enumerate();
            Value::Array(list.map(|(at, value)| keys_replaced(value, below(at), personal)).collect())
        }
        other => other.clone(),
    }
}

fn walk<'v>(
    recorded: &'v Value,
    played: &'v Value,
    personal: Option<&Personal>,
    path: &mut Vec<&'v str>,
    comparison: &mut Comparison,
) {
    match (recorded, played) {
        (Value::Object(before), Value::Object(after)) => members(before, after, personal, path, comparison),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (before, after) in before.iter().zip(after) {
                walk(before, after, personal, path, comparison);
            }
        }
        (before, after) if before == after => {}
        (before, after) if personal.is_some_and(|personal| is_replaced(before, after, personal, path)) => {
            comparison.replaced += 1;
        }
        (before, after) => {
            comparison.differences.push(format!("{}: was {}, is {}", path.join("."), short(before), short(after)));
        }
    }
}

fn members<'v>(
    before: &'v Map<String, Value>,
    after: &'v Map<String, Value>,
    personal: Option<&Personal>,
    path: &mut Vec<&'v str>,
    comparison: &mut Comparison,
) {
    let nothing = |side: &str, path: &[&str], name: &str, value: &Value| {
        let place = [path, &[name]].concat().join(".");
        format!("{place}: {side} {}", short(value))
    };
    for (name, value) in before {
        match after.get(name) {
            Some(other) => {
                path.push(name);
                walk(value, other, personal, path, comparison);
                path.pop();
            }
            None => comparison.differences.push(nothing("is gone, was", path, name, value)),
        }
    }
    for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        comparison.differences.push(nothing("was not, is", path, name, value));
    }
}

/// Returns true if `after` is the replacement of the recorded value `before`.
fn is_replaced(before: &Value, after: &Value, personal: &Personal, path: &[&str]) -> bool {
    match (before, after) {
        (Value::String(before), Value::String(after)) => {
            let by_name =
                personal.value(&json!({ (path.last().copied().unwrap_or_default()): before }), Origin::Customer);
            let by_name = by_name.as_object().and_then(|members| members.values().next()).and_then(Value::as_str);
            personal.text(before) == *after
                || by_name == Some(after)
                || personal.is_personal(path, before)
                || personal.derived(before) == after.to_lowercase()
        }
        (Value::Number(_), Value::Number(_)) => {
            personal.value(&json!({ (path.last().copied().unwrap_or_default()): before }), Origin::Customer)
                != json!({ (path.last().copied().unwrap_or_default()): before })
        }
        _ => false,
    }
}

fn short(value: &Value) -> String {
    const SHOWN_MAX: usize = 120;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_is_reported_with_its_place() {
        let before = json!({"records": {"a": {"n": 1, "gone": true, "same": [1]}}});
        let after = json!({"records": {"a": {"n": 2, "new": "x", "same": [1]}}});
        let Comparison { replaced, differences } = compare(&before, &after, None);
        assert_eq!(replaced, 0);
        assert_eq!(
            differences,
            ["records.a.gone: is gone, was true", "records.a.n: was 1, is 2", "records.a.new: was not, is \"x\""]
        );
    }

    #[test]
    fn replaced_values_are_not_differences_and_others_are() {
        let mut personal = Personal::new([1; 32]);
        personal.learn(&json!({"email": "anna@firm.com"}), Origin::Customer);
        personal.ready(false);
        let before = json!({"anna@firm.com": {"to": "anna@firm.com", "n": 1}});
        let stand_in = personal.text("anna@firm.com");
        let after = json!({ (stand_in.clone()): {"to": stand_in, "n": 1}});
        assert_eq!(compare(&before, &after, Some(&personal)), Comparison { replaced: 1, differences: Vec::new() });
        let after = json!({ (stand_in): {"to": "somebody@else.example", "n": 2}});
        assert_eq!(compare(&before, &after, Some(&personal)).differences.len(), 2);
    }
}
