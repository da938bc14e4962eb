//! The account's balance, payouts and top-ups, credit notes, cards as sources, quotes, payment links and tax rates.

use crate::play::{Play, id};
use local_stripe::sandbox::json_of;
use local_stripe::settings::{Settings, Settlement};
use serde_json::json;

#[test]
fn payouts_and_top_ups_move_the_balance() {
    let mut play = Play::new();
    play.post("/v1/payment_intents", "amount=5000&currency=usd&confirm=true&payment_method=pm_card_bypassPending");
    assert!(play.events().contains(&"balance.available".to_owned()));
    let available = |play: &mut Play| play.get("/v1/balance")["available"][0]["amount"].as_i64();
    assert_eq!(available(&mut play), Some(5_000));
    assert_eq!(play.refused("POST", "/v1/payouts", "amount=5001&currency=usd", 400)["code"], "balance_insufficient");
    let payout = id(&play.post("/v1/payouts", "amount=2000&currency=usd"));
    let taken = id(&play.post("/v1/payouts", "amount=3000&currency=usd"));
    assert_eq!(available(&mut play), Some(0));
    play.post(&format!("/v1/payouts/{taken}/cancel"), "");
    play.post("/v1/topups", "amount=700&currency=usd");
    assert_eq!(available(&mut play), Some(3_700));
    play.events();
    play.until_day(3);
    assert_eq!(play.events(), ["payout.updated", "payout.paid"]);
    assert_eq!(play.get(&format!("/v1/payouts/{payout}"))["status"], "paid");
    play.refused("POST", &format!("/v1/payouts/{payout}/cancel"), "", 400);
}

#[test]
fn with_the_standard_settlement_stripe_takes_its_fee_and_the_rest_is_pending_for_two_days() {
    let mut play = Play::with(Settings { settlement: Settlement::Standard, ..Settings::default() });
    let sums = |play: &mut Play| {
        let balance = play.get("/v1/balance");
        ["available", "pending"].map(|part| balance[part][0]["amount"].as_i64().unwrap())
    };
    let charge = |play: &mut Play, form: &str| {
        let paid = play.post("/v1/payment_intents", &format!("{form}&currency=usd&confirm=true"));
        let charge = play.get(&format!("/v1/charges/{}", paid["latest_charge"].as_str().unwrap()));
        play.get(&format!("/v1/balance_transactions/{}", charge["balance_transaction"].as_str().unwrap()))
    };
    let booked = charge(&mut play, "amount=2000&payment_method=pm_card_visa");
    // 2.9 % of 20.00 is 0.58, and 0.30.
    let amounts = ["amount", "fee", "net"].map(|member| booked[member].as_i64().unwrap());
    assert_eq!((amounts, &booked["status"]), ([2_000, 88, 1_912], &json!("pending")));
    assert_eq!(booked["available_on"].as_i64().unwrap() - booked["created"].as_i64().unwrap(), 2 * 86_400);
    assert_eq!(
        (&booked["fee_details"][0]["type"], &booked["fee_details"][0]["amount"]),
        (&json!("stripe_fee"), &json!(88))
    );
    assert_eq!(sums(&mut play), [0, 1_912]);
    assert_eq!(play.refused("POST", "/v1/payouts", "amount=100&currency=usd", 400)["code"], "balance_insufficient");
    play.events();
    play.until_day(2);
    assert_eq!(play.events(), ["balance.available"]);
    assert_eq!(sums(&mut play), [1_912, 0]);
    // 2.9 % of 10.17 is 0.29493, which rounds to 0.29. This card's money is available at once.
    let booked = charge(&mut play, "amount=1017&payment_method=pm_card_bypassPending");
    assert_eq!((&booked["fee"], &booked["status"]), (&json!(59), &json!("available")));
    // An ACH debit costs 0.8 %, and at most 5.00.
    let account = "payment_method_data[type]=us_bank_account&payment_method_types[0]=us_bank_account\
                   &payment_method_data[us_bank_account][account_number]=000123456789\
                   &payment_method_data[us_bank_account][routing_number]=110000000\
                   &payment_method_data[billing_details][name]=Buyer";
    for (amount, fee) in [(10_000, 80), (100_000, 500)] {
        play.post("/v1/payment_intents", &format!("amount={amount}&currency=usd&confirm=true&{account}"));
        play.until(play.sandbox.state().clock_s() + 10 * 86_400);
        let newest = play.get("/v1/balance_transactions?limit=1")["data"][0].clone();
        assert_eq!((&newest["amount"], &newest["fee"]), (&json!(amount), &json!(fee)));
    }
}

