//! What a user may do before the address is proved, and what is left of an earlier user of the address after the proof.

use super::server::{NOTHING, TestServer};
use serde_json::{Value, json};

const OTHER: &str = "another horse battery";
const HOOK: &str = "https://hooks.example/in";
/// A checkout of the business's own site with an address, and the account that is made for it.
const PAID: &str = "{stripe: checkout.session.completed, id: evt_paid, set: {id: cs_1, mode: payment, subscription: null, \
                    customer: cus_A, payment_intent: pi_1, metadata: {orchestraName: City, subdomain: city, plan: pro}, \
                    customer_email: ada@example.com}}";
const MADE: &str = "user:usr_b5fc85e55755f9e0";

/// What a user may do with an unproved address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum May {
    /// It is the user's own affair.
    Yes,
    /// It reaches others, or lasts longer than the session.
    No,
    /// It is not allowed to any user.
    Never,
}

/// Each operation by which a user reaches others or an address, or sets up what lasts. The endpoint, the organization and the account
/// are the user's own.
fn operations(endpoint: &str, organization: &str) -> Vec<(May, String, Value)> {
    let line = |text: &str| text.replace("ENDPOINT", endpoint).replace("ORGANIZATION", organization);
    let all = [
        (May::No, "POST /api/endpoints", json!({"url": HOOK})),
        (May::No, "PATCH /api/endpoints/ENDPOINT", json!({"url": "https://hooks.example/other"})),
        (May::No, "PATCH /api/endpoints/ENDPOINT", json!({"status": "enabled"})),
        (May::No, "POST /api/endpoints/ENDPOINT/rotate", json!({})),
        (May::No, "POST /api/auth/organizations", json!({"name": "Choir"})),
        (
            May::No,
            "POST /api/auth/organizations/ORGANIZATION/invitations",
            json!({"email": "eve@example.com", "role": "owner"}),
        ),
        (
            May::No,
            "POST /api/commands/account.connect",
            json!({"return_url": "https://tesslate.example/x", "refresh_url": "https://tesslate.example/y"}),
        ),
        (May::Never, "POST /api/commands/account.register", json!({"email": "victim@example.com"})),
        (May::Never, "POST /api/commands/account.confirm", json!({"email": "victim@example.com"})),
        (May::Never, "POST /api/commands/account.notify", json!({"template": "receipt", "to": "victim@example.com"})),
        (May::Never, "POST /api/commands/campaign.create", json!({"name": "x", "template": "x"})),
        (May::Yes, "POST /api/commands/account.register", json!({"email": "USER@example.com"})),
        (May::Yes, "POST /api/commands/account.portal", json!({"return_url": "https://tesslate.example/x"})),
        (May::Yes, "POST /api/commands/purchase.create", json!({"plan_id": "prod_premium"})),
        (May::Yes, "POST /api/commands/mail.unsubscribe", json!({})),
        (May::Yes, "GET /api/endpoints", NOTHING),
        (May::Yes, "GET /api/auth/organizations", NOTHING),
        (May::Yes, "GET /api/auth/export", NOTHING),
        (May::Yes, "POST /api/auth/confirmation", NOTHING),
        (May::Yes, "POST /api/auth/reset", json!({"email": "USER@example.com"})),
        (May::Yes, "DELETE /api/endpoints/ENDPOINT", NOTHING),
    ];
    all.into_iter().map(|(may, text, body)| (may, line(text), body)).collect()
}

