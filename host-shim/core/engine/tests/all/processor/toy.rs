//! An extension for tests of the host: every event contains the script of its own decision.
//!
//! It has rows (`things`, products and prices), claims, facts and effects, and shares only the contract with the
//! extension of this repository.

use extension_contract::*;
use host_wasm_runner::native::NativeRunner;
use host_wasm_runner::runner::{Ran, RunError, Runner, SharedImports, Used};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The script of one decision: the body of Stripe events, the payload of commands, timers and messages.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Story {
    /// Placement: claim keys.
    pub keys: Vec<String>,
    /// Placement: account by metadata.
    pub account: Option<Account>,
    /// Placement: mark.
    pub mark: Option<Mark>,
    /// Placement: prices that the event names.
    pub prices: Vec<String>,
    /// Prices to sell; only in the account `platform`.
    pub sell: Vec<String>,
    /// Subscriptions to write.
    pub subscribe: Vec<String>,
    /// Claims to take.
    pub take: Vec<String>,
    /// Claims to take without reading them first.
    pub grab: Vec<String>,
    /// Claims to release.
    pub release: Vec<String>,
    /// Facts to record.
    pub note: Vec<String>,
    /// Defers the event until this fact is recorded.
    pub needs_fact: Option<String>,
    /// Defers the event until this effect has ended.
    pub needs_effect: Option<String>,
    /// Effects whose start is checked and recorded as `begun/KEY=ANSWER`.
    pub begun: Vec<String>,
    /// Effects to cancel.
    pub cancel: Vec<String>,
    /// Effects to request.
    pub ask: Vec<Ask>,
    /// Number of additional host calls, whose results are ignored.
    pub calls: u32,
    /// If true, the toy does not write its usual row, so that the decision may consist of effects only.
    pub quiet: bool,
    /// A line for the log: information, or an error if no account is found.
    pub log: Option<String>,
    /// Number of attempts that fail before the account is open.
    pub fail_early: u32,
    /// Number of attempts that fail.
    pub fail: u32,
    /// If true, the call traps after the decision.
    pub trap: bool,
    /// Outcome; `applied` by default.
    pub outcome: Option<Outcome>,
    /// Reply.
    pub reply: Option<Reply>,
}

/// An effect to request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ask {
    pub kind: String,
    pub key: String,
    pub generation: Option<u32>,
    pub payload: Value,
    pub context: Value,
    pub to: Option<Account>,
    pub reply_to: Option<String>,
    pub ordering_key: Option<String>,
    pub not_before: Option<Timestamp>,
    pub deadline: Option<Timestamp>,
    pub retry: Option<RetryPolicy>,
    /// Script of the event that contains the effect's result.
    pub then: Option<Box<Story>>,
}

pub const COLLECTION: &str = "things";
/// Declared delays after failed attempts.
pub const RETRY_MS: [u32; 2] = [1_000, 2_000];
/// Fuel of each call of `handle`.
pub const FUEL: u64 = 10;

/// A moment in a decision, for tests that act during it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The account is open.
    Opened,
    /// There is no account to open.
    Elsewhere,
    /// The calls of [`Story::calls`] are made.
    Called,
    /// Everything was read; the decision is about to be returned.
    Decided,
}

/// Called at each moment of a decision.
pub type Meanwhile = Box<dyn Fn(Moment) + Send>;

pub struct Toy {
    data_version: u32,
    meanwhile: Meanwhile,
}

/// A decision under construction.
struct Play<'a> {
    host: &'a mut dyn Imports,
    toy: &'a Toy,
    event: &'a Event,
    decision: Decision,
}

