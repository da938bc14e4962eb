//! Starts, runs and stops a server with one or several businesses.

use crate::away::FrontPages;
use crate::background::Background;
use crate::backups::BackupSetup;
use crate::data::{DataError, DataFolder};
use crate::drift::DriftSetup;
use crate::hosted::{self, HostedError, HostedSetup, SharedParts, StartedBusiness};
use crate::measuring::MeasuringSetup;
use crate::presence;
use crate::prices::{self, SoldPrice};
use crate::quarantine::QuarantineFolder;
use crate::renewal::Renewal;
use crate::sweep::SweepSetup;
use crate::webhooks::WebhookSetup;
use host_business::manifest::Manifest;
use host_business::routes::limits::END_S_MAX;
use host_engine::writer::JobError;
use host_front::ids::RandomIds;
use host_front::{ConnectionLimits, Front, FrontError, FrontLimits, Metrics, Serving, serve};
use host_provider_set::{AwayPages, Opened};
use host_site::MakeRunner;
use host_store::Partition;
use host_store_postgres::Presence;
use ipnet::IpNet;
use std::fs::File;
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
    /// Time between two comparisons of the providers' resources with the records; zero for none.
    pub drift_every: Duration,
    /// Time between two searches for backups that are due; zero for a server that makes none.
    pub backups_every: Duration,
    /// The proxies that name their clients; none for those on this machine.
    pub proxies: Option<Vec<IpNet>>,
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
    opened: Vec<Opened>,
    businesses: Vec<StartedBusiness>,
    sweeps: Vec<SweepSetup>,
    drifts: Vec<DriftSetup>,
    backups: Vec<BackupSetup>,
    measuring: Vec<MeasuringSetup>,
    sends: Vec<WebhookSetup>,
    locks: Vec<File>,
    presences: Vec<(Presence, Partition)>,
}

impl Daemon {
    /// Starts a server: opens the stores and the providers, and loads the catalogs. It answers after [`Daemon::run`].
    ///
    /// # Errors
    /// Fails if a part cannot be used, or if no provider carries out an effect that a business can request.
    pub fn start(daemon: DaemonSetup) -> Result<Daemon, DaemonError> {
        let DaemonSetup { manifest, runner, data, drift_every, backups_every, proxies, listener, .. } = daemon;
        let metrics = Arc::new(Metrics::default());
        let keys = Arc::new(data.keys()?);
        let shared = SharedParts { manifest, runner, keys, metrics: metrics.clone(), drift_every, backups_every };
        let (mut businesses, mut sites, mut tools) = (Vec::new(), Vec::new(), Vec::new());
        let (mut opened, mut locks, mut sends, mut presences) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut sweeps, mut drifts, mut backups, mut measuring) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for setup in daemon.businesses {
            let business = setup.business.name.clone();
            let (started, parts) = hosted::start(setup, &shared)
                .map_err(|error| DaemonError::Business { business, error: Box::new(error) })?;
            businesses.push(started);
            let partition = parts.hosted.site.partition().clone();
            presences.extend(parts.presence.map(|presence| (presence, partition.clone())));
            tools.push((partition, parts.tools));
            sites.push(parts.hosted);
            opened.push(parts.opened);
            locks.push(parts.lock);
            sends.push(parts.sends);
            sweeps.extend(parts.sweep);
            drifts.extend(parts.drift);
            backups.extend(parts.backups);
            measuring.extend(parts.measuring);
        }
        let front = Front::new(sites, shared.keys, Arc::new(RandomIds), FrontLimits::default(), metrics)?;
        let front = match proxies {
            Some(proxies) => front.with_proxies(proxies),
            None => front,
        };
        let front = front.with_quarantine(Arc::new(QuarantineFolder(data)));
        let front = tools.into_iter().fold(front, |front, (partition, tools)| front.with_tools(partition, tools));
        let runtime = Builder::new_multi_thread().thread_name("http").enable_all().build()?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        Ok(Daemon {
            runtime,
            front,
            listener,
            address,
            opened,
            businesses,
            sweeps,
            drifts,
            backups,
            measuring,
            sends,
            locks,
            presences,
        })
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the businesses, in the order of the setup.
    pub fn businesses(&self) -> &[StartedBusiness] {
        &self.businesses
    }

    /// Returns what replaces the secrets of webhooks while the server runs.
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

    /// Answers requests until `stop` ends. Then answers those that have arrived, waits for the calls that have begun, and closes the
    /// stores. What has not ended in time, for example because a provider or a database does not answer, ends with the process, as after
    /// a kill: the caller must not wait for other threads.
    pub fn run(self, stop: impl Future<Output = ()>) -> Serving {
        let Daemon { runtime, front, listener, opened, sweeps, drifts, backups, measuring, sends, locks, .. } = self;
        let complain = |error: &io::Error| {
            tracing::error!(%error, "a thread cannot be started: nothing sweeps, compares, makes backups, measures or sends webhooks");
        };
        let started = |started: io::Result<Background>| started.inspect_err(complain).ok();
        let present = self.presences.into_iter().map(|(presence, partition)| presence::keep(presence, partition));
        let present: Vec<Background> = present.filter_map(started).collect();
        let sweeping = sweeps.into_iter().map(|mut it| Background::start("sweep", move |stop| it.sweep(stop)));
        let comparing = drifts.into_iter().map(|mut it| Background::start("drift", move |stop| it.compare(stop)));
        let saving = backups.into_iter().map(|mut it| Background::start("backups", move |stop| it.work(stop)));
        let measuring = measuring.into_iter().map(|mut it| Background::start("measuring", move |stop| it.work(stop)));
        let telling = sends.into_iter().map(|mut it| Background::start("webhooks", move |stop| it.work(stop)));
        let all = sweeping.chain(comparing).chain(saving).chain(measuring).chain(telling);
        let mut background: Vec<Background> = all.filter_map(started).collect();
        let pages: Arc<dyn AwayPages> = Arc::new(FrontPages(front.clone()));
        for slot in opened.iter().filter_map(|opened| opened.away.as_ref()) {
            slot.set(Some(pages.clone()));
        }
        drop(pages);
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
            for slot in opened.iter().filter_map(|opened| opened.away.as_ref()) {
                slot.set(None);
            }
            Background::stop_all(background);
            // Connections that were cut may still hold a site; it then ends with the process, as after a kill.
            drop(runtime);
            for hosted in front.into_sites().unwrap_or_default() {
                drop(hosted.site.stop());
            }
            drop(opened);
            Background::stop_all(present);
            drop(locks);
            // Nobody may wait any more.
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
