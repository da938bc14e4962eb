//! Events: the envelope, its payloads, and the decision on an event with its outcome.

use crate::effects::Effect;
use crate::products::Product;
use crate::rows::{Change, ClaimChange, Reference};
use crate::subscriptions::Snapshot;
use crate::types::{Account, Actor, Failure, Json, Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Facts about an event or a response of the payment source, as the host read them.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PaymentFacts {
    /// Payment source, `stripe`.
    pub source: String,
    /// The source's time: an event's `created`, a response's date.
    pub time: Option<Timestamp>,
    /// API version that determines the object's shape.
    pub api_version: Option<String>,
    /// Name of the secret that the signature matched; `None` for a response.
    pub matched_secret: Option<String>,
    /// Connected account, `acct_…`.
    pub connected_account: Option<String>,
    /// Idempotency key of the request that caused the event or response.
    pub request_key: Option<String>,
    /// Id of the classic event that corresponds to this thin event; `None` for other events.
    pub snapshot_event: Option<String>,
}

/// A change of a product that did not come from the extension. `before` is `None` if the product was created; `after`
/// is `None` if it was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductChange {
    /// The product before the change.
    pub before: Option<Product>,
    /// The product after the change.
    pub after: Option<Product>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Id, unique within the account and meter.
    pub id: String,
    /// Name of the meter, for example `tokens`.
    pub meter: String,
    /// Amount in the meter's unit.
    pub quantity: i64,
    /// When it was used.
    pub at: Timestamp,
    /// Attributes that the cost depends on, by name, for example `model`.
    pub attributes: Vec<(String, String)>,
}

/// A timer or a message that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Account that enqueued the timer or message; for a timer, the account of the event itself.
    pub sender: Account,
    /// Key of the effect.
    pub key: String,
    /// Generation of the effect.
    pub generation: u32,
    /// Payload of the effect.
    pub payload: Json,
}

/// Class of a failed effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectFailureClass {
    /// A transient failure persisted through all retries.
    Transient,
    /// The remote system refused; a retry cannot help.
    Final,
    /// The deadline passed; it is unknown whether the effect was carried out.
    TimedOut,
}

/// A failed effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectFailure {
    /// Class.
    pub class: EffectFailureClass,
    /// The provider's error code, for programs.
    pub code: String,
    /// Message for operators; without secrets.
    pub message: String,
}

/// A finished effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectReport {
    /// Key of the effect.
    pub key: String,
    /// Generation of the effect.
    pub generation: u32,
    /// Number of attempts made.
    pub attempts: u32,
    /// The effect's `context`, unchanged; empty for an effect that an older host recorded.
    #[serde(default)]
    pub context: Json,
    /// The provider's result, or the failure.
    pub answer: Result<Json, EffectFailure>,
}

/// The content of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The whole request body of the payment source, byte for byte as signed.
    Payment(Vec<u8>),
    /// A change of a product.
    Product(Box<ProductChange>),
    /// A request to the API, valid against the schema declared for its kind.
    Command(Json),
    /// A batch of measurements.
    Usage(Vec<Usage>),
    /// A timer that is due.
    Timer(Delivery),
    /// A message from another account.
    Message(Delivery),
    /// The result of an effect.
    EffectResult(EffectReport),
}

/// An event: its envelope, which is the same for all payloads, and its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Id, unique within business and source.
    pub id: String,
    /// Origin: an intake (`stripe`, `api`), or `products`, `timer`, `message` or `effects`.
    pub source: String,
    /// The payment source's event type, `product.created`, or the kind of a command or effect.
    pub kind: String,
    /// Business whose catalog, configuration and data apply.
    pub business: String,
    /// Account, if the envelope names it; `None` for an event of the payment source, whose account `account.open` finds.
    pub account: Option<Account>,
    /// True for live mode, false for test mode: as stated by an event of the payment source, otherwise the mode of the host.
    pub livemode: Option<bool>,
    /// Time at which the host stored the event. All changes that the event causes have this time.
    pub received_at: Timestamp,
    /// Number of the attempt, from 1. Only for the log: decisions must not depend on it.
    pub attempt: u32,
    /// Originator of the event.
    pub actor: Actor,
    /// Caller that waits for a reply.
    pub reply_to: Option<String>,
    /// Facts of the payment source; `None` for an event that is not from it.
    pub payment: Option<PaymentFacts>,
    /// Content.
    pub payload: Payload,
}

/// Whether an object of the payment source belongs to this business, judged by its prices or by a metadata key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// The object belongs to this business: a metadata key says so.
    Ours,
    /// The object names prices. It belongs to this business if the catalog has one of the prices in `names`; otherwise it
    /// does not show whether it belongs to this business.
    ByPrices,
    /// The object does not show whether it belongs to this business.
    Unknown,
}

