//! Puts a product into the catalog, with its prices, its default plan and the message to its owner.
//!
//! A published price is immutable: another amount requires another price.

mod sync;
mod unique;
mod withdrawal;

use super::listed;
use crate::catalog::in_force::{self, Change};
use crate::catalog::names::BUSINESS;
use crate::catalog::price::{PRICE_ID, PRICES};
use crate::catalog::price_rows::{grants_of, price_rows, tried};
use crate::catalog::product::{Proposed, is_purchasable, normalise};
use crate::catalog::sale::{Sale, TrialStart};
use crate::catalog::settings::{DefaultPlan, Settings, SignUpTrial};
use crate::catalog::terms::{CatalogPrice, Terms};
use crate::desk::Desk;
use crate::desk::instance::names;
use crate::model::halt::{Ruled, wrong_field};
use crate::model::ids::PriceId;
use crate::model::json::{Object, decode, encode};
use crate::model::records::listing::ListingStatus;
use crate::model::records::product::ProductRow;
use extension_contract::*;
use serde_json::{Value, json};
use std::rc::Rc;
pub(crate) use sync::{Wanted, request_missing};

/// What putting a product has led to.
pub(crate) struct Put {
    /// Whether a price is being created at Stripe.
    pub is_syncing: bool,
    /// The Stripe ids of prices that were on sale and are no longer.
    pub dropped: Vec<PriceId>,
}

/// Returns the values of one of the catalog's own rows.
pub(crate) fn catalog_row(product_type: &str, name: &str, metadata: Json) -> ProductValues {
    ProductValues {
        product_type: product_type.to_owned(),
        name: name.to_owned(),
        description: String::new(),
        active: true,
        price: None,
        interval: None,
        filters: Vec::new(),
        metadata,
    }
}

pub(crate) fn save_settings(desk: &mut Desk<'_>, settings: &Settings) -> Ruled<()> {
    let values = catalog_row(BUSINESS, desk.business, settings.stored()?);
    save(desk, BUSINESS, &values)
}

/// Writes a product of the catalog if it has changed.
pub(crate) fn save(desk: &mut Desk<'_>, id: &str, values: &ProductValues) -> Ruled<()> {
    let current = desk.catalog.product(id)?;
    if current.as_ref().is_some_and(|row| row.values == *values) {
        return Ok(());
    }
    desk.account.load::<ProductRow>(&[id.to_owned()])?;
    desk.account.put(id, ProductRow::from(values.clone()));
    let version = current.map_or(0, |row| row.version) + 1;
    let owner = Account::Platform;
    let row = Product { id: id.to_owned(), owner, values: values.clone(), version, deleted: false };
    desk.catalog.write_over(CatalogKey::Product(id.to_owned()), Some(CatalogRow::Product(row)));
    Ok(())
}

/// Updates the default plan of a family and the plan that is tried from the sign-up on. Fails if another plan is already one of them.
pub(crate) fn update_plans(settings: &mut Settings, id: &str, proposed: &Proposed) -> Ruled<()> {
    update_default_plan(settings, id, proposed)?;
    let terms = Sale::of(&proposed.decl, &proposed.metadata)?;
    let trial = terms.trial.filter(|trial| trial.at == TrialStart::SignUp && proposed.values.active);
    match (trial, &settings.sign_up) {
        (Some(_), Some(other)) if *other.product_id != *id => {
            let (found, expected) = (format!("{} has the trial from the sign-up on", other.product_id), "");
            Err(wrong_field("/trial/at", FieldErrorCode::Taken, found, expected))
        }
        (Some(trial), _) => {
            settings.sign_up = Some(SignUpTrial {
                product_id: id.into(),
                days: trial.days(),
                quantity: terms.quantities().0,
                account: proposed.decl.buy.as_ref().and_then(|buy| buy.account),
                then: trial.then,
                tried: tried(proposed, id, &settings.currency)?,
            });
            Ok(())
        }
        (None, Some(known)) if *known.product_id == *id => {
            settings.sign_up = None;
            Ok(())
        }
        (None, _) => Ok(()),
    }
}

