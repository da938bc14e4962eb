//! The checkout page: the order, the card form, and the redirect after the payment.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response as HttpResponse, StatusCode};
use serde_json::Value;

use super::asked;
use super::card::{self, CardForm, CardInput, FieldError};
use super::html::{Html, html};
use super::summary::Summary;
use super::{Shared, branding, field, fields, layout, not_found, object};
use crate::checkout::{self, keep};
use crate::money;
use crate::object::Object;
use crate::sandbox::{json_of, own_request};

/// `GET /c/pay/{id}`: shows the page of a session.
pub(super) async fn show(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    match object(&shared, "checkout.session", &id) {
        Some(session) => page(&shared, &session, &CardInput::default(), None),
        None => not_found(&shared),
    }
}

/// Renders the page of a session, with any previous input and its error.
pub(super) fn page(
    shared: &Shared,
    session: &Object,
    typed: &CardInput,
    fault: Option<&FieldError>,
) -> HttpResponse<Body> {
    let branding = branding(shared);
    if session.text("status") != "open" {
        return over(shared, session);
    }
    let now_s = shared.read(|s| s.state().now(session));
    let summary = Summary::of(session, now_s);
    let known = |path: &str| session.text_at(path).unwrap_or_default().to_owned();
    let email = [typed.email.clone(), known("customer_details.email"), known("customer_email")];
    let name = [typed.name.clone(), known("customer_details.name")];
    let first = |all: &[String]| all.iter().find(|t| !t.is_empty()).cloned().unwrap_or_default();
    let typed = CardInput {
        email: first(&email),
        name: first(&name),
        number: typed.number.clone(),
        expiry: typed.expiry.clone(),
        saves: typed.saves,
        form: typed.form.clone(),
    };
    let action = format!("/c/pay/{}", session.id());
    let button = button(session, &summary);
    let more = (asked::fields(session, &typed.form), asked::after_button(session));
    let (heading, form) = if checkout::wants_method(session) {
        let asks_to_save = keep::asks(session);
        let card =
            CardForm { action: &action, button: &button, asks_email: true, asks_to_save, more, typed: &typed, fault };
        (if session.text("mode") == "setup" { "Your card" } else { "Pay with card" }, card.html())
    } else {
        ("Nothing to pay today", without_card(&action, &button, more, &typed, fault))
    };
    let body = html!(
        "<main class=\"split\"><section class=\"side\">{back}{business}{summary}{quantities}{code}{address}{shipping}</section>\
         <section class=\"work\"><h2>{heading}</h2>{form}</section></main>",
        back = layout::back("cancel", session.get("cancel_url"), "Cancel and go back"),
        business = branding.business(),
        summary = summary.html(),
        quantities = quantities(session),
        code = code(session),
        address = asked::tax_address(session),
        shipping = asked::shipping(session, &shipping_names(shared, session)),
        heading = heading,
        form = form,
    );
    let status = if fault.is_some() { StatusCode::PAYMENT_REQUIRED } else { StatusCode::OK };
    layout::page(&branding, status, if fault.is_some() { "Not paid yet" } else { "Checkout" }, &body)
}

/// Returns the shipping options of a session, each with its name and price.
fn shipping_names(shared: &Shared, session: &Object) -> Vec<(String, String)> {
    let options = session.list_at("shipping_options").iter();
    let shown = options.filter_map(|option| object(shared, "shipping_rate", option["shipping_rate"].as_str()?));
    let words = |rate: Object| {
        let amount = rate.int_at("fixed_amount.amount").unwrap_or_default();
        let price = money::display(amount, session.text("currency"));
        (rate.id().to_owned(), format!("{} ({price})", rate.text("display_name")))
    };
    shown.map(words).collect()
}

/// Renders the form of a session that requires no payment method: the email address, and the additional information
/// that the session asks for.
fn without_card(
    action: &str,
    button: &str,
    more: (Html, Option<Html>),
    typed: &CardInput,
    fault: Option<&FieldError>,
) -> Html {
    html!(
        "<form method=\"post\" action=\"{action}\" class=\"card-form\">{fault}<div class=\"field\">\
         <label for=\"email\">Email</label><input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"email\" required value=\"{email}\">\
         </div>{more}<button id=\"submit\" class=\"primary\" type=\"submit\">{button}</button>{after}</form>",
        more = more.0,
        after = more.1,
        action = action,
        fault = fault.map(FieldError::html),
        email = typed.email,
        button = button,
    )
}

