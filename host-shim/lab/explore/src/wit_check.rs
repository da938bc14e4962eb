//! Checks whether a component built against one contract fits another contract, and explains each difference.
//!
//! A contract is a WIT file, a folder of WIT files, or a component. A component contains the part of its contract that
//! it uses. The worlds of both contracts are compared name by name. If this finds no breaking change, `wit-component`
//! makes the final decision.

mod changes;
mod fit;
mod host;
mod world;

pub use changes::Change;
pub use fit::{Fit, fit};
pub use host::{Advice, advice};
pub use semver::Version;
pub use world::{Contract, Unreadable};
