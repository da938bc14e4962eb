//! The trait of all providers and the registry that picks one for an effect.

use crate::call::{Call, CallOutcome, Reply};
use crate::resource::{Held, Unlisted};
use crate::secrets::{SecretAccess, Secrets};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Carries effects out. Every call is idempotent by `scope`, `key` and `generation`; several may run at a time.
///
/// For a resource (`database`, `bucket`, …) the verbs are these; a kind or verb that a provider does not know it
/// answers with [`CallOutcome::unsupported`].
///
/// | verb | what it does |
/// |---|---|
/// | `observe` | looks without changing anything: `{"exists", "state", "outputs"}`, the outputs those of `ensure`; with `"adopt": true` and `outputs` at what a person made: one that can't be reached or is not empty is refused |
/// | `ensure` | makes it exist; what it made before it finds again, with the same outputs |
/// | `change` | brings it to `{"state": "suspended"\|"running"}`, or to other settings |
/// | `destroy` | makes it not exist; that it doesn't already is success |
pub trait Provider: Send + Sync {
    /// Carry the call out, or say why not.
    fn call(&self, call: &Call) -> CallOutcome;

    /// False for one whose calls stay in progress until something changes in the world, as a watch does: nobody waits for
    /// their end.
    fn ends(&self) -> bool {
        true
    }

    /// What the other side holds of what was made here, as it lists it itself: nothing for a provider of things that can't be
    /// listed.
    fn held(&self) -> Result<Vec<Held>, Unlisted> {
        Ok(Vec::new())
    }

    /// What a provider is beside that if it only pretends; none for one that does something in the world.
    fn simulation(&self) -> Option<&dyn Simulation> {
        None
    }
}

/// A provider that only pretends. What it did is gone with its process and can be undone by forgetting it, so a call
/// needs nothing durable before it.
pub trait Simulation {
    /// Like [`Provider::call`], which it replaces; it may also keep silent.
    fn play(&self, call: &Call) -> Reply;

    /// True until it was called or reminded: then it has forgotten what an earlier process was told is done.
    fn is_new(&self) -> bool;

    /// A call that an earlier process made, and the outputs that it ended with. They come in the order of the results.
    fn remember(&self, call: &Call, outputs: &Value);
}

impl CallOutcome {
    /// The answer to a kind or verb that a provider does not know.
    pub fn unsupported(call: &Call) -> Self {
        CallOutcome::refused("unsupported", format!("the provider does not know `{}`", call.kind))
    }
}

/// Which provider takes which effects, and where they find secrets. A clone shares the providers, for another thread.
#[derive(Clone, Default)]
pub struct Registry {
    providers: Vec<Arc<dyn Provider>>,
    by_pattern: BTreeMap<String, usize>,
    secrets: Option<Arc<dyn Secrets>>,
}

impl Registry {
    /// A registry without providers: every call answers `Refused` with code `no-provider`.
    pub fn new() -> Self {
        Registry::default()
    }

    /// A registry in which `provider` takes everything.
    pub fn with_default(provider: Arc<dyn Provider>) -> Self {
        let mut registry = Registry::new();
        registry.register(&["*"], provider);
        registry
    }

    /// Give a provider the effects that `patterns` name: a kind (`mail.send`), the beginning of kinds up to a dot
    /// (`database`, `stripe.checkout`) or `*` for what nobody else takes. A later registration replaces an earlier one.
    pub fn register(&mut self, patterns: &[&str], provider: Arc<dyn Provider>) {
        let index = self.providers.len();
        self.providers.push(provider);
        for pattern in patterns {
            self.by_pattern.insert((*pattern).to_owned(), index);
        }
    }

    /// Where references are resolved; without it every reference is unknown.
    pub fn set_secrets(&mut self, secrets: Arc<dyn Secrets>) {
        self.secrets = Some(secrets);
    }

    /// A way to the secrets, for one call.
    pub fn secret_access(&self) -> SecretAccess {
        SecretAccess::new(self.secrets.clone())
    }

    /// True if some provider takes effects of this kind.
    pub fn takes(&self, kind: &str) -> bool {
        self.find(kind).is_some()
    }

    /// True if every provider only pretends, so that nothing is ever done in the world.
    pub fn is_simulation(&self) -> bool {
        self.providers.iter().all(|provider| provider.simulation().is_some())
    }

    /// The simulation that takes effects of this kind.
    pub fn simulation(&self, kind: &str) -> Option<&dyn Simulation> {
        self.find(kind)?.simulation()
    }

    /// True if a simulation has forgotten what was done before it began.
    pub fn forgot(&self) -> bool {
        self.providers.iter().filter_map(|provider| provider.simulation()).any(Simulation::is_new)
    }

    /// Carry an effect out with the provider of the longest fitting pattern. A secret that was resolved for the call
    /// comes back as its reference, wherever the provider put it. A provider that panics has not answered; what it did is not
    /// known, so it is called again.
    pub fn call(&self, call: &Call) -> Reply {
        let Some(provider) = self.find(&call.kind) else {
            return CallOutcome::refused("no-provider", format!("no provider takes `{}`", call.kind)).into();
        };
        let reply = match provider.simulation() {
            Some(simulation) => simulation.play(call),
            None => catch_unwind(AssertUnwindSafe(|| provider.call(call)))
                .unwrap_or_else(|_| {
                    CallOutcome::retry("provider-panicked", "the provider panicked; what it did is not known")
                })
                .into(),
        };
        match reply {
            Reply::Answer(answer) => call.secrets.redact(answer).into(),
            silence @ Reply::Silence { .. } => silence,
        }
    }

    /// False for effects whose calls stay in progress until something changes in the world.
    pub fn ends(&self, kind: &str) -> bool {
        self.find(kind).is_none_or(Provider::ends)
    }

