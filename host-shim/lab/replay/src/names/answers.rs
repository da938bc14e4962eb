//! Finds effects and outputs in a scenario's answers that the business does not have.

use super::Names;
use super::known::Named;
use host_business::yaml::{Entry, Node};
use host_provider_api::scripted::outputs_of;
use host_scenario::error::BadInput;
use std::collections::BTreeSet;

/// The last part of the key of an instance's effect.
const VERBS: [&str; 8] = ["backup", "change", "changed", "destroy", "ensure", "observe", "restore", "run"];
/// The entry of an instance's health check.
const WATCH: &str = "watch";

impl Names {
    /// Returns the unknown names of all answers of a scenario.
    pub(super) fn of_answers(&self, document: &Node) -> Vec<BadInput> {
        if self.changes_types {
            return Vec::new();
        }
        let steps = document.member("events").and_then(Node::items).unwrap_or_default();
        let given = document.member("given").and_then(|given| given.member("answers"));
        let all = given.into_iter().chain(steps.iter().filter_map(|step| step.member("answers")));
        all.flat_map(|answers| answers.entries().unwrap_or_default())
            .flat_map(|answer| self.of_answer(answer))
            .collect()
    }

    /// Checks the key of an answer, and its outputs.
    fn of_answer(&self, answer: &Entry) -> Vec<BadInput> {
        let key = Named::key(answer);
        if let Some(mistake) = self.effect_key(&key) {
            return vec![mistake];
        }
        match key.name.split('/').collect::<Vec<_>>().as_slice() {
            [instance, entry, "ensure"] if !instance.contains(':') => self.of_outputs(entry, &answer.value),
            _ => Vec::new(),
        }
    }

    /// Checks the key of an effect of an instance, `INSTANCE/ENTRY/VERB`. Keys of other effects begin with a word and a colon.
    pub(super) fn effect_key(&self, key: &Named<'_>) -> Option<BadInput> {
        let parts: Vec<&str> = key.name.split('/').collect();
        let [instance, entry, rest @ ..] = parts.as_slice() else { return None };
        // A `*` before the first slash may also stand for the entry.
        if instance.contains(':') || instance.contains('*') && rest.is_empty() && VERBS.contains(entry) {
            return None;
        }
        let of_verb = |verb: &str| Named { name: verb, ..key.clone() }.unless("not a verb", VERBS);
        self.entry(&Named { name: entry, ..key.clone() }).or_else(|| match rest {
            [verb] if !verb.contains('*') => of_verb(verb),
            _ => None,
        })
    }

    /// Checks the name of an entry of `provisions`, with or without a variant; a pattern may match any entry.
    pub(super) fn entry(&self, name: &Named<'_>) -> Option<BadInput> {
        let entry = name.name.split('@').next().unwrap_or_default();
        if self.changes_types || entry.contains('*') || entry == WATCH || self.loaded.entries(entry).next().is_some() {
            return None;
        }
        let known: BTreeSet<&str> =
            self.loaded.types.iter().flat_map(|of| of.entries.keys()).map(String::as_str).collect();
        Some(Named { name: entry, ..name.clone() }.mistake("not a resource or step of a product type", known))
    }

    /// Checks the outputs in the answers to the creation of a resource. A provider may return more outputs, so only a misspelt one is
    /// wrong.
    fn of_outputs(&self, entry: &str, answers: &Node) -> Vec<BadInput> {
        let entry = entry.split('@').next().unwrap_or_default();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for (of, resource) in self.loaded.entries(entry) {
            // The outputs of a business's own resources are not declared.
            let Some(outputs) = resource.and_then(outputs_of) else { return Vec::new() };
            known.extend(outputs);
            known.extend(of.asks.get(entry).into_iter().flatten().map(String::as_str));
        }
        let all = answers.items().unwrap_or(std::slice::from_ref(answers));
        let given =
            all.iter().flat_map(|answer| ["ok", "exactly"].into_iter().filter_map(move |form| answer.member(form)));
        let outputs = given.flat_map(|outputs| outputs.entries().unwrap_or_default());
        let what = format!("not an output of `{entry}`");
        let unknown = outputs.filter_map(|output| Named::key(output).unless(&what, known.iter().copied()));
        unknown.filter(|bad| bad.guess.is_some()).collect()
    }
}
