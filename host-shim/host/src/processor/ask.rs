//! Questions: read-only transactions of the account that is asked about.

use super::{HOST_CALLS_MAX, Processor};
use crate::runner::{Ran, RunError, Runner};
use host_store::{Access, Context, Transaction};
use products_contract::{
    Account, Balance, Candidate, Entitlement, Failure, Offer, Problem, ProductValues, Question, StoreError, Timestamp,
    UsageTotal,
};

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
        self.ask(Account::Platform, at, Access::CatalogOnly, |runner, tx| runner.validate(tx, candidate))
    }

    /// What is on sale, in display order.
    pub fn ask_catalog(&mut self, question: &Question) -> Result<Vec<Offer>, AskError> {
        self.ask_about(question, |runner, tx| runner.catalog(tx, question))
    }

    /// What the account may use.
    pub fn ask_entitlements(&mut self, question: &Question) -> Result<Vec<Entitlement>, AskError> {
        self.ask_about(question, |runner, tx| runner.entitlements(tx, question))
    }

    /// Use from `start` until before `end`, both in milliseconds.
    pub fn ask_usage(
        &mut self,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, AskError> {
        self.ask_about(question, |runner, tx| runner.usage(tx, question, start, end))
    }

    /// Balances of the account's ledgers.
    pub fn ask_balances(&mut self, question: &Question) -> Result<Vec<Balance>, AskError> {
        self.ask_about(question, |runner, tx| runner.balances(tx, question))
    }

    fn ask_about<T>(
        &mut self,
        question: &Question,
        body: impl FnOnce(&mut dyn Runner, Transaction) -> Ran<Result<T, Problem>>,
    ) -> Result<T, AskError> {
        self.ask(question.account.clone(), question.at, Access::ReadOnly, body)
    }

    fn ask<T>(
        &mut self,
        account: Account,
        at: Timestamp,
        access: Access,
        body: impl FnOnce(&mut dyn Runner, Transaction) -> Ran<Result<T, Problem>>,
    ) -> Result<T, AskError> {
        let context = Context {
            scope: self.scope(account),
            event_id: String::new(),
            connected_account: None,
            now: at,
            access,
            call_limit: HOST_CALLS_MAX,
            declared: self.declared.clone(),
        };
        let (_, trace, answered) = self.call(context, body);
        if let Some(text) = trace.unavailable {
            return Err(RunError::Failure(Failure::Store(StoreError::Unavailable(text))).into());
        }
        let (answer, _) = answered?;
        answer.map_err(AskError::Problem)
    }
}
