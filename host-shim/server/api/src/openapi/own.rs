//! The paths that every server has, for the OpenAPI document: users, organizations, webhook endpoints, commands, queries and events, and
//! the platform's product paths ([`crate::openapi::platform`]).

use crate::openapi::platform::{Action, ROUTES, Who};
use crate::openapi::schema;
use host_business::routes::{Field, Type};
use serde_json::{Map, Value, json};

/// Media type of errors.
const PROBLEM: &str = "application/problem+json";

/// The answer that sends a browser to another address.
const REDIRECT: &str = "redirect";

/// Beginning of a field that stands for the fields of another type.
const SPREAD: &str = "...";

/// A path of every server.
struct Own {
    /// Method and path.
    line: &'static str,
    /// Summary for readers of the document.
    about: &'static str,
    /// True for a path that needs no key.
    is_public: bool,
    /// Members of the body, each with its type; empty for none.
    body: &'static [&'static str],
    /// Parameters of the query, each with its type.
    query: &'static [&'static str],
    /// Status of success and the type of the answer, `json` for any JSON, or [`REDIRECT`].
    answer: (u16, &'static str),
}

const fn own(line: &'static str, about: &'static str, answer: (u16, &'static str)) -> Own {
    Own { line, about, is_public: false, body: &[], query: &[], answer }
}

impl Own {
    const fn public(self) -> Own {
        Own { is_public: true, ..self }
    }

    const fn body(self, body: &'static [&'static str]) -> Own {
        Own { body, ..self }
    }

    const fn query(self, query: &'static [&'static str]) -> Own {
        Own { query, ..self }
    }
}

/// The types of the answers. A type of this table begins with `Server`, so that a business may have one of the same name. `...NAME` stands
/// for the fields of another type.
const TYPES: &[(&str, &[&str])] = &[
    (
        "ServerUser",
        &[
            "id: string",
            "email: string",
            "name: string?",
            "is_operator: boolean",
            "is_confirmed: boolean",
            "created_at: time",
        ],
    ),
    ("ServerMe", &["...ServerUser", "has_password: boolean"]),
    ("ServerSession", &["user: ServerUser", "token: string", "expires_at: time"]),
    ("ServerNothing", &[]),
    ("ServerLogin", &["name: string", "url: string"]),
    ("ServerLogins", &["logins: ServerLogin[]"]),
    ("ServerOrganization", &["id: string", "name: string", "account: string", "roles: string[]", "created_at: time"]),
    ("ServerOrganizations", &["organizations: ServerOrganization[]"]),
    ("ServerJoined", &["...ServerOrganization", "user: ServerUser"]),
    ("ServerMemberUser", &["id: string", "email: string", "name: string?"]),
    ("ServerMember", &["user: ServerMemberUser", "roles: string[]"]),
    ("ServerMembers", &["members: ServerMember[]"]),
    ("ServerInvitation", &["email: string", "role: string"]),
    (
        "ServerOpenInvitation",
        &["id: string", "email: string", "roles: string[]", "sender: string?", "expires_at: time"],
    ),
    ("ServerOpenInvitations", &["invitations: ServerOpenInvitation[]"]),
    ("ServerInvited", &["organization: string", "roles: string[]", "email: string"]),
    ("ServerExport", &["user: ServerUser", "organizations: json", "accounts: json"]),
    (
        "ServerEndpoint",
        &[
            "id: string",
            "account: string?",
            "url: string",
            "types: string[]",
            "description: string",
            "status: enabled | disabled",
            "maker: string?",
            "disabled_at: time?",
            "disabled_reason: person | gone | failing | waiting | maker?",
            "failing_since: time?",
            "created_at: time",
        ],
    ),
    ("ServerNewEndpoint", &["...ServerEndpoint", "secret: string"]),
    ("ServerEndpoints", &["endpoints: ServerEndpoint[]"]),
    ("ServerAttempt", &["at: time", "took_ms: integer", "status: integer?", "error: string?"]),
    (
        "ServerDelivery",
        &[
            "message: string",
            "type: string",
            "account: string",
            "at: time",
            "state: pending | delivered | failed",
            "next_at: time?",
            "attempts: ServerAttempt[]",
        ],
    ),
    ("ServerDeliveries", &["deliveries: ServerDelivery[]", "next: string?"]),
    ("ServerMessage", &["message: string"]),
    ("ServerCount", &["count: integer"]),
    (
        "ServerEntitlement",
        &[
            "key: string",
            "allowed: integer?",
            "used: integer?",
            "resets_at: time?",
            "ends_at: time?",
            "sources: string[]",
        ],
    ),
    ("ServerEntitlements", &["entitlements: ServerEntitlement[]", "next: string?"]),
    ("ServerEntry", &["id: string", "value: json"]),
    ("ServerEntries", &["entries: ServerEntry[]", "next: string?"]),
];

