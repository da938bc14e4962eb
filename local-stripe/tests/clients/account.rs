//! Fills an account with objects of many kinds, for the tests of clients that copy an account.

use local_stripe::server::Server;
use local_stripe::settings::START_S;
use serde_json::Value;

use crate::{call, call_for};

const DAY_S: i64 = 86_400;
/// The number of customers: more than a page of a list can have, whose limit is at most 100.
const CUSTOMERS: usize = 104;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Makes calls for an account: the server's own, or the connected account with this id.
struct Player<'s>(&'s Server, Option<&'s str>);

impl Player<'_> {
    fn call(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Value {
        call_for(self.0, self.1, method, path, form)
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        self.call("POST", path, form)
    }

    /// Creates an object and returns its id.
    fn make(&self, path: &str, form: &[(&str, &str)]) -> String {
        text(&self.post(path, form)["id"])
    }

    fn customer(&self, name: &str, card: &str, more: &[(&str, &str)]) -> String {
        let form = [("name", name), ("payment_method", card), ("invoice_settings[default_payment_method]", card)];
        self.make("/v1/customers", &[&form, more].concat())
    }

    fn pay(&self, amount: &str, card: &str, more: &[(&str, &str)]) -> String {
        let form = [("amount", amount), ("currency", "usd"), ("confirm", "true"), ("payment_method", card)];
        let made = self.post("/v1/payment_intents", &[&form, more].concat());
        // If the card is declined, the error contains the intent.
        text(made.get("id").unwrap_or(&made["error"]["payment_intent"]["id"]))
    }

    fn invoice(&self, customer: &str, amount: &str) -> String {
        self.post("/v1/invoiceitems", &[("customer", customer), ("amount", amount), ("currency", "usd")]);
        self.make("/v1/invoices", &[("customer", customer), ("pending_invoice_items_behavior", "include")])
    }
}

fn fill(p: &Player<'_>) {
    let (monthly, yearly, once) = catalog(p);
    payments(p);
    invoices(p);
    checkout(p, &monthly, &once);
    subscriptions(p, &monthly, &yearly);
    others(p, &monthly);
}

/// Fills a new connected account, and returns its id.
pub fn play_connected(server: &Server) -> String {
    // dj-stripe lists the bank accounts of other types with an argument that Stripe's library doesn't know.
    let form = [("type", "standard"), ("email", "seller@example.com"), ("capabilities[transfers][requested]", "true")];
    let account = text(&call(server, "POST", "/v1/accounts", &form)["id"]);
    fill(&Player(server, Some(&account)));
    account
}

/// Fills the account.
pub fn play(server: &Server) {
    let p = Player(server, None);
    fill(&p);
    for n in 0..CUSTOMERS {
        p.make("/v1/customers", &[("name", &format!("customer {n}")), ("metadata[number]", &n.to_string())]);
    }
    let gone = p.customer("gone", "pm_card_visa", &[]);
    call(server, "DELETE", &format!("/v1/customers/{gone}"), &[]);
}

/// Returns all events so far, newest first.
pub fn events(server: &Server) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    loop {
        let mut form = vec![("limit", "100")];
        let last = found.last().map(|e| text(&e["id"])).unwrap_or_default();
        if !last.is_empty() {
            form.push(("starting_after", &last));
        }
        let page = call(server, "GET", "/v1/events", &form);
        found.extend(page["data"].as_array().cloned().unwrap_or_default());
        if page["has_more"] == false {
            return found;
        }
    }
}

fn catalog(p: &Player<'_>) -> (String, String, String) {
    let product = p.make("/v1/products", &[("name", "Pro"), ("metadata[tier]", "1"), ("description", "All of it")]);
    let price = |amount: &str, more: &[(&str, &str)]| {
        let form = [("product", product.as_str()), ("currency", "usd"), ("unit_amount", amount)];
        p.make("/v1/prices", &[&form, more].concat())
    };
    let monthly = price("2000", &[("recurring[interval]", "month"), ("lookup_key", "pro"), ("nickname", "Pro")]);
    let yearly = price("20000", &[("recurring[interval]", "year"), ("recurring[trial_period_days]", "7")]);
    let once = price("1500", &[]);
    let retired = price("999", &[]);
    p.post(&format!("/v1/prices/{retired}"), &[("active", "false")]);
    p.make(
        "/v1/plans",
        &[("currency", "eur"), ("amount", "700"), ("interval", "week"), ("product[name]", "By the week")],
    );
    let half = p.make("/v1/coupons", &[("percent_off", "50"), ("duration", "forever"), ("name", "Half")]);
    let fixed =
        [("amount_off", "300"), ("currency", "usd"), ("duration", "once"), ("applies_to[products][0]", &product)];
    p.make("/v1/coupons", &fixed);
    p.make("/v1/promotion_codes", &[("promotion[type]", "coupon"), ("promotion[coupon]", &half)]);
    let shelved = p.make("/v1/products", &[("name", "Shelved")]);
    p.call("DELETE", &format!("/v1/products/{shelved}"), &[]);
    (monthly, yearly, once)
}

