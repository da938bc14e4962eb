//! Tokens of issuers are keys, browsers log in at issuers, and cookies count only on requests of the server's own pages. The issuer is a
//! small one of these tests; `cli serve::issuers` has a real one.

use super::raw::Answer;
use super::server::{NOTHING, TestServer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use host_identity::issuers::{IssuerSettings, LoginSettings, RoleSettings};
use host_provider_api::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// The beginning of an Ed25519 key in PKCS #8 (RFC 8410); the seed follows.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const URL: &str = "https://manage.example.com";

/// What the issuer answers and has been asked.
#[derive(Default)]
struct Told {
    /// The seeds of the published keys.
    keys: Vec<u8>,
    /// The claims of the token for each code.
    codes: BTreeMap<String, Value>,
    /// What the issuer says of the user besides.
    user: Value,
    /// Path and body of each request.
    asked: Vec<(String, String)>,
    is_down: bool,
}

#[derive(Clone)]
pub struct Issuer {
    url: String,
    told: Arc<Mutex<Told>>,
}

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

pub fn signed(seed: u8, claims: &Value) -> String {
    let header = Header { kid: Some(format!("k{seed}")), ..Header::new(Algorithm::EdDSA) };
    encode(&header, claims, &EncodingKey::from_ed_der(&[&PKCS8[..], &[seed; 32]].concat())).expect("signed")
}

impl Issuer {
    pub fn start() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let issuer = Issuer { url, told: Arc::default() };
        issuer.told.lock().expect("no panic").keys = vec![1];
        let answering = issuer.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut reader = BufReader::new(stream.try_clone().expect("a copy"));
                let (mut line, mut length, mut first) = (String::new(), 0, String::new());
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    if first.is_empty() {
                        first = line.split(' ').nth(1).unwrap_or_default().to_owned();
                    }
                    if let Some(given) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                        length = given.trim().parse().unwrap_or(0);
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("the body");
                let body = answering.answer(&first, &String::from_utf8(body).expect("a text"));
                let (status, body) = body.map_or(("400 Bad Request", json!({})), |body| ("200 OK", body));
                let body = body.to_string();
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("written");
            }
        });
        issuer
    }

    fn answer(&self, path: &str, body: &str) -> Option<Value> {
        let mut told = self.told.lock().expect("no panic");
        told.asked.push((path.to_owned(), body.to_owned()));
        if told.is_down {
            return None;
        }
        match path {
            "/.well-known/openid-configuration" => Some(json!({
                "issuer": self.url,
                "authorization_endpoint": format!("{}/authorize?tenant=1", self.url),
                "token_endpoint": format!("{}/token", self.url),
                "userinfo_endpoint": format!("{}/me", self.url),
                "jwks_uri": format!("{}/keys", self.url),
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            })),
            "/keys" => {
                let key = |seed: &u8| {
                    let pair = Ed25519KeyPair::from_seed_unchecked(&[*seed; 32]).expect("a key");
                    let public = URL_SAFE_NO_PAD.encode(pair.public_key());
                    json!({"kty": "OKP", "crv": "Ed25519", "kid": format!("k{seed}"), "x": public})
                };
                Some(json!({"keys": told.keys.iter().map(key).collect::<Vec<_>>()}))
            }
            "/token" => {
                let form = form(body);
                let claims = told.codes.remove(form.get("code")?)?;
                Some(json!({"access_token": "at", "token_type": "Bearer", "id_token": signed(told.keys[0], &claims)}))
            }
            "/me" => Some(told.user.clone()),
            _ => None,
        }
    }

    fn asked(&self, path: &str) -> Vec<String> {
        let told = self.told.lock().expect("no panic");
        told.asked.iter().filter(|(asked, _)| asked == path).map(|(_, body)| body.clone()).collect()
    }

    fn set(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().expect("no panic"));
    }

    pub fn settings(&self) -> IssuerSettings {
        let values = |text: &str| vec![text.to_owned()];
        IssuerSettings {
            issuer: self.url.clone(),
            keys: None,
            audience: Some("shop-api".to_owned()),
            roles: Some(RoleSettings {
                claim: "app.roles".to_owned(),
                operators: values("admin"),
                services: values("backend"),
            }),
            login: Some(LoginSettings {
                name: "example".to_owned(),
                client_id: "shop".to_owned(),
                client_secret: Some(Secret::new("s3cret".to_owned())),
            }),
        }
    }

    pub fn claims(&self, subject: &str) -> Value {
        json!({"iss": self.url, "aud": "shop-api", "sub": subject, "exp": now_s() + 600})
    }
}

