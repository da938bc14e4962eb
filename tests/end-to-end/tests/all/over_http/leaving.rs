//! What is left to users who have left, whose account is closed, or who are members of an organization no more.

use super::links::PASSWORD;
use super::server::{NOTHING, TestServer};
use extension_contract::{Account, ActorKind};
use host_identity::access::Reach;
use serde_json::{Value, json};

const HOOK: &str = "https://hooks.example/in";

/// The ways in which an account is closed.
#[derive(Clone, Copy, Debug)]
enum Closing {
    Erase,
    Command,
}

#[test]
fn the_user_of_a_closed_account_is_gone_with_all_sessions_and_keys() {
    for closing in [Closing::Erase, Closing::Command] {
        let server = TestServer::keeping_secrets("twobot");
        let (session, id) = server.proved("ada@example.com");
        let key = server.user(&id);
        server.ok("POST /api/endpoints", &key, &json!({"url": HOOK}));
        match closing {
            Closing::Erase => server.ok("POST /api/auth/erase", &session, &json!({"password": PASSWORD})),
            Closing::Command => {
                let line = format!("POST /api/commands/account.close?account=user:{id}");
                server.ok(&line, &server.operator(), &json!({}))
            }
        };
        let hook = json!({"url": HOOK});
        for (line, key, body) in [
            ("GET /api/auth/me", &session, &NOTHING),
            ("POST /api/auth/organizations", &session, &json!({"name": "Choir"})),
            ("POST /api/endpoints", &session, &hook),
            ("POST /api/endpoints", &key, &hook),
            ("GET /api/queries/list?kind=products", &key, &NOTHING),
        ] {
            assert_eq!(server.refused(line, key, body), (401, "unauthorized".to_owned()), "{line} after {closing:?}");
        }
        let again = json!({"email": "ada@example.com", "password": PASSWORD});
        assert_eq!(server.post("/api/auth/login", "", &again).status, 401, "{closing:?}");
        let other = server.user("zoe");
        server.ok("GET /api/queries/list?kind=products", &other, &NOTHING);
        server.ok("POST /api/commands/account.close?account=user:zoe", &server.operator(), &json!({}));
        assert_eq!(server.refused("GET /api/queries/list?kind=products", &other, &NOTHING).0, 401, "of another server");
        for kind in [ActorKind::Admin, ActorKind::Service] {
            let namesake = server.key(kind, "zoe", &[], Reach::All);
            server.ok("GET /api/queries/list?kind=products&account=user:zoe", &namesake, &NOTHING);
        }
        let of_ada = server.key(ActorKind::Admin, &id, &[], Reach::All);
        assert_eq!(server.refused("GET /api/operator/accounts", &of_ada, &NOTHING).0, 401, "her key as an operator");
    }
}

#[test]
fn the_key_of_a_member_reaches_the_organization_until_the_member_is_removed() {
    let server = TestServer::keeping_secrets("twobot");
    let (ada, _) = server.proved("ada@example.com");
    let (bob, bob_id) = server.proved("bob@example.com");
    let choir = server.ok("POST /api/auth/organizations", &ada, &json!({"name": "Choir"}));
    let token = server.invite(&choir, &ada, "bob@example.com", "owner", 1);
    server.ok("POST /api/auth/join", &bob, &json!({"token": token}));
    let (id, account) = (choir["id"].as_str().expect("an id"), choir["account"].as_str().expect("an account"));
    let accounts = [format!("user:{bob_id}"), account.to_owned()];
    let reach = Reach::Accounts(accounts.iter().map(|account| account.parse::<Account>().expect("one")).collect());
    let key = server.key(ActorKind::User, &bob_id, &["owner"], reach);
    let status = |account: &str| {
        server.send(&format!("GET /api/queries/list?kind=products&account={account}"), &key, &NOTHING).status
    };
    assert_eq!(accounts.each_ref().map(|account| status(account)), [200, 200]);
    let removed: Value = server.ok(&format!("DELETE /api/auth/organizations/{id}/members/{bob_id}"), &ada, &NOTHING);
    assert_eq!(removed, json!({}));
    assert_eq!(accounts.each_ref().map(|account| status(account)), [200, 403], "his own account goes on");
}
