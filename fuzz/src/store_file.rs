//! Fuzzes a damaged store file: opening, reading and writing it return a result or an error.
//!
//! Every five bytes of the input set one byte of the file. The remaining bytes truncate the file.

use extension_contract::{Account, CatalogQuery, Reference, Row};
use host_store::testing::samples;
use host_store::{
    Changes, DueQuery, InboxProgress, InboxState, NewInbox, NotState, Partition, Read, Scope, SqliteStore, Store, Wait,
    state_document,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

const PAGE: usize = 100;

/// A file with rows in every table.
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("host.db");
    let mut store = SqliteStore::open(&path).expect("a new file opens");
    for (n, account) in ["platform", "user:A", "user:B"].into_iter().enumerate() {
        for changes in changes_of(n, &samples::scope(account)) {
            store.apply(&changes).expect("applied");
        }
    }
    drop(store);
    std::fs::read(&path).expect("the file")
});

/// Returns the changes of an account: a finished event with all kinds of changes, and one event for each other state of
/// the inbox.
fn changes_of(n: usize, scope: &Scope) -> Vec<Changes> {
    let account = &scope.account;
    let event = |id: &str| {
        let mut new = samples::new_event(&format!("evt_{id}_{n}"));
        Arc::make_mut(&mut new.event).account = Some(account.clone());
        new
    };
    let mut changes = samples::changes(scope, &format!("evt_done_{n}"));
    let product = samples::product(account, &format!("prod_{n}"), "site");
    let purchase = samples::purchase(&format!("pur_{n}"), Some(&format!("cs_{n}")));
    let subscription = samples::subscription(&format!("sub_{n}"));
    let record = samples::record("notes", "first", "{\"a\":[1,2]}");
    let mut rows = vec![Row::Product(product), Row::Purchase(purchase), Row::Subscription(subscription)];
    rows.push(Row::Record(record));
    if *account == Account::Platform {
        rows.push(Row::Price(samples::price("price_1")));
    }
    changes.rows = rows.into_iter().map(samples::write).collect();
    for row in &mut changes.rows {
        row.references = vec![Reference::Name("stripe:obj_1".to_owned())];
    }
    changes.facts.insert("paid:in_1".to_owned());
    changes.claims = BTreeMap::from([(format!("shop/test//name:{n}"), Some(samples::claim(account)))]);
    for (kind, key) in [("mail.send", "mail"), ("timer.at", "timer")] {
        changes.effects.push(samples::insert(samples::queued(scope, samples::effect(kind, key), 5000)));
    }
    changes.inbox =
        samples::accepted(NewInbox { progress: samples::progress(InboxState::Done), ..event("done") }).inbox;
    let waits = [
        ("pending", InboxState::Pending { not_before: 2000, waits_since: None }),
        ("parked", InboxState::Parked { since: 1000 }),
        ("deferred", InboxState::Deferred { since: 1000 }),
        ("dead", InboxState::Dead),
    ];
    let waits = waits.into_iter().map(|(id, state)| {
        let waits_for = vec!["claim:k".to_owned()];
        let progress = InboxProgress { waits_for, ..samples::progress(state) };
        samples::accepted(NewInbox { progress, ..event(id) })
    });
    [changes].into_iter().chain(waits).collect()
}

/// Returns the file with the patches applied.
fn damaged(patches: &[u8]) -> Vec<u8> {
    let mut bytes = FILE.clone();
    let mut chunks = patches.chunks_exact(5);
    for patch in &mut chunks {
        let at = u32::from_le_bytes([patch[0], patch[1], patch[2], patch[3]]) as usize % bytes.len();
        bytes[at] = patch[4];
    }
    if let [high, low, ..] = chunks.remainder() {
        bytes.truncate(bytes.len() * usize::from(u16::from_be_bytes([*high, *low])) / usize::from(u16::MAX));
    }
    bytes
}

/// Opens, reads and writes one damaged file.
pub fn run(patches: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("host.db");
    std::fs::write(&path, damaged(patches)).expect("written");
    use_all(&path);
}

fn use_all(path: &Path) {
    let Ok(mut store) = SqliteStore::open(path) else { return };
    let _ = state_document(&[&store], &NotState::default());
    let partition = samples::partition();
    read_inbox(&store, &partition);
    let facts = ["paid:in_1".to_owned()];
    for scope in store.scopes(None).unwrap_or_default() {
        let _ = store.open(&scope, &[Reference::Name("stripe:obj_1".to_owned())], &facts);
        let _ = store.effects_of(&scope, 0, PAGE);
        let _ = store.claims_held(&scope, "");
        let _ = store.collections(&scope);
        let _ = store.account(&scope);
    }
    let _ = store.effects_due(&DueQuery::of(&partition, i64::MAX, PAGE));
    let _ = store.effects_running(&partition);
    let _ = store.effects_open_after(&partition, 0, usize::MAX);
    let _ = store.next_due(&partition, 0);
    let _ = store.claims_after("", None, PAGE);
    let _ = store.catalog_find(&partition, &CatalogQuery::All, None, PAGE);
    // After a failed group of changes, the store must remain usable.
    let _ = store.begin();
    for changes in changes_of(9, &samples::scope("user:C")).into_iter().chain(changes_of(1, &samples::scope("user:A")))
    {
        let _ = store.apply(&changes);
    }
    if store.commit().is_err() {
        let _ = store.rollback();
    }
    let _ = state_document(&[&store], &NotState::default());
}

fn read_inbox(store: &SqliteStore, partition: &Partition) {
    for row in store.inbox_after(None, 0, PAGE).unwrap_or_default() {
        let _ = store.runs(row.seq);
    }
    let _ = store.inbox_after(Some(partition), 0, PAGE);
    let _ = store.inbox_due(partition, i64::MAX, PAGE);
    let _ = store.inbox_next_due(partition, 0);
    let _ = store.woken_by(&["claim:k".to_owned()]);
    let _ = store.waiting_before(partition, Wait::Parked, i64::MAX, PAGE);
    let _ = store.waiting_before(partition, Wait::Deferred, i64::MAX, PAGE);
    let _ = store.parked_count(partition);
    let _ = store.failed(partition, 0, PAGE);
    let _ = store.dead(partition, 0, PAGE);
}
