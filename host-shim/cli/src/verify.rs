//! `provisioner verify --store STORE`.

use crate::exit::ended;
use crate::location::{Location, existing};
use anyhow::Context;
use clap::Parser;
use host_engine::clock::Clock;
use host_engine::processor::Answerer;
use host_provider_api::ProviderName;
use host_providers::{Options, Settings, open};
use host_replay::command;
use host_replay::command::ExtensionArgs;
use host_replay::command::{EXIT_FAILED, refuse};
use host_replay::command::{Format, HUMAN, JSON, formats};
use host_replay::runners::Workload;
use host_scenario::error::ReplayError;
use host_store::{Partition, mode};
use host_verify::{Difference, Facts, Progress, StripeAccess, Unowned, Verified, Verifier, What};
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
/// store of a running server may be compared too. A difference is looked at twice, since a webhook may be on its way. An object
/// of a customer that no account has is a difference, too: the events that name its account may be missing.
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

    /// Settings of the providers, with Stripe's keys: a YAML file (docs/reference/providers.md) [default: the keys in STRIPE_TEST_KEY
    /// and STRIPE_LIVE_KEY]
    #[arg(long, value_name = "FILE")]
    provider_settings: Option<PathBuf>,

    /// Only count the objects that belong to no account: other programs use the same account of Stripe
    #[arg(long)]
    ignore_unowned: bool,

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
  STRIPE_TEST_KEY=rk_test_… provisioner verify --store data/store.db
  provisioner verify --store data/store.db --live --provider-settings providers.yml --format json
  provisioner verify --store env:DATABASE_URL

The key needs to read only.

Exit codes: 0 no difference, 1 a difference, or a side can't be read, 2 bad usage or input.";

/// What to do about an object that belongs to no account.
const UNOWNED: &str = "restart the server, which reads the events of the last 30 days that the store lacks; \
                       --ignore-unowned if other programs use the same account of Stripe";

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_run(args), false)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let usage = |problem: String| Ok(refuse(&ReplayError::Usage(problem)));
    let store = match existing("--store", &args.store) {
        Ok(store) => store,
        Err(problem) => return usage(problem),
    };
    let partitions = partitions(args, &store)?;
    if partitions.is_empty() {
        let business = args.business.as_deref().map(|name| format!(" of `{name}`")).unwrap_or_default();
        return usage(format!("{store}: no accounts{business} in {} mode", mode(args.live)));
    }
    let settings = match &args.provider_settings {
        Some(path) => Settings::read(path)?,
        None => Settings::default(),
    };
    let opened = open(&Options { names: vec![ProviderName::Stripe], settings, ..Options::default() })?;
    let (Some(objects), Some(events)) = (opened.objects.clone(), opened.events.clone()) else {
        return usage("the provider `stripe` lists no objects".to_owned());
    };
    let stripe = StripeAccess { objects, events, registry: opened.registry.clone() };
    let runners = args.extension.runners(false, Workload::ManyEvents)?;
    let mut differing = 0;
    for partition in partitions {
        let reader = store.reader()?;
        let mut answerer = Answerer::over(reader, runners.make()?, partition.clone())?;
        let mut verifier = Verifier {
            answerer: &mut answerer,
            partition: partition.clone(),
            stripe: &stripe,
            now: Clock::system().now(),
            wait: Duration::from_secs(args.wait),
        };
        let bar = command::count_of("");
        let verified = verifier.verify(&mut |progress| show(&bar, progress));
        bar.finish_and_clear();
        let verified = verified?;
        let report = Report { format: args.format, partition: &partition, ignores_unowned: args.ignore_unowned };
        report.print(&mut io::stdout().lock(), &verified).context("the report can't be written")?;
        differing += verified.differing + if args.ignore_unowned { 0 } else { verified.of_nobody };
    }
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Returns the businesses of the store in the requested mode.
fn partitions(args: &Args, store: &Location) -> anyhow::Result<BTreeSet<Partition>> {
    let mut reader = store.reader()?;
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

/// How the result of one business is reported.
struct Report<'a> {
    format: Format,
    partition: &'a Partition,
    /// True if objects that belong to no account are only counted.
    ignores_unowned: bool,
}

