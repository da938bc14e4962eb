//! A change as the JSON that the function `apply_change` takes.

use extension_contract::{Account, Outcome, Purchase, Reference, Reply, Row, RowKey};
pub(crate) use host_store::implementation::json::{Content, RowParts, payload_columns, state_number, to_json};
use host_store::implementation::json::{Envelope, RunJson, state_columns};
use host_store::{
    Changes, ClaimRow, EffectChange, EffectRow, EffectState, ExpectedGenerations, InboxChange, InboxProgress,
    InboxState, Lease, NewInbox, RowWrite, Stored,
};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A change. Members that are missing need no work.
#[derive(Serialize)]
struct ChangeJson<'a> {
    locks: Vec<i64>,
    shared: Vec<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    business: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    livemode: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Shown<'a, Account>>,
    event_id: &'a str,
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox: Option<StateJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expects_effects: Vec<ExpectedEffectJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expects_generations: Vec<GenerationsJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_revision: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expects_claims: Vec<ClaimJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purchases: Vec<UniqueJson<'a>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    facts: BTreeSet<&'a str>,
    /// The unique index of a purchase's value that the change itself writes twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<&'static str>,
    /// True if the change itself inserts a generation of an effect twice. Then `inserts` and `updates` end before the second insert.
    twice: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<RowJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    claims: Vec<ClaimJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inserts: Vec<EffectJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    updates: Vec<UpdateJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<&'a Reply>,
    decides: bool,
    writes: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<NewJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<i64>,
}

/// A value that is written as its text.
pub(crate) struct Shown<'a, T>(pub(crate) &'a T);

impl<T: std::fmt::Display> Serialize for Shown<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

#[derive(Serialize)]
pub(crate) struct StateJson {
    pub(crate) state: i16,
    pub(crate) at: i64,
    pub(crate) waits_since: Option<i64>,
}

impl StateJson {
    fn of(state: &InboxState) -> StateJson {
        let (state, at, waits_since) = state_columns(state);
        StateJson { state, at, waits_since }
    }
}

#[derive(Serialize)]
struct ExpectedEffectJson<'a> {
    key: &'a str,
    generation: u32,
    state: i16,
    lease: u64,
}

#[derive(Serialize)]
pub(crate) struct GenerationsJson<'a> {
    key: &'a str,
    /// `GENERATION,STATE,LEASE` of each generation, oldest first, separated by semicolons.
    generations: String,
}

impl<'a> GenerationsJson<'a> {
    pub(crate) fn of(effect: &'a ExpectedGenerations) -> GenerationsJson<'a> {
        let each = effect.generations.iter();
        let each = each.map(|(number, state, lease)| format!("{number},{},{lease}", state_number(*state)));
        GenerationsJson { key: &effect.key, generations: each.collect::<Vec<_>>().join(";") }
    }
}

#[derive(Serialize)]
pub(crate) struct ClaimJson<'a> {
    pub(crate) key: &'a str,
    pub(crate) there: bool,
    pub(crate) holder: Option<Shown<'a, Account>>,
    pub(crate) until: Option<i64>,
    pub(crate) blocked: Option<i64>,
}

impl<'a> ClaimJson<'a> {
    pub(crate) fn of(key: &'a str, row: Option<&'a ClaimRow>) -> ClaimJson<'a> {
        ClaimJson {
            key,
            there: row.is_some(),
            holder: row.and_then(|row| row.holder.as_ref()).map(Shown),
            until: row.and_then(|row| row.until),
            blocked: row.and_then(|row| row.blocked_until),
        }
    }
}

/// A unique value of a purchase, and the rows that the change writes.
#[derive(Serialize)]
struct UniqueJson<'a> {
    index: &'static str,
    value: &'a str,
    keys: Vec<String>,
}

#[derive(Serialize)]
struct RowJson<'a> {
    key: Shown<'a, RowKey>,
    body: Option<String>,
    value: Option<&'a str>,
    data_version: u32,
    live: bool,
    shown: bool,
    fingerprint: Option<&'a str>,
    refs: Vec<Shown<'a, Reference>>,
    targets: BTreeSet<String>,
    product_type: Option<&'a str>,
    session_id: Option<&'a str>,
    payment_intent_id: Option<&'a str>,
}

