//! The two traits of the contract: the host's imports and the extension's exports.

use crate::events::{Decision, Event, Fallible, Placement};
use crate::manifest::Declarations;
use crate::products::{Product, ProductValues};
use crate::queries::{Answer, Balance, Candidate, Entitlement, Listed, Offer, Query, Question, UsageTotal};
use crate::records::{ClaimState, LogLevel};
use crate::rows::{CatalogKey, CatalogQuery, CatalogRow, Opened, RowKey, Selection, StoredRow};
use crate::types::{ImportError, Page, Problem, Timestamp};

/// The result of a call of an import.
pub type Imported<T> = Result<T, ImportError>;

/// The functions that the host offers to the extension: the imports of the WIT world. Except for `log_write`, they only
/// read: the extension returns its changes in a [`Decision`].
///
/// A function that takes a list of keys returns a list of the same length and order.
///
/// # Errors
///
/// Every function fails with an [`ImportError`] if an argument exceeds a limit or the store is unavailable.
pub trait Imports {
    /// `account.open`: finds the event's account, and reads the account's live rows and the rows that the placement
    /// names. The extension must call `open` before any other read of the account, and at most once per event or query.
    fn open(&mut self, placement: &Placement, facts: &[String]) -> Imported<Opened>;
    /// `account.load`: reads rows of the account by key.
    fn load(&mut self, keys: &[RowKey]) -> Imported<Vec<Option<StoredRow>>>;
    /// `account.more`: reads at most `limit` rows of the account that match `selection`, also rows that `open` did not
    /// return.
    fn more(&mut self, selection: &Selection, limit: u32) -> Imported<Vec<StoredRow>>;
    /// `account.known`: returns for each fact whether it is already recorded.
    fn known(&mut self, facts: &[String]) -> Imported<Vec<bool>>;
    /// `account.begun`: returns for each effect whether it has begun and can no longer be cancelled.
    fn begun(&mut self, effects: &[String]) -> Imported<Vec<bool>>;
    /// `claims.take`: returns the state of each claim. The decision may take a free claim. If the state of a claim
    /// changes before the commit, the host decides the event again.
    fn claims_take(&mut self, keys: &[String]) -> Imported<Vec<ClaimState>>;
    /// `claims.mine`: returns the keys of this account's claims that begin with `prefix`.
    fn claims_mine(&mut self, prefix: &str) -> Imported<Vec<String>>;
    /// `catalog.read`: reads parts of the catalog and of the configuration by key.
    fn catalog_read(&mut self, keys: &[CatalogKey]) -> Imported<Vec<Option<CatalogRow>>>;
    /// `catalog.find`: returns the matching products of the catalog in byte order of their ids. Omits deleted products.
    fn catalog_find(&mut self, query: &CatalogQuery, page: &Page) -> Imported<Vec<Product>>;
    /// `log.write`: writes a log entry.
    fn log_write(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]);
}

/// The functions of the extension, the WIT exports.
///
/// # Errors
///
/// A function fails if an import of the host fails or stored data is damaged. A query also fails if the extension
/// refuses it, for example because the actor may not read the account.
pub trait Extension {
    /// `manifest.declare`: returns the declarations of the extension: its product types, commands, effects and others.
    fn declare(&self) -> Declarations;
    /// `schemas.validate`: checks the values of a product, and returns them with defaults for missing fields. Reads
    /// only the catalog. Also fails if a field is not valid.
    fn validate(&self, host: &mut dyn Imports, candidate: &Candidate) -> Result<ProductValues, Problem>;
    /// `events.handle`: returns the decision on an event.
    fn handle(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Decision>;
    /// `queries.catalog`: returns the products on sale, in display order.
    fn catalog(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Offer>, Problem>;
    /// `queries.entitlements`: returns the account's entitlements.
    fn entitlements(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Entitlement>, Problem>;
    /// `queries.usage`: returns the usage from `start` (inclusive) to `end` (exclusive).
    fn usage(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, Problem>;
    /// `queries.balances`: returns the balances of the account's ledgers.
    fn balances(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Balance>, Problem>;
    /// `queries.list`: returns a page of the entries of a kind, for example `invoices`; with a filter, only entries
    /// with this status.
    fn list(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Listed>, Problem>;
    /// Calls the function of a query.
    fn query(&self, host: &mut dyn Imports, question: &Question, query: &Query) -> Result<Answer, Problem> {
        Ok(match query {
            Query::Catalog => Answer::Catalog(self.catalog(host, question)?),
            Query::Entitlements => Answer::Entitlements(self.entitlements(host, question)?),
            Query::Usage { start, end } => Answer::Usage(self.usage(host, question, *start, *end)?),
            Query::Balances => Answer::Balances(self.balances(host, question)?),
            Query::List { kind, filter, page } => {
                Answer::List(self.list(host, question, kind, filter.as_deref(), page)?)
            }
        })
    }
}
