//! Tax calculations, and the transactions that record them.

use serde_json::{Value, json};

use super::automatic::{self, Buyer, rates_of};
use super::{NOT_TAXABLE, Place, check_code, no_place, settings};
use crate::billing::tax::{of_amount, percentage_of};
use crate::calendar::DAY_S;
use crate::error::ApiError;
use crate::model::customer::whole_address;
use crate::object::{Object, list};
use crate::params::{Args, merge_metadata};
use crate::state::State;
use crate::tax_ids;

/// The maximum number of line items of a calculation, Stripe's limit.
const LINES_MAX: usize = 100;
/// How long a calculation can be recorded, Stripe's 90 days.
const EXPIRES_AFTER_S: i64 = 90 * DAY_S;

/// The parties of a calculation.
struct Parties {
    customer: Value,
    details: Value,
    buyer: Buyer,
    /// `exempt`, `reverse` or `none`.
    exempt: &'static str,
}

fn parties(st: &State, args: &Args) -> Result<Parties, ApiError> {
    let given = args.map("customer_details");
    let customer = args.text("customer").map(|id| st.load("customer", id, "customer")).transpose()?;
    if customer.is_some() && args.given("customer_details").is_some() {
        let message = "You may only specify one of these parameters: customer, customer_details.";
        return Err(ApiError::invalid(message).about("customer_details"));
    }
    let (address, source, tax_ids, exempt) = match &customer {
        Some(customer) => {
            let ships = Place::of(customer.at("shipping.address")).is_some();
            let address = if ships { customer.at("shipping.address") } else { customer.get("address") };
            let exempt = match customer.text("tax_exempt") {
                "exempt" => "exempt",
                "reverse" => "reverse",
                _ => "none",
            };
            let source = if ships { "shipping" } else { "billing" };
            (address.clone(), source.to_owned(), tax_ids::shown(st, customer.id()), exempt)
        }
        None => {
            let exempt = match given.text("taxability_override") {
                Some("customer_exempt") => "exempt",
                Some("reverse_charge") => "reverse",
                _ => "none",
            };
            let source =
                given.text("address_source").ok_or_else(|| ApiError::missing("customer_details[address_source]"))?;
            (given.value("address"), source.to_owned(), given.list("tax_ids"), exempt)
        }
    };
    for (n, tax_id) in tax_ids.iter().enumerate() {
        let text = |member: &str| tax_id[member].as_str().unwrap_or_default();
        tax_ids::check(text("type"), text("value"), &format!("customer_details[tax_ids][{n}][value]"))?;
    }
    let place = Place::of(&address).ok_or_else(|| no_place("customer_details[address]"))?;
    let shown_exempt = match exempt {
        "exempt" => "customer_exempt",
        "reverse" => "reverse_charge",
        _ => "none",
    };
    let details = json!({
        "address": whole_address(&address), "address_source": source, "ip_address": null, "tax_ids": tax_ids,
        "taxability_override": shown_exempt,
    });
    let buyer = Buyer::new(place, &tax_ids);
    Ok(Parties { customer: customer.map_or(Value::Null, |customer| json!(customer.id())), details, buyer, exempt })
}

