//! Links by mail, organizations, and the export and end of a user, over HTTP.

use super::raw::Answer;
use super::server::{NOTHING, TestServer, vault};
use host_api::FrontLimits;
use host_provider_api::Secrets;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "another horse battery";

/// Starts a server with the usual limits of mails.
fn limited(business: &str) -> TestServer {
    let usual = FrontLimits::default().mails;
    TestServer::of(business).vault(&vault()).limits(|limits| limits.mails = usual).start()
}

/// What people do with the links in their mails.
impl TestServer {
    /// Sends a request from an address, without a session.
    fn post_from(&self, path: &str, from: &str, body: &Value) -> Answer {
        self.request(&format!("POST {path}"), &[("X-Forwarded-For", from)], body.to_string().as_bytes())
    }

    /// Registers a user, who has not proved the address yet. Returns the session and the user's id.
    pub fn register(&self, email: &str) -> (String, String) {
        let body = self.ok("POST /api/auth/register", "", &json!({"email": email, "password": PASSWORD}));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (text(&body["token"]), text(&body["user"]["id"]))
    }

    /// Registers a user, who proves the address.
    pub fn proved(&self, email: &str) -> (String, String) {
        let (session, id) = self.register(email);
        let token = self.token("address_confirmation", email, 1);
        self.ok("POST /api/auth/confirm", &session, &json!({"token": token}));
        (session, id)
    }

    /// Invites an address, and returns the token of the mail.
    pub fn invite(&self, organization: &Value, owner: &str, email: &str, role: &str, number: usize) -> String {
        let line = format!("POST /api/auth/organizations/{}/invitations", organization["id"].as_str().expect("an id"));
        self.ok(&line, owner, &json!({"email": email, "role": role}));
        self.token("organization_invitation", email, number)
    }

    /// Returns the payloads of the mails of a template to an address, in the order in which they were sent.
    pub fn mails(&self, template: &str, to: &str) -> Vec<(String, Value)> {
        self.settle();
        let sent = self.journal().into_iter().filter(|entry| {
            let payload = &entry.call.payload;
            entry.call.kind == "mail.send" && payload["template"] == template && payload["to"] == to
        });
        sent.map(|entry| (entry.call.scope.clone(), entry.call.payload.clone())).collect()
    }

    /// Returns the token of the link in a mail of a template to an address. A mail may be sent after its request was answered.
    pub fn token(&self, template: &str, to: &str, number: usize) -> String {
        let until = Instant::now() + Duration::from_secs(10);
        let (scope, payload) = loop {
            if let Some(mail) = self.mails(template, to).get(number - 1) {
                break mail.clone();
            }
            assert!(Instant::now() < until, "no {template} to {to}");
            std::thread::sleep(Duration::from_millis(5));
        };
        let reference = payload["secrets"]["link"].as_str().expect("a reference");
        let link = self.vault.resolve(&scope, reference).expect("a link");
        let (page, token) = link.expose().split_once("?token=").expect("a token");
        assert!(page.starts_with("https://pages.example/auth/"), "{page}");
        assert!(!payload.to_string().contains(token), "the effect has the reference only");
        token.to_owned()
    }
}

