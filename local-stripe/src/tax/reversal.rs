//! Reversals of tax transactions, after refunds.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::{Object, list};
use crate::params::{Args, merge_metadata};
use crate::state::State;

/// Checks the reference of a new transaction.
///
/// # Errors
/// Another transaction uses the reference.
pub fn check_reference(st: &State, reference: &str) -> Result<(), ApiError> {
    match st.newest("tax.transaction", None).any(|known| known.text("reference") == reference) {
        true => {
            Err(ApiError::invalid(format!("The reference {reference} is taken by another transaction."))
                .about("reference"))
        }
        false => Ok(()),
    }
}

/// Reverses a transaction, in full or in part.
///
/// # Errors
/// The transaction is unknown or is itself a reversal, a parameter is invalid, or the reversal exceeds what is left.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let original =
        st.load("tax.transaction", args.text("original_transaction").unwrap_or_default(), "original_transaction")?;
    if original.text("type") != "transaction" {
        return Err(ApiError::invalid("A reversal can't be reversed.").about("original_transaction"));
    }
    let reference = args.text("reference").unwrap_or_default();
    check_reference(st, reference)?;
    let parts = match (args.text("mode"), args.int("flat_amount"), args.list("line_items")) {
        (Some("full"), None, lines) if lines.is_empty() => left(st, &original),
        (Some("partial"), None, lines) if !lines.is_empty() => named(st, &original, lines)?,
        (Some("partial"), Some(amount), lines) if lines.is_empty() => flat(st, &original, amount)?,
        _ => {
            let message = "A full reversal takes no lines and no amount; a partial one takes either `line_items` or `flat_amount`.";
            return Err(ApiError::invalid(message).about("mode"));
        }
    };
    if parts.iter().all(|part| part.amount == 0 && part.tax == 0) {
        return Err(ApiError::invalid("Nothing is left to reverse.").about("original_transaction"));
    }
    let (id, now) = (st.new_id("tax"), st.clock_s());
    let mut lines = Vec::new();
    for part in &parts {
        let line_id = st.new_id("tax_li");
        let mut line = part.line.clone();
        line["id"] = json!(line_id);
        line["amount"] = json!(part.amount);
        line["amount_tax"] = json!(part.tax);
        line["type"] = json!("reversal");
        line["reversal"] = json!({ "original_line_item": part.line["id"] });
        if let Some(reference) = &part.reference {
            line["reference"] = json!(reference);
        }
        lines.push(line);
    }
    let url = format!("/v1/tax/transactions/{id}/line_items");
    let mut made = Object::clone(&original);
    for (member, value) in [
        ("id", json!(id)),
        ("created", json!(now)),
        ("line_items", list(&url, lines)),
        ("metadata", merge_metadata(&json!({}), args)?),
        ("posted_at", json!(now)),
        ("reference", json!(reference)),
        ("reversal", json!({ "original_transaction": original.id() })),
        ("shipping_cost", Value::Null),
        ("type", json!("reversal")),
    ] {
        made.set(member, value);
    }
    Ok(st.put(made).value())
}

/// The reversed part of a line: negative amounts in minor units.
struct Part {
    line: Value,
    amount: i64,
    tax: i64,
    reference: Option<String>,
}

/// Returns what is left of each line of a transaction, as negative amounts.
fn left(st: &State, original: &Object) -> Vec<Part> {
    let reversals: Vec<_> = st
        .newest("tax.transaction", None)
        .filter(|known| known.text_at("reversal.original_transaction") == Some(original.id()))
        .collect();
    let of = |line: &Value, member: &str| {
        let of_line = |known: &&Value| known["reversal"]["original_line_item"] == line["id"];
        let reversed = reversals.iter().flat_map(|known| known.list_at("line_items")).filter(of_line);
        let sum: i64 = reversed.filter_map(|known| known[member].as_i64()).sum();
        -(line[member].as_i64().unwrap_or_default() + sum)
    };
    let lines = original.list_at("line_items").iter();
    let part = |line: &Value| Part {
        line: line.clone(),
        amount: of(line, "amount"),
        tax: of(line, "amount_tax"),
        reference: None,
    };
    lines.map(part).collect()
}

/// Returns the parts in a request.
fn named(st: &State, original: &Object, given: Vec<Value>) -> Result<Vec<Part>, ApiError> {
    let mut rest = left(st, original);
    let mut parts = Vec::new();
    for (n, line) in given.into_iter().map(Args::of).enumerate() {
        let param = format!("line_items[{n}]");
        let id = line.text("original_line_item").unwrap_or_default();
        let Some(found) = rest.iter_mut().find(|part| part.line["id"] == id) else {
            return Err(ApiError::no_such("tax transaction line item", id, &format!("{param}[original_line_item]")));
        };
        let (amount, tax) = (line.int("amount").unwrap_or_default(), line.int("amount_tax").unwrap_or_default());
        if amount > 0 || tax > 0 || amount < found.amount || tax < found.tax {
            let message = format!("At most {} and a tax of {} can be reversed of this line.", found.amount, found.tax);
            return Err(ApiError::invalid(message).about(&param));
        }
        found.amount -= amount;
        found.tax -= tax;
        parts.push(Part {
            line: found.line.clone(),
            amount,
            tax,
            reference: line.text("reference").map(str::to_owned),
        });
    }
    Ok(parts)
}

/// Divides an amount including tax among the lines, in proportion to what is left of each.
fn flat(st: &State, original: &Object, amount: i64) -> Result<Vec<Part>, ApiError> {
    let rest = left(st, original);
    // The amount that a customer pays for a line, which already contains the tax if the tax is inclusive.
    let gross = |part: &Part| match part.line["tax_behavior"] == "inclusive" {
        true => part.amount,
        false => part.amount + part.tax,
    };
    let whole: i64 = rest.iter().map(gross).sum();
    if amount >= 0 || amount < whole {
        let message = format!("`flat_amount` must be negative, and at least {whole}, which is what is left.");
        return Err(ApiError::invalid(message).about("flat_amount"));
    }
    let (mut parts, mut before, mut given) = (Vec::new(), 0_i64, 0_i64);
    for part in rest {
        before += gross(&part);
        // The share of all lines so far, so that the shares add up to the amount.
        let so_far = i128::from(amount) * i128::from(before) / i128::from(whole);
        let share = i64::try_from(so_far).unwrap_or(amount) - given;
        given += share;
        let of_tax = i128::from(share) * i128::from(part.tax) / i128::from(gross(&part).min(-1));
        let tax = i64::try_from(of_tax).unwrap_or_default();
        let net = if part.line["tax_behavior"] == "inclusive" { share } else { share - tax };
        parts.push(Part { amount: net, tax, ..part });
    }
    Ok(parts)
}
