//! The manifest: the extension's name and versions, and its declarations to the host.

use crate::effects::RetryPolicy;
use crate::types::Json;
use serde::{Deserialize, Serialize};

/// A built-in product type of the extension; a catalog may define more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDecl {
    /// Name.
    pub name: String,
    /// JSON Schema of the metadata.
    pub schema: Json,
    /// Behaviour of the type, as JSON.
    pub behaviour: Json,
}

/// A kind of effect that a provider carries out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectDecl {
    /// Kind, for example `bucket.ensure`.
    pub kind: String,
    /// JSON Schema of the payload.
    pub payload_schema: Json,
    /// JSON Schema of the result.
    pub result_schema: Json,
    /// Retry policy of effects that do not have their own.
    pub retry: RetryPolicy,
}

/// A command that the host offers in its API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandDecl {
    /// Event kind, for example `instance.create`.
    pub kind: String,
    /// JSON Schema of the payload.
    pub schema: Json,
}

/// Type of a configuration value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigType {
    /// Text.
    Text,
    /// Whole number.
    Integer,
    /// Truth value.
    Boolean,
    /// Text that the component receives as a reference only.
    Secret,
}

/// A configuration key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigDecl {
    /// Key, for example `aws_region`.
    pub key: String,
    /// Type.
    pub value_type: ConfigType,
    /// Whether the host must not start without a value.
    pub required: bool,
    /// Default value.
    pub default_value: Option<String>,
    /// Environment variable that supplies the value.
    pub env: Option<String>,
    /// Description for operators.
    pub description: String,
}

/// The extension's manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declarations {
    /// Name.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Version of the data format that the extension writes. The host refuses an extension whose version is older than
    /// the version of the account's data.
    pub data_version: u32,
    /// Product types.
    pub product_types: Vec<TypeDecl>,
    /// Names of the record collections.
    pub collections: Vec<String>,
    /// Kinds of the payment source's events that the extension handles. The host ignores other kinds without calling the extension.
    pub payment_kinds: Vec<String>,
    /// Commands that the host offers in its API.
    pub commands: Vec<CommandDecl>,
    /// Kinds of effects that providers carry out.
    pub effects: Vec<EffectDecl>,
    /// Configuration keys.
    pub config: Vec<ConfigDecl>,
}
