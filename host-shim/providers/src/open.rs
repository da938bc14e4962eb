//! Opens the requested providers with their secrets, journal and limits.

use crate::addresses::{Directory, SettingsAddressBook};
use crate::journal::Journal;
use crate::limits::{Limited, ProviderLimits};
use crate::local::{AwaySlot, Local, LocalError};
use crate::mail::{BadConfig, Mail, MailSite, MailTemplates, MailTransport};
use crate::settings::Settings;
use host_provider_api::ProviderName;
use host_provider_api::{EventList, ObjectList, Provider, Registry, RegistryTokens, Secret, Secrets};
use host_store_postgres::small::Place;
use host_vault::{CombinedSecrets, KEY_VARIABLE, KeyError, Keys, MachineSecrets, SecretProvider, Vault, VaultError};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Timeout of each step with an SMTP server.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
/// Maximum pooled connections to an SMTP server.
const SMTP_CONNECTIONS: u32 = 4;
/// File of the secrets in the providers' folder.
pub const SECRETS: &str = "secrets.db";

/// Options of [`open`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of the providers. If several providers have the same resources, the last of them is used.
    pub names: Vec<ProviderName>,
    /// Folder of local resources and secrets. None for a temporary folder.
    pub folder: Option<PathBuf>,
    /// Port of the local provider's HTTP server. None for a free port.
    pub port: Option<u16>,
    /// True to serve nothing, since another process serves the folder, or the folder of which this one is a copy.
    pub is_beside: bool,
    /// A local Stripe, which the provider `stripe` calls instead of Stripe.
    pub local_stripe: Option<LocalStripe>,
    /// Settings of the providers.
    pub settings: Settings,
    /// Keys that encrypt the secrets. None for those in [`KEY_VARIABLE`].
    pub keys: Option<Keys>,
    /// Place of the secrets, beside the folder. None for a file in the folder.
    pub secrets: Option<Place>,
    /// Key of Stripe's API, in place of those that the settings name.
    pub stripe_key: Option<StripeKey>,
    /// Folders of the business's own mail templates. The folder of the settings comes before them.
    pub templates: Vec<PathBuf>,
    /// The business as its mails show it; none without pages. Stripe's pages lead back to its address.
    pub site: Option<MailSite>,
    /// Addresses of accounts that the settings do not list; none without users.
    pub directory: Option<Directory>,
    /// Values of environment variables to which the settings refer. A variable of the process takes precedence.
    pub variables: BTreeMap<String, Secret>,
}

impl Options {
    /// Returns the templates of mails: those of the settings, and those of the business.
    pub fn mail_templates(&self) -> MailTemplates {
        let folders = self.settings.mail.templates.iter().chain(&self.templates).cloned().collect();
        MailTemplates { folders, site: self.site.clone().unwrap_or_default() }
    }
}

/// A key of Stripe's API in one mode.
#[derive(Clone, Debug)]
pub struct StripeKey {
    /// True for a key of live mode.
    pub livemode: bool,
    /// The key.
    pub key: Secret,
}

/// Address and key of a local Stripe.
#[derive(Clone, Debug)]
pub struct LocalStripe {
    /// Base URL, `http://127.0.0.1:PORT`.
    pub url: String,
    /// A key of the local Stripe's test account. It is not valid at Stripe.
    pub key: String,
}

/// Reasons why the providers can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The local provider failed.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The vault's key is missing or malformed.
    #[error("the secrets in the folder are encrypted: {0}")]
    Key(#[from] KeyError),
    /// The temporary folder can't be created.
    #[error("can't create a temporary folder: {0}")]
    Scratch(std::io::Error),
    /// A provider's settings are invalid.
    #[error("{name}: {problem}")]
    Settings {
        /// Name of the provider.
        name: ProviderName,
        /// The problem and what was expected.
        problem: String,
    },
    /// The program was built without the provider.
    #[error(
        "this program was built without `{0}`: `cargo xtask build` makes one with every provider, \
         `cargo build --release --package host-shim --features {feature}` one with this provider",
        feature = feature_of(*.0)
    )]
    NotBuilt(ProviderName),
    /// No provider was requested.
    #[error("no provider is named: expected one of {}", ProviderName::ALL.map(ProviderName::as_str).join(", "))]
    Nothing,
}

