//! The catalog: policies, product types, plans and prices, and their match at the payment provider.
//!
//! It belongs to the account `platform`. A price is a small typed row with what it grants already resolved, so that a
//! webhook event never reads a plan. A published price is never changed: another amount is another price.

use crate::context::{Context, Handled, Step, Stop, decode, encode, request};
use crate::product::{self, Proposed};
use crate::rows::Rows;
use crate::schema::{self, TypeDecl};
use products_contract::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Policies of a business, with the defaults of requirements 7.2 and 8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Payment provider.
    pub provider: String,
    /// Currency of all prices.
    pub currency: String,
    /// Days of full service after a failed payment.
    pub grace_days: u32,
    /// Days after the first failed payment on which a mail goes out.
    pub dunning_days: Vec<u32>,
    /// Days to choose what to keep when a plan allows less than is in use.
    pub over_limit_days: u32,
    /// Days from suspension to archive.
    pub archive_after_days: u32,
    /// Days that an archive is kept.
    pub retention_days: u32,
    /// Days before a step that loses something, on which a mail goes out.
    pub notice_days: Vec<u32>,
    /// Days for which a name stays blocked after its product is gone.
    pub name_block_days: u32,
    /// Days for which the last backup of a deleted product is kept.
    pub final_backup_days: u32,
    /// Hours in `error` after which lost days are credited.
    pub error_credit_hours: u32,
    /// Where checkout returns to.
    pub success_url: Option<String>,
    /// Where checkout returns to when it is left.
    pub cancel_url: Option<String>,
    /// Origins that a return URL may have.
    pub origins: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            provider: "stripe".to_owned(),
            currency: "usd".to_owned(),
            grace_days: 7,
            dunning_days: vec![0, 3, 6],
            over_limit_days: 14,
            archive_after_days: 30,
            retention_days: 90,
            notice_days: vec![7, 1],
            name_block_days: 30,
            final_backup_days: 30,
            error_credit_hours: 24,
            success_url: None,
            cancel_url: None,
            origins: Vec::new(),
        }
    }
}

/// The payment providers that effects exist for.
const PROVIDERS: [&str; 1] = ["stripe"];

/// Terms of a price that its row has no column for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// Rank within the family; the highest plan counts.
    pub rank: i64,
    /// It entitles only beside a plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requires_plan: bool,
    /// What the provider said last of whether it is on sale; none if it never said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<OnSale>,
}

/// Whether the provider sells a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct OnSale {
    /// The provider's time, in milliseconds since the epoch.
    pub at: Timestamp,
    /// True if it no longer sells it; of two views of one second this one counts.
    pub withdrawn: bool,
}

impl Terms {
    /// The terms of a price.
    pub fn read(price: &Price) -> Fallible<Terms> {
        decode("prices", &price.id, &price.terms)
    }
}

/// Id of the product row that holds the policies; also its product type.
const BUSINESS: &str = "business";
/// Product type of the rows that hold product types.
const PRODUCT_TYPE: &str = "product_type";

/// Whether a product type is one that the catalog keeps its own rows under: only `catalog.load` writes these.
pub(crate) fn is_reserved(product_type: &str) -> bool {
    matches!(product_type, BUSINESS | PRODUCT_TYPE)
}

/// The policies of the business; the defaults before a catalog is loaded.
pub(crate) fn load_settings(host: &mut Rows<'_>) -> Fallible<Settings> {
    match host.products_load(&[BUSINESS.to_owned()])?.into_iter().next().flatten() {
        Some(row) if row.values.product_type == BUSINESS => decode("products", BUSINESS, &row.values.metadata),
        _ => Ok(Settings::default()),
    }
}

/// All product types: the catalog's; the built-in ones before it has any.
pub(crate) fn types(host: &mut Rows<'_>) -> Fallible<Vec<TypeDecl>> {
    let stored = stored_types(host)?;
    Ok(if stored.is_empty() { schema::built_in() } else { stored })
}

/// The product types that the catalog holds.
fn stored_types(host: &mut Rows<'_>) -> Fallible<Vec<TypeDecl>> {
    let rows = host.products(true, Some(PRODUCT_TYPE))?;
    rows.iter().map(|row| decode("products", &row.id, &row.values.metadata)).collect()
}

