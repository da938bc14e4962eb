//! Payment intents, refunds, disputes, manual invoices, balances and currencies.

use crate::play::{Play, id};
use serde_json::{Value, json};

fn pay(play: &mut Play, card: &str) -> Value {
    play.post("/v1/payment_intents", &format!("amount=1999&currency=usd&confirm=true&payment_method={card}"))
}

#[test]
fn a_payment_succeeds_and_another_is_declined() {
    let mut play = Play::new();
    let paid = pay(&mut play, "pm_card_visa");
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(1_999)));
    assert_eq!(play.events(), ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]);
    let error = play.refused(
        "POST",
        "/v1/payment_intents",
        "amount=1999&currency=usd&confirm=true&payment_method=pm_card_chargeDeclinedInsufficientFunds",
        402,
    );
    assert_eq!(
        (&error["type"], &error["code"], &error["decline_code"]),
        (&json!("card_error"), &json!("card_declined"), &json!("insufficient_funds"))
    );
    assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
    assert_eq!(play.get(&format!("/v1/charges/{}", error["charge"].as_str().unwrap()))["status"], "failed");
    assert_eq!(play.events(), ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]);
}

#[test]
fn off_session_payments_are_refused_until_authentication_was_passed_once() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_authenticationRequiredOnSetup");
    let method = play.get(&format!("/v1/customers/{customer}"))["invoice_settings"]["default_payment_method"]
        .as_str()
        .unwrap()
        .to_owned();
    let form = format!("amount=500&currency=usd&customer={customer}&payment_method={method}&confirm=true");
    let error = play.refused("POST", "/v1/payment_intents", &format!("{form}&off_session=true"), 402);
    assert_eq!(error["code"], "authentication_required");
    let waiting = play.post("/v1/payment_intents", &format!("{form}&return_url=https://x.test"));
    assert_eq!(
        (&waiting["status"], &waiting["next_action"]["type"]),
        (&json!("requires_action"), &json!("redirect_to_url"))
    );
    play.post(&format!("/_sandbox/authenticate/{}", id(&waiting)), "outcome=success");
    assert_eq!(play.post("/v1/payment_intents", &format!("{form}&off_session=true"))["status"], "succeeded");
}

#[test]
fn manual_capture_can_be_partial_or_cancelled() {
    let mut play = Play::new();
    let held = id(&play.post(
        "/v1/payment_intents",
        "amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa&capture_method=manual",
    ));
    assert_eq!(play.get(&format!("/v1/payment_intents/{held}"))["amount_capturable"], 2_000);
    play.refused("POST", "/v1/refunds", &format!("payment_intent={held}"), 400);
    assert_eq!(
        play.post(&format!("/v1/payment_intents/{held}/capture"), "amount_to_capture=1500")["amount_received"],
        1_500
    );
    play.refused("POST", &format!("/v1/payment_intents/{held}/cancel"), "", 400);
    let open = id(&play.post("/v1/payment_intents", "amount=2000&currency=usd"));
    assert_eq!(
        play.post(&format!("/v1/payment_intents/{open}/cancel"), "cancellation_reason=abandoned")["status"],
        "canceled"
    );
    let error =
        play.refused("POST", &format!("/v1/payment_intents/{open}/confirm"), "payment_method=pm_card_visa", 400);
    assert_eq!(error["code"], "payment_intent_unexpected_state");
    // The message has whole verbs, whatever their last letter is.
    for (verb, done, of) in
        [("confirm", "confirmed", &open), ("capture", "captured", &open), ("cancel", "canceled", &held)]
    {
        let form = if verb == "confirm" { "payment_method=pm_card_visa" } else { "" };
        let error = play.refused("POST", &format!("/v1/payment_intents/{of}/{verb}"), form, 400);
        let message = error["message"].as_str().expect("a text");
        assert!(message.starts_with(&format!("You cannot {verb} this PaymentIntent because")), "{message}");
        assert!(message.contains(&format!("statuses may be {done}: ")), "{message}");
    }
}

