//! Reads a store file with the store's library, independently of the tested process.

use host_store::{EffectState, InboxState, Read, SqliteStore};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: usize = 500;

/// An event in the inbox.
#[derive(Debug, PartialEq)]
pub struct Kept {
    pub source: String,
    /// Outcomes of its runs, in order, each with its reason; none for a failed run.
    pub outcomes: Vec<Option<(String, Option<String>)>>,
    pub is_done: bool,
}

/// An effect: account, kind, key, generation.
pub type EffectKey = (String, String, String, u32);

/// The contents of a store that must not depend on kills.
#[derive(Debug, Default, PartialEq)]
pub struct Books {
    /// The events, by id.
    pub inbox: BTreeMap<String, Kept>,
    pub effects: BTreeMap<EffectKey, EffectState>,
}

impl Books {
    /// Reads a copy of the file, so that the next process finds it unchanged.
    pub fn of(store: &Path) -> Books {
        if !store.exists() {
            return Books::default();
        }
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("copy.db");
        for suffix in ["", "-wal", "-shm"] {
            let from = with_suffix(store, suffix);
            if from.exists() {
                fs::copy(from, with_suffix(&copy, suffix)).expect("copied");
            }
        }
        Books::read(&SqliteStore::open(&copy).expect("a kill leaves a store that opens"))
    }

    fn read(store: &SqliteStore) -> Books {
        let mut books = Books::default();
        let mut after = 0;
        loop {
            let rows = store.inbox_after(None, after, PAGE).expect("read");
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
        for scope in store.scopes(None).expect("read") {
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

    /// Returns the number of finished effects of this kind.
    pub fn carried_out(&self, kind: &str) -> usize {
        let of_kind = self.effects.iter().filter(|((_, of, ..), _)| of == kind);
        of_kind.filter(|(_, state)| **state == EffectState::Finished).count()
    }

    /// Returns the number of effects that have a call but no stored answer. Watches do not count, because they run as
    /// long as their resource.
    pub fn in_flight(&self) -> usize {
        let running = self.effects.iter().filter(|(_, state)| **state == EffectState::Running);
        running.filter(|((_, kind, ..), _)| kind != "probe.watch").count()
    }

    /// Returns the ids of the inbox.
    pub fn ids(&self) -> BTreeSet<&str> {
        self.inbox.keys().map(String::as_str).collect()
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
