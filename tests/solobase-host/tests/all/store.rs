//! The store over the database service: the conformance suite of stores, with batches and without.

use host_block::store::{Batches, Platform, Service, ServiceError, SolobaseStore, collections};
use host_store::testing::samples;
use host_store::{Changes, EffectRow, EffectState, InboxProgress, InboxState, MemoryStore, Read, Store, StoreError};
use host_store_conformance::random::{query_results, run, step};
use proptest::collection::vec;
use proptest::prelude::*;
use solobase_host::database::{Database, Period};
use std::cell::Cell;
use std::sync::{Arc, Mutex};

/// The database service, called without a guest.
struct Direct(Database);

impl Service for Direct {
    fn call(&self, kind: &str, request: &[u8]) -> Result<Vec<u8>, ServiceError> {
        self.0.call(kind, request).map_err(|error| ServiceError { code: error.code.to_owned(), message: error.message })
    }
}

fn open(period: Period) -> Box<dyn Store> {
    let service = Direct(Database::open(None, period).expect("opened"));
    let batches = Platform::make_tables(&service).expect("made");
    assert_eq!(batches == Batches::Yes, period == Period::SinceRewrite);
    Box::new(host_block::store::open(Arc::new(service), batches))
}

host_store_conformance::store_conformance!(with_batches, open(Period::SinceRewrite));
host_store_conformance::store_conformance!(with_intents, open(Period::BeforeRewrite));

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_returns_the_same_results_as_the_store_in_memory(steps in vec(step(), 1..24), is_rewritten: bool) {
        let mut memory = MemoryStore::new();
        let mut tables = open(Period::ALL[usize::from(is_rewritten)]);
        for step in &steps {
            prop_assert_eq!(run(&mut memory, step), run(&mut *tables, step), "{:?}", step);
            prop_assert_eq!(query_results(&memory), query_results(&*tables), "after {:?}", step);
        }
    }
}

/// Two stores over the same tables, as two calls of a block.
fn pair(period: Period) -> (SolobaseStore, SolobaseStore) {
    let service = Arc::new(Direct(Database::open(None, period).expect("opened")));
    let batches = Platform::make_tables(&*service).expect("made");
    (host_block::store::open(service.clone(), batches), host_block::store::open(service, batches))
}

/// The platform returns a text that looks like JSON as the parsed value.
#[test]
fn a_text_is_read_as_it_was_written_whatever_it_looks_like() {
    for period in Period::ALL {
        let (mut store, reader) = pair(period);
        for text in ["{\"b\": 1.0, \"a\": [ ] }", "[]", " {}", "  [1]", "{broken", " ", ""] {
            store.begin().expect("begun");
            store.backend_mut().set_setting("text", text).expect("set");
            store.commit().expect("committed");
            assert_eq!(reader.backend().setting("text"), Ok(Some(text.to_owned())), "{period:?}");
        }
    }
}

/// A change of a new account.
fn account(name: &str) -> Changes {
    let mut changes = samples::changes(&samples::scope(name), "evt_1");
    changes.facts.insert("paid".to_owned());
    changes
}

#[test]
fn of_two_groups_beside_each_other_one_commits() {
    for period in Period::ALL {
        let (mut one, mut other) = pair(period);
        one.begin().expect("begun");
        other.begin().expect("begun");
        one.apply(&account("user:A")).expect("applied");
        // Also a change of another account is decided again: events of all accounts are numbered together.
        other.apply(&account("user:B")).expect("applied");
        other.commit().expect("committed");
        assert!(one.backend().is_outrun().expect("read"));
        assert_eq!(
            (one.backend().base(), other.backend().recover()),
            (0, Ok(1)),
            "the group reads the state before the other commit"
        );
        assert!(matches!(one.commit(), Err(StoreError::Locked(_))));
        one.rollback().expect("rolled back");
        assert_eq!(one.known(&samples::scope("user:A"), &["paid".to_owned()]), Ok(vec![false]), "nothing is left");
        one.begin().expect("begun");
        assert!(!one.backend().is_outrun().expect("read"));
        one.apply(&account("user:A")).expect("applied");
        one.commit().expect("committed");
        for (store, name) in [(&one, "user:B"), (&other, "user:A")] {
            assert_eq!(store.known(&samples::scope(name), &["paid".to_owned()]), Ok(vec![true]));
        }
        assert_eq!(other.backend().recover(), Ok(2));
    }
}

