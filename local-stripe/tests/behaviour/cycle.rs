//! Renewals, retries, and test clocks.

use crate::play::{Play, id};
use local_stripe::settings::Settings;
use serde_json::{Value, json};

#[test]
fn a_renewal_moves_the_period_and_is_charged_an_hour_later() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    play.events();
    play.until_day(30);
    assert_eq!(play.events(), ["invoice.upcoming", "invoice.created", "customer.subscription.updated"]);
    let updated = play.event("customer.subscription.updated");
    let (told, made) = (&updated["data"]["object"]["latest_invoice"], play.event("invoice.created"));
    assert_eq!(told, &made["data"]["object"]["id"]);
    let before = &updated["data"]["previous_attributes"]["items"]["data"][0];
    assert_eq!(before["current_period_end"].as_i64(), Some(1_796_083_200));
    assert!(updated["request"]["id"].is_null(), "no request caused it");
    play.until(1_796_083_200 + 3_600);
    assert_eq!(
        play.events(),
        [
            "invoice.finalized",
            "payment_intent.created",
            "charge.succeeded",
            "payment_intent.succeeded",
            "invoice.updated",
            "invoice.paid",
            "invoice.payment_succeeded",
            "invoice_payment.paid",
        ]
    );
    let sub = play.get(&format!("/v1/subscriptions/{sub}"));
    // The new period ends on 2027-01-01.
    assert_eq!(sub["items"]["data"][0]["current_period_end"].as_i64(), Some(1_798_761_600));
}

#[test]
fn a_year_on_a_test_clock_has_twelve_renewals_and_affects_no_other_customer() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let clock = id(&play.post("/v1/test_helpers/test_clocks", "frozen_time=1801440000&name=year"));
    let bystander = play.customer("pm_card_visa");
    play.subscribe(&bystander, &price, "");
    let on_clock = id(&play.post(
        "/v1/customers",
        &format!(
            "test_clock={clock}&payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa"
        ),
    ));
    let sub = play.subscribe(&on_clock, &price, "");
    // The test clock starts on 2027-02-01 and advances by one year.
    assert_eq!(sub["created"].as_i64(), Some(1_801_440_000));
    for days in (30..=360).step_by(30).chain([365]) {
        let advanced = play.post(
            &format!("/v1/test_helpers/test_clocks/{clock}/advance"),
            &format!("frozen_time={}", 1_801_440_000 + days * 86_400 + 7_200),
        );
        assert_eq!(advanced["status"], "advancing");
    }
    assert_eq!(play.get(&format!("/v1/test_helpers/test_clocks/{clock}"))["status"], "ready");
    let paid = |play: &mut Play, customer: &str| {
        play.get(&format!("/v1/invoices?customer={customer}&status=paid&limit=100"))["data"].as_array().unwrap().len()
    };
    assert_eq!((paid(&mut play, &on_clock), paid(&mut play, &bystander)), (13, 1));
    play.refused("POST", &format!("/v1/test_helpers/test_clocks/{clock}/advance"), "frozen_time=1801440000", 400);
}

/// Advances a test clock to days after its start, and returns the status.
fn advance(play: &mut Play, clock: &str, days: i64) -> u16 {
    let form = format!("frozen_time={}", 1_801_440_000 + days * 86_400);
    play.call("POST", &format!("/v1/test_helpers/test_clocks/{clock}/advance"), &form).status
}

#[test]
fn a_test_clock_advances_by_two_intervals_of_its_shortest_subscription() {
    let mut play = Play::new();
    let (yearly, monthly) = (play.price("Year", 9_000, "&recurring[interval]=year"), play.monthly("Pro", 2_000));
    // The test clock starts on 2027-02-01, and 2028 is a leap year.
    let clock = id(&play.post("/v1/test_helpers/test_clocks", "frozen_time=1801440000"));
    assert_eq!(advance(&mut play, &clock, 732), 400, "two years without a subscription");
    let customer = id(&play.post(
        "/v1/customers",
        &format!(
            "test_clock={clock}&payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa"
        ),
    ));
    play.subscribe(&customer, &yearly, "");
    let sub = id(&play.subscribe(&customer, &monthly, ""));
    // February and March 2027 have 59 days.
    assert_eq!(advance(&mut play, &clock, 60), 400);
    let error = play.refused(
        "POST",
        &format!("/v1/test_helpers/test_clocks/{clock}/advance"),
        &format!("frozen_time={}", 1_801_440_000 + 59 * 86_400 + 1),
        400,
    );
    assert_eq!(error["param"], "frozen_time");
    assert_eq!(advance(&mut play, &clock, 59), 200);
    play.ok("DELETE", &format!("/v1/subscriptions/{sub}"), "");
    assert_eq!(advance(&mut play, &clock, 59 + 700), 200, "the yearly subscription is left");
}

#[test]
fn a_test_clock_advances_by_two_intervals_of_a_schedule() {
    let mut play = Play::new();
    let monthly = play.monthly("Pro", 2_000);
    let clock = id(&play.post("/v1/test_helpers/test_clocks", "frozen_time=1801440000"));
    let customer = id(&play.post("/v1/customers", &format!("test_clock={clock}")));
    let start = 1_801_440_000 + 100 * 86_400;
    let schedule = format!("customer={customer}&start_date={start}&phases[0][items][0][price]={monthly}");
    play.post("/v1/subscription_schedules", &schedule);
    assert_eq!((advance(&mut play, &clock, 60), advance(&mut play, &clock, 59)), (400, 200));
}

