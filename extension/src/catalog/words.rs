//! Names in catalogs: their form, their maximum lengths, and lists of them in messages.

use extension_contract::Expected;

/// Maximum length of an id in a command, in bytes. Keys contain ids.
pub(crate) const ID_BYTES: usize = 200;

/// Maximum length of the business's own names, in bytes.
pub(crate) const WORD_BYTES: usize = 40;

/// Returns the allowed names of a mistake.
pub(crate) fn one_of<N: AsRef<str>>(names: &[N]) -> Expected {
    Expected::names(names.iter().map(AsRef::as_ref))
}

/// Returns whether a name consists of 1 to 40 characters a-z, 0-9 and `_`, and begins with a letter.
pub(crate) fn is_word(name: &str) -> bool {
    let mut letters = name.bytes();
    letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && name.len() <= WORD_BYTES
}

/// Returns the words of a name in lower case: letters and digits, with `_` between words.
pub(crate) fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}
