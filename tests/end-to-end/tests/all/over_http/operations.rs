//! Every operation that a server has of its own, with an answer of success that has the form of the OpenAPI document.

use super::beside_providers::{Account as AtStripe, Differing};
use super::document::Document;
use super::registry;
use super::server::{NOTHING, TestServer, vault};
use end_to_end::world::solobase;
use extension_contract::Timestamp;
use host_api::{BackupEntry, BackupList, LocalClock, MailKind, MailPreview, MailPreviews, ShownMail, Tools};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const HOOK: &str = "https://hooks.example/in";

/// What the operators of these servers look at.
struct Shown;

impl BackupList for Shown {
    fn backups(&self) -> Vec<BackupEntry> {
        let made =
            BackupEntry { scope: "solobase/test/user:ada".to_owned(), made_at_s: Some(5), ..BackupEntry::default() };
        vec![made, BackupEntry { is_late: true, ..BackupEntry::default() }]
    }
}

impl MailPreviews for Shown {
    fn kinds(&self) -> Vec<MailKind> {
        vec![MailKind { template: "receipt".to_owned(), placeholders: vec!["at".to_owned()], is_own: true }]
    }

    fn preview(&self, mail: ShownMail<'_>, _: &Value) -> Result<MailPreview, String> {
        Ok(MailPreview { subject: mail.template.to_owned(), ..MailPreview::default() })
    }
}

/// No service shares the clock of these servers.
impl LocalClock for Shown {
    fn next_due(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }

    fn advance_to(&self, _: Timestamp) {}

    fn keep_ahead_ms(&self, _: i64) {}
}

/// Returns the member of an object that is a text.
fn text<'v>(of: &'v Value, name: &str) -> &'v str {
    of[name].as_str().unwrap_or_else(|| panic!("no {name}: {of}"))
}

/// What users do with their accounts and organizations.
fn users(server: &TestServer) {
    let (ada, _) = server.proved("ada@example.com");
    let (bob, bob_id) = server.register("bob@example.com");
    server.ok("POST /api/auth/confirmation", &bob, &NOTHING);
    server.ok("POST /api/auth/reset", "", &json!({"email": "bob@example.com"}));
    let token = server.token("password_reset", "bob@example.com", 1);
    let bob = server.ok("POST /api/auth/password", "", &json!({"token": token, "password": "another horse battery"}));
    let bob = text(&bob, "token");
    for path in ["/api/auth/me", "/api/auth/oidc", "/api/auth/export", "/.well-known/jwks.json"] {
        server.get(path, &ada);
    }
    let choir = server.ok("POST /api/auth/organizations", &ada, &json!({"name": "Choir"}));
    let path = format!("/api/auth/organizations/{}", text(&choir, "id"));
    let token = server.invite(&choir, &ada, "bob@example.com", "owner", 1);
    server.invite(&choir, &ada, "eve@example.com", "owner", 1);
    server.get(&format!("/api/auth/invitation?token={token}"), bob);
    server.ok("POST /api/auth/join", bob, &json!({"token": token}));
    let open = server.get(&format!("{path}/invitations"), &ada);
    server.ok(&format!("DELETE {path}/invitations/{}", text(&open["invitations"][0], "id")), &ada, &NOTHING);
    server.get("/api/auth/organizations", bob);
    server.get(&format!("{path}/members"), bob);
    server.ok(&format!("DELETE {path}/members/{bob_id}"), &ada, &NOTHING);
    server.ok(&format!("DELETE {path}"), &ada, &NOTHING);
    settings(server, bob);
    server.ok("POST /api/auth/logout/everywhere", bob, &NOTHING);
    let bob = json!({"email": "bob@example.com", "password": "another horse battery"});
    let bob = server.ok("POST /api/auth/login", "", &bob);
    server.ok("POST /api/auth/logout", text(&bob, "token"), &NOTHING);
    server.ok("POST /api/auth/erase", &ada, &json!({"password": super::links::PASSWORD}));
}

