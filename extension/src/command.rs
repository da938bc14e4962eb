//! Which mechanism a command or the end of an effect belongs to.

use crate::context::{Context, Handled, Step};
use crate::product::refuse;
use crate::{catalog, charge, instance, purchase, subscription};
use products_contract::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The commands, with what their payload must have (for the manifest).
pub(crate) const COMMANDS: [(&str, &[&str]); 9] = [
    ("catalog.load", &[]),
    ("product.create", &["name"]),
    ("product.update", &["id"]),
    ("instance.create", &["name"]),
    ("instance.retry", &["id"]),
    ("instance.delete", &["id", "confirm"]),
    ("purchase.create", &[]),
    ("subscription.change", &[]),
    ("subscription.cancel", &[]),
];

/// What the payloads of commands may have that read it member by member; products are checked against their type.
const MEMBERS: [(&str, &[&str]); 5] = [
    ("instance.retry", &["id"]),
    ("instance.delete", &["id", "confirm"]),
    ("purchase.create", &["plan_id", "product_id", "plan", "success_url", "cancel_url", "payment_method", "product"]),
    ("subscription.change", &["plan_id", "product_id", "plan"]),
    ("subscription.cancel", &["id", "at_period_end"]),
];

/// Refuse a member that a command doesn't know: what is ignored is taken for done.
fn check_members(kind: &str, body: &Map<String, Value>) -> Step<()> {
    let Some((_, members)) = MEMBERS.iter().find(|(command, _)| *command == kind) else { return Ok(()) };
    match body.keys().find(|key| !members.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let message = format!("expected one of {}", members.join(", "));
            Err(refuse(&format!("/{key}"), FieldErrorCode::UnknownField, message))
        }
    }
}

/// Decide a command.
pub(crate) fn handle(context: &mut Context<'_, '_>, payload: &str) -> Step<Handled> {
    let kind = context.event.kind.as_str();
    if kind == "catalog.load" {
        return catalog::load(context, payload);
    }
    let body: Map<String, Value> = serde_json::from_str(payload)
        .map_err(|error| refuse("", FieldErrorCode::WrongType, format!("expected an object: {error}")))?;
    check_members(kind, &body)?;
    match kind {
        "product.create" => instance::create(context, &body),
        "instance.create" => {
            let mut body = body;
            if !body.contains_key("type") {
                body.entry("product_type").or_insert_with(|| Value::from("instance"));
            }
            instance::create(context, &body)
        }
        "product.update" => instance::update(context, &body),
        "instance.retry" => instance::retry(context, &body),
        "instance.delete" => instance::delete(context, &body),
        "purchase.create" => purchase::create(context, &body),
        "subscription.change" => purchase::change_plan(context, &body),
        "subscription.cancel" => purchase::cancel(context, &body),
        _ => Err(Refusal::NotFound(format!("command {kind}")).into()),
    }
}

/// The answer of a `stripe.retrieve`.
#[derive(Deserialize)]
struct Retrieved<'a> {
    /// The provider's date of the answer, in milliseconds.
    date_ms: i64,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// Decide the end of an effect.
pub(crate) fn effect_result(context: &mut Context<'_, '_>, report: &EffectReport) -> Step<Handled> {
    let outcome = match context.event.kind.as_str() {
        "stripe.checkout.create" => return purchase::checkout_made(context, report),
        "stripe.product.create" | "stripe.price.create" => return catalog::synced(context, report),
        "stripe.retrieve" => retrieved(context, report)?,
        _ => match instance::effect_result(context, report)? {
            Some(outcome) => outcome,
            None => unattended(context, report)?,
        },
    };
    Ok(Handled { outcome, reply: None })
}

fn retrieved(context: &mut Context<'_, '_>, report: &EffectReport) -> Step<Outcome> {
    let Ok(answer) = &report.answer else {
        crate::retrieve::note_failure(context, report)?;
        return unattended(context, report);
    };
    let answer: Retrieved<'_> = match serde_json::from_str(answer) {
        Ok(answer) => answer,
        Err(error) => return Err(Refusal::Malformed(format!("{}: {error}", report.key)).into()),
    };
    let object = answer.object.get();
    let kind: crate::stripe::Ids<'_> = decode_borrowed(&report.key, object)?;
    match kind.object.as_deref() {
        Some("subscription") => subscription::retrieved(context, object, answer.date_ms),
        Some("charge") => charge::retrieved(context, object),
        other => Err(Refusal::WrongShape(format!("{}: {}", report.key, other.unwrap_or("no object"))).into()),
    }
}

fn decode_borrowed<'a>(key: &str, text: &'a str) -> Step<crate::stripe::Ids<'a>> {
    serde_json::from_str(text).map_err(|error| Refusal::Malformed(format!("{key}: {error}")).into())
}

/// An effect whose end changes nothing of ours: a failure is told to the operators.
fn unattended(context: &mut Context<'_, '_>, report: &EffectReport) -> Step<Outcome> {
    let Err(failure) = &report.answer else { return Ok(Outcome::Ignored(IgnoreReason::NoChange)) };
    // A mail about a mail that can't be sent would not arrive either; the failure stands in the outbox.
    if context.event.kind == "mail.send" {
        return Ok(Outcome::Applied);
    }
    let values = serde_json::json!({"effect": report.key, "kind": context.event.kind, "code": failure.code});
    let reference = format!("{}:{}", report.key, report.generation);
    crate::notice::now(context, "effect_failed", crate::notice::To::Admin, &reference, &values)?;
    Ok(Outcome::Applied)
}
