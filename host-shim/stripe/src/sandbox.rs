//! The sandbox: requests in, responses out, one after another. It does no I/O; the server and the journal do.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::{self, Route, expand};
use crate::calendar::DAY_S;
use crate::clock;
use crate::error::{ApiError, ErrorType};
use crate::form::{self, Form};
use crate::ids;
use crate::model::account;
use crate::params::Args;
use crate::settings::Settings;
use crate::shapes;
use crate::state::{RequestMeta, State};
use crate::version::Version;

/// Bytes of a body, and of a query.
pub const BODY_BYTES_MAX: usize = 1_000_000;
/// Characters of an idempotency key, Stripe's limit.
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Answers kept for idempotency keys; the oldest go first.
const IDEMPOTENCY_KEYS_MAX: usize = 100_000;

/// A request, as the server or the journal has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `GET`, `POST`, `DELETE` or another, which is refused.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query string.
    #[serde(default)]
    pub query: String,
    /// The form-encoded body.
    #[serde(default)]
    pub body: String,
    /// The `Authorization` header; the journal doesn't keep it.
    #[serde(skip)]
    pub authorization: Option<String>,
    /// The `Stripe-Version` header.
    #[serde(default)]
    pub version: Option<String>,
    /// The `Idempotency-Key` header.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// The `Stripe-Account` header.
    #[serde(default)]
    pub account: Option<String>,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: String,
    /// `Request-Id`.
    pub request_id: String,
    /// `Stripe-Version`.
    pub version: String,
    /// `Original-Request`, of a replayed answer.
    pub original_request: Option<String>,
    /// `Idempotency-Key`, echoed.
    pub idempotency_key: Option<String>,
    /// Whether the request may have changed something, so that it must be remembered before it is answered.
    pub changed: bool,
}

#[derive(Debug)]
struct Answer {
    fingerprint: [u8; 32],
    status: u16,
    body: String,
    request_id: String,
    at_s: i64,
}

/// A local Stripe account.
#[derive(Debug)]
pub struct Sandbox {
    state: State,
    answers: HashMap<String, Answer>,
    answer_order: VecDeque<String>,
    requests: u64,
}

impl Sandbox {
    /// An empty account.
    pub fn new(settings: Settings) -> Self {
        Self { state: State::new(settings), answers: HashMap::new(), answer_order: VecDeque::new(), requests: 0 }
    }

    /// What the account remembers.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How many requests there were.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Sets how many requests there were, when a journal is read back.
    pub fn set_requests(&mut self, requests: u64) {
        self.requests = requests;
    }

