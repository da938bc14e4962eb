//! Marketplaces: connected accounts, their onboarding, transfers and reversals.

use crate::play::{Play, id, request};
use local_stripe::sandbox::{Response, json_of};
use serde_json::{Value, json};

pub fn seller(play: &mut Play) -> String {
    let form =
        "type=express&country=US&email=seller@example.com&capabilities[transfers][requested]=true&metadata[shop]=7";
    id(&play.post("/v1/accounts", form))
}

fn balance(play: &mut Play) -> i64 {
    play.get("/v1/balance")["available"][0]["amount"].as_i64().unwrap()
}

#[test]
fn an_account_receives_transfers_after_onboarding() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    let link =
        format!("account={seller}&type=account_onboarding&return_url=https://x.test/back&refresh_url=https://x.test");
    let link = play.post("/v1/account_links", &link);
    assert!(link["url"].as_str().unwrap().contains("/_sandbox/onboarding/"));
    let paid = play.post("/v1/payment_intents", "amount=10000&currency=usd&confirm=true&payment_method=pm_card_visa");
    let transfer = format!("amount=7000&currency=usd&destination={seller}");
    let error = play.refused("POST", "/v1/transfers", &transfer, 400);
    assert_eq!(error["code"], "insufficient_capabilities_for_transfer");
    let before = play.get(&format!("/v1/accounts/{seller}"));
    assert_eq!(
        (&before["details_submitted"], &before["capabilities"]["transfers"]),
        (&json!(false), &json!("inactive"))
    );
    play.events();
    play.post(&format!("/_sandbox/accounts/{seller}/onboard"), "");
    assert_eq!(play.events(), ["account.updated"]);
    let told = play.event("account.updated");
    assert_eq!((&told["account"], &told["data"]["object"]["payouts_enabled"]), (&json!(seller), &json!(true)));
    assert_eq!(told["data"]["previous_attributes"]["capabilities"]["transfers"], "inactive");
    let moved = play
        .post("/v1/transfers", &format!("{transfer}&source_transaction={}", paid["latest_charge"].as_str().unwrap()));
    assert_eq!((&moved["destination"], &moved["reversed"], balance(&mut play)), (&json!(seller), &json!(false), 3_000));
    assert_eq!(id(&play.get(&format!("/v1/transfers?destination={seller}"))["data"][0]), id(&moved));
}

#[test]
fn a_transfer_is_limited_by_the_balance_and_the_charge() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    play.post(&format!("/_sandbox/accounts/{seller}/onboard"), "");
    let pay = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_visa&transfer_group=order_1";
    let charge = play.post("/v1/payment_intents", pay)["latest_charge"].as_str().unwrap().to_owned();
    play.post("/v1/payment_intents", "amount=1000&currency=usd&confirm=true&payment_method=pm_card_visa");
    let of_charge =
        |amount: i64| format!("amount={amount}&currency=usd&destination={seller}&source_transaction={charge}");
    let first = play.post("/v1/transfers", &of_charge(600));
    assert_eq!(first["transfer_group"], "order_1");
    for form in [of_charge(401), format!("amount=1401&currency=usd&destination={seller}")] {
        assert_eq!(play.refused("POST", "/v1/transfers", &form, 400)["code"], "balance_insufficient", "{form}");
    }
    play.post("/v1/transfers", &of_charge(400));
    play.refused("POST", "/v1/transfers", &format!("amount=1&currency=eur&destination={seller}"), 400);
    play.refused("POST", "/v1/transfers", "amount=1&currency=usd&destination=acct_none", 400);
}

#[test]
fn partial_reversals_are_limited_by_the_transfer() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    play.post(&format!("/_sandbox/accounts/{seller}/onboard"), "");
    play.post("/v1/payment_intents", "amount=1000&currency=usd&confirm=true&payment_method=pm_card_visa");
    let transfer = id(&play.post("/v1/transfers", &format!("amount=1000&currency=usd&destination={seller}")));
    let path = format!("/v1/transfers/{transfer}/reversals");
    play.events();
    let part = play.post(&path, "amount=300");
    assert_eq!(play.events(), ["transfer.reversed"]);
    let now = play.get(&format!("/v1/transfers/{transfer}"));
    assert_eq!((&now["amount_reversed"], &now["reversed"], balance(&mut play)), (&json!(300), &json!(false), 300));
    assert_eq!(play.get(&format!("{path}/{}", id(&part)))["amount"], 300);
    play.refused("POST", &path, "amount=701", 400);
    play.post(&path, "");
    let done = play.get(&format!("/v1/transfers/{transfer}"));
    assert_eq!((&done["reversed"], done["reversals"]["data"].as_array().unwrap().len()), (&json!(true), 2));
    play.refused("POST", &path, "", 400);
}

#[test]
fn an_account_can_be_changed_listed_and_deleted() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    let path = format!("/v1/accounts/{seller}");
    play.events();
    let changed =
        play.post(&path, "business_profile[name]=Shop&business_profile[url]=https://shop.test&metadata[shop]=");
    assert_eq!((&changed["business_profile"]["name"], &changed["metadata"]), (&json!("Shop"), &json!({})));
    assert_eq!(play.events(), ["account.updated"]);
    assert_eq!(play.get("/v1/accounts")["data"].as_array().unwrap().len(), 1);
    let own = id(&play.get("/v1/account"));
    assert_eq!(id(&play.get(&format!("/v1/accounts/{own}"))), own);
    play.refused("POST", "/v1/accounts/acct_none", "email=a@example.com", 403);
    assert_eq!(play.ok("DELETE", &path, "")["deleted"], true);
    play.refused("GET", &path, "", 403);
}

