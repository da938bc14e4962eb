//! Counters of the account's own usage: consumed by a command within the limit, or reported afterwards.

use crate::catalog::desk::Desk;
use crate::catalog::entitlement::{EntitlementDecl, EntitlementKind, declared};
use crate::catalog::product::{ID_BYTES, required_text, text};
use crate::derive::period::{Period, period_of};
use crate::derive::standing::{AccountStanding, standing};
use crate::derive::upgrade::refusal;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::keys::FactKey;
use crate::model::notice::{To, send_once};
use crate::model::records::counter::Counter;
use crate::model::time::rfc3339;
use extension_contract::*;
use serde_json::{Value, json};

/// Returns the declaration of a counter; `None` if the key is not declared as a counter.
pub(super) fn counter(desk: &Desk<'_>, key: &str) -> Ruled<Option<EntitlementDecl>> {
    let settings = desk.catalog.settings()?;
    let found = declared(&settings.entitlements, key).filter(|decl| decl.kind == EntitlementKind::Counter);
    Ok(found.cloned())
}

/// `usage.consume`: counts an amount, or refuses it beyond the limit.
pub(super) fn consume(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let key = required_text(body, "key")?;
    let amount = match body.get("amount") {
        None | Some(Value::Null) => 1,
        Some(value) => value
            .as_i64()
            .filter(|amount| *amount > 0)
            .ok_or_else(|| wrong_field("/amount", FieldErrorCode::OutOfRange, "expected a whole number, at least 1"))?,
    };
    let Some(decl) = counter(desk, &key)? else {
        let settings = desk.catalog.settings()?;
        let counters = settings.entitlements.iter().filter(|(_, decl)| decl.kind == EntitlementKind::Counter);
        let names: Vec<&str> = counters.map(|(key, _)| key.as_str()).collect();
        let message = format!("`{key}` is no counter: expected one of {}", names.join(", "));
        return Err(wrong_field("/key", FieldErrorCode::NotAllowed, message));
    };
    let id = text(body, "id")?;
    if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > ID_BYTES) {
        return Err(wrong_field("/id", FieldErrorCode::OutOfRange, format!("expected 1 to {ID_BYTES} bytes")));
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

/// Counts an amount in the period of its time, and sends alerts when thresholds are reached.
pub(super) fn count(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    key: &str,
    decl: &EntitlementDecl,
    amount: i64,
    at: Timestamp,
) -> Ruled<()> {
    let period = period_of(standing, key, decl, at);
    let mut counter = desk.account.fetch::<Counter>(key)?.unwrap_or_default();
    if counter.add(period.start, amount) {
        let used = counter.used(period.start);
        desk.account.put(key, counter);
        alert(desk, standing, key, decl, period, used)?;
    }
    Ok(())
}

/// Sends an alert for each reached threshold, once per period.
fn alert(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    key: &str,
    decl: &EntitlementDecl,
    period: Period,
    used: i64,
) -> Ruled<()> {
    let allowed = standing.allows(key);
    // There are no thresholds of 0 or of an unlimited amount, which is negative.
    if allowed <= 0 {
        return Ok(());
    }
    for percent in &decl.alerts {
        if i128::from(used) * 100 < i128::from(allowed) * i128::from(*percent) {
            continue;
        }
        let values = json!({
            "key": key, "percent": percent, "used": used, "allowed": allowed, "resets_at": rfc3339(period.end),
        });
        let reference = format!("{key}:{}:{percent}", period.start);
        send_once(&mut desk.account, "usage_alert", To::Account, &reference, &values)?;
    }
    Ok(())
}
