//! Finds unknown names in scenarios: commands, facts of the business, types of Stripe events, effect kinds; and, in the modules below,
//! names from the catalog.
//!
//! The host rejects or ignores an event with an unknown name. A step that expects this outcome is correct.

mod answers;
mod events;
mod known;
mod state;

use crate::loaded::Loaded;
use extension_contract::{Account, Declarations};
use host_business::folder::BusinessFolder;
use host_business::yaml::Node;
use host_scenario::error::{BadInput, Place};
use host_scenario::model::{Action, Expectations, Scenario, Step};
use host_store::OF_HOST;
use serde_json::Value;
use std::collections::BTreeSet;

/// The command that loads a catalog, which may contain other facts and resources than the business's folder.
const LOAD: &str = "catalog.load";
/// The command by which an account adds a product to the catalog.
const LIST: &str = "product.list";
/// Sections whose entries have an effect kind.
const OF_EFFECTS: [&str; 2] = ["effects", "notices"];

/// The names that a scenario of a business can use.
pub(crate) struct Names {
    commands: BTreeSet<String>,
    facts: BTreeSet<String>,
    stripe: BTreeSet<String>,
    effects: BTreeSet<String>,
    entitlements: BTreeSet<String>,
    /// Meters.
    meters: BTreeSet<String>,
    /// Resources of the extension and of the business.
    resources: BTreeSet<String>,
    /// Collections of records.
    collections: BTreeSet<String>,
    is_loaded: bool,
    loaded: Loaded,
    /// True if the scenario changes the catalog's products or prices.
    changes_catalog: bool,
    /// True if the scenario loads product types.
    changes_types: bool,
}

impl Names {
    /// Collects the names that the extension and the business declare, and those of the business's loaded catalog. If there is none because
    /// the catalog was refused, names from the catalog are not looked up.
    pub(crate) fn new(declarations: &Declarations, business: &BusinessFolder, loaded: Option<Loaded>) -> Names {
        let declared = business.own.beside(declarations);
        let of_host = OF_HOST.map(str::to_owned);
        let is_loaded = loaded.is_some();
        let loaded = loaded.unwrap_or_default();
        let mut names = Names {
            commands: declared.commands.into_iter().map(|command| command.kind).collect(),
            facts: BTreeSet::new(),
            stripe: declared.payment_kinds.into_iter().collect(),
            effects: declared.effects.into_iter().map(|effect| effect.kind).chain(of_host).collect(),
            entitlements: BTreeSet::new(),
            meters: BTreeSet::new(),
            resources: BTreeSet::new(),
            collections: declared.collections.into_iter().collect(),
            is_loaded,
            loaded,
            changes_catalog: false,
            changes_types: false,
        };
        names.add(&business.catalog);
        names
    }

    /// Adds the facts and resources of a catalog.
    fn add(&mut self, catalog: &Value) {
        let entries = |clause: &str| catalog[clause].as_object().into_iter().flatten();
        self.facts.extend(entries("events").map(|(fact, _)| fact.clone()));
        self.entitlements.extend(entries("entitlements").map(|(key, _)| key.clone()));
        self.meters.extend(entries("meters").map(|(meter, _)| meter.clone()));
        for (resource, verbs) in entries("resources") {
            let verbs = verbs.as_array().into_iter().flatten().filter_map(Value::as_str);
            self.effects.extend(verbs.map(|verb| format!("{resource}.{verb}")));
        }
        let parts = self.effects.iter().filter_map(|kind| kind.split_once('.'));
        self.resources.extend(parts.map(|(resource, _)| resource.to_owned()));
    }

    /// Records what the steps of a scenario add to the catalog.
    fn add_of(&mut self, scenario: &Scenario) {
        let is_platform = |account: Option<&Account>| account == Some(&Account::Platform);
        for step in &scenario.steps {
            match &step.action {
                Action::Command(command) if command.kind == LOAD => {
                    self.add(&command.payload);
                    self.changes_catalog = true;
                    self.changes_types |= command.payload.get("product_types").is_some();
                }
                Action::Command(command) => {
                    let of_platform = is_platform(command.account.as_ref().or(scenario.given.account.as_ref()));
                    self.changes_catalog |= of_platform || command.kind == LIST;
                }
                // Such an event can also change the catalog.
                Action::Product(_) | Action::Raw(_) | Action::AtStripe(_) => self.changes_catalog = true,
                Action::Stripe(event) => {
                    self.changes_catalog |= event.kind.starts_with("price.") || event.kind.starts_with("product.");
                }
                _ => {}
            }
        }
    }

