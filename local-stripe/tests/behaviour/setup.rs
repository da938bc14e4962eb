//! Saving a card without a payment: setup intents, sessions in setup mode, trials that request a card.

use crate::play::{Play, id};
use serde_json::{Value, json};

#[test]
fn a_card_is_saved_for_its_customer() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", ""));
    let intent = play.post("/v1/setup_intents", &format!("customer={customer}&metadata[a]=b"));
    assert_eq!((&intent["status"], &intent["usage"]), (&json!("requires_payment_method"), &json!("off_session")));
    play.events();
    let done = play.post(&format!("/v1/setup_intents/{}/confirm", id(&intent)), "payment_method=pm_card_visa");
    assert_eq!(play.events(), ["payment_method.attached", "setup_intent.succeeded"]);
    assert_eq!((&done["status"], &done["metadata"]), (&json!("succeeded"), &json!({"a": "b"})));
    let kept = play.get(&format!("/v1/customers/{customer}/payment_methods"));
    assert_eq!(kept["data"][0]["id"], done["payment_method"]);
    let attempts = play.get(&format!("/v1/setup_attempts?setup_intent={}", id(&intent)));
    assert_eq!(
        (&attempts["data"][0]["id"], &attempts["data"][0]["status"]),
        (&done["latest_attempt"], &json!("succeeded"))
    );
    play.refused("POST", &format!("/v1/setup_intents/{}/cancel", id(&intent)), "", 400);
}

#[test]
fn a_declined_card_is_not_saved_but_one_that_fails_later_is() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", ""));
    let intent = id(&play.post("/v1/setup_intents", &format!("customer={customer}")));
    let confirm = format!("/v1/setup_intents/{intent}/confirm");
    let error = play.refused("POST", &confirm, "payment_method=pm_card_chargeDeclined", 402);
    assert_eq!((&error["type"], &error["code"]), (&json!("card_error"), &json!("card_declined")));
    let failed = play.get(&format!("/v1/setup_intents/{intent}"));
    assert_eq!(
        (&failed["status"], &failed["last_setup_error"]["code"]),
        (&json!("requires_payment_method"), &json!("card_declined"))
    );
    assert!(play.events().contains(&"setup_intent.setup_failed".to_owned()));
    assert_eq!(play.post(&confirm, "payment_method=pm_card_chargeCustomerFail")["status"], "succeeded");
}

#[test]
fn three_d_secure_passed_at_setup_is_not_required_off_session() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", ""));
    let form = format!("customer={customer}&confirm=true&payment_method=pm_card_authenticationRequiredOnSetup");
    let intent = play.post("/v1/setup_intents", &format!("{form}&return_url=https://x.test/back"));
    assert_eq!(
        (&intent["status"], &intent["next_action"]["type"]),
        (&json!("requires_action"), &json!("redirect_to_url"))
    );
    let path = format!("/_sandbox/authenticate/{}", id(&intent));
    play.refused("POST", &path, "outcome=failure", 402);
    let method = "payment_method=pm_card_authenticationRequiredOnSetup";
    play.post(&format!("/v1/setup_intents/{}/confirm", id(&intent)), method);
    let done = play.post(&path, "outcome=success");
    assert_eq!(done["status"], "succeeded");
    let method = done["payment_method"].as_str().unwrap();
    let pay =
        format!("amount=500&currency=usd&customer={customer}&payment_method={method}&confirm=true&off_session=true");
    assert_eq!(play.post("/v1/payment_intents", &pay)["status"], "succeeded");
}

#[test]
fn a_session_in_setup_mode_costs_nothing() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", ""));
    let form = format!("mode=setup&success_url=https://x.test&customer={customer}&setup_intent_data[metadata][a]=b");
    let session = play.post("/v1/checkout/sessions", &form);
    assert_eq!((&session["payment_status"], &session["amount_total"]), (&json!("no_payment_required"), &Value::Null));
    let card = id(&play.post("/v1/payment_methods", "type=card&card[token]=tok_visa"));
    play.events();
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), &format!("payment_method={card}"));
    assert_eq!(play.events(), ["payment_method.attached", "setup_intent.succeeded", "checkout.session.completed"]);
    let done = play.get(&format!("/v1/checkout/sessions/{}?expand[0]=setup_intent", id(&session)));
    assert_eq!(
        (&done["status"], &done["setup_intent"]["payment_method"], &done["setup_intent"]["metadata"]["a"]),
        (&json!("complete"), &json!(card), &json!("b"))
    );
    let other = id(&play.post("/v1/checkout/sessions", &form));
    play.post(&format!("/v1/checkout/sessions/{other}/expire"), "");
    assert!(play.events().contains(&"setup_intent.canceled".to_owned()));
    let buys = format!("{form}&line_items[0][price]=p&line_items[0][quantity]=1");
    play.refused("POST", "/v1/checkout/sessions", &buys, 400);
}

#[test]
fn a_trial_without_a_card_creates_a_setup_intent() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = id(&play.post("/v1/customers", ""));
    let sub = play.subscribe(&customer, &price, "&trial_period_days=14&payment_behavior=default_incomplete");
    let intent = sub["pending_setup_intent"].as_str().unwrap().to_owned();
    play.post(&format!("/v1/setup_intents/{intent}/confirm"), "payment_method=pm_card_visa");
    let now = play.get(&format!("/v1/subscriptions/{}", id(&sub)));
    assert!(now["pending_setup_intent"].is_null() && now["default_payment_method"].is_string());
    play.until_day(16);
    assert_eq!(play.get(&format!("/v1/subscriptions/{}", id(&sub)))["status"], "active");
}
