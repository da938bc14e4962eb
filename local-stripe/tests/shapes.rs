//! Checks that every object in every version has exactly the keys of Stripe's own example of that version.
//!
//! The examples are not part of the project. The variable `STRIPE_OBJECTS` names their folder. Without this variable,
//! the tests print that they did not run.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use local_stripe::api::since::RESOURCES;
use local_stripe::cards::TEST_CARDS;
use local_stripe::model::account;
use local_stripe::object::Object;
use local_stripe::payments::source;
use local_stripe::sandbox::{Sandbox, json_of, own_request};
use local_stripe::settings::{START_S, Settings};
use local_stripe::shapes;
use local_stripe::version::{CHECKED, Version};
use serde_json::{Value, json};

/// The example files (without `.json`), with the API versions of their shapes.
const FILES: &[(&str, &str)] = &[
    ("2020-08-27", "2020-08-27"),
    ("2022-11-15", "2022-11-15"),
    ("2024-09-30.acacia-train", "2024-09-30.acacia"),
    ("2025-03-31.basil-train", "2025-03-31.basil"),
    ("2025-09-30.clover-train", "2025-09-30.clover"),
    ("2026-07", local_stripe::version::NEWEST),
];

/// The compared kinds of object. Some kinds, such as `line_item`, only occur inside other objects.
const KINDS: &[&str] = &[
    "account",
    "apple_pay_domain",
    "balance_transaction",
    "billing.alert",
    "billing.credit_balance_transaction",
    "billing.credit_grant",
    "billing_portal.configuration",
    "billing_portal.session",
    "card",
    "charge",
    "checkout.session",
    "confirmation_token",
    "coupon",
    "credit_note",
    "credit_note_line_item",
    "customer",
    "customer_balance_transaction",
    "customer_cash_balance_transaction",
    "discount",
    "dispute",
    "ephemeral_key",
    "identity.verification_report",
    "identity.verification_session",
    "invoice",
    "invoice_payment",
    "invoice_rendering_template",
    "invoiceitem",
    "item",
    "line_item",
    "payment_intent",
    "payment_method",
    "payment_method_domain",
    "plan",
    "payout",
    "price",
    "product",
    "promotion_code",
    "quote",
    "radar.early_fraud_warning",
    "radar.value_list_item",
    "refund",
    "review",
    "setup_attempt",
    "setup_intent",
    "subscription",
    "subscription_item",
    "subscription_schedule",
    "tax_rate",
    "test_helpers.test_clock",
    "transfer",
    "transfer_reversal",
    "topup",
    "webhook_endpoint",
];