    /// Takes the events that somebody asked to resend.
    pub fn take_resends(&mut self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut self.state.resends)
    }

    /// Moves the sandbox's own clock forward; what is due happens.
    pub fn tick(&mut self, now_s: i64) {
        self.state.request = RequestMeta::default();
        match clock::advance(&mut self.state, "", now_s) {
            Ok(()) => self.state.commit(),
            Err(_) => self.state.roll_back(),
        }
    }

    /// Answers a request.
    pub fn handle(&mut self, request: &Request) -> Response {
        self.requests += 1;
        let request_id = ids::id("req", self.state.settings.seed ^ 0x5265_7175_6573_7473, self.requests);
        let mut response = Response {
            status: 200,
            body: String::new(),
            request_id: request_id.clone(),
            version: self.state.settings.version.to_string(),
            original_request: None,
            idempotency_key: request.idempotency_key.clone(),
            changed: false,
        };
        match self.answer(request, &request_id, &mut response) {
            Ok(()) => {}
            Err(error) => {
                response.status = error.status;
                response.body = pretty(&error_body(&error, &response.version));
            }
        }
        response
    }

    fn answer(&mut self, request: &Request, request_id: &str, response: &mut Response) -> Result<(), ApiError> {
        let public = request.path.starts_with("/_sandbox/");
        if !public {
            check_key(request.authorization.as_deref())?;
        }
        let version = match request.version.as_deref() {
            None => self.state.settings.version.clone(),
            Some(text) => text.parse().map_err(|e: crate::version::VersionError| ApiError::invalid(e.to_string()))?,
        };
        response.version = version.to_string();
        let own = account::own_id(&self.state.settings);
        if request.account.as_deref().is_some_and(|a| !a.is_empty() && a != own) {
            let message = "This sandbox has one account and no connected accounts.";
            return Err(ApiError { status: 403, ..ApiError::coded("account_invalid", message) });
        }
        let (route, ids) = api::find(&request.method, &request.path)?;
        let (args, expands) = read_form(request, route)?;
        let changes = request.method != "GET";
        let key = request.idempotency_key.as_deref().filter(|k| request.method == "POST" && !k.is_empty());
        if let Some(key) = key {
            if key.chars().count() > IDEMPOTENCY_KEY_CHARS_MAX {
                let message = format!("Idempotency keys can be at most {IDEMPOTENCY_KEY_CHARS_MAX} characters long.");
                return Err(ApiError { kind: ErrorType::Idempotency, ..ApiError::invalid(message) });
            }
            if let Some(answer) = self.replay(key, request)? {
                response.status = answer.status;
                response.body = answer.body.clone();
                response.original_request = Some(answer.request_id.clone());
                return Ok(());
            }
        }
        self.state.request = RequestMeta { id: Some(request_id.to_owned()), idempotency_key: key.map(str::to_owned) };
        response.changed = changes;
        let outcome = (route.run)(&mut self.state, &ids, &args).and_then(|value| self.show(value, &expands, &version));
        match outcome {
            Ok(body) => {
                clock::finish(&mut self.state);
                self.state.commit();
                response.body = body;
            }
            Err(error) => {
                if error.keeps_changes {
                    clock::finish(&mut self.state);
                    self.state.commit();
                } else {
                    self.state.roll_back();
                }
                response.status = error.status;
                response.body = pretty(&error_body(&error, version.as_str()));
            }
        }
        if let Some(key) = key {
            self.remember(key, request, response);
        }
        Ok(())
    }

    fn show(&self, mut value: Value, expands: &[String], version: &Version) -> Result<String, ApiError> {
        let done = value.get("_rendered").is_some();
        let page = value.get("_page").is_some();
        let shown = if done {
            if let Value::Object(map) = &mut value {
                map.retain(|name, _| !name.starts_with('_'));
            }
            value
        } else if page {
            self.show_page(value, version)
        } else {
            let object = crate::object::Object::of(value);
            shapes::render(&self.state.freeze(&object).value(), version)
        };
        expand::expand(&self.state, shown, expands, version).map(|v| pretty(&v))
    }

    /// A list the caller pages through: every member rendered, none cut away.
    fn show_page(&self, value: Value, version: &Version) -> Value {
        let Value::Object(map) = value else { return value };
        let one = |v: Value| {
            let object = crate::object::Object::of(v);
            shapes::render(&self.state.freeze(&object).value(), version)
        };
        let members = map.into_iter().filter(|(name, _)| !name.starts_with('_')).map(|(name, value)| {
            match (name.as_str(), value) {
                ("data", Value::Array(list)) => (name, Value::Array(list.into_iter().map(one).collect())),
                (_, value) => (name, shapes::render(&value, version)),
            }
        });
        Value::Object(members.collect())
    }

    fn replay(&self, key: &str, request: &Request) -> Result<Option<&Answer>, ApiError> {
        let Some(answer) = self.answers.get(key).filter(|a| a.at_s + DAY_S >= self.state.clock_s()) else {
            return Ok(None);
        };
        if answer.fingerprint == fingerprint(request) {
            return Ok(Some(answer));
        }
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '{key}' if you meant to execute a different request."
        );
        Err(ApiError { kind: ErrorType::Idempotency, ..ApiError::invalid(message) })
    }

    fn remember(&mut self, key: &str, request: &Request, response: &Response) {
        let answer = Answer {
            fingerprint: fingerprint(request),
            status: response.status,
            body: response.body.clone(),
            request_id: response.request_id.clone(),
            at_s: self.state.clock_s(),
        };
        if self.answers.insert(key.to_owned(), answer).is_none() {
            self.answer_order.push_back(key.to_owned());
        }
        while self.answer_order.len() > IDEMPOTENCY_KEYS_MAX {
            if let Some(oldest) = self.answer_order.pop_front() {
                self.answers.remove(&oldest);
            }
        }
    }
}

