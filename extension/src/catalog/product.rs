//! Normalises a product body: converts each of its accepted forms to the stored form.

use super::amount::UNLIMITED;
use super::mistakes::Mistakes;
use super::names::{WAITS, WITHDRAWN, is_own_row};
use super::price::{self, PRICE_ID, PRICES};
use super::sale::{self, Sale};
use super::schema::{self, TEXT_CHARS_MAX, TypeDecl};
use super::view::Catalog;
use super::words::ID_BYTES;
use super::words::{one_of, slug};
use crate::model::halt::{Halt, Ruled, internal, wrong_field, wrong_name};
use crate::model::json::{decode, encode};
use crate::model::time::parse_rfc3339;
use extension_contract::pointer::{escaped, unescaped};
use extension_contract::*;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use std::rc::Rc;

/// A product in stored form, with its type.
pub(crate) struct Proposed {
    /// Id, if the body has one.
    pub id: Option<String>,
    /// Product type.
    pub decl: Rc<TypeDecl>,
    /// Values of the product, with checked metadata.
    pub values: ProductValues,
    /// The metadata in `values`, as an object.
    pub metadata: Map<String, Value>,
    /// Whether the product is a default plan, which is in force without a paid plan of its family.
    pub is_default: bool,
    /// Whether the values wait for an operator's approval before usage costs them.
    pub waits: bool,
    /// The product's metadata at Stripe, for its creation there.
    pub stripe_metadata: Map<String, Value>,
}

impl Proposed {
    /// Returns the product's prices, the usual intervals first.
    pub fn prices(&self, currency: &str) -> Vec<price::ProductPrice> {
        price::prices_of(&self.values, &self.metadata, currency)
    }
}

/// Members of a product of a catalog; all others belong to the metadata.
pub const PRODUCT_MEMBERS: [&str; 11] = [
    "id",
    "type",
    "product_type",
    "name",
    "description",
    "active",
    "default",
    PRICES,
    STRIPE_METADATA,
    "metadata",
    "features",
];

/// Further members of a product of the platform, with its only price (SOL-04). A catalog writes it in `prices`.
pub(crate) const PRICE_MEMBERS: [&str; 4] = ["price", "currency", "billing_interval", "interval"];

fn is_member(key: &str) -> bool {
    PRODUCT_MEMBERS.contains(&key) || PRICE_MEMBERS.contains(&key)
}

/// Reads a product body. `current` is the stored product if the body changes it.
pub(crate) fn normalise(
    catalog: &Catalog<'_>,
    by: ActorKind,
    body: &Map<String, Value>,
    current: Option<(&str, &ProductValues)>,
) -> Ruled<Proposed> {
    normalise_with(catalog, by, body, current, |_, _| Ok(()))
}

/// Reads a product of a catalog, in which only the word `unlimited` stands for an amount without a bound.
pub(crate) fn normalise_written(catalog: &Catalog<'_>, by: ActorKind, body: &Map<String, Value>) -> Ruled<Proposed> {
    normalise_with(catalog, by, body, None, |decl, metadata| {
        for field in decl.fields.iter().filter(|field| field.unlimited) {
            if metadata.get(&field.name).and_then(Value::as_i64) == Some(UNLIMITED) {
                let path = format!("/metadata/{}", escaped(&field.name));
                return Err(wrong_field(&path, FieldErrorCode::NotAllowed, "`-1` is not an amount", "`unlimited`"));
            }
        }
        Ok(())
    })
}

