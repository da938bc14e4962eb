//! Keys that the other side repeats are not told any further.

use host_provider_api::{CallOutcome, Secret, map_texts};
use serde_json::Value;

/// What stands in place of a key.
const REDACTED: &str = "(redacted)";

/// Keys that no text may hold.
pub struct Redacted<'k> {
    /// The key that was used.
    pub key: &'k Secret,
    /// What keys of the other side begin with, `sk_live_`: whatever follows in a text, also a part of a key, goes too.
    pub prefixes: &'k [&'static str],
}

impl Redacted<'_> {
    /// The text without keys.
    pub fn text(&self, text: &str) -> String {
        let mut text = match self.key.expose() {
            "" => text.to_owned(),
            key => text.replace(key, REDACTED),
        };
        for prefix in self.prefixes {
            let mut from = 0;
            while let Some(at) = text[from..].find(prefix).map(|at| from + at) {
                let rest = &text[at + prefix.len()..];
                // Of what is shown of a key the hidden part is stars.
                let length =
                    rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_*-".contains(c)).unwrap_or(rest.len());
                text.replace_range(at..at + prefix.len() + length, REDACTED);
                from = at + REDACTED.len();
            }
        }
        text
    }

    /// The answer without keys, wherever they stand in it.
    pub fn answer(&self, answer: CallOutcome) -> CallOutcome {
        answer.map_text(&|text| self.text(&text))
    }

    /// The value without keys, names of members included.
    pub fn value(&self, value: Value) -> Value {
        map_texts(value, &|text| self.text(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_and_parts_of_keys_go_wherever_they_stand() {
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
        let answer = CallOutcome::Done(json!({"a": ["sk_test_abc123"], "sk_test_abc123": 1}));
        assert!(!format!("{:?}", redacted.answer(answer)).contains("abc123"));
    }
}
