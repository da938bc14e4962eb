//! AWS and Backblaze B2: their settings and, with the feature `aws`, the provider, which uses the SDKs.

#[cfg(feature = "aws")]
mod compute;
#[cfg_attr(not(feature = "aws"), path = "aws/absent.rs")]
mod open;
#[cfg(feature = "aws")]
mod provider;
mod settings;

#[cfg(feature = "aws")]
pub use provider::*;
pub use settings::{
    AwsCode, AwsContainerSize, AwsContainers, AwsDatabases, AwsFunctions, AwsRoles, AwsSettings, AwsSize, B2Settings,
};
