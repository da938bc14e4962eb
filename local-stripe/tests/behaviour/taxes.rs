//! Tax rates: on subscriptions, invoices and items, with discounts, proration, credit notes and older versions.

use crate::play::{Play, id, request};
use local_stripe::sandbox::json_of;
use serde_json::{Value, json};

fn rate(play: &mut Play, name: &str, percentage: &str, inclusive: bool) -> String {
    id(&play.post("/v1/tax_rates", &format!("display_name={name}&percentage={percentage}&inclusive={inclusive}")))
}

fn latest(play: &mut Play, sub: &Value) -> Value {
    let sub = play.get(&format!("/v1/subscriptions/{}", id(sub)));
    play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()))
}

fn amounts(invoice: &Value) -> [i64; 5] {
    ["subtotal", "subtotal_excluding_tax", "total_excluding_tax", "total", "amount_paid"]
        .map(|member| invoice[member].as_i64().unwrap())
}

#[test]
fn a_subscriptions_default_tax_rate_is_added_to_each_invoice() {
    let mut play = Play::new();
    let (price, vat) = (play.monthly("Pro", 2_000), rate(&mut play, "VAT", "19", false));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &price, &format!("&default_tax_rates[0]={vat}"));
    assert_eq!(sub["default_tax_rates"][0]["id"], vat.as_str());
    let first = latest(&mut play, &sub);
    assert_eq!(amounts(&first), [2_000, 2_000, 2_000, 2_380, 2_380]);
    let tax = json!({
        "amount": 380, "tax_behavior": "exclusive", "tax_rate_details": { "tax_rate": vat },
        "taxability_reason": "not_available", "taxable_amount": 2_000, "type": "tax_rate_details",
    });
    assert_eq!((&first["total_taxes"], &first["lines"]["data"][0]["taxes"]), (&json!([tax]), &json!([tax])));
    assert_eq!(play.get("/v1/charges")["data"][0]["amount"], 2_380);
    let preview = play.post("/v1/invoices/create_preview", &format!("subscription={}", id(&sub)));
    assert_eq!(preview["total"], 2_380);
    play.until_day(32);
    assert_eq!(amounts(&latest(&mut play, &sub)), [2_000, 2_000, 2_000, 2_380, 2_380]);
    play.post(&format!("/v1/subscriptions/{}", id(&sub)), "default_tax_rates=");
    play.until_day(63);
    assert_eq!(amounts(&latest(&mut play, &sub)), [2_000, 2_000, 2_000, 2_000, 2_000]);
}

#[test]
fn an_items_tax_rate_replaces_the_default_and_an_inclusive_rate_adds_nothing() {
    let mut play = Play::new();
    let (pro, extra) = (play.monthly("Pro", 1_200), play.monthly("Extra", 1_000));
    let (vat, gst) = (rate(&mut play, "VAT", "10", false), rate(&mut play, "GST", "20", true));
    let customer = play.customer("pm_card_visa");
    let more = format!("&items[0][tax_rates][0]={gst}&items[1][price]={extra}&default_tax_rates[0]={vat}");
    let sub = play.subscribe(&customer, &pro, &more);
    assert_eq!(sub["items"]["data"][0]["tax_rates"][0]["id"], gst.as_str());
    let invoice = latest(&mut play, &sub);
    assert_eq!(amounts(&invoice), [2_200, 2_000, 2_000, 2_300, 2_300]);
    let taxes: Vec<&Value> = invoice["total_taxes"].as_array().unwrap().iter().map(|tax| &tax["amount"]).collect();
    assert_eq!(taxes, [200, 100]);
    let item = id(&sub["items"]["data"][0]);
    play.post(&format!("/v1/subscription_items/{item}"), "tax_rates=");
    play.until_day(32);
    assert_eq!(amounts(&latest(&mut play, &sub)), [2_200, 2_200, 2_200, 2_420, 2_420]);
}

#[test]
fn taxes_apply_after_discounts_and_to_prorations() {
    let mut play = Play::new();
    let (pro, team) = (play.monthly("Pro", 3_000), play.monthly("Team", 6_000));
    let vat = rate(&mut play, "VAT", "10", false);
    play.post("/v1/coupons", "id=FIFTH&percent_off=20&duration=forever");
    let customer = play.customer("pm_card_visa");
    let more = format!("&default_tax_rates[0]={vat}&discounts[0][coupon]=FIFTH");
    let sub = play.subscribe(&customer, &pro, &more);
    assert_eq!(amounts(&latest(&mut play, &sub)), [3_000, 3_000, 2_400, 2_640, 2_640]);
    play.until_day(15);
    let item = id(&sub["items"]["data"][0]);
    let change = format!("items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice");
    play.post(&format!("/v1/subscriptions/{}", id(&sub)), &change);
    // Half of the month is left: 2 400 of 4 800 for the new price, less 1 200 of 2 400 for the old one.
    let invoice = latest(&mut play, &sub);
    assert_eq!(amounts(&invoice), [1_200, 1_200, 1_200, 1_320, 1_320]);
    assert_eq!(invoice["total_taxes"][0]["amount"], 120);
}

