//! Counts the fuel of each call of a component, and labels the stack samples of the call with a heading.

use extension_contract::{
    Answer, Candidate, Decision, Declarations, Event, Payload, Problem, ProductValues, Query, Question,
};
use host_engine::catalog::is_load_at_start;
use host_wasm_runner::runner::{Ran, Runner, SharedImports};
use host_wasm_runner::wasm::Samples;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Heading of the call that loads the catalog when a host starts.
pub const START: &str = "the host's start";
/// Heading of queries: for example, scenarios query entitlements and balances to check them.
pub const QUESTIONS: &str = "questions";

/// The number of calls of one heading, and their fuel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Number of successful calls.
    pub calls: u64,
    /// Fuel of the successful calls.
    pub fuel: u64,
    /// Number of failed calls, whose fuel is unknown.
    pub failed: u64,
}

/// Counts the calls of all runners created with it.
#[derive(Clone)]
pub(crate) struct Meter {
    samples: Arc<Samples>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    measuring: bool,
    spent: BTreeMap<String, Spent>,
}

impl Meter {
    pub fn new(samples: Arc<Samples>) -> Meter {
        Meter { samples, state: Arc::default() }
    }

    /// Starts or stops counting. The calls that check the inputs before they run must not be counted.
    pub fn measure(&self, measuring: bool) {
        self.state().measuring = measuring;
    }

    /// Wraps a runner so that its calls are counted.
    pub fn around(&self, inner: Box<dyn Runner>) -> Metered {
        Metered { inner, meter: self.clone() }
    }

    /// The counts and the stack samples, by heading.
    pub fn read(&self) -> (BTreeMap<String, Spent>, BTreeMap<Vec<String>, u64>) {
        let mut stacks = self.samples.stacks();
        stacks.retain(|stack, _| stack.first().is_some_and(|heading| !heading.is_empty()));
        (self.state().spent.clone(), stacks)
    }

    fn call<T>(&self, heading: &str, call: impl FnOnce() -> Ran<T>) -> Ran<T> {
        let measuring = self.state().measuring;
        // Samples of uncounted calls have an empty heading, which `read` leaves out.
        self.samples.set_heading(Some(if measuring { heading.to_owned() } else { String::new() }));
        let ran = call();
        self.samples.set_heading(Some(String::new()));
        if measuring {
            let mut state = self.state();
            let spent = state.spent.entry(heading.to_owned()).or_default();
            match &ran {
                Ok((_, used)) => {
                    spent.calls += 1;
                    spent.fuel += used.fuel;
                }
                Err(_) => spent.failed += 1,
            }
        }
        ran
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The heading of an event: its kind, with a suffix for results of effects.
fn heading(event: &Event) -> String {
    match &event.payload {
        _ if is_load_at_start(event) => START.to_owned(),
        Payload::EffectResult(_) => format!("{} (result)", event.kind),
        _ => event.kind.clone(),
    }
}

/// A runner whose calls are counted.
pub(crate) struct Metered {
    inner: Box<dyn Runner>,
    meter: Meter,
}

impl Runner for Metered {
    fn hash(&self) -> &str {
        self.inner.hash()
    }

    fn declarations(&self) -> &Declarations {
        self.inner.declarations()
    }

    fn imports(&self) -> &[String] {
        self.inner.imports()
    }

    fn handle(&mut self, imports: &SharedImports, event: &Event) -> Ran<Decision> {
        self.meter.call(&heading(event), || self.inner.handle(imports, event))
    }

    fn validate(&mut self, imports: &SharedImports, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>> {
        self.meter.call(QUESTIONS, || self.inner.validate(imports, candidate))
    }

    fn query(&mut self, imports: &SharedImports, question: &Question, query: &Query) -> Ran<Result<Answer, Problem>> {
        self.meter.call(QUESTIONS, || self.inner.query(imports, question, query))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_wasm_runner::runner::{RunError, Used};

    #[test]
    fn fuel_adds_up_by_heading_while_measuring() {
        let meter = Meter::new(Arc::default());
        let call = |heading: &str, fuel: u64| {
            assert!(meter.call(heading, || Ok(((), Used { fuel, ..Used::default() }))).is_ok());
        };
        call("paid", 1_000);
        meter.measure(true);
        call("paid", 5);
        call("made", 4);
        call("paid", 6);
        let failed: Ran<()> = meter.call("paid", || Err(RunError::Trap("unreachable".to_owned())));
        assert!(failed.is_err());
        meter.measure(false);
        call("made", 1_000);
        let (spent, _) = meter.read();
        let expected =
            [("made", Spent { calls: 1, fuel: 4, failed: 0 }), ("paid", Spent { calls: 2, fuel: 11, failed: 1 })];
        assert_eq!(spent, expected.map(|(heading, spent)| (heading.to_owned(), spent)).into());
    }
}
