//! Tests of the JSON parser: accepted texts and values.

use host_intake::json::{Document, JsonError, JsonKind};

fn parse(text: &str) -> Document<'_> {
    Document::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn grammar() {
    let good = ["0", "-0", "1.5e+3", "1E9", "\"\"", " [ ] ", "{ }", "[1,[2],{\"a\":[]}]", "true", "{\"\":{\"\":null}}"];
    for text in good {
        parse(text);
    }
    let bad = [
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
        "--1",
        "0x1",
        "NaN",
        "tru",
        "nul",
        "True",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{a:1}",
        "{1:1}",
        "[",
        "]",
        "{",
        "}",
        "[}",
        "{]",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\",
        "\"\t\"",
        "\"\u{1f}\"",
        "1 1",
        "// c\n1",
        "/**/1",
        "'a'",
        "\u{a0}1",
        "[1]]",
    ];
    for text in bad {
        let error = Document::parse(text.as_bytes()).expect_err(text);
        assert!(matches!(error, JsonError::Syntax { .. }), "{text}: {error}");
    }
}

#[test]
fn escapes_in_strings_are_decoded() {
    let cases = [
        (r#""plain é 🎉""#, "plain é 🎉"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""a\u00e9b\ud83c\udf89c\u0000""#, "aéb🎉c\0"),
        (r#""\\u0041""#, "\\u0041"),
    ];
    for (text, content) in cases {
        assert_eq!(parse(text).root().as_str().expect("a string"), content, "{text}");
    }
}

#[test]
fn members() {
    let document = parse(r#"{"a":{"b":[{"a":1}],"c":{}},"\u0064":"x","e":[1,{"f":2}],"n":null}"#);
    let root = document.root();
    let names: Vec<&str> = root.members().map(|(name, _)| name.name).collect();
    assert_eq!(names, ["a", "d", "e", "n"]);
    let a = root.get("a").expect("there");
    assert_eq!(a.raw(), r#"{"b":[{"a":1}],"c":{}}"#);
    assert_eq!(
        a.members().map(|(name, value)| (name.raw, value.kind())).collect::<Vec<_>>(),
        [("\"b\"", JsonKind::Array), ("\"c\"", JsonKind::Object)]
    );
    assert_eq!(root.get("d").and_then(|d| d.as_str()).as_deref(), Some("x"));
    assert!(root.get("n").expect("there").is_null());
    assert!(root.get("b").is_none());
    assert!(a.get("c").expect("there").members().next().is_none());
    assert_eq!(document.duplicate(), None);
}

#[test]
fn an_error_has_an_offset_and_a_line() {
    let text = b"{\n \"a\": 1,\n \"b\": x\n}";
    let error = Document::parse(text).expect_err("no value");
    assert_eq!((error.offset(), error.line(text)), (17, 3));
    assert_eq!(error.to_string(), "not JSON at byte 17: expected a value");
}
