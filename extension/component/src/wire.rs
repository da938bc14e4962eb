//! Exports the generated types of the WIT world at one level, as `crossing!` needs them. Arguments of imports are
//! borrowed; all other values are owned.

pub use crate::bindings::exports::solobase::products::events::{
    self, ClaimChange, ClaimRelease, ClaimTake, Decision, DeferReason, Delivery, EffectFailure, EffectFailureClass,
    EffectReport, Event, IgnoreReason, Outcome, Payload, PaymentFacts, ProductChange, Reply, Usage,
};
pub use crate::bindings::exports::solobase::products::manifest::{
    self, CommandDecl, ConfigDecl, ConfigType, Declarations, EffectDecl, TypeDecl,
};
pub use crate::bindings::exports::solobase::products::queries::{
    self, Balance, Entitlement, Listed, Offer, Question, UsageTotal,
};
pub use crate::bindings::exports::solobase::products::schemas::{self, Candidate};
pub use crate::bindings::solobase::products::account::{Here, Listing, Mark, Opened, Outdated, Placement, Selection};
pub use crate::bindings::solobase::products::catalog::CatalogQuery;
pub use crate::bindings::solobase::products::claims::ClaimState;
pub use crate::bindings::solobase::products::effects::{Effect, RetryPolicy};
pub use crate::bindings::solobase::products::rows::{
    CatalogKey, CatalogRow, Change, ConfigValue, Grant, LineItem, Price, Product, ProductValues, Purchase,
    PurchaseStatus, PurchaseValues, RecordKey, Reference, Row, RowKey, RowKind, Snapshot, SnapshotRank, StoredRecord,
    StoredRow, Subscription, SubscriptionItem, SubscriptionStatus, SubscriptionValues, Write,
};
pub use crate::bindings::solobase::products::types::{
    Account, Actor, ActorKind, AmountMismatch, BillingInterval, Failure, FieldError, FieldErrorCode, ImportError,
    IntervalUnit, Money, Page, Problem, QuotaRefusal, Refusal,
};
