//! What clients of older versions send and read: one item, one discount, and invoice items of several units.

use crate::play::{Play, id, request};
use local_stripe::sandbox::{Response, json_of};
use serde_json::{Value, json};

const OLD: &str = "2023-10-16";

fn in_version(play: &mut Play, version: &str, method: &str, path: &str, form: &str) -> Response {
    let mut asked = request(method, path, form);
    asked.version = Some(version.into());
    play.sandbox.handle(&asked)
}

fn old(play: &mut Play, method: &str, path: &str, form: &str) -> Value {
    let answer = in_version(play, OLD, method, path, form);
    assert_eq!(answer.status, 200, "{method} {path} {form}: {}", answer.body);
    json_of(&answer)
}

#[test]
fn a_subscription_of_one_item_has_its_plan_and_quantity_in_every_version() {
    let mut play = Play::new();
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &pro, "&items[0][quantity]=5");
    let path = format!("/v1/subscriptions/{}", id(&sub));
    for version in ["2020-08-27", OLD, "2025-03-31.basil", "2026-10-28.endive"] {
        let shown = json_of(&in_version(&mut play, version, "GET", &path, ""));
        assert_eq!((&shown["quantity"], &shown["plan"]["id"]), (&json!(5), &json!(pro)), "{version}");
        assert_eq!(shown["plan"]["object"], "plan");
    }
    play.post(&path, "quantity=7");
    let told = play.event("customer.subscription.updated");
    assert_eq!(
        (&told["data"]["object"]["quantity"], &told["data"]["previous_attributes"]["quantity"]),
        (&json!(7), &json!(5))
    );
    let both = play.post(&path, &format!("items[0][price]={team}"));
    assert_eq!((&both["quantity"], &both["plan"]), (&json!(null), &json!(null)));
    assert_eq!(play.refused("POST", &path, "quantity=2", 400)["param"], "quantity");
}

#[test]
fn plan_and_quantity_create_and_change_the_only_item() {
    let mut play = Play::new();
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000));
    let customer = play.customer("pm_card_visa");
    let sub = old(&mut play, "POST", "/v1/subscriptions", &format!("customer={customer}&plan={pro}&quantity=2"));
    assert_eq!((&sub["quantity"], &sub["plan"]["id"]), (&json!(2), &json!(pro)));
    let invoice = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
    assert_eq!(invoice["total"], 4_000);
    let path = format!("/v1/subscriptions/{}", id(&sub));
    let changed = old(&mut play, "POST", &path, &format!("plan={team}&proration_behavior=none"));
    assert_eq!(
        (&changed["items"]["data"][0]["id"], &changed["plan"]["id"]),
        (&sub["items"]["data"][0]["id"], &json!(team))
    );
    let form = format!("quantity=3&items[0][price]={team}");
    assert_eq!(play.refused("POST", &path, &form, 400)["param"], "quantity");
    let form = format!("customer={customer}&quantity=3&items[0][price]={team}");
    assert_eq!(play.refused("POST", "/v1/subscriptions", &form, 400)["param"], "quantity");
}

#[test]
fn coupon_and_promotion_code_give_the_only_discount_until_basil() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    play.post("/v1/coupons", "id=HALF&percent_off=50&duration=forever");
    play.post("/v1/coupons", "id=TENTH&percent_off=10&duration=forever");
    let code = id(&play.post("/v1/promotion_codes", "promotion[type]=coupon&promotion[coupon]=TENTH&code=TEN"));
    let form = format!("customer={customer}&items[0][price]={price}&coupon=HALF");
    let sub = old(&mut play, "POST", "/v1/subscriptions", &form);
    assert_eq!(sub["discount"]["coupon"]["id"], "HALF");
    let invoice = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
    assert_eq!(invoice["total"], 1_000);
    let path = format!("/v1/subscriptions/{}", id(&sub));
    let changed = old(&mut play, "POST", &path, &format!("promotion_code={code}"));
    assert_eq!(
        (&changed["discount"]["coupon"]["id"], &changed["discount"]["promotion_code"]),
        (&json!("TENTH"), &json!(code))
    );
    assert_eq!(old(&mut play, "POST", &path, "coupon=")["discount"], json!(null));
    for form in [format!("coupon=HALF&promotion_code={code}"), "coupon=HALF&discounts[0][coupon]=TENTH".to_owned()] {
        let refused = in_version(&mut play, OLD, "POST", &path, &form);
        assert_eq!((refused.status, &json_of(&refused)["error"]["param"]), (400, &json!("coupon")), "{form}");
    }
    for version in ["2025-03-31.basil", "2026-10-28.endive"] {
        let refused = in_version(&mut play, version, "POST", &path, "coupon=HALF");
        let error = json_of(&refused)["error"].clone();
        assert_eq!(
            (refused.status, &error["code"], &error["param"]),
            (400, &json!("parameter_unknown"), &json!("coupon"))
        );
        assert!(error["message"].as_str().unwrap().ends_with("use discounts."), "{error}");
    }
}

