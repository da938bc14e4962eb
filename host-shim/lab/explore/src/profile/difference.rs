//! Compares the fuel of two components for the same inputs.

use crate::profile::measured::Measured;
use crate::profile::meter::Spent;
use crate::profile::stacks::Function;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The differences between an old and a new component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Event kinds, ordered from the largest difference of fuel to the smallest.
    pub kinds: Vec<KindDifference>,
    /// Functions, ordered from the largest difference of fuel without callees to the smallest.
    pub functions: Vec<FunctionDifference>,
}

/// The fuel of an event kind in both components; zero for a component in which the kind did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindDifference {
    /// The kind.
    pub kind: String,
    /// Fuel and calls in the old component.
    pub old: Spent,
    /// Fuel and calls in the new component.
    pub new: Spent,
}

/// The estimated fuel of a function in both components; zero for a component without the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionDifference {
    /// Demangled name.
    pub name: String,
    /// Fuel including callees, in the old and in the new component.
    pub within: (u64, u64),
    /// Fuel without callees, in the old and in the new component.
    pub alone: (u64, u64),
}

/// Returns new minus old.
pub fn more((old, new): (u64, u64)) -> i128 {
    i128::from(new) - i128::from(old)
}

/// Returns new divided by old; None if old is 0.
pub fn ratio((old, new): (u64, u64)) -> Option<f64> {
    (old > 0).then(|| new as f64 / old as f64)
}

/// Compares `new` with `old`: all event kinds, and the functions of the kinds in `only`.
pub(crate) fn difference(old: &Measured, new: &Measured, only: &[String]) -> Difference {
    let names: BTreeSet<&String> = old.kinds.keys().chain(new.kinds.keys()).collect();
    let of = |measured: &Measured, kind: &String| measured.kinds.get(kind).copied().unwrap_or_default();
    let kind = |kind: &String| KindDifference { kind: kind.clone(), old: of(old, kind), new: of(new, kind) };
    let mut kinds: Vec<KindDifference> = names.into_iter().map(kind).collect();
    kinds.sort_by_key(|kind| Reverse(more((kind.old.fuel, kind.new.fuel)).abs()));
    let mut functions: BTreeMap<String, FunctionDifference> = BTreeMap::new();
    for (is_new, list) in [(false, old.functions(only)), (true, new.functions(only))] {
        for Function { name, within, alone } in list {
            let entry =
                functions.entry(name.clone()).or_insert(FunctionDifference { name, within: (0, 0), alone: (0, 0) });
            if is_new {
                (entry.within.1, entry.alone.1) = (within, alone);
            } else {
                (entry.within.0, entry.alone.0) = (within, alone);
            }
        }
    }
    let mut functions: Vec<FunctionDifference> = functions.into_values().collect();
    functions.sort_by_key(|function| (Reverse(more(function.alone).abs()), Reverse(more(function.within).abs())));
    Difference { kinds, functions }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(kinds: &[(&str, u64)], seen: &[(&str, u64)]) -> Measured {
        let spent = |fuel: u64| Spent { calls: 1, fuel, failed: 0 };
        let kinds = kinds.iter().map(|(kind, fuel)| ((*kind).to_owned(), spent(*fuel))).collect();
        let seen = seen.iter().map(|(stack, n)| (stack.split(';').map(str::to_owned).collect(), *n)).collect();
        Measured::new(("x".into(), "h".into(), true), 1, kinds, seen)
    }

    #[test]
    fn the_greatest_absolute_difference_comes_first() {
        let old = measured(&[("a", 100), ("b", 900), ("gone", 10)], &[("a;f", 1), ("b;f;g", 3)]);
        let new = measured(&[("a", 160), ("b", 400), ("new", 5)], &[("a;f", 1), ("b;f;g", 1), ("b;h", 1)]);
        let found = difference(&old, &new, &[]);
        let kinds: Vec<_> = found.kinds.iter().map(|k| (k.kind.as_str(), more((k.old.fuel, k.new.fuel)))).collect();
        assert_eq!(kinds, [("b", -500), ("a", 60), ("gone", -10), ("new", 5)]);
        let functions: Vec<_> = found.functions.iter().map(|f| (f.name.as_str(), f.alone, f.within)).collect();
        let expected = [
            ("g", (900, 200), (900, 200)),
            ("h", (0, 200), (0, 200)),
            ("f", (100, 160), (1_000, 360)),
            (crate::profile::NOT_SEEN, (10, 5), (10, 5)),
        ];
        assert_eq!(functions, expected);
    }

    #[test]
    fn functions_with_equal_differences_of_own_fuel_are_ordered_by_fuel_with_callees() {
        let seen = [("k;z;y", 1), ("j;a", 1)];
        let (old, new) = (measured(&[("k", 100), ("j", 50)], &seen), measured(&[("k", 300), ("j", 50)], &seen));
        let names = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|kind| (*kind).to_owned()).collect();
            let functions = difference(&old, &new, &only).functions;
            functions.into_iter().map(|function| function.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[]), ["y", "z", "a"]);
        assert_eq!(names(&["j"]), ["a"], "functions of the selected event kinds");
    }

    #[test]
    fn a_ratio_to_zero_is_none() {
        assert_eq!((ratio((0, 5)), ratio((10, 5)), more((10, 5))), (None, Some(0.5), -5));
    }
}
