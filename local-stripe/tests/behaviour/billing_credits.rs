//! Billing credits: which grants pay for the metered lines of an invoice, and what is left of them. Billing alerts.

use crate::play::{Play, id};
use local_stripe::calendar::DAY_S;
use local_stripe::settings::START_S;
use serde_json::{Value, json};

/// Creates a metered price of one cent per unit of its own meter. Returns the ids of the meter and of the price.
fn metered(play: &mut Play, event: &str) -> (String, String) {
    let form = format!("display_name={event}&event_name={event}&default_aggregation[formula]=sum");
    let meter = id(&play.post("/v1/billing/meters", &form));
    let product = id(&play.post("/v1/products", &format!("name={event}")));
    let form = format!(
        "product={product}&currency=usd&unit_amount=1&recurring[interval]=month&recurring[usage_type]=metered&recurring[meter]={meter}"
    );
    (meter, id(&play.post("/v1/prices", &form)))
}

fn used(play: &mut Play, event: &str, customer: &str, value: i64) {
    let form = format!("event_name={event}&payload[stripe_customer_id]={customer}&payload[value]={value}");
    play.post("/v1/billing/meter_events", &form);
}

const ALL: &str = "applicability_config[scope][price_type]=metered";

fn grant(play: &mut Play, customer: &str, value: i64, more: &str) -> Value {
    let scope = if more.contains("scope") { String::new() } else { format!("&{ALL}") };
    let form = format!(
        "customer={customer}&amount[type]=monetary&amount[monetary][currency]=usd&amount[monetary][value]={value}{scope}{more}"
    );
    play.post("/v1/billing/credit_grants", &form)
}

fn left(play: &mut Play, customer: &str, grant: &str) -> i64 {
    let path = format!(
        "/v1/billing/credit_balance_summary?customer={customer}&filter[type]=credit_grant&filter[credit_grant]={grant}"
    );
    let found = play.get(&path);
    let balance = &found["balances"][0];
    assert_eq!(balance["available_balance"], balance["ledger_balance"]);
    balance["available_balance"]["monetary"]["value"].as_i64().unwrap()
}

fn latest(play: &mut Play, sub: &str) -> Value {
    let sub = play.get(&format!("/v1/subscriptions/{sub}"));
    play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()))
}

/// Returns the kinds and amounts of a customer's transactions, oldest first.
fn movements(play: &mut Play, customer: &str) -> Vec<(String, i64)> {
    let all =
        play.get(&format!("/v1/billing/credit_balance_transactions?customer={customer}&limit=100"))["data"].clone();
    let shown = |made: &Value| {
        let details = &made[made["type"].as_str().unwrap()];
        (details["type"].as_str().unwrap().to_owned(), details["amount"]["monetary"]["value"].as_i64().unwrap())
    };
    all.as_array().unwrap().iter().rev().map(shown).collect()
}

