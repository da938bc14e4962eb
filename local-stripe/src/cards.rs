//! Stripe's documented test cards, by number and by the name in `tok_…` and `pm_card_…`.

use crate::debits::TestAccount;
use crate::error::ApiError;

/// The behaviour of a test card when it is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// The charge succeeds.
    Succeeds,
    /// Charges, and attachments to a customer, are refused with this `code` and `decline_code`.
    Declines(&'static str, &'static str),
    /// The card can be attached, but every charge is refused with this `decline_code`.
    ChargeFails(&'static str),
    /// The charge requires 3-D Secure: always, or until the customer has passed it once.
    Authenticates {
        /// Whether later payments require 3-D Secure again.
        always: bool,
    },
    /// The charge requires 3-D Secure while the customer is present. Charges without the customer succeed.
    AuthenticatesOnSession,
    /// The charge requires 3-D Secure, and then it is refused with this `decline_code`.
    AuthenticatesThenFails(&'static str),
    /// The charge succeeds and is disputed with this reason; an inquiry takes no money.
    Disputes {
        /// The dispute's `reason`.
        reason: &'static str,
        /// Whether the dispute is only an inquiry.
        inquiry: bool,
    },
    /// The charge succeeds; its refund succeeds first and then fails.
    RefundFails,
    /// The charge succeeds; its refund is pending first and then succeeds.
    RefundIsPending,
    /// The charge succeeds, and the issuer warns of fraud.
    WarnsOfFraud,
    /// The charge succeeds with an elevated risk, and is placed in the queue for manual review.
    IsReviewed,
    /// The customer's cash balance instead of a card.
    FromCash,
    /// A bank account instead of a card: the bank decides days later.
    Debits(&'static TestAccount),
}

/// A test card.
#[derive(Debug, Clone, Copy)]
pub struct TestCard {
    /// The card number.
    pub number: &'static str,
    /// The name after `tok_` and `pm_card_`.
    pub name: &'static str,
    /// The brand.
    pub brand: &'static str,
    /// The behaviour of the card when it is charged.
    pub behaviour: Behaviour,
}

impl TestCard {
    /// Returns how the card is funded.
    pub fn funding(&self) -> &'static str {
        match self.name {
            "mastercard_debit" | "visa_debit" => "debit",
            "mastercard_prepaid" => "prepaid",
            _ => "credit",
        }
    }

    /// Whether 3-D Secure can be requested. American Express is the only one of Stripe's test cards that does not support it.
    pub fn supports_3d_secure(&self) -> bool {
        self.brand != "amex"
    }
}

const fn card(number: &'static str, name: &'static str, brand: &'static str, behaviour: Behaviour) -> TestCard {
    TestCard { number, name, brand, behaviour }
}

/// The supported test cards.
pub const TEST_CARDS: &[TestCard] = &[
    card("4242424242424242", "visa", "visa", Behaviour::Succeeds),
    card("4000056655665556", "visa_debit", "visa", Behaviour::Succeeds),
    card("5200828282828210", "mastercard_debit", "mastercard", Behaviour::Succeeds),
    card("5105105105105100", "mastercard_prepaid", "mastercard", Behaviour::Succeeds),
    card("3056930009020004", "diners", "diners", Behaviour::Succeeds),
    card("3566002020360505", "jcb", "jcb", Behaviour::Succeeds),
    card("6200000000000005", "unionpay", "unionpay", Behaviour::Succeeds),
    card("4000000000003055", "threeDSecureOptional", "visa", Behaviour::Succeeds),
    card("4000002500001001", "visa_cartesBancaires", "visa", Behaviour::Succeeds),
    card("5555552500001001", "mastercard_cartesBancaires", "mastercard", Behaviour::Succeeds),
    card("5555555555554444", "mastercard", "mastercard", Behaviour::Succeeds),
    card("378282246310005", "amex", "amex", Behaviour::Succeeds),
    card("6011111111111117", "discover", "discover", Behaviour::Succeeds),
    card(AT_ONCE, "bypassPending", "visa", Behaviour::Succeeds),
    card("4000000000000002", "chargeDeclined", "visa", Behaviour::Declines("card_declined", "generic_decline")),
    card(
        "4000000000009995",
        "chargeDeclinedInsufficientFunds",
        "visa",
        Behaviour::Declines("card_declined", "insufficient_funds"),
    ),
    card("4000000000009987", "chargeDeclinedLostCard", "visa", Behaviour::Declines("card_declined", "lost_card")),
    card("4000000000009979", "chargeDeclinedStolenCard", "visa", Behaviour::Declines("card_declined", "stolen_card")),
    card("4000000000000069", "chargeDeclinedExpiredCard", "visa", Behaviour::Declines("expired_card", "expired_card")),
    card(
        "4000000000000127",
        "chargeDeclinedIncorrectCvc",
        "visa",
        Behaviour::Declines("incorrect_cvc", "incorrect_cvc"),
    ),
    card(
        "4000000000000119",
        "chargeDeclinedProcessingError",
        "visa",
        Behaviour::Declines("processing_error", "processing_error"),
    ),
    card(
        "4000000000006975",
        "chargeDeclinedVelocityLimitExceeded",
        "visa",
        Behaviour::Declines("card_declined", "card_velocity_exceeded"),
    ),
    card("4100000000000019", "radarBlock", "visa", Behaviour::ChargeFails("fraudulent")),
    card("4000000000000341", "chargeCustomerFail", "visa", Behaviour::ChargeFails("generic_decline")),
    card("4000002500003155", "authenticationRequiredOnSetup", "visa", Behaviour::Authenticates { always: false }),
    card("4000003800000446", "authenticationRequiredSetupForOffSession", "visa", Behaviour::AuthenticatesOnSession),
    card(
        "4000008260003178",
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        "visa",
        Behaviour::AuthenticatesThenFails("insufficient_funds"),
    ),
    card(
        "4000008400001629",
        "threeDSecureRequiredChargeDeclined",
        "visa",
        Behaviour::AuthenticatesThenFails("generic_decline"),
    ),
    card("4000002760003184", "authenticationRequired", "visa", Behaviour::Authenticates { always: true }),
    card("4000000000003220", "threeDSecure2Required", "visa", Behaviour::Authenticates { always: true }),
    card("4000000000000259", "createDispute", "visa", Behaviour::Disputes { reason: "fraudulent", inquiry: false }),
    card(
        "4000000000002685",
        "createDisputeProductNotReceived",
        "visa",
        Behaviour::Disputes { reason: "product_not_received", inquiry: false },
    ),
    card(
        "4000000000001976",
        "createDisputeInquiry",
        "visa",
        Behaviour::Disputes { reason: "fraudulent", inquiry: true },
    ),
    card("4000000000005423", "createIssuerFraudRecord", "visa", Behaviour::WarnsOfFraud),
    card("4000000000009235", "riskLevelElevated", "visa", Behaviour::IsReviewed),
    card("4000000000007726", "pendingRefund", "visa", Behaviour::RefundIsPending),
    card("4000000000005126", "refundFail", "visa", Behaviour::RefundFails),
];

/// The card whose payments are available immediately and emit `balance.available`. With `--settlement at-once`, other cards emit no such
/// event.
pub const AT_ONCE: &str = "4000000000000077";

/// Returns the card with a number. Spaces and hyphens in the number are ignored.
pub fn by_number(number: &str) -> Option<&'static TestCard> {
    let digits: String = number.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    TEST_CARDS.iter().find(|c| c.number == digits)
}

