//! Charges without a payment intent, Stripe's legacy form of payments.

use serde_json::{Value, json};

use crate::cards::{self, Behaviour};
use crate::connect::division;
use crate::descriptor;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::payments::attempt::{capture_charge, charged, follow_up, refused};
use crate::payments::method::Presence;
use crate::payments::{intent, method, source};
use crate::state::State;

/// Charges a card: that of a token, one given by its details, or one of the customer's.
///
/// # Errors
/// There is no card to charge, a parameter is invalid, or the card is declined.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    descriptor::check(args, "")?;
    let amount = args.int("amount").unwrap_or_default();
    let customer = args.text("customer").map(|id| st.load("customer", id, "customer")).transpose()?;
    let (given, param) = match args.given("card") {
        Some(card) => (Some(card.clone()), "card"),
        None => (args.given("source").cloned(), "source"),
    };
    let card = match (&customer, given) {
        (Some(customer), given) => of_customer(st, customer, given.as_ref(), param)?,
        (None, Some(given)) => source::make(st, &given, param)?,
        (None, None) => {
            let message = "Must provide source or customer.";
            return Err(ApiError::coded("parameter_missing", message));
        }
    };
    let mut payment = Object::of(json!({
        "amount": amount,
        "currency": args.get("currency"),
        "customer": args.value("customer"),
        "metadata": merge_metadata(&json!({}), args)?,
    }));
    if let Some(customer) = &customer {
        payment = payment.on_clock_of(customer);
    }
    for member in intent::AS_GIVEN {
        payment.set(member, args.value(member));
    }
    division::apply(st, &mut payment, args, "", Some(amount))?;
    let behaviour = method::behaviour(&card);
    let refusal = match behaviour {
        Behaviour::Declines(code, decline_code) => Some(cards::decline(code, decline_code)),
        Behaviour::ChargeFails(decline_code) => Some(cards::decline("card_declined", decline_code)),
        // Without a payment intent, nobody can be asked to authenticate.
        _ if method::must_authenticate(&card, &payment, Presence::OnSession) => {
            let message = "Your card was declined. This transaction requires authentication.";
            Some(ApiError::card("authentication_required", Some("authentication_required"), message))
        }
        _ => None,
    };
    if let Some(error) = refusal {
        let failed = refused(st, &payment, &card, &error);
        return Err(error.with("charge", json!(failed.id())));
    }
    let captures = args.flag("capture") != Some(false);
    let made = charged(st, &payment, &card, Presence::OnSession, captures);
    follow_up(st, &made, &card, behaviour);
    Ok(made.value())
}

/// Returns the customer's card to charge: the given one, or the default source.
fn of_customer(st: &State, customer: &Object, given: Option<&Value>, param: &str) -> Result<Object, ApiError> {
    let name = match given {
        Some(Value::String(name)) => name.as_str(),
        Some(_) => {
            let message = "Add the card to the customer first, and then charge it by its id.";
            return Err(ApiError::invalid(message).about(param));
        }
        None => customer.text("default_source"),
    };
    if name.is_empty() {
        return Err(ApiError::coded("missing", "Cannot charge a customer that has no active card").about("card"));
    }
    let found = st.seek(name).filter(|card| card.text("customer") == customer.id() && card.kind() == "payment_method");
    found.map(|card| Object::clone(&card)).ok_or_else(|| {
        let message = format!("Customer {} does not have a linked source with ID {name}.", customer.id());
        ApiError::coded("missing", message).about(param)
    })
}

/// Captures an authorized charge, or a part of its amount.
///
/// # Errors
/// The charge is unknown, already captured or refunded, or belongs to a payment intent, or the amount is too large.
pub fn capture(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let mut charge = Object::clone(&*st.load("charge", id, "id")?);
    if let Some(intent) = charge.text_at("payment_intent") {
        let message = format!("This charge belongs to the PaymentIntent {intent}: capture that instead.");
        return Err(ApiError::coded("charge_invalid_parameter", message));
    }
    if charge.text("status") != "succeeded" || charge.is("refunded") {
        let message = format!("Charge {id} can't be captured.");
        return Err(ApiError::coded("charge_expired_for_capture", message));
    }
    if charge.is("captured") {
        return Err(ApiError::coded("charge_already_captured", format!("Charge {id} has already been captured.")));
    }
    let most = charge.int("amount");
    let amount = args.int("amount").unwrap_or(most);
    if amount < 1 || amount > most {
        let message = format!("The amount to capture must be between 1 and {most}.");
        return Err(ApiError::coded("amount_too_large", message).about("amount"));
    }
    for member in ["receipt_email", "transfer_group"] {
        if args.has(member) {
            charge.set(member, args.value(member));
        }
    }
    division::apply(st, &mut charge, args, "", None)?;
    Ok(capture_charge(st, charge, amount).value())
}
