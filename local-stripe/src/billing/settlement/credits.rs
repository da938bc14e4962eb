//! Billing credits: grants to customers that pay for the metered lines of finalized invoices, after discounts and
//! before taxes.
//!
//! The source is <https://docs.stripe.com/billing/subscriptions/usage-based/billing-credits>.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::discount::amount;
use crate::error::ApiError;
use crate::model::billing_credit::{self, Movement};
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::pricing;
use crate::state::State;

/// The maximum number of a customer's grants that are not used up, Stripe's limit.
const UNUSED_MAX: usize = 100;
/// The maximum number of prices of a scope, Stripe's limit.
const PRICES_MAX: usize = 20;
/// The maximum length of a grant's name, Stripe's limit.
const NAME_CHARS_MAX: usize = 100;

/// Grants the credits of a request.
///
/// # Errors
/// The customer is unknown or has too many grants, or a parameter is invalid.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let customer = args.text("customer").ok_or_else(|| ApiError::missing("customer"))?;
    let customer = st.load("customer", customer, "customer")?;
    let amount = args.map("amount");
    if amount.given("monetary").is_none() {
        return Err(ApiError::missing("amount[monetary]"));
    }
    let amount = amount.map("monetary");
    let (value, currency) = (amount.int("value").unwrap_or_default(), amount.text("currency").unwrap_or_default());
    let scope = scope(st, &args.map("applicability_config").map("scope"), "applicability_config[scope]")?;
    if args.text("name").is_some_and(|name| name.chars().count() > NAME_CHARS_MAX) {
        let message = format!("Invalid string: must be at most {NAME_CHARS_MAX} characters");
        return Err(ApiError::coded("parameter_invalid_string", message).about("name"));
    }
    let unused = st.newest("billing.credit_grant", Some(customer.id())).filter(|grant| grant.as_grant().left > 0);
    if unused.take(UNUSED_MAX).count() == UNUSED_MAX {
        return Err(ApiError::invalid(format!("A customer can have at most {UNUSED_MAX} unused credit grants.")));
    }
    let id = st.new_id("credgr_test");
    let mut grant = billing_credit::grant(id, st.now(&customer), &customer, value, currency);
    grant.set_at("applicability_config.scope", scope);
    for member in ["category", "effective_at", "expires_at", "name", "priority"] {
        if let Some(given) = args.given(member) {
            grant.set(member, given.clone());
        }
    }
    check_end(&grant, grant.int("created"))?;
    grant.set("metadata", merge_metadata(&json!({}), args)?);
    let grant = st.put(grant);
    st.emit("billing.credit_grant.created", &grant);
    book(st, &grant, value, Movement::Granted);
    Ok(grant.value())
}

/// Returns the member `scope` that a request describes: all metered prices, or some of them.
fn scope(st: &State, args: &Args, param: &str) -> Result<Value, ApiError> {
    let prices = args.list("prices");
    match (args.given("price_type"), prices.is_empty()) {
        (Some(kind), true) => return Ok(json!({ "price_type": kind })),
        (None, false) => {}
        (Some(_), false) => {
            let message = "You may only specify one of these parameters: price_type, prices.";
            return Err(ApiError::invalid(message).about(param));
        }
        (None, true) => return Err(ApiError::missing(&format!("{param}[price_type]"))),
    }
    if prices.len() > PRICES_MAX {
        let message = format!("At most {PRICES_MAX} prices can be given, but there are {}.", prices.len());
        return Err(ApiError::invalid(message).about(&format!("{param}[prices]")));
    }
    for (n, price) in prices.iter().enumerate() {
        let param = format!("{param}[prices][{n}][id]");
        let price = st.load("price", price["id"].as_str().unwrap_or_default(), &param)?;
        if !pricing::is_metered(&price.value()) {
            let message = "Credits can only apply to prices with a billing meter.";
            return Err(ApiError::invalid(message).about(&param));
        }
    }
    Ok(json!({ "prices": prices }))
}

/// Checks that a grant expires after it becomes effective, and in the future.
fn check_end(grant: &Object, now_s: i64) -> Result<(), ApiError> {
    match grant.int_at("expires_at") {
        Some(end) if end <= now_s.max(grant.int("effective_at")) => {
            let message = "The expiration must lie in the future and after `effective_at`.";
            Err(ApiError::invalid(message).about("expires_at"))
        }
        _ => Ok(()),
    }
}

/// Changes the end and the metadata of a grant.
///
/// # Errors
/// The grant is unknown or has ended, or the new end is in the past.
pub fn update(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let grant = st.load("billing.credit_grant", id, "id")?;
    let now = st.now(&grant);
    let mut next = Object::clone(&grant);
    if args.has("expires_at") {
        check_in_force(&grant, now, "updated")?;
        next.set("expires_at", args.value("expires_at"));
        check_end(&next, now)?;
    }
    next.set("metadata", merge_metadata(next.get("metadata"), args)?);
    next.set("updated", now);
    Ok(st.change_and_emit(id, "billing.credit_grant.updated", |grant| *grant = next).value())
}

