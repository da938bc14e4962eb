//! The taxes of a sale: which rates apply to its lines, and why.

use serde_json::{Value, json};

use super::rates::{EUROPEAN_UNION, RATES, Rate};
use super::{NOT_TAXABLE, Place, registration, settings};
use crate::error::ApiError;
use crate::ids;
use crate::model;
use crate::object::{Object, key};
use crate::params::{Args, Field, ParamKind, off, opt, req};
use crate::state::State;

/// The parameter `automatic_tax`.
pub const AUTOMATIC_TAX: Field =
    opt("automatic_tax", ParamKind::Map(&[req("enabled", ParamKind::Bool), off("liability")]));

/// The buyer and their place, as far as taxes depend on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buyer {
    /// The place of the customer.
    pub place: Place,
    /// Whether the buyer is a business with a VAT number of the European Union.
    pub has_eu_vat: bool,
}

impl Buyer {
    /// Returns the buyer at a place, with tax ids in the form shown on invoices.
    pub fn new(place: Place, tax_ids: &[Value]) -> Buyer {
        Buyer { place, has_eu_vat: tax_ids.iter().any(|tax_id| tax_id["type"] == "eu_vat") }
    }
}

/// Reads the parameter `automatic_tax` into an object's member, if the request contains it.
///
/// # Errors
/// The seller's tax settings are not complete.
pub fn apply(st: &State, object: &mut Object, args: &Args) -> Result<(), ApiError> {
    let Some(enabled) = args.map("automatic_tax").flag("enabled") else { return Ok(()) };
    if enabled {
        check_settings(st, "automatic_tax[enabled]")?;
    }
    object.set_at("automatic_tax.enabled", enabled);
    object.set_at("automatic_tax.liability", if enabled { json!({ "type": "self" }) } else { Value::Null });
    if object.get("automatic_tax").get("disabled_reason").is_some() {
        object.set_at("automatic_tax.disabled_reason", Value::Null);
    }
    Ok(())
}

/// Checks that the seller's tax settings are complete.
///
/// # Errors
/// The head office has no address.
pub fn check_settings(st: &State, param: &str) -> Result<(), ApiError> {
    if settings(st).text("status") == "active" {
        return Ok(());
    }
    let message = "You must have a valid head office address to enable automatic tax calculation. Set it by `POST /v1/tax/settings`.";
    Err(ApiError::coded("stripe_tax_inactive", message).about(param))
}

/// Sets the rates of an invoice's or a session's lines, if its taxes are automatic: those for the buyer, or none if the buyer's place is
/// unknown.
///
/// # Errors
/// A line or the whole has its own tax rates, or the price of a line does not specify whether it includes taxes.
pub fn set_rates(
    st: &mut State,
    object: &mut Object,
    lines: &mut [Value],
    buyer: Option<&Buyer>,
) -> Result<(), ApiError> {
    for line in &mut *lines {
        if let Some(rates) = line["tax_rates"].as_array_mut() {
            // The rates of an earlier computation, or of taxes that used to be automatic.
            rates.retain(|rate| rate["taxability_reason"].is_null());
        }
    }
    if object.at("automatic_tax.enabled") != true {
        return Ok(());
    }
    let has_own = |line: &Value| line["tax_rates"].as_array().is_some_and(|own| !own.is_empty());
    if !object.list_at("default_tax_rates").is_empty()
        || !object.as_session().default_tax_rates.is_empty()
        || lines.iter().any(has_own)
    {
        let message = "Tax rates can't be set if automatic tax is enabled.";
        return Err(ApiError::invalid(message).about("automatic_tax[enabled]"));
    }
    object.set_at("automatic_tax.status", if buyer.is_some() { "complete" } else { "requires_location_inputs" });
    object.set_at("automatic_tax.provider", "stripe");
    let now = st.now(object);
    for line in lines {
        line["tax_rates"] = match buyer {
            Some(buyer) => {
                let code = code_of(st, line["price"]["product"].as_str().unwrap_or_default());
                let item = line["parent"]["invoice_item_details"]["invoice_item"].as_str().and_then(|id| st.seek(id));
                let of_item = item.map(|item| item.as_invoice_item().tax_behavior.clone()).unwrap_or_default();
                let is_inclusive = is_inclusive(st, &line["price"], &of_item, object.text("currency"))?;
                json!(rates_of(st, buyer, &code, is_inclusive, now))
            }
            None => json!([]),
        };
    }
    Ok(())
}

