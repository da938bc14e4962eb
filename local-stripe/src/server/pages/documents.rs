//! The pages of invoices and receipts. An open invoice can be paid on its page.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Response as HttpResponse, StatusCode, header};

use super::card::{self, CardForm, CardInput, FieldError};
use super::html::{Html, html};
use super::summary::row;
use super::{Shared, branding, fields, layout, not_found, object, words};
use crate::calendar::date_text;
use crate::model::billing_credit;
use crate::money;
use crate::object::Object;
use crate::pdf;
use crate::sandbox::{json_of, own_request};

/// Renders a status in its colour.
pub(super) fn badge(status: &str) -> Html {
    let (words, mood) = words::status(status);
    html!("<span class=\"badge {mood}\">{words}</span>", mood = mood, words = words)
}

/// `GET /_sandbox/invoices/{id}`: shows an invoice, with a card form if it is open.
pub(super) async fn invoice(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    match object(&shared, "invoice", &id) {
        Some(invoice) => page(&shared, &invoice, &CardInput::default(), None),
        None => not_found(&shared),
    }
}

fn page(shared: &Shared, invoice: &Object, typed: &CardInput, fault: Option<&FieldError>) -> HttpResponse<Body> {
    let mut branding = branding(shared);
    // The invoice shows the business's name at the time of issue.
    branding.name = invoice.text("account_name").to_owned();
    let shown = |member: &str| money::display(invoice.int(member), invoice.text("currency"));
    let (status, mood) = words::status(invoice.text("status"));
    let action = format!("/_sandbox/invoices/{}", invoice.id());
    let button = format!("Pay {}", shown("amount_remaining"));
    let form = (invoice.text("status") == "open" && invoice.int("amount_remaining") > 0).then(|| {
        let form = CardForm {
            action: &action,
            button: &button,
            asks_email: false,
            asks_to_save: false,
            more: Default::default(),
            typed,
            fault,
        };
        html!("<section class=\"work\"><h2>Pay with card</h2>{form}</section>", form = form.html())
    });
    let body = html!(
        "<main class=\"{class}\"><section class=\"side\">{business}\
         <h1>Invoice {number}</h1><p class=\"price\">{amount}</p><p><span id=\"status\" class=\"badge {mood}\">{status}</span></p>\
         <dl class=\"facts\">{facts}</dl><ul class=\"lines\">{lines}</ul><dl class=\"sums\">{sums}</dl></section>{form}</main>",
        class = if form.is_some() { "split" } else { "sheet" },
        business = branding.business(),
        number = invoice.text("number"),
        amount = shown("total"),
        mood = mood,
        status = status,
        facts = facts(invoice).iter().map(|(words, value)| row("", words, value)).collect::<Html>(),
        lines = invoice.list_at("lines").iter().map(line).map(item).collect::<Html>(),
        sums = rows(&sums(invoice)),
        form = form,
    );
    let status = if fault.is_some() { StatusCode::PAYMENT_REQUIRED } else { StatusCode::OK };
    layout::page(&branding, status, "Invoice", &body)
}

fn item((words, period, amount): (String, String, String)) -> Html {
    html!(
        "<li><div><p class=\"name\">{words}</p><p class=\"dim\">{period}</p></div><p class=\"amount\">{amount}</p></li>",
        words = words,
        period = period,
        amount = amount,
    )
}

/// Renders totals, the last of which is the amount due.
fn rows(sums: &[(&str, String)]) -> Html {
    let Some(((due, amount), others)) = sums.split_last() else { return Html::default() };
    let due =
        html!("<div class=\"due\"><dt>{due}</dt><dd id=\"total\">{amount}</dd></div>", due = *due, amount = amount);
    others.iter().map(|(words, amount)| row("", words, amount)).chain([due]).collect()
}

/// The content of an invoice besides its lines and totals.
fn facts(invoice: &Object) -> Vec<(&'static str, String)> {
    let to = [invoice.text("customer_name"), invoice.text("customer_email")].into_iter().find(|t| !t.is_empty());
    let day = |path: &str| invoice.at(path).as_i64().map(date_text);
    let all = [
        ("Billed to", to.map(str::to_owned)),
        ("Issued on", day("effective_at").or(day("created"))),
        ("Due on", day("due_date")),
        ("Paid on", day("status_transitions.paid_at")),
    ];
    all.into_iter().filter_map(|(words, value)| value.map(|value| (words, value))).collect()
}

/// The description, the period and the amount of a line.
fn line(line: &serde_json::Value) -> (String, String, String) {
    let currency = line["currency"].as_str().unwrap_or_default();
    let day = |name: &str| line["period"][name].as_i64().unwrap_or_default();
    let period =
        (day("end") > day("start")).then(|| format!("{} – {}", date_text(day("start")), date_text(day("end"))));
    (
        line["description"].as_str().unwrap_or("Item").to_owned(),
        period.unwrap_or_default(),
        money::display(line["amount"].as_i64().unwrap_or_default(), currency),
    )
}

