//! Whether what was built against one contract still fits another one, in words that a person can act on.
//!
//! A contract is a WIT file, a folder of such, or a component, which has within it the part that it uses. What differs is
//! found by comparing the two worlds name by name; `wit-component`'s own check has the last word on whether it fits.

mod changes;
mod fit;
mod host;
mod world;

pub use changes::Change;
pub use fit::{Fit, fit};
pub use host::{Advice, advice};
pub use semver::Version;
pub use world::{Contract, Unreadable};
