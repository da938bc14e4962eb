//! The events that a server sends to webhook endpoints, each as one entry: its type, its description and the objects in its data. The
//! OpenAPI document, the check of filters and the server's own messages use this table.

use serde_json::{Map, Value, json};

/// An event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventType {
    /// Name, for example `subscription.updated`.
    pub(crate) name: &'static str,
    /// When it is sent.
    pub(crate) about: &'static str,
    /// Members of `data`, each with the name of its schema.
    pub(crate) data: &'static [(&'static str, &'static str)],
}

/// All event types, in the order of their names.
pub(crate) const EVENTS: [EventType; 13] = [
    EventType {
        name: "endpoint.recovered",
        about: "The endpoint is enabled again after it was disabled. `missed` messages can be sent again.",
        data: &[("endpoint", "text"), ("disabled_at", "text"), ("missed", "number")],
    },
    EventType { name: "endpoint.test", about: "A person tests the endpoint.", data: &[("endpoint", "text")] },
    EventType {
        name: "entitlements.updated",
        about: "The account may use more or less than before.",
        data: &[("entitlements", "entitlements")],
    },
    EventType { name: "instance.created", about: "An instance exists.", data: &[("instance", "object")] },
    EventType {
        name: "instance.deleted",
        about: "An instance is gone. It has only its `id`.",
        data: &[("instance", "object")],
    },
    EventType {
        name: "instance.updated",
        about: "An instance has changed, such as its status.",
        data: &[("instance", "object")],
    },
    EventType { name: "invoice.created", about: "An invoice is known.", data: &[("invoice", "object")] },
    EventType {
        name: "invoice.updated",
        about: "An invoice has changed, such as its payment.",
        data: &[("invoice", "object")],
    },
    EventType { name: "purchase.created", about: "A purchase has begun.", data: &[("purchase", "object")] },
    EventType {
        name: "purchase.updated",
        about: "A purchase has changed, such as its payment.",
        data: &[("purchase", "object")],
    },
    EventType {
        name: "subscription.created",
        about: "A subscription is known.",
        data: &[("subscription", "object"), ("entitlements", "entitlements")],
    },
    EventType {
        name: "subscription.ended",
        about: "A subscription has ended for good.",
        data: &[("subscription", "object"), ("entitlements", "entitlements")],
    },
    EventType {
        name: "subscription.updated",
        about: "A subscription has changed, such as its plan or status.",
        data: &[("subscription", "object"), ("entitlements", "entitlements")],
    },
];

fn entitlements() -> Value {
    let whole = || json!({"type": ["integer", "null"]});
    let time = || json!({"type": ["string", "null"], "format": "date-time"});
    json!({
        "type": "array",
        "description": "What the account may use now.",
        "items": {
            "type": "object",
            "required": ["key", "allowed", "used"],
            "properties": {
                "key": {"type": "string"},
                "allowed": whole(),
                "used": whole(),
                "resets_at": time(),
                "ends_at": time(),
                "sources": {"type": "array", "items": {"type": "string"}},
            },
        },
    })
}

fn schema(name: &str) -> Value {
    match name {
        "text" => json!({"type": "string"}),
        "number" => json!({"type": "integer", "minimum": 0}),
        "entitlements" => json!({"$ref": "#/components/schemas/WebhookEntitlements"}),
        _ => json!({
            "type": "object",
            "description": "The object as the lists of `/api/queries/list` show it.",
            "required": ["id"],
            "properties": {"id": {"type": "string"}},
        }),
    }
}

impl EventType {
    /// Returns the schema of a message.
    fn schema(&self) -> Value {
        let data: Map<String, Value> =
            self.data.iter().map(|(name, kind)| ((*name).to_owned(), schema(kind))).collect();
        let names: Vec<&str> = self.data.iter().map(|(name, _)| *name).collect();
        json!({
            "type": "object",
            "required": ["type", "timestamp", "data"],
            "additionalProperties": false,
            "properties": {
                "type": {"const": self.name},
                "timestamp": {"type": "string", "format": "date-time"},
                "account": {"type": "string", "description": "The account that the event is about."},
                "data": {"type": "object", "required": names, "additionalProperties": false, "properties": data},
            },
        })
    }
}

/// Returns the schemas of the components that the messages use.
pub(crate) fn components() -> [(String, Value); 1] {
    [("WebhookEntitlements".to_owned(), entitlements())]
}

/// Returns the member `webhooks` of the OpenAPI document.
pub(crate) fn webhooks() -> Value {
    let header = |name: &str, about: &str| json!({"name": name, "in": "header", "required": true, "schema": {"type": "string"}, "description": about});
    let parameters = || {
        json!([
            header("webhook-id", "Id of the message. A message that comes again has the same id."),
            header("webhook-timestamp", "Time of the attempt, in seconds since the epoch."),
            header("webhook-signature", "Signatures of Standard Webhooks, `v1,…`, with a space between two."),
        ])
    };
    let of = |event: &EventType| {
        let content = json!({"application/json": {"schema": event.schema()}});
        let post = json!({
            "operationId": event.name.replace('.', "_"),
            "summary": event.about,
            "parameters": parameters(),
            "requestBody": {"required": true, "content": content},
            "responses": {"2XX": {"description": "The message has arrived"}},
        });
        (event.name.to_owned(), json!({"post": post}))
    };
    Value::Object(EVENTS.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_stand_in_the_order_of_their_names() {
        assert!(EVENTS.is_sorted_by_key(|event| event.name));
    }
}
