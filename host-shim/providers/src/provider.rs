//! The trait of all providers and the registry that picks one for an effect.

use crate::call::{Answer, Call};
use std::collections::BTreeMap;

/// Carries effects out. Every call is idempotent by `scope`, `key` and `generation`.
///
/// The four verbs are for resources (`database`, `bucket`, …), `perform` is for all other kinds. A provider implements
/// what it is registered for; the rest answers `Final` with code `unsupported`.
pub trait Provider: Send {
    /// Look at a resource without changing it: `{"exists", "state", "outputs"}`, the outputs those of `ensure`.
    fn observe(&mut self, call: &Call) -> Answer {
        unsupported(call)
    }
    /// Make the resource exist; what `ensure` made before is found again and answered with the same outputs.
    fn ensure(&mut self, call: &Call) -> Answer {
        unsupported(call)
    }
    /// Bring the resource to the state in the payload, `{"state": "suspended"|"running"}`, or to other settings.
    fn change(&mut self, call: &Call) -> Answer {
        unsupported(call)
    }
    /// Make the resource not exist; that it does not exist already is success.
    fn destroy(&mut self, call: &Call) -> Answer {
        unsupported(call)
    }
    /// Anything else: `mail.send`, `stripe.checkout.create`, `database.backup`.
    fn perform(&mut self, call: &Call) -> Answer {
        unsupported(call)
    }
}

fn unsupported(call: &Call) -> Answer {
    Answer::failed("unsupported", format!("the provider does not know `{}`", call.kind))
}

/// Which provider takes which effects.
#[derive(Default)]
pub struct Registry {
    providers: Vec<Box<dyn Provider>>,
    by_pattern: BTreeMap<String, usize>,
}

impl Registry {
    /// A registry without providers: every call answers `Final` with code `no-provider`.
    pub fn new() -> Self {
        Registry::default()
    }

    /// A registry in which `provider` takes everything.
    pub fn with_default(provider: Box<dyn Provider>) -> Self {
        let mut registry = Registry::new();
        registry.register(&["*"], provider);
        registry
    }

    /// Give a provider the effects that `patterns` name: a kind (`mail.send`), the beginning of kinds up to a dot
    /// (`database`, `stripe.checkout`) or `*` for what nobody else takes. A later registration replaces an earlier one.
    pub fn register(&mut self, patterns: &[&str], provider: Box<dyn Provider>) {
        let index = self.providers.len();
        self.providers.push(provider);
        for pattern in patterns {
            self.by_pattern.insert((*pattern).to_owned(), index);
        }
    }

    /// True if some provider takes effects of this kind.
    pub fn takes(&self, kind: &str) -> bool {
        self.find(kind).is_some()
    }

    /// Carry an effect out with the provider of the longest fitting pattern.
    pub fn call(&mut self, call: &Call) -> Answer {
        let Some(provider) = self.find(&call.kind).and_then(|index| self.providers.get_mut(index)) else {
            return Answer::failed("no-provider", format!("no provider takes `{}`", call.kind));
        };
        if !call.is_resource_call() {
            return provider.perform(call);
        }
        match call.verb() {
            "observe" => provider.observe(call),
            "ensure" => provider.ensure(call),
            "change" => provider.change(call),
            _ => provider.destroy(call),
        }
    }

    fn find(&self, kind: &str) -> Option<usize> {
        let mut prefix = kind;
        loop {
            if let Some(&index) = self.by_pattern.get(prefix) {
                return Some(index);
            }
            match prefix.rsplit_once('.') {
                Some((shorter, _)) => prefix = shorter,
                None => return self.by_pattern.get("*").copied(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Named(&'static str);
    impl Provider for Named {
        fn ensure(&mut self, _: &Call) -> Answer {
            Answer::Ok(json!({"ensure": self.0}))
        }
        fn perform(&mut self, _: &Call) -> Answer {
            Answer::Ok(json!({"perform": self.0}))
        }
    }

    fn call(kind: &str) -> Call {
        Call {
            kind: kind.into(),
            scope: "b/test/user:u".into(),
            key: "k".into(),
            generation: 1,
            attempt: 1,
            payload: json!({}),
        }
    }

    #[test]
    fn the_longest_fitting_pattern_takes_the_effect() {
        let mut registry = Registry::with_default(Box::new(Named("any")));
        registry.register(&["stripe", "database"], Box::new(Named("group")));
        registry.register(&["stripe.checkout.create"], Box::new(Named("kind")));
        assert_eq!(registry.call(&call("stripe.checkout.create")), Answer::Ok(json!({"perform": "kind"})));
        assert_eq!(registry.call(&call("stripe.checkout.expire")), Answer::Ok(json!({"perform": "group"})));
        assert_eq!(registry.call(&call("database.ensure")), Answer::Ok(json!({"ensure": "group"})));
        assert_eq!(registry.call(&call("database.backup")), Answer::Ok(json!({"perform": "group"})));
        assert_eq!(registry.call(&call("secret.ensure")), Answer::Ok(json!({"perform": "any"})));
    }

    #[test]
    fn an_effect_that_nobody_takes_fails_for_good() {
        let answer = Registry::new().call(&call("mail.send"));
        assert!(matches!(answer, Answer::Final { ref code, .. } if code == "no-provider"), "{answer:?}");
    }

    #[test]
    fn a_verb_that_a_provider_lacks_fails_for_good() {
        let mut registry = Registry::with_default(Box::new(Named("any")));
        let answer = registry.call(&call("database.destroy"));
        assert!(matches!(answer, Answer::Final { ref code, .. } if code == "unsupported"), "{answer:?}");
    }
}