const ACCOUNT: &str = "account: string?";

/// The paths, but those of the products.
const PATHS: &[Own] = &[
    own(
        "POST /api/auth/register",
        "Makes a user and logs the user in. A mail asks to prove the address.",
        (201, "ServerSession"),
    )
    .public()
    .body(&["email: string", "password: string", "name: string?"]),
    own("POST /api/auth/login", "Logs a user in.", (200, "ServerSession"))
        .public()
        .body(&["email: string", "password: string"]),
    own("POST /api/auth/logout", "Ends the session of the token.", (200, "ServerNothing")),
    own("POST /api/auth/logout/everywhere", "Ends all sessions of the user.", (200, "ServerNothing")),
    own("GET /api/auth/me", "The user of the token.", (200, "ServerMe")),
    own("GET /api/auth/oidc", "The issuers at which a browser can log in.", (200, "ServerLogins")).public(),
    own(
        "GET /api/auth/oidc/{name}",
        "Sends a browser to an issuer. It returns with a session, and goes to `return_to`.",
        (303, REDIRECT),
    )
    .public()
    .query(&["return_to: string?"]),
    own(
        "POST /api/auth/reset",
        "Mails a link that sets a new password, if the address has an account.",
        (202, "ServerNothing"),
    )
    .public()
    .body(&["email: string"]),
    own(
        "POST /api/auth/password",
        "Sets a password by the token of a link and logs the user in.",
        (200, "ServerSession"),
    )
    .public()
    .body(&["token: string", "password: string"]),
    own(
        "POST /api/auth/confirm",
        "Proves the user's address by the token of a link. Without a session of that user, the token sets a new password.",
        (200, "ServerUser"),
    )
    .body(&["token: string"]),
    own("POST /api/auth/confirmation", "Mails the link that proves the address again.", (202, "ServerNothing")),
    own("GET /api/auth/export", "Everything that the server knows of the user.", (200, "ServerExport")),
    own(
        "POST /api/auth/erase",
        "Closes the user's accounts and deletes the user. Who has no password logs in again before.",
        (200, "ServerNothing"),
    )
    .body(&["password: string?"]),
    own("GET /api/auth/organizations", "The organizations of the user.", (200, "ServerOrganizations")),
    own("POST /api/auth/organizations", "Makes an organization.", (201, "ServerOrganization")).body(&["name: string"]),
    own("DELETE /api/auth/organizations/{id}", "Closes the organization's account.", (200, "ServerNothing")),
    own("GET /api/auth/organizations/{id}/members", "The members of an organization.", (200, "ServerMembers")),
    own("DELETE /api/auth/organizations/{id}/members/{user}", "Removes a member.", (200, "ServerNothing")),
    own("POST /api/auth/organizations/{id}/invitations", "Invites an address by mail.", (202, "ServerInvitation"))
        .body(&["email: string", "role: string"]),
    own(
        "GET /api/auth/organizations/{id}/invitations",
        "The invitations that nobody has accepted yet.",
        (200, "ServerOpenInvitations"),
    ),
    own(
        "DELETE /api/auth/organizations/{id}/invitations/{invitation}",
        "Withdraws an invitation.",
        (200, "ServerNothing"),
    ),
    own("GET /api/auth/invitation", "What the invitation of a link is for.", (200, "ServerInvited"))
        .query(&["token: string"]),
    own("POST /api/auth/join", "Accepts an invitation by the token of its link.", (200, "ServerJoined"))
        .body(&["token: string"]),
    own("GET /.well-known/jwks.json", "The public keys of the tokens.", (200, "json")).public(),
    own("GET /api/endpoints", "The webhook endpoints of an account.", (200, "ServerEndpoints")).query(&[ACCOUNT]),
    own("POST /api/endpoints", "Makes a webhook endpoint, and shows its secret once.", (201, "ServerNewEndpoint"))
        .query(&[ACCOUNT])
        .body(&["url: string", "types: string[]?", "description: string?"]),
    own("GET /api/endpoints/{id}", "A webhook endpoint.", (200, "ServerEndpoint")),
    own("PATCH /api/endpoints/{id}", "Changes, disables or enables a webhook endpoint.", (200, "ServerEndpoint"))
        .body(&["url: string?", "types: string[]?", "description: string?", "status: enabled | disabled?"]),
    own("DELETE /api/endpoints/{id}", "Deletes a webhook endpoint.", (200, "ServerNothing")),
    own(
        "POST /api/endpoints/{id}/rotate",
        "Makes a new secret. Each earlier one signs for another day.",
        (200, "ServerNewEndpoint"),
    ),
    own("POST /api/endpoints/{id}/test", "Sends a test message.", (202, "ServerMessage")),
    own("POST /api/endpoints/{id}/resend", "Sends failed messages again.", (202, "ServerCount"))
        .body(&["since: time?"]),
    own(
        "GET /api/endpoints/{id}/deliveries",
        "The log of an endpoint, the newest message first.",
        (200, "ServerDeliveries"),
    )
    .query(&["state: pending | delivered | failed?", "after: string?", "limit: integer?"]),
    own("POST /api/endpoints/{id}/deliveries/{message}/resend", "Sends a message again.", (202, "ServerMessage")),
    own(
        "POST /api/commands/{name}",
        "Gives a command. Its kinds, payloads and replies are in the manifest.",
        (200, "json"),
    )
    .query(&[ACCOUNT])
    .body(&["json"]),
    own("GET /api/commands/{name}", "The reply to a command, by its id.", (200, "json")),
    own(
        "GET /api/queries/{name}",
        "Asks a query: `entitlements`, `usage`, `balances`, `list` or `catalog`.",
        (200, "json"),
    )
    .query(&[ACCOUNT, "kind: string?", "filter: string?", "after: string?", "limit: integer?", "at: time?"]),
    own("GET /api/entitlements", "What an account may use.", (200, "ServerEntitlements"))
        .query(&[ACCOUNT, "at: time?"]),
    own(
        "GET /api/entitlements/check",
        "May the account use this much more? If not, what would allow it.",
        (200, "json"),
    )
    .query(&[ACCOUNT, "key: string", "amount: integer?"]),
    own("POST /api/events", "Reports a fact or usage of the business.", (200, "json")).body(&["json"]),
];

