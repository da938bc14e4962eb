//! Connect charges: how payments are divided between the platform and connected accounts, to the minor unit.

use crate::connect::{call_for, for_account, seller};
use crate::play::{Play, id};
use serde_json::{Value, json};

const CARD: &str = "currency=usd&confirm=true&payment_method=pm_card_visa";

fn onboarded(play: &mut Play) -> String {
    let seller = seller(play);
    play.post(&format!("/_sandbox/accounts/{seller}/onboard"), "");
    play.events();
    seller
}

/// Returns the balances of the platform and of a connected account.
fn balances(play: &mut Play, seller: &str) -> (i64, i64) {
    let of = |balance: &Value| balance["available"][0]["amount"].as_i64().unwrap();
    (of(&play.get("/v1/balance")), of(&for_account(play, seller, "GET", "/v1/balance", "")))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Returns type, amount, fee and net of the newest transactions of an account, newest first.
fn movements(list: &Value) -> Vec<(String, i64, i64, i64)> {
    let one = |t: &Value| {
        let amount = |name: &str| t[name].as_i64().unwrap();
        (text(&t["type"]).to_owned(), amount("amount"), amount("fee"), amount("net"))
    };
    list["data"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn a_destination_charge_makes_a_transfer_and_an_application_fee() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let form = format!("amount=2000&{CARD}&transfer_data[destination]={seller}&application_fee_amount=200");
    let paid = play.post("/v1/payment_intents", &form);
    let expected = [
        "payment_intent.created",
        "charge.succeeded",
        "transfer.created",
        "application_fee.created",
        "payment_intent.succeeded",
    ];
    assert_eq!(play.events(), expected);
    let group = format!("group_{}", id(&paid));
    assert_eq!((&paid["transfer_group"], &paid["application_fee_amount"]), (&json!(group), &json!(200)));
    assert_eq!(paid["transfer_data"], json!({ "destination": seller }));
    let path = format!("/v1/charges/{}", text(&paid["latest_charge"]));
    let expand =
        "expand[0]=transfer.destination_payment&expand[1]=application_fee.charge&expand[2]=balance_transaction";
    let charge = play.get(&format!("{path}?{expand}"));
    assert_eq!(charge["transfer_data"], json!({ "amount": null, "destination": seller }));
    assert_eq!((&charge["balance_transaction"]["net"], &charge["transfer"]["amount"]), (&json!(2_000), &json!(2_000)));
    assert_eq!(
        (&charge["transfer"]["source_transaction"], &charge["transfer"]["transfer_group"]),
        (&charge["id"], &json!(group))
    );
    let (payment, fee) = (&charge["transfer"]["destination_payment"], &charge["application_fee"]);
    assert_eq!((&payment["amount"], &payment["source_transfer"]), (&json!(2_000), &charge["transfer"]["id"]));
    assert_eq!((&payment["application_fee"], &fee["charge"]["id"]), (&fee["id"], &payment["id"]));
    assert_eq!(
        (&fee["account"], &fee["amount"], &fee["originating_transaction"], &fee["application"]),
        (&json!(seller), &json!(200), &charge["id"], &payment["application"])
    );
    assert_eq!(balances(&mut play, &seller), (200, 1_800));
    let of_platform = play.get("/v1/balance_transactions");
    let named = |kind: &str, amount: i64, fee: i64| (kind.to_owned(), amount, fee, amount - fee);
    assert_eq!(
        movements(&of_platform),
        [named("application_fee", 200, 0), named("transfer", -2_000, 0), named("charge", 2_000, 0)]
    );
    let of_seller = for_account(&mut play, &seller, "GET", "/v1/balance_transactions", "");
    assert_eq!(movements(&of_seller), [named("payment", 2_000, 200)]);
    let detail = &of_seller["data"][0]["fee_details"][0];
    assert_eq!((&detail["type"], &detail["application"]), (&json!("application_fee"), &fee["application"]));
    assert_eq!(play.get("/v1/application_fees")["data"].as_array().unwrap().len(), 1);
}

#[test]
fn a_transfer_may_be_a_part_of_the_charge() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let to = format!("{CARD}&transfer_data[destination]={seller}");
    let paid = play.post("/v1/payment_intents", &format!("amount=2000&{to}&transfer_data[amount]=1500"));
    assert_eq!(paid["transfer_data"], json!({ "amount": 1_500, "destination": seller }));
    assert_eq!(balances(&mut play, &seller), (500, 1_500));
    // The amount is capped at the charge's.
    play.post("/v1/payment_intents", &format!("amount=100&{to}&transfer_data[amount]=900"));
    assert_eq!(balances(&mut play, &seller), (500, 1_600));
    assert_eq!(play.get("/v1/application_fees")["data"], json!([]));
}

#[test]
fn a_direct_charge_pays_the_platforms_fee() {
    let mut play = Play::new();
    let (seller, other) = (onboarded(&mut play), onboarded(&mut play));
    let form = format!("amount=2000&{CARD}&application_fee_amount=200");
    let paid = for_account(&mut play, &seller, "POST", "/v1/payment_intents", &form);
    assert_eq!(balances(&mut play, &seller), (200, 1_800));
    let path = format!("/v1/charges/{}", text(&paid["latest_charge"]));
    let expand = "expand[0]=balance_transaction&expand[1]=application_fee";
    let charge = for_account(&mut play, &seller, "GET", &path, expand);
    let (movement, fee) = (&charge["balance_transaction"], &charge["application_fee"]);
    assert_eq!((&movement["fee"], &movement["net"]), (&json!(200), &json!(1_800)));
    assert_eq!(
        (&fee["account"], &fee["charge"], &fee["originating_transaction"]),
        (&json!(seller), &charge["id"], &Value::Null)
    );
    let told = play.event("application_fee.created");
    assert_eq!((told.get("account"), &told["data"]["object"]["id"]), (None, &fee["id"]));
    // A refund takes the fee back only if it is asked for, and then its transaction shows it.
    let charge_id = text(&charge["id"]);
    let form = format!("charge={charge_id}&amount=500&refund_application_fee=true&expand[0]=balance_transaction");
    let refund = for_account(&mut play, &seller, "POST", "/v1/refunds", &form);
    let movement = &refund["balance_transaction"];
    assert_eq!((&movement["amount"], &movement["fee"], &movement["net"]), (&json!(-500), &json!(-50), &json!(-450)));
    assert_eq!(balances(&mut play, &seller), (150, 1_350));
    for_account(&mut play, &seller, "POST", "/v1/refunds", &format!("charge={charge_id}"));
    assert_eq!(balances(&mut play, &seller), (150, -150));
    // Neither another account nor a payment without a fee has something to take back.
    let plain = for_account(&mut play, &other, "POST", "/v1/payment_intents", &format!("amount=2000&{CARD}"));
    for more in ["refund_application_fee", "reverse_transfer"] {
        let form = format!("payment_intent={}&{more}=true", id(&plain));
        let refused = call_for(&mut play, &other, "POST", "/v1/refunds", &form);
        assert_eq!(refused.status, 400, "{more}");
    }
}

#[test]
fn partial_refunds_take_back_the_whole_transfer_and_fee_together() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let form = format!("amount=1000&{CARD}&transfer_data[destination]={seller}&application_fee_amount=100");
    let paid = play.post("/v1/payment_intents", &form);
    let intent = id(&paid);
    play.events();
    let mut shares = Vec::new();
    for amount in [333, 333, 334] {
        let form = format!(
            "payment_intent={intent}&amount={amount}&reverse_transfer=true&refund_application_fee=true&expand[0]=transfer_reversal"
        );
        let refund = play.post("/v1/refunds", &form);
        let reversal = &refund["transfer_reversal"];
        assert_eq!(reversal["source_refund"], refund["id"]);
        shares.push(reversal["amount"].as_i64().unwrap());
        let expected = ["refund.created", "charge.refunded", "transfer.reversed", "application_fee.refunded"];
        assert_eq!(play.events(), expected);
    }
    assert_eq!(shares, [333, 333, 334]);
    assert_eq!(balances(&mut play, &seller), (0, 0));
    let fee = &play.get("/v1/application_fees")["data"][0].clone();
    let parts: Vec<i64> =
        fee["refunds"]["data"].as_array().unwrap().iter().map(|part| part["amount"].as_i64().unwrap()).collect();
    assert_eq!((&fee["refunded"], parts), (&json!(true), vec![33, 34, 33]));
    let moved = for_account(&mut play, &seller, "GET", "/v1/balance_transactions", "type=payment_refund&limit=1");
    assert_eq!(movements(&moved), [("payment_refund".to_owned(), -334, -33, -301)]);
}

