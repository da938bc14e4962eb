//! The price rows of a catalog product, with their terms and grants.

use super::buy::Buy;
use super::currencies::OtherAmounts;
use super::price::{Interval, PRICES, ProductPrice};
use super::product::Proposed;
use super::sale::Sale;
use super::template::Scope;
use super::terms::Terms;
use crate::model::json::{Object, encode};
use crate::model::records::purchase::Sold;
use extension_contract::{Fallible, Grant, Price};
use serde_json::Value;

/// Returns a whole number of the metadata; true is 1.
fn number(metadata: &Object, field: &str) -> Option<i64> {
    let value = metadata.get(field)?;
    value.as_i64().or_else(|| value.as_bool().map(i64::from))
}

/// Returns the grants of one product of the catalog.
pub(crate) fn grants_of(proposed: &Proposed, product_id: &str) -> Vec<Grant> {
    let fields = with_id(&proposed.metadata, product_id);
    let scope = Scope::default().object("product", &fields);
    let resolved = proposed.decl.grants.iter().filter_map(|(key, granted)| {
        let amount = granted.amount().of(&scope)?;
        Some(Grant { key: filled(key, &scope)?, amount })
    });
    resolved.collect()
}

/// Returns the metadata of a product with the product's id, for templates.
pub(crate) fn with_id(metadata: &Object, product_id: &str) -> Object {
    let mut fields = metadata.clone();
    fields.entry("id").or_insert_with(|| Value::from(product_id));
    fields
}

/// Fills in the placeholders of a key.
fn filled(key: &str, scope: &Scope<'_>) -> Option<String> {
    match scope.fill(&Value::String(key.to_owned())) {
        Ok(Value::String(text)) => Some(text),
        Ok(other) => Some(other.to_string()),
        Err(_) => None,
    }
}

/// Returns the terms of a product's prices.
fn terms_of(proposed: &Proposed, product_id: &str, prices: &[ProductPrice]) -> Terms {
    let decl = &proposed.decl;
    let rank = decl.rank_by.as_ref().and_then(|field| number(&proposed.metadata, field));
    // With a single price, the rank is its amount; with several, it is the monthly amount of the first one.
    let by_price = || match prices {
        [] => 0,
        [only] => only.amount.amount_minor,
        [first, ..] => first.amount.amount_minor.saturating_mul(first.interval.a_year()) / Interval::Month.a_year(),
    };
    let fields = with_id(&proposed.metadata, product_id);
    let scope = Scope::default().object("product", &fields);
    let conditional =
        decl.grants.iter().filter_map(|(key, granted)| Some((filled(key, &scope)?, granted.required()?.to_owned())));
    let buy = decl.buy.as_ref();
    let item = buy.and_then(|buy| buy.limited(&proposed.metadata));
    let once = decl.grants.iter().filter(|(_, granted)| granted.is_per_purchase());
    let sale = Sale::of(decl, &proposed.metadata).unwrap_or_default();
    Terms {
        rank: rank.unwrap_or_else(by_price),
        requires_plan: decl.requires_plan(),
        condition: buy.and_then(Buy::required).map(str::to_owned),
        conditions: conditional.into_iter().collect(),
        item: item.map(|value| format!("{}:{value}", decl.name)),
        credit_expires: decl.on_paid.iter().filter_map(|left| left.expires).min(),
        credit: credit_of(proposed, &scope, |currency| currency.is_none()),
        credits: others_of(proposed, &scope),
        by_seat: decl.family.is_some() && sale.quantity.is_some(),
        per_purchase: once.filter_map(|(key, _)| filled(key, &scope)).collect(),
        adds: buy.is_some_and(|buy| buy.adds),
        currencies: OtherAmounts::new(),
        split: decl.split.as_ref().and_then(|split| split.share(&proposed.metadata)),
        former: Vec::new(),
        provider: None,
    }
}

/// Returns the credits that a payment of a product in the other currencies grants.
fn others_of(proposed: &Proposed, scope: &Scope<'_>) -> OtherAmounts {
    let named = proposed.decl.on_paid.iter().filter_map(|left| left.currency.as_ref());
    named.filter_map(|code| Some((code.clone(), credit_of(proposed, scope, |of| of == Some(code.as_str()))?))).collect()
}

/// Returns the credits that a payment of a product in certain currencies grants; `None` if the catalog says nothing about them.
fn credit_of(proposed: &Proposed, scope: &Scope<'_>, is_in: impl Fn(Option<&str>) -> bool) -> Option<i64> {
    let of_currency = proposed.decl.on_paid.iter().filter(|left| is_in(left.currency.as_deref()));
    of_currency.filter_map(|left| left.credit.of(scope)).reduce(i64::saturating_add)
}

/// Returns what a plan grants while it is tried: the terms of its prices, under the product's id.
pub(crate) fn tried(proposed: &Proposed, product_id: &str, currency: &str) -> Fallible<Sold> {
    let terms = Terms {
        requires_plan: false,
        condition: None,
        item: None,
        ..terms_of(proposed, product_id, &proposed.prices(currency))
    };
    Ok(Sold {
        price: product_id.into(),
        product_type: proposed.decl.name.clone(),
        family: proposed.decl.family.clone(),
        grants: grants_of(proposed, product_id).into_iter().map(|grant| (grant.key, grant.amount)).collect(),
        terms: encode(&terms)?,
    })
}

/// Returns the rows of those prices of a product that have an id.
pub(crate) fn price_rows(proposed: &Proposed, product_id: &str, currency: &str) -> Fallible<Vec<Price>> {
    let prices = proposed.prices(currency);
    let terms = terms_of(proposed, product_id, &prices);
    let grants = grants_of(proposed, product_id);
    let with_ids = prices.into_iter().filter_map(|mut price| Some((price.id.take()?, price)));
    let rows = with_ids.map(|(id, price)| {
        Ok(Price {
            id: id.into(),
            product_id: product_id.to_owned(),
            product_type: proposed.decl.name.clone(),
            family: proposed.decl.family.clone(),
            interval: match proposed.metadata.contains_key(PRICES) {
                true => price.interval.billing(),
                false => proposed.values.interval,
            },
            active: proposed.values.active,
            grants: grants.clone(),
            terms: encode(&Terms { currencies: price.others, ..terms.clone() })?,
            amount: price.amount,
        })
    });
    rows.collect()
}
