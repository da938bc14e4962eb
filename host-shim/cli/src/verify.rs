//! `host-shim verify --store STORE`.

use crate::EXIT_FAILED;
use crate::ended;
use crate::extension::ExtensionArgs;
use crate::format::{Format, HUMAN, JSON, formats};
use crate::migrate::{Location, location};
use crate::progress;
use crate::refuse;
use anyhow::Context;
use clap::Parser;
use host::clock::Clock;
use host::processor::Answerer;
use host_provider_set::{Name, Options, Settings, open};
use host_replay::runners::Workload;
use host_scenario::error::ReplayError;
use host_store::{Partition, Reader, SqliteStore, mode};
use host_store_postgres::PostgresStore;
use host_verify::{Difference, Facts, Progress, StripeAccess, Verified, Verifier, What};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Compare the subscriptions, invoices, payments, refunds and transfers of a store with Stripe
///
/// Names each object that differs or that only one side has, with its fields and the command that mends it. Only reads: the
/// store of a running server may be compared too. A difference is looked at twice, since a webhook may be on its way. Objects
/// of customers that no account has are only counted.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The store of a server: the SQLite file `store.db` of its data folder, or its database as env:DATABASE_URL
    #[arg(long, value_name = "STORE")]
    store: String,

    /// Compare with Stripe's live mode instead of its test mode
    #[arg(long)]
    live: bool,

    /// Only this business of the store [default: all]
    #[arg(long, value_name = "NAME")]
    business: Option<String>,

    /// Settings of the providers, with Stripe's keys: a YAML file (docs/providers.md) [default: the keys in STRIPE_TEST_KEY
    /// and STRIPE_LIVE_KEY]
    #[arg(long, value_name = "FILE")]
    provider_settings: Option<PathBuf>,

    /// The time until differences are looked at again
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    wait: u64,

    /// The report format; json prints one line per difference, then a summary
    #[arg(long, value_enum, value_parser = formats(&[HUMAN, JSON]), default_value_t = Format::Human)]
    format: Format,

    #[command(flatten)]
    extension: ExtensionArgs,
}

const AFTER_HELP: &str = "Examples:
  STRIPE_TEST_KEY=rk_test_… host-shim verify --store data/store.db
  host-shim verify --store data/store.db --live --provider-settings providers.yml --format json
  host-shim verify --store env:DATABASE_URL

The key needs to read only.

Exit codes: 0 no difference, 1 a difference, or a side can't be read, 2 bad usage or input.";

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_run(args), false)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let usage = |problem: String| Ok(refuse(&ReplayError::Usage(problem)));
    let is_file =
        !["env:", "sqlite:", "postgres://", "postgresql://"].iter().any(|start| args.store.starts_with(start));
    let store = match is_file {
        true => Location::Sqlite(PathBuf::from(&args.store)),
        false => match location("--store", &args.store) {
            Ok(store) => store,
            Err(problem) => return usage(problem),
        },
    };
    if let Location::Sqlite(file) = &store
        && !file.is_file()
    {
        return usage(format!("{}: no such file; expected a store of a server", file.display()));
    }
    let partitions = partitions(args, &store)?;
    if partitions.is_empty() {
        let business = args.business.as_deref().map(|name| format!(" of `{name}`")).unwrap_or_default();
        return usage(format!("{store}: no accounts{business} in {} mode", mode(args.live)));
    }
    let settings = match &args.provider_settings {
        Some(path) => Settings::read(path)?,
        None => Settings::default(),
    };
    let opened = open(&Options { names: vec![Name::Stripe], settings, ..Options::default() })?;
    let (Some(objects), Some(events)) = (opened.objects.clone(), opened.events.clone()) else {
        return usage("the provider `stripe` lists no objects".to_owned());
    };
    let stripe = StripeAccess { objects, events, registry: opened.registry.clone() };
    let runners = args.extension.runners(false, Workload::ManyEvents)?;
    let mut differing = 0;
    for partition in partitions {
        let reader = reader(&store)?;
        let mut answerer = Answerer::over(reader, runners.make()?, partition.clone())?;
        let mut verifier = Verifier {
            answerer: &mut answerer,
            partition: partition.clone(),
            stripe: &stripe,
            now: Clock::system().now(),
            wait: Duration::from_secs(args.wait),
        };
        let bar = progress::count_of("");
        let verified = verifier.verify(&mut |progress| show(&bar, progress));
        bar.finish_and_clear();
        let verified = verified?;
        print(&mut io::stdout().lock(), args.format, &partition, &verified).context("the report can't be written")?;
        differing += verified.differing;
    }
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Opens a store that a server may write meanwhile.
fn reader(store: &Location) -> anyhow::Result<Box<dyn Reader>> {
    match store {
        Location::Sqlite(file) => SqliteStore::open_reader(file).with_context(|| store.to_string()),
        Location::Postgres(settings) => PostgresStore::open_reader(settings).with_context(|| store.to_string()),
    }
}

