//! The parts that few changes have, as the JSON that the function `apply_together` accepts.

use crate::decode::column;
use extension_contract::{Account, Outcome, Reply, Row};
use host_store::implementation::UniqueField;
use host_store::implementation::json::{RunJson, state_columns, state_number, to_json};
use host_store::{
    Changes, ClaimRow, EffectChange, EffectRow, ExpectedGenerations, InboxMove, InboxProgress, InboxState, Lease,
    NewInbox, RowWrite, Scope, Stored,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Rarely used parts of changes.
#[derive(Default)]
pub(crate) struct Others<'a> {
    /// Business and mode of the event, if they differ from the account's.
    pub(crate) elsewhere: Option<Value>,
    /// The change of a stored event.
    pub(crate) moved: Option<MoveJson<'a>>,
    /// Full keys that new events wait for.
    pub(crate) waits: Vec<Value>,
    /// Expected states and leases of effects.
    pub(crate) leases: Vec<Value>,
    pub(crate) generations: Vec<OfAccount<GenerationsJson<'a>>>,
    /// Unique values of purchases. `keys`: the purchases that the change writes; `twice`: an earlier one of them has the value.
    pub(crate) unique: Vec<Value>,
    /// Keys of the purchases of a change that writes several.
    pub(crate) released: Vec<Value>,
    /// What is done to effects, in the order of the change.
    pub(crate) requests: Vec<OfAccount<RequestJson<'a>>>,
    pub(crate) inserts: Vec<OfAccount<EffectJson<'a>>>,
    pub(crate) updates: Vec<OfAccount<UpdateJson<'a>>>,
    /// Keys of deleted rows.
    pub(crate) deleted: Vec<Value>,
    pub(crate) claims: Vec<ClaimJson<'a>>,
    pub(crate) replies: Vec<OfAccount<ReplyJson<'a>>>,
}

/// An item with the number of its account.
#[derive(Serialize)]
pub(crate) struct OfAccount<T> {
    n: i64,
    #[serde(flatten)]
    item: T,
}

/// A value that is written as its text.
pub(crate) struct Shown<'a, T>(pub(crate) &'a T);

impl<T: std::fmt::Display> Serialize for Shown<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

/// The progress of an event.
#[derive(Serialize)]
pub(crate) struct ProgressJson<'a> {
    pub(crate) account: Option<Shown<'a, Account>>,
    pub(crate) state: i16,
    pub(crate) at: i64,
    pub(crate) waits_since: Option<i64>,
    pub(crate) failures: u32,
    pub(crate) error: Option<Cow<'a, str>>,
    pub(crate) outcome: Option<&'a Outcome>,
    pub(crate) run: Option<RunJson<'a>>,
}

impl<'a> ProgressJson<'a> {
    /// Returns the progress of an event; a new event may already have an account.
    pub(crate) fn of(progress: &'a InboxProgress, new: Option<&'a NewInbox>) -> ProgressJson<'a> {
        let account = progress.account.as_ref().or(new.and_then(|new| new.event.account.as_ref()));
        let (state, at, waits_since) = state_columns(&progress.state);
        ProgressJson {
            account: account.map(Shown),
            state,
            at,
            waits_since,
            failures: progress.failures,
            error: progress.error.as_deref().map(storable),
            outcome: progress.outcome.as_ref(),
            run: progress.run.as_ref().map(RunJson::of),
        }
    }
}

/// Returns a text for people without the character that PostgreSQL cannot store.
fn storable(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

/// New progress of a stored event.
#[derive(Serialize)]
pub(crate) struct MoveJson<'a> {
    seq: i64,
    /// Expected state.
    expected: Option<(i16, i64, Option<i64>)>,
    #[serde(flatten)]
    progress: ProgressJson<'a>,
    waits: &'a [String],
}

/// Returns the full keys that an event waits for.
fn waits_for(progress: &InboxProgress) -> &[String] {
    if progress.state.is_waiting() { &progress.waits_for } else { &[] }
}

#[derive(Serialize)]
pub(crate) struct GenerationsJson<'a> {
    key: &'a str,
    /// `GENERATION,STATE,LEASE` of each generation, oldest first, separated by semicolons.
    generations: String,
}

