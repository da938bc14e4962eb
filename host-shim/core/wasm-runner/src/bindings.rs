//! Re-exports the types of the generated host bindings under their names in the WIT.

// The generated code contains `unsafe`: it does not check the types of the component's functions again before a call.
#![allow(unsafe_code)]

/// The bindings, written by wasmtime's generator, which `cargo xtask bindings` runs.
#[allow(clippy::all, missing_docs, unused, reason = "generated")]
mod generated {
    include!("../../../../generated/host.rs");
}

pub use generated::Extension;
pub use generated::exports::solobase::products::events::{
    ClaimChange, ClaimRelease, ClaimTake, Decision, DeferReason, Delivery, EffectFailure, EffectFailureClass,
    EffectReport, Event, IgnoreReason, Outcome, Payload, PaymentFacts, ProductChange, Reply, Usage,
};
pub use generated::exports::solobase::products::manifest::{
    CommandDecl, ConfigDecl, ConfigType, Declarations, EffectDecl, TypeDecl,
};
pub use generated::exports::solobase::products::queries::{Balance, Entitlement, Listed, Offer, Question, UsageTotal};
pub use generated::exports::solobase::products::schemas::Candidate;
pub use generated::solobase::products::account::{self, Here, Listing, Mark, Opened, Outdated, Placement, Selection};
pub use generated::solobase::products::catalog::{self, CatalogQuery};
pub use generated::solobase::products::claims::{self, ClaimState};
pub use generated::solobase::products::effects::{self, Effect, RetryPolicy};
pub use generated::solobase::products::log::{self, Level};
pub use generated::solobase::products::rows::{
    self, CatalogKey, CatalogRow, Change, ConfigValue, Grant, LineItem, Price, Product, ProductValues, Purchase,
    PurchaseStatus, PurchaseValues, RecordKey, Reference, Row, RowKey, RowKind, Snapshot, SnapshotRank, StoredRecord,
    StoredRow, Subscription, SubscriptionItem, SubscriptionStatus, SubscriptionValues, Write,
};
pub use generated::solobase::products::types::{
    self, Account, Actor, ActorKind, AmountMismatch, BillingInterval, Failure, FieldError, FieldErrorCode, ImportError,
    IntervalUnit, Money, Page, Problem, QuotaRefusal, Refusal,
};
