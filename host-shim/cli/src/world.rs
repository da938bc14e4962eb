//! Providers that do something in the world: the options, and what is told of them.

mod local_stripe;

use anyhow::Context;
use clap::Parser;
use host_provider_set::{Name, Opened, Options, Settings, chart, open};
use host_replay::world::World;
use local_stripe::Beside;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Which providers do something in the world.
#[derive(Debug, Parser)]
pub(crate) struct WorldArgs {
    /// Let these carry effects out, in place of the scripted answers: local, …; what none of them takes stays scripted
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "The world")]
    providers: Vec<Name>,

    /// How the providers are reached: a YAML file with a section for each (docs/providers.md)
    #[arg(long, value_name = "FILE", requires = "providers", help_heading = "The world")]
    provider_settings: Option<PathBuf>,

    /// The folder that keeps what `local` makes and the secrets, which HOST_SHIM_SECRETS_KEY encrypts [default: one that goes
    /// with the process]
    #[arg(long, value_name = "DIR", requires = "providers", help_heading = "The world")]
    world: Option<PathBuf>,

    /// The port of 127.0.0.1 on which `local` serves [default: a free one]
    #[arg(long, value_name = "PORT", requires = "providers", help_heading = "The world")]
    world_port: Option<u16>,

    /// How long to wait for one step's effects, in seconds
    #[arg(long, value_name = "SECONDS", requires = "providers", default_value_t = 600, help_heading = "The world")]
    patience: u64,

    /// Serve what `local` made until the program is stopped
    #[arg(long, requires = "providers", help_heading = "The world")]
    keep: bool,
}

impl WorldArgs {
    /// The providers, opened; none if none was asked for.
    pub(crate) fn open(&self) -> anyhow::Result<Option<(World, Opened)>> {
        self.open_beside(false)
    }

    /// The same, with a local Stripe beside the host, which `stripe` then calls.
    pub(crate) fn open_beside(&self, local_stripe: bool) -> anyhow::Result<Option<(World, Opened)>> {
        if self.providers.is_empty() && !local_stripe {
            return Ok(None);
        }
        let mut names = self.providers.clone();
        if local_stripe && !names.contains(&Name::Stripe) {
            names.push(Name::Stripe);
        }
        let beside = local_stripe.then(Beside::start).transpose()?;
        let settings = match &self.provider_settings {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        let options = Options {
            names,
            folder: self.world.clone(),
            port: self.world_port,
            local_stripe: beside.as_ref().map(Beside::address),
            settings,
        };
        let opened = open(&options).context("the providers can't be opened")?;
        let world = World::new(opened.registry.clone()).with_patience(self.patience());
        Ok(Some((beside.into_iter().fold(world, |world, beside| beside.stand(world)), opened)))
    }

    /// How long to wait for a provider.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    /// Tells what was done and what is there; with `--keep` it stays there until the program is stopped.
    pub(crate) fn end(&self, opened: &Opened, out: &mut dyn Write) -> anyhow::Result<()> {
        let spans = opened.journal.spans();
        if !spans.is_empty() {
            writeln!(out, "\nwhat providers were called for\n{}", chart(&spans))?;
        }
        let held = opened.registry.held()?;
        if !held.is_empty() {
            writeln!(out, "what is there now")?;
            let width = held.iter().map(|it| it.id.to_string().len()).max().unwrap_or_default();
            for it in &held {
                let id = it.id.to_string();
                writeln!(out, "{id:width$}  {:9}  {}", it.state, self.shown(opened, it))?;
            }
        }
        if !self.keep {
            return Ok(());
        }
        if let Some(address) = opened.serves {
            writeln!(out, "\nserved at NAME.localhost:{} until the program is stopped (Ctrl-C)", address.port())?;
        }
        out.flush()?;
        host_provider_set::until_stopped().context("it can't be told when to stop")
    }

    /// What a person opens, or how the other side calls it.
    fn shown(&self, opened: &Opened, held: &host_provider_api::Held) -> String {
        match opened.serves {
            Some(address) if held.id.resource == "function" && self.providers.contains(&Name::Local) => {
                format!("http://{}.localhost:{}", held.name.replace('_', "-"), address.port())
            }
            _ => held.name.clone(),
        }
    }
}
