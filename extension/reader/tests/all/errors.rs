//! An error names the JSON Pointer and what was expected, in terms of JSON. It contains no value and no Rust type.
#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Event<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Data<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    total: Option<i64>,
    quantity: Option<u8>,
    lines: Option<List>,
    status: Option<Status>,
    metadata: Option<BTreeMap<String, i64>>,
    pair: Option<(i64, bool)>,
    size: Option<Size>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct List {
    data: Vec<Line>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Line {
    amount: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Ended,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Size {
    Number(i64),
    List(List),
}

fn error_text(fields: &str) -> String {
    let text = format!(r#"{{"object": "event", "data": {{"id": "secret_1", {fields}}}, "livemode": false}}"#);
    let error = extension_reader::from_str::<Event<'_>>(&text).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: {}", error.pointer(), error.cause()));
    for hidden in ["secret", "List", "Line", "Status", "Data", "Event", "Size", "struct", "enum", "i64", "u8"] {
        assert!(!error.to_string().contains(hidden), "{error}");
    }
    error.to_string()
}

#[test]
fn a_value_of_the_wrong_kind_reports_both_kinds() {
    assert_eq!(error_text(r#""total": "secret""#), "/data/total: expected a whole number, found a text");
    assert_eq!(error_text(r#""total": 1.5"#), "/data/total: expected a whole number, found another number");
    assert_eq!(
        error_text(r#""total": 9223372036854775808"#),
        "/data/total: expected a whole number, found another value (a whole number)"
    );
    assert_eq!(
        error_text(r#""quantity": 256"#),
        "/data/quantity: expected a whole number from 0 to 255, found another value (a whole number)"
    );
    assert_eq!(error_text(r#""lines": "secret""#), "/data/lines: expected an object, found a text");
    assert_eq!(error_text(r#""lines": {"data": {}}"#), "/data/lines/data: expected a list, found an object");
    assert_eq!(
        error_text(r#""lines": {"data": [{"amount": 1}, 7]}"#),
        "/data/lines/data/1: expected an object, found a number"
    );
    assert_eq!(
        error_text(r#""lines": {"data": [{"amount": true}]}"#),
        "/data/lines/data/0/amount: expected a whole number, found a boolean"
    );
    assert_eq!(error_text(r#""pair": [1]"#), "/data/pair: expected a list of 2, found length 1");
    assert_eq!(error_text(r#""pair": {}"#), "/data/pair: expected a list of 2, found an object");
    assert_eq!(error_text(r#""size": "secret""#), "/data/size: expected another shape");
}

#[test]
fn a_missing_duplicate_or_unknown_field_is_named() {
    assert_eq!(error_text(r#""lines": {"has_more": true}"#), "/data/lines/data: expected a value, found none");
    assert_eq!(error_text(r#""id": "secret_2""#), "/data/id: expected one value, found two");
    assert_eq!(
        error_text(r#""lines": {"data": [{"other": 1}]}"#),
        "/data/lines/data/0/other: expected `amount`, found another name"
    );
}

#[test]
fn an_unknown_variant_lists_the_variants() {
    assert_eq!(error_text(r#""status": "secret""#), "/data/status: expected `active` or `ended`, found another text");
    assert_eq!(error_text(r#""status": 1"#), "/data/status: expected a text or an object, found a number");
}

#[test]
fn invalid_json_reports_the_field_that_contains_it() {
    assert_eq!(error_text(r#""total": 01"#), "/data/total: expected a valid JSON number");
    assert_eq!(error_text(r#""total": secret"#), "/data/total: expected a value");
    assert_eq!(
        error_text("\"skipped\": [1, {\"a\": \"secret\n\"}]"),
        "/data/skipped: expected no control character in a text"
    );
    assert_eq!(error_text(r#""skipped": [1 2]"#), "/data/skipped: expected `,` or `]`");
    assert_eq!(error_text(r#""skipped": {"a": 1 2}"#), "/data/skipped: expected `,` or `}`");
    assert_eq!(error_text(r#""skipped": {"a" 1}"#), "/data/skipped: expected `:` after a name");
    assert_eq!(error_text(r#""skipped": {a: 1}"#), "/data/skipped: expected a name in quotes");
    assert_eq!(error_text(r#""skipped": "\x""#), "/data/skipped: expected a valid JSON escape");
    assert_eq!(error_text(r#""metadata": {"a\ud800": 1}"#), "/data/metadata: expected both halves of a surrogate pair");
}

#[test]
fn an_error_outside_all_members_has_an_empty_pointer() {
    let error = extension_reader::from_str::<Event<'_>>("[1] 2").unwrap_err();
    assert_eq!((error.pointer().as_str(), error.to_string().as_str()), ("", "expected an object, found a list"));
    let error = extension_reader::from_str::<i64>("1 2").unwrap_err();
    assert_eq!((error.pointer().as_str(), error.to_string().as_str()), ("", "expected nothing after the value"));
    let error = extension_reader::from_str::<&str>("\"abc").unwrap_err();
    assert_eq!(error.to_string(), "expected a quote at the end of a text");
    let error = extension_reader::from_str::<serde::de::IgnoredAny>("").unwrap_err();
    assert_eq!(error.to_string(), "expected a value");
}

/// The sender chooses names, so they are escaped for the pointer and shortened, and terminal control characters are
/// replaced.
#[test]
fn a_name_in_a_pointer_is_escaped_and_shortened() {
    assert_eq!(
        error_text(r#""metadata": {"a/b~c\u202e\n\"": true}"#),
        "/data/metadata/a~1b~0c??\": expected a whole number, found a boolean"
    );
    let long = "n".repeat(100);
    let expected = format!("/data/metadata/{}...: expected a whole number, found null", "n".repeat(64));
    assert_eq!(error_text(&format!(r#""metadata": {{"{long}": null}}"#)), expected);
}

#[test]
fn excessive_depth_is_reported() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Nested(Vec<Nested>);
    let text = format!("{}{}", "[".repeat(128), "]".repeat(128));
    let error = extension_reader::from_str::<Nested>(&text).unwrap_err();
    assert_eq!(error.cause(), "expected at most 127 nested objects and lists");
}

#[test]
fn raw_text_is_kept_without_surrounding_whitespace() {
    #[derive(Deserialize)]
    struct WithRaw<'a> {
        #[serde(borrow, default)]
        previous: Option<extension_reader::Raw<'a>>,
    }
    let read = |text| extension_reader::from_str::<WithRaw<'_>>(text).unwrap().previous.map(extension_reader::Raw::get);
    assert_eq!(read("{\"previous\": \n {\"a\" : [1.50]} \n}"), Some("{\"a\" : [1.50]}"));
    assert_eq!(read(r#"{"previous": null}"#), None);
    assert_eq!(read("{}"), None);
}

#[test]
fn bytes_must_be_utf_8() {
    for at in [0, 5, 63, 64, 127, 200] {
        let mut bytes = format!("\"{}\"", "a".repeat(300)).into_bytes();
        assert!(extension_reader::from_slice::<&str>(&bytes).is_ok());
        bytes[at + 1] = 0xc3;
        let error = extension_reader::from_slice::<&str>(&bytes).unwrap_err();
        assert!(error.cause().starts_with("expected UTF-8: invalid utf-8 sequence"), "{error}");
        bytes[at + 2] = 0xa4;
        assert_eq!(extension_reader::from_slice::<&str>(&bytes).unwrap().chars().filter(|c| *c == 'ä').count(), 1);
    }
}

#[test]
fn a_list_is_not_read_as_a_struct() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Line {
        amount: i64,
    }
    let error = extension_reader::from_str::<Vec<Line>>("[[5]]").unwrap_err();
    assert_eq!(error.to_string(), "/0: expected an object, found a list");
}

#[test]
fn a_fraction_is_read_only_where_any_value_is_allowed() {
    for text in ["1.5", "-0", "1e3", "18446744073709551616"] {
        let any = extension_reader::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(any, serde_json::from_str::<serde_json::Value>(text).unwrap());
        let error = extension_reader::from_str::<i64>(text).unwrap_err();
        assert_eq!(error.cause(), "expected a whole number, found another number");
    }
    assert!(extension_reader::from_str::<serde_json::Value>("1e999").is_err());
}
