//! Subscriptions: the first payment, trials, cancellations and the default card.

use crate::play::{Play, id};
use serde_json::json;

#[test]
fn a_paid_subscription_is_active_with_all_its_events() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    play.events();
    let sub = play.subscribe(&customer, &price, "&metadata[account]=1");
    assert_eq!(sub["status"], "active");
    assert_eq!(
        play.events(),
        [
            "customer.updated",
            "invoice.created",
            "invoice.finalized",
            "payment_intent.created",
            "charge.succeeded",
            "payment_intent.succeeded",
            "invoice.updated",
            "customer.subscription.created",
            "invoice.paid",
            "invoice.payment_succeeded",
            "invoice_payment.paid",
        ]
    );
    assert_eq!(play.event("customer.subscription.created")["data"]["object"]["status"], "active");
    let invoice = play.get(&format!("/v1/invoices/{}?expand[0]=payments", sub["latest_invoice"].as_str().unwrap()));
    assert_eq!(
        (&invoice["amount_paid"], &invoice["status"], &invoice["billing_reason"]),
        (&json!(2_000), &json!("paid"), &json!("subscription_create"))
    );
    assert_eq!(invoice["parent"]["subscription_details"]["metadata"]["account"], "1");
    assert_eq!(invoice["lines"]["data"][0]["description"], "1 × Pro (at $20.00 / month)");
    assert_eq!(invoice["payments"]["data"][0]["status"], "paid");
    // The period is 2026-11-01 to 2026-12-01.
    let item = &sub["items"]["data"][0];
    assert_eq!(
        (item["current_period_start"].as_i64(), item["current_period_end"].as_i64()),
        (Some(1_793_491_200), Some(1_796_083_200))
    );
}

#[test]
fn a_subscription_with_a_failed_first_payment_expires_after_23_hours() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_chargeCustomerFail");
    play.events();
    let sub = play.subscribe(&customer, &price, "");
    assert_eq!(sub["status"], "incomplete");
    let events = play.events();
    assert!(events.ends_with(&["invoice.payment_failed".into(), "customer.subscription.created".into()]), "{events:?}");
    play.until(1_793_491_200 + 23 * 3_600);
    let sub = play.get(&format!("/v1/subscriptions/{}", id(&sub)));
    assert_eq!(sub["status"], "incomplete_expired");
    assert_eq!(play.events(), ["payment_intent.canceled", "invoice.voided", "customer.subscription.updated"]);
    assert_eq!(play.event("customer.subscription.updated")["data"]["previous_attributes"]["status"], "incomplete");
}

#[test]
fn an_incomplete_subscription_becomes_active_after_payment_with_another_card() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_chargeCustomerFail");
    let sub = play.subscribe(&customer, &price, "");
    let invoice = sub["latest_invoice"].as_str().unwrap().to_owned();
    let method = id(&play.post("/v1/payment_methods/pm_card_visa/attach", &format!("customer={customer}")));
    play.post(&format!("/v1/invoices/{invoice}/pay"), &format!("payment_method={method}"));
    assert_eq!(play.get(&format!("/v1/subscriptions/{}", id(&sub)))["status"], "active");
    let event = play.event("customer.subscription.updated");
    assert_eq!(
        (&event["data"]["object"]["status"], &event["data"]["previous_attributes"]["status"]),
        (&json!("active"), &json!("incomplete"))
    );
}

#[test]
fn a_subscription_becomes_active_after_3d_secure_succeeds() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_authenticationRequired");
    play.events();
    let sub = play.subscribe(&customer, &price, "");
    assert_eq!(sub["status"], "incomplete");
    assert!(play.events().contains(&"invoice.payment_action_required".to_owned()));
    let intent = id(&play.event("payment_intent.requires_action")["data"]["object"]);
    let error = play.refused("POST", &format!("/_sandbox/authenticate/{intent}"), "outcome=failure", 402);
    assert_eq!(error["code"], "payment_intent_authentication_failure");
    assert_eq!(play.get(&format!("/v1/payment_intents/{intent}"))["status"], "requires_payment_method");
    play.refused("POST", &format!("/v1/invoices/{}/pay", sub["latest_invoice"].as_str().unwrap()), "", 402);
    play.post(&format!("/_sandbox/authenticate/{intent}"), "outcome=success");
    assert_eq!(play.get(&format!("/v1/subscriptions/{}", id(&sub)))["status"], "active");
    let charge = play.event("charge.succeeded");
    assert_eq!(charge["data"]["object"]["payment_method_details"]["card"]["three_d_secure"]["result"], "authenticated");
}

