//! Writes a [`Scenario`] as a YAML file. Reading this file gives the same scenario.

mod steps;

use super::{Expectations, Given, OutcomeExpectation, Scenario, answers, read};
use crate::tree::text::{Layout, entry, item};
use crate::tree::{Node, Tree};
use extension_contract::Account;
use serde_json::Value;

/// A value that a scenario file can't have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// A negative span of time.
    #[error("{what} is {ms} ms; expected 0 or more")]
    Span {
        /// Name of the value.
        what: String,
        /// The span, in milliseconds.
        ms: i64,
    },
    /// A whole number beyond [`i64`].
    #[error("{what} has a whole number above {max}", max = i64::MAX)]
    Number {
        /// Name of the value.
        what: String,
    },
    /// A body that is not UTF-8.
    #[error("the body of {id} is not UTF-8; expected text")]
    Body {
        /// Id of the event.
        id: String,
    },
    /// Outputs that are not a mapping.
    #[error("an answer for `{pattern}` has outputs that are not a mapping")]
    Outputs {
        /// Pattern of the effect keys.
        pattern: String,
    },
}

/// Writes a scenario as the text of a file, with an optional comment above it.
///
/// The text omits ids and actors that equal the reader's defaults. It does not depend on the folder of the file: if the
/// file lies outside the business's folder, `given.business` must refer to the business.
#[derive(Clone, Debug)]
pub struct ScenarioText<'a> {
    scenario: &'a Scenario,
    comments: Vec<String>,
}

impl<'a> ScenarioText<'a> {
    /// Returns a writer of this scenario, without a comment.
    pub fn of(scenario: &'a Scenario) -> Self {
        ScenarioText { scenario, comments: Vec::new() }
    }

    /// Adds the lines of a comment above the scenario.
    #[must_use]
    pub fn comment(mut self, text: &str) -> Self {
        self.comments.extend(text.lines().map(str::to_owned));
        self
    }

    /// Returns the YAML. [`Scenario::parse`] reads it as the same scenario, except for line numbers.
    ///
    /// # Errors
    ///
    /// Fails if the scenario has a value that a scenario file can't have.
    pub fn text(&self) -> Result<String, Unwritable> {
        let scenario = self.scenario;
        let mut out = String::new();
        for line in &self.comments {
            out.push_str(format!("# {line}").trim_end());
            out.push('\n');
        }
        entry(&mut out, 0, "name", &Node::text(&scenario.name), Layout::Short);
        if !scenario.covers.is_empty() {
            let ids = scenario.covers.iter().map(|(id, _)| Node::text(id));
            entry(&mut out, 0, "covers", &Node::list(ids), Layout::Short);
        }
        if let Some(known) = &scenario.known_to_fail {
            entry(&mut out, 0, "known_to_fail", &Node::text(known.to_string()), Layout::Short);
        }
        if let Some(versions) = &scenario.versions {
            let only = Node::list(versions.only.iter().map(Node::text));
            let because = Node::text(&versions.because);
            entry(&mut out, 0, "versions", &Node::map([("only", only), ("because", because)]), Layout::Short);
        }
        if let Some(budget) = &scenario.budget {
            entry(&mut out, 0, "budget", &budget.node(), Layout::Short);
        }
        let given = given(&scenario.given)?;
        if !is_empty(&given) {
            entry(&mut out, 0, "given", &given, Layout::Block);
        }
        out.push_str("events:\n");
        for step in steps::nodes(scenario)? {
            match &step.value {
                Tree::Map(entries) => item(&mut out, 2, entries),
                _ => unreachable!("a step is a mapping"),
            }
        }
        let expect = expectations(&scenario.expect)?;
        if !is_empty(&expect) {
            entry(&mut out, 0, "expect", &expect, Layout::Block);
        }
        Ok(out)
    }
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.value, Tree::Map(map) if map.is_empty())
}

/// The entries of a mapping under construction.
#[derive(Default)]
struct Entries(Vec<(String, Node)>);

impl Entries {
    fn add(&mut self, key: impl Into<String>, value: Node) {
        self.0.push((key.into(), value));
    }

