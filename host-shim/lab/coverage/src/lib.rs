//! Which decisions of an extension a set of scenarios reaches, and by name which it doesn't: ids, event kinds with their
//! outcomes and refusals, effect kinds, and the clauses of a catalog.
//!
//! *Only a scenario that held in every version counts. What there is to be reached is what the extension, the contract and the
//! business declare; the clauses of a catalog are known for the extension alone that the catalog language belongs to.*

mod clause;
mod clauses;
mod cover;
mod coverage;
mod reached;
mod report;
mod seen;
mod template;

pub use cover::{CoverOptions, cover};
pub use coverage::{Clauses, Coverage, Item, KindRow, OUTCOMES, Section};
pub use report::{human, json};
