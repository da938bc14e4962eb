//! Creates and finalizes invoices: the lines, totals, balance, number and payment intent.

use serde_json::{Value, json};

use crate::api::method_options;
use crate::billing::invoicing::invoice_settings;
use crate::billing::settlement::outcome::AttemptCause;
use crate::billing::settlement::{balance, credits, settle};
use crate::billing::tax as taxes_of;
use crate::calendar::HOUR_S;
use crate::connect::division;
use crate::descriptor;
use crate::discount::amount::{self, Deduction, Discountable, Line};
use crate::discount::{item, term};
use crate::error::ApiError;
use crate::model;
use crate::model::billing::{NewLine, item_parent, subscription_of};
use crate::money;
use crate::object::{Object, key, list};
use crate::payments::intent;
use crate::state::State;
use crate::tax::automatic::{self, Buyer};
use crate::tax::{self, Place};
use crate::tax_ids;

/// The maximum number of lines of an invoice, Stripe's limit.
pub const LINES_MAX: usize = 250;

/// The properties of a new draft invoice.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The customer's id.
    pub customer: &'a str,
    /// The currency's lower-case code.
    pub currency: &'a str,
    /// `billing_reason`.
    pub reason: &'a str,
    /// The invoiced subscription, if any.
    pub subscription: Option<&'a Object>,
    /// The lines, without the lines of pending invoice items.
    pub lines: Vec<NewLine>,
    /// Whether the invoice includes pending invoice items.
    pub takes_pending: bool,
    /// `period_start` and `period_end`, in Unix seconds: the time in which the invoice items were added.
    pub period: Option<(i64, i64)>,
}

/// Creates a draft invoice, emits `invoice.created`, and returns the invoice's id.
///
/// # Errors
/// There are too many lines, or the total is too large.
pub fn draft(st: &mut State, draft: Draft<'_>, edit: impl FnOnce(&mut Object)) -> Result<String, ApiError> {
    let customer = st.copy_if_any(draft.customer);
    let id = st.new_id("in");
    let now = st.now(&customer);
    let mut invoice = model::billing::invoice(id.clone(), now, &customer, draft.currency, draft.reason);
    invoice.set("account_name", st.settings.business_name.clone());
    invoice.set("customer_tax_ids", tax_ids::shown(st, draft.customer));
    invoice_settings::hand_on(&mut invoice, &customer, draft.subscription);
    if let Some(sub) = draft.subscription {
        let details = json!({ "subscription": sub.id(), "metadata": sub.get("metadata") });
        invoice.set(
            "parent",
            json!({ "quote_details": null, "subscription_details": details, "type": "subscription_details" }),
        );
        invoice.set("collection_method", sub.get("collection_method").clone());
        invoice.as_invoice_mut().days_until_due = sub.int_at("days_until_due");
        invoice.set("default_payment_method", Value::Null);
        invoice.set("default_tax_rates", sub.get("default_tax_rates").clone());
        inherit_automatic_tax(&mut invoice, sub);
        invoice.set("automatically_finalizes_at", now + HOUR_S);
        division::inherit(&mut invoice, sub);
    }
    if let Some((start, end)) = draft.period {
        invoice.set("period_start", start);
        invoice.set("period_end", end);
    }
    invoice.as_invoice_mut().discounts = term::in_force(st, &customer, draft.subscription);
    edit(&mut invoice);
    let mut lines = Vec::new();
    let mut taken = Vec::new();
    if draft.takes_pending {
        // Pending items beyond the limit wait for the next invoice.
        let room = LINES_MAX.saturating_sub(draft.lines.len());
        taken = pending_items(st, draft.customer, draft.currency, draft.subscription);
        taken.truncate(room);
        for item in &taken {
            lines.push(item_line(st, &id, item));
        }
    }
    for line in draft.lines {
        let line_id = st.new_id("il");
        lines.push(model::billing::line(line_id, &id, line));
    }
    set_lines(st, &mut invoice, lines, &customer)?;
    let invoice = st.put(invoice);
    for item in taken {
        st.change(item.id(), |i| i.set("invoice", id.clone()));
    }
    if let Some(sub) = draft.subscription {
        let latest = id.clone();
        st.change(sub.id(), |s| s.set("latest_invoice", latest));
    }
    st.emit("invoice.created", &invoice);
    Ok(id)
}

