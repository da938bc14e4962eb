//! Bank debits, on which the bank decides some days after the confirmation.

use crate::play::{Play, id};
use local_stripe::settings::Settings;
use serde_json::{Value, json};

fn debit(play: &mut Play, account: &str) -> String {
    let form = format!(
        "type=us_bank_account&us_bank_account[account_number]={account}&us_bank_account[routing_number]=110000000&billing_details[name]=Buyer"
    );
    id(&play.post("/v1/payment_methods", &form))
}

#[test]
fn a_payment_is_processing_until_the_bank_decides() {
    for (account, status, events) in [
        ("000123456789", "succeeded", ["charge.succeeded", "payment_intent.succeeded"]),
        ("000222222227", "requires_payment_method", ["charge.failed", "payment_intent.payment_failed"]),
    ] {
        let mut play = Play::new();
        let method = debit(&mut play, account);
        play.events();
        let form = format!(
            "amount=5000&currency=usd&payment_method={method}&confirm=true&payment_method_types[0]=us_bank_account"
        );
        let intent = play.post("/v1/payment_intents", &form);
        assert_eq!((&intent["status"], &intent["amount_received"]), (&json!("processing"), &json!(0)));
        assert_eq!(play.events(), ["payment_intent.created", "charge.pending", "payment_intent.processing"]);
        play.refused("POST", &format!("/v1/payment_intents/{}/cancel", id(&intent)), "", 400);
        play.until_day(3);
        assert_eq!(play.events(), Vec::<String>::new());
        play.until_day(4);
        assert_eq!(play.events(), events);
        let after = play.get(&format!("/v1/payment_intents/{}?expand[0]=latest_charge", id(&intent)));
        assert_eq!(after["status"], status, "{account}");
        let details = &after["latest_charge"]["payment_method_details"];
        assert_eq!(
            (&details["type"], &details["us_bank_account"]["last4"]),
            (&json!("us_bank_account"), &json!(&account[8..]))
        );
        let movements = play.get("/v1/balance_transactions")["data"].as_array().unwrap().len();
        assert_eq!(movements, usize::from(status == "succeeded"));
    }
}

#[test]
fn a_session_paid_by_debit_is_complete_before_the_bank_decides() {
    for (account, paid, event) in [
        ("000123456789", "paid", "checkout.session.async_payment_succeeded"),
        ("000111111113", "unpaid", "checkout.session.async_payment_failed"),
    ] {
        for (mode, status) in [("payment", Value::Null), ("subscription", json!("active"))] {
            let mut play = Play::new();
            let price = if mode == "payment" { play.price("Shirt", 1_500, "") } else { play.monthly("Pro", 1_000) };
            let form = format!(
                "mode={mode}&success_url=https://x.test&line_items[0][price]={price}&line_items[0][quantity]=1&payment_method_types[0]=us_bank_account"
            );
            let session = id(&play.post("/v1/checkout/sessions", &form));
            let confirm = format!("/v1/payment_pages/{session}/confirm");
            play.refused("POST", &confirm, "payment_method=pm_card_visa", 400);
            let method = debit(&mut play, account);
            play.post(&confirm, &format!("payment_method={method}"));
            let path = format!("/v1/checkout/sessions/{session}?expand[0]=subscription");
            let told = play.event("checkout.session.completed");
            assert_eq!(told["data"]["object"]["payment_status"], "unpaid");
            let done = play.get(&path);
            assert_eq!((&done["status"], &done["payment_status"]), (&json!("complete"), &json!("unpaid")));
            assert_eq!(done["subscription"]["status"], status);
            play.events();
            play.until_day(5);
            assert_eq!(play.get(&path)["payment_status"], paid, "{mode} {account}");
            assert_eq!(play.events().iter().filter(|kind| *kind == event).count(), 1, "{mode} {account}");
        }
    }
}

#[test]
fn a_subscription_starts_at_once_and_is_past_due_after_a_refused_debit() {
    let mut play = Play::with(Settings { dunning: "10:unpaid".parse().unwrap(), ..Settings::default() });
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_usBankAccount_insufficientFunds");
    let sub = id(&play.subscribe(&customer, &price, ""));
    let status = |play: &mut Play| play.get(&format!("/v1/subscriptions/{sub}"))["status"].clone();
    let invoice = play.event("invoice.created")["data"]["object"]["id"].as_str().unwrap().to_owned();
    let of_invoice = |play: &mut Play| play.get(&format!("/v1/invoices/{invoice}"));
    assert_eq!((status(&mut play), &of_invoice(&mut play)["status"]), (json!("active"), &json!("open")));
    play.until_day(5);
    assert_eq!((status(&mut play), &of_invoice(&mut play)["attempt_count"]), (json!("past_due"), &json!(1)));
    // The bank refuses the first debit on day 4. The retry is on day 14, and its refusal on day 18.
    play.until_day(19);
    assert_eq!(status(&mut play), "unpaid");
}

#[test]
fn sepa_supports_only_euros_and_paused_collection_resumes() {
    let mut play = Play::new();
    let form = "type=sepa_debit&sepa_debit[iban]=DE89 3704 0044 0532 0130 00";
    let method = id(&play.post("/v1/payment_methods", form));
    let pay = |currency: &str| {
        format!(
            "amount=5000&currency={currency}&payment_method={method}&confirm=true&payment_method_types[0]=sepa_debit"
        )
    };
    assert_eq!(play.refused("POST", "/v1/payment_intents", &pay("usd"), 400)["param"], "currency");
    assert_eq!(play.post("/v1/payment_intents", &pay("eur"))["status"], "processing");
    play.refused("POST", "/v1/payment_methods", "type=sepa_debit&sepa_debit[iban]=DE00", 400);
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    let resumes = 1_793_491_200 + 5 * 86_400;
    let pause = format!("pause_collection[behavior]=void&pause_collection[resumes_at]={resumes}");
    play.post(&format!("/v1/subscriptions/{sub}"), &pause);
    play.until_day(6);
    assert!(play.get(&format!("/v1/subscriptions/{sub}"))["pause_collection"].is_null());
    let told = play.event("customer.subscription.updated");
    assert_eq!(told["data"]["previous_attributes"]["pause_collection"]["behavior"], "void");
}

#[test]
fn an_invoice_with_a_processing_payment_can_not_be_paid_or_voided() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_usBankAccount_success");
    play.subscribe(&customer, &price, "");
    let invoice = play.event("invoice.created")["data"]["object"]["id"].as_str().unwrap().to_owned();
    for (action, form) in [("pay", ""), ("pay", "paid_out_of_band=true"), ("void", "")] {
        let error = play.refused("POST", &format!("/v1/invoices/{invoice}/{action}"), form, 400);
        assert_eq!(error["code"], "invoice_payment_intent_processing", "{action} {form}");
    }
    play.until_day(5);
    let paid = play.get(&format!("/v1/invoices/{invoice}"));
    assert_eq!((&paid["status"], &paid["amount_paid"]), (&json!("paid"), &json!(2_000)));
    assert_eq!(play.get("/v1/charges")["data"].as_array().unwrap().len(), 1);
}
