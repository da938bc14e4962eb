//! Checks that none of the database's files contains erased data.

use crate::changes::{Applied, Changes, InboxProgress};
use crate::rows::{EffectState, InboxState};
use crate::sqlite::SqliteStore;
use crate::store::{Read, Store};
use crate::testing::samples;
use extension_contract::{Payload, Row};
use std::path::Path;
use std::sync::Arc;

/// Personal text of the erased account.
const CANARY: &str = "ann.canary@example.com";
/// Personal text of another account, which proves that the search finds existing text.
const OTHER: &str = "bob.stays@example.com";

/// Counts the occurrences of a text in each file of a folder.
fn found(folder: &Path, text: &str) -> Vec<(String, usize)> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    let count = |path: &Path| {
        let bytes = std::fs::read(path).expect("read");
        bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    };
    let counted = files.map(|path| (path.file_name().expect("named").to_string_lossy().into_owned(), count(&path)));
    let mut counted: Vec<(String, usize)> = counted.filter(|(_, count)| *count > 0).collect();
    counted.sort();
    counted
}

/// Returns a body whose size depends on `n`: from short to several pages.
fn body(text: &str, n: usize) -> String {
    format!("{{\"n\":{n},\"email\":\"{text}\",\"fill\":\"{}\"}}", "x".repeat((n * 977) % 9000))
}

/// Writes personal data of an account: a webhook, commands, effects that run and end, a reply, and a record.
fn write_personal_data(store: &mut SqliteStore, account: &str, text: &str, n: usize) {
    let scope = samples::scope(account);
    let payloads = [
        Payload::Payment(body(text, n).into_bytes()),
        Payload::Command(body(text, n + 1)),
        Payload::Command(body(text, n + 2)),
    ];
    for (at, payload) in payloads.into_iter().enumerate() {
        let mut new = samples::new_event(&format!("{account}_{n}_{at}"));
        Arc::make_mut(&mut new.event).payload = payload;
        new.raw = Arc::new(if at == 1 { format!("raw {text}").into_bytes() } else { Vec::new() });
        let pending = samples::progress(InboxState::Pending { not_before: 0, waits_since: None });
        new.progress = InboxProgress { account: Some(scope.account.clone()), ..pending };
        let Applied::Done { seq: Some(seq) } = store.apply(&samples::accepted(new)).expect("applied") else {
            panic!("not accepted")
        };
        let state = if at == 2 { InboxState::Dead } else { InboxState::Done };
        let ended = InboxProgress { failures: 5, ..samples::progress(state) };
        let mut changes = samples::changes(&scope, "evt");
        changes.inbox = Some(samples::moved(seq, ended));
        let mut effect = samples::effect("mail.send", &format!("mail_{n}_{at}"));
        (effect.payload, effect.context) = (body(text, n + at), body(text, at));
        changes.effects = vec![samples::insert(samples::queued(&scope, effect, 1000))];
        changes.reply = Some((format!("caller_{n}_{at}"), extension_contract::Reply::Answer(body(text, n + at))));
        let record = samples::record("people", &format!("r{n}"), &body(&format!("row of {account}"), n + at));
        changes.rows = vec![samples::write(Row::Record(record))];
        store.apply(&changes).expect("applied");
    }
    for at in 0..3 {
        for (state, attempts) in [(EffectState::Running, 1), (EffectState::Finished, 300)] {
            let mut changes = samples::changes(&scope, "evt");
            changes.effects = vec![samples::update(&format!("mail_{n}_{at}"), state, attempts, 1_700_000_000_000)];
            store.apply(&changes).expect("applied");
        }
    }
}

#[test]
fn erased_data_is_in_none_of_the_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let mut store = SqliteStore::open(&path).expect("opened");
    store.begin().expect("begun");
    for n in 0..60 {
        write_personal_data(&mut store, "user:A", CANARY, n);
        write_personal_data(&mut store, "user:B", OTHER, n);
    }
    store.commit().expect("committed");
    let scope = samples::scope("user:A");
    let mut changes = Changes { erase: true, ..samples::changes(&scope, "evt") };
    changes.rows = (0..60).map(|n| samples::gone("people", &format!("r{n}"))).collect();
    assert!(!found(folder.path(), CANARY).is_empty());
    store.apply(&changes).expect("applied");

    // The commit of an erasure empties the log.
    assert_eq!(found(folder.path(), CANARY), []);
    assert_eq!(folder.path().join("state.db-wal").metadata().expect("there while open").len(), 0);
    assert_eq!(found(folder.path(), OTHER), [("state.db".to_owned(), 780)], "data of another account stays");
    drop(store);
    assert_eq!(found(folder.path(), CANARY), []);
    // `VACUUM` removes the copies that SQLite left behind when it moved rows.
    let vacuum = rusqlite::Connection::open(&path).expect("opened");
    vacuum.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").expect("written");
    drop(vacuum);
    assert_eq!(found(folder.path(), "row of user:A"), []);
    let store = SqliteStore::open(&path).expect("opened again");
    assert!(store.inbox_after(None, 0, 6).expect("read")[..3].iter().all(|row| row.erased));
}

#[test]
fn a_reader_of_an_older_state_delays_emptying_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let mut store = SqliteStore::open(&path).expect("opened");
    write_personal_data(&mut store, "user:A", CANARY, 1);
    let reader = rusqlite::Connection::open(&path).expect("opened");
    reader.execute_batch("BEGIN; SELECT count(*) FROM events").expect("reads");
    let scope = samples::scope("user:A");
    let gone = vec![samples::gone("people", "r1")];
    let changes = Changes { erase: true, rows: gone, ..samples::changes(&scope, "evt") };
    store.apply(&changes).expect("applied");
    assert_eq!(found(folder.path(), CANARY)[0].0, "state.db-wal");
    reader.execute_batch("COMMIT").expect("done reading");
    store.apply(&samples::accepted(samples::new_event("next"))).expect("applied");
    assert_eq!(found(folder.path(), CANARY), []);
}
