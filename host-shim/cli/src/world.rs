//! The options of live providers, and the report of their calls and resources.

mod local_stripe;

use anyhow::Context;
use clap::Parser;
use host_provider_api::ProviderName;
use host_providers::{Opened, Options, Settings, chart, check_vault, open};
use host_replay::live::{LiveProviders, StripeOfScenario};
use host_replay::recorded::recorded_secrets;
use host_replay::rig::{StoreKind, open as open_store};
use host_scenario::error::ReplayError;
use host_store_postgres::small::Place;
use local_stripe::StartedStripe;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The context of the error if a provider can't be opened.
const UNOPENED: &str = "the providers can't be opened";

/// The options of live providers and their settings.
#[derive(Debug, Parser)]
pub(crate) struct ProviderArgs {
    /// Providers that carry out effects instead of the scripted provider: local, …; other effects stay scripted
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Live providers")]
    providers: Vec<ProviderName>,

    /// Settings of the providers: a YAML file with a section for each (docs/reference/providers.md)
    #[arg(long, value_name = "FILE", requires = "providers", help_heading = "Live providers")]
    provider_settings: Option<PathBuf>,
}

/// The options of live providers.
#[derive(Debug, Parser)]
pub(crate) struct WorldArgs {
    #[command(flatten)]
    providers: ProviderArgs,

    /// The folder for resources of `local` and for secrets, which PROVISIONER_SECRETS_KEY encrypts [default: a temporary
    /// folder]
    #[arg(long, value_name = "DIR", requires = "providers", help_heading = "Live providers")]
    world: Option<PathBuf>,

    /// The port on 127.0.0.1 where `local` serves [default: a free port]
    #[arg(long, value_name = "PORT", requires = "providers", help_heading = "Live providers")]
    world_port: Option<u16>,

    /// The maximum wait for the effects of one step, and for a delivery of the local Stripe, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, help_heading = "Live providers")]
    patience: u64,

    /// Serve the resources of `local` until the program is stopped
    #[arg(long, requires = "providers", help_heading = "Live providers")]
    keep: bool,
}

/// Opens a local Stripe as the only live provider.
pub(crate) fn open_local_stripe(patience: Duration) -> anyhow::Result<LiveProviders> {
    let stripe = StartedStripe::start(patience)?;
    let options =
        Options { names: vec![ProviderName::Stripe], local_stripe: Some(stripe.address()), ..Options::default() };
    let opened = open(&options).context("the local Stripe can't be opened")?;
    let live = LiveProviders::new(opened.registry.clone()).with_patience(patience).keeping(opened);
    Ok(stripe.add_to(live))
}

/// Returns the function that opens a local Stripe for each scenario with `at_stripe` steps, or for all.
pub(crate) fn stripe_of_scenario(is_for_all: bool, patience: Duration) -> StripeOfScenario {
    StripeOfScenario::new(is_for_all, move || {
        open_local_stripe(patience).map_err(|error| match error.downcast::<ReplayError>() {
            Ok(error) => error,
            Err(error) => ReplayError::Host(format!("{error:#}")),
        })
    })
}

impl ProviderArgs {
    fn settings(&self) -> anyhow::Result<Settings> {
        Ok(match &self.provider_settings {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        })
    }

    /// Opens the providers with a temporary folder; none if no option requests one.
    pub(crate) fn open(&self) -> anyhow::Result<Option<(LiveProviders, Opened)>> {
        if self.providers.is_empty() {
            return Ok(None);
        }
        let options = Options { names: self.providers.clone(), settings: self.settings()?, ..Options::default() };
        let opened = open(&options).context(UNOPENED)?;
        Ok(Some((LiveProviders::new(opened.registry.clone()), opened)))
    }
}

impl WorldArgs {
    /// Returns whether an option requests a provider.
    pub(crate) fn has_providers(&self) -> bool {
        !self.providers.providers.is_empty()
    }

    /// Opens the providers; none if no option requests one.
    pub(crate) fn open(&self) -> anyhow::Result<Option<(LiveProviders, Opened)>> {
        self.open_with(false, None)
    }