/// One product type by its name.
pub(crate) fn type_named(host: &mut Rows<'_>, name: &str) -> Fallible<Option<TypeDecl>> {
    match host.products_load(&[name.to_owned()])?.into_iter().next().flatten() {
        Some(row) if row.values.product_type == PRODUCT_TYPE => {
            decode("products", name, &row.values.metadata).map(Some)
        }
        _ => Ok(types(host)?.into_iter().find(|decl| decl.name == name)),
    }
}

/// The product id of a plan, by that id or by its slug (the field that its type is inferred by).
pub(crate) fn plan_by_name(host: &mut Rows<'_>, family: &str, name: &str) -> Fallible<Option<String>> {
    for decl in types(host)?.into_iter().filter(|decl| decl.family.as_deref() == Some(family)) {
        let rows = host.products(true, Some(&decl.name))?;
        for row in rows {
            if row.id == name {
                return Ok(Some(row.id));
            }
            let Some(slug) = &decl.infer_by else { continue };
            let metadata: Map<String, Value> = decode("products", &row.id, &row.values.metadata)?;
            if metadata.get(slug).and_then(Value::as_str) == Some(name) {
                return Ok(Some(row.id));
            }
        }
    }
    Ok(None)
}

/// A catalog as a business writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(default)]
    business: Settings,
    /// Types: the name of a built-in one, or all of it.
    #[serde(borrow, default)]
    product_types: Vec<&'a RawValue>,
    #[serde(default)]
    products: Vec<Map<String, Value>>,
}

/// `catalog.load`: bring the catalog to what the document says. What it doesn't name stays.
pub(crate) fn load(context: &mut Context<'_, '_>, payload: &str) -> Step<Handled> {
    admin_of_platform(context)?;
    let document: Document<'_> = serde_json::from_str(payload)
        .map_err(|error| product::refuse("", FieldErrorCode::BadFormat, error.to_string()))?;
    if !PROVIDERS.contains(&document.business.provider.as_str()) {
        let message = format!("expected one of {}", PROVIDERS.join(", "));
        return Err(product::refuse("/business/provider", FieldErrorCode::NotAllowed, message));
    }
    let settings = ProductValues {
        product_type: BUSINESS.to_owned(),
        name: context.event.business.clone(),
        description: String::new(),
        active: true,
        price: None,
        interval: None,
        filters: Vec::new(),
        metadata: encode(&document.business)?,
    };
    let mut decls = Vec::new();
    for (index, entry) in document.product_types.into_iter().enumerate() {
        decls.push(read_type(entry.get(), index)?);
    }
    // Everything is judged before anything is saved.
    let mut types = stored_types(context.host)?;
    types.retain(|known| decls.iter().all(|decl| decl.name != known.name));
    types.extend(decls.iter().cloned());
    let types = if types.is_empty() { schema::built_in() } else { types };
    for (index, decl) in decls.iter().enumerate() {
        check_names(decl, &types, &format!("/product_types/{index}"))?;
    }
    context.decide_by(document.business, types);
    let mut products = Vec::with_capacity(document.products.len());
    for (index, body) in document.products.iter().enumerate() {
        let proposed = product::normalise(context, body, None).map_err(|stop| at(stop, index))?;
        let id = proposed.id.clone();
        let id = id.ok_or_else(|| at(product::refuse("/id", FieldErrorCode::Missing, "required"), index))?;
        check(context, &id, &proposed).map_err(|stop| at(stop, index))?;
        products.push((id, proposed));
    }
    save(context, BUSINESS, &settings)?;
    for decl in &decls {
        let values = ProductValues {
            product_type: PRODUCT_TYPE.to_owned(),
            name: decl.name.clone(),
            metadata: encode(decl)?,
            ..settings.clone()
        };
        save(context, &decl.name, &values)?;
    }
    let mut ids = Vec::with_capacity(products.len());
    for (index, (id, proposed)) in products.into_iter().enumerate() {
        put(context, &id, proposed, None).map_err(|stop| at(stop, index))?;
        ids.push(id);
    }
    let reply = json!({"product_types": decls.iter().map(|d| &d.name).collect::<Vec<_>>(), "products": ids});
    Ok(Handled { outcome: Outcome::Applied, reply: Some(Reply::Answer(encode(&reply)?)) })
}

