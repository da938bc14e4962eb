//! The lines of `--format json`. They are a contract, so the fields and their order are fixed.

use crate::play::CaseReport;
use host_engine::processor::Report;
use host_scenario::model::Scenario;
use serde::Serialize;

/// A line about one run of one event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Line {
    /// An input event at its first outcome.
    Input(InputLine),
    /// A later run of an input event that was deferred or failed.
    Later {
        /// The result.
        later: LaterLine,
    },
    /// A run of an effect's result, a timer or a message.
    Derived {
        /// The result.
        derived: InputLine,
    },
}

/// The result of an event's first run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputLine {
    /// Id of the event.
    pub event: String,
    /// Type of a Stripe event, or kind of another event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Account of the event; none if it is unknown.
    pub account: Option<String>,
    /// One of the six outcomes, or `failed`.
    pub outcome: &'static str,
    /// Reason of the outcome.
    pub reason: Option<String>,
    /// The effects that the run requested.
    pub effects: Vec<EffectLine>,
    /// Name of the event's input, if there are several inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A requested effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectLine {
    /// Kind of the effect, such as `database.ensure`.
    pub kind: String,
    /// Key of the effect.
    pub key: String,
}

/// The result of a later run of an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaterLine {
    /// Id of the event.
    pub event: String,
    /// One of the six outcomes, or `failed`.
    pub outcome: &'static str,
    /// Reason of the outcome.
    pub reason: Option<String>,
}

/// The end of a scenario in one API version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseLine {
    /// Name of the scenario.
    pub name: String,
    /// File of the scenario.
    pub file: String,
    /// The API version.
    pub version: String,
    /// `held`, `failed`, `known` or `needs-answers`.
    pub status: &'static str,
    /// The finding that explains the failure; omitted if the status is not `known`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownLine>,
    /// The scripted answers that calls did not get, because live providers carried out their effects; omitted if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOverLine>,
    /// Number of assertions.
    pub assertions: usize,
    /// Number of assertions about state, effects or ledger.
    pub facts: usize,
    /// Line of the first event whose outcome is not asserted; none if all are.
    pub unasserted: Option<usize>,
    /// The ids that the scenario covers.
    pub covers: Vec<CoverLine>,
    /// Hash of the state at the end of the case.
    pub state: String,
}

/// An id that a scenario covers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoverLine {
    /// The id.
    pub id: String,
    /// Line of the id, from 1.
    pub line: usize,
}

/// The end of one of several inputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamLine {
    /// Name of the input.
    pub source: String,
    /// Hash of the state after the input.
    pub state: String,
}

/// Scripted answers that a call did not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOverLine {
    /// Kind of the effect.
    pub kind: String,
    /// Pattern of the answers in the scenario.
    pub pattern: String,
}

/// The finding that explains a failed case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownLine {
    /// Id of the finding.
    pub finding: String,
    /// The reason.
    pub reason: String,
}

/// The end of a replay, with the final outcomes of the input events.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Number of input events.
    pub events: u64,
    /// Events that changed the state.
    pub applied: u64,
    /// Events that repeat an earlier event, or report a fact that is already recorded.
    pub duplicate: u64,
    /// Events whose snapshot is older than the stored snapshot.
    pub stale: u64,
    /// Events that were ignored.
    pub ignored: u64,
    /// Events that still wait for something.
    pub deferred: u64,
    /// Events that were rejected.
    pub rejected: u64,
    /// Events that ended without an outcome.
    pub failed: u64,
    /// Cases that are known to fail and failed; omitted if there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub known: u64,
    /// Cases that need scripted answers, because live providers carried out their effects; omitted if there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub needs_answers: u64,
    /// Hash of the state. For several streams, the hash of the hashes of their states.
    pub state: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Summary {
    /// Counts one final outcome.
    pub fn count(&mut self, outcome: &str) {
        self.events += 1;
        *self.counter(outcome) += 1;
    }

    /// Changes the outcome of a counted event.
    pub fn recount(&mut self, before: &str, after: &str) {
        let counter = self.counter(before);
        *counter = counter.saturating_sub(1);
        *self.counter(after) += 1;
    }

    /// Adds the counts of another replay.
    pub fn add(&mut self, other: &Summary) {
        self.events += other.events;
        self.applied += other.applied;
        self.duplicate += other.duplicate;
        self.stale += other.stale;
        self.ignored += other.ignored;
        self.deferred += other.deferred;
        self.rejected += other.rejected;
        self.failed += other.failed;
        self.known += other.known;
        self.needs_answers += other.needs_answers;
    }

    fn counter(&mut self, outcome: &str) -> &mut u64 {
        match outcome {
            "applied" => &mut self.applied,
            "duplicate" => &mut self.duplicate,
            "stale" => &mut self.stale,
            "ignored" => &mut self.ignored,
            "deferred" => &mut self.deferred,
            "rejected" => &mut self.rejected,
            _ => &mut self.failed,
        }
    }
}

