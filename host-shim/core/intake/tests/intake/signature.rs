//! Tests of Stripe's signature: S01 to S10.

use crate::common::*;
use extension_contract::{Payload, Refusal};
use host_intake::signature::{ConfigError, SignatureError, TOLERANCE_S_DEFAULT};
use host_intake::testing::{sign, signature};
use host_intake::{EndpointSecrets, Mode, Refused};
use serde_json::json;

fn error(result: Result<host_intake::Decoded, Refused>) -> SignatureError {
    match result.expect_err("must not become an event") {
        Refused::Signature(error) => error,
        other => panic!("expected a refused signature, got {other:?}"),
    }
}

/// Returns the response to the sender: status and text.
fn answer(result: Result<host_intake::Decoded, Refused>) -> (u16, String) {
    let refused = result.expect_err("must not become an event");
    (refused.status(), refused.to_string())
}

const OPAQUE: (u16, &str) = (400, "signature not valid");

// covers: S01
#[test]
fn s01_a_valid_signature_is_accepted() {
    let body = bytes(&invoice_paid());
    let decoded = deliver_signed(&body).expect("accepted");
    assert_eq!(decoded.refusal, None);
    assert_eq!(decoded.event.id, "evt_1");
    assert_eq!(decoded.event.kind, "invoice.paid");
    assert_eq!(decoded.event.received_at, NOW_MS);
    assert_eq!(decoded.event.payment.expect("Stripe's").matched_secret.as_deref(), Some("test/platform"));
    assert_eq!(decoded.event.payload, Payload::Payment(body), "the exact bytes");
}

// covers: S01
#[test]
fn s01_a_signature_by_openssl_is_accepted() {
    // Computed with `printf '1767225610.{}' | openssl dgst -sha256 -hmac whsec_test_platform`.
    let header = "t=1767225610,v1=059432dac00385d27e49d469c0956c58be74017781d6f861b733fa41b3b3db92";
    platform().verify([header.as_bytes()], b"{}", NOW_MS).expect("the whole secret is the key");
}

// covers: S02
#[test]
fn s02_one_changed_byte_is_refused() {
    let body = bytes(&invoice_paid());
    let header = sign(SECRET, NOW_S, &body);
    let mut results = Vec::new();

    let mut changed = body.clone();
    changed[20] ^= 1;
    results.push(deliver(&platform(), &header, &changed));
    results.push(deliver(&platform(), &header.replace("t=1767225610", "t=1767225611"), &body));
    let (last, other) = if header.ends_with('0') { ("0", "1") } else { (&header[header.len() - 1..], "0") };
    results.push(deliver(&platform(), &format!("{}{other}", header.strip_suffix(last).expect("ends so")), &body));
    let neighbour = endpoint(vec![config(Mode::Test, "platform", None, "whsec_test_platforn")]);
    results.push(deliver(&neighbour, &header, &body));

    for result in results {
        let (status, text) = answer(result);
        assert_eq!((status, text.as_str()), OPAQUE);
    }
}

// covers: S02
#[test]
fn s02_upper_case_hex_is_refused() {
    let body = bytes(&invoice_paid());
    let header = sign(SECRET, NOW_S, &body);
    let (time, hex) = header.split_once(",v1=").expect("one signature");
    let upper = format!("{time},v1={}", hex.to_uppercase());
    assert_ne!(header, upper, "has a letter");
    assert_eq!(error(deliver(&platform(), &upper, &body)), SignatureError::NoSignature);
}

// covers: S03
#[test]
fn s03_the_same_json_in_other_bytes_is_refused() {
    let mut event = invoice_paid();
    event["data"]["object"]["description"] = json!("Café ☕ für alle 🎉");
    // Stripe indents its bodies.
    let genuine = serde_json::to_string_pretty(&event).expect("JSON");
    let header = sign(SECRET, NOW_S, genuine.as_bytes());
    let decoded = deliver(&platform(), &header, genuine.as_bytes()).expect("accepted");
    assert_eq!(decoded.refusal, None);

    let compact = event.to_string();
    let escaped = genuine.replace('é', "\\u00e9");
    let with_line_end = format!("{genuine}\r\n");
    let spaced = genuine.replacen(": ", ":  ", 1);
    for other in [compact, escaped, with_line_end, spaced] {
        assert_ne!(other, genuine);
        let result = deliver(&platform(), &header, other.as_bytes());
        assert_eq!(error(result), SignatureError::Mismatch, "{other}");
    }
}

// covers: S03
#[test]
fn s03_odd_whitespace_is_json() {
    let pretty = serde_json::to_string_pretty(&invoice_paid()).expect("JSON");
    let body = format!("\n {}\t\r\n", pretty.replace('\n', "\r\n\t \n"));
    let decoded = deliver_signed(body.as_bytes()).expect("accepted");
    assert_eq!(decoded.refusal, None);
    assert_eq!(decoded.event.payload, Payload::Payment(body.into_bytes()));
}

