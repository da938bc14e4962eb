//! Places of a body, and texts that are made of them.

use crate::json::{JsonKind, Value, push_token};
use std::fmt;

/// Longest text of a template in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 500;
/// Most names of one place.
const PARTS_MAX: usize = 16;

/// Why a text is no template or no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is too long.
    #[error("{bytes} bytes, at most {TEMPLATE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A brace has no other one.
    #[error("`{text}` has a brace without its other one")]
    Unbalanced {
        /// The template.
        text: String,
    },
    /// What stands in braces is no place.
    #[error("`{text}` is no place of a body")]
    NoPlace {
        /// What stands there.
        text: String,
    },
}

/// A place of a body: names of members, and numbers of entries of lists, as `user.emails.0.address`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Vec<String>);

impl Place {
    /// Reads names with dots between them.
    ///
    /// # Errors
    /// [`TemplateError`] if it is something else.
    pub fn parse(text: &str) -> Result<Place, TemplateError> {
        let is_name =
            |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-');
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        match text.len() <= TEMPLATE_BYTES_MAX && parts.len() <= PARTS_MAX && parts.iter().all(|part| is_name(part)) {
            true => Ok(Place(parts)),
            false => Err(TemplateError::NoPlace { text: text.chars().take(TEMPLATE_BYTES_MAX).collect() }),
        }
    }

    /// The JSON Pointer of the place.
    pub(super) fn pointer(&self) -> String {
        let mut pointer = String::new();
        self.0.iter().for_each(|part| push_token(&mut pointer, part));
        pointer
    }

    /// What stands there; null and the empty text stand for nothing.
    pub(super) fn find(&self, root: Value<'_>) -> Option<Found> {
        find(root, &self.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A value of a body.
pub(super) struct Found {
    /// As JSON.
    pub(super) json: String,
    /// As text; none for a list or an object.
    pub(super) text: Option<String>,
}

fn find(value: Value<'_>, parts: &[String]) -> Option<Found> {
    let Some((first, rest)) = parts.split_first() else {
        let text = match value.kind() {
            JsonKind::Null => return None,
            JsonKind::String => Some(value.as_str()?.into_owned()),
            JsonKind::Bool | JsonKind::Number => Some(value.raw().to_owned()),
            JsonKind::Array | JsonKind::Object => None,
        };
        let is_nothing = text.as_ref().is_some_and(String::is_empty);
        return (!is_nothing).then(|| Found { json: value.raw().to_owned(), text });
    };
    match value.kind() {
        JsonKind::Object => find(value.get(first)?, rest),
        JsonKind::Array => {
            let at: usize = first.parse().ok()?;
            // Of a list of texts the entries are values, of one of objects their members can be named.
            match value.as_objects() {
                Some(entries) => find(entries.get(at)?.root(), rest),
                None if rest.is_empty() => {
                    let text = value.as_strings()?.into_iter().nth(at).filter(|text| !text.is_empty())?;
                    Some(Found { json: quoted(&text), text: Some(text) })
                }
                None => None,
            }
        }
        _ => None,
    }
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What stands before the first braces of a text, in them, and behind them; none without a pair.
pub fn split_place(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (place, behind) = rest.split_once('}')?;
    Some((before, place, behind))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(Place),
}

/// A text with places in braces, as `user:{user.id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`], with what is wrong in it.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLong { bytes: text.len() });
        }
        let unbalanced = || TemplateError::Unbalanced { text: text.to_owned() };
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, place, behind)) = split_place(rest) {
            if before.contains('}') {
                return Err(unbalanced());
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Place(Place::parse(place)?));
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

    /// The text, or the JSON Pointer of the first place at which nothing stands that could be part of a text.
    pub(super) fn text(&self, root: Value<'_>) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place(place) => {
                    let text = place.find(root).and_then(|found| found.text);
                    out.push_str(&text.ok_or_else(|| place.pointer())?);
                }
            }
        }
        Ok(out)
    }

    /// The same as JSON; what is one place alone keeps its type.
    pub(super) fn json(&self, root: Value<'_>) -> Result<String, String> {
        match self.0.as_slice() {
            [Part::Place(place)] => place.find(root).map(|found| found.json).ok_or_else(|| place.pointer()),
            _ => self.text(root).map(|text| quoted(&text)),
        }
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
    fn a_place_alone_keeps_its_type_and_among_others_is_text() {
        for (template, expected) in [
            ("{a.id}", r#""u_1""#),
            ("{a.n}", "7"),
            ("{a.on}", "false"),
            ("{a.list}", r#"["x",""]"#),
            ("{a.list.0}", r#""x""#),
            ("{a.who.0.mail}", r#""m""#),
            ("user:{a.id}", r#""user:u_1""#),
            ("{a.n}-{a.on}", r#""7-false""#),
            ("{a.say}!", r#""\"hi\"\u000a!""#),
            ("plain \"text\"", r#""plain \"text\"""#),
            ("", r#""""#),
        ] {
            assert_eq!(json(template), Ok(expected.to_owned()), "{template}");
        }
    }

    #[test]
    fn a_place_at_which_nothing_stands_is_named() {
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
    fn what_is_no_template_is_refused() {
        let long = "x".repeat(TEMPLATE_BYTES_MAX + 1);
        for text in ["{a", "a}", "}{a}", "{}", "{a..b}", "{a b}", "{a{b}}", "{ä}", &long] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        assert!(Place::parse("a.b-c.0").is_ok() && Place::parse("a.").is_err() && Place::parse("").is_err());
    }
}
