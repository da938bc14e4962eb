//! Which providers act on the world, with what settings and within what limits.

mod addresses;
mod drift;
mod journal;
mod limits;
mod name;
mod open;
mod settings;
mod stop;

pub use drift::{Drift, drift};
pub use journal::{Journal, Span, chart};
pub use limits::{Limited, Limits};
pub use name::Name;
pub use open::{OpenError, Opened, Options, open};
pub use settings::{LimitSettings, MailSettings, Settings, SettingsError, SmtpSecurity, SmtpSettings, StripeSettings};
pub use stop::until_stopped;
