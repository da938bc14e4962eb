//! Computes what a quantity of a price costs: per unit, per package or by tiers, and in which currency.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::money;
use crate::object::Object;
use crate::params::{AMOUNT, Args, Field, ParamKind, off, opt, req};

/// The largest `divide_by` and `up_to`.
const COUNT_MAX: i64 = 999_999_999_999;
/// The maximum number of tiers of a price.
const TIERS_MAX: usize = 100;
/// The last tier's `up_to` in a request.
const INFINITE: &str = "inf";

/// The parameter `tax_behavior` of a price.
pub const TAX_BEHAVIOR: ParamKind = ParamKind::OneOf(&["exclusive", "inclusive", "unspecified"]);
const TIERS: ParamKind = ParamKind::List(&ParamKind::Map(&[
    req("up_to", ParamKind::IntOr(1, COUNT_MAX, &[INFINITE])),
    opt("flat_amount", AMOUNT),
    opt("flat_amount_decimal", ParamKind::Decimal),
    opt("unit_amount", AMOUNT),
    opt("unit_amount_decimal", ParamKind::Decimal),
]));
const CURRENCY_OPTIONS: ParamKind = ParamKind::ByCurrency(&[
    opt("tax_behavior", TAX_BEHAVIOR),
    opt("tiers", TIERS),
    opt("unit_amount", AMOUNT),
    opt("unit_amount_decimal", ParamKind::Decimal),
    off("custom_unit_amount"),
]);
/// The parameter `currency_options` of a price.
pub const BY_CURRENCY: Field = opt("currency_options", CURRENCY_OPTIONS);
/// The parameter `billing_scheme` of a price or plan.
pub const SCHEME: Field = opt("billing_scheme", ParamKind::OneOf(&["per_unit", "tiered"]));
/// The parameter `tiers` of a price or plan.
pub const TIERS_OF_PRICE: Field = opt("tiers", TIERS);
/// The parameter `tiers_mode` of a price or plan.
pub const TIERS_MODE: Field = opt("tiers_mode", ParamKind::OneOf(&["graduated", "volume"]));
const PACKAGE: ParamKind =
    ParamKind::Map(&[req("divide_by", ParamKind::Int(1, COUNT_MAX)), req("round", ParamKind::OneOf(&["down", "up"]))]);
/// The parameter `transform_quantity` of a price.
pub const TRANSFORM_QUANTITY: Field = opt("transform_quantity", PACKAGE);
/// The parameter `transform_usage` of a plan.
pub const TRANSFORM_USAGE: Field = opt("transform_usage", PACKAGE);

/// Whether a price bills metered usage instead of a quantity.
pub fn is_metered(price: &Value) -> bool {
    price["recurring"]["usage_type"] == "metered"
}

/// Returns the cost of a quantity of a price, in minor units. Each tier is rounded once.
///
/// # Errors
/// The result is too large.
pub fn amount(price: &Value, quantity: i64) -> Result<i64, ApiError> {
    let total = match price["billing_scheme"].as_str() {
        Some("tiered") => of_tiers(price, quantity),
        _ => money::multiply_decimal(price["unit_amount_decimal"].as_str().unwrap_or("0"), packages(price, quantity)),
    };
    let total = total.filter(|total| *total <= 999_999_999_999);
    total.ok_or_else(|| ApiError::coded("amount_too_large", "Amount must be no more than 999999999999 minor units"))
}

/// Returns the number of packages for which a quantity is billed.
fn packages(price: &Value, quantity: i64) -> i64 {
    let package = &price["transform_quantity"];
    let Some(size) = package["divide_by"].as_i64().filter(|size| *size > 0) else { return quantity };
    let whole = quantity.div_euclid(size);
    whole + i64::from(package["round"] == "up" && quantity.rem_euclid(size) > 0)
}

