//! A server with one site, and a client of it.

use extension_contract::{Actor, ActorKind, Timestamp};
use host_api::ids::{Ids, RandomIds};
use host_api::site::{Site, SiteLimits, SiteSetup};
use host_api::webhooks::Webhooks;
use host_api::{
    Authenticator, BusinessRoutes, Changes, ConnectionLimits, Front, FrontLimits, FrontSetup, HostedSite, MailLimits,
    Metrics, Rate, Serving, SitePages, SiteUsers, SiteWebhooks, Tools, serve,
};
use host_business::Setup;
use host_business::folder::BusinessFolder;
use host_engine::clock::Clock;
use host_engine::writer::WriterLimits;
use host_identity::access::{AccessError, Caller, Reach};
use host_identity::issuers::{Issuer, IssuerSettings};
use host_identity::{Hasher, Identity, LinkMaker, Signer, Users};
use host_intake::request::Endpoints;
use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::testing::sign;
use host_intake::webhook::Key;
use host_intake::{EndpointSecrets, Mode, SecretConfig};
use host_provider_api::scripted::Scripted;
use host_provider_api::{Registry, RegistryTokens, Secrets};
use host_store::{Partition, Store};
use host_vault::{SecretProvider, Vault};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Secret of Stripe's endpoint.
pub const SECRET: &str = "whsec_test_of_the_server";
/// Time for which a caller waits for a reply that needs an effect. A manual clock may not reach that effect.
const REPLY: Duration = Duration::from_millis(20);

/// A rate that no test reaches.
pub const UNLIMITED: Rate = Rate { per_second: u32::MAX, burst: u32::MAX };
/// Limits of mails that no test reaches.
const UNLIMITED_MAILS: MailLimits =
    MailLimits { per_hour: u32::MAX, per_day: u32::MAX, to_one_per_hour: u32::MAX, of_one_per_hour: u32::MAX };

/// The key of a business's own webhook, by its name.
pub fn key_of(name: &str) -> Key {
    Key::of_bytes(format!("the key of {name}").as_bytes())
}

/// The actor behind each request, and the id of each command. The test sets them without HTTP.
struct Given {
    partition: Partition,
    actor: Mutex<Actor>,
    id: Mutex<String>,
}

impl Authenticator for Given {
    fn caller(&self, _: &str) -> Result<Option<Caller>, AccessError> {
        let actor = self.actor.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (key, partition) = ("test".to_owned(), self.partition.clone());
        Ok(Some(Caller { key, partition, actor, reach: Reach::All, in_accounts: BTreeMap::new() }))
    }
}

impl Ids for Given {
    fn command(&self) -> Option<String> {
        Some(self.id.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// The set-up of a server: it can be started again on the same store.
pub struct ServerSetup {
    pub business: BusinessFolder,
    pub setup: Setup,
    pub livemode: bool,
    pub scripted: Scripted,
}

/// The threads of all servers.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")
    })
}

/// The limits of a server, and who may call it.
pub struct ServerOptions {
    pub front: FrontLimits,
    pub connections: ConnectionLimits,
    pub writer: WriterLimits,
    /// Threads that decide ahead of the writer.
    pub deciders: usize,
    /// What operators may look at.
    pub tools: Tools,
    /// Number of calls of providers at the same time.
    pub calls: usize,
    /// None: each request has the actor that the test gives.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// True for a server with users of its own.
    pub has_users: bool,
    /// Keeps secrets, and makes those that effects request.
    pub vault: Option<Arc<Vault>>,
    /// Providers before the scripted one, which takes all other effects.
    pub providers: Registry,
    /// Signs the tokens of a registry for images.
    pub registry: Option<Arc<dyn RegistryTokens>>,
    /// The issuers that the business trusts.
    pub issuers: Vec<IssuerSettings>,
    /// Address of the server for browsers.
    pub url: String,
    /// Host names of the business.
    pub names: Vec<String>,
    /// True for a server without a proxy in front: this machine is a client like any other.
    pub has_no_proxy: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            front: FrontLimits {
                reply: REPLY,
                key: UNLIMITED,
                stranger: UNLIMITED,
                logins: u32::MAX,
                registrations: u32::MAX,
                mails: UNLIMITED_MAILS,
                ..FrontLimits::default()
            },
            connections: ConnectionLimits::default(),
            // One client sends one request at a time, so a group never has a second job.
            writer: WriterLimits::default(),
            deciders: 2,
            tools: Tools::default(),
            calls: 1,
            authenticator: None,
            vault: None,
            has_users: false,
            providers: Registry::new(),
            registry: None,
            issuers: Vec::new(),
            url: "http://127.0.0.1".to_owned(),
            names: Vec::new(),
            has_no_proxy: false,
        }
    }
}

