//! One host under replay: a store, the scripted provider, and a clock that is told the time.

use crate::recorded::recorded;
use crate::runners::Runners;
use crate::world::World;
use extension_contract::{Account, EffectFailureClass, Payload, Timestamp};
use host::clock::Clock;
use host::outbox::Outbox;
use host::processor::{Processor, Report};
use host_intake::Decoded;
use host_provider_api::Registry;
use host_provider_api::scripted::{Memory, Resource, Scripted};
use host_scenario::business::BusinessFolder;
use host_scenario::error::ReplayError;
use host_scenario::manifest;
use host_scenario::model::{Answers, Holding, Kill};
use host_store::fault::{Faults, Moment, Then};
use host_store::{Changes, ClaimRow, MemoryStore, Partition, SqliteStore, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

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
pub struct RigSetup {
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
    /// Providers in place of the scripted one for what they take.
    pub world: Option<World>,
}

/// A host that runs.
pub struct Rig {
    setup: RigSetup,
    /// What each start of it is given, once the extension has said who it is.
    starts_with: Option<host::Setup>,
    /// None only while it is started again.
    running: Option<host::Host>,
    scripted: Scripted,
    asked: Arc<Asked>,
    waiting: Arc<Waiting>,
    fire_timers: bool,
    /// Where the clock stood when the host was last stopped over a store that failed.
    stopped_at: Clock,
    /// Accounts that take messages; none is all of them.
    accounts: Option<BTreeSet<Account>>,
}

/// Effects that were asked for, as account and key.
type AskedEffect = Arc<(Account, String)>;

/// What was asked for, in order of the first request.
#[derive(Clone, Debug, Default)]
struct Asked {
    in_order: Vec<AskedEffect>,
    known: BTreeSet<AskedEffect>,
    /// The last row of the store that is left out.
    after: u64,
}

impl Asked {
    fn note(asked: &mut Arc<Asked>, account: &Account, key: &str) {
        let effect = Arc::new((account.clone(), key.to_owned()));
        if !asked.known.contains(&effect) {
            let all = Arc::make_mut(asked);
            all.known.insert(effect.clone());
            all.in_order.push(effect);
        }
    }
}

/// Inputs whose caller was not answered yet: number in the inbox, by caller.
type Waiting = BTreeMap<String, u64>;

/// A point of a host's run that it can go back to, with what the provider knew by then.
pub struct Point {
    running: host::Saved,
    provider: Memory,
    asked: Arc<Asked>,
    waiting: Arc<Waiting>,
    fire_timers: bool,
}

impl Point {
    /// The rows as they were.
    pub fn store(&self) -> &MemoryStore {
        self.running.store()
    }

    /// Calls of the provider by then.
    pub fn calls(&self) -> usize {
        self.provider.calls()
    }
}

/// What ids of connected accounts begin with.
const CONNECTED: &str = "acct_";

/// What one delivery led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    /// The event's own run.
    pub first: Report,
    /// What ran because of it: events that it woke, results, timers, messages.
    pub following: Vec<Report>,
}

/// True if the event came from outside, false for results, timers and messages.
pub fn is_input(report: &Report) -> bool {
    host::view::is_outside(&report.source)
}

impl Rig {
    /// Starts a host, loads the catalog, and goes on with what was running when the store was left.
    pub fn start(setup: RigSetup) -> Result<Rig, ReplayError> {
        let store = open(&setup.store)?;
        Rig::start_with(setup, store)
    }

