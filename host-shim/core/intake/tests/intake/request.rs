//! Tests of requests as values: method, path, encoding and signature are checked before the content.

use crate::common::{NOW_MS, NOW_S, SECRET, event_of, platform};
use crate::webhook::{identity, registration};
use host_intake::headers::Headers;
use host_intake::request::{Endpoints, Request, Taken, WebhookReply};
use host_intake::testing::sign;
use host_intake::webhook::{BodyPath, Encoding, FactOf, Key, Scheme, Template, Webhook};
use serde_json::{Value, json};

const STRIPE: &str = "/api/webhooks/stripe";

fn endpoints() -> Endpoints {
    let webhook = identity(Scheme::Standard);
    Endpoints {
        business: "shop".to_owned(),
        stripe: Some(platform()),
        webhooks: vec![(webhook, Key::of_bytes(b"identity")), (bus(), Key::of_bytes(b"bus"))],
    }
}

/// Returns the webhook of a bus that wraps Stripe's events and signs its own deliveries.
fn bus() -> Webhook {
    let template = |text| Template::parse(text).expect("a template");
    let paid = FactOf {
        when: vec![(BodyPath::parse("detail.type").expect("a path"), "invoice.paid".to_owned())],
        event: "bus.invoice_paid".to_owned(),
        account: template("user:{detail.data.object.customer}"),
        fields: Vec::new(),
    };
    let scheme = Scheme::Hmac { header: "X-Bus".to_owned(), prefix: String::new(), encoding: Encoding::Hex };
    Webhook { name: "bus".to_owned(), scheme, id: Some(template("{detail.id}")), facts: vec![paid] }
}

