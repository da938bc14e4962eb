//! Confirmation tokens: the information that a page collected from a buyer, for a server that confirms the intent with
//! it.

use serde_json::{Value, json};

use crate::api::customers;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::Args;
use crate::payments::method;
use crate::state::State;

/// The lifetime of a token in seconds: Stripe says 12 hours.
const TOKEN_S: i64 = 43_200;
const KIND: &str = "confirmation_token";

/// Creates a token for a saved payment method or for the details of a new one, as a page does with Stripe.js.
///
/// # Errors
/// The request contains neither or both, or the payment method or a detail is invalid.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let (saved, new) = match (args.text("payment_method"), args.given("payment_method_data").is_some()) {
        (Some(name), false) => {
            let found = method::resolve(st, name, "payment_method")?;
            (Some(found.id().to_owned()), found)
        }
        (None, true) => {
            let data = args.map("payment_method_data");
            let made = method::from_data(st, &data)?;
            let made = customers::describe(st, &made, &data)?;
            // The payment method is created when an intent is confirmed with the token.
            st.remove(made.id());
            (None, made)
        }
        _ => {
            let message = "You must provide one of payment_method and payment_method_data.";
            return Err(ApiError::coded("parameter_missing", message).about("payment_method_data"));
        }
    };
    let kind = new.text("type").to_owned();
    let mut preview = json!({ "type": kind });
    for member in ["allow_redisplay", "billing_details", "customer", "customer_account", kind.as_str()] {
        preview[member] = new.get(member).clone();
    }
    let now = st.clock_s();
    let token = Object::of(json!({
        "id": st.new_id("ctoken"),
        "object": KIND,
        "created": now,
        "expires_at": now + TOKEN_S,
        "livemode": false,
        "mandate_data": null,
        "payment_intent": null,
        "payment_method_options": null,
        "payment_method_preview": preview,
        "return_url": args.value("return_url"),
        "setup_future_usage": args.value("setup_future_usage"),
        "setup_intent": null,
        "shipping": args.value("shipping"),
        "use_stripe_sdk": true,
    }))
    .with(|token| {
        token.as_confirmation_token_mut().method = saved.is_none().then(|| Box::new(new));
        token.as_confirmation_token_mut().saved = saved;
    });
    Ok(st.put(token).value())
}

/// Returns the parameters of a confirmation, completed with the contents of its token. A parameter in the request takes
/// precedence.
///
/// # Errors
/// The token is unknown, used or expired, or the request also contains a payment method.
pub fn expand(st: &mut State, args: &Args) -> Result<Args, ApiError> {
    let Some(id) = args.text(KIND) else { return Ok(args.clone()) };
    let token = st.load(KIND, id, KIND)?;
    if ["payment_intent", "setup_intent"].iter().any(|intent| token.text_at(intent).is_some()) {
        let message = format!("The ConfirmationToken {id} has been used already.");
        return Err(ApiError::invalid(message).about(KIND));
    }
    if token.int("expires_at") <= st.clock_s() {
        return Err(ApiError::invalid(format!("The ConfirmationToken {id} has expired.")).about(KIND));
    }
    if let Some(name) = ["payment_method", "payment_method_data"].into_iter().find(|name| args.given(name).is_some()) {
        let message = format!("You may only specify one of these parameters: {KIND}, {name}.");
        return Err(ApiError::invalid(message).about(name));
    }
    let own = token.as_confirmation_token();
    let method = match &own.method {
        Some(method) => st.put(Object::clone(method)).id().to_owned(),
        None => own.saved.clone().unwrap_or_default(),
    };
    let mut all = args.clone();
    all.put("payment_method", json!(method));
    for member in ["return_url", "setup_future_usage", "shipping"] {
        if !args.has(member) && !token.get(member).is_null() {
            all.put(member, token.get(member).clone());
        }
    }
    Ok(all)
}

/// Marks that a token was used for an intent. The member is `payment_intent` or `setup_intent`.
pub fn spend(st: &mut State, args: &Args, member: &str, intent: &str) {
    if let Some(id) = args.text(KIND) {
        st.change(id, |token| token.set(member, intent));
    }
}
