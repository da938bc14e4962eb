//! Who the extension is and what it needs.

use crate::effects::RetryPolicy;
use crate::types::Json;

/// A product type that the extension brings along; a catalog may define more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDecl {
    /// Name.
    pub name: String,
    /// JSON Schema of the metadata.
    pub schema: Json,
    /// Behaviour.
    pub behaviour: Json,
}

/// An effect kind for adapters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectDecl {
    /// Kind, for example `bucket.ensure`.
    pub kind: String,
    /// JSON Schema of the payload.
    pub payload_schema: Json,
    /// JSON Schema of the result.
    pub result_schema: Json,
    /// Retries unless the effect says otherwise.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    /// Text.
    Text,
    /// Whole number.
    Integer,
    /// Truth value.
    Boolean,
    /// Text that the component sees as a reference only.
    Secret,
}

/// A configuration key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigDecl {
    /// Key, for example `aws_region`.
    pub key: String,
    /// Type.
    pub value_type: ConfigType,
    /// True if the host must not start without it.
    pub required: bool,
    /// Default.
    pub default_value: Option<String>,
    /// Environment variable that supplies it.
    pub env: Option<String>,
    /// For operators.
    pub description: String,
}

/// Everything the extension declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declarations {
    /// Name.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Version of the data it writes; one that is older than the account's is refused.
    pub data_version: u32,
    /// Product types.
    pub product_types: Vec<TypeDecl>,
    /// Collections of `records`.
    pub collections: Vec<String>,
    /// Provider event kinds it wants; others are ignored without a call.
    pub provider_kinds: Vec<String>,
    /// Commands.
    pub commands: Vec<CommandDecl>,
    /// Effect kinds.
    pub effects: Vec<EffectDecl>,
    /// Configuration.
    pub config: Vec<ConfigDecl>,
}
