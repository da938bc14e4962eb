//! Runs an extension as a library: no component, no limits. For tests, comparison and debugging.

use crate::runner::{Ran, RunError, Runner, SharedImports, Used};
use products_contract::{
    Balance, Candidate, Decision, Declarations, Entitlement, Event, Extension, Imports, Listed, Offer, Page, Problem,
    ProductValues, Question, Timestamp, UsageTotal,
};
use std::sync::{MutexGuard, PoisonError};

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

/// The imports, for one call. What a panic of another call left behind is as good as what a trap leaves.
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
        Ok((self.extension.validate(&mut *locked(imports), candidate), Used::default()))
    }

    fn handle(&mut self, imports: &SharedImports, event: &Event) -> Ran<Decision> {
        let decision = self.extension.handle(&mut *locked(imports), event).map_err(RunError::Failure)?;
        Ok((decision, Used::default()))
    }

    fn catalog(&mut self, imports: &SharedImports, question: &Question) -> Ran<Result<Vec<Offer>, Problem>> {
        Ok((self.extension.catalog(&mut *locked(imports), question), Used::default()))
    }

    fn entitlements(&mut self, imports: &SharedImports, question: &Question) -> Ran<Result<Vec<Entitlement>, Problem>> {
        Ok((self.extension.entitlements(&mut *locked(imports), question), Used::default()))
    }

    fn usage(
        &mut self,
        imports: &SharedImports,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Ran<Result<Vec<UsageTotal>, Problem>> {
        Ok((self.extension.usage(&mut *locked(imports), question, start, end), Used::default()))
    }

    fn balances(&mut self, imports: &SharedImports, question: &Question) -> Ran<Result<Vec<Balance>, Problem>> {
        Ok((self.extension.balances(&mut *locked(imports), question), Used::default()))
    }

    fn list(
        &mut self,
        imports: &SharedImports,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Ran<Result<Vec<Listed>, Problem>> {
        Ok((self.extension.list(&mut *locked(imports), question, kind, filter, page), Used::default()))
    }
}
