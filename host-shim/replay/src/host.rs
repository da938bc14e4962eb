//! One host under replay: a store, an outbox with the scripted provider, and one business in one mode.

use crate::business::BusinessFolder;
use crate::error::{BadInput, Place, ReplayError};
use crate::runners::Runners;
use crate::scenario::Answers;
use crate::tree::Node;
use host::processor::{Business, Processor, Report};
use host_intake::Decoded;
use host_outbox::{Outbox, OutboxError};
use host_providers::Registry;
use host_providers::scripted::Scripted;
use host_store::{Changes, ClaimRow, MemoryStore, SqliteStore, Store};
use products_contract::{Account, Actor, ActorKind, Event, Outcome, Payload, Refusal, Timestamp};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the rows are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In memory.
    Memory,
    /// In a SQLite file.
    Sqlite(PathBuf),
}

/// What a host starts with.
#[derive(Clone, Debug)]
pub struct HostSetup {
    /// The business.
    pub business: BusinessFolder,
    /// Mode.
    pub livemode: bool,
    /// Configuration over that of the business.
    pub config: Vec<(String, String)>,
    /// The extension.
    pub runners: Runners,
    /// The store.
    pub store: StoreKind,
    /// The clock at the start, milliseconds since the epoch.
    pub clock: Timestamp,
}

/// A host that runs.
pub struct Host {
    setup: HostSetup,
    outbox: Option<Outbox>,
    scripted: Scripted,
    asked: Vec<(Account, String)>,
    asked_known: BTreeSet<(Account, String)>,
    fire_timers: bool,
    clock: Timestamp,
}

/// What one delivery led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    /// The event's own run.
    pub first: Report,
    /// What ran because of it: events that it woke, results, timers, messages.
    pub following: Vec<Report>,
}

/// Sources of events that come from outside; the others are made by the host.
const OUTSIDE: [&str; 3] = ["stripe", "api", "products"];

/// True if the event came from outside, false for results, timers and messages.
pub fn is_input(report: &Report) -> bool {
    OUTSIDE.contains(&report.source.as_str())
}

impl Host {
    /// Starts a host, loads the catalog, and goes on with what was running when the store was left.
    pub fn start(setup: HostSetup) -> Result<Host, ReplayError> {
        let store = open(&setup.store)?;
        Host::start_with(setup, store)
    }

    /// [`Host::start`] on a store of the caller's.
    pub fn start_with(setup: HostSetup, store: Box<dyn Store>) -> Result<Host, ReplayError> {
        let scripted = Scripted::new();
        let clock = setup.clock;
        let mut host = Host {
            outbox: None,
            scripted,
            asked: Vec::new(),
            asked_known: BTreeSet::new(),
            fire_timers: true,
            clock,
            setup,
        };
        host.boot(store)?;
        // What the store was left with is decided under the catalog of this start.
        host.load_catalog()?;
        host.outbox_mut().recover(clock).map_err(stopped)?;
        host.settle()?;
        Ok(host)
    }

    fn boot(&mut self, store: Box<dyn Store>) -> Result<(), ReplayError> {
        let runner = self.setup.runners.make()?;
        let mut config = self.setup.business.config.clone();
        config.extend(self.setup.config.iter().cloned());
        let business = Business {
            name: self.setup.business.name.clone(),
            livemode: self.setup.livemode,
            config,
            catalog_hash: self.setup.business.hash(&self.setup.config),
        };
        let processor = Processor::new(store, runner, business)
            .map_err(|error| ReplayError::Usage(format!("configuration of {}: {error}", self.setup.business.name)))?;
        let mut outbox = Outbox::new(processor, Registry::with_default(Arc::new(self.scripted.clone())));
        outbox.set_fire_timers(self.fire_timers);
        self.outbox = Some(outbox);
        Ok(())
    }

    /// Like a kill and a new start: what is not in the store is forgotten; what was running is recovered.
    pub fn restart(&mut self) -> Result<Vec<Report>, ReplayError> {
        let store = self.stop();
        let store = match &self.setup.store {
            StoreKind::Memory => store,
            kind @ StoreKind::Sqlite(_) => {
                drop(store);
                open(kind)?
            }
        };
        self.boot(store)?;
        let now = self.clock;
        self.outbox_mut().recover(now).map_err(stopped)?;
        self.settle()
    }

    /// Ends the host; the store is what is left.
    pub fn stop(&mut self) -> Box<dyn Store> {
        let outbox = self.outbox.take().expect("a host that runs has an outbox");
        let (processor, _) = outbox.into_parts();
        processor.into_parts().0
    }

