//! Lists, expansion, idempotency keys, events, and determinism: the same calls give the same bytes.

use crate::play::{Play, id, request};
use local_stripe::sandbox::{Response, json_of};
use local_stripe::settings::{Faults, Settings};
use serde_json::json;

#[test]
fn lists_page_forwards_and_backwards() {
    let mut play = Play::new();
    let ids: Vec<String> = (0..7).map(|n| id(&play.post("/v1/customers", &format!("name=c{n}")))).collect();
    let newest: Vec<String> = ids.iter().rev().cloned().collect();
    let page = |play: &mut Play, query: &str| -> (Vec<String>, bool) {
        let page = play.get(&format!("/v1/customers?{query}"));
        (page["data"].as_array().unwrap().iter().map(id).collect(), page["has_more"].as_bool().unwrap())
    };
    assert_eq!(page(&mut play, "limit=3"), (newest[..3].to_vec(), true));
    assert_eq!(page(&mut play, &format!("limit=3&starting_after={}", newest[2])), (newest[3..6].to_vec(), true));
    assert_eq!(page(&mut play, &format!("limit=3&starting_after={}", newest[5])), (newest[6..].to_vec(), false));
    assert_eq!(page(&mut play, &format!("limit=2&ending_before={}", newest[3])), (newest[1..3].to_vec(), true));
    play.refused("GET", "/v1/customers", "limit=101", 400);
    play.refused("GET", "/v1/customers", "starting_after=cus_no", 400);
    play.until_day(1);
    let late = id(&play.post("/v1/customers", "email=late@example.com"));
    assert_eq!(page(&mut play, "created[gt]=1793491200").0, std::slice::from_ref(&late));
    assert_eq!(page(&mut play, "email=late@example.com").0, [late]);
}

#[test]
fn ids_are_expanded_in_objects_and_lists() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    let one = play.get(&format!("/v1/subscriptions/{sub}?expand[0]=customer&expand[1]=latest_invoice.payments"));
    assert_eq!(
        (&one["customer"]["object"], &one["latest_invoice"]["payments"]["data"][0]["object"]),
        (&json!("customer"), &json!("invoice_payment"))
    );
    let deep = play.get(&format!("/v1/subscriptions/{sub}?expand[0]=items.data.price.product"));
    assert_eq!(deep["items"]["data"][0]["price"]["product"]["name"], "Pro");
    let all = play.get("/v1/subscriptions?expand[0]=data.latest_invoice.customer");
    assert_eq!(all["data"][0]["latest_invoice"]["customer"]["object"], "customer");
    // The `data` of a list counts as a level.
    let error = play.refused("GET", "/v1/subscriptions", "expand[0]=data.items.data.price.product", 400);
    assert_eq!(error["code"], "property_expansion_max_depth");
    for wrong in ["a.b.c.d.e", "nothing", "status"] {
        play.refused("GET", &format!("/v1/subscriptions/{sub}"), &format!("expand[0]={wrong}"), 400);
    }
}

#[test]
fn the_first_response_is_replayed_for_an_idempotency_key() {
    let mut play = Play::new();
    let with_key = |form: &str, key: &str| {
        let mut request = request("POST", "/v1/customers", form);
        request.idempotency_key = Some(key.into());
        request
    };
    let first = play.sandbox.handle(&with_key("name=a", "k1"));
    let again = play.sandbox.handle(&with_key("name=a", "k1"));
    assert_eq!((&first.body, Some(&first.request_id)), (&again.body, again.original_request.as_ref()));
    assert_eq!(play.sandbox.state().count("customer"), 1);
    let other = play.sandbox.handle(&with_key("name=b", "k1"));
    assert_eq!(
        (other.status, json_of(&other)["error"]["type"].as_str().map(str::to_owned)),
        (400, Some("idempotency_error".into()))
    );
    let message = |response: &Response| json_of(response)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message(&other).contains("with the same parameters they were first used with. Try using a key other than"));
    let mut elsewhere = request("POST", "/v1/products", "name=a");
    elsewhere.idempotency_key = Some("k1".into());
    let elsewhere = play.sandbox.handle(&elsewhere);
    assert_eq!((elsewhere.status, &json_of(&elsewhere)["error"]["type"]), (400, &json!("idempotency_error")));
    assert_eq!(
        message(&elsewhere),
        "Keys for idempotent requests can only be used for the same endpoint they were first used for \
         ('/v1/products' vs '/v1/customers'). Try using a key other than 'k1' if you meant to execute a different request."
    );
    assert_eq!(play.event("customer.created")["request"]["idempotency_key"], "k1");
    // The response to a declined card is stored for the key, but not the response to an invalid parameter.
    let declined = with_key("payment_method=pm_card_chargeDeclined", "k2");
    assert_eq!(
        (play.sandbox.handle(&declined).status, play.sandbox.handle(&declined).original_request.is_some()),
        (402, true)
    );
    assert_eq!(play.sandbox.handle(&with_key("colour=red", "k3")).status, 400);
    assert_eq!(play.sandbox.handle(&with_key("name=c", "k3")).status, 200);
    assert_eq!(play.sandbox.handle(&with_key("name=c", &"k".repeat(256))).status, 400);
    play.sandbox.handle(&with_key("name=n&phone=1", "order"));
    assert!(
        play.sandbox.handle(&with_key("phone=1&name=n", "order")).original_request.is_some(),
        "the order doesn't matter"
    );
    play.until_day(2);
    assert_eq!(play.sandbox.handle(&with_key("name=b", "k1")).status, 200, "a key expires after a day");
}

