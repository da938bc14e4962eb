//! `usage.correct`: takes back usage that was measured too high, with what it cost. An invoice that was asked for stays as it is: it
//! is credited at Stripe.

use crate::actions::by_month;
use crate::actions::count::{measured, part_of_day};
use crate::actions::measurement::{BEHIND_MAX_DAYS, Window};
use crate::actions::spend::{Cost, cost, give_back, open_month};
use crate::catalog::entitlement::EntitlementDecl;
use crate::catalog::product::required_text;
use crate::catalog::rate::Rate;
use crate::derive::period::period_of;
use crate::derive::standing::standing;
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::money::part_of;
use crate::model::records::counter::Counter;
use crate::model::records::meter_day::MeterDay;
use crate::model::records::usage::{UsageDay, Use, Uses};
use crate::model::time::{date, month_id, month_of, parse_rfc3339, rfc3339};
use extension_contract::{FieldErrorCode, Refusal, Usage};
use serde_json::{Value, json};

/// `usage.correct`: takes a quantity of a meter back, of the usage with the same attributes.
pub(super) fn correct(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let usage = read(desk, body)?;
    let rate = desk.catalog.settings()?.rates.get(&usage.meter).cloned();
    let (cost_micros, credits_micros) = match (rate, measured(desk, &usage.meter)?) {
        (Some(rate), _) => of_rate(desk, &rate, &usage)?,
        (None, Some((key, decl))) => of_counter(desk, &key, &decl, &usage)?,
        (None, None) => return Err(Refusal::NotFound(format!("rate or counter `{}`", usage.meter)).into()),
    };
    let id = MeterDay::id_of(&usage.meter, part_of_day(&standing(desk)?, usage.at));
    if let Some(mut day) = desk.account.row::<MeterDay>(&id)? {
        // What Stripe's meter has is not taken back there.
        day.counted = day.counted.saturating_sub(usage.quantity).max(day.reported.saturating_add(day.asked));
        desk.account.put(&id, day);
    }
    let reply = json!({
        "meter": usage.meter, "quantity": usage.quantity, "cost_micros": cost_micros, "credits_micros": credits_micros,
    });
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// Reads the usage to take back. Its quantity is positive.
fn read(desk: &Desk<'_>, body: &Object) -> Ruled<Usage> {
    let quantity = body.get("quantity").and_then(Value::as_i64).filter(|quantity| *quantity > 0);
    let quantity = quantity.ok_or_else(|| {
        wrong_field("/quantity", FieldErrorCode::OutOfRange, "", "a whole number, at least 1, to take back")
    })?;
    let at = match body.get("at") {
        None | Some(Value::Null) => desk.now,
        Some(at) => at
            .as_str()
            .and_then(parse_rfc3339)
            .ok_or_else(|| wrong_field("/at", FieldErrorCode::BadFormat, "", "a time such as 2026-01-31T12:00:00Z"))?,
    };
    if Window::at(desk.now).place(at).is_ne() {
        let (found, expected) = ("", format!("a time of the last {BEHIND_MAX_DAYS} days"));
        return Err(wrong_field("/at", FieldErrorCode::OutOfRange, found, expected));
    }
    let expected = || wrong_field("/attributes", FieldErrorCode::WrongType, "", "an object of texts");
    let mut attributes = Vec::new();
    match body.get("attributes") {
        None | Some(Value::Null) => {}
        Some(Value::Object(given)) => {
            for (name, value) in given {
                attributes.push((name.clone(), value.as_str().ok_or_else(expected)?.to_owned()));
            }
        }
        Some(_) => return Err(expected()),
    }
    Ok(Usage { id: desk.event_hash(), meter: required_text(body, "meter")?, quantity, at, attributes })
}

/// Takes back usage that a rate prices. Returns its cost, and the part of the cost that is returned to credits, both in
/// millionths.
fn of_rate(desk: &mut Desk<'_>, rate: &Rate, usage: &Usage) -> Ruled<(i64, i64)> {
    let (start, _) = month_of(usage.at);
    let (id, mut month) = open_month(desk, usage.at)?;
    if month.start != start {
        let closed = month_id(start);
        let text = format!(
            "the usage of {closed} is closed: what was reported later is usage of {id}, and is corrected with a time of that month; for \
             the rest, credit the invoice at Stripe"
        );
        return Err(Refusal::BadTransition(text).into());
    }
    let is_named = |name: &str| rate.attributes().any(|attribute| attribute == name);
    let attributes: Vec<(String, String)> =
        usage.attributes.iter().filter(|(name, _)| is_named(name)).cloned().collect();
    let is_same = |used: &Use| {
        used.meter == usage.meter
            && used.attributes.len() == attributes.len()
            && attributes.iter().all(|pair| used.attributes.contains(pair))
    };
    let used = month.uses.0.iter().find(|used| is_same(used)).cloned();
    let known = used.as_ref().map_or(0, |used| used.quantity);
    let Some(used) = used.filter(|_| usage.quantity <= known) else {
        let (found, expected) = ("", format!("at most {known}, which {} has of this usage", &id));
        return Err(wrong_field("/quantity", FieldErrorCode::OutOfRange, found, expected));
    };
    let was: Cost = cost(desk, rate, usage)?;
    if let Some(monthly) = was.monthly() {
        return by_month::take_back(desk, (&id, month), usage, (monthly, &used));
    }
    let cost_micros = was.micros().min(used.cost_micros);
    let wanted = part_of(used.covered_micros, cost_micros, used.cost_micros);
    let credits_micros = give_back(desk, wanted, &id)?;
    let less = Use {
        quantity: -usage.quantity,
        cost_micros: -cost_micros,
        requests: 0,
        covered_micros: -credits_micros,
        ..used
    };
    take_off(&mut month.uses, &less);
    month.credits_micros -= credits_micros;
    if let Some((product, micros)) = was.seller()
        && let Some(part) = month.sellers.get_mut(product)
    {
        part.micros -= micros.min(part.micros);
    }
    desk.account.put(&id, month);
    let id = date(usage.at);
    if let Some(mut day) = desk.account.row::<UsageDay>(&id)? {
        take_off(&mut day.uses, &less);
        desk.account.put(&id, day);
    }
    Ok((cost_micros, credits_micros))
}

/// Adds a negative use to the stored one, which does not fall below nothing.
fn take_off(uses: &mut Uses, less: &Use) {
    let is_same = |used: &&mut Use| used.meter == less.meter && used.attributes == less.attributes;
    if let Some(used) = uses.0.iter_mut().find(is_same) {
        used.quantity = used.quantity.saturating_add(less.quantity).max(0);
        used.cost_micros = used.cost_micros.saturating_add(less.cost_micros).max(0);
        used.covered_micros = used.covered_micros.saturating_add(less.covered_micros).max(0);
    }
    uses.0.retain(|used| used.quantity > 0 || used.cost_micros > 0);
}

/// Takes back usage that a counter counts. It costs nothing.
fn of_counter(desk: &mut Desk<'_>, key: &str, decl: &EntitlementDecl, usage: &Usage) -> Ruled<(i64, i64)> {
    let standing = standing(desk)?;
    let period = period_of(&standing, key, decl, usage.at);
    let mut counter = desk.account.row::<Counter>(key)?.unwrap_or_default();
    let known = counter.used(period.start);
    if usage.quantity > known {
        let (found, expected) = ("", format!("at most {known}, which was counted since {}", rfc3339(period.start)));
        return Err(wrong_field("/quantity", FieldErrorCode::OutOfRange, found, expected));
    }
    counter.add(period.start, -usage.quantity);
    desk.account.put(key, counter);
    Ok((0, 0))
}
