//! Compares results with a scenario's expectations and collects the failures.

use super::CaseReport;
use crate::diff;
use crate::rig::Rig;
use crate::view;
use extension_contract::{Account, Outcome, Refusal, Reply};
use host_business::yaml::guess::nearest;
use host_engine::processor::Report;
use host_intake::request::{Taken, WebhookReply};
use host_scenario::error::ReplayError;
use host_scenario::matcher::{Matcher, Mismatch};
use host_scenario::model::{Action, Answers, Expectations, Scenario, Step};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A failed expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The scenario's file.
    pub file: PathBuf,
    /// Line of the expectation, from 1; 0 means the whole case.
    pub line: usize,
    /// The difference, in one line.
    pub title: String,
    /// The expected and the actual value as a unified diff; empty if the title is enough.
    pub diff: String,
}

/// The result of a step.
pub(super) struct StepResult {
    pub first: Report,
    pub effects: Value,
    pub reply: Option<Reply>,
}

/// The failures of one case.
pub(super) struct Failures<'a> {
    file: &'a Path,
    list: Vec<Failure>,
    /// True if a step expects its event to fail.
    expected_failure: bool,
}

impl<'a> Failures<'a> {
    pub fn new(file: &'a Path) -> Self {
        Failures { file, list: Vec::new(), expected_failure: false }
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Replaces all failures beginning with index `from` with `failure`.
    pub fn replace_from(&mut self, from: usize, failure: Failure) {
        self.list.truncate(from);
        self.list.push(failure);
    }

    pub fn into_list(self) -> Vec<Failure> {
        match self.expected_failure {
            true => {
                self.list.into_iter().filter(|failure| failure.line > 0 || !failure.title.contains("failed:")).collect()
            }
            false => self.list,
        }
    }

    pub fn add(&mut self, line: usize, title: impl Into<String>, diff: String) {
        self.list.push(Failure { file: self.file.to_owned(), line, title: title.into(), diff });
    }

    fn mismatches(&mut self, found: Vec<Mismatch>) {
        for miss in found {
            let actual = miss.actual.as_ref().map(diff::pretty);
            let title = match &miss.actual {
                Some(actual) => format!("{}: expected {}, got {}", miss.path, miss.expected, diff::short(actual)),
                None if miss.others.is_empty() => format!("{}: expected {}, got nothing", miss.path, miss.expected),
                None => {
                    format!(
                        "{}: expected {}, got nothing; there are {}",
                        miss.path,
                        miss.expected,
                        miss.others.join(", ")
                    )
                }
            };
            let text = diff::unified(self.file, miss.line, &miss.expected, actual.as_deref().unwrap_or_default());
            self.add(miss.line, title, text);
        }
    }

    fn check(&mut self, matcher: &Matcher, path: &str, actual: Option<&Value>) {
        let mut found = Vec::new();
        matcher.check(path, actual, &mut found);
        self.mismatches(found);
    }

    /// Adds the failure of an event that ended without an outcome.
    pub fn failed(&mut self, report: &Report) {
        let reason = report.result.reason().unwrap_or_default();
        self.add(0, format!("{} ({}) failed: {reason}", report.event_id, report.kind), String::new());
    }

    /// Checks that a repeated Stripe event is a duplicate.
    pub fn repeated(&mut self, line: usize, report: &Report) {
        if report.result.name() != "duplicate" {
            let title = format!("{} repeated: expected duplicate, got {}", report.event_id, report.result.name());
            self.add(line, title, String::new());
        }
    }

    pub fn step(&mut self, step: &Step, result: &StepResult) {
        let report = &result.first;
        let reason = report.result.reason();
        if let Some(expected) = &step.outcome {
            let actual = report.result.name();
            self.expected_failure |= expected.outcome == "failed";
            if expected.outcome != actual {
                let of = reason.as_ref().map_or_else(|| actual.to_owned(), |reason| format!("{actual}: {reason}"));
                let title = format!("{}: expected {}, got {of}", report.event_id, expected.outcome);
                let diff = diff::unified(self.file, expected.line, &expected.outcome, &of);
                self.add(expected.line, title, diff);
            } else {
                if let Some(matcher) = &expected.reason {
                    let actual = reason.map(Value::from);
                    self.check(matcher, &format!("{}.reason", report.event_id), actual.as_ref());
                }
                if let Some(matcher) = &expected.quota {
                    let quota = report.result.outcome().and_then(quota_value);
                    self.check(matcher, &format!("{}.quota", report.event_id), quota.as_ref());
                }
            }
            if let Some(matcher) = &expected.account {
                let account = report.account.as_ref().map(|account| json!(account.to_string()));
                self.check(matcher, &format!("{}.account", report.event_id), account.as_ref());
            }
        }
        if let Some(matcher) = &step.effects {
            self.check(matcher, &format!("{}.effects", report.event_id), Some(&result.effects));
        }
    }

    /// Checks the reply of an event. Returns false, without a failure, if the reply is missing but may still arrive.
    /// With `is_final`, no reply can arrive any longer.
    pub fn reply(&mut self, matcher: &Matcher, event: &str, reply: Option<&Reply>, is_final: bool) -> bool {
        let mut found = Vec::new();
        matcher.check(&format!("{event}.reply"), reply.map(reply_value).as_ref(), &mut found);
        if !found.is_empty() && reply.is_none() && !is_final {
            return false;
        }
        self.mismatches(found);
        true
    }

    /// Adds the failure of a local Stripe webhook that the host refused.
    pub fn delivery(&mut self, status: u16, why: &str) {
        self.add(0, format!("a webhook of Stripe was answered {status}: {why}"), String::new());
    }

    /// Checks the response to a webhook. A refused webhook has no outcome, so the expectation of an outcome fails.
    pub fn answer(&mut self, step: &Step, answer: &WebhookReply) {
        let id = step.action.event_id().unwrap_or_default();
        if let Some(matcher) = &step.answer {
            self.check(matcher, &format!("{id}.answer"), Some(&json!(answer.status)));
        }
        if let (Some(expected), Taken::Nothing(_) | Taken::Quarantined(_)) = (&step.outcome, &answer.taken) {
            let of = match &answer.taken {
                Taken::Nothing(why) => format!("no event and status {} ({why})", answer.status),
                _ => format!("no event and status {}", answer.status),
            };
            let diff = diff::unified(self.file, expected.line, &expected.outcome, &of);
            self.add(expected.line, format!("{id}: expected {}, got {of}", expected.outcome), diff);
        }
    }

    /// Adds the failure of a step that should not change the state.
    pub fn changed(&mut self, line: usize, before: &Value, after: &Value) {
        let diff = diff::unified(self.file, line, &diff::pretty(before), &diff::pretty(after));
        self.add(line, "expected an unchanged state, got a changed one", diff);
    }

    /// Checks the expected sections of the state.
    pub fn state(&mut self, host: &mut Rig, scenario: &Scenario, expect: &Expectations) -> Result<(), ReplayError> {
        for expectation in &expect.sections {
            let account = scenario.given.account.as_ref();
            let actual = view::section(host, expectation, account)?;
            let of: Option<&Account> = expectation.account.as_ref();
            let path = match of {
                Some(account) => format!("{account}.{}", expectation.section),
                None => expectation.section.to_owned(),
            };
            self.check(&expectation.matcher, &path, Some(&actual));
        }
        Ok(())
    }

    /// Checks the final outcomes of deferred events.
    pub fn then(&mut self, host: &mut Rig, scenario: &Scenario, happens: &[bool]) -> Result<(), ReplayError> {
        let steps = scenario.steps.iter().zip(happens).filter(|(_, happens)| **happens).map(|(step, _)| step);
        let waiting: Vec<(&str, usize, &str)> = steps
            .filter_map(|step| {
                let outcome = step.outcome.as_ref()?;
                Some((step.action.event_id()?, outcome.line, outcome.then.as_deref()?))
            })
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let outcomes = host_engine::view::outcomes(host.processor())?;
        for (id, line, then) in waiting {
            let actual = outcomes[id]["outcome"].as_str().unwrap_or("nothing");
            if actual != then {
                let reason = outcomes[id]["reason"].as_str().unwrap_or_default();
                self.add(line, format!("{id} at the end: expected {then}, got {actual} {reason}"), String::new());
            }
        }
        Ok(())
    }

    /// Adds a failure for each scripted answer that no call used.
    pub fn unused_answers(&mut self, host: &Rig, scenario: &Scenario) {
        let of_steps = scenario.steps.iter().filter_map(|step| match &step.action {
            Action::Answers(answers) => Some(answers),
            _ => None,
        });
        let all: Vec<&Answers> = of_steps.chain([&scenario.given.answers]).flatten().collect();
        if host.live().is_some() {
            // Live providers handle some effects, so scripted answers may remain unused.
            return;
        }
        for pattern in host.scripted().unused_patterns() {
            let line = all.iter().filter(|answers| answers.pattern == pattern).map(|answers| answers.line).min();
            let guess = key_meant(&pattern, host.asked().map(|(_, key)| key));
            let guess = guess.map_or_else(String::new, |guess| format!("; did you mean `{guess}`?"));
            self.add(
                line.unwrap_or_default(),
                format!("no effect key fits the answers for `{pattern}`{guess}"),
                String::new(),
            );
        }
    }

    /// Checks that the ledger of every account sums to zero in each currency.
    pub fn ledgers(&mut self, host: &Rig) -> Result<(), ReplayError> {
        for scope in host.store().scopes(None)? {
            for (currency, sum) in view::unbalanced(host, &scope.account)? {
                self.add(
                    0,
                    format!("the ledger of {} does not balance: {sum} {currency}", scope.account),
                    String::new(),
                );
            }
        }
        Ok(())
    }
}

/// Returns the key of a requested effect that a pattern probably means: the key, or the word before its colon with
/// `:*`.
fn key_meant<'k>(pattern: &str, requested: impl Iterator<Item = &'k str>) -> Option<String> {
    let forms = |key: &str| [Some(key.to_owned()), key.split_once(':').map(|(word, _)| format!("{word}:*"))];
    let known: BTreeSet<String> = requested.flat_map(forms).flatten().collect();
    nearest(pattern, known.iter().map(String::as_str)).map(str::to_owned)
}

