//! Charges without payment intents, tokens, and cards given by their details.

use crate::connect::{for_account, seller};
use crate::play::{Play, id};
use serde_json::{Value, json};

const CARD: &str = "[number]=4242424242424242&[exp_month]=12&[exp_year]=2034&[cvc]=123";

/// Returns the details of a card as members of a parameter.
fn card(param: &str, number: &str) -> String {
    CARD.replace("4242424242424242", number).replace('[', &format!("{param}[")).replace("&[", &format!("&{param}["))
}

fn balance(play: &mut Play) -> i64 {
    play.get("/v1/balance")["available"][0]["amount"].as_i64().unwrap()
}

#[test]
fn a_token_is_charged() {
    let mut play = Play::new();
    let made = play.post("/v1/charges", "amount=2000&currency=usd&source=tok_visa&description=Book&metadata[a]=b");
    assert_eq!(play.events(), ["charge.succeeded"]);
    assert_eq!(
        (&made["status"], &made["payment_intent"], &made["source"]["last4"], &made["payment_method"]),
        (&json!("succeeded"), &Value::Null, &json!("4242"), &made["source"]["id"])
    );
    assert_eq!(
        (&made["description"], &made["metadata"]["a"], balance(&mut play)),
        (&json!("Book"), &json!("b"), 2_000)
    );
    assert_eq!(play.get(&format!("/v1/charges/{}", id(&made))), made);
    let refund = play.post("/v1/refunds", &format!("charge={}&amount=500", id(&made)));
    assert_eq!((&refund["payment_intent"], balance(&mut play)), (&Value::Null, 1_500));
    let dispute = play.post("/v1/charges", "amount=700&currency=usd&source=tok_createDispute");
    assert_eq!(play.get(&format!("/v1/charges/{}", id(&dispute)))["disputed"], true);
    for (form, code) in [
        ("amount=2000&currency=usd", "parameter_missing"),
        ("amount=2000&currency=usd&source=tok_none", "resource_missing"),
        ("amount=1&currency=usd&source=tok_visa", "amount_too_small"),
    ] {
        assert_eq!(play.refused("POST", "/v1/charges", form, 400)["code"], code, "{form}");
    }
}

#[test]
fn a_declined_charge_is_kept() {
    let mut play = Play::new();
    for (token, code, decline_code) in [
        ("tok_chargeDeclinedInsufficientFunds", "card_declined", json!("insufficient_funds")),
        ("tok_chargeCustomerFail", "card_declined", json!("generic_decline")),
        ("tok_chargeDeclinedExpiredCard", "expired_card", Value::Null),
        ("tok_authenticationRequired", "authentication_required", json!("authentication_required")),
    ] {
        play.events();
        let error = play.refused("POST", "/v1/charges", &format!("amount=2000&currency=usd&source={token}"), 402);
        assert_eq!((&error["code"], &error["decline_code"]), (&json!(code), &decline_code), "{token}");
        let failed = play.get(&format!("/v1/charges/{}", error["charge"].as_str().unwrap()));
        assert_eq!((&failed["status"], &failed["failure_code"]), (&json!("failed"), &json!(code)));
        assert_eq!(play.events(), ["charge.failed"]);
    }
    assert_eq!(balance(&mut play), 0);
}

#[test]
fn a_charge_is_captured_later_in_part_or_released() {
    let mut play = Play::new();
    let form = "amount=2000&currency=usd&source=tok_visa&capture=false";
    let held = play.post("/v1/charges", form);
    assert_eq!((&held["captured"], &held["balance_transaction"], balance(&mut play)), (&json!(false), &Value::Null, 0));
    let path = format!("/v1/charges/{}/capture", id(&held));
    play.refused("POST", &path, "amount=2001", 400);
    play.events();
    let captured = play.post(&path, "amount=1500");
    assert_eq!(play.events(), ["charge.captured"]);
    assert_eq!((&captured["amount_captured"], &captured["amount_refunded"]), (&json!(1_500), &json!(500)));
    assert_eq!(balance(&mut play), 1_500);
    assert_eq!(play.refused("POST", &path, "", 400)["code"], "charge_already_captured");
    let held = id(&play.post("/v1/charges", form));
    play.refused("POST", "/v1/refunds", &format!("charge={held}&amount=500"), 400);
    let released = play.post("/v1/refunds", &format!("charge={held}"));
    assert_eq!((&released["balance_transaction"], balance(&mut play)), (&Value::Null, 1_500));
    play.refused("POST", &format!("/v1/charges/{held}/capture"), "", 400);
    let intent = "amount=500&currency=usd&confirm=true&payment_method=pm_card_visa&capture_method=manual";
    let charge = play.post("/v1/payment_intents", intent)["latest_charge"].as_str().unwrap().to_owned();
    play.refused("POST", &format!("/v1/charges/{charge}/capture"), "", 400);
    play.refused("POST", "/v1/refunds", &format!("charge={charge}"), 400);
}

