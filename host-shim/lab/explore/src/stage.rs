//! Runs acts on a host that can return to any marked point.

use crate::plan::{Act, Fault, Plan};
use crate::tale::Tale;
use extension_contract::{Account, Outcome, Refusal, Reply, Timestamp};
use host_engine::processor::Report;
use host_intake::Decoded;
use host_replay::local_stripe::not_here;
use host_replay::play;
use host_replay::rig::{Point, Rig, RigSetup, StoreKind};
use host_scenario::error::ReplayError;
use host_scenario::model::{Action, Step};
use host_store::fault::Then;
use host_store::{MemoryStore, Read};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Observations of a run that its store does not hold.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// The waiting requests that were answered, by id; true if the answer refuses the request.
    pub answered: BTreeMap<String, bool>,
    /// Ids of events that ended without an outcome, with the reason.
    pub failed: BTreeMap<String, String>,
    /// First outcome of each delivered event by event id, except Stripe events.
    pub outcomes: BTreeMap<String, String>,
    /// Ids of events that were rejected because they contradict what is known.
    pub contradicting: BTreeSet<String>,
}

/// A point of a run to which the stage can return.
pub struct Mark {
    point: Point,
    watched: Arc<Watched>,
    clock: Timestamp,
}

impl Mark {
    /// The store at the marked point.
    pub fn store(&self) -> &MemoryStore {
        self.point.store()
    }

    /// The observations up to the marked point.
    pub fn watched(&self) -> &Watched {
        &self.watched
    }

    /// Number of provider calls up to the marked point.
    pub fn calls(&self) -> usize {
        self.point.calls()
    }

    /// The clock at the marked point, in milliseconds since the epoch.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }
}

/// A host that runs the variants of a story one after another.
pub struct Stage<'t> {
    /// The story.
    pub tale: &'t Tale,
    host: Rig,
    /// The decoded events of the steps; None for a step that is decoded at delivery.
    decoded: Vec<Option<Decoded>>,
    notes: Notes,
}

impl<'t> Stage<'t> {
    /// Starts a host with the scenario's given state, before the first step.
    ///
    /// # Errors
    ///
    /// Fails if the host can't start or an event of the story can't be decoded.
    pub fn start(tale: &'t Tale) -> Result<Self, ReplayError> {
        let given = &tale.scenario.given;
        let mut host = Rig::start(RigSetup {
            business: (*tale.business).clone(),
            livemode: given.livemode,
            config: given.config.clone(),
            runners: tale.runners.clone(),
            store: StoreKind::Memory,
            clock: given.clock,
            live: None,
        })?;
        host.forget_asked()?;
        host.script(&given.answers);
        host.hold_claims(&given.claims)?;
        host.set_accounts(&given.accounts);
        let mut decoded = Vec::with_capacity(tale.scenario.steps.len());
        for (step, delivery) in tale.scenario.steps.iter().zip(&tale.case.deliveries) {
            decoded.push(match delivery {
                Some(delivery) if delivery.webhook.is_none() => {
                    play::decoded(&host, &tale.scenario.file, step, delivery)?.0
                }
                _ => None,
            });
        }
        Ok(Stage { tale, host, decoded, notes: Notes::default() })
    }

    /// The host.
    pub fn host(&mut self) -> &mut Rig {
        &mut self.host
    }

    /// The observations of the run.
    pub fn watched(&self) -> &Watched {
        &self.notes.watched
    }

    /// Number of decisions of the extension in all runs.
    pub fn decisions(&self) -> u64 {
        self.notes.decisions
    }

    /// Marks the current point.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be saved.
    pub fn mark(&self) -> Result<Mark, ReplayError> {
        Ok(Mark { point: self.host.save()?, watched: self.notes.watched.clone(), clock: self.host.clock() })
    }

    /// Returns to a marked point.
    ///
    /// # Errors
    ///
    /// Fails if the host can't start from the mark.
    pub fn go_to(&mut self, mark: &Mark) -> Result<(), ReplayError> {
        self.host.go_to(&mark.point)?;
        self.notes.watched = mark.watched.clone();
        Ok(())
    }