    fn text(&mut self, key: &str, text: Option<impl Into<String>>) {
        self.0.extend(text.map(|text| (key.to_owned(), Node::text(text))));
    }

    fn node(self) -> Node {
        Node::map(self.0)
    }
}

fn given(given: &Given) -> Result<Node, Unwritable> {
    let mut entries = Entries::default();
    entries.text("business", given.business.as_ref());
    if given.clock != read::CLOCK_DEFAULT_MS {
        entries.text("clock", Some(crate::time::text(given.clock)));
    }
    if given.livemode {
        entries.add("livemode", Node::of(Tree::Bool(true)));
    }
    if !given.config.is_empty() {
        entries.add("config", Node::map(given.config.iter().map(|(key, value)| (key, Node::text(value)))));
    }
    entries.text("account", given.account.as_ref().map(Account::to_string));
    if let Some(by) = &given.by {
        entries.add("by", by.clone());
    }
    if !given.accounts.is_empty() {
        entries.add("accounts", Node::list(given.accounts.iter().map(|account| Node::text(account.to_string()))));
    }
    if !given.claims.is_empty() {
        let claims = given.claims.iter().map(|(key, holder)| (key, Node::text(holder.to_string())));
        entries.add("claims", Node::map(claims));
    }
    if !given.answers.is_empty() {
        entries.add("answers", answers::node(&given.answers)?);
    }
    Ok(entries.node())
}

fn expectations(expect: &Expectations) -> Result<Node, Unwritable> {
    let mut entries = Entries::default();
    let mut accounts: Vec<(String, Entries)> = Vec::new();
    for section in &expect.sections {
        let node = section.matcher.node().ok_or_else(|| Unwritable::Number { what: section.section.to_owned() })?;
        let Some(account) = &section.account else {
            entries.add(section.section, node);
            continue;
        };
        let name = account.to_string();
        match accounts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, of_account)) => of_account.add(section.section, node),
            None => accounts.push((name, Entries(vec![(section.section.to_owned(), node)]))),
        }
    }
    if !accounts.is_empty() {
        entries.add("accounts", Node::map(accounts.into_iter().map(|(name, sections)| (name, sections.node()))));
    }
    if expect.snapshot.is_some() {
        entries.add("snapshot", Node::text("full"));
    }
    Ok(entries.node())
}

fn outcome(expected: &OutcomeExpectation) -> Result<Node, Unwritable> {
    let OutcomeExpectation { line: _, outcome, reason, quota, account, then } = expected;
    let matchers = [("reason", reason), ("quota", quota), ("account", account)];
    let mut entries = Entries::default();
    entries.text("outcome", Some(outcome));
    for (name, matcher) in matchers {
        let Some(matcher) = matcher else { continue };
        entries.add(name, matcher.node().ok_or_else(|| Unwritable::Number { what: name.to_owned() })?);
    }
    entries.text("then", then.as_ref());
    Ok(match entries.0.as_slice() {
        [(_, only)] => only.clone(),
        _ => entries.node(),
    })
}

/// Converts a JSON value.
fn json(what: &str, value: &Value) -> Result<Node, Unwritable> {
    Node::from_json(value).ok_or_else(|| Unwritable::Number { what: what.to_owned() })
}

