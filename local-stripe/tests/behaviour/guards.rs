//! Checks between objects: promotion codes that are used up, payments with another customer's card, changes to an
//! invoice's intent, transfers without funds.

use crate::play::{Play, id, request};
use local_stripe::sandbox::json_of;
use serde_json::json;

fn card(play: &mut Play, token: &str) -> String {
    id(&play.post("/v1/payment_methods", &format!("type=card&card[token]={token}")))
}

#[test]
fn a_promotion_code_applied_after_a_declined_card_changes_the_amount() {
    let mut play = Play::new();
    play.post("/v1/coupons", "id=HALF&percent_off=50&duration=once");
    play.post("/v1/promotion_codes", "coupon=HALF&code=HALF&max_redemptions=1");
    let price = play.price("Shirt", 2_000, "");
    let form = format!(
        "mode=payment&success_url=https://x.test&line_items[0][price]={price}&line_items[0][quantity]=1&allow_promotion_codes=true"
    );
    let sessions = [(); 2].map(|()| id(&play.post("/v1/checkout/sessions", &form)));
    let declined = card(&mut play, "tok_chargeCustomerFail");
    let confirm = format!("/v1/payment_pages/{}/confirm", sessions[0]);
    play.refused("POST", &confirm, &format!("payment_method={declined}"), 402);
    for session in &sessions {
        play.post(&format!("/_sandbox/checkout/sessions/{session}/promotion_code"), "code=half");
    }
    let visa = card(&mut play, "tok_visa");
    play.post(&confirm, &format!("payment_method={visa}"));
    let paid = play.event("payment_intent.succeeded");
    assert_eq!(paid["data"]["object"]["amount_received"], 1_000);
    // The first session used up the promotion code that the other session applied, too.
    let other = format!("/v1/payment_pages/{}/confirm", sessions[1]);
    let error = play.refused("POST", &other, &format!("payment_method={visa}"), 400);
    assert_eq!(error["code"], "promotion_code_invalid");
}

#[test]
fn a_subscription_continues_if_its_trial_is_ended_with_a_new_card() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = id(&play.post("/v1/customers", ""));
    let pause = "&trial_settings[end_behavior][missing_payment_method]=pause";
    let sub = id(&play.subscribe(&customer, &price, &format!("&trial_period_days=14{pause}")));
    let method = id(&play.post("/v1/payment_methods/pm_card_visa/attach", &format!("customer={customer}")));
    let form = format!("trial_end=now&default_payment_method={method}");
    let ended = play.post(&format!("/v1/subscriptions/{sub}"), &form);
    assert_eq!((&ended["status"], &ended["default_payment_method"]), (&json!("active"), &json!(method)));
}

#[test]
fn a_pending_change_accepts_only_some_parameters_and_is_replaced_by_the_next() {
    let mut play = Play::new();
    let (pro, team) = (play.monthly("Pro", 2_000), play.monthly("Team", 5_000));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &pro, "");
    let (item, sub) = (id(&sub["items"]["data"][0]), id(&sub));
    play.new_card(&customer, "pm_card_authenticationRequired");
    play.until_day(10);
    let path = format!("/v1/subscriptions/{sub}");
    let change = |price: &str, quantity: i64| {
        format!(
            "items[0][id]={item}&items[0][price]={price}&items[0][quantity]={quantity}&proration_behavior=always_invoice&payment_behavior=pending_if_incomplete"
        )
    };
    let error = play.refused("POST", &path, &format!("{}&metadata[a]=b", change(&team, 1)), 400);
    assert_eq!(error["param"], "metadata");
    let first = play.post(&path, &change(&team, 1))["latest_invoice"].as_str().unwrap().to_owned();
    play.post(&path, &change(&team, 2));
    assert_eq!(play.get(&format!("/v1/invoices/{first}"))["status"], "void");
    play.ok("DELETE", &path, "");
    assert!(play.get(&path)["pending_update"].is_null());
}

#[test]
fn an_invoices_intent_is_changed_and_cancelled_only_by_the_invoice() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let more = "&payment_behavior=default_incomplete&expand[0]=latest_invoice.confirmation_secret";
    let sub = play.subscribe(&customer, &price, more);
    let secret = sub["latest_invoice"]["confirmation_secret"]["client_secret"].as_str().unwrap();
    let intent = format!("/v1/payment_intents/{}", secret.split("_secret_").next().unwrap());
    for form in ["amount=50", "currency=eur", "capture_method=manual"] {
        play.refused("POST", &intent, form, 400);
    }
    play.refused("POST", &format!("{intent}/confirm"), "capture_method=manual", 400);
    play.refused("POST", &format!("{intent}/cancel"), "", 400);
    assert_eq!(play.post(&format!("{intent}/confirm"), "")["amount_received"], 2_000);
}