/// Put the place in the document before the path of a field error.
fn at(stop: Stop, index: usize) -> Stop {
    match stop {
        Stop::Refused(Refusal::Invalid(errors)) => Stop::Refused(Refusal::Invalid(
            errors.into_iter().map(|e| FieldError { path: format!("/products/{index}{}", e.path), ..e }).collect(),
        )),
        other => other,
    }
}

fn read_type(entry: &str, index: usize) -> Step<TypeDecl> {
    let path = format!("/product_types/{index}");
    if let Ok(name) = serde_json::from_str::<String>(entry) {
        let found = schema::built_in().into_iter().find(|decl| decl.name == name || decl.aliases.contains(&name));
        return found.ok_or_else(|| {
            product::refuse(&path, FieldErrorCode::NotAllowed, format!("`{name}` is no built-in type"))
        });
    }
    let decl: TypeDecl = serde_json::from_str(entry)
        .map_err(|error| product::refuse(&path, FieldErrorCode::BadFormat, error.to_string()))?;
    check_type(&decl, &path)?;
    Ok(decl)
}

/// A type must hold together: what it refers to exists, and resources don't wait for each other in a circle.
fn check_type(decl: &TypeDecl, path: &str) -> Step<()> {
    let unknown = |what: &str, name: &str| {
        Err(product::refuse(&format!("{path}/{what}"), FieldErrorCode::NotAllowed, format!("`{name}` is not declared")))
    };
    for field in decl.grants.values().chain(decl.rank_by.iter()).chain(decl.id_by.iter()) {
        if decl.field(field).is_none() {
            return unknown("grants", field);
        }
    }
    if let Some(link) = &decl.plan
        && decl.field(&link.field).is_none()
    {
        return unknown("plan/field", &link.field);
    }
    if !decl.provisions.is_empty() {
        for field in ["status", "resources"] {
            if decl.field(field).is_none() {
                return unknown("fields", field);
            }
        }
    }
    // Each resource may need only those before it, so there is no circle.
    for (index, resource) in decl.provisions.iter().enumerate() {
        let verbs: &[&str] = if resource.backup {
            &["ensure", "change", "destroy", "backup", "restore"]
        } else {
            &["ensure", "change", "destroy"]
        };
        for verb in verbs {
            if !crate::manifest::has_effect(&resource.resource, verb) {
                return unknown(&format!("provisions/{index}/resource"), &format!("{}.{verb}", resource.resource));
            }
        }
        for need in &resource.needs {
            if !decl.provisions[..index].iter().any(|earlier| earlier.name == *need) {
                return unknown(&format!("provisions/{index}/needs"), need);
            }
        }
    }
    Ok(())
}

/// A type names what some type of the catalog has: families, entitlements, fields and configuration. What names nothing
/// would be a customer's dead letter.
fn check_names(decl: &TypeDecl, types: &[TypeDecl], path: &str) -> Step<()> {
    let unknown = |what: String, name: &str, expected: String| {
        let message = format!("`{name}` is not declared: expected {expected}");
        Err(product::refuse(&format!("{path}/{what}"), FieldErrorCode::NotAllowed, message))
    };
    let one_of = |names: Vec<&str>| match names.is_empty() {
        true => "none, since there are none".to_owned(),
        false => format!("one of {}", names.join(", ")),
    };
    if let Some(link) = &decl.plan {
        let families: Vec<&str> = types.iter().filter_map(|decl| decl.family.as_deref()).collect();
        if !families.contains(&link.family.as_str()) {
            return unknown("plan/family".to_owned(), &link.family, one_of(families));
        }
    }
    let granted: Vec<&str> = types.iter().flat_map(|decl| decl.grants.keys().map(String::as_str)).collect();
    if let Some(key) = decl.consumes.keys().find(|key| !granted.contains(&key.as_str())) {
        return unknown(format!("consumes/{key}"), key, one_of(granted));
    }
    let settings: Vec<&str> = crate::manifest::CONFIG.iter().map(|(key, ..)| *key).collect();
    for (index, resource) in decl.provisions.iter().enumerate() {
        if let Some(key) = resource.when.as_ref().filter(|key| !settings.contains(&key.as_str())) {
            return unknown(format!("provisions/{index}/when"), key, one_of(settings));
        }
        for place in crate::template::places(&Value::Object(resource.with.clone())) {
            let (scope, name) = place.split_once('.').unwrap_or((place.as_str(), ""));
            let fields: Vec<&str> = decl.fields.iter().map(|field| field.name.as_str()).collect();
            if scope == "metadata" && !decl.extras && !fields.contains(&name.split('.').next().unwrap_or_default()) {
                return unknown(format!("provisions/{index}/with"), &place, one_of(fields));
            }
            if scope == "config" && !settings.contains(&name) {
                return unknown(format!("provisions/{index}/with"), &place, one_of(settings));
            }
        }
    }
    Ok(())
}

