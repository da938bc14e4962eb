//! Which providers act on the world, with what settings and within what limits.

mod drift;
mod journal;
mod limits;

pub use drift::{Drift, drift};
pub use journal::{Journal, Span, chart};
pub use limits::{Limited, Limits};
