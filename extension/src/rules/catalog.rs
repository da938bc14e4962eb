//! Writes the catalog: loads it from a document or changes single products, and creates products and prices at the
//! payment provider.
//!
//! A published price is immutable: another amount requires another price.

mod sync;

use super::commands::COMMANDS;
use super::listing;
use crate::catalog::campaign::{BATCH_MAX, Campaigns};
use crate::catalog::checks::{
    check_entitlements, check_names, check_own, check_prices, check_rates, check_told_apart, read_type, unreadable,
};
use crate::catalog::declared::OwnResources;
use crate::catalog::desk::Desk;
use crate::catalog::entitlement::Entitlements;
use crate::catalog::in_force::{self, Change};
use crate::catalog::price::{PRICE_ID, PRICES};
use crate::catalog::product::{Proposed, normalise};
use crate::catalog::rate::Rates;
use crate::catalog::reaction::{Events, Reaction, Templates, check_reactions};
use crate::catalog::settings::{DefaultPlan, PROVIDERS, QUESTIONS, Roles, Settings};
use crate::catalog::terms::{CatalogPrice, Terms, grants_of, price_rows};
use crate::catalog::{BUSINESS, PRODUCT_TYPE};
use crate::model::gather::sort_by;
use crate::model::halt::{Answer, Halt, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::type_row_id;
use crate::model::records::listing::ListingStatus;
use crate::model::records::product::ProductRow;
use extension_contract::*;
use extension_reader::Raw;
use serde::Deserialize;
use serde_json::{Value, json};
use std::rc::Rc;
pub(super) use sync::synced;

/// A catalog document, as written by a business.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(default)]
    business: Settings,
    #[serde(default)]
    entitlements: Entitlements,
    #[serde(default)]
    rates: Rates,
    #[serde(default)]
    may: Roles,
    /// Configuration keys with their declarations for the host.
    #[serde(default)]
    config: Object,
    #[serde(default)]
    resources: OwnResources,
    #[serde(default)]
    events: Events,
    #[serde(default)]
    on: Vec<Reaction>,
    #[serde(default)]
    campaigns: Option<Campaigns>,
    /// Names of the mail templates, which are files of the host, with their placeholders.
    #[serde(default)]
    templates: Templates,
    /// Product types: a whole declaration, or the name of a loaded type.
    #[serde(borrow, default)]
    product_types: Vec<Raw<'a>>,
    #[serde(default)]
    products: Vec<Object>,
}

