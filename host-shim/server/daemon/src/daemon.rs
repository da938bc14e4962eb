//! Starts, runs and stops a server with one business.

use crate::background::Background;
use crate::cover::uncovered;
use crate::data::{DataError, DataFolder};
use crate::drift::DriftSetup;
use crate::quarantine::QuarantineFolder;
use crate::sweep::SweepSetup;
use host::Setup;
use host::business::BusinessFolder;
use host::clock::Clock;
use host::manifest::Manifest;
use host::outbox::Recorded;
use host_front::ids::RandomIds;
use host_front::{ConnectionLimits, Front, FrontError, FrontLimits, HostedSite, LocalClock, Metrics, Serving, serve};
use host_intake::request::Endpoints;
use host_intake::signature::{ConfigError, TOLERANCE_S_DEFAULT};
use host_intake::webhook::{Key, KeyError};
use host_intake::{EndpointSecrets, SecretConfig};
use host_provider_api::Registry;
use host_provider_api::scripted::Scripted;
use host_provider_set::{OpenError, Opened, Options};
use host_site::{MakeRunner, Site, SiteError, SiteLimits, SiteSetup};
use host_store::{Partition, SqliteStore};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Everything that a server needs.
pub struct DaemonSetup {
    /// The business.
    pub business: BusinessFolder,
    /// True for real money.
    pub livemode: bool,
    /// Configuration values; they override those of the business.
    pub config: Vec<(String, String)>,
    /// The extension's manifest.
    pub manifest: Option<Manifest>,
    /// The extension.
    pub runner: MakeRunner,
    /// The data folder.
    pub data: DataFolder,
    /// The providers; their folder is one in the data folder.
    pub providers: Options,
    /// Simulate the effects that no provider carries out, instead of refusing to start.
    pub simulate: bool,
    /// Time between two comparisons of the providers' resources with the records; zero for none.
    pub drift_every: Duration,
    /// The secrets of Stripe's webhook endpoint.
    pub stripe: Vec<SecretConfig>,
    /// The secrets of the business's other webhooks, by name. A webhook without a secret is not served.
    pub webhooks: BTreeMap<String, String>,
    /// The clock.
    pub clock: Clock,
    /// Makes the clock movable, in local mode.
    pub local_clock: Option<Arc<dyn LocalClock>>,
    /// The bound address.
    pub listener: TcpListener,
}

