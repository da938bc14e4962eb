//! The configuration of a server: `solobase.config.yml` ([`ServerConfig`]), the environment and `.env` ([`Environment`]), and
//! each business's part of them ([`prepare`]). All faults are reported at once, and no message contains the value of a variable.

mod business;
mod dotenv;
mod environment;
mod extensions;
mod file;
mod interpolate;
mod issuers;
mod prepare;
mod reader;
mod secrets;
mod unused;
mod variables;

pub use business::{BusinessConfig, BusinessMode};
pub use environment::{Environment, names_in_file};
pub use extensions::{ExtensionsConfig, OwnValue, ProductsConfig};
pub use file::{CONFIG_FILE, Database, LOG_FORMATS, LOG_LEVELS, ServerConfig, Storage, known_keys};
pub use interpolate::{Interpolated, interpolated};
pub use prepare::{Prepared, catalog_faults, prepare};
pub use reader::{ListedText, SecretValue};
pub use secrets::{literal_secret, without_secrets};
pub use unused::Unused;
pub use variables::{
    CONNECT_WEBHOOK_SECRET, SECRETS_KEY, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET, variables_of_folder,
};