/// Creates a pending invoice item for a subscription item and emits its event.
pub fn add_pending_item(st: &mut State, sub: &Object, item: &Value, new: NewLine, edit: impl FnOnce(&mut Object)) {
    let customer = st.copy_if_any(sub.text("customer"));
    let id = st.new_id("ii");
    let mut pending = model::billing::invoice_item(id, st.now(&customer), &customer, new);
    let details = json!({ "subscription": sub.id(), "subscription_item": item["id"] });
    pending.set("parent", json!({ "subscription_details": details, "type": "subscription_details" }));
    edit(&mut pending);
    let pending = st.put(pending);
    st.emit("invoiceitem.created", &pending);
}

/// Returns the customer's pending invoice items in a currency, oldest first: the items without a subscription, and the
/// items of the given subscription. Returns at most [`LINES_MAX`] items, the newest.
pub fn pending_items(st: &State, customer: &str, currency: &str, subscription: Option<&Object>) -> Vec<Object> {
    let fits = |item: &std::sync::Arc<Object>| {
        let of = item.text_at("parent.subscription_details.subscription");
        let right_owner = match (of, subscription) {
            (None, _) => true,
            (Some(of), Some(sub)) => of == sub.id(),
            (Some(_), None) => false,
        };
        item.get("invoice").is_null() && item.text("currency") == currency && right_owner
    };
    let mut found: Vec<Object> =
        st.newest("invoiceitem", Some(customer)).filter(fits).take(LINES_MAX).map(|i| Object::clone(&i)).collect();
    found.reverse();
    found
}

/// Creates the invoice line of an invoice item.
pub fn item_line(st: &mut State, invoice: &str, item: &Object) -> Value {
    let id = st.new_id("il");
    let subscription = item.at("parent.subscription_details.subscription");
    let period =
        (item.at("period.start").as_i64().unwrap_or_default(), item.at("period.end").as_i64().unwrap_or_default());
    let new = NewLine {
        amount: item.int("amount"),
        currency: item.text("currency").to_owned(),
        description: item.text("description").to_owned(),
        period,
        price: item.get("price").clone(),
        quantity: item.int("quantity"),
        parent: item_parent(item.id(), item.is("proration"), &item.as_invoice_item().credited, subscription),
        metadata: item.get("metadata").clone(),
        tax_rates: item.get("tax_rates").clone(),
        discounts: item::of(st, &item.value()),
    };
    let mut line = model::billing::line(id, invoice, new);
    line["discountable"] = item.get("discountable").clone();
    line["pricing"] = item.get("pricing").clone();
    line
}