// covers: S04
#[test]
fn s04_the_old_and_the_new_secret_are_valid_during_a_roll() {
    let body = bytes(&invoice_paid());
    let (old, new) = ("whsec_old", "whsec_new");
    let both = endpoint(vec![config(Mode::Test, "old", None, old), config(Mode::Test, "new", None, new)]);
    let only_old = endpoint(vec![config(Mode::Test, "old", None, old)]);
    let neither = platform();
    let (of_old, of_new) = (signature(old, NOW_S, &body), signature(new, NOW_S, &body));
    let old_new = format!("t={NOW_S},v1={of_old},v1={of_new}");
    let new_old = format!("t={NOW_S},v1={of_new},v1={of_old}");
    let later = format!("t={NOW_S},v1={of_new}");

    let name = |secrets: &EndpointSecrets, header: &str| {
        secrets.verify([header.as_bytes()], &body, NOW_MS).map(|secret| secret.name().to_owned())
    };
    assert_eq!(name(&both, &old_new).as_deref(), Ok("test/old"), "the first matching secret of the configuration");
    assert_eq!(name(&both, &new_old).as_deref(), Ok("test/old"));
    assert_eq!(name(&both, &later).as_deref(), Ok("test/new"));
    assert_eq!(name(&only_old, &old_new).as_deref(), Ok("test/old"));
    assert_eq!(name(&only_old, &new_old).as_deref(), Ok("test/old"));
    assert_eq!(name(&only_old, &later), Err(SignatureError::Mismatch));
    assert_eq!(name(&neither, &old_new), Err(SignatureError::Mismatch));
}

// covers: S05
#[test]
fn s05_signatures_of_other_versions_are_ignored() {
    let body = bytes(&invoice_paid());
    let good = signature(SECRET, NOW_S, &body);
    let wrong = signature("whsec_other", NOW_S, &body);
    let verify = |header: String| platform().verify([header.as_bytes()], &body, NOW_MS).map(|_| ());
    assert_eq!(verify(format!("t={NOW_S},v0={good}")), Err(SignatureError::NoSignature));
    assert_eq!(verify(format!("t={NOW_S},v2={good}")), Err(SignatureError::NoSignature));
    assert_eq!(verify(format!("t={NOW_S},v0={good},v1={wrong}")), Err(SignatureError::Mismatch));
    assert_eq!(verify(format!("t={NOW_S},v0={wrong},v1={good},v2=x")), Ok(()), "an additional scheme is ignored");
}

// covers: S06
#[test]
fn s06_a_delivery_that_is_too_old_is_refused() {
    let body = bytes(&invoice_paid());
    let at = |time_s| deliver(&platform(), &sign(SECRET, time_s, &body), &body);
    at(NOW_S - 300).expect("within the tolerance");
    assert_eq!(error(at(NOW_S - 301)), SignatureError::TooOld);
    assert_eq!(error(at(0)), SignatureError::TooOld);
}

// covers: S06
#[test]
fn s06_a_tolerance_of_0_is_a_configuration_error() {
    let configs = vec![config(Mode::Test, "platform", None, SECRET)];
    assert_eq!(EndpointSecrets::new(configs, 0).expect_err("not off"), ConfigError::NoTolerance);
}

// covers: S07
#[test]
fn s07_a_delivery_from_the_future_is_refused() {
    let body = bytes(&invoice_paid());
    let at = |time_s| deliver(&platform(), &sign(SECRET, time_s, &body), &body);
    at(NOW_S + 300).expect("within the tolerance");
    assert_eq!(error(at(NOW_S + 301)), SignatureError::TooNew);
    assert_eq!(error(at(i64::MAX)), SignatureError::TooNew);
}

