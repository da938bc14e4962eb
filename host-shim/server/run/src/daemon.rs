//! Starts, runs and stops a server with one or several businesses.

use crate::away::FrontPages;
use crate::background::{Background, Work};
use crate::data::{DataError, DataFolder};
use crate::hosted::{self, Held, HostedError, HostedSetup, SharedParts, StartedBusiness};
use crate::prices::{self, SoldPrice};
use crate::quarantine::QuarantineFolder;
use crate::renewal::Renewal;
use axum::http::HeaderName;
use host_api::ids::RandomIds;
use host_api::site::MakeRunner;
use host_api::{Changes, ConnectionLimits, Front, FrontError, FrontLimits, FrontSetup, Metrics, Serving, serve};
use host_business::manifest::Manifest;
use host_business::routes::limits::END_S_MAX;
use host_engine::writer::JobError;
use host_providers::AwayPages;
use ipnet::IpNet;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Longest time of a stop.
const END: Duration = Duration::from_secs(END_S_MAX);

/// Everything that a server needs.
pub struct DaemonSetup {
    /// The businesses.
    pub businesses: Vec<HostedSetup>,
    /// The extension's manifest.
    pub manifest: Option<Manifest>,
    /// The extension.
    pub runner: MakeRunner,
    /// The folder of the API keys of all businesses.
    pub data: DataFolder,
    /// Time between two comparisons of the providers' resources with the records; zero to make none.
    pub drift_every: Duration,
    /// Time between two searches for backups that are due; zero to make none.
    pub backups_every: Duration,
    /// The proxies that report their clients; none means those on this machine.
    pub proxies: Option<Vec<IpNet>>,
    /// The header in which a proxy says the visitor's country.
    pub country_header: Option<HeaderName>,
    /// The bound address.
    pub listener: TcpListener,
}

