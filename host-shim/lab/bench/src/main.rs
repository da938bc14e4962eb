//! Measures the host and the extension against the targets of the design. The result is one table, with all ratios from one run on one
//! machine. `cargo xtask bench` builds the component and this program, and starts the program.

mod account;
mod corpus;
mod durable;
mod event;
mod facts;
mod http;
mod probe;
mod profile;
mod replay;
mod saga;
mod scale;
mod setting;
mod story;
mod table;
mod unit;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use setting::Setting;
use std::path::PathBuf;
use table::Table;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure the host and the extension, and print the measurements with their targets.
#[derive(Parser)]
#[command(name = "host-bench")]
struct Options {
    /// The component.
    #[arg(long, value_name = "FILE")]
    component: PathBuf,
    /// The folder of fixtures, with `solobase` in it.
    #[arg(long, value_name = "DIR", default_value = "fixtures")]
    fixtures: PathBuf,
    /// Folder for temporary database files; determines which disk is measured.
    #[arg(long, value_name = "DIR", default_value = "target")]
    disk: PathBuf,
    /// The server's program, for `http`.
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Measure no other programs for `http`. The others are installed from their registries, once.
    #[arg(long)]
    without_peers: bool,
    /// Fewer events and rounds: takes a minute, with noisier results.
    #[arg(long)]
    quick: bool,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Measure only this; can be repeated.
    #[arg(long = "only", value_enum, value_name = "WHAT")]
    only: Vec<What>,
    /// Profile `event`, or the `--only` measurement (`event`, `account` or `story`), instead of measuring: list the functions in
    /// which the component spends its time, and draw a flamegraph. The component needs function names: `cargo xtask
    /// bench` builds it so.
    #[arg(long, value_name = "SVG", num_args = 0..=1, default_missing_value = "target/profile.svg")]
    profile: Option<PathBuf>,
    /// Run one probe in this process: for measurements that need a separate process.
    #[arg(long, value_enum, hide = true)]
    probe: Option<probe::Probe>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table.
    Human,
    /// One JSON object.
    Json,
}

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// One webhook event, in parts.
    Event,
    /// The component compared with the library on a story.
    Story,
    /// Events per second on disk, compared with a bare program.
    Durable,
    /// Time from the start of the process to the first event.
    Start,
    /// Size of the component.
    Size,
    /// Memory of the host after a long log.
    Memory,
    /// Cost of an event with few and many accounts.
    Scale,
    /// Cost of an event in accounts with a short or long past, few or many instances, few or many live subscriptions.
    Account,
    /// Events per second of `replay`.
    Replay,
    /// Time that the host adds to the provider calls of a saga.
    Saga,
    /// Signed webhooks over HTTP, on SQLite and on PostgreSQL, beside other programs; needs `--server`.
    Http,
    /// The pages for browsers; needs `--server`.
    Pages,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let setting = Setting::load(&options.component, &options.fixtures, &options.disk, options.quick)?;
    if let Some(probe) = options.probe {
        return probe::run(probe, &setting);
    }
    if let Some(file) = &options.profile {
        let what = match options.only.as_slice() {
            [] => What::Event,
            [what] => *what,
            _ => bail!("`--profile` takes one measurement; expected at most one `--only`"),
        };
        return profile::run(&setting, what, file);
    }
    let mut table = Table::new(facts::Facts::gather(&options.disk)?);
    for what in What::value_variants() {
        if !options.only.is_empty() && !options.only.contains(what) {
            continue;
        }
        eprintln!(
            "measuring: {}",
            what.to_possible_value().map_or_else(String::new, |name| name.get_name().to_owned())
        );
        match what {
            What::Event => event::measure(&setting, &mut table),
            What::Story => story::measure(&setting, &mut table),
            What::Durable => durable::measure(&setting, &mut table),
            What::Start => probe::start(&setting, &mut table),
            What::Size => size(&setting, &mut table),
            What::Memory => probe::memory(&setting, &mut table),
            What::Scale => scale::measure(&setting, &mut table),
            What::Account => account::measure(&setting, &mut table),
            What::Replay => replay::measure(&setting, &mut table),
            What::Saga => saga::measure(&setting, &mut table),
            What::Http => match &options.server {
                Some(server) => http::measure(&setting, server, !options.without_peers, &mut table),
                None => Err(no_server()),
            },
            What::Pages => match &options.server {
                Some(server) => http::pages::measure(&setting, server, &mut table),
                None => Err(no_server()),
            },
        }
        .with_context(|| format!("cannot measure `{what:?}`"))?;
    }
    match options.format {
        Format::Human => print!("{}", table.human()),
        Format::Json => println!("{}", table.json()?),
    }
    Ok(())
}

fn no_server() -> anyhow::Error {
    anyhow::anyhow!("expected --server with the program of the server")
}

fn size(setting: &Setting, table: &mut Table) -> Result<()> {
    let bytes = std::fs::metadata(&setting.component)?.len();
    table.at_most("component size", bytes as f64 / 1024.0, 2048.0, "KiB", "");
    Ok(())
}