// covers: S08
#[test]
fn s08_a_broken_header_is_refused() {
    let body = bytes(&invoice_paid());
    let good = signature(SECRET, NOW_S, &body);
    let odd = &good[1..];
    let not_hex = format!("{}zz", &good[2..]);
    let many = format!("t={NOW_S}{}", format!(",v1={}", signature("whsec_other", NOW_S, &body)).repeat(10_000));
    let huge = format!("t={NOW_S},v1={good},v0={}", "0".repeat(1024 * 1024));
    use SignatureError::*;
    let cases = [
        (String::new(), Missing),
        (" ".to_owned(), BadElement),
        (",".to_owned(), BadElement),
        (format!("v1={good}"), NoTime),
        (format!("t=,v1={good}"), BadTime),
        (format!("t=abc,v1={good}"), BadTime),
        (format!("t=-1,v1={good}"), BadTime),
        (format!("t=+{NOW_S},v1={good}"), BadTime),
        (format!("t= {NOW_S},v1={good}"), BadTime),
        (format!("t=1e9,v1={good}"), BadTime),
        (format!("t=9223372036854775808,v1={good}"), BadTime),
        (format!("t={NOW_S},t={NOW_S},v1={good}"), SeveralTimes),
        (format!("t={NOW_S},v1={good},t={NOW_S}"), SeveralTimes),
        (format!("t={NOW_S}"), NoSignature),
        (format!("t={NOW_S},v1="), NoSignature),
        (format!("t={NOW_S},v1={odd}"), NoSignature),
        (format!("t={NOW_S},v1={not_hex}"), NoSignature),
        (format!("t={NOW_S},v1={good}00"), NoSignature),
        (format!("t={NOW_S}, v1={good}"), NoSignature),
        (format!("t={NOW_S},v1"), BadElement),
        (format!("t={NOW_S},v1={good},"), BadElement),
        (format!("t={NOW_S},v1=={good}"), BadElement),
        (format!("t={NOW_S};v1={good}"), BadElement),
        (many, HeaderTooLong),
        (huge, HeaderTooLong),
    ];
    for (header, expected) in cases {
        let shown = header.chars().take(100).collect::<String>();
        let result = deliver(&platform(), &header, &body);
        let (status, text) = answer(deliver(&platform(), &header, &body));
        assert_eq!(error(result), expected, "{shown}");
        assert_eq!((status, text.as_str()), OPAQUE, "{shown}");
    }
}

// covers: S08
#[test]
fn s08_a_missing_or_repeated_header_is_refused() {
    let body = bytes(&invoice_paid());
    let header = sign(SECRET, NOW_S, &body);
    let deliver = |headers: &[&str]| {
        let headers = headers.iter().map(|header| header.as_bytes());
        host_intake::receive("solobase", &platform(), headers, body.clone(), NOW_MS)
    };
    assert_eq!(error(deliver(&[])), SignatureError::Missing);
    assert_eq!(error(deliver(&[&header, &header])), SignatureError::SeveralHeaders);
    deliver(&[&header]).expect("one is right");
}

// covers: S08
#[test]
fn s08_an_unreadable_signature_is_skipped() {
    let body = bytes(&invoice_paid());
    let good = signature(SECRET, NOW_S, &body);
    let header = format!("t={NOW_S},v1=zz,v1={good}");
    platform().verify([header.as_bytes()], &body, NOW_MS).expect("it is skipped");
}

// covers: S08
#[test]
fn s08_only_the_first_eight_signatures_are_checked() {
    let body = bytes(&invoice_paid());
    let (good, wrong) = (signature(SECRET, NOW_S, &body), signature("whsec_other", NOW_S, &body));
    let header = |before: usize| format!("t={NOW_S}{},v1={good}", format!(",v1={wrong}").repeat(before));
    platform().verify([header(7).as_bytes()], &body, NOW_MS).expect("the eighth");
    let ninth = platform().verify([header(8).as_bytes()], &body, NOW_MS).map(|_| ());
    assert_eq!(ninth, Err(SignatureError::Mismatch));
}

/// Returns four secrets: for test and live mode, each for our own account and for connected accounts.
fn four_secrets() -> EndpointSecrets {
    endpoint(vec![
        config(Mode::Test, "platform", Some(false), "whsec_tp"),
        config(Mode::Live, "platform", Some(false), "whsec_lp"),
        config(Mode::Test, "connect", Some(true), "whsec_tc"),
        config(Mode::Live, "connect", Some(true), "whsec_lc"),
    ])
}

// covers: S09
#[test]
fn s09_an_event_that_does_not_fit_the_mode_or_endpoint_of_its_secret_is_refused() {
    let account = Some("acct_1");
    let wrong_mode = Some(Refusal::ModeMismatch);
    let stray = |text: &str| Some(Refusal::Inconsistent(text.to_owned()));
    let cases = [
        ("whsec_tp", false, None, None, "test/platform"),
        ("whsec_lp", true, None, None, "live/platform"),
        ("whsec_tp", true, None, wrong_mode.clone(), "test/platform"),
        ("whsec_lp", false, None, wrong_mode.clone(), "live/platform"),
        ("whsec_tc", false, account, None, "test/connect"),
        ("whsec_tc", true, account, wrong_mode, "test/connect"),
        ("whsec_lc", true, account, None, "live/connect"),
        // A live Connect endpoint receives test events of its accounts too.
        ("whsec_lc", false, account, None, "live/connect"),
        ("whsec_lp", true, account, stray("live/platform: account acct_1"), "live/platform"),
        ("whsec_lc", true, None, stray("live/connect: no account"), "live/connect"),
    ];
    for (secret, livemode, account, refusal, name) in cases {
        let mut event = invoice_paid();
        event["livemode"] = json!(livemode);
        event["account"] = json!(account);
        let body = bytes(&event);
        let decoded = deliver(&four_secrets(), &sign(secret, NOW_S, &body), &body).expect("authentic");
        let case = format!("{name}, livemode {livemode}, account {account:?}");
        assert_eq!(decoded.refusal, refusal, "{case}");
        assert_eq!(decoded.event.livemode, Some(livemode), "{case}");
        assert_eq!(decoded.event.payment.expect("Stripe's").matched_secret.as_deref(), Some(name), "{case}");
    }
}