#[test]
fn a_refund_without_its_transfer_is_paid_by_the_platform() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let form = format!("amount=1000&{CARD}&transfer_data[destination]={seller}&application_fee_amount=100");
    let intent = id(&play.post("/v1/payment_intents", &form));
    play.post("/v1/refunds", &format!("payment_intent={intent}&amount=400"));
    assert_eq!(balances(&mut play, &seller), (-300, 900));
    play.post("/v1/refunds", &format!("payment_intent={intent}&amount=400&refund_application_fee=true"));
    assert_eq!(balances(&mut play, &seller), (-740, 940));
    play.post("/v1/refunds", &format!("payment_intent={intent}&reverse_transfer=true"));
    assert_eq!(balances(&mut play, &seller), (-740, 740));
}

#[test]
fn an_application_fee_can_be_refunded_alone() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let form = format!("amount=1000&{CARD}&application_fee_amount=100");
    for_account(&mut play, &seller, "POST", "/v1/payment_intents", &form);
    let fee = id(&play.get("/v1/application_fees")["data"][0]);
    let path = format!("/v1/application_fees/{fee}/refunds");
    play.events();
    let part = play.post(&path, "amount=30&metadata[why]=late");
    assert_eq!(play.events(), ["application_fee.refunded"]);
    assert_eq!((&part["fee"], balances(&mut play, &seller)), (&json!(fee), (70, 930)));
    let changed = play.post(&format!("{path}/{}", id(&part)), "metadata[why]=early");
    assert_eq!(
        (play.events(), &changed["metadata"]["why"]),
        (vec!["application_fee.refund.updated".to_owned()], &json!("early"))
    );
    assert_eq!(play.get(&path)["data"][0]["metadata"]["why"], "early");
    play.refused("POST", &path, "amount=71", 400);
    play.post(&path, "");
    let done = play.get(&format!("/v1/application_fees/{fee}"));
    assert_eq!((&done["refunded"], &done["amount_refunded"]), (&json!(true), &json!(100)));
    assert_eq!(balances(&mut play, &seller), (0, 1_000));
    play.refused("POST", &path, "", 400);
    play.refused("GET", &format!("{path}/fr_none"), "", 404);
}