/// A service whose calls of one kind fail from some call on, as if the guest were gone.
struct Failing {
    within: Arc<Direct>,
    /// Number of calls that still succeed.
    left: Mutex<Cell<usize>>,
}

impl Service for Failing {
    fn call(&self, kind: &str, request: &[u8]) -> Result<Vec<u8>, ServiceError> {
        let left = self.left.lock().expect("no panic");
        if left.get() == 0 {
            return Err(ServiceError { code: "Unavailable".to_owned(), message: "gone".to_owned() });
        }
        left.set(left.get() - 1);
        self.within.call(kind, request)
    }
}

/// The rows of an intent change one by one, so a reader is outrun as soon as the intent is there.
#[test]
fn a_reader_beside_an_intent_that_is_half_applied_is_outrun() {
    for calls in 0..40 {
        let within = Arc::new(Direct(Database::open(None, Period::BeforeRewrite).expect("opened")));
        let batches = Platform::make_tables(&*within).expect("made");
        let mut reader = host_block::store::open(within.clone(), batches);
        reader.begin().expect("begun");
        let slow = Arc::new(Failing { within: within.clone(), left: Mutex::new(Cell::new(calls)) });
        let written = host_block::store::open(slow, batches).apply(&account("user:A"));
        let is_outrun = reader.backend().is_outrun().expect("read");
        let commits = host_block::store::open(within, batches).backend().recover().expect("recovered");
        assert_eq!(is_outrun, commits == 1, "after {calls} calls");
        if written.is_ok() {
            return;
        }
    }
    panic!("the commit needs more calls than expected");
}

/// Returns everything that the tables contain, also in rows that are deleted.
fn content(service: &Direct) -> String {
    let mut all = String::new();
    for collection in collections() {
        let request = serde_json::json!({"collection": collection});
        let request = rmp_serde::to_vec_named(&request).expect("a request");
        all.push_str(&String::from_utf8_lossy(&service.call("database.list", &request).expect("listed")));
    }
    all
}

#[test]
fn a_deleted_text_is_nowhere_in_the_tables() {
    const TEXT: &str = "a text of ada";
    for calls in 0..40 {
        let within = Arc::new(Direct(Database::open(None, Period::BeforeRewrite).expect("opened")));
        let batches = Platform::make_tables(&*within).expect("made");
        let slow = Arc::new(Failing { within: within.clone(), left: Mutex::new(Cell::new(calls)) });
        let mut first = host_block::store::open(slow, batches);
        let written =
            first.begin().and_then(|()| first.backend_mut().set_setting("note", TEXT)).and_then(|()| first.commit());
        assert!(written.is_err() || content(&within).contains(TEXT));
        let mut next = host_block::store::open(within.clone(), batches);
        next.begin().expect("begun");
        next.backend_mut().clear_setting("note").expect("cleared");
        next.commit().expect("committed");
        assert!(!content(&within).contains(TEXT), "after {calls} calls");
        if written.is_ok() {
            return;
        }
    }
    panic!("the commit needs more calls than expected");
}

/// A writer dies in its commit. The next call applies what is left of it, and changes the same account.
#[test]
fn what_a_writer_has_left_is_applied_before_the_next_commit() {
    for calls in 0..40 {
        let within = Arc::new(Direct(Database::open(None, Period::BeforeRewrite).expect("opened")));
        let batches = Platform::make_tables(&*within).expect("made");
        let slow = Arc::new(Failing { within: within.clone(), left: Mutex::new(Cell::new(calls)) });
        let mut first = host_block::store::open(slow.clone(), batches);
        let written =
            first.begin().and_then(|()| first.apply(&account("user:A")).map(drop)).and_then(|()| first.commit());
        // The next call applies what is left, and changes the same account.
        let mut next = host_block::store::open(within.clone(), batches);
        let mut changes = samples::changes(&samples::scope("user:A"), "evt_2");
        changes.facts.insert("refunded".to_owned());
        next.apply(&changes).expect("applied");
        let known = next.known(&samples::scope("user:A"), &["paid".to_owned(), "refunded".to_owned()]);
        let known = known.expect("read");
        assert!(known[1]);
        assert!(written.is_err() || known[0], "a commit that succeeded is there");
        let revision = next.account(&samples::scope("user:A")).expect("read").revision;
        assert_eq!(revision, if known[0] { 2 } else { 1 }, "after {calls} calls");
        if written.is_ok() {
            return;
        }
    }
    panic!("the commit needs more calls than expected");
}