/// The reason why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The store cannot be opened.
    #[error("store.db: {0}")]
    Store(#[from] host_store::OpenError),
    /// The providers cannot be opened.
    #[error(transparent)]
    Providers(#[from] OpenError),
    /// No provider carries out some effects.
    #[error(
        "no provider carries out {}: add one with --providers, or try the business with --simulate",
        kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ")
    )]
    Uncovered {
        /// Kinds of the effects.
        kinds: Vec<String>,
    },
    /// The secrets of Stripe's endpoint cannot be used.
    #[error(transparent)]
    Secrets(#[from] ConfigError),
    /// The secret of another webhook cannot be used.
    #[error("the webhook `{name}`: {error}")]
    Webhook {
        /// Name of the webhook.
        name: String,
        /// The mistake.
        error: KeyError,
    },
    /// The business does not start.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The sites cannot be served together.
    #[error(transparent)]
    Front(#[from] FrontError),
    /// A thread or the listener failed.
    #[error("the server cannot run: {0}")]
    Io(#[from] io::Error),
}

/// A started server.
pub struct Daemon {
    runtime: Runtime,
    front: Front,
    listener: tokio::net::TcpListener,
    address: SocketAddr,
    opened: Opened,
    operator_key: String,
    simulated: Vec<String>,
    sweeps: Option<SweepSetup>,
    drift: Option<DriftSetup>,
}

impl Daemon {
    /// Starts a server: opens the store and the providers, and loads the catalog. It answers after [`Daemon::run`].
    ///
    /// # Errors
    /// Fails if a part cannot be used, or if no provider carries out an effect that the business can request.
    pub fn start(daemon: DaemonSetup) -> Result<Daemon, DaemonError> {
        let DaemonSetup { business, livemode, data, simulate, mut clock, .. } = daemon;
        let providers = Options { folder: Some(data.path("providers")), ..daemon.providers };
        let opened = host_provider_set::open(&providers)?;
        let declarations = business.own.beside((daemon.runner)().declarations());
        let simulated = uncovered(&declarations, &business.catalog, &opened.registry);
        if !simulate && !simulated.is_empty() {
            return Err(DaemonError::Uncovered { kinds: simulated });
        }
        let endpoints = Endpoints {
            business: business.name.clone(),
            stripe: match daemon.stripe.is_empty() {
                true => None,
                false => Some(EndpointSecrets::new(daemon.stripe, TOLERANCE_S_DEFAULT)?),
            },
            webhooks: webhooks(&business, &daemon.webhooks)?,
        };
        let keys = data.keys()?;
        let (now, first_s) = (clock.now(), clock.source().signatures().div_euclid(1_000));
        let metrics = Arc::new(Metrics::default());
        let paths = business.own.webhook_paths.iter().map(|own| (own.path.clone(), own.webhook.clone()));
        let aliases: BTreeMap<String, String> = paths.collect();
        let partition = Partition { business: business.name.clone(), livemode };
        let setup = Setup::new(business, livemode, &daemon.config, daemon.manifest);
        let site = Site::start(SiteSetup {
            setup,
            store: Box::new(SqliteStore::open(data.path("store.db"))?),
            runner: daemon.runner,
            registry: with_simulated(&opened.registry, &simulated),
            clock,
            endpoints,
            limits: SiteLimits::default(),
            observer: metrics.observer(partition),
        })?;
        let sweeps = opened
            .events
            .as_ref()
            .map(|list| SweepSetup::new(site.sweeper(), list.clone(), metrics.clone(), data.clone(), first_s));
        let sweeps = sweeps.transpose()?;
        let drift = (!daemon.drift_every.is_zero()).then(|| DriftSetup {
            partition: site.partition().clone(),
            questioner: site.questioner().clone(),
            registry: opened.registry.clone(),
            vault: opened.vault.clone(),
            metrics: metrics.clone(),
            every: daemon.drift_every,
            recorded: Recorded::default(),
        });
        let operator_key = data.operator_key(&keys, site.partition(), now)?;
        let hosted = HostedSite { site, names: Vec::new(), aliases };
        let front = Front::new(vec![hosted], Arc::new(keys), Arc::new(RandomIds), FrontLimits::default(), metrics)?;
        let front = front.with_quarantine(Arc::new(QuarantineFolder(data)));
        let front = match daemon.local_clock {
            Some(local_clock) => front.with_local_clock(local_clock),
            None => front,
        };
        let runtime = Builder::new_multi_thread().thread_name("http").enable_all().build()?;
        daemon.listener.set_nonblocking(true)?;
        let address = daemon.listener.local_addr()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(daemon.listener)?
        };
        Ok(Daemon { runtime, front, listener, address, opened, operator_key, simulated, sweeps, drift })
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address at which the local provider serves databases, buckets and functions.
    pub fn serves(&self) -> Option<SocketAddr> {
        self.opened.serves
    }

    /// Returns the API key of the operator.
    pub fn operator_key(&self) -> &str {
        &self.operator_key
    }

    /// Returns the kinds of effects that are simulated.
    pub fn simulated(&self) -> &[String] {
        &self.simulated
    }

    /// Answers requests until `stop` ends. Then answers those that have arrived, waits for the calls that have begun, and
    /// closes the store.
    pub fn run(self, stop: impl Future<Output = ()>) -> Serving {
        let Daemon { runtime, front, listener, opened, sweeps, drift, .. } = self;
        let started = [
            sweeps.map(|mut sweeps| Background::start("sweep", move |stop| sweeps.sweep(stop))),
            drift.map(|mut drift| Background::start("drift", move |stop| drift.compare(stop))),
        ];
        let complain =
            |error: &io::Error| tracing::error!(%error, "a thread cannot be started: nothing sweeps or compares");
        let background: Vec<Background> =
            started.into_iter().flatten().filter_map(|started| started.inspect_err(complain).ok()).collect();
        let ended = runtime.block_on(serve(listener, front.clone(), ConnectionLimits::default(), stop));
        background.into_iter().for_each(Background::stop);
        // Connections that were cut may still hold a site; it then ends with the process, as after a kill.
        drop(runtime);
        for hosted in front.into_sites().unwrap_or_default() {
            drop(hosted.site.stop());
        }
        drop(opened);
        ended
    }
}

/// Returns the webhooks that have a secret.
fn webhooks(
    business: &BusinessFolder,
    secrets: &BTreeMap<String, String>,
) -> Result<Vec<(host_intake::webhook::Webhook, Key)>, DaemonError> {
    let declared = business.own.webhooks.iter().filter_map(|own| Some((own, secrets.get(&own.webhook.name)?)));
    declared
        .map(|(own, secret)| match Key::new(&own.webhook.scheme, secret) {
            Ok(key) => Ok((own.webhook.clone(), key)),
            Err(error) => Err(DaemonError::Webhook { name: own.webhook.name.clone(), error }),
        })
        .collect()
}

/// Returns the providers, and a scripted provider that simulates some kinds.
fn with_simulated(registry: &Registry, kinds: &[String]) -> Registry {
    let mut registry = registry.clone();
    if !kinds.is_empty() {
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        registry.register(&kinds, Arc::new(Scripted::new()));
    }
    registry
}
