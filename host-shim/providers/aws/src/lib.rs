//! The provider of AWS: functions on Lambda, buckets on S3 and on Backblaze B2, distributions on CloudFront, dedicated databases
//! on RDS.
//!
//! [`Aws`] has the credentials and the threads; it makes one provider for each kind of resource. What they make bears tags
//! (`managed-by`, `scope`, `resource`, `resource-id`, `generation`, `state`): by them a provider knows what is its own,
//! refuses what is others', and lists what it holds. The SDK's own retries are off, since the outbox retries.

mod aws;
mod bucket;
mod cdn;
mod database;
mod errors;
mod function;
mod look;
mod marks;
mod payload;

pub use aws::{Aws, Config, Credentials, OpenError, Timeouts};
pub use bucket::{BucketConfig, Buckets, Flavor};
pub use cdn::{CdnConfig, Distributions};
pub use database::{DatabaseConfig, DatabaseSize, Databases};
pub use function::{Code, FunctionConfig, FunctionSize, Functions};
pub use marks::{MANAGED_BY, OWNER};
