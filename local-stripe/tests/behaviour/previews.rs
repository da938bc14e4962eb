//! Previews of invoices, which must not change the account.

use crate::play::{Play, id};
use serde_json::{Value, json};

fn lines(preview: &Value) -> Vec<i64> {
    preview["lines"]["data"].as_array().unwrap().iter().map(|line| line["amount"].as_i64().unwrap()).collect()
}

/// Creates a subscription of $20 per month that is ten days old. Returns its id, its item's id, and the id of a price
/// of $50.
fn ten_days_in() -> (Play, String, String, String) {
    let mut play = Play::new();
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &pro, "");
    let item = id(&sub["items"]["data"][0]);
    play.until_day(10);
    play.events();
    (play, id(&sub), item, team)
}

fn preview(play: &mut Play, sub: &str, details: &str) -> Value {
    let before = play.get(&format!("/v1/subscriptions/{sub}"));
    let shown = play.post("/v1/invoices/create_preview", &format!("subscription={sub}{details}"));
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}")), before);
    assert_eq!(play.events(), Vec::<String>::new());
    shown
}

#[test]
fn a_change_of_plan_is_previewed_on_the_next_invoice_or_on_a_separate_one() {
    let (mut play, sub, item, team) = ten_days_in();
    assert_eq!(lines(&preview(&mut play, &sub, "")), [2_000]);
    let change = format!("&subscription_details[items][0][id]={item}&subscription_details[items][0][price]={team}");
    let later = preview(&mut play, &sub, &change);
    // The change is prorated for 20 of 30 days.
    assert_eq!((lines(&later), &later["amount_due"]), (vec![-1_333, 3_333, 5_000], &json!(7_000)));
    let now = preview(&mut play, &sub, &format!("{change}&subscription_details[proration_behavior]=always_invoice"));
    assert_eq!(
        (lines(&now), &now["amount_due"], &now["status"]),
        (vec![-1_333, 3_333], &json!(2_000), &json!("draft"))
    );
    let none = preview(&mut play, &sub, &format!("{change}&subscription_details[proration_behavior]=none"));
    assert_eq!(lines(&none), [5_000]);
    // The real change costs the previewed amount.
    play.post(
        &format!("/v1/subscriptions/{sub}"),
        &format!("items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice"),
    );
    let made = play.event("invoice.paid");
    assert_eq!(made["data"]["object"]["amount_paid"], 2_000);
}

#[test]
fn new_and_ending_subscriptions_are_previewed() {
    let (mut play, sub, _, team) = ten_days_in();
    let customer = play.customer("pm_card_visa");
    play.events();
    let form = format!("customer={customer}&subscription_details[items][0][price]={team}");
    let shown = play.post("/v1/invoices/create_preview", &form);
    assert_eq!((lines(&shown), &shown["billing_reason"]), (vec![5_000], &json!("subscription_create")));
    assert_eq!((play.sandbox.state().count("subscription"), play.events().len()), (1, 0));
    let ends = preview(&mut play, &sub, "&subscription_details[cancel_now]=true");
    assert_eq!(lines(&ends), [-1_333]);
    let at_end = format!("subscription={sub}&subscription_details[cancel_at_period_end]=true");
    assert_eq!(play.refused("POST", "/v1/invoices/create_preview", &at_end, 404)["code"], "invoice_upcoming_none");
    let wrong = format!("subscription={sub}&subscription_details[items][0][price]=price_no");
    play.refused("POST", "/v1/invoices/create_preview", &wrong, 400);
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["cancel_at_period_end"], false);
    play.refused("POST", "/v1/invoices/create_preview", "", 400);
}
