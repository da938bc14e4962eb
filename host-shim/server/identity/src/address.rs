//! E-mail addresses, in the form by which a user is found.

use std::fmt;

/// Maximum length of an address in bytes, as mail servers accept it.
const BYTES_MAX: usize = 254;

/// An e-mail address in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// Reads an address; none if the text cannot be one. Whether it exists is known only after a mail was answered.
    pub fn parse(text: &str) -> Option<Address> {
        let text = text.trim().to_lowercase();
        let (name, host) = text.rsplit_once('@')?;
        let is_host = host.contains('.')
            && host.split('.').all(|part| !part.is_empty())
            && host.bytes().all(|c| c.is_ascii_alphanumeric() || b".-".contains(&c) || c >= 0x80);
        let is_name = !name.is_empty()
            && !name.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"@".contains(c));
        (is_name && is_host && text.len() <= BYTES_MAX).then_some(Address(text))
    }

    /// Returns the text.
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
        ] {
            assert_eq!(Address::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(Address::parse(&format!("{}@example.com", "a".repeat(250))), None);
    }
}