/// Reads a form or a query.
fn form(text: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        let mut parts = text.split('%');
        let first = parts.next().unwrap_or_default().as_bytes().to_vec();
        let bytes = parts.fold(first, |mut bytes, part| {
            bytes.push(u8::from_str_radix(&part[..2], 16).expect("a byte"));
            bytes.extend(part[2..].bytes());
            bytes
        });
        String::from_utf8(bytes).expect("a text")
    };
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// Starts a server that trusts an issuer, and that browsers reach at an address.
fn server(issuer: &Issuer) -> TestServer {
    let (issuers, url) = (vec![issuer.settings()], URL.to_owned());
    TestServer::of("saas-plugins").with(|it| (it.issuers, it.url) = (issuers, url)).start()
}

fn request(api: &TestServer, line: &str, headers: &[(&str, &str)]) -> Answer {
    api.request(line, headers, b"")
}

// covers: PLG-70, D-44
#[test]
fn a_token_of_an_issuer_is_a_key_until_it_is_changed_has_expired_or_is_of_somebody_else() {
    let issuer = Issuer::start();
    let api = server(&issuer);
    let subscriptions = |token: &str| api.send("GET /api/subscriptions/me", token, &NOTHING);
    let good = signed(1, &issuer.claims("u1"));
    assert_eq!(subscriptions(&good).status, 200, "the account is `user:u1`");
    let other = api.send("GET /api/entitlements?account=user:u2", &good, &NOTHING);
    assert_eq!((other.status, other.code()), (403, "forbidden"));
    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims("u1");
        claims[name] = value;
        claims
    };
    let (head, rest) = good.split_at(good.find('.').expect("a dot") + 12);
    let changed = format!("{head}{}{}", if rest.starts_with('A') { 'B' } else { 'A' }, &rest[1..]);
    for (token, why) in [
        (changed, "changed"),
        (signed(1, &with("exp", json!(now_s() - 100))), "expired"),
        (signed(1, &with("aud", json!("another-api"))), "for another audience"),
        (signed(2, &issuer.claims("u1")), "signed with an unknown key"),
        (signed(1, &with("iss", json!("http://127.0.0.1:1"))), "of an unknown issuer"),
    ] {
        let refused = subscriptions(&token);
        assert_eq!((refused.status, refused.code()), (401, "unauthorized"), "{why}");
    }
    let campaigns = |token: &str| api.send("GET /api/campaigns", token, &NOTHING).status;
    assert_eq!(campaigns(&good), 403);
    assert_eq!(campaigns(&signed(1, &with("app", json!({"roles": ["admin"]})))), 200, "an operator");
    assert_eq!(campaigns(&signed(1, &with("roles", json!(["admin"])))), 403, "the role is in another claim");
    let report = json!({"id": "f1", "event": "user.registered", "account": "user:u1", "data": {"user_id": "u1", "email": "u1@example.com"}});
    let service = signed(1, &with("app", json!({"roles": ["backend"]})));
    assert_eq!(api.send("POST /api/events", &service, &report).status, 200, "a service");
    assert_eq!(api.send("POST /api/events", &good, &report).status, 403);
    assert_eq!(issuer.asked("/keys").len(), 1, "unknown keys do not make the server ask all the time");
}

#[test]
fn keys_that_the_issuer_has_replaced_count_no_longer() {
    let issuer = Issuer::start();
    let api = server(&issuer);
    let status = |seed: u8| api.send("GET /api/subscriptions/me", &signed(seed, &issuer.claims("u1")), &NOTHING).status;
    issuer.set(|told| told.is_down = true);
    assert_eq!(status(1), 401, "nobody knows the keys");
    let api = server(&issuer);
    let status = |seed: u8| api.send("GET /api/subscriptions/me", &signed(seed, &issuer.claims("u1")), &NOTHING).status;
    issuer.set(|told| told.is_down = false);
    issuer.set(|told| told.keys = vec![2, 3]);
    assert_eq!((status(3), status(2), status(1)), (200, 200, 401));
}

