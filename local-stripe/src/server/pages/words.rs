//! Amounts, intervals and states in the words of the pages.

use serde_json::Value;

use crate::money;

/// What one unit of a price costs.
pub(super) fn unit(price: &Value) -> String {
    let currency = price["currency"].as_str().unwrap_or("usd");
    money::display_decimal(price["unit_amount_decimal"].as_str().unwrap_or("0"), currency)
}

/// `per month`, `every 3 months`; nothing for a price that is paid once.
pub(super) fn every(price: &Value) -> String {
    let recurring = &price["recurring"];
    match (recurring["interval"].as_str(), recurring["interval_count"].as_i64()) {
        (Some(interval), Some(count)) if count > 1 => format!("every {count} {interval}s"),
        (Some(interval), _) => format!("per {interval}"),
        (None, _) => String::new(),
    }
}

/// `1 day`, `14 days`.
pub(super) fn days(count: i64) -> String {
    format!("{count} {}", if count == 1 { "day" } else { "days" })
}

/// A status as people say it, and whether it is good news, bad news or neither.
pub(super) fn status(status: &str) -> (&str, &'static str) {
    match status {
        "active" => ("Active", "good"),
        "trialing" => ("Trial", "good"),
        "past_due" => ("Past due", "bad"),
        "unpaid" => ("Unpaid", "bad"),
        "paused" => ("Paused", "plain"),
        "canceled" => ("Cancelled", "plain"),
        "paid" => ("Paid", "good"),
        "open" => ("Open", "plain"),
        "void" => ("Void", "plain"),
        "uncollectible" => ("Uncollectible", "bad"),
        "draft" => ("Draft", "plain"),
        "succeeded" => ("Succeeded", "good"),
        "failed" => ("Failed", "bad"),
        other => (other, "plain"),
    }
}

/// A card, such as `Visa •••• 4242`.
pub(super) fn card(card: &Value) -> String {
    let brand = match card["brand"].as_str().unwrap_or_default() {
        "visa" => "Visa",
        "mastercard" => "Mastercard",
        "amex" => "American Express",
        "discover" => "Discover",
        _ => "Card",
    };
    format!("{brand} •••• {}", card["last4"].as_str().unwrap_or_default())
}

/// Why a customer leaves.
pub(super) fn feedback(reason: &str) -> &str {
    match reason {
        "too_expensive" => "It’s too expensive",
        "missing_features" => "Some features are missing",
        "switched_service" => "I’m switching to another service",
        "unused" => "I don’t use it enough",
        "customer_service" => "Customer service wasn’t good enough",
        "too_complex" => "It’s too hard to use",
        "low_quality" => "The quality wasn’t good enough",
        _ => "Another reason",
    }
}
