//! Tests of a file that cannot grow: a group is stored as a whole or not at all, and later groups are stored once there is
//! space.

use crate::error::StoreError;
use crate::rows::InboxState;
use crate::sqlite::SqliteStore;
use crate::store::{Read, Store};
use crate::testing::samples;
use std::sync::Arc;

/// More pages than any test needs.
const ROOM: i64 = 1_000_000;

/// Limits the file to this many pages, or to as many as it has.
fn limit(store: &SqliteStore, pages: i64) {
    store.connection().pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).expect("limited");
}

/// Stores events in one group; the body of each fills a page.
fn store_events(store: &mut SqliteStore, from: u64, to: u64) -> Result<(), StoreError> {
    store.begin()?;
    let applied = (from..to).try_for_each(|n| {
        let mut new = samples::new_event(&format!("evt_{n}"));
        new.raw = Arc::new(vec![b' '; 4096]);
        new.progress = samples::progress(InboxState::Done);
        store.apply(&samples::accepted(new)).map(drop)
    });
    match applied {
        Ok(()) => store.commit(),
        Err(error) => {
            store.rollback()?;
            Err(error)
        }
    }
}

fn ids(store: &SqliteStore) -> Vec<String> {
    store.inbox_after(None, 0, 100).expect("read").into_iter().map(|row| row.event.id).collect()
}

#[test]
fn a_full_file_refuses_whole_groups_and_takes_the_next_ones_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let mut store = SqliteStore::open(&path).expect("opened");
    store_events(&mut store, 1, 4).expect("stored");
    let before = ids(&store);
    assert_eq!(before.len(), 3);
    limit(&store, 1);
    for attempt in 0..3 {
        let refused = store_events(&mut store, 4, 40);
        assert!(matches!(&refused, Err(StoreError::Unavailable(text)) if text.contains("full")), "{refused:?}");
        assert_eq!(ids(&store), before, "attempt {attempt}: nothing of the group is stored");
    }
    limit(&store, ROOM);
    store_events(&mut store, 4, 40).expect("stored");
    let after = ids(&store);
    assert_eq!((after.len(), &after[..3]), (39, &before[..]));
    drop(store);
    assert_eq!(ids(&SqliteStore::open(&path).expect("opened again")), after);
}
