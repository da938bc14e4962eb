//! `host-shim serve FOLDER`.

#[cfg_attr(not(feature = "local-stripe"), path = "serve/local/not_built.rs")]
mod local;
mod log;

use crate::extension::ExtensionArgs;
use crate::refuse;
use anyhow::Context;
use clap::Parser;
use host::business::BusinessFolder;
use host::clock::Clock;
use host_daemon::data::DataFolder;
use host_daemon::{Daemon, DaemonError, DaemonSetup, listen};
use host_intake::{Mode, SecretConfig};
use host_provider_set::{Name, Options, Settings};
use host_replay::runners::{Runners, Workload};
use host_scenario::error::ReplayError;
use host_scenario::manifest;
use local::LocalStripe;
use log::{LogFormat, LogLevel};
use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Serve a business over HTTP: webhooks, commands, events and queries
///
/// With --local, everything runs on this machine: a local Stripe with checkout pages, and providers whose databases, buckets
/// and functions are local. The data folder keeps it all, and may be deleted to begin anew. Without --local, name the
/// providers; an effect that none of them carries out stops the start.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The folder of the business
    #[arg(value_name = "FOLDER")]
    business: PathBuf,

    /// Run a local Stripe and local providers; operators can advance the clock
    #[arg(long, conflicts_with = "live")]
    local: bool,

    /// Use real money: Stripe's live mode
    #[arg(long)]
    live: bool,

    /// The folder of the store, the API keys, local resources and secrets
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,

    /// The address; a proxy in front of it ends TLS
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,

    /// Providers that carry out effects [default with --local: local,http,stripe]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    providers: Vec<Name>,

    /// Settings of the providers: a YAML file with a section for each (docs/providers.md)
    #[arg(long, value_name = "FILE")]
    provider_settings: Option<PathBuf>,

    /// Simulate the effects that no provider carries out, instead of refusing to start
    #[arg(long)]
    simulate: bool,

    /// The time between two comparisons of the providers' resources with the records; 0s for none
    #[arg(long, value_name = "TIME", value_parser = crate::span::parse, default_value = "6h")]
    drift_every: Duration,

    /// The lines of the log, which goes to the error stream
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: LogLevel,

    /// The form of the log's lines
    #[arg(long, value_name = "FORM", default_value = "text")]
    log_format: LogFormat,

    #[command(flatten)]
    extension: ExtensionArgs,
}

const AFTER_HELP: &str = "Environment:
  STRIPE_WEBHOOK_SECRET, STRIPE_CONNECT_WEBHOOK_SECRET   signing secrets of Stripe's endpoints, without --local;
  each may be two during a rotation: NEW,OLD
  HOST_SHIM_SECRETS_KEY                                  key of the stored secrets, without --local

Examples:
  host-shim serve my-business --local
  host-shim serve my-business --providers postgres,aws,smtp,stripe --provider-settings providers.yml

Exit codes: 0 stopped, 1 the server cannot run, 2 bad usage or input.";

/// The variables with signing secrets of Stripe, with their names in reports, and whether they are of a Connect endpoint.
const STRIPE_SECRETS: [(&str, &str, bool); 2] =
    [("STRIPE_WEBHOOK_SECRET", "platform", false), ("STRIPE_CONNECT_WEBHOOK_SECRET", "connect", true)];
/// Suffixes of the names of secrets during a rotation.
const ROTATION: [&str; 2] = ["", "-old"];

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    crate::ended(try_run(args), false)
}