fn normalise_with(
    catalog: &Catalog<'_>,
    by: ActorKind,
    body: &Map<String, Value>,
    current: Option<(&str, &ProductValues)>,
    refuse: impl FnOnce(&TypeDecl, &Map<String, Value>) -> Ruled<()>,
) -> Ruled<Proposed> {
    let mut mistakes = Mistakes::default();
    let settings = catalog.settings()?;
    let mut metadata = gathered_metadata(body, &mut mistakes);
    if let Some(written) = metadata.get(PRICES).or_else(|| body.get(PRICES)).filter(|value| !value.is_null()) {
        match mistakes.note(price::stored_form(written, catalog.mode, &settings.currency), "")? {
            Some(stored) => drop(metadata.insert(PRICES.to_owned(), stored)),
            None => drop(metadata.remove(PRICES)),
        }
    }
    if let Some(trial) = metadata.get_mut(sale::TRIAL) {
        *trial = sale::stored_trial(trial.take());
    }
    let found = find_type(catalog, by, body, &metadata, current.map(|(_, values)| values));
    let decl = mistakes.note(found, "")?;
    let of_type = match &decl {
        Some(decl) => {
            let checked = with_type(catalog, by, decl, body, metadata, current, refuse);
            mistakes.note(checked, "")?
        }
        None => None,
    };
    let current = current.map(|(_, values)| values);
    let common = CommonMembers::read(body, current, &settings.currency, &mut mistakes)?;
    let is_default = match &decl {
        Some(decl) => mistakes.note(read_default(decl, body, current), "")?,
        None => None,
    };
    let is_given = body.get("id").is_some_and(|id| !id.is_null());
    let id = mistakes.note(is_given.then(|| required_text(body, "id")).transpose(), "")?.flatten();
    if id.as_deref().is_some_and(is_own_row) {
        mistakes.add("/id", FieldErrorCode::Taken, "the catalog itself has a row with this id", "another id");
    }
    let (Some(decl), Some((metadata, stripe_metadata)), Some(mut common)) = (decl, of_type, common) else {
        mistakes.finish()?;
        return Err(internal("a product without a mistake has its members".to_owned()));
    };
    mistakes.note(check_least(&decl, &metadata, &settings.currency, common.price.as_ref()), "")?;
    // The first price of a product with a list of prices is its main price.
    if let Some(first) = price::listed(&metadata, &settings.currency).and_then(|prices| prices.into_iter().next()) {
        mistakes.note(check_main_price(body, &common, &first), "")?;
        (common.interval, common.price) = (first.interval.billing(), Some(first.amount));
    }
    mistakes.finish()?;
    let is_default = is_default.unwrap_or_default();
    let mut filters = current.map(|values| values.filters.clone()).unwrap_or_default();
    filters.retain(|(name, _)| name != DEFAULT && name != WAITS && !(name == WITHDRAWN && common.active));
    if is_default {
        filters.push((DEFAULT.to_owned(), "true".to_owned()));
    }
    let values = ProductValues {
        product_type: decl.name.clone(),
        name: common.name,
        description: common.description,
        active: common.active,
        price: common.price,
        interval: common.interval,
        filters,
        metadata: encode(&metadata)?,
    };
    Ok(Proposed { id, decl, values, metadata, is_default, waits: false, stripe_metadata })
}

/// Collects the metadata of a product: `metadata`, `features` and the members beside them.
fn gathered_metadata(body: &Map<String, Value>, mistakes: &mut Mistakes) -> Map<String, Value> {
    let mut metadata = Map::new();
    for key in ["metadata", "features"] {
        match body.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => metadata.extend(map.clone()),
            Some(Value::Array(_)) if key == "features" => {
                metadata.insert(key.to_owned(), body[key].clone());
            }
            Some(_) => mistakes.add(&format!("/{key}"), FieldErrorCode::WrongType, "", "an object"),
        }
    }
    for (key, value) in body.iter().filter(|(key, value)| !is_member(key) && !value.is_null()) {
        if metadata.get(key).is_some_and(|other| other != value) {
            mistakes.wrong(&format!("/{}", escaped(key)), "differs from the metadata", "the same");
        }
        metadata.insert(key.clone(), value.clone());
    }
    metadata
}

/// Checks the metadata of a product against its type. Returns it in stored form, with the metadata at Stripe.
fn with_type(
    catalog: &Catalog<'_>,
    by: ActorKind,
    decl: &TypeDecl,
    body: &Map<String, Value>,
    mut metadata: Map<String, Value>,
    current: Option<(&str, &ProductValues)>,
    refuse: impl FnOnce(&TypeDecl, &Map<String, Value>) -> Ruled<()>,
) -> Ruled<(Map<String, Value>, Map<String, Value>)> {
    refuse(decl, &metadata)?;
    if current.is_none() {
        take_from_name(decl, body, &mut metadata);
    }
    resolve_plan(catalog, decl, &mut metadata)?;
    let stored = match current {
        Some((id, values)) => Some(decode::<Map<String, Value>>("products", id, &values.metadata)?),
        None => None,
    };
    let metadata = schema::check(decl, by, stored.as_ref(), &metadata)
        .map_err(|errors| Halt::Refused(Refusal::Invalid(errors)))?;
    // An empty id is refused, because the id is the key of the price's row.
    if metadata.get(PRICE_ID).and_then(Value::as_str).is_some_and(str::is_empty) {
        return Err(wrong_field(&format!("/metadata/{PRICE_ID}"), FieldErrorCode::OutOfRange, "", "at least 1 byte"));
    }
    if decl.catalog {
        Sale::of(decl, &metadata)?;
    }
    let stripe_metadata = stripe_metadata(decl, body.get(STRIPE_METADATA), &metadata)?;
    Ok((metadata, stripe_metadata))
}

