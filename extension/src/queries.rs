//! Questions: what is on sale, what an account may use and has used, and where its ledgers stand.

use crate::catalog;
use crate::context::{Context, Stop, decode, encode};
use crate::entitlement::{self, UNLIMITED};
use crate::rows::Rows;
use crate::time::{order, rfc3339};
use crate::{instance, ledger, schema, settle};
use products_contract::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

fn problem(stop: Stop) -> Problem {
    match stop {
        Stop::Refused(refusal) => Problem::Refused(refusal),
        Stop::Failed(failure) => Problem::Failed(failure),
        Stop::Ended(outcome) => Problem::Failed(Failure::Internal(format!("a question ended as {}", outcome.name()))),
    }
}

/// A question as an event, so that the mechanisms can be asked: nothing is written.
fn event(question: &Question) -> Event {
    Event {
        id: String::new(),
        source: "query".to_owned(),
        kind: "query".to_owned(),
        business: String::new(),
        account: Some(question.account.clone()),
        livemode: None,
        received_at: question.at,
        attempt: 1,
        actor: question.actor.clone(),
        reply_to: None,
        provider: None,
        payload: Payload::Command("{}".to_owned()),
    }
}

/// `schemas.validate`: type, fields and who may set them.
pub(crate) fn validate(host: &mut Rows<'_>, candidate: &Candidate) -> Result<ProductValues, Problem> {
    let failed = |failure: Failure| Problem::Failed(failure);
    let proposed = &candidate.proposed;
    let unknown = || {
        Problem::Refused(Refusal::Invalid(vec![FieldError {
            path: "/product_type".to_owned(),
            code: FieldErrorCode::NotAllowed,
            message: format!("`{}` is no product type", proposed.product_type),
        }]))
    };
    let types = catalog::types(host).map_err(failed)?;
    let name = &proposed.product_type;
    let decl = types.into_iter().find(|t| t.name == *name || t.aliases.contains(name)).ok_or_else(unknown)?;
    let read = |text: &str| {
        serde_json::from_str::<Map<String, Value>>(text).map_err(|error| {
            Problem::Refused(Refusal::Invalid(vec![FieldError {
                path: "/metadata".to_owned(),
                code: FieldErrorCode::WrongType,
                message: error.to_string(),
            }]))
        })
    };
    let current = candidate.current.as_ref().map(|values| read(&values.metadata)).transpose()?;
    let metadata = read(&proposed.metadata)?;
    let checked = schema::check(&decl, candidate.by, current.as_ref(), &metadata)
        .map_err(|errors| Problem::Refused(Refusal::Invalid(errors)))?;
    Ok(ProductValues { product_type: decl.name, metadata: encode(&checked).map_err(failed)?, ..proposed.clone() })
}

/// What is on sale, in display order: by rank, then by id.
pub(crate) fn catalog(host: &mut Rows<'_>, _question: &Question) -> Result<Vec<Offer>, Problem> {
    let failed = |failure: Failure| Problem::Failed(failure);
    let types = catalog::types(host).map_err(failed)?;
    let mut offers = Vec::new();
    for decl in types.iter().filter(|decl| decl.catalog) {
        let rows = host.products(true, Some(&decl.name)).map_err(|error| Problem::Failed(error.into()))?;
        for product in rows.into_iter().filter(|row| row.values.active) {
            let metadata = entitlement::metadata(&product).map_err(failed)?;
            let price = match metadata.get("stripe_price_id").and_then(Value::as_str) {
                Some(id) => {
                    let prices = host.prices_load(&[id.to_owned()]).map_err(|error| Problem::Failed(error.into()))?;
                    prices.into_iter().next().flatten().filter(|price| price.active)
                }
                None => None,
            };
            let order = metadata.get("display_order").and_then(Value::as_i64).unwrap_or(i64::MAX);
            let available = price.is_some() && metadata.get("purchasable") != Some(&json!(false));
            offers.push((order, Offer { product, prices: price.into_iter().collect(), available }));
        }
    }
    offers.sort_unstable_by(|a, b| (a.0, &a.1.product.id).cmp(&(b.0, &b.1.product.id)));
    Ok(offers.into_iter().map(|(_, offer)| offer).collect())
}

