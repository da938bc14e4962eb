//! Reads the values of the configuration file. Each reader returns the value, or reports a fault with its position, the
//! written text and the allowed values. A fault never contains the value of a variable.

use crate::config::environment::Environment;
use crate::config::interpolate::{fill, only_variable};
use crate::config::secrets::without_secrets;
use host_business::yaml::bad_input::{BadInput, Place};
use host_business::yaml::{Checker, Entry, Node, Tree};
use host_provider_api::Secret;
use std::fmt;
use std::ops::RangeInclusive;

/// Maximum number of characters of the written text that a fault repeats.
const SHOWN_MAX: usize = 60;
/// Maximum number of entries in a list.
const ENTRIES_MAX: usize = 200;

/// Collects the faults of a file.
pub(crate) struct Reader<'e> {
    pub(crate) environment: &'e Environment,
    pub(crate) check: &'e Checker,
}

/// A string in a list. `Debug` omits the string, which may be the value of a variable.
#[derive(Clone, PartialEq, Eq)]
pub struct ListedText {
    /// The string with its variables substituted.
    pub text: String,
    /// The string as written in the file.
    pub(crate) written: String,
    pub(crate) place: Place,
}

impl fmt::Debug for ListedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListedText").field("written", &self.written).finish_non_exhaustive()
    }
}

/// A secret, with the variable it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretValue {
    /// Name of the variable.
    pub variable: String,
    /// The value.
    pub value: Secret,
    pub(crate) place: Place,
}

/// A mapping of the file.
pub(crate) struct Section<'n> {
    /// Path of the section, separated by dots.
    path: String,
    entries: &'n [Entry],
    place: Place,
}

impl<'n> Section<'n> {
    pub(crate) fn get(&self, name: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == name)
    }

    pub(crate) fn entries(&self) -> &'n [Entry] {
        self.entries
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the name of a member for messages, including the path of its section.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

