//! Collects the configuration of a server: the configuration file, the folders of the businesses, their `.env`, and the
//! settings of their providers.

use extension_contract::Declarations;
use host_business::folder::BusinessFolder;
use host_provider_api::ProviderName;
use host_providers::{KEY_VARIABLE, Keys, Options, Settings, StripeKey};
use host_run::IssuerSettings;
use host_run::config::{
    BusinessConfig, BusinessMode, Environment, Prepared, ServerConfig, Unused, interpolated, prepare,
};
use host_scenario::error::{BadInput, Place};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Prefix of a reference to a variable in provider settings.
const VARIABLE: &str = "secret:env/";

/// The configuration of one business.
pub(crate) struct ConfiguredBusiness {
    pub(crate) mode: BusinessMode,
    pub(crate) hosts: Vec<String>,
    pub(crate) simulate: bool,
    pub(crate) issuers: Vec<IssuerSettings>,
    pub(crate) prepared: Prepared,
    pub(crate) providers: Options,
    /// The faults of the file and its variables that prevent a start.
    pub(crate) lacking: Vec<BadInput>,
}

impl ConfiguredBusiness {
    pub(crate) fn is_live(&self) -> bool {
        self.mode == BusinessMode::Live
    }
}

/// The values from the command line, for all businesses; they override those in the file.
#[derive(Default)]
pub(crate) struct Overrides {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) mode: Option<BusinessMode>,
    pub(crate) providers: Vec<ProviderName>,
    pub(crate) provider_settings: Option<PathBuf>,
    pub(crate) simulate: bool,
}

/// Reads the configuration file, with the variables of the process and of the `.env` next to the file.
pub(crate) fn read_file(file: &Path) -> Result<(ServerConfig, Environment), Vec<BadInput>> {
    read_file_with(file, Environment::of_this_process())
}

/// Reads the configuration file, with these variables and those of the `.env` next to the file.
pub(crate) fn read_file_with(
    file: &Path,
    environment: Environment,
) -> Result<(ServerConfig, Environment), Vec<BadInput>> {
    let beside = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let environment = environment.with_folder(beside)?;
    Ok((ServerConfig::read(file, &environment)?, environment))
}

