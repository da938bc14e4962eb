//! Converts objects of the internal model to the shape of an API version.
//!
//! The model has the newest shape. [`changes::CHANGES`] lists the changes of each version. Rendering undoes the changes
//! after the requested version, newest first. A new version only needs new rows in this table.

pub mod changes;

use serde_json::{Map, Value, json};

use crate::object::Object;
use crate::version::Version;
use changes::{CHANGES, Change, Edit, HELD_BACK, OldValue};

/// The maximum number of elements that an embedded list shows. A longer list is cut and has `has_more`.
pub const EMBEDDED_MAX: usize = 10;

/// Renders a value of the internal model in an API version: reshapes objects at any depth, and removes the members that
/// the version does not show.
pub fn render(value: &Value, version: &Version) -> Value {
    match value {
        Value::Object(map) => render_map(map, version),
        Value::Array(list) => Value::Array(list.iter().map(|v| render(v, version)).collect()),
        other => other.clone(),
    }
}

fn render_map(map: &Map<String, Value>, version: &Version) -> Value {
    let kind = map.get("object").and_then(Value::as_str).unwrap_or_default();
    if kind == "list" {
        return render_list(map, version);
    }
    if kind == "event" {
        // The value was rendered when it was read.
        return Value::Object(map.clone());
    }
    if let (Some(price), "price") = (map.get("original").and_then(Value::as_object), kind) {
        // A price's amounts in other currencies are for internal use; see `pricing::in_currency`.
        return render_map(price, version);
    }
    let whole = (kind == "subscription").then(|| with_plan(map));
    let map = whole.as_ref().unwrap_or(map);
    let applies =
        |change: &&Change| change.kind == kind && (version.is_before(change.version) || change.kept().next().is_some());
    let changes = || CHANGES.iter().filter(applies);
    let held_back = || HELD_BACK.iter().filter(|(of, _)| *of == kind).flat_map(|(_, paths)| *paths);
    let is_reshaped = changes().next().is_some() || held_back().next().is_some();
    let reshaped = is_reshaped.then(|| reshape(map, held_back(), changes(), version));
    let source = reshaped.as_ref().map_or(map, |o| &o.members);
    Value::Object(source.iter().map(|(name, value)| (name.clone(), render(value, version))).collect())
}

/// Adds the undocumented members `plan` and `quantity` to a subscription: those of its item, or null if it has several.
/// Stripe shows them in every version, and clients such as Laravel Cashier read them.
fn with_plan(subscription: &Map<String, Value>) -> Map<String, Value> {
    let items = subscription.get("items").and_then(|items| items["data"].as_array()).map(Vec::as_slice);
    let only = match items {
        Some([only]) => only,
        _ => &Value::Null,
    };
    let mut whole = subscription.clone();
    for member in ["plan", "quantity"] {
        whole.insert(member.into(), only[member].clone());
    }
    whole
}

fn render_list(map: &Map<String, Value>, version: &Version) -> Value {
    let data = map.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let more = data.len() > EMBEDDED_MAX || map.get("has_more") == Some(&json!(true));
    let shown: Vec<Value> = data.iter().take(EMBEDDED_MAX).map(|v| render(v, version)).collect();
    let mut out = map.clone();
    out.insert("data".into(), Value::Array(shown));
    out.insert("has_more".into(), json!(more));
    Value::Object(out)
}

fn reshape<'c>(
    map: &Map<String, Value>,
    held_back: impl Iterator<Item = &'c &'c str>,
    changes: impl Iterator<Item = &'c Change>,
    version: &Version,
) -> Object {
    let mut object = Object { members: map.clone(), ..Object::default() };
    for change in changes {
        if !version.is_before(change.version) {
            change.kept().for_each(|name| remove_at(&mut object.members, name));
            continue;
        }
        match change.edit {
            Edit::Added(paths) => {
                paths.iter().for_each(|path| each(&mut object, path, &|one, path| remove_at(&mut one.members, path)));
            }
            Edit::Removed(members) => {
                for (path, old) in members {
                    each(&mut object, path, &|one, path| {
                        if let Some(value) = old_value(one, path, old) {
                            restore(one, path, value);
                        }
                    });
                }
            }
        }
    }
    held_back.for_each(|path| remove_at(&mut object.members, path));
    object
}

/// Calls `edit` for the object at a path. If the path contains `[].`, calls it for each object of that list.
fn each(object: &mut Object, path: &str, edit: &dyn Fn(&mut Object, &str)) {
    let Some((list, rest)) = path.split_once("[].") else { return edit(object, path) };
    let Some(Value::Array(all)) = object.members.get_mut(list) else { return };
    for member in all {
        if let Value::Object(map) = member {
            let mut one = Object { members: std::mem::take(map), ..Object::default() };
            each(&mut one, rest, edit);
            *map = one.members;
        }
    }
}

fn old_value(object: &Object, path: &str, old: &OldValue) -> Option<Value> {
    match old {
        OldValue::Null => Some(Value::Null),
        OldValue::EmptyList => Some(json!([])),
        OldValue::Kept => Some(object.at(path).clone()),
        OldValue::Of(make) | OldValue::KeptAs(make) => Some(make(object)),
        OldValue::Maybe(make) => make(object),
    }
}

/// Restores a member. If the path has a parent, the parent must be an object; otherwise nothing is restored.
fn restore(object: &mut Object, path: &str, value: Value) {
    match path.rsplit_once('.') {
        Some((parent, _)) if !object.at(parent).is_object() => {}
        _ => object.set_at(path, value),
    }
}

fn remove_at(map: &mut Map<String, Value>, path: &str) {
    match path.split_once('.') {
        None => {
            map.remove(path);
        }
        Some((first, rest)) => {
            if let Some(Value::Object(inner)) = map.get_mut(first) {
                remove_at(inner, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::NEWEST;

    #[test]
    fn members_of_expansions_are_removed_and_long_lists_are_cut() {
        let items: Vec<Value> = (0..12)
            .map(|n| json!({"object": "subscription_item", "n": n, "price": {"object": "price", "tiers": []}}))
            .collect();
        let object = json!({"object": "subscription", "discount": {}, "items": {"object": "list", "data": items, "has_more": false}});
        let shown = render(&object, &NEWEST.into());
        assert!(shown.get("discount").is_none() && shown["items"]["data"][0]["price"].get("tiers").is_none());
        assert_eq!((shown["items"]["data"].as_array().unwrap().len(), &shown["items"]["has_more"]), (10, &json!(true)));
    }

    #[test]
    fn a_period_moves_between_subscription_and_item() {
        let item = json!({
            "object": "subscription_item", "current_period_start": 1, "current_period_end": 2, "plan": null, "quantity": 3,
        });
        let object = json!({"object": "subscription", "items": {"object": "list", "data": [item]}, "billing_mode": {}});
        let old = render(&object, &"2020-08-27".into());
        assert_eq!((&old["current_period_end"], old["items"]["data"][0].get("current_period_end")), (&json!(2), None));
        assert_eq!(old["quantity"], 3);
        let basil = render(&object, &"2025-03-31.basil".into());
        assert_eq!((basil.get("current_period_end"), basil.get("billing_mode")), (None, None));
        assert_eq!(render(&object, &NEWEST.into()), object_with_has_more(object));
    }

    fn object_with_has_more(mut object: Value) -> Value {
        object["items"]["has_more"] = json!(false);
        (object["plan"], object["quantity"]) = (Value::Null, json!(3));
        object
    }
}