/// Only operators and services write the catalog, and only as the account that owns it.
pub(crate) fn admin_of_platform(context: &Context<'_, '_>) -> Step<()> {
    if context.account()? != Account::Platform {
        return Err(Stop::Refused(Refusal::Forbidden("the catalog belongs to the platform".to_owned())));
    }
    match context.event.actor.kind {
        ActorKind::Admin | ActorKind::Service | ActorKind::System => Ok(()),
        ActorKind::User | ActorKind::Extension => Err(Stop::Refused(Refusal::Forbidden("admin".to_owned()))),
    }
}

fn save(context: &mut Context<'_, '_>, id: &str, values: &ProductValues) -> Step<bool> {
    let current = context.product(id)?;
    if current.as_ref().is_some_and(|row| row.values == *values && !row.deleted) {
        return Ok(false);
    }
    context.host.product_save(id, current.map_or(0, |row| row.version), values)?;
    Ok(true)
}

/// Whether a product can be put: it is the catalog's, and its price is not published otherwise.
fn check(context: &mut Context<'_, '_>, id: &str, proposed: &Proposed) -> Step<()> {
    if !proposed.decl.catalog {
        let message = format!("products of type {} belong to accounts", proposed.decl.name);
        return Err(product::refuse("/product_type", FieldErrorCode::NotAllowed, message));
    }
    let given = proposed.metadata.get("stripe_price_id").and_then(Value::as_str);
    if let (Some(price_id), Some(amount)) = (given, &proposed.values.price) {
        check_price(context, &price_row(proposed, id, price_id, amount.clone())?)?;
    }
    Ok(())
}

/// Put a product of the catalog; its price becomes a row, or is made at the provider. True if it is being made there;
/// then who waits under `reply_to` is answered when it is.
pub(crate) fn put(
    context: &mut Context<'_, '_>,
    id: &str,
    mut proposed: Proposed,
    reply_to: Option<String>,
) -> Step<bool> {
    check(context, id, &proposed)?;
    let current = context.product(id)?;
    let sync_failed = match &current {
        Some(current) => keep_synced(current, &mut proposed)?,
        None => false,
    };
    let given = proposed.metadata.get("stripe_price_id").and_then(Value::as_str).map(str::to_owned);
    if let (Some(price_id), Some(amount)) = (&given, &proposed.values.price) {
        let price = price_row(&proposed, id, price_id, amount.clone())?;
        put_price(context, &price)?;
    }
    let wants_sync = given.is_none() && proposed.values.price.is_some() && proposed.values.active;
    if wants_sync {
        proposed.metadata.insert("sync".to_owned(), json!("syncing"));
        // What failed is asked for anew; the same request again would do nothing.
        if sync_failed {
            let next = sync_generation(&proposed.metadata).saturating_add(1);
            proposed.metadata.insert("sync_generation".to_owned(), json!(next));
        }
        proposed.values.metadata = encode(&proposed.metadata)?;
    }
    save(context, id, &proposed.values)?;
    if wants_sync {
        sync(context, id, &proposed.values, &proposed.metadata, reply_to)?;
    }
    Ok(wants_sync)
}

