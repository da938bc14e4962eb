//! The common parts of all pages: the frame, the security headers, the branding, the style and the script.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Response as HttpResponse, StatusCode, header};

use super::html::{Html, html, url_of, web_url};
use super::{Shared, branding};
use crate::colour::Colour;
use crate::settings::Settings;

/// The content security policy: nothing from other hosts, nothing inline, no frames. `form-action` allows all web URLs,
/// because browsers also apply it to the redirect after the form, which may lead to the seller's site.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'";

/// The business's name and colour.
pub(super) struct Branding {
    pub(super) name: String,
    colour: Colour,
}

impl Branding {
    pub(super) fn of(settings: &Settings) -> Self {
        Self { name: settings.business_name.clone(), colour: settings.brand_colour }
    }

    fn initial(&self) -> String {
        self.name.chars().find(|c| c.is_alphanumeric()).map(|c| c.to_uppercase().to_string()).unwrap_or_default()
    }

    /// Renders the business's name with its initial.
    pub(super) fn business(&self) -> Html {
        html!(
            "<p class=\"business\"><span class=\"mark\" aria-hidden=\"true\">{initial}</span>{name}</p>",
            initial = self.initial(),
            name = self.name,
        )
    }
}

/// Renders a page. `body` must contain the element `main`. The page is not cached, because it may contain the buyer's
/// input.
pub(super) fn page(branding: &Branding, status: StatusCode, title: &str, body: &Html) -> HttpResponse<Body> {
    let text = html!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} – {name}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <link rel=\"icon\" href=\"/_sandbox/icon.svg\"><link rel=\"stylesheet\" href=\"/_sandbox/page.css\">\
         <script src=\"/_sandbox/page.js\" defer></script></head><body>\
         <header class=\"sandbox\"><p><strong>Local sandbox:</strong> not Stripe, no money moves.</p></header>\
         {body}</body></html>",
        title = title,
        name = branding.name,
        body = body,
    );
    let mut response = asset("text/html; charset=utf-8", text.as_str().to_owned());
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Redirects to a URL, or shows an error page if the URL is invalid.
pub(super) fn redirect(branding: &Branding, url: &str) -> HttpResponse<Body> {
    let Some(location) = web_url(url).and_then(|u| HeaderValue::from_str(u).ok()) else {
        let body = html!(
            "<main class=\"narrow\"><h1>The redirect URL is invalid</h1>\
             <p>It must begin with http:// or https://.</p></main>"
        );
        return page(branding, StatusCode::BAD_REQUEST, "Wrong URL", &body);
    };
    see_other(location)
}

/// Redirects to another page of the sandbox.
pub(super) fn go(path: &str) -> HttpResponse<Body> {
    // Paths consist of ids, which are ASCII. An invalid path leads to `/`.
    see_other(HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/")))
}

fn see_other(location: HeaderValue) -> HttpResponse<Body> {
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Renders a link back, if the URL is a web URL.
pub(super) fn back(id: &str, url: &serde_json::Value, words: &str) -> Option<Html> {
    url_of(url).map(|url| {
        html!(
            "<p><a id=\"{id}\" class=\"back\" href=\"{url}\"><span aria-hidden=\"true\">←</span> {words}</a></p>",
            id = id,
            url = url,
            words = words,
        )
    })
}

fn asset(kind: &'static str, text: String) -> HttpResponse<Body> {
    let mut response = HttpResponse::new(Body::from(text));
    let mut set = |name: HeaderName, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, kind);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CACHE_CONTROL, "no-cache");
    response
}

/// `GET /_sandbox/page.css`.
pub(super) async fn style(State(shared): State<Shared>) -> HttpResponse<Body> {
    let colour = branding(&shared).colour;
    let brand = format!(":root{{--brand:{colour};--on-brand:{}}}\n", colour.text());
    asset("text/css; charset=utf-8", brand + include_str!("page.css"))
}

/// `GET /_sandbox/page.js`.
pub(super) async fn script() -> HttpResponse<Body> {
    asset("text/javascript; charset=utf-8", include_str!("page.js").to_owned())
}

/// `GET /_sandbox/icon.svg`.
pub(super) async fn icon(State(shared): State<Shared>) -> HttpResponse<Body> {
    let branding = branding(&shared);
    let icon = html!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"8\" fill=\"{colour}\"/>\
         <text x=\"16\" y=\"23\" font-family=\"sans-serif\" font-size=\"20\" font-weight=\"700\" text-anchor=\"middle\" fill=\"{text}\">{initial}</text></svg>",
        colour = branding.colour.to_string(),
        text = branding.colour.text().to_string(),
        initial = branding.initial(),
    );
    asset("image/svg+xml", icon.as_str().to_owned())
}
