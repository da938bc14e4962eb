//! Shared secrets, bodies and deliveries of the tests.

use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::testing::sign;
use host_intake::{Decoded, EndpointSecrets, Mode, Refused, SecretConfig, receive};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// 2026-01-01T00:00:10Z.
pub const NOW_S: i64 = 1_767_225_610;
pub const NOW_MS: i64 = NOW_S * 1000;
pub const SECRET: &str = "whsec_test_platform";

pub fn config(mode: Mode, name: &str, connect: Option<bool>, secret: &str) -> SecretConfig {
    SecretConfig { name: name.to_owned(), mode, connect, secret: secret.to_owned() }
}

pub fn endpoint(configs: Vec<SecretConfig>) -> EndpointSecrets {
    EndpointSecrets::new(configs, TOLERANCE_S_DEFAULT).expect("the secrets are usable")
}

/// Returns an endpoint with one test secret.
pub fn platform() -> EndpointSecrets {
    endpoint(vec![config(Mode::Test, "platform", None, SECRET)])
}

pub fn deliver(secrets: &EndpointSecrets, header: &str, body: &[u8]) -> Result<Decoded, Refused> {
    receive("solobase", secrets, [header.as_bytes()], body.to_vec(), NOW_MS)
}

/// Delivers a body signed now with [`SECRET`].
pub fn deliver_signed(body: &[u8]) -> Result<Decoded, Refused> {
    deliver(&platform(), &sign(SECRET, NOW_S, body), body)
}

/// Returns a complete event of `kind` with `object`.
pub fn event_of(kind: &str, object: Value) -> Value {
    json!({
        "id": "evt_1", "object": "event", "api_version": "2025-03-31.basil", "created": 1767225600,
        "data": {"object": object}, "livemode": false, "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null}, "type": kind,
    })
}

pub fn invoice_paid() -> Value {
    event_of("invoice.paid", base_body("2025-03-31.basil", "invoice"))
}

pub fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a value is JSON")
}

fn stripe_fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/stripe")
}

pub fn base_body(version: &str, object: &str) -> Value {
    let path = stripe_fixtures().join(version).join(format!("{object}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).expect("a base body is JSON")
}

/// Returns version and object name of every base body.
pub fn base_bodies() -> Vec<(String, String)> {
    let mut bodies = Vec::new();
    for version in std::fs::read_dir(stripe_fixtures()).expect("the base bodies exist") {
        let version = version.expect("readable").path();
        if !version.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&version).expect("readable") {
            let file = file.expect("readable").path();
            let name = |path: &Path| path.file_name().expect("named").to_string_lossy().into_owned();
            if let Some(object) = name(&file).strip_suffix(".json") {
                bodies.push((name(&version), object.to_owned()));
            }
        }
    }
    bodies.sort();
    assert!(bodies.len() >= 30, "too few base bodies: {bodies:?}");
    bodies
}
