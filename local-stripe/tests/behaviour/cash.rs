//! Customers' cash balances: bank transfers, the payments that they pay, and refunds.

use crate::play::{Play, id};
use serde_json::{Value, json};

const BY_TRANSFER: &str = "currency=usd&confirm=true&payment_method_types[0]=customer_balance&payment_method_data[type]=customer_balance\
    &payment_method_options[customer_balance][funding_type]=bank_transfer\
    &payment_method_options[customer_balance][bank_transfer][type]=us_bank_transfer";

fn pay(play: &mut Play, customer: &str, amount: i64) -> Value {
    play.post("/v1/payment_intents", &format!("amount={amount}&customer={customer}&{BY_TRANSFER}"))
}

fn fund(play: &mut Play, customer: &str, amount: i64) -> Value {
    let form = format!("amount={amount}&currency=usd&reference=R1");
    play.post(&format!("/v1/test_helpers/customers/{customer}/fund_cash_balance"), &form)
}

fn held(play: &mut Play, customer: &str) -> Value {
    play.get(&format!("/v1/customers/{customer}/cash_balance"))["available"].clone()
}

fn kinds(play: &mut Play, customer: &str) -> Vec<(String, i64, i64)> {
    let all = play.get(&format!("/v1/customers/{customer}/cash_balance_transactions?limit=100"))["data"].clone();
    let shown = |made: &Value| {
        let of = |member: &str| made[member].as_i64().unwrap();
        (made["type"].as_str().unwrap().to_owned(), of("net_amount"), of("ending_balance"))
    };
    all.as_array().unwrap().iter().rev().map(shown).collect()
}

#[test]
fn bank_transfers_pay_waiting_payments_oldest_first_and_in_parts() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let (first, second) = (pay(&mut play, &customer, 1_000), pay(&mut play, &customer, 500));
    let action = &first["next_action"]["display_bank_transfer_instructions"];
    assert_eq!(
        (&first["status"], &action["amount_remaining"], &action["financial_addresses"][0]["type"]),
        (&json!("requires_action"), &json!(1_000), &json!("aba"))
    );
    play.events();
    let made = fund(&mut play, &customer, 700);
    assert_eq!((&made["type"], &made["funded"]["bank_transfer"]["reference"]), (&json!("funded"), &json!("R1")));
    let told = play.events();
    assert!(told.contains(&"payment_intent.partially_funded".to_owned()), "{told:?}");
    assert!(!told.contains(&"cash_balance.funds_available".to_owned()), "{told:?}");
    let (first, second) =
        (format!("/v1/payment_intents/{}", id(&first)), format!("/v1/payment_intents/{}", id(&second)));
    let left = play.get(&first)["next_action"]["display_bank_transfer_instructions"]["amount_remaining"].clone();
    assert_eq!((left, held(&mut play, &customer)), (json!(300), json!({ "usd": 0 })));
    fund(&mut play, &customer, 400);
    assert_eq!(
        (&play.get(&first)["status"], &play.get(&second)["status"]),
        (&json!("succeeded"), &json!("requires_action"))
    );
    fund(&mut play, &customer, 1_000);
    assert_eq!(play.get(&second)["status"], "succeeded");
    assert_eq!(held(&mut play, &customer), json!({ "usd": 600 }));
    assert_eq!(play.event("cash_balance.funds_available")["data"]["object"]["available"], json!({ "usd": 600 }));
    assert_eq!(play.get("/v1/balance")["available"][0]["amount"], 1_500);
    // Enough money pays at once.
    let third = pay(&mut play, &customer, 600);
    assert_eq!(third["status"], "succeeded");
    let charge = play.get(&format!("/v1/charges/{}", third["latest_charge"].as_str().unwrap()));
    assert_eq!(charge["payment_method_details"], json!({ "customer_balance": {}, "type": "customer_balance" }));
    let sum: i64 = kinds(&mut play, &customer).iter().map(|(_, amount, _)| amount).sum();
    assert_eq!(sum, 0);
}

#[test]
fn funds_are_applied_by_hand_if_the_customer_is_set_to_it() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", "cash_balance[settings][reconciliation_mode]=manual"));
    let path = format!("/v1/customers/{customer}/cash_balance");
    let settings = play.get(&path)["settings"].clone();
    assert_eq!(
        play.get(&format!("/v1/customers/{customer}?expand[]=cash_balance"))["cash_balance"]["settings"],
        settings
    );
    assert_eq!(settings, json!({ "reconciliation_mode": "manual", "using_merchant_default": false }));
    fund(&mut play, &customer, 800);
    let pi = pay(&mut play, &customer, 1_000);
    assert_eq!(pi["status"], "requires_action");
    let apply = format!("/v1/payment_intents/{}/apply_customer_balance", id(&pi));
    assert_eq!(play.refused("POST", &apply, "", 400)["param"], "amount", "1 000 are missing, 800 are there");
    assert_eq!(play.refused("POST", &apply, "currency=eur&amount=1", 400)["param"], "currency");
    assert_eq!(play.post(&apply, "amount=800")["status"], "requires_action");
    fund(&mut play, &customer, 300);
    assert_eq!(play.post(&apply, "")["status"], "succeeded");
    assert_eq!(held(&mut play, &customer), json!({ "usd": 100 }));
    play.refused("POST", &apply, "", 400);
    let pi = id(&pay(&mut play, &customer, 150));
    play.post(&format!("/v1/payment_intents/{pi}/apply_customer_balance"), "amount=60");
    play.post(&format!("/v1/payment_intents/{pi}/cancel"), "");
    assert_eq!(held(&mut play, &customer), json!({ "usd": 100 }));
    assert_eq!(kinds(&mut play, &customer).last().unwrap(), &("unapplied_from_payment".to_owned(), 60, 100));
    let back = play.post(&path, "settings[reconciliation_mode]=merchant_default")["settings"].clone();
    assert_eq!(back, json!({ "reconciliation_mode": "automatic", "using_merchant_default": true }));
}

