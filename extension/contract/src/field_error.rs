//! An invalid field as data: its place, a code, what was found and what is allowed. A text is made of it only where people read it.

use crate::guess::nearest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Error code of an invalid field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldErrorCode {
    /// A required value is absent.
    Missing,
    /// The value has the wrong JSON type.
    WrongType,
    /// The value is outside its range or length.
    OutOfRange,
    /// The value does not match its pattern.
    BadFormat,
    /// The value is not one of the allowed options, or is reserved.
    NotAllowed,
    /// Another row of this account already has the value.
    Taken,
    /// This actor may not set or change the field.
    ReadOnly,
    /// The schema has no such field.
    UnknownField,
    /// More is wrong than the list says; only the last entry of a list.
    More,
}

/// An invalid field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON Pointer into the validated document.
    pub path: String,
    /// Error code, for programs.
    pub code: FieldErrorCode,
    /// What is wrong, for people; empty if the value itself is wrong. Without secrets and without other tenants' data.
    pub found: String,
    /// The allowed values, or a description of them as the only entry; empty if no other value helps.
    pub expected: Vec<String>,
    /// The allowed value that was probably meant.
    pub suggestion: Option<String>,
}

impl FieldError {
    /// Creates an error. `found` is empty if the value itself is wrong.
    pub fn new(path: impl Into<String>, code: FieldErrorCode, found: impl Into<String>) -> Self {
        FieldError { path: path.into(), code, found: found.into(), expected: Vec::new(), suggestion: None }
    }

    /// Sets what is allowed: the values, or a description of them.
    #[must_use]
    pub fn expecting(self, expected: impl Into<Expected>) -> Self {
        FieldError { expected: expected.into().0, ..self }
    }

    /// Sets the suggestion.
    #[must_use]
    pub fn meaning(self, suggestion: Option<String>) -> Self {
        FieldError { suggestion, ..self }
    }

    /// Sets the suggestion: the allowed value that `written` misspells, if there is one. Of a placeholder such as
    /// `{product.seats}`, the last name may be the misspelt one, or the one that is right.
    #[must_use]
    pub fn suggesting(self, written: &str) -> Self {
        let allowed = || self.expected.iter().map(|name| name.trim_matches('`')).filter(|name| !name.contains(' '));
        let last = last_of(written);
        let meant = nearest(written, allowed().collect::<Vec<_>>())
            .or_else(|| nearest(last, allowed().collect::<Vec<_>>()))
            .or_else(|| allowed().find(|place| place.starts_with('{') && *place != written && last_of(place) == last));
        let suggestion = meant.map(str::to_owned);
        self.meaning(suggestion)
    }

    /// Returns what is expected as a text; empty if nothing is.
    pub fn expectation(&self) -> String {
        match self.expected.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            several => format!("one of {}", several.join(", ")),
        }
    }

    /// Returns the error as a text, without its place: what was found, and what was expected.
    pub fn message(&self) -> String {
        match (self.found.as_str(), self.expectation().as_str()) {
            (found, "") => found.to_owned(),
            ("", expected) => format!("expected {expected}"),
            (found, expected) => format!("{found}: expected {expected}"),
        }
    }
}

/// Returns the last name of a placeholder, or the text if it is none.
fn last_of(text: &str) -> &str {
    text.trim_matches(['{', '}']).rsplit('.').next().unwrap_or_default()
}

/// Returns errors as one line of text, each with its place.
pub(crate) fn listed(errors: &[FieldError]) -> String {
    errors.iter().map(|error| format!("{} {}", error.path, error.message())).collect::<Vec<_>>().join("; ")
}

/// What is allowed at a place: values, or a description of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected(Vec<String>);

impl Expected {
    /// These values are allowed, each listed once. If there are none, the description says so.
    pub fn names<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
        let mut known = BTreeSet::new();
        names.retain(|name| known.insert(name.clone()));
        match names.is_empty() {
            true => Expected(vec!["nothing, as none are declared".to_owned()]),
            false => Expected(names),
        }
    }
}

impl From<&str> for Expected {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// An empty text expects nothing.
impl From<String> for Expected {
    fn from(text: String) -> Self {
        Expected(Some(text).filter(|text| !text.is_empty()).into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_halves_that_are_known() {
        let error = |found: &str, expected: Expected| {
            FieldError::new("/a", FieldErrorCode::NotAllowed, found).expecting(expected).message()
        };
        assert_eq!(error("`x` is taken", "".into()), "`x` is taken");
        assert_eq!(error("", "at least 1".into()), "expected at least 1");
        assert_eq!(error("`x` is not a type", Expected::names(["a"])), "`x` is not a type: expected a");
        assert_eq!(error("", Expected::names(["a", "b", "a"])), "expected one of a, b");
        assert_eq!(error("", Expected::names([""; 0])), "expected nothing, as none are declared");
    }

    #[test]
    fn the_suggestion_is_an_allowed_value() {
        let suggested = |written: &str, expected: &[&str]| {
            let error =
                FieldError::new("/a", FieldErrorCode::NotAllowed, "").expecting(Expected::names(expected.to_vec()));
            error.suggesting(written).suggestion
        };
        assert_eq!(suggested("paln", &["plan", "pack"]).as_deref(), Some("plan"));
        assert_eq!(suggested("{product.stes}", &["sites", "rank"]).as_deref(), Some("sites"));
        assert_eq!(suggested("{product.stes}", &["{product.sites}"]).as_deref(), Some("{product.sites}"));
        assert_eq!(suggested("{metadata.size}", &["`{instance.size}`"]).as_deref(), Some("{instance.size}"));
        assert_eq!(suggested("shop", &["plan", "pack"]), None);
        assert_eq!(suggested("number", &["a whole number"]), None, "a description is not a value");
    }
}
