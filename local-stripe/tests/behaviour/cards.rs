//! Test cards by name, demanded 3-D Secure, and payment links that are used up.

use crate::play::{Play, id};
use serde_json::{Value, json};

const PAY: &str = "amount=2000&currency=usd&confirm=true&return_url=https://x.test";

#[test]
fn a_test_name_gives_a_payment_method_everywhere() {
    let mut play = Play::new();
    let names = [
        "pm_card_visa",
        "pm_card_visa_chargeDeclined",
        "pm_card_visa_chargeDeclinedLostCard",
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
        "pm_card_chargeCustomerFail",
        "pm_card_authenticationRequiredSetupForOffSession",
        "pm_card_amex_threeDSecureNotSupported",
        "pm_usBankAccount_success",
    ];
    for name in names {
        let method = play.get(&format!("/v1/payment_methods/{name}"));
        assert_eq!(method["object"], "payment_method", "{name}");
        // The method can be used by its id, and the next call gives another one.
        assert_eq!(play.get(&format!("/v1/payment_methods/{}", id(&method))), method);
        assert_ne!(id(&play.get(&format!("/v1/payment_methods/{name}"))), id(&method));
    }
    let debit = play.get("/v1/payment_methods/pm_card_mastercard_debit");
    assert_eq!((&debit["card"]["brand"], &debit["card"]["funding"]), (&json!("mastercard"), &json!("debit")));
    let error = play.refused("GET", "/v1/payment_methods/pm_card_none", "", 404);
    assert_eq!((&error["code"], &error["param"]), (&json!("resource_missing"), &json!("id")));
    let customer = play.customer("pm_card_visa");
    let method = id(&play.get("/v1/payment_methods/pm_card_mastercard"));
    play.post(&format!("/v1/payment_methods/{method}/attach"), &format!("customer={customer}"));
}

#[test]
fn a_card_that_is_set_up_pays_without_its_owner() {
    let mut play = Play::new();
    let card = "payment_method=pm_card_authenticationRequiredSetupForOffSession";
    assert_eq!(play.post("/v1/payment_intents", &format!("{PAY}&{card}"))["status"], "requires_action");
    let paid = play.post("/v1/payment_intents", &format!("{PAY}&{card}&off_session=true"));
    assert_eq!(paid["status"], "succeeded");
    let card = "payment_method=pm_card_authenticationRequiredChargeDeclinedInsufficientFunds";
    let waiting = play.post("/v1/payment_intents", &format!("{PAY}&{card}"));
    assert_eq!(waiting["status"], "requires_action");
    let path = format!("/_sandbox/authenticate/{}", id(&waiting));
    assert_eq!(play.refused("POST", &path, "outcome=success", 402)["decline_code"], "insufficient_funds");
}

#[test]
fn a_refund_may_be_pending_first() {
    let mut play = Play::new();
    let paid = play.post("/v1/payment_intents", &format!("{PAY}&payment_method=pm_card_pendingRefund"));
    play.events();
    let refund = play.post("/v1/refunds", &format!("payment_intent={}", id(&paid)));
    assert_eq!(refund["status"], "pending");
    assert_eq!(play.events(), ["refund.created", "charge.refunded", "refund.updated", "charge.refund.updated"]);
    assert_eq!(play.get(&format!("/v1/refunds/{}", id(&refund)))["status"], "succeeded");
    let event = play.event("refund.updated");
    assert_eq!(event["data"]["previous_attributes"], json!({ "status": "pending" }));
}

