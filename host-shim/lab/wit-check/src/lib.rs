//! Checks whether a component built against one contract fits another contract, and explains each difference.
//!
//! A contract is a WIT file, a folder of WIT files, or a component, which contains the part that it uses. The two
//! worlds are compared name by name; `wit-component`'s own check decides in the end.

mod changes;
mod fit;
mod host;
mod world;

pub use changes::Change;
pub use fit::{Fit, fit};
pub use host::{Advice, advice};
pub use semver::Version;
pub use world::{Contract, Unreadable};