/// `catalog.load`: writes the document to the catalog. Products and types that it does not name are kept.
pub(super) fn load(desk: &mut Desk<'_>, payload: &str) -> Ruled<Verdict> {
    admin_of_platform(desk)?;
    let document: Document<'_> = extension_reader::from_str(payload).map_err(|error| unreadable("", &error))?;
    if !PROVIDERS.contains(&document.business.provider.as_str()) {
        let message = format!("expected one of {}", PROVIDERS.join(", "));
        return Err(wrong_field("/business/provider", FieldErrorCode::NotAllowed, message));
    }
    for (name, is_given, instead) in [
        ("defaults", !document.business.defaults.is_empty(), "`default: true` on the products themselves"),
        ("entitlements", !document.business.entitlements.is_empty(), "`entitlements` beside `business`"),
        ("rates", !document.business.rates.is_empty(), "`rates` beside `business`"),
        ("may", !document.business.may.is_empty(), "`may` in the business's own file"),
        ("config", !document.business.config.is_empty(), "`config` in the business's own file"),
        ("resources", !document.business.resources.is_empty(), "`resources` in the business's own file"),
        ("events", !document.business.events.is_empty(), "`events` beside `business`"),
        ("templates", !document.business.templates.is_empty(), "files in the business's folder `templates`"),
        ("campaigns", document.business.campaigns.is_some(), "`campaigns` beside `business`"),
        ("on", !document.business.on.is_empty(), "`on` beside `business`"),
    ] {
        if is_given {
            let message = format!("expected {instead}");
            return Err(wrong_field(&format!("/business/{name}"), FieldErrorCode::UnknownField, message));
        }
    }
    // All checks are done before anything is saved.
    let known = desk.catalog.settings()?;
    let mut resources = known.resources.clone();
    resources.extend(document.resources);
    let mut config = known.config.clone();
    config.extend(document.config.iter().map(|(key, _)| key.clone()).filter(|key| !known.config.contains(key)));
    check_own(&config, &resources)?;
    if document.campaigns.is_some_and(|campaigns| !(1..=BATCH_MAX).contains(&campaigns.batch)) {
        let message = format!("expected 1 to {BATCH_MAX}");
        return Err(wrong_field("/campaigns/batch", FieldErrorCode::OutOfRange, message));
    }
    let commands = COMMANDS.each_ref().map(|command| command.kind);
    check_reactions(&document.events, &document.on, &document.templates, &resources, &commands)?;
    let mut types = desk.catalog.stored_types()?;
    let mut decls = Vec::new();
    for (index, entry) in document.product_types.into_iter().enumerate() {
        decls.push(read_type(entry.get(), index, &types, &resources)?);
    }
    types.retain(|known| decls.iter().all(|decl| decl.name != known.name));
    types.extend(decls.iter().cloned());
    let mut entitlements = known.entitlements.clone();
    check_entitlements(&document.entitlements)?;
    entitlements.extend(document.entitlements);
    for (index, decl) in decls.iter().enumerate() {
        check_names(decl, &types, &entitlements, &config, &format!("/product_types/{index}"))?;
    }
    check_roles(&document.may)?;
    check_rates(&document.rates, &entitlements, &types)?;
    let mut settings = Settings {
        defaults: known.defaults.clone(),
        entitlements,
        rates: document.rates,
        may: document.may,
        config,
        resources,
        events: document.events,
        on: document.on,
        campaigns: document.campaigns,
        templates: document.templates,
        ..document.business
    };
    desk.catalog.decide_by(settings.clone(), types);
    let mut products: Vec<(String, Proposed)> = Vec::with_capacity(document.products.len());
    for (index, body) in document.products.iter().enumerate() {
        check_prices(body).map_err(|halt| with_index(halt, index))?;
        let proposed = normalise(&desk.catalog, desk.actor.kind, body, None).map_err(|halt| with_index(halt, index))?;
        let id = proposed.id.clone();
        let id = id.ok_or_else(|| with_index(wrong_field("/id", FieldErrorCode::Missing, "required"), index))?;
        check_told_apart(&proposed, &products).map_err(|halt| with_index(halt, index))?;
        check(desk, &id, &proposed).map_err(|halt| with_index(halt, index))?;
        products.push((id, proposed));
    }
    let type_ids = decls.iter().map(|decl| type_row_id(&decl.name));
    let ids = products.iter().map(|(id, _)| id.clone());
    let all: Vec<String> = ids.chain(type_ids).chain([BUSINESS.to_owned()]).collect();
    desk.account.load::<ProductRow>(&all)?;
    for decl in &decls {
        let values = catalog_row(PRODUCT_TYPE, &decl.name, encode(decl)?);
        save(desk, &type_row_id(&decl.name), &values)?;
    }
    let mut ids = Vec::with_capacity(products.len());
    for (index, (id, proposed)) in products.into_iter().enumerate() {
        update_default_plan(&mut settings, &id, &proposed).map_err(|halt| with_index(halt, index))?;
        put(desk, &id, proposed, None).map_err(|halt| with_index(halt, index))?;
        ids.push(id);
    }
    save_settings(desk, &settings)?;
    let reply = json!({"product_types": decls.iter().map(|d| &d.name).collect::<Vec<_>>(), "products": ids});
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// Fails if roles are listed for an unknown command or query.
fn check_roles(may: &Roles) -> Ruled<()> {
    let known = COMMANDS.iter().map(|command| command.kind).chain(QUESTIONS);
    let known: Vec<&str> = known.collect();
    match may.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let message = format!("`{key}` is not a command or query: expected one of {}", known.join(", "));
            Err(wrong_field(&format!("/may/{key}"), FieldErrorCode::UnknownField, message))
        }
    }
}

/// Prefixes the paths of field errors with the product's position in the document.
fn with_index(halt: Halt, index: usize) -> Halt {
    match halt {
        Halt::Refused(Refusal::Invalid(errors)) => Halt::Refused(Refusal::Invalid(
            errors.into_iter().map(|e| FieldError { path: format!("/products/{index}{}", e.path), ..e }).collect(),
        )),
        other => other,
    }
}

