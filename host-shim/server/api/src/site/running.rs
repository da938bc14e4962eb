//! Starts, serves and stops a site.

use crate::site::calls::Calls;
use crate::site::news::{Follower, Following, Own};
use crate::site::observer::{Observer, Observers};
use crate::site::questions::{self, Questioner};
use crate::site::replies::Replies;
use crate::site::sweep::Sweeper;
use crate::site::types::{ProductType, product_types};
use extension_contract::{CommandDecl, EffectDecl};
use host_business::routes::limits::QUESTIONS_WAITING;
use host_business::{Setup, StartError};
use host_engine::Host;
use host_engine::clock::{Clock, ClockSource};
use host_engine::outbox::OutboxError;
use host_engine::processor::{Answerer, Decider, Processor, Report};
use host_engine::turns::Turn;
use host_engine::writer::{Deciders, JobError, Jobs, Lane, Lanes, Listener, OnAnswer, Writer, WriterLimits};
use host_intake::Decoded;
use host_intake::request::Endpoints;
use host_provider_api::{Call, Outage, Registry};
use host_store::{Partition, Store, StoreError};
use host_wasm_runner::runner::Runner;
use std::collections::BTreeSet;
use std::io;
use std::num::NonZero;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Default maximum number of threads that decide. More of them would decide more than one writer can commit.
const DECIDERS_MAX: usize = 4;

/// Creates an instance of the extension. The writer and each thread that decides or answers questions has one.
pub type MakeRunner = Arc<dyn Fn() -> Box<dyn Runner> + Send + Sync>;

/// The limits of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteLimits {
    /// Limits of the writer.
    pub writer: WriterLimits,
    /// Maximum number of threads that call providers. If the providers' capacities add up to more, they hold each other up.
    pub calls: usize,
    /// Number of threads that decide events, either ahead of the writer, or, if the store has several write handles, each with its own
    /// commits. Without any, the writer decides.
    pub deciders: usize,
    /// Number of threads that answer questions.
    pub answerers: usize,
    /// Maximum number of waiting questions: that many from callers, and as many from operators, webhooks and the server.
    pub questions: usize,
}

impl Default for SiteLimits {
    /// 256 threads that call providers, which is the capacity of 16 providers; one thread per core that decides, at most 4; 2 threads that
    /// answer questions; 256 waiting questions.
    fn default() -> Self {
        let deciders = thread::available_parallelism().map_or(1, NonZero::get).min(DECIDERS_MAX);
        SiteLimits { writer: WriterLimits::default(), calls: 256, deciders, answerers: 2, questions: QUESTIONS_WAITING }
    }
}

/// Everything that a site needs.
pub struct SiteSetup {
    /// The business, its mode and its configuration.
    pub setup: Setup,
    /// The store.
    pub store: Box<dyn Store>,
    /// The extension.
    pub runner: MakeRunner,
    /// The providers.
    pub registry: Registry,
    /// The webhook endpoints.
    pub clock: Clock,
    /// The webhook endpoints.
    pub endpoints: Endpoints,
    /// Limits.
    pub limits: SiteLimits,
    /// The observers of the site, in the order in which they are called.
    pub observers: Vec<Arc<dyn Observer>>,
}

/// The reason why a site does not start.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The host does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store opens no readers.
    #[error("the store opens no reader: {0}")]
    Reader(#[from] StoreError),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] io::Error),
}

/// A running site.
pub struct Site {
    partition: Partition,
    commands: Vec<CommandDecl>,
    effects: Vec<EffectDecl>,
    types: Vec<ProductType>,
    /// Replaced as a whole when secrets change.
    endpoints: RwLock<Arc<Endpoints>>,
    clock: ClockSource,
    writer: Writer,
    deciders: Deciding,
    questioner: Questioner,
    replies: Arc<Replies>,
    answering: Vec<JoinHandle<()>>,
    calls: Calls,
    following: Option<Following>,
    providers: Registry,
}

/// Returns the name of the provider that handles effects of a kind, or else the part of the kind before the point.
fn provider_of(registry: &Registry, kind: &str) -> String {
    let named = registry.name_of(kind);
    named.or(kind.split('.').next()).unwrap_or_default().to_owned()
}

