//! Calls into a component: one store and instance a call, or one for many.

use super::exports::{Asked, Done, Exports, Pick};
use super::state::HostState;
use super::stop::run_error;
use super::{Limits, LoadError, LoadedComponent, TICK, bounds};
use crate::convert::Cross;
use crate::runner::{Ran, RunError, Runner, Used};
use host_store::Transaction;
use products_contract::{
    Balance, Candidate, Declarations, Entitlement, Event, Failure, Handled, Offer, Placement, Problem, ProductValues,
    Question, Timestamp, UsageTotal,
};
use wasmtime::component::{ComponentNamedList, Instance, InstancePre, Lift, Lower};
use wasmtime::{Engine, Store};

/// A reused instance with more linear memory than this is given up after the call: its allocator gives nothing back.
const REUSED_MEMORY_BYTES_MAX: usize = 16 << 20;

/// How long an instance lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// One instance for many events, replaced after a trap or when its memory has grown large.
    #[default]
    Reused,
    /// A new instance for every event; it places the event and handles it.
    Fresh,
}

/// Runs a component.
pub struct WasmRunner {
    loaded: LoadedComponent,
    mode: Mode,
    live: Option<Live>,
    /// The event that a fresh instance was made for and has only placed so far.
    placed: Option<String>,
}

