//! Puts a server together and runs it: the data folder ([`data`]), the providers, which must carry out every kind of effect
//! that the business can request ([`cover`]), the site, and the front.

mod background;
pub mod cover;
mod daemon;
pub mod data;
mod drift;
mod listen;
mod quarantine;
mod sweep;

pub use daemon::{Daemon, DaemonError, DaemonSetup};
pub use host_front::LocalClock;
pub use host_site::MakeRunner;
pub use listen::listen;
