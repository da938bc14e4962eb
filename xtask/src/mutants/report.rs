//! Reports the results of mutants: a line for each survivor and a summary, or JSON.

use super::results::{Outcome, Results};
use super::{Mutant, Verdict};
use serde_json::json;

/// Format of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object.
    Json,
}

/// Prints the result of a mutant to standard error.
pub fn progress(mutant: &Mutant, outcome: &Outcome) {
    match &outcome.passed {
        None => eprintln!("caught    {:6.2} s  {}", outcome.seconds, mutant.id),
        Some(passed) => eprintln!("SURVIVED  {:6.2} s  {}: passes {passed}", outcome.seconds, mutant.id),
    }
}

/// Prints the report. Returns true if each mutant that must be caught was caught.
pub fn print(format: Format, chosen: &[&Mutant], results: &Results) -> bool {
    let (mut caught, mut expected, mut survived, mut seconds) = (0, Vec::new(), Vec::new(), 0.0);
    for mutant in chosen {
        if let Verdict::Survives(reason) = &mutant.verdict {
            expected.push((mutant, reason));
            continue;
        }
        let Some(outcome) = results.of(mutant) else { continue };
        seconds += outcome.seconds;
        match &outcome.passed {
            None => caught += 1,
            Some(passed) => survived.push((mutant, passed)),
        }
    }
    let is_good = survived.is_empty();
    match format {
        Format::Text => {
            for (mutant, passed) in &survived {
                println!("SURVIVED {}: {} passes\n    {}\n    with {}", mutant.id, passed, mutant.code, mutant.with);
            }
            let (all, kept) = (chosen.len(), expected.len());
            println!(
                "{all} mutants: {caught} caught in {seconds:.1} s, {kept} survive with a reason, {} survived",
                survived.len()
            );
        }
        Format::Json => {
            let survived: Vec<_> = survived
                .iter()
                .map(|(mutant, passed)| json!({"id": mutant.id, "file": mutant.file, "passed": passed}))
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(mutant, reason)| json!({"id": mutant.id, "file": mutant.file, "reason": reason}))
                .collect();
            let report = json!({
                "mutants": chosen.len(), "caught": caught, "survived": survived, "survives_with_reason": expected,
                "seconds": seconds,
            });
            println!("{report}");
        }
    }
    is_good
}
