//! Credit notes. A credit note on an open invoice reduces the amount due. A credit note on a paid invoice refunds the
//! card or credits the customer's balance.

use serde_json::{Value, json};

use crate::billing::settlement::{balance, settle};
use crate::billing::tax;
use crate::connect::division::TakesBack;
use crate::discount::amount;
use crate::error::ApiError;
use crate::model::{self, billing_credit};
use crate::money;
use crate::object::Object;
use crate::params::Args;
use crate::payments::{intent, refund};
use crate::state::State;

/// Issues the credit note of a request.
///
/// # Errors
/// The invoice is unknown or not creditable, or the amounts are invalid or too large.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let invoice = st.load("invoice", args.text("invoice").unwrap_or_default(), "invoice")?;
    settle::check_not_processing(st, &invoice)?;
    let (is_paid, left) = match invoice.text("status") {
        "open" | "uncollectible" => (false, invoice.int("amount_remaining")),
        "paid" => (true, invoice.int("amount_paid") - invoice.int("post_payment_credit_notes_amount")),
        status => {
            let message =
                format!("Credit notes can only be made for open or paid invoices, not for one that is {status}.");
            return Err(ApiError::invalid(message).about("invoice"));
        }
    };
    let lines = read_lines(st, &invoice, args)?;
    let add = |sum: i64, line: &Value| {
        sum.checked_add(line["amount"].as_i64().unwrap_or_default())?.checked_add(tax::added(line))
    };
    let too_large = || ApiError::coded("amount_too_large", "The credit note's total is too large.");
    let total = lines.iter().try_fold(0_i64, add).ok_or_else(too_large)?;
    if total < 1 || args.int("amount").is_some_and(|amount| amount != total) {
        let message = "The credit note's amount must be positive and the sum of its lines with their taxes.";
        return Err(ApiError::invalid(message).about("amount"));
    }
    if total > left {
        let message = format!("The credit note's amount of {total} is more than the {left} that can be credited.");
        return Err(ApiError::coded("amount_too_large", message).about("amount"));
    }
    let id = st.new_id("cn");
    let before = st.newest("credit_note", None).filter(|n| n.text("invoice") == invoice.id()).count();
    let number = format!("{}-CN-{:02}", invoice.text("number"), before + 1);
    let pdf = format!("{}/_sandbox/invoices/{}/pdf", st.settings.base_url, invoice.id());
    let mut note = model::credit_note::credit_note(id.clone(), st.now(&invoice), &invoice, number, lines, pdf);
    for member in ["memo", "reason"] {
        note.set(member, args.value(member));
    }
    if let Some(effective) = args.int("effective_at") {
        note.set("effective_at", effective);
    }
    note.set("metadata", crate::params::merge_metadata(&json!({}), args)?);
    if is_paid {
        refund_or_credit(st, &invoice, &mut note, args, total)?;
    }
    let note = st.put(note);
    st.emit("credit_note.created", &note);
    if is_paid {
        st.change_and_emit(invoice.id(), "invoice.updated", |i| {
            i.set("post_payment_credit_notes_amount", i.int("post_payment_credit_notes_amount") + total);
        });
    } else {
        change_amount_due(st, invoice.id(), -total);
    }
    Ok(st.find(&id)?.value())
}

fn read_lines(st: &mut State, invoice: &Object, args: &Args) -> Result<Vec<Value>, ApiError> {
    let given = args.list("lines");
    if given.is_empty() {
        let amount = args.int("amount").ok_or_else(|| ApiError::missing("amount"))?;
        let id = st.new_id("cnli");
        return Ok(vec![model::credit_note::line(id, amount, 1, json!("Credit"), None)]);
    }
    let mut lines = Vec::new();
    for (n, line) in given.into_iter().map(Args::of).enumerate() {
        let param = |name: &str| format!("lines[{n}][{name}]");
        let quantity = line.int("quantity").unwrap_or(1);
        let id = st.new_id("cnli");
        let made = if line.text("type") == Some("invoice_line_item") {
            let wanted =
                line.text("invoice_line_item").ok_or_else(|| ApiError::missing(&param("invoice_line_item")))?;
            let credited = invoice.list_at("lines").iter().find(|l| l["id"] == wanted);
            let credited =
                credited.ok_or_else(|| ApiError::no_such("invoice line item", wanted, &param("invoice_line_item")))?;
            let amount = line.int("amount").unwrap_or_else(|| net_of(credited, line.int("quantity")));
            let mut made =
                model::credit_note::line(id, amount, quantity, credited["description"].clone(), Some(wanted));
            made["taxes"] = taxes_of(credited, amount);
            made["tax_rates"] = credited["tax_rates"].clone();
            made
        } else {
            let each = line.int("unit_amount").ok_or_else(|| ApiError::missing(&param("unit_amount")))?;
            let amount = each.checked_mul(quantity).ok_or_else(|| ApiError::invalid("The amount is too large."))?;
            model::credit_note::line(id, amount, quantity, line.value("description"), None)
        };
        lines.push(made);
    }
    Ok(lines)
}