#[test]
fn an_unproved_user_uses_the_own_account_and_reaches_nobody_else() {
    let server = TestServer::keeping_secrets("tesslate");
    for pattern in ["account-customer:*", "connect:*"] {
        server.answer(pattern, json!({"id": "made_1"}));
    }
    for pattern in ["portal:*", "connect-link:*"] {
        server.answer(pattern, json!({"url": "https://stripe.example/p"}));
    }
    for is_proved in [false, true] {
        let name = if is_proved { "proved" } else { "unproved" };
        let (session, id) = match is_proved {
            true => server.proved(&format!("{name}@example.com")),
            false => server.register(&format!("{name}@example.com")),
        };
        // The business itself may add an endpoint to any account.
        let line = format!("POST /api/endpoints?account=user:{id}");
        let endpoint = server.ok(&line, &server.operator(), &json!({"url": HOOK}));
        let endpoint = endpoint["id"].as_str().expect("an id");
        let organization = match is_proved {
            true => server.ok("POST /api/auth/organizations", &session, &json!({"name": "Choir"}))["id"].clone(),
            false => json!("org_0"),
        };
        for (may, line, body) in operations(endpoint, organization.as_str().expect("an id")) {
            // Who has no organization learns nothing of any.
            if !is_proved && line.contains("/invitations") {
                assert_eq!(server.refused(&line, &session, &body), (404, "not-found".into()));
                continue;
            }
            server.sells();
            let body: Value = serde_json::from_str(&body.to_string().replace("USER", name)).expect("JSON");
            // Whether a command is answered at once or later does not matter here.
            let answer = server.send(&line, &session, &body);
            match may {
                May::No if !is_proved => {
                    assert_eq!((answer.status, answer.code()), (403, "address-not-proved"), "{line}");
                    assert!(
                        answer.body.contains("by the link that was mailed to it"),
                        "it says what to do: {answer:?}"
                    );
                }
                May::Never => assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{line} of {name}"),
                May::Yes | May::No => assert!((200..300).contains(&answer.status), "{line} of {name}: {answer:?}"),
            }
        }
    }
    assert_eq!(
        server.mails("organization_invitation", "eve@example.com").len(),
        1,
        "only the proved user has sent one"
    );
}

#[test]
fn who_registered_with_anothers_address_has_nothing_of_the_account_after_the_owner_has_come() {
    for takes_back in ["address_confirmation", "password_reset"] {
        let server = TestServer::keeping_secrets("orchestra");
        let (stranger, id) = server.register("ada@example.com");
        server.stripe(PAID);
        if takes_back == "password_reset" {
            server.post("/api/auth/reset", "", &json!({"email": "ada@example.com"}));
        }
        let token = server.token(takes_back, "ada@example.com", 1);
        // The owner has no session: the link alone proves the address to nobody else.
        let confirmed = server.post("/api/auth/confirm", "", &json!({"token": token}));
        assert_eq!(confirmed.status, 401, "{confirmed:?}");
        let reads =
            |key: &str| server.send(&format!("GET /api/queries/list?kind=products&account={MADE}"), key, &NOTHING);
        assert_eq!(reads(&stranger).status, 403, "{takes_back}");
        let owner = server.ok("POST /api/auth/password", "", &json!({"token": token, "password": OTHER}));
        assert_eq!((&owner["user"]["id"], &owner["user"]["is_confirmed"]), (&json!(id), &json!(true)));
        let session = owner["token"].as_str().expect("a token");
        assert_eq!(reads(session).status, 200, "the purchase of the address is the owner's");
        for path in ["/api/auth/me", "/api/auth/export", "/api/queries/list?kind=products"] {
            assert_eq!(server.send(&format!("GET {path}"), &stranger, &NOTHING).status, 401, "{path}");
        }
        let again = json!({"email": "ada@example.com", "password": "correct horse battery"});
        assert_eq!(server.post("/api/auth/login", "", &again).status, 401, "the stranger's password");
    }
}

#[test]
fn the_tokens_that_a_stranger_has_made_in_the_account_end_with_the_proof() {
    let server = TestServer::keeping_secrets("saas-plugins");
    let (stranger, id) = server.register("ada@example.com");
    server.stripe(&format!(
        "{{stripe: customer.subscription.created, id: evt_1, set: {{id: sub_1, customer: cus_1, metadata: {{user_id: {id}}}, \
         price: price_editor_m}}}}"
    ));
    let product = json!({"product_id": "prod_sample_editor"});
    let issued = server.ok("POST /api/docker/download-token", &stranger, &product);
    let issued = issued["token"].as_str().expect("a token").to_owned();
    let status = |key: &str| {
        let listed = server.ok("GET /api/queries/list?kind=tokens", key, &NOTHING);
        listed["entries"][0]["value"]["status"].clone()
    };
    assert_eq!(status(&stranger), "issued");
    server.post("/api/auth/reset", "", &json!({"email": "ada@example.com"}));
    let token = server.token("password_reset", "ada@example.com", 1);
    let owner = server.ok("POST /api/auth/password", "", &json!({"token": token, "password": OTHER}));
    let owner = owner["token"].as_str().expect("a token");
    assert_eq!(status(owner), "revoked", "{issued}");
    // The owner's own tokens stay when the password is set again.
    server.ok("POST /api/docker/download-token", owner, &product);
    server.post("/api/auth/reset", "", &json!({"email": "ada@example.com"}));
    let token = server.token("password_reset", "ada@example.com", 2);
    let owner = server.ok("POST /api/auth/password", "", &json!({"token": token, "password": "a third horse battery"}));
    let listed = server.ok("GET /api/queries/list?kind=tokens", owner["token"].as_str().expect("a token"), &NOTHING);
    let states = listed["entries"].as_array().expect("entries").iter().map(|entry| &entry["value"]["status"]);
    let mut states: Vec<&str> = states.filter_map(Value::as_str).collect();
    states.sort_unstable();
    assert_eq!(states, ["issued", "revoked"]);
}

