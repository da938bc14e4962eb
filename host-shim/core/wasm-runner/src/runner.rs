//! What can run an extension: the library natively, or a component in wasmtime.

use extension_contract::{
    Balance, Candidate, Decision, Declarations, Entitlement, Event, Imports, Listed, Offer, Page, Problem,
    ProductValues, Question, Timestamp, UsageTotal,
};
use std::sync::{Arc, Mutex};

/// What a call used of what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Used {
    /// Fuel; 0 natively.
    pub fuel: u64,
    /// Bytes of linear memory that the instance had grown to; 0 natively. One that is reused has what earlier calls needed.
    pub memory_bytes: u64,
    /// Calls of imports.
    pub host_calls: u64,
}

/// Why a call has no answer. None of these is an outcome: nothing is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The extension answered with a failure.
    #[error(transparent)]
    Failure(#[from] extension_contract::Failure),
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
    /// A returned value that breaks the contract otherwise: an empty key, a text that is no JSON.
    #[error("bad value: {what}: {problem}")]
    BadValue {
        /// Which value.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A decision that breaks the contract otherwise.
    #[error("the decision can't be kept: {0}")]
    BadDecision(String),
    /// Any other trap.
    #[error("trap: {0}")]
    Trap(String),
}

/// The answer of a call and what it used.
pub type Ran<T> = Result<(T, Used), RunError>;

/// What a call may ask of its host. Shared, since an instance owns its side of it and the host wants it back.
pub type SharedImports = Arc<Mutex<dyn Imports + Send>>;

/// One loaded extension.
pub trait Runner: Send {
    /// SHA-256 of the component, hex; `native` for the library.
    fn hash(&self) -> &str;
    /// What the extension declares; asked once, at load.
    fn declarations(&self) -> &Declarations;
    /// `schemas.validate`.
    fn validate(&mut self, imports: &SharedImports, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>>;
    /// `events.handle`.
    fn handle(&mut self, imports: &SharedImports, event: &Event) -> Ran<Decision>;
    /// `queries.catalog`.
    fn catalog(&mut self, imports: &SharedImports, question: &Question) -> Ran<Result<Vec<Offer>, Problem>>;
    /// `queries.entitlements`.
    fn entitlements(&mut self, imports: &SharedImports, question: &Question) -> Ran<Result<Vec<Entitlement>, Problem>>;
    /// `queries.usage`.
    fn usage(
        &mut self,
        imports: &SharedImports,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Ran<Result<Vec<UsageTotal>, Problem>>;
    /// `queries.balances`.
    fn balances(&mut self, imports: &SharedImports, question: &Question) -> Ran<Result<Vec<Balance>, Problem>>;
    /// `queries.list`.
    fn list(
        &mut self,
        imports: &SharedImports,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Ran<Result<Vec<Listed>, Problem>>;
}
