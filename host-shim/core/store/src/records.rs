//! The rows of the tables, the parts that queries read of them, and the parts that changes write.

use crate::cell::{Answer, Cell, Entity, Patch, View};
use crate::changes::{InboxProgress, NewInbox, RowWrite};
use crate::copy::WholeRow;
use crate::erase;
use crate::error::{StoreError, Stored};
use crate::json::{
    Content, Envelope, RunJson, damaged, effect_state, from_json, payload_columns, payload_of, row_of,
    state_columns, state_number, state_of, to_json,
};
use crate::parse::{reference, row_key};
use crate::prefix::kind_prefix;
use crate::rows::{ClaimRow, EffectRow, EffectState, InboxRow, InboxState, Lease, Run};
use crate::schema::{Column, Table, claims, effects, events, facts, refs, replies, rows, runs, waits};
use crate::scope::Scope;
use extension_contract::{
    Account, Effect, Event, Outcome, Payload, Reference, Reply, RetryPolicy, Row, RowKey, StoredRow, Timestamp,
};
use std::borrow::Cow;
use std::sync::Arc;

/// Returns the error for a column that a row has not.
fn no_column(table: &Table, column: Column) -> StoreError {
    StoreError::Misuse(format!("`{}` has no column {column} to write", table.name))
}

/// A row of an account.
#[derive(Clone, Debug)]
pub struct RowRecord {
    pub scope: Arc<Scope>,
    pub key: Arc<RowKey>,
    /// The text of the key.
    pub text: Arc<str>,
    pub stored: StoredRow,
    pub live: bool,
    pub references: Vec<Reference>,
    pub fingerprint: Option<String>,
    /// Revision of the account at the last write.
    pub written: u64,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
}

impl RowRecord {
    /// Returns the row of a write; none for a deletion.
    pub fn of(
        scope: &Arc<Scope>,
        (key, text): (Arc<RowKey>, Arc<str>),
        write: &RowWrite,
        written: u64,
        at: [Option<Timestamp>; 2],
    ) -> Option<RowRecord> {
        Some(RowRecord {
            scope: scope.clone(),
            key,
            text,
            stored: StoredRow { data_version: write.data_version, row: write.row.clone()? },
            live: write.live,
            references: write.references.clone(),
            fingerprint: write.fingerprint.clone(),
            written,
            created_at: at[0],
            updated_at: at[1],
        })
    }

    /// Returns false for a soft-deleted product.
    pub fn is_shown(&self) -> bool {
        !matches!(&self.stored.row, Row::Product(product) if product.deleted)
    }