/// Returns the card of a token such as `tok_visa` or `pm_card_visa`.
pub fn by_token(token: &str) -> Option<&'static TestCard> {
    let name = token.strip_prefix("pm_card_").or_else(|| token.strip_prefix("tok_"))?;
    // Stripe lists most names of declined cards both with and without the brand.
    let plain = name.strip_prefix("visa_").filter(|rest| rest.starts_with("chargeDeclined")).unwrap_or(name);
    let name = match plain {
        "amex_threeDSecureNotSupported" => "amex",
        "chargeDeclinedFraudulent" => "radarBlock",
        "threeDSecureRequired" | "threeDSecure2" => "threeDSecure2Required",
        "us" => "visa",
        other => other,
    };
    TEST_CARDS.iter().find(|c| c.name == name)
}

/// Returns the card error of a refused charge.
pub fn decline(code: &str, decline_code: &str) -> ApiError {
    let message = match decline_code {
        "insufficient_funds" => "Your card has insufficient funds.",
        "expired_card" => "Your card has expired.",
        "incorrect_cvc" => "Your card's security code is incorrect.",
        "processing_error" => "An error occurred while processing your card. Try again in a little bit.",
        _ => "Your card was declined.",
    };
    let error = ApiError::card(code, (code == "card_declined").then_some(decline_code), message);
    match code {
        "incorrect_cvc" => error.about("cvc"),
        "expired_card" => error.about("exp_month"),
        _ => error,
    }
}

/// Whether a card number has 12 to 19 digits and a correct check digit. Spaces are ignored.
pub fn passes_luhn(number: &str) -> bool {
    let digits: Vec<u32> = number.chars().filter(|c| !c.is_whitespace()).map_while(|c| c.to_digit(10)).collect();
    if !(12..=19).contains(&digits.len()) || digits.len() != number.chars().filter(|c| !c.is_whitespace()).count() {
        return false;
    }
    let doubled = |d: u32| if d > 4 { d * 2 - 9 } else { d * 2 };
    let sum: u32 = digits.iter().rev().enumerate().map(|(i, d)| if i % 2 == 1 { doubled(*d) } else { *d }).sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_card_is_a_valid_number_and_found_by_its_names() {
        for card in TEST_CARDS {
            assert!(passes_luhn(card.number), "{}", card.number);
            assert_eq!(by_number(card.number).map(|c| c.name), Some(card.name));
            assert_eq!(by_token(&format!("pm_card_{}", card.name)).map(|c| c.number), Some(card.number));
        }
        assert!(!passes_luhn("4242424242424241") && !passes_luhn("") && !passes_luhn("4242 4242 4242 424x"));
    }
}
