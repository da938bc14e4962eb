//! Both stores, given the same random changes, answer the same.

use crate::changes::{Changes, EffectChange};
use crate::memory::MemoryStore;
use crate::rows::{ClaimRow, EffectState, InboxState, Lease, TIMER};
use crate::sqlite::SqliteStore;
use crate::state::{state_document, state_hash};
use crate::store::Store;
use crate::testing::samples;
use products_contract::{Account, PurchaseKey, RecordKey, StoreError};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const ACCOUNTS: [&str; 3] = ["platform", "user:A", "organization:A"];
const WAITS: [&str; 3] = ["claim:a", "fact:b", "effect:c"];

#[derive(Clone, Debug)]
enum Step {
    Begin,
    Commit,
    Rollback,
    Accept { id: u8, received_at: i64 },
    Apply(Box<Changes>),
}

fn account() -> impl Strategy<Value = Account> {
    proptest::sample::select(&ACCOUNTS[..]).prop_map(|text| text.parse().expect("an account"))
}

fn id(kind: &'static str) -> impl Strategy<Value = String> {
    (0..4_u8).prop_map(move |n| format!("{kind}_{n}"))
}

fn state() -> impl Strategy<Value = EffectState> {
    use EffectState::{Cancelled, Finished, Queued, Running};
    proptest::sample::select(&[Queued, Running, Finished, Cancelled][..])
}

/// The scope of a new effect is set by who applies it.
fn effect_change() -> impl Strategy<Value = EffectChange> {
    let update =
        (id("k"), 1..3_u32, state(), 0..3_u32, 0..5_i64).prop_map(|(key, generation, state, attempts, due_at)| {
            let lease = Lease { number: u64::from(attempts), until: Some(due_at), token: Some(key.clone()) };
            EffectChange::Update { key, generation, state, attempts, due_at, lease }
        });
    let insert = (id("k"), 1..3_u32, any::<bool>(), option::of(id("order")), 0..5_i64).prop_map(
        |(key, generation, timer, ordering_key, due_at)| {
            let mut effect = samples::effect(if timer { TIMER } else { "mail.send" }, &key);
            effect.generation = generation;
            effect.ordering_key = ordering_key;
            samples::insert(samples::queued(&samples::scope("platform"), effect, due_at))
        },
    );
    prop_oneof![3 => insert, 1 => update]
}

fn claim() -> impl Strategy<Value = Option<ClaimRow>> {
    option::weighted(0.8, (option::of(account()), option::of(0..9_i64), option::of(0..9_i64)))
        .prop_map(|row| row.map(|(holder, until, blocked_until)| ClaimRow { holder, until, blocked_until }))
}

fn inbox_state() -> impl Strategy<Value = InboxState> {
    prop_oneof![
        (0..5_i64).prop_map(|not_before| InboxState::Pending { not_before }),
        Just(InboxState::Parked),
        Just(InboxState::Deferred),
        Just(InboxState::Done),
        Just(InboxState::Dead),
    ]
}

fn changes() -> impl Strategy<Value = Changes> {
    let rows = (
        vec((id("prod"), any::<bool>()), 0..2),
        vec((id("pur"), option::of(id("cs")), option::of(id("pi"))), 0..3),
        vec(id("sub"), 0..2),
        vec((id("things"), id("rec"), option::of(0..9_u8)), 0..3),
        vec(id("fact"), 0..2),
        vec((id("claim"), claim()), 0..3),
    );
    let inbox = option::of((1..6_u64, inbox_state(), vec(proptest::sample::select(&WAITS[..]), 0..3)));
    (account(), rows, vec(effect_change(), 0..3), option::of(1..3_u32), inbox).prop_map(
        |(account, (products, purchases, subscriptions, records, facts, claims), mut effects, data_version, inbox)| {
            let scope = samples::scope("platform").with_account(account);
            for change in &mut effects {
                if let EffectChange::Insert(row) = change {
                    row.scope = scope.clone();
                }
            }
            let mut changes = samples::changes(&scope, "evt_1");
            for (id, deleted) in products {
                let mut row = samples::product(&scope.account, &id, if deleted { "plan" } else { "instance" });
                row.deleted = deleted;
                changes.products.insert(id, row);
            }
            for (id, session, intent) in purchases {
                let mut row = samples::purchase(&id, session.as_deref());
                row.values.payment_intent_id = intent;
                changes.purchases.insert(id, row);
            }
            changes.subscriptions =
                subscriptions.into_iter().map(|id| (id.clone(), samples::subscription(&id))).collect();
            for (collection, id, value) in records {
                let row = value.map(|value| samples::record(&id, &format!("{{\"n\":{value},\"generation\":{value}}}")));
                changes.records.insert(RecordKey { collection, id }, row);
            }
            changes.facts = facts.into_iter().collect();
            changes.claims = claims.into_iter().map(|(key, row)| (format!("shop/test//{key}"), row)).collect();
            changes.effects = effects;
            changes.data_version = data_version;
            changes.inbox = inbox.map(|(seq, state, waits)| {
                let mut change = samples::inbox_change(seq, state);
                change.waits_for = waits.into_iter().map(str::to_owned).collect();
                change
            });
            changes
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Begin),
        1 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        2 => (0..5_u8, 0..5_i64).prop_map(|(id, received_at)| Step::Accept { id, received_at }),
        6 => changes().prop_map(|changes| Step::Apply(Box::new(changes))),
    ]
}

