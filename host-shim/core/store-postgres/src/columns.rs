//! The changes of a group as arrays, one for each column, for the function `apply_together`.

use crate::change::{
    ClaimJson, Content, EffectJson, GenerationsJson, ProgressJson, RowParts, UpdateJson, payload_columns, to_json,
};
use crate::decode::{column, get};
use crate::locks;
use crate::store::PostgresStore;
use crate::together::{Batch, HeldChange};
use extension_contract::Reply;
use host_store::implementation::json::Envelope;
use host_store::{Changes, EffectChange, Partition, Stored};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What few changes have, as JSON.
#[derive(Serialize)]
struct Others<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    claims: Vec<ClaimJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    generations: Vec<OfAccount<GenerationsJson<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inserts: Vec<OfAccount<EffectJson<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    updates: Vec<OfAccount<UpdateJson<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replies: Vec<OfAccount<ReplyJson<'a>>>,
}

/// An item with the number of its account.
#[derive(Serialize)]
struct OfAccount<T> {
    n: i64,
    #[serde(flatten)]
    item: T,
}

#[derive(Serialize)]
struct ReplyJson<'a> {
    caller: &'a str,
    reply: &'a Reply,
}

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
    revisions: Vec<i64>,
    decide: Vec<bool>,
    write: Vec<bool>,
    versions: Vec<Option<i64>>,
}

/// The columns of events.
#[derive(Default)]
struct Events<'a> {
    numbers: Vec<i64>,
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
}

impl<'a> Columns<'a> {
    fn add(&mut self, held: &'a HeldChange, others: &mut Others<'a>) -> Stored<()> {
        let changes = &held.changes;
        for (key, row) in &changes.expected.claims {
            let ClaimJson { key, there, holder, until, blocked } = ClaimJson::of(key, row.as_ref());
            self.claims.keys.push(key);
            self.claims.there.push(there);
            self.claims.holders.push(holder.map(|holder| holder.0.to_string()));
            self.claims.untils.push(until);
            self.claims.blocked.push(blocked);
        }
        self.add_event(held)?;
        if let Some(scope) = &changes.scope {
            self.accounts.names.push(scope.account.to_string());
            self.accounts.revisions.push(changes.expected.account_revision.map_or(0, column));
            self.accounts.decide.push(changes.decides());
            self.accounts.write.push(changes.has_rows());
            self.accounts.versions.push(changes.rows.iter().map(|write| i64::from(write.data_version)).max());
            // Arrays of PostgreSQL begin with 1.
            let n = i64::try_from(self.accounts.names.len()).unwrap_or(i64::MAX);
            self.add_rows(n, changes)?;
            others.add(n, changes);
        }
        Ok(())
    }

    fn add_event(&mut self, held: &'a HeldChange) -> Stored<()> {
        let Some(new) = held.event() else { return Ok(()) };
        let (event, columns) = (&*new.event, &mut self.events);
        let (kind, payload) = payload_columns(&event.payload)?;
        let progress = ProgressJson::of(&new.progress, Some(new));
        columns.numbers.push(held.number);
        columns.sources.push(&event.source);
        columns.ids.push(&event.id);
        columns.kinds.push(&event.kind);
        columns.received.push(event.received_at);
        columns.envelopes.push(to_json(&Envelope::of(event))?);
        columns.payload_kinds.push(kind);
        columns.raws.push(Some(new.raw.as_slice()).filter(|raw| *raw != &*payload));
        columns.payloads.push(payload);
        columns.accounts.push(progress.account.map(|account| account.0.to_string()));
        columns.states.push(progress.state.state);
        columns.ats.push(progress.state.at);
        columns.waits.push(progress.state.waits_since);
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

impl<'a> Others<'a> {
    fn add(&mut self, n: i64, changes: &'a Changes) {
        self.claims.extend(changes.claims.iter().map(|(key, row)| ClaimJson::of(key, row.as_ref())));
        let generations = changes.expected.generations.iter();
        self.generations.extend(generations.map(|effect| OfAccount { n, item: GenerationsJson::of(effect) }));
        for change in &changes.effects {
            match change {
                EffectChange::Insert(row) => self.inserts.push(OfAccount { n, item: EffectJson::of(row) }),
                EffectChange::Update { key, generation, state, attempts, due_at, lease } => {
                    let (key, numbers) = (&**key, (*generation, *attempts));
                    self.updates.push(OfAccount { n, item: UpdateJson::of(key, numbers, *state, *due_at, lease) });
                }
            }
        }
        self.replies
            .extend(changes.reply.iter().map(|(caller, reply)| OfAccount { n, item: ReplyJson { caller, reply } }));
    }

    fn is_empty(&self) -> bool {
        let Others { claims, generations, inserts, updates, replies } = self;
        let lengths = [claims.len(), generations.len(), inserts.len(), updates.len(), replies.len()];
        lengths.iter().sum::<usize>() == 0
    }
}

/// Returns texts as an array in the notation of PostgreSQL.
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
fn all_locks(schema: &str, batch: &Batch) -> (Vec<i64>, Vec<bool>) {
    let mut locks = BTreeMap::new();
    for held in &batch.changes {
        let (keys, shared) = locks::of(schema, &held.changes);
        for (key, shared) in keys.into_iter().zip(shared) {
            *locks.entry(key).or_insert(true) &= shared;
        }
    }
    locks.into_iter().unzip()
}

/// Applies the changes. Returns the result, and the number of the transaction.
pub(crate) fn apply(
    store: &PostgresStore,
    partition: &Partition,
    batch: &Batch,
    waits: bool,
) -> Stored<(String, Option<String>)> {
    let mut others = Others { claims: vec![], generations: vec![], inserts: vec![], updates: vec![], replies: vec![] };
    let mut all = Columns::default();
    batch.changes.iter().try_for_each(|held| all.add(held, &mut others))?;
    let (locks, shared) = all_locks(store.wire.settings().schema(), batch);
    let others = if others.is_empty() { None } else { Some(to_json(&others)?) };
    let Columns { claims: c, accounts: a, events: e, rows: r, facts: f } = &all;
    let payloads: Vec<&[u8]> = e.payloads.iter().map(|payload| &**payload).collect();
    let catalog = batch.catalog_revision.map(column);
    let sql = "SELECT result, xid FROM apply_together($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
               $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, \
               $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52::text::json)";
    #[rustfmt::skip]
    let row = store.query_now(sql, &[
        &locks, &shared, &waits, &partition.business, &partition.livemode, &catalog, &batch.wakes,
        &c.keys, &c.there, &c.holders, &c.untils, &c.blocked,
        &a.names, &a.revisions, &a.decide, &a.write, &a.versions,
        &e.numbers, &e.sources, &e.ids, &e.kinds, &e.received, &e.envelopes, &e.payload_kinds, &payloads, &e.raws, &e.accounts,
        &e.states, &e.ats, &e.waits, &e.failures, &e.errors, &e.outcomes, &e.runs,
        &r.n, &r.keys, &r.bodies, &r.values, &r.versions, &r.live, &r.shown, &r.fingerprints, &r.refs, &r.targets, &r.types, &r.sessions, &r.intents,
        &r.ats,
        &f.n, &f.facts, &f.events,
        &others,
    ])?;
    let row = row.into_iter().next().ok_or_else(|| crate::decode::damaged("apply_together has no result"))?;
    Ok((get(&row, 0)?, get(&row, 1)?))
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
