//! A test double of the spend log of a LiteLLM proxy, `GET /spend/logs/v2`, built from its published API: it checks the key and
//! the query, filters by user and time, and returns pages. The real proxy needs the Prisma engine, which its client downloads.

use crate::supabase::http::{Request, serve};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Maximum number of requests on a page.
const PAGE_SIZE_MAX: usize = 100;

#[derive(Default)]
struct State {
    rows: Vec<Value>,
    queries: Vec<String>,
    failures: Vec<u16>,
    leaks: bool,
}

/// A proxy with a spend log.
pub struct LiteLlm {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl LiteLlm {
    /// Key of the administrator.
    pub const KEY: &str = "sk-proxy-admin-1234";

    /// Starts a proxy with an empty log.
    pub fn start() -> LiteLlm {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let of_thread = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serve(&client, |request| answer(&mut lock(&of_thread), request));
            }
        });
        LiteLlm { address, state }
    }

    /// Returns the base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a request to the log: a row in the proxy's form, with these members before those of `more`.
    pub fn log(&self, id: &str, user: &str, at: &str, model: &str, tokens: (i64, i64), more: &Value) {
        let mut row = json!({
            "request_id": id, "call_type": "acompletion", "api_key": "hash", "spend": 0.1234, "total_tokens": tokens.0 + tokens.1,
            "prompt_tokens": tokens.0, "completion_tokens": tokens.1, "startTime": at, "endTime": at, "model": format!("openai/{model}"),
            "model_group": model, "user": user, "metadata": {}, "cache_hit": "False", "request_tags": [], "end_user": "",
            "status": "success",
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            row[name] = value.clone();
        }
        lock(&self.state).rows.push(row);
    }

    /// Answers the next requests with these statuses.
    pub fn fail_next(&self, statuses: &[u16]) {
        lock(&self.state).failures = statuses.to_vec();
    }

    /// From now on, returns the rows of all users, like a proxy that does not know the filter.
    pub fn leak(&self) {
        lock(&self.state).leaks = true;
    }

    /// Returns the queries so far, undecoded.
    pub fn queries(&self) -> Vec<String> {
        lock(&self.state).queries.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(state: &mut State, request: &Request) -> (u16, Value) {
    state.queries.push(request.whole_query().to_owned());
    if !state.failures.is_empty() {
        return (state.failures.remove(0), json!({"error": {"message": format!("a message with {}", LiteLlm::KEY)}}));
    }
    if request.method != "GET" || request.path != "/spend/logs/v2" {
        return (404, json!({"detail": "Not Found"}));
    }
    if request.authorization != format!("Bearer {}", LiteLlm::KEY) {
        return (
            401,
            json!({"error": {"message": "Authentication Error, Invalid proxy server token passed", "code": "401"}}),
        );
    }
    let text = |name: &str| request.query(name).map(decoded);
    let time = |name: &str| text(name).filter(|time| time.len() == 19 && time.as_bytes()[10] == b' ');
    let number = |name: &str| text(name).and_then(|text| text.parse::<usize>().ok());
    let (Some(start), Some(end)) = (time("start_date"), time("end_date")) else {
        return (400, json!({"error": {"message": "Start date and end date are required"}}));
    };
    let (page, size) = (number("page").unwrap_or(1), number("page_size").unwrap_or(50));
    if page < 1 || !(1..=PAGE_SIZE_MAX).contains(&size) || text("sort_order").as_deref() != Some("asc") {
        return (422, json!({"detail": []}));
    }
    let is_of =
        |row: &Value, column: &str, value: Option<String>| value.is_none_or(|value| row[column] == value.as_str());
    // Times are compared as strings, since every row has the form `2026-01-31T…`.
    let at = |row: &Value| row["startTime"].as_str().unwrap_or_default().replacen('T', " ", 1);
    let mut found: Vec<&Value> = state
        .rows
        .iter()
        .filter(|row| state.leaks || is_of(row, "user", text("user_id")) && is_of(row, "end_user", text("end_user")))
        .filter(|row| text("status_filter").as_deref() != Some("success") || row["status"] == "success")
        .filter(|row| at(row) >= start && at(row)[..19] <= *end)
        .collect();
    found.sort_by_key(|row| at(row));
    let total = found.len();
    let data: Vec<&Value> = found.into_iter().skip((page - 1) * size).take(size).collect();
    (200, json!({"data": data, "total": total, "page": page, "page_size": size, "total_pages": total.div_ceil(size)}))
}

/// Decodes a value in a query.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(part.len().min(2));
        bytes.push(u8::from_str_radix(code, 16).expect("a code"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).expect("UTF-8")
}
