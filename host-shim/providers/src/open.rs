//! Opens the requested providers with their secrets, journal and limits.

use crate::builder::{OpenError, Options, ProviderBuilder, Signers, machine_secrets};
use crate::journal::Journal;
use crate::local::AwaySlot;
use host_provider_api::{EventList, ObjectList, ProviderName, Registry, RegistryTokens, Secrets};
use host_store_postgres::small::Place;
use host_vault::{CombinedSecrets, KEY_VARIABLE, Keys, SecretProvider, Vault, VaultError};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// File of the secrets in the providers' folder.
pub const SECRETS: &str = "secrets.db";

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
    /// Slot for the pages of instances that are not running; none without the provider `local`.
    pub away: Option<AwaySlot>,
    /// Lists Stripe's events; none without the provider `stripe`.
    pub events: Option<Arc<dyn EventList>>,
    /// Lists Stripe's objects; none without the provider `stripe`.
    pub objects: Option<Arc<dyn ObjectList>>,
    /// Signs tokens for clients of a registry; none without the provider `registry`.
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
/// Fails if no provider is requested, if the program was built without a provider, if a provider's settings are invalid, or if the folder
/// or the secrets can't be opened.
pub fn open(options: &Options) -> Result<Opened, OpenError> {
    if options.names.is_empty() {
        return Err(OpenError::Nothing);
    }
    let scratch = match options.folder {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("provisioner-").tempdir().map_err(OpenError::Scratch)?),
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
        signers: Signers::default(),
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

/// Opens the vault in a folder, or in another location instead, with these keys or those in [`KEY_VARIABLE`]. Creates the folder and the
/// vault if needed.
///
/// # Errors
///
/// Fails if a key is missing or malformed, or the folder or the vault can't be opened.
pub fn secrets_of(place: Option<&Place>, folder: &Path, keys: Option<Keys>) -> Result<Vault, OpenError> {
    let (place, file, keys) = secrets_at(place, folder, keys)?;
    Ok(Vault::open_at(&place, &file, keys)?)
}

/// Starts a new vault in place of a lost one. Returns where the older one is kept, if there is one.
///
/// # Errors
///
/// As [`secrets_of`].
pub fn begin_secrets(place: Option<&Place>, folder: &Path) -> Result<Option<String>, OpenError> {
    let (place, file, keys) = secrets_at(place, folder, None)?;
    Ok(Vault::begin_at(&place, &file, keys)?.1)
}

/// Returns the location of a vault (its file in the folder) and its keys. Creates the folder if needed.
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
