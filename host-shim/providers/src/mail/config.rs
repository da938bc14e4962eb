//! Settings of the mail provider: sender, templates, recipients' addresses and transport.

use crate::mail::template::MailTemplates;
use host_provider_api::Secret;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// An invalid setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is `{found}`: expected {expected}")]
pub struct BadConfig {
    /// Name of the setting.
    pub field: &'static str,
    /// Value of the setting.
    pub found: String,
    /// Accepted values.
    pub expected: &'static str,
}

/// Settings of the provider.
pub struct Config {
    /// Sender: an address, optionally with a name. Its domain is the domain of every `Message-ID`.
    pub from: String,
    /// Templates, and the business details that all mails show.
    pub templates: MailTemplates,
    /// Looks up the addresses of `account` and `admin`.
    pub addresses: Arc<dyn AddressBook>,
    /// Transport of mails.
    pub transport: MailTransport,
}

/// Transport of mails.
pub enum MailTransport {
    /// An SMTP server.
    Smtp(Smtp),
    /// A folder. Each mail becomes a file `ID.eml`, which only its owner can read.
    Folder(PathBuf),
}

/// An SMTP server.
pub struct Smtp {
    /// Host name. The server's certificate must match it.
    pub host: String,
    /// Port: 465 for TLS from the start, 587 for STARTTLS.
    pub port: u16,
    /// Encryption of the connection.
    pub security: Security,
    /// User and password. None for a server without login.
    pub login: Option<(String, Password)>,
    /// Timeout of each step: connecting, writing, reading a response.
    pub timeout: Duration,
    /// Maximum number of pooled connections.
    pub connections: u32,
}

/// Encryption of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS from the start.
    Tls,
    /// STARTTLS. A server without STARTTLS gets no mail.
    #[default]
    StartTls,
    /// No encryption. Allowed only for a server on this machine.
    #[serde(rename = "plain")]
    PlainOnLoopback,
}

/// A password or its reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// The password itself.
    Plain(Secret),
    /// A reference, for example `secret:env/NAME`, which is resolved at each call.
    Reference(String),
}

/// A temporary failure to look up addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("addresses can't be looked up: {0}")]
pub struct AddressUnavailable(
    /// Reason for operators, without addresses.
    pub String,
);

/// A recipient of mails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// Address.
    pub address: String,
    /// Language tag, such as `de-CH`; none if unknown.
    pub language: Option<String>,
}

impl Recipient {
    /// Creates a recipient whose language is unknown.
    pub fn new(address: impl Into<String>) -> Recipient {
        Recipient { address: address.into(), language: None }
    }
}

/// Resolves recipients to addresses.
pub trait AddressBook: Send + Sync {
    /// Returns recipients. `to` is `account` (the owner or the owners of the account in `scope`, `business/mode/account`), `admin` (the
    /// operators), or an address, which is returned with its language. If no recipient is returned, the mail is refused.
    ///
    /// # Errors
    ///
    /// Fails if the lookup is temporarily impossible; the mail is then retried.
    fn recipients(&self, scope: &str, to: &str) -> Result<Vec<Recipient>, AddressUnavailable>;

    /// Returns the name of an instance of the account in `scope`; none if unknown.
    fn instance_name(&self, scope: &str, instance: &str) -> Option<String> {
        let _ = (scope, instance);
        None
    }
}
