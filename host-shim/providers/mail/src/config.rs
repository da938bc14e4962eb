//! Where mails go, and as whom.

#[cfg(feature = "smtp")]
use host_provider_api::Secret;
use std::path::PathBuf;
use std::sync::Arc;
#[cfg(feature = "smtp")]
use std::time::Duration;

/// A setting that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is `{found}`: expected {expected}")]
pub struct BadConfig {
    /// Which setting.
    pub field: &'static str,
    /// What it is.
    pub found: String,
    /// What it should be.
    pub expected: &'static str,
}

/// Settings of the provider.
pub struct Config {
    /// Who sends: an address, with a name before it or none. Its domain ends every `Message-ID`.
    pub from: String,
    /// The folder of the templates, `NAME.txt` and `NAME.html`. Without it, or for a name that has no file, a mail is the values
    /// line by line.
    pub templates: Option<PathBuf>,
    /// Who `account` and `admin` are.
    pub addresses: Arc<dyn AddressBook>,
    /// How mails go out.
    pub way: Way,
}

/// How mails go out.
pub enum Way {
    /// To a server.
    #[cfg(feature = "smtp")]
    Smtp(Smtp),
    /// Into this folder, each as a file `ID.eml` for its owner alone.
    Folder(PathBuf),
}

/// A server of mails.
#[cfg(feature = "smtp")]
pub struct Smtp {
    /// Its name, which its certificate must bear.
    pub host: String,
    /// Its port: 465 for TLS from the start, 587 for TLS after a greeting.
    pub port: u16,
    /// How the connection is kept from others.
    pub security: Security,
    /// User and password; none for a server that takes mails from everybody who reaches it.
    pub login: Option<(String, Password)>,
    /// How long each step may take: to connect, to write, to read an answer.
    pub timeout: Duration,
    /// Connections that are kept at most.
    pub connections: u32,
}

/// How a connection is kept from others.
#[cfg(feature = "smtp")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the start.
    Tls,
    /// TLS after a greeting; a server that offers none gets no mail.
    StartTls,
    /// None, to this machine only.
    PlainOnLoopback,
}

/// A password or where it is.
#[cfg(feature = "smtp")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// Itself.
    Plain(Secret),
    /// A reference, `secret:env/NAME`, which is resolved at each call.
    Reference(String),
}

/// Why nobody's address can be told now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("addresses can't be looked up: {0}")]
pub struct NobodyKnown(
    /// Why, for operators; without addresses.
    pub String,
);

/// Who is behind the names that mails are addressed to.
pub trait AddressBook: Send + Sync {
    /// The addresses for `account` (the owner of the account of `scope`, `business/mode/account`, or its administrators) or
    /// `admin` (the operators). None if nobody has one; the mail is refused then. An error is tried again.
    fn addresses(&self, scope: &str, to: &str) -> Result<Vec<String>, NobodyKnown>;
}
