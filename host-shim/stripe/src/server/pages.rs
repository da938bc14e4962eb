//! The pages a buyer sees: checkout, the 3-D Secure step, receipts. Plain forms, no script, plainly a sandbox.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Response as HttpResponse, StatusCode, header};
use serde_json::Value;

use super::{Shared, read_body};
use crate::form::{self, Form, Node};
use crate::money;
use crate::object::Object;
use crate::sandbox::{Response, json_of, own_request};

const STYLE: &str = "body{font:16px/1.4 system-ui,sans-serif;max-width:26rem;margin:2rem auto;padding:0 1rem;color:#1a1f36}\
.sandbox{background:#ffd60a;padding:.4rem .8rem;border-radius:.3rem;font-weight:600}\
label{display:block;margin:.8rem 0 .2rem}input{width:100%;padding:.5rem;font:inherit;box-sizing:border-box}\
button{margin:1.2rem .5rem 0 0;padding:.6rem 1.2rem;font:inherit;font-weight:600}table{width:100%}td:last-child{text-align:right}\
.error{background:#fde8e8;color:#9b1c1c;padding:.6rem;border-radius:.3rem}";

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn html(status: StatusCode, title: &str, body: &str) -> HttpResponse<Body> {
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\
         <p class=\"sandbox\">Local sandbox: this is not Stripe, and no money moves.</p>{body}</body></html>"
    );
    let mut response = HttpResponse::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn redirect(url: &str) -> HttpResponse<Body> {
    let mut headers = HeaderMap::new();
    let Ok(location) = HeaderValue::from_str(url) else {
        return html(StatusCode::BAD_REQUEST, "Wrong URL", "<h1>The URL to go on to can't be used</h1>");
    };
    headers.insert(header::LOCATION, location);
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    *response.headers_mut() = headers;
    response
}

fn not_found() -> HttpResponse<Body> {
    html(
        StatusCode::NOT_FOUND,
        "Not found",
        "<h1>There is nothing here</h1><p>The link may belong to another run of the sandbox.</p>",
    )
}

fn session(shared: &Shared, id: &str) -> Option<Object> {
    shared.read(|s| s.state().find(id).filter(|o| o.kind() == "checkout.session").map(|o| Object::clone(&o)))
}

/// `GET /c/pay/{id}`.
pub(super) async fn checkout(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    match session(&shared, &id) {
        Some(session) => form_page(&session, "", StatusCode::OK),
        None => not_found(),
    }
}

fn form_page(session: &Object, error: &str, status: StatusCode) -> HttpResponse<Body> {
    if session.text("status") != "open" {
        let body =
            format!("<h1>This checkout is over</h1><p id=\"status\">Its status is {}.</p>", session.text("status"));
        return html(StatusCode::OK, "Checkout", &body);
    }
    let currency = session.text("currency");
    let shown = |amount: i64| escape_html(&money::display(amount, currency));
    let rows: String = session
        .list_at("_lines")
        .iter()
        .map(|line| {
            let words = escape_html(line["description"].as_str().unwrap_or_default());
            let every = line["price"]["recurring"]["interval"].as_str().map(|i| format!(" / {i}")).unwrap_or_default();
            let amount = shown(line["amount_total"].as_i64().unwrap_or_default());
            format!("<tr><td>{words} × {}</td><td>{amount}{every}</td></tr>", line["quantity"])
        })
        .collect();
    let total = shown(session.int("amount_total"));
    let error = if error.is_empty() {
        String::new()
    } else {
        format!("<p class=\"error\" role=\"alert\" id=\"error\">{}</p>", escape_html(error))
    };
    let email = escape_html(
        session.text_at("customer_details.email").or(session.text_at("customer_email")).unwrap_or_default(),
    );
    let cancel = match session.text_at("cancel_url") {
        Some(url) => format!("<p><a id=\"cancel\" href=\"{}\">Cancel and go back</a></p>", escape_html(url)),
        None => String::new(),
    };
    // A failed 3-D Secure step shows this page at its own address.
    let id = session.id();
    let verb = if session.text("mode") == "subscription" { "Subscribe" } else { "Pay" };
    let body = format!(
        "<h1>{verb} <span id=\"total\">{total}</span></h1><table>{rows}</table>{error}\
         <form method=\"post\" action=\"/c/pay/{id}\"><label for=\"email\">Email</label><input id=\"email\" name=\"email\" type=\"email\" required value=\"{email}\">\
         <label for=\"cardNumber\">Card number</label><input id=\"cardNumber\" name=\"number\" inputmode=\"numeric\" autocomplete=\"off\" required placeholder=\"4242 4242 4242 4242\">\
         <label for=\"cardExpiry\">Expiry (MM / YY)</label><input id=\"cardExpiry\" name=\"expiry\" autocomplete=\"off\" required placeholder=\"12 / 34\">\
         <label for=\"cardCvc\">CVC</label><input id=\"cardCvc\" name=\"cvc\" autocomplete=\"off\" required placeholder=\"123\">\
         <label for=\"billingName\">Name on the card</label><input id=\"billingName\" name=\"name\" autocomplete=\"off\" required>\
         <button id=\"submit\" type=\"submit\">{verb}</button></form>{cancel}\
         <p>Test cards: 4242 4242 4242 4242 succeeds, 4000 0000 0000 0002 is declined, 4000 0025 0000 3155 asks for 3-D Secure.</p>"
    );
    html(status, "Checkout", &body)
}

