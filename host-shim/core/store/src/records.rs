//! What is written to the tables and read from them.

use crate::cell::{Answer, Cell, Patch, Record, View, all};
use crate::changes::{InboxProgress, NewInbox, RowWrite};
use crate::copy::WholeRow;
use crate::erase;
use crate::error::{StoreError, Stored};
use crate::json::{
    Content, Envelope, RowParts, RunJson, damaged, effect_state, from_json, payload_columns, payload_of, row_of,
    state_columns, state_number, state_of, to_json,
};
use crate::parse::{reference, row_key};
use crate::prefix::kind_prefix;
use crate::rows::{ClaimRow, Due, EffectRow, EffectState, InboxRow, InboxState, Lease, Run};
use crate::schema::{Column, Table, claims, effects, events, facts, refs, replies, rows, runs, waits};
use crate::scope::Scope;
use extension_contract::{
    Account, Effect, Event, Outcome, Payload, Reference, Reply, RetryPolicy, Row, RowKey, StoredRow, Timestamp,
};
use std::borrow::Cow;

/// Returns the error for a column that a value does not have.
fn no_column(table: &Table, column: Column) -> StoreError {
    StoreError::Misuse(format!("`{}` has no column {column} to write", table.name))
}

/// Implements [`View`] for a string or number in one column.
macro_rules! column {
    ($(#[$doc:meta])* $name:ident($kind:ty) = $table:ident.$column:ident by $read:ident $($into:ident)?) => {
        $(#[$doc])*
        pub struct $name(pub $kind);

        impl View for $name {
            const TABLE: &'static Table = &$table::TABLE;
            const COLUMNS: &'static [Column] = &[$table::$column];

            fn read(row: &impl Answer) -> Stored<Self> {
                Ok($name(row.$read($table::$column)?$(.$into())?))
            }
        }
    };
}

column! {
    /// The text of a row's key.
    RowText(String) = rows.KEY by a_text to_owned
}
column! {
    /// The fingerprint of a row that has one.
    Fingerprint(String) = rows.FINGERPRINT by a_text to_owned
}
column! {
    /// The text of the key of a row that refers to a target.
    ReferrerText(String) = refs.ROW by a_text to_owned
}
column! {
    /// The key of a claim.
    ClaimKey(String) = claims.KEY by a_text to_owned
}
column! {
    /// A caller that has received an answer.
    Caller(String) = replies.CALLER by a_text to_owned
}
column! {
    /// The number of an event.
    EventNumber(u64) = events.SEQ by a_number
}
column! {
    /// The time of a waiting event.
    EventTime(Timestamp) = events.AT by a_number
}
column! {
    /// The number of an event that waits for a key.
    WaitingEvent(u64) = waits.SEQ by a_number
}
column! {
    /// A full key for which an event waits.
    AwaitedKey(String) = waits.KEY by a_text to_owned
}
column! {
    /// The number of an effect.
    EffectNumber(u64) = effects.SEQ by a_number
}
column! {
    /// The time at which an effect becomes due.
    DueTime(Timestamp) = effects.DUE_AT by a_number
}

/// The text of a reference, and of the key of a row that has it.
pub struct Referring(pub String, pub String);

impl View for Referring {
    const TABLE: &'static Table = &refs::TABLE;
    const COLUMNS: &'static [Column] = &[refs::TARGET, refs::ROW];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(Referring(row.a_text(refs::TARGET)?.to_owned(), row.a_text(refs::ROW)?.to_owned()))
    }
}

/// A row of an account to write.
pub struct NewRow<'w> {
    pub scope: &'w Scope,
    /// The text of the key.
    pub key: &'w str,
    pub write: &'w RowWrite,
    /// The content.
    pub row: &'w Row,
    pub parts: RowParts<'w>,
    /// Revision of the account.
    pub written: u64,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
}

