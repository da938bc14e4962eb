//! Which requirement, decision or scenario is shown by which case.
//!
//! An id counts as shown by a scenario that asserts the outcome of each event and at least one fact of state, effects
//! or ledger, and by a Rust test below a comment `// covers: ID` that asserts something.

use crate::error::{BadInput, Place};
use crate::play::CaseReport;
use crate::scenario::{Scenario, read_text};
use crate::shapes::sorted_entries;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The file with all known ids, in the folder of fixtures.
pub const IDS_FILE: &str = "ids.txt";
/// The comment that names ids above a test.
const MARK: &str = "// covers:";

/// All ids that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// Ids that must be shown.
    pub required: BTreeSet<String>,
    /// All others.
    pub known: BTreeSet<String>,
}

/// Something that shows ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Showing {
    /// The case, for people.
    pub name: String,
    /// Ids with their lines.
    pub ids: Vec<(String, usize)>,
    /// File.
    pub file: PathBuf,
    /// Number of assertions; 0 shows nothing.
    pub assertions: usize,
    /// Why it shows nothing, if so.
    pub problem: Option<String>,
}

/// An id with what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The id.
    pub id: String,
    /// Cases that show it.
    pub cases: Vec<String>,
    /// Their assertions, together.
    pub assertions: usize,
}

/// The whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Ids that are shown, in order.
    pub rows: Vec<Row>,
    /// Unknown ids, ids without assertion, skipped cases, required ids that nothing shows.
    pub problems: Vec<String>,
}

impl Ids {
    /// Reads `ids.txt`: lines `required ID…` and `known ID…`; `#` begins a comment.
    pub fn read(file: &Path) -> Result<Ids, BadInput> {
        Ids::parse(file, &read_text(file)?)
    }

    fn parse(file: &Path, text: &str) -> Result<Ids, BadInput> {
        let mut ids = Ids::default();
        for (at, line) in text.lines().enumerate() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            match words.next() {
                None => {}
                Some("required") => ids.required.extend(words.map(str::to_owned)),
                Some("known") => ids.known.extend(words.map(str::to_owned)),
                Some(other) => {
                    let place = Place::line(file, at + 1);
                    return Err(BadInput::new(
                        place,
                        format!("a line that begins with `{other}`"),
                        "required or known, then ids",
                    ));
                }
            }
        }
        Ok(ids)
    }

    fn contains(&self, id: &str) -> bool {
        self.required.contains(id) || self.known.contains(id)
    }
}

/// What a scenario shows; `reports` are those of its cases. None if it is known to fail, which shows nothing.
pub fn of_scenario(scenario: &Scenario, reports: &[CaseReport]) -> Option<Showing> {
    if scenario.known_to_fail.is_some() {
        return None;
    }
    let problem = if let Some(line) = scenario.unasserted_event() {
        Some(format!("line {line} asserts no outcome"))
    } else if scenario.facts() == 0 {
        Some("no fact of state, effects or ledger is asserted".to_owned())
    } else if reports.is_empty() {
        Some("it was not played".to_owned())
    } else if reports.iter().any(|report| !report.held()) {
        Some("it does not hold".to_owned())
    } else {
        None
    };
    Some(Showing {
        name: scenario.name.clone(),
        ids: scenario.covers.clone(),
        file: scenario.file.clone(),
        assertions: scenario.assertions(),
        problem,
    })
}

/// What the Rust tests below a folder show.
pub fn of_tests(root: &Path) -> Result<Vec<Showing>, BadInput> {
    let mut found = Vec::new();
    walk(root, &mut found)?;
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<Showing>) -> Result<(), BadInput> {
    for entry in sorted_entries(folder)? {
        let name = entry.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if entry.is_symlink() {
            continue;
        }
        if entry.is_dir() {
            if !["target", "dist", "node_modules"].contains(&name.as_str()) && !name.starts_with('.') {
                walk(&entry, found)?;
            }
        } else if name.ends_with(".rs") {
            found.extend(of_source(&entry, &read_text(&entry)?));
        }
    }
    Ok(())
}

/// The tests of one file: from each mark to the end of the function below it.
fn of_source(file: &Path, text: &str) -> Vec<Showing> {
    let lines: Vec<&str> = text.lines().collect();
    let helpers = asserting_functions(&lines);
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(ids) = line.trim_start().strip_prefix(MARK) else { continue };
        let body = body_of(&lines, at + 1, indent_of(line));
        let name = body.iter().find_map(|line| function_name(line));
        let assertions = body.iter().filter(|line| asserts(line, &helpers)).count();
        let skipped = body.iter().any(|line| line.trim_start().starts_with("#[ignore"));
        let problem = match (assertions, skipped) {
            (_, true) => Some("it is skipped".to_owned()),
            (0, _) => Some("it asserts nothing".to_owned()),
            _ => None,
        };
        let ids = ids.split([',', ' ']).filter(|id| !id.is_empty()).map(|id| (id.to_owned(), at + 1)).collect();
        found.push(Showing {
            name: format!("test {}", name.unwrap_or_default()),
            ids,
            file: file.to_owned(),
            assertions,
            problem,
        });
    }
    found
}

