//! The types of values in requests and answers, in the notation of `routes.yml`: `string`, `integer[]`, `time?`, `Plan`,
//! `month | year`.

use crate::yaml::bad_input::BadInput;
use crate::yaml::{Checked, Checker, Node};
use serde_json::Value;
use std::collections::BTreeMap;

/// The names of the simple types.
const SIMPLE: [(&str, Type); 6] = [
    ("string", Type::Text),
    ("integer", Type::Integer),
    ("boolean", Type::Boolean),
    ("time", Type::Time),
    ("date", Type::Date),
    ("json", Type::Json),
];

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `string`.
    Text,
    /// `integer`: an integer of 64 bits. Money is in minor units.
    Integer,
    /// `boolean`.
    Boolean,
    /// `time`: a string with an RFC 3339 time.
    Time,
    /// `date`: a string with a day, `2026-01-31`.
    Date,
    /// `json`: any value.
    Json,
    /// `month | year`: one of these strings.
    Words(Vec<String>),
    /// `Plan`: a type of the clause `types`.
    Named(String),
    /// `Plan[]`: a list.
    List(Box<Type>),
    /// `string?`: the value may be missing, or null.
    Optional(Box<Type>),
}

/// A member of a named type, or a value of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Type.
    pub value_type: Type,
    /// Description for readers of the API; may be empty.
    pub about: String,
    /// The value if the request does not contain one.
    pub default: Option<Value>,
}

/// The clause `types`: the members of each type, by its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Types(pub BTreeMap<String, Vec<Field>>);

impl Type {
    /// Parses the notation; none if the text is not a type.
    pub fn parse(text: &str) -> Option<Type> {
        let text = text.trim();
        if let Some(rest) = text.strip_suffix('?') {
            return Type::parse(rest)
                .filter(|inner| !matches!(inner, Type::Optional(_)))
                .map(|it| Type::Optional(it.into()));
        }
        if let Some(rest) = text.strip_suffix("[]") {
            return Type::parse(rest).map(|it| Type::List(it.into()));
        }
        if text.contains('|') {
            let words: Vec<String> = text.split('|').map(|word| word.trim().to_owned()).collect();
            let is_word = |word: &String| {
                !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.".contains(&c))
            };
            return words.iter().all(is_word).then_some(Type::Words(words));
        }
        if let Some((_, simple)) = SIMPLE.iter().find(|(name, _)| *name == text) {
            return Some(simple.clone());
        }
        is_type_name(text).then(|| Type::Named(text.to_owned()))
    }

    /// Returns true if the value may be missing.
    pub fn is_optional(&self) -> bool {
        matches!(self, Type::Optional(_))
    }

    /// Returns the type without `?`.
    pub fn required(&self) -> &Type {
        match self {
            Type::Optional(inner) => inner,
            other => other,
        }
    }

    /// Returns the name of the named type in this type, if there is one.
    pub fn named(&self) -> Option<&str> {
        match self {
            Type::Named(name) => Some(name),
            Type::List(inner) | Type::Optional(inner) => inner.named(),
            _ => None,
        }
    }

    /// Returns the type as messages call it, with an article.
    pub(crate) fn shown(&self) -> String {
        match self {
            Type::Text => "a text".to_owned(),
            Type::Integer => "a whole number".to_owned(),
            Type::Boolean => "true or false".to_owned(),
            Type::Time => "a time as RFC 3339, such as 2026-01-31T12:00:00Z".to_owned(),
            Type::Date => "a day, such as 2026-01-31".to_owned(),
            Type::Json => "a value".to_owned(),
            Type::Words(words) => format!("one of {}", words.join(", ")),
            Type::Named(_) => "an object".to_owned(),
            Type::List(_) => "a list".to_owned(),
            Type::Optional(inner) => inner.shown(),
        }
    }
}

/// Returns true for a name such as `BillingConfig`.
pub(crate) fn is_type_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(|c| c.is_ascii_alphanumeric())
}

/// Returns true for a name that members of objects may have, so that expressions can use it.
pub(crate) fn is_member_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

impl Types {
    /// Reports the types that do not exist.
    pub(crate) fn check(&self, check: &Checker, of: &Type, node: &Node) -> Checked<()> {
        match of.named().filter(|name| !self.0.contains_key(*name)) {
            None => Ok(()),
            Some(name) => {
                let simple = SIMPLE.iter().map(|(name, _)| *name);
                let known: Vec<&str> = self.0.keys().map(String::as_str).chain(simple).collect();
                Err(check.note(BadInput::unknown_name(node.place(), name, "not a type", known)))
            }
        }
    }

    /// Reports the types of members that do not exist. `clause` is the clause that was read.
    pub(crate) fn check_members(&self, check: &Checker, clause: &Node) -> Checked<()> {
        check.every(clause.entries().unwrap_or_default(), |entry| {
            let Some(fields) = self.0.get(&entry.key) else { return Ok(()) };
            self.check_fields(check, fields, &entry.value)
        })
    }

    /// Reports the types of some fields that do not exist.
    pub(crate) fn check_fields(&self, check: &Checker, fields: &[Field], node: &Node) -> Checked<()> {
        check.every(fields, |field| self.check(check, &field.value_type, node.member(&field.name).unwrap_or(node)))
    }
}

/// Reads a type.
pub(crate) fn read_type(check: &Checker, what: &str, node: &Node) -> Checked<Type> {
    let text = check.text(what, node)?;
    Type::parse(&text).ok_or_else(|| {
        let simple = SIMPLE.map(|(name, _)| name).join(", ");
        let expected = format!(
            "{simple}, a name of `types`, or words such as `month | year`; with [] for a list, ? if it may be missing"
        );
        check.bad(node.place(), format!("`{what}: {text}` is not a type"), expected)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_is_read() {
        let parse = |text| Type::parse(text);
        assert_eq!(parse("string"), Some(Type::Text));
        assert_eq!(parse("time?"), Some(Type::Optional(Type::Time.into())));
        assert_eq!(parse("Plan[]"), Some(Type::List(Type::Named("Plan".into()).into())));
        assert_eq!(parse("integer[]?"), Some(Type::Optional(Type::List(Type::Integer.into()).into())));
        let interval = Type::Words(vec!["month".into(), "year".into()]);
        assert_eq!(parse("month | year?"), Some(Type::Optional(interval.into())), "`?` belongs to the whole type");
        assert_eq!(parse("a | b"), Some(Type::Words(vec!["a".into(), "b".into()])));
        for wrong in ["", "text", "string??", "plan", "a |", "Pl an", "[]"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
