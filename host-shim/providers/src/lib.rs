//! Opens the configured providers, limits their calls, and compares their resources with the recorded resources.

mod addresses;
pub mod aws;
mod builder;
mod drift;
pub mod health;
pub mod http;
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
pub use builder::{LocalStripe, OpenError, Options, StripeKey};
pub use drift::{Drift, Referrer, drift, not_compared, settle};
pub use host_vault::{KEY_VARIABLE, KeyError, Keys, SECRET_BYTES_MAX, SHAPE as VAULT, Vault, VaultError};
pub use journal::{Journal, Span, chart};
pub use limits::{Limited, ProviderLimits};
pub use local::{AwayAnswer, AwayPages, AwaySlot, lasting_ports};
pub use mail::{AddressBook, AddressUnavailable, MailSite, MailTemplates, Recipient, Wanted, built_in_mails};
pub use open::{Opened, SECRETS, begin_secrets, open, secrets_of};
pub use remove::{NotRemoved, remove};
pub use secrets::{ForeignVault, check_vault, unreadable_secrets};
pub use settings::{LimitSettings, Settings, SettingsError};
pub use stop::StopSignal;