#[test]
fn a_password_is_reset_by_a_link_that_works_once() {
    let server = TestServer::keeping_secrets("saas-plugins");
    let (session, _) = server.register("ada@example.com");
    let unknown = server.post("/api/auth/reset", "", &json!({"email": "nobody@example.com"}));
    let known = server.post("/api/auth/reset", "", &json!({"email": "Ada@example.com"}));
    assert_eq!((unknown.status, &unknown.body), (known.status, &known.body), "nobody learns who is registered");
    assert_eq!(known.status, 202);
    let token = server.token("password_reset", "ada@example.com", 1);
    assert_eq!(server.mails("password_reset", "nobody@example.com"), []);
    let set = |token: &str, password: &str| {
        let answer = server.post("/api/auth/password", "", &json!({"token": token, "password": password}));
        (answer.status, if answer.status == 200 { String::new() } else { answer.code().to_owned() })
    };
    assert_eq!(set(&token, "short"), (422, "invalid".to_owned()));
    assert_eq!(set(&token, OTHER), (200, String::new()));
    assert_eq!(set(&token, OTHER), (410, "link-ended".to_owned()), "it was used");
    assert_eq!(set("made-up", OTHER), (410, "link-ended".to_owned()));
    assert_eq!(server.send("GET /api/auth/me", &session, &NOTHING).status, 401, "the old session has ended");
    let log_in =
        |password: &str| server.post("/api/auth/login", "", &json!({"email": "ada@example.com", "password": password}));
    assert_eq!((log_in(PASSWORD).status, log_in(OTHER).status), (401, 200));
    server.post("/api/auth/reset", "", &json!({"email": "ada@example.com"}));
    let late = server.token("password_reset", "ada@example.com", 2);
    server.advance_to(server.now() + 3_600_000);
    assert_eq!(set(&late, PASSWORD), (410, "link-ended".to_owned()), "it has expired");
}

#[test]
fn a_new_user_proves_the_address_and_then_gets_the_checkouts_that_it_paid_for() {
    let server = TestServer::keeping_secrets("orchestra");
    let paid = "{stripe: checkout.session.completed, id: evt_paid, set: {id: cs_1, mode: payment, subscription: null, \
                customer: cus_A, payment_intent: pi_1, metadata: {orchestraName: City, subdomain: city, plan: pro}, \
                customer_email: ada@example.com}}";
    server.stripe(paid);
    let (session, _) = server.register("ada@example.com");
    let products = |account: &str| {
        let answer = server.send(&format!("GET /api/queries/list?kind=products&account={account}"), &session, &NOTHING);
        let body: Value = answer.json;
        (answer.status, body["entries"][0]["id"].clone())
    };
    // The account of the checkout: its id comes from the address.
    let made = "user:usr_b5fc85e55755f9e0";
    assert_eq!(products(made).0, 403, "whoever registers an address has not proved it");
    let token = server.token("address_confirmation", "ada@example.com", 1);
    let confirm = json!({"token": token});
    let (other, _) = server.register("eve@example.com");
    for (key, refused) in [("", (401, "unauthorized".to_owned())), (&other, (403, "forbidden".to_owned()))] {
        assert_eq!(server.refused("POST /api/auth/confirm", key, &confirm), refused, "no session of this user");
    }
    assert_eq!(products(made).0, 403);
    assert_eq!(server.ok("POST /api/auth/confirm", &session, &confirm)["is_confirmed"], json!(true));
    assert_eq!(server.post("/api/auth/confirm", &session, &confirm).status, 410);
    assert_eq!(products(made), (200, json!("orch_city")));
    // A later checkout goes to the same account.
    server.stripe(
        &paid
            .replace("evt_paid", "evt_later")
            .replace("cs_1", "cs_2")
            .replace("pi_1", "pi_2")
            .replace("cus_A", "cus_B")
            .replace("city", "town"),
    );
    let export = server.ok("GET /api/auth/export", &session, &NOTHING);
    let ids: Vec<&Value> =
        export["accounts"][made]["products"].as_array().expect("products").iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, ["orch_city", "orch_town"]);
    assert_eq!(export["user"]["email"], json!("ada@example.com"));
}

