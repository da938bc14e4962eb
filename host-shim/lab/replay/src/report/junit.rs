//! JUnit XML: one suite for each scenario file, with one case for each API version, and one suite for raw events, with
//! one case for each input.

use super::missing_answers;
use crate::play::CaseReport;
use crate::run::{Finished, RawEnd};
use host_scenario::error::Place;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// Returns the JUnit report of a replay.
///
/// # Errors
///
/// Fails if the XML can't be written.
pub fn junit(finished: &Finished) -> Result<String, String> {
    let mut report = Report::new("replay");
    let mut suite: Option<(String, TestSuite)> = None;
    for case in &finished.cases {
        let file = case.file.display().to_string();
        if suite.as_ref().is_none_or(|(known, _)| *known != file) {
            report.add_test_suites(suite.take().map(|(_, suite)| suite));
            suite = Some((file.clone(), TestSuite::new(file)));
        }
        if let Some((_, suite)) = &mut suite {
            suite.add_test_case(test_case(case));
        }
    }
    report.add_test_suites(suite.map(|(_, suite)| suite));
    if !finished.raw.is_empty() {
        let mut suite = TestSuite::new("raw events");
        suite.add_test_cases(finished.raw.iter().map(raw_case));
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| error.to_string())
}

fn raw_case(raw: &RawEnd) -> TestCase {
    let mut wrong: Vec<String> = raw.bad.iter().map(ToString::to_string).collect();
    if raw.failed > 0 {
        wrong.push(format!("{} events failed", raw.failed));
    }
    let mut status = TestCaseStatus::success();
    if !wrong.is_empty() {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(wrong.join("; "));
    }
    TestCase::new(format!("{}: {} events", raw.source, raw.events), status)
}

fn test_case(case: &CaseReport) -> TestCase {
    let mut status = TestCaseStatus::success();
    if let Some(known) = &case.known {
        status = TestCaseStatus::skipped();
        status.set_message(format!("known to fail: {known}"));
    } else if case.needs_answers() {
        status = TestCaseStatus::skipped();
        status.set_message(missing_answers(&case.passed_over));
    } else if let Some(first) = case.failures.first() {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let place = if first.line > 0 { format!("line {}: ", first.line) } else { String::new() };
        status.set_message(format!("{place}{}", first.title));
        let all: Vec<String> = case
            .failures
            .iter()
            .map(|f| format!("{}: {}\n{}", Place::line(&f.file, f.line), f.title, f.diff))
            .collect();
        status.set_description(all.join("\n"));
    }
    let mut test = TestCase::new(format!("{} ({})", case.name, case.version), status);
    test.set_time(case.took).set_assertions(case.assertions);
    test
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Summary;

    #[test]
    fn failed_raw_events_are_reported_next_to_a_successful_scenario() {
        let case = CaseReport {
            name: "a story".into(),
            file: "s.yml".into(),
            version: "2025-03-31.basil".into(),
            failures: Vec::new(),
            over: Vec::new(),
            known: None,
            passed_over: Vec::new(),
            lines: Vec::new(),
            summary: Summary::default(),
            snapshot: serde_json::Value::Null,
            effects: Vec::new(),
            assertions: 1,
            took: std::time::Duration::ZERO,
        };
        let raw = RawEnd { source: "a.jsonl".into(), events: 3, failed: 2, bad: None };
        let finished = Finished { summary: Summary::default(), cases: vec![case], raw: vec![raw], raised: Vec::new() };
        let text = junit(&finished).expect("XML");
        for part in ["a story", "raw events", "a.jsonl: 3 events", "2 events failed", "failures=\"1\""] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(finished.exit_code(), 1);
    }
}
