//! Copies a store in SQLite into one in PostgreSQL, by the traits of stores.

use super::story::Filled;
use extension_contract::RowKind;
use host_store::{
    Changes, EffectChange, InboxChange, InboxProgress, NewInbox, Read, RowWrite, Scope, SqliteStore, Store,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Number of rows of a page: more than a story makes.
const ALL: usize = 10_000;

/// Copies the rows, facts, claims, events and effects.
pub fn copy(from: &Filled, to: &mut dyn Store) {
    let store = SqliteStore::open(from.path()).expect("the store of the story");
    for scope in store.scopes(None).expect("scopes") {
        for (times, rows) in rows(from, &store, &scope) {
            let mut changes = of_scope(&scope);
            (changes.at, changes.rows) = (times, rows);
            to.apply(&changes).expect("rows");
        }
        for (event_id, facts) in facts(from, &scope) {
            to.apply(&Changes { event_id, facts: facts.into_iter().collect(), ..of_scope(&scope) }).expect("facts");
        }
        let effects = store.effects_of(&scope, 0, ALL).expect("effects");
        let effects = effects.into_iter().map(|row| EffectChange::Insert(Box::new(row))).collect();
        to.apply(&Changes { effects, ..of_scope(&scope) }).expect("effects");
    }
    let mut claims = BTreeMap::new();
    store.claims_each(None, &mut |key, row| drop(claims.insert(key.to_owned(), Some(row.clone())))).expect("claims");
    let scope = store.scopes(None).expect("scopes").remove(0);
    to.apply(&Changes { claims, ..of_scope(&scope) }).expect("claims");
    for row in store.inbox_after(None, 0, ALL).expect("events") {
        let progress = InboxProgress {
            account: row.event.account.clone(),
            state: row.state,
            failures: row.failures,
            error: row.error,
            outcome: row.outcome,
            waits_for: Vec::new(),
            run: store.runs(row.seq).expect("runs").pop(),
        };
        let (event, raw) = (Arc::new(row.event), Arc::new(row.raw));
        let inbox = Some(InboxChange::New(Box::new(NewInbox { event, livemode: row.livemode, raw, progress })));
        to.apply(&Changes { inbox, ..Changes::default() }).expect("an event");
    }
}

fn of_scope(scope: &Scope) -> Changes {
    Changes { scope: Some(scope.clone()), event_id: "copied".to_owned(), ..Changes::default() }
}

/// Returns the rows of an account by the time of their last change.
fn rows(from: &Filled, store: &SqliteStore, scope: &Scope) -> BTreeMap<i64, Vec<RowWrite>> {
    let collections = store.collections(scope).expect("collections").into_iter().map(RowKind::Record);
    let kinds =
        [RowKind::Product, RowKind::Price, RowKind::Purchase, RowKind::Subscription].into_iter().chain(collections);
    let mut all: BTreeMap<i64, Vec<RowWrite>> = BTreeMap::new();
    for kind in kinds {
        for stored in store.rows_all(scope, &kind, None, ALL).expect("rows") {
            let key = stored.row.key();
            let (table, collection) = match &kind {
                RowKind::Product => ("products", "r.id"),
                RowKind::Price => ("prices", "r.id"),
                RowKind::Purchase => ("purchases", "r.id"),
                RowKind::Subscription => ("subscriptions", "r.id"),
                RowKind::Record(_) => ("records", "r.collection || ':' || r.id"),
            };
            let id = key.to_string();
            let id = id.split_once(':').map(|(_, id)| id.to_owned()).expect("a kind");
            let sql = format!(
                "SELECT r.updated_at FROM {table} AS r JOIN scopes AS s ON s.id = r.scope WHERE s.account = ?1 AND {collection} = ?2"
            );
            let at =
                from.connection.query_row(&sql, [scope.account.to_string(), id], |row| row.get(0)).expect("a time");
            all.entry(at).or_default().push(RowWrite {
                key,
                row: Some(stored.row),
                data_version: stored.data_version,
                live: true,
                references: Vec::new(),
                fingerprint: None,
            });
        }
    }
    all
}

/// Returns the facts of an account by the event that recorded them.
fn facts(from: &Filled, scope: &Scope) -> BTreeMap<String, Vec<String>> {
    let sql = "SELECT f.event_id, f.fact FROM facts AS f JOIN scopes AS s ON s.id = f.scope WHERE s.account = ?1";
    let mut all = from.connection.prepare(sql).expect("a query");
    let pairs = all.query_map([scope.account.to_string()], |row| Ok((row.get(0)?, row.get(1)?))).expect("facts");
    let mut facts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in pairs {
        let (event, fact): (String, String) = pair.expect("a fact");
        facts.entry(event).or_default().push(fact);
    }
    facts
}