impl Play<'_> {
    fn key(id: String) -> RowKey {
        RowKey::Record(RecordKey { collection: COLLECTION.into(), id })
    }

    fn load(&mut self, key: &RowKey) -> Fallible<Option<Row>> {
        let stored = self.host.load(std::slice::from_ref(key))?.into_iter().next().flatten();
        match stored {
            Some(stored) if stored.data_version > self.toy.data_version => {
                Err(Failure::Internal(format!("{key} is of data version {}", stored.data_version)))
            }
            stored => Ok(stored.map(|stored| stored.row)),
        }
    }

    fn write(&mut self, key: RowKey, write: Write) -> Fallible<()> {
        let expected = self.load(&key)?.map_or(0, |row| row.version());
        let change = Change { key, expected, write, live: true, references: Vec::new(), fingerprint: None };
        self.decision.changes.push(change);
        Ok(())
    }

    fn put(&mut self, id: String, value: Value) -> Fallible<()> {
        self.write(Self::key(id), Write::Record(value.to_string()))
    }

    fn get(&mut self, id: String) -> Fallible<Option<Value>> {
        Ok(match self.load(&Self::key(id))? {
            Some(Row::Record(row)) => Some(serde_json::from_str(&row.value).unwrap()),
            _ => None,
        })
    }

    /// Ends with this outcome and no changes.
    fn nothing_but(self, outcome: Outcome) -> Fallible<Decision> {
        Ok(Decision::of(outcome))
    }

    fn play(mut self, story: &Story, known: &[bool]) -> Fallible<Decision> {
        if let (Some(fact), Some(false)) = (&story.needs_fact, known.get(story.note.len())) {
            return self.nothing_but(Outcome::Deferred(DeferReason::Fact(fact.clone())));
        }
        if let Some(key) = &story.needs_effect
            && self.get(format!("effect/{key}"))?.is_none()
        {
            return self.nothing_but(Outcome::Deferred(DeferReason::Effect(key.clone())));
        }
        if let Some(line) = &story.log {
            self.host.log_write(LogLevel::Info, line, &[]);
        }
        for _ in 0..story.calls {
            // The toy ignores an error of this call.
            let _ = self.host.claims_mine("");
        }
        (self.toy.meanwhile)(Moment::Called);
        let begun = self.host.begun(&story.begun)?;
        let states = self.host.claims_take(&story.take)?;
        (self.toy.meanwhile)(Moment::Decided);
        let refused = |state: &ClaimState| matches!(state, ClaimState::Taken | ClaimState::Blocked);
        if let Some(at) = states.iter().position(refused) {
            return self.nothing_but(Outcome::Rejected(Refusal::NameTaken(story.take[at].clone())));
        }
        if let Some(at) = known.iter().take(story.note.len()).position(|known| *known) {
            return self.nothing_but(Outcome::Duplicate(story.note[at].clone()));
        }
        let release = |key: &String| ClaimChange::Release { key: key.clone(), blocked_until: None };
        self.decision.claims.extend(story.release.iter().map(release));
        let take = |key: &String| ClaimChange::Take { key: key.clone(), until: None };
        self.decision.claims.extend(story.take.iter().chain(&story.grab).map(take));
        self.decision.facts.clone_from(&story.note);
        for fact in &story.note {
            self.put(format!("fact/{fact}"), json!({}))?;
        }
        for (key, begun) in story.begun.iter().zip(begun) {
            self.put(format!("begun/{key}={begun}"), json!({}))?;
        }
        for id in &story.sell {
            self.decision.changes.push(sold(id));
        }
        for id in &story.subscribe {
            self.write(RowKey::Subscription(id.clone()), subscribed(self.event.received_at))?;
        }
        self.decision.cancel.clone_from(&story.cancel);
        for ask in &story.ask {
            self.decision.effects.push(effect(ask));
            if let Some(then) = &ask.then {
                self.put(format!("then/{}", ask.key), serde_json::to_value(then).unwrap())?;
            }
        }
        if !story.quiet {
            self.put(format!("ran/{}", self.event.id), json!({}))?;
        }
        if self.event.attempt <= story.fail {
            return Err(Failure::Internal("told to fail".into()));
        }
        let outcome = story.outcome.clone().unwrap_or(Outcome::Applied);
        Ok(Decision { outcome, reply: story.reply.clone(), ..self.decision })
    }

    /// Stores a changed product, unless its metadata contains `refuse`.
    fn product(mut self, change: &ProductChange) -> Fallible<Decision> {
        let seen = serde_json::to_value(change).unwrap();
        self.put(format!("product/{}", self.event.id), seen)?;
        match (&change.before, &change.after) {
            (_, Some(after)) if after.values.metadata.contains("refuse") => {
                return self.nothing_but(Outcome::Rejected(Refusal::Forbidden("refuse".into())));
            }
            (_, Some(after)) => self.write(RowKey::Product(after.id.clone()), Write::Product(after.values.clone()))?,
            (Some(before), None) => self.write(RowKey::Product(before.id.clone()), Write::Remove)?,
            (None, None) => {}
        }
        Ok(self.decision)
    }
}