/// What the provider gave stays when the catalog is loaded again without it. True if the last sync failed.
fn keep_synced(current: &Product, proposed: &mut Proposed) -> Step<bool> {
    let stored: Map<String, Value> = decode("products", &current.id, &current.values.metadata)?;
    let same_price =
        current.values.price == proposed.values.price && current.values.interval == proposed.values.interval;
    for key in ["stripe_product_id", "stripe_price_id", "sync", "sync_generation"] {
        let kept = same_price || matches!(key, "stripe_product_id" | "sync_generation");
        if let (true, None, Some(value)) = (kept, proposed.metadata.get(key), stored.get(key)) {
            proposed.metadata.insert(key.to_owned(), value.clone());
        }
    }
    proposed.values.metadata = encode(&proposed.metadata)?;
    Ok(stored.get("sync").and_then(Value::as_str) == Some("failed"))
}

/// Rises each time that a sync is asked for after a failure.
fn sync_generation(metadata: &Map<String, Value>) -> u32 {
    metadata.get("sync_generation").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1)
}

fn price_row(proposed: &Proposed, product_id: &str, price_id: &str, amount: Money) -> Step<Price> {
    let number = |field: &String| {
        let value = proposed.metadata.get(field)?;
        value.as_i64().or_else(|| value.as_bool().map(i64::from))
    };
    let grants = proposed.decl.grants.iter();
    let rank = proposed.decl.rank_by.as_ref().and_then(number).unwrap_or(amount.amount_minor);
    Ok(Price {
        id: price_id.to_owned(),
        product_id: product_id.to_owned(),
        product_type: proposed.decl.name.clone(),
        family: proposed.decl.family.clone(),
        interval: proposed.values.interval,
        active: proposed.values.active,
        grants: grants.filter_map(|(key, field)| Some(Grant { key: key.clone(), amount: number(field)? })).collect(),
        terms: encode(&Terms { rank, requires_plan: proposed.decl.requires_plan, provider: None })?,
        amount,
    })
}

/// A price that is published keeps its amount, its interval and its product.
fn check_price(context: &mut Context<'_, '_>, price: &Price) -> Step<Option<Price>> {
    let Some(current) = context.host.prices_load(std::slice::from_ref(&price.id))?.into_iter().next().flatten() else {
        return Ok(None);
    };
    if current.amount != price.amount || current.interval != price.interval {
        let published = &current.amount;
        let message = format!("{} is published at {} {}", price.id, published.amount_minor, published.currency);
        return Err(product::refuse("/price", FieldErrorCode::ReadOnly, message));
    }
    if current.product_id != price.product_id {
        let message = format!("{} belongs to {}", price.id, current.product_id);
        return Err(product::refuse("/stripe_price_id", FieldErrorCode::Taken, message));
    }
    Ok(Some(current))
}

/// Insert a price, or refresh what it grants.
fn put_price(context: &mut Context<'_, '_>, price: &Price) -> Step<()> {
    let mut price = price.clone();
    let current = check_price(context, &price)?;
    // What the provider said of it stays: one that it withdrew is not put back by loading the catalog again.
    if let Some(provider) = current.as_ref().map(Terms::read).transpose()?.and_then(|terms| terms.provider) {
        price.terms = encode(&Terms { provider: Some(provider), ..Terms::read(&price)? })?;
        price.active &= !provider.withdrawn;
    }
    if current.as_ref() != Some(&price) {
        context.host.price_save(&price)?;
    }
    Ok(())
}

/// Make product and price at the provider, one after the other, each once.
fn sync(
    context: &mut Context<'_, '_>,
    id: &str,
    values: &ProductValues,
    metadata: &Map<String, Value>,
    reply_to: Option<String>,
) -> Step<()> {
    let Some(price) = &values.price else { return Ok(()) };
    let effect = match metadata.get("stripe_product_id").and_then(Value::as_str) {
        None => sync_effect(
            "stripe.product.create",
            format!("sync:product:{id}"),
            &json!({"product": id, "name": values.name, "description": values.description}),
            id,
        )?,
        Some(product) => {
            let interval = values.interval.map(|i| (i.unit, i.count));
            let (unit, count) = interval.map_or((None, None), |(unit, count)| (Some(unit), Some(count)));
            let payload = json!({
                "product": id, "stripe_product_id": product, "unit_amount": price.amount_minor,
                "currency": price.currency, "interval": unit, "interval_count": count,
            });
            let terms = format!("{}{}:{}", price.amount_minor, price.currency, unit.map_or("once", unit_name));
            sync_effect("stripe.price.create", format!("sync:price:{id}:{terms}"), &payload, id)?
        }
    };
    let generation = sync_generation(metadata);
    context.host.effects_enqueue(&[Effect { reply_to, generation, ..effect }]);
    Ok(())
}