/// Intentional differences from the examples: kind of object, path, and reason.
const APART: &[(&str, &str, &str)] = &[
    ("invoice", "subscription", "the newer files keep it by mistake: it moved to parent in 2025-03-31.basil"),
    ("line_item", "subscription", "the newer files keep it by mistake: it moved to parent in 2025-03-31.basil"),
    ("account", "controller.fees", "the files have an account whose platform controls nothing"),
    ("account", "controller.is_controller", "as controller.fees"),
    ("account", "controller.losses", "as controller.fees"),
    ("account", "controller.requirement_collection", "as controller.fees"),
    ("account", "controller.stripe_dashboard", "as controller.fees"),
    ("invoice", "paid_out_of_band", "the 2020 file predates it"),
    ("invoice", "shipping_details", "the 2020 file predates it, a null in newer ones"),
    ("charge", "refunds", "left out by default since 2022-11-15; the files keep it"),
    ("charge", "source", "a legacy source, which a card payment method doesn't have"),
    ("payment_intent", "source", "a legacy source, which a card payment method doesn't have"),
    ("refund", "failure_balance_transaction", "only on a failed refund, which the examples don't have"),
    ("refund", "failure_reason", "only on a failed refund, which the examples don't have"),
    ("invoice_payment", "payment.payment_intent", "the id that goes with the type; the examples leave it out"),
    ("invoiceitem", "parent.subscription_details.subscription_item", "optional; the examples leave it out"),
    ("invoiceitem", "pricing.price_details", "optional; the examples leave it out"),
    ("line_item", "pricing.price_details", "optional; the examples leave it out"),
    ("checkout.session", "status", "came to every version after the oldest example was written"),
    ("checkout.session", "url", "came to every version after the oldest example was written"),
    ("subscription", "plan", "undocumented, but in the answers of every version"),
    ("subscription", "quantity", "undocumented, but in the answers of every version"),
    ("line_item", "invoice_item", "only of an invoice item's line, which the old examples show"),
    ("line_item", "subscription_item", "only of a subscription's line, which the old examples don't show"),
    ("account", "capabilities.card_payments", "a connected account has those that were requested for it"),
    ("charge", "outcome.risk_level", "Radar's, left out of the examples"),
    ("charge", "outcome.risk_score", "Radar's, left out of the examples"),
    ("billing.credit_grant", "priority", "came with 2025-02-24.acacia, which the examples until 2025-09-30 leave out"),
    ("ephemeral_key", "associated_objects", "undocumented, but in the answers of every version"),
    ("identity.verification_report", "document.address.line2", "the examples before 2024 are of an older shape"),
    ("identity.verification_report", "document.address.postal_code", "the examples before 2024 are of an older shape"),
    ("identity.verification_report", "document.address.zip", "the examples before 2024 are of an older shape"),
    (
        "identity.verification_report",
        "options.id_number",
        "of an id_number check, which the examples show with the other",
    ),
    ("identity.verification_session", "options.document.require_id_number", "only if it was asked for"),
    ("identity.verification_session", "options.document.require_matching_selfie", "only if it was asked for"),
    ("radar.early_fraud_warning", "payment_intent", "the examples are of a charge without a payment intent"),
    ("review", "payment_intent", "the examples are of a charge without a payment intent"),
    ("charge", "outcome.rule", "Radar's, only of a charge that a rule placed in review"),
];

