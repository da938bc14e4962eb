//! Collects all mistakes of a catalog, and none that is only a consequence of another mistake.
//!
//! The checks add a mistake and go on. An unreadable value is left out of what they see, so they cannot know what it
//! would have named: a name that may stand in it is not reported as unknown, and its entry is not checked further.

use super::span;
use crate::model::halt::{Halt, Ruled, wrong};
use crate::model::json::Object;
use extension_contract::pointer::{escaped, unescaped};
use extension_contract::{Expected, FieldError, FieldErrorCode, Refusal};
use extension_reader::{Error, ErrorKind};
use serde_json::Value;
use std::collections::BTreeSet;

/// The maximum number of mistakes that a refusal contains: it is stored, and sent back.
pub(crate) const MISTAKES_MAX: usize = 100;

/// The mistakes of a catalog.
#[derive(Default)]
pub(crate) struct Mistakes {
    found: Vec<FieldError>,
    /// Mistakes that may only follow from others: they are dropped if a part of these clauses is misspelt or could not
    /// be read.
    absent: Vec<(&'static [&'static str], FieldError)>,
    /// JSON Pointers of the values that could not be read.
    left_out: BTreeSet<String>,
    /// The words of these values, and the unknown names.
    words: BTreeSet<String>,
    /// Clauses with a wrong value or name, and types whose names are not all known.
    unsure: BTreeSet<String>,
}

impl Mistakes {
    /// Adds a mistake. `found` is empty if the value itself is wrong.
    pub fn add(&mut self, path: &str, code: FieldErrorCode, found: impl Into<String>, expected: impl Into<Expected>) {
        self.push(FieldError::new(path, code, found).expecting(expected));
    }

    /// Adds the mistake of a value that is not allowed.
    pub fn wrong(&mut self, path: &str, found: impl Into<String>, expected: impl Into<Expected>) {
        self.add(path, FieldErrorCode::NotAllowed, found, expected);
    }

    /// Adds the mistake of an unknown name, once for each name. `what` completes the sentence about the name, such as
    /// `is not a resource`.
    pub fn unknown(&mut self, path: &str, name: &str, what: &str, allowed: impl Into<Expected>) {
        if !self.words.insert(name.to_owned()) {
            return;
        }
        self.unsure.insert(clause_of(path).to_owned());
        let found = format!("`{name}` {what}");
        let error = FieldError::new(path, FieldErrorCode::NotAllowed, found);
        self.push(error.expecting(allowed).suggesting(name));
    }

    /// Notes that not all names within `scope` are known, so none of them is unknown.
    pub fn doubt(&mut self, scope: &str) {
        self.unsure.insert(scope.to_owned());
    }

    /// Adds the mistake of a name that nothing within `scope` has, once for each name.
    pub fn unknown_in(&mut self, scope: &str, path: &str, name: &str, what: &str, allowed: impl Into<Expected>) {
        if !self.unsure.contains(scope) && self.words.insert(format!("{scope} {name}")) {
            let found = format!("`{name}` {what}");
            let error = FieldError::new(path, FieldErrorCode::NotAllowed, found);
            self.push(error.expecting(allowed).suggesting(name));
        }
    }

    /// Adds the mistake that a type lacks a clause, once for each clause. `path` is the place that needs it.
    pub fn lacks(&mut self, of_type: &str, clause: &str, path: &str, found: &str, expected: &str) {
        if self.words.insert(format!("{of_type} lacks {clause}")) {
            self.wrong(path, found, expected);
        }
    }