fn unit_name(unit: IntervalUnit) -> &'static str {
    match unit {
        IntervalUnit::Day => "day",
        IntervalUnit::Week => "week",
        IntervalUnit::Month => "month",
        IntervalUnit::Year => "year",
    }
}

fn sync_effect(kind: &str, key: String, payload: &Value, id: &str) -> Step<Effect> {
    let what = if kind == "stripe.product.create" { "product" } else { "price" };
    let context = encode(&Synced { what: what.to_owned(), id: id.to_owned() })?;
    Ok(Effect { context, ordering_key: Some(format!("sync:{id}")), ..request(kind, key, encode(payload)?) })
}

/// What a sync effect is about; it comes back with the end of it.
#[derive(Serialize, Deserialize)]
struct Synced {
    /// `product` or `price`.
    what: String,
    /// Product of the catalog.
    id: String,
}

/// The end of a sync effect: store the id, and go on. Who waits is answered with the product when both are made.
pub(crate) fn synced(context: &mut Context<'_, '_>, report: &EffectReport) -> Step<Handled> {
    let Synced { what, id } = &decode("effects", &report.key, &report.context)?;
    let (what, id) = (what.as_str(), id.as_str());
    let Some(row) = context.product(id)? else {
        return Ok(Handled { outcome: Outcome::Ignored(IgnoreReason::NoChange), reply: None });
    };
    let mut metadata: Map<String, Value> = decode("products", id, &row.values.metadata)?;
    match &report.answer {
        Err(failure) => {
            metadata.insert("sync".to_owned(), json!("failed"));
            let values = json!({"product": id, "code": failure.code});
            let reference = format!("{}:{}", report.key, report.generation);
            crate::notice::now(context, "sync_failed", crate::notice::To::Admin, &reference, &values)?;
        }
        Ok(answer) => {
            let answer: Map<String, Value> = decode("effects", &report.key, answer)?;
            let Some(made) = answer.get("id").and_then(Value::as_str) else {
                return Err(Stop::Failed(Failure::Internal(format!("{} answered without an id", report.key))));
            };
            let field = if what == "product" { "stripe_product_id" } else { "stripe_price_id" };
            metadata.insert(field.to_owned(), json!(made));
            if what == "price" {
                metadata.insert("sync".to_owned(), json!("synced"));
            }
        }
    }
    let values = ProductValues { metadata: encode(&metadata)?, ..row.values };
    context.host.product_save(id, row.version, &values)?;
    match (&report.answer, what) {
        // The product stays, and its answer says that its price is not synced.
        (Err(_), _) => {}
        (Ok(_), "product") => {
            sync(context, id, &values, &metadata, context.event.reply_to.clone())?;
            return Ok(Handled { outcome: Outcome::Applied, reply: None });
        }
        (Ok(_), _) => {
            let price_id = metadata.get("stripe_price_id").and_then(Value::as_str).map(str::to_owned);
            if let (Some(price_id), Some(amount)) = (price_id, values.price.clone())
                && let Some(decl) = type_named(context.host, &values.product_type)?
            {
                let proposed = Proposed { id: None, decl, values, metadata };
                put_price(context, &price_row(&proposed, id, &price_id, amount)?)?;
            }
        }
    }
    if context.event.reply_to.is_none() {
        return Ok(Handled { outcome: Outcome::Applied, reply: None });
    }
    let row = context.product(id)?.ok_or_else(|| Failure::Internal(format!("{id} is gone after it was saved")))?;
    let reply = Some(Reply::Answer(crate::queries::product_json(&row)?));
    Ok(Handled { outcome: Outcome::Applied, reply })
}