    /// What all providers hold, in order; each is asked once.
    pub fn held(&self) -> Result<Vec<Held>, Unlisted> {
        let mut held = Vec::new();
        for provider in &self.providers {
            held.extend(provider.held()?);
        }
        held.sort();
        Ok(held)
    }

    fn find(&self, kind: &str) -> Option<&dyn Provider> {
        let mut prefix = kind;
        loop {
            if let Some(&index) = self.by_pattern.get(prefix) {
                return Some(&*self.providers[index]);
            }
            match prefix.rsplit_once('.') {
                Some((shorter, _)) => prefix = shorter,
                None => return self.by_pattern.get("*").map(|&index| &*self.providers[index]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{MadeSecret, Secret, SecretError};
    use serde_json::json;

    struct Named(&'static str);
    impl Provider for Named {
        fn call(&self, _: &Call) -> CallOutcome {
            CallOutcome::Done(json!(self.0))
        }
    }

    fn call(kind: &str) -> Call {
        Call { kind: kind.into(), scope: "b/test/user:u".into(), key: "k".into(), ..Call::default() }
    }

    #[test]
    fn the_longest_fitting_pattern_takes_the_effect() {
        let mut registry = Registry::with_default(Arc::new(Named("any")));
        registry.register(&["stripe", "database"], Arc::new(Named("group")));
        registry.register(&["stripe.checkout.create"], Arc::new(Named("kind")));
        let taker = |kind| registry.call(&call(kind));
        assert_eq!(taker("stripe.checkout.create"), CallOutcome::Done(json!("kind")).into());
        assert_eq!(taker("stripe.checkout.expire"), CallOutcome::Done(json!("group")).into());
        assert_eq!(taker("database.ensure"), CallOutcome::Done(json!("group")).into());
        assert_eq!(taker("secret.ensure"), CallOutcome::Done(json!("any")).into());
    }

    #[test]
    fn an_effect_that_nobody_takes_is_refused() {
        let reply = Registry::new().call(&call("mail.send"));
        assert!(
            matches!(&reply, Reply::Answer(CallOutcome::Refused { code, .. }) if code == "no-provider"),
            "{reply:?}"
        );
    }

    struct Panicking;
    impl Provider for Panicking {
        fn call(&self, _: &Call) -> CallOutcome {
            panic!("on purpose")
        }
    }

    #[test]
    fn a_provider_that_panics_is_called_again() {
        let reply = Registry::with_default(Arc::new(Panicking)).call(&call("mail.send"));
        assert!(
            matches!(&reply, Reply::Answer(CallOutcome::Retry { code, .. }) if code == "provider-panicked"),
            "{reply:?}"
        );
    }

    const PLAIN: &str = "hunter2-plain";

    struct Vault;
    impl Secrets for Vault {
        fn resolve(&self, scope: &str, reference: &str) -> Result<Secret, SecretError> {
            match (scope, reference) {
                ("b/test/user:u", "secret:db/1") => Ok(Secret::new(PLAIN)),
                _ => Err(SecretError::Unknown(reference.to_owned())),
            }
        }

        fn make(&self, _: &str, _: &str, _: usize) -> Result<MadeSecret, SecretError> {
            Err(SecretError::Unavailable { reference: "secret:new".to_owned(), reason: "it makes none".to_owned() })
        }

        fn forget(&self, _: &str, _: &str) -> Result<(), SecretError> {
            Ok(())
        }
    }

    /// Uses its secret and then tells it to everybody, in the way that the kind names.
    struct Leaky;
    impl Provider for Leaky {
        fn call(&self, call: &Call) -> CallOutcome {
            let secret = match call.secret(call.text("password").unwrap_or_default()) {
                Ok(secret) => secret,
                Err(error) => return CallOutcome::refused("secret", format!("{error} {error:?}")),
            };
            assert_eq!(secret.expose(), PLAIN);
            let told = format!("{secret:?} of {call:?} in full is {}", secret.expose());
            match call.verb() {
                "refused" => CallOutcome::refused(secret.expose(), told),
                "retry" => CallOutcome::Retry { after_ms: None, code: PLAIN.into(), message: told },
                "progress" => CallOutcome::InProgress { after_ms: 1, token: told },
                _ => CallOutcome::Done(json!({"url": [told], PLAIN: 1})),
            }
        }
    }

    #[test]
    fn no_plain_secret_leaves_a_call() {
        let mut registry = Registry::with_default(Arc::new(Leaky));
        registry.set_secrets(Arc::new(Vault));
        for verb in ["refused", "retry", "progress", "done"] {
            let payload = json!({"password": "secret:db/1"});
            let call = Call { payload, secrets: registry.secret_access(), ..call(&format!("leak.{verb}")) };
            let told = format!("{:?} {call:?}", registry.call(&call));
            assert!(told.contains("secret:db/1") && !told.contains(PLAIN), "{told}");
        }
    }

    #[test]
    fn what_cannot_be_resolved_is_told_without_a_value() {
        let mut registry = Registry::with_default(Arc::new(Leaky));
        let ask = |registry: &Registry, scope: &str, password: &str| {
            let payload = json!({"password": password});
            let call = Call { payload, scope: scope.into(), secrets: registry.secret_access(), ..call("leak.done") };
            format!("{:?}", registry.call(&call))
        };
        assert!(ask(&registry, "b/test/user:u", "secret:db/1").contains("no secret under `secret:db/1`"));
        registry.set_secrets(Arc::new(Vault));
        assert!(ask(&registry, "b/test/user:other", "secret:db/1").contains("no secret under `secret:db/1`"));
        let plain = ask(&registry, "b/test/user:u", PLAIN);
        assert!(plain.contains("no secret reference") && !plain.contains(PLAIN), "{plain}");
    }
}
