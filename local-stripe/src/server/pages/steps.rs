//! Pages for single steps of a customer: micro-deposit amounts, bank transfer instructions, and identity checks.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response as HttpResponse, StatusCode};

use super::html::html;
use super::{Shared, branding, field, fields, layout, not_found, object};
use crate::identity::SESSION;
use crate::money;
use crate::object::Object;
use crate::sandbox::{json_of, own_request};

/// Returns a payment or setup intent whose next action is this one.
fn waiting(shared: &Shared, id: &str, action: &str) -> Option<Object> {
    let intent = object(shared, "payment_intent", id).or_else(|| object(shared, "setup_intent", id))?;
    (intent.text_at("next_action.type") == Some(action)).then_some(intent)
}

/// `GET /_sandbox/microdeposits/{id}`: asks for the deposit's code.
pub(super) async fn microdeposits(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    match waiting(&shared, &id, "verify_with_microdeposits") {
        Some(_) => code_form(&shared, None),
        None => not_found(&shared),
    }
}

fn code_form(shared: &Shared, error: Option<&str>) -> HttpResponse<Body> {
    let error = error.map(|error| html!("<p class=\"error\" role=\"alert\">{error}</p>", error = error));
    let body = html!(
        "<main class=\"narrow\"><h1>Verify your bank account</h1>\
         <p>A deposit of one cent with a code would arrive on your account. The test code is SM11AA.</p>{error}\
         <form method=\"post\"><label for=\"code\">Code</label><input id=\"code\" name=\"descriptor_code\" required>\
         <button id=\"verify\" class=\"primary\" type=\"submit\">Verify</button></form></main>",
        error = error,
    );
    layout::page(&branding(shared), StatusCode::OK, "Verify your bank account", &body)
}

/// `POST /_sandbox/microdeposits/{id}`: enters the code.
pub(super) async fn verify(State(shared): State<Shared>, Path(id): Path<String>, body: Body) -> HttpResponse<Body> {
    let form = fields(body).await;
    let Some(intent) = waiting(&shared, &id, "verify_with_microdeposits") else { return not_found(&shared) };
    let path = format!("/v1/{}s/{id}/verify_microdeposits", intent.kind());
    let response = shared.handle(&own_request("POST", &path, &[("descriptor_code", field(&form, "descriptor_code"))]));
    if response.status != 200 {
        let error = json_of(&response)["error"]["message"].as_str().unwrap_or_default().to_owned();
        return match waiting(&shared, &id, "verify_with_microdeposits") {
            Some(_) => code_form(&shared, Some(&error)),
            None => ended(&shared, &error),
        };
    }
    ended(&shared, "Your bank account is verified")
}

fn ended(shared: &Shared, words: &str) -> HttpResponse<Body> {
    let body = html!("<main class=\"narrow\"><h1 id=\"status\">{words}</h1></main>", words = words);
    layout::page(&branding(shared), StatusCode::OK, words, &body)
}

/// `GET /_sandbox/bank_transfers/{id}`: shows the missing amount and the reference.
pub(super) async fn transfer(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    let Some(intent) = waiting(&shared, &id, "display_bank_transfer_instructions") else { return not_found(&shared) };
    let at = |name: &str| intent.at(&format!("next_action.display_bank_transfer_instructions.{name}")).clone();
    let missing = money::display(at("amount_remaining").as_i64().unwrap_or_default(), intent.text("currency"));
    let body = html!(
        "<main class=\"narrow\"><h1>Pay by bank transfer</h1>\
         <dl class=\"sums\"><div><dt>Amount</dt><dd>{missing}</dd></div><div><dt>Reference</dt><dd>{reference}</dd></div></dl>\
         <p>The account is in the answer of the payment. It does not exist: let a test transfer arrive instead.</p></main>",
        missing = missing,
        reference = at("reference").as_str().unwrap_or_default(),
    );
    layout::page(&branding(&shared), StatusCode::OK, "Pay by bank transfer", &body)
}

/// `GET /_sandbox/identity/{id}`: asks for the outcome of the check.
pub(super) async fn identity(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    let Some(session) = object(&shared, SESSION, &id).filter(|session| session.text("status") == "requires_input")
    else {
        return not_found(&shared);
    };
    let branding = branding(&shared);
    let body = html!(
        "<main class=\"narrow\"><h1>Identity test page</h1>\
         <p>{business} asks for a check of the type {kind}. Say how it ends:</p>\
         <form method=\"post\"><button id=\"verify\" class=\"primary\" name=\"outcome\" value=\"verified\">Verification success</button>\
         <button id=\"fail\" class=\"second\" name=\"outcome\" value=\"document_unverified_other\">Verification failure</button>\
         <button id=\"decline\" class=\"second\" name=\"outcome\" value=\"consent_declined\">Decline</button></form></main>",
        business = branding.name,
        kind = session.text("type"),
    );
    layout::page(&branding, StatusCode::OK, "Identity", &body)
}

/// `POST /_sandbox/identity/{id}`: ends the check and redirects back.
pub(super) async fn submit(State(shared): State<Shared>, Path(id): Path<String>, body: Body) -> HttpResponse<Body> {
    let form = fields(body).await;
    let Some(session) = object(&shared, SESSION, &id) else { return not_found(&shared) };
    let path = format!("/_sandbox/identity/verification_sessions/{id}/submit");
    if shared.handle(&own_request("POST", &path, &[("outcome", field(&form, "outcome"))])).status != 200 {
        return not_found(&shared);
    }
    match &session.as_verification_session().return_url {
        Some(url) => layout::redirect(&branding(&shared), url),
        None => ended(&shared, "Thank you"),
    }
}
