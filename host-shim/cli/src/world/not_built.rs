//! The provider options of a program without providers: each is refused with the command that builds the full program.

use crate::not_built::{LOCAL_STRIPE, missing};
use clap::Parser;
use host_replay::live::LiveProviders;
use std::io::Write;
use std::path::{Path, PathBuf};

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
    patience: Option<u64>,
    #[arg(long, hide = true, requires = "providers")]
    keep: bool,
}

/// A type without values: this program can't open providers.
pub(crate) enum Opened {}

/// Fails: this program has no local Stripe.
pub(crate) fn open_local_stripe() -> anyhow::Result<(LiveProviders, Opened)> {
    Err(missing(LOCAL_STRIPE).into())
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
