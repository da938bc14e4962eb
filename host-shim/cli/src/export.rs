//! `provisioner export ACCOUNT --store FILE`.

use anyhow::Context;
use clap::Parser;
use extension_contract::Account;
use host_explore::record::{Export, ExportError, Options, Verdict, account_of_event, export, scopes_of};
use host_replay::command::ExtensionArgs;
use host_replay::command::spinner;
use host_replay::command::{Accepted, Format, formats};
use host_replay::command::{EXIT_BAD_INPUT, EXIT_FAILED};
use host_replay::report::printable;
use host_replay::rig::{StoreKind, open};
use host_replay::runners::Workload;
use host_scenario::business::{BusinessFolder, Fixtures, named_in};
use host_scenario::error::ReplayError;
use host_store::{Read, Scope};
use serde_json::json;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write the recording of an account as a scenario
///
/// Events, provider answers, claims of others and times become a scenario that replays to the same state of the account
/// on an empty store; the export plays it once to check this. Personal data is replaced by made-up values; equal values
/// get equal replacements.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The account: user:ID, organization:ID or platform
    #[arg(
        value_name = "ACCOUNT",
        required_unless_present_any = ["event", "all"],
        value_parser = parse_account,
    )]
    account: Option<Account>,

    /// Export all data instead, as lines of JSON that `import` reads
    #[arg(long, conflicts_with_all = ["account", "event"])]
    all: bool,

    #[command(flatten)]
    block: crate::outbox::BlockArgs,

    /// Export the account of this event
    #[arg(long, value_name = "ID", conflicts_with = "account")]
    event: Option<String>,

    /// The SQLite file of `replay --store` or of a host; with --all also sqlite:FILE, postgres://… or env:NAME
    #[arg(long, value_name = "FILE", required_unless_present = "solobase")]
    store: Option<PathBuf>,

    /// The business: its name in the fixtures, or a folder with catalog.yml [default: the name in the store]
    #[arg(long, value_name = "NAME|DIR")]
    business: Option<String>,

    /// The fixtures folder [default: found above the working folder or the program]
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,

    /// Export the account in live mode, if the store has it in both modes
    #[arg(long)]
    live: bool,

    /// Configuration of the recording host that overrides config.yml
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = parse_config)]
    config: Vec<(String, String)>,

    #[command(flatten)]
    extension: ExtensionArgs,

    /// Keep personal data
    #[arg(long)]
    plain: bool,

    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The report format; json needs --output
    #[arg(long, value_enum, value_parser = formats(FORMATS), default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Examples:
  provisioner replay --store x.db log.jsonl                 keep the result of a log
  provisioner export user:A --store x.db -o story.yml       export one account
  provisioner export --event evt_1 --store x.db --plain     export the account of an event
  provisioner replay story.yml                              replay the export
  provisioner export --all --store x.db -o all.jsonl        export all data, for `import`

Erased data is not exported, and the file says so. Do not give a file written with --plain to anyone
who may not read your customers' data.

Exit codes: 0 it replays to the same state, 1 to another state, 2 bad usage or input.";

const FORMATS: &[Accepted] = &[(Format::Human, "Sentences, on standard error"), (Format::Json, "One JSON line")];

fn parse_account(text: &str) -> Result<Account, String> {
    text.parse().map_err(|error: extension_contract::BadAccount| error.to_string())
}

fn parse_config(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "expected KEY=VALUE".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.all {
        return crate::moving::export_all(args.store.as_deref(), &args.block, args.output.as_deref());
    }
    if args.format == Format::Json && args.output.is_none() {
        eprintln!("error: --format json writes the scenario to a file; expected --output FILE");
        return Ok(ExitCode::from(EXIT_BAD_INPUT));
    }
    let exported = match exported(args) {
        Ok(exported) => exported,
        Err(error) => {
            eprintln!("error: {}", printable(&error.to_string()));
            return Ok(ExitCode::from(if error.is_bad_input() { EXIT_BAD_INPUT } else { EXIT_FAILED }));
        }
    };
    match &args.output {
        Some(file) => std::fs::write(file, &exported.text).with_context(|| format!("{}", file.display()))?,
        None => io::stdout().lock().write_all(exported.text.as_bytes()).context("the scenario can't be written")?,
    }
    match args.format {
        Format::Json => println!("{}", json_line(&exported)),
        _ => human(&exported),
    }
    Ok(match exported.verdict {
        Verdict::Differs(_) => ExitCode::from(EXIT_FAILED),
        _ => ExitCode::SUCCESS,
    })
}

