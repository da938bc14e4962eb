//! What operators of Orchestra do over HTTP when no provider makes a database.

use super::server::{NOTHING, TestServer, vault};
use end_to_end::play::bodies;
use end_to_end::world::orchestra;
use host_business::folder::BusinessFolder;
use host_provider_api::Secrets;
use host_provider_api::scripted::ScriptedAnswer;
use serde_json::json;

const URL: &str = "postgres://postgres:hunter2@db.one.example:5432/postgres";

/// A server on which the orchestras `philharmonic` and `chamber` wait for their databases.
pub(super) fn waiting() -> TestServer {
    waiting_at(orchestra())
}

/// The same at a variant of the business.
pub(super) fn waiting_at(business: &BusinessFolder) -> TestServer {
    let api = TestServer::of_folder(business).vault(&vault()).start();
    for (user, subdomain) in [("o1", "philharmonic"), ("o2", "chamber")] {
        api.stripe(&format!(
            "{{stripe: customer.subscription.created, id: evt_{user}, set: {{id: sub_{user}, customer: cus_{user}, metadata: {{user_id: {user}}}, \
             price: price_orchestra_pro}}}}"
        ));
        let body =
            json!({"name": subdomain, "metadata": {"subdomain": subdomain, "contact_email": "office@example.com"}});
        api.ok(&format!("POST /api/commands/instance.create?account=user:{user}"), &api.operator(), &body);
        api.settle();
    }
    api
}

// covers: ORC-31, ORC-32, ORC-33, ORC-34, D-61, D-70
#[test]
fn an_operator_sees_the_steps_and_enters_the_address_of_the_database() {
    let api = waiting();
    let operator = api.operator();
    let provision = api.get("/api/admin/provisions/philharmonic", &operator);
    assert_eq!((&provision["phase"], &provision["status"]), (&json!("awaiting_manual"), &json!("provisioning")));
    assert_eq!((&provision["instance"], &provision["account"]), (&json!("orch_philharmonic"), &json!("user:o1")));
    let step = &provision["steps"][0];
    assert_eq!((&step["step"], &step["status"]), (&json!("database"), &json!("waiting")));
    assert_eq!(step["how"][0], "Create a project at https://supabase.com/dashboard", "the steps are listed");
    assert_eq!(step["due_at"], "2026-01-02T00:00:00Z", "a day after the payment");
    assert_eq!((&step["opened_at"], &step["code"]), (&json!("2026-01-01T00:00:00Z"), &json!("not-configured")));
    let line = "POST /api/admin/provisions/philharmonic/database-url";
    api.script(
        "orch_philharmonic/database/observe",
        vec![
            ScriptedAnswer::Final { code: "unreachable".into(), message: "no answer".into() },
            ScriptedAnswer::Final { code: "not-empty".into(), message: "it has tables".into() },
            ScriptedAnswer::Ok(json!({})),
        ],
    );
    for reason in ["unreachable", "not-empty"] {
        let refused = api.send(line, &operator, &json!({"url": URL}));
        assert_eq!((refused.status, refused.code()), (422, "database_refused"), "{reason}");
        assert!(refused.body.contains(reason), "{refused:?}");
    }
    let entered = api.send(line, &operator, &json!({"url": URL})).ok();
    assert_eq!(entered["id"], "philharmonic");
    api.settle();
    assert_eq!(
        api.get("/api/admin/provisions/philharmonic", &operator)["status"],
        "running",
        "the rest goes by itself"
    );
    let taken = api.send("POST /api/admin/provisions/chamber/database-url", &operator, &json!({"url": URL}));
    assert_eq!((taken.status, taken.code()), (409, "database_in_use"));
    // The address is in the vault, and nowhere else.
    let stored = api.with_host(|host| {
        let store = host.processor().store();
        let rows = host.processor().inbox_after(0, 1000).expect("read");
        let effects: Vec<_> = (1..200).filter_map(|seq| store.effect_at(seq).expect("read")).collect();
        format!("{rows:?}{effects:?}")
    });
    assert!(!stored.contains("hunter2") && stored.contains("db.one.example"), "no secret in the store");
    let listed = api.vault.list().expect("a list");
    let scope = "orchestra/test/user:o1";
    let own =
        listed.iter().filter(|secret| secret.scope == scope).map(|secret| api.vault.resolve(scope, &secret.reference));
    assert!(own.flatten().any(|secret| secret.expose() == URL), "the vault has the address");
}

