//! Reads a product event: `{"id", "event": "product.created|updated|deleted", "timestamp", "actor", "data":
//! {product}}`.
//!
//! For an update, `previous` may contain the old product; otherwise the host reads the old product from the store.

use super::{Envelope, read_actor, read_id, read_timestamp};
use crate::json::{Document, JsonKind, Name, Value};
use crate::reader::{LocatedObject, Reader, is_empty};
use extension_contract::{
    Account, Actor, ActorKind, BillingInterval, IntervalUnit, JSON_BYTES_MAX, Money, Payload, Product, ProductChange,
    ProductValues, Refusal,
};
use std::collections::BTreeMap;

const CREATED: &str = "product.created";
const UPDATED: &str = "product.updated";
const DELETED: &str = "product.deleted";

/// Currency of a price without a currency.
const CURRENCY_DEFAULT: &str = "usd";

/// Members of a product that are not fields of its type. Some of them have their own column; the others are bookkeeping
/// of the row, and are ignored.
const NON_FIELDS: [&str; 23] = [
    "active",
    "billing_interval",
    "created",
    "created_at",
    "currency",
    "deleted",
    "deleted_at",
    "description",
    "id",
    "interval",
    "livemode",
    "metadata",
    "name",
    "object",
    "organization_id",
    "owner",
    "price",
    "product_type",
    "type",
    "updated",
    "updated_at",
    "user_id",
    "version",
];
/// Prefix of the platform's filter columns.
const FILTER: &str = "filter_";

pub(super) fn read(document: &Document<'_>) -> Envelope {
    let mut reader = Reader::new(document);
    let root = LocatedObject::root(document);
    let id = read_id(&mut reader, document);
    let kind = reader.required_id(root, "event").unwrap_or_default();
    if ![CREATED, UPDATED, DELETED].contains(&kind.as_str()) {
        reader.malformed(root, "event");
    }
    let time = read_timestamp(&mut reader, root);
    let actor = read_actor(&mut reader, root);
    let livemode = reader.flag(root, "livemode");
    let data = reader.object(root, "data");
    if data.is_none() {
        reader.malformed(root, "data");
    }
    let data = data.and_then(|object| read_product(&mut reader, LocatedObject { pointer: "/data", object }, &actor));
    let previous = reader.object(root, "previous");
    let previous =
        previous.and_then(|object| read_product(&mut reader, LocatedObject { pointer: "/previous", object }, &actor));
    if let (Some(data), Some(previous)) = (&data, &previous)
        && (&data.id, &data.owner) != (&previous.id, &previous.owner)
    {
        reader.refuse(Refusal::Inconsistent(format!("{} of {}: previous {}", data.id, data.owner, previous.id)));
    }
    let change = match kind.as_str() {
        DELETED => ProductChange { before: data, after: None },
        UPDATED => ProductChange { before: previous, after: data },
        _ => ProductChange { before: None, after: data },
    };
    envelope(id, kind, change, actor, livemode, time, reader)
}

/// Reads a record without an envelope as a created product. The event's id derives from the bytes.
pub(super) fn read_record(document: &Document<'_>) -> Envelope {
    let mut reader = Reader::new(document);
    let actor = Actor::system();
    let product = read_product(&mut reader, LocatedObject::root(document), &actor);
    let change = ProductChange { before: None, after: product };
    envelope(None, CREATED.to_owned(), change, actor, None, None, reader)
}

fn envelope(
    id: Option<String>,
    kind: String,
    change: ProductChange,
    actor: Actor,
    livemode: Option<bool>,
    time: Option<i64>,
    reader: Reader,
) -> Envelope {
    let account = change.after.as_ref().or(change.before.as_ref()).map(|product| product.owner.clone());
    Envelope {
        id,
        source: "products",
        kind,
        account,
        livemode,
        actor,
        reply_to: None,
        payload: Payload::Product(Box::new(change)),
        time,
        refusal: reader.refusal(),
    }
}

