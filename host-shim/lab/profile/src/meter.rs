//! A runner around a component's, that notes what each call used and under which heading its stack is looked at.

use extension_contract::{
    Balance, Candidate, Decision, Declarations, Entitlement, Event, Listed, Offer, Page, Payload, Problem,
    ProductValues, Question, Timestamp, UsageTotal,
};
use host::is_load_at_start;
use host_wasm_runner::runner::{Ran, Runner, SharedImports};
use host_wasm_runner::wasm::Samples;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Heading of the load of a folder's catalog by a host that starts.
pub const START: &str = "the host's start";
/// Heading of questions, which scenarios ask where they expect entitlements or balances.
pub const QUESTIONS: &str = "questions";

/// What the calls of one heading used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls that answered.
    pub calls: u64,
    /// Fuel of these.
    pub fuel: u64,
    /// Calls that ended in an error, of which nobody knows the fuel.
    pub failed: u64,
}

/// What the calls of all runners used that were made with it.
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

    /// From here on calls count, or count for nothing: inputs are checked before they are played.
    pub fn measure(&self, measuring: bool) {
        self.state().measuring = measuring;
    }

    /// A runner whose calls count.
    pub fn around(&self, inner: Box<dyn Runner>) -> Metered {
        Metered { inner, meter: self.clone() }
    }

    /// What was used, and the stacks that were seen, by heading.
    pub fn read(&self) -> (BTreeMap<String, Spent>, BTreeMap<Vec<String>, u64>) {
        let mut stacks = self.samples.stacks();
        stacks.retain(|stack, _| stack.first().is_some_and(|heading| !heading.is_empty()));
        (self.state().spent.clone(), stacks)
    }

    fn call<T>(&self, heading: &str, call: impl FnOnce() -> Ran<T>) -> Ran<T> {
        let measuring = self.state().measuring;
        // What doesn't count is seen under no name, and left out in the end.
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

/// Under which heading an event is: its kind, and for the end of an effect that it is one.
fn heading(event: &Event) -> String {
    match &event.payload {
        _ if is_load_at_start(event) => START.to_owned(),
        Payload::EffectResult(_) => format!("{} (result)", event.kind),
        _ => event.kind.clone(),
    }
}

/// See the module.
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

    fn handle(&mut self, imports: &SharedImports, event: &Event) -> Ran<Decision> {
        self.meter.call(&heading(event), || self.inner.handle(imports, event))
    }

    fn validate(&mut self, imports: &SharedImports, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>> {
        self.meter.call(QUESTIONS, || self.inner.validate(imports, candidate))
    }

    fn catalog(&mut self, imports: &SharedImports, question: &Question) -> Ran<Result<Vec<Offer>, Problem>> {
        self.meter.call(QUESTIONS, || self.inner.catalog(imports, question))
    }

    fn entitlements(&mut self, imports: &SharedImports, question: &Question) -> Ran<Result<Vec<Entitlement>, Problem>> {
        self.meter.call(QUESTIONS, || self.inner.entitlements(imports, question))
    }

    fn usage(
        &mut self,
        imports: &SharedImports,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Ran<Result<Vec<UsageTotal>, Problem>> {
        self.meter.call(QUESTIONS, || self.inner.usage(imports, question, start, end))
    }

    fn balances(&mut self, imports: &SharedImports, question: &Question) -> Ran<Result<Vec<Balance>, Problem>> {
        self.meter.call(QUESTIONS, || self.inner.balances(imports, question))
    }

    fn list(
        &mut self,
        imports: &SharedImports,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Ran<Result<Vec<Listed>, Problem>> {
        self.meter.call(QUESTIONS, || self.inner.list(imports, question, kind, filter, page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_wasm_runner::runner::{RunError, Used};

    #[test]
    fn what_calls_use_adds_up_by_heading_and_only_while_it_is_measured() {
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