/// Writes a span of time in its largest unit.
pub(super) fn span(what: &str, ms: i64) -> Result<String, Unwritable> {
    match ms >= 0 {
        true => Ok(crate::time::span_text(ms)),
        false => Err(Unwritable::Span { what: what.to_owned(), ms }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::business::Fixtures;
    use crate::model::Action;
    use crate::prepare::prepare;
    use crate::shapes::sorted_entries;
    use regex::Regex;
    use std::path::{Path, PathBuf};

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
    }

    /// Returns the scenario files in and below a folder.
    fn scenario_files(folder: &Path) -> Vec<PathBuf> {
        let entries = sorted_entries(folder).expect("a folder that can be read");
        let files = entries.into_iter().flat_map(|path| match path.is_dir() {
            true => scenario_files(&path),
            false => vec![path],
        });
        let is_scenario = |file: &PathBuf| {
            file.extension().is_some_and(|extension| extension == "yml")
                && file.ancestors().any(|folder| folder.ends_with("scenarios"))
        };
        files.filter(is_scenario).collect()
    }

    fn written(scenario: &Scenario) -> (String, Scenario) {
        let text = ScenarioText::of(scenario).text().unwrap_or_else(|e| panic!("{}: {e}", scenario.file.display()));
        let again = Scenario::parse(&scenario.file, &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        (text, again)
    }

    /// Formats a scenario without its line numbers.
    fn without_lines(scenario: &Scenario) -> String {
        let mut scenario = scenario.clone();
        scenario.covers.iter_mut().for_each(|(_, line)| *line = 0);
        scenario.expect.snapshot = scenario.expect.snapshot.map(|_| 0);
        for step in &mut scenario.steps {
            step.unchanged = step.unchanged.map(|_| 0);
            match &mut step.action {
                Action::Check(expect) => expect.snapshot = expect.snapshot.map(|_| 0),
                Action::Stripe(stripe) => {
                    let of_versions = stripe.version_patches.iter_mut().map(|(_, patch)| patch);
                    let patches = [&mut stripe.patch, &mut stripe.envelope].into_iter().chain(of_versions);
                    patches.flat_map(|patch| &mut patch.unset).for_each(|(_, line)| *line = 0);
                }
                _ => {}
            }
        }
        Regex::new(r"(line|column): \d+")
            .expect("a pattern")
            .replace_all(&format!("{scenario:#?}"), "$1: _")
            .into_owned()
    }

    #[test]
    fn every_scenario_of_the_project_is_unchanged_after_writing_and_reading() {
        let fixtures = Fixtures::load(&root().join("fixtures")).expect("fixtures");
        let mut seen = 0;
        for file in ["fixtures", "examples"].iter().flat_map(|folder| scenario_files(&root().join(folder))) {
            let scenario = Scenario::read(&file).expect("a scenario");
            let (text, again) = written(&scenario);
            assert_eq!(without_lines(&scenario), without_lines(&again), "{}\n{text}", file.display());
            let cases = [&scenario, &again].map(|one| prepare(one, &fixtures.shapes).expect("cases"));
            assert_eq!(cases[0].len(), cases[1].len());
            for (before, after) in cases[0].iter().zip(&cases[1]) {
                assert_eq!(before.version, after.version, "{}", file.display());
                assert_eq!(before.deliveries, after.deliveries, "{}\n{text}", file.display());
                assert_eq!((&before.clocks, &before.happens), (&after.clocks, &after.happens), "{}", file.display());
            }
            assert_eq!(ScenarioText::of(&again).text().as_ref(), Ok(&text), "writing again gives the same text");
            seen += 1;
        }
        assert!(seen > 300, "{seen} scenarios");
    }

    #[test]
    fn every_kind_of_step_is_unchanged_after_writing_and_reading() {
        let text = r#"name: "all of it: each kind"
covers: [D-07]
known_to_fail: "C1: it is only a sample"
versions:
  only: [2025-03-31.basil]
  because: its bodies
budget: {fuel: 300_000, memory: 4MiB}
given:
  business: solobase
  clock: 2026-02-01T00:00:00.25Z
  livemode: true
  config: {grace_days: "3", enabled: "true"}
  account: organization:o
  by: {kind: user, subject: u, roles: [member]}
  accounts: [organization:o, platform]
  claims: {stripe-customer:cus_1: user:B}
  answers:
    "a/*": [ok, lost, never, retryable throttled, final gone, late 90s, late 250ms, {exactly: {id: x}}]
    "b": {ok: {x: 1.0}}
    "c": [{retryable: "a b", message: m}, {final: x, message: ""}, {late: 2h, then: {final: gone, message: m}}]
events:
  - stripe: invoice.paid
    id: evt_9
    at: -90m
    base: invoice
    set: {price: p, amount: 7, "lines.data[0].id": "1"}
    add@2025-03-31.basil: {x: null}
    unset: [a, b.c]
    previous: {status: draft}
    version: 2020-08-27
    connected: acct_1
    livemode: false
    request_key: k
    envelope: {unset: [data.object.id], add: {y: [1]}}
    only: [2025-03-31.basil]
    expect: {outcome: deferred, reason: {regex: "^claim"}, account: any, then: applied}
    effects: {contains: [{kind: mail.send, payload: {subset: {regex: x}}}]}
    reply: {refused: {code: any}}
    unchanged: true
    budget: {host_calls: 3, memory: 1000}
  - {stripe: invoice.paid, at: +0s}
  - {command: instance.create, by: admin, account: user:B, payload: {name: "yes", n: 1.0}, expect: rejected}
  - {command: x, by: {kind: service, subject: s}}
  - {event: user.registered, data: {a: []}, by: system}
  - {event: user.registered, data: {}}
  - {product: updated, data: {id: p}}
  - {usage: {meter: m, quantity: 5, at: 2026-02-02T00:00:00Z, model: m1}, id: mine}
  - {usage: [{meter: m, quantity: 5}, {meter: m, quantity: 2, id: u}], by: service}
  - {webhook: clerk, body: {a: 1}, signature: old, id: d, answer: 401}
  - {webhook: clerk, body: {}, expect: applied, hold: true}
  - raw: {id: raw, z: 1, a: "2"}
  - raw: "not\u0000 JSON"
  - raw: '{ "id": "spaced" }'
  - same: raw
  - {redrive: cmd_1, expect: applied}
  - {advance: 90s, kill: {write: 2, after: true, again: 1}}
  - until: 2027-02-01T00:00:00Z
  - answers: {z: never}
  - claims: {subdomain:a: user:B, subdomain:b: blocked, subdomain:c: null}
  - timers: false
  - restart: true
  - check: {outcomes: {evt_9: applied}, accounts: {user:B: {entitlements: {n: 1}}}, snapshot: full}
expect:
  records: {c: {exact: {id: {size: 2}}}, d: {literal: {any: any}}, e: [any, {literal: any}, {absent: true}, null]}
"#;
        let file = Path::new("x.yml");
        let scenario = Scenario::parse(file, text).expect("a scenario");
        let (written, again) = written(&scenario);
        assert_eq!(without_lines(&scenario), without_lines(&again), "{written}");
    }

    #[test]
    fn ids_are_written_only_if_they_differ_from_the_defaults() {
        let text = "name: x\nevents:\n  - stripe: invoice.paid\n  - stripe: invoice.voided\n  - same: evt_2\n";
        let mut scenario = Scenario::parse(Path::new("x.yml"), text).expect("a scenario");
        assert_eq!(ScenarioText::of(&scenario).text().as_deref(), Ok(text));
        scenario.steps.remove(0);
        let shorter = "# cut\nname: x\nevents:\n  - stripe: invoice.voided\n    id: evt_2\n  - same: evt_2\n";
        assert_eq!(ScenarioText::of(&scenario).comment("cut").text().as_deref(), Ok(shorter));
    }

    #[test]
    fn values_that_a_scenario_file_can_not_have_are_errors() {
        let text = "name: x\nevents:\n  - stripe: invoice.paid\n  - advance: 1s\n  - raw: x\n";
        let scenario = Scenario::parse(Path::new("x.yml"), text).expect("a scenario");
        let message_of = |at: usize, action: Action| {
            let mut scenario = scenario.clone();
            scenario.steps[at].action = action;
            ScenarioText::of(&scenario).text().expect_err("no file can have this").to_string()
        };
        assert_eq!(message_of(1, Action::Advance(-1)), "`advance` is -1 ms; expected 0 or more");
        let Action::Raw(raw) = &scenario.steps[2].action else { panic!("a raw event") };
        let mut raw = raw.clone();
        raw.bytes = vec![0xff];
        assert_eq!(message_of(2, Action::Raw(raw)), "the body of raw_1 is not UTF-8; expected text");
    }
}
