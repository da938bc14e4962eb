//! Measures the cost of an event in accounts with a long history, many instances, or many live subscriptions.

use crate::corpus;
use crate::setting::{BATCH, BUSINESS, Extension, START_MS, Setting, all_applied, median, micros_each};
use crate::table::Table;
use anyhow::Result;
use host_replay::rig::Rig;
use host_store::MemoryStore;
use serde_json::{Value, json};
use std::time::Instant;

/// Measured events per round.
const EVENTS: usize = 200;
/// Rounds per measurement; the median counts.
const ROUNDS: usize = 15;
/// Target: maximum ratio of the cost of an event in a large account to the cost in a small account.
const MOST: f64 = 1.5;
/// Live subscriptions in the measured accounts.
const SUBSCRIPTIONS: [usize; 3] = [1, 64, 256];
/// The same target for accounts with many live subscriptions, whose rows the host returns from `open`.
const MOST_LIVE: f64 = 2.0;

/// Cost of an event: microseconds, and fuel of the component. Unlike the time, the fuel is the same on every machine.
struct Cost {
    micros: f64,
    fuel: f64,
}

impl Cost {
    /// The medians of rounds of events, with the time and the fuel of all events of a round.
    fn of(rounds: Vec<(f64, Vec<u64>)>) -> Cost {
        let (mut times, mut fuels) = (Vec::new(), Vec::new());
        for (micros, fuel) in rounds {
            times.push(micros);
            fuels.push(fuel.iter().sum::<u64>() as f64 / fuel.len().max(1) as f64);
        }
        Cost { micros: median(&mut times), fuel: median(&mut fuels) }
    }
}

/// Measures accounts with many past events, with many instances, and with many live subscriptions.
pub fn measure(setting: &Setting, table: &mut Table) -> Result<()> {
    let events: &[usize] = setting.pick(&[10, 1_000, 100_000], &[10, 1_000, 10_000]);
    let instances: &[usize] = setting.pick(&[1, 100, 5_000], &[1, 100, 1_000]);
    compare(table, "past events", MOST, events, |count| past_events(setting, count))?;
    compare(table, "instances", MOST, instances, |count| instances_of(setting, count))?;
    compare(table, "live subscriptions", MOST_LIVE, &SUBSCRIPTIONS, |count| subscriptions_of(setting, count))
}

/// Measures only the account with the most live subscriptions, for a profile.
pub fn large(setting: &Setting) -> Result<()> {
    subscriptions_of(setting, SUBSCRIPTIONS[SUBSCRIPTIONS.len() - 1]).map(drop)
}

fn compare(
    table: &mut Table,
    of: &str,
    most: f64,
    counts: &[usize],
    measure: impl Fn(usize) -> Result<Cost>,
) -> Result<()> {
    let costs = counts.iter().map(|count| measure(*count)).collect::<Result<Vec<Cost>>>()?;
    let text = |(count, cost): (&usize, &Cost)| format!("{:.1} ({:.0}) with {count}", cost.micros, cost.fuel);
    let texts: Vec<String> = counts.iter().zip(&costs).map(text).collect();
    let first = costs.first().map_or(1.0, |cost| cost.micros);
    let worst = costs.iter().fold(0.0_f64, |worst, cost| worst.max(cost.micros / first));
    let note = format!("us (fuel) an event: {}", texts.join(", "));
    table.at_most(&format!("cost of an event in an account with many / few {of}"), worst, most, "x", &note);
    Ok(())
}

/// Measures the cost of an event in accounts with a history of `past` plan changes. The measured events lengthen that
/// history. If it is short, they are spread over more accounts, so that 10 past events grow to only 25, and 1 000 to 1
/// 300.
fn past_events(setting: &Setting, past: usize) -> Result<Cost> {
    let accounts = (EVENTS * 50 / past).clamp(1, EVENTS);
    let each = EVENTS / accounts;
    let mut host = host(setting)?;
    let processor = host.processor_mut();
    corpus::subscribe(processor, 0..accounts)?;
    for step in 1..=past {
        let events = (0..accounts).map(|customer| corpus::updated(customer, step)).collect::<Result<Vec<_>>>()?;
        corpus::accept(processor, events)?;
    }
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let steps = (0..each).map(|n| 1 + past + round * each + n);
        let events = steps.flat_map(|step| (0..accounts).map(move |customer| corpus::updated(customer, step)));
        let events = events.collect::<Result<Vec<_>>>()?;
        let mut reports = Vec::with_capacity(events.len());
        let begun = Instant::now();
        processor.begin_group()?;
        for event in events {
            reports.extend(processor.accept(event, Vec::new())?);
        }
        processor.commit_group()?;
        let micros = micros_each(begun.elapsed(), accounts * each);
        all_applied(&reports)?;
        rounds.push((micros, reports.iter().map(|report| report.fuel).collect()));
    }
    Ok(Cost::of(rounds))
}

