//! The reader and serde_json accept the same texts and read the same values. The tests use intact and damaged
//! documents, and read them into a tree that skips some values and into types like the extension's.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::path::Path;

/// Any JSON value. Members whose name begins with `x` are skipped.
#[derive(Debug, PartialEq)]
enum Tree<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    /// A fraction with twelve digits: serde_json's last digit is not always right.
    Fraction(String),
    Borrowed(&'a str),
    Owned(String),
    List(Vec<Tree<'a>>),
    Object(Vec<(String, Option<Tree<'a>>)>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Tree<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Tree::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Tree::Bool(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Tree::Unsigned(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Tree::Signed(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Tree::Fraction(format!("{value:.11e}")))
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Tree::Borrowed(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Tree::Owned(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Tree::List(values))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(name) = object.next_key::<String>()? {
                    let value = if name.starts_with('x') {
                        object.next_value::<IgnoredAny>()?;
                        None
                    } else {
                        Some(object.next_value()?)
                    };
                    fields.push((name, value));
                }
                Ok(Tree::Object(fields))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status<'a> {
    Active,
    PastDue,
    Other(&'a str),
    Since { at: i64 },
    Between(i64, u8),
}

#[derive(Debug, PartialEq, Deserialize)]
struct Typed<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    total: i64,
    small: Option<u8>,
    open: Option<bool>,
    #[serde(borrow, default)]
    status: Option<Status<'a>>,
    #[serde(default)]
    times: Vec<(i64, u32)>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    unit: (),
    #[serde(borrow, default)]
    inner: Option<Box<Typed<'a>>>,
}

/// Returns true if a struct of a `Typed` is written as an array. serde_json accepts the array, this reader does not.
fn has_listed_struct(typed: &serde_json::Value) -> bool {
    let since = &typed["status"]["since"];
    typed.is_array() || since.is_array() || (!typed["inner"].is_null() && has_listed_struct(&typed["inner"]))
}

/// Checks that this reader and serde_json read the same value or both fail.
fn same<'a, T: Deserialize<'a> + Debug + PartialEq>(text: &'a str) {
    let ours = extension_reader::from_str::<T>(text);
    match (ours, serde_json::from_str::<T>(text)) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text:?}"),
        (Err(_), Err(_)) => {}
        (Err(error), Ok(_)) if error.cause() == "expected an object, found a list" => {
            let all = serde_json::from_str::<serde_json::Value>(text).unwrap();
            let entries = all.as_array().into_iter().flatten();
            assert!(has_listed_struct(&all) || entries.clone().any(has_listed_struct), "{text:?}: {error}");
        }
        (ours, theirs) => panic!("{text:?}: the reader has {ours:?}, serde_json has {theirs:?}"),
    }
}

/// The value of the first member `id`. Skips the rest of the object.
#[derive(Debug, PartialEq)]
struct Id(Option<String>);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Id;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Id, A::Error> {
                while let Some(name) = object.next_key::<Cow<'_, str>>()? {
                    if name == "id" {
                        let id = object.next_value::<String>()?;
                        object.next_key::<extension_reader::Rest>()?;
                        assert!(
                            object.next_key::<extension_reader::Rest>()?.is_none(),
                            "no member is left after the rest"
                        );
                        return Ok(Id(Some(id)));
                    }
                    object.next_value::<IgnoredAny>()?;
                }
                Ok(Id(None))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Checks that the reader reads the first `id` of an object if the rest is valid JSON, and otherwise fails.
fn same_id(text: &str) {
    let ours = extension_reader::from_str::<Id>(text).ok();
    let is_text = serde_json::from_str::<IgnoredAny>(text).is_ok();
    assert!(ours.is_none() || is_text, "{text:?}");
    let Ok(Tree::Object(members)) = serde_json::from_str::<Tree<'_>>(text) else { return };
    let theirs = match members.into_iter().find(|(name, _)| name == "id") {
        None => Some(Id(None)),
        Some((_, Some(Tree::Borrowed(id)))) => Some(Id(Some(id.to_owned()))),
        Some((_, Some(Tree::Owned(id)))) => Some(Id(Some(id))),
        Some(_) => None,
    };
    assert_eq!(ours, theirs, "{text:?}");
}

/// Checks a text in all ways: read as a tree, as typed values, skipped, as raw text, and as an id with the rest
/// skipped.
fn same_in_all_ways(text: &str) {
    same::<Tree<'_>>(text);
    same::<Typed<'_>>(text);
    same::<Vec<Typed<'_>>>(text);
    let theirs = serde_json::from_str::<IgnoredAny>(text).is_ok();
    assert_eq!(extension_reader::from_str::<IgnoredAny>(text).is_ok(), theirs, "skipped: {text:?}");
    assert_eq!(extension_reader::from_slice::<IgnoredAny>(text.as_bytes()).is_ok(), theirs, "as bytes: {text:?}");
    let ours = extension_reader::from_str::<extension_reader::Raw<'_>>(text).ok().map(extension_reader::Raw::get);
    let theirs = serde_json::from_str::<&serde_json::value::RawValue>(text).ok().map(|raw| raw.get());
    assert_eq!(ours, theirs, "as written: {text:?}");
    same_id(text);
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 2 => Just(" ".to_owned()), 2 => "\n {0,70}", 1 => "[ \\n\\r\\t]{0,5}"]
}

fn quoted() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-z_ ]{0,20}",
        1 => "[äß€😀~/]{0,40}",
        1 => r#"\\["\\/bfnrt]"#,
        1 => r"\\u[0-9a-fA-F]{4}",
        1 => r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}",
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (-300_i32..300).prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,22})",
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,4})?",
        quoted(),
    ]
}

