//! Builds the events that a scenario delivers in each API version, before the scenario runs.

use crate::error::{Mistakes, Place};
use crate::model::{
    Action, At, CommandStep, Measurement, ProductStep, Scenario, Signature, Step, StripeStep, UsageStep, WebhookStep,
};
use crate::shapes::{EventTimes, Shape, Shapes};
use crate::tree::{Checked, Checker, Tree};
use extension_contract::{Account, Actor, ActorKind, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// An event of a scenario, ready for delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedEvent {
    /// The body.
    pub bytes: Vec<u8>,
    /// The delivery by webhook; none for an event of another kind, such as a Stripe event or a command.
    pub webhook: Option<WebhookDelivery>,
    /// The clock at the delivery, in milliseconds since the epoch.
    pub clock: Timestamp,
}

/// A delivery by webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// Name of the webhook.
    pub name: String,
    /// Id of the delivery.
    pub delivery: String,
    /// The kind of signature.
    pub signature: Signature,
}

impl WebhookDelivery {
    fn of(step: &WebhookStep) -> WebhookDelivery {
        WebhookDelivery { name: step.name.clone(), delivery: step.delivery.clone(), signature: step.signature }
    }
}

/// A scenario in one API version.
#[derive(Clone, Debug)]
pub struct Case {
    /// The API version.
    pub version: String,
    /// The delivery of each step; none if the step delivers no event or this version omits it.
    pub deliveries: Vec<Option<PreparedEvent>>,
    /// The clock after each step, in milliseconds since the epoch.
    pub clocks: Vec<Timestamp>,
    /// For each step, true if this version has the step.
    pub happens: Vec<bool>,
}

/// Builds all events of a scenario in each API version in which the scenario runs.
///
/// # Errors
///
/// Fails if events can't be built, with the mistakes of the first API version that has any, or if no API version has bodies for all events.
pub fn prepare(scenario: &Scenario, shapes: &Shapes) -> Result<Vec<Case>, Mistakes> {
    let shapes_of = shapes.of_scenario(scenario)?;
    shapes_of.into_iter().map(|shape| Checker::read(|check| case(check, scenario, shapes, shape))).collect()
}

fn case(check: &Checker, scenario: &Scenario, shapes: &Shapes, shape: &Shape) -> Checked<Case> {
    let clock = scenario.given.clock;
    let times = Times::from(clock);
    let (made, paid) = (HashMap::new(), HashMap::new());
    let mut preparing = Preparing { scenario, shapes, shape, times, made, paid, by_id: HashMap::new() };
    let mut times = preparing.times;
    for step in &scenario.steps {
        match &step.action {
            Action::Stripe(stripe) => {
                let created = times.created(stripe);
                let object = preparing.object_of(stripe);
                if PAYMENTS.contains(&stripe.kind.as_str()) {
                    let paid = preparing.paid.entry(object.clone()).or_insert(created);
                    *paid = created.min(*paid);
                }
                let made = preparing.made.entry(object).or_insert(created);
                *made = created.min(*made);
            }
            action => times.pass(action),
        }
    }
    let happens = |step: &Step| step.only.is_empty() || step.only.contains(&shape.version);
    let mut clocks = Vec::with_capacity(scenario.steps.len());
    let deliveries = check.each(&scenario.steps, |step| {
        let delivery = if happens(step) { preparing.delivery(check, step) } else { Ok(None) };
        clocks.push(preparing.times.clock);
        delivery
    })?;
    let happens = scenario.steps.iter().map(happens).collect();
    Ok(Case { version: shape.version.clone(), deliveries, clocks, happens })
}

/// A body, and how it is delivered as a webhook.
type Delivered = (Vec<u8>, Option<WebhookDelivery>);

/// The times between two steps, in milliseconds since the epoch.
#[derive(Clone, Copy)]
struct Times {
    clock: Timestamp,
    /// The time of the last Stripe event.
    provider: Timestamp,
}

impl Times {
    fn from(clock: Timestamp) -> Times {
        Times { clock, provider: clock }
    }

    /// Moves the times to those of an event, and returns the event's.
    fn created(&mut self, step: &StripeStep) -> Timestamp {
        self.provider = match step.at {
            At::Same => self.clock,
            At::Later(ms) => self.provider.saturating_add(ms),
            At::Time(time) => time,
        };
        self.clock = self.clock.max(self.provider);
        self.provider
    }

    /// Moves the clock for a step that only lets time pass.
    fn pass(&mut self, action: &Action) {
        match action {
            Action::Advance(ms) => self.clock = self.clock.saturating_add(*ms),
            Action::Until(time) => self.clock = self.clock.max(*time),
            _ => {}
        }
    }
}

/// A Stripe object: the name of its base body and, if a step sets it, its id.
type Object = (String, Option<String>);

/// The events that report the payment of an invoice.
const PAYMENTS: [&str; 2] = ["invoice.paid", "invoice.payment_succeeded"];

/// The state between two steps.
struct Preparing<'s> {
    scenario: &'s Scenario,
    shapes: &'s Shapes,
    shape: &'s Shape,
    times: Times,
    /// When Stripe created each object: at the earliest event about it.
    made: HashMap<Object, Timestamp>,
    /// When each invoice was paid: at the earliest event that reports its payment.
    paid: HashMap<Object, Timestamp>,
    /// The events so far, by id. If an event can't be built, the mistake is recorded.
    by_id: HashMap<&'s str, Checked<Delivered>>,
}

