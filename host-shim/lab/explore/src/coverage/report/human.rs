//! The human-readable report: a table, the items that were not reached, and the counts.

use crate::coverage::items::{Clauses, Coverage, Item, KindRow, OUTCOMES, Section};
use host_replay::report::printable;
use std::io::{self, Write};

/// Maximum width of a line of names.
const WIDTH: usize = 120;

/// Writes the report. `min` is the required share of each section in percent.
///
/// # Errors
///
/// Fails if writing to `out` fails.
pub fn human(coverage: &Coverage, min: u32, out: &mut dyn Write) -> io::Result<()> {
    table(&coverage.kinds, out)?;
    for section in &coverage.sections {
        holes(section, out)?;
    }
    if !coverage.not_held.is_empty() {
        writeln!(out, "\ndid not hold, so they do not count; `provisioner replay` shows why:")?;
        coverage.not_held.iter().try_for_each(|what| writeln!(out, "  {}", printable(what)))?;
        if coverage.known > 0 {
            writeln!(out, "  {} of these are marked known_to_fail", coverage.known)?;
        }
    }
    writeln!(out)?;
    let width = coverage.sections.iter().map(|section| section.name.chars().count()).max().unwrap_or_default();
    for section in &coverage.sections {
        let below = if section.reaches(min) { String::new() } else { format!("  below {min} %") };
        let (reached, all) = (section.reached(), section.items.len());
        let share = (reached * 100).checked_div(all).map_or_else(|| "-".to_owned(), |share| format!("{share} %"));
        writeln!(out, "{:width$}  {reached:>5} of {all:<5} {share:>6}{below}", printable(&section.name))?;
    }
    if let Clauses::Unknown { extension, known } = &coverage.clauses {
        writeln!(
            out,
            "catalog: not measured; the extension is `{}`, but only the catalog language of `{known}` is known",
            printable(extension)
        )?;
    }
    let all = coverage.held + coverage.not_held.len();
    writeln!(out, "{} of {all} scenarios and streams count", coverage.held)?;
    out.flush()
}

/// Event kinds by outcome, with a dot for zero.
fn table(kinds: &[KindRow], out: &mut dyn Write) -> io::Result<()> {
    let shown: Vec<&KindRow> = kinds.iter().filter(|row| row.outcomes.iter().any(|count| *count > 0)).collect();
    let width = shown.iter().map(|row| row.kind.chars().count()).max().unwrap_or_default().max("event kind".len());
    write!(out, "{:width$}", "event kind")?;
    OUTCOMES.iter().try_for_each(|outcome| write!(out, " {outcome:>9}"))?;
    writeln!(out, "  refusals")?;
    for row in shown {
        write!(out, "{:width$}", printable(&row.kind))?;
        for count in row.outcomes {
            let cell = if count == 0 { "·".to_owned() } else { count.to_string() };
            write!(out, " {cell:>9}")?;
        }
        let codes: Vec<String> = row.refusals.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let undeclared = if row.declared { "" } else { "  (not declared)" };
        let line = format!("  {}{undeclared}", codes.join(", "));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Names, and places if known, of the items that were not reached.
fn holes(section: &Section, out: &mut dyn Write) -> io::Result<()> {
    let missing: Vec<&Item> = section.holes().collect();
    if missing.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}: {} of {} not reached", printable(&section.name), missing.len(), section.items.len())?;
    if missing.iter().all(|item| item.place.is_none()) {
        let mut line = String::new();
        for (at, item) in missing.iter().enumerate() {
            let end = if at + 1 == missing.len() { "" } else { "," };
            if !line.is_empty() && line.len() + item.name.len() + 3 > WIDTH {
                writeln!(out, "  {line}")?;
                line.clear();
            }
            let gap = if line.is_empty() { "" } else { " " };
            line = format!("{line}{gap}{}{end}", printable(&item.name));
        }
        return writeln!(out, "  {line}");
    }
    for item in missing {
        let place = item.place.as_deref().unwrap_or_default();
        let when = item.when.map_or_else(String::new, |when| format!("; reached when {when}"));
        writeln!(out, "  {}: {}{when}", printable(place), printable(&item.name))?;
    }
    Ok(())
}
