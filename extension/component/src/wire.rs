//! The types generated from the WIT, under their WIT names. Arguments of imports are borrowed, all others are owned.

wit_bindgen::generate!({
    path: "../../wit",
    world: "extension",
    export_macro_name: "export_world",
    // There are no constructors, and checking whether they ran would cost the first call more fuel than the others.
    disable_run_ctors_once_workaround: true,
});

pub use exports::solobase::products::events::{
    self, ClaimChange, ClaimRelease, ClaimTake, Decision, DeferReason, Delivery, EffectFailure, EffectFailureClass,
    EffectReport, Event, IgnoreReason, Outcome, Payload, ProductChange, ProviderFacts, Reply, Usage,
};
pub use exports::solobase::products::manifest::{
    self, CommandDecl, ConfigDecl, ConfigType, Declarations, EffectDecl, TypeDecl,
};
pub use exports::solobase::products::queries::{self, Balance, Entitlement, Listed, Offer, Question, UsageTotal};
pub use exports::solobase::products::schemas::{self, Candidate};
pub use solobase::products::account::{Here, Listing, Mark, Opened, Outdated, Placement, Selection};
pub use solobase::products::catalog::CatalogQuery;
pub use solobase::products::claims::ClaimState;
pub use solobase::products::effects::{Effect, RetryPolicy};
pub use solobase::products::rows::{
    CatalogKey, CatalogRow, Change, ConfigValue, Grant, LineItem, Price, Product, ProductValues, Purchase,
    PurchaseStatus, PurchaseValues, RecordKey, Reference, Row, RowKey, RowKind, Snapshot, SnapshotRank, StoredRecord,
    StoredRow, Subscription, SubscriptionItem, SubscriptionStatus, SubscriptionValues, Write,
};
pub use solobase::products::types::{
    Account, Actor, ActorKind, AmountMismatch, BillingInterval, Failure, FieldError, FieldErrorCode, IntervalUnit,
    Money, Page, Problem, QuotaRefusal, Refusal, StoreError,
};