impl Record for NewRow<'_> {
    const TABLE: &'static Table = &rows::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        let NewRow { write, parts, .. } = self;
        Ok(match column {
            rows::SCOPE => Cell::Scope(self.scope),
            rows::KEY => self.key.into(),
            rows::DATA_VERSION => write.data_version.into(),
            rows::LIVE => write.live.into(),
            rows::SHOWN => parts.shown.into(),
            rows::KIND => write.fingerprint.as_ref().map(|_| kind_prefix(&write.key.kind())).into(),
            rows::FINGERPRINT => write.fingerprint.as_ref().into(),
            rows::WRITTEN => self.written.into(),
            rows::REFS => references_cell(&write.references)?,
            rows::PRODUCT_TYPE => parts.product_type.into(),
            rows::SESSION_ID => parts.session_id.into(),
            rows::PAYMENT_INTENT_ID => parts.payment_intent_id.into(),
            rows::CREATED_AT => self.created_at.into(),
            rows::UPDATED_AT => self.updated_at.into(),
            rows::BODY => Content::of(self.row)?.body.into(),
            rows::VALUE => Content::text_of(self.row).into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
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

impl View for StoredRow {
    const TABLE: &'static Table = &rows::TABLE;
    const COLUMNS: &'static [Column] = &[rows::KEY, rows::DATA_VERSION, rows::BODY, rows::VALUE];

    fn read(row: &impl Answer) -> Stored<Self> {
        let value = row.a_text(rows::VALUE)?.to_owned();
        Ok(StoredRow {
            data_version: row.a_number(rows::DATA_VERSION)?,
            row: row_of(row.a_text(rows::KEY)?, row.a_text(rows::BODY)?, value)?,
        })
    }
}

/// A row with its references.
pub struct LinkedRow {
    pub stored: StoredRow,
    pub references: Vec<Reference>,
}

impl View for LinkedRow {
    const TABLE: &'static Table = &rows::TABLE;
    const COLUMNS: &'static [Column] = &[rows::KEY, rows::DATA_VERSION, rows::REFS, rows::BODY, rows::VALUE];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(LinkedRow { stored: View::read(row)?, references: references(row)? })
    }
}

impl View for WholeRow {
    const TABLE: &'static Table = &rows::TABLE;
    const COLUMNS: &'static [Column] = &[
        rows::KEY,
        rows::DATA_VERSION,
        rows::LIVE,
        rows::FINGERPRINT,
        rows::WRITTEN,
        rows::REFS,
        rows::CREATED_AT,
        rows::UPDATED_AT,
        rows::BODY,
        rows::VALUE,
    ];

    fn read(row: &impl Answer) -> Stored<Self> {
        let key = row.a_text(rows::KEY)?;
        let StoredRow { data_version, row: content } = View::read(row)?;
        Ok(WholeRow {
            write: RowWrite {
                key: row_key(key).ok_or_else(|| damaged(key))?,
                row: Some(content),
                data_version,
                live: row.truth(rows::LIVE)?,
                references: references(row)?,
                fingerprint: row.own_text(rows::FINGERPRINT)?,
            },
            written: row.a_number(rows::WRITTEN)?,
            created_at: row.int(rows::CREATED_AT)?,
            updated_at: row.int(rows::UPDATED_AT)?,
        })
    }
}

/// A row that may be out of date, and when it was written.
pub struct OutdatedRow {
    pub stored: StoredRow,
    /// The text of the key.
    pub text: String,
    pub written: u64,
}

impl View for OutdatedRow {
    const TABLE: &'static Table = &rows::TABLE;
    const COLUMNS: &'static [Column] = &[rows::KEY, rows::DATA_VERSION, rows::WRITTEN, rows::BODY, rows::VALUE];

    fn read(row: &impl Answer) -> Stored<Self> {
        let (text, written) = (row.a_text(rows::KEY)?.to_owned(), row.a_number(rows::WRITTEN)?);
        Ok(OutdatedRow { stored: View::read(row)?, text, written })
    }
}

/// The parts of the previous write of a row that its next write needs.
pub struct WrittenRow {
    /// The references by which the row is found; none unless it is shown.
    pub shown_references: Vec<Reference>,
    pub created_at: Option<Timestamp>,
}

impl View for WrittenRow {
    const TABLE: &'static Table = &rows::TABLE;
    const COLUMNS: &'static [Column] = &[rows::SHOWN, rows::REFS, rows::CREATED_AT];

    fn read(row: &impl Answer) -> Stored<Self> {
        let shown_references = if row.truth(rows::SHOWN)? { references(row)? } else { Vec::new() };
        Ok(WrittenRow { shown_references, created_at: row.int(rows::CREATED_AT)? })
    }
}

/// Frees the unique values of a purchase, so that another purchase can take them.
pub struct ReleasedPurchase;

impl Patch for ReleasedPurchase {
    const TABLE: &'static Table = &rows::TABLE;
    const COLUMNS: &'static [Column] = &[rows::SESSION_ID, rows::PAYMENT_INTENT_ID];

    fn cell(&self, _: Column) -> Stored<Cell<'_>> {
        Ok(Cell::Null)
    }
}

