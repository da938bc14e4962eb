//! A host in a replay, with a store, the scripted provider, and a clock that the replay sets.

use crate::claim::held_claim;
use crate::live::LiveProviders;
use crate::recorded::recorded;
use crate::runners::Runners;
use extension_contract::{Account, EffectFailureClass, Payload, Timestamp};
use host_engine::clock::Clock;
use host_engine::outbox::Outbox;
use host_engine::processor::{Processor, Report};
use host_intake::Decoded;
use host_provider_api::Registry;
use host_provider_api::scripted::{Memory, Resource, Scripted};
use host_scenario::business::BusinessFolder;
use host_scenario::error::ReplayError;
use host_scenario::model::{Answers, Holding, Kill};
use host_store::fault::{Faults, Moment, Then};
use host_store::{MemoryStore, Partition, Read, SqliteStore, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Rows per query.
const PAGE: usize = 256;

/// The kind of a host's store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// The store is in memory.
    Memory,
    /// The store is this SQLite file.
    Sqlite(PathBuf),
}

/// The configuration of a host.
#[derive(Clone, Debug)]
pub struct RigSetup {
    /// The business.
    pub business: BusinessFolder,
    /// True if the host runs in live mode.
    pub livemode: bool,
    /// Configuration values. They override the values of the business.
    pub config: Vec<(String, String)>,
    /// The extension.
    pub runners: Runners,
    /// The store.
    pub store: StoreKind,
    /// The clock at the start, in milliseconds since the epoch.
    pub clock: Timestamp,
    /// Providers that replace the scripted one for the effects that they handle.
    pub live: Option<LiveProviders>,
}

/// A running host.
pub struct Rig {
    setup: RigSetup,
    /// The configuration with which the host starts; none before the extension has declared its name.
    starts_with: Option<host_business::Setup>,
    /// The host; none while it is stopped, such as during a restart.
    running: Option<host_engine::Host>,
    scripted: Scripted,
    requested: Arc<RequestedEffects>,
    waiting: Arc<WaitingCallers>,
    fire_timers: bool,
    /// The clock at the last stop in [`Rig::restart_over`].
    stopped_at: Clock,
    /// The accounts that receive messages; none means all accounts.
    accounts: Option<BTreeSet<Account>>,
}

/// A requested effect, as account and key.
type RequestedEffect = Arc<(Account, String)>;

/// The requested effects, in order of the first request.
#[derive(Clone, Debug, Default)]
struct RequestedEffects {
    in_order: Vec<RequestedEffect>,
    known: BTreeSet<RequestedEffect>,
    /// Number of the last effect in the store that does not count as requested.
    after: u64,
}

impl RequestedEffects {
    fn note(requested: &mut Arc<RequestedEffects>, account: &Account, key: &str) {
        let effect = Arc::new((account.clone(), key.to_owned()));
        if !requested.known.contains(&effect) {
            let all = Arc::make_mut(requested);
            all.known.insert(effect.clone());
            all.in_order.push(effect);
        }
    }
}

/// The inbox numbers of the events whose callers wait for a reply, by caller.
type WaitingCallers = BTreeMap<String, u64>;

/// A saved state of a host and its scripted provider, to which the host can return.
pub struct Point {
    running: host_engine::Saved,
    provider: Memory,
    requested: Arc<RequestedEffects>,
    waiting: Arc<WaitingCallers>,
    fire_timers: bool,
}

impl Point {
    /// Returns the store at this point.
    pub fn store(&self) -> &MemoryStore {
        self.running.store()
    }

    /// Returns the number of calls of the provider up to this point.
    pub fn calls(&self) -> usize {
        self.provider.calls()
    }
}

/// The result of one delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    /// The event's own run.
    pub first: Report,
    /// The runs that followed from this run: woken events, results, timers, messages.
    pub following: Vec<Report>,
}

/// Returns true if the event came from outside, false for results, timers and messages.
pub fn is_input(report: &Report) -> bool {
    host_engine::view::is_outside(&report.source)
}

impl Rig {
    /// Starts a host on the store of its configuration, loads the catalog, and recovers the effects that were running when the store was
    /// closed.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be opened or the host can't start.
    pub fn start(setup: RigSetup) -> Result<Rig, ReplayError> {
        let store = open(&setup.store)?;
        Rig::start_with(setup, store)
    }

