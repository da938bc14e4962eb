//! What a store file has, read with the store's library and by no process that is tested.

use host_store::{EffectState, InboxState, SqliteStore, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: usize = 500;

/// An event in the inbox.
#[derive(Debug, PartialEq)]
pub struct Kept {
    pub source: String,
    /// Outcomes of its runs, first to last, each with its reason; none for a run that failed.
    pub outcomes: Vec<Option<(String, Option<String>)>>,
    pub is_done: bool,
}

/// An effect: account, kind, key, generation.
pub type EffectKey = (String, String, String, u32);

/// Everything that may not depend on kills.
#[derive(Debug, Default, PartialEq)]
pub struct Books {
    /// By id.
    pub inbox: BTreeMap<String, Kept>,
    pub effects: BTreeMap<EffectKey, EffectState>,
}

impl Books {
    /// Reads a copy of the file, so that what a kill left is left for the next process.
    pub fn of(store: &Path) -> Books {
        if !store.exists() {
            return Books::default();
        }
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("copy.db");
        for suffix in ["", "-wal", "-shm"] {
            let from = beside(store, suffix);
            if from.exists() {
                fs::copy(from, beside(&copy, suffix)).expect("copied");
            }
        }
        Books::read(&SqliteStore::open(&copy).expect("a kill leaves a store that opens"))
    }

    fn read(store: &SqliteStore) -> Books {
        let mut books = Books::default();
        let mut after = 0;
        loop {
            let rows = store.inbox_after(after, PAGE).expect("read");
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in rows {
                let runs = store.runs(row.seq).expect("read");
                let outcome =
                    |run: &host_store::Run| run.outcome.as_ref().map(|it| (it.name().to_owned(), it.reason()));
                let kept = Kept {
                    source: row.event.source,
                    outcomes: runs.iter().map(outcome).collect(),
                    is_done: row.state == InboxState::Done,
                };
                assert!(books.inbox.insert(row.event.id.clone(), kept).is_none(), "{} is there twice", row.event.id);
            }
        }
        for scope in store.scopes().expect("read") {
            let mut after = 0;
            loop {
                let rows = store.effects_of(&scope, after, PAGE).expect("read");
                let Some(last) = rows.last() else { break };
                after = last.seq;
                for row in rows {
                    let effect = row.effect;
                    let key = (scope.account.to_string(), effect.kind, effect.key, effect.generation);
                    books.effects.insert(key, row.state);
                }
            }
        }
        books
    }

    /// Effects of providers that have ended, by kind.
    pub fn carried_out(&self, kind: &str) -> usize {
        let of_kind = self.effects.iter().filter(|((_, of, ..), _)| of == kind);
        of_kind.filter(|(_, state)| **state == EffectState::Finished).count()
    }

    /// Effects whose call was begun and whose answer was not kept; a watch runs for as long as what it watches.
    pub fn in_flight(&self) -> usize {
        let running = self.effects.iter().filter(|(_, state)| **state == EffectState::Running);
        running.filter(|((_, kind, ..), _)| kind != "probe.watch").count()
    }

    /// Ids of the inbox.
    pub fn ids(&self) -> BTreeSet<&str> {
        self.inbox.keys().map(String::as_str).collect()
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
