//! The providers that were asked for, opened.

use crate::addresses::Listed;
use crate::journal::Journal;
use crate::limits::{Limited, ProviderLimits};
use crate::name::Name;
use crate::settings::Settings;
use host_local::{Local, LocalError};
use host_mail::{BadConfig, Mail, Way};
use host_provider_api::{Provider, Registry, Secrets};
use host_vault::{Everywhere, KEY_VARIABLE, KeyError, Keys, Minting, Outside, Vault, VaultError};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How long a step of a conversation with a server of mails may take.
#[cfg(feature = "smtp")]
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
/// Connections to a server of mails that are kept.
#[cfg(feature = "smtp")]
const SMTP_CONNECTIONS: u32 = 4;
/// The file of secrets in the world's folder.
const SECRETS: &str = "secrets.db";

/// What is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The providers; a later one takes what an earlier one would take, too.
    pub names: Vec<Name>,
    /// The folder that keeps what `local` makes, and the secrets. None is one that goes with the process.
    pub folder: Option<PathBuf>,
    /// The port on which `local` serves; none is a free one.
    pub port: Option<u16>,
    /// The address of a local Stripe, which `stripe` calls with its key in place of Stripe.
    pub local_stripe: Option<LocalStripe>,
    /// How the providers are reached.
    pub settings: Settings,
}

/// A Stripe on this machine.
#[derive(Clone, Debug)]
pub struct LocalStripe {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// A key of its test account, which is worth nothing elsewhere.
    pub key: String,
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
    /// A provider's settings.
    #[error("{name}: {problem}")]
    Settings {
        /// Which provider.
        name: Name,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// The program was built without it.
    #[error(
        "this program was built without `{0}`: `cargo xtask build` makes one with every provider, \
         `cargo build --release --package host-shim --features {feature}` one with this provider",
        feature = .0.feature()
    )]
    NotBuilt(Name),
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
    /// The secrets that are kept here.
    pub vault: Arc<Vault>,
    /// Where `local` serves.
    pub serves: Option<SocketAddr>,
    /// A scratch folder, which goes with this.
    _scratch: Option<tempfile::TempDir>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("serves", &self.serves).finish_non_exhaustive()
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
        Some(folder) => secrets_of(folder)?,
        // What is kept for nobody needs no key that is kept.
        None => Vault::in_memory()?,
    };
    let vault = Arc::new(vault);
    let secrets: Arc<dyn Secrets> = Arc::new(Everywhere::new(vault.clone(), outside(&options.settings)));
    let mut world = World {
        registry: Registry::new(),
        journal: Journal::default(),
        options,
        #[cfg(feature = "postgres")]
        secrets: secrets.clone(),
        serves: None,
        #[cfg(all(feature = "postgres", feature = "supabase"))]
        postgres: None,
        #[cfg(all(feature = "postgres", feature = "supabase"))]
        projects: None,
    };
    world.registry.set_secrets(secrets);
    world.add(&["secret"], Arc::new(Minting), None);
    let kept = options.folder.as_deref().or(scratch.as_ref().map(tempfile::TempDir::path));
    let folder = kept.ok_or(OpenError::Nothing)?;
    for name in &options.names {
        match name {
            Name::Aws => world.aws()?,
            Name::B2 => world.b2()?,
            Name::Http => world.http()?,
            Name::Local => world.local(folder)?,
            Name::Postgres => world.postgres(folder)?,
            Name::Smtp => world.smtp()?,
            Name::Stripe => world.stripe()?,
            Name::Supabase => world.supabase()?,
        }
    }
    world.backups_at_supabase();
    let World { registry, journal, serves, .. } = world;
    Ok(Opened { registry, journal, vault, serves, _scratch: scratch })
}

/// The secrets that a world's folder keeps, which [`KEY_VARIABLE`] encrypts; the folder is made if it is not there.
pub fn secrets_of(folder: &Path) -> Result<Vault, OpenError> {
    let error = |error| VaultError::Io { path: folder.display().to_string(), error };
    std::fs::create_dir_all(folder).map_err(error)?;
    let keys = Keys::parse(&std::env::var(KEY_VARIABLE).unwrap_or_default())?;
    Ok(Vault::open(&folder.join(SECRETS), keys)?)
}

/// What the machine may give away: what the settings name.
fn outside(settings: &Settings) -> Outside {
    let named = settings.references().into_iter().filter_map(Outside::variable_of).map(str::to_owned);
    Outside::new(named, settings.secrets_folder.clone())
}

/// Providers as they are added; the features of this crate say which there are.
pub(crate) struct World<'o> {
    registry: Registry,
    journal: Journal,
    pub options: &'o Options,
    /// For lists, which no call asks for.
    #[cfg(feature = "postgres")]
    pub secrets: Arc<dyn Secrets>,
    serves: Option<SocketAddr>,
    /// What comes into databases, within its limits.
    #[cfg(all(feature = "postgres", feature = "supabase"))]
    pub postgres: Option<Arc<dyn Provider>>,
    /// How Supabase's projects are reached.
    #[cfg(all(feature = "postgres", feature = "supabase"))]
    pub projects: Option<host_supabase::Config>,
}

