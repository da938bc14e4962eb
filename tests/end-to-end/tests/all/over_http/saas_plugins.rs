//! The API of the shop for docker images over HTTP, with the routes that its features bring.

use super::server::{NOTHING, TestServer};
use end_to_end::world::root;
use host_business::folder::BusinessFolder;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn shop() -> TestServer {
    let api = TestServer::keeping_secrets("saas-plugins");
    api.answer("account-customer:*", json!({"id": "cus_ada"}));
    api.answer("checkout:*", json!({"session_id": "cs_1", "url": "https://checkout.example/cs_1"}));
    api.answer("portal:*", json!({"url": "https://billing.example/p"}));
    api.answer("redeem:*", json!({"url": "https://registry.example/signed"}));
    api
}

/// Makes Ada a customer of the editor.
fn subscribes(api: &TestServer) {
    api.stripe(
        "{stripe: customer.subscription.created, id: evt_s, set: {id: sub_1, customer: cus_ada, metadata: {user_id: ada}, \
         price: price_editor_m}}",
    );
}

// covers: PLG-25, PLG-27
#[test]
fn a_user_buys_and_sees_what_is_paid() {
    let api = shop();
    let ada = api.user("ada");
    assert_eq!(api.get("/api/subscriptions/me", &ada), json!({"subscriptions": []}));
    let body = json!({"product_id": "prod_sample_editor", "interval": "year"});
    assert_eq!(
        api.ok("POST /api/stripe/checkout", &ada, &body),
        json!({"checkout_url": "https://checkout.example/cs_1"})
    );
    let refused = api.send("POST /api/stripe/checkout", &ada, &json!({"product_id": 7, "interval": "day", "price": 1}));
    let expected = [("/interval", "not-allowed"), ("/price", "unknown-field"), ("/product_id", "wrong-type")];
    assert_eq!(refused.wrong(), expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    assert_eq!(api.get("/api/stripe/portal", &ada)["portal_url"], "https://billing.example/p");
    subscribes(&api);
    let own = api.get("/api/subscriptions/me", &ada);
    assert_eq!(own["subscriptions"][0]["product_id"], "prod_sample_editor", "{own}");
    assert_eq!(api.get("/api/subscriptions/me", &api.user("bob")), json!({"subscriptions": []}));
    assert_eq!(api.ok("GET /api/products", &ada, &NOTHING)["total_count"], 4);
}

// covers: PLG-23, PLG-40, PLG-42, PLG-44
#[test]
fn a_download_token_is_shown_once_and_redeemed() {
    let api = shop();
    let ada = api.user("ada");
    let line = "POST /api/docker/download-token";
    let body = json!({"product_id": "prod_sample_editor"});
    let early = api.send(line, &ada, &body);
    assert_eq!((early.status, early.code()), (403, "subscription_required"));
    subscribes(&api);
    let other = api.send(line, &ada, &json!({"product_id": "prod_sample_monitor"}));
    assert_eq!((other.status, other.code()), (403, "product_not_included"));
    let headers = [("Idempotency-Key", "k-1")];
    let issued = api.send_with(line, &ada, &headers, &body).ok();
    let token = issued["token"].as_str().expect("a text").to_owned();
    let secret = token.split_once('.').expect("an id and a secret").1;
    assert_eq!(secret.len(), 64, "256 random bits");
    assert_eq!(issued["image"], "registry.example/sample-editor");
    let again = api.send_with(line, &ada, &headers, &body);
    assert_eq!((again.status, again.code()), (409, "already_shown"));
    let reused = api.send_with(line, &ada, &headers, &json!({"product_id": "prod_sample_tool"}));
    assert_eq!((reused.status, reused.code()), (409, "reused-key"));
    let kept = secret.to_owned();
    let stored = api.with_host(|host| format!("{:?}", host.processor().inbox_after(0, 1000).expect("read")));
    assert!(!stored.contains(&kept), "the secret is in no event");

    let pull = |token: &str, product: &str| api.send(&format!("GET /api/docker/pull/{product}"), token, &NOTHING);
    for _ in 0..2 {
        let grant = pull(&token, "prod_sample_editor").ok();
        assert_eq!(
            (&grant["product_id"], &grant["grant"]["url"]),
            (&json!("prod_sample_editor"), &json!("https://registry.example/signed"))
        );
    }
    assert_eq!(
        (pull(&token, "prod_sample_monitor").status, pull(&token, "prod_sample_monitor").code()),
        (403, "product_not_included")
    );
    let id = token.split_once('.').expect("an id").0;
    for wrong in
        [format!("{id}.{}", "0".repeat(64)), format!("{id}x.{secret}"), secret.to_owned(), String::new(), ada.clone()]
    {
        let refused = pull(&wrong, "prod_sample_editor");
        assert_eq!((refused.status, refused.code()), (401, "unauthorized"), "{wrong}");
    }
    let log = api.get("/api/docker/downloads", &ada);
    let actions: Vec<&str> = log["downloads"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["action"].as_str().expect("a text"))
        .collect();
    assert_eq!(actions.iter().filter(|action| **action == "pulled").count(), 2, "{actions:?}");
    assert!(actions.contains(&"token_issued") && actions.contains(&"token_refused"), "{actions:?}");
    assert_eq!(log["downloads"][0]["ip"], "127.0.0.1");
    api.advance_to(api.now() + 86_400_000);
    let late = pull(&token, "prod_sample_editor");
    assert_eq!((late.status, late.code()), (401, "token_expired"), "a day later");
}

// covers: PLG-26, PLG-60
#[test]
fn operators_write_change_and_send_campaigns() {
    let api = shop();
    let (operator, ada) = (api.operator(), api.user("ada"));
    let registered = json!({"id": "f1", "event": "user.registered", "account": "user:ada", "data": {"user_id": "ada", "email": "ada@example.com"}});
    api.ok("POST /api/events", &api.service(), &registered);
    // The account tells the platform of its registration in a message of its own.
    api.settle();
    let body = json!({"name": "News", "template": "news"});
    let created = api.send("POST /api/campaigns", &operator, &body);
    assert_eq!((created.status, &created.json["recipients"]), (201, &json!(1)));
    let id = created.json["id"].as_str().expect("an id");
    let narrow = json!({"name": "Better news", "template": "news", "audience": {"product": "prod_sample_editor"}});
    assert_eq!(api.send(&format!("PUT /api/campaigns/{id}"), &operator, &narrow).ok()["recipients"], 0);
    assert_eq!(api.send(&format!("PUT /api/campaigns/{id}"), &operator, &body).ok()["recipients"], 1);
    let sent = api.send(&format!("POST /api/campaigns/{id}/send"), &operator, &NOTHING).ok();
    assert_eq!((&sent["status"], &sent["recipients"]), (&json!("sent"), &json!(1)));
    let late = api.send(&format!("PUT /api/campaigns/{id}"), &operator, &body);
    assert_eq!((late.status, late.code()), (409, "bad-transition"), "it is sent");
    let all = api.get("/api/campaigns", &operator);
    assert_eq!((&all["campaigns"][0]["name"], &all["campaigns"][0]["status"]), (&json!("News"), &json!("sent")));
    let bob = json!({"email": "bob@example.com", "password": "correct horse battery", "name": "Bob"});
    let bob = api.ok("POST /api/auth/register", "", &bob);
    api.settle();
    let bob = format!("user:{}", bob["user"]["id"].as_str().expect("an id"));
    assert_eq!(
        api.get("/api/admin/customers", &operator)["customers"],
        json!([
            {"id": "platform", "email": null, "name": null},
            {"id": "user:ada", "email": null, "name": null},
            {"id": bob, "email": "bob@example.com", "name": "Bob"},
        ])
    );
    for line in [
        "GET /api/campaigns",
        "POST /api/campaigns",
        "PUT /api/campaigns/x",
        "POST /api/campaigns/x/send",
        "GET /api/admin/customers",
    ] {
        for key in [&ada, &api.service()] {
            let refused = api.send(line, key, &if line.starts_with("GET") { NOTHING } else { body.clone() });
            assert_eq!((refused.status, refused.code()), (403, "forbidden"), "{line}");
        }
    }
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("copied")),
        }
    }
}

