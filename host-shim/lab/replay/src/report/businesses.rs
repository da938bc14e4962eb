//! The summary of replayed scenarios as text: a row for each business, and the known failures.

use super::needing;
use crate::play::CaseReport;
use host_scenario::business::business_above;
use host_scenario::model::Scenario;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Counts of the cases of one business.
#[derive(Debug, Default)]
struct Counts {
    cases: usize,
    events: u64,
    held: usize,
    known: usize,
    needs_answers: u64,
    took: Duration,
}

/// Counts cases by business.
#[derive(Debug, Default)]
pub(super) struct Businesses {
    counts: BTreeMap<String, Counts>,
    /// Names of the scenarios that are known to fail, by finding and reason.
    known: BTreeMap<(String, String), Vec<String>>,
}

impl Businesses {
    /// Adds the cases of a scenario.
    pub fn add(&mut self, scenario: &Scenario, reports: &[CaseReport]) {
        let counts = self.counts.entry(business_of(scenario)).or_default();
        for report in reports {
            counts.cases += 1;
            counts.events += report.summary.events;
            counts.held += usize::from(report.held());
            counts.known += usize::from(report.known.is_some());
            counts.needs_answers += u64::from(report.needs_answers());
            counts.took += report.took;
            if let Some(known) = &report.known {
                let names = self.known.entry((known.finding.clone(), known.reason.clone())).or_default();
                if names.last() != Some(&report.name) {
                    names.push(report.name.clone());
                }
            }
        }
    }

    /// The header row of the table.
    pub const HEAD: [&str; 5] = ["business", "cases", "events", "held", "time"];

    /// Returns a row for each business.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let row = |(name, counts): (&String, &Counts)| {
            let known = (counts.known > 0).then(|| format!(" + {} known to fail", counts.known));
            let missing = (counts.needs_answers > 0).then(|| format!(" + {}", needing(counts.needs_answers)));
            let held = [Some(counts.held.to_string()), known, missing].into_iter().flatten().collect::<String>();
            let took = format!("{:.1} s", counts.took.as_secs_f64());
            vec![name.clone(), counts.cases.to_string(), counts.events.to_string(), held, took]
        };
        self.counts.iter().map(row).collect()
    }

    /// Returns a paragraph for each known failure: the finding, its reason, and the scenarios.
    pub fn known_failures(&self) -> Vec<String> {
        let paragraph = |((finding, reason), names): (&(String, String), &Vec<String>)| {
            let scenarios: String = names.iter().map(|name| format!("\n  {name}")).collect();
            format!("known to fail, {finding}: {reason}{scenarios}")
        };
        self.known.iter().map(paragraph).collect()
    }
}

/// Returns the name of the business in the scenario, or that of the business's folder, or `-`.
fn business_of(scenario: &Scenario) -> String {
    let folder = business_above(&scenario.file);
    let folder = folder.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    scenario.given.business.clone().or(folder).unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Summary;
    use host_scenario::model::KnownFailure;
    use serde_json::Value;

    fn report(name: &str, known: Option<&str>) -> CaseReport {
        let known = known.map(|finding| KnownFailure { line: 1, finding: finding.into(), reason: "a gap".into() });
        CaseReport {
            name: name.into(),
            file: "x.yml".into(),
            version: "v1".into(),
            failures: Vec::new(),
            over: Vec::new(),
            known,
            passed_over: Vec::new(),
            lines: Vec::new(),
            summary: Summary { events: 3, ..Summary::default() },
            snapshot: Value::Null,
            effects: Vec::new(),
            assertions: 1,
            took: Duration::from_millis(250),
        }
    }

    fn scenario(business: &str) -> Scenario {
        let text = format!("name: x\ngiven:\n  business: {business}\nevents:\n  - stripe: invoice.paid\n");
        Scenario::parse(Path::new("no-such-folder/x.yml"), &text).expect("a scenario")
    }

    #[test]
    fn each_business_has_one_row_with_the_sums_of_its_cases() {
        let mut businesses = Businesses::default();
        businesses.add(&scenario("shop"), &[report("a", None), report("a", None)]);
        businesses.add(&scenario("shop"), &[report("b", Some("A1"))]);
        businesses.add(&scenario("bar"), &[report("c", None)]);
        let rows = businesses.rows();
        assert_eq!(rows[0], ["bar", "1", "3", "1", "0.2 s"]);
        assert_eq!(rows[1][..3], ["shop", "3", "9"].map(str::to_owned));
        assert!(rows[1][3].ends_with("+ 1 known to fail"), "{:?}", rows[1]);
    }

    #[test]
    fn a_known_failure_is_listed_once_with_its_reason_and_scenarios() {
        let mut businesses = Businesses::default();
        businesses.add(&scenario("shop"), &[report("a", Some("A1")), report("a", Some("A1"))]);
        businesses.add(&scenario("shop"), &[report("b", Some("A1"))]);
        assert_eq!(businesses.known_failures(), ["known to fail, A1: a gap\n  a\n  b"]);
    }
}
