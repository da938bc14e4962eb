//! Runs an extension as a library: no component, no limits. For tests, comparison and debugging.

use crate::runner::{Ran, RunError, Runner, Used};
use host_store::Transaction;
use products_contract::{
    Balance, Candidate, Declarations, Entitlement, Event, Extension, Handled, Offer, Placement, Problem, ProductValues,
    Question, Timestamp, UsageTotal,
};

/// An extension that is linked into this program.
pub struct NativeRunner {
    extension: Box<dyn Extension + Send>,
    declarations: Declarations,
}

impl NativeRunner {
    /// Wrap a library. It is asked what it declares.
    pub fn new(extension: Box<dyn Extension + Send>) -> Self {
        let declarations = extension.declare();
        NativeRunner { extension, declarations }
    }
}

/// The answer of a call that cannot trap.
fn ran<T>(tx: Transaction, answer: T) -> Ran<T> {
    (tx, Ok((answer, Used::default())))
}

/// The answer of a call that may fail.
fn ran_fallible<T>(tx: Transaction, answer: products_contract::Fallible<T>) -> Ran<T> {
    (tx, answer.map(|value| (value, Used::default())).map_err(RunError::Failure))
}

impl Runner for NativeRunner {
    fn hash(&self) -> &str {
        "native"
    }

    fn declarations(&self) -> &Declarations {
        &self.declarations
    }

    fn validate(&mut self, mut tx: Transaction, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>> {
        let answer = self.extension.validate(&mut tx, candidate);
        ran(tx, answer)
    }

    fn correlate(&mut self, mut tx: Transaction, event: &Event) -> Ran<Placement> {
        let answer = self.extension.correlate(&mut tx, event);
        ran_fallible(tx, answer)
    }

    fn handle(&mut self, mut tx: Transaction, event: &Event) -> Ran<Handled> {
        let answer = self.extension.handle(&mut tx, event);
        ran_fallible(tx, answer)
    }

    fn migrate(&mut self, mut tx: Transaction, from: u32, at: Timestamp) -> Ran<()> {
        let answer = self.extension.migrate(&mut tx, from, at);
        ran_fallible(tx, answer)
    }

    fn catalog(&mut self, mut tx: Transaction, question: &Question) -> Ran<Result<Vec<Offer>, Problem>> {
        let answer = self.extension.catalog(&mut tx, question);
        ran(tx, answer)
    }

    fn entitlements(&mut self, mut tx: Transaction, question: &Question) -> Ran<Result<Vec<Entitlement>, Problem>> {
        let answer = self.extension.entitlements(&mut tx, question);
        ran(tx, answer)
    }

    fn usage(
        &mut self,
        mut tx: Transaction,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Ran<Result<Vec<UsageTotal>, Problem>> {
        let answer = self.extension.usage(&mut tx, question, start, end);
        ran(tx, answer)
    }

    fn balances(&mut self, mut tx: Transaction, question: &Question) -> Ran<Result<Vec<Balance>, Problem>> {
        let answer = self.extension.balances(&mut tx, question);
        ran(tx, answer)
    }
}
