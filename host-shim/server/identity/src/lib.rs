//! The users of a server: who they are, how they authenticate, and how long that is valid.
//!
//! [`Users`] stores accounts with hashed passwords and their sessions. [`Hasher`] hashes passwords on a few threads, so that logins
//! cannot take the processor from webhooks. [`Signer`] issues and verifies session tokens. A [`Link`] sent by mail verifies an address.
//! [`Identity`] combines them. It knows nothing about HTTP. [`access`] contains the API keys, [`issuers`] the tokens of OpenID Connect.

pub mod access;
mod address;
mod credentials;
mod hasher;
mod identity;
mod invitations;
mod issued;
pub mod issuers;
mod leaving;
mod letters;
mod links;
mod names;
mod organizations;
mod password;
mod profile;
mod recipients;
mod search;
mod signer;
mod users;

pub use address::Address;
pub use hasher::{Busy, Hasher};
pub use identity::{Identity, IdentityError, LoggedIn, NewUser, OPERATOR, Proof, Refused, add_user, random};
pub use invitations::{INVITATIONS_MAX, Invitation};
pub use issued::Issued;
pub use letters::{LinkError, LinkMaker};
pub use links::{ForgottenLink, Link, LinkKind};
pub use names::fits_in_mail;
pub use organizations::{OWNER, Organization, Removed};
pub use password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, weakness};
pub use profile::OpenSession;
pub use recipients::Mailed;
pub use search::Holder;
pub use signer::{Signer, SignerError};
pub use users::{SHAPE, User, Users, UsersError};