/// Returns the tax code of a product: its own, or that of the account's settings.
pub fn code_of(st: &State, product: &str) -> String {
    let own = st.seek(&key("product", product)).and_then(|product| product.text_at("tax_code").map(str::to_owned));
    own.unwrap_or_else(|| settings(st).text_at("defaults.tax_code").unwrap_or_default().to_owned())
}

/// Whether a price includes taxes, according to the invoice item, to the price itself or to the account's settings.
fn is_inclusive(st: &State, price: &Value, of_item: &Value, currency: &str) -> Result<bool, ApiError> {
    let of_settings = settings(st);
    let named = [of_item, &price["tax_behavior"]].into_iter().filter_map(Value::as_str);
    let own = named.into_iter().find(|own| *own != "unspecified");
    match own.or_else(|| of_settings.text_at("defaults.tax_behavior")) {
        Some("inclusive") => Ok(true),
        Some("exclusive") => Ok(false),
        // As documented by Stripe, taxes are added in US and Canadian dollars, and included in other currencies.
        Some(_) => Ok(!matches!(currency, "usd" | "cad")),
        None => {
            let message = format!(
                "Tax behavior must be set for the price {}, or a default in the tax settings, to use automatic tax.",
                price["id"].as_str().unwrap_or("of a line without a price")
            );
            Err(ApiError::invalid(message).about("automatic_tax[enabled]"))
        }
    }
}

/// Returns the tax rates of a sale as objects. Their member `taxability_reason`, which is not shown, is the reason why a rate applies or
/// why nothing is taxed.
pub fn rates_of(st: &mut State, buyer: &Buyer, code: &str, inclusive: bool, now: i64) -> Vec<Value> {
    let place = &buyer.place;
    let seller = settings(st).text_at("head_office.address.country").unwrap_or_default().to_owned();
    let collected = registration::collected(st, place, now);
    let is_abroad = EUROPEAN_UNION.contains(&place.country.as_str()) && place.country != seller;
    let (reason, rates) = match collected.is_empty() {
        true => {
            let here =
                |rate: &&Rate| rate.country == place.country && (rate.state.is_empty() || rate.state == place.state);
            ("not_collecting", RATES.iter().filter(here).copied().collect())
        }
        false if code == NOT_TAXABLE => ("product_exempt", collected),
        false if is_abroad && buyer.has_eu_vat => ("reverse_charge", collected),
        false => ("standard_rated", collected),
    };
    let with_reason = |rate: Rate| {
        let mut shown = object_of(st, &rate, inclusive);
        shown["taxability_reason"] = json!(reason);
        shown
    };
    rates.into_iter().map(with_reason).collect()
}

/// Returns the API's tax rate for a rate, as Stripe creates one for its own use.
fn object_of(st: &mut State, rate: &Rate, inclusive: bool) -> Value {
    let name = format!("{} {} {} {inclusive}", rate.country, rate.state, rate.kind);
    let id = ids::id("txr", st.settings.seed, u64::from(crc32fast::hash(name.as_bytes())));
    if let Some(known) = st.seek(&id) {
        return known.value();
    }
    let percentage = serde_json::from_str(rate.percentage).unwrap_or_default();
    let mut made = model::tax_rate::tax_rate(id, st.clock_s(), rate.name, inclusive, percentage);
    let level = if rate.state.is_empty() { "country" } else { "state" };
    for (member, value) in [
        ("active", json!(false)),
        ("country", json!(rate.country)),
        ("jurisdiction", json!(if rate.state.is_empty() { rate.country } else { rate.state })),
        ("jurisdiction_level", json!(level)),
        ("state", if rate.state.is_empty() { Value::Null } else { json!(rate.state) }),
        ("tax_type", json!(rate.kind)),
    ] {
        made.set(member, value);
    }
    st.put(made).value()
}