#[test]
fn a_division_that_is_impossible_is_refused() {
    let mut play = Play::new();
    let (ready, new) = (onboarded(&mut play), seller(&mut play));
    let to = format!("transfer_data[destination]={ready}");
    for (form, code, param) in [
        ("application_fee_amount=10".to_owned(), "parameter_missing", "transfer_data[destination]"),
        (format!("application_fee_amount=10&on_behalf_of={ready}"), "parameter_missing", "transfer_data[destination]"),
        (format!("application_fee_amount=1001&{to}"), "amount_too_large", "application_fee_amount"),
        (format!("application_fee_amount=10&{to}&transfer_data[amount]=5"), "", "application_fee_amount"),
        ("transfer_data[destination]=acct_none".to_owned(), "resource_missing", "transfer_data[destination]"),
        (format!("transfer_data[destination]={new}"), "insufficient_capabilities_for_transfer", ""),
        ("on_behalf_of=acct_none".to_owned(), "resource_missing", "on_behalf_of"),
        ("transfer_data[amount]=5".to_owned(), "parameter_missing", "transfer_data[destination]"),
    ] {
        let error = play.refused("POST", "/v1/payment_intents", &format!("amount=1000&{CARD}&{form}"), 400);
        let shown = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        assert_eq!((shown("code"), shown("param")), (code.to_owned(), param.to_owned()), "{form}");
    }
    let customer = play.customer("pm_card_visa");
    let price = play.monthly("Pro", 1_000);
    for form in [
        "application_fee_percent=10".to_owned(),
        format!("application_fee_percent=10.123&{to}"),
        format!("application_fee_percent=100.01&{to}"),
        format!("application_fee_percent=10&{to}&transfer_data[amount_percent]=50"),
        format!("transfer_data[destination]={new}"),
    ] {
        play.refused("POST", "/v1/subscriptions", &format!("customer={customer}&items[0][price]={price}&{form}"), 400);
    }
}

