//! A shop on a local Stripe. The test says which of Stripe's events are delivered.

use end_to_end::hosts::carry_out;
use end_to_end::world::{START_MS, command};
use extension_contract::{Account, Actor, Timestamp};
use host_business::Setup;
use host_business::folder::BusinessFolder;
use host_engine::Host;
use host_engine::clock::Clock;
use host_engine::outbox::{Intervention, OpenEffect};
use host_engine::processor::Answerer;
use host_provider_api::scripted::Scripted;
use host_provider_api::{
    Call, CallOutcome, EventQuery, ObjectList, ObjectListError, ObjectPage, ObjectQuery, Provider, Registry, Secret,
};
use host_providers::stripe::{Config, Stripe};
use host_store::{Partition, SqliteStore};
use host_verify::{AccountRecords, AccountVerified, StripeAccess, Verified, Verifier};
use local_stripe::sandbox::{json_of, own_request};
use local_stripe::server::{Options, Server};
use local_stripe::settings::Settings;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

pub const DAY_MS: Timestamp = 86_400_000;

const BUSINESS: &str = r#"
policies: {currency: usd, erase_after: 30d, success_url: "https://a.example", cancel_url: "https://a.example", origins: ["https://a.example"]}
"#;

/// A plan and a poem, half of whose price is its poet's.
const CATALOG: &str = r#"
entitlements: {projects: {kind: limit}}
product_types:
  - name: tier
    catalog: true
    infer_by: slug
    family: tier
    fields: [{name: slug, type: string, required: true}, {name: projects, type: int, required: true, min: 0}]
    grants: {projects: "{product.projects}"}
  - name: poem
    catalog: true
    infer_by: poet
    fields: [{name: poet, type: string, required: true, format: account, immutable: true}]
    split: {to: "{product.poet}", share_bp: 5000}
products:
  - {id: prod_basic, product_type: tier, name: Basic, prices: {month: {amount: 500}}, metadata: {slug: basic, projects: 1}}
  - {id: prod_ode, product_type: poem, name: Ode, prices: {once: {amount: 300}}, metadata: {poet: "user:zoe"}}
"#;

/// Makes transfers at Stripe; while `loses` is set, the host gets no answer.
struct Transfers {
    stripe: Arc<Stripe>,
    loses: Arc<AtomicBool>,
}

impl Provider for Transfers {
    fn call(&self, call: &Call) -> CallOutcome {
        let answer = self.stripe.call(call);
        match self.loses.load(Ordering::Relaxed) {
            false => answer,
            true => CallOutcome::Retry { after_ms: None, code: "lost".to_owned(), message: "no answer".to_owned() },
        }
    }
}

/// Lists objects as they were before a change.
struct Before {
    stripe: Arc<Stripe>,
    change: fn(&mut Value),
}

impl ObjectList for Before {
    fn objects(&self, query: &ObjectQuery) -> Result<ObjectPage, ObjectListError> {
        let mut page = self.stripe.objects(query)?;
        page.objects.iter_mut().for_each(self.change);
        Ok(page)
    }
}

/// Lists nothing.
pub struct Empty;

impl ObjectList for Empty {
    fn objects(&self, _: &ObjectQuery) -> Result<ObjectPage, ObjectListError> {
        Ok(ObjectPage::default())
    }
}

pub struct Shop {
    host: Host,
    provider: Arc<Stripe>,
    registry: Registry,
    loses: Arc<AtomicBool>,
    folder: tempfile::TempDir,
    partition: Partition,
    commands: usize,
    server: Server,
    _runtime: Runtime,
}

impl Shop {
    /// Starts a shop whose products have prices at Stripe.
    pub fn start() -> Shop {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let settings = Settings { start_s: START_MS / 1_000, ..Settings::default() };
        let server =
            runtime.block_on(Server::start(Options { settings, ..Options::default() })).expect("a local Stripe");
        let key = Some(Secret::new("sk_test_shop"));
        let provider = Arc::new(Stripe::new(Config { test_key: key, url: server.url(), ..Config::default() }));
        let folder = tempfile::tempdir().expect("a folder");
        let business = folder.path().join("shop");
        std::fs::create_dir(&business).expect("a folder");
        std::fs::write(business.join("catalog.yml"), CATALOG).expect("written");
        std::fs::write(business.join("business.yml"), BUSINESS).expect("written");
        let business = BusinessFolder::load(&business).expect("a business");
        let partition = Partition { business: business.name.clone(), livemode: false };
        let loses = Arc::new(AtomicBool::new(false));
        let mut registry = Registry::with_default(Arc::new(Scripted::new()));
        registry.register(&["stripe"], provider.clone());
        let transfers = Transfers { stripe: provider.clone(), loses: loses.clone() };
        registry.register(&["stripe.transfer"], Arc::new(transfers));
        let store = Box::new(SqliteStore::open(folder.path().join("store.db")).expect("a store"));
        let runner = host_replay::native::runners().make().expect("the library");
        let setup = Setup::new(business, false, &[], None);
        let (host, _) = setup.start(store, runner, registry.clone(), Clock::manual(START_MS)).expect("a host");
        let mut shop =
            Shop { host, provider, registry, loses, folder, partition, commands: 0, server, _runtime: runtime };
        shop.settle();
        shop.deliver_all();
        shop
    }