#[test]
fn three_d_secure_can_be_demanded() {
    let mut play = Play::new();
    let demand = |wanted: &str| format!("payment_method_options[card][request_three_d_secure]={wanted}");
    for (wanted, card, status) in [
        ("any", "pm_card_visa", "requires_action"),
        ("challenge", "pm_card_visa", "requires_action"),
        ("automatic", "pm_card_visa", "succeeded"),
        ("any", "pm_card_amex", "succeeded"),
    ] {
        let form = format!("{PAY}&payment_method={card}&{}", demand(wanted));
        let intent = play.post("/v1/payment_intents", &form);
        assert_eq!((&intent["status"], wanted, card), (&json!(status), wanted, card));
        assert_eq!(intent["payment_method_options"]["card"]["request_three_d_secure"], wanted);
        if status == "requires_action" {
            play.post(&format!("/_sandbox/authenticate/{}", id(&intent)), "outcome=success");
            let charge = play.get(&format!("/v1/payment_intents/{}?expand[0]=latest_charge", id(&intent)));
            let proof = &charge["latest_charge"]["payment_method_details"]["card"]["three_d_secure"];
            assert_eq!((&charge["status"], &proof["result"]), (&json!("succeeded"), &json!("authenticated")));
        }
    }
    // At the confirmation, too; and without the customer, the payment is declined.
    let intent = play.post("/v1/payment_intents", "amount=2000&currency=usd&payment_method=pm_card_visa");
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let form = format!("{}&off_session=true", demand("any"));
    assert_eq!(play.refused("POST", &path, &form, 402)["code"], "authentication_required");
    let form = format!("{}&payment_method=pm_card_visa", demand("any"));
    assert_eq!(play.post(&path, &form)["status"], "requires_action");
    // A declined card is not authenticated first.
    let form = format!("{PAY}&payment_method=pm_card_chargeDeclined&{}", demand("any"));
    assert_eq!(play.refused("POST", "/v1/payment_intents", &form, 402)["code"], "card_declined");
    let form = format!("confirm=true&return_url=https://x.test&payment_method=pm_card_visa&{}", demand("any"));
    let setup = play.post("/v1/setup_intents", &form);
    assert_eq!(setup["status"], "requires_action");
    play.post(&format!("/_sandbox/authenticate/{}", id(&setup)), "outcome=success");
    assert_eq!(play.get(&format!("/v1/setup_intents/{}", id(&setup)))["status"], "succeeded");
    for wrong in
        ["payment_method_options[card][request_three_d_secure]=always", "payment_method_options[card][moto]=true"]
    {
        play.refused("POST", "/v1/payment_intents", &format!("{PAY}&payment_method=pm_card_visa&{wrong}"), 400);
    }
}

#[test]
fn checkout_demands_three_d_secure() {
    let mut play = Play::new();
    let (once, monthly) = (play.price("Book", 1_000, ""), play.monthly("Pro", 3_000));
    let line = |price: &str| format!("line_items[0][price]={price}&line_items[0][quantity]=1");
    for more in [
        format!("mode=payment&{}", line(&once)),
        format!("mode=subscription&{}", line(&monthly)),
        "mode=setup&currency=usd".into(),
    ] {
        let form = format!(
            "{more}&success_url=https://x.test&payment_method_options[card][request_three_d_secure]=any&customer_creation=always"
        );
        let form = if more.starts_with("mode=payment") { form } else { form.replace("&customer_creation=always", "") };
        let session = play.post("/v1/checkout/sessions", &form);
        assert_eq!(session["payment_method_options"]["card"]["request_three_d_secure"], "any");
        let path = format!("/v1/payment_pages/{}/confirm", id(&session));
        let page = play.post(&path, "payment_method=pm_card_visa&billing_details[email]=a@example.com");
        let url = page["next_action"]["redirect_to_url"]["url"].as_str().unwrap_or_else(|| panic!("{more}: {page}"));
        let waits = url.rsplit('/').next().unwrap().to_owned();
        play.post(&format!("/_sandbox/authenticate/{waits}"), "outcome=success");
        assert_eq!(play.get(&format!("/v1/checkout/sessions/{}", id(&session)))["status"], "complete", "{more}");
    }
}