fn error_body(error: &ApiError, version: &str) -> Value {
    let version: Version = version.parse().unwrap_or_else(|_| Settings::default().version);
    shapes::render(&error.body(), &version)
}

fn pretty(value: &Value) -> String {
    // A JSON value of string keys always serializes.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What a key stands for: the endpoint and the parameters, in whatever order they came.
fn fingerprint(request: &Request) -> [u8; 32] {
    // Both were decoded before, so neither fails here.
    let decoded = |text: &str| form::decode(text.as_bytes()).map(|f| format!("{f:?}")).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [&request.method, &request.path, &decoded(&request.query), &decoded(&request.body)] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

fn read_form(request: &Request, route: &Route) -> Result<(Args, Vec<String>), ApiError> {
    if request.body.len() > BODY_BYTES_MAX || request.query.len() > BODY_BYTES_MAX {
        return Err(ApiError { status: 413, ..ApiError::invalid("The request is too large.") });
    }
    let decode =
        |text: &str| form::decode(text.as_bytes()).map_err(|e| ApiError::invalid(format!("Invalid request: {e}.")));
    let mut form: Form = decode(&request.query)?;
    for (name, node) in decode(&request.body)? {
        form.insert(name, node);
    }
    let expands = api::take_expand(&mut form)?;
    Ok((Args::read(&form, route.fields)?, expands))
}

/// Any test key will do; a live one, a publishable one or none won't.
fn check_key(authorization: Option<&str>) -> Result<(), ApiError> {
    let missing = || {
        let message = "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.";
        ApiError::unauthorized(message)
    };
    let header = authorization.ok_or_else(missing)?;
    let (scheme, value) = header.split_once(' ').ok_or_else(missing)?;
    let key = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => value.trim().to_owned(),
        "basic" => basic_user(value.trim()).ok_or_else(missing)?,
        _ => return Err(missing()),
    };
    if key.starts_with("sk_test_") || key.starts_with("rk_test_") {
        return Ok(());
    }
    let shown: String = key.chars().take(8).collect();
    if key.starts_with("pk_") {
        let message = "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.";
        return Err(ApiError { code: Some("secret_key_required".into()), ..ApiError::unauthorized(message) });
    }
    if key.starts_with("sk_live_") || key.starts_with("rk_live_") {
        let message = "This is a local sandbox: use a key that begins with sk_test_, never a live one.";
        return Err(ApiError::unauthorized(message));
    }
    Err(ApiError::unauthorized(format!("Invalid API Key provided: {shown}****")))
}

/// The user of basic authentication, which is where Stripe has the key.
fn basic_user(encoded: &str) -> Option<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if encoded.len() > 1_024 {
        return None;
    }
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in encoded.bytes().filter(|b| *b != b'=') {
        let digit = ALPHABET.iter().position(|a| *a == byte)?;
        bits = (bits << 6) | u32::try_from(digit).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(((bits >> count) & 0xff) as u8);
        }
        bits &= (1 << count) - 1;
    }
    let text = String::from_utf8(bytes).ok()?;
    text.split(':').next().map(str::to_owned)
}

/// A request of the sandbox's own pages, which need no key.
pub fn own_request(method: &str, path: &str, form: &[(&str, &str)]) -> Request {
    let body: Vec<String> = form.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    let (query, body) = if method == "GET" { (body.join("&"), String::new()) } else { (String::new(), body.join("&")) };
    Request {
        method: method.into(),
        path: path.into(),
        query,
        body,
        authorization: Some("Bearer sk_test_page".into()),
        ..Request::default()
    }
}

/// Percent-encodes everything that isn't a letter or a digit.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.[]".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The JSON of a response.
pub fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|_| json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let status = |header: Option<&str>| check_key(header).err().map(|e| e.status);
        assert_eq!(status(Some("Bearer sk_test_123")), None);
        assert_eq!(status(Some("Basic c2tfdGVzdF8xMjM6")), None);
        for wrong in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer pk_test_1"),
            Some("Bearer sk_live_1"),
            Some("Basic ***"),
            Some("Digest x"),
        ] {
            assert_eq!(status(wrong), Some(401), "{wrong:?}");
        }
    }
}
