//! Which known name did the author of an unknown name probably mean?

use strsim::damerau_levenshtein;

/// A word may have one typo, and one more typo for each group of this many characters.
const CHARACTERS_PER_TYPO: usize = 4;
/// Minimum word length; shorter words resemble too many others.
const CHARACTERS_MIN: usize = 3;

/// Returns the candidate nearest to `word`, if it differs by few enough characters to be a misspelling.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
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
    }
}
