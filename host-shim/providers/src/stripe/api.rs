//! Sends the requests of one call to Stripe, once each.

use crate::http::{Body, Client, Method, Redacted, Reply, Request, retry_after_ms};
use crate::stripe::config::{Config, Mode};
use crate::stripe::failure::{ErrorBody, Failed};
use crate::stripe::marks::Marks;
use host_provider_api::Secret;
use serde_json::Value;
use sha2::{Digest, Sha256};
use stripe_client_core::{RequestBuilder, StripeMethod, VERSION};

/// Prefixes of keys. Words with these prefixes are removed from all outcomes.
const KEY_PREFIXES: [&str; 4] = ["sk_live_", "rk_live_", "sk_test_", "rk_test_"];

/// An object of the API, with details of Stripe's response.
#[derive(Debug)]
pub(crate) struct ObjectResponse {
    /// The object as Stripe sent it.
    pub object: Value,
    /// The response's `Date` in milliseconds since the epoch.
    pub date_ms: Option<i64>,
    /// The response's `Stripe-Version`, or the version that the request asked for.
    pub api_version: String,
}

/// Sends requests with the key of one mode, for the platform or on behalf of a connected account.
#[derive(Clone, Copy)]
pub(crate) struct Api<'a> {
    pub config: &'a Config,
    client: &'a Client,
    mode: Mode,
    key: &'a Secret,
    connected: Option<&'a str>,
    /// True if the idempotency keys depend on the parameters.
    is_keyed_by_parameters: bool,
}

impl<'a> Api<'a> {
    pub fn new(config: &'a Config, client: &'a Client, mode: Mode) -> Result<Api<'a>, Failed> {
        Ok(Api { config, client, mode, key: config.key(mode)?, connected: None, is_keyed_by_parameters: false })
    }

    /// Sends requests on behalf of a connected account.
    pub fn on_behalf_of(self, connected: Option<&'a str>) -> Api<'a> {
        Api { connected, ..self }
    }

    /// Sends requests with idempotency keys that differ if the parameters do.
    pub fn keyed_by_parameters(self) -> Api<'a> {
        Api { is_keyed_by_parameters: true, ..self }
    }

    /// Returns the redactor that removes keys from strings.
    pub fn redacted(&self) -> Redacted<'a> {
        Redacted { key: self.key, prefixes: &KEY_PREFIXES }
    }

    /// Sends a request that creates or changes an object. Within a day, Stripe returns the same response to the same
    /// marks and step.
    pub fn post(&self, request: RequestBuilder, marks: &Marks, step: &str) -> Result<Value, Failed> {
        let mut key = marks.idempotency(step);
        if self.is_keyed_by_parameters {
            // The order of metadata differs between attempts.
            let mut parameters: Vec<&str> = request.body.as_deref().unwrap_or_default().split('&').collect();
            parameters.sort_unstable();
            let hash = Sha256::digest(format!("{} {}", request.path, parameters.join("&")));
            key = format!("{key}-{}", hex::encode(&hash[..8]));
        }
        Ok(self.send(request, Some(&key))?.object)
    }

    /// Sends a request that sets values of an object, so repeating it changes nothing.
    pub fn set(&self, request: RequestBuilder) -> Result<Value, Failed> {
        Ok(self.send(request, None)?.object)
    }

    /// Sends a request that deletes an object. It has no idempotency key, because Stripe ignores the keys of such
    /// requests.
    pub fn delete(&self, request: RequestBuilder) -> Result<Value, Failed> {
        Ok(self.send(request, None)?.object)
    }

    /// Fetches an object or a list.
    pub fn get(&self, path: String, query: &[(&str, &str)]) -> Result<ObjectResponse, Failed> {
        let request = RequestBuilder::new(StripeMethod::Get, path);
        let request = if query.is_empty() { request } else { request.query(&Query(query)) };
        self.send(request, None)
    }

    /// Fetches an object; none if it does not exist.
    pub fn find(&self, path: String) -> Result<Option<Value>, Failed> {
        match self.get(path, &[]) {
            Ok(response) => Ok(Some(response.object)),
            Err(Failed::Error { status: 404, .. }) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    fn send(&self, request: RequestBuilder, idempotency: Option<&str>) -> Result<ObjectResponse, Failed> {
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

    fn read(&self, reply: &Reply) -> Result<ObjectResponse, Failed> {
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
            .ok_or(Failed::Unreadable { status, reason: "not a JSON object" })?;
        let api_version = reply.header("stripe-version").unwrap_or(VERSION.as_str()).to_owned();
        Ok(ObjectResponse { object, date_ms: reply.date_ms, api_version })
    }

    /// Reads an error response. If the body is not a Stripe error, only the status decides whether to retry.
    fn error(&self, reply: &Reply) -> Failed {
        let error = serde_json::from_slice::<ErrorBody>(&reply.body).map(|body| body.error).unwrap_or_default();
        let status = reply.status;
        let code = error.code.or(error.kind).unwrap_or_else(|| format!("status-{status}"));
        let message = error.message.unwrap_or_else(|| format!("status {status} without a message"));
        let message = match error.param {
            Some(param) => format!("{message} (parameter `{param}`)"),
            None => message,
        };
        let message = self.redacted().text(&message);
        match status {
            300..400 => Failed::Unreadable { status, reason: "a redirect" },
            _ => Failed::Error { status, code, message, after_ms: retry_after_ms(reply) },
        }
    }
}

/// Names and values of a query. A name may occur several times.
struct Query<'q>(&'q [(&'q str, &'q str)]);

impl serde::Serialize for Query<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}
