//! A connected account's onboarding page, which has one button and redirects to the platform, and its dashboard.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response as HttpResponse, StatusCode};

use super::html::html;
use super::{Shared, branding, layout, not_found, object};
use crate::money;
use crate::object::Object;
use crate::sandbox::{Request, json_of, own_request};

/// Returns the account link with a token, if it has not expired.
fn link(shared: &Shared, token: &str) -> Option<Object> {
    let now_s = shared.read(|s| s.state().clock_s());
    object(shared, "sandbox.account_link", &format!("sandbox.link_{token}"))
        .filter(|link| link.int("expires_at") > now_s)
}

/// `GET /_sandbox/onboarding/{token}`: shows the button.
pub(super) async fn show(State(shared): State<Shared>, Path(token): Path<String>) -> HttpResponse<Body> {
    let Some(link) = link(&shared, &token) else { return not_found(&shared) };
    let branding = branding(&shared);
    let account = object(&shared, "account", link.text("account")).unwrap_or_default();
    let due = account.list_at(&format!("requirements.{}", link.text("collects"))).iter();
    let due: Vec<&str> = due.filter_map(|requirement| requirement.as_str()).collect();
    let body = html!(
        "<main class=\"narrow\"><h1>Connect with {business}</h1>\
         <p>Stripe would ask for your details and your bank account here. This account is {account}.</p>{due}\
         <form method=\"post\"><button id=\"complete\" class=\"primary\" type=\"submit\">Agree and submit</button></form></main>",
        business = branding.name,
        account = link.text("account"),
        due = (!due.is_empty()).then(|| html!("<p id=\"due\">Still due: {due}</p>", due = due.join(", "))),
    );
    layout::page(&branding, StatusCode::OK, "Onboarding", &body)
}

/// `GET /_sandbox/express/{account}`: replaces the Express dashboard and shows the account's balance.
pub(super) async fn dashboard(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    let Some(account) = object(&shared, "account", &id) else { return not_found(&shared) };
    let call = Request { account: Some(id.clone()), ..own_request("GET", "/v1/balance", &[]) };
    let balance = json_of(&shared.handle(&call));
    let amounts = balance["available"].as_array().map(Vec::as_slice).unwrap_or_default();
    let shown = |entry: &serde_json::Value| {
        money::display(entry["amount"].as_i64().unwrap_or_default(), entry["currency"].as_str().unwrap_or_default())
    };
    let branding = branding(&shared);
    let body = html!(
        "<main class=\"narrow\"><h1>{name}</h1>\
         <p>Stripe would show the Express dashboard here. This account is {account}.</p>\
         <p>Available balance: <strong id=\"balance\">{balance}</strong></p></main>",
        name = account.text_at("business_profile.name").unwrap_or("Express account"),
        account = id,
        balance = amounts.iter().map(shown).collect::<Vec<_>>().join(", "),
    );
    layout::page(&branding, StatusCode::OK, "Express dashboard", &body)
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
