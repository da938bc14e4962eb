//! Automatic tax: where the seller is registered and the customer is, on subscriptions, invoices, sessions and calculations.

use crate::play::{Play, id};
use serde_json::{Value, json};

/// A seller in Berlin that collects German VAT.
fn seller() -> Play {
    let mut play = Play::new();
    play.post("/v1/tax/settings", "head_office[address][country]=DE&defaults[tax_behavior]=exclusive");
    register(&mut play, "DE", "type]=standard&country_options[de][standard][place_of_supply_scheme]=standard");
    play
}

fn register(play: &mut Play, country: &str, options: &str) -> String {
    let lower = country.to_lowercase();
    let options = format!("country_options[{lower}][{options}");
    id(&play.post("/v1/tax/registrations", &format!("country={country}&active_from=now&{options}")))
}

fn customer_in(play: &mut Play, address: &str) -> String {
    let customer = play.customer("pm_card_visa");
    let address: String = address.split('&').map(|part| format!("address[{}&", part.replacen('=', "]=", 1))).collect();
    play.post(&format!("/v1/customers/{customer}"), address.trim_end_matches('&'));
    customer
}

fn latest(play: &mut Play, sub: &Value) -> Value {
    let sub = play.get(&format!("/v1/subscriptions/{}", id(sub)));
    play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()))
}

/// Each tax of an invoice: its amount, its reason and the type of its rate.
fn taxes(play: &mut Play, invoice: &Value) -> Vec<(i64, String, String)> {
    let all = invoice["total_taxes"].as_array().unwrap().clone();
    all.iter()
        .map(|tax| {
            let rate = play.get(&format!("/v1/tax_rates/{}", tax["tax_rate_details"]["tax_rate"].as_str().unwrap()));
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (tax["amount"].as_i64().unwrap(), text(&tax["taxability_reason"]), text(&rate["tax_type"]))
        })
        .collect()
}

const AUTOMATIC: &str = "&automatic_tax[enabled]=true";

#[test]
fn a_customer_pays_the_tax_of_a_place_where_the_seller_is_registered() {
    let mut play = seller();
    let price = play.monthly("Pro", 2_000);
    let customer = customer_in(&mut play, "country=DE");
    let sub = play.subscribe(&customer, &price, AUTOMATIC);
    assert_eq!(sub["automatic_tax"]["enabled"], true);
    let invoice = latest(&mut play, &sub);
    // 19 % of 20.00 is 3.80.
    assert_eq!((&invoice["total"], &invoice["amount_paid"]), (&json!(2_380), &json!(2_380)));
    assert_eq!(
        (&invoice["automatic_tax"]["status"], &invoice["automatic_tax"]["enabled"]),
        (&json!("complete"), &json!(true))
    );
    assert_eq!(taxes(&mut play, &invoice), [(380, "standard_rated".into(), "vat".into())]);
    let preview = play.post("/v1/invoices/create_preview", &format!("subscription={}", id(&sub)));
    assert_eq!(preview["total"], 2_380);
    play.until_day(32);
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 2_380);

    let elsewhere = customer_in(&mut play, "country=FR");
    let sub = play.subscribe(&elsewhere, &price, AUTOMATIC);
    let invoice = latest(&mut play, &sub);
    assert_eq!(invoice["total"], 2_000);
    assert_eq!(taxes(&mut play, &invoice), [(0, "not_collecting".into(), "vat".into())]);
}

#[test]
fn an_invoice_item_without_a_price_says_whether_it_includes_taxes() {
    let mut play = seller();
    let customer = customer_in(&mut play, "country=DE");
    let form = format!("customer={customer}&pending_invoice_items_behavior=exclude{AUTOMATIC}");
    let invoice = id(&play.post("/v1/invoices", &form));
    for behavior in ["exclusive", "inclusive"] {
        let form = format!("customer={customer}&invoice={invoice}&amount=1190&currency=usd&tax_behavior={behavior}");
        play.post("/v1/invoiceitems", &form);
    }
    // 19 % of 11.90 are 2.26 in addition, and 11.90 contains 1.90.
    let shown = play.get(&format!("/v1/invoices/{invoice}"));
    assert_eq!((&shown["total"], &shown["total_excluding_tax"]), (&json!(2_606), &json!(2_190)));
}