/// Users in memory, whose passwords are hashed on one thread.
fn users(business: &BusinessFolder, partition: &Partition, vault: Arc<Vault>) -> SiteUsers {
    let signer = Signer::new(&partition.name(), &[("k1".to_owned(), vec![7; 32])]).expect("a signer");
    let (users, hasher) = (Users::in_memory().expect("a file"), Hasher::start(1, 8).expect("a thread"));
    let identity = Identity::new(partition.clone(), Arc::new(users), hasher, signer);
    SiteUsers::new(LinkMaker::new(identity, vault, "https://pages.example".to_owned()), business)
}

/// Webhooks in memory, which nothing sends.
fn webhooks() -> SiteWebhooks {
    let webhooks = Webhooks::in_memory().expect("a file");
    webhooks.set_baseline().expect("written");
    let secrets = Arc::new(Vault::in_memory().expect("a vault"));
    SiteWebhooks { webhooks: Arc::new(webhooks), secrets, is_local: false }
}

/// A running server.
pub struct Server {
    front: Front,
    serving: JoinHandle<Serving>,
    /// Dropped to stop.
    stop: Option<oneshot::Sender<()>>,
    address: String,
    given: Arc<Given>,
    client: ureq::Agent,
    metrics: Arc<Metrics>,
}

impl Server {
    pub fn start(with: &ServerSetup, store: Box<dyn Store>, clock: Clock) -> Server {
        Server::start_with(with, store, clock, ServerOptions::default())
    }

    pub fn start_with(with: &ServerSetup, store: Box<dyn Store>, clock: Clock, options: ServerOptions) -> Server {
        let ServerOptions {
            front: limits,
            connections,
            writer,
            deciders,
            tools,
            calls,
            authenticator,
            vault,
            has_users,
            mut providers,
            registry,
            issuers,
            url,
            names,
            has_no_proxy,
        } = options;
        let mode = Mode::of(with.livemode);
        let secret = SecretConfig { name: "test".into(), mode, connect: None, secret: SECRET.to_owned() };
        let declared = with.business.own.webhooks.iter();
        let endpoints = Endpoints {
            business: with.business.name.clone(),
            stripe: Some(EndpointSecrets::new(vec![secret], TOLERANCE_S_DEFAULT).expect("a secret")),
            webhooks: declared.map(|own| (own.webhook.clone(), key_of(&own.webhook.name))).collect(),
        };
        let runners = host_replay::native::runners();
        let (metrics, changes) = (Arc::new(Metrics::default()), Arc::new(Changes::default()));
        let partition = Partition { business: with.business.name.clone(), livemode: with.livemode };
        providers.register(&["*"], Arc::new(with.scripted.clone()));
        if let Some(vault) = &vault {
            providers.register(&["secret"], Arc::new(SecretProvider));
            providers.set_secrets(vault.clone());
        }
        let site = Site::start(SiteSetup {
            setup: with.setup.clone(),
            store,
            runner: Arc::new(move || runners.make().expect("the library")),
            registry: providers,
            clock,
            endpoints,
            limits: SiteLimits { writer, deciders, calls, answerers: 1, ..SiteLimits::default() },
            observers: vec![metrics.observer(partition.clone()), changes.observer(partition)],
        });
        let site = site.expect("a site");
        let given = Arc::new(Given {
            partition: site.partition().clone(),
            actor: Mutex::new(Actor::system()),
            id: Mutex::default(),
        });
        let paths = with.business.own.webhook_paths.iter().map(|own| (own.path.clone(), own.webhook.clone()));
        let answers = with.business.own.webhook_answers.iter();
        let config = with.business.config_with(&[]);
        let in_memory = || Arc::new(Vault::in_memory().expect("a vault"));
        let for_links = vault.clone().unwrap_or_else(in_memory);
        let users = has_users.then(|| users(&with.business, &given.partition, for_links));
        let secrets = vault.map(|vault| vault as Arc<dyn Secrets>);
        let routes = BusinessRoutes::new(&with.business, &config, secrets);
        let hosted = HostedSite {
            site,
            names,
            aliases: paths.collect(),
            has_platform_paths: with.business.own.has_platform_paths,
            webhook_answers: answers.map(|own| (own.webhook.clone(), own.clone())).collect(),
            local_clock: None,
            costs: with.business.own.costs.clone(),
            routes,
            users,
            url,
            issuers: issuers.into_iter().map(|settings| Arc::new(Issuer::new(settings))).collect(),
            tools,
            pages: SitePages::new(&with.business, false).expect("pages"),
            webhooks: Some(webhooks()),
            registry,
            cors: host_api::cors(&with.business.origins()),
        };
        let (authenticator, ids): (Arc<dyn Authenticator>, Arc<dyn Ids>) = match authenticator {
            Some(authenticator) => (authenticator, Arc::new(RandomIds)),
            None => (given.clone(), given.clone()),
        };
        let front = Front::new(FrontSetup {
            sites: vec![hosted],
            authenticator,
            ids,
            limits,
            proxies: has_no_proxy.then(Vec::new),
            metrics: metrics.clone(),
            changes,
            quarantine: Arc::new(()),
        });
        let front = front.expect("a front");
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel();
        let stopped = async move { drop(stopped.await) };
        let serving = runtime().spawn(serve(listener, front.clone(), connections, stopped));
        let client = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Server { front, serving, stop: Some(stop), address, given, client, metrics }
    }

