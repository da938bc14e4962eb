//! Shows the page of an instance that is not running: why, and what its owner or a visitor can do.
//!
//! A visitor may be anybody, so the page shows neither the account nor a payment.

use super::show::PageRequest;
use super::{POLICY, html};
use crate::api::Api;
use crate::problem::Problem;
use crate::state::HostedSite;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use url::Url;

/// Seconds after which a browser reloads the page while an instance is being created or restored.
const LOOKS_AGAIN_S: u16 = 3;

/// An instance that is not running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Away {
    /// Id of the instance.
    pub(crate) id: String,
    status: String,
    /// Why it is suspended, or was before it was archived; none if it was archived for lack of use.
    reason: Option<String>,
}

impl Away {
    /// Reads an instance.
    pub(crate) fn of(instance: &Value) -> Away {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Away {
            id: text(&instance["id"]).unwrap_or_default(),
            status: text(&instance["status"]).unwrap_or_default(),
            reason: text(&instance["metadata"]["suspend_reason"]),
        }
    }

    /// True if the instance was archived for lack of use.
    pub(crate) fn is_asleep(&self) -> bool {
        self.status == "archived" && self.reason.is_none()
    }

    /// True if the instance will be running soon.
    fn is_on_its_way(&self) -> bool {
        matches!(self.status.as_str(), "provisioning" | "restoring") || self.is_asleep()
    }

    /// True if the instance is gone for good.
    fn is_gone(&self) -> bool {
        matches!(self.status.as_str(), "deleting" | "terminated")
    }

    fn http_status(&self) -> StatusCode {
        match self.status.as_str() {
            _ if self.is_gone() => StatusCode::NOT_FOUND,
            // The request came to this server although the instance is elsewhere.
            "running" => StatusCode::MISDIRECTED_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the code and the message for programs.
    fn told(&self) -> (&'static str, &'static str) {
        match self.status.as_str() {
            _ if self.is_gone() => ("not-found", "there is no instance at this address"),
            _ if self.is_on_its_way() => ("not-ready", "the instance is being prepared; try again soon"),
            "suspended" => ("suspended", "the instance is suspended; its data is kept"),
            "archiving" | "archived" => ("archived", "the instance is archived; its data is kept"),
            "running" => ("misdirected", "the instance runs elsewhere"),
            _ => ("not-ready", "the instance does not run"),
        }
    }
}

/// Answers a request to an instance, with a page for a person and a problem for a program.
pub(crate) async fn answer(
    api: &Api,
    hosted: &Arc<HostedSite>,
    request: &Parts,
    found: Result<Option<Away>, Problem>,
) -> Response {
    let gone = || Away { id: String::new(), status: "terminated".to_owned(), reason: None };
    let away = match found {
        Ok(away) => away.unwrap_or_else(gone),
        Err(problem) => return problem.into_response(),
    };
    let accepted = request.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let mut response = match accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        true => page(api, hosted, request, &away),
        false => {
            let (code, detail) = away.told();
            Problem::new(away.http_status(), code, detail).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if away.is_on_its_way() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(LOOKS_AGAIN_S));
        headers.insert(header::REFRESH, HeaderValue::from(LOOKS_AGAIN_S));
    }
    response
}

fn page(api: &Api, hosted: &Arc<HostedSite>, request: &Parts, away: &Away) -> Response {
    let set = hosted.pages.current();
    let asked = PageRequest { api, hosted, set: &set, parts: request };
    let shown = json!({
        "id": away.id, "status": away.status, "reason": away.reason,
        "is_on_its_way": away.is_on_its_way(), "is_gone": away.is_gone(),
    });
    let mut response = html(away.http_status(), asked.elsewhere(shown));
    // The page has a different origin from the files that it loads.
    let origin = Url::parse(&hosted.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    if let Ok(policy) = HeaderValue::from_str(&POLICY.replace("'self'", &origin)) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
