//! `provisioner secrets begin|list|put|remove|rotate --world DIR`.

use crate::database::DatabaseArgs;
use anyhow::Context;
use clap::{Parser, Subcommand};
use host_provider_api::Secrets;
use host_providers::{OpenError, SECRET_BYTES_MAX, Vault, begin_secrets, secrets_of};
use host_replay::command::refuse;
use host_replay::command::{Format, HUMAN, JSON, formats};
use host_replay::report::printable;
use host_scenario::error::ReplayError;
use host_store_postgres::small::Place;
use serde_json::json;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// List, store, remove and re-encrypt the secrets of a world folder
///
/// Secrets that a host makes for instances, and secrets that people store, are in a file of the world folder, or with --postgres in
/// the database. They are encrypted with the key in PROVISIONER_SECRETS_KEY (64 hex digits, from `openssl rand -hex 32`). No command
/// prints a value.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Begin a new file of secrets in place of a lost one; an older file is renamed and kept
    ///
    /// The secrets of the lost file are lost, unless you restore it. `drift` lists the records that refer to them.
    Begin {
        #[command(flatten)]
        world: WorldFolder,
    },
    /// List the secrets with owner and key, but without values
    List {
        #[command(flatten)]
        world: WorldFolder,

        /// The report format; json prints one line per secret
        #[arg(long, value_enum, value_parser = formats(&[HUMAN, JSON]), default_value_t = Format::Human)]
        format: Format,
    },
    /// Store standard input as a secret, replacing an older one, and print its reference for payloads
    Put {
        #[command(flatten)]
        world: WorldFolder,
        #[command(flatten)]
        owner: Owner,
        /// The name of the secret, such as philharmonic-db
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Remove a secret; later uses of its reference fail
    Remove {
        #[command(flatten)]
        world: WorldFolder,
        #[command(flatten)]
        owner: Owner,
        /// The reference of the secret, as `list` prints it
        #[arg(value_name = "REFERENCE")]
        reference: String,
    },
    /// Re-encrypt all secrets with the first key of PROVISIONER_SECRETS_KEY, NEW,OLD; OLD can then be removed
    Rotate {
        #[command(flatten)]
        world: WorldFolder,
    },
}

/// The folder with the secrets.
#[derive(Debug, Parser)]
struct WorldFolder {
    /// The folder of `replay --world`
    #[arg(long = "world", value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Name of the business, with --postgres: the database may have the secrets of several
    #[arg(long, value_name = "NAME", required_if_eq("postgres", "true"))]
    business: Option<String>,
}

impl WorldFolder {
    /// Returns the location of the secrets; none for a file in the folder.
    fn place(&self) -> anyhow::Result<Option<Place>> {
        let database = self.database.settings().map_err(anyhow::Error::msg)?;
        let owner = self.business.clone().unwrap_or_default();
        Ok(database.map(|settings| Place::Postgres { settings, owner }))
    }

    fn vault(&self) -> anyhow::Result<Vault> {
        Ok(secrets_of(self.place()?.as_ref(), &self.folder, None)?)
    }
}

/// The owner of a secret.
#[derive(Debug, Parser)]
struct Owner {
    /// Business, mode and account of the secret, such as shop/test/user:A; no other account's calls can resolve it
    #[arg(value_name = "SCOPE", value_parser = scope)]
    scope: String,
}

const AFTER_HELP: &str = "Examples:
  export PROVISIONER_SECRETS_KEY=$(openssl rand -hex 32)
  provisioner secrets put --world w orchestra/live/user:o1 philharmonic-db < password.txt
  provisioner secrets list --world w
  PROVISIONER_SECRETS_KEY=$NEW,$OLD provisioner secrets rotate --world w

Exit codes: 0 done, 1 the file can't be read or written, 2 bad usage or input.";

/// Parses `business/mode/account`.
fn scope(text: &str) -> Result<String, String> {
    let expected = || "expected business/test/ACCOUNT or business/live/ACCOUNT, such as shop/test/user:A".to_owned();
    let mut parts = text.splitn(3, '/');
    let (Some(business), Some("test" | "live"), Some(account)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(expected());
    };
    let is_account = account.parse::<extension_contract::Account>().is_ok();
    if business.is_empty() || !is_account { Err(expected()) } else { Ok(text.to_owned()) }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    try_run(args).or_else(|error| match error.downcast_ref() {
        Some(OpenError::Key(_)) => Ok(refuse(&ReplayError::Usage(error.to_string()))),
        _ => Err(error),
    })
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let usage = |problem: String| Ok(refuse(&ReplayError::Usage(problem)));
    match &args.action {
        Action::Begin { world } => match begin_secrets(world.place()?.as_ref(), &world.folder)? {
            Some(kept) => writeln!(out, "begun; the older secrets are kept: {}", printable(&kept))?,
            None => writeln!(out, "begun")?,
        },
        Action::List { world, format } => {
            for one in world.vault()?.list()? {
                match format {
                    Format::Json => {
                        let line = json!({"reference": one.reference, "scope": one.scope, "name": one.name, "key": one.key_id});
                        writeln!(out, "{line}")?;
                    }
                    _ => {
                        let line = format!("{}  {}  {}  key {}", one.reference, one.scope, one.name, one.key_id);
                        writeln!(out, "{}", printable(&line))?;
                    }
                }
            }
        }
        Action::Put { world, owner, name } => {
            let plain = match read_secret(&mut io::stdin().lock())? {
                Ok(plain) => plain,
                Err(problem) => return usage(problem),
            };
            let made = world.vault()?.put(&owner.scope, name, &plain)?;
            writeln!(out, "{}", made.reference)?;
        }
        Action::Remove { world, owner, reference } => {
            let vault = world.vault()?;
            if !vault.list()?.iter().any(|one| one.scope == owner.scope && one.reference == *reference) {
                return usage(format!("`{reference}` is not a secret of {}", owner.scope));
            }
            vault.forget(&owner.scope, reference)?;
        }
        Action::Rotate { world } => {
            let renewed = world.vault()?.rotate()?;
            writeln!(out, "{renewed} re-encrypted")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads standard input without the final line break that an editor or `echo` adds.
fn read_secret(input: &mut dyn Read) -> anyhow::Result<Result<String, String>> {
    let mut bytes = Vec::new();
    input.take(SECRET_BYTES_MAX as u64 + 2).read_to_end(&mut bytes).context("standard input can't be read")?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Ok(Err("the secret on standard input is not UTF-8".to_owned()));
    };
    let plain = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(match plain.len() {
        1..=SECRET_BYTES_MAX => Ok(plain.to_owned()),
        found => Err(format!("the secret on standard input has {found} bytes; expected 1 to {SECRET_BYTES_MAX}")),
    })
}