/// Updates the default plan of a family. Fails if another plan is already the default.
fn update_default_plan(settings: &mut Settings, id: &str, proposed: &Proposed) -> Ruled<()> {
    let Some(family) = &proposed.decl.family else { return Ok(()) };
    let known = settings.defaults.get(family);
    match (proposed.is_default && proposed.values.active, known) {
        (true, Some(other)) if *other.product_id != *id => {
            let (found, expected) = (format!("{} is already the default of family {family}", other.product_id), "");
            return Err(wrong_field("/default", FieldErrorCode::Taken, found, expected));
        }
        (true, _) => {
            let account = proposed.decl.buy.as_ref().and_then(|buy| buy.account);
            let plan = DefaultPlan { product_id: id.into(), grants: grants_of(proposed, id), account };
            settings.defaults.insert(family.clone(), plan);
        }
        (false, Some(known)) if *known.product_id == *id => drop(settings.defaults.remove(family)),
        (false, _) => {}
    }
    Ok(())
}

/// Checks that a product on sale has a price for each interval that its type requires.
pub(crate) fn check_intervals(proposed: &Proposed, currency: &str) -> Ruled<()> {
    let prices = proposed.prices(currency);
    let is_sold = proposed.values.active && is_purchasable(&proposed.metadata);
    let missing = proposed.decl.intervals.iter().find(|wanted| prices.iter().all(|price| price.interval != **wanted));
    match missing.filter(|_| is_sold && !proposed.is_default) {
        None => Ok(()),
        Some(interval) => {
            let (found, expected) = (format!("required: each {} has this price", proposed.decl.name), "");
            Err(wrong_field(&format!("/prices/{}", interval.name()), FieldErrorCode::Missing, found, expected))
        }
    }
}

/// Checks whether a product can be put into the catalog: its type allows it, and its prices match the published prices.
pub(crate) fn check(desk: &Desk<'_>, id: &str, proposed: &Proposed) -> Ruled<()> {
    if !proposed.decl.catalog {
        let (found, expected) =
            (format!("products of type {} belong to accounts", proposed.decl.name), "a type with `catalog: true`");
        return Err(wrong_field("/product_type", FieldErrorCode::NotAllowed, found, expected));
    }
    let settings = desk.catalog.settings()?;
    let prices = proposed.prices(&settings.currency);
    if let Some(price) = prices.iter().find(|price| proposed.is_default && price.amount.amount_minor > 0) {
        let (found, expected) = (
            format!("the plan is in force for accounts that pay nothing, and is sold by the {}", price.interval.name()),
            "a plan without a price",
        );
        return Err(wrong_field("/default", FieldErrorCode::NotAllowed, found, expected));
    }
    if proposed.values.active
        && !settings.sync_prices
        && let Some(price) = prices.iter().find(|price| price.id.is_none())
    {
        let path = match proposed.metadata.contains_key(PRICES) {
            true => format!("/prices/{}/id", price.interval.name()),
            false => format!("/metadata/{PRICE_ID}"),
        };
        let (found, expected) = (format!("required: the prices of {id} are made elsewhere (`sync_prices: false`)"), "");
        return Err(wrong_field(&path, FieldErrorCode::Missing, found, expected));
    }
    check_intervals(proposed, &settings.currency)?;
    for price in price_rows(proposed, id, &settings.currency)? {
        check_price(desk, &price)?;
    }
    Ok(())
}

/// Puts one product into the catalog and updates the default plans. Returns true if a price of the product is being
/// created at Stripe; then the caller in `reply_to` receives the reply afterwards.
pub(crate) fn put_one(desk: &mut Desk<'_>, id: &str, proposed: Proposed, reply_to: Option<String>) -> Ruled<bool> {
    let known = desk.catalog.settings()?;
    let mut settings = (*known).clone();
    update_plans(&mut settings, id, &proposed)?;
    let owner = listed::owner(&proposed.decl, &proposed.metadata);
    let name = proposed.values.name.clone();
    let status = if proposed.values.active { ListingStatus::Listed } else { ListingStatus::Unlisted };
    let is_syncing = put(desk, id, proposed, reply_to)?.is_syncing;
    if let Some(owner) = owner {
        listed::notify_owner(desk, owner, id, name, status, None)?;
    }
    if settings != *known {
        save_settings(desk, &settings)?;
    }
    Ok(is_syncing)
}

