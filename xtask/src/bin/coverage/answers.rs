//! Reads which ids are answered by the documents in `docs/decisions`: rows of tables whose first cell is an id.
//!
//! A row contains the id, the question, the decision and where the decision is held: `| D-50 | … | … | … |`.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The answer to an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Path of the document below the root, and the line of the row.
    pub place: String,
    /// Number of non-empty cells after the id; an answer has three.
    said: usize,
}

impl Answer {
    /// Returns what is wrong with the row, if anything.
    pub fn fault(&self) -> Option<String> {
        let cells = self.said;
        (cells != CELLS).then(|| {
            format!("has {cells} cells that say something; expected {CELLS}: question, decision, where it is held")
        })
    }
}

/// Number of cells in a row after its id.
const CELLS: usize = 3;

/// Reads the answers in all documents of the folder, by id.
///
/// # Errors
///
/// Fails if a document can't be read.
pub fn read(root: &Path, folder: &str) -> Result<BTreeMap<String, Answer>> {
    let mut answers = BTreeMap::new();
    let whole = root.join(folder);
    let entries = fs::read_dir(&whole).with_context(|| format!("cannot read {}", whole.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names.iter().filter(|name| name.ends_with(".md")) {
        let text = fs::read_to_string(whole.join(name)).with_context(|| format!("cannot read {folder}/{name}"))?;
        answers.extend(parse(&text, &format!("{folder}/{name}")));
    }
    Ok(answers)
}

/// Returns the answers of one document.
fn parse(text: &str, document: &str) -> BTreeMap<String, Answer> {
    let rows = text.lines().enumerate().filter_map(|(at, line)| {
        let mut cells = line.strip_prefix('|')?.trim_end().strip_suffix('|')?.split('|').map(str::trim);
        let id = cells.next().filter(|id| is_id(id))?;
        let said = cells.filter(|cell| !cell.is_empty()).count();
        Some((id.to_owned(), Answer { place: format!("{document}:{}", at + 1), said }))
    });
    rows.collect()
}

/// Returns true for the form of an id: capital letters, then a dash (except for the scenarios of Stripe) and a number.
fn is_id(text: &str) -> bool {
    let letters = text.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
    let number = letters.strip_prefix('-').unwrap_or(letters);
    letters.len() < text.len() && !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_begin_with_an_id_are_answers() {
        let text = "# D-01\n\n| id | question | decision | held by |\n|---|---|---|---|\n| D-50 | a | b | c |\n| S70 | a | b | c |\n| PLG-84 | a | | c |\n| `D-60` | a | b | c |\n";
        let found = parse(text, "docs/a.md");
        let ids: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(ids, ["D-50", "PLG-84", "S70"]);
        assert_eq!((found["D-50"].place.as_str(), found["D-50"].fault()), ("docs/a.md:5", None));
        let fault = found["PLG-84"].fault().expect("a cell is empty");
        assert!(fault.starts_with("has 2 cells"), "{fault}");
    }
}
