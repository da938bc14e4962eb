//! An event of the provider that an extension puts together itself, of an object that it asked for: it comes in as if the
//! provider had sent it, and is placed by what stands in it.

use extension_contract::Timestamp;
use host_intake::envelope::{self, Decoded, SNAPSHOT_EVENT};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The payload of a `provider.event`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderEvent {
    /// Id of the event; one that is in the inbox already is a duplicate.
    id: String,
    /// Its type, for example `invoice.paid`.
    #[serde(rename = "type")]
    kind: String,
    /// When the object was as it is here, in milliseconds since the epoch.
    date_ms: i64,
    /// The object, as the provider answered it.
    object: Map<String, Value>,
    /// The connected account that it is about.
    #[serde(default)]
    connected_account: Option<String>,
    /// The API version of the object.
    #[serde(default)]
    api_version: Option<String>,
}

impl ProviderEvent {
    /// Read a payload.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(payload: &str) -> Result<ProviderEvent, String> {
        serde_json::from_str(payload).map_err(|error| error.to_string())
    }

    /// The event with the bytes that stand for it in the inbox. What the intake would refuse is refused here as well.
    pub(crate) fn take_in(self, business: &str, livemode: bool, now: Timestamp) -> (Decoded, Vec<u8>) {
        let body = json!({
            "id": self.id, "object": SNAPSHOT_EVENT, "type": self.kind, "created": self.date_ms.div_euclid(1000),
            "livemode": livemode, "account": self.connected_account, "api_version": self.api_version,
            "data": {"object": self.object},
        });
        let bytes = body.to_string().into_bytes();
        // `decode` refuses nothing but what is no JSON object, and these bytes were an object a line ago.
        let decoded = envelope::decode(bytes.clone(), business, None, now).expect("it is an object in JSON");
        (decoded, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::{Payload, Refusal};

    #[test]
    fn it_comes_in_as_the_provider_would_have_sent_it() {
        let payload = json!({
            "id": "evt_1", "type": "invoice.paid", "date_ms": 1_767_225_600_250_i64, "api_version": "2025-03-31.basil",
            "object": {"id": "in_1", "object": "invoice"},
        });
        let told = ProviderEvent::parse(&payload.to_string()).expect("a payload");
        let (Decoded { event, refusal, .. }, bytes) = told.take_in("solobase", true, 7);
        assert_eq!(
            (event.id.as_str(), event.kind.as_str(), event.source.as_str()),
            ("evt_1", "invoice.paid", "stripe")
        );
        assert_eq!((event.livemode, event.account, event.received_at, refusal), (Some(true), None, 7, None));
        let facts = event.provider.expect("of the provider");
        assert_eq!((facts.time, facts.api_version.as_deref()), (Some(1_767_225_600_000), Some("2025-03-31.basil")));
        assert_eq!(event.payload, Payload::Provider(bytes));
    }

    #[test]
    fn what_the_intake_would_refuse_is_refused() {
        let payload = json!({"id": "evt_1", "type": "invoice.paid", "date_ms": 0, "object": {"id": 5}});
        let told = ProviderEvent::parse(&payload.to_string()).expect("a payload");
        let (decoded, _) = told.take_in("solobase", false, 0);
        assert_eq!(decoded.refusal, Some(Refusal::Malformed("/data/object/id".to_owned())));
    }

    #[test]
    fn a_payload_of_another_form_is_none() {
        let whole = json!({"id": "evt_1", "type": "invoice.paid", "date_ms": 0, "object": {}});
        assert!(ProviderEvent::parse(&whole.to_string()).is_ok());
        for (member, value) in [("id", json!(1)), ("date_ms", json!("now")), ("object", json!([])), ("more", json!(1))]
        {
            let mut other = whole.clone();
            other[member] = value;
            assert!(ProviderEvent::parse(&other.to_string()).is_err(), "{member}");
        }
    }
}