fn check_in_force(grant: &Object, now_s: i64, verb: &str) -> Result<(), ApiError> {
    let state = match grant.int_at("expires_at") {
        _ if !grant.get("voided_at").is_null() => "voided",
        Some(end) if end <= now_s => "expired",
        _ => return Ok(()),
    };
    Err(ApiError::invalid(format!("This credit grant is {state}, so it can't be {verb}.")))
}

/// Ends a grant at once: the rest of its credits expires.
///
/// # Errors
/// The grant is unknown, voided or expired.
pub fn expire(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let grant = st.load("billing.credit_grant", id, "id")?;
    let now = st.now(&grant);
    check_in_force(&grant, now, "expired")?;
    st.change_and_emit(id, "billing.credit_grant.updated", |grant| {
        grant.set("expires_at", now);
        grant.set("updated", now);
    });
    run_out(st, id);
    Ok(st.find(id)?.value())
}

/// Records that the rest of a grant's credits expired.
pub fn run_out(st: &mut State, id: &str) {
    empty(st, id, Movement::Expired);
}

fn empty(st: &mut State, id: &str, movement: Movement) {
    let Ok(grant) = st.find(id) else { return };
    let left = grant.as_grant().left;
    if left > 0 {
        st.change(id, |grant| grant.as_grant_mut().left = 0);
        book(st, &grant, left, movement);
    }
}

/// Voids a grant that has not been used.
///
/// # Errors
/// The grant is unknown, voided or expired, or was applied to an invoice.
pub fn void(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let grant = st.load("billing.credit_grant", id, "id")?;
    let now = st.now(&grant);
    check_in_force(&grant, now, "voided")?;
    if grant.as_grant().left != grant.int_at("amount.monetary.value").unwrap_or_default() {
        let message = "This credit grant was applied to an invoice, so it can't be voided. Expire it instead.";
        return Err(ApiError::invalid(message));
    }
    st.change_and_emit(id, "billing.credit_grant.updated", |grant| {
        grant.set("voided_at", now);
        grant.set("updated", now);
    });
    empty(st, id, Movement::Voided);
    Ok(st.find(id)?.value())
}

/// Records a transaction of a grant and returns its id.
fn book(st: &mut State, grant: &Object, value: i64, movement: Movement) -> String {
    let id = st.new_id("cbtxn_test");
    let made = billing_credit::transaction(id.clone(), st.now(grant), grant, value, movement);
    let made = st.put(made);
    st.emit("billing.credit_balance_transaction.created", &made);
    id
}

/// Whether a grant applies to the price with this id.
fn covers(grant: &Object, price: &Value) -> bool {
    let prices = grant.list_at("applicability_config.scope.prices");
    prices.is_empty() || prices.iter().any(|listed| listed["id"] == *price)
}

fn is_usable(grant: &Object, now_s: i64) -> bool {
    grant.as_grant().left > 0
        && grant.int("effective_at") <= now_s
        && grant.int_at("expires_at").is_none_or(|end| end > now_s)
}

/// The sort key for the order in which grants are used: priority, end, promotional before paid, effective date, and
/// age; see <https://docs.stripe.com/billing/subscriptions/usage-based/billing-credits#multiple-credit-grants>.
fn order(grant: &Object) -> (i64, i64, bool, i64, i64) {
    let end = grant.int_at("expires_at").unwrap_or(i64::MAX);
    (grant.int("priority"), end, grant.text("category") == "paid", grant.int("effective_at"), grant.seq)
}

/// Applies the customer's credits to the metered lines of an invoice that is about to be finalized. Returns the lines;
/// `None` without credits.
pub fn apply(st: &mut State, invoice: &Object) -> Option<Vec<Value>> {
    let now = st.now(invoice);
    let is_of_invoice =
        |grant: &Object| is_usable(grant, now) && grant.at("amount.monetary.currency") == invoice.get("currency");
    let all = st.newest("billing.credit_grant", Some(invoice.text("customer")));
    let mut grants: Vec<Object> = all.filter(|grant| is_of_invoice(grant)).map(|grant| Object::clone(&grant)).collect();
    if grants.is_empty() {
        return None;
    }
    grants.sort_by_key(order);
    let mut lines = invoice.list_at("lines").to_vec();
    for line in lines
        .iter_mut()
        .filter(|line| pricing::is_metered(&line["price"]) && billing_credit::of_line(line).next().is_none())
    {
        let mut rest = line["amount"].as_i64().unwrap_or_default() - amount::on_line(line);
        let (price, il) = (line["price"]["id"].clone(), line["id"].as_str().unwrap_or_default().to_owned());
        for grant in grants.iter_mut().filter(|grant| covers(grant, &price)) {
            let used = rest.min(grant.as_grant().left);
            if used <= 0 {
                continue;
            }
            let left = grant.as_grant().left - used;
            grant.as_grant_mut().left = left;
            st.change(grant.id(), |grant| grant.as_grant_mut().left = left);
            let made = book(st, grant, used, Movement::Applied(invoice.id(), &il));
            let entry =
                json!({ "amount": used, "credit_balance_transaction": made, "type": billing_credit::OF_CREDITS });
            if let Value::Array(entries) = &mut line["pretax_credit_amounts"] {
                entries.push(entry);
            }
            rest -= used;
        }
    }
    Some(lines)
}

