//! How are questions about an account answered? On a snapshot; nothing is written.

use super::Processor;
use crate::snapshot::{Access, Context};
use extension_contract::{
    Account, Balance, Candidate, Entitlement, Failure, Listed, Offer, Page, Problem, ProductValues, Question,
    Timestamp, UsageTotal,
};
use host_store::StoreError;
use host_wasm_runner::runner::{Ran, RunError, Runner, SharedImports};

/// The reason why a question has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AskError {
    /// The extension refused or failed.
    #[error("{}", problem_text(.0))]
    Problem(Problem),
    /// The call did not complete.
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
    /// Validates a product before it is stored; returns its values with defaults. `at` in milliseconds.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    pub fn validate(&mut self, candidate: &Candidate, at: Timestamp) -> Result<ProductValues, AskError> {
        self.ask(Account::Platform, at, Access::CatalogOnly, |runner, imports| runner.validate(imports, candidate))
    }

    /// Returns the offers on sale, in display order.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    pub fn ask_catalog(&mut self, question: &Question) -> Result<Vec<Offer>, AskError> {
        self.ask_about(question, |runner, imports| runner.catalog(imports, question))
    }

    /// Returns the account's entitlements.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    pub fn ask_entitlements(&mut self, question: &Question) -> Result<Vec<Entitlement>, AskError> {
        self.ask_about(question, |runner, imports| runner.entitlements(imports, question))
    }

    /// Returns usage from `start` until before `end`, both in milliseconds.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    pub fn ask_usage(
        &mut self,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, AskError> {
        self.ask_about(question, |runner, imports| runner.usage(imports, question, start, end))
    }

    /// Returns the balances of the account's ledgers.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    pub fn ask_balances(&mut self, question: &Question) -> Result<Vec<Balance>, AskError> {
        self.ask_about(question, |runner, imports| runner.balances(imports, question))
    }

    /// Returns a page of a list, by its kind.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
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
        let (snapshot, ran) = self.call(context, body);
        self.give_back(snapshot.store);
        if let Some(text) = snapshot.trace.unavailable {
            return Err(RunError::Failure(Failure::Store(StoreError::Unavailable(text).into())).into());
        }
        let (answer, _) = ran?;
        answer.map_err(AskError::Problem)
    }
}