impl Line {
    /// Returns the line of the first run of an input event.
    pub fn input(report: &Report) -> Line {
        Line::Input(InputLine::of(report))
    }

    /// Returns the line of a later run of an input event, or of a run of a derived event.
    pub fn following(report: &Report) -> Line {
        if !crate::rig::is_input(report) {
            return Line::Derived { derived: InputLine::of(report) };
        }
        Line::Later {
            later: LaterLine {
                event: report.event_id.clone(),
                outcome: report.result.name(),
                reason: report.result.reason(),
            },
        }
    }

    /// Adds the name of the input to the line of an input event.
    pub fn with_source(mut self, source: Option<&str>) -> Line {
        if let Line::Input(line) = &mut self {
            line.source = source.map(str::to_owned);
        }
        self
    }
}

impl CaseLine {
    /// Returns the line of a scenario's case.
    pub fn of(scenario: &Scenario, report: &CaseReport) -> CaseLine {
        CaseLine {
            name: report.name.clone(),
            file: report.file.display().to_string(),
            version: report.version.clone(),
            status: report.status(),
            known: report
                .known
                .as_ref()
                .map(|known| KnownLine { finding: known.finding.clone(), reason: known.reason.clone() }),
            passed_over: report
                .passed_over
                .iter()
                .map(|one| PassedOverLine { kind: one.kind.clone(), pattern: one.pattern.clone() })
                .collect(),
            assertions: report.assertions,
            facts: scenario.facts(),
            unasserted: scenario.unasserted_event(),
            covers: scenario.covers.iter().map(|(id, line)| CoverLine { id: id.clone(), line: *line }).collect(),
            state: report.summary.state.clone(),
        }
    }
}

impl InputLine {
    fn of(report: &Report) -> InputLine {
        let effects = report.effects.iter();
        InputLine {
            event: report.event_id.clone(),
            kind: report.kind.clone(),
            account: report.account.as_ref().map(ToString::to_string),
            outcome: report.result.name(),
            reason: report.result.reason(),
            effects: effects.map(|e| EffectLine { kind: e.kind.clone(), key: e.key.clone() }).collect(),
            source: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> InputLine {
        InputLine {
            event: "evt_1".into(),
            kind: "invoice.paid".into(),
            account: None,
            outcome: "deferred",
            reason: Some("claim(stripe-customer:cus_A)".into()),
            effects: vec![EffectLine { kind: "timer.at".into(), key: "t".into() }],
            source: None,
        }
    }

    #[test]
    fn the_fields_are_in_the_contracts_order() {
        assert_eq!(
            serde_json::to_string(&Line::Input(input())).expect("JSON"),
            r#"{"event":"evt_1","type":"invoice.paid","account":null,"outcome":"deferred","reason":"claim(stripe-customer:cus_A)","effects":[{"kind":"timer.at","key":"t"}]}"#
        );
        let later = Line::Later { later: LaterLine { event: "evt_1".into(), outcome: "applied", reason: None } };
        assert_eq!(
            serde_json::to_string(&later).expect("JSON"),
            r#"{"later":{"event":"evt_1","outcome":"applied","reason":null}}"#
        );
        let derived = Line::Derived { derived: input() };
        assert!(serde_json::to_string(&derived).expect("JSON").starts_with(r#"{"derived":{"event":"evt_1","#));
        assert_eq!(
            serde_json::to_string(&Summary::default()).expect("JSON"),
            r#"{"events":0,"applied":0,"duplicate":0,"stale":0,"ignored":0,"deferred":0,"rejected":0,"failed":0,"state":""}"#
        );
    }

    #[test]
    fn the_source_is_named_on_input_lines_only() {
        let line = Line::Input(input()).with_source(Some("a.jsonl"));
        assert!(serde_json::to_string(&line).expect("JSON").ends_with(r#","source":"a.jsonl"}"#));
    }

    #[test]
    fn a_later_outcome_replaces_the_first_in_the_counts() {
        let mut summary = Summary::default();
        summary.count("deferred");
        summary.count("applied");
        summary.recount("deferred", "stale");
        assert_eq!((summary.events, summary.deferred, summary.applied, summary.stale), (2, 0, 1, 1));
    }
}
