//! Feeds the same events one by one to two hosts and compares the results.

use crate::compare::causes::Grouper;
use crate::compare::moment::Moment;
use crate::compare::place::EventPlace;
use extension_contract::{Account, Decision};
use host_engine::processor::{Processor, Report};
use host_replay::rig::Rig;
use host_replay::runners::Runners;
use host_scenario::error::ReplayError;
use host_wasm_runner::around::Around;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A host or a processor that accepts events.
pub(crate) trait Engine {
    fn processor(&self) -> &Processor;
}

impl Engine for Rig {
    fn processor(&self) -> &Processor {
        Rig::processor(self)
    }
}

impl Engine for Processor {
    fn processor(&self) -> &Processor {
        self
    }
}

/// Decisions since the last [`Side::take_decisions`]; None for a call that failed.
type Decisions = Arc<Mutex<Vec<Option<Decision>>>>;

/// One of the two hosts, with its recorded decisions.
pub(crate) struct Side<E> {
    pub engine: E,
    decisions: Decisions,
}

impl<E: Engine> Side<E> {
    /// Starts a side; `start` receives runners that record the decisions.
    pub fn new(runners: &Runners, start: impl FnOnce(Runners) -> Result<E, ReplayError>) -> Result<Self, ReplayError> {
        let decisions = Decisions::default();
        let (inner, notes) = (runners.clone(), decisions.clone());
        let watched = runners.with_make(move || {
            let notes = notes.clone();
            Ok(Box::new(Around::new(inner.make()?, move |inner, imports, event| {
                let ran = inner.handle(imports, event);
                let decision = ran.as_ref().ok().map(|(decision, _)| decision.clone());
                notes.lock().unwrap_or_else(PoisonError::into_inner).push(decision);
                ran
            })))
        });
        let engine = start(watched)?;
        let side = Side { engine, decisions };
        side.take_decisions();
        Ok(side)
    }

    fn take_decisions(&self) -> Vec<Option<Decision>> {
        std::mem::take(&mut self.decisions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Both sides.
pub(crate) struct Lockstep<E> {
    pub old: Side<E>,
    pub new: Side<E>,
    /// Accounts with different decisions. All others have the same state on both sides.
    apart: BTreeSet<Account>,
}

impl<E: Engine> Lockstep<E> {
    pub fn new(old: Side<E>, new: Side<E>) -> Self {
        Lockstep { old, new, apart: BTreeSet::new() }
    }

    /// Feeds the same event to both sides and compares the results. Returns the reports of OLD and of NEW.
    pub fn step(
        &mut self,
        place: &EventPlace,
        number: usize,
        grouper: &mut Grouper<'_>,
        mut feed: impl FnMut(&mut E) -> Result<Vec<Report>, ReplayError>,
    ) -> Result<[Vec<Report>; 2], ReplayError> {
        let reports = [feed(&mut self.old.engine)?, feed(&mut self.new.engine)?];
        let touched: BTreeSet<Account> = reports.iter().flatten().filter_map(|report| report.account.clone()).collect();
        if self.old.take_decisions() != self.new.take_decisions() {
            self.apart.extend(touched.iter().cloned());
        }
        let accounts: Vec<&Account> = touched.intersection(&self.apart).collect();
        let moment =
            |side: &Side<E>, reports: &[Report]| Moment::of(side.engine.processor(), reports, accounts.iter().copied());
        let (old, new) = (moment(&self.old, &reports[0])?, moment(&self.new, &reports[1])?);
        grouper.compare_moments(place, number, &old, &new);
        Ok(reports)
    }
}
