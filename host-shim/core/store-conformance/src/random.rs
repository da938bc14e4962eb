//! Random changes of a store, and all its queries: two stores return the same results after the same changes.

use extension_contract::{
    Account, CatalogKey, CatalogQuery, Listing, Outcome, RecordKey, Reference, Row, RowKey, RowKind, Selection,
};
use host_store::testing::samples;
use host_store::{
    Changes, ClaimRow, DueQuery, EffectChange, EffectState, Expected, ExpectedEffect, ExpectedGenerations, InboxChange,
    InboxProgress, InboxState, Lease, LeaseRequest, NewInbox, NotState, Partition, PlaceQuery, Provenance, RowWrite,
    Run, Scope, Store, StoreError, TIMER, Wait, state_hash,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;

const ACCOUNTS: [&str; 3] = ["platform", "user:A", "organization:A"];
const WAITS: [&str; 3] = ["claim:a", "fact:b", "effect:c"];

/// A step of a random story.
#[derive(Clone, Debug)]
pub enum Step {
    /// Begins a group.
    Begin,
    /// Commits the group.
    Commit,
    /// Discards the group.
    Rollback,
    /// Applies changes.
    Apply(Box<Changes>),
    /// Leases effects due at a time, with or without timers, up to a number.
    Lease(i64, bool, usize),
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

/// Generates a change of an effect. The caller sets the scope of a new effect.
fn effect_change() -> impl Strategy<Value = EffectChange> {
    let update =
        (id("k"), 1..3_u32, state(), 0..3_u32, 0..5_i64).prop_map(|(key, generation, state, attempts, due_at)| {
            let lease =
                Lease { number: 1, until: Some(due_at + 1), token: (attempts > 1).then(|| key.clone()), owner: None };
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
        (0..5_i64, option::weighted(0.3, 0..5_i64))
            .prop_map(|(not_before, waits_since)| InboxState::Pending { not_before, waits_since }),
        (0..5_i64).prop_map(|since| InboxState::Parked { since }),
        (0..5_i64).prop_map(|since| InboxState::Deferred { since }),
        Just(InboxState::Done),
        Just(InboxState::Dead),
    ]
}

/// Generates a reference to a generated row of the account or the catalog.
fn reference() -> impl Strategy<Value = Reference> {
    prop_oneof![
        4 => row_key().prop_map(Reference::Row),
        1 => id("prod").prop_map(|id| Reference::Catalog(CatalogKey::Product(id))),
        1 => id("price").prop_map(|id| Reference::Catalog(CatalogKey::Price(id))),
        1 => id("name").prop_map(Reference::Name),
    ]
}

fn row_key() -> impl Strategy<Value = RowKey> {
    prop_oneof![
        id("prod").prop_map(RowKey::Product),
        id("price").prop_map(RowKey::Price),
        id("pur").prop_map(RowKey::Purchase),
        id("sub").prop_map(RowKey::Subscription),
        (id("things"), id("rec")).prop_map(|(collection, id)| RowKey::Record(RecordKey { collection, id })),
    ]
}

/// Returns a row for a key, varied by `n`. The caller sets the owner of a product.
fn row(key: &RowKey, n: u8) -> Option<Row> {
    let pick = |kind: &str| (n % 4 != 3).then(|| format!("{kind}_{}", n % 4));
    Some(match key {
        RowKey::Product(id) => {
            let mut row =
                samples::product(&Account::Platform, id, if n.is_multiple_of(2) { "plan" } else { "instance" });
            row.deleted = n.is_multiple_of(3);
            Row::Product(row)
        }
        RowKey::Price(id) => Row::Price(samples::price(id)),
        RowKey::Purchase(id) => {
            let mut row = samples::purchase(id, pick("cs").as_deref());
            row.values.payment_intent_id = pick("pi").filter(|_| n > 9);
            Row::Purchase(row)
        }
        RowKey::Subscription(id) => Row::Subscription(samples::subscription(id)),
        RowKey::Record(_) if n.is_multiple_of(4) => return None,
        RowKey::Record(key) => {
            let value = format!("{{\"n\":{n},\"generation\":{n}}}");
            Row::Record(samples::record(&key.collection, &key.id, &value))
        }
    })
}

fn row_write() -> impl Strategy<Value = RowWrite> {
    (row_key(), 0..20_u8, 1..3_u32, any::<bool>(), vec(reference(), 0..4), option::of(id("print"))).prop_map(
        |(key, n, data_version, live, references, fingerprint)| {
            let row = row(&key, n);
            RowWrite { key, row, data_version, live, references, fingerprint }
        },
    )
}

fn run_of_an_event() -> impl Strategy<Value = Run> {
    (0..9_i64, any::<bool>()).prop_map(|(at, failed)| Run {
        at,
        outcome: (!failed).then_some(Outcome::Applied),
        error: failed.then(|| "trap".into()),
        provenance: (!failed).then(|| Provenance {
            catalog_hash: "00ff".into(),
            fuel: 7,
            claim_answers: "a=mine\n".into(),
            ..Provenance::default()
        }),
    })
}

fn progress() -> impl Strategy<Value = InboxProgress> {
    let waits = vec(proptest::sample::select(&WAITS[..]), 0..3);
    (option::of(account()), inbox_state(), waits, option::of(run_of_an_event())).prop_map(
        |(account, state, waits, run)| InboxProgress {
            account,
            outcome: run.as_ref().and_then(|run| run.outcome.clone()),
            waits_for: waits.into_iter().map(str::to_owned).collect(),
            run,
            ..samples::progress(state)
        },
    )
}

fn inbox_change() -> impl Strategy<Value = InboxChange> {
    prop_oneof![
        (0..5_u8, any::<bool>(), progress()).prop_map(|(id, livemode, progress)| {
            let new = NewInbox { livemode, progress, ..samples::new_event(&format!("evt_{id}")) };
            InboxChange::New(Box::new(new))
        }),
        (1..6_u64, progress()).prop_map(|(seq, progress)| samples::moved(seq, progress)),
    ]
}

fn expected() -> impl Strategy<Value = Expected> {
    let claims = vec((id("claim"), claim()), 0..2);
    let effects = vec((id("k"), 1..3_u32, state(), 0..2_u64), 0..2);
    let generation = vec((1..3_u32, state(), 0..2_u64), 0..2);
    let generations = vec((id("k"), generation), 0..2).prop_map(|all| {
        all.into_iter().map(|(key, generations)| ExpectedGenerations { key, generations }).collect::<Vec<_>>()
    });
    let effects = (option::weighted(0.2, effects), option::weighted(0.1, generations));
    let revisions = (option::weighted(0.2, 0..3_u64), option::weighted(0.2, 0..2_u64));
    let rows = (option::weighted(0.1, claims), effects, option::weighted(0.3, inbox_state()));
    (revisions, rows).prop_map(|((account_revision, catalog_revision), (claims, (effects, generations), inbox))| {
        Expected {
            account_revision,
            catalog_revision,
            claims: claims.into_iter().flatten().map(|(key, row)| (format!("shop/test//{key}"), row)).collect(),
            effects: (effects.into_iter().flatten())
                .map(|(key, generation, state, lease)| ExpectedEffect { key, generation, state, lease })
                .collect(),
            generations: generations.unwrap_or_default(),
            inbox,
        }
    })
}

/// Generates changes of one event.
pub fn changes() -> impl Strategy<Value = Changes> {
    let rows = (vec(row_write(), 0..5), vec(id("fact"), 0..2), vec((id("claim"), claim()), 0..3));
    let modes = (any::<bool>(), proptest::bool::weighted(0.2));
    (account(), modes, rows, vec(effect_change(), 0..3), option::of(inbox_change()), expected()).prop_map(
        |(account, (livemode, erase), (rows, facts, claims), mut effects, inbox, expected)| {
            let scope = Scope { livemode, ..samples::scope("platform").with_account(account) };
            for change in &mut effects {
                if let EffectChange::Insert(row) = change {
                    row.scope = scope.clone();
                }
            }
            let mut changes = samples::changes(&scope, "evt_1");
            // A change may contain each key only once: keeps the last row of each key.
            let rows: BTreeMap<RowKey, RowWrite> = rows.into_iter().map(|write| (write.key.clone(), write)).collect();
            changes.rows = rows.into_values().collect();
            for write in &mut changes.rows {
                if let Some(Row::Product(row)) = &mut write.row {
                    row.owner = scope.account.clone();
                }
            }
            changes.facts = facts.into_iter().collect();
            changes.claims = claims.into_iter().map(|(key, row)| (format!("shop/test//{key}"), row)).collect();
            changes.effects = effects;
            changes.inbox = inbox;
            changes.expected = expected;
            if !matches!(changes.inbox, Some(InboxChange::Move(_))) {
                changes.expected.inbox = None;
            }
            changes.erase = erase;
            changes
        },
    )
}

/// Generates a step.
pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Begin),
        1 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        8 => changes().prop_map(|changes| Step::Apply(Box::new(changes))),
        1 => (0..5_i64, any::<bool>(), 1..4_usize).prop_map(|(now, timers, limit)| Step::Lease(now, timers, limit)),
    ]
}

