//! Calls a component, with a new instance for each call or with one instance for many calls.

use super::exports::{Exports, Pick, QueryResult};
use super::samples::{self, Samples};
use super::state::HostState;
use super::stop::run_error;
use super::{CallLimits, LoadError, LoadedComponent, TICK, bounds};
use crate::convert::Cross;
use crate::runner::{Ran, RunError, Runner, SharedImports, Used};
use extension_contract::{
    Answer, Candidate, Decision, Declarations, Event, Failure, Problem, ProductValues, Query, Question,
};
use std::sync::Arc;
use wasmtime::component::{ComponentNamedList, Instance, InstancePre, Lift, Lower};
use wasmtime::{Engine, Store};

/// Maximum linear memory of a reused instance in bytes. An instance with more memory is dropped after the call, since
/// linear memory never shrinks.
const REUSED_MEMORY_BYTES_MAX: usize = 16 << 20;

/// The lifetime of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// One instance for many calls, replaced after a trap or when its memory has grown large.
    #[default]
    Reused,
    /// A new instance for every call.
    Fresh,
}

/// Runs a component.
pub struct WasmRunner {
    loaded: LoadedComponent,
    mode: Mode,
    live: Option<LiveInstance>,
    host_calls: u64,
}

/// A live instance with its store and exports.
struct LiveInstance {
    store: Store<HostState>,
    instance: Instance,
    exports: Exports,
}

impl LiveInstance {
    fn new(
        engine: &Engine,
        pre: &InstancePre<HostState>,
        exports: &Exports,
        limits: &CallLimits,
        samples: Option<&Arc<Samples>>,
    ) -> wasmtime::Result<Self> {
        let mut store = Store::new(engine, HostState::new(limits));
        if let Some(samples) = samples {
            samples::watch(&mut store, Arc::clone(samples));
        }
        store.limiter(|state| state);
        store.set_hostcall_fuel(limits.crossing_bytes);
        arm(&mut store, limits)?;
        let instance = pre.instantiate(&mut store)?;
        Ok(LiveInstance { store, instance, exports: exports.clone() })
    }

    /// Calls an export.
    fn call<P, R>(&mut self, limits: &CallLimits, export: Pick<P, R>, params: P) -> wasmtime::Result<(R, Used)>
    where
        P: ComponentNamedList + Lower + 'static,
        R: ComponentNamedList + Lift + 'static,
    {
        arm(&mut self.store, limits)?;
        let function = export(&mut self.exports).of(&self.instance, &mut self.store)?;
        let answer = function.call(&mut self.store, params)?;
        let fuel = match limits.fuel {
            Some(limit) => limit - self.store.get_fuel()?,
            None => 0,
        };
        let state = self.store.data();
        Ok((answer, Used { fuel, memory_bytes: state.memory_bytes() as u64, host_calls: state.calls() }))
    }
}

/// Sets the fuel and the deadline of the next call. The deadline has no effect on an engine without epochs.
fn arm(store: &mut Store<HostState>, limits: &CallLimits) -> wasmtime::Result<()> {
    if let Some(fuel) = limits.fuel {
        store.set_fuel(fuel)?;
    }
    // One more tick, since the first tick may occur immediately.
    let ticks = u128::from(limits.deadline_ms).div_ceil(TICK.as_millis()) + 1;
    store.set_epoch_deadline(ticks as u64);
    Ok(())
}

/// Reads the declarations of a component and checks the types of its exports.
pub(super) fn declare(
    engine: &Engine,
    pre: &InstancePre<HostState>,
    exports: &Exports,
    limits: &CallLimits,
) -> Result<(Declarations, Exports), LoadError> {
    let failed = |error: wasmtime::Error| LoadError::Declare(run_error(&error, limits));
    let mut live = LiveInstance::new(engine, pre, exports, limits, None).map_err(failed)?;
    let checked = live.exports.check_types(&live.instance, &mut live.store);
    let checked = checked.map_err(|exports| LoadError::MissingExports { exports })?;
    let ((declarations,), _) = live.call(limits, |exports| &mut exports.declare, ()).map_err(failed)?;
    Ok((declarations.cross(), checked))
}

impl WasmRunner {
    pub(super) fn new(loaded: LoadedComponent, mode: Mode) -> Self {
        WasmRunner { loaded, mode, live: None, host_calls: 0 }
    }

