//! Checks that the base bodies in `fixtures/stripe` equal the objects that the sandbox creates in one purchase.
//! `UPDATE_GOLDEN=1` rewrites the bodies.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use local_stripe::sandbox::{Request, Sandbox, json_of, own_request};
use local_stripe::settings::Settings;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/stripe");
const VERSIONS: [&str; 2] = ["2020-08-27", "2025-03-31.basil"];
/// 2026-01-01T00:00:00Z, the time of the purchase.
const BOUGHT_S: i64 = 1_767_225_600;
/// 2026-02-01T00:00:00Z, the time of the renewal.
const RENEWED_S: i64 = 1_769_904_000;
/// Bodies of objects that the purchase does not create. They are written by hand.
const BY_HAND: [&str; 1] = ["radar.early_fraud_warning"];

/// Members that the scenarios fill in: file, member, reason.
const LEFT_OPEN: [(&str, &str, &str); 2] = [
    ("invoice", "charge", "newer versions don't tell it, and both bodies say the same"),
    ("invoice", "payment_intent", "newer versions don't tell it, and both bodies say the same"),
];

/// An account with one customer, who bought one plan through a checkout session.
struct Purchase {
    sandbox: Sandbox,
    version: &'static str,
    session: String,
    /// The sandbox's ids, with the names that replace them in the bodies.
    names: BTreeMap<String, String>,
}

impl Purchase {
    fn with_card(version: &'static str, card: &str) -> Self {
        let settings = Settings {
            start_s: BOUGHT_S,
            version: version.parse().unwrap(),
            base_url: "https://stripe.example".into(),
            business_name: "Example".into(),
            ..Settings::default()
        };
        let names = BTreeMap::new();
        let mut made = Self { sandbox: Sandbox::new(settings), version, session: String::new(), names };
        made.post("/v1/webhook_endpoints", &[("url", "http://127.0.0.1:9/"), ("enabled_events[]", "*")]);
        let description = "Professional plan, billed by the month";
        let product = [("id", "prod_professional"), ("name", "Professional"), ("description", description)];
        made.post("/v1/products", &product);
        let price = made.post(
            "/v1/prices",
            &[
                ("product", "prod_professional"),
                ("currency", "usd"),
                ("unit_amount", "7900"),
                ("recurring[interval]", "month"),
            ],
        );
        let price = made.named(&price, "price_professional_monthly");
        made.post("/v1/products/prod_professional", &[("default_price", &price)]);
        let customer = made.post("/v1/customers", &[("email", "customer@example.com")]);
        let customer = made.named(&customer, "cus_A");
        let session = made.post(
            "/v1/checkout/sessions",
            &[
                ("mode", "subscription"),
                ("customer", &customer),
                ("line_items[0][price]", &price),
                ("line_items[0][quantity]", "1"),
                ("success_url", "https://example.com/success"),
                ("cancel_url", "https://example.com/cancel"),
            ],
        );
        made.session = made.named(&session, "cs_1");
        let card = made.post(
            "/v1/payment_methods",
            &[("type", "card"), ("card[token]", card), ("billing_details[email]", "customer@example.com")],
        );
        let card = made.named(&card, "pm_1");
        let page = format!("/v1/payment_pages/{}/confirm", made.session);
        made.post(&page, &[("payment_method", &card)]);
        made
    }

    fn call(&mut self, request: Request) -> Value {
        let path = format!("{} {}", request.method, request.path);
        let response = self.sandbox.handle(&Request { version: Some(self.version.into()), ..request });
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        json_of(&response)
    }

    fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Value {
        self.call(own_request("POST", path, form))
    }

    fn get(&mut self, path: &str, id: &str) -> Value {
        self.call(own_request("GET", &format!("{path}/{id}"), &[]))
    }

    /// Returns the id of the only object of a kind.
    fn only(&self, kind: &str) -> String {
        let state = self.sandbox.state();
        assert_eq!(state.count(kind), 1, "{kind}");
        state.newest(kind, None).next().unwrap().id().to_owned()
    }

    fn named(&mut self, object: &Value, name: &str) -> String {
        let id = object["id"].as_str().unwrap().to_owned();
        self.names.insert(id.clone(), name.to_owned());
        id
    }

    fn body(&self, mut object: Value) -> Value {
        rename(&mut object, &self.names);
        object
    }
}

/// Replaces the sandbox's ids by the names for the bodies, also inside longer strings.
fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            // The reverse order replaces longer strings first: a client secret starts with the id of its object.
            for (id, name) in names.iter().rev() {
                *text = text.replace(id, name);
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| rename(entry, names)),
        Value::Object(members) => members.values_mut().for_each(|member| rename(member, names)),
        _ => {}
    }
}