impl<'a> RowJson<'a> {
    fn of(write: &'a RowWrite) -> Stored<RowJson<'a>> {
        let RowWrite { key, row, data_version, live, references, fingerprint } = write;
        let RowParts { shown, targets, product_type, session_id, payment_intent_id } = RowParts::of(write);
        let content = row.as_ref().map(Content::of).transpose()?;
        let (body, value) = content.map_or((None, None), |content| (Some(content.body), Some(content.value)));
        Ok(RowJson {
            key: Shown(key),
            body,
            value,
            data_version: *data_version,
            live: *live,
            shown,
            fingerprint: fingerprint.as_deref(),
            refs: references.iter().map(Shown).collect(),
            targets,
            product_type,
            session_id,
            payment_intent_id,
        })
    }
}

/// Returns a row as the JSON that `apply_change` takes.
pub(crate) fn whole_row(write: &RowWrite) -> Stored<String> {
    to_json(&RowJson::of(write)?)
}

#[derive(Serialize)]
pub(crate) struct EffectJson<'a> {
    key: &'a str,
    generation: u32,
    kind: &'a str,
    receiver: Option<Shown<'a, Account>>,
    payload: &'a str,
    context: &'a str,
    reply_to: Option<&'a str>,
    ordering_key: Option<&'a str>,
    not_before: Option<i64>,
    deadline: Option<i64>,
    retry: Option<&'a [u32]>,
    state: i16,
    attempts: u32,
    due_at: i64,
    created_at: i64,
    caused_by: &'a str,
    #[serde(flatten)]
    lease: LeaseJson<'a>,
}

#[derive(Serialize)]
struct LeaseJson<'a> {
    lease_until: Option<i64>,
    fence: u64,
    token: Option<&'a str>,
    lease_owner: Option<&'a str>,
}

impl<'a> LeaseJson<'a> {
    fn of(lease: &'a Lease) -> LeaseJson<'a> {
        let Lease { number, until, token, owner } = lease;
        LeaseJson { lease_until: *until, fence: *number, token: token.as_deref(), lease_owner: owner.as_deref() }
    }
}

impl<'a> EffectJson<'a> {
    pub(crate) fn of(row: &'a EffectRow) -> EffectJson<'a> {
        let effect = &row.effect;
        EffectJson {
            key: &effect.key,
            generation: effect.generation,
            kind: &effect.kind,
            receiver: effect.to.as_ref().map(Shown),
            payload: &effect.payload,
            context: &effect.context,
            reply_to: effect.reply_to.as_deref(),
            ordering_key: effect.ordering_key.as_deref(),
            not_before: effect.not_before,
            deadline: effect.deadline,
            retry: effect.retry.as_ref().map(|retry| &*retry.delays_ms),
            state: state_number(row.state),
            attempts: row.attempts,
            due_at: row.due_at,
            created_at: row.created_at,
            caused_by: &row.caused_by,
            lease: LeaseJson::of(&row.lease),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct UpdateJson<'a> {
    key: &'a str,
    generation: u32,
    /// True if this change inserts the effect itself.
    inserted: bool,
    /// The number of inserts that come before this update in the change. The first refused effect decides about the refusal.
    after: usize,
    state: i16,
    attempts: u32,
    due_at: i64,
    #[serde(flatten)]
    lease: LeaseJson<'a>,
}

impl<'a> UpdateJson<'a> {
    /// Returns the change of a stored effect with this key, number of the generation and number of attempts.
    pub(crate) fn of(
        key: &'a str,
        (generation, attempts): (u32, u32),
        state: EffectState,
        due_at: i64,
        lease: &'a Lease,
    ) -> UpdateJson<'a> {
        let (state, lease) = (state_number(state), LeaseJson::of(lease));
        UpdateJson { key, generation, inserted: false, after: 0, state, attempts, due_at, lease }
    }
}

#[derive(Serialize)]
pub(crate) struct ProgressJson<'a> {
    pub(crate) account: Option<Shown<'a, Account>>,
    #[serde(flatten)]
    pub(crate) state: StateJson,
    pub(crate) failures: u32,
    pub(crate) error: Option<Cow<'a, str>>,
    pub(crate) outcome: Option<&'a Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<RunJson<'a>>,
}

#[derive(Serialize)]
struct NewJson<'a> {
    business: &'a str,
    livemode: bool,
    source: &'a str,
    id: &'a str,
    kind: &'a str,
    received_at: i64,
    envelope: Envelope<'a>,
    payload_kind: i16,
}

/// A change, ready to be sent.
pub(crate) struct Prepared<'a> {
    pub(crate) json: String,
    pub(crate) payload: Option<Cow<'a, [u8]>>,
    pub(crate) raw: Option<&'a [u8]>,
}