/// What the account may use, with what it uses.
pub(crate) fn entitlements(host: &mut Rows<'_>, question: &Question) -> Result<Vec<Entitlement>, Problem> {
    let event = event(question);
    let mut context = Context::new(host, &event);
    let standing = settle::standing(&mut context).map_err(problem)?;
    let instances = instance::all(&mut context).map_err(problem)?;
    let (view, item) = standing.plan_item().unzip();
    let ends_at = view.and_then(|view| {
        let values = &view.row.values;
        let period_end = item.map(|item| item.period_end).filter(|_| values.cancel_at_period_end);
        values.cancel_at.or(period_end).or(view.grace_end)
    });
    let mut out = Vec::new();
    for (key, (allowed, sources)) in &standing.allowed {
        let consumed = instance::used(&instances, key, None);
        let measured: i64 =
            instances.iter().filter_map(|instance| measured(instance, key)).fold(0, i64::saturating_add);
        let counter = instances.iter().any(|instance| {
            instance.decl.meters.iter().any(|meter| meter.counter && key.starts_with(meter.meter.as_str()))
        });
        out.push(Entitlement {
            key: key.clone(),
            allowed: *allowed,
            used: consumed.saturating_add(measured),
            resets_at: item.map(|item| item.period_end).filter(|_| counter),
            ends_at,
            sources: sources.clone(),
        });
    }
    debug_assert!(out.iter().all(|entitlement| entitlement.allowed >= UNLIMITED));
    Ok(out)
}

/// What is measured of an instance under an entitlement: its meter's name, or the beginning of it
/// (`api_requests` is measured, `api_requests_monthly` allowed).
fn measured(instance: &instance::Instance, key: &str) -> Option<i64> {
    let meter = instance.decl.meters.iter().find(|meter| key.starts_with(meter.meter.as_str()))?;
    instance.metadata.get("usage")?.get(&meter.meter)?.as_i64()
}

