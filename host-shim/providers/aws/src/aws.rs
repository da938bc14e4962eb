//! What the providers share: where AWS is, as whom it is asked, how long it may take, and the threads that wait for it.

use crate::errors::settle;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Credentials as Plain, Region};
use host_provider_api::{CallOutcome, Secret, Unlisted};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Name of the provider in errors.
const NAME: &str = "aws";
/// Threads that wait for answers.
const THREADS: usize = 2;

/// How long one request and one call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection.
    pub connect: Duration,
    /// Between the request and the first byte of its answer.
    pub read: Duration,
    /// One request with its whole answer.
    pub operation: Duration,
    /// One call of the provider, with all its requests. It must be less than the outbox's lease of 5 minutes.
    pub call: Duration,
}

impl Default for Timeouts {
    /// 30 seconds for a request, 4 minutes for a call.
    fn default() -> Self {
        let request = Duration::from_secs(30);
        Timeouts { connect: request, read: request, operation: request, call: Duration::from_secs(240) }
    }
}

/// As whom AWS is asked.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// As the SDK finds out: environment, profile, the machine's role.
    Chain,
    /// By a key that the caller has.
    Static {
        /// Id of the key.
        access_key_id: String,
        /// The key.
        secret_access_key: Secret,
        /// Of keys for a time.
        session_token: Option<Secret>,
    },
}

/// Where AWS is, and as whom it is asked.
#[derive(Clone, Debug)]
pub struct Config {
    /// For example `eu-central-1`; of B2 the one in its endpoint, `us-east-005`.
    pub region: String,
    /// Another address than AWS's own: `https://s3.us-east-005.backblazeb2.com`. Buckets are then named in the path.
    pub endpoint: Option<String>,
    /// As whom.
    pub credentials: Credentials,
    /// How long anything may take.
    pub timeouts: Timeouts,
}

/// Why there is no provider.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The machine gives no threads.
    #[error("no threads for requests: {0}")]
    Threads(std::io::Error),
    /// A setting can't be.
    #[error("`{field}` is `{found}`: expected {expected}")]
    Setting {
        /// Which.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The file of a function's code.
    #[error("the code in {path}: {error}")]
    Code {
        /// Where.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

struct Shared {
    runtime: Option<Runtime>,
    sdk: SdkConfig,
    region: String,
    has_endpoint: bool,
    call: Duration,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A runtime that is dropped waits for its threads, which a thread of another runtime may not do.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One account of AWS (or of what speaks like it) in one region. A clone shares its threads and connections.
#[derive(Clone)]
pub struct Aws(Arc<Shared>);

impl Aws {
    /// Takes the settings; nothing is asked yet. Not to be called from within an asynchronous runtime, nor are its
    /// providers.
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
        Ok(Aws(Arc::new(Shared { runtime: Some(runtime), sdk, region, has_endpoint, call: times.call })))
    }

    pub(crate) fn sdk(&self) -> &SdkConfig {
        &self.0.sdk
    }

    pub(crate) fn region(&self) -> &str {
        &self.0.region
    }

    /// True if the address is not AWS's own.
    pub(crate) fn has_endpoint(&self) -> bool {
        self.0.has_endpoint
    }

    /// What a call comes to, within its time.
    pub(crate) fn run(&self, work: impl Future<Output = Result<CallOutcome, CallOutcome>>) -> CallOutcome {
        let Some(runtime) = &self.0.runtime else {
            return CallOutcome::retry("closed", "the provider is being closed");
        };
        let limited = async { tokio::time::timeout(self.0.call, work).await };
        match runtime.block_on(limited) {
            Ok(result) => settle(result),
            Err(_) => {
                CallOutcome::retry("timeout", format!("no end after {:?}; what was done is unknown", self.0.call))
            }
        }
    }

    /// What a list comes to. It has no time of its own: each of its requests has.
    pub(crate) fn list<T>(&self, work: impl Future<Output = Result<T, CallOutcome>>) -> Result<T, Unlisted> {
        let unlisted = |reason: String| Unlisted { provider: NAME, reason };
        let Some(runtime) = &self.0.runtime else { return Err(unlisted("the provider is being closed".to_owned())) };
        runtime.block_on(work).map_err(|answer| match answer {
            CallOutcome::Retry { code, message, .. } | CallOutcome::Refused { code, message } => {
                unlisted(format!("{code}: {message}"))
            }
            other => unlisted(format!("{other:?}")),
        })
    }
}
