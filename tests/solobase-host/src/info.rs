//! A block's description of itself, as the platform reads it. The platform starts no block whose description has a different
//! form.

use crate::rights::Rights;
use crate::services::Services;
use serde::Deserialize;
use serde_json::Value;

/// The parts of a description that the platform reads.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct BlockInfo {
    /// Organization and name of the block.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The interface that it implements.
    pub interface: String,
    /// A one-line summary.
    pub summary: String,
    /// Its tables.
    #[serde(default)]
    pub collections: Vec<Collection>,
    /// Its configuration keys.
    #[serde(default)]
    pub config_keys: Vec<ConfigKey>,
    /// The rights that it declares; none if it declares nothing.
    #[serde(default)]
    pub capabilities: Rights,
}

/// A table of a block.
#[derive(Clone, Debug, Deserialize)]
pub struct Collection {
    /// Its full name.
    pub name: String,
    /// Its columns, as far as the block describes them.
    pub fields: Vec<Value>,
}

/// A configuration key of a block.
#[derive(Clone, Debug, Deserialize)]
pub struct ConfigKey {
    /// Its full name.
    pub key: String,
    /// The value of a key that is not set; empty if there is none.
    #[serde(default)]
    pub default: String,
    /// True if the block starts without a value.
    #[serde(default)]
    pub optional: bool,
    /// The type of its field on the platform's pages.
    #[serde(default)]
    pub input_type: InputType,
}

/// The type of a field on the platform's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    /// One line.
    #[default]
    Text,
    /// Several lines.
    Textarea,
    /// On or off.
    Toggle,
    /// A secret. This is the only type whose value is masked.
    Password,
    /// A colour.
    Color,
    /// An address.
    Url,
}

impl BlockInfo {
    /// Reads the description of a block that the platform registers under `name`.
    ///
    /// # Errors
    /// Fails with a message if the platform does not register the block.
    pub fn read(info: &[u8], name: &str) -> Result<BlockInfo, String> {
        let info: BlockInfo =
            serde_json::from_slice(info).map_err(|error| format!("the block's description cannot be read: {error}"))?;
        if info.name != name {
            return Err(format!("the block calls itself {}, and is registered as {name}", info.name));
        }
        let prefix = name.replace('-', "_").replace('/', "__").to_uppercase() + "__";
        match info.config_keys.iter().find(|key| !key.key.starts_with(&prefix)) {
            Some(ConfigKey { key, .. }) => {
                Err(format!("the key `{key}` is not of {name}: expected the prefix `{prefix}`"))
            }
            None => Ok(info),
        }
    }

    /// Returns the first required key that has neither a value nor a default. The platform then does not call `Init`.
    pub(crate) fn missing_key(&self, services: &Services) -> Option<&str> {
        let is_missing = |key: &&ConfigKey| !key.optional && key.default.is_empty() && !services.has_config(&key.key);
        self.config_keys.iter().find(is_missing).map(|key| key.key.as_str())
    }
}
