//! Counters of the account's own usage: consumed by a command within the limit, or reported afterwards.

use crate::actions::count::{count, counter};
use crate::catalog::entitlement::{EntitlementDecl, EntitlementKind};
use crate::catalog::meter::is_included;
use crate::catalog::product::{required_text, text};
use crate::catalog::words::{ID_BYTES, one_of};
use crate::derive::period::period_of;
use crate::derive::standing::standing;
use crate::derive::upgrade::refusal;
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::keys::FactKey;
use crate::model::records::counter::Counter;
use crate::model::time::rfc3339;
use extension_contract::*;
use serde_json::{Value, json};

/// `usage.consume`: counts an amount, or refuses it beyond the limit.
pub(super) fn consume(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let key = required_text(body, "key")?;
    let amount = match body.get("amount") {
        None | Some(Value::Null) => 1,
        Some(value) => value
            .as_i64()
            .filter(|amount| *amount > 0)
            .ok_or_else(|| wrong_field("/amount", FieldErrorCode::OutOfRange, "", "a whole number, at least 1"))?,
    };
    let settings = desk.catalog.settings()?;
    let is_measured = |decl: &EntitlementDecl| is_included(decl, &settings.rates);
    let decl = counter(desk, &key)?;
    let Some(decl) = decl.clone().filter(|decl| !is_measured(decl)) else {
        let counters = settings.entitlements.iter();
        let counters = counters.filter(|(_, decl)| decl.kind == EntitlementKind::Counter && !is_measured(decl));
        let names: Vec<&str> = counters.map(|(key, _)| key.as_str()).collect();
        let found = match decl {
            Some(_) => format!("`{key}` has a price, and measurements count it"),
            None => format!("`{key}` is not a counter"),
        };
        return Err(wrong_field("/key", FieldErrorCode::NotAllowed, found, one_of(&names)));
    };
    let id = text(body, "id")?;
    if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > ID_BYTES) {
        return Err(wrong_field("/id", FieldErrorCode::OutOfRange, "", format!("1 to {ID_BYTES} bytes")));
    }
    let standing = standing(desk)?;
    let period = period_of(&standing, &key, &decl, desk.now);
    let used = desk.account.get::<Counter>(&key)?.map_or(0, |counter| counter.used(period.start));
    let fact = id.map(|id| FactKey::Usage { meter: &key, id: &id }.to_string());
    let repeated = match &fact {
        Some(fact) => !desk.account.record_fact(fact)?,
        None => false,
    };
    let mut counted = used;
    if !repeated {
        counted = used.saturating_add(amount);
        if !standing.has_room(&key, counted) {
            return Err(Refusal::QuotaExceeded(refusal(desk, &standing, &key, used, amount)?).into());
        }
        count(desk, &standing, &key, &decl, amount, desk.now)?;
    }
    let reply = json!({
        "key": key, "used": counted, "allowed": standing.allows(&key), "resets_at": rfc3339(period.end),
    });
    let outcome = match fact.filter(|_| repeated) {
        Some(fact) => Outcome::Duplicate(fact),
        None => Outcome::Applied,
    };
    Ok(Verdict { answer: Answer::Value(encode(&reply)?), ..outcome.into() })
}
