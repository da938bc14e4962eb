//! Questions about an account: asked on a snapshot, nothing is written.

use super::Processor;
use crate::snapshot::{Access, Context};
use extension_contract::{
    Account, Balance, Candidate, Entitlement, Failure, Listed, Offer, Page, Problem, ProductValues, Question,
    StoreError, Timestamp, UsageTotal,
};
use host_wasm_runner::runner::{Ran, RunError, Runner, SharedImports};

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AskError {
    /// The extension says so.
    #[error("{}", problem_text(.0))]
    Problem(Problem),
    /// The call did not come to an end.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn problem_text(problem: &Problem) -> String {
    match problem {
        Problem::Refused(refusal) => refusal.to_string(),
        Problem::Failed(failure) => failure.to_string(),
    }
}

impl Processor {
    /// Check a product before it is stored; the values with their defaults. `at` in milliseconds.
    pub fn validate(&mut self, candidate: &Candidate, at: Timestamp) -> Result<ProductValues, AskError> {
        self.ask(Account::Platform, at, Access::CatalogOnly, |runner, imports| runner.validate(imports, candidate))
    }

    /// What is on sale, in display order.
    pub fn ask_catalog(&mut self, question: &Question) -> Result<Vec<Offer>, AskError> {
        self.ask_about(question, |runner, imports| runner.catalog(imports, question))
    }

    /// What the account may use.
    pub fn ask_entitlements(&mut self, question: &Question) -> Result<Vec<Entitlement>, AskError> {
        self.ask_about(question, |runner, imports| runner.entitlements(imports, question))
    }

    /// Use from `start` until before `end`, both in milliseconds.
    pub fn ask_usage(
        &mut self,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, AskError> {
        self.ask_about(question, |runner, imports| runner.usage(imports, question, start, end))
    }

    /// Balances of the account's ledgers.
    pub fn ask_balances(&mut self, question: &Question) -> Result<Vec<Balance>, AskError> {
        self.ask_about(question, |runner, imports| runner.balances(imports, question))
    }

    /// A page of a kind of things.
    pub fn ask_list(
        &mut self,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Listed>, AskError> {
        self.ask_about(question, |runner, imports| runner.list(imports, question, kind, filter, page))
    }

    fn ask_about<T>(
        &mut self,
        question: &Question,
        body: impl FnOnce(&mut dyn Runner, &SharedImports) -> Ran<Result<T, Problem>>,
    ) -> Result<T, AskError> {
        self.ask(question.account.clone(), question.at, Access::Account, body)
    }

    fn ask<T>(
        &mut self,
        account: Account,
        at: Timestamp,
        access: Access,
        body: impl FnOnce(&mut dyn Runner, &SharedImports) -> Ran<Result<T, Problem>>,
    ) -> Result<T, AskError> {
        let context = Context {
            partition: self.partition.clone(),
            account: Some(account),
            connected_account: None,
            event_id: String::new(),
            now: at,
            access,
            declared: self.declared.clone(),
        };
        let (seen, answered) = self.call(context, body);
        self.give_back(seen.store);
        if let Some(text) = seen.trace.unavailable {
            return Err(RunError::Failure(Failure::Store(StoreError::Unavailable(text))).into());
        }
        let (answer, _) = answered?;
        answer.map_err(AskError::Problem)
    }
}
