//! The human-readable report: a table, followed by the failures.

use super::businesses::Businesses;
use super::{Told, answers, failures, missing_answers, needing, printable};
use crate::line::{Line, StreamLine, Summary};
use crate::play::CaseReport;
use crate::run::Sink;
use comfy_table::{ContentArrangement, Table, presets};
use host_scenario::model::Scenario;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Colours, if enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
    fn good(self, text: &str) -> String {
        self.with("32", text)
    }
    fn bad(self, text: &str) -> String {
        self.with("31", text)
    }
}

/// A sink that collects cases, streams and raw events, and writes a report at the end. For scenarios, the report has a
/// row for each business or, if there are few cases, for each case; then each failure with its difference; then the
/// known failures with their reasons.
pub struct Human<W, P> {
    out: W,
    paint: Paint,
    width: Option<u16>,
    verbose: bool,
    businesses: Businesses,
    cases: Vec<Vec<String>>,
    streams: Vec<Vec<String>>,
    events: Vec<Vec<String>>,
    failures: Vec<Told>,
    /// A paragraph for each case whose scripted answers were not used.
    passed_over: Vec<String>,
    held: usize,
    /// Ids of the findings of the known failures.
    known: BTreeSet<String>,
    played: usize,
    scenarios: bool,
    /// Name of the input of the last input event; empty if there is only one input.
    source: String,
    /// Called with the number of inputs at the beginning, then with 0 after each input.
    progress: P,
}

/// The maximum number of raw events that are listed. If there are more, only the counts are shown.
const EVENTS_SHOWN_MAX: usize = 200;
/// The maximum number of differences that are listed for a case that needs answers.
const DIFFERENCES_SHOWN_MAX: usize = 3;
/// The maximum number of cases that get their own rows without `--verbose`.
const CASES_SHOWN_MAX: usize = 20;

impl<W: Write, P: FnMut(usize)> Human<W, P> {
    /// Returns a sink for a writer; `progress` is called with the number of inputs, then with 0 after each input.
    pub fn new(out: W, colour: bool, width: Option<u16>, progress: P) -> Self {
        Human {
            out,
            paint: Paint(colour),
            width,
            verbose: false,
            businesses: Businesses::default(),
            cases: Vec::new(),
            streams: Vec::new(),
            events: Vec::new(),
            failures: Vec::new(),
            passed_over: Vec::new(),
            held: 0,
            known: BTreeSet::new(),
            played: 0,
            scenarios: false,
            source: String::new(),
            progress,
        }
    }

    /// If `verbose` is true, lists all cases, even if there are many.
    #[must_use]
    pub fn verbose(self, verbose: bool) -> Self {
        Human { verbose, ..self }
    }

    /// Returns a text with the number of cases that are known to fail and the ids of their findings; empty if there are
    /// none.
    fn known_to_fail(&self, summary: &Summary) -> String {
        let mut findings: Vec<&str> = self.known.iter().map(String::as_str).collect();
        findings.sort_by_key(|id| (id.chars().next(), id.len()));
        match findings.is_empty() {
            true => String::new(),
            false => format!(", {} known to fail ({})", summary.known, findings.join(", ")),
        }
    }

    fn add_event(&mut self, mut row: Vec<String>) {
        if !self.source.is_empty() {
            row.insert(0, self.source.clone());
        }
        self.events.push(row);
    }

    fn table(&self, head: &[&str], rows: &[Vec<String>]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        if let Some(width) = self.width {
            table.set_width(width);
        }
        table.set_header(head);
        for row in rows {
            table.add_row(row.iter().map(|cell| printable(cell)));
        }
        table
    }
}

impl<W: Write, P: FnMut(usize)> Sink for Human<W, P> {
    fn begin(&mut self, inputs: usize) {
        (self.progress)(inputs);
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        if self.events.len() > EVENTS_SHOWN_MAX {
            return Ok(());
        }
        let row = match line {
            Line::Input(line) => {
                // The lines of derived events have no source. They follow a line of their input, so they keep this
                // source.
                self.source = line.source.clone().unwrap_or_default();
                (String::new(), &line.event, line.kind.as_str(), line.outcome, &line.reason, &line.effects)
            }
            Line::Derived { derived } => (
                "derived".to_owned(),
                &derived.event,
                derived.kind.as_str(),
                derived.outcome,
                &derived.reason,
                &derived.effects,
            ),
            Line::Later { later } => {
                let none: Vec<crate::line::EffectLine> = Vec::new();
                let row = event_row("later", &later.event, "", later.outcome, &later.reason, none.len());
                self.add_event(row);
                return Ok(());
            }
        };
        let (mark, event, kind, outcome, reason, effects) = row;
        let row = event_row(&mark, event, kind, outcome, reason, effects.len());
        self.add_event(row);
        Ok(())
    }

    fn cases(&mut self, scenario: &Scenario, reports: &[CaseReport]) -> io::Result<()> {
        self.scenarios = true;
        self.events.clear();
        for report in reports {
            self.played += 1;
            self.held += usize::from(report.held());
            self.cases.push(vec![
                report.name.clone(),
                report.version.clone(),
                report.summary.events.to_string(),
                report.assertions.to_string(),
                result_of(report),
                format!("{:.1} ms", report.took.as_secs_f64() * 1000.0),
            ]);
            if let Some(known) = &report.known {
                self.known.insert(known.finding.clone());
            }
            self.passed_over.extend(passed_over(report));
        }
        self.failures.extend(failures(reports));
        self.businesses.add(scenario, reports);
        (self.progress)(0);
        Ok(())
    }

