//! Coupons and promotion codes: their deductions, duration and restrictions.

use crate::play::{Play, id, request};
use local_stripe::sandbox::json_of;
use serde_json::{Value, json};

fn latest(play: &mut Play, sub: &str) -> Value {
    let sub = play.get(&format!("/v1/subscriptions/{sub}"));
    play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()))
}

fn totals(invoice: &Value) -> (i64, i64, i64) {
    let of = |member: &str| invoice[member].as_i64().unwrap();
    (of("subtotal"), of("total"), of("amount_paid"))
}

#[test]
fn a_repeating_coupon_ends_with_its_last_month() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=QUARTER&percent_off=25.5&duration=repeating&duration_in_months=2");
    let price = play.monthly("Pro", 1_999);
    let customer = play.customer("pm_card_visa");
    play.events();
    let sub = play.subscribe(&customer, &price, "&discounts[0][coupon]=QUARTER");
    assert!(play.events().contains(&"customer.discount.created".to_owned()));
    let discount = sub["discounts"][0].as_str().unwrap().to_owned();
    let sub = id(&sub);
    let first = latest(&mut play, &sub);
    // 25.5 % of 19.99 is 5.09745, which is rounded to 5.10.
    assert_eq!(totals(&first), (1_999, 1_489, 1_489));
    assert_eq!(first["total_discount_amounts"], json!([{"amount": 510, "discount": discount}]));
    assert_eq!(first["lines"]["data"][0]["discount_amounts"], json!([{"amount": 510, "discount": discount}]));
    assert_eq!(play.get("/v1/coupons/QUARTER")["times_redeemed"], 1);
    let mut paid = Vec::new();
    for day in [31, 62] {
        play.until_day(day);
        paid.push(latest(&mut play, &sub)["amount_paid"].clone());
    }
    assert_eq!(paid, [json!(1_489), json!(1_999)]);
    assert!(play.events().contains(&"customer.discount.deleted".to_owned()));
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["discounts"], json!([]));
}

#[test]
fn a_one_time_coupon_is_used_by_the_first_invoice_it_reduces() {
    let mut play = Play::new();
    let coupon = id(&play.post("/v1/coupons", "amount_off=500&currency=usd&duration=once"));
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let more = format!("&discounts[0][coupon]={coupon}&trial_period_days=14");
    let sub = id(&play.subscribe(&customer, &price, &more));
    assert_eq!(totals(&latest(&mut play, &sub)), (0, 0, 0));
    play.until_day(15);
    assert_eq!(totals(&latest(&mut play, &sub)), (2_000, 1_500, 1_500));
    play.until_day(46);
    assert_eq!(totals(&latest(&mut play, &sub)), (2_000, 2_000, 2_000));
}

#[test]
fn a_coupon_deducts_an_amount_of_the_invoices_currency() {
    let mut play = Play::new();
    let options = "amount_off=500&currency=usd&duration=forever&currency_options[eur][amount_off]=450";
    let coupon = id(&play.post("/v1/coupons", options));
    let shown = play.get(&format!("/v1/coupons/{coupon}?expand[0]=currency_options"));
    let amounts = json!({"usd": {"amount_off": 500}, "eur": {"amount_off": 450}});
    assert_eq!(shown["currency_options"], amounts);
    assert!(play.get(&format!("/v1/coupons/{coupon}")).get("currency_options").is_none());
    let product = id(&play.post("/v1/products", "name=Pro"));
    let price = format!(
        "product={product}&currency=usd&unit_amount=2000&recurring[interval]=month\
         &currency_options[eur][unit_amount]=1900&currency_options[gbp][unit_amount]=1700"
    );
    let price = id(&play.post("/v1/prices", &price));
    for (currency, total) in [("usd", 1_500), ("eur", 1_450)] {
        let customer = play.customer("pm_card_visa");
        let more = format!("&currency={currency}&discounts[0][coupon]={coupon}");
        let sub = id(&play.subscribe(&customer, &price, &more));
        assert_eq!(latest(&mut play, &sub)["total"], total, "{currency}");
    }
    let customer = play.customer("pm_card_visa");
    let pounds = format!("customer={customer}&items[0][price]={price}&currency=gbp&discounts[0][coupon]={coupon}");
    play.refused("POST", "/v1/subscriptions", &pounds, 400);
    for (form, param) in [
        ("percent_off=5&duration=once&currency_options[eur][amount_off]=4", "currency_options"),
        ("amount_off=5&currency=usd&duration=once&currency_options[usd][amount_off]=4", "currency_options[usd]"),
        (
            "amount_off=5&currency=usd&duration=once&currency_options[eur][unit_amount]=4",
            "currency_options[eur][unit_amount]",
        ),
    ] {
        assert_eq!(play.refused("POST", "/v1/coupons", form, 400)["param"], param, "{form}");
    }
    play.post(&format!("/v1/coupons/{coupon}"), "currency_options[gbp][amount_off]=400");
    play.post("/v1/subscriptions", &pounds);
}