fn invoice(play: &mut Play, customer: &str) -> String {
    play.post("/v1/invoiceitems", &format!("customer={customer}&amount=3000&currency=usd"));
    let form = format!("customer={customer}&pending_invoice_items_behavior=include");
    id(&play.post("/v1/invoices", &form))
}

#[test]
fn a_credit_note_lowers_the_amount_due_of_an_open_invoice() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let open = invoice(&mut play, &customer);
    play.refused("POST", "/v1/credit_notes", &format!("invoice={open}&amount=1"), 400);
    play.post(&format!("/v1/invoices/{open}/finalize"), "");
    let note = play.post("/v1/credit_notes", &format!("invoice={open}&amount=1000&reason=duplicate"));
    assert_eq!((&note["type"], &note["pre_payment_amount"]), (&json!("pre_payment"), &json!(1_000)));
    play.refused("POST", "/v1/credit_notes", &format!("invoice={open}&amount=2001"), 400);
    let left = |play: &mut Play| play.get(&format!("/v1/invoices/{open}"))["amount_remaining"].as_i64();
    assert_eq!(left(&mut play), Some(2_000));
    play.post(&format!("/v1/credit_notes/{}/void", id(&note)), "");
    assert_eq!(left(&mut play), Some(3_000));
    play.post("/v1/credit_notes", &format!("invoice={open}&amount=500"));
    let paid = play.post(&format!("/v1/invoices/{open}/pay"), "");
    assert_eq!((&paid["status"], &paid["amount_paid"]), (&json!("paid"), &json!(2_500)));
    assert_eq!(play.get("/v1/charges")["data"][0]["amount"], 2_500, "the card is charged the rest");
}

#[test]
fn a_credit_note_over_the_whole_amount_pays_the_invoice() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let open = invoice(&mut play, &customer);
    play.post(&format!("/v1/invoices/{open}/finalize"), "");
    play.post("/v1/credit_notes", &format!("invoice={open}&amount=3000"));
    let paid = play.get(&format!("/v1/invoices/{open}"));
    assert_eq!((&paid["status"], &paid["amount_paid"]), (&json!("paid"), &json!(0)));
    assert_eq!(play.get("/v1/charges")["data"], json!([]));
}

#[test]
fn a_credit_note_of_a_paid_invoice_refunds_and_credits() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let paid = invoice(&mut play, &customer);
    play.post(&format!("/v1/invoices/{paid}/pay"), "");
    play.refused("POST", "/v1/credit_notes", &format!("invoice={paid}&amount=1000"), 400);
    let form = format!("invoice={paid}&amount=1000&refund_amount=600&credit_amount=400");
    let note = play.post("/v1/credit_notes", &form);
    assert_eq!((&note["type"], &note["post_payment_amount"]), (&json!("post_payment"), &json!(1_000)));
    assert_eq!(play.get("/v1/refunds")["data"][0]["amount"], 600);
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["balance"], -400);
    let movement = play.get(&format!("/v1/customers/{customer}/balance_transactions"));
    assert_eq!(movement["data"][0]["credit_note"], note["id"]);
}

#[test]
fn a_source_is_also_a_payment_method_and_pays_invoices() {
    let mut play = Play::new();
    let made = play.post("/v1/customers", "source=tok_mastercard");
    let (customer, card) = (id(&made), made["default_source"].as_str().unwrap().to_owned());
    let events = play.events();
    assert_eq!(events, ["customer.created", "payment_method.attached", "customer.source.created", "customer.updated"]);
    let shown = play.get(&format!("/v1/customers/{customer}?expand[]=default_source&expand[]=sources"));
    assert_eq!(
        (&shown["default_source"]["object"], &shown["default_source"]["brand"]),
        (&json!("card"), &json!("MasterCard"))
    );
    assert_eq!(shown["sources"]["data"][0]["id"], card.as_str());
    assert_eq!(play.get(&format!("/v1/payment_methods?customer={customer}"))["data"][0]["id"], card.as_str());
    let price = play.monthly("Pro", 2_000);
    assert_eq!(play.subscribe(&customer, &price, "")["status"], "active");
    play.events();
    play.post(&format!("/v1/customers/{customer}/sources/{card}"), "name=Jane&exp_year=2040");
    assert_eq!(
        play.event("customer.source.updated")["data"]["previous_attributes"],
        json!({ "name": null, "exp_year": 2_034 })
    );
    let second = id(&play.post(&format!("/v1/customers/{customer}/sources"), "source=tok_visa"));
    play.ok("DELETE", &format!("/v1/customers/{customer}/sources/{card}"), "");
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["default_source"], second.as_str());
    assert_eq!(play.get(&format!("/v1/customers/{customer}/sources?object=bank_account"))["data"], json!([]));
    play.refused("POST", &format!("/v1/customers/{customer}/sources"), "source=tok_chargeDeclined", 402);
}