/// Returns the exceeded quota of an event in the format of expectations.
fn quota_value(outcome: &Outcome) -> Option<Value> {
    let Outcome::Rejected(Refusal::QuotaExceeded(quota)) = outcome else { return None };
    Some(json!({"key": quota.quota, "allowed": quota.allowed, "used": quota.used, "upgrade": quota.upgrade}))
}

/// Returns a reply in the format of expectations: the object of the answer, or `{"refused": {"code", "detail"}}`. The
/// refusal for an exceeded quota also contains `quota`, the amounts `allowed` and `used`, and `upgrade`, the product
/// that would allow more.
pub fn reply_value(reply: &Reply) -> Value {
    match reply {
        Reply::Answer(text) => crate::state::parsed(text),
        Reply::Refused(refusal) => {
            let mut refused = json!({"code": refusal.code(), "detail": refusal.detail()});
            if let Refusal::QuotaExceeded(quota) = refusal {
                refused["quota"] = json!(quota.quota);
                refused["allowed"] = json!(quota.allowed);
                refused["used"] = json!(quota.used);
                refused["upgrade"] = json!(quota.upgrade);
            }
            json!({"refused": refused})
        }
    }
}

/// Checks that a scenario ends in the same state in every version and order.
pub(super) fn same_state(first: &CaseReport, name: &str, other: &mut CaseReport) {
    if first.summary.state != other.summary.state {
        differs("the state", first, name, other, &diff::pretty(&first.snapshot), &diff::pretty(&other.snapshot));
    }
}

/// Checks that a scenario requests the same effects in every version. In another order, some effects may become
/// unnecessary.
pub(super) fn same_effects(first: &CaseReport, other: &mut CaseReport) {
    if first.effects != other.effects {
        let (expected, actual) = (first.effects.join("\n"), other.effects.join("\n"));
        differs("the list of effects", first, &first.version, other, &expected, &actual);
    }
}

fn differs(what: &str, first: &CaseReport, name: &str, other: &mut CaseReport, expected: &str, actual: &str) {
    let title = format!("{what} in {} differs from {name}", other.version);
    let diff = diff::unified(&first.file, 0, expected, actual);
    other.failures.push(Failure { file: first.file.clone(), line: 0, title, diff });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_of_an_answer_is_guessed_from_the_requested_effects() {
        let requested = ["checkout:pur_1", "inst_a/database/ensure"];
        let meant = |pattern| key_meant(pattern, requested.into_iter());
        assert_eq!(meant("chekcout:*").as_deref(), Some("checkout:*"));
        assert_eq!(meant("inst_a/databse/ensure").as_deref(), Some("inst_a/database/ensure"));
        assert_eq!(meant("transfer:usd:1"), None);
    }
}
