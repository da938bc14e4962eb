//! A host under test: an outbox over a store that can fail, with the scripted provider.

use crate::kept::{Storage, StoreFiles};
use extension_contract::{Account, Actor, ActorKind, Entitlement, Event, Payload, Question, Timestamp};
use host_engine::outbox::{Outbox, OutboxError};
use host_engine::processor::{Business, Processor, Questions, Report};
use host_intake::Decoded;
use host_provider_api::Registry;
use host_provider_api::scripted::Scripted;
use host_replay::runners::Runners;
use host_scenario::business::{BusinessFolder, Fixtures};
use host_store::testing::Faults;
use host_store::{Store, StoreError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub use host_simulate::sandbox::START_MS;

/// Returns the root folder of the repository.
pub fn root() -> PathBuf {
    component_builder::workspace_root()
}

/// The fixtures, read once.
pub fn fixtures() -> &'static Fixtures {
    static FIXTURES: OnceLock<Fixtures> = OnceLock::new();
    FIXTURES.get_or_init(|| Fixtures::load(&root().join("fixtures")).expect("readable fixtures"))
}

fn business(name: &str) -> BusinessFolder {
    BusinessFolder::load(&test_support::in_business(name)).expect("a readable business")
}

/// Returns a business of the fixtures or of the tutorial by the name of its folder, read once.
pub fn business_named(name: &str) -> &'static BusinessFolder {
    static KNOWN: Mutex<BTreeMap<String, &'static BusinessFolder>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(name.to_owned()).or_insert_with(|| Box::leak(Box::new(business(name))))
}

/// Solobase hosting, read once.
pub fn solobase() -> &'static BusinessFolder {
    static BUSINESS: OnceLock<BusinessFolder> = OnceLock::new();
    BUSINESS.get_or_init(|| business("solobase"))
}

/// 2Bot, read once.
pub fn twobot() -> &'static BusinessFolder {
    static BUSINESS: OnceLock<BusinessFolder> = OnceLock::new();
    BUSINESS.get_or_init(|| business("twobot"))
}

/// Tesslate Studio, read once.
pub fn tesslate() -> &'static BusinessFolder {
    static BUSINESS: OnceLock<BusinessFolder> = OnceLock::new();
    BUSINESS.get_or_init(|| business("tesslate"))
}

/// Orchestra, read once.
pub fn orchestra() -> &'static BusinessFolder {
    static BUSINESS: OnceLock<BusinessFolder> = OnceLock::new();
    BUSINESS.get_or_init(|| business("orchestra"))
}

/// The plugin business, read once.
pub fn saas_plugins() -> &'static BusinessFolder {
    static BUSINESS: OnceLock<BusinessFolder> = OnceLock::new();
    BUSINESS.get_or_init(|| business("saas-plugins"))
}

/// The setup of a [`World`].
#[derive(Clone)]
pub struct Setup {
    /// The extension.
    pub runners: Runners,
    /// The business.
    pub business: &'static BusinessFolder,
    /// Configuration values that override those of the business.
    pub config: Vec<(String, String)>,
    /// Where the host stores its rows.
    pub storage: Storage,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            runners: host_replay::native::runners(),
            business: solobase(),
            config: Vec::new(),
            storage: Storage::Memory,
        }
    }
}

/// A host with the catalog of a business. A failing store kills it; [`World::reopen`] restarts it.
pub struct World {
    setup: Setup,
    outbox: Option<Outbox>,
    faults: Faults,
    kept: StoreFiles,
    scripted: Scripted,
    clock: Timestamp,
    /// Reports of all events, in order.
    pub reports: Vec<Report>,
}

impl World {
    /// Starts a host at [`START_MS`], with its catalog loaded and synced.
    pub fn start(setup: Setup) -> World {
        World::start_with(setup, Scripted::new())
    }

    /// Starts a host at [`START_MS`] without a catalog.
    pub fn without_catalog(setup: Setup) -> World {
        World::empty(setup, Scripted::new())
    }