/// Returns the sum over the tiers: of the units in each tier with `graduated`, or of all units in the last one with `volume`. The flat
/// amount of the first tier is charged even for zero units, as docs.stripe.com says of tiered pricing.
fn of_tiers(price: &Value, quantity: i64) -> Option<i64> {
    let tiers = price["tiers"].as_array()?;
    let cost = |tier: &Value, units: i64| {
        let each = money::multiply_decimal(tier["unit_amount_decimal"].as_str().unwrap_or("0"), units)?;
        each.checked_add(money::multiply_decimal(tier["flat_amount_decimal"].as_str().unwrap_or("0"), 1)?)
    };
    let up_to = |tier: &Value| tier["up_to"].as_i64().unwrap_or(i64::MAX);
    if price["tiers_mode"] == "volume" {
        return cost(tiers.iter().find(|tier| quantity <= up_to(tier))?, quantity);
    }
    let (mut below, mut sum) = (0, 0_i64);
    for tier in tiers {
        if below > 0 && quantity <= below {
            break;
        }
        sum = sum.checked_add(cost(tier, quantity.min(up_to(tier)) - below)?)?;
        below = up_to(tier);
    }
    Some(sum)
}

/// Sets the scheme, the tiers, the packages and the other currencies of a new price.
///
/// # Errors
/// Tiers are missing, out of order or lack an end, or they are given for a per-unit price.
pub fn apply(price: &mut Object, args: &Args) -> Result<(), ApiError> {
    let is_tiered = args.text("billing_scheme") == Some("tiered");
    if is_tiered {
        let mode = args.text("tiers_mode").ok_or_else(|| ApiError::missing("tiers_mode"))?;
        price.set("billing_scheme", "tiered");
        price.set("tiers_mode", mode);
        price.set("tiers", tiers(&args.list("tiers"), "tiers")?);
        for member in ["unit_amount", "unit_amount_decimal"] {
            price.set(member, Value::Null);
        }
    } else if let Some(member) = ["tiers", "tiers_mode"].into_iter().find(|member| args.given(member).is_some()) {
        let message = format!("`{member}` is for prices with `billing_scheme=tiered` only.");
        return Err(ApiError::invalid(message).about(member));
    }
    if let Some(package) = args.given("transform_quantity") {
        if is_tiered {
            let message = "`transform_quantity` is for prices with `billing_scheme=per_unit` only.";
            return Err(ApiError::invalid(message).about("transform_quantity"));
        }
        price.set("transform_quantity", package.clone());
    }
    add_currencies(price, args)
}

/// Adds the currencies of the request to those of a price.
///
/// # Errors
/// An amount is missing, or is in the price's own currency.
pub fn add_currencies(price: &mut Object, args: &Args) -> Result<(), ApiError> {
    let is_tiered = price.text("billing_scheme") == "tiered";
    let given = args.map("currency_options").into_members();
    let mut options = price.get("currency_options").as_object().cloned().unwrap_or_default();
    for (currency, option) in given {
        let param = format!("currency_options[{currency}]");
        if currency == price.text("currency") {
            let message = "`currency_options` must not contain the price's own currency.";
            return Err(ApiError::invalid(message).about(&param));
        }
        options.insert(currency.clone(), in_other_currency(is_tiered, &currency, &Args::of(option), &param)?);
    }
    if !options.is_empty() {
        price.set("currency_options", options);
    }
    Ok(())
}

fn in_other_currency(is_tiered: bool, currency: &str, option: &Args, param: &str) -> Result<Value, ApiError> {
    let mut made = json!({
        "custom_unit_amount": null,
        "tax_behavior": option.text("tax_behavior").unwrap_or("unspecified"),
        "unit_amount": null,
        "unit_amount_decimal": null,
    });
    if is_tiered {
        made["tiers"] = json!(tiers(&option.list("tiers"), &format!("{param}[tiers]"))?);
        return Ok(made);
    }
    let mut option = option.clone();
    option.put("currency", json!(currency));
    let decimal = unit_amount(&option, param)?;
    made["unit_amount"] = decimal.parse::<i64>().map_or(Value::Null, |whole| json!(whole));
    made["unit_amount_decimal"] = json!(decimal);
    Ok(made)
}

