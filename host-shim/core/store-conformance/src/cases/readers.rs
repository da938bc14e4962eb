//! Cases of readers: what a snapshot sees, and that readers and the writer do not wait for each other.

use host_store::testing::samples;
use host_store::{InboxState, Read, Reader, Store, StoreError};

/// Stores an event and a fact of one account, with the number in their names.
fn write(store: &mut dyn Store, number: u32) {
    let mut changes = samples::changes(&samples::scope("user:A"), &format!("evt_{number}"));
    changes.facts.insert(format!("fact_{number}"));
    let new = samples::new_event(&format!("evt_{number}"));
    changes.inbox = samples::accepted(new).inbox;
    store.apply(&changes).expect("applied");
}

/// Returns the revision, the events and the facts that queries see.
fn seen(read: &dyn Read) -> (u64, Vec<String>, Vec<bool>) {
    let scope = samples::scope("user:A");
    let events = read.inbox_after(None, 0, 9).expect("read").into_iter().map(|row| row.event.id).collect();
    let facts = read.known(&scope, &["fact_1".into(), "fact_2".into()]).expect("read");
    (read.account(&scope).expect("read").revision, events, facts)
}

fn begun(store: &dyn Store) -> Box<dyn Reader> {
    let mut reader = store.reader().expect("a reader");
    reader.begin().expect("a snapshot");
    reader
}

/// A snapshot is the state of the last commit before it began, for all queries, until the next begin.
pub fn a_snapshot_sees_the_last_commit_before_it_began(store: &mut dyn Store) {
    let nothing = (0, Vec::new(), vec![false, false]);
    let first = (1, vec!["evt_1".to_owned()], vec![true, false]);
    let second = (2, vec!["evt_1".to_owned(), "evt_2".to_owned()], vec![true, true]);
    let mut early = begun(store);
    write(store, 1);
    let late = begun(store);
    assert_eq!((seen(&*early), seen(&*late)), (nothing, first.clone()));
    early.end().expect("a snapshot is open");
    early.begin().expect("no snapshot is open");
    write(store, 2);
    assert_eq!((seen(&*early), seen(&*late)), (first.clone(), first));
    early.end().expect("a snapshot is open");
    early.begin().expect("no snapshot is open");
    assert_eq!(seen(&*early), second);
}

/// Readers see neither an open group nor a rolled back group, and do not hinder its commit.
pub fn a_snapshot_sees_no_open_group(store: &mut dyn Store) {
    let mut reader = begun(store);
    for commits in [false, true] {
        store.begin().expect("no group is open");
        write(store, 1);
        reader.end().expect("a snapshot is open");
        reader.begin().expect("no snapshot is open");
        assert_eq!(seen(&*reader).0, 0, "the group is open");
        assert!(matches!(store.reader(), Err(StoreError::Misuse(_))), "a reader is opened outside of a group");
        if commits { store.commit() } else { store.rollback() }.expect("a group is open");
        assert_eq!(seen(&*reader).0, 0);
    }
    drop(reader);
    assert_eq!(seen(&*begun(store)).0, 1);
}

/// Queries outside of a snapshot and wrong begins and ends are bugs of the caller.
pub fn a_reader_needs_a_snapshot(store: &mut dyn Store) {
    let mut reader = store.reader().expect("a reader");
    assert!(matches!(reader.inbox(1), Err(StoreError::Misuse(_))));
    assert!(matches!(reader.end(), Err(StoreError::Misuse(_))));
    reader.begin().expect("no snapshot is open");
    assert!(matches!(reader.begin(), Err(StoreError::Misuse(_))));
    assert_eq!(reader.inbox(1), Ok(None));
    reader.end().expect("a snapshot is open");
    assert!(matches!(reader.inbox(1), Err(StoreError::Misuse(_))));
}

/// Many readers on their own threads read while a writer writes; each sees whole commits.
pub fn readers_see_whole_commits_while_a_writer_writes(store: &mut dyn Store) {
    const COMMITS: u64 = 50;
    // With several writers, the log ends below the oldest open group, which may begin before the snapshot.
    let lags = store.has_peers();
    let readers: Vec<Box<dyn Reader>> = (0..3).map(|_| store.reader().expect("a reader")).collect();
    std::thread::scope(|scope| {
        for mut reader in readers {
            scope.spawn(move || {
                loop {
                    reader.begin().expect("no snapshot is open");
                    let revision = reader.account(&samples::scope("user:A")).expect("read").revision;
                    let pending = reader.inbox_after(None, 0, 1000).expect("read").len() as u64;
                    reader.end().expect("a snapshot is open");
                    let is_whole = if lags { pending <= 2 * revision } else { pending == 2 * revision };
                    assert!(is_whole, "each commit has two events: {pending} at {revision}");
                    if revision == COMMITS {
                        return;
                    }
                }
            });
        }
        for number in 1..=COMMITS {
            store.begin().expect("no group is open");
            let mut other = samples::new_event(&format!("other_{number}"));
            other.progress.state = InboxState::Done;
            store.apply(&samples::accepted(other)).expect("applied");
            write(store, u32::try_from(number).expect("a small number"));
            store.commit().expect("a group is open");
        }
    });
}