    fn load_catalog(&mut self) -> Result<(), ReplayError> {
        let hash = self.setup.business.hash(&self.setup.config);
        let event = Event {
            id: format!("catalog:{}:{}", self.setup.business.name, &hash[..12]),
            source: "api".to_owned(),
            kind: "catalog.load".to_owned(),
            business: self.setup.business.name.clone(),
            account: Some(Account::Platform),
            livemode: Some(self.setup.livemode),
            received_at: self.clock,
            attempt: 1,
            actor: Actor { kind: ActorKind::Admin, subject: "catalog".to_owned(), roles: Vec::new() },
            reply_to: None,
            provider: None,
            payload: Payload::Command(self.setup.business.catalog.to_string()),
        };
        let delivered = self.accept(Decoded { event, refusal: None, time: None }, self.clock)?;
        match delivered.first.result.outcome() {
            Some(Outcome::Applied | Outcome::Duplicate(_) | Outcome::Ignored(_)) => Ok(()),
            // It failed, which says nothing of the catalog.
            None => {
                let (name, reason) = (&self.setup.business.name, delivered.first.result.reason().unwrap_or_default());
                Err(ReplayError::Host(format!(
                    "the extension failed when it was given the catalog of {name}: {reason}"
                )))
            }
            outcome => Err(refused_catalog(&self.setup.business, &delivered.first, outcome).into()),
        }
    }

    /// Claims that are held from the start, by short key.
    pub fn hold_claims(&mut self, claims: &[(String, Account)]) -> Result<(), ReplayError> {
        for (key, account) in claims {
            let scope = self.outbox().processor().scope(account.clone());
            let full_key = format!("{}//{key}", scope.claim_space());
            let row = ClaimRow { holder: Some(account.clone()), until: None, blocked_until: None };
            let mut changes = Changes { scope: Some(scope), event_id: "given".to_owned(), ..Changes::default() };
            changes.claims.insert(full_key, Some(row));
            self.outbox_mut().processor_mut().store_mut().apply(&changes)?;
        }
        Ok(())
    }

    /// Takes an event in and runs everything that is due by then.
    pub fn deliver(&mut self, decoded: Decoded, now: Timestamp) -> Result<Delivered, ReplayError> {
        let mut delivered = self.accept(decoded, now)?;
        delivered.following.extend(self.settle()?);
        Ok(delivered)
    }

    /// Takes an event in; its effects wait for [`Host::settle`].
    pub fn accept(&mut self, decoded: Decoded, now: Timestamp) -> Result<Delivered, ReplayError> {
        self.clock = self.clock.max(now);
        let Decoded { mut event, refusal, .. } = decoded;
        event.received_at = self.clock;
        let outbox = self.outbox.as_mut().expect("a host that runs has an outbox");
        let mut reports = match refusal {
            Some(refusal) => outbox.processor_mut().accept_refused(event, Vec::new(), refusal)?,
            None => outbox.accept(event, Vec::new()).map_err(stopped)?,
        };
        self.note(&reports);
        if reports.is_empty() {
            return Err(ReplayError::Host("an event that came in was not reported".to_owned()));
        }
        let first = reports.remove(0);
        Ok(Delivered { first, following: reports })
    }

    /// Begins a group: what is accepted from here on is durable with [`Host::commit_group`].
    pub fn begin_group(&mut self) -> Result<(), ReplayError> {
        Ok(self.outbox_mut().processor_mut().begin_group()?)
    }

    /// Makes the group durable.
    pub fn commit_group(&mut self) -> Result<(), ReplayError> {
        Ok(self.outbox_mut().processor_mut().commit_group()?)
    }

    /// Runs everything that is due at the clock's time.
    pub fn settle(&mut self) -> Result<Vec<Report>, ReplayError> {
        let now = self.clock;
        let reports = self.outbox_mut().run_until_quiet(now).map_err(stopped)?;
        self.note(&reports);
        Ok(reports)
    }

    /// An operator runs an event again.
    pub fn redrive(&mut self, seq: u64) -> Result<Vec<Report>, ReplayError> {
        let now = self.clock;
        let mut reports = self.outbox_mut().processor_mut().redrive(seq, now)?;
        self.note(&reports);
        reports.extend(self.settle()?);
        Ok(reports)
    }

    /// Lets time pass.
    pub fn advance_to(&mut self, until: Timestamp) -> Result<Vec<Report>, ReplayError> {
        let from = self.clock;
        let outbox = self.outbox_mut();
        let mut reports = outbox.run_until_quiet(from).map_err(stopped)?;
        reports.extend(outbox.advance_to(until).map_err(stopped)?);
        self.clock = self.clock.max(until);
        self.note(&reports);
        Ok(reports)
    }