/// The totals of an invoice, ending with the amount due.
fn sums(invoice: &Object) -> Vec<(&'static str, String)> {
    let shown = |amount: i64| money::display(amount, invoice.text("currency"));
    let (subtotal, total) = (invoice.int("subtotal"), invoice.int("total"));
    let taxes = |behavior: &str| -> i64 {
        let of = invoice.list_at("total_taxes").iter().filter(|tax| tax["tax_behavior"] == behavior);
        of.filter_map(|tax| tax["amount"].as_i64()).sum()
    };
    let (tax, included) = (taxes("exclusive"), taxes("inclusive"));
    let (due, paid) = (invoice.int("amount_due"), invoice.int("amount_paid"));
    let credits: i64 = invoice.list_at("lines").iter().map(billing_credit::on_line).sum();
    let all = [
        ("Subtotal", subtotal, true),
        // The subtotal is after the discounts of single lines.
        ("Discount", total + credits - subtotal - tax, false),
        ("Credit grant applied", -credits, false),
        ("Tax", tax, false),
        ("Total", total, true),
        ("Tax included", included, false),
        ("Customer balance", due - total, false),
        ("Paid", -paid, false),
        ("Amount due", invoice.int("amount_remaining"), true),
    ];
    let counts = all.into_iter().filter(|(_, amount, is_always)| *is_always || *amount != 0);
    counts.map(|(words, amount, _)| (words, shown(amount))).collect()
}

/// `GET /_sandbox/invoices/{id}/pdf`: the invoice as a file.
pub(super) async fn invoice_pdf(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    let Some(invoice) = object(&shared, "invoice", &id) else { return not_found(&shared) };
    let title = format!("Invoice {}", invoice.text("number"));
    let sheet = pdf::Sheet {
        business: invoice.text("account_name"),
        title: &title,
        facts: facts(&invoice),
        lines: invoice.list_at("lines").iter().map(line).collect(),
        sums: sums(&invoice),
    };
    let mut response = HttpResponse::new(Body::from(pdf::file(&sheet)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/pdf"));
    response
}

/// `POST /_sandbox/invoices/{id}`: pays the invoice with the entered card.
pub(super) async fn pay(State(shared): State<Shared>, Path(id): Path<String>, body: Body) -> HttpResponse<Body> {
    let form = fields(body).await;
    let Some(open) = object(&shared, "invoice", &id) else { return not_found(&shared) };
    let again = |fault: &FieldError| page(&shared, &open, &CardInput::of(&form), Some(fault));
    let method = match card::make(&shared, &form) {
        Ok(method) => method,
        Err(fault) => return again(&fault),
    };
    let paid = shared.handle(&own_request("POST", &format!("/v1/invoices/{id}/pay"), &[("payment_method", &method)]));
    if paid.status == 200 {
        return layout::go(&format!("/_sandbox/invoices/{id}"));
    }
    if json_of(&paid)["error"]["code"] == "invoice_payment_intent_requires_action" {
        return layout::go(&format!("/_sandbox/3ds/{}", &open.as_invoice().payment_intent));
    }
    again(&FieldError::of(&paid))
}

/// `GET /_sandbox/receipts/{id}`: shows the receipt of a charge.
pub(super) async fn receipt(State(shared): State<Shared>, Path(id): Path<String>) -> HttpResponse<Body> {
    let Some(charge) = object(&shared, "charge", &id) else { return not_found(&shared) };
    let branding = branding(&shared);
    let shown = |amount: i64| money::display(amount, charge.text("currency"));
    let refunded = charge.int("amount_refunded");
    let refund = (refunded != 0).then(|| row("", "Refunded", &shown(-refunded)));
    let body = html!(
        "<main class=\"sheet\"><section class=\"side\">{business}<h1>Receipt</h1><p class=\"price\">{total}</p>\
         <p><span id=\"status\" class=\"badge {mood}\">{status}</span></p>\
         <dl class=\"facts\"><div><dt>Paid on</dt><dd>{date}</dd></div><div><dt>Paid with</dt><dd>{card}</dd></div>\
         <div><dt>Number</dt><dd class=\"id\">{id}</dd></div></dl>\
         <dl class=\"sums\"><div><dt>{words}</dt><dd>{amount}</dd></div>{refund}\
         <div class=\"due\"><dt>Total</dt><dd id=\"total\">{total}</dd></div></dl></section></main>",
        business = branding.business(),
        mood = words::status(charge.text("status")).1,
        status = words::status(charge.text("status")).0,
        date = date_text(charge.int("created")),
        card = words::card(charge.at("payment_method_details.card")),
        id = charge.id(),
        words = charge.text_at("description").unwrap_or("Payment"),
        amount = shown(charge.int("amount")),
        refund = refund,
        total = shown(charge.int("amount") - refunded),
    );
    layout::page(&branding, StatusCode::OK, "Receipt", &body)
}
