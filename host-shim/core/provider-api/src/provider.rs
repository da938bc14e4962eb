//! The trait that a provider must implement, and the registry that chooses the provider for an effect.

use crate::backups::{BackupExpiry, NotExpired};
use crate::call::{Call, CallOutcome, Reply};
use crate::resource::{Held, Unlisted, Unreadable};
use crate::secrets::{SecretAccess, Secrets};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Carries out effects. Every call is idempotent by `scope`, `key` and `generation`; several calls may run at the same
/// time.
///
/// A resource (`database`, `bucket`, …) has the verbs below. A provider answers an unknown kind or verb with
/// [`CallOutcome::unsupported`].
///
/// | verb | effect |
/// |---|---|
/// | `observe` | reads without changing anything: `{"exists", "state", "outputs"}`, with the outputs of `ensure`; with `"adopt": true` and `outputs`, reads a resource that a person created, and refuses the call if the resource cannot be reached or is not empty |
/// | `ensure` | creates the resource, or finds the existing one and returns the same outputs |
/// | `change` | sets `{"state": "suspended"\|"running"}` or other settings |
/// | `destroy` | deletes the resource; succeeds if it does not exist |
///
/// A provider of databases also has `backup`, which makes a verified backup, and `restore`. The host repeats `backup` with a
/// [`BackupSchedule`](crate::BackupSchedule) for each database that is backed up on a schedule.
pub trait Provider: Send + Sync {
    /// Carries out the call. If the call fails, the outcome contains the reason.
    fn call(&self, call: &Call) -> CallOutcome;

    /// Returns false if the provider's calls stay in progress until something changes in the world, for example until a
    /// watched URL fails. A replay does not wait for the end of such calls.
    fn ends(&self) -> bool {
        true
    }

    /// Returns how many of the provider's calls may run at the same time, and how many may begin now. Further calls wait in the store,
    /// without a lease.
    fn room(&self) -> Room {
        Room::default()
    }

    /// Counts a call that the outbox is about to make as begun.
    fn reserve(&self) {}

    /// Returns true if a [`CallOutcome::Retry`] with this code concerns only the call, for example one mailbox, and not the provider, so
    /// that other calls need not wait.
    fn is_of_call(&self, code: &str) -> bool {
        let _ = code;
        false
    }

    /// Returns the name of the provider in the settings; none if it has no settings.
    fn name(&self) -> Option<&'static str> {
        None
    }

    /// Returns since when no call of the provider has succeeded; none if the last one did.
    fn outage(&self) -> Option<Outage> {
        None
    }

    /// Returns the members of `RESOURCE.ensure` for which the provider, with its settings, can't create every value. It still refuses calls
    /// with other values.
    fn restrictions(&self, resource: &str) -> Vec<Restriction> {
        let _ = resource;
        Vec::new()
    }

    /// Lists the resources of this host in the remote system; none if the provider cannot list resources, so that
    /// nothing is known about what exists.
    ///
    /// # Errors
    /// Fails if the remote system cannot list the resources now.
    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        Ok(None)
    }

    /// Lists the resources that [`Provider::held`] omits because their records cannot be read.
    ///
    /// # Errors
    /// Fails if the remote system cannot list the resources now.
    fn unreadable(&self) -> Result<Vec<Unreadable>, Unlisted> {
        Ok(Vec::new())
    }

    /// Deletes the scheduled backups selected by `expiry`, and returns their number. A provider whose remote system deletes them
    /// automatically does nothing.
    ///
    /// # Errors
    /// Fails if a backup cannot be read or deleted now; the others are still deleted.
    fn expire_backups(&self, expiry: &BackupExpiry<'_>) -> Result<usize, NotExpired> {
        let _ = expiry;
        Ok(0)
    }

    /// Returns the simulation if this provider only simulates; none for a provider that acts in the world.
    fn simulation(&self) -> Option<&dyn Simulation> {
        None
    }
}

