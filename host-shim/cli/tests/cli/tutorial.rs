//! The guide to adding a business and the lessons, followed to the letter: their boxes go into an empty folder step by step, their
//! commands run after each step and print what the text says, and the result of the guide is the business of the examples, which a
//! story sells in a browser.

use crate::run::{Ran, in_business, run};
use host_business::folder::BusinessFolder;
use std::fs;
use std::path::Path;

/// A page that builds a business: its path below `docs`, and the folder of the business.
type Page = (&'static str, &'static str);

/// The guide.
const GUIDE: Page = ("start/adding-a-business.md", "podcasts");
/// The lessons.
const LESSONS: [Page; 5] = [
    ("learn/plans.md", "tool"),
    ("learn/usage.md", "writer"),
    ("learn/instances.md", "hosting"),
    ("learn/scenarios.md", "club"),
    ("learn/beyond.md", "shop"),
];

/// A numbered part of a page.
struct Step {
    title: String,
    text: String,
}

impl Step {
    /// Returns the boxes with this language: the words after the language, and the text.
    fn boxes(&self, language: &str) -> Vec<(&str, &str)> {
        let begin = format!("```{language}");
        let boxes = self.text.split(&begin).skip(1).map(|rest| {
            let (words, rest) = rest.split_once('\n').expect("a text");
            (words.trim(), rest.split("```").next().expect("an end"))
        });
        boxes.collect()
    }

    /// Returns what the text says that the commands print: the text in backticks that begins and ends so.
    fn printed(&self, begin: &str, end: &str) -> Vec<&str> {
        let spans = self.text.split('`').skip(1).step_by(2);
        spans.filter(|span| span.starts_with(begin) && span.ends_with(end)).collect()
    }
}

fn steps(page: Page) -> Vec<Step> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page.0);
    let guide = fs::read_to_string(path).expect("a page");
    let parts = guide.split("\n## ").filter(|part| part.starts_with(|first: char| first.is_ascii_digit()));
    let step = |part: &str| {
        let (title, text) = part.split_once('\n').expect("a title");
        Step { title: title.to_owned(), text: text.to_owned() }
    };
    parts.map(step).collect()
}

/// Splits a catalog into its parts: the line that begins each part, and the lines below it.
fn parts(catalog: &str) -> Vec<(String, Vec<String>)> {
    let mut parts: Vec<(String, Vec<String>)> = Vec::new();
    for line in catalog.lines().filter(|line| !line.is_empty()) {
        match parts.last_mut() {
            Some((_, lines)) if line.starts_with(' ') => lines.push(line.to_owned()),
            _ => parts.push((line.to_owned(), Vec::new())),
        }
    }
    parts
}

/// Follows a box as the guide says: the lines of a catalog go to the ends of their parts, and any other box is a whole file.
fn follow(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    if !file.ends_with("/catalog.yml") {
        assert!(!path.exists(), "{file} is a whole file, and there is one already");
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        return fs::write(&path, text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let mut all = parts(&fs::read_to_string(&path).unwrap_or_default());
    for (head, lines) in parts(text) {
        match all.iter_mut().find(|(known, _)| *known == head) {
            Some((_, known)) => known.extend(lines),
            None => all.push((head, lines)),
        }
    }
    let lines = all.into_iter().flat_map(|(head, lines)| [vec![head], lines].concat());
    fs::write(&path, lines.map(|line| line + "\n").collect::<String>()).expect("written");
}

/// Runs a command of a page for its business.
fn run_in(business: &Path, command: &str) -> Ran {
    run(&[command, "--native", &business.display().to_string()], b"")
}

/// Follows a page in an empty folder. Returns the number of parts with boxes.
fn follow_page(folder: &Path, page: Page) -> usize {
    let business = folder.join(page.1);
    fs::create_dir_all(business.join("scenarios")).expect("a folder");
    let mut built = 0;
    for step in steps(page) {
        let title = format!("{}: {}", page.0, step.title);
        let boxes = step.boxes("yaml ");
        boxes.iter().for_each(|(file, text)| follow(folder, file, text));
        step.boxes("text ").iter().for_each(|(file, text)| follow(folder, file, text));
        let checked = step.printed("no mistake in ", "");
        if boxes.is_empty() {
            assert!(checked.is_empty(), "{title}: it adds nothing, so there is nothing to check");
            continue;
        }
        built += 1;
        let check = run_in(&business, "check");
        assert_eq!((check.code, &*check.stderr), (0, ""), "{title}: {}", check.stdout);
        assert_eq!(checked, [check.stdout.lines().next().unwrap_or_default()], "{title}: what `check` prints");
        let replay = run_in(&business, "replay");
        let held: Vec<&str> = replay.stdout.lines().filter(|line| line.ends_with(" cases held")).collect();
        assert_eq!(step.printed("", " cases held"), held, "{title}: what `replay` prints");
        // A folder without a scenario has nothing to play.
        assert_eq!(replay.code, if held.is_empty() { 2 } else { 0 }, "{title}: {}{}", replay.stdout, replay.stderr);
    }
    built
}

// covers: SOL-63
#[test]
fn each_step_of_the_tutorial_passes_with_the_results_that_the_text_says() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(follow_page(folder.path(), GUIDE) > 3, "steps with boxes");
    let of_examples = in_business("podcasts");
    let catalog = |folder: &Path| BusinessFolder::load(folder).expect("a business").catalog;
    let business = folder.path().join("podcasts");
    assert_eq!(catalog(&business), catalog(&of_examples), "the business of the examples");
    for scenario in fs::read_dir(business.join("scenarios")).expect("a folder") {
        let name = scenario.expect("an entry").file_name();
        let text = |folder: &Path| fs::read_to_string(folder.join("scenarios").join(&name)).expect("a scenario");
        // The example begins with the line that tells editors its schema.
        assert!(text(&of_examples).ends_with(&text(&business)), "{} of the examples differs", name.display());
    }
}

#[test]
fn each_lesson_passes_with_the_results_that_the_text_says() {
    for page in LESSONS {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(follow_page(folder.path(), page) >= 2, "{}: steps with boxes", page.0);
    }
}

#[test]
fn the_commands_of_the_tutorial_exist() {
    let steps = steps(GUIDE);
    let served = steps.iter().flat_map(|step| step.boxes("sh")).collect::<Vec<_>>();
    assert_eq!(served, [("", "dist/provisioner serve podcasts --local\n")]);
    let help = run(&["serve", "--help"], b"");
    assert!(help.code == 0 && help.stdout.contains("--local"), "{}", help.stdout);
}