    /// Returns the row for a copy of the store.
    pub fn into_whole(self) -> WholeRow {
        WholeRow {
            write: RowWrite {
                key: Arc::unwrap_or_clone(self.key),
                row: Some(self.stored.row),
                data_version: self.stored.data_version,
                live: self.live,
                references: self.references,
                fingerprint: self.fingerprint,
            },
            written: self.written,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// Returns references as a JSON array of their texts; null if there are none.
fn references_cell(references: &[Reference]) -> Stored<Cell<'static>> {
    match references {
        [] => Ok(Cell::Null),
        some => to_json(&some.iter().map(ToString::to_string).collect::<Vec<_>>()).map(Cell::from),
    }
}

fn references(row: &impl Answer) -> Stored<Vec<Reference>> {
    let texts: Vec<Cow<'_, str>> = row.json(rows::REFS)?.unwrap_or_default();
    texts.iter().map(|text| reference(text).ok_or_else(|| damaged(text))).collect()
}

impl Entity for RowRecord {
    const TABLE: &'static Table = &rows::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        let (product, purchase) = match &self.stored.row {
            Row::Product(row) => (Some(&row.values), None),
            Row::Purchase(row) => (None, Some(&row.values)),
            _ => (None, None),
        };
        Ok(match column {
            rows::SCOPE => Cell::Scope(&self.scope),
            rows::KEY => Cell::from(&*self.text),
            rows::DATA_VERSION => self.stored.data_version.into(),
            rows::LIVE => self.live.into(),
            rows::SHOWN => self.is_shown().into(),
            rows::KIND => self.fingerprint.as_ref().map(|_| kind_prefix(&self.key.kind())).into(),
            rows::FINGERPRINT => self.fingerprint.as_ref().into(),
            rows::WRITTEN => self.written.into(),
            rows::REFS => references_cell(&self.references)?,
            rows::PRODUCT_TYPE => product.map(|values| &values.product_type).into(),
            rows::SESSION_ID => purchase.and_then(|values| values.session_id.as_ref()).into(),
            rows::PAYMENT_INTENT_ID => purchase.and_then(|values| values.payment_intent_id.as_ref()).into(),
            rows::CREATED_AT => self.created_at.into(),
            rows::UPDATED_AT => self.updated_at.into(),
            rows::BODY => Content::of(&self.stored.row)?.body.into(),
            rows::VALUE => Content::text_of(&self.stored.row).into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }

    fn scope(&self) -> Option<&Arc<Scope>> {
        Some(&self.scope)
    }

    fn read(row: &impl Answer) -> Stored<Self> {
        let text = row.a_text(rows::KEY)?;
        let value = row.a_text(rows::VALUE)?.to_owned();
        Ok(RowRecord {
            scope: row.shared_scope(rows::SCOPE)?,
            key: Arc::new(row_key(text).ok_or_else(|| damaged(text))?),
            stored: StoredRow {
                data_version: row.a_number(rows::DATA_VERSION)?,
                row: row_of(text, row.a_text(rows::BODY)?, value)?,
            },
            text: text.into(),
            live: row.truth(rows::LIVE)?,
            references: references(row)?,
            fingerprint: row.own_text(rows::FINGERPRINT)?,
            written: row.a_number(rows::WRITTEN)?,
            created_at: row.int(rows::CREATED_AT)?,
            updated_at: row.int(rows::UPDATED_AT)?,
        })
    }
}

/// The key of a row.
pub struct RowKeyOf(pub String);

impl View for RowKeyOf {
    type Of = RowRecord;
    const COLUMNS: &'static [Column] = &[rows::KEY];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(RowKeyOf(row.a_text(rows::KEY)?.to_owned()))
    }

    fn of(row: &Arc<RowRecord>) -> Self {
        RowKeyOf(row.text.to_string())
    }
}

/// What the next write of a row needs of the last one.
pub struct WrittenRow {
    /// The references by which the row is found; none unless it is shown.
    pub shown_references: Vec<Reference>,
    pub created_at: Option<Timestamp>,
    /// The row's key and its text, if they are in memory.
    pub names: Option<(Arc<RowKey>, Arc<str>)>,
}

impl View for WrittenRow {
    type Of = RowRecord;
    const COLUMNS: &'static [Column] = &[rows::SHOWN, rows::REFS, rows::CREATED_AT];

    fn read(row: &impl Answer) -> Stored<Self> {
        let shown_references = if row.truth(rows::SHOWN)? { references(row)? } else { Vec::new() };
        Ok(WrittenRow { shown_references, created_at: row.int(rows::CREATED_AT)?, names: None })
    }

    fn of(row: &Arc<RowRecord>) -> Self {
        let shown_references = if row.is_shown() { row.references.clone() } else { Vec::new() };
        let names = Some((row.key.clone(), row.text.clone()));
        WrittenRow { shown_references, created_at: row.created_at, names }
    }
}

/// The fingerprint of a row.
pub struct Fingerprint(pub String);

impl View for Fingerprint {
    type Of = RowRecord;
    const COLUMNS: &'static [Column] = &[rows::FINGERPRINT];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(Fingerprint(row.a_text(rows::FINGERPRINT)?.to_owned()))
    }

    fn of(row: &Arc<RowRecord>) -> Self {
        Fingerprint(row.fingerprint.clone().unwrap_or_default())
    }
}

