//! The checkouts of 2Bot over HTTP.

use super::server::{NOTHING, TestServer};
use serde_json::json;

fn shop() -> TestServer {
    let api = TestServer::start("twobot");
    api.answer("account-customer:*", json!({"id": "cus_1"}));
    api.answer("checkout:*", json!({"session_id": "cs_1", "url": "https://checkout.example/cs_1"}));
    api
}

// covers: BOT-20, BOT-25, BOT-27, BOT-28
#[test]
fn a_user_buys_an_add_on_for_the_own_account_only() {
    let api = shop();
    let ada = api.user("ada");
    let line = "POST /api/billing/workspace-addon";
    assert_eq!(api.send(line, "", &json!({"tier": "MICRO"})).code(), "unauthorized");
    let checkout = api.send(line, &ada, &json!({"tier": "MICRO", "interval": "year"})).ok();
    assert_eq!(checkout, json!({"checkout_url": "https://checkout.example/cs_1"}));
    for (body, expected) in [
        (json!({"tier": "HUGE"}), ("/tier", "not-allowed")),
        (json!({"tier": "MICRO", "interval": "week"}), ("/interval", "not-allowed")),
        (json!({"interval": "month"}), ("/tier", "missing")),
        (json!({"tier": "MICRO", "user": "bob"}), ("/user", "unknown-field")),
    ] {
        assert_eq!(api.send(line, &ada, &body).wrong(), [(expected.0.to_owned(), expected.1.to_owned())], "{body}");
    }
    api.stripe(
        "{stripe: customer.subscription.created, id: evt_1, set: {id: sub_1, customer: cus_1, metadata: {user_id: ada}, \
         price: price_addon_micro_m}}",
    );
    let again = api.send(line, &ada, &json!({"tier": "MICRO"}));
    assert_eq!((again.status, again.code()), (409, "already_active"));
    let others = api.send(&format!("{line}?account=user:bob"), &ada, &json!({"tier": "SMALL"}));
    assert_eq!((others.status, others.code()), (403, "forbidden"), "nobody buys for another user");
}

// covers: BOT-22, BOT-24
#[test]
fn the_owner_of_a_paying_organization_buys_a_booster() {
    let api = shop();
    let line = "POST /api/billing/org-workspace-booster";
    let body = json!({"organization": "acme", "booster_id": "ORG_SMALL"});
    let owner = api.member("olga", "acme", &["owner"]);
    let free = api.send(line, &owner, &body);
    assert_eq!((free.status, free.code(), &free.json["upgrade"]), (403, "upgrade_required", &json!("org_starter")));
    api.stripe(
        "{stripe: customer.subscription.created, id: evt_1, set: {id: sub_1, customer: cus_1, metadata: {organization_id: acme}, \
         price: price_org_starter_m}}",
    );
    assert_eq!(api.send(line, &owner, &body).ok(), json!({"checkout_url": "https://checkout.example/cs_1"}));
    let billing = api.member("bill", "acme", &["billing"]);
    assert_eq!(api.send(line, &billing, &body).status, 200);
    for (key, told) in [
        (api.member("max", "acme", &["member"]), 403),
        (api.member("eve", "other", &["owner"]), 403),
        (api.user("ada"), 403),
    ] {
        assert_eq!(api.send(line, &key, &body).status, told);
    }
    let unknown = json!({"organization": "nobody", "booster_id": "ORG_SMALL"});
    let [others, unknown] = [&body, &unknown].map(|body| api.send(line, &api.member("eve", "other", &["owner"]), body));
    assert_eq!(
        (others.status, others.body),
        (unknown.status, unknown.body),
        "another's organization and an unknown one"
    );
    assert_eq!(
        api.send(line, &owner, &json!({"organization": "acme", "booster_id": "SMALL"})).wrong()[0].0,
        "/booster_id"
    );
    assert_eq!(api.send(line, &owner, &NOTHING).status, 422);
}

// covers: BOT-30
#[test]
fn stripe_delivers_to_the_path_of_the_application() {
    let api = shop();
    let event = super::webhooks::event("evt_path");
    let refused = api.request("POST /api/billing/webhook", &[("stripe-signature", "t=1,v1=00")], &event);
    assert_eq!(refused.status, 400);
    let signature = api.signature(&event);
    let signed = [("stripe-signature", signature.as_str())];
    assert_eq!(api.request("POST /api/billing/webhook", &signed, &event).status, 200);
    assert!(super::webhooks::is_stored(&api, "evt_path"));
}