fn post(sandbox: &mut Sandbox, path: &str, form: &[(&str, &str)]) -> Value {
    let response = sandbox.handle(&own_request("POST", path, form));
    assert!(matches!(response.status, 200 | 402), "{path}: {}", response.body);
    json_of(&response)
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// Creates the objects of billing credits, pages, fraud, identity and cash balances.
fn saas(s: &mut Sandbox) {
    let customer = id(&post(s, "/v1/customers", &[("email", "a@example.com")]));
    let meter = [("display_name", "Calls"), ("event_name", "calls"), ("default_aggregation[formula]", "sum")];
    let meter = id(&post(s, "/v1/billing/meters", &meter));
    let alert = [
        ("alert_type", "usage_threshold"),
        ("title", "Calls"),
        ("usage_threshold[gte]", "9"),
        ("usage_threshold[meter]", &meter),
        ("usage_threshold[recurrence]", "one_time"),
    ];
    post(s, "/v1/billing/alerts", &alert);
    let grant = [
        ("customer", customer.as_str()),
        ("amount[type]", "monetary"),
        ("amount[monetary][currency]", "usd"),
        ("amount[monetary][value]", "100"),
        ("applicability_config[scope][price_type]", "metered"),
    ];
    let grant = id(&post(s, "/v1/billing/credit_grants", &grant));
    post(s, &format!("/v1/billing/credit_grants/{grant}/expire"), &[]);
    for path in ["/v1/apple_pay/domains", "/v1/payment_method_domains"] {
        post(s, path, &[("domain_name", "shop.example.com")]);
    }
    post(s, "/v1/ephemeral_keys", &[("customer", &customer)]);
    let account = [
        ("payment_method_data[type]", "us_bank_account"),
        ("payment_method_data[us_bank_account][account_number]", "000123456789"),
    ];
    post(s, "/v1/test_helpers/confirmation_tokens", &account);
    post(
        s,
        &format!("/v1/test_helpers/customers/{customer}/fund_cash_balance"),
        &[("amount", "100"), ("currency", "eur")],
    );
    let list = id(&post(s, "/v1/radar/value_lists", &[("alias", "names"), ("name", "Names")]));
    post(s, "/v1/radar/value_list_items", &[("value_list", &list), ("value", "a")]);
    post(s, "/_sandbox/invoice_rendering_templates", &[]);
    let session = id(&post(s, "/v1/identity/verification_sessions", &[("type", "document")]));
    let submit = format!("/_sandbox/identity/verification_sessions/{session}/submit");
    post(s, &submit, &[("outcome", "document_expired")]);
}

/// Creates an account with every kind of object in many states.
fn sandbox_with_everything() -> Sandbox {
    let mut sandbox = Sandbox::new(Settings::default());
    let s = &mut sandbox;
    let product = id(&post(s, "/v1/products", &[("name", "Pro")]));
    let price = |s: &mut Sandbox, more: &[(&str, &str)]| {
        id(&post(
            s,
            "/v1/prices",
            &[&[("product", product.as_str()), ("currency", "usd"), ("unit_amount", "2000")], more].concat(),
        ))
    };
    let (once, monthly) = (price(s, &[]), price(s, &[("recurring[interval]", "month")]));
    let clock = id(&post(s, "/v1/test_helpers/test_clocks", &[("frozen_time", "1793491200")]));
    post(s, "/v1/tax_rates", &[("display_name", "VAT"), ("inclusive", "true"), ("percentage", "8.1")]);
    post(s, "/v1/customers", &[("source", "tok_visa")]);
    saas(s);
    let debtor = id(&post(s, "/v1/customers", &[]));
    post(s, "/v1/invoiceitems", &[("customer", &debtor), ("amount", "500"), ("currency", "usd")]);
    let owed = [("customer", debtor.as_str()), ("pending_invoice_items_behavior", "include")];
    let owed = post(s, "/v1/invoices", &owed);
    post(s, &format!("/v1/invoices/{}/finalize", id(&owed)), &[]);
    let line = id(&owed["lines"]["data"][0]);
    post(
        s,
        "/v1/credit_notes",
        &[
            ("invoice", &id(&owed)),
            ("lines[0][type]", "invoice_line_item"),
            ("lines[0][invoice_line_item]", &line),
            ("lines[0][amount]", "100"),
        ],
    );
    post(
        s,
        "/v1/subscription_schedules",
        &[("customer", &debtor), ("start_date", "1800000000"), ("phases[0][items][0][price]", &monthly)],
    );
    post(s, "/v1/quotes", &[("customer", &debtor), ("line_items[0][price]", &monthly)]);
    post(s, "/v1/payment_links", &[("line_items[0][price]", &once), ("line_items[0][quantity]", "1")]);
    post(s, "/v1/topups", &[("amount", "5000"), ("currency", "usd")]);
    post(s, "/v1/payouts", &[("amount", "1000"), ("currency", "usd")]);
    post(s, "/v1/webhook_endpoints", &[("url", "http://127.0.0.1:9/"), ("enabled_events[]", "*")]);
    for (n, test) in [&clock, ""].into_iter().enumerate() {
        let card = if n == 0 { "pm_card_visa" } else { "pm_card_chargeCustomerFail" };
        let mut form = vec![
            ("payment_method", card),
            ("invoice_settings[default_payment_method]", card),
            ("address[city]", "Bern"),
            ("shipping[name]", "A"),
        ];
        if !test.is_empty() {
            form.push(("test_clock", test));
        }
        let customer = id(&post(s, "/v1/customers", &form));
        post(s, "/v1/invoiceitems", &[("customer", &customer), ("amount", "500"), ("currency", "usd")]);
        let sub = post(
            s,
            "/v1/subscriptions",
            &[
                ("customer", &customer),
                ("items[0][price]", &monthly),
                ("trial_period_days", if n == 0 { "0" } else { "10" }),
            ],
        );
        let item = id(&sub["items"]["data"][0]);
        let other = price(s, &[("recurring[interval]", "month"), ("nickname", "other")]);
        post(s, &format!("/v1/subscriptions/{}", id(&sub)), &[("items[0][id]", &item), ("items[0][price]", &other)]);
        post(s, &format!("/v1/customers/{customer}/balance_transactions"), &[("amount", "-100"), ("currency", "usd")]);
    }
    let seller = id(&post(s, "/v1/accounts", &[("capabilities[transfers][requested]", "true")]));
    post(s, &format!("/_sandbox/accounts/{seller}/onboard"), &[]);
    post(s, "/v1/topups", &[("amount", "1000"), ("currency", "usd")]);
    let moved = post(s, "/v1/transfers", &[("amount", "100"), ("currency", "usd"), ("destination", &seller)]);
    post(s, &format!("/v1/transfers/{}/reversals", id(&moved)), &[]);
    post(s, "/v1/coupons", &[("id", "TENTH"), ("percent_off", "10"), ("duration", "forever")]);
    post(s, "/v1/promotion_codes", &[("coupon", "TENTH")]);
    post(s, "/v1/customers", &[("coupon", "TENTH")]);
    for card in ["pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired"] {
        post(s, "/v1/setup_intents", &[("confirm", "true"), ("payment_method", card)]);
    }
    post(s, "/v1/billing_portal/configurations", &[("features[invoice_history][enabled]", "true")]);
    let portal = id(&post(s, "/v1/customers", &[]));
    for flow in [&[][..], &[("flow_data[type]", "payment_method_update")]] {
        post(s, "/v1/billing_portal/sessions", &[&[("customer", portal.as_str())], flow].concat());
    }
    for card in TEST_CARDS {
        post(
            s,
            "/v1/payment_intents",
            &[
                ("amount", "1000"),
                ("currency", "usd"),
                ("confirm", "true"),
                ("payment_method", &format!("pm_card_{}", card.name)),
            ],
        );
    }
    let charge = s
        .state()
        .newest("charge", None)
        .find(|c| c.text("status") == "succeeded" && !c.is("disputed"))
        .unwrap()
        .id()
        .to_owned();
    post(s, "/v1/refunds", &[("charge", &charge), ("amount", "100")]);
    for (mode, price) in [("payment", &once), ("subscription", &monthly)] {
        let session = id(&post(
            s,
            "/v1/checkout/sessions",
            &[
                ("mode", mode),
                ("line_items[0][price]", price),
                ("line_items[0][quantity]", "1"),
                ("success_url", "https://x.test"),
            ],
        ));
        post(
            s,
            "/v1/checkout/sessions",
            &[
                ("mode", mode),
                ("line_items[0][price]", price),
                ("line_items[0][quantity]", "1"),
                ("success_url", "https://x.test"),
            ],
        );
        post(s, &format!("/v1/payment_pages/{session}/confirm"), &[("payment_method", "pm_card_visa")]);
    }
    post(s, "/_sandbox/clock", &[("advance_to", &(START_S + 45 * 86_400).to_string())]);
    post(
        s,
        &format!("/v1/test_helpers/test_clocks/{clock}/advance"),
        &[("frozen_time", &(START_S + 45 * 86_400).to_string())],
    );
    sandbox
}

/// Collects every object of a kind in a value, at any depth.
fn collect<'v>(value: &'v Value, kind: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(map) => {
            if map.get("object").is_some_and(|o| o == kind) {
                found.push(value);
            }
            map.values().for_each(|v| collect(v, kind, found));
        }
        Value::Array(list) => list.iter().for_each(|v| collect(v, kind, found)),
        _ => {}
    }
}

