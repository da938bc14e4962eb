//! The report of a simulation: human, or JSON lines, whose format is a contract.

use crate::simulate::{Found, Options, Simulated};
use host_engine::time;
use host_replay::report::printable;
use serde_json::json;
use std::io::{self, Write};

/// The command that repeats the simulation up to the day of a difference; `extension` is the option that selects the
/// extension.
fn again(options: &Options, extension: &str, found: &Found) -> String {
    let Options { business, customers, seed, .. } = options;
    let folder = business.folder.display();
    let only = found.customer.or(options.only).map(|number| format!(" --only {number}")).unwrap_or_default();
    let days = found.day + 1;
    format!("provisioner simulate {folder} --customers {customers} --seed {seed}{only} --days {days}{extension}")
}

/// Writes the report for people.
///
/// # Errors
///
/// Fails if writing to `out` fails.
pub fn human(out: &mut impl Write, simulated: &Simulated, options: &Options, extension: &str) -> io::Result<()> {
    for found in &simulated.found {
        let Found { day, clock, account, difference, .. } = found;
        writeln!(out, "{account} differs on day {day}, {}", time::text(*clock))?;
        writeln!(out, "  what       {}", printable(&difference.what))?;
        writeln!(out, "  should be  {}", printable(&difference.should_be))?;
        writeln!(out, "  is         {}", printable(&difference.is))?;
        writeln!(out, "  again      {}\n", again(options, extension, found))?;
    }
    for file in &simulated.written {
        writeln!(out, "written: {}", file.display())?;
    }
    let counts = &simulated.counts;
    let cut = if simulated.is_cut { ", ended early" } else { "" };
    writeln!(out, "{}: {} customers, {} customer days{cut}", options.business.name, counts.customers, counts.days)?;
    let lines = [
        ("moves", counts.moves, "moves of customers"),
        ("events", counts.events, "bodies delivered to the host"),
        ("repeated", counts.repeated, "of these, repeated events"),
        ("decisions", counts.decisions, "decided events, results, timers and messages"),
        ("faults", counts.faults, "provider calls that failed, were lost or late"),
        ("unknown", counts.unknown, "requests that move money, made again since their result was unknown"),
        ("refunds", counts.refunds, "refunds at Stripe"),
        ("transfers", counts.transfers, "transfers to creators"),
        ("crashes", counts.crashes, "crashes at a write, with a restart"),
        ("judged", counts.judged, "checks of an account against the oracle"),
        ("across", counts.across, "checks across all accounts of a host"),
        ("differences", simulated.found.len() as u64, ""),
        ("seed", options.seed, ""),
    ];
    for (name, count, meaning) in lines {
        writeln!(out, "{}", format!("  {name:<12} {count:>10}  {meaning}").trim_end())?;
    }
    Ok(())
}

/// Writes one line per difference, then the summary.
///
/// # Errors
///
/// Fails if writing to `out` fails.
pub fn json(out: &mut impl Write, simulated: &Simulated, options: &Options, extension: &str) -> io::Result<()> {
    for found in &simulated.found {
        let Found { day, clock, account, difference, .. } = found;
        let line = json!({"difference": {
            "day": day, "clock": time::text(*clock), "account": account, "what": difference.what,
            "should_be": difference.should_be, "is": difference.is, "again": again(options, extension, found),
        }});
        writeln!(out, "{line}")?;
    }
    for file in &simulated.written {
        writeln!(out, "{}", json!({"written": file.display().to_string()}))?;
    }
    let counts = &simulated.counts;
    let summary = json!({"summary": {
        "business": options.business.name, "customers": counts.customers, "days": counts.days, "moves": counts.moves,
        "events": counts.events, "repeated": counts.repeated, "decisions": counts.decisions, "faults": counts.faults,
        "unknown": counts.unknown, "refunds": counts.refunds, "transfers": counts.transfers, "crashes": counts.crashes,
        "judged": counts.judged, "across": counts.across, "differences": simulated.found.len(),
        "ended_early": simulated.is_cut, "seed": options.seed,
    }});
    writeln!(out, "{summary}")
}
