//! A helper for calls to a sandbox.

use local_stripe::calendar::DAY_S;
use local_stripe::sandbox::{Request, Response, Sandbox, escape, json_of};
use local_stripe::settings::{START_S, Settings};
use serde_json::Value;

/// A sandbox, and the number of events that the test has already read.
pub struct Play {
    pub sandbox: Sandbox,
    seen: u64,
}

impl Play {
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        Self { sandbox: Sandbox::new(settings), seen: 0 }
    }

    /// Makes any call; `form` is written `a[b]=c&d=e` with plain values.
    pub fn call(&mut self, method: &str, path: &str, form: &str) -> Response {
        self.sandbox.handle(&request(method, path, form))
    }

    /// Makes a call that must succeed.
    pub fn ok(&mut self, method: &str, path: &str, form: &str) -> Value {
        let response = self.call(method, path, form);
        assert_eq!(response.status, 200, "{method} {path} {form}: {}", response.body);
        json_of(&response)
    }

    pub fn post(&mut self, path: &str, form: &str) -> Value {
        self.ok("POST", path, form)
    }

    pub fn get(&mut self, path: &str) -> Value {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        self.ok("GET", path, query)
    }

    /// Makes a call that must be refused with this status, and returns the error object.
    pub fn refused(&mut self, method: &str, path: &str, form: &str, status: u16) -> Value {
        let response = self.call(method, path, form);
        assert_eq!(response.status, status, "{method} {path} {form}: {}", response.body);
        json_of(&response)["error"].clone()
    }

    /// Returns the types of the events since the last call.
    pub fn events(&mut self) -> Vec<String> {
        let state = self.sandbox.state();
        let new = (self.seen..state.event_count()).map(|n| state.event(n).expect("an event").kind.clone()).collect();
        self.seen = state.event_count();
        new
    }

    /// Returns the newest event of a type, in the newest shape.
    pub fn event(&self, kind: &str) -> Value {
        let found = self.sandbox.state().newest_events(None, |k| k == kind).next();
        found.unwrap_or_else(|| panic!("no {kind}")).render(&local_stripe::version::NEWEST.into())
    }

    pub fn until_day(&mut self, day: i64) {
        self.post("/_sandbox/clock", &format!("advance_to={}", START_S + day * DAY_S));
    }

    pub fn until(&mut self, time_s: i64) {
        self.post("/_sandbox/clock", &format!("advance_to={time_s}"));
    }

    pub fn price(&mut self, name: &str, amount: i64, more: &str) -> String {
        let product = id(&self.post("/v1/products", &format!("name={name}")));
        id(&self.post("/v1/prices", &format!("product={product}&currency=usd&unit_amount={amount}{more}")))
    }

    pub fn monthly(&mut self, name: &str, amount: i64) -> String {
        self.price(name, amount, "&recurring[interval]=month")
    }

    /// Creates a customer with a default card.
    pub fn customer(&mut self, card: &str) -> String {
        id(&self.post(
            "/v1/customers",
            &format!("email=a@example.com&payment_method={card}&invoice_settings[default_payment_method]={card}"),
        ))
    }

    pub fn new_card(&mut self, customer: &str, card: &str) {
        let method = id(&self.post(&format!("/v1/payment_methods/{card}/attach"), &format!("customer={customer}")));
        self.post(&format!("/v1/customers/{customer}"), &format!("invoice_settings[default_payment_method]={method}"));
    }

    pub fn subscribe(&mut self, customer: &str, price: &str, more: &str) -> Value {
        self.post("/v1/subscriptions", &format!("customer={customer}&items[0][price]={price}{more}"))
    }
}

/// Creates a request with plain values in its form.
pub fn request(method: &str, path: &str, form: &str) -> Request {
    let pairs: Vec<String> = form
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            format!("{}={}", escape(name), escape(value))
        })
        .collect();
    let mut request = Request {
        method: method.into(),
        path: path.into(),
        authorization: Some("Bearer sk_test_x".into()),
        ..Request::default()
    };
    if method == "GET" {
        request.query = pairs.join("&");
    } else {
        request.body = pairs.join("&");
    }
    request
}

/// Returns an object's id.
pub fn id(object: &Value) -> String {
    object["id"].as_str().unwrap_or_else(|| panic!("no id in {object}")).to_owned()
}
