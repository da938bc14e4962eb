//! The settings file of the providers.

use crate::limits::ProviderLimits;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Maximum bytes of the settings file.
const BYTES_MAX: u64 = 256 * 1024;

/// Settings of all providers. They contain references instead of secrets: `secret:env/NAME` or `secret:file/NAME`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Folder of the files of `secret:file/NAME`.
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
    /// Limits by provider name. A missing limit has its value in [`ProviderLimits::default`].
    pub limits: BTreeMap<String, LimitSettings>,
}

/// Sender and addresses of mails.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailSettings {
    /// Sender, for example `Shop <shop@example.com>`; none for the name of the business at this machine.
    pub from: Option<String>,
    /// Addresses of `to: admin`.
    pub admin: Vec<String>,
    /// Addresses of `to: account`, by account, for example `user:u1`.
    pub accounts: BTreeMap<String, Vec<String>>,
    /// Folder of the templates, `NAME.txt` and `NAME.html`.
    pub templates: Option<PathBuf>,
}

/// What the provider `http` may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Private networks that probes may reach besides the public internet, for example `10.0.0.0/8`.
    pub networks: Vec<String>,
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
    pub security: SmtpSecurity,
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

/// Encryption of a connection to an SMTP server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpSecurity {
    /// TLS from the start.
    Tls,
    /// STARTTLS.
    #[default]
    Starttls,
    /// No encryption. Allowed only for a server on this machine.
    Plain,
}

/// A Stripe account, at Stripe or in a local Stripe.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StripeSettings {
    /// Reference to the key of test mode.
    pub test_key: String,
    /// Reference to the key of live mode.
    pub live_key: String,
    /// Base URL of a local Stripe, `host-shim stripe`. None for Stripe itself.
    pub url: Option<String>,
    /// Address of the business's site, to whose paths Stripe's pages lead back. None for that of the server.
    pub site: Option<String>,
}

impl Default for StripeSettings {
    fn default() -> Self {
        StripeSettings {
            test_key: "secret:env/STRIPE_TEST_KEY".to_owned(),
            live_key: "secret:env/STRIPE_LIVE_KEY".to_owned(),
            url: None,
            site: None,
        }
    }
}

/// An AWS account in one region.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSettings {
    /// Region, for example `eu-central-1`.
    pub region: String,
    /// Address of an AWS-compatible service. None for AWS itself.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Id of the access key. None to use the machine's credentials.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Reference to the secret key.
    #[serde(default)]
    pub secret_access_key: Option<String>,
    /// Settings of functions on Lambda. Without them and `containers`, the provider `aws` has no functions.
    #[serde(default)]
    pub functions: Option<AwsFunctions>,
    /// Settings of functions of the tier `ecs`. Without them, the provider `aws` refuses this tier.
    #[serde(default)]
    pub containers: Option<AwsContainers>,
    /// Settings of dedicated databases. Without them, the provider `aws` has no databases.
    #[serde(default)]
    pub databases: Option<AwsDatabases>,
    /// ARN of the distributions' certificate, in `us-east-1`. Without it, each distribution needs a `zone`, in which a
    /// certificate for its host can be validated.
    #[serde(default)]
    pub certificate_arn: Option<String>,
    /// Id of the origin access control that lets distributions read private buckets.
    #[serde(default)]
    pub origin_access_control_id: Option<String>,
    /// `PriceClass_100`, `PriceClass_200` or `PriceClass_All`.
    #[serde(default)]
    pub price_class: Option<String>,
    /// Number of the AWS account whose distributions may read the buckets.
    #[serde(default)]
    pub cdn_account: Option<String>,
    /// Names of the platform's buckets. Every account may have URLs signed for the objects in them.
    #[serde(default)]
    pub shared_buckets: Vec<String>,
}

