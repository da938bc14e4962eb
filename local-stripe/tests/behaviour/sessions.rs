//! What a server creates for its pages and apps: sessions, keys, confirmation tokens, and the settings of payment pages.

use crate::play::{Play, id, request};
use local_stripe::sandbox::{Request, json_of};
use serde_json::{Value, json};

#[test]
fn a_customer_session_shows_its_components_with_their_defaults() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let form = format!(
        "customer={customer}&components[payment_element][enabled]=true\
         &components[payment_element][features][payment_method_redisplay]=enabled\
         &components[payment_element][features][payment_method_allow_redisplay_filters][0]=limited"
    );
    let made = play.post("/v1/customer_sessions", &form);
    let element = &made["components"]["payment_element"];
    assert_eq!(
        (&element["enabled"], &element["features"]["payment_method_redisplay"]),
        (&json!(true), &json!("enabled"))
    );
    assert_eq!(element["features"]["payment_method_allow_redisplay_filters"], json!(["limited"]));
    assert_eq!(
        (&element["features"]["payment_method_save"], &element["features"]["payment_method_redisplay_limit"]),
        (&json!("disabled"), &json!(3))
    );
    assert_eq!(made["components"]["pricing_table"], json!({ "enabled": false }));
    assert_eq!(made["components"]["customer_sheet"], json!({ "enabled": false, "features": null }));
    assert_eq!(made["expires_at"].as_i64().unwrap() - made["created"].as_i64().unwrap(), 1_800);
    assert!(made["client_secret"].as_str().unwrap().starts_with("cuss_secret_"));
    play.refused("POST", "/v1/customer_sessions", "components[pricing_table][enabled]=true", 400);
    play.refused("POST", "/v1/customer_sessions", "customer=cus_none&components[pricing_table][enabled]=true", 400);
}

#[test]
fn an_account_session_shows_its_components_with_their_features() {
    let mut play = Play::new();
    let account = id(&play.post("/v1/accounts", "type=express"));
    let form = format!(
        "account={account}&components[payments][enabled]=true&components[payments][features][refund_management]=false\
         &components[payments][features][dispute_management]=false"
    );
    let made = play.post("/v1/account_sessions", &form);
    assert_eq!(
        made["components"]["payments"],
        json!({
            "enabled": true,
            "features": {
                "capture_payments": true, "destination_on_behalf_of_charge_management": false,
                "dispute_management": false, "refund_management": false, "smart_disputes_management": false,
            },
        })
    );
    assert_eq!(made["components"]["documents"], json!({ "enabled": false, "features": {} }));
    play.refused(
        "POST",
        "/v1/account_sessions",
        &format!("account={account}&components[payments][enabled]=false"),
        400,
    );
    play.refused("POST", "/v1/account_sessions", "account=acct_none&components[payments][enabled]=true", 400);
}

fn with_key(play: &mut Play, key: &str, method: &str, path: &str, form: &str) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, form));
    let request = Request { authorization: Some(format!("Bearer {key}")), ..request(method, path, query) };
    let response = play.sandbox.handle(&request);
    (response.status, json_of(&response))
}

