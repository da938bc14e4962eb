//! The manifest: name and versions of the extension, and everything that it declares to the host.

use crate::effects::RetryPolicy;
use crate::types::Json;

/// A built-in product type of the extension; a catalog may define more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDecl {
    /// Name.
    pub name: String,
    /// JSON Schema of the metadata.
    pub schema: Json,
    /// Behaviour.
    pub behaviour: Json,
}

/// A kind of effect that an adapter carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectDecl {
    /// Kind, for example `bucket.ensure`.
    pub kind: String,
    /// JSON Schema of the payload.
    pub payload_schema: Json,
    /// JSON Schema of the result.
    pub result_schema: Json,
    /// Retry policy of effects that name none.
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
    /// Text that the component receives as a reference only.
    Secret,
}

/// A configuration key.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declarations {
    /// Name.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Version of the data that it writes. The host refuses a version older than the account's.
    pub data_version: u32,
    /// Product types.
    pub product_types: Vec<TypeDecl>,
    /// Collections of `records`.
    pub collections: Vec<String>,
    /// Provider event kinds that it handles; the host ignores others without a call.
    pub provider_kinds: Vec<String>,
    /// Commands.
    pub commands: Vec<CommandDecl>,
    /// Effect kinds.
    pub effects: Vec<EffectDecl>,
    /// Configuration.
    pub config: Vec<ConfigDecl>,
}
