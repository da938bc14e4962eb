//! Tests of the state hash: which data it includes and excludes.

use crate::changes::Changes;
use crate::memory::MemoryStore;
use crate::not_state::{Excluded, NotState};
use crate::rows::{ClaimRow, EffectState, TIMER};
use crate::state::{state_document, state_hash};
use crate::store::Store;
use crate::testing::samples;
use extension_contract::{Account, Reference, Row, RowKey};
use serde_json::json;

/// Returns a store with one change, altered by the test.
fn store_with(alter: impl FnOnce(&mut Changes)) -> MemoryStore {
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, "evt_1");
    changes.rows = vec![
        samples::write(Row::Product(samples::product(&scope.account, "prod_1", "instance"))),
        samples::write(Row::Purchase(samples::purchase("pur_1", Some("cs_1")))),
        samples::write(Row::Subscription(samples::subscription("sub_1"))),
    ];
    for collection in ["ledger", "things"] {
        let value = "{\"amount\": 5, \"wish\": {\"generation\": 1, \"b\": 1, \"a\": 2}}";
        changes.rows.push(samples::write(Row::Record(samples::record(collection, "r", value))));
    }
    changes.claims.insert("shop/test//subdomain:a".into(), Some(samples::claim(&scope.account)));
    let mut timer = samples::queued(&scope, samples::effect(TIMER, "grace"), 5000);
    timer.effect.not_before = Some(5000);
    changes.effects.push(samples::insert(timer));
    changes.effects.push(samples::insert(samples::queued(&scope, samples::effect("mail.send", "mail"), 1000)));
    alter(&mut changes);
    let mut store = MemoryStore::new();
    store.apply(&changes).expect("applied");
    store
}

/// Excludes the member at this path from the records of both collections.
fn not_state(path: &str) -> NotState {
    NotState::parts(
        ["records/ledger", "records/things"].into_iter().filter_map(|rows| Excluded::parse(rows, Some(path))),
    )
}

/// Returns exclusions as a manifest may declare them.
fn without() -> NotState {
    not_state("wish.generation")
}

fn hash(alter: impl FnOnce(&mut Changes)) -> String {
    state_hash(&[&store_with(alter)], &without()).expect("hashed")
}

#[test]
fn the_document_shows_each_account_by_collection_and_id() {
    let document = state_document(&[&store_with(|_| {})], &without()).expect("read");
    let account = &document["accounts"][0];
    assert_eq!(
        (&account["business"], &account["mode"], &account["account"]),
        (&json!("shop"), &json!("test"), &json!("user:A"))
    );
    assert_eq!(account["products"][0]["id"], "prod_1");
    assert_eq!(account["products"][0]["metadata"], json!({}));
    assert_eq!(account["purchases"][0]["session_id"], "cs_1");
    assert_eq!(account["subscriptions"][0]["snapshot"], json!({"at": 1000, "rank": "created"}));
    let entry = json!({"id": "r", "value": {"amount": 5, "wish": {"a": 2, "b": 1}}});
    assert_eq!(account["records"], json!({"ledger": [entry], "things": [entry]}), "no collection is special");
    assert_eq!(account["timers"], json!([{"key": "grace", "due": 5000}]));
    let claim = json!({"key": "shop/test//subdomain:a", "holder": "user:A", "until": null, "blocked_until": null});
    assert_eq!(document["claims"], json!([claim]));
}

#[test]
fn host_counters_and_the_order_of_equal_events_are_not_in_the_hash() {
    let plain = hash(|_| {});
    let altered = hash(|changes| {
        changes.event_id = "evt_9".into();
        changes.facts.insert("paid:in_1".into());
        for write in &mut changes.rows {
            write.data_version = 3;
            write.live = false;
            write.fingerprint = Some("f".into());
            write.references = vec![Reference::Name("n".into())];
            match &mut write.row {
                Some(Row::Product(row)) => row.version = 9,
                Some(Row::Purchase(row)) => row.version = 9,
                Some(Row::Subscription(row)) => {
                    row.version = 9;
                    row.values.snapshot.event_id = "evt_9".into();
                    row.values.metadata = " { } ".into();
                }
                Some(Row::Record(row)) => {
                    row.version = 9;
                    row.value = "{\"wish\":{\"a\":2,\"b\":1.0,\"generation\":7},\"amount\":5}".into();
                }
                Some(Row::Price(_)) | None => {}
            }
        }
        for change in &mut changes.effects {
            let crate::EffectChange::Insert(row) = change else { continue };
            row.attempts = 3;
            row.due_at += 1;
            row.effect.generation = 4;
            if row.effect.kind != TIMER {
                row.state = EffectState::Finished;
            }
        }
    });
    assert_eq!(plain, altered);
}

fn each(changes: &mut Changes, alter: fn(&mut Row)) {
    changes.rows.iter_mut().filter_map(|write| write.row.as_mut()).for_each(alter);
}