fn bytes_of_a_run(seed: u64) -> String {
    let mut play = Play::with(Settings { seed, ..Settings::default() });
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    play.subscribe(&customer, &price, "&trial_period_days=3");
    play.until_day(40);
    let version = local_stripe::version::NEWEST.into();
    let events: Vec<String> = play.sandbox.state().events().iter().map(|e| e.render(&version).to_string()).collect();
    events.join("\n") + &play.call("GET", "/v1/invoices", "").body
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    assert_eq!(bytes_of_a_run(1), bytes_of_a_run(1));
    assert_ne!(bytes_of_a_run(1), bytes_of_a_run(2));
}

#[test]
fn events_are_listed_stored_and_duplicated_on_request() {
    let mut play = Play::new();
    let customer = id(&play.post("/v1/customers", "name=a"));
    let event = play.get("/v1/events?type=customer.created")["data"][0].clone();
    play.post(&format!("/v1/customers/{customer}"), "name=b");
    assert_eq!(
        play.get(&format!("/v1/events/{}", id(&event)))["data"]["object"]["name"],
        "a",
        "what an event holds never changes"
    );
    assert_eq!(play.event("customer.updated")["data"]["previous_attributes"], json!({"name": "a"}));
    play.post(&format!("/v1/customers/{customer}"), "name=b");
    assert_eq!(play.get("/v1/events?type=customer.*")["data"].as_array().unwrap().len(), 2, "no change, no event");
    play.post("/_sandbox/settings", "faults=twins");
    assert_eq!(play.sandbox.state().settings.faults, Faults { twins: true, ..Faults::default() });
    play.events();
    play.post(&format!("/v1/customers/{customer}"), "name=c");
    assert_eq!(play.events(), ["customer.updated", "customer.updated"]);
    let twins = play.get("/v1/events?limit=2")["data"].clone();
    assert_ne!(twins[0]["id"], twins[1]["id"]);
    assert_eq!(twins[0]["data"], twins[1]["data"]);
}

#[test]
fn deleting_a_customer_ends_its_subscriptions() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    assert_eq!(play.ok("DELETE", &format!("/v1/customers/{customer}"), "")["deleted"], true);
    assert_eq!(play.get(&format!("/v1/subscriptions/{sub}"))["status"], "canceled");
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["deleted"], true);
    play.refused("POST", &format!("/v1/customers/{customer}"), "name=x", 404);
    assert_eq!(play.get("/v1/customers")["data"], json!([]));
}

#[test]
fn a_webhook_endpoint_shows_its_secret_once() {
    let mut play = Play::new();
    let made = play.post(
        "/v1/webhook_endpoints",
        "url=http://127.0.0.1:1/&enabled_events[]=customer.created&api_version=2020-08-27",
    );
    assert!(made["secret"].as_str().is_some_and(|s| s.starts_with("whsec_")));
    assert!(play.get(&format!("/v1/webhook_endpoints/{}", id(&made))).get("secret").is_none());
    let rolled = play.post(&format!("/_sandbox/webhook_endpoints/{}/roll_secret", id(&made)), "expires_in=3600");
    assert_ne!(rolled["secret"], made["secret"]);
    play.post("/v1/customers", "");
    assert_eq!(play.event("customer.created")["pending_webhooks"], 1);
    play.refused("POST", "/v1/webhook_endpoints", "url=http://127.0.0.1:1/&enabled_events[]=everything", 400);
}