fn payments(p: &Player<'_>) {
    for card in local_stripe::cards::TEST_CARDS {
        p.pay("1000", &format!("pm_card_{}", card.name), &[("description", card.name)]);
    }
    let customer = p.customer("payer", "pm_card_mastercard", &[("email", "payer@example.com")]);
    let paid = p.pay("4000", "pm_card_visa", &[]);
    p.post("/v1/refunds", &[("payment_intent", &paid), ("amount", "1500")]);
    p.post("/v1/refunds", &[("payment_intent", &paid), ("reason", "requested_by_customer")]);
    let failing = p.pay("1200", "pm_card_refundFail", &[]);
    p.post("/v1/refunds", &[("payment_intent", &failing)]);
    let held = p.pay("3000", "pm_card_visa", &[("capture_method", "manual")]);
    p.post(&format!("/v1/payment_intents/{held}/capture"), &[("amount_to_capture", "2000")]);
    let dropped = p.pay("3000", "pm_card_visa", &[("capture_method", "manual")]);
    p.post(&format!("/v1/payment_intents/{dropped}/cancel"), &[]);
    p.make("/v1/payment_intents", &[("amount", "800"), ("currency", "eur"), ("customer", &customer)]);
    let disputes = p.call("GET", "/v1/disputes", &[]);
    let newest = text(&disputes["data"][0]["id"]);
    p.post(
        &format!("/v1/disputes/{newest}"),
        &[("evidence[uncategorized_text]", "winning_evidence"), ("submit", "true")],
    );
    p.post(&format!("/v1/customers/{customer}/balance_transactions"), &[("amount", "-300"), ("currency", "usd")]);
}

fn invoices(p: &Player<'_>) {
    let customer = p.customer("invoiced", "pm_card_visa", &[]);
    let paid = p.invoice(&customer, "2500");
    p.post(&format!("/v1/invoices/{paid}/pay"), &[]);
    for end in ["void", "mark_uncollectible"] {
        let open = p.invoice(&customer, "1700");
        p.post(&format!("/v1/invoices/{open}/finalize"), &[]);
        p.post(&format!("/v1/invoices/{open}/{end}"), &[]);
    }
    let deleted = p.invoice(&customer, "1");
    p.call("DELETE", &format!("/v1/invoices/{deleted}"), &[]);
    p.invoice(&customer, "600");
    let long = p.make("/v1/invoices", &[("customer", &customer)]);
    for n in 0..12 {
        let amount = (100 + n).to_string();
        let form = [("customer", customer.as_str()), ("amount", &amount), ("currency", "usd"), ("invoice", &long)];
        p.post("/v1/invoiceitems", &form);
    }
    let failing = p.customer("failing", "pm_card_chargeCustomerFail", &[]);
    let unpaid = p.invoice(&failing, "900");
    p.post(&format!("/v1/invoices/{unpaid}/pay"), &[]);
    p.post("/v1/invoiceitems", &[("customer", &failing), ("amount", "50"), ("currency", "usd")]);
}

fn checkout(p: &Player<'_>, monthly: &str, once: &str) {
    for (mode, price) in [("payment", once), ("subscription", monthly)] {
        let form = [
            ("mode", mode),
            ("line_items[0][price]", price),
            ("line_items[0][quantity]", "2"),
            ("success_url", "https://shop.test/ok"),
        ];
        let session = p.make("/v1/checkout/sessions", &form);
        p.post(&format!("/v1/payment_pages/{session}/confirm"), &[("payment_method", "pm_card_visa")]);
        p.make("/v1/checkout/sessions", &form);
        let expired = p.make("/v1/checkout/sessions", &form);
        p.post(&format!("/v1/checkout/sessions/{expired}/expire"), &[]);
    }
}

