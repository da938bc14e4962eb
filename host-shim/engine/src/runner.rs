//! What can run an extension: the library natively, or a component in wasmtime.

use host_store::Transaction;
use products_contract::{
    Balance, Candidate, Declarations, Entitlement, Event, Handled, Offer, Placement, Problem, ProductValues, Question,
    Timestamp, UsageTotal,
};

/// What a call used of what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Used {
    /// Fuel; 0 natively.
    pub fuel: u64,
}

/// Why a call has no answer. None of these is an outcome: the transaction is thrown away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The extension answered with a failure.
    #[error(transparent)]
    Failure(#[from] products_contract::Failure),
    /// The component ran out of fuel.
    #[error("out of fuel: the call used more than {limit}")]
    OutOfFuel {
        /// Units it was given.
        limit: u64,
    },
    /// The component ran past the epoch deadline.
    #[error("deadline passed: the call ran longer than {limit_ms} ms")]
    Deadline {
        /// Milliseconds it was given.
        limit_ms: u64,
    },
    /// The component wanted more memory than it may have.
    #[error("out of memory: the component wanted more than {limit_bytes} bytes")]
    OutOfMemory {
        /// Bytes it may have.
        limit_bytes: u64,
    },
    /// The component's stack ran over.
    #[error("stack overflow in the component")]
    StackOverflow,
    /// The component called its imports too often.
    #[error("too many host calls: more than {limit}")]
    TooManyHostCalls {
        /// Calls it may make.
        limit: u64,
    },
    /// A value that crossed the boundary was larger than allowed.
    #[error("value too large: {what} is larger than {limit_bytes} bytes")]
    ValueTooLarge {
        /// Which value.
        what: String,
        /// Bytes allowed.
        limit_bytes: u64,
    },
    /// The account was written by a newer component.
    #[error("data too new: account `{account}` has data version {data}, the component writes {component}")]
    DataTooNew {
        /// The account.
        account: String,
        /// Version that its rows were written with.
        data: u32,
        /// Version that the component writes.
        component: u32,
    },
    /// A returned value that breaks the contract otherwise: an empty key, a text that is no JSON.
    #[error("bad value: {what}: {problem}")]
    BadValue {
        /// Which value.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Any other trap.
    #[error("trap: {0}")]
    Trap(String),
}

/// The answer of a call, with the transaction given back whatever happened.
pub type Ran<T> = (Transaction, Result<(T, Used), RunError>);

/// One loaded extension. A transaction goes in by value and comes back, since a component's store must own it.
pub trait Runner: Send {
    /// SHA-256 of the component, hex; `native` for the library.
    fn hash(&self) -> &str;
    /// What the extension declares; asked once, at load.
    fn declarations(&self) -> &Declarations;
    /// `schemas.validate`.
    fn validate(&mut self, tx: Transaction, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>>;
    /// `events.correlate`.
    fn correlate(&mut self, tx: Transaction, event: &Event) -> Ran<Placement>;
    /// `events.handle`.
    fn handle(&mut self, tx: Transaction, event: &Event) -> Ran<Handled>;
    /// `events.migrate`.
    fn migrate(&mut self, tx: Transaction, from: u32, at: Timestamp) -> Ran<()>;
    /// `queries.catalog`.
    fn catalog(&mut self, tx: Transaction, question: &Question) -> Ran<Result<Vec<Offer>, Problem>>;
    /// `queries.entitlements`.
    fn entitlements(&mut self, tx: Transaction, question: &Question) -> Ran<Result<Vec<Entitlement>, Problem>>;
    /// `queries.usage`.
    fn usage(
        &mut self,
        tx: Transaction,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Ran<Result<Vec<UsageTotal>, Problem>>;
    /// `queries.balances`.
    fn balances(&mut self, tx: Transaction, question: &Question) -> Ran<Result<Vec<Balance>, Problem>>;
}
