//! Plays variants of a scenario and reports which law broke.
//!
//! A variant is a [`Plan`](plan::Plan): the same steps in another order, with repeats, losses, failures and kills. The
//! [laws](law::Law) mostly compare the variant with the story as written. A variant starts at a marked point of the
//! written run; with a store in memory, a mark costs only a few pointers.

mod compose;
mod crashes;
mod drops;
mod edits;
mod endings;
mod every;
pub mod explorer;
mod failing;
mod failures;
pub mod law;
mod orders;
pub mod plan;
mod repeats;
pub mod report;
mod shrink;
pub mod stage;
pub mod tale;
mod told;

pub use every::explore_every;
pub use explorer::{Counts, ExploreLimits, Explored, Finding, ToTheEnd, VariantKind, Watch, explore};
pub use failing::failing_scenario;
pub use law::{Breach, Law};
pub use tale::Tale;
