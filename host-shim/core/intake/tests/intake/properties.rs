//! Properties of the intake for every input.

use crate::common::*;
use extension_contract::Payload;
use host_intake::json::{Document, JsonError};
use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::testing::sign;
use host_intake::{EndpointSecrets, Mode, Refused, raw, receive};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::LazyLock;

/// Real bodies to mutate: every base body as an event, a product event, a command and measurements.
static REAL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let events = base_bodies().into_iter().map(|(version, object)| {
        let event = event_of(&format!("{object}.updated"), base_body(&version, &object));
        serde_json::to_string_pretty(&event).expect("JSON").into_bytes()
    });
    let product = r#"{"id":"pe_1","event":"product.created","timestamp":1767225600,"actor":{"kind":"user","id":"u1"},
        "data":{"id":"inst_1","type":"instance","price":{"amount":5,"currency":"usd"},"metadata":{"a":[1,"\u00e9"]}}}"#;
    let command = r#"{"id":"c_1","command":"instance.retry","account":"user:u1","payload":{"n":-1.5e3}}"#;
    let usage = r#"{"id":"u_1","usage":[{"id":"m","meter":"t","quantity":1,"at":1,"attributes":{"n":-1}}],"account":"user:u1"}"#;
    events.chain([product.into(), command.into(), usage.into()]).collect()
});

/// Fragments that break or alter JSON.
const PIECES: [&[u8]; 20] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"null",
    b"\\ud800",
    b"\\",
    b"\0",
    b"\xff",
    b"1e400",
    b"-0",
    b"10.0",
    b"9223372036854775808",
    b"\"id\":\"x\",",
    b"\"amount\":true,",
    b"\xEF\xBB\xBF",
    b"[[[[[[[[[[[[[[[[[[[[",
];

/// Generates a real body with up to 4 bytes cut, copied or replaced by a fragment.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), 0..3u8, 0..40usize, any::<Index>());
    (any::<Index>(), proptest::collection::vec(change, 0..4)).prop_map(|(real, changes)| {
        let mut body = real.get(REAL.as_slice()).clone();
        for (at, how, length, piece) in changes {
            let start = at.index(body.len() + 1);
            let end = (start + length).min(body.len());
            match how {
                0 => drop(body.drain(start..end)),
                1 => {
                    let copy = body[start..end].to_vec();
                    body.splice(end..end, copy);
                }
                _ => {
                    let piece = PIECES[piece.index(PIECES.len())];
                    body.splice(start..start + usize::from(end > start), piece.iter().copied());
                }
            }
        }
        body
    })
}

fn arbitrary_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        proptest::collection::vec(proptest::sample::select(b"{}[]\",:\\u0d8ae-+.tfn \n".as_slice()), 0..60),
        mutated(),
    ]
}

