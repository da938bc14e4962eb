//! What makes a call known again: its idempotency key, and the metadata of what it made.

use crate::failure::Failed;
use host_provider_api::Call;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Metadata that holds the scope of the call.
pub const SCOPE: &str = "provisioner_scope";
/// Metadata that holds the key of the effect.
pub const KEY: &str = "provisioner_key";
/// Metadata that holds the generation of the effect.
pub const GENERATION: &str = "provisioner_generation";
/// Characters of a metadata value, Stripe's limit.
const VALUE_CHARS_MAX: usize = 500;

/// The marks of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// As metadata has it.
    pub scope: String,
    /// As metadata has it.
    pub key: String,
    /// Of the effect.
    pub generation: u32,
    identity: String,
    idempotency: String,
}

impl Marks {
    /// The marks of a call.
    pub fn of(call: &Call) -> Marks {
        let generation = call.generation.to_string();
        Marks {
            scope: value(&call.scope),
            key: value(&call.key),
            generation: call.generation,
            identity: hash(&[&call.scope, &call.key]),
            idempotency: hash(&[&call.scope, &call.key, &generation]),
        }
    }

    /// Idempotency key of one request of the call. The step tells several requests of a call apart.
    pub fn idempotency(&self, step: &str) -> String {
        format!("{}-{step}", self.idempotency)
    }

    /// An id that is the effect's own, whatever its generation: where Stripe lets ids be chosen.
    pub fn id(&self, prefix: &str) -> String {
        format!("{prefix}{}", &self.identity[..32])
    }

    /// Metadata with the marks in it.
    pub fn on(&self, mut metadata: HashMap<String, String>) -> HashMap<String, String> {
        metadata.insert(SCOPE.to_owned(), self.scope.clone());
        metadata.insert(KEY.to_owned(), self.key.clone());
        metadata.insert(GENERATION.to_owned(), self.generation.to_string());
        metadata
    }

    /// Whether the effect made this object, in whatever generation; an error if it was a newer one.
    pub fn made(&self, object: &Value) -> Result<bool, Failed> {
        let metadata = |name: &str| object.get("metadata")?.get(name)?.as_str();
        if metadata(SCOPE) != Some(&self.scope) || metadata(KEY) != Some(&self.key) {
            return Ok(false);
        }
        let newest = metadata(GENERATION).and_then(|text| text.parse().ok()).unwrap_or(0);
        match newest > self.generation {
            true => Err(Failed::Superseded { generation: self.generation, newest }),
            false => Ok(true),
        }
    }
}

/// Of a text that metadata can't hold, its hash.
fn value(text: &str) -> String {
    match text.chars().count() <= VALUE_CHARS_MAX {
        true => text.to_owned(),
        false => format!("sha256:{}", hash(&[text])),
    }
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    // With its length before it, no part is read as a piece of the next one.
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn marks(scope: &str, key: &str, generation: u32) -> Marks {
        Marks::of(&Call { scope: scope.into(), key: key.into(), generation, ..Call::default() })
    }

    #[test]
    fn a_key_is_the_calls_own_and_short_enough_for_stripe() {
        let key = |scope, key: &str, generation| marks(scope, key, generation).idempotency("create");
        let one = key("b/test/user:u", "customer:pur_1", 1);
        assert_eq!(one, key("b/test/user:u", "customer:pur_1", 1));
        for other in [
            key("b/live/user:u", "customer:pur_1", 1),
            key("b/test/user:u", "customer:pur_1", 2),
            key("b/test/user:u", "customer:pur_11", 1),
            key("b/test/user:uc", "ustomer:pur_1", 1),
        ] {
            assert_ne!(one, other);
        }
        assert!(key("b/test/user:u", &"k".repeat(10_000), 1).len() < 255);
    }

    #[test]
    fn what_was_made_is_known_again_whatever_its_generation_but_a_newer_one() {
        let ours = json!({"metadata": marks("s", "k", 2).on(HashMap::new())});
        assert_eq!(marks("s", "k", 2).made(&ours), Ok(true));
        assert_eq!(marks("s", "k", 3).made(&ours), Ok(true));
        assert_eq!(marks("s", "k", 1).made(&ours), Err(Failed::Superseded { generation: 1, newest: 2 }));
        assert_eq!(marks("s", "other", 2).made(&ours), Ok(false));
        assert_eq!(marks("s", "k", 2).made(&json!({})), Ok(false));
        let long = marks(&"s".repeat(501), "k", 1);
        assert!(long.scope.len() < VALUE_CHARS_MAX && long.made(&json!({"metadata": long.on(HashMap::new())})).is_ok());
    }
}
