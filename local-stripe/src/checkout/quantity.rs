//! Quantities that the buyer may change on the page, within the bounds of a line.

use serde_json::{Value, json};

use super::{discounts, purpose_of};
use crate::discount::redeem;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Args, ParamKind, opt, req};
use crate::pricing;
use crate::state::State;

/// The parameter `adjustable_quantity` of a line.
pub const ADJUSTABLE: ParamKind = ParamKind::Map(&[
    req("enabled", ParamKind::Bool),
    opt("maximum", ParamKind::Int(1, 999_999)),
    opt("minimum", ParamKind::Int(0, 999_999)),
]);
/// Stripe's default bounds of an adjustable quantity.
const BOUNDS: (i64, i64) = (0, 99);

/// Returns the member `adjustable_quantity` of a line with this quantity; null if the request has no such parameter.
///
/// # Errors
/// The quantity is not within the bounds.
pub fn read(line: &Args, quantity: i64, param: &str) -> Result<Value, ApiError> {
    let given = line.map("adjustable_quantity");
    match given.flag("enabled") {
        None => Ok(Value::Null),
        Some(false) => Ok(json!({ "enabled": false, "maximum": null, "minimum": null })),
        Some(true) => {
            let (least, most) =
                (given.int("minimum").unwrap_or(BOUNDS.0), given.int("maximum").unwrap_or(BOUNDS.1.max(quantity)));
            if !(least..=most).contains(&quantity) {
                let message = format!("The quantity must be between the minimum ({least}) and the maximum ({most}).");
                return Err(ApiError::invalid(message).about(&format!("{param}[quantity]")));
            }
            Ok(json!({ "enabled": true, "maximum": most, "minimum": least }))
        }
    }
}

/// Sets the quantity that the buyer chose for a line of an open session. The quantity 0 removes the line.
///
/// # Errors
/// The session is unknown or not open, or has no such line, or the quantity can't be chosen.
pub fn choose(st: &mut State, id: &str, line: &str, quantity: i64) -> Result<Value, ApiError> {
    let session = st.load("checkout.session", id, "id")?;
    let mut lines = session.as_session().lines.clone();
    let position = lines.iter().position(|one| one["id"] == line).filter(|_| session.text("status") == "open");
    let Some(position) = position else { return Err(ApiError::no_such("line item", line, "line_item")) };
    let chosen = &mut lines[position];
    let bounds = &chosen["adjustable_quantity"];
    let (least, most) = (bounds["minimum"].as_i64(), bounds["maximum"].as_i64());
    if bounds["enabled"] != true
        || least.is_none_or(|least| quantity < least)
        || most.is_none_or(|most| quantity > most)
    {
        return Err(ApiError::invalid("This quantity can't be chosen.").about("quantity"));
    }
    chosen["quantity"] = json!(quantity);
    chosen["amount_subtotal"] = json!(match is_in_trial(&session, chosen) {
        true => 0,
        false => pricing::amount(&chosen["price"], quantity)?,
    });
    if quantity == 0 {
        lines.remove(position);
    }
    let is_left = |one: &Value| session.text("mode") == "payment" || one["price"]["type"] == "recurring";
    if !lines.iter().any(is_left) {
        return Err(ApiError::invalid("Nothing would be left to buy.").about("quantity"));
    }
    let amounts = lines.iter().map(|one| one["amount_subtotal"].as_i64().unwrap_or_default());
    let too_large = || ApiError::coded("amount_too_large", "The total is too large.");
    let total = amounts.clone().try_fold(0_i64, i64::checked_add).ok_or_else(too_large)?;
    let mut next = Object::clone(&session);
    next.set("amount_subtotal", total);
    next.as_session_mut().lines = lines;
    let given = discounts::given(&session);
    let given = given.as_array().map(Vec::as_slice).unwrap_or_default();
    let redeemed = redeem::read(st, given, "discounts", purpose_of(&next))?;
    discounts::set(&mut next, redeemed.first());
    Ok(st.put(next).value())
}

/// Whether a line is free today because it recurs and the session's subscription begins with a trial.
fn is_in_trial(session: &Object, line: &Value) -> bool {
    let data = &session.as_session().subscription_data;
    let has_trial = data["trial_period_days"].as_i64().is_some_and(|days| days > 0) || data["trial_end"].is_i64();
    has_trial && line["price"]["type"] == "recurring"
}