/// Cost of an event that does not affect the instances of its account.
fn instances_of(setting: &Setting, count: usize) -> Result<Cost> {
    let mut host = host(setting)?;
    deliver(&mut host, vec![command("catalog.load", "load", "platform", "admin", large_plan())])?;
    deliver(&mut host, vec![subscription("created", "sub_1", 0)])?;
    let creations = (0..count).map(|number| {
        let name = format!("app-{number}");
        let body = json!({"product_type": "instance", "name": name, "metadata": {"subdomain": name}});
        command("product.create", &name, "user:A", "user", body)
    });
    let creations: Vec<Value> = creations.collect();
    for some in creations.chunks(BATCH) {
        deliver(&mut host, some.to_vec())?;
    }
    updates(&mut host)
}

/// Measures the cost of an event for one of many active subscriptions.
fn subscriptions_of(setting: &Setting, count: usize) -> Result<Cost> {
    let mut host = host(setting)?;
    deliver(&mut host, vec![command("catalog.load", "load", "platform", "admin", large_plan())])?;
    let created: Vec<Value> = (1..=count).map(|number| subscription("created", &format!("sub_{number}"), 0)).collect();
    for some in created.chunks(BATCH) {
        deliver(&mut host, some.to_vec())?;
    }
    updates(&mut host)
}

/// Cost of an event `customer.subscription.updated` for the first subscription.
fn updates(host: &mut Rig) -> Result<Cost> {
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let events = (0..EVENTS).map(|n| subscription("updated", "sub_1", 1 + round * EVENTS + n)).collect();
        rounds.push(deliver(host, events)?);
    }
    Ok(Cost::of(rounds))
}

fn host(setting: &Setting) -> Result<Rig> {
    setting.host(setting.runners(Extension::Reused), Box::new(MemoryStore::new()))
}

/// Accepts events as a group, and carries out their effects. Returns the microseconds per event, without decoding, and
/// the fuel of each event.
fn deliver(host: &mut Rig, events: Vec<Value>) -> Result<(f64, Vec<u64>)> {
    let clock = host.clock();
    let decode = |event: &Value| host_intake::raw::read(event.to_string().into_bytes(), BUSINESS, clock);
    let decoded = events.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let count = decoded.len();
    let begun = Instant::now();
    host.begin_group()?;
    let mut reports = Vec::new();
    for event in decoded {
        let delivered = host.accept(event, clock)?;
        reports.push(delivered.first);
    }
    host.commit_group()?;
    host.settle()?;
    let time = begun.elapsed();
    all_applied(&reports)?;
    Ok((micros_each(time, count), reports.iter().map(|report| report.fuel).collect()))
}

/// A catalog with a plan whose limit covers all measured instances.
fn large_plan() -> Value {
    let metadata = json!({"plan_tier": "large", "max_instances": 1_000_000, "storage_gb": 2, "database_gb": 1,
        "api_requests_monthly": 1_000_000, "compute_tier": "lambda", "database_tier": "shared"});
    json!({"partial": true, "products": [{"id": "prod_large", "product_type": "subscription_plan", "name": "Large",
        "prices": {"month": {"amount": 90_000, "id": "price_large"}}, "metadata": metadata}]})
}

fn command(kind: &str, id: &str, account: &str, by: &str, payload: Value) -> Value {
    json!({"id": id, "command": kind, "account": account, "timestamp": START_MS / 1000,
        "actor": {"kind": by, "id": "A"}, "payload": payload})
}

/// An event with a snapshot of a subscription to [`large_plan`]. Its period begins `step` seconds after [`START_MS`].
fn subscription(kind: &str, id: &str, step: usize) -> Value {
    let created = START_MS / 1000 + step as i64;
    let item = json!({"id": "si_1", "price": {"id": "price_large"}, "quantity": 1,
        "current_period_start": created, "current_period_end": created + 31 * 86_400});
    json!({
        "id": format!("evt_{id}_{step}"), "object": "event", "type": format!("customer.subscription.{kind}"),
        "api_version": "2025-03-31.basil", "created": created, "livemode": false,
        "data": {"object": {"id": id, "object": "subscription", "customer": "cus_A", "status": "active",
            "metadata": {"user_id": "A"}, "items": {"object": "list", "data": [item], "has_more": false}}},
    })
}
