//! The pages for buyers: checkout, 3-D Secure, the billing portal, invoices and receipts. The pages work without
//! scripts, are clearly marked as a sandbox, and load nothing from other hosts.

mod asked;
mod card;
mod challenge;
mod checkout;
mod documents;
mod html;
mod layout;
mod onboarding;
mod portal;
mod steps;
mod summary;
mod words;

use axum::Router;
use axum::body::Body;
use axum::http::{Response as HttpResponse, StatusCode};
use axum::routing::{get, post};

use super::{Shared, read_body};
use crate::form::{self, Form, Node};
use crate::object::{Object, key};
use html::html;
use layout::Branding;

/// Returns the routes of the pages.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/c/pay/{id}", get(checkout::show).post(checkout::pay))
        .route("/c/pay/{id}/code", post(checkout::use_code))
        .route("/c/pay/{id}/quantity", post(checkout::choose_quantity))
        .route("/c/pay/{id}/address", post(checkout::set_address))
        .route("/c/pay/{id}/shipping", post(checkout::choose_shipping))
        .route("/p/session/{id}", get(portal::home::show))
        .route("/p/session/{id}/card", get(portal::card::show).post(portal::card::save))
        .route("/p/session/{id}/{subscription}/plans", get(portal::plans::show))
        .route("/p/session/{id}/{subscription}/plans/{price}", get(portal::plans::preview).post(portal::plans::update))
        .route("/p/session/{id}/{subscription}/cancel", get(portal::cancel::show).post(portal::cancel::cancel))
        .route("/p/session/{id}/{subscription}/resume", post(portal::cancel::resume))
        .route("/_sandbox/3ds/{id}", get(challenge::show).post(challenge::answer))
        .route("/_sandbox/microdeposits/{id}", get(steps::microdeposits).post(steps::verify))
        .route("/_sandbox/bank_transfers/{id}", get(steps::transfer))
        .route("/_sandbox/identity/{id}", get(steps::identity).post(steps::submit))
        .route("/_sandbox/receipts/{id}", get(documents::receipt))
        .route("/_sandbox/invoices/{id}", get(documents::invoice).post(documents::pay))
        .route("/_sandbox/invoices/{id}/pdf", get(documents::invoice_pdf))
        .route("/_sandbox/onboarding/{token}", get(onboarding::show).post(onboarding::complete))
        .route("/_sandbox/express/{id}", get(onboarding::dashboard))
        .route("/_sandbox/page.css", get(layout::style))
        .route("/_sandbox/page.js", get(layout::script))
        .route("/_sandbox/icon.svg", get(layout::icon))
}

fn branding(shared: &Shared) -> Branding {
    shared.read(|s| Branding::of(&s.state().settings))
}

/// Returns a copy of an object, if it exists and is of this kind. Because of the copy, the account is not locked while
/// the page is rendered.
fn object(shared: &Shared, kind: &str, id: &str) -> Option<Object> {
    shared.read(|s| s.state().seek(&key(kind, id)).filter(|o| o.kind() == kind).map(|o| Object::clone(&o)))
}

fn not_found(shared: &Shared) -> HttpResponse<Body> {
    let body = html!(
        "<main class=\"narrow\"><h1>There is nothing here</h1>\
         <p>The link may belong to another run of the sandbox.</p></main>"
    );
    layout::page(&branding(shared), StatusCode::NOT_FOUND, "Not found", &body)
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