async fn fields(body: Body) -> Form {
    let text = read_body(body).await.unwrap_or_default();
    form::decode(text.as_bytes()).unwrap_or_default()
}

fn field<'f>(form: &'f Form, name: &str) -> &'f str {
    match form.get(name) {
        Some(Node::Text(text)) => text.trim(),
        _ => "",
    }
}

/// `POST /c/pay/{id}`: what the form's button does.
pub(super) async fn pay(State(shared): State<Shared>, Path(id): Path<String>, body: Body) -> HttpResponse<Body> {
    let form = fields(body).await;
    let Some(open) = session(&shared, &id) else { return not_found() };
    let (month, year) = field(&form, "expiry").split_once('/').unwrap_or_default();
    let card = own_request(
        "POST",
        "/v1/payment_methods",
        &[
            ("type", "card"),
            ("card[number]", field(&form, "number")),
            ("card[exp_month]", month.trim()),
            ("card[exp_year]", year.trim()),
            ("card[cvc]", field(&form, "cvc")),
            ("billing_details[email]", field(&form, "email")),
            ("billing_details[name]", field(&form, "name")),
        ],
    );
    let made = shared.handle(&card);
    let method = json_of(&made);
    let Some(method) = method["id"].as_str().filter(|_| made.status == 200) else {
        return declined(&open, &made);
    };
    let confirmed =
        shared.handle(&own_request("POST", &format!("/v1/payment_pages/{id}/confirm"), &[("payment_method", method)]));
    let answer = json_of(&confirmed);
    if confirmed.status != 200 {
        return declined(&open, &confirmed);
    }
    if let Some(url) = answer["next_action"]["redirect_to_url"]["url"].as_str() {
        return redirect(url);
    }
    done(&shared, &id)
}

fn declined(session: &Object, response: &Response) -> HttpResponse<Body> {
    let answer = json_of(response);
    let message = answer["error"]["message"].as_str().unwrap_or("Something went wrong.").to_owned();
    form_page(session, &message, StatusCode::PAYMENT_REQUIRED)
}

/// On to the success URL, or a page that says so.
fn done(shared: &Shared, id: &str) -> HttpResponse<Body> {
    match session(shared, id).and_then(|s| s.text_at("success_url").map(str::to_owned)) {
        Some(url) => redirect(&url.replace("{CHECKOUT_SESSION_ID}", id).replace("%7BCHECKOUT_SESSION_ID%7D", id)),
        None => html(StatusCode::OK, "Paid", "<h1 id=\"status\">Payment complete</h1>"),
    }
}

/// `GET /_sandbox/3ds/{id}`: the bank's question.
pub(super) async fn challenge(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    let waits = shared.read(|s| {
        let object = s.state().copy(&id);
        object.text("status") == "requires_action" || !object.text("_waiting_method").is_empty()
    });
    if !waits {
        return not_found();
    }
    let body = "<h1>3-D Secure test page</h1><p>A real bank would ask the card's holder for a code here.</p>\
        <form method=\"post\"><button id=\"complete\" name=\"outcome\" value=\"success\">Complete authentication</button>\
        <button id=\"fail\" name=\"outcome\" value=\"failure\">Fail authentication</button></form>";
    html(StatusCode::OK, "3-D Secure", body)
}

/// `POST /_sandbox/3ds/{id}`: the answer, then back to where the buyer came from.
pub(super) async fn answer(State(shared): State<Shared>, Path(id): Path<String>, body: Body) -> HttpResponse<Body> {
    let form = fields(body).await;
    let owner = shared.read(|s| s.state().copy(&id));
    let session_id = if id.starts_with("cs_") { id.clone() } else { owner.text("_session").to_owned() };
    let request = own_request("POST", &format!("/_sandbox/authenticate/{id}"), &[("outcome", field(&form, "outcome"))]);
    let response = shared.handle(&request);
    if let Some(open) = session(&shared, &session_id) {
        return if response.status == 200 { done(&shared, &session_id) } else { declined(&open, &response) };
    }
    if let Some(url) = owner.text_at("_return_url") {
        let separator = if url.contains('?') { '&' } else { '?' };
        return redirect(&format!(
            "{url}{separator}payment_intent={id}&redirect_status={}",
            if response.status == 200 { "succeeded" } else { "failed" }
        ));
    }
    let words = if response.status == 200 { "Authentication complete" } else { "Authentication failed" };
    html(StatusCode::OK, words, &format!("<h1 id=\"status\">{words}</h1>"))
}

/// Receipts and hosted invoices: what they are about, in a few lines.
pub(super) async fn document(State(shared): State<Shared>, uri: axum::http::Uri) -> HttpResponse<Body> {
    let id = uri.path().split('/').nth(3).unwrap_or_default().to_owned();
    let object = shared.read(|s| s.state().find(&id).map(|o| Object::clone(&o)));
    let Some(object) = object.filter(|o| matches!(o.kind(), "charge" | "invoice")) else { return not_found() };
    let amount = match object.get("amount") {
        Value::Null => object.int("total"),
        amount => amount.as_i64().unwrap_or_default(),
    };
    let body = format!(
        "<h1>{} {}</h1><p>{}, <span id=\"status\">{}</span></p>",
        if object.kind() == "charge" { "Receipt" } else { "Invoice" },
        escape_html(object.id()),
        escape_html(&money::display(amount, object.text("currency"))),
        escape_html(object.text("status")),
    );
    html(StatusCode::OK, "Document", &body)
}
