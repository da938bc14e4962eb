//! An index of an extension's declarations, with the configuration of one business.

use crate::not_state::NotState;
use crate::permitted::Permitted;
use extension_contract::{ConfigType, ConfigValue, Declarations, RetryPolicy};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A mismatch between a configuration and the extension's declarations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The extension does not declare the key.
    #[error("configuration key `{key}` is not declared")]
    Undeclared {
        /// The key.
        key: String,
    },
    /// A required key has neither value nor default.
    #[error("configuration key `{key}` is required and has no value")]
    Missing {
        /// The key.
        key: String,
    },
    /// A value is not of the declared type.
    #[error("configuration key `{key}`: `{value}` is not {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// The value; never the value of a secret.
        value: String,
        /// Description of the expected value.
        expected: &'static str,
    },
}

/// The declarations of an extension, indexed, and the configuration of one business.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Declared {
    collections: BTreeSet<String>,
    effects: HashMap<String, RetryPolicy>,
    config: BTreeMap<String, Option<ConfigValue>>,
    not_state: NotState,
    permitted: Permitted,
}

impl Declared {
    /// Joins declarations with configuration values in text form. A secret that is not a reference (`secret:…`) is
    /// replaced by the reference `secret:config/KEY`, so that the plain secret never reaches the extension.
    ///
    /// # Errors
    /// Fails if a value is not declared, is not of the declared type, or is required and missing.
    pub fn new(declarations: &Declarations, given: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        if let Some(key) = given.keys().find(|key| !declarations.config.iter().any(|decl| decl.key == **key)) {
            return Err(ConfigError::Undeclared { key: key.clone() });
        }
        let mut config = BTreeMap::new();
        for decl in &declarations.config {
            let text = given.get(&decl.key).or(decl.default_value.as_ref());
            if text.is_none() && decl.required {
                return Err(ConfigError::Missing { key: decl.key.clone() });
            }
            let value = text.map(|text| parse_config(&decl.key, decl.value_type, text)).transpose()?;
            config.insert(decl.key.clone(), value);
        }
        Ok(Declared {
            collections: declarations.collections.iter().cloned().collect(),
            effects: declarations.effects.iter().map(|decl| (decl.kind.clone(), decl.retry.clone())).collect(),
            config,
            not_state: NotState::default(),
            permitted: Permitted::default(),
        })
    }

    /// Sets the JSON members that the manifest excludes from the state.
    pub fn without_state(self, not_state: NotState) -> Self {
        Declared { not_state, ..self }
    }

    /// Returns the JSON members that are excluded from the state.
    pub fn not_state(&self) -> &NotState {
        &self.not_state
    }

    /// Sets the manifest's permissions.
    pub fn permitting(self, permitted: Permitted) -> Self {
        Declared { permitted, ..self }
    }

    /// Returns the manifest's permissions; without a manifest, everything is permitted.
    pub fn permitted(&self) -> &Permitted {
        &self.permitted
    }

    /// Returns the collections of records that the extension may write.
    pub fn collections(&self) -> &BTreeSet<String> {
        &self.collections
    }

    /// Returns the effect kinds for providers, each with its retry policy.
    pub fn effects(&self) -> &HashMap<String, RetryPolicy> {
        &self.effects
    }

    /// Returns the declared retry policy of an effect kind; none for kinds that the host handles itself.
    pub fn retry(&self, kind: &str) -> Option<&RetryPolicy> {
        self.effects.get(kind)
    }

    /// Returns true for an effect kind that a provider carries out.
    pub fn declares_effect(&self, kind: &str) -> bool {
        self.effects.contains_key(kind)
    }

    /// Returns the configuration by key; none for an optional value that is not set.
    pub fn config(&self) -> &BTreeMap<String, Option<ConfigValue>> {
        &self.config
    }
}

/// Parses the value of a configuration key. `key` is used in errors and in the reference of a secret.
///
/// # Errors
/// Fails if the text is not a value of the type.
pub fn parse_config(key: &str, value_type: ConfigType, text: &str) -> Result<ConfigValue, ConfigError> {
    let wrong = |expected| ConfigError::WrongType { key: key.to_owned(), value: text.to_owned(), expected };
    Ok(match value_type {
        ConfigType::Text => ConfigValue::Text(text.to_owned()),
        ConfigType::Integer => {
            ConfigValue::Integer(text.parse().map_err(|_| wrong("a whole number of at most 64 bits"))?)
        }
        ConfigType::Boolean => match text {
            "true" => ConfigValue::Boolean(true),
            "false" => ConfigValue::Boolean(false),
            _ => return Err(wrong("`true` or `false`")),
        },
        ConfigType::Secret if text.starts_with("secret:") => ConfigValue::Secret(text.to_owned()),
        ConfigType::Secret => ConfigValue::Secret(format!("secret:config/{key}")),
    })
}