/// A row of an account that refers to a target.
pub struct Referrer<'w> {
    pub scope: &'w Scope,
    /// Text of the reference.
    pub target: &'w str,
    /// Text of the row's key.
    pub row: &'w str,
}

impl Record for Referrer<'_> {
    const TABLE: &'static Table = &refs::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            refs::SCOPE => Cell::Scope(self.scope),
            refs::TARGET => self.target.into(),
            refs::ROW => self.row.into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }
}

/// A fact of an account.
pub struct NewFact<'w> {
    pub scope: &'w Scope,
    pub fact: &'w str,
    /// The event that recorded it.
    pub event_id: &'w str,
}

impl Record for NewFact<'_> {
    const TABLE: &'static Table = &facts::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            facts::SCOPE => Cell::Scope(self.scope),
            facts::FACT => self.fact.into(),
            facts::EVENT_ID => self.event_id.into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }
}

/// A fact, and the event that recorded it.
pub struct Fact(pub String, pub String);

impl View for Fact {
    const TABLE: &'static Table = &facts::TABLE;
    const COLUMNS: &'static [Column] = &[facts::FACT, facts::EVENT_ID];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(Fact(row.a_text(facts::FACT)?.to_owned(), row.a_text(facts::EVENT_ID)?.to_owned()))
    }
}

/// The last reply to a caller.
pub struct NewReply<'w> {
    pub scope: &'w Scope,
    pub caller: &'w str,
    pub reply: &'w Reply,
}

impl Record for NewReply<'_> {
    const TABLE: &'static Table = &replies::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            replies::SCOPE => Cell::Scope(self.scope),
            replies::CALLER => self.caller.into(),
            replies::REPLY => to_json(self.reply)?.into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }
}

/// A caller, and the last reply to it.
pub struct CallerReply(pub String, pub Reply);

impl View for CallerReply {
    const TABLE: &'static Table = &replies::TABLE;
    const COLUMNS: &'static [Column] = &[replies::CALLER, replies::REPLY];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(CallerReply(row.a_text(replies::CALLER)?.to_owned(), from_json(row.a_text(replies::REPLY)?)?))
    }
}

/// A claim or block to write.
pub struct NewClaim<'w> {
    /// Full key.
    pub key: &'w str,
    pub claim: &'w ClaimRow,
}

impl Record for NewClaim<'_> {
    const TABLE: &'static Table = &claims::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            claims::KEY => self.key.into(),
            claims::HOLDER => self.claim.holder.as_ref().into(),
            claims::UNTIL => self.claim.until.into(),
            claims::BLOCKED_UNTIL => self.claim.blocked_until.into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }
}

/// A claim or block with its full key.
pub struct Claim(pub String, pub ClaimRow);

impl View for Claim {
    const TABLE: &'static Table = &claims::TABLE;
    const COLUMNS: &'static [Column] = all(&claims::TABLE);

    fn read(row: &impl Answer) -> Stored<Self> {
        let claim = ClaimRow {
            holder: row.account(claims::HOLDER)?,
            until: row.int(claims::UNTIL)?,
            blocked_until: row.int(claims::BLOCKED_UNTIL)?,
        };
        Ok(Claim(row.a_text(claims::KEY)?.to_owned(), claim))
    }
}

/// An event to insert.
pub struct NewEvent<'w> {
    /// Its number; 0 for the next one.
    pub seq: u64,
    pub new: &'w NewInbox,
    /// Kind and bytes of the payload.
    pub payload: (i16, Cow<'w, [u8]>),
    pub progress: EventProgress,
    pub erased: bool,
}

impl<'w> NewEvent<'w> {
    /// Returns the row of a received event.
    ///
    /// # Errors
    /// Fails with `StoreError::Misuse` if a payload has no JSON form.
    pub fn of(new: &'w NewInbox) -> Stored<NewEvent<'w>> {
        let none = EventProgress {
            account: new.event.account.clone(),
            state: InboxState::Done,
            failures: 0,
            error: None,
            outcome: None,
            runs: 0,
            run: None,
        };
        let payload = payload_columns(&new.event.payload)?;
        Ok(NewEvent { seq: 0, new, payload, progress: none.after(&new.progress).0, erased: false })
    }
}

impl Record for NewEvent<'_> {
    const TABLE: &'static Table = &events::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        let (event, (kind, payload)) = (&self.new.event, &self.payload);
        Ok(match column {
            events::SEQ => self.seq.into(),
            events::PARTITION => Cell::Partition(&event.business, self.new.livemode),
            events::SOURCE => Cell::from(&event.source),
            events::ID => Cell::from(&event.id),
            events::KIND => Cell::from(&event.kind),
            events::RECEIVED_AT => event.received_at.into(),
            events::ENVELOPE => to_json(&Envelope::of(event))?.into(),
            events::PAYLOAD_KIND => (*kind).into(),
            events::ERASED => self.erased.into(),
            events::PAYLOAD => Cell::Bytes(Cow::Borrowed(payload)),
            events::RAW => match **payload == **self.new.raw {
                true => Cell::Null,
                false => Cell::Bytes(Cow::Borrowed(&self.new.raw)),
            },
            other => self.progress.cell(other)?,
        })
    }
}

