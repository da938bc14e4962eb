//! Providers that do something in the world while a scenario is played.
//!
//! What they take is not the scripted provider's; the rest stays with it. Time passes twice then: the scenario's clock jumps as
//! the scenario says, and while a provider works or is to be asked again it goes on with the machine's.

use crate::beside::Beside;
use host_provider_api::scripted::Scripted;
use host_provider_api::{Held, Registry, Unlisted};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for one step's effects, unless told otherwise: ten minutes, in which a database of one's own comes up.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// Real providers, and how long to wait for them.
#[derive(Clone)]
pub struct World {
    registry: Registry,
    patience: Duration,
    stripe: Option<Arc<dyn Beside>>,
}

impl World {
    /// These providers, without one for `*`.
    pub fn new(registry: Registry) -> World {
        World { registry, patience: PATIENCE, stripe: None }
    }

    /// Waits this long for one step's effects instead of [`PATIENCE`].
    pub fn with_patience(self, patience: Duration) -> World {
        World { patience, ..self }
    }

    /// With a Stripe beside the host, whose webhooks it hears.
    pub fn with_stripe(self, stripe: Arc<dyn Beside>) -> World {
        World { stripe: Some(stripe), ..self }
    }

    /// The Stripe beside the host, if there is one.
    pub(crate) fn stripe(&self) -> Option<Arc<dyn Beside>> {
        self.stripe.clone()
    }

    /// How long to wait for one step's effects.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// What they hold, as the other sides list it.
    pub fn held(&self) -> Result<Vec<Held>, Unlisted> {
        self.registry.held()
    }

    /// True if one of them takes effects of this kind.
    pub fn takes(&self, kind: &str) -> bool {
        self.registry.takes(kind)
    }

    /// The providers, and the scripted one for what none of them takes.
    pub(crate) fn over(&self, scripted: Scripted) -> Registry {
        let mut registry = self.registry.clone();
        registry.register(&["*"], Arc::new(scripted));
        registry
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("patience", &self.patience).finish_non_exhaustive()
    }
}
