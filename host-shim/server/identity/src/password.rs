//! Decides whether a password is strong enough, by its length (NIST SP 800-63B) and by the number of guesses that it withstands. zxcvbn
//! estimates the latter from common passwords, words, names, dates, keyboard patterns, the address and the name of the business.

use crate::address::Address;
use zxcvbn::{Score, zxcvbn};

/// Minimum length of a password in characters.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Maximum length of a password in characters: longer ones would only cost time.
pub const PASSWORD_CHARS_MAX: usize = 200;
/// Number of characters whose strength is estimated. Further ones only add to it, and the time for an estimate grows faster than the
/// length.
const JUDGED_CHARS_MAX: usize = 24;
/// Minimum strength: at least 10^8 guesses.
const SCORE_MIN: Score = Score::Three;

/// Returns why a password is weak; none if it is acceptable. `business` is a name that attackers would also guess first.
pub fn weakness(password: &str, address: &Address, business: &str) -> Option<String> {
    let chars = password.chars().count();
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        return Some(format!("expected {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters"));
    }
    let parts = address.as_str().split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let guessed_first: Vec<&str> = parts.chain([address.as_str(), address.name(), business]).collect();
    let judged: String = password.chars().take(JUDGED_CHARS_MAX).collect();
    let estimate = zxcvbn(&judged, &guessed_first);
    if estimate.score() >= SCORE_MIN {
        return None;
    }
    let warning = estimate.feedback().and_then(|feedback| feedback.warning());
    let why = warning.map_or_else(|| "This is easy to guess.".to_owned(), |warning| warning.to_string());
    Some(format!("expected a password that is harder to guess. {why}"))
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
            "password12345",
            "P@ssw0rd1234",
            "letmein12345",
            "monkey12345",
            "adminadmin",
            "qwertyqwerty!",
            "1234567890",
            "27.11.2026",
            "qwertyuiop",
            "1q2w3e4r5t",
            "tesslate2026",
            "TesslateTesslate",
            "ada.lovelace@example.com",
            "Ada.Lovelace1",
            "lovelace2026",
        ] {
            assert!(weakness(weak, &address, "tesslate").is_some(), "{weak}");
        }
        for strong in [
            "correct horse battery",
            "battery staple",
            "kT9-fmq2-Xw",
            "Tr0ub4dor&3x",
            "password is what I never use",
            "8301 7745 9026 1138",
            "ein sehr schönes Wörtchen",
            "éàéàéà wörter é",
        ] {
            assert_eq!(weakness(strong, &address, "tesslate"), None, "{strong}");
        }
        assert!(weakness(&"long sentence ".repeat(20), &address, "tesslate").is_some());
    }
}
