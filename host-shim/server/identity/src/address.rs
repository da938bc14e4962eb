//! E-mail addresses, in the normalized form by which a user is found.

use crate::names::is_unseen;
use idna::AsciiDenyList;
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// Maximum length of an address in bytes, as mail servers accept it.
const BYTES_MAX: usize = 254;

/// An e-mail address in the one form of its mailbox: lower case, composed letters (NFC), and the domain converted by IDNA to the letters
/// of its language.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// Parses an address; none if the string cannot be one, or if the mail provider could not send to it. Whether it exists is known only
    /// after somebody has reacted to a mail.
    pub fn parse(text: &str) -> Option<Address> {
        let (name, host) = text.trim().rsplit_once('@')?;
        let name: String = name.nfc().collect::<String>().to_lowercase().nfc().collect();
        let is_name = !name.chars().any(|c| c.is_whitespace() || is_unseen(c) || "<>()[],;:\\\"@".contains(c));
        let ascii = idna::domain_to_ascii_cow(host.as_bytes(), AsciiDenyList::STD3).ok()?;
        let (host, is_readable) = idna::domain_to_unicode(&ascii);
        is_readable.ok()?;
        let is_host = ascii.contains('.') && !ascii.rsplit('.').next()?.bytes().all(|c| c.is_ascii_digit());
        // The mail provider parses addresses with the same library, and sends to the domain in ASCII.
        let is_sent = lettre::Address::new(&name, &*ascii).is_ok();
        let text = format!("{name}@{host}");
        (is_name && is_host && is_sent && text.len() <= BYTES_MAX).then_some(Address(text))
    }

    /// Returns the address as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part before `@`.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_any_case() {
        let address = Address::parse(" Ada.Lovelace@Example.COM ").expect("an address");
        assert_eq!((address.as_str(), address.name()), ("ada.lovelace@example.com", "ada.lovelace"));
        for wrong in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "a da@example.com",
            "ada@exa mple.com",
            "a<b>@example.com",
            "ada@.com",
            "a\n@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a.@example.com",
            "\"a b\"@example.com",
            "ada\u{202e}@example.com",
            "ada\u{200b}@example.com",
            "ada@exam\u{200b}ple_.com",
            "ada@-example.com",
            "ada@example..com",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "ada@xn--a.com",
        ] {
            assert_eq!(Address::parse(wrong), None, "{wrong:?}");
        }
        for long in [
            "a".repeat(65) + "@example.com",
            format!("ada@{}.com", "a".repeat(64)),
            format!("ada@{}com", "abc.".repeat(70)),
        ] {
            assert_eq!(Address::parse(&long), None, "{long}");
        }
    }

    #[test]
    fn a_mailbox_has_one_address_however_it_is_written() {
        for (one, others) in [
            (
                "ada@m\u{fc}ller.example",
                ["ada@M\u{dc}LLER.example", "ada@xn--mller-kva.example", "ada@mu\u{308}ller.example"],
            ),
            (
                "\u{e9}va@example.com",
                ["e\u{301}va@example.com", "\u{c9}VA@example.com", "E\u{301}VA@example\u{ff0e}com"],
            ),
            ("kim@example.com", ["\u{212a}im@example.com", "Kim@EXAMPLE.com", "kim@exam\u{ad}ple.com"]),
        ] {
            for text in others {
                assert_eq!(Address::parse(text).as_ref().map(Address::as_str), Some(one), "{text:?}");
            }
        }
    }
}
