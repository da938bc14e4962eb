//! Tests of body sizes, and of signed but hostile bodies: S11 to S13.

use crate::common::*;
use extension_contract::Refusal;
use host_intake::Refused;
use host_intake::body::{BODY_BYTES_MAX, DEPTH_MAX, NotAnObject, Quarantined, TooLarge, check_length};
use host_intake::json::{JsonError, JsonKind};
use host_intake::testing::sign;
use serde_json::json;

fn quarantined(body: &[u8]) -> Quarantined {
    match deliver_signed(body).expect_err("must not become an event") {
        Refused::Quarantined(quarantined) => *quarantined,
        other => panic!("expected a quarantine, got {other:?}"),
    }
}

/// Returns the refusal of an invoice in whose compact text `from` is replaced by `to`.
fn refusal_with(from: &str, to: &str) -> Option<Refusal> {
    let text = invoice_paid().to_string();
    assert!(text.contains(from), "no {from} in {text}");
    deliver_signed(text.replacen(from, to, 1).as_bytes()).expect("authentic").refusal
}

fn malformed(pointer: &str) -> Option<Refusal> {
    Some(Refusal::Malformed(pointer.to_owned()))
}

// covers: S11
#[test]
fn s11_a_genuine_event_of_900_kb_is_accepted() {
    let mut event = invoice_paid();
    let line = base_body("2025-03-31.basil", "invoice_line");
    let lines = 900 * 1024 / line.to_string().len();
    event["data"]["object"]["lines"]["data"] = json!(vec![line; lines + 1]);
    let body = bytes(&event);
    assert!(body.len() > 900 * 1024);
    let decoded = deliver_signed(&body).expect("accepted");
    assert_eq!(decoded.refusal, None);
}

// covers: S11
#[test]
fn s11_a_body_of_20_mib_is_refused() {
    let body = vec![b' '; 20 * 1024 * 1024];
    // The length is checked before the signature.
    let refused = deliver(&platform(), "", &body).expect_err("too large");
    assert_eq!(refused, Refused::TooLarge(TooLarge { bytes: body.len() as u64 }));
    assert_eq!(refused.status(), 413);
}

// covers: S11
#[test]
fn s11_an_announced_length_above_the_limit_is_refused() {
    assert_eq!(check_length(BODY_BYTES_MAX as u64), Ok(()));
    assert_eq!(check_length(BODY_BYTES_MAX as u64 + 1), Err(TooLarge { bytes: BODY_BYTES_MAX as u64 + 1 }));
    assert_eq!(check_length(u64::MAX), Err(TooLarge { bytes: u64::MAX }));
}

// covers: S12
#[test]
fn s12_signed_bytes_that_are_not_a_json_object_are_quarantined() {
    let syntax = |offset, expected| NotAnObject::Json(JsonError::Syntax { offset, expected });
    let cases: [(&[u8], NotAnObject); 15] = [
        (b"", syntax(0, "a value")),
        (b"{", syntax(1, "a name in quotes")),
        (b"[]", NotAnObject::Other(JsonKind::Array)),
        (b"\"event\"", NotAnObject::Other(JsonKind::String)),
        (b"null", NotAnObject::Other(JsonKind::Null)),
        (b"\xEF\xBB\xBF{}", NotAnObject::Json(JsonError::ByteOrderMark)),
        (b"{\"id\":\"\xff\"}", NotAnObject::Json(JsonError::NotUtf8 { offset: 7 })),
        (b"{\"id\":\"\\ud800\"}", syntax(7, "both halves of a surrogate pair")),
        (b"{\"id\":\"\\ud800\\u0041\"}", syntax(7, "both halves of a surrogate pair")),
        (b"{\"id\":\"\\udc00\"}", syntax(7, "both halves of a surrogate pair")),
        (b"{\"id\":\"\0\"}", syntax(7, "no control character in a text")),
        (b"\0", syntax(0, "a value")),
        (b"{}\0", syntax(2, "nothing after the value")),
        (b"{} {}", syntax(3, "nothing after the value")),
        (b"{'id':1}", syntax(1, "a name in quotes")),
    ];
    for (body, cause) in cases {
        let quarantined = quarantined(body);
        assert_eq!(quarantined.cause, cause, "{}", body.escape_ascii());
        assert_eq!(quarantined.bytes, body, "the bytes are kept");
    }
    let empty = quarantined(b"");
    assert_eq!(empty.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// covers: S12
#[test]
fn s12_the_response_and_the_logs_contain_no_content() {
    let refused = deliver_signed(b"{\"card\":\"4242\"").expect_err("not JSON");
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.to_string(), "body not valid");
    assert!(!format!("{refused:?}").contains("4242"));
}

// covers: S12
#[test]
fn s12_the_signature_is_checked_first() {
    let refused = deliver(&platform(), &sign("whsec_other", NOW_S, b"{"), b"{").expect_err("not authentic");
    assert!(matches!(refused, Refused::Signature(_)), "{refused:?}");
}

// covers: S13
#[test]
fn s13_a_body_that_nests_too_deeply_is_quarantined() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let body = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let cause = quarantined(body.as_bytes()).cause;
        let offset = DEPTH_MAX * open.len();
        assert_eq!(cause, NotAnObject::Json(JsonError::TooDeep { offset }), "{open}");
    }
    let unclosed = "[".repeat(1_000_000);
    assert!(matches!(quarantined(unclosed.as_bytes()).cause, NotAnObject::Json(JsonError::TooDeep { .. })));

    let mut event = invoice_paid();
    let inner = DEPTH_MAX - 4;
    let deep = format!("{}{}", "[".repeat(inner), "]".repeat(inner));
    event["data"]["object"]["extra"] = json!({"deep": "HERE"});
    let body = event.to_string().replace("\"HERE\"", &deep);
    assert_eq!(deliver_signed(body.as_bytes()).expect("the deepest nesting").refusal, None);
}

