//! `provisioner export --all` and `provisioner import`: all data of a store or of a block, as JSON lines.

use crate::exit::ended;
use crate::location::{Location, location};
use crate::migrate::{absent, check_empty};
use crate::outbox::BlockArgs;
use anyhow::Context;
use clap::Parser;
use host_replay::command::refuse;
use host_scenario::error::ReplayError;
use host_store::SqliteStore;
use host_store_postgres::{PostgresStore, Settings};
use host_worker::moving::{export_block, export_store, import_block, import_store};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Read all data that `export --all` has written into an empty store, or into a block on a Solobase platform
///
/// The copy has the state of the original; otherwise the command fails. A store that a server uses is refused.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The empty store: sqlite:FILE, postgres://… or env:NAME
    #[arg(long, value_name = "STORE", conflicts_with = "solobase", required_unless_present = "solobase")]
    store: Option<String>,

    #[command(flatten)]
    block: BlockArgs,
}

const AFTER_HELP: &str = "Examples:
  provisioner export --all --store sqlite:data/store.db -o all.jsonl
  SOLOBASE_SERVICE_KEY=… provisioner import all.jsonl --solobase https://example.com/b/provisioner
  SOLOBASE_SERVICE_KEY=… provisioner export --all --solobase https://example.com/b/provisioner -o all.jsonl
  provisioner import all.jsonl --store env:DATABASE_URL

The file has everything, also personal data. Exit codes: 0 copied, 1 the copy failed, 2 bad usage or input.";

/// The location of all data.
enum Place {
    Sqlite(PathBuf),
    Postgres(Box<Settings>),
    Block(host_worker::Block),
}

fn place(store: Option<&str>, block: &BlockArgs) -> Result<Place, String> {
    if let Some(block) = block.block()? {
        return Ok(Place::Block(block));
    }
    let text = store.ok_or_else(|| "expected --store STORE or --solobase URL".to_owned())?;
    // `export` has always accepted the name of a file.
    if Path::new(text).is_file() {
        return Ok(Place::Sqlite(text.into()));
    }
    Ok(match location("--store", text)? {
        Location::Sqlite(file) => Place::Sqlite(file),
        Location::Postgres(settings) => Place::Postgres(Box::new(settings)),
    })
}

pub(crate) fn import(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_import(args), false)
}

fn try_import(args: &Args) -> anyhow::Result<ExitCode> {
    let to = match place(args.store.as_deref(), &args.block) {
        Ok(to) => to,
        Err(problem) => return Ok(refuse(&ReplayError::Usage(problem))),
    };
    let file = match File::open(&args.file) {
        Ok(file) => file,
        Err(cause) => return Ok(refuse(&ReplayError::File { path: args.file.clone(), cause })),
    };
    let mut file = BufReader::new(file);
    let (parts, state) = match to {
        Place::Block(block) => import_block(&mut file, &block)?,
        Place::Sqlite(path) => {
            let to = Location::Sqlite(path.clone());
            let _absent = absent(&to)?;
            let mut store = SqliteStore::open(&path).with_context(|| path.display().to_string())?;
            check_empty(&store, &to)?;
            import_store(&mut file, &mut store)?
        }
        Place::Postgres(settings) => {
            let to = Location::Postgres(*settings.clone());
            let _absent = absent(&to)?;
            let mut store = PostgresStore::open(&settings)?;
            check_empty(&store, &to)?;
            import_store(&mut file, &mut store)?
        }
    };
    println!("imported {parts} parts, state {state}");
    Ok(ExitCode::SUCCESS)
}

/// Writes all data of a store or of a block.
pub(crate) fn export_all(store: Option<&Path>, block: &BlockArgs, output: Option<&Path>) -> anyhow::Result<ExitCode> {
    ended(try_export(store, block, output), false)
}

fn try_export(store: Option<&Path>, block: &BlockArgs, output: Option<&Path>) -> anyhow::Result<ExitCode> {
    let text = store.map(|store| store.to_string_lossy().into_owned());
    let from = match place(text.as_deref(), block) {
        Ok(from) => from,
        Err(problem) => return Ok(refuse(&ReplayError::Usage(problem))),
    };
    if let Place::Sqlite(file) = &from
        && !file.is_file()
    {
        let cause = io::Error::from(io::ErrorKind::NotFound);
        return Ok(refuse(&ReplayError::File { path: file.clone(), cause }));
    }
    let mut out: Box<dyn Write> = match output {
        Some(file) => Box::new(BufWriter::new(File::create(file).with_context(|| file.display().to_string())?)),
        None => Box::new(io::stdout().lock()),
    };
    let (parts, state) = match from {
        Place::Block(block) => export_block(&block, &mut out)?,
        Place::Sqlite(path) => {
            export_store(&SqliteStore::open(&path).with_context(|| path.display().to_string())?, &mut out)?
        }
        Place::Postgres(settings) => export_store(&PostgresStore::open(&settings)?, &mut out)?,
    };
    eprintln!("exported {parts} parts, state {state}");
    Ok(ExitCode::SUCCESS)
}
