//! JUnit XML, one suite a scenario file and one case an API version.

use crate::play::CaseReport;
use crate::run::Finished;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The report of a replay.
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
    if finished.cases.is_empty() {
        let mut suite = TestSuite::new("raw events");
        let mut status = TestCaseStatus::success();
        if finished.any_failed || finished.bad.is_some() {
            status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let bad = finished.bad.as_ref().map(ToString::to_string);
            status.set_message(bad.unwrap_or_else(|| format!("{} events failed", finished.summary.failed)));
        }
        suite.add_test_case(TestCase::new(format!("{} events", finished.summary.events), status));
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| error.to_string())
}

fn test_case(case: &CaseReport) -> TestCase {
    let mut status = TestCaseStatus::success();
    if let Some(first) = case.failures.first() {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(format!("line {}: {}", first.line, first.title));
        let all: Vec<String> =
            case.failures.iter().map(|f| format!("{}:{}: {}\n{}", f.file.display(), f.line, f.title, f.diff)).collect();
        status.set_description(all.join("\n"));
    }
    let mut test = TestCase::new(format!("{} ({})", case.name, case.version), status);
    test.set_time(case.took).set_assertions(case.assertions);
    test
}