#[test]
fn a_token_is_made_and_used_once() {
    let mut play = Play::new();
    let token = play
        .post("/v1/tokens", &format!("{}&card[name]=A B&card[address_zip]=94107", card("card", "5555555555554444")));
    assert_eq!(
        (
            &token["type"],
            &token["used"],
            &token["card"]["brand"],
            &token["card"]["name"],
            &token["card"]["address_zip"]
        ),
        (&json!("card"), &json!(false), &json!("MasterCard"), &json!("A B"), &json!("94107"))
    );
    let path = format!("/v1/tokens/{}", id(&token));
    assert_eq!(play.get(&path), token);
    let charge = format!("amount=2000&currency=usd&source={}", id(&token));
    let made = play.post("/v1/charges", &charge);
    assert_eq!((&made["source"], &made["billing_details"]["name"]), (&token["card"], &json!("A B")));
    assert_eq!(
        (&play.get(&path)["used"], &play.refused("POST", "/v1/charges", &charge, 400)["code"]),
        (&json!(true), &json!("token_already_used"))
    );
    // A declined card gives a token, too; and a wrong number does not.
    let declined = id(&play.post("/v1/tokens", &card("card", "4000000000000002")));
    play.refused("POST", "/v1/charges", &format!("amount=2000&currency=usd&source={declined}"), 402);
    assert_eq!(play.refused("POST", "/v1/tokens", &card("card", "4242424242424241"), 402)["code"], "incorrect_number");
    play.refused("POST", "/v1/tokens", "", 400);
    // A token also becomes a payment method or a customer's card.
    let token = id(&play.post("/v1/tokens", &card("card", "4242424242424242")));
    let method = play.post("/v1/payment_methods", &format!("type=card&card[token]={token}"));
    assert!(id(&method).starts_with("pm_") && method["card"]["exp_year"] == 2034);
    let token = id(&play.post("/v1/tokens", &card("card", "4242424242424242")));
    let customer = play.post("/v1/customers", &format!("source={token}"));
    assert!(customer["default_source"].as_str().unwrap().starts_with("card_"));
    let mut call = crate::play::request("POST", "/v1/tokens", &card("card", "4242424242424242"));
    call.authorization = Some("Bearer pk_test_x".into());
    assert_eq!(play.sandbox.handle(&call).status, 200);
}

#[test]
fn a_bank_account_token_becomes_an_external_account() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    let details =
        "bank_account[country]=US&bank_account[account_number]=000123456789&bank_account[routing_number]=110000000";
    let token = play.post("/v1/tokens", details);
    assert_eq!((&token["type"], &token["bank_account"]["last4"]), (&json!("bank_account"), &json!("6789")));
    let path = format!("/v1/accounts/{seller}/external_accounts");
    let form = format!("external_account={}", id(&token));
    let bank = play.post(&path, &form);
    assert_eq!((&bank["id"], &bank["default_for_currency"]), (&token["bank_account"]["id"], &json!(true)));
    assert_eq!(play.refused("POST", &path, &form, 400)["code"], "token_already_used");
    let debit = id(&play.post("/v1/tokens", &card("card", "4000056655665556")));
    assert_eq!(play.post(&path, &format!("external_account={debit}"))["object"], "card");
}

#[test]
fn a_customers_card_is_charged() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", &card("source", "4242424242424242")));
    let other = id(&play.post("/v1/customers", &card("card", "5555555555554444")));
    let charge = format!("amount=2000&currency=usd&customer={customer}");
    let made = play.post("/v1/charges", &charge);
    assert_eq!((&made["customer"], &made["source"]["customer"]), (&json!(customer), &json!(customer)));
    let second = play.post(&format!("/v1/customers/{customer}/sources"), &card("source", "378282246310005"));
    let made = play.post("/v1/charges", &format!("{charge}&source={}", id(&second)));
    assert_eq!(made["source"]["brand"], "American Express");
    let foreign = play.get(&format!("/v1/customers/{other}"))["default_source"].as_str().unwrap().to_owned();
    let none = id(&play.post("/v1/customers", "name=A"));
    for form in [
        format!("{charge}&source={foreign}"),
        format!("{charge}&source=tok_visa"),
        format!("amount=2000&currency=usd&customer={none}"),
    ] {
        assert_eq!(play.refused("POST", "/v1/charges", &form, 400)["code"], "missing", "{form}");
    }
    let made = play.post("/v1/charges", &format!("amount=900&currency=usd&{}", card("card", "4242424242424242")));
    assert_eq!((&made["customer"], &made["amount"]), (&Value::Null, &json!(900)));
}