/// The reason why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A business does not start.
    #[error("{business}: {error}")]
    Business {
        /// Name of the business.
        business: String,
        /// The reason.
        error: Box<HostedError>,
    },
    /// The businesses cannot be served together.
    #[error(transparent)]
    Front(#[from] FrontError),
    /// A site has stopped.
    #[error(transparent)]
    Stopped(#[from] JobError),
    /// The store cannot be read.
    #[error("store.db: {0}")]
    Unread(#[from] host_store::StoreError),
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
    businesses: Vec<StartedBusiness>,
    works: Vec<Box<dyn Work>>,
    held: Vec<Held>,
}

impl Daemon {
    /// Starts a server: opens the stores and the providers, and loads the catalogs. It answers requests only in [`Daemon::run`].
    ///
    /// # Errors
    /// Fails if a part cannot be used, or if an effect that a business can request has no provider.
    pub fn start(daemon: DaemonSetup) -> Result<Daemon, DaemonError> {
        let DaemonSetup {
            manifest, runner, data, drift_every, backups_every, proxies, country_header, listener, ..
        } = daemon;
        let (metrics, changes) = (Arc::new(Metrics::default()), Arc::new(Changes::default()));
        let keys = Arc::new(data.keys()?);
        let shared = SharedParts {
            manifest,
            runner,
            keys,
            metrics: metrics.clone(),
            changes: changes.clone(),
            drift_every,
            backups_every,
        };
        let (mut businesses, mut sites) = (Vec::new(), Vec::new());
        let (mut works, mut held) = (Vec::new(), Vec::new());
        for setup in daemon.businesses {
            let business = setup.business.name.clone();
            let (started, parts) = hosted::start(setup, &shared)
                .map_err(|error| DaemonError::Business { business, error: Box::new(error) })?;
            businesses.push(started);
            sites.push(parts.hosted);
            works.extend(parts.works);
            held.push(parts.held);
        }
        let front = Front::new(FrontSetup {
            sites,
            authenticator: shared.keys,
            ids: Arc::new(RandomIds),
            limits: FrontLimits::default(),
            proxies,
            country_header,
            metrics,
            changes,
            quarantine: Arc::new(QuarantineFolder(data)),
        })?;
        let runtime = Builder::new_multi_thread().thread_name("http").enable_all().build()?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        Ok(Daemon { runtime, front, listener, address, businesses, works, held })
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the businesses, in the order of the setup.
    pub fn businesses(&self) -> &[StartedBusiness] {
        &self.businesses
    }

    /// Returns an object that replaces the webhook secrets while the server runs.
    pub fn renewal(&self) -> Renewal {
        Renewal { front: self.front.clone() }
    }

    /// Returns the prices that a business sells; none if the server has no business of this name.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    pub fn prices(&self, business: &str) -> Result<Vec<SoldPrice>, DaemonError> {
        match self.front.sites().find(|hosted| hosted.site.partition().business == business) {
            Some(hosted) => Ok(hosted.site.jobs().look(|processor| prices::sold(processor))??),
            None => Ok(Vec::new()),
        }
    }

    /// Answers requests until `stop` completes. Then it answers those that have arrived, waits for the calls that have begun, and closes
    /// the stores. Anything that does not end in time, for example because a provider or a database does not answer, ends with the
    /// process, as after a kill; the caller must not wait for other threads.
    pub fn run(self, stop: impl Future<Output = ()>) -> Serving {
        let Daemon { runtime, front, listener, works, mut held, .. } = self;
        let present: Vec<Background> =
            held.iter_mut().filter_map(|held| held.presence.take()).filter_map(started).collect();
        let mut background: Vec<Background> = works.into_iter().filter_map(started).collect();
        set_pages(&held, Some(&front));
        let announced = front.clone();
        runtime.spawn(async move {
            announced.announce_users().await;
            announced.look_for_waiting().await;
        });
        let mut until = None;
        let stopped = async {
            stop.await;
            until = Some(Instant::now() + END);
            background.iter_mut().for_each(Background::ask_to_stop);
        };
        let ended = runtime.block_on(serve(listener, front.clone(), ConnectionLimits::default(), stopped));
        let (done, is_done) = sync_channel(0);
        let end = move || {
            set_pages(&held, None);
            Background::stop_all(background);
            // Connections that were cut may still hold a site, which then ends with the process, as after a kill.
            drop(runtime);
            for hosted in front.into_sites().unwrap_or_default() {
                drop(hosted.site.stop());
            }
            let (opened, locks): (Vec<_>, Vec<_>) =
                held.into_iter().map(|Held { opened, lock, .. }| (opened, lock)).unzip();
            drop(opened);
            Background::stop_all(present);
            drop(locks);
            // Nobody may be waiting any longer.
            let _ = done.send(());
        };
        let time = until.map_or(END, |until| until.saturating_duration_since(Instant::now()));
        match thread::Builder::new().name("stop".to_owned()).spawn(end) {
            Ok(_) if is_done.recv_timeout(time) == Err(RecvTimeoutError::Timeout) => {
                tracing::error!("not all has ended in time; the rest ends with the process, as after a kill");
                Serving::Cut
            }
            Ok(_) => ended,
            Err(error) => {
                tracing::error!(%error, "a thread cannot be started; all ends with the process, as after a kill");
                Serving::Cut
            }
        }
    }
}

/// Starts the thread for some work, or logs which work does not run.
fn started(work: Box<dyn Work>) -> Option<Background> {
    let name = work.name();
    let failed =
        |error: &io::Error| tracing::error!(%error, "the thread `{name}` cannot be started: its work is not done");
    Background::start(work).inspect_err(failed).ok()
}

/// Sets the pages that the local providers use for instances that are not running, or removes them.
fn set_pages(held: &[Held], front: Option<&Front>) {
    let pages: Option<Arc<dyn AwayPages>> = front.map(|front| Arc::new(FrontPages(front.clone())) as _);
    for slot in held.iter().filter_map(|held| held.opened.away.as_ref()) {
        slot.set(pages.clone());
    }
}
