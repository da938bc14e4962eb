//! Settings of the mail provider: sender, templates, recipients' addresses and transport.

#[cfg(feature = "smtp")]
use host_provider_api::Secret;
use std::path::PathBuf;
use std::sync::Arc;
#[cfg(feature = "smtp")]
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
    /// Folders of the templates, `NAME.txt` and `NAME.html`; the first with a `NAME.txt` has the template. A mail
    /// without a template lists its values line by line.
    pub templates: Vec<PathBuf>,
    /// Looks up the addresses of `account` and `admin`.
    pub addresses: Arc<dyn AddressBook>,
    /// Transport of mails.
    pub transport: MailTransport,
}

/// Transport of mails.
pub enum MailTransport {
    /// An SMTP server.
    #[cfg(feature = "smtp")]
    Smtp(Smtp),
    /// A folder. Each mail becomes a file `ID.eml`, which only its owner can read.
    Folder(PathBuf),
}

/// An SMTP server.
#[cfg(feature = "smtp")]
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
    /// Maximum pooled connections.
    pub connections: u32,
}

/// Encryption of a connection.
#[cfg(feature = "smtp")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the start.
    Tls,
    /// STARTTLS. A server without STARTTLS gets no mail.
    StartTls,
    /// No encryption. Allowed only for a server on this machine.
    PlainOnLoopback,
}

/// A password or its reference.
#[cfg(feature = "smtp")]
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

/// Resolves the recipients `account` and `admin` to addresses.
pub trait AddressBook: Send + Sync {
    /// Returns addresses. `to` is `account` (the owner or the administrators of the account in `scope`,
    /// `business/mode/account`) or `admin` (the operators). If there is no address, the mail is refused.
    ///
    /// # Errors
    ///
    /// Fails if the lookup is temporarily impossible; the mail is then retried.
    fn addresses(&self, scope: &str, to: &str) -> Result<Vec<String>, AddressUnavailable>;
}
