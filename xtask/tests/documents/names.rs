//! Names: those of facts, and those that code must not have.

use super::{Document, files};

// covers: PLG-09
#[test]
fn facts_are_named_by_a_subject_and_a_participle() {
    let page = Document::read("docs/businesses/saas-plugins.md");
    let chapter = page.chapter("Facts").expect("a chapter");
    let rows: Vec<Vec<&str>> =
        chapter.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('`').collect()).collect();
    assert_eq!(rows.len(), 9, "{rows:?}");
    let effects = Document::read("docs/reference/effects.md").text;
    let catalog = Document::read("fixtures/businesses/saas-plugins/catalog.yml").text;
    for row in rows {
        let (of_source, here) = (row[1], row[3]);
        let (subject, participle) = here.split_once('.').expect("two words");
        let is_word =
            |word: &str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
        assert!(is_word(subject) && is_word(participle), "{here}");
        let ends = ["ed", "paid", "sent"];
        assert!(ends.iter().any(|end| participle.ends_with(end)), "{here} of {of_source} ends with a participle");
        assert!(effects.contains(&format!("| `{here}` |")) || catalog.contains(&format!("  {here}:")), "{here} exists");
    }
}

/// Names that say nothing. `data` is a word of Stripe's events and a folder of the server, so it is no such name here.
const FORBIDDEN: [&str; 2] = ["temp", "func"];

/// Returns the names that a line of Rust binds: variables, functions and parameters.
fn bound(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let words: Vec<&str> = code
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .filter(|word| !word.is_empty())
        .collect();
    let after =
        words.windows(2).filter(|pair| ["let", "mut", "fn", "for", "ref"].contains(&pair[0])).map(|pair| pair[1]);
    let parameters = FORBIDDEN
        .into_iter()
        .filter(|name| code.contains(&format!("({name}: ")) || code.contains(&format!(", {name}: ")));
    after.chain(parameters).collect()
}

// covers: PLG-85
#[test]
fn no_variable_and_no_function_has_a_name_that_says_nothing() {
    let (mut lines, mut wrong) = (0, Vec::new());
    for folder in ["extension", "host-shim", "local-stripe", "tests", "xtask", "examples"] {
        for file in files(folder, ".rs").iter().filter(|file| !file.ends_with("documents/names.rs")) {
            for (at, line) in Document::read(file).text.lines().enumerate() {
                lines += 1;
                if bound(line).iter().any(|name| FORBIDDEN.contains(name)) {
                    wrong.push(format!("{}:{}: {}", file.display(), at + 1, line.trim()));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(lines > 50_000, "{lines} lines");
}

#[test]
fn names_are_read_from_a_line() {
    assert_eq!(bound("    let mut temp = 1; // let func"), ["mut", "temp"]);
    assert_eq!(bound("fn call(func: F) {"), ["call", "func"]);
    assert_eq!(bound("    temperature.call()"), [""; 0]);
}
