//! The settings for mails and for an SMTP server.

use crate::mail::Security;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Sender and addresses of mails.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailSettings {
    /// Sender, for example `Shop <shop@example.com>`; none for the name of the business at this machine.
    pub from: Option<String>,
    /// Addresses for `to: admin`.
    pub admin: Vec<String>,
    /// Addresses for `to: account`, by account, for example `user:u1`.
    pub accounts: BTreeMap<String, Vec<String>>,
    /// Folder of the templates, `NAME.txt` and `NAME.html`.
    pub templates: Option<PathBuf>,
}

/// An SMTP server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// Host name.
    pub host: String,
    /// Port.
    #[serde(default = "submission")]
    pub port: u16,
    /// Encryption of the connection.
    #[serde(default)]
    pub security: Security,
    /// User name for the login.
    #[serde(default)]
    pub user: Option<String>,
    /// Reference to the password.
    #[serde(default)]
    pub password: Option<String>,
}

fn submission() -> u16 {
    587
}
