//! Live providers: providers that create real resources while a scenario runs.
//!
//! They replace the scripted provider for the effect kinds that they handle. The clock still jumps according to the
//! scenario's steps, but follows the machine's clock while a live provider works or waits for a retry.

use crate::local_stripe::StripeServer;
use host_business::folder::{BusinessFolder, RequestedEffect};
use host_provider_api::scripted::{Scripted, ScriptedAnswer};
use host_provider_api::{Call, CallOutcome, Held, Outage, Provider, Registry, Restriction, Room, Unlisted, Unreadable};
use host_scenario::error::ReplayError;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The default limit of the wait for the effects of one step: ten minutes. This is enough to create a database server.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// Providers that create real resources while a scenario runs, and the limit of the wait for them.
#[derive(Clone)]
pub struct LiveProviders {
    registry: Registry,
    patience: Duration,
    stripe: Option<Arc<dyn StripeServer>>,
    is_recorded: bool,
    /// Values that must live as long as the providers, such as their folder.
    _kept: Option<Arc<dyn Any + Send + Sync>>,
}

/// Starts a local Stripe with its provider for each scenario, so that no scenario finds the objects of another.
#[derive(Clone)]
pub struct StripeOfScenario {
    start: Arc<dyn Fn() -> Result<LiveProviders, ReplayError> + Send + Sync>,
    is_for_all: bool,
}

impl StripeOfScenario {
    /// Creates a local Stripe with this function. Without `is_for_all`, only scenarios with `at_stripe` steps get one.
    pub fn new(
        is_for_all: bool,
        start: impl Fn() -> Result<LiveProviders, ReplayError> + Send + Sync + 'static,
    ) -> StripeOfScenario {
        StripeOfScenario { start: Arc::new(start), is_for_all }
    }

    /// Returns whether every input runs with a local Stripe.
    pub(crate) fn is_for_all(&self) -> bool {
        self.is_for_all
    }

    /// Starts a local Stripe for an input, if the input needs one.
    pub(crate) fn start(&self, has_stripe_steps: bool) -> Result<Option<LiveProviders>, ReplayError> {
        (self.is_for_all || has_stripe_steps).then(|| (self.start)()).transpose()
    }
}

impl fmt::Debug for StripeOfScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeOfScenario").field("is_for_all", &self.is_for_all).finish_non_exhaustive()
    }
}

impl LiveProviders {
    /// Returns live providers with the default patience. `registry` must have no provider for `*`.
    pub fn new(registry: Registry) -> LiveProviders {
        LiveProviders { registry, patience: PATIENCE, stripe: None, is_recorded: false, _kept: None }
    }

    /// Sets the limit of the wait for the effects of one step, instead of [`PATIENCE`].
    pub fn with_patience(self, patience: Duration) -> LiveProviders {
        LiveProviders { patience, ..self }
    }

    /// Adds a local Stripe, whose webhooks the host receives.
    pub fn with_stripe(self, stripe: Arc<dyn StripeServer>) -> LiveProviders {
        LiveProviders { stripe: Some(stripe), ..self }
    }

    /// Keeps a value alive as long as these providers.
    pub fn keeping(self, value: impl Any + Send + Sync) -> LiveProviders {
        LiveProviders { _kept: Some(Arc::new(value)), ..self }
    }

    /// Adds the answered calls of these providers to the journal of the scripted provider.
    pub(crate) fn recorded(self) -> LiveProviders {
        LiveProviders { is_recorded: true, ..self }
    }

    /// Returns the local Stripe, if there is one.
    pub(crate) fn stripe(&self) -> Option<Arc<dyn StripeServer>> {
        self.stripe.clone()
    }

    /// Returns the limit of the wait for the effects of one step.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Lists the resources that the remote systems hold.
    ///
    /// # Errors
    ///
    /// Fails if a provider can't list its resources.
    pub fn held(&self) -> Result<Vec<Held>, Unlisted> {
        self.registry.held().map(|listed| listed.held)
    }

    /// Returns the effects that the clauses of a business can request but that none of these providers carries out.
    pub(crate) fn without_provider(
        &self,
        business: &BusinessFolder,
        config: &BTreeMap<String, String>,
    ) -> Vec<RequestedEffect> {
        business.without_provider(config, &self.registry)
    }

    /// Returns the values with which the live provider can create this resource, by payload member.
    pub(crate) fn restrictions(&self, resource: &str) -> Vec<Restriction> {
        self.registry.restrictions(resource)
    }

    /// Returns a registry with these providers, and with the scripted provider for all other effects.
    pub(crate) fn over(&self, scripted: Scripted) -> Registry {
        let mut registry = self.registry.clone();
        let is_recorded = self.is_recorded;
        registry.wrap(|inner| Arc::new(LiveProvider { inner, scripted: scripted.clone(), is_recorded }));
        registry.register(&["*"], Arc::new(scripted));
        registry
    }
}

/// A live provider. The scripted provider records the answers that the scenario contains for its calls and, if
/// `is_recorded`, the answered calls.
struct LiveProvider {
    inner: Arc<dyn Provider>,
    scripted: Scripted,
    is_recorded: bool,
}

impl Provider for LiveProvider {
    fn call(&self, call: &Call) -> CallOutcome {
        self.scripted.pass_over(call);
        let outcome = self.inner.call(call);
        if !self.is_recorded {
            return outcome;
        }
        let answer = match &outcome {
            CallOutcome::Done(outputs) => ScriptedAnswer::Exactly(outputs.clone()),
            CallOutcome::Retry { code, message, .. } => {
                ScriptedAnswer::Retryable { code: code.clone(), message: message.clone() }
            }
            CallOutcome::Refused { code, message } => {
                ScriptedAnswer::Final { code: code.clone(), message: message.clone() }
            }
            // The call has no answer yet; the host will call again.
            CallOutcome::InProgress { .. } => return outcome,
        };
        self.scripted.note(call, answer);
        outcome
    }

    fn ends(&self) -> bool {
        self.inner.ends()
    }

    fn room(&self) -> Room {
        self.inner.room()
    }

    fn reserve(&self) {
        self.inner.reserve();
    }

    fn name(&self) -> Option<&'static str> {
        self.inner.name()
    }

    fn outage(&self) -> Option<Outage> {
        self.inner.outage()
    }

    fn restrictions(&self, resource: &str) -> Vec<Restriction> {
        self.inner.restrictions(resource)
    }

    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        self.inner.held()
    }

    fn unreadable(&self) -> Result<Vec<Unreadable>, Unlisted> {
        self.inner.unreadable()
    }
}

impl fmt::Debug for LiveProviders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveProviders").field("patience", &self.patience).finish_non_exhaustive()
    }
}