/// Returns all bodies of a version, by file name.
fn bodies(version: &'static str) -> BTreeMap<&'static str, Value> {
    let mut play = Purchase::with_card(version, "tok_visa");
    let session = play.get("/v1/checkout/sessions", &play.session.clone());
    let subscription = play.get("/v1/subscriptions", session["subscription"].as_str().unwrap());
    play.named(&subscription, "sub_1");
    let item = subscription["items"]["data"][0].clone();
    play.named(&item, "si_1");
    let invoice = play.get("/v1/invoices", subscription["latest_invoice"].as_str().unwrap());
    play.named(&invoice, "in_1");
    let line = invoice["lines"]["data"][0].clone();
    play.named(&line, "il_1");
    let intent = play.get("/v1/payment_intents", &play.only("payment_intent"));
    play.named(&intent, "pi_1");
    let charge = play.get("/v1/charges", &play.only("charge"));
    play.named(&charge, "ch_1");
    let customer = play.get("/v1/customers", session["customer"].as_str().unwrap());
    let mut made = BTreeMap::new();
    if version != VERSIONS[0] {
        let payment = play.get("/v1/invoice_payments", &play.only("invoice_payment"));
        play.named(&payment, "inpay_1");
        made.insert("invoice_payment", play.body(payment));
    }
    let method = play.get("/v1/payment_methods", charge["payment_method"].as_str().unwrap());
    let price = play.get("/v1/prices", item["price"]["id"].as_str().unwrap());
    let product = play.get("/v1/products", "prod_professional");
    let mut name = |value: &Value, name: &str| play.names.insert(value.as_str().unwrap().to_owned(), name.to_owned());
    name(&charge["balance_transaction"], "txn_1");
    name(&intent["client_secret"], "pi_1_secret_placeholder");
    name(&method["card"]["fingerprint"], "fpCardA000000001");
    name(&customer["invoice_prefix"], "A0000001");
    let now = [
        ("charge", charge),
        ("checkout.session", session),
        ("customer", customer),
        ("invoice", invoice),
        ("invoice_line", line),
        ("payment_intent", intent),
        ("payment_method", method),
        ("price", price),
        ("product", product),
        ("subscription", subscription),
        ("subscription_item", item),
    ];
    made.extend(now.map(|(file, object)| (file, play.body(object))));
    let subscription = play.only("subscription");
    let schedule = play.post("/v1/subscription_schedules", &[("from_subscription", &subscription)]);
    play.named(&schedule, "sub_sched_1");
    made.insert("subscription_schedule", play.body(schedule));
    let charge = play.only("charge");
    let form = [("charge", charge.as_str()), ("amount", "300"), ("reason", "requested_by_customer")];
    let refund = play.post("/v1/refunds", &form);
    play.named(&refund, "re_1");
    play.names.insert(refund["balance_transaction"].as_str().unwrap().to_owned(), "txn_2".to_owned());
    made.insert("refund", play.body(refund));
    let seller = play.post("/v1/accounts", &[("capabilities[transfers][requested]", "true")]);
    play.named(&seller, "acct_1");
    made.insert("account", play.body(seller));
    made.insert("event", event(&mut play));
    made.insert("dispute", dispute(version));
    for (file, member, _) in LEFT_OPEN {
        if let Some(told) = made.get_mut(file).and_then(|body| body.get_mut(member)) {
            *told = Value::Null;
        }
    }
    made
}

/// Returns the event of the renewal, with placeholders for the members that the runner of the scenarios fills in.
fn event(play: &mut Purchase) -> Value {
    play.post("/_sandbox/clock", &[("advance_to", &RENEWED_S.to_string())]);
    let found = play.sandbox.state().newest_events(None, |kind| kind == "customer.subscription.updated").next();
    let mut event = found.unwrap().render(&play.version.parse().unwrap());
    for (member, value) in [
        ("id", json!("evt_1")),
        ("created", json!(BOUGHT_S)),
        ("type", json!("placeholder")),
        ("data", json!({ "object": {} })),
    ] {
        event[member] = value;
    }
    event
}

/// Makes a second purchase and returns the dispute of its charge, without the fee: scenarios also make inquiries of it,
/// which have no fee, and set the fee of a dispute themselves.
fn dispute(version: &'static str) -> Value {
    let mut play = Purchase::with_card(version, "tok_createDispute");
    let dispute = play.get("/v1/disputes", &play.only("dispute"));
    play.named(&dispute, "dp_1");
    play.named(&dispute["balance_transactions"][0], "txn_2");
    for (member, name) in [("charge", "ch_1"), ("payment_intent", "pi_1")] {
        play.names.insert(dispute[member].as_str().unwrap().to_owned(), name.to_owned());
    }
    let mut body = play.body(dispute);
    let taken = &mut body["balance_transactions"][0];
    for (member, without_fee) in [("fee", json!(0)), ("fee_details", json!([])), ("net", taken["amount"].clone())] {
        taken[member] = without_fee;
    }
    body
}

/// A JSON value that is written with `id` and `object` first in each object.
struct Body<'v>(&'v Value);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(members) => {
                let mut map = to.serialize_map(Some(members.len()))?;
                let first = ["id", "object"];
                let begin = first.iter().filter_map(|name| members.get_key_value(*name));
                let rest = members.iter().filter(|(name, _)| !first.contains(&name.as_str()));
                for (name, value) in begin.chain(rest) {
                    map.serialize_entry(name, &Body(value))?;
                }
                map.end()
            }
            Value::Array(entries) => to.collect_seq(entries.iter().map(Body)),
            other => other.serialize(to),
        }
    }
}

fn files(version: &str) -> Vec<PathBuf> {
    let folder = Path::new(FOLDER).join(version);
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ext| ext == "json")).collect()
}

#[test]
fn the_base_bodies_match_the_sandbox() {
    let mut differ = Vec::new();
    for version in VERSIONS {
        let made = bodies(version);
        for (name, body) in &made {
            let path = Path::new(FOLDER).join(version).join(format!("{name}.json"));
            let text = format!("{}\n", serde_json::to_string_pretty(&Body(body)).unwrap());
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&path, text).unwrap();
            } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
                differ.push(format!("{version}/{name}.json"));
            }
        }
        for path in files(version) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(made.contains_key(name) || BY_HAND.contains(&name), "{version}/{name}.json: no call creates it");
        }
    }
    assert!(differ.is_empty(), "{differ:?}: UPDATE_GOLDEN=1 cargo test -p local-stripe --test bodies");
}
