//! Starts a local Stripe for a replay, if the program is built with one.

use host_providers::LocalStripe;
use host_replay::live::LiveProviders;
use std::time::Duration;

/// A running local Stripe.
pub(crate) struct StartedStripe(std::sync::Arc<host_replay::stripe::LocalStripe>);

impl StartedStripe {
    /// Starts a local Stripe that waits this long for each of its deliveries.
    pub(crate) fn start(patience: Duration) -> anyhow::Result<StartedStripe> {
        let stripe = host_replay::stripe::LocalStripe::start()?.with_patience(patience);
        Ok(StartedStripe(std::sync::Arc::new(stripe)))
    }

    /// Returns the address and the API key of the local Stripe, for the provider.
    pub(crate) fn address(&self) -> LocalStripe {
        LocalStripe { url: self.0.url(), key: host_replay::stripe::TEST_KEY.to_owned() }
    }

    /// Adds the local Stripe to the live providers.
    pub(crate) fn add_to(self, live: LiveProviders) -> LiveProviders {
        live.with_stripe(self.0)
    }
}
