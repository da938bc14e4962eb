//! Damaged state files: the damage must be found at the start or when a row is read.

use std::fs::{OpenOptions, copy, read, write};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use local_stripe::ids::mix;
use local_stripe::sandbox::{Sandbox, json_of, own_request};
use local_stripe::settings::Settings;
use local_stripe::store::StoreError;

/// The number of flipped bits.
const FLIPS: u64 = 1_000;
/// The suffixes of the files of a state.
const SUFFIXES: [&str; 2] = ["", "-wal"];

fn file(state: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", state.display()))
}

fn open(state: &Path) -> Result<Sandbox, StoreError> {
    Sandbox::open(state, Settings::default(), &[])
}

fn fill(sandbox: &mut Sandbox, customers: usize) {
    for n in 0..customers {
        let name = format!("name {n}");
        assert_eq!(sandbox.handle(&own_request("POST", "/v1/customers", &[("name", &name)])).status, 200);
    }
    let form = [("amount", "500"), ("currency", "usd"), ("confirm", "true"), ("payment_method", "pm_card_visa")];
    assert_eq!(sandbox.handle(&own_request("POST", "/v1/payment_intents", &form)).status, 200);
    let mut keyed = own_request("POST", "/v1/products", &[("name", "a")]);
    keyed.idempotency_key = Some("key".into());
    let first = sandbox.handle(&keyed);
    assert_eq!(sandbox.handle(&own_request("POST", "/v1/products", &[("name", "b")])).status, 200);
    let path = format!("/v1/products/{}", json_of(&first)["id"].as_str().unwrap());
    // The second call of `fill` on a state repeats the idempotency key. Its response names the product that the first
    // call deleted.
    assert_eq!(sandbox.handle(&own_request("DELETE", &path, &[])).status, if customers == 10 { 404 } else { 200 });
}

fn newest(sandbox: &Sandbox, kind: &str) -> String {
    sandbox.state().newest(kind, None).next().unwrap().id().to_owned()
}

/// Creates the files of a state as after a kill: a part of the content is in the file, and a part in the log.
fn killed(folder: &Path) -> PathBuf {
    let (alive, killed) = (folder.join("alive"), folder.join("killed"));
    fill(&mut open(&alive).unwrap(), 40);
    let mut sandbox = open(&alive).unwrap();
    fill(&mut sandbox, 10);
    for suffix in SUFFIXES {
        copy(file(&alive, suffix), file(&killed, suffix)).unwrap();
    }
    assert!(read(file(&killed, "-wal")).unwrap().len() > 20_000, "a part is in the log");
    killed
}

/// Returns all stored content, or the reason why it can't be read.
fn everything(sandbox: &mut Sandbox) -> Result<Vec<String>, StoreError> {
    let state = sandbox.state();
    let kinds = ["customer", "payment_method", "payment_intent", "charge", "balance_transaction", "product"];
    let mut all: Vec<String> =
        kinds.iter().flat_map(|kind| state.newest(kind, None)).map(|o| o.value().to_string()).collect();
    all.extend(state.events().iter().map(|e| serde_json::to_string(&**e).unwrap()));
    all.extend(state.newest_events(None, |_| true).map(|e| e.id.clone()));
    all.extend(state.answer("key").map(|a| format!("{a:?}")));
    for customer in state.newest("customer", None) {
        all.extend(state.newest("payment_method", Some(customer.id())).map(|o| o.id().to_owned()));
    }
    match state.take_failure() {
        Some(failure) => Err(failure),
        None => Ok(all),
    }
}

