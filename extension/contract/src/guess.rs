//! Guesses the known name that the author of an unknown name probably meant.

use strsim::damerau_levenshtein;

/// A word may have one typo, and one more typo for each group of this many characters.
const CHARACTERS_PER_TYPO: usize = 4;
/// Minimum word length; shorter words resemble too many others.
const CHARACTERS_MIN: usize = 3;

/// Words that people use for names of this program's files.
const SYNONYMS: [(&str, &str); 7] = [
    ("needs", "after"),
    ("depends_on", "after"),
    ("requires", "after"),
    ("when", "if"),
    ("condition", "if"),
    ("limit", "most"),
    ("inputs", "with"),
];

/// Returns the candidate nearest to `word`, if it differs by few enough characters to be a misspelling, or else the candidate of
/// the same meaning, or of the same two letters in the other order.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str> + Clone) -> Option<&'c str> {
    let meant = |candidate: &&str| SYNONYMS.iter().any(|(other, name)| *other == word && name == candidate);
    let is_turned = |candidate: &&str| word.len() == 2 && word.bytes().rev().eq(candidate.bytes());
    let other = |candidate: &&str| *candidate != word && (meant(candidate) || is_turned(candidate));
    misspelt(word, candidates.clone()).or_else(|| candidates.into_iter().find(other))
}

/// Maximum number of typos in a word that may also be another name.
const TYPOS_SURE: usize = 2;

/// Returns true if a word differs from a candidate by so few characters that it is hardly another name.
pub fn misspells(word: &str, candidate: &str) -> bool {
    word.chars().count() > CHARACTERS_MIN && (1..=TYPOS_SURE).contains(&damerau_levenshtein(word, candidate))
}

fn misspelt<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let length = word.chars().count();
    if length < CHARACTERS_MIN {
        return None;
    }
    let typos_max = 1 + length / CHARACTERS_PER_TYPO;
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word && candidate.chars().count() >= CHARACTERS_MIN)
        .map(|candidate| (damerau_levenshtein(word, candidate), candidate))
        .filter(|(typos, _)| *typos <= typos_max)
        .min_by_key(|(typos, _)| *typos)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guess_for_a_misspelt_word_is_the_nearest_candidate() {
        let known = ["name", "grants", "fields", "family", "max_length", "min_length"];
        for (word, meant) in [
            ("nmae", Some("name")),
            ("grnats", Some("grants")),
            ("feild", Some("fields")),
            ("min_lenght", Some("min_length")),
            ("Family", Some("family")),
            ("price", None),
            ("na", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest("name", ["name"]), None, "the word itself is not a guess");
        assert_eq!(nearest("abc", ["ab"]), None, "too short to be meant");
        assert_eq!(nearest("yb", ["by", "bx"]), Some("by"), "two letters in the other order");
        assert_eq!(nearest("needs", ["name", "after"]), Some("after"), "another word for the same");
        assert_eq!(nearest("needs", ["need", "after"]), Some("need"), "a misspelling is nearer");
        assert_eq!(nearest("needs", ["name"]), None);
        assert!(misspells("price_starer", "price_starter") && misspells("price_startre", "price_starter"));
        let others = [("price_of_use", "price_muse"), ("price_new", "price_xyz"), ("same", "same"), ("abc", "abd")];
        assert!(others.iter().all(|(word, other)| !misspells(word, other)));
    }
}
