//! JSON lines: one per event kind, one per item, then a summary. The fields and their order are a contract.

use crate::coverage::items::{Clauses, Coverage, OUTCOMES};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

#[derive(Serialize)]
struct Kind<'a> {
    kind: KindLine<'a>,
}

#[derive(Serialize)]
struct KindLine<'a> {
    name: &'a str,
    declared: bool,
    outcomes: BTreeMap<&'static str, u64>,
    refusals: &'a BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct Item<'a> {
    item: ItemLine<'a>,
}

#[derive(Serialize)]
struct ItemLine<'a> {
    section: &'a str,
    name: &'a str,
    reached: u64,
    place: Option<&'a str>,
    when: Option<&'static str>,
}

#[derive(Serialize)]
struct Summary<'a> {
    summary: SummaryLine<'a>,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    held: usize,
    not_held: &'a [String],
    known: usize,
    sections: Vec<SectionLine<'a>>,
    catalog: Value,
}

#[derive(Serialize)]
struct SectionLine<'a> {
    name: &'a str,
    reached: usize,
    of: usize,
    below: bool,
}

/// Writes the report. `min` is the required share of each section in percent.
///
/// # Errors
///
/// Fails if writing to `out` fails.
pub fn json(coverage: &Coverage, min: u32, out: &mut dyn Write) -> io::Result<()> {
    for row in &coverage.kinds {
        let outcomes = OUTCOMES.into_iter().zip(row.outcomes).collect();
        let kind = KindLine { name: &row.kind, declared: row.declared, outcomes, refusals: &row.refusals };
        line(&Kind { kind }, out)?;
    }
    for section in &coverage.sections {
        for item in &section.items {
            let (place, when) = (item.place.as_deref(), item.when);
            let item = ItemLine { section: &section.name, name: &item.name, reached: item.reached, place, when };
            line(&Item { item }, out)?;
        }
    }
    let sections = coverage.sections.iter().map(|section| {
        let (reached, of, below) = (section.reached(), section.items.len(), !section.reaches(min));
        SectionLine { name: &section.name, reached, of, below }
    });
    let catalog = match &coverage.clauses {
        Clauses::Measured => json!("measured"),
        Clauses::Unknown { extension, known } => json!({"unknown": {"extension": extension, "known": known}}),
    };
    let sections = sections.collect();
    let (held, not_held, known) = (coverage.held, coverage.not_held.as_slice(), coverage.known);
    line(&Summary { summary: SummaryLine { held, not_held, known, sections, catalog } }, out)?;
    out.flush()
}

fn line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