/// Code for a refusal because a later generation has been applied to the resource.
pub const SUPERSEDED: &str = "superseded";

/// How many calls of a provider may run at the same time, and how many may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// For all accounts together.
    pub at_once: usize,
    /// For one account.
    pub per_account: usize,
    /// How many of them may begin now.
    pub begins: usize,
    /// Milliseconds until a call may begin, if none may begin now.
    pub wait_ms: i64,
}

impl Default for Room {
    /// 16 calls, which may all be of one account, without a rate limit.
    fn default() -> Self {
        Room { at_once: 16, per_account: 16, begins: usize::MAX, wait_ms: 0 }
    }
}

/// A period in which every call of a provider fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Name of the provider in the settings.
    pub provider: &'static str,
    /// Milliseconds since the first failure.
    pub lasts_ms: u64,
    /// Number of calls that have failed.
    pub failures: usize,
    /// Code of the last failure.
    pub code: String,
    /// Message of the last failure, for operators; without secrets.
    pub message: String,
}

/// The resources that the providers of a [`Registry`] have listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The resources, sorted.
    pub held: Vec<Held>,
    /// Whether a provider has a list, by its number in the registry.
    has_list: Vec<bool>,
}

/// The values of a payload's member that a provider supports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// Name of the member.
    pub member: &'static str,
    /// The values; empty if the provider supports none.
    pub allowed: Vec<String>,
    /// The required values or settings, for people.
    pub expected: String,
    /// Name of another member: a payload that has it is not restricted.
    pub unless: Option<&'static str>,
}

impl Restriction {
    /// Returns the restriction of a member to these values.
    pub fn one_of(member: &'static str, allowed: Vec<String>) -> Restriction {
        let expected = allowed.join(", ");
        Restriction { member, allowed, expected, unless: None }
    }

    /// Returns the restriction of a member that the provider does not support with any value.
    pub fn never(member: &'static str, expected: &str) -> Restriction {
        Restriction { member, allowed: Vec::new(), expected: expected.to_owned(), unless: None }
    }

    /// Restricts only payloads that do not have the member `other`.
    pub fn unless(self, other: &'static str) -> Restriction {
        Restriction { unless: Some(other), ..self }
    }
}

/// A provider that only simulates. Its resources exist only in memory: when the process ends, the calls are undone. So the store does not
/// have to record that an effect is running before the call.
pub trait Simulation {
    /// The host calls this function instead of [`Provider::call`]. It may also return [`Reply::Silence`].
    fn play(&self, call: &Call) -> Reply;

    /// Returns true until the first call or the first [`Simulation::remember`]: until then, the simulation does not
    /// know the resources of an earlier process.
    fn is_new(&self) -> bool;

    /// Restores the effect of a call that succeeded in an earlier process. The host passes the calls in the order of
    /// their results.
    fn remember(&self, call: &Call, outputs: &Value);
}

impl CallOutcome {
    /// Returns the answer to an unknown kind or verb.
    pub fn unsupported(call: &Call) -> Self {
        CallOutcome::refused("unsupported", format!("the provider does not know `{}`", call.kind))
    }
}

/// Maps effects to providers, and holds the secret store. A clone shares the providers, for use on another thread.
#[derive(Clone, Default)]
pub struct Registry {
    providers: Vec<Arc<dyn Provider>>,
    by_pattern: BTreeMap<String, usize>,
    secrets: Option<Arc<dyn Secrets>>,
}

impl Registry {
    /// Creates a registry without providers: every call is `Refused` with code `no-provider`.
    pub fn new() -> Self {
        Registry::default()
    }

    /// Creates a registry in which `provider` handles all effects.
    pub fn with_default(provider: Arc<dyn Provider>) -> Self {
        let mut registry = Registry::new();
        registry.register(&["*"], provider);
        registry
    }

