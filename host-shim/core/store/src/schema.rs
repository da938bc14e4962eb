//! The tables of a store, their columns and indexes, as data: everything that each kind of store keeps.
//!
//! The databases have the same tables in SQL (`migrations/0001_tables.sql` of each). Times are in milliseconds since the epoch.

/// Number of a column in its table.
pub type Column = usize;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer or a time.
    Int,
    /// A boolean, as 0 or 1.
    Truth,
    /// A string, which may be JSON.
    Text,
    /// Strings, as a JSON array.
    Texts,
    /// Bytes.
    Bytes,
    /// An account of a business in a mode.
    Scope,
    /// A business in a mode.
    Partition,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Name in SQL.
    pub name: &'static str,
    /// Names of its columns.
    pub columns: &'static [&'static str],
    /// Their types.
    pub kinds: &'static [Kind],
    /// Columns of its key.
    pub key: &'static [Column],
    /// Number of its last columns, whose texts are large and change only when they are erased.
    pub cold: usize,
    /// Name of the SQLite table with these columns, which only grows at its end.
    pub texts: &'static str,
    /// Its other indexes, in order of [`Index::at`].
    pub indexes: &'static [&'static Index],
}

/// An index. It contains the rows that meet its conditions, in the order of its columns and then of the table's key.
#[derive(Debug)]
pub struct Index {
    /// Position among the indexes of its table.
    pub at: usize,
    /// Name in SQL.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
    /// Its conditions.
    pub only: &'static [Only],
    /// True if no two rows have the same values.
    pub unique: bool,
}

