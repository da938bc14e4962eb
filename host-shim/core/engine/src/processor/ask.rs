//! Answers questions about an account on a snapshot. Nothing is written.

use super::Processor;
use super::decide::Deciding;
use super::lendable::Lendable;
use crate::snapshot::{Access, Context, Snapshot, Trace};
use extension_contract::{
    Account, Answer, Balance, Candidate, Entitlement, Failure, Listed, Offer, PAGE_ROWS_MAX, Page, Problem,
    ProductValues, Query, Question, Timestamp, UsageTotal,
};
use host_store::{ConfigError, Declared, Partition, Read, Reader, StoreError, Stored};
use host_wasm_runner::runner::{Ran, RunError, Runner, SharedImports};
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// Asks a query, and returns the list in its answer.
macro_rules! answer_of {
    ($questions:expr, $question:expr, $kind:ident, $query:expr) => {
        match $questions.query($question, &$query)? {
            Answer::$kind(list) => Ok(list),
            other => Err(other_answer(&other)),
        }
    };
}

/// Questions about an account or the catalog. They are answered on a snapshot; nothing is written.
pub trait Questions {
    /// Calls the extension for an account, at a time in milliseconds since the epoch.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    fn ask<T>(
        &mut self,
        account: Account,
        at: Timestamp,
        access: Access,
        body: impl FnOnce(&mut dyn Runner, &SharedImports) -> Ran<Result<T, Problem>>,
    ) -> Result<T, AskError>;

    /// Validates a product before it is stored; returns its values with defaults. `at` in milliseconds.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    fn validate(&mut self, candidate: &Candidate, at: Timestamp) -> Result<ProductValues, AskError> {
        self.ask(Account::Platform, at, Access::CatalogOnly, |runner, imports| runner.validate(imports, candidate))
    }

    /// Returns the offers on sale, in display order.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    fn ask_catalog(&mut self, question: &Question) -> Result<Vec<Offer>, AskError> {
        answer_of!(self, question, Catalog, Query::Catalog)
    }

    /// Returns the account's entitlements.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    fn ask_entitlements(&mut self, question: &Question) -> Result<Vec<Entitlement>, AskError> {
        answer_of!(self, question, Entitlements, Query::Entitlements)
    }

    /// Returns usage from `start` until before `end`, both in milliseconds.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    fn ask_usage(
        &mut self,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, AskError> {
        answer_of!(self, question, Usage, Query::Usage { start, end })
    }

    /// Returns the balances of the account's ledgers.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    fn ask_balances(&mut self, question: &Question) -> Result<Vec<Balance>, AskError> {
        answer_of!(self, question, Balances, Query::Balances)
    }

    /// Returns a page of a list, by its kind.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    fn ask_list(
        &mut self,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Listed>, AskError> {
        let (kind, filter, page) = (kind.to_owned(), filter.map(str::to_owned), page.clone());
        answer_of!(self, question, List, Query::List { kind, filter, page })
    }

    /// Returns the entries of a list up to about `at_most`, and whether the list is complete.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    fn ask_whole_list(
        &mut self,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        at_most: usize,
    ) -> Result<(Vec<Listed>, bool), AskError> {
        let mut all: Vec<Listed> = Vec::new();
        loop {
            let after = all.last().map(|entry| entry.id.clone());
            let page = self.ask_list(question, kind, filter, &Page { after, limit: PAGE_ROWS_MAX })?;
            let is_last = page.len() < PAGE_ROWS_MAX as usize;
            all.extend(page);
            if is_last || all.len() >= at_most {
                return Ok((all, is_last));
            }
        }
    }

    /// Asks a query about the question's account, at its time.
    ///
    /// # Errors
    /// Fails if the extension refuses or fails, or if the store fails.
    fn query(&mut self, question: &Question, query: &Query) -> Result<Answer, AskError> {
        self.ask(question.account.clone(), question.at, Access::Account, |runner, imports| {
            runner.query(imports, question, query)
        })
    }
}

