//! Rights end at once: whoever has lost a session, a key, a token or a membership reads nothing, changes nothing and hears nothing.

use super::issuers::{Issuer, now_s, signed};
use super::links::PASSWORD;
use super::saas_plugins::copy;
use super::server::{NOTHING, TestServer, vault};
use super::stream::Stream;
use end_to_end::world::root;
use extension_contract::{Account, ActorKind};
use host_business::folder::BusinessFolder;
use host_identity::access::Reach;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// The header of a connection that ends with its answer.
const CLOSES: &str = "Connection: close\r\n";
const OTHER: &str = "another horse battery";
/// A time after which callers are found again at once, and one that no test reaches.
const OFTEN: Duration = Duration::from_millis(20);
const NEVER: Duration = Duration::from_secs(86_400);
const DAY_MS: i64 = 86_400_000;
/// Routes that read, and send a command, for the bearer of a token. They do not redeem it.
const OF_TOKEN: &str = "
types: {Shown: {account: string, bought: json}}
routes:
  GET /: {name: ofToken, about: Shows the account of a token., who: token, read: {bought: purchases}, answer: Shown, give: {account: '{caller.account}', bought: '{bought}'}}
  POST /quiet: {name: quiet, about: Sends no more campaigns., who: token, command: mail.unsubscribe}
";

struct Stage {
    server: TestServer,
    issuer: Issuer,
}

/// A caller, and how its right ends.
struct Right {
    key: String,
    account: String,
    end: Box<dyn Fn(&Stage)>,
}

impl Stage {
    fn start(recheck: Duration) -> Stage {
        let issuer = Issuer::start();
        let server = TestServer::of("saas-plugins")
            .vault(&vault())
            .with(|it| it.issuers = vec![issuer.settings()])
            .limits(|limits| limits.recheck = recheck)
            .start();
        Stage { server, issuer }
    }

    fn status(&self, line: &str, key: &str) -> u16 {
        let body = if line.starts_with("POST") { json!({}) } else { NOTHING };
        self.server.send(line, key, &body).status
    }

    /// Returns a right to an account that ends with the revocation of its key.
    fn key(&self, kind: ActorKind, reach: Reach) -> Right {
        let key = self.server.key(kind, "ada", &[], reach);
        let revoked = key.clone();
        Right { key, account: "user:ada".to_owned(), end: Box::new(move |stage| stage.server.revoke(&revoked)) }
    }

    /// Returns a right of a new user.
    fn user(&self, end: impl Fn(&Stage, &str) + 'static) -> Right {
        let (key, id) = self.server.register("ada@example.com");
        let own = key.clone();
        Right { key, account: format!("user:{id}"), end: Box::new(move |stage| end(stage, &own)) }
    }

    /// Returns the right of a member of an organization, whom the owner removes.
    fn member(&self) -> Right {
        let server = &self.server;
        let [(owner, _), (key, id)] = ["olga@example.com", "ada@example.com"].map(|email| {
            let user = server.register(email);
            let token = server.token("address_confirmation", email, 1);
            server.ok("POST /api/auth/confirm", &user.0, &json!({"token": token}));
            user
        });
        let made = server.ok("POST /api/auth/organizations", &owner, &json!({"name": "Choir"}));
        let of = made["id"].as_str().expect("an id").to_owned();
        let invite = format!("POST /api/auth/organizations/{of}/invitations");
        server.ok(&invite, &owner, &json!({"email": "ada@example.com", "role": "owner"}));
        let token = server.token("organization_invitation", "ada@example.com", 1);
        server.ok("POST /api/auth/join", &key, &json!({"token": token}));
        let remove = format!("DELETE /api/auth/organizations/{of}/members/{id}");
        let end = move |stage: &Stage| drop(stage.server.ok(&remove, &owner, &NOTHING));
        Right { key, account: format!("organization:{of}"), end: Box::new(end) }
    }
}

type Begin = fn(&Stage) -> Right;