/// Gives a new product the fields that it has no value for and that its name can give.
fn take_from_name(decl: &TypeDecl, body: &Map<String, Value>, metadata: &mut Map<String, Value>) {
    let Some(name) = body.get("name").and_then(Value::as_str) else { return };
    for field in decl.fields.iter().filter(|field| field.from_name) {
        if metadata.get(&field.name).is_none_or(Value::is_null) {
            metadata.insert(field.name.clone(), Value::from(slug(name)));
        }
    }
}

/// Returns whether a product's metadata lets it be bought.
pub(crate) fn is_purchasable(metadata: &Map<String, Value>) -> bool {
    metadata.get("purchasable") != Some(&Value::Bool(false))
}

/// Moves errors of fields to the place where a product's body has the key: beside its members, which an unknown key may
/// misspell. If that may be the metadata, the fields of the metadata are not reported as missing.
pub(crate) fn where_written(halt: Halt, body: &Map<String, Value>) -> Halt {
    let Halt::Refused(Refusal::Invalid(mut errors)) = halt else { return halt };
    let in_metadata = |key: &str| body.get("metadata").is_some_and(|metadata| metadata.get(key).is_some());
    for error in errors.iter_mut().filter(|error| error.code != FieldErrorCode::UnknownField) {
        let key = error.path.strip_prefix("/metadata/").map(|rest| unescaped(rest.split('/').next().unwrap_or(rest)));
        if key.is_some_and(|key| body.contains_key(&key) && !in_metadata(&key)) {
            error.path.replace_range(.."/metadata".len(), "");
        }
    }
    for error in errors.iter_mut().filter(|error| error.code == FieldErrorCode::UnknownField) {
        let key = error.path.strip_prefix("/metadata/").map(unescaped);
        let Some(key) = key else { continue };
        if body.contains_key(&key) && !in_metadata(&key) {
            error.path.replace_range(.."/metadata".len(), "");
            error.expected.extend(PRODUCT_MEMBERS.map(str::to_owned));
            *error = error.clone().suggesting(&key);
        }
    }
    if !body.contains_key("metadata") && errors.iter().any(|error| error.code == FieldErrorCode::UnknownField) {
        errors.retain(|error| error.code != FieldErrorCode::Missing);
    }
    Halt::Refused(Refusal::Invalid(errors))
}

/// Finds the product's type: by the name or alias in `product_type` or `type`, by the type of the stored product, or
/// else by a key of the metadata.
pub(crate) fn find_type(
    catalog: &Catalog<'_>,
    by: ActorKind,
    body: &Map<String, Value>,
    metadata: &Map<String, Value>,
    current: Option<&ProductValues>,
) -> Ruled<Rc<TypeDecl>> {
    let given = match (text(body, "product_type")?, text(body, "type")?) {
        (Some(a), Some(b)) if a != b => {
            return Err(wrong_field("/type", FieldErrorCode::NotAllowed, "differs from product_type", "the same"));
        }
        (Some(name), _) | (None, Some(name)) => Some(name),
        (None, None) => current.map(|values| values.product_type.clone()),
    };
    let mut types = (*catalog.types()?).clone();
    // No new product is made of a type that was removed from the catalog, unless it is already paid for.
    if current.is_none() && by != ActorKind::System {
        let mut is_kept = Vec::with_capacity(types.len());
        for decl in &types {
            is_kept.push(!catalog.is_withdrawn(&decl.name)?);
        }
        let mut is_kept = is_kept.into_iter();
        types.retain(|_| is_kept.next().unwrap_or(true));
    }
    let found = match &given {
        Some(name) => types.iter().find(|t| t.name == *name || t.aliases.contains(name)),
        None => inferred(&types, metadata)?,
    };
    let decl = found.cloned().ok_or_else(|| match given {
        Some(name) => {
            let names: Vec<&str> = types.iter().map(|decl| decl.name.as_str()).collect();
            let path = if body.contains_key("product_type") { "/product_type" } else { "/type" };
            wrong_name(path, &name, "is not a product type", one_of(&names))
        }
        None => wrong_field("/product_type", FieldErrorCode::Missing, "required", ""),
    })?;
    if current.is_some_and(|values| values.product_type != decl.name) {
        return Err(wrong_field("/product_type", FieldErrorCode::ReadOnly, "can't be changed once set", ""));
    }
    Ok(decl)
}

