//! `provisioner tables FOLDER --store STORE`.

use crate::exit::ended;
use crate::location::{Location, location};
use anyhow::Context;
use clap::Parser;
use host_business::tables::postgres::{self, Roles};
use host_business::tables::sqlite;
use host_replay::command::refuse;
use host_run::views;
use host_scenario::business::{BusinessFolder, TABLES_FILE};
use host_scenario::error::ReplayError;
use host_store::Partition;
use host_store_postgres::run_script;
use rusqlite::{Connection, OpenFlags};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Make or remove the views of a business in its store, under the names of its tables.yml
///
/// With psql, Supabase and BI tools, people read the views: in SQLite `BUSINESS_MODE_VIEW`, in PostgreSQL the schema
/// `BUSINESS_MODE`. In PostgreSQL the store's tables get row-level security: users read their own rows, administrators and
/// services all rows, and anybody what is on sale. A server makes the views when it starts, unless it has --no-tables.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The folder of the business
    #[arg(value_name = "FOLDER")]
    business: PathBuf,

    /// The store of its server
    #[arg(long, value_name = "STORE")]
    store: String,

    /// Remove the views; without it, they are made, in place of the earlier ones
    #[arg(long)]
    down: bool,

    /// Print the SQL, and change nothing
    #[arg(long)]
    sql: bool,

    /// The views of live mode instead of test mode
    #[arg(long)]
    live: bool,

    /// Role of callers without an account, in PostgreSQL
    #[arg(long, value_name = "ROLE", default_value = "anon")]
    anonymous_role: String,

    /// Role of users; the claim `sub` in request.jwt.claims says who it is
    #[arg(long, value_name = "ROLE", default_value = "authenticated")]
    user_role: String,

    /// Role of administrators
    #[arg(long, value_name = "ROLE", default_value = "host_admin")]
    admin_role: String,

    /// Role of trusted programs
    #[arg(long, value_name = "ROLE", default_value = "service_role")]
    service_role: String,
}

const AFTER_HELP: &str = "A STORE is one of
  sqlite:FILE                                 a file, such as sqlite:data/store.db
  postgres://USER:PASSWORD@HOST/DATABASE      a database; other users of the machine may see a password on the command line
  env:NAME                                    the STORE in an environment variable

Examples:
  provisioner tables my-business --store sqlite:data/store.db
  provisioner tables my-business --store env:DATABASE_URL --sql > views.sql
  provisioner tables my-business --store env:DATABASE_URL --live --down

Nothing is granted to a role that does not exist; make the roles first, and the views again after a new role.

Exit codes: 0 done, 1 the store refuses, 2 bad usage or input.";

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_run(args), false)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let usage = |problem: String| Ok(refuse(&ReplayError::Usage(problem)));
    let store = match location("--store", &args.store) {
        Ok(store) => store,
        Err(problem) => return usage(problem),
    };
    let business = match BusinessFolder::load(&args.business) {
        Ok(business) => business,
        Err(mistakes) => return Ok(refuse(&mistakes.into())),
    };
    if business.tables.views.is_empty() {
        let file = args.business.join(TABLES_FILE);
        return usage(format!("{}: no views; expected a file with the views of the business", file.display()));
    }
    let partition = Partition { business: business.name.clone(), livemode: args.live };
    match (&store, args.sql) {
        (_, true) => print(&sql(args, &store, &business, &partition)?)?,
        (Location::Sqlite(file), false) if !file.is_file() => {
            return usage(format!("--store: {}: no such file; expected a store of a server", file.display()));
        }
        (Location::Sqlite(file), false) => {
            let count = in_file(args, file, &business, &partition).with_context(|| file.display().to_string())?;
            told(args, count, &format!("{}_…", host_business::tables::space(&partition)))?;
        }
        (Location::Postgres(settings), false) => {
            let roles = args.roles();
            // The same views are created again too, since there may be a new role.
            let script = match args.down {
                true => postgres::down(&partition, &roles)?,
                false => postgres::up(&business.tables, &partition, &roles)?.script,
            };
            run_script(settings, &script)?;
            told(args, business.tables.views.len(), &format!("schema {}", host_business::tables::space(&partition)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the SQL of the command.
fn sql(args: &Args, store: &Location, business: &BusinessFolder, partition: &Partition) -> anyhow::Result<String> {
    let lines = |statements: Vec<String>| statements.into_iter().map(|statement| statement + ";\n").collect();
    Ok(match (store, args.down) {
        (Location::Sqlite(_), false) => lines(sqlite::up(&business.tables, partition)),
        (Location::Sqlite(_), true) => lines(sqlite::down(&business.tables, partition)),
        (Location::Postgres(settings), down) => {
            let script = match down {
                true => postgres::down(partition, &args.roles())?,
                false => postgres::up(&business.tables, partition, &args.roles())?.script,
            };
            format!("SET search_path = {};\n{script}", settings.schema())
        }
    })
}

/// Creates or removes the views in a file, which must be a store.
fn in_file(args: &Args, file: &Path, business: &BusinessFolder, partition: &Partition) -> anyhow::Result<usize> {
    drop(host_store::SqliteStore::open_reader(file)?);
    if !args.down {
        return Ok(views::make(file, None, &business.tables, partition, &args.roles())?);
    }
    let mut connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    Ok(sqlite::remove(&mut connection, partition)?)
}

fn told(args: &Args, count: usize, place: &str) -> anyhow::Result<()> {
    let done = if args.down { "removed" } else { "made" };
    print(&format!("{done} {count} views: {place}\n"))
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().lock().write_all(text.as_bytes()).context("the report can't be written")
}

impl Args {
    fn roles(&self) -> Roles {
        Roles {
            anonymous: self.anonymous_role.clone(),
            user: self.user_role.clone(),
            admin: self.admin_role.clone(),
            service: self.service_role.clone(),
        }
    }
}
