//! The endpoints that change the lines of a draft invoice, and the one that attaches a payment to an open invoice.

use serde_json::{Value, json};

use crate::api::catalog::PRODUCT_OF_SALE;
use crate::api::invoices::{PERIOD, PRICING, change_item, check_fits, new_item, own_discounts, pending_item};
use crate::api::{Route, route};
use crate::billing::invoicing::invoice::{self, LINES_MAX};
use crate::billing::settlement::attached;
use crate::billing::tax;
use crate::discount::redeem::DISCOUNTS;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{AMOUNT, Args, Field, ParamKind, QUANTITY, SIGNED_AMOUNT, merge_metadata, opt, req};
use crate::pricing::TAX_BEHAVIOR;
use crate::state::State;

/// The parameter `price_data` of a line. Unlike that of a subscription item, it may describe a new product and is not
/// recurring.
const PRICE_DATA: ParamKind = ParamKind::Map(&[
    req("currency", ParamKind::Currency),
    opt("product", ParamKind::Text),
    opt("product_data", PRODUCT_OF_SALE),
    opt("tax_behavior", TAX_BEHAVIOR),
    opt("unit_amount", AMOUNT),
    opt("unit_amount_decimal", ParamKind::Decimal),
]);

macro_rules! line_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("amount", SIGNED_AMOUNT),
            opt("description", ParamKind::Text),
            opt("discountable", ParamKind::Bool),
            opt("discounts", DISCOUNTS),
            opt("metadata", ParamKind::Metadata),
            opt("period", PERIOD),
            opt("price_data", PRICE_DATA),
            opt("pricing", PRICING),
            opt("quantity", QUANTITY),
            opt("tax_rates", tax::RATES),
            $($more),*
        ]
    };
}

const ADDED: &[Field] = line_fields![opt("invoice_item", ParamKind::Text)];
const CHANGED: &[Field] = line_fields![req("id", ParamKind::Text)];
const CHANGED_ALONE: &[Field] = line_fields![];
const REMOVED: &[Field] = &[req("behavior", ParamKind::OneOf(&["delete", "unassign"])), req("id", ParamKind::Text)];
const INVOICE_METADATA: Field = opt("invoice_metadata", ParamKind::Metadata);
/// The parameters that determine a line's amount. They can be changed only for the line of an invoice item.
const OF_AMOUNT: [&str; 4] = ["amount", "price_data", "pricing", "quantity"];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route(
        "POST",
        "/v1/invoices/{}/add_lines",
        &[INVOICE_METADATA, req("lines", ParamKind::List(&ParamKind::Map(ADDED)))],
        add,
    ),
    route(
        "POST",
        "/v1/invoices/{}/update_lines",
        &[INVOICE_METADATA, req("lines", ParamKind::List(&ParamKind::Map(CHANGED)))],
        update,
    ),
    route(
        "POST",
        "/v1/invoices/{}/remove_lines",
        &[INVOICE_METADATA, req("lines", ParamKind::List(&ParamKind::Map(REMOVED)))],
        remove,
    ),
    route("POST", "/v1/invoices/{}/lines/{}", CHANGED_ALONE, update_one),
    route("POST", "/v1/invoices/{}/attach_payment", &[opt("payment_intent", ParamKind::Text)], |st, ids, args| {
        let intent = args.text("payment_intent").ok_or_else(|| ApiError::missing("payment_intent"))?;
        attached::attach(st, ids[0], intent)
    }),
];

fn draft(st: &State, id: &str) -> Result<Object, ApiError> {
    let invoice = st.load("invoice", id, "id")?;
    if invoice.text("status") == "draft" {
        return Ok(Object::clone(&invoice));
    }
    let message = "The lines of an invoice can only be changed while it is a draft.";
    Err(ApiError::coded("invoice_not_editable", message))
}

/// Gives a draft its new lines, and the metadata of the request.
fn finish(st: &mut State, mut draft: Object, lines: Vec<Value>, args: &Args) -> Result<Value, ApiError> {
    if args.has("invoice_metadata") {
        let given = Args::of(json!({ "metadata": args.value("invoice_metadata") }));
        draft.set("metadata", merge_metadata(draft.get("metadata"), &given)?);
    }
    let customer = st.copy_if_any(draft.text("customer"));
    invoice::set_lines(st, &mut draft, lines, &customer)?;
    let id = draft.id().to_owned();
    Ok(st.change_and_emit(&id, "invoice.updated", |i| *i = draft).value())
}

