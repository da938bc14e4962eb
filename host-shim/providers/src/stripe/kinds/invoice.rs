//! Creates the invoice of a month's usage: creates a draft, adds the lines and finalizes the invoice. Continues after
//! the steps that an earlier attempt has completed.

use super::lines::{Line, UsageCharges, lines};
use super::payment::{default_method, other_method};
use super::{currency, member};
use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::Marks;
use crate::stripe::payload::Payload;
use crate::stripe::recovery;
use host_provider_api::Call;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use stripe_billing::InvoiceCollectionMethod;
use stripe_billing::invoice::{
    CreateInvoice, CreateInvoiceAutomaticTax, CreateInvoicePendingInvoiceItemsBehavior, FinalizeInvoiceInvoice,
};
use stripe_billing::invoice_item::{CreateInvoiceItem, CreateInvoiceItemTaxBehavior, Period};
use stripe_client_core::StripeRequest;

/// Metadata name of a line's number. Numbers begin at 0.
const LINE: &str = "provisioner_line";
/// Maximum pages of lines that are read. Our lines fit on one page.
const PAGES_MAX: usize = 3;

/// `stripe.invoice.create`: takes `customer`, `month`, `currency`, `lines`, `total_minor`, `period_start`,
/// `period_end`, `cost_micros`, `credits_micros`, `carried_micros`, `tax_behavior` (with it, Stripe computes taxes); returns
/// `id`. The draft is created without automatic advancement, so Stripe does not finalize it before all lines are added. A customer without
/// a default payment method pays with that of a subscription, or with the newest card: Stripe would not even try them.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let (customer, month) = (payload.id("customer")?, payload.text("month")?);
    let total_minor = payload.amount("total_minor")?;
    let charges = UsageCharges {
        lines: payload.list("lines")?,
        cost_micros: payload.maybe_int("cost_micros")?,
        credits_micros: payload.maybe_int("credits_micros")?.unwrap_or(0),
        carried_micros: payload.maybe_int("carried_micros")?.unwrap_or(0),
    };
    // Stripe computes no tax of an invoice with negative lines.
    let charges = match payload.includes_taxes()?.is_some() && charges.credits_micros != 0 {
        true => UsageCharges { lines: &[], cost_micros: None, credits_micros: 0, carried_micros: 0 },
        false => charges,
    };
    let (lines, period) = (lines(&charges, month, total_minor)?, period(payload)?);
    let draft = draft(api, call, &marks, customer, month)?;
    let id = member(&draft, "id")?;
    if draft.get("status").and_then(Value::as_str) == Some("draft") {
        let existing = amounts_by_line(api, customer, id)?;
        for (number, line) in lines.iter().enumerate() {
            if !existing.contains_key(&Some(number)) {
                add(api, payload, &marks, &NewLine { customer, invoice: id, period, number, line })?;
            }
        }
        let existing = amounts_by_line(api, customer, id)?;
        if existing.values().sum::<i64>() != total_minor {
            return Err(Failed::Inconsistent(format!("the lines of `{id}` don't add up to {total_minor}")));
        }
        api.post(FinalizeInvoiceInvoice::new(id).auto_advance(true).build(), &marks, "finalize")?;
    }
    Ok(json!({"id": id}))
}

/// Creates the draft, or finds the invoice that an earlier attempt created. Returns its current state.
fn draft(api: &Api<'_>, call: &Call, marks: &Marks, customer: &str, month: &str) -> Result<Value, Failed> {
    if recovery::may_be_done(call)
        && let Some(made) = recovery::in_list(api, marks, "/invoices", &[("customer", customer)])?
    {
        return Ok(made);
    }
    let payload = Payload::of(call);
    let mut metadata = payload.metadata()?;
    metadata.insert("month".to_owned(), month.to_owned());
    let request = CreateInvoice::new()
        .customer(customer)
        .currency(currency(payload.text("currency")?)?)
        .description(format!("Use in {month}"))
        .auto_advance(false)
        // Pending invoice items belong to the next invoice of a subscription.
        .pending_invoice_items_behavior(CreateInvoicePendingInvoiceItemsBehavior::Exclude)
        .metadata(marks.on(metadata));
    let request = match payload.includes_taxes()? {
        Some(_) => request.automatic_tax(CreateInvoiceAutomaticTax::new(true)),
        None => request,
    };
    let request = match api.config.invoice_days_until_due {
        Some(days) => request.collection_method(InvoiceCollectionMethod::SendInvoice).days_until_due(days),
        None => request.collection_method(InvoiceCollectionMethod::ChargeAutomatically),
    };
    let other = match api.config.invoice_days_until_due {
        None if default_method(api, customer)?.is_none() => other_method(api, customer)?,
        _ => None,
    };
    let request = match other {
        Some(method) => request.default_payment_method(method),
        None => request,
    };
    let made = api.post(request.build(), marks, "invoice")?;
    // The response to a repeated idempotency key has the invoice's state at its creation, so the invoice is fetched.
    Ok(api.get(format!("/invoices/{}", member(&made, "id")?), &[])?.object)
}

/// Returns the sums of the amounts on an invoice by line number. Lines without a number are not ours.
fn amounts_by_line(api: &Api<'_>, customer: &str, invoice: &str) -> Result<BTreeMap<Option<usize>, i64>, Failed> {
    let mut out = BTreeMap::new();
    let filter = [("customer", customer), ("invoice", invoice)];
    recovery::pages(api, "/invoiceitems", &filter, PAGES_MAX, &mut |item| {
        let number = item.pointer(&format!("/metadata/{LINE}")).and_then(Value::as_str);
        let amount = item.get("amount").and_then(Value::as_i64).unwrap_or(0);
        *out.entry(number.and_then(|number| number.parse().ok())).or_insert(0) += amount;
        Ok(true)
    })?;
    Ok(out)
}

/// A line to add to an invoice.
struct NewLine<'l> {
    customer: &'l str,
    invoice: &'l str,
    period: Option<Period>,
    number: usize,
    line: &'l Line,
}

fn add(api: &Api<'_>, payload: Payload<'_>, marks: &Marks, new: &NewLine<'_>) -> Result<(), Failed> {
    let mut metadata = marks.on(std::collections::HashMap::new());
    metadata.insert(LINE.to_owned(), new.number.to_string());
    let mut request = CreateInvoiceItem::new()
        .customer(new.customer)
        .invoice(new.invoice)
        .currency(currency(payload.text("currency")?)?)
        .amount(new.line.amount_minor)
        .description(new.line.description.as_str())
        .discountable(false)
        .metadata(metadata);
    if let Some(period) = new.period {
        request = request.period(period);
    }
    if let Some(includes_taxes) = payload.includes_taxes()? {
        request = request.tax_behavior(match includes_taxes {
            true => CreateInvoiceItemTaxBehavior::Inclusive,
            false => CreateInvoiceItemTaxBehavior::Exclusive,
        });
    }
    api.post(request.build(), marks, &format!("line-{}", new.number)).map(drop)
}

/// Returns the period of the usage in seconds since the epoch, if the payload has `period_start` and `period_end`.
fn period(payload: Payload<'_>) -> Result<Option<Period>, Failed> {
    let second = |member: &'static str| match payload.maybe_text(member)? {
        None => Ok(None),
        Some(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(Some(time.as_second())),
            Err(_) => Err(Failed::Payload { member, expected: "a time as in RFC 3339" }),
        },
    };
    Ok(second("period_start")?.zip(second("period_end")?).map(|(start, end)| Period { start, end }))
}
