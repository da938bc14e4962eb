//! Plays the variants of a story and says which law broke.
//!
//! A scenario is a story in one order, with one set of answers. Its variants are told by a [`Plan`](plan::Plan): the same steps in
//! another order, with repetitions, losses, faults and kills. Each is held to the [laws](law::Law), most of them against the
//! story as it is written. Variants begin at a point that the written story has passed, which a store in memory keeps at the
//! cost of a few pointers.

mod crashes;
mod drops;
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

pub use every::explore_every;
pub use explorer::{Counts, ExploreLimits, Explored, Finding, ToTheEnd, VariantKind, Watch, explore};
pub use failing::failing_scenario;
pub use law::{Breach, Law};
pub use tale::Tale;
