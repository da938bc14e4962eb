//! Identifies calls in Stripe: by idempotency keys of requests, and by ownership marks in the metadata of created
//! objects.

use crate::stripe::failure::Failed;
use host_provider_api::Call;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Metadata name of the call's scope.
pub const SCOPE: &str = "provisioner_scope";
/// Metadata name of the effect's key.
pub const KEY: &str = "provisioner_key";
/// Metadata name of the effect's generation.
pub const GENERATION: &str = "provisioner_generation";
/// Maximum characters of a metadata value, Stripe's limit.
const VALUE_CHARS_MAX: usize = 500;

/// The ownership marks and idempotency keys of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// The scope as stored in metadata: the scope, or its hash if it is too long.
    pub scope: String,
    /// The key as stored in metadata: the key, or its hash if it is too long.
    pub key: String,
    /// Generation of the effect.
    pub generation: u32,
    identity: String,
    idempotency: String,
}

impl Marks {
    /// Returns the marks of a call.
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

    /// Returns the idempotency key of one request. `step` distinguishes the requests of a call.
    pub fn idempotency(&self, step: &str) -> String {
        format!("{}-{step}", self.idempotency)
    }

    /// Returns an object id derived from the effect, for objects whose id the provider chooses. It is the same in all
    /// generations.
    pub fn id(&self, prefix: &str) -> String {
        format!("{prefix}{}", &self.identity[..32])
    }

    /// Adds the marks to metadata.
    pub fn on(&self, mut metadata: HashMap<String, String>) -> HashMap<String, String> {
        metadata.insert(SCOPE.to_owned(), self.scope.clone());
        metadata.insert(KEY.to_owned(), self.key.clone());
        metadata.insert(GENERATION.to_owned(), self.generation.to_string());
        metadata
    }

    /// Returns true if the effect created this object, in this or an older generation.
    ///
    /// # Errors
    ///
    /// Fails with [`Failed::Superseded`] if a newer generation of the effect created the object.
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

/// Returns the string, or its hash if the string is too long for metadata.
fn value(text: &str) -> String {
    match text.chars().count() <= VALUE_CHARS_MAX {
        true => text.to_owned(),
        false => format!("sha256:{}", hash(&[text])),
    }
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    // Each part is prefixed with its length, so that different parts with the same concatenation have different hashes.
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
    fn an_idempotency_key_is_unique_per_call_and_short_enough_for_stripe() {
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
    fn an_object_of_the_same_or_an_older_generation_is_recognized() {
        let ours = json!({"metadata": marks("s", "k", 2).on(HashMap::new())});
        assert_eq!(marks("s", "k", 2).made(&ours), Ok(true));
        assert_eq!(marks("s", "k", 3).made(&ours), Ok(true));
        assert_eq!(marks("s", "k", 1).made(&ours), Err(Failed::Superseded { generation: 1, newest: 2 }));
        assert_eq!(marks("s", "other", 2).made(&ours), Ok(false));
        assert_eq!(marks("other", "k", 2).made(&ours), Ok(false));
        assert_eq!(marks("s", "k", 2).made(&json!({})), Ok(false));
        let long = marks(&"s".repeat(501), "k", 1);
        assert!(long.scope.len() < VALUE_CHARS_MAX && long.made(&json!({"metadata": long.on(HashMap::new())})).is_ok());
    }
}
