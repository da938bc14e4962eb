//! The report of an exploration: human, JSON lines, GitHub annotations, JUnit.

use crate::explorer::{Counts, Explored, Finding, VariantKind};
use host_replay::report::github::{annotation, notice};
use host_replay::report::printable;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A finding with the file of its shortest story and the command that reproduces it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The finding.
    pub finding: Finding,
    /// Command that reproduces the finding.
    pub again: String,
    /// File of the failing scenario.
    pub file: PathBuf,
    /// Line of the explored story at which the law breaks, from 1; 0 if it breaks without any step.
    pub line: usize,
}

struct StoryReport {
    file: PathBuf,
    explored: Explored,
    found: Vec<Found>,
}

/// The report on all stories.
pub struct Report {
    took: Duration,
    seed: u64,
    stories: Vec<StoryReport>,
    /// Number of stories that were not begun.
    pub left_out: usize,
}

impl Report {
    /// Creates an empty report of an exploration.
    pub fn new(took: Duration, seed: u64) -> Report {
        Report { took, seed, stories: Vec::new(), left_out: 0 }
    }

    /// Adds the result of a story.
    pub fn add(&mut self, file: &Path, explored: Explored, found: Vec<Found>) {
        self.stories.push(StoryReport { file: file.to_owned(), explored, found });
    }

    /// True if a law was broken.
    pub fn broke(&self) -> bool {
        self.counts().values().any(|counts| counts.broken > 0)
    }

    /// Counts by kind over all stories.
    pub fn counts(&self) -> BTreeMap<VariantKind, Counts> {
        let mut all: BTreeMap<VariantKind, Counts> = BTreeMap::new();
        for (kind, counts) in self.stories.iter().flat_map(|story| &story.explored.counts) {
            let sum = all.entry(*kind).or_default();
            sum.variants += counts.variants;
            sum.runs += counts.runs;
            sum.broken += counts.broken;
        }
        all
    }

    fn decisions(&self) -> u64 {
        self.stories.iter().map(|story| story.explored.decisions).sum()
    }

    fn ended_early(&self) -> usize {
        self.stories.iter().filter(|story| story.explored.ended_early).count()
    }

    /// The findings, then a table of counts.
    pub fn human(&self) -> String {
        let mut out = String::new();
        for found in self.stories.iter().flat_map(|story| &story.found) {
            let Found { finding, again, file, .. } = found;
            let _ = writeln!(out, "BROKEN  {}: {}", finding.kind, finding.breach.law);
            let _ = writeln!(out, "  {}", printable(&finding.breach.what));
            let _ = writeln!(out, "  {}", printable(&finding.variant));
            let _ = writeln!(out, "  shortest story, {} steps: {}", finding.plan.acts.len(), file.display());
            let _ = writeln!(out, "  again: {again}\n");
        }
        let _ = writeln!(out, "{:10} {:>12} {:>12} {:>12}", "", "variants", "runs", "broken");
        for (kind, Counts { variants, runs, broken }) in self.counts() {
            let _ = writeln!(out, "{:10} {variants:>12} {runs:>12} {broken:>12}", kind.to_string());
        }
        let stories = self.stories.len();
        let seconds = self.took.as_secs_f64();
        let a_second = self.decisions() as f64 / seconds.max(0.001);
        let _ = writeln!(
            out,
            "{stories} stories, {} decisions in {seconds:.1} s, {a_second:.0} a second; seed {}",
            self.decisions(),
            self.seed
        );
        if self.ended_early() + self.left_out > 0 {
            let _ = writeln!(
                out,
                "time was up: {} stories were ended early, {} not begun",
                self.ended_early(),
                self.left_out
            );
        }
        out
    }

    /// JSON lines: one per finding, then one with the counts.
    pub fn json(&self) -> String {
        let mut out = String::new();
        for story in &self.stories {
            for Found { finding, again, file, .. } in &story.found {
                let steps: Vec<usize> = finding.plan.acts.iter().map(|act| act.step).collect();
                let line = json!({"broken": {
                    "story": story.explored.name, "file": story.file.display().to_string(), "kind": finding.kind,
                    "law": finding.breach.law, "what": finding.breach.what, "variant": finding.variant, "steps": steps.len(),
                    "written": file.display().to_string(), "again": again,
                }});
                let _ = writeln!(out, "{line}");
            }
        }
        let kinds: BTreeMap<String, Counts> =
            self.counts().into_iter().map(|(kind, counts)| (kind.to_string(), counts)).collect();
        let summary = json!({"summary": {
            "stories": self.stories.len(), "variants": kinds, "decisions": self.decisions(), "seed": self.seed,
            "ended_early": self.ended_early(), "left_out": self.left_out,
        }});
        let _ = writeln!(out, "{summary}");
        out
    }

    /// GitHub annotations: an error per finding at the step where the story breaks, and a notice with the counts.
    pub fn github(&self) -> String {
        let mut out = String::new();
        for story in &self.stories {
            for Found { finding, again, file, line } in &story.found {
                let title = format!("{}, {}: {}", story.explored.name, finding.kind, finding.breach.law);
                let steps = finding.plan.acts.len();
                let text = format!(
                    "{}\n{}\nshortest story, {steps} steps: {}\nagain: {again}",
                    finding.breach.what,
                    finding.variant,
                    file.display()
                );
                annotation(&mut out, Some((&story.file, *line)), &title, &text);
            }
        }
        let sum = |of: fn(&Counts) -> u64| self.counts().values().map(of).sum::<u64>();
        let (variants, broken) = (sum(|counts| counts.variants), sum(|counts| counts.broken));
        let stories = self.stories.len();
        let mut text = format!("{stories} stories, {variants} variants, {broken} broke a law; seed {}", self.seed);
        if self.ended_early() + self.left_out > 0 {
            let _ = write!(text, "; time was up: {} ended early, {} not begun", self.ended_early(), self.left_out);
        }
        notice(&mut out, "explore", &text);
        out
    }

    /// JUnit XML with a test case per story and kind.
    ///
    /// # Errors
    ///
    /// Fails if the report can't be written as XML.
    pub fn junit(&self) -> Result<String, String> {
        let mut report = quick_junit::Report::new("provisioner explore");
        let mut suite = TestSuite::new("explore");
        for story in &self.stories {
            for (kind, counts) in &story.explored.counts {
                let broken = story.found.iter().filter(|found| found.finding.kind == *kind);
                let findings: Vec<String> = broken
                    .map(|found| {
                        format!("{}: {}\n{}", found.finding.breach.law, found.finding.breach.what, found.again)
                    })
                    .collect();
                let status = match counts.broken {
                    0 => TestCaseStatus::success(),
                    _ => {
                        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                        status.set_message(format!("{} of {} variants broke a law", counts.broken, counts.variants));
                        status.set_description(printable(&findings.join("\n")));
                        status
                    }
                };
                let mut case = TestCase::new(format!("{}: {kind}", story.explored.name), status);
                case.set_classname(story.file.display().to_string());
                suite.add_test_case(case);
            }
        }
        report.add_test_suite(suite);
        report.to_string().map_err(|error| error.to_string())
    }
}
