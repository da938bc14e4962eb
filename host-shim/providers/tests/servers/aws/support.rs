//! Test support: a server with a fault proxy, an account on it, secrets, and calls that are polled until they end.

use crate::aws::raw::make_role;
use counterparts::{FaultProxy, Moto, Protocol};
use host_provider_api::names::letters;
use host_provider_api::{
    Call, CallOutcome, Held, MadeSecret, Provider, ResourceId, Secret, SecretAccess, SecretError, Secrets, Unlisted,
};
use host_providers::aws::{
    Aws, BucketConfig, Buckets, CdnConfig, Code, Config, Credentials, DatabaseConfig, DatabaseSize, Databases,
    Distributions, Flavor, FunctionConfig, FunctionRole, FunctionSize, Functions, TenantRoles, Timeouts,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::runtime::Runtime;

pub const REGION: &str = "eu-central-1";
const FIRST_REGION: &str = "us-east-1";
pub const HOST: &str = "app.sites.example";
pub const CERTIFICATE: &str = "arn:aws:acm:us-east-1:123456789012:certificate/one";

/// The principal of every request to moto.
pub const HOST_ARN: &str = "arn:aws:sts::123456789012:user/moto";

/// Maximum polls of one call, and maximum attempts of a retried call.
const POLLS_MAX: usize = 50;
const ATTEMPTS_MAX: usize = 5;
/// Request timeout in tests that wait for timeouts; delaying faults take longer.
pub const REQUEST: Duration = Duration::from_millis(1000);

static SHARED: Mutex<Weak<Moto>> = Mutex::new(Weak::new());

/// Returns the moto server that tests share. It stops when the last test has dropped it.
pub fn moto() -> Arc<Moto> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let moto = Arc::new(Moto::start());
        *shared = Arc::downgrade(&moto);
        moto
    })
}

/// A moto server with a fault proxy in front of it.
pub struct TestEnv {
    moto: Arc<Moto>,
    pub proxy: FaultProxy,
    runtime: Runtime,
    zip: NamedTempFile,
}

impl TestEnv {
    /// Uses the shared server.
    pub fn shared() -> TestEnv {
        TestEnv::on(moto())
    }

    /// Starts a server for this test only. Tests that count listed entries or requests need one.
    pub fn isolated() -> TestEnv {
        TestEnv::on(Arc::new(Moto::start()))
    }

    fn on(moto: Arc<Moto>) -> TestEnv {
        let proxy = FaultProxy::start(moto.server().address(), Protocol::Http);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let mut zip = NamedTempFile::new().expect("a file");
        // An empty zip file: nobody runs it.
        zip.write_all(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").expect("a file that is written");
        TestEnv { moto, proxy, runtime: runtime.expect("a runtime"), zip }
    }

    pub fn address(&self) -> SocketAddr {
        self.moto.server().address()
    }

    /// Connects directly to the server.
    pub fn aws(&self) -> Aws {
        aws(&self.moto.url(), ("test", "test"))
    }

    /// Connects through the proxy.
    pub fn via_proxy(&self) -> Aws {
        aws(&self.proxy.url(), ("test", "test"))
    }

    /// Connects through the proxy with short timeouts.
    pub fn with_short_timeouts(&self) -> Aws {
        let timeouts = Timeouts { connect: REQUEST, read: REQUEST, operation: REQUEST, ..Timeouts::default() };
        account(&self.proxy.url(), ("test", "test"), REGION, timeouts)
    }

    /// Connects as to B2. The provider sends B2 no location constraint, and moto requires one in all regions but the
    /// first.
    pub fn b2(&self) -> Aws {
        account(&self.moto.url(), ("test", "test"), FIRST_REGION, Timeouts::default())
    }

    /// Like [`b2`](Self::b2), through the proxy with short timeouts.
    pub fn b2_with_short_timeouts(&self) -> Aws {
        let timeouts = Timeouts { connect: REQUEST, read: REQUEST, operation: REQUEST, ..Timeouts::default() };
        account(&self.proxy.url(), ("test", "test"), FIRST_REGION, timeouts)
    }

    pub fn functions(&self, aws: &Aws) -> Functions {
        Functions::new(aws, self.function_config()).expect("valid settings")
    }

    pub fn function_config(&self) -> FunctionConfig {
        let size = |memory_mb, timeout_s| FunctionSize { memory_mb, timeout_s };
        FunctionConfig {
            role: FunctionRole::Shared(make_role(self.address(), "functions")),
            code: Code::File(self.zip.path().to_owned()),
            runtime: "provided.al2023".to_owned(),
            handler: "bootstrap".to_owned(),
            size: FunctionSize::default(),
            tiers: [("small".to_owned(), size(256, 10)), ("large".to_owned(), size(1024, 60))].into(),
            environment: BTreeMap::new(),
            secret_in_environment: true,
            kms_key_arn: None,
            subnet_ids: Vec::new(),
            security_group_ids: Vec::new(),
        }
    }

    /// Returns functions that have a role each.
    pub fn functions_with_roles(&self, aws: &Aws, roles: TenantRoles) -> Functions {
        let config = FunctionConfig { role: FunctionRole::Own(roles), ..self.function_config() };
        Functions::new(aws, config).expect("valid settings")
    }

    /// Runs a direct SDK request.
    pub fn block_on<T>(&self, result: impl Future<Output = T>) -> T {
        self.runtime.block_on(result)
    }

    /// Returns an SDK configuration for direct requests.
    pub fn sdk(&self) -> aws_config::SdkConfig {
        let key = aws_sdk_s3::config::Credentials::new("test", "test", None, None, "test");
        let loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .http_client(host_providers::aws::https())
            .region(aws_sdk_s3::config::Region::new(REGION))
            .credentials_provider(key)
            .endpoint_url(self.moto.url());
        self.block_on(loader.load())
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&self.sdk()).force_path_style(true).build())
    }
}

