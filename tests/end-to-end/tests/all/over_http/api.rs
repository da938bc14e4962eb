//! A server with the routes of a business, and a client that holds each answer against the OpenAPI document of the server.

use super::raw::{Answer, Connection};
use super::server::{Server, ServerOptions, ServerSetup};
use crate::writer::support::bodies;
use end_to_end::world::{START_MS, business_named};
use extension_contract::{Account, Actor, ActorKind};
use host_api::FrontLimits;
use host_business::Setup;
use host_business::folder::BusinessFolder;
use host_engine::clock::Clock;
use host_identity::access::{Keys, NewKey, Reach, Token};
use host_identity::issuers::IssuerSettings;
use host_provider_api::scripted::{Entry, Scripted, ScriptedAnswer};
use host_provider_api::{Provider, Registry, RegistryTokens};
use host_store::{MemoryStore, Partition};
use host_vault::Vault;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server with the routes of a business.
pub struct Api {
    pub server: Server,
    pub document: Value,
    scripted: Scripted,
    keys: Arc<Keys>,
    business: String,
    /// Number of checkout sessions.
    sessions: AtomicUsize,
    /// The operations that answered: method, path and status.
    seen: Mutex<BTreeSet<(String, String, u16)>>,
}

/// An answer that has the form of the document.
#[derive(Debug)]
pub struct Checked {
    pub status: u16,
    pub body: Value,
}

impl Checked {
    /// Returns the stable code of a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_else(|| panic!("no problem: {self:?}"))
    }

    /// Returns the body of a successful answer.
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }
}

impl Api {
    pub fn start(business: &str) -> Api {
        Api::with(business_named(business), None)
    }

    /// Starts a server that keeps secrets in a vault.
    pub fn with(business: &BusinessFolder, vault: Option<Arc<Vault>>) -> Api {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions { authenticator: Some(keys.clone()), vault, ..ServerOptions::default() };
        // Every effect of these tests has an answer at once.
        let front = FrontLimits { reply: Duration::from_secs(5), ..options.front };
        Api::start_with(business, ServerOptions { front, has_users: true, ..options }, keys)
    }

    /// Starts a server whose business has these host names, and these values in its configuration.
    pub fn configured(business: &BusinessFolder, names: &[&str], config: &[(&str, &str)]) -> Api {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions { authenticator: Some(keys.clone()), has_users: true, ..ServerOptions::default() };
        let config: Vec<_> = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Api::start_configured(business, &config, ServerOptions { names, ..options }, keys)
    }

    /// Starts a server with these values in its configuration, and a provider of these effects.
    pub fn with_provider(
        business: &BusinessFolder,
        config: &[(&str, &str)],
        pattern: &str,
        provider: Arc<dyn Provider>,
    ) -> Api {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions { authenticator: Some(keys.clone()), has_users: true, ..ServerOptions::default() };
        let front = FrontLimits { reply: Duration::from_secs(5), ..options.front };
        let mut providers = Registry::new();
        providers.register(&[pattern], provider);
        let config: Vec<_> = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Api::start_configured(business, &config, ServerOptions { front, providers, ..options }, keys)
    }

    /// Starts a server that keeps secrets, and is the token endpoint of a registry.
    pub fn with_registry(
        business: &BusinessFolder,
        vault: Arc<Vault>,
        registry: Option<Arc<dyn RegistryTokens>>,
    ) -> Api {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions {
            authenticator: Some(keys.clone()),
            vault: Some(vault),
            registry,
            has_users: true,
            ..ServerOptions::default()
        };
        let front = FrontLimits { reply: Duration::from_secs(5), ..options.front };
        Api::start_with(business, ServerOptions { front, ..options }, keys)
    }

    /// Starts a server that trusts issuers, and that browsers reach at this address.
    pub fn with_issuers(business: &str, issuers: Vec<IssuerSettings>, url: &str) -> Api {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions {
            authenticator: Some(keys.clone()),
            has_users: true,
            issuers,
            url: url.to_owned(),
            ..ServerOptions::default()
        };
        Api::start_with(business_named(business), options, keys)
    }