#[test]
fn error_if_incomplete_creates_nothing() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_chargeCustomerFail");
    play.events();
    let error = play.refused(
        "POST",
        "/v1/subscriptions",
        &format!("customer={customer}&items[0][price]={price}&payment_behavior=error_if_incomplete"),
        402,
    );
    assert_eq!(error["code"], "card_declined");
    assert_eq!(
        (play.events().len(), play.sandbox.state().count("subscription"), play.sandbox.state().count("invoice")),
        (0, 0, 0)
    );
    assert_eq!(play.sandbox.state().count("charge"), 0);
}

#[test]
fn a_subscription_without_a_card_is_refused_unless_it_may_be_incomplete() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = id(&play.post("/v1/customers", ""));
    let error = play.refused("POST", "/v1/subscriptions", &format!("customer={customer}&items[0][price]={price}"), 400);
    assert_eq!(error["code"], "resource_missing");
    let sub = play.subscribe(
        &customer,
        &price,
        "&payment_behavior=default_incomplete&expand[0]=latest_invoice.confirmation_secret",
    );
    assert_eq!(sub["status"], "incomplete");
    let secret = sub["latest_invoice"]["confirmation_secret"]["client_secret"].as_str().unwrap();
    let intent = secret.split("_secret_").next().unwrap().to_owned();
    play.post(&format!("/v1/payment_intents/{intent}/confirm"), "payment_method=pm_card_visa");
    assert_eq!(play.get(&format!("/v1/subscriptions/{}", id(&sub)))["status"], "active");
}

#[test]
fn a_trial_begins_with_a_paid_zero_invoice_and_ends_with_a_payment() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    play.events();
    let sub = play.subscribe(&customer, &price, "&trial_period_days=14");
    assert_eq!((&sub["status"], sub["trial_end"].as_i64()), (&json!("trialing"), Some(1_793_491_200 + 14 * 86_400)));
    assert_eq!(
        play.events(),
        [
            "customer.updated",
            "invoice.created",
            "invoice.finalized",
            "invoice.updated",
            "invoice.paid",
            "invoice.payment_succeeded",
            "customer.subscription.created"
        ]
    );
    let invoice = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
    assert_eq!(
        (&invoice["total"], &invoice["status"], &invoice["lines"]["data"][0]["description"]),
        (&json!(0), &json!("paid"), &json!("Trial period for Pro"))
    );
    play.until_day(10);
    assert_eq!(play.events(), ["invoice.upcoming"]);
    play.until_day(11);
    assert_eq!(play.events(), ["customer.subscription.trial_will_end"]);
    play.until_day(15);
    let events = play.events();
    assert_eq!(events[..2], ["invoice.created", "customer.subscription.updated"]);
    assert!(events.contains(&"invoice.paid".to_owned()), "{events:?}");
    let sub = play.get(&format!("/v1/subscriptions/{}", id(&sub)));
    assert_eq!(sub["status"], "active");
    assert_eq!(play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()))["amount_paid"], 2_000);
}

#[test]
fn a_trial_without_a_card_ends_as_configured() {
    for (behavior, status, event) in
        [("cancel", "canceled", "customer.subscription.deleted"), ("pause", "paused", "customer.subscription.paused")]
    {
        let mut play = Play::new();
        let price = play.monthly("Pro", 2_000);
        let customer = id(&play.post("/v1/customers", ""));
        let sub = play.subscribe(
            &customer,
            &price,
            &format!("&trial_period_days=2&trial_settings[end_behavior][missing_payment_method]={behavior}"),
        );
        assert!(
            play.events().contains(&"customer.subscription.trial_will_end".to_owned()),
            "the end of a short trial is announced at once"
        );
        play.until_day(3);
        assert_eq!(play.get(&format!("/v1/subscriptions/{}", id(&sub)))["status"], status);
        assert!(play.events().contains(&event.to_owned()));
        if behavior == "pause" {
            play.new_card(&customer, "pm_card_visa");
            assert_eq!(play.post(&format!("/v1/subscriptions/{}/resume", id(&sub)), "")["status"], "active");
            assert!(play.events().contains(&"customer.subscription.resumed".to_owned()));
        }
    }
}

