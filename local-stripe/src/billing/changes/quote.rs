//! Quotes, from the draft to their acceptance, which creates the subscription or the invoice.

use serde_json::{Value, json};

use crate::billing::changes::{create, schedule};
use crate::billing::invoicing::invoice::{self, Draft};
use crate::billing::invoicing::invoice_settings;
use crate::billing::items;
use crate::calendar::{DAY_S, date_text};
use crate::error::ApiError;
use crate::model;
use crate::model::billing::NewLine;
use crate::money;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::payments::method::Presence;
use crate::pdf;
use crate::pricing;
use crate::state::State;

/// Creates the draft quote of a request.
///
/// # Errors
/// The customer is unknown, or a line or another parameter is invalid.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let customer = args.text("customer").map(|id| st.load("customer", id, "customer")).transpose()?;
    let id = st.new_id("qt");
    let now = customer.as_ref().map_or(st.clock_s(), |c| st.now(c));
    let mut quote = model::quote::quote(id, now, customer.as_deref());
    apply(st, &mut quote, args)?;
    let quote = st.put(quote);
    st.emit("quote.created", &quote);
    Ok(quote.value())
}

/// Changes a draft quote.
///
/// # Errors
/// The quote is unknown or not a draft, or a parameter is invalid.
pub fn update(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let mut next = in_status(st, id, &["draft"])?;
    if let Some(customer) = args.text("customer") {
        st.load("customer", customer, "customer")?;
        next.set("customer", customer);
    }
    apply(st, &mut next, args)?;
    Ok(st.put(next).value())
}

fn apply(st: &mut State, quote: &mut Object, args: &Args) -> Result<(), ApiError> {
    for member in ["description", "footer", "header"] {
        if args.has(member) {
            quote.set(member, args.value(member));
        }
    }
    for member in ["collection_method", "expires_at"] {
        if let Some(given) = args.given(member) {
            quote.set(member, given.clone());
        }
    }
    check_expiry(st, quote, args)?;
    for (group, names) in [
        ("invoice_settings", &["days_until_due"][..]),
        ("subscription_data", &["description", "effective_date", "metadata", "trial_period_days"][..]),
    ] {
        let given = args.map(group);
        for name in names.iter().filter(|name| given.has(name)) {
            quote.set_at(&format!("{group}.{name}"), given.value(name));
        }
    }
    invoice_settings::read(st, quote, "invoice_settings", &args.map("invoice_settings"), "invoice_settings")?;
    if args.has("line_items") {
        set_lines(st, quote, args)?;
    }
    compute(quote);
    quote.set("metadata", merge_metadata(quote.get("metadata"), args)?);
    Ok(())
}

fn check_expiry(st: &State, quote: &Object, args: &Args) -> Result<(), ApiError> {
    match args.int("expires_at") {
        Some(at) if at <= st.now(quote) => {
            Err(ApiError::invalid("`expires_at` must be in the future.").about("expires_at"))
        }
        _ => Ok(()),
    }
}

fn set_lines(st: &mut State, quote: &mut Object, args: &Args) -> Result<(), ApiError> {
    let (mut lines, mut prices) = (Vec::new(), Vec::new());
    let mut total = 0_i64;
    for (n, line) in args.list("line_items").into_iter().enumerate() {
        let priced = items::read_licensed(st, &Args::of(line), &format!("line_items[{n}]"))?;
        let price = priced.price.value();
        let amount = pricing::amount(&price, priced.quantity)?;
        total += amount;
        if priced.price.text("type") == "recurring" {
            prices.push(priced.price.clone());
        }
        let id = st.new_id("li");
        let words = items::product_name(st, &price);
        lines.push(model::checkout::item(id, amount, json!(priced.quantity), &priced.price, &words));
    }
    create::check_alike(prices.iter())?;
    if lines.iter().any(|l| l["currency"] != lines[0]["currency"]) {
        return Err(ApiError::invalid("All line items must have the same currency.").about("line_items"));
    }
    quote.set("currency", lines.first().map(|l| l["currency"].clone()).unwrap_or_default());
    quote.set("amount_subtotal", total);
    quote.set("amount_total", total);
    quote.as_quote_mut().lines = lines;
    Ok(())
}