/// Returns the cargo feature that includes a provider. The feature `stripe` also includes the local Stripe.
fn feature_of(name: ProviderName) -> &'static str {
    match name {
        ProviderName::B2 => ProviderName::Aws.as_str(),
        ProviderName::Service => ProviderName::Http.as_str(),
        other => other.as_str(),
    }
}

/// Open providers. Dropping them stops the local provider's HTTP server.
pub struct Opened {
    /// The registry with all providers.
    pub registry: Registry,
    /// Journal of all calls.
    pub journal: Journal,
    /// The vault with the secrets.
    pub vault: Arc<Vault>,
    /// Address of the local provider's HTTP server.
    pub serves: Option<SocketAddr>,
    /// Place for the pages of instances that do not run; none without the provider `local`.
    pub away: Option<AwaySlot>,
    /// Lists Stripe's events; none without the provider `stripe`.
    pub events: Option<Arc<dyn EventList>>,
    /// Lists Stripe's objects; none without the provider `stripe`.
    pub objects: Option<Arc<dyn ObjectList>>,
    /// Signs tokens for a registry's clients; none without the provider `registry`.
    pub registry_tokens: Option<Arc<dyn RegistryTokens>>,
    /// The temporary folder. It is removed on drop.
    _scratch: Option<tempfile::TempDir>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("serves", &self.serves).finish_non_exhaustive()
    }
}

/// Opens the requested providers.
///
/// # Errors
///
/// Fails if no provider is named, if the program was built without a provider, if a provider's settings are invalid, or
/// if the folder or the secrets can't be opened.
pub fn open(options: &Options) -> Result<Opened, OpenError> {
    if options.names.is_empty() {
        return Err(OpenError::Nothing);
    }
    let scratch = match options.folder {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("host-shim-").tempdir().map_err(OpenError::Scratch)?),
    };
    let vault = match &options.folder {
        Some(folder) => secrets_of(options.secrets.as_ref(), folder, options.keys.clone())?,
        // Temporary secrets need no persistent key.
        None => Vault::in_memory()?,
    };
    let vault = Arc::new(vault);
    let secrets: Arc<dyn Secrets> = Arc::new(CombinedSecrets::new(vault.clone(), machine_secrets(options)));
    let mut builder = ProviderBuilder {
        registry: Registry::new(),
        journal: Journal::default(),
        options,
        secrets: secrets.clone(),
        serves: None,
        away: None,
        events: None,
        objects: None,
        registry_tokens: None,
        signers: crate::images::Signers::default(),
        postgres: None,
        projects: None,
    };
    builder.registry.set_secrets(secrets);
    builder.add(&["secret"], Arc::new(SecretProvider), None);
    let kept = options.folder.as_deref().or(scratch.as_ref().map(tempfile::TempDir::path));
    let folder = kept.ok_or(OpenError::Nothing)?;
    for name in &options.names {
        match name {
            ProviderName::Aws => builder.aws()?,
            ProviderName::B2 => builder.b2()?,
            ProviderName::Http => builder.http()?,
            ProviderName::Litellm => builder.litellm()?,
            ProviderName::Local => builder.local(folder)?,
            ProviderName::Postgres => builder.postgres(folder)?,
            ProviderName::Registry => builder.registry()?,
            ProviderName::Service => builder.services()?,
            ProviderName::Smtp => builder.smtp()?,
            ProviderName::Stripe => builder.stripe()?,
            ProviderName::Supabase => builder.supabase()?,
        }
    }
    builder.backups_at_supabase();
    builder.images_beside_objects();
    let ProviderBuilder { registry, journal, serves, away, events, objects, registry_tokens, .. } = builder;
    Ok(Opened { registry, journal, vault, serves, away, events, objects, registry_tokens, _scratch: scratch })
}