#[test]
fn a_price_that_includes_its_taxes_stays_the_same() {
    let mut play = seller();
    let price = play.price("Pro", 1_190, "&recurring[interval]=month&tax_behavior=inclusive");
    let customer = customer_in(&mut play, "country=DE");
    let sub = play.subscribe(&customer, &price, AUTOMATIC);
    let invoice = latest(&mut play, &sub);
    // 11.90 with 19 % is 10.00 and 1.90.
    assert_eq!((&invoice["total"], &invoice["total_excluding_tax"]), (&json!(1_190), &json!(1_000)));
    assert_eq!(taxes(&mut play, &invoice), [(190, "standard_rated".into(), "vat".into())]);
}

#[test]
fn businesses_abroad_owe_the_tax_themselves() {
    let mut play = seller();
    register(&mut play, "FR", "type]=standard&country_options[fr][standard][place_of_supply_scheme]=standard");
    let price = play.monthly("Pro", 2_000);
    for (country, number, expected) in [
        ("FR", "FRAB123456789", (0, "reverse_charge".to_owned(), "vat".to_owned())),
        ("DE", "DE123456789", (380, "standard_rated".to_owned(), "vat".to_owned())),
    ] {
        let customer = customer_in(&mut play, &format!("country={country}"));
        play.post(&format!("/v1/customers/{customer}/tax_ids"), &format!("type=eu_vat&value={number}"));
        let sub = play.subscribe(&customer, &price, AUTOMATIC);
        let invoice = latest(&mut play, &sub);
        assert_eq!(taxes(&mut play, &invoice), [expected], "{country}");
    }
    let exempt = customer_in(&mut play, "country=DE");
    play.post(&format!("/v1/customers/{exempt}"), "tax_exempt=exempt");
    let sub = play.subscribe(&exempt, &price, AUTOMATIC);
    let invoice = latest(&mut play, &sub);
    assert_eq!(taxes(&mut play, &invoice), [(0, "customer_exempt".into(), "vat".into())]);
}

#[test]
fn one_registration_for_the_one_stop_shop_is_for_the_whole_union() {
    let mut play = Play::new();
    play.post("/v1/tax/settings", "head_office[address][country]=IE&defaults[tax_behavior]=exclusive");
    register(&mut play, "IE", "type]=oss_union");
    let price = play.monthly("Pro", 2_000);
    // 25.5 % in Finland, 27 % in Hungary, none in Norway.
    for (country, total) in [("FI", 2_510), ("HU", 2_540), ("NO", 2_000)] {
        let customer = customer_in(&mut play, &format!("country={country}"));
        let sub = play.subscribe(&customer, &price, AUTOMATIC);
        assert_eq!(latest(&mut play, &sub)["total"], total, "{country}");
    }
}

#[test]
fn provinces_and_states_have_taxes_of_their_own() {
    let mut play = Play::new();
    play.post(
        "/v1/tax/settings",
        "head_office[address][country]=CA&head_office[address][state]=QC&defaults[tax_behavior]=exclusive",
    );
    register(&mut play, "CA", "type]=standard");
    register(&mut play, "CA", "type]=province_standard&country_options[ca][province_standard][province]=QC");
    register(&mut play, "US", "type]=state_sales_tax&country_options[us][state]=CA");
    let price = play.monthly("Pro", 10_000);
    for (address, expected) in [
        // 9.975 % of 100.00 is 9.975, which rounds up.
        ("country=CA&state=QC", vec![(500, "gst"), (998, "qst")]),
        ("country=CA&state=ON", vec![(1_300, "hst")]),
        // British Columbia's own tax is not registered.
        ("country=CA&state=BC", vec![(500, "gst")]),
        ("country=US&postal_code=94107", vec![(725, "sales_tax")]),
        ("country=US&state=NY", vec![(0, "sales_tax")]),
    ] {
        let customer = customer_in(&mut play, address);
        let sub = play.subscribe(&customer, &price, AUTOMATIC);
        let invoice = latest(&mut play, &sub);
        let found: Vec<(i64, String)> = taxes(&mut play, &invoice).into_iter().map(|(n, _, kind)| (n, kind)).collect();
        let expected: Vec<(i64, String)> = expected.into_iter().map(|(n, kind)| (n, kind.to_owned())).collect();
        assert_eq!(found, expected, "{address}");
    }
}

