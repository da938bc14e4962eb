//! `coverage`: lists which cases cover which requirement, question or scenario of Stripe.
//!
//! A scenario covers the ids that it lists if it asserts the outcome of each event and at least one fact, and holds in every API version;
//! a Rust test with `// covers: ID` does if it asserts something, ran and passed. A provider test also counts if its target did not run:
//! its separate group fails on its own. Other ids need an [answer](answers), and some need cases of certain [`kinds`].

mod answers;
mod assertions;
mod cases;
mod ids;
mod kinds;
mod lines;
mod requirements;
mod source;

use answers::Answer;
use anyhow::{Context, Result, bail};
use clap::Parser;
use ids::Ids;
use kinds::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xtask::packages::{self, Package, Target};
use xtask::replay::PLAYED;
use xtask::test::{Passed, kept};

/// List which id is covered by which test and scenario of the last `cargo xtask test`.
///
/// The ids are the entries of `docs/requirements` and `docs/stripe-events.md`. `fixtures/ids.txt` has what is special about an id.
///
/// It fails on an unknown id, on a case that names ids and does not cover them, if nothing covers a required id, if a covered id
/// has no case for a letter of its code, if an id has neither a case nor an answer in
/// `docs/decisions`, and if `docs/requirements.tsv` is not current. `--write` writes that file from the sources.
///
/// With `--lines`, list the lines of the extension's Rust code that no scenario reaches when the extension runs
/// natively. This needs `llvm-profdata` and `llvm-cov` of the compiler's LLVM: `rustup component add llvm-tools`; if
/// they are missing, the error names other ways to install them. `provisioner coverage` reports which parts of an
/// extension's declarations and catalogs the scenarios reach.
#[derive(Parser)]
#[command(
    name = "cargo xtask coverage --",
    after_help = "Examples:
  cargo xtask coverage                                       which id is covered by which case
  cargo xtask coverage -- --write                            write docs/requirements.tsv
  cargo xtask coverage -- --lines                            lines of the extension that no fixture reaches
  cargo xtask coverage -- --lines --min 90 fixtures/businesses/solobase  fail if one business reaches fewer than 90 %
  cargo xtask coverage -- --lines --format json > lines.json a line a file, then a summary"
)]
struct Options {
    /// Write `docs/requirements.tsv` from the sources, without results of tests.
    #[arg(long, conflicts_with = "lines")]
    write: bool,
    /// List the lines of the extension that are not reached.
    #[arg(long)]
    lines: bool,
    /// With --lines: scenarios, and folders of scenarios.
    #[arg(value_name = "PATH", requires = "lines", default_values = PLAYED)]
    paths: Vec<PathBuf>,
    /// With --lines: fail if less than this share of the lines is reached, in per cent.
    #[arg(long, value_name = "PERCENT", requires = "lines", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    min: u32,
    /// With --lines: format of the report.
    #[arg(long, value_enum, requires = "lines", default_value_t = lines::Format::Human)]
    format: lines::Format,
}

fn main() -> ExitCode {
    // With `--lines`, cargo runs this program as the compiler's wrapper.
    if std::env::var_os(lines::WRAPPER).is_some() {
        return lines::wrap();
    }
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if options.lines {
        let Options { paths, min, format, .. } = options;
        return lines::run(&lines::Options { paths, format: *format, min: *min });
    }
    let root = component_builder::workspace_root();
    let ids = Ids::read(&root)?;
    let answers = answers::read(&root, "docs/decisions")?;
    let packages = packages::all()?;
    let table = requirements::render(&ids, &requirements::cases(&root, &packages)?, &answers);
    let file = root.join(requirements::FILE);
    if options.write {
        return fs::write(&file, table).with_context(|| format!("cannot write {}", file.display()));
    }
    let missing = "run `cargo xtask test` first: it keeps what passed";
    let passed = fs::read(kept("passed.json")).context(missing)?;
    let passed: Vec<Passed> = serde_json::from_slice(&passed).context(missing)?;
    let cases = fs::read_to_string(kept("cases.jsonl")).context(missing)?;
    let mut showings = cases::showings(&cases::parse(&cases)?);
    showings.extend(of_tests(&root, &packages, &passed)?);
    let mut coverage = combine(&ids, &answers, &showings);
    coverage.problems.extend(requirements::difference(&fs::read_to_string(&file).unwrap_or_default(), &table));
    show(&coverage, &passed)
}

