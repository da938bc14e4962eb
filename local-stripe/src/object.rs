//! API objects in the internal model: the members that clients see, in the shape of the newest version, plus the
//! sandbox's [own state](own), which clients never see.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use own::{Own, is_default};

pub mod own;

/// The value of absent members.
static NULL: Value = Value::Null;

/// Returns the key under which an object is stored. Callers choose the ids of coupons and products, so their keys
/// include the kind: a coupon and a product may have the same id. For all other kinds, the key is the id.
pub fn key<'i>(kind: &str, id: &'i str) -> Cow<'i, str> {
    match kind {
        "coupon" | "product" => Cow::Owned(format!("{kind}:{id}")),
        _ => Cow::Borrowed(id),
    }
}

/// An API object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// The members that clients see.
    pub members: Map<String, Value>,
    /// The number that the object got when it was created. It determines the order of lists.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seq: i64,
    /// The id of the connected account that owns the object; empty for the sandbox's own account.
    #[serde(default, skip_serializing_if = "is_default")]
    pub owner: String,
    /// The id of the test clock of an object that does not show it; see [`Object::clock`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub hidden_clock: String,
    /// The state that the sandbox keeps for an object of this kind.
    #[serde(default, skip_serializing_if = "is_default")]
    pub own: Own,
}

impl Object {
    /// Converts a JSON object. Any other value gives an empty object.
    pub fn of(value: Value) -> Self {
        match value {
            Value::Object(members) => Self { members, ..Self::default() },
            _ => Self::default(),
        }
    }

    /// Returns the object after an edit.
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Puts the object on the clock of another object.
    pub fn on_clock_of(mut self, other: &Object) -> Self {
        other.clock().clone_into(&mut self.hidden_clock);
        self
    }

    /// Returns the id of the object's test clock; empty for the sandbox's own clock.
    pub fn clock(&self) -> &str {
        let shown = self.text("test_clock");
        if shown.is_empty() { &self.hidden_clock } else { shown }
    }

    /// Whether this represents an object that does not exist.
    pub fn is_absent(&self) -> bool {
        self.members.is_empty()
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
        self.members.get(name).unwrap_or(&NULL)
    }

    /// Returns the member at a dotted path; null if it is absent.
    pub fn at(&self, path: &str) -> &Value {
        let mut names = path.split('.');
        let first = names.next().and_then(|n| self.members.get(n)).unwrap_or(&NULL);
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
        self.members.insert(name.into(), value.into());
    }

    /// Sets the member at a dotted path. Creates the objects on the path that do not exist.
    pub fn set_at(&mut self, path: &str, value: impl Into<Value>) {
        let mut names: Vec<&str> = path.split('.').collect();
        let last = names.pop().unwrap_or_default();
        let mut map = &mut self.members;
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

    /// Takes over the members and the own state of another object.
    pub fn absorb(&mut self, other: Object) {
        self.members.extend(other.members);
        self.own = other.own;
    }

    /// Returns the object as a JSON value, including the members that only older versions show.
    pub fn value(&self) -> Value {
        let mut members = self.members.clone();
        members.extend(self.own.older_members().into_iter().map(|(name, value)| (name.to_owned(), value)));
        Value::Object(members)
    }
}

/// Returns an API list with all members on one page.
pub fn list(url: &str, data: Vec<Value>) -> Value {
    json!({ "object": "list", "data": data, "has_more": false, "url": url })
}