fn try_run(args: Args) -> anyhow::Result<ExitCode> {
    log::start(args.log_format, args.log_level);
    let business = BusinessFolder::load(&args.business).map_err(|bad| ReplayError::Input(vec![bad]))?;
    let runners = args.extension.runners(false, Workload::ManyEvents)?;
    let runner = runners.make()?;
    let manifest = manifest::of(&runner.declarations().name).map_err(|bad| ReplayError::Input(vec![bad]))?;
    let data = DataFolder::open(&args.data)?;
    let listener = listen(args.listen).with_context(|| args.listen.to_string())?;
    let address = listener.local_addr()?;
    let settings = match &args.provider_settings {
        Some(path) => Settings::read(path)?,
        None => Settings::default(),
    };
    let options = Options { names: args.providers.clone(), settings, ..Options::default() };
    let webhooks = webhook_secrets(&business);
    let mut setup = DaemonSetup {
        business,
        livemode: args.live,
        config: Vec::new(),
        manifest,
        runner: make_runner(runners),
        data: data.clone(),
        providers: options,
        simulate: args.simulate,
        drift_every: args.drift_every,
        stripe: Vec::new(),
        webhooks,
        clock: Clock::system(),
        local_clock: None,
        listener,
    };
    let stripe = match args.local {
        true => Some(begin_local(&mut setup, &data, address)?),
        false => {
            setup.stripe = stripe_secrets(Mode::of(args.live));
            None
        }
    };
    if setup.providers.names.is_empty() {
        let problem = "no providers: expected --local, or --providers with the names of some".to_owned();
        return Ok(refuse(&ReplayError::Usage(problem)));
    }
    let daemon = match Daemon::start(setup) {
        Err(error @ DaemonError::Uncovered { .. }) => return Ok(refuse(&ReplayError::Usage(error.to_string()))),
        started => started?,
    };
    greet(&daemon, stripe.as_deref());
    daemon.run(async {
        // Without signals the server runs until it is killed.
        let stopped = tokio::task::spawn_blocking(host_provider_set::until_stopped).await;
        if !matches!(stopped, Ok(Ok(()))) {
            std::future::pending::<()>().await;
        }
        eprintln!("stopping");
    });
    Ok(ExitCode::SUCCESS)
}

/// Returns a function that makes instances of the extension.
fn make_runner(runners: Runners) -> host_daemon::MakeRunner {
    // A component was loaded and compiled before, and a library needs no file.
    Arc::new(move || runners.make().expect("a loaded extension makes runners"))
}

/// Starts a local Stripe, and sets everything that local mode needs.
fn begin_local(setup: &mut DaemonSetup, data: &DataFolder, address: SocketAddr) -> anyhow::Result<Arc<LocalStripe>> {
    let (stripe, secret) = LocalStripe::start(data.clone(), address)?;
    let stripe = Arc::new(stripe);
    if setup.providers.names.is_empty() {
        setup.providers.names = local::providers();
    }
    setup.providers.local_stripe = Some(stripe.address());
    setup.providers.keys = Some(data.vault_keys()?);
    setup.stripe = vec![SecretConfig { name: "local".to_owned(), mode: Mode::Test, connect: None, secret }];
    setup.clock = Clock::ahead_of_system(data.ahead_ms()?);
    setup.local_clock = Some(stripe.clone());
    Ok(stripe)
}

/// Returns the signing secrets of Stripe's endpoints in the environment.
fn stripe_secrets(mode: Mode) -> Vec<SecretConfig> {
    let mut secrets = Vec::new();
    for (variable, name, connect) in STRIPE_SECRETS {
        let Ok(text) = env::var(variable) else { continue };
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        for (part, suffix) in parts.zip(ROTATION) {
            let (name, secret) = (format!("{name}{suffix}"), part.to_owned());
            secrets.push(SecretConfig { name, mode, connect: Some(connect), secret });
        }
    }
    secrets
}

/// Returns the secrets of the business's own webhooks, by the variable that its configuration key names.
fn webhook_secrets(business: &BusinessFolder) -> BTreeMap<String, String> {
    let declared = business.own.webhooks.iter().filter_map(|own| {
        let key = business.own.config.iter().find(|key| key.key == own.secret)?;
        Some((own.webhook.name.clone(), env::var(key.env.as_ref()?).ok()?))
    });
    declared.collect()
}

/// Prints the addresses.
fn greet(daemon: &Daemon, stripe: Option<&LocalStripe>) {
    println!("server    http://{}", daemon.address());
    if let Some(stripe) = stripe {
        println!("stripe    {}", stripe.url());
        println!("key       {}", daemon.operator_key());
    }
    if let Some(serves) = daemon.serves() {
        println!("resources http://{serves}");
    }
    if !daemon.simulated().is_empty() {
        println!("simulated {}", daemon.simulated().join(", "));
    }
    println!("press Ctrl-C to stop");
}