/// Settings of functions on Lambda.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsFunctions {
    /// ARN of the role that all functions share. Either this or `roles` is required.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// Gives each function a role of its own, which may use the function's own resources alone.
    #[serde(default)]
    pub roles: Option<AwsRoles>,
    /// Location of the code.
    pub code: AwsCode,
    /// Lambda runtime, for example `provided.al2023`.
    pub runtime: String,
    /// Handler, for example `bootstrap`.
    pub handler: String,
    /// Size of a function if the payload has no `tier`, or the tier `lambda`. The payload's `memory_mb` and `timeout_s`
    /// override every size.
    #[serde(default)]
    pub size: Option<AwsSize>,
    /// Sizes by the payload's `tier`. Other tiers except `lambda` are refused.
    #[serde(default)]
    pub tiers: BTreeMap<String, AwsSize>,
    /// Environment variables of every function; not for secrets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Whether the variable `DATABASE_SECRET` gets the database's plain secret, as a function without other means needs
    /// it. If false, the function gets a reference and must resolve it itself.
    #[serde(default = "yes")]
    pub secret_in_environment: bool,
    /// ARN of the key that encrypts the environment; Lambda's own key if none.
    #[serde(default)]
    pub kms_key_arn: Option<String>,
    /// Ids of the subnets of the functions' network; empty for Lambda's own network.
    #[serde(default)]
    pub subnet_ids: Vec<String>,
    /// Ids of the functions' security groups in that network.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Settings of the roles of functions that have a role each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsRoles {
    /// Path of the roles, for example `/tenants/`. The credentials of `aws` need rights to roles at this path alone.
    pub path: String,
    /// ARN of the policy that is the boundary of the roles' permissions; none if the roles have no boundary.
    #[serde(default)]
    pub boundary_arn: Option<String>,
    /// ARNs of the operator's own principals, with the principal of `aws` itself. Tenants' buckets deny every principal
    /// but these and the tenant's own roles. An ARN may have `*` and `?`.
    pub operators: Vec<String>,
}

/// Location of the functions' code.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum AwsCode {
    /// An object in a bucket of the region.
    Object {
        /// Name of the bucket.
        bucket: String,
        /// Key of the zip file.
        key: String,
        /// Version of the object.
        #[serde(default)]
        version: Option<String>,
    },
    /// A zip file on this machine.
    File(PathBuf),
}

/// Size of a function.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSize {
    /// Memory in MB, 128 to 10240.
    pub memory_mb: i32,
    /// Timeout of a request in seconds, 1 to 900.
    pub timeout_s: i32,
}

/// Settings of containers on ECS.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsContainers {
    /// Name of the cluster.
    pub cluster: String,
    /// The image, for example `123456789012.dkr.ecr.eu-central-1.amazonaws.com/app:7`.
    pub image: String,
    /// Port on which the program in the image serves HTTP.
    pub port: u16,
    /// Size of a container of the tier `ecs`. The payload's `memory_mb` overrides the memory of every size.
    #[serde(default)]
    pub size: Option<AwsContainerSize>,
    /// Sizes by the payload's `tier`. A tier belongs to containers or to functions, not to both.
    #[serde(default)]
    pub tiers: BTreeMap<String, AwsContainerSize>,
    /// Number of tasks of a running service.
    #[serde(default = "one")]
    pub count: i32,
    /// Ids of the subnets of the tasks.
    pub subnet_ids: Vec<String>,
    /// Ids of the security groups of the tasks. They must let the load balancer reach `port`.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// Whether the tasks have public addresses.
    #[serde(default)]
    pub assign_public_ip: bool,
    /// ARN of the role with which ECS fetches the image and writes the log.
    pub execution_role_arn: String,
    /// ARN of the role that all programs share. Either this or `roles` is required.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// Gives each program a role of its own. Functions with `roles` have the same.
    #[serde(default)]
    pub roles: Option<AwsRoles>,
    /// ARN of the listener of a load balancer. It gets a rule for each container.
    pub listener_arn: String,
    /// Id of the network of the load balancer and the tasks.
    pub vpc_id: String,
    /// Domain below which each container has its host. Its wildcard points to the load balancer.
    pub domain: String,
    /// Path that answers the load balancer's health check with 200 to 399.
    #[serde(default = "root")]
    pub health_path: String,
    /// Environment variables of every container; not for secrets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Whether the variable `DATABASE_SECRET` gets the database's plain secret. If false, the container gets a reference
    /// and must resolve it itself.
    #[serde(default = "yes")]
    pub secret_in_environment: bool,
    /// Name of the log group that gets the output of the containers; none to have no log.
    #[serde(default)]
    pub log_group: Option<String>,
}