#[test]
fn only_operators_reach_provisions_and_unknown_ones_do_not_exist() {
    let api = waiting();
    let line = "POST /api/admin/provisions/philharmonic/database-url";
    for key in [api.user("o1"), api.service()] {
        let refused = api.send(line, &key, &json!({"url": URL}));
        assert_eq!((refused.status, refused.code()), (403, "forbidden"));
    }
    assert_eq!(api.send(line, "", &json!({"url": URL})).code(), "unauthorized");
    let operator = api.operator();
    let unknown = api.send("GET /api/admin/provisions/nobody", &operator, &NOTHING);
    assert_eq!((unknown.status, unknown.code()), (404, "not-found"));
    assert_eq!(api.send(line, &operator, &json!({"url": 7})).wrong(), [("/url".into(), "wrong-type".into())]);
}

/// Returns the body of an anonymous checkout of the site.
fn checkout(payment_status: &str) -> Vec<u8> {
    let story = format!(
        "name: x\nevents:\n  - {{stripe: checkout.session.completed, id: evt_paid, set: {{id: cs_1, mode: payment, subscription: null, \
         customer: cus_A, payment_intent: pi_1, payment_status: {payment_status}, customer_email: office@city.example, \
         metadata: {{orchestraName: City, subdomain: city, plan: pro}}}}}}\n"
    );
    bodies(&story).remove(0)
}

// covers: ORC-01, ORC-04, ORC-05, PLG-36, D-48, D-69
#[test]
fn stripe_is_answered_in_the_words_of_the_business_before_the_database_exists() {
    let api = TestServer::start("orchestra");
    let body = checkout("paid");
    let signed = |signature: &str| {
        let headers = [("stripe-signature", signature)];
        api.request("POST /api/webhooks/stripe", &headers, &body)
    };
    let refused = signed("t=1,v1=00");
    assert_eq!((refused.status, refused.body.as_str()), (400, "Webhook Error"));
    assert_eq!(refused.header("content-type"), Some("text/plain; charset=utf-8"));
    let late = ScriptedAnswer::Late { after_ms: 600_000, then: Box::new(ScriptedAnswer::Ok(json!({}))) };
    api.script("orch_city/database/ensure", vec![late]);
    let accepted = api.deliver(&body);
    assert_eq!((accepted.status, accepted.body.as_str()), (200, "Success"));
    let status = || api.get("/api/admin/provisions/city", &api.operator())["status"].clone();
    assert_eq!(status(), "provisioning", "the answer does not wait for the database");
    assert_eq!(api.deliver(&body).body, "Success", "the same event again");
}

// covers: ORC-08, ORC-18, ORC-47
#[test]
fn a_host_name_leads_to_the_database_of_its_orchestra_and_to_no_other() {
    let api = waiting();
    let proxy = api.service();
    let found = api.get("/api/hosts/Philharmonic", &proxy);
    assert_eq!((&found["subdomain"], &found["status"]), (&json!("philharmonic"), &json!("provisioning")));
    assert_eq!(found["database_host"], json!(null), "there is none yet");
    for unknown in ["nobody", "www", "a--b"] {
        let answer = api.send(&format!("GET /api/hosts/{unknown}"), &proxy, &NOTHING);
        assert_eq!(answer.status, 404, "{unknown}: {answer:?}");
    }
    assert_eq!(api.send("GET /api/hosts/philharmonic", &api.user("o1"), &NOTHING).code(), "forbidden");
    for (subdomain, host) in [("philharmonic", "db.one.example"), ("chamber", "db.two.example")] {
        let line = format!("POST /api/admin/provisions/{subdomain}/database-url");
        let url = URL.replace("db.one.example", host);
        api.send(&line, &api.operator(), &json!({"url": url})).ok();
        api.settle();
    }
    // An application keeps its connections by this database, so that no two orchestras share one.
    let database = |subdomain: &str| {
        let found = api.get(&format!("/api/hosts/{subdomain}"), &proxy);
        assert_eq!(found["status"], "running");
        let text = |name: &str| found[name].as_str().unwrap_or_else(|| panic!("{name} of {found}")).to_owned();
        (text("database_host"), text("database_secret_ref"))
    };
    let (one, two) = (database("philharmonic"), database("chamber"));
    assert_eq!((&*one.0, &*two.0), ("db.one.example", "db.two.example"));
    assert_ne!(one.1, two.1);
    assert!(one.1.starts_with("secret:") && !one.1.contains("hunter2"), "{one:?}");
}
