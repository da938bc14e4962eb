//! `secret.ensure`: a random secret whose reference and hash are told, and whose value is not.

use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::{Value, json};

/// Makes the secrets that effects ask for, in the place that the call's secrets come from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Minting;

impl Provider for Minting {
    /// Payload: `bytes` of randomness, 32 at least. Outputs: `ref` and `sha256`. A secret is made once for an effect's key.
    fn call(&self, call: &Call) -> CallOutcome {
        if call.kind != "secret.ensure" {
            return CallOutcome::unsupported(call);
        }
        let bytes = call.payload.get("bytes").and_then(Value::as_u64).and_then(|bytes| usize::try_from(bytes).ok());
        let Some(bytes) = bytes else {
            return CallOutcome::refused("bad-payload", "expected `bytes`, how much randomness a secret has");
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
    fn a_secret_is_made_once_for_a_key_and_its_value_is_not_told() {
        let mut registry = Registry::with_default(Arc::new(Minting));
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