/// A condition of an index.
#[derive(Clone, Copy, Debug)]
pub enum Only {
    /// The column has this number.
    Is(Column, i64),
    /// The column has a smaller number.
    Below(Column, i64),
    /// The column has one of these numbers.
    OneOf(Column, &'static [i64]),
    /// The column contains this string.
    Named(Column, &'static str),
    /// The column contains a different string.
    NotNamed(Column, &'static str),
    /// The column is not null.
    Some(Column),
}

/// Declares the numbers of columns, and the lists of their names and kinds.
macro_rules! columns {
    ($($name:ident $NUMBER:ident $Kind:ident),+ $(,)?) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Numbers { $($NUMBER),+ }
        $(pub const $NUMBER: Column = Numbers::$NUMBER as Column;)+
        const COLUMNS: &[&str] = &[$(stringify!($name)),+];
        const KINDS: &[super::Kind] = &[$(super::Kind::$Kind),+];
    };
}

/// The tables.
pub static TABLES: [&Table; 9] = [
    &rows::TABLE,
    &refs::TABLE,
    &facts::TABLE,
    &replies::TABLE,
    &claims::TABLE,
    &events::TABLE,
    &runs::TABLE,
    &waits::TABLE,
    &effects::TABLE,
];

/// The rows of an account and of the catalog.
pub mod rows {
    use super::{Column, Index, Only, Table};
    columns! {
        scope SCOPE Scope, key KEY Text, data_version DATA_VERSION Int, live LIVE Truth, shown SHOWN Truth, kind KIND Text, fingerprint FINGERPRINT Text,
        written WRITTEN Int, refs REFS Texts, product_type PRODUCT_TYPE Text, session_id SESSION_ID Text,
        payment_intent_id PAYMENT_INTENT_ID Text, created_at CREATED_AT Int, updated_at UPDATED_AT Int, body BODY Text, value VALUE Text,
    }
    /// The table.
    pub static TABLE: Table = Table {
        name: "rows",
        columns: COLUMNS,
        kinds: KINDS,
        key: &[SCOPE, KEY],
        cold: 0,
        texts: "",
        indexes: &[&LIVE_ROWS, &BY_FINGERPRINT, &BY_SESSION, &BY_PAYMENT_INTENT],
    };
    pub static LIVE_ROWS: Index = Index {
        at: 0,
        name: "rows_live",
        columns: &[SCOPE],
        only: &[Only::Is(LIVE, 1), Only::Is(SHOWN, 1)],
        unique: false,
    };
    pub static BY_FINGERPRINT: Index = Index {
        at: 1,
        name: "rows_by_fingerprint",
        columns: &[SCOPE, KIND, FINGERPRINT, WRITTEN],
        only: &[Only::Some(FINGERPRINT), Only::Is(SHOWN, 1)],
        unique: false,
    };
    pub static BY_SESSION: Index = Index {
        at: 2,
        name: "rows_by_session",
        columns: &[SCOPE, SESSION_ID],
        only: &[Only::Some(SESSION_ID)],
        unique: true,
    };
    pub static BY_PAYMENT_INTENT: Index = Index {
        at: 3,
        name: "rows_by_payment_intent",
        columns: &[SCOPE, PAYMENT_INTENT_ID],
        only: &[Only::Some(PAYMENT_INTENT_ID)],
        unique: true,
    };
}

/// Which rows refer to a target.
pub mod refs {
    use super::{Column, Table};
    columns! { scope SCOPE Scope, target TARGET Text, row ROW Text }
    /// The table.
    pub static TABLE: Table = Table {
        name: "refs",
        columns: COLUMNS,
        kinds: KINDS,
        key: &[SCOPE, TARGET, ROW],
        cold: 0,
        texts: "",
        indexes: &[],
    };
}

/// The facts of an account.
pub mod facts {
    use super::{Column, Table};
    columns! { scope SCOPE Scope, fact FACT Text, event_id EVENT_ID Text }
    /// The table.
    pub static TABLE: Table =
        Table { name: "facts", columns: COLUMNS, kinds: KINDS, key: &[SCOPE, FACT], cold: 0, texts: "", indexes: &[] };
}

/// The last reply to each caller of an account.
pub mod replies {
    use super::{Column, Table};
    columns! { scope SCOPE Scope, caller CALLER Text, reply REPLY Text }
    /// The table.
    pub static TABLE: Table = Table {
        name: "replies",
        columns: COLUMNS,
        kinds: KINDS,
        key: &[SCOPE, CALLER],
        cold: 0,
        texts: "",
        indexes: &[],
    };
}

/// Claims and blocks, by full key.
pub mod claims {
    use super::{Column, Index, Only, Table};
    columns! { key KEY Text, holder HOLDER Text, until UNTIL Int, blocked_until BLOCKED_UNTIL Int }
    /// The table.
    pub static TABLE: Table = Table {
        name: "claims",
        columns: COLUMNS,
        kinds: KINDS,
        key: &[KEY],
        cold: 0,
        texts: "",
        indexes: &[&BY_HOLDER],
    };
    pub static BY_HOLDER: Index =
        Index { at: 0, name: "claims_by_holder", columns: &[HOLDER, KEY], only: &[Only::Some(HOLDER)], unique: false };
}

/// The received events, with their last runs.
pub mod events {
    use super::{Column, Index, Only, Table};
    columns! {
        seq SEQ Int, partition PARTITION Partition, source SOURCE Text, id ID Text, kind KIND Text, received_at RECEIVED_AT Int, envelope ENVELOPE Text,
        payload_kind PAYLOAD_KIND Int, account ACCOUNT Text, state STATE Int, at AT Int, waits_since WAITS_SINCE Int, failures FAILURES Int,
        error ERROR Text, outcome OUTCOME Text, runs RUNS Int, run RUN Text, erased ERASED Truth, payload PAYLOAD Bytes, raw RAW Bytes,
    }
    /// The table.
    pub static TABLE: Table = Table {
        name: "events",
        columns: COLUMNS,
        kinds: KINDS,
        key: &[SEQ],
        cold: 2,
        texts: "event_texts",
        indexes: &[&BY_ID, &OF_EFFECTS, &WAITING, &FAILED, &OF_ACCOUNT],
    };
    pub static BY_ID: Index =
        Index { at: 0, name: "events_by_id", columns: &[ID, SOURCE, PARTITION], only: &[], unique: true };
    pub static OF_EFFECTS: Index = Index {
        at: 1,
        name: "events_of_effects",
        columns: &[SEQ],
        only: &[Only::Named(SOURCE, crate::rows::EFFECT_RESULTS)],
        unique: false,
    };
    pub static WAITING: Index = Index {
        at: 2,
        name: "events_waiting",
        columns: &[PARTITION, STATE, AT],
        only: &[Only::Below(STATE, 3)],
        unique: false,
    };
    pub static FAILED: Index = Index {
        at: 3,
        name: "events_failed",
        columns: &[PARTITION, STATE],
        only: &[Only::OneOf(STATE, &[0, 4])],
        unique: false,
    };
    pub static OF_ACCOUNT: Index = Index {
        at: 4,
        name: "events_of_account",
        columns: &[ACCOUNT, PARTITION],
        only: &[Only::Some(ACCOUNT)],
        unique: false,
    };
}

/// The runs of an event before its last one.
pub mod runs {
    use super::{Column, Table};
    columns! { seq SEQ Int, n N Int, run RUN Text }
    /// The table.
    pub static TABLE: Table =
        Table { name: "runs", columns: COLUMNS, kinds: KINDS, key: &[SEQ, N], cold: 0, texts: "", indexes: &[] };
}

/// The full keys for which a parked or deferred event waits.
pub mod waits {
    use super::{Column, Index, Table};
    columns! { key KEY Text, seq SEQ Int }
    /// The table.
    pub static TABLE: Table = Table {
        name: "waits",
        columns: COLUMNS,
        kinds: KINDS,
        key: &[KEY, SEQ],
        cold: 0,
        texts: "",
        indexes: &[&BY_SEQ],
    };
    pub static BY_SEQ: Index = Index { at: 0, name: "waits_by_seq", columns: &[SEQ], only: &[], unique: false };
}

/// The requested effects.
pub mod effects {
    use super::{Column, Index, Only, Table};
    use crate::rows::TIMER;
    columns! {
        seq SEQ Int, partition PARTITION Partition, scope SCOPE Scope, key KEY Text, generation GENERATION Int, kind KIND Text, receiver RECEIVER Text,
        reply_to REPLY_TO Text, ordering_key ORDERING_KEY Text, not_before NOT_BEFORE Int, deadline DEADLINE Int, retry RETRY Text,
        state STATE Int, attempts ATTEMPTS Int, due_at DUE_AT Int, created_at CREATED_AT Int, caused_by CAUSED_BY Text,
        lease_until LEASE_UNTIL Int, fence FENCE Int, token TOKEN Text, lease_owner LEASE_OWNER Text, erased ERASED Truth, payload PAYLOAD Text,
        context CONTEXT Text,
    }
    /// The table.
    pub static TABLE: Table = Table {
        name: "effects",
        columns: COLUMNS,
        kinds: KINDS,
        key: &[SEQ],
        cold: 2,
        texts: "effect_texts",
        indexes: &[&BY_KEY, &OPEN, &DUE, &DUE_TIMERS, &RUNNING, &AWAITED],
    };
    pub static BY_KEY: Index =
        Index { at: 0, name: "effects_by_key", columns: &[SCOPE, KEY, GENERATION], only: &[], unique: true };
    pub static OPEN: Index = Index {
        at: 1,
        name: "effects_open",
        columns: &[SCOPE, ORDERING_KEY],
        only: &[Only::Below(STATE, 2)],
        unique: false,
    };
    pub static DUE: Index = Index {
        at: 2,
        name: "effects_due",
        columns: &[PARTITION, DUE_AT],
        only: &[Only::Is(STATE, 0), Only::NotNamed(KIND, TIMER)],
        unique: false,
    };
    pub static DUE_TIMERS: Index = Index {
        at: 3,
        name: "effects_due_timers",
        columns: &[PARTITION, DUE_AT],
        only: &[Only::Is(STATE, 0), Only::Named(KIND, TIMER)],
        unique: false,
    };
    pub static RUNNING: Index =
        Index { at: 4, name: "effects_running", columns: &[PARTITION], only: &[Only::Is(STATE, 1)], unique: false };
    pub static AWAITED: Index = Index {
        at: 5,
        name: "effects_awaited",
        columns: &[PARTITION],
        only: &[Only::Is(STATE, 2), Only::Some(TOKEN)],
        unique: false,
    };
}
