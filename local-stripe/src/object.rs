//! API objects in the internal model. An object has the shape of the newest version, plus hidden members, whose names
//! begin with `_`. Clients never get hidden members.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The value of absent members.
static NULL: Value = Value::Null;

/// Returns the key under which an object is stored. Callers choose the ids of coupons and products, so the keys of
/// these include the kind: a coupon and a product may have the same id. For all other kinds, the key is the id.
pub fn key<'i>(kind: &str, id: &'i str) -> Cow<'i, str> {
    match kind {
        "coupon" | "product" => Cow::Owned(format!("{kind}:{id}")),
        _ => Cow::Borrowed(id),
    }
}

/// An API object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(pub Map<String, Value>);

impl Object {
    /// Converts a JSON object. Any other value gives an empty object.
    pub fn of(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map),
            _ => Self::default(),
        }
    }

    /// Returns the object's id.
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// Returns the object's storage key; see [`key`].
    pub fn key(&self) -> Cow<'_, str> {
        key(self.kind(), self.id())
    }

    /// Returns the object's `object` member, such as `customer`.
    pub fn kind(&self) -> &str {
        self.text("object")
    }

    /// Returns a member; null if it is absent.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&NULL)
    }

    /// Returns the member at a dotted path; null if it is absent.
    pub fn at(&self, path: &str) -> &Value {
        let mut names = path.split('.');
        let first = names.next().and_then(|n| self.0.get(n)).unwrap_or(&NULL);
        names.fold(first, |value, name| value.get(name).unwrap_or(&NULL))
    }

    /// Returns a string member; empty if it is absent or not a string.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).as_str().unwrap_or_default()
    }

    /// Returns the member at a dotted path, if it is a string.
    pub fn text_at(&self, path: &str) -> Option<&str> {
        self.at(path).as_str()
    }

    /// Returns an integer member; zero if it is absent or not an integer.
    pub fn int(&self, name: &str) -> i64 {
        self.get(name).as_i64().unwrap_or_default()
    }

    /// Returns the member at a dotted path, if it is an integer.
    pub fn int_at(&self, path: &str) -> Option<i64> {
        self.at(path).as_i64()
    }

    /// Whether a boolean member is true.
    pub fn is(&self, name: &str) -> bool {
        self.get(name).as_bool().unwrap_or_default()
    }

    /// Returns the elements of the list object or array at a dotted path; none if the member is absent.
    pub fn list_at(&self, path: &str) -> &[Value] {
        let value = self.at(path);
        let array = if value.is_object() { value.get("data").unwrap_or(&NULL) } else { value };
        array.as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// Sets a member.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// Sets the member at a dotted path. Creates the objects on the path that do not exist.
    pub fn set_at(&mut self, path: &str, value: impl Into<Value>) {
        let mut names: Vec<&str> = path.split('.').collect();
        let last = names.pop().unwrap_or_default();
        let mut map = &mut self.0;
        for name in names {
            let inner = map.entry(name).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            let Value::Object(next) = inner else { return };
            map = next;
        }
        map.insert(last.into(), value.into());
    }

    /// Returns the object as a JSON value.
    pub fn value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// Returns an API list with all members on one page.
pub fn list(url: &str, data: Vec<Value>) -> Value {
    json!({ "object": "list", "data": data, "has_more": false, "url": url })
}
