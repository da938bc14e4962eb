//! Opens the configured providers, limits their calls, and compares their resources with the recorded resources.

mod addresses;
mod clouds;
mod drift;
#[cfg(feature = "registry")]
mod images;
mod journal;
mod limits;
mod name;
mod open;
mod remove;
mod secrets;
mod settings;
mod stop;

pub use drift::{Drift, drift};
pub use host_local::{AwayAnswer, AwayPages, AwaySlot};
pub use host_vault::{KEY_VARIABLE, KeyError, Keys, SECRET_BYTES_MAX, Vault, VaultError};
pub use journal::{Journal, Span, chart};
pub use limits::{Limited, ProviderLimits};
pub use name::Name;
pub use open::{
    LocalStripe, MailFolders, OpenError, Opened, Options, StripeKey, begin_secrets, open, preview_mail, secrets_of,
    secrets_with,
};
pub use remove::{NotRemoved, remove};
pub use secrets::{ForeignVault, check_vault, unreadable_secrets};
pub use settings::{
    AwsCode, AwsDatabases, AwsFunctions, AwsRoles, AwsSettings, AwsSize, B2Settings, LimitSettings, MailSettings,
    PostgresServer, PostgresSettings, RegistrySettings, Settings, SettingsError, SmtpSecurity, SmtpSettings,
    StripeSettings, SupabaseSettings,
};
pub use stop::StopSignal;
