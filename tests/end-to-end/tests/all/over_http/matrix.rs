//! Who may use which route: every route of every business, for every kind of caller, about the caller's own account, another's and
//! one that does not exist. The expected answers are in this file; they are not taken from the routes.

use super::raw::Answer;
use super::server::{NOTHING, TestServer};
use serde_json::{Map, Value, json};

/// Businesses with routes.
const BUSINESSES: [&str; 4] = ["orchestra", "saas-plugins", "tesslate", "twobot"];
/// Number of routes of these businesses. A route that is new must be counted here, so that it is looked at.
const ROUTES: usize = 39;

/// A caller, with the routes that the caller may use.
struct Role {
    name: &'static str,
    key: String,
    /// Query that names the account, if the caller reaches several.
    account: &'static str,
    may: &'static [&'static str],
}

/// Returns a download token of Ada, if the business sells downloads; otherwise a text that looks like one.
fn bearer(api: &TestServer, business: &str) -> String {
    if business != "saas-plugins" {
        return format!("tok_0.{}", "0".repeat(64));
    }
    let ada = api.user("ada");
    api.stripe(
        "{stripe: customer.subscription.created, id: evt_bearer, set: {id: sub_bearer, customer: cus_bearer, \
         metadata: {user_id: ada}, price: price_editor_m}}",
    );
    let issued = api.ok("POST /api/docker/download-token", &ada, &json!({"product_id": "prod_sample_editor"}));
    issued["token"].as_str().expect("a text").to_owned()
}

fn roles(api: &TestServer, business: &str) -> Vec<Role> {
    let role = |name, key, account, may| Role { name, key, account, may };
    vec![
        role("nobody", String::new(), "", &["public"]),
        role("a wrong key", "key_000000000000_00".to_owned(), "", &[]),
        role("a user", api.user("ada"), "", &["public", "user"]),
        role(
            "an owner of an organization",
            api.member("olga", "acme", &["owner"]),
            "",
            &["public", "user", "org-admin"],
        ),
        role("a service", api.service(), "?account=user:ada", &["public", "user", "org-admin", "service"]),
        role("an operator", api.operator(), "?account=user:ada", &["public", "user", "org-admin", "service", "admin"]),
        role("a token", bearer(api, business), "", &["token"]),
    ]
}

/// One route of the document.
struct Route {
    method: String,
    pattern: String,
    who: String,
    body: Value,
    query: String,
}

fn routes(api: &TestServer) -> Vec<Route> {
    let paths = api.document()["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(pattern, methods)| {
        let own = methods.as_object().into_iter().flatten().filter(|(_, operation)| operation["x-server"] != true);
        own.map(move |(method, operation)| Route {
            method: method.to_ascii_uppercase(),
            pattern: pattern.clone(),
            who: operation["x-who"].as_str().expect("a text").to_owned(),
            body: sample(api, &operation["requestBody"]["content"]["application/json"]["schema"]),
            query: String::new(),
        })
    });
    all.collect()
}

/// Returns a value that has a schema.
fn sample(api: &TestServer, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a name");
        return sample(api, &api.document()["components"]["schemas"][name]);
    }
    if let Some(words) = schema["enum"].as_array() {
        return words[0].clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let member = |name: &Value| {
                let name = name.as_str().expect("a name");
                (
                    name.to_owned(),
                    if name == "organization" { json!("acme") } else { sample(api, &schema["properties"][name]) },
                )
            };
            Value::Object(required.iter().map(member).collect::<Map<_, _>>())
        }
        Some("integer") => json!(1),
        Some("boolean") => json!(true),
        Some("string") => json!("sample"),
        _ => Value::Null,
    }
}

fn start(business: &str) -> TestServer {
    let api = TestServer::keeping_secrets(business);
    api.answer("account-customer:*", json!({"id": "cus_1"}));
    api.answer("portal:*", json!({"url": "https://billing.example/p"}));
    api.answer("connect:*", json!({"id": "acct_1"}));
    api.answer("connect-link:*", json!({"url": "https://connect.example/setup"}));
    api
}

fn send(api: &TestServer, route: &Route, key: &str, query: &str, id: &str) -> Answer {
    api.sells();
    let path: Vec<&str> = route.pattern.split('/').map(|part| if part.starts_with('{') { id } else { part }).collect();
    api.send(&format!("{} {}{}{query}", route.method, path.join("/"), route.query), key, &route.body)
}

/// True if the answer says that the caller may not use the route.
fn is_denied(answer: &Answer) -> bool {
    answer.status == 401 || (answer.status == 403 && answer.code() == "forbidden")
}

// covers: PLG-71
#[test]
fn every_route_is_for_its_callers_only() {
    let mut count = 0;
    for business in BUSINESSES {
        let api = start(business);
        let roles = roles(&api, business);
        for route in routes(&api) {
            count += 1;
            for role in &roles {
                let query = if ["user", "service"].contains(&route.who.as_str()) { role.account } else { "" };
                let answer = send(&api, &route, &role.key, query, "sample");
                let may = role.may.contains(&route.who.as_str());
                let told = format!("{business}: {} {} as {}: {answer:?}", route.method, route.pattern, role.name);
                assert_eq!(!is_denied(&answer), may, "{told}");
                assert!(answer.status < 500, "{told}");
                if !may {
                    let is_known = !["nobody", "a wrong key"].contains(&role.name)
                        && (role.name == "a token") == (route.who == "token");
                    assert_eq!(answer.status, if is_known { 403 } else { 401 }, "{told}");
                }
            }
        }
    }
    assert_eq!(count, ROUTES);
}

#[test]
fn nobody_learns_which_accounts_exist() {
    for business in BUSINESSES {
        let api = start(business);
        // Bob exists: he has an account with something in it.
        api.ok("POST /api/commands/mail.unsubscribe", &api.user("bob"), &NOTHING);
        let ada = api.user("ada");
        for route in routes(&api).iter().filter(|route| route.who == "user") {
            let [others, unknown] =
                ["?account=user:bob", "?account=user:nobody"].map(|query| send(&api, route, &ada, query, "sample"));
            assert_eq!((others.status, others.code()), (403, "forbidden"), "{} {}", route.method, route.pattern);
            assert_eq!(others.body, unknown.body, "{} {}", route.method, route.pattern);
        }
    }
}

#[test]
fn anothers_id_and_an_unknown_one_are_answered_alike() {
    let mut compared = 0;
    for business in BUSINESSES {
        let api = start(business);
        if business == "tesslate" {
            let bob = api.user("bob");
            api.send("POST /api/projects", &bob, &json!({"name": "b", "slug": "bobs"})).ok();
            api.send("POST /api/projects/bobs/deploy", &bob, &NOTHING).ok();
        }
        let ada = api.user("ada");
        for route in routes(&api).iter().filter(|route| route.who == "user" && route.pattern.contains('{')) {
            let [others, unknown] = ["bobs", "none"].map(|id| send(&api, route, &ada, "", id));
            assert_eq!(
                (others.status, others.body),
                (unknown.status, unknown.body),
                "{} {}",
                route.method,
                route.pattern
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 3);
}