#[test]
fn paying_with_another_customers_or_a_detached_card_is_refused() {
    let mut play = Play::new();
    let (owner, other) = (play.customer("pm_card_visa"), play.customer("pm_card_chargeCustomerFail"));
    let method = play.get(&format!("/v1/customers/{owner}"))["invoice_settings"]["default_payment_method"]
        .as_str()
        .unwrap()
        .to_owned();
    play.post("/v1/invoiceitems", &format!("customer={other}&currency=usd&amount=2000"));
    let invoice = id(&play.post("/v1/invoices", &format!("customer={other}&pending_invoice_items_behavior=include")));
    let form = format!("payment_method={method}");
    assert_eq!(play.refused("POST", &format!("/v1/invoices/{invoice}/pay"), &form, 400)["param"], "payment_method");
    let price = play.price("Shirt", 1_500, "");
    let session =
        format!("mode=payment&success_url=https://x.test&line_items[0][price]={price}&line_items[0][quantity]=1");
    let session = id(&play.post("/v1/checkout/sessions", &session));
    play.refused("POST", &format!("/v1/payment_pages/{session}/confirm"), &form, 400);
    let monthly = play.monthly("Pro", 2_000);
    let sub = id(&play.subscribe(&owner, &monthly, &format!("&default_payment_method={method}")));
    play.post(&format!("/v1/payment_methods/{method}/detach"), "");
    play.until_day(32);
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "past_due");
}

#[test]
fn a_renewal_includes_pending_items_up_to_the_limit_of_lines() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    for _ in 0..250 {
        play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=10"));
    }
    play.until_day(31);
    let latest = |play: &mut Play| {
        let sub = play.get(&format!("/v1/subscriptions/{sub}"));
        play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()))["amount_paid"].clone()
    };
    assert_eq!(latest(&mut play), 2_000 + 249 * 10);
    play.until_day(62);
    assert_eq!(latest(&mut play), 2_000 + 10);
}

#[test]
fn processing_and_uncaptured_amounts_can_not_be_transferred() {
    let mut play = Play::new();
    let seller = id(&play.post("/v1/accounts", "capabilities[transfers][requested]=true&tos_acceptance[date]=1"));
    let debit = "amount=5000&currency=usd&confirm=true&payment_method=pm_usBankAccount_success&payment_method_types[0]=us_bank_account";
    let charge = play.post("/v1/payment_intents", debit)["latest_charge"].as_str().unwrap().to_owned();
    let form = |charge: &str, amount: i64| {
        format!("amount={amount}&currency=usd&destination={seller}&source_transaction={charge}")
    };
    play.refused("POST", "/v1/transfers", &form(&charge, 1), 400);
    let held = "amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa&capture_method=manual";
    let held = play.post("/v1/payment_intents", held);
    play.post(&format!("/v1/payment_intents/{}/capture", id(&held)), "amount_to_capture=1500");
    let charge = held["latest_charge"].as_str().unwrap();
    play.refused("POST", "/v1/transfers", &form(charge, 1_501), 400);
    play.post("/v1/transfers", &form(charge, 1_500));
}

#[test]
fn a_succeeded_setup_intent_keeps_its_payment_method() {
    let mut play = Play::new();
    let done = id(&play.post("/v1/setup_intents", "confirm=true&payment_method=pm_card_visa"));
    play.refused("POST", &format!("/v1/setup_intents/{done}"), "payment_method=pm_card_visa", 400);
    play.post(&format!("/v1/setup_intents/{done}"), "metadata[a]=b");
}

#[test]
fn a_publishable_key_can_not_expand_or_change_the_intent() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let intent = play.post("/v1/payment_intents", &format!("amount=1000&currency=usd&customer={customer}"));
    let secret = intent["client_secret"].as_str().unwrap();
    for (more, status) in [("", 200), ("&expand[0]=customer", 400), ("&off_session=true", 400)] {
        let form = format!("key=pk_test_1&client_secret={secret}{more}");
        let mut asked = request("GET", &format!("/v1/payment_intents/{}", id(&intent)), &form);
        asked.authorization = None;
        let answer = play.sandbox.handle(&asked);
        assert_eq!(answer.status, status, "{more}: {}", json_of(&answer));
    }
}

#[test]
fn metered_usage_in_a_trial_is_free() {
    let mut play = Play::new();
    let form = "display_name=Calls&event_name=calls&default_aggregation[formula]=sum";
    let meter = id(&play.post("/v1/billing/meters", form));
    let metered = format!("&recurring[interval]=month&recurring[usage_type]=metered&recurring[meter]={meter}");
    let price = play.price("Calls", 100, &metered);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, "&trial_period_days=5"));
    play.until_day(2);
    let event = format!("event_name=calls&payload[stripe_customer_id]={customer}&payload[value]=10");
    play.post("/v1/billing/meter_events", &event);
    play.until_day(6);
    let sub = play.get(&format!("/v1/subscriptions/{sub}?expand[0]=latest_invoice"));
    assert_eq!((&sub["status"], &sub["latest_invoice"]["total"]), (&json!("active"), &json!(0)));
}
