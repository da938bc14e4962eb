//! What somebody meant who wrote a name that nobody knows.

use strsim::damerau_levenshtein;

/// Characters of a word for each of which one may be wrong, beside the first.
const CHARACTERS_PER_SLIP: usize = 4;
/// Fewer characters are as near to any other word.
const CHARACTERS_MIN: usize = 3;

/// The candidate that `word` is a misspelling of: the nearest, if so few characters are wrong that it is likely meant.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let length = word.chars().count();
    if length < CHARACTERS_MIN {
        return None;
    }
    let slips_max = 1 + length / CHARACTERS_PER_SLIP;
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word && candidate.chars().count() >= CHARACTERS_MIN)
        .map(|candidate| (damerau_levenshtein(word, candidate), candidate))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_means_the_nearest_word() {
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
        assert_eq!(nearest("name", ["name"]), None, "the same word is no guess");
        assert_eq!(nearest("abc", ["ab"]), None, "too short to be meant");
    }
}
