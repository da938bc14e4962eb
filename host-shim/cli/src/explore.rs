//! `provisioner explore [OPTIONS] PATH…`.

use crate::estimate::{Estimate, times};
use crate::exit::ended;
use anyhow::Context;
use clap::{Parser, ValueEnum};
use host_explore::report::{Found, Report};
use host_explore::{ExploreLimits, Tale, VariantKind, Watch, explore_every, failing_scenario};
use host_replay::command::EXIT_FAILED;
use host_replay::command::ExtensionArgs;
use host_replay::command::SourceArgs;
use host_replay::command::count_of;
use host_replay::command::{Accepted, Format, GITHUB, JSON, JUNIT, formats};
use host_replay::library::stories;
use host_replay::runners::Workload;
use host_scenario::business::named_in;
use host_scenario::error::ReplayError;
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Play variants of scenarios and report broken laws
///
/// A scenario has one order of events and one set of answers. Its variants have other orders, repeated or late events,
/// failed provider calls, or a killed host. Each variant is checked against laws: the state is the same in every order,
/// no effect is requested twice, the providers' resources match the host's record, every event has an outcome and every
/// command a reply, ledgers sum to zero, no balance is negative. A variant that breaks a law is shrunk to the fewest
/// steps and written as a failing scenario.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Scenario files, or folders of them; scenarios that are known to fail are skipped
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    extension: ExtensionArgs,

    /// The variants to play, separated by commas [default: all except pairs]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND")]
    only: Vec<Variants>,

    /// Also play two failures at a time, including failures of an undo; takes long
    #[arg(long, conflicts_with = "only")]
    pairs: bool,

    /// Play every API version of a scenario instead of only the first
    #[arg(long)]
    every_version: bool,

    /// The seed of the sampled orders
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// The number of sampled orders for more than six events, and of sampled provider calls or writes if
    /// there are more
    #[arg(long, value_name = "N", default_value_t = 720)]
    samples: usize,

    /// Stop after this time and report the variants played so far (90s, 10m)
    #[arg(long, value_name = "TIME", value_parser = crate::span::parse)]
    budget: Option<Duration>,

    /// The number of scenarios to play at a time [default: the number of processors]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// The folder for the scenarios that break a law
    #[arg(long, value_name = "DIR", default_value = "explored")]
    write: PathBuf,

    /// The report format
    #[arg(long, value_enum, value_parser = formats(FORMATS), default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Variants:
  orders    every order of the Stripe events between two other steps, also across a step of the
            clock; a sample for more than six events
  repeats   each event delivered again, at once and at the end
  drops     each Stripe event lost, and delivered at the end
  failures  each provider call fails or is refused, or its answer is lost or late
  crashes   the host is killed before and after each write, and again during the restart
  endings   something hostile happens at the end: a card fails at a change, an invoice is voided, a
            payment is disputed or told after the closing
  edits     the catalog is edited between two steps: a clause is added, lowered or removed
  pairs     two failures at a time

Examples:
  provisioner explore my-business                        all variants of all scenarios
  provisioner explore --only orders,repeats my.yml       two kinds of variants
  provisioner explore --budget 60s --format junit .      for CI
  provisioner explore --format github my-business        annotations where scenarios break
  provisioner replay explored/my-orders-1.yml            replay a finding

Exit codes: 0 no law broken, 1 a law broken, 2 bad usage or input.";

const FORMATS: &[Accepted] = &[(Format::Human, "A table"), JSON, JUNIT, GITHUB];

/// The kinds of variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Variants {
    Orders,
    Repeats,
    Drops,
    Failures,
    Crashes,
    Endings,
    Edits,
    Pairs,
}

