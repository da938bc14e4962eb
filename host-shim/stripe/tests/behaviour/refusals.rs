//! Bad input: each in Stripe's words, none with an effect.

use crate::play::{Play, id, request};
use local_stripe::sandbox::json_of;
use proptest::prelude::*;

#[test]
fn keys_paths_and_methods() {
    let mut play = Play::new();
    for (authorization, status) in
        [(None, 401), (Some("Bearer pk_test_1"), 401), (Some("Bearer sk_live_1"), 401), (Some("Bearer rk_test_1"), 200)]
    {
        let mut request = request("GET", "/v1/customers", "");
        request.authorization = authorization.map(str::to_owned);
        assert_eq!(play.sandbox.handle(&request).status, status, "{authorization:?}");
    }
    let error = play.refused("GET", "/v1/nothing", "", 404);
    assert_eq!(
        (
            error["type"].as_str(),
            error["message"].as_str().map(|m| m.starts_with("Unrecognized request URL (GET: /v1/nothing)"))
        ),
        (Some("invalid_request_error"), Some(true))
    );
    play.refused("PUT", "/v1/customers", "", 404);
    let mut versioned = request("GET", "/v1/customers", "");
    versioned.version = Some("2015-01-01".into());
    assert_eq!(play.sandbox.handle(&versioned).status, 400);
    let mut connected = request("GET", "/v1/customers", "");
    connected.account = Some("acct_1".into());
    assert_eq!(play.sandbox.handle(&connected).status, 403);
}

#[test]
fn parameters() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", ""));
    for (path, form, code, param) in [
        ("/v1/products", "", "parameter_missing", "name"),
        ("/v1/products", "name=", "parameter_invalid_empty", "name"),
        ("/v1/products", "name=a&colour=red", "parameter_unknown", "colour"),
        ("/v1/prices", "currency=usd&unit_amount=x&product=p", "parameter_invalid_integer", "unit_amount"),
        ("/v1/prices", "currency=usd&unit_amount=-1&product=p", "parameter_invalid_integer", "unit_amount"),
        ("/v1/prices", "currency=usd&unit_amount=1&product=prod_no", "resource_missing", "product"),
        (
            "/v1/prices",
            "currency=usd&unit_amount=1&product=p&recurring[interval]=month&recurring[x]=1",
            "parameter_unknown",
            "recurring[x]",
        ),
        ("/v1/subscriptions", "items[0][price]=p", "parameter_missing", "customer"),
        ("/v1/test_helpers/test_clocks", "frozen_time=tomorrow", "parameter_invalid_integer", "frozen_time"),
        ("/v1/webhook_endpoints", "enabled_events[]=*&url=ftp://x", "url_invalid", "url"),
    ] {
        let error = play.refused("POST", path, form, 400);
        assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some(code), Some(param)), "{path} {form}");
    }
    for (form, param) in [
        ("address=x", "address"),
        ("email[a]=b", "email"),
        ("preferred_locales=en", "preferred_locales"),
        ("tax_exempt=maybe", "tax_exempt"),
        ("a[=1", ""),
    ] {
        let error = play.refused("POST", &format!("/v1/customers/{customer}"), form, 400);
        assert_eq!(error["param"].as_str().unwrap_or_default(), param, "{form}");
    }
    let error = play.refused("GET", "/v1/customers/cus_no", "", 404);
    assert_eq!(
        (error["code"].as_str(), error["param"].as_str(), error["message"].as_str()),
        (Some("resource_missing"), Some("id"), Some("No such customer: 'cus_no'"))
    );
    assert_eq!(play.sandbox.state().count("product"), 0);
}

#[test]
fn metadata_limits() {
    let mut play = Play::new();
    let fifty: Vec<String> = (0..50).map(|n| format!("metadata[k{n}]=v")).collect();
    let customer = id(&play.post("/v1/customers", &fifty.join("&")));
    let path = format!("/v1/customers/{customer}");
    for form in [
        "metadata[more]=v".to_owned(),
        format!("metadata[{}]=v", "k".repeat(41)),
        format!("metadata[k1]={}", "v".repeat(501)),
        "metadata[k1][k2]=v".into(),
    ] {
        play.refused("POST", &path, &form, 400);
    }
    let merged =
        play.post(&path, &format!("metadata[k0]=&metadata[k1]=new&metadata[{}]={}", "k".repeat(40), "v".repeat(500)));
    assert_eq!((merged["metadata"].as_object().unwrap().len(), merged["metadata"]["k1"].as_str()), (50, Some("new")));
    assert_eq!(play.post(&path, "metadata=")["metadata"], serde_json::json!({}));
}

#[test]
fn cards_that_are_none() {
    let mut play = Play::new();
    for (form, code) in [
        ("card[number]=4242424242424241&card[exp_month]=1&card[exp_year]=2030", "incorrect_number"),
        ("card[number]=4111111111111111&card[exp_month]=1&card[exp_year]=2030", "card_declined"),
        ("card[number]=4242424242424242&card[exp_month]=13&card[exp_year]=2030", "invalid_expiry_month"),
        ("card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2020", "invalid_expiry_year"),
    ] {
        let error = play.refused("POST", "/v1/payment_methods", &format!("type=card&{form}"), 402);
        assert_eq!(error["code"], code, "{form}");
    }
    play.refused("POST", "/v1/payment_methods", "type=sepa_debit", 400);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_form_on_any_endpoint_gives_an_answer(
        route in 0..local_stripe::api::routes().count(),
        fields in proptest::collection::vec((any::<proptest::sample::Index>(), "(\\[\\]|\\[0\\]|\\[a\\]|)(\\[b\\]|\\[price\\]|)", "(|-1|0|99999999999999999999|true|now|usd|é|pm_card_visa|cus_1)"), 0..8),
    ) {
        let route = local_stripe::api::routes().nth(route).unwrap();
        let mut play = Play::new();
        let form: Vec<String> = fields
            .iter()
            .filter(|_| !route.fields.is_empty())
            .map(|(index, nested, value)| format!("{}{nested}={value}", index.get(route.fields).name))
            .collect();
        let mut request = request(route.method, &route.path.replace("{}", "cus_1"), "");
        request.body = form.join("&");
        let response = play.sandbox.handle(&request);
        prop_assert!(response.status < 500, "{}", response.body);
        prop_assert!(json_of(&response).is_object());
    }
}
