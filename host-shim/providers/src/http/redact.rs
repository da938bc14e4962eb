//! Removes keys from strings that a server sent.

use host_provider_api::{CallOutcome, Secret, map_texts};
use serde_json::Value;

/// Replacement of a key.
const REDACTED: &str = "(redacted)";

/// Removes keys from strings.
pub struct Redacted<'k> {
    /// The key that was sent.
    pub key: &'k Secret,
    /// Prefixes of the server's keys, for example `sk_live_`. Each word that begins with a prefix is removed, even if
    /// it is only a part of a key.
    pub prefixes: &'k [&'static str],
}

impl Redacted<'_> {
    /// Returns the string without keys.
    pub fn text(&self, text: &str) -> String {
        let mut text = match self.key.expose() {
            "" => text.to_owned(),
            key => text.replace(key, REDACTED),
        };
        for prefix in self.prefixes {
            let mut from = 0;
            while let Some(at) = text[from..].find(prefix).map(|at| from + at) {
                let rest = &text[at + prefix.len()..];
                // Partly hidden keys contain stars.
                let length =
                    rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_*-".contains(c)).unwrap_or(rest.len());
                text.replace_range(at..at + prefix.len() + length, REDACTED);
                from = at + REDACTED.len();
            }
        }
        text
    }

    /// Returns the outcome without keys in any of its strings.
    pub fn outcome(&self, outcome: CallOutcome) -> CallOutcome {
        outcome.map_text(&|text| self.text(&text))
    }

    /// Returns the value without keys, including in member names.
    pub fn value(&self, value: Value) -> Value {
        map_texts(value, &|text| self.text(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_and_parts_of_keys_are_removed_everywhere() {
        let key = Secret::new("sk_test_abc123");
        let redacted = Redacted { key: &key, prefixes: &["sk_test_", "rk_live_"] };
        for (text, expected) in [
            ("Invalid API Key provided: sk_test_****c123.", "Invalid API Key provided: (redacted)."),
            ("sk_test_abc123", "(redacted)"),
            ("rk_live_x and sk_test_abc123, both", "(redacted) and (redacted), both"),
            ("a sk_test_", "a (redacted)"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(redacted.text(text), expected);
        }
        let outcome = CallOutcome::Done(json!({"a": ["sk_test_abc123"], "sk_test_abc123": 1}));
        assert!(!format!("{:?}", redacted.outcome(outcome)).contains("abc123"));
    }
}
