//! Discounts of single items: of a subscription's items, invoice items and one-time prices of a subscription.

use crate::play::{Play, id};
use serde_json::{Value, json};

fn latest(play: &mut Play, sub: &Value) -> Value {
    let sub = play.get(&format!("/v1/subscriptions/{}", id(sub)));
    play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()))
}

fn amounts(invoice: &Value) -> (i64, i64) {
    (invoice["subtotal"].as_i64().unwrap(), invoice["amount_paid"].as_i64().unwrap())
}

/// Subscribes a customer to two prices, 20.00 and 10.00, with discounts of the first item.
fn two_items(play: &mut Play, more: &str) -> Value {
    let (pro, extra) = (play.monthly("Pro", 2_000), play.monthly("Extra", 1_000));
    let customer = play.customer("pm_card_visa");
    play.subscribe(&customer, &pro, &format!("&items[1][price]={extra}{more}"))
}

#[test]
fn an_items_discount_reduces_its_line_before_the_discount_of_the_subscription() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=HALF&percent_off=50&duration=forever");
    play.post("/v1/coupons", "id=TENTH&percent_off=10&duration=forever");
    let sub = two_items(&mut play, "&items[0][discounts][0][coupon]=HALF&discounts[0][coupon]=TENTH");
    let own = sub["items"]["data"][0]["discounts"][0].as_str().unwrap().to_owned();
    let shared = sub["discounts"][0].as_str().unwrap().to_owned();
    assert_eq!(sub["items"]["data"][1]["discounts"], json!([]));
    let invoice = latest(&mut play, &sub);
    assert_eq!(amounts(&invoice), (2_000, 1_800));
    let line = &invoice["lines"]["data"][0];
    assert_eq!((&line["amount"], &line["discounts"]), (&json!(2_000), &json!([own])));
    let taken = json!([{ "amount": 1_000, "discount": own }, { "amount": 100, "discount": shared }]);
    assert_eq!(line["discount_amounts"], taken);
    assert_eq!(invoice["lines"]["data"][1]["discount_amounts"], json!([{ "amount": 100, "discount": shared }]));
    let sums = json!([{ "amount": 1_000, "discount": own }, { "amount": 200, "discount": shared }]);
    assert_eq!(invoice["total_discount_amounts"], sums);
    let created = play.get("/v1/events?type=customer.discount.created");
    let of_item =
        created["data"].as_array().unwrap().iter().find(|event| event["data"]["object"]["id"] == own.as_str());
    assert_eq!(of_item.unwrap()["data"]["object"]["subscription_item"], sub["items"]["data"][0]["id"]);
    play.until_day(32);
    assert_eq!(amounts(&latest(&mut play, &sub)), (2_000, 1_800));
}

#[test]
fn an_items_discount_lasts_as_long_as_its_coupon() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=ONCE&percent_off=50&duration=once");
    play.post("/v1/coupons", "id=TWICE&percent_off=10&duration=repeating&duration_in_months=2");
    let more = "&items[0][discounts][0][coupon]=ONCE&items[1][discounts][0][coupon]=TWICE";
    let sub = two_items(&mut play, more);
    let mut paid = vec![amounts(&latest(&mut play, &sub))];
    for day in [32, 63] {
        play.until_day(day);
        paid.push(amounts(&latest(&mut play, &sub)));
    }
    assert_eq!(paid, [(1_900, 1_900), (2_900, 2_900), (3_000, 3_000)]);
    let items = play.get(&format!("/v1/subscriptions/{}", id(&sub)))["items"]["data"].clone();
    assert_eq!((&items[0]["discounts"], &items[1]["discounts"]), (&json!([]), &json!([])));
    assert_eq!(play.events().iter().filter(|kind| *kind == "customer.discount.deleted").count(), 2);
}

#[test]
fn the_discounts_of_an_item_are_changed_and_end_with_the_item() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=HALF&percent_off=50&duration=forever");
    play.post("/v1/coupons", "id=FOUR&amount_off=400&currency=usd&duration=forever");
    play.post("/v1/promotion_codes", "coupon=FOUR&code=FOUR");
    let code = play.get("/v1/promotion_codes")["data"][0]["id"].as_str().unwrap().to_owned();
    let sub = two_items(&mut play, "&items[0][discounts][0][coupon]=HALF");
    let (first, second) = (id(&sub["items"]["data"][0]), id(&sub["items"]["data"][1]));
    let own = sub["items"]["data"][0]["discounts"][0].as_str().unwrap().to_owned();
    let form = format!("discounts[0][discount]={own}&discounts[1][promotion_code]={code}");
    let item = play.post(&format!("/v1/subscription_items/{first}"), &form);
    assert_eq!((item["discounts"][0].as_str(), item["discounts"].as_array().unwrap().len()), (Some(own.as_str()), 2));
    play.until_day(32);
    // Half of 20.00, then 4.00 less.
    assert_eq!(amounts(&latest(&mut play, &sub)), (1_600, 1_600));
    let path = format!("/v1/subscriptions/{}", id(&sub));
    let unknown =
        play.refused("POST", &path, &format!("items[0][id]={second}&items[0][discounts][0][discount]={own}"), 400);
    assert_eq!(unknown["param"], "items[0][discounts]");
    play.events();
    play.post(&path, &format!("items[0][id]={first}&items[0][deleted]=true&proration_behavior=none"));
    assert_eq!(play.events().iter().filter(|kind| *kind == "customer.discount.deleted").count(), 2);
}

#[test]
fn a_proration_includes_the_discount_of_its_item() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=HALF&percent_off=50&duration=forever");
    let sub = two_items(&mut play, "&items[0][discounts][0][coupon]=HALF");
    let (item, team) = (id(&sub["items"]["data"][0]), play.monthly("Team", 4_000));
    play.until_day(15);
    let change = format!("items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice");
    play.post(&format!("/v1/subscriptions/{}", id(&sub)), &change);
    // Half of the month is left: 10.00 of 20.00 for the new price, less 5.00 of 10.00 for the old one.
    assert_eq!(amounts(&latest(&mut play, &sub)), (500, 500));
}

#[test]
fn invoice_items_and_one_time_prices_have_discounts() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=HALF&percent_off=50&duration=once");
    let (pro, setup) = (play.monthly("Pro", 2_000), play.price("Setup", 600, ""));
    let customer = play.customer("pm_card_visa");
    let more = format!("&add_invoice_items[0][price]={setup}&add_invoice_items[0][discounts][0][coupon]=HALF");
    let sub = play.subscribe(&customer, &pro, &more);
    assert_eq!(amounts(&latest(&mut play, &sub)), (2_300, 2_300));
    let form = format!("customer={customer}&currency=usd&amount=1000");
    let item = play.post("/v1/invoiceitems", &format!("{form}&discounts[0][coupon]=HALF"));
    assert_eq!(item["discounts"].as_array().unwrap().len(), 1);
    play.post("/v1/invoiceitems", &form);
    let draft = play.post("/v1/invoices", &format!("customer={customer}&pending_invoice_items_behavior=include"));
    assert_eq!((&draft["subtotal"], &draft["total"]), (&json!(1_500), &json!(1_500)));
    assert_eq!(draft["total_discount_amounts"], json!([{ "amount": 500, "discount": item["discounts"][0] }]));
}