    fn empty(setup: Setup, scripted: Scripted) -> World {
        let (kept, store) = StoreFiles::open(setup.storage);
        let faults = Faults::new(store);
        let store = faults.open();
        let mut world = World { setup, outbox: None, faults, kept, scripted, clock: START_MS, reports: Vec::new() };
        world.boot(store);
        world
    }

    /// Starts a host at [`START_MS`] with the catalog and a provider with scripted answers.
    pub fn start_with(setup: Setup, scripted: Scripted) -> World {
        let mut world = World::empty(setup, scripted);
        world.accept(catalog_load(world.setup.business)).expect("the store has no fault yet");
        world.settle().expect("the store has no fault yet");
        world.reports.clear();
        world
    }

    fn boot(&mut self, store: Box<dyn Store>) {
        let runner = self.setup.runners.make().expect("a runner");
        let mut config = self.setup.business.config.clone();
        config.extend(self.setup.config.iter().cloned());
        let manifest = host_scenario::manifest::of(runner.declarations()).expect("the project's own manifest");
        let declared = self.setup.business.for_engine(false, &[], &manifest.unwrap_or_default());
        let business = Business { config, catalog_hash: "catalog".to_owned(), ..declared };
        let processor = Processor::new(store, runner, business).expect("the configuration is the declared one");
        self.outbox = Some(Outbox::new(processor, Registry::with_default(Arc::new(self.scripted.clone()))));
    }

