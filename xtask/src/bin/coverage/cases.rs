//! Reads which ids the scenarios cover, from the output of `provisioner replay --format json`.

use super::{Showing, Standing};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::PathBuf;

/// One line of the report. Only lines about a scenario have a `case`.
#[derive(Deserialize)]
struct Line {
    case: Option<Case>,
}

/// The result of a scenario in one API version.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    name: String,
    file: PathBuf,
    version: String,
    status: String,
    assertions: usize,
    facts: usize,
    /// Line of the first event whose outcome is not asserted.
    unasserted: Option<usize>,
    covers: Vec<Cover>,
}

/// An id, and the number of the line that contains it.
#[derive(Clone, Debug, Deserialize)]
struct Cover {
    id: String,
    line: usize,
}

/// Status of a case that holds. A case with another status covers no ids.
const HELD: &str = "held";
/// Status of a case that is marked as a known failure and fails.
const KNOWN: &str = "known";

/// Parses the cases of a report.
///
/// # Errors
///
/// Fails if a line is not JSON of the expected form.
pub fn parse(report: &str) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (at, line) in report.lines().enumerate() {
        let line: Line = serde_json::from_str(line).with_context(|| format!("line {} of the replay's JSON", at + 1))?;
        cases.extend(line.case);
    }
    Ok(cases)
}

/// Combines the cases of each scenario. The cases of a scenario must follow each other.
pub fn showings(cases: &[Case]) -> Vec<Showing> {
    cases.chunk_by(|one, next| one.file == next.file).map(of_scenario).collect()
}

fn of_scenario(cases: &[Case]) -> Showing {
    let first = &cases[0];
    Showing {
        name: first.name.clone(),
        file: first.file.clone(),
        ids: first.covers.iter().map(|cover| (cover.id.clone(), cover.line)).collect(),
        assertions: first.assertions,
        standing: standing(first, cases),
    }
}

/// Returns whether a scenario covers its ids. It must assert the outcome of each event and at least one fact, and hold
/// in every version.
fn standing(first: &Case, cases: &[Case]) -> Standing {
    if let Some(line) = first.unasserted {
        return Standing::Wrong(format!("line {line} asserts no outcome"));
    }
    if first.facts == 0 {
        return Standing::Wrong("no fact of state, effects or ledger is asserted".to_owned());
    }
    let other = |case: &&Case| ![HELD, KNOWN].contains(&case.status.as_str());
    if let Some(case) = cases.iter().find(other) {
        return Standing::Wrong(format!("it is {} in {}", case.status, case.version));
    }
    match cases.iter().find(|case| case.status == KNOWN) {
        Some(case) => Standing::NotYet(format!("it is known to fail in {}", case.version)),
        None => Standing::Shows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing_of(statuses: &[&str], facts: usize, unasserted: &str) -> Standing {
        let lines: Vec<String> = statuses
            .iter()
            .map(|status| {
                format!(
                    r#"{{"case":{{"name":"c","file":"c.yml","version":"v1","status":"{status}","assertions":3,"facts":{facts},"unasserted":{unasserted},"covers":[{{"id":"S1","line":2}}]}}}}"#
                )
            })
            .collect();
        let report = format!("{{\"event\":\"evt_1\"}}\n{}\n{{\"summary\":{{}}}}\n", lines.join("\n"));
        let showings = showings(&parse(&report).expect("a report"));
        assert_eq!(showings.len(), 1);
        assert_eq!(showings[0].ids, [("S1".to_owned(), 2)]);
        showings[0].standing.clone()
    }

    #[test]
    fn a_scenario_covers_its_ids_only_if_it_holds_in_every_version() {
        assert_eq!(standing_of(&["held", "held"], 1, "null"), Standing::Shows);
        assert_eq!(standing_of(&["held", "failed"], 1, "null"), Standing::Wrong("it is failed in v1".into()));
        assert_eq!(standing_of(&["known", "failed"], 1, "null"), Standing::Wrong("it is failed in v1".into()));
        assert_eq!(standing_of(&["held", "later"], 1, "null"), Standing::Wrong("it is later in v1".into()));
    }

    #[test]
    fn a_known_failure_covers_nothing_and_is_no_problem() {
        let known = Standing::NotYet("it is known to fail in v1".into());
        assert_eq!(standing_of(&["known", "known"], 1, "null"), known);
        assert_eq!(standing_of(&["held", "known"], 1, "null"), known);
    }

    #[test]
    fn a_scenario_must_assert_every_outcome_and_a_fact() {
        assert_eq!(standing_of(&["held"], 1, "8"), Standing::Wrong("line 8 asserts no outcome".into()));
        assert!(matches!(standing_of(&["held"], 0, "null"), Standing::Wrong(why) if why.contains("no fact")));
    }

    #[test]
    fn a_report_that_is_no_json_is_an_error() {
        assert!(parse("{}\nnothing\n").expect_err("no JSON").to_string().contains("line 2"));
    }
}