/// Each kind of caller with each end of its right.
const RIGHTS: [(&str, Begin); 10] = [
    ("a session that is logged out", |stage| {
        stage.user(|stage, key| assert_eq!(stage.status("POST /api/auth/logout", key), 200))
    }),
    ("a session that is ended from another device", |stage| {
        stage.user(|stage, _| {
            let body = json!({"email": "ada@example.com", "password": PASSWORD});
            let other = stage.server.ok("POST /api/auth/login", "", &body);
            let other = other["token"].as_str().expect("a token");
            assert_eq!(stage.status("POST /api/auth/logout/everywhere", other), 200);
            assert_eq!(stage.status("GET /api/auth/me", other), 401, "this one has ended, too");
        })
    }),
    ("a session before a new password", |stage| {
        stage.user(|stage, _| {
            stage.server.ok("POST /api/auth/reset", "", &json!({"email": "ada@example.com"}));
            let token = stage.server.token("password_reset", "ada@example.com", 1);
            stage.server.ok("POST /api/auth/password", "", &json!({"token": token, "password": OTHER}));
        })
    }),
    ("a user who is deleted", |stage| {
        stage.user(|stage, key| drop(stage.server.ok("POST /api/auth/erase", key, &json!({"password": PASSWORD}))))
    }),
    ("a session that expires", |stage| {
        stage.user(|stage, _| stage.server.advance_to(stage.server.now() + 14 * DAY_MS))
    }),
    ("a member who is removed", Stage::member),
    ("a user's key", |stage| stage.key(ActorKind::User, Reach::Accounts(vec![Account::User("ada".to_owned())]))),
    ("a service's key", |stage| stage.key(ActorKind::Service, Reach::All)),
    ("an operator's key", |stage| stage.key(ActorKind::Admin, Reach::All)),
    ("a key of some accounts", |stage| {
        stage.key(ActorKind::Service, Reach::Accounts(vec![Account::User("ada".to_owned())]))
    }),
];

/// Begins a right, ends it, and returns the stream that was open, with the right.
fn ended(stage: &Stage, name: &str, begin: Begin) -> (Stream, Right) {
    let right = begin(stage);
    let (read, write) = lines(&right);
    assert_eq!([stage.status(&read, &right.key), stage.status(&write, &right.key)], [200, 200], "{name}");
    let stream = Stream::open_at(stage.server.address(), "/api/events", &right.key, CLOSES);
    (right.end)(stage);
    (stream, right)
}

/// Returns the lines of a query and a command in the account of a right.
fn lines(right: &Right) -> (String, String) {
    let account = &right.account;
    (
        format!("GET /api/entitlements?account={account}"),
        format!("POST /api/commands/mail.unsubscribe?account={account}"),
    )
}

#[test]
fn a_right_that_has_ended_opens_nothing_and_its_stream_ends_by_itself() {
    for (name, begin) in RIGHTS {
        let stage = Stage::start(OFTEN);
        let (mut stream, right) = ended(&stage, name, begin);
        assert!(!stream.until("never"), "{name}: the stream ends");
        let (read, write) = lines(&right);
        for line in [read, write] {
            assert!([401, 403].contains(&stage.status(&line, &right.key)), "{name}: {line}");
        }
    }
}

#[test]
fn a_stream_whose_right_has_ended_brings_no_further_event() {
    for (name, begin) in RIGHTS {
        let stage = Stage::start(NEVER);
        let (mut stream, right) = ended(&stage, name, begin);
        let line = format!("POST /api/commands/mail.subscribe?account={}", right.account);
        stage.server.send(&line, &stage.server.operator(), &json!({}));
        let newest = stage.server.with_host(|host| host.processor().store().inbox_newest().expect("read"));
        assert!(!stream.until(&format!("id: {newest}\n")), "{name}: {}", stream.read);
    }
}

#[test]
fn a_stream_ends_with_the_token_of_an_issuer() {
    let stage = Stage::start(OFTEN);
    let mut claims = stage.issuer.claims("u1");
    // A minute of difference between the clocks is allowed; of that, some seconds are left.
    claims["exp"] = json!(now_s() - 55);
    let token = signed(1, &claims);
    let mut stream = Stream::open_at(stage.server.address(), "/api/events", &token, CLOSES);
    assert!(!stream.until("never"), "the stream ends");
    for line in ["GET /api/entitlements", "POST /api/commands/mail.unsubscribe"] {
        assert_eq!(stage.status(line, &token), 401, "{line}");
    }
}

#[test]
fn a_user_has_some_streams_and_operators_have_others() {
    let stage = Stage::start(NEVER);
    let open = |key: &str| Stream::open_at(stage.server.address(), "/api/events", key, "");
    let eve = stage.server.user("eve");
    let streams: Vec<Stream> = (0..10).map(|_| open(&eve)).collect();
    assert_eq!(stage.server.refused("GET /api/events", &eve, &NOTHING), (429, "too-many-requests".to_owned()));
    drop((open(&stage.server.user("ada")), open(&stage.server.operator())));
    drop(streams);
}

/// A shop with routes for the bearers of tokens. Ada has paid for the editor.
struct Shop {
    api: TestServer,
    ada: String,
    _folder: tempfile::TempDir,
}

