//! The wording of amounts, intervals and statuses on the pages.

use serde_json::Value;

use crate::money;

/// Returns the cost of one unit of a price, such as `$20.00`.
pub(super) fn unit(price: &Value) -> String {
    let currency = price["currency"].as_str().unwrap_or("usd");
    money::display_decimal(price["unit_amount_decimal"].as_str().unwrap_or("0"), currency)
}

/// Returns a text like `per month` or `every 3 months`; empty for a one-time price.
pub(super) fn every(price: &Value) -> String {
    let recurring = &price["recurring"];
    match (recurring["interval"].as_str(), recurring["interval_count"].as_i64()) {
        (Some(interval), Some(count)) if count > 1 => format!("every {count} {interval}s"),
        (Some(interval), _) => format!("per {interval}"),
        (None, _) => String::new(),
    }
}

/// Returns a text like `1 day` or `14 days`.
pub(super) fn days(count: i64) -> String {
    format!("{count} {}", if count == 1 { "day" } else { "days" })
}

/// Returns what a coupon takes off, such as `50% off for 3 months`.
pub(super) fn coupon(coupon: &Value) -> String {
    let off = match (coupon["percent_off"].as_f64(), coupon["amount_off"].as_i64()) {
        (Some(percent), _) => format!("{percent}%"),
        (None, amount) => money::display(amount.unwrap_or_default(), coupon["currency"].as_str().unwrap_or("usd")),
    };
    match (coupon["duration"].as_str(), coupon["duration_in_months"].as_i64()) {
        (Some("repeating"), Some(1)) => format!("{off} off for 1 month"),
        (Some("repeating"), Some(months)) => format!("{off} off for {months} months"),
        (Some("forever"), _) => format!("{off} off"),
        _ => format!("{off} off the first payment"),
    }
}

/// Returns the label of a status, and its CSS class: `good`, `bad` or `plain`.
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

/// Returns the label of a card, such as `Visa •••• 4242`.
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

/// Returns the label of a cancellation reason.
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