#[test]
fn options_of_the_card_come_before_those_of_the_intent() {
    let mut play = Play::new();
    let options = "payment_method_options[card][capture_method]=manual&payment_method_options[card][setup_future_usage]=off_session";
    let customer = id(&play.post("/v1/customers", "email=a@example.com"));
    let form = format!("{PAY}&payment_method=pm_card_visa&customer={customer}&{options}");
    assert_eq!(play.post("/v1/payment_intents", &form)["status"], "requires_capture");
    let saved = |play: &mut Play| {
        play.get(&format!("/v1/customers/{customer}/payment_methods"))["data"].as_array().unwrap().len()
    };
    assert_eq!(saved(&mut play), 1);
    let form = form.replace("[setup_future_usage]=off_session", "[setup_future_usage]=none");
    play.post("/v1/payment_intents", &format!("{form}&setup_future_usage=off_session"));
    assert_eq!(saved(&mut play), 1);
}

#[test]
fn a_payment_link_sells_as_often_as_it_may() {
    let mut play = Play::new();
    let price = play.price("Ticket", 1_234, "");
    let limit = "restrictions[completed_sessions][limit]";
    let form = format!("line_items[0][price]={price}&line_items[0][quantity]=1&{limit}=2&inactive_message=Sold out");
    let link = play.post("/v1/payment_links", &form);
    assert_eq!(link["restrictions"], json!({ "completed_sessions": { "count": 0, "limit": 2 } }));
    let path = format!("/v1/payment_links/{}", id(&link));
    let open = |play: &mut Play| id(&play.post(&format!("/_sandbox/payment_links/{}/open", id(&link)), ""));
    let pay = "payment_method=pm_card_visa&billing_details[email]=a@example.com";
    let buy =
        |play: &mut Play, session: &str| play.call("POST", &format!("/v1/payment_pages/{session}/confirm"), pay).status;
    let sessions: Vec<String> = (0..3).map(|_| open(&mut play)).collect();
    assert_eq!(buy(&mut play, &sessions[0]), 200);
    assert_eq!(
        (&play.get(&path)["active"], &play.get(&path)["restrictions"]["completed_sessions"]["count"]),
        (&json!(true), &json!(1))
    );
    play.events();
    assert_eq!(buy(&mut play, &sessions[1]), 200);
    let told = play.events();
    assert!(told.ends_with(&["payment_link.updated".to_owned(), "checkout.session.expired".to_owned()]), "{told:?}");
    assert_eq!((buy(&mut play, &sessions[2]), &play.get(&path)["active"]), (400, &json!(false)));
    let error = play.refused("POST", &format!("/_sandbox/payment_links/{}/open", id(&link)), "", 400);
    assert_eq!(error["message"], "Sold out");
    play.refused("POST", &path, "active=true", 400);
    // A higher limit, or none, makes it possible again.
    let again = play.post(&path, &format!("{limit}=3&active=true"));
    assert_eq!((&again["active"], &again["restrictions"]["completed_sessions"]["count"]), (&json!(true), &json!(2)));
    assert_eq!(play.post(&path, "restrictions=")["restrictions"], Value::Null);
    open(&mut play);
    play.refused("POST", &path, &format!("{limit}=0"), 400);
}

#[test]
fn a_payment_links_settings_reach_its_sessions() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 3_000);
    let lines = format!("line_items[0][price]={price}&line_items[0][quantity]=1");
    let form = format!(
        "{lines}&payment_method_types[0]=us_bank_account&payment_method_collection=if_required&currency=usd\
        &after_completion[type]=hosted_confirmation&after_completion[hosted_confirmation][custom_message]=Thanks"
    );
    let link = play.post("/v1/payment_links", &form);
    assert_eq!(link["after_completion"]["hosted_confirmation"]["custom_message"], "Thanks");
    let session = play.post(&format!("/_sandbox/payment_links/{}/open", id(&link)), "");
    assert_eq!(
        (&session["payment_method_types"], &session["payment_method_collection"]),
        (&json!(["us_bank_account"]), &json!("if_required"))
    );
    play.refused("POST", "/v1/payment_links", &format!("{lines}&currency=eur"), 400);
}
