//! Tests the documents: links, commands and ids lead to something, the lists of the businesses are current, and answers name files
//! that exist.

#[path = "documents/commands.rs"]
mod commands;
#[path = "documents/ids.rs"]
mod ids;
#[path = "documents/links.rs"]
mod links;
#[path = "documents/metrics.rs"]
mod metrics;
#[path = "documents/of_businesses.rs"]
mod of_businesses;
#[path = "documents/permissions.rs"]
mod permissions;
#[path = "documents/tables.rs"]
mod tables;
#[path = "documents/terraform.rs"]
mod terraform;

use component_builder::workspace_root as root;
use std::fs;
use std::path::{Path, PathBuf};

/// A text of the repository, with its path below the root.
pub struct Document {
    /// Path below the root.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

impl Document {
    /// Reads a file of the repository.
    pub fn read(path: impl AsRef<Path>) -> Document {
        let path = path.as_ref().to_owned();
        let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Document { path, text }
    }

    /// Returns the lines with their numbers, and whether each is in a block of code.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let mut is_code = false;
        self.text.lines().enumerate().map(move |(at, line)| {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            (at + 1, line, is_code || is_fence)
        })
    }

    /// Returns the text of the chapter with this heading, up to the next heading of the same level.
    pub fn chapter(&self, heading: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!("\n## {heading}\n"))?;
        Some(rest.split("\n## ").next().unwrap_or(rest))
    }
}

/// Returns the files below a folder of the repository whose names have this ending.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    find(Path::new(folder), ending, &mut found);
    found.sort();
    found
}

fn find(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(folder)).expect("a folder that can be read") {
        let name = entry.expect("an entry").file_name();
        let path = folder.join(&name);
        let name = name.to_string_lossy();
        let is_skipped = name.starts_with('.') || ["target", "dist", "node_modules"].contains(&&*name);
        if is_skipped {
            continue;
        }
        if root().join(&path).is_dir() {
            find(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

/// Returns all documents of the repository.
pub fn documents() -> Vec<Document> {
    let all: Vec<Document> = files("", ".md").iter().map(Document::read).collect();
    assert!(all.len() > 30, "{} documents", all.len());
    all
}