    /// Starts a server that keeps secrets, trusts issuers, and finds the callers of open streams again after this time.
    pub fn rechecking(business: &str, vault: Arc<Vault>, issuers: Vec<IssuerSettings>, recheck: Duration) -> Api {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions {
            authenticator: Some(keys.clone()),
            vault: Some(vault),
            has_users: true,
            issuers,
            ..ServerOptions::default()
        };
        let front = FrontLimits { recheck, reply: Duration::from_secs(5), ..options.front };
        Api::start_with(business_named(business), ServerOptions { front, ..options }, keys)
    }

    /// Starts a server whose users may log in this often in a minute.
    pub fn with_logins(business: &str, logins: u32) -> Api {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions { authenticator: Some(keys.clone()), has_users: true, ..ServerOptions::default() };
        let front = FrontLimits { logins, ..options.front };
        Api::start_with(business_named(business), ServerOptions { front, ..options }, keys)
    }

    /// Starts a server with users whose requests have other limits than those of most tests.
    pub fn with_limits(business: &str, change: impl FnOnce(FrontLimits) -> FrontLimits) -> Api {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions { authenticator: Some(keys.clone()), has_users: true, ..ServerOptions::default() };
        let front = change(options.front);
        Api::start_with(business_named(business), ServerOptions { front, ..options }, keys)
    }

    /// Starts a server that keeps secrets, and whose requests cause as many mails as those of every server.
    pub fn with_usual_mails(business: &str, vault: Arc<Vault>) -> Api {
        let keys = Arc::new(Keys::in_memory().expect("keys"));
        let options = ServerOptions {
            authenticator: Some(keys.clone()),
            vault: Some(vault),
            has_users: true,
            ..ServerOptions::default()
        };
        let front = FrontLimits { mails: FrontLimits::default().mails, ..options.front };
        Api::start_with(business_named(business), ServerOptions { front, ..options }, keys)
    }

    fn start_with(business: &BusinessFolder, options: ServerOptions, keys: Arc<Keys>) -> Api {
        Api::start_configured(business, &[], options, keys)
    }

    fn start_configured(
        business: &BusinessFolder,
        config: &[(String, String)],
        options: ServerOptions,
        keys: Arc<Keys>,
    ) -> Api {
        let scripted = Scripted::new();
        let setup = ServerSetup {
            business: business.clone(),
            setup: Setup::new(business.clone(), false, config, None),
            livemode: false,
            scripted: scripted.clone(),
        };
        let server = Server::start_with(&setup, Box::new(MemoryStore::new()), Clock::manual(START_MS), options);
        server.settle();
        let document = Connection::open(server.address()).request("GET /openapi.json", &[], b"");
        assert_eq!((document.status, document.header("content-type")), (200, Some("application/json")));
        let document = serde_json::from_str(&document.body).expect("JSON");
        Api {
            server,
            document,
            scripted,
            keys,
            business: business.name.clone(),
            sessions: AtomicUsize::new(100),
            seen: Mutex::default(),
        }
    }

    /// Makes the calls of some effects succeed with these outputs.
    pub fn answer(&self, pattern: &str, outputs: Value) {
        self.scripted.script(pattern, vec![ScriptedAnswer::Ok(outputs)]);
    }

    /// Makes a new session for the next checkout.
    pub fn sells(&self) {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        self.answer(
            "checkout:*",
            json!({"session_id": format!("cs_{number}"), "url": "https://checkout.example/open"}),
        );
    }

    /// Returns the calls of providers.
    pub fn journal(&self) -> Vec<Entry> {
        self.scripted.journal()
    }

    /// Sets the answers to the calls of some effects.
    pub fn script(&self, pattern: &str, answers: Vec<ScriptedAnswer>) {
        self.scripted.script(pattern, answers);
    }

    /// Revokes a key.
    pub fn revoke(&self, key: &str) {
        let id = Token::parse(key).expect("a key").id().to_owned();
        assert!(self.keys.revoke(&id, 2).expect("written"));
    }

    pub fn key(&self, kind: ActorKind, subject: &str, roles: &[&str], reach: Reach) -> String {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let actor = Actor { kind, subject: subject.to_owned(), roles };
        let partition = Partition { business: self.business.clone(), livemode: false };
        self.keys.make(&NewKey { name: String::new(), partition, actor, reach }, 1).expect("made").expose()
    }

