//! What customers, subscriptions, sessions and links say about their invoices.

use crate::play::{Play, id};
use local_stripe::settings::START_S;
use serde_json::{Value, json};

#[test]
fn a_customers_settings_reach_its_invoices() {
    let mut play = Play::new();
    let form = "business_name=Acme&individual_name=Jo&invoice_settings[footer]=Thanks\
        &invoice_settings[custom_fields][0][name]=PO&invoice_settings[custom_fields][0][value]=7\
        &invoice_settings[rendering_options][amount_tax_display]=include_inclusive_tax";
    let made = play.post("/v1/customers", form);
    assert_eq!((&made["business_name"], &made["individual_name"]), (&json!("Acme"), &json!("Jo")));
    let settings = &made["invoice_settings"];
    assert_eq!(
        (&settings["custom_fields"], &settings["rendering_options"]),
        (
            &json!([{ "name": "PO", "value": "7" }]),
            &json!({ "amount_tax_display": "include_inclusive_tax", "template": null })
        )
    );
    let customer = id(&made);
    let invoice = play.post("/v1/invoices", &format!("customer={customer}"));
    assert_eq!(
        (&invoice["footer"], &invoice["custom_fields"], &invoice["rendering"]["amount_tax_display"]),
        (&json!("Thanks"), &json!([{ "name": "PO", "value": "7" }]), &json!("include_inclusive_tax"))
    );
    let own = play.post("/v1/invoices", &format!("customer={customer}&footer=Own&custom_fields="));
    assert_eq!((&own["footer"], &own["custom_fields"]), (&json!("Own"), &Value::Null));
    let path = format!("/v1/customers/{customer}");
    let emptied = "business_name=&invoice_settings[custom_fields]=&invoice_settings[rendering_options]=";
    let emptied = play.post(&path, emptied);
    assert_eq!(emptied.get("business_name"), None);
    assert_eq!(
        emptied["invoice_settings"],
        json!({ "custom_fields": null, "default_payment_method": null, "footer": "Thanks", "rendering_options": null })
    );
    for (form, param) in [
        (format!("business_name={}", "x".repeat(151)), "business_name"),
        (
            format!(
                "invoice_settings[custom_fields][0][name]={}&invoice_settings[custom_fields][0][value]=a",
                "x".repeat(41)
            ),
            "invoice_settings[custom_fields][0][name]",
        ),
    ] {
        assert_eq!(play.refused("POST", &path, &form, 400)["param"], param);
    }
}

#[test]
fn a_subscriptions_settings_reach_its_invoices_and_payments() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    play.post(&format!("/v1/customers/{customer}"), "invoice_settings[footer]=Customer's");
    let tax_id = id(&play.post("/v1/tax_ids", "type=us_ein&value=12-3456789"));
    let form = format!(
        "&invoice_settings[description]=Words&invoice_settings[custom_fields][0][name]=PO\
        &invoice_settings[custom_fields][0][value]=7&invoice_settings[account_tax_ids][0]={tax_id}\
        &invoice_settings[issuer][type]=self&payment_settings[payment_method_types][0]=card\
        &payment_settings[payment_method_options][card][request_three_d_secure]=challenge"
    );
    let sub = play.subscribe(&customer, &price, &form);
    let shown = &sub["invoice_settings"];
    assert_eq!(
        *shown,
        json!({
            "account_tax_ids": [tax_id], "custom_fields": [{ "name": "PO", "value": "7" }], "description": "Words",
            "footer": null, "issuer": { "type": "self" },
        })
    );
    let invoice = sub["latest_invoice"].as_str().unwrap();
    let invoice = play.get(&format!("/v1/invoices/{invoice}?expand[0]=payments.data.payment.payment_intent"));
    assert_eq!(
        (&invoice["description"], &invoice["footer"], &invoice["account_tax_ids"]),
        (&json!("Words"), &json!("Customer's"), &json!([tax_id]))
    );
    let intent = &invoice["payments"]["data"][0]["payment"]["payment_intent"];
    assert_eq!(
        (&intent["payment_method_options"]["card"]["request_three_d_secure"], &intent["payment_method_types"]),
        (&json!("challenge"), &json!(["card"]))
    );
    assert_eq!(sub["status"], "incomplete", "the challenge waits");
    play.post(&format!("/_sandbox/authenticate/{}", id(intent)), "outcome=success");
    let path = format!("/v1/subscriptions/{}", id(&sub));
    let after = play.post(&path, "payment_settings[payment_method_types]=&invoice_settings[footer]=Ours");
    assert_eq!(
        (&after["payment_settings"]["payment_method_types"], &after["invoice_settings"]["footer"]),
        (&Value::Null, &json!("Ours"))
    );
    play.post(&path, "payment_settings[payment_method_options]=");
    play.until_day(32);
    let renewal = play.get(&format!("/v1/invoices?customer={customer}"))["data"][0].clone();
    assert_eq!((&renewal["billing_reason"], &renewal["footer"]), (&json!("subscription_cycle"), &json!("Ours")));
    let wrong = "invoice_settings[account_tax_ids][0]=txi_1";
    assert_eq!(play.refused("POST", &path, wrong, 400)["param"], "invoice_settings[account_tax_ids][0]");
}

