//! Fuzzes a signature header: a webhook is accepted only if the header contains the correct signature.

use host_intake::headers::Headers;
use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::testing::signature;
use host_intake::webhook::{Key, Scheme, Webhook, receive};
use host_intake::{EndpointSecrets, Mode, SecretConfig};
use std::sync::LazyLock;

/// Time of the signature, 2026-01-01T00:00:00Z, in seconds since the epoch.
const NOW_S: i64 = 1_767_225_600;
const SECRET: &str = "whsec_fuzz";
const BODY: &[u8] = b"{}";
/// Placeholder for the correct signature in the input, so that headers with other text around the signature are tried
/// too.
const RIGHT: &[u8] = b"RIGHT";

static SECRETS: LazyLock<EndpointSecrets> = LazyLock::new(|| {
    let config = SecretConfig { name: "only".to_owned(), mode: Mode::Test, connect: None, secret: SECRET.to_owned() };
    EndpointSecrets::new(vec![config], TOLERANCE_S_DEFAULT).expect("the secret is usable")
});

/// Checks one header with the scheme of Stripe and with Standard Webhooks.
pub fn run(header: &[u8]) {
    let right = signature(SECRET, NOW_S, BODY);
    let filled = fill(header, &right);
    if SECRETS.verify([filled.as_slice()], BODY, NOW_S * 1000).is_ok() {
        let text = String::from_utf8_lossy(&filled);
        assert!(text.contains(&right), "accepted without the correct signature: {text}");
        assert!(text.contains(&NOW_S.to_string()), "accepted without the signed time: {text}");
    }

    let webhook = Webhook { name: "other".to_owned(), scheme: Scheme::Standard, id: None, facts: Vec::new() };
    let key = Key::of_bytes(SECRET.as_bytes());
    let signed = webhook.scheme.sign(&key, "msg_1", NOW_S * 1000, BODY);
    let (name, value) = signed.iter().find(|(name, _)| name.ends_with("signature")).expect("a signature header");
    let right = value.strip_prefix("v1,").expect("a version prefix");
    let filled = fill(header, right);
    let headers: Vec<(&str, &[u8])> = signed
        .iter()
        .map(|(of, value)| (of.as_str(), if of == name { filled.as_slice() } else { value.as_bytes() }))
        .collect();
    if receive(&webhook, &key, "acme", Headers(&headers), BODY.to_vec(), NOW_S * 1000).is_ok() {
        let text = String::from_utf8_lossy(&filled);
        assert!(text.contains(right), "accepted without the correct signature: {text}");
    }
}

fn fill(header: &[u8], right: &str) -> Vec<u8> {
    let mut filled = Vec::new();
    let mut rest = header;
    while let Some(at) = rest.windows(RIGHT.len()).position(|part| part == RIGHT) {
        filled.extend_from_slice(&rest[..at]);
        filled.extend_from_slice(right.as_bytes());
        rest = &rest[at + RIGHT.len()..];
    }
    filled.extend_from_slice(rest);
    filled
}
