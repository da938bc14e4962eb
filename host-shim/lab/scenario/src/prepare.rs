//! Builds the events that a scenario delivers in each API version, before the scenario is played.

use crate::error::{BadInput, Place};
use crate::model::{Action, At, CommandStep, Measurement, ProductStep, Scenario, Signature, UsageStep, WebhookStep};
use crate::shapes::{Shape, Shapes};
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

/// Builds all events of a scenario in each API version in which the scenario is played.
///
/// # Errors
///
/// Fails if an event can't be built or no API version has bodies for all events.
pub fn prepare(scenario: &Scenario, shapes: &Shapes) -> Result<Vec<Case>, BadInput> {
    shapes.of_scenario(scenario)?.into_iter().map(|shape| case(scenario, shapes, shape)).collect()
}

fn case(scenario: &Scenario, shapes: &Shapes, shape: &Shape) -> Result<Case, BadInput> {
    let given = &scenario.given;
    let (mut clock, mut provider_time) = (given.clock, given.clock);
    let mut case = Case {
        version: shape.version.clone(),
        deliveries: Vec::with_capacity(scenario.steps.len()),
        clocks: Vec::with_capacity(scenario.steps.len()),
        happens: Vec::with_capacity(scenario.steps.len()),
    };
    let mut by_id: HashMap<&str, (Vec<u8>, Option<WebhookDelivery>)> = HashMap::new();
    for step in &scenario.steps {
        let happens = step.only.is_empty() || step.only.contains(&shape.version);
        let mut delivery = None;
        if happens {
            let mut webhook = None;
            let bytes = match &step.action {
                Action::Stripe(stripe) => {
                    let created = match stripe.at {
                        At::Same => clock,
                        At::Later(ms) => provider_time.saturating_add(ms),
                        At::Time(time) => time,
                    };
                    let built = shapes.build(&scenario.file, step.line, stripe, shape, created, given.livemode)?;
                    provider_time = built.created;
                    clock = clock.max(built.created);
                    Some(built.bytes)
                }
                Action::Command(command) => {
                    Some(command_bytes(command, ["command", "payload"], given.account.as_ref(), clock))
                }
                Action::Fact(fact) => Some(command_bytes(fact, ["event", "data"], given.account.as_ref(), clock)),
                Action::Product(product) => Some(product_bytes(product, given.livemode, clock)),
                Action::Usage(usage) => Some(usage_bytes(usage, given.account.as_ref(), clock)),
                Action::Raw(raw) => Some(raw.bytes.clone()),
                Action::Webhook(step) => {
                    webhook = Some(WebhookDelivery::of(step));
                    Some(bytes_of(&step.body))
                }
                Action::Same(id) => match by_id.get(id.as_str()) {
                    Some((bytes, signed)) => {
                        webhook = signed.clone();
                        Some(bytes.clone())
                    }
                    None => {
                        let place = Place::line(&scenario.file, step.line);
                        let problem = format!("no event `{id}` before in {}", shape.version);
                        return Err(BadInput::new(place, problem, "the id of an event above"));
                    }
                },
                Action::Advance(ms) => {
                    clock = clock.saturating_add(*ms);
                    None
                }
                Action::Until(time) => {
                    if *time < clock {
                        let place = Place::line(&scenario.file, step.line);
                        let problem = format!("`until` is before the clock, {}", crate::time::text(clock));
                        return Err(BadInput::new(place, problem, "a later time"));
                    }
                    clock = *time;
                    None
                }
                _ => None,
            };
            if let (Some(id), Some(bytes)) = (step.action.event_id(), &bytes) {
                by_id.entry(id).or_insert_with(|| (bytes.clone(), webhook.clone()));
            }
            delivery = bytes.map(|bytes| PreparedEvent { bytes, webhook, clock });
        }
        case.deliveries.push(delivery);
        case.clocks.push(clock);
        case.happens.push(happens);
    }
    Ok(case)
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
