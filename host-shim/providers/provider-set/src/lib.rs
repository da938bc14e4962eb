//! Opens the configured providers, limits their calls, and compares their resources with the recorded resources.

mod addresses;
mod clouds;
mod drift;
#[cfg(feature = "registry")]
mod images;
mod journal;
mod limits;
mod open;
mod remove;
mod secrets;
mod settings;
mod stop;

pub use addresses::Directory;
pub use drift::{Drift, Referrer, drift, not_compared, settle};
pub use host_local::{AwayAnswer, AwayPages, AwaySlot, lasting_ports};
pub use host_mail::{AddressBook, AddressUnavailable, MailSite, MailTemplates, Recipient, Wanted, built_in_mails};
pub use host_vault::{KEY_VARIABLE, KeyError, Keys, SECRET_BYTES_MAX, SHAPE as VAULT, Vault, VaultError};
pub use journal::{Journal, Span, chart};
pub use limits::{Limited, ProviderLimits};
pub use open::{LocalStripe, OpenError, Opened, Options, SECRETS, StripeKey, begin_secrets, open, secrets_of};
pub use remove::{NotRemoved, remove};
pub use secrets::{ForeignVault, check_vault, unreadable_secrets};
pub use settings::{
    AwsCode, AwsContainerSize, AwsContainers, AwsDatabases, AwsFunctions, AwsRoles, AwsSettings, AwsSize, B2Settings,
    HttpSettings, LimitSettings, MailSettings, PostgresServer, PostgresSettings, RegistrySettings, ServiceSettings,
    Settings, SettingsError, SmtpSecurity, SmtpSettings, StripeSettings, SupabaseSettings,
};
pub use stop::StopSignal;