fn sold(id: &str) -> Change {
    let price = Price {
        id: id.to_owned(),
        product_id: "toy".into(),
        product_type: "toy".into(),
        family: None,
        amount: Money { amount_minor: 100, currency: "usd".into() },
        interval: None,
        active: true,
        grants: Vec::new(),
        terms: "{}".into(),
    };
    let (key, write) = (RowKey::Price(id.to_owned()), Write::Price(price));
    Change { key, expected: 0, write, live: false, references: Vec::new(), fingerprint: None }
}

fn subscribed(at: Timestamp) -> Write {
    Write::Subscription(SubscriptionValues {
        customer_id: "cus_1".into(),
        status: SubscriptionStatus::Active,
        items: Vec::new(),
        cancel_at_period_end: false,
        cancel_at: None,
        trial_end: None,
        grace_end: None,
        snapshot: Snapshot { at, rank: SnapshotRank::Created, event_id: String::new() },
        metadata: "{}".into(),
    })
}

fn text_of(value: &Value) -> Json {
    if value.is_null() { "{}".into() } else { value.to_string() }
}

fn effect(ask: &Ask) -> Effect {
    Effect {
        kind: ask.kind.clone(),
        to: ask.to.clone(),
        key: ask.key.clone(),
        generation: ask.generation.unwrap_or(1),
        payload: text_of(&ask.payload),
        context: text_of(&ask.context),
        reply_to: ask.reply_to.clone(),
        ordering_key: ask.ordering_key.clone(),
        not_before: ask.not_before,
        deadline: ask.deadline,
        retry: ask.retry.clone(),
    }
}

fn story_of(event: &Event) -> Option<Story> {
    let text = match &event.payload {
        Payload::Payment(body) => std::str::from_utf8(body).ok()?,
        Payload::Command(json) => json,
        Payload::Timer(delivery) | Payload::Message(delivery) => &delivery.payload,
        _ => return Some(Story::default()),
    };
    serde_json::from_str(text).ok()
}

impl Extension for Toy {
    fn declare(&self) -> Declarations {
        let effects = ["mail.send", "database.ensure", "database.change", "database.destroy", "stripe.retrieve"];
        let decl = |kind: &str| EffectDecl {
            kind: kind.to_owned(),
            payload_schema: "{}".into(),
            result_schema: "{}".into(),
            retry: RetryPolicy { delays_ms: RETRY_MS.to_vec() },
        };
        Declarations {
            name: "toy".into(),
            version: "1.0.0".into(),
            data_version: self.data_version,
            product_types: Vec::new(),
            collections: vec![COLLECTION.into()],
            payment_kinds: vec!["thing.happened".into()],
            commands: Vec::new(),
            effects: effects.map(decl).to_vec(),
            config: Vec::new(),
        }
    }

    /// Returns the error of opening an account as the name, since a validation has no account.
    fn validate(&self, host: &mut dyn Imports, candidate: &Candidate) -> Result<ProductValues, Problem> {
        let denied = host.open(&Placement::known(Vec::new()), &[]).unwrap_err();
        Ok(ProductValues { name: denied.to_string(), ..candidate.proposed.clone() })
    }

