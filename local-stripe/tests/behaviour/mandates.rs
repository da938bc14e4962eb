//! Mandates of debits and setups, and the parameters with which a browser confirms a payment.

use crate::play::{Play, id};
use local_stripe::settings::START_S;
use serde_json::{Value, json};

const SEPA: &str = "type=sepa_debit&sepa_debit[iban]=DE89370400440532013000&billing_details[name]=A";
const ONLINE: &str = "mandate_data[customer_acceptance][type]=online\
    &mandate_data[customer_acceptance][online][ip_address]=127.0.0.1\
    &mandate_data[customer_acceptance][online][user_agent]=Firefox";

/// Returns the mandate that the charge of a payment names.
fn mandate_of(play: &mut Play, intent: &Value, kind: &str) -> Value {
    let charge = play.get(&format!("/v1/charges/{}", intent["latest_charge"].as_str().unwrap()));
    let mandate = charge["payment_method_details"][kind]["mandate"].clone();
    play.get(&format!("/v1/mandates/{}", mandate.as_str().unwrap()))
}

#[test]
fn a_setup_makes_a_mandate_that_later_payments_name() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", "email=a@example.com"));
    let method = id(&play.post("/v1/payment_methods", SEPA));
    let form =
        format!("customer={customer}&payment_method={method}&payment_method_types[0]=sepa_debit&confirm=true&{ONLINE}");
    let setup = play.post("/v1/setup_intents", &form);
    let mandate = play.get(&format!("/v1/mandates/{}", setup["mandate"].as_str().unwrap()));
    let online = json!({ "ip_address": "127.0.0.1", "user_agent": "Firefox" });
    assert_eq!(mandate["customer_acceptance"], json!({ "accepted_at": START_S, "online": online, "type": "online" }));
    assert_eq!(
        (&mandate["type"], &mandate["status"], &mandate["payment_method"]),
        (&json!("multi_use"), &json!("active"), &json!(method))
    );
    assert_eq!(mandate["payment_method_details"]["sepa_debit"]["reference"].as_str().unwrap().len(), 16);
    let attempt = play.get(&format!("/v1/setup_attempts?setup_intent={}", id(&setup)))["data"][0].clone();
    assert_eq!(attempt["payment_method_details"], json!({ "sepa_debit": {}, "type": "sepa_debit" }));
    let pay = format!(
        "amount=5000&currency=eur&customer={customer}&payment_method={method}&payment_method_types[0]=sepa_debit&confirm=true"
    );
    for more in [String::new(), format!("&mandate={}", id(&mandate))] {
        let paid = play.post("/v1/payment_intents", &format!("{pay}{more}"));
        assert_eq!(mandate_of(&mut play, &paid, "sepa_debit"), mandate, "{more}");
    }
}

#[test]
fn a_payment_makes_a_mandate_for_itself_or_for_later() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", ""));
    for (method, currency, kind) in [
        ("type=us_bank_account&us_bank_account[account_number]=000123456789", "usd", "us_bank_account"),
        (SEPA, "eur", "sepa_debit"),
    ] {
        for (more, of) in [
            ("", json!({ "single_use": { "amount": 5_000, "currency": currency }, "status": "inactive" })),
            ("&setup_future_usage=off_session", json!({ "multi_use": {}, "status": "active" })),
        ] {
            let method = id(&play.post("/v1/payment_methods", method));
            let form = format!(
                "amount=5000&currency={currency}&customer={customer}&payment_method={method}&payment_method_types[0]={kind}"
            );
            let intent = play.post("/v1/payment_intents", &format!("{form}{more}"));
            let paid = play.post(&format!("/v1/payment_intents/{}/confirm", id(&intent)), "");
            let mandate = mandate_of(&mut play, &paid, kind);
            for (member, value) in of.as_object().unwrap() {
                assert_eq!(&mandate[member], value, "{kind} {more}");
            }
            // Without `mandate_data`, the customer is taken to have accepted it on paper.
            assert_eq!(mandate["customer_acceptance"]["type"], "offline");
        }
    }
    // A card has a mandate only if the request describes one.
    let card = format!("customer={customer}&payment_method=pm_card_visa&confirm=true");
    assert_eq!(play.post("/v1/setup_intents", &card)["mandate"], Value::Null);
    let setup = play.post("/v1/setup_intents", &format!("{card}&mandate_data[customer_acceptance][type]=offline"));
    let mandate = play.get(&format!("/v1/mandates/{}", setup["mandate"].as_str().unwrap()));
    assert_eq!(mandate["payment_method_details"], json!({ "card": {}, "type": "card" }));
}

