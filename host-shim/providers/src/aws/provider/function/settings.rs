//! Settings of a function, from the configuration and the payload.

use crate::aws::provider::aws::OpenError;
use crate::aws::provider::environment::variables;
use crate::aws::provider::payload::{text, whole};
use crate::aws::provider::role::{Grants, Service, TenantRoles};
use aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder as Create;
use aws_sdk_lambda::operation::update_function_code::builders::UpdateFunctionCodeFluentBuilder as UpdateCode;
use aws_sdk_lambda::operation::update_function_configuration::builders::UpdateFunctionConfigurationFluentBuilder as Update;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, FunctionConfiguration, Runtime, VpcConfig};
use host_provider_api::{Call, CallOutcome};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;

/// Maximum size of a code file in bytes: Lambda's limit for a request.
const CODE_MAX: u64 = 50 * 1024 * 1024;
const MEMORY_MB: (i32, i32) = (128, 10_240);
const TIMEOUT_S: (i32, i32) = (1, 900);

/// The tier that every configuration has: a function on Lambda of the configured `size`.
const LAMBDA: &str = "lambda";
/// The tier of containers on ECS, which Lambda can't provide.
pub(crate) const ECS: &str = "ecs";

/// Location of the code of all functions, as a zip file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// An object in a bucket of the same region.
    Object {
        /// Name of the bucket.
        bucket: String,
        /// Key of the object. Functions get the code of a new key or version with their next change.
        key: String,
        /// Version of the object in a versioned bucket.
        version: Option<String>,
    },
    /// A file on this machine of at most 50 MiB. It is read once, when the provider is created.
    File(PathBuf),
}

/// Size of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionSize {
    /// Memory in MB, 128 to 10240. The share of processor time grows with it.
    pub memory_mb: i32,
    /// Timeout of a request in seconds, 1 to 900.
    pub timeout_s: i32,
}

impl Default for FunctionSize {
    /// 512 MB, 30 seconds.
    fn default() -> Self {
        FunctionSize { memory_mb: 512, timeout_s: 30 }
    }
}

/// The role of the functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionRole {
    /// The role with this ARN, which all functions share. Any right of this role is a right of every tenant.
    Shared(String),
    /// A separate role for each function, which may use only the function's own resources.
    Own(TenantRoles),
}

/// Settings that all functions share.
#[derive(Clone, Debug)]
pub struct FunctionConfig {
    /// The functions' role.
    pub role: FunctionRole,
    /// Location of the code.
    pub code: Code,
    /// Lambda runtime, for example `provided.al2023`.
    pub runtime: String,
    /// Handler, for example `bootstrap`.
    pub handler: String,
    /// Size of a function if the payload has no `tier`, or the tier `lambda`. The payload's `memory_mb` and `timeout_s`
    /// override every size.
    pub size: FunctionSize,
    /// Sizes by the payload's `tier`. Other tiers except `lambda` are refused. `ecs` is also refused here, because it
    /// is the tier of containers.
    pub tiers: BTreeMap<String, FunctionSize>,
    /// Environment variables of every function; not for secrets.
    pub environment: BTreeMap<String, String>,
    /// Whether the variable `DATABASE_SECRET` contains the plain value of the payload's `database_secret`. Lambda
    /// encrypts it, but shows it to everybody who may read the function's configuration. Otherwise, the variable
    /// `DATABASE_SECRET_REF` contains the reference, and the function must resolve it by other means.
    pub secret_in_environment: bool,
    /// ARN of the key that encrypts the environment; Lambda's own key if none.
    pub kms_key_arn: Option<String>,
    /// Ids of the subnets of the functions' network; empty for Lambda's own network.
    pub subnet_ids: Vec<String>,
    /// Ids of the functions' security groups in that network.
    pub security_group_ids: Vec<String>,
}