/// Finds the only type whose `infer_by` key is in the metadata. Fails if several types match.
fn inferred<'t>(types: &'t [Rc<TypeDecl>], metadata: &Map<String, Value>) -> Ruled<Option<&'t Rc<TypeDecl>>> {
    let is_match = |decl: &&Rc<TypeDecl>| decl.infer_by.as_ref().is_some_and(|key| metadata.contains_key(key));
    let mut matching = types.iter().filter(is_match);
    let (first, others) = (matching.next(), matching.next());
    let (Some(first), Some(other)) = (first, others) else { return Ok(first) };
    let (found, expected) = ("its metadata matches two types", format!("{} or {}", first.name, other.name));
    Err(wrong_field("/product_type", FieldErrorCode::NotAllowed, found, expected))
}

/// Replaces the plan's name by its product id. The slug in `plan` and `parent_product_id` are aliases of the same
/// field.
fn resolve_plan(catalog: &Catalog<'_>, decl: &TypeDecl, metadata: &mut Map<String, Value>) -> Ruled<()> {
    let Some(link) = &decl.plan else { return Ok(()) };
    let mut given: Vec<String> = Vec::new();
    for key in ["plan", "parent_product_id", link.field.as_str()] {
        // A declared field of the type is not an alias.
        if key != link.field && decl.field(key).is_some() {
            continue;
        }
        match metadata.remove(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => given.push(text),
            Some(_) => {
                return Err(wrong_field(&format!("/metadata/{key}"), FieldErrorCode::WrongType, "", "a text"));
            }
        }
    }
    let mut ids = Vec::with_capacity(given.len());
    for name in given {
        let found = catalog.plan_by_name(&link.family, &name)?;
        ids.push(found.ok_or(Refusal::NotFound(format!("plan {name}")))?);
    }
    ids.dedup();
    match ids.as_slice() {
        [] => {}
        [id] => {
            metadata.insert(link.field.clone(), Value::String(id.clone()));
        }
        [a, b, ..] => {
            let path = format!("/metadata/{}", link.field);
            return Err(wrong_field(&path, FieldErrorCode::NotAllowed, "names two plans", format!("{a} or {b}")));
        }
    }
    Ok(())
}

/// Member of a product with its metadata at Stripe.
const STRIPE_METADATA: &str = "stripe_metadata";

/// Returns the metadata at Stripe, which consists of texts. Fails if it does not agree with the metadata of the catalog
/// (BOT-11).
fn stripe_metadata(
    decl: &TypeDecl,
    stripe_metadata: Option<&Value>,
    metadata: &Map<String, Value>,
) -> Ruled<Map<String, Value>> {
    let stripe_metadata = match stripe_metadata {
        None | Some(Value::Null) => return Ok(Map::new()),
        Some(Value::Object(stripe_metadata)) => stripe_metadata,
        Some(_) => {
            return Err(wrong_field(&format!("/{STRIPE_METADATA}"), FieldErrorCode::WrongType, "", "an object"));
        }
    };
    for (key, value) in stripe_metadata {
        let path = format!("/{STRIPE_METADATA}/{key}");
        let Some(text) = value.as_str() else {
            return Err(wrong_field(&path, FieldErrorCode::WrongType, "", "a text, as Stripe keeps it"));
        };
        let own = match key.as_str() {
            "product_type" => Some(decl.name.clone()),
            _ => decl.field(key).and_then(|field| schema::text_form(field, metadata.get(key)?)),
        };
        if own.as_ref().is_some_and(|own| own != text) {
            let (found, expected) =
                (format!("`{text}` at Stripe, `{}` in the catalog", own.unwrap_or_default()), "the same");
            return Err(wrong_field(&path, FieldErrorCode::NotAllowed, found, expected));
        }
    }
    Ok(stripe_metadata.clone())
}

