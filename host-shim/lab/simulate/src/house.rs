//! Runs the simulated host: one business on a store in memory. The host crashes when a write of the store fails.

use crate::at_stripe::MONEY;
use crate::provider::FlakyProvider;
use crate::simulate::SimulateError;
use extension_contract::{Account, Timestamp};
use host_business::{Setup, StartError};
use host_engine::Host;
use host_engine::clock::Clock;
use host_engine::outbox::OutboxError;
use host_engine::processor::{Processor, Report};
use host_provider_api::Registry;
use host_replay::runners::Runners;
use host_scenario::error::ReplayError;
use host_store::testing::{Faults, Moment, Then};
use host_store::{EffectRow, EffectState, MemoryStore, Store};
use std::sync::Arc;

/// Maximum number of failed starts in a row.
const STARTS_MAX: usize = 100;
/// Kinds of effects that never end.
const WATCHES: [&str; 1] = ["probe.watch"];

/// A host that is restarted after each crash.
pub(crate) struct CrashingHost {
    setup: Setup,
    runners: Runners,
    provider: FlakyProvider,
    faults: Faults,
    /// None only during a restart.
    host: Option<Host>,
    clock: Timestamp,
    crashes: u64,
    reports: Vec<Report>,
}

impl CrashingHost {
    /// Starts a host, and loads and syncs its catalog.
    pub(crate) fn start(
        setup: Setup,
        runners: Runners,
        provider: FlakyProvider,
        clock: Timestamp,
    ) -> Result<Self, SimulateError> {
        let faults = Faults::new(Box::new(MemoryStore::new()));
        let store = faults.open();
        let mut system =
            CrashingHost { setup, runners, provider, faults, host: None, clock, crashes: 0, reports: Vec::new() };
        system.boot(store).map_err(ReplayError::from)?;
        system.settle()?;
        system.reports.clear();
        Ok(system)
    }

    fn boot(&mut self, store: Box<dyn Store>) -> Result<(), StartError> {
        let runner = self.runners.make().map_err(|error| StartError::Extension {
            business: self.setup.business().name.clone(),
            reason: error.to_string(),
        })?;
        let registry = Registry::with_default(Arc::new(self.provider.clone()));
        let (host, reports) = self.setup.start(store, runner, registry, Clock::manual(self.clock))?;
        self.host = Some(host);
        self.reports.extend(reports);
        Ok(())
    }

    /// Restarts the host on its store. Running effects are recovered; all state outside of the store is lost.
    fn reopen(&mut self) -> Result<(), StartError> {
        if let Some(host) = self.host.take() {
            self.clock = self.clock.max(host.outbox().clock());
        }
        let store = self.faults.open();
        self.boot(store)
    }

    /// Repeats `body` until it succeeds: if the store fails at a write, restarts the host and tries again.
    fn insist(
        &mut self,
        mut body: impl FnMut(&mut Host) -> Result<Vec<Report>, OutboxError>,
    ) -> Result<(), SimulateError> {
        loop {
            match body(self.host_mut()) {
                Ok(reports) => {
                    self.reports.extend(reports);
                    return Ok(());
                }
                Err(OutboxError::Store(_)) if self.faults.struck() => self.crash()?,
                Err(error) => return Err(ReplayError::from(error).into()),
            }
        }
    }

    /// Crashes the host and restarts it on its store.
    pub(crate) fn crash(&mut self) -> Result<(), SimulateError> {
        self.crashes += 1;
        for _ in 0..STARTS_MAX {
            match self.reopen() {
                Ok(()) => return Ok(()),
                Err(StartError::Outbox(OutboxError::Store(_))) if self.faults.struck() => self.crashes += 1,
                Err(error) => return Err(ReplayError::from(error).into()),
            }
        }
        Err(ReplayError::Host(format!("the host does not start again after {STARTS_MAX} attempts")).into())
    }

    /// Makes the store fail at the `write`-th write from now: after the write if `is_done`, else before it.
    pub(crate) fn die_at(&self, write: u64, is_done: bool) {
        self.faults.fail_at(write, if is_done { Moment::After } else { Moment::Before }, Then::Dead);
    }

    /// Removes the failure set by [`CrashingHost::die_at`].
    pub(crate) fn live(&self) {
        self.faults.clear();
    }

    /// Accepts a raw event or command. Its effects wait for [`CrashingHost::settle`].
    pub(crate) fn accept(&mut self, body: &str) -> Result<(), SimulateError> {
        let (business, clock) = (self.setup.business().name.clone(), self.clock);
        let bad = |error: &dyn ToString| ReplayError::Host(format!("the intake refuses {body}: {}", error.to_string()));
        let read = || host_intake::raw::read(body.as_bytes().to_vec(), &business, clock);
        let first = read().map_err(|error| bad(&error))?;
        if let Some(refusal) = &first.refusal {
            return Err(bad(refusal).into());
        }
        let mut first = Some(first);
        // After a crash, the caller sends the body again.
        self.insist(|host| match first.take().map_or_else(read, Ok) {
            Ok(decoded) => host.accept(decoded, Vec::new()),
            Err(_) => Ok(Vec::new()),
        })
    }

    /// Runs all due effects.
    pub(crate) fn settle(&mut self) -> Result<(), SimulateError> {
        let now = self.clock;
        self.insist(|host| host.outbox_mut().run_until_quiet(now))
    }

    /// Advances the clock and runs what becomes due. Does nothing if `until` has passed.
    pub(crate) fn advance_to(&mut self, until: Timestamp) -> Result<(), SimulateError> {
        if until > self.clock {
            self.insist(|host| {
                let reports = host.outbox_mut().advance_to(until);
                host.clock_mut().advance_to(until);
                reports
            })?;
            self.clock = until;
        }
        Ok(())
    }

    /// Kind and key of an unfinished effect of an account that is due or has begun, or that moves money. Other effects
    /// for a later time, such as timers, do not count.
    pub(crate) fn at_work(&self, account: &Account) -> Result<Option<String>, SimulateError> {
        let processor = self.processor();
        let open = processor.store().effects_open(&processor.scope(account.clone())).map_err(ReplayError::from)?;
        let is_at_work = |row: &&EffectRow| {
            let has_begun = row.state == EffectState::Running || row.attempts > 0 || row.due_at <= self.clock;
            let kind = row.effect.kind.as_str();
            MONEY.contains(&kind) || has_begun && !WATCHES.contains(&kind)
        };
        Ok(open.iter().find(is_at_work).map(|row| format!("{} {}", row.effect.kind, row.effect.key)))
    }

    /// Takes the reports since the last call.
    pub(crate) fn take_reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// Number of crashes.
    pub(crate) fn crashes(&self) -> u64 {
        self.crashes
    }

    /// The clock in milliseconds since the epoch.
    pub(crate) fn clock(&self) -> Timestamp {
        self.clock
    }

    /// The processor.
    pub(crate) fn processor(&self) -> &Processor {
        self.host.as_ref().expect("a started host").processor()
    }

    /// The processor, for queries.
    pub(crate) fn processor_mut(&mut self) -> &mut Processor {
        self.host_mut().processor_mut()
    }

    fn host_mut(&mut self) -> &mut Host {
        self.host.as_mut().expect("a started host")
    }
}