impl FunctionConfig {
    /// Validates the settings and reads the code.
    pub(super) fn checked(self) -> Result<CheckedConfig, OpenError> {
        let setting = |field, found: &dyn ToString, expected| {
            Err(OpenError::Setting { field, found: found.to_string(), expected })
        };
        for size in self.tiers.values().chain([&self.size]) {
            if !(MEMORY_MB.0..=MEMORY_MB.1).contains(&size.memory_mb) {
                return setting("memory_mb", &size.memory_mb, "128 to 10240");
            }
            if !(TIMEOUT_S.0..=TIMEOUT_S.1).contains(&size.timeout_s) {
                return setting("timeout_s", &size.timeout_s, "1 to 900");
            }
        }
        if self.tiers.contains_key(ECS) {
            return setting("tiers", &ECS, "tiers of functions on Lambda; containers on ECS have their own settings");
        }
        if let FunctionRole::Shared(role) = &self.role
            && !role.starts_with("arn:")
        {
            return setting("role_arn", role, "the ARN of a role");
        }
        let (zip, code_id) = match &self.code {
            Code::Object { bucket, key, version } => {
                let name = format!("{bucket}/{key}@{}", version.as_deref().unwrap_or_default());
                (None, format!("object-{}", hex::encode(Sha256::digest(name.as_bytes()))))
            }
            Code::File(path) => {
                let failed = |error| OpenError::Code { path: path.display().to_string(), error };
                let size = fs::metadata(path).map_err(failed)?.len();
                if size > CODE_MAX {
                    return setting("code", &format!("a file of {size} bytes"), "at most 52428800 bytes");
                }
                let zip = fs::read(path).map_err(failed)?;
                let id = format!("file-{}", hex::encode(Sha256::digest(&zip)));
                (Some(Blob::new(zip)), id)
            }
        };
        Ok(CheckedConfig { config: self, zip, code_id })
    }
}

/// A validated configuration with the code.
pub(super) struct CheckedConfig {
    config: FunctionConfig,
    zip: Option<Blob>,
    code_id: String,
}

/// Settings of one function. Not `Debug`, because the environment may contain a secret.
pub(super) struct Settings {
    size: FunctionSize,
    environment: HashMap<String, String>,
}

impl CheckedConfig {
    /// Returns the id of the code: a hash of the file's content, or of the object's bucket, key and version.
    pub(super) fn code_id(&self) -> &str {
        &self.code_id
    }

    pub(super) fn role(&self) -> &FunctionRole {
        &self.config.role
    }

