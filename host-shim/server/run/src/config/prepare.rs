//! Extracts each business's part of the configuration file and of the environment: its configuration values, the secrets of
//! its webhooks, and its key for Stripe's API. Lists the variables and values that have no effect.

use crate::config::business::{BusinessConfig, BusinessMode};
use crate::config::environment::Environment;
use crate::config::extensions::{INSTANCE_PROVISIONER, OwnValue};
use crate::config::reader::SecretValue;
use crate::config::unused::Unused;
use crate::config::variables::{CONNECT_WEBHOOK_SECRET, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET};
use extension_contract::{ConfigDecl, ConfigType, Declarations};
use host_business::folder::{BUSINESS_FILE, BusinessFolder, CATALOG_FILE};
use host_business::yaml::bad_input::{BadInput, Place};
use host_business::{Setup, StartError};
use host_engine::clock::Clock;
use host_intake::signature::{SECRET_CHARS_MIN, is_short};
use host_intake::{Mode, SecretConfig};
use host_provider_api::{Registry, Secret};
use host_store::{ConfigError, MemoryStore, parse_config};
use host_wasm_runner::runner::Runner;
use std::collections::{BTreeMap, BTreeSet};

/// Suffixes of the names of signing secrets during a rotation.
const ROTATION: [&str; 2] = ["", "-old"];
/// Prefixes of Stripe API keys, each with whether they are for live mode.
const STRIPE_KEYS: [(&str, bool); 4] =
    [("sk_test_", false), ("rk_test_", false), ("sk_live_", true), ("rk_live_", true)];
/// The reason why Stripe's variables have no effect in local mode.
const LOCAL: &str = "local mode has a Stripe of its own";

/// The part of a business in the configuration file and the environment.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The business, with the policies of the configuration file.
    pub business: BusinessFolder,
    /// Values of configuration keys; secrets are references.
    pub config: Vec<(String, String)>,
    /// Signing secrets of Stripe's endpoints; none in local mode.
    pub stripe: Vec<SecretConfig>,
    /// A further path of Stripe's webhooks.
    pub stripe_path: Option<String>,
    /// Key of Stripe's API; none in local mode.
    pub stripe_key: Option<Secret>,
    /// True if the Stripe API key is given in the configuration file.
    pub is_key_of_file: bool,
    /// The secrets of the business's other webhooks, by webhook. The `Debug` output of the value does not contain the
    /// secret.
    pub webhooks: BTreeMap<String, Secret>,
    /// The variables and values that have no effect, sorted.
    pub unused: Vec<Unused>,
}

/// Returns the part of a business. `settings` are the variables used in its provider settings.
///
/// # Errors
/// Fails with all faults of the values. A fault never contains the value of a variable.
pub fn prepare(
    business: &BusinessFolder,
    declarations: &Declarations,
    config: &BusinessConfig,
    environment: &Environment,
    settings: &BTreeSet<String>,
) -> Result<Prepared, Vec<BadInput>> {
    let mut preparing = Preparing {
        business,
        declared: business.own.beside(declarations).config,
        config,
        environment,
        faults: Vec::new(),
        unused: Vec::new(),
    };
    let values = preparing.values();
    preparing.check_products(declarations);
    let webhooks = preparing.webhooks();
    let (stripe, stripe_key) = preparing.stripe();
    preparing.note_variables(settings);
    let Preparing { faults, mut unused, .. } = preparing;
    if !faults.is_empty() {
        return Err(faults);
    }
    unused.sort();
    unused.dedup();
    let products = &config.extensions.products;
    let policies = [("success_url", &products.success_url), ("cancel_url", &products.cancel_url)];
    let with_policies = policies.into_iter().fold(business.clone(), |business, (name, url)| match url {
        Some(url) => business.with_policy(name, url),
        None => business,
    });
    Ok(Prepared {
        business: with_policies,
        config: values,
        stripe,
        stripe_path: products.webhook_path.clone().filter(|_| products.webhooks != Some(false)),
        stripe_key,
        is_key_of_file: products.stripe_secret_key.is_some(),
        webhooks,
        unused,
    })
}