    /// Starts a host as [`Rig::start`] does, but on the caller's store. The clock starts no earlier than the latest
    /// time in the store.
    ///
    /// # Errors
    ///
    /// Fails if the host can't start.
    pub fn start_with(setup: RigSetup, store: Box<dyn Store>) -> Result<Rig, ReplayError> {
        let mut clock = Clock::manual(setup.clock);
        if let Some(left_at) = left_at(&*store, &setup)? {
            clock.advance_to(left_at);
        }
        let mut host = Rig {
            running: None,
            scripted: Scripted::new(),
            requested: Arc::default(),
            waiting: Arc::default(),
            fire_timers: true,
            stopped_at: clock.clone(),
            accounts: None,
            starts_with: None,
            setup,
        };
        host.boot(store, clock)?;
        host.settle()?;
        Ok(host)
    }

    fn boot(&mut self, store: Box<dyn Store>, clock: Clock) -> Result<(), ReplayError> {
        let RigSetup { business, livemode, config, runners, .. } = &self.setup;
        let runner = runners.make()?;
        let setup = match &self.starts_with {
            Some(setup) => setup,
            None => {
                let manifest = runners.manifest(runner.declarations())?;
                self.starts_with.insert(host_business::Setup::new(business.clone(), *livemode, config, manifest))
            }
        };
        let scripted = self.scripted.clone();
        let registry = match &self.setup.live {
            Some(live) => live.over(scripted),
            None => Registry::with_default(Arc::new(scripted)),
        };
        let (mut running, reports) = setup.start(store, runner, registry, clock)?;
        running.outbox_mut().set_fire_timers(self.fire_timers);
        running.outbox_mut().set_receivers(self.accounts.clone());
        self.running = Some(running);
        self.note(&reports);
        Ok(())
    }

    /// Restarts the host as after a kill: keeps only the store, and recovers the running effects. Returns the reports
    /// of all runs that become due.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be opened or the host can't start.
    pub fn restart(&mut self) -> Result<Vec<Report>, ReplayError> {
        let (store, clock) = self.end();
        let store = match &self.setup.store {
            StoreKind::Memory => store,
            kind @ StoreKind::Sqlite(_) => {
                drop(store);
                open(kind)?
            }
        };
        self.boot(store, clock)?;
        self.settle()
    }

    /// Saves the current state.
    ///
    /// # Errors
    ///
    /// Fails if the store is on disk, because such a store can't be forked.
    pub fn save(&self) -> Result<Point, ReplayError> {
        let running = self.running().save();
        Ok(Point {
            running: running
                .ok_or_else(|| ReplayError::Usage("a store on disk can't be saved to return to".to_owned()))?,
            provider: self.scripted.memory(),
            requested: self.requested.clone(),
            waiting: self.waiting.clone(),
            fire_timers: self.fire_timers,
        })
    }

    /// Returns to a saved state of this host, or of another host with the same configuration.
    ///
    /// # Errors
    ///
    /// Fails if the state can't be restored.
    pub fn go_to(&mut self, point: &Point) -> Result<(), ReplayError> {
        self.running_mut().go_to(&point.running)?;
        self.scripted.go_to(&point.provider);
        self.requested = point.requested.clone();
        self.waiting = point.waiting.clone();
        self.fire_timers = point.fire_timers;
        Ok(())
    }

    /// Runs `play`, kills the host at a write, restarts it on its store and runs `play` again, just as a caller repeats a request that got
    /// no reply. Returns the reports of the restart, and the replies to callers that have been waiting since before the kill. If `play`
    /// makes fewer writes, the host is not killed.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be forked, the host can't restart, or `play` fails without a kill.
    pub fn killed(
        &mut self,
        kill: Kill,
        mut play: impl FnMut(&mut Rig) -> Result<(), ReplayError>,
    ) -> Result<Vec<Report>, ReplayError> {
        let faults = self.with_faults()?;
        faults.fail_at(kill.write, kill.moment, Then::Dead);
        let played = play(self);
        if !faults.struck() {
            faults.clear();
            return played.map(|()| Vec::new());
        }
        let mut reports = Vec::new();
        let restarted = kill.again.and_then(|write| {
            faults.fail_at(write, Moment::Before, Then::Dead);
            self.restart_over(faults.open()).ok()
        });
        match restarted {
            Some(found) => reports.extend(found),
            None => {
                faults.clear();
                reports.extend(self.restart_over(faults.open())?);
            }
        }
        faults.clear();
        play(self)?;
        reports.extend(self.repeated_replies()?);
        Ok(reports)
    }

    /// Returns the reports for callers that have been waiting since before a kill and now have a reply.
    fn repeated_replies(&mut self) -> Result<Vec<Report>, ReplayError> {
        let mut reports = Vec::new();
        for seq in self.waiting.values() {
            reports.extend(self.processor().told_again(*seq)?.filter(|report| report.reply.is_some()));
        }
        self.note(&reports);
        Ok(reports)
    }

