//! The ids of requirements, contradictions, questions and Stripe scenarios: the entries on their pages. `fixtures/ids.txt` lists the
//! special properties of some ids.

use super::kinds::LETTERS;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use xtask::entries;

/// All ids.
#[derive(Debug, Default)]
pub struct Ids {
    /// Ids that must be covered.
    pub required: BTreeSet<String>,
    /// All other ids. Each needs a case, or an answer in `docs/decisions`.
    pub known: BTreeSet<String>,
    /// The known ids that no scenario can cover, by reason, which is a word in `LEFT`.
    pub left: BTreeMap<&'static str, BTreeSet<String>>,
    /// The letters of the verification code, for each id that has one.
    pub codes: BTreeMap<String, String>,
    /// Descriptions of the parts of ids that nothing in this repository can cover, by id. The other parts of these ids
    /// can be covered.
    pub parts: BTreeMap<String, String>,
}

/// Reasons why nothing covers an id yet: it needs a server, the pages of a server, or a real cloud.
const LEFT: [&str; 3] = ["http", "pages", "cloud"];

impl Ids {
    /// Reads the pages and `fixtures/ids.txt`. The file has lines `known ID…`, `http ID…` (or `pages`, `cloud`) and
    /// `part ID DESCRIPTION`, which describes the part of the id that can't be covered; `code LETTERS ID…` has the verification code of
    /// ids. `#` begins a comment. An id of a page is required unless the file lists it otherwise.
    ///
    /// # Errors
    ///
    /// Fails if a page or the file can't be read, or if the file has an invalid line.
    pub fn read(root: &Path) -> Result<Ids> {
        let file = root.join("fixtures").join("ids.txt");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let of_pages = Ids { required: entries::all(root)?.into_iter().collect(), ..Ids::default() };
        of_pages.with(&text).with_context(|| file.display().to_string())
    }

    /// Parses the contents of such a file, for pages with these entries.
    #[cfg(test)]
    pub fn parse(entries: &str, text: &str) -> Result<Ids> {
        Ids { required: entries.split_whitespace().map(str::to_owned).collect(), ..Ids::default() }.with(text)
    }

    /// Adds the contents of such a file.
    fn with(self, text: &str) -> Result<Ids> {
        let mut ids = self;
        for (at, line) in text.lines().enumerate() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            match words.next() {
                None => {}
                Some("known") => ids.known.extend(words.map(str::to_owned)),
                Some("code") => {
                    let letters = words.next().unwrap_or_default();
                    if letters.is_empty() || !letters.chars().all(|letter| LETTERS.contains(letter)) {
                        bail!("line {} has the code `{letters}`; expected letters of {LETTERS}, then ids", at + 1);
                    }
                    ids.codes.extend(words.map(|id| (id.to_owned(), letters.to_owned())));
                }
                Some("part") => {
                    let (id, what) = (words.next(), words.collect::<Vec<_>>().join(" "));
                    match id {
                        Some(id) if !what.is_empty() => drop(ids.parts.insert(id.to_owned(), what)),
                        _ => {
                            bail!("line {} says too little; expected part, an id, and what is not shown of it", at + 1)
                        }
                    }
                }
                Some(word) => {
                    let Some(what) = LEFT.into_iter().find(|what| *what == word) else {
                        let expected = LEFT.join(", ");
                        bail!("line {} begins with `{word}`; expected known, part, code, {expected}, then ids", at + 1);
                    };
                    let left: Vec<String> = words.map(str::to_owned).collect();
                    ids.known.extend(left.iter().cloned());
                    ids.left.entry(what).or_default().extend(left);
                }
            }
        }
        ids.required.retain(|id| !ids.known.contains(id));
        if let Some(id) = ids.parts.keys().chain(ids.codes.keys()).find(|id| !ids.contains(id)) {
            bail!("`part` or `code`: unknown id `{id}`");
        }
        Ok(ids)
    }

    /// Returns true if this id is known.
    pub fn contains(&self, id: &str) -> bool {
        self.required.contains(id) || self.known.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn required_and_known_ids_are_told_apart_and_other_lines_refused() {
        let ids = Ids::parse("SOL-01 S17", "# all\nknown S18 # later S19\n").expect("ids");
        assert_eq!((ids.required.len(), ids.known.len()), (2, 1));
        assert!(ids.contains("S17") && ids.contains("S18") && !ids.contains("S19"));
        let ids = Ids::parse("", "http TES-20 TES-21\npages TES-80\n").expect("ids");
        assert!(ids.contains("TES-20") && ids.left["http"].len() == 2 && ids.left["pages"].contains("TES-80"));
        let error = Ids::parse("S1", "known S2\nSOL-02\n").expect_err("no word");
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn an_id_of_a_page_is_required_unless_the_file_lists_it_otherwise() {
        let ids = Ids::parse("D-01 SOL-01 SOL-61", "known SOL-61\ncode U SOL-01\n").expect("ids");
        assert_eq!(ids.required.iter().collect::<Vec<_>>(), ["D-01", "SOL-01"]);
        assert_eq!(ids.known.iter().collect::<Vec<_>>(), ["SOL-61"]);
    }

    #[test]
    fn the_verification_code_of_an_id_is_parsed() {
        let ids = Ids::parse("S1 S2", "code UE S1 S2\n").expect("ids");
        assert_eq!((ids.codes["S1"].as_str(), ids.codes["S2"].as_str()), ("UE", "UE"));
        for (text, expected) in [("code X S1\n", "expected letters of UFAED"), ("code U S9\n", "unknown id `S9`")] {
            let error = Ids::parse("", text).expect_err("wrong");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn the_part_of_an_id_that_can_not_be_covered_is_parsed() {
        let ids = Ids::parse("S1", "part S1 a real   server # later\n").expect("ids");
        assert_eq!(ids.parts["S1"], "a real server");
        for (text, expected) in
            [("part S1\n", "line 1"), ("part\n", "line 1"), ("part S2 a server\n", "unknown id `S2`")]
        {
            let error = Ids::parse("", text).expect_err("wrong");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