impl World<'_> {
    fn add(
        &mut self,
        patterns: &[&str],
        provider: Arc<dyn Provider>,
        limits: Option<ProviderLimits>,
    ) -> Arc<dyn Provider> {
        let within: Arc<dyn Provider> = match limits {
            Some(limits) => Arc::new(Limited::new(provider, limits)),
            None => provider,
        };
        self.registry.register(patterns, self.journal.around(within.clone()));
        within
    }

    /// A provider within its limits.
    #[cfg(any(feature = "aws", feature = "http", feature = "postgres", feature = "stripe", feature = "supabase"))]
    pub fn limited(&mut self, name: Name, patterns: &[&str], provider: Arc<dyn Provider>) -> Arc<dyn Provider> {
        let limits = self.options.settings.limits_of(name.as_str());
        self.add(patterns, provider, Some(limits))
    }

    /// The machine's secret behind a reference of the settings.
    #[cfg(any(feature = "aws", feature = "supabase"))]
    pub fn secret(&self, name: Name, reference: &str) -> Result<host_provider_api::Secret, OpenError> {
        let found = outside(&self.options.settings).resolve("", reference);
        found.map_err(|error| OpenError::Settings { name, problem: error.to_string() })
    }

    /// Resources in a folder, and mails beside them.
    fn local(&mut self, folder: &Path) -> Result<(), OpenError> {
        let local = Local::open(&folder.join("local"), self.options.port)?;
        self.serves = Some(local.address());
        self.add(&host_local::PATTERNS, Arc::new(local), None);
        self.mail(Name::Local, Way::Folder(folder.join("mails")), None)
    }

    fn mail(&mut self, name: Name, way: Way, limits: Option<ProviderLimits>) -> Result<(), OpenError> {
        let settings = &self.options.settings.mail;
        let mail = Mail::new(host_mail::Config {
            from: settings.from.clone(),
            templates: settings.templates.clone(),
            addresses: Arc::new(Listed::new(settings.clone(), name == Name::Local)),
            way,
        });
        let mail = mail.map_err(|error: BadConfig| OpenError::Settings { name, problem: error.to_string() })?;
        self.add(&["mail"], Arc::new(mail), limits);
        Ok(())
    }

    #[cfg(feature = "http")]
    fn http(&mut self) -> Result<(), OpenError> {
        self.limited(Name::Http, &["probe"], Arc::new(host_health::Probe::new(host_health::Config::default())));
        Ok(())
    }

    #[cfg(not(feature = "http"))]
    fn http(&mut self) -> Result<(), OpenError> {
        Err(OpenError::NotBuilt(Name::Http))
    }

    #[cfg(feature = "smtp")]
    fn smtp(&mut self) -> Result<(), OpenError> {
        use crate::settings::SmtpSecurity;
        use host_mail::{Password, Security, Smtp};
        let problem = |problem: &str| OpenError::Settings { name: Name::Smtp, problem: problem.to_owned() };
        let smtp = self.options.settings.smtp.as_ref();
        let smtp = smtp.ok_or_else(|| problem("expected `smtp: {host: …}` in the file of --provider-settings"))?;
        let login = match (&smtp.user, &smtp.password) {
            (Some(user), Some(password)) => Some((user.clone(), Password::Reference(password.clone()))),
            (None, None) => None,
            _ => return Err(problem("expected `user` and `password`, or neither")),
        };
        let way = Way::Smtp(Smtp {
            host: smtp.host.clone(),
            port: smtp.port,
            security: match smtp.security {
                SmtpSecurity::Tls => Security::Tls,
                SmtpSecurity::Starttls => Security::StartTls,
                SmtpSecurity::Plain => Security::PlainOnLoopback,
            },
            login,
            timeout: TIMEOUT,
            connections: SMTP_CONNECTIONS,
        });
        let limits = self.options.settings.limits_of(Name::Smtp.as_str());
        self.mail(Name::Smtp, way, Some(limits))
    }

    #[cfg(not(feature = "smtp"))]
    fn smtp(&mut self) -> Result<(), OpenError> {
        Err(OpenError::NotBuilt(Name::Smtp))
    }

    #[cfg(feature = "stripe")]
    fn stripe(&mut self) -> Result<(), OpenError> {
        let config = match &self.options.local_stripe {
            Some(LocalStripe { url, key }) => host_stripe::Config {
                test_key: Some(host_provider_api::Secret::new(key)),
                url: url.clone(),
                ..host_stripe::Config::default()
            },
            None => self.stripe_account()?,
        };
        self.limited(Name::Stripe, &["stripe"], Arc::new(host_stripe::Stripe::new(config)));
        Ok(())
    }

    /// The account that the settings name.
    #[cfg(feature = "stripe")]
    fn stripe_account(&self) -> Result<host_stripe::Config, OpenError> {
        let settings = &self.options.settings.stripe;
        let outside = outside(&self.options.settings);
        let key = |reference: &str| outside.resolve("", reference).ok();
        let (test_key, live_key) = (key(&settings.test_key), key(&settings.live_key));
        if test_key.is_none() && live_key.is_none() {
            let problem =
                format!("there is no key: expected one behind `{}` or `{}`", settings.test_key, settings.live_key);
            return Err(OpenError::Settings { name: Name::Stripe, problem });
        }
        let default = host_stripe::Config::default();
        let url = settings.url.clone().unwrap_or_else(|| default.url.clone());
        Ok(host_stripe::Config { test_key, live_key, url, ..default })
    }

    #[cfg(not(feature = "stripe"))]
    fn stripe(&mut self) -> Result<(), OpenError> {
        Err(OpenError::NotBuilt(Name::Stripe))
    }
}
