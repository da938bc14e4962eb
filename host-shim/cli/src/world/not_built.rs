//! The provider options of a program without providers: each is refused with the chore that makes the full program.

use crate::not_built::missing;
use clap::Parser;
use host_replay::world::World;
use std::io::Write;
use std::path::PathBuf;

/// Options of providers, hidden from the help. They are declared here so that `--providers` gets the error below instead of
/// "unexpected argument".
#[derive(Debug, Parser)]
pub(crate) struct WorldArgs {
    #[arg(long, hide = true)]
    providers: Option<String>,
    #[arg(long, hide = true, requires = "providers")]
    provider_settings: Option<PathBuf>,
    #[arg(long, hide = true, requires = "providers")]
    world: Option<PathBuf>,
    #[arg(long, hide = true, requires = "providers")]
    world_port: Option<u16>,
    #[arg(long, hide = true, requires = "providers")]
    patience: Option<u64>,
    #[arg(long, hide = true, requires = "providers")]
    keep: bool,
}

/// No provider can be opened.
pub(crate) enum Opened {}

impl WorldArgs {
    /// Nothing, unless a provider was asked for.
    pub(crate) fn open_beside(&self, local_stripe: bool) -> anyhow::Result<Option<(World, Opened)>> {
        match (local_stripe, &self.providers) {
            (true, _) => Err(missing("`--local-stripe`").into()),
            (false, Some(_)) => Err(missing("`--providers`").into()),
            (false, None) => Ok(None),
        }
    }

    /// Never called: nothing was opened.
    pub(crate) fn end(&self, opened: &Opened, _: &mut dyn Write) -> anyhow::Result<()> {
        match *opened {}
    }
}