/// Do a step; what came of it, as text.
fn run(store: &mut dyn Store, step: &Step) -> String {
    let done = |result: Result<(), StoreError>| match result {
        // The words of a failed store are its own, and so is which of several indexes refuses first.
        Err(StoreError::Unavailable(_)) => "unavailable".to_owned(),
        Err(StoreError::Taken(_)) => "taken".to_owned(),
        other => format!("{other:?}"),
    };
    match step {
        Step::Begin => done(store.begin()),
        Step::Commit => done(store.commit()),
        Step::Rollback => done(store.rollback()),
        Step::Apply(changes) => done(store.apply(changes)),
        Step::Accept { id, received_at } => {
            let mut row = samples::inbox_row(&format!("evt_{id}"));
            row.event.received_at = *received_at;
            format!("{:?}", store.accept(&row))
        }
    }
}

/// Everything that a store can be asked, as text.
fn answers(store: &dyn Store) -> Vec<String> {
    let mut answers = Vec::new();
    let mut tell = |answer: &dyn std::fmt::Debug| answers.push(format!("{answer:?}"));
    for account in ACCOUNTS {
        let scope = samples::scope(account);
        tell(&store.products(&scope, None, Some("prod_0"), 2));
        tell(&store.products(&scope, Some("instance"), None, 2));
        tell(&store.purchases(&scope, None, 10));
        for n in 0..4 {
            tell(&store.purchase(&scope, &PurchaseKey::Session(format!("cs_{n}"))));
            tell(&store.purchase(&scope, &PurchaseKey::PaymentIntent(format!("pi_{n}"))));
            tell(&store.records(&scope, &format!("things_{n}"), "rec", true, Some("rec_3"), 2));
            tell(&store.fact(&scope, &format!("fact_{n}")));
            tell(&store.effect(&scope, &format!("k_{n}")));
        }
        tell(&store.claims_held(&scope, "shop/test//"));
        tell(&store.data_version(&scope));
        tell(&store.effects_open(Some(&scope)));
    }
    for now in 0..5 {
        tell(&store.effects_due(now, now % 2 == 0, 3));
        tell(&(store.next_due(now), store.inbox_due(now, 3), store.inbox_next_due(now), store.parked_before(now, 9)));
    }
    tell(&(store.effects_running(), store.parked_count(), store.inbox_after(0, 100), store.scopes()));
    tell(&store.woken_by(&WAITS.map(str::to_owned)));
    tell(&state_hash(&[store]));
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(96), ..ProptestConfig::default() })]

    #[test]
    fn the_same_changes_give_the_same_answers_in_memory_and_in_sqlite(steps in vec(step(), 1..24)) {
        let mut memory = MemoryStore::new();
        let mut sqlite = SqliteStore::open_in_memory().expect("opened");
        for step in &steps {
            prop_assert_eq!(run(&mut memory, step), run(&mut sqlite, step), "{:?}", step);
            prop_assert_eq!(answers(&memory), answers(&sqlite), "after {:?}", step);
        }
    }

    #[test]
    fn the_hash_is_that_of_the_document(steps in vec(changes(), 0..12)) {
        use sha2::Digest;
        let mut store = MemoryStore::new();
        for changes in &steps {
            let _ = store.apply(changes);
        }
        let document = state_document(&[&store]).expect("read");
        let canonical = serde_json_canonicalizer::to_vec(&document).expect("canonical");
        prop_assert_eq!(state_hash(&[&store]).expect("hashed"), hex::encode(sha2::Sha256::digest(canonical)));
    }
}
