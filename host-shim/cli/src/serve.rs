//! `provisioner serve FOLDER`.

mod local;
mod log;
mod renew;
#[cfg_attr(not(target_os = "linux"), path = "serve/supervisor/none.rs")]
mod supervisor;

use crate::configured::{ConfiguredBusiness, Overrides, configured, read_file};
use crate::store;
use anyhow::Context;
use clap::{Parser, ValueEnum};
use host_business::tables::postgres::Roles;
use host_engine::clock::Clock;
use host_intake::request::PATH;
use host_provider_api::ProviderName;
use host_replay::command::ExtensionArgs;
use host_replay::command::refuse;
use host_replay::runners::{Runners, Workload};
use host_run::config::{BusinessMode, Environment, Prepared, ServerConfig};
use host_run::data::DataFolder;
use host_run::{Daemon, DaemonError, DaemonSetup, HostedError, HostedSetup, listen as bound};
use host_scenario::error::ReplayError;
use local::LocalStripe;
use log::{LogFormat, LogLevel};
use renew::Renewer;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Default data folder.
const DATA: &str = "data";
/// Default address.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090);

/// Serve a business over HTTP: webhooks, commands, events and queries
///
/// With --local, everything runs on this machine: a local Stripe with checkout pages, and providers whose databases, buckets
/// and functions are local. The data folder keeps it all; delete it to start over. Without --local, name the providers;
/// the server refuses to start if none of them carries out an effect. With --config, a file says all that, for one or
/// several businesses; options of the command line take precedence.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The folder of the business [default: the businesses of the file of --config]
    #[arg(value_name = "FOLDER", required_unless_present = "config")]
    business: Option<PathBuf>,

    /// The configuration of the server, such as solobase.config.yml; `check --config FILE` checks it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Run a local Stripe and local providers; operators can advance the clock
    #[arg(long, conflicts_with = "live")]
    local: bool,

    /// The port of the local Stripe, whose links to checkouts and invoices contain it [default: that of the last start]
    #[arg(long, value_name = "PORT", conflicts_with = "live", value_parser = clap::value_parser!(u16).range(1..))]
    stripe_port: Option<u16>,

    /// Use real money: Stripe's live mode
    #[arg(long)]
    live: bool,

    /// The folder of the store, the API keys, local resources and secrets [default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Keep accounts, users, keys, secrets and webhook endpoints in the PostgreSQL database of the variable DATABASE_URL, instead of
    /// files in the data folder; several servers may use one database
    #[arg(long)]
    postgres: bool,

    /// Leave the views of tables.yml in the store as they are; `provisioner tables` makes them
    #[arg(long)]
    no_tables: bool,

    /// The address; a proxy in front of it ends TLS [default: 127.0.0.1:8090]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,

    /// Providers that carry out effects [default with --local: http,stripe,local]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    providers: Vec<ProviderName>,

    /// Settings of the providers: a YAML file with a section for each (docs/reference/providers.md)
    #[arg(long, value_name = "FILE")]
    provider_settings: Option<PathBuf>,

    /// Simulate the effects that no provider carries out, instead of refusing to start
    #[arg(long)]
    simulate: bool,

    /// The time between two comparisons of the providers' resources with the records; 0s for none
    #[arg(long, value_name = "TIME", value_parser = crate::span::parse, default_value = "6h")]
    drift_every: Duration,

    /// The time between two searches for backups that are due; 0s turns scheduled backups off
    #[arg(long, value_name = "TIME", value_parser = crate::span::parse, default_value = "30s")]
    backups_every: Duration,

    /// The lines of the log, which goes to the error stream [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<LogLevel>,

    /// The form of the log's lines [default: text]
    #[arg(long, value_name = "FORM")]
    log_format: Option<LogFormat>,

    #[command(flatten)]
    extension: ExtensionArgs,
}

const AFTER_HELP: &str = "Environment, also from the file .env beside FILE and in FOLDER:
  STRIPE_WEBHOOK_SECRET, STRIPE_CONNECT_WEBHOOK_SECRET   signing secrets of Stripe's endpoints, without --local;
  each may be two during a rotation: NEW,OLD
  STRIPE_SECRET_KEY                                      key of Stripe's API, without --local
  PROVISIONER_SECRETS_KEY                                  key of the stored secrets, without --local
  DATABASE_URL                                           postgres://USER:PASSWORD@HOST/DATABASE, with --postgres
  and the variables that business.yml names

Examples:
  provisioner serve my-business --local
  provisioner serve my-business --providers postgres,aws,smtp,stripe --provider-settings providers.yml
  DATABASE_URL=postgres://provisioner@db.example.com/shop provisioner serve my-business --providers stripe --postgres
  provisioner serve --config solobase.config.yml

