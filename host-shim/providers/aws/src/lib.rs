//! AWS provider: functions on Lambda, buckets on S3 and Backblaze B2, distributions on CloudFront, databases on RDS.
//!
//! [`Aws`] owns the credentials and threads; each resource kind has a provider built on it. Every created resource
//! carries ownership marks (`managed-by`, `scope`, `resource`, `resource-id`, `generation`, `state`) in tags, or on B2
//! in an object. By its marks, a provider recognizes and lists its own resources; it refuses calls for resources of
//! others. The SDK's own retries are off, since the outbox retries.

mod aws;
mod bucket;
mod cdn;
mod database;
mod errors;
mod function;
mod identity;
mod marks;
mod payload;
mod poll;
mod role;

pub use aws::{Aws, Config, Credentials, OpenError, Timeouts};
pub use bucket::{BucketConfig, Buckets, Flavor};
pub use cdn::{CdnConfig, Distributions};
pub use database::{DatabaseConfig, DatabaseSize, Databases};
pub use function::{Code, FunctionConfig, FunctionRole, FunctionSize, Functions, RESOURCES};
pub use marks::{MANAGED_BY, OWNER};
pub use role::TenantRoles;