#[test]
fn taxes_follow_a_customer_who_moves() {
    let mut play = seller();
    let price = play.monthly("Pro", 2_000);
    let customer = customer_in(&mut play, "country=DE");
    let sub = play.subscribe(&customer, &price, AUTOMATIC);
    register(&mut play, "AT", "type]=standard&country_options[at][standard][place_of_supply_scheme]=standard");
    play.post(&format!("/v1/customers/{customer}"), "address[country]=AT");
    play.until_day(32);
    // 20 % in Austria.
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 2_400);
    // Without an address the subscription goes on without taxes.
    play.post(&format!("/v1/customers/{customer}"), "address=");
    play.until_day(63);
    let invoice = latest(&mut play, &sub);
    let automatic = &invoice["automatic_tax"];
    assert_eq!((&invoice["amount_paid"], &automatic["enabled"]), (&json!(2_000), &json!(false)));
    assert_eq!(automatic["disabled_reason"], "finalization_requires_location_inputs");
    let sub = play.get(&format!("/v1/subscriptions/{}", id(&sub)));
    assert_eq!(sub["automatic_tax"]["disabled_reason"], "finalization_requires_location_inputs");
}

#[test]
fn what_automatic_tax_needs_is_asked_for() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = customer_in(&mut play, "country=DE");
    let form = format!("customer={customer}&items[0][price]={price}{AUTOMATIC}");
    let error = play.refused("POST", "/v1/subscriptions", &form, 400);
    assert!(error["message"].as_str().unwrap().contains("head office"), "{error}");
    play.post("/v1/tax/settings", "head_office[address][country]=DE");
    // The price does not say whether it includes taxes, and there is no default.
    let error = play.refused("POST", "/v1/subscriptions", &form, 400);
    assert!(error["message"].as_str().unwrap().contains("Tax behavior"), "{error}");
    play.post("/v1/tax/settings", "defaults[tax_behavior]=inferred_by_currency");
    play.post("/v1/subscriptions", &form);
    let error = play.refused("POST", "/v1/customers", "tax[validate_location]=immediately&address[country]=US", 400);
    assert_eq!(error["code"], "customer_tax_location_invalid");
    play.post("/v1/customers", "tax[validate_location]=immediately&address[country]=US&address[postal_code]=10001");
    let nowhere = play.customer("pm_card_visa");
    let form = format!("customer={nowhere}&items[0][price]={price}{AUTOMATIC}");
    assert_eq!(play.refused("POST", "/v1/subscriptions", &form, 400)["code"], "customer_tax_location_invalid");
    let rate = id(&play.post("/v1/tax_rates", "display_name=VAT&percentage=19&inclusive=false"));
    let both = format!("customer={customer}&items[0][price]={price}&items[0][tax_rates][0]={rate}{AUTOMATIC}");
    play.refused("POST", "/v1/subscriptions", &both, 400);
}

#[test]
fn a_draft_is_taxed_when_it_is_finalized_and_its_credit_notes_give_the_tax_back() {
    let mut play = seller();
    let customer = play.customer("pm_card_visa");
    play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=1000"));
    let form = format!("customer={customer}&pending_invoice_items_behavior=include{AUTOMATIC}");
    let draft = play.post("/v1/invoices", &form);
    assert_eq!(
        (&draft["total"], &draft["automatic_tax"]["status"]),
        (&json!(1_000), &json!("requires_location_inputs"))
    );
    let path = format!("/v1/invoices/{}", id(&draft));
    assert_eq!(play.refused("POST", &format!("{path}/finalize"), "", 400)["code"], "customer_tax_location_invalid");
    play.post(&format!("/v1/customers/{customer}"), "address[country]=DE");
    let open = play.post(&format!("{path}/finalize"), "");
    assert_eq!((&open["total"], &open["automatic_tax"]["status"]), (&json!(1_190), &json!("complete")));
    let line = id(&open["lines"]["data"][0]);
    let form = format!(
        "invoice={}&lines[0][type]=invoice_line_item&lines[0][invoice_line_item]={line}&lines[0][amount]=500",
        id(&open)
    );
    let note = play.post("/v1/credit_notes", &form);
    assert_eq!((&note["subtotal"], &note["total"]), (&json!(500), &json!(595)));
}

