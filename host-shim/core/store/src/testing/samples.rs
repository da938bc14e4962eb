//! Sample rows for tests. Most optional values are missing.

use crate::changes::{Changes, EffectChange, InboxChange, InboxMove, InboxProgress, NewInbox, RowWrite};
use crate::rows::{ClaimRow, EffectRow, EffectState, InboxState, Lease};
use crate::scope::{Partition, Scope};
use extension_contract::{
    Account, Actor, BillingInterval, Effect, Event, Grant, IntervalUnit, Money, Payload, Price, Product, ProductValues,
    Purchase, PurchaseStatus, PurchaseValues, RecordKey, Row, RowKey, Snapshot, SnapshotRank, StoredRecord,
    Subscription, SubscriptionStatus, SubscriptionValues, Timestamp,
};
use std::sync::Arc;

/// Returns the test-mode scope of an account, for example `user:A`, in the business `shop`.
///
/// # Panics
/// Panics if the string is not an account.
pub fn scope(account: &str) -> Scope {
    Scope { business: "shop".into(), livemode: false, account: account.parse().expect("a valid account") }
}

/// Returns the partition of [`scope`].
pub fn partition() -> Partition {
    Partition { business: "shop".into(), livemode: false }
}

/// Returns the empty changes of an event in a scope.
pub fn changes(scope: &Scope, event_id: &str) -> Changes {
    Changes { scope: Some(scope.clone()), event_id: event_id.into(), ..Changes::default() }
}

/// Returns an amount in US cents.
pub fn usd(amount_minor: i64) -> Money {
    Money { amount_minor, currency: "usd".into() }
}

/// Returns a product of an account with version 1.
pub fn product(owner: &Account, id: &str, product_type: &str) -> Product {
    Product { id: id.into(), owner: owner.clone(), values: product_values(product_type), version: 1, deleted: false }
}

/// Returns the values of a product without a price.
pub fn product_values(product_type: &str) -> ProductValues {
    ProductValues {
        product_type: product_type.into(),
        name: "A product".into(),
        description: String::new(),
        active: true,
        price: None,
        interval: None,
        filters: Vec::new(),
        metadata: "{}".into(),
    }
}

/// Returns a purchase with version 1 and an optional checkout session.
pub fn purchase(id: &str, session: Option<&str>) -> Purchase {
    Purchase { id: id.into(), values: purchase_values(session), version: 1 }
}

/// Returns the values of a pending purchase.
pub fn purchase_values(session: Option<&str>) -> PurchaseValues {
    PurchaseValues {
        provider: "stripe".into(),
        session_id: session.map(str::to_owned),
        payment_intent_id: None,
        subscription_id: None,
        status: PurchaseStatus::Pending,
        items: Vec::new(),
        amount: usd(1000),
        tax: usd(0),
        total: usd(1000),
        refunded: usd(0),
        metadata: "{}".into(),
    }
}

/// Returns an active subscription with version 1.
pub fn subscription(id: &str) -> Subscription {
    Subscription {
        id: id.into(),
        values: SubscriptionValues {
            customer_id: "cus_A".into(),
            status: SubscriptionStatus::Active,
            items: Vec::new(),
            cancel_at_period_end: false,
            cancel_at: None,
            trial_end: None,
            grace_end: None,
            snapshot: Snapshot { at: 1000, rank: SnapshotRank::Created, event_id: "evt_1".into() },
            metadata: "{}".into(),
        },
        version: 1,
    }
}

/// Returns a record with version 1.
pub fn record(collection: &str, id: &str, value: &str) -> StoredRecord {
    StoredRecord { collection: collection.into(), id: id.into(), value: value.into(), version: 1 }
}

/// Returns the key of a record.
pub fn record_key(collection: &str, id: &str) -> RowKey {
    RowKey::Record(RecordKey { collection: collection.into(), id: id.into() })
}