/// Handles the deletion of a catalog product: it is no longer a default plan, and its owner is notified.
pub(crate) fn remove(desk: &mut Desk<'_>, id: &str, before: &ProductValues) -> Ruled<()> {
    let metadata = decode("products", id, &before.metadata)?;
    let decl = desk.catalog.type_named(&before.product_type)?;
    if let Some(decl) = &decl {
        unique::release(desk, names(decl, &metadata))?;
    }
    if let Some(owner) = decl.and_then(|decl| listed::owner(&decl, &metadata)) {
        listed::notify_owner(desk, owner, id, before.name.clone(), ListingStatus::Unlisted, None)?;
    }
    let known = desk.catalog.settings()?;
    let mut settings = (*known).clone();
    settings.forget_plan(id);
    if settings != *known {
        save_settings(desk, &settings)?;
    }
    Ok(())
}

/// Takes a product and its prices off sale, and releases its unique values. Returns the prices that were on sale; `None` if the product
/// was not on sale.
pub(crate) fn withdraw(desk: &mut Desk<'_>, id: &str) -> Ruled<Option<Vec<PriceId>>> {
    let Some(row) = desk.catalog.product(id)? else { return Ok(None) };
    if withdrawal::is_withdrawn(&row.values) {
        return Ok(None);
    }
    let metadata = desk.catalog.metadata(id)?;
    if let Some(decl) = desk.catalog.type_named(&row.values.product_type)? {
        unique::release(desk, names(&decl, &metadata))?;
    }
    let values = withdrawal::withdrawn(&row.values);
    save(desk, id, &values)?;
    let ids = withdrawal::price_ids(desk, &values, &metadata)?;
    let prices = withdrawal::withdraw_prices(desk, ids)?;
    Ok(row.values.active.then_some(prices))
}

/// Puts a product; stores its prices, or requests their creation at Stripe. Prices that it no longer has go off sale.
pub(crate) fn put(desk: &mut Desk<'_>, id: &str, mut proposed: Proposed, reply_to: Option<String>) -> Ruled<Put> {
    check(desk, id, &proposed)?;
    let current = desk.catalog.product(id)?;
    let stored = current.as_ref().map(|_| desk.catalog.metadata(id)).transpose()?;
    let sync_failed = match &current {
        Some(current) => sync::keep_stripe_ids(current, &mut proposed)?,
        None => false,
    };
    // A withdrawn product has released its values, and another product may have them now.
    let held = stored.as_deref().filter(|_| current.as_ref().is_some_and(|row| !withdrawal::is_withdrawn(&row.values)));
    unique::take(desk, &proposed.decl, held, &proposed.metadata)?;
    let had = match (&current, &stored) {
        (Some(row), Some(stored)) => withdrawal::price_ids(desk, &row.values, stored)?,
        _ => Vec::new(),
    };
    put_in_force(desk, stored.as_deref(), &mut proposed)?;
    let currency = desk.catalog.settings()?.currency.clone();
    for price in price_rows(&proposed, id, &currency)? {
        put_price(desk, price)?;
    }
    let prices = proposed.prices(&currency);
    let is_dropped = |id: &PriceId| prices.iter().all(|price| price.id.as_ref() != Some(id));
    let dropped = withdrawal::withdraw_prices(desk, had.into_iter().filter(is_dropped).collect())?;
    let is_missing = prices.iter().any(|price| price.id.is_none());
    let wants_sync = is_missing && proposed.values.active;
    if wants_sync {
        sync::mark(&mut proposed, sync_failed)?;
    }
    save(desk, id, &proposed.values)?;
    if wants_sync {
        let at_stripe = Some(&proposed.stripe_metadata).filter(|metadata| !metadata.is_empty());
        let wanted = Wanted { values: &proposed.values, metadata: &proposed.metadata, at_stripe };
        sync::request_missing(desk, id, wanted, reply_to)?;
    }
    Ok(Put { is_syncing: wants_sync, dropped })
}