/// Reads `unit_amount` or `unit_amount_decimal`. Returns the amount as a decimal string of minor units.
///
/// # Errors
/// Both or neither are given, or the amount is too large.
pub fn unit_amount(args: &Args, prefix: &str) -> Result<String, ApiError> {
    let name = if prefix.is_empty() { "unit_amount".to_owned() } else { format!("{prefix}[unit_amount]") };
    if args.text("billing_scheme") == Some("tiered") {
        return match args.given("unit_amount").or(args.given("unit_amount_decimal")) {
            None => Ok("0".to_owned()),
            Some(_) => {
                Err(ApiError::invalid("A price with `billing_scheme=tiered` takes no unit amount.").about(&name))
            }
        };
    }
    decimal_of(args, "unit_amount", &name)?.ok_or_else(|| ApiError::missing(&name))
}

/// Reads an amount that may be given in whole minor units or as a decimal.
fn decimal_of(args: &Args, member: &str, name: &str) -> Result<Option<String>, ApiError> {
    match (args.int(member), args.text(&format!("{member}_decimal"))) {
        (Some(whole), None) => {
            money::check_maximum(whole, args.text("currency").unwrap_or_default(), name)?;
            Ok(Some(whole.to_string()))
        }
        (None, Some(decimal)) => Ok(Some(decimal.to_owned())),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            let message = format!("You may only specify one of these parameters: {member}, {member}_decimal.");
            Err(ApiError::invalid(message).about(name))
        }
    }
}

fn tiers(given: &[Value], param: &str) -> Result<Vec<Value>, ApiError> {
    if given.is_empty() {
        return Err(ApiError::missing(param));
    }
    if given.len() > TIERS_MAX {
        return Err(ApiError::invalid(format!("A price can have at most {TIERS_MAX} tiers.")).about(param));
    }
    let (mut made, mut below) = (Vec::new(), 0);
    for (n, tier) in given.iter().cloned().map(Args::of).enumerate() {
        let here = format!("{param}[{n}]");
        let end = tier.int("up_to");
        if end.is_some_and(|end| end <= below) || end.is_none() != (n + 1 == given.len()) {
            let message = "The tiers must be in ascending order of `up_to`, and only the last one ends at `inf`.";
            return Err(ApiError::invalid(message).about(&format!("{here}[up_to]")));
        }
        let unit = decimal_of(&tier, "unit_amount", &format!("{here}[unit_amount]"))?;
        let flat = decimal_of(&tier, "flat_amount", &format!("{here}[flat_amount]"))?;
        if unit.is_none() && flat.is_none() {
            return Err(ApiError::missing(&format!("{here}[unit_amount]")));
        }
        let whole = |decimal: &Option<String>| {
            decimal.as_ref().and_then(|text| text.parse::<i64>().ok()).map_or(Value::Null, |whole| json!(whole))
        };
        made.push(json!({
            "flat_amount": whole(&flat), "flat_amount_decimal": flat,
            "unit_amount": whole(&unit), "unit_amount_decimal": unit,
            "up_to": end,
        }));
        below = end.unwrap_or(i64::MAX);
    }
    Ok(made)
}

/// Returns `currency_options` of a price in its expanded form.
pub fn currency_options(price: &Object) -> Value {
    let mut options = price.get("currency_options").as_object().cloned().unwrap_or_default();
    let members = ["custom_unit_amount", "tax_behavior", "unit_amount", "unit_amount_decimal"];
    let own = members.iter().map(|member| ((*member).to_owned(), price.get(member).clone())).collect();
    options.insert(price.text("currency").to_owned(), Value::Object(own));
    Value::Object(options)
}