#[test]
fn a_session_asks_for_the_address_and_shows_the_tax_before_it_is_paid() {
    let mut play = seller();
    let price = play.monthly("Pro", 2_000);
    let form = format!(
        "mode=subscription&line_items[0][price]={price}&line_items[0][quantity]=1&success_url=https://a.example{AUTOMATIC}"
    );
    let session = play.post("/v1/checkout/sessions", &form);
    let path = format!("/v1/checkout/sessions/{}", id(&session));
    assert_eq!(
        (&session["amount_total"], &session["automatic_tax"]["status"]),
        (&json!(2_000), &json!("requires_location_inputs"))
    );
    let method = id(&play.post("/v1/payment_methods", "type=card&card[token]=tok_visa"));
    let confirm = format!("/v1/payment_pages/{}/confirm", id(&session));
    let error = play.refused("POST", &confirm, &format!("payment_method={method}"), 400);
    assert_eq!(error["code"], "customer_tax_location_invalid");
    let own = format!("/_sandbox/checkout/sessions/{}/address", id(&session));
    let taxed = play.post(&own, "address[country]=DE");
    assert_eq!((&taxed["amount_total"], &taxed["total_details"]["amount_tax"]), (&json!(2_380), &json!(380)));
    play.post(&confirm, &format!("payment_method={method}"));
    let session = play.get(&path);
    assert_eq!((&session["status"], &session["automatic_tax"]["status"]), (&json!("complete"), &json!("complete")));
    let customer = play.get(&format!("/v1/customers/{}", session["customer"].as_str().unwrap()));
    assert_eq!(customer["address"]["country"], "DE");
    let sub = json!({ "id": session["subscription"] });
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 2_380);
    play.until_day(32);
    assert_eq!(latest(&mut play, &sub)["amount_paid"], 2_380);
}

#[test]
fn a_session_of_a_customer_needs_the_customers_address_or_keeps_the_buyers() {
    let mut play = seller();
    let price = play.price("Book", 1_000, "");
    let customer = play.customer("pm_card_visa");
    let form = format!(
        "mode=payment&customer={customer}&line_items[0][price]={price}&line_items[0][quantity]=2&success_url=https://a.example{AUTOMATIC}"
    );
    let error = play.refused("POST", "/v1/checkout/sessions", &form, 400);
    assert_eq!(error["code"], "customer_tax_location_invalid");
    let session = play.post("/v1/checkout/sessions", &format!("{form}&customer_update[address]=auto"));
    play.post(&format!("/_sandbox/checkout/sessions/{}/address", id(&session)), "address[country]=DE");
    let method = id(&play.post("/v1/payment_methods", "type=card&card[token]=tok_visa"));
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), &format!("payment_method={method}"));
    assert_eq!(play.get("/v1/charges")["data"][0]["amount"], 2_380);
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["address"]["country"], "DE");
    let again = play.post("/v1/checkout/sessions", &form);
    assert_eq!((&again["amount_total"], &again["automatic_tax"]["status"]), (&json!(2_380), &json!("complete")));
}

#[test]
fn the_invoice_of_a_paid_session_has_the_sessions_taxes() {
    let mut play = seller();
    let price = play.price("Book", 1_000, "");
    let form = format!(
        "mode=payment&line_items[0][price]={price}&line_items[0][quantity]=2&success_url=https://a.example{AUTOMATIC}\
        &invoice_creation[enabled]=true"
    );
    let session = id(&play.post("/v1/checkout/sessions", &form));
    play.post(&format!("/_sandbox/checkout/sessions/{session}/address"), "address[country]=DE");
    play.post(&format!("/v1/payment_pages/{session}/confirm"), "payment_method=pm_card_visa");
    let invoice = play.get(&format!("/v1/checkout/sessions/{session}?expand[0]=invoice"))["invoice"].clone();
    assert_eq!((&invoice["total"], &invoice["amount_paid"]), (&json!(2_380), &json!(2_380)));
    assert_eq!(
        (&invoice["automatic_tax"]["enabled"], &invoice["automatic_tax"]["status"]),
        (&json!(true), &json!("complete"))
    );
    assert_eq!(taxes(&mut play, &invoice), [(380, "standard_rated".to_owned(), "vat".to_owned())]);
    // The taxes are those of the place of delivery, even if the customer lives elsewhere.
    let customer = customer_in(&mut play, "country=DE");
    let form = format!("{form}&customer={customer}&shipping_address_collection[allowed_countries][0]=NO");
    let session = id(&play.post("/v1/checkout/sessions", &form));
    let pay = "payment_method=pm_card_visa&shipping[name]=A&shipping[address][country]=NO";
    play.post(&format!("/v1/payment_pages/{session}/confirm"), pay);
    let done = play.get(&format!("/v1/checkout/sessions/{session}?expand[0]=invoice"));
    assert_eq!((&done["amount_total"], &done["invoice"]["total"]), (&json!(2_000), &json!(2_000)));
}