/// Makes a call for a connected account.
pub fn call_for(play: &mut Play, account: &str, method: &str, path: &str, form: &str) -> Response {
    let mut call = request(method, path, form);
    call.account = Some(account.to_owned());
    play.sandbox.handle(&call)
}

pub fn for_account(play: &mut Play, account: &str, method: &str, path: &str, form: &str) -> Value {
    let response = call_for(play, account, method, path, form);
    assert_eq!(response.status, 200, "{method} {path} {form}: {}", response.body);
    json_of(&response)
}

fn count(list: &Value) -> usize {
    list["data"].as_array().unwrap().len()
}

#[test]
fn a_connected_account_has_objects_of_its_own() {
    let mut play = Play::new();
    let (seller, other) = (seller(&mut play), seller(&mut play));
    let platforms = play.customer("pm_card_visa");
    let made = id(&for_account(&mut play, &seller, "POST", "/v1/customers", "name=of the seller"));
    for (account, own, foreign) in [(seller.as_str(), Some(&made), &platforms), (other.as_str(), None, &made)] {
        let list = for_account(&mut play, account, "GET", "/v1/customers", "");
        assert_eq!(
            list["data"].as_array().unwrap().iter().map(id).collect::<Vec<_>>(),
            own.into_iter().cloned().collect::<Vec<_>>()
        );
        assert_eq!(call_for(&mut play, account, "GET", &format!("/v1/customers/{foreign}"), "").status, 404);
    }
    assert_eq!((count(&play.get("/v1/customers")), count(&play.get("/v1/accounts"))), (1, 2));
    play.refused("GET", &format!("/v1/customers/{made}"), "", 404);
    assert_eq!(id(&for_account(&mut play, &seller, "GET", "/v1/account", "")), seller);
    assert_eq!(count(&for_account(&mut play, &seller, "GET", "/v1/accounts", "")), 0);
    assert_eq!(call_for(&mut play, "acct_none", "GET", "/v1/customers", "").status, 403);
    let pay = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_visa";
    for_account(&mut play, &seller, "POST", "/v1/payment_intents", pay);
    let earned = for_account(&mut play, &seller, "GET", "/v1/balance", "");
    assert_eq!((&earned["available"][0]["amount"], balance(&mut play)), (&json!(1_000), 0));
}

#[test]
fn chosen_ids_and_idempotency_keys_are_each_accounts_own() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    play.post("/v1/coupons", "id=SAVE&percent_off=10");
    for_account(&mut play, &seller, "POST", "/v1/coupons", "id=SAVE&percent_off=50");
    assert_eq!(play.get("/v1/coupons/SAVE")["percent_off"], 10);
    assert_eq!(for_account(&mut play, &seller, "GET", "/v1/coupons/SAVE", "")["percent_off"], 50);
    let mut ids = Vec::new();
    for account in [None, Some(&seller), None, Some(&seller)] {
        let mut call = request("POST", "/v1/customers", "name=a");
        (call.account, call.idempotency_key) = (account.cloned(), Some("k".into()));
        ids.push(id(&json_of(&play.sandbox.handle(&call))));
    }
    assert_eq!((&ids[0], &ids[1]), (&ids[2], &ids[3]));
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_connected_accounts_subscription_renews_and_its_events_name_the_account() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    play.post("/v1/webhook_endpoints", "url=http://127.0.0.1:9/&enabled_events[0]=*&connect=true");
    let mut post = |path: &str, form: &str| for_account(&mut play, &seller, "POST", path, form);
    let product = id(&post("/v1/products", "name=Pro"));
    let form = format!("product={product}&currency=usd&unit_amount=2000&recurring[interval]=month");
    let price = id(&post("/v1/prices", &form));
    let card = "payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa";
    let customer = id(&post("/v1/customers", card));
    post("/v1/subscriptions", &format!("customer={customer}&items[0][price]={price}"));
    play.until_day(32);
    let paid = for_account(&mut play, &seller, "GET", "/v1/invoices", "status=paid");
    assert_eq!((count(&paid), count(&play.get("/v1/invoices"))), (2, 0));
    let event = play.event("invoice.paid");
    assert_eq!((&event["account"], &event["pending_webhooks"]), (&json!(seller), &json!(1)));
    let of_type = "type=invoice.paid";
    assert_eq!(count(&for_account(&mut play, &seller, "GET", "/v1/events", of_type)), 2);
    assert_eq!(count(&play.get(&format!("/v1/events?{of_type}"))), 0);
    play.refused("GET", &format!("/v1/events/{}", id(&event)), "", 404);
    // A deleted account's subscription does not renew.
    let before = play.sandbox.state().event_count();
    play.ok("DELETE", &format!("/v1/accounts/{seller}"), "");
    play.until_day(90);
    assert_eq!(play.sandbox.state().event_count(), before);
}
