//! Finds further mistakes of a catalog after the first mistake. An extension may stop at the first mistake, so this
//! module leaves out the wrong part and checks the rest again.
//!
//! A missing part can cause new mistakes elsewhere. A later mistake is reported only if no left-out part can be its
//! cause. The other mistakes appear in a check after the reported mistakes are fixed.

use host_business::folder::BusinessFolder;
use host_scenario::error::{BadInput, ReplayError};
use host_yaml::Node;
use std::collections::BTreeSet;

/// The maximum number of reported mistakes of one catalog.
const REPORTED_MAX: usize = 20;
/// The maximum number of checks of one catalog.
const ROUNDS_MAX: usize = 100;

/// Returns the mistakes, at most [`REPORTED_MAX`], that can be found in a business whose catalog was refused for
/// `first`. `judge` checks the rest of the business with the extension.
pub(crate) fn all(
    business: &BusinessFolder,
    first: Vec<BadInput>,
    mut judge: impl FnMut(BusinessFolder) -> Result<(), ReplayError>,
) -> Vec<BadInput> {
    let mut left_out =
        LeftOut { business, pointers: BTreeSet::new(), entries: BTreeSet::new(), words: BTreeSet::new() };
    let (mut reported, mut next): (Vec<BadInput>, _) = (Vec::new(), first);
    for round in 0..ROUNDS_MAX {
        // All mistakes of one check are found in the same document, so none of them causes another.
        let place = |bad: BadInput| {
            let pointer = left_out.original(bad.place.pointer.as_deref().unwrap_or_default());
            let place = bad.place.clone().at(&pointer);
            (pointer, BadInput { place, ..bad })
        };
        let placed: Vec<(String, BadInput)> = next.into_iter().map(place).collect();
        let is_own = |(pointer, bad): &&(String, BadInput)| round == 0 || !left_out.explains(pointer, bad);
        reported.extend(placed.iter().filter(is_own).map(|(_, bad)| bad.clone()));
        let mut is_smaller = false;
        for (pointer, bad) in &placed {
            is_smaller |= left_out.add(pointer, bad);
        }
        if !is_smaller || reported.len() >= REPORTED_MAX {
            break;
        }
        next = match judge(business.without(&left_out.pointers)) {
            Err(ReplayError::Input(mistakes)) => mistakes,
            _ => break,
        };
    }
    reported.truncate(REPORTED_MAX);
    reported
}

/// The parts of a business that are left out of further checks.
struct LeftOut<'b> {
    business: &'b BusinessFolder,
    /// JSON pointers of the left-out parts.
    pointers: BTreeSet<String>,
    /// JSON pointers of the entries that lost a part.
    entries: BTreeSet<String>,
    /// Each key or text of a left-out part, after its clause.
    words: BTreeSet<(String, String)>,
}

impl LeftOut<'_> {
    /// Converts a pointer of the reduced document to a pointer of the whole document.
    fn original(&self, pointer: &str) -> String {
        let mut whole = String::new();
        for part in pointer.split('/').skip(1) {
            let missing = |index: &usize| self.pointers.contains(&format!("{whole}/{index}"));
            let next = match part.parse::<usize>() {
                // The index in the reduced document counts only the remaining entries.
                Ok(left) => {
                    (0..).filter(|index| !missing(index)).nth(left).map_or(part.to_owned(), |index| index.to_string())
                }
                Err(_) => part.to_owned(),
            };
            whole = format!("{whole}/{next}");
        }
        whole
    }

    /// Returns the value of the whole document at a pointer.
    fn value(&self, pointer: &str) -> Option<&Node> {
        self.business.lines.at(pointer).ok()
    }

    /// Returns true if a left-out part may be the cause of a mistake.
    fn explains(&self, pointer: &str, bad: &BadInput) -> bool {
        if unknown_name(bad).is_some() {
            return false;
        }
        let is_below =
            |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if self.pointers.iter().any(|other| is_below(pointer, other) || is_below(other, pointer)) {
            return true;
        }
        // What no type does may be done by a part of a type that was left out.
        if bad.problem.starts_with("no type ") && self.pointers.iter().any(|other| clause_of(other) == "product_types")
        {
            return true;
        }
        // A value that is wrong by itself (`found …`) does not depend on other parts of its clause, so a missing name
        // of this clause can't be the cause.
        let (entry, is_by_itself) = (entry_of(pointer), bad.problem.starts_with("found "));
        let mut lost = self.words.iter().filter(|(clause, _)| !is_by_itself || clause != clause_of(entry));
        if lost.any(|(_, lost)| quoted(&bad.problem).any(|word| word == lost)) {
            return true;
        }
        !is_by_itself && (self.entries.contains(entry) || self.is_missed_by(entry))
    }

    /// Returns true if an entry names an entry that belongs to another clause and lost a part.
    fn is_missed_by(&self, entry: &str) -> bool {
        let others = self.entries.iter().filter(|other| clause_of(other) != clause_of(entry));
        let names: BTreeSet<&str> = others.flat_map(|other| self.names(other)).collect();
        self.value(entry).is_some_and(|value| value.words().into_iter().any(|word| names.contains(word)))
    }

    /// Returns the names of an entry: its key, and the texts directly in it.
    fn names<'e>(&'e self, entry: &'e str) -> Vec<&'e str> {
        let members = self.value(entry).and_then(Node::entries).unwrap_or_default();
        let texts =
            members.iter().filter(|member| member.value.entries().is_none()).flat_map(|member| member.value.words());
        texts.chain(entry.rsplit('/').next()).collect()
    }

    /// Leaves out the value of a mistake, or the nearest parent that still exists. Returns false if nothing can be left
    /// out.
    fn add(&mut self, pointer: &str, bad: &BadInput) -> bool {
        let named = unknown_name(bad).map(|name| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")));
        let mut at = named.as_deref().filter(|named| self.value(named).is_some()).unwrap_or(pointer);
        while !at.is_empty() && (self.value(at).is_none() || self.pointers.contains(at)) {
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
        let Some(value) = self.value(at).filter(|_| !at.is_empty()) else { return false };
        let mut words: Vec<String> = value.words().into_iter().map(str::to_owned).collect();
        words.extend(value.scalar());
        words.extend(at.rsplit('/').next().filter(|key| key.parse::<usize>().is_err()).map(str::to_owned));
        self.words.extend(words.into_iter().map(|word| (clause_of(at).to_owned(), word)));
        self.entries.insert(entry_of(at).to_owned());
        self.pointers.insert(at.to_owned())
    }
}

/// Returns the name of the field if the mistake is an unknown field.
fn unknown_name(bad: &BadInput) -> Option<&str> {
    bad.problem.strip_prefix("unknown field `")?.split('`').next()
}

/// Returns the words that a message quotes.
fn quoted(problem: &str) -> impl Iterator<Item = &str> {
    let quotations = problem.split('`').skip(1).step_by(2);
    quotations.flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '-'))
}

/// Returns the pointer of the entry that contains a value: the first two parts of the value's pointer.
fn entry_of(pointer: &str) -> &str {
    pointer.match_indices('/').nth(2).map_or(pointer, |(end, _)| &pointer[..end])
}

/// Returns the clause of an entry: the first part of the entry's pointer.
fn clause_of(entry: &str) -> &str {
    entry.split('/').nth(1).unwrap_or_default()
}