/// Renders a form for the quantity of each line that the buyer may change.
fn quantities(session: &Object) -> Html {
    let form = |(n, line): (usize, &Value)| {
        let bounds = line["adjustable_quantity"].clone();
        let number = |value: &Value| value.as_i64().unwrap_or_default();
        html!(
            "<form method=\"post\" action=\"{action}\" class=\"code\"><div class=\"field\">\
             <label for=\"quantity{n}\">Quantity of {name}</label><input id=\"quantity{n}\" name=\"quantity\" type=\"number\" \
             min=\"{least}\" max=\"{most}\" required value=\"{quantity}\"></div>\
             <input type=\"hidden\" name=\"line_item\" value=\"{line}\">\
             <button id=\"setQuantity{n}\" class=\"second\" type=\"submit\">Update</button></form>",
            action = format!("/c/pay/{}/quantity", session.id()),
            n = n.to_string(),
            name = line["description"].as_str().unwrap_or_default(),
            least = number(&bounds["minimum"]),
            most = number(&bounds["maximum"]),
            quantity = number(&line["quantity"]),
            line = line["id"].as_str().unwrap_or_default(),
        )
    };
    let lines = session.as_session().lines.iter().enumerate();
    lines.filter(|(_, line)| line["adjustable_quantity"]["enabled"] == true).map(form).collect()
}

/// Renders the form that applies a promotion code or removes the applied code, if the session accepts codes.
fn code(session: &Object) -> Option<Html> {
    if !session.is("allow_promotion_codes") {
        return None;
    }
    let action = format!("/c/pay/{}/code", session.id());
    let used = !session.list_at("discounts").is_empty();
    let field = html!(
        "<div class=\"field\"><label for=\"code\">Promotion code</label>\
         <input id=\"code\" name=\"code\" autocomplete=\"off\" required></div>"
    );
    Some(html!(
        "<form method=\"post\" action=\"{action}\" class=\"code\">{field}\
         <button id=\"applyCode\" class=\"second\" type=\"submit\">{words}</button></form>",
        action = action,
        field = (!used).then_some(field),
        words = if used { "Remove the code" } else { "Apply" },
    ))
}

/// `POST /c/pay/{id}/code`: applies or removes a promotion code.
pub(super) async fn use_code(State(shared): State<Shared>, Path(id): Path<String>, body: Body) -> HttpResponse<Body> {
    let form = fields(body).await;
    let path = format!("/_sandbox/checkout/sessions/{id}/promotion_code");
    let answer = shared.handle(&own_request("POST", &path, &[("code", field(&form, "code"))]));
    let Some(session) = object(&shared, "checkout.session", &id) else { return not_found(&shared) };
    match answer.status {
        200 => layout::go(&format!("/c/pay/{id}")),
        _ => page(&shared, &session, &CardInput::default(), Some(&FieldError::of(&answer))),
    }
}

/// `POST /c/pay/{id}/quantity`: sets the quantity of a line.
pub(super) async fn choose_quantity(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Body,
) -> HttpResponse<Body> {
    let form = fields(body).await;
    let path = format!("/_sandbox/checkout/sessions/{id}/quantity");
    let chosen = [("line_item", field(&form, "line_item")), ("quantity", field(&form, "quantity"))];
    let answer = shared.handle(&own_request("POST", &path, &chosen));
    let Some(session) = object(&shared, "checkout.session", &id) else { return not_found(&shared) };
    match answer.status {
        200 => layout::go(&format!("/c/pay/{id}")),
        _ => page(&shared, &session, &CardInput::default(), Some(&FieldError::of(&answer))),
    }
}

/// `POST /c/pay/{id}/shipping`: selects a shipping option.
pub(super) async fn choose_shipping(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Body,
) -> HttpResponse<Body> {
    let form = fields(body).await;
    let path = format!("/_sandbox/checkout/sessions/{id}/shipping_rate");
    let answer = shared.handle(&own_request("POST", &path, &[("shipping_rate", field(&form, "shipping_rate"))]));
    let Some(session) = object(&shared, "checkout.session", &id) else { return not_found(&shared) };
    match answer.status {
        200 => layout::go(&format!("/c/pay/{id}")),
        _ => page(&shared, &session, &CardInput::default(), Some(&FieldError::of(&answer))),
    }
}