/// Opens the vault in a folder, or in another place beside the folder, with these keys or those in [`KEY_VARIABLE`]. Creates the folder
/// and the vault if needed.
///
/// # Errors
///
/// Fails if a key is missing or malformed, or the folder or the vault can't be opened.
pub fn secrets_of(place: Option<&Place>, folder: &Path, keys: Option<Keys>) -> Result<Vault, OpenError> {
    let (place, file, keys) = secrets_at(place, folder, keys)?;
    Ok(Vault::open_at(&place, &file, keys)?)
}

/// Begins a new vault, in place of a lost one. Returns where the older one is kept, if there is one.
///
/// # Errors
///
/// As [`secrets_of`].
pub fn begin_secrets(place: Option<&Place>, folder: &Path) -> Result<Option<String>, OpenError> {
    let (place, file, keys) = secrets_at(place, folder, None)?;
    Ok(Vault::begin_at(&place, &file, keys)?.1)
}

/// Returns the place of a vault, its file in the folder, and its keys. Creates the folder if needed.
fn secrets_at(place: Option<&Place>, folder: &Path, keys: Option<Keys>) -> Result<(Place, PathBuf, Keys), OpenError> {
    let keys = match keys {
        Some(keys) => keys,
        None => Keys::parse(&std::env::var(KEY_VARIABLE).unwrap_or_default())?,
    };
    create(folder)?;
    let file = folder.join(SECRETS);
    Ok((place.cloned().unwrap_or_else(|| Place::File(file.clone())), file, keys))
}

fn create(folder: &Path) -> Result<(), VaultError> {
    let error = |error| VaultError::Io { path: folder.display().to_string(), error };
    std::fs::create_dir_all(folder).map_err(error)
}

/// Returns access to the environment variables to which the settings refer, and to the files of the secrets folder.
fn machine_secrets(options: &Options) -> MachineSecrets {
    let settings = &options.settings;
    let named = settings.references().into_iter().filter_map(MachineSecrets::variable_of).map(str::to_owned);
    MachineSecrets::new(named, settings.secrets_folder.clone()).with(options.variables.clone())
}

/// Returns the sender of mails that the settings do not name: a business at this machine.
fn sender(title: &str) -> String {
    let quoted: String = title.chars().filter(|letter| !matches!(letter, '"' | '\\')).collect();
    format!("\"{quoted}\" <host@localhost>")
}

/// Builds the registry. The features of this crate decide which providers it can add.
pub(crate) struct ProviderBuilder<'o> {
    registry: Registry,
    journal: Journal,
    pub options: &'o Options,
    /// Secrets for listings, which run outside of calls.
    pub secrets: Arc<dyn Secrets>,
    serves: Option<SocketAddr>,
    away: Option<AwaySlot>,
    events: Option<Arc<dyn EventList>>,
    objects: Option<Arc<dyn ObjectList>>,
    pub registry_tokens: Option<Arc<dyn RegistryTokens>>,
    /// The providers that sign something.
    pub signers: crate::images::Signers,
    /// The PostgreSQL provider within its limits.
    pub postgres: Option<Arc<dyn Provider>>,
    /// Settings of the Supabase provider.
    pub projects: Option<crate::supabase::Config>,
}