/// Returns the faults that the extension finds in the catalog with these values. Stores nothing.
pub fn catalog_faults(setup: &Setup, runner: Box<dyn Runner>) -> Vec<BadInput> {
    match setup.start(Box::new(MemoryStore::new()), runner, Registry::new(), Clock::manual(0)) {
        Ok(_) => Vec::new(),
        Err(StartError::Catalog(faults)) => faults,
        Err(error) => {
            let place = Place::file(&setup.business().folder.join(CATALOG_FILE));
            vec![BadInput::new(place, error.to_string(), "a business that starts")]
        }
    }
}

struct Preparing<'p> {
    business: &'p BusinessFolder,
    /// Configuration keys of the extension and the business.
    declared: Vec<ConfigDecl>,
    config: &'p BusinessConfig,
    environment: &'p Environment,
    faults: Vec<BadInput>,
    unused: Vec<Unused>,
}

impl Preparing<'_> {
    /// Returns the values in the configuration file and those from the variables of the business's own keys.
    fn values(&mut self) -> Vec<(String, String)> {
        let given = &self.config.extensions.own;
        for value in given {
            if !self.declared.iter().any(|decl| decl.key == value.key) {
                let names = || self.declared.iter().map(|decl| decl.key.as_str());
                let problem = format!("`extensions.{INSTANCE_PROVISIONER}.{}` is not a configuration key", value.key);
                let bad = BadInput::new(value.place.clone(), problem, names().collect::<Vec<_>>().join(", "));
                self.faults.push(bad.guessing(&value.key, names()));
            }
        }
        let mut values = Vec::new();
        for decl in &self.declared {
            let own = given.iter().find(|value| value.key == decl.key);
            let of_variable = || decl.env.as_deref().filter(|_| self.is_own(&decl.key));
            let found = match (own, of_variable()) {
                (Some(value), _) => self.of_file(decl, value),
                (None, Some(variable)) => self.of_variable(decl, variable),
                (None, None) => Ok(None),
            };
            match found {
                Ok(Some(text)) => values.push((decl.key.clone(), text)),
                Ok(None) => self.faults.extend(self.missing(decl)),
                Err(bad) => self.faults.push(bad),
            }
        }
        values
    }

    fn is_own(&self, key: &str) -> bool {
        self.business.own.config.iter().any(|decl| decl.key == key)
    }

    fn of_file(&self, decl: &ConfigDecl, value: &OwnValue) -> Result<Option<String>, BadInput> {
        let name = format!("extensions.{INSTANCE_PROVISIONER}.{}", decl.key);
        if decl.value_type == ConfigType::Secret {
            let problem = format!("`{name}` is a secret, and does not come from a variable");
            let bad = BadInput::new(
                value.place.clone(),
                problem,
                "`${NAME}`, with the secret in the environment or in `.env`",
            );
            return value.variable.as_ref().map(|variable| Some(reference(variable))).ok_or(bad);
        }
        self.typed(decl, value.value.expose(), &name, value.place.clone())
    }

    fn of_variable(&self, decl: &ConfigDecl, variable: &str) -> Result<Option<String>, BadInput> {
        let Some(text) = self.environment.get(variable) else { return Ok(None) };
        match decl.value_type {
            ConfigType::Secret => Ok(Some(reference(variable))),
            _ => self.typed(decl, text, variable, self.environment.place_of(variable)),
        }
    }

    /// Checks the type of a value.
    fn typed(&self, decl: &ConfigDecl, text: &str, name: &str, place: Place) -> Result<Option<String>, BadInput> {
        let expected = match self.business.own.value_of(&decl.key, text) {
            Err(decimals) => format!("a decimal number with at most {decimals} decimals"),
            Ok(value) => match parse_config(&decl.key, decl.value_type, &value) {
                Ok(_) => return Ok(Some(text.to_owned())),
                Err(ConfigError::WrongType { expected, .. }) => expected.to_owned(),
                Err(_) => "a value of the declared type".to_owned(),
            },
        };
        Err(BadInput::new(place, format!("`{name}` has the wrong type"), expected))
    }

    /// Returns the fault for a required key without any value.
    fn missing(&self, decl: &ConfigDecl) -> Option<BadInput> {
        let has_value = decl.default_value.is_some() || self.business.config.contains_key(&decl.key);
        if has_value || !decl.required {
            return None;
        }
        let place = Place::file(&self.business.folder.join(BUSINESS_FILE));
        let variable = decl.env.as_ref().map(|name| format!("`{name}` {}, or ", self.environment.places()));
        let expected = format!("{}`{}` in config.yml", variable.unwrap_or_default(), decl.key);
        Some(BadInput::new(place, format!("`{}` is required, and has no value", decl.key), expected))
    }

    /// Checks the product types and event types in the configuration file, and reports what has no effect.
    fn check_products(&mut self, declarations: &Declarations) {
        let products = &self.config.extensions.products;
        let types = type_names(self.business);
        for listed in &products.product_types {
            if !types.contains(&listed.text) {
                let expected = types.iter().cloned().collect::<Vec<_>>().join(", ");
                let problem = format!("the catalog has no product type `{}`", listed.written);
                let bad = BadInput::new(listed.place.clone(), problem, expected);
                self.faults.push(bad.guessing(&listed.written, types.iter().map(String::as_str)));
            }
        }
        for listed in &products.webhook_events {
            if !declarations.payment_kinds.contains(&listed.text) {
                let problem = format!("`{}` is not an event that the extension uses", listed.written);
                let kinds = declarations.payment_kinds.iter().map(String::as_str);
                let bad =
                    BadInput::new(listed.place.clone(), problem, "a kind of Stripe's events, such as invoice.paid");
                self.faults.push(bad.guessing(&listed.written, kinds));
            }
        }
        let mut note = |is_set: bool, name: &str, reason: &str| {
            self.unused.extend(is_set.then(|| Unused::new(&format!("extensions.products.{name}"), reason)));
        };
        note(products.type_fields.is_some(), "product_types.fields", "the catalog declares the fields of its types");
        let publishable = products.stripe_publishable_key.is_some();
        note(publishable, "stripe_publishable_key", "only pages with a card form need it, and the server has none");
        let events = !products.webhook_events.is_empty();
        note(events, "webhooks.events", "the endpoint takes every kind; Stripe's dashboard says what is sent");
    }

    /// Returns the secrets of the business's own webhooks.
    fn webhooks(&mut self) -> BTreeMap<String, Secret> {
        let mut found = BTreeMap::new();
        for own in &self.business.own.webhooks {
            let given = self.config.extensions.own.iter().find(|value| value.key == own.secret);
            let variable = || self.business.own.config.iter().find(|decl| decl.key == own.secret)?.env.as_deref();
            let (name, place, secret) = match (given, variable()) {
                (Some(value), _) => {
                    (value.variable.as_deref().unwrap_or(&value.key), value.place.clone(), value.value.clone())
                }
                (None, Some(variable)) => match self.environment.get(variable) {
                    Some(value) => (variable, self.environment.place_of(variable), Secret::new(value)),
                    None => continue,
                },
                (None, None) => continue,
            };
            self.faults.extend(self.guessable(name, &place, secret.expose()));
            found.insert(own.webhook.name.clone(), secret);
        }
        found
    }

    /// Returns the mistake if a signing secret could be guessed.
    fn guessable(&self, name: &str, place: &Place, secret: &str) -> Option<BadInput> {
        let is_local = self.config.mode == BusinessMode::Local;
        (!is_local && is_short(secret)).then(|| {
            let problem = format!("the signing secret `{name}` is so short that somebody could guess it");
            BadInput::new(
                place.clone(),
                problem,
                format!("at least {SECRET_CHARS_MIN} characters behind `whsec_`, except in local mode"),
            )
        })
    }

    /// Returns Stripe's signing secrets and API key.
    fn stripe(&mut self) -> (Vec<SecretConfig>, Option<Secret>) {
        let products = &self.config.extensions.products;
        let key = self.value_or_variable(products.stripe_secret_key.as_ref(), STRIPE_SECRET_KEY);
        let platform = self.value_or_variable(products.stripe_webhook_secret.as_ref(), STRIPE_WEBHOOK_SECRET);
        let connect = self.value_or_variable(products.stripe_connect_webhook_secret.as_ref(), CONNECT_WEBHOOK_SECRET);
        let reason = match (self.config.mode, products.webhooks) {
            (BusinessMode::Local, _) => Some(LOCAL),
            (_, Some(false)) => Some("`extensions.products.webhooks.enabled` is false"),
            _ => None,
        };
        if let Some(reason) = reason {
            let secrets = [&platform, &connect].into_iter().flatten();
            let notes = secrets.map(|secret| Unused::new(&secret.variable, reason));
            self.unused.extend(notes.collect::<Vec<_>>());
        }
        let mode = Mode::of(self.config.mode == BusinessMode::Live);
        let (platform, connect) = (platform.filter(|_| reason.is_none()), connect.filter(|_| reason.is_none()));
        for value in [&platform, &connect].into_iter().flatten() {
            let short = parts(value).find_map(|secret| self.guessable(&value.variable, &value.place, secret));
            self.faults.extend(short);
        }
        let mut secrets = signing(platform.as_ref(), "platform", false, mode);
        secrets.extend(signing(connect.as_ref(), "connect", true, mode));
        let Some(key) = key else { return (secrets, None) };
        if self.config.mode == BusinessMode::Local {
            self.unused.push(Unused::new(&key.variable, LOCAL));
            return (secrets, None);
        }
        let of_mode = STRIPE_KEYS.iter().find(|(begin, _)| key.value.expose().starts_with(begin));
        if let Some((_, livemode)) = of_mode
            && *livemode != mode.livemode()
        {
            let problem = format!("`{}` is a key of {} mode", key.variable, Mode::of(*livemode));
            self.faults.push(BadInput::new(
                key.place.clone(),
                problem,
                format!("a key of {mode} mode, or another `mode`"),
            ));
        }
        (secrets, Some(key.value))
    }

    fn value_or_variable(&self, given: Option<&SecretValue>, variable: &str) -> Option<SecretValue> {
        let of_variable = || {
            let value = Secret::new(self.environment.get(variable)?);
            Some(SecretValue { variable: variable.to_owned(), value, place: self.environment.place_of(variable) })
        };
        given.cloned().or_else(of_variable)
    }

    /// Reports the variables that are set but have no effect.
    fn note_variables(&mut self, settings: &BTreeSet<String>) {
        let is_set = |name: &str| self.environment.get(name).is_some() && !settings.contains(name);
        let own = &self.business.own;
        let with_reason = own.unused_variables.iter().filter(|(name, _)| is_set(name));
        let mut notes: Vec<Unused> = with_reason.map(|(name, reason)| Unused::new(name, reason)).collect();
        let mut in_files = self.business.keys_in_catalog();
        in_files.extend(self.business.routes.config_keys());
        let words = self.business.lines.words();
        for decl in &own.config {
            let Some(variable) = decl.env.as_deref().filter(|name| is_set(name)) else { continue };
            if own.unused_variables.contains_key(variable) {
                continue;
            }
            let name = format!("config.{}", decl.key);
            let is_named = in_files.contains(&decl.key)
                || own.webhooks.iter().any(|webhook| webhook.secret == decl.key)
                || words.iter().any(|word| *word == name || word.contains(&format!("{{{name}}}")));
            if self.config.extensions.own.iter().any(|value| value.key == decl.key) {
                let reason = format!("the configuration file has a value for `{}`", decl.key);
                let is_same = |value: &OwnValue| value.key == decl.key && value.variable.as_deref() == Some(variable);
                if !self.config.extensions.own.iter().any(is_same) {
                    notes.push(Unused::new(variable, reason));
                }
            } else if !is_named {
                let reason =
                    format!("the catalog does not name `{name}`; settings of a provider may name the variable");
                notes.push(Unused::new(variable, reason));
            }
        }
        self.unused.extend(notes);
    }
}

fn reference(variable: &str) -> String {
    format!("secret:env/{variable}")
}

/// Returns the texts of the signing secrets in a value.
fn parts(value: &SecretValue) -> impl Iterator<Item = &str> {
    value.value.expose().split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Returns the signing secrets in a value: one, or two during a rotation.
fn signing(value: Option<&SecretValue>, name: &str, connect: bool, mode: Mode) -> Vec<SecretConfig> {
    let Some(value) = value else { return Vec::new() };
    let secret = |(part, suffix): (&str, &str)| SecretConfig {
        name: format!("{name}{suffix}"),
        mode,
        connect: Some(connect),
        secret: part.to_owned(),
    };
    parts(value).zip(ROTATION).map(secret).collect()
}

/// Returns the names of the catalog's product types, with their aliases.
fn type_names(business: &BusinessFolder) -> BTreeSet<String> {
    let types = business.catalog["product_types"].as_array().into_iter().flatten();
    let names = types.flat_map(|decl| {
        let aliases = decl["aliases"].as_array().into_iter().flatten();
        [&decl["name"]]
            .into_iter()
            .chain(aliases)
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    });
    names.collect()
}
