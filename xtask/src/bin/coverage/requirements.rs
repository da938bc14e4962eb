//! `docs/requirements.tsv`: what the sources say about each id. It contains no line numbers and no results, so that it changes only
//! if a case gains or loses an id.

use super::Ids;
use super::answers::Answer;
use super::source;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use xtask::packages::Package;
use xtask::replay::PLAYED;

/// Path of the table, relative to the root.
pub const FILE: &str = "docs/requirements.tsv";
/// Command that writes the table.
pub const WRITE: &str = "cargo xtask coverage -- --write";

/// The cases that list each id, as `FILE` for scenarios and `FILE TEST` for tests.
pub type Cases = BTreeMap<String, BTreeSet<String>>;

/// Maximum number of cases that a row lists.
const LISTED: usize = 3;

/// Returns the cases from all sources, whether they passed or not.
///
/// # Errors
///
/// Fails if a source can't be read.
pub fn cases(root: &Path, packages: &[Package]) -> Result<Cases> {
    let mut cases = Cases::new();
    let root = fs::canonicalize(root).with_context(|| format!("cannot find {}", root.display()))?;
    for package in packages {
        for target in &package.targets {
            for test in source::tests_of(&target.src_path)? {
                let file = fs::canonicalize(&test.file)?;
                let file = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
                for (id, _) in test.ids {
                    cases.entry(id).or_default().insert(format!("{file} {}", test.path));
                }
            }
        }
    }
    for folder in PLAYED {
        of_scenarios(&root, Path::new(folder), &mut cases)?;
    }
    Ok(cases)
}

/// Adds the scenarios of a folder.
fn of_scenarios(root: &Path, folder: &Path, cases: &mut Cases) -> Result<()> {
    for entry in fs::read_dir(root.join(folder)).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let file = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            of_scenarios(root, &file, cases)?;
        } else if file.extension().is_some_and(|end| end == "yml") {
            let text = fs::read_to_string(entry.path()).with_context(|| format!("cannot read {}", file.display()))?;
            for id in covered_by_scenario(&text) {
                cases.entry(id).or_default().insert(file.display().to_string());
            }
        }
    }
    Ok(())
}

/// Returns the ids of a scenario's line `covers: [ID, ID]`.
fn covered_by_scenario(text: &str) -> Vec<String> {
    let list = text.lines().find_map(|line| line.strip_prefix("covers: [")?.split(']').next());
    list.unwrap_or_default().split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect()
}

/// Renders the table, with a line for each id in `ids`.
pub fn render(ids: &Ids, cases: &Cases, answers: &BTreeMap<String, Answer>) -> String {
    let mut all: Vec<&String> = ids.required.iter().chain(&ids.known).collect::<BTreeSet<_>>().into_iter().collect();
    all.sort_by_key(|id| order(id));
    let mut text = "id\tstate\twhere\tmissing\n".to_owned();
    for id in all {
        let (shown, answer, part) = (cases.get(id), answers.get(id), ids.parts.get(id));
        let left = ids.left.iter().find(|(_, ids)| ids.contains(id)).map(|(what, _)| format!("left for {what}"));
        let (state, place, missing) = match (shown, answer, part) {
            (Some(cases), _, Some(part)) => ("part", listed(cases), part.clone()),
            (Some(cases), _, None) => ("shown", listed(cases), String::new()),
            (None, Some(answer), _) => ("answered", document(&answer.place), String::new()),
            (None, None, _) => ("open", String::new(), left.unwrap_or_else(|| "a case or an answer".to_owned())),
        };
        text.push_str(&format!("{id}\t{state}\t{place}\t{missing}\n"));
    }
    text
}

/// Returns the document part of a place, without the line.
fn document(place: &str) -> String {
    place.rsplit_once(':').map_or(place, |(file, _)| file).to_owned()
}

fn listed(cases: &BTreeSet<String>) -> String {
    let first: Vec<&str> = cases.iter().take(LISTED).map(String::as_str).collect();
    let more = cases.len().saturating_sub(LISTED);
    if more == 0 { first.join(", ") } else { format!("{}, and {more} more", first.join(", ")) }
}

/// The businesses come first, then decisions, questions, the scenarios of Stripe, and all others.
fn order(id: &str) -> (usize, String, u32) {
    let letters: String = id.chars().take_while(char::is_ascii_uppercase).collect();
    let number = id.trim_start_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(u32::MAX);
    let groups = ["SOL", "BOT", "PLG", "ORC", "TES", "D", "Q", "S"];
    let group = groups.iter().position(|group| *group == letters).unwrap_or(groups.len());
    (group, letters, number)
}

/// Returns what is wrong with the committed table, if anything.
pub fn difference(committed: &str, expected: &str) -> Option<String> {
    if committed == expected {
        return None;
    }
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (committed.lines().collect(), expected.lines().collect());
    let first = new.difference(&old).chain(old.difference(&new)).next().copied().unwrap_or("the order of its lines");
    Some(format!("{FILE} is not current, first at `{first}`; expected the file that `{WRITE}` writes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_has_a_line_with_its_state() {
        let ids = Ids::parse("SOL-02 SOL-10 S1", "known D-50 Q-11 TES-01\nhttp TES-29\npart SOL-10 the pages\n");
        let ids = ids.expect("ids");
        let set = |cases: &[&str]| cases.iter().map(|case| (*case).to_owned()).collect::<BTreeSet<String>>();
        let cases: Cases = [
            ("SOL-02".to_owned(), set(&["a.yml", "b.yml", "c.rs m::t", "d.yml", "e.yml"])),
            ("SOL-10".to_owned(), set(&["a.yml"])),
            ("S1".to_owned(), set(&["s.yml"])),
        ]
        .into();
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.md"), "| D-50 | question | decision | place |\n").expect("written");
        let answers = crate::answers::read(folder.path(), ".").expect("answers");
        assert_eq!(
            render(&ids, &cases, &answers),
            "id\tstate\twhere\tmissing\nSOL-02\tshown\ta.yml, b.yml, c.rs m::t, and 2 more\t\nSOL-10\tpart\ta.yml\tthe pages\n\
             TES-01\topen\t\ta case or an answer\nTES-29\topen\t\tleft for http\nD-50\tanswered\t./a.md\t\nQ-11\topen\t\ta case or an \
             answer\nS1\tshown\ts.yml\t\n"
        );
    }

    #[test]
    fn the_ids_of_a_scenario_are_those_of_its_line() {
        assert_eq!(covered_by_scenario("name: x\ncovers: [SOL-01, S17] # both\nsteps: []\n"), ["SOL-01", "S17"]);
        assert_eq!(covered_by_scenario("name: x\n"), [""; 0]);
    }

    #[test]
    fn a_table_that_is_not_current_is_told_with_its_first_line() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let told = difference("a\nb\n", "a\nc\n").expect("it differs");
        assert!(told.contains("first at `c`") && told.contains(WRITE), "{told}");
        assert!(difference("b\na\n", "a\nb\n").expect("it differs").contains("the order"));
    }
}
