//! An extension for tests of the host: every event says itself what is to be done.
#![allow(dead_code)]

use host_store::Transaction;
use products_contract::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasm_runner::runner::{Ran, RunError, Runner, Used};

/// What an event is to do; the body of provider events, the payload of commands, timers and messages.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Story {
    /// `correlate`: claim keys.
    pub keys: Vec<String>,
    /// `correlate`: account by metadata.
    pub account: Option<Account>,
    /// `correlate`: mark.
    pub mark: Option<Mark>,
    /// Claims to take.
    pub take: Vec<String>,
    /// Claims to give back.
    pub release: Vec<String>,
    /// Facts to note.
    pub note: Vec<String>,
    /// Deferred until this fact is noted.
    pub needs_fact: Option<String>,
    /// Deferred until this effect has ended.
    pub needs_effect: Option<String>,
    /// Effects to cancel.
    pub cancel: Vec<String>,
    /// Effects to ask for.
    pub ask: Vec<Ask>,
    /// Host calls to make beside, whatever they answer.
    pub calls: u32,
    /// A line for the log.
    pub log: Option<String>,
    /// Attempts that end in a failure.
    pub fail: u32,
    /// The failure is a trap, after everything was done.
    pub trap: bool,
    /// Outcome; `applied` if not said.
    pub outcome: Option<Outcome>,
    /// Reply.
    pub reply: Option<Reply>,
}

/// An effect to ask for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ask {
    pub kind: String,
    pub key: String,
    pub generation: Option<u32>,
    pub payload: Value,
    pub to: Option<Account>,
    pub reply_to: Option<String>,
    pub ordering_key: Option<String>,
    pub not_before: Option<Timestamp>,
    pub deadline: Option<Timestamp>,
    pub retry: Option<RetryPolicy>,
    /// What its result is to do.
    pub then: Option<Box<Story>>,
}

pub const COLLECTION: &str = "things";
/// Retries as the toy declares them.
pub const RETRY: RetryPolicy = RetryPolicy { max_attempts: 3, first_delay_ms: 1_000, max_delay_ms: 60_000 };

pub struct Toy {
    declarations: Declarations,
}

impl Toy {
    pub fn new(data_version: u32) -> Self {
        let effects = ["mail.send", "database.ensure", "database.change", "database.destroy", "stripe.retrieve"];
        let decl = |kind: &&str| EffectDecl {
            kind: (*kind).to_owned(),
            payload_schema: "{}".into(),
            result_schema: "{}".into(),
            retry: RETRY,
        };
        let declarations = Declarations {
            name: "toy".into(),
            version: "1.0.0".into(),
            data_version,
            product_types: Vec::new(),
            collections: vec![COLLECTION.into()],
            provider_kinds: vec!["thing.happened".into()],
            commands: Vec::new(),
            effects: effects.iter().map(decl).collect(),
            config: Vec::new(),
        };
        Toy { declarations }
    }
}

fn put(tx: &mut Transaction, id: String, value: Value) -> Fallible<()> {
    let key = RecordKey { collection: COLLECTION.into(), id };
    let expected = tx.records_load(std::slice::from_ref(&key))?[0].as_ref().map_or(0, |row| row.version);
    tx.records_save(&[RecordWrite { key, expected, value: Some(value.to_string()) }])?;
    Ok(())
}

fn get(tx: &mut Transaction, id: String) -> Fallible<Option<Value>> {
    let rows = tx.records_load(&[RecordKey { collection: COLLECTION.into(), id }])?;
    Ok(rows[0].as_ref().map(|row| serde_json::from_str(&row.value).unwrap()))
}

fn applied(outcome: Outcome) -> Fallible<Handled> {
    Ok(Handled { outcome, reply: None })
}

fn play(tx: &mut Transaction, event: &Event, story: &Story) -> Fallible<Handled> {
    if let Some(fact) = &story.needs_fact
        && get(tx, format!("fact/{fact}"))?.is_none()
    {
        return applied(Outcome::Deferred(DeferReason::Fact(fact.clone())));
    }
    if let Some(key) = &story.needs_effect
        && get(tx, format!("effect/{key}"))?.is_none()
    {
        return applied(Outcome::Deferred(DeferReason::Effect(key.clone())));
    }
    if let Some(line) = &story.log {
        tx.log_write(LogLevel::Info, line, &[]);
    }
    for _ in 0..story.calls {
        // An extension that swallows errors.
        let _ = tx.claims_mine("");
    }
    tx.claims_release(&story.release, None)?;
    if let Some(at) = tx.claims_take(&story.take, None)?.iter().position(|state| *state != ClaimState::Mine) {
        return applied(Outcome::Rejected(Refusal::NameTaken(story.take[at].clone())));
    }
    let new = tx.facts_note(&story.note)?;
    if let Some(at) = new.iter().position(|new| !new) {
        return applied(Outcome::Duplicate(story.note[at].clone()));
    }
    for fact in &story.note {
        put(tx, format!("fact/{fact}"), json!({}))?;
    }
    tx.effects_cancel(&story.cancel)?;
    for ask in &story.ask {
        let effect = Effect {
            kind: ask.kind.clone(),
            to: ask.to.clone(),
            key: ask.key.clone(),
            generation: ask.generation.unwrap_or(1),
            payload: if ask.payload.is_null() { "{}".into() } else { ask.payload.to_string() },
            reply_to: ask.reply_to.clone(),
            ordering_key: ask.ordering_key.clone(),
            not_before: ask.not_before,
            deadline: ask.deadline,
            retry: ask.retry,
        };
        tx.effects_enqueue(&[effect]).map_err(|error| Failure::Internal(error.to_string()))?;
        if let Some(then) = &ask.then {
            put(tx, format!("then/{}", ask.key), serde_json::to_value(then).unwrap())?;
        }
    }
    put(tx, format!("ran/{}", event.id), json!({}))?;
    if event.attempt <= story.fail {
        return Err(Failure::Internal("told to fail".into()));
    }
    Ok(Handled { outcome: story.outcome.clone().unwrap_or(Outcome::Applied), reply: story.reply.clone() })
}