/// Creates the requested calculation.
///
/// # Errors
/// The tax settings are incomplete, a parameter is invalid, or the customer's place is unknown.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    automatic::check_settings(st, "currency")?;
    let given = args.list("line_items");
    if given.is_empty() || given.len() > LINES_MAX {
        let message = format!("A calculation has 1 to {LINES_MAX} line items.");
        return Err(ApiError::invalid(message).about("line_items"));
    }
    let parties = parties(st, args)?;
    let now = st.clock_s();
    let id = st.new_id("taxcalc");
    let mut sums = Sums::default();
    let mut lines = Vec::new();
    for (n, line) in given.into_iter().map(Args::of).enumerate() {
        let param = format!("line_items[{n}]");
        let product =
            line.text("product").map(|id| st.load("product", id, &format!("{param}[product]"))).transpose()?;
        let of_product = product.as_ref().and_then(|product| product.text_at("tax_code").map(str::to_owned));
        let (shown, taxes, code) = tax_line(st, &parties, &line, of_product, &param)?;
        sums.add(&line, &taxes)?;
        let line_id = st.new_id("tax_li");
        lines.push(json!({
            "id": line_id,
            "object": "tax.calculation_line_item",
            "amount": line.int("amount"),
            "amount_tax": sum(&taxes),
            "livemode": false,
            "metadata": merge_metadata(&json!({}), &line)?,
            "performance_location": null,
            "product": product.map(|product| product.id().to_owned()),
            "quantity": line.int("quantity").unwrap_or(1),
            "reference": line.text("reference").map_or_else(|| format!("L{}", n + 1), str::to_owned),
            "tax_behavior": shown,
            "tax_breakdown": null,
            "tax_code": code,
        }));
    }
    let shipping = match args.given("shipping_cost") {
        None => Value::Null,
        Some(_) => shipping(st, &parties, &args.map("shipping_cost"), &mut sums)?,
    };
    let url = format!("/v1/tax/calculations/{id}/line_items");
    let made = Object::of(json!({
        "id": id,
        "object": "tax.calculation",
        "amount_total": sums.total,
        "currency": args.get("currency"),
        "customer": parties.customer,
        "customer_details": parties.details,
        "expires_at": now + EXPIRES_AFTER_S,
        "line_items": list(&url, lines),
        "livemode": false,
        "ship_from_details": null,
        "shipping_cost": shipping,
        "tax_amount_exclusive": sums.exclusive,
        "tax_amount_inclusive": sums.inclusive,
        "tax_breakdown": sums.breakdown,
        "tax_date": args.int("tax_date").unwrap_or(now),
    }));
    Ok(st.put(made).value())
}

/// The totals of a calculation, in minor units.
#[derive(Default)]
struct Sums {
    total: i64,
    exclusive: i64,
    inclusive: i64,
    /// The taxes by rate.
    breakdown: Vec<Value>,
}

impl Sums {
    fn add(&mut self, line: &Args, taxes: &[Value]) -> Result<(), ApiError> {
        let too_large = || ApiError::coded("amount_too_large", "The calculation's total is too large.");
        let mut total = self.total.checked_add(line.int("amount").unwrap_or_default()).ok_or_else(too_large)?;
        for tax in taxes {
            let amount = tax["amount"].as_i64().unwrap_or_default();
            let is_inclusive = tax["inclusive"] == true;
            // Each tax is at most the amount of its line.
            let part = if is_inclusive { &mut self.inclusive } else { &mut self.exclusive };
            *part = part.checked_add(amount).ok_or_else(too_large)?;
            if !is_inclusive {
                total = total.checked_add(amount).ok_or_else(too_large)?;
            }
            let is_same = |known: &&mut Value| {
                ["inclusive", "tax_rate_details", "taxability_reason"].iter().all(|m| known[*m] == tax[*m])
            };
            match self.breakdown.iter_mut().find(is_same) {
                None => self.breakdown.push(tax.clone()),
                Some(known) => {
                    for member in ["amount", "taxable_amount"] {
                        let more = tax[member].as_i64().unwrap_or_default();
                        known[member] = json!(known[member].as_i64().unwrap_or_default().saturating_add(more));
                    }
                }
            }
        }
        self.total = total;
        Ok(())
    }
}