impl From<Variants> for VariantKind {
    fn from(variants: Variants) -> VariantKind {
        match variants {
            Variants::Orders => VariantKind::Orders,
            Variants::Repeats => VariantKind::Repeats,
            Variants::Drops => VariantKind::Drops,
            Variants::Failures => VariantKind::Failures,
            Variants::Crashes => VariantKind::Crashes,
            Variants::Endings => VariantKind::Endings,
            Variants::Edits => VariantKind::Edits,
            Variants::Pairs => VariantKind::Pairs,
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_run(args), args.format == Format::Github)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let tales = tales(args)?;
    let limits = limits(args);
    let jobs = args.jobs.or(std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let progress = Progress::new(args.budget);
    estimate(tales.len(), &limits.kinds, jobs, args.budget).print(&progress.bar);
    let explored = explore_every(&tales, &limits, jobs, &progress)?;
    progress.bar.finish_and_clear();
    let mut files = Files { folder: &args.write, seed: args.seed, numbers: BTreeMap::new() };
    let mut report = Report::new(progress.began.elapsed(), args.seed);
    for (tale, explored) in tales.iter().zip(explored) {
        let Some(explored) = explored else {
            report.left_out += 1;
            continue;
        };
        let mut found = Vec::new();
        for finding in &explored.findings {
            let (again, file) = files.write(tale, finding)?;
            let line = finding.step().map_or(0, |step| finding.tale.scenario.steps[step].line);
            found.push(Found { finding: finding.clone(), again, file, line });
        }
        report.add(&tale.scenario.file, explored, found);
    }
    let mut out = std::io::stdout().lock();
    let text = match args.format {
        Format::Human => report.human(),
        Format::Json => report.json(),
        Format::Junit => report.junit().map_err(anyhow::Error::msg)?,
        Format::Github => report.github(),
    };
    out.write_all(text.as_bytes()).context("the report can't be written")?;
    Ok(if report.broke() { ExitCode::from(EXIT_FAILED) } else { ExitCode::SUCCESS })
}

fn tales(args: &Args) -> Result<Vec<Tale>, ReplayError> {
    let runners = args.extension.runners(false, Workload::ManyEvents)?;
    let sources = args.source.sources();
    let mut tales = Vec::new();
    let mut stories = stories(&args.paths, sources, &runners)?;
    // The events of these scenarios come from a local Stripe, in its own order. A scenario that is given on its own is
    // refused.
    let all = stories.len();
    if stories.iter().any(|story| !story.scenario.has_stripe_steps()) {
        stories.retain(|story| !story.scenario.has_stripe_steps());
    }
    if stories.len() < all {
        eprintln!("note: {} scenarios with `at_stripe` steps are not explored", all - stories.len());
    }
    for story in stories {
        if story.scenario.known_to_fail.is_some() {
            continue;
        }
        let versions = if args.every_version { story.cases.len() } else { 1 };
        for case in story.cases.into_iter().take(versions) {
            let (scenario, business) = (story.scenario.clone(), story.business.clone());
            tales.push(Tale { scenario, case, business, runners: runners.clone() });
        }
    }
    Ok(tales)
}

fn limits(args: &Args) -> ExploreLimits {
    let mut limits = ExploreLimits {
        seed: args.seed,
        samples: args.samples,
        all_failures_of: args.samples,
        ..ExploreLimits::default()
    };
    if !args.only.is_empty() {
        limits.kinds = args.only.iter().map(|kind| VariantKind::from(*kind)).collect();
    }
    if args.pairs {
        limits.kinds.push(VariantKind::Pairs);
    }
    limits
}

/// Estimates the time for the variants of some scenarios.
fn estimate(count: usize, kinds: &[VariantKind], jobs: usize, budget: Option<Duration>) -> Estimate {
    let of_kind = |kind: &VariantKind| match kind {
        VariantKind::Written | VariantKind::Orders | VariantKind::Repeats | VariantKind::Drops => {
            Duration::from_millis(200)
        }
        VariantKind::Failures | VariantKind::Endings | VariantKind::Edits => Duration::from_millis(500),
        VariantKind::Crashes => Duration::from_secs(5),
        VariantKind::Pairs => Duration::from_secs(10),
    };
    let each = kinds.iter().map(of_kind).sum();
    let time = times(each, count.div_ceil(jobs.max(1)));
    Estimate { time, budget, ..Estimate::new(count, "scenario", each) }
}

/// Shows the progress, and ends the exploration when its time budget is used up.
struct Progress {
    bar: ProgressBar,
    began: Instant,
    budget: Option<Duration>,
}

impl Progress {
    fn new(budget: Option<Duration>) -> Progress {
        Progress { bar: count_of("variants"), began: Instant::now(), budget }
    }
}

impl Watch for Progress {
    fn goes_on(&self, variants: u64) -> bool {
        self.bar.inc(variants);
        self.budget.is_none_or(|budget| self.began.elapsed() < budget)
    }
}

/// Writes findings into a folder.
struct Files<'a> {
    folder: &'a Path,
    seed: u64,
    numbers: BTreeMap<String, usize>,
}

impl Files<'_> {
    /// Writes the scenario of a finding; returns the command that repeats the finding, and the file.
    fn write(&mut self, tale: &Tale, finding: &host_explore::Finding) -> anyhow::Result<(String, PathBuf)> {
        let file = tale.scenario.file.display();
        // The written story is judged with any kind of variant.
        let kind = if finding.kind == VariantKind::Written { VariantKind::Orders } else { finding.kind };
        let again = format!("provisioner explore --only {kind} --seed {} {file}", self.seed);
        let stem = tale.scenario.file.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{stem}-{}", finding.kind);
        let number = self.numbers.entry(name.clone()).or_default();
        *number += 1;
        let path = self.folder.join(format!("{name}-{number}.yml"));
        std::fs::create_dir_all(self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let text = failing_scenario(finding, named_in(&path, &tale.business.folder), &again)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok((again, path))
    }
}