/// Sets the lines of a draft and computes its totals.
///
/// # Errors
/// There are too many lines, or the total is too large.
pub fn set_lines(
    st: &mut State,
    invoice: &mut Object,
    mut lines: Vec<Value>,
    customer: &Object,
) -> Result<(), ApiError> {
    if lines.len() > LINES_MAX {
        return Err(ApiError::invalid(format!("An invoice can have at most {LINES_MAX} lines.")));
    }
    let too_large = || ApiError::coded("amount_too_large", "The invoice's total is too large.");
    let add = |sum: i64, line: &Value| sum.checked_add(line["amount"].as_i64().unwrap_or_default());
    let subtotal = lines.iter().try_fold(0, add).ok_or_else(too_large)?;
    let url = format!("/v1/invoices/{}/lines", invoice.id());
    let buyer = Place::of_customer(customer).map(|place| Buyer::new(place, invoice.list_at("customer_tax_ids")));
    // The lines of a paid session keep the rates at which it was paid.
    if !invoice.as_invoice().keeps_rates {
        automatic::set_rates(st, invoice, &mut lines, buyer.as_ref())?;
    }
    let (mut lines, off) = discounted(st, invoice, lines);
    let credited = credits::show(invoice, &mut lines);
    let taxes = taxes_of::apply(invoice, &mut lines)?;
    // As at Stripe, the subtotal is after the discounts of the lines but before those of the whole invoice.
    let subtotal = subtotal - off.of_lines;
    let total = (subtotal - off.of_invoice - credited).checked_add(taxes.exclusive).ok_or_else(too_large)?;
    invoice.set("lines", list(&url, lines));
    for (member, amount) in [
        ("subtotal", subtotal),
        ("subtotal_excluding_tax", subtotal - taxes.inclusive),
        ("total", total),
        ("total_excluding_tax", total - taxes.exclusive - taxes.inclusive),
    ] {
        invoice.set(member, amount);
    }
    let balance = if customer.text("currency") == invoice.text("currency") { customer.int("balance") } else { 0 };
    let due = total.checked_add(balance).ok_or_else(too_large)?.max(0);
    invoice.set("starting_balance", balance);
    invoice.set("amount_due", due);
    invoice.set("amount_remaining", due);
    Ok(())
}

/// The sums of the deductions from an invoice, in minor units.
struct Off {
    of_lines: i64,
    of_invoice: i64,
}

/// Applies the discounts of the lines, and then those of the whole invoice. Returns the lines with their discount
/// amounts, and the deductions.
fn discounted(st: &State, invoice: &mut Object, mut lines: Vec<Value>) -> (Vec<Value>, Off) {
    let discounts = invoice.as_invoice().discounts.clone();
    let looked_at: Vec<Line<'_>> = lines
        .iter()
        .map(|line| Line {
            amount: line["amount"].as_i64().unwrap_or_default(),
            product: line["price"]["product"].as_str().unwrap_or_default(),
            discountable: match (&line["discountable"], &line["parent"]["invoice_item_details"]["proration"]) {
                (Value::Bool(false), Value::Bool(true)) => Discountable::Once,
                (Value::Bool(false), _) => Discountable::Never,
                _ => Discountable::Always,
            },
        })
        .collect();
    let own: Vec<Vec<Value>> = lines.iter().map(|line| item::of(st, line)).collect();
    let (of_lines, of_all) = amount::take_in_order(&own, &discounts, &looked_at, invoice.text("currency"));
    let counted: Vec<&Deduction> = of_lines.iter().chain(&of_all).filter(|taken| taken.total() > 0).collect();
    let shown: Vec<Value> =
        counted.iter().map(|taken| json!({ "amount": taken.total(), "discount": taken.discount })).collect();
    let sum = |taken: &[Deduction]| taken.iter().map(Deduction::total).sum();
    let off = Off { of_lines: sum(&of_lines), of_invoice: sum(&of_all) };
    for (n, line) in lines.iter_mut().enumerate() {
        // The discount amounts of a line are those of its own discounts and of all discounts of the invoice.
        let of_line = of_lines.iter().filter(|taken| taken.by_line[n] > 0).chain(&of_all).collect::<Vec<_>>();
        line["discount_amounts"] = amount::shown(&of_line, n);
    }
    let ids: Vec<Value> = discounts.iter().map(|discount| discount["id"].clone()).collect();
    invoice.set("discounts", ids);
    invoice.set("total_discount_amounts", shown);
    (lines, off)
}

/// Finalizes a draft at the end of its hour, and tries to charge the customer unless the invoice is sent instead.
pub fn auto_finalize(st: &mut State, id: &str) {
    if finalize(st, id).is_err() {
        let failed = st.change(id, |i| {
            i.set("auto_advance", false);
            i.set("automatically_finalizes_at", Value::Null);
        });
        st.emit("invoice.finalization_failed", &failed);
    } else if st.find(id).is_ok_and(|opened| opened.text("collection_method") == "charge_automatically") {
        settle::attempt(st, id, AttemptCause::Schedule);
    }
}

