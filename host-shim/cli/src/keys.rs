//! `provisioner keys make|list|revoke --data DIR`.

use crate::database::DatabaseArgs;
use clap::{Parser, Subcommand, ValueEnum};
use extension_contract::{Account, Actor, ActorKind};
use host_engine::clock::Clock;
use host_engine::time;
use host_identity::access::{KeyRow, NewKey, Reach, SERVER};
use host_replay::command::refuse;
use host_replay::command::{Format, HUMAN, JSON, formats};
use host_replay::report::printable;
use host_run::data::{DataFolder, STORE};
use host_scenario::error::ReplayError;
use host_store::{Partition, SqliteStore, mode};
use host_store_postgres::PostgresStore;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Make, list and revoke the API keys of a server
///
/// A key acts as a user, a service or an operator of one business in one mode, or reads the metrics of the whole server. Only a hash of it is kept, so that `make` prints it
/// once. A revoked key stops working at once, also on running servers.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,

    /// The data folder of `serve`
    #[arg(long, global = true, value_name = "DIR", default_value = "data")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key and print it
    Make(Make),
    /// List the keys with id, actor and reach
    List {
        /// The report format; json prints one line per key
        #[arg(long, value_enum, value_parser = formats(&[HUMAN, JSON]), default_value_t = Format::Human)]
        format: Format,
    },
    /// Revoke a key
    Revoke {
        /// The id of the key, as `list` prints it
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// A key to make.
#[derive(Debug, Parser)]
struct Make {
    /// The business
    #[arg(value_name = "BUSINESS", required_unless_present = "server")]
    business: Option<String>,
    /// For the whole server: the key reads the metrics of all its businesses, and nothing else
    #[arg(long, conflicts_with_all = ["business", "kind", "roles", "accounts", "live"])]
    server: bool,
    /// The actor as which the key acts
    #[arg(long, value_enum, default_value_t = Kind::Service)]
    kind: Kind,
    /// The id of the actor, such as a user's; names the program for a service
    #[arg(long, value_name = "ID")]
    subject: String,
    /// Roles of the actor, as `may` in business.yml names them; repeatable
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// An account that the key may name; repeatable [default: the user's own, all for services and operators]
    #[arg(long = "account", value_name = "ACCOUNT", value_parser = account)]
    accounts: Vec<Account>,
    /// For live mode
    #[arg(long)]
    live: bool,
    /// A name for people [default: the subject]
    #[arg(long)]
    name: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    User,
    Service,
    Admin,
}

const AFTER_HELP: &str = "Examples:
  provisioner keys make solobase --kind user --subject ada
  provisioner keys make solobase --subject backend --name 'shop backend'
  provisioner keys make --server --subject prometheus
  provisioner keys list
  provisioner keys revoke 5f2a9c01d3e4
  DATABASE_URL=postgres://provisioner@db.example.com/shop provisioner keys --postgres list

Exit codes: 0 done, 1 the file can't be read or written, or there is no such key, 2 bad usage.";

fn account(text: &str) -> Result<Account, String> {
    text.parse().map_err(|error: extension_contract::BadAccount| error.to_string())
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if !matches!(args.action, Action::Make(_)) && !args.data.is_dir() {
        let problem = format!("{}: no such folder; expected the data folder of `serve`", args.data.display());
        return Ok(refuse(&ReplayError::Usage(problem)));
    }
    let database = match args.database.settings() {
        Ok(database) => database,
        Err(problem) => return Ok(refuse(&ReplayError::Usage(problem))),
    };
    let data = DataFolder::open(&args.data, database.as_ref())?;
    if let Action::Make(Make { business: Some(business), .. }) = &args.action
        && let Some(problem) = unknown(&data, business)?
    {
        return Ok(refuse(&ReplayError::Usage(problem)));
    }
    let keys = data.keys()?;
    let now = Clock::system().latest();
    match &args.action {
        Action::Make(make) => writeln!(out, "{}", keys.make(&make.key(), now)?.expose())?,
        Action::List { format } => {
            for row in keys.list()? {
                match format {
                    Format::Json => writeln!(out, "{}", as_json(&row))?,
                    _ => writeln!(out, "{}", printable(&as_line(&row)))?,
                }
            }
        }
        Action::Revoke { id } => {
            if !keys.revoke(id, now)? {
                let problem = format!("`{id}` is not a key that works; `provisioner keys list` shows them");
                return Ok(refuse(&ReplayError::Usage(problem)));
            }
            writeln!(out, "revoked")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what is wrong with a business that no server of the folder has; nothing before the first start.
fn unknown(data: &DataFolder, business: &str) -> anyhow::Result<Option<String>> {
    let mut known = BTreeSet::new();
    let reader = match data.database() {
        // A store written by another version can only be read after the next start.
        Some(settings) => PostgresStore::open_reader(settings).ok(),
        None => data.path(STORE).is_file().then(|| SqliteStore::open_reader(data.path(STORE)).ok()).flatten(),
    };
    if let Some(mut reader) = reader {
        reader.begin()?;
        known.extend(reader.scopes(None)?.into_iter().map(|scope| scope.business));
        reader.end()?;
    }
    // With a configuration file, each business has its own folder, which contains a store unless the accounts are in a database.
    for entry in std::fs::read_dir(data.path(""))?.filter_map(Result::ok) {
        if entry.path().join(STORE).is_file() {
            known.extend(entry.file_name().into_string());
        }
    }
    let is_name = !business.contains(['/', '\\']);
    if is_name && (known.is_empty() || known.contains(business)) {
        return Ok(None);
    }
    let names = known.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let expected = if names.is_empty() { "the name of a business".to_owned() } else { names };
    Ok(Some(format!("no server of this folder has served a business `{business}`: expected {expected}")))
}

impl Make {
    fn key(&self) -> NewKey {
        let kind = match self.kind {
            Kind::User => ActorKind::User,
            Kind::Service => ActorKind::Service,
            Kind::Admin => ActorKind::Admin,
        };
        let reach = match (kind, self.accounts.is_empty()) {
            _ if self.server => Reach::Accounts(Vec::new()),
            (ActorKind::User, true) => Reach::Accounts(vec![Account::User(self.subject.clone())]),
            (_, true) => Reach::All,
            (_, false) => Reach::Accounts(self.accounts.clone()),
        };
        NewKey {
            name: self.name.clone().unwrap_or_else(|| self.subject.clone()),
            partition: Partition {
                business: self.business.clone().unwrap_or_else(|| SERVER.to_owned()),
                livemode: self.live,
            },
            actor: Actor { kind, subject: self.subject.clone(), roles: self.roles.clone() },
            reach,
        }
    }
}

fn reach(row: &KeyRow) -> String {
    match &row.caller.reach {
        _ if row.caller.is_of_server() => "metrics".to_owned(),
        Reach::All => "all accounts".to_owned(),
        Reach::Accounts(accounts) => accounts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    }
}

fn as_line(row: &KeyRow) -> String {
    let KeyRow { name, caller, revoked_at, .. } = row;
    let actor = serde_json::to_value(caller.actor.kind).unwrap_or_default();
    let revoked = revoked_at.map(|at| format!("  revoked {}", time::text(at))).unwrap_or_default();
    format!(
        "{}  {}/{}  {} {}  {}  {name}{revoked}",
        caller.key,
        caller.partition.business,
        mode(caller.partition.livemode),
        actor.as_str().unwrap_or_default(),
        caller.actor.subject,
        reach(row),
    )
}

fn as_json(row: &KeyRow) -> serde_json::Value {
    json!({
        "id": row.caller.key,
        "name": row.name,
        "business": row.caller.partition.business,
        "mode": mode(row.caller.partition.livemode),
        "actor": row.caller.actor,
        "reach": reach(row),
        "created_at": time::text(row.created_at),
        "revoked_at": row.revoked_at.map(time::text),
    })
}
