//! The command: `host-shim stripe …`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::colour::Colour;
use crate::sandbox::{json_of, own_request};
use crate::server::{ClockMode, Options, Server};
use crate::settings::{Dunning, Faults, START_S, Settings};
use crate::story;
use crate::version::{NEWEST, Version};

/// A local Stripe: state, webhooks, checkout pages; no account and no network.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct StripeArgs {
    /// What else to do than serve
    #[command(subcommand)]
    pub command: Option<StripeCommand>,
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 12111)]
    pub port: u16,
    /// Remember everything in this file, across kills
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Decides every id
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// The sandbox's clock: `wall`, or the Unix time where it stands still until moved
    #[arg(long, default_value_t = ClockArg::At(START_S), value_name = "wall|TIME")]
    pub clock: ClockArg,
    /// The account's default API version
    #[arg(long, default_value = NEWEST, value_name = "VERSION")]
    pub api_version: Version,
    /// Deliver every event to this URL; its signing secret is printed
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
    /// Write every event to this folder
    #[arg(long, value_name = "DIR")]
    pub events: Option<PathBuf>,
    /// Days between the tries of a failed renewal, and what comes after: cancel, unpaid or past_due
    #[arg(long, default_value = "3,5,7:cancel", value_name = "DAYS,…:END")]
    pub dunning: Dunning,
    /// How webhooks misbehave: duplicates, twins, shuffle=N, delay=MS, burst=N, lose=N
    #[arg(long, default_value = "", value_name = "FAULT,…")]
    pub faults: Faults,
    /// The business's name on pages and invoices
    #[arg(long, value_name = "NAME")]
    pub business_name: Option<String>,
    /// The colour of the pages' main button, such as #635bff
    #[arg(long, value_name = "#RRGGBB")]
    pub brand_colour: Option<Colour>,
    /// Seconds between the tries of a failed delivery
    #[arg(long, default_value = "1,5,25", value_delimiter = ',', value_name = "S,…")]
    pub retry: Vec<u64>,
}

/// What `stripe` does besides serving.
#[derive(Debug, Clone, Subcommand)]
pub enum StripeCommand {
    /// Write the events of a named story as JSON files
    Story {
        /// The story
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(story::STORIES.iter().map(|s| s.name)))]
        name: String,
        /// The API version of the events' shape
        #[arg(long, default_value = NEWEST)]
        version: Version,
        /// The folder to write to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Decides every id
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}

/// `--clock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockArg {
    /// The machine's clock.
    Wall,
    /// Still, at a Unix time.
    At(i64),
}

impl std::str::FromStr for ClockArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "wall" {
            return Ok(Self::Wall);
        }
        let time = text.parse().ok().filter(|t| (0..=4_102_444_800).contains(t));
        time.map(Self::At).ok_or_else(|| "write `wall` or a Unix time up to the year 2100".to_owned())
    }
}

impl std::fmt::Display for ClockArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wall => f.write_str("wall"),
            Self::At(time) => write!(f, "{time}"),
        }
    }
}

/// Runs the command. Serving ends with ctrl-c.
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
    let (clock, start_s) = match args.clock {
        ClockArg::Wall => (ClockMode::Wall, crate::server::wall_s()),
        ClockArg::At(time) => (ClockMode::Still, time),
    };
    let server = Server::start(Options {
        port: args.port,
        state: args.state.clone(),
        events: args.events.clone(),
        retry_s: args.retry.clone(),
        clock,
        settings: Settings {
            seed: args.seed,
            start_s,
            version: args.api_version.clone(),
            dunning: args.dunning.clone(),
            faults: args.faults.clone(),
            ..Settings::default()
        },
    })
    .await?;
    println!("listening on {}", server.url());
    set_look(&server, args)?;
    if let Some(url) = &args.webhook {
        add_webhook(&server, url)?;
    }
    tokio::select! {
        stopped = tokio::signal::ctrl_c() => stopped.context("ctrl-c can't be caught")?,
        () = server.wait() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Asked for as a request, so that a state file remembers it among the others.
fn set_look(server: &Server, args: &StripeArgs) -> anyhow::Result<()> {
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
    if known["data"].as_array().is_some_and(|all| all.iter().any(|e| e["url"] == url)) {
        return Ok(());
    }
    let made = server.handle(&own_request("POST", "/v1/webhook_endpoints", &[("url", url), ("enabled_events[]", "*")]));
    let endpoint = json_of(&made);
    match endpoint["secret"].as_str() {
        Some(secret) => println!("webhook secret {secret}"),
        None => anyhow::bail!("--webhook {url}: {}", endpoint["error"]["message"].as_str().unwrap_or("refused")),
    }
    Ok(())
}