/// Takes the unique values from a purchase, so that another one can get them.
#[derive(Clone)]
pub struct ReleasedPurchase;

impl Patch for ReleasedPurchase {
    type Of = RowRecord;
    const COLUMNS: &'static [Column] = &[rows::SESSION_ID, rows::PAYMENT_INTENT_ID];

    fn cell(&self, _: Column) -> Stored<Cell<'_>> {
        Ok(Cell::Null)
    }

    fn apply(&self, row: &mut RowRecord) {
        if let Row::Purchase(row) = &mut row.stored.row {
            (row.values.session_id, row.values.payment_intent_id) = (None, None);
        }
    }
}

/// A row that refers to a target.
#[derive(Clone, Debug)]
pub struct Referrer {
    pub scope: Arc<Scope>,
    /// Text of the reference.
    pub target: String,
    /// Text of the row's key.
    pub row: String,
}

impl Entity for Referrer {
    const TABLE: &'static Table = &refs::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            refs::SCOPE => Cell::Scope(&self.scope),
            refs::TARGET => Cell::from(&self.target),
            refs::ROW => Cell::from(&self.row),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }

    fn scope(&self) -> Option<&Arc<Scope>> {
        Some(&self.scope)
    }

    fn read(row: &impl Answer) -> Stored<Self> {
        let (target, key) = (row.a_text(refs::TARGET)?.to_owned(), row.a_text(refs::ROW)?.to_owned());
        Ok(Referrer { scope: row.shared_scope(refs::SCOPE)?, target, row: key })
    }
}

/// A fact of an account.
#[derive(Clone, Debug)]
pub struct FactRecord {
    pub scope: Arc<Scope>,
    pub fact: String,
    /// The event that recorded it.
    pub event_id: Arc<str>,
}

impl Entity for FactRecord {
    const TABLE: &'static Table = &facts::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            facts::SCOPE => Cell::Scope(&self.scope),
            facts::FACT => Cell::from(&self.fact),
            facts::EVENT_ID => Cell::from(&*self.event_id),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }

    fn scope(&self) -> Option<&Arc<Scope>> {
        Some(&self.scope)
    }

    fn read(row: &impl Answer) -> Stored<Self> {
        let (fact, event_id) = (row.a_text(facts::FACT)?.to_owned(), row.a_text(facts::EVENT_ID)?.into());
        Ok(FactRecord { scope: row.shared_scope(facts::SCOPE)?, fact, event_id })
    }
}

/// The last reply to a caller.
#[derive(Clone, Debug)]
pub struct ReplyRecord {
    pub scope: Arc<Scope>,
    pub caller: String,
    pub reply: Reply,
}

impl Entity for ReplyRecord {
    const TABLE: &'static Table = &replies::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            replies::SCOPE => Cell::Scope(&self.scope),
            replies::CALLER => Cell::from(&self.caller),
            replies::REPLY => to_json(&self.reply)?.into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }

    fn scope(&self) -> Option<&Arc<Scope>> {
        Some(&self.scope)
    }

    fn read(row: &impl Answer) -> Stored<Self> {
        let (caller, reply) = (row.a_text(replies::CALLER)?.to_owned(), from_json(row.a_text(replies::REPLY)?)?);
        Ok(ReplyRecord { scope: row.shared_scope(replies::SCOPE)?, caller, reply })
    }
}

/// A claim or block.
#[derive(Clone, Debug)]
pub struct ClaimRecord {
    /// Full key.
    pub key: Arc<str>,
    pub claim: ClaimRow,
}

impl Entity for ClaimRecord {
    const TABLE: &'static Table = &claims::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            claims::KEY => Cell::from(&*self.key),
            claims::HOLDER => self.claim.holder.as_ref().into(),
            claims::UNTIL => self.claim.until.into(),
            claims::BLOCKED_UNTIL => self.claim.blocked_until.into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }

    fn read(row: &impl Answer) -> Stored<Self> {
        let claim = ClaimRow {
            holder: row.account(claims::HOLDER)?,
            until: row.int(claims::UNTIL)?,
            blocked_until: row.int(claims::BLOCKED_UNTIL)?,
        };
        Ok(ClaimRecord { key: row.a_text(claims::KEY)?.into(), claim })
    }
}