impl Shop {
    fn start() -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        let business = folder.path().join("saas-plugins");
        copy(&root().join("fixtures/businesses/saas-plugins"), &business);
        fs::create_dir(business.join("features/of-token")).expect("made");
        fs::write(business.join("features/of-token/routes.yml"), OF_TOKEN).expect("written");
        let business = BusinessFolder::load(&business).expect("no mistake");
        let api = TestServer::of_folder(&business).vault(&vault()).start();
        api.answer("account-customer:*", json!({"id": "cus_ada"}));
        api.answer("redeem:*", json!({"url": "https://registry.example/signed"}));
        api.stripe(
            "{stripe: customer.subscription.created, id: evt_s, set: {id: sub_1, customer: cus_ada, \
             metadata: {user_id: ada}, price: price_editor_m}}",
        );
        let ada = api.user("ada");
        Shop { api, ada, _folder: folder }
    }

    /// Issues a token of Ada; a token to pull an image counts once.
    fn token(&self, kind: &str) -> String {
        let body = json!({"product_id": "prod_sample_editor"});
        let issued = self.api.send(&format!("POST /api/docker/{kind}"), &self.ada, &body).ok();
        issued["token"].as_str().expect("a text").to_owned()
    }

    /// Returns the answers of a query and of a command to the bearer of a token.
    fn ask(&self, token: &str) -> [(u16, Value); 2] {
        [("GET /api/of-token", NOTHING), ("POST /api/of-token/quiet", json!({}))].map(|(line, body)| {
            let answer = self.api.send(line, token, &body);
            (answer.status, answer.json)
        })
    }

    /// Returns the number of commands in the log.
    fn commands(&self) -> usize {
        self.api.with_host(|host| {
            let events = host.processor().inbox_after(0, 1_000).expect("read");
            events.iter().filter(|row| row.event.source == "api").count()
        })
    }
}

#[test]
fn the_id_of_a_token_opens_nothing_without_its_secret() {
    let shop = Shop::start();
    let token = shop.token("download-token");
    let (id, secret) = token.split_once('.').expect("an id and a secret");
    let [read, sent] = shop.ask(&token);
    assert_eq!((read.0, &read.1["account"], sent.0), (200, &json!("user:ada"), 200));
    let before = shop.commands();
    let expected = shop.ask("tok_0.0");
    assert_eq!(expected.each_ref().map(|(status, _)| *status), [401, 401]);
    let wrong = [
        format!("{id}.wrong"),
        format!("{id}.{}", "0".repeat(64)),
        format!("{id}.{}", secret.to_uppercase()),
        format!("{id}."),
        format!("{id}x.{secret}"),
        id.to_owned(),
        shop.ada.clone(),
    ];
    for wrong in &wrong {
        assert_eq!(shop.ask(wrong), expected, "{wrong}");
        for product in ["prod_sample_editor", "prod_sample_monitor"] {
            let pull = shop.api.send(&format!("GET /api/docker/pull/{product}"), wrong, &NOTHING);
            assert_eq!((pull.status, &pull.json), (401, &expected[0].1), "{product} with {wrong}");
        }
    }
    assert_eq!(shop.commands(), before, "a stranger's tries are not stored");
}

#[test]
fn a_token_that_has_ended_opens_nothing() {
    let shop = Shop::start();
    let [revoked, redeemed, expired] = ["download-token", "pull-token", "download-token"].map(|kind| shop.token(kind));
    for token in [&revoked, &redeemed, &expired] {
        assert_eq!(shop.ask(token).map(|(status, _)| status), [200, 200]);
    }
    let id = revoked.split_once('.').expect("an id").0;
    shop.api.ok("POST /api/commands/token.revoke", &shop.ada, &json!({"id": id}));
    shop.api.send("GET /api/docker/pull/prod_sample_editor", &redeemed, &NOTHING).ok();
    let expected = shop.ask("tok_0.0");
    for token in [&revoked, &redeemed] {
        assert_eq!(shop.ask(token), expected);
    }
    let again = shop.api.send("GET /api/docker/pull/prod_sample_editor", &redeemed, &NOTHING);
    assert_eq!((again.status, again.code()), (401, "token_redeemed"), "its bearer learns why");
    shop.api.advance_to(shop.api.now() + DAY_MS);
    assert_eq!(shop.ask(&expired), expected, "a day later");
}

#[test]
fn the_reply_to_a_command_is_for_who_has_sent_it() {
    let api = TestServer::start("solobase");
    let [olga, ada] = [("olga", "owner"), ("ada", "viewer")].map(|(name, role)| api.member(name, "choir", &[role]));
    let sent = api.send("POST /api/commands/mail.subscribe?account=organization:choir", &olga, &NOTHING);
    assert_eq!(sent.status, 200);
    let id = api.with_host(|host| {
        let store = host.processor().store();
        let newest = store.inbox_newest().expect("read");
        store.inbox_after(None, newest - 1, 1).expect("read").remove(0).event.id
    });
    let line = format!("GET /api/commands/{id}");
    assert_eq!(api.send(&line, &olga, &NOTHING).status, 200);
    assert_eq!(api.send(&line, &ada, &NOTHING).status, 404, "it may have the address of the account's payments");
    assert_eq!(api.send(&line, &api.operator(), &NOTHING).status, 200);
}