#[test]
fn subscriptions_are_cancelled_now_at_period_end_or_at_a_time() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let now = id(&play.subscribe(&customer, &price, ""));
    let later = id(&play.subscribe(&customer, &price, ""));
    let at = id(&play.subscribe(&customer, &price, ""));
    assert_eq!(
        play.ok("DELETE", &format!("/v1/subscriptions/{now}"), "cancellation_details[comment]=bye")["status"],
        "canceled"
    );
    assert_eq!(play.event("customer.subscription.deleted")["data"]["object"]["cancellation_details"]["comment"], "bye");
    play.until_day(5);
    let told = play.post(&format!("/v1/subscriptions/{later}"), "cancel_at_period_end=true");
    assert_eq!(
        (told["status"].as_str(), told["canceled_at"].as_i64()),
        (Some("active"), Some(1_793_491_200 + 5 * 86_400))
    );
    play.post(&format!("/v1/subscriptions/{at}"), &format!("cancel_at={}", 1_793_491_200 + 9 * 86_400));
    play.until_day(31);
    let later = play.get(&format!("/v1/subscriptions/{later}"));
    assert_eq!((later["status"].as_str(), later["ended_at"].as_i64()), (Some("canceled"), Some(1_796_083_200)));
    assert_eq!(later["canceled_at"].as_i64(), Some(1_793_491_200 + 5 * 86_400), "the time of the cancel request");
    assert_eq!(play.get(&format!("/v1/subscriptions/{at}"))["ended_at"].as_i64(), Some(1_793_491_200 + 9 * 86_400));
    play.refused("DELETE", &format!("/v1/subscriptions/{now}"), "", 404);
    play.refused("POST", &format!("/v1/subscriptions/{now}"), "cancel_at_period_end=true", 400);
}

#[test]
fn the_paying_card_becomes_the_default_if_the_subscription_saves_it() {
    for (save, status) in [("on_subscription", "active"), ("off", "past_due")] {
        let mut play = Play::new();
        let price = play.monthly("Pro", 2_000);
        let customer = id(&play.post("/v1/customers", ""));
        let more = format!(
            "&payment_behavior=default_incomplete&payment_settings[save_default_payment_method]={save}\
             &expand[0]=latest_invoice.confirmation_secret"
        );
        let sub = play.subscribe(&customer, &price, &more);
        let secret = sub["latest_invoice"]["confirmation_secret"]["client_secret"].as_str().unwrap();
        let intent = secret.split("_secret_").next().unwrap().to_owned();
        let paid = play.post(&format!("/v1/payment_intents/{intent}/confirm"), "payment_method=pm_card_visa");
        let now = play.get(&format!("/v1/subscriptions/{}", id(&sub)));
        let kept = if save == "off" { json!(null) } else { paid["payment_method"].clone() };
        assert_eq!((&now["status"], &now["default_payment_method"]), (&json!("active"), &kept));
        let told = play.event("customer.subscription.updated")["data"]["object"]["default_payment_method"].clone();
        assert_eq!(told, kept);
        play.until_day(32);
        assert_eq!(play.get(&format!("/v1/subscriptions/{}", id(&sub)))["status"], status, "{save}");
    }
}

#[test]
fn a_trial_ended_early_without_a_card_ends_as_configured() {
    for (behavior, status) in [("cancel", "canceled"), ("pause", "paused"), ("create_invoice", "past_due")] {
        let mut play = Play::new();
        let price = play.monthly("Pro", 2_000);
        let customer = id(&play.post("/v1/customers", ""));
        let settings = format!("&trial_settings[end_behavior][missing_payment_method]={behavior}");
        let sub = id(&play.subscribe(&customer, &price, &format!("&trial_period_days=14{settings}")));
        play.until_day(1);
        let ended = play.post(&format!("/v1/subscriptions/{sub}"), "trial_end=now");
        assert_eq!(ended["status"], status, "{behavior}");
        if behavior == "pause" {
            let told = play.event("customer.subscription.updated");
            assert_eq!(
                (&told["data"]["object"]["trial_end"], &told["data"]["previous_attributes"]["status"]),
                (&json!(1_793_491_200 + 86_400), &json!("trialing"))
            );
        }
    }
}