    pub fn user(&self, name: &str) -> String {
        self.key(ActorKind::User, name, &[], Reach::Accounts(vec![Account::User(name.to_owned())]))
    }

    /// Returns the key of a member of an organization.
    pub fn member(&self, name: &str, organization: &str, roles: &[&str]) -> String {
        let reach = Reach::Accounts(vec![Account::Organization(organization.to_owned())]);
        self.key(ActorKind::User, name, roles, reach)
    }

    pub fn operator(&self) -> String {
        self.key(ActorKind::Admin, "root", &[], Reach::All)
    }

    pub fn service(&self) -> String {
        self.key(ActorKind::Service, "backend", &[], Reach::All)
    }

    /// Returns a download token of Ada, if the business sells downloads; otherwise a text that looks like one.
    pub fn bearer(&self) -> String {
        if self.business != "saas-plugins" {
            return format!("tok_0.{}", "0".repeat(64));
        }
        let ada = self.user("ada");
        self.stripe(
            "{stripe: customer.subscription.created, id: evt_bearer, set: {id: sub_bearer, customer: cus_bearer, \
             metadata: {user_id: ada}, price: price_editor_m}}",
        );
        let issued = self.send("POST /api/docker/download-token", &ada, &json!({"product_id": "prod_sample_editor"}));
        issued.ok()["token"].as_str().expect("a text").to_owned()
    }

    /// Sends a request, and checks that the answer has the form that the document promises.
    pub fn send(&self, line: &str, key: &str, body: &Value) -> Checked {
        self.send_with(line, key, &[], body)
    }

    pub fn send_with(&self, line: &str, key: &str, headers: &[(&str, &str)], body: &Value) -> Checked {
        let authorization = format!("Bearer {key}");
        let own = [("Authorization", authorization.as_str())].into_iter().filter(|_| !key.is_empty());
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain(own).collect();
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let answer = Connection::open(self.server.address()).request(line, &headers, text.as_bytes());
        let body: Value =
            serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{line}: {error}: {answer:?}"));
        self.check(line, &answer, &body);
        Checked { status: answer.status, body }
    }

    pub fn get(&self, path: &str, key: &str) -> Value {
        self.send(&format!("GET {path}"), key, &Value::Null).ok()
    }

    /// Sends a request to a path that every server has, checks that the answer has the form of the document, and returns it.
    pub fn ask(&self, line: &str, key: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {key}");
        let own = [("Authorization", authorization.as_str())].into_iter().filter(|_| !key.is_empty());
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let headers: Vec<(&str, &str)> = own.collect();
        let answer = Connection::open(self.server.address()).request(line, &headers, text.as_bytes());
        if answer.header("content-type") != Some("text/html; charset=utf-8") {
            let body = serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{line}: {error}: {answer:?}"));
            self.check(line, &answer, &body);
        }
        answer
    }

    /// Sends a request to a path that every server has.
    pub fn plain(&self, line: &str, key: &str, body: &Value) -> Value {
        self.plain_of(200, line, key, body)
    }

    /// Sends a request to a path that every server has, and is answered with this status.
    pub fn plain_of(&self, status: u16, line: &str, key: &str, body: &Value) -> Value {
        let authorization = format!("Bearer {key}");
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("Authorization", authorization.as_str())];
        let answer = Connection::open(self.server.address()).request(line, &headers, text.as_bytes());
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Returns status and code of a refused request to a path that every server has.
    pub fn refused(&self, line: &str, key: &str, body: &Value) -> (u16, String) {
        let authorization = format!("Bearer {key}");
        let headers = [("Authorization", authorization.as_str())];
        let answer = Connection::open(self.server.address()).request(line, &headers, body.to_string().as_bytes());
        (answer.status, answer.code())
    }

    /// Delivers a webhook of Stripe, written as an event of a scenario.
    pub fn stripe(&self, event: &str) {
        let story = format!("name: x\nevents:\n  - {event}\n");
        let (status, answer) = self.server.stripe(&bodies(&story)[0]);
        assert_eq!(status, 200, "{answer}");
        self.server.settle();
    }