/// Returns a text for people without the character that PostgreSQL cannot store.
fn storable(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

/// Returns the unique values of the change's purchases, and the index of a value that two of them have.
fn purchases(changes: &Changes) -> (Vec<UniqueJson<'_>>, Option<&'static str>) {
    type Field = fn(&Purchase) -> Option<&String>;
    let fields: [(&'static str, Field); 2] = [
        ("purchase.session", |row| row.values.session_id.as_ref()),
        ("purchase.payment-intent", |row| row.values.payment_intent_id.as_ref()),
    ];
    let (mut found, mut taken) = (Vec::new(), None);
    for (index, of) in fields {
        let mut seen = BTreeSet::new();
        for write in &changes.rows {
            let Some(Row::Purchase(row)) = &write.row else { continue };
            let Some(value) = of(row) else { continue };
            let keys = changes.rows.iter().map(|write| write.key.to_string()).collect();
            found.push(UniqueJson { index, value, keys });
            if !seen.insert(value) {
                taken = Some(index);
            }
        }
    }
    (found, taken)
}

/// Returns the new effects, the changes of effects, and whether a generation is inserted twice. Nothing after the second insert
/// is returned, because that insert refuses the change.
fn effects(changes: &Changes) -> (Vec<EffectJson<'_>>, Vec<UpdateJson<'_>>, bool) {
    let (mut inserts, mut updates) = (Vec::new(), Vec::new());
    let mut inserted = BTreeSet::new();
    for change in &changes.effects {
        match change {
            EffectChange::Insert(row) => {
                if !inserted.insert((&*row.effect.key, row.effect.generation)) {
                    return (inserts, updates, true);
                }
                inserts.push(EffectJson::of(row));
            }
            EffectChange::Update { key, generation, state, attempts, due_at, lease } => {
                let own = UpdateJson::of(key, (*generation, *attempts), *state, *due_at, lease);
                let is_inserted = inserted.contains(&(&**key, *generation));
                updates.push(UpdateJson { inserted: is_inserted, after: inserts.len(), ..own });
            }
        }
    }
    (inserts, updates, false)
}

impl<'a> ProgressJson<'a> {
    /// Returns the progress of an event; a new event may have an account already.
    pub(crate) fn of(progress: &'a InboxProgress, new: Option<&'a NewInbox>) -> ProgressJson<'a> {
        let account = progress.account.as_ref().or(new.and_then(|new| new.event.account.as_ref()));
        let is_waiting = matches!(progress.state, InboxState::Parked { .. } | InboxState::Deferred { .. });
        ProgressJson {
            account: account.map(Shown),
            state: StateJson::of(&progress.state),
            failures: progress.failures,
            error: progress.error.as_deref().map(storable),
            outcome: progress.outcome.as_ref(),
            waits: Some(&*progress.waits_for).filter(|waits| is_waiting && !waits.is_empty()),
            run: progress.run.as_ref().map(RunJson::of),
        }
    }
}

impl<'a> NewJson<'a> {
    fn of(new: &'a NewInbox, payload_kind: i16) -> NewJson<'a> {
        let event = &*new.event;
        NewJson {
            business: &event.business,
            livemode: new.livemode,
            source: &event.source,
            id: &event.id,
            kind: &event.kind,
            received_at: event.received_at,
            envelope: Envelope::of(event),
            payload_kind,
        }
    }
}

/// Prepares a change.
///
/// # Errors
/// Fails for a value without a form in JSON.
pub(crate) fn prepare<'a>(schema: &str, changes: &'a Changes) -> Stored<Prepared<'a>> {
    let (locks, shared) = crate::locks::of(schema, changes);
    let (inserts, updates, twice) = effects(changes);
    let (purchases, taken) = purchases(changes);
    let expected = &changes.expected;
    let (mut new, mut moved, mut own, mut payload, mut raw) = (None, None, None, None, None);
    match &changes.inbox {
        Some(InboxChange::New(event)) => {
            let (kind, bytes) = payload_columns(&event.event.payload)?;
            raw = Some(event.raw.as_slice()).filter(|raw| *raw != &*bytes);
            payload = Some(bytes);
            new = Some(NewJson::of(event, kind));
            own = Some(ProgressJson::of(&event.progress, Some(event)));
        }
        Some(InboxChange::Move(change)) => {
            moved = Some(crate::decode::column(change.seq));
            own = Some(ProgressJson::of(&change.progress, None));
        }
        None => {}
    }
    let scope = changes.scope.as_ref();
    let json = to_json(&ChangeJson {
        locks,
        shared,
        business: scope.map(|scope| &*scope.business),
        livemode: scope.map(|scope| scope.livemode),
        account: scope.map(|scope| Shown(&scope.account)),
        event_id: &changes.event_id,
        at: changes.at,
        inbox: expected.inbox.as_ref().map(StateJson::of),
        expects_effects: (expected.effects.iter())
            .map(|effect| ExpectedEffectJson {
                key: &effect.key,
                generation: effect.generation,
                state: state_number(effect.state),
                lease: effect.lease,
            })
            .collect(),
        expects_generations: (expected.generations.iter()).map(GenerationsJson::of).collect(),
        account_revision: expected.account_revision,
        catalog_revision: expected.catalog_revision,
        expects_claims: expected.claims.iter().map(|(key, row)| ClaimJson::of(key, row.as_ref())).collect(),
        purchases,
        taken,
        twice,
        facts: changes.facts.iter().map(String::as_str).collect(),
        rows: changes.rows.iter().map(RowJson::of).collect::<Stored<_>>()?,
        claims: changes.claims.iter().map(|(key, row)| ClaimJson::of(key, row.as_ref())).collect(),
        inserts,
        updates,
        caller: changes.reply.as_ref().map(|(caller, _)| &**caller),
        reply: changes.reply.as_ref().map(|(_, reply)| reply),
        decides: changes.decides(),
        writes: scope.is_some() && changes.has_rows(),
        data_version: changes.rows.iter().map(|write| write.data_version).max(),
        progress: own,
        new,
        moved,
    })?;
    Ok(Prepared { json, payload, raw })
}
