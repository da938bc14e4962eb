//! Checkout sessions, paid through the endpoints of the payment page.

use crate::play::{Play, id};
use local_stripe::sandbox::Request;
use serde_json::{Value, json};

fn open(play: &mut Play, mode: &str, price: &str, more: &str) -> Value {
    let form = format!(
        "mode={mode}&line_items[0][price]={price}&line_items[0][quantity]=2&success_url=https://example.com/ok{more}"
    );
    play.post("/v1/checkout/sessions", &form)
}

fn confirm(play: &mut Play, session: &str, card: &str) -> (u16, Value) {
    let method = id(&play
        .post("/v1/payment_methods", &format!("type=card&card[token]={card}&billing_details[email]=a@example.com")));
    let response =
        play.call("POST", &format!("/v1/payment_pages/{session}/confirm"), &format!("payment_method={method}"));
    (response.status, local_stripe::sandbox::json_of(&response))
}

#[test]
fn a_payment_completes_the_session() {
    let mut play = Play::new();
    let price = play.price("Shirt", 1_500, "");
    let session =
        open(&mut play, "payment", &price, "&client_reference_id=7&metadata[a]=b&payment_intent_data[metadata][c]=d");
    assert_eq!(
        (&session["amount_total"], &session["payment_status"], &session["payment_intent"]),
        (&json!(3_000), &json!("unpaid"), &Value::Null)
    );
    let page = play.get(&format!("/v1/payment_pages/{}", id(&session)));
    play.refused(
        "POST",
        &format!("/v1/payment_pages/{}/confirm", id(&page)),
        "payment_method=pm_card_visa&expected_amount=1",
        400,
    );
    play.events();
    assert_eq!(confirm(&mut play, &id(&page), "tok_visa").0, 200);
    assert_eq!(
        play.events(),
        ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"]
    );
    let done =
        play.get(&format!("/v1/checkout/sessions/{}?expand[0]=payment_intent&expand[1]=line_items", id(&session)));
    assert_eq!(
        (&done["status"], &done["payment_status"], &done["customer"]),
        (&json!("complete"), &json!("paid"), &Value::Null)
    );
    assert_eq!(done["customer_details"]["email"], "a@example.com");
    // The session's own metadata is not copied to the payment intent.
    assert_eq!(done["payment_intent"]["metadata"], json!({"c": "d"}));
    assert_eq!(done["line_items"]["data"][0]["amount_total"], 3_000);
    assert_eq!(confirm(&mut play, &id(&session), "tok_visa").0, 400);
}

#[test]
fn a_session_is_rendered_in_the_requested_version() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 1_000);
    let session = id(&open(&mut play, "subscription", &price, ""));
    assert_eq!(confirm(&mut play, &session, "tok_visa").0, 200);
    let mut in_2020 = |path: &str| {
        let asked = crate::play::request("GET", path, "");
        let answer = play.sandbox.handle(&Request { version: Some("2020-08-27".into()), ..asked });
        local_stripe::sandbox::json_of(&answer)
    };
    let shown = in_2020(&format!("/v1/checkout/sessions/{session}"));
    assert_eq!((shown.get("shipping"), shown.get("managed_payments")), (Some(&Value::Null), None));
    assert_eq!(shown["status"], "complete");
    let subscription = in_2020(&format!("/v1/subscriptions/{}", shown["subscription"].as_str().unwrap()));
    let invoice = in_2020(&format!("/v1/invoices/{}", subscription["latest_invoice"].as_str().unwrap()));
    let line = &invoice["lines"]["data"][0];
    assert_eq!(line["subscription_item"], subscription["items"]["data"][0]["id"]);
    assert_eq!((line.get("invoice_item"), &invoice["auto_advance"]), (None, &json!(false)));
}

#[test]
fn a_subscription_is_created_only_after_its_payment() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 1_000);
    let session = id(&open(&mut play, "subscription", &price, "&subscription_data[metadata][account]=1"));
    let (status, answer) = confirm(&mut play, &session, "tok_chargeCustomerFail");
    assert_eq!((status, answer["error"]["code"].as_str()), (402, Some("card_declined")));
    assert_eq!((play.sandbox.state().count("subscription"), play.sandbox.state().count("customer")), (0, 0));
    play.events();
    assert_eq!(confirm(&mut play, &session, "tok_visa").0, 200);
    let events = play.events();
    assert_eq!(
        (events.first().map(String::as_str), events.last().map(String::as_str)),
        (Some("customer.created"), Some("checkout.session.completed"))
    );
    let done = play.get(&format!("/v1/checkout/sessions/{session}?expand[0]=subscription"));
    assert_eq!(
        (&done["subscription"]["status"], &done["subscription"]["metadata"]),
        (&json!("active"), &json!({"account": "1"}))
    );
    assert_eq!(done["subscription"]["items"]["data"][0]["quantity"], 2);
    assert_eq!(play.get(&format!("/v1/invoices/{}", done["invoice"].as_str().unwrap()))["amount_paid"], 2_000);
}