/// Writes the settings of the test below, as a call beside another.
fn write_later(within: &Arc<Direct>) {
    let mut store = host_block::store::open(within.clone(), Batches::No);
    store.begin().expect("begun");
    for name in ["kept", "new", "cleared"] {
        store.backend_mut().set_setting(name, "later").expect("set");
    }
    store.commit().expect("committed");
}

/// A service with a slow caller: before one of its calls, another call of the block commits.
struct Slow {
    within: Arc<Direct>,
    /// Number of calls before the other commit; none if it is not to come, or has come.
    pause: Mutex<Option<usize>>,
}

impl Service for Slow {
    fn call(&self, kind: &str, request: &[u8]) -> Result<Vec<u8>, ServiceError> {
        let mut pause = self.pause.lock().expect("no panic");
        match *pause {
            Some(0) => {
                *pause = None;
                write_later(&self.within);
            }
            Some(calls) => *pause = Some(calls - 1),
            None => {}
        }
        self.within.call(kind, request)
    }
}

/// A slow writer pauses in its commit. Another call meanwhile applies its intent and writes the same rows anew. Then the writer goes on
/// with the rows that it had before it.
#[test]
fn a_late_writer_of_an_intent_overwrites_nothing() {
    for calls in 0..40 {
        let within = Arc::new(Direct(Database::open(None, Period::BeforeRewrite).expect("opened")));
        let batches = Platform::make_tables(&*within).expect("made");
        let slow = Arc::new(Slow { within: within.clone(), pause: Mutex::new(None) });
        let mut writer = host_block::store::open(slow.clone(), batches);
        writer.begin().expect("begun");
        writer.backend_mut().set_setting("kept", "before").expect("set");
        writer.backend_mut().set_setting("cleared", "before").expect("set");
        writer.commit().expect("committed");
        writer.begin().expect("begun");
        writer.backend_mut().set_setting("kept", "slow").expect("set");
        writer.backend_mut().set_setting("new", "slow").expect("set");
        writer.backend_mut().clear_setting("cleared").expect("cleared");
        *slow.pause.lock().expect("no panic") = Some(calls);
        let written = writer.commit();
        let has_paused = slow.pause.lock().expect("no panic").is_none();
        if !has_paused {
            assert!(calls > 5, "the commit has more calls than {calls}");
            return;
        }
        // Before its intent is there, the writer is outrun; afterwards it has committed.
        assert_eq!(written.is_ok(), calls > 0, "after {calls} calls: {written:?}");
        let reader = host_block::store::open(within, batches);
        assert_eq!(reader.backend().recover(), Ok(if calls > 0 { 3 } else { 2 }));
        let settings = reader.backend().settings(&["kept", "new", "cleared"]).expect("read");
        assert_eq!(settings, vec![Some("later".to_owned()); 3], "after {calls} calls");
    }
    panic!("the commit needs more calls than expected");
}

/// A history of 25 events and 25 effects is erased, in parts of 20 or at once.
#[test]
fn a_history_that_is_erased_in_parts_is_as_one_that_is_erased_at_once() {
    for period in Period::ALL {
        let [at_once, in_parts] = [false, true].map(|is_in_parts| {
            let (mut store, _) = pair(period);
            let scope = samples::scope("user:A");
            for n in 0..25 {
                let mut new = samples::new_event(&format!("evt_{n}"));
                let account = Some(scope.account.clone());
                new.progress = InboxProgress { account, ..samples::progress(InboxState::Done) };
                store.apply(&samples::accepted(new)).expect("applied");
                let row = samples::queued(&scope, samples::effect("mail.send", &format!("mail_{n}")), 2000);
                let mut changes = samples::changes(&scope, "evt_0");
                changes.effects = vec![samples::insert(EffectRow { state: EffectState::Finished, ..row })];
                store.apply(&changes).expect("applied");
            }
            if is_in_parts {
                let mut parts = 1;
                while store.erase_part(&scope).expect("erased") {
                    parts += 1;
                }
                assert_eq!(parts, 3);
            } else {
                store.apply(&Changes { erase: true, ..samples::changes(&scope, "evt_0") }).expect("applied");
            }
            let events = store.inbox_after(None, 0, usize::MAX).expect("read");
            (events, store.effects_of(&scope, 0, usize::MAX).expect("read"))
        });
        assert!(at_once.0.iter().all(|row| row.erased) && at_once.1.iter().all(|row| row.erased));
        assert_eq!(at_once, in_parts, "{period:?}");
    }
}
