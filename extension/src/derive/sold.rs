//! The terms of one-time purchases: those of the catalog at the sale. A later catalog does not change what was sold.

use crate::catalog::terms::{CatalogPrice, Terms};
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::json::encode;
use crate::model::records::purchase::{PurchaseRow, Sold};
use extension_contract::{Grant, Money, Price};
use std::rc::Rc;

/// Returns the terms of a price as they are stored with a sale.
pub(crate) fn terms_of(price: &CatalogPrice) -> Ruled<Sold> {
    let terms = Terms { former: Vec::new(), provider: None, ..price.terms()?.clone() };
    Ok(Sold {
        price: price.id.clone(),
        product_type: price.product_type.clone(),
        family: price.family.clone(),
        grants: price.grants.iter().map(|grant| (grant.key.clone(), grant.amount)).collect(),
        terms: encode(&terms)?,
    })
}

/// Returns the price of something that costs nothing.
pub(crate) fn price(sold: &Sold, product_id: &str, currency: &str) -> Rc<CatalogPrice> {
    price_of(sold, product_id, Money { amount_minor: 0, currency: currency.to_owned() })
}

fn price_of(sold: &Sold, product_id: &str, amount: Money) -> Rc<CatalogPrice> {
    Rc::new(CatalogPrice::of(Price {
        id: sold.price.to_string(),
        product_id: product_id.to_owned(),
        product_type: sold.product_type.clone(),
        family: sold.family.clone(),
        amount,
        interval: None,
        active: true,
        grants: sold.grants.iter().map(|(key, amount)| Grant { key: key.clone(), amount: *amount }).collect(),
        terms: sold.terms.clone(),
    }))
}

/// Returns the prices of a purchase's items with their quantities, each with the terms of the sale. A purchase without
/// stored terms gets the catalog's.
pub(crate) fn prices(desk: &Desk<'_>, purchase: &PurchaseRow) -> Ruled<Vec<(Rc<CatalogPrice>, u32)>> {
    let mut out = Vec::with_capacity(purchase.values.items.len());
    for item in &purchase.values.items {
        let Some(id) = &item.price_id else { continue };
        let price = match purchase.details.sold.iter().find(|sold| *sold.price == *id) {
            Some(sold) => Some(price_of(sold, &item.product_id, item.unit_price.clone())),
            None => desk.catalog.price(&id.as_str().into())?,
        };
        out.extend(price.map(|price| (price, item.quantity)));
    }
    Ok(out)
}
