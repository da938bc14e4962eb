//! OpenID Connect: the issuers that a business trusts to identify users.
//!
//! An [`Issuer`] signs tokens. A token for the business's audience is a key of its API ([`Issuer::caller`]). A browser can also be sent to
//! the issuer to log in ([`Issuer::begin`], [`Issuer::finish`]). The issuer's public keys are fetched, and fetched again when a token uses
//! an unknown one. The functions that fetch wait for the network.

mod fetch;
mod issuer;
mod keys;
mod login;
mod roles;
mod settings;

pub use fetch::IssuerError;
pub use issuer::{Checked, Issuer};
pub use login::{LoginSeed, Person, SEED_BYTES};
pub use settings::{IssuerSettings, LoginSettings, RoleSettings, SettingsError};