/// Reads a product. Returns none, and records a refusal, if its id or type is missing.
fn read_product(reader: &mut Reader, product: LocatedObject<'_, '_>, actor: &Actor) -> Option<Product> {
    let id = reader.required_id(product, "id");
    let product_type = read_type(reader, product);
    let (metadata, filters) = read_fields(reader, product);
    let values = ProductValues {
        product_type: product_type?,
        name: reader.prose(product, "name").unwrap_or_default(),
        description: reader.prose(product, "description").unwrap_or_default(),
        active: reader.flag(product, "active").unwrap_or(true),
        price: read_price(reader, product),
        interval: read_interval(reader, product),
        filters,
        metadata,
    };
    Some(Product { id: id?, owner: read_owner(reader, product, actor), values, version: 0, deleted: false })
}

/// Reads `product_type`, or the platform's alias `type`. If the product has both, they must be equal.
fn read_type(reader: &mut Reader, product: LocatedObject<'_, '_>) -> Option<String> {
    let alias = reader.id(product, "type");
    let own = reader.id(product, "product_type");
    if own.is_none() && alias.is_none() || own.is_some() && alias.is_some() && own != alias {
        reader.malformed(product, "product_type");
        return None;
    }
    own.or(alias)
}

/// Reads the owner: `owner`, `user_id` or `organization_id`, otherwise the same members of the metadata, otherwise the
/// acting user, otherwise the platform. Refuses two different owners.
fn read_owner(reader: &mut Reader, product: LocatedObject<'_, '_>, actor: &Actor) -> Account {
    if let Some(owner) = read_owner_fields(reader, product) {
        return owner;
    }
    let pointer = product.pointer_to("metadata");
    let metadata = product.get("metadata").filter(|value| value.kind() == JsonKind::Object);
    let metadata = metadata.map(|object| LocatedObject { pointer: &pointer, object });
    if let Some(owner) = metadata.and_then(|metadata| read_owner_fields(reader, metadata)) {
        return owner;
    }
    match actor.kind {
        ActorKind::User if !actor.subject.is_empty() => Account::User(actor.subject.clone()),
        _ => Account::Platform,
    }
}

fn read_owner_fields(reader: &mut Reader, parent: LocatedObject<'_, '_>) -> Option<Account> {
    let owner = match reader.id(parent, "owner").map(|text| text.parse::<Account>()) {
        Some(Err(_)) => {
            reader.malformed(parent, "owner");
            None
        }
        Some(Ok(owner)) => Some(owner),
        None => None,
    };
    let user = reader.id(parent, "user_id").map(Account::User);
    let organization = reader.id(parent, "organization_id").map(Account::Organization);
    let mut named = [owner, user, organization].into_iter().flatten();
    let first = named.next()?;
    if let Some(other) = named.find(|other| *other != first) {
        reader.refuse(Refusal::Inconsistent(format!("{first} and {other}")));
    }
    Some(first)
}

/// Reads `price`: an amount in minor units, or `{"amount", "currency"}`. Refuses fractions.
fn read_price(reader: &mut Reader, product: LocatedObject<'_, '_>) -> Option<Money> {
    let price = product.get("price").filter(|price| !is_empty(price))?;
    let pointer = product.pointer_to("price");
    let (amount, holder) = match price.kind() {
        JsonKind::Object => {
            let holder = LocatedObject { pointer: &pointer, object: price };
            (holder.get("amount").or_else(|| holder.get("amount_minor")).and_then(|amount| amount.as_i64()), holder)
        }
        _ => (price.as_i64(), product),
    };
    let currency = match reader.id(holder, "currency") {
        Some(text) => text.to_ascii_lowercase(),
        None if price.kind() == JsonKind::Object => {
            reader.malformed(holder, "currency");
            return None;
        }
        None => CURRENCY_DEFAULT.to_owned(),
    };
    if currency.len() != 3 || !currency.bytes().all(|c| c.is_ascii_lowercase()) {
        reader.malformed(holder, "currency");
        return None;
    }
    match amount {
        Some(amount_minor) if amount_minor >= 0 => Some(Money { amount_minor, currency }),
        _ => {
            reader.malformed(product, "price");
            None
        }
    }
}