/// Finalizes a draft: applies the balance, assigns the number, and sets the status to `open`, or to `paid` if nothing
/// is due.
///
/// # Errors
/// The invoice is unknown or not a draft, or the amount due is too large.
pub fn finalize(st: &mut State, id: &str) -> Result<(), ApiError> {
    let invoice = st.load("invoice", id, "id")?;
    if invoice.text("status") != "draft" {
        let message = "This invoice is already finalized, you can't re-finalize a non-draft invoice.";
        return Err(ApiError::coded("invoice_not_editable", message));
    }
    let customer = st.copy_if_any(invoice.text("customer"));
    let invoice = match invoice.at("automatic_tax.enabled") == true {
        true => taxed_anew(st, &invoice, &customer)?,
        false => invoice,
    };
    let invoice = match credits::apply(st, &invoice) {
        Some(lines) => {
            let mut credited = Object::clone(&invoice);
            set_lines(st, &mut credited, lines, &customer)?;
            st.put(credited)
        }
        None => invoice,
    };
    let (total, currency) = (invoice.int("total"), invoice.text("currency").to_owned());
    let shares_currency = customer.text("currency").is_empty() || customer.text("currency") == currency;
    let starting = if shares_currency { customer.int("balance") } else { 0 };
    let owed = total
        .checked_add(starting)
        .ok_or_else(|| ApiError::coded("amount_too_large", "The invoice's total is too large."))?;
    // Amounts below the minimum charge are carried over to the next invoice.
    let due = if owed < money::minimum_charge(&currency) { 0 } else { owed };
    money::check_maximum(due, &currency, "amount_due")?;
    let ending = owed - due;
    let now = st.now(&invoice);
    if customer.get("currency").is_null() {
        st.change_and_emit(customer.id(), "customer.updated", |c| c.set("currency", currency.clone()));
    }
    if shares_currency && ending != starting {
        balance::move_balance(st, customer.id(), ending - starting, "applied_to_invoice", Some(id));
    }
    let opened = open(st, id, due, (starting, ending));
    if due == 0 {
        settle::paid(st, id);
        return Ok(());
    }
    let clock = opened.clock().to_owned();
    let parent = opened.get("parent").clone();
    let products = opened.list_at("lines").iter().filter_map(|line| line["price"]["product"].as_str());
    let words = descriptor::of_invoice(
        opened.get("statement_descriptor"),
        products.map(|id| st.copy_if_any(&key("product", id))),
    );
    let pi = intent::create(st, due, &currency, &clock, |pi| {
        pi.set("customer", opened.get("customer").clone());
        pi.as_intent_mut().invoice = id.to_owned();
        pi.set("statement_descriptor", words);
        division::hand_on(pi, &opened);
        let types = opened.list_at("payment_settings.payment_method_types");
        if !types.is_empty() {
            pi.set("payment_method_types", types.to_vec());
        }
        method_options::hand_on(pi, opened.at("payment_settings.payment_method_options"));
        opened
            .text_at("payment_settings.default_mandate")
            .unwrap_or_default()
            .clone_into(&mut pi.as_intent_mut().mandate);
        pi.set("description", if parent.is_null() { "Payment for Invoice" } else { "Subscription update" });
        if opened.text("billing_reason") == "subscription_create" {
            pi.set("description", "Subscription creation");
            pi.set("setup_future_usage", "off_session");
        }
    });
    let payment_id = st.new_id("inpay");
    let payment = model::billing::invoice_payment(payment_id, now, &opened, &pi);
    st.put(payment);
    st.change(id, |i| i.as_invoice_mut().payment_intent = pi);
    Ok(())
}

