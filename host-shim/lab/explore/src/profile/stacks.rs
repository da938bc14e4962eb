//! Weighted stacks and the functions in them.

use std::collections::{BTreeMap, BTreeSet};

/// Stacks, outermost function first, with their weight: samples or fuel.
pub type Stacks = BTreeMap<Vec<String>, u64>;

/// A function with its weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Demangled name.
    pub name: String,
    /// Weight including callees.
    pub within: u64,
    /// Weight without callees.
    pub alone: u64,
}

/// Returns the stacks with demangled names without hashes, and adds up stacks that become equal.
pub fn readable(stacks: Stacks) -> Stacks {
    let mut out = Stacks::new();
    for (stack, weight) in stacks {
        let stack = stack.iter().map(|name| format!("{:#}", rustc_demangle::demangle(name))).collect();
        *out.entry(stack).or_default() += weight;
    }
    out
}

/// Returns the functions of stacks, heaviest first, ignoring the first `headings` frames of each stack.
pub fn functions(stacks: &Stacks, headings: usize) -> Vec<Function> {
    let (mut within, mut alone): (BTreeMap<&str, u64>, BTreeMap<&str, u64>) = Default::default();
    for (stack, weight) in stacks {
        let called = stack.get(headings..).unwrap_or_default();
        // A function that calls itself counts once.
        for name in called.iter().map(String::as_str).collect::<BTreeSet<_>>() {
            *within.entry(name).or_default() += weight;
        }
        if let Some(last) = called.last() {
            *alone.entry(last).or_default() += weight;
        }
    }
    let function = |(name, within): (&str, u64)| Function {
        name: name.to_owned(),
        within,
        alone: alone.get(name).copied().unwrap_or_default(),
    };
    let mut found: Vec<Function> = within.into_iter().map(function).collect();
    found.sort_by(|a, b| (b.within, b.alone, &a.name).cmp(&(a.within, a.alone, &b.name)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacks(of: &[(&str, u64)]) -> Stacks {
        of.iter().map(|(stack, weight)| (stack.split(';').map(str::to_owned).collect(), *weight)).collect()
    }

    #[test]
    fn a_function_is_weighed_with_and_without_calls() {
        let found = functions(&stacks(&[("k;a;b", 3), ("k;a", 2), ("j;b;a;b", 5)]), 1);
        let short: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.within, f.alone)).collect();
        assert_eq!(short, [("a", 10, 2), ("b", 8, 8)], "b calls itself through a and counts once");
        assert_eq!(functions(&stacks(&[("k", 4)]), 1), [], "a heading alone is not a function");
    }

    #[test]
    fn stacks_that_differ_in_hashes_add_up() {
        let found = readable(stacks(&[("_ZN3one3two17h0123456789abcdefE", 1), ("_ZN3one3two17hfedcba9876543210E", 2)]));
        assert_eq!(found, stacks(&[("one::two", 3)]));
    }
}