#[test]
fn a_charge_is_divided_among_accounts() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    play.post(&format!("/_sandbox/accounts/{seller}/onboard"), "");
    let to = format!("transfer_data[destination]={seller}");
    let made =
        play.post("/v1/charges", &format!("amount=2000&currency=usd&source=tok_visa&{to}&application_fee_amount=200"));
    assert_eq!(made["transfer_group"], format!("group_{}", id(&made)));
    let of_seller =
        |play: &mut Play| for_account(play, &seller, "GET", "/v1/balance", "")["available"][0]["amount"].clone();
    assert_eq!((balance(&mut play), of_seller(&mut play)), (200, json!(1_800)));
    let form = "amount=1000&currency=usd&source=tok_visa&capture=false&application_fee_amount=100";
    let held = id(&for_account(&mut play, &seller, "POST", "/v1/charges", form));
    let path = format!("/v1/charges/{held}/capture");
    for_account(&mut play, &seller, "POST", &path, "application_fee_amount=50");
    assert_eq!((balance(&mut play), of_seller(&mut play)), (250, json!(2_750)));
}

#[test]
fn a_source_object_of_a_card_is_charged_and_kept_by_a_customer() {
    let mut play = Play::new();
    let form = "type=card&token=tok_visa&owner[name]=A Buyer&owner[email]=a@example.com&metadata[a]=b";
    let made = play.post("/v1/sources", form);
    assert_eq!(
        (&made["status"], &made["card"]["last4"], &made["owner"]["name"]),
        (&json!("chargeable"), &json!("4242"), &json!("A Buyer"))
    );
    assert_eq!(play.event("source.chargeable")["data"]["object"]["id"], made["id"]);
    let (source, customer) = (id(&made), id(&play.post("/v1/customers", "")));
    let charge = play.post("/v1/charges", &format!("amount=500&currency=usd&source={source}"));
    assert_eq!((&charge["status"], &charge["source"]["object"]), (&json!("succeeded"), &json!("source")));
    let kept = play.post(&format!("/v1/customers/{customer}/sources"), &format!("source={source}"));
    assert_eq!((&kept["id"], &kept["customer"]), (&json!(source), &json!(customer)));
    let charge = play.post("/v1/charges", &format!("amount=700&currency=usd&customer={customer}"));
    assert_eq!(charge["source"]["id"], json!(source));
    let changed = play.post(&format!("/v1/sources/{source}"), "owner[phone]=123&metadata[c]=d");
    assert_eq!((&changed["owner"]["phone"], &changed["metadata"]), (&json!("123"), &json!({ "a": "b", "c": "d" })));
    assert_eq!(play.get(&format!("/v1/sources/{source}/source_transactions"))["data"], json!([]));
    play.refused("POST", &format!("/v1/sources/{source}/verify"), "values[0]=1", 400);
    let listed = play.get(&format!("/v1/customers/{customer}/sources?object=source"))["data"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!(source)));
    assert_eq!(play.ok("DELETE", &format!("/v1/customers/{customer}/sources/{source}"), "")["status"], "consumed");
    assert_eq!(play.get(&format!("/v1/sources/{source}"))["status"], "consumed");
    play.refused("POST", "/v1/charges", &format!("amount=500&currency=usd&source={source}"), 400);
    play.refused("POST", "/v1/sources", "type=ideal&token=tok_visa", 400);
    play.refused("GET", "/v1/sources/src_none", "", 404);
}

#[test]
fn a_deleted_card_confirms_no_intent() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", ""));
    let card = id(&play.post(&format!("/v1/customers/{customer}/sources"), "source=tok_visa"));
    let form = format!("customer={customer}&payment_method={card}");
    let payment = id(&play.post("/v1/payment_intents", &format!("amount=2000&currency=usd&{form}")));
    let setup = id(&play.post("/v1/setup_intents", &form));
    play.ok("DELETE", &format!("/v1/customers/{customer}/sources/{card}"), "");
    let card = id(&play.post(&format!("/v1/customers/{customer}/sources"), "source=tok_threeDSecure2Required"));
    let form = format!("customer={customer}&payment_method={card}&confirm=true&return_url=https://a.example");
    let waits = [
        id(&play.post("/v1/payment_intents", &format!("amount=2000&currency=usd&{form}"))),
        id(&play.post("/v1/setup_intents", &form)),
    ];
    play.ok("DELETE", &format!("/v1/customers/{customer}/sources/{card}"), "");
    for intent in waits {
        for outcome in ["success", "failure"] {
            let path = format!("/_sandbox/authenticate/{intent}");
            assert_eq!(play.refused("POST", &path, &format!("outcome={outcome}"), 400)["code"], "resource_missing");
        }
    }
    for path in [format!("/v1/payment_intents/{payment}/confirm"), format!("/v1/setup_intents/{setup}/confirm")] {
        let error = play.refused("POST", &path, "return_url=https://a.example", 400);
        assert_eq!((&error["code"], &error["param"]), (&json!("resource_missing"), &json!("payment_method")), "{path}");
    }
}