/// A received event.
#[derive(Clone, Debug)]
pub struct EventRecord {
    pub seq: u64,
    /// Mode of the event's partition.
    pub livemode: bool,
    /// The event as it was received.
    pub event: Arc<Event>,
    pub raw: Arc<Vec<u8>>,
    pub progress: EventProgress,
    pub erased: bool,
}

/// The changing part of an event.
#[derive(Clone, Debug)]
pub struct EventProgress {
    pub account: Option<Account>,
    pub state: InboxState,
    pub failures: u32,
    pub error: Option<String>,
    pub outcome: Option<Outcome>,
    /// Number of runs.
    pub runs: u32,
    /// The last run.
    pub run: Option<Arc<Run>>,
}

impl EventProgress {
    /// Returns the progress after a change, and the run that is not the last one any more.
    pub fn after(&self, progress: &InboxProgress) -> (EventProgress, Option<RunRecordOf>) {
        let InboxProgress { account, state, failures, error, outcome, run, .. } = progress;
        let earlier = run.as_ref().and(self.run.clone()).map(|run| (self.runs, run));
        let next = EventProgress {
            account: account.as_ref().or(self.account.as_ref()).cloned(),
            state: state.clone(),
            failures: *failures,
            error: error.clone(),
            outcome: outcome.clone(),
            runs: self.runs + u32::from(run.is_some()),
            run: run.clone().map(Arc::new).or_else(|| self.run.clone()),
        };
        (next, earlier)
    }

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        let (state, at, waits_since) = state_columns(&self.state);
        Ok(match column {
            events::ACCOUNT => self.account.as_ref().into(),
            events::STATE => state.into(),
            events::AT => at.into(),
            events::WAITS_SINCE => waits_since.into(),
            events::FAILURES => self.failures.into(),
            events::ERROR => self.error.as_ref().into(),
            events::OUTCOME => self.outcome.as_ref().map(to_json).transpose()?.into(),
            events::RUNS => self.runs.into(),
            events::RUN => self.run.as_ref().map(|run| to_json(&RunJson::of(run))).transpose()?.into(),
            other => return Err(no_column(&events::TABLE, other)),
        })
    }
}

/// Number of a run, and the run.
pub type RunRecordOf = (u32, Arc<Run>);

/// The columns of an event's progress.
const PROGRESS: &[Column] = &[
    events::ACCOUNT,
    events::STATE,
    events::AT,
    events::WAITS_SINCE,
    events::FAILURES,
    events::ERROR,
    events::OUTCOME,
    events::RUNS,
    events::RUN,
];

impl View for EventProgress {
    type Of = EventRecord;
    const COLUMNS: &'static [Column] = PROGRESS;

    fn read(row: &impl Answer) -> Stored<Self> {
        let state = state_of(
            row.a_number(events::STATE)?,
            row.a_number(events::AT)?,
            row.int(events::WAITS_SINCE)?,
        )?;
        let run: Option<RunJson<'_>> = row.json(events::RUN)?;
        Ok(EventProgress {
            account: row.account(events::ACCOUNT)?,
            state,
            failures: row.a_number(events::FAILURES)?,
            error: row.own_text(events::ERROR)?,
            outcome: row.json(events::OUTCOME)?,
            runs: row.a_number(events::RUNS)?,
            run: run.map(|run| Arc::new(run.into_run())),
        })
    }

    fn of(row: &Arc<EventRecord>) -> Self {
        row.progress.clone()
    }
}

impl Patch for EventProgress {
    type Of = EventRecord;
    const COLUMNS: &'static [Column] = PROGRESS;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        EventProgress::cell(self, column)
    }

    fn apply(&self, row: &mut EventRecord) {
        row.progress = self.clone();
    }
}

