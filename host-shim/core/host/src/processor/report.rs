//! What the processor tells about one run of one event.

use extension_contract::{Account, Outcome, Reply};
use host_store::{InboxRow, LogEntry};
use host_wasm_runner::runner::RunError;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Disposition {
    /// With an outcome, which is committed.
    Outcome(Outcome),
    /// With an error, after which nothing but the attempt is stored.
    Failed(RunError),
}

impl Disposition {
    /// The outcome's name, or `failed`.
    pub fn name(&self) -> &'static str {
        match self {
            Disposition::Outcome(outcome) => outcome.name(),
            Disposition::Failed(_) => "failed",
        }
    }

    /// The outcome's reason or the error's text; none for `applied`.
    pub fn reason(&self) -> Option<String> {
        match self {
            Disposition::Outcome(outcome) => outcome.reason(),
            Disposition::Failed(error) => Some(error.to_string()),
        }
    }

    /// The outcome, if there is one.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Disposition::Outcome(outcome) => Some(outcome),
            Disposition::Failed(_) => None,
        }
    }
}

/// An effect that a run newly asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EffectRef {
    /// Kind.
    pub kind: String,
    /// Key.
    pub key: String,
    /// Generation.
    pub generation: u32,
}

/// One run of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Number in the inbox; that of the first arrival for a repeated id.
    pub seq: u64,
    /// The event's id.
    pub event_id: String,
    /// Its source.
    pub source: String,
    /// Its kind.
    pub kind: String,
    /// Its account, if it was placed.
    pub account: Option<Account>,
    /// How it ended.
    pub result: Disposition,
    /// Effects that it newly asked for, in order.
    pub effects: Vec<EffectRef>,
    /// Who waits, as the event says.
    pub reply_to: Option<String>,
    /// The answer to who waits: the extension's, or the refusal of a rejected event.
    pub reply: Option<Reply>,
    /// Fuel of the call that was kept; 0 natively, and where the host decided by itself.
    pub fuel: u64,
    /// Bytes of linear memory that the instance had grown to after it; 0 natively, and where the host decided by itself.
    pub memory_bytes: u64,
    /// Imports that it called; 0 where the host decided by itself.
    pub host_calls: u64,
    /// What the extension logged in this run, also in one that failed.
    pub logs: Vec<LogEntry>,
    /// True if it is not this event's arrival: it was woken, tried again, driven again or given up.
    pub later: bool,
    /// Mode of the business.
    pub livemode: bool,
    /// True if an operator must look: a dead letter, a rejection that no caller gets, or an id that says something else
    /// than before.
    pub alert: bool,
}

impl Report {
    /// The report of an id that is there already.
    pub(super) fn duplicate(known: &InboxRow) -> Self {
        Report {
            seq: known.seq,
            event_id: known.event.id.clone(),
            source: known.event.source.clone(),
            kind: known.event.kind.clone(),
            account: known.event.account.clone(),
            result: Disposition::Outcome(Outcome::Duplicate(known.event.id.clone())),
            effects: Vec::new(),
            reply_to: known.event.reply_to.clone(),
            reply: None,
            fuel: 0,
            memory_bytes: 0,
            host_calls: 0,
            logs: Vec::new(),
            later: false,
            livemode: known.livemode,
            alert: false,
        }
    }

    pub(super) fn later(mut self) -> Self {
        self.later = true;
        self
    }
}