// covers: S13
#[test]
fn s13_a_duplicate_member_of_the_event_is_refused() {
    let twice = |key: &str, pointer: &str| {
        let text = invoice_paid().to_string();
        let body = format!("{{\"{key}\":null,{}", &text[1..]);
        let decoded = deliver_signed(body.as_bytes()).expect("authentic");
        assert_eq!(decoded.refusal, malformed(pointer), "{key}");
        decoded.event.id
    };
    for key in ["type", "object", "data", "created", "livemode"] {
        assert_eq!(twice(key, &format!("/{key}")), "evt_1");
    }
    assert!(twice("id", "/id").starts_with("sha256:"), "neither of two ids is used");
    let text = invoice_paid().to_string();
    let second = format!("{},\"id\":\"evt_2\"}}", &text[..text.len() - 1]);
    let decoded = deliver_signed(second.as_bytes()).expect("authentic");
    assert_eq!(decoded.refusal, malformed("/id"));
    assert!(decoded.event.id.starts_with("sha256:"), "not even the first of two");
    // An escaped name is the same name.
    assert!(twice("\\u0069d", "/id").starts_with("sha256:"));
    assert_eq!(
        refusal_with("\"account_name\":", "\"account_name\":1,\"account_name\":"),
        malformed("/data/object/account_name")
    );
    assert_eq!(
        refusal_with("\"amount_paid\":", "\"amount_paid\":1,\"amount_paid\":"),
        malformed("/data/object/amount_paid")
    );
    assert_eq!(refusal_with("\"object\":{", "\"object\":{},\"object\":{"), malformed("/data/object"));
}

// covers: S13
#[test]
fn s13_a_duplicate_member_at_any_depth_is_refused() {
    let invoice = "\"object\":\"invoice\"";
    let line = |text: &str| refusal_with(invoice, &format!("{invoice},\"x\":{text}"));
    assert_eq!(
        line("[0,{\"y\":[{}, {\"a/b~c\":1, \"d\":2, \"a/b~c\":1}]}]"),
        malformed("/data/object/x/1/y/1/a~1b~0c")
    );
    let names: Vec<String> = (0..1000).map(|i| format!("\"k{i}\":0")).collect();
    assert_eq!(line(&format!("{{{}}}", names.join(","))), None);
    assert_eq!(line(&format!("{{{},\"k500\":1}}", names.join(","))), malformed("/data/object/x/k500"));
    let long = "k".repeat(10_000);
    let Some(Refusal::Malformed(pointer)) = line(&format!("{{\"{long}\":0,\"{long}\":0}}")) else {
        panic!("a duplicate long name is malformed");
    };
    assert!(pointer.len() <= 255 && pointer.ends_with('…'), "{pointer}");
}

// covers: S13
#[test]
fn s13_amounts_and_times_must_be_integers_in_range() {
    let amount = |text: &str| refusal_with("\"amount_paid\":7900", &format!("\"amount_paid\":{text}"));
    for bad in ["1e400", "1e3", "10.0", "0.1", "\"1000\"", "9223372036854775808", "-9223372036854775809", "-0", "true"]
    {
        assert_eq!(amount(bad), malformed("/data/object/amount_paid"), "{bad}");
    }
    for good in ["0", "-5", "9223372036854775807", "-9223372036854775808", "null"] {
        assert_eq!(amount(good), None, "{good}");
    }
    let created = |text: &str| refusal_with("\"created\":1767225600,\"data\"", &format!("\"created\":{text},\"data\""));
    for bad in
        ["1e400", "1767225600.0", "\"1767225600\"", "-1", "253402300800", "9223372036854775807", "1e9", "[]", "null"]
    {
        assert_eq!(created(bad), malformed("/created"), "{bad}");
    }
    assert_eq!(created("253402300799"), None, "the last second of 9999");
}

// covers: S13
#[test]
fn s13_fractions_in_other_members_are_accepted() {
    let refusal = refusal_with("\"livemode\":false", "\"livemode\":false,\"percent_off\":12.5,\"huge\":1e400");
    assert_eq!(refusal, None);
}

// covers: S13
#[test]
fn s13_a_body_with_many_members_is_read_in_bounded_time() {
    // With so many members, the parser sorts the names instead of comparing them pairwise.
    let names: Vec<String> = (0..100_000).map(|i| format!("\"{i:x}\":0")).collect();
    let body = format!("{{{}}}", names.join(","));
    assert!(body.len() <= BODY_BYTES_MAX);
    assert_eq!(deliver_signed(body.as_bytes()).expect("authentic").refusal, malformed("/object"));
}
