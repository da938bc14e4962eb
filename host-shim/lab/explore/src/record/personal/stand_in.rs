//! Makes stand-ins: made-up values that replace personal ones.

use serde_json::{Number, Value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The maximum number of attempts to draw an unused stand-in.
const DRAWS_MAX: u32 = 64;

/// The kind of a personal value, which determines the form of its stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PersonalKind {
    /// A text: letters become letters, digits become digits.
    Text,
    /// A mail address.
    Mail,
    /// A telephone number with a country code.
    Phone,
    /// An IP address.
    Ip,
    /// A link.
    Url,
}

/// Values and their stand-ins; no two values share a stand-in.
pub(super) struct StandIns {
    salt: [u8; 32],
    by_original: BTreeMap<String, String>,
    used: BTreeSet<String>,
    /// Values that are personal by their shape.
    shaped: BTreeSet<String>,
}

impl StandIns {
    pub fn new(salt: [u8; 32]) -> Self {
        StandIns { salt, by_original: BTreeMap::new(), used: BTreeSet::new(), shaped: BTreeSet::new() }
    }

    pub fn len(&self) -> usize {
        self.by_original.len()
    }

    pub fn originals(&self) -> impl Iterator<Item = &str> {
        self.by_original.keys().map(String::as_str)
    }

    /// Returns the values with their stand-ins.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_original.iter().map(|(original, stand_in)| (original.as_str(), stand_in.as_str()))
    }

    /// Returns true for a value that is personal by its shape.
    pub fn has_shape(&self, original: &str) -> bool {
        self.shaped.contains(original)
    }

    /// Returns the stand-in of a known value.
    pub fn known(&self, original: &str) -> Option<&str> {
        self.by_original.get(original).map(String::as_str)
    }

    /// Returns the stand-in of a value; creates one if the value is new.
    pub fn of(&mut self, kind: PersonalKind, original: &str) -> &str {
        if kind != PersonalKind::Text {
            self.shaped.insert(original.to_owned());
        }
        if !self.by_original.contains_key(original) {
            let made_up = (0..DRAWS_MAX).map(|draw| self.draw(kind, original, draw));
            let free = made_up.into_iter().find(|text| !self.used.contains(text) && text != original);
            // All attempts collide only for very short values; in that case, a longer stand-in is free.
            let free = free.unwrap_or_else(|| format!("{}{}", self.draw(kind, original, 0), self.used.len()));
            self.used.insert(free.clone());
            self.by_original.insert(original.to_owned(), free);
        }
        &self.by_original[original]
    }

    /// Returns a made-up number with at most as many digits.
    pub fn number(&self, number: &Number) -> Value {
        let made_up = Characters::of(&self.salt, "number", 0, &number.to_string()).like(&number.to_string());
        made_up.trim_start_matches('0').parse::<u64>().map_or_else(|_| Value::from(1), Value::from)
    }

    fn draw(&self, kind: PersonalKind, original: &str, draw: u32) -> String {
        let characters = |what: &str, of: &str| Characters::of(&self.salt, what, draw, of);
        match kind {
            PersonalKind::Text => characters("text", original).like(original),
            PersonalKind::Mail => {
                let (person, domain) = original.rsplit_once('@').unwrap_or((original, ""));
                let person = characters("person", original).like(person);
                // Equal domains get equal stand-ins.
                let domain = Characters::of(&self.salt, "domain", 0, domain).letters(8);
                format!("{person}@{domain}.example")
            }
            PersonalKind::Phone => {
                // No country has the code 999.
                let made_up = characters("phone", original).like(original);
                let mut country = "999".chars();
                let digit = |c: char| if c.is_ascii_digit() { country.next().unwrap_or(c) } else { c };
                made_up.chars().map(digit).collect()
            }
            PersonalKind::Ip if original.contains('.') => {
                let byte = characters("ip", original).next();
                // Networks reserved for documentation.
                let network =
                    ["192.0.2", "198.51.100", "203.0.113"][usize::from(characters("net", original).next()) % 3];
                format!("{network}.{byte}")
            }
            PersonalKind::Ip => {
                format!("2001:db8::{:x}{:02x}", characters("net", original).next(), characters("ip", original).next())
            }
            PersonalKind::Url => format!("https://{}.example/", characters("url", original).letters(12)),
        }
    }
}