#[test]
fn three_d_secure_works_in_payment_and_subscription_mode() {
    for mode in ["payment", "subscription"] {
        let mut play = Play::new();
        let price = if mode == "payment" { play.price("Shirt", 1_500, "") } else { play.monthly("Pro", 1_000) };
        let session = id(&open(&mut play, mode, &price, ""));
        for outcome in ["failure", "success"] {
            let (status, page) = confirm(&mut play, &session, "tok_threeDSecure2Required");
            assert_eq!((status, page["state"].as_str()), (200, Some("requires_action")), "{mode}");
            let url = page["next_action"]["redirect_to_url"]["url"].as_str().unwrap().to_owned();
            let waiting = url.rsplit('/').next().unwrap().to_owned();
            assert_eq!(play.get(&format!("/v1/checkout/sessions/{session}"))["status"], "open");
            let response =
                play.call("POST", &format!("/_sandbox/authenticate/{waiting}"), &format!("outcome={outcome}"));
            assert_eq!(response.status, if outcome == "success" { 200 } else { 402 }, "{mode} {}", response.body);
        }
        let done = play.get(&format!("/v1/checkout/sessions/{session}"));
        assert_eq!((&done["status"], &done["payment_status"]), (&json!("complete"), &json!("paid")), "{mode}");
    }
}

#[test]
fn a_session_starts_a_trial_and_an_open_one_expires() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 1_000);
    let session = id(&open(&mut play, "subscription", &price, "&subscription_data[trial_period_days]=7"));
    assert_eq!(confirm(&mut play, &session, "tok_visa").0, 200);
    let done = play.get(&format!("/v1/checkout/sessions/{session}?expand[0]=subscription"));
    assert_eq!(
        (&done["subscription"]["status"], &done["payment_status"]),
        (&json!("trialing"), &json!("no_payment_required"))
    );
    assert_eq!((&done["amount_total"], &done["amount_subtotal"]), (&json!(0), &json!(0)));
    let late = id(&open(&mut play, "subscription", &price, ""));
    let ended = id(&open(&mut play, "subscription", &price, ""));
    play.post(&format!("/v1/checkout/sessions/{ended}/expire"), "");
    play.until_day(1);
    for session in [late, ended] {
        let session = play.get(&format!("/v1/checkout/sessions/{session}"));
        assert_eq!((&session["status"], &session["url"]), (&json!("expired"), &Value::Null));
    }
    assert_eq!(play.events().iter().filter(|e| *e == "checkout.session.expired").count(), 2);
}

#[test]
fn invalid_sessions_are_refused() {
    let mut play = Play::new();
    let (once, monthly) = (play.price("Shirt", 1_500, ""), play.monthly("Pro", 1_000));
    for (form, param) in [
        ("mode=payment&success_url=https://x.test".to_owned(), "line_items"),
        (format!("mode=payment&line_items[0][price]={once}&line_items[0][quantity]=1"), "success_url"),
        (format!("mode=payment&success_url=https://x.test&line_items[0][price]={once}"), "line_items[0][quantity]"),
        (
            format!("mode=payment&success_url=https://x.test&line_items[0][price]={monthly}&line_items[0][quantity]=1"),
            "line_items",
        ),
        (
            format!(
                "mode=subscription&success_url=https://x.test&line_items[0][price]={once}&line_items[0][quantity]=1"
            ),
            "mode",
        ),
        (
            "mode=payment&success_url=https://x.test&line_items[0][price]=price_no&line_items[0][quantity]=1"
                .to_owned(),
            "line_items[0][price]",
        ),
    ] {
        assert_eq!(play.refused("POST", "/v1/checkout/sessions", &form, 400)["param"], param, "{form}");
    }
}