#[test]
fn members_of_an_organization_do_what_their_roles_allow() {
    let server = TestServer::keeping_secrets("twobot");
    let (ada, ada_id) = server.proved("ada@example.com");
    let (bob, bob_id) = server.register("bob@example.com");
    let (eve, _) = server.register("eve@example.com");
    let made = server.ok("POST /api/auth/organizations", &ada, &json!({"name": "Choir"}));
    let (id, account) = (made["id"].as_str().expect("an id"), made["account"].as_str().expect("an account"));
    assert_eq!(made["roles"], json!(["owner"]));
    let code = |line: &str, key: &str, body: &Value| server.refused(line, key, body);
    let (invite, unknown) =
        (format!("POST /api/auth/organizations/{id}/invitations"), "POST /api/auth/organizations/org_0/invitations");
    let to_bob = json!({"email": "Bob@example.com", "role": "billing"});
    // Somebody who is not a member learns nothing about the organization.
    assert_eq!(code(&invite, &eve, &to_bob), code(unknown, &eve, &to_bob));
    assert_eq!(code(&invite, &eve, &to_bob).0, 404);
    assert_eq!(code(&invite, &ada, &json!({"email": "bob@example.com", "role": "king"})), (422, "invalid".into()));
    server.ok(&invite, &ada, &to_bob);
    let token = server.token("organization_invitation", "bob@example.com", 1);
    let [(_, mail)] = <[_; 1]>::try_from(server.mails("organization_invitation", "bob@example.com")).expect("one mail");
    assert_eq!(mail["values"], json!({"organization": "Choir", "role": "billing"}));
    let join = json!({"token": token});
    let invitation = format!("GET /api/auth/invitation?token={token}");
    let shown = json!({"organization": "Choir", "roles": ["billing"], "email": "bob@example.com"});
    assert_eq!(server.ok(&invitation, &bob, &NOTHING), shown);
    for (line, body) in [("POST /api/auth/join", &join), (invitation.as_str(), &NOTHING)] {
        assert_eq!(code(line, &eve, body), (403, "forbidden".into()), "it went to another address");
    }
    let seen = format!("GET /api/entitlements?account={account}");
    assert_eq!(server.send(&seen, &bob, &NOTHING).status, 403);
    server.advance_to(server.now() + 1);
    let joined = server.ok("POST /api/auth/join", &bob, &join);
    assert_eq!((&joined["roles"], &joined["user"]["is_confirmed"]), (&json!(["billing"]), &json!(true)));
    for (line, body) in [("POST /api/auth/join", &join), (invitation.as_str(), &NOTHING)] {
        assert_eq!(code(line, &bob, body), (410, "link-ended".into()));
    }
    assert_eq!(server.send(&seen, &bob, &NOTHING).status, 200);
    // `billing` may open the portal, and makes no workspaces.
    let create = format!("POST /api/commands/product.create?account={account}");
    assert_eq!(code(&create, &bob, &json!({"name": "w"})), (403, "forbidden".into()));
    let portal = server.send(&format!("POST /api/commands/account.portal?account={account}"), &bob, &json!({}));
    assert_ne!(portal.status, 403, "{portal:?}");
    assert_eq!(code(&invite, &bob, &to_bob), (403, "forbidden".into()), "only owners invite");
    let members = server.ok(&format!("GET /api/auth/organizations/{id}/members"), &bob, &NOTHING);
    let emails: Vec<&Value> =
        members["members"].as_array().expect("members").iter().map(|member| &member["user"]["email"]).collect();
    assert_eq!(emails, ["ada@example.com", "bob@example.com"]);
    let remove = |user: &str| format!("DELETE /api/auth/organizations/{id}/members/{user}");
    assert_eq!(code(&remove(&ada_id), &ada, &NOTHING), (409, "last-owner".into()));
    assert_eq!(code(&remove(&ada_id), &bob, &NOTHING), (403, "forbidden".into()));
    server.ok(&remove(&bob_id), &bob, &NOTHING);
    assert_eq!(server.send(&seen, &bob, &NOTHING).status, 403, "who has left reaches nothing");
    server.ok(&format!("DELETE /api/auth/organizations/{id}"), &ada, &NOTHING);
    assert_eq!(server.ok("GET /api/auth/organizations", &ada, &NOTHING), json!({"organizations": []}));
}