fn story_of(event: &Event) -> Option<Story> {
    let text = match &event.payload {
        Payload::Provider(body) => std::str::from_utf8(body).ok()?,
        Payload::Command(json) => json,
        Payload::Timer(delivery) | Payload::Message(delivery) => &delivery.payload,
        _ => return Some(Story::default()),
    };
    serde_json::from_str(text).ok()
}

fn handle(tx: &mut Transaction, event: &Event) -> Fallible<Handled> {
    let Some(story) = story_of(event) else {
        return applied(Outcome::Rejected(Refusal::Malformed(String::new())));
    };
    match &event.payload {
        Payload::EffectResult(report) => {
            put(tx, format!("effect/{}", report.key), json!({}))?;
            put(tx, format!("result/{}", event.id), serde_json::to_value(report).unwrap())?;
            let then = get(tx, format!("then/{}", report.key))?;
            play(tx, event, &then.map(|then| serde_json::from_value(then).unwrap()).unwrap_or_default())
        }
        Payload::Product(change) => {
            put(tx, format!("product/{}", event.id), serde_json::to_value(change).unwrap())?;
            applied(Outcome::Applied)
        }
        _ => play(tx, event, &story),
    }
}

fn correlate(event: &Event) -> Fallible<Placement> {
    let story = story_of(event).unwrap_or_default();
    if story.mark.is_none() && story.keys.is_empty() && story.account.is_none() && event.attempt <= story.fail {
        return Err(Failure::Internal("told to fail in correlate".into()));
    }
    Ok(Placement { keys: story.keys, account: story.account, mark: story.mark.unwrap_or(Mark::Unknown) })
}

fn used<T>(tx: Transaction, answer: Fallible<T>) -> Ran<T> {
    (tx, answer.map(|value| (value, Used { fuel: 10 })).map_err(RunError::Failure))
}

fn nothing<T>(tx: Transaction, value: T) -> Ran<Result<T, Problem>> {
    (tx, Ok((Ok(value), Used::default())))
}

impl Runner for Toy {
    fn hash(&self) -> &str {
        "toy"
    }
    fn declarations(&self) -> &Declarations {
        &self.declarations
    }
    fn validate(&mut self, tx: Transaction, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>> {
        nothing(tx, candidate.proposed.clone())
    }
    fn correlate(&mut self, tx: Transaction, event: &Event) -> Ran<Placement> {
        used(tx, correlate(event))
    }
    fn handle(&mut self, mut tx: Transaction, event: &Event) -> Ran<Handled> {
        let answer = handle(&mut tx, event);
        if story_of(event).is_some_and(|story| story.trap) {
            return (tx, Err(RunError::Trap("unreachable".into())));
        }
        used(tx, answer)
    }
    fn migrate(&mut self, mut tx: Transaction, from: u32, at: Timestamp) -> Ran<()> {
        let answer = put(&mut tx, format!("migrated/{from}"), json!({"at": at}));
        used(tx, answer)
    }
    fn catalog(&mut self, tx: Transaction, _: &Question) -> Ran<Result<Vec<Offer>, Problem>> {
        nothing(tx, Vec::new())
    }
    fn entitlements(&mut self, mut tx: Transaction, question: &Question) -> Ran<Result<Vec<Entitlement>, Problem>> {
        // A question may read and must not write.
        let denied = tx.facts_note(&["asked".into()]);
        let answer = Entitlement {
            key: format!("{}: {denied:?}", question.account),
            allowed: 1,
            used: 0,
            resets_at: None,
            ends_at: None,
            sources: Vec::new(),
        };
        nothing(tx, vec![answer])
    }
    fn usage(
        &mut self,
        tx: Transaction,
        _: &Question,
        _: Timestamp,
        _: Timestamp,
    ) -> Ran<Result<Vec<UsageTotal>, Problem>> {
        nothing(tx, Vec::new())
    }
    fn balances(&mut self, tx: Transaction, _: &Question) -> Ran<Result<Vec<Balance>, Problem>> {
        nothing(tx, Vec::new())
    }
}
