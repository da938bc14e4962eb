//! A local Stripe beside a replay, where the program was built with one.

use host_replay::world::World;
use host_provider_set::LocalStripe;

/// One that was started.
#[cfg(feature = "beside")]
pub(crate) struct Beside(std::sync::Arc<host_stripe_replay::LocalStripe>);

#[cfg(feature = "beside")]
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

/// None can be.
#[cfg(not(feature = "beside"))]
pub(crate) enum Beside {}

#[cfg(not(feature = "beside"))]
impl Beside {
    pub(crate) fn start() -> anyhow::Result<Beside> {
        anyhow::bail!(
            "this program was built without `--local-stripe`: build it with \
             `cargo build --release --package host-shim --features beside`"
        )
    }

    pub(crate) fn address(&self) -> LocalStripe {
        match *self {}
    }

    pub(crate) fn stand(self, _: World) -> World {
        match self {}
    }
}
