//! Two hosts that get the same events one by one.

use crate::causes::Grouper;
use crate::moment::Moment;
use crate::place::EventPlace;
use extension_contract::{Account, Decision};
use host::processor::{Processor, Report};
use host_replay::rig::Rig;
use host_replay::runners::Runners;
use host_scenario::error::ReplayError;
use host_wasm_runner::around::Around;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What takes events in.
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

/// Decisions since they were last looked at; none of a call that failed.
type Decisions = Arc<Mutex<Vec<Option<Decision>>>>;

/// One of the two.
pub(crate) struct Side<E> {
    pub engine: E,
    decisions: Decisions,
}

impl<E: Engine> Side<E> {
    /// A side whose decisions are watched; `start` is given the runners that do so.
    pub fn new(runners: &Runners, start: impl FnOnce(Runners) -> Result<E, ReplayError>) -> Result<Self, ReplayError> {
        let decisions = Decisions::default();
        let (inner, notes) = (runners.clone(), decisions.clone());
        let watched = Runners::new(runners.name(), move || {
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
        side.decided();
        Ok(side)
    }

    fn decided(&self) -> Vec<Option<Decision>> {
        std::mem::take(&mut self.decisions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Both of them.
pub(crate) struct Lockstep<E> {
    pub old: Side<E>,
    pub new: Side<E>,
    /// Accounts of which something was decided otherwise: what others hold is the same, since the same was decided of them.
    apart: BTreeSet<Account>,
}

impl<E: Engine> Lockstep<E> {
    pub fn new(old: Side<E>, new: Side<E>) -> Self {
        Lockstep { old, new, apart: BTreeSet::new() }
    }

    /// Gives both the same event and holds what it led to against each other. The reports are OLD's, then NEW's.
    pub fn step(
        &mut self,
        place: &EventPlace,
        number: usize,
        grouper: &mut Grouper<'_>,
        mut feed: impl FnMut(&mut E) -> Result<Vec<Report>, ReplayError>,
    ) -> Result<[Vec<Report>; 2], ReplayError> {
        let reports = [feed(&mut self.old.engine)?, feed(&mut self.new.engine)?];
        let touched: BTreeSet<Account> = reports.iter().flatten().filter_map(|report| report.account.clone()).collect();
        if self.old.decided() != self.new.decided() {
            self.apart.extend(touched.iter().cloned());
        }
        let accounts: Vec<&Account> = touched.intersection(&self.apart).collect();
        let moment =
            |side: &Side<E>, reports: &[Report]| Moment::of(side.engine.processor(), reports, accounts.iter().copied());
        let (old, new) = (moment(&self.old, &reports[0])?, moment(&self.new, &reports[1])?);
        grouper.hold(place, number, &old, &new);
        Ok(reports)
    }
}