#[test]
fn registrations_begin_and_end() {
    let mut play = Play::new();
    play.post("/v1/tax/settings", "head_office[address][country]=DE&defaults[tax_behavior]=exclusive");
    let now = play.sandbox.state().clock_s();
    let options =
        "country=DE&country_options[de][type]=standard&country_options[de][standard][place_of_supply_scheme]=standard";
    let form = format!("{options}&active_from={}", now + 86_400);
    let made = play.post("/v1/tax/registrations", &form);
    assert_eq!(made["status"], "scheduled");
    play.refused("POST", "/v1/tax/registrations", &form, 400);
    let path = format!("/v1/tax/registrations/{}", id(&made));
    play.until_day(2);
    assert_eq!(play.get(&path)["status"], "active");
    play.post(&path, "expires_at=now");
    assert_eq!(play.get("/v1/tax/registrations?status=expired")["data"].as_array().unwrap().len(), 1);
    // The sandbox has no rate for Montana, which has no sales tax.
    let montana = "country=US&active_from=now&country_options[us][type]=state_sales_tax&country_options[us][state]=MT";
    play.refused("POST", "/v1/tax/registrations", montana, 400);
}

#[test]
fn a_calculation_is_recorded_and_reversed() {
    let mut play = seller();
    let form = "currency=eur&line_items[0][amount]=1000&line_items[0][reference]=seat&line_items[1][amount]=2380\
                &line_items[1][tax_behavior]=inclusive&line_items[1][reference]=book&shipping_cost[amount]=500\
                &customer_details[address][country]=DE&customer_details[address_source]=billing";
    let made = play.post("/v1/tax/calculations", form);
    // 1.90 on 10.00, 3.80 in 23.80, and 0.95 on 5.00.
    let sums = ["amount_total", "tax_amount_exclusive", "tax_amount_inclusive"].map(|m| made[m].as_i64().unwrap());
    assert_eq!(sums, [1_000 + 190 + 2_380 + 500 + 95, 190 + 95, 380]);
    let lines = play.get(&format!("/v1/tax/calculations/{}/line_items", id(&made)));
    let shown: Vec<&Value> = lines["data"].as_array().unwrap().iter().map(|line| &line["amount_tax"]).collect();
    assert_eq!(shown, [190, 380]);
    let commit = format!("calculation={}&reference=order-1", id(&made));
    let sale = play.post("/v1/tax/transactions/create_from_calculation", &commit);
    play.refused("POST", "/v1/tax/transactions/create_from_calculation", &commit, 400);
    // Half of the seat goes back, then a flat 11.90, then the rest.
    let seat = id(&sale["line_items"]["data"][0]);
    let part = format!(
        "mode=partial&original_transaction={}&reference=refund-1&line_items[0][amount]=-500&line_items[0][amount_tax]=-95&line_items[0][original_line_item]={seat}&line_items[0][reference]=seat",
        id(&sale)
    );
    let reversal = play.post("/v1/tax/transactions/create_reversal", &part);
    assert_eq!(
        (&reversal["type"], &reversal["line_items"]["data"][0]["amount_tax"]),
        (&json!("reversal"), &json!(-95))
    );
    // 5.95 and 23.80 are left: of 11.90, 2.38 and 9.52 with 0.38 and 1.52 of tax.
    let flat = format!("mode=partial&original_transaction={}&reference=refund-2&flat_amount=-1190", id(&sale));
    let reversal = play.post("/v1/tax/transactions/create_reversal", &flat);
    let amounts: Vec<(i64, i64)> = reversal["line_items"]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["amount"].as_i64().unwrap(), line["amount_tax"].as_i64().unwrap()))
        .collect();
    assert_eq!(amounts, [(-200, -38), (-952, -152)]);
    let full = format!("mode=full&original_transaction={}&reference=refund-3", id(&sale));
    let reversal = play.post("/v1/tax/transactions/create_reversal", &full);
    let rest: i64 = reversal["line_items"]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["amount_tax"].as_i64().unwrap())
        .sum();
    assert_eq!(rest, -(190 + 380 - 95 - 38 - 152));
    play.refused("POST", "/v1/tax/transactions/create_reversal", &full.replace("refund-3", "refund-4"), 400);
}
