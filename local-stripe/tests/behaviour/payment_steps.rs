//! Larger authorizations, micro-deposits, reversed payouts, rejected accounts, and the documents of quotes.

use crate::play::{Play, id, request};
use local_stripe::sandbox::json_of;
use serde_json::{Value, json};

const HELD: &str = "amount=1000&currency=usd&capture_method=manual&confirm=true\
                    &payment_method_options[card][request_incremental_authorization]=if_available";

#[test]
fn an_authorization_is_increased_and_captured_in_full() {
    let mut play = Play::new();
    let held = play.post("/v1/payment_intents", &format!("{HELD}&payment_method=pm_card_visa&expand[]=latest_charge"));
    let card = &held["latest_charge"]["payment_method_details"]["card"];
    assert_eq!(card["incremental_authorization"]["status"], "available");
    let path = format!("/v1/payment_intents/{}/increment_authorization", id(&held));
    play.events();
    let more = play.post(&path, "amount=1500&description=Minibar&metadata[room]=7&expand[]=latest_charge");
    assert_eq!(play.events(), ["payment_intent.amount_capturable_updated"]);
    assert_eq!(
        (&more["amount"], &more["amount_capturable"], &more["description"], &more["metadata"]["room"]),
        (&json!(1_500), &json!(1_500), &json!("Minibar"), &json!("7"))
    );
    let charge = &more["latest_charge"];
    assert_eq!(
        (&charge["amount"], &charge["payment_method_details"]["card"]["amount_authorized"]),
        (&json!(1_500), &json!(1_500))
    );
    for amount in [1_500, 1_000] {
        assert_eq!(play.refused("POST", &path, &format!("amount={amount}"), 400)["param"], "amount");
    }
    for n in 1..10 {
        play.post(&path, &format!("amount={}", 1_500 + n));
    }
    play.refused("POST", &path, "amount=2000", 400);
    let paid = play.post(&format!("/v1/payment_intents/{}/capture", id(&held)), "");
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(1_509)));
    assert_eq!(play.get("/v1/balance")["available"][0]["amount"], 1_509);
    assert_eq!(play.refused("POST", &path, "amount=9999", 400)["code"], "payment_intent_unexpected_state");
    for (form, card) in
        [(HELD, "pm_card_amex"), (HELD.split('&').collect::<Vec<_>>()[..4].join("&").as_str(), "pm_card_visa")]
    {
        let held = id(&play.post("/v1/payment_intents", &format!("{form}&payment_method={card}")));
        let path = format!("/v1/payment_intents/{held}/increment_authorization");
        assert_eq!(play.refused("POST", &path, "amount=2000", 400)["code"], "payment_intent_unexpected_state");
    }
}

const ACCOUNT: &str = "payment_method_data[type]=us_bank_account&payment_method_data[us_bank_account][account_number]=000123456789\
                       &payment_method_types[0]=us_bank_account\
                       &payment_method_options[us_bank_account][verification_method]=microdeposits&confirm=true";

fn waiting(play: &mut Play) -> String {
    let pi = play.post("/v1/payment_intents", &format!("amount=1000&currency=usd&{ACCOUNT}"));
    assert_eq!(
        (&pi["status"], &pi["next_action"]["type"]),
        (&json!("requires_action"), &json!("verify_with_microdeposits"))
    );
    format!("/v1/payment_intents/{}", id(&pi))
}