/// Begins a login. Returns the parameters for the issuer and the cookie.
fn begin(api: &TestServer, issuer: &Issuer, return_to: &str) -> (BTreeMap<String, String>, String) {
    let began = request(api, &format!("GET /api/auth/oidc/example?return_to={return_to}"), &[]);
    assert_eq!(began.status, 303, "{began:?}");
    let location = began.header("location").expect("an address");
    let query = location.strip_prefix(&format!("{}/authorize?", issuer.url)).expect("the issuer's page");
    let cookie = began.header("set-cookie").expect("a cookie");
    assert!(
        cookie.starts_with("__Host-login-saas-plugins=") && cookie.ends_with("; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    (form(query), cookie.split(';').next().expect("a pair").to_owned())
}

fn back(api: &TestServer, query: &str, cookie: &str) -> Answer {
    request(api, &format!("GET /api/auth/oidc/example/callback?{query}"), &[("Cookie", cookie)])
}

/// Returns the pair of the session's cookie.
fn session(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    let set = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: __Host-session-saas-plugins="));
    let value = set.and_then(|set| set.split(';').next()).expect("a session");
    format!("__Host-session-saas-plugins={value}")
}

// covers: PLG-20, PLG-70
#[test]
fn a_browser_logs_in_at_an_issuer_and_returns_with_a_session() {
    let issuer = Issuer::start();
    let api = server(&issuer);
    let logins = api.send("GET /api/auth/oidc", "", &NOTHING);
    let expected = json!({"logins": [{"name": "example", "url": format!("{URL}/api/auth/oidc/example")}]});
    assert_eq!(logins.json, expected);
    let (sent, cookie) = begin(&api, &issuer, "/dashboard%3Fa=b");
    let callback = format!("{URL}/api/auth/oidc/example/callback");
    let text = |name: &str| sent.get(name).map(String::as_str);
    assert_eq!((text("client_id"), text("response_type"), text("tenant")), (Some("shop"), Some("code"), Some("1")));
    assert_eq!((text("redirect_uri"), text("scope")), (Some(callback.as_str()), Some("openid email profile")));
    let id_token =
        |nonce: &str| json!({"iss": issuer.url, "aud": "shop", "sub": "s-1", "exp": now_s() + 60, "nonce": nonce});
    issuer.set(|told| {
        told.codes.insert("c1".to_owned(), id_token(&sent["nonce"]));
        told.user = json!({"sub": "s-1", "email": "Ada@Example.com", "email_verified": true, "name": "Ada"});
    });
    let returned = back(&api, &format!("code=c1&state={}&session_state=x", sent["state"]), &cookie);
    assert_eq!(returned.header("location"), Some(&*format!("{URL}/dashboard?a=b")));
    let exchanged = form(&issuer.asked("/token")[0]);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&exchanged["code_verifier"]));
    assert_eq!((text("code_challenge"), text("code_challenge_method")), (Some(challenge.as_str()), Some("S256")));
    assert_eq!((&*exchanged["client_secret"], &*exchanged["redirect_uri"]), ("s3cret", &*callback));
    let ada = session(&returned);
    let me = request(&api, "GET /api/auth/me", &[("Cookie", &ada)]);
    let me: Value = me.json;
    assert_eq!(
        (&me["email"], &me["name"], &me["is_confirmed"]),
        (&json!("ada@example.com"), &json!("Ada"), &json!(true))
    );
    assert_eq!(request(&api, "GET /api/subscriptions/me", &[("Cookie", &ada)]).status, 200);

    // Whoever logs in again is the same user, also if the issuer no longer tells the address.
    let (sent, cookie) = begin(&api, &issuer, "/");
    issuer.set(|told| {
        told.codes.insert("c2".to_owned(), id_token(&sent["nonce"]));
        told.user = json!({"sub": "s-1"});
    });
    let again = session(&back(&api, &format!("code=c2&state={}", sent["state"]), &cookie));
    let again = request(&api, "GET /api/auth/me", &[("Cookie", &again)]);
    assert_eq!(again.json["id"], me["id"]);
}

/// Somebody logs in at the issuer, which proves an address. Returns the session's cookie.
fn log_in(api: &TestServer, issuer: &Issuer, email: &str) -> String {
    let (sent, cookie) = begin(api, issuer, "/");
    let nonce = &sent["nonce"];
    issuer.set(|told| {
        let id_token = json!({"iss": issuer.url, "aud": "shop", "sub": "s-1", "exp": now_s() + 60, "nonce": nonce});
        told.codes.insert("c".to_owned(), id_token);
        told.user = json!({"sub": "s-1", "email": email, "email_verified": true});
    });
    session(&back(api, &format!("code=c&state={}", sent["state"]), &cookie))
}