/// Returns true if a test of this target ran.
fn has_run(passed: &[Passed], package: &str, target: &Target) -> bool {
    passed.iter().any(|one| one.package == package && one.target == *target && !one.tests.is_empty())
}

/// Returns true if the test at `path` in this target ran and passed.
fn has_passed(passed: &[Passed], package: &str, target: &Target, path: &str) -> bool {
    let of_target = passed.iter().filter(|one| one.package == package && one.target == *target);
    of_target.flat_map(|one| &one.tests).any(|test| test == path)
}

/// Prints which cases cover which ids. Fails if there is a problem.
fn show(coverage: &Coverage, passed: &[Passed]) -> Result<()> {
    print!("{}", coverage.render());
    println!("{} tests passed", passed.iter().map(|one| one.tests.len()).sum::<usize>());
    if coverage.problems.is_empty() { Ok(()) } else { bail!("{} problems of coverage", coverage.problems.len()) }
}

/// A case that lists ids: a scenario, a test, or a comment without a test.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Showing {
    /// Name of the case, for people.
    name: String,
    /// File of the case.
    file: PathBuf,
    /// The ids that the case lists, each with its line number.
    ids: Vec<(String, usize)>,
    /// Number of assertions.
    assertions: usize,
    /// Whether the case covers the ids.
    standing: Standing,
}

/// Whether a case covers the ids that it lists.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// The case covers the ids.
    Shows,
    /// The case does not cover the ids yet, for this reason. This is not a problem.
    NotYet(String),
    /// The case does not cover the ids, for this reason. This is a problem.
    Wrong(String),
}

/// Returns the tests of the workspace that list ids, and the comments with ids that belong to no test.
fn of_tests(root: &Path, packages: &[Package], passed: &[Passed]) -> Result<Vec<Showing>> {
    let root = fs::canonicalize(root).with_context(|| format!("cannot find {}", root.display()))?;
    // A file may be a module of several targets. A test counts if it passed in one of them.
    let mut found: BTreeMap<(PathBuf, usize), Showing> = BTreeMap::new();
    for package in packages {
        for target in &package.targets {
            for test in source::tests_of(&target.src_path)? {
                let Some((_, line)) = test.ids.first() else { continue };
                let file = fs::canonicalize(&test.file)?;
                let file = file.strip_prefix(&root).unwrap_or(&file);
                let is_of_group = Kind::of(file) == Kind::Provider && !has_run(passed, &package.name, target);
                let ran = is_of_group || has_passed(passed, &package.name, target, &test.path);
                let showing = of_test(file, &package.name, &test, ran);
                let known = found.entry((showing.file.clone(), *line)).or_insert_with(|| showing.clone());
                if known.standing != Standing::Shows {
                    *known = showing;
                }
            }
        }
    }
    let of_showing =
        |showing: &Showing| -> Vec<_> { showing.ids.iter().map(|(_, line)| (showing.file.clone(), *line)).collect() };
    let claimed: BTreeSet<(PathBuf, usize)> = found.values().flat_map(of_showing).collect();
    let mut showings: Vec<Showing> = found.into_values().collect();
    stray_marks(&root, Path::new(""), &claimed, &mut showings)?;
    Ok(showings)
}

fn of_test(file: &Path, package: &str, test: &source::Test, ran: bool) -> Showing {
    let standing = match (ran, test.assertions) {
        (false, _) => Standing::Wrong("it did not run".to_owned()),
        (true, 0) => Standing::Wrong("it asserts nothing".to_owned()),
        (true, _) => Standing::Shows,
    };
    Showing {
        name: format!("test {package} {}", test.path),
        file: file.to_owned(),
        ids: test.ids.clone(),
        assertions: test.assertions,
        standing,
    }
}