#[test]
fn micro_deposits_verify_the_bank_account_of_a_payment() {
    let mut play = Play::new();
    for right in ["amounts[0]=32&amounts[1]=45", "amounts[0]=45&amounts[1]=32", "descriptor_code=SM11AA"] {
        let path = waiting(&mut play);
        for (wrong, code) in [
            ("amounts[0]=1&amounts[1]=2", "payment_method_microdeposit_verification_amounts_mismatch"),
            ("amounts[0]=32", "payment_method_microdeposit_verification_amounts_invalid"),
            ("descriptor_code=SM99ZZ", "payment_method_microdeposit_verification_descriptor_code_mismatch"),
            ("", "parameter_missing"),
        ] {
            assert_eq!(play.refused("POST", &format!("{path}/verify_microdeposits"), wrong, 400)["code"], code);
        }
        let verified = play.post(&format!("{path}/verify_microdeposits"), right);
        assert_eq!((&verified["status"], &verified["next_action"]), (&json!("processing"), &json!(null)));
        play.refused("POST", &format!("{path}/verify_microdeposits"), right, 400);
    }
    play.until_day(5);
    assert_eq!(play.get("/v1/balance")["available"][0]["amount"], 3_000);
    for (form, code) in [
        ("amounts[0]=10&amounts[1]=11", "payment_method_microdeposit_verification_attempts_exceeded"),
        ("descriptor_code=SM33CC", "payment_method_microdeposit_verification_attempts_exceeded"),
        ("amounts[0]=40&amounts[1]=41", "payment_method_microdeposit_verification_timeout"),
    ] {
        let path = waiting(&mut play);
        assert_eq!(play.refused("POST", &format!("{path}/verify_microdeposits"), form, 400)["code"], code);
        let failed = play.get(&path);
        assert_eq!(
            (&failed["status"], &failed["last_payment_error"]["code"]),
            (&json!("requires_payment_method"), &json!(code))
        );
    }
    // The bank accounts of test tokens are verified.
    let form = "amount=1000&currency=usd&confirm=true&payment_method_types[0]=us_bank_account&payment_method=pm_usBankAccount_success\
                &payment_method_options[us_bank_account][verification_method]=microdeposits";
    assert_eq!(play.post("/v1/payment_intents", form)["status"], "processing");
}

#[test]
fn micro_deposits_verify_the_bank_account_of_a_setup() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let made = play.post("/v1/setup_intents", &format!("customer={customer}&{ACCOUNT}"));
    assert_eq!(made["next_action"]["type"], "verify_with_microdeposits");
    let path = format!("/v1/setup_intents/{}/verify_microdeposits", id(&made));
    let done = play.post(&path, "descriptor_code=SM11AA");
    assert_eq!(done["status"], "succeeded");
    let method = play.get(&format!("/v1/payment_methods/{}", done["payment_method"].as_str().unwrap()));
    assert_eq!(method["customer"], json!(customer));
    let made = play.post("/v1/setup_intents", &format!("customer={customer}&{ACCOUNT}"));
    let path = format!("/v1/setup_intents/{}", id(&made));
    play.refused("POST", &format!("{path}/verify_microdeposits"), "descriptor_code=SM33CC", 400);
    assert_eq!(play.get(&path)["status"], "requires_payment_method");
}

#[test]
fn a_payout_of_a_connected_account_is_reversed_once() {
    let mut play = Play::new();
    let account =
        id(&play.post("/v1/accounts", "type=custom&capabilities[transfers][requested]=true&tos_acceptance[date]=1"));
    play.post("/v1/topups", "amount=5000&currency=usd");
    play.post("/v1/transfers", &format!("amount=3000&currency=usd&destination={account}"));
    let acting = |play: &mut Play, method: &str, path: &str, form: &str| {
        let request = local_stripe::sandbox::Request { account: Some(account.clone()), ..request(method, path, form) };
        let response = play.sandbox.handle(&request);
        (response.status, json_of(&response))
    };
    let payout = id(&acting(&mut play, "POST", "/v1/payouts", "amount=1000&currency=usd").1);
    let path = format!("/v1/payouts/{payout}/reverse");
    assert_eq!(acting(&mut play, "POST", &path, "").0, 400, "it is pending");
    play.until_day(3);
    let (_, back) = acting(&mut play, "POST", &path, "metadata[a]=b");
    assert_eq!(
        (&back["amount"], &back["original_payout"], &back["metadata"]["a"]),
        (&json!(-1_000), &json!(payout), &json!("b"))
    );
    assert_eq!(acting(&mut play, "GET", &format!("/v1/payouts/{payout}"), "").1["reversed_by"], back["id"]);
    assert_eq!(acting(&mut play, "POST", &path, "").0, 400, "it is reversed");
    let sum = |balance: &Value| balance["available"][0]["amount"].as_i64().unwrap();
    assert_eq!(sum(&acting(&mut play, "GET", "/v1/balance", "").1), 3_000);
    let own = id(&play.post("/v1/payouts", "amount=100&currency=usd"));
    play.until_day(6);
    play.refused("POST", &format!("/v1/payouts/{own}/reverse"), "", 400);
    let topup = id(&play.get("/v1/topups")["data"][0]);
    play.refused("POST", &format!("/v1/topups/{topup}/cancel"), "", 400);
    play.refused("POST", "/v1/topups/tu_none/cancel", "", 404);
}