impl ProviderBuilder<'_> {
    /// Returns a provider within its limits, for a provider that passes calls on.
    pub fn within(&self, name: ProviderName, provider: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Limited::new(name.as_str(), provider, self.options.settings.limits_of(name.as_str())))
    }

    /// Registers a provider without limits of its own.
    pub fn unlimited(&mut self, patterns: &[&str], provider: Arc<dyn Provider>) {
        self.add(patterns, provider, None);
    }

    fn add(
        &mut self,
        patterns: &[&str],
        provider: Arc<dyn Provider>,
        limits: Option<(ProviderName, ProviderLimits)>,
    ) -> Arc<dyn Provider> {
        let within: Arc<dyn Provider> = match limits {
            Some((name, limits)) => Arc::new(Limited::new(name.as_str(), provider, limits)),
            None => provider,
        };
        self.registry.register(patterns, self.journal.around(within.clone()));
        within
    }

    /// Registers a provider within its limits.
    pub fn limited(&mut self, name: ProviderName, patterns: &[&str], provider: Arc<dyn Provider>) -> Arc<dyn Provider> {
        let limits = self.options.settings.limits_of(name.as_str());
        self.add(patterns, provider, Some((name, limits)))
    }

    /// Resolves a reference in the settings.
    pub fn secret(&self, name: ProviderName, reference: &str) -> Result<host_provider_api::Secret, OpenError> {
        let found = machine_secrets(self.options).resolve("", reference);
        found.map_err(|error| OpenError::Settings { name, problem: error.to_string() })
    }

    /// Registers the local provider, and a mail provider that writes mails to a folder.
    fn local(&mut self, folder: &Path) -> Result<(), OpenError> {
        let folder_of_local = folder.join("local");
        let local = match self.options.is_beside {
            true => Local::beside(&folder_of_local)?,
            false => Local::open(&folder_of_local, self.options.port)?,
        };
        self.serves = Some(local.address());
        self.away = Some(local.away().clone());
        let objects = self.add(&crate::local::PATTERNS, Arc::new(local), None);
        {
            self.signers.objects = Some(objects);
        }
        self.mail(ProviderName::Local, MailTransport::Folder(folder.join("mails")), None)
    }

    fn mail(
        &mut self,
        name: ProviderName,
        transport: MailTransport,
        limits: Option<ProviderLimits>,
    ) -> Result<(), OpenError> {
        let settings = &self.options.settings.mail;
        let templates = self.options.mail_templates();
        let mail = Mail::new(crate::mail::Config {
            from: settings.from.clone().unwrap_or_else(|| sender(&templates.site.title)),
            templates,
            addresses: Arc::new(SettingsAddressBook::new(
                settings.clone(),
                self.options.directory.clone(),
                name == ProviderName::Local,
            )),
            transport,
        });
        let mail = mail.map_err(|error: BadConfig| OpenError::Settings { name, problem: error.to_string() })?;
        self.add(&["mail"], Arc::new(mail), limits.map(|limits| (name, limits)));
        Ok(())
    }

    fn http(&mut self) -> Result<(), OpenError> {
        use crate::health::{Config, Probe, Reach};
        // The local provider serves its instances on this machine.
        let is_local = self.options.names.contains(&ProviderName::Local);
        let reach = if is_local { Reach::with_this_machine() } else { Reach::public() };
        let reach = reach.and(&self.options.settings.http.networks).map_err(|error| OpenError::Settings {
            name: ProviderName::Http,
            problem: format!("`http.networks` of the provider settings: {error}"),
        })?;
        self.limited(ProviderName::Http, &["probe"], Arc::new(Probe::new(Config { reach, ..Config::default() })));
        Ok(())
    }

    /// Registers the services of the business.
    fn services(&mut self) -> Result<(), OpenError> {
        let problem = |problem: String| OpenError::Settings { name: ProviderName::Service, problem };
        let services = self.options.settings.service.clone();
        if services.is_empty() {
            let expected = "expected `service: [{url: …, secret: …, effects: […]}]` in the file of --provider-settings";
            return Err(problem(expected.to_owned()));
        }
        for settings in services {
            let secret = self.secret(ProviderName::Service, &settings.secret)?;
            let config = crate::service::Config { url: settings.url, secret };
            let service = crate::service::Service::new(&config).map_err(|error| problem(error.to_string()))?;
            let effects: Vec<&str> = settings.effects.iter().map(String::as_str).collect();
            self.limited(ProviderName::Service, &effects, Arc::new(service));
        }
        Ok(())
    }

    fn litellm(&mut self) -> Result<(), OpenError> {
        use crate::litellm::{Config, Identify, LiteLlm};
        use crate::settings::LitellmUsers;
        let name = ProviderName::Litellm;
        let settings = self.options.settings.litellm.clone().ok_or_else(|| OpenError::Settings {
            name,
            problem: "expected `litellm: {url: …}` in the file of --provider-settings".to_owned(),
        })?;
        let identify = match settings.users {
            LitellmUsers::User => Identify::User,
            LitellmUsers::EndUser => Identify::EndUser,
        };
        let config = Config { identify, ..Config::new(&settings.url, self.secret(name, &settings.key)?) };
        self.limited(name, &["usage.pull"], Arc::new(LiteLlm::new(config)));
        Ok(())
    }

    fn smtp(&mut self) -> Result<(), OpenError> {
        use crate::mail::{Password, Security, Smtp};
        use crate::settings::SmtpSecurity;
        let problem = |problem: &str| OpenError::Settings { name: ProviderName::Smtp, problem: problem.to_owned() };
        let smtp = self.options.settings.smtp.as_ref();
        let smtp = smtp.ok_or_else(|| problem("expected `smtp: {host: …}` in the file of --provider-settings"))?;
        let login = match (&smtp.user, &smtp.password) {
            (Some(user), Some(password)) => Some((user.clone(), Password::Reference(password.clone()))),
            (None, None) => None,
            _ => return Err(problem("expected `user` and `password`, or neither")),
        };
        let transport = MailTransport::Smtp(Smtp {
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
        let limits = self.options.settings.limits_of(ProviderName::Smtp.as_str());
        self.mail(ProviderName::Smtp, transport, Some(limits))
    }

    fn stripe(&mut self) -> Result<(), OpenError> {
        let config = match &self.options.local_stripe {
            Some(LocalStripe { url, key }) => crate::stripe::Config {
                test_key: Some(host_provider_api::Secret::new(key)),
                url: url.clone(),
                ..crate::stripe::Config::default()
            },
            None => self.stripe_account()?,
        };
        let site = self.options.settings.stripe.site.as_deref().map(|site| site.trim_end_matches('/').to_owned());
        let site = site.or_else(|| self.options.site.as_ref().map(|site| site.url.clone()));
        // Nobody is led back by the pages of a replay.
        let site = site.or_else(|| self.options.local_stripe.as_ref().map(|_| MailSite::default().url));
        let config = crate::stripe::Config { site, ..config };
        let stripe = Arc::new(crate::stripe::Stripe::new(config));
        self.events = Some(stripe.clone());
        self.objects = Some(stripe.clone());
        self.limited(ProviderName::Stripe, &["stripe"], stripe);
        Ok(())
    }

    /// Returns the configuration of the provider `stripe` from the settings.
    fn stripe_account(&self) -> Result<crate::stripe::Config, OpenError> {
        let settings = &self.options.settings.stripe;
        let machine_secrets = machine_secrets(self.options);
        let key = |reference: &str| machine_secrets.resolve("", reference).ok();
        let given = |livemode: bool| {
            let given = self.options.stripe_key.as_ref().filter(|given| given.livemode == livemode);
            given.map(|given| given.key.clone())
        };
        let test_key = given(false).or_else(|| key(&settings.test_key));
        let live_key = given(true).or_else(|| key(&settings.live_key));
        if test_key.is_none() && live_key.is_none() {
            let problem =
                format!("there is no key: expected one at `{}` or `{}`", settings.test_key, settings.live_key);
            return Err(OpenError::Settings { name: ProviderName::Stripe, problem });
        }
        let default = crate::stripe::Config::default();
        let url = settings.url.clone().unwrap_or_else(|| default.url.clone());
        Ok(crate::stripe::Config { test_key, live_key, url, ..default })
    }
}