    /// Restarts after a kill. Uncommitted changes are lost; interrupted effects run again with [`World::settle`]. With
    /// SQLite, the host opens the files that the kill left.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        self.clock = self.clock.max(self.outbox().clock());
        self.outbox = None;
        let store = match self.kept.after_kill() {
            Some(store) => self.faults.open_in_place(store),
            None => self.faults.open(),
        };
        self.boot(store);
        let now = self.clock;
        let recovered = self.outbox_mut().recover(now);
        self.keep(recovered.map(|()| Vec::new()))
    }

    /// Returns a second host with another extension on a copy of the rows. Its provider knows no resources.
    ///
    /// # Panics
    ///
    /// Panics if the rows are not in memory.
    pub fn fork(&self, runners: Runners) -> World {
        let setup = Setup { runners, ..self.setup.clone() };
        let store = host_store::fork(self.store()).expect("a store in memory");
        let faults = Faults::new(Box::new(store));
        let (kept, _) = StoreFiles::open(Storage::Memory);
        let store = faults.open();
        let (scripted, clock) = (Scripted::new(), self.clock);
        let mut world = World { setup, outbox: None, faults, kept, scripted, clock, reports: Vec::new() };
        world.boot(store);
        world
    }

    /// Accepts an event. Its effects wait for [`World::settle`].
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn accept(&mut self, mut event: Event) -> Result<Vec<Report>, StoreError> {
        event.received_at = self.clock;
        let reports = self.outbox_mut().accept(event, Vec::new());
        let first = self.reports.len();
        self.keep(reports)?;
        Ok(self.reports[first..].to_vec())
    }

    /// Accepts a raw event or command.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn deliver(&mut self, bytes: &[u8]) -> Result<Vec<Report>, StoreError> {
        let Decoded { event, refusal, .. } =
            host_intake::raw::read(bytes.to_vec(), &self.setup.business.name, self.clock).expect("a readable event");
        assert_eq!(refusal, None, "a well-formed event");
        self.accept(event)
    }

    /// Delivers an event or a command, and returns its outcome, or the reason if it is rejected.
    ///
    /// # Panics
    ///
    /// Panics if the store fails.
    pub fn outcome_of(&mut self, event: &Value) -> String {
        let reports = self.deliver(event.to_string().as_bytes()).expect("the store has no fault");
        let result = &reports.first().expect("a report").result;
        if result.name() == "rejected" { result.reason().unwrap_or_default() } else { result.name().to_owned() }
    }

    /// Like [`World::outcome_of`], but also carries out all due effects.
    ///
    /// # Panics
    ///
    /// Panics if the store fails.
    pub fn carry_out(&mut self, event: &Value) -> String {
        let outcome = self.outcome_of(event);
        self.settle().expect("the store has no fault");
        outcome
    }

    /// Runs all due effects.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn settle(&mut self) -> Result<(), StoreError> {
        let now = self.clock;
        let ran = self.outbox_mut().run_until_quiet(now);
        self.keep(ran)
    }

    /// Advances the clock, and runs the effects and timers that become due. Does nothing if `until` has passed.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn advance_to(&mut self, until: Timestamp) -> Result<(), StoreError> {
        if until > self.clock {
            let ran = self.outbox_mut().advance_to(until);
            self.keep(ran)?;
            self.clock = until;
        }
        Ok(())
    }

    fn keep(&mut self, ran: Result<Vec<Report>, OutboxError>) -> Result<(), StoreError> {
        match ran {
            Ok(reports) => {
                self.reports.extend(reports);
                Ok(())
            }
            Err(OutboxError::Store(error)) => Err(error),
            Err(other) => panic!("the outbox stopped: {other}"),
        }
    }

    /// Repeats `body` until it succeeds: after a crash, restarts the host and tries again, as a provider or a caller
    /// would. Returns the number of crashes.
    pub fn insist(&mut self, mut body: impl FnMut(&mut World) -> Result<(), StoreError>) -> usize {
        let mut crashes = 0;
        while body(self).is_err() {
            crashes += 1;
            while self.reopen().is_err() {
                crashes += 1;
                assert!(crashes < 100, "the host can't be started again");
            }
        }
        crashes
    }

    /// The faults of the store.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The scripted provider.
    pub fn scripted(&self) -> &Scripted {
        &self.scripted
    }

    /// The clock in milliseconds since the epoch.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// The processor.
    pub fn processor(&self) -> &Processor {
        self.outbox().processor()
    }

    /// The processor, for queries.
    pub fn processor_mut(&mut self) -> &mut Processor {
        self.outbox_mut().processor_mut()
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        self.processor().store()
    }

    /// The hash of the state.
    pub fn state(&self) -> String {
        host_store::state_hash(&[self.store()], self.processor().declared().not_state()).expect("a readable state")
    }

    /// The state as a JSON document.
    pub fn document(&self) -> Value {
        host_store::state_document(&[self.store()], self.processor().declared().not_state()).expect("a readable state")
    }

    /// The entitlements of an account at the current time.
    pub fn entitlements(&mut self, account: &Account) -> Vec<Entitlement> {
        let question = Question { account: account.clone(), actor: Actor::system(), at: self.clock };
        self.processor_mut().ask_entitlements(&question).expect("entitlements")
    }

    fn outbox(&self) -> &Outbox {
        self.outbox.as_ref().expect("a running host")
    }

    fn outbox_mut(&mut self) -> &mut Outbox {
        self.outbox.as_mut().expect("a running host")
    }
}

/// A command of an actor, `(kind, id)`, in an account, as a raw event.
pub fn command(id: &str, kind: &str, by: (&str, &str), account: &str, payload: Value) -> Value {
    let actor = json!({"kind": by.0, "id": by.1});
    json!({"id": id, "command": kind, "account": account, "actor": actor, "payload": payload})
}

/// The command that loads the catalog.
pub fn catalog_load(business: &BusinessFolder) -> Event {
    Event {
        id: "catalog:1".to_owned(),
        source: "api".to_owned(),
        kind: "catalog.load".to_owned(),
        business: business.name.clone(),
        account: Some(Account::Platform),
        livemode: Some(false),
        received_at: START_MS,
        attempt: 1,
        actor: Actor { kind: ActorKind::Admin, subject: "admin".to_owned(), roles: Vec::new() },
        reply_to: None,
        payment: None,
        payload: Payload::Command(business.catalog.to_string()),
    }
}
