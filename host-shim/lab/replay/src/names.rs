//! Finds unknown names in scenarios: commands, facts of the business, types of Stripe events, effect kinds.
//!
//! The host rejects or ignores an event with an unknown name. A step that expects this outcome is correct.

use extension_contract::Declarations;
use host::business::BusinessFolder;
use host_scenario::error::{BadInput, Place};
use host_scenario::model::{Action, Expectations, Scenario, Step};
use host_store::OF_HOST;
use serde_json::Value;
use std::collections::BTreeSet;

/// The command that loads a catalog, which may have other facts and resources than the business's folder.
const LOAD: &str = "catalog.load";
/// Sections whose entries have an effect kind.
const OF_EFFECTS: [&str; 2] = ["effects", "notices"];

/// The names that a scenario of a business can use.
pub(crate) struct Names {
    commands: BTreeSet<String>,
    facts: BTreeSet<String>,
    stripe: BTreeSet<String>,
    effects: BTreeSet<String>,
}

impl Names {
    /// Collects the names that the extension and the business declare.
    pub(crate) fn new(declarations: &Declarations, business: &BusinessFolder) -> Names {
        let declared = business.own.beside(declarations);
        let of_host = OF_HOST.map(str::to_owned);
        let mut names = Names {
            commands: declared.commands.into_iter().map(|command| command.kind).collect(),
            facts: BTreeSet::new(),
            stripe: declared.provider_kinds.into_iter().collect(),
            effects: declared.effects.into_iter().map(|effect| effect.kind).chain(of_host).collect(),
        };
        names.add(&business.catalog);
        names
    }

    /// Adds the facts and resources of a catalog.
    fn add(&mut self, catalog: &Value) {
        let entries = |clause: &str| catalog[clause].as_object().into_iter().flatten();
        self.facts.extend(entries("events").map(|(fact, _)| fact.clone()));
        for (resource, verbs) in entries("resources") {
            let verbs = verbs.as_array().into_iter().flatten().filter_map(Value::as_str);
            self.effects.extend(verbs.map(|verb| format!("{resource}.{verb}")));
        }
    }

    /// Returns the unknown names of a scenario, in the order of the steps.
    pub(crate) fn unknown(mut self, scenario: &Scenario) -> Vec<BadInput> {
        for step in &scenario.steps {
            if let Action::Command(command) = &step.action
                && command.kind == LOAD
            {
                self.add(&command.payload);
            }
        }
        let bad_input = |unknown: Unknown<'_>| unknown.into_bad_input(scenario);
        let of_steps = scenario.steps.iter().flat_map(|step| self.of_step(step));
        of_steps.chain(self.of_expectations(&scenario.expect)).map(bad_input).collect()
    }

    fn of_step<'s>(&'s self, step: &'s Step) -> Vec<Unknown<'s>> {
        let expects = |outcome: &str| step.outcome.as_ref().is_some_and(|expected| expected.outcome == outcome);
        let named = match &step.action {
            Action::Command(command) => Some((&command.kind, &self.commands, "no command", "rejected")),
            Action::Fact(fact) => Some((&fact.kind, &self.facts, "no fact of the business", "rejected")),
            Action::Stripe(event) => {
                Some((&event.kind, &self.stripe, "no event type that the extension accepts", "ignored"))
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
        Unknown::of(line, kind, &self.effects, "no effect kind")
    }
}

/// An unknown name, with its line and the known names.
struct Unknown<'s> {
    line: usize,
    name: &'s str,
    known: &'s BTreeSet<String>,
    what: &'static str,
    /// The outcome that a step with the unknown name may expect; none if no outcome makes the name right.
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
        let names: Vec<&str> = self.known.iter().map(String::as_str).collect();
        let mut expected = match names.is_empty() {
            true => "none, since there are none".to_owned(),
            false => format!("one of {}", names.join(", ")),
        };
        if let Some(outcome) = self.unless {
            expected.push_str(&format!("; or a step that expects `{outcome}`"));
        }
        let place = Place::line(&scenario.file, self.line);
        BadInput::new(place, format!("`{}` is {}", self.name, self.what), expected).guessing(self.name, names)
    }
}