/// A stream of characters, derived from a value and the salt. Texts that differ only in case give the same letters.
struct Characters {
    seed: [u8; 32],
    block: [u8; 32],
    at: usize,
}

impl Characters {
    fn of(salt: &[u8; 32], what: &str, draw: u32, original: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(salt);
        hash.update(what.as_bytes());
        hash.update(draw.to_be_bytes());
        hash.update(original.to_lowercase());
        let seed: [u8; 32] = hash.finalize().into();
        Characters { seed, block: seed, at: 0 }
    }

    fn next(&mut self) -> u8 {
        if self.at == self.block.len() {
            let mut hash = Sha256::new();
            hash.update(self.seed);
            hash.update(self.block);
            self.block = hash.finalize().into();
            self.at = 0;
        }
        self.at += 1;
        self.block[self.at - 1]
    }

    fn letter(&mut self) -> char {
        char::from(b'a' + self.next() % 26)
    }

    fn letters(&mut self, number: usize) -> String {
        (0..number).map(|_| self.letter()).collect()
    }

    /// Replaces letters with letters of the same case and digits with digits; leaves everything else unchanged.
    fn like(&mut self, original: &str) -> String {
        let like = |c: char| match c {
            c if c.is_ascii_digit() => char::from(b'0' + self.next() % 10),
            c if c.is_uppercase() => self.letter().to_ascii_uppercase(),
            c if c.is_alphanumeric() => self.letter(),
            c => c,
        };
        original.chars().map(like).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand_ins() -> StandIns {
        StandIns::new([7; 32])
    }

    #[test]
    fn a_stand_in_has_the_form_of_its_original() {
        let mut all = stand_ins();
        let text = all.of(PersonalKind::Text, "Anna B-7").to_owned();
        assert!(regex::Regex::new("^[A-Z][a-z]{3} [A-Z]-[0-9]$").expect("a pattern").is_match(&text), "{text}");
        let mail = all.of(PersonalKind::Mail, "anna.b@firm.com").to_owned();
        assert!(
            regex::Regex::new(r"^[a-z]{4}\.[a-z]@[a-z]{8}\.example$").expect("a pattern").is_match(&mail),
            "{mail}"
        );
        let phone = all.of(PersonalKind::Phone, "+49 170 1234567").to_owned();
        assert!(regex::Regex::new(r"^\+99 9[0-9]{2} [0-9]{7}$").expect("a pattern").is_match(&phone), "{phone}");
        assert_eq!(all.of(PersonalKind::Text, "Anna B-7"), text, "the same again");
    }

    #[test]
    fn texts_that_differ_only_in_case_get_the_same_letters_and_others_differ() {
        let mut all = stand_ins();
        assert_eq!(all.of(PersonalKind::Text, "Acme").to_lowercase(), all.of(PersonalKind::Text, "acme").to_owned());
        let one_letter: BTreeSet<String> =
            ('a'..='z').map(|c| all.of(PersonalKind::Text, &c.to_string()).to_owned()).collect();
        assert_eq!(one_letter.len(), 26);
    }

    #[test]
    fn another_salt_gives_other_stand_ins() {
        let mut other = StandIns::new([8; 32]);
        assert_ne!(stand_ins().of(PersonalKind::Mail, "anna@firm.com"), other.of(PersonalKind::Mail, "anna@firm.com"));
    }

    #[test]
    fn mail_addresses_with_the_same_domain_keep_a_common_domain() {
        let mut all = stand_ins();
        let domain = |mail: &str| mail.split('@').next_back().unwrap_or_default().to_owned();
        assert_eq!(domain(all.of(PersonalKind::Mail, "a@firm.com")), domain(all.of(PersonalKind::Mail, "b@firm.com")));
    }
}