#[test]
fn grants_pay_for_metered_lines_after_discounts_and_before_taxes() {
    let mut play = Play::new();
    let (_, calls) = metered(&mut play, "calls");
    let base = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let rate = id(&play.post("/v1/tax_rates", "display_name=VAT&inclusive=false&percentage=20"));
    let sub = id(&play.subscribe(&customer, &base, &format!("&items[1][price]={calls}&default_tax_rates[0]={rate}")));
    let made = grant(&mut play, &customer, 700, "&name=Welcome&category=promotional&metadata[a]=b");
    assert_eq!(
        (&made["priority"], &made["amount"]["monetary"]["value"], &made["applicability_config"]["scope"]),
        (&json!(50), &json!(700), &json!({ "price_type": "metered" }))
    );
    let coupon = id(&play.post("/v1/coupons", "percent_off=10&duration=once"));
    play.post(&format!("/v1/subscriptions/{sub}"), &format!("discounts[0][coupon]={coupon}"));
    used(&mut play, "calls", &customer, 1_000);
    play.until_day(30);
    let draft = latest(&mut play, &sub);
    // 2 000 + 1 000 less 10 %, and 20 % of tax: no credits before the invoice is finalized.
    assert_eq!((&draft["status"], &draft["total"]), (&json!("draft"), &json!(3_240)));
    assert_eq!(left(&mut play, &customer, made["id"].as_str().unwrap()), 700);
    play.until_day(31);
    let paid = latest(&mut play, &sub);
    // The metered line costs 900 after its discount, of which the credits pay 700.
    let net = 1_800 + 200;
    assert_eq!(
        ["subtotal", "total_excluding_tax", "total", "amount_paid"].map(|member| paid[member].as_i64().unwrap()),
        [3_000, net, net + 400, net + 400]
    );
    let lines = paid["lines"]["data"].as_array().unwrap();
    let line = lines.iter().find(|line| line["amount"] == 1_000).unwrap();
    let entries = line["pretax_credit_amounts"].as_array().unwrap();
    assert_eq!((&entries[0]["type"], &entries[0]["amount"]), (&json!("discount"), &json!(100)));
    assert_eq!((&entries[1]["type"], &entries[1]["amount"]), (&json!("credit_balance_transaction"), &json!(700)));
    assert_eq!(line["taxes"][0]["taxable_amount"], 200);
    let total = paid["total_pretax_credit_amounts"].as_array().unwrap();
    assert_eq!(total.iter().map(|entry| entry["amount"].as_i64().unwrap()).collect::<Vec<_>>(), [300, 700]);
    let id_of = entries[1]["credit_balance_transaction"].as_str().unwrap();
    let made = play.get(&format!("/v1/billing/credit_balance_transactions/{id_of}"));
    assert_eq!(made["debit"]["credits_applied"], json!({ "invoice": paid["id"], "invoice_line_item": line["id"] }));
    assert_eq!(movements(&mut play, &customer), [("credits_granted".into(), 700), ("credits_applied".into(), 700)]);
    assert_eq!(play.get("/v1/balance")["available"][0]["amount"], 2_400 + net + 400);
}

#[test]
fn grants_are_used_by_priority_end_category_and_age_and_only_where_they_apply() {
    let mut play = Play::new();
    let (_, calls) = metered(&mut play, "calls");
    let (_, mails) = metered(&mut play, "mails");
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &calls, ""));
    let only_mails = format!("&applicability_config[scope][prices][0][id]={mails}&priority=0");
    let (soon, later) = (START_S + 40 * DAY_S, START_S + 50 * DAY_S);
    let all = [
        ("other price", only_mails.as_str()),
        ("paid", ""),
        ("promotional", "&category=promotional"),
        ("later", &format!("&expires_at={later}")),
        ("soon", &format!("&expires_at={soon}")),
        ("first", "&priority=1"),
        ("not yet", &format!("&priority=0&effective_at={later}")),
    ]
    .map(|(name, more)| (name, id(&grant(&mut play, &customer, 100, more))));
    for (usage, day, expected) in [
        (
            250,
            31,
            vec![("other price", 100), ("paid", 100), ("promotional", 100), ("later", 50), ("soon", 0), ("first", 0)],
        ),
        (200, 62, vec![("other price", 100), ("paid", 100), ("promotional", 0), ("later", 0), ("not yet", 0)]),
    ] {
        used(&mut play, "calls", &customer, usage);
        play.until_day(day);
        let paid = latest(&mut play, &sub);
        assert_eq!((&paid["subtotal"], &paid["status"]), (&json!(usage), &json!("paid")));
        for (name, left_of) in expected {
            let (_, grant) = all.iter().find(|(other, _)| *other == name).unwrap();
            assert_eq!(left(&mut play, &customer, grant), left_of, "{name} on day {day}");
        }
    }
    let summary = |play: &mut Play, scope: &str| {
        let path = format!(
            "/v1/billing/credit_balance_summary?customer={customer}&filter[type]=applicability_scope&filter[applicability_scope]{scope}"
        );
        play.get(&path)["balances"][0]["available_balance"]["monetary"]["value"].as_i64().unwrap()
    };
    assert_eq!(summary(&mut play, "[price_type]=metered"), 100);
    assert_eq!(summary(&mut play, &format!("[prices][0][id]={mails}")), 200);
}

