//! Tokens: single-use details of a card or a bank account.

use serde_json::{Value, json};

use crate::connect::{current, external};
use crate::error::ApiError;
use crate::object::Object;
use crate::params::Args;
use crate::payments::source;
use crate::state::State;

/// Creates the requested token.
///
/// # Errors
/// The request contains neither a card nor a bank account, or a detail is missing or invalid.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let (kind, shown, stored) = match (args.given("card"), args.given("bank_account")) {
        (Some(card), None) => {
            let made = source::make(st, card, "card")?;
            let shown = source::card_of(&made).unwrap_or_default();
            ("card", shown, made.id().to_owned())
        }
        (None, Some(_)) => {
            let owner = current(st);
            let mut made = external::bank_account(st, &owner, &args.map("bank_account"), "bank_account")?;
            // The members that a bank account has only when it belongs to an account.
            for member in ["account", "available_payout_methods", "default_for_currency", "metadata"] {
                made.members.remove(member);
            }
            ("bank_account", made, String::new())
        }
        _ => {
            let message = "You must supply either a card or a bank account to create a token.";
            return Err(ApiError::invalid(message).about("card"));
        }
    };
    let prefix = if kind == "card" { "tok" } else { "btok" };
    let mut token = Object::of(json!({
        "id": st.new_id(prefix),
        "object": "token",
        "client_ip": "127.0.0.1",
        "created": st.clock_s(),
        "livemode": false,
        "type": kind,
        "used": false,
    }));
    token.as_token_mut().card = stored;
    token.set(kind, shown.value());
    Ok(st.put(token).value())
}
