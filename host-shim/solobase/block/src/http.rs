//! Requests and responses, in the form in which the platform passes them: a kind, a list of strings, and bytes.

use extension_contract::{Account, Actor, ActorKind};
pub use host_engine::remote::BODY_BYTES_MAX;
use serde_json::{Map, Value, json};

/// A request.
#[derive(Debug, Default)]
pub struct Request {
    /// `METHOD:path`.
    pub kind: String,
    /// Names and values, for example `http.header.stripe-signature`.
    pub meta: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// Returns the value of a name.
    pub fn meta(&self, name: &str) -> Option<&str> {
        self.meta.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn method(&self) -> &str {
        self.meta("http.method").unwrap_or_else(|| self.kind.split_once(':').map_or("", |(method, _)| method))
    }

    /// Returns the path below the block's own path, `/b/NAME`.
    pub(crate) fn path(&self) -> &str {
        let path =
            self.meta("http.path").or_else(|| self.kind.split_once(':').map(|(_, path)| path)).unwrap_or_default();
        let below = path.strip_prefix("/b/").map(|rest| rest.find('/').map_or("", |at| &rest[at..]));
        below.unwrap_or(path)
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.meta(&format!("http.query.{name}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.meta(&format!("http.header.{name}"))
    }

    /// Returns the user that the platform has authenticated: an actor, and its own account.
    pub(crate) fn user(&self) -> Option<(Actor, Account)> {
        let id = self.meta("auth.user_id").filter(|id| !id.is_empty())?;
        let roles: Vec<String> = self
            .meta("auth.user_roles")
            .unwrap_or_default()
            .split(',')
            .map(|role| role.trim().to_owned())
            .filter(|role| !role.is_empty())
            .collect();
        let kind = if roles.iter().any(|role| role == "admin") { ActorKind::Admin } else { ActorKind::User };
        Some((Actor { kind, subject: id.to_owned(), roles }, Account::User(id.to_owned())))
    }
}

/// A response.
#[derive(Debug, PartialEq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// The body, JSON.
    pub body: Value,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Response {
    pub(crate) fn ok(body: Value) -> Response {
        Response { status: 200, body, headers: Vec::new() }
    }

    pub(crate) fn of(status: u16, body: Value) -> Response {
        Response { status, ..Response::ok(body) }
    }

    /// Returns an error in the platform's form.
    pub(crate) fn error(status: u16, code: &str, message: impl Into<String>) -> Response {
        Response::of(status, json!({"error": code, "message": message.into()}))
    }

    /// Adds members to the body.
    pub(crate) fn with(mut self, members: Map<String, Value>) -> Response {
        if let Value::Object(body) = &mut self.body {
            body.extend(members);
        }
        self
    }

    /// Nothing was stored; the same request may be sent again.
    pub(crate) fn unavailable(message: impl Into<String>) -> Response {
        Response { headers: vec![("retry-after", "1".to_owned())], ..Response::error(503, "unavailable", message) }
    }
}