    /// Adds the mistake that something is named nowhere in these clauses, unless a misspelt or unreadable part of them
    /// may name it.
    pub fn absent(
        &mut self,
        clauses: &'static [&'static str],
        path: &str,
        found: impl Into<String>,
        expected: impl Into<Expected>,
    ) {
        let path = self.original(path);
        let error = FieldError::new(path, FieldErrorCode::NotAllowed, found).expecting(expected);
        self.absent.push((clauses, error));
    }

    /// Adds an error whose place is known, unless there are too many.
    pub fn push(&mut self, error: FieldError) {
        if self.is_full() {
            return;
        }
        let path = self.original(&error.path);
        let is_same = |other: &FieldError| other.path == path && other.found == error.found;
        if !self.found.iter().any(is_same) {
            self.found.push(FieldError { path, ..error });
        }
    }

    /// Adds errors whose places are known.
    pub fn extend(&mut self, errors: impl IntoIterator<Item = FieldError>) {
        errors.into_iter().for_each(|error| self.push(error));
    }

    /// Adds the errors of a refusal below `path`. Returns the value, or none if it was refused.
    ///
    /// # Errors
    /// Fails if the decision ended for another reason.
    pub fn note<T>(&mut self, ruled: Ruled<T>, path: &str) -> Ruled<Option<T>> {
        match ruled {
            Ok(value) => Ok(Some(value)),
            Err(Halt::Refused(Refusal::Invalid(errors))) => {
                for error in errors {
                    self.push(FieldError { path: format!("{path}{}", error.path), ..error });
                }
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// Returns true if nothing was found yet.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.absent.is_empty()
    }

    /// Returns true if more mistakes were found than a refusal contains.
    fn is_full(&self) -> bool {
        self.found.len() > MISTAKES_MAX
    }

    /// Returns true if a mistake was found at or below this place.
    pub fn is_wrong(&self, path: &str) -> bool {
        let path = self.original(path);
        self.found.iter().any(|error| is_below(&error.path, &path))
    }

    /// Returns true if a value at or below this place could not be read.
    pub fn is_left_out(&self, path: &str) -> bool {
        let path = self.original(path);
        self.left_out.iter().any(|pointer| is_below(pointer, &path))
    }

    /// Returns true if a name stands in a value that could not be read, or was found to be unknown.
    pub fn may_be(&self, name: &str) -> bool {
        self.words.contains(name)
    }

    /// Fails with the mistakes, if there are any. If there are too many, the last entry says so.
    pub fn finish(mut self) -> Ruled<()> {
        for (clauses, error) in std::mem::take(&mut self.absent) {
            let is_sure = clauses.iter().chain(&[""]).all(|clause| !self.unsure.contains(*clause));
            if is_sure && !self.left_out.iter().any(|pointer| is_below(pointer, &error.path)) {
                self.found.push(error);
            }
        }
        if self.is_full() {
            self.found.truncate(MISTAKES_MAX);
            let found = format!("more is wrong than these {MISTAKES_MAX} mistakes");
            let more = FieldError::new("", FieldErrorCode::More, found);
            self.found.push(more.expecting("these to be corrected first"));
        }
        match self.found.is_empty() {
            true => Ok(()),
            false => Err(Refusal::Invalid(self.found).into()),
        }
    }

    /// Returns a text without the values that do not match their type, and adds a mistake for each of them. Returns
    /// none if nothing is left, or if there are too many mistakes: each costs a reading of the text.
    pub fn repair(
        &mut self,
        text: &str,
        path: &str,
        parse: impl Fn(&str) -> Result<(), Error>,
    ) -> Ruled<Option<String>> {
        let mut written: Value = extension_reader::from_str(text).map_err(|error| refusal(path, &error))?;
        let mut misspelt = BTreeSet::new();
        loop {
            let text = written.to_string();
            let Err(error) = parse(&text) else { return Ok(Some(text)) };
            let pointer = if self.is_full() { String::new() } else { error.pointer() };
            let place = self.original(&format!("{path}{pointer}"));
            let object = place.rsplit_once('/').map_or("", |(object, _)| object);
            // A member may be missing since it was left out, or since its name is misspelt.
            let is_own = match error.kind() {
                ErrorKind::Missing => !self.left_out.contains(&place) && !misspelt.contains(object),
                ErrorKind::UnknownName => {
                    misspelt.insert(object.to_owned());
                    true
                }
                _ => true,
            };
            if is_own {
                let value = written.pointer(&pointer).and_then(Value::as_str);
                self.push(unreadable(path, &error, value));
            }
            if !self.leave_out(&mut written, path, &pointer) {
                return Ok(None);
            }
        }
    }

    /// Returns the text of a document without the values that do not match their type, and adds a mistake for each of
    /// them. Reads each clause alone, so that a mistake costs a reading of its clause and not of all products.
    pub fn repair_members(&mut self, text: &str, parse: impl Fn(&str) -> Result<(), Error>) -> Ruled<String> {
        let written: Value = extension_reader::from_str(text).map_err(|error| refusal("", &error))?;
        let Value::Object(written) = written else {
            return Ok(self.repair(text, "", parse)?.unwrap_or_else(|| "{}".to_owned()));
        };
        let mut read = Object::new();
        for (name, value) in written {
            let pointer = format!("/{}", escaped(&name));
            let clause = Value::Object(Object::from_iter([(name, value)])).to_string();
            match self.repair(&clause, "", &parse)? {
                Some(rest) => {
                    read.extend(extension_reader::from_str::<Object>(&rest).map_err(|error| refusal("", &error))?)
                }
                None => drop(self.left_out.insert(pointer)),
            }
        }
        Ok(Value::Object(read).to_string())
    }

    /// Leaves out a value, or the nearest value above it that is there. Returns false for the whole value.
    fn leave_out(&mut self, written: &mut Value, path: &str, pointer: &str) -> bool {
        let mut at = pointer;
        while written.pointer(at).is_none() {
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
        let place = format!("{path}{at}");
        let original = self.original(&place);
        // An unknown clause may be any of the others.
        let is_clause = original.matches('/').count() <= 1;
        self.unsure.insert(if is_clause { String::new() } else { clause_of(&original).to_owned() });
        let Some((above, last)) = at.rsplit_once('/') else {
            words_of(written, &mut self.words);
            self.left_out.insert(original);
            return false;
        };
        let key = unescaped(last);
        let value = match written.pointer_mut(above) {
            Some(Value::Object(object)) => object.remove(&key),
            Some(Value::Array(list)) => {
                last.parse().ok().filter(|at| *at < list.len()).map(|at: usize| list.remove(at))
            }
            _ => None,
        };
        words_of(&value.unwrap_or_default(), &mut self.words);
        if last.parse::<usize>().is_err() {
            self.words.insert(key);
        }
        self.left_out.insert(original);
        true
    }

    /// Converts a pointer into the document as read to one into the document as written, whose lists also contain the
    /// values that were left out.
    fn original(&self, pointer: &str) -> String {
        if self.left_out.is_empty() {
            return pointer.to_owned();
        }
        let mut whole = String::new();
        for part in pointer.split('/').skip(1) {
            let is_there = |index: &usize| !self.left_out.contains(&format!("{whole}/{index}"));
            let next = part.parse::<usize>().ok().and_then(|read| (0..).filter(is_there).nth(read));
            whole = next.map_or_else(|| format!("{whole}/{part}"), |index| format!("{whole}/{index}"));
        }
        whole
    }
}

/// Returns the mistake of a value that does not match its type. `text` is the value if it is a text.
pub(crate) fn unreadable(path: &str, error: &Error, text: Option<&str>) -> FieldError {
    let pointer = error.pointer();
    let place = format!("{path}{pointer}");
    let name = unescaped(pointer.rsplit('/').next().unwrap_or_default());
    let quoted = || Expected::names(error.names().iter().copied());
    match error.kind() {
        ErrorKind::UnknownName => {
            let found = format!("unknown field `{name}`");
            FieldError::new(place, FieldErrorCode::UnknownField, found).expecting(quoted()).suggesting(&name)
        }
        ErrorKind::UnknownWord => {
            let error = FieldError::new(place, FieldErrorCode::NotAllowed, "").expecting(quoted());
            error.suggesting(text.unwrap_or_default())
        }
        ErrorKind::Other => FieldError::new(place, FieldErrorCode::BadFormat, error.cause()),
        kind => {
            let code = match kind {
                ErrorKind::Missing => FieldErrorCode::Missing,
                ErrorKind::WrongType => FieldErrorCode::WrongType,
                _ => FieldErrorCode::BadFormat,
            };
            let expected = error.expected();
            let meant = text.and_then(|text| span::meant(text, expected));
            FieldError::new(place, code, "").expecting(expected).meaning(meant)
        }
    }
}

/// Returns the refusal of a value that does not match its type.
pub(crate) fn refusal(path: &str, error: &Error) -> Halt {
    wrong(unreadable(path, error, None))
}

/// Collects the keys and texts of a value.
fn words_of(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(words.insert(text.clone())),
        Value::Array(values) => values.iter().for_each(|value| words_of(value, words)),
        Value::Object(members) => {
            for (key, value) in members {
                words.insert(key.clone());
                words_of(value, words);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_below(pointer: &str, above: &str) -> bool {
    pointer.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the clause of a place: the first part of its pointer.
fn clause_of(pointer: &str) -> &str {
    pointer.split('/').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only read")]
    struct Entry {
        name: String,
        #[serde(default)]
        size: u32,
    }

    fn told(mistakes: Mistakes) -> Vec<(String, String)> {
        match mistakes.finish() {
            Ok(()) => Vec::new(),
            Err(Halt::Refused(Refusal::Invalid(errors))) => {
                errors.into_iter().map(|error| (error.message(), error.path)).collect()
            }
            Err(_) => panic!("another halt"),
        }
    }

    fn repaired(text: &str) -> (Option<String>, Mistakes) {
        let mut mistakes = Mistakes::default();
        let parse = |text: &str| extension_reader::from_str::<Vec<Entry>>(text).map(drop);
        let rest = mistakes.repair(text, "/list", parse);
        (rest.ok().expect("it is JSON"), mistakes)
    }

    #[test]
    fn each_unreadable_value_is_reported_at_its_own_place() {
        let text = r#"[{"name": 1}, {"name": "a", "size": "b"}, {"nmae": "c"}, {"size": 2}, {"name": "d"}]"#;
        let (rest, mut mistakes) = repaired(text);
        assert_eq!(rest.as_deref(), Some(r#"[{"name":"a"},{"name":"d"}]"#));
        mistakes.wrong("/list/1", "later", "");
        let expected = [
            ("expected a text", "/list/0/name"),
            ("expected a whole number from 0 to 4294967295", "/list/1/size"),
            ("unknown field `nmae`: expected one of name, size", "/list/2/nmae"),
            ("expected a value", "/list/3/name"),
            ("later", "/list/4"),
        ];
        assert_eq!(told(mistakes), expected.map(|(message, path)| (message.to_owned(), path.to_owned())));
    }

    #[test]
    fn too_many_mistakes_end_with_one_that_says_so() {
        for (wrong, listed) in [(99, 99), (100, 100), (101, 101), (5_000, 101)] {
            let (rest, mistakes) = repaired(&format!("[{}]", vec!["7"; wrong].join(",")));
            assert_eq!(rest.is_some(), wrong <= 101, "{wrong}");
            let told = told(mistakes);
            assert_eq!(told.len(), listed, "{wrong}");
            let last = "more is wrong than these 100 mistakes: expected these to be corrected first";
            assert_eq!(told.iter().filter(|(message, path)| message == last && path.is_empty()).count(), listed / 101);
        }
    }

    #[test]
    fn what_may_follow_from_another_mistake_is_not_reported() {
        let (_, mut mistakes) = repaired(r#"[{"name": "a", "sise": {"seats": 1}}]"#);
        mistakes.unknown("/rates/a", "seats", "is not declared", "");
        mistakes.absent(&["list"], "/entitlements/a", "nothing names it", "");
        assert!(mistakes.is_left_out("/list/0") && !mistakes.is_left_out("/rates"));
        assert_eq!(told(mistakes).len(), 1);
        let mut mistakes = Mistakes::default();
        mistakes.unknown("/rates/a", "paln", "is not declared", Expected::names(["plan"]));
        mistakes.unknown("/rates/b", "paln", "is not declared", Expected::names(["plan"]));
        mistakes.absent(&["rates"], "/meters/plan", "nothing names it", "");
        mistakes.absent(&["list"], "/meters/a", "nothing lists it", "");
        let paths: Vec<String> = told(mistakes).into_iter().map(|(_, path)| path).collect();
        assert_eq!(paths, ["/rates/a", "/meters/a"]);
    }
}
