//! Runs variants of a scenario and reports which [law](law::Law) was broken. A variant is a [`Plan`](plan::Plan): the same steps in another
//! order, with repeats, losses, failures and kills. It starts at a marked point of the story as written, with which most laws compare it.
//!
//! In addition, [`compare`] reports what two components decide differently, [`coverage`] which decisions scenarios reach, and [`profile`]
//! where the fuel goes; [`record`] exports an account as a scenario, and [`wit_check`] reports whether a component fits a contract.

pub mod compare;
mod compose;
pub mod coverage;
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
pub mod profile;
pub mod record;
mod repeats;
pub mod report;
mod shrink;
pub mod stage;
pub mod tale;
mod told;
pub mod wit_check;

pub use every::explore_every;
pub use explorer::{Counts, ExploreLimits, Explored, Finding, ToTheEnd, VariantKind, Watch, explore};
pub use failing::failing_scenario;
pub use law::{Breach, Law};
pub use tale::Tale;