#[test]
fn every_row_of_the_state_is_in_the_hash() {
    let alterations: [fn(&mut Changes); 11] = [
        |_| {},
        |changes| changes.scope = Some(samples::scope("user:B")),
        |changes| {
            each(changes, |row| {
                if let Row::Product(row) = row {
                    row.values.name = "Other".into()
                }
            })
        },
        |changes| {
            each(changes, |row| {
                if let Row::Product(row) = row {
                    row.deleted = true
                }
            })
        },
        |changes| {
            each(changes, |row| {
                if let Row::Purchase(row) = row {
                    row.values.metadata = "{\"a\":1}".into()
                }
            })
        },
        |changes| {
            each(changes, |row| {
                if let Row::Subscription(row) = row {
                    row.values.snapshot.at += 1
                }
            })
        },
        |changes| changes.rows.retain(|write| !matches!(write.key, RowKey::Record(_))),
        |changes| changes.rows.push(samples::write(Row::Record(samples::record("ledger", "s", "{}")))),
        |changes| {
            let block = ClaimRow { holder: None, until: None, blocked_until: Some(1) };
            changes.claims.insert("shop/test//subdomain:b".into(), Some(block));
        },
        |changes| {
            let crate::EffectChange::Insert(row) = &mut changes.effects[0] else { return };
            row.effect.not_before = Some(6000);
        },
        |changes| {
            let crate::EffectChange::Insert(row) = &mut changes.effects[0] else { return };
            row.state = EffectState::Cancelled;
        },
    ];
    let hashes: std::collections::BTreeSet<String> = alterations.into_iter().map(hash).collect();
    assert_eq!(hashes.len(), alterations.len());
}

#[test]
fn the_stores_of_one_host_have_the_hash_of_one_store_with_all_accounts() {
    let (a, b) = (samples::scope("user:A"), samples::scope("user:B"));
    let change = |scope: &crate::Scope| {
        let mut changes = samples::changes(scope, "evt_1");
        changes.rows.push(samples::write(Row::Subscription(samples::subscription("sub"))));
        changes.claims.insert(format!("shop/test//for:{}", scope.account), Some(samples::claim(&scope.account)));
        changes
    };
    let (mut first, mut second, mut both) = (MemoryStore::new(), MemoryStore::new(), MemoryStore::new());
    first.apply(&change(&b)).expect("applied");
    second.apply(&change(&a)).expect("applied");
    both.apply(&change(&a)).expect("applied");
    both.apply(&change(&b)).expect("applied");
    assert_eq!(state_hash(&[&first, &second], &NotState::default()), state_hash(&[&both], &NotState::default()));
    assert_eq!(
        state_document(&[&second, &first], &NotState::default()),
        state_document(&[&both], &NotState::default())
    );
}

#[test]
fn only_excluded_members_are_left_out() {
    let other = |changes: &mut Changes| {
        each(changes, |row| {
            if let Row::Record(row) = row {
                row.value = row.value.replace("\"generation\": 1", "\"generation\": 2");
            }
        })
    };
    let differs = |not_state: &NotState| {
        let hash = |store| state_hash(&[&store], not_state).expect("hashed");
        hash(store_with(|_| {})) != hash(store_with(other))
    };
    assert!(differs(&NotState::default()), "the default excludes nothing");
    assert!(differs(&not_state("wishes")));
    assert!(!differs(&without()));
    assert!(!differs(&not_state("wish")), "with all nested members");
    assert!(differs(&not_state("generation")), "only at its path");
    let one = NotState::parts(Excluded::parse("records/things", Some("wish.generation")));
    assert!(differs(&one), "the other collection has the member, too");
    let rows = ["records/ledger", "records/things/*"].into_iter().filter_map(|rows| Excluded::parse(rows, None));
    assert!(!differs(&NotState::parts(rows)), "without the rows");
}

#[test]
fn the_catalog_is_not_in_the_document_and_makes_a_difference_to_what_comes_later() {
    let named = |name: &'static str| {
        store_with(move |changes| {
            let mut own = samples::product(&Account::Platform, "type:instance", "product_type");
            own.values.name = name.to_owned();
            changes.scope = Some(samples::scope("platform"));
            changes.rows = vec![samples::write(Row::Product(own))];
            changes.claims.clear();
            changes.effects.clear();
        })
    };
    let (one, two) = (named("one"), named("two"));
    let catalog = NotState::default().with_catalog(Excluded::parse("products/type:*", None));
    let hash = |store: &MemoryStore, not_state: &NotState| state_hash(&[store], not_state).expect("hashed");
    assert_ne!(
        hash(&one, &NotState::default()),
        hash(&two, &NotState::default()),
        "it is excluded by the manifest only"
    );
    assert_eq!(hash(&one, &catalog), hash(&two, &catalog));
    assert_eq!(state_document(&[&one], &catalog).expect("read")["accounts"], json!([]));
    assert!(!one.same_state(&two, &catalog).expect("compared"), "later events read the catalog");
}