    pub fn with_story() -> Shop {
        let mut shop = Shop::start();
        shop.play();
        shop
    }

    /// Ada buys a plan and a poem, and gets a part of the poem's price back; its poet is paid.
    pub fn play(&mut self) {
        for product in ["prod_basic", "prod_ode"] {
            self.gives("purchase.create", "ada", &json!({"product_id": product}));
            self.pay();
            self.deliver_all();
        }
        let purchase = self.purchase_of_the_poem();
        self.gives("purchase.refund", "ada", &json!({"id": purchase, "amount": 100}));
        self.deliver_all();
        self.gives("account.connect", "zoe", &json!({}));
        let account = self.newest("account");
        self.stripe("POST", &format!("/_sandbox/accounts/{account}/onboard"), &[]);
        self.deliver_all();
        self.advance_host(8 * DAY_MS);
        self.advance_stripe(8 * DAY_MS);
        self.deliver_all();
    }

    /// Closes the poet's account, and erases it after a month.
    pub fn erase_the_poet(&mut self) {
        self.gives("account.close", "zoe", &json!({}));
        self.advance_host(31 * DAY_MS);
    }

    pub fn lose_answers_to_transfers(&mut self, loses: bool) {
        self.loses.store(loses, Ordering::Relaxed);
    }

    /// Sends a request to the local Stripe, as its dashboard does.
    pub fn stripe(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Value {
        let response = self.server.handle(&own_request(method, path, form));
        assert_eq!(response.status, 200, "{method} {path}: {}", response.body);
        json_of(&response)
    }

    /// Creates an object at the local Stripe and returns its id.
    pub fn make(&self, path: &str, form: &[(&str, &str)]) -> String {
        self.stripe("POST", path, form)["id"].as_str().expect("an id").to_owned()
    }

    pub fn newest(&self, kind: &str) -> String {
        self.server.newest(kind).unwrap_or_else(|| panic!("no {kind}"))
    }

    fn records(&self, account: &str) -> Value {
        host_engine::view::records(self.host.processor(), &Account::User(account.to_owned())).expect("read")
    }

    fn purchase_of_the_poem(&self) -> String {
        let rows = host_engine::view::rows(self.host.processor(), &Account::User("ada".to_owned()), "purchases");
        let rows: BTreeMap<String, Value> = serde_json::from_value(rows.expect("read")).expect("purchases");
        let poem = rows.into_iter().find(|(_, row)| row["items"][0]["product_id"] == "prod_ode");
        poem.expect("a purchase").0
    }

    pub fn payment_of_the_poem(&self) -> String {
        let payments = self.records("ada")["payments"].clone();
        let payments: BTreeMap<String, Value> = serde_json::from_value(payments).expect("payments");
        payments.into_iter().find(|(_, row)| row["purchase"].is_string()).expect("a payment").0
    }

    fn gives(&mut self, kind: &str, account: &str, payload: &Value) {
        self.commands += 1;
        let (id, account) = (format!("cmd_{}", self.commands), format!("user:{account}"));
        self.accept(&command(&id, kind, ("admin", "root"), &account, payload.clone()));
    }

    fn accept(&mut self, body: &Value) {
        carry_out(&mut self.host, &self.partition.business, body);
    }

    /// Carries out everything that is due.
    fn settle(&mut self) {
        let now = self.host.clock_mut().now();
        self.host.outbox_mut().advance_to(now).expect("carried out");
    }

    /// Pays the newest checkout session on its page.
    fn pay(&self) {
        let session = self.stripe("GET", &format!("/v1/checkout/sessions/{}", self.newest("checkout.session")), &[]);
        let form = [
            ("email", "ada@example.com"),
            ("number", "4242 4242 4242 4242"),
            ("expiry", "12 / 40"),
            ("cvc", "123"),
            ("name", "Ada"),
        ];
        let client: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).build().into();
        let paid = client.post(session["url"].as_str().expect("a page")).send_form(form).expect("an answer");
        assert_eq!(paid.status(), 303, "the page after a payment");
    }

    /// Returns the events of an account that are not stored, oldest first.
    fn missing(&self, connected: Option<&str>) -> Vec<Value> {
        let query = EventQuery { livemode: false, connected_account: connected, since_s: 0, before: None };
        let listed = self.provider.events(&query, 10_000).expect("events");
        assert!(listed.is_complete);
        let store = self.host.processor().store();
        let is_missing = |event: &Value| {
            store.event(&self.partition, "stripe", event["id"].as_str().expect("an id")).expect("read").is_none()
        };
        let mut events: Vec<Value> = listed.events.into_iter().filter(is_missing).collect();
        events.reverse();
        if let Some(connected) = connected {
            events.iter_mut().for_each(|event| event["account"] = json!(connected));
        }
        events
    }