#[test]
fn refunds_are_limited_by_the_charge() {
    let mut play = Play::new();
    let intent = id(&pay(&mut play, "pm_card_visa"));
    play.events();
    let refund = play.post("/v1/refunds", &format!("payment_intent={intent}&amount=500&reason=requested_by_customer"));
    assert_eq!(refund["status"], "succeeded");
    assert_eq!(play.events(), ["refund.created", "charge.refunded"]);
    let event = play.event("charge.refunded");
    assert_eq!(
        (&event["data"]["object"]["refunded"], &event["data"]["previous_attributes"]["amount_refunded"]),
        (&json!(false), &json!(0))
    );
    let error = play.refused("POST", "/v1/refunds", &format!("payment_intent={intent}&amount=1500"), 400);
    assert_eq!(error["message"], "Refund amount ($15.00) is greater than unrefunded amount on charge ($14.99)");
    play.post("/v1/refunds", &format!("payment_intent={intent}"));
    let charge = play.get(&format!("/v1/charges/{}?expand[0]=refunds", refund["charge"].as_str().unwrap()));
    assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(1_999), &json!(true)));
    assert_eq!(charge["refunds"]["data"].as_array().unwrap().len(), 2);
    assert_eq!(
        play.refused("POST", "/v1/refunds", &format!("payment_intent={intent}"), 400)["code"],
        "charge_already_refunded"
    );
}

#[test]
fn a_refund_that_fails_later_returns_its_amount_to_the_charge() {
    let mut play = Play::new();
    let intent = id(&pay(&mut play, "pm_card_refundFail"));
    play.events();
    let refund = play.post("/v1/refunds", &format!("payment_intent={intent}"));
    assert_eq!(refund["status"], "succeeded");
    assert_eq!(play.events(), ["refund.created", "charge.refunded", "refund.failed", "charge.refund.updated"]);
    assert_eq!(play.get(&format!("/v1/refunds/{}", id(&refund)))["status"], "failed");
    assert_eq!(play.get(&format!("/v1/charges/{}", refund["charge"].as_str().unwrap()))["amount_refunded"], 0);
}

#[test]
fn disputes_are_won_lost_or_accepted() {
    let balance = |play: &mut Play| -> i64 {
        let all = play.get("/v1/balance_transactions?limit=100");
        all["data"].as_array().unwrap().iter().map(|t| t["net"].as_i64().unwrap()).sum()
    };
    for (evidence, status, left) in
        [("winning_evidence", "won", 499), ("losing_evidence", "lost", -1_500), ("", "lost", -1_500)]
    {
        let mut play = Play::new();
        let intent = id(&pay(&mut play, "pm_card_createDispute"));
        assert_eq!(play.events()[3..], ["charge.dispute.created", "charge.dispute.funds_withdrawn"]);
        assert_eq!(balance(&mut play), -1_500);
        let dispute = id(&play.get(&format!("/v1/disputes?payment_intent={intent}"))["data"][0]);
        play.refused("POST", "/v1/refunds", &format!("payment_intent={intent}"), 400);
        let taken = &play.get(&format!("/v1/disputes/{dispute}"))["balance_transactions"][0];
        let shown = ["amount", "fee", "net", "reporting_category"].map(|member| taken[member].clone());
        assert_eq!(shown, [json!(-1_999), json!(1_500), json!(-3_499), json!("dispute")]);
        assert_eq!(taken["fee_details"][0]["description"], "Dispute fee");
        let closed = if evidence.is_empty() {
            play.post(&format!("/v1/disputes/{dispute}/close"), "")
        } else {
            play.post(
                &format!("/v1/disputes/{dispute}"),
                &format!("evidence[uncategorized_text]={evidence}&submit=true"),
            )
        };
        assert_eq!((closed["status"].as_str(), balance(&mut play)), (Some(status), left));
        assert_eq!(play.get("/v1/balance")["available"][0]["amount"], left);
        if status == "won" {
            // Stripe keeps the fee.
            let back = &closed["balance_transactions"][1];
            let shown = ["amount", "fee", "net", "reporting_category"].map(|member| back[member].clone());
            assert_eq!(shown, [json!(1_999), json!(0), json!(1_999), json!("dispute_reversal")]);
        }
        let events = play.events();
        assert!(events.contains(&"charge.dispute.closed".to_owned()));
        assert_eq!(events.contains(&"charge.dispute.funds_reinstated".to_owned()), status == "won");
        play.refused("POST", &format!("/v1/disputes/{dispute}/close"), "", 400);
    }
    let mut play = Play::new();
    pay(&mut play, "pm_card_createDisputeInquiry");
    assert_eq!(play.events()[3..], ["charge.dispute.created"]);
    assert_eq!(play.event("charge.dispute.created")["data"]["object"]["status"], "warning_needs_response");
}

