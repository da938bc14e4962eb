//! A runner that wraps another one and replaces its `handle`, for example to observe or alter decisions. All other
//! calls are forwarded.

use crate::runner::{Ran, Runner, SharedImports};
use extension_contract::{Answer, Candidate, Decision, Declarations, Event, Problem, ProductValues, Query, Question};

/// The function that replaces the inner runner's `handle`. It may call the inner runner.
type Handle = dyn FnMut(&mut dyn Runner, &SharedImports, &Event) -> Ran<Decision> + Send;

/// A runner with a replaced `handle`.
pub struct Around {
    inner: Box<dyn Runner>,
    handle: Box<Handle>,
}

impl Around {
    /// Wraps a runner and replaces its `handle`.
    pub fn new(
        inner: Box<dyn Runner>,
        handle: impl FnMut(&mut dyn Runner, &SharedImports, &Event) -> Ran<Decision> + Send + 'static,
    ) -> Self {
        Around { inner, handle: Box::new(handle) }
    }
}

impl Runner for Around {
    fn hash(&self) -> &str {
        self.inner.hash()
    }

    fn declarations(&self) -> &Declarations {
        self.inner.declarations()
    }

    fn imports(&self) -> &[String] {
        self.inner.imports()
    }

    fn validate(&mut self, imports: &SharedImports, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>> {
        self.inner.validate(imports, candidate)
    }

    fn handle(&mut self, imports: &SharedImports, event: &Event) -> Ran<Decision> {
        (self.handle)(&mut *self.inner, imports, event)
    }

    fn query(&mut self, imports: &SharedImports, question: &Question, query: &Query) -> Ran<Result<Answer, Problem>> {
        self.inner.query(imports, question, query)
    }
}
