//! What the suites of Laravel Cashier and activemerchant expect of Stripe, as far as no other test has it.

use crate::play::{Play, id, request};
use local_stripe::sandbox::json_of;
use serde_json::{Value, json};

/// Cashier 15's version.
const CASHIER: &str = "2023-10-16";
/// The version of Cashier 13 and of activemerchant.
const OLD: &str = "2020-08-27";
const CARD: &str = "card[number]=4242424242424242&card[exp_month]=9&card[exp_year]=2035&card[cvc]=123";

fn call(play: &mut Play, version: &str, method: &str, path: &str, form: &str) -> Value {
    let mut asked = request(method, path, form);
    asked.version = Some(version.into());
    let answer = play.sandbox.handle(&asked);
    let body = json_of(&answer);
    assert_eq!(answer.status, 200, "{method} {path} {form}: {body}");
    body
}

fn post(play: &mut Play, version: &str, path: &str, form: &str) -> Value {
    call(play, version, "POST", path, form)
}

/// The form of a payment that is confirmed at once.
fn paid_with(method: &str) -> String {
    format!("amount=2000&currency=usd&confirm=true&payment_method={method}&return_url=https://shop.test/")
}

#[test]
fn cashier_swaps_a_plan_and_invoices_at_once() {
    let mut play = Play::new();
    let (pro, team) = (play.monthly("Pro", 1_000), play.monthly("Team", 2_000));
    let customer = play.customer("pm_card_visa");
    let form = format!(
        "customer={customer}&items[0][price]={pro}&items[0][quantity]=1&payment_behavior=allow_incomplete&off_session=true\
         &expand[0]=latest_invoice.payment_intent"
    );
    let sub = post(&mut play, CASHIER, "/v1/subscriptions", &form);
    assert_eq!(sub["latest_invoice"]["payment_intent"]["status"], "succeeded");
    let (path, item) = (format!("/v1/subscriptions/{}", id(&sub)), id(&sub["items"]["data"][0]));
    let form = format!(
        "items[0][id]={item}&items[0][price]={team}&items[0][quantity]=1&proration_behavior=always_invoice\
         &payment_behavior=pending_if_incomplete&expand[0]=latest_invoice.payment_intent"
    );
    let swapped = post(&mut play, CASHIER, &path, &form);
    assert_eq!((&swapped["plan"]["id"], &swapped["latest_invoice"]["total"]), (&json!(team), &json!(1_000)));
    let upcoming = call(&mut play, CASHIER, "GET", "/v1/invoices/upcoming", &format!("customer={customer}"));
    assert_eq!((&upcoming["total"], &upcoming["subscription"]), (&json!(2_000), &sub["id"]));
    let cancelled = post(&mut play, CASHIER, &path, "cancel_at_period_end=true");
    assert_eq!(cancelled["cancel_at"], cancelled["current_period_end"]);
    let resumed = post(&mut play, CASHIER, &path, "cancel_at_period_end=false");
    assert_eq!((&resumed["status"], &resumed["cancel_at"]), (&json!("active"), &json!(null)));
}

#[test]
fn cashier_tabs_an_item_with_a_tax_behavior_and_checks_out_with_tax_rates() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 1_000);
    let customer = play.customer("pm_card_visa");
    let product = id(&post(&mut play, CASHIER, "/v1/products", "name=Laptop"));
    let form = format!(
        "customer={customer}&price_data[currency]=usd&price_data[product]={product}&price_data[unit_amount]=500\
         &price_data[tax_behavior]=exclusive"
    );
    let item = post(&mut play, CASHIER, "/v1/invoiceitems", &form);
    assert_eq!((&item["price"]["tax_behavior"], &item["amount"]), (&json!("exclusive"), &json!(500)));
    let rate =
        id(&post(&mut play, CASHIER, "/v1/tax_rates", "display_name=VAT&percentage=21&inclusive=false&country=BE"));
    let form = format!(
        "mode=subscription&customer={customer}&line_items[0][price]={price}&line_items[0][quantity]=1\
         &subscription_data[default_tax_rates][0]={rate}&success_url=https://shop.test/"
    );
    assert_eq!(post(&mut play, CASHIER, "/v1/checkout/sessions", &form)["amount_total"], 1_210);
}

#[test]
fn cashier_stores_cards_and_a_belgian_bank_account() {
    let mut play = Play::new();
    let customer = id(&post(&mut play, CASHIER, "/v1/customers", "email=taylor@example.com"));
    let card = call(&mut play, CASHIER, "GET", "/v1/payment_methods/pm_card_visa", "");
    assert_eq!(card["card"]["last4"], "4242");
    let path = "/v1/payment_methods/pm_card_visa/attach";
    let kept = id(&post(&mut play, CASHIER, path, &format!("customer={customer}")));
    let form = format!("invoice_settings[default_payment_method]={kept}");
    let set = post(&mut play, CASHIER, &format!("/v1/customers/{customer}"), &form);
    assert_eq!(set["invoice_settings"]["default_payment_method"], kept);
    let form =
        "type=sepa_debit&sepa_debit[iban]=BE62510007547061&billing_details[name]=T&billing_details[email]=t@x.co";
    let bank = post(&mut play, CASHIER, "/v1/payment_methods", form);
    assert_eq!((&bank["sepa_debit"]["last4"], &bank["sepa_debit"]["country"]), (&json!("7061"), &json!("BE")));
}