fn one() -> i32 {
    1
}

fn root() -> String {
    "/".to_owned()
}

/// Size of a container, one that Fargate has.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsContainerSize {
    /// CPU units, 256 to 16384: 1024 are one processor.
    pub cpu: i32,
    /// Memory in MB.
    pub memory_mb: i32,
}

/// Settings of dedicated databases.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsDatabases {
    /// Database engine: `postgres`.
    pub engine: String,
    /// Engine version, for example `17`; AWS's default if none.
    #[serde(default)]
    pub engine_version: Option<String>,
    /// Name of the administrator of each instance.
    pub user: String,
    /// Instance class, for example `db.t4g.micro`.
    pub class: String,
    /// GB of storage if the payload has no `quota_gb`; at least 20.
    #[serde(default = "storage_gb")]
    pub storage_gb: i32,
    /// Days for which AWS keeps its automatic backups if the payload has no `backups.keep_days`, 0 to 35.
    pub keep_days: i32,
    /// Subnet group of instances; the account's default if none.
    #[serde(default)]
    pub subnet_group: Option<String>,
    /// Ids of the security groups of instances; the network's default if none.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// Whether each instance has a standby in another zone.
    #[serde(default)]
    pub multi_az: bool,
}

fn storage_gb() -> i32 {
    20
}

/// A Backblaze B2 account.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct B2Settings {
    /// Region in the endpoint's host name, for example `us-east-005`.
    pub region: String,
    /// Address of the service; by default the endpoint of the region.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Id of the application key.
    pub key_id: String,
    /// Reference to the secret key.
    pub app_key: String,
    /// Names of the platform's buckets. Every account may have URLs signed for the objects in them.
    #[serde(default)]
    pub shared_buckets: Vec<String>,
}

/// Shared PostgreSQL servers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresSettings {
    /// The servers. A database stays on its server. All hosts that share the servers must list the same server first.
    pub servers: Vec<PostgresServer>,
    /// PEM file with certificate authorities to trust in addition to the machine's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Addresses of hosts that the machine can't resolve or reach by their names, for example
    /// `{db1.internal: "10.0.0.7:5432"}`.
    #[serde(default)]
    pub addresses: BTreeMap<String, SocketAddr>,
    /// Folder of the programs `pg_dump` and `pg_restore`.
    pub programs: PathBuf,
    /// Folder of backups; by default `postgres-backups` in the providers' folder.
    #[serde(default)]
    pub backups: Option<PathBuf>,
    /// Folder with the files `NNN_name.sql` of `database.migrate`. None refuses migrations.
    #[serde(default)]
    pub migrations: Option<PathBuf>,
    /// Folder with the files `name.sql` of `database.seed`. None refuses seeds.
    #[serde(default)]
    pub seeds: Option<PathBuf>,
}

/// A shared PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresServer {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Name of a superuser.
    pub user: String,
    /// Reference to the password of the superuser.
    pub password: String,
    /// Maximum number of tenants' databases.
    pub max_databases: u32,
    /// Whether to connect with TLS.
    #[serde(default)]
    pub tls: bool,
}

