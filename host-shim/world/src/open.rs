//! The providers that were asked for, opened.

use crate::journal::Journal;
use crate::limits::{Limited, Limits};
use crate::settings::Settings;
use host_local::{Local, LocalError};
use host_providers::{Provider, Registry};
use host_vault::{Everywhere, KEY_VARIABLE, KeyError, Keys, Minting, Outside, Vault, VaultError};
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// The file of secrets in the world's folder.
const SECRETS: &str = "secrets.db";

/// A provider that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// Databases, buckets and functions on this machine.
    Local,
}

impl Name {
    /// All of them.
    pub const ALL: [Name; 1] = [Name::Local];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Name::Local => "local",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Name::ALL.map(Name::as_str);
        let found = Name::ALL.into_iter().find(|name| name.as_str() == text);
        found.ok_or_else(|| format!("expected one of {}", known.join(", ")))
    }
}

/// What is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The providers; a later one takes what an earlier one would take, too.
    pub names: Vec<Name>,
    /// The folder that keeps what `local` makes, and the secrets. None is one that goes with the process.
    pub folder: Option<PathBuf>,
    /// The port on which `local` serves; none is a free one.
    pub port: Option<u16>,
    /// How the providers are reached.
    pub settings: Settings,
    /// Variables of the environment that payloads may name as secrets: those of the business's configuration.
    pub variables: BTreeSet<String>,
}

/// Why the providers can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The local one.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The secrets.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The key of the secrets.
    #[error("the folder keeps secrets, which are encrypted: {0}")]
    Key(#[from] KeyError),
    /// A scratch folder.
    #[error("no scratch folder can be made: {0}")]
    Scratch(std::io::Error),
    /// None was named.
    #[error("no provider is named: expected one of {}", Name::ALL.map(Name::as_str).join(", "))]
    Nothing,
}

/// Open providers. What they serve ends with this.
pub struct Opened {
    /// They take what they know.
    pub registry: Registry,
    /// What was called when.
    pub journal: Journal,
    /// Where `local` serves.
    pub serves: Option<SocketAddr>,
    /// A scratch folder, which goes with this.
    scratch: Option<tempfile::TempDir>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("serves", &self.serves).finish_non_exhaustive()
    }
}

impl Opened {
    /// The folder that goes with this, if no other one was named.
    pub fn scratch(&self) -> Option<&Path> {
        self.scratch.as_ref().map(tempfile::TempDir::path)
    }
}

/// Opens what is asked for.
pub fn open(options: &Options) -> Result<Opened, OpenError> {
    if options.names.is_empty() {
        return Err(OpenError::Nothing);
    }
    let scratch = match options.folder {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("host-shim-").tempdir().map_err(OpenError::Scratch)?),
    };
    let vault = match &options.folder {
        Some(folder) => {
            let error = |error| VaultError::Io { path: folder.display().to_string(), error };
            std::fs::create_dir_all(folder).map_err(error)?;
            Vault::open(&folder.join(SECRETS), Keys::parse(&std::env::var(KEY_VARIABLE).unwrap_or_default())?)?
        }
        // What is kept for nobody needs no key that is kept.
        None => Vault::in_memory()?,
    };
    let outside = Outside::new(options.variables.iter().cloned(), options.settings.secrets_folder.clone());
    let mut world = World { registry: Registry::new(), journal: Journal::default() };
    world.registry.set_secrets(Arc::new(Everywhere::new(Arc::new(vault), outside)));
    world.add(&["secret"], Arc::new(Minting), None);
    let folder = options.folder.as_deref().or(scratch.as_ref().map(tempfile::TempDir::path));
    let mut serves = None;
    for name in &options.names {
        match (name, folder) {
            (Name::Local, Some(folder)) => {
                let local = Local::open(&folder.join("local"), options.port)?;
                serves = Some(local.address());
                world.add(&host_local::PATTERNS, Arc::new(local), None);
            }
            (Name::Local, None) => {}
        }
    }
    Ok(Opened { registry: world.registry, journal: world.journal, serves, scratch })
}

struct World {
    registry: Registry,
    journal: Journal,
}

impl World {
    fn add(&mut self, patterns: &[&str], provider: Arc<dyn Provider>, limits: Option<Limits>) {
        let within: Arc<dyn Provider> = match limits {
            Some(limits) => Arc::new(Limited::new(provider, limits)),
            None => provider,
        };
        self.registry.register(patterns, self.journal.around(within));
    }
}