/// Finds comments with ids in all source files in `folder` of `root` that belong to no test of a target.
fn stray_marks(
    root: &Path,
    folder: &Path,
    claimed: &BTreeSet<(PathBuf, usize)>,
    found: &mut Vec<Showing>,
) -> Result<()> {
    let here = root.join(folder);
    let entries = fs::read_dir(&here).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries = entries.with_context(|| format!("cannot read {}", here.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (kind, path, name) = (entry.file_type()?, entry.path(), entry.file_name());
        let (file, name) = (folder.join(&name), name.to_string_lossy());
        if kind.is_dir() && !name.starts_with('.') && !["target", "dist", "node_modules"].contains(&&*name) {
            stray_marks(root, &file, claimed, found)?;
        } else if kind.is_file() && name.ends_with(".rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let marks = text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, source::ids_of(line)?)));
            for (line, ids) in marks.filter(|(line, _)| !claimed.contains(&(file.clone(), *line))) {
                found.push(Showing {
                    name: "the comment".to_owned(),
                    file: file.clone(),
                    ids: ids.map(|id| (id.to_owned(), line)).collect(),
                    assertions: 0,
                    standing: Standing::Wrong("it stands above no test of a target".to_owned()),
                });
            }
        }
    }
    Ok(())
}

/// A covered id, with the cases that cover it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    id: String,
    cases: Vec<String>,
    /// Sum of the assertions of the cases.
    assertions: usize,
}

/// The coverage of all ids.
#[derive(Debug, Default, PartialEq, Eq)]
struct Coverage {
    /// Covered ids, in order.
    rows: Vec<Row>,
    /// Cases that do not cover their ids yet, because they are known failures.
    notes: Vec<String>,
    /// Answers to ids that no case covers, one line each.
    answers: Vec<String>,
    /// Unknown ids, cases and answers that do not cover their ids, and ids that nothing covers.
    problems: Vec<String>,
    /// Ids that no scenario can cover and that no test covers, one line per reason.
    left: Vec<String>,
    /// Parts of covered ids that nothing in this repository can cover, one line per id.
    parts: Vec<String>,
}

fn combine(ids: &Ids, answers: &BTreeMap<String, Answer>, showings: &[Showing]) -> Coverage {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut kinds: BTreeMap<&str, BTreeSet<Kind>> = BTreeMap::new();
    let (mut notes, mut problems) = (Vec::new(), Vec::new());
    for showing in showings {
        for (id, line) in &showing.ids {
            let place = format!("{}:{line}", showing.file.display());
            if !ids.contains(id) {
                problems.push(format!("{place}: unknown id `{id}`"));
                continue;
            }
            match &showing.standing {
                Standing::Shows => {
                    let empty = || Row { id: id.clone(), cases: Vec::new(), assertions: 0 };
                    let row = rows.entry(id).or_insert_with(empty);
                    row.cases.push(showing.name.clone());
                    kinds.entry(id).or_default().insert(Kind::of(&showing.file));
                    row.assertions += showing.assertions;
                }
                Standing::NotYet(why) => {
                    notes.push(format!("{place}: {} does not show {id} yet: {why}", showing.name));
                }
                Standing::Wrong(why) => problems.push(format!("{place}: {} does not show {id}: {why}", showing.name)),
            }
        }
    }
    for (id, letters) in
        ids.codes.iter().filter(|(id, _)| rows.contains_key(id.as_str()) && !ids.parts.contains_key(*id))
    {
        let shown = kinds.get(id.as_str()).into_iter().flatten();
        for letter in letters.chars().filter(|letter| !shown.clone().any(|kind| kind.does_for(*letter))) {
            problems.push(format!(
                "{id} has no case of the kind {letter}; expected one, or a line `part {id} …` with what is missing"
            ));
        }
    }
    for id in ids.required.iter().filter(|id| !rows.contains_key(id.as_str())) {
        problems.push(format!("nothing shows {id}, which is required"));
    }
    for (id, answer) in answers {
        if !ids.contains(id) {
            problems.push(format!("{}: unknown id `{id}`", answer.place));
        }
        problems.extend(answer.fault().map(|fault| format!("{}: the row of {id} {fault}", answer.place)));
    }
    let is_left = |id: &str| ids.left.values().any(|left| left.contains(id));
    for id in ids.known.iter().filter(|id| !rows.contains_key(id.as_str()) && !is_left(id)) {
        if !answers.contains_key(id) {
            problems.push(format!("nothing shows {id}; expected a case, or a row in a document of docs/decisions"));
        }
    }
    let only_answered = answers.iter().filter(|(id, _)| ids.contains(id) && !rows.contains_key(id.as_str()));
    let answers = only_answered.map(|(id, answer)| format!("{id} is answered in {}", answer.place)).collect();
    let of_left = ids.left.iter().map(|(what, ids)| {
        let open: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !rows.contains_key(id)).collect();
        format!("left for {what} ({}): {}", open.len(), open.join(" "))
    });
    let left = of_left.collect();
    let shown = ids.parts.iter().filter(|(id, _)| rows.contains_key(id.as_str()));
    let parts = shown.map(|(id, what)| format!("{id} is shown but for this: {what}")).collect();
    Coverage { rows: rows.into_values().collect(), notes, answers, problems, left, parts }
}

