//! The processor's report on one run of one event.

use crate::decision::EffectRef;
use crate::snapshot::LogEntry;
use extension_contract::{Account, Outcome, Reply};
use host_store::InboxRow;
use host_wasm_runner::runner::RunError;

/// The result of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Disposition {
    /// A committed outcome.
    Outcome(Outcome),
    /// An error; only the failed attempt is stored.
    Failed(RunError),
}

impl Disposition {
    /// Returns the outcome's name, or `failed`.
    pub fn name(&self) -> &'static str {
        match self {
            Disposition::Outcome(outcome) => outcome.name(),
            Disposition::Failed(_) => "failed",
        }
    }

    /// Returns the outcome's reason or the error's text; none for `applied`.
    pub fn reason(&self) -> Option<String> {
        match self {
            Disposition::Outcome(outcome) => outcome.reason(),
            Disposition::Failed(error) => Some(error.to_string()),
        }
    }

    /// Returns the outcome, if any.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Disposition::Outcome(outcome) => Some(outcome),
            Disposition::Failed(_) => None,
        }
    }
}

/// A report of one run of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Number in the inbox; for a repeated id, the number of the first arrival.
    pub seq: u64,
    /// The event's id.
    pub event_id: String,
    /// Source of the event.
    pub source: String,
    /// Kind of the event.
    pub kind: String,
    /// Account of the event, if it was placed.
    pub account: Option<Account>,
    /// Result of the run.
    pub result: Disposition,
    /// Newly requested effects, in order.
    pub effects: Vec<EffectRef>,
    /// Waiting caller, as named by the event.
    pub reply_to: Option<String>,
    /// Reply to the waiting caller: the extension's reply, or the refusal of a rejected event.
    pub reply: Option<Reply>,
    /// Fuel of the committed call; 0 for a native extension and for a decision of the host.
    pub fuel: u64,
    /// Size of the instance's linear memory after the call, in bytes; 0 in the same cases as `fuel`.
    pub memory_bytes: u64,
    /// Number of called imports; 0 for a decision of the host.
    pub host_calls: u64,
    /// Log entries of this run, even if it failed.
    pub logs: Vec<LogEntry>,
    /// True unless this run is the event's arrival: the event was woken, retried, redriven or given up.
    pub later: bool,
    /// Mode of the business.
    pub livemode: bool,
    /// True if an operator must act: a dead letter, a rejection without a caller, a known id with different data, or an
    /// event that no account takes yet and about which the extension logged an error.
    pub alert: bool,
}

impl Report {
    /// Returns the report of a repeated id.
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
