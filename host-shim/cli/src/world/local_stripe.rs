//! A local Stripe beside a replay, where the program was built with one.

use host_provider_set::LocalStripe;
use host_replay::world::World;

/// One that was started.
#[cfg(feature = "local-stripe")]
pub(crate) struct Beside(std::sync::Arc<host_stripe_replay::LocalStripe>);

#[cfg(feature = "local-stripe")]
impl Beside {
    pub(crate) fn start() -> anyhow::Result<Beside> {
        Ok(Beside(std::sync::Arc::new(host_stripe_replay::LocalStripe::start()?)))
    }

    /// Where the provider finds it.
    pub(crate) fn address(&self) -> LocalStripe {
        LocalStripe { url: self.0.url(), key: host_stripe_replay::TEST_KEY.to_owned() }
    }

    /// The world with it in it.
    pub(crate) fn stand(self, world: World) -> World {
        world.with_stripe(self.0)
    }
}

/// This program cannot start one.
#[cfg(not(feature = "local-stripe"))]
pub(crate) enum Beside {}

#[cfg(not(feature = "local-stripe"))]
impl Beside {
    pub(crate) fn start() -> anyhow::Result<Beside> {
        Err(crate::not_built::missing("`--local-stripe`").into())
    }

    pub(crate) fn address(&self) -> LocalStripe {
        match *self {}
    }

    pub(crate) fn stand(self, _: World) -> World {
        match self {}
    }
}
