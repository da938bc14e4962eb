//! AWS provider: functions on Lambda and ECS, buckets on S3 and Backblaze B2, distributions on CloudFront with records on Route 53 and
//! certificates of ACM, databases on RDS. [`Aws`] owns the credentials and threads; each resource kind has a provider built on it. A
//! provider recognizes and lists its own resources by ownership marks in tags (on B2, in an object), and refuses calls for those of others.
//! The SDK's own retries are off, because the outbox retries.

mod aws;
mod bucket;
mod cdn;
mod compute;
mod container;
mod database;
mod environment;
mod errors;
mod function;
mod identity;
mod lookup;
mod marks;
mod payload;
mod poll;
mod role;

pub use aws::{Aws, Config, Credentials, OpenError, Timeouts, https};
pub use bucket::{BucketConfig, Buckets, Flavor};
pub use cdn::{CdnConfig, Distributions};
pub use compute::Compute;
pub use container::{ContainerConfig, ContainerSize, Containers};
pub use database::{DatabaseConfig, DatabaseSize, Databases};
pub use function::{Code, FunctionConfig, FunctionRole, FunctionSize, Functions, RESOURCES};
pub use marks::{MANAGED_BY, OWNER};
pub use role::TenantRoles;
