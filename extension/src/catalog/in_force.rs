//! The values of a product's fields over time. A value that waits for approval is not in force, and usage costs the value
//! that was in force when it was used.

use crate::model::json::Object;
use crate::model::time::{parse_rfc3339, rfc3339};
use extension_contract::Timestamp;
use serde_json::{Value, json};

/// Member of a product's metadata with the values by field: `{FIELD: [{value}, {from, value}, …]}`, oldest first. A
/// first value without a time was always in force. For a field without values here, the product's own value is in
/// force.
const KEY: &str = "in_force";
/// Maximum number of stored values of a field.
const KEPT_MAX: usize = 32;

/// Returns the value of a field; 0 if the product does not have it.
fn value_of(metadata: &Object, field: &str) -> i64 {
    metadata.get(field).and_then(Value::as_i64).unwrap_or(0).max(0)
}

/// Returns the stored values of a field.
fn history<'m>(metadata: &'m Object, field: &str) -> Option<&'m Vec<Value>> {
    metadata.get(KEY)?.get(field)?.as_array()
}

/// Returns the value of a field that was in force at a time; 0 if none was.
pub(crate) fn value_at(metadata: &Object, field: &str, at: Timestamp) -> i64 {
    let Some(history) = history(metadata, field) else { return value_of(metadata, field) };
    let since = |entry: &Value| {
        let from = entry.get("from").and_then(Value::as_str);
        from.map_or(Timestamp::MIN, |text| parse_rfc3339(text).unwrap_or(Timestamp::MAX))
    };
    let entry = history.iter().rev().find(|entry| since(entry) <= at);
    entry.and_then(|entry| entry.get("value")).and_then(Value::as_i64).unwrap_or(0)
}

/// A change of a product.
pub(crate) struct Change<'c> {
    /// The product before the change; `None` if it is new.
    pub stored: Option<&'c Object>,
    /// Whether the product is on sale after the change.
    pub active: bool,
    /// Whether the change waits for approval.
    pub waits: bool,
    /// Time of the change.
    pub at: Timestamp,
}

/// Writes the values of `fields` into the changed metadata. A changed value is in force from the change on, unless it waits
/// for approval. Putting a waiting product on sale approves its values.
pub(crate) fn update(change: &Change<'_>, metadata: &mut Object, fields: &[&str]) {
    metadata.remove(KEY);
    let mut all = Object::new();
    for field in fields {
        let new = value_of(metadata, field);
        let before = change.stored.map(|stored| value_of(stored, field));
        let mut values = match change.stored {
            Some(stored) => history(stored, field).cloned().unwrap_or_else(|| vec![json!({"value": before})]),
            None if change.waits => Vec::new(),
            None => continue,
        };
        let in_force = values.last().and_then(|entry| entry.get("value")).and_then(Value::as_i64);
        let is_approved = !change.waits && (change.active || before != Some(new));
        if is_approved && in_force != Some(new) {
            values.push(json!({"from": rfc3339(change.at), "value": new}));
        }
        if values.len() > KEPT_MAX {
            values.drain(..values.len() - KEPT_MAX);
            if let Some(Value::Object(first)) = values.first_mut() {
                first.remove("from");
            }
        }
        if values != [json!({"value": new})] && (new > 0 || !values.is_empty()) {
            all.insert((*field).to_owned(), Value::Array(values));
        }
    }
    if !all.is_empty() {
        metadata.insert(KEY.to_owned(), Value::Object(all));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &str = "token_micros";

    /// Applies changes to a product: the value, whether the change waits, whether the product is on sale, and the time.
    fn changed(changes: &[(i64, bool, bool, Timestamp)]) -> Object {
        let mut stored: Option<Object> = None;
        for (value, waits, active, at) in changes {
            let mut metadata = stored.clone().unwrap_or_default();
            metadata.insert(FIELD.to_owned(), json!(value));
            let change = Change { stored: stored.as_ref(), active: *active, waits: *waits, at: *at };
            update(&change, &mut metadata, &[FIELD]);
            stored = Some(metadata);
        }
        stored.unwrap_or_default()
    }

    fn values(metadata: &Object, times: &[Timestamp]) -> Vec<i64> {
        times.iter().map(|at| value_at(metadata, FIELD, *at)).collect()
    }

    #[test]
    fn a_value_that_never_changed_is_in_force_and_not_stored() {
        let product = changed(&[(3, false, true, 1_000), (3, false, true, 2_000)]);
        assert_eq!((values(&product, &[0, 5_000]), product.contains_key(KEY)), (vec![3, 3], false));
    }

    #[test]
    fn a_waiting_value_is_in_force_from_its_approval_on() {
        let waiting = changed(&[(3, false, true, 1_000), (9, true, false, 2_000)]);
        assert_eq!(values(&waiting, &[0, 3_000]), [3, 3]);
        let approved = changed(&[(3, false, true, 1_000), (9, true, false, 2_000), (9, false, true, 4_000)]);
        assert_eq!(values(&approved, &[3_999, 4_000]), [3, 9]);
        let taken_back = changed(&[(3, false, true, 1_000), (9, true, false, 2_000), (3, true, false, 3_000)]);
        assert_eq!((values(&taken_back, &[4_000]), taken_back.contains_key(KEY)), (vec![3], false));
    }

    #[test]
    fn a_new_product_that_waits_has_no_value_in_force() {
        let waiting = changed(&[(9, true, false, 1_000)]);
        assert_eq!(values(&waiting, &[0, 5_000]), [0, 0]);
        let approved = changed(&[(9, true, false, 1_000), (9, false, true, 2_000)]);
        assert_eq!(values(&approved, &[1_999, 2_000]), [0, 9]);
    }

    #[test]
    fn an_operators_change_is_in_force_at_once_and_an_edit_approves_nothing() {
        let changed_by_admin = changed(&[(3, false, true, 1_000), (5, false, true, 2_000)]);
        assert_eq!(values(&changed_by_admin, &[1_999, 2_000]), [3, 5]);
        let edited = changed(&[(3, false, true, 1_000), (9, true, false, 2_000), (9, false, false, 3_000)]);
        assert_eq!(values(&edited, &[5_000]), [3], "the product is still not on sale");
    }

    #[test]
    fn old_values_are_dropped() {
        let steps: Vec<_> = (0..100).map(|step| (step + 1, false, true, step * 1_000)).collect();
        let product = changed(&steps);
        assert_eq!(history(&product, FIELD).map(Vec::len), Some(KEPT_MAX));
        assert_eq!(values(&product, &[0, 99_000]), [69, 100]);
    }
}