    /// Replaces the store with a copy that can be made to fail, and returns the control of its faults.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be forked.
    pub fn with_faults(&mut self) -> Result<Faults, ReplayError> {
        let forked = host_store::fork(self.store());
        let store = forked.ok_or_else(|| ReplayError::Usage("a store on disk can't be made to fail".to_owned()))?;
        let faults = Faults::new(Box::new(store));
        self.processor_mut().set_store(faults.open());
        Ok(faults)
    }

    /// Restarts the host as [`Rig::restart`] does, but on the given store. After an error, the caller may call only
    /// this function.
    ///
    /// # Errors
    ///
    /// Fails if the host can't start.
    pub fn restart_over(&mut self, store: Box<dyn Store>) -> Result<Vec<Report>, ReplayError> {
        if self.running.is_some() {
            self.stopped_at = self.end().1;
        }
        self.boot(store, self.stopped_at.clone())?;
        self.note_stored()?;
        self.settle()
    }

    /// Returns the resources that must exist according to the successful effect results in the inbox.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be read.
    pub fn recorded_inventory(&self) -> Result<Vec<Resource>, ReplayError> {
        recorded(self.store(), Some(self.processor().partition()))
    }

    /// Returns the successful effects, by scope and key.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be read.
    pub fn succeeded(&self) -> Result<BTreeSet<(String, String)>, ReplayError> {
        let mut found = BTreeSet::new();
        self.outbox().each_done(&mut |call, _| {
            found.insert((call.scope.clone(), call.key.clone()));
        })?;
        Ok(found)
    }

    /// Returns the effects that leave the existence of their resource unknown, by scope and key: they timed out without an answer, or the
    /// destruction was refused and an operator must clean up.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be read.
    pub fn silent(&self) -> Result<BTreeSet<(String, String)>, ReplayError> {
        let mut found = BTreeSet::new();
        let mut after = 0;
        loop {
            let page = self.processor().inbox_after(after, PAGE)?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.seq;
            for row in page {
                let (Payload::EffectResult(report), Some(account)) = (&row.event.payload, row.event.account) else {
                    continue;
                };
                let effect = (self.processor().scope(account).name(), report.key.clone());
                let is_destruction = report.key.ends_with("/destroy");
                match &report.answer {
                    Err(failure) if failure.class == EffectFailureClass::TimedOut || is_destruction => {
                        found.insert(effect);
                    }
                    // A later refusal does not show what an earlier attempt has created.
                    Err(_) => {}
                    Ok(_) => {
                        found.remove(&effect);
                    }
                }
            }
        }
    }

    /// Stops the host and returns its store.
    pub fn stop(&mut self) -> Box<dyn Store> {
        self.end().0
    }

    fn end(&mut self) -> (Box<dyn Store>, Clock) {
        self.running.take().expect("a started host runs").stop()
    }

    /// Sets the holders of claims, by short key.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be written.
    pub fn hold_claims(&mut self, claims: &[(String, Account)]) -> Result<(), ReplayError> {
        claims.iter().try_for_each(|(key, account)| self.hold_claim(key, &Holding::By(account.clone())))
    }

    /// Sets the state of a claim as another host would. `key` is the short key of the claim. A claim of a connected
    /// account has a prefix: `acct_1/stripe-customer:cus_1`.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be written.
    pub fn hold_claim(&mut self, key: &str, holding: &Holding) -> Result<(), ReplayError> {
        let changes = held_claim(self.processor().partition(), key, holding);
        self.processor_mut().store_mut().apply(&changes)?;
        Ok(())
    }

    /// Sets the accounts that receive messages; an empty list means all accounts.
    pub fn set_accounts(&mut self, accounts: &[Account]) {
        self.accounts = (!accounts.is_empty()).then(|| accounts.iter().cloned().collect());
        let receivers = self.accounts.clone();
        self.outbox_mut().set_receivers(receivers);
    }

    /// Accepts an event and runs everything that is due.
    ///
    /// # Errors
    ///
    /// Fails if the host fails.
    pub fn deliver(&mut self, decoded: Decoded, now: Timestamp) -> Result<Delivered, ReplayError> {
        let mut delivered = self.accept(decoded, now)?;
        delivered.following.extend(self.settle()?);
        Ok(delivered)
    }

