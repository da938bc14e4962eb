//! The file that says how providers are reached.

use crate::limits::Limits;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of the file at most.
const BYTES_MAX: u64 = 256 * 1024;

/// How providers are reached. Secrets stand in it by reference, `secret:env/NAME` or `secret:file/NAME`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The folder that `secret:file/NAME` is read from.
    pub secrets_folder: Option<PathBuf>,
    /// Who mails come from and go to.
    pub mail: MailSettings,
    /// The server of `smtp`.
    pub smtp: Option<SmtpSettings>,
    /// The account of `stripe`.
    pub stripe: StripeSettings,
    /// Limits by the name of the provider; [`Limits::default`] for one that is not here.
    pub limits: BTreeMap<String, LimitSettings>,
}

/// Who mails come from and go to.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailSettings {
    /// Who sends, `Shop <shop@example.com>`.
    pub from: String,
    /// Where `to: admin` goes.
    pub admin: Vec<String>,
    /// Where `to: account` goes, by the account: `user:u1`.
    pub accounts: BTreeMap<String, Vec<String>>,
    /// The folder of the templates.
    pub templates: Option<PathBuf>,
}

impl Default for MailSettings {
    fn default() -> Self {
        MailSettings {
            from: "Host <host@localhost>".to_owned(),
            admin: Vec::new(),
            accounts: BTreeMap::new(),
            templates: None,
        }
    }
}

/// A server of mails.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// Its name.
    pub host: String,
    /// Its port.
    #[serde(default = "submission")]
    pub port: u16,
    /// How the connection is kept from others.
    #[serde(default)]
    pub security: SmtpSecurity,
    /// Who logs in.
    #[serde(default)]
    pub user: Option<String>,
    /// The password, by reference.
    #[serde(default)]
    pub password: Option<String>,
}

fn submission() -> u16 {
    587
}

/// How a connection to a server of mails is kept from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpSecurity {
    /// TLS from the start.
    Tls,
    /// TLS after a greeting.
    #[default]
    Starttls,
    /// None, to this machine only.
    Plain,
}

/// An account at Stripe, or a local one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StripeSettings {
    /// The key of test mode, by reference.
    pub test_key: String,
    /// The key of live mode, by reference.
    pub live_key: String,
    /// Another address than Stripe's own: that of `host-shim stripe`.
    pub url: Option<String>,
}

impl Default for StripeSettings {
    fn default() -> Self {
        StripeSettings {
            test_key: "secret:env/STRIPE_TEST_KEY".to_owned(),
            live_key: "secret:env/STRIPE_LIVE_KEY".to_owned(),
            url: None,
        }
    }
}

/// Limits of one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Calls that begin in any second.
    pub per_second: Option<usize>,
    /// Calls under way at a time.
    pub at_once: Option<usize>,
    /// Calls under way at a time for one account.
    pub per_account: Option<usize>,
    /// Failures in a row that open the circuit.
    pub failures: Option<usize>,
    /// How long it stays open, in seconds.
    pub pause_s: Option<u64>,
}

impl LimitSettings {
    /// The limits that are set, over the default ones. None of them is 0: nothing would ever be called.
    pub fn limits(self) -> Limits {
        let given = |set: Option<usize>, else_: usize| set.unwrap_or(else_).max(1);
        let default = Limits::default();
        Limits {
            per_second: given(self.per_second, default.per_second),
            at_once: given(self.at_once, default.at_once),
            per_account: given(self.per_account, default.per_account),
            failures: given(self.failures, default.failures),
            pause: self.pause_s.map_or(default.pause, Duration::from_secs),
        }
    }
}

/// A file of settings that can't be taken.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct SettingsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what was expected.
    pub problem: String,
}

impl Settings {
    /// What stands in a file.
    pub fn read(path: &Path) -> Result<Settings, SettingsError> {
        let error = |problem: String| SettingsError { path: path.to_owned(), problem };
        let bytes = std::fs::metadata(path).map_err(|cause| error(cause.to_string()))?.len();
        if bytes > BYTES_MAX {
            return Err(error(format!("it has {bytes} bytes: expected {BYTES_MAX} at most")));
        }
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        serde_saphyr::from_str(&text).map_err(|cause| error(cause.to_string()))
    }

    /// Limits of the provider of this name.
    pub fn limits_of(&self, name: &str) -> Limits {
        self.limits.get(name).copied().unwrap_or_default().limits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_nobody_reads_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("providers.yml");
        std::fs::write(&path, "secrets_folder: /run/secrets\nlimits: {stripe: {per_second: 3, at_once: 0}}\n")
            .expect("a file");
        let settings = Settings::read(&path).expect("settings");
        assert_eq!(settings.secrets_folder, Some("/run/secrets".into()));
        let limits = settings.limits_of("stripe");
        assert_eq!((limits.per_second, limits.at_once, limits.failures), (3, 1, 8));
        std::fs::write(&path, "smtp: {hots: x}\n").expect("a file");
        let told = Settings::read(&path).expect_err("an unknown member").to_string();
        assert!(told.contains("providers.yml") && told.contains("hots"), "{told}");
        assert!(Settings::read(&folder.path().join("absent.yml")).is_err());
    }
}
