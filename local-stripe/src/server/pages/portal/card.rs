//! The portal's page for replacing the card.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response as HttpResponse, StatusCode};

use super::{Visit, call_action};
use crate::server::Shared;
use crate::server::pages::card::{self, CardForm, CardInput, FieldError};
use crate::server::pages::html::html;
use crate::server::pages::{fields, not_found};

/// `GET /p/session/{id}/card`: shows the card form.
pub(in crate::server::pages) async fn show(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    match Visit::start(&shared, &id) {
        Ok(visit) => card_page(&shared, &visit, &CardInput::default(), None),
        Err(refusal) => *refusal,
    }
}

fn card_page(shared: &Shared, visit: &Visit, typed: &CardInput, fault: Option<&FieldError>) -> HttpResponse<Body> {
    if !visit.allows("payment_method_update") {
        return not_found(shared);
    }
    let form = CardForm {
        action: &visit.path("/card"),
        button: "Save card",
        asks_email: false,
        asks_to_save: false,
        more: Default::default(),
        typed,
        fault,
    };
    let work =
        html!("{up}<section class=\"card\"><h2>Your card</h2>{form}</section>", up = visit.up(), form = form.html(),);
    let status = if fault.is_some() { StatusCode::PAYMENT_REQUIRED } else { StatusCode::OK };
    visit.page(status, "Your card", &work)
}

/// `POST /p/session/{id}/card`: saves the new card.
pub(in crate::server::pages) async fn save(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Body,
) -> HttpResponse<Body> {
    let form = fields(body).await;
    let visit = match Visit::start(&shared, &id) {
        Ok(visit) => visit,
        Err(refusal) => return *refusal,
    };
    let again = |fault: &FieldError| card_page(&shared, &visit, &CardInput::of(&form), Some(fault));
    let method = match card::make(&shared, &form) {
        Ok(method) => method,
        Err(fault) => return again(&fault),
    };
    let answer = call_action(&shared, &visit, "card", &[("payment_method", &method)]);
    if answer.status == 200 { visit.finished("card") } else { again(&FieldError::of(&answer)) }
}
