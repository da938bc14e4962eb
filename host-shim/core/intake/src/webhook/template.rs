//! Paths to values in a JSON body, and templates, which are strings that contain such paths.

use crate::json::{JsonKind, Value, push_token};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;

/// Maximum length of a template in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 500;
/// Maximum number of names in one path.
const PARTS_MAX: usize = 16;

/// The reason why a string is not a template or a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is too long.
    #[error("{bytes} bytes, expected at most {TEMPLATE_BYTES_MAX}")]
    TooLong {
        /// Length in bytes.
        bytes: usize,
    },
    /// A brace is unmatched.
    #[error("`{text}` has an unmatched brace")]
    Unbalanced {
        /// The template.
        text: String,
    },
    /// A path is invalid.
    #[error("`{text}` is not a path to a value in a body, such as `user.emails.0`")]
    InvalidPath {
        /// The path.
        text: String,
    },
}

/// A path to a value in a body: names of members and indexes of arrays, for example `user.emails.0.address`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BodyPath(Vec<String>);

impl BodyPath {
    /// Parses names separated by dots.
    ///
    /// # Errors
    /// Fails with [`TemplateError`] if the string is not a path.
    pub fn parse(text: &str) -> Result<BodyPath, TemplateError> {
        let is_name =
            |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-');
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        match text.len() <= TEMPLATE_BYTES_MAX && parts.len() <= PARTS_MAX && parts.iter().all(|part| is_name(part)) {
            true => Ok(BodyPath(parts)),
            false => Err(TemplateError::InvalidPath { text: text.chars().take(TEMPLATE_BYTES_MAX).collect() }),
        }
    }

    /// Returns the path as a JSON Pointer.
    pub(super) fn pointer(&self) -> String {
        let mut pointer = String::new();
        self.0.iter().for_each(|part| push_token(&mut pointer, part));
        pointer
    }

    /// Returns the value at the path; none if the value is missing, null or an empty string.
    pub(super) fn find(&self, root: Value<'_>) -> Option<FoundValue> {
        find(root, &self.0)
    }
}

impl fmt::Display for BodyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl From<BodyPath> for String {
    fn from(path: BodyPath) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for BodyPath {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        BodyPath::parse(&text)
    }
}

/// A value found in a body.
pub(super) struct FoundValue {
    /// Value as JSON.
    pub(super) json: String,
    /// Value as a string; none for a list or an object.
    pub(super) text: Option<String>,
}

fn find(value: Value<'_>, parts: &[String]) -> Option<FoundValue> {
    let Some((first, rest)) = parts.split_first() else {
        let text = match value.kind() {
            JsonKind::Null => return None,
            JsonKind::String => Some(value.as_str()?.into_owned()),
            JsonKind::Bool | JsonKind::Number => Some(value.raw().to_owned()),
            JsonKind::Array | JsonKind::Object => None,
        };
        let is_empty = text.as_ref().is_some_and(String::is_empty);
        return (!is_empty).then(|| FoundValue { json: value.raw().to_owned(), text });
    };
    match value.kind() {
        JsonKind::Object => find(value.get(first)?, rest),
        JsonKind::Array => {
            let at: usize = first.parse().ok()?;
            // Only arrays of objects and arrays of strings can be indexed. A string has no members.
            match value.as_objects() {
                Some(entries) => find(entries.get(at)?.root(), rest),
                None if rest.is_empty() => {
                    let text = value.as_strings()?.into_iter().nth(at).filter(|text| !text.is_empty())?;
                    Some(FoundValue { json: json!(text).to_string(), text: Some(text) })
                }
                None => None,
            }
        }
        _ => None,
    }
}

/// Splits a string at its first pair of braces. Returns the text before, between and after the braces, or none if there
/// is no such pair.
pub fn split_place(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (path, behind) = rest.split_once('}')?;
    Some((before, path, behind))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Path(BodyPath),
}

