//! Measurements of a product, kept in its metadata: counters of the billing period and newest gauges.

use crate::context::{Context, Loaded, Step, encode};
use crate::entitlement::UNLIMITED;
use crate::instance::{self, Instance};
use crate::schema::Meter;
use crate::settle;
use crate::time::{order, rfc3339};
use products_contract::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Take in a batch of measurements. Each counts once, by its meter and id.
pub(crate) fn record(context: &mut Context<'_, '_>, batch: &[Usage]) -> Step<Outcome> {
    let mut instances = instance::all(context)?;
    let period_start = period_start(context)?;
    let mut news = false;
    let mut checked = Vec::with_capacity(batch.len());
    for usage in batch {
        let named = usage.attributes.iter().find(|(name, _)| name == "instance").map(|(_, value)| value.as_str());
        let Some(place) = instances.iter().position(|instance| named == Some(instance.row.id.as_str())) else {
            return Err(Refusal::NotFound(format!("instance {}", named.unwrap_or("of the measurement"))).into());
        };
        let Some(meter) = instances[place].decl.meters.iter().find(|meter| meter.meter == usage.meter).cloned() else {
            return Err(Refusal::NotFound(format!("meter {}", usage.meter)).into());
        };
        if usage.quantity < 0 {
            return Err(Refusal::Malformed(format!("quantity of {}", usage.id)).into());
        }
        if usage.id.is_empty() || usage.id.len() > crate::product::ID_BYTES {
            return Err(Refusal::Malformed(format!("id of {} bytes", usage.id.len())).into());
        }
        checked.push((place, meter, usage));
    }
    // The whole batch is sound before any of it is noted.
    for (place, meter, usage) in checked {
        if context.note(&format!("usage:{}:{}", usage.meter, usage.id))? {
            news = true;
            add(&mut instances[place], &meter, usage, period_start);
        }
    }
    if !news {
        return Ok(Outcome::Duplicate(batch.first().map_or_else(String::new, |usage| format!("usage:{}", usage.id))));
    }
    for instance in &mut instances {
        let metadata = encode(&instance.metadata)?;
        if metadata != instance.row.values.metadata {
            instance.row.values.metadata = metadata;
            context.host.product_save(&instance.row.id, instance.row.version, &instance.row.values)?;
        }
    }
    note_excess(context, &instances)?;
    settle::settle(context)?;
    Ok(Outcome::Applied)
}

/// Remember since when more is held than allowed.
fn note_excess(context: &mut Context<'_, '_>, instances: &[Instance]) -> Step<()> {
    let standing = settle::standing(context)?;
    let mut seen: Loaded<BTreeMap<String, Timestamp>> = context.record("schedule", "excess")?;
    let before = seen.value.clone();
    for (key, (allowed, _)) in &standing.allowed {
        if *allowed != UNLIMITED && instance::held(instances, key) > *allowed {
            seen.value.entry(key.clone()).or_insert(context.now);
        } else {
            seen.value.remove(key);
        }
    }
    if seen.value != before {
        context.save_record("schedule", "excess", &seen)?;
    }
    Ok(())
}

/// Start of the billing period of the subscription that gives the plan.
fn period_start(context: &mut Context<'_, '_>) -> Step<Timestamp> {
    let standing = settle::standing(context)?;
    Ok(standing.plan_item().map_or(0, |(_, item)| item.period_start))
}

fn add(instance: &mut Instance, meter: &Meter, usage: &Usage, period_start: Timestamp) {
    let mut object = |key: &str| match instance.metadata.remove(key) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let (mut amounts, mut times) = (object("usage"), object("usage_at"));
    let mark = if meter.counter { rfc3339(period_start) } else { rfc3339(usage.at) };
    let known = times.get(&meter.meter).and_then(Value::as_str).map(str::to_owned);
    let held = amounts.get(&meter.meter).and_then(Value::as_i64).unwrap_or(0);
    if meter.counter {
        // A new period counts from nothing; a measurement of an older one no longer counts.
        if usage.at >= period_start {
            let base = if known.as_deref() == Some(&mark) { held } else { 0 };
            amounts.insert(meter.meter.clone(), json!(base.saturating_add(usage.quantity)));
            times.insert(meter.meter.clone(), json!(mark));
        }
    } else if known.is_none_or(|known| order(&known) <= order(&mark)) {
        amounts.insert(meter.meter.clone(), json!(usage.quantity));
        times.insert(meter.meter.clone(), json!(mark));
    }
    instance.metadata.insert("usage".to_owned(), Value::Object(amounts));
    instance.metadata.insert("usage_at".to_owned(), Value::Object(times));
}
