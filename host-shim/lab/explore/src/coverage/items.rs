//! The result of a coverage: the items that inputs can reach, and how often each was reached.

use std::collections::BTreeMap;

/// The outcomes of the contract.
pub const OUTCOMES: [&str; 6] = ["applied", "duplicate", "stale", "ignored", "deferred", "rejected"];

/// An item that scenarios can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Name of the item within its section.
    pub name: String,
    /// Number of scenarios (ids and clauses) or events (all others) that reach it.
    pub reached: u64,
    /// Place in a file, as `FILE:LINE`; only ids and clauses have a place.
    pub place: Option<String>,
    /// Condition under which a clause counts as reached; None for other items.
    pub when: Option<&'static str>,
}

/// Items of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Name: `ids`, `event kinds`, `outcomes`, `refusals`, `effects`, `catalog of BUSINESS`.
    pub name: String,
    /// The items, in order.
    pub items: Vec<Item>,
}

impl Section {
    /// Number of reached items.
    pub fn reached(&self) -> usize {
        self.items.iter().filter(|item| item.reached > 0).count()
    }

    /// Items that were not reached.
    pub fn holes(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.reached == 0)
    }

    /// True if at least `percent` of the items were reached. An empty section is complete.
    pub fn reaches(&self, percent: u32) -> bool {
        self.reached() as u128 * 100 >= self.items.len() as u128 * u128::from(percent)
    }
}

/// An event kind with the outcomes of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindRow {
    /// The kind; for results of effects, the kind of the effect and ` (result)`.
    pub kind: String,
    /// True if the extension or the business declares the kind. Other kinds come from the host or are unknown.
    pub declared: bool,
    /// Events by outcome, in the order of [`OUTCOMES`].
    pub outcomes: [u64; 6],
    /// Events by refusal code.
    pub refusals: BTreeMap<String, u64>,
}

/// Whether clauses of catalogs were measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clauses {
    /// Measured: one section per business with scenarios.
    Measured,
    /// Not measured: the extension has another catalog language.
    Unknown {
        /// The extension.
        extension: String,
        /// The extension whose language is known.
        known: String,
    },
}

/// The coverage of a set of inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Number of scenarios that passed in every version, and of streams whose events all have an outcome.
    pub held: usize,
    /// Files of the inputs that did not pass; their items do not count.
    pub not_held: Vec<String>,
    /// Number of files in `not_held` that are marked `known_to_fail`.
    pub known: usize,
    /// The table of event kinds: declared kinds, then other kinds that occurred.
    pub kinds: Vec<KindRow>,
    /// The sections.
    pub sections: Vec<Section>,
    /// Whether the clauses of catalogs were measured.
    pub clauses: Clauses,
}

impl Coverage {
    /// Sections below `percent`.
    pub fn below(&self, percent: u32) -> Vec<&Section> {
        self.sections.iter().filter(|section| !section.reaches(percent)).collect()
    }

    /// The exit code: 1 if an input failed unexpectedly, or a section is below `percent`.
    pub fn exit_code(&self, percent: u32) -> u8 {
        u8::from(self.not_held.len() > self.known || !self.below(percent).is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::{DeferReason, IgnoreReason, Outcome, Refusal, Snapshot, SnapshotRank};

    fn item(reached: u64) -> Item {
        Item { name: "x".to_owned(), reached, place: None, when: None }
    }

    fn section(reached: &[u64]) -> Section {
        Section { name: "s".to_owned(), items: reached.iter().map(|times| item(*times)).collect() }
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        let two_of_three = section(&[0, 5, 1]);
        assert_eq!((two_of_three.reached(), two_of_three.holes().count()), (2, 1));
        assert!(two_of_three.reaches(66) && !two_of_three.reaches(67));
        assert!(section(&[]).reaches(100), "an empty section is complete");
    }

    #[test]
    fn the_outcomes_equal_those_of_the_contract() {
        let snapshot = Snapshot { at: 0, rank: SnapshotRank::Created, event_id: String::new() };
        let all = [
            Outcome::Applied,
            Outcome::Duplicate(String::new()),
            Outcome::Stale(snapshot),
            Outcome::Ignored(IgnoreReason::NoChange),
            Outcome::Deferred(DeferReason::Fact(String::new())),
            Outcome::Rejected(Refusal::Unclaimed),
        ];
        assert_eq!(all.map(|outcome| outcome.name()), OUTCOMES);
    }
}