    /// Checks an answer against the document.
    fn check(&self, line: &str, answer: &Answer, body: &Value) {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let path = path.split('?').next().unwrap_or(path).trim_end_matches('/');
        let paths = self.document["paths"].as_object().expect("paths");
        let fits = |pattern: &&String| {
            let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
            pattern.len() == path.len()
                && pattern.iter().zip(&path).all(|(own, part)| own.starts_with('{') || own == part)
        };
        // A path without variable parts precedes one with them.
        let pattern = paths.keys().filter(fits).min_by_key(|pattern| pattern.matches('{').count());
        let Some(pattern) = pattern else { panic!("the document has no {path}") };
        let operation = &paths[pattern][method.to_ascii_lowercase()];
        let responses = operation["responses"].as_object().unwrap_or_else(|| panic!("the document has no {line}"));
        let response =
            responses.get(&answer.status.to_string()).or_else(|| responses.get(&format!("{}XX", answer.status / 100)));
        let response = response.or_else(|| responses.get("default")).expect("a response");
        let media = answer.header("content-type").expect("a media type");
        let schema = &response["content"][media]["schema"];
        assert!(schema.is_object(), "{line}: {} with {media} is not in the document: {answer:?}", answer.status);
        if let Err(error) = self.validator(schema).validate(body) {
            panic!("{line}: {error} at {}: {body}", error.instance_path());
        }
        self.seen.lock().expect("no panic").insert((method.to_owned(), pattern.clone(), answer.status));
    }

    fn validator(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        schema["components"] = self.document["components"].clone();
        jsonschema::draft202012::options().should_validate_formats(true).build(&schema).expect("a valid schema")
    }

    /// Returns the operations of the document that did not answer with success.
    pub fn without_success(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("no panic");
        let has_success = |method: &str, pattern: &str| {
            seen.iter().any(|(m, p, status)| m == method && p == pattern && (200..300).contains(status))
        };
        let paths = self.document["paths"].as_object().expect("paths");
        let all = paths.iter().flat_map(|(pattern, methods)| {
            let methods =
                methods.as_object().into_iter().flatten().filter(|(_, operation)| operation["x-server"] != true);
            methods.map(move |(method, _)| (method.to_ascii_uppercase(), pattern))
        });
        all.filter(|(method, pattern)| !has_success(method, pattern)).map(|(m, p)| format!("{m} {p}")).collect()
    }
}

/// The answer to a request without values.
pub const NOTHING: Value = Value::Null;

/// Returns the codes of wrong values by their pointers.
pub fn wrong(problem: &Checked) -> Vec<(String, String)> {
    assert_eq!((problem.status, problem.code()), (422, "invalid"), "{problem:?}");
    let errors = problem.body["errors"].as_array().expect("errors");
    let text = |error: &Value, name: &str| error[name].as_str().expect("a text").to_owned();
    errors.iter().map(|error| (text(error, "pointer"), text(error, "code"))).collect()
}

#[test]
fn a_business_without_routes_has_the_paths_of_every_server_and_a_page() {
    let api = Api::start("seats");
    let paths =
        api.document["paths"].as_object().expect("paths").values().flat_map(|path| path.as_object().expect("methods"));
    assert!(paths.into_iter().all(|(_, operation)| operation["x-server"] == true), "only those of every server");
    assert_eq!(api.document["openapi"], json!("3.1.0"));
    let page = Connection::open(api.server.address()).request("GET /docs/api", &[], b"");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for expected in [
        // Styled and with the navigation of the other pages.
        "<h1>API of Seats</h1>",
        "/assets/app.css",
        "aria-label=\"Main\"",
        // A path of every server, with a type that is linked, and a message to endpoints.
        "<code>&#x2f;api&#x2f;auth&#x2f;register</code>",
        "<a href=\"#ServerSession\">ServerSession</a>",
        "id=\"ServerSession\"",
        "<code>invoice.created</code>",
    ] {
        assert!(page.body.contains(expected), "{expected}: {}", page.body);
    }
    let own = Connection::open(Api::start("tesslate").server.address()).request("GET /docs/api", &[], b"");
    for expected in
        ["id=\"deployProject\"", "For: user.", "too-many-requests", "<code>small</code> or <code>medium</code>"]
    {
        assert!(own.body.contains(expected), "{expected}: {}", own.body);
    }
}
