//! Each id of a requirement, contradiction, question or Stripe scenario that the repository mentions has one entry in a public page.

use super::{Document, files, root};
use std::collections::BTreeSet;
use xtask::entries;

/// The folders in which ids are mentioned.
const FOLDERS: [&str; 8] = ["extension", "host-shim", "local-stripe", "tests", "xtask", "fixtures", "docs", "examples"];
/// The endings of the files that are read: sources, scenarios, documents and tables.
const ENDINGS: [&str; 4] = [".rs", ".yml", ".md", ".tsv"];

#[test]
fn each_id_of_the_repository_has_an_entry() {
    let known: BTreeSet<String> = entries::all(&root()).expect("the pages").into_iter().collect();
    let (mut seen, mut wrong) = (0, Vec::new());
    for folder in FOLDERS {
        for file in ENDINGS.iter().flat_map(|ending| files(folder, ending)) {
            for (at, line) in Document::read(&file).text.lines().enumerate() {
                for id in entries::mentioned(line) {
                    seen += 1;
                    if !known.contains(id) {
                        wrong.push(format!("{}:{}: {id}", file.display(), at + 1));
                    }
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "expected an entry in docs/requirements or docs/stripe-events.md");
    assert!(seen > 1_000, "{seen} ids");
}

#[test]
fn each_id_has_one_entry() {
    let all = entries::all(&root()).expect("the pages");
    let mut seen = BTreeSet::new();
    let repeated: Vec<&String> = all.iter().filter(|id| !seen.insert(*id)).collect();
    assert_eq!(repeated, Vec::<&String>::new());
    assert!(seen.len() > 400, "{} ids", seen.len());
}
