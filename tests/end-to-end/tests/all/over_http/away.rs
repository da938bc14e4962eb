//! Requests to the addresses of instances that do not run.

use super::raw::Answer;
use super::server::TestServer;
use host_provider_api::scripted::ScriptedAnswer;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

/// A visit at a host name, by a person's browser.
fn visit(api: &TestServer, host: &str) -> Answer {
    request(api, host, "text/html,*/*")
}

fn request(api: &TestServer, host: &str, accept: &str) -> Answer {
    api.request("GET /", &[("Host", host), ("Accept", accept)], b"")
}

fn status_of(api: &TestServer, account: &str, id: &str) -> Value {
    let listed = api.get(&format!("/api/queries/list?kind=instances&account={account}"), &api.operator());
    let found = listed["entries"].as_array().into_iter().flatten().find(|entry| entry["id"] == id);
    found.unwrap_or_else(|| panic!("{listed}"))["value"]["status"].clone()
}

/// Makes a paid instance.
fn made(api: &TestServer, user: &str, price: &str, body: &Value) {
    api.stripe(&format!(
        "{{stripe: customer.subscription.created, id: evt_{user}, set: {{id: sub_{user}, customer: cus_{user}, \
         metadata: {{user_id: {user}}}, price: {price}, period: {{start: 1767225600, end: 1798761600}}}}}}"
    ));
    let line = format!("POST /api/commands/instance.create?account=user:{user}");
    api.ok(&line, &api.operator(), body);
    api.settle();
}

fn later(api: &TestServer, days: i64) {
    api.advance_to(api.now().saturating_add(days * DAY_MS));
    api.settle();
}

#[test]
fn a_name_that_was_given_back_leads_to_its_new_instance() {
    let api = TestServer::of("orchestra").config(&[("supabase_token", "secret:supabase")]).start();
    let body =
        json!({"name": "City", "metadata": {"subdomain": "philharmonic", "contact_email": "office@city.example"}});
    made(&api, "o1", "price_orchestra_pro", &body);
    let delete = "POST /api/commands/instance.delete?account=user:o1";
    api.ok(delete, &api.operator(), &json!({"id": "orch_philharmonic", "confirm": "City"}));
    api.settle();
    // A deleted orchestra keeps its name for thirty days.
    later(&api, 31);
    let create = "POST /api/commands/instance.create?account=user:o1";
    let new = api.ok(create, &api.operator(), &body);
    api.settle();
    assert_ne!(new["id"], "orch_philharmonic", "{new}");
    assert_eq!(status_of(&api, "user:o1", "orch_philharmonic"), "terminated");
    let visited = visit(&api, "philharmonic.stagesub.com");
    assert_eq!((visited.status, visited.body.contains("Not at this server")), (421, true), "{visited:?}");
    assert_eq!(api.get("/api/hosts/philharmonic", &api.service())["status"], "running");
    assert_eq!(api.get("/api/admin/provisions/philharmonic", &api.operator())["instance"], new["id"]);
}

// covers: ORC-42, Q-55
#[test]
fn the_first_visit_restores_an_instance_that_was_archived_because_nobody_used_it() {
    let api = TestServer::of("orchestra").config(&[("supabase_token", "secret:supabase")]).start();
    let body =
        json!({"name": "City", "metadata": {"subdomain": "philharmonic", "contact_email": "office@city.example"}});
    made(&api, "o1", "price_orchestra_pro", &body);
    let (host, id) = ("philharmonic.stagesub.com", "orch_philharmonic");
    let running = visit(&api, host);
    assert_eq!((running.status, running.body.contains("Not at this server")), (421, true), "{running:?}");
    later(&api, 31);
    assert_eq!(status_of(&api, "user:o1", id), "archived");
    let restores = |api: &TestServer| {
        api.with_host(move |host| {
            let store = host.processor().store();
            (1..500)
                .filter_map(|seq| store.effect_at(seq).expect("read"))
                .filter(|row| row.effect.key.contains("database/restore"))
                .count()
        })
    };
    assert_eq!(restores(&api), 0, "nothing of the instance is asked for before somebody comes");
    // The provider answers a second later, and the clock stands still: both visits come in between.
    let later_answer = ScriptedAnswer::Late { after_ms: 1_000, then: Box::new(ScriptedAnswer::Ok(Value::Null)) };
    api.script("*database/restore*", vec![later_answer]);
    let first = visit(&api, host);
    assert_eq!((first.status, first.header("retry-after"), first.header("refresh")), (503, Some("3"), Some("3")));
    assert!(first.body.contains("Being restored") && !first.body.contains("o1"), "{}", first.body);
    let policy = first.header("content-security-policy").expect("a policy");
    assert!(policy.contains("style-src http://127.0.0.1;") && !policy.contains("'self'"), "{policy}");
    let body = first.body.replace("&#x2f;", "/");
    assert!(body.contains("href=\"http://127.0.0.1/assets/app.css\""), "{body}");
    assert_eq!(visit(&api, host).status, 503);
    api.advance_to(api.now() + 1_000);
    api.settle();
    assert_eq!((status_of(&api, "user:o1", id), restores(&api)), (json!("running"), 1), "two visits restore it once");
    assert_eq!(visit(&api, host).status, 421);
    let unknown = visit(&api, "nobody.stagesub.com");
    assert_eq!(unknown.status, 200, "it may be a name of the server, which was told none");
}

#[test]
fn a_visitor_learns_that_an_instance_is_suspended_or_archived_and_nothing_of_the_account() {
    let api = TestServer::of("solobase")
        .with(|it| it.names = ["solobase.cloud", "www.solobase.cloud"].map(str::to_owned).to_vec())
        .start();
    let body = json!({"name": "App", "metadata": {"subdomain": "ada"}});
    made(&api, "u7", "price_professional_monthly", &body);
    let host = "ada.solobase.cloud:8443";
    api.stripe(
        "{stripe: customer.subscription.deleted, id: evt_end, set: {id: sub_u7, customer: cus_u7, metadata: {user_id: u7}, \
         status: canceled, price: price_professional_monthly}}",
    );
    api.settle();
    let suspended = visit(&api, host);
    assert_eq!((suspended.status, suspended.header("retry-after")), (503, None), "{suspended:?}");
    assert!(suspended.body.contains("<h1>Suspended</h1>") && suspended.body.contains("/instances/inst_ada"));
    later(&api, 40);
    for _ in 0..2 {
        let archived = visit(&api, host);
        assert!(archived.status == 503 && archived.body.contains("<h1>Archived</h1>"), "{archived:?}");
        assert!(!archived.body.contains("u7") && !archived.body.contains("cus_"), "{}", archived.body);
    }
    api.settle();
    assert_eq!(status_of(&api, "user:u7", "inst_ada"), "archived", "a visit restores nothing that is not paid");
    assert_eq!(request(&api, host, "*/*").code(), "archived", "a program gets a problem");
    later(&api, 400);
    for unknown in [host, "nobody.solobase.cloud"] {
        let answer = visit(&api, unknown);
        assert_eq!(
            (answer.status, answer.body.contains("There is nothing at this address.")),
            (404, true),
            "{unknown}"
        );
        assert_eq!(request(&api, unknown, "*/*").code(), "not-found");
    }
    for own in ["solobase.cloud", "www.solobase.cloud", "127.0.0.1"] {
        assert_eq!(visit(&api, own).status, 200, "{own} leads to the pages of the server");
    }
}