    fn site(&self) -> &Site {
        &self.front.sites().next().expect("one site").site
    }

    pub fn partition(&self) -> Partition {
        self.site().partition().clone()
    }

    pub fn now(&self) -> Timestamp {
        self.site().clock().now()
    }

    /// Returns the time by which signatures are judged, in seconds since the epoch.
    pub fn signing_s(&self) -> i64 {
        self.site().clock().signatures().div_euclid(1_000)
    }

    /// Returns the address without `http://`.
    pub fn address(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    pub fn sweeper(&self) -> host_api::site::sweep::Sweeper {
        self.site().sweeper()
    }

    pub fn jobs(&self) -> &host_engine::writer::Jobs {
        self.site().jobs()
    }

    /// Returns the value of `Stripe-Signature` for a body.
    pub fn signature(&self, body: &[u8]) -> String {
        sign(SECRET, self.now() / 1000, body)
    }

    /// Asks to stop; requests that have arrived are still answered.
    pub fn ask_to_stop(&mut self) {
        self.stop.take();
    }

    /// Calls a function with the host.
    pub fn with_host<T: Send + 'static>(&self, body: impl FnOnce(&mut host_engine::Host) -> T + Send + 'static) -> T {
        self.site().jobs().with_host(body).expect("a writer")
    }

    /// Advances the clock, and waits until everything has been carried out.
    pub fn advance_to(&self, to: Timestamp) {
        let (sender, reached) = mpsc::channel();
        self.site().jobs().advance_then(to, Box::new(move |time| drop(sender.send(time)))).expect("a writer");
        reached.recv().expect("an answer").expect("a manual clock");
    }

    /// Waits until everything that is due has been carried out.
    pub fn settle(&self) {
        self.advance_to(self.now());
    }

    /// Runs an event again, as an operator.
    pub fn redrive(&self, source: &'static str, id: String) {
        let seq = self.with_host(move |host| {
            let processor = host.processor();
            processor.store().event(processor.partition(), source, &id).expect("read").map(|row| row.seq)
        });
        if let Some(seq) = seq {
            self.site().jobs().redrive(seq).expect("a writer").wait().expect("stored");
        }
    }

    /// Delivers a message of another account as the outbox does: nobody sends one over HTTP.
    pub fn message(&self, body: &[u8]) {
        let business = &self.site().partition().business;
        let decoded = host_intake::raw::read(body.to_vec(), business, self.now()).expect("a message");
        self.site().jobs().accept(decoded, Vec::new()).expect("a writer").wait().expect("stored");
    }

    /// Returns the counters of the server, which threads beside the site use.
    pub fn counters(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// Returns the status of an operator's request.
    pub fn get_status(&self, path: &str) -> u16 {
        *self.given.actor.lock().expect("no panic") = Actor { kind: ActorKind::Admin, ..Actor::system() };
        let request = self.client.get(format!("{}{path}", self.address)).header("authorization", "Bearer given");
        request.call().expect("an answer").status().as_u16()
    }

    /// Returns the text of the metrics, as an operator reads it.
    pub fn metrics(&self) -> String {
        self.read("/metrics")
    }

    /// Returns the answer for an operator.
    pub fn read(&self, path: &str) -> String {
        *self.given.actor.lock().expect("no panic") = Actor { kind: ActorKind::Admin, ..Actor::system() };
        let request = self.client.get(format!("{}{path}", self.address)).header("authorization", "Bearer given");
        let mut answer = request.call().expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        answer.body_mut().read_to_string().expect("a text")
    }

    /// Posts a body as an actor, and returns status and body of the answer.
    pub fn post(&self, path: &str, actor: Actor, id: &str, body: &[u8]) -> (u16, String) {
        *self.given.actor.lock().expect("no panic") = actor;
        id.clone_into(&mut self.given.id.lock().expect("no panic"));
        self.send(path, &[("authorization", "Bearer given")], body)
    }

    /// Delivers a body of Stripe with its signature.
    pub fn stripe(&self, body: &[u8]) -> (u16, String) {
        let signature = self.signature(body);
        self.send("/api/webhooks/stripe", &[("stripe-signature", &signature)], body)
    }

    pub fn send(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let mut request = self.client.post(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body).expect("an answer");
        (response.status().as_u16(), response.body_mut().read_to_string().expect("a text"))
    }

    /// Stops the server gracefully, and returns the host.
    pub fn stop(self) -> host_engine::Host {
        let Server { front, serving, stop, client, .. } = self;
        drop((client, stop));
        assert_eq!(runtime().block_on(serving).expect("no panic"), Serving::Answered);
        let mut sites = front.into_sites().expect("nothing is answered any more");
        sites.remove(0).site.stop().expect("no panic")
    }
}