    /// Registers a provider for `patterns`: a kind (`mail.send`), a prefix of kinds up to a dot (`database`,
    /// `stripe.checkout`), or `*` for all other effects. A later registration replaces an earlier one.
    pub fn register(&mut self, patterns: &[&str], provider: Arc<dyn Provider>) {
        let index = self.providers.len();
        self.providers.push(provider);
        for pattern in patterns {
            self.by_pattern.insert((*pattern).to_owned(), index);
        }
    }

    /// Replaces each provider with the one that `wrap` returns for it.
    pub fn wrap(&mut self, mut wrap: impl FnMut(Arc<dyn Provider>) -> Arc<dyn Provider>) {
        for provider in &mut self.providers {
            *provider = wrap(provider.clone());
        }
    }

    /// Sets the secret store. Without a secret store, every reference is unknown.
    pub fn set_secrets(&mut self, secrets: Arc<dyn Secrets>) {
        self.secrets = Some(secrets);
    }

    /// Returns the secret access for one call.
    pub fn secret_access(&self) -> SecretAccess {
        SecretAccess::new(self.secrets.clone())
    }

    /// Returns true if a provider handles effects of this kind.
    pub fn takes(&self, kind: &str) -> bool {
        self.find(kind).is_some()
    }

    /// Returns [`Provider::restrictions`] of the provider that creates this resource; empty without a provider.
    pub fn restrictions(&self, resource: &str) -> Vec<Restriction> {
        let provider = self.find(&format!("{resource}.ensure"));
        provider.map(|provider| provider.restrictions(resource)).unwrap_or_default()
    }

    /// Returns the number of the provider that handles effects of this kind, and how many of its calls may run and begin. None for a
    /// simulation and without a provider, since these answer at once.
    pub fn room(&self, kind: &str) -> Option<(usize, Room)> {
        let number = self.number(kind)?;
        let provider = &self.providers[number];
        provider.simulation().is_none().then(|| (number, provider.room()))
    }

    /// Counts a call that is about to be made: see [`Provider::reserve`].
    pub fn reserve(&self, kind: &str) {
        if let Some(provider) = self.find(kind) {
            provider.reserve();
        }
    }

