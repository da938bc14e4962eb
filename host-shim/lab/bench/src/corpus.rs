//! Generates events for many customers from a full body of `customer.subscription.updated`, indented like Stripe's. A body has about 8 kB.

use crate::setting::{BATCH, BUSINESS, START_MS, all_applied};
use anyhow::Result;
use extension_contract::Event;
use host_engine::processor::{Arrived, Processor};

/// The body, with placeholders for ids, time and prices.
const BODY: &str = include_str!("../bodies/subscription_updated.json");
/// End of the period in the body, in seconds since the epoch.
const PERIOD_END_S: i64 = 1_769_904_000;
const PRICES: [&str; 2] = ["price_xyz789", "price_professional_monthly"];

/// The body of a customer's event. The plan alternates, so that each event is applied.
fn body(customer: usize, step: usize) -> String {
    // With 20 digits, ids are as long as Stripe's.
    let number = format!("{customer:020}");
    BODY.trim_end()
        .replace("@E@", &format!("{step:04}{number}"))
        .replace("@N@", &number)
        .replace("@CREATED@", &(START_MS / 1000 + step as i64).to_string())
        .replace("@PRICE@", PRICES[step % 2])
        .replace("@PRICE_BEFORE@", PRICES[(step + 1) % 2])
}

/// Size of a body in bytes.
pub fn body_bytes() -> usize {
    body(0, 1).len()
}

/// Returns the body of a customer's event number `step`, or of the event that starts the subscription for step 0. Times begin at `start_s`
/// (seconds since the epoch), for a server that follows the system's clock.
pub fn body_since(start_s: i64, customer: usize, step: usize) -> Result<Vec<u8>> {
    let shifted = body(customer, step)
        .replace(&(START_MS / 1000 + step as i64).to_string(), &(start_s + step as i64).to_string())
        .replace(&(START_MS / 1000).to_string(), &start_s.to_string())
        .replace(&PERIOD_END_S.to_string(), &(start_s + PERIOD_END_S - START_MS / 1000).to_string());
    if step > 0 {
        return Ok(shifted.into_bytes());
    }
    let mut event: serde_json::Value = serde_json::from_str(&shifted)?;
    event["type"] = "customer.subscription.created".into();
    Ok(event.to_string().into_bytes())
}

fn decode(bytes: Vec<u8>, step: usize) -> Result<Event> {
    Ok(host_intake::raw::read(bytes, BUSINESS, START_MS + 1000 * step as i64)?.event)
}

/// A customer's event number `step`, from 1.
pub fn updated(customer: usize, step: usize) -> Result<Event> {
    decode(body(customer, step).into_bytes(), step)
}

/// The event that starts a customer's subscription, without whitespace. It prepares the account and is not measured.
fn created(customer: usize) -> Result<Event> {
    let mut event: serde_json::Value = serde_json::from_str(&body(customer, 0))?;
    event["type"] = "customer.subscription.created".into();
    if let Some(data) = event["data"].as_object_mut() {
        data.remove("previous_attributes");
    }
    decode(event.to_string().into_bytes(), 0)
}

/// Gives each customer a live subscription.
pub fn subscribe(processor: &mut Processor, customers: std::ops::Range<usize>) -> Result<()> {
    let all: Vec<usize> = customers.collect();
    for some in all.chunks(BATCH) {
        processor.begin_group()?;
        for customer in some {
            all_applied(&processor.accept(created(*customer)?, Vec::new())?)?;
        }
        processor.commit_group()?;
    }
    Ok(())
}

/// Accepts events in groups of [`BATCH`].
pub fn accept(processor: &mut Processor, events: Vec<Event>) -> Result<()> {
    let mut reports = Vec::with_capacity(events.len());
    let mut events = events.into_iter().peekable();
    while events.peek().is_some() {
        processor.begin_group()?;
        let group = events.by_ref().take(BATCH).map(|event| Arrived::new(event, Vec::new())).collect();
        for accepted in processor.accept_all(group)? {
            reports.extend(accepted?);
        }
        processor.commit_group()?;
    }
    all_applied(&reports)
}