#[test]
fn the_address_of_a_user_is_the_one_that_the_issuer_proves_today() {
    let issuer = Issuer::start();
    let api = server(&issuer);
    let me = |cookie: &str| -> Value {
        let me = request(&api, "GET /api/auth/me", &[("Cookie", cookie)]);
        me.json
    };
    api.answer("account-customer:*", json!({"id": "cus_1"}));
    let before = me(&log_in(&api, &issuer, "old@example.com"));
    api.settle();
    let after = me(&log_in(&api, &issuer, "New@example.com"));
    assert_eq!((&after["id"], &after["email"]), (&before["id"], &json!("new@example.com")));
    let holder = |email: &str| {
        let claim = format!("{}{}", extension_contract::ADDRESS_CLAIMS, extension_contract::address_hash(email));
        api.with_host(move |host| {
            let held = host_engine::read::holder(host.processor().store(), host.processor().partition(), &claim)
                .expect("read");
            held.map(|account| account.to_string())
        })
    };
    let own = format!("user:{}", before["id"].as_str().expect("an id"));
    assert_eq!(holder("new@example.com"), Some(own), "a checkout with the new address finds the account");
    assert_eq!(holder("old@example.com"), None, "and one with the old address does not");
    let reset = json!({"email": "old@example.com"});
    assert_eq!(api.send("POST /api/auth/reset", "", &reset).status, 202);
    api.settle();
    let calls = api.journal();
    let mails = calls.iter().filter(|entry| entry.call.payload["template"] == "password_reset").count();
    assert_eq!(mails, 0, "nobody has the old address");
    let told = calls.iter().filter(|entry| entry.call.kind == "stripe.customer.update");
    let told: Vec<&Value> = told.map(|entry| &entry.call.payload).collect();
    assert_eq!(told, [&json!({"customer": "cus_1", "email": "new@example.com"})], "Stripe's mails follow");
}

#[test]
fn who_logs_in_at_an_issuer_deletes_the_account_after_a_new_login() {
    let issuer = Issuer::start();
    let api = server(&issuer);
    let cookie = log_in(&api, &issuer, "ada@example.com");
    let erase =
        |cookie: &str| request(&api, "POST /api/auth/erase", &[("Cookie", cookie), ("Sec-Fetch-Site", "same-origin")]);
    api.advance_to(api.now() + 10 * 60_000 + 1);
    let refused = erase(&cookie);
    assert_eq!((refused.status, refused.code()), (403, "login-again"), "the login was too long ago");
    let again = log_in(&api, &issuer, "ada@example.com");
    let refused = erase(&cookie);
    assert_eq!((refused.status, refused.code()), (403, "login-again"), "that was another session");
    assert_eq!(erase(&again).status, 200);
    assert_eq!(request(&api, "GET /api/auth/me", &[("Cookie", &again)]).status, 401);
}

