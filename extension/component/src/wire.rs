//! What the generator makes of the WIT, under the WIT's plain names.
//!
//! What an import takes is borrowed, so that a row is written without copying its texts; what an import returns and
//! what an export takes or returns is owned. The generator calls the two forms of one type `…Param` and `…Result`.

wit_bindgen::generate!({
    path: "../../wit",
    world: "extension",
    ownership: Borrowing { duplicate_if_necessary: true },
    export_macro_name: "export_world",
});

pub use exports::solobase::products::events::{
    self, DeferReason, Delivery, EffectFailure, EffectFailureClass, EffectReport, Event, Handled, IgnoreReason, Mark,
    Outcome, Payload, Placement, ProductChange, ProviderFacts, Reply, Usage,
};
pub use exports::solobase::products::manifest::{
    self, CommandDecl, ConfigDecl, ConfigType, Declarations, EffectDecl, TypeDecl,
};
pub use exports::solobase::products::queries::{self, Balance, Entitlement, Offer, Question, UsageTotal};
pub use exports::solobase::products::schemas::{self, Candidate};
pub use solobase::products::claims::ClaimState;
pub use solobase::products::config::ConfigValue;
pub use solobase::products::effects::{Cancellation, EffectError, RetryPolicy};
pub use solobase::products::products::{
    GrantResult as Grant, PriceResult as Price, Product, ProductValuesResult as ProductValues,
};
pub use solobase::products::purchases::{
    LineItemResult as LineItem, Purchase, PurchaseStatus, PurchaseValuesResult as PurchaseValues,
};
pub use solobase::products::records::StoredRecord;
pub use solobase::products::subscriptions::{
    SnapshotRank, SnapshotResult as Snapshot, Subscription, SubscriptionItemResult as SubscriptionItem,
    SubscriptionStatus, SubscriptionValuesResult as SubscriptionValues,
};
pub use solobase::products::types::{
    AccountResult as Account, Actor, ActorKind, AmountMismatch, BillingInterval, Failure, FieldError, FieldErrorCode,
    IntervalUnit, MoneyResult as Money, Problem, QuotaRefusal, Refusal, StoreError,
};