#[test]
fn a_voided_invoice_gives_its_credits_back_and_an_expired_grant_loses_them() {
    let mut play = Play::new();
    let (_, calls) = metered(&mut play, "calls");
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &calls, "&collection_method=send_invoice&days_until_due=30"));
    let end = START_S + 35 * DAY_S;
    let (lasting, ending) = (
        id(&grant(&mut play, &customer, 300, "")),
        id(&grant(&mut play, &customer, 200, &format!("&expires_at={end}&priority=1"))),
    );
    used(&mut play, "calls", &customer, 1_000);
    play.until_day(31);
    let open = latest(&mut play, &sub);
    assert_eq!((&open["status"], &open["amount_due"]), (&json!("open"), &json!(500)));
    play.until_day(40);
    play.post(&format!("/v1/invoices/{}/void", id(&open)), "");
    assert_eq!(left(&mut play, &customer, &lasting), 300);
    assert_eq!(left(&mut play, &customer, &ending), 0);
    assert_eq!(
        movements(&mut play, &customer)[4..],
        [
            ("credits_application_invoice_voided".to_owned(), 200),
            ("credits_expired".to_owned(), 200),
            ("credits_application_invoice_voided".to_owned(), 300),
        ]
    );
}

#[test]
fn grants_expire_on_their_day_or_at_once_and_unused_ones_are_voided() {
    let mut play = Play::new();
    let (_, calls) = metered(&mut play, "calls");
    let customer = play.customer("pm_card_visa");
    let end = START_S + 5 * DAY_S;
    let one = id(&grant(&mut play, &customer, 100, &format!("&expires_at={end}")));
    play.events();
    play.until_day(6);
    assert_eq!(play.events(), ["billing.credit_balance_transaction.created"]);
    assert_eq!(left(&mut play, &customer, &one), 0);
    let two = id(&grant(&mut play, &customer, 100, ""));
    let path = format!("/v1/billing/credit_grants/{two}");
    let changed = play.post(&path, &format!("expires_at={}&metadata[a]=b", START_S + 90 * DAY_S));
    assert_eq!((&changed["expires_at"], &changed["metadata"]["a"]), (&json!(START_S + 90 * DAY_S), &json!("b")));
    assert_eq!(play.post(&path, "expires_at=")["expires_at"], json!(null));
    play.events();
    assert_eq!(play.post(&format!("{path}/expire"), "")["expires_at"], json!(START_S + 6 * DAY_S));
    assert_eq!(play.events(), ["billing.credit_grant.updated", "billing.credit_balance_transaction.created"]);
    play.refused("POST", &format!("{path}/expire"), "", 400);
    play.refused("POST", &path, &format!("expires_at={}", START_S + 99 * DAY_S), 400);
    let three = id(&grant(&mut play, &customer, 100, ""));
    let path = format!("/v1/billing/credit_grants/{three}");
    assert_eq!(play.post(&format!("{path}/void"), "")["voided_at"], json!(START_S + 6 * DAY_S));
    play.refused("POST", &format!("{path}/void"), "", 400);
    let kinds: Vec<String> = movements(&mut play, &customer).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(
        kinds,
        [
            "credits_granted",
            "credits_expired",
            "credits_granted",
            "credits_expired",
            "credits_granted",
            "credits_voided"
        ]
    );
    let four = id(&grant(&mut play, &customer, 100, ""));
    let sub = id(&play.subscribe(&customer, &calls, ""));
    used(&mut play, "calls", &customer, 30);
    play.until_day(7);
    play.ok("DELETE", &format!("/v1/subscriptions/{sub}"), "invoice_now=true");
    assert_eq!(left(&mut play, &customer, &four), 70);
    play.refused("POST", &format!("/v1/billing/credit_grants/{four}/void"), "", 400);
    let listed = play.get(&format!("/v1/billing/credit_grants?customer={customer}"))["data"].clone();
    assert_eq!(listed.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), [four, three, two, one]);
}