    /// Returns the name of the provider that handles effects of this kind.
    pub fn name_of(&self, kind: &str) -> Option<&'static str> {
        self.find(kind)?.name()
    }

    /// Returns the providers whose calls currently do not succeed.
    pub fn outages(&self) -> Vec<Outage> {
        self.providers.iter().filter_map(|provider| provider.outage()).collect()
    }

    /// Returns true if every provider only simulates.
    pub fn is_simulation(&self) -> bool {
        self.providers.iter().all(|provider| provider.simulation().is_some())
    }

    /// Returns the simulation that handles effects of this kind.
    pub fn simulation(&self, kind: &str) -> Option<&dyn Simulation> {
        self.find(kind)?.simulation()
    }

    /// Returns true if a simulation has not been restored yet; see [`Simulation::is_new`].
    pub fn forgot(&self) -> bool {
        self.providers.iter().filter_map(|provider| provider.simulation()).any(Simulation::is_new)
    }

    /// Carries out an effect with the provider of the longest matching pattern. In the reply, replaces each plain secret that the call has
    /// resolved with its reference. A panic of the provider becomes a retry, since it is unknown what the provider did before the panic.
    pub fn call(&self, call: &Call) -> Reply {
        let Some(provider) = self.find(&call.kind) else {
            return CallOutcome::refused("no-provider", format!("no provider takes `{}`", call.kind)).into();
        };
        let reply = match provider.simulation() {
            Some(simulation) => simulation.play(call),
            None => catch_unwind(AssertUnwindSafe(|| call_as_made(provider, call)))
                .unwrap_or_else(|_| {
                    CallOutcome::retry("provider-panicked", "the provider panicked; what it did is not known")
                })
                .into(),
        };
        match reply {
            Reply::Answer(answer) => answer.redacted(&call.secrets).into(),
            silence @ Reply::Silence { .. } => silence,
        }
    }

    /// Returns [`Provider::ends`] of the provider that handles effects of this kind; true without a provider.
    pub fn ends(&self, kind: &str) -> bool {
        self.find(kind).is_none_or(Provider::ends)
    }

    /// Lists the resources of all providers that have a list; asks each provider once.
    ///
    /// # Errors
    /// Fails if a provider cannot list its resources now.
    pub fn held(&self) -> Result<Listed, Unlisted> {
        let mut listed = Listed::default();
        for provider in &self.providers {
            let held = provider.held()?;
            listed.has_list.push(held.is_some());
            listed.held.extend(held.into_iter().flatten());
        }
        listed.held.sort();
        Ok(listed)
    }

    /// Returns true if the provider that creates this resource was among those that have listed theirs.
    pub fn lists(&self, listed: &Listed, resource: &str) -> bool {
        let number = self.number(&format!("{resource}.ensure"));
        number.is_some_and(|number| listed.has_list.get(number) == Some(&true))
    }

    /// Lists the resources of all providers whose records cannot be read, sorted.
    ///
    /// # Errors
    /// Fails if a provider cannot list its resources.
    pub fn unreadable(&self) -> Result<Vec<Unreadable>, Unlisted> {
        let mut unreadable = Vec::new();
        for provider in &self.providers {
            unreadable.extend(provider.unreadable()?);
        }
        unreadable.sort();
        Ok(unreadable)
    }

    /// Deletes the expired backups of all providers; asks each provider once, even after another has failed. Returns the number of deleted
    /// backups, and the first failure.
    pub fn expire_backups(&self, expiry: &BackupExpiry<'_>) -> (usize, Option<NotExpired>) {
        let (mut deleted, mut failure) = (0, None);
        for provider in &self.providers {
            match provider.expire_backups(expiry) {
                Ok(count) => deleted += count,
                Err(error) => _ = failure.get_or_insert(error),
            }
        }
        (deleted, failure)
    }

    fn find(&self, kind: &str) -> Option<&dyn Provider> {
        self.number(kind).map(|number| &*self.providers[number])
    }

    fn number(&self, kind: &str) -> Option<usize> {
        let mut prefix = kind;
        loop {
            if let Some(number) = self.by_pattern.get(prefix) {
                return Some(*number);
            }
            match prefix.rsplit_once('.') {
                Some((shorter, _)) => prefix = shorter,
                None => return self.by_pattern.get("*").copied(),
            }
        }
    }
}

