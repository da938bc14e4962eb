//! Tests of webhooks of other services: signatures and facts.

use crate::common::NOW_MS;
use extension_contract::{Account, ActorKind, Payload, Refusal};
use host_intake::headers::Headers;
use host_intake::signature::SignatureError;
use host_intake::webhook::{BodyPath, Encoding, FactOf, Key, KeyError, Received, Scheme, Template, Webhook, receive};
use host_intake::{Decoded, Refused};
use serde_json::{Value, json};

/// Base64 of the 24 bytes `0123456789abcdefghijklmn`.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u";

fn path(text: &str) -> BodyPath {
    BodyPath::parse(text).expect("a path")
}

fn template(text: &str) -> Template {
    Template::parse(text).expect("a template")
}

/// Returns a webhook with facts for registrations and removals of organizations.
pub fn identity(scheme: Scheme) -> Webhook {
    let registered = FactOf {
        when: vec![(path("type"), "user.created".to_owned()), (path("user.active"), "true".to_owned())],
        event: "user.registered".to_owned(),
        account: template("user:{user.id}"),
        fields: vec![
            ("email".to_owned(), template("{user.emails.0.address}")),
            ("logins".to_owned(), template("{user.logins}")),
            ("name".to_owned(), template("{user.first} {user.last}")),
        ],
    };
    let removed = FactOf {
        when: vec![(path("type"), "org.deleted".to_owned())],
        event: "organization.removed".to_owned(),
        account: template("organization:{org}"),
        fields: Vec::new(),
    };
    Webhook { name: "identity".to_owned(), scheme, id: None, facts: vec![registered, removed] }
}

fn hmac(encoding: Encoding) -> Scheme {
    Scheme::Hmac { header: "X-Hub-Signature-256".to_owned(), prefix: "sha256=".to_owned(), encoding }
}

fn key(scheme: &Scheme, secret: &str) -> Key {
    Key::new(scheme, secret).expect("a secret")
}

pub fn registration() -> Value {
    json!({"type": "user.created", "user": {"id": "u_1", "active": true, "logins": 0, "first": "Ada",
        "last": "\"L\"", "emails": [{"address": "ada@example.com"}]}})
}

fn deliver(webhook: &Webhook, key: &Key, headers: &[(String, String)], body: &[u8]) -> Result<Received, Refused> {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    receive(webhook, key, "shop", Headers(&headers), body.to_vec(), NOW_MS)
}

/// Delivers a body signed now with the right key and the id `msg_1`.
fn signed(webhook: &Webhook, body: &Value) -> Result<Received, Refused> {
    let (key, body) = (key(&webhook.scheme, SECRET), body.to_string().into_bytes());
    deliver(webhook, &key, &webhook.scheme.sign(&key, "msg_1", NOW_MS, &body), &body)
}

fn fact(received: Result<Received, Refused>) -> Decoded {
    match received {
        Ok(Received::Fact(decoded, _)) => *decoded,
        other => panic!("no fact: {other:?}"),
    }
}

fn why(received: Result<Received, Refused>) -> SignatureError {
    match received {
        Err(Refused::Signature(error)) => error,
        other => panic!("no refusal: {other:?}"),
    }
}

#[test]
fn a_body_becomes_the_first_matching_fact() {
    let webhook = identity(Scheme::Standard);
    let decoded = fact(signed(&webhook, &registration()));
    assert_eq!((decoded.refusal, decoded.time), (None, Some(NOW_MS)));
    let event = decoded.event;
    assert_eq!((event.id.as_str(), event.source.as_str()), ("identity:msg_1", "business"));
    assert_eq!((event.kind.as_str(), event.account), ("user.registered", Some(Account::User("u_1".to_owned()))));
    assert_eq!((event.actor.kind, event.actor.subject.as_str()), (ActorKind::Service, "identity"));
    let Payload::Command(payload) = event.payload else { panic!("no fact") };
    let fields: Value = serde_json::from_str(&payload).expect("JSON");
    assert_eq!(fields, json!({"email": "ada@example.com", "logins": 0, "name": "Ada \"L\""}));

    let removed = fact(signed(&webhook, &json!({"type": "org.deleted", "org": 7})));
    assert_eq!(removed.event.account, Some(Account::Organization("7".to_owned())));
    assert_eq!(removed.event.payload, Payload::Command("{}".to_owned()));
}

