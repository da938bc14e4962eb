//! Mandates: the customer's permission to debit a payment method. A confirmed debit or setup creates one, and charges refer to it.

use serde_json::{Value, json};

use crate::debits;
use crate::error::ApiError;
use crate::ids;
use crate::model;
use crate::object::Object;
use crate::params::{Args, ParamKind, opt, req};
use crate::state::State;

/// The parameter `mandate_data`: how the customer accepted the mandate.
pub const DATA: ParamKind = ParamKind::Map(&[req(
    "customer_acceptance",
    ParamKind::Map(&[
        opt("accepted_at", ParamKind::Time),
        opt("offline", ParamKind::Map(&[])),
        opt("online", ParamKind::Map(&[opt("ip_address", ParamKind::Text), opt("user_agent", ParamKind::Text)])),
        req("type", ParamKind::OneOf(&["offline", "online"])),
    ]),
)]);
/// The length of the reference of a SEPA mandate.
const REFERENCE_CHARS: usize = 16;

/// Records the mandate parameters of a request in the intent that it confirms.
///
/// # Errors
/// An online acceptance lacks the address or the browser, or the mandate is unknown, inactive, or belongs to another payment method.
pub fn note(st: &State, intent: &mut Object, args: &Args, method: &Object) -> Result<(), ApiError> {
    let acceptance = args.map("mandate_data").map("customer_acceptance");
    if acceptance.text("type") == Some("online") {
        let online = acceptance.map("online");
        if let Some(missing) = ["ip_address", "user_agent"].into_iter().find(|name| online.given(name).is_none()) {
            return Err(ApiError::missing(&format!("mandate_data[customer_acceptance][online][{missing}]")));
        }
    }
    if args.given("mandate_data").is_some() {
        intent.as_intent_mut().mandate_data = args.map("mandate_data").value("customer_acceptance");
    }
    if let Some(id) = args.text("mandate") {
        let mandate = st.load("mandate", id, "mandate")?;
        if mandate.text("status") != "active" || mandate.text("payment_method") != method.id() {
            let message = "The provided mandate is invalid and can not be used for the payment intent.";
            return Err(ApiError::coded("payment_intent_mandate_invalid", message).about("mandate"));
        }
        id.clone_into(&mut intent.as_intent_mut().mandate);
    }
    Ok(())
}

/// Checks that a request that creates an intent has mandate parameters only if it also confirms the intent.
///
/// # Errors
/// The request has a mandate parameter but does not confirm the intent.
pub fn check_confirms(args: &Args) -> Result<(), ApiError> {
    let given = ["mandate", "mandate_data"].into_iter().find(|name| args.given(name).is_some());
    match given.filter(|_| args.flag("confirm") != Some(true)) {
        Some(name) => {
            let message = format!(
                "The parameter `{name}` cannot be passed when creating an intent unless `confirm` is set to true."
            );
            Err(ApiError::invalid(message).about(name))
        }
        None => Ok(()),
    }
}

/// Returns the id of the mandate for a payment, or null: the one in the request, the one of the payment method, or a new one. A debit
/// always has a mandate; a card has one only if the request contains `mandate_data` and saves the card.
pub fn of_payment(st: &mut State, intent: &Object, method: &Object) -> Value {
    // An invoice's default mandate applies only to payments with its own payment method.
    let asked = &intent.as_intent().mandate;
    if !asked.is_empty() && st.copy_if_any(asked).text("payment_method") == method.id() {
        return json!(asked);
    }
    let kind = method.text("type");
    let own = intent.text_at(&format!("payment_method_options.{kind}.setup_future_usage"));
    let saves = own.or(intent.text_at("setup_future_usage")).is_some_and(|usage| usage != "none");
    let single_use = (!saves).then(|| (intent.int("amount"), intent.text("currency")));
    of(st, intent, method, single_use)
}

/// Returns the id of the mandate that a setup creates for any number of payments, or null; see [`of_payment`].
pub fn of_setup(st: &mut State, intent: &Object, method: &Object) -> Value {
    of(st, intent, method, None)
}

fn of(st: &mut State, intent: &Object, method: &Object, single_use: Option<(i64, &str)>) -> Value {
    let given = &intent.as_intent().mandate_data;
    let is_debit = debits::of_kind(method.text("type")).is_some();
    let known = &method.as_payment_method().mandate;
    if given.is_null() && !known.is_empty() {
        return json!(known);
    }
    if !is_debit && (given.is_null() || single_use.is_some()) {
        return Value::Null;
    }
    let now = st.now(intent);
    // Without `mandate_data`, the customer is assumed to have accepted the mandate on paper.
    let mut acceptance = if given.is_null() { json!({ "offline": {}, "type": "offline" }) } else { given.clone() };
    if acceptance["accepted_at"].is_null() {
        acceptance["accepted_at"] = json!(now);
    }
    let id = st.new_id("mandate");
    let seed = id.bytes().fold(st.settings.seed, |sum, byte| ids::mix(sum ^ u64::from(byte)));
    let reference = ids::characters(seed, 0, REFERENCE_CHARS).to_uppercase();
    let url = format!("{}/v1/mandates/{id}", st.settings.base_url);
    st.put(model::mandate::mandate(id.clone(), method, acceptance, single_use, &reference, url));
    if single_use.is_none() {
        st.change(method.id(), |m| m.as_payment_method_mut().mandate.clone_from(&id));
    }
    json!(id)
}