/// Use between two times: what is measured of the account's instances now. Totals by period come with metering.
pub(crate) fn usage(
    host: &mut Rows<'_>,
    question: &Question,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<UsageTotal>, Problem> {
    if start >= end {
        let message = "expected an end after the start".to_owned();
        let error = FieldError { path: "/end".to_owned(), code: FieldErrorCode::OutOfRange, message };
        return Err(Problem::Refused(Refusal::Invalid(vec![error])));
    }
    let event = event(question);
    let mut context = Context::new(host, &event);
    let currency = context.settings().map_err(problem)?.currency;
    let mut out = Vec::new();
    for instance in instance::all(&mut context).map_err(problem)? {
        for meter in &instance.decl.meters {
            let quantity = instance.metadata.get("usage").and_then(|usage| usage.get(&meter.meter)?.as_i64());
            let at = instance
                .metadata
                .get("usage_at")
                .and_then(|times| times.get(&meter.meter)?.as_str())
                .map(str::to_owned);
            let (Some(quantity), Some(at)) = (quantity, at) else { continue };
            let (from, to) = (rfc3339(start), rfc3339(end));
            if order(&at) >= order(&from) && order(&at) < order(&to) {
                out.push(UsageTotal {
                    meter: meter.meter.clone(),
                    attributes: vec![("instance".to_owned(), instance.row.id.clone())],
                    quantity,
                    cost_micros: 0,
                    currency: currency.clone(),
                });
            }
        }
    }
    Ok(out)
}

/// Balances of the account's ledgers, by ledger and currency; debit positive.
pub(crate) fn balances(host: &mut Rows<'_>, _question: &Question) -> Result<Vec<Balance>, Problem> {
    let mut sums: BTreeMap<(String, String), i64> = BTreeMap::new();
    for entry in ledger::entries(host).map_err(Problem::Failed)? {
        for posting in entry.postings {
            let sum = sums.entry((posting.account, entry.currency.clone())).or_insert(0);
            *sum = sum
                .checked_add(posting.amount_minor)
                .ok_or_else(|| Problem::Failed(Failure::Internal("a balance exceeds 64 bits".to_owned())))?;
        }
    }
    Ok(sums.into_iter().map(|((ledger, unit), available)| Balance { ledger, unit, available, pending: 0 }).collect())
}

/// A page of a kind of things, those with the status that the filter names, if the kind has one.
pub(crate) fn list(
    host: &mut dyn Imports,
    kind: &str,
    filter: Option<&str>,
    page: &Page,
) -> Result<Vec<Listed>, Problem> {
    let rows = match kind {
        "instances" | "products" => RowKind::Product,
        "purchases" => RowKind::Purchase,
        "subscriptions" => RowKind::Subscription,
        "invoices" | "ledger" => RowKind::Record(kind.to_owned()),
        _ => {
            let message = "expected instances, products, purchases, subscriptions, invoices or ledger".to_owned();
            let error = FieldError { path: "/kind".to_owned(), code: FieldErrorCode::NotAllowed, message };
            return Err(Problem::Refused(Refusal::Invalid(vec![error])));
        }
    };
    let failed = |failure: Failure| Problem::Failed(failure);
    let mut out: Vec<Listed> = Vec::new();
    let mut after = page.after.clone();
    loop {
        let listing = Listing { kind: rows.clone(), prefix: String::new(), descending: false, after };
        let found = host.more(&Selection::Listed(listing), page.limit).map_err(|error| failed(error.into()))?;
        let full = found.len() == page.limit as usize;
        after = None;
        for stored in found {
            let (id, status, value) = entry(&stored.row).map_err(failed)?;
            after = Some(id.clone());
            if filter.is_none_or(|wanted| status.as_deref() == Some(wanted)) && out.len() < page.limit as usize {
                out.push(Listed { id, value });
            }
        }
        if !full || out.len() == page.limit as usize {
            return Ok(out);
        }
    }
}

/// Id, status and JSON of a row in a list.
fn entry(row: &Row) -> Fallible<(String, Option<String>, Json)> {
    let status_of = |value: &Value| value.get("status").and_then(Value::as_str).map(str::to_owned);
    let object = |collection: &str, id: &str, text: &str| decode::<Value>(collection, id, text);
    Ok(match row {
        Row::Product(row) => {
            let value = product_json(row)?;
            let status = status_of(&object("products", &row.id, &value)?);
            (row.id.clone(), status, value)
        }
        Row::Purchase(row) => {
            let value = json!({
                "id": row.id, "status": row.values.status, "items": row.values.items, "total": row.values.total,
                "tax": row.values.tax, "refunded": row.values.refunded, "subscription": row.values.subscription_id,
                "session": row.values.session_id,
            });
            (row.id.clone(), status_of(&value), encode(&value)?)
        }
        Row::Subscription(row) => {
            let value = json!({
                "id": row.id, "status": row.values.status, "items": row.values.items,
                "cancel_at_period_end": row.values.cancel_at_period_end, "cancel_at": row.values.cancel_at,
                "trial_end": row.values.trial_end, "grace_end": row.values.grace_end,
            });
            (row.id.clone(), status_of(&value), encode(&value)?)
        }
        Row::Record(row) => {
            let mut value: Value = object(&row.collection, &row.id, &row.value)?;
            value["id"] = json!(row.id);
            (row.id.clone(), status_of(&value), encode(&value)?)
        }
        Row::Price(row) => (row.id.clone(), None, encode(row)?),
    })
}

/// A product as the API shows it: status, subdomain and resources mirrored on top (D-04).
pub(crate) fn product_json(row: &Product) -> Fallible<String> {
    let metadata: Map<String, Value> = decode("products", &row.id, &row.values.metadata)?;
    let values = &row.values;
    let mut out = json!({
        "id": row.id,
        "type": values.product_type,
        "product_type": values.product_type,
        "name": values.name,
        "description": values.description,
        "active": values.active,
        "price": values.price.as_ref().map(|price| price.amount_minor),
        "currency": values.price.as_ref().map(|price| price.currency.clone()),
        "billing_interval": values.interval.map(|interval| interval.unit),
    });
    if let Some(object) = out.as_object_mut() {
        for key in ["status", "subdomain", "resources", "stripe_product_id", "stripe_price_id"] {
            if let Some(value) = metadata.get(key) {
                object.insert(key.to_owned(), value.clone());
            }
        }
        object.insert("metadata".to_owned(), Value::Object(metadata));
    }
    encode(&out)
}