/// Reads `billing_interval` or `interval`: `day`, `week`, `month`, `year`, or `{"unit", "count"}`. No interval, or
/// `once`, means a one-time price.
fn read_interval(reader: &mut Reader, product: LocatedObject<'_, '_>) -> Option<BillingInterval> {
    let name = if product.get("billing_interval").is_some() { "billing_interval" } else { "interval" };
    let value = product.get(name)?;
    let interval = match value.kind() {
        JsonKind::String if matches!(value.as_str().as_deref(), Some("" | "once")) => return None,
        JsonKind::String => unit(value).map(|unit| BillingInterval { unit, count: 1 }),
        JsonKind::Object => {
            let count = match value.get("count").filter(|count| !count.is_null()) {
                None => Some(1),
                Some(count) => count.as_i64().and_then(|count| u32::try_from(count).ok()).filter(|count| *count >= 1),
            };
            value.get("unit").and_then(unit).zip(count).map(|(unit, count)| BillingInterval { unit, count })
        }
        _ => None,
    };
    if interval.is_none() {
        reader.malformed(product, name);
    }
    interval
}

fn unit(value: Value<'_>) -> Option<IntervalUnit> {
    match value.as_str()?.as_ref() {
        "day" => Some(IntervalUnit::Day),
        "week" => Some(IntervalUnit::Week),
        "month" => Some(IntervalUnit::Month),
        "year" => Some(IntervalUnit::Year),
        _ => None,
    }
}

/// Reads the fields of the product type as one JSON object, and the filter slots.
///
/// Merges the fields in `metadata`, in `features` and at the top level, so that all three shapes give the same record.
/// A field that is in two of these places must have the same value in both.
fn read_fields(reader: &mut Reader, product: LocatedObject<'_, '_>) -> (String, Vec<(String, String)>) {
    let metadata = reader.object(product, "metadata");
    // If `features` is a list, it is an ordinary field.
    let features = product.get("features").filter(|features| features.kind() == JsonKind::Object);
    let own = metadata.into_iter().flat_map(|metadata| metadata.members());
    let mut fields: BTreeMap<&str, (Name<'_>, Value<'_>)> = own.map(|field| (field.0.name, field)).collect();
    let mut filters: BTreeMap<&str, String> = BTreeMap::new();
    let in_features = features.into_iter().flat_map(|features| features.members());
    let on_top = product.object.members();
    let on_top =
        on_top.filter(|(name, _)| !NON_FIELDS.contains(&name.name) && (name.name != "features" || features.is_none()));
    let mut merged = false;
    for (name, value) in in_features.chain(on_top) {
        if name.name.starts_with(FILTER) {
            if let Some(text) = filter_text(value)
                && filters.insert(name.name, text.clone()).is_some_and(|earlier| earlier != text)
            {
                reader.malformed(product, name.name);
            }
            continue;
        }
        let (_, present) = fields.entry(name.name).or_insert_with(|| {
            merged = true;
            (name, value)
        });
        if present.raw() != value.raw() {
            reader.malformed(product, name.name);
        }
    }
    let filters = filters.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    let text = if merged {
        let members: Vec<String> =
            fields.into_values().map(|(name, value)| format!("{}:{}", name.raw, value.raw())).collect();
        format!("{{{}}}", members.join(","))
    } else {
        metadata.map_or("{}", |metadata| metadata.raw()).to_owned()
    };
    if text.len() > JSON_BYTES_MAX {
        reader.malformed(product, "metadata");
        return ("{}".to_owned(), filters);
    }
    (text, filters)
}

/// Returns the value of a filter as a string; none for null.
fn filter_text(value: Value<'_>) -> Option<String> {
    match value.kind() {
        JsonKind::Null => None,
        JsonKind::String => value.as_str().map(|text| text.into_owned()),
        _ => Some(value.raw().to_owned()),
    }
}
