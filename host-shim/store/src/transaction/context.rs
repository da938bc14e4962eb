//! What a transaction is about and what it may do.

use crate::scope::Scope;
use products_contract::{ConfigType, ConfigValue, Declarations, RetryPolicy, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How much of the store a call may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads and writes of the scope.
    Full,
    /// Reads of the scope: questions.
    ReadOnly,
    /// Catalog and configuration: `validate` and `correlate`.
    CatalogOnly,
}

/// Who a transaction is for, as of when, and within which limits.
#[derive(Clone, Debug)]
pub struct Context {
    /// Scope of all rows.
    pub scope: Scope,
    /// Id of the event, kept beside facts and effects.
    pub event_id: String,
    /// Connected account of the event's provider; part of its claim keys.
    pub connected_account: Option<String>,
    /// Time that claims are judged by: the event's `received_at`, in milliseconds since the epoch.
    pub now: Timestamp,
    /// What it may do.
    pub access: Access,
    /// Most host calls; a further one answers `Unavailable` and sets [`super::Trace::over_call_limit`].
    pub call_limit: u64,
    /// What the extension declared, with the host's configuration.
    pub declared: Arc<Declared>,
}

/// Why a configuration is not the one that the extension declares.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The manifest has no such key.
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
        /// The value; never a secret's.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// What an extension declared, ready to be looked up, and the configuration of one business.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Declared {
    pub(super) collections: BTreeSet<String>,
    pub(super) effects: HashMap<String, RetryPolicy>,
    pub(super) config: BTreeMap<String, Option<ConfigValue>>,
}

impl Declared {
    /// Join declarations with the values given for them as text. A secret's value that is no reference
    /// (`secret:…`) is replaced by the reference `secret:config/KEY`, so that it never reaches the extension.
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
            effects: declarations.effects.iter().map(|decl| (decl.kind.clone(), decl.retry)).collect(),
            config,
        })
    }

    /// Retry policy declared for an effect kind; none for kinds that the host handles itself.
    pub fn retry(&self, kind: &str) -> Option<RetryPolicy> {
        self.effects.get(kind).copied()
    }

    /// The configuration, by key; none where an optional value is not set.
    pub fn config(&self) -> &BTreeMap<String, Option<ConfigValue>> {
        &self.config
    }
}

fn parse_config(key: &str, value_type: ConfigType, text: &str) -> Result<ConfigValue, ConfigError> {
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