#[test]
fn a_manual_invoice_includes_pending_items_and_is_paid_voided_or_marked_uncollectible() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let invoice_of = |play: &mut Play| {
        play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=2000&description=Work"));
        id(&play.post("/v1/invoices", &format!("customer={customer}&pending_invoice_items_behavior=include")))
    };
    let paid = invoice_of(&mut play);
    play.events();
    let after = play.post(&format!("/v1/invoices/{paid}/pay"), "");
    assert_eq!((&after["status"], &after["amount_paid"]), (&json!("paid"), &json!(2_000)));
    assert_eq!(after["number"].as_str().map(|n| n.ends_with("-0001")), Some(true));
    assert_eq!(play.refused("POST", &format!("/v1/invoices/{paid}/pay"), "", 400)["code"], "invoice_already_paid");
    play.refused("POST", &format!("/v1/invoices/{paid}/void"), "", 400);
    let void = invoice_of(&mut play);
    play.post(&format!("/v1/invoices/{void}/finalize"), "");
    assert_eq!(play.post(&format!("/v1/invoices/{void}/void"), "")["status"], "void");
    let lost = invoice_of(&mut play);
    play.post(&format!("/v1/invoices/{lost}/finalize"), "");
    assert_eq!(play.post(&format!("/v1/invoices/{lost}/mark_uncollectible"), "")["status"], "uncollectible");
    let elsewhere = invoice_of(&mut play);
    assert_eq!(play.post(&format!("/v1/invoices/{elsewhere}/pay"), "paid_out_of_band=true")["status"], "paid");
    assert!(!play.events().ends_with(&["invoice.payment_succeeded".into()]), "no payment attempt succeeded");
    let draft = invoice_of(&mut play);
    assert_eq!(play.ok("DELETE", &format!("/v1/invoices/{draft}"), "")["deleted"], true);
}

#[test]
fn amounts_below_the_minimum_are_carried_over_on_the_balance() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    for (amount, due, balance) in [(30, 0, 30), (30, 60, 0)] {
        play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount={amount}"));
        let invoice =
            id(&play.post("/v1/invoices", &format!("customer={customer}&pending_invoice_items_behavior=include")));
        assert_eq!(play.post(&format!("/v1/invoices/{invoice}/pay"), "")["amount_paid"], due);
        assert_eq!(play.get(&format!("/v1/customers/{customer}"))["balance"], balance);
    }
    let moved = play.post(&format!("/v1/customers/{customer}/balance_transactions"), "amount=-500&currency=usd");
    assert_eq!(moved["ending_balance"], -500);
}