#[test]
fn a_rejected_account_can_neither_charge_nor_be_paid() {
    let mut play = Play::new();
    let account =
        id(&play.post("/v1/accounts", "type=custom&capabilities[transfers][requested]=true&tos_acceptance[date]=1"));
    play.post("/v1/topups", "amount=5000&currency=usd");
    let path = format!("/v1/accounts/{account}/reject");
    play.refused("POST", &path, "reason=mood", 400);
    let rejected = play.post(&path, "reason=fraud_other");
    assert_eq!(
        (&rejected["charges_enabled"], &rejected["payouts_enabled"], &rejected["requirements"]["disabled_reason"]),
        (&json!(false), &json!(false), &json!("rejected.fraud"))
    );
    assert_eq!(play.event("account.updated")["data"]["object"]["capabilities"]["transfers"], "inactive");
    play.refused("POST", &path, "reason=other", 400);
    play.refused("POST", "/v1/transfers", &format!("amount=1&currency=usd&destination={account}"), 400);
    play.refused("POST", &format!("/_sandbox/accounts/{account}/onboard"), "", 400);
    let path = format!("/v1/accounts/{account}/unreject");
    let accepted = play.post(&path, "");
    assert_eq!(
        (
            &accepted["charges_enabled"],
            &accepted["requirements"]["disabled_reason"],
            &accepted["capabilities"]["transfers"]
        ),
        (&json!(true), &json!(null), &json!("active"))
    );
    play.refused("POST", &path, "", 400);
    play.post("/v1/transfers", &format!("amount=100&currency=usd&destination={account}"));
}

#[test]
fn a_quote_has_a_document_and_lines_that_are_due_upfront() {
    let mut play = Play::new();
    let (monthly, once) = (play.monthly("Pro", 2_000), play.price("Setup", 500, ""));
    let customer = play.customer("pm_card_visa");
    let form = format!(
        "customer={customer}&line_items[0][price]={monthly}&line_items[0][quantity]=2&line_items[1][price]={once}"
    );
    let upfront = |play: &mut Play, path: &str| -> Vec<i64> {
        let all = play.get(&format!("{path}/computed_upfront_line_items"))["data"].clone();
        all.as_array().unwrap().iter().map(|line| line["amount_total"].as_i64().unwrap()).collect()
    };
    for (more, lines, due) in
        [("", vec![4_000, 500], 4_500), ("&subscription_data[trial_period_days]=7", vec![0, 500], 500)]
    {
        let quote = play.post("/v1/quotes", &format!("{form}{more}"));
        let path = format!("/v1/quotes/{}", id(&quote));
        assert_eq!(upfront(&mut play, &path), lines);
        let computed = &quote["computed"];
        assert_eq!(
            (&computed["upfront"]["amount_total"], &computed["recurring"]["amount_total"]),
            (&json!(due), &json!(4_000))
        );
        play.post(&format!("{path}/finalize"), "");
        let accepted = play.post(&format!("{path}/accept"), "");
        let sub = play.get(&format!("/v1/subscriptions/{}", accepted["subscription"].as_str().unwrap()));
        let first = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
        assert_eq!(first["total"], due, "the first invoice costs what is due upfront");
        let document = play.call("GET", &format!("{path}/pdf"), "");
        assert_eq!(document.status, 200);
        for words in ["%PDF-", "Quote QT-", "$40.00 / month", "Due upfront"] {
            assert!(document.body.contains(words), "{words}: {}", document.body);
        }
    }
    play.refused("GET", "/v1/quotes/qt_none/pdf", "", 404);
}
