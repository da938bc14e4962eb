//! The shared parts of the billing portal's pages. Each step has its own file.

pub(super) mod cancel;
pub(super) mod card;
pub(super) mod home;
pub(super) mod plans;

use axum::body::Body;
use axum::http::{Response as HttpResponse, StatusCode};
use serde_json::Value;

use super::html::{Html, html, url_of};
use super::layout::{self, Branding};
use super::{Shared, branding, not_found, object, words};
use crate::billing::items;
use crate::object::Object;
use crate::portal;
use crate::sandbox::{Response, own_request};
use crate::state::State as Account;

/// A visit to the portal: an unexpired session with its configuration and its customer.
struct Visit {
    branding: Branding,
    session: Object,
    configuration: Object,
    customer: Object,
}

/// The error page of a visit that can't continue.
type Refusal = Box<HttpResponse<Body>>;

impl Visit {
    fn start(shared: &Shared, id: &str) -> Result<Self, Refusal> {
        let Some(session) = object(shared, "billing_portal.session", id) else {
            return Err(Box::new(not_found(shared)));
        };
        let branding = branding(shared);
        let live = shared.read(|s| portal::live(s.state(), id).map(|(_, configuration)| Object::clone(&configuration)));
        let Ok(configuration) = live else {
            let body = html!(
                "<main class=\"narrow\">{business}<h1 id=\"status\">This session has expired</h1>\
                 <p>For your safety, a session of the billing portal ends after an hour. Open it again from where you came.</p>{back}</main>",
                business = branding.business(),
                back = layout::back("return", session.get("return_url"), "Go back"),
            );
            return Err(Box::new(layout::page(&branding, StatusCode::GONE, "Session expired", &body)));
        };
        let customer = shared.read(|s| s.state().copy_if_any(session.text("customer")));
        Ok(Self { branding, session, configuration, customer })
    }

    fn allows(&self, feature: &str) -> bool {
        portal::allows(&self.configuration, feature)
    }

    fn path(&self, rest: &str) -> String {
        format!("/p/session/{}{rest}", self.session.id())
    }

    /// Returns the subscription in a path, if it belongs to this customer and can be managed in the portal.
    fn subscription(&self, shared: &Shared, id: &str) -> Result<Object, Refusal> {
        let found = shared.read(|s| portal::owned(s.state(), &self.session, id).map(|o| Object::clone(&o)));
        found.ok().filter(portal::is_live).ok_or_else(|| Box::new(not_found(shared)))
    }

    /// Renders a page with the business's name next to the content.
    fn page(&self, status: StatusCode, title: &str, work: &Html) -> HttpResponse<Body> {
        let profile = |name: &str| self.configuration.at(&format!("business_profile.{name}"));
        let links = [("privacy_policy_url", "Privacy"), ("terms_of_service_url", "Terms")].map(|(name, words)| {
            url_of(profile(name))
                .map(|url| html!("<p class=\"link\"><a href=\"{url}\">{words}</a></p>", url = url, words = words))
        });
        let whose = [self.customer.text("name"), self.customer.text("email")];
        let body = html!(
            "<main class=\"split portal\"><section class=\"side\">{back}{business}<h1>{headline}</h1>\
             <p class=\"dim\">{whose}</p>{links}</section>\
             <div class=\"work\">{work}</div></main>",
            back = layout::back("return", self.session.get("return_url"), "Return to the site"),
            business = self.branding.business(),
            headline = profile("headline").as_str().unwrap_or("Manage your billing"),
            whose = whose.into_iter().find(|w| !w.is_empty()).unwrap_or(self.customer.id()),
            links = links.into_iter().flatten().collect::<Html>(),
            work = work,
        );
        layout::page(&self.branding, status, title, &body)
    }

    /// Renders the link back to the portal's first page.
    fn up(&self) -> Html {
        html!(
            "<p><a class=\"back\" href=\"{home}\"><span aria-hidden=\"true\">←</span> All of your billing</a></p>",
            home = self.path("?home"),
        )
    }

    /// Responds to a finished step with the redirect or confirmation that the session's flow specifies. Otherwise
    /// redirects to the first page.
    fn finished(&self, done: &str) -> HttpResponse<Body> {
        let after = |member: &str| self.session.at(&format!("flow.after_completion.{member}"));
        match after("type").as_str() {
            Some("redirect") => {
                layout::redirect(&self.branding, after("redirect.return_url").as_str().unwrap_or_default())
            }
            Some("hosted_confirmation") => {
                let message = after("hosted_confirmation.custom_message").as_str();
                let body = html!(
                    "<main class=\"narrow\">{business}<h1 id=\"status\">{notice}</h1><p>{message}</p>{back}</main>",
                    business = self.branding.business(),
                    notice = notice(done),
                    message = message,
                    back = layout::back("return", self.session.get("return_url"), "Return to the site"),
                );
                layout::page(&self.branding, StatusCode::OK, "Done", &body)
            }
            _ => layout::go(&self.path(&format!("?done={done}"))),
        }
    }
}

/// Returns the notice about a finished step.
fn notice(done: &str) -> &'static str {
    match done {
        "updated" => "Your plan was changed.",
        "cancelled" => "Your plan was cancelled.",
        "resumed" => "Your plan continues.",
        "card" => "Your card was saved.",
        _ => "Done.",
    }
}

/// Returns a visit and one of the customer's subscriptions. Returns the error page if the configuration does not allow
/// the feature.
fn visit_of(shared: &Shared, id: &str, subscription: &str, feature: &str) -> Result<(Visit, Object), Refusal> {
    let visit = Visit::start(shared, id)?;
    if !visit.allows(feature) {
        return Err(Box::new(not_found(shared)));
    }
    let sub = visit.subscription(shared, subscription)?;
    Ok((visit, sub))
}

/// Renders the plan of a subscription item: the product's name, the quantity and the price.
fn item(st: &Account, item: &Value) -> Html {
    let quantity = item["quantity"].as_i64().unwrap_or(1);
    html!(
        "<h3>{name}{many}</h3><p class=\"price\">{unit} <small>{every}</small></p>",
        name = items::product_name(st, &item["price"]),
        many = (quantity != 1).then(|| format!(" × {quantity}")),
        unit = words::unit(&item["price"]),
        every = words::every(&item["price"]),
    )
}

/// Calls the action `what` of the portal's API for a visit.
fn call_action(shared: &Shared, visit: &Visit, what: &str, form: &[(&str, &str)]) -> Response {
    shared.handle(&own_request("POST", &format!("/_sandbox/portal/{}/{what}", visit.session.id()), form))
}
