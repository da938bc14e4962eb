//! The block under wasmi.

use crate::stand_in::{self, SECRET, SERVICE, bundle, repository, stand_in_of};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// A time of the tests: 2026-01-01.
const NOW: i64 = 1_767_225_600_000;

/// Signs a delivery as Stripe does.
pub fn signature(body: &[u8], at_ms: i64) -> String {
    let time = at_ms.div_euclid(1000);
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    let mac = mac.chain_update(format!("{time}.")).chain_update(body);
    format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}

pub fn body_of(result: &Value) -> Value {
    let bytes: Vec<u8> = serde_json::from_value(result["response"]["data"].clone()).expect("bytes");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn a_first_command() {
    let bundle = bundle(&repository("fixtures/solobase"), false, &[]);
    let platform = stand_in_of(&bundle, NOW, true);
    let meta = |path: &str, method: &str| {
        vec![
            ("http.method".to_owned(), method.to_owned()),
            ("http.path".to_owned(), path.to_owned()),
            ("auth.user_id".to_owned(), "ada".to_owned()),
            ("auth.user_roles".to_owned(), "user".to_owned()),
        ]
    };
    let (result, used) = platform.guest.handle("GET:/b/p/catalog", &meta("/b/p/catalog", "GET"), b"", None).expect("run");
    println!("{used:?} {}", body_of(&result));
    let body = json!({"plan": "starter"}).to_string();
    let path = "/b/p/commands/purchase.create";
    let (result, used) = platform.guest.handle("POST:", &meta(path, "POST"), body.as_bytes(), None).expect("run");
    println!("{used:?} {}", body_of(&result));
    let mut service = meta("/b/p/outbox/lease", "POST");
    service.push(("http.header.x-service-key".to_owned(), SERVICE.to_owned()));
    let body = json!({"owner": "test", "limit": 8}).to_string();
    let (result, used) = platform.guest.handle("POST:", &service, body.as_bytes(), None).expect("run");
    println!("{used:?} {}", body_of(&result));
    println!("{:?} {}", platform.services.lines(), stand_in::module().len());
}