#[test]
fn an_invoice_is_paid_under_its_mandate() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", "email=a@example.com"));
    let set_up = |play: &mut Play| {
        let method = id(&play.post("/v1/payment_methods", SEPA));
        let form =
            format!("customer={customer}&payment_method={method}&payment_method_types[0]=sepa_debit&confirm=true");
        let mandate = |play: &mut Play| {
            // Each request with `mandate_data` makes a new mandate.
            let setup = play.post("/v1/setup_intents", &format!("{form}&{ONLINE}"));
            setup["mandate"].as_str().unwrap().to_owned()
        };
        (method.clone(), mandate(play), mandate(play))
    };
    let (method, first, latest) = set_up(&mut play);
    let (_, of_other, _) = set_up(&mut play);
    for (settings, pay, used) in [
        (String::new(), String::new(), &latest),
        (format!("&payment_settings[default_mandate]={first}"), String::new(), &first),
        (String::new(), format!("&mandate={first}"), &first),
        (format!("&payment_settings[default_mandate]={of_other}"), String::new(), &latest),
    ] {
        play.post("/v1/invoiceitems", &format!("customer={customer}&amount=1000&currency=eur"));
        let form = format!(
            "customer={customer}&currency=eur&pending_invoice_items_behavior=include\
            &payment_settings[payment_method_types][0]=sepa_debit{settings}"
        );
        let path = format!("/v1/invoices/{}", id(&play.post("/v1/invoices", &form)));
        play.post(&format!("{path}/pay"), &format!("payment_method={method}{pay}"));
        let charge = play.get("/v1/charges?limit=1")["data"][0].clone();
        assert_eq!(charge["payment_method_details"]["sepa_debit"]["mandate"], json!(used), "{settings}{pay}");
    }
}

#[test]
fn a_mandate_is_checked() {
    let mut play = Play::new();
    let form =
        "amount=5000&currency=usd&payment_method=pm_usBankAccount_success&payment_method_types[0]=us_bank_account";
    let used = play.post("/v1/payment_intents", &format!("{form}&confirm=true"));
    let used = id(&mandate_of(&mut play, &used, "us_bank_account"));
    for (more, param) in [
        ("&mandate=mandate_1".to_owned(), "mandate"),
        (format!("&{ONLINE}"), "mandate_data"),
        ("&confirm=true&mandate=mandate_1".to_owned(), "mandate"),
        (format!("&confirm=true&mandate={used}"), "mandate"),
        (
            "&confirm=true&mandate_data[customer_acceptance][type]=online".to_owned(),
            "mandate_data[customer_acceptance][online][ip_address]",
        ),
    ] {
        assert_eq!(
            play.refused("POST", "/v1/payment_intents", &format!("{form}{more}"), 400)["param"],
            param,
            "{more}"
        );
    }
    play.refused("GET", "/v1/mandates/mandate_1", "", 404);
}

#[test]
fn a_client_secret_must_be_the_intents() {
    let mut play = Play::new();
    for (kind, create) in
        [("payment_intents", "amount=1000&currency=usd"), ("setup_intents", "payment_method_types[0]=card")]
    {
        let intent = play.post(&format!("/v1/{kind}"), create);
        let path = format!("/v1/{kind}/{}", id(&intent));
        let secret = format!("client_secret={}", intent["client_secret"].as_str().unwrap());
        assert_eq!(play.get(&format!("{path}?{secret}"))["id"], intent["id"]);
        let confirm = format!("{path}/confirm");
        let wrong = "client_secret=another";
        for error in [
            play.refused("GET", &path, wrong, 400),
            play.refused("POST", &confirm, &format!("{wrong}&payment_method=pm_card_visa"), 400),
        ] {
            assert_eq!((&error["code"], &error["param"]), (&json!("resource_missing"), &json!("client_secret")));
        }
        play.post(&confirm, &format!("{secret}&payment_method=pm_card_visa"));
    }
}

