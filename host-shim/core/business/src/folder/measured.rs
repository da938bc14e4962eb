//! Reads the clause `measured` of `business.yml`: the meters that the server itself reads at the providers, each with a resource and a
//! unit.

use crate::yaml::bad_input::{BadInput, Place};
use crate::yaml::{Checked, Checker, Entry, Node};
use extension_contract::EffectDecl;

/// Name of the clause.
pub(super) const CLAUSE: &str = "measured";
/// The units of sizes, each with its bytes.
const UNITS: [(&str, u64); 3] = [("B", 1), ("MB", 1024 * 1024), ("GB", 1024 * 1024 * 1024)];

/// A meter whose quantity is the size of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredSize {
    /// The meter.
    pub meter: String,
    /// The resource: `database`.
    pub resource: String,
    /// Bytes of one unit of the meter.
    pub unit_bytes: u64,
    at: Place,
}

impl MeasuredSize {
    /// Returns the quantity for a size. A unit counts only once it is full: the provider enforces the exact limit.
    pub fn quantity(&self, bytes: u64) -> u64 {
        bytes / self.unit_bytes.max(1)
    }
}

/// Reads the clause; [`mistakes`] checks the names.
pub(super) fn read(check: &Checker, clause: &Node) -> Checked<Vec<MeasuredSize>> {
    check.each(check.map(CLAUSE, clause)?, |entry| read_size(check, entry))
}

fn read_size(check: &Checker, entry: &Entry) -> Checked<MeasuredSize> {
    let mut fields = check.fields(format!("`{}`", entry.key), &entry.value)?;
    let resource = fields.optional("resource", |node| check.text("resource", node));
    let unit = fields.optional("unit", |node| check.word("unit", node, &UNITS.map(|(name, _)| name)));
    fields.finish()?;
    let unit_bytes = unit?.and_then(|unit| UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes));
    let (Some(resource), Some(unit_bytes)) = (resource?, unit_bytes) else {
        let problem = format!("`{}` has no `resource` or no `unit`", entry.key);
        return Err(check.bad(entry.place(), problem, "`{resource: database, unit: GB}`"));
    };
    Ok(MeasuredSize { meter: entry.key.clone(), resource, unit_bytes, at: entry.place() })
}

/// Returns the mistakes: meters and resources that do not exist.
pub(super) fn mistakes(measured: &[MeasuredSize], effects: &[EffectDecl], catalog: &Node) -> Vec<BadInput> {
    let meters = || catalog.member("meters").and_then(Node::entries).into_iter().flatten().map(|one| one.key.as_str());
    let resources = || effects.iter().filter_map(|effect| effect.kind.strip_suffix(".ensure"));
    let mut found = Vec::new();
    for size in measured {
        for (name, what, names) in [
            (&size.meter, "not a meter", meters().collect::<Vec<_>>()),
            (&size.resource, "not a resource", resources().collect::<Vec<_>>()),
        ] {
            if !names.contains(&name.as_str()) {
                found.push(BadInput::unknown_name(size.at.clone(), name, what, names));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn node(text: &str) -> Node {
        Node::parse(Path::new("business.yml"), text).expect("YAML")
    }

    fn read_of(text: &str) -> Result<Vec<MeasuredSize>, String> {
        let lines = node(text);
        let clause = lines.entries().and_then(|entries| entries.first()).expect("a clause");
        Checker::read(|check| read(check, &clause.value)).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn a_unit_counts_once_it_is_full() {
        let sizes = read_of("measured: {database_gb: {resource: database, unit: GB}}\n").expect("a size");
        let gb = 1024 * 1024 * 1024;
        assert_eq!([0, gb - 1, gb, 2 * gb + 1].map(|bytes| sizes[0].quantity(bytes)), [0, 0, 1, 2]);
    }

    #[test]
    fn a_wrong_measurement_is_told_with_its_line() {
        for wrong in
            ["{resource: database}", "{resource: database, unit: TB}", "{unit: GB}", "{resource: a, unit: GB, of: b}"]
        {
            let told = read_of(&format!("measured:\n  database_gb: {wrong}\n")).expect_err(wrong);
            assert!(told.contains("business.yml:2"), "{told}");
        }
        let sizes = read_of("measured:\n  storage_gb: {resource: buckets, unit: GB}\n").expect("a size");
        let effects = [super::super::own::effect("bucket", "ensure")];
        let told = |catalog: &str| mistakes(&sizes, &effects, &node(catalog)).len();
        assert_eq!((told("meters: {storage_gb: {unit: GB}}\n"), told("meters: {other: {unit: GB}}\n")), (1, 2));
    }
}
