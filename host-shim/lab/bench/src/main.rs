//! Measures the host and the extension against the numbers of the design: one table, all ratios from one run on one
//! machine. `cargo xtask bench` builds what it needs and starts it.

mod account;
mod corpus;
mod durable;
mod event;
mod facts;
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

/// Measure the host and the extension, and print what was measured beside what is to be reached.
#[derive(Parser)]
#[command(name = "host-bench")]
struct Options {
    /// The component.
    #[arg(long, value_name = "FILE")]
    component: PathBuf,
    /// The folder of fixtures, with `solobase` in it.
    #[arg(long, value_name = "DIR", default_value = "fixtures")]
    fixtures: PathBuf,
    /// Where database files are written, so which disk is measured; they are removed again.
    #[arg(long, value_name = "DIR", default_value = "target")]
    disk: PathBuf,
    /// Fewer events and rounds: a minute instead of several, and noisier.
    #[arg(long)]
    quick: bool,
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Measure these only.
    #[arg(long = "only", value_enum, value_name = "WHAT")]
    only: Vec<What>,
    /// Measure nothing: show in which functions the component's time goes by, and draw it as a flamegraph. Of `event`, or
    /// of what `--only` names (`event` or `story`). The component should have names: `cargo xtask bench` builds it so.
    #[arg(long, value_name = "SVG", num_args = 0..=1, default_missing_value = "target/profile.svg")]
    profile: Option<PathBuf>,
    /// Do one thing in this process and say how it went: for measurements that need a process of their own.
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

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// One webhook event, in parts.
    Event,
    /// The component beside the library on a story.
    Story,
    /// Events a second on disk, beside a bare program.
    Durable,
    /// From nothing to the first event.
    Start,
    /// The component's size.
    Size,
    /// Memory of the host after a long log.
    Memory,
    /// Cost of an event with few and many accounts.
    Scale,
    /// Cost of an event in accounts with a short and a long past, with few and many instances.
    Account,
    /// Events a second of `replay`.
    Replay,
    /// What the host adds to the time of a saga's providers.
    Saga,
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
            _ => bail!("`--profile` is of one thing, expected one `--only`"),
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
        }
        .with_context(|| format!("cannot measure `{what:?}`"))?;
    }
    match options.format {
        Format::Human => print!("{}", table.human()),
        Format::Json => println!("{}", table.json()?),
    }
    Ok(())
}

fn size(setting: &Setting, table: &mut Table) -> Result<()> {
    let bytes = std::fs::metadata(&setting.component)?.len();
    table.at_most("component size", bytes as f64 / 1024.0, 2048.0, "KiB", "");
    Ok(())
}
