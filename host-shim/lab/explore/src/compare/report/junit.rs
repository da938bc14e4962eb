//! JUnit XML: one suite with a case per cause, and one case for the fuel.

use crate::compare::{Comparison, Options};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// Returns the report as XML.
///
/// # Errors
///
/// Fails if a text can't be written as XML.
pub fn junit(comparison: &Comparison, options: &Options) -> Result<String, String> {
    let mut suite = TestSuite::new(format!("{} -> {}", comparison.old, comparison.new));
    for cause in &comparison.causes {
        let name = format!("{} of {}: {}", cause.key.field, cause.key.kind, cause.key.form);
        let text = format!("{} times, {} events follow", cause.count, cause.follows);
        let mut status = match cause.allowed {
            true => TestCaseStatus::skipped(),
            false => TestCaseStatus::non_success(NonSuccessKind::Failure),
        };
        status.set_message(text);
        if !cause.allowed {
            status.set_description(format!("{}, {}\n{}", cause.first.event, cause.first.place, cause.first.diff));
        }
        suite.add_test_case(TestCase::new(name, status));
    }
    let (total, beyond) = (comparison.fuel.total(), comparison.fuel.beyond(options));
    let status = match beyond.is_empty() {
        true => TestCaseStatus::success(),
        false => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(format!("too much for {}", beyond.join(", ")));
            status
        }
    };
    let name = format!("fuel: {} -> {} ({}), {} runs", total.old, total.new, total.more(), comparison.runs);
    suite.add_test_case(TestCase::new(name, status));
    let mut report = Report::new("compare");
    report.add_test_suite(suite);
    report.to_string().map_err(|error| error.to_string())
}