/// Opens a draft: sets its number, its amount due and the customer's balances before and after it, and emits `invoice.finalized`.
pub fn open(st: &mut State, id: &str, due: i64, (starting, ending): (i64, i64)) -> Object {
    let invoice = st.copy(id);
    let customer = st.copy_if_any(invoice.text("customer"));
    let now = st.now(&invoice);
    let sequence = customer.int("next_invoice_sequence");
    let number = format!("{}-{sequence:04}", customer.text("invoice_prefix"));
    // Stripe sends no event for the counter alone.
    st.change(customer.id(), |c| c.set("next_invoice_sequence", sequence + 1));
    spend_discounts(st, &invoice);
    let tax_ids = tax_ids::shown(st, customer.id());
    let base = st.settings.base_url.clone();
    let days = invoice.as_invoice().days_until_due;
    let opened = st.change(id, |i| {
        i.set("status", "open");
        i.set("customer_tax_ids", tax_ids);
        i.set("number", number);
        i.set("effective_at", now);
        i.set_at("status_transitions.finalized_at", now);
        i.set("automatically_finalizes_at", Value::Null);
        i.set("starting_balance", starting);
        i.set("ending_balance", ending);
        i.set("amount_due", due);
        i.set("amount_remaining", due);
        i.set("hosted_invoice_url", format!("{base}/_sandbox/invoices/{id}"));
        i.set("invoice_pdf", format!("{base}/_sandbox/invoices/{id}/pdf"));
        if let Some(days) = days.filter(|_| i.get("due_date").is_null()) {
            i.set("due_date", now + days * crate::calendar::DAY_S);
        }
        if i.is("auto_advance") && i.text("collection_method") == "charge_automatically" {
            i.set("next_payment_attempt", now);
        }
    });
    st.emit("invoice.finalized", &opened);
    Object::clone(&opened)
}

/// Gives an invoice the automatic-tax setting of its subscription.
pub fn inherit_automatic_tax(invoice: &mut Object, sub: &Object) {
    for member in ["enabled", "liability"] {
        let path = format!("automatic_tax.{member}");
        invoice.set_at(&path, sub.at(&path).clone());
    }
}

/// Recomputes the automatic taxes of a draft, because the customer may have moved. If the customer's location is unknown, a subscription's
/// invoice continues without taxes, as Stripe documents for `automatic_tax.disabled_reason`.
///
/// # Errors
/// The customer's location is unknown, and the invoice does not belong to a subscription.
fn taxed_anew(st: &mut State, invoice: &Object, customer: &Object) -> Result<std::sync::Arc<Object>, ApiError> {
    let mut next = invoice.clone();
    next.set("customer_tax_ids", tax_ids::shown(st, customer.id()));
    next.set("customer_address", customer.get("address").clone());
    next.set("customer_shipping", customer.get("shipping").clone());
    if Place::of_customer(customer).is_none() {
        let sub = subscription_of(invoice).to_owned();
        if sub.is_empty() {
            return Err(tax::no_place("customer"));
        }
        let disable = |object: &mut Object| {
            object.set_at("automatic_tax.enabled", false);
            object.set_at("automatic_tax.disabled_reason", "finalization_requires_location_inputs");
        };
        disable(&mut next);
        st.change_and_emit(&sub, "customer.subscription.updated", disable);
    }
    let lines = next.list_at("lines").to_vec();
    set_lines(st, &mut next, lines, customer)?;
    Ok(st.put(next))
}

/// Ends the one-time discounts that a finalized invoice used.
fn spend_discounts(st: &mut State, invoice: &Object) {
    let took = |discount: &Value| {
        let amounts = invoice.list_at("total_discount_amounts").iter();
        amounts.clone().any(|taken| taken["discount"] == discount["id"])
    };
    let of_lines = invoice.list_at("lines").iter().flat_map(|line| item::of(st, line));
    let spent: Vec<Value> = invoice.as_invoice().discounts.iter().cloned().chain(of_lines).filter(took).collect();
    let sub = subscription_of(invoice);
    term::spend(st, &spent, invoice.text("customer"), Some(sub).filter(|sub| !sub.is_empty()));
}
