//! The trait `Runner`, with which the host calls an extension: a native library, or a component in wasmtime.

use extension_contract::{
    Answer, Candidate, Decision, Declarations, Event, Imports, Problem, ProductValues, Query, Question,
};
use std::sync::{Arc, Mutex};

/// The resources that a call used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Used {
    /// Consumed fuel in units; 0 for a native library.
    pub fuel: u64,
    /// Size of the instance's linear memory in bytes; 0 for a native library. A reused instance keeps the memory of
    /// earlier calls.
    pub memory_bytes: u64,
    /// Number of calls of imports.
    pub host_calls: u64,
}

/// The reason why a call has no result. Such an error is not an outcome: the host stores no changes and no effects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The extension returned a failure.
    #[error(transparent)]
    Failure(#[from] extension_contract::Failure),
    /// The component ran out of fuel.
    #[error("out of fuel: the call used more than {limit}")]
    OutOfFuel {
        /// Limit in units of fuel.
        limit: u64,
    },
    /// The component exceeded the epoch deadline.
    #[error("deadline passed: the call ran longer than {limit_ms} ms")]
    Deadline {
        /// Limit in milliseconds.
        limit_ms: u64,
    },
    /// The component exceeded its memory limit.
    #[error("out of memory: the component needed more than {limit_bytes} bytes")]
    OutOfMemory {
        /// Limit in bytes.
        limit_bytes: u64,
    },
    /// The component's stack overflowed.
    #[error("stack overflow in the component")]
    StackOverflow,
    /// The component called its imports too often.
    #[error("too many host calls: more than {limit}")]
    TooManyHostCalls {
        /// Maximum number of calls of imports.
        limit: u64,
    },
    /// A value that the extension passed to an import or returned exceeds its size limit.
    #[error("value too large: {what} is larger than {limit_bytes} bytes")]
    ValueTooLarge {
        /// Name of the value.
        what: String,
        /// Limit in bytes.
        limit_bytes: u64,
    },
    /// A returned value violates the contract: for example, a key is empty, or a string is not JSON.
    #[error("bad value: {what}: {problem}")]
    BadValue {
        /// Name of the value.
        what: String,
        /// Description of the violation.
        problem: String,
    },
    /// A decision violates the contract.
    #[error("the decision can't be kept: {0}")]
    BadDecision(String),
    /// Any other trap.
    #[error("trap: {0}")]
    Trap(String),
}

/// The result of a call and the resources that the call used, or the reason why the call has no result.
pub type Ran<T> = Result<(T, Used), RunError>;

/// The imports of a call. Shared, since the instance owns a reference and the host needs the imports after the call.
pub type SharedImports = Arc<Mutex<dyn Imports + Send>>;

/// One loaded extension.
///
/// # Errors
/// The calls fail with [`RunError`] if the extension traps, exceeds a limit or violates the contract.
pub trait Runner: Send {
    /// Returns the SHA-256 of the component in hexadecimal, or `native` for a native library.
    fn hash(&self) -> &str;
    /// Returns the declarations of the extension, which are read once at load.
    fn declarations(&self) -> &Declarations;
    /// Returns the names of the component's imports, for example `solobase:products/claims@0.2.0-dev`; none for a native library.
    fn imports(&self) -> &[String] {
        &[]
    }
    /// Calls `schemas.validate`.
    fn validate(&mut self, imports: &SharedImports, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>>;
    /// Calls `events.handle`.
    fn handle(&mut self, imports: &SharedImports, event: &Event) -> Ran<Decision>;
    /// Calls the function of `queries` for a query. The answer has the variant of the query.
    fn query(&mut self, imports: &SharedImports, question: &Question, query: &Query) -> Ran<Result<Answer, Problem>>;
}