impl Report<'_> {
    fn print(&self, out: &mut dyn Write, verified: &Verified) -> io::Result<()> {
        let partition = self.partition;
        for one in &verified.differences {
            match self.format {
                Format::Json => writeln!(out, "{}", line(partition, one))?,
                _ => human(out, partition, one)?,
            }
        }
        for one in verified.unowned.iter().filter(|_| !self.ignores_unowned) {
            match self.format {
                Format::Json => writeln!(out, "{}", unowned_line(partition, one))?,
                _ => human_unowned(out, partition, one)?,
            }
        }
        let (shown, all) = (verified.differences.len() as u64, verified.differing);
        match self.format {
            Format::Json => {
                let counts = verified
                    .counts
                    .iter()
                    .map(|(kind, (ours, theirs))| (kind.name().to_owned(), json!({"store": ours, "stripe": theirs})));
                let summary = json!({"business": partition.business, "mode": mode(partition.livemode),
                    "compared": counts.collect::<Map<_, _>>(), "of_no_account": verified.of_nobody,
                    "of_other_businesses": verified.of_others, "differences": all, "shown": shown});
                writeln!(out, "{}", json!({"summary": summary}))
            }
            _ => {
                let counts = verified.counts.iter().map(|(kind, (ours, theirs))| {
                    let differs = if ours == theirs { "" } else { " (!)" };
                    format!("{ours}/{theirs} {kind}s{differs}")
                });
                let counts = counts.collect::<Vec<_>>().join(", ");
                let not_shown = if all > shown { format!(", {shown} shown") } else { String::new() };
                let others = match verified.of_others {
                    0 => String::new(),
                    others => format!(", {others} of other businesses"),
                };
                writeln!(out, "{}: in the store/at Stripe {counts}", partition.name())?;
                writeln!(out, "{all} differences{not_shown}, {} objects of no account{others}", verified.of_nobody)
            }
        }
    }
}

fn unowned_line(partition: &Partition, one: &Unowned) -> Value {
    json!({"difference": "of_no_account", "object": one.kind.name(), "id": one.id, "business": partition.business,
        "mode": mode(partition.livemode), "claims": one.claims, "mend": null, "reason": UNOWNED})
}

fn human_unowned(out: &mut dyn Write, partition: &Partition, one: &Unowned) -> io::Result<()> {
    writeln!(out, "{:12}  {}  {}  of no account", one.kind.name(), one.id, partition.name())?;
    writeln!(out, "  no account has {}", one.claims.join(", "))?;
    writeln!(out, "  mend: {UNOWNED}")
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

/// Returns a string without quotes, and any other value as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_verify::Kind;

    fn printed(format: Format, ignores_unowned: bool, verified: &Verified) -> String {
        let partition = Partition { business: "shop".to_owned(), livemode: false };
        let mut out = Vec::new();
        Report { format, partition: &partition, ignores_unowned }.print(&mut out, verified).expect("written");
        String::from_utf8(out).expect("a text")
    }

    #[test]
    fn counts_that_differ_and_objects_of_no_account_are_named() {
        let claims = vec!["stripe-customer:cus_1".to_owned()];
        let unowned = vec![Unowned { kind: Kind::Subscription, id: "sub_1".to_owned(), claims }];
        let counts = [(Kind::Subscription, (1, 2)), (Kind::Invoice, (1, 1))].into();
        let verified = Verified { counts, of_nobody: 1, unowned, ..Verified::default() };
        let text = printed(Format::Human, false, &verified);
        assert!(
            text.starts_with("subscription  sub_1  shop/test  of no account\n  no account has stripe-customer:cus_1\n")
        );
        assert!(
            text.contains("1/2 subscriptions (!), 1/1 invoices\n0 differences, 1 objects of no account\n"),
            "{text}"
        );
        let lines = printed(Format::Json, false, &verified);
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((&lines[0]["difference"], &lines[0]["id"]), (&json!("of_no_account"), &json!("sub_1")));
        assert_eq!(lines[1]["summary"]["compared"]["subscription"], json!({"store": 1, "stripe": 2}));
        assert_eq!(printed(Format::Human, true, &verified).lines().count(), 2, "only counted");
    }
}