    /// Returns the unknown names of a scenario, in the order of the lines. `document` is the scenario's document.
    pub(crate) fn unknown(mut self, scenario: &Scenario, document: &Node) -> Vec<BadInput> {
        self.add_of(scenario);
        let mut found = self.of_kinds(scenario);
        if self.is_loaded {
            found.extend(self.of_events(document));
            found.extend(self.of_answers(document));
            found.extend(self.of_states(document));
        }
        found.sort_by_key(|bad| bad.place.line);
        found
    }

    /// Returns the unknown kinds of events and effects.
    fn of_kinds(&self, scenario: &Scenario) -> Vec<BadInput> {
        let bad_input = |unknown: Unknown<'_>| unknown.into_bad_input(scenario);
        let of_steps = scenario.steps.iter().flat_map(|step| self.of_step(step));
        of_steps.chain(self.of_expectations(&scenario.expect)).map(bad_input).collect()
    }

    fn of_step<'s>(&'s self, step: &'s Step) -> Vec<Unknown<'s>> {
        let expects = |outcome: &str| step.outcome.as_ref().is_some_and(|expected| expected.outcome == outcome);
        let named = match &step.action {
            Action::Command(command) => Some((&command.kind, &self.commands, "not a command", "rejected")),
            Action::Fact(fact) => Some((&fact.kind, &self.facts, "not a fact of the business", "rejected")),
            Action::Stripe(event) => {
                Some((&event.kind, &self.stripe, "not an event type that the extension accepts", "ignored"))
            }
            _ => None,
        };
        let mut found = Vec::new();
        if let Some((name, known, what, unless)) = named.filter(|(.., unless)| !expects(unless)) {
            found.extend(Unknown::of(step.line, name, known, what).map(|unknown| unknown.unless(unless)));
        }
        let kinds = step.effects.iter().flat_map(|effects| effects.parts()).filter_map(|effect| effect.text_of("kind"));
        found.extend(kinds.filter_map(|(line, kind)| self.effect(line, kind)));
        if let Action::Check(expectations) = &step.action {
            found.extend(self.of_expectations(expectations));
        }
        found
    }

    fn of_expectations<'s>(&'s self, expectations: &'s Expectations) -> Vec<Unknown<'s>> {
        let sections = expectations.sections.iter().filter(|section| OF_EFFECTS.contains(&section.section));
        let kinds = sections.flat_map(|section| section.matcher.parts()).filter_map(|effect| effect.text_of("kind"));
        kinds.filter_map(|(line, kind)| self.effect(line, kind)).collect()
    }

    fn effect<'s>(&'s self, line: usize, kind: &'s str) -> Option<Unknown<'s>> {
        Unknown::of(line, kind, &self.effects, "not an effect kind")
    }
}

/// An unknown name, with its line and the known names.
struct Unknown<'s> {
    line: usize,
    name: &'s str,
    known: &'s BTreeSet<String>,
    what: &'static str,
    /// The outcome that a step with the unknown name may expect; none if no outcome makes the name acceptable.
    unless: Option<&'static str>,
}

impl<'s> Unknown<'s> {
    fn of(line: usize, name: &'s str, known: &'s BTreeSet<String>, what: &'static str) -> Option<Self> {
        (!known.contains(name)).then_some(Unknown { line, name, known, what, unless: None })
    }

    fn unless(self, outcome: &'static str) -> Self {
        Unknown { unless: Some(outcome), ..self }
    }

    fn into_bad_input(self, scenario: &Scenario) -> BadInput {
        let place = Place::line(&scenario.file, self.line);
        let mut bad = BadInput::unknown_name(place, self.name, self.what, self.known.iter().map(String::as_str));
        if let Some(outcome) = self.unless {
            bad.expected.push_str(&format!("; or a step that expects `{outcome}`"));
        }
        bad
    }
}
