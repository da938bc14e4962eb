//! The clauses of a catalog: its parts, each with the condition under which it counts as reached.

use crate::coverage::account_state::AccountState;
use crate::coverage::clauses;
use extension_contract::pointer::{escaped, unescaped};
use host_business::folder::BusinessFolder;
use host_scenario::error::Place;
use serde_json::Value;

/// The condition under which a clause counts as reached.
type Test = Box<dyn Fn(&AccountState) -> bool>;

/// A part of a catalog that scenarios can reach.
pub(crate) struct Clause {
    /// Name in reports, for example `instance provisions/compute`.
    pub name: String,
    /// JSON Pointer in the catalog.
    pub pointer: String,
    /// Description of the condition.
    pub touched: &'static str,
    test: Test,
}

impl Clause {
    /// Creates a clause; `touched` describes the condition that `test` checks.
    pub fn new(
        name: impl Into<String>,
        pointer: impl Into<String>,
        touched: &'static str,
        test: impl Fn(&AccountState) -> bool + 'static,
    ) -> Clause {
        Clause { name: name.into(), pointer: pointer.into(), touched, test: Box::new(test) }
    }

    /// True if the state of an account meets the condition.
    pub fn is_touched(&self, state: &AccountState) -> bool {
        (self.test)(state)
    }

    /// File and line of the clause.
    pub fn place(&self, business: &BusinessFolder) -> Place {
        match self.pointer.rsplit_once('/') {
            // The line of an entry is the line of its key.
            Some((parent, key)) => {
                let key = unescaped(key);
                let entries = business.lines.at(parent).ok().and_then(|lined| lined.entries());
                let entry = entries.into_iter().flatten().find(|entry| entry.key == key);
                entry.map_or_else(|| business.lines.place_at(&self.pointer), |entry| entry.place())
            }
            None => business.lines.place(),
        }
    }
}

/// All clauses of a catalog whose use is visible in the state of an account. Leaves out the policies of `business`,
/// `config`, `retry`, fields of catalog products, and names such as `id_prefix`.
pub(crate) fn clauses_of(business: &BusinessFolder) -> Vec<Clause> {
    let mut found = clauses::of_types(&business.catalog);
    found.extend(clauses::of_products(&business.catalog));
    found.extend(clauses::of_business(&business.catalog));
    found
}

/// Keys, pointers and values of a mapping.
pub(crate) fn entries<'v>(value: &'v Value, pointer: &str) -> Vec<(String, String, &'v Value)> {
    let entries = value.as_object().into_iter().flatten();
    let entry = |(key, value): (&String, &'v Value)| (key.clone(), format!("{pointer}/{}", escaped(key)), value);
    entries.map(entry).collect()
}

/// Pointers and values of a list.
pub(crate) fn values<'v>(value: &'v Value, pointer: &str) -> Vec<(String, &'v Value)> {
    let list = value.as_array().into_iter().flatten().enumerate();
    list.map(|(index, value)| (format!("{pointer}/{index}"), value)).collect()
}

/// A string value, or an empty string.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
