//! JSON lines: one per cause, one per kind of event with compared fuel, then a summary. The format is a contract.

use crate::compare::{Comparison, Options};
use serde_json::json;
use std::io::{self, Write};

/// Writes the lines.
///
/// # Errors
///
/// Fails if writing to `out` fails.
pub fn json(out: &mut dyn Write, comparison: &Comparison, options: &Options) -> io::Result<()> {
    for cause in &comparison.causes {
        writeln!(out, "{}", json!({"cause": cause.json()}))?;
    }
    let beyond = comparison.fuel.beyond(options);
    for (kind, spent) in &comparison.fuel.kinds {
        let too_much = beyond.contains(kind);
        let fuel = json!({"kind": kind, "runs": spent.runs, "old": spent.old, "new": spent.new, "too_much": too_much});
        writeln!(out, "{}", json!({"fuel": fuel}))?;
    }
    let total = comparison.fuel.total();
    let sum = |allowed: bool| -> u64 {
        let causes = comparison.causes.iter().filter(|cause| cause.allowed == allowed);
        causes.map(|cause| cause.count + cause.follows).sum()
    };
    let record = comparison
        .record
        .as_ref()
        .map(|record| json!({"events": record.events, "differing": record.differing, "first": record.first}));
    let summary = json!({
        "old": comparison.old, "new": comparison.new, "cases": comparison.cases, "runs": comparison.runs,
        "differences": sum(false), "allowed": sum(true), "causes": comparison.causes.len(),
        "fuel": {"runs": total.runs, "old": total.old, "new": total.new, "too_much": !beyond.is_empty()},
        "record": record, "differs": comparison.differs(options),
    });
    writeln!(out, "{}", json!({"summary": summary}))
}
