//! Puts a server together and runs it: the data folder ([`data`]), and for each business its providers, which must carry out
//! every kind of effect that the business can request ([`cover`]), and its site; and the front of all.

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
