//! The options with which the providers are opened, and the registry to which they are added.

use crate::addresses::Directory;
use crate::journal::Journal;
use crate::limits::{Limited, ProviderLimits};
use crate::local::{AwaySlot, LocalError};
use crate::mail::{MailSite, MailTemplates};
use crate::settings::Settings;
use host_provider_api::{EventList, ObjectList, Provider, ProviderName, Registry, RegistryTokens, Secret, Secrets};
use host_store_postgres::small::Place;
use host_vault::{KeyError, Keys, MachineSecrets, VaultError};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Options of [`open`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of the providers. If several providers have the same resources, the last one is used.
    pub names: Vec<ProviderName>,
    /// Folder of local resources and secrets. None for a temporary folder.
    pub folder: Option<PathBuf>,
    /// Port of the local provider's HTTP server. None for a free port.
    pub port: Option<u16>,
    /// True to serve nothing, because another process serves this folder or the folder of which it is a copy.
    pub is_beside: bool,
    /// A local Stripe that the provider `stripe` calls instead of Stripe.
    pub local_stripe: Option<LocalStripe>,
    /// Settings of the providers.
    pub settings: Settings,
    /// Keys that encrypt the secrets. None to use those in [`KEY_VARIABLE`].
    pub keys: Option<Keys>,
    /// Location of the secrets, if it is not the folder. None for a file in the folder.
    pub secrets: Option<Place>,
    /// Key of Stripe's API, used instead of those in the settings.
    pub stripe_key: Option<StripeKey>,
    /// Folders of the business's own mail templates. The folder in the settings takes precedence.
    pub templates: Vec<PathBuf>,
    /// The business as its mails show it; none without pages. Stripe's pages return the customer to its address.
    pub site: Option<MailSite>,
    /// Addresses of accounts that are not in the settings; none without users.
    pub directory: Option<Directory>,
    /// Values of environment variables to which the settings refer. A variable of the process takes precedence.
    pub variables: BTreeMap<String, Secret>,
}

impl Options {
    /// Returns the mail templates: those of the settings and those of the business.
    pub fn mail_templates(&self) -> MailTemplates {
        let folders = self.settings.mail.templates.iter().chain(&self.templates).cloned().collect();
        MailTemplates { folders, site: self.site.clone().unwrap_or_default() }
    }
}

/// A key of Stripe's API in one mode.
#[derive(Clone, Debug)]
pub struct StripeKey {
    /// True for a live-mode key.
    pub livemode: bool,
    /// The key.
    pub key: Secret,
}

/// Address and key of a local Stripe.
#[derive(Clone, Debug)]
pub struct LocalStripe {
    /// Base URL, `http://127.0.0.1:PORT`.
    pub url: String,
    /// A key of the local Stripe's test account. It is not valid at the real Stripe.
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
         `cargo build --release --package provisioner --features aws` one with AWS and Backblaze B2"
    )]
    NotBuilt(ProviderName),
    /// No provider was requested.
    #[error("no provider is named: expected one of {}", ProviderName::ALL.map(ProviderName::as_str).join(", "))]
    Nothing,
}

impl OpenError {
    /// Returns the error for unusable settings of a provider.
    pub(crate) fn settings(name: ProviderName, problem: impl ToString) -> OpenError {
        OpenError::Settings { name, problem: problem.to_string() }
    }
}

/// Returns access to the environment variables to which the settings refer, and to the files of the secrets folder.
pub(crate) fn machine_secrets(options: &Options) -> MachineSecrets {
    let settings = &options.settings;
    let named = settings.references().into_iter().filter_map(MachineSecrets::variable_of).map(str::to_owned);
    MachineSecrets::new(named, settings.secrets_folder.clone()).with(options.variables.clone())
}

/// Builds the registry. The features of this crate determine which providers it can add.
pub(crate) struct ProviderBuilder<'o> {
    pub registry: Registry,
    pub journal: Journal,
    pub options: &'o Options,
    /// Secrets for listings, which run outside of calls.
    pub secrets: Arc<dyn Secrets>,
    pub serves: Option<SocketAddr>,
    pub away: Option<AwaySlot>,
    pub events: Option<Arc<dyn EventList>>,
    pub objects: Option<Arc<dyn ObjectList>>,
    pub registry_tokens: Option<Arc<dyn RegistryTokens>>,
    /// The providers that sign something.
    pub signers: Signers,
    /// The PostgreSQL provider within its limits.
    pub postgres: Option<Arc<dyn Provider>>,
    /// Settings of the Supabase provider.
    pub projects: Option<crate::supabase::Config>,
}

/// The providers that sign something.
#[derive(Default)]
pub(crate) struct Signers {
    /// Signs credentials for images.
    pub images: Option<Arc<dyn Provider>>,
    /// Signs addresses of objects: the last of the providers that have buckets.
    pub objects: Option<Arc<dyn Provider>>,
}

impl ProviderBuilder<'_> {
    /// Returns a provider with its limits, for a provider that passes calls on.
    pub(crate) fn within(&self, name: ProviderName, provider: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Limited::new(name.as_str(), provider, self.options.settings.limits_of(name.as_str())))
    }

    /// Registers a provider without limits.
    pub(crate) fn unlimited(&mut self, patterns: &[&str], provider: Arc<dyn Provider>) {
        self.add(patterns, provider, None);
    }

    pub(crate) fn add(
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

    /// Registers a provider with its limits.
    pub(crate) fn limited(
        &mut self,
        name: ProviderName,
        patterns: &[&str],
        provider: Arc<dyn Provider>,
    ) -> Arc<dyn Provider> {
        let limits = self.options.settings.limits_of(name.as_str());
        self.add(patterns, provider, Some((name, limits)))
    }

    /// Resolves a reference in the settings.
    pub(crate) fn secret(&self, name: ProviderName, reference: &str) -> Result<host_provider_api::Secret, OpenError> {
        let found = machine_secrets(self.options).resolve("", reference);
        found.map_err(|error| OpenError::Settings { name, problem: error.to_string() })
    }
}