#[test]
fn the_shares_are_capped_at_the_captured_amount() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let form = format!(
        "amount=2000&{CARD}&capture_method=manual&transfer_data[destination]={seller}&application_fee_amount=300"
    );
    let held = id(&play.post("/v1/payment_intents", &form));
    assert_eq!(balances(&mut play, &seller), (0, 0));
    play.post(&format!("/v1/payment_intents/{held}/capture"), "amount_to_capture=200");
    assert_eq!(balances(&mut play, &seller), (200, 0));
    // The capture may say another fee.
    let held = id(&play.post("/v1/payment_intents", &form));
    play.post(&format!("/v1/payment_intents/{held}/capture"), "amount_to_capture=1000&application_fee_amount=70");
    assert_eq!(balances(&mut play, &seller), (270, 930));
    // A refund of everything that was captured takes everything back.
    play.post("/v1/refunds", &format!("payment_intent={held}&reverse_transfer=true&refund_application_fee=true"));
    assert_eq!(balances(&mut play, &seller), (200, 0));
}

#[test]
fn each_invoice_of_a_subscription_carries_the_percentage() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let price = play.monthly("Pro", 1_999);
    let customer = play.customer("pm_card_visa");
    let more = format!("&application_fee_percent=12.35&transfer_data[destination]={seller}&on_behalf_of={seller}");
    let sub = play.subscribe(&customer, &price, &more);
    assert_eq!(
        (&sub["application_fee_percent"], &sub["on_behalf_of"], &sub["transfer_data"]),
        (&json!(12.35), &json!(seller), &json!({ "amount_percent": null, "destination": seller }))
    );
    // 12.35 % of 19.99 are 2.468765.
    assert_eq!(balances(&mut play, &seller), (247, 1_752));
    // The percentage is of what is charged: after the customer's balance, 12.35 % of 10.00.
    play.post(&format!("/v1/customers/{customer}/balance_transactions"), "amount=-999&currency=usd");
    play.until_day(32);
    assert_eq!(balances(&mut play, &seller), (247 + 124, 1_752 + 876));
    // Exactly a half goes up: 12.5 % of 19.99 are 2.49875, and 12.5 % of 20.04 would be 2.505.
    play.post(&format!("/v1/subscriptions/{}", id(&sub)), "application_fee_percent=12.5");
    let before = balances(&mut play, &seller);
    play.until_day(62);
    assert_eq!(balances(&mut play, &seller), (before.0 + 250, before.1 + 1_749));
    let invoice = text(&play.get("/v1/subscriptions")["data"][0]["latest_invoice"]).to_owned();
    let mut old = crate::play::request("GET", &format!("/v1/invoices/{invoice}"), "");
    old.version = Some("2024-09-30.acacia".into());
    let old = local_stripe::sandbox::json_of(&play.sandbox.handle(&old));
    assert_eq!(
        (&old["application_fee_amount"], &old["transfer_data"]),
        (&json!(250), &json!({ "amount": null, "destination": seller }))
    );
}

