//! Handles requests one at a time. A response is returned only after the request's changes are committed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::access::{self, Access};
use crate::api::{self, expand, since};
use crate::api_faults::{self, ApiFault, FaultKind, LostAnswer};
use crate::calendar::DAY_S;
use crate::clock;
use crate::connect;
use crate::error::{ApiError, ErrorType};
use crate::event::RequestMeta;
use crate::form::{self, Form};
use crate::ids;
use crate::model::account;
use crate::model::file::Upload;
use crate::params::{Args, known};
use crate::settings::Settings;
use crate::shapes;
use crate::state::State;
use crate::state::owner::name_within;
use crate::store::{Given, StoreError, StoredReply};
use crate::version::Version;

/// The maximum length of a request's body, and of its query, in bytes.
pub const BODY_BYTES_MAX: usize = 1_000_000;
/// The maximum length of an idempotency key, Stripe's limit.
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;

/// A request from the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The method: `GET`, `POST` or `DELETE`. Others are refused.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query string.
    pub query: String,
    /// The form-encoded body.
    pub body: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Stripe-Version` header.
    pub version: Option<String>,
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
    /// The `Stripe-Account` header: the connected account for which the request acts.
    pub account: Option<String>,
    /// The file of a `multipart/form-data` request, whose other fields are in the body.
    pub upload: Option<Upload>,
    /// Whether the request comes from a page of the sandbox or from the process itself; see [`own_request`]. API faults do not apply to it.
    pub is_own: bool,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: String,
    /// The header `Request-Id`.
    pub request_id: String,
    /// The header `Stripe-Version`.
    pub version: String,
    /// The header `Date`: the time of the account's clock in Unix seconds.
    pub at_s: i64,
    /// The header `Original-Request` of a replayed response.
    pub original_request: Option<String>,
    /// The header `Idempotency-Key`, as in the request.
    pub idempotency_key: Option<String>,
    /// The header `Stripe-Rate-Limited-Reason` of a response with the status 429.
    pub rate_limited: Option<&'static str>,
    /// How the answer is lost, if an API fault requires it. In that case the client must not get the response.
    pub lost: Option<LostAnswer>,
}

/// A local Stripe account.
#[derive(Debug)]
pub struct Sandbox {
    state: State,
    /// Whether parameters that only the real Stripe has are accepted without effect.
    is_lenient: bool,
    /// The endpoints and parameters that were accepted without effect.
    without_effect: BTreeSet<String>,
}

impl Sandbox {
    /// Creates an empty account that ends with the process.
    pub fn new(settings: Settings) -> Self {
        Self::of(State::new(settings))
    }

    /// Opens the account of a state file, or creates an account with these settings. An existing account keeps its
    /// stored settings, except those in `given`: see [`Given`].
    ///
    /// # Errors
    /// The file can't be used, or a given setting can't be changed.
    pub fn open(path: &Path, settings: Settings, given: &[Given]) -> Result<Self, StoreError> {
        Ok(Self::of(State::open(path, settings, given)?))
    }

    fn of(state: State) -> Self {
        Self { state, is_lenient: false, without_effect: BTreeSet::new() }
    }

    /// Accepts parameters that only the real Stripe has without effect, and prints each of them once.
    pub fn be_lenient(&mut self) {
        self.is_lenient = true;
    }

    /// Returns the account's state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Stores the delivery progress: all deliveries of the first `delivered` events succeeded or were given up.
    ///
    /// # Errors
    /// The state can't be written.
    pub fn set_delivered(&mut self, delivered: u64) -> Result<(), StoreError> {
        self.state.set_delivered(delivered)
    }

    /// Marks a webhook endpoint so that a reset keeps it.
    ///
    /// # Errors
    /// The state can't be written.
    pub fn keep_endpoint(&mut self, id: &str) -> Result<(), StoreError> {
        self.state.begin();
        self.state.change(id, |endpoint| endpoint.as_webhook_endpoint_mut().kept = true);
        self.state.commit()
    }

    /// Takes the requested resends: the id of each event, with the id of one endpoint, or `None` for all endpoints.
    pub fn take_resends(&mut self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut self.state.resends)
    }

    /// Moves the sandbox's own clock forward to a time in Unix seconds, and runs all due actions.
    ///
    /// # Errors
    /// The state can't be read or written.
    pub fn tick(&mut self, now_s: i64) -> Result<(), StoreError> {
        self.state.begin();
        self.state.request = RequestMeta::default();
        if clock::advance(&mut self.state, "", now_s).is_err() {
            self.state.roll_back();
        }
        self.state.commit()
    }

    /// Handles a request.
    pub fn handle(&mut self, request: &Request) -> Response {
        self.state.begin();
        self.state.count_request(request.method == "GET");
        let request_id = ids::id("req", self.state.settings.seed ^ 0x5265_7175_6573_7473, self.state.requests());
        let mut response = Response {
            status: 200,
            body: String::new(),
            request_id: request_id.clone(),
            version: self.state.settings.version.to_string(),
            at_s: self.state.clock_s(),
            original_request: None,
            idempotency_key: request.idempotency_key.clone(),
            rate_limited: None,
            lost: None,
        };
        let is_of_client = !request.is_own && request.path.starts_with("/v1/");
        let fault = if is_of_client { self.state.api_faults.take(&request.method, &request.path) } else { None };
        response.lost = fault.as_ref().and_then(|fault| fault.kind.lost());
        match fault {
            Some(ApiFault { kind: FaultKind::RateLimit, .. }) => {
                response.refuse(&api_faults::rate_limit());
                response.rate_limited = Some(api_faults::RATE_LIMIT_REASON);
                return response;
            }
            // Nothing is executed, and the answer does not reach the client.
            Some(ApiFault { is_done: false, .. }) if response.lost.is_some() => return response,
            _ => {}
        }
        if let Err(error) = self.answer(request, &request_id, &mut response, fault.as_ref()) {
            response.refuse(&error);
        }
        self.state.act_for("");
        // The request may have moved the clock.
        response.at_s = self.state.clock_s();
        // A request whose state can't be read or stored is refused.
        if let Err(error) = self.state.commit() {
            response.refuse(&ApiError::internal(error.to_string()));
        }
        response
    }

    fn answer(
        &mut self,
        request: &Request,
        request_id: &str,
        response: &mut Response,
        fault: Option<&ApiFault>,
    ) -> Result<(), ApiError> {
        // The body of a request to an unknown endpoint need not be a form; for version 2 of the API, for example, it is JSON.
        let mut form =
            read_form(request).map_err(|error| api::find(&request.method, &request.path).err().unwrap_or(error))?;
        let in_form = access::take_key(&mut form);
        let access = match request.path.starts_with("/_sandbox/") {
            true => Access::Secret,
            false => access::of(request.authorization.as_deref(), in_form.as_deref())?,
        };
        let version = match request.version.as_deref() {
            None => self.state.settings.version.clone(),
            Some(text) => text.parse().map_err(|e: crate::version::VersionError| ApiError::invalid(e.to_string()))?,
        };
        response.version = version.to_string();
        let own = account::own_id(&self.state.settings);
        let acting = request.account.as_deref().filter(|account| !account.is_empty() && *account != own);
        if let Some(account) = acting
            && self.state.connected_account(account).is_none()
        {
            return Err(connect::no_access(account));
        }
        self.state.act_for(acting.unwrap_or_default());
        let (route, ids) = api::find(&request.method, &request.path)?;
        since::check(route, &version)?;
        if access == Access::Publishable {
            access::check_publishable(&self.state, route, &ids, &form)?;
        }
        if access == Access::Ephemeral {
            let key = access::key_of(request.authorization.as_deref(), in_form.as_deref())?;
            access::check_ephemeral(&self.state, &key, route, &ids, &form)?;
        }
        let expands = api::take_expand(&mut form)?;
        since::check_parameters(route, &version, &form)?;
        let args = Args::read_but(&form, route.fields, &mut |name| {
            let Some(general) = known::general_name(route.method, route.path, name) else {
                return Err(ApiError::unknown_param(name));
            };
            if !self.is_lenient {
                return Err(ApiError::lacking_param(name));
            }
            let line = format!("{} {} {general}", route.method, route.path);
            if !self.without_effect.contains(&line) {
                eprintln!("without effect: {line}");
                self.without_effect.insert(line);
            }
            Ok(())
        })?;
        let key = request.idempotency_key.as_deref().filter(|k| request.method == "POST" && !k.is_empty());
        if let Some(key) = key {
            if key.chars().count() > IDEMPOTENCY_KEY_CHARS_MAX {
                let message = format!("Idempotency keys can be at most {IDEMPOTENCY_KEY_CHARS_MAX} characters long.");
                return Err(ApiError { kind: ErrorType::Idempotency, ..ApiError::invalid(message) });
            }
            // Keys of different accounts are independent.
            if let Some(answer) = self.replay(&name_within(self.state.acting(), key), request)? {
                response.status = answer.status;
                response.body = answer.body;
                response.original_request = Some(answer.request_id);
                return Ok(());
            }
        }
        self.state.upload.clone_from(&request.upload);
        self.state.request = RequestMeta { id: Some(request_id.to_owned()), idempotency_key: key.map(str::to_owned) };
        let fails = fault.filter(|fault| fault.kind == FaultKind::ServerError);
        let outcome = match fails {
            Some(fault) if !fault.is_done => Err(api_faults::server_error()),
            _ => (route.run)(&mut self.state, &ids, &args)
                .and_then(|value| self.show(value, route.is_page, &expands, &version)),
        };
        let is_preview = std::mem::take(&mut self.state.is_preview);
        let keeps = outcome.as_ref().err().is_none_or(|error| error.keeps_changes);
        if keeps && !is_preview {
            clock::finish(&mut self.state);
        } else {
            self.state.roll_back();
        }
        match outcome {
            Ok(body) => response.body = body,
            Err(error) => response.refuse(&error),
        }
        if fails.is_some() {
            response.refuse(&api_faults::server_error());
        }
        if let Some(key) = key {
            let key = name_within(self.state.acting(), key).into_owned();
            self.remember(&key, request, response);
        }
        Ok(())
    }

    fn show(&self, value: Value, is_page: bool, expands: &[String], version: &Version) -> Result<String, ApiError> {
        let shown = match value {
            Value::String(document) => return Ok(document),
            value if is_page || matches!(value["object"].as_str(), Some("list" | "search_result")) => {
                self.show_page(value, version)
            }
            value => shapes::render(&self.state.shown(value).value(), version),
        };
        expand::expand(&self.state, shown, expands, version).map(|v| pretty(&v))
    }

    /// Renders one page of a list. Unlike an embedded list, a page is not cut off at [`shapes::EMBEDDED_MAX`].
    fn show_page(&self, value: Value, version: &Version) -> Value {
        let Value::Object(map) = value else { return value };
        let one = |value: Value| shapes::render(&self.state.shown(value).value(), version);
        let members = map.into_iter().map(|(name, value)| match (name.as_str(), value) {
            ("data", Value::Array(list)) => (name, Value::Array(list.into_iter().map(one).collect())),
            (_, value) => (name, shapes::render(&value, version)),
        });
        Value::Object(members.collect())
    }

    fn replay(&self, key: &str, request: &Request) -> Result<Option<StoredReply>, ApiError> {
        let Some(answer) = self.state.answer(key).filter(|a| a.at_s + DAY_S >= self.state.clock_s()) else {
            return Ok(None);
        };
        if answer.fingerprint == fingerprint(request) {
            return Ok(Some(answer));
        }
        // Stripe's message contains the endpoint of this request first, then that of the key's first use.
        let misuse = match answer.endpoint == request.path {
            true => "with the same parameters they were first used with".to_owned(),
            false => {
                format!("for the same endpoint they were first used for ('{}' vs '{}')", request.path, answer.endpoint)
            }
        };
        let key = request.idempotency_key.as_deref().unwrap_or_default();
        let message = format!(
            "Keys for idempotent requests can only be used {misuse}. Try using a key other than '{key}' if you meant to execute a different request."
        );
        Err(ApiError { kind: ErrorType::Idempotency, ..ApiError::invalid(message) })
    }

    fn remember(&mut self, key: &str, request: &Request, response: &Response) {
        let now_s = self.state.clock_s();
        let answer = StoredReply {
            key: key.to_owned(),
            endpoint: request.path.clone(),
            fingerprint: fingerprint(request),
            status: response.status,
            body: response.body.clone(),
            request_id: response.request_id.clone(),
            at_s: now_s,
        };
        self.state.put_answer(&answer, now_s - DAY_S);
    }
}

impl Response {
    /// Replaces the status and the body with those of an error, in the shape of the response's version.
    fn refuse(&mut self, error: &ApiError) {
        self.status = error.status;
        let version: Version = self.version.parse().unwrap_or_else(|_| Settings::default().version);
        let mut body = error.body();
        // Stripe logs requests only for known accounts.
        if error.status != UNAUTHORIZED {
            body["error"]["request_log_url"] = json!(log_url(&self.request_id, self.at_s));
        }
        self.body = pretty(&shapes::render(&body, &version));
    }
}

/// The status of a request without a valid key.
const UNAUTHORIZED: u16 = 401;

/// Returns the URL of a request's log in Stripe's dashboard, in the form used in Stripe's errors.
fn log_url(request_id: &str, at_s: i64) -> String {
    format!("https://dashboard.stripe.com/test/logs/{request_id}?t={at_s}")
}

fn pretty(value: &Value) -> String {
    // A JSON value always serializes.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Returns a digest of the method, the path and the parameters. An idempotency key is valid only for this digest. The
/// order of the parameters does not matter.
fn fingerprint(request: &Request) -> [u8; 32] {
    // The query and the body were decoded before, so they can be decoded again.
    let decoded = |text: &str| form::decode(text.as_bytes()).map(|f| format!("{f:?}")).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [&request.method, &request.path, &decoded(&request.query), &decoded(&request.body)] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    if let Some(upload) = &request.upload {
        hash.update((upload.filename.len() as u64).to_le_bytes());
        hash.update(upload.filename.as_bytes());
        hash.update(&upload.content);
    }
    hash.finalize().into()
}

fn read_form(request: &Request) -> Result<Form, ApiError> {
    if request.body.len() > BODY_BYTES_MAX || request.query.len() > BODY_BYTES_MAX {
        return Err(ApiError { status: 413, ..ApiError::invalid("The request is too large.") });
    }
    let decode =
        |text: &str| form::decode(text.as_bytes()).map_err(|e| ApiError::invalid(format!("Invalid request: {e}.")));
    let mut form: Form = decode(&request.query)?;
    for (name, node) in decode(&request.body)? {
        form.insert(name, node);
    }
    Ok(form)
}

/// Creates a request with a test key, as used by the sandbox's own pages. API faults do not apply to it.
pub fn own_request(method: &str, path: &str, form: &[(&str, &str)]) -> Request {
    let body: Vec<String> = form.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    let (query, body) = if method == "GET" { (body.join("&"), String::new()) } else { (String::new(), body.join("&")) };
    Request {
        method: method.into(),
        path: path.into(),
        query,
        body,
        authorization: Some("Bearer sk_test_page".into()),
        is_own: true,
        ..Request::default()
    }
}

/// Percent-encodes all bytes except ASCII letters, digits and `-_.[]`.
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

/// Parses the JSON body of a response; invalid JSON gives an empty object.
pub fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|_| json!({}))
}
