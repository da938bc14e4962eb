//! The two sides of the contract.

use crate::effects::{Cancellation, Effect, EffectError};
use crate::events::{Event, Fallible, Handled, Placement};
use crate::manifest::Declarations;
use crate::products::{Price, Product, ProductValues};
use crate::purchases::{Purchase, PurchaseKey, PurchaseValues};
use crate::queries::{Balance, Candidate, Entitlement, Offer, Question, UsageTotal};
use crate::records::{ClaimState, ConfigValue, LogLevel, RecordKey, RecordWrite, StoredRecord};
use crate::subscriptions::{Subscription, SubscriptionValues};
use crate::types::{Page, Problem, RowVersion, StoreError, Timestamp};

/// The result of a call to a store.
pub type Stored<T> = Result<T, StoreError>;

/// What an extension may ask of its host: the WIT imports, all scoped to the account of the transaction.
///
/// A list of ids is answered by a list of the same length and order. `save` with `expected` 0 inserts.
pub trait Imports {
    /// `products.load`: from this account or the catalog.
    fn products_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Product>>>;
    /// `products.scan`: in order of the ids, without deleted ones.
    fn products_scan(&mut self, catalog: bool, product_type: Option<&str>, page: &Page) -> Stored<Vec<Product>>;
    /// `products.save`.
    fn product_save(&mut self, id: &str, expected: RowVersion, values: &ProductValues) -> Stored<RowVersion>;
    /// `products.remove`: a soft delete.
    fn product_remove(&mut self, id: &str, expected: RowVersion) -> Stored<RowVersion>;
    /// `products.load-prices`.
    fn prices_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Price>>>;
    /// `products.save-price`: only for an event of `platform`.
    fn price_save(&mut self, price: &Price) -> Stored<()>;
    /// `purchases.find`.
    fn purchase_find(&mut self, keys: &[PurchaseKey]) -> Stored<Option<Purchase>>;
    /// `purchases.scan`.
    fn purchases_scan(&mut self, page: &Page) -> Stored<Vec<Purchase>>;
    /// `purchases.save`.
    fn purchase_save(&mut self, id: &str, expected: RowVersion, values: &PurchaseValues) -> Stored<RowVersion>;
    /// `subscriptions.load`.
    fn subscriptions_load(&mut self, ids: &[String]) -> Stored<Vec<Option<Subscription>>>;
    /// `subscriptions.scan`: final ones included.
    fn subscriptions_scan(&mut self, page: &Page) -> Stored<Vec<Subscription>>;
    /// `subscriptions.save`.
    fn subscription_save(&mut self, id: &str, expected: RowVersion, values: &SubscriptionValues) -> Stored<RowVersion>;
    /// `records.load`.
    fn records_load(&mut self, keys: &[RecordKey]) -> Stored<Vec<Option<StoredRecord>>>;
    /// `records.scan`: ids that begin with `prefix`.
    fn records_scan(
        &mut self,
        collection: &str,
        prefix: &str,
        descending: bool,
        page: &Page,
    ) -> Stored<Vec<StoredRecord>>;
    /// `records.save`: all or none; returns the new versions, 0 for a removed one.
    fn records_save(&mut self, writes: &[RecordWrite]) -> Stored<Vec<RowVersion>>;
    /// `records.note`: true for each fact that is new.
    fn facts_note(&mut self, facts: &[String]) -> Stored<Vec<bool>>;
    /// `claims.take`: all, or none if one is taken or blocked.
    fn claims_take(&mut self, keys: &[String], until: Option<Timestamp>) -> Stored<Vec<ClaimState>>;
    /// `claims.release`.
    fn claims_release(&mut self, keys: &[String], blocked_until: Option<Timestamp>) -> Stored<()>;
    /// `claims.mine`.
    fn claims_mine(&mut self, prefix: &str) -> Stored<Vec<String>>;
    /// `effects.enqueue`: all or none.
    fn effects_enqueue(&mut self, effects: &[Effect]) -> Result<(), EffectError>;
    /// `effects.cancel`.
    fn effects_cancel(&mut self, keys: &[String]) -> Stored<Vec<Cancellation>>;
    /// `config.load`; the error names a key that the manifest does not declare.
    fn config_load(&mut self, keys: &[String]) -> Result<Vec<Option<ConfigValue>>, String>;
    /// `log.write`.
    fn log_write(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]);
}

/// What a host may ask of an extension: the WIT exports.
pub trait Extension {
    /// `manifest.declare`.
    fn declare(&self) -> Declarations;
    /// `schemas.validate`: pure; sees the catalog and no account.
    fn validate(&self, host: &mut dyn Imports, candidate: &Candidate) -> Result<ProductValues, Problem>;
    /// `events.correlate`: pure over the event and the catalog.
    fn correlate(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Placement>;
    /// `events.handle`: in the transaction of the event's account.
    fn handle(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Handled>;
    /// `events.migrate`: brings the account's rows up from an older data version.
    fn migrate(&self, host: &mut dyn Imports, from: u32, at: Timestamp) -> Fallible<()>;
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
}
