//! Requests of one call: sent once each, answered with an object or with why not.

use crate::config::{Config, Mode};
use crate::failure::{ErrorBody, Failed};
use crate::marks::Marks;
use host_http::{Body, Client, Method, Redacted, Reply, Request, retry_after_ms};
use host_provider_api::Secret;
use serde_json::Value;
use stripe_client_core::{RequestBuilder, StripeMethod, VERSION};

/// What keys begin with; no text that leaves the provider holds one.
const KEY_PREFIXES: [&str; 4] = ["sk_live_", "rk_live_", "sk_test_", "rk_test_"];

/// An object, and what Stripe told with it.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The object, without keys in it.
    pub object: Value,
    /// `Date` of the answer in milliseconds since the epoch.
    pub date_ms: Option<i64>,
    /// `Stripe-Version` of the answer.
    pub api_version: String,
}

/// Stripe's API with the key of one mode, for one account.
#[derive(Clone, Copy)]
pub(crate) struct Api<'a> {
    pub config: &'a Config,
    client: &'a Client,
    mode: Mode,
    key: &'a Secret,
    connected: Option<&'a str>,
}

impl<'a> Api<'a> {
    pub fn new(config: &'a Config, client: &'a Client, mode: Mode) -> Result<Api<'a>, Failed> {
        Ok(Api { config, client, mode, key: config.key(mode)?, connected: None })
    }

    /// The same for a connected account.
    pub fn on_behalf_of(self, connected: Option<&'a str>) -> Api<'a> {
        Api { connected, ..self }
    }

    /// What takes keys out of texts.
    pub fn redacted(&self) -> Redacted<'a> {
        Redacted { key: self.key, prefixes: &KEY_PREFIXES }
    }

    /// A request that makes or changes something: the same marks and step are answered alike for a day at least.
    pub fn post(&self, request: RequestBuilder, marks: &Marks, step: &str) -> Result<Value, Failed> {
        Ok(self.send(request, Some(&marks.idempotency(step)))?.object)
    }

    /// A request that removes something, for which Stripe knows no idempotency keys.
    pub fn delete(&self, request: RequestBuilder) -> Result<Value, Failed> {
        Ok(self.send(request, None)?.object)
    }

    /// Ask for an object or a list.
    pub fn get(&self, path: String, query: &[(&str, &str)]) -> Result<Answered, Failed> {
        let request = RequestBuilder::new(StripeMethod::Get, path);
        let request = if query.is_empty() { request } else { request.query(&Query(query)) };
        self.send(request, None)
    }

    /// Ask for an object that may not be there.
    pub fn find(&self, path: String) -> Result<Option<Value>, Failed> {
        match self.get(path, &[]) {
            Ok(answered) => Ok(Some(answered.object)),
            Err(Failed::Error { status: 404, .. }) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    fn send(&self, request: RequestBuilder, idempotency: Option<&str>) -> Result<Answered, Failed> {
        let path = match &request.query {
            Some(query) => format!("/v1{}?{query}", request.path),
            None => format!("/v1{}", request.path),
        };
        let mut headers = vec![("stripe-version", VERSION.as_str())];
        headers.extend(idempotency.map(|key| ("idempotency-key", key)));
        headers.extend(self.connected.map(|account| ("stripe-account", account)));
        let method = match request.method {
            StripeMethod::Get => Method::Get,
            StripeMethod::Post => Method::Post,
            StripeMethod::Delete => Method::Delete,
        };
        let (bearer, body) = (self.key.expose(), request.body.map(Body::Form));
        let reply = self.client.send(&Request { method, path: &path, bearer, headers: &headers, body })?;
        self.read(&reply)
    }

    fn read(&self, reply: &Reply) -> Result<Answered, Failed> {
        let status = reply.status;
        if status == 401 || status == 403 {
            return Err(Failed::Unauthorized { mode: self.mode, status });
        }
        if !reply.is_success() {
            return Err(self.error(reply));
        }
        let object: Value = serde_json::from_slice(&reply.body)
            .ok()
            .filter(Value::is_object)
            .ok_or(Failed::Unreadable { status, reason: "no JSON object" })?;
        let api_version = reply.header("stripe-version").unwrap_or(VERSION.as_str()).to_owned();
        Ok(Answered { object, date_ms: reply.date_ms, api_version })
    }

    /// Of an answer that is no object of Stripe's the status still says whether to ask again.
    fn error(&self, reply: &Reply) -> Failed {
        let told = serde_json::from_slice::<ErrorBody>(&reply.body).map(|body| body.error).unwrap_or_default();
        let status = reply.status;
        let code = told.code.or(told.kind).unwrap_or_else(|| format!("status-{status}"));
        let message = told.message.unwrap_or_else(|| format!("status {status} without words"));
        let message = self.redacted().text(&message);
        match status {
            300..400 => Failed::Unreadable { status, reason: "a redirect" },
            _ => Failed::Error { status, code, message, after_ms: retry_after_ms(reply) },
        }
    }
}

/// Pairs of a query, of which a name may come several times.
struct Query<'q>(&'q [(&'q str, &'q str)]);

impl serde::Serialize for Query<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}