/// Checks that our parser and the standard parser accept the same JSON, except for limits.
fn agrees_with_the_standard_parser(body: &[u8]) -> Result<(), TestCaseError> {
    let ours = Document::parse(body);
    let theirs = serde_json::from_slice::<serde_json::Value>(body);
    match (&ours, &theirs) {
        (Err(JsonError::TooDeep { .. } | JsonError::TooLarge { .. }), _) => {}
        // The standard parser cannot represent 1e400; our parser keeps the text.
        (Ok(_), Err(e)) if e.to_string().starts_with("number out of range") => {}
        _ => prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?} {}", ours, theirs, body.escape_ascii()),
    }
    if let (Ok(document), Ok(serde_json::Value::Object(members))) = (&ours, &theirs)
        && document.duplicate().is_none()
    {
        for (name, value) in members {
            let ours = document.root().get(name).expect("the same members");
            let text = ours.as_str();
            prop_assert_eq!(text.as_deref(), value.as_str());
            prop_assert_eq!(ours.as_bool(), value.as_bool());
            prop_assert_eq!(ours.as_i64(), value.as_i64());
            prop_assert_eq!(ours.is_null(), value.is_null());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_valid_signature_is_accepted(
        body in proptest::collection::vec(any::<u8>(), 0..500),
        secret in "[!-~]{1,80}",
        skew_s in -300..=300i64,
        now_ms in 1_000_000_000_000..4_000_000_000_000i64,
    ) {
        let secrets = endpoint(vec![config(Mode::Live, "platform", None, &secret)]);
        let header = sign(&secret, now_ms.div_euclid(1000) + skew_s, &body);
        let matched = secrets.verify([header.as_bytes()], &body, now_ms).map(|secret| secret.name());
        prop_assert_eq!(matched, Ok("live/platform"));
    }

    #[test]
    fn a_changed_byte_is_refused(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        at in any::<Index>(),
        bits in 1..=255u8,
        inserted in any::<bool>(),
    ) {
        let header = sign(SECRET, NOW_S, &body);
        let parts = [body.as_slice(), header.as_bytes(), SECRET.as_bytes()];
        let at = at.index(parts.iter().map(|part| part.len()).sum());
        let mut parts = parts.map(<[u8]>::to_vec);
        let mut offset = at;
        for part in &mut parts {
            if offset < part.len() {
                if inserted { part.insert(offset, bits) } else { part[offset] ^= bits }
                break;
            }
            offset -= part.len();
        }
        let [body, header, secret] = parts;
        // If the configuration refuses the changed secret, no delivery can be accepted.
        if let Ok(secret) = String::from_utf8(secret)
            && let Ok(secrets) = EndpointSecrets::new(vec![config(Mode::Test, "platform", None, &secret)], TOLERANCE_S_DEFAULT)
        {
            let matched = secrets.verify([header.as_slice()], &body, NOW_MS).map(|secret| secret.name().to_owned());
            prop_assert!(matched.is_err(), "{} {}", header.escape_ascii(), secret);
        }
    }

    #[test]
    fn any_header_gets_a_result(
        header in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "(t=[0-9]{0,20}|v[01]=[0-9a-f]{0,70}|,|=|,t=|,v1=){0,12}".prop_map(String::into_bytes),
        ],
    ) {
        let result = receive("solobase", &platform(), [header.as_slice()], b"{}".to_vec(), NOW_MS);
        prop_assert!(matches!(result, Err(Refused::Signature(_))), "{}", header.escape_ascii());
    }

    #[test]
    fn any_body_gets_a_result(body in arbitrary_bytes()) {
        agrees_with_the_standard_parser(&body)?;
        match deliver_signed(&body) {
            Ok(decoded) => {
                prop_assert!(!decoded.event.id.is_empty() && decoded.event.id.len() <= 255);
                prop_assert!(decoded.refusal.is_some() || !decoded.event.kind.is_empty());
                prop_assert_eq!(&decoded.event.payload, &Payload::Payment(body.clone()), "the bytes are kept");
            }
            Err(Refused::Quarantined(quarantined)) => prop_assert_eq!(&quarantined.bytes, &body, "the bytes are kept"),
            Err(refused) => prop_assert!(false, "{refused:?}"),
        }
    }

    #[test]
    fn any_line_of_a_file_gets_a_result(line in arbitrary_bytes()) {
        if let Ok(decoded) = raw::read(line.clone(), "solobase", NOW_MS) {
            prop_assert!(!decoded.event.id.is_empty());
            if let Payload::Product(change) = &decoded.event.payload {
                for product in change.before.iter().chain(&change.after) {
                    let metadata = serde_json::from_str::<serde_json::Map<_, _>>(&product.values.metadata);
                    prop_assert!(metadata.is_ok() || decoded.refusal.is_some(), "{}", product.values.metadata);
                }
            }
        }
    }

    #[test]
    fn a_real_body_is_not_refused(real in any::<Index>()) {
        let body = real.get(REAL.as_slice());
        prop_assert_eq!(raw::read(body.clone(), "solobase", NOW_MS).expect("an event").refusal, None);
    }
}