#[test]
fn a_subscription_may_transfer_a_percentage() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let price = play.monthly("Pro", 767);
    let customer = play.customer("pm_card_visa");
    play.subscribe(
        &customer,
        &price,
        &format!("&transfer_data[destination]={seller}&transfer_data[amount_percent]=90"),
    );
    // An event of real Stripe shows 690 for 90 % of 767.
    assert_eq!(balances(&mut play, &seller), (77, 690));
    let of_seller = |play: &mut Play, path: &str, form: &str| for_account(play, &seller, "POST", path, form);
    let product = id(&of_seller(&mut play, "/v1/products", "name=Pro"));
    let form = format!("product={product}&currency=usd&unit_amount=1000&recurring[interval]=month");
    let price = id(&of_seller(&mut play, "/v1/prices", &form));
    let card = "payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa";
    let customer = id(&of_seller(&mut play, "/v1/customers", card));
    let form = format!("customer={customer}&items[0][price]={price}&application_fee_percent=0.25");
    of_seller(&mut play, "/v1/subscriptions", &form);
    // Halves go away from zero: 0.25 % of 10.00 are 2.5.
    assert_eq!(balances(&mut play, &seller), (80, 690 + 997));
}

#[test]
fn an_invoice_carries_a_fee_or_a_transfer() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let customer = play.customer("pm_card_visa");
    let to = format!("transfer_data[destination]={seller}");
    let invoice = id(&play.post("/v1/invoices", &format!("customer={customer}&{to}")));
    play.post("/v1/invoiceitems", &format!("customer={customer}&invoice={invoice}&amount=500&currency=usd"));
    play.post(&format!("/v1/invoices/{invoice}"), "application_fee_amount=50");
    play.post(&format!("/v1/invoices/{invoice}/pay"), "");
    assert_eq!(balances(&mut play, &seller), (50, 450));
    play.refused("POST", &format!("/v1/invoices/{invoice}"), "application_fee_amount=60", 400);
    play.refused("POST", "/v1/invoices", &format!("customer={customer}&application_fee_amount=50"), 400);
    let invoice = id(&play.post("/v1/invoices", &format!("customer={customer}&{to}&transfer_data[amount]=100")));
    play.post("/v1/invoiceitems", &format!("customer={customer}&invoice={invoice}&amount=500&currency=usd"));
    play.post(&format!("/v1/invoices/{invoice}/pay"), "");
    assert_eq!(balances(&mut play, &seller), (450, 550));
}

