//! A server with one site, and a client of it that holds each JSON answer against the OpenAPI document.

use super::document::Document;
use super::raw::{Answer, Connection};
use end_to_end::play::bodies;
use end_to_end::world::{START_MS, business_named};
use extension_contract::{Account, Actor, ActorKind, Timestamp};
use host_api::ids::{Ids, RandomIds};
use host_api::site::{Site, SiteLimits, SiteSetup};
use host_api::webhooks::Webhooks;
use host_api::{
    Authenticator, BusinessRoutes, Changes, ConnectionLimits, Front, FrontLimits, FrontSetup, HostedSite, LocalClock,
    MailLimits, Metrics, Rate, Serving, SitePages, SiteUsers, SiteWebhooks, Tools, serve,
};
use host_business::Setup;
use host_business::folder::BusinessFolder;
use host_business::manifest::Manifest;
use host_engine::clock::Clock;
use host_engine::writer::WriterLimits;
use host_identity::access::{AccessError, Caller, Keys, NewKey, Reach, Token};
use host_identity::issuers::{Issuer, IssuerSettings};
use host_identity::{Hasher, Identity, LinkMaker, Signer, Users};
use host_intake::request::Endpoints;
use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::testing::sign;
use host_intake::webhook::Key;
use host_intake::{EndpointSecrets, Mode, SecretConfig};
use host_provider_api::scripted::{Entry, Scripted, ScriptedAnswer};
use host_provider_api::{Provider, Registry, RegistryTokens, Secrets};
use host_store::{MemoryStore, Partition, Store};
use host_vault::{SecretProvider, Vault};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A request without values.
pub const NOTHING: Value = Value::Null;
/// Secret of Stripe's endpoint.
pub const SECRET: &str = "whsec_test_of_the_server";
/// The bearer token of an actor that the test gives without a key.
const GIVEN: &str = "given";

/// A rate that no test reaches.
pub const UNLIMITED: Rate = Rate { per_second: u32::MAX, burst: u32::MAX };
/// Limits of mails that no test reaches.
const UNLIMITED_MAILS: MailLimits =
    MailLimits { per_hour: u32::MAX, per_day: u32::MAX, to_one_per_hour: u32::MAX, of_one_per_hour: u32::MAX };

/// The key of a business's own webhook, by its name.
pub fn key_of(name: &str) -> Key {
    Key::of_bytes(format!("the key of {name}").as_bytes())
}

/// Returns a vault in memory.
pub fn vault() -> Arc<Vault> {
    Arc::new(Vault::in_memory().expect("a vault"))
}

/// The callers of a server: those with a key, and the actor that the test gives with the id of the next command.
struct Callers {
    keys: Keys,
    partition: Partition,
    given: Mutex<(Actor, Option<String>)>,
}

impl Authenticator for Callers {
    fn caller(&self, token: &str) -> Result<Option<Caller>, AccessError> {
        if token != GIVEN {
            return self.keys.caller(token);
        }
        let actor = self.given.lock().expect("no panic").0.clone();
        let (key, partition) = ("test".to_owned(), self.partition.clone());
        Ok(Some(Caller { key, partition, actor, reach: Reach::All, in_accounts: BTreeMap::new() }))
    }
}

impl Ids for Callers {
    fn command(&self) -> Option<String> {
        self.given.lock().expect("no panic").1.take().or_else(|| RandomIds.command())
    }
}

/// The threads of all servers.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")
    })
}

/// A server to be started: a business, and how it differs from most servers of these tests.
pub struct Builder {
    pub business: BusinessFolder,
    pub livemode: bool,
    pub config: Vec<(String, String)>,
    /// The extension's manifest. The default restricts nothing.
    pub manifest: Option<Manifest>,
    /// Carries out what no other provider does.
    pub scripted: Scripted,
    pub store: Box<dyn Store>,
    pub clock: Clock,
    pub limits: FrontLimits,
    pub connections: ConnectionLimits,
    pub writer: WriterLimits,
    /// Threads that decide ahead of the writer.
    pub deciders: usize,
    /// What operators may look at.
    pub tools: Tools,
    /// Number of calls of providers at the same time.
    pub calls: usize,
    /// True for a server with users of its own.
    pub has_users: bool,
    /// Keeps secrets, and makes those that effects request.
    pub vault: Option<Arc<Vault>>,
    /// Providers before the scripted one.
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
    pub local_clock: Option<Arc<dyn LocalClock>>,
}