Exit codes: 0 stopped, 1 the server cannot run, 2 bad usage or input.";

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    crate::exit::ended(try_run(args), false)
}

fn try_run(args: Args) -> anyhow::Result<ExitCode> {
    let (file, environment) = match &args.config {
        Some(path) => {
            let (file, environment) = read_file(path).map_err(ReplayError::Input)?;
            (Some(file), environment)
        }
        None => (None, Environment::of_this_process()),
    };
    let word = |word: Option<&'static str>| word.unwrap_or_default();
    let level = args.log_level.or_else(|| LogLevel::from_str(word(file.as_ref()?.log_level), false).ok());
    let format = args.log_format.or_else(|| LogFormat::from_str(word(file.as_ref()?.log_format), false).ok());
    log::start(format.unwrap_or(LogFormat::Text), level.unwrap_or(LogLevel::Info));
    let runners = args.extension.runners(false, Workload::ManyEvents)?;
    let runner = runners.make()?;
    let manifest = runners.manifest(runner.declarations()).map_err(ReplayError::from)?;
    let businesses = configured(file.as_ref(), &environment, &args.overrides(), runner.declarations());
    let businesses = match (businesses, file.as_ref().map(ServerConfig::unserved).unwrap_or_default()) {
        (Ok(businesses), []) if businesses.iter().all(|one| one.lacking.is_empty()) => businesses,
        (Ok(businesses), unserved) => {
            let lacking = businesses.into_iter().flat_map(|one| one.lacking);
            return Ok(refuse(&ReplayError::Input(unserved.iter().cloned().chain(lacking).collect())));
        }
        (Err(faults), unserved) => {
            return Ok(refuse(&ReplayError::Input(unserved.iter().cloned().chain(faults).collect())));
        }
    };
    if businesses.iter().any(|one| one.providers.names.is_empty() && one.mode != BusinessMode::Local) {
        let problem = "no providers selected: expected --local or --providers NAME,…".to_owned();
        return Ok(refuse(&ReplayError::Usage(problem)));
    }
    let local_count = businesses.iter().filter(|one| one.mode == BusinessMode::Local).count();
    if args.stripe_port.is_some() && local_count != 1 {
        let problem = format!("--stripe-port is for one business in local mode, and {local_count} are");
        return Ok(refuse(&ReplayError::Usage(problem)));
    }
    let database = match store::database(args.postgres, file.as_ref(), &environment) {
        Ok(database) => database,
        Err(problem) => return Ok(refuse(&ReplayError::Usage(problem))),
    };
    let views = file.as_ref().map_or_else(|| Some(Roles::default()), |file| file.views.clone());
    let views = views.filter(|_| !args.no_tables);
    let data = args.data.clone().or_else(|| file.as_ref()?.data.clone()).unwrap_or_else(|| DATA.into());
    let data = DataFolder::open(&data, database.as_ref())?;
    let address = args.listen.or(file.as_ref().map(|file| file.listen)).unwrap_or(LISTEN);
    let listener = bound(address).with_context(|| address.to_string())?;
    let address = listener.local_addr()?;
    let mut hosted = Vec::new();
    let mut stripes = Vec::new();
    let is_one = businesses.len() == 1;
    for business in businesses {
        // With a file, a second business can be added without moving the first one's data.
        let own = match file.is_some() {
            true => DataFolder::open(&data.path(&business.prepared.business.name), database.as_ref())?,
            false => data.clone(),
        };
        let prefix = if is_one { String::new() } else { format!("/{}", business.prepared.business.name) };
        let local = format!("http://{}{prefix}", reachable(address));
        let url = match (business.hosts.first().filter(|_| business.mode != BusinessMode::Local), &file) {
            // A proxy in front of the server terminates TLS.
            (Some(host), _) => format!("https://{host}"),
            (None, Some(ServerConfig { url: Some(url), .. })) => format!("{url}{prefix}"),
            _ => local.clone(),
        };
        let (mut setup, stripe) = hosted_setup(business, own, args.stripe_port, &format!("{local}{PATH}stripe"), url)?;
        setup.views.clone_from(&views);
        hosted.push(setup);
        stripes.push(stripe);
    }
    let setup = DaemonSetup {
        businesses: hosted,
        manifest,
        runner: make_runner(runners),
        data,
        drift_every: args.drift_every,
        backups_every: args.backups_every,
        country_header: file.as_ref().and_then(|file| file.country_header.clone()),
        proxies: file.as_ref().and_then(|file| file.trusted_proxies.clone()),
        listener,
    };
    let daemon = match Daemon::start(setup) {
        Err(DaemonError::Business { error, .. }) if matches!(*error, HostedError::Uncovered { .. }) => {
            return Ok(refuse(&ReplayError::Usage(error.to_string())));
        }
        started => started?,
    };
    for (business, stripe) in daemon.businesses().iter().zip(&stripes) {
        if let Some(stripe) = stripe {
            stripe.add_prices(&daemon.prices(&business.name)?).iter().for_each(|problem| eprintln!("{problem}"));
        }
    }
    // A script may send a signal as soon as the address is printed, so signals are handled before that.
    let signals = host_providers::StopSignal::listen().and_then(host_providers::StopSignal::and_hangups);
    let signals = signals.context("signals cannot be handled")?;
    let renewer = Renewer {
        file: args.config.clone(),
        environment,
        overrides: args.overrides(),
        declarations: runner.declarations().clone(),
        renewal: daemon.renewal(),
    };
    // A server whose output is closed still serves.
    let _ = greet(&mut io::stdout(), &daemon, &stripes);
    supervisor::serving();
    daemon.run(async {
        // Without signals the server runs until it is killed.
        let stopped = tokio::task::spawn_blocking(move || signals.wait_and_read(|| renewer.renew())).await;
        if !matches!(stopped, Ok(Ok(()))) {
            std::future::pending::<()>().await;
        }
        supervisor::stopping();
        eprintln!("stopping");
    });
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn overrides(&self) -> Overrides {
        let mode = match (self.local, self.live) {
            (true, _) => Some(BusinessMode::Local),
            (_, true) => Some(BusinessMode::Live),
            _ => None,
        };
        Overrides {
            folder: self.business.clone(),
            mode,
            providers: self.providers.clone(),
            provider_settings: self.provider_settings.clone(),
            simulate: self.simulate,
        }
    }
}

