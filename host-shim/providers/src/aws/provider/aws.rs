//! Shared by all AWS providers: connection settings, credentials, timeouts and the threads that run requests.

use crate::aws::provider::errors::settle;
use crate::aws::provider::identity::Identity;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Credentials as Plain, Region, SharedHttpClient};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use host_provider_api::{CallOutcome, Secret, Unlisted};
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Name of the provider in errors.
const NAME: &str = "aws";
/// Number of threads that run requests.
const THREADS: usize = 2;

/// Returns the HTTPS client of the SDKs. It uses `ring`, as does the rest of the program; the SDKs' default would add a second cryptography
/// library, which takes a minute to compile.
pub fn https() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// Timeouts of one request and of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Time to connect.
    pub connect: Duration,
    /// Time from the request to the first byte of the response.
    pub read: Duration,
    /// Time for one request with its whole response.
    pub operation: Duration,
    /// Time for one provider call with all its requests. It must be shorter than the outbox's lease of 5 minutes.
    pub call: Duration,
}

impl Default for Timeouts {
    /// 30 seconds for a request, 4 minutes for a call.
    fn default() -> Self {
        let request = Duration::from_secs(30);
        Timeouts { connect: request, read: request, operation: request, call: Duration::from_secs(240) }
    }
}

/// Credentials for AWS.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// The SDK's default chain: environment, profile, the machine's role.
    Chain,
    /// A fixed key.
    Static {
        /// Id of the key.
        access_key_id: String,
        /// The secret key.
        secret_access_key: Secret,
        /// Session token of a temporary key.
        session_token: Option<Secret>,
    },
}

/// Region, endpoint, credentials and timeouts.
#[derive(Clone, Debug)]
pub struct Config {
    /// AWS region, for example `eu-central-1`. For B2, the region in the endpoint's host name, for example
    /// `us-east-005`.
    pub region: String,
    /// Address of an AWS-compatible service, for example `https://s3.us-east-005.backblazeb2.com`. Requests to such an
    /// address have the bucket name in their path. None for AWS itself.
    pub endpoint: Option<String>,
    /// Source of the credentials.
    pub credentials: Credentials,
    /// Timeouts of a request and of a call.
    pub timeouts: Timeouts,
}

/// Reasons why a provider cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused to start threads.
    #[error("can't start threads for requests: {0}")]
    Threads(std::io::Error),
    /// A setting has an invalid value.
    #[error("`{field}` is `{found}`: expected {expected}")]
    Setting {
        /// Name of the setting.
        field: &'static str,
        /// Value of the setting.
        found: String,
        /// Accepted values.
        expected: &'static str,
    },
    /// The file with the function's code can't be read.
    #[error("can't read the code in {path}: {error}")]
    Code {
        /// Path of the file.
        path: String,
        /// Cause.
        error: std::io::Error,
    },
}

struct Shared {
    runtime: Option<Runtime>,
    sdk: SdkConfig,
    region: String,
    has_endpoint: bool,
    call: Duration,
    /// The principal of the credentials, once it is known.
    identity: OnceLock<Identity>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Dropping a runtime waits for its threads, which is not allowed on a thread of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One AWS account (or one AWS-compatible service) in one region. Clones share threads and connections.
#[derive(Clone)]
pub struct Aws(Arc<Shared>);

impl Aws {
    /// Loads the credentials and starts the threads, without sending a request to the service. Neither `open` nor a
    /// provider call may run in an async runtime.
    ///
    /// # Errors
    ///
    /// Fails if the region is empty or the threads can't be started.
    pub fn open(config: &Config) -> Result<Aws, OpenError> {
        if config.region.is_empty() {
            return Err(OpenError::Setting {
                field: "region",
                found: String::new(),
                expected: "a region, `eu-central-1`",
            });
        }
        let built = Builder::new_multi_thread().worker_threads(THREADS).thread_name(NAME).enable_all().build();
        let runtime = built.map_err(OpenError::Threads)?;
        let times = &config.timeouts;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(times.connect)
            .read_timeout(times.read)
            .operation_attempt_timeout(times.operation)
            .operation_timeout(times.operation);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(https())
            .region(Region::new(config.region.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build());
        if let Credentials::Static { access_key_id, secret_access_key, session_token } = &config.credentials {
            let token = session_token.as_ref().map(|token| token.expose().to_owned());
            let key = Plain::new(access_key_id, secret_access_key.expose(), token, None, NAME);
            loader = loader.credentials_provider(key);
        }
        if let Some(endpoint) = &config.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let sdk = runtime.block_on(loader.load());
        let (region, has_endpoint) = (config.region.clone(), config.endpoint.is_some());
        let identity = OnceLock::new();
        Ok(Aws(Arc::new(Shared { runtime: Some(runtime), sdk, region, has_endpoint, call: times.call, identity })))
    }

    pub(crate) fn sdk(&self) -> &SdkConfig {
        &self.0.sdk
    }

    pub(crate) fn region(&self) -> &str {
        &self.0.region
    }

    /// Returns the partition of the region, the second part of each ARN.
    pub(crate) fn partition(&self) -> &'static str {
        match self.region().split('-').next() {
            Some("cn") => "aws-cn",
            Some("us") if self.region().starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// Returns the principal of the credentials. Only the first call sends a request.
    pub(crate) async fn identity(&self) -> Result<&Identity, CallOutcome> {
        if let Some(known) = self.0.identity.get() {
            return Ok(known);
        }
        let found = Identity::of_host(self).await?;
        Ok(self.0.identity.get_or_init(|| found))
    }

    /// Returns true if the endpoint is not AWS's own.
    pub(crate) fn has_endpoint(&self) -> bool {
        self.0.has_endpoint
    }

    /// Runs `work` within the time limit of a call.
    pub(crate) fn run(&self, work: impl Future<Output = Result<CallOutcome, CallOutcome>>) -> CallOutcome {
        let Some(runtime) = &self.0.runtime else {
            return CallOutcome::retry("closed", "the provider is being closed");
        };
        let limited = async { tokio::time::timeout(self.0.call, work).await };
        match runtime.block_on(limited) {
            Ok(result) => settle(result),
            Err(_) => CallOutcome::retry(
                "timeout",
                format!("no result after {:?}; it is unknown which requests took effect", self.0.call),
            ),
        }
    }

    /// Runs a listing. Each of its requests has a timeout; the listing as a whole has none.
    pub(crate) fn list<T>(&self, work: impl Future<Output = Result<T, CallOutcome>>) -> Result<T, Unlisted> {
        let unlisted = |reason: String| Unlisted { provider: NAME, reason };
        let Some(runtime) = &self.0.runtime else { return Err(unlisted("the provider is being closed".to_owned())) };
        runtime.block_on(work).map_err(|outcome| match outcome {
            CallOutcome::Retry { code, message, .. } | CallOutcome::Refused { code, message } => {
                unlisted(format!("{code}: {message}"))
            }
            other => unlisted(format!("{other:?}")),
        })
    }
}