/// Sets the amounts that are due upfront and that recur.
fn compute(quote: &mut Object) {
    let sum = |lines: &[Value]| lines.iter().filter_map(|line| line["amount_total"].as_i64()).sum::<i64>();
    let recurring: Vec<Value> = quote.as_quote().lines.iter().filter(|line| recurs(line)).cloned().collect();
    let every = recurring.first().map(|line| (sum(&recurring), &line["price"]["recurring"]));
    let computed = model::quote::computed(sum(&upfront(quote)), every);
    quote.set("computed", computed);
}

fn recurs(line: &Value) -> bool {
    line["price"]["type"] == "recurring"
}

/// Returns the lines of the first invoice after a quote is accepted. In a trial, the recurring lines are free.
pub fn upfront(quote: &Object) -> Vec<Value> {
    let in_trial = quote.int_at("subscription_data.trial_period_days").is_some_and(|days| days > 0);
    let mut lines = quote.as_quote().lines.clone();
    for line in lines.iter_mut().filter(|line| in_trial && recurs(line)) {
        for member in ["amount_subtotal", "amount_total"] {
            line[member] = json!(0);
        }
    }
    lines
}

/// Returns a quote's document, as the bytes of a PDF file.
pub fn document(st: &State, quote: &Object) -> Vec<u8> {
    let shown = |amount: Option<i64>| money::display(amount.unwrap_or_default(), quote.text("currency"));
    let customer = st.copy_if_any(quote.text("customer"));
    let billed_to = [customer.text("name"), customer.text("email")].into_iter().find(|text| !text.is_empty());
    let facts = [
        ("For", billed_to.unwrap_or_default().to_owned()),
        ("Status", quote.text("status").to_owned()),
        ("Valid until", quote.int_at("expires_at").map(date_text).unwrap_or_default()),
        ("Header", quote.text("header").to_owned()),
        ("Description", quote.text("description").to_owned()),
        ("Footer", quote.text("footer").to_owned()),
    ];
    let line = |line: &Value| {
        let every =
            line["price"]["recurring"]["interval"].as_str().map_or(String::new(), |every| format!(" / {every}"));
        let words = format!("{} × {}", line["quantity"], line["description"].as_str().unwrap_or_default());
        (words, String::new(), format!("{}{every}", shown(line["amount_total"].as_i64())))
    };
    pdf::file(&pdf::Sheet {
        business: &st.settings.business_name,
        title: &format!("Quote {}", quote.text("number")),
        facts: facts.into_iter().filter(|(_, text)| !text.is_empty()).collect(),
        lines: quote.as_quote().lines.iter().map(line).collect(),
        sums: vec![("Due upfront", shown(quote.int_at("computed.upfront.amount_total")))],
    })
}

fn in_status(st: &State, id: &str, allowed: &[&str]) -> Result<Object, ApiError> {
    let quote = st.load("quote", id, "id")?;
    if allowed.contains(&quote.text("status")) {
        return Ok(Object::clone(&quote));
    }
    let message =
        format!("This quote's status is `{}`, but it must be one of {}.", quote.text("status"), allowed.join(", "));
    Err(ApiError::coded("quote_status_invalid", message))
}

/// Sets a quote's status and the time `status_transitions.{at}_at`, and emits `quote.{at}`.
fn set_status(st: &mut State, id: &str, status: &str, at: &str) -> Object {
    let now = st.now(&st.copy(id));
    let after = st.change(id, |q| {
        q.set("status", status);
        q.set_at(&format!("status_transitions.{at}_at"), now);
    });
    st.emit(&format!("quote.{at}"), &after);
    Object::clone(&after)
}

/// Finalizes a draft quote: the customer can accept it.
///
/// # Errors
/// The quote is unknown or not a draft, it has no line items or no customer, or `expires_at` is in the past.
pub fn finalize(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let draft = in_status(st, id, &["draft"])?;
    check_expiry(st, &draft, args)?;
    if draft.as_quote().lines.is_empty() || draft.get("customer").is_null() {
        let message = "A quote needs line items and a customer before it can be finalized.";
        return Err(ApiError::invalid(message));
    }
    let number = st.newest("quote", None).filter(|q| !q.get("number").is_null()).count() + 1;
    st.change(id, |q| {
        q.set("number", format!("QT-{number:04}-1"));
        if let Some(expires) = args.int("expires_at") {
            q.set("expires_at", expires);
        }
    });
    Ok(set_status(st, id, "open", "finalized").value())
}

