//! Lines that are added to, changed on and removed from a draft invoice, and payments that are attached to an open one.

use crate::play::{Play, id};
use serde_json::{Value, json};

fn lines(invoice: &Value) -> &Vec<Value> {
    invoice["lines"]["data"].as_array().unwrap()
}

fn sums(invoice: &Value) -> (i64, i64, i64) {
    let of = |member: &str| invoice[member].as_i64().unwrap();
    (of("subtotal"), of("total"), of("amount_due"))
}

/// Creates a draft of 1 000 with 10 % tax on top. Returns its path.
fn draft(play: &mut Play, customer: &str) -> String {
    let rate = id(&play.post("/v1/tax_rates", "display_name=VAT&inclusive=false&percentage=10"));
    let made = play.post(
        "/v1/invoices",
        &format!("customer={customer}&currency=usd&collection_method=send_invoice&days_until_due=30&default_tax_rates[0]={rate}"),
    );
    let path = format!("/v1/invoices/{}", id(&made));
    play.post(&format!("{path}/add_lines"), "lines[0][amount]=1000&lines[0][description]=Setup");
    path
}

#[test]
fn added_lines_are_invoice_items_and_change_the_totals() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let path = draft(&mut play, &customer);
    play.events();
    let pending = id(&play.post("/v1/invoiceitems", &format!("customer={customer}&amount=250&currency=usd")));
    let price = play.price("Seat", 700, "");
    let form = format!(
        "lines[0][invoice_item]={pending}&lines[0][description]=Support&lines[1][pricing][price]={price}&lines[1][quantity]=3\
         &lines[2][price_data][currency]=usd&lines[2][price_data][product_data][name]=Desk&lines[2][price_data][unit_amount]=55\
         &lines[3][amount]=-5&lines[3][metadata][why]=rounding&invoice_metadata[order]=7"
    );
    let invoice = play.post(&format!("{path}/add_lines"), &form);
    let net = 1_000 + 250 + 2_100 + 55 - 5;
    assert_eq!(sums(&invoice), (net, net + net / 10, net + net / 10));
    let shown: Vec<(&str, i64)> = lines(&invoice)
        .iter()
        .map(|line| (line["description"].as_str().unwrap_or_default(), line["amount"].as_i64().unwrap()))
        .collect();
    assert_eq!(shown, [("Setup", 1_000), ("Support", 250), ("Seat", 2_100), ("Desk", 55), ("", -5)]);
    assert_eq!(
        (&invoice["metadata"]["order"], &lines(&invoice)[4]["metadata"]["why"]),
        (&json!("7"), &json!("rounding"))
    );
    assert_eq!(play.get(&format!("/v1/invoiceitems/{pending}"))["invoice"], invoice["id"]);
    assert_eq!(
        play.events().iter().filter(|kind| kind.starts_with("invoice")).collect::<Vec<_>>(),
        ["invoiceitem.created", "invoiceitem.created", "invoiceitem.created", "invoiceitem.created", "invoice.updated"]
    );
    let other = play.customer("pm_card_visa");
    let foreign = id(&play.post("/v1/invoiceitems", &format!("customer={other}&amount=1&currency=usd")));
    for (form, param) in [
        (format!("lines[0][invoice_item]={foreign}"), "lines[0][invoice_item]"),
        (format!("lines[0][invoice_item]={pending}"), ""),
        ("lines[0][price_data][currency]=eur&lines[0][price_data][product_data][name]=A&lines[0][price_data][unit_amount]=1".to_owned(), "invoice"),
    ] {
        let error = play.refused("POST", &format!("{path}/add_lines"), &form, 400);
        assert_eq!(error["param"].as_str().unwrap_or_default(), param, "{form}: {error}");
    }
    play.post(&format!("{path}/finalize"), "");
    for verb in ["add_lines", "update_lines", "remove_lines"] {
        let form = if verb == "remove_lines" {
            "lines[0][id]=il_1&lines[0][behavior]=delete"
        } else {
            "lines[0][id]=il_1&lines[0][amount]=1"
        };
        let form = if verb == "add_lines" { "lines[0][amount]=1" } else { form };
        assert_eq!(play.refused("POST", &format!("{path}/{verb}"), form, 400)["code"], "invoice_not_editable");
    }
}

