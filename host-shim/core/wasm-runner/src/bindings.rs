//! What wasmtime makes of the WIT, under the WIT's plain names.

// The generated code calls the typed functions of the component without a second check.
#![allow(unsafe_code)]

wasmtime::component::bindgen!({
    path: "../../../wit",
    world: "extension",
    imports: { default: trappable },
});

pub use exports::solobase::products::events::{
    ClaimChange, ClaimRelease, ClaimTake, Decision, DeferReason, Delivery, EffectFailure, EffectFailureClass,
    EffectReport, Event, IgnoreReason, Outcome, Payload, ProductChange, ProviderFacts, Reply, Usage,
};
pub use exports::solobase::products::manifest::{
    CommandDecl, ConfigDecl, ConfigType, Declarations, EffectDecl, TypeDecl,
};
pub use exports::solobase::products::queries::{Balance, Entitlement, Listed, Offer, Question, UsageTotal};
pub use exports::solobase::products::schemas::Candidate;
pub use solobase::products::account::{self, Here, Listing, Mark, Opened, Outdated, Placement, Selection};
pub use solobase::products::catalog::{self, CatalogQuery};
pub use solobase::products::claims::{self, ClaimState};
pub use solobase::products::effects::{self, Effect, RetryPolicy};
pub use solobase::products::log::{self, Level};
pub use solobase::products::rows::{
    self, CatalogKey, CatalogRow, Change, ConfigValue, Grant, LineItem, Price, Product, ProductValues, Purchase,
    PurchaseStatus, PurchaseValues, RecordKey, Reference, Row, RowKey, RowKind, Snapshot, SnapshotRank, StoredRecord,
    StoredRow, Subscription, SubscriptionItem, SubscriptionStatus, SubscriptionValues, Write,
};
pub use solobase::products::types::{
    self, Account, Actor, ActorKind, AmountMismatch, BillingInterval, Failure, FieldError, FieldErrorCode,
    IntervalUnit, Money, Page, Problem, QuotaRefusal, Refusal, StoreError,
};
