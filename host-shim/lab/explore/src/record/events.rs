//! Writes a recorded event as a step of a scenario.

use extension_contract::{Account, Event, FACT_SOURCE, IntervalUnit, Payload, Product, ProductChange, Timestamp};
use host_scenario::model::{Action, CommandStep, Measurement, RawStep, UsageStep};
use host_scenario::prepare::actor;
use serde_json::{Map, Value, json};

/// Returns the shortest step for an event. The step may deliver a different event; [`is_same`] checks this.
pub(crate) fn short(event: &Event, account: &Account) -> Action {
    let other = event.account.clone().filter(|of| of != account);
    match &event.payload {
        Payload::Command(text) => {
            let step = CommandStep {
                kind: event.kind.clone(),
                id: event.id.clone(),
                account: other,
                by: event.actor.clone(),
                payload: serde_json::from_str(text).unwrap_or_default(),
            };
            if event.source == FACT_SOURCE { Action::Fact(step) } else { Action::Command(step) }
        }
        Payload::Usage(usage) => Action::Usage(UsageStep {
            id: event.id.clone(),
            account: other,
            by: event.actor.clone(),
            batch: usage
                .iter()
                .map(|one| Measurement {
                    id: one.id.clone(),
                    meter: one.meter.clone(),
                    quantity: one.quantity,
                    at: (one.at != event.received_at).then_some(one.at),
                    attributes: one.attributes.clone(),
                })
                .collect(),
        }),
        _ => raw(event),
    }
}

/// Returns the raw step of an event, with its whole envelope.
pub(crate) fn raw(event: &Event) -> Action {
    let bytes = match &event.payload {
        Payload::Payment(body) => body.clone(),
        Payload::Command(text) => {
            let names = if event.source == FACT_SOURCE { ["event", "data"] } else { ["command", "payload"] };
            let mut envelope = envelope(event);
            envelope.insert(names[0].to_owned(), json!(event.kind));
            with_text(&envelope, names[1], text)
        }
        Payload::Message(delivery) => {
            let mut envelope = envelope(event);
            envelope.remove("actor");
            envelope.insert("message".to_owned(), json!(delivery.key));
            envelope.insert("generation".to_owned(), json!(delivery.generation));
            envelope.insert("from".to_owned(), json!(delivery.sender.to_string()));
            with_text(&envelope, "payload", &delivery.payload)
        }
        Payload::Usage(usage) => {
            let one = |one: &extension_contract::Usage| {
                let attributes: Map<String, Value> =
                    one.attributes.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
                let at = host_engine::time::text(one.at);
                json!({"id": one.id, "meter": one.meter, "quantity": one.quantity, "at": at, "attributes": attributes})
            };
            let mut envelope = envelope(event);
            envelope.insert("usage".to_owned(), usage.iter().map(one).collect());
            Value::Object(envelope).to_string().into_bytes()
        }
        Payload::Product(change) => product_event(event, change),
        Payload::Timer(_) | Payload::EffectResult(_) => Value::Object(envelope(event)).to_string().into_bytes(),
    };
    Action::Raw(RawStep { id: event.id.clone(), bytes })
}

fn envelope(event: &Event) -> Map<String, Value> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            members.insert(name.to_owned(), value);
        }
    };
    put("id", json!(event.id));
    put("account", json!(event.account.as_ref().map(ToString::to_string)));
    put("timestamp", json!(host_engine::time::text(event.received_at)));
    put("actor", actor(&event.actor));
    put("reply_to", json!(event.reply_to));
    put("livemode", json!(event.livemode));
    members
}

