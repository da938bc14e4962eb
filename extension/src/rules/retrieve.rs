//! Questions to the payment provider: an object is asked for under one key, with a generation that rises with each
//! question that failed for good. After three of them an operator is told; who runs the event again asks again.

use super::{invoice, payment, subscription, unattended_result};
use crate::catalog::desk::Desk;
use crate::model::concern::Concern;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::keys::{EffectKey, FactKey};
use crate::model::notice::{To, send_once};
use crate::model::records::comparison::Comparison;
use crate::model::records::subscription::SubscriptionRow;
use extension_contract::*;
use extension_reader::Raw;
use serde::Deserialize;
use serde_json::{Value, json};
use std::rc::Rc;

/// Failed questions in a row after which an operator is told instead of asking once more.
const ASKED_MAX: u32 = 3;

/// Ask for an object as it is now; the event waits for the answer.
pub(super) fn ask_for_view(desk: &mut Desk<'_>, object: &str, id: &str, at: Timestamp) -> Ruled<Outcome> {
    ask_again(desk, object, id, at, Known::default())
}

/// What is known of an object when it is asked for.
#[derive(Default)]
pub(super) struct Known {
    /// Events that brought its views: an answer is newer than these.
    pub events: Vec<String>,
    /// Views of the moment that is unclear, if an answer is one of them: each question has a key of its own.
    pub views: usize,
}

/// Ask for an object of which something is known as it is now; the event waits for the answer.
pub(super) fn ask_again(desk: &mut Desk<'_>, object: &str, id: &str, at: Timestamp, known: Known) -> Ruled<Outcome> {
    let key = EffectKey::Retrieve { object: id.to_owned(), because: at, views: known.views };
    ask(desk, &key, id, &json!({"object": object, "id": id}), known.events)?;
    Ok(Outcome::Deferred(DeferReason::Effect(key.to_string())))
}

/// Ask for an object, unless the same question is open.
pub(super) fn ask(desk: &mut Desk<'_>, key: &EffectKey, id: &str, payload: &Value, known: Vec<String>) -> Ruled<()> {
    ask_about(desk, key, payload, &Concern::Retrieve { object: id.to_owned(), known })
}

/// Ask for an object that matters to something else, unless the same question is open.
pub(super) fn ask_about(desk: &mut Desk<'_>, key: &EffectKey, payload: &Value, about: &Concern) -> Ruled<()> {
    let text = key.to_string();
    let failures = failures(desk, &text)?;
    // Each event that waits gives up by itself, so that two of them don't ask in turn for ever.
    let gave_up = FactKey::Unanswered { key: &text, failures, event: &desk.event_hash() }.to_string();
    if failures > 0 && failures % ASKED_MAX == 0 && desk.account.record_fact(&gave_up)? {
        let values = json!({"question": text, "asked": failures});
        let reference = format!("{text}:{failures}");
        return send_once(&mut desk.account, "retrieve_unanswered", To::Admin, &reference, &values);
    }
    let effect = request("stripe.retrieve", key, payload, Some(about))?;
    desk.account.ask(Effect { generation: failures.saturating_add(1), ..effect });
    Ok(())
}

/// Questions under a key that failed for good.
fn failures(desk: &mut Desk<'_>, key: &str) -> Ruled<u32> {
    let mut failures = 0;
    while desk.account.is_known(&FactKey::RetrieveFailed { key, generation: failures + 1 }.to_string())? {
        failures += 1;
    }
    Ok(failures)
}

/// The answer of a `stripe.retrieve`.
#[derive(Deserialize)]
pub(super) struct Answer<'a> {
    /// The provider's date of the answer, in milliseconds.
    pub date_ms: i64,
    #[serde(borrow)]
    pub object: Raw<'a>,
}

/// The answer to a question; none, and counted, if it failed for good.
pub(super) fn read_answer<'r>(desk: &mut Desk<'_>, report: &'r EffectReport) -> Ruled<Option<Answer<'r>>> {
    let Ok(answer) = &report.answer else {
        let failed = FactKey::RetrieveFailed { key: &report.key, generation: report.generation };
        desk.account.record_fact(&failed.to_string())?;
        return Ok(None);
    };
    Ok(Some(extension_reader::from_str(answer).map_err(|error| malformed(report, &error))?))
}

fn malformed(report: &EffectReport, error: &extension_reader::Error) -> Refusal {
    Refusal::Malformed(format!("{}: {error}", report.key))
}

/// What the object says that it is.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default)]
    object: Option<crate::input::stripe::Text<'a>>,
}

/// A subscription that was asked for since nothing was heard of it: what differs is believed, counted and told.
pub(super) fn compared(desk: &mut Desk<'_>, id: &str, report: &EffectReport) -> Ruled<Outcome> {
    if report.answer.is_err() {
        return unattended_result(desk, report);
    }
    let before = desk.account.get::<SubscriptionRow>(id)?;
    let outcome = answered(desk, report, &[])?;
    let after = desk.account.get::<SubscriptionRow>(id)?;
    let differs = before.as_ref().map(|row| row.state()) != after.as_ref().map(|row| row.state());
    let known = desk.account.fetch::<Comparison>(Comparison::ID)?.unwrap_or_default();
    let (compared, corrected) = (known.compared.saturating_add(1), known.corrected + i64::from(differs));
    desk.account.put(Comparison::ID, Comparison { compared, corrected, ..known });
    if differs {
        let status = |row: &Option<Rc<SubscriptionRow>>| row.as_ref().map(|row| row.status());
        let values = json!({"subscription": id, "before": status(&before), "after": status(&after)});
        send_once(&mut desk.account, "difference_corrected", To::Admin, &report.key, &values)?;
    }
    Ok(outcome)
}

/// A question was answered, or failed for good. The answer is newer than the views of these events.
pub(super) fn answered(desk: &mut Desk<'_>, report: &EffectReport, known: &[String]) -> Ruled<Outcome> {
    let Some(answer) = read_answer(desk, report)? else { return unattended_result(desk, report) };
    let object = answer.object.get();
    let kind: Kind<'_> = extension_reader::from_str(object).map_err(|error| malformed(report, &error))?;
    match kind.object.as_deref() {
        Some("subscription") => subscription::retrieved(desk, object, answer.date_ms, known),
        Some("invoice") => invoice::retrieved(desk, object, answer.date_ms),
        Some("charge") => payment::retrieved(desk, object),
        other => Err(Refusal::WrongShape(format!("{}: {}", report.key, other.unwrap_or("no object"))).into()),
    }
}
