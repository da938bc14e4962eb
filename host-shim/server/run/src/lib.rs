//! Assembles and runs a server: the data folder ([`data`]), the front, and for each business its site and its providers,
//! which must carry out every kind of effect that the business can request ([`cover`]).

mod away;
mod background;
mod backups;
pub mod config;
mod daemon;
pub mod data;
mod drift;
mod hosted;
mod identity;
mod inspect;
mod invites;
mod listen;
mod mails;
mod measuring;
mod presence;
mod prices;
mod quarantine;
mod recipients;
mod records;
mod renewal;
mod reports;
mod sweep;
pub mod views;
mod webhooks;

pub use backups::SHAPE as BACKUPS;
pub use daemon::{Daemon, DaemonError, DaemonSetup};
pub use host_api::LocalClock;
pub use host_api::site::MakeRunner;
pub use host_identity::issuers::IssuerSettings;
pub use hosted::{HostedError, HostedSetup, StartedBusiness, backups_of, webhooks_of};
pub use identity::{IdentityStartError, rotate_session_key};
pub use listen::listen;
pub use prices::SoldPrice;
pub use renewal::{NewSecrets, Renewal};
