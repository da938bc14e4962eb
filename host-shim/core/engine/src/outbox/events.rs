//! Creates the event that the end of an effect leads to: a result, a timer or a message.

use extension_contract::{
    Account, Actor, Delivery, EffectFailure, EffectFailureClass, EffectReport, Event, JSON_BYTES_MAX, Payload,
    PaymentFacts, Timestamp,
};
use host_store::{EFFECT_RESULTS, EffectRow, MESSAGE, OF_HOST};
use serde_json::Value;

/// Returns true for the kinds that the host carries out without a provider.
pub(super) fn is_hosts_own(kind: &str) -> bool {
    OF_HOST.contains(&kind)
}

/// Creates the event for an effect's result. `late` is true if the effect had already ended (by its deadline).
pub(super) fn result(row: &EffectRow, answer: Result<Value, EffectFailure>, late: bool, now: Timestamp) -> Event {
    let payment = row.effect.kind.starts_with("stripe.").then(|| stripe_facts(row, answer.as_ref().ok()));
    let answer = answer.and_then(|value| {
        let text = value.to_string();
        if text.len() <= JSON_BYTES_MAX {
            return Ok(text);
        }
        let message = format!("the answer has {} bytes, at most {JSON_BYTES_MAX} are taken", text.len());
        Err(failure(EffectFailureClass::Final, "answer-too-large", message))
    });
    let report = EffectReport {
        key: row.effect.key.clone(),
        generation: row.effect.generation,
        attempts: row.attempts,
        context: row.effect.context.clone(),
        answer,
    };
    let mut event = event(row, EFFECT_RESULTS, row.scope.account.clone(), Payload::EffectResult(report), now);
    if late {
        event.id.push_str("/late");
    }
    event.payment = payment;
    event
}

/// Creates the event for a due timer, or for a message to its receiver.
pub(super) fn delivery(row: &EffectRow, now: Timestamp) -> Event {
    let delivery = Delivery {
        sender: row.scope.account.clone(),
        key: row.effect.key.clone(),
        generation: row.effect.generation,
        payload: row.effect.payload.clone(),
    };
    match &row.effect.to {
        Some(to) if row.effect.kind == MESSAGE => event(row, "message", to.clone(), Payload::Message(delivery), now),
        _ => event(row, "timer", row.scope.account.clone(), Payload::Timer(delivery), now),
    }
}

/// Creates a failure for the extension.
pub(super) fn failure(class: EffectFailureClass, code: &str, message: impl Into<String>) -> EffectFailure {
    EffectFailure { class, code: code.to_owned(), message: message.into() }
}

fn event(row: &EffectRow, source: &str, account: Account, payload: Payload, now: Timestamp) -> Event {
    Event {
        id: format!("{}/{}@{}", row.scope.name(), row.effect.key, row.effect.generation),
        source: source.to_owned(),
        kind: row.effect.kind.clone(),
        business: row.scope.business.clone(),
        account: Some(account),
        livemode: Some(row.scope.livemode),
        received_at: now,
        attempt: 1,
        actor: Actor::system(),
        reply_to: row.effect.reply_to.clone(),
        payment: None,
        payload,
    }
}

/// Reads the facts from the answer of a `stripe.retrieve`: `{"date_ms", "api_version", "object"}`.
fn stripe_facts(row: &EffectRow, answer: Option<&Value>) -> PaymentFacts {
    let member = |name: &str| answer.and_then(|answer| answer.get(name));
    let payload: Value = serde_json::from_str(&row.effect.payload).unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    PaymentFacts {
        source: "stripe".to_owned(),
        time: member("date_ms").and_then(Value::as_i64),
        api_version: text(member("api_version")),
        connected_account: text(payload.get("connected_account")),
        ..PaymentFacts::default()
    }
}