#[test]
fn an_invoice_item_shows_the_amount_of_one_unit() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let form = format!("customer={customer}&currency=usd&unit_amount=1000&quantity=2");
    let item = old(&mut play, "POST", "/v1/invoiceitems", &form);
    let shown = |item: &Value| [&item["amount"], &item["unit_amount"], &item["quantity"]].map(|v| v.as_i64().unwrap());
    assert_eq!(shown(&item), [2_000, 1_000, 2]);
    let path = format!("/v1/invoiceitems/{}", id(&item));
    assert_eq!(shown(&old(&mut play, "POST", &path, "quantity=3")), [3_000, 1_000, 3]);
    assert_eq!(shown(&old(&mut play, "POST", &path, "unit_amount=500")), [1_500, 500, 3]);
    let renamed = old(&mut play, "POST", &path, "description=Words&discountable=false&period[start]=1&period[end]=2");
    assert_eq!(shown(&renamed), [1_500, 500, 3]);
    assert_eq!((&renamed["discountable"], &renamed["period"]["end"]), (&json!(false), &json!(2)));
    let fine =
        play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&unit_amount_decimal=0.5&quantity=3"));
    assert_eq!((&fine["amount"], &fine["pricing"]["unit_amount_decimal"]), (&json!(2), &json!("0.5")));
    let invoice = play.post("/v1/invoices", &format!("customer={customer}&pending_invoice_items_behavior=include"));
    let units: Vec<&Value> = invoice["lines"]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["pricing"]["unit_amount_decimal"])
        .collect();
    assert_eq!(units, ["500", "0.5"]);
}

#[test]
fn a_first_period_up_to_the_anchor_is_a_proration_that_was_an_invoice_item() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 3_000);
    let customer = play.customer("pm_card_visa");
    let anchor = local_stripe::settings::START_S + 10 * 86_400;
    for (more, is_proration) in [(format!("&billing_cycle_anchor={anchor}"), true), (String::new(), false)] {
        let sub = play.subscribe(&customer, &price, &more);
        let path = format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap());
        let new = play.get(&path)["lines"]["data"][0].clone();
        assert_eq!(new["parent"]["type"], "subscription_item_details");
        assert_eq!(new["parent"]["subscription_item_details"]["proration"], is_proration);
        let line = old(&mut play, "GET", &path, "")["lines"]["data"][0].clone();
        let kind = if is_proration { "invoiceitem" } else { "subscription" };
        assert_eq!((&line["type"], &line["proration"]), (&json!(kind), &json!(is_proration)));
        assert_eq!(line["subscription"], sub["id"]);
    }
}

#[test]
fn an_invoice_keeps_what_it_shows_and_is_paid_with_a_source() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", "source=tok_visa"));
    let card = play.get(&format!("/v1/customers/{customer}"))["default_source"].as_str().unwrap().to_owned();
    let own = id(&play.post("/v1/tax_ids", "type=us_ein&value=12-3456789"));
    play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=500"));
    let form = format!(
        "customer={customer}&pending_invoice_items_behavior=include&account_tax_ids[0]={own}&custom_fields[0][name]=Order\
         &custom_fields[0][value]=7&payment_settings[payment_method_types][0]=card&rendering[pdf][page_size]=a4"
    );
    let invoice = play.post("/v1/invoices", &form);
    assert_eq!(
        (&invoice["account_tax_ids"], &invoice["custom_fields"]),
        (&json!([own]), &json!([{ "name": "Order", "value": "7" }]))
    );
    assert_eq!(invoice["payment_settings"]["payment_method_types"], json!(["card"]));
    assert_eq!(
        (&invoice["rendering"]["pdf"]["page_size"], &invoice["rendering"]["template"]),
        (&json!("a4"), &json!(null))
    );
    let path = format!("/v1/invoices/{}", id(&invoice));
    let emptied = play.post(&path, "custom_fields=&account_tax_ids=&rendering=");
    assert_eq!(
        [&emptied["custom_fields"], &emptied["account_tax_ids"], &emptied["rendering"]],
        [&json!(null), &json!(null), &json!(null)]
    );
    for (form, param) in [
        ("account_tax_ids[0]=txi_none", "account_tax_ids[0]"),
        ("payment_settings[payment_method_types][0]=cash", "payment_settings[payment_method_types][0]"),
        ("payment_settings[default_mandate]=mandate_1", "payment_settings[default_mandate]"),
        ("rendering[template]=inrtem_1", "rendering[template]"),
        ("custom_fields[0][name]=a", "custom_fields[0][value]"),
    ] {
        assert_eq!(play.refused("POST", &path, form, 400)["param"], param, "{form}");
    }
    assert_eq!(play.refused("POST", &format!("{path}/pay"), "source=card_none", 400)["param"], "source");
    assert_eq!(play.refused("POST", &format!("{path}/pay"), "mandate=mandate_1", 400)["param"], "mandate");
    assert_eq!(play.post(&format!("{path}/pay"), &format!("source={card}"))["status"], "paid");
}

#[test]
fn unsupported_features_of_the_portal_are_refused_by_name() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let product = play.get(&format!("/v1/prices/{price}"))["product"].as_str().unwrap().to_owned();
    let path = "/v1/billing_portal/configurations";
    let products = format!(
        "features[subscription_update][products][0][product]={product}&features[subscription_update][products][0][prices][0]={price}"
    );
    for (form, param) in [
        (
            format!("{products}&features[subscription_update][products][0][adjustable_quantity][enabled]=true"),
            "features[subscription_update][products][0][adjustable_quantity]",
        ),
        (
            "features[subscription_update][schedule_at_period_end][conditions][0][type]=shortening_interval".to_owned(),
            "features[subscription_update][schedule_at_period_end]",
        ),
        ("features[invoice_history][enabled]=true&login_page[enabled]=true".to_owned(), "login_page"),
    ] {
        let error = play.refused("POST", path, &form, 400);
        assert_eq!((&error["code"], &error["param"]), (&json!("parameter_unknown"), &json!(param)));
    }
    play.post(path, &format!("{products}&login_page[enabled]=false"));
    let customer = play.customer("pm_card_visa");
    let form = format!("customer={customer}&on_behalf_of=acct_1");
    assert_eq!(play.refused("POST", "/v1/billing_portal/sessions", &form, 400)["param"], "on_behalf_of");
}
