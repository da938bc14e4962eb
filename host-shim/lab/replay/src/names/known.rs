//! A name with its position in a scenario's document, and the mistake that it is unknown.

use host_business::yaml::{Entry, Node};
use host_scenario::error::{BadInput, Place};
use host_scenario::matcher::FORMS;
use std::collections::BTreeSet;

/// A name in a scenario's document.
#[derive(Clone, Debug)]
pub(super) struct Named<'d> {
    /// The name.
    pub name: &'d str,
    /// The position of the name.
    pub place: Place,
}

impl<'d> Named<'d> {
    /// The key of an entry.
    pub fn key(entry: &'d Entry) -> Named<'d> {
        Named { name: &entry.key, place: entry.place() }
    }

    /// A text; none for other values.
    pub fn text(node: &'d Node) -> Option<Named<'d>> {
        match &node.value {
            host_business::yaml::Tree::Text(name) => Some(Named { name, place: node.place() }),
            _ => None,
        }
    }

    /// Returns the mistake of an unknown name. `what` completes the sentence about the name, such as `not a verb`.
    pub fn unless<'k>(&self, what: &str, known: impl IntoIterator<Item = &'k str>) -> Option<BadInput> {
        let known: BTreeSet<&str> = known.into_iter().collect();
        (!known.contains(self.name)).then(|| self.mistake(what, known))
    }

    /// Returns the mistake of a name that is not one of the known names.
    pub fn mistake<'k>(&self, what: &str, known: impl IntoIterator<Item = &'k str>) -> BadInput {
        BadInput::unknown_name(self.place.clone(), self.name, what, known)
    }
}

/// Returns the members of an expectation: those of a mapping, `{exact: …}` or `{subset: …}`.
pub(super) fn expected_members(node: &Node) -> &[Entry] {
    match node.only_entry() {
        Some(("exact" | "subset", inner)) => inner.entries().unwrap_or_default(),
        Some((form, _)) if FORMS.contains(&form) => &[],
        _ => node.entries().unwrap_or_default(),
    }
}
