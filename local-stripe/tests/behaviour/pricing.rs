//! Prices by tiers, in packages, and in several currencies.

use crate::play::{Play, id};
use serde_json::{Value, json};

const TIERS: &str = "&billing_scheme=tiered&recurring[interval]=month&tiers[0][up_to]=5&tiers[0][unit_amount]=500&tiers[1][up_to]=inf&tiers[1][unit_amount]=400";

fn price(play: &mut Play, more: &str) -> Value {
    let product = id(&play.post("/v1/products", "name=Seats"));
    play.post("/v1/prices", &format!("product={product}&currency=usd{more}"))
}

fn first_total(play: &mut Play, sub: &Value) -> (i64, String) {
    let invoice = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
    (invoice["total"].as_i64().unwrap(), invoice["currency"].as_str().unwrap().to_owned())
}

#[test]
fn tiers_are_billed_by_their_mode_and_shown_on_request() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    for (mode, total) in [("graduated", 3_700), ("volume", 3_200)] {
        let price = price(&mut play, &format!("{TIERS}&tiers_mode={mode}"));
        assert_eq!((&price["unit_amount"], &price["tiers_mode"]), (&json!(null), &json!(mode)));
        assert!(price.get("tiers").is_none(), "tiers are shown on request");
        let shown = play.get(&format!("/v1/prices/{}?expand[0]=tiers", id(&price)));
        assert_eq!((&shown["tiers"][0]["up_to"], &shown["tiers"][1]["up_to"]), (&json!(5), &json!(null)));
        let sub = play.subscribe(&customer, &id(&price), "&items[0][quantity]=8");
        assert_eq!(first_total(&mut play, &sub).0, total, "{mode}");
        assert_eq!(sub["items"]["data"][0]["plan"]["tiers_mode"], mode);
    }
    // A change of the quantity prorates the whole amounts: 8 seats cost 37.00 and 4 cost 20.00, for 15 of 30 days.
    let price = id(&price(&mut play, &format!("{TIERS}&tiers_mode=graduated")));
    let sub = play.subscribe(&customer, &price, "&items[0][quantity]=8");
    play.until_day(15);
    let change = format!("items[0][id]={}&items[0][quantity]=4", id(&sub["items"]["data"][0]));
    play.post(&format!("/v1/subscriptions/{}", id(&sub)), &change);
    let items = play.get("/v1/invoiceitems?limit=2");
    assert_eq!((&items["data"][1]["amount"], &items["data"][0]["amount"]), (&json!(-1_850), &json!(1_000)));
}

#[test]
fn usage_is_billed_by_tiers() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let meter = "display_name=Calls&event_name=call&default_aggregation[formula]=sum";
    let meter = id(&play.post("/v1/billing/meters", meter));
    let metered = format!("{TIERS}&tiers_mode=graduated&recurring[usage_type]=metered&recurring[meter]={meter}");
    let price = id(&price(&mut play, &metered));
    let sub = play.subscribe(&customer, &price, "");
    play.post(
        "/v1/billing/meter_events",
        &format!("event_name=call&payload[stripe_customer_id]={customer}&payload[value]=8"),
    );
    play.until_day(31);
    let sub = play.get(&format!("/v1/subscriptions/{}", id(&sub)));
    assert_eq!(first_total(&mut play, &sub).0, 3_700);
}

#[test]
fn a_package_is_billed_whole() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let package =
        "&unit_amount=1000&recurring[interval]=month&transform_quantity[divide_by]=10&transform_quantity[round]=up";
    let price = price(&mut play, package);
    assert_eq!(price["transform_quantity"], json!({ "divide_by": 10, "round": "up" }));
    let sub = play.subscribe(&customer, &id(&price), "&items[0][quantity]=25");
    assert_eq!(first_total(&mut play, &sub).0, 3_000);
}

#[test]
fn a_price_is_paid_in_the_currency_of_the_request_or_of_the_customer() {
    let mut play = Play::new();
    let options = "&unit_amount=1000&recurring[interval]=month&currency_options[eur][unit_amount]=900";
    let price = id(&price(&mut play, options));
    let shown = play.get(&format!("/v1/prices/{price}?expand[0]=currency_options"));
    let amount = |currency: &str| shown["currency_options"][currency]["unit_amount"].clone();
    assert_eq!((amount("usd"), amount("eur")), (json!(1_000), json!(900)));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &price, "&currency=eur");
    assert_eq!((&sub["currency"], first_total(&mut play, &sub)), (&json!("eur"), (900, "eur".to_owned())));
    // As at Stripe, the item has the price itself.
    let item = &sub["items"]["data"][0];
    assert_eq!((&item["price"]["currency"], &item["plan"]["amount"]), (&json!("usd"), &json!(1_000)));
    // The customer pays in euros from now on.
    let sub = play.subscribe(&customer, &price, "");
    assert_eq!(sub["currency"], "eur");
    let other = play.customer("pm_card_visa");
    let sub = play.subscribe(&other, &price, "");
    assert_eq!(first_total(&mut play, &sub), (1_000, "usd".to_owned()));
    play.refused("POST", "/v1/subscriptions", &format!("customer={other}&items[0][price]={price}&currency=gbp"), 400);
    // A renewal and a change of plan stay in the currency.
    let team = price_in_euros(&mut play, 2_000, 1_800);
    let sub = play.subscribe(&customer, &price, "");
    play.until_day(15);
    let change = format!(
        "items[0][id]={}&items[0][price]={team}&proration_behavior=always_invoice",
        id(&sub["items"]["data"][0])
    );
    let sub = play.post(&format!("/v1/subscriptions/{}", id(&sub)), &change);
    assert_eq!(first_total(&mut play, &sub), (450, "eur".to_owned()));
    play.until_day(31);
    let sub = play.get(&format!("/v1/subscriptions/{}", id(&sub)));
    assert_eq!(first_total(&mut play, &sub), (1_800, "eur".to_owned()));
    let dollars = play.monthly("Dollars", 500);
    let change = format!("items[0][id]={}&items[0][price]={dollars}", id(&sub["items"]["data"][0]));
    play.refused("POST", &format!("/v1/subscriptions/{}", id(&sub)), &change, 400);
}

