//! Turns a retrieved object into an event of the payment source (effect `payment.event`). The extension builds the event
//! from an object that it retrieved; the event enters the inbox and is placed as if the payment source had sent it.

use extension_contract::Timestamp;
use host_intake::envelope::{self, Decoded, SNAPSHOT_EVENT};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The payload of a `payment.event`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentEvent {
    /// Id of the event. An event whose id is already in the inbox is a duplicate.
    id: String,
    /// Type of the event, for example `invoice.paid`.
    #[serde(rename = "type")]
    kind: String,
    /// Time of the object's state, in milliseconds since the epoch.
    date_ms: i64,
    /// The object, as the payment source returned it.
    object: Map<String, Value>,
    /// Connected account of the object.
    #[serde(default)]
    connected_account: Option<String>,
    /// API version of the object.
    #[serde(default)]
    api_version: Option<String>,
}

impl PaymentEvent {
    /// Parses a payload.
    ///
    /// # Errors
    /// Fails with the message of the parse error.
    pub(crate) fn parse(payload: &str) -> Result<PaymentEvent, String> {
        serde_json::from_str(payload).map_err(|error| error.to_string())
    }

    /// Returns the event and its bytes for the inbox. Applies the refusals of the intake.
    pub(crate) fn into_inbox_event(self, business: &str, livemode: bool, now: Timestamp) -> (Decoded, Vec<u8>) {
        let body = json!({
            "id": self.id, "object": SNAPSHOT_EVENT, "type": self.kind, "created": self.date_ms.div_euclid(1000),
            "livemode": livemode, "account": self.connected_account, "api_version": self.api_version,
            "data": {"object": self.object},
        });
        let bytes = body.to_string().into_bytes();
        // `decode` fails only for bytes that are not a JSON object.
        let decoded = envelope::decode(bytes.clone(), business, None, now).expect("the body is a JSON object");
        (decoded, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::{Payload, Refusal};

    #[test]
    fn the_event_equals_an_event_that_the_payment_source_sends() {
        let payload = json!({
            "id": "evt_1", "type": "invoice.paid", "date_ms": 1_767_225_600_250_i64, "api_version": "2025-03-31.basil",
            "object": {"id": "in_1", "object": "invoice"},
        });
        let parsed = PaymentEvent::parse(&payload.to_string()).expect("a payload");
        let (Decoded { event, refusal, .. }, bytes) = parsed.into_inbox_event("solobase", true, 7);
        assert_eq!(
            (event.id.as_str(), event.kind.as_str(), event.source.as_str()),
            ("evt_1", "invoice.paid", "stripe")
        );
        assert_eq!((event.livemode, event.account, event.received_at, refusal), (Some(true), None, 7, None));
        let facts = event.payment.expect("of the payment source");
        assert_eq!((facts.time, facts.api_version.as_deref()), (Some(1_767_225_600_000), Some("2025-03-31.basil")));
        assert_eq!(event.payload, Payload::Payment(bytes));
    }

    #[test]
    fn the_refusals_of_the_intake_apply() {
        let payload = json!({"id": "evt_1", "type": "invoice.paid", "date_ms": 0, "object": {"id": 5}});
        let parsed = PaymentEvent::parse(&payload.to_string()).expect("a payload");
        let (decoded, _) = parsed.into_inbox_event("solobase", false, 0);
        assert_eq!(decoded.refusal, Some(Refusal::Malformed("/data/object/id".to_owned())));
    }

    #[test]
    fn a_payload_of_another_shape_is_an_error() {
        let whole = json!({"id": "evt_1", "type": "invoice.paid", "date_ms": 0, "object": {}});
        assert!(PaymentEvent::parse(&whole.to_string()).is_ok());
        for (member, value) in [("id", json!(1)), ("date_ms", json!("now")), ("object", json!([])), ("more", json!(1))]
        {
            let mut other = whole.clone();
            other[member] = value;
            assert!(PaymentEvent::parse(&other.to_string()).is_err(), "{member}");
        }
    }
}