/// Returns the businesses of the store in the requested mode.
fn partitions(args: &Args, store: &Location) -> anyhow::Result<BTreeSet<Partition>> {
    let mut reader = reader(store)?;
    reader.begin()?;
    let scopes = reader.scopes(None)?;
    reader.end()?;
    let is_wanted = |partition: &Partition| {
        partition.livemode == args.live && args.business.as_ref().is_none_or(|name| *name == partition.business)
    };
    Ok(scopes.iter().map(host_store::Scope::partition).filter(is_wanted).collect())
}

fn show(bar: &ProgressBar, progress: Progress) {
    match progress {
        Progress::Listed(kind, count) => {
            bar.set_position(count);
            bar.set_message(format!("{kind}s of Stripe"));
        }
        Progress::Accounts(done, all) => {
            bar.set_position(done as u64);
            bar.set_message(format!("of {all} accounts"));
        }
        Progress::Again => bar.set_message("looking at the differences again"),
    }
}

fn print(out: &mut dyn Write, format: Format, partition: &Partition, verified: &Verified) -> io::Result<()> {
    for one in &verified.differences {
        match format {
            Format::Json => writeln!(out, "{}", line(partition, one))?,
            _ => human(out, partition, one)?,
        }
    }
    let (shown, all) = (verified.differences.len() as u64, verified.differing);
    match format {
        Format::Json => {
            let counts = verified
                .counts
                .iter()
                .map(|(kind, (ours, theirs))| (kind.name().to_owned(), json!({"store": ours, "stripe": theirs})));
            let summary = json!({"business": partition.business, "mode": mode(partition.livemode),
                "compared": counts.collect::<Map<_, _>>(), "of_no_account": verified.of_others, "differences": all,
                "shown": shown});
            writeln!(out, "{}", json!({"summary": summary}))
        }
        _ => {
            let counts = verified.counts.iter().map(|(kind, (ours, theirs))| format!("{ours}/{theirs} {kind}s"));
            let counts = counts.collect::<Vec<_>>().join(", ");
            let not_shown = if all > shown { format!(", {shown} shown") } else { String::new() };
            writeln!(out, "{}: in the store/at Stripe {counts}", partition.name())?;
            writeln!(out, "{all} differences{not_shown}, {} objects of no account", verified.of_others)
        }
    }
}

fn line(partition: &Partition, one: &Difference) -> Value {
    let found = &one.found;
    let (what, fields) = match &found.what {
        What::Fields(fields) => {
            let field =
                |it: &host_verify::FieldDifference| json!({"field": it.field, "store": it.ours, "stripe": it.theirs});
            ("fields", fields.iter().map(field).collect())
        }
        What::OnlyOurs(facts) => ("only_in_store", one_sided("store", facts)),
        What::OnlyTheirs(facts) => ("only_at_stripe", one_sided("stripe", facts)),
    };
    json!({"difference": what, "object": found.kind.name(), "id": found.id, "business": partition.business,
        "mode": mode(partition.livemode), "account": found.account, "fields": fields, "mend": one.mend.command,
        "reason": one.mend.reason})
}

fn one_sided(side: &str, facts: &Facts) -> Value {
    facts.iter().map(|(field, value)| json!({"field": field, side: value})).collect()
}

fn human(out: &mut dyn Write, partition: &Partition, one: &Difference) -> io::Result<()> {
    let found = &one.found;
    let what = match &found.what {
        What::Fields(_) => "",
        What::OnlyOurs(_) => "  only in the store",
        What::OnlyTheirs(_) => "  only at Stripe",
    };
    writeln!(out, "{:12}  {}  {}/{}{what}", found.kind.name(), found.id, partition.name(), found.account)?;
    match &found.what {
        What::Fields(fields) => {
            for it in fields {
                writeln!(out, "  {}: {} in the store, {} at Stripe", it.field, plain(&it.ours), plain(&it.theirs))?;
            }
        }
        What::OnlyOurs(facts) | What::OnlyTheirs(facts) => {
            for (field, value) in facts {
                writeln!(out, "  {field}: {}", plain(value))?;
            }
        }
    }
    match &one.mend.command {
        Some(command) => writeln!(out, "  mend: {command}\n        since {}", one.mend.reason),
        None => writeln!(out, "  mend: {}", one.mend.reason),
    }
}

/// Returns a text without quotes, and any other value as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
