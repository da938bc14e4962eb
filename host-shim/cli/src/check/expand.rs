//! `provisioner check --expand`: prints a business's clauses in the full level of the language, each with the line that it comes from.

use host_business::folder::BusinessFolder;
use host_business::yaml::bad_input::Place;
use host_business::yaml::{Entry, Node, Tree};
use host_replay::command::EXIT_BAD_INPUT;
use host_replay::report::printable;
use host_scenario::tree::text::{Layout, entry, item};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Prints the businesses in these folders.
pub(super) fn print(folders: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    for folder in folders {
        let folder = if folder.is_file() { folder.parent().unwrap_or(folder) } else { folder };
        match BusinessFolder::load(folder) {
            Ok(business) => {
                for line in expanded(&business.lines).lines() {
                    writeln!(out, "{}", printable(line))?;
                }
            }
            Err(mistakes) => {
                eprintln!("{}", printable(&mistakes.to_string()));
                return Ok(ExitCode::from(EXIT_BAD_INPUT));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the document as YAML, with a comment before each clause.
fn expanded(document: &Node) -> String {
    let mut out = String::new();
    for clause in document.entries().unwrap_or_default() {
        match &clause.value.value {
            Tree::Map(entries) if !entries.is_empty() => {
                let _ = writeln!(out, "{}:", clause.key);
                entries.iter().for_each(|Entry { key, value, .. }| {
                    comment(&mut out, &value.place());
                    entry(&mut out, 2, key, value, Layout::Short);
                });
            }
            Tree::List(values) if values.iter().all(|value| value.entries().is_some()) && !values.is_empty() => {
                let _ = writeln!(out, "{}:", clause.key);
                for value in values {
                    comment(&mut out, &value.place());
                    item(&mut out, 2, value.entries().unwrap_or_default());
                }
            }
            _ => entry(&mut out, 0, &clause.key, &clause.value, Layout::Short),
        }
    }
    out
}

fn comment(out: &mut String, place: &Place) {
    let name = place.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let _ = writeln!(out, "  # {name}:{}", place.line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_full_form_reads_as_the_business_and_names_the_lines_of_the_short_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let short =
            "features: {shows: limit}\n\nplans:\n  free: {shows: 1}\n  studio: {price: {month: 12.00}, shows: 3}\n";
        fs::write(folder.path().join("catalog.yml"), short).expect("written");
        let business = BusinessFolder::load(folder.path()).expect("a business");
        let full = expanded(&business.lines);
        assert!(full.contains("  # catalog.yml:5\n  - id: studio\n"), "{full}");
        fs::write(folder.path().join("catalog.yml"), &full).expect("written");
        assert_eq!(BusinessFolder::load(folder.path()).expect("a business").catalog, business.catalog);
    }
}