#[test]
fn a_subscription_is_paid_with_its_default_source() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = id(&play.post("/v1/customers", ""));
    let sources = format!("/v1/customers/{customer}/sources");
    let first = id(&play.post(&sources, "source=tok_visa"));
    let second = id(&play.post(&sources, "source=tok_mastercard"));
    for (more, card) in [(String::new(), &first), (format!("&default_source={second}"), &second)] {
        let sub = play.subscribe(&customer, &price, &more);
        assert_eq!(sub["status"], "active");
        let charge = play.get("/v1/charges?limit=1")["data"][0].clone();
        assert_eq!(charge["payment_method"], json!(card), "{more}");
    }
    let sub = play.subscribe(&customer, &price, &format!("&default_source={second}"));
    assert_eq!(sub["default_source"], json!(second));
    let path = format!("/v1/subscriptions/{}", id(&sub));
    assert_eq!(play.post(&path, "default_source=")["default_source"], Value::Null);
    assert_eq!(play.refused("POST", &path, "default_source=card_1", 400)["param"], "default_source");
}

#[test]
fn the_billing_mode_is_shown_and_classic_bills_the_past_with_one_line() {
    let mut play = Play::new();
    let price = play.price("Pro", 1_000, "&recurring[interval]=day");
    let past = format!("&backdate_start_date={}", START_S - 3 * 86_400);
    for (more, mode, lines) in [
        ("", json!({ "flexible": { "proration_discounts": "included" }, "type": "flexible" }), vec![1_000; 4]),
        (
            "&billing_mode[type]=flexible",
            json!({ "flexible": { "proration_discounts": "included" }, "type": "flexible" }),
            vec![1_000; 4],
        ),
        ("&billing_mode[type]=classic", json!({ "flexible": null, "type": "classic" }), vec![3_000, 1_000]),
    ] {
        let customer = play.customer("pm_card_visa");
        let sub = play.subscribe(&customer, &price, &format!("{past}{more}"));
        assert_eq!(sub["billing_mode"], mode, "{more}");
        let invoice = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
        let amounts: Vec<i64> =
            invoice["lines"]["data"].as_array().unwrap().iter().map(|l| l["amount"].as_i64().unwrap()).collect();
        assert_eq!((amounts, &invoice["total"]), (lines, &json!(4_000)), "{more}");
    }
    let customer = play.customer("pm_card_visa");
    let form = format!("customer={customer}&items[0][price]={price}");
    for (more, param) in [
        ("&billing_mode[type]=new", "billing_mode[type]"),
        (
            "&billing_mode[type]=flexible&billing_mode[flexible][proration_discounts]=itemized",
            "billing_mode[flexible][proration_discounts]",
        ),
    ] {
        assert_eq!(play.refused("POST", "/v1/subscriptions", &format!("{form}{more}"), 400)["param"], param);
    }
    let sub = play.subscribe(&customer, &price, "");
    let clear = format!("items[0][id]={}&items[0][clear_usage]=true", id(&sub["items"]["data"][0]));
    let path = format!("/v1/subscriptions/{}", id(&sub));
    assert_eq!(play.refused("POST", &path, &clear, 400)["param"], "items[0][clear_usage]");
}