#[test]
fn changed_lines_change_their_items_and_removed_ones_are_deleted_or_pending_again() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let path = draft(&mut play, &customer);
    let invoice = play.post(&format!("{path}/add_lines"), "lines[0][amount]=300&lines[1][amount]=40");
    let ids: Vec<String> = lines(&invoice).iter().map(id).collect();
    let items: Vec<String> = lines(&invoice)
        .iter()
        .map(|line| line["parent"]["invoice_item_details"]["invoice_item"].as_str().unwrap().to_owned())
        .collect();
    let line = play.post(&format!("{path}/lines/{}", ids[0]), "amount=1500&description=Project&metadata[a]=b");
    assert_eq!(
        (&line["id"], &line["object"], &line["amount"], &line["description"], &line["taxes"][0]["amount"]),
        (&json!(ids[0]), &json!("line_item"), &json!(1_500), &json!("Project"), &json!(150))
    );
    assert_eq!(play.get(&format!("/v1/invoiceitems/{}", items[0]))["amount"], 1_500);
    let coupon = id(&play.post("/v1/coupons", "percent_off=50&duration=once"));
    let form = format!(
        "lines[0][id]={}&lines[0][discounts][0][coupon]={coupon}&lines[1][id]={}&lines[1][tax_rates]=&lines[1][quantity]=3",
        ids[1], ids[2]
    );
    let invoice = play.post(&format!("{path}/update_lines"), &form);
    // 1 500 + (300 - 150) + 3 × 40, and the default tax of 10 % on all of them.
    assert_eq!(sums(&invoice), (1_770, 1_947, 1_947));
    assert_eq!(play.refused("POST", &format!("{path}/lines/il_none"), "amount=1", 404)["code"], "resource_missing");
    play.events();
    let form = format!(
        "lines[0][id]={}&lines[0][behavior]=delete&lines[1][id]={}&lines[1][behavior]=unassign",
        ids[0], ids[1]
    );
    let invoice = play.post(&format!("{path}/remove_lines"), &form);
    assert_eq!((lines(&invoice).len(), sums(&invoice)), (1, (120, 132, 132)));
    assert_eq!(play.events(), ["invoiceitem.deleted", "invoice.updated"]);
    play.refused("GET", &format!("/v1/invoiceitems/{}", items[0]), "", 404);
    assert_eq!(play.get(&format!("/v1/invoiceitems/{}", items[1]))["invoice"], json!(null));
}

#[test]
fn the_lines_of_a_subscription_keep_their_amounts() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    play.until_day(30);
    let renewal = play.get(&format!("/v1/invoices?subscription={sub}&status=draft"))["data"][0].clone();
    let (path, line) = (format!("/v1/invoices/{}", id(&renewal)), id(&lines(&renewal)[0]));
    let changed = play.post(&format!("{path}/lines/{line}"), "description=Your plan&metadata[a]=b");
    assert_eq!((&changed["description"], &changed["amount"]), (&json!("Your plan"), &json!(2_000)));
    assert_eq!(play.refused("POST", &format!("{path}/lines/{line}"), "amount=1", 400)["param"], "amount");
    let form = format!("lines[0][id]={line}&lines[0][behavior]=delete");
    assert_eq!(play.refused("POST", &format!("{path}/remove_lines"), &form, 400)["param"], "lines[0][id]");
}

/// Creates an open invoice of 1 000, which is sent. Returns its path.
fn open(play: &mut Play, customer: &str) -> String {
    play.post("/v1/invoiceitems", &format!("customer={customer}&amount=1000&currency=usd"));
    let form = format!(
        "customer={customer}&pending_invoice_items_behavior=include&collection_method=send_invoice&days_until_due=30"
    );
    let path = format!("/v1/invoices/{}", id(&play.post("/v1/invoices", &form)));
    play.post(&format!("{path}/finalize"), "");
    path
}

fn intent(play: &mut Play, customer: &str, amount: i64, more: &str) -> String {
    id(&play.post("/v1/payment_intents", &format!("amount={amount}&currency=usd&customer={customer}{more}")))
}

const PAID: &str = "&confirm=true&payment_method=pm_card_visa";

fn amounts(invoice: &Value) -> (&str, i64, i64, i64) {
    let of = |member: &str| invoice[member].as_i64().unwrap();
    (invoice["status"].as_str().unwrap(), of("amount_paid"), of("amount_remaining"), of("amount_overpaid"))
}

