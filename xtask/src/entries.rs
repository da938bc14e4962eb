//! The ids of requirements, contradictions, questions and Stripe scenarios, read from the pages that have an entry for each:
//! `docs/requirements` and `docs/stripe-events.md`.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Folder of the pages with requirements, one for each business, and of the page with contradictions and questions.
const REQUIREMENTS: &str = "docs/requirements";
/// Page with the Stripe scenarios.
const STRIPE: &str = "docs/stripe-events.md";
/// Letters before the dash of an id: one sequence for each business, and those of contradictions (D) and questions (Q).
const LETTERS: [&str; 7] = ["SOL", "BOT", "PLG", "ORC", "TES", "D", "Q"];

/// Returns the ids of all entries, page by page. An id with two entries appears twice.
///
/// # Errors
///
/// Fails if a page can't be read.
pub fn all(root: &Path) -> Result<Vec<String>> {
    let mut pages = vec![root.join(STRIPE)];
    let folder = root.join(REQUIREMENTS);
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        pages.push(entry?.path());
    }
    pages.sort();
    let mut ids = Vec::new();
    for page in pages.iter().filter(|page| page.extension().is_some_and(|end| end == "md")) {
        let text = fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
        ids.extend(text.lines().filter_map(of_entry).map(str::to_owned));
    }
    Ok(ids)
}

/// Returns the id of an entry from its first line: `- **SOL-01** …` in a list, or the heading `### S01 …`.
fn of_entry(line: &str) -> Option<&str> {
    let (id, _) = match line.strip_prefix("- **") {
        Some(rest) => rest.split_once("** ")?,
        None => line.strip_prefix("### ")?.split_once(' ')?,
    };
    is_id(id).then_some(id)
}

/// Returns true for the form of these ids: [`LETTERS`], a dash and a number; or `S` and a number from 01 to 199 with two or
/// three digits, as the Stripe scenarios have them. `S3` and `S256` are other words.
#[must_use]
pub fn is_id(word: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((letters, number)) = word.split_once('-') {
        return LETTERS.contains(&letters) && is_number(number);
    }
    let number = word.strip_prefix('S').filter(|number| is_number(number));
    number.is_some_and(|number| number.len() == 2 || number.len() == 3 && number.starts_with('1'))
}

/// Returns the ids that a line mentions.
pub fn mentioned(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|letter: char| !(letter.is_alphanumeric() || letter == '-' || letter == '_'));
    words.filter(|word| is_id(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_begin_with_their_id() {
        assert_eq!(of_entry("- **SOL-01** A plan is a product."), Some("SOL-01"));
        assert_eq!(of_entry("### S01 A valid delivery"), Some("S01"));
        for other in
            ["- SOL-01 A plan", "- **Floors**: a crate", "## S01 A title", "### Other platforms", "  **SOL-01** "]
        {
            assert_eq!(of_entry(other), None, "{other}");
        }
    }

    #[test]
    fn ids_are_words_of_their_form() {
        let found: Vec<&str> =
            mentioned("// covers: TES-111, S07 (S128); ES256, S3, \"S256\", SOL-1x, evt_S12, a-S12 and D-01").collect();
        assert_eq!(found, ["TES-111", "S07", "S128", "D-01"]);
    }
}