/// Returns the businesses in the file, or the one given on the command line, with the changes from the command line.
fn businesses(file: Option<&ServerConfig>, overrides: &Overrides) -> Vec<BusinessConfig> {
    let mut businesses = match (file, &overrides.folder) {
        (Some(file), None) => file.businesses.clone(),
        // A folder that the file does not list gets the values that all businesses share.
        (Some(file), Some(folder)) => {
            let same = |business: &&BusinessConfig| is_same(&business.folder, folder);
            let found = file.businesses.iter().find(same).cloned();
            vec![found.unwrap_or_else(|| file.defaults.clone().in_folder(folder))]
        }
        (None, Some(folder)) => vec![BusinessConfig::of_folder(folder)],
        (None, None) => Vec::new(),
    };
    for business in &mut businesses {
        business.mode = overrides.mode.unwrap_or(business.mode);
        business.simulate |= overrides.simulate;
        if !overrides.providers.is_empty() {
            business.providers.clone_from(&overrides.providers);
        }
        if let Some(settings) = &overrides.provider_settings {
            business.provider_settings = Some(settings.clone());
        }
    }
    businesses
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Returns the configuration of each business, or all faults.
pub(crate) fn configured(
    file: Option<&ServerConfig>,
    environment: &Environment,
    overrides: &Overrides,
    declarations: &Declarations,
) -> Result<Vec<ConfiguredBusiness>, Vec<BadInput>> {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for business in businesses(file, overrides) {
        let place = file.map(|file| business.place_in(&file.file));
        match one(business, environment, declarations) {
            Ok((mut business, has_key)) => {
                business.lacking = place.map(|place| lacking(&business, has_key, &place)).unwrap_or_default();
                found.push(business);
            }
            Err(more) => faults.extend(more),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

/// Returns what a business in a file needs before it can start. Local mode has its own providers and its own key.
fn lacking(business: &ConfiguredBusiness, has_key: bool, place: &Place) -> Vec<BadInput> {
    if business.mode == BusinessMode::Local {
        return Vec::new();
    }
    let name = &business.prepared.business.name;
    let mut lacking = Vec::new();
    if business.providers.names.is_empty() {
        let expected = "`providers: [NAME, …]`, or `mode: local`";
        lacking.push(BadInput::new(place.clone(), format!("`{name}` has no providers"), expected));
    }
    if !has_key {
        let problem = format!("`{name}`: the variable `{KEY_VARIABLE}` is missing or empty");
        lacking.push(BadInput::new(place.clone(), problem, "the key of the stored secrets: 64 hexadecimal digits"));
    }
    lacking
}

/// Returns the configuration of a business, and whether there is a key for the stored secrets.
fn one(
    config: BusinessConfig,
    environment: &Environment,
    declarations: &Declarations,
) -> Result<(ConfiguredBusiness, bool), Vec<BadInput>> {
    if let Some(missing) = config.missing_folder() {
        return Err(vec![missing]);
    }
    let business = BusinessFolder::load(&config.folder)?;
    let environment = environment.clone().with_folder(&config.folder)?;
    let (settings, variables) = settings(config.provider_settings.as_deref(), &environment)?;
    let mut prepared = prepare(&business, declarations, &config, &environment, &variables)?;
    let stripe_key = stripe_key(&mut prepared, &settings, &config, &environment);
    let keys = match environment.of_files().get(KEY_VARIABLE) {
        Some(keys) => Some(Keys::parse(keys.expose()).map_err(|error| {
            let problem = format!("`{KEY_VARIABLE}`: {error}");
            vec![BadInput::new(Place::file(&config.folder.join(".env")), problem, "keys of the vault")]
        })?),
        None => None,
    };
    let BusinessConfig { mode, hosts, simulate, issuers, providers: names, .. } = config;
    let providers =
        Options { names, settings, keys, stripe_key, variables: environment.of_files(), ..Options::default() };
    let has_key = environment.get(KEY_VARIABLE).is_some();
    let lacking = Vec::new();
    Ok((ConfiguredBusiness { mode, hosts, simulate, issuers, prepared, providers, lacking }, has_key))
}

/// Reads the provider settings, and returns the variables used in them.
fn settings(file: Option<&Path>, environment: &Environment) -> Result<(Settings, BTreeSet<String>), Vec<BadInput>> {
    let Some(file) = file else { return Ok((Settings::default(), variables_of(&Settings::default()).collect())) };
    let read = interpolated(file, environment)?;
    let settings = Settings::of_json(file, read.written.json(), read.filled.json()).map_err(|error| {
        vec![BadInput::new(Place::file(file), error.problem, "the settings of docs/reference/providers.md")]
    })?;
    let mut variables = read.variables;
    variables.extend(variables_of(&settings));
    Ok((settings, variables))
}

fn variables_of(settings: &Settings) -> impl Iterator<Item = String> + use<> {
    let names = settings.references().into_iter().filter_map(|reference| reference.strip_prefix(VARIABLE));
    names.map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// Returns the key for Stripe's API, unless the provider settings give a different key. Reports a variable that has no
/// effect.
fn stripe_key(
    prepared: &mut Prepared,
    settings: &Settings,
    config: &BusinessConfig,
    environment: &Environment,
) -> Option<StripeKey> {
    let key = prepared.stripe_key.clone()?;
    let livemode = config.mode == BusinessMode::Live;
    let default = Settings::default().stripe;
    let (named, default) = match livemode {
        true => (&settings.stripe.live_key, default.live_key),
        false => (&settings.stripe.test_key, default.test_key),
    };
    let is_set = named.strip_prefix(VARIABLE).is_none_or(|name| environment.get(name).is_some());
    let reason = if !config.providers.contains(&ProviderName::Stripe) {
        "the provider `stripe` is not among the providers".to_owned()
    } else if !prepared.is_key_of_file && (*named != default || is_set) {
        format!("the settings of the providers name `{named}`")
    } else {
        return Some(StripeKey { livemode, key });
    };
    let name = match prepared.is_key_of_file {
        true => "extensions.products.stripe_secret_key",
        false => host_run::config::STRIPE_SECRET_KEY,
    };
    prepared.unused.push(Unused { name: name.to_owned(), reason });
    None
}