/// Runs a step; returns its result as text.
pub fn run(store: &mut dyn Store, step: &Step) -> String {
    fn done<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
        match result {
            // Stores may differ in error texts, and in which of several indexes refuses first.
            Err(StoreError::Unavailable(_)) => "unavailable".to_owned(),
            Err(StoreError::Locked(_)) => "locked".to_owned(),
            Err(StoreError::Misuse(_)) => "misuse".to_owned(),
            Err(StoreError::Taken(_)) => "taken".to_owned(),
            other => format!("{other:?}"),
        }
    }
    match step {
        Step::Begin => done(store.begin()),
        Step::Commit => done(store.commit()),
        Step::Rollback => done(store.rollback()),
        Step::Apply(changes) => done(store.apply(changes)),
        Step::Lease(now, timers, limit) => {
            let (partition, (now, timers, limit)) = (samples::partition(), (*now, *timers, *limit));
            let busy: &[String] = if now % 2 == 0 { &[] } else { &["mail.send".to_owned()] };
            let turns = (limit > 1).then_some(limit);
            let query = DueQuery { timers, busy, turns, ..DueQuery::of(&partition, now, limit) };
            let chosen = store.effects_due(&query).map(|due| due.iter().map(|row| row.seq).collect::<Vec<_>>());
            let chosen = chosen.unwrap_or_default();
            let owner = "host";
            let lease = LeaseRequest { partition: &partition, owner, now, until: now + 5, chosen: &chosen };
            done(store.lease(&lease))
        }
    }
}