#[test]
fn a_grant_needs_a_customer_one_scope_metered_prices_and_an_end_in_the_future() {
    let mut play = Play::new();
    let licensed = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let amount = "amount[type]=monetary&amount[monetary][currency]=usd&amount[monetary][value]=100";
    let both = format!("{ALL}&applicability_config[scope][prices][0][id]={licensed}");
    for (form, param) in [
        (format!("{amount}&{ALL}"), "customer"),
        (format!("customer={customer}&amount[type]=monetary&{ALL}"), "amount[monetary]"),
        (format!("customer={customer}&{amount}&{both}"), "applicability_config[scope]"),
        (
            format!("customer={customer}&{amount}&applicability_config[scope][prices][0][id]={licensed}"),
            "applicability_config[scope][prices][0][id]",
        ),
        (format!("customer={customer}&{amount}&{ALL}&expires_at={START_S}"), "expires_at"),
        (format!("customer={customer}&{amount}&{ALL}&priority=101"), "priority"),
        (format!("customer={customer}&{}&{ALL}", amount.replace("=100", "=0")), "amount[monetary][value]"),
    ] {
        assert_eq!(play.refused("POST", "/v1/billing/credit_grants", &form, 400)["param"], param, "{form}");
    }
    for _ in 0..100 {
        grant(&mut play, &customer, 1, "");
    }
    play.refused("POST", "/v1/billing/credit_grants", &format!("customer={customer}&{amount}&{ALL}"), 400);
}

#[test]
fn an_alert_triggers_once_for_each_customer_on_usage_after_it_was_made() {
    let mut play = Play::new();
    let (meter, _) = metered(&mut play, "calls");
    metered(&mut play, "mails");
    let (customer, other) = (play.customer("pm_card_visa"), play.customer("pm_card_visa"));
    used(&mut play, "calls", &customer, 99);
    let form = format!(
        "alert_type=usage_threshold&title=Many calls&usage_threshold[gte]=100&usage_threshold[meter]={meter}&usage_threshold[recurrence]=one_time"
    );
    let alert = play.post("/v1/billing/alerts", &form);
    assert_eq!((&alert["status"], &alert["usage_threshold"]["filters"]), (&json!("active"), &json!(null)));
    let own =
        format!("{form}&usage_threshold[filters][0][type]=customer&usage_threshold[filters][0][customer]={other}");
    let of_other = id(&play.post("/v1/billing/alerts", &own));
    let triggers = |play: &mut Play| play.events().iter().filter(|kind| *kind == "billing.alert.triggered").count();
    triggers(&mut play);
    used(&mut play, "calls", &customer, 99);
    used(&mut play, "mails", &customer, 1_000);
    assert_eq!(triggers(&mut play), 0);
    used(&mut play, "calls", &customer, 1);
    assert_eq!(triggers(&mut play), 1);
    let told = play.event("billing.alert.triggered")["data"]["object"].clone();
    assert_eq!(
        (&told["object"], &told["alert"]["id"], &told["customer"], &told["value"]),
        (&json!("billing.alert_triggered"), &alert["id"], &json!(customer), &json!(100))
    );
    used(&mut play, "calls", &customer, 500);
    assert_eq!(triggers(&mut play), 0);
    used(&mut play, "calls", &other, 100);
    assert_eq!(triggers(&mut play), 2);
    let path = format!("/v1/billing/alerts/{}", id(&alert));
    assert_eq!(play.post(&format!("{path}/deactivate"), "")["status"], "inactive");
    play.refused("POST", &format!("{path}/deactivate"), "", 400);
    assert_eq!(play.post(&format!("{path}/activate"), "")["status"], "active");
    used(&mut play, "calls", &customer, 1);
    assert_eq!(triggers(&mut play), 1, "an alert that is activated again triggers again");
    play.post(&format!("{path}/archive"), "");
    play.refused("GET", &path, "", 404);
    play.refused("POST", &format!("{path}/activate"), "", 404);
    let listed = play.get(&format!("/v1/billing/alerts?meter={meter}"))["data"].clone();
    assert_eq!(listed.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), [of_other]);
    for _ in 0..25 {
        play.post("/v1/billing/alerts", &form);
    }
    play.refused("POST", "/v1/billing/alerts", &form, 400);
}