#[test]
fn currencies_have_zero_two_or_three_decimals() {
    let mut play = Play::new();
    for (form, status) in [
        ("amount=500&currency=jpy", 200),
        ("amount=49&currency=JPY", 400),
        ("amount=49&currency=usd", 400),
        ("amount=1010&currency=kwd", 200),
        ("amount=1015&currency=kwd", 400),
        ("amount=500&currency=zzz", 400),
    ] {
        let response = play.call("POST", "/v1/payment_intents", form);
        assert_eq!(response.status, status, "{form}: {}", response.body);
    }
    let product = id(&play.post("/v1/products", "name=Tea"));
    let price =
        id(&play
            .post("/v1/prices", &format!("product={product}&currency=jpy&unit_amount=700&recurring[interval]=month")));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &price, "");
    let invoice = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
    assert_eq!(
        (&invoice["amount_paid"], &invoice["lines"]["data"][0]["description"]),
        (&json!(700), &json!("1 × Tea (at ¥700 / month)"))
    );
    let dollars = play.monthly("Pro", 1_000);
    play.refused("POST", "/v1/subscriptions", &format!("customer={customer}&items[0][price]={dollars}"), 400);
}

#[test]
fn a_fraction_of_a_cent_is_rounded_once() {
    let mut play = Play::new();
    let product = id(&play.post("/v1/products", "name=Calls"));
    let price = id(&play.post(
        "/v1/prices",
        &format!("product={product}&currency=usd&unit_amount_decimal=0.5&recurring[interval]=month"),
    ));
    let customer = play.customer("pm_card_visa");
    let sub = play.subscribe(&customer, &price, "&items[0][quantity]=301");
    let invoice = play.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap()));
    assert_eq!(invoice["amount_paid"], 151);
}

/// Returns the statement descriptors of the newest charge: the complete text, the intent's text, and the intent's
/// suffix.
fn statement(play: &mut Play) -> (Value, Value, Value) {
    let charge = play.get("/v1/charges?limit=1")["data"][0].clone();
    let of = |member: &str| charge[member].clone();
    (of("calculated_statement_descriptor"), of("statement_descriptor"), of("statement_descriptor_suffix"))
}

#[test]
fn a_statement_descriptor_combines_those_of_the_account_and_the_payment() {
    let mut play = Play::new();
    let pay = "amount=500&currency=usd&confirm=true&payment_method=pm_card_visa";
    play.post("/v1/payment_intents", pay);
    assert_eq!(statement(&mut play), (json!("LOCAL SANDBOX"), json!(null), json!(null)));
    play.post("/_sandbox/settings", "business_name=Émile's Bakery");
    assert_eq!(play.get("/v1/account")["settings"]["payments"]["statement_descriptor"], "MILES BAKERY");
    play.post("/v1/payment_intents", &format!("{pay}&statement_descriptor_suffix=Order 77"));
    assert_eq!(statement(&mut play), (json!("MILES BAKERY* Order 77"), json!(null), json!("Order 77")));
    play.post("/v1/payment_intents", &format!("{pay}&statement_descriptor=Something else"));
    assert_eq!(statement(&mut play), (json!("Something else"), json!("Something else"), json!(null)));
    // A payment for an invoice has the descriptor of the invoice, else of its product.
    let product = id(&play.post("/v1/products", "name=Pro&statement_descriptor=Bread club"));
    let price =
        id(&play
            .post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=2000&recurring[interval]=month")));
    let customer = play.customer("pm_card_visa");
    play.subscribe(&customer, &price, "");
    assert_eq!(statement(&mut play).0, "Bread club");
    play.post("/v1/invoiceitems", &format!("customer={customer}&currency=usd&amount=700"));
    let form = format!("customer={customer}&pending_invoice_items_behavior=include&statement_descriptor=Cakes");
    let invoice = play.post("/v1/invoices", &form);
    assert_eq!(invoice["statement_descriptor"], "Cakes");
    play.post(&format!("/v1/invoices/{}/pay", id(&invoice)), "");
    assert_eq!(statement(&mut play).0, "Cakes");
    for (name, text) in [
        ("statement_descriptor", "Twenty-three characters"),
        ("statement_descriptor_suffix", "12345"),
        ("statement_descriptor_suffix", "A*B"),
    ] {
        let error = play.refused("POST", "/v1/payment_intents", &format!("{pay}&{name}={text}"), 400);
        assert_eq!(error["param"], name);
    }
}