impl Coverage {
    /// Renders the coverage for people: a line for each covered id, then ids and parts that can't be covered, notes and
    /// problems, then the counts.
    fn render(&self) -> String {
        let width = self.rows.iter().map(|row| row.id.len()).max().unwrap_or_default().max("id".len());
        let mut text = format!("{:width$}  assertions  cases\n", "id");
        for row in &self.rows {
            text.push_str(&format!("{:width$}  {:>10}  {}\n", row.id, row.assertions, row.cases.join(", ")));
        }
        for line in self.answers.iter().chain(&self.left).chain(&self.parts).chain(&self.notes).chain(&self.problems) {
            text.push_str(line);
            text.push('\n');
        }
        let (rows, notes, problems) = (self.rows.len(), self.notes.len(), self.problems.len());
        let (parts, answers) = (self.parts.len(), self.answers.len());
        text.push_str(&format!(
            "{rows} ids shown, {parts} of them in part, {answers} answered, {notes} not yet, {problems} problems\n"
        ));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Ids {
        Ids::parse("SOL-01 S17", "http S18\n").expect("ids")
    }

    fn showing(ids: &[&str], standing: Standing) -> Showing {
        Showing {
            name: "case".into(),
            file: "x.yml".into(),
            ids: ids.iter().map(|id| ((*id).to_owned(), 2)).collect(),
            assertions: 3,
            standing,
        }
    }

    fn no_answers() -> BTreeMap<String, Answer> {
        BTreeMap::new()
    }

    #[test]
    fn an_id_needs_a_case_or_a_whole_row_of_a_decision() {
        let ids = Ids::parse("", "known Q-11 Q-12 Q-13\n").expect("ids");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.md"), "| Q-12 | a | b | c |\n| Q-13 | a | b | |\n| Q-20 | a | b | c |\n")
            .expect("written");
        let answers = answers::read(folder.path(), ".").expect("answers");
        let found = combine(&ids, &answers, &[]);
        assert_eq!(found.answers, ["Q-12 is answered in ./a.md:1", "Q-13 is answered in ./a.md:2"]);
        assert_eq!(
            found.problems,
            [
                "./a.md:2: the row of Q-13 has 2 cells that say something; expected 3: question, decision, where it is held",
                "./a.md:3: unknown id `Q-20`",
                "nothing shows Q-11; expected a case, or a row in a document of docs/decisions",
            ]
        );
    }

    #[test]
    fn covered_ids_have_their_cases_and_the_sum_of_assertions() {
        let shows = [showing(&["SOL-01", "S17"], Standing::Shows), showing(&["S17", "S18"], Standing::Shows)];
        let found = combine(&ids(), &no_answers(), &shows);
        assert_eq!(found.problems, Vec::<String>::new());
        let rows: Vec<(&str, usize, usize)> =
            found.rows.iter().map(|row| (row.id.as_str(), row.cases.len(), row.assertions)).collect();
        assert_eq!(rows, [("S17", 2, 6), ("S18", 1, 3), ("SOL-01", 1, 3)]);
    }

    #[test]
    fn each_letter_of_a_code_needs_a_case_of_its_kind() {
        let ids = Ids::parse("", "http S17 S18 S19\ncode UE S17 S18 S19\npart S18 the pages\n").expect("ids");
        let at = |file: &str, ids: &[&str]| Showing { file: file.into(), ..showing(ids, Standing::Shows) };
        let replayed = at("fixtures/a.yml", &["S17", "S18"]);
        let expected = ["S17 has no case of the kind E; expected one, or a line `part S17 …` with what is missing"];
        assert_eq!(combine(&ids, &no_answers(), std::slice::from_ref(&replayed)).problems, expected);
        let served = at("tests/end-to-end/tests/all/over_http/a.rs", &["S17"]);
        assert_eq!(combine(&ids, &no_answers(), &[replayed, served]).problems, Vec::<String>::new());
    }

    #[test]
    fn ids_that_no_scenario_can_cover_are_listed_until_a_test_covers_them() {
        let ids = Ids::parse("", "http TES-20 TES-21\npages TES-80\n").expect("ids");
        let found = combine(&ids, &no_answers(), &[showing(&["TES-21"], Standing::Shows)]);
        assert_eq!(found.left, ["left for http (1): TES-20", "left for pages (1): TES-80"]);
        assert!(found.render().contains("left for pages (1): TES-80\n"));
    }

    #[test]
    fn the_part_of_an_id_that_can_not_be_covered_is_listed_if_the_id_is_covered() {
        let ids = Ids::parse("", "http S17 S18\npart S17 the pages\npart S18 the mails\n").expect("ids");
        let found = combine(&ids, &no_answers(), &[showing(&["S17"], Standing::Shows)]);
        assert_eq!(found.parts, ["S17 is shown but for this: the pages"]);
        let text =
            "S17 is shown but for this: the pages\n1 ids shown, 1 of them in part, 0 answered, 0 not yet, 0 problems\n";
        assert!(found.render().ends_with(text), "{}", found.render());
    }

    #[test]
    fn problems_and_known_failures_are_listed_separately() {
        let wrong = Standing::Wrong("it did not run".into());
        let later = Standing::NotYet("it is known to fail in v1".into());
        let found = combine(
            &ids(),
            &no_answers(),
            &[showing(&["S99"], Standing::Shows), showing(&["S17"], wrong), showing(&["SOL-01"], later)],
        );
        assert_eq!(found.notes, ["x.yml:2: case does not show SOL-01 yet: it is known to fail in v1"]);
        assert_eq!(
            found.problems,
            [
                "x.yml:2: unknown id `S99`",
                "x.yml:2: case does not show S17: it did not run",
                "nothing shows S17, which is required",
                "nothing shows SOL-01, which is required",
            ]
        );
        assert!(
            found.render().ends_with("0 ids shown, 0 of them in part, 0 answered, 1 not yet, 4 problems\n"),
            "{}",
            found.render()
        );
    }

    #[test]
    fn a_test_covers_its_ids_only_if_it_ran_and_asserts() {
        let test = |assertions| source::Test {
            path: "m::t".into(),
            file: "/tree/a.rs".into(),
            ids: vec![("S17".into(), 1)],
            assertions,
        };
        let standing = |assertions, ran| of_test(Path::new("a.rs"), "one", &test(assertions), ran).standing;
        assert_eq!(standing(2, true), Standing::Shows);
        assert_eq!(standing(2, false), Standing::Wrong("it did not run".into()));
        assert_eq!(standing(0, true), Standing::Wrong("it asserts nothing".into()));
    }

    #[test]
    fn a_comment_with_ids_that_belongs_to_no_test_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("src")).expect("made");
        fs::create_dir_all(folder.path().join("target")).expect("made");
        let text = format!("{mark} S17\nfn lost() {{}}\n{mark} S18\n", mark = source::MARK);
        for name in ["src/lost.rs", "target/copy.rs"] {
            fs::write(folder.path().join(name), &text).expect("written");
        }
        let mut found = Vec::new();
        let claimed = [(PathBuf::from("src/lost.rs"), 3)].into();
        stray_marks(folder.path(), Path::new(""), &claimed, &mut found).expect("read");
        let short: Vec<_> = found.iter().map(|showing| (showing.file.as_path(), showing.ids.clone())).collect();
        assert_eq!(short, [(Path::new("src/lost.rs"), vec![("S17".to_owned(), 1)])]);
    }
}
