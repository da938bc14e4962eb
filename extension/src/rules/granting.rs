//! `credit.grant`, `credit.end` and `entitlement.grant`: operators give an account credits and amounts of entitlements, with an end and a
//! reason that is kept.

use crate::catalog::amount::{UNLIMITED, UNLIMITED_WORD};
use crate::catalog::entitlement::{EntitlementKind, declared};
use crate::catalog::meter::included_by;
use crate::catalog::product::{required_text, text, time, whole_number};
use crate::catalog::rate::PaidBy;
use crate::catalog::words::one_of;
use crate::derive::currency;
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::money::to_micros;
use crate::model::records::lot::{Given, Lot};
use crate::model::records::operator_grants::{OperatorGrant, OperatorGrants};
use crate::model::time::{plus_days, rfc3339};
use extension_contract::{FieldErrorCode, IgnoreReason, Outcome, Refusal, Timestamp};
use serde_json::{Value, json};

/// The latest end from now, in days: ten years.
const DAYS_MAX: u32 = 3_660;
/// The most credits of one grant, in minor units.
const CREDITS_MAX: i64 = 1_000_000_000;
/// The largest granted amount of an entitlement.
const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

/// `credit.grant`: grants free credits.
pub(super) fn credits(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let reason = required_text(body, "reason")?;
    let settings = desk.catalog.settings()?;
    if !settings.rates.values().any(|rate| rate.pay.contains(&PaidBy::Credits)) {
        return Err(Refusal::NotFound("a meter that can be paid with credits".to_owned()).into());
    }
    let amount_minor = whole_number(body, "amount_minor", 1..=CREDITS_MAX)?;
    let expires_at = end(body, "expires_at", desk.now)?;
    // The account stays in the currency in which it pays.
    let currency = currency::chosen(desk)?.unwrap_or_else(|| settings.currency.to_string());
    let id = format!("grant_{}", desk.event_hash());
    let lot = Lot {
        granted_micros: to_micros(amount_minor, &currency),
        currency: currency.clone(),
        at: desk.now,
        expires_at,
        given: Some(Given { by: desk.actor.subject.clone(), reason: Some(reason) }),
        ..Lot::default()
    };
    desk.account.put(&id, lot);
    let reply = json!({"id": id, "amount_minor": amount_minor, "currency": currency,
        "expires_at": expires_at.map(rfc3339)});
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// `credit.end`: ends what is left of the credits that an operator gave.
pub(super) fn end_credits(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (id, reason) = (required_text(body, "id")?, required_text(body, "reason")?);
    let found = desk.account.row::<Lot>(&id)?.filter(|lot| lot.given.is_some());
    let mut lot = found.ok_or_else(|| Refusal::NotFound(format!("credit grant {id}")))?;
    if lot.has_ended(desk.now) {
        return Err(Refusal::BadTransition("the credits have ended".to_owned()).into());
    }
    lot.expires_at = Some(desk.now);
    lot.ended = Some(Given { by: desk.actor.subject.clone(), reason: Some(reason) });
    let ended = lot.left_micros();
    desk.account.put(&id, lot);
    Ok(Verdict::answered(Answer::Value(encode(&json!({"id": id, "ended_micros": ended}))?)))
}

/// `entitlement.grant`: grants an amount in addition to what plans and add-ons grant, in place of an earlier one; 0 takes it back.
pub(super) fn entitlement(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (key, reason) = (required_text(body, "entitlement")?, required_text(body, "reason")?);
    let settings = desk.catalog.settings()?;
    let names: Vec<&str> = settings.entitlements.keys().map(String::as_str).collect();
    // Of `download: {of: product}`, each product has its own: `download:prod_1`.
    let Some(decl) = declared(&settings.entitlements, &key) else {
        return Err(wrong_field("/entitlement", FieldErrorCode::NotAllowed, "", one_of(&names)));
    };
    let has_price =
        |meter: &String| included_by(&settings.entitlements, &settings.rates, meter).is_some_and(|(of, _)| *of == key);
    if settings.rates.keys().any(has_price) {
        let (found, expected) = (
            "what is used beyond it has a price",
            "an entitlement without a price for more: credit.grant pays for usage",
        );
        return Err(wrong_field("/entitlement", FieldErrorCode::NotAllowed, found, expected));
    }
    let most = if decl.kind == EntitlementKind::Flag { 1 } else { AMOUNT_MAX };
    let amount = match body.get("amount") {
        Some(Value::String(word)) if word == UNLIMITED_WORD && most > 1 => UNLIMITED,
        _ => whole_number(body, "amount", 0..=most)?,
    };
    let until = end(body, "until", desk.now)?;
    let mut grants = desk.account.row::<OperatorGrants>(OperatorGrants::ID)?.unwrap_or_default();
    let known = grants.0.get(&key).filter(|grant| !grant.has_ended(desk.now));
    if amount == 0 && known.is_none() {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    }
    let is_less =
        known.is_some_and(|known| amount != UNLIMITED && (known.amount == UNLIMITED || amount < known.amount));
    let former = grants.0.get(&key).and_then(|grant| grant.lost_at(desk.now));
    let reduced_at = if is_less { Some(desk.now) } else { former };
    let until = if amount == 0 { Some(desk.now) } else { until };
    let by = desk.actor.subject.clone();
    let grant = OperatorGrant { amount, at: desk.now, until, reduced_at, by, reason: Some(reason) };
    grants.0.insert(key.clone(), grant);
    desk.account.put(OperatorGrants::ID, grants);
    let shown = if amount == UNLIMITED { json!(UNLIMITED_WORD) } else { json!(amount) };
    let reply = json!({"entitlement": key, "amount": shown, "until": until.map(rfc3339)});
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// Reads a time in the future at which something ends; `None` if it does not end.
fn end(body: &Object, member: &str, now: Timestamp) -> Ruled<Option<Timestamp>> {
    let Some(written) = text(body, member)? else { return Ok(None) };
    let at = time(member, &written)?;
    let most = plus_days(now, DAYS_MAX);
    if at <= now || at > most {
        let expected = format!("a time after {} and until {}", rfc3339(now), rfc3339(most));
        return Err(wrong_field(&format!("/{member}"), FieldErrorCode::OutOfRange, "", expected));
    }
    Ok(Some(at))
}