    fn note(&mut self, reports: &[Report]) {
        for report in reports {
            let Some(account) = report.account.as_ref().filter(|_| !report.effects.is_empty()) else { continue };
            for effect in &report.effects {
                let asked = (account.clone(), effect.key.clone());
                if self.asked_known.insert(asked.clone()) {
                    self.asked.push(asked);
                }
            }
        }
    }

    /// Whether timers fire; they do by default.
    pub fn set_fire_timers(&mut self, fire: bool) {
        self.fire_timers = fire;
        self.outbox_mut().set_fire_timers(fire);
    }

    /// Scripts the provider's answers.
    pub fn script(&mut self, answers: &[Answers]) {
        for Answers { pattern, list, .. } in answers {
            self.scripted.script(pattern.clone(), list.clone());
        }
    }

    /// The provider.
    pub fn scripted(&self) -> &Scripted {
        &self.scripted
    }

    /// The clock, milliseconds since the epoch.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// What the host started with.
    pub fn setup(&self) -> &HostSetup {
        &self.setup
    }

    /// Keys of the effects that were asked for, by account, in order of the first request.
    pub fn asked(&self) -> &[(Account, String)] {
        &self.asked
    }

    /// Leaves out what was asked for until now, for example by the catalog.
    pub fn forget_asked(&mut self) {
        self.asked.clear();
        self.asked_known.clear();
    }

    /// The processor.
    pub fn processor(&self) -> &Processor {
        self.outbox().processor()
    }

    /// The processor, for questions.
    pub fn processor_mut(&mut self) -> &mut Processor {
        self.outbox_mut().processor_mut()
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        self.processor().store()
    }

    /// The hash of the state.
    pub fn state(&self) -> Result<String, ReplayError> {
        Ok(host_store::state_hash(&[self.store()])?)
    }

    fn outbox(&self) -> &Outbox {
        self.outbox.as_ref().expect("a host that runs has an outbox")
    }

    fn outbox_mut(&mut self) -> &mut Outbox {
        self.outbox.as_mut().expect("a host that runs has an outbox")
    }
}

/// What the extension has against a catalog, with the line it means.
fn refused_catalog(business: &BusinessFolder, report: &Report, outcome: Option<&Outcome>) -> BadInput {
    let file = business.folder.join(crate::business::CATALOG_FILE);
    let (mut line, mut reason) = (0, report.result.reason().unwrap_or_default());
    if let Some(Outcome::Rejected(Refusal::Invalid(errors))) = outcome {
        let told: Vec<String> =
            errors.iter().map(|e| format!("{} {}", e.path, without_json_place(&e.message))).collect();
        reason = told.iter().map(|text| text.trim()).collect::<Vec<_>>().join("; ");
        if let Some(first) = errors.first() {
            line = catalog_line(&business.catalog_lines, &first.path, &first.message);
        }
    }
    let problem = format!("the extension says {}: {reason}", report.result.name());
    BadInput::new(Place::line(&file, line), problem, "a catalog that it takes")
}

/// The line of a pointer; where the message quotes a single key or value below it, the line of that.
fn catalog_line(catalog: &Node, pointer: &str, message: &str) -> usize {
    let node = catalog.at(pointer);
    // Only the first quotation is the catalog's, the others are what was expected.
    let quoted = ['`', '"'].iter().filter_map(|mark| {
        let from = message.find(*mark)? + 1;
        let length = message[from..].find(*mark)?;
        Some((from, &message[from..from + length]))
    });
    let found = quoted.min().map(|(_, text)| node.lines_of(text)).unwrap_or_default();
    match found.as_slice() {
        [only] => *only,
        _ => node.line,
    }
}

/// A message of the extension's JSON reader, without its place in a text that nobody has seen.
fn without_json_place(message: &str) -> &str {
    let Some((text, place)) = message.rsplit_once(" at line ") else { return message };
    match place.split_once(" column ") {
        Some((line, column)) if line.parse::<u64>().is_ok() && column.parse::<u64>().is_ok() => text,
        _ => message,
    }
}

/// Opens a store.
pub fn open(kind: &StoreKind) -> Result<Box<dyn Store>, ReplayError> {
    match kind {
        StoreKind::Memory => Ok(Box::new(MemoryStore::new())),
        StoreKind::Sqlite(file) => open_sqlite(file),
    }
}

fn open_sqlite(file: &Path) -> Result<Box<dyn Store>, ReplayError> {
    let store = SqliteStore::open(file).map_err(|error| ReplayError::Usage(format!("{}: {error}", file.display())))?;
    Ok(Box::new(store))
}

fn stopped(error: OutboxError) -> ReplayError {
    match error {
        OutboxError::Store(error) => ReplayError::Store(error),
        other => ReplayError::Host(other.to_string()),
    }
}