#[test]
fn a_body_without_a_matching_fact_is_ignored_and_a_missing_value_is_refused() {
    let webhook = identity(Scheme::Standard);
    let mut inactive = registration();
    inactive["user"]["active"] = json!(false);
    for body in [json!({}), json!({"type": "user.updated"}), inactive] {
        assert_eq!(signed(&webhook, &body).expect("authentic"), Received::Ignored, "{body}");
    }
    for (pointer, lacking) in [
        ("/user/id", "/user/id"),
        ("/user/emails/0/address", "/user/emails/0/address"),
        ("/user/last", "/user/last"),
        ("/user/logins", "/user/logins"),
    ] {
        let mut body = registration();
        *body.pointer_mut(pointer).expect("there") = Value::Null;
        let refusal = fact(signed(&webhook, &body)).refusal;
        assert_eq!(refusal, Some(Refusal::Malformed(lacking.to_owned())), "{pointer}");
    }
    let mut long = registration();
    long["user"]["id"] = json!("u".repeat(300));
    assert_eq!(fact(signed(&webhook, &long)).refusal, Some(Refusal::Malformed("/account".to_owned())));
    let twice = br#"{"type":"org.deleted","org":"a","org":"b"}"#;
    let key = key(&webhook.scheme, SECRET);
    let decoded = fact(deliver(&webhook, &key, &webhook.scheme.sign(&key, "m", NOW_MS, twice), twice));
    assert_eq!(decoded.refusal, Some(Refusal::Malformed("/org".to_owned())), "a duplicate name is not reliable");
}

#[test]
fn a_standard_signature_covers_id_time_and_body() {
    let webhook = identity(Scheme::Standard);
    let right = key(&webhook.scheme, SECRET);
    let body = registration().to_string().into_bytes();
    let sign = |id: &str, time| webhook.scheme.sign(&right, id, time, &body);
    let with = |index: usize, value: &str| {
        let mut headers = sign("msg_1", NOW_MS);
        headers[index].1 = value.to_owned();
        headers
    };
    let send = |headers: &[(String, String)]| deliver(&webhook, &right, headers, &body);
    assert!(send(&sign("msg_1", NOW_MS)).is_ok());
    assert!(send(&sign("msg_1", NOW_MS - 300_000)).is_ok());
    assert!(deliver(&webhook, &key(&webhook.scheme, &format!("v1,{SECRET}")), &sign("msg_1", NOW_MS), &body).is_ok());

    assert_eq!(why(send(&[])), SignatureError::Missing);
    assert_eq!(why(send(&sign("msg_1", NOW_MS)[1..])), SignatureError::Missing);
    assert_eq!(why(send(&sign("msg_1", NOW_MS - 301_000))), SignatureError::TooOld);
    assert_eq!(why(send(&sign("msg_1", NOW_MS + 301_000))), SignatureError::TooNew);
    assert_eq!(why(send(&with(0, "msg_2"))), SignatureError::Mismatch);
    assert_eq!(why(send(&with(0, "msg.1"))), SignatureError::BadElement);
    assert_eq!(why(send(&with(1, "1767225611"))), SignatureError::Mismatch, "another time within the tolerance");
    assert_eq!(why(send(&with(1, "soon"))), SignatureError::BadTime);
    assert_eq!(why(send(&with(2, "v1a,AAAA"))), SignatureError::NoSignature);
    assert_eq!(why(deliver(&webhook, &right, &sign("msg_1", NOW_MS), b"{}")), SignatureError::Mismatch);
    let other = Key::of_bytes(b"another");
    assert_eq!(why(deliver(&webhook, &other, &sign("msg_1", NOW_MS), &body)), SignatureError::Mismatch);
    let twice: Vec<_> = sign("msg_1", NOW_MS).into_iter().chain(sign("msg_1", NOW_MS)).collect();
    assert_eq!(why(send(&twice)), SignatureError::SeveralHeaders);
    assert_eq!(why(send(&with(2, &"v1,A ".repeat(2_000)))), SignatureError::HeaderTooLong);

    // During a roll of the secret, a delivery has two signatures. The headers may have Svix's names, in any case.
    let good = sign("msg_1", NOW_MS)[2].1.clone();
    assert!(send(&with(2, &format!("v1,AAAA {good}"))).is_ok());
    let svix: Vec<_> =
        sign("msg_1", NOW_MS).into_iter().map(|(name, value)| (name.replace("webhook", "SVIX"), value)).collect();
    assert!(send(&svix).is_ok());
}