#[test]
fn an_ephemeral_key_is_good_for_the_payment_methods_of_its_customer() {
    let mut play = Play::new();
    let (customer, other) = (play.customer("pm_card_visa"), play.customer("pm_card_visa"));
    let foreign = id(&play.get(&format!("/v1/customers/{other}/payment_methods"))["data"][0]);
    let made = play.post("/v1/ephemeral_keys", &format!("customer={customer}"));
    let key = made["secret"].as_str().unwrap().to_owned();
    assert_eq!(made["associated_objects"], json!([{ "id": customer, "type": "customer" }]));
    for (status, method, path, form) in [
        (200, "GET", format!("/v1/customers/{customer}"), String::new()),
        (200, "GET", format!("/v1/payment_methods?customer={customer}&type=card"), String::new()),
        (200, "POST", "/v1/payment_methods/pm_card_mastercard/attach".into(), format!("customer={customer}")),
        (403, "GET", format!("/v1/customers/{other}"), String::new()),
        (403, "GET", format!("/v1/payment_methods?customer={other}"), String::new()),
        (403, "GET", "/v1/payment_methods?limit=3".into(), String::new()),
        (403, "POST", "/v1/payment_methods/pm_card_mastercard/attach".into(), format!("customer={other}")),
        (403, "POST", format!("/v1/payment_methods/{foreign}/detach"), String::new()),
        (403, "GET", "/v1/balance".into(), String::new()),
        (403, "POST", "/v1/refunds".into(), "charge=ch_1".into()),
    ] {
        let (found, body) = with_key(&mut play, &key, method, &path, &form);
        assert_eq!(found, status, "{method} {path}: {body}");
    }
    assert_eq!(with_key(&mut play, "ek_test_none", "GET", &format!("/v1/customers/{customer}"), "").0, 401);
    let deleted = play.ok("DELETE", &format!("/v1/ephemeral_keys/{}", id(&made)), "");
    assert_eq!((&deleted["id"], deleted.get("secret")), (&made["id"], None));
    assert_eq!(with_key(&mut play, &key, "GET", &format!("/v1/customers/{customer}"), "").0, 401);
    let late = play.post("/v1/ephemeral_keys", &format!("customer={customer}"));
    play.until_day(1);
    let key = late["secret"].as_str().unwrap().to_owned();
    assert_eq!(with_key(&mut play, &key, "GET", &format!("/v1/customers/{customer}"), "").0, 401);
}

const TOKEN: &str = "/v1/test_helpers/confirmation_tokens";
const ACCOUNT: &str = "payment_method_data[type]=us_bank_account&payment_method_data[us_bank_account][account_number]=000123456789\
                       &payment_method_data[billing_details][name]=A Buyer";

#[test]
fn a_confirmation_token_pays_once() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let form = format!(
        "{ACCOUNT}&return_url=https://example.com/back&setup_future_usage=off_session&shipping[name]=A Buyer&shipping[address][country]=US"
    );
    let token = play.post(TOKEN, &form);
    let preview = &token["payment_method_preview"];
    assert_eq!(
        (&preview["type"], &preview["us_bank_account"]["last4"], &preview["billing_details"]["name"]),
        (&json!("us_bank_account"), &json!("6789"), &json!("A Buyer"))
    );
    let pi = play.post(
        "/v1/payment_intents",
        &format!("amount=1000&currency=usd&customer={customer}&automatic_payment_methods[enabled]=true"),
    );
    let confirm = format!("/v1/payment_intents/{}/confirm", id(&pi));
    let form = format!("confirmation_token={}", id(&token));
    assert_eq!(
        play.refused("POST", &confirm, &format!("{form}&payment_method=pm_card_visa"), 400)["param"],
        "payment_method"
    );
    let paid = play.post(&confirm, &format!("{form}&expand[]=payment_method"));
    assert_eq!(
        (&paid["status"], &paid["shipping"]["name"], &paid["setup_future_usage"], &paid["payment_method"]["customer"]),
        (&json!("processing"), &json!("A Buyer"), &json!("off_session"), &json!(customer))
    );
    assert_eq!(play.get(&format!("/v1/confirmation_tokens/{}", id(&token)))["payment_intent"], paid["id"]);
    let again = format!("amount=1000&currency=usd&confirm=true&{form}");
    assert_eq!(play.refused("POST", "/v1/payment_intents", &again, 400)["param"], "confirmation_token");
    let second = id(&play.post(TOKEN, "payment_method=pm_card_visa&return_url=https://example.com/"));
    let form = format!("amount=1000&currency=usd&confirmation_token={second}");
    assert_eq!(play.refused("POST", "/v1/payment_intents", &form, 400)["param"], "confirmation_token");
    assert_eq!(play.post("/v1/payment_intents", &format!("{form}&confirm=true"))["status"], "succeeded");
    let third = id(&play.post(TOKEN, "payment_method=pm_card_visa"));
    let made = play.post("/v1/setup_intents", &format!("customer={customer}&confirm=true&confirmation_token={third}"));
    assert_eq!(
        (&made["status"], &play.get(&format!("/v1/confirmation_tokens/{third}"))["setup_intent"]),
        (&json!("succeeded"), &made["id"])
    );
    let late = id(&play.post(TOKEN, "payment_method=pm_card_visa"));
    play.until_day(1);
    let form = format!("amount=1000&currency=usd&confirm=true&confirmation_token={late}");
    play.refused("POST", "/v1/payment_intents", &form, 400);
    for wrong in ["", "payment_method=pm_none", &format!("payment_method=pm_card_visa&{ACCOUNT}")] {
        play.refused("POST", TOKEN, wrong, 400);
    }
}