/// Reads a field of the tables. A wrong one has the type `json`; a test finds it.
fn field(text: &str) -> Field {
    let (name, of) = text.split_once(": ").unwrap_or((text, ""));
    Field {
        name: name.to_owned(),
        value_type: Type::parse(of).unwrap_or(Type::Json),
        about: String::new(),
        default: None,
    }
}

/// Returns the fields of a type, with those of the types that it contains.
fn fields_of(texts: &'static [&'static str]) -> Vec<Field> {
    let fields = texts.iter().flat_map(|text| match text.strip_prefix(SPREAD) {
        Some(other) => TYPES.iter().find(|(name, _)| *name == other).map_or_else(Vec::new, |(_, of)| fields_of(of)),
        None => vec![field(text)],
    });
    fields.collect()
}

/// Returns the schemas of the types.
pub(crate) fn components() -> impl Iterator<Item = (String, Value)> {
    TYPES.iter().map(|(name, fields)| {
        let fields = fields_of(fields);
        ((*name).to_owned(), schema::of_object(&fields, false))
    })
}

fn answer(of: &str) -> Value {
    match of {
        "json" => json!({}),
        name => json!({"$ref": format!("#/components/schemas/{name}")}),
    }
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let parts = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    parts.map(|name| {
        let name = name.trim_start_matches('*');
        json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
    })
}