impl<'s> Preparing<'s> {
    fn object_of(&self, step: &StripeStep) -> Object {
        let base = step.base.as_deref().or_else(|| self.shape.base_of_type(&step.kind)).unwrap_or_default();
        let id = step.patch.set.iter().find(|change| change.key == "id");
        let id = id.and_then(|change| match &change.value.value {
            Tree::Text(id) => Some(id.clone()),
            _ => None,
        });
        (base.to_owned(), id)
    }

    /// Moves the clock, and returns what a step delivers.
    fn delivery(&mut self, check: &Checker, step: &'s Step) -> Checked<Option<PreparedEvent>> {
        let bad =
            |problem: String, expected: &str| check.bad(Place::line(&self.scenario.file, step.line), problem, expected);
        let given = &self.scenario.given;
        let account = given.account.as_ref();
        let mut webhook = None;
        let bytes = match &step.action {
            Action::Stripe(stripe) => {
                let created = self.times.created(stripe);
                let object = self.object_of(stripe);
                let made = self.made.get(&object).copied().unwrap_or(created);
                let paid = self.paid.get(&object).copied().unwrap_or(created);
                let times = EventTimes { created, made, paid };
                let file = &self.scenario.file;
                let built = self.shapes.build(file, step.line, stripe, self.shape, times, given.livemode);
                match check.take(built) {
                    Ok(built) => built.bytes,
                    Err(noted) => {
                        self.by_id.entry(&stripe.id).or_insert(Err(noted));
                        return Err(noted);
                    }
                }
            }
            Action::Command(command) => command_bytes(command, ["command", "payload"], account, self.times.clock),
            Action::Fact(fact) => command_bytes(fact, ["event", "data"], account, self.times.clock),
            Action::Product(product) => product_bytes(product, given.livemode, self.times.clock),
            Action::Usage(usage) => usage_bytes(usage, account, self.times.clock),
            Action::Raw(raw) => raw.bytes.clone(),
            Action::Webhook(step) => {
                webhook = Some(WebhookDelivery::of(step));
                bytes_of(&step.body)
            }
            Action::Same(id) => {
                let missing =
                    || bad(format!("no event `{id}` before in {}", self.shape.version), "the id of an event above");
                let (bytes, signed) = self.by_id.get(id.as_str()).cloned().unwrap_or_else(|| Err(missing()))?;
                webhook = signed;
                bytes
            }
            Action::Until(time) if *time < self.times.clock => {
                let problem = format!("`until` is before the clock, {}", crate::time::text(self.times.clock));
                return Err(bad(problem, "a later time"));
            }
            Action::Advance(_) | Action::Until(_) => {
                self.times.pass(&step.action);
                return Ok(None);
            }
            _ => return Ok(None),
        };
        if let Some(id) = step.action.event_id() {
            self.by_id.entry(id).or_insert_with(|| Ok((bytes.clone(), webhook.clone())));
        }
        Ok(Some(PreparedEvent { bytes, webhook, clock: self.times.clock }))
    }
}

/// Writes a command or a fact as JSON. `kind` and `contents` are the names of the members for its kind and its
/// contents.
fn command_bytes(
    step: &CommandStep,
    [kind, contents]: [&str; 2],
    account: Option<&Account>,
    clock: Timestamp,
) -> Vec<u8> {
    let account = step.account.as_ref().or(account).map(ToString::to_string);
    bytes_of(&json!({
        "id": step.id,
        (kind): step.kind,
        "account": account,
        "timestamp": crate::time::text(clock),
        "actor": actor(&step.by),
        "reply_to": step.id,
        (contents): step.payload,
    }))
}

fn product_bytes(step: &ProductStep, livemode: bool, clock: Timestamp) -> Vec<u8> {
    bytes_of(&json!({
        "id": step.id,
        "event": format!("product.{}", step.verb),
        "timestamp": crate::time::text(clock),
        "actor": actor(&step.by),
        "livemode": livemode,
        "data": step.data,
    }))
}

fn usage_bytes(step: &UsageStep, account: Option<&Account>, clock: Timestamp) -> Vec<u8> {
    let account = step.account.as_ref().or(account).map(ToString::to_string);
    let measured = |Measurement { id, meter, quantity, at, attributes }: &Measurement| {
        let attributes: Map<String, Value> =
            attributes.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        let at = crate::time::text(at.unwrap_or(clock));
        json!({"id": id, "meter": meter, "quantity": quantity, "at": at, "attributes": attributes})
    };
    bytes_of(&json!({
        "id": step.id,
        "usage": step.batch.iter().map(measured).collect::<Vec<_>>(),
        "account": account,
        "timestamp": crate::time::text(clock),
        "actor": actor(&step.by),
        "reply_to": step.id,
    }))
}

/// Writes an actor in the format of a raw event.
pub fn actor(actor: &Actor) -> Value {
    let kind = match actor.kind {
        ActorKind::User => "user",
        ActorKind::Admin => "admin",
        ActorKind::Service => "service",
        ActorKind::Extension => "extension",
        ActorKind::System => "system",
    };
    let mut value = json!({"kind": kind, "roles": actor.roles});
    if !actor.subject.is_empty() {
        value["id"] = json!(actor.subject);
    }
    value
}

fn bytes_of(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