pub fn aws(url: &str, key: (&str, &str)) -> Aws {
    account(url, key, REGION, Timeouts::default())
}

fn account(url: &str, key: (&str, &str), region: &str, timeouts: Timeouts) -> Aws {
    let (access_key_id, secret_access_key) = (key.0.to_owned(), Secret::new(key.1));
    let config = Config {
        region: region.to_owned(),
        endpoint: Some(url.to_owned()),
        credentials: Credentials::Static { access_key_id, secret_access_key, session_token: None },
        timeouts,
    };
    Aws::open(&config).expect("valid settings")
}

pub fn buckets(aws: &Aws, flavor: Flavor) -> Buckets {
    let shared = vec!["platform-images".to_owned()];
    Buckets::new(aws, BucketConfig { flavor, cdn_account: None, shared, tenants: None })
}

/// Returns buckets that are closed to every principal but the roles of their tenant and the operator's.
pub fn closed_buckets(aws: &Aws, flavor: Flavor, tenants: TenantRoles) -> Buckets {
    Buckets::new(aws, BucketConfig { flavor, cdn_account: None, shared: Vec::new(), tenants: Some(tenants) })
}

/// Returns the settings of roles of tenants. The host's principal, moto's only user, is among the operators.
pub fn tenant_roles() -> TenantRoles {
    TenantRoles::new("/tenants/", None, &[HOST_ARN.to_owned()]).expect("valid settings")
}

pub fn distributions(aws: &Aws) -> Distributions {
    Distributions::new(aws, CdnConfig { certificate_arn: Some(CERTIFICATE.to_owned()), ..CdnConfig::default() })
}

pub fn databases(aws: &Aws) -> Databases {
    let size = |class: &str, storage_gb| DatabaseSize { class: class.to_owned(), storage_gb };
    let config = DatabaseConfig {
        engine: "postgres".to_owned(),
        engine_version: None,
        user: "keeper".to_owned(),
        size: size("db.t4g.micro", 20),
        tiers: [("shared".to_owned(), size("db.t4g.micro", 20)), ("large".to_owned(), size("db.m7g.large", 100))]
            .into(),
        keep_days: 7,
        subnet_group: None,
        security_group_ids: Vec::new(),
        multi_az: false,
    };
    Databases::new(aws, config)
}

/// Builds a call for an account (the last part of its scope) and a resource id.
pub fn call(kind: &str, account: &str, id: &str, generation: u32, payload: Value) -> Call {
    let verb = kind.rsplit('.').next().unwrap_or_default();
    let (kind, scope, key) = (kind.to_owned(), scope(account), format!("{id}/{verb}"));
    Call { kind, scope, key, generation, attempt: 1, payload, lease: 1, ..Call::default() }
}

pub fn scope(account: &str) -> String {
    format!("shop/test/user:{account}")
}

/// Secrets in memory.
#[derive(Default)]
pub struct MemorySecrets(Mutex<BTreeMap<(String, String), String>>);

impl MemorySecrets {
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Secrets for MemorySecrets {
    fn resolve(&self, scope: &str, reference: &str) -> Result<Secret, SecretError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(&(scope.to_owned(), reference.to_owned()));
        found.map(Secret::new).ok_or_else(|| SecretError::Unknown(reference.to_owned()))
    }