#[derive(Deserialize)]
struct PriceShape<'a> {
    #[serde(borrow)]
    id: crate::stripe::Ref<'a>,
    #[serde(default)]
    unit_amount: Option<i64>,
    #[serde(borrow, default)]
    currency: Option<crate::stripe::Text<'a>>,
    #[serde(default)]
    active: Option<bool>,
    #[serde(borrow, default)]
    recurring: Option<Recurring<'a>>,
}

/// How often a price is charged.
#[derive(Deserialize)]
struct Recurring<'a> {
    #[serde(borrow, default)]
    interval: Option<crate::stripe::Text<'a>>,
    #[serde(default)]
    interval_count: Option<u32>,
}

impl Recurring<'_> {
    /// Whether it is the interval of a price of the catalog; what is not told contradicts nothing.
    fn fits(&self, interval: Option<BillingInterval>) -> bool {
        let Some(interval) = interval else { return false };
        self.interval.as_deref().is_none_or(|unit| unit == unit_name(interval.unit))
            && self.interval_count.is_none_or(|count| count == interval.count)
    }
}

/// `price.*` and `product.*` of the provider: a known price is checked, and is no longer sold when it is withdrawn.
/// Nothing is removed: who has a price keeps what it grants.
pub(crate) fn provider_event(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    if context.event.kind.starts_with("product.") || context.account()? != Account::Platform {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    // A connected account has prices of its own, whatever ids it gives them.
    if context.event.provider.as_ref().is_some_and(|facts| facts.connected_account.is_some()) {
        return Ok(Outcome::Ignored(IgnoreReason::NotOurs));
    }
    let body = crate::stripe::read::<PriceShape<'_>>(body)?;
    let object = &body.data.object;
    if object.id.0.is_empty() {
        return Err(Stop::Refused(Refusal::Malformed("/data/object/id".to_owned())));
    }
    let Some(mut price) = context.host.prices_load(&[object.id.0.to_string()])?.into_iter().next().flatten() else {
        return Ok(Outcome::Ignored(IgnoreReason::NotOurs));
    };
    if let (Some(amount_minor), Some(currency)) = (object.unit_amount, object.currency.as_deref())
        && (amount_minor != price.amount.amount_minor || currency != price.amount.currency)
    {
        let actual = Money { amount_minor, currency: currency.to_owned() };
        let values =
            json!({"price": price.id, "catalog_minor": price.amount.amount_minor, "stripe_minor": amount_minor});
        crate::notice::now(context, "price_mismatch", crate::notice::To::Admin, &price.id.clone(), &values)?;
        return Err(Stop::Refused(Refusal::AmountMismatch(AmountMismatch { expected: price.amount, actual })));
    }
    if object.recurring.as_ref().is_some_and(|recurring| !recurring.fits(price.interval)) {
        return Err(Stop::Refused(Refusal::Inconsistent("/data/object/recurring".to_owned())));
    }
    let Some(active) = object.active.or_else(|| (context.event.kind == "price.deleted").then_some(false)) else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    };
    let active = active && context.event.kind != "price.deleted";
    let view = OnSale { at: context.provider_time(), withdrawn: !active };
    let mut terms = Terms::read(&price)?;
    match terms.provider {
        Some(known) if known > view => {
            return Ok(Outcome::Stale(Snapshot { at: known.at, rank: SnapshotRank::Updated, event_id: String::new() }));
        }
        Some(known) if known == view => return Ok(Outcome::Ignored(IgnoreReason::NoChange)),
        _ => {}
    }
    terms.provider = Some(view);
    price.terms = encode(&terms)?;
    // It is on sale if both say so: the catalog and the provider.
    let in_catalog = context.product(&price.product_id)?.is_none_or(|row| row.values.active && !row.deleted);
    let was_active = std::mem::replace(&mut price.active, in_catalog && active);
    // That it was said at this time is kept in any case, so that views in another order end with the same price.
    context.host.price_save(&price)?;
    Ok(match price.active == was_active {
        true => Outcome::Ignored(IgnoreReason::NoChange),
        false => Outcome::Applied,
    })
}