impl EventRecord {
    /// Returns the row of a new event.
    pub fn of(new: &NewInbox) -> EventRecord {
        let NewInbox { event, livemode, raw, progress } = new;
        let none = EventProgress {
            account: event.account.clone(),
            state: InboxState::Done,
            failures: 0,
            error: None,
            outcome: None,
            runs: 0,
            run: None,
        };
        EventRecord {
            seq: 0,
            livemode: *livemode,
            event: event.clone(),
            raw: raw.clone(),
            progress: none.after(progress).0,
            erased: false,
        }
    }

    /// Returns the row with its payload and its received bytes.
    pub fn into_row(self) -> InboxRow {
        let EventProgress { account, state, failures, error, outcome, run, .. } = self.progress;
        InboxRow {
            seq: self.seq,
            event: Event { account, ..Arc::unwrap_or_clone(self.event) },
            livemode: self.livemode,
            raw: Arc::unwrap_or_clone(self.raw),
            state,
            failures,
            error,
            outcome,
            provenance: run.and_then(|run| run.provenance.clone()),
            erased: self.erased,
        }
    }

    /// Returns what an erasure of the account leaves of the event.
    pub fn erased(&self) -> ErasedEvent {
        let mut payload = self.event.payload.clone();
        erase::payload(&mut payload);
        let mut progress = self.progress.clone();
        erase::error(&mut progress.error);
        erase::outcome(&mut progress.outcome);
        progress.run = progress.run.map(|run| Arc::new(erased_run(&run)));
        ErasedEvent { payload, progress }
    }
}

/// Returns what an erasure leaves of a run.
pub fn erased_run(run: &Run) -> Run {
    let mut run = run.clone();
    erase::run(&mut run);
    run
}

impl Entity for EventRecord {
    const TABLE: &'static Table = &events::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        let event = &self.event;
        Ok(match column {
            events::SEQ => self.seq.into(),
            events::PARTITION => Cell::Partition(&self.event.business, self.livemode),
            events::SOURCE => Cell::from(&event.source),
            events::ID => Cell::from(&event.id),
            events::KIND => Cell::from(&event.kind),
            events::RECEIVED_AT => event.received_at.into(),
            events::ENVELOPE => to_json(&Envelope::of(event))?.into(),
            events::PAYLOAD_KIND => payload_columns(&event.payload)?.0.into(),
            events::ERASED => self.erased.into(),
            events::PAYLOAD => Cell::Bytes(payload_columns(&event.payload)?.1),
            events::RAW => match &*payload_columns(&event.payload)?.1 == self.raw.as_slice() {
                true => Cell::Null,
                false => Cell::Bytes(Cow::Borrowed(&self.raw)),
            },
            other => self.progress.cell(other)?,
        })
    }

    fn read(row: &impl Answer) -> Stored<Self> {
        let envelope: Envelope<'_> = from_json(row.a_text(events::ENVELOPE)?)?;
        let payload = row.bytes(events::PAYLOAD)?.unwrap_or_default();
        let raw = row.bytes(events::RAW)?.unwrap_or(payload).to_vec();
        let partition = row.partition(events::PARTITION)?;
        let progress = EventProgress::read(row)?;
        let event = Event {
            id: row.a_text(events::ID)?.to_owned(),
            source: row.a_text(events::SOURCE)?.to_owned(),
            kind: row.a_text(events::KIND)?.to_owned(),
            business: partition.business,
            account: progress.account.clone(),
            livemode: envelope.livemode,
            received_at: row.a_number(events::RECEIVED_AT)?,
            attempt: envelope.attempt,
            actor: envelope.actor.into_owned(),
            reply_to: envelope.reply_to.map(Cow::into_owned),
            payment: envelope.payment.map(Cow::into_owned),
            payload: payload_of(row.a_number(events::PAYLOAD_KIND)?, payload.to_vec())?,
        };
        Ok(EventRecord {
            seq: row.a_number(events::SEQ)?,
            livemode: partition.livemode,
            event: Arc::new(event),
            raw: Arc::new(raw),
            progress,
            erased: row.truth(events::ERASED)?,
        })
    }

    fn set_number(&mut self, number: u64) {
        self.seq = number;
    }
}