/// Reports which providers have an outage or work again, since the last time.
fn tell_outages(outages: &[Outage], out: &Mutex<BTreeSet<&'static str>>, observer: &dyn Observer) {
    let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
    out.retain(|provider| {
        let lasts = outages.iter().any(|outage| outage.provider == *provider);
        if !lasts {
            observer.outage_ended(provider);
        }
        lasts
    });
    for outage in outages {
        if out.insert(outage.provider) {
            observer.outage_began(outage);
        }
    }
}

impl Site {
    /// Starts a site: loads the catalog unless it is in force already, and continues with the effects of the previous run.
    ///
    /// # Errors
    /// Fails if the host does not start, or a thread cannot be started.
    pub fn start(site: SiteSetup) -> Result<Site, SiteError> {
        let SiteSetup { setup, store, runner, registry, clock, endpoints, limits, observers } = site;
        let observer: Arc<dyn Observer> = Arc::new(Observers(observers));
        let source = clock.source().clone();
        let (host, reports) = setup.start(store, runner(), registry.clone(), clock)?;
        observer.committed(&reports);
        let processor = host.processor();
        let partition = processor.partition().clone();
        let (commands, effects) = {
            let declared = processor.runner().declarations();
            (declared.commands.clone(), declared.effects.clone())
        };
        let answerers = (0..limits.answerers).map(|_| Answerer::of(processor, runner())).collect::<Result<_, _>>()?;
        let threads = Threads::of(processor, &runner, limits.deciders)?;
        let (questioner, answering) = questions::spawn(answerers, limits.questions)?;
        let replies = Arc::new(Replies::default());
        let answered: Arc<OnceLock<Jobs>> = Arc::default();
        let (to_writer, seen, providers) = (answered.clone(), observer.clone(), registry.clone());
        let out = Mutex::new(BTreeSet::new());
        let calls = Calls::new(limits.calls, move |call| {
            let began = Instant::now();
            let reply = registry.call(&call);
            seen.called(&call, &provider_of(&registry, &call.kind), &reply, began.elapsed());
            tell_outages(&registry.outages(), &out, &*seen);
            // A writer that has stopped makes the call again at its next start.
            let _ = to_writer.wait().finish(call, reply);
        });
        let own = Own::default();
        let follower = Follower::of(processor, own.clone(), replies.clone(), observer.clone())?;
        let listener = SiteListener {
            calls: calls.clone(),
            replies: replies.clone(),
            observer: observer.clone(),
            own: follower.is_some().then_some(own),
        };
        let writer = Writer::spawn(host, Box::new(listener.clone()), limits.writer)?;
        let jobs = answered.get_or_init(|| writer.jobs().clone()).clone();
        let deciders = threads.spawn(&listener, &source, &jobs, limits.writer)?;
        let following = follower.map(Follower::spawn).transpose()?;
        Ok(Site {
            partition,
            commands,
            effects,
            types: product_types(&setup.business().catalog),
            endpoints: RwLock::new(Arc::new(endpoints)),
            clock: source,
            writer,
            deciders,
            questioner,
            replies,
            answering,
            calls,
            following,
            providers,
        })
    }

    /// Returns the business and the mode.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Returns the commands that the extension declares.
    pub fn commands(&self) -> &[CommandDecl] {
        &self.commands
    }

    /// Returns the effects that the extension declares.
    pub fn effects(&self) -> &[EffectDecl] {
        &self.effects
    }

    /// Returns the product types of the catalog.
    pub fn product_types(&self) -> &[ProductType] {
        &self.types
    }