/// A string with paths in braces, for example `user:{user.id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Template(Vec<Part>);

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// Fails with [`TemplateError`] if the string is too long, a brace is unmatched, or a path is invalid.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLong { bytes: text.len() });
        }
        let unbalanced = || TemplateError::Unbalanced { text: text.to_owned() };
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, path, behind)) = split_place(rest) {
            if before.contains('}') {
                return Err(unbalanced());
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Path(BodyPath::parse(path)?));
            rest = behind;
        }
        if rest.contains(['{', '}']) {
            return Err(unbalanced());
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template(parts))
    }

    /// Fills in the template. The error is the JSON Pointer of the first path without a string value.
    pub(super) fn text(&self, root: Value<'_>) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Path(path) => {
                    let text = path.find(root).and_then(|found| found.text);
                    out.push_str(&text.ok_or_else(|| path.pointer())?);
                }
            }
        }
        Ok(out)
    }

    /// Fills in the template as JSON. If the template consists of a single path, the value keeps its JSON type.
    pub(super) fn json(&self, root: Value<'_>) -> Result<String, String> {
        match self.0.as_slice() {
            [Part::Path(path)] => path.find(root).map(|found| found.json).ok_or_else(|| path.pointer()),
            _ => self.text(root).map(|text| json!(text).to_string()),
        }
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        let text = |part| match part {
            Part::Text(text) => text,
            Part::Path(path) => format!("{{{path}}}"),
        };
        template.0.into_iter().map(text).collect()
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        Template::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    const BODY: &str = r#"{"a":{"id":"u_1","n":7,"on":false,"list":["x",""],"who":[{"mail":"m"}],"none":null,
        "empty":"","say":"\"hi\"\n"}}"#;

    fn json(template: &str) -> Result<String, String> {
        let document = Document::parse(BODY.as_bytes()).expect("JSON");
        Template::parse(template).expect("a template").json(document.root())
    }

    #[test]
    fn a_single_path_keeps_its_type_and_other_paths_become_text() {
        for (template, expected) in [
            ("{a.id}", r#""u_1""#),
            ("{a.n}", "7"),
            ("{a.on}", "false"),
            ("{a.list}", r#"["x",""]"#),
            ("{a.list.0}", r#""x""#),
            ("{a.who.0.mail}", r#""m""#),
            ("user:{a.id}", r#""user:u_1""#),
            ("{a.n}-{a.on}", r#""7-false""#),
            ("{a.say}!", r#""\"hi\"\n!""#),
            ("plain \"text\"", r#""plain \"text\"""#),
            ("", r#""""#),
        ] {
            assert_eq!(json(template), Ok(expected.to_owned()), "{template}");
            let parsed = Template::parse(template).expect("a template");
            assert_eq!(String::from(parsed), template, "written and read again");
        }
    }

    #[test]
    fn the_error_names_the_path_without_a_value() {
        for (template, pointer) in [
            ("{a.none}", "/a/none"),
            ("{a.empty}", "/a/empty"),
            ("user:{a.missing}", "/a/missing"),
            ("{a.id.more}", "/a/id/more"),
            ("{a.list.1}", "/a/list/1"),
            ("{a.list.2}", "/a/list/2"),
            ("{a.list.x}", "/a/list/x"),
            ("{a.who.1.mail}", "/a/who/1/mail"),
            ("x{a.list}", "/a/list"),
        ] {
            assert_eq!(json(template), Err(pointer.to_owned()), "{template}");
        }
    }

    #[test]
    fn invalid_templates_are_refused() {
        let long = "x".repeat(TEMPLATE_BYTES_MAX + 1);
        for text in ["{a", "a}", "}{a}", "{}", "{a..b}", "{a b}", "{a{b}}", "{ä}", &long] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        assert!(BodyPath::parse("a.b-c.0").is_ok() && BodyPath::parse("a.").is_err() && BodyPath::parse("").is_err());
    }
}