/// Whether a price can be paid in a currency.
pub fn has_currency(price: &Object, currency: &str) -> bool {
    price.text("currency") == currency || price.at("currency_options").get(currency).is_some()
}

/// Returns the currency of a sale whose request contains none: the customer's if all prices have it, or otherwise that of the first price.
pub fn currency_for<'p>(prices: &[&'p Object], customer: Option<&'p Object>) -> &'p str {
    let customers = customer.map(|customer| customer.text("currency")).filter(|currency| !currency.is_empty());
    let all_have = |currency: &&str| prices.iter().all(|price| has_currency(price, currency));
    let first = || prices.first().map(|price| price.text("currency")).unwrap_or_default();
    customers.filter(all_have).unwrap_or_else(first)
}

/// Returns a price with its amounts in one of its other currencies. Clients still see the price itself, as at Stripe; see
/// [`shown`].
///
/// # Errors
/// The price does not have this currency.
pub fn in_currency(price: &Object, currency: &str, param: &str) -> Result<Object, ApiError> {
    if price.text("currency") == currency {
        return Ok(price.clone());
    }
    let Some(option) = price.at("currency_options").get(currency).and_then(Value::as_object) else {
        let message = format!(
            "The price specified supports currencies of `{}`. This doesn't match the expected currency: `{currency}`.",
            price.text("currency")
        );
        return Err(ApiError::invalid(message).about(param));
    };
    let mut other = price.clone();
    for (member, value) in option {
        other.set(member, value.clone());
    }
    other.set("currency", currency);
    other.set("original", price.value());
    Ok(other)
}

/// Returns the price that clients see in place of one in another currency.
pub fn shown(price: &Value) -> &Value {
    price.get("original").unwrap_or(price)
}

/// Returns how a line shows a price, such as `$20.00 / month` or `$5.00 per 10 / month`.
pub fn each(price: &Value) -> String {
    if price["billing_scheme"] == "tiered" {
        return "tiered pricing".to_owned();
    }
    let currency = price["currency"].as_str().unwrap_or_default();
    let each = money::display(price["unit_amount"].as_i64().unwrap_or_default(), currency);
    match price["transform_quantity"]["divide_by"].as_i64() {
        Some(size) => format!("{each} per {size}"),
        None => each,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiered(mode: &str) -> Value {
        let tiers = json!([
            { "up_to": 5, "unit_amount_decimal": "500", "flat_amount_decimal": "1000" },
            { "up_to": 10, "unit_amount_decimal": "0.5", "flat_amount_decimal": null },
            { "up_to": null, "unit_amount_decimal": "100", "flat_amount_decimal": "300" },
        ]);
        json!({ "billing_scheme": "tiered", "tiers_mode": mode, "tiers": tiers })
    }

    #[test]
    fn tiers_cost_what_a_table_by_hand_says() {
        for (quantity, graduated, volume) in [
            (0, 1_000, 1_000),
            (1, 1_500, 1_500),
            (5, 3_500, 3_500),
            (6, 3_501, 3),
            (10, 3_503, 5),
            (11, 3_903, 1_400),
            (20, 4_803, 2_300),
        ] {
            let cost = |mode| amount(&tiered(mode), quantity).unwrap();
            assert_eq!((cost("graduated"), cost("volume")), (graduated, volume), "{quantity}");
        }
        assert!(amount(&tiered("volume"), i64::MAX).is_err());
    }

    #[test]
    fn packages_are_rounded_as_the_price_says() {
        let price = |round: &str| json!({ "unit_amount_decimal": "1000", "transform_quantity": { "divide_by": 10, "round": round } });
        let costs = |round: &str| [0, 1, 10, 25].map(|quantity| amount(&price(round), quantity).unwrap());
        assert_eq!((costs("up"), costs("down")), ([0, 1_000, 1_000, 3_000], [0, 0, 1_000, 2_000]));
    }
}