#[test]
fn a_purchase_with_an_address_reaches_its_user_only_once_the_address_is_proved() {
    let server = TestServer::keeping_secrets("orchestra");
    let (session, id) = server.register("ada@example.com");
    server.stripe(PAID);
    let accounts = || {
        let export = server.ok("GET /api/auth/export", &session, &NOTHING);
        export["accounts"].as_object().expect("accounts").keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(accounts(), [format!("user:{id}")]);
    let (owner, _) = server.proved("owner@example.com");
    let choir = server.ok("POST /api/auth/organizations", &owner, &json!({"name": "Choir"}));
    // An invitation that was mailed to the address is a proof as well.
    let token = server.invite(&choir, &owner, "ada@example.com", "member", 1);
    server.ok("POST /api/auth/join", &session, &json!({"token": token}));
    let mut both = vec![format!("user:{id}"), MADE.to_owned()];
    both.sort();
    assert_eq!(accounts(), both);
    // The buyer's address is known before anybody has taken the account over.
    let contacts = server.ok(&format!("GET /api/queries/list?kind=contacts&account={MADE}"), &session, &NOTHING);
    assert_eq!(contacts["entries"][0]["value"]["email"], "ada@example.com", "{contacts}");
}

#[test]
fn owners_see_and_withdraw_invitations_and_a_removal_ends_them() {
    let server = TestServer::keeping_secrets("twobot");
    let [(ada, _), (bob, bob_id), (eve, _)] =
        ["ada", "bob", "eve"].map(|name| server.proved(&format!("{name}@example.com")));
    let choir = server.ok("POST /api/auth/organizations", &ada, &json!({"name": "Choir"}));
    let path = format!("/api/auth/organizations/{}", choir["id"].as_str().expect("an id"));
    let open = |key: &str| {
        let listed = server.ok(&format!("GET {path}/invitations"), key, &NOTHING);
        listed["invitations"].as_array().expect("invitations").clone()
    };
    let join = |key: &str, token: &str| server.post("/api/auth/join", key, &json!({"token": token})).status;
    let to_bob = server.invite(&choir, &ada, "bob@example.com", "owner", 1);
    let to_eve = server.invite(&choir, &ada, "eve@example.com", "member", 1);
    let listed = open(&ada);
    let emails: Vec<&str> = listed.iter().filter_map(|open| open["email"].as_str()).collect();
    assert_eq!(
        (emails.as_slice(), &listed[1]["roles"]),
        (&["bob@example.com", "eve@example.com"][..], &json!(["member"]))
    );
    let withdraw = format!("DELETE {path}/invitations/{}", listed[1]["id"].as_str().expect("an id"));
    assert_eq!(server.refused(&withdraw, &eve, &NOTHING), (404, "not-found".into()), "a stranger learns nothing");
    assert_eq!(join(&bob, &to_bob), 200);
    server.ok(&withdraw, &bob, &NOTHING);
    assert_eq!(server.refused(&withdraw, &bob, &NOTHING), (404, "not-found".into()));
    assert_eq!((join(&eve, &to_eve), open(&ada).len()), (410, 0));
    // Bob invites a friend and is invited again; then he is removed.
    let friend = server.invite(&choir, &bob, "eve@example.com", "owner", 2);
    let further = server.invite(&choir, &ada, "bob@example.com", "billing", 2);
    server.ok(&format!("DELETE {path}/members/{bob_id}"), &ada, &NOTHING);
    assert_eq!((join(&eve, &friend), join(&bob, &further), open(&ada).len()), (410, 410, 0));
    for key in [&bob, &eve] {
        assert_eq!(server.refused(&format!("GET {path}/invitations"), key, &NOTHING).0, 404);
    }
}

#[test]
fn members_use_the_seats_of_their_organization() {
    let server = TestServer::keeping_secrets("per-seat");
    let [(ada, _), (bob, bob_id), (eve, _), (dan, _)] =
        ["ada", "bob", "eve", "dan"].map(|name| server.proved(&format!("{name}@example.com")));
    let choir = server.ok("POST /api/auth/organizations", &ada, &json!({"name": "Choir"}));
    let path = format!("/api/auth/organizations/{}", choir["id"].as_str().expect("an id"));
    let invite = |name: &str| {
        let body = json!({"email": format!("{name}@example.com"), "role": "member"});
        server.post(&format!("{path}/invitations"), &ada, &body)
    };
    let join = |key: &str, token: &str| server.post("/api/auth/join", key, &json!({"token": token})).status;
    let seats = || server.get(&format!("{path}/members"), &ada)["seats"].clone();
    // The plan without a price has three seats, and Ada has one of them.
    assert_eq!(seats(), json!({"used": 1, "limit": 3}));
    let to_bob = server.invite(&choir, &ada, "bob@example.com", "member", 1);
    server.invite(&choir, &ada, "eve@example.com", "member", 1);
    let refused = invite("dan");
    assert_eq!((refused.status, refused.code()), (409, "no-free-seat"), "open invitations count: {refused:?}");
    let names = refused.json["upgrades"].as_array().expect("upgrades").iter();
    let names: std::collections::BTreeSet<String> = names.map(|price| price["name"].to_string()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["\"Company\"", "\"Pro\""]);
    // A second invitation of the same address needs no further seat.
    let to_eve = server.invite(&choir, &ada, "eve@example.com", "member", 2);
    assert_eq!(join(&eve, &to_eve), 200);
    assert_eq!(join(&bob, &to_bob), 200);
    assert_eq!((seats(), invite("dan").status), (json!({"used": 3, "limit": 3}), 409));
    // A member who is removed frees a seat.
    server.ok(&format!("DELETE {path}/members/{bob_id}"), &ada, &NOTHING);
    let to_dan = server.invite(&choir, &ada, "dan@example.com", "member", 1);
    assert_eq!((join(&dan, &to_dan), seats()), (200, json!({"used": 3, "limit": 3})));
}

#[test]
fn the_name_in_an_invitation_has_no_address_and_no_link() {
    let server = TestServer::keeping_secrets("twobot");
    let (ada, _) = server.proved("ada@example.com");
    for name in ["URGENT: pay at https://evil.example/pay", "evil.example", "write to eve@evil.example", "a\nb", ""] {
        let answer = server.post("/api/auth/organizations", &ada, &json!({"name": name}));
        assert_eq!((answer.status, answer.code()), (422, "invalid"), "{name}");
        assert!(answer.body.contains("\"pointer\":\"/name\""), "{answer:?}");
    }
}

#[test]
fn the_endpoints_of_an_account_end_with_it() {
    let server = TestServer::keeping_secrets("twobot");
    let operator = server.operator();
    let endpoints = |account: &str| {
        let all = server.ok(&format!("GET /api/endpoints?account={account}"), &operator, &NOTHING);
        all["endpoints"].as_array().expect("endpoints").len()
    };
    let (ada, id) = server.proved("ada@example.com");
    let choir = server.ok("POST /api/auth/organizations", &ada, &json!({"name": "Choir"}));
    let (own, organization) = (format!("user:{id}"), choir["account"].as_str().expect("an account"));
    for account in [own.as_str(), organization, "user:zoe"] {
        server.ok(&format!("POST /api/endpoints?account={account}"), &operator, &json!({"url": HOOK}));
        assert_eq!(endpoints(account), 1);
    }
    server.ok(&format!("DELETE /api/auth/organizations/{}", choir["id"].as_str().expect("an id")), &ada, &NOTHING);
    server.ok("POST /api/auth/erase", &ada, &json!({"password": "correct horse battery"}));
    server.ok("POST /api/commands/account.close?account=user:zoe", &operator, &json!({}));
    assert_eq!([own.as_str(), organization, "user:zoe"].map(endpoints), [0, 0, 0]);
}