    /// [`Rig::start`] on a store of the caller's. The clock begins no earlier than the time that the store has come to.
    pub fn start_with(setup: RigSetup, store: Box<dyn Store>) -> Result<Rig, ReplayError> {
        let mut clock = Clock::manual(setup.clock);
        if let Some(left_at) = left_at(&*store, &setup)? {
            clock.advance_to(left_at);
        }
        let mut host = Rig {
            running: None,
            scripted: Scripted::new(),
            asked: Arc::default(),
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
                let manifest = manifest::of(&runner.declarations().name)?;
                self.starts_with.insert(host::Setup::new(business.clone(), *livemode, config, manifest))
            }
        };
        let scripted = self.scripted.clone();
        let registry = match &self.setup.world {
            Some(world) => world.over(scripted),
            None => Registry::with_default(Arc::new(scripted)),
        };
        let (mut running, reports) = host::Host::start(setup, store, runner, registry, clock)?;
        running.outbox_mut().set_fire_timers(self.fire_timers);
        running.outbox_mut().set_receivers(self.accounts.clone());
        self.running = Some(running);
        self.note(&reports);
        Ok(())
    }

    /// Like a kill and a new start: what is not in the store is forgotten; what was running is recovered.
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

    /// The point of now.
    ///
    /// An error over a store that can't be forked: one on disk.
    pub fn save(&self) -> Result<Point, ReplayError> {
        let running = self.running().save();
        Ok(Point {
            running: running
                .ok_or_else(|| ReplayError::Usage("a store on disk has no points to go back to".to_owned()))?,
            provider: self.scripted.memory(),
            asked: self.asked.clone(),
            waiting: self.waiting.clone(),
            fire_timers: self.fire_timers,
        })
    }

    /// Goes back to a point, or over to that of another host with the same set-up.
    pub fn go_to(&mut self, point: &Point) -> Result<(), ReplayError> {
        self.running_mut().go_to(&point.running)?;
        self.scripted.go_to(&point.provider);
        self.asked = point.asked.clone();
        self.waiting = point.waiting.clone();
        self.fire_timers = point.fire_timers;
        Ok(())
    }

    /// Runs `play` on a host that is killed meanwhile, then starts anew over what it had stored, and runs it again: whoever was
    /// not answered tells it again. The reports are those of the starts, and of what was told again though it was in. Where
    /// there are fewer writes nothing happens.
    ///
    /// An error over a store that can't be forked, or of `play` without a kill.
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
        let risen = kill.again.and_then(|write| {
            faults.fail_at(write, Moment::Before, Then::Dead);
            self.restart_over(faults.open()).ok()
        });
        match risen {
            Some(found) => reports.extend(found),
            None => {
                faults.clear();
                reports.extend(self.restart_over(faults.open())?);
            }
        }
        faults.clear();
        play(self)?;
        reports.extend(self.told_again()?);
        Ok(reports)
    }

    /// Whoever waits since before a kill asks again, and is told what was answered meanwhile.
    fn told_again(&mut self) -> Result<Vec<Report>, ReplayError> {
        let mut reports = Vec::new();
        for seq in self.waiting.values() {
            reports.extend(self.processor().told_again(*seq)?.filter(|report| report.reply.is_some()));
        }
        self.note(&reports);
        Ok(reports)
    }

    /// Goes on over a store that fails on purpose, with the same rows.
    ///
    /// An error over a store that can't be forked.
    pub fn with_faults(&mut self) -> Result<Faults, ReplayError> {
        let forked = self.store().fork();
        let store = forked.ok_or_else(|| ReplayError::Usage("a store on disk can't be made to fail".to_owned()))?;
        let faults = Faults::new(Box::new(store));
        self.processor_mut().set_store(faults.open());
        Ok(faults)
    }

    /// Like [`Rig::restart`], over this store: what is left of the one before, opened anew. After an error it may be
    /// called again; nothing else may.
    pub fn restart_over(&mut self, store: Box<dyn Store>) -> Result<Vec<Report>, ReplayError> {
        if self.running.is_some() {
            self.stopped_at = self.end().1;
        }
        self.boot(store, self.stopped_at.clone())?;
        self.note_stored()?;
        self.settle()
    }

    /// What the provider must have made, by what the inbox says has ended with a success.
    pub fn recorded_inventory(&self) -> Result<Vec<Resource>, ReplayError> {
        recorded(self.store(), Some(self.processor().partition()))
    }

    /// Effects that have ended with a success, by scope and key.
    pub fn succeeded(&self) -> Result<BTreeSet<(String, String)>, ReplayError> {
        let mut found = BTreeSet::new();
        self.outbox().each_done(&mut |call, _| {
            found.insert((call.scope.clone(), call.key.clone()));
        })?;
        Ok(found)
    }

    /// Effects of which no answer ever came, so that what was done is not known: by scope and key.
    pub fn silent(&self) -> Result<BTreeSet<(String, String)>, ReplayError> {
        const PAGE: usize = 256;
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
                match &report.answer {
                    Err(failure) if failure.class == EffectFailureClass::TimedOut => found.insert(effect),
                    _ => found.remove(&effect),
                };
            }
        }
    }

    /// Ends the host; the store is what is left.
    pub fn stop(&mut self) -> Box<dyn Store> {
        self.end().0
    }

    fn end(&mut self) -> (Box<dyn Store>, Clock) {
        self.running.take().expect("a host that was started runs").stop()
    }

    /// Claims that are held from the start, by short key.
    pub fn hold_claims(&mut self, claims: &[(String, Account)]) -> Result<(), ReplayError> {
        claims.iter().try_for_each(|(key, account)| self.hold_claim(key, &Holding::By(account.clone())))
    }

    /// A claim changes hands without anybody of this host: by its short key, that of a connected account with it in front,
    /// `acct_1/stripe-customer:cus_1`.
    pub fn hold_claim(&mut self, key: &str, holding: &Holding) -> Result<(), ReplayError> {
        let row = match holding {
            Holding::By(account) => Some(ClaimRow { holder: Some(account.clone()), until: None, blocked_until: None }),
            Holding::Blocked => Some(ClaimRow { holder: None, until: None, blocked_until: Some(Timestamp::MAX) }),
            Holding::Free => None,
        };
        let account = match holding {
            Holding::By(account) => account.clone(),
            Holding::Blocked | Holding::Free => Account::Platform,
        };
        let scope = self.processor().scope(account);
        let of_connected = key.starts_with(CONNECTED) && key.find('/') < key.find(':');
        let full_key = match of_connected && key.contains('/') {
            true => format!("{}/{key}", scope.claim_space()),
            false => format!("{}//{key}", scope.claim_space()),
        };
        let mut changes = Changes { scope: Some(scope), event_id: "given".to_owned(), ..Changes::default() };
        changes.claims.insert(full_key, row);
        self.processor_mut().store_mut().apply(&changes)?;
        Ok(())
    }

    /// Only these accounts take messages; none is all of them.
    pub fn set_accounts(&mut self, accounts: &[Account]) {
        self.accounts = (!accounts.is_empty()).then(|| accounts.iter().cloned().collect());
        let receivers = self.accounts.clone();
        self.outbox_mut().set_receivers(receivers);
    }

    /// Takes an event in and runs everything that is due by then.
    pub fn deliver(&mut self, decoded: Decoded, now: Timestamp) -> Result<Delivered, ReplayError> {
        let mut delivered = self.accept(decoded, now)?;
        delivered.following.extend(self.settle()?);
        Ok(delivered)
    }

    /// Takes an event in; its effects wait for [`Rig::settle`].
    pub fn accept(&mut self, decoded: Decoded, now: Timestamp) -> Result<Delivered, ReplayError> {
        let running = self.running_mut();
        running.clock_mut().advance_to(now);
        let mut reports = running.accept(decoded, Vec::new())?;
        self.note(&reports);
        if reports.is_empty() {
            return Err(ReplayError::Host("an event that came in was not reported".to_owned()));
        }
        let first = reports.remove(0);
        Ok(Delivered { first, following: reports })
    }

    /// Begins a group: what is accepted from here on is durable with [`Rig::commit_group`].
    pub fn begin_group(&mut self) -> Result<(), ReplayError> {
        Ok(self.outbox_mut().processor_mut().begin_group()?)
    }

    /// Makes the group durable.
    pub fn commit_group(&mut self) -> Result<(), ReplayError> {
        Ok(self.outbox_mut().processor_mut().commit_group()?)
    }

    /// Runs everything that is due at the clock's time.
    pub fn settle(&mut self) -> Result<Vec<Report>, ReplayError> {
        let now = self.clock();
        let mut reports = self.outbox_mut().run_until_quiet(now)?;
        reports.extend(self.wait_for_world()?);
        self.note(&reports);
        Ok(reports)
    }

    /// Waits for what real providers work on or are asked again for, as long as the patience lasts.
    fn wait_for_world(&mut self) -> Result<Vec<Report>, ReplayError> {
        let mut reports = Vec::new();
        let Some(patience) = self.setup.world.as_ref().map(World::patience) else { return Ok(reports) };
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

    /// An operator runs an event again.
    pub fn redrive(&mut self, seq: u64) -> Result<Vec<Report>, ReplayError> {
        let now = self.clock();
        let mut reports = self.outbox_mut().processor_mut().redrive(seq, now)?;
        self.note(&reports);
        reports.extend(self.settle()?);
        Ok(reports)
    }

    /// Lets time pass.
    pub fn advance_to(&mut self, until: Timestamp) -> Result<Vec<Report>, ReplayError> {
        let from = self.clock();
        let mut reports = self.outbox_mut().run_until_quiet(from)?;
        reports.extend(self.wait_for_world()?);
        if self.setup.world.is_some() {
            // Nothing that a provider works on in the meantime is passed over.
            while let Some(next) = self.outbox().next_time()?.filter(|next| *next < until) {
                reports.extend(self.outbox_mut().advance_to(next)?);
                self.running_mut().clock_mut().advance_to(next);
                reports.extend(self.wait_for_world()?);
            }
        }
        let until = until.max(self.clock());
        reports.extend(self.outbox_mut().advance_to(until)?);
        self.running_mut().clock_mut().advance_to(until);
        reports.extend(self.wait_for_world()?);
        self.note(&reports);
        Ok(reports)
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
            report.effects.iter().for_each(|effect| Asked::note(&mut self.asked, account, &effect.key));
        }
    }

    /// Notes what is stored as asked for, of which a killed host may have made no report.
    fn note_stored(&mut self) -> Result<(), ReplayError> {
        let after = self.asked.after;
        let noted = std::mem::take(&mut self.asked);
        let mut stored = Vec::new();
        for scope in self.store().scopes()? {
            let rows = self.store().effects_of(&scope, after, usize::MAX)?;
            stored.extend(rows.into_iter().map(|row| (row.seq, scope.account.clone(), row.effect.key)));
        }
        stored.sort_unstable();
        self.asked = Arc::new(Asked { after, ..Asked::default() });
        for (_, account, key) in &stored {
            Asked::note(&mut self.asked, account, key);
        }
        // What was asked for again has an older row.
        noted.in_order.iter().for_each(|effect| Asked::note(&mut self.asked, &effect.0, &effect.1));
        Ok(())
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

    /// The providers that do something in the world.
    pub fn world(&self) -> Option<&World> {
        self.setup.world.as_ref()
    }

    /// The clock, milliseconds since the epoch.
    pub fn clock(&self) -> Timestamp {
        self.running().clock().latest()
    }

    /// What the host started with.
    pub fn setup(&self) -> &RigSetup {
        &self.setup
    }

    /// Keys of the effects that were asked for, by account, in order of the first request.
    pub fn asked(&self) -> impl Iterator<Item = (&Account, &str)> {
        self.asked.in_order.iter().map(|asked| (&asked.0, asked.1.as_str()))
    }

    /// Leaves out what was asked for until now, for example by the catalog.
    pub fn forget_asked(&mut self) -> Result<(), ReplayError> {
        let mut after = 0;
        for scope in self.store().scopes()? {
            let rows = self.store().effects_of(&scope, 0, usize::MAX)?;
            after = rows.iter().map(|row| row.seq).fold(after, u64::max);
        }
        self.asked = Arc::new(Asked { after, ..Asked::default() });
        Ok(())
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
        Ok(self.running().state()?)
    }

    fn running(&self) -> &host::Host {
        self.running.as_ref().expect("a host that was started runs")
    }

    fn running_mut(&mut self) -> &mut host::Host {
        self.running.as_mut().expect("a host that was started runs")
    }

    fn outbox(&self) -> &Outbox {
        self.running().outbox()
    }

    fn outbox_mut(&mut self) -> &mut Outbox {
        self.running_mut().outbox_mut()
    }
}

/// The time at which the store was left: of the last event or run, or when a call that has begun became due.
fn left_at(store: &dyn Store, setup: &RigSetup) -> Result<Option<Timestamp>, ReplayError> {
    let partition = Partition { business: setup.business.name.clone(), livemode: setup.livemode };
    let begun = store.effects_running(&partition)?.into_iter().map(|row| row.due_at).max();
    Ok(store.latest(&partition)?.max(begun))
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
