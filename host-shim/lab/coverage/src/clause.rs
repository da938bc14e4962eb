//! What a catalog says, part by part, and when each part counts as touched.

use crate::clauses;
use crate::seen::Seen;
use host::business::BusinessFolder;
use host_scenario::error::Place;
use serde_json::Value;

/// When a clause is touched.
type Test = Box<dyn Fn(&Seen) -> bool>;

/// A part of a catalog.
pub(crate) struct Clause {
    /// What it is, as it is told: `instance provisions/compute`.
    pub name: String,
    /// JSON Pointer in the catalog.
    pub pointer: String,
    /// When it counts as touched, in words.
    pub touched: &'static str,
    test: Test,
}

impl Clause {
    /// A clause at a pointer; `touched` says in words what `test` looks for.
    pub fn new(
        name: impl Into<String>,
        pointer: impl Into<String>,
        touched: &'static str,
        test: impl Fn(&Seen) -> bool + 'static,
    ) -> Clause {
        Clause { name: name.into(), pointer: pointer.into(), touched, test: Box::new(test) }
    }

    /// Whether it is, by what an account has at a moment.
    pub fn is_touched(&self, seen: &Seen) -> bool {
        (self.test)(seen)
    }

    /// Where it stands in the files of its business.
    pub fn place(&self, business: &BusinessFolder) -> Place {
        match self.pointer.rsplit_once('/') {
            // The line of an entry is that of its key.
            Some((parent, key)) => {
                let key = key.replace("~1", "/").replace("~0", "~");
                let entries = business.lines.at(parent).ok().and_then(|lined| lined.entries());
                let entry = entries.into_iter().flatten().find(|entry| entry.key == key);
                entry.map_or_else(|| business.lines.place_meant(&self.pointer, None), |entry| entry.place())
            }
            None => business.lines.place(),
        }
    }
}

/// All clauses of a catalog that can be touched. Left out is what has nothing of its own to be seen by: the policies of
/// `business`, `config`, `retry`, fields of the catalog's own products, and names such as `id_prefix`.
pub(crate) fn clauses_of(business: &BusinessFolder) -> Vec<Clause> {
    let mut found = clauses::of_types(&business.catalog);
    found.extend(clauses::of_products(&business.catalog));
    found.extend(clauses::of_business(&business.catalog));
    found
}

/// The entries of a mapping of a document: their keys, pointers and values.
pub(crate) fn entries<'v>(value: &'v Value, pointer: &str) -> Vec<(String, String, &'v Value)> {
    let entries = value.as_object().into_iter().flatten();
    let entry = |(key, value): (&String, &'v Value)| {
        (key.clone(), format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), value)
    };
    entries.map(entry).collect()
}

/// The values of a list of a document, with their pointers.
pub(crate) fn values<'v>(value: &'v Value, pointer: &str) -> Vec<(String, &'v Value)> {
    let list = value.as_array().into_iter().flatten().enumerate();
    list.map(|(index, value)| (format!("{pointer}/{index}"), value)).collect()
}

/// A text of a document; empty where there is none.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