#[test]
fn prorations_include_the_discount() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=HALF&percent_off=50&duration=forever");
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &pro, "&discounts[0][coupon]=HALF");
    play.until_day(10);
    let (item, sub) = (id(&sub["items"]["data"][0]), id(&sub));
    let change = format!("items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice");
    play.post(&format!("/v1/subscriptions/{sub}"), &change);
    let invoice = latest(&mut play, &sub);
    let lines: Vec<i64> =
        invoice["lines"]["data"].as_array().unwrap().iter().map(|l| l["amount"].as_i64().unwrap()).collect();
    // With the discount, the prices are 10.00 and 25.00. They are prorated for 20 of 30 days.
    assert_eq!((lines, &invoice["amount_paid"]), (vec![-667, 1_667], &json!(1_000)));
}

/// Returns the amounts of an invoice's lines.
fn amounts(invoice: &Value) -> Vec<i64> {
    invoice["lines"]["data"].as_array().unwrap().iter().map(|l| l["amount"].as_i64().unwrap()).collect()
}

#[test]
fn a_credit_returns_the_amount_paid_with_a_used_coupon() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=WELCOME&amount_off=500&currency=usd&duration=once");
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &pro, "&discounts[0][coupon]=WELCOME");
    let (item, sub) = (id(&sub["items"]["data"][0]), id(&sub));
    assert_eq!(totals(&latest(&mut play, &sub)), (2_000, 1_500, 1_500));
    play.until_day(10);
    let change = format!("items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice");
    play.post(&format!("/v1/subscriptions/{sub}"), &change);
    // For 20 of 30 days, the credit is a share of the 15.00 paid, the charge a share of 50.00 without the coupon.
    let invoice = latest(&mut play, &sub);
    assert_eq!((amounts(&invoice), totals(&invoice)), (vec![-1_000, 3_333], (2_333, 2_333, 2_333)));
    // The credit is half of the 33.33 billed ten days ago, not a share of the price.
    play.until_day(20);
    play.ok("DELETE", &format!("/v1/subscriptions/{sub}"), "prorate=true&invoice_now=true");
    assert_eq!(amounts(&latest(&mut play, &sub)), [-1_667]);
}

#[test]
fn a_proration_includes_the_items_share_of_an_amount_discount() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=SIX&amount_off=600&currency=usd&duration=forever");
    let (pro, team, seat) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000), play.monthly("Seat", 1_000));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &pro, &format!("&items[1][price]={seat}&discounts[0][coupon]=SIX"));
    let (item, sub) = (id(&sub["items"]["data"][0]), id(&sub));
    assert_eq!(totals(&latest(&mut play, &sub)), (3_000, 2_400, 2_400));
    play.until_day(10);
    let change = format!("items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice");
    play.post(&format!("/v1/subscriptions/{sub}"), &change);
    // With its share of the discount of 6.00, Pro costs 20.00 - 4.00 = 16.00, and Team 50.00 - 5.00 = 45.00. Both are
    // prorated for 20 of 30 days.
    assert_eq!(amounts(&latest(&mut play, &sub)), [-1_067, 3_000]);
}

#[test]
fn a_coupon_given_with_a_change_is_used_by_the_changes_invoice() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=WELCOME&amount_off=600&currency=usd&duration=once");
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &pro, "");
    let (item, sub) = (id(&sub["items"]["data"][0]), id(&sub));
    play.until_day(10);
    let change = format!(
        "items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice&discounts[0][coupon]=WELCOME"
    );
    play.post(&format!("/v1/subscriptions/{sub}"), &change);
    let invoice = latest(&mut play, &sub);
    assert_eq!((amounts(&invoice), totals(&invoice)), (vec![-1_333, 3_333], (2_000, 1_400, 1_400)));
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["discounts"], json!([]));
    play.until_day(31);
    assert_eq!(totals(&latest(&mut play, &sub)), (5_000, 5_000, 5_000));
}

#[test]
fn a_coupon_used_by_a_draft_applies_to_no_other_invoice() {
    let mut play = Play::new();
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &pro, "");
    let (item, sub) = (id(&sub["items"]["data"][0]), id(&sub));
    play.post("/v1/coupons", "id=WELCOME&amount_off=600&currency=usd&duration=once");
    play.post(&format!("/v1/subscriptions/{sub}"), "discounts[0][coupon]=WELCOME");
    // On day 30, the invoice of the renewal is a draft for an hour. This draft uses the coupon.
    play.until_day(30);
    assert_eq!(
        (latest(&mut play, &sub)["status"].clone(), totals(&latest(&mut play, &sub))),
        (json!("draft"), (2_000, 1_400, 0))
    );
    let change = format!("items[0][id]={item}&items[0][price]={team}&proration_behavior=always_invoice");
    play.post(&format!("/v1/subscriptions/{sub}"), &change);
    let invoice = latest(&mut play, &sub);
    // The credit is the whole 14.00 of the draft, as the period has just begun.
    assert_eq!((amounts(&invoice), totals(&invoice)), (vec![-1_400, 5_000], (3_600, 3_600, 3_600)));
}