/// Creates objects of less frequent kinds.
fn others(p: &Player<'_>, monthly: &str) {
    let customer = p.make("/v1/customers", &[("source", "tok_visa"), ("name", "by source")]);
    p.post(&format!("/v1/customers/{customer}/sources"), &[("source", "tok_amex")]);
    let open = p.invoice(&customer, "3000");
    p.post(&format!("/v1/invoices/{open}/finalize"), &[]);
    let note = p.make("/v1/credit_notes", &[("invoice", &open), ("amount", "400"), ("memo", "sorry")]);
    p.make("/v1/credit_notes", &[("invoice", &open), ("amount", "100")]);
    p.post(&format!("/v1/credit_notes/{note}/void"), &[]);
    p.make("/v1/tax_rates", &[("display_name", "VAT"), ("inclusive", "false"), ("percentage", "8.1")]);
    p.make("/v1/topups", &[("amount", "9000"), ("currency", "usd")]);
    let paid_out = p.make("/v1/payouts", &[("amount", "1200"), ("currency", "usd")]);
    p.post(&format!("/v1/payouts/{paid_out}"), &[("metadata[a]", "b")]);
    p.make("/v1/payment_links", &[("line_items[0][price]", monthly), ("line_items[0][quantity]", "1")]);
    let phases = [
        ("customer", customer.as_str()),
        ("start_date", "now"),
        ("phases[0][items][0][price]", monthly),
        ("phases[0][iterations]", "1"),
        ("phases[1][items][0][price]", monthly),
        ("phases[1][items][0][quantity]", "2"),
    ];
    p.make("/v1/subscription_schedules", &phases);
    let released = p.make("/v1/subscription_schedules", &phases);
    p.post(&format!("/v1/subscription_schedules/{released}/release"), &[]);
    let quote = p.make("/v1/quotes", &[("customer", &customer), ("line_items[0][price]", monthly)]);
    p.post(&format!("/v1/quotes/{quote}/finalize"), &[]);
    p.post(&format!("/v1/quotes/{quote}/accept"), &[]);
}

/// Advances test clocks by more than a month: renewals, a trial's end, failed payments, a cancellation.
fn subscriptions(p: &Player<'_>, monthly: &str, yearly: &str) {
    // A test clock has at most three customers.
    let start = START_S.to_string();
    let clocks =
        [(); 3].map(|()| p.make("/v1/test_helpers/test_clocks", &[("frozen_time", &start), ("name", "months")]));
    let customers = std::cell::Cell::new(0);
    let subscribe = |name: &str, card: &str, price: &str, more: &[(&str, &str)]| {
        let clock = &clocks[customers.replace(customers.get() + 1) / 3];
        let customer = p.customer(name, card, &[("test_clock", clock)]);
        let form = [("customer", customer.as_str()), ("items[0][price]", price)];
        p.post("/v1/subscriptions", &[&form, more].concat())
    };
    subscribe("renewing", "pm_card_visa", monthly, &[]);
    subscribe("trying", "pm_card_visa", yearly, &[("trial_period_days", "10")]);
    subscribe("past due", "pm_card_chargeCustomerFail", monthly, &[("trial_period_days", "3")]);
    subscribe("never paid", "pm_card_chargeCustomerFail", monthly, &[]);
    let changed = subscribe("upgraded", "pm_card_visa", monthly, &[]);
    let leaving = subscribe("leaving", "pm_card_visa", monthly, &[]);
    let left = subscribe("left", "pm_card_visa", monthly, &[]);
    p.post(
        &format!("/v1/subscriptions/{}", text(&changed["id"])),
        &[
            ("items[0][id]", &text(&changed["items"]["data"][0]["id"])),
            ("items[0][price]", monthly),
            ("items[0][quantity]", "3"),
        ],
    );
    p.post(&format!("/v1/subscriptions/{}", text(&leaving["id"])), &[("cancel_at_period_end", "true")]);
    p.call("DELETE", &format!("/v1/subscriptions/{}", text(&left["id"])), &[]);
    let later = (START_S + 40 * DAY_S).to_string();
    for clock in &clocks {
        p.post(&format!("/v1/test_helpers/test_clocks/{clock}/advance"), &[("frozen_time", &later)]);
    }
}
