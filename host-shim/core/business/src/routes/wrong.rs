//! The wrong values of a request. Only the first ones are kept and described, so that an answer is not much longer than its request.

use crate::routes::limits::{ERRORS_MAX, NAME_BYTES_MAX};
use extension_contract::{Expected, FieldError, FieldErrorCode, pointer};

/// The first wrong values of a request, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrongValues {
    listed: Vec<FieldError>,
    count: usize,
    /// True if further members are allowed.
    permits_unknown: bool,
}

impl WrongValues {
    /// Creates a list of wrong values that does not include unknown names.
    pub(crate) fn permitting_unknown() -> Self {
        WrongValues { permits_unknown: true, ..WrongValues::default() }
    }

    /// Adds a wrong value. It is described only if it is among the first ones.
    pub fn add(&mut self, describe: impl FnOnce() -> FieldError) {
        self.count += 1;
        if self.listed.len() < ERRORS_MAX {
            self.listed.push(describe());
        }
    }

    /// Adds an unknown name. Only the first such error lists the known names.
    pub(crate) fn add_unknown<'n>(&mut self, path: impl Fn() -> String, known: impl Iterator<Item = &'n str>) {
        if self.permits_unknown {
            return;
        }
        let is_told = |told: &FieldError| self.listed.iter().any(|error| error.expected == told.expected);
        let error = |found: &str| FieldError::new(path(), FieldErrorCode::UnknownField, found);
        let told = (self.listed.len() < ERRORS_MAX).then(|| error("").expecting(names(known)));
        let told = told.map(|told| if is_told(&told) { error("unknown as well") } else { told });
        self.add(|| told.unwrap_or_else(|| error("")));
    }

    /// Returns true if nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the first wrong values.
    pub fn listed(&self) -> &[FieldError] {
        &self.listed
    }

    /// Returns how many values are wrong.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the values, or what is wrong with them.
    pub(crate) fn or<T>(self, values: impl FnOnce() -> T) -> Result<T, WrongValues> {
        if self.is_empty() { Ok(values()) } else { Err(self) }
    }
}

/// Keeps the first few errors.
impl From<&[FieldError]> for WrongValues {
    fn from(errors: &[FieldError]) -> Self {
        let listed = errors.iter().take(ERRORS_MAX).cloned().collect();
        WrongValues { listed, count: errors.len(), permits_unknown: false }
    }
}

fn names<'n>(known: impl Iterator<Item = &'n str>) -> Expected {
    let names: Vec<&str> = known.collect();
    if names.is_empty() { "no members".into() } else { Expected::names(names) }
}

/// Returns the JSON Pointer to a member of an object. A long name is cut.
pub fn pointer_to(name: &str) -> String {
    format!("/{}", escaped(name))
}

/// Escapes a name for a JSON Pointer. A long name is cut.
pub(crate) fn escaped(name: &str) -> String {
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let mark = if end < name.len() { "…" } else { "" };
    format!("{}{mark}", pointer::escaped(&name[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_lists_the_first_wrong_values_and_the_known_names_once() {
        let mut wrong = WrongValues::default();
        (0..1_000).for_each(|number| wrong.add_unknown(|| format!("/x{number}"), ["a", "b"].into_iter()));
        assert_eq!((wrong.listed().len(), wrong.count()), (ERRORS_MAX, 1_000));
        let told: Vec<String> = wrong.listed().iter().map(FieldError::message).collect();
        assert_eq!(told[0], "expected one of a, b");
        assert!(told[1..].iter().all(|told| *told == "unknown as well"), "{told:?}");
        let many = vec![FieldError::new("/a", FieldErrorCode::Missing, ""); 300];
        let kept = WrongValues::from(many.as_slice());
        assert_eq!((kept.listed().len(), kept.count()), (ERRORS_MAX, 300));
    }

    #[test]
    fn a_long_name_is_cut_between_letters() {
        assert_eq!(escaped("a/b~c"), "a~1b~0c");
        let cut = escaped(&"ä".repeat(400));
        assert_eq!((cut.len(), cut.ends_with("ä…")), (NAME_BYTES_MAX - 1 + "…".len(), true));
    }
}
