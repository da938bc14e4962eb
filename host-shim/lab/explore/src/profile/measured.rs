//! The measurements of one component.

use crate::profile::meter::{START, Spent};
use crate::profile::stacks::{Function, Stacks, functions, readable};
use host_scenario::error::ReplayError;
use std::collections::{BTreeMap, BTreeSet};

/// The frame for the fuel of an event kind without samples.
pub const NOT_SEEN: &str = "(not seen)";

/// The measurements of one component, per round of the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Path of the component.
    pub file: String,
    /// SHA-256 of its bytes, hex.
    pub hash: String,
    /// True if the component contains function names.
    pub named: bool,
    /// Number of stack samples in all rounds.
    pub samples: u64,
    /// Fuel and calls by event kind.
    pub kinds: BTreeMap<String, Spent>,
    /// Stacks with their estimated fuel; the first frame is the event kind. The fuel of a kind is divided among its
    /// stacks in proportion to their samples.
    pub stacks: Stacks,
}

impl Measured {
    /// Computes the measurements from the totals and the samples of `rounds` rounds.
    pub(crate) fn new(
        (file, hash, named): (String, String, bool),
        rounds: u32,
        spent: BTreeMap<String, Spent>,
        seen: Stacks,
    ) -> Measured {
        let rounds = u64::from(rounds.max(1));
        let each = |spent: Spent| Spent {
            calls: spent.calls / rounds,
            fuel: spent.fuel / rounds,
            failed: spent.failed / rounds,
        };
        let kinds: BTreeMap<String, Spent> = spent.into_iter().map(|(kind, spent)| (kind, each(spent))).collect();
        let seen = readable(seen);
        let samples = seen.values().sum();
        let stacks = weighed(&kinds, seen);
        Measured { file, hash, named, samples, kinds, stacks }
    }

    /// The stacks of the kinds in `only`. If `only` is empty, the stacks of all kinds except [`START`], with which each
    /// scenario begins.
    pub fn stacks_of(&self, only: &[String]) -> Stacks {
        let is_meant = |kind: &String| if only.is_empty() { kind != START } else { only.contains(kind) };
        let of_meant = self.stacks.iter().filter(|(stack, _)| stack.first().is_some_and(is_meant));
        of_meant.map(|(stack, fuel)| (stack.clone(), *fuel)).collect()
    }

    /// The functions of the kinds in `only` (see [`Measured::stacks_of`]), most fuel first.
    pub fn functions(&self, only: &[String]) -> Vec<Function> {
        functions(&self.stacks_of(only), 1)
    }

    /// Fails if a kind in `only` never ran.
    pub(crate) fn check(&self, only: &[String]) -> Result<(), ReplayError> {
        let Some(unknown) = only.iter().find(|kind| !self.kinds.contains_key(*kind)) else { return Ok(()) };
        let known: BTreeSet<&str> = self.kinds.keys().map(String::as_str).collect();
        let known: Vec<&str> = known.into_iter().collect();
        Err(ReplayError::Usage(format!("no event of kind `{unknown}` ran; expected one of {}", known.join(", "))))
    }
}

/// Divides the fuel of each kind among its stacks.
fn weighed(kinds: &BTreeMap<String, Spent>, seen: Stacks) -> Stacks {
    let mut of_kind: BTreeMap<String, u64> = BTreeMap::new();
    for (stack, times) in &seen {
        *of_kind.entry(stack.first().cloned().unwrap_or_default()).or_default() += times;
    }
    let mut out = Stacks::new();
    for (stack, times) in seen {
        let Some(kind) = stack.first() else { continue };
        let (fuel, all) = (kinds.get(kind).map_or(0, |spent| spent.fuel), of_kind[kind]);
        let share = u128::from(fuel) * u128::from(times) / u128::from(all.max(1));
        // A share of a `u64` fits in a `u64`.
        out.insert(stack, u64::try_from(share).unwrap_or(u64::MAX));
    }
    for (kind, spent) in kinds.iter().filter(|(kind, spent)| spent.fuel > 0 && !of_kind.contains_key(*kind)) {
        out.insert(vec![kind.clone(), NOT_SEEN.to_owned()], spent.fuel);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        let spent = |calls, fuel| Spent { calls, fuel, failed: 0 };
        let kinds = [("paid", spent(4, 2_000)), ("made", spent(2, 600)), (START, spent(2, 80_000))];
        let seen = [("paid;a;b", 3), ("paid;a", 1), ("the host's start;a", 9)];
        let kinds = kinds.map(|(kind, spent)| (kind.to_owned(), spent)).into();
        let seen = seen.map(|(stack, times)| (stack.split(';').map(str::to_owned).collect(), times)).into();
        Measured::new(("x.wasm".into(), "ab".into(), true), 2, kinds, seen)
    }

    #[test]
    fn the_fuel_of_a_kind_is_divided_by_its_samples() {
        let found = measured();
        assert_eq!(found.kinds["paid"], Spent { calls: 2, fuel: 1_000, failed: 0 }, "per round");
        let functions = found.functions(&[]);
        let short: Vec<_> = functions.iter().map(|f| (f.name.as_str(), f.within, f.alone)).collect();
        assert_eq!(short, [("a", 1_000, 250), ("b", 750, 750), (NOT_SEEN, 300, 300)], "without the host's start");
        assert_eq!(found.samples, 13);
        let fuel: u64 = found.stacks.values().sum();
        assert_eq!(fuel, 1_000 + 300 + 40_000, "no fuel is lost");
    }

    #[test]
    fn function_names_are_demangled() {
        let kinds = [("paid".to_owned(), Spent { calls: 1, fuel: 300, failed: 0 })];
        let stack = |name: &str| vec!["paid".to_owned(), name.to_owned()];
        let seen = [
            (stack("_ZN3one3two17h0123456789abcdefE"), 1),
            (stack("_ZN3one3two17hfedcba9876543210E"), 1),
            (stack("_RNvC3one5three"), 1),
        ];
        let found = Measured::new(("x.wasm".into(), "ab".into(), true), 1, kinds.into(), seen.into());
        let functions: Vec<_> =
            found.functions(&[]).into_iter().map(|function| (function.name, function.alone)).collect();
        assert_eq!(functions, [("one::two".to_owned(), 200), ("one::three".to_owned(), 100)]);
    }

    #[test]
    fn kinds_can_be_selected_and_an_unknown_kind_fails() {
        let found = measured();
        let start = found.functions(&[START.to_owned()]);
        assert_eq!((start.len(), start[0].within), (1, 40_000));
        assert!(found.check(&["paid".to_owned()]).is_ok());
        let message = found.check(&["piad".to_owned()]).expect_err("unknown").to_string();
        assert_eq!(message, "no event of kind `piad` ran; expected one of made, paid, the host's start");
    }
}
