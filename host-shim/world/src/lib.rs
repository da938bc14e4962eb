//! Which providers act on the world, with what settings and within what limits.

mod drift;
mod journal;
mod limits;
mod open;
mod settings;
mod stop;

pub use drift::{Drift, drift};
pub use journal::{Journal, Span, chart};
pub use limits::{Limited, Limits};
pub use open::{Name, OpenError, Opened, Options, open};
pub use settings::{Settings, SettingsError};
pub use stop::until_stopped;