/// The number of an event.
pub struct EventNumber(pub u64);

impl View for EventNumber {
    type Of = EventRecord;
    const COLUMNS: &'static [Column] = &[events::SEQ];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(EventNumber(row.a_number(events::SEQ)?))
    }

    fn of(row: &Arc<EventRecord>) -> Self {
        EventNumber(row.seq)
    }
}

/// The time of a waiting event.
pub struct EventTime(pub Timestamp);

impl View for EventTime {
    type Of = EventRecord;
    const COLUMNS: &'static [Column] = &[events::AT];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(EventTime(row.a_number(events::AT)?))
    }

    fn of(row: &Arc<EventRecord>) -> Self {
        EventTime(state_columns(&row.progress.state).1)
    }
}

/// What an erasure leaves of an event.
#[derive(Clone)]
pub struct ErasedEvent {
    payload: Payload,
    progress: EventProgress,
}

impl Patch for ErasedEvent {
    type Of = EventRecord;
    const COLUMNS: &'static [Column] =
        &[events::PAYLOAD, events::RAW, events::ERROR, events::OUTCOME, events::RUN, events::ERASED];

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            events::PAYLOAD => Cell::Bytes(payload_columns(&self.payload)?.1),
            // Null would mean that the raw bytes equal the payload.
            events::RAW => Cell::Bytes(Cow::Borrowed(&[])),
            events::ERASED => true.into(),
            other => self.progress.cell(other)?,
        })
    }

    fn apply(&self, row: &mut EventRecord) {
        Arc::make_mut(&mut row.event).payload = self.payload.clone();
        (row.raw, row.progress, row.erased) = (Arc::default(), self.progress.clone(), true);
    }
}

/// A run of an event before its last one.
#[derive(Clone, Debug)]
pub struct RunRecord {
    pub seq: u64,
    /// Number of the run, from 1.
    pub n: u32,
    pub run: Arc<Run>,
}

impl Entity for RunRecord {
    const TABLE: &'static Table = &runs::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            runs::SEQ => self.seq.into(),
            runs::N => self.n.into(),
            runs::RUN => to_json(&RunJson::of(&self.run))?.into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }

    fn read(row: &impl Answer) -> Stored<Self> {
        let run: RunJson<'_> = from_json(row.a_text(runs::RUN)?)?;
        Ok(RunRecord { seq: row.a_number(runs::SEQ)?, n: row.a_number(runs::N)?, run: Arc::new(run.into_run()) })
    }
}

/// A full key that an event waits for.
#[derive(Clone, Debug)]
pub struct Wait {
    pub key: String,
    pub seq: u64,
}

impl Entity for Wait {
    const TABLE: &'static Table = &waits::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            waits::KEY => Cell::from(&self.key),
            waits::SEQ => self.seq.into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(Wait { key: row.a_text(waits::KEY)?.to_owned(), seq: row.a_number(waits::SEQ)? })
    }
}

