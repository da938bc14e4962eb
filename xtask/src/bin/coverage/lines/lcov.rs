//! Reads the lines of an LCOV report: `SF:FILE`, then `DA:LINE,TIMES` for each line with code.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The lines of a file that have code, each with the number of times that it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(BTreeMap<usize, u64>);

impl Lines {
    /// Returns the number of lines that have code.
    pub fn all(&self) -> usize {
        self.0.len()
    }

    /// Returns the number of lines that ran.
    pub fn reached(&self) -> usize {
        self.0.values().filter(|times| **times > 0).count()
    }

    /// Returns the lines that did not run as ranges: first and last line. Lines without code do not end a range.
    pub fn missed(&self) -> Vec<(usize, usize)> {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        let mut is_open = false;
        for (line, times) in &self.0 {
            match (times, ranges.last_mut()) {
                (0, Some(range)) if is_open => range.1 = *line,
                (0, _) => ranges.push((*line, *line)),
                _ => {}
            }
            is_open = *times == 0;
        }
        ranges
    }
}

/// Parses the files of a report. If a line occurs several times in a report, its counts are added.
///
/// # Errors
///
/// Fails if a line that starts with `DA:` is invalid.
pub fn parse(text: &str) -> Result<BTreeMap<PathBuf, Lines>> {
    let mut found: BTreeMap<PathBuf, Lines> = BTreeMap::new();
    let mut file: Option<PathBuf> = None;
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("SF:") {
            file = Some(PathBuf::from(name));
        } else if let (Some(file), Some(data)) = (&file, line.strip_prefix("DA:")) {
            let wrong = || format!("line {} of the report is `{line}`, expected DA:LINE,TIMES", number + 1);
            let mut parts = data.split(',');
            let (at, times) = (parts.next().with_context(wrong)?, parts.next().with_context(wrong)?);
            let (at, times): (usize, u64) = (at.parse().with_context(wrong)?, times.parse().with_context(wrong)?);
            *found.entry(file.clone()).or_default().0.entry(at).or_default() += times;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_did_not_run_are_returned_as_ranges() {
        let text = "SF:a.rs\nFN:1,f\nDA:1,0\nDA:2,0\nDA:5,0\nDA:6,3\nDA:8,0\nLF:5\nend_of_record\n";
        let found = parse(text).expect("read");
        let lines = &found[&PathBuf::from("a.rs")];
        assert_eq!((lines.all(), lines.reached(), lines.missed()), (5, 1, vec![(1, 5), (8, 8)]));
        let twice = parse(&format!("{text}SF:a.rs\nDA:6,0\nDA:8,1\nend_of_record\n")).expect("read");
        assert_eq!(
            twice[&PathBuf::from("a.rs")].missed(),
            [(1, 5)],
            "what a file has in several places counts together"
        );
    }

    #[test]
    fn the_error_of_an_invalid_report_names_the_line() {
        let told = parse("SF:a.rs\nDA:x,1\n").expect_err("no number").to_string();
        assert_eq!(told, "line 2 of the report is `DA:x,1`, expected DA:LINE,TIMES");
    }
}
