//! The providers' settings file: a section for each provider, and their limits.

use crate::aws::{AwsSettings, B2Settings};
use crate::health::HttpSettings;
use crate::limits::ProviderLimits;
use crate::litellm::LitellmSettings;
use crate::mail::{MailSettings, SmtpSettings};
use crate::postgres::PostgresSettings;
use crate::registry::RegistrySettings;
use crate::service::ServiceSettings;
use crate::stripe::StripeSettings;
use crate::supabase::SupabaseSettings;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Maximum size of the settings file in bytes.
const BYTES_MAX: u64 = 256 * 1024;

/// Settings of all providers. They contain references instead of secrets: `secret:env/NAME` or `secret:file/NAME`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Folder of the files for `secret:file/NAME`.
    pub secrets_folder: Option<PathBuf>,
    /// Sender and addresses of mails.
    pub mail: MailSettings,
    /// Server of the provider `smtp`.
    pub smtp: Option<SmtpSettings>,
    /// Account of the provider `stripe`.
    pub stripe: StripeSettings,
    /// Account of the provider `aws`.
    pub aws: Option<AwsSettings>,
    /// Account of the provider `b2`.
    pub b2: Option<B2Settings>,
    /// Servers of the provider `postgres`.
    pub postgres: Option<PostgresSettings>,
    /// Issuer and key of the provider `registry`.
    pub registry: Option<RegistrySettings>,
    /// Services of the provider `service`.
    pub service: Vec<ServiceSettings>,
    /// Networks of the provider `http`.
    pub http: HttpSettings,
    /// Proxy of the provider `litellm`.
    pub litellm: Option<LitellmSettings>,
    /// Organization of the provider `supabase`.
    pub supabase: SupabaseSettings,
    /// Limits by provider name. A missing limit has its value from [`ProviderLimits::default`].
    pub limits: BTreeMap<String, LimitSettings>,
}

impl Settings {
    /// Returns all references to secrets in the settings.
    pub fn references(&self) -> Vec<&str> {
        let mut all = vec![self.stripe.test_key.as_str(), &self.stripe.live_key, &self.supabase.token];
        all.extend(self.smtp.iter().filter_map(|smtp| smtp.password.as_deref()));
        all.extend(self.aws.iter().filter_map(|aws| aws.secret_access_key.as_deref()));
        all.extend(self.registry.iter().map(|registry| registry.key.as_str()));
        all.extend(self.service.iter().map(|service| service.secret.as_str()));
        all.extend(self.litellm.iter().map(|litellm| litellm.key.as_str()));
        all.extend(self.b2.iter().map(|b2| b2.app_key.as_str()));
        all.extend(self.postgres.iter().flat_map(|it| &it.servers).map(|server| server.password.as_str()));
        all
    }
}

/// Limits of one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Maximum number of calls that begin within a second.
    pub per_second: Option<usize>,
    /// Maximum number of concurrent calls.
    pub at_once: Option<usize>,
    /// Maximum number of concurrent calls per account.
    pub per_account: Option<usize>,
    /// Number of consecutive failures that opens the circuit.
    pub failures: Option<usize>,
    /// Seconds for which the circuit stays open.
    pub pause_s: Option<u64>,
}

impl LimitSettings {
    /// Returns these limits, with the default for each missing limit. Numbers are at least 1, because 0 would block all
    /// calls.
    pub fn limits(self) -> ProviderLimits {
        let given = |set: Option<usize>, else_: usize| set.unwrap_or(else_).max(1);
        let default = ProviderLimits::default();
        ProviderLimits {
            per_second: given(self.per_second, default.per_second),
            at_once: given(self.at_once, default.at_once),
            per_account: given(self.per_account, default.per_account),
            failures: given(self.failures, default.failures),
            pause: self.pause_s.map_or(default.pause, Duration::from_secs),
        }
    }
}

/// An invalid settings file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct SettingsError {
    /// Path of the file.
    pub path: PathBuf,
    /// The problem and what was expected.
    pub problem: String,
}

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be read, is too large, or has invalid or unknown members.
    pub fn read(path: &Path) -> Result<Settings, SettingsError> {
        let error = |problem: String| SettingsError { path: path.to_owned(), problem };
        let bytes = std::fs::metadata(path).map_err(|cause| error(cause.to_string()))?.len();
        if bytes > BYTES_MAX {
            return Err(error(format!("the file has {bytes} bytes: expected {BYTES_MAX} at most")));
        }
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        serde_saphyr::from_str(&text).map_err(|cause| error(cause.to_string()))
    }

    /// Reads settings that contain variables: `filled` has their values, `written` their names.
    ///
    /// # Errors
    ///
    /// Fails if there are invalid or unknown members. The error contains none of the filled-in values, which may be
    /// secrets.
    pub fn of_json(path: &Path, written: Value, filled: Value) -> Result<Settings, SettingsError> {
        if filled.is_null() {
            return Ok(Settings::default());
        }
        serde_json::from_value(filled).map_err(|_| {
            let problem = match serde_json::from_value::<Settings>(written) {
                Err(cause) => cause.to_string(),
                Ok(_) => "the value of a variable has the wrong type".to_owned(),
            };
            SettingsError { path: path.to_owned(), problem }
        })
    }

    /// Returns the limits of the provider with this name.
    pub fn limits_of(&self, name: &str) -> ProviderLimits {
        self.limits.get(name).copied().unwrap_or_default().limits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_with_variables_are_read_and_an_error_has_none_of_their_values() {
        use serde_json::json;
        let path = Path::new("providers.yml");
        let written = json!({"b2": {"region": "r", "key_id": "${B2_KEY_ID}", "app_key": "secret:env/B2_APP_KEY"}});
        let filled = json!({"b2": {"region": "r", "key_id": "key-1", "app_key": "secret:env/B2_APP_KEY"}});
        let settings = Settings::of_json(path, written, filled).expect("settings");
        assert_eq!(settings.b2.map(|b2| b2.key_id), Some("key-1".to_owned()));
        let error = |written, filled| Settings::of_json(path, written, filled).expect_err("a fault").to_string();
        let told = error(json!({"smtp": {"hots": "${A}"}}), json!({"smtp": {"hots": "hidden"}}));
        assert!(told.contains("hots") && !told.contains("hidden"), "{told}");
        let told =
            error(json!({"smtp": {"host": "h", "port": "${A}"}}), json!({"smtp": {"host": "h", "port": "hidden"}}));
        assert!(told.contains("providers.yml") && !told.contains("hidden"), "{told}");
        assert_eq!(Settings::of_json(path, json!(null), json!(null)).expect("settings"), Settings::default());
    }

    #[test]
    fn an_unknown_setting_is_reported() {
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
