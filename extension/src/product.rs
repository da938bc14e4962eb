//! A product as somebody sends it, in any of the shapes that are around, brought into the one that is stored.

use crate::catalog;
use crate::context::{Context, Step, Stop, decode, encode};
use crate::schema::{self, TypeDecl};
use products_contract::*;
use serde_json::{Map, Value};

/// A product in stored form, with its type.
pub(crate) struct Proposed {
    /// Id, if one was given.
    pub id: Option<String>,
    /// Its type.
    pub decl: TypeDecl,
    /// Values; the metadata is checked.
    pub values: ProductValues,
    /// The same metadata as an object.
    pub metadata: Map<String, Value>,
}

fn invalid(path: &str, code: FieldErrorCode, message: impl Into<String>) -> Stop {
    Stop::Refused(Refusal::Invalid(vec![FieldError { path: path.to_owned(), code, message: message.into() }]))
}

/// Keys that describe every product (SOL-04); all others belong to the metadata.
const COMMON: [&str; 12] = [
    "id",
    "type",
    "product_type",
    "name",
    "description",
    "active",
    "price",
    "currency",
    "billing_interval",
    "interval",
    "metadata",
    "features",
];

/// Read a product body. `current` is the stored product, for a change.
pub(crate) fn normalise(
    context: &mut Context<'_, '_>,
    body: &Map<String, Value>,
    current: Option<&Product>,
) -> Step<Proposed> {
    let mut metadata = Map::new();
    for key in ["metadata", "features"] {
        match body.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => metadata.extend(map.clone()),
            Some(Value::Array(_)) if key == "features" => {
                metadata.insert(key.to_owned(), body[key].clone());
            }
            Some(_) => return Err(invalid(&format!("/{key}"), FieldErrorCode::WrongType, "expected an object")),
        }
    }
    for (key, value) in body {
        if !COMMON.contains(&key.as_str()) && !value.is_null() {
            if metadata.get(key).is_some_and(|other| other != value) {
                return Err(invalid(&format!("/{key}"), FieldErrorCode::NotAllowed, "differs from the metadata"));
            }
            metadata.insert(key.clone(), value.clone());
        }
    }
    let decl = find_type(context, body, &metadata, current)?;
    resolve_plan(context, &decl, &mut metadata)?;
    let by = context.event.actor.kind;
    let stored = match current {
        Some(product) => Some(decode::<Map<String, Value>>("products", &product.id, &product.values.metadata)?),
        None => None,
    };
    let metadata = schema::check(&decl, by, stored.as_ref(), &metadata)
        .map_err(|errors| Stop::Refused(Refusal::Invalid(errors)))?;
    let settings = context.settings()?;
    let common = Common::read(body, current.map(|product| &product.values), &settings.currency)?;
    let values = ProductValues {
        product_type: decl.name.clone(),
        name: common.name,
        description: common.description,
        active: common.active,
        price: common.price,
        interval: common.interval,
        filters: current.map(|product| product.values.filters.clone()).unwrap_or_default(),
        metadata: encode(&metadata)?,
    };
    Ok(Proposed { id: text(body, "id")?, decl, values, metadata })
}

/// The product's type: `product_type` or `type`, by name or alias; without either by a telling key of the metadata.
fn find_type(
    context: &mut Context<'_, '_>,
    body: &Map<String, Value>,
    metadata: &Map<String, Value>,
    current: Option<&Product>,
) -> Step<TypeDecl> {
    let given = match (text(body, "product_type")?, text(body, "type")?) {
        (Some(a), Some(b)) if a != b => {
            return Err(invalid("/type", FieldErrorCode::NotAllowed, "differs from product_type"));
        }
        (Some(name), _) | (None, Some(name)) => Some(name),
        (None, None) => current.map(|product| product.values.product_type.clone()),
    };
    let types = context.types()?;
    let found = match &given {
        Some(name) => types.into_iter().find(|t| t.name == *name || t.aliases.contains(name)),
        None => types.into_iter().find(|t| t.infer_by.as_ref().is_some_and(|key| metadata.contains_key(key))),
    };
    let decl = found.ok_or_else(|| match given {
        Some(name) => invalid("/product_type", FieldErrorCode::NotAllowed, format!("`{name}` is no product type")),
        None => invalid("/product_type", FieldErrorCode::Missing, "required"),
    })?;
    if current.is_some_and(|product| product.values.product_type != decl.name) {
        return Err(invalid("/product_type", FieldErrorCode::ReadOnly, "can't be changed once set"));
    }
    Ok(decl)
}