impl View for InboxRow {
    const TABLE: &'static Table = &events::TABLE;
    const COLUMNS: &'static [Column] = all(&events::TABLE);

    fn read(row: &impl Answer) -> Stored<Self> {
        let envelope: Envelope<'_> = from_json(row.a_text(events::ENVELOPE)?)?;
        let payload = row.bytes(events::PAYLOAD)?.unwrap_or_default();
        let raw = row.bytes(events::RAW)?.map_or_else(|| payload.to_vec(), Cow::into_owned);
        let partition = row.partition(events::PARTITION)?;
        let EventProgress { account, state, failures, error, outcome, run, .. } = EventProgress::read(row)?;
        Ok(InboxRow {
            seq: row.a_number(events::SEQ)?,
            event: Event {
                id: row.a_text(events::ID)?.to_owned(),
                source: row.a_text(events::SOURCE)?.to_owned(),
                kind: row.a_text(events::KIND)?.to_owned(),
                business: partition.business,
                account,
                livemode: envelope.livemode,
                received_at: row.a_number(events::RECEIVED_AT)?,
                attempt: envelope.attempt,
                actor: envelope.actor.into_owned(),
                reply_to: envelope.reply_to.map(Cow::into_owned),
                payment: envelope.payment.map(Cow::into_owned),
                payload: payload_of(row.a_number(events::PAYLOAD_KIND)?, payload.into_owned())?,
            },
            livemode: partition.livemode,
            raw,
            state,
            failures,
            error,
            outcome,
            provenance: run.and_then(|run| run.provenance),
            erased: row.truth(events::ERASED)?,
        })
    }
}

/// The changing part of an event.
pub struct EventProgress {
    pub account: Option<Account>,
    pub state: InboxState,
    pub failures: u32,
    pub error: Option<String>,
    pub outcome: Option<Outcome>,
    /// Number of runs.
    pub runs: u32,
    /// The last run.
    pub run: Option<Run>,
}

impl EventProgress {
    /// Returns the progress after a change, and the number and content of the run that is no longer the last one.
    pub fn after(self, progress: &InboxProgress) -> (EventProgress, Option<(u32, Run)>) {
        let InboxProgress { account, state, failures, error, outcome, run, .. } = progress;
        let (run, earlier) = match (run, self.run) {
            (Some(run), earlier) => (Some(run.clone()), earlier.map(|earlier| (self.runs, earlier))),
            (None, run) => (run, None),
        };
        let next = EventProgress {
            account: account.clone().or(self.account),
            state: state.clone(),
            failures: *failures,
            error: error.clone(),
            outcome: outcome.clone(),
            runs: self.runs + u32::from(progress.run.is_some()),
            run,
        };
        (next, earlier)
    }
}

impl View for EventProgress {
    const TABLE: &'static Table = &events::TABLE;
    const COLUMNS: &'static [Column] = <Self as Patch>::COLUMNS;

    fn read(row: &impl Answer) -> Stored<Self> {
        let EventState(state) = View::read(row)?;
        Ok(EventProgress {
            account: row.account(events::ACCOUNT)?,
            state,
            failures: row.a_number(events::FAILURES)?,
            error: row.own_text(events::ERROR)?,
            outcome: row.json(events::OUTCOME)?,
            runs: row.a_number(events::RUNS)?,
            run: row.json::<RunJson<'_>>(events::RUN)?.map(RunJson::into_run),
        })
    }
}

impl Patch for EventProgress {
    const TABLE: &'static Table = &events::TABLE;
    const COLUMNS: &'static [Column] = &[
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

/// The state of an event.
pub struct EventState(pub InboxState);

impl View for EventState {
    const TABLE: &'static Table = &events::TABLE;
    const COLUMNS: &'static [Column] = &[events::STATE, events::AT, events::WAITS_SINCE];