    fn stream(&mut self, stream: &StreamLine, summary: &Summary) -> io::Result<()> {
        self.streams.push(vec![
            stream.source.clone(),
            counts(summary),
            stream.state.get(..12).unwrap_or_default().to_owned(),
        ]);
        (self.progress)(0);
        Ok(())
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        if self.scenarios && !self.verbose && self.cases.len() > CASES_SHOWN_MAX {
            writeln!(self.out, "{}", self.table(&Businesses::HEAD, &self.businesses.rows()))?;
        } else if self.scenarios {
            let table = self.table(&["scenario", "API version", "events", "assertions", "result", "time"], &self.cases);
            writeln!(self.out, "{table}")?;
        } else if self.events.len() <= EVENTS_SHOWN_MAX {
            let head = ["source", "", "event", "type", "outcome", "reason", "effects"];
            let head = if self.source.is_empty() { &head[1..] } else { &head };
            let table = self.table(head, &self.events);
            writeln!(self.out, "{table}")?;
        }
        if !self.scenarios && !self.streams.is_empty() {
            writeln!(self.out, "{}", self.table(&["source", "events", "state"], &self.streams))?;
        }
        for told in &self.failures {
            let (name, failure) = (told.heading(), &told.failure);
            let place = host_scenario::error::Place::line(&failure.file, failure.line);
            let (name, place) = (printable(&name), place.to_string());
            let place = printable(&place);
            writeln!(self.out, "\n{} {name}\n  {place}: {}", self.paint.bad("FAILED"), printable(&failure.title))?;
            for line in failure.diff.lines() {
                let line = &*printable(line);
                let painted = match line.as_bytes().first() {
                    Some(b'+') => self.paint.good(line),
                    Some(b'-') => self.paint.bad(line),
                    _ => line.to_owned(),
                };
                writeln!(self.out, "  {painted}")?;
            }
        }
        for known in self.businesses.known_failures() {
            writeln!(self.out)?;
            for line in known.lines() {
                writeln!(self.out, "{}", printable(line))?;
            }
        }
        for paragraph in &self.passed_over {
            writeln!(self.out)?;
            for line in paragraph.lines() {
                writeln!(self.out, "{}", printable(line))?;
            }
        }
        if self.scenarios {
            let missing = match summary.needs_answers {
                0 => String::new(),
                number => format!(", {}", needing(number)),
            };
            let text = format!("{} of {} cases held{}{missing}", self.held, self.played, self.known_to_fail(summary));
            let painted = if self.failures.is_empty() { self.paint.good(&text) } else { self.paint.bad(&text) };
            writeln!(self.out, "{painted}")?;
        }
        writeln!(self.out, "{}; state {}", counts(summary), summary.state)?;
        self.out.flush()
    }
}

/// Returns a paragraph about a case whose answers were not used: whether it needs them, and the expectations that
/// failed without them.
fn passed_over(report: &CaseReport) -> Option<String> {
    let (name, kinds) = (&report.name, answers(&report.passed_over));
    if report.passed_over.is_empty() {
        return None;
    }
    if !report.needs_answers() {
        return Some(format!("{name}: live providers carried out effects that it has answers for: {kinds}"));
    }
    let mut paragraph = format!("{name} {}", missing_answers(&report.passed_over));
    for failure in report.failures.iter().take(DIFFERENCES_SHOWN_MAX) {
        let place = host_scenario::error::Place::line(&failure.file, failure.line);
        paragraph.push_str(&format!("\n  {place}: {}", failure.title));
    }
    let more = report.failures.len().saturating_sub(DIFFERENCES_SHOWN_MAX);
    if more > 0 {
        paragraph.push_str(&format!("\n  and {more} more differences"));
    }
    Some(paragraph)
}

/// Returns the result of a case, in one or two words.
fn result_of(report: &CaseReport) -> String {
    match &report.known {
        Some(known) => format!("known {}", known.finding),
        None if report.held() => "held".to_owned(),
        None if report.needs_answers() => "needs answers".to_owned(),
        None => "FAILED".to_owned(),
    }
}

fn event_row(
    mark: &str,
    event: &str,
    kind: &str,
    outcome: &str,
    reason: &Option<String>,
    effects: usize,
) -> Vec<String> {
    let effects = if effects == 0 { String::new() } else { effects.to_string() };
    let reason = reason.clone().unwrap_or_default();
    vec![mark.to_owned(), event.to_owned(), kind.to_owned(), outcome.to_owned(), reason, effects]
}

fn counts(summary: &Summary) -> String {
    let parts = [
        ("applied", summary.applied),
        ("duplicate", summary.duplicate),
        ("stale", summary.stale),
        ("ignored", summary.ignored),
        ("deferred", summary.deferred),
        ("rejected", summary.rejected),
        ("failed", summary.failed),
    ];
    let found: Vec<String> = parts.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{n} {name}")).collect();
    format!("{} events: {}", summary.events, if found.is_empty() { "none".to_owned() } else { found.join(", ") })
}