/// Collects the paths of keys that only one side has. Compares nested maps and lists of maps, but no embedded API
/// objects.
fn differences(ours: &Value, theirs: &Value, prefix: &str, out: &mut BTreeSet<String>) {
    if let (Value::Array(ours), Some(example)) = (ours, theirs.get(0)) {
        ours.iter().for_each(|one| differences(one, example, &format!("{}[].", prefix.trim_end_matches('.')), out));
    }
    let (Value::Object(ours), Value::Object(theirs)) = (ours, theirs) else { return };
    if !prefix.is_empty() && theirs.get("object").is_some_and(|o| o != "list") {
        return;
    }
    if prefix.ends_with("metadata.")
        || theirs.is_empty()
        || prefix == "next_action."
        || prefix == "last_payment_error."
        || prefix.ends_with("setup_error.")
        || prefix.ends_with("payment_method_options.")
    {
        return;
    }
    for name in theirs.keys().filter(|n| !ours.contains_key(*n)) {
        out.insert(format!("lacks {prefix}{name}"));
    }
    for (name, value) in ours {
        match theirs.get(name) {
            None => {
                out.insert(format!("has {prefix}{name}"));
            }
            Some(example) => differences(value, example, &format!("{prefix}{name}."), out),
        }
    }
}

#[test]
fn the_checked_versions_are_the_versions_of_the_example_files() {
    let of_files: Vec<&str> = FILES.iter().map(|(_, version)| *version).collect();
    assert_eq!(of_files, CHECKED);
}