    fn handle(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Decision> {
        let Some(mut story) = story_of(event) else {
            return Ok(Decision::of(Outcome::Rejected(Refusal::Malformed(String::new()))));
        };
        if event.attempt <= story.fail_early {
            return Err(Failure::Internal("told to fail early".into()));
        }
        let price = |id: &String| Reference::Catalog(CatalogKey::Price(id.clone()));
        let placement = Placement {
            keys: story.keys.clone(),
            account: story.account.clone(),
            mark: story.mark.unwrap_or(Mark::Unknown),
            names: story.prices.iter().map(price).collect(),
        };
        let facts: Vec<String> = story.note.iter().chain(&story.needs_fact).cloned().collect();
        let Opened::Here(here) = host.open(&placement, &facts)? else {
            (self.meanwhile)(Moment::Elsewhere);
            if let Some(line) = &story.log {
                host.log_write(LogLevel::Error, line, &[]);
            }
            return Ok(Decision::of(Outcome::Applied));
        };
        (self.meanwhile)(Moment::Opened);
        let mut known = here.facts;
        let mut play = Play { host, toy: self, event, decision: Decision::of(Outcome::Applied) };
        match &event.payload {
            Payload::EffectResult(report) => {
                play.put(format!("effect/{}", report.key), json!({}))?;
                play.put(format!("result/{}", event.id), serde_json::to_value(report).unwrap())?;
                if let Some(then) = play.get(format!("then/{}", report.key))? {
                    story = serde_json::from_value(then).unwrap();
                    known = play.host.known(&story.note)?;
                }
                play.play(&story, &known)
            }
            Payload::Product(change) => play.product(change),
            _ => play.play(&story, &known),
        }
    }

    fn catalog(&self, _: &mut dyn Imports, _: &Question) -> Result<Vec<Offer>, Problem> {
        Ok(Vec::new())
    }

    /// Returns one entitlement per row of the account.
    fn entitlements(&self, host: &mut dyn Imports, _: &Question) -> Result<Vec<Entitlement>, Problem> {
        let failed = |error: ImportError| Problem::Failed(Failure::Store(error));
        let Opened::Here(here) = host.open(&Placement::known(Vec::new()), &[]).map_err(failed)? else {
            return Err(Problem::Refused(Refusal::NotFound("account".into())));
        };
        (self.meanwhile)(Moment::Opened);
        // The toy ignores an error of this call.
        let _ = host.claims_mine("");
        let entitlement = |stored: &StoredRow| Entitlement {
            key: format!("{}: {}", here.account, stored.row.id()),
            allowed: 1,
            used: 0,
            resets_at: None,
            ends_at: None,
            sources: Vec::new(),
        };
        Ok(here.rows.iter().map(entitlement).collect())
    }

    fn usage(&self, _: &mut dyn Imports, _: &Question, _: Timestamp, _: Timestamp) -> Result<Vec<UsageTotal>, Problem> {
        Ok(Vec::new())
    }

    fn balances(&self, _: &mut dyn Imports, _: &Question) -> Result<Vec<Balance>, Problem> {
        Ok(Vec::new())
    }

    fn list(
        &self,
        _: &mut dyn Imports,
        _: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Listed>, Problem> {
        Ok(vec![Listed { id: format!("{kind}/{filter:?}/{:?}/{}", page.after, page.limit), value: "{}".into() }])
    }
}

/// Runs a toy natively, with fuel, hash and traps like a component.
pub struct ToyRunner {
    native: NativeRunner,
    hash: &'static str,
}

impl ToyRunner {
    pub fn new(data_version: u32) -> Self {
        ToyRunner::with(data_version, Box::new(|_| {}))
    }

    pub fn with(data_version: u32, meanwhile: Meanwhile) -> Self {
        ToyRunner { native: NativeRunner::new(Box::new(Toy { data_version, meanwhile })), hash: "toy" }
    }

    /// Returns the runner with another component hash.
    #[allow(dead_code, reason = "the lab's tests include this file and name no hash")]
    pub fn hashed(self, hash: &'static str) -> Self {
        ToyRunner { hash, ..self }
    }
}

impl Runner for ToyRunner {
    fn hash(&self) -> &str {
        self.hash
    }
    fn declarations(&self) -> &Declarations {
        self.native.declarations()
    }
    fn validate(&mut self, imports: &SharedImports, candidate: &Candidate) -> Ran<Result<ProductValues, Problem>> {
        self.native.validate(imports, candidate)
    }
    fn handle(&mut self, imports: &SharedImports, event: &Event) -> Ran<Decision> {
        let (decision, used) = self.native.handle(imports, event)?;
        match story_of(event) {
            Some(story) if story.trap => Err(RunError::Trap("unreachable".into())),
            _ => Ok((decision, Used { fuel: FUEL, ..used })),
        }
    }
    fn query(&mut self, imports: &SharedImports, question: &Question, query: &Query) -> Ran<Result<Answer, Problem>> {
        self.native.query(imports, question, query)
    }
}