#[test]
fn an_hmac_signature_covers_only_the_body() {
    // The example from GitHub's documentation.
    let example = hmac(Encoding::Hex).sign(&Key::of_bytes(b"It's a Secret to Everybody"), "", 0, b"Hello, World!");
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(example, [("X-Hub-Signature-256".to_owned(), signature.to_owned())]);
    for scheme in [hmac(Encoding::Hex), hmac(Encoding::Base64)] {
        let webhook = identity(scheme);
        let key = key(&webhook.scheme, "s3cret");
        let body = registration().to_string().into_bytes();
        let headers = webhook.scheme.sign(&key, "", 0, &body);
        let send = |headers: &[(String, String)]| deliver(&webhook, &key, headers, &body);
        let decoded = fact(send(&headers));
        assert!(decoded.event.id.starts_with("identity:sha256:") && decoded.time.is_none());
        assert_eq!(decoded.event.id, fact(send(&headers)).event.id);
        let with = |value: &str| vec![(headers[0].0.clone(), value.to_owned())];
        assert_eq!(why(send(&[])), SignatureError::Missing);
        assert_eq!(why(send(&with(&headers[0].1.replace("sha256=", "")))), SignatureError::BadElement);
        assert_eq!(why(send(&with("sha256=~"))), SignatureError::NoSignature);
        assert_eq!(why(send(&with("sha256="))), SignatureError::Mismatch);
        assert_eq!(why(deliver(&webhook, &key, &headers, b"{}")), SignatureError::Mismatch);
        let named = Webhook { id: Some(template("{user.id}")), ..webhook.clone() };
        assert_eq!(fact(deliver(&named, &key, &headers, &body)).event.id, "identity:u_1");
    }
}

#[test]
fn invalid_secrets_are_refused_and_secrets_are_not_printed() {
    for (scheme, secret, error) in [
        (Scheme::Standard, "", KeyError::NoText),
        (Scheme::Standard, "whsec_ MDEy", KeyError::NoText),
        (Scheme::Standard, "whsec_MDEy", KeyError::NotStandard),
        (Scheme::Standard, "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u", KeyError::NotStandard),
        (hmac(Encoding::Hex), "a\n", KeyError::NoText),
    ] {
        assert_eq!(Key::new(&scheme, secret).expect_err("refused"), error, "{secret}");
    }
    assert_eq!(format!("{:?}", key(&Scheme::Standard, SECRET)), "Key");
}

#[test]
fn authentic_bytes_that_are_not_an_object_are_quarantined() {
    let webhook = identity(Scheme::Standard);
    let key = key(&webhook.scheme, SECRET);
    let quarantined = deliver(&webhook, &key, &webhook.scheme.sign(&key, "m", NOW_MS, b"[1]"), b"[1]");
    assert!(matches!(quarantined, Err(Refused::Quarantined(_))));
    let large = vec![b' '; 1024 * 1024 + 1];
    let refused = deliver(&webhook, &key, &[], &large);
    assert!(matches!(refused, Err(Refused::TooLarge(_))));
}
