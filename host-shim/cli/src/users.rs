//! `provisioner users add|demote|remove --email ADDRESS` and `provisioner users rotate-key BUSINESS`.

use crate::database::DatabaseArgs;
use anyhow::Context;
use clap::{Parser, Subcommand};
use host_engine::clock::Clock;
use host_identity::{Address, Hasher, NewUser, Refused, User, Users, add_user};
use host_providers::{KEY_VARIABLE, SECRETS};
use host_replay::command::refuse;
use host_run::data::{DataFolder, PROVIDERS, USERS};
use host_scenario::error::ReplayError;
use host_store::{Partition, mode};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Add users to a server, remove them, and change the key of its sessions
///
/// Users register by themselves at `/api/auth/register`. `add` makes the first operator, who logs in like any user and then may do what
/// operators may. `demote` and `remove` end the user's sessions, and the API keys with the user's id as their subject, at once, also on
/// running servers. `rotate-key` makes a new key, which signs the tokens of sessions from the next start of the server on.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

const AFTER_HELP: &str = "Examples:
  provisioner users add --email ada@example.com --admin < password
  pass show shop/ada | provisioner users add --email ada@example.com --admin --live
  provisioner users remove --email ada@example.com --live
  provisioner users rotate-key my-business --live
  provisioner users add --email ada@example.com --admin --postgres --business my-business < password";

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a user; the password is the first line of the standard input
    Add(Add),
    /// Take an operator's rights from a user, who logs in again as a user like any other
    Demote(Whose),
    /// Delete a user; the account stays, and an operator closes it by `account.close`
    Remove(Whose),
    /// Make a new key of sessions; tokens of the one before it still count, those of older keys do not
    RotateKey(RotateKey),
}

/// The business whose key is changed.
#[derive(Debug, Parser)]
struct RotateKey {
    /// Name of the business
    business: String,
    /// For live mode
    #[arg(long)]
    live: bool,
    /// The data folder of the business, as of `serve`
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// A user to add.
#[derive(Debug, Parser)]
struct Add {
    #[command(flatten)]
    whose: Whose,
    /// The user's name, for people
    #[arg(long)]
    name: Option<String>,
    /// Make the user an operator of the business
    #[arg(long)]
    admin: bool,
}

/// The user of an address.
#[derive(Debug, Parser)]
struct Whose {
    /// The user's e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// For live mode
    #[arg(long)]
    live: bool,
    /// The data folder of the business, as of `serve`
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Name of the business, with --postgres: the database may have the users of several
    #[arg(long, value_name = "NAME", required_if_eq("postgres", "true"))]
    business: Option<String>,
}

impl Whose {
    /// Opens the users of the business.
    fn users(&self) -> anyhow::Result<Result<Users, ReplayError>> {
        let database = match self.database.settings() {
            Ok(database) => database,
            Err(problem) => return Ok(Err(ReplayError::Usage(problem))),
        };
        let owner = self.business.as_deref().unwrap_or_default();
        Ok(Ok(Users::open(DataFolder::open(&self.data, database.as_ref())?.place(USERS, owner))?))
    }

    /// Opens the users of the business, and finds the one with the address.
    fn found(&self) -> anyhow::Result<Result<(Users, User), ReplayError>> {
        let place = self.data.display();
        if !self.data.is_dir() {
            let problem = format!("{place}: no such folder; expected the data folder of the business, as of `serve`");
            return Ok(Err(ReplayError::Usage(problem)));
        }
        let users = match self.users()? {
            Ok(users) => users,
            Err(problem) => return Ok(Err(problem)),
        };
        let found = Address::parse(&self.email).map(|address| users.by_address(self.live, &address)).transpose()?;
        let mode = mode(self.live);
        Ok(match found.flatten() {
            Some((user, _)) => Ok((users, user)),
            None => Err(ReplayError::Usage(format!("{place}: no user in {mode} mode has the address {}", self.email))),
        })
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Add(user) => add(user),
        Action::Demote(whose) => demote(whose),
        Action::Remove(whose) => remove(whose),
        Action::RotateKey(key) => rotate(key),
    }
}

fn rotate(RotateKey { business, live, data, database }: &RotateKey) -> anyhow::Result<ExitCode> {
    let database = match database.settings() {
        Ok(database) => database,
        Err(problem) => return Ok(refuse(&ReplayError::Usage(problem))),
    };
    let data = DataFolder::open(data, database.as_ref())?;
    // A server in local mode keeps the vault's key in its data folder.
    let keys = match std::env::var_os(KEY_VARIABLE) {
        Some(_) => None,
        None => Some(data.vault_keys()?),
    };
    let place = data.database().map(|_| data.place(SECRETS, business));
    let vault = host_providers::secrets_of(place.as_ref(), &data.path(PROVIDERS), keys)?;
    let name = host_run::rotate_session_key(&vault, &Partition { business: business.clone(), livemode: *live })?;
    writeln!(io::stdout(), "{name} signs from the next start of the server on")
        .context("the name cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn demote(whose: &Whose) -> anyhow::Result<ExitCode> {
    let (users, user) = match whose.found()? {
        Ok(found) => found,
        Err(problem) => return Ok(refuse(&problem)),
    };
    if !user.is_operator {
        return Ok(refuse(&ReplayError::Usage(format!("{} is not an operator", user.email))));
    }
    users.demote(&user, Clock::system().latest())?;
    writeln!(io::stdout(), "{} is no longer an operator", user.id).context("the id cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn remove(whose: &Whose) -> anyhow::Result<ExitCode> {
    let (users, user) = match whose.found()? {
        Ok(found) => found,
        Err(problem) => return Ok(refuse(&problem)),
    };
    users.delete(&user, Clock::system().latest())?;
    writeln!(io::stdout(), "{} is removed", user.id).context("the id cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn add(Add { whose, name, admin }: &Add) -> anyhow::Result<ExitCode> {
    if io::stdin().is_terminal() {
        let how = "read -rs password && printf '%s\\n' \"$password\" | provisioner users add …";
        let problem = format!("a password would be shown as it is typed; expected it in the standard input:\n  {how}");
        return Ok(refuse(&ReplayError::Usage(problem)));
    }
    let users = match whose.users()? {
        Ok(users) => users,
        Err(problem) => return Ok(refuse(&problem)),
    };
    let email = &whose.email;
    let hasher = Hasher::start(1, 1).context("a thread cannot be started")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("no password in the standard input")?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    let new = NewUser { email: email.clone(), password, name: name.clone(), is_operator: *admin };
    let problem = match add_user(&users, &hasher, whose.live, new, Clock::system().latest()) {
        Ok(user) => {
            writeln!(io::stdout(), "{}", user.id).context("the id cannot be written")?;
            return Ok(ExitCode::SUCCESS);
        }
        Err(Refused::Invalid(errors)) => {
            let told =
                errors.iter().map(|error| format!("{}: {}", error.path.trim_start_matches('/'), error.message()));
            told.collect::<Vec<_>>().join("\n")
        }
        Err(Refused::Taken) => format!("a user has the address {email}"),
        // Nobody logs in or uses a link here.
        Err(Refused::Wrong | Refused::NoLink | Refused::NoSeat | Refused::OfAnother | Refused::Unproved) => {
            "the address or the password is wrong".to_owned()
        }
        Err(Refused::Failed(error)) => return Err(error.into()),
    };
    Ok(refuse(&ReplayError::Usage(problem)))
}