/// Returns the price, after discounts and billing credits, of this quantity of a line, or of the whole line for `None`.
fn net_of(line: &Value, quantity: Option<i64>) -> i64 {
    let off = amount::on_line(line) + billing_credit::on_line(line);
    let whole = line["amount"].as_i64().unwrap_or_default() - off;
    let units = line["quantity"].as_i64().filter(|units| *units > 0).unwrap_or(1);
    // A part of a line never costs more than the whole line.
    quantity.map_or(whole, |part| money::prorate(whole, part.clamp(0, units), units).unwrap_or(whole))
}

/// Returns the taxes on an amount (after discounts) of an invoice line: its share of the line's taxes.
fn taxes_of(line: &Value, amount: i64) -> Value {
    let whole = net_of(line, None);
    let share = |of: &Value| money::prorate(of.as_i64().unwrap_or_default(), amount, whole).unwrap_or_default();
    let taxes = line["taxes"].as_array().map(Vec::as_slice).unwrap_or_default().iter().cloned();
    let credited = taxes.map(|mut tax| {
        for member in ["amount", "taxable_amount"] {
            tax[member] = json!(share(&tax[member]));
        }
        tax
    });
    credited.collect()
}

/// Divides the amount of a credit note: refunds the card, credits the customer's balance, and records refunds outside
/// of Stripe.
fn refund_or_credit(
    st: &mut State,
    invoice: &Object,
    note: &mut Object,
    args: &Args,
    total: i64,
) -> Result<(), ApiError> {
    let part = |name: &str| args.int(name).unwrap_or_default();
    let (credited, refunded, elsewhere) = (part("credit_amount"), part("refund_amount"), part("out_of_band_amount"));
    if credited + refunded + elsewhere != total {
        let message = format!(
            "The sum of credit_amount, refund_amount and out_of_band_amount must be the credit note's amount, {total}."
        );
        return Err(ApiError::invalid(message));
    }
    if elsewhere > 0 {
        note.set("out_of_band_amount", elsewhere);
    }
    if refunded > 0 {
        let charge = st.load("charge", &invoice.as_invoice().charge, "refund_amount")?;
        let made = refund::create(st, &charge, Some(refunded), Value::Null, json!({}), TakesBack::default())?;
        note.set("refunds", json!([{ "amount_refunded": refunded, "payment_record_refund": null, "refund": made.id(), "type": "refund" }]));
    }
    if credited > 0 {
        let customer = invoice.text("customer");
        let movement = balance::move_balance(st, customer, -credited, "credit_note", Some(invoice.id()));
        let id = note.id().to_owned();
        st.change(movement.id(), |m| m.set("credit_note", id));
        note.set("customer_balance_transaction", movement.id());
    }
    Ok(())
}

/// Adds `more` to the amount due of an open invoice. If nothing is due after that, the invoice is paid.
fn change_amount_due(st: &mut State, id: &str, more: i64) {
    let open = st.change_and_emit(id, "invoice.updated", |i| {
        for member in ["amount_due", "amount_remaining"] {
            i.set(member, i.int(member) + more);
        }
        i.set("pre_payment_credit_notes_amount", i.int("pre_payment_credit_notes_amount") - more);
    });
    let pi = open.as_invoice().payment_intent.clone();
    let left = open.int("amount_remaining");
    if left > 0 {
        st.change(&pi, |pi| pi.set("amount", left));
        if let Some(payment) = settle::payment_of(st, id) {
            st.change(&payment, |p| p.set("amount_requested", left));
        }
        return;
    }
    intent::cancel_if_open(st, &pi);
    if let Some(payment) = settle::payment_of(st, id) {
        st.change(&payment, |p| p.set("status", "canceled"));
    }
    // No money was paid, so the invoice loses its payment intent and no `invoice_payment.paid` follows.
    st.change(id, |i| i.as_invoice_mut().payment_intent.clear());
    settle::paid(st, id);
}

/// Voids a credit note while its invoice is open.
///
/// # Errors
/// The credit note is unknown or not issued, or its invoice is not open.
pub fn void(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let note = st.load("credit_note", id, "id")?;
    let invoice = st.copy_if_any(note.text("invoice"));
    if note.text("status") != "issued" || !matches!(invoice.text("status"), "open" | "uncollectible") {
        let message = "Only an issued credit note of an open invoice can be voided.";
        return Err(ApiError::invalid(message));
    }
    let now = st.now(&note);
    let voided = st.change(id, |n| {
        n.set("status", "void");
        n.set("voided_at", now);
    });
    st.emit("credit_note.voided", &voided);
    change_amount_due(st, invoice.id(), note.int("amount"));
    Ok(voided.value())
}