fn exported(args: &Args) -> Result<Export, ExportError> {
    let bar = spinner();
    let Some(file) = &args.store else {
        return Err(ReplayError::Usage("expected --store FILE: only --all reads from a block".to_owned()).into());
    };
    if !file.is_file() {
        let cause = io::Error::from(io::ErrorKind::NotFound);
        return Err(ReplayError::File { path: file.clone(), cause }.into());
    }
    let store = open(&StoreKind::Sqlite(file.clone()))?;
    let scope = scope(args, store.as_ref())?;
    let business = business(args, &scope)?;
    // Without a file, the scenario is probably written to the working folder.
    let named = named_in(args.output.as_deref().unwrap_or(Path::new("")), &business.folder);
    let runners = args.extension.runners(false, Workload::ManyEvents)?;
    let salt = (!args.plain).then(salt);
    let options = Options { business, config: args.config.clone(), named, runners, salt };
    let exported = export(store, &scope, &options);
    bar.finish_and_clear();
    exported
}

fn scope(args: &Args, store: &dyn Read) -> Result<Scope, ExportError> {
    let account = match (&args.account, &args.event) {
        (Some(account), _) => account,
        (None, Some(id)) => return account_of_event(store, id),
        (None, None) => return Err(ReplayError::Usage("expected ACCOUNT or --event ID".to_owned()).into()),
    };
    let mut found = scopes_of(store, account)?;
    if args.live || found.iter().any(|scope| !scope.livemode) {
        found.retain(|scope| scope.livemode == args.live);
    }
    let named = args.business.as_deref().and_then(|name| PathBuf::from(name).file_name().map(|name| name.to_owned()));
    if found.len() > 1
        && let Some(name) = named
    {
        found.retain(|scope| *scope.business == *name.to_string_lossy());
    }
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let (what, expected) =
                (format!("account `{account}` in live mode"), "an account in live mode, or no --live".to_owned());
            Err(ExportError::Nothing { what, expected })
        }
        several => {
            let names: Vec<&str> = several.iter().map(|scope| scope.business.as_str()).collect();
            let text = format!(
                "the store has {account} in several businesses; expected --business with one of {}",
                names.join(", ")
            );
            Err(ReplayError::Usage(text).into())
        }
    }
}

/// Returns the business given by the options or the store.
fn business(args: &Args, scope: &Scope) -> Result<BusinessFolder, ReplayError> {
    let starts: Vec<PathBuf> = [std::env::current_dir(), std::env::current_exe()].into_iter().flatten().collect();
    let fixtures = match args.fixtures.clone().or_else(|| Fixtures::find(&starts)) {
        Some(folder) => Fixtures::load(&folder)?,
        None => Fixtures::built_in()?,
    };
    let folder = fixtures.business(args.business.as_deref().unwrap_or(&scope.business))?;
    Ok(BusinessFolder::load(&folder)?)
}

/// Creates a new salt for each export from the system's random hash keys, so that nobody can find a replaced value by
/// trial and error.
fn salt() -> [u8; 32] {
    let mut salt = [0; 32];
    for (at, part) in salt.chunks_mut(8).enumerate() {
        part.copy_from_slice(&RandomState::new().hash_one(at).to_be_bytes());
    }
    salt
}

fn human(exported: &Export) {
    for warning in &exported.warnings {
        eprintln!("warning: {}", printable(warning));
    }
    match &exported.verdict {
        Verdict::Same => eprintln!("{} events; replays to the same state: {}", exported.events, exported.state),
        Verdict::SameButReplaced(replaced) => eprintln!(
            "{} events; replays to the same state: {}, except for {replaced} replaced values",
            exported.events, exported.state
        ),
        Verdict::NotCompared(reason) => eprintln!("{} events; not compared: {reason}", exported.events),
        Verdict::Differs(differences) => {
            eprintln!("{} events; replays to another state: {}", exported.events, exported.state);
            differences.iter().for_each(|difference| eprintln!("  {}", printable(difference)));
        }
    }
}

fn json_line(exported: &Export) -> serde_json::Value {
    let (verdict, differences) = match &exported.verdict {
        Verdict::Same => ("same", Vec::new()),
        Verdict::SameButReplaced(_) => ("same but replaced", Vec::new()),
        Verdict::NotCompared(_) => ("not compared", Vec::new()),
        Verdict::Differs(differences) => ("differs", differences.clone()),
    };
    json!({"summary": {
        "events": exported.events,
        "verdict": verdict,
        "state": exported.state,
        "replaced": exported.replaced,
        "warnings": exported.warnings,
        "differences": differences,
    }})
}
