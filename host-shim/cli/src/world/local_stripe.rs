//! Starts a local Stripe for a replay, if the program is built with one.

#[cfg(not(feature = "local-stripe"))]
use crate::not_built::{LOCAL_STRIPE, missing};
use host_provider_set::LocalStripe;
use host_replay::live::LiveProviders;
use std::time::Duration;

/// A running local Stripe.
#[cfg(feature = "local-stripe")]
pub(crate) struct StartedStripe(std::sync::Arc<host_stripe_replay::LocalStripe>);

#[cfg(feature = "local-stripe")]
impl StartedStripe {
    /// Starts a local Stripe that waits this long for each of its deliveries.
    pub(crate) fn start(patience: Duration) -> anyhow::Result<StartedStripe> {
        let stripe = host_stripe_replay::LocalStripe::start()?.with_patience(patience);
        Ok(StartedStripe(std::sync::Arc::new(stripe)))
    }

    /// Returns the address and the API key of the local Stripe, for the provider.
    pub(crate) fn address(&self) -> LocalStripe {
        LocalStripe { url: self.0.url(), key: host_stripe_replay::TEST_KEY.to_owned() }
    }

    /// Adds the local Stripe to the live providers.
    pub(crate) fn add_to(self, live: LiveProviders) -> LiveProviders {
        live.with_stripe(self.0)
    }
}

/// A type without values: this program can't start a local Stripe.
#[cfg(not(feature = "local-stripe"))]
pub(crate) enum StartedStripe {}

#[cfg(not(feature = "local-stripe"))]
impl StartedStripe {
    pub(crate) fn start(_: Duration) -> anyhow::Result<StartedStripe> {
        Err(missing(LOCAL_STRIPE).into())
    }

    pub(crate) fn address(&self) -> LocalStripe {
        match *self {}
    }

    pub(crate) fn add_to(self, _: LiveProviders) -> LiveProviders {
        match self {}
    }
}
