//! Creates products and prices.

use super::{EXISTS, currency, only_id};
use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::Marks;
use crate::stripe::payload::Payload;
use crate::stripe::recovery;
use host_provider_api::Call;
use serde_json::Value;
use std::collections::HashMap;
use stripe_client_core::StripeRequest;
use stripe_product::PriceTaxBehavior;
use stripe_product::price::{
    CreatePrice, CreatePriceCurrencyOptions, CreatePriceRecurring, CreatePriceRecurringInterval,
};
use stripe_product::product::CreateProduct;

/// `stripe.product.create`: takes `name`, `description`, `metadata`, `product` (id of the product in the catalog, stored as
/// metadata); returns `id`. The returned id is derived from the effect, so a repeated call can't create a second
/// product.
pub(crate) fn product(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let id = marks.id("prod_");
    let mut request =
        CreateProduct::new(payload.text("name")?).id(id.clone()).metadata(marks.on(metadata_with_product(payload)?));
    if let Some(description) = payload.maybe_text("description")? {
        request = request.description(description);
    }
    let path = format!("/products/{id}");
    if recovery::may_be_done(call)
        && let Some(made) = api.find(path.clone())?
    {
        return id_if_ours(&marks, &made);
    }
    match api.post(request.build(), &marks, "product") {
        Err(Failed::Error { code, .. }) if code == EXISTS => id_if_ours(&marks, &api.get(path, &[])?.object),
        made => only_id(&made?),
    }
}

fn id_if_ours(marks: &Marks, found: &Value) -> Result<Value, Failed> {
    match marks.made(found)? {
        true => only_id(found),
        false => Err(Failed::Taken(marks.id("prod_"))),
    }
}

/// `stripe.price.create`: takes `stripe_product_id`, `unit_amount` in minor units, `currency`, `interval`,
/// `interval_count`, `currencies` (minor units by other currency), `tax_behavior` (`exclusive` or `inclusive`), `product` (id of the product in the catalog, stored as metadata);
/// returns `id`. A price without an interval is one-time.
pub(crate) fn price(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let product = payload.text("stripe_product_id")?;
    let amount = payload.maybe_int("unit_amount")?.filter(|amount| *amount >= 0);
    let amount = amount.ok_or(Failed::Payload { member: "unit_amount", expected: "minor units, 0 or more" })?;
    let mut request = CreatePrice::new(currency(payload.text("currency")?)?)
        .product(product)
        .unit_amount(amount)
        .metadata(marks.on(metadata_with_product(payload)?));
    let tax = payload.includes_taxes()?.map(|includes_taxes| match includes_taxes {
        true => PriceTaxBehavior::Inclusive,
        false => PriceTaxBehavior::Exclusive,
    });
    if let Some(tax) = &tax {
        request = request.tax_behavior(tax.clone());
    }
    let others = payload.amounts_by_currency("currencies", 0)?;
    if !others.is_empty() {
        // Each currency has a tax behaviour of its own.
        let option = |(currency, minor)| {
            let mut option = CreatePriceCurrencyOptions::new();
            (option.unit_amount, option.tax_behavior) = (Some(minor), tax.clone());
            (currency, option)
        };
        request = request.currency_options(others.into_iter().map(option).collect::<HashMap<_, _>>());
    }
    if let Some(interval) = payload.maybe_text("interval")? {
        let mut recurring = CreatePriceRecurring::new(unit(interval)?);
        recurring.interval_count = payload.maybe_count("interval_count")?;
        request = request.recurring(recurring);
    }
    if recovery::may_be_done(call)
        && let Some(made) = recovery::in_list(api, &marks, "/prices", &[("product", product)])?
    {
        return only_id(&made);
    }
    only_id(&api.post(request.build(), &marks, "price")?)
}

/// Returns the payload's metadata, with the `product` of the payload.
fn metadata_with_product(payload: Payload<'_>) -> Result<HashMap<String, String>, Failed> {
    let mut metadata = payload.metadata()?;
    if let Some(product) = payload.maybe_text("product")? {
        metadata.insert("product".to_owned(), product.to_owned());
    }
    Ok(metadata)
}

fn unit(interval: &str) -> Result<CreatePriceRecurringInterval, Failed> {
    match interval {
        "day" => Ok(CreatePriceRecurringInterval::Day),
        "week" => Ok(CreatePriceRecurringInterval::Week),
        "month" => Ok(CreatePriceRecurringInterval::Month),
        "year" => Ok(CreatePriceRecurringInterval::Year),
        _ => Err(Failed::Payload { member: "interval", expected: "day, week, month or year" }),
    }
}