/// Taxes one line. Returns its behaviour, its taxes as shown in the breakdown, and its tax code.
fn tax_line(
    st: &mut State,
    parties: &Parties,
    line: &Args,
    of_product: Option<String>,
    param: &str,
) -> Result<(&'static str, Vec<Value>, String), ApiError> {
    if let Some(code) = line.text("tax_code") {
        check_code(code, &format!("{param}[tax_code]"))?;
    }
    let code = line.text("tax_code").map(str::to_owned).or(of_product);
    let code = code.unwrap_or_else(|| settings(st).text_at("defaults.tax_code").unwrap_or(NOT_TAXABLE).to_owned());
    let is_inclusive = line.text("tax_behavior") == Some("inclusive");
    let rates = rates_of(st, &parties.buyer, &code, is_inclusive, st.clock_s());
    let taxes = of_amount(&rates, line.int("amount").unwrap_or_default(), parties.exempt);
    let shown = |(tax, rate): (&Value, &Value)| {
        json!({
            "amount": tax["amount"],
            "inclusive": is_inclusive,
            "tax_rate_details": {
                "country": rate["country"], "flat_amount": null, "percentage_decimal": percentage_of(rate),
                "rate_type": "percentage", "state": rate["state"], "tax_type": rate["tax_type"],
            },
            "taxability_reason": tax["taxability_reason"],
            "taxable_amount": tax["taxable_amount"],
        })
    };
    let behavior = if is_inclusive { "inclusive" } else { "exclusive" };
    Ok((behavior, taxes.iter().zip(&rates).map(shown).collect(), code))
}

fn sum(taxes: &[Value]) -> i64 {
    taxes.iter().filter_map(|tax| tax["amount"].as_i64()).sum()
}

fn shipping(st: &mut State, parties: &Parties, given: &Args, sums: &mut Sums) -> Result<Value, ApiError> {
    let mut line = given.clone();
    if let Some(id) = given.text("shipping_rate") {
        let rate = st.load("shipping_rate", id, "shipping_cost[shipping_rate]")?;
        line.put("amount", rate.at("fixed_amount.amount").clone());
        if given.text("tax_behavior").is_none() && rate.text("tax_behavior") == "inclusive" {
            line.put("tax_behavior", json!("inclusive"));
        }
    }
    if line.int("amount").is_none() {
        return Err(ApiError::missing("shipping_cost[amount]"));
    }
    let (behavior, taxes, code) = tax_line(st, parties, &line, None, "shipping_cost")?;
    sums.add(&line, &taxes)?;
    Ok(json!({
        "amount": line.int("amount"), "amount_tax": sum(&taxes), "shipping_rate": given.get("shipping_rate"),
        "tax_behavior": behavior, "tax_breakdown": null, "tax_code": code,
    }))
}

/// Records a calculation as a transaction.
///
/// # Errors
/// The calculation is unknown or has expired, or the reference is taken.
pub fn commit(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let calculation = st.load("tax.calculation", args.text("calculation").unwrap_or_default(), "calculation")?;
    let now = st.clock_s();
    if calculation.int("expires_at") <= now {
        return Err(ApiError::invalid("This calculation has expired.").about("calculation"));
    }
    let reference = args.text("reference").unwrap_or_default();
    super::reversal::check_reference(st, reference)?;
    let id = st.new_id("tax");
    let mut lines = Vec::new();
    for line in calculation.list_at("line_items") {
        let line_id = st.new_id("tax_li");
        let member = |name: &str| line[name].clone();
        lines.push(json!({
            "id": line_id,
            "object": "tax.transaction_line_item",
            "amount": member("amount"),
            "amount_tax": member("amount_tax"),
            "livemode": false,
            "metadata": member("metadata"),
            "product": member("product"),
            "quantity": member("quantity"),
            "reference": member("reference"),
            "reversal": null,
            "tax_behavior": member("tax_behavior"),
            "tax_code": member("tax_code"),
            "type": "transaction",
        }));
    }
    let url = format!("/v1/tax/transactions/{id}/line_items");
    let made = Object::of(json!({
        "id": id,
        "object": "tax.transaction",
        "created": now,
        "currency": calculation.get("currency"),
        "customer": calculation.get("customer"),
        "customer_details": calculation.get("customer_details"),
        "line_items": list(&url, lines),
        "livemode": false,
        "metadata": merge_metadata(&json!({}), args)?,
        "posted_at": args.int("posted_at").unwrap_or(now),
        "reference": reference,
        "reversal": null,
        "ship_from_details": null,
        "shipping_cost": calculation.get("shipping_cost"),
        "tax_date": calculation.get("tax_date"),
        "type": "transaction",
    }));
    Ok(st.put(made).value())
}