impl<'a> GenerationsJson<'a> {
    fn of(effect: &'a ExpectedGenerations) -> GenerationsJson<'a> {
        let each = effect.generations.iter();
        let each = each.map(|(number, state, lease)| format!("{number},{},{lease}", state_number(*state)));
        GenerationsJson { key: &effect.key, generations: each.collect::<Vec<_>>().join(";") }
    }
}

/// What is done to an effect.
#[derive(Serialize)]
pub(crate) struct RequestJson<'a> {
    key: &'a str,
    generation: u32,
    inserts: bool,
    /// True if the same change has inserted the effect before.
    inserted: bool,
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
    state: i16,
    attempts: u32,
    due_at: i64,
    #[serde(flatten)]
    lease: LeaseJson<'a>,
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

#[derive(Serialize)]
pub(crate) struct ReplyJson<'a> {
    caller: &'a str,
    reply: &'a Reply,
}

impl<'a> Others<'a> {
    /// Adds the parts of a new event; `event` is its number in the arrays of events.
    pub(crate) fn add_new(&mut self, event: i64, new: &NewInbox, scope: Option<&Scope>) {
        self.waits.extend(waits_for(&new.progress).iter().map(|key| json!({"event": event, "key": key})));
        let (business, livemode) = (&new.event.business, new.livemode);
        if scope.is_some_and(|scope| scope.business != *business || scope.livemode != livemode) {
            self.elsewhere = Some(json!({"business": business, "livemode": livemode}));
        }
    }

    /// Adds the change of a stored event, which is applied alone.
    pub(crate) fn add_move(&mut self, change: &'a InboxMove, expected: Option<&InboxState>) {
        let InboxMove { seq, progress } = change;
        let (seq, expected, waits) = (column(*seq), expected.map(state_columns), waits_for(progress));
        self.moved = Some(MoveJson { seq, expected, progress: ProgressJson::of(progress, None), waits });
    }

    /// Adds the parts of the change of an account; `n` is the number of the account.
    pub(crate) fn add(&mut self, n: i64, changes: &'a Changes) {
        let expected = &changes.expected;
        self.leases.extend(expected.effects.iter().map(|effect| {
            let (generation, state) = (effect.generation, state_number(effect.state));
            json!({"n": n, "key": effect.key, "generation": generation, "state": state, "lease": column(effect.lease)})
        }));
        let generations = expected.generations.iter();
        self.generations.extend(generations.map(|effect| OfAccount { n, item: GenerationsJson::of(effect) }));
        self.add_rows(n, changes);
        self.add_effects(n, changes);
        self.claims.extend(changes.claims.iter().map(|(key, row)| ClaimJson::of(key, row.as_ref())));
        self.replies
            .extend(changes.reply.iter().map(|(caller, reply)| OfAccount { n, item: ReplyJson { caller, reply } }));
    }

    fn add_rows(&mut self, n: i64, changes: &Changes) {
        let (mut keys, mut purchases) = (Vec::new(), Vec::new());
        for RowWrite { key, row, .. } in &changes.rows {
            match row {
                None => self.deleted.push(json!({"n": n, "key": key.to_string()})),
                Some(Row::Purchase(row)) => {
                    keys.push(key.to_string());
                    purchases.push(row);
                }
                Some(_) => {}
            }
        }
        if keys.len() > 1 {
            self.released.extend(keys.iter().map(|key| json!({"n": n, "key": key})));
        }
        for field in UniqueField::ALL {
            let (index, mut seen) = (field.index(), BTreeSet::new());
            for value in purchases.iter().filter_map(|row| field.of(row)) {
                let twice = !seen.insert(value);
                self.unique.push(json!({"n": n, "index": index, "value": value, "keys": keys, "twice": twice}));
            }
        }
    }

    fn add_effects(&mut self, n: i64, changes: &'a Changes) {
        let mut known = BTreeSet::new();
        for change in &changes.effects {
            let (key, generation) = match change {
                EffectChange::Insert(row) => (&*row.effect.key, row.effect.generation),
                EffectChange::Update { key, generation, .. } => (&**key, *generation),
            };
            let (inserts, inserted) = (matches!(change, EffectChange::Insert(_)), known.contains(&(key, generation)));
            self.requests.push(OfAccount { n, item: RequestJson { key, generation, inserts, inserted } });
            match change {
                EffectChange::Insert(row) => {
                    known.insert((key, generation));
                    self.inserts.push(OfAccount { n, item: EffectJson::of(row) });
                }
                EffectChange::Update { state, attempts, due_at, lease, .. } => {
                    let (state, lease) = (state_number(*state), LeaseJson::of(lease));
                    let item = UpdateJson { key, generation, state, attempts: *attempts, due_at: *due_at, lease };
                    self.updates.push(OfAccount { n, item });
                }
            }
        }
    }
}

/// Returns items as JSON; none if there are no items.
pub(crate) fn some_json<T: Serialize>(items: &[T]) -> Stored<Option<String>> {
    if items.is_empty() { Ok(None) } else { to_json(&items).map(Some) }
}