/// Runs every query of a store; returns the results as text.
pub fn query_results(store: &dyn Store) -> Vec<String> {
    let mut results = Vec::new();
    let mut add = |result: &dyn std::fmt::Debug| results.push(format!("{result:?}"));
    let facts: Vec<String> = (0..4).map(|n| format!("fact_{n}")).collect();
    let claim_keys: Vec<String> = (0..4).map(|n| format!("shop/test//claim_{n}")).collect();
    for livemode in [false, true] {
        let partition = Partition { livemode, ..samples::partition() };
        for account in ACCOUNTS {
            let scope = Scope { livemode, ..samples::scope(account) };
            for n in 0..4 {
                let purchase = Reference::Row(RowKey::Purchase(format!("pur_{n}")));
                let product = Reference::Row(RowKey::Product(format!("prod_{n}")));
                let price = Reference::Catalog(CatalogKey::Price(format!("price_{n}")));
                add(&store.open(&scope, &[purchase, price], &facts));
                add(&store.open(&scope, &[product], &[]));
                let kind = RowKind::Record(format!("things_{n}"));
                let listing = Listing { kind, prefix: "rec".into(), descending: true, after: Some("rec_3".into()) };
                add(&store.more(&scope, &Selection::Listed(listing), 2));
                add(&store.effect(&scope, &format!("k_{n}")));
                let thing = RecordKey { collection: format!("things_{n}"), id: format!("rec_{n}") };
                let keys = [RowKey::Product(format!("prod_{n}")), RowKey::Record(thing)];
                add(&store.load(&scope, &keys));
            }
            add(&(store.known(&scope, &facts), store.reply(&scope, "caller")));
            add(&(store.effects_of(&scope, 1, 3), store.inbox_of(&scope, 1, 2)));
            add(&store.claims_held(&scope, "shop/test//claim"));
            let things = RowKind::Record("things_1".into());
            for kind in [RowKind::Product, RowKind::Price, RowKind::Purchase, RowKind::Subscription, things] {
                add(&store.rows_all(&scope, &kind, None, 10));
                let listing = Listing { kind: kind.clone(), prefix: String::new(), descending: false, after: None };
                add(&store.more(&scope, &Selection::Listed(listing), 2));
                add(&store.more(&scope, &Selection::Outdated(kind, "print_1".into()), 2));
            }
            add(&(store.account(&scope), store.collections(&scope)));
            add(&store.effects_open(&scope));
        }
        for query in [CatalogQuery::All, CatalogQuery::ProductType("plan".into()), CatalogQuery::Name("name_1".into())]
        {
            add(&store.catalog_find(&partition, &query, Some("prod_0"), 2));
        }
        let named = [CatalogKey::Product("prod_1".into()), CatalogKey::Price("price_1".into())];
        add(&store.catalog_read(&partition, &named));
        for (key, now) in claim_keys.iter().zip(0..) {
            let account = Account::Platform;
            let (claims, otherwise) = (std::slice::from_ref(key), (now % 2 == 0).then_some(&account));
            let references = [Reference::Row(RowKey::Purchase("pur_1".into()))];
            let query = PlaceQuery { partition: &partition, claims, now, otherwise, named: &references, facts: &facts };
            add(&store.place(&query));
        }
        for now in 0..5 {
            let (due, busy) = (DueQuery::of(&partition, now, 3), ["mail.send".to_owned()]);
            add(&store.effects_due(&DueQuery { timers: now % 2 == 0, ..due }));
            add(&store.effects_due(&DueQuery { busy: &busy, ..due }));
            add(&store.effects_due(&DueQuery { turns: Some(2), ..due }));
            add(&(store.next_due(&partition, now), store.inbox_due(&partition, now, 2)));
            for wait in [Wait::Parked, Wait::Deferred] {
                add(&store.waiting_before(&partition, wait, now, 9));
            }
            add(&store.inbox_next_due(&partition, now));
            add(&store.runs(now.unsigned_abs()));
        }
        add(&(store.effects_running(&partition), store.effects_open_after(&partition, 0, usize::MAX)));
        add(&(store.effects_awaited(&partition), store.effects_open_after(&partition, 1, 2)));
        add(&(store.parked_count(&partition), store.dead(&partition, 0, 9), store.failed(&partition, 0, 3)));
        add(&(store.event(&partition, "stripe", "evt_1"), store.inbox_after(Some(&partition), 1, 2)));
        add(&store.scopes(Some(&partition)));
    }
    add(&(store.inbox_after(None, 0, 100), store.scopes(None), store.woken_by(&WAITS.map(str::to_owned))));
    add(&(store.claims(&claim_keys), store.claims_after("", None, usize::MAX)));
    add(&store.claims_after("shop/test//claim", Some("shop/test//claim_0"), 2));
    add(&(store.inbox_newest(), store.effect_results_after(0, 9)));
    for seq in 1..5 {
        add(&(store.inbox(seq), store.effect_at(seq)));
    }
    add(&state_hash(&[store], &NotState::default()));
    results
}