// covers: S09
#[test]
fn s09_one_secret_for_our_own_and_connected_accounts() {
    let secrets = endpoint(vec![config(Mode::Live, "all", None, "whsec_all")]);
    let cases = [
        (true, None, None),
        (true, Some("acct_1"), None),
        (false, Some("acct_1"), None),
        (false, None, Some(Refusal::ModeMismatch)),
    ];
    for (livemode, account, refusal) in cases {
        let mut event = invoice_paid();
        event["livemode"] = json!(livemode);
        event["account"] = json!(account);
        let body = bytes(&event);
        let decoded = deliver(&secrets, &sign("whsec_all", NOW_S, &body), &body).expect("authentic");
        assert_eq!(decoded.refusal, refusal, "livemode {livemode}, account {account:?}");
    }
}

// covers: S09
#[test]
fn s09_the_secret_determines_the_mode_of_an_event_without_one() {
    let cases = [
        ("whsec_tp", None, Some(false)),
        ("whsec_lp", None, Some(true)),
        ("whsec_tc", Some("acct_1"), Some(false)),
        ("whsec_lc", Some("acct_1"), None),
    ];
    for (secret, account, livemode) in cases {
        let mut event = invoice_paid();
        event["livemode"] = json!(null);
        event["account"] = json!(account);
        let body = bytes(&event);
        let decoded = deliver(&four_secrets(), &sign(secret, NOW_S, &body), &body).expect("authentic");
        assert_eq!(decoded.event.livemode, livemode, "{secret}");
    }
}

// covers: S10
#[test]
fn s10_a_repeated_delivery_is_accepted_within_the_tolerance() {
    let body = bytes(&invoice_paid());
    let header = sign(SECRET, NOW_S - 200, &body);
    let first = deliver(&platform(), &header, &body).expect("accepted");
    let again =
        deliver(&platform(), &header, &body).expect("the signature is still valid: the inbox detects the repeated id");
    assert_eq!(first, again);
}

#[test]
fn unusable_secrets_are_refused() {
    let new = |configs| EndpointSecrets::new(configs, TOLERANCE_S_DEFAULT).expect_err("not usable");
    let one = |secret: &str| vec![config(Mode::Live, "platform", None, secret)];
    let name = "live/platform".to_owned();
    assert_eq!(new(Vec::new()), ConfigError::NoSecret);
    assert_eq!(new(one("")), ConfigError::EmptySecret { name: name.clone() });
    for stray in ["whsec_a ", " whsec_a", "whsec_a\n", "whsec_\u{a0}a", "whsec_\0a", "\u{feff}whsec_a\t"] {
        assert_eq!(new(one(stray)), ConfigError::StrayWhitespace { name: name.clone() }, "{stray:?}");
    }
    assert_eq!(new(vec![config(Mode::Test, "a b", None, "whsec_a")]), ConfigError::BadName { name: "a b".to_owned() });
    assert_eq!(
        new(vec![config(Mode::Test, "a", None, "whsec_a"), config(Mode::Test, "a", None, "whsec_b")]),
        ConfigError::SameName { name: "test/a".to_owned() }
    );
    assert_eq!(
        new(vec![config(Mode::Test, "a", None, "whsec_a"), config(Mode::Live, "a", None, "whsec_a")]),
        ConfigError::SameSecret { first: "test/a".to_owned(), second: "live/a".to_owned() }
    );
    let five = (0..5).map(|i| config(Mode::Test, &format!("s{i}"), None, &format!("whsec_{i}"))).collect();
    assert_eq!(new(five), ConfigError::TooManySecrets { given: 5 });
}

#[test]
fn no_output_shows_a_secret() {
    let config = config(Mode::Test, "platform", None, SECRET);
    let secrets = endpoint(vec![config.clone()]);
    let bad = EndpointSecrets::new(vec![crate::common::config(Mode::Test, "x", None, "whsec_hidden ")], 300)
        .expect_err("stray");
    for text in [format!("{config:?}"), format!("{secrets:?}"), format!("{bad:?} {bad}")] {
        assert!(!text.contains("test_platform") && !text.contains("hidden"), "{text}");
    }
    assert!(format!("{secrets:?}").contains("test/platform"));
}