/// A registry for images that takes the tokens of this host.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrySettings {
    /// Name of the issuer: `auth.token.issuer` of the registry.
    pub issuer: String,
    /// Name of the registry: its `auth.token.service`.
    pub service: String,
    /// Reference to the key, a P-256 key in PKCS #8.
    pub key: String,
    /// File with the key's certificate in PEM: it, or its authority, is in the `auth.token.rootcertbundle` of the registry.
    pub certificate: PathBuf,
}

/// A service of the business that carries out effects.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// Where the calls are sent: `https`, or `http` on this machine.
    pub url: String,
    /// Reference to the secret of Standard Webhooks, `whsec_` and base64.
    pub secret: String,
    /// The effects, by kind or by resource: `workspace` or `workspace.ensure`.
    pub effects: Vec<String>,
}

/// A LiteLLM proxy, whose spend log has the use of models.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LitellmSettings {
    /// Base URL of the proxy.
    pub url: String,
    /// Reference to the key of an administrator.
    #[serde(default = "litellm_key")]
    pub key: String,
    /// The column of the spend log that has our users.
    #[serde(default)]
    pub users: LitellmUsers,
}

fn litellm_key() -> String {
    "secret:env/LITELLM_MASTER_KEY".to_owned()
}

/// A column of the spend log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LitellmUsers {
    /// The users of the proxy, whose keys make the requests.
    #[default]
    User,
    /// The member `user` in the bodies of requests.
    EndUser,
}

/// A Supabase organization.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupabaseSettings {
    /// Reference to the access token.
    pub token: String,
    /// Slug of the organization if the payload has none.
    pub organization: Option<String>,
    /// Region if the payload has none.
    pub region: Option<String>,
    /// Machine sizes by the payload's `plan`.
    pub instance_sizes: BTreeMap<String, String>,
    /// Base URL of another server than Supabase's. None for Supabase itself.
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
    /// Maximum calls that begin within a second.
    pub per_second: Option<usize>,
    /// Maximum concurrent calls.
    pub at_once: Option<usize>,
    /// Maximum concurrent calls per account.
    pub per_account: Option<usize>,
    /// Number of consecutive failures that opens the circuit.
    pub failures: Option<usize>,
    /// Seconds for which the circuit stays open.
    pub pause_s: Option<u64>,
}

impl LimitSettings {
    /// Returns these limits, with the default for each missing limit. Numbers are at least 1, since 0 would block all
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

    /// Reads settings with variables: `filled` has their values, `written` their names.
    ///
    /// # Errors
    ///
    /// Fails if there are invalid or unknown members. The error has none of the filled in values, which may be secrets.
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
    fn containers_have_defaults_and_no_unknown_settings() {
        let yaml = "aws:\n  region: eu-central-1\n  containers:\n    cluster: apps\n    image: registry.example/app:1\n    \
            port: 8080\n    subnet_ids: [subnet-1]\n    execution_role_arn: \"arn:aws:iam::1:role/e\"\n    \
            role_arn: \"arn:aws:iam::1:role/r\"\n    listener_arn: \"arn:aws:l\"\n    vpc_id: vpc-1\n    \
            domain: apps.example\n    tiers: {ecs-large: {cpu: 1024, memory_mb: 4096}}\n";
        let settings: Settings = serde_saphyr::from_str(yaml).expect("settings");
        let containers = settings.aws.and_then(|aws| aws.containers).expect("containers");
        assert_eq!((containers.count, containers.health_path.as_str(), containers.size), (1, "/", None));
        assert_eq!((containers.secret_in_environment, containers.assign_public_ip), (true, false));
        assert_eq!(containers.tiers["ecs-large"], AwsContainerSize { cpu: 1024, memory_mb: 4096 });
        let wrong = yaml.replace("cpu:", "cpus:");
        let told = serde_saphyr::from_str::<Settings>(&wrong).expect_err("an unknown member").to_string();
        assert!(told.contains("cpus"), "{told}");
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