/// Checks that a body with one price does not contradict the first of the product's `prices`, which would have precedence.
fn check_main_price(body: &Map<String, Value>, common: &CommonMembers, first: &price::ProductPrice) -> Ruled<()> {
    let is_given = |key: &str| body.get(key).is_some_and(|value| !value.is_null());
    let differs = is_given("price") && common.price.as_ref() != Some(&first.amount);
    let other = ["billing_interval", "interval"].into_iter().find(|key| is_given(key));
    let path = match other.filter(|_| common.interval != first.interval.billing()) {
        _ if differs => "/price",
        Some("interval") => "/interval",
        Some(_) => "/billing_interval",
        None => return Ok(()),
    };
    let (found, expected) = ("the product has `prices`, which have precedence", "the change in `prices`");
    Err(wrong_field(path, FieldErrorCode::NotAllowed, found, expected))
}

/// Checks that prices with a share are 0 or at least the minimum of the clause `split` (TES-57).
fn check_least(decl: &TypeDecl, metadata: &Map<String, Value>, currency: &str, price: Option<&Money>) -> Ruled<()> {
    let Some(least) = decl.split.as_ref().map(|split| split.min) else { return Ok(()) };
    let listed = price::listed(metadata, currency).unwrap_or_default();
    let listed = listed.iter().map(|price| (format!("/prices/{}/amount", price.interval.name()), &price.amount));
    for (path, amount) in listed.chain(price.map(|price| ("/price".to_owned(), price))) {
        if (1..least).contains(&amount.amount_minor) {
            let (found, expected) = ("", format!("0, or {least} and more"));
            return Err(wrong_field(&path, FieldErrorCode::OutOfRange, found, expected));
        }
    }
    Ok(())
}

/// Filter slot that marks a default plan.
pub(crate) const DEFAULT: &str = "default";

/// Reads `default`. Only a plan of the catalog can be a default.
fn read_default(decl: &TypeDecl, body: &Map<String, Value>, current: Option<&ProductValues>) -> Ruled<bool> {
    let is_default = match body.get(DEFAULT) {
        None | Some(Value::Null) => {
            current.is_some_and(|values| values.filters.iter().any(|(name, _)| name == DEFAULT))
        }
        Some(Value::Bool(flag)) => *flag,
        Some(_) => return Err(wrong_field("/default", FieldErrorCode::WrongType, "", "true or false")),
    };
    if is_default && (!decl.catalog || decl.family.is_none()) {
        return Err(wrong_field(
            "/default",
            FieldErrorCode::NotAllowed,
            "only a plan can be the default",
            "a type of the catalog with a family",
        ));
    }
    Ok(is_default)
}

struct CommonMembers {
    name: String,
    description: String,
    active: bool,
    price: Option<Money>,
    interval: Option<BillingInterval>,
}

impl CommonMembers {
    /// Reads the members; none if one is wrong.
    fn read(
        body: &Map<String, Value>,
        current: Option<&ProductValues>,
        currency: &str,
        mistakes: &mut Mistakes,
    ) -> Ruled<Option<CommonMembers>> {
        let name = match mistakes.note(line(body, "name"), "")? {
            Some(name) => {
                let name = name.or_else(|| current.map(|values| values.name.clone()));
                if name.is_none() {
                    mistakes.add("/name", FieldErrorCode::Missing, "required", "");
                }
                name
            }
            None => None,
        };
        let active = match body.get("active") {
            None | Some(Value::Null) => Some(current.is_none_or(|values| values.active)),
            Some(Value::Bool(active)) => Some(*active),
            Some(_) => {
                mistakes.add("/active", FieldErrorCode::WrongType, "", "true or false");
                None
            }
        };
        let price = mistakes.note(price_of(body, current, currency), "")?;
        let interval = mistakes.note(interval_of(body, current), "")?;
        let description = mistakes.note(description(body), "")?;
        let (Some(name), Some(active), Some(price), Some(interval), Some(description)) =
            (name, active, price, interval, description)
        else {
            return Ok(None);
        };
        let description = description.or_else(|| current.map(|values| values.description.clone())).unwrap_or_default();
        Ok(Some(CommonMembers { name, description, active, price, interval }))
    }
}