/// How to find an event's account, and the rows that the event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Claim keys, strongest first.
    pub keys: Vec<String>,
    /// Account that the object's metadata names, only for events of our own account at the payment source; `platform` for an object
    /// of the catalog.
    pub account: Option<Account>,
    /// Whether the object belongs to this business.
    pub mark: Mark,
    /// Rows and parts of the catalog that the event names.
    pub names: Vec<Reference>,
}

impl Placement {
    /// Returns the placement of an event whose envelope names the account.
    pub fn known(names: Vec<Reference>) -> Self {
        Placement { keys: Vec::new(), account: None, mark: Mark::Unknown, names }
    }

    /// Returns whether the placement can lead to an account.
    pub fn can_lead_to_account(&self) -> bool {
        !self.keys.is_empty() || self.account.is_some()
    }
}

/// Why an event was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoreReason {
    /// The extension does not handle events of this kind.
    UnhandledKind,
    /// The event's object does not belong to this business.
    NotOurs,
    /// A test event on a live host, or the reverse.
    WrongMode,
    /// The stored state already matches the event.
    NoChange,
}

/// The condition under which the host delivers a deferred event again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeferReason {
    /// The event waits until any account takes one of these claims.
    Claim(Vec<String>),
    /// The event waits until its account records the fact with this key.
    Fact(String),
    /// The event waits until the effect of its account with this key ends.
    Effect(String),
}

/// The outcome of an event. The host commits the decision with every outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The state changed.
    Applied,
    /// Another event already recorded the fact with this key.
    Duplicate(String),
    /// The event's snapshot is older than the stored snapshot, which is given here.
    Stale(Snapshot),
    /// The event is authentic, but not relevant.
    Ignored(IgnoreReason),
    /// The event waits, and the host delivers it again later.
    Deferred(DeferReason),
    /// The event was not applied. The reason goes to the command's caller, or to an operator if there is no caller.
    Rejected(Refusal),
}

impl Outcome {
    /// Returns the outcome's name, as used in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Applied => "applied",
            Outcome::Duplicate(_) => "duplicate",
            Outcome::Stale(_) => "stale",
            Outcome::Ignored(_) => "ignored",
            Outcome::Deferred(_) => "deferred",
            Outcome::Rejected(_) => "rejected",
        }
    }

    /// Returns the reason as one line of text; `None` for `applied`.
    pub fn reason(&self) -> Option<String> {
        match self {
            Outcome::Applied => None,
            Outcome::Duplicate(fact) => Some(fact.clone()),
            Outcome::Stale(snapshot) => Some(format!("older than the view of {}", snapshot.at)),
            Outcome::Ignored(reason) => Some(reason.to_string()),
            Outcome::Deferred(reason) => Some(reason.to_string()),
            Outcome::Rejected(refusal) => Some(refusal.to_string()),
        }
    }
}

impl fmt::Display for IgnoreReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IgnoreReason::UnhandledKind => "unhandled-kind",
            IgnoreReason::NotOurs => "not-ours",
            IgnoreReason::WrongMode => "wrong-mode",
            IgnoreReason::NoChange => "no-change",
        })
    }
}

impl fmt::Display for DeferReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeferReason::Claim(keys) => write!(f, "claim({})", keys.join(",")),
            DeferReason::Fact(fact) => write!(f, "fact({fact})"),
            DeferReason::Effect(key) => write!(f, "effect({key})"),
        }
    }
}

/// A reply to the caller of a command; without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// The command was carried out; the answer is a JSON object.
    Answer(Json),
    /// The command was refused.
    Refused(Refusal),
}

/// The result of `handle`: all consequences of an event. The host commits all of them or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Outcome.
    pub outcome: Outcome,
    /// Reply to the caller in `reply-to`. With `None`, the caller of a rejected command receives the refusal, and any
    /// other caller keeps waiting.
    pub reply: Option<Reply>,
    /// Changed rows, each once.
    pub changes: Vec<Change>,
    /// New facts, stored permanently. The host delivers events again that wait for one of these facts.
    pub facts: Vec<String>,
    /// Changes of claims, in order. A decision with the outcome `rejected` or `deferred` takes no claim.
    pub claims: Vec<ClaimChange>,
    /// Effects to enqueue, in order.
    pub effects: Vec<Effect>,
    /// Keys of effects to cancel if they have not begun.
    pub cancel: Vec<String>,
}

impl Decision {
    /// Returns a decision with an outcome and no changes.
    pub fn of(outcome: Outcome) -> Self {
        Decision {
            outcome,
            reply: None,
            changes: Vec::new(),
            facts: Vec::new(),
            claims: Vec::new(),
            effects: Vec::new(),
            cancel: Vec::new(),
        }
    }

    /// Returns whether the decision contains only an outcome and a reply.
    pub fn changes_nothing(&self) -> bool {
        let Decision { outcome: _, reply: _, changes, facts, claims, effects, cancel } = self;
        changes.is_empty() && facts.is_empty() && claims.is_empty() && effects.is_empty() && cancel.is_empty()
    }
}

/// The result of a call that may fail; after a failure, the host rolls the call back.
pub type Fallible<T> = Result<T, Failure>;
