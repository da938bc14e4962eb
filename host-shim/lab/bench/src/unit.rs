//! Measures the unit of event times: the time that serde_json takes natively to read the body of a measured event into
//! a borrowing struct.

use crate::corpus;
use crate::setting::{median, micros_each};
use anyhow::{Result, bail};
use extension_contract::Payload;
use serde::Deserialize;
use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

/// Number of readings per round.
const READINGS: usize = 2_000;

/// The members of a subscription's webhook on which decisions depend.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    created: i64,
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: Subscription<'a>,
}

#[derive(Deserialize)]
struct Subscription<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    items: Items<'a>,
}

#[derive(Deserialize)]
struct Items<'a> {
    #[serde(borrow)]
    data: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// Median microseconds of one reading.
pub fn micros(rounds: usize) -> Result<f64> {
    let Payload::Payment(bytes) = corpus::updated(0, 1)?.payload else { bail!("the event has no body") };
    let mut times = Vec::with_capacity(rounds);
    // The first round warms up.
    for round in 0..=rounds {
        let begun = Instant::now();
        for _ in 0..READINGS {
            let body: Body<'_> = serde_json::from_slice(black_box(&bytes))?;
            let object = &body.data.object;
            black_box((body.id.len(), body.created, object.id.len(), object.status.len(), object.items.data.len()));
            black_box(object.items.data.first().map(|item| item.id.len()));
        }
        if round > 0 {
            times.push(micros_each(begun.elapsed(), READINGS));
        }
    }
    Ok(median(&mut times))
}