#[test]
fn no_flipped_bit_silently_changes_content() {
    let folder = tempfile::tempdir().unwrap();
    let whole = killed(folder.path());
    let bytes = SUFFIXES.map(|suffix| read(file(&whole, suffix)).unwrap());
    let expected = everything(&mut open(&whole).unwrap()).unwrap();
    assert!(expected.len() > 150);
    let total: usize = bytes.iter().map(Vec::len).sum();
    let state = folder.path().join("flipped");
    let (mut refused, mut harmless) = (0, 0);
    for flip in 0..FLIPS {
        let mut at = (mix(flip) % total as u64) as usize;
        let mask = 1 << (mix(flip ^ 0x666c_6970) % 8);
        let mut place = String::new();
        for (suffix, bytes) in SUFFIXES.iter().zip(&bytes) {
            let mut bytes = bytes.clone();
            if place.is_empty() && at < bytes.len() {
                bytes[at] ^= mask;
                place = format!("bit {mask:08b} of byte {at} of {suffix:?}");
            }
            at = at.wrapping_sub(bytes.len());
            write(file(&state, suffix), bytes).unwrap();
        }
        match open(&state).and_then(|mut sandbox| everything(&mut sandbox)) {
            // The log ends for SQLite where its chain of checksums breaks.
            Ok(found) => {
                let is_whole = found == expected || place.ends_with("\"-wal\"");
                let changed = found.iter().find(|one| !expected.contains(one));
                assert!(is_whole && changed.is_none(), "{place} changed something silently: {changed:?}");
                harmless += 1;
            }
            Err(StoreError::Damaged { .. } | StoreError::Format { .. } | StoreError::Row { .. }) => refused += 1,
            Err(error) => panic!("{place}: {error}"),
        }
    }
    assert!(refused > FLIPS / 10, "{refused} refused, {harmless} harmless");
}

/// Flips a bit in the last occurrence of a text in a file.
fn flip_in(path: &Path, text: &str) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let at = bytes.windows(text.len()).rposition(|w| w == text.as_bytes()).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[bytes[at] ^ 1]).unwrap();
}

#[test]
fn a_row_damaged_while_the_server_runs_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fill(&mut open(&state).unwrap(), 60);
    let customer = newest(&open(&state).unwrap(), "customer");
    let mut sandbox = open(&state).unwrap();
    // The file contains the text twice: in the row of the customer, and in the row of its event.
    flip_in(&state, "name 59");
    flip_in(&state, "name 59");
    for (method, path, table) in [
        ("GET", format!("/v1/customers/{customer}"), "object"),
        ("POST", format!("/v1/customers/{customer}"), "object"),
        ("GET", "/v1/customers".to_owned(), "object"),
        ("GET", "/v1/events".to_owned(), "event"),
    ] {
        let events = sandbox.state().event_count();
        let answer = sandbox.handle(&own_request(method, &path, &[]));
        let error = &json_of(&answer)["error"];
        assert_eq!((answer.status, error["type"].as_str()), (500, Some("api_error")), "{method} {path}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&format!("of the table {table} is damaged")), "{message}");
        assert!(table == "event" || message.contains(&customer), "{message}");
        assert_eq!(sandbox.state().event_count(), events);
    }
    assert_eq!(sandbox.handle(&own_request("POST", "/v1/customers", &[])).status, 200, "other requests succeed");
}

#[test]
fn a_truncated_log_loses_only_its_incomplete_end() {
    let folder = tempfile::tempdir().unwrap();
    let whole = killed(folder.path());
    let state = folder.path().join("cut");
    let log = read(file(&whole, "-wal")).unwrap();
    // The log is cut before its last frame, within a frame, within its first frame and within its header; then it is
    // empty.
    for kept in [log.len() - 4_120, log.len() - 5_000, 4_120, 31, 0] {
        for suffix in SUFFIXES {
            copy(file(&whole, suffix), file(&state, suffix)).unwrap();
        }
        write(file(&state, "-wal"), &log[..kept]).unwrap();
        for _ in 0..2 {
            let mut sandbox = open(&state).unwrap();
            assert!(sandbox.state().count("customer") >= 40, "{kept}: the content of the file is complete");
            everything(&mut sandbox).unwrap();
            assert_eq!(sandbox.handle(&own_request("POST", "/v1/customers", &[])).status, 200);
        }
    }
}
