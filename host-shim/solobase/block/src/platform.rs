//! The services of the platform that the block uses.

use crate::store::{Service, ServiceError};
use extension_contract::Timestamp;
use std::sync::Arc;

/// The platform, as seen by one call.
pub struct Platform<'p> {
    /// The database service.
    pub database: Arc<dyn Service + Send + Sync>,
    /// Reads a configuration value by its full key; empty if it is not set.
    pub config: &'p dyn Fn(&str) -> Result<String, ServiceError>,
    /// The time, in milliseconds since the epoch.
    pub now: Timestamp,
    /// Writes a line into the platform's log: its level and its text.
    pub log: &'p dyn Fn(&str, &str),
}