/// Reads the only price of a product, which is in the currency of the business.
fn price_of(body: &Map<String, Value>, current: Option<&ProductValues>, currency: &str) -> Ruled<Option<Money>> {
    let given_currency = text(body, "currency")?.map(|text| text.to_lowercase());
    let price = match body.get("price") {
        None | Some(Value::Null) => current.and_then(|values| values.price.clone()),
        Some(value) => Some(money(value, given_currency.as_deref().unwrap_or(currency))?),
    };
    match &price {
        Some(price) if price.currency != currency => {
            Err(wrong_field("/currency", FieldErrorCode::NotAllowed, "", currency))
        }
        _ => Ok(price),
    }
}

/// Reads the interval of the only price of a product.
fn interval_of(body: &Map<String, Value>, current: Option<&ProductValues>) -> Ruled<Option<BillingInterval>> {
    let (interval, other) = (text(body, "billing_interval")?, text(body, "interval")?);
    if interval.is_some() && other.is_some() && interval != other {
        return Err(wrong_field("/interval", FieldErrorCode::NotAllowed, "differs from billing_interval", "the same"));
    }
    Ok(match interval.or(other).as_deref() {
        None => current.and_then(|values| values.interval),
        Some("once" | "one-time") => None,
        Some(unit) => Some(BillingInterval { unit: interval_unit(unit)?, count: 1 }),
    })
}

/// Members of a price in object form.
const MONEY_MEMBERS: [&str; 3] = ["amount", "amount_minor", "currency"];

/// Reads a price: minor units as a whole number, or an object with amount and currency.
fn money(value: &Value, currency: &str) -> Ruled<Money> {
    let (amount, currency, path) = match value {
        Value::Object(map) => {
            if let Some(unknown) = map.keys().find(|key| !MONEY_MEMBERS.contains(&key.as_str())) {
                let (found, expected) = (format!("unknown field `{unknown}`"), one_of(&MONEY_MEMBERS));
                return Err(wrong_field("/price", FieldErrorCode::UnknownField, found, expected));
            }
            let Some(given) = map.get("currency").map_or(Some(currency), Value::as_str).map(str::to_lowercase) else {
                return Err(wrong_field("/price/currency", FieldErrorCode::WrongType, "", "a text"));
            };
            (map.get("amount_minor").or_else(|| map.get("amount")), given, "/price/amount")
        }
        other => (Some(other), currency.to_owned(), "/price"),
    };
    match amount.and_then(Value::as_i64) {
        Some(amount_minor) if amount_minor >= 0 => Ok(Money { amount_minor, currency }),
        Some(_) => Err(wrong_field(path, FieldErrorCode::OutOfRange, "", "minor units, at least 0")),
        None => Err(wrong_field(path, FieldErrorCode::WrongType, "", "minor units, a whole number")),
    }
}

fn interval_unit(text: &str) -> Ruled<IntervalUnit> {
    Ok(match text {
        "day" => IntervalUnit::Day,
        "week" => IntervalUnit::Week,
        "month" | "monthly" => IntervalUnit::Month,
        "year" | "yearly" => IntervalUnit::Year,
        _ => {
            return Err(wrong_field("/billing_interval", FieldErrorCode::NotAllowed, "", "day, week, month or year"));
        }
    })
}

/// Reads an optional text member.
pub(crate) fn text(body: &Map<String, Value>, key: &str) -> Ruled<Option<String>> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong_field(&format!("/{key}"), FieldErrorCode::WrongType, "", "a text")),
    }
}

/// Reads an optional text member of at most so many characters.
pub(crate) fn text_within(body: &Map<String, Value>, key: &str, chars_max: usize) -> Ruled<Option<String>> {
    match text(body, key)? {
        Some(text) if text.chars().count() > chars_max => {
            let expected = format!("at most {chars_max} characters");
            Err(wrong_field(&format!("/{key}"), FieldErrorCode::OutOfRange, "", expected))
        }
        given => Ok(given),
    }
}