#[test]
fn a_trial_needs_a_card_only_if_required_and_one_time_prices_are_due_today() {
    let mut play = Play::new();
    let (monthly, once) = (play.monthly("Pro", 1_000), play.price("Setup", 500, ""));
    let trial = "&subscription_data[trial_period_days]=7";
    let free =
        id(&open(&mut play, "subscription", &monthly, &format!("{trial}&payment_method_collection=if_required")));
    play.post(&format!("/v1/payment_pages/{free}/confirm"), "");
    let done = play.get(&format!("/v1/checkout/sessions/{free}?expand[0]=subscription"));
    assert_eq!(
        (&done["payment_status"], &done["subscription"]["default_payment_method"]),
        (&json!("no_payment_required"), &Value::Null)
    );
    let more = format!("{trial}&line_items[1][price]={once}&line_items[1][quantity]=1");
    let paid = open(&mut play, "subscription", &monthly, &more);
    assert_eq!(paid["amount_total"], 500);
    let error = play.refused("POST", &format!("/v1/payment_pages/{}/confirm", id(&paid)), "", 400);
    assert_eq!((&error["code"], &error["param"]), (&json!("parameter_missing"), &json!("payment_method")));
    assert_eq!(confirm(&mut play, &id(&paid), "tok_visa").0, 200);
    assert_eq!(play.get(&format!("/v1/checkout/sessions/{}", id(&paid)))["payment_status"], "paid");
}

#[test]
fn three_d_secure_passed_for_a_trial_is_not_required_again() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 1_000);
    let session = id(&open(&mut play, "subscription", &price, "&subscription_data[trial_period_days]=7"));
    assert_eq!(confirm(&mut play, &session, "tok_authenticationRequiredOnSetup").1["state"], "requires_action");
    play.post(&format!("/_sandbox/authenticate/{session}"), "outcome=success");
    let done = play.get(&format!("/v1/checkout/sessions/{session}"));
    play.until_day(40);
    assert!(!play.events().contains(&"payment_intent.requires_action".to_owned()));
    let subscription = done["subscription"].as_str().unwrap();
    assert_eq!(play.get(&format!("/v1/subscriptions/{subscription}"))["status"], "active");
}

#[test]
fn allow_redisplay_depends_on_the_mode_the_buyer_and_the_session() {
    let asks = "&saved_payment_method_options[payment_method_save]=enabled";
    let data = "&payment_method_data[allow_redisplay]=unspecified";
    let later = "&payment_intent_data[setup_future_usage]=off_session&customer_creation=always";
    // `allow_redisplay` depends on the mode, the buyer's choice and the session's setting.
    for (mode, more, wanted, shown) in [
        ("setup", "", "", Some("always")),
        ("subscription", "", "", Some("limited")),
        ("subscription", asks, "", Some("limited")),
        ("subscription", asks, "&allow_redisplay=always", Some("always")),
        ("subscription", data, "", Some("unspecified")),
        ("payment", later, "", Some("limited")),
        ("payment", asks, "&allow_redisplay=always", Some("always")),
        ("payment", asks, "", None),
        ("payment", "", "&allow_redisplay=always", None),
    ] {
        let mut play = Play::new();
        let session = if mode == "setup" {
            let customer = id(&play.post("/v1/customers", ""));
            play.post(
                "/v1/checkout/sessions",
                &format!("mode=setup&customer={customer}&success_url=https://example.com"),
            )
        } else {
            let price = if mode == "payment" { play.price("Shirt", 500, "") } else { play.monthly("Pro", 500) };
            open(&mut play, mode, &price, more)
        };
        let card = play.post("/v1/payment_methods", &format!("type=card&card[token]=tok_visa{wanted}"));
        play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), &format!("payment_method={}", id(&card)));
        let kept = play.get(&format!("/v1/payment_methods/{}", id(&card)));
        assert_eq!(kept["customer"].is_string(), shown.is_some(), "{mode}{more}{wanted}");
        if let Some(shown) = shown {
            assert_eq!(kept["allow_redisplay"], shown, "{mode}{more}{wanted}");
            assert_eq!(play.event("payment_method.attached")["data"]["object"], kept, "{mode}{more}{wanted}");
        }
    }
    let mut play = Play::new();
    let price = play.monthly("Pro", 500);
    let session = open(&mut play, "subscription", &price, asks);
    assert_eq!(
        session["saved_payment_method_options"],
        json!({"allow_redisplay_filters": ["always"], "payment_method_remove": "disabled", "payment_method_save": "enabled"})
    );
}
