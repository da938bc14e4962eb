//! The 3-D Secure page, in place of that of a cardholder's bank.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response as HttpResponse, StatusCode};

use super::card::{CardInput, FieldError};
use super::html::html;
use super::{Shared, branding, checkout, field, fields, layout, not_found, object, words};
use crate::money;
use crate::object::Object;
use crate::payments::intent;
use crate::sandbox::own_request;

/// `GET /_sandbox/3ds/{id}`: shows the bank's prompt.
pub(super) async fn show(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    let (owner, card) = shared.read(|s| {
        let owner = s.state().copy_if_any(&id);
        let method = [owner.text("payment_method"), &owner.as_session().waiting_method].concat();
        let card = s.state().copy_if_any(&method).get("card").clone();
        (owner, card)
    });
    if !intent::asks_to_authenticate(&owner) && owner.as_session().waiting_method.is_empty() {
        return not_found(&shared);
    }
    let branding = branding(&shared);
    let amount = match owner.kind() {
        "payment_intent" => Some(owner.int("amount")),
        _ => None,
    };
    let amount =
        amount.map(|a| html!("<div><dt>Amount</dt><dd>{a}</dd></div>", a = money::display(a, owner.text("currency"))));
    let body = html!(
        "<main class=\"narrow\"><h1>3-D Secure test page</h1>\
         <p>A real bank would ask the card’s holder for a code here. Say how that ended:</p>\
         <dl class=\"sums\"><div><dt>Business</dt><dd>{business}</dd></div>{amount}<div><dt>Card</dt><dd>{card}</dd></div></dl>\
         <form method=\"post\"><button id=\"complete\" class=\"primary\" name=\"outcome\" value=\"success\">Complete authentication</button>\
         <button id=\"fail\" class=\"second\" name=\"outcome\" value=\"failure\">Fail authentication</button></form></main>",
        business = branding.name,
        amount = amount,
        card = words::card(&card),
    );
    layout::page(&branding, StatusCode::OK, "3-D Secure", &body)
}

/// `POST /_sandbox/3ds/{id}`: applies the buyer's choice and redirects the buyer back.
pub(super) async fn answer(State(shared): State<Shared>, Path(id): Path<String>, body: Body) -> HttpResponse<Body> {
    let form = fields(body).await;
    let owner = shared.read(|s| s.state().copy_if_any(&id));
    let request = own_request("POST", &format!("/_sandbox/authenticate/{id}"), &[("outcome", field(&form, "outcome"))]);
    let response = shared.handle(&request);
    let passed = response.status == 200;
    let session_id = if id.starts_with("cs_") { &id } else { &owner.as_intent().session };
    if let Some(session) = object(&shared, "checkout.session", session_id) {
        return match passed {
            true => checkout::done(&shared, session_id),
            false => checkout::page(&shared, &session, &CardInput::default(), Some(&FieldError::of(&response))),
        };
    }
    finish(&shared, &owner, passed)
}

fn finish(shared: &Shared, intent: &Object, passed: bool) -> HttpResponse<Body> {
    let branding = branding(shared);
    if let Some(url) = &intent.as_intent().return_url {
        let separator = if url.contains('?') { '&' } else { '?' };
        let status = if passed { "succeeded" } else { "failed" };
        let url = format!("{url}{separator}{}={}&redirect_status={status}", intent.kind(), intent.id());
        return layout::redirect(&branding, &url);
    }
    let invoice = &intent.as_intent().invoice;
    if !invoice.is_empty() {
        return layout::go(&format!("/_sandbox/invoices/{invoice}"));
    }
    let words = if passed { "Authentication complete" } else { "Authentication failed" };
    let body = html!("<main class=\"narrow\"><h1 id=\"status\">{words}</h1></main>", words = words);
    layout::page(&branding, StatusCode::OK, words, &body)
}