/// Returns a price of the catalog with all optional values.
pub fn price(id: &str) -> Price {
    Price {
        id: id.into(),
        product_id: "plan_pro".into(),
        product_type: "subscription_plan".into(),
        family: Some("plan".into()),
        amount: usd(2900),
        interval: Some(BillingInterval { unit: IntervalUnit::Year, count: 2 }),
        active: false,
        grants: vec![Grant { key: "instances".into(), amount: -1 }],
        terms: "{\"trial_days\": 14}".into(),
    }
}

/// Returns a write of a live row with data version 1, without references.
pub fn write(row: Row) -> RowWrite {
    let key = match &row {
        Row::Product(row) => RowKey::Product(row.id.clone()),
        Row::Price(row) => RowKey::Price(row.id.clone()),
        Row::Purchase(row) => RowKey::Purchase(row.id.clone()),
        Row::Subscription(row) => RowKey::Subscription(row.id.clone()),
        Row::Record(row) => record_key(&row.collection, &row.id),
    };
    RowWrite { key, row: Some(row), data_version: 1, live: true, references: Vec::new(), fingerprint: None }
}

/// Returns a deletion of a record.
pub fn gone(collection: &str, id: &str) -> RowWrite {
    let key = record_key(collection, id);
    RowWrite { key, row: None, data_version: 1, live: false, references: Vec::new(), fingerprint: None }
}

/// Returns a claim without expiry.
pub fn claim(account: &Account) -> ClaimRow {
    ClaimRow { holder: Some(account.clone()), until: None, blocked_until: None }
}

/// Returns an effect of generation 1 without times.
pub fn effect(kind: &str, key: &str) -> Effect {
    Effect {
        kind: kind.into(),
        to: None,
        key: key.into(),
        generation: 1,
        payload: "{}".into(),
        context: "{}".into(),
        reply_to: None,
        ordering_key: None,
        not_before: None,
        deadline: None,
        retry: None,
    }
}

/// Returns a queued effect with a due time. The store assigns its number.
pub fn queued(scope: &Scope, effect: Effect, due_at: Timestamp) -> EffectRow {
    EffectRow {
        seq: 0,
        scope: scope.clone(),
        effect,
        state: EffectState::Queued,
        attempts: 0,
        due_at,
        created_at: 0,
        caused_by: "evt_1".into(),
        lease: Lease::default(),
        erased: false,
    }
}

/// Returns the change that inserts an effect.
pub fn insert(row: EffectRow) -> EffectChange {
    EffectChange::Insert(Box::new(row))
}

/// Returns an event of the payment source for the business `shop`, received at 1000, without an account.
pub fn event(id: &str) -> Event {
    Event {
        id: id.into(),
        source: "stripe".into(),
        kind: "invoice.paid".into(),
        business: "shop".into(),
        account: None,
        livemode: Some(false),
        received_at: 1000,
        attempt: 1,
        actor: Actor::system(),
        reply_to: None,
        payment: None,
        payload: Payload::Payment(format!("{{\"id\":\"{id}\"}}").into_bytes()),
    }
}

/// Returns [`event`] as a new row of the inbox, in test mode, pending since its receipt.
pub fn new_event(id: &str) -> NewInbox {
    let event = event(id);
    let progress = progress(InboxState::Pending { not_before: event.received_at, waits_since: None });
    NewInbox { event: Arc::new(event), livemode: false, raw: Arc::default(), progress }
}

/// Returns progress with only a state.
pub fn progress(state: InboxState) -> InboxProgress {
    InboxProgress { account: None, state, failures: 0, error: None, outcome: None, waits_for: Vec::new(), run: None }
}

/// Returns the changes that store only a new event.
pub fn accepted(new: NewInbox) -> Changes {
    Changes { inbox: Some(InboxChange::New(Box::new(new))), ..Changes::default() }
}

/// Returns the change that updates a stored event.
pub fn moved(seq: u64, progress: InboxProgress) -> InboxChange {
    InboxChange::Move(InboxMove { seq, progress })
}

/// Returns the change of state, attempts and due time of an effect of generation 1, without a lease.
pub fn update(key: &str, state: EffectState, attempts: u32, due_at: Timestamp) -> EffectChange {
    EffectChange::Update { key: key.into(), generation: 1, state, attempts, due_at, lease: Lease::default() }
}
