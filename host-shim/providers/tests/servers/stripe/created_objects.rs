//! Tests that each kind creates the requested object. The tests fetch the object from the local Stripe.

use crate::stripe::bench::{Bench, call, text};
use crate::stripe::cases::{
    CASES, Case, PREVIEW, checkout, customer, dearer, invoice, meter_event, payment, price, subscription, top_up,
};
use host_provider_api::{Call, CallOutcome};
use host_providers::stripe::KINDS;
use serde_json::{Value, json};

fn case(kind: &str) -> &'static Case {
    CASES.iter().find(|case| case.kind == kind).unwrap()
}

/// Carries out the test case of a kind. Returns the payload, the outputs, and the created object if it is in a list.
fn carried_out(bench: &Bench, kind: &str) -> (Value, Value, Option<Value>) {
    let case = case(kind);
    let payload = (case.payload)(bench);
    let call = call(kind, payload.clone());
    let outputs = bench.done(&call);
    let made = (case.listed)(&payload).map(|(path, filter)| {
        let filter: Vec<_> = filter.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut made = bench.made(&path, &filter, &call);
        assert_eq!(made.len(), 1, "{kind}: {made:?}");
        made.remove(0)
    });
    (payload, outputs, made)
}

#[test]
fn every_kind_is_tested() {
    let reads = ["stripe.retrieve", PREVIEW.kind];
    let tested = |kind: &&str| reads.contains(kind) || CASES.iter().any(|case| *case.kind == **kind);
    let untested: Vec<_> = KINDS.iter().filter(|kind| !tested(kind)).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn a_customer_has_the_data_of_the_registration() {
    let bench = Bench::start();
    let (_, outputs, made) = carried_out(&bench, "stripe.customer.create");
    let made = made.unwrap();
    assert_eq!(outputs, json!({"id": made["id"]}));
    assert_eq!((&made["email"], &made["name"]), (&json!("ada@example.com"), &json!("Ada")));
    assert_eq!(
        (&made["metadata"]["user_id"], &made["metadata"]["provisioner_generation"]),
        (&json!("ada"), &json!("1"))
    );
    let mut nameless = call("stripe.customer.create", json!({"metadata": {"organization_id": "o"}}));
    nameless.key = "account-customer:2".to_owned();
    let id = text(&bench.done(&nameless), "id");
    let made = bench.direct("GET", &format!("/v1/customers/{id}"), &[]);
    assert_eq!((&made["email"], &made["metadata"]["organization_id"]), (&Value::Null, &json!("o")));
}

#[test]
fn a_customer_gets_the_address_of_today() {
    let bench = Bench::start();
    let (payload, outputs, _) = carried_out(&bench, "stripe.customer.update");
    let changed = bench.direct("GET", &format!("/v1/customers/{}", text(&payload, "customer")), &[]);
    assert_eq!((&outputs["id"], &changed["email"]), (&payload["customer"], &json!("new@example.com")));
}

#[test]
fn a_portal_session_is_created() {
    let bench = Bench::start();
    let (payload, outputs, _) = carried_out(&bench, "stripe.portal.create");
    assert!(
        text(&outputs, "url").starts_with("http") && text(&outputs, "id").starts_with("bps_"),
        "{outputs} {payload}"
    );
}

#[test]
fn a_credit_reduces_the_customers_balance() {
    let bench = Bench::start();
    let (payload, outputs, made) = carried_out(&bench, "stripe.credit.create");
    let made = made.unwrap();
    assert_eq!(outputs, json!({"id": made["id"]}));
    assert_eq!((&made["amount"], &made["description"]), (&json!(-48), &json!("days lost")));
    assert_eq!(made["metadata"]["instance"], "inst_1");
    let customer = bench.direct("GET", &format!("/v1/customers/{}", text(&payload, "customer")), &[]);
    assert_eq!(customer["balance"], -48);
}

// covers: SOL-10
#[test]
fn a_product_and_its_price_match_the_catalog() {
    let bench = Bench::start();
    let (_, outputs, made) = carried_out(&bench, "stripe.product.create");
    assert_eq!((&outputs["id"], &made.unwrap()["name"]), (&outputs["id"], &json!("Mini")));
    let (payload, outputs, made) = carried_out(&bench, "stripe.price.create");
    let made = made.unwrap();
    assert_eq!(outputs, json!({"id": made["id"]}));
    assert_eq!((&made["unit_amount"], &made["currency"]), (&json!(500), &json!("usd")));
    assert_eq!((&made["product"], &made["metadata"]["product"]), (&payload["stripe_product_id"], &json!("prod_mini")));
    assert_eq!((&made["recurring"]["interval"], &made["recurring"]["interval_count"]), (&json!("month"), &json!(1)));
    let mut once = call("stripe.price.create", payload);
    once.key = "sync:price:once".to_owned();
    once.payload["interval"] = Value::Null;
    let id = text(&bench.done(&once), "id");
    assert_eq!(bench.direct("GET", &format!("/v1/prices/{id}"), &[])["recurring"], Value::Null);
}

#[test]
fn a_promotion_code_has_a_coupon_for_the_products_of_its_prices() {
    let bench = Bench::start();
    let (payload, outputs, made) = carried_out(&bench, "stripe.promotion_code.create");
    let made = made.unwrap();
    assert_eq!(outputs, json!({"promotion_code": made["id"]}));
    assert_eq!((&made["code"], &made["active"]), (&json!("LAUNCH50"), &json!(true)));
    let coupon = made["promotion"]["coupon"].as_str().or(made["coupon"]["id"].as_str()).expect("a coupon");
    let coupon = bench.direct("GET", &format!("/v1/coupons/{coupon}"), &[("expand[]", "applies_to")]);
    assert_eq!((&coupon["percent_off"], &coupon["duration"]), (&json!(12.5), &json!("repeating")));
    assert_eq!((&coupon["duration_in_months"], &coupon["max_redemptions"]), (&json!(3), &json!(100)));
    assert_eq!(coupon["redeem_by"], 4_102_444_800_i64);
    let price = bench.direct("GET", &format!("/v1/prices/{}", payload["prices"][0].as_str().unwrap()), &[]);
    assert_eq!(coupon["applies_to"]["products"], json!([price["product"]]));
}

#[test]
fn prices_coupons_and_checkouts_have_the_currencies_of_the_catalog() {
    let bench = Bench::start();
    let mut price = (case("stripe.price.create").payload)(&bench);
    price["currencies"] = json!({"eur": 450, "jpy": 700});
    price["tax_behavior"] = json!("exclusive");
    let id = text(&bench.done(&call("stripe.price.create", price)), "id");
    let made = bench.direct("GET", &format!("/v1/prices/{id}"), &[("expand[]", "currency_options")]);
    let options = &made["currency_options"];
    assert_eq!((&options["eur"]["unit_amount"], &options["jpy"]["unit_amount"]), (&json!(450), &json!(700)));
    let taxes = (&made["tax_behavior"], &options["eur"]["tax_behavior"]);
    assert_eq!(taxes, (&json!("exclusive"), &json!("exclusive")));

    let mut order = checkout(&bench, "subscription");
    (order["price"], order["currency"], order["quantity"]) = (json!(id), json!("eur"), json!(2));
    let session = text(&bench.done(&call("stripe.checkout.create", order)), "session_id");
    let made = bench.direct("GET", &format!("/v1/checkout/sessions/{session}"), &[]);
    assert_eq!((&made["currency"], &made["amount_subtotal"]), (&json!("eur"), &json!(900)));

    let coupon =
        json!({"code": "TEN", "duration": "once", "amount_off": 1000, "currency": "usd", "currencies": {"eur": 900}});
    let code = text(&bench.done(&call("stripe.promotion_code.create", coupon)), "promotion_code");
    let made = bench.direct("GET", &format!("/v1/promotion_codes/{code}"), &[]);
    let coupon = made["promotion"]["coupon"].as_str().or(made["coupon"]["id"].as_str()).expect("a coupon");
    let coupon = bench.direct("GET", &format!("/v1/coupons/{coupon}"), &[("expand[]", "currency_options")]);
    let amounts = (&coupon["amount_off"], &coupon["currency_options"]["eur"]["amount_off"]);
    assert_eq!(amounts, (&json!(1_000), &json!(900)));
}

#[test]
fn a_changed_coupon_takes_over_the_code_and_somebody_elses_code_is_refused() {
    let bench = Bench::start();
    let asked = |key: &str, payload: Value| {
        let mut request = call("stripe.promotion_code.create", payload);
        request.key = key.to_owned();
        request
    };
    let half = json!({"code": "HALF", "duration": "once", "percent_off": "50"});
    let first = text(&bench.done(&asked("create-code:HALF:1", half.clone())), "promotion_code");
    let ten = json!({"code": "HALF", "duration": "forever", "amount_off": 1000, "currency": "usd"});
    let second = text(&bench.done(&asked("create-code:HALF:2", ten)), "promotion_code");
    let is_active = |id: &str| bench.direct("GET", &format!("/v1/promotion_codes/{id}"), &[])["active"] == true;
    assert_eq!((is_active(&first), is_active(&second)), (false, true));
    let coupon = bench.make("/v1/coupons", &[("percent_off", "50"), ("duration", "once")]);
    let theirs = [("promotion[type]", "coupon"), ("promotion[coupon]", coupon.as_str()), ("code", "THEIRS")];
    let theirs = bench.make("/v1/promotion_codes", &theirs);
    let refused =
        bench.call(&asked("create-code:THEIRS:1", json!({"code": "THEIRS", "duration": "once", "percent_off": "5"})));
    assert!(matches!(refused, CallOutcome::Refused { .. }), "{refused:?}");
    assert!(is_active(&theirs));
}

// covers: BOT-21
#[test]
fn a_checkout_has_the_customer_and_its_metadata() {
    let bench = Bench::start();
    for mode in ["payment", "subscription"] {
        let mut request = call("stripe.checkout.create", checkout(&bench, mode));
        request.key = format!("checkout:{mode}");
        let outputs = bench.done(&request);
        let made = bench.direct("GET", &format!("/v1/checkout/sessions/{}", text(&outputs, "session_id")), &[]);
        assert_eq!((&made["mode"], &made["url"]), (&json!(mode), &outputs["url"]));
        assert_eq!((&made["client_reference_id"], &made["customer"]), (&json!("pur_1"), &request.payload["customer"]));
        assert_eq!((&made["success_url"], &made["amount_total"]), (&json!("https://shop.example/ok"), &json!(1000)));
        assert_eq!(made["metadata"]["user_id"], "ada");
        // The payment or subscription that the checkout creates has the metadata too.
        let session = text(&outputs, "session_id");
        bench.direct("POST", &format!("/v1/payment_pages/{session}/confirm"), &[("payment_method", "pm_card_visa")]);
        let made = bench.direct("GET", &format!("/v1/checkout/sessions/{session}"), &[]);
        let (path, member) = match mode {
            "payment" => ("payment_intents", "payment_intent"),
            _ => ("subscriptions", "subscription"),
        };
        let begun = bench.direct("GET", &format!("/v1/{path}/{}", text(&made, member)), &[]);
        assert_eq!(begun["metadata"]["purchase_id"], "pur_1", "{mode}");
    }
}

#[test]
fn a_checkout_expires() {
    let bench = Bench::start();
    let (payload, outputs, _) = carried_out(&bench, "stripe.checkout.expire");
    let path = format!("/v1/checkout/sessions/{}", text(&payload, "session_id"));
    assert_eq!(
        (&outputs["status"], &bench.direct("GET", &path, &[])["status"]),
        (&json!("expired"), &json!("expired"))
    );
}

// covers: TES-67
#[test]
fn a_connected_account_can_be_onboarded_and_paid() {
    let bench = Bench::start();
    let (_, outputs, made) = carried_out(&bench, "stripe.account.create");
    let made = made.unwrap();
    assert_eq!(outputs, json!({"id": made["id"]}));
    assert_eq!((&made["type"], &made["metadata"]["user_id"]), (&json!("express"), &json!("ada")));
    assert!(made["capabilities"].get("transfers").is_some(), "{made}");
    let (_, outputs, _) = carried_out(&bench, "stripe.account.link");
    assert!(text(&outputs, "url").starts_with("http"));
    let (payload, outputs, made) = carried_out(&bench, "stripe.transfer.create");
    let made = made.unwrap();
    assert_eq!(outputs, json!({"id": made["id"]}));
    assert_eq!((&made["amount"], &made["destination"]), (&json!(1799), &payload["destination"]));
    assert_eq!((&made["currency"], &made["transfer_group"]), (&json!("usd"), &payload["transfer_group"]));
}

#[test]
fn a_usage_invoice_has_its_lines_and_total() {
    let bench = Bench::start();
    let (payload, outputs, made) = carried_out(&bench, "stripe.invoice.create");
    let made = made.unwrap();
    assert_eq!(outputs, json!({"id": made["id"]}));
    assert_eq!(
        (&made["customer"], &made["total"], &made["currency"]),
        (&payload["customer"], &json!(700), &json!("usd"))
    );
    assert_ne!(made["status"], "draft");
    let mut lines: Vec<_> =
        made["lines"]["data"].as_array().unwrap().iter().map(|line| line["amount"].as_i64().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, [-500, 400, 800]);
    let start = made["lines"]["data"][0]["period"]["start"].as_i64();
    assert_eq!(start, Some(1_767_225_600));
}

#[test]
fn a_usage_invoice_names_the_card_of_a_subscription_or_of_a_purchase_if_the_customer_has_no_default() {
    let bench = Bench::start();
    // Stripe itself would charge the default only.
    let card_of = |payload: Value| {
        let key = format!("usage-invoice:{}", text(&payload, "month"));
        let id = text(&bench.done(&Call { key, ..call("stripe.invoice.create", payload) }), "id");
        bench.direct("GET", &format!("/v1/invoices/{id}"), &[])["default_payment_method"].clone()
    };
    let attach = |customer: &str| {
        let attached = bench.direct("POST", "/v1/payment_methods/pm_card_visa/attach", &[("customer", customer)]);
        text(&attached, "id")
    };
    let with_card = invoice(&bench);
    let customer = text(&with_card, "customer");
    let of_subscription = attach(&customer);
    let newest = attach(&customer);
    assert_eq!(card_of(with_card), newest);

    let mut with_subscription = invoice(&bench);
    with_subscription["customer"] = json!(customer);
    with_subscription["month"] = json!("2026-02");
    let monthly = price(&bench, "500", Some("month"));
    let form =
        [("customer", customer.as_str()), ("items[0][price]", &monthly), ("default_payment_method", &of_subscription)];
    bench.make("/v1/subscriptions", &form);
    assert_eq!(card_of(with_subscription.clone()), of_subscription);

    let default = [("invoice_settings[default_payment_method]", newest.as_str())];
    bench.direct("POST", &format!("/v1/customers/{customer}"), &default);
    with_subscription["month"] = json!("2026-03");
    assert_eq!(card_of(with_subscription), Value::Null, "Stripe charges the default by itself");
}

#[test]
fn a_usage_invoice_excludes_pending_items() {
    let bench = Bench::start();
    let payload = invoice(&bench);
    let customer = text(&payload, "customer");
    bench.make("/v1/invoiceitems", &[("customer", &customer), ("amount", "999"), ("currency", "usd")]);
    let id = text(&bench.done(&call("stripe.invoice.create", payload)), "id");
    assert_eq!(bench.direct("GET", &format!("/v1/invoices/{id}"), &[])["total"], 700);
}

#[test]
fn usage_that_is_reported_twice_counts_once_and_a_further_report_is_added() {
    let bench = Bench::start();
    let payload = meter_event(&bench);
    let report = call("stripe.meter_event.create", payload.clone());
    assert_eq!(bench.done(&report), bench.done(&report), "the same identifier");
    let further = Call { key: format!("{}/1", report.key), ..report };
    bench.done(&further);
    let meters = bench.direct("GET", "/v1/billing/meters", &[]);
    let meter = text(&meters["data"][0], "id");
    let at = payload["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    let (from, to) = ((at / 60 * 60).to_string(), (at / 60 * 60 + 60).to_string());
    let customer = text(&payload, "customer");
    let filter = [("customer", customer.as_str()), ("start_time", &from), ("end_time", &to)];
    let sums = bench.direct("GET", &format!("/v1/billing/meters/{meter}/event_summaries"), &filter);
    assert_eq!(sums["data"][0]["aggregated_value"].as_f64(), Some(1_400.0), "{sums}");
}

#[test]
fn a_change_is_previewed_at_the_price_of_today_and_changes_nothing() {
    let bench = Bench::start();
    let payload = dearer(&bench);
    let figures = bench.done(&call("stripe.invoice.preview", payload.clone()));
    // In the first second of the month, 20.00 less the 5.00 that are paid.
    let shown = ["currency", "due_minor", "credit_minor", "tax_minor", "next_minor"].map(|name| figures[name].clone());
    assert_eq!(shown, [json!("usd"), json!(1500), json!(500), json!(0), json!(2000)]);
    let now = bench.direct("GET", &format!("/v1/subscriptions/{}", text(&payload, "subscription")), &[]);
    assert_eq!(now["items"]["data"][0]["price"]["unit_amount"], 500);
}

#[test]
fn a_payment_is_partly_refunded() {
    let bench = Bench::start();
    let (payload, outputs, made) = carried_out(&bench, "stripe.refund.create");
    let made = made.unwrap();
    assert_eq!(outputs, json!({"id": made["id"]}));
    assert_eq!((&made["amount"], &made["payment_intent"]), (&json!(700), &payload["payment_intent"]));
    assert_eq!((&made["reason"], &made["metadata"]["asked_by"]), (&json!("requested_by_customer"), &json!("admin")));
    assert!(made["metadata"].get("because").is_none());
}

#[test]
fn without_an_amount_a_payment_is_fully_refunded_and_a_custom_reason_is_kept() {
    let bench = Bench::start();
    let intent = payment(&bench, 2000);
    let outputs = bench.done(&call("stripe.refund.create", json!({"payment_intent": intent, "reason": "a storm"})));
    let made = bench.direct("GET", &format!("/v1/refunds/{}", text(&outputs, "id")), &[]);
    assert_eq!((&made["amount"], &made["reason"]), (&json!(2000), &Value::Null));
    assert_eq!(made["metadata"]["reason"], "a storm");
}

#[test]
fn payments_of_an_invoice_and_a_subscription_are_refunded() {
    let bench = Bench::start();
    let sub = subscription(&bench, "12000", "year");
    let refund = |key: &str, payload: Value| {
        let mut request = call("stripe.refund.create", payload);
        request.key = key.to_owned();
        text(&bench.done(&request), "id")
    };
    let rest =
        json!({"subscription": sub["id"], "amount_minor": 4000, "currency": "usd", "reason": "requested_by_customer"});
    let first = refund("refund-rest:1", rest);
    let second = refund("refund-invoice:1", json!({"invoice": sub["latest_invoice"], "reason": "duplicate"}));
    let of = |id: &str| bench.direct("GET", &format!("/v1/refunds/{id}"), &[]);
    assert_eq!((&of(&first)["amount"], &of(&second)["amount"]), (&json!(4000), &json!(8000)));
    assert_eq!(of(&first)["payment_intent"], of(&second)["payment_intent"]);
}

#[test]
fn a_payment_without_the_customer_charges_the_card() {
    let bench = Bench::start();
    let (payload, outputs, made) = carried_out(&bench, "stripe.payment.create");
    let made = made.unwrap();
    assert_eq!(outputs, json!({"id": made["id"]}));
    assert_eq!(
        (&made["status"], &made["amount_received"], &made["currency"]),
        (&json!("succeeded"), &json!(1000), &json!("usd"))
    );
    assert_eq!((&made["customer"], &made["description"]), (&payload["customer"], &payload["description"]));
    assert_eq!((&made["metadata"]["purchase_id"], &made["metadata"]["user_id"]), (&json!("pur_1"), &json!("ada")));
}

#[test]
fn a_payment_without_the_customer_has_the_tax_and_is_recorded_in_the_reports() {
    let bench = Bench::start();
    let office = [("defaults[tax_behavior]", "exclusive"), ("head_office[address][country]", "DE")];
    bench.direct("POST", "/v1/tax/settings", &office);
    let standard = "country_options[de][standard][place_of_supply_scheme]";
    let registration =
        [("country", "DE"), ("active_from", "now"), ("country_options[de][type]", "standard"), (standard, "standard")];
    bench.make("/v1/tax/registrations", &registration);
    let mut payload = top_up(&bench, "pm_card_visa");
    payload["tax_behavior"] = json!("exclusive");
    let address = [("address[country]", "DE"), ("address[postal_code]", "10115")];
    bench.direct("POST", &format!("/v1/customers/{}", text(&payload, "customer")), &address);
    let outputs = bench.done(&call("stripe.payment.create", payload));
    assert_eq!(outputs["tax_recorded"], true);
    let made = bench.direct("GET", &format!("/v1/payment_intents/{}", text(&outputs, "id")), &[]);
    // 19 % of 10.00.
    assert_eq!((&made["amount_received"], &made["metadata"]["provisioner_tax"]), (&json!(1190), &json!("190")));
}

#[test]
fn a_payment_without_the_customer_fails_without_a_card_or_with_a_declined_one() {
    let bench = Bench::start();
    let customer = bench.make("/v1/customers", &[("email", "ada@example.com")]);
    let nobody = json!({"customer": customer, "amount_minor": 1000, "currency": "usd", "metadata": {}});
    for (number, (payload, expected)) in [
        (top_up(&bench, "pm_card_chargeCustomerFail"), "card_declined"),
        (top_up(&bench, "pm_card_authenticationRequired"), "authentication_required"),
        (nobody, "no_card"),
    ]
    .into_iter()
    .enumerate()
    {
        let asked = Call { key: format!("top-up:{number}"), ..call("stripe.payment.create", payload) };
        let answer = format!("{:?}", bench.call(&asked));
        assert!(answer.starts_with("Refused") && answer.contains(expected), "{expected}: {answer}");
    }
}