fn other_answer(answer: &Answer) -> AskError {
    let problem = format!("expected the answer to the query, got one to another: {answer:?}");
    RunError::BadValue { what: "answer".to_owned(), problem }.into()
}

impl Questions for Processor {
    fn ask<T>(
        &mut self,
        account: Account,
        at: Timestamp,
        access: Access,
        body: impl FnOnce(&mut dyn Runner, &SharedImports) -> Ran<Result<T, Problem>>,
    ) -> Result<T, AskError> {
        let Deciding { partition, declared, .. } = &*self.deciding;
        let context = context(partition, declared, account, at, access);
        let runner = &mut *self.runner;
        let (trace, ran) = self.store.lend(|store| {
            let (snapshot, ran) = Snapshot::new(store, context).call_with(|imports| body(runner, imports));
            (snapshot.store, (snapshot.trace, ran))
        });
        answer(trace, ran)
    }
}

/// Answers questions with its own reader and extension, separately from the processor that decides, so a question never
/// waits for a decision.
pub struct Answerer {
    reader: Lendable<dyn Reader>,
    runner: Box<dyn Runner>,
    partition: Partition,
    declared: Arc<Declared>,
}

impl Answerer {
    /// Creates an answerer of the processor's business and mode.
    ///
    /// # Errors
    /// Fails if the store has only one handle.
    pub fn of(processor: &Processor, runner: Box<dyn Runner>) -> Result<Self, StoreError> {
        let reader = Lendable::new(processor.store().reader()?);
        let Deciding { partition, declared, .. } = &*processor.deciding;
        let (partition, declared) = (partition.clone(), declared.clone());
        Ok(Answerer { reader, runner, partition, declared })
    }

    /// Creates an answerer on a reader, for a store that another process may write. It has the extension's declarations and
    /// the default values of the configuration.
    ///
    /// # Errors
    /// Fails if the extension requires a configuration value.
    pub fn over(reader: Box<dyn Reader>, runner: Box<dyn Runner>, partition: Partition) -> Result<Self, ConfigError> {
        let declared = Arc::new(Declared::new(runner.declarations(), &BTreeMap::new())?);
        Ok(Answerer { reader: Lendable::new(reader), runner, partition, declared })
    }

    /// Reads the store without the extension, in one snapshot.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn read<T>(&mut self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T> {
        let reader = self.reader.get_mut();
        reader.begin()?;
        let found = body(reader);
        reader.end()?;
        found
    }
}

impl Questions for Answerer {
    fn ask<T>(
        &mut self,
        account: Account,
        at: Timestamp,
        access: Access,
        body: impl FnOnce(&mut dyn Runner, &SharedImports) -> Ran<Result<T, Problem>>,
    ) -> Result<T, AskError> {
        self.reader.get_mut().begin().map_err(failed)?;
        let context = context(&self.partition, &self.declared, account, at, access);
        let runner = &mut *self.runner;
        let (trace, ran) = self.reader.lend(|reader| {
            let (snapshot, ran) = Snapshot::new(reader, context).call_with(|imports| body(runner, imports));
            (snapshot.store, (snapshot.trace, ran))
        });
        self.reader.get_mut().end().map_err(failed)?;
        answer(trace, ran)
    }
}

fn context(
    partition: &Partition,
    declared: &Arc<Declared>,
    account: Account,
    at: Timestamp,
    access: Access,
) -> Context {
    Context {
        partition: partition.clone(),
        account: Some(account),
        connected_account: None,
        event_id: String::new(),
        now: at,
        access,
        declared: declared.clone(),
    }
}

/// Returns the extension's answer, unless the store failed during the call.
fn answer<T>(trace: Trace, ran: Ran<Result<T, Problem>>) -> Result<T, AskError> {
    if let Some(text) = trace.unavailable {
        return Err(failed(StoreError::Unavailable(text)));
    }
    let (answer, _) = ran?;
    answer.map_err(AskError::Problem)
}

fn failed(error: StoreError) -> AskError {
    RunError::Failure(Failure::Store(error.into())).into()
}
