//! The provider options of a program without providers: each is refused with the command that builds the full program.

use crate::not_built::{LOCAL_STRIPE, missing};
use clap::Parser;
use host_replay::live::{LiveProviders, PATIENCE, StripeOfScenario};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options of providers, hidden from the help. They are declared here so that `--providers` gets the error below
/// instead of "unexpected argument".
#[derive(Debug, Parser)]
pub(crate) struct ProviderArgs {
    #[arg(long, hide = true)]
    providers: Option<String>,
    #[arg(long, hide = true, requires = "providers")]
    provider_settings: Option<PathBuf>,
}

/// Options of live providers, hidden from the help like [`ProviderArgs`].
#[derive(Debug, Parser)]
pub(crate) struct WorldArgs {
    #[command(flatten)]
    providers: ProviderArgs,
    #[arg(long, hide = true, requires = "providers")]
    world: Option<PathBuf>,
    #[arg(long, hide = true, requires = "providers")]
    world_port: Option<u16>,
    #[arg(long, hide = true, requires = "providers")]
    keep: bool,
}

/// A type without values: this program can't open providers.
pub(crate) enum Opened {}

/// Fails: this program has no local Stripe.
pub(crate) fn open_local_stripe(_: Duration) -> anyhow::Result<LiveProviders> {
    Err(missing(LOCAL_STRIPE).into())
}

/// Returns what fails for each scenario with `at_stripe` steps: this program has no local Stripe.
pub(crate) fn stripe_of_scenario(is_for_all: bool, _: Duration) -> StripeOfScenario {
    StripeOfScenario::new(is_for_all, || Err(missing(LOCAL_STRIPE)))
}

impl ProviderArgs {
    /// Returns none; fails if an option requests a provider.
    pub(crate) fn open(&self) -> anyhow::Result<Option<(LiveProviders, Opened)>> {
        match &self.providers {
            Some(_) => Err(missing("`--providers`").into()),
            None => Ok(None),
        }
    }
}

impl WorldArgs {
    /// Returns whether an option requests a provider.
    pub(crate) fn has_providers(&self) -> bool {
        self.providers.providers.is_some()
    }

    /// Returns the default, since this program has no option for it.
    pub(crate) fn patience(&self) -> Duration {
        PATIENCE
    }

    /// Returns none; fails if an option requests a provider.
    pub(crate) fn open_for(
        &self,
        _: Option<&Path>,
        local_stripe: bool,
    ) -> anyhow::Result<Option<(LiveProviders, Opened)>> {
        match local_stripe {
            true => Err(missing(LOCAL_STRIPE).into()),
            false => self.providers.open(),
        }
    }

    /// Is never called, because this program can't open providers.
    pub(crate) fn end(&self, opened: &Opened, _: &mut dyn Write) -> anyhow::Result<()> {
        match *opened {}
    }
}