    fn read(row: &impl Answer) -> Stored<Self> {
        let (state, at) = (row.a_number(events::STATE)?, row.a_number(events::AT)?);
        Ok(EventState(state_of(state, at, row.int(events::WAITS_SINCE)?)?))
    }
}

/// An event with the parts that an erasure of its account removes.
pub struct ErasableEvent {
    pub seq: u64,
    payload: Payload,
    progress: EventProgress,
}

impl View for ErasableEvent {
    const TABLE: &'static Table = &events::TABLE;
    const COLUMNS: &'static [Column] = all(&events::TABLE);

    fn read(row: &impl Answer) -> Stored<Self> {
        let payload = row.bytes(events::PAYLOAD)?.unwrap_or_default();
        Ok(ErasableEvent {
            seq: row.a_number(events::SEQ)?,
            payload: payload_of(row.a_number(events::PAYLOAD_KIND)?, payload.into_owned())?,
            progress: EventProgress::read(row)?,
        })
    }
}

impl ErasableEvent {
    /// Erases it.
    pub fn erase(&mut self) {
        erase::payload(&mut self.payload);
        erase::error(&mut self.progress.error);
        erase::outcome(&mut self.progress.outcome);
        self.progress.run.iter_mut().for_each(erase::run);
    }
}

impl Patch for ErasableEvent {
    const TABLE: &'static Table = &events::TABLE;
    const COLUMNS: &'static [Column] =
        &[events::ERROR, events::OUTCOME, events::RUN, events::ERASED, events::PAYLOAD, events::RAW];

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            events::PAYLOAD => Cell::Bytes(payload_columns(&self.payload)?.1),
            // Null would mean that the raw bytes equal the payload.
            events::RAW => Cell::Bytes(Cow::Borrowed(&[])),
            events::ERASED => true.into(),
            other => Patch::cell(&self.progress, other)?,
        })
    }
}

/// A run of an event before its last one.
pub struct EarlierRun {
    pub seq: u64,
    /// Number of the run, from 1.
    pub n: u32,
    pub run: Run,
}

impl Record for EarlierRun {
    const TABLE: &'static Table = &runs::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            runs::SEQ => self.seq.into(),
            runs::N => self.n.into(),
            runs::RUN => to_json(&RunJson::of(&self.run))?.into(),
            other => return Err(no_column(&runs::TABLE, other)),
        })
    }
}

impl View for EarlierRun {
    const TABLE: &'static Table = &runs::TABLE;
    const COLUMNS: &'static [Column] = all(&runs::TABLE);

    fn read(row: &impl Answer) -> Stored<Self> {
        let run: RunJson<'_> = from_json(row.a_text(runs::RUN)?)?;
        Ok(EarlierRun { seq: row.a_number(runs::SEQ)?, n: row.a_number(runs::N)?, run: run.into_run() })
    }
}

/// A full key for which an event waits.
pub struct Wait<'w> {
    pub key: &'w str,
    pub seq: u64,
}

impl Record for Wait<'_> {
    const TABLE: &'static Table = &waits::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(match column {
            waits::KEY => self.key.into(),
            waits::SEQ => self.seq.into(),
            other => return Err(no_column(Self::TABLE, other)),
        })
    }
}

/// An effect to insert.
pub struct NewEffect<'w> {
    /// Its number; 0 for the next one.
    pub seq: u64,
    pub scope: &'w Scope,
    pub row: &'w EffectRow,
}

impl Record for NewEffect<'_> {
    const TABLE: &'static Table = &effects::TABLE;

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        let (row, effect) = (self.row, &self.row.effect);
        let delays = |retry: &RetryPolicy| to_json(&retry.delays_ms);
        Ok(match column {
            effects::SEQ => self.seq.into(),
            effects::PARTITION => Cell::Partition(&self.scope.business, self.scope.livemode),
            effects::SCOPE => Cell::Scope(self.scope),
            effects::KEY => Cell::from(&effect.key),
            effects::GENERATION => effect.generation.into(),
            effects::KIND => Cell::from(&effect.kind),
            effects::RECEIVER => effect.to.as_ref().into(),
            effects::REPLY_TO => effect.reply_to.as_ref().into(),
            effects::ORDERING_KEY => effect.ordering_key.as_ref().into(),
            effects::NOT_BEFORE => effect.not_before.into(),
            effects::DEADLINE => effect.deadline.into(),
            effects::RETRY => effect.retry.as_ref().map(delays).transpose()?.into(),
            effects::CREATED_AT => row.created_at.into(),
            effects::CAUSED_BY => Cell::from(&row.caused_by),
            effects::ERASED => row.erased.into(),
            effects::PAYLOAD => Cell::from(&effect.payload),
            effects::CONTEXT => Cell::from(&effect.context),
            other => progress_cell(other, row.state, row.attempts, row.due_at, &row.lease)?,
        })
    }
}

