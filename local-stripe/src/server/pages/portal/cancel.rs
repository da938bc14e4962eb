//! The portal's page for cancelling a plan, and the action that revokes the cancellation.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response as HttpResponse, StatusCode};
use serde_json::Value;

use super::{Visit, call_action, item, visit_of};
use crate::billing::period::period;
use crate::calendar::date_text;
use crate::object::Object;
use crate::server::Shared;
use crate::server::pages::card::FieldError;
use crate::server::pages::html::{Html, html};
use crate::server::pages::{field, fields, layout, words};

/// `GET /p/session/{id}/{subscription}/cancel`: asks for confirmation.
pub(in crate::server::pages) async fn show(
    State(shared): State<Shared>,
    Path((id, sub)): Path<(String, String)>,
) -> HttpResponse<Body> {
    match visit_of(&shared, &id, &sub, "subscription_cancel") {
        Ok((visit, sub)) => cancel_page(&shared, &visit, &sub, None),
        Err(refusal) => *refusal,
    }
}

fn cancel_page(shared: &Shared, visit: &Visit, sub: &Object, fault: Option<&FieldError>) -> HttpResponse<Body> {
    let feature = |name: &str| visit.configuration.at(&format!("features.subscription_cancel.{name}"));
    let end = period(sub).map(|p| p.1).unwrap_or_default();
    let when = if feature("mode") == "immediately" {
        "It ends at once.".to_owned()
    } else {
        format!("You can use it until {}. You can undo this until then.", date_text(end))
    };
    let reasons: Vec<&str> = if feature("cancellation_reason.enabled") == true {
        feature("cancellation_reason.options").as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    } else {
        Vec::new()
    };
    let asked = (!reasons.is_empty()).then(|| {
        let each = reasons.iter().map(|reason| {
            html!(
                "<label class=\"choice\"><input type=\"radio\" name=\"feedback\" value=\"{reason}\"> {words}</label>",
                reason = reason,
                words = words::feedback(reason),
            )
        });
        html!("<fieldset><legend>Why? (optional)</legend>{each}</fieldset>", each = each.collect::<Html>())
    });
    let plan: Html = shared.read(|s| sub.list_at("items").iter().map(|i| item(s.state(), i)).collect());
    let work = html!(
        "{up}<section class=\"card\"><h2>Cancel your plan</h2>{fault}<div class=\"plan\">{plan}</div><p>{when}</p>\
         <form method=\"post\">{asked}<button id=\"submit\" class=\"primary\">Cancel plan</button></form></section>",
        up = visit.up(),
        fault = fault.map(FieldError::html),
        plan = plan,
        when = when,
        asked = asked,
    );
    let status = if fault.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    visit.page(status, "Cancel plan", &work)
}

/// `POST /p/session/{id}/{subscription}/cancel`: cancels the plan.
pub(in crate::server::pages) async fn cancel(
    State(shared): State<Shared>,
    Path((id, sub)): Path<(String, String)>,
    body: Body,
) -> HttpResponse<Body> {
    let form = fields(body).await;
    let (visit, sub) = match visit_of(&shared, &id, &sub, "subscription_cancel") {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let answer =
        call_action(&shared, &visit, "cancel", &[("subscription", sub.id()), ("feedback", field(&form, "feedback"))]);
    if answer.status == 200 {
        return visit.finished("cancelled");
    }
    cancel_page(&shared, &visit, &sub, Some(&FieldError::of(&answer)))
}

/// `POST /p/session/{id}/{subscription}/resume`: revokes the cancellation.
pub(in crate::server::pages) async fn resume(
    State(shared): State<Shared>,
    Path((id, sub)): Path<(String, String)>,
) -> HttpResponse<Body> {
    let (visit, sub) = match visit_of(&shared, &id, &sub, "subscription_cancel") {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let answer = call_action(&shared, &visit, "resume", &[("subscription", sub.id())]);
    if answer.status == 200 {
        return layout::go(&visit.path("?done=resumed"));
    }
    let fault = FieldError::of(&answer);
    visit.page(StatusCode::BAD_REQUEST, "Billing", &html!("{up}{fault}", up = visit.up(), fault = fault.html()))
}