#[test]
fn an_exempt_customer_pays_no_tax() {
    let mut play = Play::new();
    let (price, vat) = (play.monthly("Pro", 2_000), rate(&mut play, "VAT", "19", false));
    let customer = play.customer("pm_card_visa");
    play.post(&format!("/v1/customers/{customer}"), "tax_exempt=reverse");
    let sub = play.subscribe(&customer, &price, &format!("&default_tax_rates[0]={vat}"));
    let invoice = latest(&mut play, &sub);
    assert_eq!(amounts(&invoice), [2_000, 2_000, 2_000, 2_000, 2_000]);
    let tax = &invoice["total_taxes"][0];
    assert_eq!((&tax["amount"], &tax["taxability_reason"]), (&json!(0), &json!("reverse_charge")));
}

#[test]
fn a_manual_invoice_and_its_items_have_tax_rates() {
    let mut play = Play::new();
    let (vat, low) = (rate(&mut play, "VAT", "19", false), rate(&mut play, "Low", "7", false));
    let customer = play.customer("pm_card_visa");
    play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=1000"));
    let item =
        play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=500&tax_rates[0]={low}"));
    assert_eq!(item["tax_rates"][0]["id"], low.as_str());
    let form = format!("customer={customer}&pending_invoice_items_behavior=include&default_tax_rates[0]={vat}");
    let draft = id(&play.post("/v1/invoices", &form));
    assert_eq!(amounts(&play.get(&format!("/v1/invoices/{draft}"))), [1_500, 1_500, 1_500, 1_725, 0]);
    let changed = play.post(&format!("/v1/invoices/{draft}"), "default_tax_rates=");
    assert_eq!(amounts(&changed), [1_500, 1_500, 1_500, 1_535, 0]);
    let paid = play.post(&format!("/v1/invoices/{draft}/pay"), "");
    assert_eq!(paid["amount_paid"], 1_535);
    play.refused("POST", &format!("/v1/invoices/{draft}"), &format!("default_tax_rates[0]={vat}"), 400);
    let taxed = paid["lines"]["data"].as_array().unwrap().iter().find(|line| line["amount"] == 500).unwrap();
    let line = format!(
        "invoice={draft}&refund_amount=535&lines[0][type]=invoice_line_item&lines[0][invoice_line_item]={}",
        id(taxed)
    );
    let note = play.post("/v1/credit_notes", &line);
    let shown = ["subtotal", "total", "total_excluding_tax"].map(|member| note[member].as_i64().unwrap());
    assert_eq!((shown, &note["total_taxes"][0]["amount"]), ([500, 535, 500], &json!(35)));
}

#[test]
fn older_versions_show_taxes_under_their_old_names() {
    let mut play = Play::new();
    let (price, vat) = (play.monthly("Pro", 2_000), rate(&mut play, "VAT", "19", false));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &price, &format!("&items[0][tax_rates][0]={vat}"));
    let path = format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap());
    let mut old = request("GET", &path, "");
    old.version = Some("2024-06-20".into());
    let invoice = json_of(&play.sandbox.handle(&old));
    let tax = json!({
        "amount": 380, "inclusive": false, "tax_rate": vat, "taxability_reason": null, "taxable_amount": 2_000,
    });
    let line = &invoice["lines"]["data"][0];
    assert_eq!((&invoice["tax"], &invoice["total_tax_amounts"]), (&json!(380), &json!([tax])));
    assert_eq!((&line["tax_amounts"], &line["tax_rates"][0]["id"]), (&json!([tax]), &json!(vat)));
    assert!(invoice.get("total_taxes").is_none() && line.get("taxes").is_none());
}

#[test]
fn unknown_inactive_and_too_many_tax_rates_are_refused() {
    let mut play = Play::new();
    let (price, vat) = (play.monthly("Pro", 2_000), rate(&mut play, "VAT", "19", false));
    let customer = play.customer("pm_card_visa");
    let form = |rates: &[&str]| {
        let rates: String = rates.iter().enumerate().map(|(n, id)| format!("&default_tax_rates[{n}]={id}")).collect();
        format!("customer={customer}&items[0][price]={price}{rates}")
    };
    let error = play.refused("POST", "/v1/subscriptions", &form(&["txr_unknown"]), 400);
    assert_eq!((&error["code"], &error["param"]), (&json!("resource_missing"), &json!("default_tax_rates[0]")));
    play.refused("POST", "/v1/subscriptions", &form(&[vat.as_str(); 6]), 400);
    play.post(&format!("/v1/tax_rates/{vat}"), "active=false");
    assert_eq!(play.refused("POST", "/v1/subscriptions", &form(&[vat.as_str()]), 400)["param"], "default_tax_rates[0]");
    for wrong in ["101", "-1", "7.12345", "x"] {
        let form = format!("display_name=VAT&inclusive=false&percentage={wrong}");
        assert_eq!(play.refused("POST", "/v1/tax_rates", &form, 400)["param"], "percentage", "{wrong}");
    }
}
