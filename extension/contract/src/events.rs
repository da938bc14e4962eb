//! Everything that happens: the envelope, its payloads and what comes out.

use crate::effects::Effect;
use crate::products::Product;
use crate::rows::{Change, ClaimChange, Reference};
use crate::subscriptions::Snapshot;
use crate::types::{Account, Actor, Failure, Json, Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a provider tells about its event or its answer, as the host read it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProviderFacts {
    /// Provider, `stripe`.
    pub provider: String,
    /// The provider's time: an event's `created`, an answer's date.
    pub time: Option<Timestamp>,
    /// API version that shapes the object.
    pub api_version: Option<String>,
    /// Name of the secret that the signature matched; none for an answer.
    pub matched_secret: Option<String>,
    /// Connected account, `acct_…`.
    pub connected_account: Option<String>,
    /// Idempotency key of the causing request.
    pub request_key: Option<String>,
    /// Id of the classic event whose thin twin this is.
    pub snapshot_event: Option<String>,
}

/// A product that somebody else changed: none before means created, none after deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductChange {
    /// As it was.
    pub before: Option<Product>,
    /// As it is.
    pub after: Option<Product>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Identity within the account and meter.
    pub id: String,
    /// Meter.
    pub meter: String,
    /// Amount in the meter's unit.
    pub quantity: i64,
    /// When it was used.
    pub at: Timestamp,
    /// What the cost depends on.
    pub attributes: Vec<(String, String)>,
}

/// A timer or a message that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Account that enqueued it; for a timer this one.
    pub sender: Account,
    /// Key of the effect.
    pub key: String,
    /// Its generation.
    pub generation: u32,
    /// Its payload.
    pub payload: Json,
}

/// Class of a failed effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectFailureClass {
    /// A passing failure outlasted the retries.
    Transient,
    /// The other side refused; trying again cannot help.
    Final,
    /// The deadline passed; what was done is not known.
    TimedOut,
}

/// A failed effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectFailure {
    /// Class.
    pub class: EffectFailureClass,
    /// The adapter's code, for programs.
    pub code: String,
    /// For operators; without secrets.
    pub message: String,
}

/// A finished effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectReport {
    /// Its key.
    pub key: String,
    /// Its generation.
    pub generation: u32,
    /// Attempts that were made.
    pub attempts: u32,
    /// The effect's own context, as it was given; empty for one that an older host recorded.
    #[serde(default)]
    pub context: Json,
    /// The adapter's result, or why there is none.
    pub answer: Result<Json, EffectFailure>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// A provider's whole body, byte for byte as signed.
    Provider(Vec<u8>),
    /// A change of a product.
    Product(Box<ProductChange>),
    /// A request of the API, by the schema declared for its kind.
    Command(Json),
    /// Measurements, many at a time.
    Usage(Vec<Usage>),
    /// A timer.
    Timer(Delivery),
    /// A message from another account.
    Message(Delivery),
    /// The end of an effect.
    EffectResult(EffectReport),
}

/// The envelope, the same for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique within business and source.
    pub id: String,
    /// Origin: an intake (`stripe`, `api`) or `products`, `timer`, `message`, `effects`.
    pub source: String,
    /// The provider's type, `product.created`, a command's or an effect's kind.
    pub kind: String,
    /// Business whose catalog, configuration and data apply.
    pub business: String,
    /// Account, where the envelope names it; none for a provider's event, which `account.open` places.
    pub account: Option<Account>,
    /// Mode: a provider's event as it says; else the host's.
    pub livemode: Option<bool>,
    /// When it was stored: the time of all that it causes.
    pub received_at: Timestamp,
    /// From 1; for the log, never for a decision.
    pub attempt: u32,
    /// Who caused it.
    pub actor: Actor,
    /// Who waits.
    pub reply_to: Option<String>,
    /// The provider's view; none where no provider is involved.
    pub provider: Option<ProviderFacts>,
    /// What happened.
    pub payload: Payload,
}

/// Whether an object bears a mark of ours: a price or a metadata key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// It does.
    Ours,
    /// It names prices: it does if one of those that `names` lists is in the catalog, and is foreign if none is.
    ByPrices,
    /// It does not tell.
    Unknown,
}

/// How to find an event's account, and which rows the event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Claim keys, strongest first.
    pub keys: Vec<String>,
    /// Named by metadata, on events of our own provider account only; or `platform` for what is the catalog's.
    pub account: Option<Account>,
    /// Mark.
    pub mark: Mark,
    /// Rows and parts of the catalog that the event names.
    pub names: Vec<Reference>,
}

impl Placement {
    /// For an event whose account the envelope names: there is nothing to be worked out.
    pub fn known(names: Vec<Reference>) -> Self {
        Placement { keys: Vec::new(), account: None, mark: Mark::Unknown, names }
    }

    /// True if an account may come of it.
    pub fn leads_somewhere(&self) -> bool {
        !self.keys.is_empty() || self.account.is_some()
    }
}

/// Why an event is none of our business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoreReason {
    /// Its kind is not handled.
    UnhandledKind,
    /// It is about nothing that this business sells.
    NotOurs,
    /// Test mode on a live host, or the reverse.
    WrongMode,
    /// It says what is already so.
    NoChange,
}

/// What a deferred event waits for, to be delivered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeferReason {
    /// One of these claims, by any account.
    Claim(Vec<String>),
    /// A fact of this account.
    Fact(String),
    /// The end of an effect of this account, by key.
    Effect(String),
}

/// What became of an event. Every case commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// State changed.
    Applied,
    /// The fact is noted already, by another event: its key.
    Duplicate(String),
    /// An older view than the stored one, which is given.
    Stale(Snapshot),
    /// Left alone.
    Ignored(IgnoreReason),
    /// Kept until something arrives.
    Deferred(DeferReason),
    /// Not applied: told to a command's caller, else to an operator.
    Rejected(Refusal),
}

impl Outcome {
    /// The outcome's name as it stands in reports.
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

    /// The reason as one line of text; none for `applied`.
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

/// An answer to who waits; without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Done: an object.
    Answer(Json),
    /// Not done.
    Refused(Refusal),
}

/// What `handle` returns: all that an event means, at once. The host commits the whole of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Outcome.
    pub outcome: Outcome,
    /// To `reply-to`; none: it waits on, or gets the refusal of `rejected`.
    pub reply: Option<Reply>,
    /// Rows, each once.
    pub changes: Vec<Change>,
    /// Facts that happened: kept for ever, and what waits for one is woken.
    pub facts: Vec<String>,
    /// Claims, in order. A decision that rejects or defers takes none.
    pub claims: Vec<ClaimChange>,
    /// What the world is asked to do, in order.
    pub effects: Vec<Effect>,
    /// Keys of effects that are called off, if they have not begun.
    pub cancel: Vec<String>,
}

impl Decision {
    /// An outcome and nothing else.
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

    /// True if nothing but the outcome and the reply is in it.
    pub fn changes_nothing(&self) -> bool {
        let Decision { outcome: _, reply: _, changes, facts, claims, effects, cancel } = self;
        changes.is_empty() && facts.is_empty() && claims.is_empty() && effects.is_empty() && cancel.is_empty()
    }
}

/// The result of a call that may fail and roll back.
pub type Fallible<T> = Result<T, Failure>;