impl View for EffectRow {
    const TABLE: &'static Table = &effects::TABLE;
    const COLUMNS: &'static [Column] = all(&effects::TABLE);

    fn read(row: &impl Answer) -> Stored<Self> {
        let retry: Option<Vec<u32>> = row.json(effects::RETRY)?;
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
            state: effect_state(row.a_number(effects::STATE)?)?,
            attempts: row.a_number(effects::ATTEMPTS)?,
            due_at: row.a_number(effects::DUE_AT)?,
            created_at: row.a_number(effects::CREATED_AT)?,
            caused_by: row.a_text(effects::CAUSED_BY)?.to_owned(),
            lease: Lease {
                number: row.a_number(effects::FENCE)?,
                until: row.int(effects::LEASE_UNTIL)?,
                token: row.own_text(effects::TOKEN)?,
                owner: row.own_text(effects::LEASE_OWNER)?,
            },
            erased: row.truth(effects::ERASED)?,
        })
    }
}

/// The changing part of an effect.
pub struct EffectProgress<'w> {
    pub state: EffectState,
    pub attempts: u32,
    pub due_at: Timestamp,
    pub lease: &'w Lease,
}

fn progress_cell(
    column: Column,
    state: EffectState,
    attempts: u32,
    due_at: Timestamp,
    lease: &Lease,
) -> Stored<Cell<'_>> {
    Ok(match column {
        effects::STATE => state_number(state).into(),
        effects::ATTEMPTS => attempts.into(),
        effects::DUE_AT => due_at.into(),
        effects::LEASE_UNTIL => lease.until.into(),
        effects::FENCE => lease.number.into(),
        effects::TOKEN => lease.token.as_ref().into(),
        effects::LEASE_OWNER => lease.owner.as_ref().into(),
        other => return Err(no_column(&effects::TABLE, other)),
    })
}

impl Patch for EffectProgress<'_> {
    const TABLE: &'static Table = &effects::TABLE;
    const COLUMNS: &'static [Column] = &[
        effects::STATE,
        effects::ATTEMPTS,
        effects::DUE_AT,
        effects::LEASE_UNTIL,
        effects::FENCE,
        effects::TOKEN,
        effects::LEASE_OWNER,
    ];

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        progress_cell(column, self.state, self.attempts, self.due_at, self.lease)
    }
}

/// The state of an effect: number, generation, state and lease number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectStand {
    pub seq: u64,
    pub generation: u32,
    pub state: EffectState,
    pub lease: u64,
}

impl View for EffectStand {
    const TABLE: &'static Table = &effects::TABLE;
    const COLUMNS: &'static [Column] = &[effects::SEQ, effects::GENERATION, effects::STATE, effects::FENCE];

    fn read(row: &impl Answer) -> Stored<Self> {
        Ok(EffectStand {
            seq: row.a_number(effects::SEQ)?,
            generation: row.a_number(effects::GENERATION)?,
            state: effect_state(row.a_number(effects::STATE)?)?,
            lease: row.a_number(effects::FENCE)?,
        })
    }
}

/// What decides whether a due effect may begin now, and in which turn.
pub struct DueEffect {
    pub seq: u64,
    pub scope: Scope,
    pub kind: String,
    pub deadline: Option<Timestamp>,
    pub due_at: Timestamp,
}

impl View for DueEffect {
    const TABLE: &'static Table = &effects::TABLE;
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
}

impl Due for DueEffect {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn kind(&self) -> &str {
        &self.kind
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }
}

/// Erases payload and context of an effect.
pub struct ErasedEffect;

impl Patch for ErasedEffect {
    const TABLE: &'static Table = &effects::TABLE;
    const COLUMNS: &'static [Column] = &[effects::ERASED, effects::PAYLOAD, effects::CONTEXT];

    fn cell(&self, column: Column) -> Stored<Cell<'_>> {
        Ok(if column == effects::ERASED { true.into() } else { erase::NO_JSON.into() })
    }
}

/// Parses the key of a row, which must be valid.
pub fn key_of(text: &str) -> Stored<RowKey> {
    row_key(text).ok_or_else(|| damaged(text))
}