    fn make(&self, scope: &str, name: &str, _: usize) -> Result<MadeSecret, SecretError> {
        let id = ResourceId { scope: scope.to_owned(), resource: "secret".to_owned(), id: name.to_owned() };
        let reference = format!("secret:kept/{}", letters(&id));
        let plain = format!("plain{}", letters(&id));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((scope.to_owned(), reference.clone()), plain);
        Ok(MadeSecret { reference, sha256: String::new() })
    }

    fn forget(&self, scope: &str, reference: &str) -> Result<(), SecretError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(scope.to_owned(), reference.to_owned()));
        Ok(())
    }
}

/// A provider whose calls get access to secrets, as in the registry.
pub struct WithSecrets<P> {
    pub provider: P,
    pub secrets: Arc<MemorySecrets>,
}

impl<P: Provider> WithSecrets<P> {
    pub fn new(provider: P) -> Self {
        WithSecrets { provider, secrets: Arc::default() }
    }

    /// Shares the secrets with another provider of the same account.
    pub fn also(&self, provider: P) -> Self {
        WithSecrets { provider, secrets: self.secrets.clone() }
    }
}

impl<P: Provider> Provider for WithSecrets<P> {
    fn call(&self, call: &Call) -> CallOutcome {
        let secrets = SecretAccess::new(Some(self.secrets.clone()));
        self.provider.call(&Call { secrets, ..call.clone() })
    }

    fn held(&self) -> Result<Option<Vec<Held>>, Unlisted> {
        self.provider.held()
    }
}

/// Calls the provider and polls until the outcome is not `InProgress`.
pub fn answer(provider: &dyn Provider, call: &Call) -> CallOutcome {
    let mut answer = provider.call(call);
    for _ in 0..POLLS_MAX {
        let CallOutcome::InProgress { token, .. } = answer else { return answer };
        answer = provider.call(&Call { token: Some(token), ..call.clone() });
    }
    panic!("in progress after {POLLS_MAX} polls: {answer:?}")
}

/// Returns the outputs of a call that must succeed at its first attempt.
pub fn done(provider: &dyn Provider, call: &Call) -> Value {
    match answer(provider, call) {
        CallOutcome::Done(outputs) => outputs,
        other => panic!("{} of {}: {other:?}", call.kind, call.key),
    }
}

/// Returns the code of a call that must be refused.
pub fn refused(provider: &dyn Provider, call: &Call) -> String {
    match answer(provider, call) {
        CallOutcome::Refused { code, .. } => code,
        other => panic!("{} of {} is not refused: {other:?}", call.kind, call.key),
    }
}

/// Repeats a call until it succeeds. Returns its outputs, and the outcomes of the failed attempts.
pub fn done_in_the_end(provider: &dyn Provider, call: &Call) -> (Value, Vec<CallOutcome>) {
    let mut before = Vec::new();
    for attempt in 1..=ATTEMPTS_MAX as u32 {
        match answer(provider, &Call { attempt, ..call.clone() }) {
            CallOutcome::Done(outputs) => return (outputs, before),
            retry @ CallOutcome::Retry { .. } => before.push(retry),
            other => panic!("{} of {}: {other:?} after {before:?}", call.kind, call.key),
        }
    }
    panic!("{} of {}: {before:?}", call.kind, call.key)
}

/// Lists the resources of an account.
pub fn held(provider: &dyn Provider, account: &str) -> Vec<Held> {
    let mut held = provider.held().expect("an answer").expect("a list");
    held.retain(|held| held.id.scope == scope(account));
    held
}

/// Lists ids and states of the resources of an account.
pub fn states(provider: &dyn Provider, account: &str) -> Vec<(String, String)> {
    held(provider, account).into_iter().map(|held| (held.id.id, held.state)).collect()
}

pub fn state(call: &Call, generation: u32, state: &str) -> Call {
    let (resource, _) = call.kind.rsplit_once('.').expect("a kind has a verb");
    let (id, _) = call.key.rsplit_once('/').expect("a key has a verb");
    let mut payload = call.payload.clone();
    payload["state"] = json!(state);
    let (kind, key) = (format!("{resource}.change"), format!("{id}/change"));
    Call { kind, key, generation, payload, ..call.clone() }
}

/// Builds a call with another verb for the same resource.
pub fn other(call: &Call, verb: &str, generation: u32) -> Call {
    let (resource, _) = call.kind.rsplit_once('.').expect("a kind has a verb");
    let (id, _) = call.key.rsplit_once('/').expect("a key has a verb");
    Call { kind: format!("{resource}.{verb}"), key: format!("{id}/{verb}"), generation, ..call.clone() }
}