    /// Delivers all events, also those that they cause.
    pub fn deliver_all(&mut self) {
        loop {
            let mut events = self.missing(None);
            if let Some(connected) = self.records("zoe")["account"]["payouts"]["connected"].as_str() {
                events.extend(self.missing(Some(connected)));
            }
            if events.is_empty() {
                return;
            }
            events.iter().for_each(|event| self.accept(event));
        }
    }

    /// Delivers one event.
    pub fn deliver_one(&mut self, id: &str) {
        let event = self.stripe("GET", &format!("/v1/events/{id}"), &[]);
        self.accept(&event);
    }

    /// Delivers the newest event.
    pub fn deliver_newest(&mut self) {
        let newest = self.missing(None).pop().expect("an event");
        self.accept(&newest);
    }

    pub fn advance_stripe(&self, by: Timestamp) {
        self.stripe("POST", "/_sandbox/clock", &[("advance_by", &(by / 1_000).to_string())]);
    }

    pub fn advance_host(&mut self, by: Timestamp) {
        let to = self.host.clock_mut().now() + by;
        self.host.clock_mut().advance_to(to);
        self.settle();
    }

    /// Carries out `POST /api/operator/effects/SEQ/adopt`.
    pub fn adopt(&mut self, seq: u64, outputs: &Value) {
        let now = self.host.clock_mut().now();
        let open = self.host.processor().store().effects_open_after(&self.partition, 0, usize::MAX).expect("read");
        let row = open.into_iter().find(|row| row.seq == seq).expect("an open effect");
        let effect = OpenEffect { scope: row.scope, key: row.effect.key, generation: row.effect.generation };
        let adopt = Intervention::Adopt(outputs.clone());
        self.host.outbox_mut().intervene(&effect, adopt, Actor::system(), now).expect("adopted");
    }

    pub fn verify(&self) -> Verified {
        self.verify_with(self)
    }

    /// Compares the store with the Stripe of a shop, as a whole and account by account: both have the same differences.
    pub fn verify_with(&self, other: &Shop) -> Verified {
        let verified = self.verify_whole(other.access());
        for name in ["ada", "zoe"] {
            let mut of_account = self.verify_account(name, other.access());
            let account = Account::User(name.to_owned());
            let mut of_whole = verified.differences.clone();
            of_whole.retain(|it| it.found.account == account);
            for differences in [&mut of_account.differences, &mut of_whole] {
                differences.sort_by_key(|it| (it.found.kind, it.found.id.clone()));
            }
            assert_eq!((of_account.differences, of_account.is_complete), (of_whole, true), "{name}");
        }
        verified
    }

    /// Compares one account with a Stripe, as an operator asks for it.
    pub fn verify_account(&self, name: &str, stripe: StripeAccess) -> AccountVerified {
        let (mut answerer, now) = (self.answerer(), self.host.clock().latest());
        let scope = self.partition.scope(Account::User(name.to_owned()));
        let records = AccountRecords::read(&mut answerer, &scope, now).expect("read").expect("an account");
        records.fetch(&stripe).expect("fetched").compare(&mut answerer).expect("compared")
    }

    /// Compares the store with a list of objects before it was changed: a list is older than what is read again.
    pub fn verify_before(&self, change: fn(&mut Value)) -> Verified {
        let objects = Arc::new(Before { stripe: self.provider.clone(), change });
        self.verify_whole(StripeAccess { objects, ..self.access() })
    }

    /// Compares the whole store with a Stripe, while the host has the store open.
    pub fn verify_whole(&self, stripe: StripeAccess) -> Verified {
        let before = self.host.state().expect("a state");
        let mut verifier = Verifier {
            answerer: &mut self.answerer(),
            partition: self.partition.clone(),
            stripe: &stripe,
            now: self.host.clock().latest(),
            wait: Duration::ZERO,
        };
        let verified = verifier.verify(&mut |_| ()).expect("both sides can be read");
        assert_eq!(self.host.state().expect("a state"), before, "nothing is written");
        verified
    }

    /// Returns the shop's Stripe.
    pub fn access(&self) -> StripeAccess {
        let (objects, events) = (self.provider.clone(), self.provider.clone());
        StripeAccess { objects, events, registry: self.registry.clone() }
    }

    fn answerer(&self) -> Answerer {
        let reader = SqliteStore::open_reader(self.folder.path().join("store.db")).expect("a reader");
        let runner = host_replay::native::runners().make().expect("the library");
        Answerer::over(reader, runner, self.partition.clone()).expect("an answerer")
    }
}