fn send(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> WebhookReply {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    endpoints().answer(Request { method, path, headers: Headers(&headers), body: body.to_vec() }, NOW_MS)
}

/// Returns the status and a text: kind and id of the event to store, `quarantined`, or the name of the counter.
fn taken(answer: &WebhookReply) -> (u16, String) {
    let what = match &answer.taken {
        Taken::Event(decoded, _) => format!("{} {}", decoded.event.kind, decoded.event.id),
        Taken::Quarantined(_) => "quarantined".to_owned(),
        Taken::Nothing(counted) => (*counted).to_owned(),
    };
    (answer.status, what)
}

fn invoice() -> Value {
    event_of("invoice.paid", json!({"id": "in_1", "object": "invoice", "customer": "cus_1"}))
}

fn of(status: u16, what: &str) -> (u16, String) {
    (status, what.to_owned())
}

// covers: S14
#[test]
fn method_encoding_and_path_are_checked_and_a_trailing_slash_is_accepted() {
    let body = invoice().to_string().into_bytes();
    let signature = sign(SECRET, NOW_S, &body);
    let with = |name: &'static str, value: &'static str| {
        let headers = [("Stripe-Signature", signature.as_str()), (name, value)];
        taken(&send("POST", STRIPE, &headers, &body))
    };
    for method in ["GET", "HEAD", "PUT", "post"] {
        let answer = send(method, STRIPE, &[("Stripe-Signature", &signature)], &body);
        assert_eq!((taken(&answer), answer.allow), (of(405, "method"), Some("POST")), "{method}");
    }
    let good = of(200, "invoice.paid evt_1");
    for content in ["text/plain", "application/json; charset=utf-8", "application/json", ""] {
        assert_eq!(with("Content-Type", content), good, "{content}");
    }
    // Compressed bodies are refused.
    for coding in ["gzip", "br", "identity, gzip", "GZIP"] {
        assert_eq!(with("content-encoding", coding), of(415, "content-encoding"), "{coding}");
    }
    for coding in ["identity", "Identity", ""] {
        assert_eq!(with("content-encoding", coding), good, "{coding}");
    }
    let header = [("STRIPE-SIGNATURE", signature.as_str())];
    let answer = send("POST", "/api/webhooks/stripe/", &header, &body);
    assert_eq!((taken(&answer), answer.allow), (good, None), "no redirect");
    for path in ["/api/webhooks/stripe//", "/api/webhooks/", "/api/webhooks/none", "/stripe", "/api/webhooks/Stripe"] {
        assert_eq!(taken(&send("POST", path, &header, &body)), of(404, "no-endpoint"), "{path}");
    }
}

// covers: PLG-22, PLG-30
#[test]
fn the_signature_is_checked_before_the_content() {
    let body = invoice().to_string().into_bytes();
    let good = sign(SECRET, NOW_S, &body);
    assert_eq!(taken(&send("POST", STRIPE, &[("Stripe-Signature", &good)], &body)), of(200, "invoice.paid evt_1"));
    // A delivery with one of these signatures is only counted.
    let other = sign("whsec_other", NOW_S, &body);
    let old = sign(SECRET, NOW_S - 301, &body);
    for (signature, counted) in [(other.as_str(), "mismatch"), (old.as_str(), "too-old"), ("v1=00", "no-time")] {
        assert_eq!(taken(&send("POST", STRIPE, &[("Stripe-Signature", signature)], &body)), of(400, counted));
    }
    assert_eq!(taken(&send("POST", STRIPE, &[], &body)), of(400, "missing"));
    for nonsense in [&b"[1]"[..], b"not JSON", b"", b"{\"id\":1}"] {
        assert_eq!(taken(&send("POST", STRIPE, &[("Stripe-Signature", &good)], nonsense)), of(400, "mismatch"));
    }
    // Signed bytes that are not a JSON object are kept for operators.
    let signature = sign(SECRET, NOW_S, b"[1]");
    assert_eq!(taken(&send("POST", STRIPE, &[("Stripe-Signature", &signature)], b"[1]")), of(400, "quarantined"));
    let large = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(taken(&send("POST", STRIPE, &[("Stripe-Signature", &good)], &large)), of(413, "too-large"));
}

// covers: S87
#[test]
fn an_envelope_of_a_cloud_bus_needs_a_signature_of_its_own() {
    let event = invoice();
    for wrapped in [
        json!({"version": "0", "id": "bus_1", "detail-type": "invoice.paid", "detail": event}),
        json!({"specversion": "1.0", "id": "bus_1", "type": "invoice.paid", "data": event}),
    ] {
        let body = wrapped.to_string().into_bytes();
        assert_eq!(taken(&send("POST", STRIPE, &[], &body)), of(400, "missing"));
        // The signature of the inner event covers other bytes.
        let inner = sign(SECRET, NOW_S, event.to_string().as_bytes());
        assert_eq!(taken(&send("POST", STRIPE, &[("Stripe-Signature", &inner)], &body)), of(400, "mismatch"));
        let bus = "/api/webhooks/bus";
        assert_eq!(taken(&send("POST", bus, &[("Stripe-Signature", &inner)], &body)), of(400, "missing"));
        let headers = self::bus().scheme.sign(&Key::of_bytes(b"bus"), "", 0, &body);
        let headers = [(headers[0].0.as_str(), headers[0].1.as_str())];
        let expected = match wrapped.get("detail") {
            // The inner event keeps its id, whatever the id of the bus envelope.
            Some(_) => of(200, "bus.invoice_paid bus:evt_1"),
            None => of(200, "ignored"),
        };
        assert_eq!(taken(&send("POST", bus, &headers, &body)), expected);
    }
}

#[test]
fn webhooks_of_other_providers_have_endpoints_with_their_names() {
    let body = registration().to_string().into_bytes();
    let scheme = Scheme::Standard;
    let headers = scheme.sign(&Key::of_bytes(b"identity"), "msg_1", NOW_MS, &body);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let path = "/api/webhooks/identity";
    let answer = send("POST", path, &headers, &body);
    assert_eq!(taken(&answer), of(200, "user.registered identity:msg_1"));
    assert!(matches!(&answer.taken, Taken::Event(_, raw) if *raw == body), "the bytes as received");
    assert_eq!(taken(&send("GET", path, &headers, &body)), of(405, "method"));
    assert_eq!(taken(&send("POST", path, &headers[..2], &body)), of(400, "missing"));
    assert_eq!(
        taken(&send("POST", STRIPE, &headers, &body)),
        of(400, "missing"),
        "a secret is valid only for its endpoint"
    );
}