    /// Returns the lifetime of the runner's instances.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the number of host calls of the last call.
    pub fn host_calls(&self) -> u64 {
        self.host_calls
    }

    /// Calls an export.
    fn run<P, R>(&mut self, imports: &SharedImports, export: Pick<P, R>, params: P) -> Ran<R>
    where
        P: ComponentNamedList + Lower + 'static,
        R: ComponentNamedList + Lift + 'static,
    {
        let shared = &self.loaded.shared;
        let limits = &shared.limits;
        let mut live = match self.live.take().filter(|_| self.mode == Mode::Reused) {
            Some(live) => live,
            None => LiveInstance::new(&shared.engine, &shared.pre, &shared.exports, limits, shared.samples.as_ref())
                .map_err(|error| run_error(&error, limits))?,
        };
        live.store.data_mut().begin(Arc::clone(imports));
        let answer = live.call(limits, export, params);
        live.store.data_mut().end();
        self.host_calls = live.store.data().calls();
        // After a trap the state of an instance is unknown.
        if self.mode == Mode::Reused && answer.is_ok() && live.store.data().memory_bytes() <= REUSED_MEMORY_BYTES_MAX {
            self.live = Some(live);
        }
        answer.map_err(|error| run_error(&error, limits))
    }

    /// Calls a query export and checks its result.
    fn run_question<P, W, T>(
        &mut self,
        imports: &SharedImports,
        export: Pick<P, QueryResult<W>>,
        params: P,
        check: fn(&T) -> Result<(), RunError>,
    ) -> Ran<Result<T, Problem>>
    where
        P: ComponentNamedList + Lower + 'static,
        QueryResult<W>: ComponentNamedList + Lift + 'static,
        W: Cross<T>,
    {
        let ((answer,), used) = self.run(imports, export, params)?;
        let answer: Result<T, Problem> = answer.cross();
        match &answer {
            Ok(value) => check(value)?,
            Err(problem) => bounds::problem(problem)?,
        }
        Ok((answer, used))
    }
}

/// Accepts every value. A list of rows is limited only by its total size.
fn unchecked<T>(_: &T) -> Result<(), RunError> {
    Ok(())
}

fn answered<T>((result, used): (Result<T, Problem>, Used), answer: fn(T) -> Answer) -> (Result<Answer, Problem>, Used) {
    (result.map(answer), used)
}

impl Runner for WasmRunner {
    fn hash(&self) -> &str {
        self.loaded.hash()
    }

    fn declarations(&self) -> &Declarations {
        self.loaded.declarations()
    }

    fn imports(&self) -> &[String] {
        self.loaded.imports()
    }

    fn validate(&mut self, imports: &SharedImports, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>> {
        let params = (candidate.clone().cross(),);
        self.run_question(imports, |exports| &mut exports.validate, params, bounds::product_values)
    }

    fn handle(&mut self, imports: &SharedImports, event: &Event) -> Ran<Decision> {
        let params = (event.clone().cross(),);
        let ((answer,), used) = self.run(imports, |exports| &mut exports.handle, params)?;
        let answer: Result<Decision, Failure> = answer.cross();
        match answer {
            Ok(decision) => bounds::decision(&decision).map(|()| (decision, used)),
            Err(failure) => Err(bounds::failure(&failure).err().unwrap_or(RunError::Failure(failure))),
        }
    }

    fn query(&mut self, imports: &SharedImports, question: &Question, query: &Query) -> Ran<Result<Answer, Problem>> {
        let question = question.clone().cross();
        Ok(match query {
            Query::Catalog => answered(
                self.run_question(imports, |exports| &mut exports.catalog, (question,), unchecked)?,
                Answer::Catalog,
            ),
            Query::Entitlements => {
                let ran = self.run_question(imports, |exports| &mut exports.entitlements, (question,), unchecked)?;
                answered(ran, Answer::Entitlements)
            }
            Query::Usage { start, end } => {
                let params = (question, *start, *end);
                answered(self.run_question(imports, |exports| &mut exports.usage, params, unchecked)?, Answer::Usage)
            }
            Query::Balances => answered(
                self.run_question(imports, |exports| &mut exports.balances, (question,), unchecked)?,
                Answer::Balances,
            ),
            Query::List { kind, filter, page } => {
                let params = (question, kind.clone(), filter.clone(), page.clone().cross());
                answered(self.run_question(imports, |exports| &mut exports.list, params, unchecked)?, Answer::List)
            }
        })
    }
}