/// Calls a provider. A late resource carries the marks of the call that created it, so its provider finds it by the id and the generation
/// of that call. If something has changed the resource since, it is no longer a late resource, and there is nothing to destroy.
fn call_as_made(provider: &dyn Provider, call: &Call) -> CallOutcome {
    let Some((made_as, generation)) = call.resource_id().made_late_as() else { return provider.call(call) };
    let key = format!("{}/{}", made_as.id, call.verb());
    match provider.call(&Call { key, generation, ..call.clone() }) {
        CallOutcome::Refused { code, .. } if code == SUPERSEDED && call.verb() == "destroy" => {
            CallOutcome::Done(serde_json::json!({}))
        }
        outcome => outcome,
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
    fn the_longest_matching_pattern_takes_the_effect() {
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
    fn an_effect_without_a_provider_is_refused() {
        let reply = Registry::new().call(&call("mail.send"));
        assert!(
            matches!(&reply, Reply::Answer(CallOutcome::Refused { code, .. }) if code == "no-provider"),
            "{reply:?}"
        );
    }

    /// A provider with one resource, which it finds by its id and generation.
    struct Marked(std::sync::Mutex<Option<(String, u32)>>);
    impl Provider for Marked {
        fn call(&self, call: &Call) -> CallOutcome {
            let mut held = self.0.lock().expect("no panic while locked");
            match &*held {
                Some((id, _)) if *id != call.resource_id().id => CallOutcome::Done(json!("nothing")),
                Some((_, generation)) if *generation > call.generation => CallOutcome::refused(SUPERSEDED, "newer"),
                _ => {
                    *held = None;
                    CallOutcome::Done(json!("destroyed"))
                }
            }
        }
    }

    #[test]
    fn a_late_resource_is_destroyed_by_the_marks_of_the_call_that_made_it() {
        let destroy = |held: (&str, u32), key: &str, generation: u32| {
            let provider = Arc::new(Marked(Some((held.0.to_owned(), held.1)).into()));
            let call = Call { key: key.into(), generation, ..call("database.destroy") };
            let reply = Registry::with_default(provider.clone()).call(&call);
            let is_gone = provider.0.lock().expect("no panic while locked").is_none();
            (reply, is_gone)
        };
        let done = |what: serde_json::Value| Reply::from(CallOutcome::Done(what));
        let (destroyed, late) = (done(json!("destroyed")), "inst_1/database@late-2/destroy");
        assert_eq!(destroy(("inst_1/database", 2), late, 1), (destroyed.clone(), true));
        assert_eq!(destroy(("inst_1/database", 3), late, 9), (done(json!({})), false), "it serves again");
        assert_eq!(destroy(("inst_1/database@a", 1), "inst_1/database@a/destroy", 1), (destroyed, true), "a variant");
    }

    struct Panicking;
    impl Provider for Panicking {
        fn call(&self, _: &Call) -> CallOutcome {
            panic!("on purpose")
        }
    }

    struct Zero;
    impl Provider for Zero {
        fn call(&self, _: &Call) -> CallOutcome {
            CallOutcome::Done(json!({"a\0": ["b\0c"]}))
        }
    }

    #[test]
    fn a_zero_character_in_an_answer_is_replaced_since_not_every_store_keeps_it() {
        let reply = Registry::with_default(Arc::new(Zero)).call(&call("mail.send"));
        assert_eq!(reply, CallOutcome::Done(json!({"a\u{fffd}": ["b\u{fffd}c"]})).into());
    }

    #[test]
    fn a_panic_of_a_provider_becomes_a_retry() {
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

    /// A provider that puts its plain secret into the reply. The verb selects the outcome.
    struct Leaky;
    impl Provider for Leaky {
        fn call(&self, call: &Call) -> CallOutcome {
            let secret = match call.secret(call.text("password").unwrap_or_default()) {
                Ok(secret) => secret,
                Err(error) => return CallOutcome::refused("secret", format!("{error} {error:?}")),
            };
            assert_eq!(secret.expose(), PLAIN);
            let text = format!("{secret:?} of {call:?} in full is {}", secret.expose());
            match call.verb() {
                "refused" => CallOutcome::refused(secret.expose(), text),
                "retry" => CallOutcome::Retry { after_ms: None, code: PLAIN.into(), message: text },
                "progress" => CallOutcome::InProgress { after_ms: 1, token: text },
                _ => CallOutcome::Done(json!({"url": [text], PLAIN: 1})),
            }
        }
    }

    #[test]
    fn a_reply_contains_no_plain_secret() {
        let mut registry = Registry::with_default(Arc::new(Leaky));
        registry.set_secrets(Arc::new(Vault));
        for verb in ["refused", "retry", "progress", "done"] {
            let payload = json!({"password": "secret:db/1"});
            let call = Call { payload, secrets: registry.secret_access(), ..call(&format!("leak.{verb}")) };
            let text = format!("{:?} {call:?}", registry.call(&call));
            assert!(text.contains("secret:db/1") && !text.contains(PLAIN), "{text}");
        }
    }

    #[test]
    fn an_unresolved_reference_is_reported_without_a_value() {
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
        assert!(plain.contains("not a secret reference") && !plain.contains(PLAIN), "{plain}");
    }
}