/// `POST /c/pay/{id}/address`: sets the address that determines the taxes.
pub(super) async fn set_address(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Body,
) -> HttpResponse<Body> {
    let form = fields(body).await;
    let path = format!("/_sandbox/checkout/sessions/{id}/address");
    let given = asked::typed_address(&form);
    let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = shared.handle(&own_request("POST", &path, &given));
    let Some(session) = object(&shared, "checkout.session", &id) else { return not_found(&shared) };
    match answer.status {
        200 => layout::go(&format!("/c/pay/{id}")),
        _ => page(&shared, &session, &CardInput::default(), Some(&FieldError::of(&answer))),
    }
}

fn button(session: &Object, summary: &Summary) -> String {
    let due = summary.due_text();
    match (session.text("mode"), session.text("submit_type")) {
        ("setup", _) => "Save card".to_owned(),
        ("subscription", _) if summary.has_trial() => "Start trial".to_owned(),
        ("subscription", _) => "Subscribe".to_owned(),
        _ if summary.due() == 0 => "Complete order".to_owned(),
        (_, "book") => format!("Book for {due}"),
        (_, "donate") => format!("Donate {due}"),
        _ => format!("Pay {due}"),
    }
}

fn over(shared: &Shared, session: &Object) -> HttpResponse<Body> {
    let words = match session.text("status") {
        "complete" => "It was completed.",
        "expired" => "It expired. Nothing was paid.",
        _ => "",
    };
    let body = html!(
        "<main class=\"narrow\">{business}<h1>This checkout is over</h1><p id=\"status\">{words}</p>{back}</main>",
        business = branding(shared).business(),
        words = words,
        back = layout::back("cancel", session.get("cancel_url"), "Go back"),
    );
    layout::page(&branding(shared), StatusCode::OK, "Checkout", &body)
}

/// `POST /c/pay/{id}`: pays the session.
pub(super) async fn pay(State(shared): State<Shared>, Path(id): Path<String>, body: Body) -> HttpResponse<Body> {
    let form = fields(body).await;
    let Some(open) = object(&shared, "checkout.session", &id) else { return not_found(&shared) };
    let again = |fault: &FieldError| page(&shared, &open, &CardInput::of(&form), Some(fault));
    let method = match checkout::wants_method(&open).then(|| card::make(&shared, &form)).transpose() {
        Ok(method) => method,
        Err(fault) => return again(&fault),
    };
    let path = format!("/v1/payment_pages/{id}/confirm");
    let first = match &method {
        Some(method) => ("payment_method", method.as_str()),
        None => ("billing_details[email]", field(&form, "email")),
    };
    let answers = asked::answers(&open, &form);
    let answers = answers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let fields: Vec<(&str, &str)> = std::iter::once(first).chain(answers).collect();
    let confirmed = shared.handle(&own_request("POST", &path, &fields));
    if confirmed.status != 200 {
        return again(&FieldError::of(&confirmed));
    }
    match json_of(&confirmed)["next_action"]["redirect_to_url"]["url"].as_str() {
        Some(url) => layout::redirect(&branding(&shared), url),
        None => done(&shared, &id),
    }
}

/// Redirects to the success URL, or shows a success page.
pub(super) fn done(shared: &Shared, id: &str) -> HttpResponse<Body> {
    let branding = branding(shared);
    let session = object(shared, "checkout.session", id).unwrap_or_default();
    if let Some(url) = session.text_at("success_url") {
        let url = url.replace("{CHECKOUT_SESSION_ID}", id).replace("%7BCHECKOUT_SESSION_ID%7D", id);
        return layout::redirect(&branding, &url);
    }
    let body = html!(
        "<main class=\"narrow\">{business}<h1 id=\"status\">Payment complete</h1><p>Thank you. You can close this page.</p></main>",
        business = branding.business(),
    );
    layout::page(&branding, StatusCode::OK, "Paid", &body)
}