fn name() -> impl Strategy<Value = String> {
    const NAMES: [&str; 12] =
        ["id", "total", "small", "open", "status", "times", "metadata", "unit", "inner", "x", "active", "since"];
    prop_oneof![
        6 => prop::sample::select(&NAMES[..]).prop_map(|name| format!("\"{name}\"")),
        1 => Just(r#""\u0069d""#.to_owned()),
        1 => quoted(),
        1 => quoted().prop_map(|name| format!("\"x{}", &name[1..])),
    ]
}

fn document() -> impl Strategy<Value = String> {
    let value = scalar().prop_recursive(6, 60, 6, |value| {
        let member = (space(), value.clone(), space()).prop_map(|(a, value, b)| format!("{a}{value}{b}")).boxed();
        let field =
            (space(), name(), space(), member.clone()).prop_map(|(a, name, b, value)| format!("{a}{name}{b}:{value}"));
        prop_oneof![
            prop::collection::vec(member, 0..5).prop_map(|members| format!("[{}]", members.join(","))),
            (prop::collection::vec(field, 0..6), space())
                .prop_map(|(fields, a)| format!("{{{}{a}}}", fields.join(","))),
        ]
    });
    (space(), value, space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"))
}

/// Generates texts that match the types above, so that the readers accept many of them.
fn typed() -> impl Strategy<Value = String> {
    let status = prop_oneof![
        Just(r#""active""#.to_owned()),
        Just(r#"{"past_due": null}"#.to_owned()),
        quoted().prop_map(|text| format!(r#"{{"other": {text}}}"#)),
        any::<i64>().prop_map(|at| format!(r#"{{"since": {{"at": {at}, "x": [1.5e3]}} }}"#)),
        any::<u16>().prop_map(|number| format!(r#"{{"between": [-1, {number}]}}"#)),
        Just("null".to_owned()),
    ];
    let fields = (quoted(), any::<i32>(), prop_oneof![Just("null".to_owned()), "[0-9]{1,3}"], status, document());
    fields.prop_map(|(id, total, small, status, rest)| {
        format!(
            "{{\n  \"id\": {id},\n  \"ignored\": {rest},\n  \"total\": {total},\n  \"small\": {small}, \"open\":true,\
             \n  \"status\": {status},\n  \"times\": [[1, 2], [-3,4]],\"metadata\": {{{id}: {id}}}, \"unit\": null}}"
        )
    })
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(u8),
    Cut,
    Insert(&'static str),
    Remove(usize),
    Double(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    const PIECES: [&str; 30] = [
        "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", "+", "\0", "\n", "\t", "\x0b", "\x1f", "\x7f",
        "\\u", "\\ud800", "\\udc00", "null", "tru", "1", "é", "\u{feff}", " ", "//", "'",
    ];
    prop_oneof![
        (0_u8..7).prop_map(Damage::Flip),
        Just(Damage::Cut),
        prop::sample::select(&PIECES[..]).prop_map(Damage::Insert),
        (1_usize..4).prop_map(Damage::Remove),
        (1_usize..20).prop_map(Damage::Double),
    ]
}

fn damaged(text: &str, wounds: &[(prop::sample::Index, Damage)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (place, damage) in wounds {
        let length_before = bytes.len();
        let at = place.index(length_before + 1);
        let end = |length: usize| (at + length).min(length_before);
        match damage {
            Damage::Flip(bit) => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Damage::Cut => bytes.truncate(at),
            Damage::Insert(piece) => drop(bytes.splice(at..at, piece.bytes())),
            Damage::Remove(length) => drop(bytes.drain(at..end(*length))),
            Damage::Double(length) => {
                let piece = bytes[at..end(*length)].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn wounds() -> impl Strategy<Value = Vec<(prop::sample::Index, Damage)>> {
    prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..4)
}

/// Returns bodies of Stripe's objects, and the benchmark's event.
fn bodies() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut bodies =
        vec![std::fs::read_to_string(root.join("host-shim/lab/bench/bodies/subscription_updated.json")).unwrap()];
    bodies[0] = bodies[0].replace("@CREATED@", "1767225601");
    for version in std::fs::read_dir(root.join("fixtures/stripe")).unwrap() {
        let version = version.unwrap().path();
        if version.is_dir() {
            for file in std::fs::read_dir(version).unwrap() {
                let file = file.unwrap().path();
                if file.extension().is_some_and(|extension| extension == "json") {
                    bodies.push(std::fs::read_to_string(file).unwrap());
                }
            }
        }
    }
    assert!(bodies.len() > 30, "{} bodies", bodies.len());
    bodies
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn documents_read_the_same(text in document()) {
        prop_assert!(serde_json::from_str::<IgnoredAny>(&text).is_ok());
        same_in_all_ways(&text);
    }

    #[test]
    fn typed_documents_read_the_same(text in typed()) {
        same_in_all_ways(&text);
    }

    #[test]
    fn damaged_documents_read_the_same(text in document(), wounds in wounds()) {
        same_in_all_ways(&damaged(&text, &wounds));
    }

    #[test]
    fn damaged_typed_documents_read_the_same(text in typed(), wounds in wounds()) {
        same_in_all_ways(&damaged(&text, &wounds));
    }

    #[test]
    fn damaged_bodies_read_the_same(body in prop::sample::select(bodies()), wounds in wounds()) {
        same_in_all_ways(&damaged(&body, &wounds));
    }
}

/// Counts how many of 400 texts are accepted, because comparing only rejected texts would prove little.
fn accepted(texts: impl Strategy<Value = String>) -> usize {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut text = || texts.new_tree(&mut runner).unwrap().current();
    (0..400).filter(|_| extension_reader::from_str::<Typed<'_>>(&text()).is_ok()).count()
}

#[test]
fn generated_texts_are_both_accepted_and_refused() {
    let sound = accepted(typed());
    assert!((100..400).contains(&sound), "{sound}");
    let hurt = accepted((typed(), wounds()).prop_map(|(text, wounds)| damaged(&text, &wounds)));
    assert!((20..sound).contains(&hurt), "{hurt}");
}

#[test]
fn stripe_bodies_read_the_same() {
    for body in bodies() {
        assert!(extension_reader::from_str::<IgnoredAny>(&body).is_ok(), "{body}");
        same_in_all_ways(&body);
        let compact = serde_json::from_str::<serde_json::Value>(&body).unwrap().to_string();
        same_in_all_ways(&compact);
        same_in_all_ways(&body.replace("  ", "\t").replace('\n', "\r\n"));
    }
}

/// Tests a body cut after each byte, and with each byte replaced.
#[test]
fn a_truncated_or_corrupted_body_is_accepted_or_refused_by_both() {
    let body = bodies().swap_remove(0);
    for at in 0..body.len() {
        let is_read = |text: &str| {
            let ours = extension_reader::from_str::<IgnoredAny>(text).is_ok();
            assert_eq!(ours, serde_json::from_str::<IgnoredAny>(text).is_ok(), "at {at}: {text}");
        };
        is_read(&body[..at]);
        for byte in ['"', '\\', '\n', '\x01', '}', ',', '0', 'z'] {
            is_read(&format!("{}{byte}{}", &body[..at], &body[at + 1..]));
        }
    }
}

/// Tests tokens at every position relative to the edge of a block.
#[test]
fn tokens_read_the_same_at_every_position() {
    const TOKENS: [&str; 24] = [
        r#""""#,
        r#""\"""#,
        r#""\\""#,
        r#""\u00e9""#,
        r#""\ud83d\ude00""#,
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83d\n""#,
        r#""\ud83dx""#,
        r#""\ud83d\ud83d""#,
        r#""\x""#,
        r#""\u12g4""#,
        "\"\n\"",
        "\"\u{7f}\"",
        "-",
        "-0",
        "01",
        "1.",
        "1e",
        "1e+",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
    ];
    for token in TOKENS {
        for before in 0..=130 {
            for after in [0, 1, 63, 64] {
                let (before, after) = (" ".repeat(before), "\n".repeat(after));
                same_in_all_ways(&format!("{before}{token}{after}"));
                same_in_all_ways(&format!(r#"{{"x":{before}{token}{after}}}"#));
                same_in_all_ways(&format!(r#"["{before}",{token}{after}]"#));
            }
        }
    }
}

#[test]
fn invalid_documents_are_refused_by_both() {
    const TEXTS: [&str; 32] = [
        "",
        " ",
        "nul",
        "nulll",
        "null null",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "}",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "[1}",
        "{\"a\":1]",
        "\"",
        "\"\\",
        "\u{feff}1",
        "+1",
        ".5",
        "\0",
    ];
    for text in TEXTS {
        assert!(serde_json::from_str::<IgnoredAny>(text).is_err(), "{text:?}");
        same_in_all_ways(text);
        same_in_all_ways(&format!(r#"{{"x": {text}}}"#));
        same_in_all_ways(&format!(r#"{{"x": [[{{"y": {text}}}]]}}"#));
    }
}

/// Values that are read have a depth limit; skipped values have none. Both are as in serde_json.
#[test]
fn nesting_depth_is_limited_as_in_serde_json() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]"), (r#"{"x":"#, "}")] {
        for depth in [1, 42, 62, 63, 64, 65, 66, 125, 126, 127, 128, 129, 130, 191, 192, 193, 1_000, 20_000] {
            let whole = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            same_in_all_ways(&whole);
            same_in_all_ways(&whole[1..]);
            same_in_all_ways(&whole[..whole.len() - 1]);
            same_in_all_ways(&whole.replace("1}", "1]"));
        }
    }
}

/// Tests skipped objects and arrays in irregular nesting of 400 levels, because the stack's word has only 64 bits.
#[test]
fn a_wrong_closing_bracket_is_refused_at_every_depth() {
    let kinds: Vec<bool> = (0_u64..400).map(|level| (level * level * 7919 + level * 31) % 11 % 2 == 0).collect();
    let open: String = kinds.iter().map(|object| if *object { r#"{"a":"# } else { "[" }).collect();
    let close: Vec<char> = kinds.iter().rev().map(|object| if *object { '}' } else { ']' }).collect();
    let text = |close: &[char]| format!(r#"{{"x":{open}1{}}}"#, close.iter().collect::<String>());
    assert!(extension_reader::from_str::<Tree<'_>>(&text(&close)).is_ok());
    same_in_all_ways(&text(&close));
    for place in 0..close.len() {
        let mut wrong = close.clone();
        wrong[place] = if wrong[place] == '}' { ']' } else { '}' };
        assert!(extension_reader::from_str::<Tree<'_>>(&text(&wrong)).is_err(), "wrong bracket at {place}");
        same_in_all_ways(&text(&wrong));
    }
}