#[test]
fn checkout_and_payment_links_divide_their_payments() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let (once, monthly) = (play.price("Book", 1_000, ""), play.monthly("Pro", 3_000));
    let line =
        |price: &str| format!("success_url=https://x.test&line_items[0][price]={price}&line_items[0][quantity]=1");
    let confirm = |play: &mut Play, session: &Value, email: &str| {
        let path = format!("/v1/payment_pages/{}/confirm", id(session));
        play.post(&path, &format!("payment_method=pm_card_visa&billing_details[email]={email}"));
    };
    let data = |name: &str, fee: &str| format!("{name}[{fee}]=10&{name}[transfer_data][destination]={seller}");
    let form = format!("mode=payment&{}&{}", line(&once), data("payment_intent_data", "application_fee_amount"));
    let session = play.post("/v1/checkout/sessions", &form);
    confirm(&mut play, &session, "a@example.com");
    assert_eq!(balances(&mut play, &seller), (10, 990));
    let form = format!("mode=subscription&{}&{}", line(&monthly), data("subscription_data", "application_fee_percent"));
    let session = play.post("/v1/checkout/sessions", &form);
    confirm(&mut play, &session, "b@example.com");
    assert_eq!(balances(&mut play, &seller), (310, 3_690));
    let link = |play: &mut Play, price: &str, more: &str| {
        let form = format!("line_items[0][price]={price}&line_items[0][quantity]=1&{more}");
        play.post("/v1/payment_links", &form)
    };
    let to = format!("transfer_data[destination]={seller}");
    let sold = link(&mut play, &once, &format!("application_fee_amount=100&{to}"));
    assert_eq!(sold["transfer_data"], json!({ "amount": null, "destination": seller }));
    let session = play.post(&format!("/_sandbox/payment_links/{}/open", id(&sold)), "");
    confirm(&mut play, &session, "c@example.com");
    assert_eq!(balances(&mut play, &seller), (410, 4_590));
    let sold = link(&mut play, &monthly, &format!("application_fee_percent=1.5&{to}"));
    assert_eq!(sold["application_fee_percent"], 1.5);
    let session = play.post(&format!("/_sandbox/payment_links/{}/open", id(&sold)), "");
    confirm(&mut play, &session, "d@example.com");
    assert_eq!(balances(&mut play, &seller), (455, 7_545));
    let wrong = format!("line_items[0][price]={monthly}&line_items[0][quantity]=1&application_fee_amount=1&{to}");
    play.refused("POST", "/v1/payment_links", &wrong, 400);
    let wrong = format!("mode=payment&{}&payment_intent_data[application_fee_amount]=10", line(&once));
    play.refused("POST", "/v1/checkout/sessions", &wrong, 400);
}

#[test]
fn a_transfer_arrives_and_its_reversal_is_limited_by_the_balance() {
    let mut play = Play::new();
    let seller = onboarded(&mut play);
    let paid = play.post("/v1/payment_intents", &format!("amount=1000&{CARD}"));
    let source = text(&paid["latest_charge"]).to_owned();
    let form = format!("amount=600&currency=usd&destination={seller}&source_transaction={source}");
    let moved = play.post("/v1/transfers", &form);
    assert_eq!(moved["transfer_group"], format!("group_{}", id(&paid)));
    assert_eq!(play.get(&format!("/v1/charges/{source}"))["transfer_group"], moved["transfer_group"]);
    assert_eq!(balances(&mut play, &seller), (400, 600));
    for_account(&mut play, &seller, "POST", "/v1/payouts", "amount=500&currency=usd");
    let path = format!("/v1/transfers/{}/reversals", id(&moved));
    assert_eq!(play.refused("POST", &path, "amount=101", 400)["code"], "balance_insufficient");
    let back = play.post(&path, "amount=100");
    assert_eq!(balances(&mut play, &seller), (500, 0));
    let refund = text(&back["destination_payment_refund"]).to_owned();
    let refund = for_account(&mut play, &seller, "GET", &format!("/v1/refunds/{refund}"), "");
    assert_eq!((&refund["charge"], &refund["source_transfer_reversal"]), (&moved["destination_payment"], &back["id"]));
    let changed = play.post(&format!("{path}/{}", id(&back)), "metadata[a]=b");
    assert_eq!((&changed["metadata"]["a"], &play.get(&path)["data"][0]), (&json!("b"), &changed));
}

#[test]
fn what_a_transfer_brings_is_available_with_the_charge_it_comes_from() {
    let settlement = local_stripe::settings::Settlement::Standard;
    let mut play = Play::with(local_stripe::settings::Settings { settlement, ..Default::default() });
    let seller = onboarded(&mut play);
    let form = format!("amount=2000&{CARD}&transfer_data[destination]={seller}&application_fee_amount=200");
    play.post("/v1/payment_intents", &form);
    // The platform gets its fee at once, and pays Stripe's 0.88 when the charge arrives; the seller waits as long.
    assert_eq!(balances(&mut play, &seller), (200, 0));
    play.until_day(2);
    assert_eq!(balances(&mut play, &seller), (200 - 88, 1_800));
}