#[test]
fn a_customers_discount_applies_to_all_invoices_and_is_embedded_in_older_versions() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=TENTH&percent_off=10&duration=forever&name=Ten");
    let customer = play.customer("pm_card_visa");
    play.post(&format!("/v1/customers/{customer}"), "coupon=TENTH");
    play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=2000"));
    play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=1000&discountable=false"));
    let form = format!("customer={customer}&pending_invoice_items_behavior=include");
    let invoice = id(&play.post("/v1/invoices", &form));
    assert_eq!(totals(&play.post(&format!("/v1/invoices/{invoice}/pay"), "")), (3_000, 2_800, 2_800));
    let mut old = request("GET", &format!("/v1/invoices/{invoice}"), "");
    old.version = Some("2022-11-15".into());
    let shown = json_of(&play.sandbox.handle(&old));
    assert_eq!(
        (&shown["discount"]["coupon"]["name"], &shown["discount"]["customer"]),
        (&json!("Ten"), &json!(customer))
    );
    play.post("/v1/coupons", "id=FIFTH&percent_off=20&duration=forever");
    play.events();
    play.post(&format!("/v1/customers/{customer}"), "coupon=FIFTH");
    assert_eq!(play.events(), ["customer.updated", "customer.discount.updated"]);
    assert_eq!(play.ok("DELETE", &format!("/v1/customers/{customer}/discount"), "")["deleted"], true);
    play.refused("DELETE", &format!("/v1/customers/{customer}/discount"), "", 404);
    assert!(play.get(&format!("/v1/customers/{customer}"))["discount"].is_null());
}

#[test]
fn a_promotion_code_is_limited_by_amount_first_purchase_and_redemptions() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=HALF&percent_off=50&duration=once");
    let (cheap, dear) = (play.monthly("Pro", 1_000), play.monthly("Team", 9_000));
    let (new, old) = (play.customer("pm_card_visa"), play.customer("pm_card_visa"));
    play.subscribe(&old, &cheap, "");
    let form = "promotion[type]=coupon&promotion[coupon]=HALF&code=Welcome&max_redemptions=1\
        &restrictions[first_time_transaction]=true\
        &restrictions[minimum_amount]=5000&restrictions[minimum_amount_currency]=usd";
    let code = id(&play.post("/v1/promotion_codes", form));
    play.refused("POST", "/v1/promotion_codes", "coupon=HALF&code=WELCOME", 400);
    assert_eq!(id(&play.get("/v1/promotion_codes?code=welcome")["data"][0]), code);
    let ask = |customer: &str, price: &str| {
        format!("customer={customer}&items[0][price]={price}&discounts[0][promotion_code]={code}")
    };
    for form in [ask(&new, &cheap), ask(&old, &dear)] {
        assert_eq!(play.refused("POST", "/v1/subscriptions", &form, 400)["code"], "promotion_code_invalid");
    }
    let sub = id(&play.post("/v1/subscriptions", &ask(&new, &dear)));
    assert_eq!(totals(&latest(&mut play, &sub)), (9_000, 4_500, 4_500));
    let late = play.customer("pm_card_visa");
    play.refused("POST", "/v1/subscriptions", &ask(&late, &dear), 400);
    assert_eq!(play.get(&format!("/v1/promotion_codes/{code}"))["times_redeemed"], 1);
}

#[test]
fn a_session_shows_its_discount_and_passes_it_to_the_subscription() {
    let mut play = Play::new();
    let coupon = id(&play.post("/v1/coupons", "percent_off=20&duration=once"));
    for (mode, price) in [("subscription", play.monthly("Pro", 1_000)), ("payment", play.price("Shirt", 1_000, ""))] {
        let form = format!(
            "mode={mode}&success_url=https://x.test&line_items[0][price]={price}&line_items[0][quantity]=3&discounts[0][coupon]={coupon}"
        );
        let session = play.post("/v1/checkout/sessions", &form);
        assert_eq!((&session["amount_subtotal"], &session["amount_total"]), (&json!(3_000), &json!(2_400)));
        assert_eq!(session["total_details"]["amount_discount"], 600);
        assert_eq!(session["discounts"], json!([{"coupon": coupon, "promotion_code": null}]));
        let card = id(&play.post("/v1/payment_methods", "type=card&card[token]=tok_visa"));
        play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), &format!("payment_method={card}"));
        assert_eq!(play.event("payment_intent.succeeded")["data"]["object"]["amount_received"], 2_400, "{mode}");
    }
    assert_eq!(play.get(&format!("/v1/coupons/{coupon}"))["times_redeemed"], 2);
}