/// What users change about themselves.
fn settings(server: &TestServer, bob: &str) {
    let password = "another horse battery";
    server.ok("POST /api/auth/profile", bob, &json!({"name": "Bob"}));
    server.ok(
        "POST /api/auth/me/password",
        bob,
        &json!({"password": password, "new_password": "a third horse battery"}),
    );
    server.ok(
        "POST /api/auth/me/password",
        bob,
        &json!({"password": "a third horse battery", "new_password": password}),
    );
    let other = server.ok("POST /api/auth/login", "", &json!({"email": "bob@example.com", "password": password}));
    let open = server.get("/api/auth/sessions", text(&other, "token"));
    let current = open["sessions"].as_array().expect("a list").iter().find(|session| session["is_current"] == true);
    server.ok(&format!("DELETE /api/auth/sessions/{}", text(current.expect("one"), "id")), bob, &NOTHING);
    server.ok("DELETE /api/auth/sessions", bob, &NOTHING);
    for (email, number) in [("bob@new.example", 1), ("bob@example.com", 3)] {
        server.ok("POST /api/auth/me/address", bob, &json!({"email": email, "password": password}));
        let token = server.token("address_confirmation", email, number);
        server.ok("POST /api/auth/address", bob, &json!({"token": token}));
    }
}

/// What customers do with their webhook endpoints.
fn endpoints(server: &TestServer) {
    let ada = server.user("ada");
    let made = server.ok("POST /api/endpoints", &ada, &json!({"url": HOOK}));
    let path = format!("/api/endpoints/{}", text(&made, "id"));
    server.ok(&format!("PATCH {path}"), &ada, &json!({"description": "mine"}));
    for action in ["rotate", "test", "resend"] {
        server.ok(&format!("POST {path}/{action}"), &ada, &json!({}));
    }
    for path in ["/api/endpoints", &path] {
        server.get(path, &ada);
    }
    let log = server.get(&format!("{path}/deliveries"), &ada);
    let message = text(&log["deliveries"][0], "message");
    server.ok(&format!("POST {path}/deliveries/{message}/resend"), &ada, &json!({}));
    server.ok(&format!("DELETE {path}"), &ada, &NOTHING);
}

/// What customers buy and make.
fn products(server: &TestServer) {
    let (ada, operator) = (server.user("ada"), server.operator());
    for line in ["POST /api/products/prod_hobby/purchase", "POST /api/products/checkout"] {
        server.sells();
        server.ok(line, &ada, &if line.ends_with("checkout") { json!({"plan_id": "prod_hobby"}) } else { NOTHING });
    }
    server.stripe(
        "{stripe: customer.subscription.created, id: evt_s, set: {id: sub_1, customer: cus_1, metadata: {user_id: ada}, \
         price: price_xyz789}}",
    );
    let body = json!({"type": "instance", "name": "App", "metadata": {"subdomain": "adas"}});
    server.ok("POST /api/products", &ada, &body);
    server.settle();
    for path in ["/api/products?type=instance", "/api/products/inst_adas", "/api/products/inst_adas/health"] {
        server.get(path, &ada);
    }
    for method in ["PATCH", "PUT"] {
        let line = format!("{method} /api/products/prod_hobby");
        server.ok(&line, &operator, &json!({"name": "Hobby"}));
    }
    server.ok("DELETE /api/products/inst_adas?confirm=App", &ada, &NOTHING);
    server.settle();
}

/// What programs ask and tell.
fn programs(server: &TestServer) {
    let service = server.service();
    let line = "POST /api/commands/account.register";
    let sent = server.ok(&format!("{line}?account=user:ada"), &service, &json!({"email": "ada@example.com"}));
    assert!(sent.is_object(), "{sent}");
    let id = server.with_host(|host| {
        let events = host.processor().inbox_after(0, 1_000).expect("read");
        events.into_iter().rfind(|row| row.event.kind == "account.register").expect("a command").event.id
    });
    server.settle();
    for path in [
        &format!("/api/commands/{id}"),
        "/api/queries/list?kind=products&account=user:ada",
        "/api/entitlements?account=user:ada",
        "/api/entitlements/check?account=user:ada&key=instances&amount=1",
        "/openapi.json",
        "/health",
    ] {
        server.get(path, &service);
    }
}

