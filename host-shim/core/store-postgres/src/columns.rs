//! Turns changes into arrays, one for each column, for the function `apply_together`.

use crate::decode::column;
use crate::locks;
use crate::others::{ClaimJson, Others, ProgressJson, some_json};
use crate::store::PostgresStore;
use crate::wire::Params;
use host_store::implementation::json::{Content, Envelope, RowParts, payload_columns, to_json};
use host_store::{Changes, InboxChange, NewInbox, Stored};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// The changes of an event, and the number for a new event; without one, it gets the next number.
pub(crate) type Numbered<'a> = (Option<i64>, &'a Changes);

/// The columns of the claims that were read.
#[derive(Default)]
struct Claims<'a> {
    keys: Vec<&'a str>,
    there: Vec<bool>,
    holders: Vec<Option<String>>,
    untils: Vec<Option<i64>>,
    blocked: Vec<Option<i64>>,
}

/// The columns of accounts.
#[derive(Default)]
struct Accounts {
    names: Vec<String>,
    revisions: Vec<Option<i64>>,
    decide: Vec<bool>,
    write: Vec<bool>,
    versions: Vec<Option<i64>>,
}

/// The columns of new events.
#[derive(Default)]
struct Events<'a> {
    numbers: Vec<Option<i64>>,
    sources: Vec<&'a str>,
    ids: Vec<&'a str>,
    kinds: Vec<&'a str>,
    received: Vec<i64>,
    envelopes: Vec<String>,
    payload_kinds: Vec<i16>,
    payloads: Vec<Cow<'a, [u8]>>,
    raws: Vec<Option<&'a [u8]>>,
    accounts: Vec<Option<String>>,
    states: Vec<i16>,
    ats: Vec<i64>,
    waits: Vec<Option<i64>>,
    failures: Vec<i64>,
    errors: Vec<Option<Cow<'a, str>>>,
    outcomes: Vec<Option<String>>,
    runs: Vec<Option<String>>,
}

/// The columns of rows.
#[derive(Default)]
struct Rows<'a> {
    n: Vec<i64>,
    keys: Vec<String>,
    bodies: Vec<String>,
    values: Vec<&'a str>,
    versions: Vec<i64>,
    live: Vec<bool>,
    shown: Vec<bool>,
    fingerprints: Vec<Option<&'a str>>,
    refs: Vec<String>,
    targets: Vec<String>,
    types: Vec<Option<&'a str>>,
    sessions: Vec<Option<&'a str>>,
    intents: Vec<Option<&'a str>>,
    ats: Vec<i64>,
}

/// The columns of facts.
#[derive(Default)]
struct Facts<'a> {
    n: Vec<i64>,
    facts: Vec<&'a str>,
    events: Vec<&'a str>,
}

