//! Finds values that are personal by their shape.

use super::stand_in::PersonalKind;
use regex::Regex;

/// The domain suffix of addresses that a simulation made up.
const MADE_UP: &str = ".invalid";

/// A search for addresses and numbers within texts.
pub(super) struct Shapes {
    mail: Regex,
    phone: Regex,
    ip: Regex,
}

impl Shapes {
    pub fn new() -> Self {
        let pattern = |text: &str| Regex::new(text).expect("a pattern that a test compiles");
        Shapes {
            mail: pattern(r#"[^\s@<>"'(),:;/=?&]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+"#),
            phone: pattern(r"\+[0-9][0-9 ().-]{6,}[0-9]"),
            ip: pattern(
                r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6}",
            ),
        }
    }

    /// Reports each personal value in a text.
    pub fn each(&self, text: &str, found: &mut dyn FnMut(PersonalKind, &str)) {
        for (kind, pattern) in
            [(PersonalKind::Mail, &self.mail), (PersonalKind::Phone, &self.phone), (PersonalKind::Ip, &self.ip)]
        {
            for part in pattern.find_iter(text) {
                if is_personal(kind, text, part.start(), part.as_str()) {
                    found(kind, part.as_str());
                }
            }
        }
    }
}

fn is_personal(kind: PersonalKind, text: &str, start: usize, part: &str) -> bool {
    match kind {
        PersonalKind::Mail => !part.ends_with(MADE_UP),
        // Four numbers with dots may be a part of a longer number.
        PersonalKind::Ip if part.contains('.') => {
            let before = text[..start].chars().next_back();
            let after = text[start + part.len()..].chars().next();
            let is_apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '.');
            is_apart(before) && is_apart(after) && part.split('.').all(|number| number.parse::<u8>().is_ok())
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        Shapes::new().each(text, &mut |_, part| all.push(part.to_owned()));
        all
    }

    #[test]
    fn addresses_are_found_within_texts() {
        assert_eq!(found("to: Anna <anna.b+x@mail.example.org>!"), ["anna.b+x@mail.example.org"]);
        assert_eq!(found("mailto:jörg@bücher.de?x=1"), ["jörg@bücher.de"]);
        assert_eq!(found("call +49 (170) 123-4567 now"), ["+49 (170) 123-4567"]);
        assert_eq!(found("from 203.0.113.7, 2001:db8::1"), ["203.0.113.7", "2001:db8::1"]);
    }

    #[test]
    fn ids_times_and_versions_are_not_personal() {
        for text in [
            "cus_Nf4xyz",
            "2026-01-01T00:00:00+01:00",
            "2025-03-31.basil",
            "1.2.3",
            "300.1.1.1",
            "v1.2.3.4",
            "10:30:00",
            "<abc@mail.invalid>",
            "+5s",
            "price@2",
            "solobase/test/user:A/k@1",
            "stripe-customer:cus_1",
            "12:30",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