impl Reader<'_> {
    pub(crate) fn fault(&self, place: Place, problem: impl Into<String>, expected: impl Into<String>) {
        self.check.bad(place, problem, expected);
    }

    /// Reads a mapping. Reports unknown members, unless every name is allowed (`known` is none).
    pub(crate) fn section<'n>(&self, path: &str, node: &'n Node, known: Option<&[&str]>) -> Section<'n> {
        let entries = match &node.value {
            Tree::Map(entries) => entries.as_slice(),
            Tree::Null => &[],
            _ => {
                let what = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
                self.fault(node.place(), format!("{what} is {}", node.kind()), "a mapping");
                &[]
            }
        };
        let section = Section { path: path.to_owned(), entries, place: node.place() };
        if let Some(known) = known {
            for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
                let problem = format!("unknown key `{}`", without_secrets(&section.path_of(&entry.key)));
                let bad = BadInput::new(entry.place(), problem, known.join(", "));
                self.check.note(bad.guessing(&entry.key, known.iter().copied()));
            }
        }
        section
    }

    /// Reads a mapping within a mapping; empty if it is missing.
    pub(crate) fn inner<'n>(&self, section: &Section<'n>, name: &str, known: Option<&[&str]>) -> Option<Section<'n>> {
        let entry = section.get(name)?;
        Some(self.section(&section.path_of(name), &entry.value, known))
    }

    /// Returns the written text, for a fault.
    fn written(&self, what: &str, node: &Node) -> String {
        match node.scalar() {
            Some(text) if text.chars().count() <= SHOWN_MAX => format!("`{what}: {}`", without_secrets(&text)),
            _ => format!("`{what}` is {}", node.kind()),
        }
    }

    fn wrong(&self, what: &str, node: &Node, expected: impl Into<String>) {
        self.fault(node.place(), self.written(what, node), expected);
    }

    /// Reports that a section lacks a member.
    pub(crate) fn missing(&self, section: &Section<'_>, name: &str) {
        self.fault(section.place.clone(), format!("`{}` is missing", section.path_of(name)), format!("`{name}`"));
    }

    /// Reads a required string, which must not be empty.
    pub(crate) fn required(&self, section: &Section<'_>, name: &str) -> Option<String> {
        if section.get(name).is_none() {
            self.missing(section, name);
        }
        self.text(section, name)
    }

    /// Substitutes the variables of a single value.
    pub(crate) fn filled(&self, what: &str, node: &Node, expected: &str) -> Option<String> {
        let Some(text) = node.scalar() else {
            self.wrong(what, node, expected);
            return None;
        };
        fill(&text, what, &node.place(), self.environment, self.check).ok()
    }

    /// Reads a string that is not empty.
    pub(crate) fn text(&self, section: &Section<'_>, name: &str) -> Option<String> {
        let (entry, what) = (section.get(name)?, section.path_of(name));
        let filled = self.filled(&what, &entry.value, "a text")?;
        match filled.is_empty() {
            true => {
                self.wrong(&what, &entry.value, "a text that is not empty");
                None
            }
            false => Some(filled),
        }
    }

    /// Reads a value that a function accepts.
    pub(crate) fn parsed<T>(
        &self,
        section: &Section<'_>,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (entry, what) = (section.get(name)?, section.path_of(name));
        let value = parse(&self.filled(&what, &entry.value, expected)?);
        if value.is_none() {
            self.wrong(&what, &entry.value, expected);
        }
        value
    }

    pub(crate) fn whole(&self, section: &Section<'_>, name: &str, range: RangeInclusive<u16>) -> Option<u16> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.parsed(section, name, &expected, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    pub(crate) fn truth(&self, section: &Section<'_>, name: &str) -> Option<bool> {
        self.parsed(section, name, "true or false", |text| text.parse().ok())
    }

    pub(crate) fn word(&self, section: &Section<'_>, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let (entry, what) = (section.get(name)?, section.path_of(name));
        let text = self.filled(&what, &entry.value, &words.join(", "))?;
        let word = words.iter().copied().find(|word| *word == text);
        if word.is_none() {
            // The string may be the value of a variable; the fault shows the written text.
            let written = entry.value.scalar().unwrap_or_default();
            let bad = BadInput::new(entry.value.place(), self.written(&what, &entry.value), words.join(", "));
            self.check.note(bad.guessing(&written, words.iter().copied()));
        }
        word
    }

    /// Reads a secret, which must be exactly one variable.
    pub(crate) fn secret(&self, section: &Section<'_>, name: &str) -> Option<SecretValue> {
        let (entry, what) = (section.get(name)?, section.path_of(name));
        self.secret_of(&what, &entry.value)
    }

    pub(crate) fn secret_of(&self, what: &str, node: &Node) -> Option<SecretValue> {
        let written = node.scalar().unwrap_or_default();
        let Some(variable) = only_variable(&written) else {
            // A string that is not a variable may be the secret itself.
            let problem = format!("`{what}` is a secret, and does not come from a variable");
            self.fault(node.place(), problem, "`${NAME}`, with the secret in the environment or in `.env`");
            return None;
        };
        let value = fill(&written, what, &node.place(), self.environment, self.check).ok()?;
        Some(SecretValue { variable: variable.to_owned(), value: Secret::new(value), place: node.place() })
    }

    /// Reads a list; no entries if it is missing.
    pub(crate) fn list<'n>(&self, section: &Section<'n>, name: &str) -> &'n [Node] {
        let Some(entry) = section.get(name) else { return &[] };
        let what = section.path_of(name);
        match entry.value.items() {
            Some(items) if items.len() <= ENTRIES_MAX => items,
            Some(items) => {
                let problem = format!("`{what}` has {} entries", items.len());
                self.fault(entry.place(), problem, format!("at most {ENTRIES_MAX}"));
                &[]
            }
            None => {
                self.wrong(&what, &entry.value, "a list");
                &[]
            }
        }
    }

    /// Reads a list of strings.
    pub(crate) fn texts(&self, section: &Section<'_>, name: &str) -> Vec<ListedText> {
        let what = section.path_of(name);
        let items = self.list(section, name);
        items.iter().filter_map(|item| self.listed(&what, item, "a list of texts")).collect()
    }

    /// Reads a string of a list.
    pub(crate) fn listed(&self, what: &str, node: &Node, expected: &str) -> Option<ListedText> {
        let text = self.filled(what, node, expected)?;
        let written = without_secrets(&node.scalar().unwrap_or_default());
        Some(ListedText { text, written, place: node.place() })
    }
}