/// Names of the functions of a file that assert something themselves or through each other.
fn asserting_functions(lines: &[&str]) -> BTreeSet<String> {
    let functions: Vec<(String, &[&str])> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| Some((function_name(line)?, body_of(lines, at + 1, indent_of(line)))))
        .collect();
    let mut found = BTreeSet::new();
    loop {
        let more: Vec<String> = functions
            .iter()
            .filter(|(name, body)| !found.contains(name) && body.iter().any(|line| asserts(line, &found)))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// A line that makes a test fail if something is not as it should be: an assertion, a panic, an error that is passed on,
/// a result that must be good, or a call of a function that does one of these.
fn asserts(line: &str, helpers: &BTreeSet<String>) -> bool {
    let line = line.trim();
    let is_comment = line.starts_with("//");
    let must_be_good = line.contains(".expect(") && !line.starts_with("let ");
    let by_itself = line.contains("assert") || line.contains("panic!(") || line.ends_with("?;") || must_be_good;
    let calls = |name: &String| line.contains(&format!("{name}(")) && !line.contains(&format!("fn {name}"));
    !is_comment && (by_itself || helpers.iter().any(calls))
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The lines from `from` to the closing brace at this indentation.
fn body_of<'l>(lines: &'l [&'l str], from: usize, indent: usize) -> &'l [&'l str] {
    let end = format!("{}}}", " ".repeat(indent));
    let body = &lines[from.min(lines.len())..];
    let length = body.iter().position(|line| *line == end).unwrap_or(body.len());
    &body[..length]
}

fn function_name(line: &str) -> Option<String> {
    let rest = &line[line.find("fn ")? + 3..];
    let name = rest.split(['(', '<']).next().unwrap_or_default();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then(|| name.to_owned())
}

/// Puts everything together.
pub fn coverage(ids: &Ids, showings: &[Showing]) -> Coverage {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut problems = Vec::new();
    for showing in showings {
        for (id, line) in &showing.ids {
            let place = Place::line(&showing.file, *line);
            if !ids.contains(id) {
                problems.push(format!("{place}: unknown id `{id}`"));
                continue;
            }
            if let Some(problem) = &showing.problem {
                problems.push(format!("{place}: {} does not show {id}: {problem}", showing.name));
                continue;
            }
            let row = rows.entry(id).or_insert_with(|| Row { id: id.clone(), cases: Vec::new(), assertions: 0 });
            row.cases.push(showing.name.clone());
            row.assertions += showing.assertions;
        }
    }
    for id in ids.required.iter().filter(|id| !rows.contains_key(id.as_str())) {
        problems.push(format!("nothing shows {id}, which is required"));
    }
    Coverage { rows: rows.into_values().collect(), problems }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Ids {
        Ids::parse(Path::new("ids.txt"), "# all\nrequired SOL-01 S17\nknown S18 # later\n").expect("ids")
    }

    fn showing(ids: &[&str], problem: Option<&str>) -> Showing {
        Showing {
            name: "case".into(),
            ids: ids.iter().map(|id| ((*id).to_owned(), 2)).collect(),
            file: "x.yml".into(),
            assertions: 3,
            problem: problem.map(str::to_owned),
        }
    }

    #[test]
    fn shown_ids_have_their_cases_and_the_sum_of_assertions() {
        let found = coverage(&ids(), &[showing(&["SOL-01", "S17"], None), showing(&["S17", "S18"], None)]);
        assert_eq!(found.problems, Vec::<String>::new());
        let rows: Vec<(&str, usize, usize)> =
            found.rows.iter().map(|row| (row.id.as_str(), row.cases.len(), row.assertions)).collect();
        assert_eq!(rows, [("S17", 2, 6), ("S18", 1, 3), ("SOL-01", 1, 3)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let found = coverage(&ids(), &[showing(&["S99"], None), showing(&["S17"], Some("it does not hold"))]);
        assert_eq!(
            found.problems,
            [
                "x.yml:2: unknown id `S99`",
                "x.yml:2: case does not show S17: it does not hold",
                "nothing shows S17, which is required",
                "nothing shows SOL-01, which is required",
            ]
        );
    }

    #[test]
    fn a_rust_test_shows_the_ids_above_it_if_it_asserts() {
        let mark = MARK;
        let text = format!(
            "mod tests {{\n    {mark} S17, S18\n    #[test]\n    fn good() {{\n        assert_eq!(1, 1);\n    }}\n    \
             {mark} S17\n    #[test]\n    fn empty() {{\n        run();\n    }}\n    {mark} S18\n    #[test]\n    #[ignore]\n    \
             fn skipped() {{\n        assert!(true);\n    }}\n}}\n"
        );
        let found = of_source(Path::new("x.rs"), &text);
        let short: Vec<(&str, usize, Option<&str>)> =
            found.iter().map(|s| (s.name.as_str(), s.ids.len(), s.problem.as_deref())).collect();
        assert_eq!(
            short,
            [
                ("test good", 2, None),
                ("test empty", 1, Some("it asserts nothing")),
                ("test skipped", 1, Some("it is skipped"))
            ]
        );
    }

    #[test]
    fn a_rust_test_may_assert_through_a_function_of_its_file() {
        let mark = MARK;
        let text = format!(
            "fn agree(a: u8) {{\n    check(a);\n}}\nfn check(a: u8) {{\n    assert_eq!(a, 1);\n}}\nfn look() {{\n    run();\n}}\n\
             {mark} S17\n#[test]\nfn good() {{\n    agree(1);\n}}\n{mark} S17\n#[test]\nfn empty() {{\n    look();\n}}\n"
        );
        let found = of_source(Path::new("x.rs"), &text);
        let short: Vec<(usize, bool)> = found.iter().map(|s| (s.assertions, s.problem.is_none())).collect();
        assert_eq!(short, [(1, true), (0, false)]);
    }

    #[test]
    fn an_unknown_line_in_the_list_is_bad_input() {
        let error = Ids::parse(Path::new("ids.txt"), "required S1\nSOL-02\n").expect_err("no word");
        assert_eq!(error.place.line, 2);
    }
}
