//! Enters the amounts or the code of the small deposits that verify a bank account; see
//! [`microdeposits`](super::microdeposits).

use serde_json::Value;

use crate::error::ApiError;
use crate::params::Args;
use crate::payments::attempt::fail_intent;
use crate::payments::method::Presence;
use crate::payments::microdeposits::VERIFY;
use crate::payments::{self, confirm, setup};
use crate::state::State;

/// The outcome that the entered amounts or code simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entered {
    Right,
    TooManyAttempts,
    TooLate,
    Wrong,
}

/// Reads the amounts or the code from a request.
fn read(args: &Args) -> Result<(Entered, bool), ApiError> {
    let amounts: Vec<i64> = args.list("amounts").iter().filter_map(Value::as_i64).collect();
    match (args.has("amounts"), args.text("descriptor_code")) {
        (true, None) if amounts.len() != 2 => {
            let message = "You must provide exactly two amounts.";
            let code = "payment_method_microdeposit_verification_amounts_invalid";
            Err(ApiError::coded(code, message).about("amounts"))
        }
        (true, None) => {
            let entered = match (amounts[0].min(amounts[1]), amounts[0].max(amounts[1])) {
                (32, 45) => Entered::Right,
                (10, 11) => Entered::TooManyAttempts,
                (40, 41) => Entered::TooLate,
                _ => Entered::Wrong,
            };
            Ok((entered, true))
        }
        (false, Some(code)) => {
            let entered = match code {
                "SM11AA" => Entered::Right,
                "SM33CC" => Entered::TooManyAttempts,
                "SM44DD" => Entered::TooLate,
                _ => Entered::Wrong,
            };
            Ok((entered, false))
        }
        _ => {
            let message = "You must provide either amounts or descriptor_code.";
            Err(ApiError::coded("parameter_missing", message).about("amounts"))
        }
    }
}

/// Enters the amounts or the code for an intent of this kind. If they are right, its bank account is verified and the
/// intent continues.
///
/// # Errors
/// The intent is unknown or does not wait for verification, or the amounts or the code are wrong.
pub fn verify(st: &mut State, kind: &str, id: &str, args: &Args) -> Result<Value, ApiError> {
    let waiting = st.load(kind, id, "id")?;
    if waiting.text("status") != "requires_action" || waiting.text_at("next_action.type") != Some(VERIFY) {
        return Err(match kind {
            "setup_intent" => setup::unexpected_state(&waiting, "verify"),
            _ => payments::unexpected_state(&waiting, "verify microdeposits of", "requires_action"),
        });
    }
    // An attached bank account may have been deleted in the meantime.
    let method = st.load("payment_method", waiting.text("payment_method"), "payment_method")?;
    let (entered, by_amounts) = read(args)?;
    let (code, message) = match entered {
        Entered::Right => {
            st.change(method.id(), |m| m.as_payment_method_mut().verified = true);
            if kind == "setup_intent" {
                setup::confirm(st, id, method.id(), Presence::OnSession)?;
            } else {
                confirm::confirm(st, id, method.id(), Presence::OnSession)?;
            }
            return Ok(st.find(id)?.value());
        }
        Entered::Wrong if by_amounts => {
            let message = "The amounts provided do not match the amounts that were sent to the bank account.";
            let code = "payment_method_microdeposit_verification_amounts_mismatch";
            return Err(ApiError::coded(code, message).about("amounts"));
        }
        Entered::Wrong => {
            let message = "The descriptor code provided does not match the one that was sent to the bank account.";
            let code = "payment_method_microdeposit_verification_descriptor_code_mismatch";
            return Err(ApiError::coded(code, message).about("descriptor_code"));
        }
        Entered::TooManyAttempts => (
            "payment_method_microdeposit_verification_attempts_exceeded",
            "You have exceeded the number of allowed verification attempts.",
        ),
        Entered::TooLate => {
            ("payment_method_microdeposit_verification_timeout", "The verification of this bank account has timed out.")
        }
    };
    let error = ApiError { keeps_changes: true, ..ApiError::coded(code, message) };
    Err(match kind {
        "setup_intent" => setup::fail(st, id, &method, error),
        _ => fail_intent(st, id, &method, error, None),
    })
}