#[test]
fn configurations_of_payment_methods_inherit_and_are_listed() {
    let mut play = Play::new();
    let path = "/v1/payment_method_configurations";
    let default = play.get(path)["data"][0].clone();
    assert_eq!((&default["is_default"], &default["card"]["display_preference"]["value"]), (&json!(true), &json!("on")));
    assert_eq!(
        (&default["klarna"]["available"], &default["klarna"]["display_preference"]["value"]),
        (&json!(false), &json!("off"))
    );
    let own = format!("{path}/{}", id(&default));
    let changed = play.post(&own, "sepa_debit[display_preference][preference]=off&name=Main");
    assert_eq!(
        (&changed["name"], &changed["sepa_debit"]["display_preference"]["value"]),
        (&json!("Main"), &json!("off"))
    );
    assert_eq!(play.refused("POST", &own, "active=false", 400)["param"], "active");
    let form = format!("name=Europe&parent={}&card[display_preference][preference]=off", id(&default));
    let made = play.post(path, &form);
    assert_eq!(
        (
            &made["parent"],
            &made["card"]["display_preference"]["value"],
            &made["sepa_debit"]["display_preference"]["value"]
        ),
        (&default["id"], &json!("off"), &json!("off"))
    );
    let own = format!("{path}/{}", id(&made));
    let back = play.post(&own, "card[display_preference][preference]=none&active=false");
    assert_eq!((&back["card"]["display_preference"]["value"], &back["active"]), (&json!("on"), &json!(false)));
    let listed = play.get(&format!("{path}?active=true"))["data"].clone();
    assert_eq!(listed.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), [id(&default)]);
    play.refused("POST", path, "parent=pmc_none", 400);
    play.refused("GET", &format!("{path}/pmc_none"), "", 404);
}

#[test]
fn domains_are_registered_once() {
    let mut play = Play::new();
    let path = "/v1/payment_method_domains";
    let made = play.post(path, "domain_name=Shop.example.com");
    assert_eq!(
        (&made["domain_name"], &made["enabled"], &made["apple_pay"]["status"]),
        (&json!("shop.example.com"), &json!(true), &json!("active"))
    );
    for wrong in ["shop.example.com", "https://example.com", "localhost", "a..com", "-a.com"] {
        assert_eq!(play.refused("POST", path, &format!("domain_name={wrong}"), 400)["param"], "domain_name", "{wrong}");
    }
    let own = format!("{path}/{}", id(&made));
    assert_eq!(play.post(&own, "enabled=false")["enabled"], false);
    assert_eq!(play.post(&format!("{own}/validate"), "")["link"]["status"], "active");
    assert_eq!(play.get(&format!("{path}?enabled=true"))["data"], json!([]));
    assert_eq!(play.get(&format!("{path}?domain_name=shop.example.com"))["data"][0]["id"], made["id"]);
    let apple = play.post("/v1/apple_pay/domains", "domain_name=shop.example.com");
    let own = format!("/v1/apple_pay/domains/{}", id(&apple));
    assert_eq!(play.get(&own), apple);
    play.refused("POST", "/v1/apple_pay/domains", "domain_name=shop.example.com", 400);
    assert_eq!(play.ok("DELETE", &own, "")["deleted"], true);
    play.refused("GET", &own, "", 404);
    assert_eq!(play.get("/v1/apple_pay/domains")["data"], json!([]));
}
