//! Increases the authorized amount of a card payment that will be captured later.

use serde_json::Value;

use crate::connect::division;
use crate::descriptor;
use crate::error::ApiError;
use crate::money;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::payments;
use crate::state::State;

/// The maximum number of increases of a payment intent, Stripe's limit.
const INCREASES_MAX: i64 = 10;
/// The brands whose authorizations can be increased. The restrictions by type of business in Stripe's documentation are
/// not applied.
const BRANDS: [&str; 3] = ["discover", "mastercard", "visa"];

/// Returns the status of `incremental_authorization` of a charge that is only authorized.
pub fn status(intent: &Object, method: &Object) -> &'static str {
    let wanted = intent.text_at("payment_method_options.card.request_incremental_authorization");
    let is_possible = method.text_at("card.brand").is_some_and(|brand| BRANDS.contains(&brand));
    if wanted == Some("if_available") && is_possible { "available" } else { "unavailable" }
}

/// Increases the amount of an authorized payment intent and of its charge to the requested amount.
///
/// # Errors
/// The intent is unknown, not authorized or does not allow it, or the amount is not larger.
pub fn increase(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let found = st.load("payment_intent", id, "id")?;
    if found.text("status") != "requires_capture" {
        return Err(payments::unexpected_state(&found, "increment the authorization of", "requires_capture"));
    }
    let charge = st.copy_if_any(found.text("latest_charge"));
    if charge.text_at("payment_method_details.card.incremental_authorization.status") != Some("available") {
        let message = "This PaymentIntent does not support incremental authorization. Set `payment_method_options[card][request_incremental_authorization]` to `if_available` before it is confirmed.";
        return Err(ApiError::coded("payment_intent_unexpected_state", message).with("payment_intent", found.value()));
    }
    let (amount, before) = (args.int("amount").unwrap_or_default(), found.int("amount"));
    if amount <= before {
        let message = format!("The amount must be greater than the currently authorized amount, {before}.");
        return Err(ApiError::invalid(message).about("amount"));
    }
    money::check_maximum(amount, found.text("currency"), "amount")?;
    if found.as_intent().increases >= INCREASES_MAX {
        return Err(ApiError::invalid(format!("An authorization can be incremented at most {INCREASES_MAX} times.")));
    }
    descriptor::check(args, "")?;
    let mut next = Object::clone(&found);
    for member in ["description", "statement_descriptor"] {
        if args.has(member) {
            next.set(member, args.value(member));
        }
    }
    next.set("metadata", merge_metadata(found.get("metadata"), args)?);
    division::apply(st, &mut next, args, "", Some(amount))?;
    next.set("amount", amount);
    next.set("amount_capturable", amount);
    next.as_intent_mut().increases += 1;
    st.change(charge.id(), |c| {
        c.set("amount", amount);
        c.set_at("payment_method_details.card.amount_authorized", amount);
        c.set_at("payment_method_details.card.overcapture.maximum_amount_capturable", amount);
        for member in ["description", "statement_descriptor"] {
            if args.has(member) {
                c.set(member, args.value(member));
            }
        }
    });
    let next = st.put(next);
    st.emit("payment_intent.amount_capturable_updated", &next);
    Ok(next.value())
}