impl Entity for EffectRow {
    const TABLE: &'static Table = &effects::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        let effect = &self.effect;
        let delays = |retry: &RetryPolicy| to_json(&retry.delays_ms);
        Ok(match column {
            effects::SEQ => self.seq.into(),
            effects::PARTITION => Cell::Partition(&self.scope.business, self.scope.livemode),
            effects::SCOPE => Cell::Scope(&self.scope),
            effects::KEY => Cell::from(&effect.key),
            effects::GENERATION => effect.generation.into(),
            effects::KIND => Cell::from(&effect.kind),
            effects::RECEIVER => effect.to.as_ref().into(),
            effects::REPLY_TO => effect.reply_to.as_ref().into(),
            effects::ORDERING_KEY => effect.ordering_key.as_ref().into(),
            effects::NOT_BEFORE => effect.not_before.into(),
            effects::DEADLINE => effect.deadline.into(),
            effects::RETRY => effect.retry.as_ref().map(delays).transpose()?.into(),
            effects::STATE => state_number(self.state).into(),
            effects::ATTEMPTS => self.attempts.into(),
            effects::DUE_AT => self.due_at.into(),
            effects::CREATED_AT => self.created_at.into(),
            effects::CAUSED_BY => Cell::from(&self.caused_by),
            effects::LEASE_UNTIL => self.lease.until.into(),
            effects::FENCE => self.lease.number.into(),
            effects::TOKEN => self.lease.token.as_ref().into(),
            effects::LEASE_OWNER => self.lease.owner.as_ref().into(),
            effects::ERASED => self.erased.into(),
            effects::PAYLOAD => Cell::from(&effect.payload),
            effects::CONTEXT => Cell::from(&effect.context),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }

    fn read(row: &impl Answer) -> Stored<Self> {
        let retry: Option<Vec<u32>> = row.json(effects::RETRY)?;
        let EffectProgress { state, attempts, due_at, lease } = EffectProgress::read(row)?;
        Ok(EffectRow {
            seq: row.a_number(effects::SEQ)?,
            scope: row.scope(effects::SCOPE)?,
            effect: Effect {
                kind: row.a_text(effects::KIND)?.to_owned(),
                to: row.account(effects::RECEIVER)?,
                key: row.a_text(effects::KEY)?.to_owned(),
                generation: row.a_number(effects::GENERATION)?,
                payload: row.a_text(effects::PAYLOAD)?.to_owned(),
                context: row.a_text(effects::CONTEXT)?.to_owned(),
                reply_to: row.own_text(effects::REPLY_TO)?,
                ordering_key: row.own_text(effects::ORDERING_KEY)?,
                not_before: row.int(effects::NOT_BEFORE)?,
                deadline: row.int(effects::DEADLINE)?,
                retry: retry.map(|delays_ms| RetryPolicy { delays_ms }),
            },
            state,
            attempts,
            due_at,
            created_at: row.a_number(effects::CREATED_AT)?,
            caused_by: row.a_text(effects::CAUSED_BY)?.to_owned(),
            lease,
            erased: row.truth(effects::ERASED)?,
        })
    }

    fn set_number(&mut self, number: u64) {
        self.seq = number;
    }
}

/// The changing part of an effect.
#[derive(Clone, Debug)]
pub struct EffectProgress {
    pub state: EffectState,
    pub attempts: u32,
    pub due_at: Timestamp,
    pub lease: Lease,
}

/// The columns of an effect's progress.
const EFFECT_PROGRESS: &[Column] = &[
    effects::STATE,
    effects::ATTEMPTS,
    effects::DUE_AT,
    effects::LEASE_UNTIL,
    effects::FENCE,
    effects::TOKEN,
    effects::LEASE_OWNER,
];

impl EffectProgress {
    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(EffectProgress {
            state: effect_state(row.a_number(effects::STATE)?)?,
            attempts: row.a_number(effects::ATTEMPTS)?,
            due_at: row.a_number(effects::DUE_AT)?,
            lease: Lease {
                number: row.a_number(effects::FENCE)?,
                until: row.int(effects::LEASE_UNTIL)?,
                token: row.own_text(effects::TOKEN)?,
                owner: row.own_text(effects::LEASE_OWNER)?,
            },
        })
    }
}

