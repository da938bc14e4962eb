//! The portal's pages for changing the plan: the offers, the preview, and the change.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response as HttpResponse, StatusCode};
use serde_json::Value;

use super::{Visit, call_action, item, visit_of};
use crate::billing::items::product_name;
use crate::calendar::date_text;
use crate::money;
use crate::object::Object;
use crate::portal;
use crate::sandbox::json_of;
use crate::server::Shared;
use crate::server::pages::card::FieldError;
use crate::server::pages::html::{Html, html};
use crate::server::pages::summary::row;
use crate::server::pages::{layout, words};

/// `GET /p/session/{id}/{subscription}/plans`: shows the offered plans.
pub(in crate::server::pages) async fn show(
    State(shared): State<Shared>,
    Path((id, sub)): Path<(String, String)>,
) -> HttpResponse<Body> {
    let (visit, sub) = match visit_of(&shared, &id, &sub, "subscription_update") {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let base = visit.path(&format!("/{}/plans", sub.id()));
    let (current, offers) = shared.read(|s| {
        let st = s.state();
        let current: Html = sub.list_at("items").iter().map(|i| item(st, i)).collect();
        let offers: Vec<Html> = portal::offers(st, &visit.configuration, &sub)
            .iter()
            .map(|price| offer(&base, &product_name(st, &price.value()), price))
            .collect();
        (current, offers)
    });
    let none = offers.is_empty().then(|| html!("<p class=\"dim\">There is no other plan to change to.</p>"));
    let work = html!(
        "{up}<section class=\"card\"><h2>Change plan</h2><div class=\"plan\">{current}<p><span class=\"badge good\">Current plan</span></p></div>\
         {none}<ul class=\"offers\">{offers}</ul></section>",
        up = visit.up(),
        current = current,
        none = none,
        offers = offers.into_iter().collect::<Html>(),
    );
    visit.page(StatusCode::OK, "Change plan", &work)
}

fn offer(base: &str, name: &str, price: &Object) -> Html {
    html!(
        "<li><div><p class=\"name\">{name}</p><p class=\"dim\">{unit} {every}</p></div>\
         <a class=\"second\" href=\"{base}/{price}\">Select<span class=\"unseen\"> {name}, {unit} {every}</span></a></li>",
        name = name,
        unit = words::unit(&price.value()),
        every = words::every(&price.value()),
        base = base,
        price = price.id(),
    )
}

/// `GET /p/session/{id}/{subscription}/plans/{price}`: shows the cost of the change.
pub(in crate::server::pages) async fn preview(
    State(shared): State<Shared>,
    Path((id, sub, price)): Path<(String, String, String)>,
) -> HttpResponse<Body> {
    match visit_of(&shared, &id, &sub, "subscription_update") {
        Ok((visit, sub)) => preview_page(&shared, &visit, &sub, &price, None),
        Err(refusal) => *refusal,
    }
}

fn preview_page(
    shared: &Shared,
    visit: &Visit,
    sub: &Object,
    price: &str,
    fault: Option<&FieldError>,
) -> HttpResponse<Body> {
    let answer = call_action(shared, visit, "preview", &[("subscription", sub.id()), ("price", price)]);
    if answer.status != 200 {
        let fault = FieldError::of(&answer);
        return visit.page(
            StatusCode::BAD_REQUEST,
            "Change plan",
            &html!("{up}{fault}", up = visit.up(), fault = fault.html()),
        );
    }
    let cost = json_of(&answer);
    let shown = |amount: &Value| {
        money::display(amount.as_i64().unwrap_or_default(), cost["currency"].as_str().unwrap_or("usd"))
    };
    let (name, new) = shared.read(|s| {
        let price = s.state().copy_if_any(price).value();
        (product_name(s.state(), &price), price)
    });
    let due = cost["amount_due"].as_i64().unwrap_or_default();
    let button =
        if due > 0 { format!("Pay {} and change plan", shown(&cost["amount_due"])) } else { "Change plan".to_owned() };
    let work = html!(
        "{up}<section class=\"card\"><h2>Confirm your new plan</h2>{fault}\
         <h3>{name}</h3><p class=\"price\">{unit} <small>{every}</small></p>\
         <ul class=\"lines\">{lines}</ul><dl class=\"sums\">{sums}</dl>\
         <form method=\"post\"><button id=\"submit\" class=\"primary\">{button}</button></form></section>",
        up = visit.up(),
        fault = fault.map(FieldError::html),
        name = name,
        unit = words::unit(&new),
        every = words::every(&new),
        lines = cost["lines"].as_array().into_iter().flatten().map(|l| preview_line(l, &shown)).collect::<Html>(),
        sums = preview_sums(&cost, &shown),
        button = button,
    );
    let status = if fault.is_some() { StatusCode::PAYMENT_REQUIRED } else { StatusCode::OK };
    visit.page(status, "Change plan", &work)
}

fn preview_line(line: &Value, shown: &dyn Fn(&Value) -> String) -> Html {
    html!(
        "<li><p class=\"name\">{words}</p><p class=\"amount\">{amount}</p></li>",
        words = line["description"].as_str().unwrap_or_default(),
        amount = shown(&line["amount"]),
    )
}

fn preview_sums(cost: &Value, shown: &dyn Fn(&Value) -> String) -> Html {
    let balance = (cost["balance_applied"] != 0).then(|| row("", "Customer balance", &shown(&cost["balance_applied"])));
    let later = cost["next_date"].as_i64().map(|date| {
        let words = format!("Next invoice on {}", date_text(date));
        row("dim", &words, &shown(&cost["next_amount"]))
    });
    html!(
        "{balance}<div class=\"due\"><dt>Due today</dt><dd id=\"total\">{due}</dd></div>{later}",
        balance = balance,
        due = shown(&cost["amount_due"]),
        later = later,
    )
}

/// `POST /p/session/{id}/{subscription}/plans/{price}`: changes the plan.
pub(in crate::server::pages) async fn update(
    State(shared): State<Shared>,
    Path((id, sub, price)): Path<(String, String, String)>,
) -> HttpResponse<Body> {
    let (visit, sub) = match visit_of(&shared, &id, &sub, "subscription_update") {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let answer = call_action(&shared, &visit, "update", &[("subscription", sub.id()), ("price", &price)]);
    if answer.status == 200 {
        return match intent_to_authenticate(&shared, sub.id()) {
            Some(intent) => layout::go(&format!("/_sandbox/3ds/{intent}")),
            None => visit.finished("updated"),
        };
    }
    preview_page(&shared, &visit, &sub, &price, Some(&FieldError::of(&answer)))
}

/// Returns the id of the payment intent that waits for 3-D Secure before a plan change is applied.
fn intent_to_authenticate(shared: &Shared, sub: &str) -> Option<String> {
    shared.read(|s| {
        let st = s.state();
        let intent =
            st.copy_if_any(&st.copy_if_any(st.copy_if_any(sub).text("latest_invoice")).as_invoice().payment_intent);
        (intent.text("status") == "requires_action").then(|| intent.id().to_owned())
    })
}
