//! Verifies a bank account by two small deposits, if the intent asks for it with `verification_method=microdeposits`.
//! The test values are those of
//! <https://docs.stripe.com/payments/ach-direct-debit/accept-a-payment#test-account-numbers>.

use serde_json::{Value, json};

use crate::calendar::DAY_S;
use crate::object::Object;
use crate::state::State;

/// The time in days until the deposits arrive.
const ARRIVAL_DAYS: i64 = 2;
/// The `next_action` of an intent that waits for the amounts or the code.
pub const VERIFY: &str = "verify_with_microdeposits";

/// Whether a bank account must be verified before the intent can continue.
pub fn are_needed(intent: &Object, method: &Object) -> bool {
    intent.text_at("payment_method_options.us_bank_account.verification_method") == Some("microdeposits")
        && method.text("type") == "us_bank_account"
        && !method.as_payment_method().verified
}

/// Returns the `next_action` of an intent whose deposits are on their way.
pub fn next_action(st: &State, intent: &Object) -> Value {
    json!({
        "type": VERIFY,
        "verify_with_microdeposits": {
            "arrival_date": st.now(intent) + ARRIVAL_DAYS * DAY_S,
            "hosted_verification_url": format!("{}/_sandbox/microdeposits/{}", st.settings.base_url, intent.id()),
            "microdeposit_type": "descriptor_code",
        },
    })
}
