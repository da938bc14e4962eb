//! Opens the configured providers, limits their calls, and compares their resources with the recorded resources.

mod addresses;
#[cfg(feature = "aws")]
pub mod aws;
mod clouds;
mod drift;
pub mod health;
pub mod http;
mod images;
mod journal;
mod limits;
pub mod litellm;
pub mod local;
pub mod mail;
mod open;
pub mod postgres;
pub mod registry;
mod remove;
mod secrets;
pub mod service;
mod settings;
mod stop;
pub mod stripe;
pub mod supabase;

pub use addresses::Directory;
pub use drift::{Drift, Referrer, drift, not_compared, settle};
pub use host_vault::{KEY_VARIABLE, KeyError, Keys, SECRET_BYTES_MAX, SHAPE as VAULT, Vault, VaultError};
pub use journal::{Journal, Span, chart};
pub use limits::{Limited, ProviderLimits};
pub use local::{AwayAnswer, AwayPages, AwaySlot, lasting_ports};
pub use mail::{AddressBook, AddressUnavailable, MailSite, MailTemplates, Recipient, Wanted, built_in_mails};
pub use open::{LocalStripe, OpenError, Opened, Options, SECRETS, StripeKey, begin_secrets, open, secrets_of};
pub use remove::{NotRemoved, remove};
pub use secrets::{ForeignVault, check_vault, unreadable_secrets};
pub use settings::{
    AwsCode, AwsContainerSize, AwsContainers, AwsDatabases, AwsFunctions, AwsRoles, AwsSettings, AwsSize, B2Settings,
    HttpSettings, LimitSettings, MailSettings, PostgresServer, PostgresSettings, RegistrySettings, ServiceSettings,
    Settings, SettingsError, SmtpSecurity, SmtpSettings, StripeSettings, SupabaseSettings,
};
pub use stop::StopSignal;
