//! The human-readable report.

use crate::compare::causes::Cause;
use crate::compare::fuel::Spent;
use crate::compare::{Comparison, Options};
use host_replay::report::printable;
use std::io::{self, Write};

/// Maximum number of shown lines of a cause's first difference.
const DIFF_LINES_MAX: usize = 40;

/// Writes the report, with terminal colours if `colour`.
///
/// # Errors
///
/// Fails if writing to `out` fails.
pub fn human(out: &mut dyn Write, comparison: &Comparison, options: &Options, colour: bool) -> io::Result<()> {
    let paint = |code: &str, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    writeln!(out, "OLD {}\nNEW {}", printable(&comparison.old), printable(&comparison.new))?;
    if let Some(record) = &comparison.record {
        let text = match (&record.first, record.differing) {
            (Some(first), differing) => {
                format!("OLD differs from the log in {differing} of {} events; the first: {first}", record.events)
            }
            (None, _) => format!("OLD equals the log in all {} events", record.events),
        };
        writeln!(out, "{}", printable(&text))?;
    }
    for cause in &comparison.causes {
        let mark = if cause.allowed { paint("33", "allowed") } else { paint("31", "DIFFERS") };
        writeln!(out, "\n{mark} {}", printable(&heading(cause)))?;
        let first = &cause.first;
        let of = first.account.as_ref().map(|account| format!(" of {account}")).unwrap_or_default();
        writeln!(out, "  first: {}", printable(&format!("{}{of}, {}", first.event, first.place)))?;
        let lines: Vec<&str> = first.diff.lines().collect();
        for line in lines.iter().take(DIFF_LINES_MAX) {
            let line = &*printable(line);
            let painted = match line.as_bytes().first() {
                Some(b'+') => paint("32", line),
                Some(b'-') => paint("31", line),
                _ => line.to_owned(),
            };
            writeln!(out, "  {painted}")?;
        }
        if lines.len() > DIFF_LINES_MAX {
            writeln!(out, "  … {} more lines", lines.len() - DIFF_LINES_MAX)?;
        }
    }
    fuel(out, comparison, options)?;
    let text = verdict(comparison);
    let code = if comparison.differs(options) { "31" } else { "32" };
    writeln!(out, "\n{}", paint(code, &text))
}

/// A cause in one line.
pub(super) fn heading(cause: &Cause) -> String {
    let times = if cause.count == 1 { String::new() } else { format!(" ×{}", cause.count) };
    let follows = match cause.follows {
        0 => String::new(),
        1 => "; 1 event follows".to_owned(),
        many => format!("; {many} events follow"),
    };
    format!("{} of {}{times}: {}{follows}", cause.key.field, cause.key.kind, cause.key.form)
}

fn fuel(out: &mut dyn Write, comparison: &Comparison, options: &Options) -> io::Result<()> {
    let total = comparison.fuel.total();
    if total.runs == 0 {
        return writeln!(out, "\nfuel: not compared, at least one side runs natively");
    }
    let beyond = comparison.fuel.beyond(options);
    let line = |kind: &str, spent: &Spent| {
        let mark = if beyond.iter().any(|name| name == kind) { "  TOO MUCH" } else { "" };
        format!("{} -> {} ({}) in {} runs{mark}", spent.old, spent.new, spent.more(), spent.runs)
    };
    writeln!(out, "\nfuel: {}", line("all", &total))?;
    for (kind, spent) in comparison.fuel.kinds.iter().filter(|(_, spent)| spent.old != spent.new) {
        writeln!(out, "  {}: {}", printable(kind), line(kind, spent))?;
    }
    Ok(())
}

/// The comparison in one line.
pub(super) fn verdict(comparison: &Comparison) -> String {
    let (allowed, failing): (Vec<&Cause>, Vec<&Cause>) = comparison.causes.iter().partition(|cause| cause.allowed);
    let sum = |causes: &[&Cause]| causes.iter().map(|cause| cause.count + cause.follows).sum::<u64>();
    let differences = match (failing.len(), allowed.len()) {
        (0, 0) => "no difference".to_owned(),
        (failing_causes, 0) => format!("{} differences of {failing_causes} causes", sum(&failing)),
        (0, allowed_causes) => format!("{} differences of {allowed_causes} causes, all of them allowed", sum(&allowed)),
        (failing_causes, allowed_causes) => format!(
            "{} differences of {failing_causes} causes, and {} of {allowed_causes} allowed causes",
            sum(&failing),
            sum(&allowed)
        ),
    };
    format!("{differences} in {} runs of {} cases", comparison.runs, comparison.cases)
}