#[test]
fn activemerchant_authorizes_captures_and_refunds_by_intent() {
    let mut play = Play::new();
    let method = id(&post(&mut play, OLD, "/v1/payment_methods", &format!("type=card&{CARD}")));
    let form = format!("{}&capture_method=manual&confirmation_method=manual", paid_with(&method));
    let held = post(&mut play, OLD, "/v1/payment_intents", &form);
    let charge = &held["charges"]["data"][0];
    assert_eq!((&held["status"], &charge["captured"]), (&json!("requires_capture"), &json!(false)));
    assert_eq!(charge["payment_method_details"]["card"]["brand"], "visa");
    let path = format!("/v1/payment_intents/{}", id(&held));
    let captured = post(&mut play, OLD, &format!("{path}/capture"), "amount_to_capture=1500");
    assert_eq!((&captured["status"], &captured["amount_received"]), (&json!("succeeded"), &json!(1_500)));
    for step in ["capture", "cancel"] {
        let error = play.refused("POST", &format!("{path}/{step}"), "", 400);
        assert_eq!(
            (&error["code"], &error["payment_intent"]["status"]),
            (&json!("payment_intent_unexpected_state"), &json!("succeeded"))
        );
    }
    let refund = post(&mut play, OLD, "/v1/refunds", &format!("charge={}&amount=500", id(charge)));
    assert_eq!((&refund["status"], &refund["amount"]), (&json!("succeeded"), &json!(500)));
}

#[test]
fn activemerchant_pays_with_tokens_cards_and_secure_cards() {
    let mut play = Play::new();
    let charge = post(&mut play, OLD, "/v1/charges", &format!("amount=2000&currency=usd&{CARD}"));
    assert_eq!((&charge["paid"], &charge["source"]["last4"]), (&json!(true), &json!("4242")));
    let customer = post(&mut play, OLD, "/v1/customers", CARD);
    assert!(customer["default_source"].as_str().unwrap().starts_with("card_"), "{customer}");
    let method = id(&post(&mut play, OLD, "/v1/payment_methods", "type=card&card[token]=tok_visa"));
    assert_eq!(post(&mut play, OLD, "/v1/payment_intents", &paid_with(&method))["status"], "succeeded");
    for (number, status) in [
        // Of Cartes Bancaires and Visa; with optional 3-D Secure; with required 3-D Secure.
        ("4000002500001001", "succeeded"),
        ("4000000000003055", "succeeded"),
        ("4000000000003220", "requires_action"),
        ("4000002760003184", "requires_action"),
    ] {
        let form = format!("type=card&card[number]={number}&card[exp_month]=9&card[exp_year]=2035&card[cvc]=123");
        let method = id(&post(&mut play, OLD, "/v1/payment_methods", &form));
        assert_eq!(post(&mut play, OLD, "/v1/payment_intents", &paid_with(&method))["status"], status, "{number}");
    }
    let demanded = format!(
        "{}&payment_method_options[card][request_three_d_secure]=any",
        paid_with("pm_card_threeDSecureOptional")
    );
    assert_eq!(post(&mut play, OLD, "/v1/payment_intents", &demanded)["status"], "requires_action");
}

#[test]
fn activemerchant_stores_a_card_and_charges_it_off_session() {
    let mut play = Play::new();
    let customer = id(&post(&mut play, OLD, "/v1/customers", "email=longbob@example.com"));
    let path = "/v1/payment_methods/pm_card_visa/attach";
    let method = id(&post(&mut play, OLD, path, &format!("customer={customer}")));
    let form = format!("{}&customer={customer}&setup_future_usage=off_session", paid_with(&method));
    let first = post(&mut play, OLD, "/v1/payment_intents", &form);
    assert_eq!((&first["status"], &first["setup_future_usage"]), (&json!("succeeded"), &json!("off_session")));
    let later = format!("{}&customer={customer}&off_session=true", paid_with(&method));
    assert_eq!(post(&mut play, OLD, "/v1/payment_intents", &later)["status"], "succeeded");
    let verified =
        post(&mut play, OLD, "/v1/setup_intents", "confirm=true&payment_method=pm_card_visa&usage=off_session");
    assert_eq!(verified["status"], "succeeded");
    let declined = paid_with("pm_card_chargeDeclinedInsufficientFunds");
    let error = play.refused("POST", "/v1/payment_intents", &declined, 402);
    assert_eq!(
        (&error["code"], &error["decline_code"], &error["message"]),
        (&json!("card_declined"), &json!("insufficient_funds"), &json!("Your card has insufficient funds."))
    );
    let path = format!("/v1/payment_methods/{method}/detach");
    assert_eq!(post(&mut play, OLD, &path, "")["customer"], json!(null));
}