/// All columns.
#[derive(Default)]
struct Columns<'a> {
    claims: Claims<'a>,
    accounts: Accounts,
    events: Events<'a>,
    rows: Rows<'a>,
    facts: Facts<'a>,
    others: Others<'a>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, (number, changes): Numbered<'a>) -> Stored<()> {
        for (key, row) in &changes.expected.claims {
            let ClaimJson { key, there, holder, until, blocked } = ClaimJson::of(key, row.as_ref());
            self.claims.keys.push(key);
            self.claims.there.push(there);
            self.claims.holders.push(holder.map(|holder| holder.0.to_string()));
            self.claims.untils.push(until);
            self.claims.blocked.push(blocked);
        }
        match &changes.inbox {
            Some(InboxChange::New(new)) => {
                self.add_event(number, new)?;
                self.others.add_new(last(&self.events.ids), new, changes.scope.as_ref());
            }
            Some(InboxChange::Move(change)) => self.others.add_move(change, changes.expected.inbox.as_ref()),
            None => {}
        }
        if let Some(scope) = &changes.scope {
            self.accounts.names.push(scope.account.to_string());
            self.accounts.revisions.push(changes.expected.account_revision.map(column));
            self.accounts.decide.push(changes.decides());
            self.accounts.write.push(changes.has_rows());
            self.accounts.versions.push(changes.rows.iter().map(|write| i64::from(write.data_version)).max());
            let n = last(&self.accounts.names);
            self.add_rows(n, changes)?;
            self.others.add(n, changes);
        }
        Ok(())
    }

    fn add_event(&mut self, number: Option<i64>, new: &'a NewInbox) -> Stored<()> {
        let (event, columns) = (&*new.event, &mut self.events);
        let (kind, payload) = payload_columns(&event.payload)?;
        let progress = ProgressJson::of(&new.progress, Some(new));
        columns.numbers.push(number);
        columns.sources.push(&event.source);
        columns.ids.push(&event.id);
        columns.kinds.push(&event.kind);
        columns.received.push(event.received_at);
        columns.envelopes.push(to_json(&Envelope::of(event))?);
        columns.payload_kinds.push(kind);
        columns.raws.push(Some(new.raw.as_slice()).filter(|raw| *raw != &*payload));
        columns.payloads.push(payload);
        columns.accounts.push(progress.account.map(|account| account.0.to_string()));
        columns.states.push(progress.state);
        columns.ats.push(progress.at);
        columns.waits.push(progress.waits_since);
        columns.failures.push(i64::from(progress.failures));
        columns.errors.push(progress.error);
        columns.outcomes.push(progress.outcome.map(to_json).transpose()?);
        columns.runs.push(progress.run.as_ref().map(to_json).transpose()?);
        Ok(())
    }

    fn add_rows(&mut self, n: i64, changes: &'a Changes) -> Stored<()> {
        let rows = &mut self.rows;
        for write in &changes.rows {
            let Some(row) = &write.row else { continue };
            let RowParts { shown, targets, product_type, session_id, payment_intent_id } = RowParts::of(write);
            let Content { body, value } = Content::of(row)?;
            rows.n.push(n);
            rows.keys.push(write.key.to_string());
            rows.bodies.push(body);
            rows.values.push(value);
            rows.versions.push(i64::from(write.data_version));
            rows.live.push(write.live);
            rows.shown.push(shown);
            rows.fingerprints.push(write.fingerprint.as_deref());
            rows.refs.push(array(write.references.iter().map(ToString::to_string)));
            rows.targets.push(array(targets));
            rows.types.push(product_type);
            rows.sessions.push(session_id);
            rows.intents.push(payment_intent_id);
            rows.ats.push(changes.at);
        }
        for fact in &changes.facts {
            self.facts.n.push(n);
            self.facts.facts.push(fact);
            self.facts.events.push(&changes.event_id);
        }
        Ok(())
    }
}

/// Returns the number of the last item: PostgreSQL arrays start at 1.
fn last<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

/// Returns strings as an array in PostgreSQL notation.
fn array(texts: impl IntoIterator<Item = String>) -> String {
    let mut all = "{".to_owned();
    for text in texts {
        if all.len() > 1 {
            all.push(',');
        }
        all.push('"');
        for letter in text.chars() {
            if matches!(letter, '"' | '\\') {
                all.push('\\');
            }
            all.push(letter);
        }
        all.push('"');
    }
    all.push('}');
    all
}