#[test]
fn an_accepted_quote_becomes_a_subscription_or_an_invoice() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let quote =
        play.post("/v1/quotes", &format!("customer={customer}&line_items[0][price]={price}&line_items[0][quantity]=2"));
    let at = format!("/v1/quotes/{}", id(&quote));
    assert_eq!((&quote["status"], &quote["amount_total"]), (&json!("draft"), &json!(4_000)));
    play.refused("POST", &format!("{at}/accept"), "", 400);
    assert_eq!(play.post(&format!("{at}/finalize"), "")["status"], "open");
    let accepted = play.post(&format!("{at}/accept"), "");
    let sub = play.get(&format!("/v1/subscriptions/{}", accepted["subscription"].as_str().unwrap()));
    assert_eq!((&sub["status"], &sub["items"]["data"][0]["quantity"]), (&json!("active"), &json!(2)));
    play.refused("POST", &format!("{at}/cancel"), "", 400);

    let product = sub["items"]["data"][0]["price"]["product"].as_str().unwrap().to_owned();
    let once = format!(
        "line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=700&line_items[0][price_data][product]={product}"
    );
    let quote = id(&play.post("/v1/quotes", &format!("customer={customer}&{once}")));
    play.post(&format!("/v1/quotes/{quote}/finalize"), "");
    let accepted = play.post(&format!("/v1/quotes/{quote}/accept"), "");
    let invoice = play.get(&format!("/v1/invoices/{}", accepted["invoice"].as_str().unwrap()));
    assert_eq!((&invoice["status"], &invoice["total"]), (&json!("draft"), &json!(700)));
    assert_eq!(invoice["parent"]["quote_details"]["quote"], quote.as_str());
}

#[test]
fn each_visit_of_a_payment_link_opens_a_new_session() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let link = play
        .post("/v1/payment_links", &format!("line_items[0][price]={price}&line_items[0][quantity]=2&metadata[a]=b"));
    let open = format!("/_sandbox/payment_links/{}/open", id(&link));
    let (first, second) = (play.post(&open, ""), play.post(&open, ""));
    assert_ne!(first["id"], second["id"]);
    assert_eq!((&first["mode"], &first["amount_total"]), (&json!("subscription"), &json!(4_000)));
    assert_eq!((&first["payment_link"], &first["metadata"]["a"]), (&link["id"], &json!("b")));
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&first)), "payment_method=pm_card_visa");
    assert_eq!(play.get("/v1/subscriptions")["data"].as_array().map(Vec::len), Some(1));
    play.post(&format!("/v1/payment_links/{}", id(&link)), "active=false");
    assert_eq!(json_of(&play.call("POST", &open, ""))["error"]["message"], "This link is no longer active.");
}

#[test]
fn a_tax_rate_is_stored_and_its_percentage_is_limited() {
    let mut play = Play::new();
    let rate = play.post("/v1/tax_rates", "display_name=VAT&inclusive=true&percentage=8.1");
    assert_eq!((&rate["percentage"], &rate["active"]), (&json!(8.1), &json!(true)));
    play.post(&format!("/v1/tax_rates/{}", id(&rate)), "active=false");
    assert_eq!(play.events(), ["tax_rate.created", "tax_rate.updated"]);
    let error = play.refused("POST", "/v1/tax_rates", "display_name=VAT&inclusive=true&percentage=101", 400);
    assert_eq!(error["param"], "percentage");
}

#[test]
fn a_trial_ended_by_request_without_a_card_pauses_the_subscription() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = id(&play.post("/v1/customers", ""));
    let ends = "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause";
    let sub = id(&play.subscribe(&customer, &price, ends));
    play.events();
    assert_eq!(play.post(&format!("/v1/subscriptions/{sub}"), "trial_end=now")["status"], "paused");
    assert_eq!(play.events(), ["customer.subscription.updated", "customer.subscription.paused"]);
}