#[test]
fn a_customers_discount_expires() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=MONTH&percent_off=50&duration=repeating&duration_in_months=1");
    let customer = play.customer("pm_card_visa");
    play.post(&format!("/v1/customers/{customer}"), "coupon=MONTH");
    let price = play.monthly("Pro", 2_000);
    let sub = id(&play.subscribe(&customer, &price, ""));
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 1_000);
    play.until_day(31);
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 2_000);
    assert!(play.get(&format!("/v1/customers/{customer}"))["discount"].is_null());
}

#[test]
fn invalid_coupons_are_refused() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=EUROS&amount_off=500&currency=eur&duration=once");
    play.post("/v1/coupons", "id=LAST&percent_off=5&redeem_by=1793491300");
    for (form, param) in [
        ("duration=once", "percent_off"),
        ("percent_off=0", "percent_off"),
        ("percent_off=100.1", "percent_off"),
        ("percent_off=33.333", "percent_off"),
        ("percent_off=5&amount_off=5&currency=usd", "percent_off"),
        ("amount_off=5", "currency"),
        ("percent_off=5&duration=repeating", "duration_in_months"),
        ("percent_off=5&id=EUROS", "id"),
    ] {
        assert_eq!(play.refused("POST", "/v1/coupons", form, 400)["param"], param, "{form}");
    }
    let price = play.monthly("Pro", 1_000);
    let customer = play.customer("pm_card_visa");
    play.until_day(1);
    for coupon in ["NONE", "EUROS", "LAST"] {
        let form = format!("customer={customer}&items[0][price]={price}&discounts[0][coupon]={coupon}");
        let error = play.refused("POST", "/v1/subscriptions", &form, 400);
        assert_eq!(error["param"], "discounts[0][coupon]", "{coupon}");
    }
    play.post("/v1/coupons", "id=FIVE&percent_off=5&max_redemptions=1");
    let twice = "&discounts[0][coupon]=FIVE&discounts[1][coupon]=FIVE";
    let form = format!("customer={customer}&items[0][price]={price}{twice}");
    assert_eq!(play.refused("POST", "/v1/subscriptions", &form, 400)["param"], "discounts[1]");
    assert_eq!(play.sandbox.state().count("subscription"), 0);
    assert_eq!(play.get("/v1/coupons/FIVE")["times_redeemed"], 0);
}

#[test]
fn a_list_of_coupons_shows_their_products_on_request() {
    let mut play = Play::new();
    let product = id(&play.post("/v1/products", "name=Pro"));
    play.post("/v1/coupons", "id=ALL&percent_off=5");
    play.post("/v1/coupons", &format!("id=SOME&percent_off=5&applies_to[products][0]={product}"));
    let plain = play.get("/v1/coupons");
    assert!(plain["data"].as_array().unwrap().iter().all(|coupon| coupon.get("applies_to").is_none()));
    let shown = play.get("/v1/coupons?expand[]=data.applies_to");
    assert_eq!(
        (&shown["data"][0]["id"], &shown["data"][0]["applies_to"]["products"]),
        (&json!("SOME"), &json!([product]))
    );
    assert_eq!((&shown["data"][1]["id"], shown["data"][1].get("applies_to")), (&json!("ALL"), None));
}

#[test]
fn a_coupon_and_a_product_may_have_the_same_id() {
    let mut play = Play::new();
    play.post("/v1/products", "id=SUMMER&name=Summer");
    play.post("/v1/coupons", "id=SUMMER&percent_off=50&duration=once");
    let error = play.refused("POST", "/v1/coupons", "id=SUMMER&percent_off=10&duration=once", 400);
    assert_eq!(error["code"], "resource_already_exists");
    let form = "product=SUMMER&currency=usd&unit_amount=2000&recurring[interval]=month";
    let price = id(&play.post("/v1/prices", form));
    let expanded = play.get(&format!("/v1/prices/{price}?expand[]=product"));
    assert_eq!((&expanded["product"]["object"], &expanded["product"]["name"]), (&json!("product"), &json!("Summer")));
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, "&discounts[0][coupon]=SUMMER"));
    assert_eq!(totals(&latest(&mut play, &sub)), (2_000, 1_000, 1_000));
    play.ok("DELETE", "/v1/coupons/SUMMER", "");
    assert_eq!(play.get("/v1/products/SUMMER")["name"], "Summer");
    play.refused("GET", "/v1/coupons/SUMMER", "", 404);
}
