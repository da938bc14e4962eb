//! Measures which decisions of an extension a set of scenarios reaches: ids, event kinds with their outcomes and
//! refusals, effect kinds, and the clauses of a catalog. Lists the items that were not reached, by name.
//!
//! Only a scenario that passes in every version counts. The items come from the declarations of the extension, the
//! contract and the business; clauses are known only for the extension that owns the catalog language.

mod account_state;
mod clause;
mod clauses;
mod cover;
mod items;
mod reached;
mod report;
mod template;

pub use cover::{CoverOptions, cover};
pub use items::{Clauses, Coverage, Item, KindRow, OUTCOMES, Section};
pub use report::{human, json};
