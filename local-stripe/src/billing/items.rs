//! Reads the price of a request, given by id or by `price_data`, with a quantity.

use serde_json::{Value, json};

use crate::billing::tax;
use crate::error::ApiError;
use crate::model;
use crate::model::price::NewPrice;
use crate::object::{Object, key};
use crate::params::{Args, Field, ParamKind, opt, req};
use crate::plans;
use crate::pricing;
use crate::state::State;

/// The maximum number of items of a subscription, Stripe's limit.
pub const ITEMS_MAX: usize = 20;

/// A price with a quantity.
#[derive(Debug, Clone)]
pub struct Priced {
    /// The price.
    pub price: Object,
    /// The quantity.
    pub quantity: i64,
    /// The metadata of the subscription item.
    pub metadata: Value,
    /// The tax rates, an array of objects.
    pub tax_rates: Value,
    /// The entries of the parameter `discounts`.
    pub discounts: Vec<Value>,
}

/// Reads the price, quantity and metadata of an item's parameters.
///
/// # Errors
/// The price is missing, given twice, unknown or inactive, or a metered price has a quantity.
pub fn read(st: &mut State, args: &Args, param: &str) -> Result<Priced, ApiError> {
    let price = match (args.text("price").or(args.text("plan")), args.given("price_data")) {
        (Some(id), None) => Object::clone(&*st.load("price", id, &format!("{param}[price]"))?),
        (None, Some(data)) => from_data(st, &Args::of(data.clone()), param)?,
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: price, price_data.";
            return Err(ApiError::invalid(message).about(param));
        }
        (None, None) => return Err(ApiError::missing(&format!("{param}[price]"))),
    };
    if !price.is("active") {
        let message = "The price specified is inactive. This field only accepts active prices.";
        return Err(ApiError::coded("price_inactive", message).about(&format!("{param}[price]")));
    }
    if pricing::is_metered(&price.value()) && args.given("quantity").is_some() {
        let message = "A price of usage_type metered takes no quantity.";
        return Err(ApiError::invalid(message).about(&format!("{param}[quantity]")));
    }
    Ok(Priced {
        price,
        quantity: args.int("quantity").unwrap_or(1),
        metadata: args.given("metadata").cloned().unwrap_or(json!({})),
        tax_rates: tax::read(st, args, "tax_rates", &format!("{param}[tax_rates]"))?,
        discounts: args.list("discounts"),
    })
}

/// The parameter `billing_thresholds` of an item; see `threshold`.
pub const THRESHOLDS: Field =
    opt("billing_thresholds", ParamKind::Map(&[req("usage_gte", ParamKind::Int(1, 1_000_000_000_000))]));

/// Sets the threshold of an item, if the request contains one.
pub fn set_thresholds(item: &mut Value, given: &Args) {
    if given.has("billing_thresholds") {
        item["billing_thresholds"] = given.value("billing_thresholds");
    }
}

/// Returns the item with its price in a different currency.
///
/// # Errors
/// The price has no such currency.
pub fn in_currency(priced: Priced, currency: &str, param: &str) -> Result<Priced, ApiError> {
    let price = pricing::in_currency(&priced.price, currency, &format!("{param}[price]"))?;
    Ok(Priced { price, ..priced })
}

/// Like [`read`], but refuses metered prices.
///
/// # Errors
/// The same as for [`read`], or the price is metered.
pub fn read_licensed(st: &mut State, args: &Args, param: &str) -> Result<Priced, ApiError> {
    let priced = read(st, args, param)?;
    if pricing::is_metered(&priced.price.value()) {
        let message = "The local sandbox takes prices of usage_type metered on subscriptions and in Checkout only.";
        return Err(ApiError::invalid(message).about(&format!("{param}[price]")));
    }
    Ok(priced)
}

/// Creates the price that `price_data` describes.
///
/// # Errors
/// A required member is missing, or the product, the amount or the meter is invalid.
pub fn from_data(st: &mut State, data: &Args, param: &str) -> Result<Object, ApiError> {
    let currency = data.text("currency").ok_or_else(|| ApiError::missing(&format!("{param}[price_data][currency]")))?;
    let unit = pricing::unit_amount(data, &format!("{param}[price_data]"))?;
    let product = match (data.text("product"), data.given("product_data")) {
        (Some(id), _) => st.load("product", id, &format!("{param}[price_data][product]"))?.id().to_owned(),
        (None, Some(product)) => {
            let product = Args::of(product.clone());
            let name = product
                .text("name")
                .ok_or_else(|| ApiError::missing(&format!("{param}[price_data][product_data][name]")))?;
            let id = st.new_id("prod");
            let mut made = model::catalog::product(id.clone(), st.clock_s(), name);
            made.set("metadata", product.given("metadata").cloned().unwrap_or(json!({})));
            for member in ["description", "tax_code", "unit_label"] {
                made.set(member, product.value(member));
            }
            made.set("images", product.list("images"));
            let made = st.put(made);
            st.emit("product.created", &made);
            id
        }
        (None, None) => return Err(ApiError::missing(&format!("{param}[price_data][product]"))),
    };
    let recurring = data.map("recurring");
    let interval = recurring.text("interval").map(|i| (i, recurring.int("interval_count").unwrap_or(1)));
    let id = st.new_id("price");
    let mut price = model::price::price(NewPrice {
        id,
        created_s: st.clock_s(),
        currency,
        product: &product,
        unit_amount_decimal: unit,
        recurring: interval,
        trial_period_days: Value::Null,
        meter: Value::Null,
    });
    if let Some(behavior) = data.text("tax_behavior") {
        price.set("tax_behavior", behavior);
    }
    let price = st.put(price);
    plans::emit_event(st, "created", &price);
    Ok(Object::clone(&price))
}

/// Returns the id of a metered price's meter, or null for another price.
///
/// # Errors
/// A metered price has no active meter, or a price that is not metered has a meter.
pub fn meter(st: &State, recurring: &Args, param: &str) -> Result<Value, ApiError> {
    let param = format!("{param}[meter]");
    match (recurring.text("usage_type") == Some("metered"), recurring.text("meter")) {
        (false, None) => Ok(Value::Null),
        (true, None) => Err(ApiError::missing(&param)),
        (false, Some(_)) => Err(ApiError::invalid("A meter is for prices of usage_type metered only.").about(&param)),
        (true, Some(id)) => {
            let meter = st.load("billing.meter", id, &param)?;
            if meter.text("status") != "active" {
                return Err(ApiError::invalid(format!("The meter {id} is not active.")).about(&param));
            }
            Ok(json!(id))
        }
    }
}

/// Returns the name of a price's product.
pub fn product_name(st: &State, price: &Value) -> String {
    let product = price["product"].as_str().unwrap_or_default();
    st.copy_if_any(&key("product", product)).text("name").to_owned()
}

/// Returns a line's description, such as `2 × Pro (at $20.00 / month)`.
pub fn words(st: &State, price: &Value, quantity: i64) -> String {
    let name = product_name(st, price);
    let each = pricing::each(price);
    match (price["recurring"]["interval"].as_str(), price["recurring"]["interval_count"].as_i64()) {
        (Some(interval), Some(count)) if count > 1 => {
            format!("{quantity} × {name} (at {each} every {count} {interval}s)")
        }
        (Some(interval), _) => format!("{quantity} × {name} (at {each} / {interval})"),
        (None, _) => name,
    }
}