fn responses(status: &str, schema: Value) -> Value {
    with_error(status, json!({"description": "Success", "content": {"application/json": {"schema": schema}}}))
}

fn with_error(status: &str, success: Value) -> Value {
    json!({
        status: success,
        "default": {"description": "An error", "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
    })
}

fn redirect(status: u16) -> Value {
    let location = json!({"description": "The address", "schema": {"type": "string"}});
    with_error(&status.to_string(), json!({"description": "Another address", "headers": {"Location": location}}))
}

fn operation(of: &Own) -> Value {
    let path = of.line.split_once(' ').map_or("", |(_, path)| path);
    let query = of.query.iter().map(|text| {
        let field = field(text);
        let is_required = !field.value_type.is_optional();
        json!({"name": field.name, "in": "query", "required": is_required, "schema": schema::of_type(field.value_type.required())})
    });
    let mut operation = json!({
        "summary": of.about,
        "tags": ["Server"],
        "x-server": true,
        "parameters": path_parameters(path).chain(query).collect::<Vec<_>>(),
        "responses": match of.answer {
            (status, REDIRECT) => redirect(status),
            (status, name) => responses(&status.to_string(), answer(name)),
        },
        "security": if of.is_public { json!([]) } else { json!([{"token": []}]) },
    });
    if !of.body.is_empty() {
        let schema = match of.body {
            ["json"] => json!({"type": "object"}),
            fields => schema::of_object(&fields.iter().map(|text| field(text)).collect::<Vec<_>>(), true),
        };
        operation["requestBody"] = json!({"content": {"application/json": {"schema": schema}}});
    }
    operation
}

/// Adds the paths to those of a business, which come first.
pub(crate) fn add_to(paths: &mut Map<String, Value>) {
    let mut add = |path: &str, method: &str, operation: Value| {
        let methods = paths.entry(path.to_owned()).or_insert_with(|| json!({}));
        if methods.get(method).is_none() {
            methods[method] = operation;
        }
    };
    for of in PATHS {
        let (method, path) = of.line.split_once(' ').unwrap_or_default();
        add(path, &method.to_ascii_lowercase(), operation(of));
    }
    for route in ROUTES.iter().filter(|route| !matches!(route.action, Action::NotServed(_))) {
        for (path, method) in route.paths.iter().flat_map(|path| route.methods.iter().map(move |method| (path, method)))
        {
            let operation = json!({
                "summary": route.action.about(),
                "tags": ["Products"],
                "x-server": true,
                "parameters": path_parameters(path).collect::<Vec<_>>(),
                "responses": responses("2XX", json!({})),
                "security": if route.who == Who::All { json!([]) } else { json!([{"token": []}]) },
            });
            add(path, &method.to_ascii_lowercase(), operation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_tables_can_be_read() {
        let of_types = TYPES.iter().flat_map(|(_, fields)| fields.iter());
        let of_paths = PATHS.iter().flat_map(|path| path.body.iter().chain(path.query));
        for text in of_types.chain(of_paths).filter(|text| **text != "json") {
            if let Some(other) = text.strip_prefix(SPREAD) {
                assert!(TYPES.iter().any(|(known, _)| *known == other), "{text}");
                continue;
            }
            let (name, of) = text.split_once(": ").unwrap_or_else(|| panic!("{text}"));
            let parsed = Type::parse(of).unwrap_or_else(|| panic!("{text}"));
            assert!(!name.is_empty());
            if let Some(named) = parsed.named() {
                assert!(TYPES.iter().any(|(known, _)| *known == named), "{text}");
            }
        }
        for path in PATHS {
            let known =
                ["json", REDIRECT].contains(&path.answer.1) || TYPES.iter().any(|(name, _)| *name == path.answer.1);
            assert!(known, "{}", path.line);
        }
    }
}
