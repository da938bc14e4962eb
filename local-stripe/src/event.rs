//! Events: the change, a copy of the object at that time, and the event's JSON in each API version.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::object::Object;
use crate::shapes;
use crate::version::Version;

/// The request that caused an event, as the event shows it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RequestMeta {
    /// The request's id (`req_…`); `None` while the sandbox acts on its own.
    pub id: Option<String>,
    /// The client's `Idempotency-Key`.
    pub idempotency_key: Option<String>,
}

/// An event. Its object is immutable.
#[derive(Debug, Serialize, Deserialize)]
pub struct Event {
    /// `evt_…`.
    pub id: String,
    /// The type, such as `invoice.paid`.
    pub kind: String,
    /// The time in Unix seconds, on the object's clock.
    pub created_s: i64,
    /// The request that caused the event; empty if the sandbox acted on its own.
    pub request: RequestMeta,
    /// The id of the event's connected account; `None` for the sandbox's own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// A copy of the object at the time of the event.
    pub object: Arc<Object>,
    /// A copy of the object before the change, for events that show `previous_attributes`.
    pub before: Option<Arc<Object>>,
    /// The number of webhook endpoints to which the event was to be delivered when it was created.
    pub pending_webhooks: u64,
}

impl Event {
    /// Renders the event in an API version.
    pub fn render(&self, version: &Version) -> Value {
        let object = shapes::render(&self.object.value(), version);
        let mut data = Map::new();
        if let Some(before) = &self.before {
            let before = shapes::render(&before.value(), version);
            data.insert("previous_attributes".into(), previous(&before, &object));
        }
        data.insert("object".into(), object);
        let mut shown = json!({
            "id": self.id,
            "object": "event",
            "api_version": version.as_str(),
            "created": self.created_s,
            "data": data,
            "livemode": false,
            "pending_webhooks": self.pending_webhooks,
            "request": { "id": self.request.id, "idempotency_key": self.request.idempotency_key },
            "type": self.kind,
        });
        if let Some(account) = &self.account {
            shown["account"] = json!(account);
        }
        shown
    }
}

/// Returns the previous values of the changed members. Arrays and list objects are shown as a whole, other objects by
/// their changed members. A new member has the value null.
fn previous(before: &Value, after: &Value) -> Value {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
        return before.clone();
    };
    let mut out = Map::new();
    for (name, value) in old {
        let now = new.get(name).unwrap_or(&Value::Null);
        if value == now {
            continue;
        }
        let is_list = value.get("object").is_some_and(|o| o == "list");
        let nested = value.is_object() && now.is_object() && !is_list;
        out.insert(name.clone(), if nested { previous(value, now) } else { value.clone() });
    }
    for name in new.keys().filter(|name| !old.contains_key(*name)) {
        out.insert(name.clone(), Value::Null);
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previous_attributes_have_only_changed_members_and_whole_lists() {
        let before =
            json!({"a": 1, "b": 2, "m": {"x": 1, "y": 2}, "items": {"object": "list", "data": [1], "url": "u"}});
        let after = json!({"a": 1, "b": 3, "m": {"x": 1, "y": 3}, "items": {"object": "list", "data": [2], "url": "u"}, "n": 1});
        let expected = json!({"b": 2, "m": {"y": 2}, "items": {"object": "list", "data": [1], "url": "u"}, "n": null});
        assert_eq!(previous(&before, &after), expected);
    }
}
