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
    // Without the prorations: what each period costs after the change, whenever the difference is paid.
    for behavior in ["always_invoice", "create_prorations", "none"] {
        let form = format!("{change}&subscription_details[proration_behavior]={behavior}&preview_mode=recurring");
        assert_eq!(lines(&preview(&mut play, &sub, &form)), [5_000], "{behavior}");
    }
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

#[test]
fn the_customer_alone_shows_the_renewal_that_comes_first_or_the_pending_items() {
    let mut play = Play::new();
    let (monthly, weekly) = (play.monthly("Pro", 2_000), play.price("Week", 500, "&recurring[interval]=week"));
    let customer = play.customer("pm_card_visa");
    let next = |play: &mut Play| play.post("/v1/invoices/create_preview", &format!("customer={customer}"));
    let none = play.refused("POST", "/v1/invoices/create_preview", &format!("customer={customer}"), 404);
    assert_eq!(none["code"], "invoice_upcoming_none");
    play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=70"));
    assert_eq!(lines(&next(&mut play)), [70]);
    let month = play.subscribe(&customer, &monthly, "");
    assert_eq!(lines(&next(&mut play)), [2_000], "the first invoice has billed the pending item");
    let week = play.subscribe(&customer, &weekly, "");
    let shown = next(&mut play);
    assert_eq!((lines(&shown), &shown["parent"]["subscription_details"]["subscription"]), (vec![500], &week["id"]));
    play.ok("DELETE", &format!("/v1/subscriptions/{}", id(&week)), "");
    assert_eq!(next(&mut play)["parent"]["subscription_details"]["subscription"], month["id"]);
    play.post(&format!("/v1/subscriptions/{}", id(&month)), "cancel_at_period_end=true");
    play.refused("POST", "/v1/invoices/create_preview", &format!("customer={customer}"), 404);
    play.refused("POST", "/v1/invoices/create_preview", "customer=cus_none", 400);
    assert_eq!(play.refused("POST", "/v1/invoices/create_preview", "", 400)["param"], "customer");
}

#[test]
fn a_schedule_shows_its_first_invoice_and_later_that_of_its_subscription() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let start = local_stripe::settings::START_S + 5 * 86_400;
    let form = format!(
        "customer={customer}&start_date={start}&phases[0][items][0][price]={price}&phases[0][items][0][quantity]=2\
         &phases[0][iterations]=2"
    );
    let schedule = id(&play.post("/v1/subscription_schedules", &form));
    play.events();
    let next = |play: &mut Play| play.post("/v1/invoices/create_preview", &format!("schedule={schedule}"));
    let first = next(&mut play);
    assert_eq!((lines(&first), &first["status"]), (vec![4_000], &json!("draft")));
    assert_eq!(play.get(&format!("/v1/subscription_schedules/{schedule}"))["status"], "not_started");
    assert_eq!(play.events(), Vec::<String>::new());
    play.until_day(6);
    assert_eq!(lines(&next(&mut play)), [4_000]);
    play.post(&format!("/v1/subscription_schedules/{schedule}/cancel"), "");
    play.refused("POST", "/v1/invoices/create_preview", &format!("schedule={schedule}"), 404);
    let both = format!("schedule={schedule}&subscription=sub_1");
    assert_eq!(play.refused("POST", "/v1/invoices/create_preview", &both, 400)["param"], "schedule");
}

#[test]
fn a_credit_note_is_previewed_without_any_effect() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let invoice = play.subscribe(&customer, &price, "")["latest_invoice"].as_str().unwrap().to_owned();
    play.events();
    let form = format!("invoice={invoice}&amount=400&credit_amount=400&effective_at=1793000000");
    let shown = play.ok("GET", "/v1/credit_notes/preview", &form);
    assert_eq!(
        (&shown["object"], &shown["total"], &shown["effective_at"]),
        (&json!("credit_note"), &json!(400), &json!(1_793_000_000))
    );
    let shown = play.ok("GET", "/v1/credit_notes/preview/lines", &form);
    assert_eq!((&shown["data"][0]["amount"], &shown["has_more"]), (&json!(400), &json!(false)));
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["balance"], 0);
    assert_eq!(play.get("/v1/credit_notes")["data"], json!([]));
    assert_eq!(play.events(), Vec::<String>::new());
    play.refused("GET", "/v1/credit_notes/preview", &format!("invoice={invoice}&amount=3000&credit_amount=3000"), 400);
}