// covers: PLG-01, PLG-02, PLG-03
#[test]
fn a_feature_that_is_dropped_in_answers_below_its_own_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let business = folder.path().join("shop");
    copy(&root().join("fixtures/businesses/saas-plugins"), &business);
    let feature = business.join("features/my-feature");
    fs::create_dir(&feature).expect("made");
    let routes = "types: {Hello: {hello: string}}\nroutes:\n  GET /: {name: hello, about: Says hello., who: public, answer: Hello, give: {hello: world}}\n";
    fs::write(feature.join("routes.yml"), routes).expect("written");
    let api = TestServer::of_folder(&BusinessFolder::load(&business).expect("a business")).start();
    for path in ["/api/my-feature/", "/api/my-feature"] {
        assert_eq!(api.get(path, ""), json!({"hello": "world"}));
    }
    assert_eq!(api.document()["paths"]["/api/my-feature"]["get"]["tags"], json!(["My Feature"]));
    fs::remove_dir_all(&feature).expect("removed");
    let without = TestServer::of_folder(&BusinessFolder::load(&business).expect("a business")).start();
    assert_eq!(without.document()["paths"]["/api/my-feature"], Value::Null);
    assert_eq!(without.refused("GET /api/my-feature/", "", &NOTHING), (404, "not-found".to_owned()));
}
