//! Fills in the templates of mails.

use host_provider_api::html::escaped;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::Path;

/// Maximum bytes of a template file, the same as of a business's files.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Maximum bytes of a mail's plain text and HTML together.
const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Maximum characters of a subject.
const SUBJECT_MAX: usize = 200;
/// Maximum bytes of a template's name.
const NAME_MAX: usize = 100;
/// Prefix of the first line of a template `NAME.txt`.
const SUBJECT: &str = "Subject: ";

/// The text of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub subject: String,
    pub plain: String,
    pub html: Option<String>,
}

/// Reasons why a template can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadTemplate {
    #[error("`template` is `{0}`: expected a name of a-z, 0-9 and _")]
    Name(String),
    #[error("`values` is {0}: expected an object")]
    Values(&'static str),
    #[error("template {name}: {problem}: expected {expected}")]
    File { name: String, problem: String, expected: &'static str },
}

pub(crate) fn fill(folder: Option<&Path>, name: &str, values: &Value) -> Result<Text, BadTemplate> {
    let is_right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(is_right) {
        return Err(BadTemplate::Name(name.chars().take(80).collect()));
    }
    let nothing = Map::new();
    let values = match values {
        Value::Object(values) => values,
        Value::Null => &nothing,
        Value::Array(_) => return Err(BadTemplate::Values("a list")),
        _ => return Err(BadTemplate::Values("a single value")),
    };
    let bad = |problem: String, expected| BadTemplate::File { name: name.to_owned(), problem, expected };
    let read = |extension: &str| match folder {
        Some(folder) => read(&folder.join(format!("{name}.{extension}")))
            .map_err(|problem| bad(problem, "a text of 256 KiB at most")),
        None => Ok(None),
    };
    let Some(text) = read("txt")? else { return Ok(by_default(name, values)) };
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let Some(subject) = first.strip_prefix(SUBJECT) else {
        return Err(bad("it has no subject".to_owned(), "a first line `Subject: …`"));
    };
    let html = read("html")?.map(|html| filled(&html, values, Form::Html));
    let text = Text { subject: one_line(&filled(subject, values, Form::Plain)), plain: body(rest, values), html };
    let bytes = text.plain.len() + text.html.as_ref().map_or(0, String::len);
    if bytes > TEXT_BYTES_MAX {
        return Err(bad(format!("it has {bytes} bytes when filled"), "1 MiB at most"));
    }
    Ok(text)
}

/// Returns the contents of the file; none if the file does not exist.
fn read(path: &Path) -> Result<Option<String>, String> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    match read as u64 > FILE_BYTES_MAX {
        true => Err("it is too long".to_owned()),
        false => Ok(Some(text)),
    }
}

/// Fills in the body, without the empty line between subject and body.
fn body(rest: &str, values: &Map<String, Value>) -> String {
    let rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest);
    filled(rest, values, Form::Plain)
}

/// Returns the text of a mail without a template file. The subject is the template's name; the body lists the values.
fn by_default(name: &str, values: &Map<String, Value>) -> Text {
    let words = name.replace('_', " ");
    let mut letters = words.trim().chars();
    let subject = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    let line = |(name, value): (&String, &Value)| format!("{}: {}\n", one_line(&name.replace('_', " ")), shown(value));
    let mut plain: String = values.iter().map(line).collect();
    if plain.len() > TEXT_BYTES_MAX {
        let mut end = TEXT_BYTES_MAX;
        while !plain.is_char_boundary(end) {
            end -= 1;
        }
        plain.truncate(end);
    }
    Text { subject, plain, html: None }
}

#[derive(Clone, Copy)]
enum Form {
    Plain,
    Html,
}

/// Replaces each placeholder `{name}` with its value. Placeholders in values are not replaced. A placeholder without a
/// value becomes empty. Braces around anything but a word, such as CSS rules, stay.
fn filled(text: &str, values: &Map<String, Value>, form: Form) -> String {
    let is_word =
        |place: &str| !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}').filter(|(place, _)| is_word(place)) {
            Some((place, after)) => {
                let value = values.get(place).map(shown).unwrap_or_default();
                match form {
                    Form::Plain => out.push_str(&value),
                    Form::Html => out.push_str(&escaped(&value)),
                }
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Replaces control characters in a header's text with spaces, so that a value can't begin another header.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(SUBJECT_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fill_of(files: &[(&str, &str)], name: &str, values: Value) -> Result<Text, BadTemplate> {
        let folder = tempfile::tempdir().expect("a folder");
        for (file, text) in files {
            std::fs::write(folder.path().join(file), text).expect("written");
        }
        fill(Some(folder.path()), name, &values)
    }

    #[test]
    fn placeholders_are_filled_once_and_escaped_in_html() {
        let files = [
            ("hi.txt", "Subject: Hello {name}\n\nDear {name}, {missing}you have {count}. {a b} {\n"),
            ("hi.html", "<style>p { color: red }</style><p title=\"{name}\">{name}</p>"),
        ];
        let text = fill_of(&files, "hi", json!({"name": "<Ana> & {count}'\"", "count": 3})).expect("a text");
        assert_eq!(text.subject, "Hello <Ana> & {count}'\"");
        assert_eq!(text.plain, "Dear <Ana> & {count}'\", you have 3. {a b} {\n");
        let name = "&lt;Ana&gt; &amp; {count}&#39;&quot;";
        let html = format!("<style>p {{ color: red }}</style><p title=\"{name}\">{name}</p>");
        assert_eq!(text.html, Some(html));
    }

    #[test]
    fn a_value_can_not_begin_a_header() {
        let files = [("hi.txt", "Subject: Hello {name}\n\n.")];
        let text = fill_of(&files, "hi", json!({"name": "Ana\r\nBcc: all@example.com\u{0}"})).expect("a text");
        assert_eq!(text.subject, "Hello Ana  Bcc: all@example.com");
    }

    #[test]
    fn a_mail_without_a_template_lists_its_values() {
        let values = json!({"login_url": "https://a.example/login", "days": 3});
        let expected = Text {
            subject: "Orchestra welcome".to_owned(),
            plain: "days: 3\nlogin url: https://a.example/login\n".to_owned(),
            html: None,
        };
        assert_eq!(fill_of(&[], "orchestra_welcome", values.clone()).expect("a text"), expected);
        assert_eq!(fill(None, "orchestra_welcome", &values).expect("a text"), expected);
    }

    #[test]
    fn an_invalid_template_is_refused_with_the_expected_value() {
        for name in ["", "../etc/passwd", "A", "a.b", &"a".repeat(101)] {
            assert!(matches!(fill_of(&[], name, Value::Null), Err(BadTemplate::Name(_))), "{name}");
        }
        let long = format!("Subject: x\n{}", "x".repeat(256 * 1024));
        for text in ["Hello", long.as_str()] {
            let told = fill_of(&[("a.txt", text)], "a", Value::Null).expect_err("no template").to_string();
            assert!(told.starts_with("template a: it ") && told.contains("expected"), "{told}");
        }
        assert!(matches!(fill_of(&[], "a", json!([])), Err(BadTemplate::Values(_))));
        let text = format!("Subject: x\n\n{}", "{x}".repeat(1_000));
        let told =
            fill_of(&[("a.txt", &text)], "a", json!({"x": "y".repeat(2_000)})).expect_err("too long").to_string();
        assert!(told.contains("2000000 bytes"), "{told}");
    }
}
