//! Test cases: all kinds that create or change an object, with payloads as the extension writes them.

use crate::stripe::bench::{Bench, text};
use serde_json::{Value, json};

/// Path and filter of a list.
pub type Listed = (String, Vec<(&'static str, String)>);

/// A kind that creates or changes an object.
pub struct Case {
    pub kind: &'static str,
    /// Creates the prerequisites and returns the payload.
    pub payload: fn(&Bench) -> Value,
    /// Returns the list that contains the object created from a payload. None if there is no such list.
    pub listed: fn(&Value) -> Option<Listed>,
}

/// A refund over the payments of a subscription.
pub const REST_REFUND: Case = Case {
    kind: "stripe.refund.create",
    payload: |bench| {
        json!({"subscription": subscription(bench, "12000", "year")["id"], "amount_minor": 4000, "currency": "usd",
            "reason": "requested_by_customer"})
    },
    listed: |_| Some(("/v1/refunds".to_owned(), vec![])),
};

/// Figures of a change, which are others at another time.
pub const PREVIEW: Case = Case { kind: "stripe.invoice.preview", payload: dearer, listed: |_| None };

pub const CASES: [Case; 23] = [
    Case {
        kind: "stripe.account.create",
        payload: |_| json!({"metadata": {"user_id": "ada"}}),
        listed: |_| Some(("/v1/accounts".to_owned(), vec![])),
    },
    Case { kind: "stripe.account.link", payload: link, listed: |_| None },
    Case {
        kind: "stripe.checkout.create",
        payload: |bench| checkout(bench, "payment"),
        listed: |_| Some(("/v1/checkout/sessions".to_owned(), vec![])),
    },
    Case { kind: "stripe.checkout.expire", payload: |bench| json!({"session_id": session(bench)}), listed: |_| None },
    Case {
        kind: "stripe.credit.create",
        payload: |bench| {
            json!({"customer": customer(bench), "amount_minor": 48, "currency": "usd", "reason": "days lost",
                "instance": "inst_1"})
        },
        listed: |payload| Some((format!("/v1/customers/{}/balance_transactions", text(payload, "customer")), vec![])),
    },
    Case {
        kind: "stripe.customer.create",
        payload: |_| json!({"metadata": {"user_id": "ada"}, "email": "ada@example.com", "name": "Ada"}),
        listed: |_| Some(("/v1/customers".to_owned(), vec![])),
    },
    Case {
        kind: "stripe.customer.update",
        payload: |bench| json!({"customer": customer(bench), "email": "new@example.com"}),
        listed: |_| None,
    },
    Case { kind: "stripe.invoice.create", payload: invoice, listed: |_| Some(("/v1/invoices".to_owned(), vec![])) },
    Case { kind: "stripe.meter_event.create", payload: meter_event, listed: |_| None },
    Case {
        kind: "stripe.payment.create",
        payload: |bench| top_up(bench, "pm_card_visa"),
        listed: |payload| Some(("/v1/payment_intents".to_owned(), vec![("customer", text(payload, "customer"))])),
    },
    Case {
        kind: "stripe.portal.create",
        payload: |bench| json!({"customer": customer(bench), "return_url": "https://shop.example/billing"}),
        listed: |_| None,
    },
    Case {
        kind: "stripe.price.create",
        payload: |bench| {
            json!({"product": "prod_mini", "stripe_product_id": product(bench), "unit_amount": 500, "currency": "usd",
                "interval": "month", "interval_count": 1})
        },
        listed: |payload| Some(("/v1/prices".to_owned(), vec![("product", text(payload, "stripe_product_id"))])),
    },
    Case {
        kind: "stripe.product.create",
        payload: |_| json!({"product": "prod_mini", "name": "Mini", "description": ""}),
        listed: |_| Some(("/v1/products".to_owned(), vec![])),
    },
    Case {
        kind: "stripe.promotion_code.create",
        payload: |bench| {
            json!({"code": "LAUNCH50", "duration": "repeating", "duration_in_months": 3, "percent_off": "12.5",
                "max_redemptions": 100, "redeem_by": 4_102_444_800_000_i64, "prices": [price(bench, "500", Some("month"))]})
        },
        listed: |_| Some(("/v1/promotion_codes".to_owned(), vec![])),
    },
    Case {
        kind: "stripe.promotion_code.update",
        payload: |bench| {
            let coupon = bench.make("/v1/coupons", &[("percent_off", "50"), ("duration", "once")]);
            let code = [("promotion[type]", "coupon"), ("promotion[coupon]", coupon.as_str()), ("code", "OLD")];
            json!({"promotion_code": bench.make("/v1/promotion_codes", &code), "active": false})
        },
        listed: |_| None,
    },
    Case {
        kind: "stripe.refund.create",
        payload: |bench| {
            json!({"payment_intent": payment(bench, 2000), "amount_minor": 700, "reason": "requested_by_customer",
                "metadata": {"purchase_id": "pur_1", "asked_by": "admin", "because": null}})
        },
        listed: |payload| Some(("/v1/refunds".to_owned(), vec![("payment_intent", text(payload, "payment_intent"))])),
    },
    Case { kind: "stripe.subscription.cancel", payload: cancel, listed: |_| None },
    Case { kind: "stripe.subscription.keep", payload: keep, listed: |_| None },
    Case { kind: "stripe.subscription.pause", payload: pause, listed: |_| None },
    Case { kind: "stripe.subscription.resume", payload: resume, listed: |_| None },
    Case { kind: "stripe.subscription.trial", payload: trial, listed: |_| None },
    Case {
        kind: "stripe.subscription.update",
        payload: update_later,
        listed: |_| Some(("/v1/subscription_schedules".to_owned(), vec![])),
    },
    Case { kind: "stripe.transfer.create", payload: transfer, listed: |_| Some(("/v1/transfers".to_owned(), vec![])) },
];

pub fn customer(bench: &Bench) -> String {
    bench.make("/v1/customers", &[("payment_method", "pm_card_visa"), ("email", "ada@example.com")])
}

pub fn product(bench: &Bench) -> String {
    bench.make("/v1/products", &[("name", "Mini")])
}

pub fn price(bench: &Bench, amount: &str, interval: Option<&str>) -> String {
    let product = product(bench);
    let mut form = vec![("product", product.as_str()), ("currency", "usd"), ("unit_amount", amount)];
    form.extend(interval.map(|interval| ("recurring[interval]", interval)));
    bench.make("/v1/prices", &form)
}

/// Creates a succeeded payment and returns its id.
pub fn payment(bench: &Bench, amount: i64) -> String {
    let (customer, amount) = (customer(bench), amount.to_string());
    let form = [
        ("customer", customer.as_str()),
        ("amount", amount.as_str()),
        ("currency", "usd"),
        ("payment_method", "pm_card_visa"),
        ("payment_method_types[0]", "card"),
        ("confirm", "true"),
    ];
    bench.make("/v1/payment_intents", &form)
}

/// Creates a customer with a card, and returns the payload of a payment without the customer.
pub fn top_up(bench: &Bench, card: &str) -> Value {
    let customer = customer(bench);
    let attached = bench.direct("POST", &format!("/v1/payment_methods/{card}/attach"), &[("customer", &customer)]);
    assert_eq!(attached["customer"], customer.as_str());
    json!({"customer": customer, "amount_minor": 1000, "currency": "usd", "description": "Ten dollars", "price": price(bench, "1000", None),
        "metadata": {"purchase_id": "pur_1", "user_id": "ada"}})
}

/// Creates a customer with a paid subscription.
pub fn subscription(bench: &Bench, amount: &str, interval: &str) -> Value {
    let customer = bench.make(
        "/v1/customers",
        &[("payment_method", "pm_card_visa"), ("invoice_settings[default_payment_method]", "pm_card_visa")],
    );
    let price = price(bench, amount, Some(interval));
    let made = bench.direct("POST", "/v1/subscriptions", &[("customer", &customer), ("items[0][price]", &price)]);
    assert_eq!(made["status"], "active");
    made
}

pub fn account(bench: &Bench) -> String {
    let id = bench.make("/v1/accounts", &[("type", "express"), ("capabilities[transfers][requested]", "true")]);
    bench.direct("POST", &format!("/_sandbox/accounts/{id}/onboard"), &[]);
    id
}

fn link(bench: &Bench) -> Value {
    json!({"account": account(bench), "return_url": "https://shop.example/done", "refresh_url": "https://shop.example/again"})
}

pub fn checkout(bench: &Bench, mode: &str) -> Value {
    let interval = (mode == "subscription").then_some("month");
    let made = if mode == "subscription" { "subscription_data" } else { "payment_intent_data" };
    let metadata = json!({"purchase_id": "pur_1", "user_id": "ada"});
    json!({
        "mode": mode, "price": price(bench, "500", interval), "quantity": 2, "client_reference_id": "pur_1",
        "customer": customer(bench), "success_url": "https://shop.example/ok", "cancel_url": "https://shop.example/no",
        "metadata": metadata, made: {"metadata": metadata},
    })
}

fn session(bench: &Bench) -> String {
    let price = price(bench, "500", None);
    let form = [
        ("mode", "payment"),
        ("line_items[0][price]", price.as_str()),
        ("line_items[0][quantity]", "1"),
        ("success_url", "https://shop.example/ok"),
    ];
    bench.make("/v1/checkout/sessions", &form)
}

pub fn invoice(bench: &Bench) -> Value {
    json!({
        "customer": customer(bench), "month": "2026-01", "period_start": "2026-01-01T00:00:00Z",
        "period_end": "2026-02-01T00:00:00Z", "currency": "usd", "cost_micros": 12_000_000,
        "credits_micros": -5_000_000, "carried_micros": 0, "total_minor": 700,
        "lines": [
            {"meter": "tokens", "attributes": {"model": "large"}, "quantity": 250_000, "cost_micros": 8_000_000},
            {"meter": "tokens", "attributes": {"model": "small"}, "quantity": 90_000, "cost_micros": 4_000_000},
        ],
    })
}

/// A report to a meter that only this customer uses, at the time of the customer's creation.
pub fn meter_event(bench: &Bench) -> Value {
    let customer = customer(bench);
    let event_name = format!("requests_{customer}");
    let form = [("display_name", "Requests"), ("event_name", &event_name), ("default_aggregation[formula]", "sum")];
    bench.make("/v1/billing/meters", &form);
    let created = bench.direct("GET", &format!("/v1/customers/{customer}"), &[])["created"].as_i64();
    let at = jiff::Timestamp::from_second(created.expect("a time")).expect("a time");
    json!({"event_name": event_name, "customer": customer, "value": 700, "at": at.to_string()})
}

fn cancel(bench: &Bench) -> Value {
    json!({"subscription": subscription(bench, "500", "month")["id"], "at_period_end": true})
}

fn keep(bench: &Bench) -> Value {
    let sub = subscription(bench, "500", "month");
    bench.direct("POST", &format!("/v1/subscriptions/{}", text(&sub, "id")), &[("cancel_at_period_end", "true")]);
    json!({"subscription": sub["id"]})
}

fn pause(bench: &Bench) -> Value {
    let sub = subscription(bench, "500", "month");
    let until_ms = (sub["items"]["data"][0]["current_period_end"].as_i64().unwrap() + 86_400) * 1_000;
    json!({"subscription": sub["id"], "resumes_at_ms": until_ms})
}

fn resume(bench: &Bench) -> Value {
    let sub = subscription(bench, "500", "month");
    let form = [("pause_collection[behavior]", "void")];
    bench.direct("POST", &format!("/v1/subscriptions/{}", text(&sub, "id")), &form);
    json!({"subscription": sub["id"]})
}

fn trial(bench: &Bench) -> Value {
    let sub = in_trial(bench, &[("customer", &customer(bench))]);
    json!({"subscription": sub["id"], "trial_end_ms": (sub["trial_end"].as_i64().unwrap() + 7 * 86_400) * 1_000})
}

/// Creates a subscription with a trial of two weeks, which ends with it if there is no card.
pub fn in_trial(bench: &Bench, form: &[(&str, &str)]) -> Value {
    let price = price(bench, "2000", Some("month"));
    let own = [
        ("items[0][price]", price.as_str()),
        ("trial_period_days", "14"),
        ("trial_settings[end_behavior][missing_payment_method]", "cancel"),
    ];
    bench.direct("POST", "/v1/subscriptions", &[form, &own].concat())
}

/// A change to a dearer price, for which something is due now.
pub fn dearer(bench: &Bench) -> Value {
    let sub = subscription(bench, "500", "month");
    json!({"subscription": sub["id"], "item": sub["items"]["data"][0]["id"], "price": price(bench, "2000", Some("month")),
        "at": "now", "proration_behavior": "always_invoice"})
}

fn update_later(bench: &Bench) -> Value {
    let sub = subscription(bench, "2000", "month");
    let item = &sub["items"]["data"][0];
    let end_ms = item["current_period_end"].as_i64().unwrap() * 1_000;
    json!({"subscription": sub["id"], "item": item["id"], "price": price(bench, "500", Some("month")),
        "at": "period_end", "period_end_ms": end_ms, "proration_behavior": "none"})
}

pub fn transfer(bench: &Bench) -> Value {
    bench.make("/v1/topups", &[("amount", "1000000"), ("currency", "usd")]);
    let destination = account(bench);
    json!({"destination": destination, "amount_minor": 1799, "currency": "usd",
        "transfer_group": format!("{destination}:1")})
}