    /// Returns the rights of a function with this name, without a bucket.
    pub(super) fn grants<'g>(
        &'g self,
        call: &'g Call,
        region: &'g str,
        function: &'g str,
    ) -> Result<Grants<'g>, CallOutcome> {
        // A function gets the plain secret or a reference that it resolves itself, never both.
        let secret = if self.config.secret_in_environment { None } else { text(call, "database_secret")? };
        let (scope, key) = (call.scope.as_str(), self.config.kms_key_arn.as_deref());
        let has_network = !self.config.subnet_ids.is_empty();
        let service = Service::Lambda { function, has_network, key };
        Ok(Grants { region, service, scope, bucket: None, secret })
    }

    pub(super) fn settings(&self, call: &Call) -> Result<Settings, CallOutcome> {
        Ok(Settings { size: self.size(call)?, environment: self.environment(call)? })
    }

    fn size(&self, call: &Call) -> Result<FunctionSize, CallOutcome> {
        let tier = match text(call, "tier")? {
            None => self.config.size,
            Some(tier) => match self.config.tiers.get(tier) {
                Some(size) => *size,
                None if tier == LAMBDA => self.config.size,
                None => return Err(self.unknown_tier(tier)),
            },
        };
        let memory = whole(call, "memory_mb", MEMORY_MB.0, MEMORY_MB.1)?;
        let memory = memory.or(whole(call, "ram_mb", MEMORY_MB.0, MEMORY_MB.1)?);
        let timeout = whole(call, "timeout_s", TIMEOUT_S.0, TIMEOUT_S.1)?;
        Ok(FunctionSize { memory_mb: memory.unwrap_or(tier.memory_mb), timeout_s: timeout.unwrap_or(tier.timeout_s) })
    }

    /// Returns the tiers of functions, sorted.
    pub(super) fn tiers(&self) -> Vec<String> {
        let known: BTreeSet<&str> = self.config.tiers.keys().map(String::as_str).chain([LAMBDA]).collect();
        known.into_iter().map(str::to_owned).collect()
    }

    /// Refuses a tier permanently: no retry could provide it, and a function of another size would not be what was
    /// bought.
    fn unknown_tier(&self, tier: &str) -> CallOutcome {
        let known = self.tiers().join(", ");
        CallOutcome::refused(
            "unsupported-tier",
            format!("`tier` is `{tier}`: expected one of {known}, which functions on Lambda have"),
        )
    }

    fn environment(&self, call: &Call) -> Result<HashMap<String, String>, CallOutcome> {
        let config = &self.config;
        let variables = variables(call, &config.environment, config.secret_in_environment)?;
        Ok(variables.into_iter().collect())
    }

    fn network(&self) -> Option<VpcConfig> {
        let (subnets, groups) = (self.config.subnet_ids.clone(), self.config.security_group_ids.clone());
        let network = VpcConfig::builder().set_subnet_ids(Some(subnets)).set_security_group_ids(Some(groups));
        (!self.config.subnet_ids.is_empty()).then(|| network.build())
    }

    pub(super) fn update_code(&self, update: UpdateCode) -> UpdateCode {
        match &self.config.code {
            Code::Object { bucket, key, version } => {
                update.s3_bucket(bucket).s3_key(key).set_s3_object_version(version.clone())
            }
            Code::File(_) => update.set_zip_file(self.zip.clone()),
        }
    }

    fn code(&self) -> FunctionCode {
        let code = FunctionCode::builder();
        match &self.config.code {
            Code::Object { bucket, key, version } => {
                code.s3_bucket(bucket).s3_key(key).set_s3_object_version(version.clone()).build()
            }
            Code::File(_) => code.set_zip_file(self.zip.clone()).build(),
        }
    }
}

impl Settings {
    pub(super) fn create(&self, create: Create, checked: &CheckedConfig, role: &str) -> Create {
        let config = &checked.config;
        create
            .role(role)
            .runtime(Runtime::from(config.runtime.as_str()))
            .handler(&config.handler)
            .code(checked.code())
            .memory_size(self.size.memory_mb)
            .timeout(self.size.timeout_s)
            .environment(self.variables())
            .set_kms_key_arn(config.kms_key_arn.clone())
            .set_vpc_config(checked.network())
    }

    pub(super) fn update(&self, update: Update, checked: &CheckedConfig, role: &str) -> Update {
        let config = &checked.config;
        update
            .role(role)
            .runtime(Runtime::from(config.runtime.as_str()))
            .handler(&config.handler)
            .memory_size(self.size.memory_mb)
            .timeout(self.size.timeout_s)
            .environment(self.variables())
            .set_kms_key_arn(config.kms_key_arn.clone())
            .set_vpc_config(checked.network())
    }

    fn variables(&self) -> Environment {
        Environment::builder().set_variables(Some(self.environment.clone())).build()
    }

