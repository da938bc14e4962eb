//! Reads the clause `costs` of `business.yml`: the monthly cost of resources at their provider. The metrics show the
//! total.

use crate::yaml::bad_input::{BadInput, Place};
use crate::yaml::{Checked, Checker, Entry, Node};
use extension_contract::EffectDecl;

/// Name of the clause.
pub(super) const CLAUSE: &str = "costs";
/// Maximum value of an amount in minor units, and of a number of resources.
const MAX: i64 = 1_000_000_000;

/// The monthly price of all resources of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceCost {
    /// The resource: `database`.
    pub resource: String,
    /// ISO 4217 code of the currency in lower case.
    pub currency: String,
    /// The number of resources that are free.
    pub free: i64,
    /// Amount for all of them together, in minor units.
    pub base: i64,
    /// Amount for each of them, in minor units.
    pub each: i64,
    at: Place,
}

impl ResourceCost {
    /// Returns the amount for a month in minor units: nothing up to the free number, otherwise the base and an amount for
    /// each.
    pub fn monthly(&self, count: usize) -> i64 {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        match count > self.free {
            true => self.base.saturating_add(self.each.saturating_mul(count)),
            false => 0,
        }
    }
}

/// Reads the clause; [`mistakes`] checks the resources.
pub(super) fn read(check: &Checker, clause: &Node) -> Checked<Vec<ResourceCost>> {
    check.each(check.map(CLAUSE, clause)?, |entry| read_cost(check, entry))
}

fn read_cost(check: &Checker, entry: &Entry) -> Checked<ResourceCost> {
    let mut fields = check.fields(format!("`{}`", entry.key), &entry.value)?;
    let number = |name: &'static str, node: &Node| {
        let number = node.json().as_i64().filter(|number| (0..=MAX).contains(number));
        number.ok_or_else(|| check.wrong(name, node, format!("a whole number from 0 to {MAX}")))
    };
    let free = fields.optional("free", |node| number("free", node));
    let base = fields.optional("base", |node| number("base", node));
    let each = fields.optional("each", |node| number("each", node));
    let currency = fields.optional("currency", |node| {
        let code = check.text("currency", node)?;
        let is_code = code.len() == 3 && code.bytes().all(|c| c.is_ascii_lowercase());
        if is_code { Ok(code) } else { Err(check.wrong("currency", node, "a code of three letters, such as usd")) }
    });
    fields.finish()?;
    let (Some(each), Some(currency)) = (each?, currency?) else {
        let problem = format!("`{}` has no `each` or no `currency`", entry.key);
        return Err(check.bad(entry.place(), problem, "`{each: 1000, currency: usd}`"));
    };
    Ok(ResourceCost {
        resource: entry.key.clone(),
        currency,
        free: free?.unwrap_or(0),
        base: base?.unwrap_or(0),
        each,
        at: entry.place(),
    })
}

/// Returns the mistakes: costs for resources that do not exist.
pub(super) fn mistakes(costs: &[ResourceCost], effects: &[EffectDecl]) -> Vec<BadInput> {
    let resources = || effects.iter().filter_map(|effect| effect.kind.strip_suffix(".ensure"));
    let unknown = costs.iter().filter(|cost| !resources().any(|resource| resource == cost.resource));
    unknown.map(|cost| BadInput::unknown_name(cost.at.clone(), &cost.resource, "not a resource", resources())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read_of(text: &str) -> Result<Vec<ResourceCost>, String> {
        let lines = Node::parse(Path::new("business.yml"), text).expect("YAML");
        let clause = lines.entries().and_then(|entries| entries.first()).expect("a clause");
        Checker::read(|check| read(check, &clause.value)).map_err(|mistakes| mistakes.to_string())
    }

    // covers: ORC-62
    #[test]
    fn the_databases_of_orchestra_cost_nothing_up_to_two_and_then_25_dollars_and_10_for_each() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/businesses/orchestra");
        let business = crate::folder::BusinessFolder::load(&folder).expect("a business");
        let cost = &business.own.costs[0];
        assert_eq!((cost.resource.as_str(), cost.currency.as_str()), ("database", "usd"));
        let dollars = [0, 1, 2, 3, 10, 100].map(|count| cost.monthly(count) / 100);
        assert_eq!(dollars, [0, 0, 0, 55, 125, 1_025]);
    }

    #[test]
    fn a_wrong_cost_is_told_with_its_line() {
        for wrong in [
            "{currency: usd}",
            "{each: -1, currency: usd}",
            "{each: 1.5, currency: usd}",
            "{each: 1, currency: Dollar}",
            "{each: 1, currency: usd, every: 2}",
        ] {
            let told = read_of(&format!("costs:\n  database: {wrong}\n")).expect_err(wrong);
            assert!(told.contains("business.yml:2"), "{told}");
        }
        let costs = read_of("costs:\n  databases: {each: 1, currency: usd}\n").expect("a cost");
        let told = mistakes(&costs, &[super::super::own::effect("database", "ensure")]);
        assert!(told.len() == 1 && told[0].to_string().contains("database"), "{told:?}");
    }
}