impl Patch for EffectProgress {
    type Of = EffectRow;
    const COLUMNS: &'static [Column] = EFFECT_PROGRESS;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            effects::STATE => state_number(self.state).into(),
            effects::ATTEMPTS => self.attempts.into(),
            effects::DUE_AT => self.due_at.into(),
            effects::LEASE_UNTIL => self.lease.until.into(),
            effects::FENCE => self.lease.number.into(),
            effects::TOKEN => self.lease.token.as_ref().into(),
            effects::LEASE_OWNER => self.lease.owner.as_ref().into(),
            other => return Err(no_column(&effects::TABLE, other)),
        })
    }

    fn apply(&self, row: &mut EffectRow) {
        (row.state, row.attempts, row.due_at, row.lease) =
            (self.state, self.attempts, self.due_at, self.lease.clone());
    }
}

/// Where an effect stands: number, generation, state and number of the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectStand {
    pub seq: u64,
    pub generation: u32,
    pub state: EffectState,
    pub lease: u64,
}

impl View for EffectStand {
    type Of = EffectRow;
    const COLUMNS: &'static [Column] = &[effects::SEQ, effects::GENERATION, effects::STATE, effects::FENCE];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(EffectStand {
            seq: row.a_number(effects::SEQ)?,
            generation: row.a_number(effects::GENERATION)?,
            state: effect_state(row.a_number(effects::STATE)?)?,
            lease: row.a_number(effects::FENCE)?,
        })
    }

    fn of(row: &Arc<EffectRow>) -> Self {
        EffectStand {
            seq: row.seq,
            generation: row.effect.generation,
            state: row.state,
            lease: row.lease.number,
        }
    }
}

/// What decides whether a due effect may begin now, and in which turn.
#[derive(Clone, Debug)]
pub struct DueEffect {
    pub seq: u64,
    pub scope: Scope,
    pub kind: String,
    pub deadline: Option<Timestamp>,
    pub due_at: Timestamp,
}

impl From<&EffectRow> for DueEffect {
    fn from(row: &EffectRow) -> Self {
        DueEffect {
            seq: row.seq,
            scope: row.scope.clone(),
            kind: row.effect.kind.clone(),
            deadline: row.effect.deadline,
            due_at: row.due_at,
        }
    }
}

impl View for DueEffect {
    type Of = EffectRow;
    const COLUMNS: &'static [Column] =
        &[effects::SEQ, effects::SCOPE, effects::KIND, effects::DEADLINE, effects::DUE_AT];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(DueEffect {
            seq: row.a_number(effects::SEQ)?,
            scope: row.scope(effects::SCOPE)?,
            kind: row.a_text(effects::KIND)?.to_owned(),
            deadline: row.int(effects::DEADLINE)?,
            due_at: row.a_number(effects::DUE_AT)?,
        })
    }

    fn of(row: &Arc<EffectRow>) -> Self {
        (&**row).into()
    }
}

/// The number of an effect.
pub struct EffectNumber(pub u64);

impl View for EffectNumber {
    type Of = EffectRow;
    const COLUMNS: &'static [Column] = &[effects::SEQ];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(EffectNumber(row.a_number(effects::SEQ)?))
    }

    fn of(row: &Arc<EffectRow>) -> Self {
        EffectNumber(row.seq)
    }
}

/// The time at which an effect becomes due.
pub struct DueTime(pub Timestamp);

impl View for DueTime {
    type Of = EffectRow;
    const COLUMNS: &'static [Column] = &[effects::DUE_AT];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(DueTime(row.a_number(effects::DUE_AT)?))
    }

    fn of(row: &Arc<EffectRow>) -> Self {
        DueTime(row.due_at)
    }
}

/// Erases payload and context of an effect.
#[derive(Clone)]
pub struct ErasedEffect;

impl Patch for ErasedEffect {
    type Of = EffectRow;
    const COLUMNS: &'static [Column] = &[effects::ERASED, effects::PAYLOAD, effects::CONTEXT];

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(if column == effects::ERASED { true.into() } else { erase::NO_JSON.into() })
    }

    fn apply(&self, row: &mut EffectRow) {
        (row.effect.payload, row.effect.context, row.erased) = (erase::NO_JSON.into(), erase::NO_JSON.into(), true);
    }
}