/// Reads the description of a product.
fn description(body: &Map<String, Value>) -> Ruled<Option<String>> {
    text_within(body, "description", TEXT_CHARS_MAX as usize)
}

/// Maximum number of characters of a text of one line.
const LINE_CHARS_MAX: usize = 255;

/// Reads an optional text of one line, such as a name, which goes into subjects and titles.
pub(crate) fn line(body: &Map<String, Value>, key: &str) -> Ruled<Option<String>> {
    match text(body, key)? {
        Some(text) if text.chars().any(char::is_control) => {
            let (found, expected) = ("", "one line without control characters");
            Err(wrong_field(&format!("/{key}"), FieldErrorCode::BadFormat, found, expected))
        }
        Some(text) if text.chars().count() > LINE_CHARS_MAX => {
            let (found, expected) = ("", format!("at most {LINE_CHARS_MAX} characters"));
            Err(wrong_field(&format!("/{key}"), FieldErrorCode::OutOfRange, found, expected))
        }
        line => Ok(line),
    }
}

/// Reads a whole number of a payload.
pub(crate) fn whole_number(body: &Map<String, Value>, member: &str, range: RangeInclusive<i64>) -> Ruled<i64> {
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    let wrong = |code| wrong_field(&format!("/{member}"), code, "", expected.clone());
    match body.get(member) {
        None | Some(Value::Null) => Err(wrong(FieldErrorCode::Missing)),
        Some(value) => {
            let amount = value.as_i64().ok_or_else(|| wrong(FieldErrorCode::WrongType))?;
            if range.contains(&amount) { Ok(amount) } else { Err(wrong(FieldErrorCode::OutOfRange)) }
        }
    }
}

/// Parses a time that a payload has at a member.
pub(crate) fn time(member: &str, written: &str) -> Ruled<Timestamp> {
    let wrong = || wrong_field(&format!("/{member}"), FieldErrorCode::BadFormat, "", "a date and time of RFC 3339");
    parse_rfc3339(written).ok_or_else(wrong)
}

/// Reads a required text of one line. Fails if the text is empty or longer than an id.
pub(crate) fn required_text(body: &Map<String, Value>, key: &str) -> Ruled<String> {
    let path = format!("/{key}");
    match line(body, key)? {
        None => Err(wrong_field(&path, FieldErrorCode::Missing, "required", "")),
        Some(text) if text.is_empty() || text.len() > ID_BYTES => {
            Err(wrong_field(&path, FieldErrorCode::OutOfRange, "", format!("1 to {ID_BYTES} bytes")))
        }
        Some(text) => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_ids_are_one_line() {
        let of = |value: Value| json!({"name": value}).as_object().cloned().unwrap_or_default();
        for wrong in ["a\nb", "a\r\nBcc: b@example.com", "a\u{0}", "\u{85}", "a\tb"] {
            for result in [line(&of(json!(wrong)), "name"), required_text(&of(json!(wrong)), "name").map(Some)] {
                let Err(Halt::Refused(Refusal::Invalid(errors))) = result else { panic!("{wrong:?} is accepted") };
                assert_eq!((errors[0].path.as_str(), errors[0].code), ("/name", FieldErrorCode::BadFormat));
            }
        }
        assert!(matches!(line(&of(json!("Zoë – 日本 🎻")), "name"), Ok(Some(_))));
        assert!(matches!(line(&of(Value::Null), "name"), Ok(None)));
    }

    #[test]
    fn names_and_descriptions_have_a_maximum_length() {
        let of = |key: &str, count: usize| json!({key: "é".repeat(count)}).as_object().cloned().unwrap_or_default();
        assert!(line(&of("name", 255), "name").is_ok() && description(&of("description", 4_096)).is_ok());
        for (result, path) in
            [(line(&of("name", 256), "name"), "/name"), (description(&of("description", 4_097)), "/description")]
        {
            let Err(Halt::Refused(Refusal::Invalid(errors))) = result else { panic!("{path} is accepted") };
            assert_eq!((errors[0].path.as_str(), errors[0].code), (path, FieldErrorCode::OutOfRange));
        }
    }
}
