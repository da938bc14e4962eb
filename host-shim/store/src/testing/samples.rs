//! Rows to write in tests, short where a test says nothing else.

use crate::changes::{Changes, EffectChange, InboxChange};
use crate::rows::{ClaimRow, EffectRow, EffectState, InboxState, Lease, NewInboxRow};
use crate::scope::Scope;
use products_contract::{
    Account, Actor, Effect, Event, Money, Payload, Product, ProductValues, Purchase, PurchaseStatus, PurchaseValues,
    Snapshot, SnapshotRank, StoredRecord, Subscription, SubscriptionStatus, SubscriptionValues, Timestamp,
};

/// The test-mode scope of an account, for example `user:A`, of the business `shop`.
///
/// # Panics
/// If the text names no account.
pub fn scope(account: &str) -> Scope {
    Scope { business: "shop".into(), livemode: false, account: account.parse().expect("an account") }
}

/// Changes of a scope by an event, still empty.
pub fn changes(scope: &Scope, event_id: &str) -> Changes {
    Changes { scope: Some(scope.clone()), event_id: event_id.into(), ..Changes::default() }
}

/// Dollars in cents.
pub fn usd(amount_minor: i64) -> Money {
    Money { amount_minor, currency: "usd".into() }
}

/// A product of an account with version 1.
pub fn product(owner: &Account, id: &str, product_type: &str) -> Product {
    Product { id: id.into(), owner: owner.clone(), values: product_values(product_type), version: 1, deleted: false }
}

/// Values of a product that is not sold by itself.
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

/// A purchase with version 1, with a checkout session or without.
pub fn purchase(id: &str, session: Option<&str>) -> Purchase {
    Purchase { id: id.into(), values: purchase_values(session), version: 1 }
}

/// Values of a pending purchase.
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

/// An active subscription with version 1.
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

/// A record with version 1.
pub fn record(id: &str, value: &str) -> StoredRecord {
    StoredRecord { id: id.into(), value: value.into(), version: 1 }
}

/// A claim for good.
pub fn claim(account: &Account) -> ClaimRow {
    ClaimRow { holder: Some(account.clone()), until: None, blocked_until: None }
}

/// An effect of generation 1 without times.
pub fn effect(kind: &str, key: &str) -> Effect {
    Effect {
        kind: kind.into(),
        to: None,
        key: key.into(),
        generation: 1,
        payload: "{}".into(),
        reply_to: None,
        ordering_key: None,
        not_before: None,
        deadline: None,
        retry: None,
    }
}

/// A queued effect that is due at a time; its number is the store's to give.
pub fn queued(scope: &Scope, effect: Effect, due_at: Timestamp) -> EffectRow {
    EffectRow {
        seq: 0,
        scope: scope.clone(),
        effect,
        state: EffectState::Queued,
        attempts: 0,
        due_at,
        lease: Lease::default(),
        created_at: 0,
        caused_by: "evt_1".into(),
    }
}

/// The same as a change.
pub fn insert(row: EffectRow) -> EffectChange {
    EffectChange::Insert(Box::new(row))
}

/// A provider's event of the business `shop`, received at 1000, without an account.
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
        provider: None,
        payload: Payload::Provider(format!("{{\"id\":\"{id}\"}}").into_bytes()),
    }
}

/// The same as a new row of the inbox, in test mode.
pub fn inbox_row(id: &str) -> NewInboxRow {
    NewInboxRow { event: event(id), livemode: false, raw: Vec::new() }
}

/// A new place for an inbox row, without anything else.
pub fn inbox_change(seq: u64, state: InboxState) -> InboxChange {
    InboxChange {
        seq,
        account: None,
        state,
        failures: 0,
        error: None,
        outcome: None,
        provenance: None,
        waits_for: Vec::new(),
    }
}