/// What operators look at and do.
fn operators(server: &TestServer) {
    let operator = server.operator();
    let get = |path: &str| server.get(&format!("/api/operator/{path}"), &operator);
    get("revenue?show=active");
    for path in [
        "accounts",
        "accounts/user:ada",
        "accounts/user:ada/stripe",
        "instances",
        "tasks",
        "onboarding",
        "drift",
        "backups",
    ] {
        get(path);
    }
    for path in ["mails", "mails/receipt"] {
        get(path);
    }
    server.fail("account-customer:*");
    let line = "POST /api/commands/account.register?account=user:bob";
    server.ok(line, &operator, &json!({"email": "bob@example.com"}));
    server.settle();
    let effects = get("effects");
    let open = effects["effects"].as_array().expect("effects").iter().find(|of| of["kind"] == "stripe.customer.create");
    let line = format!("POST /api/operator/effects/{}/abandon", open.expect("an open effect")["seq"]);
    server.ok(&line, &operator, &json!({"reason": "a test"}));
    server.ok("POST /api/operator/instances/retry", &operator, &json!({}));
    let usage = json!([{"id": "m_1", "meter": "nonsense", "quantity": 1, "at": "2026-01-01T00:00:00Z"}]);
    let event = json!({"id": "pe_2", "account": "user:ada", "timestamp": "2026-01-01T00:00:00Z", "usage": usage});
    assert_eq!(server.send("POST /api/events", &operator, &event).status, 404, "no such meter");
    let events = get("events");
    let rejected = events["events"].as_array().expect("events").iter().find(|of| of["outcome"] == "rejected");
    let seq = &rejected.expect("a rejected event")["seq"];
    get(&format!("events/{seq}"));
    server.ok(&format!("POST /api/operator/events/{seq}/redrive"), &operator, &NOTHING);
    let mail = server.with_host(|host| {
        let store = host.processor().store();
        (1..500).find(|seq| {
            store.effect_at(*seq).expect("read").is_some_and(|row| row.effect.kind == "mail.send" && !row.erased)
        })
    });
    get(&format!("effects/{}/mail", mail.expect("a mail")));
    server.ok("POST /api/operator/clock", &operator, &json!({"advance": "1d"}));
}

#[test]
fn every_operation_of_a_server_has_succeeded_in_the_form_of_the_document() {
    let stripe = AtStripe::start();
    let mut business = solobase().clone();
    // The platform's own spellings are other paths of the same actions.
    business.own.has_platform_paths = false;
    let mut tools = Tools::new(Some(stripe.access()), Some(Arc::new(Differing::default())));
    tools.backups = Some(Arc::new(Shown));
    tools.mails = Some(Arc::new(Shown));
    let solobase = TestServer::of_folder(&business).vault(&vault()).with(|it| {
        it.tools = tools;
        it.local_clock = Some(Arc::new(Shown));
    });
    let solobase = solobase.start();
    solobase.answer("account-customer:*", json!({"id": stripe.customer}));
    programs(&solobase);
    products(&solobase);
    endpoints(&solobase);
    solobase.register("eve@example.com");
    operators(&solobase);
    let twobot = TestServer::keeping_secrets("twobot");
    users(&twobot);
    let shop = registry::shop();
    registry::pulls(&shop);
    let fact = json!({"user_id": "bob", "email": "bob@example.com"});
    let fact = json!({"id": "f1", "event": "user.registered", "account": "user:bob", "data": fact});
    shop.ok("POST /api/events", &shop.service(), &fact);
    let missing = [&solobase, &twobot, &shop].map(|server| BTreeSet::from_iter(server.without_success(true)));
    let [first, second, third] = &missing;
    let missing: Vec<&String> = first.iter().filter(|line| second.contains(*line) && third.contains(*line)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn an_answer_without_the_form_of_its_description_is_noticed() {
    let server = TestServer::start("solobase");
    let (line, right) = ("GET /api/endpoints", Document::of(solobase()));
    let answer = server.send(line, &server.user("ada"), &NOTHING);
    right.check(line, &answer);
    assert!(!right.without_success(true).contains(&line.to_owned()));
    let wrong = |change: fn(&mut Value)| {
        let mut wrong = Document::of(solobase());
        change(&mut wrong.value);
        catch_unwind(AssertUnwindSafe(|| wrong.check(line, &answer))).is_err()
    };
    assert!(!wrong(|_| ()), "a right description");
    assert!(wrong(|of| of["components"]["schemas"]["ServerEndpoints"]["required"] = json!(["endpoint"])), "a member");
    assert!(wrong(|of| of["paths"]["/api/endpoints"]["get"]["responses"] = json!({"201": {}})), "a status");
    assert!(wrong(|of| drop(of["paths"].as_object_mut().expect("paths").remove("/api/endpoints"))), "a path");
}