#[test]
fn a_login_that_this_browser_has_not_begun_or_that_the_issuer_has_not_signed_for_it_is_refused() {
    let issuer = Issuer::start();
    let api = server(&issuer);
    let (sent, cookie) = begin(&api, &issuer, "/");
    let (other, _) = begin(&api, &issuer, "/");
    let state = &sent["state"];
    let refused = |query: &str, cookie: &str| {
        let answer = back(&api, query, cookie);
        assert!(answer.header("set-cookie").is_none(), "{query}");
        (answer.status, answer.code().to_owned())
    };
    let no = (403, "login-refused".to_owned());
    assert_eq!(refused(&format!("code=c&state={state}"), "a=b"), no, "another browser");
    assert_eq!(refused(&format!("code=c&state={}", other["state"]), &cookie), no, "the answer to another login");
    assert_eq!(refused("code=c", &cookie), no);
    assert_eq!(refused(&format!("code=c&state={state}&iss=http://127.0.0.1:1"), &cookie), no, "another issuer");
    assert_eq!(refused(&format!("error=access_denied&state={state}"), &cookie), no);
    assert_eq!(issuer.asked("/token").len(), 0);
    assert_eq!(refused(&format!("code=unknown&state={state}"), &cookie), no);
    let nonce = &sent["nonce"];
    for (name, value) in [
        ("nonce", json!(other["nonce"])),
        ("aud", json!("shop-api")),
        ("azp", json!("another-client")),
        ("exp", json!(now_s() - 100)),
        ("iss", json!("http://127.0.0.1:1")),
    ] {
        let mut claims = json!({
            "iss": issuer.url, "aud": "shop", "sub": "s-2", "exp": now_s() + 60, "nonce": nonce,
            "email": "eve@example.com", "email_verified": true,
        });
        claims[name] = value;
        issuer.set(|told| drop(told.codes.insert("c".to_owned(), claims)));
        assert_eq!(refused(&format!("code=c&state={state}"), &cookie), no, "{name}");
    }
    for user in [
        json!({"sub": "s-3", "email": "eve@example.com", "email_verified": false}),
        json!({"sub": "s-3", "email": "eve@example.com"}),
        json!({"sub": "s-3"}),
    ] {
        let claims = json!({"iss": issuer.url, "aud": "shop", "sub": "s-3", "exp": now_s() + 60, "nonce": nonce});
        issuer.set(|told| {
            told.codes.insert("c".to_owned(), claims);
            told.user = user.clone();
        });
        let unproved = (403, "address-not-proved".to_owned());
        assert_eq!(refused(&format!("code=c&state={state}"), &cookie), unproved, "{user}");
    }
    for line in [
        "GET /api/auth/oidc/example?return_to=//evil.example",
        "GET /api/auth/oidc/example?return_to=https://evil.example",
    ] {
        assert_eq!(request(&api, line, &[]).status, 400, "{line}");
    }
    assert_eq!(request(&api, "GET /api/auth/oidc/another", &[]).status, 404);
    issuer.set(|told| told.is_down = true);
    let down = request(&api, "GET /api/auth/oidc/example", &[]);
    assert_eq!((down.status, down.code()), (502, "provider"));
    assert_eq!(request(&api, "POST /api/auth/oidc/example", &[]).status, 405);
}

#[test]
fn a_cookie_counts_on_requests_of_the_servers_own_pages_only() {
    let issuer = Issuer::start();
    let api = server(&issuer);
    let registered = json!({"email": "ada@example.com", "password": "correct horse battery"});
    let registered = api.ok("POST /api/auth/register", "", &registered);
    let token = registered["token"].as_str().expect("a token");
    let cookie = format!("theme=dark; __Host-session-saas-plugins={token}");
    let create = |more: &[(&str, &str)]| {
        let headers: Vec<(&str, &str)> = [("Cookie", cookie.as_str())].iter().chain(more).copied().collect();
        request(&api, "POST /api/auth/confirmation", &headers)
    };
    for from_elsewhere in [
        vec![],
        vec![("Origin", "https://evil.example")],
        vec![("Sec-Fetch-Site", "cross-site")],
        vec![("Sec-Fetch-Site", "same-site"), ("Origin", "https://localhost")],
    ] {
        let refused = create(&from_elsewhere);
        assert_eq!((refused.status, refused.code()), (403, "cross-origin"), "{from_elsewhere:?}");
    }
    for own in [vec![("Sec-Fetch-Site", "same-origin")], vec![("Origin", "https://localhost")]] {
        assert_eq!(create(&own).status, 202, "{own:?}");
    }
    let read =
        |cookie: &str| request(&api, "GET /api/auth/me", &[("Cookie", cookie), ("Sec-Fetch-Site", "cross-site")]);
    assert_eq!(read(&cookie).status, 200, "reading changes nothing, and the other page cannot see the answer");
    assert_eq!(read(&format!("session-saas-plugins={token}")).status, 401, "a page without TLS could set this one");
    assert_eq!(read(&format!("__Host-session-saas-plugins={token}x")).status, 401);
    let both = [("Cookie", cookie.as_str()), ("Authorization", "Bearer key_1")];
    assert_eq!(request(&api, "GET /api/auth/me", &both).status, 401, "the header counts before the cookie");
    let own = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin")];
    let ended = request(&api, "POST /api/auth/logout", &own);
    assert_eq!(ended.status, 200);
    assert!(
        ended.header("set-cookie").is_some_and(|set| set.contains("saas-plugins=; Path=/; Max-Age=0")),
        "{ended:?}"
    );
    assert_eq!(read(&cookie).status, 401);
}