    /// Returns true if the function already has these settings and this role.
    pub(super) fn are_set_on(&self, there: &FunctionConfiguration, checked: &CheckedConfig, role: &str) -> bool {
        let environment = there.environment.as_ref().and_then(|environment| environment.variables.clone());
        let network = there.vpc_config.as_ref();
        let subnets = network.and_then(|network| network.subnet_ids.clone()).unwrap_or_default();
        let groups = network.and_then(|network| network.security_group_ids.clone()).unwrap_or_default();
        let are_alike = |mut one: Vec<String>, mut other: Vec<String>| {
            one.sort();
            other.sort();
            one == other
        };
        there.memory_size == Some(self.size.memory_mb)
            && there.timeout == Some(self.size.timeout_s)
            && environment.unwrap_or_default() == self.environment
            && there.role.as_deref() == Some(role)
            && there.handler.as_deref() == Some(checked.config.handler.as_str())
            && there.runtime.as_ref().is_some_and(|runtime| runtime.as_str() == checked.config.runtime)
            && are_alike(subnets, checked.config.subnet_ids.clone())
            && are_alike(groups, checked.config.security_group_ids.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn checked() -> CheckedConfig {
        let small = FunctionSize { memory_mb: 256, timeout_s: 10 };
        let large = FunctionSize { memory_mb: 2048, timeout_s: 60 };
        let config = FunctionConfig {
            role: FunctionRole::Shared("arn:aws:iam::1:role/r".to_owned()),
            code: Code::Object { bucket: "code".to_owned(), key: "a.zip".to_owned(), version: None },
            runtime: "provided.al2023".to_owned(),
            handler: "bootstrap".to_owned(),
            size: FunctionSize::default(),
            tiers: [("small".to_owned(), small), ("large".to_owned(), large)].into(),
            environment: BTreeMap::new(),
            secret_in_environment: false,
            kms_key_arn: None,
            subnet_ids: Vec::new(),
            security_group_ids: Vec::new(),
        };
        config.checked().expect("valid settings")
    }

    fn size(payload: Value) -> Result<(i32, i32), CallOutcome> {
        let call = Call { payload, ..Call::default() };
        checked().size(&call).map(|size| (size.memory_mb, size.timeout_s))
    }

    #[test]
    fn a_tier_sets_the_size_and_numbers_override_it() {
        assert_eq!(size(json!({})), Ok((512, 30)));
        assert_eq!(size(json!({"tier": "large"})), Ok((2048, 60)));
        assert_eq!(size(json!({"tier": "large", "memory_mb": 1024})), Ok((1024, 60)));
        assert_eq!(size(json!({"tier": "small", "ram_mb": "768", "timeout_s": 5})), Ok((768, 5)));
    }

    #[test]
    fn a_size_that_lambda_does_not_support_is_refused_without_a_request() {
        for payload in [json!({"memory_mb": 64}), json!({"timeout_s": 901})] {
            assert!(matches!(size(payload), Err(CallOutcome::Refused { code, .. }) if code == "bad-payload"));
        }
        let mut config = checked().config;
        config.tiers.insert("none".to_owned(), FunctionSize { memory_mb: 1, timeout_s: 1 });
        let error = config.checked().err().expect("an invalid size").to_string();
        assert_eq!(error, "`memory_mb` is `1`: expected 128 to 10240");
    }

    #[test]
    fn a_tier_that_lambda_can_not_be_is_refused() {
        assert_eq!(size(json!({"tier": "lambda"})), Ok((512, 30)));
        let mut without_sizes = checked();
        without_sizes.config.tiers.clear();
        for (config, tier) in [(checked(), "huge"), (checked(), "ecs"), (without_sizes, "ecs")] {
            let refused = config.size(&Call { payload: json!({ "tier": tier }), ..Call::default() });
            let Err(CallOutcome::Refused { code, message }) = refused else { panic!("{tier} is refused") };
            assert_eq!(code, "unsupported-tier");
            assert!(message.contains(&format!("`tier` is `{tier}`")) && message.contains("lambda"), "{message}");
        }
        let mut config = checked().config;
        config.tiers.insert("ecs".to_owned(), FunctionSize::default());
        let error = config.checked().err().expect("no such tier").to_string();
        assert!(error.starts_with("`tiers` is `ecs`: expected"), "{error}");
    }

    #[test]
    fn a_different_object_has_a_different_code_id() {
        let mut other = checked().config;
        other.code = Code::Object { bucket: "code".to_owned(), key: "b.zip".to_owned(), version: None };
        assert_ne!(other.checked().expect("valid settings").code_id(), checked().code_id());
    }
}