/// Sets the pretax credit amounts of an invoice and of its lines: the discounts and the credits. Returns the sum of the
/// credits.
pub fn show(invoice: &mut Object, lines: &mut [Value]) -> i64 {
    let of_discount = |taken: &Value| {
        json!({
            "amount": taken["amount"], "credit_balance_transaction": null, "discount": taken["discount"],
            "type": "discount",
        })
    };
    let mut all: Vec<Value> = invoice.list_at("total_discount_amounts").iter().map(of_discount).collect();
    for line in &mut *lines {
        let credits: Vec<Value> = billing_credit::of_line(line).cloned().collect();
        all.extend(credits.iter().cloned());
        let discounts = line["discount_amounts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let entries: Vec<Value> = discounts.iter().map(of_discount).chain(credits).collect();
        line["pretax_credit_amounts"] = Value::Array(entries);
    }
    invoice.set("total_pretax_credit_amounts", all);
    lines.iter().map(billing_credit::on_line).sum()
}

/// Returns the credits of a voided invoice. Those of an expired grant expire again immediately.
pub fn reinstate(st: &mut State, invoice: &Object) {
    let now = st.now(invoice);
    for line in invoice.list_at("lines") {
        let il = line["id"].as_str().unwrap_or_default();
        for entry in billing_credit::of_line(line) {
            let used = st.copy_if_any(entry["credit_balance_transaction"].as_str().unwrap_or_default());
            let (grant, amount) = (used.text("credit_grant").to_owned(), entry["amount"].as_i64().unwrap_or_default());
            if st.seek(&grant).is_none() {
                continue;
            }
            let grant = st.change(&grant, |grant| grant.as_grant_mut().left = grant.as_grant().left + amount);
            book(st, &grant, amount, Movement::Reinstated(invoice.id(), il));
            if grant.int_at("expires_at").is_some_and(|end| end <= now) {
                run_out(st, grant.id());
            }
        }
    }
}

/// Adds up what is left of a customer's grants, of a single grant, or of the grants that apply to some prices.
///
/// # Errors
/// The customer, the grant or a price is unknown, or the filter is incomplete.
pub fn summary(st: &State, args: &Args) -> Result<Value, ApiError> {
    let customer = args.text("customer").ok_or_else(|| ApiError::missing("customer"))?;
    let customer = st.load("customer", customer, "customer")?;
    let filter = args.map("filter");
    let (mut one, mut prices) = (None, Vec::new());
    if filter.text("type") == Some("credit_grant") {
        let id = filter.text("credit_grant").ok_or_else(|| ApiError::missing("filter[credit_grant]"))?;
        let grant = st.load("billing.credit_grant", id, "filter[credit_grant]")?;
        if grant.text("customer") != customer.id() {
            return Err(ApiError::no_such("billing.credit_grant", id, "filter[credit_grant]"));
        }
        one = Some(id.to_owned());
    } else {
        let wanted = filter.map("applicability_scope");
        let wanted = scope(st, &wanted, "filter[applicability_scope]")?;
        prices = wanted["prices"].as_array().cloned().unwrap_or_default();
    }
    let is_wanted = |grant: &Object| match (&one, prices.is_empty()) {
        (Some(id), _) => grant.id() == id,
        (None, true) => grant.list_at("applicability_config.scope.prices").is_empty(),
        (None, false) => prices.iter().all(|price| covers(grant, &price["id"])),
    };
    let now = st.now(&customer);
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for grant in st.newest("billing.credit_grant", Some(customer.id())).filter(|grant| is_wanted(grant)) {
        let currency = grant.text_at("amount.monetary.currency").unwrap_or_default().to_owned();
        let left = if is_usable(&grant, now) { grant.as_grant().left } else { 0 };
        let sum = sums.entry(currency).or_default();
        *sum = sum.saturating_add(left);
    }
    Ok(billing_credit::summary(customer.id(), sums.into_iter()))
}
