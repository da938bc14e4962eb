//! The figures of the business, compared with an oracle that knows only the prices of the example and what each customer has.

use super::server::TestServer;
use end_to_end::world::START_MS;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A customer of the oracle: price, cents a seat, months of its interval, seats, status, and whether the end is planned.
type Customer = (&'static str, i64, i64, i64, &'static str, bool);

const CUSTOMERS: [Customer; 9] = [
    ("price_pro_month_800", 800, 1, 1, "active", false),
    ("price_pro_month_800", 800, 1, 7, "active", false),
    // 80.00 a year are 6.666 a month, and three seats are 20.00.
    ("price_pro_year_8000", 8000, 12, 1, "active", false),
    ("price_pro_year_8000", 8000, 12, 3, "active", false),
    ("price_company_year_14000", 14000, 12, 5, "active", false),
    ("price_company_month_1400", 1400, 1, 9, "trialing", false),
    ("price_company_month_1400", 1400, 1, 11, "past_due", false),
    ("price_company_month_1400", 1400, 1, 13, "active", true),
    ("price_company_month_1400", 1400, 1, 17, "canceled", false),
];

/// Returns the nearest whole number to a fraction, and of two the even one. Written as school teaches it.
fn nearest_even(amount: i64, months: i64) -> i64 {
    let (low, rest) = (amount / months, amount % months);
    match (rest * 2 < months, rest * 2 == months) {
        (true, _) => low,
        (false, true) if low % 2 == 0 => low,
        _ => low + 1,
    }
}

fn with_customers() -> TestServer {
    let api = TestServer::start("per-seat");
    for (at, (price, _, _, seats, status, is_leaving)) in CUSTOMERS.into_iter().enumerate() {
        let of = |status: &str, more: &str| {
            format!(
                "set: {{id: sub_{at}, customer: cus_{at}, metadata: {{user_id: u{at}}}, price: {price}, quantity: {seats}, status: {status}{more}}}"
            )
        };
        let first = if status == "trialing" { "trialing" } else { "active" };
        api.stripe(&format!("{{stripe: customer.subscription.created, id: evt_{at}_1, {}}}", of(first, "")));
        let more = if is_leaving { ", cancel_at_period_end: true" } else { "" };
        match status {
            "canceled" => {
                let more = ", ended_at: 2026-01-01T00:01:00Z";
                let set = of(status, more);
                api.stripe(&format!("{{stripe: customer.subscription.deleted, id: evt_{at}_2, at: +1m, {set}}}"));
            }
            _ => {
                let set = of(status, more);
                api.stripe(&format!("{{stripe: customer.subscription.updated, id: evt_{at}_2, at: +1m, {set}}}"));
            }
        }
    }
    let invoice = "id: in_6, customer: cus_6, subscription: sub_6, number: CHOIR-0006, amount: 15400, paid: false, \
                   billing_reason: subscription_cycle, price: price_company_month_1400";
    api.stripe(&format!("{{stripe: invoice.payment_failed, id: evt_in_6, at: +2m, set: {{{invoice}}}}}"));
    api.advance_to(START_MS + 86_400_000);
    api.settle();
    api
}

#[test]
fn the_revenue_of_a_month_is_that_of_the_oracle_and_every_figure_has_its_rows() {
    let api = with_customers();
    let found = api.get("/api/operator/revenue", &api.operator());
    let active = CUSTOMERS.into_iter().filter(|(.., status, is_leaving)| *status == "active" && !is_leaving);
    let expected: i64 = active.clone().map(|(_, cents, months, seats, ..)| nearest_even(cents * seats, months)).sum();
    assert_eq!(expected, 800 + 5600 + 667 + 2000 + 5833, "computed by hand");
    assert_eq!(found["mrr"], json!([{"currency": "usd", "amount_minor": expected, "count": 5}]), "{found}");
    assert_eq!(found["counts"], json!({"active": 5, "leaving": 1, "trial": 1, "paused": 0, "unpaid": 1}));
    assert_eq!(found["new"], json!({"last": 8, "before": 0}));
    assert_eq!((&found["churned"]["last"], &found["failed"]["last"]), (&json!(1), &json!(1)));

    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for show in ["active", "leaving", "trial", "paused", "unpaid", "new", "churned", "failed"] {
        let rows = api.get(&format!("/api/operator/revenue?show={show}"), &api.operator());
        sizes.insert(show, rows["rows"].as_array().map_or(0, Vec::len));
    }
    let counted = |name: &str| match &found["counts"][name] {
        Value::Null => found[name]["last"].as_u64(),
        count => count.as_u64(),
    };
    for (show, size) in sizes {
        assert_eq!(Some(size as u64), counted(show), "{show}");
    }
}

#[test]
fn the_console_shows_the_figures_finds_an_invoice_and_keeps_the_reason_of_an_action() {
    let api = with_customers();
    let authorization = format!("Bearer {}", api.operator());
    let at = |path: &str| api.request(&format!("GET {path}"), &[("Authorization", &authorization)], b"").body;
    let overview = at("/admin");
    assert!(overview.contains("show=active&amp;currency=usd\">$149.00</a>"), "{overview}");
    let rows = at("/admin/revenue?show=unpaid");
    assert!(rows.contains("/admin/accounts/user%3Au6\">user:u6</a>"), "{rows}");
    let failed = at("/admin/revenue?show=failed");
    assert!(failed.contains("CHOIR-0006") && failed.contains("$154.00"), "{failed}");
    let found = at("/admin/accounts?search=choir-0006");
    assert!(found.contains("user:u6"), "{found}");

    let customer = at("/admin/accounts/user%3Au5");
    assert!(customer.contains("Company × 9") && customer.contains("Extend the trial"), "{customer}");
    let form =
        "_page=/admin/accounts/user%3Au0&account=user:u0&id=sub_0&at_period_end=true&comment=Moves+to+another+tool";
    let own = [
        ("Sec-Fetch-Site", "same-origin"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Authorization", authorization.as_str()),
    ];
    let sent = api.request("POST /do/cancel_for_customer", &own, form.as_bytes());
    assert_eq!(sent.status, 303, "{sent:?}");
    api.settle();
    let kept = at("/admin/accounts/user%3Au0");
    assert!(kept.contains("<q>Moves to another tool</q>"), "{kept}");
}