/// Returns the values of one of the catalog's own rows.
fn catalog_row(product_type: &str, name: &str, metadata: Json) -> ProductValues {
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

fn save_settings(desk: &mut Desk<'_>, settings: &Settings) -> Ruled<()> {
    let values = catalog_row(BUSINESS, desk.business, encode(settings)?);
    save(desk, BUSINESS, &values)
}

/// Fails unless the actor is an operator or service and the account is the platform.
pub(super) fn admin_of_platform(desk: &Desk<'_>) -> Ruled<()> {
    if !desk.account.is_platform() {
        return Err(Refusal::Forbidden("the catalog belongs to the platform".to_owned()).into());
    }
    match desk.actor.kind {
        ActorKind::Admin | ActorKind::Service | ActorKind::System => Ok(()),
        ActorKind::User | ActorKind::Extension => Err(Refusal::Forbidden("admin".to_owned()).into()),
    }
}

/// Writes a product of the catalog if it has changed.
fn save(desk: &mut Desk<'_>, id: &str, values: &ProductValues) -> Ruled<()> {
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

/// Updates the default plan of a family. Fails if another plan is already the default.
fn update_default_plan(settings: &mut Settings, id: &str, proposed: &Proposed) -> Ruled<()> {
    let Some(family) = &proposed.decl.family else { return Ok(()) };
    let known = settings.defaults.get(family);
    match (proposed.is_default && proposed.values.active, known) {
        (true, Some(other)) if other.product_id != id => {
            let message = format!("{} is already the default of family {family}", other.product_id);
            return Err(wrong_field("/default", FieldErrorCode::Taken, message));
        }
        (true, _) => {
            let account = proposed.decl.buy.as_ref().and_then(|buy| buy.account);
            let plan = DefaultPlan { product_id: id.to_owned(), grants: grants_of(proposed, id), account };
            settings.defaults.insert(family.clone(), plan);
        }
        (false, Some(known)) if known.product_id == id => drop(settings.defaults.remove(family)),
        (false, _) => {}
    }
    Ok(())
}

/// Checks whether a product can be put into the catalog: its type allows it, and its prices match the published prices.
fn check(desk: &Desk<'_>, id: &str, proposed: &Proposed) -> Ruled<()> {
    if !proposed.decl.catalog {
        let message =
            format!("products of type {} belong to accounts: expected a type with `catalog: true`", proposed.decl.name);
        return Err(wrong_field("/product_type", FieldErrorCode::NotAllowed, message));
    }
    let settings = desk.catalog.settings()?;
    let prices = proposed.prices(&settings.currency);
    if proposed.values.active
        && !settings.sync_prices
        && let Some(price) = prices.iter().find(|price| price.id.is_none())
    {
        let path = match proposed.metadata.contains_key(PRICES) {
            true => format!("/prices/{}/id", price.interval.name()),
            false => format!("/metadata/{PRICE_ID}"),
        };
        let message = format!("required: the prices of {id} are made elsewhere (`sync_prices: false`)");
        return Err(wrong_field(&path, FieldErrorCode::Missing, message));
    }
    let is_sold = proposed.values.active && proposed.metadata.get("purchasable") != Some(&json!(false));
    let missing = proposed.decl.intervals.iter().find(|wanted| prices.iter().all(|price| price.interval != **wanted));
    if let Some(interval) = missing.filter(|_| is_sold && !proposed.is_default) {
        let message = format!("required: each {} has this price", proposed.decl.name);
        return Err(wrong_field(&format!("/prices/{}", interval.name()), FieldErrorCode::Missing, message));
    }
    for price in price_rows(proposed, id, &settings.currency)? {
        check_price(desk, &price)?;
    }
    Ok(())
}

/// Puts one product into the catalog and updates the default plans. Returns true if a price of the product is being
/// created at the provider; then the caller in `reply_to` receives the reply afterwards.
pub(super) fn put_one(desk: &mut Desk<'_>, id: &str, proposed: Proposed, reply_to: Option<String>) -> Ruled<bool> {
    let known = desk.catalog.settings()?;
    let mut settings = (*known).clone();
    update_default_plan(&mut settings, id, &proposed)?;
    let owner = listing::owner(&proposed.decl, &proposed.metadata);
    let name = proposed.values.name.clone();
    let status = if proposed.values.active { ListingStatus::Listed } else { ListingStatus::Unlisted };
    let is_syncing = put(desk, id, proposed, reply_to)?;
    if let Some(owner) = owner {
        listing::notify_owner(desk, owner, id, name, status, None)?;
    }
    if settings != *known {
        save_settings(desk, &settings)?;
    }
    Ok(is_syncing)
}

/// Handles the deletion of a catalog product: it is no longer a default plan, and its owner is notified.
pub(super) fn remove(desk: &mut Desk<'_>, id: &str, before: &ProductValues) -> Ruled<()> {
    let metadata = decode("products", id, &before.metadata)?;
    let decl = desk.catalog.type_named(&before.product_type)?;
    if let Some(owner) = decl.and_then(|decl| listing::owner(&decl, &metadata)) {
        listing::notify_owner(desk, owner, id, before.name.clone(), ListingStatus::Unlisted, None)?;
    }
    let known = desk.catalog.settings()?;
    let mut settings = (*known).clone();
    settings.defaults.retain(|_, plan| plan.product_id != id);
    if settings != *known {
        save_settings(desk, &settings)?;
    }
    Ok(())
}

/// Puts a product; stores its prices, or requests their creation at the provider. Returns true if any is requested.
fn put(desk: &mut Desk<'_>, id: &str, mut proposed: Proposed, reply_to: Option<String>) -> Ruled<bool> {
    check(desk, id, &proposed)?;
    let current = desk.catalog.product(id)?;
    let stored = current.as_ref().map(|_| desk.catalog.metadata(id)).transpose()?;
    let sync_failed = match &current {
        Some(current) => sync::keep_provider_ids(current, &mut proposed)?,
        None => false,
    };
    put_in_force(desk, stored.as_deref(), &mut proposed)?;
    let currency = desk.catalog.settings()?.currency.clone();
    for price in price_rows(&proposed, id, &currency)? {
        put_price(desk, price)?;
    }
    let is_missing = proposed.prices(&currency).iter().any(|price| price.id.is_none());
    let wants_sync = is_missing && proposed.values.active;
    if wants_sync {
        sync::mark(&mut proposed, sync_failed)?;
    }
    save(desk, id, &proposed.values)?;
    if wants_sync {
        sync::request_missing(desk, id, &proposed.values, &proposed.metadata, reply_to)?;
    }
    Ok(wants_sync)
}

/// Writes which prices of usage are in force into a product.
fn put_in_force(desk: &Desk<'_>, stored: Option<&Object>, proposed: &mut Proposed) -> Ruled<()> {
    let settings = desk.catalog.settings()?;
    let sellers = settings.rates.values().filter_map(|rate| rate.seller.as_ref());
    let mut fields: Vec<&str> = sellers.map(|seller| seller.micros.as_str()).collect();
    sort_by(&mut fields, |a, b| a.cmp(b));
    fields.dedup();
    let change = Change { stored, active: proposed.values.active, waits: proposed.waits, at: desk.now };
    in_force::update(&change, &mut proposed.metadata, &fields);
    proposed.values.metadata = encode(&proposed.metadata)?;
    Ok(())
}

/// Returns the published price with this id. Fails if amount, interval or product differ.
fn check_price(desk: &Desk<'_>, price: &Price) -> Ruled<Option<Rc<CatalogPrice>>> {
    let Some(current) = desk.catalog.price(&price.id)? else { return Ok(None) };
    if current.amount != price.amount || current.interval != price.interval {
        let published = &current.amount;
        let message = format!("{} is published at {} {}", price.id, published.amount_minor, published.currency);
        return Err(wrong_field("/price", FieldErrorCode::ReadOnly, message));
    }
    if current.product_id != price.product_id {
        let message = format!("{} belongs to {}", price.id, current.product_id);
        return Err(wrong_field("/stripe_price_id", FieldErrorCode::Taken, message));
    }
    Ok(Some(current))
}

/// Inserts a price, or updates its grants.
fn put_price(desk: &mut Desk<'_>, mut price: Price) -> Ruled<()> {
    let current = check_price(desk, &price)?;
    // The provider's state is kept: loading the catalog does not reactivate a withdrawn price.
    if let Some(provider) = current.as_ref().map(|price| price.terms()).transpose()?.and_then(|terms| terms.provider) {
        price.terms = encode(&Terms { provider: Some(provider), ..Terms::read(&price)? })?;
        price.active &= !provider.withdrawn;
    }
    if current.is_none_or(|current| **current != price) {
        let key = CatalogKey::Price(price.id.clone());
        desk.catalog.write_over(key, Some(CatalogRow::Price(price.clone())));
        desk.account.put_price(price)?;
    }
    Ok(())
}

/// Puts a product that the platform wrote into the catalog.
pub(super) fn adopt(desk: &mut Desk<'_>, id: &str, values: &ProductValues) -> Ruled<()> {
    let types = desk.catalog.types()?;
    if !types.iter().any(|decl| decl.catalog && decl.name == values.product_type) {
        let message = format!("`{}` is not a product type of the catalog", values.product_type);
        return Err(wrong_field("/product_type", FieldErrorCode::NotAllowed, message));
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
