//! Is a password strong enough? Length counts (NIST SP 800-63B); what everybody guesses first is refused.

use crate::address::Address;

/// Minimum length of a password in characters.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Maximum length of a password in characters: longer ones would only cost time.
pub const PASSWORD_CHARS_MAX: usize = 200;
/// Beginnings that guesses have, in lower case.
const GUESSED: [&str; 16] = [
    "0123456789",
    "1234567890",
    "123456789",
    "password",
    "passw0rd",
    "qwertyuiop",
    "qwerty123",
    "iloveyou",
    "letmein",
    "welcome",
    "abcdefghij",
    "administrator",
    "changeme",
    "football",
    "baseball",
    "starwars",
];
/// Number of further characters with which a guessed beginning is still weak.
const FURTHER: usize = 4;
/// Minimum number of different characters.
const DIFFERENT_MIN: usize = 5;

/// Returns why a password is weak; none for a password that may be used.
pub fn weakness(password: &str, address: &Address) -> Option<String> {
    let (chars, lower) = (password.chars().count(), password.to_lowercase());
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        return Some(format!("expected {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters"));
    }
    let mut different: Vec<char> = lower.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < DIFFERENT_MIN {
        return Some(format!("expected at least {DIFFERENT_MIN} different characters"));
    }
    let is_guessed = |guess: &str| lower.starts_with(guess) && chars <= guess.chars().count() + FURTHER;
    if GUESSED.iter().any(|guess| is_guessed(guess)) {
        return Some("expected a password that is not among the first guesses".to_owned());
    }
    let is_own = lower == address.as_str() || (address.name().chars().count() >= 4 && is_guessed(address.name()));
    is_own.then(|| "expected a password that is not the address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_weak_and_long_sentences_are_not() {
        let address = Address::parse("ada.lovelace@example.com").expect("an address");
        for weak in [
            "",
            "short",
            "aaaaaaaaaaaa",
            "abababababab",
            "Password1234",
            "1234567890",
            "qwertyuiop",
            "ada.lovelace@example.com",
            "Ada.Lovelace1",
        ] {
            assert!(weakness(weak, &address).is_some(), "{weak}");
        }
        for strong in ["correct horse battery", "Tr0ub4dor&3x", "password is what I never use"] {
            assert_eq!(weakness(strong, &address), None, "{strong}");
        }
        assert!(weakness(&"long sentence ".repeat(20), &address).is_some());
    }
}