    /// Changes the answer of a provider call from here on.
    pub fn fault(&mut self, fault: &Fault) {
        self.host.scripted().fault(fault.key.clone(), fault.call, fault.answer.clone());
    }

    /// Runs a plan from the current point to its end.
    ///
    /// # Errors
    ///
    /// Fails if an act can't be run.
    pub fn play(&mut self, plan: &Plan) -> Result<(), ReplayError> {
        plan.faults.iter().for_each(|fault| self.fault(fault));
        plan.acts.iter().try_for_each(|act| self.act(act))?;
        self.settle()?;
        self.rest(plan.rest_ms)
    }

    /// Advances the clock by `rest_ms`.
    ///
    /// # Errors
    ///
    /// Fails if the host fails.
    pub fn rest(&mut self, rest_ms: i64) -> Result<(), ReplayError> {
        match rest_ms {
            0 => Ok(()),
            _ => self.time(self.host.clock().saturating_add(rest_ms)),
        }
    }

    /// Advances the clock to at least `clock`.
    ///
    /// # Errors
    ///
    /// Fails if the host fails.
    pub fn time(&mut self, clock: Timestamp) -> Result<(), ReplayError> {
        if self.host.clock() < clock {
            let reports = self.host.advance_to(clock)?;
            self.notes.note(&reports);
        }
        Ok(())
    }

    /// Runs all due effects.
    ///
    /// # Errors
    ///
    /// Fails if the host fails.
    pub fn settle(&mut self) -> Result<(), ReplayError> {
        let reports = self.host.settle()?;
        self.notes.note(&reports);
        Ok(())
    }

    /// Runs one act.
    ///
    /// # Errors
    ///
    /// Fails if the step can't be run.
    pub fn act(&mut self, act: &Act) -> Result<(), ReplayError> {
        let Some(kill) = act.kill else { return self.play_act(act) };
        let (tale, decoded) = (self.tale, std::mem::take(&mut self.decoded));
        let mut notes = std::mem::take(&mut self.notes);
        let killed = self.host.killed(kill, |host| play_act(host, tale, &decoded, act, &mut notes));
        (self.decoded, self.notes) = (decoded, notes);
        self.notes.note(&killed?);
        Ok(())
    }

    /// Returns the number of writes in an act, and returns to the current point.
    ///
    /// # Errors
    ///
    /// Fails if the act can't be run.
    pub fn writes_of(&mut self, act: &Act) -> Result<u64, ReplayError> {
        let mark = self.mark()?;
        let faults = self.host.with_faults()?;
        faults.clear();
        let before = faults.writes();
        self.play_act(act)?;
        let writes = faults.writes() - before;
        self.go_to(&mark)?;
        Ok(writes)
    }

    /// Returns the number of writes in the restart after a kill, and returns to the current point.
    ///
    /// # Errors
    ///
    /// Fails if the host can't restart.
    pub fn writes_of_start(&mut self, act: &Act) -> Result<u64, ReplayError> {
        let Some(kill) = act.kill else { return Ok(0) };
        let mark = self.mark()?;
        let faults = self.host.with_faults()?;
        faults.fail_at(kill.write, kill.moment, Then::Dead);
        let mut writes = 0;
        if self.play_act(act).is_err() && faults.struck() {
            faults.fail_at(u64::MAX, kill.moment, Then::Dead);
            self.host.restart_over(faults.open())?;
            writes = faults.writes();
        }
        self.go_to(&mark)?;
        Ok(writes)
    }

    fn play_act(&mut self, act: &Act) -> Result<(), ReplayError> {
        play_act(&mut self.host, self.tale, &self.decoded, act, &mut self.notes)
    }
}

/// The observations of the current run, and the number of decisions of all runs.
#[derive(Debug, Default)]
struct Notes {
    watched: Arc<Watched>,
    decisions: u64,
}

