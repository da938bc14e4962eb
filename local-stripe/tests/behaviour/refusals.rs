//! Invalid requests, each of which is refused with Stripe's error and has no effect.

use crate::play::{Play, id, request};
use local_stripe::sandbox::json_of;
use local_stripe::settings::START_S;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn invalid_keys_paths_and_methods_are_refused() {
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
    let mut json = request("POST", "/v2/core/accounts", "");
    json.body = r#"{"include": ["identity"]}"#.into();
    assert_eq!(play.sandbox.handle(&json).status, 404);
    let mut versioned = request("GET", "/v1/customers", "");
    versioned.version = Some("2015-01-01".into());
    assert_eq!(play.sandbox.handle(&versioned).status, 400);
    let mut connected = request("GET", "/v1/customers", "");
    connected.account = Some("acct_1".into());
    assert_eq!(play.sandbox.handle(&connected).status, 403);
}

#[test]
fn an_error_names_the_object_in_stripes_words_and_the_log_of_its_request() {
    let mut play = Play::new();
    for (path, message) in [
        ("setup_intents/seti_1", "No such setupintent: 'seti_1'"),
        ("payment_intents/pi_1", "No such payment_intent: 'pi_1'"),
        ("payment_methods/pm_1", "No such PaymentMethod: 'pm_1'"),
        ("promotion_codes/promo_1", "No such promotion code: 'promo_1'"),
        ("tax_rates/txr_1", "No such tax rate: 'txr_1'"),
        ("webhook_endpoints/we_1", "No such webhook endpoint: 'we_1'"),
    ] {
        let refused = play.call("GET", &format!("/v1/{path}"), "");
        let error = json_of(&refused)["error"].clone();
        assert_eq!((refused.status, &error["message"]), (404, &json!(message)));
        let log = format!("https://dashboard.stripe.com/test/logs/{}?t={START_S}", refused.request_id);
        assert_eq!(error["request_log_url"], log);
    }
    let mut unknown = request("GET", "/v1/customers", "");
    unknown.authorization = None;
    assert!(json_of(&play.sandbox.handle(&unknown))["error"].get("request_log_url").is_none());
}

#[test]
fn invalid_parameters_are_refused() {
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
fn metadata_is_limited() {
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
fn invalid_cards_are_refused() {
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
    fn any_form_on_any_endpoint_gets_a_response(
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

#[test]
fn unsupported_parameters_that_affect_amounts_are_refused() {
    let mut play = Play::new();
    let (monthly, once) = (play.monthly("Pro", 1_000), play.price("Shirt", 1_500, ""));
    let customer = play.customer("pm_card_visa");
    let session =
        format!("mode=payment&success_url=https://x.test&line_items[0][price]={once}&line_items[0][quantity]=1");
    let subscription = format!("customer={customer}&items[0][price]={monthly}");
    for (path, form, more, param) in [
        ("/v1/checkout/sessions", &session, "after_expiration[recovery][enabled]=true", "after_expiration"),
        ("/v1/subscriptions", &subscription, "coupon=SAVE", "coupon"),
    ] {
        let error = play.refused("POST", path, &format!("{form}&{more}"), 400);
        assert_eq!((&error["code"], &error["param"]), (&json!("parameter_unknown"), &json!(param)), "{more}");
    }
    // A parameter that switches a feature off has no effect.
    play.post("/v1/subscriptions", &format!("{subscription}&automatic_tax[enabled]=false&default_tax_rates="));
    let error = play.refused("POST", "/v1/checkout/sessions", &format!("{session}&currency=eur"), 400);
    assert_eq!(error["param"], "currency");
}

#[test]
fn values_refused_by_stripe_are_refused() {
    let mut play = Play::new();
    let product = id(&play.post("/v1/products", "name=Pro"));
    let once = play.price("Shirt", 1_500, "");
    let session = format!("mode=payment&line_items[0][price]={once}&line_items[0][quantity]=1");
    let intent = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_visa";
    for (path, form, code, param) in [
        ("/v1/customers", "email=nobody".to_owned(), "email_invalid", "email"),
        ("/v1/customers", "email=a@b@c.de".to_owned(), "email_invalid", "email"),
        ("/v1/payment_intents", "amount=100000000&currency=usd".to_owned(), "amount_too_large", "amount"),
        (
            "/v1/prices",
            format!("product={product}&currency=usd&unit_amount=100000000"),
            "amount_too_large",
            "unit_amount",
        ),
        (
            "/v1/checkout/sessions",
            format!("{session}&success_url=https://x.test&cancel_url=javascript:alert(1)"),
            "url_invalid",
            "cancel_url",
        ),
        ("/v1/checkout/sessions", format!("{session}&success_url=data:text/html,x"), "url_invalid", "success_url"),
        ("/v1/checkout/sessions", format!("{session}&ui_mode=embedded_page"), "parameter_missing", "return_url"),
        ("/v1/payment_intents", format!("{intent}&automatic_payment_methods[enabled]=true"), "", "return_url"),
        (
            "/v1/webhook_endpoints",
            "url=http://127.0.0.1:1&enabled_events[0]=invoice.payed".to_owned(),
            "",
            "enabled_events[0]",
        ),
    ] {
        let error = play.refused("POST", path, &form, 400);
        let found = (error["code"].as_str().unwrap_or_default(), error["param"].as_str().unwrap_or_default());
        assert_eq!(found, (code, param), "{path} {form}");
    }
    play.post("/v1/payment_intents", "amount=1000000000&currency=cop");
    play.post(
        "/v1/payment_intents",
        &format!("{intent}&automatic_payment_methods[enabled]=true&return_url=https://x.test"),
    );
    let never = "&automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never";
    play.post("/v1/payment_intents", &format!("{intent}{never}"));
    let embedded =
        play.post("/v1/checkout/sessions", &format!("{session}&ui_mode=embedded_page&return_url=https://x.test"));
    assert!(embedded["url"].is_null() && embedded["client_secret"].as_str().unwrap().starts_with("cs_test_"));
}

/// A browser uses a publishable key, which Stripe.js sends in the form.
#[test]
fn a_publishable_key_allows_only_browser_calls() {
    let mut play = Play::new();
    let intent = play.post("/v1/payment_intents", "amount=1000&currency=usd");
    let secret = intent["client_secret"].as_str().unwrap();
    let mut without_header = |method: &str, path: &str, form: &str| {
        let mut request = request(method, path, form);
        request.authorization = None;
        let response = play.sandbox.handle(&request);
        (response.status, json_of(&response))
    };
    let (status, method) =
        without_header("POST", "/v1/payment_methods", "key=pk_test_1&type=card&card[token]=tok_visa");
    assert_eq!(status, 200, "{method}");
    let confirm = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let form = format!("key=pk_test_1&payment_method={}", id(&method));
    assert_eq!(without_header("POST", &confirm, &form).0, 400);
    assert_eq!(without_header("POST", &confirm, &format!("{form}&client_secret=pi_other_secret")).0, 400);
    let (status, paid) = without_header("POST", &confirm, &format!("{form}&client_secret={secret}"));
    assert_eq!((status, &paid["status"]), (200, &json!("succeeded")));
    for (method, path, form) in [("GET", "/v1/customers", "key=pk_test_1"), ("POST", "/v1/refunds", "key=pk_test_1")] {
        let (status, answer) = without_header(method, path, form);
        assert_eq!((status, &answer["error"]["code"]), (401, &json!("secret_key_required")));
    }
}
