//! Fuzzes the body of a correctly signed webhook: every endpoint answers it, and it can be read as a line of a file.

use host_intake::headers::Headers;
use host_intake::request::{Endpoints, PATH, Request, Taken};
use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::testing::sign;
use host_intake::webhook::{BodyPath, Encoding, FactOf, Key, Scheme, Template, Webhook};
use host_intake::{EndpointSecrets, Mode, SecretConfig, raw};
use std::sync::LazyLock;

/// Time of the signature and of the delivery, 2026-01-01T00:00:00Z, in seconds since the epoch.
const NOW_S: i64 = 1_767_225_600;
const SECRET: &str = "whsec_fuzz";

static ENDPOINTS: LazyLock<Endpoints> = LazyLock::new(|| {
    let config = SecretConfig { name: "only".to_owned(), mode: Mode::Test, connect: None, secret: SECRET.to_owned() };
    let stripe = EndpointSecrets::new(vec![config], TOLERANCE_S_DEFAULT).expect("the secret is usable");
    let template = |text| Template::parse(text).expect("a template");
    let fact = FactOf {
        when: vec![(BodyPath::parse("type").expect("a path"), "user.created".to_owned())],
        event: "user.registered".to_owned(),
        account: template("user:{data.id}"),
        fields: vec![("name".to_owned(), template("{data.name}")), ("all".to_owned(), template("{data}"))],
    };
    let scheme = Scheme::Hmac { header: "x-signature".to_owned(), prefix: String::new(), encoding: Encoding::Hex };
    let other = Webhook { name: "other".to_owned(), scheme, id: Some(template("{id}")), facts: vec![fact] };
    let webhooks = vec![(other, Key::of_bytes(SECRET.as_bytes()))];
    Endpoints { business: "acme".to_owned(), stripe: Some(stripe), webhooks }
});

/// Delivers one body to every endpoint.
pub fn run(body: &[u8]) {
    let stripe = sign(SECRET, NOW_S, body);
    answered("stripe", &[("stripe-signature".to_owned(), stripe)], body);
    for (webhook, key) in &ENDPOINTS.webhooks {
        answered(&webhook.name, &webhook.scheme.sign(key, "msg_1", NOW_S * 1000, body), body);
    }
    if let Ok(decoded) = raw::read(body.to_vec(), "acme", NOW_S * 1000) {
        assert!(!decoded.event.id.is_empty(), "an event must have an id for deduplication");
    }
}

fn answered(endpoint: &str, headers: &[(String, String)], body: &[u8]) {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let path = format!("{PATH}{endpoint}");
    let request = Request { method: "POST", path: &path, headers: Headers(&headers), body: body.to_vec() };
    let answer = ENDPOINTS.answer(request, NOW_S * 1000);
    match answer.taken {
        Taken::Event(decoded, _) => {
            assert_eq!(answer.status, 200);
            assert!(!decoded.event.id.is_empty(), "an event must have an id for deduplication");
        }
        Taken::Quarantined(_) => assert_eq!(answer.status, 400),
        Taken::Nothing(counted) => {
            assert!(["too-large", "ignored"].contains(&counted), "unexpected for a signed body: {counted}")
        }
    }
}