/// The plan by product id; its slug (`plan`) and `parent_product_id` are read as the same field.
fn resolve_plan(context: &mut Context<'_, '_>, decl: &TypeDecl, metadata: &mut Map<String, Value>) -> Step<()> {
    let Some(link) = &decl.plan else { return Ok(()) };
    let mut given: Vec<String> = Vec::new();
    for key in ["plan", "parent_product_id", link.field.as_str()] {
        // A field of the type is no alias.
        if key != link.field && decl.field(key).is_some() {
            continue;
        }
        match metadata.remove(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => given.push(text),
            Some(_) => return Err(invalid(&format!("/metadata/{key}"), FieldErrorCode::WrongType, "expected a text")),
        }
    }
    let mut ids = Vec::with_capacity(given.len());
    for name in given {
        ids.push(
            catalog::plan_by_name(context.host, &link.family, &name)?
                .ok_or(Refusal::NotFound(format!("plan {name}")))?,
        );
    }
    ids.dedup();
    match ids.as_slice() {
        [] => {}
        [id] => {
            metadata.insert(link.field.clone(), Value::String(id.clone()));
        }
        [a, b, ..] => {
            let path = format!("/metadata/{}", link.field);
            return Err(invalid(&path, FieldErrorCode::NotAllowed, format!("names {a} and {b}")));
        }
    }
    Ok(())
}

struct Common {
    name: String,
    description: String,
    active: bool,
    price: Option<Money>,
    interval: Option<BillingInterval>,
}

impl Common {
    fn read(body: &Map<String, Value>, current: Option<&ProductValues>, currency: &str) -> Step<Common> {
        let name = text(body, "name")?.or_else(|| current.map(|values| values.name.clone()));
        let active = match body.get("active") {
            None | Some(Value::Null) => current.is_none_or(|values| values.active),
            Some(Value::Bool(active)) => *active,
            Some(_) => return Err(invalid("/active", FieldErrorCode::WrongType, "expected true or false")),
        };
        let given_currency = text(body, "currency")?.map(|text| text.to_lowercase());
        let price = match body.get("price") {
            None | Some(Value::Null) => current.and_then(|values| values.price.clone()),
            Some(value) => Some(money(value, given_currency.as_deref().unwrap_or(currency))?),
        };
        if let Some(price) = &price
            && price.currency != currency
        {
            return Err(invalid("/currency", FieldErrorCode::NotAllowed, format!("expected {currency}")));
        }
        let interval = match text(body, "billing_interval")?.or(text(body, "interval")?).as_deref() {
            None => current.and_then(|values| values.interval),
            Some("once" | "one-time") => None,
            Some(unit) => Some(BillingInterval { unit: interval_unit(unit)?, count: 1 }),
        };
        Ok(Common {
            name: name.ok_or_else(|| invalid("/name", FieldErrorCode::Missing, "required"))?,
            description: text(body, "description")?
                .or_else(|| current.map(|values| values.description.clone()))
                .unwrap_or_default(),
            active,
            price,
            interval,
        })
    }
}

/// Minor units as a whole number, or an object with amount and currency; never a fraction.
fn money(value: &Value, currency: &str) -> Step<Money> {
    let (amount, currency, path) = match value {
        Value::Object(map) => {
            let given = map.get("currency").and_then(Value::as_str).unwrap_or(currency).to_lowercase();
            (map.get("amount_minor").or_else(|| map.get("amount")), given, "/price/amount")
        }
        other => (Some(other), currency.to_owned(), "/price"),
    };
    match amount.and_then(Value::as_i64) {
        Some(amount_minor) if amount_minor >= 0 => Ok(Money { amount_minor, currency }),
        Some(_) => Err(invalid(path, FieldErrorCode::OutOfRange, "expected minor units, at least 0")),
        None => Err(invalid(path, FieldErrorCode::WrongType, "expected minor units, a whole number")),
    }
}

fn interval_unit(text: &str) -> Step<IntervalUnit> {
    Ok(match text {
        "day" => IntervalUnit::Day,
        "week" => IntervalUnit::Week,
        "month" | "monthly" => IntervalUnit::Month,
        "year" | "yearly" => IntervalUnit::Year,
        _ => return Err(invalid("/billing_interval", FieldErrorCode::NotAllowed, "expected day, week, month or year")),
    })
}

/// A member that must be a text if it is there.
pub(crate) fn text(body: &Map<String, Value>, key: &str) -> Step<Option<String>> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(invalid(&format!("/{key}"), FieldErrorCode::WrongType, "expected a text")),
    }
}

/// Longest id that a command may name, in bytes: keys are made of it.
pub(crate) const ID_BYTES: usize = 200;

/// A member that must be there and be a text, neither empty nor longer than an id.
pub(crate) fn required_text(body: &Map<String, Value>, key: &str) -> Step<String> {
    let path = format!("/{key}");
    match text(body, key)? {
        None => Err(invalid(&path, FieldErrorCode::Missing, "required")),
        Some(text) if text.is_empty() || text.len() > ID_BYTES => {
            Err(invalid(&path, FieldErrorCode::OutOfRange, format!("expected 1 to {ID_BYTES} bytes")))
        }
        Some(text) => Ok(text),
    }
}

/// A field error as a refusal.
pub(crate) fn refuse(path: &str, code: FieldErrorCode, message: impl Into<String>) -> Stop {
    invalid(path, code, message)
}
