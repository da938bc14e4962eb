//! The credential for an image: who may do what, for how long, and who says so. A real registry takes it in the tests of the server
//! (`host-shim/cli/tests/cli/serve/pull.rs`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use host_provider_api::{Call, CallOutcome, Provider, RegistryTokens, Secret};
use host_providers::registry::{Config, ConfigError, Images};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A key, and bytes that have its public key as a certificate has it.
struct Pair {
    key: String,
    certificate: Vec<u8>,
    public: Vec<u8>,
}

fn pair() -> Pair {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).expect("a key");
    let public = pair.public_key().as_ref().to_vec();
    Pair { key: pem("PRIVATE KEY", key.as_ref()), certificate: [b"before", &public[..], b"after"].concat(), public }
}

fn config(pair: &Pair) -> Config {
    Config {
        issuer: "shop.example".to_owned(),
        service: "registry.example".to_owned(),
        key: Secret::new(pair.key.clone()),
        certificate: pem("CERTIFICATE", &pair.certificate),
    }
}

fn call(kind: &str, payload: Value) -> Call {
    let (scope, key) = ("shop/live/user:ada".to_owned(), "redeem:tok_1:e".to_owned());
    Call { kind: kind.to_owned(), scope, key, generation: 1, attempt: 1, payload, ..Call::default() }
}

/// Verifies a token as the registry does. Returns its claims.
fn claims(pair: &Pair, token: &str) -> Value {
    let header = decode_header(token).expect("a header");
    assert_eq!((header.typ.as_deref(), header.alg), (Some("JWT"), Algorithm::ES256));
    assert_eq!(header.x5c, Some(vec![STANDARD.encode(&pair.certificate)]));
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["registry.example"]);
    validation.set_issuer(&["shop.example"]);
    validation.validate_nbf = true;
    decode(token, &DecodingKey::from_ec_der(&pair.public), &validation).expect("a valid token").claims
}

#[test]
fn the_credential_allows_to_pull_one_repository_until_it_expires() {
    let pair = pair();
    let images = Images::new(&config(&pair)).expect("a provider");
    let sign =
        call("object.sign", json!({"image": "registry.example/team/editor:1", "ttl_s": 900, "expires_at": "2026"}));
    let CallOutcome::Done(first) = images.call(&sign) else { panic!("expected a token") };
    assert_eq!(
        (&first["service"], &first["repository"], &first["expires_in"]),
        (&json!("registry.example"), &json!("team/editor"), &json!(900))
    );
    let own = claims(&pair, first["token"].as_str().expect("a token"));
    assert_eq!(own["access"], json!([{"type": "repository", "name": "team/editor", "actions": ["pull"]}]));
    assert_eq!((&own["sub"], own["iat"] == own["nbf"]), (&json!("user:ada"), true));
    assert_eq!(own["exp"].as_i64(), own["iat"].as_i64().map(|iat| iat + 900));
    let CallOutcome::Done(second) = images.call(&sign) else { panic!("expected a token") };
    let other = claims(&pair, second["token"].as_str().expect("a token"));
    assert_ne!(own["jti"], other["jti"], "each token has an id of its own");
}

#[test]
fn who_only_logs_in_gets_a_token_that_allows_nothing() {
    let pair = pair();
    let images = Images::new(&config(&pair)).expect("a provider");
    let token = images.without_access("user:ada").expect("a token");
    assert_eq!((images.service(), token.expires_in >= 60), ("registry.example", true));
    let claims = claims(&pair, &token.token);
    assert_eq!((&claims["access"], &claims["sub"]), (&json!([]), &json!("user:ada")));
    assert!(!format!("{token:?}").contains(&token.token), "a log has no token");
}

#[test]
fn a_payload_that_names_no_image_or_no_time_is_refused() {
    let images = Images::new(&config(&pair())).expect("a provider");
    for (kind, payload, expected) in [
        ("object.sign", json!({"bucket": "files", "key": "a", "ttl_s": 900}), "bad-payload"),
        ("object.sign", json!({"image": "Not An Image", "ttl_s": 900}), "bad-payload"),
        ("object.sign", json!({"image": "editor"}), "bad-payload"),
        ("object.sign", json!({"image": "editor", "ttl_s": 59}), "bad-payload"),
        ("object.sign", json!({"image": "editor", "ttl_s": 86_401}), "bad-payload"),
        ("object.delete", json!({"image": "editor", "ttl_s": 900}), "unsupported"),
    ] {
        let outcome = images.call(&call(kind, payload.clone()));
        assert!(matches!(&outcome, CallOutcome::Refused { code, .. } if code == expected), "{payload}: {outcome:?}");
    }
}

#[test]
fn a_key_and_a_certificate_that_do_not_fit_stop_the_start_and_no_message_has_the_key() {
    let (own, other) = (pair(), pair());
    let base = config(&own);
    let of_other = Config { certificate: config(&other).certificate, ..base.clone() };
    for (config, expected) in [
        (Config { issuer: String::new(), ..base.clone() }, ConfigError::Name),
        (Config { service: String::new(), ..base.clone() }, ConfigError::Name),
        (Config { key: Secret::new("no key"), ..base.clone() }, ConfigError::Key),
        (Config { key: Secret::new(base.certificate.clone()), ..base.clone() }, ConfigError::Key),
        (Config { certificate: String::new(), ..base.clone() }, ConfigError::Certificate),
        (Config { certificate: own.key.clone(), ..base.clone() }, ConfigError::Certificate),
        (of_other, ConfigError::OtherKey),
    ] {
        let error = Images::new(&config).err();
        assert_eq!(error, Some(expected));
        let told = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(!told.contains(own.key.lines().nth(1).expect("a line")), "{told}");
    }
}
