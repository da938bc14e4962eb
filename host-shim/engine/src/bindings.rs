//! What wasmtime makes of the WIT, under the WIT's plain names.

// The generated code calls the typed functions of the component without a second check.
#![allow(unsafe_code)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "extension",
    imports: { default: trappable },
});

pub use exports::solobase::products::events::{
    DeferReason, Delivery, EffectFailure, EffectFailureClass, EffectReport, Event, Handled, IgnoreReason, Mark,
    Outcome, Payload, Placement, ProductChange, ProviderFacts, Reply, Usage,
};
pub use exports::solobase::products::manifest::{
    CommandDecl, ConfigDecl, ConfigType, Declarations, EffectDecl, TypeDecl,
};
pub use exports::solobase::products::queries::{Balance, Entitlement, Offer, Question, UsageTotal};
pub use exports::solobase::products::schemas::Candidate;
pub use solobase::products::claims::{self, ClaimState};
pub use solobase::products::config::{self, ConfigError, ConfigValue};
pub use solobase::products::effects::{self, Cancellation, Effect, EffectError, RetryPolicy};
pub use solobase::products::log::{self, Level};
pub use solobase::products::products::{self, Grant, Price, Product, ProductValues};
pub use solobase::products::purchases::{self, LineItem, Purchase, PurchaseKey, PurchaseStatus, PurchaseValues};
pub use solobase::products::records::{self, RecordKey, RecordWrite, StoredRecord};
pub use solobase::products::subscriptions::{
    self, Snapshot, SnapshotRank, Subscription, SubscriptionItem, SubscriptionStatus, SubscriptionValues,
};
pub use solobase::products::types::{
    self, Account, Actor, ActorKind, AmountMismatch, BillingInterval, Failure, FieldError, FieldErrorCode,
    IntervalUnit, Money, Page, Problem, QuotaRefusal, Refusal, StoreError,
};
