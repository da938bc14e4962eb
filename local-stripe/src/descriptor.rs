//! Statement descriptors: the text of a charge on the customer's bank statement.

use serde_json::Value;

use crate::error::ApiError;
use crate::object::Object;
use crate::params::Args;

/// The maximum length of a statement descriptor, the banks' limit.
pub const CHARS_MAX: usize = 22;
/// The minimum length of a descriptor without a suffix, Stripe's limit.
const CHARS_MIN: usize = 5;
/// The text between the account's part and the suffix.
const DIVIDER: &str = "* ";
/// Characters that banks refuse.
const REFUSED: &str = "<>\\'\"*";

/// Returns the descriptor of an account from its business name, or a default if the name has too few usable characters.
pub fn of_business(name: &str) -> String {
    let kept = name.chars().filter(|c| (c.is_ascii_graphic() || *c == ' ') && !REFUSED.contains(*c));
    let text: String = kept.take(CHARS_MAX).collect::<String>().to_ascii_uppercase();
    let text = text.trim();
    if text.len() < CHARS_MIN || !text.bytes().any(|b| b.is_ascii_alphabetic()) {
        return "LOCAL SANDBOX".into();
    }
    text.to_owned()
}

/// Returns the descriptor of an intent's charge: the account's text with the intent's suffix, or the intent's own text,
/// or the account's text alone. Only card payments have suffixes. If the text is too long, the account's part is
/// shortened.
pub fn of_charge(account: &str, intent: &Object, method: &Object) -> String {
    let own = intent.text("statement_descriptor");
    match intent.text_at("statement_descriptor_suffix").filter(|_| method.text("type") == "card") {
        Some(suffix) if !suffix.is_empty() => {
            let room = CHARS_MAX.saturating_sub(DIVIDER.len() + suffix.chars().count());
            let prefix: String = account.chars().take(room).collect();
            format!("{}{DIVIDER}{suffix}", prefix.trim_end())
        }
        _ if own.is_empty() => account.to_owned(),
        _ => own.to_owned(),
    }
}

/// Returns the descriptor of an invoice's payment: the invoice's own descriptor, or otherwise the first one among its
/// products.
pub fn of_invoice(own: &Value, products: impl Iterator<Item = Object>) -> Value {
    match own {
        Value::Null => {
            products.map(|p| p.get("statement_descriptor").clone()).find(|d| !d.is_null()).unwrap_or_default()
        }
        own => own.clone(),
    }
}

/// Checks the descriptors of a request.
///
/// # Errors
/// A descriptor is too long, too short, or has a character that banks refuse.
pub fn check(args: &Args, prefix: &str) -> Result<(), ApiError> {
    for name in ["statement_descriptor", "statement_descriptor_suffix"] {
        let Some(text) = args.text(name) else { continue };
        let param = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}[{name}]") };
        if text.chars().count() > CHARS_MAX {
            let message = format!("The {name} must be at most {CHARS_MAX} characters long.");
            return Err(ApiError::invalid(message).about(&param));
        }
        if text.chars().any(|c| REFUSED.contains(c)) || !text.chars().any(|c| c.is_ascii_alphabetic()) {
            let message = format!("The {name} must contain a letter, and none of the characters {REFUSED}.");
            return Err(ApiError::invalid(message).about(&param));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn descriptors_combine_account_intent_and_suffix() {
        for (name, text) in [
            ("Local sandbox", "LOCAL SANDBOX"),
            ("Émile's <Shop> & Co", "MILES SHOP & CO"),
            ("A very long name of a business", "A VERY LONG NAME OF A"),
            ("店", "LOCAL SANDBOX"),
            ("12345", "LOCAL SANDBOX"),
        ] {
            assert_eq!(of_business(name), text);
        }
        let card = Object::of(json!({ "type": "card" }));
        let debit = Object::of(json!({ "type": "sepa_debit" }));
        for (intent, method, text) in [
            (json!({}), &card, "SOME BUSINESS"),
            (json!({ "statement_descriptor_suffix": "Order 7" }), &card, "SOME BUSINESS* Order 7"),
            (json!({ "statement_descriptor_suffix": "Order 12345" }), &card, "SOME BUSI* Order 12345"),
            (json!({ "statement_descriptor": "Whole text" }), &card, "Whole text"),
            (json!({ "statement_descriptor": "Whole text", "statement_descriptor_suffix": "O" }), &debit, "Whole text"),
        ] {
            assert_eq!(of_charge("SOME BUSINESS", &Object::of(intent), method), text);
        }
    }
}
