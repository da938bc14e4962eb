//! Runs an extension as a native library, without limits. For tests, comparison and debugging.

mod counted;

use crate::runner::{Ran, RunError, Runner, SharedImports, Used};
use counted::CountingImports;
use extension_contract::{
    Answer, Candidate, Decision, Declarations, Event, Extension, Imports, Problem, ProductValues, Query, Question,
};
use std::sync::{Arc, MutexGuard, PoisonError};

/// An extension that is linked into this program.
pub struct NativeRunner {
    extension: Box<dyn Extension + Send>,
    declarations: Arc<Declarations>,
}

/// Calls the extension and counts its calls of imports.
fn counted<T>(imports: &SharedImports, body: impl FnOnce(&mut dyn Imports) -> T) -> (T, Used) {
    let mut imports = locked(imports);
    let mut counted = CountingImports::new(&mut *imports);
    let answer = body(&mut counted);
    (answer, Used { host_calls: counted.calls(), ..Used::default() })
}

impl NativeRunner {
    /// Wraps a library and reads its declarations.
    pub fn new(extension: Box<dyn Extension + Send>) -> Self {
        let declarations = Arc::new(extension.declare());
        NativeRunner { extension, declarations }
    }

    /// Wraps a library with known declarations.
    pub fn known(extension: Box<dyn Extension + Send>, declarations: Arc<Declarations>) -> Self {
        NativeRunner { extension, declarations }
    }
}

/// Locks the imports for one call. Ignores poisoning: a panic in another call, like a trap, does not affect this call.
fn locked(imports: &SharedImports) -> MutexGuard<'_, dyn Imports + Send + 'static> {
    imports.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runner for NativeRunner {
    fn hash(&self) -> &str {
        "native"
    }

    fn declarations(&self) -> &Declarations {
        &self.declarations
    }

    fn validate(&mut self, imports: &SharedImports, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>> {
        Ok(counted(imports, |imports| self.extension.validate(imports, candidate)))
    }

    fn handle(&mut self, imports: &SharedImports, event: &Event) -> Ran<Decision> {
        let (decision, used) = counted(imports, |imports| self.extension.handle(imports, event));
        Ok((decision.map_err(RunError::Failure)?, used))
    }

    fn query(&mut self, imports: &SharedImports, question: &Question, query: &Query) -> Ran<Result<Answer, Problem>> {
        Ok(counted(imports, |imports| self.extension.query(imports, question, query)))
    }
}