#[test]
fn a_test_clock_has_at_most_three_customers() {
    let mut play = Play::new();
    let clocks = [(); 2].map(|()| id(&play.post("/v1/test_helpers/test_clocks", "frozen_time=1801440000")));
    let form = format!("test_clock={}", clocks[0]);
    let first = id(&play.post("/v1/customers", &form));
    play.post("/v1/customers", &form);
    play.post("/v1/customers", &form);
    assert_eq!(play.refused("POST", "/v1/customers", &form, 400)["param"], "test_clock");
    play.post("/v1/customers", &format!("test_clock={}", clocks[1]));
    play.post("/v1/customers", "");
    play.ok("DELETE", &format!("/v1/customers/{first}"), "");
    play.post("/v1/customers", &form);
}

fn attempts(end: &str) -> (Value, Vec<(i64, String)>) {
    let dunning = format!("1,2,3:{end}").parse().unwrap();
    let mut play = Play::with(Settings { dunning, ..Settings::default() });
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    play.new_card(&customer, "pm_card_chargeCustomerFail");
    play.until_day(30);
    play.events();
    let mut seen = Vec::new();
    for hours in 1..=24 * 8 {
        play.until(1_796_083_200 + hours * 3_600);
        let status = play.get(&format!("/v1/subscriptions/{sub}"))["status"].as_str().unwrap().to_owned();
        if play.events().contains(&"invoice.payment_failed".to_owned()) {
            seen.push((hours, status));
        }
    }
    (play.get(&format!("/v1/subscriptions/{sub}")), seen)
}

#[test]
fn dunning_follows_the_schedule_and_ends_as_configured() {
    for (end, status) in [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")] {
        let (sub, seen) = attempts(end);
        let past_due = |h: i64| (h, "past_due".to_owned());
        assert_eq!(seen, [past_due(1), past_due(25), past_due(73), (145, status.to_owned())], "{end}");
        assert_eq!(sub["status"], status);
        if end == "cancel" {
            assert_eq!(sub["cancellation_details"]["reason"], "payment_failed");
        }
    }
}

#[test]
fn paying_reactivates_a_past_due_subscription_and_an_unpaid_one_gets_only_drafts() {
    let dunning = "1:unpaid".parse().unwrap();
    let mut play = Play::with(Settings { dunning, ..Settings::default() });
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    play.new_card(&customer, "pm_card_chargeCustomerFail");
    play.until_day(65);
    let late = play.get(&format!("/v1/subscriptions/{sub}"));
    assert_eq!(late["status"], "unpaid");
    let drafts = play.get(&format!("/v1/invoices?subscription={sub}&status=draft"));
    assert_eq!((drafts["data"].as_array().unwrap().len(), &drafts["data"][0]["auto_advance"]), (1, &json!(false)));
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["delinquent"], true);
    play.new_card(&customer, "pm_card_visa");
    let open: Vec<String> = play.get(&format!("/v1/invoices?subscription={sub}&status=open"))["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(id)
        .collect();
    for invoice in open {
        play.post(&format!("/v1/invoices/{invoice}/pay"), "");
    }
    play.post(&format!("/v1/invoices/{}/pay", id(&drafts["data"][0])), "");
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "active");
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["delinquent"], false);
}

#[test]
fn paused_collection_keeps_the_status_and_voids_or_holds_invoices() {
    for (behavior, status) in [("void", "void"), ("mark_uncollectible", "uncollectible"), ("keep_as_draft", "draft")] {
        let mut play = Play::new();
        let price = play.monthly("Pro", 2_000);
        let customer = play.customer("pm_card_visa");
        let sub = id(&play.subscribe(&customer, &price, ""));
        play.post(&format!("/v1/subscriptions/{sub}"), &format!("pause_collection[behavior]={behavior}"));
        play.until_day(31);
        let after = play.get(&format!("/v1/subscriptions/{sub}"));
        assert_eq!(after["status"], "active");
        assert_eq!(
            play.get(&format!("/v1/invoices/{}", after["latest_invoice"].as_str().unwrap()))["status"],
            status,
            "{behavior}"
        );
    }
}

#[test]
fn an_anchor_on_the_31st_returns_to_the_31st_after_february() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    // The test clock starts on 2027-01-31.
    let clock = id(&play.post("/v1/test_helpers/test_clocks", "frozen_time=1801353600"));
    let customer = id(&play.post(
        "/v1/customers",
        &format!(
            "test_clock={clock}&payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa"
        ),
    ));
    let sub = id(&play.subscribe(&customer, &price, ""));
    let mut ends = Vec::new();
    for months in 1..=3 {
        let end =
            play.get(&format!("/v1/subscriptions/{sub}"))["items"]["data"][0]["current_period_end"].as_i64().unwrap();
        ends.push(local_stripe::calendar::date_text(end));
        if months < 3 {
            play.post(
                &format!("/v1/test_helpers/test_clocks/{clock}/advance"),
                &format!("frozen_time={}", end + 7_200),
            );
        }
    }
    assert_eq!(ends, ["28 Feb 2027", "31 Mar 2027", "30 Apr 2027"]);
}

#[test]
fn retries_that_require_three_d_secure_also_end_the_subscription() {
    let mut play = Play::with(Settings { dunning: "3,5:cancel".parse().unwrap(), ..Settings::default() });
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    play.new_card(&customer, "pm_card_authenticationRequired");
    play.until_day(31);
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "past_due");
    let invoice = play.event("invoice.created")["data"]["object"]["id"].as_str().unwrap().to_owned();
    let error = play.refused("POST", &format!("/v1/invoices/{invoice}/pay"), "", 402);
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("card_error"), &json!("invoice_payment_intent_requires_action"))
    );
    play.until_day(45);
    let ended = play.get(&format!("/v1/subscriptions/{sub}"));
    assert_eq!(
        (&ended["status"], &ended["cancellation_details"]["reason"]),
        (&json!("canceled"), &json!("payment_failed"))
    );
}
