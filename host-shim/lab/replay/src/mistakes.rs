//! The mistakes of a catalog after the first: an extension may stop at one, so what is wrong is left out and the rest is
//! judged again.
//!
//! What is left out may be missed elsewhere, and that would be no mistake of its own. A later mistake is told only where
//! nothing that was left out can be the reason for it; the others show when those that are told are put right.

use host::business::BusinessFolder;
use host::yaml::Lined;
use host_scenario::error::{BadInput, ReplayError};
use std::collections::BTreeSet;

/// Most mistakes of one catalog that are told.
const TOLD_MAX: usize = 20;
/// Most times that a catalog is judged.
const ROUNDS_MAX: usize = 100;

/// All mistakes that can be told of a business whose catalog was refused for the first ones. `judge` gives the rest of the
/// business to the extension.
pub(crate) fn all(
    business: &BusinessFolder,
    first: Vec<BadInput>,
    mut judge: impl FnMut(BusinessFolder) -> Result<(), ReplayError>,
) -> Vec<BadInput> {
    let mut left_out =
        LeftOut { business, pointers: BTreeSet::new(), entries: BTreeSet::new(), words: BTreeSet::new() };
    let (mut told, mut next): (Vec<BadInput>, _) = (Vec::new(), first);
    for round in 0..ROUNDS_MAX {
        // What is told at once is of one document: none of it is there because of the others.
        let place = |bad: BadInput| {
            let pointer = left_out.original(bad.place.pointer.as_deref().unwrap_or_default());
            let place = bad.place.clone().at(&pointer);
            (pointer, BadInput { place, ..bad })
        };
        let placed: Vec<(String, BadInput)> = next.into_iter().map(place).collect();
        let is_own = |(pointer, bad): &&(String, BadInput)| round == 0 || !left_out.explains(pointer, bad);
        told.extend(placed.iter().filter(is_own).map(|(_, bad)| bad.clone()));
        let mut is_smaller = false;
        for (pointer, bad) in &placed {
            is_smaller |= left_out.add(pointer, bad);
        }
        if !is_smaller || told.len() >= TOLD_MAX {
            break;
        }
        next = match judge(business.without(&left_out.pointers)) {
            Err(ReplayError::Input(mistakes)) => mistakes,
            _ => break,
        };
    }
    told.truncate(TOLD_MAX);
    told
}

/// What of a business is not judged any more.
struct LeftOut<'b> {
    business: &'b BusinessFolder,
    /// Where it stood.
    pointers: BTreeSet<String>,
    /// The entries of clauses that lost something by it.
    entries: BTreeSet<String>,
    /// Its keys and texts, each with the clause that lost it.
    words: BTreeSet<(String, String)>,
}

impl LeftOut<'_> {
    /// A pointer into what is left as a pointer into the whole.
    fn original(&self, pointer: &str) -> String {
        let mut whole = String::new();
        for part in pointer.split('/').skip(1) {
            let missing = |index: &usize| self.pointers.contains(&format!("{whole}/{index}"));
            let next = match part.parse::<usize>() {
                // The index counts those alone that are there.
                Ok(left) => {
                    (0..).filter(|index| !missing(index)).nth(left).map_or(part.to_owned(), |index| index.to_string())
                }
                Err(_) => part.to_owned(),
            };
            whole = format!("{whole}/{next}");
        }
        whole
    }

    /// The value of the whole at a pointer.
    fn value(&self, pointer: &str) -> Option<&Lined> {
        self.business.lines.at(pointer).ok()
    }

    /// Whether a mistake may be there because of what is not.
    fn explains(&self, pointer: &str, bad: &BadInput) -> bool {
        if unknown_name(bad).is_some() {
            return false;
        }
        let is_below =
            |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if self.pointers.iter().any(|other| is_below(pointer, other) || is_below(other, pointer)) {
            return true;
        }
        // A value that is wrong by itself is so whatever is beside it; what is quoted of it names nothing of its own clause.
        let (entry, is_by_itself) = (entry_of(pointer), bad.problem.starts_with("found "));
        let mut lost = self.words.iter().filter(|(clause, _)| !is_by_itself || clause != clause_of(entry));
        if lost.any(|(_, lost)| quoted(&bad.problem).any(|word| word == lost)) {
            return true;
        }
        !is_by_itself && (self.entries.contains(entry) || self.is_missed_by(entry))
    }

    /// Whether an entry names one of another clause that lost something.
    fn is_missed_by(&self, entry: &str) -> bool {
        let others = self.entries.iter().filter(|other| clause_of(other) != clause_of(entry));
        let names: BTreeSet<&str> = others.flat_map(|other| self.names(other)).collect();
        self.value(entry).is_some_and(|value| value.words().into_iter().any(|word| names.contains(word)))
    }

    /// What an entry is named by: its key, and the texts directly in it.
    fn names<'e>(&'e self, entry: &'e str) -> Vec<&'e str> {
        let members = self.value(entry).and_then(Lined::entries).unwrap_or_default();
        let texts =
            members.iter().filter(|member| member.value.entries().is_none()).flat_map(|member| member.value.words());
        texts.chain(entry.rsplit('/').next()).collect()
    }

    /// Leave out what a mistake is of; where nothing is there, what it would be in. False if there is nothing to leave out.
    fn add(&mut self, pointer: &str, bad: &BadInput) -> bool {
        let named = unknown_name(bad).map(|name| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")));
        let mut at = named.as_deref().filter(|named| self.value(named).is_some()).unwrap_or(pointer);
        while !at.is_empty() && (self.value(at).is_none() || self.pointers.contains(at)) {
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
        let Some(value) = self.value(at).filter(|_| !at.is_empty()) else { return false };
        let mut words: Vec<String> = value.words().into_iter().map(str::to_owned).collect();
        words.extend(value.single());
        words.extend(at.rsplit('/').next().filter(|key| key.parse::<usize>().is_err()).map(str::to_owned));
        self.words.extend(words.into_iter().map(|word| (clause_of(at).to_owned(), word)));
        self.entries.insert(entry_of(at).to_owned());
        self.pointers.insert(at.to_owned())
    }
}

/// The name that nothing has, where that is the mistake.
fn unknown_name(bad: &BadInput) -> Option<&str> {
    bad.problem.strip_prefix("unknown field `")?.split('`').next()
}

/// The words that a message quotes.
fn quoted(problem: &str) -> impl Iterator<Item = &str> {
    let quotations = problem.split('`').skip(1).step_by(2);
    quotations.flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '-'))
}

/// The entry of a clause that a value is in: the first two parts of its pointer.
fn entry_of(pointer: &str) -> &str {
    pointer.match_indices('/').nth(2).map_or(pointer, |(end, _)| &pointer[..end])
}

/// The clause that an entry is of.
fn clause_of(entry: &str) -> &str {
    entry.split('/').nth(1).unwrap_or_default()
}
