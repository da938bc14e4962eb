//! The command `provisioner stripe …`: reads its arguments and starts the server.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::colour::Colour;
use crate::fixtures::Fixtures;
use crate::sandbox::{json_of, own_request};
use crate::server::{ClockMode, Options, Server};
use crate::settings::{Dunning, Faults, Settings, Settlement};
use crate::store::Given;
use crate::story;
use crate::version::{NEWEST, Version};

/// A local Stripe server: state, webhooks, checkout pages; needs no account and no network.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct StripeArgs {
    /// The action, instead of serving
    #[command(subcommand)]
    pub command: Option<StripeCommand>,
    /// The port on 127.0.0.1; 0 selects a free one
    #[arg(long, default_value_t = 12111)]
    pub port: u16,
    /// Store the state in this file; it survives kills
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Create the objects of this fixtures file of the Stripe CLI at the start and after a reset
    #[arg(long, value_name = "FILE")]
    pub fixtures: Option<PathBuf>,
    /// The seed of all ids; a state file keeps its own [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The sandbox's clock: `wall`, the machine's, or the Unix time at which it starts and stands still until moved
    #[arg(long, value_name = "wall|TIME", default_value = "wall")]
    pub clock: ClockArg,
    /// The account's default API version [default: the newest, or the state file's]
    #[arg(long, value_name = "VERSION")]
    pub api_version: Option<Version>,
    /// Deliver every event to this URL; prints its signing secret
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
    /// Trust these certificate authorities (PEM) for https:// endpoints, in addition to the machine's
    #[arg(long, value_name = "FILE")]
    pub webhook_ca: Option<PathBuf>,
    /// Write every event to this folder
    #[arg(long, value_name = "DIR")]
    pub events: Option<PathBuf>,
    /// Accept parameters that only real Stripe has without effect, and print each of them once, instead of refusing them
    #[arg(long)]
    pub lenient: bool,
    /// Days between the retries of a failed renewal, and what follows: cancel, unpaid or past_due [default:
    /// 3,5,7:cancel, or the state file's]
    #[arg(long, value_name = "DAYS,…:END")]
    pub dunning: Option<Dunning>,
    /// Faults of webhook delivery: duplicates, twins, shuffle=N, delay=MS, burst=N, lose=N; '' for none [default: the
    /// state file's, or none]
    #[arg(long, value_name = "FAULT,…")]
    pub faults: Option<Faults>,
    /// How charges reach the balance: `standard`, with Stripe's fee and pending for two days, or `at-once` without a fee [default:
    /// standard, or the state file's]
    #[arg(long, value_name = "standard|at-once")]
    pub settlement: Option<Settlement>,
    /// The business's name on pages and invoices
    #[arg(long, value_name = "NAME")]
    pub business_name: Option<String>,
    /// The colour of the pages' main button, such as #635bff
    #[arg(long, value_name = "#RRGGBB")]
    pub brand_colour: Option<Colour>,
    /// Seconds between the retries of a failed delivery
    #[arg(long, default_value = "1,5,25", value_delimiter = ',', value_name = "S,…")]
    pub retry: Vec<u64>,
}

/// The actions of `stripe` besides serving.
#[derive(Debug, Clone, Subcommand)]
pub enum StripeCommand {
    /// Write the events of a named story as JSON files
    Story {
        /// The story's name
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(story::STORIES.iter().map(|s| s.name)))]
        name: String,
        /// The API version of the events' shape
        #[arg(long, default_value = NEWEST)]
        version: Version,
        /// The folder to write to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The seed of all ids
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}

/// The value of `--clock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockArg {
    /// The clock follows the machine's clock.
    Wall,
    /// The clock stands still at this time, in Unix seconds.
    At(i64),
}

impl std::str::FromStr for ClockArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "wall" {
            return Ok(Self::Wall);
        }
        let time = text.parse().ok().filter(|t| (0..=4_102_444_800).contains(t));
        time.map(Self::At).ok_or_else(|| "expected `wall` or a Unix time up to the year 2100".to_owned())
    }
}