#[test]
fn a_script_gets_an_action_of_its_own_kind() {
    let mut play = Play::new();
    let card = "payment_method=pm_card_authenticationRequired&use_stripe_sdk=true&return_url=https://x.test";
    for (kind, create) in
        [("payment_intents", "amount=1000&currency=usd"), ("setup_intents", "payment_method_types[0]=card")]
    {
        for is_confirmed_later in [false, true] {
            let intent = if is_confirmed_later {
                let intent = play.post(&format!("/v1/{kind}"), create);
                play.post(&format!("/v1/{kind}/{}/confirm", id(&intent)), card)
            } else {
                play.post(&format!("/v1/{kind}"), &format!("{create}&confirm=true&{card}"))
            };
            let action = &intent["next_action"];
            assert_eq!(action["type"], "use_stripe_sdk");
            assert!(action["use_stripe_sdk"]["stripe_js"].as_str().unwrap().ends_with(&id(&intent)));
            assert_eq!(action.get("redirect_to_url"), None);
            let done = play.post(&format!("/_sandbox/authenticate/{}", id(&intent)), "outcome=success");
            assert_eq!(done["status"], "succeeded");
        }
    }
}

#[test]
fn a_cvc_has_three_or_four_digits() {
    let mut play = Play::new();
    let card = |prefix: &str, cvc: &str| {
        format!("{prefix}[number]=4242424242424242&{prefix}[exp_month]=12&{prefix}[exp_year]=2034{cvc}")
    };
    for cvc in ["12", "12345", "12a"] {
        for (path, form) in [
            ("/v1/payment_methods", format!("type=card&{}", card("card", &format!("&card[cvc]={cvc}")))),
            ("/v1/tokens", card("card", &format!("&card[cvc]={cvc}"))),
        ] {
            let error = play.refused("POST", path, &form, 402);
            assert_eq!(
                (&error["type"], &error["code"], &error["param"]),
                (&json!("card_error"), &json!("invalid_cvc"), &json!("cvc"))
            );
        }
    }
    for (cvc, check) in [("&card[cvc]=123", json!("pass")), ("&card[cvc]=1234", json!("pass")), ("", Value::Null)] {
        let method = play.post("/v1/payment_methods", &format!("type=card&{}", card("card", cvc)));
        assert_eq!(method["card"]["checks"]["cvc_check"], check, "{cvc}");
        assert_eq!(play.post("/v1/tokens", &card("card", cvc))["card"]["cvc_check"], check, "{cvc}");
    }
}

#[test]
fn a_new_payment_method_is_as_described() {
    let mut play = Play::new();
    let details = "billing_details[name]=A&billing_details[tax_id]=12345&metadata[a]=b";
    let data = details.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        let (group, member) = name.split_once('[').unwrap();
        format!("payment_method_data[{group}][{member}={value}")
    });
    let card = "[number]=4242424242424242&[exp_month]=12&[exp_year]=2034&[networks][preferred]=visa";
    let own = format!("type=card&{details}&{}", card.replace("&[", "&card[").replacen('[', "card[", 1));
    let within = format!(
        "amount=1000&currency=usd&payment_method_data[type]=card&{}&{}",
        data.collect::<Vec<_>>().join("&"),
        card.replace("&[", "&payment_method_data[card][").replacen('[', "payment_method_data[card][", 1)
    );
    let made = play.post("/v1/payment_methods", &own);
    let intent = play.post("/v1/payment_intents", &within);
    let inner = play.get(&format!("/v1/payment_methods/{}", intent["payment_method"].as_str().unwrap()));
    for method in [made, inner] {
        assert_eq!((&method["billing_details"]["name"], &method["metadata"]), (&json!("A"), &json!({ "a": "b" })));
        assert_eq!(method["billing_details"]["tax_id"], "12345");
        assert_eq!(method["card"]["networks"], json!({ "available": ["visa"], "preferred": "visa" }));
    }
    let error = play.refused("POST", "/v1/payment_methods", &own.replace("=visa", "=mastercard"), 400);
    assert_eq!(error["param"], "card[networks][preferred]");
    let bank = "type=us_bank_account&us_bank_account[account_number]=000123456789\
        &us_bank_account[account_holder_type]=company&us_bank_account[account_type]=savings";
    let bank = play.post("/v1/payment_methods", bank)["us_bank_account"].clone();
    assert_eq!((&bank["account_holder_type"], &bank["account_type"]), (&json!("company"), &json!("savings")));
}

#[test]
fn a_capture_is_final() {
    let mut play = Play::new();
    let form = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_visa&capture_method=manual";
    let path = format!("/v1/payment_intents/{}/capture", id(&play.post("/v1/payment_intents", form)));
    assert_eq!(play.refused("POST", &path, "amount_to_capture=400&final_capture=false", 400)["param"], "final_capture");
    let captured = play.post(&path, "amount_to_capture=400&final_capture=true");
    assert_eq!((&captured["status"], &captured["amount_received"]), (&json!("succeeded"), &json!(400)));
}
