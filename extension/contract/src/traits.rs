//! The two sides of the contract.

use crate::events::{Decision, Event, Fallible, Placement};
use crate::manifest::Declarations;
use crate::products::{Product, ProductValues};
use crate::queries::{Balance, Candidate, Entitlement, Listed, Offer, Question, UsageTotal};
use crate::records::{ClaimState, LogLevel};
use crate::rows::{CatalogKey, CatalogQuery, CatalogRow, Opened, RowKey, Selection, StoredRow};
use crate::types::{Page, Problem, StoreError, Timestamp};

/// The result of a call to a store.
pub type Stored<T> = Result<T, StoreError>;

/// What an extension may ask of its host: the WIT imports. Everything is read, nothing is written: what an event means
/// is returned as a [`Decision`].
///
/// A list of keys is answered by a list of the same length and order.
pub trait Imports {
    /// `account.open`: place the event and read what matters. At most once a call of the extension, before anything
    /// else of the account is read.
    fn open(&mut self, placement: &Placement, facts: &[String]) -> Stored<Opened>;
    /// `account.load`: rows of the account by their keys.
    fn load(&mut self, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>>;
    /// `account.more`: rows of the account beyond those that `open` gave, at most `limit`.
    fn more(&mut self, selection: &Selection, limit: u32) -> Stored<Vec<StoredRow>>;
    /// `account.known`: whether each of these facts is noted already.
    fn known(&mut self, facts: &[String]) -> Stored<Vec<bool>>;
    /// `account.begun`: whether each of these effects has begun, ended or not, so that it can't be called off.
    fn begun(&mut self, effects: &[String]) -> Stored<Vec<bool>>;
    /// `claims.take`: where keys stand. What is free is reserved for this decision, if it lists the claim.
    fn claims_take(&mut self, keys: &[String]) -> Stored<Vec<ClaimState>>;
    /// `claims.mine`: keys that this account holds and that begin with `prefix`.
    fn claims_mine(&mut self, prefix: &str) -> Stored<Vec<String>>;
    /// `catalog.read`: parts of the catalog and of the configuration.
    fn catalog_read(&mut self, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>>;
    /// `catalog.find`: products of the catalog in byte order of their ids, without deleted ones.
    fn catalog_find(&mut self, query: &CatalogQuery, page: &Page) -> Stored<Vec<Product>>;
    /// `log.write`.
    fn log_write(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]);
}

/// What a host may ask of an extension: the WIT exports.
pub trait Extension {
    /// `manifest.declare`.
    fn declare(&self) -> Declarations;
    /// `schemas.validate`: pure; sees the catalog and no account.
    fn validate(&self, host: &mut dyn Imports, candidate: &Candidate) -> Result<ProductValues, Problem>;
    /// `events.handle`: what an event means.
    fn handle(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Decision>;
    /// `queries.catalog`: what is on sale, in display order.
    fn catalog(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Offer>, Problem>;
    /// `queries.entitlements`: what the account may use.
    fn entitlements(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Entitlement>, Problem>;
    /// `queries.usage`: from `start` until before `end`.
    fn usage(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, Problem>;
    /// `queries.balances`.
    fn balances(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Balance>, Problem>;
    /// `queries.list`: a page of a kind of things, those that the filter names.
    fn list(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Listed>, Problem>;
}