const CREATION: &str = "&invoice_creation[enabled]=true&invoice_creation[invoice_data][description]=Shirts\
    &invoice_creation[invoice_data][footer]=Thanks&invoice_creation[invoice_data][metadata][a]=b\
    &invoice_creation[invoice_data][custom_fields][0][name]=PO&invoice_creation[invoice_data][custom_fields][0][value]=7\
    &invoice_creation[invoice_data][rendering_options][amount_tax_display]=exclude_tax";

#[test]
fn a_paid_session_makes_an_invoice_of_its_lines() {
    let mut play = Play::new();
    let price = play.price("Shirt", 1_500, "");
    let tax = id(&play.post("/v1/tax_rates", "display_name=VAT&inclusive=false&percentage=10"));
    play.post("/v1/coupons", "id=half&percent_off=50&duration=once");
    let form = format!(
        "mode=payment&success_url=https://x.test&line_items[0][price]={price}&line_items[0][quantity]=2\
        &line_items[0][tax_rates][0]={tax}&discounts[0][coupon]=half&shipping_address_collection[allowed_countries][0]=US\
        &shipping_options[0][shipping_rate_data][display_name]=Post\
        &shipping_options[0][shipping_rate_data][fixed_amount][amount]=400\
        &shipping_options[0][shipping_rate_data][fixed_amount][currency]=usd{CREATION}"
    );
    let session = play.post("/v1/checkout/sessions", &form);
    // 2 × 15.00, half of it, with 10 % tax, and 4.00 for the post.
    assert_eq!(session["amount_total"], 2_050);
    let data = &session["invoice_creation"]["invoice_data"];
    assert_eq!((&data["description"], &data["metadata"]), (&json!("Shirts"), &json!({ "a": "b" })));
    play.events();
    let pay = "payment_method=pm_card_visa&billing_details[email]=a@example.com&shipping[name]=A&shipping[address][country]=US";
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), pay);
    let told = play.events();
    let of_invoice: Vec<&String> = told.iter().filter(|kind| kind.starts_with("invoice")).collect();
    assert_eq!(
        of_invoice,
        [
            "invoice.created",
            "invoice.finalized",
            "invoice.updated",
            "invoice.paid",
            "invoice.payment_succeeded",
            "invoice_payment.paid"
        ]
    );
    assert_eq!(told.last().unwrap(), "checkout.session.completed");
    let done = play.get(&format!("/v1/checkout/sessions/{}", id(&session)));
    let invoice = play.get(&format!("/v1/invoices/{}", done["invoice"].as_str().unwrap()));
    assert_eq!(
        (&invoice["status"], &invoice["amount_paid"], &invoice["amount_remaining"], &invoice["total"]),
        (&json!("paid"), &json!(2_050), &json!(0), &json!(2_050))
    );
    assert_eq!(
        (
            &invoice["subtotal"],
            &invoice["amount_shipping"],
            &invoice["total_discount_amounts"][0]["amount"],
            &invoice["total_taxes"][0]["amount"]
        ),
        (&json!(3_000), &json!(400), &json!(1_500), &json!(150))
    );
    assert_eq!(
        (
            &invoice["description"],
            &invoice["footer"],
            &invoice["metadata"],
            &invoice["rendering"]["amount_tax_display"]
        ),
        (&json!("Shirts"), &json!("Thanks"), &json!({ "a": "b" }), &json!("exclude_tax"))
    );
    assert_eq!((&invoice["customer"], &invoice["custom_fields"][0]["value"]), (&done["customer"], &json!("7")));
    assert_eq!(invoice["lines"]["data"][0]["quantity"], 2);
    assert!(invoice["number"].as_str().unwrap().ends_with("-0001"));
    let payments = play.get(&format!("/v1/invoice_payments?invoice={}", id(&invoice)));
    assert_eq!(payments["data"][0]["payment"]["payment_intent"], done["payment_intent"]);
    // Without the parameter, there is neither an invoice nor a customer.
    let plain = play.post("/v1/checkout/sessions", &form.replace(CREATION, ""));
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&plain)), pay);
    let done = play.get(&format!("/v1/checkout/sessions/{}", id(&plain)));
    assert_eq!((&done["invoice"], &done["customer"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_debit_makes_the_invoice_when_it_succeeds_and_a_balance_stays() {
    let mut play = Play::new();
    let price = play.price("Shirt", 1_500, "");
    let customer = id(&play.post("/v1/customers", "balance=-700"));
    let form = format!(
        "mode=payment&success_url=https://x.test&line_items[0][price]={price}&line_items[0][quantity]=1&customer={customer}\
        &payment_method_types[0]=us_bank_account&invoice_creation[enabled]=true"
    );
    let session = id(&play.post("/v1/checkout/sessions", &form));
    play.post(&format!("/v1/payment_pages/{session}/confirm"), "payment_method=pm_usBankAccount_success");
    let path = format!("/v1/checkout/sessions/{session}?expand[0]=invoice");
    assert_eq!(play.get(&path)["invoice"], Value::Null);
    play.until_day(4);
    let invoice = play.get(&path)["invoice"].clone();
    assert_eq!(
        (&invoice["status"], &invoice["amount_paid"], &invoice["starting_balance"]),
        (&json!("paid"), &json!(1_500), &json!(0))
    );
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["balance"], -700);
}

#[test]
fn invoice_creation_is_for_payments_at_once() {
    let mut play = Play::new();
    let (once, monthly) = (play.price("Shirt", 1_500, ""), play.monthly("Pro", 2_000));
    let session = |mode: &str, price: &str| {
        format!(
            "mode={mode}&success_url=https://x.test&line_items[0][price]={price}&line_items[0][quantity]=1\
            &invoice_creation[enabled]=true"
        )
    };
    let link = format!("line_items[0][price]={monthly}&line_items[0][quantity]=1&invoice_creation[enabled]=true");
    let manual = "&payment_intent_data[capture_method]=manual";
    for (path, form) in [
        ("/v1/checkout/sessions", session("subscription", &monthly)),
        ("/v1/checkout/sessions", session("payment", &once) + manual),
        ("/v1/payment_links", link),
    ] {
        assert_eq!(play.refused("POST", path, &form, 400)["param"], "invoice_creation", "{form}");
    }
}

#[test]
fn a_link_hands_what_it_asks_and_its_invoice_settings_to_its_sessions() {
    let mut play = Play::new();
    let price = play.price("Ring", 1_500, "");
    let form = format!(
        "line_items[0][price]={price}&line_items[0][quantity]=1&phone_number_collection[enabled]=true\
        &shipping_address_collection[allowed_countries][0]=US&tax_id_collection[enabled]=true\
        &custom_text[submit][message]=Soon yours&custom_fields[0][key]=engraving&custom_fields[0][type]=text\
        &custom_fields[0][label][type]=custom&custom_fields[0][label][custom]=Engraving\
        &custom_fields[0][text][maximum_length]=5{CREATION}"
    );
    let link = play.post("/v1/payment_links", &form);
    let field = &link["custom_fields"][0];
    assert_eq!(
        (&field["key"], &field["text"], &field["dropdown"]),
        (
            &json!("engraving"),
            &json!({ "default_value": null, "maximum_length": 5, "minimum_length": null }),
            &Value::Null
        )
    );
    let shown = [
        (
            "custom_text",
            json!({ "after_submit": null, "shipping_address": null, "submit": { "message": "Soon yours" }, "terms_of_service_acceptance": null }),
        ),
        ("phone_number_collection", json!({ "enabled": true })),
        ("shipping_address_collection", json!({ "allowed_countries": ["US"] })),
        ("tax_id_collection", json!({ "enabled": true, "required": "never" })),
        ("invoice_creation", link["invoice_creation"].clone()),
    ];
    let open = format!("/_sandbox/payment_links/{}/open", id(&link));
    let session = play.post(&open, "");
    for (member, value) in &shown {
        assert_eq!((&link[member], &session[member]), (value, value), "{member}");
    }
    assert_eq!(session["custom_fields"][0]["text"]["value"], Value::Null);
    let pay = "payment_method=pm_card_visa&phone=123&shipping[name]=A&shipping[address][country]=US\
        &custom_fields[0][key]=engraving&custom_fields[0][value]=E";
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), pay);
    let done = play.get(&format!("/v1/checkout/sessions/{}?expand[0]=invoice", id(&session)));
    assert_eq!((&done["invoice"]["description"], &done["invoice"]["total"]), (&json!("Shirts"), &json!(1_500)));
    let path = format!("/v1/payment_links/{}", id(&link));
    let changed = play.post(&path, "shipping_address_collection=&custom_fields=&invoice_creation[enabled]=false");
    assert_eq!(
        (&changed["shipping_address_collection"], &changed["custom_fields"], &changed["invoice_creation"]["enabled"]),
        (&Value::Null, &json!([]), &json!(false))
    );
    let session = play.post(&open, "");
    assert_eq!((&session["shipping_address_collection"], &session["custom_fields"]), (&Value::Null, &json!([])));
    assert_eq!(play.refused("POST", &path, "custom_fields[0][key]=a_b&custom_fields[0][type]=text&custom_fields[0][label][type]=custom&custom_fields[0][label][custom]=A", 400)["param"], "custom_fields[0][key]");
    // So do consents and shipping rates.
    let rate = "display_name=Post&fixed_amount[amount]=400&fixed_amount[currency]=usd&type=fixed_amount";
    let rate = id(&play.post("/v1/shipping_rates", rate));
    let form = format!("line_items[0][price]={price}&line_items[0][quantity]=1&shipping_options[0][shipping_rate]");
    let link = play.post("/v1/payment_links", &format!("{form}={rate}&consent_collection[terms_of_service]=required"));
    let session = play.post(&format!("/_sandbox/payment_links/{}/open", id(&link)), "");
    let options = json!([{ "shipping_amount": 400, "shipping_rate": rate }]);
    assert_eq!((&link["shipping_options"], &session["shipping_options"]), (&options, &options));
    assert_eq!(
        (&session["amount_total"], &session["consent_collection"]),
        (
            &json!(1_900),
            &json!({ "payment_method_reuse_agreement": null, "promotions": null, "terms_of_service": "required" })
        )
    );
    assert_eq!(link["consent_collection"], session["consent_collection"]);
    play.refused("POST", "/v1/payment_links", &format!("{form}=shr_1"), 400);
    // A link that sells a subscription hands on the settings of the subscription's invoices.
    let monthly = play.monthly("Pro", 2_000);
    let link = play.post(
        "/v1/payment_links",
        &format!(
            "line_items[0][price]={monthly}&line_items[0][quantity]=1&subscription_data[invoice_settings][footer]=Ours"
        ),
    );
    let session = play.post(&format!("/_sandbox/payment_links/{}/open", id(&link)), "");
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), "payment_method=pm_card_visa");
    let done = play.get(&format!("/v1/checkout/sessions/{}?expand[0]=invoice", id(&session)));
    assert_eq!(done["invoice"]["footer"], "Ours");
    // An update changes only what it names.
    let data = "subscription_data[description]=Seats&subscription_data[trial_period_days]=3";
    let form = format!("line_items[0][price]={monthly}&line_items[0][quantity]=1&{data}");
    let path = format!("/v1/payment_links/{}", id(&play.post("/v1/payment_links", &form)));
    let changed = play.post(&path, "subscription_data[trial_period_days]=5");
    assert_eq!(changed["subscription_data"], json!({ "description": "Seats", "trial_period_days": 5 }));
    assert_eq!(play.post(&path, "subscription_data=")["subscription_data"], Value::Null);
}

