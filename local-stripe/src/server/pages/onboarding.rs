//! The onboarding page of a connected account: one button, which redirects to the platform.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response as HttpResponse, StatusCode};

use super::html::html;
use super::{Shared, branding, layout, not_found, object};
use crate::object::Object;
use crate::sandbox::own_request;

/// Returns the account link with a token, if it has not expired.
fn link(shared: &Shared, token: &str) -> Option<Object> {
    let now_s = shared.read(|s| s.state().clock_s());
    object(shared, "_account_link", &format!("_link_{token}")).filter(|link| link.int("expires_at") > now_s)
}

/// `GET /_sandbox/onboarding/{token}`: shows the button.
pub(super) async fn show(State(shared): State<Shared>, Path(token): Path<String>) -> HttpResponse<Body> {
    let Some(link) = link(&shared, &token) else { return not_found(&shared) };
    let branding = branding(&shared);
    let body = html!(
        "<main class=\"narrow\"><h1>Connect with {business}</h1>\
         <p>Stripe would ask for your details and your bank account here. This account is {account}.</p>\
         <form method=\"post\"><button id=\"complete\" class=\"primary\" type=\"submit\">Agree and submit</button></form></main>",
        business = branding.name,
        account = link.text("account"),
    );
    layout::page(&branding, StatusCode::OK, "Onboarding", &body)
}

/// `POST /_sandbox/onboarding/{token}`: completes the onboarding.
pub(super) async fn complete(State(shared): State<Shared>, Path(token): Path<String>) -> HttpResponse<Body> {
    let Some(link) = link(&shared, &token) else { return not_found(&shared) };
    let path = format!("/_sandbox/accounts/{}/onboard", link.text("account"));
    if shared.handle(&own_request("POST", &path, &[])).status != 200 {
        return not_found(&shared);
    }
    let branding = branding(&shared);
    if let Some(url) = link.text_at("return_url") {
        return layout::redirect(&branding, url);
    }
    let body = html!("<main class=\"narrow\"><h1 id=\"status\">{words}</h1></main>", words = "Onboarding complete");
    layout::page(&branding, StatusCode::OK, "Onboarding", &body)
}