    /// Returns the webhook endpoints.
    pub fn endpoints(&self) -> Arc<Endpoints> {
        self.endpoints.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the webhook endpoints. Deliveries that are being verified still use the previous ones.
    pub fn set_endpoints(&self, endpoints: Endpoints) {
        *self.endpoints.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(endpoints);
    }

    /// Returns the source of the site's time.
    pub fn clock(&self) -> &ClockSource {
        &self.clock
    }

    /// Sends an event to be decided and committed in somebody's turn, without waiting. The function receives the answer after the commit. A
    /// site whose writer decides has no turns.
    ///
    /// # Errors
    /// Fails if too many events are waiting, or if the site has stopped; the function is then not called.
    pub fn try_accept_then(
        &self,
        turn: Turn,
        decoded: Decoded,
        raw: Vec<u8>,
        answer: OnAnswer,
    ) -> Result<(), JobError> {
        match &self.deciders {
            Deciding::Lanes(lanes) => lanes.try_accept_then(turn, decoded, raw, answer),
            Deciding::Ahead(deciders) => deciders.try_accept_then(turn, decoded, raw, answer),
            Deciding::Writer => self.jobs().try_accept_then(decoded, raw, answer),
        }
    }

    /// Returns the sender of jobs to the writer.
    pub fn jobs(&self) -> &Jobs {
        self.writer.jobs()
    }

    /// Returns the sender of questions.
    pub fn questioner(&self) -> &Questioner {
        &self.questioner
    }

    /// Returns the providers whose calls currently do not succeed.
    pub fn outages(&self) -> Vec<Outage> {
        self.providers.outages()
    }

    /// Returns the name of the provider that handles effects of a kind, or else the part of the kind before the point.
    pub fn provider_of(&self, kind: &str) -> String {
        provider_of(&self.providers, kind)
    }

    /// Returns the callers that wait for a reply.
    pub fn replies(&self) -> &Replies {
        &self.replies
    }

    /// Returns a sweeper of the site. It must be dropped before [`Site::stop`], which would wait for it.
    pub fn sweeper(&self) -> Sweeper {
        let (jobs, questioner) = (self.writer.jobs().clone(), self.questioner.clone());
        Sweeper { partition: self.partition.clone(), jobs, questioner, clock: self.clock.clone() }
    }

    /// Stops the site: commits and answers what was sent before, and waits for the calls that have begun. Returns the host, or none if the
    /// writer's thread has panicked.
    pub fn stop(self) -> Option<Host> {
        // A writer that has stopped starts no calls either.
        let _ = self.writer.jobs().with_host(|host| host.outbox_mut().leave());
        self.calls.stop();
        self.following.into_iter().for_each(Following::stop);
        match self.deciders {
            Deciding::Lanes(lanes) => lanes.stop(),
            Deciding::Ahead(deciders) => deciders.stop(),
            Deciding::Writer => {}
        }
        self.questioner.end();
        for thread in self.answering {
            // A thread that has panicked has ended too.
            let _ = thread.join();
        }
        self.writer.stop()
    }
}

/// Who decides events.
enum Deciding {
    /// Lanes, each with its own commits.
    Lanes(Lanes),
    /// Threads that decide ahead of the writer.
    Ahead(Deciders),
    /// The writer.
    Writer,
}

/// What the deciding threads need before they start.
enum Threads {
    Lanes(Vec<Processor>),
    Ahead(Vec<Decider>),
}

impl Threads {
    fn of(processor: &Processor, runner: &MakeRunner, number: usize) -> Result<Threads, StoreError> {
        let mut lanes = Vec::new();
        for _ in 0..number {
            match processor.peer(runner())? {
                Some(lane) => lanes.push(lane),
                None => break,
            }
        }
        if lanes.is_empty() {
            return Ok(Threads::Ahead(
                (0..number).map(|_| Decider::of(processor, runner())).collect::<Result<_, _>>()?,
            ));
        }
        Ok(Threads::Lanes(lanes))
    }

    fn spawn(
        self,
        listener: &SiteListener,
        clock: &ClockSource,
        jobs: &Jobs,
        limits: WriterLimits,
    ) -> io::Result<Deciding> {
        Ok(match self {
            Threads::Lanes(lanes) => {
                let lanes = lanes.into_iter().map(|processor| Lane { processor, listener: Box::new(listener.clone()) });
                Deciding::Lanes(Lanes::spawn(lanes.collect(), clock, jobs, limits)?)
            }
            Threads::Ahead(deciders) if deciders.is_empty() => Deciding::Writer,
            Threads::Ahead(deciders) => Deciding::Ahead(Deciders::spawn(deciders, clock, jobs, limits.waiting)?),
        })
    }
}

/// Receives calls and reports from the writer.
#[derive(Clone)]
struct SiteListener {
    calls: Calls,
    replies: Arc<Replies>,
    observer: Arc<dyn Observer>,
    /// The events of this host, if there may be other hosts.
    own: Option<Own>,
}

impl Listener for SiteListener {
    fn calls(&mut self, calls: Vec<Call>) {
        self.calls.begin(calls);
    }

    fn committed(&mut self, reports: &[Report]) {
        if let Some(own) = &self.own {
            own.add(reports);
        }
        self.replies.tell(reports);
        self.observer.committed(reports);
    }

    fn failed(&mut self, error: &OutboxError) {
        self.observer.failed(error);
    }
}