#[test]
fn a_quote_begins_its_subscription_later_and_expires() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let later = START_S + 5 * 86_400;
    let form = format!("customer={customer}&line_items[0][price]={price}&line_items[0][quantity]=2");
    let quote = play.post("/v1/quotes", &format!("{form}&subscription_data[effective_date]={later}"));
    assert_eq!(quote["subscription_data"]["effective_date"], later);
    let path = format!("/v1/quotes/{}", id(&quote));
    assert_eq!(
        play.refused("POST", &format!("{path}/finalize"), &format!("expires_at={START_S}"), 400)["param"],
        "expires_at"
    );
    assert_eq!(play.post(&format!("{path}/finalize"), &format!("expires_at={later}"))["expires_at"], later);
    let accepted = play.post(&format!("{path}/accept"), "");
    assert_eq!(accepted["subscription"], Value::Null);
    let schedule = format!("/v1/subscription_schedules/{}", accepted["subscription_schedule"].as_str().unwrap());
    assert_eq!(
        (&play.get(&schedule)["status"], &play.get(&schedule)["phases"][0]["start_date"]),
        (&json!("not_started"), &json!(later))
    );
    play.until_day(6);
    let sub = play.get(&schedule)["subscription"].clone();
    let sub = play.get(&format!("/v1/subscriptions/{}", sub.as_str().unwrap()));
    assert_eq!((&sub["start_date"], &sub["items"]["data"][0]["quantity"]), (&json!(later), &json!(2)));
    // Its invoices are as its settings say, those of its subscription and a single one.
    let once = play.price("Setup", 500, "");
    let settings = "invoice_settings[footer]=Quoted&invoice_settings[custom_fields][0][name]=PO&invoice_settings[custom_fields][0][value]=7";
    for price in [&price, &once] {
        let form = format!("customer={customer}&line_items[0][price]={price}&line_items[0][quantity]=1&{settings}");
        let quote = id(&play.post("/v1/quotes", &form));
        play.post(&format!("/v1/quotes/{quote}/finalize"), "");
        play.post(&format!("/v1/quotes/{quote}/accept"), "");
        let invoice = play.get("/v1/invoices?limit=1")["data"][0].clone();
        assert_eq!((&invoice["footer"], &invoice["custom_fields"][0]["value"]), (&json!("Quoted"), &json!("7")));
    }
    // A date in the past is ignored when the quote is accepted.
    let at_once = id(&play.post("/v1/quotes", &format!("{form}&subscription_data[effective_date]={later}")));
    play.post(&format!("/v1/quotes/{at_once}/finalize"), "");
    assert!(play.post(&format!("/v1/quotes/{at_once}/accept"), "")["subscription"].is_string());
    // A draft or an open quote is canceled at its `expires_at`.
    let open = id(&play.post("/v1/quotes", &format!("{form}&expires_at={}", START_S + 8 * 86_400)));
    play.post(&format!("/v1/quotes/{open}/finalize"), "");
    play.until_day(7);
    play.events();
    assert_eq!(play.get(&format!("/v1/quotes/{open}"))["status"], "open");
    play.until_day(8);
    assert_eq!(play.get(&format!("/v1/quotes/{open}"))["status"], "canceled");
    assert!(play.events().contains(&"quote.canceled".to_owned()));
}