/// What a call is to its event.
#[derive(Clone, Copy)]
enum Stage<'a> {
    /// It places the event of this id. It is pure, so a fresh instance stays for the handling.
    Places(&'a str),
    /// It handles the event of this id.
    Handles(&'a str),
    /// Anything else.
    Other,
}

/// An instance and what belongs to it.
struct Live {
    store: Store<HostState>,
    instance: Instance,
    exports: Exports,
}

impl Live {
    fn new(
        engine: &Engine,
        pre: &InstancePre<HostState>,
        exports: &Exports,
        limits: &Limits,
    ) -> wasmtime::Result<Self> {
        let mut store = Store::new(engine, HostState::new(limits));
        store.limiter(|state| state);
        store.set_hostcall_fuel(limits.crossing_bytes);
        arm(&mut store, limits)?;
        let instance = pre.instantiate(&mut store)?;
        Ok(Live { store, instance, exports: exports.clone() })
    }

    /// Call an export without a transaction around it.
    fn call<P, R>(&mut self, limits: &Limits, export: Pick<P, R>, params: P) -> wasmtime::Result<(R, Used)>
    where
        P: ComponentNamedList + Lower + 'static,
        R: ComponentNamedList + Lift + 'static,
    {
        arm(&mut self.store, limits)?;
        let func = export(&mut self.exports).of(&self.instance, &mut self.store)?;
        let answer = func.call(&mut self.store, params)?;
        let fuel = match limits.fuel {
            Some(limit) => limit - self.store.get_fuel()?,
            None => 0,
        };
        Ok((answer, Used { fuel }))
    }
}

/// Give the next call its fuel and its time.
fn arm(store: &mut Store<HostState>, limits: &Limits) -> wasmtime::Result<()> {
    if let Some(fuel) = limits.fuel {
        store.set_fuel(fuel)?;
    }
    // One more, since the first tick may come at once.
    let ticks = u128::from(limits.deadline_ms).div_ceil(TICK.as_millis()) + 1;
    store.set_epoch_deadline(ticks as u64);
    Ok(())
}

/// Ask a component what it declares and whether its exports have the right types.
pub(super) fn declare(
    engine: &Engine,
    pre: &InstancePre<HostState>,
    exports: &Exports,
    limits: &Limits,
) -> Result<Declarations, LoadError> {
    let failed = |error: wasmtime::Error| LoadError::Declare(run_error(&error, limits));
    let mut live = Live::new(engine, pre, exports, limits).map_err(failed)?;
    live.exports
        .check_types(&live.instance, &mut live.store)
        .map_err(|exports| LoadError::MissingExports { exports })?;
    let ((declarations,), _) = live.call(limits, |exports| &mut exports.declare, ()).map_err(failed)?;
    Ok(declarations.cross())
}

impl WasmRunner {
    pub(super) fn new(loaded: LoadedComponent, mode: Mode) -> Self {
        WasmRunner { loaded, mode, live: None, placed: None }
    }

    /// How long its instances live.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Call an export in a transaction and hand the transaction back, whatever happened.
    fn run<P, R>(&mut self, tx: Transaction, stage: Stage<'_>, export: Pick<P, R>, params: P) -> Ran<R>
    where
        P: ComponentNamedList + Lower + 'static,
        R: ComponentNamedList + Lift + 'static,
    {
        let shared = &self.loaded.shared;
        let limits = &shared.limits;
        let made_for = self.placed.take();
        let usable = match (self.mode, stage) {
            (Mode::Reused, _) => true,
            (Mode::Fresh, Stage::Handles(event)) => made_for.as_deref() == Some(event),
            (Mode::Fresh, _) => false,
        };
        let live = match self.live.take().filter(|_| usable) {
            Some(live) => Ok(live),
            None => Live::new(&shared.engine, &shared.pre, &shared.exports, limits),
        };
        let mut live = match live {
            Ok(live) => live,
            Err(error) => return (tx, Err(run_error(&error, limits))),
        };
        live.store.data_mut().begin(Some(tx));
        let answer = live.call(limits, export, params);
        let tx = live.store.data_mut().end().expect("the transaction was put in above and imports only borrow it");
        // After a trap an instance is in no known state.
        let sound = answer.is_ok() && live.store.data().memory_bytes() <= REUSED_MEMORY_BYTES_MAX;
        match (self.mode, stage) {
            (Mode::Reused, _) if sound => self.live = Some(live),
            (Mode::Fresh, Stage::Places(event)) if sound => {
                self.live = Some(live);
                self.placed = Some(event.to_owned());
            }
            _ => {}
        }
        (tx, answer.map_err(|error| run_error(&error, limits)))
    }

    /// Call an export that may fail, and check what it answers.
    fn run_fallible<P, W, T>(
        &mut self,
        tx: Transaction,
        stage: Stage<'_>,
        export: Pick<P, Done<W>>,
        params: P,
        check: fn(&T) -> Result<(), RunError>,
    ) -> Ran<T>
    where
        P: ComponentNamedList + Lower + 'static,
        Done<W>: ComponentNamedList + Lift + 'static,
        W: Cross<T>,
    {
        let (tx, answer) = self.run(tx, stage, export, params);
        let checked = answer.and_then(|((answer,), used)| {
            let answer: Result<T, Failure> = answer.cross();
            match answer {
                Ok(value) => check(&value).map(|()| (value, used)),
                Err(failure) => Err(bounds::failure(&failure).err().unwrap_or(RunError::Failure(failure))),
            }
        });
        (tx, checked)
    }

    /// Call an export that answers or says why not, and check what it says.
    fn run_question<P, W, T>(
        &mut self,
        tx: Transaction,
        export: Pick<P, Asked<W>>,
        params: P,
        check: fn(&T) -> Result<(), RunError>,
    ) -> Ran<Result<T, Problem>>
    where
        P: ComponentNamedList + Lower + 'static,
        Asked<W>: ComponentNamedList + Lift + 'static,
        W: Cross<T>,
    {
        let (tx, answer) = self.run(tx, Stage::Other, export, params);
        let checked = answer.and_then(|((answer,), used)| {
            let answer: Result<T, Problem> = answer.cross();
            match &answer {
                Ok(value) => check(value)?,
                Err(problem) => bounds::problem(problem)?,
            }
            Ok((answer, used))
        });
        (tx, checked)
    }
}

/// What only the limit of the crossing bounds: lists of rows for a reader.
fn unchecked<T>(_: &T) -> Result<(), RunError> {
    Ok(())
}

impl Runner for WasmRunner {
    fn hash(&self) -> &str {
        self.loaded.hash()
    }

    fn declarations(&self) -> &Declarations {
        self.loaded.declarations()
    }

    fn validate(&mut self, tx: Transaction, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>> {
        let params = (candidate.clone().cross(),);
        self.run_question(tx, |exports| &mut exports.validate, params, bounds::product_values)
    }

    fn correlate(&mut self, tx: Transaction, event: &Event) -> Ran<Placement> {
        let params = (event.clone().cross(),);
        self.run_fallible(tx, Stage::Places(&event.id), |exports| &mut exports.correlate, params, bounds::placement)
    }

    fn handle(&mut self, tx: Transaction, event: &Event) -> Ran<Handled> {
        let params = (event.clone().cross(),);
        self.run_fallible(tx, Stage::Handles(&event.id), |exports| &mut exports.handle, params, bounds::handled)
    }

    fn migrate(&mut self, tx: Transaction, from: u32, at: Timestamp) -> Ran<()> {
        self.run_fallible(tx, Stage::Other, |exports| &mut exports.migrate, (from, at), unchecked)
    }

    fn catalog(&mut self, tx: Transaction, question: &Question) -> Ran<Result<Vec<Offer>, Problem>> {
        let params = (question.clone().cross(),);
        self.run_question(tx, |exports| &mut exports.catalog, params, unchecked)
    }

    fn entitlements(&mut self, tx: Transaction, question: &Question) -> Ran<Result<Vec<Entitlement>, Problem>> {
        let params = (question.clone().cross(),);
        self.run_question(tx, |exports| &mut exports.entitlements, params, unchecked)
    }

    fn usage(
        &mut self,
        tx: Transaction,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Ran<Result<Vec<UsageTotal>, Problem>> {
        let params = (question.clone().cross(), start, end);
        self.run_question(tx, |exports| &mut exports.usage, params, unchecked)
    }

    fn balances(&mut self, tx: Transaction, question: &Question) -> Ran<Result<Vec<Balance>, Problem>> {
        let params = (question.clone().cross(),);
        self.run_question(tx, |exports| &mut exports.balances, params, unchecked)
    }
}