/// Writes an object with a member whose JSON text stays unchanged.
fn with_text(envelope: &Map<String, Value>, name: &str, text: &str) -> Vec<u8> {
    let mut whole = json!(envelope).to_string();
    whole.pop();
    whole.push_str(&format!(",{}:{text}}}", json!(name)));
    // A scenario sorts the members of a mapping. The body is written sorted if this leaves the member's text unchanged.
    let is_as_it_was = |whole: &Value| serde_json::to_string(&whole[name]).is_ok_and(|again| again == text);
    let sorted: Option<Value> = serde_json::from_str(&whole).ok().filter(is_as_it_was);
    sorted.map_or(whole, |sorted| sorted.to_string()).into_bytes()
}

fn product_event(event: &Event, change: &ProductChange) -> Vec<u8> {
    let mut members = envelope(event);
    members.remove("account");
    members.insert("event".to_owned(), json!(event.kind));
    let (data, previous) = match (&change.before, &change.after) {
        (before, Some(after)) => (Some(after), before.as_ref()),
        (before, None) => (before.as_ref(), None),
    };
    members.extend(data.map(|product| ("data".to_owned(), product_value(product))));
    members.extend(previous.map(|product| ("previous".to_owned(), product_value(product))));
    Value::Object(members).to_string().into_bytes()
}

fn product_value(product: &Product) -> Value {
    let values = &product.values;
    let metadata: Value = serde_json::from_str(&values.metadata).unwrap_or_default();
    let mut value = json!({
        "id": product.id,
        "owner": product.owner.to_string(),
        "product_type": values.product_type,
        "name": values.name,
        "description": values.description,
        "active": values.active,
        "metadata": metadata,
    });
    if let Some(price) = &values.price {
        value["price"] = json!({"amount": price.amount_minor, "currency": price.currency});
    }
    if let Some(interval) = &values.interval {
        let unit = match interval.unit {
            IntervalUnit::Day => "day",
            IntervalUnit::Week => "week",
            IntervalUnit::Month => "month",
            IntervalUnit::Year => "year",
        };
        value["billing_interval"] = json!({"unit": unit, "count": interval.count});
    }
    for (name, filter) in &values.filters {
        value[name] = json!(filter);
    }
    value
}

/// Returns true if a step's body, decoded at `now`, equals the recorded event. Unless `to_the_byte`, JSON may be
/// formatted differently.
pub(crate) fn is_same(bytes: &[u8], event: &Event, now: Timestamp, to_the_byte: bool) -> bool {
    let Ok(decoded) = host_intake::raw::read(bytes.to_vec(), &event.business, now) else { return false };
    if decoded.refusal.is_some() {
        // The inbox keeps only the refusal of such a body.
        return matches!(event.payload, Payload::Payment(_));
    }
    let mut read = decoded.event;
    let mut known = event.clone();
    (read.received_at, known.received_at) = (0, 0);
    (read.attempt, known.attempt) = (1, 1);
    if let Payload::Payment(_) = known.payload {
        (read.account, known.account) = (None, None);
    }
    for event in [&mut read, &mut known] {
        if let Some(facts) = &mut event.payment {
            // A scenario's events are not signed.
            facts.matched_secret = None;
        }
        if !to_the_byte {
            in_one_form(&mut event.payload);
        }
    }
    read.livemode = read.livemode.or(known.livemode);
    read == known
}

/// Rewrites the payload's JSON in a uniform format, and resets the version and the deletion mark of products.
fn in_one_form(payload: &mut Payload) {
    let again = |text: &str| serde_json::from_str::<Value>(text).map(|value| value.to_string());
    match payload {
        Payload::Command(text) => *text = again(text).unwrap_or_else(|_| text.clone()),
        Payload::Message(delivery) => {
            delivery.payload = again(&delivery.payload).unwrap_or_else(|_| delivery.payload.clone());
        }
        Payload::Product(change) => {
            for product in [&mut change.before, &mut change.after].into_iter().flatten() {
                let values = &mut product.values;
                values.metadata = again(&values.metadata).unwrap_or_else(|_| values.metadata.clone());
                (product.version, product.deleted) = (0, false);
            }
        }
        _ => {}
    }
}