/// Cancels a quote.
///
/// # Errors
/// The quote is unknown, accepted or canceled.
pub fn cancel(st: &mut State, id: &str) -> Result<Value, ApiError> {
    in_status(st, id, &["draft", "open"])?;
    Ok(set_status(st, id, "canceled", "canceled").value())
}

/// Cancels a quote at its `expires_at`.
pub fn expire(st: &mut State, id: &str) {
    set_status(st, id, "canceled", "canceled");
}

/// Creates the schedule that begins a quote's subscription at its `effective_date`.
fn schedule_for(st: &mut State, quote: &Object, begins: i64, items: Vec<Value>) -> Result<String, ApiError> {
    let data = quote.get("subscription_data");
    let trial_end = data["trial_period_days"].as_i64().map(|days| begins + days * DAY_S);
    let args = json!({
        "customer": quote.get("customer"),
        "start_date": begins,
        "metadata": data["metadata"],
        "phases": [{ "items": items, "description": data["description"], "trial_end": trial_end }],
    });
    let made = Object::of(schedule::create(st, &Args::of(args))?);
    Ok(made.id().to_owned())
}

/// Accepts a quote: recurring lines become a subscription, or a schedule for it if the quote has a later `effective_date`; otherwise all
/// lines become a draft invoice.
///
/// # Errors
/// The quote is unknown or not open, or its subscription or invoice can't be created.
pub fn accept(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let quote = in_status(st, id, &["open"])?;
    let (recurring, once): (Vec<Value>, Vec<Value>) =
        quote.as_quote().lines.iter().cloned().partition(|l| l["price"]["type"] == "recurring");
    let entries = |lines: &[Value]| -> Vec<Value> {
        lines.iter().map(|l| json!({ "price": l["price"]["id"], "quantity": l["quantity"] })).collect()
    };
    let begins = quote.int_at("subscription_data.effective_date").filter(|at| *at > st.now(&quote));
    let (member, made) = if recurring.is_empty() {
        ("invoice", bill(st, &quote, &once)?)
    } else if let Some(begins) = begins {
        if !once.is_empty() || quote.text("collection_method") == "send_invoice" {
            let message = "The local Stripe schedules quotes without one-time prices only, and only those that charge automatically.";
            return Err(ApiError::invalid(message).about("subscription_data[effective_date]"));
        }
        ("subscription_schedule", schedule_for(st, &quote, begins, entries(&recurring))?)
    } else {
        let data = quote.get("subscription_data");
        let args = json!({
            "customer": quote.get("customer"),
            "items": entries(&recurring),
            "add_invoice_items": entries(&once),
            "collection_method": quote.get("collection_method"),
            "days_until_due": quote.at("invoice_settings.days_until_due"),
            "description": data["description"],
            "invoice_settings": quote.get("invoice_settings"),
            "metadata": data["metadata"],
            "trial_period_days": data["trial_period_days"],
        });
        ("subscription", create::create(st, &Args::of(args), Presence::OnSession)?.id().to_owned())
    };
    st.change(id, |q| q.set(member, made));
    Ok(set_status(st, id, "accepted", "accepted").value())
}

fn bill(st: &mut State, quote: &Object, lines: &[Value]) -> Result<String, ApiError> {
    let now = st.now(quote);
    let mut out = Vec::new();
    for line in lines {
        let quantity = line["quantity"].as_i64().unwrap_or(1);
        out.push(NewLine {
            amount: line["amount_total"].as_i64().unwrap_or_default(),
            currency: quote.text("currency").to_owned(),
            description: line["description"].as_str().unwrap_or_default().to_owned(),
            period: (now, now),
            price: line["price"].clone(),
            quantity,
            parent: Value::Null,
            metadata: json!({}),
            tax_rates: json!([]),
            discounts: Vec::new(),
        });
    }
    let draft = Draft {
        customer: quote.text("customer"),
        currency: quote.text("currency"),
        reason: "manual",
        subscription: None,
        lines: out,
        takes_pending: false,
        period: None,
    };
    let id = invoice::draft(st, draft, |i| {
        let details = json!({ "quote": quote.id() });
        i.set("parent", json!({ "quote_details": details, "subscription_details": null, "type": "quote_details" }));
        i.set("auto_advance", false);
        i.set("collection_method", quote.get("collection_method").clone());
        invoice_settings::set(i, quote.get("invoice_settings"));
        i.as_invoice_mut().days_until_due = quote.int_at("invoice_settings.days_until_due");
    })?;
    Ok(id)
}