/// Returns the address at which this machine can reach the server.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (ip, address.port()).into()
}

/// Returns a function that creates instances of the extension.
fn make_runner(runners: Runners) -> host_run::MakeRunner {
    // A component was loaded and compiled before, and a library needs no file.
    Arc::new(move || runners.make().expect("a loaded extension makes runners"))
}

/// Returns the setup of a business. In local mode, starts its local Stripe at `stripe_port` with webhooks to `webhooks`.
fn hosted_setup(
    business: ConfiguredBusiness,
    data: DataFolder,
    stripe_port: Option<u16>,
    webhooks: &str,
    url: String,
) -> anyhow::Result<(HostedSetup, Option<Arc<LocalStripe>>)> {
    let livemode = business.is_live();
    let ConfiguredBusiness { mode, hosts, simulate, issuers, prepared, mut providers, .. } = business;
    let Prepared { business, config, mut stripe, stripe_path, webhooks: secrets, unused, .. } = prepared;
    for unused in unused {
        tracing::warn!(business = business.name, "{unused}");
    }
    let (mut clock, mut local_clock, mut local) = (Clock::system(), None, None);
    if mode == BusinessMode::Local {
        let (started, secrets) = LocalStripe::start(data.clone(), stripe_port, webhooks)?;
        let started = Arc::new(started);
        if providers.names.is_empty() {
            providers.names = local::providers();
        }
        providers.local_stripe = Some(started.address());
        providers.keys = Some(data.vault_keys()?);
        stripe = secrets;
        clock = Clock::ahead_of_system(data.ahead_ms()?);
        local_clock = Some(started.clone() as Arc<dyn host_run::LocalClock>);
        local = Some(started);
    }
    let webhooks = secrets.into_iter().map(|(name, secret)| (name, secret.expose().to_owned())).collect();
    let setup = HostedSetup {
        business,
        names: hosts,
        url,
        issuers,
        livemode,
        config,
        data,
        views: None,
        providers,
        simulate,
        stripe,
        stripe_path,
        webhooks,
        clock,
        local_clock,
    };
    Ok((setup, local))
}

/// Writes the addresses of the server and of its businesses.
fn greet(out: &mut impl Write, daemon: &Daemon, stripes: &[Option<Arc<LocalStripe>>]) -> io::Result<()> {
    writeln!(out, "server    http://{}", daemon.address())?;
    for (business, stripe) in daemon.businesses().iter().zip(stripes) {
        if daemon.businesses().len() > 1 {
            writeln!(out, "business  http://{}/{}", daemon.address(), business.name)?;
        }
        if let Some(stripe) = stripe {
            writeln!(out, "stripe    {}", stripe.url())?;
            match &business.operator_key {
                Some(key) => writeln!(out, "key       {key}")?,
                None => writeln!(out, "key       revoked (remove operator.key from the data folder for a new one)")?,
            }
            if let Some(link) = &business.first_operator {
                writeln!(out, "operator  {link}")?;
            }
        }
        if let Some(serves) = business.serves {
            writeln!(out, "resources http://{serves}")?;
        }
        if !business.simulated.is_empty() {
            writeln!(out, "simulated {}", business.simulated.join(", "))?;
        }
    }
    writeln!(out, "press Ctrl-C to stop")
}
