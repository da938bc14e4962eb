//! The file that says how providers are reached.

use crate::limits::ProviderLimits;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
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
    /// The account of `aws`.
    pub aws: Option<AwsSettings>,
    /// The account of `b2`.
    pub b2: Option<B2Settings>,
    /// The servers of `postgres`.
    pub postgres: Option<PostgresSettings>,
    /// The organization of `supabase`.
    pub supabase: SupabaseSettings,
    /// ProviderLimits by the name of the provider; [`ProviderLimits::default`] for one that is not here.
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

/// An account of AWS in one region.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSettings {
    /// `eu-central-1`.
    pub region: String,
    /// Another address than AWS's own.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Id of a key; without one the machine's own way to AWS is taken.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// The key, by reference.
    #[serde(default)]
    pub secret_access_key: Option<String>,
    /// What functions have in common; without it no function is made here.
    #[serde(default)]
    pub functions: Option<AwsFunctions>,
    /// What databases of their own have in common; without it no database is made here.
    #[serde(default)]
    pub databases: Option<AwsDatabases>,
    /// ARN of the distributions' certificate, in `us-east-1`.
    #[serde(default)]
    pub certificate_arn: Option<String>,
    /// Id of the access control by which distributions read buckets.
    #[serde(default)]
    pub origin_access_control_id: Option<String>,
    /// `PriceClass_100`, `PriceClass_200` or `PriceClass_All`.
    #[serde(default)]
    pub price_class: Option<String>,
    /// Number of the account whose distributions may read the buckets.
    #[serde(default)]
    pub cdn_account: Option<String>,
    /// Buckets of the platform's own, whose objects are signed for every account.
    #[serde(default)]
    pub shared_buckets: Vec<String>,
}

/// What functions on Lambda have in common.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsFunctions {
    /// ARN of the role that they run as.
    pub role_arn: String,
    /// Their code.
    pub code: AwsCode,
    /// For example `provided.al2023`.
    pub runtime: String,
    /// For example `bootstrap`.
    pub handler: String,
    /// Size where a payload names none.
    #[serde(default)]
    pub size: Option<AwsSize>,
    /// Sizes by the payload's `tier`; if there are any, another tier is refused.
    #[serde(default)]
    pub tiers: BTreeMap<String, AwsSize>,
    /// Variables of every function; no secrets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Whether the database's secret becomes the variable `DATABASE_SECRET`.
    #[serde(default)]
    pub secret_in_environment: bool,
    /// ARN of the key that the environment is encrypted with.
    #[serde(default)]
    pub kms_key_arn: Option<String>,
    /// Subnets that they run in.
    #[serde(default)]
    pub subnet_ids: Vec<String>,
    /// Security groups there.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
}

/// Where the code of functions is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum AwsCode {
    /// In a bucket of the region.
    Object {
        /// Name of the bucket.
        bucket: String,
        /// Key of the zip.
        key: String,
        /// Its version.
        #[serde(default)]
        version: Option<String>,
    },
    /// A zip on this machine.
    File(PathBuf),
}

/// Size of a function.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSize {
    /// Memory in MB.
    pub memory_mb: i32,
    /// The longest that it runs, in seconds.
    pub timeout_s: i32,
}

/// What databases of their own have in common.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsDatabases {
    /// `postgres`.
    pub engine: String,
    /// `17`; the one that AWS prefers if there is none.
    #[serde(default)]
    pub engine_version: Option<String>,
    /// Name of the administrator.
    pub user: String,
    /// `db.t4g.micro`.
    pub class: String,
    /// GB of storage where a payload has no quota, 20 at least.
    #[serde(default = "storage_gb")]
    pub storage_gb: i32,
    /// Days that AWS's own backups are kept where a payload has none.
    pub keep_days: i32,
    /// The group of subnets.
    #[serde(default)]
    pub subnet_group: Option<String>,
    /// Security groups.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// Whether there is a second one in another zone.
    #[serde(default)]
    pub multi_az: bool,
}

fn storage_gb() -> i32 {
    20
}

/// An account of Backblaze B2.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct B2Settings {
    /// `us-east-005`, as it stands in the endpoint.
    pub region: String,
    /// Another address.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Id of the key.
    pub key_id: String,
    /// The key, by reference.
    pub app_key: String,
    /// Buckets of the platform's own, whose objects are signed for every account.
    #[serde(default)]
    pub shared_buckets: Vec<String>,
}

/// Servers that tenants share.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresSettings {
    /// The servers; a database stays on the one that it was made on.
    pub servers: Vec<PostgresServer>,
    /// A file of certificate authorities (PEM) that servers may have beside the machine's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Where hosts are found that the machine's resolver doesn't know: `{db1.internal: "10.0.0.7:5432"}`.
    #[serde(default)]
    pub addresses: BTreeMap<String, SocketAddr>,
    /// The folder of `pg_dump` and `pg_restore`.
    pub programs: PathBuf,
    /// Where backups are kept; in the world's folder if it is not said.
    #[serde(default)]
    pub backups: Option<PathBuf>,
    /// The folder of `database.migrate`.
    #[serde(default)]
    pub migrations: Option<PathBuf>,
    /// The folder of `database.seed`.
    #[serde(default)]
    pub seeds: Option<PathBuf>,
}

/// A server that tenants share.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// A superuser.
    pub user: String,
    /// The superuser's password, by reference.
    pub password: String,
    /// Databases that it takes at most.
    pub max_databases: u32,
    /// Whether connections are by TLS.
    #[serde(default)]
    pub tls: bool,
}

/// An organization at Supabase.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupabaseSettings {
    /// The access token, by reference.
    pub token: String,
    /// Slug of the organization where a payload names none.
    pub organization: Option<String>,
    /// Region where a payload names none.
    pub region: Option<String>,
    /// Sizes by the payload's `plan`.
    pub instance_sizes: BTreeMap<String, String>,
    /// Another address than Supabase's own.
    pub url: Option<String>,
}

impl Default for SupabaseSettings {
    fn default() -> Self {
        SupabaseSettings {
            token: "secret:env/SUPABASE_ACCESS_TOKEN".to_owned(),
            organization: None,
            region: None,
            instance_sizes: BTreeMap::new(),
            url: None,
        }
    }
}

impl Settings {
    /// Every reference to a secret in it.
    pub fn references(&self) -> Vec<&str> {
        let mut all = vec![self.stripe.test_key.as_str(), &self.stripe.live_key, &self.supabase.token];
        all.extend(self.smtp.iter().filter_map(|smtp| smtp.password.as_deref()));
        all.extend(self.aws.iter().filter_map(|aws| aws.secret_access_key.as_deref()));
        all.extend(self.b2.iter().map(|b2| b2.app_key.as_str()));
        all.extend(self.postgres.iter().flat_map(|it| &it.servers).map(|server| server.password.as_str()));
        all
    }
}

/// ProviderLimits of one provider.
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

    /// ProviderLimits of the provider of this name.
    pub fn limits_of(&self, name: &str) -> ProviderLimits {
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