#[test]
fn attached_payments_pay_an_invoice_in_parts() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let path = open(&mut play, &customer);
    let first = intent(&mut play, &customer, 400, PAID);
    let invoice = play.post(&format!("{path}/attach_payment"), &format!("payment_intent={first}"));
    assert_eq!(amounts(&invoice), ("open", 400, 600, 0));
    assert_eq!(play.refused("POST", &format!("{path}/void"), "", 400)["code"], "invoice_not_editable");
    let second = intent(&mut play, &customer, 250, "");
    let invoice = play.post(&format!("{path}/attach_payment"), &format!("payment_intent={second}"));
    assert_eq!(amounts(&invoice), ("open", 400, 600, 0));
    play.events();
    play.post(&format!("/v1/payment_intents/{second}/confirm"), "payment_method=pm_card_visa");
    assert_eq!(amounts(&play.get(&path)), ("open", 650, 350, 0));
    let told = play.events();
    assert!(
        told.contains(&"invoice.updated".to_owned()) && told.contains(&"invoice_payment.paid".to_owned()),
        "{told:?}"
    );
    // The customer's own card pays the rest, and only the rest.
    let paid = play.post(&format!("{path}/pay"), "");
    assert_eq!(amounts(&paid), ("paid", 1_000, 0, 0));
    let payments = play.get(&format!("{path}?expand[]=payments"))["payments"]["data"].clone();
    let shown: Vec<(i64, bool, &str)> = payments
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            (p["amount_paid"].as_i64().unwrap(), p["is_default"].as_bool().unwrap(), p["status"].as_str().unwrap())
        })
        .collect();
    assert_eq!(shown, [(250, false, "paid"), (400, false, "paid"), (350, true, "paid")]);
    let balance = play.get("/v1/balance")["available"][0]["amount"].as_i64().unwrap();
    assert_eq!(balance, 1_000);
}

#[test]
fn what_is_paid_too_much_is_credited_to_the_customer() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let path = open(&mut play, &customer);
    let payment = intent(&mut play, &customer, 1_300, PAID);
    play.events();
    let invoice = play.post(&format!("{path}/attach_payment"), &format!("payment_intent={payment}"));
    assert_eq!(amounts(&invoice), ("paid", 1_000, 0, 300));
    let told = play.events();
    for kind in
        ["payment_intent.canceled", "invoice.paid", "invoice_payment.paid", "invoice.overpaid", "customer.updated"]
    {
        assert!(told.contains(&kind.to_owned()), "{kind}: {told:?}");
    }
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["balance"], -300);
    let movements = play.get(&format!("/v1/customers/{customer}/balance_transactions"))["data"].clone();
    assert_eq!((&movements[0]["type"], &movements[0]["amount"]), (&json!("invoice_overpaid"), &json!(-300)));
}

#[test]
fn only_a_suitable_payment_is_attached_and_a_canceled_one_pays_nothing() {
    let mut play = Play::new();
    let (customer, other) = (play.customer("pm_card_visa"), play.customer("pm_card_visa"));
    let path = open(&mut play, &customer);
    let foreign = intent(&mut play, &other, 100, "");
    let euros = id(&play.post("/v1/payment_intents", &format!("amount=100&currency=eur&customer={customer}")));
    let own =
        play.get(&format!("{path}?expand[]=payments"))["payments"]["data"][0]["payment"]["payment_intent"].clone();
    for wrong in [foreign.as_str(), &euros, own.as_str().unwrap(), "pi_none"] {
        let error = play.refused("POST", &format!("{path}/attach_payment"), &format!("payment_intent={wrong}"), 400);
        assert_eq!(error["param"], "payment_intent", "{wrong}");
    }
    let held = intent(&mut play, &customer, 1_000, "&confirm=true&payment_method=pm_card_visa&capture_method=manual");
    play.post(&format!("{path}/attach_payment"), &format!("payment_intent={held}"));
    assert_eq!(play.get(&path)["status"], "open");
    play.refused("POST", &format!("{path}/attach_payment"), &format!("payment_intent={held}"), 400);
    let second = intent(&mut play, &customer, 500, "");
    play.post(&format!("{path}/attach_payment"), &format!("payment_intent={second}"));
    play.post(&format!("/v1/payment_intents/{second}/cancel"), "");
    let payments = play.get("/v1/invoice_payments?status=canceled")["data"].clone();
    assert_eq!(payments[0]["payment"]["payment_intent"], json!(second));
    play.post(&format!("/v1/payment_intents/{held}/capture"), "");
    assert_eq!(amounts(&play.get(&path)), ("paid", 1_000, 0, 0));
    play.refused("POST", &format!("{path}/attach_payment"), &format!("payment_intent={second}"), 400);
}

#[test]
fn transactions_of_a_customers_balance_are_read_and_described() {
    let mut play = Play::new();
    let (customer, other) = (play.customer("pm_card_visa"), play.customer("pm_card_visa"));
    let path = format!("/v1/customers/{customer}/balance_transactions");
    let made = play.post(&path, "amount=-500&currency=usd&description=Sorry&metadata[a]=b");
    let one = format!("{path}/{}", id(&made));
    assert_eq!(play.get(&one), made);
    let changed = play.post(&one, "description=Very sorry&metadata[c]=d");
    assert_eq!((&changed["description"], &changed["metadata"]), (&json!("Very sorry"), &json!({ "a": "b", "c": "d" })));
    assert_eq!(play.get(&one)["amount"], -500);
    play.refused("GET", &one.replace(&customer, &other), "", 404);
    play.refused("POST", &format!("{path}/cbtxn_none"), "", 404);
}
