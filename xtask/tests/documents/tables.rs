//! The files that decisions and the security checklist name exist, and the checklist has an answer for each question.

use super::{Document, files, root};
use std::path::Path;

/// Returns the code spans of a line that are paths of files or folders.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let spans = line.split('`').skip(1).step_by(2);
    spans
        .filter(|span| span.contains('/') && !span.contains([' ', '{', '*', '<', '$']) && !span.starts_with(['/', '.']))
}

/// Returns the rows of tables: the cells of each line that begins with `|`.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with('|') && !line.contains("|---"));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

#[test]
fn answers_name_files_that_exist_and_words_that_stand_in_them() {
    let document = Document::read("docs/decisions/2026-11-26-gaps-of-the-sources.md");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for row in rows(&document.text).filter(|row| row[0] != "id") {
        let [id, .., held] = row.as_slice() else { panic!("{row:?}") };
        for part in held.split("; ").filter(|part| part.starts_with('`')) {
            let file = part.split('`').nth(1).expect("a file");
            seen += 1;
            if !root().join(file).exists() {
                wrong.push(format!("{id}: no file `{file}`"));
                continue;
            }
            // What follows the file is a word of it: a code span, or a sentence in quotes.
            let mut words: Vec<&str> = part.split('`').skip(3).step_by(2).filter(|word| !word.contains('/')).collect();
            if let Some((_, quoted)) = part.split_once(", \"") {
                words = vec![quoted.trim_end_matches('"')];
            }
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_default().replace('\n', " ");
            let missing = words.into_iter().filter(|word| !text.contains(word));
            wrong.extend(missing.map(|word| format!("{id}: `{file}` has no longer: {word}")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(seen > 20, "{seen} places");
}

// covers: SOL-62
#[test]
fn each_question_of_the_security_checklist_names_a_test_that_exists() {
    let document = Document::read("docs/operate/security-checklist.md");
    let (mut questions, mut wrong) = (0, Vec::new());
    for row in rows(&document.text).filter(|row| row[0] != "question") {
        questions += 1;
        let [question, answer] = row.as_slice() else { panic!("{row:?}") };
        let named: Vec<&str> = paths(answer).collect();
        if named.is_empty() || !named.iter().all(|path| root().join(path).exists()) {
            wrong.push(format!("{question} {named:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(questions >= 20, "{questions} questions");
    let people = document.chapter("For people").expect("the work of people");
    assert!(people.lines().filter(|line| line.starts_with("- ")).count() >= 5, "{people}");
}

#[test]
fn lines_of_documents_are_at_most_160_characters_long() {
    let long = |path: &Path| {
        let document = Document::read(path);
        let lines: Vec<String> = document
            .lines()
            .filter(|(_, line, is_code)| !is_code && !line.starts_with('|') && line.chars().count() > 160)
            .map(|(at, ..)| format!("{}:{at}", document.path.display()))
            .collect();
        lines
    };
    let found: Vec<String> = files("docs", ".md").iter().flat_map(|path| long(path)).collect();
    assert_eq!(found, Vec::<String>::new());
}