fn add(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let draft = draft(st, ids[0])?;
    let customer = st.copy_if_any(draft.text("customer"));
    let given = args.list("lines");
    let mut lines = draft.list_at("lines").to_vec();
    if lines.len() + given.len() > LINES_MAX {
        return Err(ApiError::invalid(format!("An invoice can have at most {LINES_MAX} lines.")).about("lines"));
    }
    for (n, entry) in given.into_iter().map(Args::of).enumerate() {
        let item = match entry.text("invoice_item").map(str::to_owned) {
            Some(id) => {
                let param = format!("lines[{n}][invoice_item]");
                let item = pending_item(st, &id, &param)?;
                check_fits(&item, &draft, &param)?;
                let item = change_item(st, &item, &entry)?;
                let id = draft.id();
                st.change(item.id(), |i| i.set("invoice", id))
            }
            None => {
                let mut entry = entry;
                entry.put("currency", draft.get("currency").clone());
                new_item(st, &entry, &customer, Some(&draft))?
            }
        };
        check_fits(&item, &draft, &format!("lines[{n}]"))?;
        lines.push(invoice::item_line(st, draft.id(), &item));
    }
    finish(st, draft, lines, args)
}

fn update(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let draft = draft(st, ids[0])?;
    let mut lines = draft.list_at("lines").to_vec();
    for (n, entry) in args.list("lines").into_iter().map(Args::of).enumerate() {
        let at = place(&lines, entry.text("id").unwrap_or_default(), &format!("lines[{n}][id]"))?;
        lines[at] = changed(st, &draft, &lines[at], &entry, &format!("lines[{n}]"))?;
    }
    finish(st, draft, lines, args)
}

fn update_one(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let draft = draft(st, ids[0])?;
    let mut lines = draft.list_at("lines").to_vec();
    let at = place(&lines, ids[1], "id")?;
    lines[at] = changed(st, &draft, &lines[at], args, "")?;
    finish(st, draft, lines, &Args::default())?;
    Ok(st.find(ids[0])?.list_at("lines").get(at).cloned().unwrap_or_default())
}

fn remove(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let draft = draft(st, ids[0])?;
    let mut lines = draft.list_at("lines").to_vec();
    for (n, entry) in args.list("lines").into_iter().map(Args::of).enumerate() {
        let param = format!("lines[{n}][id]");
        let at = place(&lines, entry.text("id").unwrap_or_default(), &param)?;
        let Some(item) = item_of(st, &lines[at]) else {
            let message = "Only the line of an invoice item can be removed from an invoice.";
            return Err(ApiError::coded("invoice_not_editable", message).about(&param));
        };
        if entry.text("behavior") == Some("unassign") {
            st.change(item.id(), |i| i.set("invoice", Value::Null));
        } else {
            st.emit("invoiceitem.deleted", &item);
            st.remove(item.id());
        }
        lines.remove(at);
    }
    finish(st, draft, lines, args)
}

/// Returns the index of a line by its id.
fn place(lines: &[Value], id: &str, param: &str) -> Result<usize, ApiError> {
    lines.iter().position(|line| line["id"] == id).ok_or_else(|| ApiError::no_such("invoice line item", id, param))
}

/// Returns the invoice item of a line, if it has one.
fn item_of(st: &State, line: &Value) -> Option<Object> {
    let id = line["parent"]["invoice_item_details"]["invoice_item"].as_str()?;
    Some(st.copy_if_any(id)).filter(|item| item.kind() == "invoiceitem")
}

/// Returns a line with the changes of a request. As at Stripe, they are also made to the line's invoice item.
fn changed(st: &mut State, draft: &Object, line: &Value, args: &Args, param: &str) -> Result<Value, ApiError> {
    if let Some(item) = item_of(st, line) {
        let item = change_item(st, &item, args)?;
        check_fits(&item, draft, param)?;
        let mut next = invoice::item_line(st, draft.id(), &item);
        next["id"] = line["id"].clone();
        return Ok(next);
    }
    if let Some(name) = OF_AMOUNT.iter().find(|name| args.has(name)) {
        let message = "The amount of this line is decided by its subscription item.";
        let param = if param.is_empty() { (*name).to_owned() } else { format!("{param}[{name}]") };
        return Err(ApiError::coded("invoice_not_editable", message).about(&param));
    }
    let mut next = line.clone();
    for member in ["description", "discountable", "period"] {
        if args.has(member) {
            next[member] = args.value(member);
        }
    }
    if args.has("tax_rates") {
        next["tax_rates"] = tax::read(st, args, "tax_rates", "tax_rates")?;
    }
    let (customer, amount) = (st.copy_if_any(draft.text("customer")), line["amount"].as_i64().unwrap_or_default());
    if let Some(discounts) = own_discounts(st, args, &customer, amount, draft.text("currency"))? {
        next["discounts"] = discounts.iter().map(|discount| discount["id"].clone()).collect();
    }
    next["metadata"] = merge_metadata(&line["metadata"], args)?;
    Ok(next)
}