impl Notes {
    fn note(&mut self, reports: &[Report]) {
        for report in reports {
            let known = matches!(report.result.outcome(), Some(Outcome::Duplicate(of)) if *of == report.event_id);
            self.decisions += u64::from(!known);
            if let (Some(waiting), Some(reply)) = (&report.reply_to, &report.reply)
                && !self.watched.answered.contains_key(waiting)
            {
                let is_refused = matches!(reply, Reply::Refused(_));
                Arc::make_mut(&mut self.watched).answered.insert(waiting.clone(), is_refused);
            }
            if let Some(Outcome::Rejected(Refusal::Inconsistent(_))) = report.result.outcome() {
                Arc::make_mut(&mut self.watched).contradicting.insert(report.event_id.clone());
            }
            if report.result.outcome().is_none() {
                let why = report.result.reason().unwrap_or_default();
                Arc::make_mut(&mut self.watched).failed.insert(report.event_id.clone(), why);
            } else if self.watched.failed.contains_key(&report.event_id) {
                Arc::make_mut(&mut self.watched).failed.remove(&report.event_id);
            }
        }
    }
}

fn play_act(
    host: &mut Rig,
    tale: &Tale,
    decoded: &[Option<Decoded>],
    act: &Act,
    notes: &mut Notes,
) -> Result<(), ReplayError> {
    // A host that was killed at this time has not carried out the effects that are due now.
    if host.clock() < act.clock || (act.kill.is_some() && host.clock() == act.clock) {
        notes.note(&host.advance_to(act.clock)?);
    }
    let step: &Step = &tale.scenario.steps[act.step];
    match &step.action {
        Action::Advance(_) | Action::Until(_) | Action::Check(_) => {}
        Action::Answers(answers) => host.script(answers),
        Action::Claims(claims) => claims.iter().try_for_each(|(key, holding)| host.hold_claim(key, holding))?,
        Action::Timers(fire) => {
            host.set_fire_timers(*fire);
            notes.note(&host.settle()?);
        }
        Action::Restart => notes.note(&host.restart()?),
        Action::AtStripe(_) => return Err(not_here(&tale.scenario.file, step).into()),
        Action::Redrive(id) => {
            if let Some(seq) = seq_of(host.store(), id)? {
                notes.note(&host.redrive(seq)?);
            }
        }
        _ => deliver(host, tale, decoded, act, notes)?,
    }
    Ok(())
}

fn deliver(
    host: &mut Rig,
    tale: &Tale,
    decoded: &[Option<Decoded>],
    act: &Act,
    notes: &mut Notes,
) -> Result<(), ReplayError> {
    let step = &tale.scenario.steps[act.step];
    let event = match (&decoded[act.step], &tale.case.deliveries[act.step]) {
        (Some(event), _) => Some(event.clone()),
        (None, Some(delivery)) => play::decoded(host, &tale.scenario.file, step, delivery)?.0,
        (None, None) => None,
    };
    let Some(event) = event else { return Ok(()) };
    let clock = host.clock();
    let delivered = host.accept(event, clock)?;
    if !step.action.is_payment_event() {
        let (id, outcome) = (delivered.first.event_id.clone(), outcome_text(&delivered.first));
        Arc::make_mut(&mut notes.watched).outcomes.entry(id).or_insert(outcome);
    }
    notes.note(std::slice::from_ref(&delivered.first));
    notes.note(&delivered.following);
    if !act.held {
        notes.note(&host.settle()?);
    }
    Ok(())
}

/// Returns the accounts with rows, except the platform, which owns the catalog.
///
/// # Errors
///
/// Fails if the store fails.
pub fn accounts(host: &Rig) -> Result<Vec<Account>, ReplayError> {
    let partition = host.processor().partition();
    let scopes = host.store().scopes(Some(partition))?.into_iter();
    Ok(scopes.map(|scope| scope.account).filter(|account| *account != Account::Platform).collect())
}

fn outcome_text(report: &Report) -> String {
    match report.result.reason() {
        Some(reason) => format!("{}: {reason}", report.result.name()),
        None => report.result.name().to_owned(),
    }
}

/// The inbox number of an event.
fn seq_of(store: &dyn Read, id: &str) -> Result<Option<u64>, ReplayError> {
    const PAGE: usize = 500;
    let mut after = 0;
    loop {
        let page = store.inbox_after(None, after, PAGE)?;
        if let Some(row) = page.iter().find(|row| row.event.id == id) {
            return Ok(Some(row.seq));
        }
        match page.last() {
            Some(last) => after = last.seq,
            None => return Ok(None),
        }
    }
}
