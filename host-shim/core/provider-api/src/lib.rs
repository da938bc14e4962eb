//! Carries out effects: the provider trait, the registry that picks a provider, and the scripted provider.
//!
//! A provider never sees the store and decides nothing. It receives a [`Call`] and returns a [`CallOutcome`]; the
//! outbox manages attempts, backoff, leases and deadlines. The outbox may repeat a call with the same key and
//! generation at any time, for example after a crash.

mod backups;
mod call;
pub mod conformance;
mod events;
pub mod html;
pub mod names;
mod objects;
mod provider;
mod provider_name;
mod registry_tokens;
mod resource;
pub mod scripted;
mod secrets;
pub mod url;

pub use backups::{BackupExpiry, BackupSchedule, NotExpired, ScheduledBackup};
pub use call::{Call, CallOutcome, Reply, map_texts};
pub use events::{EventList, EventQuery, ListedEvents};
pub use objects::{OBJECTS_MAX, ObjectKind, ObjectList, ObjectListError, ObjectPage, ObjectQuery, ObjectsOf};
pub use provider::{Listed, Outage, Provider, Registry, Restriction, Room, SUPERSEDED, Simulation};
pub use provider_name::ProviderName;
pub use registry_tokens::{RegistryToken, RegistryTokens};
pub use resource::{Held, ResourceId, Unlisted, Unreadable, VERBS};
pub use secrets::{MadeSecret, SECRET_BYTES_MIN, SECRET_PREFIX, Secret, SecretAccess, SecretError, Secrets};
