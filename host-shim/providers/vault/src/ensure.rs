//! `secret.ensure`: makes a random secret and returns its reference and hash, but not its value.

use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::{Value, json};

/// The provider of `secret.ensure`. It creates secrets in the call's secret store.
#[derive(Clone, Copy, Debug, Default)]
pub struct SecretProvider;

impl Provider for SecretProvider {
    /// Payload: `bytes`, the number of random bytes, at least 32. Outputs: `ref` and `sha256`. Each generation of an
    /// effect key has a secret of its own; a repeated call returns the same secret.
    fn call(&self, call: &Call) -> CallOutcome {
        if call.kind != "secret.ensure" {
            return CallOutcome::unsupported(call);
        }
        let bytes = call.payload.get("bytes").and_then(Value::as_u64).and_then(|bytes| usize::try_from(bytes).ok());
        let Some(bytes) = bytes else {
            return CallOutcome::refused("bad-payload", "expected `bytes`, the random bytes of the secret");
        };
        match call.make_secret(&format!("{}@{}", call.key, call.generation), bytes) {
            Ok(made) => CallOutcome::Done(json!({"ref": made.reference, "sha256": made.sha256})),
            Err(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Vault;
    use host_provider_api::{Registry, Reply};
    use std::sync::Arc;

    #[test]
    fn a_secret_is_made_once_per_key_and_its_value_is_not_returned() {
        let mut registry = Registry::with_default(Arc::new(SecretProvider));
        registry.set_secrets(Arc::new(Vault::in_memory().expect("a vault")));
        let ask = |key: &str, payload: Value| {
            let call = Call {
                kind: "secret.ensure".to_owned(),
                scope: "b/test/user:u".to_owned(),
                key: key.to_owned(),
                payload,
                secrets: registry.secret_access(),
                ..Call::default()
            };
            (registry.call(&call), call)
        };
        let (made, call) = ask("token:1", json!({"bytes": 32}));
        assert_eq!(ask("token:1", json!({"bytes": 32})).0, made);
        assert_ne!(ask("token:2", json!({"bytes": 32})).0, made);
        let Reply::Answer(CallOutcome::Done(outputs)) = made else { panic!("{made:?}") };
        let plain = call.secret(outputs["ref"].as_str().expect("a reference")).expect("its value");
        assert!(!outputs.to_string().contains(plain.expose()));
        let (refused, _) = ask("token:3", json!({}));
        assert!(matches!(refused, Reply::Answer(CallOutcome::Refused { .. })), "{refused:?}");
    }
}