#[test]
fn refunds_go_to_the_cash_balance_and_from_there_to_the_bank() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    fund(&mut play, &customer, 1_000);
    let paid = pay(&mut play, &customer, 1_000);
    let refund = play.post("/v1/refunds", &format!("payment_intent={}&amount=400", id(&paid)));
    assert_eq!(refund["destination_details"]["type"], "customer_cash_balance");
    assert_eq!(held(&mut play, &customer), json!({ "usd": 400 }));
    assert_eq!(play.get("/v1/balance")["available"][0]["amount"], 600);
    let form = format!("origin=customer_balance&customer={customer}&currency=usd");
    assert_eq!(play.refused("POST", "/v1/refunds", &format!("{form}&amount=401"), 400)["param"], "amount");
    for (verb, status) in [("/v1/refunds/ID/cancel", "canceled"), ("/v1/test_helpers/refunds/ID/expire", "failed")] {
        let made = play.post("/v1/refunds", &format!("{form}&amount=300&instructions_email=b@example.com"));
        assert_eq!(
            (&made["status"], &made["next_action"]["display_details"]["email_sent"]["email_sent_to"]),
            (&json!("requires_action"), &json!("b@example.com"))
        );
        assert_eq!(held(&mut play, &customer), json!({ "usd": 100 }));
        let path = verb.replace("ID", &id(&made));
        let done = play.post(&path, "");
        assert_eq!((&done["status"], done.get("next_action")), (&json!(status), None));
        assert_eq!(held(&mut play, &customer), json!({ "usd": 400 }));
        play.refused("POST", &path, "", 400);
    }
    play.refused("POST", &format!("/v1/refunds/{}/cancel", id(&refund)), "", 400);
    let kinds: Vec<String> = kinds(&mut play, &customer).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(
        kinds,
        [
            "funded",
            "applied_to_payment",
            "refunded_from_payment",
            "return_initiated",
            "return_canceled",
            "return_initiated",
            "return_canceled"
        ]
    );
}

#[test]
fn an_invoice_is_paid_by_a_bank_transfer_for_its_intent() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let path = format!("/v1/customers/{customer}/funding_instructions");
    for (currency, kind, address) in [
        ("usd", "us_bank_transfer", "aba"),
        ("eur", "eu_bank_transfer", "iban"),
        ("gbp", "gb_bank_transfer", "sort_code"),
        ("jpy", "jp_bank_transfer", "zengin"),
        ("mxn", "mx_bank_transfer", "spei"),
    ] {
        let form = format!("funding_type=bank_transfer&currency={currency}&bank_transfer[type]={kind}");
        let country = if kind == "eu_bank_transfer" { "&bank_transfer[eu_bank_transfer][country]=DE" } else { "" };
        let found = play.post(&path, &format!("{form}{country}"));
        let place = &found["bank_transfer"]["financial_addresses"][0];
        assert!(place[address]["account_holder_name"].is_string(), "{found}");
        let again = play.post(&path, &format!("{form}{country}"));
        assert_eq!(found, again, "a customer's account stays the same");
    }
    let wrong = "funding_type=bank_transfer&currency=usd&bank_transfer[type]=eu_bank_transfer";
    assert_eq!(play.refused("POST", &path, wrong, 400)["param"], "bank_transfer[type]");
    let pi = play.post(
        "/v1/payment_intents",
        &format!("amount=100&customer={customer}&currency=usd&payment_method_types[0]=customer_balance"),
    );
    let form = "payment_method_data[type]=customer_balance";
    let error = play.refused("POST", &format!("/v1/payment_intents/{}/confirm", id(&pi)), form, 400);
    assert_eq!(error["param"], "payment_method_options[customer_balance][funding_type]");
    let fund = format!("/v1/test_helpers/customers/{customer}/fund_cash_balance");
    assert_eq!(play.refused("POST", &fund, "amount=1&currency=chf", 400)["param"], "currency");
    let made = play.post(&fund, "amount=100&currency=eur");
    let one = format!("/v1/customers/{customer}/cash_balance_transactions/{}", id(&made));
    assert_eq!(play.get(&one)["funded"]["bank_transfer"]["type"], "eu_bank_transfer");
    let other = play.customer("pm_card_visa");
    play.refused("GET", &one.replace(&customer, &other), "", 404);
    assert_eq!(held(&mut play, &other), json!(null));
}
