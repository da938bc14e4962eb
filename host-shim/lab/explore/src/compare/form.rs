//! The short form of a change: paths and shapes of values, without ids, times and amounts.

use serde_json::Value;

/// Maximum length of a word in a short form.
const WORD_MAX: usize = 32;
/// Maximum number of changes that a short form lists.
const CHANGES_MAX: usize = 4;

/// A value that differs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// Member names and indexes that lead to the value.
    pub path: Vec<String>,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

/// The innermost differences of two values.
pub(crate) fn changes(old: Option<&Value>, new: Option<&Value>) -> Vec<Change> {
    let mut found = Vec::new();
    collect(&mut Vec::new(), old, new, &mut found);
    found
}

fn collect(path: &mut Vec<String>, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Change>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            for key in before.keys().chain(added) {
                path.push(key.clone());
                collect(path, before.get(key), after.get(key), found);
                path.pop();
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
            for (at, (before, after)) in before.iter().zip(after).enumerate() {
                path.push(at.to_string());
                collect(path, Some(before), Some(after), found);
                path.pop();
            }
        }
        _ => found.push(Change { path: path.clone(), old: old.cloned(), new: new.cloned() }),
    }
}

impl Change {
    /// The short form of the change.
    pub fn short(&self) -> String {
        let path = self.path.iter().map(|part| name(part)).collect::<Vec<_>>().join(".");
        let space = if path.is_empty() { "" } else { ": " };
        match (&self.old, &self.new) {
            (Some(_), None) if !path.is_empty() => format!("- {path}"),
            (None, Some(_)) if !path.is_empty() => format!("+ {path}"),
            (old, new) => format!("{path}{space}{} -> {}", shape(old.as_ref()), shape(new.as_ref())),
        }
    }
}

/// Joins the short forms of several changes; lists at most [`CHANGES_MAX`] of them.
pub(crate) fn together(mut forms: Vec<String>) -> String {
    forms.sort();
    forms.dedup();
    let more = forms.len().saturating_sub(CHANGES_MAX);
    forms.truncate(CHANGES_MAX);
    let mut text = forms.join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

/// A member's name, or `*` if it looks like an id, a key or an index.
pub(crate) fn name(part: &str) -> String {
    let is_name = part.len() <= WORD_MAX
        && part.starts_with(|c: char| c.is_ascii_alphabetic())
        && part.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.' | '/' | '@'));
    if is_name { part.to_owned() } else { "*".to_owned() }
}

fn shape(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Bool(truth)) => truth.to_string(),
        Some(Value::Number(_)) => "#".to_owned(),
        Some(Value::String(text)) => word(text),
        Some(Value::Array(_)) => "[…]".to_owned(),
        Some(Value::Object(_)) => "{…}".to_owned(),
    }
}

/// Shortens a text, and replaces words that look like ids or amounts with `*`. Returns `time` for a time.
pub(crate) fn word(text: &str) -> String {
    if host_engine::time::parse(text).is_some() {
        return "time".to_owned();
    }
    let is_apart = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@'));
    let mut out = String::new();
    for token in text.split_inclusive(is_apart) {
        let bare = token.trim_end_matches(is_apart);
        let is_id =
            bare.chars().any(|c| c.is_ascii_digit()) || bare.contains(':') || bare.contains('_') && bare.len() > 24;
        out.push_str(if is_id { "*" } else { bare });
        out.push_str(&token[bare.len()..]);
        if out.chars().count() > 3 * WORD_MAX {
            out.push('…');
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_short_form_has_no_ids_times_or_amounts() {
        let old =
            json!({"a": {"inst_1": {"status": "running", "at": "2026-01-01T00:00:00Z", "n": 1, "l": [1]}}, "b": 1});
        let new = json!({"a": {"inst_1": {"status": "error", "at": "2027-01-01T00:00:00Z", "n": 2, "l": []}}, "c": 1});
        let forms: Vec<String> = changes(Some(&old), Some(&new)).iter().map(Change::short).collect();
        let expected = ["a.*.at: time -> time", "a.*.l: […] -> […]", "a.*.n: # -> #", "a.*.status: running -> error"];
        assert_eq!(forms, [&expected[..], &["- b", "+ c"]].concat());
        let whole = changes(Some(&json!({"a": 1})), None);
        assert_eq!(whole[0].short(), "{…} -> nothing");
        assert_eq!(word("no-such-plan(prod_1x)"), "no-such-plan(*)");
        assert_eq!(word("claim(stripe-customer:cus_A)"), "claim(*)");
    }

    #[test]
    fn many_changes_are_counted() {
        let forms: Vec<String> = ["e", "a", "b", "c", "a", "d", "f"].map(str::to_owned).to_vec();
        assert_eq!(together(forms), "a; b; c; d; and 2 more");
    }
}