#[test]
fn objects_have_the_keys_of_the_examples() {
    let Some(folder) = std::env::var_os("STRIPE_OBJECTS") else {
        println!("did not run: STRIPE_OBJECTS doesn't name the folder of Stripe's example objects");
        return;
    };
    let sandbox = sandbox_with_everything();
    let mut wrong = Vec::new();
    for (file, version) in FILES {
        let text = std::fs::read_to_string(Path::new(&folder).join(format!("{file}.json"))).unwrap();
        let examples: Value = serde_json::from_str(&text).unwrap();
        let version: Version = version.parse().unwrap();
        let state = sandbox.state();
        let shown: Vec<Value> = KINDS
            .iter()
            .flat_map(|kind| state.newest(kind, None).map(|o| Object::clone(&o)))
            .chain(state.newest("payment_method", None).filter_map(|m| source::card_of(&m)))
            .chain([account::own(&state.settings)])
            .map(|o| {
                let mut all = state.freeze(&o).value();
                // A session does not contain its lines, as they have an endpoint of their own. They are added for the
                // comparison.
                all["lines_of_session"] = json!(o.as_session().lines);
                shapes::render(&all, &version)
            })
            .collect();
        for kind in KINDS {
            let example = &examples["resources"][*kind];
            if example.is_null() {
                continue;
            }
            let mut found = Vec::new();
            shown.iter().for_each(|v| collect(v, kind, &mut found));
            // Before acacia, Stripe's examples show no `plan` in a price. Neither do the sandbox's objects, so there is
            // nothing to compare.
            assert!(
                !found.is_empty() || (*kind == "plan" && version.is_before("2024-09-30")),
                "no {kind} to compare in {file}"
            );
            let mut all = BTreeSet::new();
            for ours in found {
                let mut ours = ours.clone();
                ours.as_object_mut().unwrap().remove("lines_of_session");
                differences(&ours, example, "", &mut all);
            }
            all.retain(|d| !APART.iter().any(|(k, path, _)| k == kind && d.split(' ').nth(1) == Some(path)));
            wrong.extend(all.into_iter().map(|d| format!("{file} {kind} {d}")));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} kinds in {} versions have the keys of the examples", KINDS.len(), FILES.len());
}

/// Returns the name of a member that begins with `_`, at any depth.
fn hidden(value: &Value) -> Option<&str> {
    match value {
        Value::Object(map) => map.iter().find_map(|(name, value)| match name.starts_with('_') {
            true => Some(name.as_str()),
            false => hidden(value),
        }),
        Value::Array(list) => list.iter().find_map(hidden),
        _ => None,
    }
}

#[test]
fn neither_a_stored_nor_a_shown_object_has_a_hidden_member() {
    let sandbox = sandbox_with_everything();
    let state = sandbox.state();
    let mut count = 0;
    for object in KINDS.iter().flat_map(|kind| state.newest(kind, None)) {
        let stored = serde_json::to_value(&*object).unwrap();
        assert_eq!(hidden(&stored), None, "in {stored}");
        count += 1;
    }
    assert!(count > 100, "{count} objects");
    for event in state.events() {
        for version in CHECKED {
            let shown = event.render(&version.parse().unwrap());
            assert_eq!(hidden(&shown), None, "in {shown}");
        }
    }
}

/// The version `since` of each resource is the version of the first example file with this kind of object.
#[test]
fn resources_exist_since_the_first_version_with_an_example() {
    let Some(folder) = std::env::var_os("STRIPE_OBJECTS") else {
        println!("did not run: STRIPE_OBJECTS doesn't name the folder of Stripe's example objects");
        return;
    };
    let has = |file: &str, kind: &str| {
        let text = std::fs::read_to_string(Path::new(&folder).join(format!("{file}.json"))).unwrap();
        let examples: Value = serde_json::from_str(&text).unwrap();
        !examples["resources"][kind].is_null()
    };
    for resource in RESOURCES.iter().filter(|r| !r.path.ends_with("/create_preview")) {
        let first = FILES.iter().find(|(file, _)| has(file, resource.kind)).map(|(_, version)| *version);
        assert_eq!(first, Some(resource.since), "{}", resource.path);
    }
}