impl Builder {
    /// Changes what has no method of its own.
    pub fn with(mut self, change: impl FnOnce(&mut Builder)) -> Builder {
        change(&mut self);
        self
    }

    pub fn vault(self, vault: &Arc<Vault>) -> Builder {
        self.with(|server| server.vault = Some(vault.clone()))
    }

    pub fn limits(self, change: impl FnOnce(&mut FrontLimits)) -> Builder {
        self.with(|server| change(&mut server.limits))
    }

    /// Sets the time for which a caller waits for a reply that needs an effect, to one that is soon over.
    pub fn impatient(self) -> Builder {
        self.limits(|limits| limits.reply = Duration::from_millis(20))
    }

    /// Sets values in the configuration.
    pub fn config(self, values: &[(&str, &str)]) -> Builder {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        self.with(|server| server.config.extend(values))
    }

    /// Adds the provider of some effects.
    pub fn provider(self, pattern: &str, provider: Arc<dyn Provider>) -> Builder {
        self.with(|server| server.providers.register(&[pattern], provider))
    }

    /// Starts the server, and waits until what is due has been carried out.
    pub fn start(self) -> TestServer {
        let server = self.start_unsettled();
        server.settle();
        server
    }

    /// Starts the server, without a wait: for a system clock, or to hold back what is due.
    pub fn start_unsettled(self) -> TestServer {
        let (business, mut providers) = (self.business, self.providers);
        let partition = Partition { business: business.name.clone(), livemode: self.livemode };
        let secret = SECRET.to_owned();
        let secret = SecretConfig { name: "test".into(), mode: Mode::of(self.livemode), connect: None, secret };
        let declared = business.own.webhooks.iter();
        let endpoints = Endpoints {
            business: business.name.clone(),
            stripe: Some(EndpointSecrets::new(vec![secret], TOLERANCE_S_DEFAULT).expect("a secret")),
            webhooks: declared.map(|own| (own.webhook.clone(), key_of(&own.webhook.name))).collect(),
        };
        let runners = host_replay::native::runners();
        let (metrics, changes) = (Arc::new(Metrics::default()), Arc::new(Changes::default()));
        providers.register(&["*"], Arc::new(self.scripted.clone()));
        if let Some(vault) = &self.vault {
            providers.register(&["secret"], Arc::new(SecretProvider));
            providers.set_secrets(vault.clone());
        }
        let site = Site::start(SiteSetup {
            setup: Setup::new(business.clone(), self.livemode, &self.config, self.manifest),
            store: self.store,
            runner: Arc::new(move || runners.make().expect("the library")),
            registry: providers,
            clock: self.clock,
            endpoints,
            limits: SiteLimits {
                writer: self.writer,
                deciders: self.deciders,
                calls: self.calls,
                answerers: 1,
                ..SiteLimits::default()
            },
            observers: vec![metrics.observer(partition.clone()), changes.observer(partition.clone())],
        });
        let paths = business.own.webhook_paths.iter().map(|own| (own.path.clone(), own.webhook.clone()));
        let answers = business.own.webhook_answers.iter();
        let secrets = self.vault.clone().map(|vault| vault as Arc<dyn Secrets>);
        let vault = self.vault.unwrap_or_else(vault);
        let users = self.has_users.then(|| users(&business, &partition, vault.clone()));
        let hosted = HostedSite {
            site: site.expect("a site"),
            names: self.names,
            aliases: paths.collect(),
            has_platform_paths: business.own.has_platform_paths,
            webhook_answers: answers.map(|own| (own.webhook.clone(), own.clone())).collect(),
            local_clock: self.local_clock,
            costs: business.own.costs.clone(),
            routes: BusinessRoutes::new(&business, &business.config_with(&[]), secrets),
            users,
            url: self.url,
            issuers: self.issuers.into_iter().map(|settings| Arc::new(Issuer::new(settings))).collect(),
            tools: self.tools,
            pages: SitePages::new(&business, false).expect("pages"),
            webhooks: Some(webhooks()),
            registry: self.registry,
            cors: host_api::cors(&business.origins()),
        };
        let (keys, given) = (Keys::in_memory().expect("keys"), Mutex::new((Actor::system(), None)));
        let callers = Arc::new(Callers { keys, partition, given });
        let front = Front::new(FrontSetup {
            sites: vec![hosted],
            authenticator: callers.clone(),
            ids: callers.clone(),
            limits: self.limits,
            country_header: None,
            proxies: self.has_no_proxy.then(Vec::new),
            metrics: metrics.clone(),
            changes,
            quarantine: Arc::new(()),
        });
        let front = front.expect("a front");
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (stop, stopped) = oneshot::channel();
        let stopped = async move { drop(stopped.await) };
        let serving = runtime().spawn(serve(listener, front.clone(), self.connections, stopped));
        let (stop, document, sessions) = (Some(stop), OnceLock::new(), AtomicUsize::new(100));
        TestServer {
            front,
            serving,
            stop,
            address,
            callers,
            metrics,
            scripted: self.scripted,
            vault,
            business,
            document,
            sessions,
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
    SiteWebhooks { webhooks: Arc::new(webhooks), secrets: vault(), is_local: false }
}

/// A running server.
pub struct TestServer {
    front: Front,
    serving: JoinHandle<Serving>,
    /// Dropped to stop.
    stop: Option<oneshot::Sender<()>>,
    address: String,
    callers: Arc<Callers>,
    metrics: Arc<Metrics>,
    pub scripted: Scripted,
    /// The secrets, and the links in mails.
    pub vault: Arc<Vault>,
    business: BusinessFolder,
    document: OnceLock<Document>,
    /// Number of checkout sessions.
    sessions: AtomicUsize,
}

impl TestServer {
    /// Starts a server of a business of the fixtures or of the tutorial.
    pub fn start(business: &str) -> TestServer {
        TestServer::of(business).start()
    }

    /// Starts a server that keeps secrets, and makes those that effects request.
    pub fn keeping_secrets(business: &str) -> TestServer {
        TestServer::of(business).vault(&vault()).start()
    }

    /// Prepares a server of a business of the fixtures or of the tutorial.
    pub fn of(business: &str) -> Builder {
        TestServer::of_folder(business_named(business))
    }

    pub fn of_folder(business: &BusinessFolder) -> Builder {
        Builder {
            business: business.clone(),
            livemode: false,
            config: Vec::new(),
            manifest: None,
            scripted: Scripted::new(),
            store: Box::new(MemoryStore::new()),
            clock: Clock::manual(START_MS),
            limits: FrontLimits {
                reply: Duration::from_secs(5),
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
            has_users: true,
            vault: None,
            providers: Registry::new(),
            registry: None,
            issuers: Vec::new(),
            url: "http://127.0.0.1".to_owned(),
            names: Vec::new(),
            has_no_proxy: false,
            local_clock: None,
        }
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

    /// Returns host and port.
    pub fn address(&self) -> &str {
        &self.address
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

    /// Returns the text of the metrics, as an operator reads it.
    pub fn metrics(&self) -> String {
        let answer = self.send("GET /metrics", &self.operator(), &NOTHING);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Returns the OpenAPI document.
    pub fn document(&self) -> &Value {
        &self.promised().value
    }

    /// Returns the operations with JSON answers whose success was not checked: those of every server, or those of the business.
    pub fn without_success(&self, of_server: bool) -> Vec<String> {
        self.promised().without_success(of_server)
    }

    fn promised(&self) -> &Document {
        self.document.get_or_init(|| Document::of(&self.business))
    }

    // What the providers answer.

    /// Sets the answers to the calls of some effects.
    pub fn script(&self, pattern: &str, answers: Vec<ScriptedAnswer>) {
        self.scripted.script(pattern, answers);
    }

    /// Makes the calls of some effects succeed with these outputs.
    pub fn answer(&self, pattern: &str, outputs: Value) {
        self.script(pattern, vec![ScriptedAnswer::Ok(outputs)]);
    }

    /// Makes the calls of some effects fail for good.
    pub fn refuse(&self, pattern: &str, code: &str) {
        let message = "there is no room".to_owned();
        self.script(pattern, vec![ScriptedAnswer::Final { code: code.to_owned(), message }]);
    }

    /// Makes the calls of some effects fail, to be tried again later.
    pub fn fail(&self, pattern: &str) {
        let (code, message) = ("throttled".to_owned(), "later".to_owned());
        self.script(pattern, vec![ScriptedAnswer::Retryable { code, message }]);
    }

    /// Makes a new session for the next checkout.
    pub fn sells(&self) {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        let session = json!({"session_id": format!("cs_{number}"), "url": "https://checkout.example/open"});
        self.answer("checkout:*", session);
    }

    /// Returns the calls of providers.
    pub fn journal(&self) -> Vec<Entry> {
        self.scripted.journal()
    }

    // Who calls.

    pub fn key(&self, kind: ActorKind, subject: &str, roles: &[&str], reach: Reach) -> String {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self.key_at(&self.business.name, Actor { kind, subject: subject.to_owned(), roles }, reach)
    }

    /// Makes a key of a business of this name.
    pub fn key_at(&self, business: &str, actor: Actor, reach: Reach) -> String {
        let partition = Partition { business: business.to_owned(), livemode: false };
        self.callers.keys.make(&NewKey { name: String::new(), partition, actor, reach }, 1).expect("made").expose()
    }

    /// Revokes a key.
    pub fn revoke(&self, key: &str) {
        let id = Token::parse(key).expect("a key").id().to_owned();
        assert!(self.callers.keys.revoke(&id, 2).expect("written"));
    }

    pub fn user(&self, name: &str) -> String {
        self.key(ActorKind::User, name, &[], Reach::Accounts(vec![Account::User(name.to_owned())]))
    }

    /// Returns the key of a member of an organization.
    pub fn member(&self, name: &str, organization: &str, roles: &[&str]) -> String {
        let reach = Reach::Accounts(vec![Account::Organization(organization.to_owned())]);
        self.key(ActorKind::User, name, roles, reach)
    }

    pub fn operator(&self) -> String {
        self.key(ActorKind::Admin, "root", &[], Reach::All)
    }

    pub fn service(&self) -> String {
        self.key(ActorKind::Service, "backend", &[], Reach::All)
    }

    // Requests. The form of each JSON answer is checked.

    /// Sends a request on a connection of its own.
    pub fn request(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = Connection::open(&self.address).request(line, headers, body);
        self.check(line, &answer);
        answer
    }

    /// Checks the form of an answer, unless it is no JSON.
    pub fn check(&self, line: &str, answer: &Answer) {
        self.promised().check(line, answer);
    }

    /// Sends a request with a key, or without one.
    pub fn send(&self, line: &str, key: &str, body: &Value) -> Answer {
        self.send_with(line, key, &[], body)
    }

    pub fn send_with(&self, line: &str, key: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let authorization = format!("Bearer {key}");
        let own = [("Authorization", authorization.as_str())].into_iter().filter(|_| !key.is_empty());
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain(own).collect();
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.request(line, &headers, text.as_bytes())
    }

    /// Sends a request that succeeds, and returns the JSON of its answer.
    pub fn ok(&self, line: &str, key: &str, body: &Value) -> Value {
        self.send(line, key, body).ok()
    }

    pub fn get(&self, path: &str, key: &str) -> Value {
        self.ok(&format!("GET {path}"), key, &NOTHING)
    }

    pub fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.send(&format!("POST {path}"), key, body)
    }

    /// Returns status and code of a refused request.
    pub fn refused(&self, line: &str, key: &str, body: &Value) -> (u16, String) {
        let answer = self.send(line, key, body);
        (answer.status, answer.code().to_owned())
    }

    /// Posts a body as an actor without a key. A command has this id.
    pub fn post_as(&self, path: &str, actor: Actor, id: &str, body: &[u8]) -> Answer {
        *self.callers.given.lock().expect("no panic") = (actor, Some(id.to_owned()));
        self.request(&format!("POST {path}"), &[("Authorization", &format!("Bearer {GIVEN}"))], body)
    }

    /// Delivers a body of Stripe with its signature.
    pub fn deliver(&self, body: &[u8]) -> Answer {
        self.request("POST /api/webhooks/stripe", &[("Stripe-Signature", &self.signature(body))], body)
    }

    /// Delivers a webhook of Stripe, written as an event of a scenario, and waits until its effects have been carried out.
    pub fn stripe(&self, event: &str) {
        let answer = self.deliver(&bodies(&format!("name: x\nevents:\n  - {event}\n"))[0]);
        assert_eq!(answer.status, 200, "{answer:?}");
        self.settle();
    }

    /// Stops the server gracefully, and returns the host.
    pub fn stop(self) -> host_engine::Host {
        let TestServer { front, serving, stop, .. } = self;
        drop(stop);
        assert_eq!(runtime().block_on(serving).expect("no panic"), Serving::Answered);
        let mut sites = front.into_sites().expect("nothing is answered any more");
        sites.remove(0).site.stop().expect("no panic")
    }
}