/// Writes which prices of usage are in force into a product.
fn put_in_force(desk: &Desk<'_>, stored: Option<&Object>, proposed: &mut Proposed) -> Ruled<()> {
    let settings = desk.catalog.settings()?;
    let sellers = settings.rates.values().filter_map(|rate| rate.seller.as_ref());
    let mut fields: Vec<&str> = sellers.map(|seller| seller.field()).collect();
    fields.sort();
    fields.dedup();
    let change = Change { stored, active: proposed.values.active, waits: proposed.waits, at: desk.now };
    in_force::update(&change, &mut proposed.metadata, &fields);
    proposed.values.metadata = encode(&proposed.metadata)?;
    Ok(())
}

/// Returns the published price with this id. Fails if amount, interval or product differ.
fn check_price(desk: &Desk<'_>, price: &Price) -> Ruled<Option<Rc<CatalogPrice>>> {
    let Some(current) = desk.catalog.price(&price.id.as_str().into())? else { return Ok(None) };
    let (before, now) = (&current.terms()?.currencies, Terms::read(price)?.currencies);
    let has_changed = |currency: &String| now.get(currency).is_some_and(|amount| before.get(currency) != Some(amount));
    if let Some((currency, published)) = before.iter().find(|(currency, _)| has_changed(currency)) {
        let found = format!("{} is published at {published} {currency}", price.id);
        return Err(wrong_field("/price", FieldErrorCode::ReadOnly, found, "this price, or another id"));
    }
    if current.amount != price.amount || current.interval != price.interval {
        let published = &current.amount;
        let (found, expected) = (
            format!("{} is published at {} {}", price.id, published.amount_minor, published.currency),
            "this price, or another id",
        );
        return Err(wrong_field("/price", FieldErrorCode::ReadOnly, found, expected));
    }
    if *current.product_id != price.product_id {
        let (found, expected) = (format!("{} belongs to {}", price.id, current.product_id), "another id");
        return Err(wrong_field("/stripe_price_id", FieldErrorCode::Taken, found, expected));
    }
    Ok(Some(current))
}

/// Inserts a price, or updates its grants. A grant that is left out stays.
pub(crate) fn put_price(desk: &mut Desk<'_>, mut price: Price) -> Ruled<()> {
    let current = check_price(desk, &price)?;
    if let Some(published) = &current {
        let before = published.terms()?;
        withdrawal::keep_grants(published, before, &mut price)?;
        let terms = Terms::read(&price)?.after(before, desk.now);
        if !terms.former.is_empty() || terms.provider.is_some() || !terms.currencies.is_empty() {
            price.terms = encode(&terms)?;
        }
        price.active &= !terms.provider.is_some_and(|at_stripe| at_stripe.withdrawn);
    }
    if current.is_none_or(|current| **current != price) {
        let key = CatalogKey::Price(price.id.clone());
        desk.catalog.write_over(key, Some(CatalogRow::Price(price.clone())));
        desk.account.put_price(price)?;
    }
    Ok(())
}

/// Puts a product that the platform wrote into the catalog.
pub(crate) fn adopt(desk: &mut Desk<'_>, id: &str, values: &ProductValues) -> Ruled<()> {
    let types = desk.catalog.types()?;
    if !types.iter().any(|decl| decl.catalog && decl.name == values.product_type) {
        let (found, expected) = (format!("`{}` is not a product type of the catalog", values.product_type), "");
        return Err(wrong_field("/product_type", FieldErrorCode::NotAllowed, found, expected));
    }
    let mut body = Object::new();
    body.insert("product_type".to_owned(), json!(values.product_type));
    body.insert("name".to_owned(), json!(values.name));
    body.insert("description".to_owned(), json!(values.description));
    body.insert("active".to_owned(), json!(values.active));
    if let Some(price) = &values.price {
        body.insert("price".to_owned(), json!({"amount_minor": price.amount_minor, "currency": price.currency}));
    }
    if let Some(interval) = &values.interval {
        body.insert("billing_interval".to_owned(), json!(interval.unit));
    }
    body.insert("metadata".to_owned(), Value::Object(decode("products", id, &values.metadata)?));
    let proposed = normalise(&desk.catalog, desk.actor.kind, &body, None)?;
    put_one(desk, id, proposed, None)?;
    Ok(())
}