fn price_in_euros(play: &mut Play, usd: i64, eur: i64) -> String {
    let options = format!("&unit_amount={usd}&recurring[interval]=month&currency_options[eur][unit_amount]={eur}");
    id(&price(play, &options))
}

#[test]
fn a_price_can_get_another_currency_later() {
    let mut play = Play::new();
    let price = id(&price(&mut play, "&unit_amount=1000&recurring[interval]=month"));
    let in_yen = "currency_options[jpy][unit_amount]=1500";
    play.post(&format!("/v1/prices/{price}"), in_yen);
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &price, "&currency=jpy");
    assert_eq!(first_total(&mut play, &sub), (1_500, "jpy".to_owned()));
    let own = play.refused("POST", &format!("/v1/prices/{price}"), "currency_options[usd][unit_amount]=5", 400);
    assert_eq!(own["param"], "currency_options[usd]");
}

#[test]
fn checkout_sells_in_the_currency_of_the_session() {
    let mut play = Play::new();
    let options = "&unit_amount=1000&currency_options[eur][unit_amount]=900";
    let (once, monthly) = (id(&price(&mut play, options)), price_in_euros(&mut play, 2_000, 1_800));
    let line = |n: usize, price: &str| format!("&line_items[{n}][price]={price}&line_items[{n}][quantity]=1");
    let open = format!("mode=subscription&success_url=https://x.test{}{}", line(0, &monthly), line(1, &once));
    for (more, currency, total) in [("", "usd", 3_000), ("&currency=eur", "eur", 2_700)] {
        let session = play.post("/v1/checkout/sessions", &format!("{open}{more}"));
        assert_eq!((&session["currency"], &session["amount_total"]), (&json!(currency), &json!(total)));
        let customer = "billing_details[email]=a@example.com";
        let card = id(&play.post("/v1/payment_methods", &format!("type=card&card[token]=tok_visa&{customer}")));
        play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), &format!("payment_method={card}"));
        let paid = play.get(&format!("/v1/checkout/sessions/{}", id(&session)));
        let sub = play.get(&format!("/v1/subscriptions/{}", paid["subscription"].as_str().unwrap()));
        assert_eq!((&sub["currency"], first_total(&mut play, &sub)), (&json!(currency), (total, currency.to_owned())));
    }
    let error = play.refused("POST", "/v1/checkout/sessions", &format!("{open}&currency=gbp"), 400);
    assert_eq!(error["param"], "currency");
}

#[test]
fn contradictory_prices_are_refused() {
    let mut play = Play::new();
    let product = id(&play.post("/v1/products", "name=Seats"));
    for (form, param) in [
        (TIERS.to_owned(), "tiers_mode"),
        (format!("{TIERS}&tiers_mode=volume&unit_amount=5"), "unit_amount"),
        ("&billing_scheme=tiered&tiers_mode=volume".to_owned(), "tiers"),
        ("&billing_scheme=tiered&tiers_mode=volume&tiers[0][up_to]=5&tiers[0][unit_amount]=1".to_owned(), "tiers[0][up_to]"),
        ("&billing_scheme=tiered&tiers_mode=volume&tiers[0][up_to]=inf".to_owned(), "tiers[0][unit_amount]"),
        (
            "&billing_scheme=tiered&tiers_mode=volume&tiers[0][up_to]=5&tiers[0][unit_amount]=1&tiers[1][up_to]=4&tiers[1][unit_amount]=1"
                .to_owned(),
            "tiers[1][up_to]",
        ),
        ("&unit_amount=5&tiers_mode=volume".to_owned(), "tiers_mode"),
        ("&unit_amount=5&currency_options[usd][unit_amount]=5".to_owned(), "currency_options[usd]"),
        ("&unit_amount=5&currency_options[eur][tax_behavior]=inclusive".to_owned(), "currency_options[eur][unit_amount]"),
        ("&unit_amount=5&currency_options[zzz][unit_amount]=5".to_owned(), "currency_options[zzz]"),
    ] {
        let form = format!("product={product}&currency=usd{form}");
        assert_eq!(play.refused("POST", "/v1/prices", &form, 400)["param"], param, "{form}");
    }
}