#[test]
fn a_user_leaves_and_the_business_closes_the_account() {
    let server = TestServer::keeping_secrets("twobot");
    let (ada, id) = server.proved("ada@example.com");
    let made = server.ok("POST /api/auth/organizations", &ada, &json!({"name": "Choir"}));
    let organization = made["id"].as_str().expect("an id");
    let erase = |password: &str| {
        let answer = server.post("/api/auth/erase", &ada, &json!({"password": password}));
        (answer.status, answer.body)
    };
    let (status, body) = erase(OTHER);
    assert_eq!((status, body.contains("wrong-credentials")), (403, true));
    let (status, body) = erase(PASSWORD);
    assert_eq!((status, body.contains(organization)), (409, true), "an organization would lose its owner");
    server.ok(&format!("DELETE /api/auth/organizations/{organization}"), &ada, &NOTHING);
    assert_eq!(erase(PASSWORD), (200, "{}".to_owned()));
    assert_eq!(server.send("GET /api/auth/me", &ada, &NOTHING).status, 401);
    let log_in = server.post("/api/auth/login", "", &json!({"email": "ada@example.com", "password": PASSWORD}));
    assert_eq!(log_in.status, 401, "the user is gone");
    let closed =
        server.send(&format!("POST /api/commands/account.register?account=user:{id}"), &server.operator(), &json!({}));
    assert_eq!((closed.status, closed.code()), (402, "requirement-unmet"), "{closed:?}");
    // The address is free again, for a new account.
    assert_ne!(server.register("ada@example.com").1, id);
}

#[test]
fn strangers_who_ask_for_resets_leave_the_owner_a_link_that_works() {
    let server = limited("twobot");
    server.register("ada@example.com");
    let reset = |from: &str| server.post_from("/api/auth/reset", from, &json!({"email": "ada@example.com"})).status;
    for attempt in 0..20 {
        assert_eq!(reset("192.0.2.1"), 202, "attempt {attempt}");
    }
    assert_eq!(reset("198.51.100.7"), 202, "the owner");
    server.token("password_reset", "ada@example.com", 4);
    assert_eq!(server.mails("password_reset", "ada@example.com").len(), 4, "three of the stranger, one of the owner");
    for stranger in 0..20 {
        assert_eq!(reset(&format!("203.0.113.{stranger}")), 202, "many strangers");
    }
    let [first, last] = [1, 10].map(|number| server.token("password_reset", "ada@example.com", number));
    assert_eq!(server.mails("password_reset", "ada@example.com").len(), 10, "the mailbox is not filled");
    assert_eq!(reset("198.51.100.8"), 202, "the owner again, who looks into the mailbox");
    let set = "POST /api/auth/password";
    server.ok(set, "", &json!({"token": first, "password": OTHER}));
    let again = server.refused(set, "", &json!({"token": last, "password": PASSWORD}));
    assert_eq!(again, (410, "link-ended".to_owned()), "all end with the one that was used");
}

#[test]
fn nobody_fills_a_mailbox_with_registrations_confirmations_and_invitations() {
    let server = limited("twobot");
    let account = json!({"email": "victim@example.com", "password": PASSWORD});
    let mut session = String::new();
    for round in 0..6 {
        let registered = server.post_from("/api/auth/register", "192.0.2.1", &account);
        assert_eq!(registered.status, 201, "round {round}: a registration does not wait for its mail");
        let body: Value = registered.json;
        session = body["token"].as_str().expect("a token").to_owned();
        if round < 5 {
            server.ok("POST /api/auth/erase", &session, &json!({"password": PASSWORD}));
        }
    }
    assert_eq!(server.mails("address_confirmation", "victim@example.com").len(), 3, "of one network");
    let confirm = || server.post("/api/auth/confirmation", &session, &NOTHING);
    let asked: Vec<u16> = (0..5).map(|_| confirm().status).collect();
    assert_eq!(asked, [202, 202, 202, 429, 429], "of one user");
    assert!(confirm().header("retry-after").is_some());
    let (eve, _) = server.proved("eve@example.com");
    let made = server.ok("POST /api/auth/organizations", &eve, &json!({"name": "Choir"}));
    let path = format!("/api/auth/organizations/{}/invitations", made["id"].as_str().expect("an id"));
    let invite = |email: &str| {
        let answer = server.post(&path, &eve, &json!({"email": email, "role": "owner"}));
        (answer.status, answer.header("retry-after").is_some())
    };
    let invited: Vec<_> = (0..5).map(|_| invite("victim@example.com")).collect();
    assert_eq!(invited, [(202, false), (202, false), (202, false), (429, true), (429, true)]);
    assert_eq!(invite("bob@example.com"), (202, false), "another mailbox");
}
