//! The core level of the catalog language: `features`, `plans`, `addons`, `packs`, `instances` and `coupons`. Translates these clauses into
//! the full level, which is all that the extension knows. Each value of the translation has the file and the line of the clause
//! that it comes from, so that a mistake found later is reported where a person can correct it.

mod coupons;
mod features;
mod instances;
mod money;
mod offers;
mod place;

use crate::folder::POLICIES;
use crate::yaml::bad_input::Mistakes;
use crate::yaml::{Checked, Checker, Entry, Node};
use features::Features;
use money::Currencies;
use offers::Section;
use place::{From, entry};
use std::collections::BTreeMap;

/// The clauses of the core level.
pub(crate) const CLAUSES: [&str; 6] = [FEATURES, PLANS, ADDONS, PACKS, INSTANCES, COUPONS];
const FEATURES: &str = "features";
const PLANS: &str = "plans";
const ADDONS: &str = "addons";
const PACKS: &str = "packs";
const INSTANCES: &str = "instances";
const COUPONS: &str = "coupons";
/// Policies that a catalog may have beside its clauses. `business.yml` has all of them.
pub(crate) const POLICY_WORDS: [&str; 4] = ["currency", "tax", "tax_ids", "codes"];
/// The policy with the entitlement of which each member of an organization uses one.
const MEMBERS: &str = "members";

/// Translates the clauses of the core level; all others stay. Returns the document without them, and the clauses that
/// replace them.
///
/// # Errors
/// Fails with all mistakes in these clauses.
pub(crate) fn translate(document: Node) -> Result<(Node, Node), Mistakes> {
    let document = with_policies(document)?;
    let core = |name: &str| document.entries().and_then(|all| all.iter().find(|entry| entry.key == name));
    if CLAUSES.iter().all(|name| core(name).is_none()) {
        return Ok((document, Node::map([] as [(&str, Node); 0])));
    }
    let policy = document.member(POLICIES).and_then(|policies| policies.member("currency"));
    let currencies = Currencies::of(policy);
    let (added, sells_seats) = Checker::read(|check| {
        let mut features = Features::read(check, core(FEATURES), &document, &currencies)?;
        let mut before = 0;
        let sections = check.each(Section::ALL, |section| {
            let Some(entry) = core(section.clause()) else { return Ok(None) };
            let translated = section.read(check, entry, &mut features, &currencies, before)?;
            before += translated.products.len();
            Ok(Some(translated))
        });
        let has_plans = core(PLANS).is_some();
        let created = match core(INSTANCES) {
            Some(entry) => instances::read(check, entry, &features, &document, has_plans),
            None => Ok(Vec::new()),
        };
        let coupons = core(COUPONS).map(|entry| coupons::read(check, entry, &currencies)).transpose();
        let sections: Vec<Option<offers::Translated>> = sections?;
        // A product of the full level may sell credits, too.
        let are_sold =
            sections.iter().flatten().any(|section| section.adds_credits) || document.member("product_types").is_some();
        features.check_credits(check, are_sold)?;
        features.check_alerts(check)?;
        check_keys(check, Section::ALL.iter().filter_map(|section| core(section.clause())))?;
        let (mut types, mut products) = (Vec::new(), Vec::new());
        for translated in sections.into_iter().flatten() {
            types.push(translated.product_type);
            products.extend(translated.products);
        }
        types.extend(created?);
        let sells_seats = features.sells_seats;
        let mut added = features.clauses();
        added.extend(coupons?);
        let lists = [("product_types", types), ("products", products)];
        added.extend(lists.into_iter().filter(|(_, all)| !all.is_empty()).map(|(name, all)| {
            let list = Node::list(all);
            entry(name, list)
        }));
        Ok((added, sells_seats))
    })?;
    let root = From(&document).map([]);
    let seats = core(PLANS).filter(|_| sells_seats).map(|plans| From(&plans.value).text(offers::SEATS));
    let rest = document.into_entries().into_iter().filter(|entry| !CLAUSES.contains(&entry.key.as_str()));
    let mut rest = with_entries(root, rest);
    if let Some(seats) = seats {
        add_policy(&mut rest, MEMBERS, seats);
    }
    Ok((rest, of_entries(added)))
}

/// Checks that no two offers have the same key, which is the id of their product.
fn check_keys<'e>(check: &Checker, sections: impl Iterator<Item = &'e Entry>) -> Checked<()> {
    let offers = sections.flat_map(|section| {
        let listed = section.value.items().unwrap_or_default().iter().filter_map(|item| item.entries()?.first());
        section.value.entries().unwrap_or_default().iter().chain(listed).map(|offer| (section.key.as_str(), offer))
    });
    let mut seen: BTreeMap<&str, (&str, &Entry)> = BTreeMap::new();
    check.every(offers, |(section, offer)| match seen.insert(&offer.key, (section, offer)) {
        Some((other, before)) => {
            let problem = format!("`{}` is in `{section}` and in `{other}` (line {})", offer.key, before.line);
            Err(check.bad(offer.place(), problem, "another key, since it is the id of the product"))
        }
        None => Ok(()),
    })
}

/// Adds a policy that the document does not have.
fn add_policy(document: &mut Node, name: &str, value: Node) {
    if let Some(policies) = policies_of(document).filter(|policies| policies.member(name).is_none()) {
        policies.push(entry(name, value));
    }
}

/// Returns the clause `policies`, which is added if it is missing.
fn policies_of(document: &mut Node) -> Option<&mut Node> {
    if document.member(POLICIES).is_none() {
        document.push(entry(POLICIES, of_entries(Vec::new())));
    }
    document.entry_mut(POLICIES)
}

/// Moves policies from the catalog to the clause `policies`.
fn with_policies(document: Node) -> Result<Node, Mistakes> {
    let is_word = |entry: &Entry| POLICY_WORDS.contains(&entry.key.as_str());
    if !document.entries().unwrap_or_default().iter().any(is_word) {
        return Ok(document);
    }
    let root = From(&document).map([]);
    let (words, rest): (Vec<Entry>, Vec<Entry>) = document.into_entries().into_iter().partition(is_word);
    let mut document = with_entries(root, rest);
    let Some(policies) = policies_of(&mut document) else { return Ok(document) };
    Checker::read(|check| {
        check.every(words, |word| match policies.member(&word.key) {
            Some(there) => {
                let problem = format!("`{}` is a policy of {}, too", word.key, there.place());
                Err(check.bad(word.place(), problem, "one of them"))
            }
            None => {
                policies.push(word);
                Ok(())
            }
        })
    })?;
    Ok(document)
}

fn of_entries(entries: Vec<Entry>) -> Node {
    with_entries(Node::map([] as [(&str, Node); 0]), entries)
}

/// Appends entries to a mapping.
fn with_entries(mut map: Node, entries: impl IntoIterator<Item = Entry>) -> Node {
    entries.into_iter().for_each(|entry| map.push(entry));
    map
}

#[cfg(test)]
mod tests;