/// Runs the command: serves until ctrl-c, or writes a story.
///
/// # Errors
/// The story can't be written, the server can't start, or a setting or the webhook URL is refused.
pub fn run(args: &StripeArgs) -> anyhow::Result<ExitCode> {
    if let Some(StripeCommand::Story { name, version, out, seed }) = &args.command {
        let written = story::write(name, version, *seed, out).with_context(|| format!("the story {name}"))?;
        println!("{written} events in {}", out.display());
        return Ok(ExitCode::SUCCESS);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime can't start")?;
    runtime.block_on(serve(args))
}

async fn serve(args: &StripeArgs) -> anyhow::Result<ExitCode> {
    let (settings, clock, given) = read_settings(args);
    let fixtures = match &args.fixtures {
        Some(path) => Fixtures::read(path)?,
        None => Fixtures::default(),
    };
    let server = Server::start(Options {
        port: args.port,
        state: args.state.clone(),
        events: args.events.clone(),
        retry_s: args.retry.clone(),
        webhook_ca: args.webhook_ca.clone(),
        clock,
        settings,
        given,
        fixtures,
        is_lenient: args.lenient,
        ..Options::default()
    })
    .await?;
    println!("listening on {}", server.url());
    set_branding(&server, args)?;
    if let Some(url) = &args.webhook {
        add_webhook(&server, url)?;
    }
    tokio::select! {
        stopped = tokio::signal::ctrl_c() => stopped.context("ctrl-c can't be caught")?,
        () = server.wait() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the settings, the clock's mode, and the names of the settings that the user gave explicitly.
fn read_settings(args: &StripeArgs) -> (Settings, ClockMode, Vec<Given>) {
    let (mut settings, mut given) = (Settings::default(), Vec::new());
    if let Some(seed) = args.seed {
        settings.seed = seed;
        given.push(Given::Seed);
    }
    let clock = match args.clock {
        // An existing account continues from its stored clock, so the start time is not an explicit setting.
        ClockArg::Wall => {
            settings.start_s = crate::server::wall_s();
            ClockMode::Wall
        }
        ClockArg::At(time) => {
            settings.start_s = time;
            given.push(Given::Start);
            ClockMode::Still
        }
    };
    if let Some(version) = &args.api_version {
        settings.version = version.clone();
        given.push(Given::Version);
    }
    if let Some(dunning) = &args.dunning {
        settings.dunning = dunning.clone();
        given.push(Given::Dunning);
    }
    if let Some(faults) = &args.faults {
        settings.faults = faults.clone();
        given.push(Given::Faults);
    }
    // A new account behaves as at Stripe; the library's default is for tests that only count what was paid.
    settings.settlement = Settlement::Standard;
    if let Some(settlement) = args.settlement {
        settings.settlement = settlement;
        given.push(Given::Settlement);
    }
    (settings, clock, given)
}

/// Sets the branding through a request, which also validates it. A state file does not contain the branding.
fn set_branding(server: &Server, args: &StripeArgs) -> anyhow::Result<()> {
    let colour = args.brand_colour.map(|c| c.to_string());
    let wanted = [("business_name", args.business_name.as_deref()), ("brand_colour", colour.as_deref())];
    let form: Vec<(&str, &str)> = wanted.iter().filter_map(|(name, value)| value.map(|v| (*name, v))).collect();
    if form.is_empty() {
        return Ok(());
    }
    let answer = server.handle(&own_request("POST", "/_sandbox/settings", &form));
    if answer.status != 200 {
        anyhow::bail!("{}", json_of(&answer)["error"]["message"].as_str().unwrap_or("the settings were refused"));
    }
    Ok(())
}

fn add_webhook(server: &Server, url: &str) -> anyhow::Result<()> {
    let known = json_of(&server.handle(&own_request("GET", "/v1/webhook_endpoints", &[])));
    let same = known["data"].as_array().and_then(|all| all.iter().find(|e| e["url"] == url));
    if let Some(id) = same.and_then(|same| same["id"].as_str()) {
        return Ok(server.keep_endpoint(id)?);
    }
    let made = server.handle(&own_request("POST", "/v1/webhook_endpoints", &[("url", url), ("enabled_events[]", "*")]));
    let endpoint = json_of(&made);
    match endpoint["secret"].as_str() {
        Some(secret) => {
            server.keep_endpoint(endpoint["id"].as_str().unwrap_or_default())?;
            println!("webhook secret {secret}");
        }
        None => anyhow::bail!("--webhook {url}: {}", endpoint["error"]["message"].as_str().unwrap_or("refused")),
    }
    Ok(())
}
