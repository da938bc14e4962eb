//! Reports which lines were reached, as a table for people or as JSON for programs.

use super::lcov::Lines;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Format of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table
    Human,
    /// JSON lines: one line per file, then a summary
    Json,
}

/// The lines of each file. The file with the most unreached lines comes first.
pub struct Report {
    files: Vec<(String, Lines)>,
}

impl Report {
    /// Creates the report on these files, with names relative to `root`. Leaves out tests, examples and benches.
    pub fn new(root: &Path, found: BTreeMap<PathBuf, Lines>) -> Report {
        let name = |file: PathBuf| file.strip_prefix(root).unwrap_or(&file).display().to_string();
        let mut files: Vec<(String, Lines)> = found.into_iter().map(|(file, lines)| (name(file), lines)).collect();
        files.retain(|(file, _)| !["/tests/", "/examples/", "/bench/"].iter().any(|folder| file.contains(folder)));
        files.sort_by_key(|(file, lines)| (Reverse(lines.all() - lines.reached()), file.clone()));
        Report { files }
    }

    fn reached(&self) -> usize {
        self.files.iter().map(|(_, lines)| lines.reached()).sum()
    }

    fn all(&self) -> usize {
        self.files.iter().map(|(_, lines)| lines.all()).sum()
    }

    /// Returns true if at least `min` per cent of the lines are reached.
    pub fn reaches(&self, min: u32) -> bool {
        self.reached() * 100 >= self.all() * min as usize
    }

    /// Returns the share of reached lines, for example `1200 of 1500 lines (80.0 %)`.
    pub fn share(&self) -> String {
        let (reached, all) = (self.reached(), self.all());
        format!("{reached} of {all} lines ({})", percent(reached, all))
    }

    /// Returns the report as lines of text.
    pub fn show(&self, format: Format, min: u32) -> String {
        match format {
            Format::Human => self.human(),
            Format::Json => self.json(min),
        }
    }

    fn human(&self) -> String {
        let width = self.files.iter().map(|(file, _)| file.len()).max().unwrap_or_default().max("file".len());
        let mut text = format!("{:width$}  {:>7}  {:>5}  {:>8}  not reached\n", "file", "reached", "lines", "share");
        for (file, lines) in &self.files {
            let (reached, all) = (lines.reached(), lines.all());
            let row = format!("{file:width$}  {reached:>7}  {all:>5}  {:>8}  {}", percent(reached, all), ranges(lines));
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text.push_str(&format!("{} of {} files are reached\n", self.share(), self.files.len()));
        text
    }

    fn json(&self, min: u32) -> String {
        let of_files = self.files.iter().map(|(file, lines)| {
            let line =
                json!({"name": file, "reached": lines.reached(), "lines": lines.all(), "not_reached": lines.missed()});
            format!("{}\n", json!({"file": line}))
        });
        let (reached, all) = (self.reached(), self.all());
        let summary = json!({"files": self.files.len(), "reached": reached, "lines": all, "below": !self.reaches(min)});
        of_files.chain([format!("{}\n", json!({"summary": summary}))]).collect()
    }
}

/// Returns a share in per cent, rounded down to one decimal.
fn percent(part: usize, all: usize) -> String {
    let tenths = (part * 1000).checked_div(all).unwrap_or(1000);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Returns the unreached lines, for example `4-5, 9`.
fn ranges(lines: &Lines) -> String {
    let range = |(first, last): (usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    lines.missed().into_iter().map(range).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::lcov;
    use serde_json::Value;

    fn report() -> Report {
        let text = "SF:/r/extension/src/a.rs\nDA:1,5\nDA:2,0\nend_of_record\nSF:/r/extension/src/b.rs\nDA:4,0\nDA:5,0\nDA:7,1\n\
                    DA:9,0\nend_of_record\nSF:/r/extension/reader/tests/t.rs\nDA:1,0\nend_of_record\nSF:/r/extension/src/whole.rs\n\
                    DA:1,2\nend_of_record\n";
        Report::new(Path::new("/r"), lcov::parse(text).expect("read"))
    }

    #[test]
    fn files_are_sorted_by_the_number_of_lines_that_were_not_reached() {
        let text = report().show(Format::Human, 0);
        let words = |at: usize| text.lines().nth(at).expect("a line").split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(1), "extension/src/b.rs 1 4 25.0 % 4-5, 9");
        assert_eq!(words(2), "extension/src/a.rs 1 2 50.0 % 2");
        assert_eq!(words(3), "extension/src/whole.rs 1 1 100.0 %");
        assert_eq!(words(4), "3 of 7 lines (42.8 %) of 3 files are reached");
        assert_eq!(text.lines().count(), 5);
    }

    #[test]
    fn the_json_has_a_line_per_file_and_a_summary() {
        let text = report().show(Format::Json, 43);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let first = json!({"name": "extension/src/b.rs", "reached": 1, "lines": 4, "not_reached": [[4, 5], [9, 9]]});
        assert_eq!((lines.len(), &lines[0]["file"]), (4, &first));
        assert_eq!(lines[3], json!({"summary": {"files": 3, "reached": 3, "lines": 7, "below": true}}));
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        let report = report();
        assert!(report.reaches(42) && !report.reaches(43));
        assert_eq!(
            (percent(999, 1000), percent(9999, 10_000), percent(0, 0)),
            ("99.9 %".into(), "99.9 %".into(), "100.0 %".into())
        );
    }
}