    /// Accepts an event; its effects wait for [`Rig::settle`].
    ///
    /// # Errors
    ///
    /// Fails if the host fails.
    pub fn accept(&mut self, decoded: Decoded, now: Timestamp) -> Result<Delivered, ReplayError> {
        let running = self.running_mut();
        running.clock_mut().advance_to(now);
        let mut reports = running.accept(decoded, Vec::new())?;
        self.note(&reports);
        if reports.is_empty() {
            return Err(ReplayError::Host("an accepted event was not reported".to_owned()));
        }
        let first = reports.remove(0);
        Ok(Delivered { first, following: reports })
    }

    /// Begins a group: the events accepted after this call become durable with [`Rig::commit_group`].
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn begin_group(&mut self) -> Result<(), ReplayError> {
        Ok(self.outbox_mut().processor_mut().begin_group()?)
    }

    /// Makes the group durable.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn commit_group(&mut self) -> Result<(), ReplayError> {
        Ok(self.outbox_mut().processor_mut().commit_group()?)
    }

    /// Runs everything that is due at the clock's time.
    ///
    /// # Errors
    ///
    /// Fails if the host fails.
    pub fn settle(&mut self) -> Result<Vec<Report>, ReplayError> {
        let now = self.clock();
        let mut reports = self.outbox_mut().run_until_quiet(now)?;
        reports.extend(self.wait_for_live_providers()?);
        self.note(&reports);
        Ok(reports)
    }

    /// Waits for the calls that live providers are still working on or that are being retried, at most as long as the patience allows.
    fn wait_for_live_providers(&mut self) -> Result<Vec<Report>, ReplayError> {
        let mut reports = Vec::new();
        let Some(patience) = self.setup.live.as_ref().map(LiveProviders::patience) else { return Ok(reports) };
        let began = Instant::now();
        while let Some(at) = self.outbox().next_call()? {
            let wait = u64::try_from(at.saturating_sub(self.clock())).map_or(Duration::ZERO, Duration::from_millis);
            if began.elapsed() + wait > patience {
                break;
            }
            thread::sleep(wait);
            reports.extend(self.outbox_mut().advance_to(at)?);
            self.running_mut().clock_mut().advance_to(at);
        }
        Ok(reports)
    }

    /// Redrives an event as an operator would.
    ///
    /// # Errors
    ///
    /// Fails if the host fails.
    pub fn redrive(&mut self, seq: u64) -> Result<Vec<Report>, ReplayError> {
        let now = self.clock();
        let mut reports = self.outbox_mut().processor_mut().redrive(seq, now)?;
        self.note(&reports);
        reports.extend(self.settle()?);
        Ok(reports)
    }

    /// Advances the clock and runs everything that becomes due.
    ///
    /// # Errors
    ///
    /// Fails if the host fails.
    pub fn advance_to(&mut self, until: Timestamp) -> Result<Vec<Report>, ReplayError> {
        let from = self.clock();
        let mut reports = self.outbox_mut().run_until_quiet(from)?;
        reports.extend(self.wait_for_live_providers()?);
        if self.setup.live.is_some() {
            // Stop at each time at which something is due, so that live providers can finish their work.
            while let Some(next) = self.outbox().next_time()?.filter(|next| *next < until) {
                self.time_at_stripe(next);
                reports.extend(self.outbox_mut().advance_to(next)?);
                self.running_mut().clock_mut().advance_to(next);
                reports.extend(self.wait_for_live_providers()?);
            }
        }
        let until = until.max(self.clock());
        self.time_at_stripe(until);
        reports.extend(self.outbox_mut().advance_to(until)?);
        self.running_mut().clock_mut().advance_to(until);
        reports.extend(self.wait_for_live_providers()?);
        self.note(&reports);
        Ok(reports)
    }

    /// Advances the clock of a local Stripe to the time at which effects become due. If something is due there at the same time, the
    /// effects come a second before it.
    fn time_at_stripe(&self, at: Timestamp) {
        if let Some(stripe) = self.setup.live.as_ref().and_then(LiveProviders::stripe) {
            let is_free = stripe.next_due(at).is_none();
            stripe.advance_to(if is_free { at } else { at.saturating_sub(1_000) });
        }
    }

    fn note(&mut self, reports: &[Report]) {
        for report in reports {
            if let Some(caller) = &report.reply_to {
                if report.reply.is_some() {
                    if self.waiting.contains_key(caller) {
                        Arc::make_mut(&mut self.waiting).remove(caller);
                    }
                } else if is_input(report) {
                    Arc::make_mut(&mut self.waiting).insert(caller.clone(), report.seq);
                }
            }
            let Some(account) = report.account.as_ref().filter(|_| !report.effects.is_empty()) else { continue };
            report.effects.iter().for_each(|effect| RequestedEffects::note(&mut self.requested, account, &effect.key));
        }
    }

    /// Records the stored effects as requested, because a killed host may not have reported them.
    fn note_stored(&mut self) -> Result<(), ReplayError> {
        let after = self.requested.after;
        let noted = std::mem::take(&mut self.requested);
        let mut stored = Vec::new();
        for scope in self.store().scopes(None)? {
            let rows = self.store().effects_of(&scope, after, usize::MAX)?;
            stored.extend(rows.into_iter().map(|row| (row.seq, scope.account.clone(), row.effect.key)));
        }
        stored.sort_unstable();
        self.requested = Arc::new(RequestedEffects { after, ..RequestedEffects::default() });
        for (_, account, key) in &stored {
            RequestedEffects::note(&mut self.requested, account, key);
        }
        // An effect that was requested again may have a row before `after`, so the rows alone are incomplete.
        noted.in_order.iter().for_each(|effect| RequestedEffects::note(&mut self.requested, &effect.0, &effect.1));
        Ok(())
    }

    /// Sets whether timers fire; the default is true.
    pub fn set_fire_timers(&mut self, fire: bool) {
        self.fire_timers = fire;
        self.outbox_mut().set_fire_timers(fire);
    }

    /// Adds answers to the script of the scripted provider.
    pub fn script(&mut self, answers: &[Answers]) {
        for Answers { pattern, list, .. } in answers {
            self.scripted.script(pattern.clone(), list.clone());
        }
    }

    /// Returns the scripted provider.
    pub fn scripted(&self) -> &Scripted {
        &self.scripted
    }

    /// Returns the live providers, if there are any.
    pub fn live(&self) -> Option<&LiveProviders> {
        self.setup.live.as_ref()
    }

    /// Returns the clock, in milliseconds since the epoch.
    pub fn clock(&self) -> Timestamp {
        self.running().clock().latest()
    }

    /// Returns the configuration of the host.
    pub fn setup(&self) -> &RigSetup {
        &self.setup
    }

    /// Returns the account and the key of each requested effect, in order of the first request.
    pub fn asked(&self) -> impl Iterator<Item = (&Account, &str)> {
        self.requested.in_order.iter().map(|effect| (&effect.0, effect.1.as_str()))
    }

    /// Forgets the effects requested so far, such as the effects that the catalog requested at the start.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be read.
    pub fn forget_asked(&mut self) -> Result<(), ReplayError> {
        let mut after = 0;
        for scope in self.store().scopes(None)? {
            let rows = self.store().effects_of(&scope, 0, usize::MAX)?;
            after = rows.iter().map(|row| row.seq).fold(after, u64::max);
        }
        self.requested = Arc::new(RequestedEffects { after, ..RequestedEffects::default() });
        Ok(())
    }

    /// Returns the processor.
    pub fn processor(&self) -> &Processor {
        self.outbox().processor()
    }

    /// Returns the processor, for queries.
    pub fn processor_mut(&mut self) -> &mut Processor {
        self.outbox_mut().processor_mut()
    }

    /// Returns the store.
    pub fn store(&self) -> &dyn Store {
        self.processor().store()
    }

    /// Returns the hash of the state.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be read.
    pub fn state(&self) -> Result<String, ReplayError> {
        Ok(self.running().state()?)
    }

    fn running(&self) -> &host_engine::Host {
        self.running.as_ref().expect("a started host runs")
    }

    fn running_mut(&mut self) -> &mut host_engine::Host {
        self.running.as_mut().expect("a started host runs")
    }

    fn outbox(&self) -> &Outbox {
        self.running().outbox()
    }

    fn outbox_mut(&mut self) -> &mut Outbox {
        self.running_mut().outbox_mut()
    }
}

/// Returns the latest time in the store: the time of the last event or run, or the due time of a call that has begun.
fn left_at(store: &dyn Read, setup: &RigSetup) -> Result<Option<Timestamp>, ReplayError> {
    let partition = Partition { business: setup.business.name.clone(), livemode: setup.livemode };
    let mut latest = store.effects_running(&partition)?.into_iter().map(|row| row.due_at).max();
    let mut after = 0;
    loop {
        let page = store.inbox_after(Some(&partition), after, PAGE)?;
        let Some(last) = page.last() else { return Ok(latest) };
        after = last.seq;
        for row in &page {
            let ran = store.runs(row.seq)?.into_iter().map(|run| run.at).max();
            latest = latest.max(ran).max(Some(row.event.received_at));
        }
    }
}

/// Opens a store.
///
/// # Errors
///
/// Fails if the file can't be opened.
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
