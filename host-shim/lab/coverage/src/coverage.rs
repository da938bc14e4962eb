//! What was reached of what there is.

use std::collections::BTreeMap;

/// The outcomes of the contract.
pub const OUTCOMES: [&str; 6] = ["applied", "duplicate", "stale", "ignored", "deferred", "rejected"];

/// The codes of the contract's refusals.
pub(crate) const REFUSALS: [&str; 18] = [
    "already-owned",
    "amount-mismatch",
    "bad-transition",
    "forbidden",
    "inconsistent",
    "insufficient-balance",
    "invalid",
    "malformed",
    "mode-mismatch",
    "name-taken",
    "no-entitlement",
    "not-found",
    "quota-exceeded",
    "requirement-unmet",
    "unclaimed",
    "unknown-price",
    "unknown-status",
    "wrong-shape",
];

/// Something that can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name within its section.
    pub name: String,
    /// How often it was: scenarios for ids and clauses, events for the rest.
    pub reached: u64,
    /// Where it stands, as `FILE:LINE`, if it stands in a file.
    pub place: Option<String>,
    /// When it counts as reached, where its name doesn't say.
    pub when: Option<&'static str>,
}

/// Things of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name: `ids`, `event kinds`, `outcomes`, `refusals`, `effects`, `catalog of BUSINESS`.
    pub name: String,
    /// What there is, in order.
    pub items: Vec<Item>,
}

impl Section {
    /// How many things were reached.
    pub fn reached(&self) -> usize {
        self.items.iter().filter(|item| item.reached > 0).count()
    }

    /// What was not reached.
    pub fn holes(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.reached == 0)
    }

    /// Whether at least so many per cent were reached; nothing that there isn't is missing.
    pub fn reaches(&self, percent: u32) -> bool {
        self.reached() as u128 * 100 >= self.items.len() as u128 * u128::from(percent)
    }
}

/// An event kind with what came of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindRow {
    /// The kind; of the end of an effect its kind and ` (result)`.
    pub kind: String,
    /// Whether extension or business declare it; the host itself makes the others, or they came and are nobody's.
    pub declared: bool,
    /// Events by outcome, in the order of [`OUTCOMES`].
    pub outcomes: [u64; 6],
    /// Events by code of the refusal.
    pub refusals: BTreeMap<String, u64>,
}

/// Whether clauses of catalogs were looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clauses {
    /// They were: a section for each business that has scenarios.
    Measured,
    /// They were not, since this extension has a catalog language of its own.
    Unknown {
        /// The extension.
        extension: String,
        /// The extension whose language is known.
        known: String,
    },
}

/// The whole of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Scenarios that held in every version, and streams whose events all had an outcome.
    pub held: usize,
    /// Files of the others: what they reach counts for nothing.
    pub not_held: Vec<String>,
    /// Those among them that are no surprise: their scenarios say so.
    pub known: usize,
    /// The table of event kinds: what is declared, then what else came.
    pub kinds: Vec<KindRow>,
    /// What there is, and what of it was reached.
    pub sections: Vec<Section>,
    /// Whether there are sections of catalogs.
    pub clauses: Clauses,
}

impl Coverage {
    /// Sections that reach less than so many per cent.
    pub fn below(&self, percent: u32) -> Vec<&Section> {
        self.sections.iter().filter(|section| !section.reaches(percent)).collect()
    }

    /// The program's exit code: 1 if something did not hold that isn't known to, or a section is below `percent`.
    pub fn exit_code(&self, percent: u32) -> u8 {
        u8::from(self.not_held.len() > self.known || !self.below(percent).is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::{
        AmountMismatch, DeferReason, IgnoreReason, Money, Outcome, QuotaRefusal, Refusal, Snapshot, SnapshotRank,
    };

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
        assert!(section(&[]).reaches(100), "nothing is missing of nothing");
    }

    #[test]
    fn the_codes_are_those_of_the_contract() {
        let text = String::new;
        let money = || Money { amount_minor: 0, currency: text() };
        let all = [
            Refusal::Malformed(text()),
            Refusal::WrongShape(text()),
            Refusal::Invalid(Vec::new()),
            Refusal::UnknownStatus(text()),
            Refusal::UnknownPrice(text()),
            Refusal::Unclaimed,
            Refusal::ModeMismatch,
            Refusal::AmountMismatch(AmountMismatch { expected: money(), actual: money() }),
            Refusal::Inconsistent(text()),
            Refusal::AlreadyOwned(text()),
            Refusal::RequirementUnmet(text()),
            Refusal::QuotaExceeded(QuotaRefusal { quota: text(), allowed: 0, used: 0, upgrade: None }),
            Refusal::InsufficientBalance(text()),
            Refusal::NoEntitlement(text()),
            Refusal::NameTaken(text()),
            Refusal::BadTransition(text()),
            Refusal::Forbidden(text()),
            Refusal::NotFound(text()),
        ];
        // A case that the contract gets must be listed above, and so among the codes.
        for refusal in &all {
            match refusal {
                Refusal::Malformed(_) | Refusal::WrongShape(_) | Refusal::Invalid(_) | Refusal::UnknownStatus(_) => {}
                Refusal::UnknownPrice(_) | Refusal::Unclaimed | Refusal::ModeMismatch => {}
                Refusal::AmountMismatch(_) | Refusal::Inconsistent(_) | Refusal::AlreadyOwned(_) => {}
                Refusal::RequirementUnmet(_) | Refusal::QuotaExceeded(_) | Refusal::InsufficientBalance(_) => {}
                Refusal::NoEntitlement(_) | Refusal::NameTaken(_) | Refusal::BadTransition(_) => {}
                Refusal::Forbidden(_) | Refusal::NotFound(_) => {}
            }
        }
        let mut codes = all.map(|refusal| refusal.code());
        codes.sort_unstable();
        assert_eq!(codes, REFUSALS);
    }

    #[test]
    fn the_outcomes_are_those_of_the_contract() {
        let view = Snapshot { at: 0, rank: SnapshotRank::Created, event_id: String::new() };
        let all = [
            Outcome::Applied,
            Outcome::Duplicate(String::new()),
            Outcome::Stale(view),
            Outcome::Ignored(IgnoreReason::NoChange),
            Outcome::Deferred(DeferReason::Fact(String::new())),
            Outcome::Rejected(Refusal::Unclaimed),
        ];
        assert_eq!(all.map(|outcome| outcome.name()), OUTCOMES);
    }
}