    /// Returns true if the folder with the resources of `local` and the secrets is given.
    pub(crate) fn is_named(&self) -> bool {
        self.world.is_some()
    }

    /// Opens the providers in order to see what exists, while another process may be serving it; none if no option requests one.
    /// `secrets` is the location of the secrets, if they are not in a file of the folder.
    pub(crate) fn open_beside(&self, secrets: Option<Place>) -> anyhow::Result<Option<Opened>> {
        Ok(self.open_with(false, Some(secrets))?.map(|(_, opened)| opened))
    }

    /// Opens the providers for a replay with this store, after which the vault is known to belong to the store. With
    /// `local_stripe`, a local Stripe carries out `stripe`.
    pub(crate) fn open_for(
        &self,
        store: Option<&Path>,
        local_stripe: bool,
    ) -> anyhow::Result<Option<(LiveProviders, Opened)>> {
        let opened = self.open_with(local_stripe, None)?;
        if let (Some((_, opened)), Some(file)) = (&opened, store.filter(|file| file.is_file())) {
            let references = recorded_secrets(&*open_store(&StoreKind::Sqlite(file.to_owned()))?)?;
            check_vault(&opened.vault, &references).with_context(|| file.display().to_string())?;
        }
        Ok(opened)
    }

    /// Opens the providers; `beside` another process, it uses the location of that process's secrets.
    fn open_with(
        &self,
        local_stripe: bool,
        beside: Option<Option<Place>>,
    ) -> anyhow::Result<Option<(LiveProviders, Opened)>> {
        if !self.has_providers() && !local_stripe {
            return Ok(None);
        }
        let mut names = self.providers.providers.clone();
        if local_stripe && !names.contains(&ProviderName::Stripe) {
            names.push(ProviderName::Stripe);
        }
        let stripe = local_stripe.then(|| StartedStripe::start(self.patience())).transpose()?;
        let settings = self.providers.settings()?;
        let options = Options {
            names,
            folder: self.world.clone(),
            port: self.world_port,
            is_beside: beside.is_some(),
            secrets: beside.flatten(),
            local_stripe: stripe.as_ref().map(StartedStripe::address),
            settings,
            ..Options::default()
        };
        let opened = open(&options).context(UNOPENED)?;
        let live = LiveProviders::new(opened.registry.clone()).with_patience(self.patience());
        Ok(Some((stripe.into_iter().fold(live, |live, stripe| stripe.add_to(live)), opened)))
    }

    /// Returns the maximum wait for a provider.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    /// Prints the calls and the existing resources; with `--keep`, serves the resources until the program is stopped.
    pub(crate) fn end(&self, opened: &Opened, out: &mut dyn Write) -> anyhow::Result<()> {
        let spans = opened.journal.spans();
        if !spans.is_empty() {
            writeln!(out, "\nprovider calls\n{}", chart(&spans))?;
        }
        let held = opened.registry.held()?.held;
        if !held.is_empty() {
            writeln!(out, "existing resources")?;
            let width = held.iter().map(|it| it.id.to_string().len()).max().unwrap_or_default();
            for it in &held {
                let id = it.id.to_string();
                writeln!(out, "{id:width$}  {:9}  {}", it.state, self.shown(opened, it))?;
            }
        }
        if !self.keep {
            return Ok(());
        }
        let stop = host_providers::StopSignal::listen().context("signals cannot be handled")?;
        if let Some(address) = opened.serves {
            writeln!(out, "\nserved at NAME.localhost:{} until the program is stopped (Ctrl-C)", address.port())?;
        }
        out.flush()?;
        stop.wait().context("the wait for a signal failed")
    }

    /// Returns the address of a local function, or the name of another resource in the remote system.
    fn shown(&self, opened: &Opened, held: &host_provider_api::Held) -> String {
        match opened.serves {
            Some(address)
                if held.id.resource == "function" && self.providers.providers.contains(&ProviderName::Local) =>
            {
                format!("http://{}.localhost:{}", held.name.replace('_', "-"), address.port())
            }
            _ => held.name.clone(),
        }
    }
}