/// Returns the locks of all changes, in their order.
fn all_locks(schema: &str, changes: &[Numbered<'_>]) -> (Vec<i64>, Vec<bool>) {
    let mut locks = BTreeMap::new();
    for (_, changes) in changes {
        let (keys, shared) = locks::of(schema, changes);
        for (key, shared) in keys.into_iter().zip(shared) {
            *locks.entry(key).or_insert(true) &= shared;
        }
    }
    locks.into_iter().unzip()
}

/// Returns the business and the mode of the accounts, or else of the new event.
fn partition(changes: &Changes) -> Option<(&str, bool)> {
    match (&changes.scope, &changes.inbox) {
        (Some(scope), _) => Some((&scope.business, scope.livemode)),
        (None, Some(InboxChange::New(new))) => Some((&new.event.business, new.livemode)),
        (None, _) => None,
    }
}

/// Applies the changes of one event, or of several new events in one partition and of different accounts. Returns the
/// result, its detail, the number of the first new event, and the number of the transaction.
pub(crate) fn apply(
    store: &PostgresStore,
    changes: &[Numbered<'_>],
    wakes: &[String],
    waits: bool,
    tag: Option<i64>,
) -> Stored<Option<Row>> {
    let mut all = Columns::default();
    changes.iter().try_for_each(|change| all.add(*change))?;
    let (locks, shared) = all_locks(store.wire.settings().schema(), changes);
    let (business, livemode) = changes.iter().find_map(|(_, changes)| partition(changes)).unzip();
    let catalog = changes.iter().find_map(|(_, changes)| changes.expected.catalog_revision).map(column);
    let Columns { claims: c, accounts: a, events: e, rows: r, facts: f, others: o } = &all;
    let payloads: Vec<&[u8]> = e.payloads.iter().map(|payload| &**payload).collect();
    let (elsewhere, moved) =
        (o.elsewhere.as_ref().map(to_json).transpose()?, o.moved.as_ref().map(to_json).transpose()?);
    #[rustfmt::skip]
    let others = [
        elsewhere, moved, some_json(&o.waits)?, some_json(&o.leases)?, some_json(&o.generations)?, some_json(&o.unique)?,
        some_json(&o.released)?, some_json(&o.requests)?, some_json(&o.inserts)?, some_json(&o.updates)?, some_json(&o.deleted)?,
        some_json(&o.claims)?, some_json(&o.replies)?,
    ];
    let has_others = others.iter().any(Option::is_some);
    let others: [&(dyn ToSql + Sync); 13] = others.each_ref().map(|json| json as &(dyn ToSql + Sync));
    #[rustfmt::skip]
    let parts: [(bool, Params<'_>); PARTS] = [
        (true, &[&locks, &shared, &waits, &tag, &business, &livemode, &catalog, &wakes]),
        (!c.keys.is_empty(), &[&c.keys, &c.there, &c.holders, &c.untils, &c.blocked]),
        (!a.names.is_empty(), &[&a.names, &a.revisions, &a.decide, &a.write, &a.versions]),
        (!e.ids.is_empty(), &[
            &e.numbers, &e.sources, &e.ids, &e.kinds, &e.received, &e.envelopes, &e.payload_kinds, &payloads, &e.raws, &e.accounts,
            &e.states, &e.ats, &e.waits, &e.failures, &e.errors, &e.outcomes, &e.runs,
        ]),
        (!r.keys.is_empty(), &[
            &r.n, &r.keys, &r.bodies, &r.values, &r.versions, &r.live, &r.shown, &r.fingerprints, &r.refs, &r.targets, &r.types,
            &r.sessions, &r.intents, &r.ats,
        ]),
        (!f.n.is_empty(), &[&f.n, &f.facts, &f.events]),
        (has_others, &others),
    ];
    let given = parts.iter().filter(|(is_given, _)| *is_given);
    let params: Vec<&(dyn ToSql + Sync)> = given.flat_map(|(_, params)| params.iter().copied()).collect();
    Ok(store.query_now(statement(&parts), &params)?.into_iter().next())
}

/// Number of parts of the parameters. The last part is JSON.
const PARTS: usize = 7;

/// Returns the statement with parameters for the given parts. Empty parts are written into its text, because the server
/// looks up the type of each parameter on every call.
fn statement(parts: &[(bool, Params<'_>); PARTS]) -> &'static str {
    static STATEMENTS: [OnceLock<String>; 1 << PARTS] = [const { OnceLock::new() }; 1 << PARTS];
    let which = parts.iter().fold(0, |which, (is_given, _)| 2 * which + usize::from(*is_given));
    STATEMENTS[which].get_or_init(|| {
        let mut all = Vec::new();
        let mut number = 0;
        for (part, (is_given, params)) in (1..).zip(parts) {
            let (cast, empty) = if part == PARTS { ("::text::json", "NULL") } else { ("", "'{}'") };
            for _ in *params {
                number += usize::from(*is_given);
                all.push(if *is_given { format!("${number}{cast}") } else { empty.to_owned() });
            }
        }
        format!("SELECT result, detail, seq, xid FROM apply_together({})", all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_array_has_its_texts_quoted() {
        let array = |texts: &[&str]| super::array(texts.iter().map(|text| (*text).to_owned()));
        assert_eq!(array(&[]), "{}");
        assert_eq!(array(&["row:a", "", "NULL", "a\"b\\c,{}"]), r#"{"row:a","","NULL","a\"b\\c,{}"}"#);
    }
}
